/*
 * aio.h: asynchronous file I/O for one thread: io_uring where the host allows it, a pool of threads where not.
 *
 * One struct aio belongs to one thread, which alone calls everything here except aio_wake(). Operations are given with aio_submit() and
 * come back through their done() inside aio_run(), never inside aio_submit(); done() may submit more. Operations and what they point to
 * stay in place until then.
 *
 * What the page cache can serve at once is done at once, in aio_submit(): reads that need not wait for a disk, and buffered writes. A
 * hand-over to another thread costs more than the copy, and most file systems cannot write through the page cache without one. What sleeps
 * (cold reads, O_DIRECT, synchronous writes, flushes, allocation) goes to the kernel's ring or to the pool.
 */
#ifndef DEVICES_BLOCK_AIO_H
#define DEVICES_BLOCK_AIO_H

#include <armlet/base.h>
#include <poll.h>
#include <sys/uio.h>

enum aio_engine { AIO_ENGINE_AUTO, AIO_ENGINE_URING, AIO_ENGINE_THREADS };

enum aio_kind {
    AIO_READ,
    AIO_WRITE,
    AIO_SYNC,      /* fdatasync(2) */
    AIO_FALLOCATE, /* fallocate(2) with mode `flags` */
};

struct aio_op {
    enum aio_kind kind;
    int fd;
    int flags;      /* READ, WRITE: RWF_* of preadv2(2); FALLOCATE: its mode */
    bool may_sleep; /* READ, WRITE: do not try it in aio_submit() (O_DIRECT) */
    const struct iovec *iov;
    unsigned n_iov;
    uint64_t off, len; /* bytes; len counts for FALLOCATE only */
    void (*done)(struct aio_op *op);
    int64_t result;      /* bytes, 0, or -errno */
    struct aio_op *next; /* aio's own while submitted */
};

struct aio;

/* AUTO takes io_uring where it works. URING falls back to threads too: what a host forbids is no reason not to run. NULL: no memory or
 * descriptors. */
struct aio *aio_create(enum aio_engine engine);
/* Nothing may be under way. */
void aio_destroy(struct aio *a);
const char *aio_engine_name(const struct aio *a);

void aio_submit(struct aio *a, struct aio_op *op);
/* Let op come back with `result` without doing anything. */
void aio_complete(struct aio *a, struct aio_op *op, int64_t result);

#define AIO_WATCH_FDS 2

/* Something to serve beside the operations, from aio_run(); it completes operations with aio_complete(). One for each aio. */
struct aio_watch {
    void (*run)(void *arg);                            /* in every aio_run(): hand over, and take what has come, without waiting */
    bool (*before_sleep)(void *arg, struct pollfd *p); /* fill in what to wake for; false: there is something for run() to do at once */
    void (*woken)(void *arg, const struct pollfd *p);  /* one of them is ready */
    void *arg;
};
void aio_watch(struct aio *a, struct aio_watch w);

/* Hand over what was submitted and deliver what has completed. wait: sleep until something has completed, the descriptor is ready or
 * aio_wake() was called. */
void aio_run(struct aio *a, bool wait);

/* Any thread: make the current aio_run(), or the next, return at once. */
void aio_wake(struct aio *a);

#endif
