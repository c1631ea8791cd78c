/*
 * platform_hosted.c: the engine's platform inside the host process. A window is a stretch of reserved address space, its page table is the host
 * kernel's: mapping a guest page is an mmap() of the guest-RAM memfd, protecting it an mprotect().
 *
 * The kernel limits the number of mappings a process may have (vm.max_map_count). When the bound kept here comes near it, all
 * windows are emptied at once; the engine notices pages that are not where it put them, one repeated fault each, and maps them again.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/hosted/platform_hosted.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/vm.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW_STRIDE      (8ull << 30)
#define WINDOW_SIZE        (4ull << 30)
#define HWCAP2_FSGSBASE_X86 2u /* <asm/hwcap2.h>: the kernel lets programs use the FSGSBASE instructions */
#define POPULATE_MAX       (64u << 10) /* larger mappings are filled in by first use */

static uint32_t mapping_limit(void)
{
    unsigned n = 65530;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");

    if (f) {
        if (fscanf(f, "%u", &n) != 1)
            n = 65530;
        fclose(f);
    }
    return n - n / 8; /* the rest of the process has mappings too */
}

int platform_hosted_init(struct platform *p, struct vm *vm, unsigned n_windows)
{
    void *at = mmap(NULL, n_windows * WINDOW_STRIDE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    p->vm = vm;
    p->windows = at;
    p->n_windows = n_windows;
    p->fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_X86;
    p->mapping_limit = mapping_limit();
    return 0;
}

void platform_hosted_exit(struct platform *p)
{
    if (p->windows)
        munmap(p->windows, p->n_windows * WINDOW_STRIDE);
    p->windows = NULL;
}

uint64_t plat_window_base(struct platform *p, unsigned window)
{
    return (uint64_t)(uintptr_t)p->windows + window * WINDOW_STRIDE;
}

static _Noreturn void give_up(const char *what)
{
    error_report("cannot %s guest memory: %s", what, strerror(errno));
    error_die(1, "");
}

static void reserve(struct platform *p, uint64_t at, uint64_t len)
{
    (void)p;
    if (mmap((void *)(uintptr_t)at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        give_up("unmap");
}

static uint32_t count_mappings(void)
{
    uint32_t n = 0;
    char buf[16384];
    FILE *f = fopen("/proc/self/maps", "r");
    size_t got;

    while (f && (got = fread(buf, 1, sizeof(buf), f)) > 0)
        for (size_t i = 0; i < got; i++)
            n += buf[i] == '\n';
    if (f)
        fclose(f);
    return n;
}

/* Up to `more` new mappings are about to be made. */
static void count(struct platform *p, uint32_t more)
{
    p->mappings += more;
    if (p->mappings < p->mapping_limit)
        return;
    p->mappings = count_mappings();
    if (p->mappings > p->mapping_limit / 2) {
        reserve(p, (uint64_t)(uintptr_t)p->windows, p->n_windows * WINDOW_STRIDE);
        p->mappings = count_mappings();
    }
}

static int prot_of(unsigned rights)
{
    return (rights & PLAT_R ? PROT_READ : 0) | (rights & PLAT_W ? PROT_WRITE : 0);
}

void plat_map(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    void *at = (void *)(uintptr_t)(plat_window_base(p, window) + va);
    int flags = MAP_SHARED | MAP_FIXED | (len <= POPULATE_MAX ? MAP_POPULATE : 0);

    count(p, 2);
    if (mmap(at, len, prot_of(rights), flags, p->vm->ram_fd, (off_t)ram_off) == MAP_FAILED)
        give_up("map");
}

void plat_protect(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    (void)ram_off;
    count(p, 2);
    /* ENOMEM: part of the range is not mapped, emptied by count(); the engine will map it anew */
    if (mprotect((void *)(uintptr_t)(plat_window_base(p, window) + va), len, prot_of(rights)) < 0 && errno != ENOMEM)
        give_up("protect");
}

void plat_unmap(struct platform *p, unsigned window, uint32_t va, uint64_t len)
{
    count(p, 1);
    reserve(p, plat_window_base(p, window) + va, len);
}

void plat_unmap_window(struct platform *p, unsigned window)
{
    reserve(p, plat_window_base(p, window), WINDOW_SIZE);
}

void plat_flush(struct platform *p)
{
    (void)p; /* the system calls above have done it */
}

void plat_set_window(struct platform *p, unsigned window)
{
    uint64_t base = plat_window_base(p, window);

    if (p->fsgsbase)
        __asm__ volatile("wrgsbase %0" : : "r"(base));
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

void plat_host_call(struct platform *p)
{
    if (hostcall_serve(p->vm) == HOSTCALL_STOP)
        longjmp(p->stop, 1);
}
