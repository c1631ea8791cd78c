/*
 * impl.h: what the files of `armlet run` share: the request (command line), the initramfs, the channel to the agent.
 */
#ifndef HYPERVISOR_RUN_IMPL_H
#define HYPERVISOR_RUN_IMPL_H

#include <armlet/run.h>
#include <devices/virtio/console.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct vm;

/* A growing list of strings, the last one NULL; `failed` once memory ran out. */
struct string_list {
    char **at;
    size_t n, room;
    bool failed;
};

void string_list_add(struct string_list *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void string_list_free(struct string_list *l);

/* --- request.c: the command line ----------------------------------------------------------------------------------------- */

struct request {
    const char *root, *share, *memory, *accel, *kernel, *initramfs;
    bool no_share, snapshot, network, verbose;
    int tty;                    /* 1: yes, 0: no, -1: if standard input and output are one */
    struct string_list env;     /* NAME=VALUE */
    struct string_list options; /* armlet's own, as given */
    char **command;             /* in argv, ends with NULL */
};

enum request_result { REQUEST_RUN, REQUEST_DONE, REQUEST_BAD };

/* BAD: after a message. request_free() either way. */
enum request_result request_parse(struct request *q, int argc, char **argv);
void request_free(struct request *q);

/* What the request comes to: options of armlet for the machine, and the agent's configuration (RUN_CONFIG_FILE). */
struct plan {
    struct string_list argv;   /* argv[0] included */
    struct string_list config; /* "key=value" */
    char kernel[PATH_MAX], initramfs[PATH_MAX];
    bool tty;
};

/* serial_fd: a pipe that takes the guest's console; initrd_fd: where the whole initramfs will be. 0, or -1 after a message. */
int plan_make(struct plan *p, const struct request *q, int initrd_fd, int serial_fd);
void plan_free(struct plan *p);

/* --- initramfs.c ------------------------------------------------------------------------------------------------------------ */

/* Into the empty file fd: the initramfs of that name, the agent as /init, the strings as RUN_CONFIG_FILE. 0, or -1 after a message. */
int initramfs_build(int fd, const char *base, const struct string_list *config);

/* --- channel.c: the agent's other end ------------------------------------------------------------------------------------- */

enum { PORT_CTL, PORT_IN, PORT_OUT, PORT_ERR, PORT_COUNT };

struct run {
    struct vm *vm;
    bool tty, verbose;
    int port[PORT_COUNT]; /* our ends; the device has the others */
    int device[PORT_COUNT];
    int console[2]; /* pipe: the guest's console */
    struct virtio_console_port ports[PORT_COUNT];
    pthread_t thread[PORT_COUNT + 1];
    bool running[PORT_COUNT + 1];

    pthread_mutex_t lock;
    pthread_cond_t progress;
    uint64_t passed[2]; /* bytes that came from the ports out and err */
    bool exited;        /* the command has, with this code */
    uint32_t code;
    char last[2048]; /* the end of the console's output */
    size_t last_len;
    pthread_mutex_t send_lock; /* one message at a time to the agent */

    atomic_bool started; /* the command runs: signals are its business */
    atomic_int refused;  /* the signal that ended armlet before that, or 0 */
    unsigned signals;    /* main thread: of those that ask to end, in a row */
    uint64_t signal_ms;
};

/* Make the descriptors. 0, or -1 after a message. */
int channel_create(struct run *r);
/* Start the threads. 0, or -1 after a message. */
int channel_start(struct run *r);
/* The machine is gone: the threads pass on what is still there and end. */
void channel_finish(struct run *r);

#endif
