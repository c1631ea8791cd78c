/*
 * pl031.h: ARM PrimeCell real-time clock (ARM DDI 0224).
 */
#ifndef DEVICES_PL031_H
#define DEVICES_PL031_H

#include <devices/irq.h>
#include <hypervisor/bus.h>

struct pl031;
struct event_loop;

extern const struct device_desc pl031_desc;

/* NULL after a message. The clock starts with the host's time of day. */
struct pl031 *pl031_create(struct irq_line irq);
/* Serve the match interrupt from the event loop. */
bool pl031_start(struct pl031 *r, struct event_loop *loop);
void pl031_destroy(struct pl031 *r);

#endif
