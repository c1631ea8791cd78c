/*
 * Returns from exceptions in every form, from each mode with an SPSR, out of both instruction sets, into each mode and both instruction
 * sets (the middle of an IT block too); entries of every exception from each mode and instruction set with every combination of masks.
 */
#include "guest.h"

struct form {
    const char *name;
    uint32_t code; /* bit 0: T32 */
    int32_t lr, sp;
    uint32_t words;
    int32_t step;
};
extern const struct form forms[];
extern char state_vectors[], vectors[], ee_vectors[];
extern uint32_t a32_target[], a32_loop[], a32_udf[], a32_bkpt[], a32_load[], t32_target[], t32_loop[], t32_udf[], t32_bkpt[], t32_load[],
    t32_in_it[];
uint32_t ee_svc(void);

#define NOT_QEMU   16u /* for QEMU 7.2 only MOVS and SUBS are returns */
#define ADDRESS(x) ((uint32_t)(uintptr_t)(x))
#define MASKS      0x1c0u
#define MIDDLE     0x680a0200u /* Z C Q, GE = 10, E */

static const uint8_t modes[] = {USR, FIQ, IRQ, SVC, ABT, UND, SYS};
static const char *const mode_names[] = {"usr", "fiq", "irq", "svc", "abt", "und", "sys"};
static uint32_t wrongs, shown;

static void same(const char *what, uint32_t is, uint32_t want)
{
    if (is == want)
        return;
    wrongs++;
    if (shown++ < 5)
        expect(what, is, want);
}

static void vectors_at(char *at)
{
    MCR(0, c12, c0, 0, ADDRESS(at));
    ISB();
}

static uint32_t banked_sp(unsigned mode)
{
    uint32_t sp, saved = cpsr();
    __asm__ volatile("msr cpsr_c, %1\n mov %0, sp\n msr cpsr_c, %2" : "=&r"(sp) : "r"((saved & ~31u) | mode), "r"(saved) : "memory");
    return sp;
}

static void set_banked_sp(unsigned mode, uint32_t sp)
{
    uint32_t saved = cpsr();
    __asm__ volatile("msr cpsr_c, %1\n mov sp, %0\n msr cpsr_c, %2" : : "r"(sp), "r"((saved & ~31u) | mode), "r"(saved) : "memory");
}

/* --- returns --- */

static uint32_t stack[64];

static void return_by(const struct form *f, unsigned from, uint32_t psr)
{
    static struct state s;
    uint32_t target = psr & 0x20 ? ADDRESS(t32_target) : ADDRESS(a32_target);
    uint32_t *words = &stack[32], sp = banked_sp(from);

    words[0] = f->words == 1 ? 0x6666 : target;
    words[1] = f->words == 1 ? target : psr;
    s = (struct state){.pc = f->code & ~1u, .psr = 0x40000000 | MASKS | from | (f->code & 1) << 5, .vector = ~0u};
    s.r[0] = target;
    s.r[1] = f->words == 2 ? 0x10 : psr; /* RFE takes nothing from the SPSR */
    s.r[2] = target + (uint32_t)f->lr;
    s.r[3] = ADDRESS(words) + (uint32_t)f->sp;
    s.r[4] = ~target;
    state_run(&s);
    same("vector", s.vector, VEC_SVC);
    same("CPSR there", s.psr, psr);
    same("pc", s.pc, target + (psr & 0x20 ? 2 : 4));
    if (f->words == 1)
        same("r6", s.r[6], 0x6666);
    if (from != SVC) { /* state_run() ends with its own */
        same("sp", banked_sp(from), s.r[3] + (uint32_t)f->step);
        set_banked_sp(from, sp);
    }
}

/* T32 in the middle of an IT block: which of the three additions are made says how much of ITSTATE has come along. */
static void return_into_it(const struct form *f, unsigned from)
{
    static const struct {
        uint8_t it;
        bool z;
        uint8_t want; /* bit n: addition n */
    } cases[] = {
        {0x08, true, 7},                                                       /* EQ, the last of a block: the rest is unconditional */
        {0x08, false, 6}, {0x04, false, 4}, {0x04, true, 7},  {0x0c, true, 5}, /* EQ, NE */
        {0x0c, false, 6}, {0x02, false, 0}, {0x0a, false, 2}, {0x0e, true, 1}, {0x1e, false, 7}, {0x16, false, 5},
    };
    static struct state s;
    uint32_t sp = banked_sp(from);

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t it = cases[i].it;
        uint32_t psr = MASKS | USR | 0x20 | (cases[i].z ? 1u << 30 : 0) | (it & 3) << 25 | (it >> 2) << 10;
        uint32_t *words = &stack[32];
        words[0] = f->words == 1 ? 0 : ADDRESS(t32_in_it);
        words[1] = f->words == 1 ? ADDRESS(t32_in_it) : psr;
        s = (struct state){.pc = f->code & ~1u, .psr = 0x40000000 | MASKS | from | (f->code & 1) << 5, .vector = ~0u};
        s.r[0] = ADDRESS(t32_in_it);
        s.r[1] = f->words == 2 ? 0x10 : psr;
        s.r[2] = ADDRESS(t32_in_it) + (uint32_t)f->lr;
        s.r[3] = ADDRESS(words) + (uint32_t)f->sp;
        s.r[4] = ~ADDRESS(t32_in_it);
        state_run(&s);
        uint32_t r4 = s.r[4] - ~ADDRESS(t32_in_it);
        same("additions in the rest of the IT block", (r4 & 1) | (s.r[5] & 1) << 1 | (s.r[6] & 1) << 2, cases[i].want);
        same("ITSTATE at the end", s.psr & 0x0600fc00, 0);
    }
    if (from != SVC)
        set_banked_sp(from, sp);
}

static void test_returns(void)
{
    static const uint8_t from[] = {FIQ, IRQ, SVC, ABT, UND};

    for (const struct form *f = forms; f->name; f++) {
        shown = wrongs = 0;
        vectors_at(state_vectors);
        for (unsigned i = 0; i < 5 && !(f->words & NOT_QEMU && on_qemu()); i++) {
            for (unsigned k = 0; k < 7; k++) {
                for (uint32_t t = 0; t < 2; t++) {
                    return_by(f, from[i], 0x900500c0 | (uint32_t)modes[k] | t << 5);
                    return_by(f, from[i], MIDDLE | 0x1c0 | modes[k] | t << 5);
                }
            }
            return_into_it(f, from[i]);
        }
        vectors_at(vectors);
        expect(f->name, wrongs, 0);
    }
}

/* --- entries --- */

#define GICD 0x08000000u
#define GICC 0x08010000u

static void interrupt(bool pending, bool fast)
{
    REG32(GICC) = fast ? 1 | 1 << 3 : 1; /* FIQEn: group 0 as FIQ */
    if (pending) {
        REG32(GICD + 0xf00) = 2u << 24 | 5;
        DSB();
    } else {
        uint32_t iar = REG32(GICC + 0xc);
        REG32(GICC + 0x10) = iar;
    }
}

static void test_entries(void)
{
    static const struct {
        const char *name;
        uint32_t *code[2];
        uint8_t vector, mode, masks, lr[2]; /* masks: A I F set, in CPSR position >> 6 */
    } cases[] = {
        {"svc", {a32_target, t32_target}, VEC_SVC, SVC, 2, {4, 2}},
        {"undefined", {a32_udf, t32_udf}, VEC_UNDEF, UND, 2, {4, 2}},
        {"breakpoint", {a32_bkpt, t32_bkpt}, VEC_PABT, ABT, 6, {4, 4}},
        {"prefetch abort", {(uint32_t *)0x30000000, (uint32_t *)0x30000002}, VEC_PABT, ABT, 6, {4, 4}},
        {"data abort", {a32_load, t32_load}, VEC_DABT, ABT, 6, {8, 8}},
        {"irq", {a32_loop, t32_loop}, VEC_IRQ, IRQ, 6, {4, 4}},
        {"fiq", {a32_loop, t32_loop}, VEC_FIQ, FIQ, 7, {4, 4}},
    };
    static struct state s;

    REG32(GICD) = 1;
    REG32(GICC + 4) = 0xf0;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned k = 0; k < 7; k++) {
            shown = wrongs = 0;
            vectors_at(state_vectors);
            for (uint32_t t = 0; t < 2; t++) {
                for (uint32_t masks = 0; masks < 8; masks++) {
                    bool irq = cases[i].vector == VEC_IRQ, fiq = cases[i].vector == VEC_FIQ;
                    if ((irq && masks & 2) || (fiq && masks & 1))
                        continue;
                    s = (struct state){.pc = ADDRESS(cases[i].code[t]) & ~(t ? 1u : 3u), .vector = ~0u};
                    s.psr = MIDDLE | masks << 6 | t << 5 | modes[k];
                    s.r[0] = 0x30000000;
                    uint32_t psr = s.psr, pc = s.pc;
                    if (irq || fiq)
                        interrupt(true, fiq);
                    state_run(&s);
                    if (irq || fiq)
                        interrupt(false, fiq);
                    same("vector", s.vector, cases[i].vector);
                    same("LR", s.pc - pc, cases[i].lr[t]);
                    same("SPSR", s.psr, psr);
                    same("CPSR", s.cpsr & 0x3ff, (masks | cases[i].masks) << 6 | cases[i].mode);
                }
            }
            vectors_at(vectors);
            print(cases[i].name);
            print(" from ");
            expect(mode_names[k], wrongs, 0);
        }
    }
}

/* A T32 instruction of four bytes whose second half cannot be fetched. */
static void test_straddling(void)
{
    static uint32_t l2[256] __attribute__((aligned(1024)));
    static struct state s;
    const uint32_t va = 0x80000000u;

    l1_table[va >> 20] = ADDRESS(l2) | 1;
    l2[0] = SMALL(PLAYGROUND, 3, SMALL_NORMAL);
    l2[1] = 0;
    TLBIALL();
    REG32(PLAYGROUND + 0xffc) = 0xf04f0000u | 0x0000bf00u; /* nop; mov.w r1, #... */
    REG32(PLAYGROUND + 0x1000) = 0xdf010155u;              /* ...0x55; svc #1 */
    ICIALLU();
    vectors_at(state_vectors);
    s = (struct state){.pc = va + 0xffc, .psr = MASKS | USR | 0x20};
    state_run(&s);
    vectors_at(vectors);
    expect("second half not mapped: vector", s.vector, VEC_PABT);
    expect("  LR", s.pc, va + 0xffe + 4);
    expect("  IFSR", MRC(0, c5, c0, 1) & 0x40f, 7);
    expect("  IFAR", MRC(0, c6, c0, 2), va + 0x1000);
    l2[1] = SMALL(PLAYGROUND + 0x1000, 3, SMALL_NORMAL);
    vectors_at(state_vectors);
    s.pc -= 4;
    state_run(&s);
    vectors_at(vectors);
    expect("  mapped and repeated: vector", s.vector, VEC_SVC);
    expect("  result", s.r[1], 0x55);
}

static void test_big_endian_entry(void)
{
    mmu_off();
    sctlr_change(SCTLR_EE, 0);
    vectors_at(ee_vectors);
    uint32_t entry = ee_svc();
    vectors_at(vectors);
    sctlr_change(0, SCTLR_EE);
    expect("SCTLR.EE: E at entry", entry & 0x23f, 0x213);
}

void guest_main(void)
{
    mmu_on_short();
    vfp_on();
    test_returns();
    test_entries();
    test_straddling();
    test_big_endian_entry();
}
