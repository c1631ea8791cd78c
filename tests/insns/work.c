/*
 * work.c: work whose instructions are counted twice: by armlet (--stats=insns), and by QEMU, whose virtual clock is one nanosecond an
 * instruction with -icount shift=0. WORK chooses; without it there is none. The counter (62.5 MHz) is read before and after; no interrupt
 * is enabled.
 */
#include <guest.h>

#ifndef WORK
static uint32_t work(void)
{
    return 0;
}
#elif WORK == 0 /* two instructions a step: the count is known beforehand */
static uint32_t work(void)
{
    uint32_t n = 50000000;
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(n) : : "cc");
    return n;
}
#elif WORK == 1 /* table look-ups and shifts */
static uint32_t work(void)
{
    static uint32_t table[256];
    uint32_t crc = ~0u;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    for (uint32_t i = 0; i < 12000000; i++)
        crc = table[(crc ^ i) & 255] ^ crc >> 8;
    return crc;
}
#elif WORK == 2 /* calls, returns, load and store multiple, in Thumb with IT blocks */
__attribute__((target("thumb"), noinline)) static uint32_t ackermann(uint32_t m, uint32_t n)
{
    return m == 0 ? n + 1 : ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
static uint32_t work(void)
{
    return ackermann(2, 400) + ackermann(3, 9);
}
#else           /* sorting, with exceptions in between: aborts, undefined instructions, supervisor calls */
static uint32_t work(void)
{
    static uint32_t data[4096];
    uint32_t x = 1, sum = 0;
    mmu_on_short();
    l1_table[0x700] = 0;
    TLBIALL();
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 4096; i++)
            data[i] = x = x * 1664525u + 1013904223u;
        for (unsigned gap = 1743; gap; gap = gap == 2 ? 1 : gap * 10 / 22)
            for (unsigned i = gap; i < 4096; i++) {
                uint32_t v = data[i];
                unsigned k = i;
                for (; k >= gap && data[k - gap] > v; k -= gap)
                    data[k] = data[k - gap];
                data[k] = v;
            }
        for (unsigned i = 0; i < 500; i++) {
            read32(0x70000000 + 4 * i);
            __asm__ volatile("udf #0\n svc #0" : : : "r14", "memory");
            sum += data[i] + last.count;
            last.count = 0;
        }
    }
    return sum;
}
#endif

void guest_main(void)
{
    uint32_t start = (uint32_t)MRRC(1, c14), result = work(), end = (uint32_t)MRRC(1, c14);

    print_hex("result", result);
    print_hex("ticks", end - start);
}
