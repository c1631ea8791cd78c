/*
 * kvm.c: the KVM accelerator: one VM, one vCPU, and the loop around KVM_RUN.
 *
 * The execution kernel leaves the VM for one reason only, a request through VM_PORT_HOSTCALL; everything else is an end: of the
 * process (a signal), or of the VM (a fault nothing could handle), which is reported with the state of the processor.
 */
#include <dbt/vcpu.h>
#include <errno.h>
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/kvm/kvm_impl.h>
#include <hypervisor/vm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int probe(char *why, size_t cap)
{
    int fd = kvm_open(why, cap);

    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

/* What --stats prints, summed up over the boots of a guest in vm->accel_count. */
enum { COUNT_EXITS, COUNT_FAULTS = EXIT_KINDS, COUNT_SPURIOUS, COUNT_INVLPG, COUNT_CR3, COUNT_RECLAIMS, COUNT_KVM_EXITS, COUNT_KVM_EMULATED, COUNTS };
_Static_assert(COUNTS <= ARRAY_LEN(((struct vm *)0)->accel_count), "room for all");

static void keep_counts(const struct kvm_state *k, struct vm *vm)
{
    const struct vm_boot_info *b = k->boot;

    for (unsigned i = 0; i < EXIT_KINDS; i++)
        vm->accel_count[COUNT_EXITS + i] += k->exits[i];
    vm->accel_count[COUNT_KVM_EXITS] += kvm_vcpu_stat(k, "exits");
    vm->accel_count[COUNT_KVM_EMULATED] += kvm_vcpu_stat(k, "insn_emulation");
    if (b == NULL)
        return;
    vm->accel_count[COUNT_FAULTS] += b->page_faults;
    vm->accel_count[COUNT_SPURIOUS] += b->spurious_faults;
    vm->accel_count[COUNT_INVLPG] += b->gates_invlpg;
    vm->accel_count[COUNT_CR3] += b->gates_cr3;
    vm->accel_count[COUNT_RECLAIMS] += b->pool_reclaims;
}

static void stats(const struct vm *vm)
{
    static const char *const text[COUNTS] = {
        [COUNT_EXITS + EXIT_HOSTCALL] = "exits for a host call",
        [COUNT_EXITS + EXIT_SIGNAL] = "exits for a signal",
        [COUNT_EXITS + EXIT_OTHER] = "other exits",
        [COUNT_FAULTS] = "page faults reflected to CPL 3",
        [COUNT_SPURIOUS] = "of them spurious",
        [COUNT_INVLPG] = "requests to CPL 0 for single pages",
        [COUNT_CR3] = "requests to CPL 0 for all pages",
        [COUNT_RECLAIMS] = "windows emptied for page-table pages",
        [COUNT_KVM_EXITS] = "exits KVM counted, its own included",
        [COUNT_KVM_EMULATED] = "instructions KVM emulated",
    };

    fprintf(stderr, " virtual machine\n");
    for (unsigned i = 0; i < COUNTS; i++)
        fprintf(stderr, "  %-42s %16llu\n", text[i], (unsigned long long)vm->accel_count[i]);
}

static void destroy(struct vm *vm)
{
    struct kvm_state *k = vm->accel_state;

    if (k == NULL)
        return;
    vm->accel_state = NULL;
    keep_counts(k, vm);
    if (k->run != NULL)
        munmap(k->run, k->run_size);
    if (k->vcpu_fd >= 0)
        close(k->vcpu_fd);
    if (k->vm_fd >= 0)
        close(k->vm_fd);
    if (k->kvm_fd >= 0)
        close(k->kvm_fd);
    kvm_memory_release(k, vm);
    free(k);
}

/* SIGUSR1 only has to end KVM_RUN. */
static void on_kick(int sig)
{
    (void)sig;
}

static int create_vcpu(struct kvm_state *k)
{
    k->vcpu_fd = ioctl(k->vm_fd, KVM_CREATE_VCPU, 0);
    if (k->vcpu_fd < 0) {
        error_report("KVM cannot create a vCPU: %s", strerror(errno));
        return -1;
    }
    int size = ioctl(k->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(*k->run)) {
        error_report("KVM gives no size for the vCPU's shared page: %s", strerror(errno));
        return -1;
    }
    void *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, k->vcpu_fd, 0);
    if (run == MAP_FAILED) {
        error_report("cannot map the vCPU's shared page: %s", strerror(errno));
        return -1;
    }
    k->run = run;
    k->run_size = (size_t)size;
    return kvm_cpu_setup(k);
}

static int create(struct vm *vm)
{
    char why[256];
    struct sigaction sa = {.sa_handler = on_kick};
    struct kvm_state *k = calloc(1, sizeof(*k));

    if (k == NULL) {
        error_report("out of memory");
        return -1;
    }
    k->kvm_fd = k->vm_fd = k->vcpu_fd = -1;
    vm->accel_state = k;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGUSR1, &sa, NULL);

    k->kvm_fd = kvm_open(why, sizeof(why));
    if (k->kvm_fd < 0) {
        error_report("-accel kvm: %s", why);
        goto fail;
    }
    k->vm_fd = ioctl(k->kvm_fd, KVM_CREATE_VM, 0);
    if (k->vm_fd < 0) {
        error_report("KVM cannot create a VM: %s", strerror(errno));
        goto fail;
    }
    if (kvm_memory_create(k, vm) < 0 || create_vcpu(k) < 0)
        goto fail;
    return 0;
fail:
    destroy(vm);
    return -1;
}

/* --- running --- */

static const char *exit_name(uint32_t reason)
{
    switch (reason) {
    case KVM_EXIT_SHUTDOWN:
        return "triple fault";
    case KVM_EXIT_FAIL_ENTRY:
        return "failed entry";
    case KVM_EXIT_INTERNAL_ERROR:
        return "KVM internal error";
    case KVM_EXIT_MMIO:
        return "access outside of memory";
    case KVM_EXIT_IO:
        return "access to an unknown port";
    case KVM_EXIT_HLT:
        return "halt";
    default:
        return "unexpected exit";
    }
}

/* Something no part of the VM should ever do. */
static int report_exit(struct kvm_state *k, struct vm *vm)
{
    const struct kvm_run *run = k->run;
    struct kvm_regs r = {0};
    struct kvm_sregs s = {0};
    char detail[96] = "";

    ioctl(k->vcpu_fd, KVM_GET_REGS, &r);
    ioctl(k->vcpu_fd, KVM_GET_SREGS, &s);
    if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
        snprintf(detail, sizeof(detail), ", hardware reason %#llx", (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
    else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        snprintf(detail, sizeof(detail), ", suberror %u", run->internal.suberror);
    else if (run->exit_reason == KVM_EXIT_MMIO)
        snprintf(detail, sizeof(detail), ", physical address %#llx", (unsigned long long)run->mmio.phys_addr);
    else if (run->exit_reason == KVM_EXIT_IO)
        snprintf(detail, sizeof(detail), ", port %#x", run->io.port);

    /* The one part of the engine we know the address of is the vCPU's poll word. */
    const uint64_t pc_va = vm->shared->poll_va - offsetof(struct vcpu, poll) + offsetof(struct vcpu, pc);
    const uint32_t *pc = vm->shared->poll_va != 0 ? kvm_host_ptr(k, pc_va, sizeof(*pc)) : NULL;
    error_report("the VM stopped: %s (exit %u%s) at rip %llx, cpl %u, rsp %llx, cr2 %llx, cr3 %llx, guest pc %x",
                 exit_name(run->exit_reason), run->exit_reason, detail, (unsigned long long)r.rip, s.cs.selector & 3,
                 (unsigned long long)r.rsp, (unsigned long long)s.cr2, (unsigned long long)s.cr3, pc != NULL ? *pc : 0);
    return -1;
}

static int run_vcpu(struct kvm_state *k, struct vm *vm)
{
    for (;;) {
        if (atomic_load(&k->stop)) {
            vm_stopped(vm, STOP_HOST);
            return 0;
        }
        if (ioctl(k->vcpu_fd, KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN) {
                k->exits[EXIT_SIGNAL]++;
                continue;
            }
            error_report("KVM cannot run the vCPU: %s", strerror(errno));
            return -1;
        }
        if (k->run->exit_reason != KVM_EXIT_IO || k->run->io.port != VM_PORT_HOSTCALL || k->run->io.direction != KVM_EXIT_IO_OUT) {
            k->exits[EXIT_OTHER]++;
            return report_exit(k, vm);
        }
        k->exits[EXIT_HOSTCALL]++;
        if (hostcall_serve(vm) == HOSTCALL_STOP)
            return 0;
    }
}

static int run(struct vm *vm)
{
    struct kvm_state *k = vm->accel_state;
    sigset_t kick;

    sigemptyset(&kick);
    sigaddset(&kick, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
    k->thread = pthread_self();
    atomic_store(&k->running, true);
    int rc = run_vcpu(k, vm);
    atomic_store(&k->running, false);
    return rc;
}

static uint32_t *poll_word(struct vm *vm)
{
    struct kvm_state *k = vm->accel_state;
    uint64_t va = __atomic_load_n(&vm->shared->poll_va, __ATOMIC_ACQUIRE);

    return va != 0 ? kvm_host_ptr(k, va, sizeof(uint32_t)) : NULL;
}

/* immediate_exit closes the gap between the look at `stop` and KVM_RUN: a signal that comes there ends the next KVM_RUN at once. */
static void interrupt(struct vm *vm)
{
    struct kvm_state *k = vm->accel_state;

    atomic_store(&k->stop, true);
    __atomic_store_n(&k->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    if (atomic_load(&k->running))
        pthread_kill(k->thread, SIGUSR1);
}

const struct accel_ops accel_kvm = {
    .name = "kvm",
    .fault_around = 16,
    .posts = true,
    .probe = probe,
    .create = create,
    .run = run,
    .destroy = destroy,
    .poll_word = poll_word,
    .interrupt = interrupt,
    .stats = stats,
};
