/*
 * trampoline.c: the way into translated code and out of it, and the thunks through which it calls C.
 *
 * Frame of host_enter(), from high to low addresses: return address, rbp, rbx, r12, r13, r14, r15, 8 bytes of padding; vcpu.host_rsp points
 * at the padding, so that leaving from any depth is loading rsp. host_unwind() below undoes the same frame from C.
 */
#include <arch/x86/backend.h>

const uint8_t x86_soft_reg[SOFT_REGS] = {X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSI};

static const uint8_t callee_saved[] = {X86_RBP, X86_RBX, X86_R12, X86_R13, X86_R14, X86_R15};
static const uint8_t caller_saved[] = {X86_RSI, X86_RDI, X86_R8, X86_R9, X86_R10, X86_R11}; /* pinned ones only */

static void load_pinned(struct x86_emitter *e)
{
    for (unsigned n = 0; n < IR_GLOBALS; n++)
        if (x86_pinned[n] != X86_NOREG)
            x86_mov_rm(e, 4, x86_pinned[n], x86_state(VCPU_OFF(gpr) + 4 * n));
}

static void store_pinned(struct x86_emitter *e)
{
    for (unsigned n = 0; n < IR_GLOBALS; n++)
        if (x86_pinned[n] != X86_NOREG)
            x86_mov_mr(e, 4, x86_state(VCPU_OFF(gpr) + 4 * n), x86_pinned[n]);
}

static void write_enter(struct x86_emitter *e) /* rdi = vcpu, rsi = code */
{
    for (unsigned k = 0; k < ARRAY_LEN(callee_saved); k++)
        x86_push_r(e, callee_saved[k]);
    x86_alu_ri(e, X86_SUB, 8, X86_RSP, 8);
    x86_lea(e, 8, X86_VCPU, x86_base(X86_RDI, VCPU_BIAS));
    x86_mov_mr(e, 8, x86_state(VCPU_OFF(host_rsp)), X86_RSP);
    x86_mov_rr(e, 8, X86_RAX, X86_RSI);
    load_pinned(e);
    x86_jmp_r(e, X86_RAX);
}

static void write_unwind(struct x86_emitter *e)
{
    x86_mov_rm(e, 8, X86_RSP, x86_state(VCPU_OFF(host_rsp)));
    x86_mov_rm(e, 4, X86_RAX, x86_state(VCPU_OFF(exit_reason)));
    x86_alu_ri(e, X86_ADD, 8, X86_RSP, 8);
    for (unsigned k = ARRAY_LEN(callee_saved); k-- > 0;)
        x86_pop_r(e, callee_saved[k]);
    x86_ret(e);
}

/* What the stubs of blocks have in common. They load eax and, for an exit to be linked, ecx. */
static void write_leave(struct x86_emitter *e, enum vcpu_exit reason, uint32_t exit)
{
    x86_mov_mr(e, 4, x86_state(VCPU_OFF(pc)), X86_RAX);
    if (reason == VCPU_EXIT_LINK)
        x86_mov_mr(e, 4, x86_state(VCPU_OFF(exit_id)), X86_RCX);
    x86_mov_mi(e, 4, x86_state(VCPU_OFF(exit_reason)), (int32_t)reason);
    x86_patch32(e, x86_jmp(e), exit);
}

/* At the helper's call: [rsp] = saved registers, return address, imm2, imm. */
static void write_thunk_call(struct x86_emitter *e, unsigned saved_bytes)
{
    x86_lea(e, 8, X86_RDI, x86_base(X86_VCPU, -VCPU_BIAS));
    x86_mov_rr(e, 4, X86_RSI, X86_RDX);
    x86_mov_rr(e, 4, X86_RDX, X86_RCX);
    x86_mov_rm(e, 4, X86_RCX, x86_base(X86_RSP, (int32_t)saved_bytes + 16));
    x86_mov_rm(e, 4, X86_R8, x86_base(X86_RSP, (int32_t)saved_bytes + 8));
    x86_call_r(e, X86_RAX);
    /* C leaves the high half of a 32-bit result undefined; in a value's register it is zero (shift.c). */
    x86_mov_rr(e, 4, X86_RAX, X86_RAX);
}

static void write_call_full(struct x86_emitter *e)
{
    store_pinned(e);
    x86_alu_ri(e, X86_SUB, 8, X86_RSP, 8);
    write_thunk_call(e, 8);
    x86_alu_ri(e, X86_ADD, 8, X86_RSP, 8);
    load_pinned(e);
    x86_ret_i(e, 16);
}

static void write_call_pure(struct x86_emitter *e)
{
    for (unsigned k = 0; k < ARRAY_LEN(caller_saved); k++)
        x86_push_r(e, caller_saved[k]);
    x86_alu_ri(e, X86_SUB, 8, X86_RSP, 8);
    write_thunk_call(e, 8 * ARRAY_LEN(caller_saved) + 8);
    x86_alu_ri(e, X86_ADD, 8, X86_RSP, 8);
    for (unsigned k = ARRAY_LEN(caller_saved); k-- > 0;)
        x86_pop_r(e, caller_saved[k]);
    x86_ret_i(e, 16);
}

/*
 * Lookups in the software TLB, called from cold code: `r` holds the guest address of the access and gets the host's. On the stack: return
 * address, what r held before. EFLAGS and nothing else are lost. The `limit` bytes before the end of the page are left to the engine.
 */
static void write_soft_lookup(struct x86_emitter *e, unsigned r, bool write, unsigned limit, uint32_t miss)
{
    unsigned t = r == X86_RAX ? X86_RCX : X86_RAX;
    struct x86_mem tag = x86_base(t, write ? offsetof(struct soft_tlb_entry, write) : offsetof(struct soft_tlb_entry, read));

    x86_push_r(e, t);
    x86_alu_mi(e, X86_SUB, 4, x86_state(VCPU_OFF(soft_hits)), 1);
    uint32_t worthless = x86_jcc8(e, X86_S);
    x86_mov_rr(e, 4, t, r); /* t = soft_tlb + soft_tlb_index(r) * size of an entry */
    x86_sh_ri(e, X86_SHR, 4, t, 12 - SOFT_TLB_ENTRY_LG2);
    x86_alu_ri(e, X86_AND, 4, t, (SOFT_TLB_SIZE - 1) << SOFT_TLB_ENTRY_LG2);
    x86_alu_rm(e, X86_ADD, 8, t, x86_state(VCPU_OFF(soft_tlb)));
    x86_alu_rm(e, X86_XOR, 4, r, tag);
    x86_alu_ri(e, X86_CMP, 4, r, (int32_t)(0x1000 - limit));
    uint32_t other = x86_jcc8(e, X86_A);
    x86_alu_rm(e, X86_ADD, 8, r, x86_base(t, offsetof(struct soft_tlb_entry, host)));
    x86_pop_r(e, t);
    x86_ret(e);

    x86_patch8_here(e, other);
    x86_alu_rm(e, X86_XOR, 4, r, tag);
    x86_patch8_here(e, worthless);
    x86_pop_r(e, t);
    x86_mov_mr(e, 4, x86_state(VCPU_OFF(soft_va)), r);
    x86_mov_rm(e, 8, r, x86_base(X86_RSP, 8)); /* all registers are as they were at the access */
    x86_patch32(e, x86_call(e), miss);
    x86_mov_rm(e, 8, r, x86_state(VCPU_OFF(soft_host)));
    x86_ret(e);
}

/*
 * What they call when they have found nothing. Frame: struct host_fault_ctx, xmm0-xmm15, padding; then the return address to the lookup,
 * its own to the block, and one more word, which all go when vcpu.soft_miss decides for another place than that in the block.
 */
static void write_soft_miss(struct x86_emitter *e)
{
    enum { VECTORS = sizeof(struct host_fault_ctx), FRAME = VECTORS + 16 * 16 + 8, BLOCK = FRAME + 8, LAST = FRAME + 16 };
    _Static_assert(VECTORS % 16 == 0, "stack alignment");
    const struct x86_mem rip = x86_base(X86_RSP, offsetof(struct host_fault_ctx, rip));

    x86_alu_ri(e, X86_SUB, 8, X86_RSP, FRAME);
    for (unsigned r = 0; r < 16; r++)
        x86_mov_mr(e, 8, x86_base(X86_RSP, (int32_t)(8 * r)), r);
    for (unsigned x = 0; x < 16; x++)
        x86_v_mr(e, X86_VMOVDQU_ST, x86_base(X86_RSP, (int32_t)(VECTORS + 16 * x)), x);
    x86_mov_rm(e, 8, X86_RAX, x86_base(X86_RSP, BLOCK));
    x86_mov_mr(e, 8, rip, X86_RAX);
    x86_lea(e, 8, X86_RAX, x86_base(X86_RSP, VECTORS));
    x86_mov_mr(e, 8, x86_base(X86_RSP, offsetof(struct host_fault_ctx, vector)), X86_RAX);
    x86_mov_rm(e, 8, X86_RDI, x86_state(VCPU_OFF(engine)));
    x86_mov_rr(e, 8, X86_RSI, X86_RSP);
    x86_call_m(e, x86_state(VCPU_OFF(soft_miss)));
    for (unsigned x = 0; x < 16; x++)
        x86_v_rm(e, X86_VMOVDQU, x, x86_base(X86_RSP, (int32_t)(VECTORS + 16 * x)));
    x86_mov_rm(e, 8, X86_RAX, rip);
    x86_alu_mr(e, X86_CMP, 8, x86_base(X86_RSP, BLOCK), X86_RAX);
    uint32_t same = x86_jcc8(e, X86_E);
    x86_mov_mr(e, 8, x86_base(X86_RSP, LAST), X86_RAX);
    x86_patch8_here(e, same);
    for (unsigned r = 0; r < 16; r++)
        if (r != X86_RSP)
            x86_mov_rm(e, 8, r, x86_base(X86_RSP, (int32_t)(8 * r)));
    x86_lea(e, 8, X86_RSP, x86_base(X86_RSP, FRAME));
    uint32_t back = x86_jcc8(e, X86_E);
    x86_lea(e, 8, X86_RSP, x86_base(X86_RSP, LAST - FRAME));
    x86_patch8_here(e, back);
    x86_ret(e);
}

static uint32_t aligned(struct x86_emitter *e)
{
    while (x86_offset(e) % 16)
        x86_nop(e, 1);
    return x86_offset(e);
}

uint32_t host_write_trampolines(uint8_t *rw, uint64_t rx, uint32_t cap, struct host_trampolines *out)
{
    struct x86_emitter e;

    (void)rx; /* position independent */
    x86_emitter_init(&e, rw, cap);
    out->enter = aligned(&e);
    write_enter(&e);
    out->exit = aligned(&e);
    store_pinned(&e);
    out->unwind = x86_offset(&e); /* exit goes on here */
    write_unwind(&e);
    for (unsigned reason = 0; reason < ARRAY_LEN(out->leave); reason++) {
        out->leave[reason] = aligned(&e);
        write_leave(&e, (enum vcpu_exit)reason, out->exit);
    }
    out->no_return = aligned(&e);
    x86_mov_ri(&e, X86_RAX, ~0u);
    x86_patch32(&e, x86_jmp(&e), out->leave[VCPU_EXIT_INDIRECT]);
    out->call_full = aligned(&e);
    write_call_full(&e);
    out->call_pure = aligned(&e);
    write_call_pure(&e);
    out->soft_miss = aligned(&e);
    write_soft_miss(&e);
    for (unsigned r = 0; r < ARRAY_LEN(x86_soft_reg); r++)
        for (unsigned write = 0; write < 2; write++)
            for (unsigned k = 0; k < SOFT_LIMITS; k++) {
                out->soft_lookup[r][write][k] = aligned(&e);
                write_soft_lookup(&e, x86_soft_reg[r], write, soft_limit(k), out->soft_miss);
            }
    out->size = aligned(&e);
    return e.overflow ? 0 : out->size;
}

uint32_t host_enter(struct vcpu *v, const struct host_trampolines *t, uint64_t cache_rx, uint64_t code)
{
    uint32_t (*enter)(struct vcpu *, uint64_t) = (uint32_t(*)(struct vcpu *, uint64_t))(uintptr_t)(cache_rx + t->enter);

    return enter(v, code);
}

_Noreturn void host_unwind(struct vcpu *v)
{
    v->exit_reason = VCPU_EXIT_RAISED;
    __asm__ volatile("mov %%rdx, %%rsp\n\t"
                     "add $8, %%rsp\n\t"
                     "pop %%r15\n\t"
                     "pop %%r14\n\t"
                     "pop %%r13\n\t"
                     "pop %%r12\n\t"
                     "pop %%rbx\n\t"
                     "pop %%rbp\n\t"
                     "ret"
                     :
                     : "d"(v->host_rsp), "a"(VCPU_EXIT_RAISED)
                     : "memory");
    __builtin_unreachable();
}
