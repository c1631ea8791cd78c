/*
 * muldiv.c: multiplication and division.
 */
#include <arch/x86/backend.h>

/* N and Z of the 64-bit value high:low. */
static void flags_of_pair(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    if (!(i->fset & IR_NZ))
        return;
    be->locked = 0;
    value_opnd(be, i->d2); /* both may be temporaries that are not read again: they are in registers only */
    value_opnd(be, i->d);
    unsigned r = scratch_alloc(be);
    value_copy_to(be, r, i->d2);
    x86_sh_ri(e, X86_SHL, 8, r, 32);
    unsigned low = value_get(be, i->d);
    x86_alu_rr(e, X86_OR, 8, r, low);
    flags_set(be, i->fset & IR_NZ, false);
}

void lower_mul(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    uint16_t a = i->a, b = i->b;

    if (b == i->d) { /* commutes: the destination first */
        a = i->b;
        b = i->a;
    }
    flags_clobber(be);
    struct opnd o = value_opnd(be, b);
    unsigned r = def_from(be, i->d, a);
    if (o.is_reg)
        x86_imul_rr(e, 4, r, o.reg);
    else
        x86_imul_rm(e, 4, r, o.m);
    def_end(be, i->d, r);
    if (i->fset & IR_NZ) {
        x86_test_rr(e, 4, r, r);
        flags_set(be, i->fset & IR_NZ, false);
    }
}

/* edx:eax = a * b, signed or not. Both registers are locked. */
static void wide_product(struct be *be, const struct ir_insn *i, bool is_signed)
{
    struct x86_emitter *e = &be->e;

    scratch_take(be, X86_RAX);
    scratch_take(be, X86_RDX);
    value_copy_to(be, X86_RAX, i->a);
    unsigned rb = i->b == i->a ? X86_RAX : value_get(be, i->b);
    if (is_signed)
        x86_imul_r(e, 4, rb);
    else
        x86_mul_r(e, 4, rb);
}

void lower_mull(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    if (i->op == IR_OP_UMULL && !i->fset) { /* mulx: EFLAGS kept, results where they belong */
        scratch_take(be, X86_RDX);
        value_copy_to(be, X86_RDX, i->a);
        unsigned rb = i->b == i->a ? X86_RDX : value_get(be, i->b);
        unsigned low = def_begin(be, i->d);
        unsigned high = i->d2 < IR_GLOBALS && x86_pinned[i->d2] != X86_NOREG ? x86_pinned[i->d2] : X86_RDX;
        x86_mulx_rrr(e, 4, high, low, rb);
        def_end(be, i->d, low);
        def_end(be, i->d2, high);
        return;
    }
    flags_clobber(be);
    wide_product(be, i, i->op == IR_OP_SMULL);
    def_end(be, i->d, X86_RAX);
    def_end(be, i->d2, X86_RDX);
    flags_of_pair(be, i);
}

/* d op= reg for a global or temporary. */
static void accumulate(struct be *be, enum x86_alu op, uint16_t d, unsigned reg)
{
    if (value_is_mem(be, d)) {
        x86_alu_mr(&be->e, op, 4, global_mem(d), reg);
        return;
    }
    unsigned r = value_reg(be, d);
    if (r == X86_NOREG) /* a temporary in its slot */
        r = value_get(be, d);
    x86_alu_rr(&be->e, op, 4, r, reg);
    def_end(be, d, r);
}

void lower_mlal(struct be *be, const struct ir_insn *i)
{
    flags_clobber(be);
    wide_product(be, i, i->op == IR_OP_SMLAL);
    if (value_reg(be, i->b) == X86_RCX)
        scratch_unlock(be, X86_RCX);
    accumulate(be, X86_ADD, i->d, X86_RAX);
    scratch_unlock(be, X86_RAX); /* moves only from here to adc: CF stays */
    accumulate(be, X86_ADC, i->d2, X86_RDX);
    flags_of_pair(be, i);
}

void lower_udiv(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    flags_clobber(be);
    scratch_take(be, X86_RAX);
    scratch_take(be, X86_RDX);
    unsigned rb = value_get(be, i->b);
    x86_alu_rr(e, X86_XOR, 4, X86_RAX, X86_RAX);
    x86_test_rr(e, 4, rb, rb);
    uint32_t zero = x86_jcc8(e, X86_E);
    value_copy_to(be, X86_RAX, i->a);
    x86_alu_rr(e, X86_XOR, 4, X86_RDX, X86_RDX);
    x86_div_r(e, 4, rb);
    x86_patch8_here(e, zero);
    def_end(be, i->d, X86_RAX);
}

void lower_sdiv(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    flags_clobber(be);
    scratch_take(be, X86_RAX);
    scratch_take(be, X86_RDX);
    unsigned rb = value_get(be, i->b);
    value_copy_to(be, X86_RAX, i->a);
    /* Divisors 0 and -1, which trap or may: the quotient is -a & b */
    x86_lea(e, 4, X86_RDX, x86_base(rb, 1));
    x86_alu_ri(e, X86_CMP, 4, X86_RDX, 1);
    uint32_t usual = x86_jcc8(e, X86_A);
    x86_neg_r(e, 4, X86_RAX);
    x86_alu_rr(e, X86_AND, 4, X86_RAX, rb);
    uint32_t done = x86_jmp8(e);
    x86_patch8_here(e, usual);
    x86_cdq(e);
    x86_idiv_r(e, 4, rb);
    x86_patch8_here(e, done);
    def_end(be, i->d, X86_RAX);
}
