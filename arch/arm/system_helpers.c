/*
 * system_helpers.c: what translated code calls for system instructions. See cpu.h for who passes what.
 */
#include <arch/arm/cpu.h>
#include <arch/arm/mmu.h>
#include <arch/arm/psci.h>

static _Noreturn void raise(struct arm_cpu *c, enum arm_vector vec)
{
    arm_take_exception(c, vec);
    c->v.exit_reason = VCPU_EXIT_RAISED;
    host_unwind(&c->v);
}

uint32_t arm_helper_svc(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t next_it)
{
    struct arm_cpu *c = cpu;

    c->v.restart = next_it; /* the ITSTATE of the instruction returned to */
    raise(c, ARM_VEC_SVC);
}

uint32_t arm_helper_undef(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    raise(cpu, ARM_VEC_UNDEF);
}

uint32_t arm_helper_unimplemented(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t insn, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    c->v.stats->unimplemented++;
    if (c->reported_unimplemented < ARRAY_LEN(c->reported_insn)) {
        bool seen = false;
        for (unsigned i = 0; i < c->reported_unimplemented; i++)
            seen |= c->reported_insn[i] == insn;
        if (!seen) {
            c->reported_insn[c->reported_unimplemented++] = insn;
            engine_log(&c->v, "the guest instruction %08x at %08x is not implemented; it raises Undefined\n", insn, c->v.pc & ~1u);
        }
    }
    raise(c, ARM_VEC_UNDEF);
}

uint32_t arm_helper_bkpt(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    c->cp15.ifsr = c->cp15.ttbcr >> 31 ? BIT(9) | 0x22 : 0x02; /* debug event */
    raise(c, ARM_VEC_PABT);
}

uint32_t arm_helper_prefetch_abort(void *cpu, uint32_t va, uint32_t b UNUSED, uint32_t code UNUSED, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct guest_regime r;
    struct guest_translation t;

    guest_current_regime(&c->v, &r);
    int fault = guest_walk(&c->v, &r, va, &t);
    if (fault == 0 && (t.rights & GUEST_RIGHT_X))
        guest_raise_external(&c->v, va, GUEST_FETCH); /* mapped, but to nothing that instructions come from */
    else
        guest_raise_abort(&c->v, va, GUEST_FETCH, fault);
    c->v.stats->guest_aborts++;
    c->v.exit_reason = VCPU_EXIT_RAISED;
    host_unwind(&c->v);
}

uint32_t arm_helper_hvc(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t is_smc UNUSED)
{
    struct arm_cpu *c = cpu;
    c->v.gpr[0] = arm_psci_call(c);
    return 0;
}

/* --- waiting --- */

static bool interrupt_pending(struct arm_cpu *c)
{
    arm_gic_latch(c);
    arm_timer_update(c);
    return arm_gic_irq_line(&c->gic) || arm_gic_fiq_line(&c->gic);
}

void arm_wait_for_interrupt(struct arm_cpu *c)
{
    struct vcpu *v = &c->v;

    /* The poll word is set after whatever it announces: look at it first, sleep only if nothing has come since. */
    while (!__atomic_load_n(&v->poll, __ATOMIC_ACQUIRE)) {
        if (interrupt_pending(c)) {
            v->poll = 1;
            return;
        }
        v->shared->req.type = HOST_REQ_WAIT;
        engine_host_call(v);
        arm_timer_update(c);
        if (__atomic_load_n(&v->shared->stop_wanted, __ATOMIC_RELAXED))
            v->poll = 1;
    }
}

uint32_t arm_helper_wfi(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    arm_wait_for_interrupt(cpu);
    return 0;
}

uint32_t arm_helper_wfe(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    c->event = 0; /* with one processor nobody else can send one: going on at once is allowed (B1.8.13) */
    return 0;
}

uint32_t arm_helper_sev(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    c->event = 1;
    return 0;
}

uint32_t arm_helper_dsb(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    engine_tlb_barrier(cpu);
    return 0;
}

/* --- status registers --- */

uint32_t arm_helper_cpsr_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    const struct arm_cpu *c = cpu;
    uint32_t cpsr = arm_cpsr_read(c) & ~(CPSR_T | CPSR_J | 0x0600fc00u); /* execution state bits read as zero (B9.3.8) */

    return c->mode == ARM_USR ? cpsr & (0xf8000000u | CPSR_GE | CPSR_MODE | CPSR_E | CPSR_A | CPSR_I | CPSR_F) : cpsr;
}

uint32_t arm_helper_cpsr_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t mask, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    mask &= 0xf8000000u | CPSR_GE | CPSR_E | CPSR_A | CPSR_I | CPSR_F | CPSR_MODE;
    if (c->mode == ARM_USR)
        mask &= 0xf8000000u | CPSR_GE | CPSR_E;
    arm_cpsr_write(c, value, mask);
    return 0;
}

uint32_t arm_helper_spsr_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    return arm_spsr_read(cpu);
}

uint32_t arm_helper_spsr_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t mask, uint32_t imm2 UNUSED)
{
    arm_spsr_write(cpu, value, mask);
    return 0;
}

uint32_t arm_helper_cps(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t set_mask, uint32_t clear_mask_mode)
{
    struct arm_cpu *c = cpu;
    const uint32_t aif = CPSR_A | CPSR_I | CPSR_F;
    uint32_t mode = clear_mask_mode & CPSR_MODE;

    if (c->mode != ARM_USR)
        arm_cpsr_write(c, (set_mask & aif) | mode, ((set_mask | clear_mask_mode) & aif) | (mode ? CPSR_MODE : 0));
    return 0;
}

uint32_t arm_helper_setend(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t big, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    c->big = big != 0;
    return 0;
}

uint32_t arm_helper_eret(void *cpu, uint32_t pc, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    arm_exception_return(cpu, pc, arm_spsr_read(cpu));
    return 0;
}

uint32_t arm_helper_rfe(void *cpu, uint32_t pc, uint32_t cpsr, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    arm_exception_return(cpu, pc, cpsr);
    return 0;
}

/* --- banked registers --- */

/* Where register `reg` of `mode` is now. */
static uint32_t *banked(struct arm_cpu *c, unsigned mode, unsigned reg)
{
    enum arm_bank current = arm_bank_of(c->mode), wanted = arm_bank_of(mode);

    if (reg >= 8 && reg <= 12 && (current == BANK_FIQ) != (wanted == BANK_FIQ))
        return wanted == BANK_FIQ ? &c->fiq_r8_12[reg - 8] : &c->usr_r8_12[reg - 8];
    if (reg < 13 || reg > 14 || current == wanted)
        return &c->v.gpr[reg];
    return reg == 13 ? &c->bank_sp[wanted] : &c->bank_lr[wanted];
}

uint32_t arm_helper_user_reg_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t reg, uint32_t imm2 UNUSED)
{
    return *banked(cpu, ARM_USR, reg);
}

uint32_t arm_helper_user_reg_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t reg, uint32_t imm2 UNUSED)
{
    *banked(cpu, ARM_USR, reg) = value;
    return 0;
}

uint32_t arm_helper_mode_sp_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t mode, uint32_t imm2 UNUSED)
{
    return *banked(cpu, mode, 13);
}

uint32_t arm_helper_mode_sp_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t mode, uint32_t imm2 UNUSED)
{
    *banked(cpu, mode, 13) = value;
    return 0;
}

/* MRS/MSR (banked register), B9.2.3: R << 5 | SYSm. NULL: UNPREDICTABLE or not there. */
static uint32_t *banked_sysm(struct arm_cpu *c, uint32_t sysm_r)
{
    static const struct {
        uint8_t sysm, mode;
    } pairs[] = {{16, ARM_IRQ}, {18, ARM_SVC}, {20, ARM_ABT}, {22, ARM_UND}}; /* even: lr, odd: sp */
    uint32_t sysm = sysm_r & 31;

    if (sysm_r & 32) {
        if (sysm == 14)
            return &c->bank_spsr[BANK_FIQ];
        for (unsigned i = 0; i < ARRAY_LEN(pairs); i++)
            if (sysm == pairs[i].sysm)
                return &c->bank_spsr[arm_bank_of(pairs[i].mode)];
        return NULL;
    }
    if (sysm <= 6)
        return banked(c, ARM_USR, 8 + sysm);
    if (sysm >= 8 && sysm <= 14)
        return banked(c, ARM_FIQ, sysm);
    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++)
        if ((sysm & ~1u) == pairs[i].sysm)
            return banked(c, pairs[i].mode, sysm & 1 ? 13 : 14);
    return NULL;
}

uint32_t arm_helper_mrs_banked(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t sysm_r, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    const uint32_t *r = banked_sysm(c, sysm_r);

    if (!r || c->mode == ARM_USR)
        raise(c, ARM_VEC_UNDEF);
    return *r;
}

uint32_t arm_helper_msr_banked(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t sysm_r, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    uint32_t *r = banked_sysm(c, sysm_r);

    if (!r || c->mode == ARM_USR)
        raise(c, ARM_VEC_UNDEF);
    *r = value;
    return 0;
}
