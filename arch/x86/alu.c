/*
 * alu.c: data processing: add, subtract, logic, moves.
 *
 * Additions that set no flags become lea when the result goes to another register or EFLAGS must survive; everything else is the
 * two-operand form on the destination where that is possible, on vcpu.gpr[] directly for a global that lives there.
 */
#include <arch/x86/backend.h>

/* The second operand of a two-operand instruction. */
struct source {
    bool is_imm;
    uint32_t imm;
    uint16_t value; /* IR value when it is one, unshifted; else IR_NONE */
    struct opnd o;
};

static struct source source_imm(uint32_t imm)
{
    return (struct source){.is_imm = true, .imm = imm, .value = IR_NONE};
}

static struct source source_value(struct be *be, uint16_t v)
{
    return (struct source){.value = v, .o = value_opnd(be, v)};
}

static struct source source_flex(struct be *be, const struct ir_insn *i, bool want_carry)
{
    if (i->b == IR_NONE)
        return source_imm(i->imm);
    return (struct source){.value = flex_is_shifted(i) ? IR_NONE : i->b, .o = flex_opnd(be, i, want_carry)};
}

static bool source_in(const struct source *s, unsigned reg)
{
    return !s->is_imm && s->o.is_reg && s->o.reg == reg;
}

static void source_to_reg(struct be *be, unsigned reg, const struct source *s)
{
    if (s->is_imm)
        x86_mov_ri(&be->e, reg, s->imm);
    else
        mov_ro(be, reg, s->o);
}

static void alu_src(struct be *be, enum x86_alu op, unsigned reg, const struct source *s)
{
    if (s->is_imm)
        x86_alu_ri(&be->e, op, 4, reg, (int32_t)s->imm);
    else
        alu_ro(be, op, reg, s->o);
}

/*
 * d = a op s, by the x86 instruction op, which sets EFLAGS; the caller has dealt with the flags. d may be IR_NONE.
 */
static void two_operand(struct be *be, enum x86_alu op, bool commutes, uint16_t d, uint16_t a, struct source s)
{
    struct x86_emitter *e = &be->e;

    if (d == IR_NONE) {
        unsigned r = scratch_alloc(be);
        value_copy_to(be, r, a);
        alu_src(be, op, r, &s);
        return;
    }
    /* In memory, unless the value is wanted in a register soon anyway. */
    if (d == a && value_is_mem(be, d) && (s.is_imm || s.o.is_reg) && !value_read_soon(be, d)) {
        if (s.is_imm)
            x86_alu_mi(e, op, 4, global_mem(d), (int32_t)s.imm);
        else
            x86_alu_mr(e, op, 4, global_mem(d), s.o.reg);
        return;
    }
    unsigned pinned = d < IR_GLOBALS ? x86_pinned[d] : X86_NOREG;
    if (d != a && pinned != X86_NOREG && source_in(&s, pinned)) {
        if (commutes) {
            struct opnd oa = value_opnd(be, a);
            alu_ro(be, op, pinned, oa);
            def_end(be, d, pinned);
            return;
        }
        unsigned r = scratch_alloc(be);
        value_copy_to(be, r, a);
        alu_src(be, op, r, &s);
        def_end(be, d, r);
        return;
    }
    unsigned r = def_from(be, d, a);
    alu_src(be, op, r, &s);
    def_end(be, d, r);
}

/* d = s op a for an operation that does not commute. */
static void two_operand_reversed(struct be *be, enum x86_alu op, uint16_t d, struct source s, uint16_t a)
{
    struct opnd oa = value_opnd(be, a);
    unsigned pinned = d != IR_NONE && d < IR_GLOBALS ? x86_pinned[d] : X86_NOREG;
    bool direct = pinned != X86_NOREG && !(oa.is_reg && oa.reg == pinned);
    unsigned r = direct ? pinned : scratch_alloc(be);

    source_to_reg(be, r, &s);
    alu_ro(be, op, r, oa);
    if (d != IR_NONE)
        def_end(be, d, r);
}

/* --- add and subtract ------------------------------------------------------------------------------------------------------- */

static void add_imm(struct be *be, uint16_t d, uint16_t a, uint32_t imm)
{
    struct x86_emitter *e = &be->e;

    if (d == a && imm == 0)
        return;
    if (d == a && !flags_wanted(be)) {
        flags_clobber(be);
        two_operand(be, X86_ADD, true, d, a, source_imm(imm));
        return;
    }
    unsigned ra = value_get(be, a);
    unsigned r =
        d != a && value_dies(be, a) && ra < X86_N_SCRATCH && (d >= IR_GLOBALS || x86_pinned[d] == X86_NOREG) ? ra : def_begin(be, d);
    if (imm == 0)
        x86_mov_rr(e, 4, r, ra);
    else
        x86_lea(e, 4, r, x86_base(ra, (int32_t)imm));
    def_end(be, d, r);
}

/* d = a + (b << scale), EFLAGS kept. */
static void add_lea(struct be *be, uint16_t d, unsigned ra, unsigned rb, unsigned scale, int32_t disp)
{
    unsigned r = d < IR_GLOBALS && x86_pinned[d] != X86_NOREG ? x86_pinned[d] : X86_NOREG;

    if (r == X86_NOREG) /* a source that is not needed any more gives its register */
        for (unsigned k = 0; k < X86_N_SCRATCH && r == X86_NOREG; k++)
            if ((k == ra || k == rb) && (be->scratch[k] == IR_NONE || be->scratch[k] == d || value_dies(be, be->scratch[k])))
                r = k;
    if (r == X86_NOREG)
        r = scratch_alloc(be);
    x86_lea(&be->e, 4, r, x86_index(ra, rb, scale, disp));
    def_end(be, d, r);
}

static void add_plain(struct be *be, const struct ir_insn *i)
{
    if (i->b == IR_NONE) {
        add_imm(be, i->d, i->a, i->imm);
        return;
    }
    if (flex_is_shifted(i) && i->shift == IR_LSL && i->shamt <= 3) {
        unsigned ra = value_get(be, i->a), rb = value_get(be, i->b);
        add_lea(be, i->d, ra, rb, i->shamt, 0);
        return;
    }
    struct source s = source_flex(be, i, false);
    bool in_place = i->d == i->a || i->d == s.value || !s.o.is_reg || value_reg(be, i->a) == X86_NOREG;
    if (in_place && !flags_wanted(be)) {
        flags_clobber(be);
        two_operand(be, X86_ADD, true, i->d, i->a, s);
        return;
    }
    if (!s.o.is_reg) {
        s.o.reg = (uint8_t)value_get(be, s.value);
        s.o.is_reg = true;
    }
    add_lea(be, i->d, value_get(be, i->a), s.o.reg, 0, 0);
}

void lower_add(struct be *be, const struct ir_insn *i)
{
    if (!i->fset) {
        if (i->d != IR_NONE)
            add_plain(be, i);
        return;
    }
    if (i->d == IR_NONE && i->b == IR_NONE && i->imm != 0 && i->imm != 0x80000000u) { /* cmn: compare with the negated immediate */
        struct opnd oa = value_opnd(be, i->a);
        flags_clobber(be);
        if (oa.is_reg)
            x86_alu_ri(&be->e, X86_CMP, 4, oa.reg, (int32_t)-i->imm);
        else
            x86_alu_mi(&be->e, X86_CMP, 4, oa.m, (int32_t)-i->imm);
        flags_set(be, i->fset, true);
        return;
    }
    struct source s = source_flex(be, i, false);
    flags_clobber(be);
    two_operand(be, X86_ADD, true, i->d, i->a, s);
    flags_set(be, i->fset, false);
}

static void compare(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    struct source s = source_flex(be, i, false);
    struct opnd oa = value_opnd(be, i->a);

    if (!oa.is_reg && !s.is_imm && !s.o.is_reg) {
        oa.reg = (uint8_t)value_get(be, i->a);
        oa.is_reg = true;
    }
    flags_clobber(be);
    if (!oa.is_reg && s.is_imm)
        x86_alu_mi(e, X86_CMP, 4, oa.m, (int32_t)s.imm);
    else if (!oa.is_reg)
        x86_alu_mr(e, X86_CMP, 4, oa.m, s.o.reg);
    else if (s.is_imm && s.imm == 0) /* no borrow, no overflow: the flags of test */
        x86_test_rr(e, 4, oa.reg, oa.reg);
    else
        alu_src(be, X86_CMP, oa.reg, &s);
    flags_set(be, i->fset, true);
}

/* d = a - b with EFLAGS kept: a + ~b + 1. */
static void sub_keeping_flags(struct be *be, uint16_t d, uint16_t a, struct source s)
{
    unsigned ra = value_get(be, a);
    unsigned r = scratch_alloc(be);

    source_to_reg(be, r, &s);
    x86_not_r(&be->e, 4, r);
    add_lea(be, d, ra, r, 0, 1);
}

void lower_sub(struct be *be, const struct ir_insn *i)
{
    if (!i->fset) {
        if (i->d == IR_NONE)
            return;
        if (i->b == IR_NONE) {
            add_imm(be, i->d, i->a, -i->imm);
            return;
        }
        struct source s = source_flex(be, i, false);
        if (flags_wanted(be)) {
            sub_keeping_flags(be, i->d, i->a, s);
            return;
        }
        flags_clobber(be);
        unsigned pinned = i->d < IR_GLOBALS ? x86_pinned[i->d] : X86_NOREG;
        if (i->d == s.value && i->d != i->a && pinned != X86_NOREG) { /* d = a - d */
            x86_neg_r(&be->e, 4, pinned);
            alu_ro(be, X86_ADD, pinned, value_opnd(be, i->a));
            def_end(be, i->d, pinned);
            return;
        }
        two_operand(be, X86_SUB, false, i->d, i->a, s);
        return;
    }
    if (i->d == IR_NONE) {
        compare(be, i);
        return;
    }
    struct source s = source_flex(be, i, false);
    flags_clobber(be);
    two_operand(be, X86_SUB, false, i->d, i->a, s);
    flags_set(be, i->fset, true);
}

void lower_rsb(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    if (!i->fset && i->d == IR_NONE)
        return;
    if (i->b == IR_NONE && i->d != IR_NONE && (i->imm == 0 || !i->fset)) {
        if (i->imm == 0 && (i->fset || !flags_wanted(be))) {
            flags_clobber(be);
            unsigned r = def_from(be, i->d, i->a);
            x86_neg_r(e, 4, r);
            def_end(be, i->d, r);
            flags_set(be, i->fset, true);
        } else { /* ~a + imm + 1 */
            unsigned r = def_from(be, i->d, i->a);
            x86_not_r(e, 4, r);
            x86_lea(e, 4, r, x86_base(r, (int32_t)(i->imm + 1)));
            def_end(be, i->d, r);
        }
        return;
    }
    struct source s = source_flex(be, i, false);
    flags_clobber(be);
    if (s.value != IR_NONE && i->d != IR_NONE)
        two_operand(be, X86_SUB, false, i->d, s.value, source_value(be, i->a));
    else
        two_operand_reversed(be, X86_SUB, i->d, s, i->a);
    flags_set(be, i->fset, true);
}

void lower_carry(struct be *be, const struct ir_insn *i)
{
    struct source s = source_flex(be, i, false);

    flags_carry_in(be, i->op != IR_OP_ADC);
    flags_save(be, be->need_after & ~i->fset);
    flags_forget(be);
    if (i->op == IR_OP_RSC)
        two_operand_reversed(be, X86_SBB, i->d, s, i->a);
    else
        two_operand(be, i->op == IR_OP_ADC ? X86_ADC : X86_SBB, i->op == IR_OP_ADC, i->d, i->a, s);
    flags_set(be, i->fset, i->op != IR_OP_ADC);
}

/* --- logic ------------------------------------------------------------------------------------------------------------------ */

/* The carry of an immediate operand: its bit 31, as of a rotated constant. */
static void carry_of_imm(struct be *be, const struct ir_insn *i)
{
    if (i->b == IR_NONE && (i->fset & IR_C)) {
        x86_mov_mi(&be->e, 1, x86_state(FLAGS_C), (int32_t)(i->imm >> 31));
        flags_set_mem(be, IR_C);
    }
}

static bool wants_shift_carry(const struct ir_insn *i)
{
    return (i->fset & IR_C) && flex_is_shifted(i);
}

static void test(struct be *be, uint16_t a, struct source s)
{
    struct x86_emitter *e = &be->e;
    struct opnd oa = value_opnd(be, a);

    if (!oa.is_reg && !s.is_imm && !s.o.is_reg) {
        oa.reg = (uint8_t)value_get(be, a);
        oa.is_reg = true;
    }
    if (s.is_imm) {
        unsigned size = s.imm < 0x80 ? 1 : 4; /* the sign bit of a byte would not be N */
        if (oa.is_reg)
            x86_test_ri(e, size, oa.reg, (int32_t)s.imm);
        else
            x86_test_mi(e, size, oa.m, (int32_t)s.imm);
    } else if (!oa.is_reg) {
        x86_test_mr(e, 4, oa.m, s.o.reg);
    } else if (!s.o.is_reg) {
        x86_test_mr(e, 4, s.o.m, oa.reg);
    } else {
        x86_test_rr(e, 4, oa.reg, s.o.reg);
    }
}

static void zero_extend(struct be *be, uint16_t d, uint16_t a, unsigned size)
{
    struct opnd oa = value_opnd(be, a);
    unsigned r = def_begin(be, d);

    if (oa.is_reg)
        x86_movzx_rr(&be->e, size, r, oa.reg);
    else
        x86_movzx_rm(&be->e, size, r, oa.m);
    def_end(be, d, r);
}

/* Forms without flags that are cheaper than the general one. */
static bool logic_imm_special(struct be *be, enum x86_alu op, uint16_t d, uint16_t a, uint32_t imm)
{
    if ((op == X86_AND && imm == UINT32_MAX) || (op != X86_AND && imm == 0)) {
        add_imm(be, d, a, 0);
        return true;
    }
    if (op == X86_AND && (imm == 0xff || imm == 0xffff)) {
        zero_extend(be, d, a, imm == 0xff ? 1 : 2);
        return true;
    }
    if (op == X86_XOR && imm == UINT32_MAX) {
        unsigned r = def_from(be, d, a);
        x86_not_r(&be->e, 4, r);
        def_end(be, d, r);
        return true;
    }
    return false;
}

static void logic(struct be *be, enum x86_alu op, const struct ir_insn *i, struct source s)
{
    uint8_t nz = i->fset & IR_NZ;

    if (!nz) {
        if (i->d == IR_NONE || (s.is_imm && logic_imm_special(be, op, i->d, i->a, s.imm)))
            return;
    }
    flags_clobber(be);
    if (i->d == IR_NONE && op == X86_AND)
        test(be, i->a, s);
    else
        two_operand(be, op, true, i->d, i->a, s);
    flags_set(be, nz, false);
}

void lower_logic(struct be *be, const struct ir_insn *i)
{
    enum x86_alu op = i->op == IR_OP_AND ? X86_AND : i->op == IR_OP_ORR ? X86_OR : X86_XOR;

    carry_of_imm(be, i);
    logic(be, op, i, source_flex(be, i, wants_shift_carry(i)));
}

void lower_bic(struct be *be, const struct ir_insn *i)
{
    uint8_t nz = i->fset & IR_NZ;

    carry_of_imm(be, i);
    if (i->b == IR_NONE) {
        logic(be, X86_AND, i, source_imm(~i->imm));
        return;
    }
    unsigned rb = flex_reg(be, i, wants_shift_carry(i));
    if (!nz && i->d == IR_NONE)
        return;
    flags_clobber(be);
    struct opnd oa = value_opnd(be, i->a);
    unsigned r = i->d == IR_NONE ? scratch_alloc(be) : def_begin(be, i->d);
    if (oa.is_reg)
        x86_andn_rr(&be->e, 4, r, rb, oa.reg);
    else
        x86_andn_rm(&be->e, 4, r, rb, oa.m);
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
    flags_set(be, nz, false);
}

void lower_orn(struct be *be, const struct ir_insn *i)
{
    carry_of_imm(be, i);
    if (i->b == IR_NONE) {
        logic(be, X86_OR, i, source_imm(~i->imm));
        return;
    }
    struct opnd o = flex_opnd(be, i, wants_shift_carry(i));
    unsigned r;
    if (flex_is_shifted(i)) {
        r = o.reg;
    } else {
        r = scratch_alloc(be);
        mov_ro(be, r, o);
        if (o.is_reg)
            scratch_unlock(be, o.reg);
    }
    x86_not_r(&be->e, 4, r);
    logic(be, X86_OR, i, (struct source){.value = IR_NONE, .o = {.is_reg = true, .reg = (uint8_t)r}});
}

/* --- moves ------------------------------------------------------------------------------------------------------------------ */

static void move_imm(struct be *be, const struct ir_insn *i, uint32_t imm)
{
    struct x86_emitter *e = &be->e;
    uint8_t nz = i->fset & IR_NZ;

    carry_of_imm(be, i);
    if (!nz) {
        if (i->d != IR_NONE)
            def_constant(be, i->d, (struct constant){imm, i->moves});
        return;
    }
    flags_clobber(be);
    unsigned r = i->d == IR_NONE ? scratch_alloc(be) : def_begin(be, i->d);
    if (imm) {
        x86_mov_ri(e, r, imm);
        x86_test_rr(e, 4, r, r);
    } else {
        x86_alu_rr(e, X86_XOR, 4, r, r);
    }
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
    flags_set(be, nz, false);
}

static void move_plain(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    uint8_t nz = i->fset & IR_NZ;
    struct opnd o = value_opnd(be, i->b);

    if (i->d != IR_NONE && i->d != i->b) {
        unsigned pinned = i->d < IR_GLOBALS ? x86_pinned[i->d] : X86_NOREG;
        if (pinned == X86_NOREG && i->d < IR_GLOBALS && o.is_reg) { /* register to memory */
            x86_mov_mr(e, 4, global_mem(i->d), o.reg);
            value_changed_in_memory(be, i->d);
        } else {
            unsigned r = def_from(be, i->d, i->b);
            def_end(be, i->d, r);
            o = (struct opnd){.is_reg = true, .reg = (uint8_t)r};
        }
    }
    if (nz) {
        flags_clobber(be);
        if (o.is_reg)
            x86_test_rr(e, 4, o.reg, o.reg);
        else
            x86_alu_mi(e, X86_CMP, 4, o.m, 0);
        flags_set(be, nz, false);
    }
}

static void move_shifted(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    uint8_t fset = i->fset & IR_NZC;

    if (!fset && i->shift != IR_RRX) {
        bool keep = flags_wanted(be);
        struct opnd ob = value_opnd(be, i->b);
        unsigned r = def_begin(be, i->d);
        if (!keep)
            flags_clobber(be);
        shift_const(be, r, i, keep);
        if (keep && i->shift != IR_ROR && !(i->shift == IR_LSL && i->shamt <= 3 && ob.is_reg)) /* a 64-bit rotation was used */
            x86_mov_rr(e, 4, r, r);
        def_end(be, i->d, r);
        return;
    }
    value_opnd(be, i->b); /* keeps its register */
    unsigned r = i->d == IR_NONE ? scratch_alloc(be) : def_begin(be, i->d);
    if (i->shift == IR_RRX) {
        flags_carry_in(be, false);
        flags_save(be, be->need_after & ~fset);
        flags_forget(be);
    } else {
        flags_clobber(be);
    }
    if (i->shift <= IR_ASR && i->shamt < 32) { /* all three flags from the shift itself */
        shift_const_carry(be, r, i);
        flags_set(be, fset, false);
    } else {
        shift_const_carry(be, r, i);
        if (fset & IR_C) {
            x86_setcc_m(e, X86_B, x86_state(FLAGS_C));
            flags_set_mem(be, IR_C);
        }
        if (fset & IR_NZ) {
            x86_test_rr(e, 4, r, r);
            flags_set(be, fset & IR_NZ, false);
        }
    }
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
}

static void move_not(struct be *be, const struct ir_insn *i)
{
    uint8_t nz = i->fset & IR_NZ;
    unsigned r;

    if (flex_is_shifted(i)) {
        r = flex_reg(be, i, wants_shift_carry(i));
    } else {
        r = i->d == IR_NONE ? scratch_alloc(be) : def_from(be, i->d, i->b);
        if (i->d == IR_NONE)
            value_copy_to(be, r, i->b);
    }
    x86_not_r(&be->e, 4, r);
    if (i->d != IR_NONE)
        def_end(be, i->d, r);
    if (nz) {
        flags_clobber(be);
        x86_test_rr(&be->e, 4, r, r);
        flags_set(be, nz, false);
    }
}

void lower_mov(struct be *be, const struct ir_insn *i)
{
    if (i->b == IR_NONE)
        move_imm(be, i, i->op == IR_OP_MVN ? ~i->imm : i->imm);
    else if (i->op == IR_OP_MVN)
        move_not(be, i);
    else if (flex_is_shifted(i))
        move_shifted(be, i);
    else
        move_plain(be, i);
}
