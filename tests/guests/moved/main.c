/*
 * Code that is mapped at many addresses, as shared libraries are: all that depends on where it runs must be right everywhere, also when the
 * page behind it is another one there, when the code changes, and in exceptions.
 */
#include "guest.h"

extern uint8_t moved_code[], moved_cross[], moved_load[], moved_svc[], moved_here[], moved_second[], moved_step[], moved_literal[],
    moved_straddles[];

#define FIRST      ((uint32_t)(uintptr_t)moved_code)
#define OFFSET(x)  ((uint32_t)(uintptr_t)(x)-FIRST)
#define SECOND     (FIRST + 4096)
#define OTHER      PLAYGROUND /* the second page with another literal and another half of the instruction that straddles */
#define REGION     0x80000000u
#define UNMAPPED   0x80f00000u
#define OTHER_ADDS 0x30000u
#define OTHER_MOVW 0x65u

static uint32_t l2_table[256] __attribute__((aligned(1024)));
static const uint8_t places[] = {3, 8, 40, 77, 130, 254};

typedef uint32_t user_fn(uint32_t);

static user_fn *at(uint32_t va, const uint8_t *what)
{
    return (user_fn *)(uintptr_t)(va + OFFSET(what));
}

static uint32_t place(unsigned i)
{
    return REGION + places[i] * 4096;
}

static uint32_t probe_gives(uint32_t va, uint32_t n)
{
    return n + va + 0x1000 + (va + OFFSET(moved_second) + 0x20000) + 50 * 2 + 0x300000 + (va + 4094 + 0x1234);
}

static void map(uint32_t va, uint32_t first, uint32_t second)
{
    l2_table[va >> 12 & 255] = first ? SMALL(first, 3, SMALL_NORMAL | PAGE_NG) : 0;
    l2_table[(va >> 12 & 255) + 1] = second ? SMALL(second, 3, SMALL_NORMAL | PAGE_NG) : 0;
    DSB();
    MCR(0, c8, c7, 3, va);
    TLBIMVAA(va + 4096);
}

static void make_other_page(void)
{
    for (unsigned k = 0; k < 4096; k += 4)
        REG32(OTHER + k) = REG32(SECOND + k);
    REG32(OTHER + OFFSET(moved_literal) - 4096) += OTHER_ADDS;
    REG32(OTHER) += OTHER_MOVW; /* the low byte of its immediate */
    ICIALLU();
}

static void test_places(void)
{
    uint32_t wrong = 0;

    expect("where it was linked", in_user(at(FIRST, moved_code), 5), probe_gives(FIRST, 5));
    for (unsigned i = 0; i < sizeof(places); i++)
        map(place(i), FIRST, SECOND);
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < sizeof(places); i++)
            wrong += in_user(at(place(i), moved_code), round) != probe_gives(place(i), round);
    expect("six places, five times", wrong, 0);
    expect("privileged", at(place(2), moved_code)(7), probe_gives(place(2), 7));
    expect_none("places");
}

static void test_other_page(void)
{
    uint32_t wrong = 0, more = OTHER_ADDS + OTHER_MOVW;

    for (unsigned i = 0; i < sizeof(places); i += 2)
        map(place(i), FIRST, OTHER);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof(places); i++)
            wrong += in_user(at(place(i), moved_code), 0) != probe_gives(place(i), 0) + (i & 1 ? 0 : more);
    expect("another page behind every other place", wrong, 0);
    wrong = 0;
    for (unsigned round = 0; round < 6; round++) {
        map(place(1), FIRST, round & 1 ? OTHER : SECOND);
        wrong += in_user(at(place(1), moved_code), 0) != probe_gives(place(1), 0) + (round & 1 ? more : 0);
        wrong += in_user(at(place(1), moved_cross), 0) != place(1) + OFFSET(moved_second) + 0x20000 + (round & 1 ? OTHER_ADDS : 0);
    }
    expect("the page behind comes and goes", wrong, 0);
    map(place(3), FIRST, 0);
    in_user(at(place(3), moved_cross), 0);
    expect_pabt("no page behind", 0x007, place(3) + OFFSET(moved_second));
    in_user(at(place(3) + 1, moved_straddles), 0);
    expect_pabt("nor the second half of an instruction", 0x007, place(3) + 4096);
    map(place(3), FIRST, SECOND);
    expect("and one again", in_user(at(place(3), moved_cross), 0), place(3) + OFFSET(moved_second) + 0x20000);
    expect_none("other page");
}

static void test_exceptions(void)
{
    for (unsigned i = 0; i < sizeof(places); i++) {
        map(place(i), FIRST, SECOND);
        in_user(at(place(i), moved_load), UNMAPPED);
        expect("where it faults", last.lr - 8 - place(i), OFFSET(moved_load) + 4);
        expect_dabt("data abort", 0x005, UNMAPPED);
        expect("after a call to the supervisor", in_user(at(place(i), moved_svc), 0), place(i) + OFFSET(moved_here) + 8);
        expect("where that was", last.lr - place(i), OFFSET(moved_svc) + 8);
        expect_exception("call", VEC_SVC);
    }
}

static void test_change(void)
{
    uint32_t step = FIRST + OFFSET(moved_step), wrong = 0;

    for (unsigned round = 1; round < 4; round++) {
        REG32(step) += 1; /* 2, 3, 4, 5 in every round of the loop */
        ICIALLU();
        for (unsigned i = 0; i < sizeof(places); i++)
            wrong += in_user(at(place(i), moved_code), 0) != probe_gives(place(i), 0) + 50 * round;
    }
    REG32(step) -= 3;
    ICIALLU();
    expect("code changes for all places", wrong, 0);
    expect("and back", in_user(at(place(0), moved_code), 1), probe_gives(place(0), 1));
    expect_none("change");
}

void guest_main(void)
{
    mmu_on_short();
    l1_table[REGION >> 20] = (uint32_t)(uintptr_t)l2_table | 1;
    TLBIALL();
    make_other_page();
    test_places();
    test_other_page();
    test_exceptions();
    test_change();
}
