/*
 * hv_vhost.c: the driver's side of a ring against a device that is ours, and the front-end's side of the vhost-user protocol against a
 * back-end that is ours: rings that run full and round, calls and kicks that are wanted or not, entries and answers that cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/block/vhost_ring.h>
#include <devices/block/vhost_user.h>
#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the ring ------------------------------------------------------------------------------------------------------------ */

/* The device's side, straight from the specification. */
struct device {
    struct vring v;
    bool event_idx;
    uint16_t taken, used, signalled;
};

static struct vhost_ring ring;
static struct device device;
static struct vring_desc tables[VHOST_RING_SIZE][3];
static void *memory;

static int setup_ring(bool event_idx)
{
    memory = aligned_alloc(VHOST_RING_ALIGN, ALIGN_UP(vhost_ring_bytes(), (size_t)VHOST_RING_ALIGN));
    if (!memory)
        return -1;
    memset(memory, 0xff, vhost_ring_bytes());
    vhost_ring_init(&ring, memory, event_idx);
    device = (struct device){ring.shared, event_idx, 0, 0, 0};
    return 0;
}

static int with_event_idx(void **state UNUSED)
{
    return setup_ring(true);
}

static int with_flags(void **state UNUSED)
{
    return setup_ring(false);
}

static int teardown_ring(void **state UNUSED)
{
    free(memory);
    return 0;
}

/* The next request's slot, or -1. */
static int device_take(void)
{
    if (device.v.avail->idx == device.taken)
        return -1;
    uint16_t slot = device.v.avail->ring[device.taken++ % VHOST_RING_SIZE];
    assert_true(slot < VHOST_RING_SIZE);
    const struct vring_desc *d = &device.v.desc[slot];
    assert_int_equal(d->flags, VRING_DESC_F_INDIRECT);
    assert_ptr_equal((void *)(uintptr_t)d->addr, tables[slot]);
    assert_int_equal(d->len, (slot % 3 + 1) * sizeof(struct vring_desc));
    if (device.event_idx)
        vring_avail_event(&device.v) = device.taken;
    return slot;
}

static void device_give(unsigned slot)
{
    device.v.used->ring[device.used % VHOST_RING_SIZE] = (struct vring_used_elem){slot, 0};
    device.v.used->idx = ++device.used;
}

static bool device_calls(void)
{
    uint16_t old = device.signalled;
    device.signalled = device.used;
    if (device.event_idx)
        return vring_need_event(vring_used_event(&device.v), device.used, old);
    return old != device.used && !(device.v.avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
}

static unsigned add(void)
{
    int slot = vhost_ring_take(&ring);
    assert_true(slot >= 0);
    vhost_ring_add(&ring, (unsigned)slot, tables[slot], (unsigned)slot % 3 + 1);
    return (unsigned)slot;
}

/* One after the other, until the 16-bit indices have gone round more than twice. */
static void round_and_round(void **state UNUSED)
{
    unsigned slot;
    for (unsigned i = 0; i < 150000; i++) {
        unsigned mine = add();
        assert_int_equal(device_take(), -1); /* not published */
        assert_true(vhost_ring_publish(&ring));
        assert_false(vhost_ring_publish(&ring));
        assert_int_equal(device_take(), mine);
        assert_int_equal(vhost_ring_next(&ring, &slot), 0);
        assert_true(vhost_ring_ask_call(&ring));
        device_give(mine);
        assert_true(device_calls());
        assert_false(vhost_ring_ask_call(&ring));
        assert_int_equal(vhost_ring_next(&ring, &slot), 1);
        assert_int_equal(slot, mine);
        vhost_ring_put(&ring, slot);
    }
}

/* Full rings, given back in another order than they were taken in. */
static void full(void **state UNUSED)
{
    unsigned slot;
    for (unsigned i = 0; i < 300; i++) {
        bool seen[VHOST_RING_SIZE] = {0};
        unsigned order[VHOST_RING_SIZE];
        for (unsigned n = 0; n < VHOST_RING_SIZE; n++)
            add();
        assert_int_equal(vhost_ring_take(&ring), -1);
        assert_true(vhost_ring_publish(&ring));
        for (unsigned n = 0; n < VHOST_RING_SIZE; n++)
            order[n] = (unsigned)device_take();
        assert_int_equal(device_take(), -1);
        for (unsigned n = 0; n < VHOST_RING_SIZE; n++)
            device_give(order[(n * 37 + i) % VHOST_RING_SIZE]);
        for (unsigned n = 0; n < VHOST_RING_SIZE; n++) {
            assert_int_equal(vhost_ring_next(&ring, &slot), 1);
            assert_int_equal(slot, order[(n * 37 + i) % VHOST_RING_SIZE]);
            assert_false(seen[slot]);
            seen[slot] = true;
            vhost_ring_put(&ring, slot);
        }
        assert_int_equal(vhost_ring_next(&ring, &slot), 0);
    }
}

/* A device at work is not told of more; one that has not been asked to call does not. */
static void suppression(void **state UNUSED)
{
    unsigned slot;
    add();
    assert_true(vhost_ring_publish(&ring));
    if (!device.event_idx)
        device.v.used->flags = VRING_USED_F_NO_NOTIFY;
    add();
    assert_false(vhost_ring_publish(&ring));
    unsigned first = (unsigned)device_take(), second = (unsigned)device_take();
    device.v.used->flags = 0;
    add();
    assert_true(vhost_ring_publish(&ring)); /* it has taken all: it sleeps */

    assert_true(vhost_ring_ask_call(&ring));
    device_give(first);
    assert_true(device_calls());
    assert_int_equal(vhost_ring_next(&ring, &slot), 1);
    device_give(second);
    assert_false(device_calls());
    assert_false(vhost_ring_ask_call(&ring));
    assert_int_equal(vhost_ring_next(&ring, &slot), 1);
    assert_true(vhost_ring_ask_call(&ring));
    device_give((unsigned)device_take());
    assert_true(device_calls());
}

static void bad_entries(void **state UNUSED)
{
    unsigned slot, mine = add();
    vhost_ring_publish(&ring);
    device_give(VHOST_RING_SIZE); /* outside the ring */
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
    device.v.used->ring[0].id = UINT32_MAX;
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
    device.v.used->ring[0].id = mine + 1; /* not asked for */
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
    device.v.used->ring[0].id = mine;
    device.v.used->idx = VHOST_RING_SIZE + 1; /* more than there can be */
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
    device.v.used->idx = UINT16_MAX; /* backwards */
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
    device.v.used->idx = 1;
    assert_int_equal(vhost_ring_next(&ring, &slot), 1);
    device_give(mine); /* twice */
    assert_int_equal(vhost_ring_next(&ring, &slot), -1);
}

/* --- the protocol ---------------------------------------------------------------------------------------------------------- */

struct message {
    uint32_t request, flags, size;
    uint8_t payload[512];
    int fds[8];
    unsigned n_fds;
};

#define HEADER offsetof(struct message, payload)

struct backend {
    int socket;
    uint64_t features, protocol;
    uint32_t refused;        /* request that is acknowledged as failed */
    uint32_t odd_reply;      /* request whose reply has an odd size */
    uint32_t deaf;           /* request at which it hangs up */
    struct message last[32]; /* by request */
    char order[128];
    pthread_t thread;
};

static bool receive(int fd, struct message *m)
{
    union {
        struct cmsghdr align;
        char bytes[256];
    } control;
    memset(m, 0, sizeof(*m));
    struct iovec iov = {m, HEADER};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    if (recvmsg(fd, &h, 0) != (ssize_t)HEADER)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (c) {
        m->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
    }
    return !m->size || (m->size <= sizeof(m->payload) && recv(fd, m->payload, m->size, MSG_WAITALL) == (ssize_t)m->size);
}

static void reply(const struct backend *b, struct message *m, const void *payload, uint32_t size)
{
    memcpy(m->payload, payload, size);
    m->size = size + (m->request == b->odd_reply);
    m->flags = 1 | 1u << 2;
    if (send(b->socket, m, HEADER + m->size, MSG_NOSIGNAL) < 0) {
        /* the other side has gone */
    }
}

static void *backend_main(void *arg)
{
    struct backend *b = arg;
    struct message m;
    while (receive(b->socket, &m) && m.request != b->deaf) {
        const uint64_t refused = m.request == b->refused;
        const struct vhost_vring_state state = {0, 7};
        char number[8];
        snprintf(number, sizeof(number), "%u ", m.request);
        strncat(b->order, number, sizeof(b->order) - strlen(b->order) - 1);
        b->last[m.request % ARRAY_LEN(b->last)] = m;
        if (m.request == 1) {
            reply(b, &m, &b->features, 8);
        } else if (m.request == 15) {
            reply(b, &m, &b->protocol, 8);
        } else if (m.request == 11) {
            reply(b, &m, &state, sizeof(state));
        } else if (m.request == 24) {
            uint8_t config[sizeof(m.payload)];
            memcpy(config, m.payload, 12);
            for (unsigned i = 12; i < m.size; i++)
                config[i] = (uint8_t)i;
            reply(b, &m, config, m.size);
        } else if (m.flags & 1u << 3) {
            reply(b, &m, &refused, 8);
        }
    }
    close(b->socket);
    return NULL;
}

static const struct backend usual = {
    .features = 1ull << VIRTIO_F_VERSION_1 | 1ull << 30 | 1ull << 5, .protocol = 0x8f2b, .refused = 99, .odd_reply = 99, .deaf = 99};

static struct vhost_user begin(struct backend *b)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    b->socket = fd[1];
    assert_int_equal(pthread_create(&b->thread, NULL, backend_main, b), 0);
    return (struct vhost_user){.socket = fd[0]};
}

static void end(struct backend *b, struct vhost_user *v)
{
    close(v->socket);
    pthread_join(b->thread, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(b->last); i++) {
        for (unsigned n = 0; n < b->last[i].n_fds; n++)
            close(b->last[i].fds[n]);
    }
}

static uint64_t u64_at(const struct message *m, unsigned off)
{
    uint64_t v;
    memcpy(&v, m->payload + off, sizeof(v));
    return v;
}

static int start(struct vhost_user *v)
{
    const struct vhost_user_region regions[2] = {{(void *)0x10000, 0x2000, 0}, {(void *)0x7f0000000000, 1ull << 30, 1}};
    const struct vring shared = {256, (void *)0x10000, (void *)0x11000, (void *)0x11800};
    return vhost_user_start(v, regions, 2, &shared, 0, 1);
}

static void conversation(void **state UNUSED)
{
    for (unsigned ack = 0; ack < 2; ack++) {
        struct backend b = usual;
        if (!ack)
            b.protocol &= ~(1ull << 3);
        struct vhost_user v = begin(&b);
        uint64_t features = 1ull << VIRTIO_F_VERSION_1 | 1ull << 9;
        uint8_t config[60];
        assert_int_equal(vhost_user_connect(&v, &features), 0);
        assert_int_equal(features, 1ull << VIRTIO_F_VERSION_1);
        assert_int_equal(v.reply_ack, ack);
        assert_int_equal(vhost_user_config(&v, config, sizeof(config)), 0);
        for (unsigned i = 0; i < sizeof(config); i++)
            assert_int_equal(config[i], i + 12);
        assert_int_equal(start(&v), 0);
        assert_int_equal(vhost_user_stop(&v), 0);
        end(&b, &v);
        assert_string_equal(b.order, "1 15 16 3 2 24 5 8 10 9 13 12 18 11 ");
        assert_int_equal(u64_at(&b.last[16], 0), 1u << 9 | ack << 3);
        assert_int_equal(u64_at(&b.last[2], 0), 1ull << VIRTIO_F_VERSION_1 | 1ull << 30);
        const struct message *table = &b.last[5], *addr = &b.last[9];
        assert_int_equal(table->size, 8 + 2 * 32);
        assert_int_equal(table->n_fds, 2);
        const uint64_t words[] = {2, 0x10000, 0x2000, 0x10000, 0, 0x7f0000000000, 1ull << 30, 0x7f0000000000, 0};
        assert_memory_equal(table->payload, words, sizeof(words));
        const uint64_t rings[] = {0, 0x10000, 0x11800, 0x11000, 0};
        assert_int_equal(addr->size, sizeof(rings));
        assert_memory_equal(addr->payload, rings, sizeof(rings));
        assert_int_equal(u64_at(&b.last[8], 0), 256ull << 32);
        assert_int_equal(u64_at(&b.last[10], 0), 0);
        assert_int_equal(u64_at(&b.last[18], 0), 1ull << 32);
        for (unsigned request = 12; request <= 13; request++) {
            assert_int_equal(b.last[request].n_fds, 1);
            assert_int_equal(u64_at(&b.last[request], 0), 0);
        }
    }
}

static void refusals(void **state UNUSED)
{
    uint64_t features;
    struct backend b = usual;
    b.features &= ~(1ull << 30); /* not the protocol we speak */
    struct vhost_user v = begin(&b);
    assert_int_equal(vhost_user_connect(&v, &features), -EPROTO);
    end(&b, &v);

    b = usual;
    b.protocol &= ~(1ull << 9); /* no configuration space to be had */
    v = begin(&b);
    assert_int_equal(vhost_user_connect(&v, &features), -EPROTO);
    end(&b, &v);

    static const uint32_t requests[] = {5, 8, 9, 10, 12, 13, 18};
    for (unsigned i = 0; i < 3 * ARRAY_LEN(requests); i++) {
        uint32_t request = requests[i / 3];
        b = usual;
        *(i % 3 == 0 ? &b.refused : i % 3 == 1 ? &b.odd_reply : &b.deaf) = request;
        v = begin(&b);
        assert_int_equal(vhost_user_connect(&v, &features), 0);
        int err = start(&v);
        assert_true(i % 3 == 0 ? err == -EINVAL : i % 3 == 1 ? err == -EPROTO : err < 0);
        end(&b, &v);
    }
}

static void hang_ups(void **state UNUSED)
{
    static const uint32_t requests[] = {1, 2, 3, 15, 16, 24, 11};
    for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
        uint64_t features = 0;
        uint8_t config[60];
        struct backend b = usual;
        b.deaf = requests[i];
        struct vhost_user v = begin(&b);
        int err = vhost_user_connect(&v, &features);
        if (!err)
            err = vhost_user_config(&v, config, sizeof(config));
        if (!err)
            err = vhost_user_stop(&v);
        assert_true(err < 0);
        end(&b, &v);
    }
}

int main(void)
{
#define RING(test)                                                                                                                         \
    cmocka_unit_test_setup_teardown(test, with_event_idx, teardown_ring), cmocka_unit_test_setup_teardown(test, with_flags, teardown_ring)
    const struct CMUnitTest tests[] = {RING(round_and_round),
                                       RING(full),
                                       RING(suppression),
                                       RING(bad_entries),
                                       cmocka_unit_test(conversation),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(hang_ups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
