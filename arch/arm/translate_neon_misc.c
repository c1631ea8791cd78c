/*
 * translate_neon_misc.c: Advanced SIMD operations on two registers to IR.
 */
#include <arch/arm/neon.h>
#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>
#include <arch/arm/translate_neon.h>

struct misc {
    unsigned lg, d, m;
    bool quad, u, f;
};

/* Sizes an operation takes, as bits; what must be even besides (quad forms are checked for all) */
#define EVEN_D 0x10u
#define EVEN_M 0x20u
#define FLOAT  0x40u /* F selects single precision: 32 bits only */

static const uint8_t rules[] = {
    [MI_REV64] = 7,
    [MI_REV32] = 3,
    [MI_REV16] = 1,
    [MI_PADDL] = 7,
    [MI_CLS] = 7,
    [MI_CLZ] = 7,
    [MI_CNT] = 1,
    [MI_MVN] = 1,
    [MI_PADAL] = 7,
    [MI_QABS] = 7,
    [MI_QNEG] = 7,
    [MI_CGT0] = 7 | FLOAT,
    [MI_CGE0] = 7 | FLOAT,
    [MI_CEQ0] = 7 | FLOAT,
    [MI_CLE0] = 7 | FLOAT,
    [MI_CLT0] = 7 | FLOAT,
    [MI_ABS] = 7 | FLOAT,
    [MI_NEG] = 7 | FLOAT,
    [MI_SWP] = 1,
    [MI_TRN] = 7,
    [MI_UZP] = 7,
    [MI_ZIP] = 7,
    [MI_MOVN] = 7 | EVEN_M,
    [MI_QMOVUN] = 7 | EVEN_M,
    [MI_QMOVN] = 7 | EVEN_M,
    [MI_SHLL] = 7 | EVEN_D,
    [MI_TO_HALF] = 2 | EVEN_M,
    [MI_FROM_HALF] = 2 | EVEN_D,
    [MI_RECPE] = 4,
    [MI_RSQRTE] = 4,
    [MI_CVT] = 4,
};

static bool allowed(unsigned op, const struct misc *x)
{
    unsigned r = rules[op];

    if (!(r >> x->lg & 1) || (r & FLOAT && x->f && x->lg != 2))
        return false;
    if ((op == MI_UZP || op == MI_ZIP) && !x->quad && x->lg == 2)
        return false;
    return !(x->quad && (x->d | x->m) & 1) && !(r & EVEN_D && x->d & 1) && !(r & EVEN_M && x->m & 1);
}

static void call(struct arm_translator *t, ir_helper fn, const struct misc *x, unsigned own)
{
    tr_call(t, fn, IR_NONE, IR_NONE, IR_NONE, neon_pack(x->d, x->m, x->m, x->quad, own), 0, 0);
}

static void vop(struct arm_translator *t, enum ir_vop v, const struct misc *x)
{
    fp_vop(t, v, x->quad ? 16 : 8, off_d(x->d), off_d(x->m), IR_NONE, 0);
}

/* VTRN, VUZP, VZIP. Of a register with itself the result is UNKNOWN: as in QEMU, what the first register would get. */
static void exchange(struct arm_translator *t, enum ir_vop v, const struct misc *x)
{
    uint32_t m = off_d(x->m), bytes = x->quad ? 16 : 8;

    if (x->d == x->m) {
        m = off_scratch(0);
        fp_vop(t, IR_VOP_MOV, bytes, m, off_d(x->m), IR_NONE, 0);
    }
    fp_vop(t, v, bytes, off_d(x->d), m, IR_NONE, 0);
}

static void integer_helper(struct arm_translator *t, enum neon_op op, const struct misc *x, bool u)
{
    call(t, arm_neon_helpers[op][x->lg + (u ? 4 : 0)], x, 0);
}

/* Comparison with zero: zero in scratch, then the comparison of two registers; reverse: zero first. */
static void compare_zero(struct arm_translator *t, const struct misc *x, enum ir_vop v, enum neon_fop f, bool reverse)
{
    uint32_t zero = off_scratch(0), m = off_d(x->m);

    fp_vop(t, IR_VOP_EOR, 16, zero, zero, zero, 0);
    if (x->f)
        tr_call(t, arm_neon_fhelpers[f], IR_NONE, IR_NONE, IR_NONE, neon_pack(x->d, x->m, NEON_SCRATCH, x->quad, 0), 0, 0);
    else
        fp_vop(t, v + x->lg, x->quad ? 16 : 8, off_d(x->d), reverse ? zero : m, reverse ? m : zero, 0);
}

static void saturating(struct arm_translator *t, enum ir_vop v, const struct misc *x)
{
    tr_n_saturating(t, v + x->lg, x->quad ? 16 : 8, off_d(x->d), off_d(x->m), IR_NONE, 0);
}

/* To half the size; from 64 bits by its helper */
static void saturating_narrow(struct arm_translator *t, enum ir_vop v, enum neon_op op, const struct misc *x, bool u)
{
    if (x->lg == 2)
        integer_helper(t, op, x, u);
    else
        tr_n_saturating(t, v + x->lg, 8, off_d(x->d), off_d(x->m), IR_NONE, 0);
}

void tr_n_misc(struct arm_translator *t, const struct arm_insn *i)
{
    const struct misc x = {.lg = ARM_F(i, 's'),
                           .d = reg_d(i, 'd', 'D'),
                           .m = reg_d(i, 'm', 'M'),
                           .quad = ARM_F(i, 'Q'),
                           .u = ARM_F(i, 'U'),
                           .f = ARM_F(i, 'F')};
    unsigned op = i->row->arg;

    if (!allowed(op, &x)) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    switch ((enum neon_misc)op) {
    case MI_REV64:
        vop(t, IR_VOP_REV64_8 + x.lg, &x);
        break;
    case MI_REV32:
        vop(t, IR_VOP_REV32_8 + x.lg, &x);
        break;
    case MI_REV16:
        vop(t, IR_VOP_REV16_8, &x);
        break;
    case MI_PADDL:
        vop(t, (x.u ? IR_VOP_PADDLU8 : IR_VOP_PADDLS8) + x.lg, &x);
        break;
    case MI_PADAL:
        vop(t, (x.u ? IR_VOP_PADALU8 : IR_VOP_PADALS8) + x.lg, &x);
        break;
    case MI_CLS:
        integer_helper(t, NEON_CLS, &x, false);
        break;
    case MI_CLZ:
        integer_helper(t, NEON_CLZ, &x, true);
        break;
    case MI_CNT:
        integer_helper(t, NEON_CNT, &x, true);
        break;
    case MI_MVN:
        vop(t, IR_VOP_NOT, &x);
        break;
    case MI_QABS:
        saturating(t, IR_VOP_QABS8, &x);
        break;
    case MI_QNEG:
        saturating(t, IR_VOP_QNEG8, &x);
        break;
    case MI_CGT0:
        compare_zero(t, &x, IR_VOP_CGTS8, NEON_FCGT, false);
        break;
    case MI_CGE0:
        compare_zero(t, &x, IR_VOP_CGES8, NEON_FCGE, false);
        break;
    case MI_CEQ0:
        compare_zero(t, &x, IR_VOP_CEQ8, NEON_FCEQ, false);
        break;
    case MI_CLE0:
        compare_zero(t, &x, IR_VOP_CGES8, NEON_FCLE, true);
        break;
    case MI_CLT0:
        compare_zero(t, &x, IR_VOP_CGTS8, NEON_FCLT, true);
        break;
    case MI_ABS:
        vop(t, x.f ? IR_VOP_VFABS : IR_VOP_ABS8 + x.lg, &x);
        break;
    case MI_NEG:
        vop(t, x.f ? IR_VOP_VFNEG : IR_VOP_NEG8 + x.lg, &x);
        break;
    case MI_SWP:
        vop(t, IR_VOP_SWP, &x);
        break;
    case MI_TRN:
        if (x.d == x.m && x.lg == 2) /* UNKNOWN as well: QEMU exchanges the words */
            vop(t, IR_VOP_REV64_8 + 2, &x);
        else
            exchange(t, IR_VOP_TRN8 + x.lg, &x);
        break;
    case MI_UZP:
        exchange(t, IR_VOP_UZP8 + x.lg, &x);
        break;
    case MI_ZIP:
        exchange(t, IR_VOP_ZIP8 + x.lg, &x);
        break;
    case MI_MOVN:
        vop(t, IR_VOP_SHRN8 + x.lg, &x);
        break;
    case MI_QMOVUN:
        saturating_narrow(t, IR_VOP_QSHRUN8, NEON_QSHRUN, &x, false);
        break;
    case MI_QMOVN:
        saturating_narrow(t, x.u ? IR_VOP_QSHRNU8 : IR_VOP_QSHRNS8, NEON_QSHRN, &x, x.u);
        break;
    case MI_SHLL:
        fp_vop(t, IR_VOP_MOVLU8 + x.lg, 16, off_d(x.d), off_d(x.m), IR_NONE, 0);
        fp_vop(t, IR_VOP_SHL16 + x.lg, 16, off_d(x.d), off_d(x.d), IR_NONE, 8u << x.lg);
        break;
    case MI_TO_HALF:
        call(t, arm_neon_to_half, &x, 0);
        break;
    case MI_FROM_HALF:
        call(t, arm_neon_from_half, &x, 0);
        break;
    case MI_RECPE:
        call(t, x.f ? arm_neon_fhelpers[NEON_FRECPE] : arm_neon_helpers[NEON_RECPE][4 + 2], &x, 0);
        break;
    case MI_RSQRTE:
        call(t, x.f ? arm_neon_fhelpers[NEON_FRSQRTE] : arm_neon_helpers[NEON_RSQRTE][4 + 2], &x, 0);
        break;
    case MI_CVT:
        call(t, arm_neon_fhelpers[ARM_F(i, 'o') ? (x.u ? NEON_FTOU : NEON_FTOS) : (x.u ? NEON_FFROMU : NEON_FFROMS)], &x, 0);
        break;
    }
}
