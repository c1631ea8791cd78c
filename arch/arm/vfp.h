/*
 * vfp.h: VFP helpers called from translated code, and how their operands are packed.
 *
 * A helper finds everything in `imm`: the operation and flags in bits 7..0, then register numbers of six bits each (S0-S31 or D0-D31): d at bit 8,
 * n at bit 14, m at bit 20. The same helper serves as the fix-up of an inline operation (ir_insn.fn of an IR_OP_VOP): it does the whole
 * operation again from the operands, which the inline code has not changed, with exact results and exceptions.
 */
#ifndef ARM_VFP_H
#define ARM_VFP_H

#include <arch/arm/cpu.h>
#include <arch/arm/vfp_soft.h>

enum vfp_op {
    VFP_ADD, VFP_SUB, VFP_MUL, VFP_NMUL, VFP_DIV, VFP_SQRT,
    VFP_MLA, VFP_MLS, VFP_NMLA, VFP_NMLS, /* two roundings */
    VFP_FMA, VFP_FMS, VFP_FNMA, VFP_FNMS, /* one */
};

#define VFP_OP     0x1fu /* enum vfp_op, or flags of the other helpers: */
#define VFP_DOUBLE 0x80u

#define VFP_CMP_E    0x01u /* quiet NaNs raise Invalid */
#define VFP_CMP_ZERO 0x02u

#define VFP_INT_SIGNED 0x01u
#define VFP_INT_FPSCR  0x02u /* rounding mode from FPSCR, else towards zero */
#define VFP_INT_16     0x04u /* fixed point: 16 bits */

#define VFP_HALF_TO  0x01u /* single to half, else half to single */
#define VFP_HALF_TOP 0x02u

static inline uint32_t vfp_pack(unsigned op, unsigned d, unsigned n, unsigned m) { return op | d << 8 | n << 14 | m << 20; }
static inline unsigned vfp_d(uint32_t imm) { return imm >> 8 & 63; }
static inline unsigned vfp_n(uint32_t imm) { return imm >> 14 & 63; }
static inline unsigned vfp_m(uint32_t imm) { return imm >> 20 & 63; }

/* Single registers overlay the doubles (little-endian host). */
static inline uint32_t *vfp_s(struct arm_cpu *c, unsigned n) { return (uint32_t *)c->d + n; }

uint32_t arm_vfp_arith(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);   /* d = n op m */
uint32_t arm_vfp_compare(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2); /* d against m */
uint32_t arm_vfp_convert(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2); /* VFP_DOUBLE: m is double, d single; else the reverse */
uint32_t arm_vfp_half(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_vfp_to_int(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);  /* S[d] = (int) m */
uint32_t arm_vfp_to_fixed(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);   /* in place: register d, n = fraction bits */
uint32_t arm_vfp_from_fixed(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2); /* likewise */

uint32_t arm_vfp_fpscr_read(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_vfp_fpscr_write(void *cpu, uint32_t value, uint32_t b, uint32_t imm, uint32_t imm2);
/* Privileged registers; Undefined when CPACR denies access. imm = number in VMRS/VMSR. Call with IR_CALL_RAISE. */
uint32_t arm_vfp_sys_read(void *cpu, uint32_t a, uint32_t b, uint32_t reg, uint32_t imm2);
uint32_t arm_vfp_sys_write(void *cpu, uint32_t value, uint32_t b, uint32_t reg, uint32_t imm2);

/* The FPSCR as a program reads it, and writing it (also sets the host's MXCSR). */
uint32_t arm_fpscr_read(struct arm_cpu *c);
void arm_fpscr_write(struct arm_cpu *c, uint32_t value);

#endif
