/*
 * neon.h: Advanced SIMD operations by name, their helpers, and how the helpers' operands are packed.
 *
 * A helper works on registers named in `imm`: six bits each, d at bit 0, n at bit 6, m at bit 12; a number is the offset in doublewords from D0, so that
 * arm_cpu.fp_scratch can be an operand too. Bit 18: quadword. Bits 31..20: the operation's own (shift amount, table length).
 */
#ifndef ARM_NEON_H
#define ARM_NEON_H

#include <arch/arm/cpu.h>
#include <arch/arm/vfp_soft.h>

#define NEON_QUAD BIT(18)

#define NEON_SCRATCH ((offsetof(struct arm_cpu, fp_scratch) - offsetof(struct arm_cpu, d)) / 8)
_Static_assert(NEON_SCRATCH + 8 <= 64 && (offsetof(struct arm_cpu, fp_scratch) - offsetof(struct arm_cpu, d)) % 16 == 0, "six bits, aligned");

static inline uint32_t neon_pack(unsigned d, unsigned n, unsigned m, bool quad, unsigned own)
{
    return d | n << 6 | m << 12 | (quad ? NEON_QUAD : 0) | own << 20;
}
static inline unsigned neon_own(uint32_t imm) { return imm >> 20; }

/* A D register or scratch doubleword as elements. */
static inline void *neon_reg(void *cpu, uint32_t number) { return (char *)cpu + offsetof(struct arm_cpu, d) + 8 * (number & 63); }
static inline void *neon_d(void *cpu, uint32_t imm) { return neon_reg(cpu, imm); }
static inline void *neon_n(void *cpu, uint32_t imm) { return neon_reg(cpu, imm >> 6); }
static inline void *neon_m(void *cpu, uint32_t imm) { return neon_reg(cpu, imm >> 12); }
static inline unsigned neon_bytes(uint32_t imm) { return imm & NEON_QUAD ? 16 : 8; }

/*
 * Operations that are not, or not for all sizes, inline. Integer ones have a helper for each element size and signedness: index size (0..3 for 8..64
 * bits) + 4 when unsigned; NULL where there is none. In "long" and "narrow" operations the size is that of the narrow side.
 */
enum neon_op {
    /* d = n op m */
    NEON_QADD, NEON_QSUB,
    NEON_SHL, NEON_QSHL, NEON_RSHL, NEON_QRSHL, /* m shifted by n */
    NEON_PMUL, NEON_QDMULH, NEON_QRDMULH,
    /* long: quad d, double n, m */
    NEON_QDMULL, NEON_QDMLAL, NEON_QDMLSL, NEON_PMULL,
    /* shifts of m by an immediate (own) */
    NEON_QSHLI, NEON_QSHLU,
    /* narrowing ones: double d, quad m; unsigned index: result and operand unsigned; U: signed to unsigned */
    NEON_QSHRN, NEON_QRSHRN, NEON_QSHRUN, NEON_QRSHRUN,
    /* d = op m */
    NEON_CLS, NEON_CLZ, NEON_CNT, NEON_RECPE, NEON_RSQRTE,
    NEON_OP_COUNT
};

extern const ir_helper arm_neon_helpers[NEON_OP_COUNT][8];

/* Single-precision elements, standard FPSCR: d = n op m or op m */
enum neon_fop {
    NEON_FADD, NEON_FSUB, NEON_FMUL, NEON_FMLA, NEON_FMLS, NEON_FFMA, NEON_FFMS, NEON_FABD, NEON_FMAX, NEON_FMIN,
    NEON_FCEQ, NEON_FCGE, NEON_FCGT, NEON_FACGE, NEON_FACGT, NEON_FRECPS, NEON_FRSQRTS,
    NEON_FPADD, NEON_FPMAX, NEON_FPMIN, /* pairwise */
    NEON_FCLE, NEON_FCLT, /* with zero, as those above: m is scratch that holds zero */
    NEON_FRECPE, NEON_FRSQRTE,
    NEON_FTOS, NEON_FTOU, NEON_FFROMS, NEON_FFROMU, /* own = fraction bits */
    NEON_FOP_COUNT
};

/* Own bits of the first five as fix-ups of inline code; the second: MXCSR as it was stands in fp_scratch[NEON_MXCSR_SLOT]. */
#define NEON_FIXUP       1u
#define NEON_FIXUP_MXCSR 2u
#define NEON_MXCSR_SLOT  7

extern const ir_helper arm_neon_fhelpers[NEON_FOP_COUNT];

uint32_t arm_neon_to_half(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);   /* double d, quad m */
uint32_t arm_neon_from_half(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2); /* quad d, double m */
uint32_t arm_neon_tbx(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);       /* own: length 1..4 */
/* Between fp_scratch, as the structures lie in memory, and registers d, d + inc...; own: log2 element bytes | inc << 2 | structure size << 4 */
uint32_t arm_neon_deinterleave(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_neon_interleave(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);

#endif
