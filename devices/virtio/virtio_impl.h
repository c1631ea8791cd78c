/*
 * virtio_impl.h: what the transport (mmio.c) and the rings (queue.c) share; devices see virtio.h.
 */
#ifndef DEVICES_VIRTIO_VIRTIO_IMPL_H
#define DEVICES_VIRTIO_VIRTIO_IMPL_H

#include <devices/virtio/virtio.h>
#include <pthread.h>
#include <stdatomic.h>

struct virtqueue {
    struct virtio *v;

    /* as the driver sets them; constant while the queue is live */
    bool ready;
    uint32_t size;                                /* entries */
    uint64_t desc_addr, driver_addr, device_addr; /* guest physical */

    /* between start and stop, of the thread that uses the queue */
    bool live, event_idx, indirect;
    const uint8_t *desc; /* descriptor table, avail and used ring in host memory: checked in whole when the queue went live */
    const uint8_t *avail;
    uint8_t *used;
    uint16_t last_avail; /* next entry of the avail ring to take */
    uint16_t used_idx;   /* as published, but between fill and publish */
    uint16_t published;  /* used_idx as the driver sees it */
    uint16_t signalled;  /* published when the driver was last considered for an interrupt */
    uint16_t in_flight;  /* popped, not pushed; never more than size */
    bool notify_on;
};

struct virtio {
    const struct virtio_class *class;
    void *dev;
    const struct guest_memory *mem;
    struct irq_line irq;

    pthread_mutex_t lock; /* status, isr, generation, the line; never held over a callback of the device */
    uint32_t status, generation;
    uint32_t *isr; /* own_isr, or a word that the translator reads and clears bits of without the lock */
    uint32_t own_isr;

    /* of the thread that serves register accesses */
    uint64_t device_features, driver_features;
    uint32_t device_features_sel, driver_features_sel, queue_sel;
    bool started;

    atomic_bool broken; /* needs reset: the rings are not looked at any more */
    atomic_bool complained;
    struct virtqueue queue[]; /* class->n_queues */
};

/* Find the queue's rings in guest memory. NULL, or what is wrong with them. */
const char *virtqueue_open(struct virtqueue *q, uint64_t features);
void virtqueue_close(struct virtqueue *q);

/* A used-buffer notification. Any thread. */
void virtio_interrupt(struct virtio *v);

#endif
