/*
 * console_ports.c: -device virtserialport and virtconsole. All ports of the command line belong to one virtio console device, made after
 * the last of them.
 */
#include <devices/board.h>
#include <devices/chardev.h>
#include <devices/virtio/console.h>
#include <hypervisor/error.h>

static int add_port(struct board *b, const struct board_item *it, const char *name)
{
    const struct chardev *c = board_take_backend(b, it, "chardev", keyval_get(&it->kv, "chardev"));
    if (!c)
        return -1;
    if (b->n_console_ports == VIRTIO_CONSOLE_MAX_PORTS) {
        error_report("%s: there are more than %u ports", it->what, VIRTIO_CONSOLE_MAX_PORTS);
        return -1;
    }
    b->console_port[b->n_console_ports++] = (struct virtio_console_port){name, c->in_fd, c->out_fd};
    return 0;
}

static int port_device(struct board *b, const struct board_item *it)
{
    return add_port(b, it, keyval_get(&it->kv, "name"));
}
static int console_device(struct board *b, const struct board_item *it)
{
    return add_port(b, it, NULL);
}

/* The device itself: it comes with its first port, with or without having been named. */
static int bus_device(struct board *b UNUSED, const struct board_item *it UNUSED)
{
    return 0;
}

static const struct key_desc port_keys[] = {
    {"chardev", KEY_TEXT, KEY_REQUIRED, "id of the -chardev it is connected to", NULL, 0, 0},
    {"name", KEY_TEXT, KEY_REQUIRED, "the guest's /dev/virtio-ports/NAME", NULL, 0, 0},
    {0},
};
static const struct key_desc console_keys[] = {
    {"chardev", KEY_TEXT, KEY_REQUIRED, "id of the -chardev it is connected to", NULL, 0, 0},
    {0},
};

const struct device_kind virtio_serial_kind = {.option = "device",
                                               .name = "virtio-serial-device",
                                               .help = "the device that virtserialport and virtconsole are ports of",
                                               .device = bus_device};
const struct device_kind virtserialport_kind = {
    .option = "device", .name = "virtserialport", .help = "a byte stream between host and guest", .keys = port_keys, .device = port_device};
const struct device_kind virtconsole_kind = {
    .option = "device", .name = "virtconsole", .help = "a console of the guest, hvc0", .keys = console_keys, .device = console_device};
