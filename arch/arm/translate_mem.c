/*
 * translate_mem.c: loads and stores of the general registers: single, dual, multiple, exclusive, SWP.
 *
 * Each instruction is ordered so that it can be restarted after a fault at any of its accesses: registers that form the address change
 * last.
 */
#include <arch/arm/translate_int.h>

#define REG(letter) ((uint16_t)ARM_F(i, letter))

/* --- single and dual --------------------------------------------------------------------------------------------- */

/* Address of an access: a + (b << shamt) + imm. */
struct address {
    uint16_t a, b;
    unsigned shamt;
    uint32_t imm;
};

struct indexing {
    bool before, add, write_back;
};

static struct indexing indexing_of(const struct arm_insn *i)
{
    uint32_t arg = i->row->arg;
    if (arg & LS_OFFSET)
        return (struct indexing){true, true, false};
    if (arg & LS_POST)
        return (struct indexing){false, ARM_F(i, 'U'), true};
    return (struct indexing){ARM_F(i, 'P'), ARM_F(i, 'U'), !ARM_F(i, 'P') || ARM_F(i, 'W')};
}

static uint16_t access_mem(const struct arm_translator *t, uint32_t arg)
{
    uint16_t mem = tr_mem(t, arg & IR_MEM_SIZE);
    if (arg & IR_MEM_SIGNED)
        mem |= IR_MEM_SIGNED;
    if (arg & IR_MEM_USER && t->flags & ARM_BF_PRIV)
        mem |= IR_MEM_USER;
    return mem;
}

/* Alignment of a single or dual access: words for dual, natural when SCTLR.A asks for it. */
static void check_alignment(struct arm_translator *t, struct address *at, unsigned size, bool dual, bool store)
{
    if (!dual && (!(t->flags & ARM_BF_ALIGN) || size == 1))
        return;
    if (at->b != IR_NONE) {
        uint16_t sum = ir_temp(t->b);
        struct ir_insn *x = tr_alu(t, IR_OP_ADD, sum, at->a, at->b);
        if (at->shamt)
            tr_set_shift(x, IR_LSL, at->shamt);
        at->a = sum;
        at->b = IR_NONE;
    }
    tr_align(t, at->a, at->imm, size, store);
}

static void access_one(struct arm_translator *t, const struct address *at, bool store, uint16_t reg, uint32_t off, uint16_t mem)
{
    tr_access(t, store ? IR_OP_ST : IR_OP_LD, reg, at->a, at->b, at->shamt, at->imm + off, mem);
}

/* The access proper, then `base` (unless IR_NONE) becomes base + step, or the temp new_base. */
static void transfer(struct arm_translator *t, const struct arm_insn *i, struct address *at, uint16_t base, uint16_t new_base,
                     uint32_t step)
{
    uint32_t arg = i->row->arg;
    bool store = arg & LS_STORE, dual = arg & LS_DUAL;
    unsigned rt = ARM_F(i, 't'), rt2 = i->thumb ? ARM_F(i, 'v') : rt + 1;
    unsigned size = arg & IR_MEM_SIZE;
    uint16_t mem = access_mem(t, arg), v = (uint16_t)rt, v2 = (uint16_t)rt2;

    if ((rt == 15 && (size < 4 || dual)) || (dual && (rt2 == 15 || (!i->thumb && (rt & 1 || (!ARM_F(i, 'P') && ARM_F(i, 'W'))))))) {
        tr_undef(t, i);
        return;
    }
    if (dual && !store && base != IR_NONE && (rt == base || rt2 == base)) {
        tr_undef(t, i);
        return;
    }
    check_alignment(t, at, size, dual, store);
    if (store) {
        access_one(t, at, true, tr_reg(t, rt), 0, mem);
        if (dual)
            access_one(t, at, true, (uint16_t)rt2, 4, mem);
    } else {
        /* Registers the rest of the instruction still needs are written through temps. */
        bool address = rt == ARM_F(i, 'n') || (i->row->translate == tr_ls_reg && rt == ARM_F(i, 'm'));
        bool busy = rt == 15 || rt == base || (dual && address);
        if (busy)
            v = ir_temp(t->b);
        access_one(t, at, false, v, 0, mem);
        if (dual) {
            if (rt2 == base)
                v2 = ir_temp(t->b);
            access_one(t, at, false, v2, 4, mem);
        }
    }
    if (base != IR_NONE) {
        if (new_base != IR_NONE)
            tr_mov(t, base, new_base);
        else
            tr_alu_imm(t, IR_OP_ADD, base, base, step);
    }
    if (store)
        return;
    if (rt == 15) {
        tr_exit_ind(t, v, base == 13 ? IR_IND_RETURN : 0);
        return;
    }
    tr_write_reg(t, rt, v);
    if (dual)
        tr_write_reg(t, rt2, v2);
}

void tr_ls_imm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t arg = i->row->arg, off = ARM_F(i, 'i') << LS_SCALE_OF(arg);
    struct indexing x = indexing_of(i);
    unsigned n = arg & LS_SP ? 13 : ARM_F(i, 'n');

    if (!x.add)
        off = -off;
    if (n == 15 && x.write_back) {
        tr_undef(t, i);
        return;
    }
    struct address at = {(uint16_t)n, IR_NONE, 0, x.before ? off : 0};
    if (n == 15) {
        at.a = IR_NONE;
        at.imm += tr_pc_literal(t);
    }
    transfer(t, i, &at, x.write_back ? (uint16_t)n : IR_NONE, IR_NONE, off);
}

void tr_ls_lit(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t off = ARM_F(i, 'i') << LS_SCALE_OF(i->row->arg);
    bool add = i->size == 2 || ARM_F(i, 'U');
    struct address at = {IR_NONE, IR_NONE, 0, tr_pc_literal(t) + (add ? off : -off)};
    transfer(t, i, &at, IR_NONE, IR_NONE, 0);
}

void tr_ls_reg(struct arm_translator *t, const struct arm_insn *i)
{
    struct indexing x = indexing_of(i);
    unsigned n = ARM_F(i, 'n'), m = ARM_F(i, 'm'), type = ARM_F(i, 'y'), amount = ARM_F(i, 'i');

    if (m == 15 || (n == 15 && x.write_back)) {
        tr_undef(t, i);
        return;
    }
    uint16_t base = tr_reg(t, n);
    struct address at = {base, (uint16_t)m, amount, 0};
    bool simple = x.before && x.add && type == IR_LSL && amount <= 3;
    if (simple && !x.write_back) {
        transfer(t, i, &at, IR_NONE, IR_NONE, 0);
        return;
    }
    uint16_t sum = ir_temp(t->b);
    tr_set_shift(tr_alu(t, x.add ? IR_OP_ADD : IR_OP_SUB, sum, base, (uint16_t)m), type, amount);
    at = (struct address){x.before ? sum : base, IR_NONE, 0, 0};
    transfer(t, i, &at, x.write_back ? base : IR_NONE, sum, 0);
}

/* --- multiple ---------------------------------------------------------------------------------------------------- */

struct multiple {
    unsigned n;    /* base register */
    unsigned list; /* registers 0..15 */
    bool store, decrement, before, write_back, user;
};

static void load_multiple(struct arm_translator *t, const struct multiple *m, uint32_t off, uint32_t step)
{
    uint16_t mem = tr_mem(t, 4), base = (uint16_t)m->n, loaded_base = IR_NONE, pc = IR_NONE, banked[15];
    bool to_pc = m->list & BIT(15), bank = m->user && !to_pc;

    for (unsigned r = 0; r < 16; r++) {
        if (!(m->list & BIT(r)))
            continue;
        uint16_t v = (uint16_t)r;
        if (r == 15)
            v = pc = ir_temp(t->b);
        else if (bank && r >= 8)
            v = banked[r] = ir_temp(t->b);
        else if (r == base)
            v = loaded_base = ir_temp(t->b);
        tr_access(t, IR_OP_LD, v, base, IR_NONE, 0, off, mem);
        off += 4;
    }
    if (loaded_base != IR_NONE)
        tr_mov(t, base, loaded_base);
    else if (m->write_back)
        tr_alu_imm(t, IR_OP_ADD, base, base, step);
    if (bank)
        for (unsigned r = 8; r < 15; r++)
            if (m->list & BIT(r))
                tr_call(t, arm_helper_user_reg_write, IR_NONE, banked[r], IR_NONE, r, 0, IR_CALL_RAISE | IR_CALL_GPR);
    if (!to_pc)
        return;
    if (m->user) {
        tr_call(t, arm_helper_eret, IR_NONE, pc, IR_NONE, 0, 0, CALL_STATE);
        tr_exit_raised(t);
    } else {
        tr_exit_ind(t, pc, IR_IND_RETURN);
    }
}

static void store_multiple(struct arm_translator *t, const struct multiple *m, uint32_t off, uint32_t step)
{
    uint16_t mem = tr_mem(t, 4), base = (uint16_t)m->n;

    for (unsigned r = 0; r < 16; r++) {
        if (!(m->list & BIT(r)))
            continue;
        uint16_t v = m->user && r >= 8 && r < 15 ? ir_temp(t->b) : tr_reg(t, r);
        if (m->user && r >= 8 && r < 15)
            tr_call(t, arm_helper_user_reg_read, v, IR_NONE, IR_NONE, r, 0, IR_CALL_RAISE | IR_CALL_GPR);
        tr_access(t, IR_OP_ST, v, base, IR_NONE, 0, off, mem);
        off += 4;
    }
    if (m->write_back)
        tr_alu_imm(t, IR_OP_ADD, base, base, step);
}

static void multiple(struct arm_translator *t, const struct arm_insn *i, const struct multiple *m)
{
    uint32_t bytes = 4 * (uint32_t)__builtin_popcount(m->list);
    uint32_t off = m->decrement ? -bytes : 0, step = m->decrement ? -bytes : bytes;

    bool t32 = i->thumb && i->size == 4, base_listed = m->list & BIT(m->n);
    if (m->list == 0 || m->n == 15 || (m->user && t->flags & ARM_BF_SYSMODE) || (t32 && bytes < 8) ||
        (m->write_back && base_listed && i->size == 4 && (t32 || !m->store))) {
        tr_undef(t, i);
        return;
    }
    if (m->before != m->decrement) /* IB starts at base + 4, DA ends at base */
        off += 4;
    tr_align(t, (uint16_t)m->n, off, 4, m->store);
    if (m->store)
        store_multiple(t, m, off, step);
    else
        load_multiple(t, m, off, step);
}

/* A32 has P, U, S, W in the word; T32 says DB by LS_DEC | LS_BEFORE; T16 always writes back, a load only when the base is not in the list.
 */
void tr_ldstm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t arg = i->row->arg;
    struct multiple m = {
        .n = ARM_F(i, 'n'),
        .list = ARM_F(i, 'r'),
        .store = arg & LS_STORE,
        .decrement = i->thumb ? arg & LS_DEC : !ARM_F(i, 'U'),
        .before = i->thumb ? arg & LS_BEFORE : ARM_F(i, 'P'),
        .write_back = arg & LS_WB || ARM_F(i, 'W'),
        .user = ARM_F(i, 'S'),
    };
    multiple(t, i, &m);
}

void tr_push_pop(struct arm_translator *t, const struct arm_insn *i)
{
    bool store = i->row->arg & LS_STORE;
    struct multiple m = {
        .n = 13,
        .list = ARM_F(i, 'r') | ARM_F(i, 'M') << 14 | ARM_F(i, 'P') << 15,
        .store = store,
        .decrement = store,
        .before = store,
        .write_back = true,
    };
    multiple(t, i, &m);
}

/* --- exclusives -------------------------------------------------------------------------------------------------- */

/* The monitor compares memory as it is: big-endian data is reversed in registers. */
static void reverse(struct arm_translator *t, uint16_t d, uint16_t v, unsigned size)
{
    if (size == 2) {
        tr_alu(t, IR_OP_REV16, d, v, IR_NONE);
        tr_alu(t, IR_OP_UXTH, d, IR_NONE, d);
    } else {
        tr_alu(t, IR_OP_REV, d, v, IR_NONE);
    }
}

/* Address in a register, checked for natural alignment. */
static uint16_t exclusive_address(struct arm_translator *t, const struct arm_insn *i, unsigned size, bool store)
{
    uint16_t n = REG('n'), a = n;
    uint32_t off = i->thumb ? ARM_F(i, 'i') << 2 : 0;
    if (off) {
        a = ir_temp(t->b);
        tr_alu_imm(t, IR_OP_ADD, a, n, off);
    }
    tr_align(t, a, 0, size, store);
    return a;
}

static unsigned second_register(const struct arm_insn *i)
{
    return i->thumb ? ARM_F(i, 'v') : ARM_F(i, 't') + 1;
}

static bool exclusive_invalid(const struct arm_insn *i, unsigned size)
{
    unsigned rt = ARM_F(i, 't'), rt2 = size == 8 ? second_register(i) : rt;
    return ARM_F(i, 'n') == 15 || rt == 15 || rt2 == 15 || (i->thumb ? rt == 13 || rt2 == 13 : size == 8 && rt & 1);
}

void tr_ldrex(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned size = i->row->arg & IR_MEM_SIZE;
    if (exclusive_invalid(i, size) || (size == 8 && ARM_F(i, 't') == second_register(i))) {
        tr_undef(t, i);
        return;
    }
    bool swap = t->flags & ARM_BF_BE && size > 1;
    uint16_t d[2] = {REG('t'), size == 8 ? (uint16_t)second_register(i) : IR_NONE};
    uint16_t a = exclusive_address(t, i, size, false);
    struct ir_insn *x = tr_alu(t, IR_OP_LDX, d[0], a, IR_NONE);
    x->d2 = d[1];
    x->mem = (uint16_t)(tr_mem(t, size) & ~IR_MEM_BE);
    for (unsigned k = 0; swap && k < (size == 8 ? 2 : 1); k++)
        reverse(t, d[k], d[k], size);
}

void tr_strex(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned size = i->row->arg & IR_MEM_SIZE;
    unsigned d = ARM_F(i, 'd');
    if (exclusive_invalid(i, size) || d == 15 || (i->thumb && d == 13) || d == ARM_F(i, 'n') || d == ARM_F(i, 't') || (size == 8 && d == second_register(i))) {
        tr_undef(t, i);
        return;
    }
    uint16_t v[2] = {REG('t'), size == 8 ? (uint16_t)second_register(i) : IR_NONE};
    uint16_t a = exclusive_address(t, i, size, true);
    for (unsigned k = 0; t->flags & ARM_BF_BE && size > 1 && k < (size == 8 ? 2 : 1); k++) {
        uint16_t swapped = ir_temp(t->b);
        reverse(t, swapped, v[k], size);
        v[k] = swapped;
    }
    struct ir_insn *x = tr_alu(t, IR_OP_STX, REG('d'), a, v[0]);
    x->d2 = v[1];
    x->mem = (uint16_t)(tr_mem(t, size) & ~IR_MEM_BE);
}

void tr_clrex(struct arm_translator *t, const struct arm_insn *i UNUSED)
{
    struct ir_insn *x = tr_emit(t, IR_OP_STE);
    x->imm = ARM_OFF(v.excl_addr);
    x->imm2 = 0xffffffff;
    x->mem = 4;
}

/* SWP, SWPB: deprecated, and undefined while SCTLR.SW is 0. */
void tr_swp(struct arm_translator *t, const struct arm_insn *i)
{
    unsigned size = i->row->arg & IR_MEM_SIZE;
    uint16_t n = REG('n'), rt = REG('t'), m = REG('m');
    if (!(t->flags & ARM_BF_SWPEN) || n == 15 || rt == 15 || m == 15) {
        tr_undef(t, i);
        return;
    }
    uint16_t old = ir_temp(t->b);
    tr_align(t, n, 0, size, true);
    tr_access(t, IR_OP_LD, old, n, IR_NONE, 0, 0, tr_mem(t, size));
    tr_access(t, IR_OP_ST, m, n, IR_NONE, 0, 0, tr_mem(t, size));
    tr_mov(t, rt, old);
}
