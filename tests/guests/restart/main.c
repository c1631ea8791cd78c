/*
 * Accesses under a condition that abort, are served, and are executed again: their condition still holds, although nothing behind them
 * reads the flags, and whatever the translator did with them since they were last read.
 */
#include "guest.h"

#define PAGE 0x46000000u /* a section that the handler maps */

static unsigned served;

static void serve(struct frame *f)
{
    l1_table[PAGE >> 20] = SECTION(PAGE, 3, 0, SECTION_NORMAL);
    TLBIMVA(PAGE);
    served++;
    f->lr -= 8;
}

static void unmap(void)
{
    l1_table[PAGE >> 20] = 0;
    TLBIMVA(PAGE);
    served = 0;
}

/* As glibc's memcpy() aligns its destination: arithmetic after the comparison, load and store under one condition, then all flags are
 * overwritten. */
#define COPY(cond)                                                                                                                         \
    static uint32_t copy_##cond(uint32_t a, uint32_t b, uint32_t *from, uint32_t *to)                                                      \
    {                                                                                                                                      \
        uint32_t start = *to;                                                                                                              \
        __asm__ volatile("cmp %2, %3\n sub %2, %2, %3, lsr #3\n ldr" #cond " r3, [%0], #4\n str" #cond " r3, [%1], #4\n"                   \
                         "lsls r3, %2, #2\n cmn r3, r3, lsl #1\n"                                                                          \
                         : "+r"(*from), "+r"(*to), "+r"(a)                                                                                 \
                         : "r"(b)                                                                                                          \
                         : "r3", "cc", "memory");                                                                                          \
        return *to - start;                                                                                                                \
    }
COPY(eq)
COPY(ne)
COPY(cs)
COPY(cc)
COPY(mi)
COPY(pl)
COPY(vs)
COPY(vc)
COPY(hi)
COPY(ls)
COPY(ge)
COPY(lt)
COPY(gt)
COPY(le)

static const struct {
    const char *name;
    uint32_t (*copy)(uint32_t a, uint32_t b, uint32_t *from, uint32_t *to);
    uint32_t a, b, other_a, other_b; /* operands with which it holds and does not */
} conditions[] = {
    {"eq", copy_eq, 5, 5, 5, 6}, {"ne", copy_ne, 5, 6, 5, 5}, {"cs", copy_cs, 6, 5, 5, 6},           {"cc", copy_cc, 5, 6, 6, 5},
    {"mi", copy_mi, 5, 6, 6, 5}, {"pl", copy_pl, 6, 5, 5, 6}, {"vs", copy_vs, 0x80000000u, 1, 5, 6}, {"vc", copy_vc, 5, 6, 0x80000000u, 1},
    {"hi", copy_hi, 6, 5, 5, 6}, {"ls", copy_ls, 5, 6, 6, 5}, {"ge", copy_ge, 6, 5, 5, 6},           {"lt", copy_lt, 5, 6, 6, 5},
    {"gt", copy_gt, 6, 5, 5, 6}, {"le", copy_le, 5, 6, 6, 5},
};

void guest_main(void)
{
    static uint32_t word = 0x12345678;
    uint32_t ram = (uint32_t)(uintptr_t)&word;

    mmu_on_short();
    on_exception[VEC_DABT] = serve;
    for (unsigned i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        for (unsigned load = 0; load < 2; load++) {
            uint32_t from = load ? PAGE + 64 : ram, to = load ? ram : PAGE + 128;

            REG32(PAGE + 128) = REG32(PAGE + 64) = 0x12345678; /* mapped here or by the handler */
            print(conditions[i].name);
            print(load ? ", load\n" : ", store\n");
            unmap();
            expect("  not taken: destination moved by", conditions[i].copy(conditions[i].other_a, conditions[i].other_b, &from, &to), 0);
            expect("    aborts", served, 0);
            expect("  taken: destination moved by", conditions[i].copy(conditions[i].a, conditions[i].b, &from, &to), 4);
            expect("    source", from, (load ? PAGE + 64 : ram) + 4);
            expect("    aborts", served, 1);
            expect("    value", REG32(to - 4), 0x12345678);
        }
    }
}
