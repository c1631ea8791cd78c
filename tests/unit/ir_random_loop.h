/*
 * ir_random_loop.h: random blocks that jump back to their beginning, r0 times, with vector operations and what may happen between them.
 */
#ifndef TESTS_IR_RANDOM_LOOP_H
#define TESTS_IR_RANDOM_LOOP_H

#include "ir_random.h"

/* An access that, in some blocks, faults in a later round: r0 counts down, and below is the hole's end. */
static void loop_access(struct gen *g)
{
    static const uint8_t size_of[] = {4, 8, 16};
    unsigned size = size_of[below(3)];
    bool faults = one_in(6);
    struct ir_insn *i = add(g, one_in(2) ? IR_OP_LDV : IR_OP_STV);

    i->b = 0;
    i->shamt = 3;
    i->imm = faults ? HOLE + HOLE_SIZE - 8 * (1 + below(4)) + (size == 16 ? 8 : 0) : 0x3000 + below(64) * 4;
    if (faults && size == 16)
        size = 8;
    i->mem = (uint16_t)(size | (one_in(6) ? IR_MEM_SOFT : 0));
    i->imm2 = STATE_OFF + 4 * below(20);
    if (one_in(2))
        i->imm2 = STATE_OFF + 16 * below(5);
}

/* Of r1 - r3, which in most blocks are multiples of four and stay so, or of what is computed from one. */
static void loop_align(struct gen *g)
{
    uint16_t a = (uint16_t)(1 + below(3));
    struct ir_insn *i;

    if (one_in(3)) {
        i = add(g, one_in(3) ? IR_OP_SUB : IR_OP_ADD);
        i->d = 4;
        i->a = a;
        i->b = 5;
        i->shamt = (uint8_t)(one_in(8) ? below(2) : 2 + below(2));
        a = 4;
    }
    i = add(g, IR_OP_ALIGN);
    i->a = a;
    i->imm = one_in(12) ? below(4) : 4 * below(4);
    i->imm2 = one_in(8) ? 1 : 3;
}

static void loop_pointer(struct gen *g)
{
    struct ir_insn *i = add(g, one_in(3) ? IR_OP_SUB : IR_OP_ADD);

    i->d = (uint16_t)(1 + below(3));
    i->a = one_in(4) ? (uint16_t)(1 + below(3)) : i->d;
    i->imm = one_in(10) ? below(4) : 4 * below(5);
    if (one_in(20)) {
        i->op = IR_OP_MOV;
        i->a = IR_NONE;
    }
}

static void loop_side_exit(struct gen *g)
{
    struct ir_insn *i = add(g, IR_OP_SUB);

    i->a = 0;
    i->imm = below(8);
    i->fset = IR_NZCV;
    i = add(g, IR_OP_EXIT_CC);
    i->cc = (uint8_t)(one_in(3) ? IR_EQ : below(14));
    i->imm = one_in(3) ? PC - 0x100 : PC + 0x100;
    g->b->exit_live[g->b->n - 1] = one_in(2) ? IR_NZCV : 0;
}

/* The translator's test whether floating point is on, for one. */
static void loop_trap(struct gen *g)
{
    uint16_t on = ir_temp(g->b), label = ir_label(g->b);
    struct ir_insn *i = add(g, IR_OP_LDE);

    i->d = on;
    i->mem = 1;
    i->imm = STATE_OFF + 100 + below(8);
    i = add(g, IR_OP_BRNZ);
    i->a = on;
    i->imm = label;
    i = add(g, IR_OP_CALL);
    i->fn = test_trap;
    i->mem = IR_CALL_RAISE | IR_CALL_NORETURN | IR_CALL_GPR;
    add(g, IR_OP_LABEL)->imm = label;
}

static void loop_vop(struct gen *g)
{
    random_vop(g);
    if (!one_in(4))
        g->b->insn[g->b->n - 1].fn = NULL;
}

static void loop_step(struct gen *g)
{
    unsigned what = below(20);

    if (what >= 18)
        loop_align(g);
    else if (what >= 16)
        loop_pointer(g);
    else if (what < 7)
        loop_vop(g);
    else if (what < 11)
        loop_access(g);
    else if (what == 11)
        loop_align(g);
    else if (what == 12 && one_in(2))
        loop_side_exit(g);
    else if (what == 13 && one_in(3))
        loop_trap(g);
    else if (what >= 14) {
        struct ir_insn *i = add(g, one_in(2) ? IR_OP_STE : IR_OP_LDE);
        i->imm = STATE_OFF + 4 * below(one_in(4) ? 28 : 20);
        i->mem = 4;
        if (i->op == IR_OP_LDE)
            i->d = (uint16_t)(1 + (one_in(8) ? 0 : 5) + below(7));
        else
            i->a = (uint16_t)(1 + below(12));
    }
}

/* The block has its first INSN. */
static void random_loop(struct ir_block *b)
{
    struct gen g = {.b = b};
    bool branches = one_in(3);
    uint32_t pc = PC;

    if (one_in(3))
        loop_trap(&g);
    for (unsigned n = 1 + below(10); n > 0; n--) {
        uint16_t label = IR_NONE;
        add(&g, IR_OP_INSN)->imm = pc += 4;
        b->n_guest++;
        if (branches && one_in(3)) {
            struct ir_insn *i = add(&g, IR_OP_AND);
            uint16_t odd = i->d = ir_temp(b); /* in some rounds only */
            i->a = 0;
            i->imm = 1 + below(3);
            i = add(&g, IR_OP_BRZ);
            i->a = one_in(2) ? odd : (uint16_t)(1 + below(8));
            i->imm = label = ir_label(b);
        }
        for (unsigned k = 1 + below(2); k > 0; k--)
            loop_step(&g);
        if (label != IR_NONE)
            add(&g, IR_OP_LABEL)->imm = label;
    }
    add(&g, IR_OP_INSN)->imm = pc += 4;
    struct ir_insn *i = add(&g, IR_OP_SUB);
    i->d = i->a = 0;
    i->imm = 1;
    i->fset = IR_NZCV;
    i = add(&g, IR_OP_EXIT_CC);
    i->cc = IR_NE;
    i->imm = PC;
    b->exit_live[b->n - 1] = IR_NZCV; /* which a trap reads */
    for (unsigned n = below(3); n > 0; n--)
        loop_step(&g);
    add(&g, IR_OP_EXIT)->imm = PC + 0x200;
    b->exit_live[b->n - 1] = IR_NZCV;
}

#endif
