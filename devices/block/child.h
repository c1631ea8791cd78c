/*
 * child.h: a qemu-storage-daemon process that has an image open for us and serves it over a private vhost-user socket.
 */
#ifndef DEVICES_BLOCK_CHILD_H
#define DEVICES_BLOCK_CHILD_H

#include <devices/block/block.h>
#include <sys/types.h>

struct child {
    pid_t pid;    /* 0: there is none */
    int socket;   /* connected to it; -1: none */
    int messages; /* what it has said; -1 likewise */
    char *image;  /* the option it has been given for the image */
};

#define CHILD_NONE ((struct child){.socket = -1, .messages = -1})

/* Start one. -1: after a message. Whether it can open the image is known when it answers at the socket. */
int child_start(struct child *c, const char *format, const struct block_options *o, bool io_uring);

/* It has not answered: wait for its end, and say why. */
void child_report(struct child *c, const char *name, const char *otherwise);
/* Likewise: is io_uring what it has complained about? */
bool child_refuses_uring(struct child *c);

/* Let it close the image in good order, which writes what qcow2 keeps in memory, and wait for that. Fine for CHILD_NONE. */
void child_end(struct child *c);

#endif
