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

/* --- every register of both timers; t 0: physical, 1: virtual --- */

static uint32_t get_tval(unsigned t)
{
    return t ? MRC(0, c14, c3, 0) : MRC(0, c14, c2, 0);
}
static void set_tval(unsigned t, uint32_t x)
{
    if (t)
        MCR(0, c14, c3, 0, x);
    else
        MCR(0, c14, c2, 0, x);
    ISB();
}
static uint32_t get_ctl(unsigned t)
{
    ISB();
    return t ? MRC(0, c14, c3, 1) : MRC(0, c14, c2, 1);
}
static void set_ctl(unsigned t, uint32_t x)
{
    if (t)
        MCR(0, c14, c3, 1, x);
    else
        MCR(0, c14, c2, 1, x);
    ISB();
}
static uint64_t get_cval(unsigned t)
{
    return t ? MRRC(3, c14) : MRRC(2, c14);
}
static void set_cval(unsigned t, uint64_t x)
{
    if (t)
        MCRR(3, c14, x);
    else
        MCRR(2, c14, x);
    ISB();
}
static uint64_t get_count(unsigned t)
{
    ISB();
    return t ? MRRC(1, c14) : MRRC(0, c14);
}

static uint32_t line(unsigned t)
{
    return REG32(GICD + 0x200) >> (t ? VIRT : PHYS) & 1;
}

static void test_registers(unsigned t)
{
    const uint32_t later = 62500000u * 30; /* half a minute: it must not come meanwhile */
    print(t ? "virtual timer\n" : "physical timer\n");
    set_ctl(t, 0);
    set_cval(t, 0x123456789abcdef0ull);
    expect("  CVAL, low", (uint32_t)get_cval(t), 0x9abcdef0);
    expect("  CVAL, high", (uint32_t)(get_cval(t) >> 32), 0x12345678);
    set_tval(t, later);
    uint64_t cval = get_cval(t), now = get_count(t);
    expect("  TVAL sets CVAL: later than now", cval > now && cval - now <= later, 1);
    uint32_t tval = get_tval(t);
    expect("  TVAL counts down", tval <= later && tval > later / 2, 1);
    uint32_t then = get_tval(t);
    for (volatile int i = 0; i < 10000; i++)
        ;
    expect("  and on, though not enabled", get_tval(t) < then, 1);
    set_tval(t, 0xffffff00u); /* -256 */
    expect("  negative TVAL: CVAL is past", get_cval(t) < get_count(t), 1);
    expect("  not enabled: no ISTATUS, no line", get_ctl(t) | line(t), 0);
    set_ctl(t, 7); /* ISTATUS cannot be written */
    expect("  masked: ISTATUS, no line", get_ctl(t) | line(t) << 4, 7);
    set_ctl(t, 1);
    expect("  enabled: ISTATUS and line", get_ctl(t) | line(t) << 4, 0x15);
    set_cval(t, get_count(t) + later);
    expect("  CVAL later: neither", get_ctl(t) | line(t) << 4, 1);
    set_cval(t, get_count(t));
    expect("  CVAL now: both", get_ctl(t) | line(t) << 4, 0x15);
    expect("  the other one's line is down", line(!t), 0);
    set_tval(t, later);
    expect("  TVAL later: neither", get_ctl(t) | line(t) << 4, 1);
    set_ctl(t, 0xfffffff8u);
    expect("  CTL has three bits", get_ctl(t), 0);
    set_cval(t, ~0ull);
    set_ctl(t, 1);
    expect("  CVAL at the end of time", get_ctl(t) | line(t) << 4, 1);
    set_ctl(t, 0);
}

/* --- what user mode may do, by CNTKCTL --- */

static uint32_t user_cntpct(uint32_t x)
{
    return x + (MRRC(0, c14) == 0);
}
static uint32_t user_cntvct(uint32_t x)
{
    return x + (MRRC(1, c14) == 0);
}
static uint32_t user_cntfrq(uint32_t x)
{
    return x + (MRC(0, c14, c0, 0) == 0);
}
static uint32_t user_physical(uint32_t x)
{
    set_cval(0, get_cval(0));
    set_tval(0, get_tval(0));
    set_ctl(0, get_ctl(0));
    return x;
}
static uint32_t user_virtual(uint32_t x)
{
    set_cval(1, get_cval(1));
    set_tval(1, get_tval(1));
    set_ctl(1, get_ctl(1));
    return x;
}
static uint32_t user_write_cntfrq(uint32_t x)
{
    MCR(0, c14, c0, 0, x);
    return 0;
}
static uint32_t user_cntkctl(uint32_t x)
{
    return x + MRC(0, c14, c1, 0);
}

static void test_user_mode(void)
{
    static const struct {
        const char *name;
        uint32_t (*fn)(uint32_t);
        uint16_t need; /* bits of CNTKCTL of which one must be set */
        uint8_t accesses;
    } cases[] = {
        {"CNTPCT", user_cntpct, 1, 1},
        {"CNTVCT", user_cntvct, 2, 1},
        {"CNTFRQ", user_cntfrq, 3, 1},
        {"physical timer", user_physical, 1 << 9, 6},
        {"virtual timer", user_virtual, 1 << 8, 6},
        {"CNTFRQ, write", user_write_cntfrq, 0, 1},
        {"CNTKCTL", user_cntkctl, 0, 1},
    };
    static const uint16_t bits[] = {0, 1, 2, 1 << 8, 1 << 9, 0x303};
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        MCR(0, c14, c1, 0, bits[i]);
        ISB();
        print_hex("CNTKCTL", MRC(0, c14, c1, 0));
        for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
            last.count = 0;
            in_user(cases[k].fn, 0);
            print("  ");
            expect(cases[k].name, last.count, bits[i] & cases[k].need ? 0 : cases[k].accesses);
        }
    }
    MCR(0, c14, c1, 0, 0);
    set_ctl(0, 0);
    set_ctl(1, 0);
    last.count = 0;
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
    a = count();       /* before it is armed: the machine may be away for a while in between */
    MCRR(3, c14, a + rearm);
    MCR(0, c14, c3, 1, 1);
    ISB();
    IRQ_ON();
    volatile uint32_t work = 0;
    while (ticks < 100)
        work = work * 5 + 1;
    IRQ_OFF();
    rearm = 0;
    MCR(0, c14, c3, 1, 0);
    ISB();
    expect("a hundred ticks take 50 ms at least", count() - a >= 62500ull * 49, 1);
    expect("no wrong interrupt", wrong_id, 0);

    /* both armed: each time only the one that is due comes */
    ticks = 0;
    for (unsigned t = 0; t < 2; t++) {
        expected_id = t ? VIRT : PHYS;
        set_tval(!t, 62500u * 1000 * 30);
        set_ctl(!t, 1);
        set_tval(t, 62500 * 4);
        set_ctl(t, 1);
        IRQ_ON();
        while (ticks == t)
            __asm__ volatile("wfi" : : : "memory");
        IRQ_OFF();
        expect(t ? "both armed: the virtual one" : "both armed: the physical one", wrong_id, 0);
    }

    REG32(GICD + 0x180) = 1u << VIRT | 1u << PHYS;
    test_registers(0);
    test_registers(1);
    test_user_mode();
}
