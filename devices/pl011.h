/*
 * pl011.h: ARM PrimeCell UART (ARM DDI 0183).
 */
#ifndef DEVICES_PL011_H
#define DEVICES_PL011_H

#include <devices/irq.h>
#include <hypervisor/bus.h>

struct pl011;
struct serial;

extern const struct device_desc pl011_desc;

/* NULL after a message when there is no memory. The port's line and backend stay the caller's. */
struct pl011 *pl011_create(struct irq_line irq, struct serial *backend);
void pl011_destroy(struct pl011 *u);

/* Keep a copy of the flag register in *copy from now on (NULL: no more). Another thread may read it; stays the caller's. */
#define PL011_FR 0x18u
void pl011_copy_flags(struct pl011 *u, uint32_t *copy);

/* The backend's notifications (struct serial_port), ctx = the port. Any thread. */
void pl011_input(void *ctx);
void pl011_room(void *ctx);
void pl011_line_break(void *ctx);

#endif
