/*
 * aio_uring.c: operations carried out by the kernel's io_uring(7), through liburing.
 *
 * Operations that the ring has no room for wait in a list of their own; the ring may hold as many completions as operations are under way,
 * so none is lost.
 */
#ifdef ARMLET_URING
#include <devices/block/aio_engine.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#define RING_ENTRIES 256u

struct uring {
    struct io_uring ring;
    unsigned under_way, max; /* operations the kernel has, at most as many as it can report without overflow */
    struct aio_op *waiting, **waiting_tail;
};

static bool has_operations(struct io_uring *ring)
{
    static const int needed[] = {IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool all = probe;
    for (size_t i = 0; all && i < ARRAY_LEN(needed); i++)
        all = io_uring_opcode_supported(probe, needed[i]);
    io_uring_free_probe(probe);
    return all;
}

static void *create(struct aio *a UNUSED)
{
    struct uring *u = calloc(1, sizeof(*u));
    if (!u)
        return NULL;
    struct io_uring_params p = {.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG}; /* Linux 5.19 */
    if (io_uring_queue_init_params(RING_ENTRIES, &u->ring, &p) < 0) {
        p = (struct io_uring_params){0};
        if (io_uring_queue_init_params(RING_ENTRIES, &u->ring, &p) < 0) {
            free(u);
            return NULL;
        }
    }
    if (!has_operations(&u->ring)) {
        io_uring_queue_exit(&u->ring);
        free(u);
        return NULL;
    }
    u->max = p.cq_entries;
    u->waiting_tail = &u->waiting;
    return u;
}

static void destroy(void *engine)
{
    struct uring *u = engine;
    io_uring_queue_exit(&u->ring);
    free(u);
}

static bool prepare(struct uring *u, struct aio_op *op)
{
    struct io_uring_sqe *sqe = u->under_way < u->max ? io_uring_get_sqe(&u->ring) : NULL;
    if (!sqe)
        return false;
    switch (op->kind) {
    case AIO_READ:
        io_uring_prep_readv(sqe, op->fd, op->iov, op->n_iov, op->off);
        sqe->rw_flags = op->flags;
        break;
    case AIO_WRITE:
        io_uring_prep_writev(sqe, op->fd, op->iov, op->n_iov, op->off);
        sqe->rw_flags = op->flags;
        break;
    case AIO_SYNC:
        io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
        break;
    case AIO_FALLOCATE:
        io_uring_prep_fallocate(sqe, op->fd, op->flags, (off_t)op->off, (off_t)op->len);
        break;
    }
    io_uring_sqe_set_data(sqe, op);
    u->under_way++;
    return true;
}

static void submit(void *engine, struct aio_op *op)
{
    struct uring *u = engine;
    if (!u->waiting && prepare(u, op))
        return;
    op->next = NULL;
    *u->waiting_tail = op;
    u->waiting_tail = &op->next;
}

static bool flush(void *engine)
{
    struct uring *u = engine;
    for (;;) {
        unsigned ready = io_uring_sq_ready(&u->ring);
        if (ready && io_uring_submit(&u->ring) < 0)
            return false; /* EAGAIN, EBUSY: the kernel is short of something for the moment */
        if (io_uring_sq_ready(&u->ring))
            return false;
        bool more = false;
        while (u->waiting) {
            struct aio_op *op = u->waiting, *next = op->next;
            if (!prepare(u, op))
                break;
            more = true;
            if (!(u->waiting = next))
                u->waiting_tail = &u->waiting;
        }
        if (!more)
            return true; /* what still waits does so for completions */
    }
}

static struct aio_op *reap(void *engine)
{
    struct uring *u = engine;
    for (;;) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(&u->ring, &cqe) < 0)
            return NULL;
        struct aio_op *op = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&u->ring, cqe);
        u->under_way--;
        if (result != -EINTR && result != -EAGAIN) {
            op->result = result;
            return op;
        }
        submit(u, op); /* the kernel changed its mind: once more */
    }
}

static int fd(void *engine)
{
    struct uring *u = engine;
    return u->ring.ring_fd;
}

const struct aio_engine_class aio_uring = {"io_uring", create, destroy, submit, flush, reap, fd};
#endif
