/*
 * Precise data aborts: each form of load and store with the end of what may be accessed at its beginning, within it at every word or byte,
 * and behind it. At the abort DFSR, DFAR, LR and SPSR are right, the base register and every register that is not loaded have their old
 * values; when the access is then allowed and the instruction returned to, the result is that of an undisturbed run.
 */
#include "guest.h"

enum { WORDS = 1, STORE = 2, NATURAL = 4, PRIV = 8, ZEROS = 16, RETURN = 32, SWAP = 64, NOT_QEMU = 128 }; /* as in cases.S */

struct abort_case {
    const char *name;
    uint32_t code, at; /* where it begins (bit 0: T32), the address of the instruction itself */
    uint32_t base;
    int32_t offset;
    uint32_t bytes, flags;
};
extern const struct abort_case abort_cases[];

#define TEST_VA  0x80000000u
#define BOUNDARY (TEST_VA + 0x1000)
#define FIRST    (PLAYGROUND + 0x3000) /* the two pages: not neighbours in memory */
#define SECOND   (PLAYGROUND + 0x1000)
#define WINDOW   256u /* bytes on each side of the boundary that are compared */

static uint32_t l2_table[256] __attribute__((aligned(1024)));
static const char *why; /* of the case at hand */
static uint32_t detail[2], aborts, hash;

static void map(unsigned page, uint32_t desc)
{
    l2_table[page] = desc;
    TLBIMVA(TEST_VA + page * 0x1000);
}
static void map_both(void)
{
    map(0, SMALL(FIRST, 3, SMALL_NORMAL | SMALL_XN));
    map(1, SMALL(SECOND, 3, SMALL_NORMAL | SMALL_XN));
}

static void fill(const struct abort_case *c, uint32_t first_byte)
{
    for (unsigned i = 0; i < 0x1000; i += 4) {
        REG32(FIRST + i) = c->flags & ZEROS ? 0 : i * 0x9e3779b1u | 1;
        REG32(SECOND + i) = c->flags & ZEROS ? 0 : (i * 0x85ebca6bu + 0x1234567) | 1;
    }
    if (c->flags & RETURN) { /* to the SVC behind the instruction */
        uint32_t word[2] = {c->at + 4, 0x600001d0 | (c->code & 1) << 5 | (SYS & 31)};
        for (unsigned i = 0; i < 2; i++) {
            uint32_t va = first_byte + 4 * i;
            REG32((va < BOUNDARY ? FIRST : SECOND) + (va & 0xffc)) = word[i];
        }
    }
}

static uint32_t memory_sum(void)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < WINDOW; i += 4)
        sum = (sum ^ REG32(FIRST + 0x1000 - WINDOW + i)) * 0x01000193u;
    for (unsigned i = 0; i < WINDOW; i += 4)
        sum = (sum ^ REG32(SECOND + i)) * 0x01000193u;
    return sum;
}

static void start(struct state *s, const struct abort_case *c, uint32_t first_byte, unsigned mode)
{
    for (unsigned i = 0; i < 15; i++)
        s->r[i] = 0x11110000u * (i + 1) + 0x5a;
    for (unsigned i = 0; i < 32; i++)
        s->d[i] = 0x0123456789abcdefull * (2 * i + 1);
    s->r[3] = 16;
    s->r[c->base] = first_byte - (uint32_t)c->offset;
    s->pc = c->code & ~1u;
    s->psr = 0x680f01c0u | mode | (c->code & 1) << 5; /* Z, C, Q, GE; A, I, F */
    s->vector = ~0u;
}

static void wrong(const char *what, uint32_t is, uint32_t want)
{
    if (!why) {
        why = what;
        detail[0] = is;
        detail[1] = want;
    }
}
static void same(const char *what, uint32_t is, uint32_t want)
{
    if (is != want)
        wrong(what, is, want);
    hash = (hash ^ want) * 0x01000193u;
}

static bool equal(const struct state *a, const struct state *b)
{
    for (unsigned i = 0; i < 15; i++)
        if (a->r[i] != b->r[i])
            return false;
    for (unsigned i = 0; i < 32; i++)
        if (a->d[i] != b->d[i])
            return false;
    return a->pc == b->pc && a->psr == b->psr && a->vector == b->vector;
}

static void check_abort(const struct abort_case *c, const struct state *s, const struct state *before, const struct state *good,
                        uint32_t dfsr, uint32_t dfar)
{
    bool it = c->at != (c->code & ~1u);
    aborts++;
    same("vector", s->vector, VEC_DABT);
    same("DFSR", MRC(0, c5, c0, 0), dfsr);
    same("DFAR", MRC(0, c6, c0, 0), dfar);
    same("LR", s->pc, c->at + 8);
    same("SPSR", s->psr, before->psr | (it ? 1u << 11 : 0));
    for (unsigned i = 0; i < 15; i++) /* what an undisturbed run loads is unknown now, but not the base */
        if ((i == c->base && !(c->flags & NOT_QEMU && on_qemu())) || good->r[i] == before->r[i])
            same("register", s->r[i], before->r[i]);
}

/* The access begins `before` bytes before the boundary; the page `closed` is not to be accessed. */
static void try_one(const struct abort_case *c, unsigned mode, uint32_t before, unsigned closed, uint32_t desc, uint32_t status)
{
    static struct state initial, good, s;
    uint32_t first_byte = BOUNDARY - before;
    uint32_t good_memory;

    start(&initial, c, first_byte, mode);
    good = s = initial;
    map_both();
    fill(c, first_byte);
    state_run(&good);
    good_memory = memory_sum();
    if (good.vector == VEC_DABT)
        wrong("undisturbed run: DFAR", MRC(0, c6, c0, 0), 0);

    fill(c, first_byte);
    map(closed, desc);
    state_run(&s);
    check_abort(c, &s, &initial, &good, status | (c->flags & STORE || (c->flags & SWAP && desc) ? 0x800 : 0),
                closed == 0 ? first_byte
                : before    ? BOUNDARY
                            : first_byte);
    if (c->flags & NOT_QEMU && on_qemu())
        return; /* QEMU 7.2 loads the base before the second word's abort: the instruction cannot be repeated */
    map_both();
    s.pc -= 8;
    state_run(&s);
    if (!equal(&s, &good))
        wrong("registers after the repetition", s.r[1], good.r[1]);
    same("memory after the repetition", memory_sum(), good_memory);
}

static void try_alignment(const struct abort_case *c, unsigned mode, uint32_t first_byte)
{
    static struct state initial, s;
    start(&initial, c, first_byte, mode);
    s = initial;
    fill(c, BOUNDARY - 128);
    state_run(&s);
    check_abort(c, &s, &initial, &initial, 1 | (c->flags & STORE ? 0x800 : 0), first_byte);
}

static void try_case(const struct abort_case *c, unsigned mode)
{
    unsigned step = c->flags & WORDS ? 4 : c->flags & NATURAL ? c->bytes : 1;
    uint32_t last_before = c->bytes > 4 && step == 1 ? c->bytes - 1 : c->bytes - step;

    for (uint32_t before = 0; before <= last_before; before += step) {
        uint32_t no_access = SMALL(SECOND, mode == USR ? 1 : 0, SMALL_NORMAL | SMALL_XN);
        try_one(c, mode, before, 1, 0, 0x007);
        if (!(c->flags & SWAP))
            try_one(c, mode, before, 1, no_access, 0x00f);
        if (c->flags & (STORE | SWAP))
            try_one(c, mode, before, 1, SMALL(SECOND, 7, SMALL_NORMAL | SMALL_XN), 0x00f);
        if (before)
            try_one(c, mode, before, 0, 0, 0x007);
    }
    try_one(c, mode, c->bytes, 0, 0, 0x007); /* all of it in the first page */
    if (c->flags & (WORDS | NATURAL) && c->bytes > 1 && !(c->flags & SWAP)) {
        map_both();
        for (unsigned off = 1; off < (c->flags & WORDS ? 4 : c->bytes); off++)
            try_alignment(c, mode, BOUNDARY - 128 + off);
        map(0, 0); /* alignment comes before translation */
        try_alignment(c, mode, BOUNDARY - 128 + 1);
    }
}

void guest_main(void)
{
    static const char *const names[] = {"usr", "sys", "irq"};
    static const uint8_t modes[] = {USR, SYS, IRQ};
    extern char state_vectors[], vectors[];

    mmu_on_short();
    l1_table[TEST_VA >> 20] = (uint32_t)(uintptr_t)l2_table | 1;
    vfp_on();
    sctlr_change(SCTLR_SW, 0);
    for (unsigned m = 0; m < 3; m++) {
        for (const struct abort_case *c = abort_cases; c->name; c++) {
            if (!!(c->flags & PRIV) != (modes[m] == IRQ))
                continue;
            why = NULL;
            aborts = hash = 0;
            MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)state_vectors);
            ISB();
            try_case(c, modes[m]);
            MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)vectors);
            ISB();
            print(names[m]);
            print(" ");
            print_hex(c->name, aborts << 24 | (c->flags & NOT_QEMU ? 0 : hash >> 8));
            if (why)
                expect(why, detail[0], detail[1]);
        }
    }
}
