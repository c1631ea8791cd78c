/*
 * gen.h: random cases from the decode tables.
 *
 * A case is a list of *units*: pieces of straight or forward-branching code that stand for themselves, so that any case can be cut after a
 * unit and still means something. A unit is one instruction with what it needs before it (a base register that points into the data page),
 * an IT block, an exclusive pair, or a branch with the instructions that it skips. All code is position-independent. The same (seed,
 * number) always gives the same case.
 */
#ifndef ISA_GEN_H
#define ISA_GEN_H

#include <arch/arm/decode.h>

#include "case.h"

struct rng {
    uint64_t s;
};
uint32_t rnd(struct rng *r);               /* 32 random bits */
uint32_t below(struct rng *r, uint32_t n); /* 0..n-1 */
static inline bool chance(struct rng *r, unsigned percent)
{
    return below(r, 100) < percent;
}
uint32_t interesting_word(struct rng *r);
uint64_t interesting_double(struct rng *r); /* a D register: integers, floats, special values */

#define GEN_MAX_INSNS 80
#define GEN_MAX_UNITS 48

struct gen_insn {
    uint32_t word; /* T32: first halfword in the high half */
    uint8_t size;
    bool thumb;   /* instruction set of this instruction */
    bool counted; /* surely executed when the case reaches its end: counts for coverage */
    bool multi;   /* see isa_case.multi */
    int row;      /* global row number, or -1 (glue) */
};

struct gen_unit {
    uint8_t first, count;
};

struct gen_case {
    struct isa_state in;
    struct isa_banked banked; /* when has_banked */
    bool has_banked;
    bool anything; /* gen_options.anything */
    bool thumb;
    unsigned n, n_units;
    struct gen_insn insn[GEN_MAX_INSNS];
    struct gen_unit unit[GEN_MAX_UNITS];
};

/* All rows of all tables, numbered through. */
struct gen_row {
    const struct arm_row *row;
    enum arm_table table;
    struct arm_pattern pattern;
    enum gen_class { GEN_SKIP, GEN_SAFE, GEN_MEM, GEN_BRANCH, GEN_SPECIAL } cls; /* how the generator uses it */
    bool required;                                                               /* a full run must have executed it */
};

struct gen {
    struct arm_decoder *decoder;
    struct gen_row *rows;
    int n_rows;
    int *pick[2]; /* row numbers usable in A32 and Thumb cases */
    int n_pick[2];
};

/* Options of what to generate. */
struct gen_options {
    const char *row;    /* only rows whose name starts with this (glue and branches excepted), or NULL */
    int table;          /* only this enum arm_table, or -1 */
    unsigned units;     /* per case, at most */
    bool faults;        /* let some accesses fault */
    bool undefined;     /* only words that the tables do not have: one a case */
    bool no_exclusives; /* an interrupt may clear the monitor */
    bool system;        /* status registers, modes, exceptions, coprocessors, starting in any mode: for the bare-metal runner */
    bool banked_access; /* with `system`: MRS and MSR of banked registers; the oracle's machine must have the virtualisation extensions */
    bool anything;      /* one instruction a case, any fields: mostly UNPREDICTABLE */
};

int gen_init(struct gen *g, const struct gen_options *o); /* 0, or -1: a pattern of the tables does not compile or nothing is selected */
void gen_free(struct gen *g);
void gen_make(const struct gen *g, const struct gen_options *o, uint64_t seed, uint32_t number, struct gen_case *out);

/* Another random state for the same code. */
void gen_state(const struct gen_case *c, uint64_t seed, uint32_t number, struct isa_state *out);

/* Write `units` units from `first_unit` on and the final UDF to `code` (ISA_CASE_BYTES room), which will stand at guest address `pc`, and
 * fill *c. pc has the alignment that unit has in the whole case (gen_offset()). Returns the number of bytes. */
unsigned gen_offset(const struct gen_case *g, unsigned unit); /* bytes before a unit */
unsigned gen_emit(const struct gen_case *g, unsigned first_unit, unsigned units, uint32_t pc, uint8_t *code, struct isa_case *c);

/* --- between the generator's files --- */
struct builder {
    const struct gen *g;
    const struct gen_options *o;
    struct rng *r;
    struct gen_case *c;
    unsigned mode; /* system cases: the mode that the next instruction runs in */
};

static inline uint32_t field_get(const struct gen_row *row, uint32_t word, char letter)
{
    uint32_t v = 0;
    unsigned f = letter >= 'a' ? (unsigned)(letter - 'a') : (unsigned)(26 + letter - 'A');
    for (unsigned i = 0; i < row->pattern.segments; i++)
        if (row->pattern.segment[i].field == f)
            v = v << row->pattern.segment[i].width |
                (word >> row->pattern.segment[i].lsb & (0xffffffffu >> (32 - row->pattern.segment[i].width)));
    return v;
}
static inline unsigned field_width(const struct gen_row *row, char letter)
{
    unsigned f = letter >= 'a' ? (unsigned)(letter - 'a') : (unsigned)(26 + letter - 'A'), w = 0;
    for (unsigned i = 0; i < row->pattern.segments; i++)
        w += row->pattern.segment[i].field == f ? row->pattern.segment[i].width : 0;
    return w;
}
uint32_t field_set(const struct gen_row *row, uint32_t word, char letter, uint32_t value);

void put_insn(struct builder *b, uint32_t word, unsigned size, int row, bool counted, bool multi);
void put_const(struct builder *b, unsigned reg, uint32_t value); /* MOVW, MOVT */
void put_row(struct builder *b, int row, uint32_t word, bool counted,
             bool multi); /* a table word: A32 form of VFP and NEON is turned into T32 */
/* One instruction that is the whole unit, and the row that the decoder says. */
void put_decoded(struct builder *b, uint32_t word, unsigned size);
/* The row that takes `word` in the case's instruction set; -1 if none does. */
int row_of(const struct builder *b, uint32_t word, unsigned size);
/* m = address `bytes` bytes behind the end of the code put here; in Thumb code with bit 0 set. */
void put_address(struct builder *b, unsigned m, unsigned bytes);
/* In Thumb code, after a branch to the next word in A32 state: A32 code that returns to Thumb state behind itself. */
void back_to_thumb(struct builder *b);
/* One instruction that a write of the pc skips. */
bool make_skipped(struct builder *b, struct gen_insn *skipped);
/* An address in the data page for an access of `len` bytes that must be aligned to `align`. */
uint32_t pick_address(struct builder *b, unsigned len, unsigned align);
/* Random word of a row with its should-be bits set, fields random. */
uint32_t random_word(struct builder *b, int row);
/* Does the decoder take `word` (table form) for this row? */
bool decodes_to(const struct gen *g, int row, uint32_t word, bool thumb);
/* A general register that is neither sp nor pc; a low one for Thumb 16-bit. */
unsigned pick_reg(struct builder *b);

/* Classify and generate by family. gen_*_word: constrain `*word`; false: try another. *pre: registers to set before. */
struct fixups {
    unsigned n;
    struct {
        uint8_t reg;
        uint32_t value;
    } set[4];
    bool multi;
};
enum gen_class gen_int_class(const struct gen_row *row);
enum gen_class gen_fp_class(const struct gen_row *row);
bool gen_int_word(struct builder *b, int row, uint32_t *word, struct fixups *f);
bool gen_fp_word(struct builder *b, int row, uint32_t *word, struct fixups *f);
bool gen_branch_unit(struct builder *b, int row); /* emits a whole unit */
bool gen_pc_unit(struct builder *b);              /* the pc written by a load or a move */
bool gen_loop_unit(struct builder *b);
bool gen_system_unit(struct builder *b); /* gen_sys.c: any of what user programs cannot or must not do */
void gen_system_state(struct rng *r, struct gen_case *c);
bool gen_special_unit(struct builder *b, int row);
bool gen_simple_unit(struct builder *b, int row, int cond, bool counted); /* fix-ups and one instruction; cond -1: random */

#endif
