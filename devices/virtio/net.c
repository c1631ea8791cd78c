/*
 * net.c: the virtio network device; see net.h.
 *
 * Its queues are used by the net loop's thread alone (devices/net/net.h), between net_attach(client) at start and net_attach(NULL) at stop.
 * Other threads only kick the loop, and read the configuration space, of which the address may change meanwhile.
 *
 * Notifications and interrupts: while the loop works on the transmit queue the driver is asked to be silent; of the receive queue it need
 * not speak unless a frame waits for buffers. Interrupts are raised once a round (flush), after everything that was moved in it.
 */
#include <devices/board.h>
#include <devices/virtio/net.h>
#include <hypervisor/error.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_NETWORK 1u

enum { QUEUE_RX, QUEUE_TX, QUEUE_CTRL, N_QUEUES };

#define QUEUE_SIZE  256u
#define TX_BUDGET   64u /* frames sent before the sockets are looked at */
#define RX_CHAINS   64u /* buffers that one frame may be spread over: Linux's smallest take a frame of NET_FRAME_MAX in 44 */
#define CTRL_MAX    4096u
#define FILTER_MACS 64u /* more: all of that kind are let through */

#define FEATURE(n) (1ull << (n))

/* What the driver does for received frames, as offered and as it may switch on and off later. */
static const struct {
    uint8_t feature;
    unsigned offload;
} guest_offloads[] = {
    {VIRTIO_NET_F_GUEST_CSUM, NET_OFFLOAD_CSUM},
    {VIRTIO_NET_F_GUEST_TSO4, NET_OFFLOAD_TSO4},
    {VIRTIO_NET_F_GUEST_TSO6, NET_OFFLOAD_TSO6},
    {VIRTIO_NET_F_GUEST_ECN, NET_OFFLOAD_ECN},
};

/* What the device does for sent frames, as far as the backend takes it. */
static const struct {
    uint8_t feature;
    unsigned offload;
} host_offloads[] = {
    {VIRTIO_NET_F_CSUM, NET_OFFLOAD_CSUM},
    {VIRTIO_NET_F_HOST_TSO4, NET_OFFLOAD_TSO4},
    {VIRTIO_NET_F_HOST_TSO6, NET_OFFLOAD_TSO6},
    {VIRTIO_NET_F_HOST_ECN, NET_OFFLOAD_ECN},
};

#define CTRL_FEATURES                                                                                                                      \
    (FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_CTRL_RX) | FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) |                                 \
     FEATURE(VIRTIO_NET_F_CTRL_VLAN) | FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))

/* Features that make no sense without another (section 5.1.3.1). */
static const struct {
    uint8_t on;
    uint64_t features;
} depend[] = {
    {VIRTIO_NET_F_CTRL_VQ, CTRL_FEATURES},
    {VIRTIO_NET_F_CSUM, FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_HOST_TSO6) | FEATURE(VIRTIO_NET_F_HOST_ECN)},
    {VIRTIO_NET_F_GUEST_CSUM, FEATURE(VIRTIO_NET_F_GUEST_TSO4) | FEATURE(VIRTIO_NET_F_GUEST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_ECN)},
};

struct mac_table {
    unsigned n;
    bool overflow;
    uint8_t mac[FILTER_MACS][NET_MAC_LEN];
};

/* Which received frames the driver wants (section 5.1.6.5.1 to 3). */
struct filter {
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast, vlan;
    struct mac_table unicast, multicast;
    uint8_t vlans[4096 / 8];
};

struct virtio_net {
    struct virtio *v;
    struct net_backend *backend;
    struct net_client client;
    uint64_t offered;
    uint16_t host_mtu;
    uint8_t first_mac[NET_MAC_LEN];
    _Atomic uint64_t mac; /* bytes 0..5 as they lie in memory */

    /* between start and stop; loop */
    uint64_t features;
    bool mergeable, broken;
    bool starved; /* a frame waits for receive buffers */
    struct virtqueue *queue[N_QUEUES];
    struct filter filter;
    struct virtio_chain tx, ctrl;
    struct virtio_chain rx[RX_CHAINS];
};

#define HDR_LEN sizeof(struct virtio_net_hdr_v1) /* with VERSION_1 always this long */

/* --- which frames the guest wants
 * -------------------------------------------------------------------------------------------------------------- */

static bool in_table(const struct mac_table *t, const uint8_t *mac)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (!memcmp(t->mac[i], mac, NET_MAC_LEN))
            return true;
    }
    return t->overflow;
}

static bool wanted(struct virtio_net *s, const uint8_t *frame)
{
    static const uint8_t broadcast[NET_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const struct filter *f = &s->filter;
    if (f->promisc)
        return true;
    if (f->vlan && frame[12] == 0x81 && frame[13] == 0x00) {
        unsigned id = (frame[14] << 8 | frame[15]) & 0xfff;
        if (!(f->vlans[id / 8] >> id % 8 & 1))
            return false;
    }
    if (!memcmp(frame, broadcast, NET_MAC_LEN))
        return !f->nobcast;
    if (frame[0] & 1)
        return !f->nomulti && (f->allmulti || in_table(&f->multicast, frame));
    if (f->nouni)
        return false;
    uint64_t own = atomic_load_explicit(&s->mac, memory_order_relaxed);
    return f->alluni || !memcmp(&own, frame, NET_MAC_LEN) || in_table(&f->unicast, frame);
}

/* --- receive
 * ----------------------------------------------------------------------------------------------------------------------------------- */

/* A place in a list of buffers. */
struct cursor {
    const struct iovec *iov;
    unsigned n;
    size_t off; /* in iov[0] */
};

/* Copy at most len bytes, as long as both lists last; returns bytes copied. */
static size_t copy(struct cursor *to, struct cursor *from, size_t len)
{
    size_t done = 0;
    while (done < len && to->n && from->n) {
        size_t room = to->iov->iov_len - to->off, have = from->iov->iov_len - from->off, n = len - done;
        n = n < room ? n : room;
        n = n < have ? n : have;
        memcpy((char *)to->iov->iov_base + to->off, (const char *)from->iov->iov_base + from->off, n);
        done += n;
        to->off += n;
        from->off += n;
        if (to->off == to->iov->iov_len)
            *to = (struct cursor){to->iov + 1, to->n - 1, 0};
        if (from->off == from->iov->iov_len)
            *from = (struct cursor){from->iov + 1, from->n - 1, 0};
    }
    return done;
}

static void give_back(struct virtqueue *q, const struct virtio_chain *c, unsigned n)
{
    while (n)
        virtqueue_unpop(q, &c[--n]);
}

/*
 * Take buffers for `total` bytes. Their number; 0: not enough there, the driver tells when there are more; -1: this frame cannot be
 * received at all.
 *
 * Asking for a notification while buffers are held is on purpose: it then comes with the next buffer after those. Asked for after they are
 * given back it would not come, the driver has told of these already.
 */
static int take_buffers(struct virtio_net *s, size_t total)
{
    struct virtqueue *q = s->queue[QUEUE_RX];
    unsigned n = 0;
    size_t room = 0;
    bool asked = s->starved;
    while (room < total && n < RX_CHAINS && (s->mergeable || !n)) {
        int r = virtqueue_pop(q, &s->rx[n]);
        if (r < 0) {
            s->broken = true;
            return -1;
        }
        if (r == 0) {
            asked = true;
            if (virtqueue_want_notify(q, true))
                continue;
            give_back(q, s->rx, n);
            return 0;
        }
        if (s->rx[n].in_len < HDR_LEN) {
            virtio_needs_reset(s->v, "a receive buffer is too small for the header");
            s->broken = true;
            return -1;
        }
        room += s->rx[n++].in_len;
    }
    if (asked)
        virtqueue_want_notify(q, false);
    if (room < total) {
        give_back(q, s->rx, n);
        return -1;
    }
    return (int)n;
}

static bool net_receive(void *ctx, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len)
{
    struct virtio_net *s = ctx;
    uint8_t start[18] = {0};
    if (s->broken || !s->queue[QUEUE_RX] || len < NET_ETH_HLEN)
        return true;
    virtio_iov_read(iov, n, 0, start, sizeof(start));
    if (!wanted(s, start))
        return true;
    int taken = take_buffers(s, HDR_LEN + len);
    s->starved = taken == 0;
    if (taken <= 0)
        return taken < 0;

    struct virtio_net_hdr_v1 out = {0};
    memcpy(&out, hdr, sizeof(*hdr));
    out.num_buffers = (uint16_t)taken;
    struct cursor from = {iov, n, 0};
    for (int i = 0; i < taken; i++) {
        struct virtio_chain *c = &s->rx[i];
        struct cursor to = {virtio_chain_in(c), c->n_in, 0};
        size_t written = 0;
        if (i == 0) {
            struct iovec h = {&out, HDR_LEN};
            struct cursor head = {&h, 1, 0};
            written = copy(&to, &head, HDR_LEN);
        }
        written += copy(&to, &from, len);
        virtqueue_fill(s->queue[QUEUE_RX], c, (uint32_t)written);
    }
    virtqueue_publish(s->queue[QUEUE_RX]); /* all at once: a driver that polls takes a frame with missing buffers for an error */
    return true;
}

/* --- transmit
 * ---------------------------------------------------------------------------------------------------------------------------------- */

static void transmit(struct virtio_net *s, struct virtio_chain *c)
{
    struct virtio_net_hdr hdr;
    uint64_t len = c->out_len - HDR_LEN;
    if (c->out_len < HDR_LEN + NET_ETH_HLEN || len > NET_FRAME_MAX)
        return;
    virtio_iov_read(c->out, c->n_out, 0, &hdr, sizeof(hdr));
    unsigned i = 0;
    size_t skip = HDR_LEN;
    while (skip >= c->out[i].iov_len)
        skip -= c->out[i++].iov_len;
    c->out[i].iov_base = (char *)c->out[i].iov_base + skip;
    c->out[i].iov_len -= skip;
    s->backend->ops->send(s->backend, &hdr, c->out + i, c->n_out - i, len);
}

/* true: the budget is used up, there is more. */
static bool work_tx(struct virtio_net *s)
{
    struct virtqueue *q = s->queue[QUEUE_TX];
    if (!q)
        return false;
    virtqueue_want_notify(q, false);
    for (unsigned n = 0; n < TX_BUDGET && !s->broken; n++) {
        int r = virtqueue_pop(q, &s->tx);
        if (r == 0) {
            if (!virtqueue_want_notify(q, true))
                return false;
            virtqueue_want_notify(q, false);
            continue;
        }
        if (r < 0) {
            s->broken = true;
            return false;
        }
        transmit(s, &s->tx);
        virtqueue_push(q, &s->tx, 0);
    }
    return !s->broken;
}

/* --- the control queue (section 5.1.6.5)
 * ------------------------------------------------------------------------------------------------------- */

static bool ctrl_rx(struct virtio_net *s, uint8_t cmd, const uint8_t *p, size_t len)
{
    struct filter *f = &s->filter;
    bool *const flags[] = {
        [VIRTIO_NET_CTRL_RX_PROMISC] = &f->promisc, [VIRTIO_NET_CTRL_RX_ALLMULTI] = &f->allmulti,
        [VIRTIO_NET_CTRL_RX_ALLUNI] = &f->alluni,   [VIRTIO_NET_CTRL_RX_NOMULTI] = &f->nomulti,
        [VIRTIO_NET_CTRL_RX_NOUNI] = &f->nouni,     [VIRTIO_NET_CTRL_RX_NOBCAST] = &f->nobcast,
    };
    if (cmd >= ARRAY_LEN(flags) || len != 1)
        return false;
    *flags[cmd] = p[0];
    return true;
}

/* A table of addresses: 32-bit count, then the addresses. Bytes it took, or 0. */
static size_t get_table(struct mac_table *t, const uint8_t *p, size_t len)
{
    uint32_t n;
    if (len < 4)
        return 0;
    memcpy(&n, p, 4);
    if (n > (len - 4) / NET_MAC_LEN)
        return 0;
    t->overflow = n > FILTER_MACS;
    t->n = t->overflow ? 0 : n;
    memcpy(t->mac, p + 4, (size_t)t->n * NET_MAC_LEN);
    return 4 + (size_t)n * NET_MAC_LEN;
}

static void set_mac(struct virtio_net *s, const uint8_t *mac)
{
    uint64_t value = 0;
    memcpy(&value, mac, NET_MAC_LEN);
    atomic_store_explicit(&s->mac, value, memory_order_relaxed);
}

static bool ctrl_mac(struct virtio_net *s, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET && len == NET_MAC_LEN) {
        set_mac(s, p);
        return true;
    }
    if (cmd != VIRTIO_NET_CTRL_MAC_TABLE_SET)
        return false;
    size_t first = get_table(&s->filter.unicast, p, len);
    return first && get_table(&s->filter.multicast, p + first, len - first);
}

static bool ctrl_vlan(struct virtio_net *s, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (len != 2 || cmd > VIRTIO_NET_CTRL_VLAN_DEL)
        return false;
    unsigned id = p[0] | p[1] << 8;
    if (id >= 4096)
        return false;
    uint8_t bit = (uint8_t)(1u << id % 8), *byte = &s->filter.vlans[id / 8];
    *byte = (uint8_t)(cmd == VIRTIO_NET_CTRL_VLAN_ADD ? *byte | bit : *byte & ~bit);
    return true;
}

static unsigned offloads_of(uint64_t features)
{
    unsigned o = 0;
    for (size_t i = 0; i < ARRAY_LEN(guest_offloads); i++)
        o |= features & FEATURE(guest_offloads[i].feature) ? guest_offloads[i].offload : 0;
    return o & NET_OFFLOAD_CSUM ? o : 0; /* large segments come with unfinished checksums */
}

static bool ctrl_offloads(struct virtio_net *s, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint64_t value;
    if (cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || len != sizeof(value))
        return false;
    memcpy(&value, p, sizeof(value));
    for (size_t i = 0; i < ARRAY_LEN(guest_offloads); i++) {
        if (value & ~s->features & FEATURE(guest_offloads[i].feature))
            return false;
    }
    s->backend->ops->set_offloads(s->backend, offloads_of(value));
    return true;
}

static const struct {
    uint8_t class, feature;
    bool (*run)(struct virtio_net *s, uint8_t cmd, const uint8_t *p, size_t len);
} commands[] = {
    {VIRTIO_NET_CTRL_RX, VIRTIO_NET_F_CTRL_RX, ctrl_rx},
    {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_F_CTRL_RX, ctrl_mac},
    {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_F_CTRL_VLAN, ctrl_vlan},
    {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, ctrl_offloads},
};

static uint8_t run_command(struct virtio_net *s, const struct virtio_chain *c)
{
    uint8_t copied[CTRL_MAX];
    size_t len = virtio_iov_read(c->out, c->n_out, 0, copied, sizeof(copied));
    if (len < 2 || c->out_len > sizeof(copied))
        return VIRTIO_NET_ERR;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].class == copied[0] && s->features & FEATURE(commands[i].feature))
            return commands[i].run(s, copied[1], copied + 2, len - 2) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
    }
    return VIRTIO_NET_ERR;
}

static void work_ctrl(struct virtio_net *s)
{
    struct virtqueue *q = s->queue[QUEUE_CTRL];
    for (unsigned n = 0; q && n < QUEUE_SIZE && !s->broken; n++) {
        int r = virtqueue_pop(q, &s->ctrl);
        if (r <= 0) {
            s->broken |= r < 0;
            return;
        }
        uint8_t ack = run_command(s, &s->ctrl);
        size_t written = virtio_iov_write(virtio_chain_in(&s->ctrl), s->ctrl.n_in, 0, &ack, 1);
        virtqueue_push(q, &s->ctrl, (uint32_t)written);
    }
}

/* --- the loop's calls
 * -------------------------------------------------------------------------------------------------------------------------- */

static bool net_work(void *ctx)
{
    struct virtio_net *s = ctx;
    if (s->broken)
        return false;
    work_ctrl(s);
    if (s->starved)
        net_resume(s->backend); /* perhaps that is what the driver told about */
    return work_tx(s);
}

static void net_flush(void *ctx)
{
    struct virtio_net *s = ctx;
    if (s->broken)
        return;
    if (s->queue[QUEUE_TX])
        virtqueue_signal_early(s->queue[QUEUE_TX]); /* work_tx() ends with want_notify() */
    if (s->queue[QUEUE_CTRL])
        virtqueue_signal(s->queue[QUEUE_CTRL]);
    if (s->queue[QUEUE_RX])
        virtqueue_signal(s->queue[QUEUE_RX]);
}

/* --- the transport's calls
 * --------------------------------------------------------------------------------------------------------------------- */

static uint64_t net_features(void *dev)
{
    struct virtio_net *s = dev;
    return s->offered;
}

static void net_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    struct virtio_net *s = dev;
    struct virtio_net_config c = {.status = VIRTIO_NET_S_LINK_UP, .max_virtqueue_pairs = 1, .mtu = s->host_mtu};
    uint64_t mac = atomic_load_explicit(&s->mac, memory_order_relaxed);
    memcpy(c.mac, &mac, NET_MAC_LEN);
    memcpy(buf, (const char *)&c + off, len);
}

static int net_start(void *dev, uint64_t features)
{
    struct virtio_net *s = dev;
    s->features = features;
    s->mergeable = features & FEATURE(VIRTIO_NET_F_MRG_RXBUF);
    s->broken = s->starved = false;
    for (unsigned i = 0; i < N_QUEUES; i++)
        s->queue[i] = virtio_queue(s->v, i);
    if (s->queue[QUEUE_RX])
        virtqueue_want_notify(s->queue[QUEUE_RX], false);
    s->filter = (struct filter){.promisc = true, .vlan = features & FEATURE(VIRTIO_NET_F_CTRL_VLAN)};
    net_attach(s->backend, &s->client, offloads_of(features));
    net_kick(s->backend->net);
    return 0;
}

static void net_notify(void *dev, unsigned queue UNUSED)
{
    struct virtio_net *s = dev;
    net_kick(s->backend->net);
}

static void net_stop(void *dev)
{
    struct virtio_net *s = dev;
    net_attach(s->backend, NULL, 0);
    set_mac(s, s->first_mac);
}

static void net_device_destroy(void *dev)
{
    free(dev);
}

const struct virtio_class virtio_net_class = {
    .name = "virtio-net-device",
    .device_id = ID_NETWORK,
    .n_queues = N_QUEUES,
    .queue_size = QUEUE_SIZE,
    .config_size = offsetof(struct virtio_net_config, mtu) + sizeof(uint16_t),
    .features = net_features,
    .config_read = net_config_read,
    .start = net_start,
    .notify = net_notify,
    .stop = net_stop,
    .destroy = net_device_destroy,
};

/* --- making one
 * -------------------------------------------------------------------------------------------------------------------------------- */

bool virtio_net_parse_mac(uint8_t mac[NET_MAC_LEN], const char *text)
{
    bool any = false;
    for (unsigned i = 0; i < NET_MAC_LEN; i++, text += 3) {
        unsigned value = 0;
        for (unsigned k = 0; k < 2; k++) {
            char c = (char)(text[k] | 0x20);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
                return false;
            value = value << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        if (i < NET_MAC_LEN - 1 ? text[2] != ':' && text[2] != '-' : text[2])
            return false;
        mac[i] = (uint8_t)value;
        any |= value != 0;
    }
    return any && !(mac[0] & 1);
}

struct virtio_net *virtio_net_create(struct net_backend *backend, const struct virtio_net_options *o)
{
    struct virtio_net *s = calloc(1, sizeof(*s));
    if (!s) {
        error_report("there is no memory for the device %s", virtio_net_class.name);
        return NULL;
    }
    s->backend = backend;
    s->client = (struct net_client){net_receive, net_work, net_flush, s};
    s->host_mtu = o->host_mtu;
    memcpy(s->first_mac, o->mac, NET_MAC_LEN);
    set_mac(s, o->mac);
    s->offered = FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_STATUS) | FEATURE(VIRTIO_NET_F_MRG_RXBUF) | CTRL_FEATURES |
                 (o->host_mtu ? FEATURE(VIRTIO_NET_F_MTU) : 0);
    for (size_t i = 0; i < ARRAY_LEN(host_offloads); i++)
        s->offered |= backend->takes & host_offloads[i].offload ? FEATURE(host_offloads[i].feature) : 0;
    for (size_t i = 0; backend->takes && i < ARRAY_LEN(guest_offloads); i++)
        s->offered |= FEATURE(guest_offloads[i].feature);
    s->offered &= ~o->not_offered;
    for (size_t i = 0; i < ARRAY_LEN(depend); i++)
        s->offered &= s->offered & FEATURE(depend[i].on) ? ~0ull : ~depend[i].features;
    return s;
}

void virtio_net_bind(struct virtio_net *s, struct virtio *v)
{
    s->v = v;
}

/* --- the command line
 * -------------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    uint8_t feature;
} feature_keys[] = {
    {"csum", VIRTIO_NET_F_CSUM},
    {"host_tso4", VIRTIO_NET_F_HOST_TSO4},
    {"host_tso6", VIRTIO_NET_F_HOST_TSO6},
    {"guest_csum", VIRTIO_NET_F_GUEST_CSUM},
    {"guest_tso4", VIRTIO_NET_F_GUEST_TSO4},
    {"guest_tso6", VIRTIO_NET_F_GUEST_TSO6},
    {"mrg_rxbuf", VIRTIO_NET_F_MRG_RXBUF},
    {"ctrl_vq", VIRTIO_NET_F_CTRL_VQ},
};

int virtio_net_add(struct board *b, const struct board_item *it, struct net_backend *backend)
{
    struct virtio_net_options o = {.mac = {0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + net_number(backend->net))}};
    const char *mac = keyval_get(&it->kv, "mac");
    if (mac && !virtio_net_parse_mac(o.mac, mac)) {
        error_report("%s: '%s' is not the address of a network device; mac takes one such as 52:54:00:12:34:56", it->what, mac);
        return -1;
    }
    o.host_mtu = (uint16_t)keyval_number(&it->kv, "host_mtu", 0);
    for (size_t i = 0; i < ARRAY_LEN(feature_keys); i++)
        o.not_offered |= keyval_bool(&it->kv, feature_keys[i].key, true) ? 0 : FEATURE(feature_keys[i].feature);
    struct virtio_net *s = virtio_net_create(backend, &o);
    struct virtio *v = s ? board_add_virtio(b, it, &virtio_net_class, s) : NULL;
    if (!v)
        return -1;
    virtio_net_bind(s, v);
    return 0;
}

static int net_device(struct board *b, const struct board_item *it)
{
    struct net_backend *backend = board_take_backend(b, it, "netdev", keyval_get(&it->kv, "netdev"));
    return backend ? virtio_net_add(b, it, backend) : -1;
}

static const struct key_desc net_keys[] = {
    {"netdev", KEY_TEXT, KEY_REQUIRED, "id of the -netdev it is on", NULL, 0, 0},
    VIRTIO_NET_KEYS,
    {0},
};

const struct device_kind virtio_net_kind = {
    .option = "device",
    .name = "virtio-net-device",
    .help = "network card",
    .keys = net_keys,
    .device = net_device,
};
