/* The generic timer: counting, the virtual and the physical timer by interrupt with and without WFI, conditions and masks. */
#include "guest.h"

#define GICD 0x08000000u
#define GICC 0x08010000u
#define VIRT 27u
#define PHYS 30u

static volatile uint32_t ticks, wrong_id, expected_id, rearm;

static uint64_t count(void)
{
    ISB();
    return MRRC(1, c14);
}

static void serve(struct frame *f)
{
    uint32_t id = REG32(GICC + 0xc);
    f->lr -= 4;
    if (id != expected_id)
        wrong_id = id;
    ticks++;
    if (rearm && id == VIRT) {
        MCRR(3, c14, MRRC(3, c14) + rearm);
    } else {
        MCR(0, c14, c3, 1, 0);
        MCR(0, c14, c2, 1, 0);
    }
    ISB();
    REG32(GICC + 0x10) = id;
    last.count = 0;
}

static void expect_ticks(const char *name, uint32_t want)
{
    expect(name, ticks, want);
    if (wrong_id)
        expect("  interrupt", wrong_id, expected_id);
    ticks = wrong_id = 0;
}

void guest_main(void)
{
    mmu_on_short();
    on_exception[VEC_IRQ] = serve;
    REG32(GICD) = 1;
    REG32(GICD + 0x100) = 1u << VIRT | 1u << PHYS;
    REG32(GICC + 4) = 0xf0;
    REG32(GICC) = 1;

    uint32_t hz = MRC(0, c14, c0, 0);
    expect("CNTFRQ", hz, 62500000);
    uint64_t a = count(), b = count(), c = MRRC(0, c14);
    expect("counts up", b >= a && c >= b, 1);
    for (volatile int i = 0; i < 100000; i++)
        ;
    expect("counts on", count() > c, 1);

    /* virtual timer, busy loop */
    expected_id = VIRT;
    a = count();
    MCR(0, c14, c3, 0, 20000); /* 320 us */
    MCR(0, c14, c3, 1, 1);
    ISB();
    IRQ_ON();
    while (!ticks)
        ;
    IRQ_OFF();
    b = count();
    expect("not early", b - a >= 20000, 1);
    expect("within ten seconds", b - a < 10ull * hz, 1);
    expect_ticks("virtual timer, busy", 1);

    /* sleeping */
    a = count();
    MCR(0, c14, c3, 0, 62500 * 5); /* 5 ms */
    MCR(0, c14, c3, 1, 1);
    ISB();
    IRQ_ON();
    while (!ticks)
        __asm__ volatile("wfi" : : : "memory");
    IRQ_OFF();
    expect("not early", count() - a >= 62500 * 5, 1);
    expect_ticks("virtual timer, WFI", 1);

    /* the physical one, by compare value */
    expected_id = PHYS;
    MCRR(2, c14, MRRC(0, c14) + 30000);
    MCR(0, c14, c2, 1, 1);
    ISB();
    IRQ_ON();
    while (!ticks)
        __asm__ volatile("wfi" : : : "memory");
    IRQ_OFF();
    expect_ticks("physical timer", 1);

    /* status and masks */
    MCRR(3, c14, 0ull); /* long past */
    MCR(0, c14, c3, 1, 3);
    ISB();
    expect("masked: ISTATUS", MRC(0, c14, c3, 1), 7);
    expect("masked: not pending", REG32(GICD + 0x200) >> VIRT & 1, 0);
    expect("TVAL of a past time is negative", MRC(0, c14, c3, 0) >> 31, 1);
    MCR(0, c14, c3, 1, 1);
    ISB();
    expect("unmasked: pending", REG32(GICD + 0x200) >> VIRT & 1, 1);
    MCR(0, c14, c3, 1, 0);
    ISB();
    expect("disabled: not pending (level)", REG32(GICD + 0x200) >> VIRT & 1, 0);
    MCRR(3, c14, ~0ull);
    MCR(0, c14, c3, 1, 1);
    ISB();
    expect("far future: ISTATUS", MRC(0, c14, c3, 1), 1);
    MCR(0, c14, c3, 1, 0);
    expected_id = VIRT;
    MCR(0, c14, c3, 0, 0);
    MCR(0, c14, c3, 1, 1);
    ISB();
    IRQ_ON();
    ISB();
    for (volatile int i = 0; i < 100; i++)
        ;
    IRQ_OFF();
    expect_ticks("due at once", 1);

    /* periodic, a hundred times, with work between */
    rearm = 62500 / 2; /* 0.5 ms */
    MCRR(3, c14, count() + rearm);
    MCR(0, c14, c3, 1, 1);
    ISB();
    IRQ_ON();
    a = count();
    volatile uint32_t work = 0;
    while (ticks < 100)
        work = work * 5 + 1;
    IRQ_OFF();
    rearm = 0;
    MCR(0, c14, c3, 1, 0);
    ISB();
    expect("a hundred ticks take 50 ms at least", count() - a >= 62500ull * 49, 1);
    expect("no wrong interrupt", wrong_id, 0);
}
