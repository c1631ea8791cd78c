/*
 * ir_random.h: random blocks of IR, for x86_backend_test.c: every operation, flags wanted and not, conditional regions, accesses that
 * fault, helpers that read, change and raise.
 */
#ifndef TESTS_IR_RANDOM_H
#define TESTS_IR_RANDOM_H

#include "x86_machine.h"

static uint64_t seed;

static uint32_t rnd(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t x = (uint32_t)(seed >> 33);
    return x ^ x >> 15;
}

static uint32_t below(uint32_t n)
{
    return (rnd() >> 3) % n;
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

static uint32_t interesting(void)
{
    static const uint32_t v[] = {0,    1,     2,      31,     32,     33,         63,         64,         65,         0x7f,      0x80,
                                 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    return one_in(2) ? v[below(ARRAY_LEN(v))] : rnd() << 3 ^ rnd();
}

struct gen {
    struct ir_block *b;
    uint16_t temp[12];
    unsigned n_temps;
};

static uint16_t any_value(const struct gen *g)
{
    if (g->n_temps && one_in(3))
        return g->temp[below(g->n_temps)];
    return (uint16_t)below(IR_GLOBALS);
}

/* A destination: a global, a temporary that exists, or a new one (added to the pool by the caller's commit). */
static uint16_t any_dest(struct gen *g, uint16_t *fresh)
{
    if (g->n_temps < ARRAY_LEN(g->temp) && *fresh == IR_NONE && one_in(4)) {
        *fresh = ir_temp(g->b);
        return *fresh;
    }
    return any_value(g);
}

static void commit(struct gen *g, uint16_t fresh)
{
    if (fresh != IR_NONE)
        g->temp[g->n_temps++] = fresh;
}

static void random_flex(struct gen *g, struct ir_insn *i)
{
    if (one_in(3)) {
        i->imm = interesting();
        return;
    }
    i->b = any_value(g);
    if (one_in(2))
        return;
    i->shift = (uint8_t)below(5);
    i->shamt = (uint8_t)(i->shift == IR_RRX ? 1 : i->shift == IR_LSR || i->shift == IR_ASR ? 1 + below(32) : 1 + below(31));
    if (one_in(3) && i->shift == IR_LSL)
        i->shamt = (uint8_t)(1 + below(4));
}

static uint32_t test_pure(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    (void)cpu;
    clobber_vectors();
    return a * 3 + (b ^ imm) - imm2;
}

static uint32_t test_flags(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    (void)b, (void)imm2;
    clobber_vectors();
    uint32_t old = flags_unpack(v->flags), f = old;
    if (imm & 1)
        f = (f & ~(1u << 29)) | (a & 1) << 29;
    if (imm & 2)
        f = (f & 6u << 28) | (a & 2 ? 9u << 28 : 0);
    v->flags = flags_pack(f);
    return old >> 28;
}

static uint32_t test_registers(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    (void)imm2;
    clobber_vectors();
    v->gpr[imm % 15] += a ^ b;
    return v->gpr[(imm >> 4) % 15];
}

static uint32_t test_raise(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    uint32_t r = v->gpr[3] + v->pc + v->restart + (flags_unpack(v->flags) >> 28) + b;
    v->gpr[11] += imm2;
    clobber_vectors();
    if ((a & 7) == imm % 8) {
        if (!in_reference)
            host_unwind(v);
        v->exit_reason = VCPU_EXIT_RAISED;
    }
    return r;
}

static uint32_t test_trap(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;

    v->gpr[imm % 15] += a + b + imm2 + (flags_unpack(v->flags) >> 28);
    if (!in_reference)
        host_unwind(v);
    v->exit_reason = VCPU_EXIT_RAISED;
    return 0;
}

static void random_address(struct gen *g, struct ir_insn *i)
{
    i->a = one_in(20) ? IR_NONE : any_value(g);
    i->b = one_in(2) ? IR_NONE : any_value(g);
    i->shamt = (uint8_t)(i->b == IR_NONE ? 0 : below(4));
    i->imm = one_in(2) ? 0 : one_in(2) ? below(4096) - 2048 : interesting();
    i->moves = i->a == IR_NONE && one_in(2);
}

/* An address that is likely to be in the hole, or aligned, or on the exclusive monitor's address: through a temporary. */
static void pointed_address(struct gen *g, struct ir_insn *i, uint32_t va)
{
    (void)g;
    i->a = i->b = IR_NONE;
    i->shamt = 0;
    i->moves = false;
    i->imm = va;
}

/* An address among the aliases, put together from a register or two. */
static void alias_address(struct gen *g, struct ir_insn *i)
{
    uint32_t va = ALIASES - 4 + below(HOLE_SIZE), index = below(1000);
    struct ir_insn *p = ir_emit(g->b, IR_OP_MOV);

    i->imm = one_in(2) ? 0 : below(4096) - 2048;
    i->moves = false;
    i->a = p->d = any_value(g);
    i->b = one_in(2) ? IR_NONE : any_value(g);
    i->shamt = 0;
    if (i->b == i->a)
        i->b = IR_NONE;
    if (i->b != IR_NONE) {
        i->shamt = (uint8_t)below(4);
        p->imm = va - i->imm - (index << i->shamt);
        p = ir_emit(g->b, IR_OP_MOV);
        p->d = i->b;
        p->imm = index;
    } else {
        p->imm = va - i->imm;
    }
    i->mem |= one_in(2) ? IR_MEM_ALIAS : IR_MEM_SOFT;
}

static uint32_t state_off(unsigned align)
{
    return STATE_OFF + below((one_in(2) ? 80 : 256) / align) * align;
}

static struct ir_insn *add(struct gen *g, unsigned op)
{
    return ir_emit(g->b, (enum ir_op)op);
}

/* What a multiple transfer is made of: words behind one address. */
static void random_multiple(struct gen *g)
{
    struct ir_insn i = {.op = one_in(2) ? IR_OP_LD : IR_OP_ST, .d2 = IR_NONE};
    struct ir_insn *p = add(g, IR_OP_MOV);

    p->imm = ALIASES + (below(HOLE_SIZE) & ~0xfffu) + below(4096 - 100); /* one that crosses pages is for the window */
    i.a = p->d = any_value(g);
    i.b = IR_NONE;
    i.mem = 4 | (one_in(2) ? IR_MEM_ALIAS : IR_MEM_SOFT) | (one_in(8) ? IR_MEM_BE : 0);
    for (unsigned k = 2 + below(9); k > 0; k--, i.imm += one_in(20) ? 8 : 4) {
        i.d = one_in(12) ? any_value(g) : (uint16_t)below(IR_GLOBALS);
        if (i.op == IR_OP_LD && i.d == i.a)
            continue;
        *add(g, i.op) = i;
    }
}

static void random_memory(struct gen *g)
{
    static const uint8_t size_of[] = {1, 2, 4}, vector_size[] = {4, 8, 16}, excl_size[] = {1, 2, 4, 8};
    uint16_t fresh = IR_NONE;
    unsigned what = below(13);
    uint16_t slow = one_in(5) ? IR_MEM_SLOW : one_in(6) ? IR_MEM_SOFT : 0;
    uint16_t big = one_in(4) ? IR_MEM_BE : 0;

    if (what == 12) {
        random_multiple(g);
    } else if (what < 6) {
        struct ir_insn i = {.op = what < 3 ? IR_OP_LD : IR_OP_ST, .d2 = IR_NONE};
        random_address(g, &i);
        i.mem = size_of[below(3)] | slow | big | (what < 3 && one_in(3) ? IR_MEM_SIGNED : 0);
        if (one_in(12))
            pointed_address(g, &i, HOLE - 4 + below(HOLE_SIZE));
        if (one_in(6))
            alias_address(g, &i);
        i.d = what < 3 ? any_dest(g, &fresh) : any_value(g);
        *add(g, i.op) = i;
    } else if (what < 8) {
        struct ir_insn i = {.op = what == 6 ? IR_OP_LDV : IR_OP_STV, .d = IR_NONE, .d2 = IR_NONE};
        random_address(g, &i);
        if (one_in(12)) /* not across the edge: how much of it is done then is not defined */
            pointed_address(g, &i, HOLE + below(HOLE_SIZE - 16));
        i.mem = vector_size[below(3)] | slow | big;
        if (one_in(6))
            alias_address(g, &i);
        i.imm2 = state_off(4);
        *add(g, i.op) = i;
    } else if (what == 8) {
        struct ir_insn *i = add(g, IR_OP_ALIGN);
        i->a = one_in(10) ? IR_NONE : any_value(g);
        i->imm = one_in(2) ? 0 : below(64);
        i->imm2 = (1u << below(4)) - 1;
        if (i->imm2 > 3 || !one_in(8))
            i->imm2 &= 1;
        i->imm2 |= one_in(2) ? BIT(31) : 0;
    } else {
        unsigned size = excl_size[below(4)];
        uint16_t at = any_value(g), d = any_dest(g, &fresh), d2 = any_value(g);
        if (one_in(2)) { /* a place of its own, aligned, so that a store finds what the load saw */
            struct ir_insn *p = add(g, IR_OP_MOV);
            p->d = at;
            p->imm = one_in(20) ? HOLE + 64 : 0x2000 + below(4) * 8;
        } else {
            struct ir_insn *p = add(g, IR_OP_BIC);
            p->d = p->a = at;
            p->imm = 7;
        }
        while (d2 == d)
            d2 = (uint16_t)below(IR_GLOBALS);
        struct ir_insn *i = add(g, one_in(2) ? IR_OP_LDX : IR_OP_STX);
        i->a = at;
        i->d = d;
        i->mem = (uint16_t)size | slow | big;
        if (i->op == IR_OP_STX)
            i->b = any_value(g);
        if (i->op == IR_OP_STX && fresh == IR_NONE && i->d == at)
            i->d = (uint16_t)((at + 1) % IR_GLOBALS);
        if (i->op == IR_OP_STX || size == 8)
            i->d2 = d2;
        if (i->op == IR_OP_LDX && i->d2 == i->d)
            i->d2 = (uint16_t)((i->d + 1) % IR_GLOBALS);
        if (i->op == IR_OP_STX && size != 8)
            i->d2 = IR_NONE;
    }
    commit(g, fresh);
}

static void random_call(struct gen *g)
{
    static const struct {
        ir_helper fn;
        uint16_t mem;
    } helper[] = {{test_pure, 0},
                  {test_flags, IR_CALL_RFLAGS | IR_CALL_WFLAGS},
                  {test_registers, IR_CALL_GPR},
                  {test_raise, IR_CALL_RAISE | IR_CALL_GPR}};
    uint16_t fresh = IR_NONE, a = one_in(4) ? IR_NONE : any_value(g), b = one_in(4) ? IR_NONE : any_value(g);
    struct ir_insn *i = add(g, IR_OP_CALL);
    unsigned h = below(ARRAY_LEN(helper));

    i->fn = helper[h].fn;
    i->mem = helper[h].mem;
    i->a = a;
    i->b = b;
    i->imm = interesting();
    i->imm2 = interesting();
    i->d = one_in(4) ? IR_NONE : any_dest(g, &fresh);
    commit(g, fresh);
}

/* Few places, so that one meets another's result. */
static void random_vop(struct gen *g)
{
    struct ir_insn *i = add(g, IR_OP_VOP);
    i->d = (uint16_t)(STATE_OFF + 16 * below(5));
    i->a = (uint16_t)(STATE_OFF + 16 * below(5));
    i->b = (uint16_t)(STATE_OFF + 16 * below(5));
    i->mem = 16;
    if (one_in(2)) {
        i->fn = vop_fixup;
        i->imm = i->d | (uint32_t)i->a << 10 | (uint32_t)i->b << 20;
    }
}

static void random_state(struct gen *g)
{
    static const uint8_t size_of[] = {1, 2, 4};
    uint16_t fresh = IR_NONE;
    uint16_t v = any_value(g);

    switch (below(6)) {
    case 0: {
        struct ir_insn *i = add(g, IR_OP_LDE);
        i->imm = state_off(4);
        i->mem = size_of[below(3)];
        i->d = any_dest(g, &fresh);
        break;
    }
    case 1: {
        struct ir_insn *i = add(g, IR_OP_STE);
        i->imm = state_off(4);
        i->mem = size_of[below(3)];
        if (one_in(2))
            i->a = v;
        else
            i->imm2 = interesting();
        break;
    }
    case 2: { /* LDF wants bytes that are 0 or 1 */
        uint32_t off = state_off(4);
        struct ir_insn *i = add(g, IR_OP_AND);
        uint16_t t = ir_temp(g->b);
        i->d = t;
        i->a = v;
        i->imm = 0xffff0101; /* what LDF may find */
        i = add(g, IR_OP_STE);
        i->imm = off;
        i->mem = 4;
        i->a = t;
        i = add(g, IR_OP_LDF);
        i->imm = off;
        i->fset = IR_NZCV;
        break;
    }
    default:
        random_vop(g);
        break;
    }
    commit(g, fresh);
}

static uint8_t random_fset(unsigned op, const struct ir_insn *i)
{
    if (one_in(2))
        return 0;
    uint8_t f = one_in(2) ? IR_NZCV : (uint8_t)below(16);
    if (op >= IR_OP_ADD && op <= IR_OP_RSC)
        return f;
    if (op >= IR_OP_AND && op <= IR_OP_MVN)
        return f & (i->b == IR_NONE || i->shamt || i->shift == IR_RRX ? IR_NZC : IR_NZ);
    if (op >= IR_OP_LSLR && op <= IR_OP_RORR)
        return f & IR_NZC;
    if (op >= IR_OP_MUL && op <= IR_OP_SMLAL)
        return f & IR_NZ;
    return 0;
}

static void random_compute(struct gen *g)
{
    unsigned op = IR_OP_ADD + below(IR_OP_SETF - IR_OP_ADD + 1);
    struct ir_insn i = {.op = (uint8_t)op, .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE};
    uint16_t fresh = IR_NONE;

    if (op <= IR_OP_ORN || (op >= IR_OP_LSLR && op <= IR_OP_REVSH) || op == IR_OP_UBFX || op == IR_OP_SBFX || op == IR_OP_BFI ||
        op == IR_OP_SEL)
        i.a = any_value(g);
    if ((op >= IR_OP_ADD && op <= IR_OP_MVN) || op == IR_OP_SETF)
        random_flex(g, &i);
    if (op >= IR_OP_UXTB && op <= IR_OP_SXTH) {
        i.b = any_value(g);
        if (one_in(2)) {
            i.shift = IR_ROR;
            i.shamt = (uint8_t)(8 + 8 * below(3));
        } else if (one_in(3)) {
            i.b = IR_NONE;
            random_flex(g, &i);
        }
    }
    if (op >= IR_OP_LSLR && op <= IR_OP_SDIV)
        i.b = any_value(g);
    if (op == IR_OP_LANES) {
        i.imm = state_off(4);
        i.imm2 = below(IR_LANES_COUNT);
    }
    if (op >= IR_OP_LSLR && op <= IR_OP_RORR && one_in(2)) { /* a small amount */
        struct ir_insn *p = add(g, IR_OP_AND);
        p->d = p->a = i.b;
        p->imm = 63;
    }
    if (op >= IR_OP_UBFX && op <= IR_OP_BFI) {
        i.imm = below(32);
        i.imm2 = 1 + below(32 - i.imm);
        if (one_in(3)) {
            i.imm = below(3) * 8;
            i.imm2 = 8;
        }
    }
    if (op == IR_OP_SEL) {
        i.cc = (uint8_t)below(15);
        if (one_in(2))
            i.b = any_value(g);
        else
            i.imm = interesting();
    }
    i.fset = random_fset(op, &i);
    if (op == IR_OP_SETF)
        i.fset = (uint8_t)below(16);
    if (op == IR_OP_BFI || op == IR_OP_UMLAL || op == IR_OP_SMLAL)
        i.d = any_value(g);
    else if (op != IR_OP_SETF && !(op <= IR_OP_MVN && one_in(6)))
        i.d = any_dest(g, &fresh);
    if (op >= IR_OP_UMULL && op <= IR_OP_SMLAL)
        do {
            i.d2 = any_value(g);
        } while (i.d2 == i.d);
    if ((op == IR_OP_MOV || op == IR_OP_SEL) && i.b == IR_NONE && !i.fset)
        i.moves = one_in(2);
    *add(g, op) = i;
    commit(g, fresh);
}

static void random_exit_cc(struct gen *g)
{
    unsigned which = below(4);
    uint16_t a = any_value(g);
    struct ir_insn *i = add(g, which < 2 ? IR_OP_EXIT_CC : which == 2 ? IR_OP_EXIT_Z : IR_OP_EXIT_NZ);

    if (which < 2)
        i->cc = (uint8_t)below(14);
    else
        i->a = a;
    i->imm = one_in(3) ? PC - below(0x100) * 4 : PC + below(0x1800);
    g->b->exit_live[g->b->n - 1] = one_in(2) ? IR_NZCV : (uint8_t)below(16);
}

static void random_ops(struct gen *g, unsigned n, unsigned depth);

static void random_guest_insn(struct gen *g)
{
    struct ir_insn *i = add(g, IR_OP_INSN);

    i->imm = PC + g->b->n_guest++ * 4 + (rnd() & 1) + (one_in(4) ? 0xc0000000u : 0);
    i->imm2 = one_in(2) ? 0 : below(256);
}

/* A trap under a condition, perhaps on CPU state. */
static void random_trap(struct gen *g)
{
    uint16_t label = ir_label(g->b), a = any_value(g);
    struct ir_insn *i;

    if (one_in(2)) {
        uint32_t off = state_off(4);
        i = add(g, IR_OP_STE);
        i->imm = off;
        i->mem = 4;
        i->imm2 = one_in(2) ? 0 : 0x100;
        i = add(g, IR_OP_LDE);
        i->imm = off;
        i->mem = one_in(2) ? 2 : 1;
        a = i->d = ir_temp(g->b);
    }
    i = add(g, one_in(3) ? IR_OP_BRCC : one_in(2) ? IR_OP_BRZ : IR_OP_BRNZ);
    i->imm = label;
    if (i->op == IR_OP_BRCC)
        i->cc = (uint8_t)below(14);
    else
        i->a = a;
    i = add(g, IR_OP_CALL);
    i->fn = test_trap;
    i->mem = IR_CALL_RAISE | IR_CALL_NORETURN | IR_CALL_GPR;
    i->imm = below(100);
    i->imm2 = interesting();
    if (one_in(3))
        i->a = (uint16_t)below(IR_GLOBALS);
    add(g, IR_OP_LABEL)->imm = label;
}

/* Starts a guest instruction on either path and behind, as the front end does: an access belongs to the INSN before it in the text. */
static void random_region(struct gen *g, unsigned depth)
{
    unsigned which = below(5), keep = g->n_temps;
    uint16_t label = ir_label(g->b), a = any_value(g), saved[12];
    struct ir_insn *i = add(g, which < 3 ? IR_OP_BRCC : which == 3 ? IR_OP_BRZ : IR_OP_BRNZ);

    memcpy(saved, g->temp, sizeof(saved));
    if (which < 3)
        i->cc = (uint8_t)below(15);
    else
        i->a = a;
    i->imm = label;
    random_ops(g, 1 + below(one_in(4) ? 12 : 3), depth + 1);
    if (one_in(4)) { /* if .. else */
        uint16_t end = ir_label(g->b);
        add(g, IR_OP_BR)->imm = end;
        add(g, IR_OP_LABEL)->imm = label;
        g->n_temps = keep;
        memcpy(g->temp, saved, sizeof(saved));
        random_guest_insn(g);
        random_ops(g, 1 + below(4), depth + 1);
        label = end;
    } else if (one_in(8)) { /* the region leaves */
        struct ir_insn *x = add(g, IR_OP_EXIT);
        x->imm = PC + 0x100;
        g->b->exit_live[g->b->n - 1] = (uint8_t)below(16);
    }
    add(g, IR_OP_LABEL)->imm = label;
    g->n_temps = keep;
    memcpy(g->temp, saved, sizeof(saved));
    random_guest_insn(g);
}

static void random_ops(struct gen *g, unsigned n, unsigned depth)
{
    for (unsigned k = 0; k < n; k++) {
        if (one_in(2))
            random_guest_insn(g);
        unsigned what = below(22);
        if (what >= 20)
            random_state(g);
        else if (what < 12)
            random_compute(g);
        else if (what < 15)
            random_memory(g);
        else if (what == 15)
            random_state(g);
        else if (what == 16 && one_in(3))
            random_trap(g);
        else if (what == 16)
            random_call(g);
        else if (what < 19 && depth < 3)
            random_region(g, depth);
        else if (g->b->n < 300)
            random_exit_cc(g);
    }
}

static void random_block(struct ir_block *b)
{
    struct gen g = {.b = b};
    uint16_t a;

    b->n = b->n_temps = b->n_labels = 0;
    b->n_guest = 0;
    b->pc = PC;
    b->flags = 0x15;
    b->live_out = IR_NZCV;
    random_guest_insn(&g);
    random_ops(&g, 2 + below(24), 0);
    a = any_value(&g);
    struct ir_insn *i = add(&g, one_in(4) ? IR_OP_EXIT_IND : one_in(8) ? IR_OP_EXIT_LOOKUP : IR_OP_EXIT);
    if (i->op == IR_OP_EXIT_IND)
        i->a = a;
    else
        i->imm = PC + below(0x2000) - 0x800;
    b->exit_live[b->n - 1] = one_in(2) ? IR_NZCV : (uint8_t)below(16);
}

#endif
