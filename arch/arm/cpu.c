/*
 * cpu.c: program status registers and register banks (ARM ARM B1.3).
 */
#include <arch/arm/cpu.h>

bool arm_mode_valid(unsigned mode)
{
    switch (mode) {
    case ARM_USR:
    case ARM_FIQ:
    case ARM_IRQ:
    case ARM_SVC:
    case ARM_ABT:
    case ARM_UND:
    case ARM_SYS:
        return true;
    default:
        return false; /* no Security Extensions and no Hyp mode shown to the guest */
    }
}

enum arm_bank arm_bank_of(unsigned mode)
{
    switch (mode) {
    case ARM_FIQ:
        return BANK_FIQ;
    case ARM_IRQ:
        return BANK_IRQ;
    case ARM_SVC:
        return BANK_SVC;
    case ARM_ABT:
        return BANK_ABT;
    case ARM_UND:
        return BANK_UND;
    default:
        return BANK_USR;
    }
}

/* The four GE bits from and to ge_off. */
static uint32_t ge_read(const struct arm_cpu *c)
{
    return (~c->ge_off & 0x01010101) * 0x01020408 >> 24 & 15;
}

void arm_ge_write(struct arm_cpu *c, uint32_t ge)
{
    c->ge_off = (~(ge * 0x00204081) & 0x01010101) * 0xff;
}

uint32_t arm_cpsr_read(const struct arm_cpu *c)
{
    const struct vcpu *v = &c->v;
    uint32_t it = v->restart;

    return flags_unpack(v->flags) | (uint32_t)c->q << 27 | (it & 3) << 25 | ge_read(c) << 16 | (it >> 2 & 0x3f) << 10 |
           (uint32_t)c->big << 9 | (uint32_t)c->mask << 6 | (v->pc & 1) << 5 | c->mode;
}

static void switch_bank(struct arm_cpu *c, unsigned mode)
{
    enum arm_bank from = arm_bank_of(c->mode), to = arm_bank_of(mode);

    c->mode = (uint8_t)mode;
    if (from == to)
        return;
    c->bank_sp[from] = c->v.gpr[13];
    c->bank_lr[from] = c->v.gpr[14];
    if (from == BANK_FIQ || to == BANK_FIQ) {
        uint32_t *save = from == BANK_FIQ ? c->fiq_r8_12 : c->usr_r8_12;
        const uint32_t *load = to == BANK_FIQ ? c->fiq_r8_12 : c->usr_r8_12;
        memcpy(save, &c->v.gpr[8], sizeof(c->usr_r8_12));
        memcpy(&c->v.gpr[8], load, sizeof(c->usr_r8_12));
    }
    c->v.gpr[13] = c->bank_sp[to];
    c->v.gpr[14] = c->bank_lr[to];
}

void arm_cpsr_write(struct arm_cpu *c, uint32_t value, uint32_t mask)
{
    struct vcpu *v = &c->v;
    bool was_user = c->mode == ARM_USR;

    v->flags = flags_pack((flags_unpack(v->flags) & ~mask) | (value & mask));
    if (mask & CPSR_Q)
        c->q = value >> 27 & 1;
    if (mask & CPSR_GE)
        arm_ge_write(c, value >> 16 & 15);
    if (mask & CPSR_E)
        c->big = value >> 9 & 1;
    if (mask & CPSR_T)
        v->pc = (v->pc & ~1u) | (value >> 5 & 1);
    if (mask & (3u << 25))
        v->restart = (v->restart & ~3u) | (value >> 25 & 3);
    if (mask & (0x3fu << 10))
        v->restart = (v->restart & 3) | (value >> 10 & 0x3f) << 2;
    uint8_t masks = (uint8_t)(mask >> 6 & 7);
    c->mask = (uint8_t)((c->mask & ~masks) | (value >> 6 & masks));
    if ((mask & CPSR_MODE) && arm_mode_valid(value & CPSR_MODE) && (value & CPSR_MODE) != c->mode)
        switch_bank(c, value & CPSR_MODE);
    if (was_user != (c->mode == ARM_USR))
        engine_regime_changed(v);
    if ((mask & (CPSR_I | CPSR_F)) && arm_interrupt_due(c))
        v->poll = 1; /* the dispatcher will take it */
}

bool arm_interrupt_due(const struct arm_cpu *c)
{
    return (!(c->mask & 2) && arm_gic_irq_line(&c->gic)) || (!(c->mask & 1) && arm_gic_fiq_line(&c->gic));
}

uint32_t arm_spsr_read(const struct arm_cpu *c)
{
    return c->bank_spsr[arm_bank_of(c->mode)];
}

void arm_spsr_write(struct arm_cpu *c, uint32_t value, uint32_t mask)
{
    uint32_t *spsr = &c->bank_spsr[arm_bank_of(c->mode)];
    if (arm_bank_of(c->mode) != BANK_USR)
        *spsr = (*spsr & ~mask) | (value & mask);
}
