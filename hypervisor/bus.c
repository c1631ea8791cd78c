/*
 * bus.c: dispatch of device accesses; see bus.h.
 */
#include <armlet/abi.h>
#include <hypervisor/bus.h>
#include <hypervisor/error.h>

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) { return a < b + b_size && b < a + a_size; }

int bus_attach(struct bus *b, uint64_t base, const struct device_desc *desc, void *dev)
{
    if (b->n == BUS_MAX_DEVICES) {
        error_report("there is no room on the bus for the device %s", desc->name);
        return -1;
    }
    static const struct {
        const char *name;
        uint64_t base, size;
    } fixed[] = {
        {"the interrupt distributor", GUEST_GICD_BASE, GUEST_GIC_SIZE},
        {"the interrupt CPU interface", GUEST_GICC_BASE, GUEST_GIC_SIZE},
        {"memory", GUEST_RAM_BASE, GUEST_RAM_MAX},
    };
    const char *other = NULL;
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (overlap(base, desc->size, fixed[i].base, fixed[i].size))
            other = fixed[i].name;
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (overlap(base, desc->size, b->slot[i].base, b->slot[i].desc->size))
            other = b->slot[i].desc->name;
    }
    if (other) {
        error_report("the device %s at 0x%llx overlaps %s", desc->name, (unsigned long long)base, other);
        return -1;
    }
    b->slot[b->n++] = (struct bus_slot){base, desc, dev};
    return 0;
}

static const struct bus_slot *find(const struct bus *b, uint64_t addr)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (addr - b->slot[i].base < b->slot[i].desc->size)
            return &b->slot[i];
    }
    return NULL;
}

/*
 * An access is legal when it is as wide as the device takes, aligned, and inside the range. Others are split into aligned ones of the widest
 * size that fits; a narrow read is cut out of a wider one; a narrow write to a wider register is passed as the value in its lanes with the other lanes zero,
 * as the AMBA byte lanes do for devices without strobes.
 */
static unsigned piece_size(const struct device_desc *d, uint64_t off, unsigned left)
{
    unsigned n = d->max_access;
    while (n > d->min_access && (n > left || off & (n - 1)))
        n >>= 1;
    return n;
}

int bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned done = 0; done < size;) {
        const struct bus_slot *s = find(b, addr + done);
        if (!s)
            return -1;
        uint64_t off = addr + done - s->base;
        unsigned n = piece_size(s->desc, off, size - done);
        unsigned skip = (unsigned)(off & (n - 1)); /* bytes of the piece before the ones asked for */
        uint64_t v = s->desc->read(s->dev, (uint32_t)(off - skip), n);
        if (n < 8)
            v &= (1ull << 8 * n) - 1;
        unsigned take = n - skip < size - done ? n - skip : size - done;
        v >>= 8 * skip;
        if (take < 8)
            v &= (1ull << 8 * take) - 1;
        result |= v << 8 * done;
        done += take;
    }
    *value = result;
    return 0;
}

int bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
    for (unsigned done = 0; done < size;) {
        const struct bus_slot *s = find(b, addr + done);
        if (!s)
            return -1;
        uint64_t off = addr + done - s->base;
        unsigned n = piece_size(s->desc, off, size - done);
        unsigned skip = (unsigned)(off & (n - 1));
        unsigned take = n - skip < size - done ? n - skip : size - done;
        uint64_t v = value >> 8 * done;
        if (take < 8)
            v &= (1ull << 8 * take) - 1;
        s->desc->write(s->dev, (uint32_t)(off - skip), n, v << 8 * skip);
        done += take;
    }
    return 0;
}

void bus_reset(struct bus *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (b->slot[i].desc->reset)
            b->slot[i].desc->reset(b->slot[i].dev);
    }
}
