/*
 * gen_int.c: operands of the integer rows: what the architecture leaves UNPREDICTABLE is not generated, and accesses go to the data page.
 *
 * A row's family is its translate function; the rules are those of the instruction descriptions in ARM DDI 0406C chapter A8.
 */
#include "gen.h"

#include <arch/arm/translate_int.h>

enum gen_class gen_int_class(const struct gen_row *r)
{
    arm_translate_fn tr = r->row->translate;

    if (r->row->flags & ROW_UNDEF)
        return GEN_SKIP;
    if (tr == tr_strex || tr == tr_mrs || tr == tr_msr_reg || tr == tr_msr_imm || tr == tr_setend)
        return GEN_SPECIAL;
    if (tr == tr_b || tr == tr_bl || tr == tr_blx_imm || tr == tr_bx || tr == tr_cbz || tr == tr_tbb)
        return GEN_BRANCH;
    if (r->row->flags & (ROW_SYSTEM | ROW_BRANCH))
        return GEN_SKIP;
    if (tr == tr_it) /* made by it_unit() */
        return GEN_SKIP;
    if (r->row->flags & ROW_MEM)
        return GEN_MEM;
    return GEN_SAFE;
}

/* May the register field `letter` of an instruction of this row be 15? */
static bool pc_allowed(const struct gen_row *r, char letter)
{
    arm_translate_fn tr = r->row->translate;

    if (letter == 'a')
        return tr == tr_smlad || (tr == tr_smmla && r->row->arg == 0) || tr == tr_usad8;
    if (letter == 'n' && (tr == tr_extend || tr == tr_extend16 || tr == tr_bitfield_insert || tr == tr_nop))
        return true;
    if (r->table == ARM_TABLE_A32)
        return (letter == 'n' || letter == 'm') && (tr == tr_dp_imm || tr == tr_dp_shift);
    if (r->table == ARM_TABLE_T16)
        return letter == 'm' && tr == tr_dp_shift && (r->row->arg & DP_OP) != DP_CMP;
    return false;
}

static bool sp_allowed(const struct gen_row *r, char letter)
{
    arm_translate_fn tr = r->row->translate;

    if (r->table != ARM_TABLE_T32)
        return true;
    if (tr == tr_dp_imm && letter == 'n') /* ADD, SUB, CMP (SP plus immediate) */
        return (r->row->arg & DP_OP) == DP_ADD || (r->row->arg & DP_OP) == DP_SUB || (r->row->arg & DP_OP) == DP_CMP;
    if (letter == 'n')
        return tr == tr_ls_imm || tr == tr_ls_reg || tr == tr_ldstm || tr == tr_ldrex || tr == tr_strex || tr == tr_nop;
    if (letter == 't')
        return (tr == tr_ls_imm || tr == tr_ls_reg) && (r->row->arg & IR_MEM_SIZE) == 4 && !(r->row->arg & (LS_DUAL | IR_MEM_USER));
    return false;
}

static bool registers(struct builder *b, const struct gen_row *r, uint32_t *word)
{
    arm_translate_fn tr = r->row->translate;

    for (const char *p = "ndmtalhvs"; *p; p++) {
        unsigned width = field_width(r, *p), v;
        if (width != 4 || (*p == 's' && tr != tr_dp_rsr))
            continue;
        v = field_get(r, *word, *p);
        for (int tries = 0; (v == 15 && !pc_allowed(r, *p)) || (v == 13 && !sp_allowed(r, *p)); tries++)
            v = tries < 20 ? below(b->r, 15) : below(b->r, 13);
        *word = field_set(r, *word, *p, v);
    }
    return true;
}

static void fix(struct fixups *f, unsigned reg, uint32_t value)
{
    f->set[f->n].reg = (uint8_t)reg;
    f->set[f->n++].value = value;
}

/* Index and direction of a single or dual access in one description. */
struct indexing {
    bool add, index, wback;
};

static struct indexing indexing_of(const struct gen_row *r, uint32_t word)
{
    uint32_t arg = r->row->arg;
    struct indexing x = {true, true, false};

    if (arg & LS_OFFSET)
        return x;
    x.add = field_width(r, 'U') ? field_get(r, word, 'U') : true;
    if (arg & LS_POST) {
        x.index = false;
        x.wback = true;
        return x;
    }
    x.index = field_get(r, word, 'P');
    x.wback = !x.index || field_get(r, word, 'W');
    return x;
}

static bool single(struct builder *b, const struct gen_row *r, uint32_t *word, struct fixups *f, bool reg_offset)
{
    uint32_t arg = r->row->arg;
    bool dual = arg & LS_DUAL, store = arg & LS_STORE, a32 = r->table == ARM_TABLE_A32;
    unsigned size = arg & IR_MEM_SIZE, len = dual ? 8 : size;
    struct indexing x = indexing_of(r, *word);
    unsigned n = arg & LS_SP ? 13 : field_get(r, *word, 'n'), t = field_get(r, *word, 't'), m = field_get(r, *word, 'm'), t2 = t;

    if (dual) {
        if (a32) {
            t &= ~1u;
            if (t == 14)
                t = 4;
            *word = field_set(r, *word, 't', t);
            t2 = t + 1;
            if (!x.index && field_get(r, *word, 'W'))
                return false;
        } else {
            t2 = field_get(r, *word, 'v');
            if (t == t2 && !store)
                return false;
        }
    }
    if (x.wback && (n == t || n == t2))
        return false;
    /* A load from the pc: literals are in gen's tr_ls_lit rows for Thumb; A32 has the offset form. */
    if (a32 && !reg_offset && !store && x.index && !x.wback && chance(b->r, 10)) {
        *word = field_set(r, *word, 'n', 15);
        *word = field_set(r, *word, 'i', field_get(r, *word, 'i') & 0xfc);
        return true;
    }
    if (n == 15)
        return false;
    f->multi = dual;
    uint32_t ea = pick_address(b, len, dual ? 4 : 1), offset;
    if (reg_offset) {
        if (m == n || (dual && (m == t || m == t2) && !store))
            return false;
        if (m == 15)
            return false;
        uint32_t value = chance(b->r, 50) ? below(b->r, 256) : interesting_word(b->r);
        uint32_t shifted = value;
        if (a32 && field_width(r, 'y')) {
            unsigned kind = field_get(r, *word, 'y'), amount = field_get(r, *word, 'i');
            if (kind == 3 && amount == 0) { /* RRX: the carry is not known here */
                *word = field_set(r, *word, 'y', 0);
                kind = 0;
            }
            switch (kind) {
            case 0:
                shifted = value << amount;
                break;
            case 1:
                shifted = amount ? value >> amount : 0;
                break;
            case 2:
                shifted = (uint32_t)((int32_t)value >> (amount ? amount : 31));
                break;
            default:
                shifted = value >> amount | value << (32 - amount);
            }
        } else if (r->table == ARM_TABLE_T32) {
            shifted = value << field_get(r, *word, 'i');
        }
        fix(f, m, value);
        offset = shifted;
    } else {
        offset = field_get(r, *word, 'i') << LS_SCALE_OF(arg);
        if (arg & LS_DUAL && !a32)
            offset = field_get(r, *word, 'i') << 2;
    }
    if (!x.index)
        offset = 0;
    fix(f, n, x.add ? ea - offset : ea + offset);
    return true;
}

static bool multiple(struct builder *b, const struct gen_row *r, uint32_t *word, struct fixups *f)
{
    uint32_t arg = r->row->arg;
    bool t16 = r->table == ARM_TABLE_T16, a32 = r->table == ARM_TABLE_A32, push_pop = r->row->translate == tr_push_pop;
    bool store = arg & LS_STORE;
    unsigned n = push_pop ? 13 : field_get(r, *word, 'n');
    uint32_t list = field_get(r, *word, 'r');
    bool wback, up = true, before = false;

    if (chance(b->r, 60))
        list &= rnd(b->r); /* mostly short lists */
    if (n == 15)
        return false;
    if (push_pop) {
        if (!store)
            *word = field_set(r, *word, 'P', 0);
        wback = true;
    } else if (t16) {
        wback = store || !(list >> n & 1);
    } else {
        wback = field_get(r, *word, 'W');
        list &= 0x7fff;
        if (!a32)
            list &= 0x5fff;
    }
    if (!list || (!t16 && !a32 && __builtin_popcount(list) < 2))
        return false;
    if (wback && !push_pop && (list >> n & 1)) {
        if (!store || !(a32 || t16) || list & ((1u << n) - 1))
            return false;
    }
    *word = field_set(r, *word, 'r', list);
    if (a32) {
        *word = field_set(r, *word, 'S', 0);
        up = field_get(r, *word, 'U');
        before = field_get(r, *word, 'P');
    } else if (push_pop) {
        up = !store;
        before = store;
    } else {
        up = !(arg & LS_DEC);
        before = arg & LS_BEFORE;
    }
    unsigned count = (unsigned)__builtin_popcount(list) + (push_pop && store ? field_get(r, *word, 'M') : 0), len = 4 * count;
    uint32_t ea = pick_address(b, len, 4), base;
    if (up)
        base = before ? ea - 4 : ea;
    else
        base = before ? ea + len : ea + len - 4;
    f->multi = true;
    fix(f, n, base);
    return true;
}

static bool exclusive_load(struct builder *b, const struct gen_row *r, uint32_t *word, struct fixups *f)
{
    unsigned size = r->row->arg & IR_MEM_SIZE, n = field_get(r, *word, 'n'), t = field_get(r, *word, 't');

    if (n == 15)
        return false;
    if (size == 8 && r->table == ARM_TABLE_A32) {
        t &= ~1u;
        if (t == 14)
            t = 2;
        *word = field_set(r, *word, 't', t);
    }
    if (size == 8 && r->table == ARM_TABLE_T32 && field_get(r, *word, 'v') == t)
        return false;
    f->multi = size == 8;
    fix(f, n, pick_address(b, size, size) - (field_width(r, 'i') ? field_get(r, *word, 'i') << 2 : 0));
    return true;
}

bool gen_int_word(struct builder *b, int row, uint32_t *word, struct fixups *f)
{
    const struct gen_row *r = &b->g->rows[row];
    arm_translate_fn tr = r->row->translate;
    uint32_t arg = r->row->arg;

    registers(b, r, word);
    if (tr == tr_ls_imm)
        return single(b, r, word, f, false);
    if (tr == tr_ls_reg)
        return single(b, r, word, f, true);
    if (tr == tr_ls_lit)
        return r->table == ARM_TABLE_T16 || field_get(r, *word, 't') < 13;
    if (tr == tr_ldstm || tr == tr_push_pop)
        return multiple(b, r, word, f);
    if (tr == tr_ldrex)
        return exclusive_load(b, r, word, f);
    if (tr == tr_swp) {
        unsigned n = field_get(r, *word, 'n');
        fix(f, n, pick_address(b, arg & IR_MEM_SIZE, 1) & ~((arg & IR_MEM_SIZE) - 1));
        return n != field_get(r, *word, 't') && n != field_get(r, *word, 'm');
    }
    if (tr == tr_dp_imm && r->table == ARM_TABLE_T32 && !(arg & DP_RAW)) {
        uint32_t i = field_get(r, *word, 'i'); /* ThumbExpandImm */
        return i >> 10 || (i >> 8 & 3) == 0 || (i & 0xff);
    }
    if (tr == tr_dp_imm && r->table == ARM_TABLE_T32 && field_get(r, *word, 'n') == 13 && (arg & DP_OP) == DP_CMP)
        return true;
    if (r->table == ARM_TABLE_T16 && tr == tr_dp_shift && field_width(r, 'm') == 4) {
        unsigned d = field_width(r, 'd') ? field_get(r, *word, 'd') : field_get(r, *word, 'n');
        if ((arg & DP_OP) == DP_CMP)
            return d != 15 && field_get(r, *word, 'm') != 15 && (d >= 8 || field_get(r, *word, 'm') >= 8);
        return d != 15;
    }
    if (tr == tr_mull || tr == tr_umaal || tr == tr_smlalxy || tr == tr_smlald)
        return field_get(r, *word, 'h') != field_get(r, *word, 'l');
    if (tr == tr_bitfield_extract)
        return field_get(r, *word, 'i') + field_get(r, *word, 'w') <= 31;
    if (tr == tr_bitfield_insert)
        return field_get(r, *word, 's') >= field_get(r, *word, 'i');
    if (tr == tr_hint)
        return false;
    return true;
}

static int find_row(const struct gen *g, enum arm_table table, arm_translate_fn tr, uint32_t size)
{
    for (int i = 0; i < g->n_rows; i++)
        if (g->rows[i].table == table && g->rows[i].row->translate == tr && (g->rows[i].row->arg & IR_MEM_SIZE) == size)
            return i;
    return -1;
}

/* Store-exclusive, mostly after the load-exclusive that lets it succeed. */
static bool exclusive_unit(struct builder *b, int row)
{
    const struct gen_row *r = &b->g->rows[row];
    unsigned size = r->row->arg & IR_MEM_SIZE;
    int load = find_row(b->g, r->table, tr_ldrex, size);

    for (int tries = 0; tries < 200; tries++) {
        uint32_t word = random_word(b, row), lword;
        unsigned n, t, t2, d, lt, lt2;
        registers(b, r, &word);
        if (r->table == ARM_TABLE_A32)
            word = (word & 0x0fffffff) | 0xe0000000;
        n = field_get(r, word, 'n');
        d = field_get(r, word, 'd');
        t = field_get(r, word, 't');
        lt = pick_reg(b) % 12;
        if (size == 8 && r->table == ARM_TABLE_A32) {
            t = (t % 12) & ~1u;
            word = field_set(r, word, 't', t);
            lt &= ~1u;
        }
        t2 = size != 8 ? t : r->table == ARM_TABLE_A32 ? t + 1 : field_get(r, word, 'v');
        lt2 = size != 8 ? lt : lt + 1;
        if (n == 15 || d == n || d == t || d == t2 || lt == n || lt2 == n || !decodes_to(b->g, row, word, b->c->thumb))
            continue;
        uint32_t offset = field_width(r, 'i') ? field_get(r, word, 'i') << 2 : 0;
        put_const(b, n, (pick_address(b, size, size) & ~(size - 1)) - offset);
        if (load >= 0 && chance(b->r, 80)) {
            const struct gen_row *l = &b->g->rows[load];
            lword = random_word(b, load);
            if (r->table == ARM_TABLE_A32)
                lword = (lword & 0x0fffffff) | 0xe0000000;
            lword = field_set(l, lword, 'n', n);
            lword = field_set(l, lword, 't', lt);
            if (field_width(l, 'v'))
                lword = field_set(l, lword, 'v', lt2);
            if (field_width(l, 'i'))
                lword = field_set(l, lword, 'i', offset >> 2);
            put_row(b, load, lword, true, true);
        }
        put_row(b, row, word, true, true);
        return true;
    }
    return false;
}

bool gen_special_unit(struct builder *b, int row)
{
    const struct gen_row *r = &b->g->rows[row];
    arm_translate_fn tr = r->row->translate;
    uint32_t word;

    if (tr == tr_strex)
        return exclusive_unit(b, row);
    if (tr == tr_setend) { /* big-endian data for a few accesses */
        word = random_word(b, row);
        put_row(b, row, field_set(r, word, 'E', 1), true, false);
        for (unsigned n = 1 + below(b->r, 3), tries = 0; n && tries < 100; tries++) {
            int other = b->g->pick[b->c->thumb][below(b->r, (uint32_t)b->g->n_pick[b->c->thumb])];
            if (b->g->rows[other].cls == GEN_MEM && gen_simple_unit(b, other, -1, true))
                n--;
        }
        put_row(b, row, field_set(r, word, 'E', 0), true, false);
        return true;
    }
    word = random_word(b, row);
    if (r->table == ARM_TABLE_A32)
        word = (word & 0x0fffffff) | 0xe0000000;
    registers(b, r, &word);
    word = field_set(r, word, 'R', 0); /* CPSR */
    if (tr != tr_mrs)
        word = field_set(r, word, 'k', 4 * (1 + below(b->r, 3))); /* APSR_g, APSR_nzcvq or both */
    if (!decodes_to(b->g, row, word, b->c->thumb))
        return false;
    put_row(b, row, word, true, false);
    return true;
}

/* Some instructions that a branch may or may not skip; returns their bytes. */
static unsigned skipped(struct builder *b, unsigned max)
{
    unsigned start = b->c->n, bytes = 0;

    for (unsigned n = 1 + below(b->r, max), tries = 0; n && tries < 50; tries++) {
        int other = b->g->pick[b->c->thumb][below(b->r, (uint32_t)b->g->n_pick[b->c->thumb])];
        if (b->g->rows[other].cls == GEN_SAFE && gen_simple_unit(b, other, -1, false))
            n--;
    }
    for (unsigned i = start; i < b->c->n; i++)
        bytes += b->c->insn[i].size;
    return bytes;
}

/* Adds the branch instruction at its place before the skipped ones, which are there already from `at` on. */
static void insert(struct builder *b, unsigned at, uint32_t word, unsigned size, int row)
{
    struct gen_case *c = b->c;

    if (c->n >= GEN_MAX_INSNS)
        return;
    for (unsigned i = c->n; i > at; i--)
        c->insn[i] = c->insn[i - 1];
    c->n++;
    c->insn[at] = (struct gen_insn){.word = word, .size = (uint8_t)size, .thumb = c->thumb, .counted = true, .row = row};
}

static unsigned offset_in_case(const struct builder *b)
{
    unsigned bytes = 0;

    for (unsigned i = 0; i < b->c->n; i++)
        bytes += b->c->insn[i].size;
    return bytes;
}

void back_to_thumb(struct builder *b)
{
    unsigned m = pick_reg(b);

    if (offset_in_case(b) % 4)
        put_insn(b, 0xbf00, 2, -1, false, false);
    b->c->thumb = false;
    put_insn(b, 0xe28f0001 | m << 12, 4, -1, false, false); /* add m, pc, #1 */
    put_insn(b, 0xe12fff10 | m, 4, -1, false, false);       /* bx m */
    b->c->thumb = true;
}

/* Branches always go forward, behind the instructions that stand after them. */
bool gen_branch_unit(struct builder *b, int row)
{
    const struct gen_row *r = &b->g->rows[row];
    arm_translate_fn tr = r->row->translate;
    bool thumb = b->c->thumb, a32 = !thumb;
    unsigned at = b->c->n, size = r->table == ARM_TABLE_T16 ? 2 : 4;
    uint32_t word = random_word(b, row);
    unsigned m = pick_reg(b);

    if (a32)
        word = (word & 0x0fffffff) | (r->pattern.mask >> 28 == 15 ? 0xf0000000 : (tr == tr_b ? below(b->r, 15) : 14) << 28);
    if (tr == tr_b || tr == tr_bl) {
        unsigned bytes = skipped(b, 3), pc = a32 ? 8 : 4;
        int32_t delta = (int32_t)(size + bytes) - (int32_t)pc;
        if (a32) {
            word = field_set(r, word, 'i', (uint32_t)delta >> 2);
        } else if (size == 2) {
            word = field_set(r, word, 'i', (uint32_t)delta >> 1);
            if (field_width(r, 'c'))
                word = field_set(r, word, 'c', below(b->r, 14));
        } else {
            word = field_set(r, word, 'S', delta < 0);
            word = field_set(r, word, 'i', (uint32_t)delta >> 1);
            if (field_width(r, 'c')) {
                word = field_set(r, word, 'c', below(b->r, 14));
                word = field_set(r, word, 'J', delta < 0);
                word = field_set(r, word, 'K', delta < 0);
            } else { /* I1 = NOT(J1 EOR S) */
                word = field_set(r, word, 'J', 1);
                word = field_set(r, word, 'K', 1);
            }
        }
        insert(b, at, word, size, row);
        return true;
    }
    if (tr == tr_cbz) {
        unsigned bytes = 0;
        for (int tries = 0; tries < 50; tries++) {
            b->c->n = at;
            bytes = skipped(b, 3);
            if (bytes >= 2)
                break;
        }
        if (bytes < 2)
            return false;
        word = field_set(r, word, 'i', (bytes - 2) >> 1);
        insert(b, at, word, 2, row);
        return true;
    }
    if (tr == tr_tbb) { /* adr n, table; mov m, #index; tbb; table of one; skipped */
        unsigned n = pick_reg(b), half = field_get(r, word, 'H');
        if (n == m)
            return false;
        word = field_set(r, word, 'n', n);
        word = field_set(r, word, 'm', m);
        put_const(b, m, below(b->r, 2));
        /* ADR.W is relative to Align(PC, 4), which depends on where it stands: add n, pc (T16) is not aligned either way */
        put_const(b, n, 4);                                                /* pc of the ADD + 4 + 4 = after the TBB */
        put_insn(b, 0x4478 | (n & 8) << 4 | (n & 7), 2, -1, false, false); /* add n, pc: itself at p: n = p + 4 + 4 */
        put_insn(b, 0xbf00, 2, -1, false, false);                          /* nop, so that TBB ends at p + 8 */
        put_row(b, row, word, true, false);
        unsigned place = b->c->n, table = half ? 4 : 2, bytes = skipped(b, 2);
        uint32_t entry[2] = {table / 2, (table + bytes) / 2};
        if (half)
            insert(b, place, entry[1] << 16 | entry[0], 4, -1);
        else
            insert(b, place, entry[1] << 8 | entry[0], 2, -1);
        if (half) /* the two halfwords stand in memory as written: first halfword first */
            b->c->insn[place].word = entry[0] << 16 | entry[1];
        b->c->insn[place].counted = false;
        return true;
    }
    if (tr == tr_bx) {
        bool link = r->row->arg == 1;
        if (link && m == 14)
            return false;
        if (a32) {
            word = field_set(r, word, 'm', m);
            if (chance(b->r, 50)) { /* to A32 */
                unsigned bytes = skipped(b, 2);
                insert(b, at, 0xe28f0000 | m << 12 | bytes, 4, -1); /* add m, pc, #bytes: p + 8 + bytes = after the skipped */
                insert(b, at + 1, word, 4, row);
            } else { /* to Thumb and back: add m, pc, #1; bx m; (Thumb) bx pc; nop */
                put_insn(b, 0xe28f0001 | m << 12, 4, -1, false, false);
                put_row(b, row, word, true, false);
                put_insn(b, 0x46c04778, 4, -1, false, false);
            }
            b->c->insn[at].counted = false;
            return true;
        }
        if (chance(b->r, 50)) { /* to Thumb: mov m, #bytes + x; add m, pc; bx m; skipped */
            unsigned bytes = skipped(b, 2), back = b->c->n;
            struct gen_insn keep[16];
            if (back - at > 16)
                return false;
            for (unsigned i = at; i < back; i++)
                keep[i - at] = b->c->insn[i];
            b->c->n = at;
            put_const(b, m, bytes + size + 2 - 4 + 1);
            put_insn(b, 0x4478 | (m & 8) << 4 | (m & 7), 2, -1, false, false);
            put_row(b, row, field_set(r, word, 'm', m), true, false);
            for (unsigned i = at; i < back; i++)
                b->c->insn[b->c->n++] = keep[i - at];
            return b->c->n < GEN_MAX_INSNS - 8;
        }
        if (size != 2)
            return false;
        /* to A32: m = Align(pc + 6, 4) is the first word behind the BX */
        put_const(b, m, 6);
        put_insn(b, 0x4478 | (m & 8) << 4 | (m & 7), 2, -1, false, false);
        put_insn(b, 0xf0200003 | m << 16 | m << 8, 4, -1, false, false);
        put_row(b, row, field_set(r, word, 'm', m), true, false);
        back_to_thumb(b);
        return true;
    }
    if (tr == tr_blx_imm && thumb) { /* to the next word, A32, and back */
        word = field_set(r, r->pattern.value, 'i', offset_in_case(b) % 4 ? 1 : 0);
        word = field_set(r, field_set(r, word, 'J', 1), 'K', 1);
        put_insn(b, word, 4, row, true, false);
        back_to_thumb(b);
        return true;
    }
    if (tr == tr_blx_imm) { /* to the next word, Thumb: bx pc; nop */
        put_insn(b, 0xfaffffff, 4, row, true, false);
        put_insn(b, 0x46c04778, 4, -1, false, false);
        return true;
    }
    return false;
}
