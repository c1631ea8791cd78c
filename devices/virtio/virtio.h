/*
 * virtio.h: what a virtio device (block, network, ...) and the transport say to each other (virtio 1.2, sections 2 and 4.2).
 *
 * The transport (mmio.c) owns registers, feature negotiation, status and queues; a device is a `struct virtio_class` and a pointer of its own.
 * Life: create; then any number of times start (the driver has set DRIVER_OK), notify..., stop (reset by the driver, machine reset, machine end).
 * Between stop's return and the next start no thread of the device touches queues or guest memory.
 *
 * Threads: start, stop, notify and the config callbacks are called with no lock of the transport's held, by the vCPU thread or by the thread that serves
 * posted writes, never two at once for one device. notify must not block for long: devices hand the work to a thread or an event loop of their own. A queue is
 * used by one thread at a time, which is the device's business.
 *
 * Descriptor chains are hostile: virtqueue_pop() checks all of them (loops, length, range, order of readable and writable parts) and, when one is wrong,
 * marks the device as needing reset (DEVICE_NEEDS_RESET, configuration-change interrupt) and returns -1; the device then leaves the queue alone until stop.
 */
#ifndef DEVICES_VIRTIO_VIRTIO_H
#define DEVICES_VIRTIO_VIRTIO_H

#include <devices/guest_memory.h>
#include <devices/irq.h>
#include <sys/uio.h>

#define VIRTIO_QUEUE_SIZE_MAX 1024u
#define VIRTIO_CHAIN_MAX      1024u /* buffers in one chain, indirect ones included */

#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX     29
#define VIRTIO_F_VERSION_1     32

struct virtio; /* the transport's side of one device */
struct virtqueue;
struct device_desc;

struct virtio_class {
    const char *name; /* as in -device: "virtio-net-device" */
    uint32_t device_id; /* virtio 1.2, section 5 */
    unsigned n_queues;
    uint16_t queue_size; /* QueueNumMax: a power of two up to VIRTIO_QUEUE_SIZE_MAX */
    uint32_t config_size; /* bytes of device-specific configuration space */
    uint64_t (*features)(void *dev); /* the device's own; the transport adds its ring features; may be NULL */
    void (*attach)(void *dev, struct virtio *v); /* once, from virtio_create(): its transport; may be NULL */
    void (*config_read)(void *dev, uint32_t off, void *buf, uint32_t len); /* inside config_size */
    void (*config_write)(void *dev, uint32_t off, const void *buf, uint32_t len); /* may be NULL: read-only */
    int (*start)(void *dev, uint64_t features); /* 0, or -1: the device needs reset (said why already), stop is not called */
    void (*notify)(void *dev, unsigned queue);
    void (*stop)(void *dev);
    void (*destroy)(void *dev); /* after stop; frees dev */
};

/* Buffers of one request. out: to be read by the device; in: to be written. The iovecs point into guest RAM. */
struct virtio_chain {
    uint16_t head;
    unsigned n_out, n_in;
    uint64_t out_len, in_len; /* bytes */
    struct iovec out[VIRTIO_CHAIN_MAX]; /* in_first() follows: see virtio_chain_in() */
};

/* The writable part lies behind the readable one in the same array. */
static inline struct iovec *virtio_chain_in(struct virtio_chain *c) { return c->out + c->n_out; }

/* The device's queue n, valid between start and stop; NULL when the driver has not set it up. */
struct virtqueue *virtio_queue(struct virtio *v, unsigned n);

/* 1: *c holds the next request. 0: none. -1: the ring is broken, the device needs reset. Never more than the ring has entries are popped and not pushed. */
int virtqueue_pop(struct virtqueue *q, struct virtio_chain *c);
/* Give a request back; `written` bytes of its writable part were stored. Tells the translator, publishes, does not interrupt. */
void virtqueue_push(struct virtqueue *q, struct virtio_chain *c, uint32_t written);
/*
 * The same in two steps, for requests that the driver must come to see all at once (the buffers of one received packet): fill each, in order, then publish.
 * In between only fill and pop.
 */
void virtqueue_fill(struct virtqueue *q, struct virtio_chain *c, uint32_t written);
void virtqueue_publish(struct virtqueue *q);
/* Interrupt the guest about pushed requests, if it wants to know (EVENT_IDX, NO_INTERRUPT). */
void virtqueue_signal(struct virtqueue *q);
/* The same for one who calls virtqueue_want_notify(q, true) before long, at the latest before going to sleep: without the fence (see fence.h), so a
 * wish that the driver has just expressed may be overlooked until then. */
void virtqueue_signal_early(struct virtqueue *q);
/* Ask for (true) or do without (false) notifications of new requests. true: returns whether requests came in meanwhile: pop again. */
bool virtqueue_want_notify(struct virtqueue *q, bool on);
/* Put back the request popped last, not pushed yet (network: a packet that did not fit). */
void virtqueue_unpop(struct virtqueue *q, const struct virtio_chain *c);

/* Configuration space has changed: interrupt. Any thread. */
void virtio_config_changed(struct virtio *v);
/* The driver did something that the device cannot go on from: DEVICE_NEEDS_RESET. `why` goes to stderr once. Any thread. */
void virtio_needs_reset(struct virtio *v, const char *why);

/*
 * Copying between a buffer and part of a chain's iovecs, from byte `off` on; return bytes copied (less than len at the end of the iovecs).
 */
size_t virtio_iov_read(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len);
size_t virtio_iov_write(const struct iovec *iov, unsigned n, size_t off, const void *buf, size_t len);

/* NULL after a message. mem must outlive the device. With this the caller attaches virtio_mmio_desc to the bus. */
struct virtio *virtio_create(const struct virtio_class *class, void *dev, const struct guest_memory *mem, struct irq_line irq);
/* Keep the interrupt status in *word, which the translator serves the driver from (struct irq_status of armlet/abi.h); the device is stopped. */
void virtio_share_isr(struct virtio *v, uint32_t *word);
/* Stops and destroys the device too. */
void virtio_destroy(struct virtio *v);

extern const struct device_desc virtio_mmio_desc;
extern const struct device_desc virtio_mmio_empty_desc; /* a slot without a device; dev is NULL */

#define VIRTIO_MMIO_BASE   0x0a000000u
#define VIRTIO_MMIO_STRIDE 0x200u
#define VIRTIO_MMIO_SPI    16u
#define VIRTIO_MMIO_SLOTS  32u
#define VIRTIO_MMIO_ISR    0x60u /* offset of InterruptStatus; InterruptACK follows */

#endif
