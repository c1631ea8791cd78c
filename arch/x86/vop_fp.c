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

static void load_fp(struct x86_emitter *e, const struct ir_insn *i, unsigned x, uint32_t off)
{
    vop_load(e, i->mem, x, off);
}

/* d = a op state[off] */
static void op_state(struct x86_emitter *e, const struct ir_insn *i, uint32_t opc, unsigned d, unsigned a, uint32_t off)
{
    int copy = x86_vcache_find(&e->vcache, off, i->mem);

    if (copy >= 0)
        x86_v_rrr(e, opc, d, a, (unsigned)copy);
    else
        x86_v_rrm(e, opc, d, a, x86_state(off));
}

/* 32 bits from rax */
static void store_int(struct x86_emitter *e, uint32_t off)
{
    x86_mov_mr(e, 4, x86_state(off), X86_RAX);
    vop_written(e, 4, off);
}

static void store_fp(struct x86_emitter *e, bool dbl, uint32_t off, unsigned x)
{
    vop_store(e, dbl ? 8 : 4, off, x);
}

static void sign_mask(struct x86_emitter *e, const struct ir_insn *i, unsigned x)
{
    vop_ones(e, x);
    x86_v_shift(e, IS_DOUBLE(i) ? X86_VPSLLQ_I : X86_VPSLLD_I, x, x, IS_DOUBLE(i) ? 63 : 31);
}

/* Store the number in x, or leave to the fix-up when it is a NaN. */
static void finish(struct x86_emitter *e, const struct ir_insn *i, bool dbl, unsigned x)
{
    x86_v_rr(e, dbl ? X86_VUCOMISD : X86_VUCOMISS, x, x);
    x86_vop_fixup(e, X86_P);
    store_fp(e, dbl, i->d, x);
}

/* Leave to the fix-up when the number in x, rounded just now, is the smallest normal one. */
static void check_tiny(struct x86_emitter *e, bool dbl, unsigned x)
{
    x86_v_rr(e, X86_VMOVD_GX | (dbl ? X86_VW : 0), x, X86_RAX);
    x86_alu_rr(e, X86_ADD, dbl ? 8 : 4, X86_RAX, X86_RAX); /* without the sign */
    if (dbl) {
        x86_rorx_rr(e, 8, X86_RAX, X86_RAX, 53);
        x86_alu_ri(e, X86_CMP, 8, X86_RAX, 1);
    } else {
        x86_alu_ri(e, X86_CMP, 4, X86_RAX, 0x01000000);
    }
    x86_vop_fixup(e, X86_E);
}

/* d = a op b, negated for FNMUL (row->is_signed) */
void vop_arith(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_fp(e, i, X0, i->a);
    op_state(e, i, opc_of(i, r), X0, X0, i->b);
    if ((i->imm2 & 0xffff) != IR_VOP_FADD && (i->imm2 & 0xffff) != IR_VOP_FSUB) /* whose tiny results are exact */
        check_tiny(e, IS_DOUBLE(i), X0);
    if (r->is_signed) {
        sign_mask(e, i, X1);
        x86_v_rrr(e, X86_VPXOR, X0, X0, X1);
    }
    finish(e, i, IS_DOUBLE(i), X0);
}

void vop_fsqrt(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_fp(e, i, X0, i->a);
    x86_v_rrr(e, opc_of(i, r), X0, X0, X0);
    finish(e, i, IS_DOUBLE(i), X0);
}

/* MLA, MLS, NMLA, NMLS: the product is rounded first. */
void vop_mac(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    bool dbl = IS_DOUBLE(i);
    uint32_t add = dbl ? X86_VADDSD : X86_VADDSS, sub = dbl ? X86_VSUBSD : X86_VSUBSS;

    load_fp(e, i, X1, i->a);
    op_state(e, i, opc_of(i, r), X1, X1, i->b);
    check_tiny(e, dbl, X1);
    load_fp(e, i, X0, i->d);
    switch ((enum ir_vop)(i->imm2 & 0xffff)) {
    case IR_VOP_FMLA:
        x86_v_rrr(e, add, X0, X0, X1);
        break;
    case IR_VOP_FMLS:
        x86_v_rrr(e, sub, X0, X0, X1);
        break;
    case IR_VOP_FNMLS: /* -d + product */
        x86_v_rrr(e, sub, X0, X1, X0);
        break;
    default: /* -d - product: not -(d + product), zeros differ */
        sign_mask(e, i, X2);
        x86_v_rrr(e, X86_VPXOR, X0, X0, X2);
        x86_v_rrr(e, sub, X0, X0, X1);
        break;
    }
    finish(e, i, dbl, X0);
}

void vop_fma(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_fp(e, i, X0, i->d);
    load_fp(e, i, X1, i->a);
    op_state(e, i, opc_of(i, r), X0, X1, i->b);
    check_tiny(e, IS_DOUBLE(i), X0);
    finish(e, i, IS_DOUBLE(i), X0);
}

/* FABS (row->is_signed false), FNEG */
void vop_fsign(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_fp(e, i, X0, i->a);
    sign_mask(e, i, X1);
    x86_v_rrr(e, r->is_signed ? X86_VPXOR : X86_VPANDN, X0, r->is_signed ? X0 : X1, r->is_signed ? X1 : X0);
    store_fp(e, IS_DOUBLE(i), i->d, X0);
}

/* Flags as bytes n z c v in one word */
#define CMP_LESS      0x00000001u
#define CMP_EQUAL     0x00010100u
#define CMP_GREATER   0x00010000u
#define CMP_UNORDERED 0x01010000u

/* (u)comis raises Invalid as FCMPE (FCMP) does, and leaves unordered PF, equal ZF, less CF. */
void vop_fcmp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a);

    if (i->b == IR_NONE)
        vop_zero(e, X1);
    x86_v_rr(e, opc_of(i, r), a, i->b == IR_NONE ? X1 : vop_operand(e, i->mem, X1, i->b));
    x86_mov_ri(e, X86_RAX, CMP_LESS);
    x86_mov_ri(e, X86_RCX, CMP_GREATER);
    x86_cmov_rr(e, X86_A, 4, X86_RAX, X86_RCX);
    x86_mov_ri(e, X86_RCX, CMP_EQUAL);
    x86_cmov_rr(e, X86_E, 4, X86_RAX, X86_RCX);
    x86_mov_ri(e, X86_RCX, CMP_UNORDERED);
    x86_cmov_rr(e, X86_P, 4, X86_RAX, X86_RCX);
    store_int(e, i->d);
}

void vop_fcvt(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_fp(e, i, X0, i->a);
    x86_v_rrr(e, opc_of(i, r), X0, X0, X0);
    if (IS_DOUBLE(i))
        check_tiny(e, false, X0);
    finish(e, i, !IS_DOUBLE(i), X0);
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
    int copy = x86_vcache_find(&e->vcache, i->a, 4);

    if (copy >= 0)
        x86_v_rr(e, X86_VMOVD_GX, (unsigned)copy, X86_RAX);
    else
        x86_mov_rm(e, 4, X86_RAX, x86_state(i->a));
    vop_zero(e, X0);
    x86_v_rrr(e, opc_of(i, r) | (r->is_signed ? 0 : X86_VW), X0, X0, X86_RAX);
    store_fp(e, IS_DOUBLE(i), i->d, X0);
}

/* --- vectors of single precision --- */

/* x = magnitude of s less one: denormals are then below 2^23 - 1, the smallest normal number is 2^23 - 1, zero is the largest of all.
 * X5: all ones, X4: all ones but the sign */
static void magnitude(struct x86_emitter *e, unsigned x, unsigned s)
{
    x86_v_rrr(e, X86_VPAND, x, s, X4);
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
    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->b);
    vop_ones(e, X5);
    x86_v_shift(e, X86_VPSRLD_I, X4, X5, 1);
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
    if (r->is_signed)
        x86_vstmxcsr(e, x86_state(i->imm2 >> 16));
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
