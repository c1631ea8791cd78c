/*
 * translate_media.c: saturating and parallel arithmetic. These read and set Q and GE, which live in memory; helpers do most of the work. What C libraries
 * search strings with (UADD8, UQSUB8, SEL) and what codecs clip and compare with (USAT, SSAT, USAD8) is
 * done in line.
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

static void lanes(struct arm_translator *t, enum ir_lanes kind, uint16_t d, uint16_t n, uint16_t m)
{
    struct ir_insn *x = tr_alu(t, IR_OP_LANES, d, n, m);
    x->imm = ARM_OFF(ge_off);
    x->imm2 = kind;
}

/* arg = prefix (S Q SH U UQ UH) * 6 + operation (ADD16 ASX SAX SUB16 ADD8 SUB8) */
void tr_parallel(struct arm_translator *t, const struct arm_insn *i)
{
    if (any_pc(t, i, REG('d'), REG('n'), REG('m')))
        return;
    enum { ADD16, ASX, SAX, SUB16, ADD8, SUB8 };
    static const uint8_t in_line[] = { /* enum ir_lanes + 1 */
        [1 * 6 + ADD16] = IR_LANES_QADD16 + 1,  [1 * 6 + SUB16] = IR_LANES_QSUB16 + 1,  [1 * 6 + ADD8] = IR_LANES_QADD8 + 1,
        [1 * 6 + SUB8] = IR_LANES_QSUB8 + 1,    [3 * 6 + ADD16] = IR_LANES_UADD16 + 1,  [3 * 6 + SUB16] = IR_LANES_USUB16 + 1,
        [3 * 6 + ADD8] = IR_LANES_UADD8 + 1,    [3 * 6 + SUB8] = IR_LANES_USUB8 + 1,    [4 * 6 + ADD16] = IR_LANES_UQADD16 + 1,
        [4 * 6 + SUB16] = IR_LANES_UQSUB16 + 1, [4 * 6 + ADD8] = IR_LANES_UQADD8 + 1,   [4 * 6 + SUB8] = IR_LANES_UQSUB8 + 1,
        [5 * 6 + SUB8] = 0,
    };
    if (in_line[i->row->arg])
        lanes(t, in_line[i->row->arg] - 1u, REG('d'), REG('n'), REG('m'));
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
    lanes(t, IR_LANES_USAD8, sum, REG('n'), REG('m'));
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
