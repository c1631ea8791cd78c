/*
 * vhost_ring.h: the driver's side of a split virtqueue (virtio 1.2, section 2.7) in memory that another process, the device, has mapped
 * too.
 *
 * Each request takes one slot: a descriptor that names an indirect table, which is the caller's, in the shared memory too. One thread.
 */
#ifndef DEVICES_BLOCK_VHOST_RING_H
#define DEVICES_BLOCK_VHOST_RING_H

#include <armlet/base.h>
#include <linux/virtio_ring.h>

#define VHOST_RING_SIZE  256u /* slots; a power of two */
#define VHOST_RING_ALIGN 64u

struct vhost_ring {
    struct vring shared;
    bool event_idx;             /* VIRTIO_RING_F_EVENT_IDX was negotiated */
    uint16_t filled, published; /* avail entries: written; shown to the device */
    uint16_t last_used;         /* used entries taken */
    unsigned n_free;            /* slots; the one given back last is taken first */
    uint16_t free[VHOST_RING_SIZE];
    bool with_device[VHOST_RING_SIZE]; /* added, not yet come back */
};

/* Bytes of shared memory that a ring needs. */
size_t vhost_ring_bytes(void);

/* An empty ring in mem, aligned to VHOST_RING_ALIGN; the device does not look at it yet. */
void vhost_ring_init(struct vhost_ring *q, void *mem, bool event_idx);

/* A free slot, or -1. */
int vhost_ring_take(struct vhost_ring *q);
void vhost_ring_put(struct vhost_ring *q, unsigned slot);

/* Put the request of `n` descriptors at `table` into the ring; the device sees it from the next publish on. */
void vhost_ring_add(struct vhost_ring *q, unsigned slot, const struct vring_desc *table, unsigned n);

/* Show the device what has been added. True: it wants to be told. */
bool vhost_ring_publish(struct vhost_ring *q);

/* The next request that the device is through with. 1: *slot, still to be put back; 0: none; -1: the device broke the rules, and the ring
 * is not to be used any more. */
int vhost_ring_next(struct vhost_ring *q, unsigned *slot);

/* Have the device tell when it is through with something. False: it is already. */
bool vhost_ring_ask_call(struct vhost_ring *q);

#endif
