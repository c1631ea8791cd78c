/*
 * case.h: what the generator, the driver and the two runners say to each other.
 *
 * A *case* is a short piece of guest code with the whole user-visible state before it. A *batch* is a file with many of them:
 *     struct isa_batch | cases[n] | expected[n] | (page boundary) code
 * The Linux runner (under qemu-arm) maps it at ISA_BATCH_BASE, the code at ISA_CODE_BASE, runs every case and writes results[n]. The
 * bare-metal runner (under armlet or qemu-system-arm) finds the same bytes at the same addresses as segments of its ELF file, with the
 * Linux runner's results as expected[], and prints the cases that differ.
 *
 * Every case ends with an exception, normally the UDF at its end; the exception handler reads the state and loads that of the next case.
 * Compiled for the ARM runners and for the host: fixed-size integers, natural alignment.
 */
#ifndef ISA_CASE_H
#define ISA_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISA_MAGIC      0x31617369u /* "isa1" */
#define ISA_BATCH_BASE 0x50000000u
#define ISA_CODE_BASE  0x56000000u /* readable and executable in user mode */
#define ISA_CODE_MAX   0x02000000u
#define ISA_DATA_BASE  0x5a000000u /* one page, readable and writable; nothing is mapped around it */
#define ISA_DATA_SIZE  0x1000u
#define ISA_BARE_BASE  0x40200000u /* the bare-metal runner itself */

#define ISA_END_A32 0xe7f010f0u /* UDF: the end of a case */
#define ISA_END_T16 0xde42u

enum isa_kind { ISA_NONE, ISA_END, ISA_UNDEF, ISA_SEGV, ISA_BUS, ISA_FETCH, ISA_TRAP, ISA_SVC, ISA_LOOP, ISA_KINDS };

struct isa_state {
    uint32_t r[15]; /* 0 */
    uint32_t pc;    /* 60 */
    uint32_t cpsr;  /* 64 */
    uint32_t fpscr; /* 68 */
    uint64_t d[32]; /* 72 */
};
_Static_assert(offsetof(struct isa_state, d) == 72 && sizeof(struct isa_state) == 328, "offsets are used by assembly");

/* Registers of the privileged modes; isa_state.r[] is what user mode sees. */
struct isa_banked {
    uint32_t fiq[7]; /* 0: r8-r14 */
    uint32_t spsr_fiq;
    struct {
        uint32_t sp, lr, spsr;
    } svc, abt, und, irq; /* 32 */
    uint32_t fpexc;       /* 80 */
};
_Static_assert(sizeof(struct isa_banked) == 84, "offsets are used by assembly");

/* Conditions that a user program cannot make; the oracle is then the bare-metal runner in qemu-system-arm. */
#define ISA_MODE_SYSTEM   1u  /* cases run in system mode, privileged */
#define ISA_MODE_ALIGN    2u  /* SCTLR.A: every unaligned access faults */
#define ISA_MODE_PRIVATE  4u  /* the data page is for privileged accesses only */
#define ISA_MODE_BANKED   8u  /* cases start in the mode of their CPSR and have the registers of all modes */
#define ISA_MODE_WATCHDOG 16u /* a case that runs through several timer interrupts ends as ISA_LOOP */
/* Set by the driver: the runner compares nothing and leaves its results in expected[]. */
#define ISA_MODE_RECORD 0x80000000u

#define ISA_CASE_BYTES 256 /* code of a case, at most */

struct isa_case {
    struct isa_state in;
    struct isa_banked banked; /* right behind `in`: the runner loads both */
    uint32_t end;             /* address of the final UDF */
    uint32_t
        multi[4]; /* bit n: at code offset 2n starts an access of several registers: when it faults, what it did already is left open */
    uint32_t fpscr_mask;
    uint32_t has_banked;
};

#define ISA_CHANGED_MAX 24
struct isa_result {
    struct isa_state out; /* pc: of the instruction that raised */
    struct isa_banked banked;
    uint32_t kind;      /* enum isa_kind */
    uint32_t far;       /* fault address of ISA_SEGV, ISA_BUS, ISA_FETCH */
    uint32_t mem_hash;  /* over the data page */
    uint32_t n_changed; /* words of the data page that changed; the first ISA_CHANGED_MAX: */
    struct {
        uint32_t off, value;
    } changed[ISA_CHANGED_MAX];
};

struct isa_batch {
    uint32_t magic, n_cases;
    uint32_t cases, expected; /* guest addresses */
    uint32_t code_off;        /* file offset of the code */
    uint32_t code_size;
    uint32_t max_reports; /* bare: print at most so many differences */
    uint32_t timer_ticks; /* bare: a timer interrupt about every so many ticks of 16 ns; 0: none */
    uint32_t mode;        /* bare: ISA_MODE_* */
    uint32_t pad;
    uint32_t pattern[ISA_DATA_SIZE / 4]; /* the data page before every case */
};

/* Do the results agree, as far as the architecture (and QEMU's user mode) lets them be compared? */
bool isa_same(const struct isa_case *c, const struct isa_result *a, const struct isa_result *b);

#endif
