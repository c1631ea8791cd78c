/*
 * kvm_probe.c: is KVM there, does it offer what is needed, and does code at CPL 0 run natively?
 *
 * The last is measured: a VM of three pages runs a loop at CPL 0, and the difference between many rounds and one, the best of a few tries,
 * is what its instructions take. Hardware needs under a nanosecond for each (some nanoseconds where the processor itself is emulated), a
 * KVM that emulates CPL 0 half a microsecond.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/accel.h>
#include <hypervisor/kvm/kvm_impl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOP_ROUNDS 128u
#define LOOP_INSNS  2u
#define EMULATED_NS 100.0 /* an instruction above that is not run but interpreted */
#define TRIES       3

int kvm_open(char *why, size_t cap)
{
    static const struct {
        int cap;
        const char *name;
    } needed[] = {
        {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
        {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
        {KVM_CAP_XCRS, "KVM_CAP_XCRS"},
        {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
    };
    uint32_t a, b, c, d;
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        if (errno == EACCES || errno == EPERM)
            snprintf(why, cap, "no permission to use /dev/kvm: add this user to the group that owns it (usually kvm)");
        else if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
            snprintf(why, cap, "there is no /dev/kvm: virtualisation is off, or the module kvm_intel or kvm_amd is not loaded");
        else
            snprintf(why, cap, "cannot open /dev/kvm: %s", strerror(errno));
        return -1;
    }
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version < 0) {
        snprintf(why, cap, "/dev/kvm is not KVM's device: %s", strerror(errno));
        goto fail;
    }
    if (version != KVM_API_VERSION) {
        snprintf(why, cap, "/dev/kvm speaks version %d of the API, not %d", version, KVM_API_VERSION);
        goto fail;
    }
    for (unsigned i = 0; i < ARRAY_LEN(needed); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0) {
            snprintf(why, cap, "this kernel's KVM lacks %s", needed[i].name);
            goto fail;
        }
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & BIT(0))) {
        snprintf(why, cap, "this processor lacks FSGSBASE (Intel since Ivy Bridge, AMD since Zen)");
        goto fail;
    }
    return fd;
fail:
    close(fd);
    return -1;
}

/* Memory of the probe's VM at address 0: four page-table pages map the first 2 MiB to themselves, then a page of code. */
enum { PAGE_PML4, PAGE_PDPT, PAGE_PD, PAGE_CODE, PAGES };

static const uint8_t loop_code[] = {
    0xff, 0xc9,             /* 1: dec %ecx */
    0x75, 0xfc,             /*    jnz 1b */
    0xe6, VM_PORT_HOSTCALL, /*    out %al, $port */
    0xeb, 0xf8,             /*    jmp 1b */
};

static int run_loop(int vcpu, const struct kvm_run *run, uint32_t rounds, double *ns)
{
    struct kvm_regs r = {.rip = PAGE_CODE * VM_PAGE, .rcx = rounds, .rflags = 2};
    struct timespec a, b;

    if (ioctl(vcpu, KVM_SET_REGS, &r) < 0)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &a);
    int rc;
    do {
        rc = ioctl(vcpu, KVM_RUN, 0);
    } while (rc < 0 && errno == EINTR);
    clock_gettime(CLOCK_MONOTONIC, &b);
    *ns = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
    return rc == 0 && run->exit_reason == KVM_EXIT_IO && run->io.port == VM_PORT_HOSTCALL ? 0 : -1;
}

/* Nanoseconds an instruction at CPL 0 takes; negative when it cannot be run. *step names what failed. */
static double measure(int kvm, const char **step)
{
    int vm = -1, vcpu = -1;
    double best_one = 1e18, best_many = 1e18, ns, result = -1;
    struct kvm_run *run = MAP_FAILED;
    size_t run_size = 0;
    const size_t bytes = PAGES * VM_PAGE;
    uint8_t *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    *step = "get memory";
    if (mem == MAP_FAILED)
        return -1;
    ((uint64_t *)(mem + PAGE_PML4 * VM_PAGE))[0] = PAGE_PDPT * VM_PAGE | X86_PTE_TABLE;
    ((uint64_t *)(mem + PAGE_PDPT * VM_PAGE))[0] = PAGE_PD * VM_PAGE | X86_PTE_TABLE;
    ((uint64_t *)(mem + PAGE_PD * VM_PAGE))[0] = X86_PTE_P | X86_PTE_W | X86_PTE_A | X86_PTE_D | X86_PTE_LARGE;
    memcpy(mem + PAGE_CODE * VM_PAGE, loop_code, sizeof(loop_code));

    struct kvm_userspace_memory_region region = {.memory_size = bytes, .userspace_addr = (uintptr_t)mem};
    struct kvm_sregs s;
    *step = "create a VM";
    if ((vm = ioctl(kvm, KVM_CREATE_VM, 0)) < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        goto out;
    *step = "create a vCPU";
    if ((vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) < 0)
        goto out;
    int n = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (n < (int)sizeof(*run))
        goto out;
    run_size = (size_t)n;
    run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
        goto out;
    kvm_set_segments(&s, 0);
    s.cr3 = PAGE_PML4 * VM_PAGE;
    *step = "start a vCPU in 64-bit mode";
    if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0)
        goto out;
    *step = "run code in a VM";
    for (unsigned i = 0; i < TRIES; i++) {
        if (run_loop(vcpu, run, 1, &ns) < 0)
            goto out;
        best_one = ns < best_one ? ns : best_one;
        if (run_loop(vcpu, run, 1 + LOOP_ROUNDS, &ns) < 0)
            goto out;
        best_many = ns < best_many ? ns : best_many;
    }
    result = best_many > best_one ? (best_many - best_one) / (LOOP_ROUNDS * LOOP_INSNS) : 0;
out:
    if (run != MAP_FAILED)
        munmap(run, run_size);
    if (vcpu >= 0)
        close(vcpu);
    if (vm >= 0)
        close(vm);
    munmap(mem, bytes);
    return result;
}

enum kvm_kind kvm_probe(char *why, size_t cap)
{
    const char *step;
    int kvm = kvm_open(why, cap);

    if (kvm < 0)
        return KVM_NONE;
    double ns = measure(kvm, &step);
    int e = errno;
    close(kvm);
    if (ns < 0) {
        snprintf(why, cap, "/dev/kvm is there, but fails to %s: %s", step, e != 0 ? strerror(e) : "unexpected exit");
        return KVM_NONE;
    }
    if (ns >= EMULATED_NS) {
        snprintf(why, cap, "CPL 0 is emulated here, %.1f us an instruction", ns / 1000);
        return KVM_EMULATED;
    }
    snprintf(why, cap, "CPL 0 runs natively here");
    return KVM_NATIVE;
}
