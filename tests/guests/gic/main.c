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
    expect("IAR at the end", C_IAR, 1023);
}
