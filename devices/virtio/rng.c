/*
 * rng.c: virtio entropy source (virtio 1.2, section 5.4): buffers are filled with the host's getrandom().
 *
 * It never blocks once the host has booted, so requests are served where they are noticed.
 */
#include <devices/board.h>
#include <hypervisor/error.h>
#include <stdlib.h>
#include <sys/random.h>

#define REQUEST_MAX 65536u /* bytes given for one request; a driver asks again for more */

struct virtio_rng {
    struct virtio *v;
    struct virtio_chain chain;
};

static uint32_t fill(const struct iovec *iov, unsigned n)
{
    uint32_t done = 0;
    for (unsigned i = 0; i < n && done < REQUEST_MAX; i++) {
        size_t want = iov[i].iov_len < REQUEST_MAX - done ? iov[i].iov_len : REQUEST_MAX - done;
        for (size_t at = 0; at < want;) {
            ssize_t got = getrandom((uint8_t *)iov[i].iov_base + at, want - at, 0);
            if (got < 0) /* EINTR: what there is will do */
                return done;
            at += (size_t)got;
            done += (uint32_t)got;
        }
    }
    return done;
}

static void rng_notify(void *dev, unsigned queue)
{
    struct virtio_rng *r = dev;
    struct virtqueue *q = virtio_queue(r->v, queue);
    while (virtqueue_pop(q, &r->chain) > 0)
        virtqueue_push(q, &r->chain, fill(virtio_chain_in(&r->chain), r->chain.n_in));
    virtqueue_signal(q);
}

static void rng_attach(void *dev, struct virtio *v)
{
    struct virtio_rng *r = dev;
    r->v = v;
}

static int rng_start(void *dev UNUSED, uint64_t features UNUSED)
{
    return 0;
}
static void rng_stop(void *dev UNUSED) {}

static const struct virtio_class rng_class = {
    .name = "virtio-rng-device",
    .device_id = 4,
    .n_queues = 1,
    .queue_size = 8,
    .attach = rng_attach,
    .start = rng_start,
    .notify = rng_notify,
    .stop = rng_stop,
    .destroy = free,
};

static int rng_device(struct board *b, const struct board_item *it)
{
    struct virtio_rng *r = calloc(1, sizeof(*r));
    if (!r) {
        error_report("there is no memory for the device %s", rng_class.name);
        return -1;
    }
    return board_add_virtio(b, it, &rng_class, r) ? 0 : -1;
}

const struct device_kind virtio_rng_kind = {
    .option = "device",
    .name = "virtio-rng-device",
    .help = "random numbers from the host",
    .device = rng_device,
};
