/*
 * vm.h: one virtual machine: its memory, its devices, its state of life.
 *
 * Threads: the main thread builds the machine, then runs the event loop (terminal, sockets, signals); one vCPU thread runs the accelerator; a
 * ticker sets the poll word when the guest's timer is due while it computes; each serial backend has a writer thread. Devices lock themselves.
 */
#ifndef HYPERVISOR_VM_H
#define HYPERVISOR_VM_H

#include <armlet/abi.h>
#include <devices/board.h>
#include <devices/guest_memory.h>
#include <hypervisor/bus.h>
#include <hypervisor/clock.h>
#include <hypervisor/event.h>
#include <hypervisor/log.h>
#include <hypervisor/post.h>
#include <pthread.h>
#include <stdatomic.h>

struct options;
struct accel_ops;
struct serial;
struct pl011;
struct pl031;
struct pl061;
struct monitor;

struct vm {
    const struct options *opt;
    struct tsc_clock clock;
    struct log log; /* of -d */

    /* guest RAM: memfd, mapped here in whole */
    int ram_fd;
    uint8_t *ram;
    uint64_t ram_size;

    struct vm_shared *shared; /* shared anonymous memory */
    size_t shared_size;

    const struct accel_ops *accel;
    void *accel_state; /* the accelerator's own */
    uint64_t accel_count[12]; /* likewise; kept over destroy(), for its stats() */

    struct guest_memory mem; /* RAM for devices; mem.ram follows vm->ram */
    struct bus bus;
    struct post_server post;
    struct serial *serial;
    struct pl011 *uart;
    struct pl031 *rtc;
    struct pl061 *gpio;
    struct monitor *monitor; /* NULL: none */
    struct board board; /* what the command line has added */

    /* how the current run ended; written by the vCPU thread, read after it has been joined */
    struct {
        bool valid;
        enum stop_reason reason;
    } stop;

    pthread_mutex_t kick_lock; /* guards `running`: the accelerator must not go away under vm_kick() */
    bool running;

    atomic_uint waiting;      /* 1 while the vCPU thread sleeps in HOST_REQ_WAIT; the ticker sleeps on it */
    atomic_uint ticker_sleeps;
    atomic_bool ticker_quit;
    pthread_t ticker;
    bool ticker_running;

    struct event_loop loop;
    struct {
        int fd[2]; /* pipe of siginfo_t, from the thread that waits for signals to the event loop */
        pthread_t thread;
        bool running;
    } signals;

    atomic_bool quit_claimed; /* somebody is setting exit_code and quit */
    atomic_bool quit;         /* the process is to end: no reboot any more */
    atomic_bool reset;        /* somebody wants the machine reset */
    atomic_int exit_code;     /* of the process, once quit is set */
    int event_fd;             /* eventfd: wakes the main thread's event loop */
    atomic_bool vcpu_done;    /* run() has returned */
    int run_result;           /* of run(), valid with vcpu_done */

    uint64_t tsc_start;       /* TSC when the guest was first started */
    uint64_t device_ticks;    /* with --stats: TSC ticks of devices' work in requests of the engine; written by the vCPU thread */
    bool profile_begun;       /* an earlier boot has written to the profile and the perf map */
    uint64_t wait_spin_ns;    /* how long the vCPU thread looks for an interrupt before it sleeps; of that thread */
    uint64_t wait_ticks;      /* TSC ticks spent in HOST_REQ_WAIT */
};

/* Make the machine (memory, devices) for the options. 0, or -1 after a message. vm is zeroed by the caller. */
int vm_create(struct vm *vm, const struct options *opt);
void vm_destroy(struct vm *vm);

/* Boot, reboot on guest reset, until the guest or the user ends it. Returns the exit code of the process. */
int vm_run(struct vm *vm);

/* Any thread: something the engine should look at has changed (spi_level, stop_wanted). Sets the poll word and wakes a waiting vCPU. */
void vm_kick(struct vm *vm);

/* Any thread: level of shared peripheral interrupt `spi` (0..255). */
void vm_set_spi(struct vm *vm, unsigned spi, bool level);

/* Any thread: end the process with exit code `code` as soon as the vCPU has stopped. Says nothing. The first call's code wins. */
void vm_request_quit(struct vm *vm, int code);

/* Any thread: reset the machine (end it, with -no-reboot). */
void vm_request_reset(struct vm *vm);

/* Any thread: press the power button, which the guest's system takes as a wish to be shut down. */
void vm_power_button(struct vm *vm);

/* vCPU thread: the run is over, for this reason. */
void vm_stopped(struct vm *vm, enum stop_reason reason);

/* vCPU thread, HOST_REQ_WAIT: sleep until the poll word is set or the TSC passes deadline (UINT64_MAX: none). */
void vm_wait(struct vm *vm, uint64_t deadline_tsc);

static inline uint64_t host_tsc(void) { return __builtin_ia32_rdtsc(); }

#endif
