/*
 * gen.c: cases, units, and the code both are written with. What an operand may be is in gen_int.c and gen_fp.c.
 */
#include "gen.h"

#include <arch/arm/translate_int.h>
#include <stdlib.h>
#include <string.h>

uint32_t rnd(struct rng *r)
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z ^ z >> 31);
}

uint32_t below(struct rng *r, uint32_t n)
{
    return (uint32_t)((uint64_t)rnd(r) * n >> 32);
}

uint32_t interesting_word(struct rng *r)
{
    static const uint32_t words[] = {0,          1,          2,          0x7f,       0x80,       0xff,       0x100,
                                     0x7fff,     0x8000,     0xffff,     0x10000,    0x7fffffff, 0x80000000, 0x80000001,
                                     0xfffffffe, 0xffffffff, 0x7fff8000, 0x80007fff, 0x00ff00ff, 0x80808080, 0x7f7f7f7f,
                                     0xffff0000, 31,         32,         33,         0x40000000};
    uint32_t w = chance(r, 40) ? words[below(r, ARRAY_LEN(words))] : rnd(r);

    return chance(r, 10) ? w >> below(r, 32) : w;
}

static uint32_t interesting_float(struct rng *r)
{
    static const uint32_t floats[] = {
        0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001,
        0xffbfffff, 0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff,
        0x3f7fffff, 0x3f800001, 0x4f000000, 0xcf000000, 0x4effffff, 0x4f800000, 0x3f000000, 0xbf000000, 0x40490fdb,
        0x4b000000, 0x4b800001, 0x33800000, 0x477fe000, 0x47800000, 0x38800000, 0x387fc000, 0x33000000, 0x40000000,
    };
    uint32_t w = below(r, 4);

    if (w == 0)
        return floats[below(r, ARRAY_LEN(floats))];
    if (w == 1) /* near one another, so that sums cancel and round */
        return (rnd(r) & 0x807fffff) | (120 + below(r, 16)) << 23;
    if (w == 2) /* near the ends of the range */
        return (rnd(r) & 0x807fffff) | (chance(r, 50) ? below(r, 30) : 225 + below(r, 30)) << 23;
    return rnd(r);
}

uint64_t interesting_double(struct rng *r)
{
    static const uint64_t doubles[] = {
        0,
        0x8000000000000000,
        0x3ff0000000000000,
        0xbff0000000000000,
        0x7ff0000000000000,
        0xfff0000000000000,
        0x7ff8000000000000,
        0xfff8000000000001,
        0x7ff0000000000001,
        0xfff7ffffffffffff,
        1,
        0x8000000000000001,
        0x000fffffffffffff,
        0x0010000000000000,
        0x7fefffffffffffff,
        0x41e0000000000000,
        0xc1e0000000000000,
        0x41dfffffffc00000,
        0x41efffffffe00000,
        0x3fe0000000000000,
        0x47f0000000000000,
        0x380fffffffffffff,
        0x36a0000000000000,
        0x3690000000000000,
        0x4340000000000000,
        0xbfe0000000000000,
        0x47efffffe0000000,
        0x47effffff0000000,
        0x3810000000000000,
        0x4000000000000000,
    };

    switch (below(r, 8)) {
    case 0:
        return doubles[below(r, ARRAY_LEN(doubles))];
    case 1:
        return ((uint64_t)rnd(r) << 32 | rnd(r)) & 0x800fffffffffffff
                   ? (((uint64_t)rnd(r) << 32 | rnd(r)) & 0x800fffffffffffff) | (uint64_t)(1013 + below(r, 20)) << 52
                   : 0;
    case 2:
        return (((uint64_t)rnd(r) << 32 | rnd(r)) & 0x800fffffffffffff) | (uint64_t)(1023 - 160 + below(r, 320)) << 52;
    case 3: /* small integers in bytes */
        return ((uint64_t)rnd(r) << 32 | rnd(r)) & 0x0f0f0f0f0f0f0f0f;
    case 4:
        return (uint64_t)interesting_word(r) << 32 | interesting_word(r);
    default:
        return (uint64_t)interesting_float(r) << 32 | interesting_float(r);
    }
}

uint32_t field_set(const struct gen_row *row, uint32_t word, char letter, uint32_t value)
{
    unsigned f = letter >= 'a' ? (unsigned)(letter - 'a') : (unsigned)(26 + letter - 'A');

    for (unsigned i = row->pattern.segments; i-- > 0;) { /* the last segment is the least significant */
        if (row->pattern.segment[i].field != f)
            continue;
        unsigned width = row->pattern.segment[i].width, lsb = row->pattern.segment[i].lsb;
        uint32_t mask = 0xffffffffu >> (32 - width);
        word = (word & ~(mask << lsb)) | (value & mask) << lsb;
        value = width < 32 ? value >> width : 0;
    }
    return word;
}

unsigned pick_reg(struct builder *b)
{
    unsigned r = below(b->r, 14);

    return r == 13 ? 14 : r;
}

void put_insn(struct builder *b, uint32_t word, unsigned size, int row, bool counted, bool multi)
{
    struct gen_case *c = b->c;

    if (c->n < GEN_MAX_INSNS)
        c->insn[c->n++] =
            (struct gen_insn){.word = word, .size = (uint8_t)size, .thumb = c->thumb, .counted = counted, .multi = multi, .row = row};
}

void put_const(struct builder *b, unsigned reg, uint32_t value)
{
    for (unsigned high = 0; high < 2; high++) {
        uint32_t v = high ? value >> 16 : value & 0xffff;
        if (high && !v)
            break;
        if (b->c->thumb)
            put_insn(b,
                     (high ? 0xf2c00000 : 0xf2400000) | (v >> 11 & 1) << 26 | (v >> 12) << 16 | (v >> 8 & 7) << 12 | reg << 8 | (v & 0xff),
                     4, -1, false, false);
        else
            put_insn(b, (high ? 0xe3400000 : 0xe3000000) | (v >> 12) << 16 | reg << 12 | (v & 0xfff), 4, -1, false, false);
    }
}

void put_row(struct builder *b, int row, uint32_t word, bool counted, bool multi)
{
    enum arm_table table = b->g->rows[row].table;

    if (b->c->thumb && table == ARM_TABLE_NEON) {
        if ((word & 0xfe000000) == 0xf2000000)
            word = 0xef000000 | (word >> 24 & 1) << 28 | (word & 0x00ffffff);
        else
            word = 0xf9000000 | (word & 0x00ffffff);
    }
    put_insn(b, word, table == ARM_TABLE_T16 ? 2 : 4, row, counted, multi);
}

bool decodes_to(const struct gen *g, int row, uint32_t word, bool thumb)
{
    struct arm_insn i;
    bool ok;

    if (g->rows[row].table == ARM_TABLE_T16)
        ok = arm_decode_thumb(g->decoder, 0, (uint16_t)word, 0, &i);
    else if (thumb && g->rows[row].table == ARM_TABLE_T32)
        ok = arm_decode_thumb(g->decoder, 0, word >> 16, (uint16_t)word, &i);
    else
        ok = arm_decode_a32(g->decoder, 0, word, &i);
    return ok && i.row == g->rows[row].row;
}

uint32_t pick_address(struct builder *b, unsigned len, unsigned align)
{
    unsigned k = below(b->r, 100);
    uint32_t a;

    if (k < 3 && b->o->faults) /* around an end of the page */
        return chance(b->r, 50) ? ISA_DATA_BASE - below(b->r, len + 8) : ISA_DATA_BASE + ISA_DATA_SIZE - below(b->r, len + 8);
    a = ISA_DATA_BASE + below(b->r, ISA_DATA_SIZE - len + 1);
    if (align > 1 && k < 97)
        return a & ~(align - 1);
    if (k < 25)
        return a;
    return a & (k < 60 ? ~3u : ~7u);
}

/* Should-be bits that a pattern leaves open are zero; but in T32 the operand register of some stands twice. */
static uint32_t should_be(const struct gen_row *row, uint32_t word)
{
    return row->table == ARM_TABLE_T32 && row->row->translate == tr_unary ? row->pattern.any & (word & 15) << 16 : 0;
}

uint32_t random_word(struct builder *b, int row)
{
    const struct gen_row *r = &b->g->rows[row];
    uint32_t all = r->table == ARM_TABLE_T16 ? 0xffff : 0xffffffff;
    uint32_t word = (rnd(b->r) & all & ~r->pattern.mask & ~r->pattern.any) | r->pattern.value;

    return word | should_be(r, word);
}

static bool is_conditional(const struct gen_row *row)
{
    return (row->table == ARM_TABLE_A32 || row->table == ARM_TABLE_VFP) && field_width(row, 'c') == 4 && row->row->pattern[0] == 'c';
}

/* Make the word of one instruction of `row` and what must be set before it. */
static bool make_word(struct builder *b, int row, int cond, uint32_t *word, struct fixups *f)
{
    const struct gen_row *r = &b->g->rows[row];
    bool fp = r->table == ARM_TABLE_VFP || r->table == ARM_TABLE_NEON;

    for (int tries = 0; tries < 200; tries++) {
        *word = random_word(b, row);
        memset(f, 0, sizeof(*f));
        if (is_conditional(r))
            *word = (*word & 0x0fffffff) | (uint32_t)cond << 28;
        if (fp ? !gen_fp_word(b, row, word, f) : !gen_int_word(b, row, word, f))
            continue;
        *word |= should_be(r, *word);
        if (decodes_to(b->g, row, *word, b->c->thumb))
            return true;
    }
    return false;
}

bool gen_simple_unit(struct builder *b, int row, int cond, bool counted)
{
    struct fixups f;
    uint32_t word;
    bool thumb = b->c->thumb;

    if (cond < 0)
        cond = thumb || chance(b->r, 75) ? 14 : (int)below(b->r, 14);
    if (!make_word(b, row, cond, &word, &f))
        return false;
    for (unsigned i = 0; i < f.n; i++)
        put_const(b, f.set[i].reg, f.set[i].value);
    put_row(b, row, word, counted && (cond == 14 || !is_conditional(&b->g->rows[row])), f.multi);
    return true;
}

/* An IT block: the first instruction may access memory (its registers are set before the block), the others work on registers. */
static bool it_unit(struct builder *b)
{
    unsigned n = 1 + below(b->r, 4), cond = below(b->r, chance(b->r, 80) ? 14 : 15), mask = 0;
    unsigned start = b->c->n, made = 0, at = 0;
    struct gen_insn body[4];

    for (int tries = 0; made < n && tries < 100; tries++) {
        int row = b->g->pick[1][below(b->r, (uint32_t)b->g->n_pick[1])];
        const struct gen_row *r = &b->g->rows[row];
        struct fixups f;
        uint32_t word;
        if ((r->cls != GEN_SAFE && !(r->cls == GEN_MEM && made == 0)) || r->table == ARM_TABLE_NEON || (r->row->flags & ROW_NO_COND))
            continue;
        if (!make_word(b, row, 14, &word, &f))
            continue;
        if (made && f.n)
            continue;
        for (unsigned i = 0; i < f.n; i++)
            put_const(b, f.set[i].reg, f.set[i].value);
        at = b->c->n;
        put_row(b, row, word, cond == 14, f.multi);
        body[made++] = b->c->insn[at];
        b->c->n = at;
    }
    if (!made) {
        b->c->n = start;
        return false;
    }
    /* mask: for each further instruction the low bit of its condition, then a one */
    for (unsigned i = 1; i < made; i++)
        mask = mask << 1 | (cond == 14 ? 0 : ((cond & 1) ^ below(b->r, 2)));
    mask = (mask << 1 | 1) << (4 - made);
    put_insn(b, 0xbf00 | cond << 4 | mask, 2, -1, false, false);
    for (int i = 0; i < b->g->n_rows; i++)
        if (b->g->rows[i].row->translate == tr_it && b->g->rows[i].table == ARM_TABLE_T16) {
            b->c->insn[b->c->n - 1].row = i;
            b->c->insn[b->c->n - 1].counted = true;
        }
    for (unsigned i = 0; i < made; i++)
        b->c->insn[b->c->n++] = body[i];
    return true;
}

static unsigned code_bytes(const struct gen_case *c)
{
    unsigned bytes = 0;

    for (unsigned i = 0; i < c->n; i++)
        bytes += c->insn[i].size;
    return bytes;
}

static void random_state(struct rng *r, bool thumb, struct isa_state *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < 15; i++)
        s->r[i] = interesting_word(r);
    for (unsigned i = 0; i < 32; i++)
        s->d[i] = interesting_double(r);
    s->cpsr = 0x10 | (thumb ? 0x20 : 0) | (rnd(r) & 0xf8000000) | (rnd(r) & 0x000f0000);
    s->fpscr = rnd(r) & 0xf0000000;
    if (chance(r, 40)) /* QC, AHP, DN, FZ, RMode, and cumulative flags */
        s->fpscr |= rnd(r) & 0x0fc0009f;
    if (chance(r, 30))
        s->fpscr &= ~0x07c00000u;
}

/* Any word of any row, fields and should-be bits random: mostly UNPREDICTABLE. Registers hold addresses, so that most accesses succeed. */
static bool anything_unit(struct builder *b, int row)
{
    const struct gen_row *r = &b->g->rows[row];
    uint32_t all = r->table == ARM_TABLE_T16 ? 0xffff : 0xffffffff, word = (rnd(b->r) & all & ~r->pattern.mask) | r->pattern.value;

    if (!chance(b->r, 50))
        word = (word & ~r->pattern.any) | (random_word(b, row) & r->pattern.any);
    if (is_conditional(r))
        word = (word & 0x0fffffff) | 0xe0000000;
    for (const char *p = "ndmtalhvsu"; *p; p++) /* r13 and r15 more often than by chance */
        if (field_width(r, *p) == 4 && chance(b->r, 25))
            word = field_set(r, word, *p, chance(b->r, 50) ? 15 : chance(b->r, 50) ? 13 : below(b->r, 16));
    arm_translate_fn tr = r->row->translate;
    if ((r->cls == GEN_BRANCH && (tr != tr_bx || field_get(r, word, 'm') == 15)) || !decodes_to(b->g, row, word, b->c->thumb))
        return false; /* branches by an offset have nothing unpredictable and need not end */
    unsigned d = field_get(r, word, 'd'), n = field_get(r, word, 'n'), m = field_get(r, word, 'm');
    if (d == 15 && (n == 15 || (field_width(r, 'm') == 4 && m == 15)) && r->row->flags & ROW_USER_SAFE)
        return false; /* may go round for ever */
    put_row(b, row, word, true, true);
    return true;
}

/* The state for it: addresses in the data page; some where nothing is mapped; small numbers. All aligned: QEMU does not check the alignment
 * of all that the architecture does (a store-exclusive that fails anyway, 256 bits). */
static void address_state(struct rng *r, struct isa_state *s)
{
    for (unsigned i = 0; i < 15; i++) {
        uint32_t k = below(r, 10);
        s->r[i] = k < 7   ? ISA_DATA_BASE + 0x400 + (below(r, 0x800) & ~31u)
                  : k < 8 ? 0x70000000 + (below(r, 0x1000000) & ~31u)
                          : 32 * below(r, 4);
    }
}

void gen_state(const struct gen_case *c, uint64_t seed, uint32_t number, struct isa_state *out)
{
    struct rng r = {.s = (~seed << 32 | number) * 0xd1342543de82ef95u};

    r.s = (uint64_t)rnd(&r) << 32 | rnd(&r);
    random_state(&r, c->thumb, out);
    if (c->has_banked) {
        out->cpsr = (out->cpsr & ~0x1dfu) | (c->in.cpsr & 0x1df);
        out->r[13] = c->in.r[13];
    }
    if (c->anything)
        address_state(&r, out);
}

static int row_number(const struct gen *g, const struct arm_row *row)
{
    for (int i = 0; i < g->n_rows; i++)
        if (g->rows[i].row == row)
            return i;
    return -1;
}

/* An instruction of a row that is undefined: only coprocessors that the old floating-point emulation of QEMU's user mode leaves alone. */
static bool undefined_row(struct builder *b)
{
    for (int tries = 0; tries < 1000; tries++) {
        int row = (int)below(b->r, (uint32_t)b->g->n_rows);
        const struct gen_row *r = &b->g->rows[row];
        bool a32 = r->table != ARM_TABLE_T16 && r->table != ARM_TABLE_T32;
        uint32_t all = r->table == ARM_TABLE_T16 ? 0xffff : 0xffffffff;
        if (!(r->row->flags & ROW_UNDEF) || (b->c->thumb ? r->table == ARM_TABLE_A32 : !a32))
            continue;
        uint32_t word = (rnd(b->r) & all & ~r->pattern.mask) | r->pattern.value;
        if (is_conditional(r) || (r->row->pattern[0] == 'c'))
            word = (word & 0x0fffffff) | 0xe0000000;
        if (r->table != ARM_TABLE_T16 && (word >> 26 & 3) == 3 && (word >> 24 & 15) < 15) {
            static const uint8_t coprocessors[] = {0, 3, 4, 5, 6, 7, 8, 9, 12, 13};
            word = (word & ~0xf00u) | (uint32_t)coprocessors[below(b->r, ARRAY_LEN(coprocessors))] << 8;
        }
        if (word == ISA_END_A32 || word == 0xe7f001f0 || word == 0xde01 || /* the end of a case, Linux' breakpoints */
            !decodes_to(b->g, row, word, b->c->thumb))
            continue;
        put_row(b, row, word, true, false);
        return true;
    }
    return false;
}

/* A word that no row takes, or a row that says so. The space of the coprocessors is left out: which exist is not the decoder's matter. */
static bool undefined_unit(struct builder *b)
{
    struct arm_insn i;

    for (int tries = 0; tries < 100000; tries++) {
        uint32_t word = rnd(b->r);
        unsigned size = 4;
        bool ok;
        if (!b->c->thumb) {
            /* Of an undefined instruction whose condition fails the architecture leaves open whether it is skipped. */
            word = (word & 0x0fffffff) | (chance(b->r, 70) ? 0xe0000000 : 0xf0000000);
            if ((word & 0x0ff000f0) == 0x01000070) /* HLT */
                continue;
            if (chance(b->r, 20)) /* coprocessors 10 and 11 */
                word = (word & 0xf1fff1ff) | 0xec000a00 | (word & 0x02000000);
            else if ((word >> 25 & 7) >= 6) /* also the supervisor call's: QEMU takes 1111 1111 for the old floating-point emulator's */
                continue;
            ok = arm_decode_a32(b->g->decoder, 0, word, &i);
        } else {
            if (chance(b->r, 70))
                word |= 0xe8000000;
            if (!arm_thumb_is_32bit((uint16_t)(word >> 16))) {
                word >>= 16;
                size = 2;
                if (word == 0xde01 || word == 0xbabc) /* Linux' breakpoint, HLT that calls QEMU */
                    continue;
            } else if ((word >> 26 & 3) == 3 && (word >> 24 & 3) != 3 && (word >> 24 & 15) >= 12 && (word >> 28) >= 14) {
                continue;
            }
            ok = arm_decode_thumb(b->g->decoder, 0, (uint16_t)(size == 2 ? word : word >> 16), (uint16_t)word, &i);
        }
        if (ok && !(i.row->flags & ROW_UNDEF))
            continue;
        put_insn(b, word, size, ok ? row_number(b->g, i.row) : -1, true, false);
        return true;
    }
    return false;
}

void gen_make(const struct gen *g, const struct gen_options *o, uint64_t seed, uint32_t number, struct gen_case *c)
{
    struct rng r = {.s = (seed << 32 | number) * 0xd1342543de82ef95u};
    struct builder b = {.g = g, .o = o, .r = &r, .c = c};
    unsigned want;
    bool flow = !o->row && o->table < 0;

    memset(c, 0, sizeof(*c));
    r.s = (uint64_t)rnd(&r) << 32 | rnd(&r); /* neighbours must not run through the same sequence */
    want = 1 + below(&r, o->units);
    c->thumb = g->n_pick[0] == 0 || (g->n_pick[1] && chance(&r, 50));
    random_state(&r, c->thumb, &c->in);
    if (o->system) {
        gen_system_state(&r, c);
        b.mode = c->in.cpsr & 0x1f;
    }
    if (o->anything) {
        c->anything = true;
        address_state(&r, &c->in);
        want = 1;
    }
    for (int tries = 0; c->n_units < want && tries < 200; tries++) {
        unsigned start = c->n, mode = b.mode;
        int row = g->pick[c->thumb][below(&r, (uint32_t)g->n_pick[c->thumb])];
        bool ok = false;
        if (o->undefined) {
            if (c->n_units)
                break;
            ok = chance(&r, 40) ? undefined_row(&b) : undefined_unit(&b);
        } else if (o->anything) {
            ok = anything_unit(&b, row);
        } else if (o->system) {
            if (chance(&r, 70))
                ok = gen_system_unit(&b);
            else
                ok = (g->rows[row].cls == GEN_SAFE || g->rows[row].cls == GEN_MEM) && gen_simple_unit(&b, row, -1, true);
        } else if (flow && chance(&r, 3))
            ok = gen_pc_unit(&b);
        else if (flow && chance(&r, 2))
            ok = gen_loop_unit(&b);
        else if (c->thumb && chance(&r, 12))
            ok = it_unit(&b);
        else if (g->rows[row].cls == GEN_BRANCH)
            ok = gen_branch_unit(&b, row);
        else if (g->rows[row].cls == GEN_SPECIAL)
            ok = gen_special_unit(&b, row);
        else
            ok = gen_simple_unit(&b, row, -1, true);
        if (!ok || code_bytes(c) > ISA_CASE_BYTES - 8 || c->n == GEN_MAX_INSNS) {
            c->n = start;
            b.mode = mode;
            continue;
        }
        c->unit[c->n_units++] = (struct gen_unit){.first = (uint8_t)start, .count = (uint8_t)(c->n - start)};
        if (c->n_units == GEN_MAX_UNITS)
            break;
    }
}

unsigned gen_offset(const struct gen_case *g, unsigned unit)
{
    unsigned bytes = 0;

    for (unsigned i = 0; i < g->unit[unit].first; i++)
        bytes += g->insn[i].size;
    return bytes;
}

unsigned gen_emit(const struct gen_case *g, unsigned first_unit, unsigned units, uint32_t pc, uint8_t *code, struct isa_case *c)
{
    unsigned at = 0;

    memset(c, 0, sizeof(*c));
    c->in = g->in;
    c->banked = g->banked;
    c->has_banked = g->has_banked;
    c->in.pc = pc;
    c->fpscr_mask = 0xffffffff;
    for (unsigned u = first_unit; u < first_unit + units; u++) {
        for (unsigned i = g->unit[u].first; i < g->unit[u].first + g->unit[u].count; i++) {
            const struct gen_insn *in = &g->insn[i];
            uint32_t w = in->thumb && in->size == 4 ? in->word << 16 | in->word >> 16 : in->word;
            memcpy(code + at, &w, in->size);
            if (in->multi)
                c->multi[at / 64] |= 1u << (at / 2 % 32);
            at += in->size;
        }
    }
    c->end = pc + at;
    uint32_t end = g->thumb ? ISA_END_T16 : ISA_END_A32;
    memcpy(code + at, &end, g->thumb ? 2 : 4);
    return at + (g->thumb ? 2 : 4);
}

static bool selected(const struct gen_options *o, const struct gen_row *r)
{
    return (o->table < 0 || o->table == (int)r->table) && (!o->row || strncmp(r->row->name, o->row, strlen(o->row)) == 0);
}

int gen_init(struct gen *g, const struct gen_options *o)
{
    memset(g, 0, sizeof(*g));
    g->decoder = malloc(arm_decoder_size());
    arm_decoder_init(g->decoder);
    for (int t = 0; t < ARM_TABLE_COUNT; t++) {
        const struct arm_row *rows;
        g->n_rows += (int)arm_table_rows((enum arm_table)t, &rows);
    }
    g->rows = calloc((size_t)g->n_rows, sizeof(g->rows[0]));
    g->pick[0] = calloc((size_t)g->n_rows, sizeof(int));
    g->pick[1] = calloc((size_t)g->n_rows, sizeof(int));
    int n = 0;
    for (int t = 0; t < ARM_TABLE_COUNT; t++) {
        const struct arm_row *rows;
        unsigned count = arm_table_rows((enum arm_table)t, &rows);
        for (unsigned i = 0; i < count; i++, n++) {
            struct gen_row *r = &g->rows[n];
            r->row = &rows[i];
            r->table = (enum arm_table)t;
            if (!arm_pattern_compile(rows[i].pattern, t == ARM_TABLE_T16 ? 16 : 32, &r->pattern))
                return -1;
            bool fp = t == ARM_TABLE_VFP || t == ARM_TABLE_NEON;
            r->cls = fp ? gen_fp_class(r) : gen_int_class(r);
            if (r->cls == GEN_SKIP || !selected(o, r) || (o->no_exclusives && rows[i].translate == tr_strex))
                continue;
            r->required = rows[i].flags & (ROW_USER_SAFE | ROW_MEM);
            if (t != ARM_TABLE_T16 && t != ARM_TABLE_T32)
                g->pick[0][g->n_pick[0]++] = n;
            if (t != ARM_TABLE_A32)
                g->pick[1][g->n_pick[1]++] = n;
        }
    }
    return g->n_pick[0] + g->n_pick[1] ? 0 : -1;
}

void gen_free(struct gen *g)
{
    free(g->decoder);
    free(g->rows);
    free(g->pick[0]);
    free(g->pick[1]);
}
