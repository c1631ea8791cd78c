/*
 * translate_branch.c: branches, table branches, compare and branch, IT.
 */
#include <arch/arm/translate_int.h>

static uint32_t sign_extend(uint32_t v, unsigned bits)
{
    return (uint32_t)((int32_t)(v << (32 - bits)) >> (32 - bits));
}

/* Offset of the 24-bit T32 branches: S:I1:I2:imm10:imm11:0, with `low` the last 21 bits of it above bit `shift`. */
static uint32_t t32_offset(const struct arm_insn *i, unsigned field_bits, unsigned shift)
{
    uint32_t s = ARM_F(i, 'S'), i1 = !(ARM_F(i, 'J') ^ s), i2 = !(ARM_F(i, 'K') ^ s);
    uint32_t v = s << 2 | i1 << 1 | i2;
    return sign_extend((v << field_bits | ARM_F(i, 'i')) << shift, field_bits + shift + 3);
}

/* Forms by row->arg: 0 A32, 1 T16 conditional, 2 T16, 3 T32 conditional, 4 T32; CBZ and CBNZ. */
uint32_t tr_branch_target(const struct arm_insn *i)
{
    uint32_t pc = tr_pc_value(i), imm = ARM_F(i, 'i');
    if (i->row->translate == tr_cbz)
        return pc + (imm << 1);
    if (i->row->translate == tr_bl)
        return pc + (i->thumb ? t32_offset(i, 21, 1) : sign_extend(imm << 2, 26));
    switch (i->row->arg) {
    case 0:
        return pc + sign_extend(imm << 2, 26);
    case 1:
        return pc + sign_extend(imm << 1, 9);
    case 2:
        return pc + sign_extend(imm << 1, 12);
    case 3:
        return pc + sign_extend((ARM_F(i, 'S') << 19 | ARM_F(i, 'K') << 18 | ARM_F(i, 'J') << 17 | imm) << 1, 21);
    default:
        return pc + t32_offset(i, 21, 1);
    }
}

void tr_b(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t target = tr_branch_target(i) | t->thumb;
    if (t->cond >= IR_AL)
        tr_goto(t, target);
    else
        tr_exit_if(t, IR_OP_EXIT_CC, target)->cc = t->cond;
}

void tr_cbz(struct arm_translator *t, const struct arm_insn *i)
{
    tr_exit_if(t, ARM_F(i, 'z') ? IR_OP_EXIT_NZ : IR_OP_EXIT_Z, tr_branch_target(i) | 1)->a = (uint16_t)ARM_F(i, 'n');
}

static void link(struct arm_translator *t, const struct arm_insn *i)
{
    tr_mov_address(t, 14, (i->pc + i->size) | t->thumb);
}

void tr_bl(struct arm_translator *t, const struct arm_insn *i)
{
    link(t, i);
    tr_exit_call(t, tr_branch_target(i) | t->thumb);
}

/* BLX <label>: to the other instruction set. */
void tr_blx_imm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t target;
    if (i->thumb)
        target = tr_pc_literal(t) + t32_offset(i, 20, 2);
    else
        target = (tr_pc_value(i) + sign_extend(ARM_F(i, 'i') << 2 | ARM_F(i, 'H') << 1, 26)) | 1;
    link(t, i);
    tr_exit_call(t, target);
}

/* BX, BXJ (no Jazelle: the same), BLX (arg 1) */
void tr_bx(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned m = ARM_F(i, 'm');
    bool with_link = i->row->arg;
    uint16_t v = (uint16_t)m;

    if (m == 15) { /* BX pc: the A32 code behind */
        if (with_link || tr_pc_value(i) & 2)
            tr_undef(t, i);
        else
            tr_exit(t, tr_pc_value(i));
        return;
    }
    if (with_link) {
        if (m == 14) {
            v = ir_temp(t->b);
            tr_mov(t, v, 14);
        }
        link(t, i);
    }
    tr_exit_ind(t, v, with_link ? IR_IND_CALL : m == 14 ? IR_IND_RETURN : 0);
}

/* TBB, TBH: forward by twice the table's entry. */
void tr_tbb(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned n = ARM_F(i, 'n'), m = ARM_F(i, 'm'), half = ARM_F(i, 'H');
    if (m == 15) {
        tr_undef(t, i);
        return;
    }
    uint16_t entry = ir_temp(t->b), target = ir_temp(t->b), base = tr_reg(t, n);
    uint16_t mem = tr_mem(t, half ? 2 : 1);
    if (half && t->flags & ARM_BF_ALIGN) {
        uint16_t at = ir_temp(t->b);
        tr_set_shift(tr_alu(t, IR_OP_ADD, at, base, (uint16_t)m), IR_LSL, 1);
        tr_load(t, entry, at, 0, mem);
    } else {
        tr_access(t, IR_OP_LD, entry, base, (uint16_t)m, half, 0, mem);
    }
    tr_set_shift(tr_mov(t, target, entry), IR_LSL, 1);
    tr_alu(t, IR_OP_ADD, target, target, tr_address(t, tr_pc_value(i) | 1));
    tr_exit_ind(t, target, 0);
}

/* Only says which conditions the next instructions have. */
void tr_it(struct arm_translator *t, const struct arm_insn *i)
{
    t->itstate = ARM_F(i, 'f') << 4 | ARM_F(i, 'k');
}
