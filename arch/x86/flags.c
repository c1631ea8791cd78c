/*
 * flags.c: guest flags in EFLAGS and in memory.
 */
#include <arch/x86/backend.h>
#include <arch/x86/vop.h>

void flags_forget(struct be *be)
{
    be->flags.ef = 0;
    be->flags.condition = 0;
    be->flags.float_compare = false;
}

/* The even conditions that (u)comis answers in one: less is N, equal Z and C, greater C, unordered C and V. 0 (X86_O): not these. */
static const uint8_t float_condition[8] = {[IR_VS / 2] = X86_P, [IR_GE / 2] = X86_AE, [IR_GT / 2] = X86_A};

static void complement_carry(struct be *be)
{
    x86_cmc(&be->e);
    be->flags.carry_inverted = !be->flags.carry_inverted;
    be->flags.condition = 0;
}

static bool has_cc(const struct ir_insn *i)
{
    return i->op == IR_OP_SEL || i->op == IR_OP_BRCC || i->op == IR_OP_EXIT_CC;
}

/* Is a condition that EFLAGS answer, though the guest's flags are in memory, asked again soon? */
static bool condition_ahead(const struct be *be)
{
    uint32_t end = be->index + 12 < be->b->n ? be->index + 12 : be->b->n;

    for (uint32_t k = be->index + 1; k < end; k++) {
        const struct ir_insn *i = &be->b->insn[k];
        if (has_cc(i))
            return be->flags.float_compare ? float_condition[i->cc / 2] != 0 : i->cc / 2 + 1 == be->flags.condition;
        if (i->fset)
            return false;
    }
    return false;
}

bool flags_wanted(const struct be *be)
{
    return (be->need & be->flags.ef) || ((be->flags.condition || be->flags.float_compare) && condition_ahead(be));
}

void flags_emit_save(struct x86_emitter *e, uint8_t which, bool carry_inverted)
{
    if (which & IR_N)
        x86_setcc_m(e, X86_S, x86_state(VCPU_OFF(nf)));
    if (which & IR_Z)
        x86_setcc_m(e, X86_E, x86_state(VCPU_OFF(zf)));
    if (which & IR_C)
        x86_setcc_m(e, carry_inverted ? X86_AE : X86_B, x86_state(VCPU_OFF(cf)));
    if (which & IR_V)
        x86_setcc_m(e, X86_O, x86_state(VCPU_OFF(vf)));
}

void flags_save(struct be *be, uint8_t which)
{
    uint8_t save = which & be->flags.ef & ~be->flags.mem;

    flags_emit_save(&be->e, save, be->flags.carry_inverted);
    be->flags.mem |= save;
}

void flags_clobber(struct be *be)
{
    flags_save(be, be->need);
    flags_forget(be);
}

void flags_set(struct be *be, uint8_t which, bool carry_inverted)
{
    flags_forget(be);
    be->flags.ef = which;
    be->flags.mem &= ~which;
    be->flags.carry_inverted = carry_inverted;
}

void flags_set_mem(struct be *be, uint8_t which)
{
    be->flags.mem |= which;
    be->flags.ef &= ~which;
    be->flags.condition = 0;
    be->flags.float_compare = false;
}

void flags_carry_in(struct be *be, bool inverted)
{
    if (be->flags.ef & IR_C) {
        if (be->flags.carry_inverted != inverted)
            complement_carry(be);
        return;
    }
    flags_clobber(be);
    if (inverted) /* cf - 1 borrows when cf is 0 */
        x86_alu_mi(&be->e, X86_CMP, 1, x86_state(VCPU_OFF(cf)), 1);
    else
        x86_bt_mi(&be->e, X86_BT, 4, x86_state(VCPU_OFF(cf)), 0);
    be->flags.ef = IR_C;
    be->flags.carry_inverted = inverted;
}

/* Which flags a condition (without its lowest bit, the negation) reads, and its x86 form. */
static const struct {
    uint8_t reads;
    uint8_t x86; /* for the even condition; its negation is x86 ^ 1 */
} condition[] = {
    [IR_EQ / 2] = {IR_Z, X86_E},         [IR_CS / 2] = {IR_C, X86_B},                                             /* CF = C */
    [IR_MI / 2] = {IR_N, X86_S},         [IR_VS / 2] = {IR_V, X86_O},         [IR_HI / 2] = {IR_C | IR_Z, X86_A}, /* CF = !C */
    [IR_GE / 2] = {IR_N | IR_V, X86_GE}, [IR_GT / 2] = {IR_NZ | IR_V, X86_G},
};

/* Test a condition on the bytes in memory; returns the x86 condition for the even (not negated) one. */
static enum x86_cc condition_from_memory(struct be *be, unsigned half)
{
    static const uint32_t single[] = {
        [IR_EQ / 2] = VCPU_OFF(zf), [IR_CS / 2] = VCPU_OFF(cf), [IR_MI / 2] = VCPU_OFF(nf), [IR_VS / 2] = VCPU_OFF(vf)};

    flags_clobber(be);
    switch (half) {
    case IR_EQ / 2: /* leaves EFLAGS.ZF = Z: good for the conditions that follow */
        x86_alu_mi(&be->e, X86_CMP, 1, x86_state(VCPU_OFF(zf)), 1);
        be->flags.ef = IR_Z;
        return X86_E;
    case IR_CS / 2: /* likewise CF = !C */
        x86_alu_mi(&be->e, X86_CMP, 1, x86_state(VCPU_OFF(cf)), 1);
        be->flags.ef = IR_C;
        be->flags.carry_inverted = true;
        return X86_AE;
    case IR_MI / 2:
    case IR_VS / 2:
        x86_alu_mi(&be->e, X86_CMP, 1, x86_state(single[half]), 0);
        return X86_NE;
    }
    uint8_t locked = be->locked;
    unsigned r = scratch_alloc(be);
    if (half == IR_HI / 2) { /* C > Z */
        x86_movzx_rm(&be->e, 1, r, x86_state(VCPU_OFF(cf)));
        x86_alu_rm(&be->e, X86_CMP, 1, r, x86_state(VCPU_OFF(zf)));
        be->locked = locked;
        return X86_A;
    }
    x86_movzx_rm(&be->e, 1, r, x86_state(VCPU_OFF(nf)));
    if (half == IR_GE / 2) {
        x86_alu_rm(&be->e, X86_CMP, 1, r, x86_state(VCPU_OFF(vf)));
    } else { /* (N ^ V) | Z */
        x86_alu_rm(&be->e, X86_XOR, 1, r, x86_state(VCPU_OFF(vf)));
        x86_alu_rm(&be->e, X86_OR, 1, r, x86_state(VCPU_OFF(zf)));
    }
    be->locked = locked;
    return X86_E;
}

enum x86_cc flags_condition(struct be *be, enum ir_cc cc)
{
    unsigned half = cc / 2, negate = cc & 1;
    uint8_t reads = condition[half].reads;

    if (be->flags.float_compare && float_condition[half])
        return (enum x86_cc)(float_condition[half] ^ negate);
    if ((be->flags.ef & reads) != reads) {
        if (be->flags.condition != half + 1) {
            flags_save(be, reads);
            be->flags.condition_x86 = (uint8_t)condition_from_memory(be, half);
            be->flags.condition = (uint8_t)(half + 1);
        }
        return (enum x86_cc)(be->flags.condition_x86 ^ negate);
    }
    enum x86_cc x = (enum x86_cc)condition[half].x86;
    if (half == IR_CS / 2 && be->flags.carry_inverted)
        x = X86_AE;
    if (half == IR_HI / 2 && !be->flags.carry_inverted)
        complement_carry(be);
    return (enum x86_cc)(x ^ negate);
}

/* --- flags as values -------------------------------------------------------------------------------------------------------- */

/* The four bytes n z c v of memory as one word, and back: bits 0, 8, 16, 24 of the word read big-endian are v, c, z, n. */
#define FLAG_BYTES 0x01010101u

void lower_getf(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    flags_save(be, IR_NZCV);
    unsigned r = def_begin(be, i->d), mask = scratch_alloc(be);
    x86_movbe_rm(e, 4, r, x86_state(VCPU_OFF(nf)));
    x86_mov_ri(e, mask, FLAG_BYTES);
    x86_pext_rr(e, 4, r, r, mask);
    x86_rorx_rr(e, 4, r, r, 4);
    def_end(be, i->d, r);
}

static const struct {
    uint8_t flag, bit;
    uint16_t off;
} flag_byte[] = {{IR_N, 31, VCPU_OFF(nf)}, {IR_Z, 30, VCPU_OFF(zf)}, {IR_C, 29, VCPU_OFF(cf)}, {IR_V, 28, VCPU_OFF(vf)}};

static void set_from_imm(struct be *be, uint8_t fset, uint32_t imm)
{
    if (fset == IR_NZCV) {
        uint32_t word = imm >> 31 | (imm >> 30 & 1) << 8 | (imm >> 29 & 1) << 16 | (imm >> 28 & 1) << 24;
        x86_mov_mi(&be->e, 4, x86_state(VCPU_OFF(nf)), (int32_t)word);
        return;
    }
    for (unsigned k = 0; k < ARRAY_LEN(flag_byte); k++)
        if (fset & flag_byte[k].flag)
            x86_mov_mi(&be->e, 1, x86_state(flag_byte[k].off), imm >> flag_byte[k].bit & 1);
}

void lower_setf(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    if (!i->fset)
        return;
    if (i->b == IR_NONE) {
        set_from_imm(be, i->fset, i->imm);
    } else if (i->fset == IR_NZCV) {
        unsigned s = flex_reg(be, i, false), r = scratch_alloc(be), mask = scratch_alloc(be);
        x86_rorx_rr(e, 4, r, s, 28);
        x86_mov_ri(e, mask, FLAG_BYTES);
        x86_pdep_rr(e, 4, r, r, mask);
        x86_movbe_mr(e, 4, x86_state(VCPU_OFF(nf)), r);
    } else {
        unsigned s = flex_reg(be, i, false);
        flags_clobber(be);
        for (unsigned k = 0; k < ARRAY_LEN(flag_byte); k++) {
            if (!(i->fset & flag_byte[k].flag))
                continue;
            x86_bt_ri(e, X86_BT, 4, s, flag_byte[k].bit);
            x86_setcc_m(e, X86_B, x86_state(flag_byte[k].off));
        }
    }
    flags_set_mem(be, i->fset);
}

/* Is the instruction at hand preceded by a floating-point comparison that stores its outcome at off? */
static bool just_compared(const struct be *be, uint32_t off)
{
    uint32_t k = be->index;

    while (k > 0 && be->b->insn[k - 1].op == IR_OP_INSN)
        k--;
    return k > 0 && x86_vop_compares(&be->b->insn[k - 1]) && be->b->insn[k - 1].d == off;
}

void lower_ldf(struct be *be, const struct ir_insn *i)
{
    bool compared = just_compared(be, i->imm); /* then the word is in rax, and nothing has changed EFLAGS */
    unsigned r = compared ? X86_RAX : scratch_alloc(be);

    if (!compared)
        x86_mov_rm(&be->e, 4, r, x86_state(i->imm));
    x86_mov_mr(&be->e, 4, x86_state(VCPU_OFF(nf)), r);
    flags_forget(be);
    be->flags.mem = IR_NZCV;
    be->flags.float_compare = compared;
}
