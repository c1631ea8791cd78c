/*
 * translate_lookahead.c: which flags live on at a block's exit.
 *
 * From the exit's target on, instructions are decoded in the order in which they are executed, through branches and calls (and along some
 * conditional branches), until each of NZCV has been overwritten or may have been read. What the tables say of a row (ROW_FL_*) is all that
 * is used; an instruction they say nothing of, the end of the known bytes or a return make the rest live. Loads and stores do not count as
 * readers: see "Flags at faults" in dbt/ir.h.
 */
#include <arch/arm/translate_int.h>

#define LOOKAHEAD      32 /* instructions decoded along one path */
#define LOOKAHEAD_DEEP 3  /* conditional branches whose target is looked at too */

static const uint8_t cond_reads[16] = {
    [IR_EQ] = IR_Z,        [IR_NE] = IR_Z,        [IR_CS] = IR_C,         [IR_CC] = IR_C,         [IR_MI] = IR_N,
    [IR_PL] = IR_N,        [IR_VS] = IR_V,        [IR_VC] = IR_V,         [IR_HI] = IR_C | IR_Z,  [IR_LS] = IR_C | IR_Z,
    [IR_GE] = IR_N | IR_V, [IR_LT] = IR_N | IR_V, [IR_GT] = IR_NZ | IR_V, [IR_LE] = IR_NZ | IR_V,
};

struct lookahead {
    struct arm_translator *t;
    const struct arm_decoder *decoder;
    unsigned branches; /* targets still to be looked at */
    uint32_t end;      /* of the bytes looked at */
};

const uint8_t *tr_code_at(const struct arm_translator *t, uint32_t pc, unsigned len)
{
    uint32_t off = pc - (t->in->pc & ~1u);
    return off < t->in->code_len && t->in->code_len - off >= len ? t->in->code + off : NULL;
}

/* The same for bytes that are only looked at: the page's bytes before the block may be, too. */
static const uint8_t *code_near(const struct arm_translator *t, uint32_t pc, unsigned len)
{
    uint32_t back = (t->in->pc & ~1u) - pc;
    return back - 1 < t->in->before ? t->in->code - back : tr_code_at(t, pc, len);
}

static bool decode_at(const struct arm_translator *t, const struct arm_decoder *decoder, uint32_t pc, struct arm_insn *out)
{
    const uint8_t *p = code_near(t, pc, t->thumb ? 2 : 4);
    if (!p)
        return false;
    if (!t->thumb)
        return arm_decode_a32(decoder, pc, tr_word(p), out);
    uint16_t hw1 = tr_halfword(p), hw2 = 0;
    if (arm_thumb_is_32bit(hw1)) {
        if (!code_near(t, pc, 4))
            return false;
        hw2 = tr_halfword(p + 2);
    }
    return arm_decode_thumb(decoder, pc, hw1, hw2, out);
}

/* May the instruction write r15? For rows with ROW_FL_KNOWN. */
static bool writes_pc(const struct arm_insn *i)
{
    if (i->row->translate == tr_push_pop)
        return ARM_F(i, 'P') != 0;
    return ARM_F(i, 'd') == 15 || ARM_F(i, 't') == 15 || ARM_F(i, 'r') & 0x8000;
}

/* Which of NZCV can be read from pc (same instruction set) on before they are overwritten. */
static unsigned flags_live_at(struct lookahead *l, uint32_t pc)
{
    unsigned live = 0, pending = IR_NZCV;
    uint32_t it = 0;
    struct arm_insn i;

    for (unsigned n = 0; n < LOOKAHEAD && pending; n++) {
        if (!decode_at(l->t, l->decoder, pc, &i))
            return live | pending;
        uint32_t flags = i.row->flags;
        unsigned cond = it ? it >> 4 : i.cond;
        bool in_it = it != 0;
        it = tr_it_advance(it);
        pc += i.size;
        l->end = pc > l->end ? pc : l->end;

        live |= cond_reads[cond] & pending;
        if (i.row->translate == tr_b || i.row->translate == tr_bl || i.row->translate == tr_cbz) {
            uint32_t target = tr_branch_target(&i);
            if (i.row->translate != tr_cbz && cond >= IR_AL) {
                pc = target;
            } else if (l->branches) {
                l->branches--;
                live |= flags_live_at(l, target) & pending;
            } else {
                return live | pending;
            }
            continue;
        }
        if (!(flags & ROW_FL_KNOWN) || writes_pc(&i))
            return live | pending;
        live |= (flags >> 20) & pending & IR_NZCV;
        if (i.row->translate == tr_dp_shift && ARM_F(&i, 'y') == IR_ROR && ARM_F(&i, 'i') == 0)
            live |= IR_C & pending; /* RRX */
        bool sets = !(flags & ROW_FL_S && !ARM_F(&i, 'S')) && !(flags & ROW_FL_IT && in_it);
        if (cond >= IR_AL && sets)
            pending &= ~(flags >> 16);
        if (i.row->translate == tr_it)
            it = ARM_F(&i, 'f') << 4 | ARM_F(&i, 'k');
    }
    return live | pending;
}

uint8_t tr_exit_live(struct arm_translator *t, uint32_t target)
{
    struct lookahead l = {t, t->cpu->decoder, LOOKAHEAD_DEEP, 0};
    if ((target & 1) != t->thumb)
        return IR_NZCV;
    unsigned live = flags_live_at(&l, target & ~1u);
    uint32_t start = t->in->pc & ~1u;
    if (live != IR_NZCV && l.end > start) { /* the block rests on those bytes too: they count as its own */
        uint32_t size = l.end - start;
        t->b->size = size > t->b->size ? size : t->b->size;
    }
    return (uint8_t)live;
}
