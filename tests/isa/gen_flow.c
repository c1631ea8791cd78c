/*
 * gen_flow.c: units whose flow of control no single table row gives: writes of the pc by loads and data processing, and counted loops.
 */
#include "gen.h"

#include <arch/arm/translate_int.h>

/* The row that takes `word` in the case's instruction set; glue if none does. */
static int row_of(const struct builder *b, uint32_t word, unsigned size)
{
    struct arm_insn i;
    bool ok;

    if (!b->c->thumb)
        ok = arm_decode_a32(b->g->decoder, 0, word, &i);
    else
        ok = arm_decode_thumb(b->g->decoder, 0, (uint16_t)(size == 2 ? word : word >> 16), (uint16_t)word, &i);
    for (int k = 0; ok && k < b->g->n_rows; k++)
        if (b->g->rows[k].row == i.row)
            return k;
    return -1;
}

static void put(struct builder *b, uint32_t word, unsigned size)
{
    put_insn(b, word, size, row_of(b, word, size), true, false);
}

/* m = address behind the next `bytes` bytes, which begin after the instruction or instructions put here; in Thumb code with bit 0 set. */
static void put_address(struct builder *b, unsigned m, unsigned bytes)
{
    if (!b->c->thumb) {
        put_insn(b, 0xe2800000 | 15 << 16 | m << 12 | 0, 4, -1, false, false); /* add m, pc, #0: 8 on; then the rest */
        put_insn(b, 0xe2800000 | m << 16 | m << 12 | bytes, 4, -1, false, false);
    } else {
        put_const(b, m, bytes - 2 + 1);
        put_insn(b, 0x4478 | (m & 8) << 4 | (m & 7), 2, -1, false, false); /* add m, pc */
    }
}

/* Instructions that the branch skips. */
static unsigned make_skipped(struct builder *b, struct gen_insn *keep)
{
    unsigned at = b->c->n, n = 0, bytes = 0;

    for (int tries = 0; n < 1 && tries < 20; tries++) {
        int row = b->g->pick[b->c->thumb][below(b->r, (uint32_t)b->g->n_pick[b->c->thumb])];
        if (b->g->rows[row].cls == GEN_SAFE && gen_simple_unit(b, row, -1, false) && b->c->n == at + 1) {
            keep[n++] = b->c->insn[at];
            bytes += b->c->insn[at].size;
        }
        b->c->n = at;
    }
    return n ? bytes : 0;
}

bool gen_pc_unit(struct builder *b)
{
    bool thumb = b->c->thumb;
    unsigned m = below(b->r, 13), base = below(b->r, 13);
    struct gen_insn skip[2];
    unsigned bytes = make_skipped(b, skip);

    if (!bytes || m == base)
        return false;
    uint32_t ea = (pick_address(b, 16, 4) & ~3u);
    if (ea < ISA_DATA_BASE || ea > ISA_DATA_BASE + ISA_DATA_SIZE - 16)
        return false;
    if (!thumb) {
        static const unsigned tail[] = {4, 4, 4, 8, 8, 8}; /* bytes between the address computation and the skipped instruction */
        unsigned kind = below(b->r, 6), other = (m + 1) % 13;
        if (kind >= 3 || kind == 1)
            put_const(b, base, ea);
        if (kind == 3 && other == base)
            return false;
        if (kind == 2) { /* add pc, m, lsl: m = 0, 4 or 8 as an index */
            put_const(b, m, bytes / 4 - 1 + 1);
            put(b, 0xe08ff100 | m, 4); /* add pc, pc, m, lsl #2: p + 8 + 4 */
            put_insn(b, 0xe1a00000, 4, -1, false, false);
        } else {
            put_address(b, m, bytes + tail[kind]);
            switch (kind) {
            case 0:
                put(b, 0xe1a0f000 | m, 4); /* mov pc, m */
                break;
            case 1:
                put(b, 0xe1a0f000 | m, 4);
                break;
            case 3:
                put(b, 0xe8800000 | base << 16 | 1u << m | 1u << other, 4); /* stm base, {m, other} */
                if (other < m) /* m is the higher: loaded into the pc */
                    put(b, 0xe8900000 | base << 16 | 1u << other | 0x8000, 4);
                else
                    put(b, 0xe5900000 | base << 16 | 0xf000, 4);
                break;
            case 4:
                put(b, 0xe5800000 | base << 16 | m << 12, 4); /* str m, [base] */
                put(b, 0xe4900000 | base << 16 | 0xf000 | 8, 4); /* ldr pc, [base], #8 */
                break;
            default:
                put(b, 0xe5800004 | base << 16 | m << 12, 4);
                put(b, 0xe9900000 | base << 16 | 0x8000, 4); /* ldmib base, {pc} */
            }
        }
    } else {
        unsigned kind = below(b->r, 4);
        if (kind == 0) {
            put_address(b, m, bytes + 2);
            put(b, 0x4687 | m << 3, 2); /* mov pc, m */
        } else if (kind == 1) {
            put_const(b, base, ea);
            put_address(b, m, bytes + 8);
            put(b, 0xf8c00000 | base << 16 | m << 12, 4);          /* str.w m, [base] */
            put(b, 0xf8500b08 | base << 16 | 0xf000, 4);           /* ldr.w pc, [base], #8 */
        } else if (kind == 2) {
            put_const(b, 13, ea + 8);
            put_address(b, m, bytes + 6);
            put(b, 0xf84d0d04 | m << 12, 4); /* push.w {m} */
            put(b, 0xbd00, 2);               /* pop {pc} */
        } else {
            put_const(b, base, ea);
            unsigned low = (base + 1) % 8;
            if (low == base || low >= m)
                return false;
            put_address(b, m, bytes + 8);
            put(b, 0xe8800000 | base << 16 | 1u << low | 1u << m, 4);           /* stm.w base, {low, m} */
            put(b, 0xe8900000 | base << 16 | 1u << low | 0x8000, 4);            /* ldm.w base, {low, pc} */
        }
    }
    for (unsigned i = 0; i < 1; i++)
        b->c->insn[b->c->n++] = skip[i];
    return b->c->n < GEN_MAX_INSNS;
}

/* Does the instruction name register `reg` anywhere? */
static bool names(const struct gen *g, const struct gen_insn *in, unsigned reg)
{
    if (in->row < 0)
        return (in->word >> (in->thumb ? 8 : 12) & 15) == reg; /* MOVW, MOVT */
    const struct gen_row *r = &g->rows[in->row];
    for (const char *p = "dhltvunma"; *p; p++)
        if (field_width(r, *p) == 4 && field_get(r, in->word, *p) == reg)
            return true;
    if (r->table <= ARM_TABLE_T32 && field_width(r, 't') == 4 && field_get(r, in->word, 't') + 1 == reg) /* LDRD, LDREXD */
        return true;
    return field_width(r, 'r') > 8 && (field_get(r, in->word, 'r') >> reg & 1);
}

/* mov counter, #n; again: body; subs counter, #1; bne again */
bool gen_loop_unit(struct builder *b)
{
    unsigned counter = 8 + below(b->r, 4), at, bytes = 0, made = 0, want = 1 + below(b->r, 5);

    put_const(b, counter, 2 + below(b->r, 30));
    at = b->c->n;
    for (int tries = 0; made < want && tries < 50; tries++) {
        int row = b->g->pick[b->c->thumb][below(b->r, (uint32_t)b->g->n_pick[b->c->thumb])];
        unsigned start = b->c->n;
        bool bad = b->c->n > GEN_MAX_INSNS - 16 || (b->g->rows[row].cls != GEN_SAFE && b->g->rows[row].cls != GEN_MEM) ||
                   !gen_simple_unit(b, row, -1, true);
        for (unsigned i = start; !bad && i < b->c->n; i++)
            bad = names(b->g, &b->c->insn[i], counter);
        if (bad)
            b->c->n = start;
        else
            made++;
    }
    for (unsigned i = at; i < b->c->n; i++)
        bytes += b->c->insn[i].size;
    if (b->c->thumb) {
        put(b, 0xf1b00001 | counter << 16 | counter << 8, 4);
        int32_t delta = -(int32_t)(bytes + 4 + 4); /* from the branch's pc, 4 on */
        uint32_t h = (uint32_t)delta >> 1;
        put(b, 0xf0408000 | 1u << 26 | (h >> 11 & 63) << 16 | 1u << 13 | 1u << 11 | (h & 0x7ff), 4);
    } else {
        put(b, 0xe2500001 | counter << 16 | counter << 12, 4);
        put(b, 0x1a000000 | ((uint32_t)(-(int32_t)(bytes + 4 + 8) >> 2) & 0xffffff), 4);
    }
    return made && b->c->n < GEN_MAX_INSNS;
}
