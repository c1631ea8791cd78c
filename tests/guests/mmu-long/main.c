/* Long descriptors: blocks and pages of each level, permissions, table attributes, access flag, execute-never, both table bases, ASIDs,
 * fault status, PAR. */
#include "guest.h"

#define TEST_VA  0x80000000u
#define VALID    1ull
#define TABLE    3ull
#define PAGE     3ull
#define BLOCK    1ull
#define AF       (1ull << 10)
#define NG       (1ull << 11)
#define SH       (3ull << 8)
#define AP(n)    ((uint64_t)(n) << 6)
#define ATTR(n)  ((uint64_t)(n) << 2)
#define PXN      (1ull << 53)
#define XN       (1ull << 54)
#define T_PXN    (1ull << 59)
#define T_XN     (1ull << 60)
#define T_NOUSER (1ull << 61)
#define T_RO     (1ull << 62)

static uint64_t l1[4] __attribute__((aligned(32)));
static uint64_t l2_devices[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096))),
    l3[512] __attribute__((aligned(4096)));
static uint64_t l1_other[4] __attribute__((aligned(32))), l2_other[512] __attribute__((aligned(4096))),
    l3_other[512] __attribute__((aligned(4096)));

static uint64_t table(uint64_t *t, uint64_t extra)
{
    return (uint32_t)(uintptr_t)t | TABLE | extra;
}
static uint64_t normal(uint64_t pa, uint64_t extra)
{
    return pa | AF | SH | ATTR(0) | extra;
}

static void mmu_on_long(void)
{
    for (unsigned i = 0; i < 512; i++)
        l2_devices[i] = i >= 0x40 && i < 0x50 ? ((uint64_t)i << 21 | BLOCK | AF | ATTR(1) | XN | AP(1)) : 0;
    l1[0] = table(l2_devices, 0);
    l1[1] = normal(0x40000000, BLOCK | AP(1)); /* 1 GiB of RAM at once */
    l1[2] = table(l2, 0);
    l1[3] = 0;
    MCR(0, c10, c2, 0, 0x000004ff); /* MAIR0: 0 Normal write-back, 1 Device */
    MCR(0, c10, c2, 1, 0);
    MCR(0, c2, c0, 2, 1u << 31);
    MCRR(0, c2, (uint32_t)(uintptr_t)l1);
    MCRR(1, c2, 0ull);
    TLBIALL();
    ICIALLU();
    sctlr_change(SCTLR_M | SCTLR_C | SCTLR_I, 0);
}

static void map_block(uint64_t extra)
{
    l2[0] = normal(PLAYGROUND, BLOCK | extra);
    TLBIALL();
}

static void map_page(uint64_t page_extra, uint64_t table_extra)
{
    l3[0] = normal(PLAYGROUND, PAGE | page_extra);
    l2[0] = table(l3, table_extra);
    TLBIALL();
}

static void test_permissions(void)
{
    static const uint8_t want[4] = {0x03, 0x3f, 0x01, 0x15};
    for (unsigned ap = 0; ap < 4; ap++) {
        print_hex("AP[2:1]", ap);
        map_block(AP(ap));
        expect("  block", rights(TEST_VA + 0x100), want[ap]);
        map_page(AP(ap), 0);
        expect("  page", rights(TEST_VA + 0x100), want[ap]);
        map_page(AP(ap), T_RO);
        expect("  page, table read-only", rights(TEST_VA + 0x100), want[ap] & 0x15);
        map_page(AP(ap), T_NOUSER);
        expect("  page, table not for user mode", rights(TEST_VA + 0x100), want[ap] & 0x3);
        map_page(AP(ap), T_RO | T_NOUSER);
        expect("  page, both", rights(TEST_VA + 0x100), want[ap] & 0x1);
    }
    l1[2] = table(l2, T_RO);
    map_page(AP(1), 0);
    expect("read-only by the first level", rights(TEST_VA), 0x15);
    l1[2] = table(l2, 0);
    TLBIALL();
}

static void test_faults(void)
{
    read32(0xc0000000u);
    expect_dabt("translation, level 1", 0x205, 0xc0000000u);
    l2[0] = 0;
    TLBIALL();
    read32(TEST_VA + 4);
    expect_dabt("translation, level 2", 0x206, TEST_VA + 4);
    write32(TEST_VA + 8, 0);
    expect_dabt("translation, level 2, write", 0xa06, TEST_VA + 8);
    map_page(AP(1), 0);
    l3[0] = 0;
    TLBIALL();
    read32(TEST_VA + 12);
    expect_dabt("translation, level 3", 0x207, TEST_VA + 12);
    call(TEST_VA + 12);
    expect_pabt("translation, level 3, fetch", 0x207, TEST_VA + 12);
    l3[0] = normal(PLAYGROUND, BLOCK | AP(1)); /* 0b01 is reserved at level 3 */
    TLBIALL();
    read32(TEST_VA + 16);
    expect_dabt("reserved descriptor, level 3", 0x207, TEST_VA + 16);
    map_block(AP(3));
    write32(TEST_VA + 20, 0);
    expect_dabt("permission, level 2", 0xa0e, TEST_VA + 20);
    map_page(AP(3), 0);
    write32(TEST_VA + 24, 0);
    expect_dabt("permission, level 3", 0xa0f, TEST_VA + 24);
    map_page(AP(0), 0);
    in_user(user_read, TEST_VA + 28);
    expect_dabt("permission, level 3, user", 0x20f, TEST_VA + 28);
    l2[0] = (PLAYGROUND | BLOCK | SH | AP(1));
    TLBIALL();
    read32(TEST_VA + 32);
    expect_dabt("access flag, level 2", 0x20a, TEST_VA + 32);
    l2[0] = table(l3, 0);
    l3[0] = (PLAYGROUND | PAGE | SH | AP(1));
    TLBIALL();
    write32(TEST_VA + 36, 0);
    expect_dabt("access flag, level 3", 0xa0b, TEST_VA + 36);
    call(TEST_VA + 36);
    expect_pabt("access flag, level 3, fetch", 0x20b, TEST_VA + 36);
    map_page(AP(1), 0);
    read_multiple(TEST_VA + 2);
    expect_dabt("alignment", 0x221, TEST_VA + 2);
    expect_none("faults");
}

static void test_level_1(void)
{
    call(0xc0000000u);
    expect_pabt("translation, level 1, fetch", 0x205, 0xc0000000u);
    l1[3] = normal(0x40000000, BLOCK | AP(3));
    TLBIALL();
    expect("1 GiB block", read32(PLAYGROUND + 0x80000000u), read32(PLAYGROUND));
    write32(0xc4000004u, 0);
    expect_dabt("permission, level 1", 0xa0d, 0xc4000004u);
    l1[3] = normal(0x40000000, BLOCK | AP(1) | XN);
    TLBIALL();
    call(0xc4000000u);
    expect_pabt("XN, level 1", 0x20d, 0xc4000000u);
    l1[3] = 0x40000000 | BLOCK | SH | AP(1);
    TLBIALL();
    read32(0xc4000008u);
    expect_dabt("access flag, level 1", 0x209, 0xc4000008u);
    call(0xc4000008u);
    expect_pabt("access flag, level 1, fetch", 0x209, 0xc4000008u);
    l1[3] = 0;
    TLBIALL();
    expect_none("level 1");
}

static void test_external(void)
{
    l1[3] = normal(0x500000000ull, BLOCK | AP(1)); /* an address of more than 32 bits */
    TLBIALL();
    read32(0xc0000004u);
    expect_dabt("external abort beyond 4 GiB", 0x210, 0xc0000004u);
    l1[3] = NOWHERE | TABLE;
    TLBIALL();
    read32(0xc0000008u);
    expect_dabt("external abort, walk, level 2", 0x216, 0xc0000008u);
    call(0xc0000008u);
    expect_pabt("external abort, walk, level 2, fetch", 0x216, 0xc0000008u);
    l1[3] = 0;
    l2[0] = NOWHERE | TABLE;
    TLBIALL();
    write32(TEST_VA + 12, 0);
    expect_dabt("external abort, walk, level 3", 0xa17, TEST_VA + 12);
    l2[0] = normal(NOWHERE & ~0x1fffffu, BLOCK | AP(1) | ATTR(1));
    TLBIALL();
    read32(TEST_VA + (NOWHERE & 0x1fffff) + 0x100);
    expect_dabt("external abort", 0x210, TEST_VA + (NOWHERE & 0x1fffff) + 0x100);
    MCRR(1, c2, (uint64_t)NOWHERE);
    MCR(0, c2, c0, 2, 1u << 31 | 1u << 16);
    TLBIALL();
    read32(TEST_VA);
    expect_dabt("external abort, walk, level 1", 0x215, TEST_VA);
    MCR(0, c2, c0, 2, 1u << 31);
    MCRR(1, c2, 0ull);
    TLBIALL();
    expect_none("external aborts");
}

static void test_writable_execute_never(void)
{
    static const struct {
        uint32_t set;
        uint8_t ap; /* AP[2:1] */
        bool privileged, user;
    } cases[] = {
        {0, 1, true, true},           {SCTLR_UWXN, 1, false, true}, {SCTLR_UWXN, 0, true, false}, {SCTLR_UWXN, 3, true, true},
        {SCTLR_WXN, 1, false, false}, {SCTLR_WXN, 0, false, false}, {SCTLR_WXN, 2, true, false},  {SCTLR_WXN, 3, true, true},
    };
    extern char __text_end[];
    uint32_t wrong = 0;
    write32(PLAYGROUND, 0xe3a0002a); /* mov r0, #42; bx lr */
    write32(PLAYGROUND + 4, 0xe12fff1e);
    ICIALLU();
    /* the guest's own code is read-only now: RAM by 2 MiB blocks, 0x40200000 by pages */
    for (unsigned i = 0; i < 512; i++)
        l2_other[i] = normal(0x40000000u + ((uint64_t)i << 21), BLOCK | AP(1));
    l2_other[1] = table(l3_other, 0);
    for (unsigned i = 0; i < 512; i++) {
        uint32_t at = 0x40200000u + (i << 12);
        l3_other[i] = normal(at, PAGE | AP(at < (uint32_t)(uintptr_t)__text_end ? 3 : 1));
    }
    l1[1] = table(l2_other, 0);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        map_page(AP(cases[i].ap), 0);
        sctlr_change(cases[i].set, SCTLR_WXN | SCTLR_UWXN);
        TLBIALL();
        print_hex("SCTLR.WXN, UWXN", cases[i].set);
        print_hex("  AP[2:1]", cases[i].ap);
        last.count = 0;
        call(TEST_VA);
        expect("  executable", !last.count, cases[i].privileged);
        wrong += last.count && (last.ifsr != 0x20f || last.ifar != TEST_VA);
        last.count = 0;
        in_user(call, TEST_VA);
        expect("  executable by user mode", !last.count, cases[i].user);
        wrong += last.count && (last.ifsr != 0x20f || last.ifar != TEST_VA);
        last.count = 0;
    }
    expect("IFSR, IFAR", wrong, 0);
    sctlr_change(0, SCTLR_WXN | SCTLR_UWXN);
    l1[1] = normal(0x40000000, BLOCK | AP(1));
    for (unsigned i = 0; i < 512; i++)
        l2_other[i] = l3_other[i] = 0;
    TLBIALL();
    expect_none("WXN, UWXN");
}

static void test_execute_never(void)
{
    write32(PLAYGROUND, 0xe3a0002a); /* mov r0, #42; bx lr */
    write32(PLAYGROUND + 4, 0xe12fff1e);
    ICIALLU();
    map_block(AP(1));
    expect("block", call(TEST_VA), 42);
    map_block(AP(1) | XN);
    call(TEST_VA);
    expect_pabt("XN block", 0x20e, TEST_VA);
    map_block(AP(1) | PXN);
    call(TEST_VA);
    expect_pabt("PXN block", 0x20e, TEST_VA);
    expect("PXN block, user", in_user(call, TEST_VA), 42);
    map_page(AP(1) | XN, 0);
    call(TEST_VA);
    expect_pabt("XN page", 0x20f, TEST_VA);
    map_page(AP(1), T_XN);
    call(TEST_VA);
    expect_pabt("XN table", 0x20f, TEST_VA);
    map_page(AP(1), T_PXN);
    call(TEST_VA);
    expect_pabt("PXN table", 0x20f, TEST_VA);
    expect("PXN table, user", in_user(call, TEST_VA), 42);
    map_page(AP(3), 0);
    expect("read-only page", call(TEST_VA), 42);
    expect_none("executions");
}

static void test_bases(void)
{
    write32(PLAYGROUND, 0x1001);
    write32(PLAYGROUND + 0x1000, 0x2002);
    /* ASIDs in TTBR0: the same address, two spaces */
    for (unsigned i = 0; i < 4; i++)
        l1_other[i] = l1[i];
    l1_other[2] = table(l2_other, 0);
    l2_other[0] = table(l3_other, 0);
    map_page(AP(1) | NG, 0);
    l3_other[0] = normal(PLAYGROUND + 0x1000, PAGE | AP(1) | NG);
    uint32_t a = 0, b = 0;
    for (unsigned i = 0; i < 8; i++) {
        MCRR(0, c2, (uint64_t)1 << 48 | (uint32_t)(uintptr_t)l1);
        ISB();
        a += read32(TEST_VA);
        MCRR(0, c2, (uint64_t)2 << 48 | (uint32_t)(uintptr_t)l1_other);
        ISB();
        b += read32(TEST_VA);
    }
    expect("ASID 1", a, 8 * 0x1001);
    expect("ASID 2", b, 8 * 0x2002);
    l3_other[0] = normal(PLAYGROUND, PAGE | AP(1) | NG);
    TLBIASID(2);
    expect("TLBIASID", read32(TEST_VA), 0x1001);
    MCRR(0, c2, (uint32_t)(uintptr_t)l1);
    TLBIALL();

    /* TTBCR.A1: the ASID is that in TTBR1 */
    l3_other[0] = normal(PLAYGROUND + 0x1000, PAGE | AP(1) | NG);
    TLBIALL();
    MCR(0, c2, c0, 2, 1u << 31 | 1u << 22);
    a = b = 0;
    for (unsigned i = 0; i < 8; i++) {
        MCRR(1, c2, (uint64_t)3 << 48); /* reserved, while the tables change */
        ISB();
        MCRR(0, c2, (uint32_t)(uintptr_t)l1);
        MCRR(1, c2, (uint64_t)1 << 48);
        ISB();
        a += read32(TEST_VA);
        MCRR(1, c2, (uint64_t)3 << 48);
        ISB();
        MCRR(0, c2, (uint32_t)(uintptr_t)l1_other);
        MCRR(1, c2, (uint64_t)2 << 48);
        ISB();
        b += read32(TEST_VA);
    }
    expect("TTBCR.A1: ASID 1", a, 8 * 0x1001);
    expect("TTBCR.A1: ASID 2", b, 8 * 0x2002);
    l3_other[0] = normal(PLAYGROUND, PAGE | AP(1) | NG);
    TLBIASID(2);
    expect("TLBIASID", read32(TEST_VA), 0x1001);
    MCRR(1, c2, 0ull);
    MCRR(0, c2, (uint32_t)(uintptr_t)l1);
    MCR(0, c2, c0, 2, 1u << 31);
    TLBIALL();

    /* T1SZ = 1: the upper half by TTBR1, one 2-entry table of 1 GiB entries */
    static uint64_t upper[2] __attribute__((aligned(16)));
    upper[0] = table(l2, 0);
    upper[1] = normal(0x40000000, BLOCK | AP(1)); /* 0xc0000000 shows RAM */
    map_page(AP(1), 0);
    MCRR(1, c2, (uint32_t)(uintptr_t)upper);
    MCR(0, c2, c0, 2, 1u << 31 | 1u << 16);
    TLBIALL();
    expect("TTBR1, pages", read32(TEST_VA), 0x1001);
    expect("TTBR1, block", read32(PLAYGROUND + 0x80001000u), 0x2002);
    expect("TTBR0", read32(PLAYGROUND + 0x1000), 0x2002);
    MCR(0, c2, c0, 2, 1u << 31 | 1u << 16 | 1u << 23); /* EPD1 */
    TLBIALL();
    read32(TEST_VA);
    expect_dabt("EPD1", 0x205, TEST_VA);
    /* T0SZ = 1, T1SZ = 2: 0x80000000..0xbfffffff belongs to neither */
    MCR(0, c2, c0, 2, 1u << 31 | 2u << 16 | 1u);
    MCRR(1, c2, (uint32_t)(uintptr_t)l2);
    l2[1] = normal(PLAYGROUND, BLOCK | AP(1));
    TLBIALL();
    read32(0x80000000u);
    expect_dabt("between the two", 0x205, 0x80000000u);
    expect("TTBR1 beginning at level 2", read32(0xc0200000u), 0x1001);
    MCR(0, c2, c0, 2, 1u << 31);
    TLBIALL();
    expect_none("bases");
}

static uint64_t translate(unsigned kind, uint32_t va)
{
    MCRR(0, c7, 0x5a5a5a5a5a5a5a5aull);
    if (kind == 0)
        MCR(0, c7, c8, 0, va);
    else if (kind == 1)
        MCR(0, c7, c8, 1, va);
    else if (kind == 2)
        MCR(0, c7, c8, 2, va);
    else
        MCR(0, c7, c8, 3, va);
    ISB();
    return MRRC(0, c7);
}

static void test_par(void)
{
    static const char *const names[] = {"ATS1CPR", "ATS1CPW", "ATS1CUR", "ATS1CUW"};
    static const uint8_t allowed[] = {0x3, 0xf, 0x1, 0x5}; /* by AP[2:1]: privileged read, write, user read, write */
    for (unsigned ap = 0; ap < 4; ap++) {
        print_hex("AP[2:1]", ap);
        for (unsigned kind = 0; kind < 4; kind++) {
            bool ok = allowed[ap] >> kind & 1;
            map_page(AP(ap), 0);
            uint64_t par = translate(kind, TEST_VA + 0x123);
            print(names[kind]);
            expect(" of a page", (uint32_t)par & (ok ? 0xfffff001u : 0x7f), ok ? PLAYGROUND : 0x0f << 1 | 1);
            expect("  attributes", (uint32_t)(par >> 32), ok ? 0xff000000u : 0);
            expect("  shareability, long format", (uint32_t)par & 0x980, ok ? 0x980 : 0x800);
            map_block(AP(ap));
            par = translate(kind, TEST_VA + 0x123456);
            expect("  of a block", (uint32_t)par & (ok ? 0xfffff001u : 0x7f), ok ? PLAYGROUND + 0x123000 : 0x0e << 1 | 1);
        }
    }
    l1[3] = normal(0x5c0000000ull, BLOCK | AP(1));
    TLBIALL();
    uint64_t par = translate(0, 0xc1234567u);
    expect("beyond 4 GiB", (uint32_t)(par >> 32), 0xff000005u);
    expect("  low half", (uint32_t)par & 0xfffff001u, 0xc1234000u);
    l1[3] = 0x40000000 | BLOCK | AF | AP(1) | ATTR(1);
    TLBIALL();
    par = translate(0, 0xc1234567u);
    expect("Device: attributes", (uint32_t)(par >> 32), 0x04000000);
    expect_not_qemu("  shareability", (uint32_t)par & 0x180, 0x100, 0);
    l1[3] = 0;
    TLBIALL();
    expect("no translation, level 1", (uint32_t)translate(0, 0xc1234567u) & 0x7f, 0x05 << 1 | 1);
    l2[0] = 0;
    TLBIALL();
    expect("level 2", (uint32_t)translate(1, TEST_VA) & 0x7f, 0x06 << 1 | 1);
    l2[0] = table(l3, 0);
    l3[0] = 0;
    TLBIALL();
    expect("level 3", (uint32_t)translate(3, TEST_VA) & 0x7f, 0x07 << 1 | 1);
    l3[0] = PLAYGROUND | PAGE | SH | AP(1);
    TLBIALL();
    expect("access flag", (uint32_t)translate(2, TEST_VA) & 0x7f, 0x0b << 1 | 1);
    MCRR(0, c7, 0x123456789abcdef0ull);
    par = MRRC(0, c7);
    print_hex("PAR is a register", (uint32_t)par);
    expect_none("address translation");
}

static void test_maintenance(void)
{
    uint32_t wrong = 0;
    write32(PLAYGROUND + 0x200000, 0x4004);
    write32(PLAYGROUND + 0x300000, 0x5005);
    write32(PLAYGROUND, 0x1001);
    write32(PLAYGROUND + 0x100000, 0x3003);
    for (unsigned i = 0; i < 10; i++) { /* 2 MiB blocks, by an address in them */
        l2[0] = normal(PLAYGROUND + (i & 1) * 0x200000, BLOCK | AP(1));
        TLBIMVA(TEST_VA + 0x7000);
        wrong += read32(TEST_VA) != (i & 1 ? 0x4004 : 0x1001);
        wrong += read32(TEST_VA + 0x100000) != (i & 1 ? 0x5005 : 0x3003);
    }
    expect("2 MiB blocks changed", wrong, 0);
    l2[0] = 0;
    TLBIMVA(TEST_VA);
    read32(TEST_VA + 0x100000);
    expect_dabt("2 MiB block gone", 0x206, TEST_VA + 0x100000);
    /* sixteen pages that may be one contiguous entry */
    for (unsigned i = 0; i < 16; i++)
        l3[i] = normal(PLAYGROUND + i * 4096, PAGE | AP(1) | 1ull << 52);
    l2[0] = table(l3, 0);
    TLBIALL();
    expect("contiguous pages", read32(TEST_VA), 0x1001);
    expect_none("maintenance");
}

void guest_main(void)
{
    mmu_on_long();
    test_permissions();
    test_faults();
    test_level_1();
    test_external();
    test_execute_never();
    test_writable_execute_never();
    test_bases();
    test_par();
    test_maintenance();
}
