/*
 * hv_image.c: recognising kernel images, and where kernel, initrd and device tree land.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <armlet/abi.h>
#include <elf.h>
#include <hypervisor/bus.h>
#include <hypervisor/error.h>
#include <hypervisor/image.h>
#include <hypervisor/options.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char said[1024];

/* in place of hypervisor/error.c */
void error_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
}

static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

static void make_zimage(uint8_t *p, size_t size, uint32_t claimed)
{
    memset(p, 0, size);
    put32(p + 0x24, 0x016f2818);
    put32(p + 0x2c, claimed);
}

static size_t make_elf(uint8_t *p, uint16_t machine, uint32_t paddr, uint32_t vaddr, uint32_t entry)
{
    Elf32_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1}, .e_type = ET_EXEC, .e_machine = machine, .e_entry = entry,
                    .e_phoff = sizeof(h), .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1};
    Elf32_Phdr ph = {.p_type = PT_LOAD, .p_offset = sizeof(h) + sizeof(ph), .p_vaddr = vaddr, .p_paddr = paddr, .p_filesz = 8, .p_memsz = 64, .p_flags = PF_R | PF_X};
    memcpy(p, &h, sizeof(h));
    memcpy(p + sizeof(h), &ph, sizeof(ph));
    memcpy(p + sizeof(h) + sizeof(ph), "CODECODE", 8);
    return sizeof(h) + sizeof(ph) + 8;
}

static void detection(void **state UNUSED)
{
    uint8_t buf[1024] = {0};
    char why[160];

    assert_int_equal(image_detect(buf, 0, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "empty"));

    make_zimage(buf, sizeof(buf), 1024);
    assert_int_equal(image_detect(buf, sizeof(buf), why, sizeof(why)), IMAGE_ZIMAGE);
    assert_int_equal(image_detect(buf, 600, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "truncated"));
    make_zimage(buf, sizeof(buf), 0);
    assert_int_equal(image_detect(buf, sizeof(buf), why, sizeof(why)), -1);

    static const struct {
        unsigned at, n;
        const char *bytes, *names;
    } foreign[] = {
        {0x202, 4, "HdrS", "bzImage"}, {0x38, 4, "ARM\x64", "AArch64"}, {0, 4, "\x1f\x8b\x08\x00", "gzip"}, {0, 6, "070701", "cpio"}, {0, 4, "\xd0\x0d\xfe\xed", "device tree"},
    };
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        memset(buf, 0, sizeof(buf));
        memcpy(buf + foreign[i].at, foreign[i].bytes, foreign[i].n);
        assert_int_equal(image_detect(buf, sizeof(buf), why, sizeof(why)), -1);
        assert_non_null(strstr(why, foreign[i].names));
    }

    memset(buf, 0, sizeof(buf));
    size_t n = make_elf(buf, EM_ARM, 0x40008000, 0xc0008000, 0xc0008000);
    assert_int_equal(image_detect(buf, n, why, sizeof(why)), IMAGE_ELF);
    assert_int_equal(image_detect(buf, n - 1, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "truncated"));
    assert_int_equal(image_detect(buf, 20, why, sizeof(why)), -1);
    make_elf(buf, EM_X86_64, 0, 0, 0);
    assert_int_equal(image_detect(buf, n, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "x86-64"));

    assert_int_equal(image_detect((const uint8_t *)"#!/bin/sh\necho hello\n", 21, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "text"));

    static const uint8_t code[8] = {0x00, 0x00, 0xa0, 0xe3, 0xfe, 0xff, 0xff, 0xea};
    assert_int_equal(image_detect(code, sizeof(code), why, sizeof(why)), IMAGE_RAW);
    assert_int_equal(image_detect(code, 2, why, sizeof(why)), -1);
}

/* No prefix of any header makes the detection read past its end (the sanitizer build sees to that). */
static void any_prefix(void **state UNUSED)
{
    uint8_t full[600];
    char why[160];
    for (unsigned kind = 0; kind < 4; kind++) {
        memset(full, 0xff, sizeof(full));
        if (kind == 0)
            make_zimage(full, sizeof(full), 600);
        else if (kind == 1)
            make_elf(full, EM_ARM, 0, 0, 0);
        else if (kind == 2)
            memcpy(full, "\x27\x05\x19\x56", 4);
        else
            memcpy(full, "MZ", 2);
        for (size_t n = 0; n <= sizeof(full); n++) {
            uint8_t *p = malloc(n ? n : 1);
            memcpy(p, full, n);
            image_detect(p, n, why, sizeof(why));
            free(p);
        }
    }
}

/* --- loading --- */

#define RAM_SIZE (64u << 20)

struct fixture {
    char dir[64];
    uint8_t *ram;
    struct bus bus;
};

static int setup(void **state)
{
    static struct fixture f;
    strcpy(f.dir, "/tmp/hv_image.XXXXXX");
    f.ram = calloc(1, RAM_SIZE);
    *state = &f;
    return mkdtemp(f.dir) && f.ram ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -r %s", f->dir);
    free(f->ram);
    return system(cmd);
}

static const char *save(struct fixture *f, const char *name, const void *data, size_t size)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof(path[0]), "%s/%s", f->dir, name);
    FILE *out = fopen(p, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    return p;
}

static uint32_t chosen_u32(const void *fdt, const char *property)
{
    int len;
    const fdt32_t *v = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), property, &len);
    return v && len == 4 ? fdt32_to_cpu(*v) : 0;
}

static void zimage_and_initrd(void **state)
{
    struct fixture *f = *state;
    uint8_t kernel[8192];
    make_zimage(kernel, sizeof(kernel), sizeof(kernel));
    kernel[100] = 0x5a;
    struct options o = {.kernel = save(f, "zImage", kernel, sizeof(kernel)), .initrd = save(f, "initrd", "initrd!", 7), .append = "console=ttyAMA0"};
    struct boot_state b;
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), 0);
    assert_int_equal(b.entry_pc, 0x40010000);
    assert_int_equal(f->ram[0x10000 + 100], 0x5a);
    assert_memory_equal(f->ram + RAM_SIZE / 2, "initrd!", 7);
    assert_int_equal(b.r[0], 0);
    assert_int_equal(b.r[1], 0xffffffff);
    assert_int_equal(b.r[2], 0x40000000 + RAM_SIZE / 2 + 4096);
    const void *fdt = f->ram + (b.r[2] - GUEST_RAM_BASE);
    assert_int_equal(fdt_check_full(fdt, fdt_totalsize(fdt)), 0);
    assert_int_equal(chosen_u32(fdt, "linux,initrd-start"), 0x40000000 + RAM_SIZE / 2);
    assert_int_equal(chosen_u32(fdt, "linux,initrd-end"), 0x40000000 + RAM_SIZE / 2 + 7);
    assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL), "console=ttyAMA0");
}

static void elf_entry_is_physical(void **state)
{
    struct fixture *f = *state;
    uint8_t elf[256];
    size_t n = make_elf(elf, EM_ARM, 0x40100000, 0x80100000, 0x80100005);
    struct options o = {.kernel = save(f, "elf", elf, n)};
    struct boot_state b;
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), 0);
    assert_int_equal(b.entry_pc, 0x40100005); /* Thumb bit kept */
    assert_memory_equal(f->ram + 0x100000, "CODECODE\0\0\0\0", 12);
}

static void what_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct boot_state b;
    uint8_t elf[256];
    struct options o = {.kernel = save(f, "elf", elf, make_elf(elf, EM_ARM, 0x10000000, 0, 0))};
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);
    assert_non_null(strstr(said, "0x10000000"));
    o.kernel = save(f, "elf2", elf, make_elf(elf, EM_ARM, 0xffffffff, 0, 0));
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);

    uint8_t kernel[4096];
    make_zimage(kernel, sizeof(kernel), sizeof(kernel));
    uint8_t *big = calloc(1, RAM_SIZE / 2 + 1);
    o = (struct options){.kernel = save(f, "zImage", kernel, sizeof(kernel)), .initrd = save(f, "big", big, RAM_SIZE / 2 + 1)};
    free(big);
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);
    assert_non_null(strstr(said, "initrd"));
    assert_non_null(strstr(said, "does not fit"));
    o.initrd = save(f, "exact", f->ram, RAM_SIZE / 2); /* leaves no room for the tree */
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);
    assert_non_null(strstr(said, "device tree"));
    o.initrd = "/nonexistent/initrd";
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);
    assert_non_null(strstr(said, "/nonexistent/initrd"));
    o.initrd = "/"; /* opens, but cannot be read */
    assert_int_equal(image_load(&o, &f->bus, f->ram, RAM_SIZE, &b), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(detection), cmocka_unit_test(any_prefix), T(zimage_and_initrd), T(elf_entry_is_physical), T(what_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
