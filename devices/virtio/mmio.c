/*
 * mmio.c: the register file of a virtio device on the memory bus, version 2 (virtio 1.2, section 4.2), and the device's state of life.
 *
 * Accesses come one at a time: from the vCPU thread, or writes from the thread that serves posted writes, as long as that one has finished
 * before the vCPU thread goes on to something it would see the difference of. Only QueueNotify may be posted: the driver takes InterruptACK
 * for done when it looks at the rings, and Status = 0 for done when it frees them.
 *
 * The interrupt is edge-triggered, as on QEMU's board: a rising edge is one interrupt even if the line falls before the processor looks
 * (vm_set_spi() latches it).
 */
#include <devices/virtio/virtio_impl.h>
#include <hypervisor/bus.h>
#include <hypervisor/error.h>
#include <hypervisor/fdt.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC   0x74726976u /* "virt" */
#define VERSION 2u
#define VENDOR  0x544c4d41u /* "AMLT" */

enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_VENDOR_ID = 0x00c,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SEL = 0x024,
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = VIRTIO_MMIO_ISR,
    REG_INTERRUPT_ACK = VIRTIO_MMIO_ISR + 4,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC_LOW = 0x080,
    REG_QUEUE_DESC_HIGH = 0x084,
    REG_QUEUE_DRIVER_LOW = 0x090,
    REG_QUEUE_DRIVER_HIGH = 0x094,
    REG_QUEUE_DEVICE_LOW = 0x0a0,
    REG_QUEUE_DEVICE_HIGH = 0x0a4,
    REG_SHM_LEN_LOW = 0x0b0,
    REG_SHM_LEN_HIGH = 0x0b4,
    REG_SHM_BASE_LOW = 0x0b8,
    REG_SHM_BASE_HIGH = 0x0bc,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
};

#define STATUS_DRIVER_OK   0x04u
#define STATUS_FEATURES_OK 0x08u
#define STATUS_NEEDS_RESET 0x40u
#define STATUS_DRIVERS     0x8fu /* bits that the driver sets */

#define INT_USED_BUFFER 1u
#define INT_CONFIG      2u

/* --- interrupts ------------------------------------------------------------------------------------------------------------------ */

/* With the lock held: a rising edge if a bit of isr is set, a low line if none is. The translator may clear bits meanwhile (struct
 * irq_status). */
static void update_line(struct virtio *v)
{
    irq_set(&v->irq, false);
    if (!__atomic_load_n(v->isr, __ATOMIC_SEQ_CST))
        return;
    irq_set(&v->irq, true);
    if (!__atomic_load_n(v->isr, __ATOMIC_SEQ_CST))
        irq_set(&v->irq, false);
}

/* With the lock held. */
static void raise(struct virtio *v, uint32_t what)
{
    if (!__atomic_fetch_or(v->isr, what, __ATOMIC_SEQ_CST))
        update_line(v);
}

void virtio_interrupt(struct virtio *v)
{
    pthread_mutex_lock(&v->lock);
    raise(v, INT_USED_BUFFER);
    pthread_mutex_unlock(&v->lock);
}

void virtio_config_changed(struct virtio *v)
{
    pthread_mutex_lock(&v->lock);
    v->generation++;
    if (v->status & STATUS_DRIVER_OK)
        raise(v, INT_CONFIG);
    pthread_mutex_unlock(&v->lock);
}

static void mark_broken(struct virtio *v)
{
    atomic_store(&v->broken, true);
    pthread_mutex_lock(&v->lock);
    if (!(v->status & STATUS_NEEDS_RESET)) {
        v->status |= STATUS_NEEDS_RESET;
        if (v->status & STATUS_DRIVER_OK)
            raise(v, INT_CONFIG);
    }
    pthread_mutex_unlock(&v->lock);
}

void virtio_needs_reset(struct virtio *v, const char *why)
{
    if (!atomic_exchange(&v->complained, true))
        error_report("the guest's driver of %s made a mistake, the device waits for its reset: %s", v->class->name, why);
    mark_broken(v);
}

static void acknowledge(struct virtio *v, uint32_t what)
{
    pthread_mutex_lock(&v->lock);
    __atomic_fetch_and(v->isr, ~what, __ATOMIC_SEQ_CST);
    update_line(v); /* what came in since the driver read the status needs an edge of its own */
    pthread_mutex_unlock(&v->lock);
}

void virtio_share_isr(struct virtio *v, uint32_t *word)
{
    pthread_mutex_lock(&v->lock);
    *word = *v->isr;
    v->isr = word;
    pthread_mutex_unlock(&v->lock);
}

/* --- life ------------------------------------------------------------------------------------------------------------------------- */

static uint32_t get_status(struct virtio *v)
{
    pthread_mutex_lock(&v->lock);
    uint32_t s = v->status;
    pthread_mutex_unlock(&v->lock);
    return s;
}

static void add_status(struct virtio *v, uint32_t bits)
{
    pthread_mutex_lock(&v->lock);
    v->status |= bits;
    pthread_mutex_unlock(&v->lock);
}

static void reset(struct virtio *v)
{
    if (v->started)
        v->class->stop(v->dev);
    v->started = false;
    pthread_mutex_lock(&v->lock);
    v->status = 0;
    __atomic_store_n(v->isr, 0, __ATOMIC_SEQ_CST);
    update_line(v);
    pthread_mutex_unlock(&v->lock);
    atomic_store(&v->broken, false);
    v->driver_features = 0;
    v->device_features_sel = v->driver_features_sel = v->queue_sel = 0;
    for (unsigned i = 0; i < v->class->n_queues; i++) {
        struct virtqueue *q = &v->queue[i];
        virtqueue_close(q);
        q->ready = false;
        q->size = v->class->queue_size;
        q->desc_addr = q->driver_addr = q->device_addr = 0;
    }
}

static void start(struct virtio *v)
{
    for (unsigned i = 0; i < v->class->n_queues; i++) {
        const char *wrong = v->queue[i].ready ? virtqueue_open(&v->queue[i], v->driver_features) : NULL;
        if (wrong) {
            virtio_needs_reset(v, wrong);
            return;
        }
    }
    v->started = true; /* before the device's threads can ask for a reset */
    if (v->class->start(v->dev, v->driver_features) < 0) {
        v->started = false;
        mark_broken(v);
    }
}

static void write_status(struct virtio *v, uint32_t value)
{
    if (!value) {
        reset(v);
        return;
    }
    uint32_t old = get_status(v), new = value &STATUS_DRIVERS & ~old;
    if (new &STATUS_FEATURES_OK && (v->driver_features & ~v->device_features || !(v->driver_features >> VIRTIO_F_VERSION_1 & 1)))
        new &= ~STATUS_FEATURES_OK; /* the driver reads back whether its choice was accepted */
    if (new &STATUS_DRIVER_OK && !((old | new) & STATUS_FEATURES_OK))
        new &= ~STATUS_DRIVER_OK;
    add_status(v, new);
    if (new &STATUS_DRIVER_OK && !(old & STATUS_NEEDS_RESET))
        start(v);
}

/* --- registers -------------------------------------------------------------------------------------------------------------------- */

static struct virtqueue *selected(struct virtio *v)
{
    return v->queue_sel < v->class->n_queues ? &v->queue[v->queue_sel] : NULL;
}

static uint32_t read_config(struct virtio *v, uint32_t off, unsigned size)
{
    uint32_t value = 0;
    if (off < v->class->config_size && v->class->config_read)
        v->class->config_read(v->dev, off, &value, size <= v->class->config_size - off ? size : v->class->config_size - off);
    return value;
}

static uint64_t mmio_read(void *dev, uint32_t off, unsigned size)
{
    struct virtio *v = dev;
    const struct virtqueue *q = selected(v);
    uint32_t value = 0;
    if (off >= REG_CONFIG)
        return read_config(v, off - REG_CONFIG, size);
    if (size != 4) /* registers are 32 bits wide and read as such */
        return 0;
    switch (off) {
    case REG_MAGIC:
        return MAGIC;
    case REG_VERSION:
        return VERSION;
    case REG_DEVICE_ID:
        return v->class->device_id;
    case REG_VENDOR_ID:
        return VENDOR;
    case REG_DEVICE_FEATURES:
        return v->device_features_sel < 2 ? (uint32_t)(v->device_features >> 32 * v->device_features_sel) : 0;
    case REG_QUEUE_NUM_MAX:
        return q ? v->class->queue_size : 0;
    case REG_QUEUE_READY:
        return q ? q->ready : 0;
    case REG_STATUS:
        return get_status(v);
    case REG_SHM_LEN_LOW:
    case REG_SHM_LEN_HIGH:
    case REG_SHM_BASE_LOW:
    case REG_SHM_BASE_HIGH:
        return UINT32_MAX; /* there are no such regions */
    case REG_INTERRUPT_STATUS:
    case REG_CONFIG_GENERATION:
        pthread_mutex_lock(&v->lock);
        value = off == REG_INTERRUPT_STATUS ? __atomic_load_n(v->isr, __ATOMIC_SEQ_CST) : v->generation;
        pthread_mutex_unlock(&v->lock);
    }
    return value;
}

static void set_low(uint64_t *p, uint32_t value)
{
    *p = (*p & ~(uint64_t)UINT32_MAX) | value;
}
static void set_high(uint64_t *p, uint32_t value)
{
    *p = (*p & UINT32_MAX) | (uint64_t)value << 32;
}

/* Registers of the selected queue, which stand still once the queue is ready. */
static void write_queue(struct virtio *v, uint32_t off, uint32_t value)
{
    struct virtqueue *q = selected(v);
    if (!q || v->started)
        return;
    if (off == REG_QUEUE_READY) {
        q->ready = value & 1;
        return;
    }
    if (q->ready)
        return;
    switch (off) {
    case REG_QUEUE_NUM:
        q->size = value;
        break; /* checked at the start */
    case REG_QUEUE_DESC_LOW:
        set_low(&q->desc_addr, value);
        break;
    case REG_QUEUE_DESC_HIGH:
        set_high(&q->desc_addr, value);
        break;
    case REG_QUEUE_DRIVER_LOW:
        set_low(&q->driver_addr, value);
        break;
    case REG_QUEUE_DRIVER_HIGH:
        set_high(&q->driver_addr, value);
        break;
    case REG_QUEUE_DEVICE_LOW:
        set_low(&q->device_addr, value);
        break;
    case REG_QUEUE_DEVICE_HIGH:
        set_high(&q->device_addr, value);
        break;
    }
}

static void write_driver_features(struct virtio *v, uint32_t value)
{
    if (v->driver_features_sel > 1 || get_status(v) & STATUS_FEATURES_OK)
        return;
    if (v->driver_features_sel)
        set_high(&v->driver_features, value);
    else
        set_low(&v->driver_features, value);
}

static void mmio_write(void *dev, uint32_t off, unsigned size, uint64_t wide)
{
    struct virtio *v = dev;
    uint32_t value = (uint32_t)wide;
    if (off >= REG_CONFIG) {
        off -= REG_CONFIG;
        if (v->class->config_write && off < v->class->config_size && size <= v->class->config_size - off)
            v->class->config_write(v->dev, off, &value, size);
        return;
    }
    if (size != 4)
        return;
    switch (off) {
    case REG_QUEUE_NOTIFY:
        if (v->started && value < v->class->n_queues && v->queue[value].live && !atomic_load_explicit(&v->broken, memory_order_relaxed))
            v->class->notify(v->dev, value);
        break;
    case REG_INTERRUPT_ACK:
        acknowledge(v, value);
        break;
    case REG_STATUS:
        write_status(v, value);
        break;
    case REG_DEVICE_FEATURES_SEL:
        v->device_features_sel = value;
        break;
    case REG_DRIVER_FEATURES_SEL:
        v->driver_features_sel = value;
        break;
    case REG_DRIVER_FEATURES:
        write_driver_features(v, value);
        break;
    case REG_QUEUE_SEL:
        v->queue_sel = value;
        break;
    default:
        write_queue(v, off, value);
    }
}

static void mmio_reset(void *dev)
{
    reset(dev);
}

static int mmio_fdt(void *dev, struct fdt_ctx *ctx, uint64_t base)
{
    static const char compatible[] = "virtio,mmio";
    struct virtio *v = dev;
    dt_device_begin(ctx, "virtio_mmio", base, VIRTIO_MMIO_STRIDE);
    dt_strings(ctx, "compatible", compatible, sizeof(compatible));
    dt_spi(ctx, v->irq.spi, DT_IRQ_EDGE_RISING);
    dt_strings(ctx, "dma-coherent", "", 0);
    return dt_device_end(ctx);
}

const struct device_desc virtio_mmio_desc = {
    .name = "virtio-mmio",
    .size = VIRTIO_MMIO_STRIDE,
    .min_access = 1,
    .max_access = 4,
    .posted = DEVICE_POSTED(REG_QUEUE_NOTIFY),
    .read = mmio_read,
    .write = mmio_write,
    .reset = mmio_reset,
    .fdt = mmio_fdt,
};

/* --- a slot without a device: device id 0, which drivers pass over --- */

static uint64_t empty_read(void *dev UNUSED, uint32_t off, unsigned size)
{
    if (size != 4)
        return 0;
    return off == REG_MAGIC ? MAGIC : off == REG_VERSION ? VERSION : off == REG_VENDOR_ID ? VENDOR : 0;
}

static void empty_write(void *dev UNUSED, uint32_t off UNUSED, unsigned size UNUSED, uint64_t value UNUSED) {}

const struct device_desc virtio_mmio_empty_desc = {
    .name = "virtio-mmio (empty)",
    .size = VIRTIO_MMIO_STRIDE,
    .min_access = 1,
    .max_access = 4,
    .read = empty_read,
    .write = empty_write,
};

/* --- making one ------------------------------------------------------------------------------------------------------------------- */

struct virtqueue *virtio_queue(struct virtio *v, unsigned n)
{
    return n < v->class->n_queues && v->queue[n].live ? &v->queue[n] : NULL;
}

struct virtio *virtio_create(const struct virtio_class *class, void *dev, const struct guest_memory *mem, struct irq_line irq)
{
    struct virtio *v = calloc(1, sizeof(*v) + class->n_queues * sizeof(v->queue[0]));
    if (!v) {
        error_report("there is no memory for the device %s", class->name);
        return NULL;
    }
    v->class = class;
    v->dev = dev;
    v->mem = mem;
    v->irq = irq;
    v->isr = &v->own_isr;
    pthread_mutex_init(&v->lock, NULL);
    v->device_features = (class->features ? class->features(dev) : 0) | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_INDIRECT_DESC |
                         1ull << VIRTIO_F_EVENT_IDX;
    for (unsigned i = 0; i < class->n_queues; i++)
        v->queue[i].v = v;
    if (class->attach)
        class->attach(dev, v);
    reset(v);
    return v;
}

void virtio_destroy(struct virtio *v)
{
    if (!v)
        return;
    reset(v);
    v->class->destroy(v->dev);
    pthread_mutex_destroy(&v->lock);
    free(v);
}
