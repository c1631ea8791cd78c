/*
 * tap.h: the "tap" network: an interface of the host's kernel (/dev/net/tun). Needs CAP_NET_ADMIN, or an interface made for this user
 * beforehand.
 */
#ifndef DEVICES_NET_TAP_H
#define DEVICES_NET_TAP_H

#include <devices/net/net.h>

/* Strings are owned. Zeroed memory is an empty one, but for fd. */
struct net_tap_config {
    char *ifname; /* NULL: the kernel chooses */
    bool have_fd, no_vnet_hdr;
    int fd; /* of a tap interface that the caller of armlet has opened */
};

/* One "key=value" of -netdev tap. 1: taken; 0: there is no such key; -1 after a message. */
int net_tap_set(struct net_tap_config *c, const char *key, const char *value);
void net_tap_free(struct net_tap_config *c);

/* A backend with that id, owned by net. NULL after a message. */
struct net_backend *net_tap_open(struct net *net, const char *id, const struct net_tap_config *c);

#endif
