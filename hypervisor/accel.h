/*
 * accel.h: an accelerator is a way to run the engine: inside this process (hosted) or inside a KVM VM (kvm).
 *
 * Life of an accelerator: probe() once; then for every boot of the guest (again after each guest reset) create(), run(), destroy().
 * create() and destroy() are called on the main thread, run() on the vCPU thread; run() passes every request of the engine to
 * hostcall_serve() (hostcall.h) and returns when that says so.
 *
 * What is ready when create() is called: vm->ram with the boot images loaded, vm->shared filled except for the engine addresses (ram_va,
 * heap_va, heap_size, code_rw_va, code_rx_va), which create() provides. vm->shared is page-aligned shared memory of vm->shared_size bytes
 * (a multiple of 4 KiB), vm->ram likewise.
 *
 * Signals: the process blocks SIGINT, SIGTERM, SIGHUP, SIGTSTP and SIGCONT in all threads and takes them on the main thread. SIGUSR1 belongs to
 * the accelerator.
 */
#ifndef HYPERVISOR_ACCEL_H
#define HYPERVISOR_ACCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

struct accel_ops {
    const char *name;
    uint32_t engine_flags; /* ENGINE_* the accelerator wants */
    uint32_t fault_around; /* pages mapped at a window fault unless the user says: by what mapping a page costs beside a fault */
    bool posts; /* a request costs so much that device writes are better posted to a thread (post.h) */
    /* Can it run on this machine? 0, or -1 with one sentence in why (no prefix, no newline): what is missing, naming it. Leaves nothing open. */
    int (*probe)(char *why, size_t cap);
    /* 0, or -1 after error_report() (error.h) has said why; then everything create() made has been released again. */
    int (*create)(struct vm *vm);
    /* Run the guest until hostcall_serve() returns HOSTCALL_STOP: 0. -1 when it cannot go on; error_report() has said why. */
    int (*run)(struct vm *vm);
    void (*destroy)(struct vm *vm);
    /* Host address of the vCPU's poll word, or NULL as long as the engine has not published it. Any thread, between create and destroy. */
    uint32_t *(*poll_word)(struct vm *vm);
    /* Any thread: shared->stop_wanted and the poll word are set already; make run() come back soon even if the engine does not poll. May be
     * NULL. run() then returns 0 with the stop reason recorded by vm_stopped(vm, STOP_HOST). */
    void (*interrupt)(struct vm *vm);
    /* Main thread, after the last destroy(): lines of its own for --stats, on stderr ("  %-42s %16llu\n"). May be NULL. */
    void (*stats)(const struct vm *vm);
};

extern const struct accel_ops accel_hosted;
extern const struct accel_ops accel_kvm; /* hypervisor/kvm/; only in builds with the execution kernel */

/*
 * How KVM runs CPL-0 code here, by measurement (about a millisecond). KVM_NONE: not usable, why says what is missing; KVM_EMULATED: works, but CPL 0
 * is emulated; KVM_NATIVE: at hardware speed. `why` always gets half a sentence that -accel auto prints ("CPL 0 is emulated here, 2.1 us an instruction").
 */
enum kvm_kind { KVM_NONE, KVM_EMULATED, KVM_NATIVE };
enum kvm_kind kvm_probe(char *why, size_t cap);

/* The execution kernel's image (an ELF file), embedded into the binary; empty when it was not built. */
extern const unsigned char execution_kernel_image[], execution_kernel_image_end[];

struct options;
/* The accelerator the options ask for; NULL after a message. For auto: says on stderr in one line which and why. */
const struct accel_ops *accel_choose(const struct options *o);

#endif
