/*
 * translate_vfp_mem.c: VFP loads, stores and register transfers to IR.
 *
 * Registers are one little-endian array, so consecutive ones move 16 bytes at a time. Big-endian data is reversed element by element after
 * a load, or in scratch state before a store. All accesses come before the write-back: an instruction that faults can be restarted.
 */
#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>

static enum ir_vop reverse_bytes(unsigned esize)
{
    return esize == 2 ? IR_VOP_REV16_8 : esize == 4 ? IR_VOP_REV32_8 : IR_VOP_REV64_8;
}

static struct ir_insn *access_state(struct arm_translator *t, enum ir_op op, unsigned bytes, uint32_t off, uint16_t base, uint32_t imm)
{
    struct ir_insn *x = tr_emit(t, op);
    x->a = base;
    x->imm = imm;
    x->moves = base == IR_NONE; /* a literal */
    x->imm2 = off;
    /* Alignment is by element and has been checked; bytes are put in order by the caller. */
    x->mem = (uint16_t)((tr_mem(t, bytes) & ~(IR_MEM_SIZE | IR_MEM_BE | IR_MEM_ALIGN)) | bytes);
    return x;
}

static bool reversed(const struct arm_translator *t, unsigned esize)
{
    return t->flags & ARM_BF_BE && esize > 1;
}

void fp_load(struct arm_translator *t, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm)
{
    access_state(t, IR_OP_LDV, bytes, off, base, imm);
    if (reversed(t, esize))
        fp_vop(t, reverse_bytes(esize), bytes, off, off, IR_NONE, 0);
}

void fp_store(struct arm_translator *t, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm)
{
    if (reversed(t, esize)) {
        uint32_t tmp = off_scratch(6);
        fp_vop(t, reverse_bytes(esize), bytes, tmp, off, IR_NONE, 0);
        off = tmp;
    }
    access_state(t, IR_OP_STV, bytes, off, base, imm);
}

void fp_move_run(struct arm_translator *t, bool load, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm)
{
    while (bytes) {
        unsigned n = bytes >= 16 ? 16 : bytes >= 8 ? 8 : 4;
        (load ? fp_load : fp_store)(t, n, esize, off, base, imm);
        bytes -= n;
        off += n;
        imm += n;
    }
}

/* Base register as address, r15 as literal base: *imm takes its value then. */
static uint16_t address_base(const struct arm_translator *t, unsigned rn, uint32_t *imm)
{
    if (rn != 15)
        return (uint16_t)rn;
    *imm += tr_pc_literal(t);
    return IR_NONE;
}

void tr_v_ldst(struct arm_translator *t, const struct arm_insn *i)
{
    bool load = i->row->arg, dbl = ARM_F(i, 'z');
    unsigned rn = ARM_F(i, 'n');
    uint32_t imm = ARM_F(i, 'i') * 4;

    fp_check(t);
    if (!ARM_F(i, 'U'))
        imm = 0 - imm;
    if (rn == 15 && !load && t->thumb) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    uint16_t base = address_base(t, rn, &imm);
    tr_align(t, base, imm, 4, !load);
    fp_move_run(t, load, dbl ? 8 : 4, dbl ? 8 : 4, dbl ? off_d(reg_d(i, 'd', 'D')) : off_s(reg_s(i, 'd', 'D')), base, imm);
}

/* row->arg: bit 0 load, bit 1 decrement before */
void tr_v_ldst_multiple(struct arm_translator *t, const struct arm_insn *i)
{
    bool load = i->row->arg & 1, down = i->row->arg & 2, dbl = ARM_F(i, 'z'), wback = down || ARM_F(i, 'W');
    unsigned rn = ARM_F(i, 'n'), imm8 = ARM_F(i, 'i'), d = dbl ? reg_d(i, 'd', 'D') : reg_s(i, 'd', 'D');
    unsigned regs = dbl ? imm8 / 2 : imm8; /* odd imm8 with doubles: FLDMX, FSTMX */
    uint32_t step = down ? 0 - imm8 * 4 : imm8 * 4, imm = down ? step : 0;

    if (regs == 0 || (dbl && regs > 16) || d + regs > 32 || (rn == 15 && (wback || t->thumb))) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    uint16_t base = address_base(t, rn, &imm);
    tr_align(t, base, imm, 4, !load);
    fp_move_run(t, load, regs * (dbl ? 8 : 4), dbl ? 8 : 4, dbl ? off_d(d) : off_s(d), base, imm);
    if (wback)
        tr_alu_imm(t, IR_OP_ADD, (uint16_t)rn, (uint16_t)rn, step);
}

/* --- transfers --- */

static void state_to_reg(struct arm_translator *t, unsigned r, uint32_t off, unsigned size)
{
    struct ir_insn *x = tr_emit(t, IR_OP_LDE);
    x->d = (uint16_t)r;
    x->imm = off;
    x->mem = (uint16_t)size;
}

static void reg_to_state(struct arm_translator *t, unsigned r, uint32_t off, unsigned size)
{
    struct ir_insn *x = tr_emit(t, IR_OP_STE);
    x->a = (uint16_t)r;
    x->imm = off;
    x->mem = (uint16_t)size;
}

void tr_v_mov_core(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned rt = ARM_F(i, 't');

    if (rt == 15) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    if (ARM_F(i, 'o'))
        state_to_reg(t, rt, off_s(reg_s(i, 'n', 'N')), 4);
    else
        reg_to_state(t, rt, off_s(reg_s(i, 'n', 'N')), 4);
}

void tr_v_mov_pair(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned rt = ARM_F(i, 't'), rt2 = ARM_F(i, 'u'), s = reg_s(i, 'm', 'M');
    bool to_core = ARM_F(i, 'o'), dbl = i->row->arg == 8;
    uint32_t off = dbl ? off_d(reg_d(i, 'm', 'M')) : off_s(s);

    if (rt == 15 || rt2 == 15 || (to_core && rt == rt2) || (!dbl && s == 31)) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    for (unsigned k = 0; k < 2; k++) {
        if (to_core)
            state_to_reg(t, k ? rt2 : rt, off + 4 * k, 4);
        else
            reg_to_state(t, k ? rt2 : rt, off + 4 * k, 4);
    }
}

void tr_v_mov_to_lane(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned size = i->row->arg, rt = ARM_F(i, 't');

    if (rt == 15) {
        tr_undef(t, i); /* UNPREDICTABLE */
    } else {
        fp_check(t);
        reg_to_state(t, rt, off_d(reg_d(i, 'n', 'N')) + ARM_F(i, 'i') * size, size);
    }
}

void tr_v_mov_from_lane(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned size = i->row->arg, rt = ARM_F(i, 't');

    if (rt == 15) {
        tr_undef(t, i); /* UNPREDICTABLE */
        return;
    }
    fp_check(t);
    state_to_reg(t, rt, off_d(reg_d(i, 'n', 'N')) + ARM_F(i, 'i') * size, size);
    if (size < 4 && !ARM_F(i, 'U'))
        tr_alu(t, size == 1 ? IR_OP_SXTB : IR_OP_SXTH, (uint16_t)rt, IR_NONE, (uint16_t)rt);
}

void tr_v_dup_core(struct arm_translator *t, const struct arm_insn *i)
{
    static const uint16_t dup[] = {IR_VOP_DUP32, IR_VOP_DUP16, IR_VOP_DUP8};
    unsigned d = reg_d(i, 'n', 'N'), be = ARM_F(i, 'b') << 1 | ARM_F(i, 'e'), rt = ARM_F(i, 't');
    bool quad = ARM_F(i, 'Q');

    if (be == 3 || (quad && d & 1) || rt == 15) {
        tr_undef(t, i);
        return;
    }
    fp_check(t);
    reg_to_state(t, rt, off_scratch(0), 4);
    fp_vop(t, dup[be], quad ? 16 : 8, off_d(d), off_scratch(0), IR_NONE, 0);
}
