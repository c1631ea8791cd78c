/*
 * translate_media.c: saturating and parallel arithmetic. These read and set Q and GE, which live in memory; helpers do most of the work. What C libraries
 * search strings with (UADD8, USUB8, SEL) and what codecs clip with (USAT, SSAT) is done in line.
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
#define ARM_UADD8 (3 * 6 + 4)
#define ARM_USUB8 (3 * 6 + 5)

void tr_parallel(struct arm_translator *t, const struct arm_insn *i)
{
    if (any_pc(t, i, REG('d'), REG('n'), REG('m')))
        return;
    if (i->row->arg == ARM_UADD8 || i->row->arg == ARM_USUB8)
        tr_alu(t, i->row->arg == ARM_UADD8 ? IR_OP_UADD8 : IR_OP_USUB8, REG('d'), REG('n'), REG('m'))->imm = ARM_OFF(ge_off);
    else
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
    if (any_pc(t, i, REG('d'), REG('n'), REG('m')))
        return;
    uint16_t off = ir_temp(t->b), x = ir_temp(t->b);
    struct ir_insn *l = tr_emit(t, IR_OP_LDE);
    l->d = off;
    l->imm = ARM_OFF(ge_off);
    l->mem = 4;
    tr_alu(t, IR_OP_EOR, x, REG('n'), REG('m'));
    tr_alu(t, IR_OP_AND, x, x, off);
    tr_alu(t, IR_OP_EOR, REG('d'), REG('n'), x);
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
    /* Most values are in range: then only the bits above say so. */
    uint16_t above = ir_temp(t->b), in = ir_temp(t->b), skip = ir_label(t->b);
    tr_mov(t, in, v);
    if (i->row->arg) {
        tr_mov(t, above, v);
    } else {
        tr_alu(t, IR_OP_ADD, above, v, IR_NONE)->imm = 1u << (bits - 1);
    }
    if (bits < 32) {
        if (bits)
            tr_set_shift(tr_mov(t, above, above), IR_LSR, bits);
        struct ir_insn *x = tr_emit(t, IR_OP_BRZ);
        x->a = above;
        x->imm = skip;
        tr_call(t, arm_helper_sat, in, v, IR_NONE, bits, i->row->arg, 0);
        tr_emit(t, IR_OP_LABEL)->imm = skip;
    }
    tr_mov(t, REG('d'), in);
}

void tr_sat16(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), 0))
        tr_call(t, arm_helper_sat16, REG('d'), REG('n'), IR_NONE, ARM_F(i, 's') + !i->row->arg, i->row->arg, 0);
}
