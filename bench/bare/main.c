/*
 * main.c: a bare-metal guest that takes the same orders as src/runner.c and runs what needs privilege, one mechanism each. "run
 * NAME<TAB>KIND COUNT".
 *
 *   tlb-all, tlb-va, tlb-asid, tlb-vaa   TLB maintenance of that kind with its barriers, then a read of a page of each of four address
 * ranges mmio                                 read of the real-time clock's data register mmio-write                           write of the
 * real-time clock's match register gic                                  read of the interrupt controller's enable register svc, undef,
 * dabt, pabt, irq          that exception, taken and returned from ttbr                                 switch of translation table and
 * ASID, then a read smc                                  an instruction changed, cache maintenance, executed
 *
 * While it waits for an order it sleeps; the serial port's interrupt wakes it.
 */
#include <guest.h>

#define UART       0x09000000u
#define UART_FR    0x18
#define UART_IMSC  0x38
#define UART_ICR   0x44
#define RTC        0x09010000u
#define GICD       0x08000000u
#define GICC       0x08010000u
#define UART_INTID 33u
#define SGI        1u

/* libgcc's division by zero asks for it. */
int raise(int sig);
int raise(int sig)
{
    return sig;
}

static uint32_t other_table[4096] __attribute__((aligned(16384)));
static volatile uint32_t irqs;

static uint32_t touch(void)
{
    return REG32(PLAYGROUND) + REG32(PLAYGROUND + 0x100000) + REG32(PLAYGROUND + 0x201000) + REG32(PLAYGROUND + 0x302000);
}

static uint32_t tlb_all(uint32_t n)
{
    uint32_t sum = 0;
    while (n--) {
        TLBIALL();
        sum += touch();
    }
    return sum;
}

static uint32_t tlb_va(uint32_t n)
{
    uint32_t sum = 0;
    while (n--) {
        TLBIMVA(PLAYGROUND + 0x100000);
        sum += touch();
    }
    return sum;
}

static uint32_t tlb_asid(uint32_t n)
{
    uint32_t sum = 0;
    while (n--) {
        TLBIASID(0);
        sum += touch();
    }
    return sum;
}

static uint32_t tlb_vaa(uint32_t n)
{
    uint32_t sum = 0;
    while (n--) {
        TLBIMVAA(PLAYGROUND + 0x100000);
        sum += touch();
    }
    return sum;
}

static uint32_t mmio(uint32_t n)
{
    uint32_t ok = 0;
    while (n--)
        ok += REG32(RTC) != 0;
    return ok;
}

static uint32_t mmio_write(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        REG32(RTC + 4) = i;
    return REG32(RTC + 4);
}

static uint32_t gic(uint32_t n)
{
    uint32_t sum = 0;
    while (n--)
        sum += REG32(GICD) & 1;
    return sum;
}

/* Exceptions are counted here; the common handler gives up after a hundred of its own. */
static uint32_t taken, resume;

static void on_call(struct frame *f)
{
    (void)f;
    taken++;
    last.count = 0;
}

static void on_dabt(struct frame *f)
{
    on_call(f);
    f->lr -= 4;
}

static void on_pabt(struct frame *f)
{
    on_call(f);
    f->lr = resume;
}

static uint32_t svc(uint32_t n)
{
    for (taken = 0; n--;)
        __asm__ volatile("svc #0" : : : "r14", "memory");
    return taken;
}

static uint32_t undef(uint32_t n)
{
    for (taken = 0; n--;)
        __asm__ volatile("udf #0" : : : "memory");
    return taken;
}

static uint32_t dabt(uint32_t n)
{
    for (taken = 0; n--;)
        __asm__ volatile("ldr r0, [%0]" : : "r"(0x70000000) : "r0", "memory");
    return taken;
}

static uint32_t pabt(uint32_t n)
{
    for (taken = 0; n--;)
        __asm__ volatile("adr r0, 1f\n str r0, [%0]\n bx %1\n1:" : : "r"(&resume), "r"(0x70000000) : "r0", "memory");
    return taken;
}

static void on_irq(struct frame *f)
{
    uint32_t id = REG32(GICC + 0xc);
    if ((id & 1023) < 1020)
        REG32(GICC + 0x10) = id;
    last.count = 0;
    irqs++;
    f->lr -= 4;
}

static uint32_t irq(uint32_t n)
{
    irqs = 0;
    IRQ_ON();
    while (n--) {
        uint32_t before = irqs;
        REG32(GICD + 0xf00) = 1u << 16 | SGI; /* to this CPU */
        while (irqs == before)
            ;
    }
    IRQ_OFF();
    return irqs;
}

static uint32_t ttbr(uint32_t n)
{
    uint32_t sum = 0;
    while (n--) {
        uint32_t table = n & 1 ? (uint32_t)(uintptr_t)other_table : (uint32_t)(uintptr_t)l1_table;
        MCR(0, c2, c0, 0, table);
        SET_ASID(n & 1);
        sum += touch();
    }
    MCR(0, c2, c0, 0, (uint32_t)(uintptr_t)l1_table);
    SET_ASID(0);
    return sum;
}

static uint32_t smc(uint32_t n)
{
    volatile uint32_t *code = (volatile uint32_t *)(uintptr_t)(PLAYGROUND + 0x400000);
    uint32_t sum = 0;
    code[1] = 0xe12fff1e; /* bx lr */
    while (n--) {
        code[0] = 0xe3a00000 | (n & 255); /* mov r0, #n */
        MCR(0, c7, c11, 1, code);         /* DCCMVAU */
        ICIMVAU(code);
        sum += ((uint32_t(*)(void))(uintptr_t)code)();
    }
    return sum;
}

static const struct {
    const char *name;
    uint32_t (*run)(uint32_t n);
} kinds[] = {
    {"tlb-all", tlb_all}, {"tlb-va", tlb_va}, {"tlb-asid", tlb_asid}, {"tlb-vaa", tlb_vaa}, {"mmio", mmio}, {"mmio-write", mmio_write},
    {"gic", gic},         {"svc", svc},       {"undef", undef},       {"dabt", dabt},       {"pabt", pabt}, {"irq", irq},
    {"ttbr", ttbr},       {"smc", smc},
};

/* --- orders --- */

static void put_number(uint64_t x, unsigned width)
{
    char text[24];
    unsigned n = 0;
    do
        text[n++] = (char)('0' + x % 10), x /= 10;
    while (x || n < width);
    char out[2] = {0, 0};
    while (n) {
        out[0] = text[--n];
        print(out);
    }
}

static void read_line(char *line, unsigned room)
{
    unsigned n = 0;
    for (;;) {
        while (REG32(UART + UART_FR) & 0x10) { /* empty */
            (void)REG32(RTC);                  /* a request to the host: counters are published */
            DSB();
            __asm__ volatile("wfi" : : : "memory");
            REG32(UART + UART_ICR) = 0x50;
        }
        char c = (char)REG32(UART);
        if (c == '\n' || c == '\r')
            break;
        if (n < room - 1)
            line[n++] = c;
    }
    line[n] = 0;
}

static bool same(const char *a, const char *b, unsigned n)
{
    while (n && *a && *a == *b)
        a++, b++, n--;
    return n == 0;
}

static unsigned length(const char *s, char end)
{
    unsigned n = 0;
    while (s[n] && s[n] != end)
        n++;
    return n;
}

static void run(const char *name, const char *order)
{
    unsigned n = length(order, ' '), size = length(name, 0);
    uint32_t count = 0, result = 0;
    bool found = false;
    for (const char *p = order + n; *p; p++)
        if (*p >= '0' && *p <= '9')
            count = count * 10 + (uint32_t)(*p - '0');
    print("bench: begin ");
    print(name);
    print("\n");
    uint64_t start = MRRC(1, c14);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (length(kinds[i].name, 0) == n && same(kinds[i].name, order, n)) {
            result = kinds[i].run(count);
            found = true;
        }
    uint64_t microseconds = (MRRC(1, c14) - start) * 2 / 125; /* 62.5 MHz */
    (void)size;
    print("bench: end ");
    print(name);
    print(found ? " 0 " : " 1 ");
    put_number(microseconds / 1000000, 1);
    print(".");
    put_number(microseconds % 1000000, 6);
    print(" 0 0 ");
    put_number(result, 1);
    print(" 0\n");
}

void guest_main(void)
{
    static char line[256];
    for (unsigned i = 0; i < 4096; i++)
        other_table[i] = 0;
    mmu_on_short();
    l1_table[0x700] = 0;
    for (unsigned i = 0; i < 4096; i++)
        other_table[i] = l1_table[i];
    TLBIALL();
    on_exception[VEC_IRQ] = on_irq;
    on_exception[VEC_SVC] = on_exception[VEC_UNDEF] = on_call;
    on_exception[VEC_DABT] = on_dabt;
    on_exception[VEC_PABT] = on_pabt;
    REG32(GICC + 4) = 0xff;
    REG32(GICC) = 1;
    REG32(GICD + 0x100) = 1u << SGI;
    REG32(GICD + 0x104) = 1u << (UART_INTID - 32);
    REG32(GICD + 0x800 + UART_INTID - UART_INTID % 4) = 0x01010101;
    REG32(GICD) = 1;
    REG32(UART + UART_IMSC) = 0x50; /* receive, receive timeout */
    print("bench: ready 0\n");
    for (;;) {
        read_line(line, sizeof(line));
        unsigned n = length(line, '\t');
        if (same(line, "run ", 4) && line[n]) {
            line[n] = 0;
            run(line + 4, line + n + 1);
        } else if (same(line, "quit", 4)) {
            power_off();
        } else {
            print("bench: error not an order\n");
        }
    }
}
