/*
 * irq.h: an interrupt line from a device to the interrupt controller. Any thread may drive it.
 */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

#include <armlet/base.h>

struct irq_line {
    void (*set)(void *ctx, unsigned spi, bool level);
    void *ctx;
    unsigned spi;
};

static inline void irq_set(const struct irq_line *l, bool level) { l->set(l->ctx, l->spi, level); }

#endif
