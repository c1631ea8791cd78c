/* TLB maintenance: what changes in the tables must be seen after it, by address, by ASID, and altogether; ASIDs and global entries. */
#include "guest.h"

static uint32_t l2_table[256] __attribute__((aligned(1024))), l2_other[256] __attribute__((aligned(1024)));
static uint32_t l1_other[4096] __attribute__((aligned(16384)));

#define TEST_VA 0x80000000u

/* Page n of the playground begins with a number of its own and a function that returns it. */
static uint32_t page(unsigned n)
{
    return PLAYGROUND + n * 4096;
}

static void fill_pages(void)
{
    for (unsigned n = 0; n < 256; n++) {
        REG32(page(n)) = n;
        REG32(page(n) + 4) = 0xe3000000 | (n & 0xf000) << 4 | (n & 0xfff); /* movw r0, #n */
        REG32(page(n) + 8) = 0xe12fff1e;                                   /* bx lr */
    }
    ICIALLU();
}

static void map(uint32_t *l2, unsigned index, unsigned n, uint32_t extra)
{
    l2[index] = SMALL(page(n), 3, SMALL_NORMAL | extra);
}

static void test_by_address(void)
{
    map(l2_table, 0, 1, 0);
    expect("not present to present needs no maintenance", read32(TEST_VA), 1);
    expect("run", call(TEST_VA + 4), 1);
    map(l2_table, 0, 2, 0);
    TLBIMVA(TEST_VA);
    expect("TLBIMVA, data", read32(TEST_VA), 2);
    MCR(0, c7, c5, 6, 0);
    ISB();
    expect("TLBIMVA, run", call(TEST_VA + 4), 2);
    map(l2_table, 0, 1, 0);
    TLBIMVAA(TEST_VA);
    expect("TLBIMVAA, data", read32(TEST_VA), 1);
    expect("TLBIMVAA, run", call(TEST_VA + 4), 1);
    l2_table[0] = SMALL(page(1), 7, SMALL_NORMAL);
    TLBIMVA(TEST_VA);
    write32(TEST_VA + 16, 1);
    expect_dabt("made read-only", 0x80f, TEST_VA + 16);
    expect("still readable", read32(TEST_VA), 1);
    l2_table[0] = SMALL(page(1), 3, SMALL_NORMAL);
    TLBIMVA(TEST_VA);
    write32(TEST_VA + 16, 99);
    expect("made writable", read32(TEST_VA + 16), 99);
    l2_table[0] = 0;
    TLBIMVA(TEST_VA);
    read32(TEST_VA);
    expect_dabt("unmapped", 0x007, TEST_VA);
    call(TEST_VA + 4);
    expect_pabt("unmapped, run", 0x007, TEST_VA + 4);
    map(l2_table, 0, 3, 0);
    expect("mapped again", read32(TEST_VA), 3);
    expect("mapped again, run", call(TEST_VA + 4), 3);
    l2_table[0] = SMALL(page(3), 3, SMALL_NORMAL | SMALL_XN);
    TLBIMVA(TEST_VA);
    call(TEST_VA + 4);
    expect_pabt("made XN", 0x00f, TEST_VA + 4);
    l2_table[0] = 0;
    TLBIMVA(TEST_VA);
    expect_none("by address");
}

static void test_sections(void)
{
    REG32(PLAYGROUND + 0x200000) = 0x200;
    REG32(PLAYGROUND + 0x300000) = 0x300;
    REG32(PLAYGROUND + 0x2ff000) = 0x2ff;
    REG32(PLAYGROUND + 0x3ff000) = 0x3ff;
    uint32_t was = l1_table[TEST_VA >> 20];
    l1_table[TEST_VA >> 20] = SECTION(PLAYGROUND + 0x200000, 3, 0, SECTION_NORMAL);
    TLBIALL();
    expect("section", read32(TEST_VA) + read32(TEST_VA + 0xff000), 0x200 + 0x2ff);
    l1_table[TEST_VA >> 20] = SECTION(PLAYGROUND + 0x300000, 3, 0, SECTION_NORMAL);
    TLBIMVA(TEST_VA + 0x55000); /* any address in it */
    expect("section changed", read32(TEST_VA) + read32(TEST_VA + 0xff000), 0x300 + 0x3ff);
    l1_table[TEST_VA >> 20] = was;
    map(l2_table, 0, 7, 0);
    TLBIMVA(TEST_VA);
    expect("section to pages", read32(TEST_VA), 7);
    read32(TEST_VA + 0xff000);
    expect_dabt("beyond the pages", 0x007, TEST_VA + 0xff000);
    l2_table[0] = 0;
    TLBIALL();
}

static void test_all(void)
{
    uint32_t wrong = 0;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 64; i++)
            map(l2_table, i, (i * 3 + round * 17) & 255, round & 1 ? PAGE_NG : 0);
        if (round & 1)
            DSB();
        TLBIALL();
        for (unsigned i = 0; i < 64; i++) {
            wrong += read32(TEST_VA + i * 4096) != ((i * 3 + round * 17) & 255);
            wrong += call(TEST_VA + i * 4096 + 4) != ((i * 3 + round * 17) & 255);
        }
    }
    expect("TLBIALL, 64 pages, four times", wrong, 0);
    for (unsigned i = 0; i < 64; i += 2)
        l2_table[i] = 0;
    TLBIALL();
    wrong = 0;
    for (unsigned i = 0; i < 64; i++) {
        last.count = 0;
        read32(TEST_VA + i * 4096);
        wrong += last.count != !(i & 1);
    }
    last.count = 0;
    expect("TLBIALL, half of them unmapped", wrong, 0);
    for (unsigned i = 0; i < 64; i++)
        l2_table[i] = 0;
    MCR(0, c8, c5, 0, 0); /* the separate forms */
    MCR(0, c8, c6, 0, 0);
    TLBIALL();
}

static void switch_to(uint32_t *l1, unsigned asid)
{
    /* as Linux does: through a reserved ASID */
    SET_ASID(0);
    MCR(0, c2, c0, 0, (uint32_t)(uintptr_t)l1);
    ISB();
    SET_ASID(asid);
}

static void test_asids(void)
{
    for (unsigned i = 0; i < 4096; i++)
        l1_other[i] = l1_table[i];
    l1_other[TEST_VA >> 20] = (uint32_t)(uintptr_t)l2_other | 1;
    map(l2_table, 0, 10, PAGE_NG);
    map(l2_other, 0, 20, PAGE_NG);
    map(l2_table, 1, 30, 0); /* global */
    map(l2_other, 1, 30, 0);
    TLBIALL();
    uint32_t a = 0, b = 0;
    for (unsigned i = 0; i < 10; i++) {
        switch_to(l1_table, 1);
        a += read32(TEST_VA) + call(TEST_VA + 4) + read32(TEST_VA + 0x1000);
        switch_to(l1_other, 2);
        b += read32(TEST_VA) + call(TEST_VA + 4) + read32(TEST_VA + 0x1000);
    }
    expect("ASID 1", a, 10 * (10 + 10 + 30));
    expect("ASID 2", b, 10 * (20 + 20 + 30));
    expect_none("switches");

    /* in ASID 2: change both, maintain only ASID 1, then the other one */
    map(l2_table, 0, 11, PAGE_NG);
    TLBIASID(1);
    expect("ASID 2 keeps its page", read32(TEST_VA), 20);
    map(l2_other, 0, 21, PAGE_NG);
    TLBIASID(2);
    expect("TLBIASID of the current one", read32(TEST_VA), 21);
    expect("  run", call(TEST_VA + 4), 21);
    switch_to(l1_table, 1);
    expect("TLBIASID of another one", read32(TEST_VA), 11);
    expect("  run", call(TEST_VA + 4), 11);
    map(l2_other, 0, 22, PAGE_NG);
    TLBIMVA(TEST_VA | 2);
    switch_to(l1_other, 2);
    expect("TLBIMVA of another ASID", read32(TEST_VA), 22);
    map(l2_table, 0, 12, PAGE_NG);
    map(l2_other, 0, 23, PAGE_NG);
    TLBIMVAA(TEST_VA);
    expect("TLBIMVAA here", read32(TEST_VA), 23);
    switch_to(l1_table, 1);
    expect("TLBIMVAA in the other", read32(TEST_VA), 12);
    map(l2_table, 1, 31, 0);
    map(l2_other, 1, 31, 0);
    TLBIMVA((TEST_VA + 0x1000) | 1); /* a global entry goes whatever the ASID */
    switch_to(l1_other, 2);
    expect("TLBIMVA of a global page", read32(TEST_VA + 0x1000), 31);
    /* the ASID is used for another address space after its maintenance, as when a kernel rolls over */
    switch_to(l1_table, 2);
    TLBIASID(2);
    expect("ASID 2 with the other tables", read32(TEST_VA), 12);
    switch_to(l1_table, 0);
    TLBIALL();
    expect_none("ASIDs");
}

/* Many address spaces in turn: more than a machine may keep. */
static void test_many_spaces(void)
{
    uint32_t wrong = 0;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned asid = 1; asid < 150; asid++) {
            map(l2_table, 0, asid, PAGE_NG);
            SET_ASID(asid);
            TLBIASID(asid);
            wrong += read32(TEST_VA) != asid;
            wrong += call(TEST_VA + 4) != asid;
        }
    SET_ASID(0);
    expect("150 ASIDs", wrong, 0);
    expect_none("150 ASIDs");
}

void guest_main(void)
{
    mmu_on_short();
    fill_pages();
    l1_table[TEST_VA >> 20] = (uint32_t)(uintptr_t)l2_table | 1;
    TLBIALL();
    test_by_address();
    test_sections();
    test_all();
    test_asids();
    test_many_spaces();
}
