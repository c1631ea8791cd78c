/*
 * translate_neon.c: Advanced SIMD data processing to IR: operations on three registers, by scalar, with a shift amount.
 *
 * Each operation is either a vector operation of the IR, inline, or a call of its helper; tables say which, by element size and signedness.
 * A scalar operand is first repeated into scratch state, then the operation is the one on vectors.
 */
#include <arch/arm/neon.h>
#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>
#include <arch/arm/translate_neon.h>

static uint32_t off_reg(unsigned r)
{
    return off_d(r);
} /* also of scratch numbers */

static void call(struct arm_translator *t, ir_helper fn, uint32_t imm)
{
    tr_call(t, fn, IR_NONE, IR_NONE, IR_NONE, imm, 0, 0);
}

void tr_n_undef(struct arm_translator *t, const struct arm_insn *i)
{
    tr_undef(t, i);
}

/* --- three registers of the same length --- */

#define S8     1u
#define S16    2u
#define S32    4u
#define S64    8u
#define S_8_32 7u
#define S_ALL  15u

static const struct {
    uint16_t vop, vop_u; /* for 8-bit elements, the others follow; 0: sequence (emit_sequence()) or helper */
    uint8_t helper;      /* enum neon_op, enum neon_fop for floats */
    uint8_t sizes;       /* allowed */
    bool unsized;        /* one vop for all */
    bool as_unsigned;    /* helper in the unsigned half although there is no U */
    bool doubleword;     /* no quad form */
} same[TS_COUNT] = {
    [TS_HADD] = {.sizes = S_8_32},
    [TS_QADD] = {.helper = NEON_QADD, .sizes = S_ALL},
    [TS_RHADD] = {.sizes = S_8_32},
    [TS_AND] = {.vop = IR_VOP_AND, .unsized = true, .sizes = S_ALL},
    [TS_BIC] = {.vop = IR_VOP_BIC, .unsized = true, .sizes = S_ALL},
    [TS_ORR] = {.vop = IR_VOP_ORR, .unsized = true, .sizes = S_ALL},
    [TS_ORN] = {.vop = IR_VOP_ORN, .unsized = true, .sizes = S_ALL},
    [TS_EOR] = {.vop = IR_VOP_EOR, .unsized = true, .sizes = S_ALL},
    [TS_BSL] = {.vop = IR_VOP_BSL, .unsized = true, .sizes = S_ALL},
    [TS_BIT] = {.vop = IR_VOP_BIT, .unsized = true, .sizes = S_ALL},
    [TS_BIF] = {.vop = IR_VOP_BIF, .unsized = true, .sizes = S_ALL},
    [TS_HSUB] = {.sizes = S_8_32},
    [TS_QSUB] = {.helper = NEON_QSUB, .sizes = S_ALL},
    [TS_CGT] = {.vop = IR_VOP_CGTS8, .vop_u = IR_VOP_CGTU8, .sizes = S_8_32},
    [TS_CGE] = {.vop = IR_VOP_CGES8, .vop_u = IR_VOP_CGEU8, .sizes = S_8_32},
    [TS_SHL] = {.helper = NEON_SHL, .sizes = S_ALL},
    [TS_QSHL] = {.helper = NEON_QSHL, .sizes = S_ALL},
    [TS_RSHL] = {.helper = NEON_RSHL, .sizes = S_ALL},
    [TS_QRSHL] = {.helper = NEON_QRSHL, .sizes = S_ALL},
    [TS_MAX] = {.vop = IR_VOP_MAXS8, .vop_u = IR_VOP_MAXU8, .sizes = S_8_32},
    [TS_MIN] = {.vop = IR_VOP_MINS8, .vop_u = IR_VOP_MINU8, .sizes = S_8_32},
    [TS_ABD] = {.vop = IR_VOP_ABDS8, .vop_u = IR_VOP_ABDU8, .sizes = S_8_32},
    [TS_ABA] = {.vop = IR_VOP_ABAS8, .vop_u = IR_VOP_ABAU8, .sizes = S_8_32},
    [TS_ADD] = {.vop = IR_VOP_ADD8, .sizes = S_ALL},
    [TS_SUB] = {.vop = IR_VOP_SUB8, .sizes = S_ALL},
    [TS_TST] = {.vop = IR_VOP_CTST8, .sizes = S_8_32},
    [TS_CEQ] = {.vop = IR_VOP_CEQ8, .sizes = S_8_32},
    [TS_MLA] = {.vop = IR_VOP_MLA8, .sizes = S_8_32},
    [TS_MLS] = {.vop = IR_VOP_MLS8, .sizes = S_8_32},
    [TS_MUL] = {.vop = IR_VOP_MUL8, .sizes = S_8_32},
    [TS_PMUL] = {.helper = NEON_PMUL, .sizes = S8, .as_unsigned = true},
    [TS_PMAX] = {.vop = IR_VOP_PMAXS8, .vop_u = IR_VOP_PMAXU8, .sizes = S_8_32, .doubleword = true},
    [TS_PMIN] = {.vop = IR_VOP_PMINS8, .vop_u = IR_VOP_PMINU8, .sizes = S_8_32, .doubleword = true},
    [TS_QDMULH] = {.helper = NEON_QDMULH, .sizes = S16 | S32},
    [TS_QRDMULH] = {.helper = NEON_QRDMULH, .sizes = S16 | S32},
    [TS_PADD] = {.vop = IR_VOP_PADD8, .sizes = S_8_32, .doubleword = true},
    [TS_FFMA] = {.helper = NEON_FFMA},
    [TS_FFMS] = {.helper = NEON_FFMS},
    [TS_FADD] = {.helper = NEON_FADD},
    [TS_FSUB] = {.helper = NEON_FSUB},
    [TS_FPADD] = {.helper = NEON_FPADD, .doubleword = true},
    [TS_FABD] = {.helper = NEON_FABD},
    [TS_FMLA] = {.helper = NEON_FMLA},
    [TS_FMLS] = {.helper = NEON_FMLS},
    [TS_FMUL] = {.helper = NEON_FMUL},
    [TS_FCEQ] = {.helper = NEON_FCEQ},
    [TS_FCGE] = {.helper = NEON_FCGE},
    [TS_FCGT] = {.helper = NEON_FCGT},
    [TS_FACGE] = {.helper = NEON_FACGE},
    [TS_FACGT] = {.helper = NEON_FACGT},
    [TS_FMAX] = {.helper = NEON_FMAX},
    [TS_FMIN] = {.helper = NEON_FMIN},
    [TS_FPMAX] = {.helper = NEON_FPMAX, .doubleword = true},
    [TS_FPMIN] = {.helper = NEON_FPMIN, .doubleword = true},
    [TS_FRECPS] = {.helper = NEON_FRECPS},
    [TS_FRSQRTS] = {.helper = NEON_FRSQRTS},
};

/* Operations as sequences of others, by way of scratch state; n, m: offsets. Neither is scratch. */
static bool emit_sequence(struct arm_translator *t, unsigned op, unsigned lg, bool u, unsigned bytes, uint32_t d, uint32_t n, uint32_t m)
{
    uint32_t x = off_scratch(0), y = off_scratch(2);
    unsigned shr1 = (u ? IR_VOP_SHRU8 : IR_VOP_SHRS8) + lg, add = IR_VOP_ADD8 + lg, sub = IR_VOP_SUB8 + lg;

    switch (op) {
    case TS_HADD:  /* (n & m) + ((n ^ m) >> 1) */
    case TS_RHADD: /* (n | m) - ((n ^ m) >> 1) */
        fp_vop(t, op == TS_HADD ? IR_VOP_AND : IR_VOP_ORR, bytes, x, n, m, 0);
        fp_vop(t, IR_VOP_EOR, bytes, y, n, m, 0);
        fp_vop(t, shr1, bytes, y, y, IR_NONE, 1);
        fp_vop(t, op == TS_HADD ? add : sub, bytes, d, x, y, 0);
        return true;
    case TS_HSUB: /* ((n ^ m) >> 1) - (m & ~n) */
        fp_vop(t, IR_VOP_EOR, bytes, x, n, m, 0);
        fp_vop(t, shr1, bytes, x, x, IR_NONE, 1);
        fp_vop(t, IR_VOP_BIC, bytes, y, m, n, 0);
        fp_vop(t, sub, bytes, d, x, y, 0);
        return true;
    default:
        return false;
    }
}

void tr_n_saturating(struct arm_translator *t, enum ir_vop vop, unsigned bytes, uint32_t d, uint32_t a, uint32_t b, uint32_t imm)
{
    _Static_assert(FPSCR_QC == BIT(27) && 8 * ARM_OFF(fpscr) + 27 <= 0xffff, "the number of a bit of state, in 16 bits");

    fp_vop(t, vop, bytes, d, a, b, imm)->imm2 |= (8 * ARM_OFF(fpscr) + 27) << 16;
}

/* Inline forms that not all sizes have, 0 for the others */
static unsigned inline_some(unsigned op, unsigned lg, bool u)
{
    switch (op) {
    case TS_RHADD:
        return u && lg < 2 ? IR_VOP_AVGU8 + lg : 0;
    case TS_SHL:
        return lg == 1 || lg == 2 ? (u ? IR_VOP_SHLVU16 : IR_VOP_SHLVS16) + lg - 1 : 0;
    case TS_RSHL:
        return lg == 1 || lg == 2 ? (u ? IR_VOP_RSHLVU16 : IR_VOP_RSHLVS16) + lg - 1 : 0;
    default:
        return 0;
    }
}

/* Inline forms of float operations that have one, 0 otherwise; and whether their fix-up needs MXCSR as it was. */
static unsigned inline_float(unsigned op, bool *mxcsr)
{
    *mxcsr = op == TS_FMUL || op == TS_FMLA || op == TS_FMLS;
    switch (op) {
    case TS_FADD:
        return IR_VOP_VFADD;
    case TS_FSUB:
        return IR_VOP_VFSUB;
    case TS_FMUL:
        return IR_VOP_VFMUL;
    case TS_FMLA:
        return IR_VOP_VFMLA;
    case TS_FMLS:
        return IR_VOP_VFMLS;
    default:
        return 0;
    }
}

/* Register numbers may be scratch; the operation is known to be allowed. */
static void emit_same(struct arm_translator *t, unsigned op, unsigned lg, bool u, bool quad, unsigned d, unsigned n, unsigned m)
{
    unsigned bytes = quad ? 16 : 8;
    bool saturating = (op == TS_QADD || op == TS_QSUB) && lg < 2, mxcsr;
    unsigned vop;

    if (op >= TS_FIRST_FLOAT && !(t->flags & ARM_BF_VFP_RM) && (vop = inline_float(op, &mxcsr))) {
        struct ir_insn *x =
            fp_vop(t, vop, bytes, off_reg(d), off_reg(n), off_reg(m), neon_pack(d, n, m, quad, mxcsr ? NEON_FIXUP_MXCSR : NEON_FIXUP));
        x->fn = arm_neon_fhelpers[same[op].helper];
        x->imm2 |= off_scratch(NEON_MXCSR_SLOT) << 16;
    } else if (op >= TS_FIRST_FLOAT) {
        call(t, arm_neon_fhelpers[same[op].helper], neon_pack(d, n, m, quad, 0));
    } else if (op == TS_ORR && n == m) {
        fp_vop(t, IR_VOP_MOV, bytes, off_reg(d), off_reg(n), IR_NONE, 0);
    } else if (same[op].vop) {
        vop = u && same[op].vop_u ? same[op].vop_u : same[op].vop;
        fp_vop(t, vop + (same[op].unsized ? 0 : lg), bytes, off_reg(d), off_reg(n), off_reg(m), 0);
    } else if (saturating) {
        vop = (op == TS_QADD ? (u ? IR_VOP_QADDU8 : IR_VOP_QADDS8) : (u ? IR_VOP_QSUBU8 : IR_VOP_QSUBS8)) + lg;
        tr_n_saturating(t, vop, bytes, off_reg(d), off_reg(n), off_reg(m), 0);
    } else if ((vop = inline_some(op, lg, u))) {
        fp_vop(t, vop, bytes, off_reg(d), off_reg(n), off_reg(m), 0);
    } else if (!emit_sequence(t, op, lg, u, bytes, off_reg(d), off_reg(n), off_reg(m))) {
        call(t, arm_neon_helpers[same[op].helper][lg + (u || same[op].as_unsigned ? 4 : 0)], neon_pack(d, n, m, quad, 0));
    }
}

void tr_n_three_same(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned op = i->row->arg, lg = ARM_F(i, 's'), d = reg_d(i, 'd', 'D'), n = reg_d(i, 'n', 'N'), m = reg_d(i, 'm', 'M');
    bool quad = ARM_F(i, 'Q');

    if ((op < TS_FIRST_FLOAT && !(same[op].sizes >> lg & 1)) || (quad && (same[op].doubleword || (d | n | m) & 1))) {
        tr_undef(t, i);
    } else {
        fp_check(t);
        emit_same(t, op, lg, ARM_F(i, 'U'), quad, d, n, m);
    }
}

/* --- three registers of different lengths --- */

enum shape { LONG, WIDE, NARROW };

static const struct {
    uint16_t vop, vop_u;
    uint8_t helper, shape;
    bool as_unsigned;
} diff[TD_COUNT] = {
    [TD_ADDL] = {IR_VOP_ADDLS8, IR_VOP_ADDLU8, 0, LONG, false},
    [TD_ADDW] = {IR_VOP_ADDWS8, IR_VOP_ADDWU8, 0, WIDE, false},
    [TD_SUBL] = {IR_VOP_SUBLS8, IR_VOP_SUBLU8, 0, LONG, false},
    [TD_SUBW] = {IR_VOP_SUBWS8, IR_VOP_SUBWU8, 0, WIDE, false},
    [TD_ADDHN] = {IR_VOP_ADDHN8, IR_VOP_ADDHN8, 0, NARROW, false},
    [TD_RADDHN] = {IR_VOP_RADDHN8, IR_VOP_RADDHN8, 0, NARROW, false},
    [TD_ABAL] = {IR_VOP_ABALS8, IR_VOP_ABALU8, 0, LONG, false},
    [TD_SUBHN] = {IR_VOP_SUBHN8, IR_VOP_SUBHN8, 0, NARROW, false},
    [TD_RSUBHN] = {IR_VOP_RSUBHN8, IR_VOP_RSUBHN8, 0, NARROW, false},
    [TD_ABDL] = {IR_VOP_ABDLS8, IR_VOP_ABDLU8, 0, LONG, false},
    [TD_MLAL] = {IR_VOP_MLALS8, IR_VOP_MLALU8, 0, LONG, false},
    [TD_QDMLAL] = {0, 0, NEON_QDMLAL, LONG, false},
    [TD_MLSL] = {IR_VOP_MLSLS8, IR_VOP_MLSLU8, 0, LONG, false},
    [TD_QDMLSL] = {0, 0, NEON_QDMLSL, LONG, false},
    [TD_MULL] = {IR_VOP_MULLS8, IR_VOP_MULLU8, 0, LONG, false},
    [TD_QDMULL] = {0, 0, NEON_QDMULL, LONG, false},
    [TD_PMULL] = {0, 0, NEON_PMULL, LONG, true},
};

static ir_helper diff_helper(unsigned op, unsigned lg, bool u)
{
    return arm_neon_helpers[diff[op].helper][lg + (u || diff[op].as_unsigned ? 4 : 0)];
}

static bool diff_allowed(unsigned op, unsigned lg, bool u, unsigned d, unsigned n, unsigned m)
{
    if (!diff[op].vop && !diff_helper(op, lg, u))
        return false;
    return !((diff[op].shape != NARROW ? d : 0) & 1) && !((diff[op].shape != LONG ? n : 0) & 1) &&
           !((diff[op].shape == NARROW ? m : 0) & 1);
}

static void emit_diff(struct arm_translator *t, unsigned op, unsigned lg, bool u, unsigned d, unsigned n, unsigned m)
{
    unsigned vop = (u ? diff[op].vop_u : diff[op].vop) + lg;

    if (diff[op].vop)
        fp_vop(t, vop, diff[op].shape == NARROW ? 8 : 16, off_reg(d), off_reg(n), off_reg(m), 0);
    else
        call(t, diff_helper(op, lg, u), neon_pack(d, n, m, true, 0));
}

void tr_n_three_diff(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned op = i->row->arg, lg = ARM_F(i, 's'), d = reg_d(i, 'd', 'D'), n = reg_d(i, 'n', 'N'), m = reg_d(i, 'm', 'M');
    bool u = ARM_F(i, 'U');

    if (lg == 3 || !diff_allowed(op, lg, u, d, n, m)) {
        tr_undef(t, i);
    } else {
        fp_check(t);
        emit_diff(t, op, lg, u, d, n, m);
    }
}

/* --- two registers and a scalar --- */

static void repeat(struct arm_translator *t, unsigned lg, uint32_t dest, unsigned bytes, unsigned m, unsigned index)
{
    static const uint16_t dup[] = {IR_VOP_DUP8, IR_VOP_DUP16, IR_VOP_DUP32};

    fp_vop(t, dup[lg], bytes, dest, off_d(m) + (index << lg), IR_NONE, 0);
}

void tr_n_scalar(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned op = i->row->arg & 0xff, lg = ARM_F(i, 's'), d = reg_d(i, 'd', 'D'), n = reg_d(i, 'n', 'N');
    unsigned m = lg == 1 ? ARM_F(i, 'm') & 7 : ARM_F(i, 'm'), index = lg == 1 ? ARM_F(i, 'M') << 1 | ARM_F(i, 'm') >> 3 : ARM_F(i, 'M');
    bool is_same = i->row->arg & SC_SAME, quad = ARM_F(i, 'Q'), u = ARM_F(i, 'U'), bad = lg == 0 || lg == 3;

    if (is_same)
        bad |= (op >= TS_FIRST_FLOAT && lg != 2) || (quad && (d | n) & 1);
    else
        bad |= !diff_allowed(op, lg, u, d, n, 0);
    if (bad) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    repeat(t, lg, off_scratch(0), 16, m, index);
    if (is_same)
        emit_same(t, op, lg, false, quad, d, n, NEON_SCRATCH);
    else
        emit_diff(t, op, lg, u, d, n, NEON_SCRATCH);
}

/* --- a register and a shift amount --- */

void tr_n_shift_imm(struct arm_translator *t, const struct arm_insn *i)
{
    static const struct {
        uint16_t vop, vop_u;
        uint8_t helper; /* without vop, and where narrowing from 64 bits saturates */
        bool left;
    } ops[] = {
        [SI_SHR] = {.vop = IR_VOP_SHRS8, .vop_u = IR_VOP_SHRU8},
        [SI_SRA] = {.vop = IR_VOP_SRAS8, .vop_u = IR_VOP_SRAU8},
        [SI_RSHR] = {.vop = IR_VOP_RSHRS8, .vop_u = IR_VOP_RSHRU8},
        [SI_RSRA] = {.vop = IR_VOP_RSHRS8, .vop_u = IR_VOP_RSHRU8}, /* and added */
        [SI_SRI] = {.vop = IR_VOP_SRI8, .vop_u = IR_VOP_SRI8},
        [SI_SHL] = {.vop = IR_VOP_SHL8, .left = true},
        [SI_SLI] = {.vop = IR_VOP_SLI8, .vop_u = IR_VOP_SLI8, .left = true},
        [SI_QSHLU] = {.helper = NEON_QSHLU, .left = true},
        [SI_QSHL] = {.helper = NEON_QSHLI, .left = true},
        [SI_SHRN] = {.vop = IR_VOP_SHRN8},
        [SI_RSHRN] = {.vop = IR_VOP_RSHRN8},
        [SI_QSHRUN] = {.vop = IR_VOP_QSHRUN8, .helper = NEON_QSHRUN},
        [SI_QRSHRUN] = {.vop = IR_VOP_QRSHRUN8, .helper = NEON_QRSHRUN},
        [SI_QSHRN] = {.vop = IR_VOP_QSHRNS8, .vop_u = IR_VOP_QSHRNU8, .helper = NEON_QSHRN},
        [SI_QRSHRN] = {.vop = IR_VOP_QRSHRNS8, .vop_u = IR_VOP_QRSHRNU8, .helper = NEON_QRSHRN},
        [SI_SHLL] = {.vop = IR_VOP_MOVLS8, .vop_u = IR_VOP_MOVLU8, .left = true},
    };
    unsigned op = i->row->arg, imm = ARM_F(i, 'i'), d = reg_d(i, 'd', 'D'), m = reg_d(i, 'm', 'M');
    bool quad = ARM_F(i, 'Q'), u = ARM_F(i, 'U'), narrow = op >= SI_SHRN && op <= SI_QRSHRN;
    unsigned lg = ARM_F(i, 'L') ? 3 : imm >> 5 ? 2 : imm >> 4 ? 1 : 0, esize = 8u << lg;
    unsigned field = ARM_F(i, 'L') ? imm : imm & (esize - 1); /* without the bits that tell the size */
    unsigned amount = ops[op].left ? field : esize - field;

    if ((quad && (d | m) & 1) || (narrow && m & 1) || (op == SI_SHLL && d & 1)) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    unsigned vop = (u ? ops[op].vop_u : ops[op].vop) + lg, bytes = quad ? 16 : 8;
    if (!ops[op].vop || (ops[op].helper && lg == 2)) {
        call(t, arm_neon_helpers[ops[op].helper][lg + (u ? 4 : 0)], neon_pack(d, 0, m, quad, amount));
    } else if (ops[op].helper) {
        tr_n_saturating(t, vop, 8, off_d(d), off_d(m), IR_NONE, amount);
    } else if (op == SI_RSRA) {
        fp_vop(t, vop, bytes, off_scratch(0), off_d(m), IR_NONE, amount);
        fp_vop(t, IR_VOP_ADD8 + lg, bytes, off_d(d), off_d(d), off_scratch(0), 0);
    } else if (op == SI_SHLL) {
        fp_vop(t, vop, 16, off_d(d), off_d(m), IR_NONE, 0);
        if (amount)
            fp_vop(t, IR_VOP_SHL16 + lg, 16, off_d(d), off_d(d), IR_NONE, amount);
    } else {
        fp_vop(t, vop, bytes, off_d(d), off_d(m), IR_NONE, amount);
    }
}

void tr_n_fixed(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned imm = ARM_F(i, 'i'), d = reg_d(i, 'd', 'D'), m = reg_d(i, 'm', 'M');
    bool quad = ARM_F(i, 'Q'), u = ARM_F(i, 'U');
    unsigned op = ARM_F(i, 'o') ? (u ? NEON_FTOU : NEON_FTOS) : (u ? NEON_FFROMU : NEON_FFROMS);

    if (!(imm & 32) || (quad && (d | m) & 1)) {
        tr_undef(t, i);
    } else {
        fp_check(t);
        call(t, arm_neon_fhelpers[op], neon_pack(d, 0, m, quad, 64 - imm));
    }
}

/* --- an immediate --- */

/* AdvSIMDExpandImm(): the value of 64 bits */
static uint64_t expand_imm(unsigned op, unsigned cmode, uint32_t imm8)
{
    uint64_t v = 0;

    switch (cmode >> 1) {
    case 0:
    case 1:
    case 2:
    case 3:
        v = imm8 << (cmode >> 1) * 8;
        break;
    case 4:
    case 5:
        v = imm8 << (cmode >> 1 & 1) * 8;
        v |= v << 16;
        break;
    case 6:
        v = cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff;
        break;
    default:
        if (cmode & 1) {
            v = (imm8 & 0x80) << 24 | (imm8 & 0x40 ? 0x3e000000u : 0x40000000u) | (imm8 & 0x3f) << 19;
        } else if (op) {
            for (unsigned k = 0; k < 8; k++)
                v |= imm8 >> k & 1 ? 0xffull << 8 * k : 0;
            return v;
        } else {
            v = imm8 * 0x01010101u;
        }
    }
    return v | v << 32;
}

static void store_word(struct arm_translator *t, uint32_t off, uint32_t value)
{
    struct ir_insn *x = tr_emit(t, IR_OP_STE);
    x->imm = off;
    x->imm2 = value;
    x->mem = 4;
}

/* The doubleword v, repeated, in state at off */
static void set_vector(struct arm_translator *t, uint32_t off, unsigned bytes, uint64_t v)
{
    if (v == 0) {
        fp_vop(t, IR_VOP_EOR, bytes, off, off, off, 0);
    } else if ((uint32_t)v == v >> 32) {
        store_word(t, off_scratch(4), (uint32_t)v);
        fp_vop(t, IR_VOP_DUP32, bytes, off, off_scratch(4), IR_NONE, 0);
    } else {
        for (unsigned k = 0; k < bytes; k += 4)
            store_word(t, off + k, (uint32_t)(k & 4 ? v >> 32 : v));
    }
}

void tr_n_mov_imm(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned op = ARM_F(i, 'o'), cmode = ARM_F(i, 'c'), d = reg_d(i, 'd', 'D'), bytes = ARM_F(i, 'Q') ? 16 : 8;
    uint64_t v = expand_imm(op, cmode, ARM_F(i, 'i') << 7 | ARM_F(i, 'j') << 4 | ARM_F(i, 'k'));

    if ((op && cmode == 15) || (bytes == 16 && d & 1)) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    if ((cmode & 1) && cmode < 12) { /* VORR, VBIC */
        set_vector(t, off_scratch(0), bytes, v);
        fp_vop(t, op ? IR_VOP_BIC : IR_VOP_ORR, bytes, off_d(d), off_d(d), off_scratch(0), 0);
    } else {
        set_vector(t, off_d(d), bytes, op && cmode != 14 ? ~v : v);
    }
}

/* --- whole registers --- */

void tr_n_ext(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned imm = ARM_F(i, 'i'), d = reg_d(i, 'd', 'D'), n = reg_d(i, 'n', 'N'), m = reg_d(i, 'm', 'M');
    bool quad = ARM_F(i, 'Q');

    if (quad ? (d | n | m) & 1 : imm & 8) {
        tr_undef(t, i);
    } else {
        fp_check(t);
        fp_vop(t, IR_VOP_EXT, quad ? 16 : 8, off_d(d), off_d(n), off_d(m), imm);
    }
}

void tr_n_tbl(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned length = ARM_F(i, 'l') + 1, d = reg_d(i, 'd', 'D'), n = reg_d(i, 'n', 'N'), m = reg_d(i, 'm', 'M');
    bool extend = ARM_F(i, 'o');

    if (n + length > 32) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    if (!extend)
        fp_vop(t, IR_VOP_TBL1 + length - 1, 8, off_d(d), off_d(n), off_d(m), 0);
    else
        call(t, arm_neon_tbx, neon_pack(d, n, m, false, length));
}

void tr_n_dup(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned imm = ARM_F(i, 'i'), d = reg_d(i, 'd', 'D'), m = reg_d(i, 'm', 'M'), lg = imm & 1 ? 0 : imm & 2 ? 1 : 2;
    bool quad = ARM_F(i, 'Q');

    if ((imm & 7) == 0 || (quad && d & 1)) {
        tr_undef(t, i);
    } else {
        fp_check(t);
        repeat(t, lg, off_d(d), quad ? 16 : 8, m, imm >> (lg + 1));
    }
}
