/*
 * balloon.c: virtio memory balloon (virtio 1.2, section 5.5), with free page reporting; see balloon.h.
 *
 * Pages that the guest gives up are freed on the host at once and read as zeroes when the guest touches them again. Both kinds of guest RAM
 * can do that: a shared mapping of a memfd gives pages back with MADV_REMOVE (all mappings of the file lose them), anonymous memory with
 * MADV_DONTNEED. What is freed has changed: the translator is told, as of any other write by a device.
 */
#include <devices/board.h>
#include <devices/virtio/balloon.h>
#include <hypervisor/error.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define F_DEFLATE_ON_OOM 2
#define F_REPORTING      5

#define PAGE          4096u
#define PFN_BATCH     256u
#define QUEUE_INFLATE 0u
#define QUEUE_DEFLATE 1u
#define QUEUE_REPORT  2u /* drivers number the queues of the features they have negotiated, without gaps */

struct config {
    uint32_t num_pages, actual;
};

struct virtio_balloon {
    struct virtio *v;
    const struct guest_memory *mem;
    bool reporting, deflate_on_oom;
    atomic_uint num_pages, actual; /* pages of the balloon: wanted, there */
    struct virtio_chain chain;
};

/* Free a range of whole pages of guest RAM. */
static void give_back(struct virtio_balloon *b, void *p, uint64_t len)
{
    if (madvise(p, len, MADV_REMOVE) < 0 && madvise(p, len, MADV_DONTNEED) < 0)
        return; /* memory that the host does not take back stays as it is, which is right too */
    guest_memory_written(b->mem, p, len);
}

/* The page numbers of a request, neighbours together. */
static void inflate(struct virtio_balloon *b)
{
    uint32_t pfn[PFN_BATCH];
    uint8_t *run = NULL;
    uint64_t run_len = 0;
    size_t got;
    for (size_t off = 0; (got = virtio_iov_read(b->chain.out, b->chain.n_out, off, pfn, sizeof(pfn)) / sizeof(pfn[0])) > 0;
         off += got * sizeof(pfn[0])) {
        for (size_t i = 0; i < got; i++) {
            uint8_t *p = guest_memory_range(b->mem, (uint64_t)pfn[i] * PAGE, PAGE);
            if (!p) /* a number that is no RAM: nothing to give back */
                continue;
            if (run && p == run + run_len) {
                run_len += PAGE;
            } else if (run && p == run - PAGE) { /* Linux hands pages out from the top */
                run = p;
                run_len += PAGE;
            } else {
                if (run)
                    give_back(b, run, run_len);
                run = p;
                run_len = PAGE;
            }
        }
    }
    if (run)
        give_back(b, run, run_len);
}

/* Ranges that are free at the moment. */
static void report(struct virtio_balloon *b)
{
    const struct iovec *in = virtio_chain_in(&b->chain);
    for (unsigned i = 0; i < b->chain.n_in; i++) {
        uintptr_t first = ALIGN_UP((uintptr_t)in[i].iov_base, (uintptr_t)PAGE),
                  end = ((uintptr_t)in[i].iov_base + in[i].iov_len) & ~(uintptr_t)(PAGE - 1);
        if (first < end)
            give_back(b, (void *)first, end - first);
    }
}

static void balloon_notify(void *dev, unsigned queue)
{
    struct virtio_balloon *b = dev;
    struct virtqueue *q = virtio_queue(b->v, queue);
    while (virtqueue_pop(q, &b->chain) > 0) {
        if (queue == QUEUE_INFLATE)
            inflate(b);
        else if (queue == QUEUE_REPORT)
            report(b);
        /* deflated pages come back by being touched */
        virtqueue_push(q, &b->chain, 0);
    }
    virtqueue_signal(q);
}

static uint64_t balloon_features(void *dev)
{
    const struct virtio_balloon *b = dev;
    return (b->deflate_on_oom ? 1u << F_DEFLATE_ON_OOM : 0) | (b->reporting ? 1u << F_REPORTING : 0);
}

static void balloon_attach(void *dev, struct virtio *v)
{
    struct virtio_balloon *b = dev;
    b->v = v;
}

static void balloon_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    struct virtio_balloon *b = dev;
    const struct config c = {atomic_load(&b->num_pages), atomic_load(&b->actual)};
    memcpy(buf, (const uint8_t *)&c + off, len);
}

static void balloon_config_write(void *dev, uint32_t off, const void *buf, uint32_t len)
{
    struct virtio_balloon *b = dev;
    uint32_t actual;
    if (off != offsetof(struct config, actual) || len != sizeof(actual))
        return;
    memcpy(&actual, buf, sizeof(actual));
    atomic_store(&b->actual, actual);
}

static int balloon_start(void *dev UNUSED, uint64_t features UNUSED)
{
    return 0;
}

static void balloon_stop(void *dev)
{
    struct virtio_balloon *b = dev;
    atomic_store(&b->actual, 0); /* the driver that comes next has all of the memory */
}

static const struct virtio_class balloon_class = {
    .name = "virtio-balloon-device",
    .device_id = 5,
    .n_queues = 3,
    .queue_size = 128,
    .config_size = sizeof(struct config),
    .features = balloon_features,
    .attach = balloon_attach,
    .config_read = balloon_config_read,
    .config_write = balloon_config_write,
    .start = balloon_start,
    .notify = balloon_notify,
    .stop = balloon_stop,
    .destroy = free,
};

void virtio_balloon_set(struct virtio_balloon *b, uint64_t bytes)
{
    uint64_t keep = bytes < b->mem->size ? bytes : b->mem->size;
    atomic_store(&b->num_pages, (uint32_t)((b->mem->size - keep) / PAGE));
    virtio_config_changed(b->v);
}

uint64_t virtio_balloon_get(const struct virtio_balloon *b)
{
    uint64_t taken = (uint64_t)atomic_load(&b->actual) * PAGE;
    return taken < b->mem->size ? b->mem->size - taken : 0; /* the number is the driver's */
}

static int balloon_device(struct board *board, const struct board_item *it)
{
    if (board->balloon) {
        error_report("%s: there is one already", it->what);
        return -1;
    }
    struct virtio_balloon *b = calloc(1, sizeof(*b));
    if (!b) {
        error_report("there is no memory for the device %s", balloon_class.name);
        return -1;
    }
    b->mem = board->mem;
    b->reporting = keyval_bool(&it->kv, "free-page-reporting", false);
    b->deflate_on_oom = keyval_bool(&it->kv, "deflate-on-oom", false);
    if (!board_add_virtio(board, it, &balloon_class, b))
        return -1;
    board->balloon = b;
    return 0;
}

static const struct key_desc keys[] = {
    {"free-page-reporting", KEY_BOOL, 0, "the guest reports free memory by itself [off]", NULL, 0, 0},
    {"deflate-on-oom", KEY_BOOL, 0, "the guest may take memory back when it has none left [off]", NULL, 0, 0},
    {0},
};

const struct device_kind virtio_balloon_kind = {
    .option = "device",
    .name = "virtio-balloon-device",
    .help = "takes memory back from the guest; the monitor's balloon command says how much it keeps",
    .keys = keys,
    .device = balloon_device,
};
