/*
 * storage_daemon.c: images in QEMU's formats (qcow2): a qemu-storage-daemon child process has the image open and serves it as a vhost-user
 * block device, whose driver we are.
 *
 * Requests become pieces, each a request of virtio's (1.2, section 5.2.6) and a slot of the one ring. The daemon has two stretches of
 * memory: one of our own, with the ring, the pieces' headers and buffers; and guest RAM, where that may be shared, so that it reads and
 * writes the guest's buffers in place. Whatever lies elsewhere goes through our buffers, chunk by chunk. The guest's own rings are never
 * shown to it.
 *
 * A request waits, in line, when there is no slot or chunk for its next piece. Once the daemon is gone everything fails.
 */
#include <devices/block/storage.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* --- requests ------------------------------------------------------------------------------------------------------------ */

/* Put into the ring what there is room for of r, or complete it. False: it has to wait for room. */
static bool advance(struct storage *d, struct block_request *r)
{
    for (;;) {
        if (d->dead && !r->own.err)
            r->own.err = -EIO;
        while (!r->own.err && (r->own.to_flush || r->own.progress < r->len)) {
            if (!storage_put_piece(d, r))
                return false;
        }
        if (r->own.pieces)
            return true;
        bool to_sync = r->fua && r->kind != BLOCK_READ && r->kind != BLOCK_FLUSH && d->sync && storage_has(d, VIRTIO_BLK_F_FLUSH);
        if (r->own.err || !to_sync || r->own.syncing)
            break;
        r->own.syncing = r->own.to_flush = true;
    }
    aio_complete(d->aio, &r->own.op, r->own.err);
    return true;
}

static void wait_in_line(struct storage *d, struct block_request *r)
{
    r->own.waiting = true;
    r->own.next = NULL;
    *d->waiting_tail = r;
    d->waiting_tail = &r->own.next;
}

static void advance_waiting(struct storage *d)
{
    while (d->waiting && advance(d, d->waiting)) {
        d->waiting->own.waiting = false;
        if (!(d->waiting = d->waiting->own.next))
            d->waiting_tail = &d->waiting;
    }
}

/* The protocol has one word for all that can go wrong with a write: was there no room for it, and for what qcow2 notes about it? */
static int write_error(const struct storage *d, uint64_t len)
{
    struct rlimit limit;
    struct stat st;
    struct statvfs fs;
    if (fstat(d->image, &st) < 0 || !S_ISREG(st.st_mode) || fstatvfs(d->image, &fs) < 0)
        return -EIO;
    len += 4 * CHUNK;
    if (!prlimit(d->child.pid, RLIMIT_FSIZE, NULL, &limit) && limit.rlim_cur < (uint64_t)st.st_size + len)
        return -EFBIG;
    if ((uint64_t)fs.f_bavail * fs.f_frsize < len)
        return -ENOSPC;
    /* A quota? The blocks behind the end, if we get them, are the next that the image takes. */
    if (fallocate(d->image, FALLOC_FL_KEEP_SIZE, st.st_size, (off_t)len) < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
        return -errno;
    return -EIO;
}

static void piece_done(struct storage *d, unsigned slot, uint8_t status)
{
    struct block_request *r = d->piece[slot].r;
    int err = 0;
    if (status == VIRTIO_BLK_S_UNSUPP)
        err = -EOPNOTSUPP;
    else if (status != VIRTIO_BLK_S_OK)
        err = r->kind == BLOCK_READ || d->dead ? -EIO : write_error(d, r->kind == BLOCK_WRITE ? d->piece[slot].len : 0);
    if (!r->own.err)
        r->own.err = err;
    storage_end_piece(d, slot, status);
    if (!--r->own.pieces && !r->own.waiting && !advance(d, r))
        wait_in_line(d, r);
}

static void finished(struct aio_op *op)
{
    struct block_request *r = container_of(op, struct block_request, own.op);
    r->done(r, (int)op->result);
}

static void storage_submit(struct block *b, struct block_request *r)
{
    struct storage *d = container_of(b, struct storage, block);
    memset(&r->own, 0, sizeof(r->own));
    r->own.block = b;
    r->own.op.done = finished;
    r->own.to_flush = r->kind == BLOCK_FLUSH;
    if ((r->kind == BLOCK_FLUSH && (!d->sync || !storage_has(d, VIRTIO_BLK_F_FLUSH))) || (r->kind == BLOCK_DISCARD && !d->discard_max) ||
        (r->kind != BLOCK_FLUSH && !r->len))
        aio_complete(d->aio, &r->own.op, 0);
    else if (r->kind == BLOCK_ZERO && !d->zero_max)
        aio_complete(d->aio, &r->own.op, -EOPNOTSUPP);
    else if (d->waiting || !advance(d, r))
        wait_in_line(d, r);
}

/* --- the daemon ---------------------------------------------------------------------------------------------------------- */

static void give_up(struct storage *d, const char *why)
{
    if (d->dead)
        return;
    error_report("drive '%s': qemu-storage-daemon, which has the image open, %s; the guest gets I/O errors from now on", d->name, why);
    d->dead = true;
    shutdown(d->child.socket, SHUT_RDWR);
    for (unsigned i = 0; i < VHOST_RING_SIZE; i++) {
        if (d->ring.with_device[i]) {
            d->ring.with_device[i] = false;
            piece_done(d, i, VIRTIO_BLK_S_IOERR);
        }
    }
    advance_waiting(d);
}

/* Hand over what has been put into the ring, take out what is done. */
static void run_ring(void *arg)
{
    struct storage *d = arg;
    unsigned slot;
    int got = 0;
    while (!d->dead && (got = vhost_ring_next(&d->ring, &slot)) > 0)
        piece_done(d, slot, __atomic_load_n(&d->slots[slot].status, __ATOMIC_RELAXED));
    if (got < 0)
        give_up(d, "answers what it has not been asked");
    advance_waiting(d);
    if (vhost_ring_publish(&d->ring) && eventfd_write(d->kick, 1) < 0) {
        /* a counter that is full wakes just as well */
    }
}

static bool before_sleep(void *arg, struct pollfd *p)
{
    struct storage *d = arg;
    if (d->dead)
        return true;
    p[0] = (struct pollfd){.fd = d->call, .events = POLLIN};
    p[1] = (struct pollfd){.fd = d->child.socket, .events = POLLIN | POLLRDHUP};
    return vhost_ring_ask_call(&d->ring);
}

static void woken(void *arg, const struct pollfd *p)
{
    struct storage *d = arg;
    eventfd_t count;
    if (p[0].revents && eventfd_read(d->call, &count) < 0) {
        /* nothing is to be learnt from it */
    }
    if (p[1].revents) {
        run_ring(d);
        give_up(d, "is gone");
    }
}

static void storage_start(struct block *b, struct aio *aio, const struct block_memory *ram)
{
    struct storage *d = container_of(b, struct storage, block);
    struct vhost_user_region region[2] = {{d->memory, d->memory_size, d->memory_fd}};
    d->aio = aio;
    d->ram = ram ? *ram : (struct block_memory){0};
    if (ram)
        region[1] = (struct vhost_user_region){ram->base, ram->size, ram->fd};
    d->waiting = NULL;
    d->waiting_tail = &d->waiting;
    storage_reset_memory(d);
    if (!d->dead && vhost_user_start(&d->user, region, ram ? 2 : 1, &d->ring.shared, d->kick, d->call) < 0)
        give_up(d, "is gone");
    aio_watch(aio, (struct aio_watch){run_ring, before_sleep, woken, d});
}

static void storage_stop(struct block *b)
{
    struct storage *d = container_of(b, struct storage, block);
    if (!d->dead && vhost_user_stop(&d->user) < 0)
        give_up(d, "is gone");
}

static void storage_close(struct block *b)
{
    struct storage *d = container_of(b, struct storage, block);
    child_end(&d->child);
    storage_destroy_memory(d);
    close(d->image);
    free(d->name);
    free(d);
}

static const struct block_class storage_class = {storage_start, storage_stop, storage_submit, storage_close};

/* --- opening ------------------------------------------------------------------------------------------------------------- */

/* What the device is like. 0 or -errno. */
static int meet(struct storage *d)
{
    struct virtio_blk_config c = {0};
    d->user = (struct vhost_user){.socket = d->child.socket};
    d->features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |
                  1ull << VIRTIO_BLK_F_SIZE_MAX | 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_RO | 1ull << VIRTIO_BLK_F_FLUSH |
                  1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
    int err = vhost_user_connect(&d->user, &d->features);
    if (!err)
        err = vhost_user_config(&d->user, &c, offsetof(struct virtio_blk_config, max_secure_erase_sectors));
    if (err)
        return err;
    if (!storage_has(d, VIRTIO_F_VERSION_1) || !storage_has(d, VIRTIO_RING_F_INDIRECT_DESC))
        return -EPROTO;
    d->block.size = c.capacity * BLOCK_SECTOR;
    d->seg_max = storage_has(d, VIRTIO_BLK_F_SEG_MAX) && c.seg_max && c.seg_max < SEGS_MAX ? c.seg_max : SEGS_MAX;
    d->size_max =
        storage_has(d, VIRTIO_BLK_F_SIZE_MAX) && c.size_max >= BLOCK_SECTOR ? c.size_max : PIECE_MAX; /* 0 says that there is none */
    d->discard_max = storage_has(d, VIRTIO_BLK_F_DISCARD) ? (uint64_t)c.max_discard_sectors * BLOCK_SECTOR : 0;
    d->zero_max = storage_has(d, VIRTIO_BLK_F_WRITE_ZEROES) ? (uint64_t)c.max_write_zeroes_sectors * BLOCK_SECTOR : 0;
    return 0;
}

/* Does the host let us, and so the daemon, use io_uring? */
static bool may_uring(enum aio_engine engine)
{
    struct aio *a = aio_create(engine);
    bool may = a && !strcmp(aio_engine_name(a), "io_uring");
    aio_destroy(a);
    return may;
}

struct block *storage_create(int fd, const char *format, const struct block_options *o)
{
    struct storage *d = calloc(1, sizeof(*d));
    char *name = strdup(o->file);
    if (!d || !name) {
        error_report("drive '%s': no memory", o->file);
        close(fd);
        free(name);
        free(d);
        return NULL;
    }
    *d = (struct storage){.block = {&storage_class, 0, o->read_only, true}, .child = CHILD_NONE, .name = name, .image = fd};
    d->sync = o->cache != BLOCK_CACHE_UNSAFE;
    int err = storage_create_memory(d);
    if (err) {
        error_report("drive '%s': no memory to share with qemu-storage-daemon: %s", o->file, strerror(-err));
        goto fail;
    }
    for (bool uring = may_uring(o->aio);; uring = false) {
        if (child_start(&d->child, format, o, uring) < 0)
            goto fail;
        err = meet(d);
        if (!err)
            return &d->block;
        if (!uring || !child_refuses_uring(&d->child))
            break;
        child_end(&d->child);
    }
    child_report(&d->child, o->file, strerror(-err));
fail:
    storage_close(&d->block);
    return NULL;
}
