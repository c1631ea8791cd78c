/*
 * vhost_user.h: the front-end's side of the vhost-user protocol, as far as a block device with one queue needs it.
 *
 * All calls wait for the back-end's answer. 0, or -errno: the connection is of no use any more.
 */
#ifndef DEVICES_BLOCK_VHOST_USER_H
#define DEVICES_BLOCK_VHOST_USER_H

#include <armlet/base.h>
#include <linux/virtio_ring.h>

#define VHOST_USER_REGIONS_MAX 8u

struct vhost_user {
    int socket; /* connected; the caller's */
    bool reply_ack;
};

/* Memory that the back-end may map: size bytes at base, from the beginning of fd. Addresses in descriptors are those of this process. */
struct vhost_user_region {
    void *base;
    uint64_t size;
    int fd;
};

/* Become the owner; *features: in, the virtio features the caller knows; out, those that both have. */
int vhost_user_connect(struct vhost_user *v, uint64_t *features);

/* The first len bytes of the device's configuration space. */
int vhost_user_config(struct vhost_user *v, void *config, uint32_t len);

/* Let the back-end serve the ring, which is empty. kick, call: eventfds, which the back-end gets copies of. */
int vhost_user_start(struct vhost_user *v, const struct vhost_user_region *regions, unsigned n, const struct vring *ring, int kick,
                     int call);

/* The back-end leaves ring and memory alone when this returns. */
int vhost_user_stop(struct vhost_user *v);

#endif
