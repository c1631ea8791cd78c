/*
 * aio_threads.c: operations carried out by a few threads with ordinary system calls: the engine for hosts that forbid io_uring.
 *
 * Threads are started when there is more to do than threads waiting, up to POOL_MAX, and stay.
 */
#include <devices/block/aio_engine.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define POOL_MAX 16u

struct list {
    struct aio_op *first, **tail;
};

struct pool {
    struct aio *aio;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work;
    struct list todo, done;
    unsigned n_threads, idle, n_todo;
    bool quit;
    pthread_t thread[POOL_MAX];
};

static void put(struct list *l, struct aio_op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
}

static struct aio_op *take(struct list *l)
{
    struct aio_op *op = l->first;
    if (op && !(l->first = op->next))
        l->tail = &l->first;
    return op;
}

static int64_t carry_out(const struct aio_op *op)
{
    ssize_t n;
    do {
        switch (op->kind) {
        case AIO_READ:
            n = preadv2(op->fd, op->iov, (int)op->n_iov, (off_t)op->off, op->flags);
            break;
        case AIO_WRITE:
            n = pwritev2(op->fd, op->iov, (int)op->n_iov, (off_t)op->off, op->flags);
            break;
        case AIO_SYNC:
            n = fdatasync(op->fd);
            break;
        case AIO_FALLOCATE:
            n = fallocate(op->fd, op->flags, (off_t)op->off, (off_t)op->len);
            break;
        default:
            __builtin_unreachable();
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    prctl(PR_SET_NAME, "armlet-aio");
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct aio_op *op = take(&p->todo);
        if (op) {
            p->n_todo--;
            pthread_mutex_unlock(&p->lock);
            op->result = carry_out(op);
            pthread_mutex_lock(&p->lock);
            put(&p->done, op);
            aio_wake(p->aio);
        } else if (p->quit) {
            break;
        } else {
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void destroy(void *engine)
{
    struct pool *p = engine;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    free(p);
}

static void *create(struct aio *a)
{
    struct pool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->aio = a;
    p->todo.tail = &p->todo.first;
    p->done.tail = &p->done.first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    if (pthread_create(&p->thread[0], NULL, worker, p)) { /* the first one now: later ones may fail without harm */
        destroy(p);
        return NULL;
    }
    p->n_threads = 1;
    return p;
}

static void submit(void *engine, struct aio_op *op)
{
    struct pool *p = engine;
    pthread_mutex_lock(&p->lock);
    put(&p->todo, op);
    p->n_todo++;
    if (p->n_todo > p->idle && p->n_threads < POOL_MAX && !pthread_create(&p->thread[p->n_threads], NULL, worker, p))
        p->n_threads++;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

static bool flush(void *engine UNUSED)
{
    return true;
}

static struct aio_op *reap(void *engine)
{
    struct pool *p = engine;
    pthread_mutex_lock(&p->lock);
    struct aio_op *op = take(&p->done);
    pthread_mutex_unlock(&p->lock);
    return op;
}

static int fd(void *engine UNUSED)
{
    return -1;
}

const struct aio_engine_class aio_threads = {"threads", create, destroy, submit, flush, reap, fd};
