/*
 * decode_test.c: the encoding tables and the decoder.
 *
 * The tables against themselves: every pattern is well formed, every row can be reached, the index finds what a search through the table
 * finds. The comparison with Capstone is tests/isa/decode_check.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arch/arm/translate_int.h>

#define SAMPLES_ANY 400000u /* words for the comparison with a search */

static struct arm_decoder *decoder;

/* xorshift64*: reproducible */
static uint64_t random_state;
static uint32_t random32(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * 0x2545f4914f6cdd1dull >> 32);
}

static unsigned table_bits(unsigned table)
{
    return table == ARM_TABLE_T16 ? 16 : 32;
}

static bool decode(unsigned table, uint32_t word, struct arm_insn *out)
{
    switch (table) {
    case ARM_TABLE_T16:
        return arm_decode_thumb(decoder, 0x8000, (uint16_t)word, 0, out);
    case ARM_TABLE_T32:
        return arm_decode_thumb(decoder, 0x8000, (uint16_t)(word >> 16), (uint16_t)word, out);
    default:
        return arm_decode_a32(decoder, 0x8000, word, out);
    }
}

/* --- the tables themselves --------------------------------------------------------------------------------------- */

static void patterns_are_well_formed(void **state UNUSED)
{
    for (unsigned k = 0; k < ARM_TABLE_COUNT; k++) {
        const struct arm_row *rows;
        unsigned n = arm_table_rows(k, &rows);
        assert_int_not_equal(n, 0);
        for (unsigned r = 0; r < n; r++) {
            struct arm_pattern p;
            if (!arm_pattern_compile(rows[r].pattern, table_bits(k), &p))
                fail_msg("table %u, %s: \"%s\"", k, rows[r].name, rows[r].pattern);
            assert_non_null(rows[r].translate);
            uint32_t seen = p.mask | p.any;
            for (unsigned s = 0; s < p.segments; s++) {
                uint32_t bits = (0xffffffffu >> (32 - p.segment[s].width)) << p.segment[s].lsb;
                assert_int_equal(seen & bits, 0);
                seen |= bits;
            }
            assert_int_equal(seen, table_bits(k) == 16 ? 0xffff : 0xffffffff);
        }
    }
}

static void bad_patterns_are_refused(void **state UNUSED)
{
    struct arm_pattern p;
    assert_false(arm_pattern_compile("0101", 16, &p));
    assert_false(arm_pattern_compile("0000 0000 0000 0000 0", 16, &p));
    assert_false(arm_pattern_compile("0000 0000 0000 000?", 16, &p));
    assert_false(arm_pattern_compile("abab abab abab abab abab abab abab abab", 32, &p));
    assert_true(arm_pattern_compile("01-- aabb bcca 0000", 16, &p));
    assert_int_equal(p.mask, 0xc00f);
    assert_int_equal(p.value, 0x4000);
    assert_int_equal(p.any, 0x3000);
    assert_int_equal(p.segments, 4);
}

/* A word of the row: fixed bits as they are, the rest random. */
static uint32_t instance(const struct arm_pattern *p, unsigned table)
{
    uint32_t word = (random32() & ~p->mask) | p->value;
    if (table != ARM_TABLE_T16 && table != ARM_TABLE_T32 && p->mask >> 28 == 0 && word >> 28 == 15)
        word ^= 1u << 28; /* a conditional row */
    return word;
}

static void every_row_is_reached(void **state UNUSED)
{
    random_state = 0x1234567;
    for (unsigned k = 0; k < ARM_TABLE_COUNT; k++) {
        const struct arm_row *rows;
        unsigned n = arm_table_rows(k, &rows);
        for (unsigned r = 0; r < n; r++) {
            struct arm_pattern p;
            struct arm_insn i;
            bool found = false;
            arm_pattern_compile(rows[r].pattern, table_bits(k), &p);
            for (unsigned tries = 0; tries < 100000 && !found; tries++) {
                found = decode(k, instance(&p, k), &i) && i.row == &rows[r];
            }
            if (!found)
                fail_msg("table %u: no word decodes to %s \"%s\"", k, rows[r].name, rows[r].pattern);
        }
    }
}

/* What decode.h says without an index: rows in order, conditional patterns not for condition 1111. */
static const struct arm_row *search(unsigned table, uint32_t word)
{
    const struct arm_row *rows;
    unsigned n = arm_table_rows(table, &rows);
    static struct arm_pattern compiled[ARM_TABLE_COUNT][1024];
    static bool ready[ARM_TABLE_COUNT];
    assert_true(n <= 1024);
    if (!ready[table]) {
        for (unsigned r = 0; r < n; r++)
            arm_pattern_compile(rows[r].pattern, table_bits(table), &compiled[table][r]);
        ready[table] = true;
    }
    bool a32 = table != ARM_TABLE_T16 && table != ARM_TABLE_T32;
    for (unsigned r = 0; r < n; r++) {
        const struct arm_pattern *p = &compiled[table][r];
        if ((word & p->mask) == p->value && !(a32 && word >> 28 == 15 && p->mask >> 28 != 15))
            return &rows[r];
    }
    return NULL;
}

static unsigned table_of_a32(uint32_t word)
{
    if ((word & 0xfe000000) == 0xf2000000 || (word & 0xff100000) == 0xf4000000)
        return ARM_TABLE_NEON;
    if (word >> 28 != 15 && (word & 0x0c000000) == 0x0c000000 && (word & 0x0f000000) != 0x0f000000 && (word & 0xe00) == 0xa00)
        return ARM_TABLE_VFP;
    return ARM_TABLE_A32;
}

static unsigned table_of_t32(uint32_t word)
{
    if ((word & 0xef000000) == 0xef000000 || (word & 0xff100000) == 0xf9000000)
        return ARM_TABLE_NEON;
    return (word & 0xfc000e00) == 0xec000a00 ? ARM_TABLE_VFP : ARM_TABLE_T32;
}

static void index_agrees_with_search(void **state UNUSED)
{
    struct arm_insn i;
    for (uint32_t word = 0; word < 0xe800; word++) {
        const struct arm_row *want = search(ARM_TABLE_T16, word);
        assert_ptr_equal(decode(ARM_TABLE_T16, word, &i) ? i.row : NULL, want);
    }
    random_state = 0xabcdef;
    for (unsigned n = 0; n < SAMPLES_ANY; n++) {
        uint32_t word = random32();
        if (n % 4 == 0)
            word |= 0xf0000000;
        assert_ptr_equal(decode(ARM_TABLE_A32, word, &i) ? i.row : NULL, search(table_of_a32(word), word));
        word |= 0xe8000000;
        if (table_of_t32(word) == ARM_TABLE_T32)
            assert_ptr_equal(decode(ARM_TABLE_T32, word, &i) ? i.row : NULL, search(ARM_TABLE_T32, word));
    }
}

static void fields_are_extracted(void **state UNUSED)
{
    struct arm_insn i;

    assert_true(decode(ARM_TABLE_A32, 0x10812143, &i)); /* addne r2, r1, r3, asr #2 */
    assert_string_equal(i.row->name, "add");
    assert_int_equal(i.cond, 1);
    assert_int_equal(ARM_F(&i, 'n'), 1);
    assert_int_equal(ARM_F(&i, 'd'), 2);
    assert_int_equal(ARM_F(&i, 'm'), 3);
    assert_int_equal(ARM_F(&i, 'y'), 2);
    assert_int_equal(ARM_F(&i, 'i'), 2);
    assert_int_equal(ARM_F(&i, 'S'), 0);

    assert_true(decode(ARM_TABLE_A32, 0xe1c430d8, &i)); /* ldrd r3, [r4, #8]: split immediate */
    assert_string_equal(i.row->name, "ldrd");
    assert_int_equal(ARM_F(&i, 'i'), 8);
    assert_true(decode(ARM_TABLE_A32, 0xe1c43fd8, &i));
    assert_int_equal(ARM_F(&i, 'i'), 0xf8);

    assert_true(decode(ARM_TABLE_T32, 0xf6c9543c, &i)); /* movt r4, #0x9d3c: parts in three places */
    assert_string_equal(i.row->name, "movt");
    assert_int_equal(ARM_F(&i, 'k'), 9);
    assert_int_equal(ARM_F(&i, 'j'), 1);
    assert_int_equal(ARM_F(&i, 'i'), 0x53c);
    assert_int_equal(ARM_F(&i, 'd'), 4);

    assert_true(decode(ARM_TABLE_T16, 0xd1fe, &i)); /* bne . */
    assert_int_equal(i.cond, 1);
    assert_int_equal(tr_branch_target(&i), 0x8000);
    assert_true(decode(ARM_TABLE_T32, 0xf47faffe, &i)); /* bne.w . */
    assert_int_equal(i.cond, 1);
    assert_int_equal(tr_branch_target(&i), 0x8000);
    assert_true(decode(ARM_TABLE_T32, 0xf7ffbffe, &i)); /* b.w . */
    assert_int_equal(tr_branch_target(&i), 0x8000);
    assert_true(decode(ARM_TABLE_T16, 0xe7fe, &i)); /* b . */
    assert_int_equal(tr_branch_target(&i), 0x8000);
    assert_true(decode(ARM_TABLE_A32, 0xeafffffe, &i)); /* b . */
    assert_int_equal(tr_branch_target(&i), 0x8000);
    assert_true(decode(ARM_TABLE_T16, 0xb908, &i)); /* cbnz r0, . + 6 */
    assert_int_equal(tr_branch_target(&i), 0x8006);
}

static int setup(void **state UNUSED)
{
    decoder = malloc(arm_decoder_size());
    if (!decoder)
        return -1;
    arm_decoder_init(decoder);
    return 0;
}

static int teardown(void **state UNUSED)
{
    free(decoder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_well_formed), cmocka_unit_test(bad_patterns_are_refused), cmocka_unit_test(every_row_is_reached),
        cmocka_unit_test(index_agrees_with_search), cmocka_unit_test(fields_are_extracted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
