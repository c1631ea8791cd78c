/*
 * user.h: the "user" network: a TCP/IP stack in this process (libslirp) between the guest and ordinary sockets of the host; no rights
 * needed.
 *
 * The guest sees a network of its own with a router, a DHCP server and a name server; what it sends comes out of sockets of this process.
 * Options carry QEMU's names and defaults (-netdev user).
 */
#ifndef DEVICES_NET_USER_H
#define DEVICES_NET_USER_H

#include <devices/net/net.h>
#include <netinet/in.h>

#define NET_USER_FWD_MAX    64u
#define NET_USER_SEARCH_MAX 16u

struct net_user_fwd {
    bool udp;
    struct in_addr host, guest; /* any; the first address that DHCP gives out */
    uint16_t host_port, guest_port;
    char *text; /* as given */
};

/* Strings are owned. Zeroed memory is an empty one. */
struct net_user_config {
    bool no_ip4, no_ip6, restricted;
    bool have_net, have_host, have_dhcp, have_dns, have_prefix6, have_host6, have_dns6;
    struct in_addr net, mask, host, dhcp, dns;
    struct in6_addr prefix6, host6, dns6;
    uint8_t prefix6_len; /* 0: 64 */
    char *hostname, *domain, *tftp, *tftp_server, *bootfile;
    char *search[NET_USER_SEARCH_MAX + 1];
    unsigned n_search, n_fwd;
    struct net_user_fwd fwd[NET_USER_FWD_MAX];
};

/* One "key=value" of -netdev user. 1: taken; 0: there is no such key; -1 after a message. */
int net_user_set(struct net_user_config *c, const char *key, const char *value);
/* After the last one: fill in defaults, check that addresses agree. 0, or -1 after a message. */
int net_user_complete(struct net_user_config *c);
void net_user_free(struct net_user_config *c);

/* A backend with that id, owned by net. c may be freed afterwards. NULL after a message (port in use, no libslirp in this build, ...).
 */
struct net_backend *net_user_open(struct net *net, const char *id, const struct net_user_config *c);

#endif
