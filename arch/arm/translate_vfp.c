/*
 * translate_vfp.c: VFP data processing to IR.
 *
 * With default FPSCR behaviour (round to nearest, no flush-to-zero, no default NaN) operations are inline, with the exact helper as fix-up
 * for NaNs; otherwise (ARM_BF_VFP_RM) the helper does them. Conversions from integers follow MXCSR in every mode.
 */
#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>

void fp_check(struct arm_translator *t)
{
    if (t->fp_checked)
        return;
    uint16_t on = ir_temp(t->b), ok = ir_label(t->b);
    struct ir_insn *x = ir_emit(t->b, IR_OP_LDE);
    x->d = on;
    x->mem = 1;
    x->imm = ARM_OFF(fp_usable) + (t->flags & ARM_BF_PRIV ? 1 : 0);
    x = ir_emit(t->b, IR_OP_BRNZ);
    x->a = on;
    x->imm = ok;
    tr_call(t, arm_helper_undef, IR_NONE, IR_NONE, IR_NONE, 0, 0, CALL_STATE | IR_CALL_NORETURN);
    ir_emit(t->b, IR_OP_LABEL)->imm = ok;
    t->fp_checked = t->cond == IR_AL;
}

struct ir_insn *fp_vop(struct arm_translator *t, enum ir_vop vop, unsigned bytes, uint32_t d, uint32_t a, uint32_t b, uint32_t imm)
{
    struct ir_insn *x = tr_emit(t, IR_OP_VOP);
    x->d = (uint16_t)d;
    x->a = (uint16_t)a;
    x->b = (uint16_t)b;
    x->mem = (uint16_t)bytes;
    x->imm = imm;
    x->imm2 = vop;
    return x;
}

static bool is_double(const struct arm_insn *i)
{
    return ARM_F(i, 'z');
}

static unsigned fp_reg(const struct arm_insn *i, bool dbl, char v, char top)
{
    return dbl ? reg_d(i, v, top) : reg_s(i, v, top);
}
static uint32_t fp_off_of(bool dbl, unsigned r)
{
    return dbl ? off_d(r) : off_s(r);
}

/* Inline operation with `fn` as fix-up, or the helper alone. */
static void op_or_helper(struct arm_translator *t, enum ir_vop vop, unsigned bytes, uint32_t d, uint32_t a, uint32_t b, ir_helper fn,
                         uint32_t imm)
{
    if (t->flags & ARM_BF_VFP_RM)
        tr_call(t, fn, IR_NONE, IR_NONE, IR_NONE, imm, 0, 0);
    else
        fp_vop(t, vop, bytes, d, a, b, imm)->fn = fn;
}

/* Operations that short vectors once applied to are undefined while FPSCR asks for such. */
static bool vector_mode(struct arm_translator *t, const struct arm_insn *i)
{
    if (!(t->flags & ARM_BF_VFP_VEC))
        return false;
    tr_undef(t, i);
    return true;
}

void tr_v_arith(struct arm_translator *t, const struct arm_insn *i)
{
    static const uint16_t vops[] = {
        [VFP_ADD] = IR_VOP_FADD,   [VFP_SUB] = IR_VOP_FSUB, [VFP_MUL] = IR_VOP_FMUL,   [VFP_NMUL] = IR_VOP_FNMUL, [VFP_DIV] = IR_VOP_FDIV,
        [VFP_SQRT] = IR_VOP_FSQRT, [VFP_MLA] = IR_VOP_FMLA, [VFP_MLS] = IR_VOP_FMLS,   [VFP_NMLA] = IR_VOP_FNMLA, [VFP_NMLS] = IR_VOP_FNMLS,
        [VFP_FMA] = IR_VOP_FFMA,   [VFP_FMS] = IR_VOP_FFMS, [VFP_FNMA] = IR_VOP_FFNMA, [VFP_FNMS] = IR_VOP_FFNMS,
    };
    bool dbl = is_double(i);
    unsigned op = i->row->arg, d = fp_reg(i, dbl, 'd', 'D'), n = op == VFP_SQRT ? 0 : fp_reg(i, dbl, 'n', 'N'),
             m = fp_reg(i, dbl, 'm', 'M');
    uint32_t a = op == VFP_SQRT ? m : n;

    if (vector_mode(t, i))
        return;
    fp_check(t);
    op_or_helper(t, vops[op], dbl ? 8 : 4, fp_off_of(dbl, d), fp_off_of(dbl, a), fp_off_of(dbl, m), arm_vfp_arith,
                 vfp_pack(op | (dbl ? VFP_DOUBLE : 0), d, n, m));
}

/* VMOV, VABS, VNEG: bit operations, no NaN is touched. */
void tr_v_unary(struct arm_translator *t, const struct arm_insn *i)
{
    bool dbl = is_double(i);

    if (vector_mode(t, i))
        return;
    fp_check(t);
    fp_vop(t, i->row->arg, dbl ? 8 : 4, fp_off_of(dbl, fp_reg(i, dbl, 'd', 'D')), fp_off_of(dbl, fp_reg(i, dbl, 'm', 'M')), IR_NONE, 0);
}

static void store_word(struct arm_translator *t, uint32_t off, uint32_t value)
{
    struct ir_insn *x = tr_emit(t, IR_OP_STE);
    x->imm = off;
    x->imm2 = value;
    x->mem = 4;
}

void tr_v_mov_imm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t imm = ARM_F(i, 'i') << 4 | ARM_F(i, 'j'), sign = (imm & 0x80) << 24, b = imm >> 6 & 1;

    if (vector_mode(t, i))
        return;
    fp_check(t);
    if (is_double(i)) {
        uint32_t high = sign | (b ? 0x3fc00000u : 0x40000000u) | (imm & 0x3f) << 16;
        store_word(t, off_d(reg_d(i, 'd', 'D')), 0);
        store_word(t, off_d(reg_d(i, 'd', 'D')) + 4, high);
    } else {
        store_word(t, off_s(reg_s(i, 'd', 'D')), sign | (b ? 0x3e000000u : 0x40000000u) | (imm & 0x3f) << 19);
    }
}

void tr_v_compare(struct arm_translator *t, const struct arm_insn *i)
{
    bool dbl = is_double(i), zero = i->row->arg & VFP_CMP_ZERO, quiet = ARM_F(i, 'E');
    unsigned d = fp_reg(i, dbl, 'd', 'D'), m = zero ? 0 : fp_reg(i, dbl, 'm', 'M');
    uint32_t imm = vfp_pack(i->row->arg | (quiet ? VFP_CMP_E : 0) | (dbl ? VFP_DOUBLE : 0), d, 0, m);

    fp_check(t);
    op_or_helper(t, quiet ? IR_VOP_FCMPE : IR_VOP_FCMP, dbl ? 8 : 4, ARM_OFF(fp_flags), fp_off_of(dbl, d),
                 zero ? IR_NONE : fp_off_of(dbl, m), arm_vfp_compare, imm);
}

/* z is the source: 1 = double to single. */
void tr_v_convert(struct arm_translator *t, const struct arm_insn *i)
{
    bool from_dbl = is_double(i);
    unsigned d = fp_reg(i, !from_dbl, 'd', 'D'), m = fp_reg(i, from_dbl, 'm', 'M');

    fp_check(t);
    op_or_helper(t, IR_VOP_FCVT, from_dbl ? 8 : 4, fp_off_of(!from_dbl, d), fp_off_of(from_dbl, m), IR_NONE, arm_vfp_convert,
                 vfp_pack(from_dbl ? VFP_DOUBLE : 0, d, 0, m));
}

void tr_v_half(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t flags = (ARM_F(i, 'o') ? VFP_HALF_TO : 0) | (ARM_F(i, 'T') ? VFP_HALF_TOP : 0);

    fp_check(t);
    tr_call(t, arm_vfp_half, IR_NONE, IR_NONE, IR_NONE, vfp_pack(flags, reg_s(i, 'd', 'D'), 0, reg_s(i, 'm', 'M')), 0, 0);
}

void tr_v_to_int(struct arm_translator *t, const struct arm_insn *i)
{
    bool dbl = is_double(i), to_signed = ARM_F(i, 's'), fpscr_mode = !ARM_F(i, 'r');
    unsigned d = reg_s(i, 'd', 'D'), m = fp_reg(i, dbl, 'm', 'M');
    uint32_t imm = vfp_pack((to_signed ? VFP_INT_SIGNED : 0) | (fpscr_mode ? VFP_INT_FPSCR : 0) | (dbl ? VFP_DOUBLE : 0), d, 0, m);

    fp_check(t);
    if (fpscr_mode)
        tr_call(t, arm_vfp_to_int, IR_NONE, IR_NONE, IR_NONE, imm, 0, 0);
    else
        op_or_helper(t, to_signed ? IR_VOP_FTOS : IR_VOP_FTOU, dbl ? 8 : 4, off_s(d), fp_off_of(dbl, m), IR_NONE, arm_vfp_to_int, imm);
}

void tr_v_from_int(struct arm_translator *t, const struct arm_insn *i)
{
    bool dbl = is_double(i);

    fp_check(t);
    fp_vop(t, ARM_F(i, 's') ? IR_VOP_FFROMS : IR_VOP_FFROMU, dbl ? 8 : 4, fp_off_of(dbl, fp_reg(i, dbl, 'd', 'D')),
           off_s(reg_s(i, 'm', 'M')), IR_NONE, 0);
}

void tr_v_fixed(struct arm_translator *t, const struct arm_insn *i)
{
    bool dbl = is_double(i), wide = ARM_F(i, 'x');
    unsigned size = wide ? 32 : 16, imm5 = ARM_F(i, 'j') << 1 | ARM_F(i, 'i'), d = fp_reg(i, dbl, 'd', 'D');
    uint32_t flags = (ARM_F(i, 'u') ? 0 : VFP_INT_SIGNED) | (wide ? 0 : VFP_INT_16) | (dbl ? VFP_DOUBLE : 0);

    if (imm5 > size) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    tr_call(t, ARM_F(i, 'o') ? arm_vfp_to_fixed : arm_vfp_from_fixed, IR_NONE, IR_NONE, IR_NONE, vfp_pack(flags, d, size - imm5, 0), 0, 0);
}

/* --- system registers --- */

#define REG_FPSCR 1

static bool sys_reg_exists(unsigned r)
{
    return r == 0 || r == 6 || r == 7 || r == 8; /* FPSID, MVFR1, MVFR0, FPEXC */
}

void tr_v_vmrs(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned reg = i->row->arg ? REG_FPSCR : ARM_F(i, 'r'), rt = ARM_F(i, 't');

    if (reg == REG_FPSCR) {
        fp_check(t);
        if (rt == 15) {
            struct ir_insn *x = tr_emit(t, IR_OP_LDF);
            x->imm = ARM_OFF(fp_flags);
            x->fset = IR_NZCV;
        } else {
            tr_call(t, arm_vfp_fpscr_read, (uint16_t)rt, IR_NONE, IR_NONE, 0, 0, 0);
        }
    } else if (rt == 15 || !sys_reg_exists(reg) || !(t->flags & ARM_BF_PRIV)) {
        tr_undef(t, i);
    } else {
        tr_call(t, arm_vfp_sys_read, (uint16_t)rt, IR_NONE, IR_NONE, reg, 0, CALL_STATE);
    }
}

void tr_v_vmsr(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned reg = i->row->arg ? REG_FPSCR : ARM_F(i, 'r'), rt = ARM_F(i, 't');

    if (rt == 15 || (reg != REG_FPSCR && !(sys_reg_exists(reg) && t->flags & ARM_BF_PRIV))) {
        tr_undef(t, i);
        return;
    }
    if (reg == REG_FPSCR) {
        fp_check(t);
        tr_call(t, arm_vfp_fpscr_write, IR_NONE, (uint16_t)rt, IR_NONE, 0, 0, 0);
    } else {
        tr_call(t, arm_vfp_sys_write, IR_NONE, (uint16_t)rt, IR_NONE, reg, 0, CALL_STATE);
    }
    tr_exit_lookup_next(t); /* blocks are specialised on FPEXC.EN and the FPSCR modes */
}
