/*
 * exception.c: taking exceptions and returning from them (ARM ARM B1.8, B1.9), fault status for aborts (B3.13).
 */
#include <arch/arm/cpu.h>
#include <arch/arm/mmu.h>

#define SCTLR_V  BIT(13)
#define SCTLR_EE BIT(25)
#define SCTLR_TE BIT(30)

/* By vector: mode entered, masks set (CPSR.A, I, F as in arm_cpu.mask), and LR minus the address of the instruction, in A32 and in T32. For SVC and
 * undefined instructions, LR is the next instruction's address where the instruction's size decides. */
static const struct {
    uint8_t mode, mask;
    int8_t lr_a32, lr_t32;
} vectors[] = {
    [ARM_VEC_RESET] = {ARM_SVC, 7, 0, 0}, [ARM_VEC_UNDEF] = {ARM_UND, 2, 4, 2}, [ARM_VEC_SVC] = {ARM_SVC, 2, 4, 2}, [ARM_VEC_PABT] = {ARM_ABT, 6, 4, 4},
    [ARM_VEC_DABT] = {ARM_ABT, 6, 8, 8},  [ARM_VEC_HYP] = {ARM_SVC, 2, 4, 4},   [ARM_VEC_IRQ] = {ARM_IRQ, 6, 4, 4}, [ARM_VEC_FIQ] = {ARM_FIQ, 7, 4, 4},
};

static const char *const vector_names[] = {"reset", "undefined", "svc", "prefetch abort", "data abort", "hyp", "irq", "fiq"};

void arm_take_exception(struct arm_cpu *c, enum arm_vector vec)
{
    struct vcpu *v = &c->v;
    uint32_t cpsr = arm_cpsr_read(c), pc = v->pc & ~1u;
    uint32_t lr = pc + (uint32_t)(v->pc & 1 ? vectors[vec].lr_t32 : vectors[vec].lr_a32);
    uint32_t sctlr = c->cp15.sctlr;

    v->stats->exceptions[vec]++;
    if (UNLIKELY(v->shared->config.flags & ENGINE_LOG_INT))
        engine_log(v, "exception %s at %08x cpsr %08x dfsr %x dfar %08x ifsr %x ifar %08x\n", vector_names[vec], pc, cpsr, c->cp15.dfsr, c->cp15.dfar,
                   c->cp15.ifsr, c->cp15.ifar);
    arm_cpsr_write(c, (uint32_t)vectors[vec].mode | (uint32_t)vectors[vec].mask << 6 | (sctlr & SCTLR_EE ? CPSR_E : 0),
                   CPSR_MODE | (uint32_t)vectors[vec].mask << 6 | CPSR_E);
    arm_spsr_write(c, cpsr, ~0u);
    v->gpr[14] = lr;
    v->restart = 0;
    v->excl_addr = ~0u;
    v->pc = ((sctlr & SCTLR_V ? 0xffff0000u : c->cp15.vbar) + 4 * (uint32_t)vec) | (sctlr & SCTLR_TE ? 1 : 0);
}

void arm_exception_return(struct arm_cpu *c, uint32_t pc, uint32_t spsr)
{
    struct vcpu *v = &c->v;

    v->restart = 0;
    arm_cpsr_write(c, spsr, ~0u);
    if (!(spsr & CPSR_T))
        v->restart = 0; /* A32 has no IT blocks */
    v->pc = spsr & CPSR_T ? pc | 1 : pc & ~3u;
    v->excl_addr = ~0u;
    /* Only on the way back to where the abort came from: an interrupt of the handler returns too. */
    if (c->abort_pending == c->mode) {
        c->abort_pending = 0;
        engine_premap(v, c->abort_va, c->abort_write);
    }
}

/* --- aborts --- */

#define DFSR_WNR BIT(11)

static void abort_taken(struct arm_cpu *c, uint32_t va, enum guest_access access, uint32_t fsr)
{
    c->abort_va = va;
    c->abort_write = access == GUEST_WRITE;
    c->abort_pending = access != GUEST_FETCH ? c->mode : 0;
    if (access == GUEST_FETCH) {
        c->cp15.ifsr = fsr;
        c->cp15.ifar = va;
        arm_take_exception(c, ARM_VEC_PABT);
    } else {
        c->cp15.dfsr = fsr | (access == GUEST_WRITE ? DFSR_WNR : 0);
        c->cp15.dfar = va;
        arm_take_exception(c, ARM_VEC_DABT);
    }
}

void guest_raise_abort(struct vcpu *v, uint32_t va, enum guest_access access, int code)
{
    struct arm_cpu *c = arm_cpu_of(v);
    struct guest_regime r;

    guest_current_regime(v, &r);
    abort_taken(c, va, access, arm_mmu_fsr(c, arm_mmu_fault_code(c, &r, va, code)));
}

static bool long_format(const struct arm_cpu *c) { return c->cp15.ttbcr >> 31; }

void guest_raise_alignment(struct vcpu *v, uint32_t va, bool is_write)
{
    struct arm_cpu *c = arm_cpu_of(v);
    abort_taken(c, va, is_write ? GUEST_WRITE : GUEST_READ, long_format(c) ? BIT(9) | 0x21 : 0x01);
}

void guest_raise_external(struct vcpu *v, uint32_t va, enum guest_access access)
{
    struct arm_cpu *c = arm_cpu_of(v);
    abort_taken(c, va, access, long_format(c) ? BIT(9) | 0x10 : 0x08); /* synchronous external abort */
}

/* A32 code at an address that is not a multiple of four: branches there are UNPREDICTABLE; QEMU takes this prefetch abort. */
uint32_t arm_helper_misaligned_pc(void *cpu, uint32_t va, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    abort_taken(c, va, GUEST_FETCH, long_format(c) ? BIT(9) | 0x21 : 0x01);
    c->v.stats->guest_aborts++;
    c->v.exit_reason = VCPU_EXIT_RAISED;
    host_unwind(&c->v);
}
