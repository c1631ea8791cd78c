/*
 * backend.c: from a block of IR to x86-64 code.
 *
 * One pass over the block: each IR operation has a function that writes its code at once (table `lower`), with what values.c and flags.c
 * know about the places of values and flags at that point. Local branches are written short where that is likely to fit; when it turns out
 * not to, the block is compiled once more with long ones.
 *
 * Example: `subs r0, r0, #1; bne .` (target = own address, nothing live at either exit) becomes
 *     sub  ebx, 1
 *     je   1f
 *     cmp  dword [r15-124], 0    ; poll
 *     je   <own address>         ; patched
 *     jmp  <stub: POLL>
 *  1: jmp  <next block>          ; patched
 */
#include <arch/x86/backend.h>

typedef void lower_fn(struct be *be, const struct ir_insn *i);

static void lower_nothing(struct be *be, const struct ir_insn *i)
{
    (void)be, (void)i;
}

static void lower_insn(struct be *be, const struct ir_insn *i)
{
    be->pc = i->imm;
    be->restart = i->imm2;
    be->n_executed++;
}

static lower_fn *const lower[IR_OP_COUNT] = {
    [IR_OP_NOP] = lower_nothing,
    [IR_OP_INSN] = lower_insn,
    [IR_OP_ADD] = lower_add,
    [IR_OP_ADC] = lower_carry,
    [IR_OP_SUB] = lower_sub,
    [IR_OP_SBC] = lower_carry,
    [IR_OP_RSB] = lower_rsb,
    [IR_OP_RSC] = lower_carry,
    [IR_OP_AND] = lower_logic,
    [IR_OP_ORR] = lower_logic,
    [IR_OP_EOR] = lower_logic,
    [IR_OP_BIC] = lower_bic,
    [IR_OP_ORN] = lower_orn,
    [IR_OP_MOV] = lower_mov,
    [IR_OP_MVN] = lower_mov,
    [IR_OP_LSLR] = lower_shift_reg,
    [IR_OP_LSRR] = lower_shift_reg,
    [IR_OP_ASRR] = lower_shift_reg,
    [IR_OP_RORR] = lower_shift_reg,
    [IR_OP_MUL] = lower_mul,
    [IR_OP_UMULL] = lower_mull,
    [IR_OP_SMULL] = lower_mull,
    [IR_OP_UMLAL] = lower_mlal,
    [IR_OP_SMLAL] = lower_mlal,
    [IR_OP_LANES] = lower_lanes,
    [IR_OP_UDIV] = lower_udiv,
    [IR_OP_SDIV] = lower_sdiv,
    [IR_OP_CLZ] = lower_clz,
    [IR_OP_RBIT] = lower_rbit,
    [IR_OP_REV] = lower_rev,
    [IR_OP_REV16] = lower_rev,
    [IR_OP_REVSH] = lower_rev,
    [IR_OP_UXTB] = lower_extend,
    [IR_OP_UXTH] = lower_extend,
    [IR_OP_SXTB] = lower_extend,
    [IR_OP_SXTH] = lower_extend,
    [IR_OP_UBFX] = lower_bfx,
    [IR_OP_SBFX] = lower_bfx,
    [IR_OP_BFI] = lower_bfi,
    [IR_OP_SEL] = lower_sel,
    [IR_OP_GETF] = lower_getf,
    [IR_OP_SETF] = lower_setf,
    [IR_OP_LDF] = lower_ldf,
    [IR_OP_LDE] = lower_lde,
    [IR_OP_STE] = lower_ste,
    [IR_OP_LD] = lower_ld,
    [IR_OP_ST] = lower_st,
    [IR_OP_LDV] = lower_ldv,
    [IR_OP_STV] = lower_stv,
    [IR_OP_ALIGN] = lower_align,
    [IR_OP_LDX] = lower_ldx,
    [IR_OP_STX] = lower_stx,
    [IR_OP_CALL] = lower_call,
    [IR_OP_VOP] = lower_vop,
    [IR_OP_LABEL] = lower_label,
    [IR_OP_BR] = lower_br,
    [IR_OP_BRCC] = lower_brcc,
    [IR_OP_BRZ] = lower_brz,
    [IR_OP_BRNZ] = lower_brz,
    [IR_OP_EXIT] = lower_exit,
    [IR_OP_EXIT_CC] = lower_exit_cc,
    [IR_OP_EXIT_Z] = lower_exit_z,
    [IR_OP_EXIT_NZ] = lower_exit_z,
    [IR_OP_EXIT_IND] = lower_exit_ind,
    [IR_OP_EXIT_LOOKUP] = lower_exit_lookup,
    [IR_OP_EXIT_RAISED] = lower_exit_raised,
    [IR_OP_GUARD] = lower_guard,
};

/* A data-processing operation whose result and flags nobody wants. */
static bool is_dead(const struct ir_insn *i)
{
    return i->d == IR_NONE && !i->fset && i->op >= IR_OP_ADD && i->op <= IR_OP_MUL;
}

void move_note(struct be *be, uint32_t at, enum host_move_kind kind)
{
    struct host_code *out = be->out;

    if (be->opts->pic)
        return;
    if (out->n_moves == HOST_MAX_MOVES || at > UINT16_MAX) {
        out->fixed = true;
        return;
    }
    out->move[out->n_moves++] = (struct host_move){(uint16_t)at, (uint8_t)kind};
}

static void scan(struct be *be)
{
    const struct ir_block *b = be->b;

    be->n_guest = 0;
    for (unsigned l = 0; l < IR_MAX_LABELS; l++)
        be->label_pos[l] = (uint16_t)b->n;
    for (uint32_t k = 0; k < b->n; k++) {
        const struct ir_insn *i = &b->insn[k];
        if (i->op == IR_OP_INSN)
            be->n_guest++;
        if (i->op == IR_OP_LABEL && i->imm < IR_MAX_LABELS)
            be->label_pos[i->imm] = (uint16_t)k;
    }
    ir_flags_live_after(b, be->live);
}

static void prologue(struct be *be)
{
    if (!counting(be) || be->n_guest == 0)
        return;
    x86_alu_mi(&be->e, X86_SUB, 8, x86_state(VCPU_OFF(insn_budget)), (int32_t)be->n_guest);
    struct cold *c = cold_new(be, COLD_STUB, x86_jcc(&be->e, X86_S));
    c->reason = VCPU_EXIT_BUDGET;
    c->target = be->b->pc;
}

/* How many instructions, from the first on, are a loop that jumps back to the beginning? 0 when that has a guard, which a jump into the block would
 * pass by. */
static uint32_t loop_length(const struct ir_block *b)
{
    uint32_t n = b->n && b->insn[0].op != IR_OP_GUARD ? b->n : 0;

    while (n > 0 && !(b->insn[n - 1].op >= IR_OP_EXIT && b->insn[n - 1].op <= IR_OP_EXIT_NZ && b->insn[n - 1].imm == b->pc))
        n--;
    return n;
}

/* The whole block; `again`: the second time, without what is spared there. Nothing is in registers or EFLAGS but what is pinned. */
static void lower_block(struct be *be, bool again)
{
    const struct ir_block *b = be->b;

    values_init(be);
    constants_forget_all(be);
    be->run.cold = NULL;
    be->reachable = true;
    be->state_fused = false;
    be->skip_to = be->n_executed = 0;
    be->pc = b->pc;
    be->restart = 0;
    be->flags = (struct flag_state){.mem = IR_NZCV};
    for (uint32_t k = 0; k < b->n && !be->failed && !be->retry_long && !be->e.overflow; k++) {
        const struct ir_insn *i = &b->insn[k];
        uint8_t after = be->live[k];
        be->index = k;
        be->need_after = after & ~ir_flags_defined(i);
        be->need = be->need_after | ir_flags_read(i);
        bool wanted = be->reachable || i->op == IR_OP_LABEL || i->op == IR_OP_INSN;
        if (wanted && k >= be->skip_to && i->op < IR_OP_COUNT && !is_dead(i) && !(again && be->spared[k])) {
            struct ir_insn folded = *i;
            x86_vcache_before(&be->e, i);
            if (constants_apply(be, &folded)) {
                lower[folded.op](be, &folded);
                constants_note_results(be, &folded);
            }
        }
        values_end_insn(be);
    }
    if (be->reachable) /* the front end left out the last exit */
        be->failed = true;
}

static void compile(struct be *be)
{
    uint32_t loop = loop_length(be->b);

    scan(be);
    if (be->opts->pic)
        x86_nop(&be->e, X86_JMP_REL32_SIZE); /* for host_retire() */
    x86_vcache_pin(&be->e.vcache, be->b, loop);
    x86_vcache_enter_loop(&be->e);
    be->out->loop_head = x86_offset(&be->e);
    prologue(be);
    be->peel = be->peel && loop_find_spared(be, loop);
    lower_block(be, false);
    if (be->peel) {
        x86_vcache_at_head(&be->e.vcache);
        be->out->loop_head = x86_offset(&be->e);
        lower_block(be, true);
    }
    if (!be->failed && !be->retry_long) {
        cold_emit_all(be);
        if (be->opts->pic)
            retired_emit(be);
        dirty_emit_sets(be);
    }
}

static void begin(struct be *be, uint8_t *rw, uint32_t cap)
{
    x86_emitter_init(&be->e, rw, cap);
    be->failed = be->retry_long = false;
    be->n_branches = be->n_cold = be->n_copies = be->n_sets = be->n_executed = 0;
    be->pc = be->b->pc;
    be->restart = 0;
    be->out->n_exits = be->out->n_faults = be->out->n_moves = be->out->size = 0;
    be->out->fixed = be->opts->pic; /* it is not copied, it is used where it is */
    be->out->retired = 0;
}

int host_compile(const struct ir_block *b, const struct host_trampolines *t, uint64_t cache_rx, uint8_t *rw, uint64_t rx, uint32_t cap,
                 const struct host_compile_opts *opts, struct host_code *out)
{
    struct be be;

    be.b = b;
    be.tramp = t;
    be.cache_rx = cache_rx;
    be.rx = rx;
    be.opts = opts;
    be.out = out;
    be.long_jumps = false;
    be.peel = true;
    begin(&be, rw, cap);
    compile(&be);
    if (be.retry_long) {
        be.long_jumps = true;
        begin(&be, rw, cap);
        compile(&be);
    }
    if (be.failed && be.peel) { /* perhaps there was not room enough for two copies */
        be.peel = false;
        be.long_jumps = true;
        begin(&be, rw, cap);
        compile(&be);
    }
    if (be.failed || be.e.overflow || b->n >= IR_MAX_INSNS)
        return -1;
    out->size = x86_offset(&be.e);
    return 0;
}
