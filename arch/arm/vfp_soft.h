/*
 * vfp_soft.h: exact ARM floating point on integers.
 *
 * The reference for everything the host's SSE does not do ARM's way: NaN propagation, default NaN, flush-to-zero with its flags, tininess before
 * rounding, saturating and fixed-point conversions, half precision, estimates. Values are bit patterns; a 32- or 16-bit one is zero-extended.
 * No host floating point is used: neither MXCSR nor its flags matter. Semantics: ARM ARM (DDI 0406C) A2.7 and the FP*() pseudocode.
 */
#ifndef ARM_VFP_SOFT_H
#define ARM_VFP_SOFT_H

#include <armlet/base.h>

/* FPSCR bits */
#define FPSCR_IOC   BIT(0)
#define FPSCR_DZC   BIT(1)
#define FPSCR_OFC   BIT(2)
#define FPSCR_UFC   BIT(3)
#define FPSCR_IXC   BIT(4)
#define FPSCR_IDC   BIT(7)
#define FPSCR_EXC   0x9fu
#define FPSCR_LEN   (7u << 16)
#define FPSCR_STRIDE (3u << 20)
#define FPSCR_RMODE (3u << 22)
#define FPSCR_FZ    BIT(24)
#define FPSCR_DN    BIT(25)
#define FPSCR_AHP   BIT(26)
#define FPSCR_QC    BIT(27)

/* FPSCR of Advanced SIMD: round to nearest, flush to zero, default NaN */
#define FPSCR_STANDARD (FPSCR_FZ | FPSCR_DN)

enum fp_round { FP_RN, FP_RP, FP_RM, FP_RZ }; /* as FPSCR.RMode */

/* Formats, also an index of the format table. */
enum fp_fmt { FP16, FP32, FP64 };

/* What an operation depends on, and the exceptions (FPSCR_EXC bits) it and its predecessors raised. */
struct fp_env {
    uint32_t fpscr;
    uint32_t exc;
};

static inline struct fp_env fp_env_of(uint32_t fpscr) { return (struct fp_env){.fpscr = fpscr}; }

uint64_t fp_default_nan(enum fp_fmt f);
bool fp_is_nan(enum fp_fmt f, uint64_t x);
static inline uint64_t fp_sign_bit(enum fp_fmt f) { return 1ull << (f == FP64 ? 63 : f == FP32 ? 31 : 15); }
static inline uint64_t fp_neg(enum fp_fmt f, uint64_t x) { return x ^ fp_sign_bit(f); }
static inline uint64_t fp_abs(enum fp_fmt f, uint64_t x) { return x & ~fp_sign_bit(f); }

uint64_t fp_add(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
uint64_t fp_sub(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
uint64_t fp_mul(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
uint64_t fp_div(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
uint64_t fp_sqrt(struct fp_env *e, enum fp_fmt f, uint64_t a);
uint64_t fp_muladd(struct fp_env *e, enum fp_fmt f, uint64_t addend, uint64_t a, uint64_t b); /* addend + a * b, rounded once */
uint64_t fp_max(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
uint64_t fp_min(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b);
/* NZCV in bits 3..0. quiet_invalid: a quiet NaN raises Invalid too. */
unsigned fp_compare(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b, bool quiet_invalid);
uint64_t fp_convert(struct fp_env *e, enum fp_fmt to, enum fp_fmt from, uint64_t x);
/* x * 2^frac rounded to an integer of `bits` (16 or 32), saturating; sign- or zero-extended to 32 bits. */
uint32_t fp_to_int(struct fp_env *e, enum fp_fmt f, uint64_t x, unsigned frac, unsigned bits, bool is_signed, enum fp_round mode);
/* x * 2^-frac; x is sign-extended already when it is signed. */
uint64_t fp_from_int(struct fp_env *e, enum fp_fmt f, int64_t x, unsigned frac, enum fp_round mode);

/* Advanced SIMD estimates and steps, single precision, under the standard FPSCR. */
uint32_t fp_recip_estimate(struct fp_env *e, uint32_t x);
uint32_t fp_rsqrt_estimate(struct fp_env *e, uint32_t x);
uint32_t fp_recip_step(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t fp_rsqrt_step(struct fp_env *e, uint32_t a, uint32_t b);
uint32_t int_recip_estimate(uint32_t x);
uint32_t int_rsqrt_estimate(uint32_t x);

#endif
