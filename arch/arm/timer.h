/*
 * timer.h: the generic timer (ARM ARM B8): physical and virtual timer of one processor, counting from the host's TSC.
 */
#ifndef ARM_TIMER_H
#define ARM_TIMER_H

#include <armlet/base.h>

struct arm_timer {
    uint64_t cntv_cval, cntp_cval, cntvoff;
    uint32_t cntv_ctl, cntp_ctl, cntkctl;
    uint32_t cntfrq; /* what the firmware wrote; the real rate is GUEST_CNTFRQ_HZ */
};

struct arm_cpu;
uint64_t arm_timer_count(const struct arm_cpu *c); /* CNTPCT = CNTVCT (offset 0 at reset) */
/* Recompute output lines into the GIC and the deadline into shared->deadline_tsc. */
void arm_timer_update(struct arm_cpu *c);

#endif
