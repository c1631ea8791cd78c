/*
 * console.h: virtio console (virtio 1.2, section 5.3) with multiple ports, each between the guest and descriptors of this process.
 *
 * A port with a name is a byte channel (/dev/virtio-ports/NAME in a Linux guest), one without is a console (hvcN). Ports are plain byte streams, flow controlled in
 * both directions: the device reads in_fd only while the guest has buffers for it, and takes buffers from the guest only as fast as out_fd takes them.
 */
#ifndef DEVICES_VIRTIO_CONSOLE_H
#define DEVICES_VIRTIO_CONSOLE_H

#include <devices/virtio/virtio.h>

#define VIRTIO_CONSOLE_MAX_PORTS 8u

struct virtio_console_port {
    const char *name; /* outlives the device */
    /*
     * Pollable and non-blocking (pipe, socket, eventfd-like); the same or different ones; they stay the caller's. -1: no such direction.
     * End of file on in_fd closes the host's side of the port once the guest has been given all there was (a read in the guest then says end of file);
     * an error of out_fd (EPIPE) drops what the guest writes from then on.
     */
    int in_fd;  /* to the guest */
    int out_fd; /* from the guest */
};

struct virtio_console;

extern const struct virtio_class virtio_console_class; /* VIRTIO_CONSOLE_F_MULTIPORT is offered; config_read gives max_nr_ports */

/* The device to give to virtio_create(), which destroys it. 1 to VIRTIO_CONSOLE_MAX_PORTS ports, copied. NULL after a message. */
struct virtio_console *virtio_console_create(const struct virtio_console_port *ports, unsigned n);

#endif
