/*
 * queue.c: split virtqueues, the device's side (virtio 1.2, section 2.7).
 *
 * The driver may write to the rings and descriptors at any time, so everything is read once, into a local copy, and checked there. What the
 * checks guarantee to devices: all buffers of a chain lie in guest RAM, none is empty, readable ones come first, there are at most
 * VIRTIO_CHAIN_MAX of them with less than 4 GiB in all, and at most as many chains are in flight as the ring has entries. A ring that
 * breaks a rule is not touched again until reset.
 *
 * Order of memory accesses: the driver's writes before it advances avail.idx are seen after that index is read (acquire); what the device
 * stores is seen before used.idx advances (release). The two questions "does the other side want to be told" need a full fence on both
 * sides, between the store of the own index and the read of the other's wish: guest_fence() is ours and the driver's in one.
 */
#include <devices/virtio/fence.h>
#include <devices/virtio/virtio_impl.h>
#include <string.h>

#define DESC_SIZE       16u
#define DESC_F_NEXT     1u
#define DESC_F_WRITE    2u
#define DESC_F_INDIRECT 4u

#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u

#define UNSURE_MAX 1024u /* requests pushed without having looked for sure whether an interrupt is wanted */

#define AVAIL_RING 4u
#define USED_RING  4u
#define USED_ELEM  8u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct desc) == DESC_SIZE, "as in the ring");

/* --- accesses to the rings: naturally aligned, checked when the queue was opened ------------------------------------------- */

static uint16_t load16(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_RELAXED);
}
static uint16_t load16_acquire(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}
static void store16(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELAXED);
}
static void store16_release(uint8_t *p, uint16_t v)
{
    __atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}
static void store32(uint8_t *p, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)p, v, __ATOMIC_RELAXED);
}

/* A private copy that the compiler cannot read from guest memory a second time. */
static struct desc load_desc(const uint8_t *table, uint32_t i)
{
    struct desc d;
    memcpy(&d, table + (size_t)i * DESC_SIZE, DESC_SIZE);
    __asm__ volatile("" : "+m"(d));
    return d;
}

static const uint8_t *avail_idx(const struct virtqueue *q)
{
    return q->avail + 2;
}
static const uint8_t *used_event(const struct virtqueue *q)
{
    return q->avail + AVAIL_RING + 2 * q->size;
}
static uint8_t *avail_event(const struct virtqueue *q)
{
    return q->used + USED_RING + USED_ELEM * q->size;
}

static void ring_written(const struct virtqueue *q, const uint8_t *p, uint64_t len)
{
    guest_memory_written(q->v->mem, p, len);
}

/* --- life ---------------------------------------------------------------------------------------------------------------------- */

const char *virtqueue_open(struct virtqueue *q, uint64_t features)
{
    const struct guest_memory *m = q->v->mem;
    if (!q->size || q->size > q->v->class->queue_size || q->size & (q->size - 1))
        return "a queue's size is not a power of two up to its maximum";
    if (q->desc_addr & 15 || q->driver_addr & 1 || q->device_addr & 3)
        return "a queue's rings are not aligned";
    q->event_idx = features >> VIRTIO_F_EVENT_IDX & 1;
    q->indirect = features >> VIRTIO_F_INDIRECT_DESC & 1;
    uint32_t event = q->event_idx ? 2 : 0;
    q->desc = guest_memory_range(m, q->desc_addr, (uint64_t)q->size * DESC_SIZE);
    q->avail = guest_memory_range(m, q->driver_addr, AVAIL_RING + 2ull * q->size + event);
    q->used = guest_memory_range(m, q->device_addr, USED_RING + (uint64_t)USED_ELEM * q->size + event);
    if (!q->desc || !q->avail || !q->used)
        return "a queue's rings lie outside memory";
    q->last_avail = q->used_idx = q->published = q->signalled = q->in_flight = 0;
    q->notify_on = true;
    q->live = true;
    return NULL;
}

void virtqueue_close(struct virtqueue *q)
{
    q->live = false;
    q->desc = q->avail = NULL;
    q->used = NULL;
}

/* --- taking requests ------------------------------------------------------------------------------------------------------------ */

static int fail(struct virtqueue *q, const char *why)
{
    virtio_needs_reset(q->v, why);
    return -1;
}

/* NULL, or what is wrong with the buffer. */
static const char *add_buffer(const struct virtqueue *q, struct virtio_chain *c, const struct desc *d)
{
    unsigned n = c->n_out + c->n_in;
    if (n == VIRTIO_CHAIN_MAX)
        return "a descriptor chain has too many buffers";
    if (!d->len)
        return "a descriptor chain has an empty buffer";
    void *p = guest_memory_range(q->v->mem, d->addr, d->len);
    if (!p)
        return "a buffer lies outside memory";
    if (c->out_len + c->in_len + d->len > UINT32_MAX)
        return "a descriptor chain has 4 GiB or more";
    if (d->flags & DESC_F_WRITE) {
        c->n_in++;
        c->in_len += d->len;
    } else if (c->n_in) {
        return "a readable buffer follows a writable one";
    } else {
        c->n_out++;
        c->out_len += d->len;
    }
    c->out[n] = (struct iovec){p, d->len};
    return NULL;
}

/* Follow a chain through `table` of `size` descriptors; the one that names an indirect table ends the walk through this table. */
static const char *walk(const struct virtqueue *q, struct virtio_chain *c, const uint8_t *table, uint32_t size, uint32_t at, bool inside)
{
    for (uint32_t steps = 0;; steps++) {
        if (at >= size)
            return "a descriptor's number is outside its table";
        if (steps == size)
            return "a descriptor chain goes round in circles";
        struct desc d = load_desc(table, at);
        if (d.flags & DESC_F_INDIRECT) {
            if (inside || !q->indirect)
                return inside ? "an indirect descriptor is inside an indirect table"
                              : "an indirect descriptor was used without having been negotiated";
            if (d.flags & DESC_F_NEXT)
                return "a descriptor is indirect and has a next one";
            const uint8_t *inner = guest_memory_range(q->v->mem, d.addr, d.len);
            if (!inner || d.len % DESC_SIZE)
                return inner ? "an indirect table's length is not a multiple of a descriptor's" : "an indirect table lies outside memory";
            return walk(q, c, inner, d.len / DESC_SIZE, 0, true);
        }
        const char *wrong = add_buffer(q, c, &d);
        if (wrong || !(d.flags & DESC_F_NEXT))
            return wrong;
        at = d.next;
    }
}

/* Entries in the avail ring, or -1. */
static int available(struct virtqueue *q)
{
    uint16_t n = (uint16_t)(load16_acquire(avail_idx(q)) - q->last_avail);
    if (n > q->size)
        return fail(q, "the available index is further ahead than the ring is long");
    return n;
}

/* Say from which request on notifications are wanted; then the ring must be looked at again. */
static void ask_for_notify(struct virtqueue *q)
{
    if (q->event_idx) {
        store16(avail_event(q), q->last_avail);
        ring_written(q, avail_event(q), 2);
    } else {
        store16(q->used, 0);
        ring_written(q, q->used, 2);
    }
    guest_fence();
}

int virtqueue_pop(struct virtqueue *q, struct virtio_chain *c)
{
    if (atomic_load_explicit(&q->v->broken, memory_order_relaxed))
        return -1;
    int n = available(q);
    if (!n && q->notify_on && q->event_idx) {
        /* avail_event stands where it was; without moving it the driver would be silent from here on */
        ask_for_notify(q);
        n = available(q);
    }
    if (n <= 0)
        return n;
    if (q->in_flight == q->size)
        return fail(q, "there are more requests than the ring has entries");
    uint16_t head = load16(q->avail + AVAIL_RING + 2 * (q->last_avail & (q->size - 1)));
    c->head = head;
    c->n_out = c->n_in = 0;
    c->out_len = c->in_len = 0;
    const char *wrong = walk(q, c, q->desc, q->size, head, false);
    if (wrong)
        return fail(q, wrong);
    q->last_avail++;
    q->in_flight++;
    return 1;
}

void virtqueue_unpop(struct virtqueue *q, const struct virtio_chain *c UNUSED)
{
    q->last_avail--;
    q->in_flight--;
}

/* With EVENT_IDX: is the entry after which the driver wants to be told among those pushed since it was last considered? */
static bool wants_interrupt(const struct virtqueue *q)
{
    uint16_t old = q->signalled, now = q->published;
    return q->event_idx ? (uint16_t)(now - load16(used_event(q)) - 1) < (uint16_t)(now - old) : !(load16(q->avail) & AVAIL_F_NO_INTERRUPT);
}

static void interrupt(struct virtqueue *q)
{
    q->signalled = q->published;
    virtio_interrupt(q->v);
}

/* Behind a guest_fence(): a "no" of wants_interrupt() is final. */
static void signal_for_sure(struct virtqueue *q)
{
    if (q->signalled != q->published && wants_interrupt(q))
        interrupt(q);
    q->signalled = q->published;
}

bool virtqueue_want_notify(struct virtqueue *q, bool on)
{
    q->notify_on = on;
    if (on) {
        ask_for_notify(q);
        signal_for_sure(q);
        return load16_acquire(avail_idx(q)) != q->last_avail;
    }
    if (q->event_idx) { /* an entry long past: the driver is silent until its index has gone all the way round, or avail_event is moved */
        store16(avail_event(q), (uint16_t)(q->last_avail - 1));
        ring_written(q, avail_event(q), 2);
    } else {
        store16(q->used, USED_F_NO_NOTIFY);
        ring_written(q, q->used, 2);
    }
    return false;
}

/* --- giving them back ------------------------------------------------------------------------------------------------------------ */

void virtqueue_fill(struct virtqueue *q, struct virtio_chain *c, uint32_t written)
{
    const struct iovec *in = virtio_chain_in(c);
    if (written > c->in_len)
        written = (uint32_t)c->in_len;
    uint32_t left = written;
    for (unsigned i = 0; i < c->n_in && left; i++) {
        uint32_t n = in[i].iov_len < left ? (uint32_t)in[i].iov_len : left;
        guest_memory_written(q->v->mem, in[i].iov_base, n);
        left -= n;
    }
    uint8_t *e = q->used + USED_RING + USED_ELEM * (q->used_idx & (q->size - 1));
    store32(e, c->head);
    store32(e + 4, written);
    ring_written(q, e, USED_ELEM);
    q->used_idx++;
    q->in_flight--;
}

void virtqueue_publish(struct virtqueue *q)
{
    q->published = q->used_idx;
    store16_release(q->used + 2, q->used_idx);
    ring_written(q, q->used + 2, 2);
}

void virtqueue_push(struct virtqueue *q, struct virtio_chain *c, uint32_t written)
{
    virtqueue_fill(q, c, written);
    virtqueue_publish(q);
}

void virtqueue_signal_early(struct virtqueue *q)
{
    if (q->signalled == q->published)
        return;
    if (wants_interrupt(q))
        interrupt(q);
    else if ((uint16_t)(q->published - q->signalled) >= UNSURE_MAX)
        virtqueue_signal(q);
}

void virtqueue_signal(struct virtqueue *q)
{
    if (q->signalled == q->published)
        return;
    if (wants_interrupt(q)) {
        interrupt(q);
    } else {
        guest_fence();
        signal_for_sure(q);
    }
}
