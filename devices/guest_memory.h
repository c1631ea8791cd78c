/*
 * guest_memory.h: guest RAM as devices see it: bounds-checked, and with a word to the translator about what they have written.
 *
 * Addresses are guest physical. A device that stores into guest RAM calls guest_memory_written() after the last store and before it tells the guest
 * (used ring, interrupt): the page may hold code that has been translated. Any thread.
 */
#ifndef DEVICES_GUEST_MEMORY_H
#define DEVICES_GUEST_MEMORY_H

#include <armlet/abi.h>

struct guest_memory {
    uint8_t *ram; /* all of guest RAM; moves only while no device is started */
    uint64_t size; /* bytes */
    bool shared; /* it is a memory file, fd, from its beginning: another process may map it, and sees what happens here */
    int fd;
    void (*written)(void *ctx, uint64_t ram_off, uint64_t len);
    void *ctx;
};

/* Host address of guest physical [gpa, gpa + len), or NULL unless all of it is RAM. len 0: NULL. */
static inline void *guest_memory_range(const struct guest_memory *m, uint64_t gpa, uint64_t len)
{
    if (gpa < GUEST_RAM_BASE || len == 0 || len > m->size || gpa - GUEST_RAM_BASE > m->size - len)
        return NULL;
    return m->ram + (gpa - GUEST_RAM_BASE);
}

/* `p` is inside what guest_memory_range() returned. */
static inline void guest_memory_written(const struct guest_memory *m, const void *p, uint64_t len)
{
    if (len)
        m->written(m->ctx, (uint64_t)((const uint8_t *)p - m->ram), len);
}

#endif
