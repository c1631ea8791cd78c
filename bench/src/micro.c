/*
 * micro.c: one mechanism of the translator each, in user mode. micro KIND COUNT; prints a value that depends on all the work.
 *
 *   direct      conditional and unconditional direct branches, short blocks
 *   indirect    a jump through a table of 16 places, target unpredictable
 *   call        calls of leaf functions and deep recursion
 *   hit         loads and stores in 16 KiB
 *   stride      one word of each page of 64 MiB
 *   chase       a chain of dependent loads over 16 MiB
 *   copy        memcpy and memset of 64 KiB
 *   loop        a counted loop of two instructions on ARM: subtract, branch
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP(x) __asm__ volatile("" : "+r"(x))
/* Keeps the compiler from turning a branch into conditional instructions. */
#define EDGE(x) __asm__ volatile("" : "+r"(x) : : "memory")

static uint32_t next(uint32_t x) { return x * 1664525u + 1013904223u; }

static uint32_t direct(uint32_t n)
{
    uint32_t x = 1, a = 0;
    for (uint32_t i = 0; i < n; i++) {
        x = next(x);
        if (x & 1u << 31) {
            EDGE(a);
            a += 3;
        } else {
            EDGE(a);
            a ^= x;
        }
        if (i & 1) {
            EDGE(a);
            a -= 7;
        }
        if (i & 2) {
            EDGE(a);
            a += i;
        }
        if ((i & 7) == 5) {
            EDGE(a);
            a ^= 0x55;
        }
    }
    return a;
}

static uint32_t indirect(uint32_t n)
{
    static const void *const place[16] = {&&p0, &&p1, &&p2, &&p3, &&p4, &&p5, &&p6, &&p7, &&p8, &&p9, &&p10, &&p11, &&p12, &&p13, &&p14, &&p15};
    uint32_t x = 1, a = 0;
    /* clang-format off */
#define GO if (n-- == 0) return a; x = next(x); goto *place[x >> 28]
    GO;
#define PLACE(k) p##k: a = a * 3 + k; KEEP(a); GO;
    PLACE(0) PLACE(1) PLACE(2) PLACE(3) PLACE(4) PLACE(5) PLACE(6) PLACE(7)
    PLACE(8) PLACE(9) PLACE(10) PLACE(11) PLACE(12) PLACE(13) PLACE(14) PLACE(15)
    /* clang-format on */
}

__attribute__((noinline)) static uint32_t leaf(uint32_t x)
{
    KEEP(x);
    return x + 1;
}

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : leaf(fib(n - 1)) + fib(n - 2);
}

static uint32_t call(uint32_t n)
{
    uint32_t a = 0;
    for (uint32_t i = 0; i < n; i++)
        a += fib(20);
    return a;
}

static uint32_t hit(uint32_t n)
{
    static volatile uint32_t data[4096];
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < 4096; k += 4) {
            data[k] += i;
            data[k + 1] = data[k] ^ data[k + 2];
        }
    return data[0] + data[4093];
}

static uint32_t stride(uint32_t n)
{
    enum { PAGES = 16384 };
    volatile uint32_t *data = calloc(PAGES, 4096);
    uint32_t a = 0;
    if (!data)
        exit(1);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < PAGES; k++)
            a += data[k * 1024 + (k & 15) * 16] += k;
    return a;
}

static uint32_t chase(uint32_t n)
{
    enum { CELLS = 4 << 20 };
    uint32_t *data = malloc(CELLS * sizeof(*data)), at = 0;
    if (!data)
        exit(1);
    for (uint32_t i = 0; i < CELLS; i++) /* a full-period generator is a permutation in one cycle */
        data[i] = (i * 1664525u + 1013904223u) & (CELLS - 1);
    for (uint32_t i = 0; i < n; i++)
        at = data[at];
    return at;
}

static uint32_t copy(uint32_t n)
{
    enum { SIZE = 65536 };
    static unsigned char from[SIZE + 64], to[SIZE + 64];
    uint32_t a = 0;
    for (uint32_t i = 0; i < n; i++) {
        memset(from, (int)i, SIZE);
        KEEP(a);
        memcpy(to + (i & 31), from, SIZE);
        __asm__ volatile("" : : "r"(to), "r"(from) : "memory");
        a += to[i & (SIZE - 1)];
    }
    return a;
}

static uint32_t loop(uint32_t n)
{
#ifdef __arm__
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(n) : : "cc");
#else
    __asm__ volatile("1: subl $1, %0\n jne 1b" : "+r"(n) : : "cc");
#endif
    return n;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint32_t (*run)(uint32_t n);
    } kinds[] = {{"direct", direct}, {"indirect", indirect}, {"call", call}, {"hit", hit}, {"stride", stride}, {"chase", chase}, {"copy", copy}, {"loop", loop}};
    for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            printf("%s %08x\n", argv[1], (unsigned)kinds[i].run((uint32_t)strtoul(argv[2], NULL, 0)));
            return 0;
        }
    }
    fprintf(stderr, "usage: micro KIND COUNT\n");
    return 2;
}
