/*
 * exit.c: leaving a block, and all code that is seldom run.
 *
 * A direct exit to the same page is one patchable jump. A backward one polls first; one to another page compares the view's record of which
 * physical page that virtual page is (struct vcpu, itlb) with the value its link was made for. What conditional exits need beyond
 * a jump, and the stubs that return to the dispatcher, are written after the block.
 */
#include <arch/x86/backend.h>
#include <dbt/guest.h>

#define PAGE_SHIFT 12

struct cold *cold_new(struct be *be, enum cold_kind kind, uint32_t patch)
{
    if (be->n_cold == MAX_COLD) {
        be->failed = true;
        be->n_cold--;
    }
    struct cold *c = &be->cold[be->n_cold++];
    *c = (struct cold){
        .kind = (uint8_t)kind, .exit = NO_EXIT, .patch = {patch}, .pc = be->pc, .restart = be->restart, .executed = be->n_executed};
    c->park = X86_NOREG;
    c->dirty = dirty_now(be);
    return c;
}

static uint16_t exit_new(struct be *be, uint32_t target)
{
    struct host_code *out = be->out;

    if (!chaining(be))
        return NO_EXIT;
    if (out->n_exits == HOST_MAX_EXITS) {
        be->failed = true;
        return 0;
    }
    out->exit[out->n_exits] = (struct host_exit){.target = target};
    return (uint16_t)out->n_exits++;
}

static bool needs_guard(const struct be *be, uint32_t target)
{
    return chaining(be) && (target ^ be->b->pc) >> PAGE_SHIFT;
}

/* Every loop has to poll somewhere. Position-independent code does not see where the address space ends and addresses become small again. */
static bool needs_poll(const struct be *be, uint32_t target, uint32_t pc)
{
    return chaining(be) && ((target & ~1u) <= (pc & ~1u) || (be->opts->pic && needs_guard(be, target)));
}

/* --- stubs ------------------------------------------------------------------------------------------------------------------- */

static struct cold *stub_new(struct be *be, enum vcpu_exit reason, uint32_t target, uint32_t patch)
{
    struct cold *c = cold_new(be, COLD_STUB, patch);

    c->reason = (uint8_t)reason;
    c->target = target;
    return c;
}

static void jump_to_exit(struct be *be)
{
    uint32_t at = x86_jmp(&be->e);

    x86_patch32(&be->e, at, (uint32_t)(be->cache_rx + be->tramp->exit - be->rx));
    move_note(be, at, HOST_MOVE_OUT);
}

static void store_reason(struct be *be, enum vcpu_exit reason)
{
    x86_mov_mi(&be->e, 4, x86_state(VCPU_OFF(exit_reason)), reason);
}

/* Leave with pc in eax. */
static void jump_to_leave(struct be *be, enum vcpu_exit reason)
{
    uint32_t at = x86_jmp(&be->e);

    x86_patch32(&be->e, at, (uint32_t)(be->cache_rx + be->tramp->leave[reason] - be->rx));
    move_note(be, at, HOST_MOVE_OUT);
}

static void emit_stub(struct be *be, const struct cold *c)
{
    struct x86_emitter *e = &be->e;

    if (c->exit != NO_EXIT)
        be->out->exit[c->exit].stub = x86_offset(e);
    dirty_store(be, c->dirty);
    if (c->kind != COLD_STUB_IND)
        constant_load(be, X86_RAX, (struct constant){c->target, .moves = true});
    else if (c->reg != X86_RAX)
        x86_mov_rr(e, 4, X86_RAX, c->reg);
    if (c->reason == VCPU_EXIT_BUDGET)
        x86_alu_mi(e, X86_ADD, 8, x86_state(VCPU_OFF(insn_budget)), (int32_t)be->n_guest);
    if (c->exit != NO_EXIT) {
        x86_mov_ri(e, X86_RCX, be->opts->first_exit_id + c->exit);
        move_note(be, x86_offset(e) - 4, HOST_MOVE_EXIT);
    }
    jump_to_leave(be, (enum vcpu_exit)c->reason);
}

/* Where the head of the block leads when it has been retired. */
void retired_emit(struct be *be)
{
    be->out->retired = x86_offset(&be->e);
    constant_load(be, X86_RAX, (struct constant){be->b->pc, .moves = true});
    jump_to_leave(be, VCPU_EXIT_LOOKUP);
}

/* --- direct exits --------------------------------------------------------------------------------------------------------------- */

/* Compare the view's record of the page of `va` with `value`. Returns the place of the jump taken when they differ, and in *imm that of the
 * value. */
static uint32_t emit_guard(struct be *be, uint32_t va, uint64_t value, uint32_t *imm)
{
    struct x86_emitter *e = &be->e;

    x86_mov_rm(e, 8, X86_RDX, x86_state(VCPU_OFF(itlb)));
    *imm = x86_mov_abs(e, X86_RAX, value);
    struct x86_mem slot = x86_base(X86_RDX, (int32_t)itlb_slot(va));
    slot.wide = 1;
    x86_alu_mr(e, X86_CMP, 8, slot, X86_RAX); /* host_reset_guard() knows where the displacement is */
    return x86_jcc(e, X86_NE);
}

/* The same in position-independent code, for the page `by` bytes further on, with the lower half of the value. Changes rcx, too. */
static uint32_t emit_pic_guard(struct be *be, uint32_t by, uint32_t low, uint32_t *imm)
{
    struct x86_emitter *e = &be->e;

    constant_load(be, X86_RDX, (struct constant){by, .moves = true});
    x86_mov_rr(e, 4, X86_RAX, X86_RDX); /* eax = itlb_index() */
    x86_sh_ri(e, X86_SHR, 4, X86_RDX, PAGE_SHIFT);
    x86_sh_ri(e, X86_SHR, 4, X86_RAX, 23);
    x86_alu_rr(e, X86_XOR, 4, X86_RAX, X86_RDX);
    x86_alu_ri(e, X86_AND, 4, X86_RAX, ITLB_SIZE - 1);
    x86_sh_ri(e, X86_SHL, 8, X86_RDX, 32);
    x86_alu_ri(e, X86_OR, 8, X86_RDX, HOST_PIC_GUARD_NONE);
    *imm = x86_offset(e) - 4;
    if (!e->overflow)
        host_patch_pic_guard(e->start + *imm, low);
    x86_mov_rm(e, 8, X86_RCX, x86_state(VCPU_OFF(itlb)));
    x86_alu_mr(e, X86_CMP, 8, x86_index(X86_RCX, X86_RAX, 3, 0), X86_RDX);
    return x86_jcc(e, X86_NE);
}

/* vcpu.pic_page = the page of the address in r; `free` may be r. */
static void set_pic_page(struct be *be, unsigned r, unsigned free)
{
    struct x86_emitter *e = &be->e;

    if (!be->opts->pic)
        return;
    x86_mov_rr(e, 4, free, r);
    x86_alu_ri(e, X86_AND, 4, free, -(1 << PAGE_SHIFT));
    x86_mov_mr(e, 4, x86_state(VCPU_OFF(pic_page)), free);
}

/* At the head of a block: nothing is in scratch registers or EFLAGS yet. */
void lower_guard(struct be *be, const struct ir_insn *i)
{
    uint32_t imm;

    budget_give_back(be, 0);
    uint64_t entry = itlb_entry(i->imm, (uint64_t)i->imm2 << PAGE_SHIFT);
    stub_new(be, VCPU_EXIT_LOOKUP, be->b->pc,
             be->opts->pic ? emit_pic_guard(be, i->imm, (uint32_t)entry, &imm) : emit_guard(be, i->imm, entry, &imm));
    budget_take(be, 0);
}

/* Jump to `target`. Live flags are in memory, the budget is right. in_line: not behind the block, where copies are no longer what they
 * were. */
static void emit_direct_exit(struct be *be, uint32_t target, uint32_t pc, bool in_line)
{
    struct x86_emitter *e = &be->e;
    bool loop = in_line && chaining(be) && e->vcache.n_pins && target == be->b->pc;
    if (loop)
        x86_vcache_close_loop(e);
    else
        x86_vcache_write_back(e);
    uint16_t exit = exit_new(be, target);
    bool poll = needs_poll(be, target, pc), guard = needs_guard(be, target);
    uint32_t guard_fails = 0;

    if (!chaining(be)) {
        stub_new(be, VCPU_EXIT_LOOKUP, target, x86_jmp(e));
        return;
    }
    struct host_exit *x = &be->out->exit[exit];
    x->loop = loop;
    if (poll) {
        x86_alu_mi(e, X86_CMP, 4, x86_state(VCPU_OFF(poll)), 0);
        if (!guard) {
            x->patch = x86_jcc(e, X86_E);
            stub_new(be, VCPU_EXIT_POLL, target, x86_jmp(e));
        } else {
            stub_new(be, VCPU_EXIT_POLL, target, x86_jcc(e, X86_NE));
        }
    }
    if (guard && be->opts->pic) {
        uint32_t by = target & -(1u << PAGE_SHIFT);
        guard_fails = emit_pic_guard(be, by, HOST_PIC_GUARD_NONE, &x->guard);
        x86_alu_mi(e, X86_ADD, 4, x86_state(VCPU_OFF(pic_page)), (int32_t)by);
    } else if (guard) {
        guard_fails = emit_guard(be, target, UINT64_MAX, &x->guard);
    }
    if (!poll || guard)
        x->patch = x86_jmp(e);
    struct cold *c = stub_new(be, VCPU_EXIT_LINK, target, x->patch);
    c->patch[1] = guard_fails;
    c->exit = exit;
}

/* A call: note where it returns to. A return address in the next page is left to the jump cache, which checks that page. `a` and `b` are
 * free. */
static void push_return(struct be *be, const struct ir_insn *i, unsigned a, unsigned b)
{
    struct x86_emitter *e = &be->e;

    if (i->mem != IR_IND_CALL || !chaining(be) || needs_guard(be, i->imm2))
        return;
    uint16_t exit = exit_new(be, i->imm2);
    x86_mov_rm(e, 4, a, x86_state(VCPU_OFF(returns.top)));
    x86_inc_r(e, 4, a);
    x86_alu_ri(e, X86_AND, 4, a, RETURN_STACK_SIZE - 1);
    x86_mov_mr(e, 4, x86_state(VCPU_OFF(returns.top)), a);
    be->out->exit[exit].patch = x86_lea_rip(e, b);
    struct cold *c = stub_new(be, VCPU_EXIT_LINK, i->imm2, be->out->exit[exit].patch);
    c->exit = exit;
    c->dirty = 0; /* whoever comes back has his own */
    x86_mov_mr(e, 8, x86_index(X86_VCPU, a, 3, VCPU_OFF(returns.code) - VCPU_BIAS), b);
    struct x86_mem va = x86_index(X86_VCPU, a, 2, VCPU_OFF(returns.va) - VCPU_BIAS);
    if (be->opts->pic) {
        constant_load(be, b, (struct constant){i->imm2, .moves = true});
        x86_mov_mr(e, 4, va, b);
    } else {
        x86_mov_mi(e, 4, va, (int32_t)i->imm2);
        move_note(be, x86_offset(e) - 4, HOST_MOVE_PC);
    }
}

void lower_exit(struct be *be, const struct ir_insn *i)
{
    flags_save(be, be->b->exit_live[be->index]);
    budget_give_back(be, be->n_executed);
    push_return(be, i, X86_RDX, X86_RAX);
    emit_direct_exit(be, i->imm, be->pc, true);
    be->reachable = false;
}

/* Exit to `target` when x86 condition `cc` holds. */
static void conditional_exit(struct be *be, enum x86_cc cc, uint32_t target)
{
    struct x86_emitter *e = &be->e;
    uint8_t live = be->b->exit_live[be->index], save = flags_with_both_nz(&be->flags, live & be->flags.ef & ~be->flags.mem, live);
    bool poll = needs_poll(be, target, be->pc);
    bool give_back = counting(be) && be->n_executed < be->n_guest;

    if (chaining(be) && !give_back && !needs_guard(be, target)) {
        if (poll) { /* in line: loops go this way */
            uint32_t over = be->long_jumps ? x86_jcc(e, (enum x86_cc)(cc ^ 1)) : x86_jcc8(e, (enum x86_cc)(cc ^ 1));
            struct x86_vcache copies = e->vcache;
            flags_emit_save(e, save, be->flags.carry_inverted, X86_NOREG);
            emit_direct_exit(be, target, be->pc, true);
            e->vcache = copies; /* of the path that has not jumped */
            if (be->long_jumps)
                x86_patch32_here(e, over);
            else if (x86_offset(e) - (over + 1) > INT8_MAX)
                be->retry_long = true;
            else
                x86_patch8_here(e, over);
            return;
        }
        if (!save && !e->vcache.dirty) {
            uint16_t exit = exit_new(be, target);
            be->out->exit[exit].patch = x86_jcc(e, cc);
            struct cold *c = stub_new(be, VCPU_EXIT_LINK, target, be->out->exit[exit].patch);
            c->exit = exit;
            return;
        }
    }
    struct cold *c = cold_new(be, COLD_EXIT, x86_jcc(e, cc));
    c->save = save;
    c->carry_inverted = be->flags.carry_inverted;
    c->target = target;
}

void lower_exit_cc(struct be *be, const struct ir_insn *i)
{
    if (i->cc == IR_AL) {
        lower_exit(be, i);
        return;
    }
    enum x86_cc cc = flags_condition(be, (enum ir_cc)i->cc);
    conditional_exit(be, cc, i->imm);
}

static void test_zero(struct be *be, uint16_t a)
{
    struct opnd o = value_opnd(be, a);

    flags_clobber(be);
    if (o.is_reg)
        x86_test_rr(&be->e, 4, o.reg, o.reg);
    else
        x86_alu_mi(&be->e, X86_CMP, 4, o.m, 0);
}

void lower_exit_z(struct be *be, const struct ir_insn *i)
{
    test_zero(be, i->a);
    conditional_exit(be, i->op == IR_OP_EXIT_Z ? X86_E : X86_NE, i->imm);
}

/* --- indirect exits and the dispatcher --------------------------------------------------------------------------------------------- */

/* To the address in r through the jump cache; `entry` and `slot` are free registers. */
static void emit_lookup(struct be *be, unsigned r, unsigned entry, unsigned slot)
{
    struct x86_emitter *e = &be->e;
    struct cold *c;

    /* entry = jump_cache + jump_cache_index(va) * size of an entry */
    x86_imul_rri(e, 4, entry, r, (int32_t)JUMP_CACHE_FACTOR);
    x86_sh_ri(e, X86_SHR, 4, entry, 32 - JUMP_CACHE_BITS - JUMP_CACHE_ENTRY_LG2);
    x86_alu_ri(e, X86_AND, 4, entry, (JUMP_CACHE_SIZE - 1) << JUMP_CACHE_ENTRY_LG2);
    x86_alu_rm(e, X86_ADD, 8, entry, x86_state(VCPU_OFF(jump_cache)));
    x86_alu_mr(e, X86_CMP, 4, x86_base(entry, offsetof(struct jump_cache_entry, va)), r);
    c = cold_new(be, COLD_STUB_IND, x86_jcc(e, X86_NE));
    c->reason = VCPU_EXIT_INDIRECT;
    c->reg = (uint8_t)r;
    x86_alu_mi(e, X86_CMP, 4, x86_base(entry, offsetof(struct jump_cache_entry, tag)), (int32_t)be->b->flags);
    c->patch[1] = x86_jcc(e, X86_NE);
    x86_mov_rm(e, 8, slot, x86_base(entry, offsetof(struct jump_cache_entry, slot)));
    x86_alu_rm(e, X86_ADD, 8, slot, x86_state(VCPU_OFF(itlb)));
    x86_mov_rm(e, 8, slot, x86_base(slot, 0));
    x86_alu_rm(e, X86_CMP, 8, slot, x86_base(entry, offsetof(struct jump_cache_entry, itlb)));
    c = cold_new(be, COLD_STUB_IND, x86_jcc(e, X86_NE));
    c->reason = VCPU_EXIT_INDIRECT;
    c->reg = (uint8_t)r;
    set_pic_page(be, r, slot);
    x86_jmp_m(e, x86_base(entry, offsetof(struct jump_cache_entry, code)));
}

/* To the address in r if it is the return stack's latest; otherwise the entry stays: who comes here was not called by the call it stems
 * from. */
static void emit_return(struct be *be, unsigned r, unsigned top, unsigned below)
{
    struct x86_emitter *e = &be->e;

    x86_mov_rm(e, 4, top, x86_state(VCPU_OFF(returns.top)));
    x86_alu_mr(e, X86_CMP, 4, x86_index(X86_VCPU, top, 2, VCPU_OFF(returns.va) - VCPU_BIAS), r);
    struct cold *c = cold_new(be, COLD_LOOKUP, x86_jcc(e, X86_NE));
    c->reg = (uint8_t)r;
    c->reg2 = (uint8_t)top;
    c->imm = below;
    x86_lea(e, 4, below, x86_base(top, -1));
    x86_alu_ri(e, X86_AND, 4, below, RETURN_STACK_SIZE - 1);
    x86_mov_mr(e, 4, x86_state(VCPU_OFF(returns.top)), below);
    set_pic_page(be, r, below);
    x86_jmp_m(e, x86_index(X86_VCPU, top, 3, VCPU_OFF(returns.code) - VCPU_BIAS));
}

void lower_exit_ind(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned r = value_get(be, i->a);
    struct cold *c;

    be->reachable = false;
    flags_save(be, be->b->exit_live[be->index]);
    budget_give_back(be, be->n_executed);
    if (!chaining(be)) {
        c = cold_new(be, COLD_STUB_IND, x86_jmp(e));
        c->reason = VCPU_EXIT_INDIRECT;
        c->reg = (uint8_t)r;
        return;
    }
    x86_alu_mi(e, X86_CMP, 4, x86_state(VCPU_OFF(poll)), 0);
    c = cold_new(be, COLD_STUB_IND, x86_jcc(e, X86_NE));
    c->reason = VCPU_EXIT_POLL;
    c->reg = (uint8_t)r;
    unsigned x = scratch_alloc(be), y = scratch_alloc(be);
    if (i->mem == IR_IND_RETURN) {
        emit_return(be, r, x, y);
        return;
    }
    push_return(be, i, x, y);
    emit_lookup(be, r, x, y);
}

void lower_exit_lookup(struct be *be, const struct ir_insn *i)
{
    flags_save(be, be->b->exit_live[be->index]);
    budget_give_back(be, be->n_executed);
    constant_load(be, X86_RAX, (struct constant){i->imm, .moves = true});
    jump_to_leave(be, VCPU_EXIT_LOOKUP);
    be->reachable = false;
}

void lower_exit_raised(struct be *be, const struct ir_insn *i)
{
    (void)i;
    flags_save(be, be->b->exit_live[be->index]);
    budget_give_back(be, be->n_executed);
    store_reason(be, VCPU_EXIT_RAISED);
    jump_to_exit(be);
    be->reachable = false;
}

/* --- cold code ----------------------------------------------------------------------------------------------------------------------- */

static uint32_t raise_alignment(void *cpu, uint32_t va, uint32_t is_write, uint32_t imm, uint32_t imm2)
{
    (void)imm, (void)imm2;
    guest_raise_alignment(cpu, va, is_write);
    host_unwind(cpu);
}

static void emit_align(struct be *be, const struct cold *c)
{
    struct x86_emitter *e = &be->e;

    dirty_store(be, c->dirty);
    if (c->imm)
        x86_lea(e, 4, X86_RDX, x86_base(c->reg, (int32_t)c->imm));
    else if (c->reg != X86_RDX)
        x86_mov_rr(e, 4, X86_RDX, c->reg);
    x86_mov_ri(e, X86_RCX, c->reg2);
    store_pc(be, c->pc, c->restart);
    budget_give_back(be, c->executed);
    call_thunk(be, true, raise_alignment, 0, 0);
}

static void emit_raise(struct be *be, const struct cold *c)
{
    dirty_store(be, c->dirty);
    x86_alu_rr(&be->e, X86_XOR, 4, X86_RDX, X86_RDX);
    x86_alu_rr(&be->e, X86_XOR, 4, X86_RCX, X86_RCX);
    store_pc(be, c->pc, c->restart);
    budget_give_back(be, c->executed);
    call_thunk(be, true, c->fn, c->target, c->imm);
}

static void jump_back(struct be *be, uint32_t to)
{
    uint32_t at = x86_jmp(&be->e);

    x86_patch32(&be->e, at, to);
}

static void emit_big_shift(struct be *be, const struct cold *c)
{
    if (c->imm == IR_OP_ASRR) {
        x86_mov_rr(&be->e, 4, c->reg, c->reg2);
        x86_sh_ri(&be->e, X86_SAR, 4, c->reg, 31);
    } else {
        x86_alu_rr(&be->e, X86_XOR, 4, c->reg, c->reg);
    }
    jump_back(be, c->back);
}

static void emit_fixup(struct be *be, const struct cold *c)
{
    dirty_store(be, c->dirty);
    x86_alu_rr(&be->e, X86_XOR, 4, X86_RDX, X86_RDX);
    x86_alu_rr(&be->e, X86_XOR, 4, X86_RCX, X86_RCX);
    call_thunk(be, false, c->fn, c->imm, 0);
    x86_vcache_reload(&be->e, &be->copies[c->copies]);
    jump_back(be, c->back);
}

void cold_emit_all(struct be *be)
{
    /* Each piece of cold code knows what is dirty. */
    be->e.vcache.dirty = 0;
    for (uint32_t k = 0; k < be->n_cold && !be->failed && !be->e.overflow; k++) { /* the list grows on the way */
        const struct cold *c = &be->cold[k];
        for (unsigned p = 0; p < ARRAY_LEN(c->patch); p++)
            if (c->patch[p])
                x86_patch32_here(&be->e, c->patch[p]);
        flags_emit_save(&be->e, c->save, c->carry_inverted, c->park);
        switch ((enum cold_kind)c->kind) {
        case COLD_STUB:
        case COLD_STUB_IND:
            emit_stub(be, c);
            break;
        case COLD_EXIT:
            dirty_store(be, c->dirty);
            budget_give_back(be, c->executed);
            emit_direct_exit(be, c->target, c->pc, false);
            break;
        case COLD_FLAGS_JUMP:
            jump_back(be, c->back);
            break;
        case COLD_ALIGN:
            emit_align(be, c);
            break;
        case COLD_SHIFT:
            emit_big_shift(be, c);
            break;
        case COLD_RAISE:
            emit_raise(be, c);
            break;
        case COLD_ALIAS:
            alias_emit(be, c);
            break;
        case COLD_SOFT:
            soft_emit(be, c);
            break;
        case COLD_LOOKUP:
            emit_lookup(be, c->reg, c->reg2, c->imm);
            break;
        case COLD_FIXUP:
            emit_fixup(be, c);
            break;
        }
    }
}
