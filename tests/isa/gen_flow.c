/*
 * gen_flow.c: units whose flow of control no single table row gives: writes of the pc by loads and data processing, and counted loops.
 */
#include "gen.h"

#include <arch/arm/translate_int.h>

int row_of(const struct builder *b, uint32_t word, unsigned size)
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

void put_decoded(struct builder *b, uint32_t word, unsigned size)
{
    put_insn(b, word, size, row_of(b, word, size), true, false);
}

void put_address(struct builder *b, unsigned m, unsigned bytes)
{
    if (!b->c->thumb) {
        put_insn(b, 0xe28f0000 | m << 12, 4, -1, false, false);                   /* add m, pc, #0: the end of this code */
        put_insn(b, 0xe2800000 | m << 16 | m << 12 | bytes, 4, -1, false, false); /* add m, m, #bytes */
    } else {
        put_const(b, m, bytes - 2 + 1);
        put_insn(b, 0x4478 | (m & 8) << 4 | (m & 7), 2, -1, false, false); /* add m, pc */
    }
}

bool make_skipped(struct builder *b, struct gen_insn *skipped)
{
    unsigned at = b->c->n;
    bool made = false;

    for (int tries = 0; !made && tries < 20; tries++) {
        int row = b->g->pick[b->c->thumb][below(b->r, (uint32_t)b->g->n_pick[b->c->thumb])];
        made = b->g->rows[row].cls == GEN_SAFE && gen_simple_unit(b, row, -1, false) && b->c->n == at + 1;
        *skipped = b->c->insn[at];
        b->c->n = at;
    }
    return made;
}

/* m and base: registers for the address of the code to go to and of the memory it passes through; ea: that memory; bytes: to skip. */
static bool pc_unit_a32(struct builder *b, unsigned m, unsigned base, uint32_t ea, unsigned bytes)
{
    unsigned kind = below(b->r, 5), other = (m + 1) % 13;

    switch (kind) {
    case 0:
        put_const(b, m, bytes / 4);
        put_decoded(b, 0xe08ff100 | m, 4); /* add pc, pc, m, lsl #2: counts from behind the next instruction */
        put_insn(b, 0xe1a00000, 4, -1, false, false);
        break;
    case 1:
        put_address(b, m, 4 + bytes);
        put_decoded(b, 0xe1a0f000 | m, 4); /* mov pc, m */
        break;
    case 2:
        if (other == base)
            return false;
        put_const(b, base, ea);
        put_address(b, m, 8 + bytes);
        put_decoded(b, 0xe8800000 | base << 16 | 1u << m | 1u << other, 4);    /* stm base, {m, other} */
        if (other < m)                                                         /* m is the second word */
            put_decoded(b, 0xe8900000 | base << 16 | 1u << other | 0x8000, 4); /* ldm base, {other, pc} */
        else
            put_decoded(b, 0xe5900000 | base << 16 | 0xf000, 4); /* ldr pc, [base] */
        break;
    case 3:
        put_const(b, base, ea);
        put_address(b, m, 8 + bytes);
        put_decoded(b, 0xe5800000 | base << 16 | m << 12, 4);    /* str m, [base] */
        put_decoded(b, 0xe4900000 | base << 16 | 0xf000 | 8, 4); /* ldr pc, [base], #8 */
        break;
    default:
        put_const(b, base, ea);
        put_address(b, m, 8 + bytes);
        put_decoded(b, 0xe5800004 | base << 16 | m << 12, 4); /* str m, [base, #4] */
        put_decoded(b, 0xe9900000 | base << 16 | 0x8000, 4);  /* ldmib base, {pc} */
    }
    return true;
}

static bool pc_unit_thumb(struct builder *b, unsigned m, unsigned base, uint32_t ea, unsigned bytes)
{
    unsigned low = (base + 1) % 8;

    switch (below(b->r, 4)) {
    case 0:
        put_address(b, m, 2 + bytes);
        put_decoded(b, 0x4687 | m << 3, 2); /* mov pc, m */
        break;
    case 1:
        put_const(b, base, ea);
        put_address(b, m, 8 + bytes);
        put_decoded(b, 0xf8c00000 | base << 16 | m << 12, 4); /* str.w m, [base] */
        put_decoded(b, 0xf850fb08 | base << 16, 4);           /* ldr.w pc, [base], #8 */
        break;
    case 2:
        put_const(b, 13, ea + 8);
        put_address(b, m, 6 + bytes);
        put_decoded(b, 0xf84d0d04 | m << 12, 4); /* push.w {m} */
        put_decoded(b, 0xbd00, 2);               /* pop {pc} */
        break;
    default:
        if (low == base || low >= m)
            return false;
        put_const(b, base, ea);
        put_address(b, m, 8 + bytes);
        put_decoded(b, 0xe8800000 | base << 16 | 1u << low | 1u << m, 4); /* stm.w base, {low, m} */
        put_decoded(b, 0xe8900000 | base << 16 | 1u << low | 0x8000, 4);  /* ldm.w base, {low, pc} */
    }
    return true;
}

bool gen_pc_unit(struct builder *b)
{
    unsigned m = below(b->r, 13), base = below(b->r, 13);
    uint32_t ea = pick_address(b, 16, 4) & ~3u;
    struct gen_insn skipped;

    if (!make_skipped(b, &skipped) || m == base || ea < ISA_DATA_BASE || ea > ISA_DATA_BASE + ISA_DATA_SIZE - 16)
        return false;
    if (!(b->c->thumb ? pc_unit_thumb : pc_unit_a32)(b, m, base, ea, skipped.size))
        return false;
    if (b->c->n >= GEN_MAX_INSNS)
        return false;
    b->c->insn[b->c->n++] = skipped;
    return true;
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
        put_decoded(b, 0xf1b00001 | counter << 16 | counter << 8, 4);
        int32_t delta = -(int32_t)(bytes + 4 + 4); /* from the branch's pc, 4 on */
        uint32_t h = (uint32_t)delta >> 1;
        put_decoded(b, 0xf0408000 | 1u << 26 | (h >> 11 & 63) << 16 | 1u << 13 | 1u << 11 | (h & 0x7ff), 4);
    } else {
        put_decoded(b, 0xe2500001 | counter << 16 | counter << 12, 4);
        put_decoded(b, 0x1a000000 | ((uint32_t)(-(int32_t)(bytes + 4 + 8) >> 2) & 0xffffff), 4);
    }
    return made && b->c->n < GEN_MAX_INSNS;
}
