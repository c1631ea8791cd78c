/*
 * vhost_user.c: messages over the socket to a vhost-user back-end; see vhost_user.h.
 *
 * Layouts and numbers are those of the vhost-user protocol specification (QEMU, docs/interop/vhost-user.rst), named in brackets by section.
 * Every message is answered: by its own reply or, where the back-end can, by an acknowledgement that tells of errors
 * [VHOST_USER_PROTOCOL_F_REPLY_ACK].
 */
#include <devices/block/vhost_user.h>
#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* [Front-end message types] */
enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
};

#define F_PROTOCOL_FEATURES 30 /* bit of the virtio features [Feature negotiation] */

/* [Protocol features] */
#define PROTOCOL_F_REPLY_ACK 3
#define PROTOCOL_F_CONFIG    9

/* [Header] */
#define FLAG_VERSION    1u
#define FLAG_REPLY      (1u << 2)
#define FLAG_NEED_REPLY (1u << 3)

#define CONFIG_MAX 256u

struct header {
    uint32_t request, flags, size;
};
_Static_assert(sizeof(struct header) == 12, "[Header]");

/* [Memory region description] */
struct region {
    uint64_t guest_address, size, user_address, mmap_offset;
};
_Static_assert(sizeof(struct region) == 32, "[Memory region description]");

struct mem_table {
    uint32_t n, padding;
    struct region region[VHOST_USER_REGIONS_MAX];
};
_Static_assert(offsetof(struct mem_table, region) == 8, "[Multiple memory regions description]");

struct config {
    uint32_t offset, size, flags;
    uint8_t payload[CONFIG_MAX];
};
_Static_assert(offsetof(struct config, payload) == 12, "[Virtio device config space]");

_Static_assert(sizeof(struct vhost_vring_state) == 8, "[A vring state description]");
_Static_assert(sizeof(struct vhost_vring_addr) == 40 && offsetof(struct vhost_vring_addr, used_user_addr) == 16 &&
                   offsetof(struct vhost_vring_addr, log_guest_addr) == 32,
               "[A vring address description]");

/* --- messages ------------------------------------------------------------------------------------------------------------ */

static int send_message(const struct vhost_user *v, uint32_t request, uint32_t flags, const void *payload, size_t len, const int *fds,
                        unsigned n_fds)
{
    struct header h = {request, FLAG_VERSION | flags, (uint32_t)len};
    struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)payload, len}};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(VHOST_USER_REGIONS_MAX * sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = len ? 2 : 1};
    if (n_fds) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(v->socket, &m, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == sizeof(h) + len ? 0 : -EPROTO; /* far less than a socket's buffer */
}

static int receive_all(const struct vhost_user *v, void *buf, size_t len)
{
    while (len) {
        ssize_t n = recv(v->socket, buf, len, MSG_WAITALL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        buf = (uint8_t *)buf + n;
        len -= (size_t)n;
    }
    return 0;
}

static int receive_reply(const struct vhost_user *v, uint32_t request, void *payload, size_t len)
{
    struct header h;
    int err = receive_all(v, &h, sizeof(h));
    if (err)
        return err;
    if (h.request != request || !(h.flags & FLAG_REPLY) || h.size != len)
        return -EPROTO;
    return receive_all(v, payload, len);
}

/* A message without a reply of its own. */
static int set_with_fds(const struct vhost_user *v, uint32_t request, const void *payload, size_t len, const int *fds, unsigned n_fds)
{
    uint64_t failed = 0;
    int err = send_message(v, request, v->reply_ack ? FLAG_NEED_REPLY : 0, payload, len, fds, n_fds);
    if (!err && v->reply_ack)
        err = receive_reply(v, request, &failed, sizeof(failed));
    return err ? err : failed ? -EINVAL : 0;
}

static int set(const struct vhost_user *v, uint32_t request, const void *payload, size_t len)
{
    return set_with_fds(v, request, payload, len, NULL, 0);
}

static int set_u64(const struct vhost_user *v, uint32_t request, uint64_t value)
{
    return set(v, request, &value, sizeof(value));
}

static int set_vring(const struct vhost_user *v, uint32_t request, unsigned num)
{
    const struct vhost_vring_state s = {0, num};
    return set(v, request, &s, sizeof(s));
}

/* The index of the queue, and a descriptor [A vring descriptor index for split virtqueues; VHOST_USER_SET_VRING_KICK] */
static int set_vring_fd(const struct vhost_user *v, uint32_t request, int fd)
{
    const uint64_t queue = 0;
    return set_with_fds(v, request, &queue, sizeof(queue), &fd, 1);
}

static int get_u64(const struct vhost_user *v, uint32_t request, uint64_t *value)
{
    int err = send_message(v, request, 0, NULL, 0, NULL, 0);
    return err ? err : receive_reply(v, request, value, sizeof(*value));
}

/* --- conversations ------------------------------------------------------------------------------------------------------- */

int vhost_user_connect(struct vhost_user *v, uint64_t *features)
{
    uint64_t offered, protocol;
    int err = get_u64(v, GET_FEATURES, &offered);
    if (err)
        return err;
    *features &= offered;
    if (!(offered >> F_PROTOCOL_FEATURES & 1))
        return -EPROTO;
    if ((err = get_u64(v, GET_PROTOCOL_FEATURES, &protocol)))
        return err;
    if (!(protocol >> PROTOCOL_F_CONFIG & 1))
        return -EPROTO;
    protocol &= 1ull << PROTOCOL_F_CONFIG | 1ull << PROTOCOL_F_REPLY_ACK;
    if ((err = set_u64(v, SET_PROTOCOL_FEATURES, protocol)))
        return err;
    v->reply_ack = protocol >> PROTOCOL_F_REPLY_ACK & 1;
    if ((err = set(v, SET_OWNER, NULL, 0)))
        return err;
    return set_u64(v, SET_FEATURES, *features | 1ull << F_PROTOCOL_FEATURES);
}

int vhost_user_config(struct vhost_user *v, void *config, uint32_t len)
{
    struct config c = {.size = len};
    size_t size = offsetof(struct config, payload) + len;
    if (len > CONFIG_MAX)
        return -EINVAL;
    int err = send_message(v, GET_CONFIG, 0, &c, size, NULL, 0);
    if (!err)
        err = receive_reply(v, GET_CONFIG, &c, size);
    if (!err)
        memcpy(config, c.payload, len);
    return err;
}

/* The guest addresses of the protocol, which stand in descriptors, and its user addresses, which stand in SET_VRING_ADDR, are the same
 * here: this process's. */
static int set_mem_table(struct vhost_user *v, const struct vhost_user_region *regions, unsigned n)
{
    struct mem_table t = {.n = n};
    int fds[VHOST_USER_REGIONS_MAX];
    if (n > VHOST_USER_REGIONS_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < n; i++) {
        uint64_t base = (uintptr_t)regions[i].base;
        t.region[i] = (struct region){.guest_address = base, .size = regions[i].size, .user_address = base};
        fds[i] = regions[i].fd;
    }
    return set_with_fds(v, SET_MEM_TABLE, &t, offsetof(struct mem_table, region) + n * sizeof(struct region), fds, n);
}

int vhost_user_start(struct vhost_user *v, const struct vhost_user_region *regions, unsigned n, const struct vring *ring, int kick,
                     int call)
{
    const struct vhost_vring_addr addr = {
        .desc_user_addr = (uintptr_t)ring->desc,
        .used_user_addr = (uintptr_t)ring->used,
        .avail_user_addr = (uintptr_t)ring->avail,
    };
    int err = set_mem_table(v, regions, n);
    if (!err)
        err = set_vring(v, SET_VRING_NUM, ring->num);
    if (!err)
        err = set_vring(v, SET_VRING_BASE, 0);
    if (!err)
        err = set(v, SET_VRING_ADDR, &addr, sizeof(addr));
    if (!err)
        err = set_vring_fd(v, SET_VRING_CALL, call);
    if (!err)
        err = set_vring_fd(v, SET_VRING_KICK, kick); /* starts the ring [Starting and stopping rings] */
    if (!err)
        err = set_vring(v, SET_VRING_ENABLE, 1);
    return err;
}

int vhost_user_stop(struct vhost_user *v)
{
    struct vhost_vring_state s = {0, 0};
    int err = send_message(v, GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0);
    return err ? err : receive_reply(v, GET_VRING_BASE, &s, sizeof(s));
}
