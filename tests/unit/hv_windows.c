/*
 * hv_windows.c: windows of the hosted platform: what is mapped is seen, what is not faults, and running out of mappings loses nothing but
 * mappings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hypervisor/hosted/hosted.h>
#include <hypervisor/hostcall.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int memfd_create(const char *name, unsigned flags);

#define PAGE     4096u
#define RAM_SIZE (16u << 20)

/* in place of hypervisor/hostcall.c: no request is made here */
enum hostcall_result hostcall_serve(struct vm *vm)
{
    (void)vm;
    return HOSTCALL_RESUME;
}

struct fixture {
    struct platform p;
    uint8_t *ram;
    int fd;
};

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    f.fd = memfd_create("ram", 0);
    if (f.fd < 0 || ftruncate(f.fd, RAM_SIZE) < 0)
        return -1;
    f.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
    for (uint32_t i = 0; i < RAM_SIZE / PAGE; i++)
        memcpy(f.ram + i * PAGE, &i, sizeof(i));
    *state = &f;
    return windows_create(&f.p, 4, f.fd);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    windows_destroy(&f->p);
    munmap(f->ram, RAM_SIZE);
    return close(f->fd);
}

static sigjmp_buf jump;
static void on_segv(int sig)
{
    siglongjmp(jump, sig);
}

/* The word at a guest address of a window, or -1 when it faults. */
static int64_t peek(struct fixture *f, unsigned window, uint32_t va)
{
    const volatile uint32_t *p = (const volatile uint32_t *)(uintptr_t)(plat_window_base(&f->p, window) + va);
    signal(SIGSEGV, on_segv);
    int64_t v = sigsetjmp(jump, 1) ? -1 : (int64_t)*p;
    signal(SIGSEGV, SIG_DFL);
    return v;
}

static bool poke(struct fixture *f, unsigned window, uint32_t va, uint32_t v)
{
    volatile uint32_t *p = (volatile uint32_t *)(uintptr_t)(plat_window_base(&f->p, window) + va);
    signal(SIGSEGV, on_segv);
    bool ok = !sigsetjmp(jump, 1);
    if (ok)
        *p = v;
    signal(SIGSEGV, SIG_DFL);
    return ok;
}

static void map_protect_unmap(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(peek(f, 1, 0x8000), -1);
    plat_map(&f->p, 1, 0x8000, 2 * PAGE, 5 * PAGE, PLAT_R | PLAT_W);
    assert_int_equal(peek(f, 1, 0x8000), 5);
    assert_int_equal(peek(f, 1, 0x9000), 6);
    assert_int_equal(peek(f, 1, 0xa000), -1);
    assert_int_equal(peek(f, 0, 0x8000), -1);
    assert_true(poke(f, 1, 0x9004, 77));
    assert_int_equal(*(uint32_t *)(f->ram + 6 * PAGE + 4), 77);
    plat_protect(&f->p, 1, 0x9000, PAGE, 6 * PAGE, PLAT_R);
    assert_false(poke(f, 1, 0x9004, 78));
    assert_int_equal(peek(f, 1, 0x9004), 77);
    assert_true(poke(f, 1, 0x8004, 78));
    plat_protect(&f->p, 1, 0x9000, PAGE, 6 * PAGE, PLAT_R | PLAT_W);
    assert_true(poke(f, 1, 0x9004, 79));
    plat_unmap(&f->p, 1, 0x8000, PAGE);
    plat_flush(&f->p);
    assert_int_equal(peek(f, 1, 0x8000), -1);
    assert_int_equal(peek(f, 1, 0x9004), 79);
    plat_unmap_window(&f->p, 1);
    assert_int_equal(peek(f, 1, 0x9000), -1);
}

/* Removals wait for the flush, in any order and number; what is mapped after one was asked for stays. */
static void removals_wait(void **state)
{
    struct fixture *f = *state;
    static const uint8_t order[] = {3, 4, 5, 2, 1, 8, 12, 10, 20, 22, 24, 26, 28, 30, 11};
    for (uint32_t i = 0; i < 32; i++)
        plat_map(&f->p, 0, i * PAGE, PAGE, (31 - i) * PAGE, PLAT_R | PLAT_W);
    for (unsigned k = 0; k < ARRAY_LEN(order); k++)
        plat_unmap(&f->p, 0, order[k] * PAGE, PAGE);
    plat_map(&f->p, 0, 4 * PAGE, PAGE, 9 * PAGE, PLAT_R | PLAT_W); /* removed and mapped again before the flush */
    plat_map(&f->p, 1, 11 * PAGE, PAGE, 7 * PAGE, PLAT_R);
    plat_unmap(&f->p, 1, 12 * PAGE, PAGE); /* nothing there */
    plat_unmap(&f->p, 0, 31 * PAGE, PAGE);
    plat_protect(&f->p, 0, 31 * PAGE, PAGE, 0, PLAT_R); /* gives it back */
    plat_unmap(&f->p, 2, 0, PAGE);
    plat_unmap_window(&f->p, 2);
    plat_map(&f->p, 2, 0, PAGE, 3 * PAGE, PLAT_R);
    plat_flush(&f->p);
    for (uint32_t i = 0; i < 31; i++) {
        bool gone = memchr(order, (int)i, sizeof(order)) && i != 4;
        assert_int_equal(peek(f, 0, i * PAGE), gone ? -1 : i == 4 ? 9 : (int)(31 - i));
    }
    assert_int_equal(peek(f, 1, 11 * PAGE), 7);
    assert_int_equal(peek(f, 2, 0), 3);
}

static void ends_of_a_window(void **state)
{
    struct fixture *f = *state;
    plat_map(&f->p, 2, 0, PAGE, 0, PLAT_R | PLAT_W);
    plat_map(&f->p, 2, 0xfffff000, PAGE, PAGE, PLAT_R | PLAT_W);
    assert_int_equal(peek(f, 2, 0), 0);
    assert_int_equal(peek(f, 2, 0xfffff000), 1);
    for (unsigned w = 0; w < 3; w++) {
        assert_true(plat_window_base(&f->p, w + 1) - plat_window_base(&f->p, w) > 1ull << 32);
        assert_int_equal(plat_window_base(&f->p, w) % (2u << 20), 0);
    }
}

static unsigned count_maps(void)
{
    unsigned n = 0;
    int c;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while ((c = getc(maps)) != EOF)
        n += c == '\n';
    fclose(maps);
    return n;
}

static void too_many_mappings(void **state)
{
    struct fixture *f = *state;
    unsigned before = count_maps();
    f->p.vma_limit = before + 200;
    for (uint32_t i = 0; i < 2000; i++) { /* every other page, backwards in RAM: nothing merges */
        unsigned w = i % 3;
        plat_map(&f->p, w, i * 2 * PAGE, PAGE, RAM_SIZE - (i + 1) * PAGE, PLAT_R | PLAT_W);
        assert_int_equal(peek(f, w, i * 2 * PAGE), RAM_SIZE / PAGE - i - 1); /* what was asked for last is always there */
        if (i % 100 == 0)
            assert_true(count_maps() <=
                        f->p.vma_limit +
                            300); /* some are the test program's own (sanitizers make many); without the limit it would be 2000 */
    }
    assert_true(f->p.dropped);
    /* a right to a page that was dropped is a mapping, never a right to the reserved space */
    plat_unmap_window(&f->p, 0);
    plat_protect(&f->p, 0, 0x100000, PAGE, 9 * PAGE, PLAT_R);
    assert_int_equal(peek(f, 0, 0x100000), 9);
    assert_false(poke(f, 0, 0x100000, 1));
}

static void merging_is_noticed(void **state)
{
    struct fixture *f = *state;
    f->p.vma_limit = count_maps() + 100;
    for (uint32_t i = 0; i < 2000; i++) /* one growing mapping: the pessimistic count must not empty anything */
        plat_map(&f->p, 0, i * PAGE, PAGE, i * PAGE, PLAT_R | PLAT_W);
    assert_false(f->p.dropped);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(peek(f, 0, i * PAGE), i);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(map_protect_unmap), T(removals_wait), T(ends_of_a_window), T(too_many_mappings),
                                       T(merging_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
