/*
 * raw.c: a file or block device whose bytes are the disk's.
 *
 * A request is carried out in steps, each one operation of the aio: one step for nearly all requests; more after a short transfer, and
 * where bytes have to go through a buffer of ours: O_DIRECT into memory that is not aligned, and the guarded first sector.
 *
 * The guard: the format of an image that was given without one is guessed from its first bytes. A guest must not be able to make the next
 * guess by writing those bytes (a qcow2 header may name any file of the host as its backing file). The sector is copied before it is looked
 * at: the guest could change its own memory meanwhile.
 */
#include <devices/block/block.h>
#include <devices/block/iov.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGN       4096u        /* of bounce buffers; enough for any O_DIRECT */
#define DIRECT_MEM  512u         /* alignment the guest's buffers need for O_DIRECT, unless statx() knows better */
#define BOUNCE_MAX  (256u << 10) /* bytes of one step through a buffer: bounds the memory a guest can make us use */
#define ZEROES_SIZE (1u << 20)

struct raw {
    struct block block;
    struct aio *aio;
    int fd;
    char *name;
    bool guard, said_guard;
    bool sync;    /* pass flushes on */
    bool direct;  /* fd is O_DIRECT */
    bool discard; /* until the host says that it cannot */
    bool zero_range;
    uint32_t mem_align;
    void *zeroes; /* ZEROES_SIZE of them, made when first needed */
};

static int step(struct raw *w, struct block_request *r);

static void finish(struct block_request *r, int err)
{
    free(r->own.tail);
    free(r->own.bounce);
    r->done(r, err);
}

static void go_on(struct raw *w, struct block_request *r)
{
    int err = step(w, r);
    if (err <= 0)
        finish(r, err);
}

static bool cannot(int64_t err)
{
    return err == -EOPNOTSUPP || err == -ENOTTY || err == -EINVAL || err == -ENODEV || err == -ENOSYS;
}

static void read_done(struct raw *w, struct block_request *r, uint64_t n)
{
    if (r->own.bounce)
        iov_store(r->iov, r->n_iov, r->own.progress, r->own.bounce, n);
    r->own.progress += n;
    if (n % BLOCK_SECTOR || !n) { /* the end of a file that is no multiple of a sector, or has been cut */
        iov_zero(r->iov, r->n_iov, r->own.progress, r->len - r->own.progress);
        r->own.progress = r->len;
    }
    go_on(w, r);
}

static void allocated(struct raw *w, struct block_request *r, int64_t result)
{
    bool given_up = cannot(result);
    if (result < 0 && !given_up) {
        finish(r, (int)result);
        return;
    }
    if (given_up && r->own.op.flags & FALLOC_FL_PUNCH_HOLE)
        w->discard = false;
    else if (given_up)
        w->zero_range = false;
    if (given_up && r->kind == BLOCK_ZERO)
        r->own.explicit_zero = !w->zero_range;
    else
        r->own.progress = r->len; /* done; or a discard that the host cannot do, which is one that changes nothing */
    go_on(w, r);
}

static void op_done(struct aio_op *op)
{
    struct block_request *r = container_of(op, struct block_request, own.op);
    struct raw *w = container_of(r->own.block, struct raw, block);
    if (op->kind == AIO_FALLOCATE) {
        allocated(w, r, op->result);
    } else if (op->result < 0 || op->kind == AIO_SYNC) {
        finish(r, (int)op->result);
    } else if (op->kind == AIO_READ) {
        read_done(w, r, (uint64_t)op->result);
    } else if (!op->result) {
        finish(r, -EIO);
    } else {
        r->own.progress += (uint64_t)op->result;
        go_on(w, r);
    }
}

/* Let the next step of r take n bytes through a buffer. */
static bool through_bounce(struct block_request *r, uint64_t n)
{
    if (!r->own.bounce && posix_memalign(&r->own.bounce, ALIGN, ALIGN_UP(n, (uint64_t)ALIGN))) {
        r->own.bounce = NULL;
        return false;
    }
    if (r->kind == BLOCK_WRITE)
        iov_load(r->own.bounce, r->iov, r->n_iov, r->own.progress, n);
    r->own.one = (struct iovec){r->own.bounce, n};
    r->own.op.iov = &r->own.one;
    r->own.op.n_iov = 1;
    return true;
}

/* 0 or -errno */
static int prepare_transfer(struct raw *w, struct block_request *r)
{
    struct aio_op *op = &r->own.op;
    uint64_t left = r->len - r->own.progress;
    op->kind = r->kind == BLOCK_READ ? AIO_READ : AIO_WRITE;
    op->may_sleep = w->direct;
    op->flags = r->kind == BLOCK_WRITE && r->fua && w->sync ? RWF_DSYNC : 0;
    if (w->guard && r->kind == BLOCK_WRITE && r->off + r->own.progress == 0) {
        static const uint8_t magic[4] = {'Q', 'F', 'I', 0xfb};
        if (!through_bounce(r, BLOCK_SECTOR))
            return -ENOMEM;
        if (memcmp(r->own.bounce, magic, sizeof(magic)))
            return 0;
        if (!w->said_guard)
            error_report("drive '%s': the guest was not let write a qcow2 header into an image given without a format; say format=raw",
                         w->name);
        w->said_guard = true;
        return -EPERM;
    }
    if (w->direct && !iov_aligned(r->iov, r->n_iov, w->mem_align))
        return through_bounce(r, left < BOUNCE_MAX ? left : BOUNCE_MAX) ? 0 : -ENOMEM;
    free(r->own.bounce);
    r->own.bounce = NULL;
    op->iov = r->iov;
    op->n_iov = r->n_iov;
    if (r->own.progress) {
        if (!r->own.tail && !(r->own.tail = malloc(r->n_iov * sizeof(*r->own.tail))))
            return -ENOMEM;
        op->iov = r->own.tail;
        op->n_iov = iov_slice(r->own.tail, r->iov, r->n_iov, r->own.progress, left);
    }
    return 0;
}

static int prepare_zero(struct raw *w, struct block_request *r)
{
    struct aio_op *op = &r->own.op;
    uint64_t left = r->len - r->own.progress;
    if (!r->own.explicit_zero && ((r->unmap && w->discard) || w->zero_range)) {
        op->kind = AIO_FALLOCATE;
        op->flags = FALLOC_FL_KEEP_SIZE | (r->unmap && w->discard ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
        return 0;
    }
    if (!w->zeroes) {
        if (posix_memalign(&w->zeroes, ALIGN, ZEROES_SIZE)) {
            w->zeroes = NULL;
            return -ENOMEM;
        }
        memset(w->zeroes, 0, ZEROES_SIZE);
    }
    r->own.explicit_zero = true;
    r->own.one = (struct iovec){w->zeroes, left < ZEROES_SIZE ? left : ZEROES_SIZE};
    op->kind = AIO_WRITE;
    op->flags = 0;
    op->may_sleep = w->direct;
    op->iov = &r->own.one;
    op->n_iov = 1;
    return 0;
}

/* Start the next step. 1: it is under way; 0 or -errno: r is finished. */
static int step(struct raw *w, struct block_request *r)
{
    struct aio_op *op = &r->own.op;
    int err = 0;
    op->off = r->off + r->own.progress;
    op->len = r->len - r->own.progress;
    if (!op->len) {
        bool to_sync = r->kind == BLOCK_FLUSH || (r->fua && (r->kind == BLOCK_ZERO || r->kind == BLOCK_DISCARD));
        if (!to_sync || !w->sync)
            return 0;
        op->kind = AIO_SYNC;
        op->flags = 0;
    } else if (r->kind == BLOCK_READ || r->kind == BLOCK_WRITE) {
        err = prepare_transfer(w, r);
    } else if (r->kind == BLOCK_ZERO) {
        err = prepare_zero(w, r);
    } else if (w->discard) {
        op->kind = AIO_FALLOCATE;
        op->flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    } else {
        return 0;
    }
    if (err)
        return err;
    aio_submit(w->aio, op);
    return 1;
}

static void finished_at_once(struct aio_op *op)
{
    finish(container_of(op, struct block_request, own.op), (int)op->result);
}

static void raw_submit(struct block *b, struct block_request *r)
{
    struct raw *w = container_of(b, struct raw, block);
    memset(&r->own, 0, sizeof(r->own));
    r->own.block = b;
    r->own.op.fd = w->fd;
    r->own.op.done = op_done;
    int err = step(w, r);
    if (err <= 0) {
        r->own.op.done = finished_at_once;
        aio_complete(w->aio, &r->own.op, err);
    }
}

static void raw_start(struct block *b, struct aio *aio, const struct block_memory *ram UNUSED)
{
    container_of(b, struct raw, block)->aio = aio;
}

static void raw_close(struct block *b)
{
    struct raw *w = container_of(b, struct raw, block);
    close(w->fd);
    free(w->zeroes);
    free(w->name);
    free(w);
}

static const struct block_class raw_class = {raw_start, NULL, raw_submit, raw_close};

/* Alignment that O_DIRECT wants of memory; 0: it wants more of offsets than sectors can give. */
static uint32_t direct_alignment(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx s;
    if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &s) && s.stx_mask & STATX_DIOALIGN) {
        if (!s.stx_dio_offset_align || s.stx_dio_offset_align > BLOCK_SECTOR || s.stx_dio_mem_align > ALIGN)
            return 0;
        return s.stx_dio_mem_align;
    }
#endif
    int size;
    if (!ioctl(fd, BLKSSZGET, &size) && size > (int)BLOCK_SECTOR)
        return 0;
    return DIRECT_MEM;
}

struct block *raw_create(int fd, const char *name, uint64_t size, const struct block_options *o, bool guard)
{
    struct raw *w = calloc(1, sizeof(*w));
    char *copy = strdup(name);
    if (!w || !copy) {
        error_report("drive '%s': no memory", name);
        close(fd);
        free(copy);
        free(w);
        return NULL;
    }
    *w = (struct raw){
        .block = {&raw_class, ALIGN_UP(size, (uint64_t)BLOCK_SECTOR), o->read_only, false},
        .fd = fd,
        .name = copy,
        .guard = guard,
        .sync = o->cache != BLOCK_CACHE_UNSAFE,
        .discard = o->discard,
        .zero_range = true,
    };
    /* Where O_DIRECT is not to be had, the page cache does: flushes reach the disk all the same. */
    if (o->cache == BLOCK_CACHE_NONE || o->cache == BLOCK_CACHE_DIRECTSYNC) {
        w->mem_align = direct_alignment(fd);
        w->direct = w->mem_align && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_DIRECT) == 0;
    }
    return &w->block;
}
