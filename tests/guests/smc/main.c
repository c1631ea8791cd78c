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

/* Every kind of store that can change code, to the two instructions at `at` (MOVW r0, BX LR), of which `word` is the first. */
#define VIA(insns, ...)                                                                                                                    \
    __asm__ volatile(".arch armv7ve\n .fpu neon-vfpv4\n .arch_extension mp\n" insns                                                        \
                     :                                                                                                                     \
                     : "r"(at), "r"(word), ##__VA_ARGS__                                                                                   \
                     : "r2", "r3", "r4", "r5", "r12", "cc", "memory")
static void store_by(unsigned kind, uint32_t at, uint32_t word)
{
    switch (kind) {
    case 0:
        VIA("str %1, [%0]");
        break;
    case 1:
        VIA("strh %1, [%0]\n lsr r2, %1, #16\n strh r2, [%0, #2]");
        break;
    case 2:
        VIA("strb %1, [%0]\n lsr r2, %1, #8\n strb r2, [%0, #1]");
        break;
    case 3:
        VIA("mov r2, %1\n ldr r3, [%0, #4]\n strd r2, r3, [%0]");
        break;
    case 4:
        VIA("mov r2, %1\n ldr r3, [%0, #4]\n stm %0, {r2, r3}");
        break;
    case 5:
        VIA("1: ldrex r2, [%0]\n strex r3, %1, [%0]\n cmp r3, #0\n bne 1b");
        break;
    case 6:
        VIA("mov r2, %1\n ldr r3, [%0, #4]\n 1: ldrexd r4, r5, [%0]\n strexd r12, r2, r3, [%0]\n cmp r12, #0\n bne 1b");
        break;
    case 7:
        VIA("strt %1, [%0]"); /* by user mode's rights */
        break;
    case 8:
        VIA("vmov.32 d0[0], %1\n ldr r2, [%0, #4]\n vmov.32 d0[1], r2\n vstr d0, [%0]");
        break;
    case 9:
        VIA("vmov s0, %1\n vstr s0, [%0]");
        break;
    case 10:
        VIA("vdup.32 d0, %1\n vst1.32 {d0[0]}, [%0]");
        break;
    case 11: /* four words, the last two as they are */
        VIA("vld1.32 {d0, d1}, [%0]\n vmov.32 d0[0], %1\n vst1.32 {d0, d1}, [%0]");
        break;
    case 12: /* begins before it */
        VIA("sub r12, %0, #8\n vldm r12, {d0-d3}\n vmov.32 d1[0], %1\n vstm r12, {d0-d3}");
        break;
    case 13: /* unaligned: two bytes before, then two from the middle */
        VIA("ldrh r2, [%0, #-2]\n orr r2, r2, %1, lsl #16\n str r2, [%0, #-2]\n ldrh r3, [%0, #4]\n lsr r2, %1, #16\n orr r2, r2, r3, lsl "
            "#16\n str r2, [%0, #2]");
        break;
    case 14:
        VIA("setend be\n rev r2, %1\n str r2, [%0]\n setend le");
        break;
    case 15:
        VIA("swp r2, %1, [%0]");
        break;
    case 16:
        VIA("push {r6}\n mov r6, sp\n add r2, %0, #4\n mov r3, %1\n mov sp, r2\n push {r3}\n mov sp, r6\n pop {r6}");
        break;
    }
}
#define STORES 17u

static void test_stores(void)
{
    for (unsigned place = 0; place < 2; place++) {
        uint32_t at = place ? CODE + 0x7000 : CODE + 0x6800; /* the first instruction of a page: stores from before it cross into code */
        for (unsigned kind = 0; kind < STORES; kind++) {
            uint32_t wrong = 0, alias_wrong = 0;
            REG32(at - 8) = REG32(at - 4) = 0xe1a00000;
            put(at, 0xfff);
            put(at + 8, 0);
            ICIALLU();
            for (unsigned i = 0; i < 12; i++) {
                wrong += call(at) != (i ? i - 1 : 0xfff); /* as code, and linked */
                store_by(kind, i & 1 ? at : at - CODE + ALIAS, MOVW(i));
                clean(at);
                wrong += call(at) != i;
                alias_wrong += call(at - CODE + ALIAS) != i;
            }
            print_hex(place ? "first of a page, store" : "store", kind);
            expect("  wrong", wrong, 0);
            expect("  wrong through the alias", alias_wrong, 0);
        }
    }
}

/* Three names of one page, two executed in turn, one of them by user mode, written by any of them. */
static void test_aliases(void)
{
    static uint32_t l2[256] __attribute__((aligned(1024)));
    const uint32_t names[3] = {CODE + 0x9000, ALIAS + 0x9000, 0x90000000u};
    uint32_t wrong = 0;

    l1_table[0x900] = (uint32_t)(uintptr_t)l2 | 1;
    l2[0] = SMALL(CODE + 0x9000, 3, SMALL_NORMAL | PAGE_NG);
    TLBIALL();
    for (unsigned i = 0; i < 90; i++) {
        uint32_t w = names[i % 3], a = names[i / 3 % 3], b = names[(i / 3 + 1) % 3];
        put(w + 0x20, i);
        put(w + 0x40, i + 1000);
        if (i & 1) {
            clean(w + 0x20); /* by the name it was written by */
            clean(w + 0x40);
        } else {
            clean(b + 0x20); /* by another one: instruction caches are physically tagged here (CTR.L1Ip) */
            clean(b + 0x40);
        }
        wrong += call(a + 0x20) != i;
        wrong += in_user(call, b + 0x20) != i;
        wrong += call(b + 0x40) != i + 1000;
        wrong += in_user(call, a + 0x40) != i + 1000;
    }
    expect("three names of one page", wrong, 0);
    l1_table[0x900] = 0;
    TLBIALL();
}

/* A function that writes beside itself on each call, in its own page, and one that changes the instruction after the next (with
 * maintenance). */
extern uint32_t beside(uint32_t), beside_count[];
__asm__(".pushsection .data\n.balign 4096\n.arm\n.global beside, beside_count\nbeside:\n"
        " adr r1, beside_count\n1: ldr r2, [r1]\n add r2, r2, #1\n str r2, [r1]\n subs r0, r0, #1\n bne 1b\n mov r0, r2\n bx lr\n"
        "beside_count: .word 0\n.popsection");
extern uint32_t thumb_modify(uint32_t);
__asm__(".pushsection .text\n.balign 4096\n.syntax unified\n.thumb\n.thumb_func\n.global thumb_modify\nthumb_modify:\n"
        " push {r4, lr}\n movs r4, #0\n movw r3, #0x3400\n" /* adds r4, #imm */
        "1: orr.w r1, r3, r0\n adr r2, 2f\n strh r1, [r2]\n dsb\n mcr p15, 0, r2, c7, c11, 1\n dsb\n mcr p15, 0, r2, c7, c5, 1\n"
        " mcr p15, 0, r0, c7, c5, 6\n dsb\n isb\n b.n 2f\n.balign 4\n"
        "2: nop\n subs r0, #1\n bne 1b\n mov r0, r4\n pop {r4, pc}\n.balign 4096\n.arm\n.popsection");

static void test_own_page(void)
{
    uint32_t sum = 0, wrong = 0;
    for (unsigned i = 1; i <= 40; i++) {
        sum += i * 7;
        wrong += beside(i * 7) != sum;
    }
    expect("a function that counts in its own page", wrong, 0);
    expect("T32 code that changes itself", thumb_modify(20), 210);
    expect("  again", thumb_modify(30), 465);
}

/* Returns to places that have changed since the call, that never made the call, and from calls nested deeper than any prediction goes. */
typedef uint32_t caller(uint32_t at, uint32_t callee, uint32_t word);

static void put_caller(uint32_t at, uint32_t n)
{
    REG32(at) = 0xe52de004;     /* push {lr} */
    REG32(at + 4) = 0xe12fff31; /* blx r1 */
    REG32(at + 8) = MOVW(n);
    REG32(at + 12) = 0xe49df004; /* pop {pc} */
}

static void change_code(uint32_t at, uint32_t callee, uint32_t word)
{
    (void)callee;
    REG32(at + 8) = word;
    clean(at + 8);
}

static void change_map(uint32_t at, uint32_t callee, uint32_t section)
{
    (void)callee;
    l1_table[at >> 20] = section;
    TLBIMVA(at);
    MCR(0, c7, c5, 6, 0);
    ISB();
}

static uint32_t __attribute__((noinline)) nested(uint32_t depth)
{
    return depth ? nested(depth - 1) * 3 + depth : 1;
}

extern uint32_t skipping(uint32_t), thumb_nested(uint32_t);
__asm__(".pushsection .text\n.arm\n.global skipping\nskipping:\n"
        " push {r4, lr}\n mov r4, r0\n mov r0, #0\n"
        "1: bl 2f\n add r0, r0, #1\n subs r4, r4, #1\n bne 1b\n pop {r4, pc}\n"
        "2: push {lr}\n bl 3f\n mov r0, #0\n"
        "3: pop {pc}\n" /* to the caller of 2 */
        ".thumb\n.thumb_func\n.global thumb_nested\nthumb_nested:\n"
        " push {r4, lr}\n mov r4, r0\n cbz r0, 1f\n subs r0, #1\n bl thumb_nested\n"
        "1: add r0, r4\n pop {r4, pc}\n.balign 4\n.arm\n.popsection");

/* A word read after a call of code that sets the order of data. */
extern uint32_t read_after(uint32_t callee, const uint32_t *word), to_big[], to_little[];
__asm__(".pushsection .text\n.arm\n.global read_after, to_big, to_little\nread_after:\n"
        " push {r4, lr}\n mov r4, r1\n blx r0\n ldr r0, [r4]\n setend le\n pop {r4, pc}\n"
        "to_big: setend be\n bx lr\nto_little: setend le\n bx lr\n.popsection");

static void test_returns(void)
{
    const uint32_t at = CODE + 0xa000;
    uint32_t wrong = 0;

    put_caller(at, 0);
    ICIALLU();
    for (uint32_t i = 1; i < 100; i++)
        wrong += ((caller *)at)(at, (uint32_t)(uintptr_t)change_code, MOVW(i)) != i;
    expect("return to code that the callee changed", wrong, 0);

    const uint32_t remapped = ALIAS + 0x20;
    uint32_t section[2];
    for (unsigned k = 0; k < 2; k++) {
        section[k] = SECTION(CODE + 0x100000 * (k + 1), 3, 0, SECTION_NORMAL);
        put_caller(CODE + 0x100000 * (k + 1) + 0x20, k + 1);
    }
    ICIALLU();
    change_map(remapped, 0, section[0]);
    wrong = 0;
    for (uint32_t i = 1; i < 100; i++)
        wrong += ((caller *)remapped)(remapped, (uint32_t)(uintptr_t)change_map, section[i / 4 & 1]) != (i / 4 & 1) + 1;
    expect("return to a page that the callee may have exchanged", wrong, 0);

    static const uint32_t word = 0x12345678;
    wrong = 0;
    for (uint32_t i = 0; i < 50; i++)
        wrong += read_after((uint32_t)(uintptr_t)(i / 3 & 1 ? to_big : to_little), &word) != (i / 3 & 1 ? 0x78563412 : word);
    expect("return with data in another order", wrong, 0);

    expect("returns past a caller", skipping(100), 100);
    for (unsigned i = 0; i < 3; i++) {
        expect("nested calls", nested(40), 0xc7f7d625);
        expect("nested calls, T32", thumb_nested(40), 820);
    }
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
    l1_table[ALIAS >> 20] = SECTION(PLAYGROUND, 3, 0, SECTION_NORMAL);
    TLBIALL();
    vfp_on();
    sctlr_change(SCTLR_SW, 0);
    test_stores();
    test_aliases();
    test_own_page();
    test_returns();
    expect_none("code");
}
