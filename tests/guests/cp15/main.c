/*
 * CP15 and CP14: which registers there are for privileged and for user mode, bits that cannot be written, the cycle counter, barriers as
 * CP15 writes, address translation with short descriptors.
 */
#include "guest.h"

/* --- which registers can be read --- */

#define CODE                          PLAYGROUND
#define KEY(cp, opc1, crn, crm, opc2) ((uint32_t)(cp) << 16 | (opc1) << 12 | (crn) << 8 | (crm) << 4 | (opc2))
#define USER                          1u /* user mode can read it too, as the right bits are after reset */
#define NOT_QEMU                      2u /* QEMU 7.2 has not got it */
#define NOT_QEMU_USER                 4u

static const struct {
    uint32_t key;
    uint8_t flags;
} registers[] = {
    {KEY(15, 0, 0, 0, 0), 0},         {KEY(15, 0, 0, 0, 1), 0},
    {KEY(15, 0, 0, 0, 2), 0},         {KEY(15, 0, 0, 0, 3), 0},
    {KEY(15, 0, 0, 0, 4), 0},         {KEY(15, 0, 0, 0, 5), 0},
    {KEY(15, 0, 0, 0, 6), 0},         {KEY(15, 0, 0, 0, 7), 0},
    {KEY(15, 0, 0, 1, 0), 0},         {KEY(15, 0, 0, 1, 1), 0},
    {KEY(15, 0, 0, 1, 2), 0},         {KEY(15, 0, 0, 1, 3), 0},
    {KEY(15, 0, 0, 1, 4), 0},         {KEY(15, 0, 0, 1, 5), 0},
    {KEY(15, 0, 0, 1, 6), 0},         {KEY(15, 0, 0, 1, 7), 0},
    {KEY(15, 0, 0, 2, 0), 0},         {KEY(15, 0, 0, 2, 1), 0},
    {KEY(15, 0, 0, 2, 2), 0},         {KEY(15, 0, 0, 2, 3), 0},
    {KEY(15, 0, 0, 2, 4), 0},         {KEY(15, 0, 0, 2, 5), 0},
    {KEY(15, 0, 0, 2, 6), 0},         {KEY(15, 0, 0, 2, 7), 0},
    {KEY(15, 0, 1, 0, 0), 0},         {KEY(15, 0, 1, 0, 1), 0},
    {KEY(15, 0, 1, 0, 2), 0},         {KEY(15, 0, 2, 0, 0), 0},
    {KEY(15, 0, 2, 0, 1), 0},         {KEY(15, 0, 2, 0, 2), 0},
    {KEY(15, 0, 3, 0, 0), 0},         {KEY(15, 0, 5, 0, 0), 0},
    {KEY(15, 0, 5, 0, 1), 0},         {KEY(15, 0, 5, 1, 0), 0},
    {KEY(15, 0, 5, 1, 1), 0},         {KEY(15, 0, 6, 0, 0), 0},
    {KEY(15, 0, 6, 0, 2), 0},         {KEY(15, 0, 7, 4, 0), 0},
    {KEY(15, 0, 9, 12, 0), 0},        {KEY(15, 0, 9, 12, 1), 0},
    {KEY(15, 0, 9, 12, 2), 0},        {KEY(15, 0, 9, 12, 3), 0},
    {KEY(15, 0, 9, 12, 5), 0},        {KEY(15, 0, 9, 12, 6), NOT_QEMU},
    {KEY(15, 0, 9, 12, 7), NOT_QEMU}, {KEY(15, 0, 9, 13, 0), 0},
    {KEY(15, 0, 9, 13, 1), 0},        {KEY(15, 0, 9, 13, 2), 0},
    {KEY(15, 0, 9, 14, 0), USER},     {KEY(15, 0, 9, 14, 1), 0},
    {KEY(15, 0, 9, 14, 2), 0},        {KEY(15, 0, 9, 14, 3), 0},
    {KEY(15, 0, 10, 2, 0), 0},        {KEY(15, 0, 10, 2, 1), 0},
    {KEY(15, 0, 10, 3, 0), 0},        {KEY(15, 0, 10, 3, 1), 0},
    {KEY(15, 0, 12, 0, 0), 0},        {KEY(15, 0, 12, 1, 0), 0},
    {KEY(15, 0, 13, 0, 0), 0},        {KEY(15, 0, 13, 0, 1), 0},
    {KEY(15, 0, 13, 0, 2), USER},     {KEY(15, 0, 13, 0, 3), USER},
    {KEY(15, 0, 13, 0, 4), 0},        {KEY(15, 0, 14, 0, 0), 0},
    {KEY(15, 0, 14, 1, 0), 0},        {KEY(15, 0, 14, 2, 0), 0},
    {KEY(15, 0, 14, 2, 1), 0},        {KEY(15, 0, 14, 3, 0), 0},
    {KEY(15, 0, 14, 3, 1), 0},        {KEY(15, 1, 0, 0, 0), 0},
    {KEY(15, 1, 0, 0, 1), 0},         {KEY(15, 1, 0, 0, 7), 0},
    {KEY(15, 1, 9, 0, 2), 0},         {KEY(15, 1, 9, 0, 3), 0},
    {KEY(15, 2, 0, 0, 0), 0},         {KEY(15, 4, 15, 0, 0), 0},
    {KEY(14, 0, 0, 0, 0), USER},      {KEY(14, 0, 0, 0, 4), 0},
    {KEY(14, 0, 0, 0, 5), 0},         {KEY(14, 0, 0, 0, 6), 0},
    {KEY(14, 0, 0, 0, 7), 0},         {KEY(14, 0, 0, 1, 0), USER | NOT_QEMU_USER},
    {KEY(14, 0, 0, 1, 4), 0},         {KEY(14, 0, 0, 1, 5), 0},
    {KEY(14, 0, 0, 1, 6), 0},         {KEY(14, 0, 0, 1, 7), 0},
    {KEY(14, 0, 0, 2, 2), 0},         {KEY(14, 0, 0, 2, 4), 0},
    {KEY(14, 0, 0, 2, 5), 0},         {KEY(14, 0, 0, 2, 6), 0},
    {KEY(14, 0, 0, 2, 7), 0},         {KEY(14, 0, 0, 3, 4), 0},
    {KEY(14, 0, 0, 3, 5), 0},         {KEY(14, 0, 0, 3, 6), 0},
    {KEY(14, 0, 0, 3, 7), 0},         {KEY(14, 0, 0, 4, 4), 0},
    {KEY(14, 0, 0, 4, 5), 0},         {KEY(14, 0, 0, 4, 6), NOT_QEMU},
    {KEY(14, 0, 0, 4, 7), NOT_QEMU},  {KEY(14, 0, 0, 5, 4), 0},
    {KEY(14, 0, 0, 5, 5), 0},         {KEY(14, 0, 0, 5, 6), NOT_QEMU},
    {KEY(14, 0, 0, 5, 7), NOT_QEMU},  {KEY(14, 0, 0, 7, 0), 0},
    {KEY(14, 0, 1, 0, 0), USER},      {KEY(14, 0, 1, 1, 4), 0},
    {KEY(14, 0, 1, 3, 4), 0},         {KEY(14, 0, 1, 4, 4), NOT_QEMU},
    {KEY(14, 0, 1, 5, 4), NOT_QEMU},  {KEY(14, 0, 2, 0, 0), USER},
    {KEY(14, 0, 7, 14, 6), NOT_QEMU}, {KEY(14, 6, 0, 0, 0), 0},
    {KEY(14, 6, 1, 0, 0), USER},      {KEY(14, 7, 0, 0, 0), 0},
    {KEY(14, 7, 1, 0, 0), 0},         {KEY(14, 7, 2, 0, 0), 0},
    /* KEY(15, 0, 0, 3..7, 0..7): identification registers to come, zero */
};

static uint8_t undefined[16384];

static void note_undefined(struct frame *f)
{
    uint32_t n = (f->lr - 4 - CODE) / 4;
    if (n < 16384)
        undefined[n] = 1;
    last.count = 0;
}

static uint32_t flags_of(uint32_t key, bool *there)
{
    *there = key >= KEY(15, 0, 0, 3, 0) && key <= KEY(15, 0, 0, 7, 7);
    for (unsigned k = 0; k < sizeof(registers) / sizeof(registers[0]); k++) {
        if (registers[k].key == key) {
            *there = true;
            return registers[k].flags;
        }
    }
    return 0;
}

/* Reads everything that MRC can name. QEMU has more than a Cortex-A15 (ranges of encodings for one register, Security Extensions, debug):
 * there only what is missing counts. */
static void scan(unsigned cp, bool user)
{
    uint32_t missing = 0, extra = 0, count = 0;

    for (uint32_t i = 0; i < 16384; i++) {
        uint32_t opc1 = i >> 11, crn = i >> 7 & 15, crm = i >> 3 & 15, opc2 = i & 7;
        REG32(CODE + 4 * i) = 0xee100010 | opc1 << 21 | crn << 16 | cp << 8 | opc2 << 5 | crm; /* mrc to r0 */
        undefined[i] = 0;
    }
    REG32(CODE + 4 * 16384) = 0xe12fff1e;
    ICIALLU();
    on_exception[VEC_UNDEF] = note_undefined;
    if (user)
        in_user(call, CODE);
    else
        call(CODE);
    on_exception[VEC_UNDEF] = NULL;
    last.count = 0;
    for (uint32_t i = 0; i < 16384; i++) {
        uint32_t key = KEY(cp, i >> 11, i >> 7 & 15, i >> 3 & 15, i & 7);
        bool there;
        uint32_t flags = flags_of(key, &there);
        there &= !user || flags & USER;
        count += there;
        if (undefined[i] && there && !(on_qemu() && flags & (NOT_QEMU | (user ? NOT_QEMU_USER : 0)))) {
            missing++;
            print_hex("missing: p, opc1, CRn, CRm, opc2", key);
        }
        if (!undefined[i] && !there && !on_qemu()) {
            extra++;
            print_hex("too many: p, opc1, CRn, CRm, opc2", key);
        }
    }
    print_hex(user ? "registers of user mode, coprocessor" : "registers, coprocessor", cp);
    print_hex("  number", count);
    expect("  missing", missing, 0);
    expect("  too many", extra, 0);
}

/* --- bits --- */

static void test_bits(void)
{
    uint32_t sctlr = MRC(0, c1, c0, 0);
    MCR(0, c1, c0, 0, sctlr | 0x8d224380u); /* reserved, NMFI, VE, FI, HA, RR, 9:7 */
    ISB();
    expect_not_qemu("SCTLR, bits that are zero", MRC(0, c1, c0, 0), sctlr, sctlr | 0x8d224380u);
    MCR(0, c1, c0, 0, sctlr & ~0x00c50058u);
    ISB();
    expect_not_qemu("SCTLR, bits that are one", MRC(0, c1, c0, 0), sctlr, sctlr & ~0x00c50058u);
    MCR(0, c1, c0, 0, sctlr);
    ISB();
    MCR(0, c13, c0, 0, 0);
    expect("FCSEIDR", MRC(0, c13, c0, 0), 0);
    MCR(2, c0, c0, 0, 0xfffffff0u);
    ISB();
    expect("CSSELR", MRC(2, c0, c0, 0), 0);
    MCR(0, c9, c14, 0, 0xfffffffeu);
    expect("PMUSERENR", MRC(0, c9, c14, 0), 0);
    MCR(0, c5, c0, 0, 0x1c0f);
    MCR(0, c6, c0, 0, 0x12345678);
    MCR(0, c5, c0, 1, 0x140f);
    MCR(0, c6, c0, 2, 0x9abcdef0u);
    expect("DFSR", MRC(0, c5, c0, 0), 0x1c0f);
    expect("DFAR", MRC(0, c6, c0, 0), 0x12345678);
    expect("IFSR", MRC(0, c5, c0, 1), 0x140f);
    expect("IFAR", MRC(0, c6, c0, 2), 0x9abcdef0u);
    expect("ID space c3", MRC(0, c0, c3, 0) | MRC(0, c0, c3, 7), 0);
    expect("ID space c7", MRC(0, c0, c7, 0) | MRC(0, c0, c7, 7), 0);
    expect_none("bits");
}

/* --- CP15 barriers --- */

static uint32_t barriers(uint32_t x)
{
    MCR(0, c7, c10, 4, x); /* DSB */
    MCR(0, c7, c10, 5, x); /* DMB */
    MCR(0, c7, c5, 4, x);  /* ISB */
    return 0;
}

static void test_barriers(void)
{
    barriers(0);
    in_user(barriers, 0);
    expect_none("CP15 barriers");
    sctlr_change(0, 1u << 5); /* CP15BEN */
    barriers(0);
    expect_not_qemu("without SCTLR.CP15BEN: undefined", last.count, 3, 0);
    last.count = 0;
    in_user(barriers, 0);
    expect_not_qemu("  in user mode", last.count, 3, 0);
    sctlr_change(1u << 5, 0);
    last.count = 0;
    barriers(0);
    expect_none("CP15 barriers again");
}

/* --- the cycle counter --- */

#define PMCR(x)       MCR(0, c9, c12, 0, x)
#define PMCNTENSET(x) MCR(0, c9, c12, 1, x)
#define PMCNTENCLR(x) MCR(0, c9, c12, 2, x)
#define PMCCNTR       MRC(0, c9, c13, 0)

static uint32_t user_cycles(uint32_t x)
{
    (void)x;
    return PMCCNTR != 0;
}

static uint32_t spend(uint32_t n)
{
    uint32_t before = PMCCNTR;
    for (volatile uint32_t i = 0; i < n; i++)
        ;
    ISB();
    return PMCCNTR - before;
}

/* The host may take its time in between: the shortest of some. */
static uint32_t shortest(void)
{
    uint32_t least = ~0u;
    for (unsigned i = 0; i < 10; i++) {
        uint32_t t = spend(20000);
        least = t < least ? t : least;
    }
    return least;
}

static void test_cycle_counter(void)
{
    PMCR(0);
    PMCNTENCLR(0xffffffffu);
    MCR(0, c9, c13, 0, 0x1234);
    ISB();
    expect("not enabled: stands", PMCCNTR, 0x1234);
    expect("  after a while", spend(10000), 0);
    PMCR(1);
    ISB();
    expect("PMCR.E without PMCNTENSET: stands", spend(10000), 0);
    PMCNTENSET(1u << 31);
    expect("PMCNTENSET", MRC(0, c9, c12, 1) >> 31, 1);
    expect("PMCNTENCLR reads the same", MRC(0, c9, c12, 2) >> 31, 1);
    ISB();
    expect("counts", spend(10000) != 0, 1);
    expect("PMCR", MRC(0, c9, c12, 0) & 0x3f, 1);
    uint32_t fast = shortest();
    PMCR(1 | 8);
    ISB();
    uint32_t slow = shortest();
    expect("PMCR.D: every 64th cycle", slow != 0 && slow < fast / 8, 1);
    PMCR(0);
    ISB();
    uint32_t at = PMCCNTR;
    expect("stopped keeps its value", spend(10000) + PMCCNTR - at, 0);
    PMCR(4); /* C */
    ISB();
    expect("PMCR.C: zero", PMCCNTR, 0);
    expect("  not kept", MRC(0, c9, c12, 0) & 4, 0);

    /* overflow */
    MCR(0, c9, c12, 3, 0xffffffffu);
    expect("PMOVSR", MRC(0, c9, c12, 3), 0);
    MCR(0, c9, c13, 0, 0xffffff00u);
    PMCR(1);
    ISB();
    while (PMCCNTR >= 0xffffff00u)
        ;
    PMCR(0);
    ISB();
    expect("PMOVSR after the overflow", MRC(0, c9, c12, 3), 1u << 31);
    MCR(0, c9, c12, 3, 1u << 31);
    expect("  cleared", MRC(0, c9, c12, 3), 0);
    MCR(0, c9, c14, 3, 1u << 31);
    expect("  set by PMOVSSET", MRC(0, c9, c12, 3), 1u << 31);
    MCR(0, c9, c12, 3, 1u << 31);

    /* interrupt enable bits */
    MCR(0, c9, c14, 1, 1u << 31);
    expect("PMINTENSET", MRC(0, c9, c14, 1), 1u << 31);
    MCR(0, c9, c14, 2, 1u << 31);
    expect("PMINTENCLR", MRC(0, c9, c14, 2), 0);

    /* user mode */
    in_user(user_cycles, 0);
    expect_exception("user mode", VEC_UNDEF);
    MCR(0, c9, c14, 0, 1);
    PMCR(1);
    ISB();
    expect("user mode, PMUSERENR.EN", in_user(user_cycles, 0), 1);
    MCR(0, c9, c14, 0, 0);
    PMCNTENCLR(1u << 31);
    PMCR(0);
    expect_none("cycle counter");
}

/* --- ThumbEE registers --- */

static uint32_t user_teehbr(uint32_t x)
{
    __asm__ volatile("mcr p14, 6, %0, c1, c0, 0\n mrc p14, 6, %0, c1, c0, 0" : "+r"(x));
    return x;
}

static void test_thumbee(void)
{
    uint32_t x = 0xfffffffeu;
    __asm__ volatile("mcr p14, 6, %0, c0, c0, 0\n mrc p14, 6, %0, c0, c0, 0" : "+r"(x));
    expect("TEECR", x, 0);
    expect("TEEHBR in user mode", in_user(user_teehbr, 0x1234), 0x1234);
    expect_none("TEEHBR");
    x = 1;
    __asm__ volatile("mcr p14, 6, %0, c0, c0, 0" : : "r"(x));
    in_user(user_teehbr, 0);
    expect("TEECR.XED: undefined", last.count, 2);
    last.count = 0;
    __asm__ volatile("mcr p14, 6, %0, c0, c0, 0" : : "r"(0));
}

/* --- address translation, short descriptors --- */

#define TEST_VA 0x80000000u
static uint32_t l2_table[256] __attribute__((aligned(1024)));

static uint32_t translate(unsigned kind, uint32_t va)
{
    MCR(0, c7, c4, 0, 0x5a5a5a5au);
    if (kind == 0)
        MCR(0, c7, c8, 0, va);
    else if (kind == 1)
        MCR(0, c7, c8, 1, va);
    else if (kind == 2)
        MCR(0, c7, c8, 2, va);
    else
        MCR(0, c7, c8, 3, va);
    ISB();
    return MRC(0, c7, c4, 0);
}

static void map(uint32_t l1, uint32_t l2)
{
    for (unsigned i = 0; i < 256; i++)
        l2_table[i] = l2;
    for (unsigned i = 0; i < 16; i++)
        l1_table[(TEST_VA >> 20) + i] = l1;
    TLBIALL();
}

#define ADDRESS(par) ((par)&1 ? (par) : (par)&0xfffff003u) /* attributes apart */

static void test_translation(void)
{
    static const char *const names[] = {"ATS1CPR", "ATS1CPW", "ATS1CUR", "ATS1CUW"};
    static const uint8_t allowed[8] = {0, 0x3, 0x7, 0xf, 0, 0x1, 0x5, 0x5}; /* by AP: privileged read, write, user read, write */
    uint32_t table = (uint32_t)(uintptr_t)l2_table | 1;

    for (unsigned ap = 0; ap < 8; ap++) {
        if (ap == 4)
            continue;
        print_hex("AP", ap);
        for (unsigned kind = 0; kind < 4; kind++) {
            bool ok = allowed[ap] >> kind & 1;
            print(names[kind]);
            print("\n");
            map(SECTION(PLAYGROUND, ap, 0, SECTION_NORMAL), 0);
            expect("  section", ADDRESS(translate(kind, TEST_VA + 0x12345)), ok ? PLAYGROUND + 0x12000 : 0x0d << 1 | 1);
            map(table, SMALL(PLAYGROUND + 0x7000, ap, SMALL_NORMAL));
            expect("  small page", ADDRESS(translate(kind, TEST_VA + 0x12345)), ok ? PLAYGROUND + 0x7000 : 0x0f << 1 | 1);
            map(table, LARGE(PLAYGROUND + 0x70000, ap, LARGE_NORMAL));
            expect("  large page", ADDRESS(translate(kind, TEST_VA + 0x12345)), ok ? PLAYGROUND + 0x72000 : 0x0f << 1 | 1);
        }
    }
    map(PLAYGROUND | 2 | 1u << 18 | 3u << 10 | SECTION_NORMAL, 0);
    expect("supersection", translate(0, TEST_VA + 0x123456) & 0xff000003u, PLAYGROUND | 2);
    map(0x51000000u | 2 | 1u << 18 | 3u << 10 | 3u << 20 | SECTION_NORMAL, 0);
    expect_not_qemu("supersection above 4 GiB", translate(0, TEST_VA) & 0xffff0003u, 0x51030002u, 0x51000002u);
    map(0, 0);
    expect("no section", translate(0, TEST_VA), 0x05 << 1 | 1);
    map(table, 0);
    expect("no page", translate(3, TEST_VA), 0x07 << 1 | 1);
    map(SECTION(PLAYGROUND, 3, 4, SECTION_NORMAL), 0);
    expect("domain, section", translate(1, TEST_VA), 0x09 << 1 | 1);
    map(table | 4 << 5, SMALL(PLAYGROUND, 3, SMALL_NORMAL));
    expect("domain, page", translate(2, TEST_VA), 0x0b << 1 | 1);
    map(SECTION(PLAYGROUND, 0, 4, SECTION_NORMAL), 0);
    SET_DACR(1 | 3 << 8);
    expect("manager", ADDRESS(translate(3, TEST_VA)), PLAYGROUND);
    SET_DACR(1);
    sctlr_change(SCTLR_AFE, 0);
    map(SECTION(PLAYGROUND, 2, 0, SECTION_NORMAL), 0);
    expect("access flag, section", translate(0, TEST_VA), 0x03 << 1 | 1);
    map(table, SMALL(PLAYGROUND, 2, SMALL_NORMAL));
    expect("access flag, page", translate(0, TEST_VA), 0x06 << 1 | 1);
    sctlr_change(0, SCTLR_AFE);
    map(NOWHERE | 1, 0);
    translate(0, TEST_VA + 0x124); /* no result: a data abort */
    expect_exception("table nowhere", VEC_DABT);
    expect_not_qemu("    DFSR", last.dfsr, 0x80e, 0x00e);
    expect("    DFAR", last.dfar, TEST_VA + 0x124);
    map(0, 0);
    MCR(0, c7, c4, 0, 0x12345678);
    expect("PAR is a register", MRC(0, c7, c4, 0), 0x12345678);
    expect_none("address translation");
}

void guest_main(void)
{
    mmu_on_short();
    scan(15, false);
    scan(15, true);
    scan(14, false);
    scan(14, true);
    test_bits();
    test_barriers();
    test_cycle_counter();
    test_thumbee();
    test_translation();
}
