/* Code that changes: maintenance by line and of everything, through aliases, within the running page, next to data, and without
 * maintenance. */
#include "guest.h"

#define CODE    PLAYGROUND
#define ALIAS   0x80000000u
#define MOVW(n) (0xe3000000u | ((n)&0xf000u) << 4 | ((n)&0xfffu))
#define BX_LR   0xe12fff1eu

static void put(uint32_t at, uint32_t n)
{
    REG32(at) = MOVW(n);
    REG32(at + 4) = BX_LR;
}

static void clean(uint32_t va)
{
    DSB();
    MCR(0, c7, c11, 1, va); /* DCCMVAU */
    ICIMVAU(va);
    MCR(0, c7, c5, 6, 0);
    DSB();
    ISB();
}

static void test_maintenance(void)
{
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 300; i++) {
        put(CODE, i);
        if (i & 1)
            ICIALLU();
        else
            clean(CODE);
        wrong += call(CODE) != i;
        wrong += call(CODE) != i;
    }
    expect("300 versions", wrong, 0);

    wrong = 0;
    for (unsigned i = 0; i < 100; i++) { /* written through the alias, maintained where it runs */
        put(ALIAS + 0x100, i + 1000);
        clean(CODE + 0x100);
        wrong += call(CODE + 0x100) != i + 1000;
        wrong += call(ALIAS + 0x100) != i + 1000;
    }
    expect("100 versions by the alias", wrong, 0);

    wrong = 0; /* code next to busy data */
    put(CODE + 0x800, 7);
    REG32(CODE + 0x900) = 0;
    ICIALLU();
    for (unsigned i = 0; i < 2000; i++) {
        REG32(CODE + 0x900)++;
        wrong += call(CODE + 0x800) != 7;
    }
    expect("data beside code", wrong + REG32(CODE + 0x900), 2000);

    put(CODE + 0x1ffc - 4, 55); /* across pages */
    REG32(CODE + 0x1ffc) = MOVW(56);
    REG32(CODE + 0x2000) = BX_LR;
    ICIALLU();
    expect("across pages", call(CODE + 0x1ffc), 56);
    REG32(CODE + 0x2000) = 0xe2800001; /* add r0, r0, #1 */
    REG32(CODE + 0x2004) = BX_LR;
    clean(CODE + 0x2000);
    expect("second page changed", call(CODE + 0x1ffc), 57);
    REG32(CODE + 0x1ffc) = MOVW(100);
    clean(CODE + 0x1ffc);
    expect("first page changed", call(CODE + 0x1ffc), 101);
}

/* A loop that rewrites an instruction ahead of itself, with maintenance, in its own page. */
extern uint32_t self_modify(uint32_t), self_modify_end[];
__asm__(".pushsection .data\n.balign 4096\n.arm\n.global self_modify\nself_modify:\n"
        " push {r4, lr}\n mov r4, #0\n movw r3, #0\n movt r3, #0xe284\n" /* add r4, r4, #imm: e2844000 | imm */
        " orr r3, r3, #0x4000\n"
        "1: orr r1, r3, r0\n adr r2, 2f\n str r1, [r2]\n dsb\n mcr p15, 0, r2, c7, c11, 1\n dsb\n mcr p15, 0, r2, c7, c5, 1\n mcr p15, 0, "
        "r0, c7, c5, 6\n dsb\n isb\n"
        "2: nop\n subs r0, r0, #1\n bne 1b\n mov r0, r4\n pop {r4, pc}\n.popsection");

static void test_remap(void)
{
    /* the same virtual address, different physical pages, back and forth; both keep being executable */
    uint32_t wrong = 0;
    put(CODE + 0x100000, 1);
    put(CODE + 0x200000, 2);
    ICIALLU();
    for (unsigned i = 0; i < 50; i++) {
        l1_table[ALIAS >> 20] = SECTION(CODE + (i & 1 ? 0x100000 : 0x200000), 3, 0, SECTION_NORMAL);
        TLBIMVA(ALIAS);
        MCR(0, c7, c5, 6, 0);
        ISB();
        wrong += call(ALIAS) != (i & 1 ? 1 : 2);
    }
    expect("remapped 50 times", wrong, 0);
}

static void test_without_maintenance(void)
{
    uint32_t odd = 0;
    put(CODE + 0x3000, 1);
    ICIALLU();
    call(CODE + 0x3000);
    for (unsigned i = 2; i < 50; i++) {
        uint32_t was = call(CODE + 0x3000);
        put(CODE + 0x3000, i);
        uint32_t is = call(CODE + 0x3000); /* old or new, and never older again */
        odd += is != was && is != i;
    }
    ICIALLU();
    expect("neither old nor new", odd, 0);
    expect("new after maintenance", call(CODE + 0x3000), 49);
}

void guest_main(void)
{
    mmu_on_short();
    l1_table[ALIAS >> 20] = SECTION(PLAYGROUND, 3, 0, SECTION_NORMAL);
    TLBIALL();
    test_maintenance();
    expect("self-modifying loop", self_modify(20), 210);
    expect("self-modifying loop again", self_modify(10), 55);
    test_remap();
    test_without_maintenance();
    expect_none("code");
}
