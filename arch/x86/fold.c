/*
 * fold.c: constants known at compile time.
 *
 * Front ends build addresses and masks from constants (pc-relative operands, movw and movt). The pass runs one instruction ahead of code
 * generation: it remembers which values are constant, turns operands into immediates, and does whole operations at compile time. A constant
 * temporary gets no code until something needs it in a register, and none for spilling; that is only done for temporaries that no label
 * follows while they live, so that paths never have to agree on it.
 *
 * An address that moves with the block (dbt/ir.h) is a constant to additions, to loads and stores that count from it, and to nobody else.
 *
 * Example: MOV d=r3 imm=0x5678; MOV d=t0 imm=0x1234; BFI d=r3 a=t0 imm=16 imm2=16 becomes two moves, of 0x5678 and of 0x12345678.
 */
#include <arch/x86/backend.h>

static bool bit_of(const uint32_t *bits, uint16_t v)
{
    return bits[v / 32] >> (v % 32) & 1;
}

bool constant_here(const struct be *be, uint16_t v, struct constant *c)
{
    if (v == IR_NONE || v >= IR_TEMP0 + IR_MAX_TEMPS || !bit_of(be->known, v))
        return false;
    *c = (struct constant){be->constant[v], bit_of(be->moving, v)};
    return true;
}

bool constant_of(const struct be *be, uint16_t v, uint32_t *value)
{
    struct constant c;

    if (!constant_here(be, v, &c) || c.moves)
        return false;
    *value = c.value;
    return true;
}

void constant_load(struct be *be, unsigned reg, struct constant c)
{
    if (c.moves && be->opts->pic) { /* EFLAGS stay, as with the other */
        x86_mov_rm(&be->e, 4, reg, x86_state(VCPU_OFF(pic_page)));
        if (c.value)
            x86_lea(&be->e, 4, reg, x86_base(reg, (int32_t)c.value));
        return;
    }
    x86_mov_ri(&be->e, reg, c.value);
    if (c.moves)
        move_note(be, x86_offset(&be->e) - 4, HOST_MOVE_PC);
}

static void forget(struct be *be, uint16_t v)
{
    if (v < IR_TEMP0 + IR_MAX_TEMPS)
        be->known[v / 32] &= ~(1u << (v % 32));
}

static void learn(struct be *be, uint16_t v, struct constant c)
{
    be->known[v / 32] |= 1u << (v % 32);
    be->moving[v / 32] &= ~(1u << (v % 32));
    be->moving[v / 32] |= (uint32_t)c.moves << (v % 32);
    be->constant[v] = c.value;
}

void constants_forget_all(struct be *be)
{
    memset(be->known, 0, sizeof(be->known));
}

static void forget_globals(struct be *be)
{
    be->known[0] &= ~((1u << IR_GLOBALS) - 1);
}

static uint32_t shifted(uint32_t v, const struct ir_insn *i)
{
    unsigned n = i->shamt;

    if (n == 0)
        return v;
    switch (i->shift) {
    case IR_LSL:
        return v << n;
    case IR_LSR:
        return n == 32 ? 0 : v >> n;
    case IR_ASR:
        return (uint32_t)((int32_t)v >> (n == 32 ? 31 : n));
    default:
        return v >> n | v << (32 - n);
    }
}

static bool is_logical(unsigned op)
{
    return op >= IR_OP_AND && op <= IR_OP_MVN;
}

static bool has_flex(unsigned op)
{
    return (op >= IR_OP_ADD && op <= IR_OP_MVN) || (op >= IR_OP_UXTB && op <= IR_OP_SXTH) || op == IR_OP_SETF;
}

static bool commutes(unsigned op)
{
    return op == IR_OP_ADD || op == IR_OP_AND || op == IR_OP_ORR || op == IR_OP_EOR;
}

static void fold_data_processing(struct be *be, struct ir_insn *i)
{
    bool carry_of_shift = is_logical(i->op) && (i->fset & IR_C);
    struct constant c;
    uint32_t v;

    if (carry_of_shift || i->shift == IR_RRX)
        return;
    if (i->op == IR_OP_MOV && !i->fset && !i->shamt && constant_here(be, i->b, &c) && c.moves) {
        i->imm = c.value;
        i->moves = true;
        i->b = IR_NONE;
        return;
    }
    if (i->b != IR_NONE && constant_of(be, i->b, &v)) {
        i->imm = shifted(v, i);
        i->b = IR_NONE;
        i->shift = i->shamt = 0;
    }
    if (i->b == IR_NONE || i->shamt || !constant_of(be, i->a, &v))
        return;
    if (commutes(i->op) || i->op == IR_OP_SUB) {
        i->a = i->b;
        i->b = IR_NONE;
        i->imm = v;
        if (i->op == IR_OP_SUB)
            i->op = IR_OP_RSB;
    }
}

static void fold_address(struct be *be, struct ir_insn *i)
{
    struct constant c;
    uint32_t v;

    if (constant_of(be, i->b, &v)) {
        i->imm += v << i->shamt;
        i->b = IR_NONE;
        i->shamt = 0;
    }
    if (constant_here(be, i->a, &c)) {
        i->imm += c.value;
        i->moves = c.moves;
        i->a = IR_NONE;
    }
}

/* The result of an operation without flags on constants. */
static bool evaluate(const struct be *be, const struct ir_insn *i, struct constant *result)
{
    struct constant ca = {0};
    uint32_t b = i->imm, *r = &result->value;

    if (i->fset || i->d == IR_NONE || (has_flex(i->op) && i->b != IR_NONE))
        return false;
    if (i->op != IR_OP_MOV && i->op != IR_OP_MVN && !constant_here(be, i->a, &ca))
        return false;
    result->moves = ca.moves || (i->op == IR_OP_MOV && i->moves);
    if (ca.moves && i->op != IR_OP_ADD && i->op != IR_OP_SUB)
        return false;
    uint32_t a = ca.value;
    switch (i->op) {
    case IR_OP_MOV:
        *r = b;
        return true;
    case IR_OP_MVN:
        *r = ~b;
        return true;
    case IR_OP_ADD:
        *r = a + b;
        return true;
    case IR_OP_SUB:
        *r = a - b;
        return true;
    case IR_OP_RSB:
        *r = b - a;
        return true;
    case IR_OP_AND:
        *r = a & b;
        return true;
    case IR_OP_ORR:
        *r = a | b;
        return true;
    case IR_OP_EOR:
        *r = a ^ b;
        return true;
    case IR_OP_BIC:
        *r = a & ~b;
        return true;
    case IR_OP_BFI: {
        uint32_t mask = i->imm2 == 32 ? UINT32_MAX : ((1u << i->imm2) - 1) << i->imm, d;
        if (!constant_of(be, i->d, &d))
            return false;
        *r = (d & ~mask) | (a << i->imm & mask);
        return true;
    }
    default:
        return false;
    }
}

static void fold(struct be *be, struct ir_insn *i)
{
    uint32_t v;

    if (has_flex(i->op)) {
        fold_data_processing(be, i);
        return;
    }
    switch (i->op) {
    case IR_OP_LD:
    case IR_OP_ST:
    case IR_OP_LDV:
    case IR_OP_STV:
        fold_address(be, i);
        break;
    case IR_OP_SEL:
        if (constant_of(be, i->b, &v)) {
            i->b = IR_NONE;
            i->imm = v;
        }
        break;
    case IR_OP_STE:
        if (constant_of(be, i->a, &v)) {
            i->a = IR_NONE;
            i->imm2 = v;
        }
        break;
    default:
        break;
    }
}

static bool label_before(const struct be *be, uint32_t end)
{
    for (uint32_t k = be->index + 1; k <= end; k++)
        if (be->b->insn[k].op == IR_OP_LABEL)
            return true;
    return false;
}

void constants_note_results(struct be *be, const struct ir_insn *i)
{
    if (i->op == IR_OP_LABEL) {
        constants_forget_all(be);
        return;
    }
    if (i->op == IR_OP_MOV && i->b == IR_NONE && i->d != IR_NONE) {
        learn(be, i->d, (struct constant){i->imm, i->moves});
        return;
    }
    if (i->op == IR_OP_CALL && (i->mem & (IR_CALL_GPR | IR_CALL_RAISE)))
        forget_globals(be);
    if (i->op != IR_OP_VOP && i->op != IR_OP_ST && i->d != IR_NONE)
        forget(be, i->d);
    if (i->op != IR_OP_VOP && i->op != IR_OP_STX && i->d2 != IR_NONE)
        forget(be, i->d2);
}

bool constants_apply(struct be *be, struct ir_insn *i)
{
    struct constant r;

    fold(be, i);
    if (evaluate(be, i, &r)) {
        *i = (struct ir_insn){.op = IR_OP_MOV, .d = i->d, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE, .imm = r.value, .moves = r.moves};
        if (i->d < IR_TEMP0 || label_before(be, be->temp[i->d - IR_TEMP0].last_use))
            return true;
        value_forget_register(be, i->d);
        learn(be, i->d, r);
        return false; /* no code until it is needed */
    }
    return true;
}
