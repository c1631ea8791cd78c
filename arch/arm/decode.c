/*
 * decode.c: compiles the encoding tables and decodes by them.
 *
 * Every row's pattern becomes mask, value and a list of field segments. A table is indexed by a few opcode bits of the word: a slot names
 * the rows that can match words of that slot, in table order, so that a decode costs one index computation and usually one to three
 * compares. The A32 table is indexed twice, for conditional and for unconditional (1111) words.
 */
#include <arch/arm/decode.h>

enum { IDX_A32, IDX_A32_UNCOND, IDX_T16, IDX_T32, IDX_VFP, IDX_NEON, IDX_COUNT };

/* Index = bits [hi, hi + hi_bits) above bits [lo, lo + lo_bits). */
static const struct index_shape {
    uint8_t table, hi, hi_bits, lo, lo_bits;
    bool cond, uncond; /* accepts patterns with / without a condition field */
} shapes[IDX_COUNT] = {
    [IDX_A32] = {ARM_TABLE_A32, 20, 8, 4, 4, true, false}, [IDX_A32_UNCOND] = {ARM_TABLE_A32, 20, 8, 4, 4, false, true},
    [IDX_T16] = {ARM_TABLE_T16, 10, 6, 6, 4, true, true},  [IDX_T32] = {ARM_TABLE_T32, 20, 9, 4, 4, true, true},
    [IDX_VFP] = {ARM_TABLE_VFP, 16, 8, 4, 4, true, true},  [IDX_NEON] = {ARM_TABLE_NEON, 20, 5, 4, 8, true, true},
};

#define SLOT_BITS_MAX 13
#define POOL_ROWS     32768
#define SLOT_SCAN     0xffffu /* the pool was full: try all rows of the table */

struct slot {
    uint16_t first; /* in the pool, or SLOT_SCAN */
    uint16_t count;
};

struct arm_decoder {
    const struct arm_row *rows[ARM_TABLE_COUNT];
    unsigned row_count[ARM_TABLE_COUNT];
    const struct arm_pattern *patterns[ARM_TABLE_COUNT];
    struct slot slots[IDX_COUNT][1 << SLOT_BITS_MAX];
    uint16_t pool[POOL_ROWS];
    unsigned pool_used;
    struct arm_pattern pattern[]; /* of all tables */
};

unsigned arm_table_rows(enum arm_table table, const struct arm_row **rows)
{
    const struct {
        const struct arm_row *rows;
        unsigned count;
    } all[ARM_TABLE_COUNT] = {
        [ARM_TABLE_A32] = {arm_a32_rows, arm_a32_row_count},    [ARM_TABLE_T16] = {arm_t16_rows, arm_t16_row_count},
        [ARM_TABLE_T32] = {arm_t32_rows, arm_t32_row_count},    [ARM_TABLE_VFP] = {arm_vfp_rows, arm_vfp_row_count},
        [ARM_TABLE_NEON] = {arm_neon_rows, arm_neon_row_count},
    };
    *rows = all[table].rows;
    return all[table].count;
}

static int field_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return 26 + c - 'A';
    return -1;
}

bool arm_pattern_compile(const char *text, unsigned bits, struct arm_pattern *out)
{
    unsigned bit = bits;
    char previous = 0;
    memset(out, 0, sizeof(*out));
    for (; *text; text++) {
        char c = *text;
        if (c == ' ')
            continue;
        if (bit-- == 0)
            return false;
        if (c == '0' || c == '1') {
            out->mask |= BIT(bit);
            out->value |= c == '1' ? BIT(bit) : 0;
        } else if (c == '-') {
            out->any |= BIT(bit);
        } else if (field_of(c) < 0) {
            return false;
        } else if (c == previous) {
            out->segment[out->segments - 1].lsb--;
            out->segment[out->segments - 1].width++;
        } else {
            if (out->segments == ARM_PATTERN_SEGMENTS)
                return false;
            out->segment[out->segments].field = (uint8_t)field_of(c);
            out->segment[out->segments].lsb = (uint8_t)bit;
            out->segment[out->segments].width = 1;
            out->segments++;
        }
        previous = c;
    }
    return bit == 0;
}

size_t arm_decoder_size(void)
{
    size_t rows = 0;
    for (unsigned k = 0; k < ARM_TABLE_COUNT; k++) {
        const struct arm_row *r;
        rows += arm_table_rows(k, &r);
    }
    return sizeof(struct arm_decoder) + rows * sizeof(struct arm_pattern);
}

static bool shape_accepts(const struct index_shape *s, const struct arm_pattern *p)
{
    if (s->table == ARM_TABLE_T16)
        return true;
    bool unconditional = p->mask >> 28 == 15;
    return unconditional ? s->uncond : s->cond;
}

/* Fill the slots of one index. For each value of the high index bits the rows are narrowed once; the low bits choose among those. */
static void build_index(struct arm_decoder *d, unsigned index)
{
    const struct index_shape *s = &shapes[index];
    const struct arm_pattern *patterns = d->patterns[s->table];
    unsigned rows = d->row_count[s->table];
    uint32_t hi_mask = ((1u << s->hi_bits) - 1) << s->hi, lo_mask = ((1u << s->lo_bits) - 1) << s->lo;

    for (uint32_t hi = 0; hi < 1u << s->hi_bits; hi++) {
        uint16_t near[512];
        unsigned n = 0;
        for (unsigned r = 0; r < rows && n < ARRAY_LEN(near); r++)
            if (shape_accepts(s, &patterns[r]) && ((patterns[r].value ^ hi << s->hi) & patterns[r].mask & hi_mask) == 0)
                near[n++] = (uint16_t)r;
        for (uint32_t lo = 0; lo < 1u << s->lo_bits; lo++) {
            struct slot *slot = &d->slots[index][hi << s->lo_bits | lo];
            slot->first = (uint16_t)d->pool_used;
            slot->count = 0;
            for (unsigned k = 0; k < n; k++) {
                const struct arm_pattern *p = &patterns[near[k]];
                if ((p->value ^ lo << s->lo) & p->mask & lo_mask)
                    continue;
                if (d->pool_used == POOL_ROWS - 1 || n == ARRAY_LEN(near)) {
                    slot->first = SLOT_SCAN;
                    break;
                }
                d->pool[d->pool_used++] = near[k];
                slot->count++;
                if ((p->mask & ~(hi_mask | lo_mask)) == 0)
                    break; /* matches every word of the slot */
            }
            /* Neighbouring slots often have the same rows. */
            if (slot->first != SLOT_SCAN && (hi | lo)) {
                struct slot *before = slot - 1;
                if (before->first != SLOT_SCAN && before->count == slot->count &&
                    memcmp(d->pool + before->first, d->pool + slot->first, slot->count * sizeof(d->pool[0])) == 0) {
                    d->pool_used -= slot->count;
                    slot->first = before->first;
                }
            }
        }
    }
}

void arm_decoder_init(struct arm_decoder *d)
{
    struct arm_pattern *p = d->pattern;
    d->pool_used = 0;
    for (unsigned k = 0; k < ARM_TABLE_COUNT; k++) {
        d->row_count[k] = arm_table_rows(k, &d->rows[k]);
        d->patterns[k] = p;
        for (unsigned r = 0; r < d->row_count[k]; r++, p++) {
            if (!arm_pattern_compile(d->rows[k][r].pattern, k == ARM_TABLE_T16 ? 16 : 32, p)) {
                p->mask = 0; /* a value outside the mask never matches */
                p->value = 1;
            }
        }
    }
    for (unsigned k = 0; k < IDX_COUNT; k++)
        build_index(d, k);
}

static bool match(const struct arm_decoder *d, unsigned index, uint32_t word, struct arm_insn *out)
{
    const struct index_shape *s = &shapes[index];
    const struct arm_pattern *patterns = d->patterns[s->table];
    uint32_t hi = word >> s->hi & ((1u << s->hi_bits) - 1), lo = word >> s->lo & ((1u << s->lo_bits) - 1);
    const struct slot *slot = &d->slots[index][hi << s->lo_bits | lo];
    bool scan = slot->first == SLOT_SCAN;
    unsigned count = scan ? d->row_count[s->table] : slot->count;

    for (unsigned k = 0; k < count; k++) {
        unsigned r = scan ? k : d->pool[slot->first + k];
        const struct arm_pattern *p = &patterns[r];
        if ((word & p->mask) != p->value || (scan && !shape_accepts(s, p)))
            continue;
        out->row = &d->rows[s->table][r];
        memset(out->f, 0, sizeof(out->f));
        for (unsigned j = 0; j < p->segments; j++) {
            uint32_t *f = &out->f[p->segment[j].field];
            unsigned width = p->segment[j].width;
            *f = *f << width | (word >> p->segment[j].lsb & (0xffffffffu >> (32 - width)));
        }
        return true;
    }
    return false;
}

bool arm_decode_a32(const struct arm_decoder *d, uint32_t pc, uint32_t word, struct arm_insn *out)
{
    bool unconditional = word >> 28 == 15;
    unsigned index;

    out->row = NULL;
    out->raw = word;
    out->pc = pc;
    out->size = 4;
    out->thumb = false;
    out->cond = unconditional ? 14 : (uint8_t)(word >> 28);
    if (unconditional) {
        bool neon = (word & 0xfe000000) == 0xf2000000 || (word & 0xff100000) == 0xf4000000;
        index = neon ? IDX_NEON : IDX_A32_UNCOND;
    } else {
        bool coprocessor = (word & 0x0c000000) == 0x0c000000 && (word & 0x0f000000) != 0x0f000000;
        index = coprocessor && (word & 0xe00) == 0xa00 ? IDX_VFP : IDX_A32;
    }
    return match(d, index, word, out);
}

bool arm_decode_thumb(const struct arm_decoder *d, uint32_t pc, uint16_t hw1, uint16_t hw2, struct arm_insn *out)
{
    out->row = NULL;
    out->pc = pc;
    out->thumb = true;
    out->cond = 14;
    if (!arm_thumb_is_32bit(hw1)) {
        out->raw = hw1;
        out->size = 2;
        if (!match(d, IDX_T16, hw1, out))
            return false;
        if ((hw1 & 0xf000) == 0xd000 && (hw1 & 0x0e00) != 0x0e00)
            out->cond = hw1 >> 8 & 15;
        return true;
    }

    uint32_t word = (uint32_t)hw1 << 16 | hw2;
    out->raw = word;
    out->size = 4;
    if ((word & 0xef000000) == 0xef000000) /* Advanced SIMD data processing: U moves from bit 28 to bit 24 */
        return match(d, IDX_NEON, 0xf2000000 | (word >> 28 & 1) << 24 | (word & 0x00ffffff), out);
    if ((word & 0xff100000) == 0xf9000000) /* element and structure load/store */
        return match(d, IDX_NEON, 0xf4000000 | (word & 0x00ffffff), out);
    if ((word & 0xfc000e00) == 0xec000a00) /* coprocessors 10 and 11 */
        return match(d, IDX_VFP, word, out);
    if (!match(d, IDX_T32, word, out))
        return false;
    if ((word & 0xf800d000) == 0xf0008000 && BITS(word, 25, 23) != 7)
        out->cond = word >> 22 & 15; /* B<cond>.W */
    return true;
}
