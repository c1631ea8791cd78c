/* lib.c: output, expectations, the exception handler and a plain page table for the test guests. */
#include "guest.h"

#define UART 0x09000000u

volatile struct exception last;
void (*on_exception[8])(struct frame *f);
uint32_t l1_table[4096] __attribute__((aligned(16384)));
static unsigned failures;
extern char user_exit[];

void print(const char *s)
{
    for (; *s; s++)
        REG32(UART) = (uint8_t)*s;
}

static void put_hex(uint32_t x)
{
    for (int i = 28; i >= 0; i -= 4)
        REG32(UART) = (uint8_t) "0123456789abcdef"[x >> i & 15];
}

void print_hex(const char *name, uint32_t value)
{
    print(name);
    print(" = ");
    put_hex(value);
    print("\n");
}

void expect(const char *name, uint32_t value, uint32_t want)
{
    print(name);
    print(": ");
    put_hex(value);
    if (value != want) {
        print(" FAILED, want ");
        put_hex(want);
        failures++;
    }
    print("\n");
}

bool on_qemu(void)
{
    return MRC(0, c0, c1, 2) & 0xf; /* ID_DFR0: QEMU shows a debug architecture */
}

void expect_not_qemu(const char *name, uint32_t value, uint32_t want, uint32_t qemu)
{
    expect(name, on_qemu() && value == qemu ? want : value, want);
}

void expect_exception(const char *name, unsigned vector)
{
    print(name);
    print(" -> ");
    expect("exception", last.count == 1 ? last.vector : last.count ? 0x100 + last.count : ~0u, vector);
    last.count = 0;
}

void expect_none(const char *name)
{
    print(name);
    print(" -> ");
    expect("exceptions", last.count, 0);
    last.count = 0;
}

void expect_dabt(const char *name, uint32_t dfsr, uint32_t dfar)
{
    expect_exception(name, VEC_DABT);
    expect("    DFSR", last.dfsr, dfsr);
    expect("    DFAR", last.dfar, dfar);
}

void expect_pabt(const char *name, uint32_t ifsr, uint32_t ifar)
{
    expect_exception(name, VEC_PABT);
    expect("    IFSR", last.ifsr & 0x200 ? last.ifsr : last.ifsr & ~0xf0u, ifsr); /* bits 7:4 are UNKNOWN in the short format */
    expect("    IFAR", last.ifar, ifar);
}

void report(void);
void report(void)
{
    if (failures)
        print_hex("FAILURES", failures);
    else
        print("SUCCESS\n");
}

/* Bytes of the instruction at pc. */
static unsigned insn_size(uint32_t pc, bool thumb)
{
    return !thumb ? 4 : *(uint16_t *)(uintptr_t)pc >= 0xe800 ? 4 : 2;
}

static uint32_t banked_lr(uint32_t spsr)
{
    uint32_t lr, mode = spsr & 31, saved = cpsr();

    if (mode == USR)
        mode = SYS;
    __asm__ volatile("msr cpsr_c, %1\n mov %0, lr\n msr cpsr_c, %2" : "=&r"(lr) : "r"((saved & ~31u) | mode), "r"(saved) : "memory");
    return lr;
}

void exception(unsigned vector, struct frame *f);
void exception(unsigned vector, struct frame *f)
{
    if (vector == VEC_SVC && f->lr == (uint32_t)(uintptr_t)user_exit) {
        f->spsr = (f->spsr & ~31u) | SVC;
        return;
    }
    last.count++;
    last.vector = vector;
    last.lr = f->lr;
    last.spsr = f->spsr;
    last.cpsr = f->cpsr;
    last.dfsr = MRC(0, c5, c0, 0);
    last.ifsr = MRC(0, c5, c0, 1);
    last.dfar = MRC(0, c6, c0, 0);
    last.ifar = MRC(0, c6, c0, 2);
    if (last.count > 100) {
        print("too many exceptions\n");
        print_hex("vector", vector);
        print_hex("lr", f->lr);
        power_off();
    }
    if (on_exception[vector])
        on_exception[vector](f);
    else if (vector == VEC_DABT)
        f->lr += insn_size(f->lr - 8, f->spsr & 0x20) - 8;
    else if (vector == VEC_PABT) {
        f->lr = banked_lr(f->spsr);
        f->spsr = (f->spsr & ~0x20u) | (f->lr & 1) << 5;
    } else if (vector == VEC_IRQ || vector == VEC_FIQ)
        f->lr -= 4;
}

void sctlr_change(uint32_t set, uint32_t clear)
{
    MCR(0, c1, c0, 0, (MRC(0, c1, c0, 0) & ~clear) | set);
    ISB();
}

void mmu_on_short(void)
{
    for (unsigned i = 0; i < 4096; i++)
        l1_table[i] = 0;
    l1_table[0x080] = SECTION(0x08000000u, 3, 0, SECTION_XN | 1u << 2);
    l1_table[0x090] = SECTION(0x09000000u, 3, 0, SECTION_XN | 1u << 2);
    for (unsigned i = 0; i < 256; i++)
        l1_table[0x400 + i] = SECTION(0x40000000u + (i << 20), 3, 0, SECTION_NORMAL);
    MCR(0, c2, c0, 2, 0);
    MCR(0, c2, c0, 0, (uint32_t)(uintptr_t)l1_table);
    MCR(0, c2, c0, 1, (uint32_t)(uintptr_t)l1_table);
    MCR(0, c3, c0, 0, 1);
    MCR(0, c13, c0, 1, 0);
    TLBIALL();
    ICIALLU();
    sctlr_change(SCTLR_M | SCTLR_C | SCTLR_I, 0);
}

void mmu_off(void)
{
    sctlr_change(0, SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_AFE | SCTLR_TRE);
    TLBIALL();
}

uint32_t user_read(uint32_t va)
{
    return read32(va);
}

uint32_t user_write(uint32_t va)
{
    write32(va, 1);
    return 0;
}

unsigned rights(uint32_t va)
{
    unsigned r = 0;
    last.count = 0;
    read32(va);
    r |= !last.count, last.count = 0;
    write32(va, 1);
    r |= !last.count << 1, last.count = 0;
    in_user(user_read, va);
    r |= !last.count << 2, last.count = 0;
    in_user(user_write, va);
    r |= !last.count << 3, last.count = 0;
    read32_user(va);
    r |= !last.count << 4, last.count = 0;
    write32_user(va, 1);
    r |= !last.count << 5, last.count = 0;
    return r;
}

void vfp_on(void)
{
    MCR(0, c1, c0, 2, 0x00f00000);
    ISB();
    __asm__ volatile(".fpu neon\n vmsr fpexc, %0" : : "r"(1u << 30));
}

void *memcpy(void *d, const void *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((char *)d)[i] = ((const char *)s)[i];
    return d;
}

void *memset(void *d, int c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((char *)d)[i] = (char)c;
    return d;
}
