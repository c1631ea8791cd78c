/*
 * kvm_impl.h: the KVM accelerator's parts among themselves.
 *
 *   kvm.c        struct accel_ops and the run loop
 *   kvm_memory.c memory slots, the image, the page tables the vCPU starts with
 *   kvm_cpu.c    registers, CPUID, time stamp counter
 *   kvm_stats.c  KVM's own counters
 *   kvm_probe.c  is KVM there, is it good enough, does it run CPL 0 natively
 */
#ifndef HYPERVISOR_KVM_IMPL_H
#define HYPERVISOR_KVM_IMPL_H

#include <armlet/vm_layout.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct vm;

/* A range of physical addresses of the VM backed by host memory. */
struct kvm_region {
    const char *name;
    uint64_t gpa;
    uint64_t size;
    uint8_t *host;
    bool owned; /* mapped by us */
};

enum kvm_region_id { REGION_CONTROL, REGION_IMAGE, REGION_POOL, REGION_CODE, REGION_SHARED, REGION_HEAP, REGION_RAM, REGION_COUNT };

enum kvm_exit_kind { EXIT_HOSTCALL, EXIT_SIGNAL, EXIT_OTHER, EXIT_KINDS };

struct kvm_state {
    int kvm_fd, vm_fd, vcpu_fd;
    struct kvm_run *run;
    size_t run_size;
    struct kvm_region region[REGION_COUNT];
    uint8_t *machine_ram;                               /* vm->ram as the machine made it; ours stands in its place until release */
    struct vm_boot_info *boot;                          /* in REGION_CONTROL */
    uint64_t entry;                                     /* of the image */
    uint32_t image_flags[VM_IMAGE_MAX / VM_LARGE_PAGE]; /* PF_* of the segments on each large page */

    pthread_t thread; /* the one in run() */
    atomic_bool running;
    atomic_bool stop; /* interrupt() was called */
    uint64_t exits[EXIT_KINDS];
};

/* Open /dev/kvm and check that it offers what is needed: the descriptor, or -1 with a sentence in why. */
int kvm_open(char *why, size_t cap);

/* All return 0, or -1 after error_report(). What they made is released by kvm_memory_release() and closing the descriptors. */
int kvm_memory_create(struct kvm_state *k, struct vm *vm);
void kvm_memory_release(struct kvm_state *k, struct vm *vm);
int kvm_cpu_setup(struct kvm_state *k);

/* Host address of `len` bytes at the VM's (virtual = physical) address va, or NULL. */
void *kvm_host_ptr(const struct kvm_state *k, uint64_t va, uint64_t len);

/* The vCPU's counter of that name ("exits", "insn_emulation"), or 0 where KVM does not keep it. */
uint64_t kvm_vcpu_stat(const struct kvm_state *k, const char *name);

/* Flat 64-bit segments for a CPL; used by the probe too. */
void kvm_set_segments(struct kvm_sregs *s, unsigned cpl);

#endif
