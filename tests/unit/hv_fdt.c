/*
 * hv_fdt.c: the built-in device tree, and completing one that the user gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <armlet/abi.h>
#include <devices/pl011.h>
#include <devices/pl031.h>
#include <hypervisor/bus.h>
#include <hypervisor/fdt.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

static void set_line(void *ctx UNUSED, unsigned spi UNUSED, bool level UNUSED) {}

static uint32_t cell(const void *fdt, const char *path, const char *property, int n)
{
    int len = 0, at = fdt_path_offset(fdt, path);
    assert_true(at >= 0);
    const fdt32_t *v = fdt_getprop(fdt, at, property, &len);
    assert_non_null(v);
    assert_true(len >= 4 * (n + 1));
    return fdt32_to_cpu(v[n]);
}

static void board(void **state UNUSED)
{
    struct bus bus = {0};
    struct pl011 *u = pl011_create((struct irq_line){set_line, NULL, 1}, NULL);
    struct pl031 *r = pl031_create((struct irq_line){set_line, NULL, 2});
    assert_int_equal(bus_attach(&bus, 0x09000000, &pl011_desc, u), 0);
    assert_int_equal(bus_attach(&bus, 0x09010000, &pl031_desc, r), 0);
    void *fdt = NULL;
    struct dt_boot boot = {.ram_size = GUEST_RAM_MAX, .bootargs = "quiet"};
    assert_int_equal(dt_build(&bus, &boot, &fdt), 0);
    assert_int_equal(fdt_check_full(fdt, fdt_totalsize(fdt)), 0);

    assert_int_equal(cell(fdt, "/memory@40000000", "reg", 1), 0x40000000);
    assert_int_equal(cell(fdt, "/memory@40000000", "reg", 3), GUEST_RAM_MAX);
    assert_int_equal(cell(fdt, "/pl011@9000000", "interrupts", 1), 1);
    assert_int_equal(cell(fdt, "/pl011@9000000", "reg", 3), 0x1000);
    assert_int_equal(cell(fdt, "/pl031@9010000", "interrupts", 1), 2);
    uint32_t gic = cell(fdt, "/", "interrupt-parent", 0);
    assert_int_equal(cell(fdt, "/intc@8000000", "phandle", 0), gic);
    assert_int_equal(cell(fdt, "/timer", "interrupts", 7), GUEST_TIMER_VIRT_PPI - 16);
    assert_int_equal(cell(fdt, "/timer", "interrupts", 4), GUEST_TIMER_PHYS_PPI - 16);
    assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/psci"), "method", NULL), "hvc");
    assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL), "quiet");
    assert_null(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "linux,initrd-start", NULL));
    const char *console = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "stdout-path", NULL);
    assert_true(fdt_path_offset(fdt, console) > 0);
    free(fdt);
    pl011_destroy(u);
    pl031_destroy(r);
}

static void long_command_line(void **state UNUSED)
{
    struct bus bus = {0};
    char *args = malloc(100001);
    memset(args, 'x', 100000);
    args[100000] = 0;
    void *fdt = NULL;
    struct dt_boot boot = {.ram_size = 1u << 20, .bootargs = args};
    assert_int_equal(dt_build(&bus, &boot, &fdt), 0);
    assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL), args);
    free(fdt);
    free(args);
}

static void patching(void **state UNUSED)
{
    char tree[2048];
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(tree)), 0);
    assert_int_equal(fdt_setprop_u32(tree, 0, "#address-cells", 1), 0);
    assert_int_equal(fdt_setprop_u32(tree, 0, "#size-cells", 1), 0);
    int at = fdt_add_subnode(tree, 0, "memory");
    assert_int_equal(fdt_setprop_string(tree, at, "device_type", "memory"), 0);
    assert_int_equal(fdt_setprop_u32(tree, at, "reg", 0x80000000), 0);
    void *fdt = NULL;
    struct dt_boot boot = {.ram_size = 64u << 20, .bootargs = "a b", .initrd_start = 0x42000000, .initrd_end = 0x42000123};
    assert_int_equal(dt_patch(tree, fdt_totalsize(tree), "tree", &boot, &fdt), 0);
    assert_int_equal(fdt_check_full(fdt, fdt_totalsize(fdt)), 0);
    assert_int_equal(fdt_path_offset(fdt, "/memory"), fdt_path_offset(fdt, "/memory@40000000")); /* one of them, found by either name */
    assert_int_equal(cell(fdt, "/memory@40000000", "reg", 0), 0x40000000);
    assert_int_equal(cell(fdt, "/memory@40000000", "reg", 1), 64u << 20);
    assert_int_equal(cell(fdt, "/chosen", "linux,initrd-end", 0), 0x42000123);
    assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL), "a b");
    free(fdt);
}

static void not_a_tree(void **state UNUSED)
{
    char tree[256];
    void *fdt = NULL;
    struct dt_boot boot = {.ram_size = 64u << 20};
    assert_int_equal(dt_patch("this is text, not a device tree, and long enough", 48, "text", &boot, &fdt), -1);
    assert_int_equal(dt_patch("", 0, "empty", &boot, &fdt), -1);
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(tree)), 0);
    assert_int_equal(dt_patch(tree, fdt_totalsize(tree) - 8, "cut", &boot, &fdt), -1);
    assert_null(fdt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(board), cmocka_unit_test(long_command_line), cmocka_unit_test(patching), cmocka_unit_test(not_a_tree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
