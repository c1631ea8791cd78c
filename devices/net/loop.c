/*
 * loop.c: the thread that serves network backends and devices; see net.h.
 *
 * A round is: run what other threads asked for, let the devices with something to do work, wait, serve the backends, tell the guests.
 * net_kick() is called for each notification of a guest; while the loop is not asleep it is a store. `asleep` and `kicked` are a handshake
 * in the manner of Dekker: the kicker stores kicked, then loads asleep; the loop stores asleep, then loads kicked; sequentially consistent,
 * so that one of them sees the other.
 */
#include <devices/net/net.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

struct net {
    struct net_backend *backends; /* loop */
    struct net_pollset set;       /* loop */
    pthread_t thread;
    int event_fd;
    atomic_bool kicked, asleep;
    bool quit;        /* loop */
    unsigned numbers; /* main thread */

    pthread_mutex_t call_lock; /* one caller at a time; held through the call */
    pthread_mutex_t lock;      /* guards call and call_arg */
    pthread_cond_t done;
    void (*call)(void *arg);
    void *call_arg;
    atomic_bool call_waits; /* call is set: so that a round need not take the lock */
};

int net_pollset_add(struct net_pollset *set, int fd, short events)
{
    if (set->n == set->cap) {
        unsigned cap = set->cap ? 2 * set->cap : 64;
        struct pollfd *p = realloc(set->fd, cap * sizeof(*p));
        if (!p)
            return -1;
        set->fd = p;
        set->cap = cap;
    }
    set->fd[set->n] = (struct pollfd){.fd = fd, .events = events};
    return (int)set->n++;
}

static void wake(struct net *net)
{
    uint64_t one = 1;
    if (write(net->event_fd, &one, sizeof(one)) < 0) {
        /* a counter that is full wakes just as well */
    }
}

void net_kick(struct net *net)
{
    if (!atomic_exchange(&net->kicked, true) && atomic_load(&net->asleep))
        wake(net);
}

static void serve_call(struct net *net)
{
    if (!atomic_load_explicit(&net->call_waits, memory_order_acquire))
        return;
    pthread_mutex_lock(&net->lock);
    if (net->call) {
        net->call(net->call_arg);
        net->call = NULL;
        atomic_store(&net->call_waits, false);
        pthread_cond_signal(&net->done);
    }
    pthread_mutex_unlock(&net->lock);
}

void net_call(struct net *net, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&net->call_lock);
    pthread_mutex_lock(&net->lock);
    net->call = fn;
    net->call_arg = arg;
    atomic_store(&net->call_waits, true);
    wake(net);
    while (net->call)
        pthread_cond_wait(&net->done, &net->lock);
    pthread_mutex_unlock(&net->lock);
    pthread_mutex_unlock(&net->call_lock);
}

/* The guests hear of what has been done for them. */
static void flush(struct net *net)
{
    for (struct net_backend *b = net->backends; b; b = b->next) {
        if (b->client)
            b->client->flush(b->client->ctx);
    }
}

/* Let devices work; true when one has more. */
static bool work(struct net *net, bool kicked)
{
    bool more = false;
    for (struct net_backend *b = net->backends; b; b = b->next) {
        if (!b->client || (!kicked && !b->more))
            continue;
        b->more = b->client->work(b->client->ctx);
        more |= b->more;
    }
    return more;
}

static void *loop_main(void *arg)
{
    struct net *net = arg;
    prctl(PR_SET_NAME, "armlet-net");
    for (;;) {
        serve_call(net);
        if (net->quit)
            break;
        bool more = work(net, atomic_exchange(&net->kicked, false));
        flush(net);

        int timeout = -1;
        net->set.n = 0;
        int own = net_pollset_add(&net->set, net->event_fd, POLLIN);
        for (struct net_backend *b = net->backends; b; b = b->next)
            b->ops->fill(b, &net->set, &timeout);
        if (own < 0) /* no memory for the list: come back soon */
            timeout = 10;
        atomic_store(&net->asleep, true);
        if (more || atomic_load(&net->kicked) || atomic_load(&net->call_waits))
            timeout = 0;
        int n = poll(net->set.fd, net->set.n, timeout);
        atomic_store(&net->asleep, false);
        if (n < 0) {
            for (unsigned i = 0; i < net->set.n; i++)
                net->set.fd[i].revents = 0;
        }
        uint64_t count;
        if (own >= 0 && net->set.fd[own].revents && read(net->event_fd, &count, sizeof(count)) < 0) {
            /* woken for nothing */
        }
        for (struct net_backend *b = net->backends; b; b = b->next)
            b->ops->ready(b, &net->set);
        flush(net);
    }
    return NULL;
}

struct net *net_create(void)
{
    struct net *net = calloc(1, sizeof(*net));
    if (!net) {
        error_report("there is no memory for the network");
        return NULL;
    }
    pthread_mutex_init(&net->call_lock, NULL);
    pthread_mutex_init(&net->lock, NULL);
    pthread_cond_init(&net->done, NULL);
    net->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (net->event_fd < 0) {
        error_report("no event descriptor for the network: %s", strerror(errno));
        free(net);
        return NULL;
    }
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
    int err = pthread_create(&net->thread, NULL, loop_main, net);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        error_report("no thread for the network: %s", strerror(err));
        close(net->event_fd);
        free(net);
        return NULL;
    }
    return net;
}

static void do_quit(void *arg)
{
    struct net *net = arg;
    while (net->backends) {
        struct net_backend *b = net->backends;
        net->backends = b->next;
        free(b->id);
        b->ops->close(b);
    }
    net->quit = true;
}

void net_destroy(struct net *net)
{
    if (!net)
        return;
    net_call(net, do_quit, net);
    pthread_join(net->thread, NULL);
    close(net->event_fd);
    free(net->set.fd);
    free(net);
}

static void do_add(void *arg)
{
    struct net_backend *b = arg;
    b->next = b->net->backends;
    b->net->backends = b;
}

int net_add(struct net *net, struct net_backend *b, const char *id)
{
    b->net = net;
    b->id = strdup(id);
    if (!b->id) {
        error_report("there is no memory for the network '%s'", id);
        return -1;
    }
    net_call(net, do_add, b);
    return 0;
}

unsigned net_number(struct net *net)
{
    return net->numbers++;
}

struct attach {
    struct net_backend *b;
    const struct net_client *client;
    unsigned offloads;
};

static void do_attach(void *arg)
{
    struct attach *a = arg;
    a->b->client = a->client;
    a->b->more = a->client != NULL; /* what was notified before */
    a->b->blocked = false;
    a->b->ops->set_offloads(a->b, a->offloads);
}

void net_attach(struct net_backend *b, const struct net_client *client, unsigned offloads)
{
    struct attach a = {b, client, offloads};
    net_call(b->net, do_attach, &a);
}

bool net_deliver(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len)
{
    if (!b->client)
        return true;
    b->blocked = !b->client->receive(b->client->ctx, hdr, iov, n, len);
    return !b->blocked;
}

void net_resume(struct net_backend *b)
{
    b->blocked = false;
}
