/*
 * call.c: calling C helpers from translated code, through the thunks of trampoline.c.
 *
 * Protocol: rax = helper, edx = a, ecx = b, imm and imm2 pushed; the thunk pops them. The vcpu pointer is added by the thunk.
 */
#include <arch/x86/backend.h>
#include <arch/x86/vop.h>

void store_pc(struct be *be, uint32_t pc, uint32_t restart)
{
    struct x86_emitter *e = &be->e;

    _Static_assert(offsetof(struct vcpu, restart) == offsetof(struct vcpu, pc) + 4, "stored together");
    if (be->opts->pic) {
        constant_load(be, X86_RAX, (struct constant){pc, .moves = true});
        x86_mov_mr(e, 4, x86_state(VCPU_OFF(pc)), X86_RAX);
        x86_mov_mi(e, 4, x86_state(VCPU_OFF(restart)), (int32_t)restart);
    } else if (restart == 0 && (int32_t)pc >= 0) { /* so at any address a copy may have: those have the same bit 31 */
        x86_mov_mi(e, 8, x86_state(VCPU_OFF(pc)), (int32_t)pc);
        move_note(be, x86_offset(e) - 4, HOST_MOVE_PC);
    } else {
        x86_mov_mi(e, 4, x86_state(VCPU_OFF(pc)), (int32_t)pc);
        move_note(be, x86_offset(e) - 4, HOST_MOVE_PC);
        x86_mov_mi(e, 4, x86_state(VCPU_OFF(restart)), (int32_t)restart);
    }
}

void budget_give_back(struct be *be, uint32_t executed)
{
    if (counting(be) && executed < be->n_guest)
        x86_alu_mi(&be->e, X86_ADD, 8, x86_state(VCPU_OFF(insn_budget)), (int32_t)(be->n_guest - executed));
}

void budget_take(struct be *be, uint32_t executed)
{
    if (counting(be) && executed < be->n_guest)
        x86_alu_mi(&be->e, X86_SUB, 8, x86_state(VCPU_OFF(insn_budget)), (int32_t)(be->n_guest - executed));
}

static void load_arg(struct be *be, unsigned reg, struct opnd o, bool none)
{
    if (none)
        x86_alu_rr(&be->e, X86_XOR, 4, reg, reg);
    else
        mov_ro(be, reg, o);
}

static void load_args(struct be *be, struct opnd a, bool no_a, uint16_t b)
{
    struct opnd ob = {0};

    scratch_save_live(be);
    if (b != IR_NONE)
        ob = value_opnd(be, b);
    if (b != IR_NONE && ob.is_reg && ob.reg == X86_RDX) { /* b first, before a overwrites it */
        if (!no_a && a.is_reg && a.reg == X86_RCX) {
            x86_xchg_rr(&be->e, 4, X86_RDX, X86_RCX);
        } else {
            load_arg(be, X86_RCX, ob, false);
            load_arg(be, X86_RDX, a, no_a);
        }
    } else {
        load_arg(be, X86_RDX, a, no_a);
        load_arg(be, X86_RCX, ob, b == IR_NONE);
    }
    be->locked = 0;
    scratch_flush(be);
}

void call_args(struct be *be, uint16_t a, uint16_t b)
{
    load_args(be, a == IR_NONE ? (struct opnd){0} : value_opnd(be, a), a == IR_NONE, b);
}

void call_args_opnd(struct be *be, struct opnd a, uint16_t b)
{
    load_args(be, a, false, b);
}

void call_thunk(struct be *be, bool full, ir_helper fn, uint32_t imm, uint32_t imm2)
{
    struct x86_emitter *e = &be->e;
    uint32_t thunk = full ? be->tramp->call_full : be->tramp->call_pure;

    x86_push_i(e, (int32_t)imm);
    x86_push_i(e, (int32_t)imm2);
    x86_mov_ri64(e, X86_RAX, (uintptr_t)fn);
    uint32_t at = x86_call(e);
    x86_patch32(e, at, (uint32_t)(be->cache_rx + thunk - be->rx));
    move_note(be, at, HOST_MOVE_OUT);
}

void call_emit(struct be *be, unsigned how, ir_helper fn, uint32_t imm, uint32_t imm2)
{
    if (how & CALL_RAISES) {
        store_pc(be, be->pc, be->restart);
        budget_give_back(be, be->n_executed);
    }
    call_thunk(be, how & CALL_FULL, fn, imm, imm2);
    if (how & CALL_RAISES)
        budget_take(be, be->n_executed);
    if ((how & (CALL_RAISES | CALL_MOVES)) == CALL_RAISES && be->restart) /* the word belonged to this instruction; the next exit is elsewhere */
        x86_mov_mi(&be->e, 4, x86_state(VCPU_OFF(restart)), 0);
}

void lower_call(struct be *be, const struct ir_insn *i)
{
    unsigned how = 0;

    if (i->mem & (IR_CALL_RAISE | IR_CALL_NORETURN))
        how |= CALL_RAISES | CALL_FULL;
    if (i->mem & IR_CALL_GPR)
        how |= CALL_FULL;
    if (be->index + 1 < be->b->n && be->b->insn[be->index + 1].op == IR_OP_EXIT_RAISED) /* i is a copy: its neighbour is in the block */
        how |= CALL_MOVES;
    flags_clobber(be);
    call_args(be, i->a, i->b);
    call_emit(be, how, i->fn, i->imm, i->imm2);
    if (i->mem & IR_CALL_WFLAGS)
        be->flags.mem = IR_NZCV;
    if (i->mem & IR_CALL_NORETURN) {
        x86_ud2(&be->e);
        be->reachable = false;
        return;
    }
    if (i->d != IR_NONE) {
        be->locked = 1u << X86_RAX;
        def_end(be, i->d, X86_RAX);
    }
}

void lower_vop(struct be *be, const struct ir_insn *i)
{
    if (x86_vop_clobbers(i)) {
        scratch_flush(be);
        flags_clobber(be);
    }
    be->e.n_fixups = 0;
    if (!x86_lower_vop(&be->e, i)) {
        be->failed = true;
        return;
    }
    if (be->e.n_fixups == 0)
        return;
    if (be->n_copies == MAX_COPIES)
        x86_vcache_reset(&be->e);
    else
        be->copies[be->n_copies++] = be->e.vcache;
    for (uint32_t k = 0; k < be->e.n_fixups; k++) {
        struct cold *c = cold_new(be, COLD_FIXUP, be->e.fixup[k]);
        c->back = x86_offset(&be->e);
        c->fn = i->fn;
        c->imm = i->imm;
        c->copies = (uint8_t)(be->n_copies - 1);
        c->dirty = dirty_number(be, &be->e.fixup_dirty[k]);
    }
}
