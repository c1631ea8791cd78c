/*
 * values.c: where the values of the IR are: pinned registers, vcpu.gpr[], the scratch registers and spill slots.
 */
#include <arch/x86/backend.h>

static bool is_global(uint16_t v)
{
    return v < IR_GLOBALS;
}

static struct temp *temp_of(struct be *be, uint16_t v)
{
    return &be->temp[v - IR_TEMP0];
}

struct x86_mem global_mem(uint16_t v)
{
    return x86_state(VCPU_OFF(gpr) + 4u * v);
}

static struct x86_mem slot_mem(unsigned slot)
{
    return x86_state(VCPU_OFF(spill) + 4u * slot);
}

static void note_use(struct be *be, uint16_t v, uint32_t at)
{
    if (v != IR_NONE && v >= IR_TEMP0 && v < IR_TEMP0 + IR_MAX_TEMPS)
        temp_of(be, v)->last_use = (uint16_t)at;
}

/* Does the instruction read d (as well as a and b)? */
static bool reads_d(const struct ir_insn *i)
{
    return i->op == IR_OP_ST || i->op == IR_OP_BFI || i->op == IR_OP_UMLAL || i->op == IR_OP_SMLAL;
}

static bool reads_d2(const struct ir_insn *i)
{
    return i->op == IR_OP_UMLAL || i->op == IR_OP_SMLAL || i->op == IR_OP_STX;
}

void values_init(struct be *be)
{
    for (unsigned k = 0; k < X86_N_SCRATCH; k++)
        be->scratch[k] = IR_NONE;
    be->dirty = be->locked = 0;
    be->slots = 0;
    for (unsigned k = 0; k < be->b->n_temps; k++)
        be->temp[k] = (struct temp){.slot = NO_SLOT};
    for (uint32_t k = 0; k < be->b->n; k++) {
        const struct ir_insn *i = &be->b->insn[k];
        if (i->op == IR_OP_VOP) /* d, a, b are offsets */
            continue;
        note_use(be, i->a, k);
        note_use(be, i->b, k);
        if (reads_d(i))
            note_use(be, i->d, k);
        if (reads_d2(i))
            note_use(be, i->d2, k);
    }
}

static bool live_after(struct be *be, uint16_t v, uint32_t index)
{
    return temp_of(be, v)->last_use > index;
}

bool value_dies(const struct be *be, uint16_t v)
{
    return v != IR_NONE && v >= IR_TEMP0 && be->temp[v - IR_TEMP0].last_use <= be->index;
}

unsigned value_reg(struct be *be, uint16_t v)
{
    if (is_global(v) && x86_pinned[v] != X86_NOREG)
        return x86_pinned[v];
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (be->scratch[r] == v)
            return r;
    return X86_NOREG;
}

static void unbind(struct be *be, unsigned r)
{
    be->scratch[r] = IR_NONE;
    be->dirty &= (uint8_t) ~(1u << r);
}

static void save_temp(struct be *be, unsigned r)
{
    struct temp *t = temp_of(be, be->scratch[r]);

    if (t->slot == NO_SLOT) {
        for (unsigned s = 0; s < VCPU_SPILL_SLOTS; s++) {
            if (be->slots & 1u << s)
                continue;
            t->slot = (uint8_t)s;
            be->slots |= 1u << s;
            break;
        }
        if (t->slot == NO_SLOT) {
            be->failed = true;
            return;
        }
    }
    x86_mov_mr(&be->e, 4, slot_mem(t->slot), r);
    be->dirty &= (uint8_t) ~(1u << r);
}

/* Is the temporary in r, which is dirty, read by this instruction or a later one? */
static bool still_wanted(struct be *be, unsigned r)
{
    return live_after(be, be->scratch[r], be->index) || temp_of(be, be->scratch[r])->last_use == be->index;
}

static void evict(struct be *be, unsigned r)
{
    if (be->dirty & 1u << r && still_wanted(be, r))
        save_temp(be, r);
    unbind(be, r);
}

static bool reads(const struct ir_insn *i, uint16_t v)
{
    return i->op != IR_OP_VOP && (i->a == v || i->b == v || (i->d == v && reads_d(i)) || (i->d2 == v && reads_d2(i)));
}

bool value_read_soon(const struct be *be, uint16_t v)
{
    uint32_t end = be->index + 12 < be->b->n ? be->index + 12 : be->b->n;

    for (uint32_t k = be->index + 1; k < end; k++)
        if (reads(&be->b->insn[k], v))
            return true;
    return false;
}

/* Distance to the next instruction that reads v; used to choose what to evict. */
static uint32_t next_use(struct be *be, uint16_t v)
{
    uint32_t end = be->index + 40 < be->b->n ? be->index + 40 : be->b->n;

    for (uint32_t k = be->index; k < end; k++) {
        if (reads(&be->b->insn[k], v))
            return k - be->index;
    }
    return UINT32_MAX;
}

unsigned scratch_alloc(struct be *be)
{
    unsigned best = X86_NOREG;
    uint64_t best_cost = 0;

    for (unsigned k = 0; k < X86_N_SCRATCH; k++) {
        unsigned r = x86_scratch[k];
        if (be->locked & 1u << r)
            continue;
        /* Prefer: empty, then furthest next use; a dirty one costs a store more. */
        uint64_t gain = be->scratch[r] == IR_NONE ? UINT64_MAX : 2ull * next_use(be, be->scratch[r]) + !(be->dirty & 1u << r) + 1;
        if (best == X86_NOREG || gain > best_cost) {
            best = r;
            best_cost = gain;
        }
    }
    if (best == X86_NOREG) { /* cannot happen: no instruction locks more than three */
        be->failed = true;
        return X86_RAX;
    }
    evict(be, best);
    be->locked |= (uint8_t)(1u << best);
    return best;
}

/* A scratch register to compute something from what is in a and b: one of those if it can be given up, the others' contents stay. */
unsigned scratch_alloc_keeping(struct be *be, unsigned a, unsigned b)
{
    uint8_t locked = be->locked;

    if (a < X86_N_SCRATCH)
        be->locked |= (uint8_t)(1u << a);
    if (b < X86_N_SCRATCH)
        be->locked |= (uint8_t)(1u << b);
    if (be->locked == (1u << X86_N_SCRATCH) - 1) { /* all three in use: overwrite a or b */
        unsigned r = a < X86_N_SCRATCH && !(locked & 1u << a) ? a : b;
        evict(be, r);
        return r;
    }
    unsigned r = scratch_alloc(be);
    be->locked = (uint8_t)(locked | 1u << r);
    return r;
}

void scratch_take(struct be *be, unsigned reg)
{
    uint16_t v = be->scratch[reg];

    if (v != IR_NONE && be->dirty & 1u << reg && still_wanted(be, reg)) {
        /* Move the temporary to a free register rather than to memory. */
        for (unsigned k = 0; k < X86_N_SCRATCH; k++) {
            unsigned r = x86_scratch[k];
            if (r == reg || be->locked & 1u << r || be->scratch[r] != IR_NONE)
                continue;
            x86_mov_rr(&be->e, 4, r, reg);
            be->scratch[r] = v;
            be->dirty |= (uint8_t)(1u << r);
            unbind(be, reg);
            break;
        }
    }
    evict(be, reg);
    be->locked |= (uint8_t)(1u << reg);
}

void scratch_unlock(struct be *be, unsigned reg)
{
    if (reg < X86_N_SCRATCH)
        be->locked &= (uint8_t) ~(1u << reg);
}

void scratch_save_live(struct be *be)
{
    values_write_back(be, be->index);
}

void scratch_flush(struct be *be)
{
    scratch_save_live(be);
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        unbind(be, r);
}

struct opnd value_opnd(struct be *be, uint16_t v)
{
    unsigned r = value_reg(be, v);

    if (r != X86_NOREG) {
        if (r < X86_N_SCRATCH)
            be->locked |= (uint8_t)(1u << r);
        return (struct opnd){.is_reg = true, .reg = (uint8_t)r};
    }
    struct constant c;
    if (!is_global(v) && constant_here(be, v, &c)) {
        r = scratch_alloc(be);
        constant_load(be, r, c);
        be->scratch[r] = v;
        return (struct opnd){.is_reg = true, .reg = (uint8_t)r};
    }
    return (struct opnd){.m = is_global(v) ? global_mem(v) : slot_mem(temp_of(be, v)->slot)};
}

unsigned value_get(struct be *be, uint16_t v)
{
    struct opnd o = value_opnd(be, v);

    if (o.is_reg)
        return o.reg;
    unsigned r = scratch_alloc(be);
    x86_mov_rm(&be->e, 4, r, o.m);
    be->scratch[r] = v;
    return r;
}

void value_copy_to(struct be *be, unsigned reg, uint16_t v)
{
    unsigned r = value_reg(be, v);
    struct constant c;

    if (r == X86_NOREG && !is_global(v) && constant_here(be, v, &c))
        constant_load(be, reg, c);
    else if (r == X86_NOREG)
        x86_mov_rm(&be->e, 4, reg, is_global(v) ? global_mem(v) : slot_mem(temp_of(be, v)->slot));
    else if (r != reg)
        x86_mov_rr(&be->e, 4, reg, r);
}

bool value_is_mem(const struct be *be, uint16_t v)
{
    return is_global(v) && value_reg((struct be *)be, v) == X86_NOREG;
}

void value_forget_register(struct be *be, uint16_t v)
{
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (be->scratch[r] == v)
            unbind(be, r);
}

void value_changed_in_memory(struct be *be, uint16_t v)
{
    unsigned r = value_reg(be, v);

    if (r < X86_N_SCRATCH)
        unbind(be, r);
}

unsigned def_begin(struct be *be, uint16_t d)
{
    if (is_global(d) && x86_pinned[d] != X86_NOREG)
        return x86_pinned[d];
    return scratch_alloc(be);
}

unsigned def_from(struct be *be, uint16_t d, uint16_t a)
{
    unsigned ra = value_reg(be, a);

    if (is_global(d) && x86_pinned[d] != X86_NOREG) {
        value_copy_to(be, x86_pinned[d], a);
        return x86_pinned[d];
    }
    /* The register of a, if what it holds is not needed as it is: dying temporary, or d itself. */
    if (ra < X86_N_SCRATCH && (a == d || value_dies(be, a))) {
        unbind(be, ra);
        be->locked |= (uint8_t)(1u << ra);
        return ra;
    }
    if (ra < X86_N_SCRATCH)
        be->locked |= (uint8_t)(1u << ra);
    unsigned r = scratch_alloc(be);
    value_copy_to(be, r, a);
    return r;
}

void def_end(struct be *be, uint16_t d, unsigned reg)
{
    if (is_global(d) && x86_pinned[d] != X86_NOREG) {
        if (reg != x86_pinned[d])
            x86_mov_rr(&be->e, 4, x86_pinned[d], reg);
        return;
    }
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (be->scratch[r] == d)
            unbind(be, r);
    if (is_global(d)) {
        x86_mov_mr(&be->e, 4, global_mem(d), reg);
        if (reg < X86_N_SCRATCH) {
            unbind(be, reg);
            be->scratch[reg] = d;
        }
        return;
    }
    if (reg >= X86_N_SCRATCH) {
        unsigned r = scratch_alloc(be);
        x86_mov_rr(&be->e, 4, r, reg);
        reg = r;
    }
    be->scratch[reg] = d;
    be->dirty |= (uint8_t)(1u << reg);
}

void def_constant(struct be *be, uint16_t d, struct constant c)
{
    if (is_global(d) && x86_pinned[d] == X86_NOREG && !(c.moves && be->opts->pic)) {
        x86_mov_mi(&be->e, 4, global_mem(d), (int32_t)c.value);
        if (c.moves)
            move_note(be, x86_offset(&be->e) - 4, HOST_MOVE_PC);
        value_changed_in_memory(be, d);
        return;
    }
    unsigned r = def_begin(be, d);
    if (c.value == 0 && !c.moves && !flags_wanted(be)) {
        flags_clobber(be);
        x86_alu_rr(&be->e, X86_XOR, 4, r, r);
    } else {
        constant_load(be, r, c);
    }
    def_end(be, d, r);
}

void values_end_insn(struct be *be)
{
    be->locked = 0;
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (be->scratch[r] != IR_NONE && be->scratch[r] >= IR_TEMP0 && !live_after(be, be->scratch[r], be->index))
            unbind(be, r);

    const struct ir_insn *i = &be->b->insn[be->index];
    if (i->op == IR_OP_VOP)
        return;
    const uint16_t used[] = {i->a, i->b, i->d, i->d2};
    for (unsigned k = 0; k < ARRAY_LEN(used); k++) {
        if (used[k] == IR_NONE || used[k] < IR_TEMP0)
            continue;
        struct temp *t = temp_of(be, used[k]);
        if (t->slot != NO_SLOT && !live_after(be, used[k], be->index)) {
            be->slots &= ~(1u << t->slot);
            t->slot = NO_SLOT;
        }
    }
}

void values_write_back(struct be *be, uint32_t beyond)
{
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (be->dirty & 1u << r && live_after(be, be->scratch[r], beyond))
            save_temp(be, r);
}
