/*
 * Floating-point comparisons followed by every condition: a move, a branch, a sum under the condition, and with arithmetic between.
 * Expected is what the architecture says of the four outcomes (FPCompare): less N, equal Z and C, greater C, unordered C and V.
 */
#include "guest.h"

enum { LESS = 8, EQUAL = 6, GREATER = 2, UNORDERED = 3 }; /* NZCV */

static const struct {
    const char *name;
    uint64_t a, b;
    uint32_t single_a, single_b;
    unsigned outcome;
} pairs[] = {
    {"1, 2", 0x3ff0000000000000, 0x4000000000000000, 0x3f800000, 0x40000000, LESS},
    {"2, 2", 0x4000000000000000, 0x4000000000000000, 0x40000000, 0x40000000, EQUAL},
    {"0, -0", 0, 1ull << 63, 0, 1u << 31, EQUAL},
    {"2, -2", 0x4000000000000000, 0xc000000000000000, 0x40000000, 0xc0000000, GREATER},
    {"denormal, 0", 1, 0, 1, 0, GREATER},
    {"-infinity, infinity", 0xfff0000000000000, 0x7ff0000000000000, 0xff800000, 0x7f800000, LESS},
    {"quiet NaN, 1", 0x7ff8000000000000, 0x3ff0000000000000, 0x7fc00000, 0x3f800000, UNORDERED},
    {"1, signalling NaN", 0x3ff0000000000000, 0x7ff0000000000001, 0x3f800000, 0x7f800001, UNORDERED},
};

static bool holds(unsigned cc, unsigned nzcv)
{
    unsigned n = nzcv >> 3 & 1, z = nzcv >> 2 & 1, c = nzcv >> 1 & 1, v = nzcv & 1;
    unsigned yes[] = {z, c, n, v, c && !z, n == v, n == v && !z};

    return yes[cc / 2] != (cc & 1);
}

#define CONDITIONS(X) X(eq) X(ne) X(cs) X(cc) X(mi) X(pl) X(vs) X(vc) X(hi) X(ls) X(ge) X(lt) X(gt) X(le)

/*
 * One function a comparison and a condition: bit 0 by a move, 1 by a branch, 2 by a move behind arithmetic that leaves the guest's flags
 * alone, 3 by a branch that finds the flags where another condition has been asked before, 4 by a move of a floating-point register,
 * 5 by a move behind a load under the same condition.
 */
#define ONE(name, cond, load, compare)                                                                                                     \
    static uint32_t name##_##cond(const void *a, const void *b)                                                                            \
    {                                                                                                                                      \
        uint32_t r, t;                                                                                                                     \
        __asm__ volatile(".fpu vfpv4\n" load compare "\n vmrs APSR_nzcv, fpscr\n mov %0, #0\n mov" #cond " %0, #1\n" compare               \
                         "\n vmrs APSR_nzcv, fpscr\n b" #cond " 1f\n b 2f\n1: add %0, %0, #2\n2:\n" compare                                \
                         "\n vmrs APSR_nzcv, fpscr\n add %1, %2, %3\n sub %1, %1, #1\n mov %1, #0\n mov" #cond " %1, #4\n"                 \
                         " orr %0, %0, %1\n" compare "\n vmrs APSR_nzcv, fpscr\n movhi %1, #0\n movge %1, #0\n b" #cond                    \
                         " 1f\n b 2f\n1: add %0, %0, #8\n2:\n" compare "\n vmrs APSR_nzcv, fpscr\n mov %1, #0\n ldr" #cond                 \
                         " %1, [%2]\n mov" #cond " %1, #32\n orr %0, %0, %1\n" compare                                                     \
                         "\n vmrs APSR_nzcv, fpscr\n vmov s4, %0\n add %1, %0, #16\n vmov s5, %1\n vmov" #cond                             \
                         ".f32 s4, s5\n vmov %0, s4\n"                                                                                     \
                         : "=&r"(r), "=&r"(t)                                                                                              \
                         : "r"(a), "r"(b)                                                                                                  \
                         : "cc", "memory");                                                                                                \
        return r;                                                                                                                          \
    }
#define DOUBLE "vldr d0, [%2]\n vldr d1, [%3]\n"
#define SINGLE "vldr s0, [%2]\n vldr s2, [%3]\n"
#define ALL(cond)                                                                                                                          \
    ONE(double, cond, DOUBLE, "vcmp.f64 d0, d1")                                                                                           \
    ONE(double_e, cond, DOUBLE, "vcmpe.f64 d0, d1")                                                                                        \
    ONE(single, cond, SINGLE, "vcmp.f32 s0, s2") ONE(single_e, cond, SINGLE, "vcmpe.f32 s0, s2")
CONDITIONS(ALL)

/* The sum of what all conditions add, asked one after the other. */
static uint32_t sums(const void *a, const void *b)
{
    uint32_t r;
#define ADD(cond) " add" #cond " %0, %0, %0\n add" #cond " %0, %0, #1\n"
    __asm__ volatile(".fpu vfpv4\n vldr d0, [%1]\n vldr d1, [%2]\n mov %0, #1\n vcmpe.f64 d0, d1\n vmrs APSR_nzcv, fpscr\n" CONDITIONS(ADD)
                     : "=&r"(r)
                     : "r"(a), "r"(b)
                     : "cc", "memory");
    return r;
}

typedef uint32_t function(const void *a, const void *b);
static const struct {
    const char *name;
    function *by[4]; /* vcmp.f64, vcmpe.f64, vcmp.f32, vcmpe.f32 */
} conditions[] = {
#define ROW(cond) {#cond, {double_##cond, double_e_##cond, single_##cond, single_e_##cond}},
    CONDITIONS(ROW)};

#define FPSCR_IOC 1u

/* Invalid: for a signalling NaN always, for a quiet one with vcmpe. */
static bool invalid(unsigned k, bool with_e)
{
    return k == 7 || (k == 6 && with_e);
}

void guest_main(void)
{
    static const char *const form[] = {"  vcmp.f64", "  vcmpe.f64", "  vcmp.f32", "  vcmpe.f32"};

    vfp_on();
    for (unsigned k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
        print(pairs[k].name);
        print("\n");
        print_hex("  all in a row", sums(&pairs[k].a, &pairs[k].b));
        for (unsigned c = 0; c < sizeof(conditions) / sizeof(conditions[0]); c++)
            for (unsigned f = 0; f < 4; f++) {
                const void *a = f < 2 ? (const void *)&pairs[k].a : &pairs[k].single_a;
                const void *b = f < 2 ? (const void *)&pairs[k].b : &pairs[k].single_b;
                uint32_t fpscr = 0;
                __asm__ volatile(".fpu vfpv4\n vmsr fpscr, %0" : : "r"(fpscr));
                print(conditions[c].name);
                expect(form[f], conditions[c].by[f](a, b), holds(c, pairs[k].outcome) ? 63 : 0);
                __asm__ volatile(".fpu vfpv4\n vmrs %0, fpscr" : "=r"(fpscr));
                expect("  flags", fpscr, pairs[k].outcome << 28 | (invalid(k, f & 1) ? FPSCR_IOC : 0));
            }
    }
}
