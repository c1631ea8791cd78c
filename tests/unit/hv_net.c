/*
 * hv_net.c: the network: options of -netdev user, libslirp behind the loop (DHCP), the virtio device's queues against a backend made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <devices/net/offload.h>
#include <devices/net/user.h>
#include <devices/virtio/net.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "virtio_driver.h"

/* Messages are kept instead of printed. */
static char message[512];
void error_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
}

/* --- options
 * ----------------------------------------------------------------------------------------------------------------------------------- */

static void good_options(void **state UNUSED)
{
    static const char *const set[][2] = {
        {"net", "192.168.5.0/24"},
        {"restrict", "on"},
        {"ipv6", "off"},
        {"hostname", "a"},
        {"hostname", "b"},
        {"hostfwd", "tcp::2222-:22"},
        {"hostfwd", ":127.0.0.1:0-192.168.5.9:80"},
        {"hostfwd", "udp::53-:53"},
    };
    struct net_user_config c = {0};
    for (size_t i = 0; i < ARRAY_LEN(set); i++)
        assert_int_equal(net_user_set(&c, set[i][0], set[i][1]), 1);
    assert_int_equal(net_user_set(&c, "id", "n"), 0);
    assert_int_equal(net_user_complete(&c), 0);
    assert_int_equal(c.host.s_addr, inet_addr("192.168.5.2"));
    assert_int_equal(c.dns.s_addr, inet_addr("192.168.5.3"));
    assert_int_equal(c.dhcp.s_addr, inet_addr("192.168.5.15"));
    assert_true(c.restricted && c.no_ip6 && !c.no_ip4);
    assert_string_equal(c.hostname, "b");
    assert_int_equal(c.n_fwd, 3);
    assert_true(!c.fwd[0].udp && !c.fwd[0].host.s_addr && c.fwd[0].host_port == 2222 && !c.fwd[0].guest.s_addr &&
                c.fwd[0].guest_port == 22);
    assert_true(!c.fwd[1].udp && c.fwd[1].host.s_addr == inet_addr("127.0.0.1") && c.fwd[1].guest.s_addr == inet_addr("192.168.5.9"));
    assert_true(c.fwd[2].udp);
    net_user_free(&c);
}

static void bad_options(void **state UNUSED)
{
    static const char *const set[][2] = {
        {"hostfwd", ""},
        {"hostfwd", "tcp"},
        {"hostfwd", "tcp::22"},
        {"hostfwd", "tcp::-:22"},
        {"hostfwd", "tcp::22-:"},
        {"hostfwd", "tcp::22-:0"},
        {"hostfwd", "tcp::65536-:1"},
        {"hostfwd", "sctp::22-:22"},
        {"hostfwd", "tcp:1.2.3:22-:22"},
        {"hostfwd", "tcp::1-:2x"},
        {"net", "10.0.2.0/33"},
        {"net", "10.0.2.0/255.0.255.0"},
        {"net", "x"},
        {"net", "10.0.2.0/30"},
        {"host", "10.0.2"},
        {"ipv4", "maybe"},
        {"ipv6-net", "10.0.0.0/8"},
        {"ipv6-net", "fec0::/0"},
        {"ipv6-dns", "1.2.3.4"},
        {"hostfwd", "tcp:1.2.3.4-5:6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(set); i++) {
        struct net_user_config c = {0};
        message[0] = 0;
        if (net_user_set(&c, set[i][0], set[i][1]) != -1 || !message[0])
            fail_msg("%s=%s is taken", set[i][0], set[i][1]);
        net_user_free(&c);
    }
    static const char *const together[][2] = {{"host", "10.0.3.2"}, {"dns", "10.0.2.2"}, {"dhcpstart", "10.0.2.255"}};
    for (size_t i = 0; i < ARRAY_LEN(together); i++) {
        struct net_user_config c = {0};
        assert_int_equal(net_user_set(&c, together[i][0], together[i][1]), 1);
        if (net_user_complete(&c) != -1)
            fail_msg("%s=%s is taken", together[i][0], together[i][1]);
        net_user_free(&c);
    }
}

static void addresses(void **state UNUSED)
{
    uint8_t mac[NET_MAC_LEN];
    assert_true(virtio_net_parse_mac(mac, "52:54:00:aB-cd:0f"));
    assert_memory_equal(mac, "\x52\x54\x00\xab\xcd\x0f", 6);
    static const char *const bad[] = {
        "", "52:54:00:12:34", "52:54:00:12:34:5", "52:54:00:12:34:56:", "52:54:00:12:34:5g", "53:54:00:12:34:56", "00:00:00:00:00:00"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(virtio_net_parse_mac(mac, bad[i]));
}

/* --- libslirp
 * ---------------------------------------------------------------------------------------------------------------------------------- */

struct catcher {
    atomic_bool caught;
    uint8_t frame[2048];
    size_t len;
};

static bool catch (void *ctx, const struct virtio_net_hdr *hdr UNUSED, const struct iovec *iov, unsigned n, size_t len)
{
    struct catcher *c = ctx;
    if (len > sizeof(c->frame) || atomic_load(&c->caught))
        return true;
    c->len = virtio_iov_read(iov, n, 0, c->frame, sizeof(c->frame));
    if (c->frame[12] == 0x08 && c->frame[13] == 0x00) /* IPv4: not the router's advertisements */
        atomic_store(&c->caught, true);
    return true;
}
static bool no_work(void *ctx UNUSED)
{
    return false;
}
static void no_flush(void *ctx UNUSED) {}

struct sending {
    struct net_backend *b;
    struct virtio_net_hdr hdr;
    uint8_t *frame;
    size_t len;
};

static void send_on_loop(void *arg)
{
    struct sending *s = arg;
    struct iovec iov = {s->frame, s->len};
    s->b->ops->send(s->b, &s->hdr, &iov, 1, s->len);
}

static void dhcp(void **state UNUSED)
{
    struct net_user_config c = {0};
    struct catcher catcher = {0};
    struct net_client client = {catch, no_work, no_flush, &catcher};
    struct net *net = net_create();
    assert_non_null(net);
    assert_int_equal(net_user_set(&c, "net", "10.7.7.0/24"), 1);
    assert_int_equal(net_user_set(&c, "hostfwd", "tcp:127.0.0.1:0-:22"), 1);
    assert_int_equal(net_user_complete(&c), 0);
    struct net_backend *b = net_user_open(net, "n", &c);
    if (!b && strstr(message, "without libslirp")) {
        net_destroy(net);
        skip();
    }
    assert_non_null(b);
    net_attach(b, &client, NET_OFFLOAD_CSUM);

    /* DHCPDISCOVER with its UDP checksum unfinished, as a driver leaves it */
    uint8_t f[14 + 20 + 8 + 300] = {
        [0 ... 5] = 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x08, 0x00, 0x45, 0, 0x01, 0x48, 0, 0, 0, 0, 64, 17, 0, 0};
    uint8_t *udp = f + 34, *bootp = udp + 8;
    memset(f + 30, 0xff, 4);
    uint16_t sum = (uint16_t)~offload_fold(offload_sum(f + 14, 20, 0));
    memcpy(f + 24, &sum, 2);
    memcpy(udp, "\0\104\0\103\001\064", 6);
    memcpy(bootp, "\1\1\6\0abcd", 8);
    memcpy(bootp + 28, f + 6, 6);
    memcpy(bootp + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
    struct offload_headers h;
    assert_true(offload_parse(f, sizeof(f), &h));
    uint16_t pseudo = offload_pseudo(f, &h, 308);
    memcpy(udp + 6, &pseudo, 2);
    struct sending s = {b, {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6}, f, sizeof(f)};
    net_call(net, send_on_loop, &s);
    for (int i = 0; i < 200 && !atomic_load(&catcher.caught); i++)
        usleep(10000);
    assert_true(atomic_load(&catcher.caught));
    assert_true(catcher.len > 14 + 28 + 240);
    assert_memory_equal(catcher.frame + 42 + 4, "abcd", 4);
    assert_memory_equal(catcher.frame + 42 + 16, "\x0a\x07\x07\x0f", 4);              /* yiaddr */
    assert_memory_equal(catcher.frame + 42 + 236, "\x63\x82\x53\x63\x35\x01\x02", 7); /* an offer */

    net_attach(b, NULL, 0);
    net_destroy(net);
    net_user_free(&c);
}

static void port_in_use(void **state UNUSED)
{
    struct net *net = net_create();
    struct net_user_config c = {0};
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (void *)&a, &len), 0);
    snprintf(text, sizeof(text), "tcp:127.0.0.1:%u-:22", ntohs(a.sin_port));
    assert_int_equal(net_user_set(&c, "hostfwd", text), 1);
    assert_int_equal(net_user_complete(&c), 0);
    assert_null(net_user_open(net, "n", &c));
    assert_non_null(strstr(message, strstr(message, "without libslirp") ? "libslirp" : "in use"));
    net_user_free(&c);
    net_destroy(net);
    close(fd);
}

/* --- the device
 * -------------------------------------------------------------------------------------------------------------------------------- */

#define RX_DESC   (GUEST_RAM_BASE + DESC_AT) /* queue 0 where virtio_driver.h has its ring; queue 1 and 2 behind */
#define Q_AT(n)   (0x4000u + 0x400u * (n))   /* descriptors, +0x100 avail, +0x200 used */
#define RX_BUF(n) (DATA_AT + 0x400u * (n))
#define TX_BUF    (DATA_AT + 0x8000u)
#define CTRL_BUF  (DATA_AT + 0x9000u)

struct fake {
    struct net_backend backend;
    unsigned sent, offloads;
    struct virtio_net_hdr hdr;
    uint8_t frame[4096];
    size_t len;
};

static void fake_send(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len)
{
    struct fake *f = (struct fake *)b;
    f->sent++;
    f->hdr = *hdr;
    f->len = virtio_iov_read(iov, n, 0, f->frame, sizeof(f->frame));
    assert_int_equal(f->len, len);
}
static void fake_offloads(struct net_backend *b, unsigned offloads)
{
    ((struct fake *)b)->offloads = offloads;
}
static void fake_fill(struct net_backend *b UNUSED, struct net_pollset *set UNUSED, int *timeout UNUSED) {}
static void fake_ready(struct net_backend *b UNUSED, const struct net_pollset *set UNUSED) {}
static void fake_close(struct net_backend *b UNUSED) {}
static const struct net_ops fake_ops = {"fake", fake_send, fake_offloads, fake_fill, fake_ready, fake_close};

struct machine {
    struct net *net;
    struct fake fake;
    struct driver d;
    uint16_t avail[3];
};

static struct machine *boot(uint64_t features)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct virtio_net_options o = {.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}};
    m->net = net_create();
    m->fake.backend = (struct net_backend){.ops = &fake_ops, .takes = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4};
    assert_int_equal(net_add(m->net, &m->fake.backend, "n"), 0);
    struct virtio_net *s = virtio_net_create(&m->fake.backend, &o);
    assert_true(driver_create(&m->d, &virtio_net_class, s));
    virtio_net_bind(s, m->d.v);
    assert_int_equal(driver_negotiate(&m->d, features | 1ull << VIRTIO_F_VERSION_1) & 8, 8);
    driver_queue(&m->d, 0, RING_SIZE, RX_DESC, GUEST_RAM_BASE + AVAIL_AT, GUEST_RAM_BASE + USED_AT);
    for (unsigned q = 1; q < 3; q++)
        driver_queue(&m->d, q, RING_SIZE, GUEST_RAM_BASE + Q_AT(q), GUEST_RAM_BASE + Q_AT(q) + 0x100, GUEST_RAM_BASE + Q_AT(q) + 0x200);
    reg_write(&m->d, 0x070, 0xf);
    return m;
}

static void shut_down(struct machine *m)
{
    driver_destroy(&m->d);
    net_destroy(m->net);
    free(m);
}

static void nothing(void *arg UNUSED) {}

/* The loop has worked off what was notified. */
static void settle(struct machine *m)
{
    for (unsigned i = 0; i < 3; i++)
        net_call(m->net, nothing, NULL);
}

static uint32_t avail_at(unsigned q)
{
    return q ? Q_AT(q) + 0x100 : AVAIL_AT;
}
static uint32_t used_at(unsigned q)
{
    return q ? Q_AT(q) + 0x200 : USED_AT;
}

static void offer(struct machine *m, unsigned q, uint16_t head)
{
    put16(&m->d, avail_at(q) + 4 + 2 * (m->avail[q] % RING_SIZE), head);
    put16(&m->d, avail_at(q) + 2, ++m->avail[q]);
}

static void offer_rx(struct machine *m, unsigned n, uint32_t len)
{
    put_desc(&m->d, DESC_AT, n, (struct ring_desc){GUEST_RAM_BASE + RX_BUF(n), len, F_WRITE, 0});
    offer(m, 0, (uint16_t)n);
}

struct delivery {
    struct machine *m;
    uint8_t frame[2000];
    size_t len;
    bool taken;
};

static void deliver_on_loop(void *arg)
{
    struct delivery *v = arg;
    struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
    struct iovec iov[2] = {{v->frame, 10}, {v->frame + 10, v->len - 10}};
    v->taken = net_deliver(&v->m->fake.backend, &hdr, iov, 2, v->len);
}

static bool deliver(struct machine *m, const uint8_t *to, size_t len)
{
    struct delivery v = {.m = m, .len = len};
    for (size_t i = 0; i < len; i++)
        v.frame[i] = (uint8_t)(i * 3);
    memcpy(v.frame, to, 6);
    net_call(m->net, deliver_on_loop, &v);
    return v.taken;
}

static const uint8_t own[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, other[6] = {0x52, 0x54, 0, 1, 2, 3}, group[6] = {1, 0, 0x5e, 0, 0, 1},
                     all[6] = {255, 255, 255, 255, 255, 255};

static uint32_t used_len(struct machine *m, unsigned q, unsigned i)
{
    return get16(&m->d, used_at(q) + 4 + 8 * (i % RING_SIZE) + 4);
}

static void receive_merged(void **state UNUSED)
{
    struct machine *m = boot(1ull << VIRTIO_NET_F_MRG_RXBUF);
    for (unsigned i = 0; i < 4; i++)
        offer_rx(m, i, 100);
    assert_true(deliver(m, own, 250)); /* with the header 262 bytes: three buffers */
    assert_int_equal(get16(&m->d, USED_AT + 2), 3);
    assert_int_equal(get16(&m->d, RX_BUF(0) + 10), 3); /* num_buffers */
    assert_int_equal(m->d.mem.ram[RX_BUF(0)], VIRTIO_NET_HDR_F_DATA_VALID);
    for (unsigned i = 6; i < 250; i++)
        assert_int_equal(m->d.mem.ram[RX_BUF((i + 12) / 100) + (i + 12) % 100], (uint8_t)(i * 3));
    assert_int_equal(used_len(m, 0, 0), 100);
    assert_int_equal(used_len(m, 0, 2), 62);

    assert_false(deliver(m, own, 250)); /* one buffer is left: not enough, and it stays */
    assert_int_equal(get16(&m->d, USED_AT + 2), 3);
    assert_int_equal(get16(&m->d, USED_AT) & 1, 0); /* the driver is asked to tell */
    offer_rx(m, 4, 100);
    offer_rx(m, 5, 100);
    reg_write(&m->d, 0x050, 0);
    settle(m);
    assert_false(m->fake.backend.blocked);
    assert_true(deliver(m, own, 250));
    assert_int_equal(get16(&m->d, USED_AT + 2), 6);
    assert_int_equal(get16(&m->d, USED_AT + 4 + 8 * 3), 3); /* the buffer that was put back comes first */
    shut_down(m);
}

static void receive_whole(void **state UNUSED)
{
    struct machine *m = boot(0);
    offer_rx(m, 0, 100);
    offer_rx(m, 1, 1526);
    assert_true(deliver(m, own, 250)); /* does not fit the next buffer: lost */
    assert_int_equal(get16(&m->d, USED_AT + 2), 0);
    assert_true(deliver(m, own, 88));
    assert_int_equal(get16(&m->d, USED_AT + 2), 1);
    assert_int_equal(used_len(m, 0, 0), 100);
    assert_int_equal(get16(&m->d, RX_BUF(0) + 10), 1);
    assert_true(deliver(m, own, 1514));
    assert_int_equal(get16(&m->d, USED_AT + 2), 2);
    offer_rx(m, 2, 5); /* no room for the header: the driver's mistake */
    assert_true(deliver(m, own, 100));
    assert_int_equal(reg_read(&m->d, 0x070) & 0x40, 0x40);
    shut_down(m);
}

static void transmit(void **state UNUSED)
{
    struct machine *m = boot(1ull << VIRTIO_NET_F_CSUM);
    uint8_t bytes[12 + 60] = {VIRTIO_NET_HDR_F_NEEDS_CSUM};
    for (unsigned i = 12; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    put(&m->d, TX_BUF, bytes, sizeof(bytes));
    /* header and frame in one buffer; split in the middle of the header; too short; header alone */
    put_desc(&m->d, Q_AT(1), 0, (struct ring_desc){GUEST_RAM_BASE + TX_BUF, sizeof(bytes), 0, 0});
    put_desc(&m->d, Q_AT(1), 1, (struct ring_desc){GUEST_RAM_BASE + TX_BUF, 5, F_NEXT, 2});
    put_desc(&m->d, Q_AT(1), 2, (struct ring_desc){GUEST_RAM_BASE + TX_BUF + 5, 20, F_NEXT, 3});
    put_desc(&m->d, Q_AT(1), 3, (struct ring_desc){GUEST_RAM_BASE + TX_BUF + 25, sizeof(bytes) - 25, 0, 0});
    put_desc(&m->d, Q_AT(1), 4, (struct ring_desc){GUEST_RAM_BASE + TX_BUF, 12 + 13, 0, 0});
    put_desc(&m->d, Q_AT(1), 5, (struct ring_desc){GUEST_RAM_BASE + TX_BUF, 12, 0, 0});
    put_desc(&m->d, Q_AT(1), 6, (struct ring_desc){GUEST_RAM_BASE + TX_BUF, 0x10000 + 100, 0, 0});
    static const uint16_t heads[] = {0, 1, 4, 5, 6};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        offer(m, 1, heads[i]);
        reg_write(&m->d, 0x050, 1);
        settle(m);
        assert_int_equal(get16(&m->d, used_at(1) + 2), i + 1);
        assert_int_equal(m->fake.sent, i < 2 ? i + 1 : 2);
        assert_int_equal(m->fake.len, 60);
        assert_memory_equal(m->fake.frame, bytes + 12, 60);
        assert_int_equal(m->fake.hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    }
    assert_int_not_equal(m->d.level_changes, 0);
    shut_down(m);
}

/* A command on the control queue; the answer. */
static uint8_t command(struct machine *m, const void *bytes, size_t len)
{
    put(&m->d, CTRL_BUF, bytes, len);
    m->d.mem.ram[CTRL_BUF + 0x800] = 0xee;
    put_desc(&m->d, Q_AT(2), 0, (struct ring_desc){GUEST_RAM_BASE + CTRL_BUF, (uint32_t)len, F_NEXT, 1});
    put_desc(&m->d, Q_AT(2), 1, (struct ring_desc){GUEST_RAM_BASE + CTRL_BUF + 0x800, 1, F_WRITE, 0});
    offer(m, 2, 0);
    reg_write(&m->d, 0x050, 2);
    settle(m);
    return m->d.mem.ram[CTRL_BUF + 0x800];
}

static bool arrives(struct machine *m, const uint8_t *to)
{
    uint16_t before = get16(&m->d, USED_AT + 2);
    offer_rx(m, before % RING_SIZE, 1526);
    assert_true(deliver(m, to, 60));
    bool arrived = get16(&m->d, USED_AT + 2) != before;
    if (!arrived) /* take the buffer away */
        assert_true(deliver(m, own, 60));
    return arrived;
}

static void filters(void **state UNUSED)
{
    struct machine *m = boot(1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_CTRL_RX | 1ull << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS |
                             1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_GUEST_TSO4);
    assert_int_equal(m->fake.offloads, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4);
    assert_true(arrives(m, other)); /* promiscuous until told otherwise */
    assert_int_equal(command(m, "\0\0\0", 3), VIRTIO_NET_OK);
    assert_false(arrives(m, other));
    assert_false(arrives(m, group));
    assert_true(arrives(m, own));
    assert_true(arrives(m, all));
    assert_int_equal(command(m, "\0\1\1", 3), VIRTIO_NET_OK); /* all multicast */
    assert_true(arrives(m, group));
    assert_int_equal(command(m, "\0\1\0", 3), VIRTIO_NET_OK);
    assert_int_equal(command(m, "\1\0\1\0\0\0\x52\x54\0\1\2\3\1\0\0\0\1\0\x5e\0\0\1", 22), VIRTIO_NET_OK); /* tables */
    assert_true(arrives(m, other));
    assert_true(arrives(m, group));
    assert_int_equal(command(m, "\1\0\xff\xff\xff\xff\0\0\0\0", 10), VIRTIO_NET_ERR); /* longer than the command */
    assert_int_equal(command(m, "\1\0\1\0\0\0\x52\x54\0\1", 10), VIRTIO_NET_ERR);
    assert_int_equal(command(m, "\0\6\1", 3), VIRTIO_NET_ERR);
    assert_int_equal(command(m, "\0\0", 2), VIRTIO_NET_ERR);
    assert_int_equal(command(m, "\0", 1), VIRTIO_NET_ERR);
    assert_int_equal(command(m, "\x63\0\0", 3), VIRTIO_NET_ERR);
    assert_int_equal(command(m, "\1\1\x52\x54\0\1\2\4", 8), VIRTIO_NET_OK); /* a new address */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(virtio_mmio_desc.read(m->d.v, 0x100 + i, 1), (uint8_t) "\x52\x54\0\1\2\4"[i]);
    assert_int_equal(command(m, "\5\0\0\0\0\0\0\0\0\0", 10), VIRTIO_NET_OK); /* offloads off */
    assert_int_equal(m->fake.offloads, 0);
    assert_int_equal(command(m, "\5\0\0\1\0\0\0\0\0\0", 10), VIRTIO_NET_ERR); /* GUEST_TSO6 has not been negotiated */
    reg_write(&m->d, 0x070, 0);                                               /* reset: the address is the old one */
    assert_int_equal(virtio_mmio_desc.read(m->d.v, 0x105, 1), 0x56);
    shut_down(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_options),  cmocka_unit_test(bad_options), cmocka_unit_test(addresses),
        cmocka_unit_test(dhcp),          cmocka_unit_test(port_in_use), cmocka_unit_test(receive_merged),
        cmocka_unit_test(receive_whole), cmocka_unit_test(transmit),    cmocka_unit_test(filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
