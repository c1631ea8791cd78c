/*
 * loop.c: checks that a loop need not make in every round.
 *
 * A block that jumps back to its own beginning is written twice when that spares checks: its first round makes all of them, where they
 * are, and the jump back leads to the second copy, which leaves out those that cannot fail any more: whether floating point is on, and
 * whether an address is a multiple of four that was one in the first round and has changed by multiples of four since.
 */
#include <arch/x86/backend.h>

#define MAX_PEELED 400 /* IR instructions; longer blocks have other things to do */

/* What is known of a value's lowest two bits: those of global `base` at the loop's head plus `plus`, or just `plus`. */
struct residue {
    uint8_t base; /* NO_BASE: none, ANYTHING: nothing is known */
    uint8_t plus;
};
#define NO_BASE  0xfe
#define ANYTHING 0xff

struct analysis {
    struct residue r[IR_TEMP0 + IR_MAX_TEMPS];
    uint32_t skipped_to; /* instructions before this one may be skipped by a branch */
    bool went_back;      /* a jump back has been passed */
    bool varies[IR_GLOBALS];
    bool known[IR_GLOBALS];
    uint8_t lowest[IR_GLOBALS]; /* with known: those bits, or a check would have failed */
    uint32_t fp_state;          /* offset of the state that has been found not to be zero */
    bool fp_known, calls;
};

static bool same(struct residue a, struct residue b)
{
    return a.base == b.base && a.plus == b.plus;
}

static struct residue plus(struct residue a, uint32_t n)
{
    return (struct residue){a.base, (uint8_t)((a.plus + n) & 3)};
}

static struct residue residue_of(const struct analysis *x, uint16_t v)
{
    return v < IR_TEMP0 + IR_MAX_TEMPS && v != 15 ? x->r[v] : (struct residue){ANYTHING, 0};
}

static struct residue computed(const struct analysis *x, const struct ir_insn *i)
{
    const struct residue nothing = {ANYTHING, 0};
    bool constant = i->b == IR_NONE;

    switch (i->op) {
    case IR_OP_MOV:
        return constant ? (struct residue){NO_BASE, i->imm & 3} : i->shamt == 0 && i->shift != IR_RRX ? residue_of(x, i->b) : nothing;
    case IR_OP_ADD:
    case IR_OP_SUB: {
        struct residue a = residue_of(x, i->a), b = constant ? (struct residue){NO_BASE, i->imm & 3} : residue_of(x, i->b);
        if (!constant && i->shift == IR_LSL && i->shamt >= 2)
            b = (struct residue){NO_BASE, 0};
        else if (!constant && (i->shamt || i->shift == IR_RRX))
            return nothing;
        if (b.base != NO_BASE || a.base == ANYTHING)
            return nothing;
        return plus(a, i->op == IR_OP_ADD ? b.plus : 4u - b.plus);
    }
    case IR_OP_AND:
        return constant && (i->imm & 3) == 0 ? (struct residue){NO_BASE, 0} : nothing;
    case IR_OP_BIC:
        return constant && (i->imm & 3) == 3 ? (struct residue){NO_BASE, 0} : nothing;
    default:
        return nothing;
    }
}

static void write(struct analysis *x, uint16_t v, struct residue r, bool skipped)
{
    if (v < IR_TEMP0 + IR_MAX_TEMPS && !(skipped && same(x->r[v], r)))
        x->r[v] = skipped ? (struct residue){ANYTHING, 0} : r;
}

static bool writes_value(const struct ir_insn *i)
{
    switch (i->op) {
    case IR_OP_ST:
    case IR_OP_STV:
    case IR_OP_LDV:
    case IR_OP_STE:
    case IR_OP_VOP:
    case IR_OP_ALIGN:
        return false;
    default:
        return i->op < IR_OP_LABEL;
    }
}

static bool is_back(const struct ir_block *b, const struct ir_insn *i)
{
    return i->op >= IR_OP_EXIT && i->op <= IR_OP_EXIT_NZ && i->imm == b->pc;
}

/* The test of a byte of state around a trap, four instructions from i on? */
static bool is_state_check(const struct ir_insn *i)
{
    return i[0].op == IR_OP_LDE && i[0].mem == 1 && i[0].d >= IR_TEMP0 && i[1].op == IR_OP_BRNZ && i[1].a == i[0].d &&
           i[2].op == IR_OP_CALL && i[2].mem & IR_CALL_NORETURN && i[3].op == IR_OP_LABEL && i[3].imm == i[1].imm;
}

static struct residue address_residue(const struct analysis *x, const struct ir_insn *i)
{
    return i->a == IR_NONE ? (struct residue){NO_BASE, i->imm & 3} : plus(residue_of(x, i->a), i->imm);
}

/* A check whose address is `a` has been passed, in the first round. */
static void learn(struct analysis *x, struct residue a)
{
    if (a.base >= IR_GLOBALS)
        return;
    x->known[a.base] = true;
    x->lowest[a.base] = (uint8_t)(4u - a.plus) & 3;
}

static void step(struct analysis *x, const struct be *be, uint32_t k, uint32_t loop)
{
    const struct ir_insn *i = &be->b->insn[k];
    bool skipped = k < x->skipped_to;

    if (i->op >= IR_OP_BR && i->op <= IR_OP_BRNZ && be->label_pos[i->imm] > x->skipped_to)
        x->skipped_to = be->label_pos[i->imm];
    if (i->op == IR_OP_ALIGN && (i->imm2 & 0xff) == 3 && !skipped && !x->went_back)
        learn(x, address_residue(x, i));
    if (i->op == IR_OP_LDE && !skipped && !x->went_back && !x->fp_known && k + 4 <= loop && is_state_check(i)) {
        x->fp_known = true;
        x->fp_state = i->imm;
    }
    if (i->op == IR_OP_CALL && !(i->mem & IR_CALL_NORETURN)) {
        x->calls |= i->mem != 0;
        for (unsigned v = 0; v < IR_GLOBALS && i->mem; v++)
            write(x, (uint16_t)v, (struct residue){ANYTHING, 0}, false);
    }
    if (writes_value(i)) {
        write(x, i->d, computed(x, i), skipped);
        write(x, i->op == IR_OP_STX ? IR_NONE : i->d2, (struct residue){ANYTHING, 0}, skipped);
    }
    if (is_back(be->b, i)) {
        x->went_back = true;
        for (uint8_t v = 0; v < IR_GLOBALS; v++)
            x->varies[v] |= !same(x->r[v], (struct residue){v, 0});
    }
}

static void start(struct analysis *x)
{
    for (unsigned v = 0; v < ARRAY_LEN(x->r); v++)
        x->r[v] = v < IR_GLOBALS ? (struct residue){(uint8_t)v, 0} : (struct residue){ANYTHING, 0};
    x->skipped_to = 0;
}

/* What the loop does to the state that was tested. */
static bool writes_state(const struct ir_insn *i, uint32_t off)
{
    return (i->op == IR_OP_STE && i->imm <= off && off < i->imm + i->mem) || (i->op == IR_OP_LDV && i->imm2 <= off && off < i->imm2 + 16) ||
           (i->op == IR_OP_VOP && i->d <= off && off < i->d + 16u) || (i->op == IR_OP_LANES && i->imm <= off && off < i->imm + 4);
}

static bool cannot_fail(const struct analysis *x, struct residue a)
{
    if (a.base == NO_BASE)
        return a.plus == 0;
    return a.base < IR_GLOBALS && x->known[a.base] && !x->varies[a.base] && ((x->lowest[a.base] + a.plus) & 3) == 0;
}

bool loop_find_spared(struct be *be, uint32_t loop)
{
    const struct ir_block *b = be->b;
    static const struct analysis none;
    struct analysis x = none;
    bool any = false;

    memset(be->spared, 0, sizeof(be->spared));
    if (loop == 0 || b->n > MAX_PEELED || counting(be) || !chaining(be))
        return false;
    start(&x);
    for (uint32_t k = 0; k < loop; k++)
        step(&x, be, k, loop);
    if (x.calls)
        x.fp_known = false;
    for (uint32_t k = 0; k < loop && x.fp_known; k++)
        x.fp_known = !writes_state(&b->insn[k], x.fp_state);

    /* Once more: what each check is about. */
    x.went_back = true; /* nothing is learned */
    start(&x);
    for (uint32_t k = 0; k < loop; k++) {
        const struct ir_insn *i = &b->insn[k];
        if (i->op == IR_OP_ALIGN && (i->imm2 & 0xff) == 3 && cannot_fail(&x, address_residue(&x, i)))
            be->spared[k] = any = true;
        if (i->op == IR_OP_LDE && x.fp_known && i->imm == x.fp_state && k + 4 <= loop && is_state_check(i))
            memset(&be->spared[k], any = true, 4);
        step(&x, be, k, loop);
    }
    return any;
}
