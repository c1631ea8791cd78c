/*
 * decode.h: the tables of ARM encodings, and decoding by them.
 *
 * A row is one encoding: its name, its bit pattern, and the function that translates it. In a pattern 0 and 1 are fixed bits, '-' is "don't care"
 * (should-be bits), a letter is part of the field of that letter, most significant bit first; a field may be split: its bits are
 * concatenated. Spaces are for reading. A32 patterns that begin with "cccc" do not match when the condition is 0b1111; the unconditional space
 * has rows of its own that begin with 1111. Rows are tried in order: put special cases first. Example:
 *     { "add",  "cccc 0010 100S nnnn dddd iiii iiii iiii", tr_add_imm, 0 },
 * T32: 16-bit patterns have 16 bits, 32-bit ones have 32 (first halfword first).
 *
 * The decoder, the random instruction generator of the tests and the coverage count all read the same rows.
 */
#ifndef ARM_DECODE_H
#define ARM_DECODE_H

#include <armlet/base.h>

struct arm_translator; /* arch/arm/translate.h */
struct arm_insn;

typedef void arm_translate_fn_decl(struct arm_translator *t, const struct arm_insn *i);
typedef arm_translate_fn_decl *arm_translate_fn;

/* Row flags */
#define ROW_USER_SAFE BIT(0) /* the generator may run it in user mode with any operands: touches registers and flags only */
#define ROW_MEM       BIT(1) /* accesses memory through rn */
#define ROW_BRANCH    BIT(2) /* may change the pc */
#define ROW_SYSTEM    BIT(3) /* privileged or changes CPU mode/state */
#define ROW_VFP       BIT(4) /* floating point or Advanced SIMD register file */
#define ROW_NO_COND   BIT(5) /* never conditional although it has a condition field or stands in an IT block */
#define ROW_UNDEF     BIT(6) /* architecturally undefined or unallocated here */
#define ROW_OWN_COND  BIT(7) /* the translate function handles the condition itself (B<cond>) */
#define ROW_SP_PC     BIT(8) /* operands of value 13 or 15 are UNPREDICTABLE or special (every ROW_USER_SAFE row may branch when it writes r15) */
/* What the look-ahead for dead flags needs: bits 16-19 NZCV surely written, 20-23 read (IR_N... layout). Rows without ROW_FL_KNOWN stop it. */
#define ROW_FL_WRITES(f) ((uint32_t)(f) << 16)
#define ROW_FL_READS(f)  ((uint32_t)(f) << 20)
#define ROW_FL_S         BIT(24) /* writes only when field S is 1 */
#define ROW_FL_IT        BIT(25) /* writes only outside an IT block */
#define ROW_FL_KNOWN     BIT(26)

struct arm_row {
    const char *name;
    const char *pattern;
    arm_translate_fn translate;
    uint32_t flags;
    uint32_t arg; /* for the translate function: which variant of a family */
};

/* A decoded instruction. Fields by letter: f[x - 'a'] for a..z, f[26 + x - 'A'] for A..Z; only those of the pattern are set. */
struct arm_insn {
    const struct arm_row *row;
    uint32_t raw;  /* A32 word, T16 halfword, or T32 first halfword << 16 | second */
    uint32_t pc;   /* address, bit 0 clear */
    uint8_t size;  /* 2 or 4 */
    bool thumb;
    uint8_t cond;  /* 0..14 (14 = always): from the encoding or the IT block */
    uint32_t f[52];
};
#define ARM_F(i, letter) ((i)->f[(letter) >= 'a' ? (letter) - 'a' : 26 + (letter) - 'A'])

/* The tables. Advanced SIMD and VFP rows serve A32 and T32: their A32 form is kept; the T32 decoder maps 1110 111U/1111 111U first halfwords
 * (VFP: same bits with cond = 1110; NEON data: A32 1111 001U <- T32 111U 1111; NEON load/store: A32 1111 0100 <- T32 1111 1001) onto it. */
extern const struct arm_row arm_a32_rows[];
extern const unsigned arm_a32_row_count;
extern const struct arm_row arm_t16_rows[];
extern const unsigned arm_t16_row_count;
extern const struct arm_row arm_t32_rows[];
extern const unsigned arm_t32_row_count;
extern const struct arm_row arm_vfp_rows[];  /* A32 patterns, conditional: coprocessors 10 and 11 */
extern const unsigned arm_vfp_row_count;
extern const struct arm_row arm_neon_rows[]; /* A32 patterns, unconditional: data processing 1111001, element and structure load/store 11110100 */
extern const unsigned arm_neon_row_count;

enum arm_table { ARM_TABLE_A32, ARM_TABLE_T16, ARM_TABLE_T32, ARM_TABLE_VFP, ARM_TABLE_NEON, ARM_TABLE_COUNT };

/*
 * A pattern taken apart. A word matches when (word & mask) == value; each segment appends `width` bits from bit `lsb` on to the field of index
 * `field` (as in arm_insn.f[]). `any` has the don't-care bits. arm_pattern_compile() returns false for text that is not a pattern of `bits` bits
 * or has too many segments; the row tables have none such (tests/unit/decode_test.c).
 */
#define ARM_PATTERN_SEGMENTS 16
struct arm_pattern {
    uint32_t mask, value, any;
    uint8_t segments;
    struct {
        uint8_t field, lsb, width;
    } segment[ARM_PATTERN_SEGMENTS];
};
bool arm_pattern_compile(const char *text, unsigned bits, struct arm_pattern *out);
unsigned arm_table_rows(enum arm_table table, const struct arm_row **rows); /* returns the count */

/* Compiled form of the tables (mask, value, field extraction, index): built once per engine, in memory the caller gives. */
struct arm_decoder;
size_t arm_decoder_size(void);
void arm_decoder_init(struct arm_decoder *d);

/* Decode. Returns false when no row matches (undefined). cond is left at the encoding's (14 for unconditional and for Thumb; B<cond> has it). */
bool arm_decode_a32(const struct arm_decoder *d, uint32_t pc, uint32_t word, struct arm_insn *out);
bool arm_decode_thumb(const struct arm_decoder *d, uint32_t pc, uint16_t hw1, uint16_t hw2, struct arm_insn *out);
static inline bool arm_thumb_is_32bit(uint16_t hw1) { return hw1 >= 0xe800; }

#endif
