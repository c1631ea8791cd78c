/*
 * shift.c: ARM's flexible second operand (a register shifted by a constant) and shifts by a register.
 */
#include <arch/x86/backend.h>

bool flex_is_shifted(const struct ir_insn *i)
{
    return i->b != IR_NONE && (i->shamt != 0 || i->shift == IR_RRX);
}

/* A rotation of the 64-bit register leaves b << n or b >> n in the low half, because the high half of b is zero, and does not touch EFLAGS.
 */
static void shift_by_rotation(struct be *be, unsigned reg, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned rb = value_reg(be, i->b);

    if (i->shift == IR_ASR) {
        if (rb == X86_NOREG) {
            value_copy_to(be, reg, i->b);
            rb = reg;
        }
        x86_movsx_rr(e, 8, 4, reg, rb);
        rb = reg;
    } else if (rb == X86_NOREG) {
        value_copy_to(be, reg, i->b);
        rb = reg;
    }
    unsigned n = i->shamt == 32 ? 31 : i->shamt; /* 32: only ASR comes here */
    x86_rorx_rr(e, 8, reg, rb, i->shift == IR_LSL ? 64 - n : n);
}

void shift_const(struct be *be, unsigned reg, const struct ir_insn *i, bool keep)
{
    struct x86_emitter *e = &be->e;

    if (i->shift == IR_ROR) {
        struct opnd o = value_opnd(be, i->b);
        if (o.is_reg)
            x86_rorx_rr(e, 4, reg, o.reg, i->shamt);
        else
            x86_rorx_rm(e, 4, reg, o.m, i->shamt);
        return;
    }
    if (i->shift == IR_LSR && i->shamt == 32) {
        x86_mov_ri(e, reg, 0);
        return;
    }
    if (i->shift == IR_LSL && i->shamt <= 3) {
        unsigned rb = value_reg(be, i->b);
        if (rb != X86_NOREG && (rb != reg || keep)) {
            x86_lea(e, 4, reg, i->shamt == 1 ? x86_index(rb, rb, 0, 0) : x86_index(X86_NOREG, rb, i->shamt, 0));
            return;
        }
    }
    if (keep) {
        shift_by_rotation(be, reg, i);
        return;
    }
    value_copy_to(be, reg, i->b);
    if (i->shift == IR_LSL && i->shamt == 1)
        x86_alu_rr(e, X86_ADD, 4, reg, reg);
    else
        x86_sh_ri(e, i->shift == IR_LSL ? X86_SHL : i->shift == IR_LSR ? X86_SHR : X86_SAR, 4, reg, i->shamt == 32 ? 31 : i->shamt);
}

void shift_const_carry(struct be *be, unsigned reg, const struct ir_insn *i)
{
    static const uint8_t op[] = {[IR_LSL] = X86_SHL, [IR_LSR] = X86_SHR, [IR_ASR] = X86_SAR, [IR_ROR] = X86_ROR};
    struct x86_emitter *e = &be->e;

    value_copy_to(be, reg, i->b);
    if (i->shift == IR_RRX) {
        x86_sh_ri(e, X86_RCR, 4, reg, 1);
    } else if (i->shamt == 32) { /* the carry is bit 31 */
        if (i->shift == IR_LSR) {
            x86_sh_ri(e, X86_SHL, 4, reg, 1);
            x86_mov_ri(e, reg, 0);
        } else {
            x86_sh_ri(e, X86_SAR, 4, reg, 31);
            x86_bt_ri(e, X86_BT, 4, reg, 0);
        }
    } else {
        x86_sh_ri(e, (enum x86_sh)op[i->shift], 4, reg, i->shamt);
    }
}

/* CF = C for rcr, everything else that is needed saved. */
static void prepare_rrx(struct be *be)
{
    flags_carry_in(be, false);
    flags_save(be, be->need);
    flags_forget(be);
}

unsigned flex_reg(struct be *be, const struct ir_insn *i, bool want_carry)
{
    if (!flex_is_shifted(i))
        return value_get(be, i->b);

    value_opnd(be, i->b); /* stays where it is until it has been read */
    unsigned r;
    if (want_carry || i->shift == IR_RRX) {
        if (i->shift == IR_RRX)
            prepare_rrx(be);
        else
            flags_clobber(be);
        r = scratch_alloc(be);
        shift_const_carry(be, r, i);
        if (want_carry) {
            x86_setcc_m(&be->e, X86_B, x86_state(FLAGS_C));
            flags_set_mem(be, IR_C);
        }
    } else {
        bool keep = flags_wanted(be);
        r = scratch_alloc(be);
        if (!keep)
            flags_clobber(be);
        shift_const(be, r, i, keep);
    }
    scratch_unlock(be, value_reg(be, i->b));
    return r;
}

struct opnd flex_opnd(struct be *be, const struct ir_insn *i, bool want_carry)
{
    if (!flex_is_shifted(i))
        return value_opnd(be, i->b);
    return (struct opnd){.is_reg = true, .reg = (uint8_t)flex_reg(be, i, want_carry)};
}

/* --- shifts by a register ----------------------------------------------------------------------------------------------- */

static enum x86_sh x86_shift_of(unsigned op)
{
    return op == IR_OP_LSLR ? X86_SHL : op == IR_OP_LSRR ? X86_SHR : X86_SAR;
}

/*
 * Amounts up to 63 are a 64-bit shift of the zero- or sign-extended value; larger ones, rare, are handled out of line.
 */
static void shift_no_carry(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned count = value_get(be, i->b), value = value_get(be, i->a);
    unsigned r = i->d == IR_NONE ? scratch_alloc(be) : def_begin(be, i->d);

    if (i->op == IR_OP_ASRR && r == count)
        r = scratch_alloc(be);
    flags_clobber(be);
    x86_test_ri(e, 1, count, (int8_t)0xc0);
    struct cold *c = cold_new(be, COLD_SHIFT, x86_jcc(e, X86_NE));
    c->imm = i->op;
    c->reg = (uint8_t)r;
    c->reg2 = (uint8_t)value;
    if (i->op == IR_OP_ASRR) {
        x86_movsx_rr(e, 8, 4, r, value);
        value = r;
    }
    x86_shx_rr(e, x86_shift_of(i->op), 8, r, value, count);
    c->back = x86_offset(e);
    if (i->op != IR_OP_LSRR) /* keep upper halves zero */
        x86_mov_rr(e, 4, r, r);
    if (i->fset) {
        x86_test_rr(e, 4, r, r);
        flags_set(be, i->fset, false);
    }
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
}

/* ecx = b, or its low byte; rcx is locked. */
static void count_to_rcx(struct be *be, const struct ir_insn *i, bool low_byte)
{
    bool there = value_reg(be, i->b) == X86_RCX && value_dies(be, i->b) && i->a != i->b;

    if (there)
        be->locked |= 1u << X86_RCX;
    else
        scratch_take(be, X86_RCX);
    struct opnd o = value_opnd(be, i->b);
    if (!low_byte)
        mov_ro(be, X86_RCX, o);
    else if (o.is_reg)
        x86_movzx_rr(&be->e, 1, X86_RCX, o.reg);
    else
        x86_movzx_rm(&be->e, 1, X86_RCX, o.m);
    if (o.is_reg && o.reg != X86_RCX)
        scratch_unlock(be, o.reg);
}

static void ror_no_carry(struct be *be, const struct ir_insn *i)
{
    flags_clobber(be);
    count_to_rcx(be, i, false);
    unsigned r = i->d == IR_NONE ? scratch_alloc(be) : def_from(be, i->d, i->a);
    if (i->d == IR_NONE)
        value_copy_to(be, r, i->a);
    x86_sh_rc(&be->e, X86_ROR, 4, r);
    if (i->fset) {
        x86_test_rr(&be->e, 4, r, r);
        flags_set(be, i->fset, false);
    }
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
}

/* The carry out is wanted: the shift is done with one bit more than the result, and that bit stored unless the amount is zero. */
static void shift_carry(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned carry_bit = i->op == IR_OP_LSLR ? 32 : i->op == IR_OP_RORR ? 31 : 0;

    flags_save(be, IR_C);
    flags_clobber(be);
    count_to_rcx(be, i, true);
    unsigned r = scratch_alloc(be);
    value_copy_to(be, r, i->a);
    if (i->op == IR_OP_RORR) {
        x86_sh_rc(e, X86_ROR, 4, r);
    } else {
        x86_alu_ri(e, X86_CMP, 4, X86_RCX, 63);
        uint32_t fits = x86_jcc8(e, X86_BE);
        x86_mov_ri(e, X86_RCX, 63);
        x86_patch8_here(e, fits);
        if (i->op == IR_OP_ASRR)
            x86_movsx_rr(e, 8, 4, r, r);
        if (i->op != IR_OP_LSLR)
            x86_alu_rr(e, X86_ADD, 8, r, r);
        x86_shx_rr(e, x86_shift_of(i->op), 8, r, r, X86_RCX);
    }
    x86_test_rr(e, 4, X86_RCX, X86_RCX);
    uint32_t zero = x86_jcc8(e, X86_E);
    x86_bt_ri(e, X86_BT, 8, r, carry_bit);
    x86_setcc_m(e, X86_B, x86_state(FLAGS_C));
    x86_patch8_here(e, zero);
    if (i->op == IR_OP_LSRR || i->op == IR_OP_ASRR)
        x86_sh_ri(e, i->op == IR_OP_LSRR ? X86_SHR : X86_SAR, 8, r, 1);
    x86_mov_rr(e, 4, r, r);
    flags_set_mem(be, IR_C);
    if (i->fset & IR_NZ) {
        x86_test_rr(e, 4, r, r);
        flags_set(be, i->fset & IR_NZ, false);
    }
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
}

void lower_shift_reg(struct be *be, const struct ir_insn *i)
{
    if (i->fset & IR_C)
        shift_carry(be, i);
    else if (i->op == IR_OP_RORR)
        ror_no_carry(be, i);
    else
        shift_no_carry(be, i);
}
