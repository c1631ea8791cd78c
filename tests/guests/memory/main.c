/* Alignment rules, exclusives, and endianness of data. */
#include "guest.h"

static uint32_t buffer[64] __attribute__((aligned(64)));
#define B ((uint32_t)(uintptr_t)buffer)

#define EXCLUSIVE_PAIR(name, ld, st)                                                                                                       \
    static uint32_t name(uint32_t from, uint32_t to, uint32_t between)                                                                     \
    {                                                                                                                                      \
        uint32_t failed;                                                                                                                   \
        __asm__ volatile(ld "\n cmp %3, #1\n bne 1f\n clrex\n1: " st                                                                       \
                         : "=&r"(failed)                                                                                                   \
                         : "r"(from), "r"(to), "r"(between)                                                                                \
                         : "r2", "r3", "cc", "memory");                                                                                    \
        return failed;                                                                                                                     \
    }
EXCLUSIVE_PAIR(word_pair, "ldrex r2, [%1]", "strex %0, r2, [%2]")
EXCLUSIVE_PAIR(half_pair, "ldrexh r2, [%1]", "strexh %0, r2, [%2]")
EXCLUSIVE_PAIR(byte_pair, "ldrexb r2, [%1]", "strexb %0, r2, [%2]")
EXCLUSIVE_PAIR(double_pair, "ldrexd r2, r3, [%1]", "strexd %0, r2, r3, [%2]")

static uint32_t strex_alone(uint32_t at)
{
    uint32_t failed;
    __asm__ volatile("mov r2, #0\n clrex\n strex %0, r2, [%1]" : "=&r"(failed) : "r"(at) : "r2", "memory");
    return failed;
}

static void test_exclusives(void)
{
    static uint32_t (*const pairs[])(uint32_t, uint32_t, uint32_t) = {word_pair, half_pair, byte_pair, double_pair};
    static const char *const names[] = {"word", "halfword", "byte", "doubleword"};
    for (unsigned i = 0; i < 4; i++) {
        print(names[i]);
        print("\n");
        expect("  pair", pairs[i](B, B, 0), 0);
        expect("  with CLREX between", pairs[i](B, B, 1), 1);
        expect("  to another address", pairs[i](B, B + 32, 0), 1);
        expect("  again", pairs[i](B + 8, B + 8, 0), 0);
    }
    expect("STREX without LDREX", strex_alone(B), 1);
    uint32_t sum = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint32_t x, failed;
        do
            __asm__ volatile("ldrex %0, [%2]\n add %0, %0, #3\n strex %1, %0, [%2]" : "=&r"(x), "=&r"(failed) : "r"(buffer) : "memory");
        while (failed);
        sum = x;
    }
    expect("100 additions", sum - 300 + (buffer[0] - sum), buffer[0] - 300);
    expect_none("exclusives");
    read_exclusive(B + 1);
    expect_dabt("LDREX unaligned", 0x001, B + 1);
}

static void write_swapped(uint32_t va, uint32_t x)
{
    __asm__ volatile("setend be\n str %1, [%0]\n setend le" : : "r"(va), "r"(x) : "memory");
}

static void test_alignment(void)
{
    for (unsigned i = 0; i < 64; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)i;
    expect("word at 1", read32(B + 1), 0x04030201);
    expect("halfword at 3", read16(B + 3), 0x0403);
    write32(B + 0x11, 0xaabbccdd);
    expect("written at 0x11", read32(B + 0x10), 0xbbccdd10);
    expect_none("unaligned accesses");
    read_multiple(B + 2);
    expect_dabt("LDM unaligned", 0x001, B + 2);
    read64(B + 2);
    expect_dabt("LDRD unaligned", 0x001, B + 2);
    read64(B + 4);
    expect_none("LDRD at a word address");
    sctlr_change(SCTLR_A, 0);
    read32(B + 1);
    expect_dabt("word, SCTLR.A", 0x001, B + 1);
    write32(B + 2, 0);
    expect_dabt("word write, SCTLR.A", 0x801, B + 2);
    read16(B + 1);
    expect_dabt("halfword, SCTLR.A", 0x001, B + 1);
    write16(B + 3, 0);
    expect_dabt("halfword write, SCTLR.A", 0x801, B + 3);
    read8(B + 1);
    expect("aligned, SCTLR.A", read32(B + 4), 0x07060504);
    expect_none("aligned");
    sctlr_change(0, SCTLR_A);
    expect("word at 1 again", read32(B + 1), 0x04030201);
    write_swapped(B, 0x11223344);
    expect("big-endian store", read32(B), 0x44332211);
    expect_none("endianness");
}

void guest_main(void)
{
    mmu_on_short();
    test_exclusives();
    test_alignment();
}
