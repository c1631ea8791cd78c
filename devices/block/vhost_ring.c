/*
 * vhost_ring.c: the driver's side of a split virtqueue; see vhost_ring.h.
 *
 * Descriptor n is slot n's for good, so descriptors need no list of free ones. Order of memory accesses: what describes a request is seen
 * before avail.idx advances (release), what the device has stored before it advanced used.idx is seen after that index is read (acquire).
 * The questions "does the other side want to be told" have a full fence between the store of the own index and the load of the other's
 * wish, on both sides.
 *
 * With EVENT_IDX the device is told of an entry only when it has taken all before it, and it tells of one completion after each
 * vhost_ring_ask_call(). Without, it tells of all but between a completion and the next vhost_ring_ask_call().
 *
 * The device is trusted with the memory it has been given, but not to be without faults: an entry of the used ring that cannot be is an
 * error, never an index.
 */
#include <devices/block/vhost_ring.h>

_Static_assert(sizeof(struct vring_desc) == 16 && sizeof(struct vring_used_elem) == 8 && offsetof(struct vring_avail, ring) == 4 &&
                   offsetof(struct vring_used, ring) == 4,
               "virtio 1.2, 2.7.5 to 2.7.8");
_Static_assert((VHOST_RING_SIZE & (VHOST_RING_SIZE - 1)) == 0 && VHOST_RING_SIZE <= 32768, "virtio 1.2, 2.7");

static uint16_t *used_event(const struct vhost_ring *q)
{
    return &q->shared.avail->ring[q->shared.num];
}

static const uint16_t *avail_event(const struct vhost_ring *q)
{
    return (const uint16_t *)(const void *)&q->shared.used->ring[q->shared.num];
}

size_t vhost_ring_bytes(void)
{
    return vring_size(VHOST_RING_SIZE, VHOST_RING_ALIGN);
}

void vhost_ring_init(struct vhost_ring *q, void *mem, bool event_idx)
{
    memset(mem, 0, vhost_ring_bytes());
    *q = (struct vhost_ring){.event_idx = event_idx, .n_free = VHOST_RING_SIZE};
    vring_init(&q->shared, VHOST_RING_SIZE, mem, VHOST_RING_ALIGN);
    for (unsigned i = 0; i < VHOST_RING_SIZE; i++)
        q->free[i] = (uint16_t)(VHOST_RING_SIZE - 1 - i);
}

int vhost_ring_take(struct vhost_ring *q)
{
    return q->n_free ? q->free[--q->n_free] : -1;
}

void vhost_ring_put(struct vhost_ring *q, unsigned slot)
{
    q->free[q->n_free++] = (uint16_t)slot;
}

void vhost_ring_add(struct vhost_ring *q, unsigned slot, const struct vring_desc *table, unsigned n)
{
    q->shared.desc[slot] =
        (struct vring_desc){.addr = (uintptr_t)table, .len = n * (uint32_t)sizeof(*table), .flags = VRING_DESC_F_INDIRECT};
    q->shared.avail->ring[q->filled++ % VHOST_RING_SIZE] = (uint16_t)slot;
    q->with_device[slot] = true;
}

bool vhost_ring_publish(struct vhost_ring *q)
{
    uint16_t old = q->published, now = q->filled;
    if (old == now)
        return false;
    __atomic_store_n(&q->shared.avail->idx, now, __ATOMIC_RELEASE);
    q->published = now;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (q->event_idx)
        return vring_need_event(__atomic_load_n(avail_event(q), __ATOMIC_RELAXED), now, old);
    return !(__atomic_load_n(&q->shared.used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

int vhost_ring_next(struct vhost_ring *q, unsigned *slot)
{
    uint16_t idx = __atomic_load_n(&q->shared.used->idx, __ATOMIC_ACQUIRE);
    if (idx == q->last_used)
        return 0;
    if ((uint16_t)(idx - q->last_used) > VHOST_RING_SIZE)
        return -1;
    uint32_t id = __atomic_load_n(&q->shared.used->ring[q->last_used % VHOST_RING_SIZE].id, __ATOMIC_RELAXED);
    if (id >= VHOST_RING_SIZE || !q->with_device[id])
        return -1;
    q->last_used++;
    q->with_device[id] = false;
    if (!q->event_idx)
        __atomic_store_n(&q->shared.avail->flags, VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
    *slot = id;
    return 1;
}

bool vhost_ring_ask_call(struct vhost_ring *q)
{
    if (q->event_idx)
        __atomic_store_n(used_event(q), q->last_used, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&q->shared.avail->flags, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&q->shared.used->idx, __ATOMIC_ACQUIRE) == q->last_used;
}
