/*
 * guest.h: what the bare-metal test guests share. A guest defines guest_main(); it prints what it finds, so that the outputs of two
 * machines can be compared, and counts what differs from the architecture; SUCCESS is printed when nothing did.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VEC_RESET, VEC_UNDEF, VEC_SVC, VEC_PABT, VEC_DABT, VEC_HYP, VEC_IRQ, VEC_FIQ };
enum { USR = 0x10, FIQ = 0x11, IRQ = 0x12, SVC = 0x13, ABT = 0x17, UND = 0x1b, SYS = 0x1f };

struct frame { /* as the vectors push it; lr is where the return goes */
    uint32_t spsr, cpsr, r0, r1, r2, r3, r12, lr;
};

/* The last exception, and how many there were since the count was set to 0. */
struct exception {
    uint32_t count, vector, lr, spsr, cpsr, dfsr, dfar, ifsr, ifar;
};
extern volatile struct exception last;

/* What exception() does with a vector: this, or when NULL: step over the instruction of a data abort, return from a prefetch abort to
 * its caller's lr (the fetch was a call()), return from others. */
extern void (*on_exception[8])(struct frame *f);

void guest_main(void);

void print(const char *s);
void print_hex(const char *name, uint32_t value);
/* Print name and value; a failure when value differs from `want`. */
void expect(const char *name, uint32_t value, uint32_t want);
/* A failure unless exactly one exception `vector` has been taken since the last of these; prints the vector. */
void expect_exception(const char *name, unsigned vector);
void expect_none(const char *name);
/* Data abort with that DFSR at that address; instruction fetch abort likewise. */
void expect_dabt(const char *name, uint32_t dfsr, uint32_t dfar);
void expect_pabt(const char *name, uint32_t ifsr, uint32_t ifar);

/* All of a program's registers: what state_run() starts with, and what the exception that ends it leaves. While it runs, VBAR is
 * state_vectors and VFP is on. r13 and r14 are user mode's, r8-r12 not FIQ mode's, in whatever mode it runs. */
struct state {
    uint32_t r[15];
    uint32_t pc;     /* where to begin; at the end the LR of the exception's mode */
    uint32_t psr;    /* CPSR to begin with; at the end the SPSR */
    uint32_t vector; /* of the exception */
    uint32_t cpsr;   /* in its handler */
    uint32_t unused;
    uint64_t d[32];
};
void state_run(struct state *s);
void vfp_on(void); /* coprocessors 10 and 11 for all modes */

/* Is this qemu-system-arm? Only where it is known to be wrong (docs/cpu.md lists that) may a guest ask. */
bool on_qemu(void);
/* expect(), but QEMU is known to say `qemu`; prints the same on both. */
void expect_not_qemu(const char *name, uint32_t value, uint32_t want, uint32_t qemu);

uint32_t in_mode(unsigned mode, uint32_t (*fn)(uint32_t), uint32_t arg);
uint32_t in_user(uint32_t (*fn)(uint32_t), uint32_t arg);
_Noreturn void power_off(void);

uint32_t read32(uint32_t va), read16(uint32_t va), read8(uint32_t va), read_multiple(uint32_t va), read_exclusive(uint32_t va);
void read64(uint32_t va), read32_user(uint32_t va); /* for its faults */
void write32(uint32_t va, uint32_t x), write16(uint32_t va, uint32_t x), write8(uint32_t va, uint32_t x),
    write32_user(uint32_t va, uint32_t x);
/* What may be done at va: bits 0 privileged read, 1 privileged write, 2 user read, 3 user write, 4 privileged LDRT, 5 privileged STRT. */
unsigned rights(uint32_t va);
uint32_t user_read(uint32_t va), user_write(uint32_t va); /* for in_user() */
uint32_t call(uint32_t va); /* branch there; a prefetch abort comes back */

#define MRC(op1, crn, crm, op2)                                                                                                            \
    ({                                                                                                                                     \
        uint32_t x_;                                                                                                                       \
        __asm__ volatile("mrc p15, " #op1 ", %0, " #crn ", " #crm ", " #op2 : "=r"(x_) : : "memory");                                      \
        x_;                                                                                                                                \
    })
#define MCR(op1, crn, crm, op2, value) __asm__ volatile("mcr p15, " #op1 ", %0, " #crn ", " #crm ", " #op2 : : "r"(value) : "memory")
#define MRRC(op1, crm)                                                                                                                     \
    ({                                                                                                                                     \
        uint64_t x_;                                                                                                                       \
        __asm__ volatile("mrrc p15, " #op1 ", %Q0, %R0, " #crm : "=r"(x_) : : "memory");                                                   \
        x_;                                                                                                                                \
    })
#define MCRR(op1, crm, value) __asm__ volatile("mcrr p15, " #op1 ", %Q0, %R0, " #crm : : "r"((uint64_t)(value)) : "memory")
#define ISB()                 __asm__ volatile("isb" : : : "memory")
#define DSB()                 __asm__ volatile("dsb" : : : "memory")
#define REG32(a)              (*(volatile uint32_t *)(uintptr_t)(a))

static inline uint32_t cpsr(void)
{
    uint32_t x;
    __asm__ volatile("mrs %0, cpsr" : "=r"(x) : : "memory");
    return x;
}
#define IRQ_ON()  __asm__ volatile("cpsie i" : : : "memory")
#define IRQ_OFF() __asm__ volatile("cpsid i" : : : "memory")

/* --- MMU ------------------------------------------------------------------------------------------------------------ */
#define SCTLR_M    (1u << 0)
#define SCTLR_A    (1u << 1)
#define SCTLR_C    (1u << 2)
#define SCTLR_SW   (1u << 10)
#define SCTLR_I    (1u << 12)
#define SCTLR_V    (1u << 13)
#define SCTLR_WXN  (1u << 19)
#define SCTLR_UWXN (1u << 20)
#define SCTLR_EE   (1u << 25)
#define SCTLR_TRE  (1u << 28)
#define SCTLR_AFE  (1u << 29)
#define SCTLR_TE   (1u << 30)

/* Short descriptors: section fields. AP is the three-bit form. */
#define SECTION(pa, ap, domain, extra) ((pa) | 2u | ((ap)&3u) << 10 | ((ap) >> 2 & 1u) << 15 | (uint32_t)(domain) << 5 | (extra))
#define SECTION_NORMAL                 (1u << 12 | 3u << 2) /* TEX=1 C=1 B=1 */
#define SECTION_XN                     (1u << 4)
#define SECTION_PXN                    1u
#define SECTION_NG                     (1u << 17)
#define SMALL(pa, ap, extra)           ((pa) | 2u | ((ap)&3u) << 4 | ((ap) >> 2 & 1u) << 9 | (extra))
#define LARGE(pa, ap, extra)           ((pa) | 1u | ((ap)&3u) << 4 | ((ap) >> 2 & 1u) << 9 | (extra))
#define SMALL_NORMAL                   (1u << 6 | 3u << 2)
#define LARGE_NORMAL                   (1u << 12 | 3u << 2)
#define SMALL_XN                       1u
#define LARGE_XN                       (1u << 15)
#define PAGE_NG                        (1u << 11)

extern uint32_t l1_table[4096];
/* Identity map with short descriptors: devices and 256 MiB of RAM as domain 0 sections for all modes; turns the MMU on with DACR = 1 and
 * ASID 0. */
void mmu_on_short(void);
void mmu_off(void);
void sctlr_change(uint32_t set, uint32_t clear);
#define TLBIALL()                                                                                                                          \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c8, c7, 0, 0);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define TLBIMVA(v)                                                                                                                         \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c8, c7, 1, v);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define TLBIASID(v)                                                                                                                        \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c8, c7, 2, v);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define TLBIMVAA(v)                                                                                                                        \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c8, c7, 3, v);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define ICIALLU()                                                                                                                          \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c7, c5, 0, 0);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define ICIMVAU(v)                                                                                                                         \
    do {                                                                                                                                   \
        DSB();                                                                                                                             \
        MCR(0, c7, c5, 1, v);                                                                                                              \
        DSB();                                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define SET_ASID(a)                                                                                                                        \
    do {                                                                                                                                   \
        MCR(0, c13, c0, 1, a);                                                                                                             \
        ISB();                                                                                                                             \
    } while (0)
#define SET_DACR(a)                                                                                                                        \
    do {                                                                                                                                   \
        MCR(0, c3, c0, 0, a);                                                                                                              \
        ISB();                                                                                                                             \
    } while (0)

/* Nothing is at this physical address: external aborts. */
#define NOWHERE 0x0b000000u
/* RAM the guests may use as they like: 64 MiB, 16 MiB aligned */
#define PLAYGROUND 0x44000000u

#endif
