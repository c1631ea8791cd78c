/*
 * bare.c: runs a batch on the bare machine: the side under test. Board: UART at 0x09000000, RAM at 0x40000000, PSCI by HVC.
 *
 * Prints, per differing case, "DIFF <index>" and the result as hexadecimal words, then "DONE <cases> <differences> <interrupts>
 * <interrupts before the fetch from a misaligned A32 address>".
 */
#include "bare.h"
#include "collect.h"

extern struct {
    struct isa_state state;
    struct isa_banked banked;
} frame;
uint32_t bare_make_tables(void);
const struct isa_state *bare_first(void);
bool bare_interrupt(uint32_t pc, uint32_t cpsr);
const struct isa_state *bare_event(uint32_t vector);
_Noreturn void bare_power_off(void);
uint32_t bare_banked;                       /* ISA_MODE_BANKED */
uint32_t bare_timer_ticks, bare_interrupts; /* for the interrupt handler; not 0: a timer interrupt so often */

static uint32_t level1[4096] __attribute__((aligned(16384)));
static uint32_t level2[256] __attribute__((aligned(1024)));
static uint32_t current, differences, misaligned_interrupts;
static enum isa_kind interrupt_kind; /* of an interrupt that ends a case */
static struct isa_result result;

#define SECTION_NORMAL  0x1140eu            /* TEX 001 C B: normal write-back, shareable, AP = 01: privileged only */
#define SECTION_USER_RO (0x1140eu ^ 0xc00u) /* AP = 10 */
#define SECTION_DEVICE  0x00416u            /* device, privileged only, execute never */

static const struct isa_batch *batch(void)
{
    return (const struct isa_batch *)ISA_BATCH_BASE;
}

uint32_t bare_make_tables(void)
{
    for (uint32_t mb = 0x400; mb < 0x600; mb++)
        level1[mb] = mb << 20 | SECTION_NORMAL;
    for (uint32_t mb = ISA_CODE_BASE >> 20; mb < (ISA_CODE_BASE + ISA_CODE_MAX) >> 20; mb++)
        level1[mb] = mb << 20 | SECTION_USER_RO;
    level1[0x080] = 0x08000000u | SECTION_DEVICE;
    level1[0x090] = 0x09000000u | SECTION_DEVICE;
    level1[ISA_DATA_BASE >> 20] = (uint32_t)level2 | 1;
    /* normal write-back, shareable, execute never; AP = 11 or 01 */
    level2[ISA_DATA_BASE >> 12 & 255] = ISA_DATA_BASE | (batch()->mode & ISA_MODE_PRIVATE ? 0x45f : 0x47e | 1);
    return (uint32_t)level1;
}

/* The compiler calls this for structure copies. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    uint32_t *d = dst;
    const uint32_t *s = src;

    for (; n >= 4; n -= 4)
        *d++ = *s++;
    for (size_t i = 0; i < n; i++)
        ((char *)d)[i] = ((const char *)s)[i];
    return dst;
}

static void put_char(char c)
{
    *(volatile uint32_t *)0x09000000 = (uint8_t)c;
}

static void put_text(const char *s)
{
    while (*s)
        put_char(*s++);
}

static void put_hex(uint32_t v)
{
    int shift = 28;

    while (shift && !(v >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put_char("0123456789abcdef"[v >> shift & 15]);
}

static const struct isa_case *cases(void)
{
    return (const struct isa_case *)batch()->cases;
}

/* The virtual timer's interrupt, 27, to this processor; the GIC is that of GICv2, and everything has priority 0. */
static void start_timer(void)
{
    volatile uint32_t *dist = (volatile uint32_t *)0x08000000, *cpu = (volatile uint32_t *)0x08010000;

    dist[0x100 / 4] = 1u << 27;
    dist[0] = 1;
    cpu[1] = 0xff;
    cpu[0] = 1;
    __asm__ volatile("mcr p15, 0, %0, c14, c3, 0\n\tmcr p15, 0, %1, c14, c3, 1" : : "r"(bare_timer_ticks), "r"(1));
}

const struct isa_state *bare_first(void)
{
    if (batch()->magic != ISA_MAGIC) {
        put_text("no batch\n");
        bare_power_off();
    }
    isa_fill_memory(batch());
    bare_timer_ticks = batch()->timer_ticks;
    if (bare_timer_ticks)
        start_timer();
    if (batch()->mode & ISA_MODE_ALIGN) {
        uint32_t sctlr;
        __asm__ volatile("mrc p15, 0, %0, c1, c0, 0\n\torr %0, %0, #2\n\tmcr p15, 0, %0, c1, c0, 0\n\tisb" : "=r"(sctlr));
    }
    bare_banked = batch()->mode & ISA_MODE_BANKED;
    return &cases()[0].in;
}

/* A timer interrupt before the instruction at pc: does it end the case? The watchdog's eighth in one case does. So does one that came between
 * a branch to an A32 address that is no multiple of four and the fetch from there: the return from the interrupt would clear the two bits
 * (ARM ARM A2.3.1, BranchWritePC()), so the alignment fault that the fetch raises is recorded here. */
bool bare_interrupt(uint32_t pc, uint32_t cpsr)
{
    static uint32_t seen, times;

    if (!(cpsr & 0x20) && pc & 3) {
        misaligned_interrupts++;
        interrupt_kind = ISA_FETCH;
        return true;
    }
    if (!(batch()->mode & ISA_MODE_WATCHDOG))
        return false;
    times = seen == current ? times + 1 : 0;
    seen = current;
    interrupt_kind = ISA_LOOP;
    return times == 8;
}

static void report(void)
{
    const uint32_t *w = (const uint32_t *)&result;
    uint32_t n = result.n_changed < ISA_CHANGED_MAX ? result.n_changed : ISA_CHANGED_MAX;
    uint32_t words = (offsetof(struct isa_result, changed) + n * sizeof(result.changed[0])) / 4;

    put_text("DIFF ");
    put_hex(current);
    for (uint32_t i = 0; i < words; i++) {
        put_char(i % 16 ? ' ' : '\n');
        put_hex(w[i]);
    }
    put_text("\n\n");
}

const struct isa_state *bare_event(uint32_t vector)
{
    const struct isa_case *c = &cases()[current];
    uint32_t status, thumb = frame.state.cpsr & 0x20;

    result.out = frame.state;
    result.banked = frame.banked; /* zero unless ISA_MODE_BANKED */
    result.far = 0;
    switch (vector) {
    case VEC_UNDEF:
        result.out.pc -= thumb ? 2 : 4;
        result.kind = result.out.pc == c->end ? ISA_END : ISA_UNDEF;
        break;
    case VEC_SVC:
        result.out.pc -= thumb ? 2 : 4;
        result.kind = ISA_SVC;
        break;
    case VEC_IRQ:
        result.kind = interrupt_kind;
        if (interrupt_kind == ISA_FETCH)
            result.far = result.out.pc -= 4;
        break;
    case VEC_PABT:
        result.out.pc -= 4;
        __asm__ volatile("mrc p15, 0, %0, c5, c0, 1" : "=r"(status));
        __asm__ volatile("mrc p15, 0, %0, c6, c0, 2" : "=r"(result.far));
        result.kind = (status & 15) == 2 ? ISA_TRAP : ISA_FETCH;
        break;
    default:
        result.out.pc -= 8;
        __asm__ volatile("mrc p15, 0, %0, c5, c0, 0" : "=r"(status));
        __asm__ volatile("mrc p15, 0, %0, c6, c0, 0" : "=r"(result.far));
        result.kind = (status & 15) == 1 ? ISA_BUS : ISA_SEGV;
    }
    isa_collect_memory(batch(), &result);
    struct isa_result *expected = &((struct isa_result *)batch()->expected)[current];
    if (batch()->mode & ISA_MODE_RECORD) {
        *expected = result;
    } else if (!isa_same(c, &result, expected)) {
        if (differences++ < batch()->max_reports)
            report();
    }
    current++;
    if (current == batch()->n_cases) {
        put_text("DONE ");
        put_hex(current);
        put_char(' ');
        put_hex(differences);
        put_char(' ');
        put_hex(bare_interrupts);
        put_char(' ');
        put_hex(misaligned_interrupts);
        put_char('\n');
        bare_power_off();
    }
    return &cases()[current].in;
}
