/*
 * chardev.h: what -chardev makes (a backend of the board): a byte stream of this process, for a port of the virtio console.
 */
#ifndef DEVICES_CHARDEV_H
#define DEVICES_CHARDEV_H

struct chardev {
    int in_fd, out_fd; /* non-blocking; may be the same; -1: no such direction */
    char *unlink_path; /* of the socket to remove at the end, or NULL */
};

#endif
