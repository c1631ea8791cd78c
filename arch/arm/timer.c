/*
 * timer.c: the generic timer of one processor. The count is the host's TSC scaled to GUEST_CNTFRQ_HZ; nothing runs in between: outputs are recomputed
 * when registers change and when the dispatcher polls, and the earliest future expiry is published for the host's ticker.
 */
#include <arch/arm/cpu.h>

#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

uint64_t arm_timer_count(const struct arm_cpu *c)
{
    const struct vm_shared *s = c->v.shared;
    return (uint64_t)((unsigned __int128)(__builtin_ia32_rdtsc() - s->tsc_base) * s->tsc_to_cnt >> 32);
}

/* TSC value at which the count has reached cnt. */
static uint64_t tsc_of_count(const struct vm_shared *s, uint64_t cnt)
{
    uint64_t tsc_per_cnt = (s->tsc_hz << 30) / GUEST_CNTFRQ_HZ; /* 2^30ths; no 128-bit division without libgcc */
    unsigned __int128 t = ((unsigned __int128)cnt * tsc_per_cnt >> 30) + 1;
    return t > UINT64_MAX - s->tsc_base ? UINT64_MAX : (uint64_t)t + s->tsc_base;
}

/* Bring one timer's ISTATUS and line up to date; returns the count of its next expiry, or UINT64_MAX. */
static uint64_t update_one(struct arm_cpu *c, uint32_t *ctl, uint64_t cval, uint64_t now, unsigned irq)
{
    bool fired = (*ctl & CTL_ENABLE) && now >= cval;

    *ctl = (*ctl & ~CTL_ISTATUS) | (fired ? CTL_ISTATUS : 0);
    arm_gic_set_line(&c->gic, irq, fired && !(*ctl & CTL_IMASK));
    return (*ctl & CTL_ENABLE) && !fired && !(*ctl & CTL_IMASK) ? cval : UINT64_MAX;
}

void arm_timer_update(struct arm_cpu *c)
{
    uint64_t now = arm_timer_count(c), voff = c->timer.cntvoff;
    uint64_t next_v = update_one(c, &c->timer.cntv_ctl, c->timer.cntv_cval, now - voff, GUEST_TIMER_VIRT_PPI);
    uint64_t next_p = update_one(c, &c->timer.cntp_ctl, c->timer.cntp_cval, now, GUEST_TIMER_PHYS_PPI);
    uint64_t next;

    if (next_v != UINT64_MAX)
        next_v += voff;
    next = next_v < next_p ? next_v : next_p;
    __atomic_store_n(&c->v.shared->deadline_tsc, next == UINT64_MAX ? UINT64_MAX : tsc_of_count(c->v.shared, next), __ATOMIC_RELEASE);
}
