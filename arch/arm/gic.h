/*
 * gic.h: GICv2 distributor and CPU interface of one processor (ARM IHI 0048B), inside the engine so that guest accesses cost no exit.
 */
#ifndef ARM_GIC_H
#define ARM_GIC_H

#include <armlet/base.h>

#define GIC_MAX_IRQ 288 /* 32 private + 256 shared */

struct arm_gic {
    uint32_t dist_ctlr, cpu_ctlr;
    uint32_t pmr, bpr, abpr;
    uint8_t running_priority;
    uint8_t pad[3];
    uint32_t group[GIC_MAX_IRQ / 32], enabled[GIC_MAX_IRQ / 32], pending[GIC_MAX_IRQ / 32], active[GIC_MAX_IRQ / 32];
    uint32_t level[GIC_MAX_IRQ / 32]; /* input lines */
    uint32_t edge[GIC_MAX_IRQ / 32];  /* configured edge-triggered */
    uint8_t priority[GIC_MAX_IRQ];
    uint8_t sgi_source[16];
    uint32_t apr[4];
};

struct arm_cpu;
void arm_gic_reset(struct arm_gic *g);
void arm_gic_set_line(struct arm_gic *g, unsigned irq, bool level);
/* The lines of SPIs 32*w to 32*w+31: where they are, and which have risen since this was last said. */
void arm_gic_set_spis(struct arm_gic *g, unsigned w, uint32_t level, uint32_t rose);
/* Is an interrupt signalled to the processor now (IRQ line)? */
bool arm_gic_irq_line(const struct arm_gic *g);
bool arm_gic_fiq_line(const struct arm_gic *g);
/* Does the distributor's register at off depend on where interrupt lines are (GICD_ISPENDRn, GICD_ICPENDRn)? */
static inline bool arm_gic_dist_shows_lines(uint32_t off) { return off - 0x200 < 0x100; }
uint32_t arm_gic_dist_read(struct arm_gic *g, uint32_t off, unsigned size);
void arm_gic_dist_write(struct arm_gic *g, uint32_t off, unsigned size, uint32_t value);
uint32_t arm_gic_cpu_read(struct arm_gic *g, uint32_t off);
void arm_gic_cpu_write(struct arm_gic *g, uint32_t off, uint32_t value);

#endif
