/*
 * translate_mul.c: multiplies and divides. The signed halfword, dual and most-significant-word forms are 64-bit multiply-accumulates
 * (SMLAL) on sign-extended parts; overflow of a 32-bit accumulation sets Q.
 */
#include <arch/arm/translate_int.h>

static bool any_pc(struct arm_translator *t, const struct arm_insn *i, unsigned a, unsigned b, unsigned c, unsigned d)
{
    if (a != 15 && b != 15 && c != 15 && d != 15)
        return false;
    tr_undef(t, i);
    return true;
}

#define REG(letter) ((uint16_t)ARM_F(i, letter))

static struct ir_insn *mul_long(struct arm_translator *t, enum ir_op op, uint16_t lo, uint16_t hi, uint16_t a, uint16_t b)
{
    struct ir_insn *x = tr_alu(t, op, lo, a, b);
    x->d2 = hi;
    return x;
}

/* A temp with the sign-extended bottom (0) or top (1) half of r. */
static uint16_t half_of(struct arm_translator *t, uint16_t r, unsigned top)
{
    uint16_t v = ir_temp(t->b);
    struct ir_insn *x;
    if (top) {
        x = tr_mov(t, v, r);
        tr_set_shift(x, IR_ASR, 16);
    } else {
        tr_alu(t, IR_OP_SXTH, v, IR_NONE, r);
    }
    return v;
}

/* Q = 1 when v is not zero. */
static void set_q_if(struct arm_translator *t, uint16_t v)
{
    uint16_t skip = ir_label(t->b);
    struct ir_insn *x = tr_emit(t, IR_OP_BRZ);
    x->a = v;
    x->imm = skip;
    x = tr_emit(t, IR_OP_STE);
    x->imm = ARM_OFF(q);
    x->imm2 = 1;
    x->mem = 1;
    tr_emit(t, IR_OP_LABEL)->imm = skip;
}

/* d = p + a, Q on signed overflow. p is a temp. */
static void add_setting_q(struct arm_translator *t, uint16_t d, uint16_t p, uint16_t a)
{
    uint16_t sum = ir_temp(t->b), x = ir_temp(t->b), y = ir_temp(t->b);
    tr_alu(t, IR_OP_ADD, sum, p, a);
    tr_alu(t, IR_OP_EOR, x, sum, p);
    tr_alu(t, IR_OP_EOR, y, sum, a);
    tr_alu(t, IR_OP_AND, x, x, y);
    tr_set_shift(tr_mov(t, y, x), IR_LSR, 31);
    tr_mov(t, d, sum);
    set_q_if(t, y);
}

/* MUL (arg 0), MLA (1), MLS (2). T16: d = n * d. */
void tr_mul(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned kind = i->row->arg & 3;
    bool t16 = i->size == 2, set = t16 ? t->itstate == 0 : ARM_F(i, 'S') != 0;
    uint16_t d = REG('d'), n = REG('n'), m = t16 ? d : REG('m'), a = REG('a');
    if (any_pc(t, i, d, n, m, kind ? a : 0))
        return;
    if (kind == 0) {
        tr_alu(t, IR_OP_MUL, d, n, m)->fset = set ? IR_NZ : 0;
        return;
    }
    uint16_t p = ir_temp(t->b);
    tr_alu(t, IR_OP_MUL, p, n, m);
    tr_alu(t, kind == 1 ? IR_OP_ADD : IR_OP_SUB, d, a, p)->fset = set ? IR_NZ : 0;
}

void tr_mull(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t l = REG('l'), h = REG('h');
    if (l == h) {
        tr_undef(t, i);
        return;
    }
    if (!any_pc(t, i, l, h, REG('n'), REG('m')))
        mul_long(t, i->row->arg, l, h, REG('n'), REG('m'))->fset = ARM_F(i, 'S') ? IR_NZ : 0;
}

/* h:l = n * m + h + l; the two additions are multiply-accumulates with 1. */
void tr_umaal(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t l = REG('l'), h = REG('h');
    if (any_pc(t, i, l, h, REG('n'), REG('m')))
        return;
    if (l == h) {
        tr_undef(t, i);
        return;
    }
    uint16_t lo = ir_temp(t->b), hi = tr_const(t, 0);
    tr_mov(t, lo, l);
    mul_long(t, IR_OP_UMLAL, lo, hi, REG('n'), REG('m'));
    mul_long(t, IR_OP_UMLAL, lo, hi, h, tr_const(t, 1));
    tr_mov(t, l, lo);
    tr_mov(t, h, hi);
}

/* SMULxy (arg 0), SMLAxy (1) */
void tr_smlaxy(struct arm_translator *t, const struct arm_insn *i)
{
    bool accumulate = i->row->arg;
    if (any_pc(t, i, REG('d'), REG('n'), REG('m'), accumulate ? REG('a') : 0))
        return;
    uint16_t x = half_of(t, REG('n'), ARM_F(i, 'N')), y = half_of(t, REG('m'), ARM_F(i, 'M'));
    uint16_t p = accumulate ? ir_temp(t->b) : REG('d');
    tr_alu(t, IR_OP_MUL, p, x, y);
    if (accumulate)
        add_setting_q(t, REG('d'), p, REG('a'));
}

/* SMULWy (arg 0), SMLAWy (1): bits 47..16 of the 48-bit product */
void tr_smlaw(struct arm_translator *t, const struct arm_insn *i)
{
    bool accumulate = i->row->arg;
    if (any_pc(t, i, REG('d'), REG('n'), REG('m'), accumulate ? REG('a') : 0))
        return;
    uint16_t lo = ir_temp(t->b), hi = ir_temp(t->b), p = ir_temp(t->b);
    mul_long(t, IR_OP_SMULL, lo, hi, REG('n'), half_of(t, REG('m'), ARM_F(i, 'M')));
    tr_set_shift(tr_mov(t, p, lo), IR_LSR, 16);
    tr_set_shift(tr_alu(t, IR_OP_ORR, p, p, hi), IR_LSL, 16);
    if (accumulate)
        add_setting_q(t, REG('d'), p, REG('a'));
    else
        tr_mov(t, REG('d'), p);
}

void tr_smlalxy(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t l = REG('l'), h = REG('h');
    if (any_pc(t, i, l, h, REG('n'), REG('m')))
        return;
    if (l == h) {
        tr_undef(t, i);
        return;
    }
    uint16_t x = half_of(t, REG('n'), ARM_F(i, 'N')), y = half_of(t, REG('m'), ARM_F(i, 'M'));
    mul_long(t, IR_OP_SMLAL, l, h, x, y);
}

/* hi:lo += n.bottom * m.bottom +- n.top * m.top, halves of m exchanged for the X forms */
static void dual(struct arm_translator *t, uint16_t lo, uint16_t hi, const uint16_t part[4], bool subtract)
{
    uint16_t top = part[1];
    mul_long(t, IR_OP_SMLAL, lo, hi, part[0], part[2]);
    if (subtract) {
        top = ir_temp(t->b);
        tr_alu_imm(t, IR_OP_RSB, top, part[1], 0);
    }
    mul_long(t, IR_OP_SMLAL, lo, hi, top, part[3]);
}

/* n's halves, then m's in the order they are multiplied with. */
static void dual_parts(struct arm_translator *t, const struct arm_insn *i, uint16_t part[4])
{
    bool exchange = ARM_F(i, 'M');
    part[0] = half_of(t, REG('n'), 0);
    part[1] = half_of(t, REG('n'), 1);
    part[2] = half_of(t, REG('m'), exchange);
    part[3] = half_of(t, REG('m'), !exchange);
}

/* SMLAD, SMUAD (a = 15), SMLSD, SMUSD; arg 1 subtracts */
void tr_smlad(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t part[4], a = REG('a'), lo = ir_temp(t->b), hi = ir_temp(t->b);
    if (any_pc(t, i, REG('d'), REG('n'), REG('m'), 0))
        return;
    dual_parts(t, i, part);
    if (a == 15) {
        tr_mov_imm(t, lo, 0);
        tr_mov_imm(t, hi, 0);
    } else {
        tr_mov(t, lo, a);
        tr_set_shift(tr_mov(t, hi, a), IR_ASR, 31);
    }
    dual(t, lo, hi, part, i->row->arg);
    uint16_t overflow = ir_temp(t->b);
    tr_set_shift(tr_alu(t, IR_OP_EOR, overflow, hi, lo), IR_ASR, 31);
    tr_mov(t, REG('d'), lo);
    set_q_if(t, overflow);
}

void tr_smlald(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t part[4], l = REG('l'), h = REG('h');
    if (any_pc(t, i, l, h, REG('n'), REG('m')))
        return;
    if (l == h) {
        tr_undef(t, i);
        return;
    }
    dual_parts(t, i, part);
    dual(t, l, h, part, i->row->arg);
}

/* SMMUL (a = 15), SMMLA, SMMLS (arg 1), with rounding R: the high word of (a:0 +- n * m + rounding) */
void tr_smmla(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t a = REG('a'), d = REG('d'), lo = ir_temp(t->b), hi = ir_temp(t->b);
    uint32_t rounding = ARM_F(i, 'R') ? 0x80000000 : 0;
    bool subtract = i->row->arg;
    if (any_pc(t, i, d, REG('n'), REG('m'), subtract ? a : 0))
        return;
    if (!subtract) {
        tr_mov_imm(t, lo, rounding);
        if (a == 15)
            tr_mov_imm(t, hi, 0);
        else
            tr_mov(t, hi, a);
        mul_long(t, IR_OP_SMLAL, lo, hi, REG('n'), REG('m'));
    } else { /* -p = ~p + 1 */
        mul_long(t, IR_OP_SMULL, lo, hi, REG('n'), REG('m'));
        tr_mov(t, lo, lo)->op = IR_OP_MVN;
        tr_mov(t, hi, hi)->op = IR_OP_MVN;
        tr_alu(t, IR_OP_ADD, hi, hi, a);
        mul_long(t, IR_OP_UMLAL, lo, hi, tr_const(t, rounding + 1), tr_const(t, 1));
    }
    tr_mov(t, d, hi);
}

void tr_div(struct arm_translator *t, const struct arm_insn *i)
{
    if (!any_pc(t, i, REG('d'), REG('n'), REG('m'), 0))
        tr_alu(t, i->row->arg, REG('d'), REG('n'), REG('m'));
}
