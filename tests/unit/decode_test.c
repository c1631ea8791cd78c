/*
 * decode_test.c: the encoding tables and the decoder.
 *
 * The tables against themselves: every pattern is well formed, every row can be reached, the index finds what a search through the table
 * finds. The integer tables against Capstone: every 16-bit Thumb halfword, some millions of random A32 and T32 words: is the word an
 * instruction, and which. Where the two differ on purpose a table below says so and why. Should-be bits ('-' in a pattern) are free for us
 * and fixed for Capstone: for each row the setting Capstone accepts is searched for once and substituted from then on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define arm_insn capstone_arm_insn
#include <capstone/capstone.h>
#undef arm_insn

#include <arch/arm/translate_int.h>

#define SAMPLES_A32 1500000u
#define SAMPLES_T32 1500000u
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

/* --- against Capstone -------------------------------------------------------------------------------------------- */

/* Rows whose name is a family: what Capstone may call their members. A trailing '*' matches any rest. */
static const struct {
    const char *row, *names;
} families[] = {
    {"mov", "mov lsl lsr asr ror rrx"},
    {"shift", "mov lsl lsr asr ror"},
    {"hint", "nop yield wfe wfi sev sevl dbg hint*"},
    {"pkh", "pkhbt pkhtb"},
    {"smlaxy", "smlabb smlabt smlatb smlatt"},
    {"smulxy", "smulbb smulbt smultb smultt"},
    {"smlalxy", "smlalbb smlalbt smlaltb smlaltt"},
    {"smlawy", "smlawb smlawt"},
    {"smulwy", "smulwb smulwt"},
    {"smlad", "smlad smladx smuad smuadx"},
    {"smlsd", "smlsd smlsdx smusd smusdx"},
    {"smlald", "smlald smlaldx"},
    {"smlsld", "smlsld smlsldx"},
    {"smmla", "smmla smmlar smmul smmulr"},
    {"smmls", "smmls smmlsr"},
    {"usada8", "usada8 usad8"},
    {"sxtab", "sxtab sxtb"},
    {"sxtah", "sxtah sxth"},
    {"sxtab16", "sxtab16 sxtb16"},
    {"uxtab", "uxtab uxtb"},
    {"uxtah", "uxtah uxth"},
    {"uxtab16", "uxtab16 uxtb16"},
    {"bfi", "bfi bfc"},
    {"stm", "stm stmia stmda stmdb stmib push"},
    {"ldm", "ldm ldmia ldmda ldmdb ldmib pop"},
    {"stmdb", "stmdb push"},
    {"cbz", "cbz cbnz"},
    {"it", "it*"},
    {"cps", "cps cpsie cpsid"},
    {"adr", "adr addw subw"},
    {"pld", "pld pldw"},
    {"pldw", "pld pldw"}, /* the literal form's W bit is a should-be bit: Capstone says pld */
    {"srs", "srsia srsib srsda srsdb"},
    {"rfe", "rfeia rfeib rfeda rfedb"},
    {"tbb", "tbb tbh"},
    {"ldc", "ldc ldcl"},
    {"stc", "stc stcl"},
    {"subs", "subs eret"},
};

enum { BY_US = 1, BY_CAPSTONE = 2 }; /* who takes the word for an instruction; 3 = both, under different names */

/* Differences on purpose. `when` picks the words among those of the row (NULL: all). */
struct difference {
    unsigned table;
    const char *row; /* NULL: none matches */
    unsigned valid;
    bool (*when)(const struct arm_insn *i);
    const char *why;
};

static bool empty_list(const struct arm_insn *i)
{
    return ARM_F(i, 'r') == 0;
}
static bool empty_stack_list(const struct arm_insn *i)
{
    return !ARM_F(i, 'r') && !ARM_F(i, 'M') && !ARM_F(i, 'P');
}
static bool msb_below_lsb(const struct arm_insn *i)
{
    return ARM_F(i, 's') < ARM_F(i, 'i');
}
static bool no_registers(const struct arm_insn *i)
{
    return ARM_F(i, 'k') == 0;
}
static bool sp_or_pc_listed(const struct arm_insn *i)
{
    return ARM_F(i, 'r') & 0xa000 || !ARM_F(i, 'r');
}
static bool odd_or_post_w(const struct arm_insn *i)
{
    return ARM_F(i, 't') & 1 || (!ARM_F(i, 'P') && ARM_F(i, 'W'));
}
static bool odd_or_lr(const struct arm_insn *i)
{
    return ARM_F(i, 't') & 1 || ARM_F(i, 't') == 14;
}
static bool literal(const struct arm_insn *i)
{
    return BITS(i->raw, 19, 16) == 15;
}
static bool imod_1_or_nothing(const struct arm_insn *i)
{
    return ARM_F(i, 'o') == 1 || ARM_F(i, 'o') >= 2 || !ARM_F(i, 'M');
}
static bool unallocated_hint(const struct arm_insn *i)
{
    return ARM_F(i, 'i') > 5;
}
static bool not_always(const struct arm_insn *i)
{
    return i->cond != 14;
}
static bool banked(const struct arm_insn *i)
{
    return i->row->translate == tr_mrs_banked || i->row->translate == tr_msr_banked;
}

static const struct difference differences[] = {
    {ARM_TABLE_A32, "cp2", BY_CAPSTONE, NULL, "no coprocessor answers in the unconditional space"},
    {ARM_TABLE_T32, "cp2", BY_CAPSTONE, NULL, "no coprocessor answers in the unconditional space"},
    {ARM_TABLE_A32, "cdp", BY_CAPSTONE, NULL, "coprocessors 14 and 15 have no operations"},
    {ARM_TABLE_T32, "cdp", BY_CAPSTONE, NULL, "coprocessors 14 and 15 have no operations"},
    {ARM_TABLE_A32, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {ARM_TABLE_T16, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {ARM_TABLE_T32, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {ARM_TABLE_A32, "ldm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_A32, "stm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_T16, "ldm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_T16, "stm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_T16, "push", BY_US, empty_stack_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_T16, "pop", BY_US, empty_stack_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_T32, "ldm", BY_US, sp_or_pc_listed, "sp in the list, pc with lr, or nothing: UNPREDICTABLE"},
    {ARM_TABLE_T32, "stm", BY_US, sp_or_pc_listed, "sp or pc in the list, or nothing: UNPREDICTABLE"},
    {ARM_TABLE_T32, "ldmdb", BY_US, sp_or_pc_listed, "sp in the list, pc with lr, or nothing: UNPREDICTABLE"},
    {ARM_TABLE_T32, "stmdb", BY_US, sp_or_pc_listed, "sp or pc in the list, or nothing: UNPREDICTABLE"},
    {ARM_TABLE_A32, "ldrd", BY_US, odd_or_post_w, "odd register, or P = 0 with W = 1: UNPREDICTABLE"},
    {ARM_TABLE_A32, "strd", BY_US, odd_or_post_w, "odd register, or P = 0 with W = 1: UNPREDICTABLE"},
    {ARM_TABLE_A32, "ldrexd", BY_US, odd_or_lr, "odd register, or a pair with the pc: UNPREDICTABLE"},
    {ARM_TABLE_A32, "strexd", BY_US, odd_or_lr, "odd register, or a pair with the pc: UNPREDICTABLE"},
    {ARM_TABLE_T32, "bfi", BY_US, msb_below_lsb, "msb below lsb: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_A32, "bfi", BY_US, msb_below_lsb, "msb below lsb: UNPREDICTABLE, Undefined when translated"},
    {ARM_TABLE_A32, "msr", BY_US, no_registers, "empty mask: UNPREDICTABLE, a NOP"},
    {ARM_TABLE_T32, "msr", BY_US, no_registers, "empty mask: UNPREDICTABLE, a NOP"},
    {ARM_TABLE_A32, "cps", BY_US, imod_1_or_nothing, "reserved imod and M: UNPREDICTABLE"},
    {ARM_TABLE_T32, "cps", BY_US, imod_1_or_nothing, "reserved imod and M: UNPREDICTABLE"},
    {ARM_TABLE_A32, "hint", BY_US, unallocated_hint, "unallocated hints are NOPs"},
    {ARM_TABLE_T32, "hint", BY_US, unallocated_hint, "unallocated hints are NOPs"},
    {ARM_TABLE_A32, "hintmem", BY_US, NULL, "unallocated memory hints are NOPs"},
    {ARM_TABLE_T32, "hintmem", BY_US, NULL, "unallocated memory hints are NOPs"},
    {ARM_TABLE_T32, "pldw", BY_US, literal, "unallocated memory hints are NOPs"},
    {ARM_TABLE_A32, "mrs", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {ARM_TABLE_A32, "msr", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {ARM_TABLE_T32, "mrs", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {ARM_TABLE_T32, "msr", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {ARM_TABLE_A32, "bkpt", BY_US, not_always, "a condition on BKPT: UNPREDICTABLE, ignored"},
};

static const char *const cond_names[15] = {"eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", ""};

static bool sets_flags(const struct arm_insn *i)
{
    if (i->row->flags & ROW_FL_S)
        return ARM_F(i, 'S');
    return i->row->flags & ROW_FL_IT;
}

/* mnemonic = name [s] [condition] [.w] */
static bool name_matches(const char *mnemonic, const char *name, size_t len, const struct arm_insn *i)
{
    if (name[len - 1] == '*')
        return strncmp(mnemonic, name, len - 1) == 0;
    if (strncmp(mnemonic, name, len) != 0)
        return false;
    const char *rest = mnemonic + len;
    size_t end = strlen(rest);
    if (end >= 2 && strcmp(rest + end - 2, ".w") == 0)
        end -= 2;
    bool has_s = end && *rest == 's' && (i->row->flags & (ROW_FL_S | ROW_FL_IT));
    if (has_s != sets_flags(i))
        return false;
    rest += has_s;
    end -= has_s;
    return end == 0 || (end == 2 && strncmp(rest, cond_names[i->cond], 2) == 0);
}

static bool names_agree(const char *mnemonic, const struct arm_insn *i)
{
    const char *names = i->row->name;
    for (unsigned k = 0; k < ARRAY_LEN(families); k++)
        if (strcmp(families[k].row, names) == 0)
            names = families[k].names;
    while (*names) {
        size_t len = strcspn(names, " ");
        if (name_matches(mnemonic, names, len, i))
            return true;
        names += len + (names[len] == ' ');
    }
    return false;
}

static bool explained(unsigned table, const struct arm_insn *i, unsigned valid)
{
    for (unsigned k = 0; k < ARRAY_LEN(differences); k++) {
        const struct difference *d = &differences[k];
        if (d->table == table && d->valid == valid && i->row && strcmp(d->row, i->row->name) == 0 && (!d->when || d->when(i)))
            return true;
    }
    return false;
}

/* The setting of a row's should-be bits that Capstone accepts. */
struct canonical {
    bool known;
    unsigned attempts;
    uint32_t value;
};

struct comparison {
    csh handle;
    cs_insn *insn;
    unsigned table;
    struct canonical canonical[1024];
    unsigned differing, compared, unknown_settings;
};

static bool capstone(struct comparison *c, uint32_t word)
{
    uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};
    if (c->table == ARM_TABLE_T32) {
        bytes[0] = (uint8_t)(word >> 16), bytes[1] = (uint8_t)(word >> 24);
        bytes[2] = (uint8_t)word, bytes[3] = (uint8_t)(word >> 8);
    }
    const uint8_t *p = bytes;
    size_t size = c->table == ARM_TABLE_T16 ? 2 : 4;
    uint64_t address = 0x8000;
    return cs_disasm_iter(c->handle, &p, &size, &address, c->insn);
}

/* Capstone remembers an IT: let its block pass. */
static void leave_it_block(struct comparison *c)
{
    for (unsigned k = 0; k < 4; k++)
        capstone(c, 0x0000); /* movs r0, r0 */
}

#define SEARCH_ATTEMPTS 6

/* `word` with its should-be bits as Capstone wants them, if that is known or can be found. */
static uint32_t settle(struct comparison *c, const struct arm_insn *i, uint32_t word)
{
    const struct arm_row *rows;
    struct arm_pattern p;
    arm_table_rows(c->table, &rows);
    struct canonical *k = &c->canonical[i->row - rows];
    if (!k->known && k->attempts == SEARCH_ATTEMPTS)
        return word;
    arm_pattern_compile(i->row->pattern, table_bits(c->table), &p);
    if (!p.any)
        return word;
    if (!k->known) {
        uint32_t value = 0;
        k->attempts++;
        do { /* all subsets of p.any */
            if (capstone(c, (word & ~p.any) | value)) {
                k->known = true;
                k->value = value;
                break;
            }
            value = (value - p.any) & p.any;
        } while (value);
        if (!k->known)
            return word;
    }
    return (word & ~p.any) | k->value;
}

static void compare(struct comparison *c, uint32_t word)
{
    struct arm_insn i;
    bool ours = decode(c->table, word, &i);
    if (ours && !(i.row->flags & ROW_UNDEF)) {
        word = settle(c, &i, word);
        ours = decode(c->table, word, &i);
    }
    bool undefined = !ours || i.row->flags & ROW_UNDEF, theirs = capstone(c, word);
    c->compared++;
    if (undefined && !theirs)
        return;
    if (!undefined && theirs && names_agree(c->insn->mnemonic, &i))
        return;
    if (explained(c->table, &i, (undefined ? 0 : BY_US) | (theirs ? BY_CAPSTONE : 0)))
        return;
    if (c->differing++ < 20)
        print_message("%08x: %s%s, Capstone: %s %s\n", word, i.row ? i.row->name : "none", undefined ? " (undefined)" : "",
                      theirs ? c->insn->mnemonic : "not an instruction", theirs ? c->insn->op_str : "");
}

static void begin(struct comparison *c, unsigned table)
{
    memset(c, 0, sizeof(*c));
    c->table = table;
    assert_int_equal(cs_open(CS_ARCH_ARM, table == ARM_TABLE_A32 ? CS_MODE_ARM : CS_MODE_THUMB, &c->handle), CS_ERR_OK);
    c->insn = cs_malloc(c->handle);
}

static void end(struct comparison *c)
{
    cs_free(c->insn, 1);
    cs_close(&c->handle);
    assert_int_equal(c->differing, 0);
}

static struct comparison comparison;

static void t16_agrees_with_capstone(void **state UNUSED)
{
    begin(&comparison, ARM_TABLE_T16);
    for (uint32_t word = 0; word < 0xe800; word++) {
        compare(&comparison, word);
        if ((word & 0xff00) == 0xbf00)
            leave_it_block(&comparison);
    }
    assert_int_equal(comparison.compared, 0xe800);
    end(&comparison);
}

static void a32_agrees_with_capstone(void **state UNUSED)
{
    begin(&comparison, ARM_TABLE_A32);
    random_state = 0x5eed0a32;
    for (unsigned n = 0; n < SAMPLES_A32; n++) {
        uint32_t word = random32();
        if (n % 8 == 0) /* the unconditional space gets more than its sixteenth */
            word |= 0xf0000000;
        if (n % 8 == 1) /* so does the crowded miscellaneous space */
            word = (word & 0xf19ffff0) | 0x01000000 | (word & 15);
        if (table_of_a32(word) == ARM_TABLE_A32)
            compare(&comparison, word);
    }
    end(&comparison);
}

static void t32_agrees_with_capstone(void **state UNUSED)
{
    begin(&comparison, ARM_TABLE_T32);
    random_state = 0x5eed0732;
    for (unsigned n = 0; n < SAMPLES_T32; n++) {
        uint32_t word = (random32() & 0x1fffffff) | 0xe0000000;
        if (word >> 27 == 0x1c)
            word |= 0x08000000;
        if (n % 4 == 0) /* load/store single, register operands and multiplies, system instructions: mostly with the fixed bits they need */
            word = (word & 0x07ff0fff) | 0xf800f000;
        if (n % 16 == 1)
            word = (word & 0x007fafff) | 0xf3808000;
        if (table_of_t32(word) == ARM_TABLE_T32)
            compare(&comparison, word);
    }
    end(&comparison);
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
        cmocka_unit_test(index_agrees_with_search), cmocka_unit_test(fields_are_extracted),     cmocka_unit_test(t16_agrees_with_capstone),
        cmocka_unit_test(a32_agrees_with_capstone), cmocka_unit_test(t32_agrees_with_capstone),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
