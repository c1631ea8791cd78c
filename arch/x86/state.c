/*
 * state.c: what translated code expects in a vcpu, guest state at faults in it, and patching of finished code.
 */
#include <arch/x86/backend.h>

#define EFLAGS_CF BIT(0)
#define LAHF_ONE  BIT(1) /* always set */
#define EFLAGS_PF BIT(2)
#define EFLAGS_ZF BIT(6)
#define EFLAGS_SF BIT(7)
#define EFLAGS_OF BIT(11)

void host_init_vcpu(struct vcpu *v)
{
    v->constants = (struct host_constants){
        .magnitude_double = {INT64_MAX, INT64_MAX},
        .sign_double = {1ull << 63, 1ull << 63},
        .magnitude_single = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX},
        .sign_single = {1u << 31, 1u << 31, 1u << 31, 1u << 31},
        .smallest_double = 1ull << 52,
        .smallest_single = 1u << 23,
        .compared = {[LAHF_ONE] = flags_pack(IR_C << 28),                                               /* greater */
                     [LAHF_ONE | EFLAGS_CF] = flags_pack(IR_N << 28),                                   /* less */
                     [LAHF_ONE | EFLAGS_ZF] = flags_pack((IR_Z | IR_C) << 28),                          /* equal */
                     [LAHF_ONE | EFLAGS_ZF | EFLAGS_PF | EFLAGS_CF] = flags_pack((IR_C | IR_V) << 28)}, /* unordered */
    };
}

void host_patch_jump(uint8_t *patch_rw, uint64_t patch_rx, uint64_t to)
{
    int32_t displacement = (int32_t)(to - (patch_rx + 4));

    memcpy(patch_rw, &displacement, sizeof(displacement));
}

void host_patch_guard(uint8_t *guard_rw, uint64_t itlb_value)
{
    memcpy(guard_rw, &itlb_value, sizeof(itlb_value));
}

void host_patch_pic_guard(uint8_t *guard_rw, uint32_t itlb_low)
{
    memcpy(guard_rw, &itlb_low, sizeof(itlb_low));
}

void host_retire(uint8_t *rw, uint64_t rx, uint32_t retired)
{
    *rw = X86_JMP_REL32; /* in the place of a nop of that length */
    host_patch_jump(rw + 1, rx + 1, rx + retired);
}

/* emit_guard(): mov rax, imm64; cmp [rdx + disp32], rax */
#define GUARD_SLOT (8 + 3)

void host_reset_guard(uint8_t *guard_rw, uint32_t target)
{
    uint32_t slot = itlb_slot(target);

    host_patch_guard(guard_rw, UINT64_MAX);
    memcpy(guard_rw + GUARD_SLOT, &slot, sizeof(slot));
}

void host_move_code(uint8_t *rw, const struct host_move *moves, uint32_t n, uint32_t pc_by, uint32_t code_by, uint32_t exit_by)
{
    const uint32_t by[] = {[HOST_MOVE_PC] = pc_by, [HOST_MOVE_OUT] = 0 - code_by, [HOST_MOVE_EXIT] = exit_by};

    for (uint32_t k = 0; k < n; k++) {
        uint32_t word;
        memcpy(&word, rw + moves[k].at, sizeof(word));
        word += by[moves[k].kind];
        memcpy(rw + moves[k].at, &word, sizeof(word));
    }
}

void host_restore_state(struct vcpu *v, const struct host_fault_ctx *ctx, const struct host_fault_point *p)
{
    for (unsigned n = 0; n < IR_GLOBALS; n++)
        if (x86_pinned[n] != X86_NOREG)
            v->gpr[n] = (uint32_t)ctx->gpr[x86_pinned[n]];
    uint32_t flags = (ctx->rflags & EFLAGS_SF ? IR_N : 0) | (ctx->rflags & EFLAGS_ZF ? IR_Z : 0) |
                     (((ctx->rflags & EFLAGS_CF) != 0) != p->carry_inverted ? IR_C : 0) | (ctx->rflags & EFLAGS_OF ? IR_V : 0);
    uint32_t from_eflags = (uint32_t)p->eflags_mask << 28;
    v->flags = flags_pack((flags_unpack(v->flags) & ~from_eflags) | (flags << 28 & from_eflags));
    if (p->vectors)
        x86_vcache_restore(v, (const void *)(uintptr_t)(ctx->rip - p->code_off + p->vectors), ctx->vector);
    v->pc = p->pc + (p->pic ? v->pic_page : 0);
    v->restart = p->restart;
    v->insn_budget += p->unexecuted;
}

void host_resume_unwind(struct vcpu *v, const struct host_trampolines *t, uint64_t cache_rx, struct host_fault_ctx *ctx)
{
    ctx->gpr[X86_VCPU] = (uintptr_t)v + VCPU_BIAS;
    ctx->rip = cache_rx + t->unwind;
}
