/*
 * bus.h: the device bus: which device answers at a guest physical address.
 *
 * A device describes itself with a constant `struct device_desc` (name, sizes, functions) and is attached at an address. Accesses of sizes the
 * device does not take are made of accesses it does take; its callbacks only ever see whole, aligned accesses inside its range.
 * Devices lock themselves: callbacks run on the vCPU thread, host-side events on others.
 */
#ifndef HYPERVISOR_BUS_H
#define HYPERVISOR_BUS_H

#include <armlet/base.h>

#define BUS_MAX_DEVICES 48

struct fdt_ctx;

#define DEVICE_POSTED(off) (1u | (off)) /* off: multiple of 4 */

struct device_desc {
    const char *name;
    uint32_t size;       /* bytes of address space */
    uint8_t min_access;  /* bytes: 1, 2, 4 or 8; both powers of two, min <= max */
    uint8_t max_access;
    uint32_t posted;     /* DEVICE_POSTED(off): a register whose writes need not be waited for; may be served on another thread. 0: none */
    uint64_t (*read)(void *dev, uint32_t off, unsigned size);
    void (*write)(void *dev, uint32_t off, unsigned size, uint64_t value);
    void (*reset)(void *dev);                   /* to the state after power-on; may be NULL */
    int (*fdt)(void *dev, struct fdt_ctx *ctx, uint64_t base); /* add its node: 0 or a libfdt error; may be NULL */
};

struct bus {
    unsigned n;
    struct bus_slot {
        uint64_t base;
        const struct device_desc *desc;
        void *dev;
    } slot[BUS_MAX_DEVICES];
};

/* 0; -1 after a message when the range overlaps another device, RAM or the interrupt controller, or the bus is full. */
int bus_attach(struct bus *b, uint64_t base, const struct device_desc *desc, void *dev);

/* 0, or -1: nothing there (an external abort in the guest). size is 1, 2, 4 or 8; any address. */
int bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value);
int bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value);

void bus_reset(struct bus *b);

#endif
