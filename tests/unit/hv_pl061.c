/*
 * hv_pl061.c: general purpose I/O: masked data accesses, interrupt sensing as in ARM DDI 0190, the power button.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/pl061.h>
#include <hypervisor/event.h>

enum { DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410, RIS = 0x414, MIS = 0x418, IC = 0x41c };

static bool line;
static struct pl061 *g;

static void set_irq(void *ctx UNUSED, unsigned spi UNUSED, bool level)
{
    line = level;
}

static uint32_t rd(uint32_t off)
{
    return (uint32_t)pl061_desc.read(g, off, 4);
}
static void wr(uint32_t off, uint32_t v)
{
    pl061_desc.write(g, off, 4, v);
}
static uint32_t data(uint32_t mask)
{
    return rd(mask << 2);
}

static int set_up(void **state UNUSED)
{
    g = pl061_create((struct irq_line){set_irq, NULL, 7});
    line = false;
    return g ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    pl061_destroy(g);
    return 0;
}

static void masked_data(void **state UNUSED)
{
    wr(DIR, 0xf0);
    wr(0xff << 2, 0xff); /* inputs are not driven */
    assert_int_equal(data(0xff), 0xf0);
    assert_int_equal(data(0x30), 0x30);
    wr(0x20 << 2, 0x00);
    assert_int_equal(data(0xff), 0xd0);
    wr(0, 0xff); /* no line selected */
    assert_int_equal(data(0xff), 0xd0);
    wr(DIR, 0);
    assert_int_equal(data(0xff), 0);
    wr(DIR, 0xff); /* what was written is still there */
    assert_int_equal(data(0xff), 0xdf);
    pl061_desc.reset(g);
    assert_int_equal(rd(DIR), 0);
    assert_int_equal(rd(0xfe0) | rd(0xfe4) << 8, 0x1061);
}

static void button(void **state UNUSED)
{
    struct event_loop loop = {0};
    assert_true(pl061_start(g, &loop));
    wr(IBE, 1u << 3);
    wr(IE, 1u << 3);
    pl061_power_button(g);
    assert_int_equal(data(0xff), 1u << 3);
    assert_int_equal(rd(MIS), 1u << 3);
    assert_true(line);
    wr(IC, 1u << 3);
    assert_false(line);
    event_run_once(&loop, 2000); /* let go */
    assert_int_equal(data(0xff), 0);
    assert_true(line);
    wr(IE, 0);
    assert_false(line);
    assert_int_equal(rd(RIS), 1u << 3);
    assert_int_equal(rd(MIS), 0);
}

static void sensing(void **state UNUSED)
{
    static const struct {
        uint8_t is, ibe, iev;
        bool pressed, released; /* is there an interrupt after the button went down; after it came up, the first having been cleared */
    } cases[] = {{0, 0, 0, false, true}, {0, 0, 1, true, false}, {0, 1, 0, true, true}, {1, 0, 1, true, false}, {1, 0, 0, false, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct event_loop loop = {0};
        pl061_desc.reset(g);
        assert_true(pl061_start(g, &loop));
        wr(IS, cases[i].is << 3);
        wr(IBE, cases[i].ibe << 3);
        wr(IEV, cases[i].iev << 3);
        wr(IC, 0xff);
        wr(IE, 1u << 3);
        pl061_power_button(g);
        assert_int_equal(line, cases[i].pressed);
        wr(IC, 0xff);
        event_run_once(&loop, 2000);
        assert_int_equal(line, cases[i].released);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {T(masked_data), T(button), T(sensing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
