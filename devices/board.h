/*
 * board.h: the devices that the command line asks for: -drive, -netdev, -nic, -virtfs, -device.
 *
 * Each kind of device describes itself with one `struct device_kind`, which its own file exports; kinds.def lists them. From a
 * row come the checking of the option, what `-OPTION help` prints, and the setup. Example: devices/virtio/rng.c.
 *
 * Setup runs in two passes over the command line, each in its order: first all backends (an open image, a network) get an id, then the
 * devices are made, which take backends by id. A row may have a part in both (-drive if=virtio opens the image and makes the disk).
 *
 * Slots: the first virtio device gets the highest slot (31, at 0x0a003e00, SPI 47), the next the one below, as with QEMU; the device tree
 * lists them in the order of the command line, so Linux names them in that order (with QEMU it is the reverse).
 */
#ifndef DEVICES_BOARD_H
#define DEVICES_BOARD_H

#include <devices/virtio/console.h>
#include <devices/virtio/virtio.h>
#include <hypervisor/keyval.h>

struct board;
struct bus;
struct event_loop;
struct options;

struct board_item {
    const struct device_kind *kind;
    struct keyval kv; /* checked against kind->keys */
    const char *id;   /* id=, or one made up ("#drive0"), unique among the items of the option */
    char own_id[24];
    char what[64]; /* for messages: "-device virtio-rng-device" */
};

struct device_kind {
    const char *option;          /* without dash: "device" */
    const char *name;            /* the first word of its value, a model or type; NULL where an option has only one kind */
    const char *help;            /* one line */
    const struct key_desc *keys; /* of keyval.h; `id` (and the first word) need no row. NULL: none */
    int (*backend)(struct board *b, const struct board_item *it); /* pass 1: 0, -1 after a message; may be NULL */
    int (*device)(struct board *b, const struct board_item *it);  /* pass 2 */
};

/* What the command line says; in struct options. */
#define BOARD_ITEMS_MAX 64
struct board_config {
    unsigned n;
    struct board_item *item[BOARD_ITEMS_MAX];
};

/* Take `-option text`. 0; -1 after a message; 1: help was asked for and printed. */
int board_config_add(struct board_config *c, const char *option, const char *text);
void board_config_free(struct board_config *c);

#define BOARD_BACKENDS_MAX BOARD_ITEMS_MAX
struct board {
    const struct options *opt;
    struct bus *bus;
    struct event_loop *loop; /* of the main thread; may be joined by backends and devices while they are made */
    const struct guest_memory *mem;
    struct irq_line irq;               /* pattern: spi is filled in for each device */
    void (*quit)(void *ctx, int code); /* end the process, any thread; an error has been reported */
    void *quit_ctx;

    /* made here */
    struct virtio *slot[VIRTIO_MMIO_SLOTS]; /* by slot number */
    struct net *net;                        /* the loop of the networks; NULL: there are none */
    struct virtio_console_port console_port[VIRTIO_CONSOLE_MAX_PORTS];
    unsigned n_console_ports;
    struct virtio_balloon *balloon; /* NULL: none */
    unsigned n_backends;
    struct board_backend {
        const char *option, *id;
        void *backend;
        void (*destroy)(void *backend);
        bool taken;
    } backend[BOARD_BACKENDS_MAX];
};

/* Make all devices of b->opt. The caller has filled the first part of *b, the rest is zero. 0, or -1 after a message; board_destroy()
 * either way. */
int board_create(struct board *b);
/* Before a boot, devices reset: let the translator serve the interrupt status of the virtio devices from `shared` from now on. */
struct irq_status;
void board_share_irq_status(struct board *b, struct irq_status *shared);
/* Machine stopped, devices reset, guest memory still there. */
void board_destroy(struct board *b);

/* --- for the kinds -------------------------------------------------------------------------------------------------------------- */

/* Give a virtio device a slot. The board owns dev from now on (class->destroy), also when this fails: NULL after a message. */
struct virtio *board_add_virtio(struct board *b, const struct board_item *it, const struct virtio_class *class, void *dev);

/* Keep a backend under it->id until the end; destroy (may be NULL) is called after all devices have gone. The board owns it also when this
 * fails: -1 after a message. */
int board_add_backend(struct board *b, const struct board_item *it, void *backend, void (*destroy)(void *backend));
/* The backend `id` that -option made, for one device only: NULL after a message (there is none, or another device has it). */
void *board_take_backend(struct board *b, const struct board_item *it, const char *option, const char *id);

#endif
