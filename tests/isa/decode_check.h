/*
 * decode_check.h: the parts of the comparison of our reading of instructions with Capstone's.
 */
#ifndef ISA_DECODE_CHECK_H
#define ISA_DECODE_CHECK_H

#include <arch/arm/decode.h>

/* An instruction's operands, as far as both sides have them in the same form. */
struct operands {
    uint32_t core;    /* bit n: names r0..r14; r15 is implied too often to be compared */
    uint32_t implied; /* ours: of `core`, what Capstone leaves out in some forms */
    uint64_t simd;    /* bit n: half of a D register: S registers count one, D two, Q four */
    unsigned n_imm;
    int64_t imm[8]; /* immediates, offsets, shift amounts, branch targets, in any order */
    bool imm_known; /* ours: the immediates of this family are compared: each of ours must be among theirs */
    bool simd_known, core_known, past_d31;
};

/* decode_operands.c: what our tables say about an instruction. */
void operands_of(const struct arm_insn *i, struct operands *out);
/* Does a list of registers (VLDn, VSTn, VTBL) go past d31? */
bool list_past_d31(const struct arm_insn *i);

/* decode_known.c */
enum { BY_US = 1, BY_CAPSTONE = 2, DIFFERENT_OPERANDS = 4 }; /* who takes the word for an instruction; 3: both, under different names */
bool known_difference(enum arm_table table, const struct arm_insn *i, uint32_t word, unsigned kind);
/* Why a difference is known: the table, for print-outs. */
void print_known_differences(void);
/* Does Capstone's mnemonic name the instruction? */
bool mnemonic_agrees(const char *mnemonic, const struct arm_insn *i);

#endif
