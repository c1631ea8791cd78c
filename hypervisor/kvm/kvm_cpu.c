/*
 * kvm_cpu.c: the vCPU's registers. It starts at CPL 3 in 64-bit mode with paging on: there is nothing to boot.
 *
 * CPUID: what KVM says it supports, and those features of the processor that unprivileged code uses directly, whatever KVM's emulator knows
 * of them (a KVM without hardware virtualisation hides what it cannot emulate). The engine does not read CPUID: the host process passes it
 * the feature set; CPUID only decides which bits KVM lets us set in CR4 and XCR0.
 */
#include <cpuid.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/kvm/kvm_impl.h>
#include <hypervisor/vm.h>
#include <string.h>
#include <sys/ioctl.h>

#define CR0_PE         BIT(0)
#define CR0_MP         BIT(1)
#define CR0_ET         BIT(4)
#define CR0_NE         BIT(5)
#define CR0_WP         BIT(16)
#define CR0_PG         BIT(31)
#define CR4_PAE        BIT(5)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_FSGSBASE   BIT(16)
#define CR4_OSXSAVE    BIT(18)
#define EFER_LME       BIT(8)
#define EFER_LMA       BIT(10)
#define EFER_NXE       BIT(11)
#define XCR0_X87_SSE   0x3u
#define XCR0_AVX       0x4u

#define CPUID_1_ECX_XSAVE    BIT(26)
#define CPUID_1_ECX_OSXSAVE  BIT(27)
#define CPUID_1_ECX_AVX      BIT(28)
#define CPUID_7_EBX_FSGSBASE BIT(0)
/* PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT XSAVE AVX F16C */
#define CPUID_1_ECX_USER (BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(26) | BIT(28) | BIT(29))
/* FSGSBASE BMI1 AVX2 BMI2 ERMS */
#define CPUID_7_EBX_USER     (BIT(0) | BIT(3) | BIT(5) | BIT(8) | BIT(9))
#define CPUID_EXT_1_ECX_USER (BIT(0) | BIT(5)) /* LAHF, LZCNT */

#define CPUID_ENTRIES 256

struct cpuid_table {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entry[CPUID_ENTRIES];
};

static int set_cpuid(struct kvm_state *k, bool *xsave)
{
    static struct cpuid_table t; /* 10 KiB; the main thread's */
    uint32_t a, b, c, d;

    t.head.nent = CPUID_ENTRIES;
    if (ioctl(k->kvm_fd, KVM_GET_SUPPORTED_CPUID, &t) < 0) {
        error_report("KVM does not tell which CPUID it supports: %s", strerror(errno));
        return -1;
    }
    *xsave = false;
    for (unsigned i = 0; i < t.head.nent; i++) {
        struct kvm_cpuid_entry2 *e = &t.entry[i];
        if (e->function == 1 && __get_cpuid(1, &a, &b, &c, &d)) {
            e->ecx |= c & CPUID_1_ECX_USER;
            *xsave = (e->ecx & CPUID_1_ECX_XSAVE) && (c & CPUID_1_ECX_OSXSAVE) && (e->ecx & CPUID_1_ECX_AVX);
        } else if (e->function == 7 && e->index == 0 && __get_cpuid_count(7, 0, &a, &b, &c, &d)) {
            e->ebx |= b & CPUID_7_EBX_USER;
        } else if (e->function == 0x80000001 && __get_cpuid(0x80000001, &a, &b, &c, &d)) {
            e->ecx |= c & CPUID_EXT_1_ECX_USER;
        }
    }
    if (ioctl(k->vcpu_fd, KVM_SET_CPUID2, &t) < 0) {
        error_report("KVM refuses the vCPU's CPUID: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/*
 * The type of the TSS in TR: VT-x demands a busy one. SVM takes both, and QEMU's emulation of it finds the I/O permission map only with an
 * available one.
 */
static uint8_t tss_type(void)
{
    uint32_t a, b, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx ? 9 : 11;
}

void kvm_set_segments(struct kvm_sregs *s, unsigned cpl)
{
    const struct kvm_segment code = {.limit = 0xffffffff,
                                     .selector = cpl ? VM_USER_CS : VM_KERNEL_CS,
                                     .type = 11,
                                     .present = 1,
                                     .dpl = (uint8_t)cpl,
                                     .s = 1,
                                     .l = 1,
                                     .g = 1};
    const struct kvm_segment data = {.limit = 0xffffffff,
                                     .selector = cpl ? VM_USER_SS : VM_KERNEL_SS,
                                     .type = 3,
                                     .present = 1,
                                     .dpl = (uint8_t)cpl,
                                     .s = 1,
                                     .db = 1,
                                     .g = 1};

    s->cs = code;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
    s->tr = (struct kvm_segment){.base = VM_TSS, .limit = VM_TSS_SIZE - 1, .selector = VM_TSS_SEL, .type = tss_type(), .present = 1};
    s->ldt = (struct kvm_segment){.type = 2, .unusable = 1};
    s->gdt.base = VM_GDT;
    s->gdt.limit = VM_GDT_SIZE - 1;
    s->idt.base = VM_IDT;
    s->idt.limit = VM_IDT_SIZE - 1;
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->efer = EFER_LME | EFER_LMA | EFER_NXE;
}

/*
 * The guest counter, the ticker and the engine compare values of the TSC taken on both sides, so the VM's must be the host's. Old kernels
 * have no attribute for the offset: there the counter is written, which comes within microseconds.
 */
static void align_tsc(struct kvm_state *k)
{
    uint64_t zero = 0;
    struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&zero};

    if (ioctl(k->vcpu_fd, KVM_SET_DEVICE_ATTR, &attr) == 0)
        return;
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msr = {.head.nmsrs = 1, .entry = {.index = 0x10, .data = host_tsc()}};
    ioctl(k->vcpu_fd, KVM_SET_MSRS, &msr); /* where even that is refused, the TSC is not virtualised */
}

int kvm_cpu_setup(struct kvm_state *k)
{
    struct kvm_sregs s;
    bool xsave;

    if (set_cpuid(k, &xsave) < 0)
        return -1;
    if (ioctl(k->vcpu_fd, KVM_GET_SREGS, &s) < 0) {
        error_report("KVM does not give the vCPU's registers: %s", strerror(errno));
        return -1;
    }
    kvm_set_segments(&s, 3);
    s.cr3 = k->boot->pml4;
    s.cr4 |= CR4_FSGSBASE | (xsave ? CR4_OSXSAVE : 0);
    if (ioctl(k->vcpu_fd, KVM_SET_SREGS, &s) < 0) {
        error_report("KVM refuses the vCPU's system registers (64-bit mode with FSGSBASE): %s", strerror(errno));
        return -1;
    }
    if (xsave) {
        struct kvm_xcrs x = {.nr_xcrs = 1, .xcrs[0].value = XCR0_X87_SSE | XCR0_AVX};
        if (ioctl(k->vcpu_fd, KVM_SET_XCRS, &x) < 0) {
            error_report("KVM refuses to enable AVX for the vCPU: %s", strerror(errno));
            return -1;
        }
    }
    /* A call would have pushed a return address: the stack is 16-byte aligned before it. */
    struct kvm_regs r = {.rip = k->entry, .rsp = VM_STACK_TOP, .rdi = VM_BOOT_INFO, .rflags = 0x202};
    if (ioctl(k->vcpu_fd, KVM_SET_REGS, &r) < 0) {
        error_report("KVM refuses the vCPU's registers: %s", strerror(errno));
        return -1;
    }
    align_tsc(k);
    return 0;
}
