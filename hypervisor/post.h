/*
 * post.h: serving device writes that the engine has posted (struct post_ring, armlet/abi.h).
 *
 * Only for accelerators on which a request is dear (accel_ops.posts). A thread looks at the ring as long as writes keep coming and sleeps otherwise;
 * while it sleeps the engine makes ordinary requests, the first of which wakes it. Whoever serves the ring holds post_lock, so that writes reach the
 * devices in order.
 */
#ifndef HYPERVISOR_POST_H
#define HYPERVISOR_POST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct vm;

struct post_server {
    pthread_t thread;
    pthread_mutex_t lock; /* over a look at the ring and the device writes that come of it */
    atomic_uint awake;    /* futex: 0 while the thread sleeps */
    atomic_bool quit;
    bool running;
};

/* Tell the engine which registers it may post; before it starts. */
void post_fill(struct vm *vm);

/* Around a run of the accelerator, main thread. 0, or -1 after a message. */
int post_start(struct vm *vm);
void post_stop(struct vm *vm);

/* vCPU thread, before it serves a request: all posted writes have reached their devices. */
void post_drain(struct vm *vm);
/* Look at the ring again. */
void post_wake(struct vm *vm);
/* vCPU thread, after a write to guest physical address addr by request: if it could have been posted, more may come. */
void post_written(struct vm *vm, uint64_t addr);

#endif
