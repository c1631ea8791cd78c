/*
 * translate_fp.h: what the VFP and Advanced SIMD translate functions share.
 *
 * Functions named tr_v* are the translate functions of table_vfp.c, those named tr_n* of table_neon.c.
 */
#ifndef ARM_TRANSLATE_FP_H
#define ARM_TRANSLATE_FP_H

#include <arch/arm/translate.h>
#include <arch/arm/vfp.h>
#include <dbt/ir_vop.h>

/* --- state offsets --- */
static inline uint32_t off_d(unsigned d) { return ARM_OFF(d) + 8 * d; }
static inline uint32_t off_s(unsigned s) { return ARM_OFF(d) + 4 * s; }
static inline uint32_t off_scratch(unsigned n) { return ARM_OFF(fp_scratch) + 8 * n; }

_Static_assert(offsetof(struct arm_cpu, fp_scratch) + 64 < 0xffff, "VOP operands are 16-bit offsets");

/* Register numbers: D:dddd, N:nnnn, M:mmmm of a double, dddd:D of a single. */
static inline unsigned reg_d(const struct arm_insn *i, char v, char top) { return ARM_F(i, top) << 4 | ARM_F(i, v); }
static inline unsigned reg_s(const struct arm_insn *i, char v, char top) { return ARM_F(i, v) << 1 | ARM_F(i, top); }

/* Raise Undefined when floating point is off, found out once in a block when it runs: blocks are not specialised on it, because the kernel
 * switches it at nearly every process switch and would have all its blocks twice. */
void fp_check(struct arm_translator *t);

/* Emit state[d] = vop(state[a], state[b]). */
struct ir_insn *fp_vop(struct arm_translator *t, enum ir_vop vop, unsigned bytes, uint32_t d, uint32_t a, uint32_t b, uint32_t imm);
/* The same for one that saturates: it sets FPSCR.QC. */
void tr_n_saturating(struct arm_translator *t, enum ir_vop vop, unsigned bytes, uint32_t d, uint32_t a, uint32_t b, uint32_t imm);
/* Move `bytes` (4, 8, 16) of elements of `esize` bytes between guest memory at base + imm and CPU state at `off`. base may be IR_NONE. Stores of
 * big-endian data use fp_scratch[6..7]. */
void fp_load(struct arm_translator *t, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm);
void fp_store(struct arm_translator *t, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm);
/* The same for any multiple of 4 bytes. */
void fp_move_run(struct arm_translator *t, bool load, unsigned bytes, unsigned esize, uint32_t off, uint16_t base, uint32_t imm);

/* table_vfp.c */
void tr_v_arith(struct arm_translator *t, const struct arm_insn *i);
void tr_v_unary(struct arm_translator *t, const struct arm_insn *i);
void tr_v_mov_imm(struct arm_translator *t, const struct arm_insn *i);
void tr_v_compare(struct arm_translator *t, const struct arm_insn *i);
void tr_v_convert(struct arm_translator *t, const struct arm_insn *i);
void tr_v_half(struct arm_translator *t, const struct arm_insn *i);
void tr_v_to_int(struct arm_translator *t, const struct arm_insn *i);
void tr_v_from_int(struct arm_translator *t, const struct arm_insn *i);
void tr_v_fixed(struct arm_translator *t, const struct arm_insn *i);
void tr_v_ldst(struct arm_translator *t, const struct arm_insn *i);
void tr_v_ldst_multiple(struct arm_translator *t, const struct arm_insn *i);
void tr_v_mov_pair(struct arm_translator *t, const struct arm_insn *i);
void tr_v_mov_core(struct arm_translator *t, const struct arm_insn *i);
void tr_v_mov_to_lane(struct arm_translator *t, const struct arm_insn *i);
void tr_v_mov_from_lane(struct arm_translator *t, const struct arm_insn *i);
void tr_v_dup_core(struct arm_translator *t, const struct arm_insn *i);
void tr_v_vmrs(struct arm_translator *t, const struct arm_insn *i);
void tr_v_vmsr(struct arm_translator *t, const struct arm_insn *i);

/* table_neon.c */
void tr_n_undef(struct arm_translator *t, const struct arm_insn *i);
void tr_n_three_same(struct arm_translator *t, const struct arm_insn *i);
void tr_n_three_diff(struct arm_translator *t, const struct arm_insn *i);
void tr_n_scalar(struct arm_translator *t, const struct arm_insn *i);
void tr_n_shift_imm(struct arm_translator *t, const struct arm_insn *i);
void tr_n_fixed(struct arm_translator *t, const struct arm_insn *i);
void tr_n_mov_imm(struct arm_translator *t, const struct arm_insn *i);
void tr_n_misc(struct arm_translator *t, const struct arm_insn *i);
void tr_n_ext(struct arm_translator *t, const struct arm_insn *i);
void tr_n_tbl(struct arm_translator *t, const struct arm_insn *i);
void tr_n_dup(struct arm_translator *t, const struct arm_insn *i);
void tr_n_ldst_multiple(struct arm_translator *t, const struct arm_insn *i);
void tr_n_ldst_lane(struct arm_translator *t, const struct arm_insn *i);
void tr_n_load_all_lanes(struct arm_translator *t, const struct arm_insn *i);

#endif
