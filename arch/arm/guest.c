/*
 * guest.c: the ARM processor as the translator core sees it (dbt/guest.h): reset, block flags, interrupts, the GIC's registers, diagnostics.
 */
#include <arch/arm/cpu.h>
#include <arch/arm/decode.h>

#define FPEXC_EN BIT(30)

size_t guest_vcpu_size(void) { return ARM_DECODER_OFFSET + arm_decoder_size(); }

void guest_reset(struct vcpu *v)
{
    struct arm_cpu *c = arm_cpu_of(v);
    const struct vm_shared *s = v->shared;

    c->mode = ARM_SVC;
    c->mask = 7;
    arm_ge_write(c, 0);
    c->v.pc = s->entry_pc;
    memcpy(v->gpr, s->entry_r, sizeof(s->entry_r));
    arm_cp15_reset(c);
    arm_gic_reset(&c->gic);
    c->timer = (struct arm_timer){.cntfrq = GUEST_CNTFRQ_HZ};
    c->mxcsr = 0x1f80;
    v->excl_addr = ~0u;
}

void arm_fp_usable_update(struct arm_cpu *c)
{
    unsigned cp10 = c->cp15.cpacr >> 20 & 3; /* 01: privileged only, 11: full access */
    bool on = c->fpexc & FPEXC_EN;

    c->fp_usable[0] = on && cp10 == 3;
    c->fp_usable[1] = on && (cp10 & 1);
}

uint32_t guest_block_flags(const struct vcpu *v)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    uint32_t f = v->restart << ARM_BF_IT_SHIFT;

    if (c->mode != ARM_USR)
        f |= ARM_BF_PRIV;
    if (c->mode == ARM_USR || c->mode == ARM_SYS)
        f |= ARM_BF_SYSMODE;
    if (c->big)
        f |= ARM_BF_BE;
    if (c->cp15.sctlr & BIT(1))
        f |= ARM_BF_ALIGN;
    if (c->cp15.sctlr & BIT(10))
        f |= ARM_BF_SWPEN;
    if (c->fpscr & 0x03c00000u) /* DN, FZ, RMode */
        f |= ARM_BF_VFP_RM;
    if (c->fpscr & 0x00370000u) /* Stride, Len */
        f |= ARM_BF_VFP_VEC;
    return f;
}

void arm_gic_latch(struct arm_cpu *c)
{
    struct vm_shared *s = c->v.shared;

    for (unsigned w = 0; w < VM_SPI_WORDS; w++) {
        uint32_t level = __atomic_load_n(&s->spi_level[w], __ATOMIC_ACQUIRE);
        uint32_t rose = __atomic_load_n(&s->spi_edge[w], __ATOMIC_RELAXED);
        if (rose)
            rose = __atomic_exchange_n(&s->spi_edge[w], 0, __ATOMIC_ACQUIRE);
        arm_gic_set_spis(&c->gic, w, level, rose);
    }
}

void guest_poll(struct vcpu *v)
{
    struct arm_cpu *c = arm_cpu_of(v);

    arm_gic_latch(c);
    arm_timer_update(c);
    if (!(c->mask & 1) && arm_gic_fiq_line(&c->gic))
        arm_take_exception(c, ARM_VEC_FIQ);
    else if (!(c->mask & 2) && arm_gic_irq_line(&c->gic))
        arm_take_exception(c, ARM_VEC_IRQ);
}

/* --- registers of the GIC --- */

bool guest_device_read(struct vcpu *v, uint64_t pa, unsigned size, uint64_t *value)
{
    struct arm_cpu *c = arm_cpu_of(v);

    if (pa - GUEST_GICD_BASE < GUEST_GIC_SIZE && size <= 4) {
        uint32_t off = (uint32_t)(pa - GUEST_GICD_BASE) & 0xfff;
        if (arm_gic_dist_shows_lines(off)) {
            arm_gic_latch(c);
            arm_timer_update(c);
        }
        *value = arm_gic_dist_read(&c->gic, off, size);
        return true;
    }
    if (pa - GUEST_GICC_BASE < GUEST_GIC_SIZE && size <= 4) {
        arm_gic_latch(c);
        *value = arm_gic_cpu_read(&c->gic, (uint32_t)(pa - GUEST_GICC_BASE) & 0x1fff & ~3u) >> 8 * (pa & 3);
        return true;
    }
    return false;
}

bool guest_device_write(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value)
{
    struct arm_cpu *c = arm_cpu_of(v);

    if (pa - GUEST_GICD_BASE < GUEST_GIC_SIZE && size <= 4)
        arm_gic_dist_write(&c->gic, (uint32_t)(pa - GUEST_GICD_BASE) & 0xfff, size, (uint32_t)value);
    else if (pa - GUEST_GICC_BASE < GUEST_GIC_SIZE && size <= 4)
        arm_gic_cpu_write(&c->gic, (uint32_t)(pa - GUEST_GICC_BASE) & 0x1fff & ~3u, (uint32_t)value);
    else
        return false;
    if (arm_interrupt_due(c))
        v->poll = 1;
    return true;
}

/* --- diagnostics --- */

int guest_print_state(const struct vcpu *v, char *buf, int cap)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    int n = 0;

    for (unsigned r = 0; r < 15; r++)
        n += fmt_text(buf + n, cap - n, "r%02u=%08x%c", r, v->gpr[r], r % 4 == 3 ? '\n' : ' ');
    return n + fmt_text(buf + n, cap - n, "pc =%08x\ncpsr=%08x\n", v->pc & ~1u, arm_cpsr_read(c));
}
