/*
 * translate_neon_mem.c: VLD1-VLD4, VST1-VST4 to IR.
 *
 * Structures are loaded into scratch state as they lie in memory and taken apart there, or put together there and stored: all accesses that
 * can fault come before a register changes. Pairs use the unzip and zip operations, triples and quadruples a helper.
 */
#include <arch/arm/neon.h>
#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>
#include <arch/arm/translate_neon.h>

/* Alignment in bytes: what the encoding asks for, or the element's when SCTLR.A is set. */
static void check_alignment(struct arm_translator *t, unsigned rn, unsigned align, unsigned esize, bool is_write)
{
    if (t->flags & ARM_BF_ALIGN && align < esize)
        align = esize;
    tr_align(t, (uint16_t)rn, 0, align, is_write);
}

/* Rm: 15 none, 13 by the bytes transferred, else by that register */
static void write_back(struct arm_translator *t, unsigned rn, unsigned rm, unsigned bytes)
{
    if (rm == 13)
        tr_alu_imm(t, IR_OP_ADD, (uint16_t)rn, (uint16_t)rn, bytes);
    else if (rm != 15)
        tr_alu(t, IR_OP_ADD, (uint16_t)rn, (uint16_t)rn, (uint16_t)rm);
}

/* --- multiple structures --- */

static const uint16_t zips[] = {IR_VOP_ZIP8, IR_VOP_ZIP16, IR_VOP_ZIP32}, unzips[] = {IR_VOP_UZP8, IR_VOP_UZP16, IR_VOP_UZP32};

/* One or two pairs: `bytes` of first members, as many of second ones */
static void load_pairs(struct arm_translator *t, unsigned lg, unsigned d, unsigned d2, unsigned bytes, uint16_t base)
{
    unsigned half = bytes / 8;

    fp_move_run(t, true, 2 * bytes, 1u << lg, off_scratch(0), base, 0);
    fp_vop(t, unzips[lg], bytes, off_scratch(0), off_scratch(half), IR_NONE, 0);
    fp_vop(t, IR_VOP_MOV, bytes, off_d(d), off_scratch(0), IR_NONE, 0);
    fp_vop(t, IR_VOP_MOV, bytes, off_d(d2), off_scratch(half), IR_NONE, 0);
}

static void store_pairs(struct arm_translator *t, unsigned lg, unsigned d, unsigned d2, unsigned bytes, uint16_t base)
{
    unsigned half = bytes / 8;

    fp_vop(t, IR_VOP_MOV, bytes, off_scratch(0), off_d(d), IR_NONE, 0);
    fp_vop(t, IR_VOP_MOV, bytes, off_scratch(half), off_d(d2), IR_NONE, 0);
    fp_vop(t, zips[lg], bytes, off_scratch(0), off_scratch(half), IR_NONE, 0);
    fp_move_run(t, false, 2 * bytes, 1u << lg, off_scratch(0), base, 0);
}

static void structures(struct arm_translator *t, bool load, unsigned lg, unsigned d, unsigned inc, unsigned n, uint16_t base)
{
    uint32_t imm = neon_pack(d, 0, NEON_SCRATCH, false, lg | inc << 2 | n << 4);

    if (load) {
        fp_move_run(t, true, 8 * n, 1u << lg, off_scratch(0), base, 0);
        tr_call(t, arm_neon_deinterleave, IR_NONE, IR_NONE, IR_NONE, imm, 0, 0);
    } else {
        tr_call(t, arm_neon_interleave, IR_NONE, IR_NONE, IR_NONE, imm, 0, 0);
        fp_move_run(t, false, 8 * n, 1u << lg, off_scratch(0), base, 0);
    }
}

void tr_n_ldst_multiple(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned n = i->row->arg & 15, regs = i->row->arg >> 4 & 15, inc = i->row->arg >> 8;
    unsigned lg = ARM_F(i, 's'), align = ARM_F(i, 'a'), d = reg_d(i, 'd', 'D'), rn = ARM_F(i, 'n');
    unsigned last = d + (n == 1 ? regs - 1 : (n - 1) * inc + (regs > n));
    bool load = ARM_F(i, 'o');
    static const uint8_t max_align[5] = {0, 1, 2, 1, 3}; /* by number of registers */

    if ((n > 1 && lg == 3) || align > max_align[regs] || last > 31 || rn == 15) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    check_alignment(t, rn, align ? 4u << align : 1, 1u << lg, !load);
    if (n == 1)
        fp_move_run(t, load, 8 * regs, 1u << lg, off_d(d), (uint16_t)rn, 0);
    else if (n == 2)
        (load ? load_pairs : store_pairs)(t, lg, d, d + inc, regs == 4 ? 16 : 8, (uint16_t)rn);
    else
        structures(t, load, lg, d, inc, n, (uint16_t)rn);
    write_back(t, rn, ARM_F(i, 'm'), 8 * regs);
}

/* --- one lane, all lanes --- */

/* index_align of VLDn/VSTn (single structure to one lane), ARM ARM A8.8.321 and on */
struct lane {
    unsigned index, inc, align; /* align in bytes */
};

static bool lane_of(unsigned n, unsigned lg, unsigned ia, struct lane *l)
{
    unsigned low = ia & ((2u << lg) - 1); /* bits below the index */
    unsigned a = n == 2 || n == 4 ? (lg == 2 ? low & 3 : low & 1) : 0;

    *l = (struct lane){.index = ia >> (lg + 1), .inc = 1, .align = 1};
    if (lg == 3)
        return false;
    if (n == 1) {
        if (lg == 2 && low != 0 && low != 3)
            return false;
        if ((lg == 0 && low) || (lg == 1 && low & 2))
            return false;
        if (low)
            l->align = 1u << lg;
        return true;
    }
    if ((lg == 1 && low & 2) || (lg == 2 && low & 4))
        l->inc = 2;
    switch (n) {
    case 2:
        l->align = a ? 2u << lg : 1;
        return lg != 2 || !(a & 2);
    case 3:
        return lg == 2 ? (low & 3) == 0 : (low & 1) == 0;
    default:
        if (lg == 2)
            l->align = a ? 4u << a : 1;
        else
            l->align = a ? 4u << lg : 1;
        return a != 3;
    }
}

void tr_n_ldst_lane(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned n = i->row->arg, lg = ARM_F(i, 's'), size = 1u << lg, d = reg_d(i, 'd', 'D'), rn = ARM_F(i, 'n');
    bool load = ARM_F(i, 'o');
    uint16_t mem = (uint16_t)(tr_mem(t, size) & ~IR_MEM_ALIGN), v[4];
    struct lane l;

    if (lg == 3 || !lane_of(n, lg, ARM_F(i, 'i'), &l) || d + (n - 1) * l.inc > 31 || rn == 15) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    check_alignment(t, rn, l.align, size, !load);
    if (load && lg == 2) { /* as vector registers: more lanes are often loaded next, then read all at once */
        for (unsigned k = 0; k < n; k++)
            fp_load(t, 4, 4, off_d(d + k * l.inc) + l.index * 4, (uint16_t)rn, k * 4);
        write_back(t, rn, ARM_F(i, 'm'), n * size);
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        v[k] = ir_temp(t->b);
        if (load) {
            tr_access(t, IR_OP_LD, v[k], (uint16_t)rn, IR_NONE, 0, k * size, mem);
        } else {
            struct ir_insn *x = tr_emit(t, IR_OP_LDE);
            x->d = v[k];
            x->imm = off_d(d + k * l.inc) + l.index * size;
            x->mem = (uint16_t)size;
            tr_access(t, IR_OP_ST, v[k], (uint16_t)rn, IR_NONE, 0, k * size, mem);
        }
    }
    for (unsigned k = 0; load && k < n; k++) {
        struct ir_insn *x = tr_emit(t, IR_OP_STE);
        x->a = v[k];
        x->imm = off_d(d + k * l.inc) + l.index * size;
        x->mem = (uint16_t)size;
    }
    write_back(t, rn, ARM_F(i, 'm'), n * size);
}

void tr_n_load_all_lanes(struct arm_translator *t, const struct arm_insn *i)
{
    static const uint16_t dup[] = {IR_VOP_DUP8, IR_VOP_DUP16, IR_VOP_DUP32};
    unsigned n = i->row->arg, lg = ARM_F(i, 's'), d = reg_d(i, 'd', 'D'), rn = ARM_F(i, 'n'), a = ARM_F(i, 'a'), wide = ARM_F(i, 'T');
    unsigned regs = n == 1 ? 1 + wide : n, inc = n == 1 ? 1 : 1 + wide, align = 1;
    bool bad = lg == 3;

    if (n == 4 && lg == 3 && a) { /* 32-bit elements, 16-byte alignment */
        bad = false;
        lg = 2;
        align = 16;
    } else if (a) {
        bad |= n == 3 || (n == 1 && lg == 0);
        align = n == 4 && lg == 2 ? 8 : n << lg;
    }
    if (bad || d + (regs - 1) * inc > 31 || rn == 15) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    unsigned size = 1u << lg;
    uint16_t mem = (uint16_t)(tr_mem(t, size) & ~IR_MEM_ALIGN);
    check_alignment(t, rn, align, size, false);
    for (unsigned k = 0; k < n; k++) {
        if (lg == 2) {
            fp_load(t, 4, 4, off_scratch(k), (uint16_t)rn, k * 4);
            continue;
        }
        uint16_t v = ir_temp(t->b);
        tr_access(t, IR_OP_LD, v, (uint16_t)rn, IR_NONE, 0, k * size, mem);
        struct ir_insn *x = tr_emit(t, IR_OP_STE);
        x->a = v;
        x->imm = off_scratch(k);
        x->mem = 4;
    }
    for (unsigned k = 0; k < regs; k++)
        fp_vop(t, dup[lg], 8, off_d(d + k * inc), off_scratch(n == 1 ? 0 : k), IR_NONE, 0);
    write_back(t, rn, ARM_F(i, 'm'), n * size);
}
