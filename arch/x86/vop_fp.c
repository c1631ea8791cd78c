/*
 * vop_fp.c: floating point: SSE does the arithmetic under the guest's MXCSR, and a fix-up call (ir_insn.fn) what it does differently.
 *
 * x86 and the guest agree on every result that is not a NaN. So the result is tested (a NaN is unordered with itself) and stored only when
 * it is a number; otherwise the helper does the operation again from the unchanged operands. They agree on exceptions too but for
 * Underflow: the guest looks whether the result is tiny before it is rounded, x86 after. The smallest normal number is the only result
 * where that can differ. Conversions to integers test the range first, so that no exception is raised that the guest would not raise.
 */
#include <arch/x86/vop_impl.h>

#define IS_DOUBLE(i) ((i)->mem == 8)

static uint32_t opc_of(const struct ir_insn *i, const struct vop_row *r)
{
    return IS_DOUBLE(i) ? r->opc2 : r->opc;
}

/* d = a op b, where b is from x86_vcache_operand(off) */
static void op(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, int b, uint32_t off)
{
    if (b >= 0)
        x86_v_rrr(e, opc, d, a, (unsigned)b);
    else
        x86_v_rrm(e, opc, d, a, x86_state(off));
}

/* 32 bits from rax */
static void store_int(struct x86_emitter *e, uint32_t off)
{
    x86_vcache_kill(e, off, 4);
    x86_mov_mr(e, 4, x86_state(off), X86_RAX);
}

static void store_fp(struct x86_emitter *e, bool dbl, uint32_t off, unsigned x)
{
    vop_store(e, dbl ? 8 : 4, off, x);
}

static void negate(struct x86_emitter *e, bool dbl, unsigned d, unsigned s)
{
    x86_v_rrm(e, dbl ? X86_VXORPD : X86_VXORPS, d, s, dbl ? VOP_CONSTANT(sign_double) : VOP_CONSTANT(sign_single));
}

static void magnitude_of(struct x86_emitter *e, bool dbl, unsigned d, unsigned s)
{
    x86_v_rrm(e, dbl ? X86_VANDPD : X86_VANDPS, d, s, dbl ? VOP_CONSTANT(magnitude_double) : VOP_CONSTANT(magnitude_single));
}

/* Leave to the fix-up when x is a NaN. */
static void check_number(struct x86_emitter *e, bool dbl, unsigned x)
{
    x86_v_rr(e, dbl ? X86_VUCOMISD : X86_VUCOMISS, x, x);
    x86_vop_fixup(e, X86_P);
}

/* The same for the smallest normal number, when x was rounded just now. ZF is set by a NaN as well. */
static void check_rounded(struct x86_emitter *e, bool dbl, unsigned x)
{
    magnitude_of(e, dbl, X3, x);
    x86_v_rm(e, dbl ? X86_VUCOMISD : X86_VUCOMISS, X3, dbl ? VOP_CONSTANT(smallest_double) : VOP_CONSTANT(smallest_single));
    x86_vop_fixup(e, X86_E);
}

/* d = a op b, negated for FNMUL (row->is_signed) */
void vop_arith(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    enum ir_vop vop = (enum ir_vop)(i->imm2 & 0xffff);
    bool dbl = IS_DOUBLE(i);
    unsigned a = vop_operand(e, i->mem, X0, i->a);
    int b = x86_vcache_operand(e, i->b, i->mem);
    unsigned d = vop_result(e, i, i->mem, X2);

    op(e, opc_of(i, r), d, a, b, i->b);
    if (vop == IR_VOP_FADD || vop == IR_VOP_FSUB) /* whose tiny results are exact */
        check_number(e, dbl, d);
    else
        check_rounded(e, dbl, d);
    if (r->is_signed)
        negate(e, dbl, d, d);
    store_fp(e, dbl, i->d, d);
}

void vop_fsqrt(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a), d = vop_result(e, i, i->mem, X2);

    x86_v_rrr(e, opc_of(i, r), d, a, a);
    check_number(e, IS_DOUBLE(i), d);
    store_fp(e, IS_DOUBLE(i), i->d, d);
}

/* MLA, MLS, NMLA, NMLS: the product is rounded first. */
void vop_mac(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    bool dbl = IS_DOUBLE(i);
    uint32_t add = dbl ? X86_VADDSD : X86_VADDSS, sub = dbl ? X86_VSUBSD : X86_VSUBSS;
    unsigned a = vop_operand(e, i->mem, X1, i->a);

    op(e, opc_of(i, r), X1, a, x86_vcache_operand(e, i->b, i->mem), i->b);
    check_rounded(e, dbl, X1);
    unsigned acc = vop_operand(e, i->mem, X0, i->d), d = vop_result(e, i, i->mem, X2);
    switch ((enum ir_vop)(i->imm2 & 0xffff)) {
    case IR_VOP_FMLA:
        x86_v_rrr(e, add, d, acc, X1);
        break;
    case IR_VOP_FMLS:
        x86_v_rrr(e, sub, d, acc, X1);
        break;
    case IR_VOP_FNMLS: /* -d + product */
        x86_v_rrr(e, sub, d, X1, acc);
        break;
    default: /* -d - product: not -(d + product), zeros differ */
        negate(e, dbl, X0, acc);
        x86_v_rrr(e, sub, d, X0, X1);
        break;
    }
    check_number(e, dbl, d);
    store_fp(e, dbl, i->d, d);
}

void vop_fma(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->d);
    unsigned a = vop_operand(e, i->mem, X1, i->a);
    op(e, opc_of(i, r), X0, a, x86_vcache_operand(e, i->b, i->mem), i->b);
    check_rounded(e, IS_DOUBLE(i), X0);
    store_fp(e, IS_DOUBLE(i), i->d, X0);
}

/* FABS (row->is_signed false), FNEG */
void vop_fsign(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a), d = x86_vcache_target(e, i->d, i->mem);

    (r->is_signed ? negate : magnitude_of)(e, IS_DOUBLE(i), d, a);
    store_fp(e, IS_DOUBLE(i), i->d, d);
}

/* (u)comis raises Invalid as FCMPE (FCMP) does, and leaves unordered PF, equal ZF, less CF. They stay in EFLAGS, and what is stored is in eax:
 * lower_ldf(). */
void vop_fcmp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a);

    if (i->b == IR_NONE)
        vop_zero(e, X1);
    x86_v_rr(e, opc_of(i, r), a, i->b == IR_NONE ? X1 : vop_operand(e, i->mem, X1, i->b));
    x86_lahf(e);
    x86_movzx_r_ah(e, X86_RAX);
    struct x86_mem flags = VOP_CONSTANT(compared);
    flags.index = X86_RAX;
    flags.scale = 2;
    x86_mov_rm(e, 4, X86_RAX, flags);
    store_int(e, i->d);
}

void vop_fcvt(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    bool narrows = IS_DOUBLE(i);
    unsigned a = vop_operand(e, i->mem, X0, i->a), d = vop_result(e, i, narrows ? 4 : 8, X2);

    x86_v_rrr(e, opc_of(i, r), d, a, a);
    (narrows ? check_rounded : check_number)(e, !narrows, d);
    store_fp(e, !narrows, i->d, d);
}

/* To 32 bits towards zero. The top word of the operand tells the range: sign, exponent. */
void vop_fto_int(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    bool dbl = IS_DOUBLE(i);
    uint32_t limit = r->is_signed ? (dbl ? 0x41e00000 : 0x4f000000) : (dbl ? 0x41f00000 : 0x4f800000); /* 2^31, 2^32 */

    unsigned a = vop_operand(e, i->mem, X0, i->a);
    x86_v_rr(e, X86_VMOVD_GX | (dbl ? X86_VW : 0), a, X86_RAX);
    if (dbl)
        x86_rorx_rr(e, 8, X86_RAX, X86_RAX, 32);
    if (r->is_signed)
        x86_alu_ri(e, X86_AND, 4, X86_RAX, 0x7fffffff);
    x86_alu_ri(e, X86_CMP, 4, X86_RAX, (int32_t)limit);
    x86_vop_fixup(e, X86_AE);
    x86_v_rr(e, opc_of(i, r) | (r->is_signed ? 0 : X86_VW), X86_RAX, a);
    store_int(e, i->d);
}

void vop_ffrom_int(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    int copy = x86_vcache_operand(e, i->a, 4);

    if (copy >= 0)
        x86_v_rr(e, X86_VMOVD_GX, (unsigned)copy, X86_RAX);
    else
        x86_mov_rm(e, 4, X86_RAX, x86_state(i->a));
    unsigned d = x86_vcache_target(e, i->d, i->mem);
    vop_zero(e, d);
    x86_v_rrr(e, opc_of(i, r) | (r->is_signed ? 0 : X86_VW), d, d, X86_RAX);
    store_fp(e, IS_DOUBLE(i), i->d, d);
}

/* --- vectors of single precision --- */

/* x = magnitude of s less one: denormals are then below 2^23 - 1, the smallest normal number is 2^23 - 1, zero is the largest of all.
 * X5: all ones */
static void magnitude(struct x86_emitter *e, unsigned x, unsigned s)
{
    x86_v_rrm(e, X86_VPAND, x, s, VOP_CONSTANT(magnitude_single));
    x86_v_rrr(e, X86_VPADDD, x, x, X5);
}

/* x = all ones in elements up to 2^23 - 1 */
static void is_tiny(struct x86_emitter *e, unsigned x)
{
    x86_v_shift(e, X86_VPSRLD_I, x, x, 23);
    vop_zero(e, X3);
    x86_v_rrr(e, X86_VPCMPEQD, x, x, X3);
}

static void fixup_if_any(struct x86_emitter *e, unsigned x)
{
    x86_v_rr(e, X86_VMOVMSKPS, X86_RAX, x);
    x86_test_rr(e, 4, X86_RAX, X86_RAX);
    x86_vop_fixup(e, X86_NE);
}

#define CMP_UNORD 3u

/*
 * a opc b, or with opc2: d opc2 (a opc b). Where no operand and no result is denormal or a NaN, the default environment gives what
 * flush-to-zero and default NaN give. Denormal operands are found before, results after; a product that was rounded to something tiny has
 * by then raised Inexact where the guest does not: hence the copy of MXCSR (row->is_signed).
 */
void vop_vector_fp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    x86_vcache_release(e, X7);
    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->b);
    vop_ones(e, X5);
    magnitude(e, X2, X0);
    magnitude(e, X3, X1);
    if (r->is_signed) { /* X7 = all ones where a factor is zero */
        x86_v_rrr(e, X86_VPMAXUD, X7, X2, X3);
        x86_v_rrr(e, X86_VPCMPEQD, X7, X7, X5);
    }
    x86_v_rrr(e, X86_VPMINUD, X2, X2, X3);
    if (r->opc2) {
        vop_load(e, i->mem, X6, i->d);
        magnitude(e, X3, X6);
        x86_v_rrr(e, X86_VPMINUD, X2, X2, X3);
    }
    is_tiny(e, X2);
    if (r->is_signed) {
        x86_vcache_kill(e, i->imm2 >> 16, 4);
        x86_vstmxcsr(e, x86_state(i->imm2 >> 16));
    }
    fixup_if_any(e, X2);

    x86_v_rrr(e, r->opc, X0, X0, X1);
    magnitude(e, X2, X0);
    if (r->is_signed) { /* a product that became zero is tiny: zero the magnitude there */
        x86_v_rrr(e, X86_VPCMPEQD, X1, X2, X5);
        x86_v_rrr(e, X86_VPANDN, X7, X7, X1);
        x86_v_rrr(e, X86_VPANDN, X2, X7, X2);
    }
    if (r->opc2) {
        x86_v_rrr(e, r->opc2, X0, X6, X0);
        magnitude(e, X3, X0);
        x86_v_rrr(e, X86_VPMINUD, X2, X2, X3);
    }
    is_tiny(e, X2);
    x86_v_rrri(e, X86_VCMPPS, X3, X0, X0, CMP_UNORD);
    x86_v_rrr(e, X86_VPOR, X2, X2, X3);
    fixup_if_any(e, X2);
    vop_store(e, i->mem, i->d, X0);
}
