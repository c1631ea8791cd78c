/*
 * overlay.c: snapshot=on: what the guest writes goes to a temporary file without a name, and is gone when armlet ends.
 *
 * The temporary file is sparse and has the disk's layout; a bit for each sector says which of the two has it. With single sectors nothing
 * ever needs to be copied up. The bits of a write are set when it has succeeded: a failed one leaves the old data. The bitmap is anonymous
 * memory, of which the host provides what is touched: 32 KiB for a GiB written.
 */
#include <devices/block/block.h>
#include <devices/block/iov.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct overlay {
    struct block block;
    struct block *base, *top;
    struct aio *aio;
    uint64_t *written; /* bit n: sector n is in top */
    size_t map_size;   /* bytes */
};

/* A stretch of a request that lies in one of the two. */
struct piece {
    struct block_request r;
    struct whole *whole;
    struct iovec iov[];
};

struct whole {
    struct overlay *o;
    struct block_request *r;
    unsigned left; /* pieces under way, and one for the time of submission */
    int err;
};

static bool in_top(const struct overlay *o, uint64_t sector)
{
    return o->written[sector / 64] >> sector % 64 & 1;
}

/* The first sector in (s, end] whose bit differs from that of s. */
static uint64_t run_end(const struct overlay *o, uint64_t s, uint64_t end)
{
    bool top = in_top(o, s);
    while (++s < end) {
        if (s % 64 == 0 && end - s >= 64 && o->written[s / 64] == (top ? UINT64_MAX : 0)) {
            s += 63;
            continue;
        }
        if (in_top(o, s) != top)
            return s;
    }
    return end;
}

static void set_run(struct overlay *o, uint64_t s, uint64_t end)
{
    while (s < end) {
        if (s % 64 == 0 && end - s >= 64) {
            o->written[s / 64] = UINT64_MAX;
            s += 64;
        } else {
            o->written[s / 64] |= 1ull << s % 64;
            s++;
        }
    }
}

static void whole_done(struct aio_op *op)
{
    struct block_request *r = container_of(op, struct block_request, own.op);
    r->done(r, (int)op->result);
}

/* r comes back from the next aio_run(). */
static void complete(struct overlay *o, struct block_request *r, int err)
{
    r->own.op.done = whole_done;
    aio_complete(o->aio, &r->own.op, err);
}

static void put_whole(struct whole *w)
{
    if (--w->left)
        return;
    struct block_request *r = w->r;
    if (!w->err && (r->kind == BLOCK_WRITE || r->kind == BLOCK_ZERO))
        set_run(w->o, r->off / BLOCK_SECTOR, (r->off + r->len) / BLOCK_SECTOR);
    complete(w->o, r, w->err);
    free(w);
}

static void piece_done(struct block_request *r, int err)
{
    struct piece *p = container_of(r, struct piece, r);
    struct whole *w = p->whole;
    if (err && !w->err)
        w->err = err;
    free(p);
    put_whole(w);
}

static void submit_piece(struct whole *w, struct block *to, uint64_t off, uint64_t len)
{
    const struct block_request *r = w->r;
    struct piece *p = malloc(sizeof(*p) + r->n_iov * sizeof(*p->iov));
    if (!p) {
        w->err = -ENOMEM;
        return;
    }
    p->r = (struct block_request){.kind = r->kind, .unmap = true, .off = off, .len = len, .iov = p->iov, .done = piece_done};
    if (r->n_iov)
        p->r.n_iov = iov_slice(p->iov, r->iov, r->n_iov, off - r->off, len);
    p->whole = w;
    w->left++;
    block_submit(to, &p->r);
}

static void overlay_submit(struct block *b, struct block_request *r)
{
    struct overlay *o = container_of(b, struct overlay, block);
    struct whole *w = r->kind == BLOCK_FLUSH || !r->len ? NULL : malloc(sizeof(*w));
    if (!w) { /* nothing of a temporary file needs to reach the disk */
        complete(o, r, r->kind == BLOCK_FLUSH || !r->len ? 0 : -ENOMEM);
        return;
    }
    *w = (struct whole){.o = o, .r = r, .left = 1};
    if (r->kind != BLOCK_READ) {
        submit_piece(w, o->top, r->off, r->len);
    } else {
        uint64_t end = (r->off + r->len) / BLOCK_SECTOR;
        for (uint64_t s = r->off / BLOCK_SECTOR, next; s < end; s = next) {
            next = run_end(o, s, end);
            submit_piece(w, in_top(o, s) ? o->top : o->base, s * BLOCK_SECTOR, (next - s) * BLOCK_SECTOR);
        }
    }
    put_whole(w);
}

static void overlay_start(struct block *b, struct aio *aio, const struct block_memory *ram)
{
    struct overlay *o = container_of(b, struct overlay, block);
    o->aio = aio;
    block_start(o->base, aio, ram);
    block_start(o->top, aio, ram);
}

static void overlay_stop(struct block *b)
{
    struct overlay *o = container_of(b, struct overlay, block);
    block_stop(o->base);
    block_stop(o->top);
}

static void overlay_close(struct block *b)
{
    struct overlay *o = container_of(b, struct overlay, block);
    block_close(o->base);
    block_close(o->top);
    if (o->written)
        munmap(o->written, o->map_size);
    free(o);
}

static const struct block_class overlay_class = {overlay_start, overlay_stop, overlay_submit, overlay_close};

/* A file without a name: fd, or -1 with *dir the folder it was tried in. */
static int temporary_file(const char **dir)
{
    *dir = getenv("TMPDIR");
    if (!*dir || !**dir)
        *dir = "/var/tmp"; /* not /tmp: that may be memory */
    int fd = open(*dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char *path = NULL;
    if (asprintf(&path, "%s/armlet.XXXXXX", *dir) < 0)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

struct block *overlay_create(struct block *base, const char *name)
{
    static const struct block_options options = {.cache = BLOCK_CACHE_UNSAFE, .discard = true};
    struct overlay *o = calloc(1, sizeof(*o));
    if (!o) {
        error_report("drive '%s': no memory", name);
        block_close(base);
        return NULL;
    }
    o->block = (struct block){&overlay_class, base->size, false, base->remote};
    o->base = base;
    const char *dir;
    int fd = temporary_file(&dir);
    if (fd < 0) {
        error_report("drive '%s': no temporary file for snapshot=on in %s: %s", name, dir, strerror(errno));
        goto fail;
    }
    o->top = raw_create(fd, name, base->size, &options, false);
    if (!o->top)
        goto fail;
    o->map_size = ALIGN_UP(base->size / BLOCK_SECTOR / 8 + 8, (uint64_t)4096);
    void *map = mmap(NULL, o->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        error_report("drive '%s': no memory for snapshot=on: %s", name, strerror(errno));
        goto fail;
    }
    o->written = map;
    return &o->block;
fail:
    overlay_close(&o->block);
    return NULL;
}
