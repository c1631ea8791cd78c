/*
 * tap.c: see tap.h.
 *
 * With IFF_VNET_HDR the kernel speaks virtio_net_hdr itself: headers go through as they are, large segments and unfinished checksums stay
 * so until they leave the host. The kernel checks what the guest put there. Without room in the guest one frame is kept and the descriptor
 * is not read: the kernel's queue fills, then drops.
 */
#include <devices/net/tap.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TAP_PATH "/dev/net/tun"
#define READ_MAX 64u /* frames in one round */

struct net_tap {
    struct net_backend backend;
    int fd;
    bool vnet_hdr;
    bool broken;   /* reading fails: said, not polled any more */
    int index;     /* in the pollset, or -1 */
    uint32_t held; /* bytes of frame[] that wait for room */
    struct virtio_net_hdr hdr;
    uint8_t frame[NET_FRAME_MAX];
};

/* --- options
 * ----------------------------------------------------------------------------------------------------------------------------------- */

int net_tap_set(struct net_tap_config *c, const char *key, const char *value)
{
    if (!strcmp(key, "ifname")) {
        if (!*value || strlen(value) >= IFNAMSIZ) {
            error_report("'%s' is not the name of an interface (-netdev tap,ifname=)", value);
            return -1;
        }
        free(c->ifname);
        c->ifname = strdup(value);
        return c->ifname ? 1 : -1;
    }
    if (!strcmp(key, "fd")) {
        char *end;
        errno = 0;
        long n = strtol(value, &end, 10);
        if (*value < '0' || *value > '9' || *end || errno || n > INT_MAX) {
            error_report("'%s' is not the number of an open descriptor (-netdev tap,fd=)", value);
            return -1;
        }
        c->fd = (int)n;
        c->have_fd = true;
        return 1;
    }
    if (!strcmp(key, "script") || !strcmp(key, "downscript")) {
        if (!strcmp(value, "no") || !*value)
            return 1;
        error_report("-netdev tap runs no scripts: %s=no is all that is possible; set the interface up beforehand", key);
        return -1;
    }
    if (!strcmp(key, "vhost") || !strcmp(key, "vnet_hdr")) {
        bool on = !strcmp(value, "on") || !strcmp(value, "yes") || !strcmp(value, "true"); /* the words that keyval_check() lets through */
        if (key[1] == 'n') {
            c->no_vnet_hdr = !on;
        } else if (on) {
            error_report("-netdev tap: vhost=on is not possible, the device is served by this process");
            return -1;
        }
        return 1;
    }
    return 0;
}

void net_tap_free(struct net_tap_config *c)
{
    free(c->ifname);
    *c = (struct net_tap_config){0};
}

/* --- frames
 * ------------------------------------------------------------------------------------------------------------------------------------ */

static void tap_send(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len UNUSED)
{
    struct net_tap *t = (struct net_tap *)b;
    struct iovec out[64];
    struct virtio_net_hdr own = *hdr;
    unsigned first = 0;
    if (t->vnet_hdr)
        out[first++] = (struct iovec){&own, sizeof(own)};
    if (n > ARRAY_LEN(out) - first) /* Linux makes 18 parts at most; who makes more has no business with a tap interface */
        return;
    memcpy(out + first, iov, n * sizeof(*iov));
    ssize_t done;
    do
        done = writev(t->fd, out, (int)(first + n));
    while (done < 0 && errno == EINTR);
    /* Any other error means that this frame is not sent: the interface is down, the header asked for nonsense. A network may lose frames.
     */
}

static void tap_set_offloads(struct net_backend *b, unsigned offloads)
{
    static const struct {
        unsigned offload, flag;
    } map[] = {
        {NET_OFFLOAD_CSUM, TUN_F_CSUM}, {NET_OFFLOAD_TSO4, TUN_F_TSO4}, {NET_OFFLOAD_TSO6, TUN_F_TSO6}, {NET_OFFLOAD_ECN, TUN_F_TSO_ECN}};
    struct net_tap *t = (struct net_tap *)b;
    unsigned long flags = 0;
    t->held = 0;
    if (!t->vnet_hdr)
        return;
    for (size_t i = 0; offloads & NET_OFFLOAD_CSUM && i < ARRAY_LEN(map); i++)
        flags |= offloads & map[i].offload ? map[i].flag : 0;
    if (ioctl(t->fd, TUNSETOFFLOAD, flags) < 0)
        error_report("the tap interface does not take the guest's offloads: %s", strerror(errno));
}

static void tap_fill(struct net_backend *b, struct net_pollset *set, int *timeout_ms)
{
    struct net_tap *t = (struct net_tap *)b;
    t->index = -1;
    if (t->held && !b->blocked)
        *timeout_ms = 0;
    else if (!t->held && b->client && !t->broken)
        t->index = net_pollset_add(set, t->fd, POLLIN);
}

/* Pass on the frame in hand. */
static bool pass(struct net_tap *t, uint32_t len)
{
    struct iovec iov = {t->frame, len};
    t->held = net_deliver(&t->backend, &t->hdr, &iov, 1, len) ? 0 : len;
    return !t->held;
}

static void tap_ready(struct net_backend *b, const struct net_pollset *set)
{
    struct net_tap *t = (struct net_tap *)b;
    struct iovec in[2] = {{&t->hdr, sizeof(t->hdr)}, {t->frame, sizeof(t->frame)}};
    size_t hlen = t->vnet_hdr ? sizeof(t->hdr) : 0;
    if (t->held && (b->blocked || !pass(t, t->held)))
        return;
    if (t->index < 0 || !set->fd[t->index].revents)
        return;
    for (unsigned i = 0; i < READ_MAX; i++) {
        ssize_t n = readv(t->fd, in + !hlen, hlen ? 2 : 1);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            t->broken = errno != EIO; /* EIO: the interface is down; it may come up again */
            if (t->broken)
                error_report("the tap interface of '%s' cannot be read: %s", b->id, strerror(errno));
            return;
        }
        if ((size_t)n >= hlen + NET_ETH_HLEN && !pass(t, (uint32_t)((size_t)n - hlen)))
            return;
    }
}

static void tap_close(struct net_backend *b)
{
    struct net_tap *t = (struct net_tap *)b;
    close(t->fd);
    free(t);
}

static const struct net_ops tap_ops = {"tap", tap_send, tap_set_offloads, tap_fill, tap_ready, tap_close};

/* --- making one
 * -------------------------------------------------------------------------------------------------------------------------------- */

static int open_interface(const struct net_tap_config *c, bool *vnet_hdr)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    const char *name = c->ifname ? c->ifname : "tap%d";
    unsigned features = 0;
    int fd = open(TAP_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        error_report("a tap interface needs %s: %s", TAP_PATH, strerror(errno));
        return -1;
    }
    *vnet_hdr = !c->no_vnet_hdr && ioctl(fd, TUNGETFEATURES, &features) == 0 && features & IFF_VNET_HDR;
    if (*vnet_hdr)
        ifr.ifr_flags |= IFF_VNET_HDR;
    memcpy(ifr.ifr_name, name, strlen(name) + 1); /* net_tap_set() has checked its length */
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return fd;
    if (errno == EPERM)
        error_report(
            "the tap interface '%s' may not be used: it takes root, or 'ip tuntap add dev %s mode tap user NAME' by root beforehand", name,
            c->ifname ? name : "tap0");
    else if (errno == EBUSY)
        error_report("the tap interface '%s' is in use by another program", name);
    else
        error_report("the tap interface '%s' cannot be used: %s", name, strerror(errno));
    close(fd);
    return -1;
}

static int take_descriptor(const struct net_tap_config *c, bool *vnet_hdr)
{
    struct ifreq ifr = {0};
    if (ioctl(c->fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP)) {
        error_report("descriptor %d is not an open tap interface (-netdev tap,fd=)", c->fd);
        return -1;
    }
    if (!(ifr.ifr_flags & IFF_NO_PI)) {
        error_report("the tap interface of descriptor %d was opened without IFF_NO_PI", c->fd);
        return -1;
    }
    *vnet_hdr = ifr.ifr_flags & IFF_VNET_HDR;
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    fcntl(c->fd, F_SETFD, FD_CLOEXEC);
    return c->fd;
}

struct net_backend *net_tap_open(struct net *net, const char *id, const struct net_tap_config *c)
{
    struct net_tap *t = calloc(1, sizeof(*t));
    if (!t) {
        error_report("there is no memory for the network '%s'", id);
        return NULL;
    }
    if (c->have_fd && c->ifname) {
        error_report("-netdev tap takes ifname or fd, not both");
        goto fail;
    }
    t->fd = c->have_fd ? take_descriptor(c, &t->vnet_hdr) : open_interface(c, &t->vnet_hdr);
    if (t->fd < 0)
        goto fail;
    if (t->vnet_hdr) {
        int size = sizeof(t->hdr);
        if (ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0) {
            error_report("the tap interface has no virtio headers of %d bytes: %s", size, strerror(errno));
            goto fail_fd;
        }
    }
    t->backend = (struct net_backend){
        .ops = &tap_ops,
        .takes = t->vnet_hdr ? NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN : 0,
    };
    if (net_add(net, &t->backend, id) == 0)
        return &t->backend;
fail_fd:
    close(t->fd);
fail:
    free(t);
    return NULL;
}
