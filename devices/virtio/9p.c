/*
 * 9p.c: virtio 9P transport: requests of the ring to the server of devices/9p, served by a few threads (Linux's driver,
 * net/9p/trans_virtio.c; the tag is in configuration space). Also -virtfs, and -fsdev with -device virtio-9p-device.
 *
 * Every thread takes a request from the ring, serves it and gives it back, so a slow one (a flush of a file, a read from a slow disk) holds
 * nobody up: a request that finds all threads busy gets a new one, up to THREADS_MAX. The ring is used with `lock` held, the server
 * without. A thread that has run out of requests watches the ring for a while before it sleeps, as the next request of a program often
 * follows the answer to the last; how long depends on how often that has helped lately.
 *
 * Tflush is answered after the request it names (the driver gives the tag to another request then). It waits in a list of that request's,
 * not in a thread.
 */
#include <devices/9p/server.h>
#include <devices/board.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VIRTIO_ID_9P 9u
#define F_MOUNT_TAG  0
#define TAG_MAX      31u  /* bytes, as QEMU has it */
#define QUEUE_SIZE   128u /* what Linux's driver uses */
#define THREADS_MAX  16u
#define WATCH_NS_MAX 50000u
#define WATCH_NS_MIN 2000u
#define WATCH_PAUSES 24u /* between two looks at the ring */

struct request {
    struct request *next;    /* of those running, of a list of flushes, or of the spare ones */
    struct request *flushes; /* Tflushes that wait for this one */
    struct virtio_chain chain;
    struct p9_call call;
};

struct virtio_9p {
    struct virtio *v;
    struct p9_server *server; /* the board's */
    uint8_t tag[TAG_MAX];
    uint16_t tag_len;

    pthread_mutex_t lock; /* guards the rest and the queue */
    pthread_cond_t work;  /* a request may be there, or quit */
    pthread_cond_t quiet; /* n_serving has become 0 */
    struct virtqueue *q;  /* NULL: not started */
    struct request *running, *spare;
    unsigned n_threads, n_idle, n_serving;
    unsigned wakes; /* threads told to look at the ring, which have not done so yet */
    bool watched;   /* a thread watches the ring */
    bool quit;
    uint32_t watch_ns;  /* how long it does */
    uint32_t watch_max; /* 0: this machine has a single processor */
    uint64_t slept_at;  /* when the last thread went to sleep, ns */
    pthread_t thread[THREADS_MAX];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- threads; all of this with the lock held -------------------------------------------------------------------------------------------
 */

static void *serve(void *arg);

/* Signals are the main thread's; one that a file limit raises here must not end the process. */
static bool add_thread(struct virtio_9p *d)
{
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int err = pthread_create(&d->thread[d->n_threads], NULL, serve, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        return false;
    pthread_setname_np(d->thread[d->n_threads], "9p");
    d->n_threads++;
    return true;
}

/* There is a request that nobody looks at. */
static void wake(struct virtio_9p *d)
{
    if (d->watched || d->wakes)
        return;
    if (d->n_idle) {
        d->wakes++;
        pthread_cond_signal(&d->work);
    } else if (d->n_threads < THREADS_MAX) {
        add_thread(d); /* if it fails, those there are will come to it */
    }
}

/* --- requests, likewise ----------------------------------------------------------------------------------------------------------------
 */

/* The next request of the ring, or NULL. */
static struct request *take(struct virtio_9p *d)
{
    struct request *r = d->spare;
    if (!d->q)
        return NULL;
    if (!r && !(r = malloc(sizeof(*r)))) {
        virtio_needs_reset(d->v, "the host has no memory for a request");
        return NULL;
    }
    bool got = virtqueue_pop(d->q, &r->chain) > 0;
    if (r == d->spare)
        d->spare = got ? r->next : r;
    else if (!got) {
        r->next = NULL;
        d->spare = r;
    }
    return got ? r : NULL;
}

static void give_back(struct virtio_9p *d, struct request *r, uint32_t written)
{
    if (d->q)
        virtqueue_push(d->q, &r->chain, written);
    r->next = d->spare;
    d->spare = r;
}

/* Put the request among the running ones. False: it waits for another. */
static bool start(struct virtio_9p *d, struct request *r)
{
    if (r->call.type == P9_TFLUSH) {
        for (struct request *old = d->running; old; old = old->next)
            if (old->call.tag == r->call.old_tag) {
                r->next = old->flushes;
                old->flushes = r;
                return false;
            }
    }
    r->flushes = NULL;
    r->next = d->running;
    d->running = r;
    return true;
}

static void finish(struct virtio_9p *d, struct request *r, uint32_t written)
{
    struct request **p = &d->running;
    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    struct request *flushes = r->flushes;
    give_back(d, r, written);
    /* Last come, first in the list; but the driver does not look at their order */
    while (flushes) {
        struct request *f = flushes;
        flushes = f->next;
        give_back(d, f, d->q ? p9_call_run(&f->call) : 0);
    }
    if (d->q)
        virtqueue_signal(d->q);
}

static void handle(struct virtio_9p *d, struct request *r)
{
    struct virtio_chain *c = &r->chain;
    if (p9_call_begin(&r->call, d->server, c->out, c->n_out, c->out_len, virtio_chain_in(c), c->n_in, c->in_len) < 0) {
        virtio_needs_reset(d->v, "a message, or the buffer for its answer, is shorter than any");
        give_back(d, r, 0);
        return;
    }
    if (!start(d, r))
        return;
    d->n_serving++;
    if (virtqueue_want_notify(d->q, true))
        wake(d);
    pthread_mutex_unlock(&d->lock);
    uint32_t written = p9_call_run(&r->call);
    pthread_mutex_lock(&d->lock);
    finish(d, r, written);
    if (!--d->n_serving)
        pthread_cond_broadcast(&d->quiet);
}

/* Watch the ring for the next request. NULL: none came in time, the driver has been asked to notify, and then there still was none. */
static struct request *watch(struct virtio_9p *d)
{
    struct request *r = NULL;
    if (d->watched || !d->q)
        return NULL;
    if (d->watch_ns) {
        d->watched = true;
        uint64_t end = now_ns() + d->watch_ns;
        while (!(r = take(d)) && d->q && now_ns() < end) {
            pthread_mutex_unlock(&d->lock);
            for (unsigned i = 0; i < WATCH_PAUSES; i++)
                __builtin_ia32_pause();
            pthread_mutex_lock(&d->lock);
        }
        d->watched = false;
        if (r)
            d->watch_ns = d->watch_max;
        else
            d->watch_ns = d->watch_ns / 2 < WATCH_NS_MIN ? 0 : d->watch_ns / 2;
    }
    if (!r && d->q && virtqueue_want_notify(d->q, true))
        r = take(d);
    return r;
}

static void *serve(void *arg)
{
    struct virtio_9p *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->quit) {
        if (d->q && !d->watched) /* this thread looks by itself */
            virtqueue_want_notify(d->q, false);
        struct request *r = take(d);
        if (!r)
            r = watch(d);
        if (r) {
            handle(d, r);
            continue;
        }
        if (d->quit)
            break;
        d->n_idle++;
        d->slept_at = now_ns();
        while (!d->wakes && !d->quit)
            pthread_cond_wait(&d->work, &d->lock);
        d->n_idle--;
        if (d->wakes)
            d->wakes--;
        /* would watching a little longer have helped? */
        if (!d->watch_ns && now_ns() - d->slept_at < 2 * d->watch_max)
            d->watch_ns = d->watch_max;
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* --- the transport's calls ---------------------------------------------------------------------------------------------------------------
 */

static uint64_t p9_features(void *dev UNUSED)
{
    return 1u << F_MOUNT_TAG;
}

static void p9_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    struct virtio_9p *d = dev;
    uint8_t config[2 + TAG_MAX] = {(uint8_t)d->tag_len, (uint8_t)(d->tag_len >> 8)};
    memcpy(config + 2, d->tag, d->tag_len);
    memcpy(buf, config + off, len);
}

static int p9_start(void *dev, uint64_t features UNUSED)
{
    struct virtio_9p *d = dev;
    pthread_mutex_lock(&d->lock);
    d->q = virtio_queue(d->v, 0);
    if (!d->n_threads && !add_thread(d)) {
        error_report("there can be no thread for the shared folder '%.*s'", (int)d->tag_len, d->tag);
        d->q = NULL;
        pthread_mutex_unlock(&d->lock);
        return -1;
    }
    wake(d);
    pthread_mutex_unlock(&d->lock);
    return 0;
}

static void p9_notify(void *dev, unsigned queue UNUSED)
{
    struct virtio_9p *d = dev;
    pthread_mutex_lock(&d->lock);
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

static void p9_stop(void *dev)
{
    struct virtio_9p *d = dev;
    pthread_mutex_lock(&d->lock);
    d->q = NULL; /* answers of what is still running are dropped */
    while (d->n_serving)
        pthread_cond_wait(&d->quiet, &d->lock);
    pthread_mutex_unlock(&d->lock);
    p9_server_reset(d->server);
}

static void p9_destroy(void *dev)
{
    struct virtio_9p *d = dev;
    pthread_mutex_lock(&d->lock);
    d->quit = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < d->n_threads; i++)
        pthread_join(d->thread[i], NULL);
    while (d->spare) {
        struct request *r = d->spare;
        d->spare = r->next;
        free(r);
    }
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->quiet);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static const struct virtio_class p9_class = {
    .name = "virtio-9p-device",
    .device_id = VIRTIO_ID_9P,
    .n_queues = 1,
    .queue_size = QUEUE_SIZE,
    .config_size = 2 + TAG_MAX,
    .features = p9_features,
    .config_read = p9_config_read,
    .start = p9_start,
    .notify = p9_notify,
    .stop = p9_stop,
    .destroy = p9_destroy,
};

/* --- options
 * ------------------------------------------------------------------------------------------------------------------------------- */

static const char *const models[] = {
    [P9_MODEL_NONE] = "none",
    [P9_MODEL_PASSTHROUGH] = "passthrough",
    [P9_MODEL_MAPPED] = "mapped-xattr",
};

static void destroy_server(void *server)
{
    p9_server_destroy(server);
}

static int folder_backend(struct board *b, const struct board_item *it)
{
    struct p9_config config = {.path = keyval_get(&it->kv, "path"), .readonly = keyval_bool(&it->kv, "readonly", false)};
    const char *model = keyval_get(&it->kv, "security_model");
    while (model && strcmp(model, models[config.model]) && strcmp(model, "mapped"))
        config.model++;
    if (model && !strcmp(model, "mapped"))
        config.model = P9_MODEL_MAPPED;
    struct p9_server *s = p9_server_create(&config);
    return s ? board_add_backend(b, it, s, destroy_server) : -1;
}

/* 0 when no device before this one has the tag; the guest could mount only one of them. */
static int check_tag(const struct board *b, const struct board_item *it, const char *tag)
{
    if (strlen(tag) > TAG_MAX) {
        error_report("%s: the mount tag '%s' is longer than %u bytes", it->what, tag, TAG_MAX);
        return -1;
    }
    const struct board_config *c = &b->opt->board;
    for (unsigned i = 0; i < c->n && c->item[i] != it; i++) {
        const char *other = keyval_get(&c->item[i]->kv, "mount_tag");
        if (other && !strcmp(other, tag)) {
            error_report("%s: the mount tag '%s' is used twice", it->what, tag);
            return -1;
        }
    }
    return 0;
}

static int add_device(struct board *b, const struct board_item *it, const char *option, const char *id)
{
    const char *tag = keyval_get(&it->kv, "mount_tag");
    if (check_tag(b, it, tag) < 0)
        return -1;
    struct p9_server *s = board_take_backend(b, it, option, id);
    if (!s)
        return -1;
    struct virtio_9p *d = calloc(1, sizeof(*d));
    if (!d) {
        error_report("there is no memory for the device %s", p9_class.name);
        return -1;
    }
    d->server = s;
    d->tag_len = (uint16_t)strlen(tag);
    memcpy(d->tag, tag, d->tag_len);
    d->watch_ns = d->watch_max = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? WATCH_NS_MAX : 0;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    pthread_cond_init(&d->quiet, NULL);
    struct virtio *v = board_add_virtio(b, it, &p9_class, d);
    if (!v)
        return -1;
    d->v = v;
    return 0;
}

static int virtfs_device(struct board *b, const struct board_item *it)
{
    return add_device(b, it, "virtfs", it->id);
}

static int p9_device(struct board *b, const struct board_item *it)
{
    return add_device(b, it, "fsdev", keyval_get(&it->kv, "fsdev"));
}

#define FOLDER_KEYS                                                                                                                        \
    {"path", KEY_TEXT, KEY_REQUIRED, "the host's folder", NULL, 0, 0},                                                                     \
        {"security_model", KEY_CHOICE, 0, "where the guest's owners and modes are kept", "none|passthrough|mapped-xattr|mapped", 0, 0},    \
    {                                                                                                                                      \
        "readonly", KEY_BOOL, 0, "the guest cannot change anything", NULL, 0, 0                                                            \
    }
#define TAG_KEY                                                                                                                            \
    {                                                                                                                                      \
        "mount_tag", KEY_TEXT, KEY_REQUIRED, "what the guest mounts it by", NULL, 0, 0                                                     \
    }

static const struct key_desc virtfs_keys[] = {FOLDER_KEYS, TAG_KEY, {0}};
static const struct key_desc fsdev_keys[] = {FOLDER_KEYS, {0}};
static const struct key_desc device_keys[] = {{"fsdev", KEY_TEXT, KEY_REQUIRED, "the id of the -fsdev", NULL, 0, 0}, TAG_KEY, {0}};

const struct device_kind virtfs_local_kind = {
    .option = "virtfs",
    .name = "local",
    .help = "a folder of the host, mounted in the guest with mount -t 9p -o trans=virtio,version=9p2000.L TAG DIR",
    .keys = virtfs_keys,
    .backend = folder_backend,
    .device = virtfs_device,
};

const struct device_kind fsdev_local_kind = {
    .option = "fsdev",
    .name = "local",
    .help = "a folder of the host for -device virtio-9p-device",
    .keys = fsdev_keys,
    .backend = folder_backend,
};

const struct device_kind virtio_9p_kind = {
    .option = "device",
    .name = "virtio-9p-device",
    .help = "a folder of the host, named with -fsdev",
    .keys = device_keys,
    .device = p9_device,
};
