/*
 * gen_fp.c: operands of VFP and Advanced SIMD rows (ARM DDI 0406C sections A7.5 to A7.9).
 */
#include "gen.h"

#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_neon.h>
#include <string.h>

enum gen_class gen_fp_class(const struct gen_row *r)
{
    if (r->row->flags & (ROW_SYSTEM | ROW_UNDEF | ROW_BRANCH))
        return GEN_SKIP;
    return r->row->flags & ROW_MEM ? GEN_MEM : GEN_SAFE;
}

static void fix(struct fixups *f, unsigned reg, uint32_t value)
{
    f->set[f->n].reg = (uint8_t)reg;
    f->set[f->n++].value = value;
}

static bool core_ok(struct builder *b, unsigned t)
{
    return t != 15 && !(b->c->thumb && t == 13);
}

static bool vfp_multiple(struct builder *b, const struct gen_row *r, uint32_t *word, struct fixups *f)
{
    bool dbl = field_get(r, *word, 'z'), dec = r->row->arg & 2;
    unsigned d = dbl ? field_get(r, *word, 'D') << 4 | field_get(r, *word, 'd') : field_get(r, *word, 'd') << 1 | field_get(r, *word, 'D');
    unsigned max = 32 - d, n = field_get(r, *word, 'n'), count;

    if (dbl && max > 16)
        max = 16;
    count = 1 + below(b->r, chance(b->r, 70) && max > 4 ? 4 : max);
    *word = field_set(r, *word, 'i', dbl ? count * 2 : count);
    if (!core_ok(b, n) && n != 13)
        return false;
    unsigned len = count * (dbl ? 8 : 4);
    uint32_t ea = pick_address(b, len, 4);
    fix(f, n, dec ? ea + len : ea);
    f->multi = true;
    return true;
}

static bool neon_memory(struct builder *b, const struct gen_row *r, uint32_t *word, struct fixups *f)
{
    unsigned n = field_get(r, *word, 'n'), m = field_get(r, *word, 'm');
    unsigned d = field_get(r, *word, 'D') << 4 | field_get(r, *word, 'd');

    if (n == 15 || m == n)
        return false;
    if (d > 25 && (r->row->translate != tr_n_ldst_multiple || (*word >> 8 & 15) != 7)) { /* more than one register: stay below 32 */
        d -= 8;
        *word = field_set(r, field_set(r, *word, 'd', d & 15), 'D', d >> 4);
    }
    if (m != 15 && m != 13)
        fix(f, m, interesting_word(b->r));
    uint32_t ea = pick_address(b, 32, chance(b->r, 60) ? 32 : 1);
    if (r->row->translate == tr_n_ldst_multiple && field_get(r, *word, 'a') == 3) /* QEMU checks 256-bit alignment as 128-bit */
        ea &= ~31u;
    fix(f, n, ea);
    f->multi = true;
    return true;
}

static bool in_set(unsigned v, uint64_t set)
{
    return set >> v & 1;
}
#define ONE(n) (1ull << (n))

/* Is the word defined? Most combinations of size, Q and odd registers are not; with random fields few words would be. */
static bool neon_defined(const struct gen_row *r, uint32_t word)
{
    arm_translate_fn tr = r->row->translate;
    unsigned arg = r->row->arg, s = field_get(r, word, 's'), d = field_get(r, word, 'd'), n = field_get(r, word, 'n'),
             m = field_get(r, word, 'm');
    bool q = field_get(r, word, 'Q');

    if (tr == tr_n_three_same) {
        if (field_width(r, 's') == 2) {
            if (s == 3 && !in_set(arg, ONE(TS_QADD) | ONE(TS_QSUB) | ONE(TS_SHL) | ONE(TS_QSHL) | ONE(TS_RSHL) | ONE(TS_QRSHL) |
                                           ONE(TS_ADD) | ONE(TS_SUB)))
                return false;
            if (in_set(arg, ONE(TS_QDMULH) | ONE(TS_QRDMULH)) && s == 0)
                return false;
            if (arg == TS_PMUL && s)
                return false;
        }
        if (in_set(arg, ONE(TS_PMAX) | ONE(TS_PMIN) | ONE(TS_PADD) | ONE(TS_FPADD) | ONE(TS_FPMAX) | ONE(TS_FPMIN)) && q)
            return false;
        return !q || !((d | n | m) & 1);
    }
    if (tr == tr_n_three_diff) {
        if (in_set(arg, ONE(TD_ADDHN) | ONE(TD_RADDHN) | ONE(TD_SUBHN) | ONE(TD_RSUBHN)))
            return !((n | m) & 1) && s < 3;
        if (in_set(arg, ONE(TD_QDMLAL) | ONE(TD_QDMLSL) | ONE(TD_QDMULL)) && s == 0)
            return false;
        if (arg == TD_PMULL && s)
            return false;
        return s < 3 && !(d & 1) && !(in_set(arg, ONE(TD_ADDW) | ONE(TD_SUBW)) && (n & 1));
    }
    if (tr == tr_n_scalar) {
        bool is_float = strstr(r->row->name, "float");
        if (s != 2 && (s != 1 || is_float))
            return false;
        return arg & SC_SAME ? !q || !((d | n) & 1) : !(d & 1);
    }
    if (tr == tr_n_misc) {
        unsigned most = 2;
        if (q && ((d | m) & 1))
            return false;
        if (in_set(arg, ONE(MI_REV32)))
            most = 1;
        if (in_set(arg, ONE(MI_REV16) | ONE(MI_CNT) | ONE(MI_MVN) | ONE(MI_SWP)))
            most = 0;
        if (in_set(arg, ONE(MI_UZP) | ONE(MI_ZIP)) && !q)
            most = 1;
        if (in_set(arg, ONE(MI_MOVN) | ONE(MI_QMOVUN) | ONE(MI_QMOVN) | ONE(MI_TO_HALF)) && (m & 1))
            return false;
        if (in_set(arg, ONE(MI_SHLL) | ONE(MI_FROM_HALF)) && (d & 1))
            return false;
        if (in_set(arg, ONE(MI_TO_HALF) | ONE(MI_FROM_HALF)))
            return s == 1;
        if (in_set(arg, ONE(MI_RECPE) | ONE(MI_RSQRTE) | ONE(MI_CVT)) || field_get(r, word, 'F'))
            return s == 2;
        return s <= most;
    }
    if (tr == tr_n_shift_imm) {
        if (in_set(arg, ONE(SI_SHRN) | ONE(SI_RSHRN) | ONE(SI_QSHRUN) | ONE(SI_QRSHRUN) | ONE(SI_QSHRN) | ONE(SI_QRSHRN)) && (m & 1))
            return false;
        return !(arg == SI_SHLL && (d & 1)) && !(q && ((d | m) & 1));
    }
    if (tr == tr_n_fixed)
        return field_get(r, word, 'i') >= 32 && !(q && ((d | m) & 1));
    if (tr == tr_n_mov_imm)
        return !(field_get(r, word, 'c') == 15 && field_get(r, word, 'o')) && !(q && (d & 1));
    if (tr == tr_n_ext)
        return q ? !((d | n | m) & 1) : field_get(r, word, 'i') < 8;
    if (tr == tr_n_dup)
        return (field_get(r, word, 'i') & 7) && !(q && (d & 1));
    unsigned a = field_get(r, word, 'a'), i = field_get(r, word, 'i');
    if (tr == tr_n_ldst_multiple) {
        unsigned type = word >> 8 & 15;
        if ((type == 7 || type == 6 || type == 4 || type == 5) && a >= 2)
            return false;
        if ((type == 10 || type == 8 || type == 9) && a == 3)
            return false;
        return s < 3 || type == 7 || type == 10 || type == 6 || type == 2;
    }
    if (tr == tr_n_load_all_lanes) {
        if (arg == 1)
            return s < 3 && !(s == 0 && a);
        if (arg == 3)
            return s < 3 && !a;
        return s < 3 || (arg == 4 && a);
    }
    if (tr == tr_n_ldst_lane) {
        if (s == 3)
            return false;
        if (arg == 1)
            return s == 0 ? !(i & 1) : s == 1 ? !(i & 2) : !(i & 4) && ((i & 3) == 0 || (i & 3) == 3);
        if (arg == 2)
            return s < 2 || !(i & 2);
        if (arg == 3)
            return s < 2 ? !(i & 1) : !(i & 3);
        return s < 2 || (i & 3) != 3;
    }
    return true;
}

bool gen_fp_word(struct builder *b, int row, uint32_t *word, struct fixups *f)
{
    const struct gen_row *r = &b->g->rows[row];
    arm_translate_fn tr = r->row->translate;
    bool t_field = field_width(r, 't') == 4, u_field = field_width(r, 'u') == 4;

    if (r->table == ARM_TABLE_NEON) {
        /* Quadword operations on odd registers are undefined: mostly even ones. */
        for (const char *p = "dnm"; *p && !(r->row->flags & ROW_MEM); p++)
            if (field_width(r, *p) == 4 && chance(b->r, 60))
                *word = field_set(r, *word, *p, field_get(r, *word, *p) & 14);
        if (!neon_defined(r, *word) && !chance(b->r, 1))
            return false;
        if (r->row->flags & ROW_MEM)
            return neon_memory(b, r, word, f);
        if (tr == tr_n_tbl)
            return (field_get(r, *word, 'N') << 4 | field_get(r, *word, 'n')) + (*word >> 8 & 3) + 1 <= 32;
        return true;
    }
    if (t_field && !core_ok(b, field_get(r, *word, 't')) && tr != tr_v_vmrs)
        return false;
    if (tr == tr_v_vmrs && b->c->thumb && field_get(r, *word, 't') == 13)
        return false;
    if (tr == tr_v_dup_core && !chance(b->r, 2)) /* both size bits and odd quadwords are undefined */
        return !(field_get(r, *word, 'b') && field_get(r, *word, 'e')) && !(field_get(r, *word, 'Q') && (field_get(r, *word, 'n') & 1));
    if (tr == tr_v_vmsr) { /* without Len and Stride, which this processor does not have, and trap enables */
        uint32_t value = rnd(b->r) & 0xffc0009f;
        fix(f, field_get(r, *word, 't'), chance(b->r, 50) ? value & 0xf800009f : value);
        return true;
    }
    if (tr == tr_v_mov_pair) {
        if (!u_field || !core_ok(b, field_get(r, *word, 'u')))
            return false;
        if (field_get(r, *word, 't') == field_get(r, *word, 'u'))
            return false;
        return r->row->arg == 8 || (field_get(r, *word, 'm') << 1 | field_get(r, *word, 'M')) != 31;
    }
    if (tr == tr_v_fixed)
        return field_get(r, *word, 'x') || (field_get(r, *word, 'j') << 1 | field_get(r, *word, 'i')) <= 16;
    if (tr == tr_v_ldst) {
        unsigned n = field_get(r, *word, 'n');
        bool load = r->row->arg, dbl = field_get(r, *word, 'z');
        if (n == 15) {
            *word = field_set(r, *word, 'i', field_get(r, *word, 'i') & 31);
            return load;
        }
        uint32_t offset = field_get(r, *word, 'i') << 2, ea = pick_address(b, dbl ? 8 : 4, 4);
        fix(f, n, field_get(r, *word, 'U') ? ea - offset : ea + offset);
        f->multi = dbl;
        return true;
    }
    if (tr == tr_v_ldst_multiple)
        return vfp_multiple(b, r, word, f);
    return true;
}
