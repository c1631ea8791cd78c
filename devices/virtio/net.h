/*
 * net.h: addresses of virtio network devices, and the device on a given backend.
 */
#ifndef DEVICES_VIRTIO_NET_H
#define DEVICES_VIRTIO_NET_H

#include <devices/net/net.h>
#include <devices/virtio/virtio.h>

struct board;
struct board_item;
struct key_desc;

/* "xx:xx:xx:xx:xx:xx" or with dashes; false for anything else, and for an address that is not one station's. */
bool virtio_net_parse_mac(uint8_t mac[NET_MAC_LEN], const char *text);

extern const struct virtio_class virtio_net_class;

struct virtio_net_options {
    uint8_t mac[NET_MAC_LEN];
    uint16_t host_mtu;    /* told to the driver; 0: not told */
    uint64_t not_offered; /* feature bits */
};

/* The device to give to virtio_create(), which destroys it; then call virtio_net_bind(). The backend must outlive it. NULL after a message.
 */
struct virtio_net *virtio_net_create(struct net_backend *backend, const struct virtio_net_options *o);
void virtio_net_bind(struct virtio_net *s, struct virtio *v);

/* Make the device that an option (-device virtio-net-device, -nic) describes with virtio_net_keys. 0, or -1 after a message. */
int virtio_net_add(struct board *b, const struct board_item *it, struct net_backend *backend);
/* Rows for keys of the device (mac, host_mtu, features), to be copied into a table of keys. */
#define VIRTIO_NET_KEYS                                                                                                                    \
    {"mac", KEY_TEXT, 0, "address of the device [52:54:00:12:34:56 and up]", NULL, 0, 0},                                                  \
        {"host_mtu", KEY_NUMBER, 0, "largest packet, told to the driver", NULL, 68, 65535},                                                \
        {"csum", KEY_BOOL, 0, "take frames without checksum [on]", NULL, 0, 0},                                                            \
        {"host_tso4", KEY_BOOL, 0, "take large TCP segments in IPv4 [on]", NULL, 0, 0},                                                    \
        {"host_tso6", KEY_BOOL, 0, "take large TCP segments in IPv6 [on]", NULL, 0, 0},                                                    \
        {"guest_csum", KEY_BOOL, 0, "give frames without checksum [on]", NULL, 0, 0},                                                      \
        {"guest_tso4", KEY_BOOL, 0, "give large TCP segments in IPv4 [on]", NULL, 0, 0},                                                   \
        {"guest_tso6", KEY_BOOL, 0, "give large TCP segments in IPv6 [on]", NULL, 0, 0},                                                   \
        {"mrg_rxbuf", KEY_BOOL, 0, "one frame may fill several buffers [on]", NULL, 0, 0},                                                 \
    {                                                                                                                                      \
        "ctrl_vq", KEY_BOOL, 0, "the driver may set filters and the address [on]", NULL, 0, 0                                              \
    }

#endif
