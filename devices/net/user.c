/*
 * user.c: libslirp as a network backend; see user.h.
 *
 * libslirp takes and gives plain Ethernet frames, but with if_mtu at its limit they may be large: a TCP segment of the guest that asks to
 * be cut up goes in whole, with its checksum filled in. In the other direction libslirp's segments are as large as the guest's SYN allowed:
 * the option's value is raised on the way (offload_raise_mss), and what comes is either described to the guest as a large segment or cut up
 * here. The guest sees a link of NET_MTU all the same.
 *
 * libslirp is not thread-safe between its instances either (it has globals); the net loop is the one thread that calls it.
 * Frames that find no room in the guest wait in a queue of bounded size; while there are any, no socket is read, so that the world waits
 * too.
 */
#include <arpa/inet.h>
#include <devices/net/offload.h>
#include <devices/net/user.h>
#include <hypervisor/error.h>

#ifdef ARMLET_SLIRP
#include <errno.h>
#include <limits.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLIRP_MTU   65521u          /* libslirp's limit; the longest IP packet that it is given or gives */
#define SLIRP_MSS   32768u          /* likewise, of TCP segments */
#define WAITING_MAX (4u << 20)      /* bytes of frames that wait for room */
#define MSS4        (NET_MTU - 40u) /* the guest's own maximum segment sizes on a link of NET_MTU */
#define MSS6        (NET_MTU - 60u)
#define HEADERS_MAX 192u /* of a large segment; libslirp's have 54 or 74 bytes */

struct waiting {
    struct waiting *next;
    struct virtio_net_hdr hdr;
    uint32_t len;
    uint8_t data[];
};

struct timer {
    struct timer *next;
    SlirpTimerId id;
    void *cb_opaque;
    int64_t due_ms; /* INT64_MAX: not set */
};

struct net_user {
    struct net_backend backend;
    Slirp *slirp;
    unsigned takes; /* NET_OFFLOAD_* of the guest */
    struct timer *timers;
    struct waiting *first, **end;
    size_t waiting_bytes;
    struct net_pollset *set; /* in fill and ready */
    const struct net_pollset *polled;
    bool held;                     /* this round: no sockets, the guest has no room */
    bool guest_error;              /* said once */
    uint8_t frame[NET_FRAME_MAX];  /* of the guest, being sent; what send() works on */
    uint8_t pieces[NET_FRAME_MAX]; /* of libslirp, being cut up: in the middle of send() when libslirp answers at once */
};

static int64_t now_ns(void *opaque UNUSED)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* --- to the guest
 * ------------------------------------------------------------------------------------------------------------------------------ */

static void pass(struct net_user *u, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len)
{
    if (!u->backend.client)
        return;
    if (!u->first && net_deliver(&u->backend, hdr, iov, n, len))
        return;
    struct waiting *w = u->waiting_bytes + len > WAITING_MAX ? NULL : malloc(sizeof(*w) + len);
    if (!w)
        return; /* TCP sends it again, others do not mind */
    *w = (struct waiting){.hdr = *hdr, .len = (uint32_t)len};
    for (size_t i = 0, at = 0; i < n; at += iov[i++].iov_len)
        memcpy(w->data + at, iov[i].iov_base, iov[i].iov_len);
    *u->end = w;
    u->end = &w->next;
    u->waiting_bytes += len;
}

static void drop_waiting(struct net_user *u)
{
    while (u->first) {
        struct waiting *w = u->first;
        u->first = w->next;
        free(w);
    }
    u->end = &u->first;
    u->waiting_bytes = 0;
}

static void pass_waiting(struct net_user *u)
{
    while (u->first && !u->backend.blocked) {
        struct waiting *w = u->first;
        struct iovec iov = {w->data, w->len};
        if (!net_deliver(&u->backend, &w->hdr, &iov, 1, w->len))
            return;
        u->first = w->next;
        u->waiting_bytes -= w->len;
        free(w);
        if (!u->first)
            u->end = &u->first;
    }
}

static void pass_whole(void *opaque, const uint8_t *frame, size_t len)
{
    struct net_user *u = opaque;
    struct virtio_net_hdr hdr = {.flags = u->takes & NET_OFFLOAD_CSUM ? VIRTIO_NET_HDR_F_DATA_VALID : 0};
    struct iovec iov = {(void *)frame, len};
    pass(u, &hdr, &iov, 1, len);
}

/* A TCP frame that is longer than the guest's link: with a header that says so. */
static void pass_large(struct net_user *u, const uint8_t *frame, const struct offload_headers *h, uint32_t mss)
{
    uint8_t headers[HEADERS_MAX];
    struct virtio_net_hdr hdr = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = h->ip_version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
        .hdr_len = h->payload,
        .gso_size = (uint16_t)mss,
        .csum_start = h->l4,
        .csum_offset = 16,
    };
    uint16_t sum = offload_pseudo(frame, h, h->end - h->l4);
    memcpy(headers, frame, h->payload);
    memcpy(headers + h->l4 + 16, &sum, 2);
    struct iovec iov[2] = {{headers, h->payload}, {(void *)(frame + h->payload), h->end - h->payload}};
    pass(u, &hdr, iov, 2, h->end);
}

static ssize_t from_slirp(const void *buf, size_t len, void *opaque)
{
    struct net_user *u = opaque;
    struct offload_headers h;
    if (len < NET_ETH_HLEN || len > sizeof(u->pieces) || !u->backend.client)
        return (ssize_t)len;
    if (len <= NET_ETH_HLEN + NET_MTU || !offload_parse(buf, len, &h)) {
        pass_whole(u, buf, len);
        return (ssize_t)len;
    }
    if (h.protocol == IPPROTO_TCP) {
        uint32_t mss = (h.ip_version == 4 ? MSS4 : MSS6) - (h.payload - h.l4 - 20u);
        if (u->takes & NET_OFFLOAD_CSUM && u->takes & (h.ip_version == 4 ? NET_OFFLOAD_TSO4 : NET_OFFLOAD_TSO6) &&
            h.payload <= HEADERS_MAX) {
            pass_large(u, buf, &h, mss);
        } else {
            memcpy(u->pieces, buf, len);
            offload_segment(u->pieces, &h, mss, pass_whole, u);
        }
    } else {
        memcpy(u->pieces, buf, len);
        if (!offload_fragment(u->pieces, &h, NET_MTU, pass_whole, u))
            pass_whole(u, buf, len);
    }
    return (ssize_t)len;
}

/* --- from the guest
 * ---------------------------------------------------------------------------------------------------------------------------- */

static void to_slirp(void *opaque, const uint8_t *frame, size_t len)
{
    struct net_user *u = opaque;
    slirp_input(u->slirp, frame, (int)len);
}

static void user_send(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len)
{
    struct net_user *u = (struct net_user *)b;
    struct offload_headers h;
    if (len > sizeof(u->frame))
        return;
    for (size_t i = 0, at = 0; i < n; at += iov[i++].iov_len)
        memcpy(u->frame + at, iov[i].iov_base, iov[i].iov_len);
    if (len < 128 && offload_parse(u->frame, len, &h)) /* a SYN is short */
        offload_raise_mss(u->frame, &h, hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, h.ip_version == 4 ? MSS4 : MSS6, SLIRP_MSS);
    offload_finish(hdr, u->frame, len, SLIRP_MTU, to_slirp, u);
}

static void user_set_offloads(struct net_backend *b, unsigned offloads)
{
    struct net_user *u = (struct net_user *)b;
    u->takes = offloads;
    drop_waiting(u); /* made for another driver, or for nobody */
}

/* --- libslirp's callbacks
 * ---------------------------------------------------------------------------------------------------------------------- */

static void guest_error(const char *msg, void *opaque)
{
    struct net_user *u = opaque;
    if (!u->guest_error)
        error_report("network '%s': the guest did something wrong: %s", u->backend.id ? u->backend.id : "", msg);
    u->guest_error = true;
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
    struct net_user *u = opaque;
    struct timer *t = malloc(sizeof(*t));
    if (!t)
        abort(); /* as libslirp's own allocator does */
    *t = (struct timer){u->timers, id, cb_opaque, INT64_MAX};
    u->timers = t;
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct net_user *u = opaque;
    struct timer **p = &u->timers;
    while (*p && *p != timer)
        p = &(*p)->next;
    if (*p)
        *p = (*p)->next;
    free(timer);
}

static void timer_mod(void *timer, int64_t due_ms, void *opaque UNUSED)
{
    ((struct timer *)timer)->due_ms = due_ms;
}

static void run_timers(struct net_user *u)
{
    int64_t now = now_ns(NULL) / 1000000;
    for (struct timer *t = u->timers, *next; t; t = next) {
        next = t->next;
        if (t->due_ms <= now) {
            t->due_ms = INT64_MAX;
            slirp_handle_timer(u->slirp, t->id, t->cb_opaque);
        }
    }
}

static void no_poll_fd(int fd UNUSED, void *opaque UNUSED) {}
static void no_notify(void *opaque UNUSED) {} /* libslirp calls it on the loop, which looks at every socket after it anyway */

static void init_completed(Slirp *slirp, void *opaque)
{
    ((struct net_user *)opaque)->slirp = slirp;
} /* it sets a timer before slirp_new() returns */

static const SlirpCb callbacks = {
    .send_packet = from_slirp,
    .guest_error = guest_error,
    .clock_get_ns = now_ns,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = no_poll_fd,
    .unregister_poll_fd = no_poll_fd,
    .notify = no_notify,
    .init_completed = init_completed,
    .timer_new_opaque = timer_new,
};

/* --- polling
 * ----------------------------------------------------------------------------------------------------------------------------------- */

static const struct {
    int slirp;
    short poll;
} events_map[] = {
    {SLIRP_POLL_IN, POLLIN}, {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI}, {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *opaque)
{
    struct net_user *u = opaque;
    short wanted = 0;
    for (size_t i = 0; i < ARRAY_LEN(events_map); i++)
        wanted |= events & events_map[i].slirp ? events_map[i].poll : 0;
    return net_pollset_add(u->set, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
    struct net_user *u = opaque;
    int events = 0;
    if (index < 0 || (unsigned)index >= u->polled->n)
        return 0;
    short got = u->polled->fd[index].revents;
    for (size_t i = 0; i < ARRAY_LEN(events_map); i++)
        events |= got & events_map[i].poll ? events_map[i].slirp : 0;
    return events;
}

static void user_fill(struct net_backend *b, struct net_pollset *set, int *timeout_ms)
{
    struct net_user *u = (struct net_user *)b;
    uint32_t timeout = *timeout_ms < 0 ? INT_MAX : (uint32_t)*timeout_ms;
    u->held = u->first != NULL;
    if (u->held) {
        if (!b->blocked)
            timeout = 0;
        else if (timeout > 50) /* libslirp's timers still want to run */
            timeout = 50;
    } else {
        u->set = set;
        slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
    }
    for (struct timer *t = u->timers; t; t = t->next) {
        if (t->due_ms == INT64_MAX)
            continue;
        int64_t left = t->due_ms - now_ns(NULL) / 1000000;
        if (left < (int64_t)timeout)
            timeout = left > 0 ? (uint32_t)left : 0;
    }
    *timeout_ms = timeout >= INT_MAX ? *timeout_ms : (int)timeout;
}

static void user_ready(struct net_backend *b, const struct net_pollset *set)
{
    struct net_user *u = (struct net_user *)b;
    pass_waiting(u);
    u->polled = set;
    slirp_pollfds_poll(u->slirp, u->held, get_revents, u);
    run_timers(u);
}

static void user_close(struct net_backend *b)
{
    struct net_user *u = (struct net_user *)b;
    drop_waiting(u);
    slirp_cleanup(u->slirp);
    while (u->timers)
        timer_free(u->timers, u);
    free(u);
}

static void do_close(void *arg)
{
    user_close(arg);
}

static const struct net_ops user_ops = {"user", user_send, user_set_offloads, user_fill, user_ready, user_close};

/* --- making one
 * -------------------------------------------------------------------------------------------------------------------------------- */

static int add_forwards(struct net_user *u, const struct net_user_config *c)
{
    for (unsigned i = 0; i < c->n_fwd; i++) {
        const struct net_user_fwd *f = &c->fwd[i];
        errno = 0;
        if (slirp_add_hostfwd(u->slirp, f->udp, f->host, f->host_port, f->guest, f->guest_port) == 0)
            continue;
        if (errno == EADDRINUSE)
            error_report("port %u of the host is in use (hostfwd=%s)", f->host_port, f->text);
        else
            error_report("the host's port cannot be forwarded with hostfwd=%s: %s", f->text, strerror(errno));
        return -1;
    }
    return 0;
}

struct open {
    struct net_user *u;
    const struct net_user_config *c;
    int result;
};

static void do_open(void *arg)
{
    struct open *o = arg;
    const struct net_user_config *c = o->c;
    SlirpConfig config = {
        .version = 4,
        .restricted = c->restricted,
        .in_enabled = !c->no_ip4,
        .vnetwork = c->net,
        .vnetmask = c->mask,
        .vhost = c->host,
        .in6_enabled = !c->no_ip6,
        .vprefix_addr6 = c->prefix6,
        .vprefix_len = c->prefix6_len,
        .vhost6 = c->host6,
        .vhostname = c->hostname,
        .tftp_server_name = c->tftp_server,
        .tftp_path = c->tftp,
        .bootfile = c->bootfile,
        .vdhcp_start = c->dhcp,
        .vnameserver = c->dns,
        .vnameserver6 = c->dns6,
        .vdnssearch = c->n_search ? (const char **)c->search : NULL,
        .vdomainname = c->domain,
        .if_mtu = SLIRP_MTU,
        .if_mru = SLIRP_MTU,
    };
    if (!slirp_new(&config, &callbacks, o->u)) {
        error_report("the user network cannot be set up with these options");
        return;
    }
    if (add_forwards(o->u, c) == 0) {
        o->result = 0;
        return;
    }
    slirp_cleanup(o->u->slirp);
    while (o->u->timers)
        timer_free(o->u->timers, o->u);
}

struct net_backend *net_user_open(struct net *net, const char *id, const struct net_user_config *c)
{
    struct net_user *u = calloc(1, sizeof(*u));
    if (!u) {
        error_report("there is no memory for the network '%s'", id);
        return NULL;
    }
    u->backend = (struct net_backend){
        .ops = &user_ops, .net = net, .takes = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN};
    u->end = &u->first;
    struct open o = {u, c, -1};
    net_call(net, do_open, &o);
    if (o.result < 0) {
        free(u);
        return NULL;
    }
    if (net_add(net, &u->backend, id) < 0) {
        net_call(net, do_close, &u->backend);
        return NULL;
    }
    return &u->backend;
}

#else /* !ARMLET_SLIRP */

struct net_backend *net_user_open(struct net *net UNUSED, const char *id, const struct net_user_config *c UNUSED)
{
    error_report("this armlet was built without libslirp: -netdev user,id=%s is not possible (Debian: libslirp-dev)", id);
    return NULL;
}

#endif
