/*
 * hv_bus.c: address decoding, overlaps, and accesses of sizes a device does not take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hypervisor/bus.h>
#include <stdio.h>
#include <string.h>

/* A device of 32 bytes that remembers how it was accessed. */
struct memory {
    uint8_t bytes[32];
    char trace[128];
};

static uint64_t mem_read(void *dev, uint32_t off, unsigned size)
{
    struct memory *m = dev;
    uint64_t v = 0;
    assert_true(off + size <= sizeof(m->bytes) && off % size == 0);
    sprintf(m->trace + strlen(m->trace), "r%u@%u ", size, off);
    memcpy(&v, m->bytes + off, size);
    return v;
}

static void mem_write(void *dev, uint32_t off, unsigned size, uint64_t value)
{
    struct memory *m = dev;
    assert_true(off + size <= sizeof(m->bytes) && off % size == 0);
    sprintf(m->trace + strlen(m->trace), "w%u@%u=%llx ", size, off, (unsigned long long)value);
    memcpy(m->bytes + off, &value, size);
}

static const struct device_desc any_size = {.name = "any", .size = 32, .min_access = 1, .max_access = 8, .read = mem_read, .write = mem_write};
static const struct device_desc word_only = {.name = "word", .size = 32, .min_access = 4, .max_access = 4, .read = mem_read, .write = mem_write};

static void attach_refuses_overlaps(void **state UNUSED)
{
    struct bus b = {0};
    struct memory m;
    assert_int_equal(bus_attach(&b, 0x09000000, &word_only, &m), 0);
    assert_int_equal(bus_attach(&b, 0x09000020, &word_only, &m), 0);
    assert_int_equal(bus_attach(&b, 0x0900001c, &word_only, &m), -1);
    assert_int_equal(bus_attach(&b, 0x0800fff0, &word_only, &m), -1); /* interrupt distributor */
    assert_int_equal(bus_attach(&b, 0x40000000, &word_only, &m), -1); /* RAM */
    assert_int_equal(b.n, 2);
}

static void nothing_there(void **state UNUSED)
{
    struct bus b = {0};
    struct memory m = {{0}, ""};
    uint64_t v;
    assert_int_equal(bus_attach(&b, 0x1000, &word_only, &m), 0);
    assert_int_equal(bus_read(&b, 0xffc, 4, &v), -1);
    assert_int_equal(bus_read(&b, 0x1020, 4, &v), -1);
    assert_int_equal(bus_write(&b, UINT64_MAX, 8, 0), -1);
    assert_int_equal(bus_read(&b, 0x101c, 8, &v), -1); /* its second half */
}

static void odd_sizes(void **state UNUSED)
{
    static const struct {
        const struct device_desc *desc;
        unsigned off, size;
        uint64_t value;
        const char *trace;
    } cases[] = {
        {&any_size, 0, 8, 0x0706050403020100, "r8@0 "},
        {&any_size, 3, 1, 0x03, "r1@3 "},
        {&any_size, 2, 4, 0x05040302, "r2@2 r2@4 "},
        {&any_size, 1, 8, 0x0807060504030201, "r1@1 r2@2 r4@4 r1@8 "},
        {&word_only, 4, 4, 0x07060504, "r4@4 "},
        {&word_only, 4, 8, 0x0b0a090807060504, "r4@4 r4@8 "},
        {&word_only, 6, 1, 0x06, "r4@4 "},
        {&word_only, 6, 2, 0x0706, "r4@4 "},
        {&word_only, 6, 4, 0x09080706, "r4@4 r4@8 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bus b = {0};
        struct memory m = {{0}, ""};
        uint64_t v = 0;
        for (unsigned k = 0; k < sizeof(m.bytes); k++)
            m.bytes[k] = (uint8_t)k;
        assert_int_equal(bus_attach(&b, 0x1000, cases[i].desc, &m), 0);
        assert_int_equal(bus_read(&b, 0x1000 + cases[i].off, cases[i].size, &v), 0);
        assert_true(v == cases[i].value);
        assert_string_equal(m.trace, cases[i].trace);
    }
}

static void odd_writes(void **state UNUSED)
{
    struct bus b = {0};
    struct memory m = {{0}, ""};
    assert_int_equal(bus_attach(&b, 0x1000, &any_size, &m), 0);
    assert_int_equal(bus_write(&b, 0x1003, 4, 0x44332211), 0);
    assert_string_equal(m.trace, "w1@3=11 w2@4=3322 w1@6=44 ");

    struct bus b2 = {0};
    struct memory m2 = {{0}, ""};
    assert_int_equal(bus_attach(&b2, 0x1000, &word_only, &m2), 0);
    assert_int_equal(bus_write(&b2, 0x1002, 1, 0xff77), 0); /* bits above the size are not the guest's */
    assert_int_equal(bus_write(&b2, 0x1008, 8, 0x1122334455667788), 0);
    assert_string_equal(m2.trace, "w4@0=770000 w4@8=55667788 w4@12=11223344 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(attach_refuses_overlaps), cmocka_unit_test(nothing_there), cmocka_unit_test(odd_sizes), cmocka_unit_test(odd_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
