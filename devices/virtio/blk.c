/*
 * blk.c: virtio block device (virtio 1.2, section 5.2): requests of one queue turned into requests to a disk image.
 *
 * Between start and stop a thread of the device's own takes requests from the ring, hands them to the image (devices/block) and gives them
 * back; up to a ring full are under way. The vCPU's part in it is a wake-up, when the thread sleeps: while it works it asks for no
 * notifications, and it looks at the ring for a little while longer before it goes to sleep, if that has paid lately and no other process
 * is at work for it. Requests given back in one round make one interrupt. stop waits for what is under way.
 *
 * Reads and writes go straight between guest memory and the image; whatever else a request says (header, segments to discard) is read once,
 * into a copy.
 *
 * Durability: with the write cache off (the guest's choice, or cache=writethrough) every write is on the disk before it is given back; with
 * it on, a FLUSH covers what was given back before it was made.
 */
#include <devices/block/block.h>
#include <devices/virtio/blk.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define QUEUE_SIZE        256u
#define SEG_MAX           (QUEUE_SIZE - 2) /* data segments of a request, beside header and status */
#define RANGES_MAX        16u              /* segments of a DISCARD or WRITE_ZEROES */
#define RANGE_SECTORS_MAX (1u << 21)       /* each: 1 GiB */
#define PHYSICAL_EXP      3                /* 4 KiB, what host file systems and page cache work in */

#define SPIN_MAX_NS 60000 /* how long to look at an empty ring before sleeping, at most */
#define SPIN_MIN_NS 4000

struct range {
    uint64_t sector;
    uint32_t n_sectors, flags;
};
_Static_assert(sizeof(struct range) == sizeof(struct virtio_blk_discard_write_zeroes), "as in the request");

struct request {
    struct block_request io;
    struct virtio_blk *blk;
    struct request *next_free;
    uint8_t *status;       /* in guest memory */
    struct iovec *trimmed; /* last data buffer, which has the status behind it; NULL: it has none */
    unsigned n_ranges, at_range;
    struct range range[RANGES_MAX];
    struct virtio_chain chain; /* last: its list is long and hardly used */
};

struct virtio_blk {
    struct virtio *virtio;
    struct virtio_blk_options opt;
    const struct guest_memory *mem;
    struct block *block;
    uint64_t sectors;
    atomic_bool write_cache;
    bool wce_by_guest; /* CONFIG_WCE was negotiated */

    /* between start and stop */
    pthread_t thread;
    struct aio *aio;
    struct virtqueue *queue;
    atomic_bool stopping;

    /* of the thread */
    struct request *requests, *free;
    unsigned under_way;
    bool given_back;     /* since the last interrupt */
    bool broken;         /* the ring is not to be used any more */
    int64_t spin_ns;     /* adapted */
    unsigned complained; /* bit per kind of failure */
};

/* --- ends of requests -------------------------------------------------------------------------------------------------- */

static void give_back(struct request *q, uint8_t status)
{
    struct virtio_blk *b = q->blk;
    *q->status = status;
    if (q->trimmed)
        q->trimmed->iov_len++;
    virtqueue_push(b->queue, &q->chain, (uint32_t)q->chain.in_len);
    b->given_back = true;
    q->next_free = b->free;
    b->free = q;
}

/* Once for each drive and kind of failure: a guest may try again for ever. */
static void complain(struct virtio_blk *b, const struct block_request *r, int err)
{
    static const char *const what[] = {"read", "write", "flush", "discard", "write of zeroes"};
    bool full = err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
    unsigned bit = 1u << (full ? 0 : 1 + r->kind);
    if (b->complained & bit)
        return;
    b->complained |= bit;
    if (full)
        error_report("drive '%s': no room for what the guest writes (%s); it gets I/O errors until there is", b->opt.name, strerror(-err));
    else
        error_report("drive '%s': a %s failed (%s); the guest gets an I/O error", b->opt.name, what[r->kind], strerror(-err));
}

static bool submit_range(struct request *q);

static void io_done(struct block_request *r, int err)
{
    struct request *q = container_of(r, struct request, io);
    if (!err && q->at_range < q->n_ranges && submit_range(q))
        return;
    q->blk->under_way--;
    if (err && err != -EOPNOTSUPP)
        complain(q->blk, r, err);
    give_back(q, !err ? VIRTIO_BLK_S_OK : err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR);
}

/* --- beginnings -------------------------------------------------------------------------------------------------------- */

static void submit(struct request *q, enum block_kind kind)
{
    q->io.kind = kind;
    q->io.fua = !atomic_load_explicit(&q->blk->write_cache, memory_order_relaxed);
    q->io.done = io_done;
    block_submit(q->blk->block, &q->io);
}

/* The next segment of a DISCARD or WRITE_ZEROES that is not empty; false: there is none. */
static bool submit_range(struct request *q)
{
    while (q->at_range < q->n_ranges) {
        const struct range *r = &q->range[q->at_range++];
        if (!r->n_sectors)
            continue;
        q->io.off = r->sector * BLOCK_SECTOR;
        q->io.len = (uint64_t)r->n_sectors * BLOCK_SECTOR;
        q->io.unmap = q->io.kind == BLOCK_DISCARD || r->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
        submit(q, q->io.kind);
        return true;
    }
    return false;
}

static bool in_disk(const struct virtio_blk *b, uint64_t sector, uint64_t n)
{
    return n <= b->sectors && sector <= b->sectors - n;
}

/* What begin_*() return: a status for the guest at once, or UNDER_WAY. */
#define UNDER_WAY 0xff

static uint8_t begin_transfer(struct virtio_blk *b, struct request *q, enum block_kind kind, uint64_t sector, struct iovec *iov, unsigned n,
                              uint64_t len)
{
    if ((kind == BLOCK_WRITE && b->block->read_only) || len % BLOCK_SECTOR || !in_disk(b, sector, len / BLOCK_SECTOR))
        return VIRTIO_BLK_S_IOERR;
    if (!len)
        return VIRTIO_BLK_S_OK;
    q->io.off = sector * BLOCK_SECTOR;
    q->io.len = len;
    q->io.iov = iov;
    q->io.n_iov = n;
    submit(q, kind);
    return UNDER_WAY;
}

static uint8_t begin_ranges(struct virtio_blk *b, struct request *q, enum block_kind kind)
{
    uint64_t len = q->chain.out_len - sizeof(struct virtio_blk_outhdr);
    if (b->block->read_only || !len || len % sizeof(struct range) || len > sizeof(q->range))
        return VIRTIO_BLK_S_IOERR;
    virtio_iov_read(q->chain.out, q->chain.n_out, sizeof(struct virtio_blk_outhdr), q->range, len);
    q->n_ranges = (unsigned)(len / sizeof(struct range));
    for (unsigned i = 0; i < q->n_ranges; i++) {
        const struct range *r = &q->range[i];
        if (r->flags &
            ~(kind == BLOCK_ZERO ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u)) /* virtio 1.2, 5.2.6.2: unknown flags, unmap in a discard */
            return VIRTIO_BLK_S_UNSUPP;
        if (r->n_sectors > RANGE_SECTORS_MAX || !in_disk(b, r->sector, r->n_sectors))
            return VIRTIO_BLK_S_IOERR;
    }
    q->io.kind = kind;
    q->io.iov = NULL;
    q->io.n_iov = 0;
    return submit_range(q) ? UNDER_WAY : VIRTIO_BLK_S_OK;
}

static uint8_t begin_flush(struct request *q)
{
    q->io.off = q->io.len = 0;
    q->io.iov = NULL;
    q->io.n_iov = 0;
    submit(q, BLOCK_FLUSH);
    return UNDER_WAY;
}

static uint8_t get_id(struct virtio_blk *b, const struct iovec *in, unsigned n_in)
{
    char id[VIRTIO_BLK_ID_BYTES] = {0};
    memcpy(id, b->opt.serial, strnlen(b->opt.serial, sizeof(id)));
    virtio_iov_write(in, n_in, 0, id, sizeof(id));
    return VIRTIO_BLK_S_OK;
}

/* Cut the header off the readable part: it may be a buffer of its own or the beginning of a longer one. */
static struct iovec *skip_header(struct virtio_chain *c, unsigned *n)
{
    struct iovec *iov = c->out;
    size_t left = sizeof(struct virtio_blk_outhdr);
    *n = c->n_out;
    while (left && left >= iov->iov_len) {
        left -= iov->iov_len;
        iov++;
        --*n;
    }
    if (left) {
        iov->iov_base = (uint8_t *)iov->iov_base + left;
        iov->iov_len -= left;
    }
    return iov;
}

/* Begin the request in q->chain. False: the driver does not know what it is doing. */
static bool begin(struct virtio_blk *b, struct request *q)
{
    struct virtio_chain *c = &q->chain;
    struct virtio_blk_outhdr h;
    if (virtio_iov_read(c->out, c->n_out, 0, &h, sizeof(h)) != sizeof(h) || !c->in_len) {
        virtio_needs_reset(b->virtio, "a block request has no header or no room for its status");
        return false;
    }
    struct iovec *in = virtio_chain_in(c), *last = &in[c->n_in - 1], *out;
    unsigned n_in = c->n_in, n_out;
    q->status = (uint8_t *)last->iov_base + last->iov_len - 1;
    q->trimmed = NULL;
    q->n_ranges = q->at_range = 0;
    if (last->iov_len == 1) {
        n_in--;
    } else {
        last->iov_len--;
        q->trimmed = last;
    }
    uint8_t status;
    b->under_way++;
    switch (h.type) {
    case VIRTIO_BLK_T_IN:
        status = begin_transfer(b, q, BLOCK_READ, h.sector, in, n_in, c->in_len - 1);
        break;
    case VIRTIO_BLK_T_OUT:
        out = skip_header(c, &n_out);
        status = begin_transfer(b, q, BLOCK_WRITE, h.sector, out, n_out, c->out_len - sizeof(h));
        break;
    case VIRTIO_BLK_T_FLUSH:
        status = begin_flush(q);
        break;
    case VIRTIO_BLK_T_DISCARD:
        status = begin_ranges(b, q, BLOCK_DISCARD);
        break;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        status = begin_ranges(b, q, BLOCK_ZERO);
        break;
    case VIRTIO_BLK_T_GET_ID:
        status = get_id(b, in, n_in);
        break;
    default:
        status = VIRTIO_BLK_S_UNSUPP;
    }
    if (status != UNDER_WAY) {
        b->under_way--;
        give_back(q, status);
    }
    return true;
}

/* --- the thread -------------------------------------------------------------------------------------------------------- */

/* Begin all requests that are in the ring; whether there were any. */
static bool take_requests(struct virtio_blk *b)
{
    bool any = false;
    while (!b->broken && b->free) {
        struct request *q = b->free;
        int n = virtqueue_pop(b->queue, &q->chain);
        if (n <= 0) {
            b->broken = n < 0;
            break;
        }
        any = true;
        b->free = q->next_free;
        b->broken = !begin(b, q);
    }
    return any;
}

static void interrupt(struct virtio_blk *b)
{
    if (b->given_back)
        virtqueue_signal_early(b->queue); /* and for sure before sleeping */
    b->given_back = false;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* One round: true if there was something to do. */
static bool serve(struct virtio_blk *b)
{
    bool any = !atomic_load_explicit(&b->stopping, memory_order_relaxed) && take_requests(b);
    aio_run(b->aio, false);
    any |= b->given_back;
    interrupt(b);
    return any;
}

/* Look for something to do for spin_ns. The time grows when what one sleeps for comes soon after, and shrinks when it does not. Not while
 * another process has something to do for us: it may need this processor. */
static bool spin(struct virtio_blk *b)
{
    if (b->spin_ns < SPIN_MIN_NS || (b->under_way && b->block->remote))
        return false;
    for (int64_t end = now_ns() + b->spin_ns; now_ns() < end;) {
        for (int i = 0; i < 8; i++)
            __builtin_ia32_pause();
        if (serve(b))
            return true;
    }
    return false;
}

/* Every aio_run() uses up wake-ups, so what they may have been about is looked at here, behind the last one. */
static void sleep_for_work(struct virtio_blk *b)
{
    bool stopping = atomic_load(&b->stopping);
    if (stopping && !b->under_way)
        return;
    if (!b->broken && !stopping && virtqueue_want_notify(b->queue, true)) {
        virtqueue_want_notify(b->queue, false);
        return;
    }
    int64_t before = now_ns();
    aio_run(b->aio, true);
    interrupt(b);
    if (now_ns() - before < SPIN_MAX_NS)
        b->spin_ns = b->spin_ns ? b->spin_ns * 2 : SPIN_MIN_NS;
    else
        b->spin_ns /= 2;
    if (b->spin_ns > SPIN_MAX_NS)
        b->spin_ns = SPIN_MAX_NS;
    if (!b->broken)
        virtqueue_want_notify(b->queue, false);
}

static void *blk_thread(void *arg)
{
    struct virtio_blk *b = arg;
    prctl(PR_SET_NAME, "armlet-blk");
    virtqueue_want_notify(b->queue, false);
    while (!atomic_load(&b->stopping) || b->under_way) {
        if (!serve(b) && !spin(b))
            sleep_for_work(b);
    }
    return NULL;
}

/* --- the transport's callbacks ------------------------------------------------------------------------------------------ */

static uint64_t blk_features(void *dev)
{
    const struct virtio_blk *b = dev;
    uint64_t f = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_TOPOLOGY | 1ull << VIRTIO_BLK_F_FLUSH |
                 1ull << VIRTIO_BLK_F_CONFIG_WCE;
    if (b->block->read_only)
        return f | 1ull << VIRTIO_BLK_F_RO;
    return f | 1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

#define CONFIG_SIZE offsetof(struct virtio_blk_config, max_secure_erase_sectors)

static void blk_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    struct virtio_blk *b = dev;
    const struct virtio_blk_config c = {
        .capacity = b->sectors,
        .seg_max = SEG_MAX,
        .blk_size = BLOCK_SECTOR,
        .physical_block_exp = PHYSICAL_EXP,
        .min_io_size = 1 << PHYSICAL_EXP,
        .wce = atomic_load(&b->write_cache),
        .num_queues = 1,
        .max_discard_sectors = RANGE_SECTORS_MAX,
        .max_discard_seg = RANGES_MAX,
        .discard_sector_alignment = 1 << PHYSICAL_EXP,
        .max_write_zeroes_sectors = RANGE_SECTORS_MAX,
        .max_write_zeroes_seg = RANGES_MAX,
        .write_zeroes_may_unmap = 1,
    };
    memcpy(buf, (const uint8_t *)&c + off, len);
}

static void blk_config_write(void *dev, uint32_t off, const void *buf, uint32_t len)
{
    struct virtio_blk *b = dev;
    if (b->wce_by_guest && off == offsetof(struct virtio_blk_config, wce) && len >= 1)
        atomic_store(&b->write_cache, *(const uint8_t *)buf != 0);
}

static int blk_start(void *dev, uint64_t features)
{
    struct virtio_blk *b = dev;
    b->queue = virtio_queue(b->virtio, 0);
    if (!b->queue)
        return 0; /* a driver that wants no queue gets no service */
    b->wce_by_guest = features >> VIRTIO_BLK_F_CONFIG_WCE & 1;
    if (!b->wce_by_guest) /* a driver that cannot flush must not need to (5.2.6.2) */
        atomic_store(&b->write_cache, b->opt.write_cache && features >> VIRTIO_BLK_F_FLUSH & 1);
    b->requests = calloc(QUEUE_SIZE, sizeof(*b->requests));
    b->aio = aio_create(b->opt.aio);
    if (!b->requests || !b->aio)
        goto fail;
    b->free = NULL;
    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        b->requests[i].blk = b;
        b->requests[i].next_free = b->free;
        b->free = &b->requests[i];
    }
    b->under_way = 0;
    b->broken = b->given_back = false;
    atomic_store(&b->stopping, false);
    const struct block_memory ram = {b->mem->ram, b->mem->size, b->mem->fd};
    block_start(b->block, b->aio, b->mem->shared ? &ram : NULL);
    if (pthread_create(&b->thread, NULL, blk_thread, b)) {
        block_stop(b->block);
        goto fail;
    }
    return 0;
fail:
    error_report("drive '%s': no memory or thread to serve it", b->opt.name);
    aio_destroy(b->aio);
    free(b->requests);
    b->aio = NULL;
    b->requests = NULL;
    b->queue = NULL;
    return -1;
}

static void blk_notify(void *dev, unsigned queue UNUSED)
{
    struct virtio_blk *b = dev;
    aio_wake(b->aio);
}

static void blk_stop(void *dev)
{
    struct virtio_blk *b = dev;
    if (b->queue) {
        atomic_store(&b->stopping, true);
        aio_wake(b->aio);
        pthread_join(b->thread, NULL);
        block_stop(b->block);
        aio_destroy(b->aio);
        free(b->requests);
        b->aio = NULL;
        b->requests = NULL;
        b->queue = NULL;
    }
    atomic_store(&b->write_cache, b->opt.write_cache);
}

static const struct virtio_class blk_class = {
    .name = "virtio-blk-device",
    .device_id = VIRTIO_ID_BLOCK,
    .n_queues = 1,
    .queue_size = QUEUE_SIZE,
    .config_size = CONFIG_SIZE,
    .features = blk_features,
    .config_read = blk_config_read,
    .config_write = blk_config_write,
    .start = blk_start,
    .notify = blk_notify,
    .stop = blk_stop,
    .destroy = free,
};

int virtio_blk_add(struct board *board, const struct board_item *it, struct block *block, const struct virtio_blk_options *o)
{
    struct virtio_blk *b = calloc(1, sizeof(*b));
    if (!b) {
        error_report("drive '%s': no memory", o->name);
        return -1;
    }
    b->opt = *o;
    b->mem = board->mem;
    b->block = block;
    b->sectors = block->size / BLOCK_SECTOR;
    atomic_store(&b->write_cache, o->write_cache);
    struct virtio *v = board_add_virtio(board, it, &blk_class, b);
    if (!v)
        return -1;
    b->virtio = v;
    return 0;
}
