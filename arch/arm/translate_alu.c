/*
 * translate_alu.c: data processing: the sixteen operations with every operand form, wide moves, addresses, extension, bit fields, bit
 * counting and byte reversal.
 */
#include <arch/arm/translate_int.h>

static const struct {
    uint8_t op; /* enum ir_op */
    bool compare;
    bool logical;
    bool unary;
} dp_ops[] = {
    [DP_AND] = {IR_OP_AND, false, true, false},  [DP_EOR] = {IR_OP_EOR, false, true, false},  [DP_SUB] = {IR_OP_SUB, false, false, false},
    [DP_RSB] = {IR_OP_RSB, false, false, false}, [DP_ADD] = {IR_OP_ADD, false, false, false}, [DP_ADC] = {IR_OP_ADC, false, false, false},
    [DP_SBC] = {IR_OP_SBC, false, false, false}, [DP_RSC] = {IR_OP_RSC, false, false, false}, [DP_TST] = {IR_OP_AND, true, true, false},
    [DP_TEQ] = {IR_OP_EOR, true, true, false},   [DP_CMP] = {IR_OP_SUB, true, false, false},  [DP_CMN] = {IR_OP_ADD, true, false, false},
    [DP_ORR] = {IR_OP_ORR, false, true, false},  [DP_MOV] = {IR_OP_MOV, false, true, true},   [DP_BIC] = {IR_OP_BIC, false, true, false},
    [DP_MVN] = {IR_OP_MVN, false, true, true},   [DP_ORN] = {IR_OP_ORN, false, true, false},
};

/* Second operand: a register with a shift, or an immediate. */
struct operand {
    uint16_t v; /* IR_NONE: imm */
    uint32_t imm;
    unsigned type, amount; /* as encoded */
    enum { CARRY_KEPT, CARRY_CLEAR, CARRY_SET, CARRY_SHIFT } carry;
};

static uint32_t ror32(uint32_t v, unsigned n)
{
    return n ? v >> n | v << (32 - n) : v;
}

static struct operand expand_a32(uint32_t imm12)
{
    unsigned rotation = 2 * (imm12 >> 8);
    uint32_t v = ror32(imm12 & 0xff, rotation);
    return (struct operand){.v = IR_NONE, .imm = v, .carry = !rotation ? CARRY_KEPT : v >> 31 ? CARRY_SET : CARRY_CLEAR};
}

/* ThumbExpandImm_C (A6.3.2) */
static struct operand expand_thumb(uint32_t imm12)
{
    uint32_t b = imm12 & 0xff;
    if (imm12 >> 10 == 0) {
        static const uint32_t spread[4] = {1, 0x00010001, 0x01000100, 0x01010101};
        return (struct operand){.v = IR_NONE, .imm = b * spread[imm12 >> 8 & 3], .carry = CARRY_KEPT};
    }
    uint32_t v = ror32(0x80 | (imm12 & 0x7f), imm12 >> 7);
    return (struct operand){.v = IR_NONE, .imm = v, .carry = v >> 31 ? CARRY_SET : CARRY_CLEAR};
}

/* MOVS pc, lr and relatives: the result goes to the pc, the SPSR to the CPSR. */
static void exception_return(struct arm_translator *t, const struct arm_insn *i, uint16_t v)
{
    if (t->flags & ARM_BF_SYSMODE) {
        tr_undef(t, i);
        return;
    }
    tr_call(t, arm_helper_eret, IR_NONE, v, IR_NONE, 0, 0, CALL_STATE);
    tr_exit_raised(t);
}

/* A result for r15. A32: interworking (ALUWritePC); T32 stays in Thumb (BranchWritePC). */
static void write_pc(struct arm_translator *t, uint16_t v, bool is_return)
{
    if (t->thumb) {
        uint16_t with_t = ir_temp(t->b);
        tr_alu_imm(t, IR_OP_ORR, with_t, v, 1);
        v = with_t;
    }
    tr_exit_ind(t, v, is_return ? IR_IND_RETURN : 0);
}

static void data_processing(struct arm_translator *t, const struct arm_insn *i, unsigned op, bool set, unsigned d, unsigned n,
                            const struct operand *o)
{
    bool compare = dp_ops[op].compare, logical = dp_ops[op].logical, unary = dp_ops[op].unary;
    bool to_pc = !compare && d == 15, back = to_pc && set;
    uint16_t a = unary ? IR_NONE : tr_reg(t, n);
    bool flags = (set && !back) || compare;

    if (back && t->flags & ARM_BF_SYSMODE) {
        tr_undef(t, i);
        return;
    }
    struct ir_insn *x = tr_alu(t, dp_ops[op].op, compare ? IR_NONE : to_pc ? ir_temp(t->b) : (uint16_t)d, a, o->v);
    if (o->v == IR_NONE)
        x->imm = o->imm;
    else
        tr_set_shift(x, o->type, o->amount);
    if (flags) {
        x->fset = logical ? IR_NZ : IR_NZCV;
        if (logical && o->carry == CARRY_SHIFT && x->shamt)
            x->fset |= IR_C;
        if (logical && (o->carry == CARRY_SET || o->carry == CARRY_CLEAR)) {
            struct ir_insn *c = tr_emit(t, IR_OP_SETF);
            c->fset = IR_C;
            c->imm = o->carry == CARRY_SET ? (uint32_t)IR_C << 28 : 0;
        }
    }
    if (back)
        exception_return(t, i, (uint16_t)x->d);
    else if (to_pc)
        write_pc(t, x->d, op == DP_MOV && o->v == 14);
}

static bool wants_flags(const struct arm_translator *t, const struct arm_insn *i)
{
    return i->row->arg & DP_IT ? t->itstate == 0 : ARM_F(i, 'S') != 0;
}

static unsigned dest_of(const struct arm_insn *i)
{
    return i->row->arg & DP_TOSP ? 13 : ARM_F(i, 'd');
}

static unsigned first_of(const struct arm_insn *i)
{
    uint32_t arg = i->row->arg;
    return arg & DP_SP ? 13 : arg & DP_NEQD ? ARM_F(i, 'd') : ARM_F(i, 'n');
}

void tr_dp_imm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t arg = i->row->arg, imm = ARM_F(i, 'i');
    unsigned op = arg & DP_OP, n = first_of(i), d = dest_of(i);
    bool set = wants_flags(t, i);
    struct operand o = {.v = IR_NONE, .imm = arg & DP_X4 ? imm << 2 : imm, .carry = CARRY_KEPT};

    if (!(arg & DP_RAW))
        o = i->thumb ? expand_thumb(imm) : expand_a32(imm);
    if (n == 15 && !set && d != 15 && (op == DP_ADD || op == DP_SUB)) { /* ADR */
        uint32_t pc = i->thumb ? tr_pc_literal(t) : tr_pc_value(i);
        tr_mov_address(t, (uint16_t)d, op == DP_ADD ? pc + o.imm : pc - o.imm);
        return;
    }
    data_processing(t, i, op, set, d, n, &o);
}

void tr_dp_shift(struct arm_translator *t, const struct arm_insn *i)
{
    struct operand o = {.v = tr_reg(t, ARM_F(i, 'm')), .type = ARM_F(i, 'y'), .amount = ARM_F(i, 'i'), .carry = CARRY_SHIFT};
    if (i->size == 2 && ARM_F(i, 'd') == 15 && (i->row->arg & DP_OP) == DP_MOV && o.v == 14) { /* mov pc, lr */
        write_pc(t, 14, true);
        return;
    }
    data_processing(t, i, i->row->arg & DP_OP, wants_flags(t, i), dest_of(i), first_of(i), &o);
}

static const uint8_t shift_ops[4] = {IR_OP_LSLR, IR_OP_LSRR, IR_OP_ASRR, IR_OP_RORR};

/* A32 register-shifted register. Operands of value 15 are UNPREDICTABLE. */
void tr_dp_rsr(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned op = i->row->arg & DP_OP, n = ARM_F(i, 'n'), d = ARM_F(i, 'd');
    uint16_t m = (uint16_t)ARM_F(i, 'm'), s = (uint16_t)ARM_F(i, 's');
    bool set = wants_flags(t, i) || dp_ops[op].compare;
    if (m == 15 || s == 15 || (!dp_ops[op].unary && n == 15) || (!dp_ops[op].compare && d == 15)) {
        tr_undef(t, i);
        return;
    }
    if (op == DP_MOV) {
        tr_alu(t, shift_ops[ARM_F(i, 'y')], (uint16_t)d, m, s)->fset = set ? IR_NZC : 0;
        return;
    }
    uint16_t v = ir_temp(t->b);
    tr_alu(t, shift_ops[ARM_F(i, 'y')], v, m, s)->fset = set && dp_ops[op].logical ? IR_C : 0;
    struct operand o = {.v = v, .carry = CARRY_KEPT};
    data_processing(t, i, op, set, d, n, &o);
}

/* T16 and T32 shift by register: arg = the shift, or 4: field y. */
void tr_shift_reg(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned type = i->row->arg & 7, d = ARM_F(i, 'd'), n = first_of(i), m = ARM_F(i, 'm');
    if (d == 15 || n == 15 || m == 15) {
        tr_undef(t, i);
        return;
    }
    tr_alu(t, shift_ops[type == 4 ? ARM_F(i, 'y') : type], (uint16_t)d, (uint16_t)n, (uint16_t)m)->fset = wants_flags(t, i) ? IR_NZC : 0;
}

static uint32_t imm16(const struct arm_insn *i)
{
    if (!i->thumb)
        return ARM_F(i, 'i');
    return ARM_F(i, 'k') << 12 | ARM_F(i, 'j') << 11 | ARM_F(i, 'i');
}

void tr_movw(struct arm_translator *t, const struct arm_insn *i)
{
    if (ARM_F(i, 'd') == 15)
        tr_undef(t, i);
    else
        tr_mov_imm(t, (uint16_t)ARM_F(i, 'd'), imm16(i));
}

void tr_movt(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t d = (uint16_t)ARM_F(i, 'd');
    if (d == 15) {
        tr_undef(t, i);
        return;
    }
    /* After MOVW of the same register, the usual pair, the whole value is known. The previous instruction is before this one's INSN. */
    struct ir_insn *before = t->b->n >= 2 ? &t->b->insn[t->b->n - 2] : NULL;
    if (before && before->op == IR_OP_MOV && before->d == d && before->b == IR_NONE && before->fset == 0 && !before->moves) {
        uint32_t low = before->imm & 0xffff;
        if (t->cond == IR_AL)
            *before = (struct ir_insn){.op = IR_OP_NOP, .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE};
        tr_mov_imm(t, d, imm16(i) << 16 | low);
        return;
    }
    struct ir_insn *x = tr_alu_imm(t, IR_OP_BFI, d, tr_const(t, imm16(i)), 16);
    x->imm2 = 16;
}

void tr_adr(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t off = i->row->arg & DP_X4 ? ARM_F(i, 'i') << 2 : ARM_F(i, 'i'), pc = tr_pc_literal(t);
    if (ARM_F(i, 'd') == 15)
        tr_undef(t, i);
    else
        tr_mov_address(t, (uint16_t)ARM_F(i, 'd'), i->row->arg & DP_NEG ? pc - off : pc + off);
}

/* True, after raising Undefined, when one of three registers is 15. */
static bool has_pc(struct arm_translator *t, const struct arm_insn *i, unsigned a, unsigned b, unsigned c)
{
    if (a != 15 && b != 15 && c != 15)
        return false;
    tr_undef(t, i);
    return true;
}

void tr_pkh(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t d = (uint16_t)ARM_F(i, 'd'), n = (uint16_t)ARM_F(i, 'n'), m = (uint16_t)ARM_F(i, 'm');
    if (has_pc(t, i, d, n, m))
        return;
    bool tb = ARM_F(i, 'T');
    uint16_t shifted = ir_temp(t->b);
    tr_set_shift(tr_mov(t, shifted, m), tb ? IR_ASR : IR_LSL, ARM_F(i, 'i'));
    uint16_t into = shifted, low = n;
    if (tb) { /* top of n, bottom of the shifted */
        into = ir_temp(t->b);
        tr_mov(t, into, n);
        low = shifted;
    }
    tr_alu_imm(t, IR_OP_BFI, into, low, 0)->imm2 = 16;
    tr_mov(t, d, into);
}

/* SXTB, UXTH, SXTAB...: arg = IR operation. No n in 16-bit forms; n = 15: no addition. */
void tr_extend(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t d = (uint16_t)ARM_F(i, 'd'), n = i->size == 2 ? 15 : (uint16_t)ARM_F(i, 'n'), m = (uint16_t)ARM_F(i, 'm');
    if (has_pc(t, i, d, m, 0))
        return;
    uint16_t v = n == 15 ? d : ir_temp(t->b);
    struct ir_insn *x = tr_alu(t, i->row->arg, v, IR_NONE, m);
    if (ARM_F(i, 'r'))
        tr_set_shift(x, IR_ROR, ARM_F(i, 'r') * 8);
    if (n != 15)
        tr_alu(t, IR_OP_ADD, d, n, v);
}

void tr_extend16(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t d = (uint16_t)ARM_F(i, 'd'), n = (uint16_t)ARM_F(i, 'n'), m = (uint16_t)ARM_F(i, 'm');
    unsigned r = ARM_F(i, 'r') * 8;
    if (has_pc(t, i, d, m, 0))
        return;
    if (n == 15 && i->row->arg == IR_OP_UXTB) {
        uint16_t v = ir_temp(t->b);
        struct ir_insn *x = tr_mov(t, v, m);
        if (r)
            tr_set_shift(x, IR_ROR, r);
        tr_alu_imm(t, IR_OP_AND, d, v, 0x00ff00ff);
        return;
    }
    uint16_t half[2];
    for (unsigned k = 0; k < 2; k++) {
        unsigned rotation = (r + 16 * k) & 31;
        half[k] = ir_temp(t->b);
        struct ir_insn *x = tr_alu(t, i->row->arg, half[k], IR_NONE, m);
        if (rotation)
            tr_set_shift(x, IR_ROR, rotation);
    }
    if (n != 15) {
        uint16_t high = ir_temp(t->b);
        tr_alu(t, IR_OP_ADD, half[0], half[0], n);
        tr_set_shift(tr_mov(t, high, n), IR_LSR, 16);
        tr_alu(t, IR_OP_ADD, half[1], half[1], high);
    }
    tr_alu_imm(t, IR_OP_BFI, half[0], half[1], 16)->imm2 = 16;
    tr_mov(t, d, half[0]);
}

void tr_unary(struct arm_translator *t, const struct arm_insn *i)
{
    if (!has_pc(t, i, ARM_F(i, 'd'), ARM_F(i, 'm'), 0))
        tr_alu(t, i->row->arg, (uint16_t)ARM_F(i, 'd'), (uint16_t)ARM_F(i, 'm'), IR_NONE);
}

void tr_bitfield_extract(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned lsb = ARM_F(i, 'i'), width = ARM_F(i, 'w') + 1;
    if (has_pc(t, i, ARM_F(i, 'd'), ARM_F(i, 'n'), 0))
        return;
    if (lsb + width > 32) {
        tr_undef(t, i);
        return;
    }
    tr_alu_imm(t, i->row->arg, (uint16_t)ARM_F(i, 'd'), (uint16_t)ARM_F(i, 'n'), lsb)->imm2 = width;
}

/* BFI, and BFC with n = 15. */
void tr_bitfield_insert(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned lsb = ARM_F(i, 'i'), msb = ARM_F(i, 's'), n = ARM_F(i, 'n');
    uint16_t d = (uint16_t)ARM_F(i, 'd');
    if (d == 15 || msb < lsb) {
        tr_undef(t, i);
        return;
    }
    unsigned width = msb - lsb + 1;
    if (n == 15)
        tr_alu_imm(t, IR_OP_BIC, d, d, (width == 32 ? 0xffffffff : (1u << width) - 1) << lsb);
    else
        tr_alu_imm(t, IR_OP_BFI, d, (uint16_t)n, lsb)->imm2 = width;
}
