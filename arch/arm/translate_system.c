/*
 * translate_system.c: status registers, mode changes, exceptions and returns from them, coprocessors 14 and 15, hints.
 */
#include <arch/arm/translate_int.h>

#define REG(letter) ((uint16_t)ARM_F(i, letter))

static bool user(const struct arm_translator *t)
{
    return !(t->flags & ARM_BF_PRIV);
}

/* --- status registers -------------------------------------------------------------------------------------------- */

void tr_mrs(struct arm_translator *t, const struct arm_insn *i)
{
    bool spsr = ARM_F(i, 'R');
    if (ARM_F(i, 'd') == 15 || (spsr && t->flags & ARM_BF_SYSMODE)) {
        tr_undef(t, i);
        return;
    }
    if (spsr)
        tr_call(t, arm_helper_spsr_read, REG('d'), IR_NONE, IR_NONE, 0, 0, IR_CALL_RAISE | IR_CALL_GPR);
    else
        tr_call(t, arm_helper_cpsr_read, REG('d'), IR_NONE, IR_NONE, 0, 0, IR_CALL_RFLAGS);
}

/* The bits of MSR's field mask (c, x, s, f in bits 0..3) that the instruction can write; never T, IT, J. */
static uint32_t psr_mask(unsigned fields)
{
    uint32_t mask = 0;
    if (fields & 1)
        mask |= CPSR_I | CPSR_F | CPSR_MODE;
    if (fields & 2)
        mask |= CPSR_E | CPSR_A;
    if (fields & 4)
        mask |= CPSR_GE;
    if (fields & 8)
        mask |= CPSR_N | CPSR_Z | CPSR_C | CPSR_V | CPSR_Q;
    return mask;
}

static void store_field(struct arm_translator *t, uint16_t v, unsigned lsb, unsigned width, uint32_t offset)
{
    uint16_t field = ir_temp(t->b);
    tr_alu_imm(t, IR_OP_UBFX, field, v, lsb)->imm2 = width;
    struct ir_insn *x = tr_emit(t, IR_OP_STE);
    x->a = field;
    x->imm = offset;
    x->mem = 1;
}

static uint16_t load_state(struct arm_translator *t, uint32_t offset, unsigned size)
{
    struct ir_insn *x = tr_emit(t, IR_OP_LDE);
    x->d = ir_temp(t->b);
    x->imm = offset;
    x->mem = (uint16_t)size;
    return x->d;
}

/* After interrupts may have been unmasked: to the dispatcher if one waits (the helper has set `poll` then) or `changed` is not 0. */
static void look_for_interrupts(struct arm_translator *t, uint16_t changed)
{
    uint16_t v = load_state(t, ARM_OFF(v.poll), 4);
    if (changed != IR_NONE)
        tr_alu(t, IR_OP_ORR, v, v, changed);
    tr_exit_lookup_if(t, v);
}

/* v: a register or temp with the new value. */
static void write_psr(struct arm_translator *t, const struct arm_insn *i, uint16_t v)
{
    unsigned fields = ARM_F(i, 'k');
    if (ARM_F(i, 'R')) {
        uint32_t mask = psr_mask(fields) | (fields & 1 ? CPSR_T : 0) | (fields & 2 ? 0xfc00 : 0) | (fields & 8 ? CPSR_J | 0x06000000 : 0);
        if (t->flags & ARM_BF_SYSMODE)
            tr_undef(t, i);
        else
            tr_call(t, arm_helper_spsr_write, IR_NONE, v, IR_NONE, mask, 0, IR_CALL_RAISE | IR_CALL_GPR);
        return;
    }
    if (user(t))
        fields &= ~1u;
    if (fields & 3) {
        /* Mostly this restores the interrupt masks and leaves alone what blocks are specialised on. */
        uint16_t before = load_state(t, ARM_OFF(mode), 1);
        tr_call(t, arm_helper_cpsr_write, IR_NONE, v, IR_NONE, psr_mask(fields), 0, CALL_STATE);
        if (fields & 2) {
            tr_exit_lookup_next(t);
        } else {
            tr_alu(t, IR_OP_EOR, before, before, load_state(t, ARM_OFF(mode), 1));
            look_for_interrupts(t, before);
        }
        return;
    }
    if (fields & 8) {
        struct ir_insn *x = tr_emit(t, IR_OP_SETF);
        x->b = v;
        x->fset = IR_NZCV;
        store_field(t, v, 27, 1, ARM_OFF(q));
    }
    if (fields & 4)
        tr_call(t, arm_helper_ge_write, IR_NONE, v, IR_NONE, 0, 0, 0);
}

void tr_msr_reg(struct arm_translator *t, const struct arm_insn *i)
{
    if (ARM_F(i, 'n') == 15)
        tr_undef(t, i);
    else
        write_psr(t, i, REG('n'));
}

void tr_msr_imm(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t imm12 = ARM_F(i, 'i'), rotation = 2 * (imm12 >> 8), v = imm12 & 0xff;
    write_psr(t, i, tr_const(t, rotation ? v >> rotation | v << (32 - rotation) : v));
}

static uint32_t banked_key(const struct arm_insn *i)
{
    return ARM_F(i, 'R') << 5 | ARM_F(i, 'M') << 4 | ARM_F(i, 'm');
}

void tr_mrs_banked(struct arm_translator *t, const struct arm_insn *i)
{
    if (user(t) || ARM_F(i, 'd') == 15)
        tr_undef(t, i);
    else
        tr_call(t, arm_helper_mrs_banked, REG('d'), IR_NONE, IR_NONE, banked_key(i), 0, CALL_STATE);
}

void tr_msr_banked(struct arm_translator *t, const struct arm_insn *i)
{
    if (user(t) || ARM_F(i, 'n') == 15)
        tr_undef(t, i);
    else
        tr_call(t, arm_helper_msr_banked, IR_NONE, REG('n'), IR_NONE, banked_key(i), 0, CALL_STATE);
}

/* CPS, no operation in user mode. T16 (arg 1): o = 0 enables, 1 disables; otherwise o = 2 enables, 3 disables. */
void tr_cps(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t bits = ARM_F(i, 'A') << 8 | ARM_F(i, 'I') << 7 | ARM_F(i, 'F') << 6, imod = ARM_F(i, 'o'), mode = ARM_F(i, 'm');
    if (i->row->arg)
        imod |= 2;
    if (user(t) || (!ARM_F(i, 'M') && imod < 2))
        return;
    if (!ARM_F(i, 'M') && imod == 3) { /* masking needs no new look at pending interrupts */
        uint16_t mask = load_state(t, ARM_OFF(mask), 1);
        tr_alu_imm(t, IR_OP_ORR, mask, mask, bits >> 6);
        struct ir_insn *x = tr_emit(t, IR_OP_STE);
        x->a = mask;
        x->imm = ARM_OFF(mask);
        x->mem = 1;
        return;
    }
    tr_call(t, arm_helper_cps, IR_NONE, IR_NONE, IR_NONE, imod == 3 ? bits : 0, (imod == 2 ? bits : 0) | (ARM_F(i, 'M') ? mode : 0),
            CALL_STATE);
    if (ARM_F(i, 'M'))
        tr_exit_lookup_next(t);
    else
        look_for_interrupts(t, IR_NONE);
}

void tr_setend(struct arm_translator *t, const struct arm_insn *i)
{
    bool big = ARM_F(i, 'E');
    if (big == !!(t->flags & ARM_BF_BE))
        return;
    tr_call(t, arm_helper_setend, IR_NONE, IR_NONE, IR_NONE, big, 0, CALL_STATE);
    tr_exit_lookup_next(t);
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

void tr_svc(struct arm_translator *t, const struct arm_insn *i)
{
    tr_raise(t, arm_helper_svc, ARM_F(i, 'i'), tr_next_it(t));
}

/* HVC, SMC (arg 1): calls of the emulated firmware (PSCI), undefined in user mode. */
void tr_hvc(struct arm_translator *t, const struct arm_insn *i)
{
    if (user(t)) {
        tr_undef(t, i);
        return;
    }
    tr_call(t, arm_helper_hvc, IR_NONE, IR_NONE, IR_NONE, ARM_F(i, 'i'), i->row->arg, CALL_STATE);
    tr_exit_lookup_next(t);
}

void tr_bkpt(struct arm_translator *t, const struct arm_insn *i)
{
    tr_raise(t, arm_helper_bkpt, ARM_F(i, 'i'), 0);
}

static void return_to(struct arm_translator *t, const struct arm_insn *i, uint16_t v)
{
    if (t->flags & ARM_BF_SYSMODE) {
        tr_undef(t, i);
        return;
    }
    tr_call(t, arm_helper_eret, IR_NONE, v, IR_NONE, 0, 0, CALL_STATE);
    tr_exit_raised(t);
}

void tr_eret(struct arm_translator *t, const struct arm_insn *i)
{
    return_to(t, i, 14);
}

/* T32 SUBS pc, lr, #imm; with 0 it is ERET. */
void tr_subs_pc(struct arm_translator *t, const struct arm_insn *i)
{
    uint16_t v = 14;
    if (ARM_F(i, 'i')) {
        v = ir_temp(t->b);
        tr_alu_imm(t, IR_OP_SUB, v, 14, ARM_F(i, 'i'));
    }
    return_to(t, i, v);
}

/* Lowest address and write-back of RFE and SRS, relative to the base: two words, IA IB DA DB. */
static void pair_offsets(const struct arm_insn *i, uint32_t *off, uint32_t *step)
{
    bool up = i->thumb ? !(i->row->arg & LS_DEC) : ARM_F(i, 'U'), before = i->thumb ? i->row->arg & LS_BEFORE : ARM_F(i, 'P');
    *off = (up ? 0 : -8u) + (before == up ? 4 : 0);
    *step = up ? 8 : -8u;
}

void tr_rfe(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t off, step;
    uint16_t n = REG('n');
    if (user(t) || n == 15) {
        tr_undef(t, i);
        return;
    }
    uint16_t pc = ir_temp(t->b), cpsr = ir_temp(t->b);
    pair_offsets(i, &off, &step);
    tr_align(t, n, off, 4, false);
    tr_access(t, IR_OP_LD, pc, n, IR_NONE, 0, off, tr_mem(t, 4));
    tr_access(t, IR_OP_LD, cpsr, n, IR_NONE, 0, off + 4, tr_mem(t, 4));
    if (ARM_F(i, 'W'))
        tr_alu_imm(t, IR_OP_ADD, n, n, step);
    tr_call(t, arm_helper_rfe, IR_NONE, pc, cpsr, 0, 0, CALL_STATE);
    tr_exit_raised(t);
}

/* Stores lr and SPSR of this mode to the stack of the mode in m. */
void tr_srs(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t off, step, mode = ARM_F(i, 'm');
    if (t->flags & ARM_BF_SYSMODE) {
        tr_undef(t, i);
        return;
    }
    uint16_t sp = ir_temp(t->b), spsr = ir_temp(t->b);
    pair_offsets(i, &off, &step);
    tr_call(t, arm_helper_mode_sp_read, sp, IR_NONE, IR_NONE, mode, 0, IR_CALL_RAISE | IR_CALL_GPR);
    tr_call(t, arm_helper_spsr_read, spsr, IR_NONE, IR_NONE, 0, 0, IR_CALL_RAISE | IR_CALL_GPR);
    tr_align(t, sp, off, 4, true);
    tr_access(t, IR_OP_ST, 14, sp, IR_NONE, 0, off, tr_mem(t, 4));
    tr_access(t, IR_OP_ST, spsr, sp, IR_NONE, 0, off + 4, tr_mem(t, 4));
    if (ARM_F(i, 'W')) {
        tr_alu_imm(t, IR_OP_ADD, sp, sp, step);
        tr_call(t, arm_helper_mode_sp_write, IR_NONE, sp, IR_NONE, mode, 0, IR_CALL_RAISE | IR_CALL_GPR);
    }
}

/* --- coprocessors ------------------------------------------------------------------------------------------------ */

static uint32_t cp_key(const struct arm_insn *i, bool is64)
{
    uint32_t key = ARM_F(i, 'p') << 28 | (uint32_t)is64 << 27 | ARM_F(i, 'o') << 16 | ARM_F(i, 'm') << 4;
    return is64 ? key : key | ARM_F(i, 'n') << 12 | ARM_F(i, 'u');
}

/* What there is at `key`, ARM_CP_UNDEF for coprocessors other than 14 and 15. */
static unsigned cp_lookup(const struct arm_translator *t, uint32_t key, bool write, uint32_t *offset)
{
    return key >> 28 >= 14 ? arm_cp_flags(key, write, !user(t), offset) : ARM_CP_UNDEF;
}

static void cp_read(struct arm_translator *t, uint16_t d, uint32_t key, unsigned flags, uint32_t offset)
{
    if (flags & ARM_CP_NOP) {
        tr_mov_imm(t, d, 0);
    } else if (flags & ARM_CP_PLAIN) {
        struct ir_insn *x = tr_emit(t, IR_OP_LDE);
        x->d = d;
        x->imm = offset;
        x->mem = 4;
    } else {
        tr_call(t, arm_helper_cp_read, d, IR_NONE, IR_NONE, key, 0, IR_CALL_RAISE | IR_CALL_GPR);
    }
}

static void cp_write(struct arm_translator *t, uint16_t lo, uint16_t hi, uint32_t key, unsigned flags, uint32_t offset)
{
    if (flags & ARM_CP_NOP)
        return;
    if (flags & ARM_CP_PLAIN) {
        struct ir_insn *x = tr_emit(t, IR_OP_STE);
        x->a = lo;
        x->imm = offset;
        x->mem = 4;
    } else {
        tr_call(t, arm_helper_cp_write, IR_NONE, lo, hi, key, 0, CALL_STATE);
    }
    if (flags & ARM_CP_END)
        tr_exit_lookup_next(t);
}

void tr_mrc(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t key = cp_key(i, false), offset = 0;
    unsigned flags = cp_lookup(t, key, false, &offset), rt = ARM_F(i, 't');
    if (flags & ARM_CP_UNDEF) {
        tr_undef(t, i);
        return;
    }
    uint16_t d = rt == 15 ? ir_temp(t->b) : (uint16_t)rt;
    cp_read(t, d, key, flags, offset);
    if (rt == 15) { /* APSR_nzcv */
        struct ir_insn *x = tr_emit(t, IR_OP_SETF);
        x->b = d;
        x->fset = IR_NZCV;
    }
    if (flags & ARM_CP_END)
        tr_exit_lookup_next(t);
}

void tr_mcr(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t key = cp_key(i, false), offset = 0;
    unsigned flags = cp_lookup(t, key, true, &offset);
    if (flags & ARM_CP_UNDEF || ARM_F(i, 't') == 15)
        tr_undef(t, i);
    else
        cp_write(t, REG('t'), IR_NONE, key, flags, offset);
}

void tr_mrrc(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t key = cp_key(i, true), offset = 0;
    unsigned flags = cp_lookup(t, key, false, &offset);
    uint16_t lo = REG('t'), hi = REG('v');
    if (flags & ARM_CP_UNDEF || lo == 15 || hi == 15 || lo == hi) {
        tr_undef(t, i);
        return;
    }
    if (flags & ARM_CP_NOP) {
        tr_mov_imm(t, lo, 0);
        tr_mov_imm(t, hi, 0);
        return;
    }
    tr_call(t, arm_helper_cp_read, lo, IR_NONE, IR_NONE, key, 0, IR_CALL_RAISE | IR_CALL_GPR);
    struct ir_insn *x = tr_emit(t, IR_OP_LDE);
    x->d = hi;
    x->imm = arm_cp_high_offset();
    x->mem = 4;
}

void tr_mcrr(struct arm_translator *t, const struct arm_insn *i)
{
    uint32_t key = cp_key(i, true), offset = 0;
    unsigned flags = cp_lookup(t, key, true, &offset);
    if (flags & ARM_CP_UNDEF || ARM_F(i, 't') == 15 || ARM_F(i, 'v') == 15)
        tr_undef(t, i);
    else
        cp_write(t, REG('t'), REG('v'), key, flags & ~ARM_CP_PLAIN, offset);
}

/* LDC and STC exist for p14, c5 only: memory to DBGDTRTXint, DBGDTRRXint to memory. */
void tr_ldc(struct arm_translator *t, const struct arm_insn *i)
{
    bool store = i->row->arg & LS_STORE, before = ARM_F(i, 'P'), add = ARM_F(i, 'U'), wb = ARM_F(i, 'W');
    uint32_t key = 14u << 28 | 5 << 4, offset = 0, off = ARM_F(i, 'i') << 2;
    unsigned n = ARM_F(i, 'n');
    unsigned flags = ARM_F(i, 'p') == 14 && ARM_F(i, 'd') == 5 && !ARM_F(i, 'D') ? cp_lookup(t, key, !store, &offset) : ARM_CP_UNDEF;
    if (flags & ARM_CP_UNDEF || (n == 15 && (wb || store))) {
        tr_undef(t, i);
        return;
    }
    if (!add)
        off = -off;
    uint16_t v = ir_temp(t->b), base = n == 15 ? tr_address(t, tr_pc_literal(t)) : (uint16_t)n;
    uint32_t at = before ? off : 0; /* P = 0, W = 0 is the unindexed form */
    tr_align(t, base, at, 4, store);
    if (store) {
        cp_read(t, v, key, flags, offset);
        tr_access(t, IR_OP_ST, v, base, IR_NONE, 0, at, tr_mem(t, 4));
    } else {
        tr_access(t, IR_OP_LD, v, base, IR_NONE, 0, at, tr_mem(t, 4));
    }
    if (wb)
        tr_alu_imm(t, IR_OP_ADD, base, base, off);
    if (!store)
        cp_write(t, v, IR_NONE, key, flags, offset);
}

/* --- hints ------------------------------------------------------------------------------------------------------- */

void tr_nop(struct arm_translator *t UNUSED, const struct arm_insn *i UNUSED) {}

/* Only privileged code can have TLB maintenance to complete. */
void tr_dsb(struct arm_translator *t, const struct arm_insn *i UNUSED)
{
    if (t->flags & ARM_BF_PRIV)
        tr_call(t, arm_helper_dsb, IR_NONE, IR_NONE, IR_NONE, 0, 0, 0);
}

/* The instructions after it are fetched anew: code that has changed before must not be in this block. */
void tr_isb(struct arm_translator *t, const struct arm_insn *i UNUSED)
{
    if (t->itstate || t->cond < IR_AL)
        tr_exit_lookup_next(t);
    else
        tr_exit(t, t->next_pc | t->thumb);
}

/* NOP, YIELD, WFE, WFI, SEV, DBG; unallocated hints are NOPs. */
void tr_hint(struct arm_translator *t, const struct arm_insn *i)
{
    enum { HINT_WFE = 2, HINT_WFI = 3, HINT_SEV = 4 };
    switch (ARM_F(i, 'i')) {
    case HINT_WFE:
        tr_call(t, arm_helper_wfe, IR_NONE, IR_NONE, IR_NONE, 0, 0, CALL_STATE);
        tr_exit_lookup_next(t);
        break;
    case HINT_WFI:
        tr_call(t, arm_helper_wfi, IR_NONE, IR_NONE, IR_NONE, 0, 0, CALL_STATE);
        tr_exit_lookup_next(t);
        break;
    case HINT_SEV:
        tr_call(t, arm_helper_sev, IR_NONE, IR_NONE, IR_NONE, 0, 0, CALL_STATE);
        break;
    default:
        break;
    }
}
