/*
 * hv_virtio_9p.c: the virtio transport of 9P: a slow request holds up nobody, Tflush is answered after what it flushes, reset waits for
 * what runs. The ring and the server are made up here: a request is its message's first bytes, and the server runs it until the test lets
 * it go.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../devices/virtio/9p.c"

#define SLOW  0xa0 /* type of a request that runs until let_go */
#define QUICK 0xa1
#define SHORT 0xa2 /* too short to be answered */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct {
        uint8_t type;
        uint16_t tag, old_tag;
    } ring[256];
    unsigned avail, popped, pushed, signals, needs_reset, running;
    uint16_t done[256]; /* tags in the order of their answers */
    bool let_go[65536];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

struct virtqueue *virtio_queue(struct virtio *v UNUSED, unsigned n UNUSED)
{
    return (struct virtqueue *)&fake;
}

void virtio_needs_reset(struct virtio *v UNUSED, const char *why UNUSED)
{
    fake.needs_reset++;
}

int virtqueue_pop(struct virtqueue *q UNUSED, struct virtio_chain *c)
{
    pthread_mutex_lock(&fake.lock);
    int got = fake.popped < fake.avail;
    if (got)
        c->head = (uint16_t)fake.popped++;
    pthread_mutex_unlock(&fake.lock);
    return got;
}

void virtqueue_push(struct virtqueue *q UNUSED, struct virtio_chain *c, uint32_t written UNUSED)
{
    pthread_mutex_lock(&fake.lock);
    fake.done[fake.pushed++] = fake.ring[c->head].tag;
    pthread_cond_broadcast(&fake.change);
    pthread_mutex_unlock(&fake.lock);
}

void virtqueue_signal(struct virtqueue *q UNUSED)
{
    fake.signals++;
}

bool virtqueue_want_notify(struct virtqueue *q UNUSED, bool on)
{
    pthread_mutex_lock(&fake.lock);
    bool more = on && fake.popped < fake.avail;
    pthread_mutex_unlock(&fake.lock);
    return more;
}

int p9_call_begin(struct p9_call *c, struct p9_server *s UNUSED, const struct iovec *request UNUSED, unsigned n_request UNUSED,
                  uint64_t request_len UNUSED, const struct iovec *answer UNUSED, unsigned n_answer UNUSED, uint64_t answer_len UNUSED)
{
    struct request *r = container_of(c, struct request, call);
    c->type = fake.ring[r->chain.head].type;
    c->tag = fake.ring[r->chain.head].tag;
    c->old_tag = fake.ring[r->chain.head].old_tag;
    return c->type == SHORT ? -1 : 0;
}

uint32_t p9_call_run(struct p9_call *c)
{
    pthread_mutex_lock(&fake.lock);
    fake.running++;
    pthread_cond_broadcast(&fake.change);
    while (c->type == SLOW && !fake.let_go[c->tag])
        pthread_cond_wait(&fake.change, &fake.lock);
    fake.running--;
    pthread_mutex_unlock(&fake.lock);
    return 7;
}

void p9_server_reset(struct p9_server *s UNUSED) {}

static struct virtio_9p *make(void)
{
    struct virtio_9p *d = calloc(1, sizeof(*d));
    fake.avail = fake.popped = fake.pushed = fake.signals = fake.needs_reset = 0;
    memset(fake.let_go, 0, sizeof(fake.let_go));
    d->watch_ns = d->watch_max = 20000;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    pthread_cond_init(&d->quiet, NULL);
    assert_int_equal(p9_start(d, 0), 0);
    return d;
}

static void drop(struct virtio_9p *d)
{
    p9_stop(d);
    p9_destroy(d);
}

static void request(struct virtio_9p *d, uint8_t type, uint16_t tag, uint16_t old_tag)
{
    pthread_mutex_lock(&fake.lock);
    fake.ring[fake.avail].type = type;
    fake.ring[fake.avail].tag = tag;
    fake.ring[fake.avail++].old_tag = old_tag;
    pthread_mutex_unlock(&fake.lock);
    p9_notify(d, 0);
}

static void wait_for(unsigned *word, unsigned value)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 20;
    pthread_mutex_lock(&fake.lock);
    int err = 0;
    while (*word != value && !err)
        err = pthread_cond_timedwait(&fake.change, &fake.lock, &t);
    unsigned got = *word;
    pthread_mutex_unlock(&fake.lock);
    assert_int_equal(got, value);
}

static void let_go(uint16_t tag)
{
    pthread_mutex_lock(&fake.lock);
    fake.let_go[tag] = true;
    pthread_cond_broadcast(&fake.change);
    pthread_mutex_unlock(&fake.lock);
}

static void slow_holds_nobody_up(void **state UNUSED)
{
    struct virtio_9p *d = make();
    for (uint16_t i = 0; i < THREADS_MAX - 1; i++)
        request(d, SLOW, i, 0);
    wait_for(&fake.running, THREADS_MAX - 1);
    for (uint16_t i = 0; i < 100; i++)
        request(d, QUICK, 100 + i, 0);
    wait_for(&fake.pushed, 100);
    for (uint16_t i = 0; i < THREADS_MAX - 1; i++)
        let_go(i);
    wait_for(&fake.pushed, 100 + THREADS_MAX - 1);
    drop(d);
    assert_true(fake.signals > 0);
}

static void more_than_threads(void **state UNUSED)
{
    struct virtio_9p *d = make();
    for (uint16_t i = 0; i < 60; i++)
        request(d, SLOW, i, 0);
    wait_for(&fake.running, THREADS_MAX);
    for (uint16_t i = 60; i > 0; i--)
        let_go(i - 1);
    wait_for(&fake.pushed, 60);
    drop(d);
}

static void flush_comes_after(void **state UNUSED)
{
    struct virtio_9p *d = make();
    request(d, SLOW, 1, 0);
    wait_for(&fake.running, 1);
    for (uint16_t i = 0; i < 40; i++) /* more than threads: they wait in no thread */
        request(d, P9_TFLUSH, 10 + i, 1);
    request(d, QUICK, 2, 0);
    wait_for(&fake.pushed, 1);
    assert_int_equal(fake.done[0], 2);
    request(d, P9_TFLUSH, 3, 77); /* of nothing */
    request(d, P9_TFLUSH, 4, 4);  /* of itself */
    wait_for(&fake.pushed, 3);
    let_go(1);
    wait_for(&fake.pushed, 44);
    assert_int_equal(fake.done[3], 1);
    drop(d);
}

static void *stopper(void *arg)
{
    p9_stop(arg);
    return NULL;
}

static void reset_waits(void **state UNUSED)
{
    struct virtio_9p *d = make();
    request(d, SLOW, 1, 0);
    request(d, P9_TFLUSH, 2, 1);
    wait_for(&fake.popped, 2);
    wait_for(&fake.running, 1);
    pthread_t t;
    pthread_create(&t, NULL, stopper, d);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 50000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    assert_int_equal(pthread_timedjoin_np(t, NULL, &soon), ETIMEDOUT);
    let_go(1);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(fake.pushed, 0); /* nothing is said to a guest that has reset the device */
    assert_null(d->running);
    assert_int_equal(p9_start(d, 0), 0);
    request(d, QUICK, 3, 0);
    wait_for(&fake.pushed, 1);
    drop(d);
}

static void too_short(void **state UNUSED)
{
    struct virtio_9p *d = make();
    request(d, SHORT, 1, 0);
    request(d, QUICK, 2, 0);
    wait_for(&fake.pushed, 2);
    assert_int_equal(fake.needs_reset, 1);
    drop(d);
}

static void config(void **state UNUSED)
{
    struct virtio_9p *d = make();
    uint8_t got[2 + TAG_MAX];
    memcpy(d->tag, "tag", 3);
    d->tag_len = 3;
    p9_config_read(d, 0, got, sizeof(got));
    assert_memory_equal(got, "\3\0tag\0\0", 7);
    p9_config_read(d, 4, got, 1);
    assert_int_equal(got[0], 'g');
    drop(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_holds_nobody_up), cmocka_unit_test(more_than_threads), cmocka_unit_test(flush_comes_after),
        cmocka_unit_test(reset_waits),          cmocka_unit_test(too_short),         cmocka_unit_test(config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
