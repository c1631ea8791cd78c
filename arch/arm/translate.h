/*
 * translate.h: what the translate functions of the decode tables work with.
 */
#ifndef ARM_TRANSLATE_H
#define ARM_TRANSLATE_H

#include <arch/arm/cpu.h>
#include <arch/arm/decode.h>
#include <dbt/ir.h>

struct arm_translator {
    struct arm_cpu *cpu;
    const struct guest_translate_in *in;
    struct ir_block *b;
    uint32_t pc;       /* of the current instruction, bit 0 clear */
    uint32_t next_pc;  /* of the following one in address order */
    uint32_t flags;    /* ARM_BF_* */
    uint32_t itstate;  /* of the current instruction, 0 outside IT */
    bool thumb;
    uint16_t slow;     /* IR_MEM_SLOW, IR_MEM_SOFT or IR_MEM_ALIAS when this instruction's memory accesses are to be that */
    bool ended;        /* the block has its unconditional exit */
    bool fp_checked;   /* that floating point is on has been checked on every path to here */
    uint8_t cond;      /* condition of the current instruction; the wrapper in translate.c has emitted the skip */
    uint32_t aligned;  /* bit n: register n is known to be a multiple of 4 here */
    uint32_t high;     /* end of the highest instruction translated */
    unsigned followed; /* unconditional branches followed inline */
};

/* Value of register r as an operand: globals directly; r15 becomes a temp holding pc + 8 (A32) or pc + 4 (Thumb). */
uint16_t tr_reg(struct arm_translator *t, unsigned r);
/* pc as seen by PC-relative addressing: Align(pc + 8 or 4, 4). */
uint32_t tr_pc_literal(const struct arm_translator *t);
/* Write `v` to register r; r15: branch with interworking (BXWritePC / ALUWritePC), ends the block. */
void tr_write_reg(struct arm_translator *t, unsigned r, uint16_t v);

/* Raise Undefined: architecturally (tr_undef) or because this translator lacks the instruction (tr_unimplemented, reported once). End the block when
 * unconditional. */
void tr_undef(struct arm_translator *t, const struct arm_insn *i);
void tr_unimplemented(struct arm_translator *t, const struct arm_insn *i);

/* mem field for an access of `size` bytes with this block's endianness, slowness, alignment rule. */
uint16_t tr_mem(const struct arm_translator *t, unsigned size);
/* Emit an alignment check of address value a + imm against size (mask = size - 1). */
void tr_align(struct arm_translator *t, uint16_t a, uint32_t imm, unsigned size, bool is_write);

/* Convenience emitters, all return the instruction for further fields. */
struct ir_insn *tr_alu(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint16_t b);
struct ir_insn *tr_alu_imm(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint32_t imm);
struct ir_insn *tr_mov(struct arm_translator *t, uint16_t d, uint16_t b);
struct ir_insn *tr_mov_imm(struct arm_translator *t, uint16_t d, uint32_t imm);
void tr_mov_address(struct arm_translator *t, uint16_t d, uint32_t va); /* the same for an address counted from the pc */
struct ir_insn *tr_load(struct arm_translator *t, uint16_t d, uint16_t base, uint32_t imm, uint16_t mem);
struct ir_insn *tr_store(struct arm_translator *t, uint16_t v, uint16_t base, uint32_t imm, uint16_t mem);
struct ir_insn *tr_call(struct arm_translator *t, ir_helper fn, uint16_t d, uint16_t a, uint16_t b, uint32_t imm, uint32_t imm2, unsigned call_flags);

#endif
