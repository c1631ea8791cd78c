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

uint8_t flags_with_both_nz(const struct flag_state *f, uint8_t save, uint8_t live)
{
    uint8_t other = (save & IR_NZ) ? IR_NZ & ~save : 0;

    return other & live & f->mem & ~f->ef ? save : save | other;
}

/* N or Z alone: the byte's other one stays. For operations that define one of them only, which no guest instruction does. */
static void save_one_of_nz(struct x86_emitter *e, enum x86_cc cc, int32_t bit)
{
    struct x86_mem nz = x86_state(FLAGS_NZ);

    x86_pushfq(e);
    x86_alu_mi(e, X86_AND, 1, nz, (int8_t)~bit);
    x86_popfq(e);
    uint32_t over = x86_jcc8(e, (enum x86_cc)(cc ^ 1));
    x86_pushfq(e);
    x86_alu_mi(e, X86_OR, 1, nz, (int8_t)bit);
    x86_popfq(e);
    x86_patch8_here(e, over);
}

/*
 * One byte at a time, flags would cost a store each, of which hosts do hardly more than one in a cycle. LAHF's byte has N and Z; it is in
 * AH, which cannot be stored alone with r15 as the base.
 */
void flags_emit_save(struct x86_emitter *e, uint8_t which, bool carry_inverted, unsigned park)
{
    enum x86_cc carry = carry_inverted ? X86_AE : X86_B;
    bool both_cv = (which & (IR_C | IR_V)) == (IR_C | IR_V);

    if ((which & IR_NZ) == IR_NZ) {
        if (park == X86_RAX)
            x86_push_r(e, X86_RAX);
        else if (park != X86_NOREG)
            x86_mov_rr(e, 8, park, X86_RAX);
        x86_lahf(e);
        x86_mov_mr(e, 2, x86_state(FLAGS_NZ - 1), X86_RAX);
    } else {
        if (which & IR_N)
            save_one_of_nz(e, X86_S, 0x80);
        if (which & IR_Z)
            save_one_of_nz(e, X86_E, 0x40);
        both_cv &= park == X86_NOREG;
    }
    if (both_cv) {
        x86_setcc_r(e, X86_O, X86_RAX);
        x86_setcc_ah(e, carry);
        x86_mov_mr(e, 2, x86_state(FLAGS_V), X86_RAX);
    } else {
        if (which & IR_C)
            x86_setcc_m(e, carry, x86_state(FLAGS_C));
        if (which & IR_V)
            x86_setcc_m(e, X86_O, x86_state(FLAGS_V));
    }
    if ((which & IR_NZ) == IR_NZ && park == X86_RAX)
        x86_pop_r(e, X86_RAX);
    else if ((which & IR_NZ) == IR_NZ && park != X86_NOREG)
        x86_mov_rr(e, 8, X86_RAX, park);
}

/* Where rax is to be kept while flags are saved: what the instruction at hand has not locked makes room for good. */
static unsigned make_room(struct be *be)
{
    if (!(be->locked & 1u << X86_RAX)) {
        scratch_take(be, X86_RAX);
        scratch_unlock(be, X86_RAX);
        return X86_NOREG;
    }
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (!(be->locked & 1u << r) && be->scratch[r] == IR_NONE)
            return r;
    return X86_RAX;
}

void flags_save(struct be *be, uint8_t which)
{
    uint8_t save = which & be->flags.ef & ~be->flags.mem;

    if (!save)
        return;
    uint8_t all = flags_with_both_nz(&be->flags, save, which | be->need);
    flags_emit_save(&be->e, all, be->flags.carry_inverted, (all & IR_NZ) == IR_NZ ? make_room(be) : X86_RAX);
    be->flags.mem = (be->flags.mem & ~all) | save | (all & be->flags.ef);
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
        x86_alu_mi(&be->e, X86_CMP, 1, x86_state(FLAGS_C), 1);
    else
        x86_bt_mi(&be->e, X86_BT, 4, x86_state(VCPU_OFF(flags)), 8);
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

/* Test a condition on the flags in memory; returns the x86 condition for the even (not negated) one. */
static enum x86_cc condition_from_memory(struct be *be, unsigned half)
{
    struct x86_emitter *e = &be->e;
    struct x86_mem nz = x86_state(FLAGS_NZ), c = x86_state(FLAGS_C), v = x86_state(FLAGS_V);

    flags_clobber(be);
    switch (half) {
    case IR_EQ / 2:
        x86_test_mi(e, 1, nz, 0x40);
        return X86_NE;
    case IR_CS / 2: /* leaves EFLAGS.CF = !C: good for the conditions that follow */
        x86_alu_mi(e, X86_CMP, 1, c, 1);
        be->flags.ef = IR_C;
        be->flags.carry_inverted = true;
        return X86_AE;
    case IR_MI / 2:
        x86_alu_mi(e, X86_CMP, 1, nz, 0);
        return X86_S;
    case IR_VS / 2:
        x86_alu_mi(e, X86_CMP, 1, v, 0);
        return X86_NE;
    }
    uint8_t locked = be->locked;
    unsigned r = scratch_alloc(be);
    be->locked = locked;
    if (half == IR_HI / 2) { /* C & !Z */
        x86_movzx_rm(e, 1, r, nz);
        x86_not_r(e, 4, r);
        x86_sh_ri(e, X86_SHR, 4, r, 6);
        x86_test_mr(e, 1, c, r);
        return X86_NE;
    }
    x86_movzx_rm(e, 1, r, v);
    x86_sh_ri(e, X86_SHL, 4, r, 7);
    x86_alu_rm(e, X86_XOR, 1, r, nz); /* bit 7 is N ^ V, bit 6 Z */
    if (half == IR_GE / 2)
        return X86_NS;
    x86_test_ri(e, 1, r, (int8_t)0xc0);
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

#define FLAG_BITS (3u << 30 | 1u << 8 | 1u) /* of N Z C V in the word in memory */

void lower_getf(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    flags_save(be, IR_NZCV);
    unsigned r = def_begin(be, i->d), mask = scratch_alloc(be);
    x86_mov_rm(e, 4, r, x86_state(VCPU_OFF(flags)));
    x86_mov_ri(e, mask, FLAG_BITS);
    x86_pext_rr(e, 4, r, r, mask);
    x86_rorx_rr(e, 4, r, r, 4);
    def_end(be, i->d, r);
}

static void set_from_imm(struct be *be, uint8_t fset, uint32_t imm)
{
    struct x86_emitter *e = &be->e;
    uint32_t word = flags_pack(imm);

    if (fset == IR_NZCV) {
        x86_mov_mi(e, 4, x86_state(VCPU_OFF(flags)), (int32_t)word);
        return;
    }
    if (fset & IR_C)
        x86_mov_mi(e, 1, x86_state(FLAGS_C), word >> 8 & 1);
    if (fset & IR_V)
        x86_mov_mi(e, 1, x86_state(FLAGS_V), word & 1);
    if ((fset & IR_NZ) == IR_NZ) {
        x86_mov_mi(e, 1, x86_state(FLAGS_NZ), (int8_t)(word >> 24));
    } else if (fset & IR_NZ) {
        uint8_t bit = fset & IR_N ? 0x80 : 0x40, set = bit & word >> 24;
        flags_clobber(be);
        x86_alu_mi(e, set ? X86_OR : X86_AND, 1, x86_state(FLAGS_NZ), (int8_t)(set ? bit : ~bit));
    }
}

static void set_from_register(struct be *be, uint8_t fset, unsigned s)
{
    static const struct {
        uint8_t flag, bit;
        uint32_t off;
    } byte[] = {{IR_C, 29, FLAGS_C}, {IR_V, 28, FLAGS_V}};
    struct x86_emitter *e = &be->e;

    flags_clobber(be);
    for (unsigned k = 0; k < ARRAY_LEN(byte); k++) {
        if (!(fset & byte[k].flag))
            continue;
        x86_bt_ri(e, X86_BT, 4, s, byte[k].bit);
        x86_setcc_m(e, X86_B, x86_state(byte[k].off));
    }
    if (!(fset & IR_NZ))
        return;
    unsigned r = scratch_alloc(be);
    x86_rorx_rr(e, 4, r, s, 24);
    if ((fset & IR_NZ) != IR_NZ) { /* r = memory ^ ((memory ^ s) & bit) */
        x86_alu_rm(e, X86_XOR, 1, r, x86_state(FLAGS_NZ));
        x86_alu_ri(e, X86_AND, 4, r, fset & IR_N ? 0x80 : 0x40);
        x86_alu_rm(e, X86_XOR, 1, r, x86_state(FLAGS_NZ));
    }
    x86_mov_mr(e, 1, x86_state(FLAGS_NZ), r);
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
        x86_mov_ri(e, mask, FLAG_BITS);
        x86_pdep_rr(e, 4, r, r, mask);
        x86_mov_mr(e, 4, x86_state(VCPU_OFF(flags)), r);
    } else {
        set_from_register(be, i->fset, flex_reg(be, i, false));
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
    x86_mov_mr(&be->e, 4, x86_state(VCPU_OFF(flags)), r);
    flags_forget(be);
    be->flags.mem = IR_NZCV;
    be->flags.float_compare = compared;
}
