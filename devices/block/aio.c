/*
 * aio.c: what both engines share: the attempt to do it at once, the list of what has completed, sleeping and waking; see aio.h.
 *
 * Sleeping: the thread sets `sleeping`, then looks at `woken`; a waker sets `woken`, then looks at `sleeping`. Both with sequential
 * consistency, so one of them sees the other, and the eventfd is only written when somebody sleeps.
 */
#include <devices/block/aio.h>
#include <devices/block/aio_engine.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct aio {
    const struct aio_engine_class *class;
    void *engine;
    struct aio_op *completed, **completed_tail;
    bool no_nowait; /* RWF_NOWAIT is not for this kernel or file system */
    struct aio_watch watch;
    int wake_fd;
    atomic_bool woken, sleeping;
};

struct aio *aio_create(enum aio_engine engine)
{
    static const struct aio_engine_class *const engines[] = {
#ifdef ARMLET_URING
        &aio_uring,
#endif
        &aio_threads,
    };
    struct aio *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->completed_tail = &a->completed;
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = engine == AIO_ENGINE_THREADS ? ARRAY_LEN(engines) - 1 : 0; a->wake_fd >= 0 && !a->engine && i < ARRAY_LEN(engines);
         i++) {
        a->class = engines[i];
        a->engine = a->class->create(a);
    }
    if (!a->engine) {
        if (a->wake_fd >= 0)
            close(a->wake_fd);
        free(a);
        return NULL;
    }
    return a;
}

void aio_destroy(struct aio *a)
{
    if (!a)
        return;
    a->class->destroy(a->engine);
    close(a->wake_fd);
    free(a);
}

const char *aio_engine_name(const struct aio *a)
{
    return a->class->name;
}

void aio_watch(struct aio *a, struct aio_watch w)
{
    a->watch = w;
}

void aio_complete(struct aio *a, struct aio_op *op, int64_t result)
{
    op->result = result;
    op->next = NULL;
    *a->completed_tail = op;
    a->completed_tail = &op->next;
}

/* True when op has been done, in whole or in part, or has failed for good. */
static bool try_now(struct aio *a, struct aio_op *op, int64_t *result)
{
    ssize_t n;
    if (op->may_sleep || op->flags)
        return false;
    if (op->kind == AIO_WRITE) {
        do {
            n = pwritev(op->fd, op->iov, (int)op->n_iov, (off_t)op->off);
        } while (n < 0 && errno == EINTR);
        *result = n < 0 ? -errno : n;
        return true;
    }
    if (op->kind != AIO_READ || a->no_nowait)
        return false;
    n = preadv2(op->fd, op->iov, (int)op->n_iov, (off_t)op->off, RWF_NOWAIT);
    if (n > 0) {
        *result = n;
        return true;
    }
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
        a->no_nowait = true;
    return false; /* the page cache has not got it, or the end of the file, or an error: whoever may sleep finds out */
}

void aio_submit(struct aio *a, struct aio_op *op)
{
    int64_t result;
    if (op->n_iov > IOV_MAX)
        op->n_iov = IOV_MAX; /* the caller goes on after a short transfer */
    if (try_now(a, op, &result))
        aio_complete(a, op, result);
    else
        a->class->submit(a->engine, op);
}

/* One generation of completions: what done() completes at once waits for the next call, so that nobody is starved. */
static bool deliver(struct aio *a)
{
    struct aio_op *op;
    while ((op = a->class->reap(a->engine)))
        aio_complete(a, op, op->result);
    op = a->completed;
    a->completed = NULL;
    a->completed_tail = &a->completed;
    bool any = op;
    while (op) {
        struct aio_op *next = op->next;
        op->done(op);
        op = next;
    }
    return any;
}

static void drain(int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0) {
        /* another wake-up has been read already */
    }
}

/* Wait for something to happen. timeout in ms, -1: for ever. */
static void sleep_until(struct aio *a, int timeout)
{
    struct pollfd p[2 + AIO_WATCH_FDS] = {{.fd = a->wake_fd, .events = POLLIN}, {.fd = a->class->fd(a->engine), .events = POLLIN}};
    for (unsigned i = 0; i < AIO_WATCH_FDS; i++)
        p[2 + i].fd = -1;
    if (a->watch.before_sleep && !a->watch.before_sleep(a->watch.arg, &p[2]))
        timeout = 0;
    atomic_store(&a->sleeping, true);
    if (atomic_load(&a->woken))
        timeout = 0;
    int n = poll(p, ARRAY_LEN(p), timeout);
    atomic_store(&a->sleeping, false);
    if (n > 0 && p[0].revents)
        drain(a->wake_fd);
    if (n > 0 && (p[2].revents || p[3].revents))
        a->watch.woken(a->watch.arg, &p[2]);
}

static void run_watch(struct aio *a)
{
    if (a->watch.run)
        a->watch.run(a->watch.arg);
}

void aio_run(struct aio *a, bool wait)
{
    a->class->flush(a->engine);
    run_watch(a);
    bool any = deliver(a);
    if (!any && wait && !atomic_load(&a->woken)) {
        bool all = a->class->flush(a->engine);
        sleep_until(a, all ? -1 : 1);
        run_watch(a);
        deliver(a);
    }
    atomic_store(&a->woken, false); /* the caller looks at its own sources of work after this, deliver() at ours before the next sleep */
    a->class->flush(a->engine);     /* what the completions have submitted */
    run_watch(a);
}

void aio_wake(struct aio *a)
{
    atomic_store(&a->woken, true);
    if (atomic_load(&a->sleeping)) {
        uint64_t one = 1;
        if (write(a->wake_fd, &one, sizeof(one)) < 0) {
            /* a counter that is full wakes just as well */
        }
    }
}
