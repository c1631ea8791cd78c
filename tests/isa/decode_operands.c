/*
 * decode_operands.c: the operands of an instruction as our tables have them: registers by the fields' letters, immediates by family.
 */
#include "decode_check.h"

#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>
#include <arch/arm/translate_neon.h>
#include <string.h>

static void imm(struct operands *o, int64_t v)
{
    o->imm[o->n_imm++] = v;
}

static uint32_t ror(uint32_t v, unsigned n)
{
    return n ? v >> n | v << (32 - n) : v;
}

/* Modified immediates (A5.2.4, A6.3.2) */
static uint32_t expand(const struct arm_insn *i, uint32_t v)
{
    if (!i->thumb)
        return ror(v & 0xff, v >> 7 & 30);
    if (v >> 10)
        return ror(0x80 | (v & 0x7f), v >> 7);
    v &= 0x3ff;
    uint32_t byte = v & 0xff;
    return v >> 8 == 0 ? byte : v >> 8 == 1 ? byte << 16 | byte : v >> 8 == 2 ? byte << 24 | byte << 8 : byte * 0x01010101u;
}

static int32_t signed_field(uint32_t v, unsigned bits)
{
    return (int32_t)(v << (32 - bits)) >> (32 - bits);
}

/* LSR and ASR by 0 mean 32, ROR by 0 is RRX by 1. */
static void shift(struct operands *o, unsigned type, unsigned amount)
{
    if (amount || type == IR_LSR || type == IR_ASR)
        imm(o, amount ? amount : 32);
}

static bool width4(const struct arm_insn *i, char letter)
{
    unsigned w = 0;
    for (const char *p = i->row->pattern; *p; p++)
        w += *p == letter;
    return w == 4 || (i->size == 2 && w == 3);
}

static void core_by_letters(struct operands *o, const struct arm_insn *i, const char *letters)
{
    for (; *letters; letters++)
        if (width4(i, *letters))
            o->core |= BIT(ARM_F(i, *letters));
}

static void branch_target(struct operands *o, const struct arm_insn *i, arm_translate_fn tr)
{
    uint32_t raw = i->raw;

    if (tr == tr_b || tr == tr_cbz) {
        imm(o, tr_branch_target(i));
    } else if (!i->thumb) {
        uint32_t half = tr == tr_blx_imm ? raw >> 23 & 2 : 0;
        imm(o, (int64_t)(i->pc + 8 + (uint32_t)signed_field(raw & 0xffffff, 24) * 4 + half));
    } else {
        uint32_t s = raw >> 26 & 1, i1 = !((raw >> 13 & 1) ^ s), i2 = !((raw >> 11 & 1) ^ s);
        uint32_t off = s << 24 | i1 << 23 | i2 << 22 | (raw >> 16 & 0x3ff) << 12 | (raw & 0x7ff) << 1;
        uint32_t pc = tr == tr_blx_imm ? (i->pc + 4) & ~3u : i->pc + 4;
        imm(o, (int64_t)(pc + (uint32_t)signed_field(off, 25)));
    }
}

static void integer(struct operands *o, const struct arm_insn *i)
{
    arm_translate_fn tr = i->row->translate;
    uint32_t arg = i->row->arg, k = ARM_F(i, 'i');
    bool banked = tr == tr_mrs_banked || tr == tr_msr_banked, cp = tr == tr_mcr || tr == tr_mrc;

    o->core_known = o->imm_known = true;
    if (cp)
        core_by_letters(o, i, "t");
    else if (tr == tr_mcrr || tr == tr_mrrc)
        core_by_letters(o, i, "tv");
    else if (tr == tr_ldc || tr == tr_rfe)
        core_by_letters(o, i, "n");
    else if (tr == tr_cps || tr == tr_srs || tr == tr_svc || tr == tr_hvc || tr == tr_bkpt || tr == tr_setend || tr == tr_hint ||
             tr == tr_it)
        ;
    else if (banked)
        core_by_letters(o, i, "dn");
    else if (tr == tr_sat || tr == tr_sat16 || tr == tr_bitfield_insert || tr == tr_bitfield_extract)
        core_by_letters(o, i, "nd");
    else
        core_by_letters(o, i, tr == tr_dp_rsr ? "nmds" : "ndmtahlv");
    if (i->size == 2 && width4(i, 'd') == false && i->row->flags & ROW_USER_SAFE && strchr(i->row->pattern, 'd') && !(arg & DP_TOSP))
        o->core |= BIT(ARM_F(i, 'd')); /* four bits in two places */
    if (arg & LS_SP && (tr == tr_ls_imm))
        o->core |= BIT(13);
    if (arg & (DP_SP | DP_TOSP) && tr == tr_dp_imm)
        o->core |= BIT(13);
    if ((arg & LS_DUAL && (tr == tr_ls_imm || tr == tr_ls_reg)) || ((tr == tr_ldrex || tr == tr_strex) && (arg & IR_MEM_SIZE) == 8))
        if (!i->thumb)
            o->core |= BIT(ARM_F(i, 't') + 1);
    if (tr == tr_ldstm) {
        o->core |= ARM_F(i, 'r');
        o->implied = ARM_F(i, 'n') == 13 ? BIT(13) : 0; /* PUSH, POP */
    }
    if (tr == tr_push_pop)
        o->core |= ARM_F(i, 'r') | ARM_F(i, 'M') << 14;
    if (tr == tr_subs_pc || tr == tr_eret || tr == tr_srs)
        o->core_known = false;

    if (tr == tr_dp_imm)
        imm(o, (int32_t)(arg & DP_RAW ? k << (arg & DP_X4 ? 2 : 0) : expand(i, k)));
    else if (tr == tr_dp_shift || tr == tr_pkh)
        shift(o, tr == tr_pkh ? (ARM_F(i, 'T') ? IR_ASR : IR_LSL) : ARM_F(i, 'y'), k);
    else if (tr == tr_movw || tr == tr_movt)
        imm(o, BITS(i->raw, 19, 16) << 12 |
                   (i->thumb ? BITS(i->raw, 26, 26) << 11 | BITS(i->raw, 14, 12) << 8 | BITS(i->raw, 7, 0) : BITS(i->raw, 11, 0)));
    else if (tr == tr_extend || tr == tr_extend16)
        imm(o, 8 * ARM_F(i, 'r'));
    else if (tr == tr_sat || tr == tr_sat16)
        imm(o, ARM_F(i, 's') + !strncmp(i->row->name, "ssat", 4));
    else if (tr == tr_bitfield_extract)
        imm(o, ARM_F(i, 'w') + 1), imm(o, k);
    else if (tr == tr_bitfield_insert)
        imm(o, ARM_F(i, 's') - k + 1), imm(o, k);
    else if (tr == tr_ls_imm && ((arg & LS_OFFSET) || (ARM_F(i, 'P') && !(arg & LS_POST)))) {
        int64_t off = (int64_t)(k << LS_SCALE_OF(arg));
        bool add = arg & LS_OFFSET || ARM_F(i, 'U');
        imm(o, add ? off : -off);
    } else if (tr == tr_ls_lit) {
        int64_t off = (int64_t)(k << LS_SCALE_OF(arg));
        imm(o, i->size == 2 || ARM_F(i, 'U') ? off : -off);
    } else if (tr == tr_ls_reg)
        shift(o, ARM_F(i, 'y'), k);
    else if (tr == tr_ldrex || tr == tr_strex)
        imm(o, k << 2);
    else if (tr == tr_b || tr == tr_bl || tr == tr_blx_imm || tr == tr_cbz)
        branch_target(o, i, tr);
    else if (tr == tr_svc || tr == tr_bkpt)
        imm(o, k);
    else if (tr == tr_msr_imm)
        imm(o, (int32_t)expand(i, k));
    else if (cp)
        imm(o, ARM_F(i, 'o')), imm(o, ARM_F(i, 'u'));
    else if (tr == tr_mcrr || tr == tr_mrrc)
        imm(o, ARM_F(i, 'o'));
    else if (tr == tr_subs_pc)
        imm(o, k);
}

/* --- floating point and Advanced SIMD --- */

enum { S, D, Q };

static void reg(struct operands *o, const struct arm_insn *i, char letter, char top, unsigned kind)
{
    unsigned d = reg_d(i, letter, top);

    if (kind == S)
        o->simd |= 1ull << (reg_s(i, letter, top) & 31);
    else
        o->simd |= kind == D ? 3ull << 2 * d : 15ull << 2 * (d & 30);
}

static void list(struct operands *o, unsigned first, unsigned count, unsigned step)
{
    o->past_d31 = first + (count - 1) * step > 31;
    for (unsigned k = 0; k < count && first + k * step < 32; k++)
        o->simd |= 3ull << 2 * (first + k * step);
}

static void vfp(struct operands *o, const struct arm_insn *i)
{
    arm_translate_fn tr = i->row->translate;
    unsigned z = ARM_F(i, 'z') ? D : S, arg = i->row->arg;

    o->core_known = o->simd_known = true;
    core_by_letters(o, i, tr == tr_v_mov_pair ? "tu" : tr == tr_v_ldst || tr == tr_v_ldst_multiple ? "n" : "t");
    if (tr == tr_v_arith || tr == tr_v_unary) {
        reg(o, i, 'd', 'D', z);
        reg(o, i, 'm', 'M', z);
        if (tr == tr_v_arith && width4(i, 'n'))
            reg(o, i, 'n', 'N', z);
    } else if (tr == tr_v_mov_imm || tr == tr_v_fixed) {
        reg(o, i, 'd', 'D', z);
    } else if (tr == tr_v_half) {
        reg(o, i, 'd', 'D', S);
        reg(o, i, 'm', 'M', S);
    } else if (tr == tr_v_compare) {
        reg(o, i, 'd', 'D', z);
        if (arg != VFP_CMP_ZERO)
            reg(o, i, 'm', 'M', z);
    } else if (tr == tr_v_convert) {
        reg(o, i, 'd', 'D', z == D ? S : D);
        reg(o, i, 'm', 'M', z);
    } else if (tr == tr_v_from_int) {
        reg(o, i, 'd', 'D', z);
        reg(o, i, 'm', 'M', S);
    } else if (tr == tr_v_to_int) {
        reg(o, i, 'd', 'D', S);
        reg(o, i, 'm', 'M', z);
    } else if (tr == tr_v_mov_core) {
        reg(o, i, 'n', 'N', S);
    } else if (tr == tr_v_mov_to_lane || tr == tr_v_mov_from_lane) {
        reg(o, i, 'n', 'N', D);
    } else if (tr == tr_v_dup_core) {
        reg(o, i, 'n', 'N', ARM_F(i, 'Q') ? Q : D);
    } else if (tr == tr_v_mov_pair) {
        reg(o, i, 'm', 'M', arg == 8 ? D : S);
        if (arg == 4)
            o->simd |= 1ull << (reg_s(i, 'm', 'M') + 1);
    } else if (tr == tr_v_ldst) {
        reg(o, i, 'd', 'D', z);
        o->imm_known = true;
        imm(o, ARM_F(i, 'U') ? (int64_t)ARM_F(i, 'i') * 4 : -(int64_t)ARM_F(i, 'i') * 4);
    } else if (tr == tr_v_ldst_multiple) {
        o->implied = ARM_F(i, 'n') == 13 ? BIT(13) : 0; /* VPUSH, VPOP */
        if (z == D)
            list(o, reg_d(i, 'd', 'D'), ARM_F(i, 'i') / 2, 1);
        else
            for (unsigned k = 0; k < ARM_F(i, 'i') && reg_s(i, 'd', 'D') + k < 32; k++)
                o->simd |= 1ull << (reg_s(i, 'd', 'D') + k);
    } else {
        o->simd_known = false; /* VMRS, VMSR */
    }
}

static void shift_amount(struct operands *o, const struct arm_insn *i, bool narrow)
{
    unsigned v = ARM_F(i, 'L') << 6 | ARM_F(i, 'i'), bits = v >= 64 ? 64 : v >= 32 ? 32 : v >= 16 ? 16 : 8, arg = i->row->arg;

    if (narrow)
        bits = v >= 32 ? 32 : v >= 16 ? 16 : 8;
    bool left = arg == SI_SHL || arg == SI_SLI || arg == SI_QSHLU || arg == SI_QSHL || arg == SI_SHLL;
    o->imm_known = true;
    imm(o, left ? v - bits : 2 * bits - v);
}

static void neon_memory(struct operands *o, const struct arm_insn *i)
{
    arm_translate_fn tr = i->row->translate;
    unsigned d = reg_d(i, 'd', 'D'), m = ARM_F(i, 'm'), arg = i->row->arg, size = ARM_F(i, 's'), step = 1, n = arg;

    o->core = BIT(ARM_F(i, 'n')) | (m != 15 && m != 13 ? BIT(m) : 0);
    o->core_known = o->simd_known = true;
    if (tr == tr_n_ldst_multiple) {
        n = arg >> 4 & 15;
        step = (arg & 15) == 3 || (arg & 15) == 4 || n == 2 ? arg >> 8 : 1;
    } else if (tr == tr_n_load_all_lanes) {
        step = arg == 1 ? 1 : ARM_F(i, 'T') + 1;
        n = arg == 1 ? ARM_F(i, 'T') + 1 : arg;
    } else {
        unsigned index = ARM_F(i, 'i');
        step = size == 0 ? 1 : size == 1 ? (index >> 1 & 1) + 1 : (index >> 2 & 1) + 1;
        step = arg == 1 ? 1 : step;
    }
    list(o, d, n, step);
}

static void neon(struct operands *o, const struct arm_insn *i)
{
    arm_translate_fn tr = i->row->translate;
    unsigned q = ARM_F(i, 'Q') ? Q : D, arg = i->row->arg, d = q, n = q, m = q;

    if (i->row->flags & ROW_MEM) {
        neon_memory(o, i);
        return;
    }
    o->simd_known = true;
    if (tr == tr_n_three_diff) {
        bool wide = arg == TD_ADDW || arg == TD_SUBW, narrow = arg == TD_ADDHN || arg == TD_RADDHN || arg == TD_SUBHN || arg == TD_RSUBHN;
        d = narrow ? D : Q;
        n = narrow || wide ? Q : D;
        m = narrow ? Q : D;
    } else if (tr == tr_n_scalar) {
        d = arg & SC_SAME ? q : Q;
        n = arg & SC_SAME ? q : D;
        reg(o, i, 'd', 'D', d);
        reg(o, i, 'n', 'N', n);
        o->simd |= 3ull << 2 * (ARM_F(i, 's') == 1 ? ARM_F(i, 'm') & 7 : ARM_F(i, 'm'));
        return;
    } else if (tr == tr_n_misc) {
        bool narrow = arg == MI_MOVN || arg == MI_QMOVUN || arg == MI_QMOVN || arg == MI_TO_HALF;
        if (narrow)
            d = D, m = Q;
        if (arg == MI_SHLL || arg == MI_FROM_HALF)
            d = Q, m = D;
    } else if (tr == tr_n_shift_imm) {
        bool narrow = arg >= SI_SHRN && arg <= SI_QRSHRN;
        if (narrow)
            d = D, m = Q;
        if (arg == SI_SHLL)
            d = Q, m = D;
        shift_amount(o, i, narrow);
    } else if (tr == tr_n_tbl) {
        list(o, reg_d(i, 'n', 'N'), ARM_F(i, 'l') + 1, 1);
        reg(o, i, 'd', 'D', D);
        reg(o, i, 'm', 'M', D);
        return;
    } else if (tr == tr_n_dup) {
        m = D;
    } else if (tr == tr_n_fixed) {
        o->imm_known = true;
        imm(o, 64 - ARM_F(i, 'i'));
    } /* VEXT's index counts bytes, Capstone's elements of a type it picks */
    reg(o, i, 'd', 'D', d);
    if (width4(i, 'n'))
        reg(o, i, 'n', 'N', n);
    if (width4(i, 'm'))
        reg(o, i, 'm', 'M', m);
}

void operands_of(const struct arm_insn *i, struct operands *out)
{
    const struct arm_row *rows;

    memset(out, 0, sizeof(*out));
    unsigned n = arm_table_rows(ARM_TABLE_VFP, &rows);
    bool is_vfp = i->row >= rows && i->row < rows + n;
    n = arm_table_rows(ARM_TABLE_NEON, &rows);
    bool is_neon = i->row >= rows && i->row < rows + n;
    (is_vfp ? vfp : is_neon ? neon : integer)(out, i);
    out->core &= 0x7fff;
}

bool list_past_d31(const struct arm_insn *i)
{
    struct operands o;

    operands_of(i, &o);
    return o.past_d31;
}
