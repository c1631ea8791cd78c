/*
 * vop.c: lowering of the IR's vector operations to AVX code on CPU state in memory.
 *
 * One row an operation: a lowering function, and what distinguishes it from its siblings. Operands are loaded, combined in xmm0-xmm4,
 * stored.
 */
#include <arch/x86/vop_impl.h>

void vop_ones(struct x86_emitter *e, unsigned x)
{
    x86_v_rrr(e, X86_VPCMPEQD, x, x, x);
}

void vop_zero(struct x86_emitter *e, unsigned x)
{
    x86_v_rrr(e, X86_VPXOR, x, x, x);
}

void vop_broadcast32(struct x86_emitter *e, unsigned x, uint32_t pattern)
{
    x86_mov_ri(e, X86_RAX, pattern);
    x86_v_rr(e, X86_VMOVD_XG, x, X86_RAX);
    x86_v_rr(e, X86_VPBROADCASTD, x, x);
}

void vop_load_ab(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->b);
}

/* --- bitwise --- */

static void lower_mov(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a), d = x86_vcache_target(e, i->d, i->mem);

    x86_v_rr(e, X86_VMOVAPS, d, a);
    vop_store(e, i->mem, i->d, d);
}

static void lower_bin(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    if (r->opc == X86_VPXOR && i->a == i->b) {
        vop_zero(e, X0);
        vop_store(e, i->mem, i->d, X0);
        return;
    }
    unsigned a = vop_operand(e, i->mem, X0, i->a), d;

    if (i->mem == 16 && !vop_in_parts(e, 16, i->b) && x86_vcache_operand(e, i->b, 16) < 0) {
        d = x86_vcache_target(e, i->d, 16);
        x86_v_rrm(e, r->opc, d, a, x86_state(i->b));
    } else {
        unsigned b = vop_operand(e, i->mem, X1, i->b);
        d = x86_vcache_target(e, i->d, i->mem);
        x86_v_rrr(e, r->opc, d, a, b);
    }
    vop_store(e, i->mem, i->d, d);
}

static void lower_bic(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    x86_v_rrr(e, X86_VPANDN, X0, X1, X0);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_orn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    vop_ones(e, X2);
    x86_v_rrr(e, X86_VPXOR, X1, X1, X2);
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_not(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    vop_ones(e, X1);
    x86_v_rrr(e, X86_VPXOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* d = (mask & yes) | (~mask & no) */
static void select_bits(struct x86_emitter *e, const struct ir_insn *i, unsigned mask, unsigned yes, unsigned no)
{
    x86_v_rrr(e, X86_VPAND, X3, mask, yes);
    x86_v_rrr(e, X86_VPANDN, X4, mask, no);
    x86_v_rrr(e, X86_VPOR, X0, X3, X4);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_bsl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X2, X0, X1);
}

static void lower_bit(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X1, X0, X2);
}

static void lower_bif(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X1, X2, X0);
}

/* --- integer elements --- */

static void lower_neg(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    vop_zero(e, X1);
    x86_v_rrr(e, r->opc, X0, X1, X0);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_abs(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rr(e, r->opc, X0, X0);
    vop_store(e, i->mem, i->d, X0);
}

/* x0 = x0 * x1, low halves; bytes by way of words: even and odd ones */
static void multiply(struct x86_emitter *e, unsigned esize)
{
    if (esize != 8) {
        x86_v_rrr(e, esize == 16 ? X86_VPMULLW : X86_VPMULLD, X0, X0, X1);
        return;
    }
    x86_v_shift(e, X86_VPSRLW_I, X2, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X3, X1, 8);
    x86_v_rrr(e, X86_VPMULLW, X0, X0, X1);
    x86_v_rrr(e, X86_VPMULLW, X2, X2, X3);
    x86_v_shift(e, X86_VPSLLW_I, X0, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X0, X0, 8);
    x86_v_shift(e, X86_VPSLLW_I, X2, X2, 8);
    x86_v_rrr(e, X86_VPOR, X0, X0, X2);
}

/* opc: how the product joins d (0: it does not); opc2 non-zero: d - product */
static void lower_mul(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    multiply(e, r->esize);
    if (r->opc) {
        vop_load(e, i->mem, X1, i->d);
        x86_v_rrr(e, r->opc, X0, X1, X0);
    }
    vop_store(e, i->mem, i->d, X0);
}

/* Sign bits of 32-bit elements: VFNEG inverts, VFABS clears */
static void lower_vsign(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, i->mem, X0, i->a), d = x86_vcache_target(e, i->d, i->mem);

    x86_v_rrm(e, r->opc, d, a, r->opc == X86_VPAND ? VOP_CONSTANT(magnitude_single) : VOP_CONSTANT(sign_single));
    vop_store(e, i->mem, i->d, d);
}

static void invert_and_store(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_ones(e, X1);
    x86_v_rrr(e, X86_VPXOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_tst(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    x86_v_rrr(e, X86_VPAND, X0, X0, X1);
    vop_zero(e, X1);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    invert_and_store(e, i);
}

/* a >= b: not b > a */
static void lower_cges(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    x86_v_rrr(e, r->opc, X0, X1, X0);
    invert_and_store(e, i);
}

/* a > b unsigned: not min(a, b) == a */
static void lower_cgtu(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    x86_v_rrr(e, r->opc, X1, X0, X1);
    x86_v_rrr(e, r->opc2, X0, X0, X1);
    invert_and_store(e, i);
}

/* a >= b unsigned: max(a, b) == a */
static void lower_cgeu(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    x86_v_rrr(e, r->opc, X1, X0, X1);
    x86_v_rrr(e, r->opc2, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* --- the table --- */

#define BIN(vop, opcode)             [IR_VOP_##vop] = {.lower = lower_bin, .opc = X86_##opcode}
#define BIN3(vop, o8, o16, o32)      BIN(vop##8, o8), BIN(vop##16, o16), BIN(vop##32, o32)
#define BIN4(vop, o8, o16, o32, o64) BIN3(vop, o8, o16, o32), BIN(vop##64, o64)
#define OP3(vop, fn, o8, o16, o32)                                                                                                         \
    [IR_VOP_##vop##8] = {.lower = fn, .esize = 8, .opc = X86_##o8}, [IR_VOP_##vop##16] = {.lower = fn, .esize = 16, .opc = X86_##o16},     \
    [IR_VOP_##vop##32] = {.lower = fn, .esize = 32, .opc = X86_##o32}
#define OP3_2(vop, fn, p8, p16, p32, q8, q16, q32)                                                                                         \
    [IR_VOP_##vop##8] = {.lower = fn, .esize = 8, .opc = X86_##p8, .opc2 = X86_##q8},                                                      \
    [IR_VOP_##vop##16] = {.lower = fn, .esize = 16, .opc = X86_##p16, .opc2 = X86_##q16},                                                  \
    [IR_VOP_##vop##32] = {.lower = fn, .esize = 32, .opc = X86_##p32, .opc2 = X86_##q32}
#define SHIFT(vop, fn, sgn, acc)                                                                                                           \
    [IR_VOP_##vop##8] = {fn, 8, sgn, 0, acc}, [IR_VOP_##vop##16] = {fn, 16, sgn, 0, acc}, [IR_VOP_##vop##32] = {fn, 32, sgn, 0, acc},      \
    [IR_VOP_##vop##64] = {fn, 64, sgn, 0, acc}
/* Signed and unsigned; the opcode is that of the wide elements. */
#define WIDE(vop, fn, o16, o32, o64, w)                                                                                                    \
    [IR_VOP_##vop##S8] = {fn, 8, true, o16, w}, [IR_VOP_##vop##S16] = {fn, 16, true, o32, w},                                              \
    [IR_VOP_##vop##S32] = {fn, 32, true, o64, w}, [IR_VOP_##vop##U8] = {fn, 8, false, o16, w},                                             \
    [IR_VOP_##vop##U16] = {fn, 16, false, o32, w}, [IR_VOP_##vop##U32] = {fn, 32, false, o64, w}
/* opc joins a and b first, if there is one; is_signed: rounded */
#define X86_NONE 0
#define NARROW(vop, o16, o32, o64, rounded)                                                                                                \
    [IR_VOP_##vop##8] = {vop_narrow, 8, rounded, X86_##o16, 0}, [IR_VOP_##vop##16] = {vop_narrow, 16, rounded, X86_##o32, 0},              \
    [IR_VOP_##vop##32] = {vop_narrow, 32, rounded, X86_##o64, 0}
#define SATURATING_NARROW(vop, rounded)                                                                                                    \
    [IR_VOP_##vop##NS8] = {vop_qshrn, 8, true, X86_VPACKSSWB, rounded},                                                                    \
    [IR_VOP_##vop##NS16] = {vop_qshrn, 16, true, X86_VPACKSSDW, rounded},                                                                  \
    [IR_VOP_##vop##NU8] = {vop_qshrn, 8, false, X86_VPACKUSWB, rounded},                                                                   \
    [IR_VOP_##vop##NU16] = {vop_qshrn, 16, false, X86_VPACKUSDW, rounded},                                                                 \
    [IR_VOP_##vop##UN8] = {vop_qshrn, 8, true, X86_VPACKUSWB, rounded},                                                                    \
    [IR_VOP_##vop##UN16] = {vop_qshrn, 16, true, X86_VPACKUSDW, rounded}
#define VARIABLE(vop, rounded)                                                                                                             \
    [IR_VOP_##vop##S16] = {vop_shlv16, 16, true, 0, rounded}, [IR_VOP_##vop##S32] = {vop_shlv32, 32, true, 0, rounded},                    \
    [IR_VOP_##vop##U16] = {vop_shlv16, 16, false, 0, rounded}, [IR_VOP_##vop##U32] = {vop_shlv32, 32, false, 0, rounded}
#define FP(vop, fn, single, double_, sgn) [IR_VOP_##vop] = {.lower = fn, .is_signed = sgn, .opc = X86_##single, .opc2 = X86_##double_}

static const struct vop_row rows[IR_VOP_COUNT] = {
    [IR_VOP_MOV] = {.lower = lower_mov},
    BIN(AND, VPAND),
    BIN(ORR, VPOR),
    BIN(EOR, VPXOR),
    [IR_VOP_BIC] = {.lower = lower_bic},
    [IR_VOP_ORN] = {.lower = lower_orn},
    [IR_VOP_NOT] = {.lower = lower_not},
    [IR_VOP_BSL] = {.lower = lower_bsl},
    [IR_VOP_BIT] = {.lower = lower_bit},
    [IR_VOP_BIF] = {.lower = lower_bif},

    BIN4(ADD, VPADDB, VPADDW, VPADDD, VPADDQ),
    BIN4(SUB, VPSUBB, VPSUBW, VPSUBD, VPSUBQ),
    OP3(NEG, lower_neg, VPSUBB, VPSUBW, VPSUBD),
    OP3(ABS, lower_abs, VPABSB, VPABSW, VPABSD),
    [IR_VOP_MUL8] = {.lower = lower_mul, .esize = 8},
    [IR_VOP_MUL16] = {.lower = lower_mul, .esize = 16},
    [IR_VOP_MUL32] = {.lower = lower_mul, .esize = 32},
    OP3(MLA, lower_mul, VPADDB, VPADDW, VPADDD),
    OP3(MLS, lower_mul, VPSUBB, VPSUBW, VPSUBD),
    BIN3(MAXS, VPMAXSB, VPMAXSW, VPMAXSD),
    BIN3(MAXU, VPMAXUB, VPMAXUW, VPMAXUD),
    BIN3(MINS, VPMINSB, VPMINSW, VPMINSD),
    BIN3(MINU, VPMINUB, VPMINUW, VPMINUD),

    BIN3(CEQ, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    OP3(CTST, lower_tst, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    BIN3(CGTS, VPCMPGTB, VPCMPGTW, VPCMPGTD),
    OP3(CGES, lower_cges, VPCMPGTB, VPCMPGTW, VPCMPGTD),
    OP3_2(CGTU, lower_cgtu, VPMINUB, VPMINUW, VPMINUD, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    OP3_2(CGEU, lower_cgeu, VPMAXUB, VPMAXUW, VPMAXUD, VPCMPEQB, VPCMPEQW, VPCMPEQD),

    SHIFT(SHL, vop_shl, false, 0),
    SHIFT(SHRU, vop_shr, false, 0),
    SHIFT(SHRS, vop_shr, true, 0),
    SHIFT(SRAU, vop_shr, false, 1),
    SHIFT(SRAS, vop_shr, true, 1),
    SHIFT(SLI, vop_sli, false, 0),
    SHIFT(SRI, vop_sri, false, 0),

    [IR_VOP_REV16_8] = {.lower = vop_rev16_8},
    [IR_VOP_REV32_8] = {.lower = vop_rev_bytes, .esize = 32},
    [IR_VOP_REV64_8] = {.lower = vop_rev_bytes, .esize = 64},
    [IR_VOP_REV32_16] = {.lower = vop_shuffle16, .opc2 = 0xb1},
    [IR_VOP_REV64_16] = {.lower = vop_shuffle16, .opc2 = 0x1b},
    [IR_VOP_REV64_32] = {.lower = vop_rev64_32},
    [IR_VOP_EXT] = {.lower = vop_ext},
    OP3(DUP, vop_dup, VPBROADCASTB, VPBROADCASTW, VPBROADCASTD),
    [IR_VOP_SWP] = {.lower = vop_swp},
    OP3_2(ZIP, vop_zip, VPUNPCKLBW, VPUNPCKLWD, VPUNPCKLDQ, VPUNPCKHBW, VPUNPCKHWD, VPUNPCKHDQ),
    [IR_VOP_UZP8] = {.lower = vop_uzp, .esize = 8, .opc = X86_VPACKUSWB},
    [IR_VOP_UZP16] = {.lower = vop_uzp, .esize = 16, .opc = X86_VPACKUSDW},
    [IR_VOP_UZP32] = {.lower = vop_uzp32},
    [IR_VOP_TRN8] = {.lower = vop_trn, .esize = 8},
    [IR_VOP_TRN16] = {.lower = vop_trn, .esize = 16},
    [IR_VOP_TRN32] = {.lower = vop_trn, .esize = 32},
    [IR_VOP_TBL1] = {.lower = vop_tbl, .opc2 = 8},
    [IR_VOP_TBL2] = {.lower = vop_tbl, .opc2 = 16},
    [IR_VOP_TBL3] = {.lower = vop_tbl, .opc2 = 24},
    [IR_VOP_TBL4] = {.lower = vop_tbl, .opc2 = 32},

    WIDE(MOVL, vop_movl, 0, 0, 0, 0),
    WIDE(ADDL, vop_wide, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 0),
    WIDE(SUBL, vop_wide, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 0),
    WIDE(ADDW, vop_wide, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 1),
    WIDE(SUBW, vop_wide, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 1),
    WIDE(MULL, vop_mull, 0, 0, 0, 0),
    WIDE(MLAL, vop_mull, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 0),
    WIDE(MLSL, vop_mull, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 0),
    NARROW(SHRN, NONE, NONE, NONE, false),
    NARROW(RSHRN, NONE, NONE, NONE, true),
    NARROW(ADDHN, VPADDW, VPADDD, VPADDQ, false),
    NARROW(SUBHN, VPSUBW, VPSUBD, VPSUBQ, false),
    NARROW(RADDHN, VPADDW, VPADDD, VPADDQ, true),
    NARROW(RSUBHN, VPSUBW, VPSUBD, VPSUBQ, true),

    SHIFT(RSHRS, vop_rshr, true, 0),
    SHIFT(RSHRU, vop_rshr, false, 0),
    BIN(AVGU8, VPAVGB),
    BIN(AVGU16, VPAVGW),
    VARIABLE(SHLV, 0),
    VARIABLE(RSHLV, 1),
    OP3_2(ABDS, vop_abd, VPMAXSB, VPMAXSW, VPMAXSD, VPMINSB, VPMINSW, VPMINSD),
    OP3_2(ABDU, vop_abd, VPMAXUB, VPMAXUW, VPMAXUD, VPMINUB, VPMINUW, VPMINUD),
    OP3_2(ABAS, vop_aba, VPMAXSB, VPMAXSW, VPMAXSD, VPMINSB, VPMINSW, VPMINSD),
    OP3_2(ABAU, vop_aba, VPMAXUB, VPMAXUW, VPMAXUD, VPMINUB, VPMINUW, VPMINUD),
    OP3_2(ABDLS, vop_abdl, VPMAXSB, VPMAXSW, VPMAXSD, VPMINSB, VPMINSW, VPMINSD),
    OP3_2(ABDLU, vop_abdl, VPMAXUB, VPMAXUW, VPMAXUD, VPMINUB, VPMINUW, VPMINUD),
    OP3_2(ABALS, vop_abal, VPMAXSB, VPMAXSW, VPMAXSD, VPMINSB, VPMINSW, VPMINSD),
    OP3_2(ABALU, vop_abal, VPMAXUB, VPMAXUW, VPMAXUD, VPMINUB, VPMINUW, VPMINUD),
    OP3(PADD, vop_pair, VPADDB, VPADDW, VPADDD),
    OP3(PMAXS, vop_pair, VPMAXSB, VPMAXSW, VPMAXSD),
    OP3(PMAXU, vop_pair, VPMAXUB, VPMAXUW, VPMAXUD),
    OP3(PMINS, vop_pair, VPMINSB, VPMINSW, VPMINSD),
    OP3(PMINU, vop_pair, VPMINUB, VPMINUW, VPMINUD),
    WIDE(PADDL, vop_paddl, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 0),
    WIDE(PADAL, vop_paddl, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 1),

    FP(FADD, vop_arith, VADDSS, VADDSD, false),
    FP(FSUB, vop_arith, VSUBSS, VSUBSD, false),
    FP(FMUL, vop_arith, VMULSS, VMULSD, false),
    FP(FNMUL, vop_arith, VMULSS, VMULSD, true),
    FP(FDIV, vop_arith, VDIVSS, VDIVSD, false),
    FP(FSQRT, vop_fsqrt, VSQRTSS, VSQRTSD, false),
    FP(FMLA, vop_mac, VMULSS, VMULSD, false),
    FP(FMLS, vop_mac, VMULSS, VMULSD, false),
    FP(FNMLA, vop_mac, VMULSS, VMULSD, false),
    FP(FNMLS, vop_mac, VMULSS, VMULSD, false),
    FP(FFMA, vop_fma, VFMADD231SS, VFMADD231SD, false),
    FP(FFMS, vop_fma, VFNMADD231SS, VFNMADD231SD, false),
    FP(FFNMA, vop_fma, VFNMSUB231SS, VFNMSUB231SD, false),
    FP(FFNMS, vop_fma, VFMSUB231SS, VFMSUB231SD, false),
    [IR_VOP_QADDS8] = {.lower = vop_saturating, .opc = X86_VPADDSB, .opc2 = X86_VPADDB},
    [IR_VOP_QADDS16] = {.lower = vop_saturating, .opc = X86_VPADDSW, .opc2 = X86_VPADDW},
    [IR_VOP_QADDU8] = {.lower = vop_saturating, .opc = X86_VPADDUSB, .opc2 = X86_VPADDB},
    [IR_VOP_QADDU16] = {.lower = vop_saturating, .opc = X86_VPADDUSW, .opc2 = X86_VPADDW},
    [IR_VOP_QSUBS8] = {.lower = vop_saturating, .opc = X86_VPSUBSB, .opc2 = X86_VPSUBB},
    [IR_VOP_QSUBS16] = {.lower = vop_saturating, .opc = X86_VPSUBSW, .opc2 = X86_VPSUBW},
    [IR_VOP_QSUBU8] = {.lower = vop_saturating, .opc = X86_VPSUBUSB, .opc2 = X86_VPSUBB},
    [IR_VOP_QSUBU16] = {.lower = vop_saturating, .opc = X86_VPSUBUSW, .opc2 = X86_VPSUBW},
    OP3_2(QABS, vop_qabs, VPABSB, VPABSW, VPABSD, VPADDB, VPADDW, VPADDD),
    OP3_2(QNEG, vop_qneg, VPSUBB, VPSUBW, VPSUBD, VPADDB, VPADDW, VPADDD),
    SATURATING_NARROW(QSHR, 0),
    SATURATING_NARROW(QRSHR, 1),
    [IR_VOP_VFADD] = {.lower = vop_vector_fp, .opc = X86_VADDPS},
    [IR_VOP_VFSUB] = {.lower = vop_vector_fp, .opc = X86_VSUBPS},
    [IR_VOP_VFMUL] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true},
    [IR_VOP_VFMLA] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true, .opc2 = X86_VADDPS},
    [IR_VOP_VFMLS] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true, .opc2 = X86_VSUBPS},
    [IR_VOP_VFABS] = {.lower = lower_vsign, .opc = X86_VPAND},
    [IR_VOP_VFNEG] = {.lower = lower_vsign, .opc = X86_VPXOR},
    [IR_VOP_FABS] = {.lower = vop_fsign},
    [IR_VOP_FNEG] = {.lower = vop_fsign, .is_signed = true},
    FP(FCMP, vop_fcmp, VUCOMISS, VUCOMISD, false),
    FP(FCMPE, vop_fcmp, VCOMISS, VCOMISD, false),
    FP(FCVT, vop_fcvt, VCVTSS2SD, VCVTSD2SS, false),
    FP(FTOS, vop_fto_int, VCVTTSS2SI, VCVTTSD2SI, true),
    FP(FTOU, vop_fto_int, VCVTTSS2SI, VCVTTSD2SI, false),
    FP(FFROMS, vop_ffrom_int, VCVTSI2SS, VCVTSI2SD, true),
    FP(FFROMU, vop_ffrom_int, VCVTSI2SS, VCVTSI2SD, false),
};

bool x86_vop_clobbers(const struct ir_insn *i)
{
    unsigned vop = i->imm2 & 0xffff;
    const struct vop_row *r = &rows[vop < IR_VOP_COUNT ? vop : 0];

    if (vop >= IR_VOP_FADD)
        return r->lower != vop_fsign && r->lower != lower_vsign;
    if (r->lower == vop_shl || r->lower == vop_shr || r->lower == vop_rshr || r->lower == vop_sli || r->lower == vop_sri)
        return r->esize == 8 || (r->is_signed && r->esize == 64); /* constants by way of rax */
    return r->lower == vop_rev_bytes || r->lower == vop_tbl;
}

bool x86_lower_vop(struct x86_emitter *e, const struct ir_insn *i)
{
    unsigned vop = i->imm2 & 0xffff;

    if (vop >= IR_VOP_COUNT || !rows[vop].lower)
        return false;
    rows[vop].lower(e, i, &rows[vop]);
    return true;
}
