/*
 * virtio_driver.h: a virtio driver for tests: guest memory, a device on its registers, and a ring that may hold anything.
 *
 * The memory is malloc()ed to the byte, so that AddressSanitizer sees any access outside it.
 */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include <devices/virtio/virtio.h>
#include <hypervisor/bus.h>
#include <stdlib.h>
#include <string.h>

#define RAM_SIZE  0x40000u
#define RING_SIZE 8u
#define DESC_AT   0x0000u /* offsets in RAM: descriptor table, avail ring, used ring, an indirect table, data */
#define AVAIL_AT  0x1000u
#define USED_AT   0x2000u
#define TABLE_AT  0x3000u
#define DATA_AT   0x8000u

#define F_NEXT     1u
#define F_WRITE    2u
#define F_INDIRECT 4u

struct ring_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct driver {
    struct guest_memory mem;
    struct virtio *v;
    unsigned level_changes;
    bool level;
    unsigned n_written; /* calls of guest_memory.written, and the last one */
    uint64_t written_off, written_len;
    uint16_t avail_idx;
};

static inline void driver_written(void *ctx, uint64_t off, uint64_t len)
{
    struct driver *d = ctx;
    d->n_written++;
    d->written_off = off;
    d->written_len = len;
}

static inline void driver_irq(void *ctx, unsigned spi UNUSED, bool level)
{
    struct driver *d = ctx;
    d->level_changes += d->level != level;
    d->level = level;
}

static inline uint32_t reg_read(struct driver *d, uint32_t off)
{
    return (uint32_t)virtio_mmio_desc.read(d->v, off, 4);
}
static inline void reg_write(struct driver *d, uint32_t off, uint32_t value)
{
    virtio_mmio_desc.write(d->v, off, 4, value);
}

static inline bool driver_create(struct driver *d, const struct virtio_class *class, void *dev)
{
    *d = (struct driver){.mem = {.ram = calloc(1, RAM_SIZE), .size = RAM_SIZE, .written = driver_written, .ctx = d}};
    d->v = virtio_create(class, dev, &d->mem, (struct irq_line){driver_irq, d, 16});
    return d->v && d->mem.ram;
}

static inline void driver_destroy(struct driver *d)
{
    virtio_destroy(d->v);
    free(d->mem.ram);
}

static inline void driver_queue(struct driver *d, unsigned queue, uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
    reg_write(d, 0x030, queue);
    reg_write(d, 0x038, size);
    reg_write(d, 0x080, (uint32_t)desc);
    reg_write(d, 0x084, (uint32_t)(desc >> 32));
    reg_write(d, 0x090, (uint32_t)avail);
    reg_write(d, 0x094, (uint32_t)(avail >> 32));
    reg_write(d, 0x0a0, (uint32_t)used);
    reg_write(d, 0x0a4, (uint32_t)(used >> 32));
    reg_write(d, 0x044, 1);
}

/* Reset and negotiate as Linux does, up to FEATURES_OK. Returns the status as read back. */
static inline uint32_t driver_negotiate(struct driver *d, uint64_t features)
{
    reg_write(d, 0x070, 0);
    d->avail_idx = 0;
    memset(d->mem.ram, 0, DATA_AT);
    reg_write(d, 0x070, 1);
    reg_write(d, 0x070, 3);
    for (unsigned i = 0; i < 2; i++) {
        reg_write(d, 0x024, i);
        reg_write(d, 0x020, (uint32_t)(features >> 32 * i));
    }
    reg_write(d, 0x070, 0xb);
    return reg_read(d, 0x070);
}

/* The whole way to DRIVER_OK with one queue. */
static inline void driver_start(struct driver *d, uint64_t features)
{
    driver_negotiate(d, features | 1ull << VIRTIO_F_VERSION_1);
    driver_queue(d, 0, RING_SIZE, GUEST_RAM_BASE + DESC_AT, GUEST_RAM_BASE + AVAIL_AT, GUEST_RAM_BASE + USED_AT);
    reg_write(d, 0x070, 0xf);
}

static inline void put(struct driver *d, uint32_t at, const void *p, size_t n)
{
    memcpy(d->mem.ram + at, p, n);
}
static inline uint16_t get16(const struct driver *d, uint32_t at)
{
    return (uint16_t)(d->mem.ram[at] | d->mem.ram[at + 1] << 8);
}
static inline void put16(struct driver *d, uint32_t at, uint16_t v)
{
    put(d, at, &v, 2);
}

static inline void put_desc(struct driver *d, uint32_t table, unsigned i, struct ring_desc desc)
{
    put(d, table + 16 * i, &desc, 16);
}

static inline void make_available(struct driver *d, uint16_t head)
{
    put16(d, AVAIL_AT + 4 + 2 * (d->avail_idx % RING_SIZE), head);
    put16(d, AVAIL_AT + 2, ++d->avail_idx);
}

#endif
