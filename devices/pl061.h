/*
 * pl061.h: ARM PrimeCell general purpose I/O (ARM DDI 0190), with the power button of QEMU's board on line 3.
 */
#ifndef DEVICES_PL061_H
#define DEVICES_PL061_H

#include <devices/irq.h>
#include <hypervisor/bus.h>

struct pl061;
struct event_loop;

extern const struct device_desc pl061_desc;

/* NULL after a message. */
struct pl061 *pl061_create(struct irq_line irq);
/* The button is released from the event loop. */
bool pl061_start(struct pl061 *g, struct event_loop *loop);
void pl061_destroy(struct pl061 *g);

/* Press the power button and let it go a tenth of a second later. Any thread. */
void pl061_power_button(struct pl061 *g);

#endif
