/*
 * platform_hosted.c: dbt/platform.h inside a Linux process: windows are reserved address space, into which guest RAM (a memfd) is mapped.
 *
 * The number of mappings of a process is bounded (vm.max_map_count, 65530 by default), and a scattered guest address space can need one for
 * every page. So they are counted, pessimistically; when the count reaches the bound the true numbers are read from /proc/self/maps, and if
 * those are high too, the fullest windows are emptied: the engine maps again what is touched again.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/hosted/hosted.h>
#include <hypervisor/vm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW_SIZE   (4ull << 30)
#define WINDOW_STRIDE (8ull << 30)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define POPULATE_MAX (64u << 10) /* longer mappings are filled by page faults, as they are touched */

#define MAPS_DEFAULT 65530u
#define MAPS_OTHER   1024u /* the rest of the process */

#define HWCAP2_X86_FSGSBASE 2u

#define MXCSR_DEFAULT 0x1f80u

static const int reserve_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

static uint32_t max_map_count(void)
{
    uint32_t n = MAPS_DEFAULT;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    if (f) {
        if (fscanf(f, "%u", &n) != 1)
            n = MAPS_DEFAULT;
        fclose(f);
    }
    return n > 1u << 24 ? 1u << 24 : n;
}

int windows_create(struct platform *p, unsigned count, int ram_fd)
{
    p->ram_fd = ram_fd;
    p->n_windows = count;
    /* half a stride of nothing before the first window and after the last one, beside what is lost to alignment */
    p->reserved_size = count * WINDOW_STRIDE + HUGE_PAGE;
    p->reserved = mmap(NULL, p->reserved_size, PROT_NONE, reserve_flags, -1, 0);
    p->vmas = calloc(count, sizeof(p->vmas[0]));
    if (p->reserved == MAP_FAILED || !p->vmas) {
        error_report("no room to reserve %llu GiB of address space for %u windows (ulimit -v, --views): %s",
                     (unsigned long long)(p->reserved_size >> 30), count, strerror(errno));
        if (p->reserved != MAP_FAILED)
            munmap(p->reserved, p->reserved_size);
        free(p->vmas);
        p->vmas = NULL;
        return -1;
    }
    p->first = ALIGN_UP((uint64_t)(uintptr_t)p->reserved + (WINDOW_STRIDE - WINDOW_SIZE) / 2, HUGE_PAGE);
    uint32_t max = max_map_count();
    p->vma_limit = max > 2 * MAPS_OTHER ? max - MAPS_OTHER : max / 2;
    p->fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_X86_FSGSBASE) != 0;
    return 0;
}

void windows_destroy(struct platform *p)
{
    munmap(p->reserved, p->reserved_size);
    free(p->vmas);
    p->vmas = NULL;
}

uint64_t plat_window_base(struct platform *p, unsigned window)
{
    return p->first + window * WINDOW_STRIDE;
}

static void *window_ptr(struct platform *p, unsigned window, uint32_t va)
{
    return (void *)(uintptr_t)(plat_window_base(p, window) + va);
}

_Noreturn static void die(const char *what)
{
    char text[256];
    snprintf(text, sizeof(text), "armlet: %s a guest page failed: %s\n", what, strerror(errno));
    error_die(1, text);
}

/* --- counting mappings ------------------------------------------------------------------------------------------------- */

static void empty_window(struct platform *p, unsigned window)
{
    if (mmap(window_ptr(p, window, 0), WINDOW_SIZE, PROT_NONE, reserve_flags | MAP_FIXED, -1, 0) == MAP_FAILED)
        die("unmapping");
    p->vma_total -= p->vmas[window];
    p->vmas[window] = 0;
}

/* Read the true numbers. Runs in the fault handler too: system calls and the stack only. */
static void recount(struct platform *p)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* the pessimistic count stands */
    memset(p->vmas, 0, p->n_windows * sizeof(p->vmas[0]));
    p->vma_total = 0;
    char buf[4096];
    uint64_t start = 0;
    bool in_number = true; /* at the beginning of a line: its start address */
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            char c = buf[i];
            if (c == '\n') {
                start = 0;
                in_number = true;
            } else if (in_number && c == '-') {
                in_number = false;
                uint64_t w = (start - p->first) / WINDOW_STRIDE;
                if (start >= p->first && w < p->n_windows)
                    p->vmas[w]++;
                p->vma_total++;
            } else if (in_number) {
                start = start << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    }
    close(fd);
}

static unsigned fullest(const struct platform *p)
{
    unsigned best = 0;
    for (unsigned w = 1; w < p->n_windows; w++) {
        if (p->vmas[w] > p->vmas[best])
            best = w;
    }
    return best;
}

static void make_room(struct platform *p, uint32_t goal)
{
    while (p->vma_total > goal) {
        unsigned w = fullest(p);
        if (!p->vmas[w])
            return;
        empty_window(p, w);
        p->dropped = true;
    }
}

/* One system call can split a mapping in two places. */
static void count_call(struct platform *p, unsigned window)
{
    if (p->vma_total + 2 > p->vma_limit) {
        recount(p);
        if (p->vma_total > p->vma_limit / 4 * 3)
            make_room(p, p->vma_limit / 2);
    }
    p->vmas[window] += 2;
    p->vma_total += 2;
}

/* --- the platform ------------------------------------------------------------------------------------------------------ */

/*
 * Removals wait for plat_flush(): a guest that takes a range away names page after page, and one system call serves those that are
 * neighbours. What is mapped anew before that must not be hit by a removal asked for earlier: settle() sees to it.
 */
static void unmap_now(struct platform *p, unsigned window, uint32_t va, uint64_t len)
{
    count_call(p, window);
    /* A few pages are likely to be mapped again soon: taking the rights away is cheaper than putting the reserved space back. */
    if (len <= POPULATE_MAX && mprotect(window_ptr(p, window, va), len, PROT_NONE) == 0)
        return;
    if (mmap(window_ptr(p, window, va), len, PROT_NONE, reserve_flags | MAP_FIXED, -1, 0) == MAP_FAILED) {
        make_room(p, 0);
        if (mmap(window_ptr(p, window, va), len, PROT_NONE, reserve_flags | MAP_FIXED, -1, 0) == MAP_FAILED)
            die("unmapping");
    }
}

void plat_flush(struct platform *p)
{
    for (unsigned i = 0; i < p->n_removals; i++)
        unmap_now(p, p->removal[i].window, p->removal[i].va, p->removal[i].len);
    p->n_removals = 0;
}

static void settle(struct platform *p, unsigned window, uint32_t va, uint64_t len)
{
    for (unsigned i = 0; i < p->n_removals; i++) {
        const struct removal *r = &p->removal[i];
        if (r->window == window && va < r->va + r->len && r->va < va + len) {
            plat_flush(p);
            return;
        }
    }
}

void plat_map(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    int prot = PROT_READ | (rights & PLAT_W ? PROT_WRITE : 0);
    int flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE | (len <= POPULATE_MAX ? MAP_POPULATE : 0);
    settle(p, window, va, len);
    count_call(p, window);
    if (mmap(window_ptr(p, window, va), len, prot, flags, p->ram_fd, (off_t)ram_off) != MAP_FAILED)
        return;
    /* The count was right, but the bound is lower than it seemed: empty everything and try once more. */
    make_room(p, 0);
    if (mmap(window_ptr(p, window, va), len, prot, flags, p->ram_fd, (off_t)ram_off) == MAP_FAILED)
        die("mapping");
    p->vmas[window] += 2;
    p->vma_total += 2;
}

void plat_protect(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    int prot = PROT_READ | (rights & PLAT_W ? PROT_WRITE : 0);
    settle(p, window, va, len);
    if (!p->dropped) {
        count_call(p, window);
        if (!p->dropped && mprotect(window_ptr(p, window, va), len, prot) == 0)
            return;
    }
    /* Perhaps nothing is mapped there any more, and a right to the reserved space itself must not be given. */
    plat_map(p, window, va, len, ram_off, rights);
}

void plat_unmap(struct platform *p, unsigned window, uint32_t va, uint64_t len)
{
    struct removal *last = p->n_removals ? &p->removal[p->n_removals - 1] : NULL;

    if (last && last->window == window && last->va + last->len == va) {
        last->len += len;
        return;
    }
    if (last && last->window == window && va + len == last->va) {
        last->va = va;
        last->len += len;
        return;
    }
    if (p->n_removals == ARRAY_LEN(p->removal))
        plat_flush(p);
    p->removal[p->n_removals++] = (struct removal){window, va, len};
}

void plat_unmap_window(struct platform *p, unsigned window)
{
    for (unsigned i = 0; i < p->n_removals;) {
        if (p->removal[i].window == window)
            p->removal[i] = p->removal[--p->n_removals];
        else
            i++;
    }
    if (p->vmas[window])
        empty_window(p, window);
}

void plat_set_window(struct platform *p, unsigned window)
{
    uint64_t base = plat_window_base(p, window);
    p->current = window;
    if (p->fsgsbase)
        __asm__ volatile("wrgsbase %0" ::"r"(base));
    else
        syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

/*
 * Shared memory gets huge pages only where the administrator has allowed that, or for the asking (since Linux 6.1) once there is something
 * there.
 */
void plat_code_ahead(struct platform *p, uint64_t off, uint64_t len)
{
    for (uint64_t at = ALIGN_DOWN(off, HUGE_PAGE); at < off + len && at + HUGE_PAGE <= p->code_size && !p->code_small_pages;
         at += HUGE_PAGE) {
        (void)*(volatile const uint8_t *)(p->code_rw + at);
        p->code_small_pages =
            madvise(p->code_rw + at, HUGE_PAGE, MADV_COLLAPSE) < 0 || madvise(p->code_rx + at, HUGE_PAGE, MADV_COLLAPSE) < 0;
    }
}

void plat_host_call(struct platform *p)
{
    /* The engine may be in the guest's floating-point environment; the C library must not be. */
    uint32_t mxcsr, normal = MXCSR_DEFAULT;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("ldmxcsr %0" ::"m"(normal));
    enum hostcall_result r = hostcall_serve(p->vm);
    if (r == HOSTCALL_STOP)
        _longjmp(p->leave, 1);
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}
