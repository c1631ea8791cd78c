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

/* How the guest may say that one page has changed. */
static void maintain(unsigned how, uint32_t va)
{
    uint32_t asid = MRC(0, c13, c0, 1) & 0xff;
    DSB();
    switch (how) {
    case 0:
        MCR(0, c8, c7, 1, va | asid); /* TLBIMVA */
        break;
    case 1:
        MCR(0, c8, c7, 3, va); /* TLBIMVAA */
        break;
    case 2:
        MCR(0, c8, c7, 2, asid); /* TLBIASID */
        break;
    case 3:
        MCR(0, c8, c7, 0, 0); /* TLBIALL */
        break;
    case 4:
        MCR(0, c8, c3, 1, va | asid); /* TLBIMVAIS */
        break;
    case 5:
        MCR(0, c8, c3, 3, va); /* TLBIMVAAIS */
        break;
    case 6:
        MCR(0, c8, c3, 2, asid); /* TLBIASIDIS */
        break;
    case 7:
        MCR(0, c8, c3, 0, 0); /* TLBIALLIS */
        break;
    case 8: /* both halves */
        MCR(0, c8, c5, 1, va | asid);
        MCR(0, c8, c6, 1, va | asid);
        break;
    case 9:
        MCR(0, c8, c5, 2, asid);
        MCR(0, c8, c6, 2, asid);
        break;
    case 10:
        MCR(0, c8, c5, 0, 0);
        MCR(0, c8, c6, 0, 0);
        break;
    }
    MCR(0, c7, c5, 6, 0);
    DSB();
    ISB();
}
#define MAINTENANCE 11u

static bool by_asid(unsigned how) /* global entries stay */
{
    return how == 2 || how == 6 || how == 9;
}

/* Code that runs from one page into another: by a branch, by falling through, and by a T32 instruction of which each page holds a half. */
static void test_linked_pages(void)
{
    enum { BRANCHING, FALLING, HALF };
    for (unsigned n = 0; n < 8; n++) {
        uint32_t at = page(0xc0 + n);
        REG32(at) = 0xe3000000 | n;             /* movw r0, #n */
        REG32(at + 4) = 0xe12fff1e;             /* bx lr */
        REG32(page(0xd0 + n)) = n | 0x47700000; /* second half: #n; bx lr */
    }
    REG32(page(0xe0)) = 0xea0003fe;         /* b to the next page */
    REG32(page(0xe0) + 0xff8) = 0xe1a00000; /* nop, nop */
    REG32(page(0xe0) + 0xffc) = 0xe1a00000;
    REG32(page(0xe1) + 0xffc) = 0xf04fbf00; /* nop; mov.w r0, ... */
    ICIALLU();
    SET_ASID(1);
    for (unsigned how = 0; how < MAINTENANCE; how++) {
        uint32_t wrong = 0;
        for (unsigned i = 0; i < 24; i++) {
            unsigned kind = i % 3, n = (i * 5 + how) & 7;
            map(l2_table, 8 + 2 * kind, kind == HALF ? 0xe1 : 0xe0, PAGE_NG);
            map(l2_table, 9 + 2 * kind, (kind == HALF ? 0xd0 : 0xc0) + n, PAGE_NG);
            maintain(how, TEST_VA + 0x8000 + 0x2000 * kind);
            maintain(how, TEST_VA + 0x9000 + 0x2000 * kind);
            uint32_t entry = TEST_VA + 0x8000 + 0x2000 * kind + (kind == BRANCHING ? 0 : kind == FALLING ? 0xff8 : 0xffd);
            for (unsigned k = 0; k < 3; k++)
                wrong += call(entry) != n;
            /* now only the second page */
            n = (n + 1) & 7;
            map(l2_table, 9 + 2 * kind, (kind == HALF ? 0xd0 : 0xc0) + n, PAGE_NG);
            maintain(how, TEST_VA + 0x9000 + 0x2000 * kind);
            wrong += call(entry) != n;
            /* and gone: the fetch of it aborts */
            l2_table[9 + 2 * kind] = 0;
            maintain(how, TEST_VA + 0x9000 + 0x2000 * kind);
            last.count = 0;
            call(entry);
            wrong += last.count != 1 || last.vector != VEC_PABT || last.ifar != TEST_VA + 0x9000 + 0x2000 * kind;
        }
        print_hex("linked pages, maintenance", how);
        expect("  wrong", wrong, 0);
    }
    last.count = 0;
    for (unsigned i = 0; i < 16; i++)
        l2_table[i] = 0;
    SET_ASID(0);
    TLBIALL();
}

/* Every kind of entry is gone, then made anew (break before make); between the two nothing may be there. */
/* A page that is mapped, written through and unmapped time and again, as by a kernel that patches its text through an alias. */
#define ALIAS_INDEX 7u
static void test_short_lived(void)
{
    const uint32_t alias = TEST_VA + ALIAS_INDEX * 4096;
    unsigned wrong = 0, quiet = 0;
    for (unsigned round = 0; round < 100; round++) {
        unsigned n = 1 + round % 3;
        map(l2_table, ALIAS_INDEX, n, 0);
        TLBIMVA(alias);
        write32(alias + 16, 1000 + round);
        wrong += read32(alias + 16) != 1000 + round || REG32(page(n) + 16) != 1000 + round;
        if (round % 10 == 0) { /* code, through another address */
            write32(alias + 4, 0xe3000000 | round);
            ICIALLU();
            wrong += call(page(n) + 4) != round;
        }
        if (round % 10 == 7) { /* across the end of the page */
            map(l2_table, ALIAS_INDEX + 1, 9, 0);
            TLBIMVA(alias + 4096);
            write32(alias + 4094, 0x12340000 | round);
            wrong += (REG32(page(n) + 4092) >> 16 | REG32(page(9)) << 16) != (0x12340000 | round);
            l2_table[ALIAS_INDEX + 1] = 0;
            TLBIMVA(alias + 4096);
        }
        if (round % 10 == 5) /* a loop */
            for (unsigned at = 32; at < 4096; at += 4)
                REG32(alias + at) = at;
        l2_table[ALIAS_INDEX] = 0;
        TLBIMVA(alias);
        if (round % 7 == 0) {
            last.count = 0;
            write32(alias + 16, 0);
            quiet += last.count != 1;
            wrong += REG32(page(n) + 16) != 1000 + round;
        }
    }
    for (unsigned round = 0; round < 200; round++) { /* no maintenance for what was not there: every access finds the page missing */
        unsigned n = 1 + round % 3, status, old;
        map(l2_table, ALIAS_INDEX, n, 0);
        DSB();
        if (round < 100)
            write32(alias + 16, round);
        else
            do
                __asm__ volatile("ldrex %0, [%2]\n\tstrex %1, %3, [%2]" : "=&r"(old), "=&r"(status) : "r"(alias + 16), "r"(round) : "memory");
            while (status);
        wrong += REG32(page(n) + 16) != round;
        l2_table[ALIAS_INDEX] = 0;
        TLBIMVA(alias);
    }
    last.count = 0;
    expect("short-lived mappings, what was written", wrong, 0);
    expect("short-lived mappings, aborts", quiet, 0);
    fill_pages();
}

static void test_break_before_make(void)
{
    uint32_t wrong = 0;
    for (unsigned how = 0; how < MAINTENANCE; how++) {
        for (unsigned i = 0; i < 6; i++) {
            unsigned n = how * 6 + i;
            l2_table[3] = 0;
            maintain(how, TEST_VA + 0x3000);
            last.count = 0;
            read32(TEST_VA + 0x3000);
            write32(TEST_VA + 0x3000, 1);
            wrong += last.count != 2;
            map(l2_table, 3, n, i & 1 || by_asid(how) ? PAGE_NG : 0);
            DSB(); /* no maintenance: nothing is kept of what was not there */
            ISB();
            wrong += read32(TEST_VA + 0x3000) != n;
            wrong += call(TEST_VA + 0x3004) != n;
        }
    }
    last.count = 0;
    expect("break before make", wrong, 0);
    l2_table[3] = 0;
    TLBIALL();
}

/* Rights taken away and given, seen by both privileges, whoever has used the page before. */
static uint32_t user_store(uint32_t va)
{
    write32(va + 0x40, va);
    return 0;
}
static void test_rights(void)
{
    static const uint8_t aps[] = {3, 1, 2, 3, 7, 5, 0, 3, 5, 3, 0, 2, 7, 1};
    static const uint8_t want[8] = {0, 0x03, 0x17, 0x3f, 0, 0x01, 0x15, 0x15};
    uint32_t wrong = 0;
    for (unsigned how = 0; how < MAINTENANCE; how++) {
        for (unsigned i = 0; i < sizeof(aps); i++) {
            if (i == 0) { /* from the other kind of entry by maintenance that covers both */
                l2_table[4] = 0;
                maintain(3, 0);
            }
            l2_table[4] = SMALL(page(4), aps[i], SMALL_NORMAL | (i & 1 || by_asid(how) ? PAGE_NG : 0));
            maintain(how, TEST_VA + 0x4000);
            wrong += rights(TEST_VA + 0x4040) != want[aps[i]];
        }
    }
    expect("rights changed", wrong, 0);
    /* Lazily: the entry allows writing, with no maintenance yet; the abort that may still come is served by maintenance. */
    uint32_t lost = 0;
    for (unsigned i = 0; i < 50; i++) {
        l2_table[4] = SMALL(page(4), 2 + 5 * (i & 1), SMALL_NORMAL); /* read-only for user mode */
        TLBIMVA(TEST_VA + 0x4000);
        in_user(user_read, TEST_VA + 0x4000);
        l2_table[4] = SMALL(page(4), 3, SMALL_NORMAL);
        DSB();
        last.count = 0;
        REG32(page(4) + 0x40) = 0;
        in_user(user_store, TEST_VA + 0x4000);
        if (last.count) {
            TLBIMVA(TEST_VA + 0x4000);
            in_user(user_store, TEST_VA + 0x4000);
            lost += last.count > 1;
        }
        lost += REG32(page(4) + 0x40) != TEST_VA + 0x4000;
    }
    expect("made writable lazily", lost, 0);
    last.count = 0;
    l2_table[4] = 0;
    TLBIALL();
}

/* Large pages and supersections go by any address in them, and by any of their entries. */
static void test_large(void)
{
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 16; k++)
            REG32(PLAYGROUND + 0x800000 + i * 0x10000 + k * 0x1000) = i * 16 + k;
    for (unsigned i = 0; i < 32; i++) {
        unsigned n = i * 3 & 7;
        for (unsigned k = 0; k < 16; k++)
            l2_table[16 + k] = LARGE(PLAYGROUND + 0x800000 + n * 0x10000, 3, LARGE_NORMAL);
        maintain(i % MAINTENANCE, TEST_VA + 0x10000 + (i * 7 & 15) * 0x1000);
        for (unsigned k = 0; k < 16; k++)
            wrong += read32(TEST_VA + 0x10000 + k * 0x1000) != n * 16 + k;
    }
    expect("large pages", wrong, 0);
    for (unsigned k = 0; k < 16; k++)
        l2_table[16 + k] = 0;
    TLBIALL();
    wrong = 0;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 16; k++)
            REG32(PLAYGROUND + 0x2000000 * (i & 1) + k * 0x100000 + 0x40000) = (i & 1) * 16 + k;
    for (unsigned i = 0; i < 22; i++) {
        for (unsigned k = 0; k < 16; k++)
            l1_table[(TEST_VA >> 20) + 16 + k] = (PLAYGROUND + 0x2000000 * (i & 1)) | 2 | 1u << 18 | 3u << 10 | SECTION_NORMAL;
        maintain(i % MAINTENANCE, TEST_VA + 0x1000000 + (i * 7 & 15) * 0x100000 + 0x5000);
        for (unsigned k = 0; k < 16; k++)
            wrong += read32(TEST_VA + 0x1000000 + k * 0x100000 + 0x40000) != (i & 1) * 16 + k;
    }
    expect("supersections", wrong, 0);
    for (unsigned k = 0; k < 16; k++)
        l1_table[(TEST_VA >> 20) + 16 + k] = 0;
    TLBIALL();
    expect_none("large");
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
    test_linked_pages();
    test_break_before_make();
    test_short_lived();
    test_rights();
    test_large();
}
