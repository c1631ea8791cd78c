/*
 * run.h: what `armlet run` in the host process and its agent in the guest (guest-agent/) say to each other.
 *
 * The agent is /init of the guest. It reads RUN_CONFIG_FILE: "key=value" strings, each ended by a NUL, in the order in which they are to be
 * carried out:
 *
 *     modules=NAME      load the kernel modules of the initramfs's list /modules/NAME.order
 *     share=TAG PATH    mount the 9p file system TAG at PATH (made if it is missing) once the root is there
 *     root=9p:TAG       the root file system; root=disk: the first virtio disk, or the first of its partitions, that holds an ext4 one;
 * none: the initramfs network=user      set up eth0 for the network of -netdev user tty=ROWS COLS     the command gets a terminal of that
 * size instead of three pipes cwd=PATH          where the command runs env=NAME=VALUE    its environment arg=TEXT          the command and
 * its arguments
 *
 * Four virtio console ports connect the two: RUN_PORT_IN, RUN_PORT_OUT and RUN_PORT_ERR carry the command's bytes and nothing else;
 * RUN_PORT_CTL carries struct run_message both ways. Byte counts, not the order of arrival on different ports, say when a stream is
 * complete.
 */
#ifndef ARMLET_RUN_H
#define ARMLET_RUN_H

#include <stdint.h>

#define RUN_CONFIG_FILE "/run.conf"
#define RUN_PORT_CTL    "armlet.ctl"
#define RUN_PORT_IN     "armlet.in"
#define RUN_PORT_OUT    "armlet.out"
#define RUN_PORT_ERR    "armlet.err"

/* Exit codes that are not the command's own, as env(1), nohup(1) and shells have them. */
#define RUN_CODE_FAILED     125 /* armlet, not the command, failed */
#define RUN_CODE_CANNOT_RUN 126
#define RUN_CODE_NOT_FOUND  127
#define RUN_CODE_SIGNAL     128 /* + the number of the signal that ended the command */

enum run_message_type {
    /* from the guest */
    RUN_STARTED = 1, /* the command runs: signals reach it from now on */
    RUN_EXIT,        /* code; out and err are all bytes ever written to those ports; disks are synced, the guest may be ended */
    /* from the host */
    RUN_SIGNAL,    /* code: signal number, to the command's process group */
    RUN_WINDOW,    /* code: rows << 16 | columns */
    RUN_INPUT_END, /* in: standard input ends after so many bytes */
    RUN_CLOSED,    /* code: 1 or 2: nobody reads that output any more */
};

/* Little-endian on both sides. */
struct run_message {
    uint32_t type;
    uint32_t code;
    uint64_t in, out, err; /* bytes */
};

#endif
