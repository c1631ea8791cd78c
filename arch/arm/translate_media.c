/*
 * translate_media.c: saturating and parallel arithmetic. These read and set Q and GE, which live in memory: helpers do the work.
 */
#include <arch/arm/translate_int.h>

#define REG(letter) ((uint16_t)ARM_F(i, letter))

static bool any_pc(struct arm_translator *t, const struct arm_insn *i, unsigned a, unsigned b, unsigned c)
{
    if (a != 15 && b != 15 && c != 15)
        return false;
    tr_undef(t, i);
    return true;
}

/* arg = prefix (S Q SH U UQ UH) * 6 + operation (ADD16 ASX SAX SUB16 ADD8 SUB8) */
void tr_parallel(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), REG('m')))
        tr_call(t, arm_parallel_helpers[i->row->arg], REG('d'), REG('n'), REG('m'), 0, 0, 0);
}

/* QADD, QSUB, QDADD, QDSUB (arg 0..3): m op n */
void tr_qadd(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), REG('m')))
        tr_call(t, arm_helper_qadd, REG('d'), REG('m'), REG('n'), i->row->arg, 0, 0);
}

void tr_sel(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), REG('m')))
        tr_call(t, arm_helper_sel, REG('d'), REG('n'), REG('m'), 0, 0, 0);
}

/* USADA8, USAD8 with a = 15 */
void tr_usad8(struct arm_translator *t, const struct arm_insn *i)
{
    if (any_pc(t, i, REG('d'), REG('n'), REG('m')))
        return;
    uint16_t a = REG('a'), sum = a == 15 ? REG('d') : ir_temp(t->b);
    tr_call(t, arm_helper_usad8, sum, REG('n'), REG('m'), 0, 0, 0);
    if (a != 15)
        tr_alu(t, IR_OP_ADD, REG('d'), sum, a);
}

/* SSAT (arg 0), USAT (1) */
void tr_sat(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned bits = ARM_F(i, 's') + !i->row->arg, amount = ARM_F(i, 'i');
    uint16_t v = REG('n');
    if (any_pc(t, i, REG('d'), v, 0))
        return;
    if (ARM_F(i, 'Y') || amount) {
        v = ir_temp(t->b);
        tr_set_shift(tr_mov(t, v, REG('n')), ARM_F(i, 'Y') ? IR_ASR : IR_LSL, amount);
    }
    tr_call(t, arm_helper_sat, REG('d'), v, IR_NONE, bits, i->row->arg, 0);
}

void tr_sat16(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), 0))
        tr_call(t, arm_helper_sat16, REG('d'), REG('n'), IR_NONE, ARM_F(i, 's') + !i->row->arg, i->row->arg, 0);
}
