/*
 * arm_gic_test.c: the interrupt controller against a plain model of priorities, and the rules of its registers (ARM IHI 0048B); the timer's
 * line.
 */
#include "arm_stub.h"

#define GICD_CTLR       0x000
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ISPENDR    0x200
#define GICD_ICPENDR    0x280
#define GICD_ISACTIVER  0x300
#define GICD_IPRIORITYR 0x400
#define GICD_ICFGR      0xc00
#define GICD_SGIR       0xf00
#define GICC_CTLR       0x00
#define GICC_PMR        0x04
#define GICC_BPR        0x08
#define GICC_IAR        0x0c
#define GICC_EOIR       0x10
#define GICC_RPR        0x14
#define GICC_HPPIR      0x18
#define GICC_AIAR       0x20
#define GICC_AEOIR      0x24
#define GICC_DIR        0x1000

static struct arm_gic gic;

static int gic_setup(void **state UNUSED)
{
    arm_gic_reset(&gic);
    arm_gic_dist_write(&gic, GICD_CTLR, 4, 1);
    arm_gic_cpu_write(&gic, GICC_PMR, 0xf8);
    arm_gic_cpu_write(&gic, GICC_CTLR, 1);
    return 0;
}

static void put_priority(unsigned irq, uint8_t p)
{
    arm_gic_dist_write(&gic, GICD_IPRIORITYR + irq, 1, p);
}
static void enable(unsigned irq)
{
    arm_gic_dist_write(&gic, GICD_ISENABLER + irq / 32 * 4, 4, BIT(irq % 32));
}
static uint32_t iar(void)
{
    return arm_gic_cpu_read(&gic, GICC_IAR);
}
static void eoi(uint32_t id)
{
    arm_gic_cpu_write(&gic, GICC_EOIR, id);
}

static void test_reset(void **state UNUSED)
{
    struct arm_gic g;

    memset(&g, 0xff, sizeof(g));
    arm_gic_reset(&g);
    assert_false(arm_gic_irq_line(&g));
    assert_int_equal(arm_gic_cpu_read(&g, GICC_IAR), 1023);
    assert_int_equal(arm_gic_cpu_read(&g, GICC_RPR), 0xff);
    assert_int_equal(arm_gic_dist_read(&g, 4, 4) & 31, GIC_MAX_IRQ / 32 - 1);
    for (unsigned irq = 0; irq < GIC_MAX_IRQ; irq++)
        arm_gic_set_line(&g, irq, true);
    assert_false(arm_gic_irq_line(&g)); /* nothing is enabled */
}

static void test_level(void **state UNUSED)
{
    put_priority(40, 0x80);
    enable(40);
    arm_gic_set_line(&gic, 40, true);
    assert_true(arm_gic_irq_line(&gic));
    assert_int_equal(iar(), 40);
    assert_false(arm_gic_irq_line(&gic)); /* active */
    assert_int_equal(iar(), 1023);
    eoi(40);
    assert_true(arm_gic_irq_line(&gic)); /* the line is still up */
    assert_int_equal(iar(), 40);
    arm_gic_set_line(&gic, 40, false);
    eoi(40);
    assert_false(arm_gic_irq_line(&gic));
    arm_gic_set_line(&gic, 40, true);
    arm_gic_set_line(&gic, 40, false);
    assert_false(arm_gic_irq_line(&gic)); /* a level that has gone is not remembered */
}

static void test_edge(void **state UNUSED)
{
    arm_gic_dist_write(&gic, GICD_ICFGR + 8, 4, 2u << 16); /* 40 */
    put_priority(40, 0x80);
    enable(40);
    arm_gic_set_line(&gic, 40, true);
    arm_gic_set_line(&gic, 40, false);
    assert_int_equal(iar(), 40);
    arm_gic_set_line(&gic, 40, true); /* while active: pending again */
    arm_gic_set_line(&gic, 40, false);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_ISPENDR + 4, 4), BIT(8));
    assert_false(arm_gic_irq_line(&gic));
    eoi(40);
    assert_int_equal(iar(), 40);
    eoi(40);
    assert_int_equal(iar(), 1023);
    arm_gic_set_line(&gic, 40, true);
    arm_gic_dist_write(&gic, GICD_ICPENDR + 4, 4, BIT(8));
    assert_int_equal(iar(), 1023);
}

static void test_nesting(void **state UNUSED)
{
    static const uint8_t priority[] = {0xe0, 0xc0, 0xa0, 0x80, 0x60, 0x40, 0x20, 0x00};

    for (unsigned i = 0; i < 8; i++) {
        put_priority(64 + i, priority[i]);
        enable(64 + i);
    }
    for (unsigned i = 0; i < 8; i++) { /* each preempts the one before */
        arm_gic_dist_write(&gic, GICD_ISPENDR + 8, 4, BIT(i));
        assert_true(arm_gic_irq_line(&gic));
        assert_int_equal(iar(), 64 + i);
        assert_int_equal(arm_gic_cpu_read(&gic, GICC_RPR), priority[i]);
    }
    for (unsigned i = 8; i-- > 0;) {
        assert_int_equal(arm_gic_cpu_read(&gic, GICC_RPR), priority[i]);
        eoi(64 + i);
    }
    assert_int_equal(arm_gic_cpu_read(&gic, GICC_RPR), 0xff);
}

static void test_sgi(void **state UNUSED)
{
    put_priority(3, 0x80);
    arm_gic_dist_write(&gic, GICD_SGIR, 4, 3 | 2 << 24); /* to itself */
    assert_int_equal(iar(), 3);
    eoi(3);
    arm_gic_dist_write(&gic, GICD_SGIR, 4, 3 | 1 << 16); /* by target list */
    assert_int_equal(iar(), 3);
    eoi(3);
    arm_gic_dist_write(&gic, GICD_SGIR, 4, 3 | 1 << 24); /* to all others: there are none */
    arm_gic_dist_write(&gic, GICD_SGIR, 4, 3 | 2 << 16); /* to processor 1: there is none */
    assert_int_equal(iar(), 1023);
    arm_gic_dist_write(&gic, 0xf20, 4, 1u << 24); /* SPENDSGIR0: SGI 3 from processor 0 */
    assert_int_equal(arm_gic_dist_read(&gic, 0xf20, 4), 1u << 24);
    arm_gic_dist_write(&gic, 0xf10, 4, 1u << 24);
    assert_int_equal(iar(), 1023);
}

static void test_groups_and_fiq(void **state UNUSED)
{
    put_priority(50, 0x80);
    enable(50);
    arm_gic_set_line(&gic, 50, true);
    arm_gic_cpu_write(&gic, GICC_CTLR, 1 | 1 << 3); /* group 0 by FIQ */
    assert_false(arm_gic_irq_line(&gic));
    assert_true(arm_gic_fiq_line(&gic));
    arm_gic_dist_write(&gic, GICD_IGROUPR + 4, 4, BIT(18));
    assert_false(arm_gic_irq_line(&gic)); /* group 1 is enabled nowhere */
    arm_gic_dist_write(&gic, GICD_CTLR, 4, 3);
    arm_gic_cpu_write(&gic, GICC_CTLR, 3 | 1 << 3);
    assert_true(arm_gic_irq_line(&gic));
    assert_false(arm_gic_fiq_line(&gic));
    assert_int_equal(iar(), 1022); /* to be read through the alias */
    assert_int_equal(arm_gic_cpu_read(&gic, GICC_HPPIR), 1022);
    assert_int_equal(arm_gic_cpu_read(&gic, GICC_AIAR), 50);
    arm_gic_set_line(&gic, 50, false);
    arm_gic_cpu_write(&gic, GICC_AEOIR, 50);
    assert_int_equal(arm_gic_cpu_read(&gic, GICC_RPR), 0xff);
    arm_gic_set_line(&gic, 50, true);
    arm_gic_cpu_write(&gic, GICC_CTLR, 3 | 1 << 2); /* AckCtl */
    assert_int_equal(iar(), 50);
}

static void test_two_steps(void **state UNUSED)
{
    put_priority(70, 0x80);
    enable(70);
    arm_gic_cpu_write(&gic, GICC_CTLR, 1 | 1 << 9);
    arm_gic_dist_write(&gic, GICD_ISPENDR + 8, 4, BIT(6));
    assert_int_equal(iar(), 70);
    eoi(70);
    assert_int_equal(arm_gic_cpu_read(&gic, GICC_RPR), 0xff);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_ISACTIVER + 8, 4), BIT(6));
    arm_gic_dist_write(&gic, GICD_ISPENDR + 8, 4, BIT(6));
    assert_int_equal(iar(), 1023); /* active interrupts do not come again */
    arm_gic_cpu_write(&gic, GICC_DIR, 70);
    assert_int_equal(iar(), 70);
}

static void test_widths(void **state UNUSED)
{
    arm_gic_dist_write(&gic, GICD_IPRIORITYR + 100, 4, 0x80604020);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_IPRIORITYR + 101, 1), 0x40);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_IPRIORITYR + 102, 2), 0x8060);
    arm_gic_dist_write(&gic, GICD_IPRIORITYR + 102, 2, 0x1008);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_IPRIORITYR + 100, 4), 0x10084020);
    arm_gic_dist_write(&gic, GICD_IPRIORITYR + 100, 1, 0xff);
    assert_int_equal(arm_gic_dist_read(&gic, GICD_IPRIORITYR + 100, 1), 0xf8); /* five bits */
    for (uint32_t off = 0; off < 0x1000; off += 4) {                           /* no register is out of bounds */
        arm_gic_dist_write(&gic, off, 4, 0xffffffff);
        arm_gic_dist_read(&gic, off, 4);
        arm_gic_dist_read(&gic, off + 3, 1);
    }
    for (uint32_t off = 0; off < 0x1004; off += 4) {
        arm_gic_cpu_read(&gic, off);
        arm_gic_cpu_write(&gic, off, 0xffffffff);
    }
}

static uint32_t rnd(uint32_t *seed, uint32_t n)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % n;
}

/* Random pending, enabled, active sets and priorities: what is acknowledged is what a search over all interrupts finds. */
static void test_against_model(void **state UNUSED)
{
    uint32_t seed = 12345;

    for (unsigned round = 0; round < 3000; round++) {
        uint8_t priority[GIC_MAX_IRQ];
        bool ready[GIC_MAX_IRQ] = {0};
        unsigned pmr = rnd(&seed, 32) << 3, best = 1023;

        gic_setup(NULL);
        arm_gic_cpu_write(&gic, GICC_PMR, pmr);
        for (unsigned irq = 0; irq < GIC_MAX_IRQ; irq++) {
            priority[irq] = (uint8_t)(rnd(&seed, 32) << 3);
            put_priority(irq, priority[irq]);
        }
        for (unsigned k = rnd(&seed, 12); k; k--) {
            unsigned irq = 16 + rnd(&seed, GIC_MAX_IRQ - 16);
            bool on = rnd(&seed, 4) != 0;
            ready[irq] |= on;
            if (on)
                enable(irq);
            arm_gic_set_line(&gic, irq, true);
        }
        for (unsigned irq = 0; irq < GIC_MAX_IRQ; irq++)
            if (ready[irq] && priority[irq] < pmr && (best == 1023 || priority[irq] < priority[best]))
                best = irq;
        assert_int_equal(arm_gic_irq_line(&gic), best != 1023);
        assert_int_equal(arm_gic_cpu_read(&gic, GICC_HPPIR), best);
        assert_int_equal(iar(), best);
    }
}

/* --- the timer's line into it, and the published deadline --- */

static void test_timer(void **state UNUSED)
{
    struct arm_cpu *c = stub.cpu;
    uint64_t now;

    stub.shared.tsc_base = __builtin_ia32_rdtsc() - 1000000000; /* the counter reads about one second */
    now = arm_timer_count(c);
    assert_in_range(now, 62400000, 70000000);
    arm_timer_update(c);
    assert_true(stub.shared.deadline_tsc == UINT64_MAX);
    c->timer.cntv_ctl = 1;
    c->timer.cntv_cval = now - 1;
    arm_timer_update(c);
    assert_int_equal(c->timer.cntv_ctl, 5);
    assert_int_equal(c->gic.level[0], BIT(GUEST_TIMER_VIRT_PPI));
    assert_true(stub.shared.deadline_tsc == UINT64_MAX); /* it has come; nothing is to be waited for */
    c->timer.cntv_ctl = 3;
    arm_timer_update(c);
    assert_int_equal(c->timer.cntv_ctl, 7);
    assert_int_equal(c->gic.level[0], 0);
    c->timer.cntv_ctl = 1;
    c->timer.cntv_cval = now + 62500000; /* in a second */
    c->timer.cntp_ctl = 1;
    c->timer.cntp_cval = now + 62500; /* in a millisecond */
    arm_timer_update(c);
    assert_int_equal(c->gic.level[0], 0);
    uint64_t due = stub.shared.tsc_base + (now + 62500) * 16;
    assert_in_range(stub.shared.deadline_tsc, due - 64, due + 64);
    c->timer.cntp_cval = UINT64_MAX;
    c->timer.cntv_ctl = 0;
    arm_timer_update(c);
    assert_true(stub.shared.deadline_tsc > due);
}

int main(void)
{
#define G(f) cmocka_unit_test_setup(f, gic_setup)
    const struct CMUnitTest tests[] = {
        G(test_reset),         G(test_level),
        G(test_edge),          G(test_nesting),
        G(test_sgi),           G(test_groups_and_fiq),
        G(test_two_steps),     G(test_widths),
        G(test_against_model), cmocka_unit_test_setup_teardown(test_timer, stub_setup, stub_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
