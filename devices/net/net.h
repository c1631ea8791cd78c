/*
 * net.h: what a network device and the world it talks to (a user-mode stack, a tap interface) say to each other.
 *
 * One thread, the net loop, serves all backends of a machine and the queues of all network devices: frames go from a device's transmit
 * queue through the backend into a socket, and back into the receive queue, without changing threads and without locks. Everything marked
 * "loop" runs there only; other threads reach it through net_kick() (there is work) and net_call() (run this, wait for it).
 *
 * A frame is an Ethernet frame without FCS, together with a struct virtio_net_hdr that says what is left to do for it: a checksum to fill
 * in, a large TCP segment to be cut up (virtio 1.2, section 5.1.6). Whether a header may ask for that depends on the direction: device to
 * backend: always; the bytes and the header are the guest's and are to be distrusted. iov must not be read twice: the guest may change it
 * meanwhile. backend to device: as far as set_offloads() allows.
 */
#ifndef DEVICES_NET_NET_H
#define DEVICES_NET_NET_H

#include <armlet/base.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/uio.h>

#define NET_ETH_HLEN  14u
#define NET_VLAN_HLEN 4u
#define NET_MTU       1500u                                   /* of the link, where nothing else is said */
#define NET_FRAME_MAX (NET_ETH_HLEN + NET_VLAN_HLEN + 65535u) /* bytes: an IP packet can be no longer */
#define NET_MAC_LEN   6u

/* What a receiver takes (virtio_net_hdr requests), as bits. */
enum {
    NET_OFFLOAD_CSUM = 1u << 0, /* NEEDS_CSUM and DATA_VALID */
    NET_OFFLOAD_TSO4 = 1u << 1,
    NET_OFFLOAD_TSO6 = 1u << 2,
    NET_OFFLOAD_ECN = 1u << 3, /* GSO_ECN together with the two above */
};

struct net;
struct net_backend;

/* Descriptors the loop is about to poll. Loop. */
struct net_pollset {
    struct pollfd *fd;
    unsigned n, cap;
};

/* Index of the new entry, whose revents can be read after the poll; -1: no memory. */
int net_pollset_add(struct net_pollset *set, int fd, short events);

struct net_ops {
    const char *type; /* as in -netdev */
    /* Loop. A frame from the device: n >= 1, len bytes in all, NET_ETH_HLEN <= len <= NET_FRAME_MAX. What cannot be sent is dropped. */
    void (*send)(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len);
    /* Loop. NET_OFFLOAD_* the device takes from now on. */
    void (*set_offloads)(struct net_backend *b, unsigned offloads);
    /* Loop. Add the descriptors to wait for; lower *timeout_ms (-1: none). */
    void (*fill)(struct net_backend *b, struct net_pollset *set, int *timeout_ms);
    /* Loop. After the poll: serve them. Frames are handed to net_deliver(). */
    void (*ready)(struct net_backend *b, const struct net_pollset *set);
    /* Loop, once; frees b. */
    void (*close)(struct net_backend *b);
};

/* The device's side. */
struct net_client {
    /*
     * Loop. A frame for the guest. false: there is no room now, offer the same frame again after net_resume(). A frame that the guest will
     * never take is dropped: true. hdr and iov are the caller's.
     */
    bool (*receive)(void *ctx, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len);
    /* Loop. Something was kicked or `more` was returned last time: move frames to net_backend send. true: there is more to do, call again
     * soon. */
    bool (*work)(void *ctx);
    /* Loop. The frames of this round have been delivered: time to interrupt the guest. */
    void (*flush)(void *ctx);
    void *ctx;
};

struct net_backend {
    const struct net_ops *ops;
    struct net *net;
    char *id;                        /* owned by the loop */
    unsigned takes;                  /* NET_OFFLOAD_* that send() understands, fixed */
    const struct net_client *client; /* NULL: no device, or one that is not started: frames are dropped */
    bool blocked;                    /* the client had no room */
    bool more;                       /* the client has more to do */
    struct net_backend *next;
};

/* --- the loop
 * ---------------------------------------------------------------------------------------------------------------------------------- */

/* A loop and its thread; NULL after a message. */
struct net *net_create(void);
/* All clients must have been detached. Closes the backends. NULL is allowed. */
void net_destroy(struct net *net);

/* Run fn(arg) on the loop and wait for its end. Not from the loop itself. Takes as long as what the loop is doing: at most a round. */
void net_call(struct net *net, void (*fn)(void *arg), void *arg);

/* Any thread: let the client's work() run. Cheap while the loop is busy. */
void net_kick(struct net *net);

/* Give a new backend to the loop, which owns it from now on. id is for messages. 0, or -1 after a message: b still the caller's. */
int net_add(struct net *net, struct net_backend *b, const char *id);
/* How often this was called before: numbers the devices. Main thread. */
unsigned net_number(struct net *net);

/* A device starts (client, what it takes) or stops (NULL) using the backend. From any thread but the loop's; after a stop the client is not
 * called any more. */
void net_attach(struct net_backend *b, const struct net_client *client, unsigned offloads);

/* Loop. For backends: pass a frame on. false: no room, the backend is `blocked` until the client has called net_resume(). */
bool net_deliver(struct net_backend *b, const struct virtio_net_hdr *hdr, const struct iovec *iov, unsigned n, size_t len);
/* Loop. For clients: there is room again. */
void net_resume(struct net_backend *b);

#endif
