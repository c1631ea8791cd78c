/*
 * hv_pl031.c: the real-time clock: time, setting it, the alarm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/pl031.h>
#include <hypervisor/event.h>
#include <string.h>
#include <time.h>

enum { DR = 0, MR = 4, LR = 8, CR = 0xc, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };

struct fixture {
    struct pl031 *r;
    struct event_loop loop;
    bool level;
};

static void set_line(void *ctx, unsigned spi, bool level)
{
    struct fixture *f = ctx;
    assert_int_equal(spi, 2);
    f->level = level;
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    f.r = pl031_create((struct irq_line){set_line, &f, 2});
    *state = &f;
    return f.r && pl031_start(f.r, &f.loop) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pl031_destroy(f->r);
    return 0;
}

static uint32_t rd(struct fixture *f, uint32_t off) { return (uint32_t)pl031_desc.read(f->r, off, 4); }
static void wr(struct fixture *f, uint32_t off, uint32_t v) { pl031_desc.write(f->r, off, 4, v); }

static void shows_host_time(void **state)
{
    int64_t difference = (int64_t)rd(*state, DR) - (int64_t)time(NULL);
    assert_true(difference >= -1 && difference <= 1);
    assert_int_equal(rd(*state, CR), 1);
    static const uint8_t want[8] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(rd(*state, 0xfe0 + 4 * i), want[i]);
}

static void can_be_set(void **state)
{
    wr(*state, LR, 1000);
    assert_int_equal(rd(*state, LR), 1000);
    assert_in_range(rd(*state, DR), 1000, 1001);
    pl031_desc.reset(*state ? ((struct fixture *)*state)->r : NULL);
    assert_in_range(rd(*state, DR), 1000, 1002); /* a reset of the machine does not stop the clock */
}

static void alarm_rings(void **state)
{
    struct fixture *f = *state;
    wr(f, IMSC, 1);
    wr(f, LR, 5000);
    wr(f, MR, 5001);
    assert_false(f->level);
    for (int i = 0; i < 30 && !f->level; i++)
        event_run_once(&f->loop, 100);
    assert_true(f->level);
    assert_int_equal(rd(f, RIS), 1);
    assert_int_equal(rd(f, MIS), 1);
    assert_in_range(rd(f, DR), 5001, 5002);
    wr(f, ICR, 1);
    assert_false(f->level);
}

static void masked_alarm(void **state)
{
    struct fixture *f = *state;
    wr(f, LR, 77);
    wr(f, MR, 77);
    assert_int_equal(rd(f, RIS), 1);
    assert_int_equal(rd(f, MIS), 0);
    assert_false(f->level);
    wr(f, IMSC, 1);
    assert_true(f->level);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(shows_host_time), T(can_be_set), T(alarm_rings), T(masked_alarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
