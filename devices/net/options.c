/*
 * options.c: -netdev and -nic: what the command line says about networks becomes backends, and with -nic their devices.
 */
#include <devices/board.h>
#include <devices/net/tap.h>
#include <devices/net/user.h>
#include <devices/virtio/net.h>
#include <hypervisor/error.h>
#include <string.h>

#define ID_KEY                                                                                                                             \
    {                                                                                                                                      \
        "id", KEY_TEXT, KEY_REQUIRED, "name for a device to refer to", NULL, 0, 0                                                          \
    }

#define USER_KEYS                                                                                                                          \
    {"hostfwd", KEY_TEXT, KEY_REPEAT, "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT", NULL, 0, 0},                                  \
        {"net", KEY_TEXT, 0, "the guest's network [10.0.2.0/24]", NULL, 0, 0},                                                             \
        {"host", KEY_TEXT, 0, "the host's address in it [10.0.2.2]", NULL, 0, 0},                                                          \
        {"dns", KEY_TEXT, 0, "address of the name server [10.0.2.3]", NULL, 0, 0},                                                         \
        {"dhcpstart", KEY_TEXT, 0, "first address that DHCP gives [10.0.2.15]", NULL, 0, 0}, {"ipv4", KEY_BOOL, 0, "[on]", NULL, 0, 0},    \
        {"ipv6", KEY_BOOL, 0, "[on]", NULL, 0, 0}, {"ipv6-net", KEY_TEXT, 0, "[fec0::/64]", NULL, 0, 0},                                   \
        {"ipv6-host", KEY_TEXT, 0, "[fec0::2]", NULL, 0, 0}, {"ipv6-dns", KEY_TEXT, 0, "[fec0::3]", NULL, 0, 0},                           \
        {"restrict", KEY_BOOL, 0, "no way out but hostfwd [off]", NULL, 0, 0}, {"hostname", KEY_TEXT, 0, "that DHCP gives", NULL, 0, 0},   \
        {"domainname", KEY_TEXT, 0, "that DHCP gives", NULL, 0, 0}, {"dnssearch", KEY_TEXT, KEY_REPEAT, "that DHCP gives", NULL, 0, 0},    \
        {"tftp", KEY_TEXT, 0, "folder that a TFTP server shows", NULL, 0, 0},                                                              \
        {"tftp-server-name", KEY_TEXT, 0, "that DHCP gives", NULL, 0, 0},                                                                  \
    {                                                                                                                                      \
        "bootfile", KEY_TEXT, 0, "that DHCP gives", NULL, 0, 0                                                                             \
    }

#define TAP_KEYS                                                                                                                           \
    {"ifname", KEY_TEXT, 0, "interface of the host [the kernel chooses]", NULL, 0, 0},                                                     \
        {"fd", KEY_NUMBER, 0, "open descriptor of one instead", NULL, 0, 0x7fffffff}, {"script", KEY_TEXT, 0, "no", NULL, 0, 0},           \
        {"downscript", KEY_TEXT, 0, "no", NULL, 0, 0}, {"vnet_hdr", KEY_BOOL, 0, "offload checksums and segmentation [on]", NULL, 0, 0},   \
    {                                                                                                                                      \
        "vhost", KEY_BOOL, 0, "[off]", NULL, 0, 0                                                                                          \
    }

#define MODEL_KEY                                                                                                                          \
    {                                                                                                                                      \
        "model", KEY_TEXT, 0, "[virtio-net-device]", NULL, 0, 0                                                                            \
    }

static const struct key_desc netdev_user_keys[] = {ID_KEY, USER_KEYS, {0}};
static const struct key_desc netdev_tap_keys[] = {ID_KEY, TAP_KEYS, {0}};
static const struct key_desc nic_user_keys[] = {MODEL_KEY, USER_KEYS, VIRTIO_NET_KEYS, {0}};
static const struct key_desc nic_tap_keys[] = {MODEL_KEY, TAP_KEYS, VIRTIO_NET_KEYS, {0}};

static int need_loop(struct board *b)
{
    if (!b->net)
        b->net = net_create();
    return b->net ? 0 : -1;
}

static int user_backend(struct board *b, const struct board_item *it)
{
    struct net_user_config c = {0};
    struct net_backend *backend = NULL;
    int result = need_loop(b);
    for (unsigned i = 0; i < it->kv.n && result == 0; i++)
        result = net_user_set(&c, it->kv.pair[i].key, it->kv.pair[i].value) < 0 ? -1 : 0;
    if (result == 0 && net_user_complete(&c) == 0)
        backend = net_user_open(b->net, it->id, &c);
    net_user_free(&c);
    return backend ? board_add_backend(b, it, backend, NULL) : -1; /* the loop closes it */
}

static int tap_backend(struct board *b, const struct board_item *it)
{
    struct net_tap_config c = {0};
    struct net_backend *backend = NULL;
    int result = need_loop(b);
    for (unsigned i = 0; i < it->kv.n && result == 0; i++)
        result = net_tap_set(&c, it->kv.pair[i].key, it->kv.pair[i].value) < 0 ? -1 : 0;
    if (result == 0)
        backend = net_tap_open(b->net, it->id, &c);
    net_tap_free(&c);
    return backend ? board_add_backend(b, it, backend, NULL) : -1;
}

static int nic_device(struct board *b, const struct board_item *it)
{
    static const char *const models[] = {"virtio-net-device", "virtio-net-pci", "virtio-net", "virtio"};
    const char *model = keyval_get(&it->kv, "model");
    size_t i = 0;
    while (model && i < ARRAY_LEN(models) && strcmp(model, models[i]))
        i++;
    if (i == ARRAY_LEN(models)) {
        error_report("there is no network card '%s'; -nic takes model=%s", model, models[0]);
        return -1;
    }
    struct net_backend *backend = board_take_backend(b, it, "nic", it->id);
    return backend ? virtio_net_add(b, it, backend) : -1;
}

static const char user_help[] = "network of the guest's own, behind sockets of this process";
static const char tap_help[] = "interface of the host's kernel";

const struct device_kind netdev_user_kind = {
    .option = "netdev", .name = "user", .help = user_help, .keys = netdev_user_keys, .backend = user_backend};
const struct device_kind netdev_tap_kind = {
    .option = "netdev", .name = "tap", .help = tap_help, .keys = netdev_tap_keys, .backend = tap_backend};
const struct device_kind nic_user_kind = {
    .option = "nic", .name = "user", .help = user_help, .keys = nic_user_keys, .backend = user_backend, .device = nic_device};
const struct device_kind nic_tap_kind = {
    .option = "nic", .name = "tap", .help = tap_help, .keys = nic_tap_keys, .backend = tap_backend, .device = nic_device};
