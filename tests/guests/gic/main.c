/* GICv2: SGIs, priorities, preemption, masking, software-pended, edge and level interrupts, end of interrupt in one step and in two. */
#include "guest.h"

#define GICD          0x08000000u
#define GICC          0x08010000u
#define D_CTLR        REG32(GICD)
#define D_TYPER       REG32(GICD + 4)
#define D_ISENABLE(n) REG32(GICD + 0x100 + 4 * (n))
#define D_ICENABLE(n) REG32(GICD + 0x180 + 4 * (n))
#define D_ISPEND(n)   REG32(GICD + 0x200 + 4 * (n))
#define D_ICPEND(n)   REG32(GICD + 0x280 + 4 * (n))
#define D_ISACTIVE(n) REG32(GICD + 0x300 + 4 * (n))
#define D_PRIORITY(i) (*(volatile uint8_t *)(uintptr_t)(GICD + 0x400 + (i)))
#define D_CONFIG(n)   REG32(GICD + 0xc00 + 4 * (n))
#define D_SGI         REG32(GICD + 0xf00)
#define C_CTLR        REG32(GICC)
#define C_PMR         REG32(GICC + 4)
#define C_BPR         REG32(GICC + 8)
#define C_IAR         REG32(GICC + 0xc)
#define C_EOIR        REG32(GICC + 0x10)
#define C_RPR         REG32(GICC + 0x14)
#define C_HPPIR       REG32(GICC + 0x18)
#define C_DIR         REG32(GICC + 0x1000)

#define UART      0x09000000u
#define UART_IRQ  33
#define UART_IMSC REG32(UART + 0x38)
#define UART_RIS  REG32(UART + 0x3c)
#define UART_ICR  REG32(UART + 0x44)

static void self_sgi(unsigned n)
{
    D_SGI = 2u << 24 | n;
    DSB();
}

/* The order in which interrupts came: four bits each, the last in the lowest. */
static uint32_t order, depth, deepest, running;
static unsigned nest; /* the interrupt that is to be sent while one is being served */

static uint32_t nested(uint32_t n)
{
    unsigned send = nest;
    (void)n;
    nest = 0;
    IRQ_ON();
    if (send)
        self_sgi(send);
    for (volatile int i = 0; i < 100; i++)
        ;
    IRQ_OFF();
    return 0;
}

static void serve(struct frame *f)
{
    uint32_t iar = C_IAR, id = iar & 0x3ff;
    f->lr -= 4;
    if (id >= 1020) {
        order = order << 4 | 0xf;
        return;
    }
    order = order << 4 | (id & 15);
    running = C_RPR;
    if (++depth > deepest)
        deepest = depth;
    if (id == UART_IRQ) {
        UART_IMSC = 0;
        UART_ICR = 0x7ff;
    }
    if (nest)
        in_mode(SYS, nested, 0);
    depth--;
    C_EOIR = iar;
}

static void let_in(void)
{
    IRQ_ON();
    for (volatile int i = 0; i < 200; i++)
        ;
    IRQ_OFF();
}

static uint32_t run(const char *name, uint32_t want)
{
    let_in();
    uint32_t seen = order;
    expect(name, seen, want);
    order = deepest = 0;
    last.count = 0;
    return seen;
}

static void reset_gic(void)
{
    D_CTLR = 0;
    C_CTLR = 0;
    D_CTLR = 1;
    C_PMR = 0xf0;
    C_BPR = 2;
    C_CTLR = 1;
    for (unsigned i = 0; i < 64; i++)
        D_PRIORITY(i) = 0xa0;
}

/* --- groups: group 0 as FIQ, group 1 as IRQ --- */

#define D_GROUP(n)    REG32(GICD + 0x80 + 4 * (n))
#define D_ICACTIVE(n) REG32(GICD + 0x380 + 4 * (n))
#define D_CPENDSGI(n) (*(volatile uint8_t *)(uintptr_t)(GICD + 0xf10 + (n)))
#define D_SPENDSGI(n) (*(volatile uint8_t *)(uintptr_t)(GICD + 0xf20 + (n)))
#define C_ABPR        REG32(GICC + 0x1c)
#define C_AIAR        REG32(GICC + 0x20)
#define C_AEOIR       REG32(GICC + 0x24)
#define C_AHPPIR      REG32(GICC + 0x28)

static uint32_t fiqs, irqs, group1_ids;

static void serve_fiq(struct frame *f)
{
    uint32_t iar = C_IAR;
    f->lr -= 4;
    fiqs = fiqs << 4 | (iar & 15);
    C_EOIR = iar;
}

static void serve_irq(struct frame *f)
{
    uint32_t group0_view = C_IAR, iar;
    f->lr -= 4;
    irqs = irqs << 4 | (group0_view & 15);
    if (group0_view == 1022) { /* a group 1 interrupt that IAR does not give out */
        if (on_qemu()) { /* QEMU 7.2 has no AIAR, AEOIR and AHPPIR */
            C_CTLR |= 1 << 2;
            iar = C_IAR;
            C_EOIR = iar;
            C_CTLR &= ~(1u << 2);
        } else {
            iar = C_AIAR;
            C_AEOIR = iar;
        }
        group1_ids = group1_ids << 4 | (iar & 15);
    } else if (group0_view < 1020) {
        C_EOIR = group0_view;
    }
}

static void both_in(void)
{
    __asm__ volatile("cpsie if" : : : "memory");
    for (volatile int i = 0; i < 200; i++)
        ;
    __asm__ volatile("cpsid if" : : : "memory");
    last.count = 0;
}

static void test_groups(void)
{
    on_exception[VEC_FIQ] = serve_fiq;
    on_exception[VEC_IRQ] = serve_irq;
    D_GROUP(0) = 1 << 9 | 1 << 10; /* SGIs 9 and 10 are group 1 */
    expect("groups", D_GROUP(0), 1 << 9 | 1 << 10);
    D_CTLR = 3;
    C_CTLR = 3 | 1 << 3; /* both groups, FIQEn */
    self_sgi(9);
    expect("group 1: HPPIR", C_HPPIR, 1022);
    expect_not_qemu("  AHPPIR", C_AHPPIR, 9, 0);
    expect("  ISR: IRQ", MRC(0, c12, c1, 0), 0x80);
    self_sgi(5);
    expect("group 0 too, of the same priority: HPPIR", C_HPPIR, 5);
    expect("  ISR: FIQ", MRC(0, c12, c1, 0), 0x40);
    both_in();
    expect("FIQs", fiqs, 5);
    expect("IRQs, by IAR", irqs, 1022 & 15);
    expect("  by AIAR", group1_ids, 9);
    fiqs = irqs = group1_ids = 0;
    C_CTLR = 3; /* group 0 as IRQ too */
    self_sgi(5);
    both_in();
    expect("without FIQEn: IRQ", irqs, 5);
    expect("  no FIQ", fiqs, 0);
    irqs = 0;
    C_CTLR = 3 | 1 << 2; /* AckCtl: IAR gives out both groups */
    self_sgi(10);
    both_in();
    expect("AckCtl", irqs, 10);
    irqs = 0;
    D_CTLR = 1;
    self_sgi(10);
    both_in();
    expect("group 1 off in the distributor", irqs, 0);
    D_CTLR = 3;
    C_CTLR = 1;
    both_in();
    expect("group 1 off in the interface", irqs, 0);
    C_CTLR = 3 | 1 << 2;
    both_in();
    expect("group 1 on", irqs, 10);
    irqs = fiqs = group1_ids = 0;

    /* each group has its binary point */
    C_ABPR = 5;
    expect("ABPR", C_ABPR, 5);
    expect("BPR", C_BPR, 2);
    D_GROUP(0) = 0;
    D_CTLR = 1;
    C_CTLR = 1;
    on_exception[VEC_FIQ] = NULL;
    on_exception[VEC_IRQ] = serve;
}

/* --- pending and active bits --- */

static void test_bits(void)
{
    D_SPENDSGI(3) = 1;
    expect("SPENDSGIR", D_SPENDSGI(3), 1);
    expect("  pending", D_ISPEND(0), 1 << 3);
    D_CPENDSGI(3) = 1;
    expect("CPENDSGIR", D_ISPEND(0), 0);
    D_SPENDSGI(3) = 1;
    run("SGI by SPENDSGIR", 0x3);

    /* an interrupt that is active already stays pending */
    self_sgi(6);
    uint32_t iar = C_IAR;
    self_sgi(6);
    expect("active and pending", D_ISACTIVE(0) | D_ISPEND(0) << 16, 1u << 6 | 1u << 22);
    expect("  not given out again", C_IAR, 1023);
    C_EOIR = iar;
    run("  after its end", 0x6);
    D_ISACTIVE(0) = 1 << 7;
    self_sgi(7);
    run("made active by software: waits", 0);
    D_ICACTIVE(0) = 1 << 7;
    run("  made inactive", 0x7);

    /* EOI of something that is not active, of a spurious number */
    C_EOIR = 12;
    C_EOIR = 1023;
    self_sgi(8);
    run("needless ends of interrupt do nothing", 0x8);

    /* priorities in the bytes of a word, and masks at their limits */
    REG32(GICD + 0x400 + 8) = 0x40608020;
    expect("priority bytes", D_PRIORITY(8) | D_PRIORITY(9) << 8 | D_PRIORITY(10) << 16 | (uint32_t)D_PRIORITY(11) << 24, 0x40608020);
    self_sgi(11);
    self_sgi(10);
    self_sgi(9);
    self_sgi(8);
    run("by priorities 20 40 60 80", 0x8ba9);
    C_PMR = 0x40;
    self_sgi(11);
    run("the priority that PMR names is masked", 0);
    C_PMR = 0x48;
    run("one step above", 0xb);
    C_PMR = 0;
    self_sgi(8);
    run("PMR 0: nothing", 0);
    C_PMR = 0xf0;
    run("  and back", 0x8);
    REG32(GICD + 0x400 + 8) = 0xa0a0a0a0;

    /* nested three deep, each with its running priority */
    D_PRIORITY(1) = 0x20, D_PRIORITY(2) = 0x40, D_PRIORITY(3) = 0x60;
    self_sgi(3);
    uint32_t a = C_IAR, ra = C_RPR;
    self_sgi(2);
    uint32_t b = C_IAR, rb = C_RPR;
    self_sgi(1);
    uint32_t c = C_IAR, rc = C_RPR;
    expect("three deep", a | b << 4 | c << 8, 0x123);
    expect("  running priorities", ra | rb << 8 | rc << 16, 0x204060);
    C_EOIR = c;
    expect("  one ended", C_RPR, 0x40);
    C_EOIR = b;
    expect("  two ended", C_RPR, 0x60);
    C_EOIR = a;
    expect("  all ended", C_RPR, 0xff);
    D_PRIORITY(1) = 0x80, D_PRIORITY(2) = 0x40, D_PRIORITY(3) = 0xc0;
}

/* --- a device's line, as a level and as edges --- */

static uint32_t served;
static void serve_uart(struct frame *f)
{
    uint32_t iar = C_IAR;
    f->lr -= 4;
    if (++served == 5)
        UART_IMSC = 0; /* the line goes down; its cause was left alone until now */
    C_EOIR = iar;
}

static void test_lines(void)
{
    const uint32_t bit = 1u << (UART_IRQ - 32);
    on_exception[VEC_IRQ] = serve_uart;
    UART_ICR = 0x7ff;
    print("a level\n"); /* the transmit interrupt is raised, masked still */
    UART_IMSC = 1 << 5;
    expect("level up: pending", D_ISPEND(1) & bit, bit);
    D_ICPEND(1) = bit;
    expect("  ICPENDR does not take it", D_ISPEND(1) & bit, bit);
    D_ISENABLE(1) = bit;
    let_in();
    expect("  given out as long as it is up", served, 5);
    expect("  down: not pending", D_ISPEND(1) & bit, 0);
    D_ISPEND(1) = bit;
    expect("  set pending by software", D_ISPEND(1) & bit, bit);
    let_in();
    expect("  given out once", served, 6);
    last.count = 0;

    D_ICENABLE(1) = bit;
    D_CONFIG(2) = D_CONFIG(2) | 2u << 2 * (UART_IRQ - 32);
    UART_IMSC = 1 << 5;
    expect("edge: pending", D_ISPEND(1) & bit, bit);
    UART_IMSC = 0;
    expect("  kept when the line goes down", D_ISPEND(1) & bit, bit);
    D_ISENABLE(1) = bit;
    let_in();
    expect("  given out once", served, 7);
    UART_IMSC = 1 << 5;
    let_in();
    expect("  next edge", served, 8);
    let_in();
    expect("  no edge, though up", served, 8);
    D_ICPEND(1) = bit;
    UART_IMSC = 0;
    UART_IMSC = 1 << 5;
    D_ICPEND(1) = bit;
    let_in();
    expect("  cleared by ICPENDR", served, 8);
    UART_IMSC = 0;
    D_ICENABLE(1) = bit;
    D_CONFIG(2) = D_CONFIG(2) & ~(2u << 2 * (UART_IRQ - 32));
    UART_ICR = 0x7ff;
    D_ICPEND(1) = bit;
    on_exception[VEC_IRQ] = serve;
    last.count = 0;
}

void guest_main(void)
{
    mmu_on_short();
    on_exception[VEC_IRQ] = serve;
    expect("TYPER: 288 interrupts, one processor", D_TYPER & 0x4ff, 8);
    expect("SGIs are always enabled", D_ISENABLE(0) & 0xffff, 0xffff);
    expect("SGIs are edge-triggered", D_CONFIG(0), 0xaaaaaaaa);
    reset_gic();
    expect("idle: HPPIR", C_HPPIR, 1023);
    expect("idle: IAR", C_IAR, 1023);
    expect("idle: RPR", C_RPR, 0xff);
    expect("ISR", MRC(0, c12, c1, 0), 0);

    self_sgi(5);
    expect("pending", D_ISPEND(0), 1 << 5);
    expect("HPPIR", C_HPPIR, 5);
    expect("ISR with a pending interrupt", MRC(0, c12, c1, 0), 0x80);
    run("one SGI", 0x5);
    expect("running priority in it", running, 0xa0);
    expect("pending after", D_ISPEND(0), 0);

    D_PRIORITY(1) = 0x80;
    D_PRIORITY(2) = 0x40;
    D_PRIORITY(3) = 0xc0;
    D_PRIORITY(4) = 0x40;
    self_sgi(3);
    self_sgi(1);
    self_sgi(4);
    self_sgi(2);
    run("by priority, then by number", 0x2413);
    self_sgi(1);
    self_sgi(1);
    run("twice is once", 0x1);

    /* preemption */
    nest = 2;
    self_sgi(3);
    IRQ_ON();
    for (volatile int i = 0; i < 200; i++)
        ;
    IRQ_OFF();
    expect("higher priority preempts: depth", deepest, 2);
    run("  order", 0x32);
    nest = 3;
    self_sgi(1);
    let_in();
    expect("lower priority waits: depth", deepest, 1);
    run("  order", 0x13);
    nest = 4;
    self_sgi(2);
    let_in();
    expect("equal priority waits: depth", deepest, 1);
    run("  order", 0x24);
    C_BPR = 7; /* no bits for preemption */
    nest = 2;
    self_sgi(3);
    let_in();
    expect("binary point 7: depth", deepest, 1);
    run("  order", 0x32);
    C_BPR = 2;

    /* masking by priority */
    C_PMR = 0x80;
    self_sgi(1);
    self_sgi(2);
    run("PMR lets only higher ones in", 0x2);
    C_PMR = 0x88;
    run("PMR raised", 0x1);
    C_PMR = 0xf0;

    /* masks and enables */
    self_sgi(6);
    D_CTLR = 0;
    run("distributor off", 0);
    D_CTLR = 1;
    C_CTLR = 0;
    run("interface off", 0);
    C_CTLR = 1;
    run("both on", 0x6);
    self_sgi(7);
    D_ICPEND(0) = 1 << 7; /* SGIs are not cleared this way */
    run("ICPENDR leaves SGIs", 0x7);

    /* shared interrupts pended by software: 40 (edge) */
    D_CONFIG(2) = D_CONFIG(2) | 2u << 16;
    REG32(GICD + 0x800 + 40) = 0x01010101;
    D_ISPEND(1) = 1 << 8;
    run("disabled", 0);
    D_ISENABLE(1) = 1 << 8;
    expect("enabled", D_ICENABLE(1), 1 << 8);
    run("SPI 40 by ISPENDR", 0x8);
    D_ISPEND(1) = 1 << 8;
    D_ICPEND(1) = 1 << 8;
    run("pended and cleared", 0);
    D_ICENABLE(1) = 1 << 8;
    expect("disabled again", D_ISENABLE(1), 0);

    /* priority drop and deactivation apart */
    C_CTLR = 1 | 1 << 9;
    self_sgi(5);
    uint32_t iar = C_IAR;
    expect("EOImode: IAR", iar, 5);
    expect("active", D_ISACTIVE(0), 1 << 5);
    C_EOIR = iar;
    expect("EOIR drops the priority", C_RPR, 0xff);
    expect("still active", D_ISACTIVE(0), 1 << 5);
    C_DIR = iar;
    expect("DIR deactivates", D_ISACTIVE(0), 0);
    C_CTLR = 1;

    /* a level from a device: the UART's transmit interrupt */
    UART_ICR = 0x7ff;
    D_ISENABLE(1) = 1 << (UART_IRQ - 32);
    UART_IMSC = 1 << 5;
    print("x\n"); /* something sent: the transmit interrupt rises when it is out */
    while (!(UART_RIS & 1 << 5))
        ;
    run("UART by level", 0x1);
    run("quiet afterwards", 0);
    D_ICENABLE(1) = 1 << (UART_IRQ - 32);

    /* wait for interrupt with interrupts masked: a pending one ends it */
    self_sgi(9);
    __asm__ volatile("wfi" : : : "memory");
    run("WFI with a pending interrupt", 0x9);
    test_bits();
    test_lines();
    test_groups();
    expect("IAR at the end", C_IAR, 1023);
}
