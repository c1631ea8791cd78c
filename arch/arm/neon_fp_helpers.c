/*
 * neon_fp_helpers.c: Advanced SIMD single-precision operations, under the standard FPSCR (round to nearest, flush to zero, default NaN).
 *
 * The exact form works element by element on integers (vfp_soft.h). Add, subtract, multiply and multiply-accumulate first try the host's vectors
 * without flush-to-zero: where no operand or result is denormal or a NaN, both agree, and the exceptions the host reports are the guest's.
 */
#include <arch/arm/neon.h>

typedef float f32x4 __attribute__((vector_size(16), may_alias));
typedef int32_t i32x4 __attribute__((vector_size(16)));

#define MXCSR_DEFAULT 0x1f80u
#define MXCSR_INEXACT (0x08u | 0x20u) /* overflow, precision */
#define MXCSR_FLAGS   0x3fu
#define MIN_NORMAL    0x00800000

typedef uint32_t element_fn(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m);

static uint32_t f_add(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_add(e, FP32, n, m); }
static uint32_t f_sub(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_sub(e, FP32, n, m); }
static uint32_t f_mul(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_mul(e, FP32, n, m); }
static uint32_t f_mla(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return (uint32_t)fp_add(e, FP32, d, fp_mul(e, FP32, n, m)); }
static uint32_t f_mls(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return (uint32_t)fp_sub(e, FP32, d, fp_mul(e, FP32, n, m)); }
static uint32_t f_fma(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return (uint32_t)fp_muladd(e, FP32, d, n, m); }
static uint32_t f_fms(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return (uint32_t)fp_muladd(e, FP32, d, fp_neg(FP32, n), m); }
static uint32_t f_abd(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_abs(FP32, fp_sub(e, FP32, n, m)); }
static uint32_t f_max(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_max(e, FP32, n, m); }
static uint32_t f_min(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return (uint32_t)fp_min(e, FP32, n, m); }

/* Flags of fp_compare(): equal 6, less 8, greater 2 */
static uint32_t mask(bool b) { return b ? 0xffffffff : 0; }
static uint32_t f_ceq(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return mask(fp_compare(e, FP32, n, m, false) == 6); }
static uint32_t f_cgt(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return mask(fp_compare(e, FP32, n, m, true) == 2); }
static uint32_t f_cge(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m)
{
    unsigned r = fp_compare(e, FP32, n, m, true);
    return mask(r == 2 || r == 6);
}
static uint32_t f_clt(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return f_cgt(e, d, m, n); }
static uint32_t f_cle(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return f_cge(e, d, m, n); }
static uint32_t f_acgt(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return f_cgt(e, d, n & 0x7fffffff, m & 0x7fffffff); }
static uint32_t f_acge(struct fp_env *e, uint32_t d, uint32_t n, uint32_t m) { return f_cge(e, d, n & 0x7fffffff, m & 0x7fffffff); }
static uint32_t f_recps(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return fp_recip_step(e, n, m); }
static uint32_t f_rsqrts(struct fp_env *e, uint32_t d UNUSED, uint32_t n, uint32_t m) { return fp_rsqrt_step(e, n, m); }
static uint32_t f_recpe(struct fp_env *e, uint32_t d UNUSED, uint32_t n UNUSED, uint32_t m) { return fp_recip_estimate(e, m); }
static uint32_t f_rsqrte(struct fp_env *e, uint32_t d UNUSED, uint32_t n UNUSED, uint32_t m) { return fp_rsqrt_estimate(e, m); }

/* --- the host's vectors --- */


static inline __attribute__((always_inline)) f32x4 load(const void *p, unsigned bytes)
{
    f32x4 x = {0, 0, 0, 0};
    memcpy(&x, p, bytes);
    return x;
}

/* All lanes: no NaN, no denormal (exact ones raise nothing), and not the smallest normal number, which flush-to-zero may have to make zero: the
 * guest detects tininess before rounding. */
static inline __attribute__((always_inline)) bool plain(f32x4 x)
{
    i32x4 magnitude = (i32x4)x & 0x7fffffff;
    i32x4 bad = (magnitude > 0x7f800000) | ((magnitude <= MIN_NORMAL) & (magnitude != 0));
    return !(bad[0] | bad[1] | bad[2] | bad[3]);
}

enum vector_kind { V_ADD, V_SUB, V_MUL, V_MLA, V_MLS };

static inline __attribute__((always_inline)) bool try_vectors(struct arm_cpu *c, uint32_t imm, enum vector_kind kind)
{
    unsigned bytes = neon_bytes(imm), saved = __builtin_ia32_stmxcsr();
    f32x4 d = load(neon_d(c, imm), bytes), n = load(neon_n(c, imm), bytes), m = load(neon_m(c, imm), bytes), r, product;

    __builtin_ia32_ldmxcsr(MXCSR_DEFAULT);
    __asm__ volatile("" : "+x"(d), "+x"(n), "+x"(m)); /* nothing moves above the change of mode */
    product = kind == V_ADD ? n + m : kind == V_SUB ? n - m : n * m;
    __asm__ volatile("" : "+x"(product)); /* rounded here: no contraction */
    r = product;
    if (kind == V_MLA)
        r = d + product;
    else if (kind == V_MLS)
        r = d - product;
    __asm__ volatile("" : "+x"(r), "+x"(product));
    unsigned flags = __builtin_ia32_stmxcsr() & MXCSR_FLAGS;
    __builtin_ia32_ldmxcsr(saved);
    if (flags & ~MXCSR_INEXACT || !plain(r) || !plain(product))
        return false;
    c->fpscr |= (flags & 0x08 ? FPSCR_OFC : 0) | (flags & 0x20 ? FPSCR_IXC : 0);
    memcpy(neon_d(c, imm), &r, bytes);
    return true;
}

/* --- helpers --- */

static uint32_t exact(void *cpu, uint32_t imm, element_fn *fn)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(FPSCR_STANDARD);
    const uint32_t *n = neon_n(cpu, imm), *m = neon_m(cpu, imm);
    uint32_t *d = neon_d(cpu, imm), r[4];
    unsigned bytes = neon_bytes(imm);

    for (unsigned k = 0; k < bytes / 4; k++)
        r[k] = fn(&e, d[k], n[k], m[k]);
    memcpy(d, r, bytes);
    c->fpscr |= e.exc;
    return 0;
}

static uint32_t pairwise(void *cpu, uint32_t imm, element_fn *fn)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(FPSCR_STANDARD);
    const uint32_t *n = neon_n(cpu, imm), *m = neon_m(cpu, imm);
    uint32_t r[2] = {fn(&e, 0, n[0], n[1]), fn(&e, 0, m[0], m[1])};

    memcpy(neon_d(cpu, imm), r, 8);
    c->fpscr |= e.exc;
    return 0;
}

/* Called for what inline code could not do? Then exceptions are to be as they were before that tried. */
static bool fixing_up(struct arm_cpu *c, uint32_t imm)
{
    if (neon_own(imm) & NEON_FIXUP_MXCSR)
        __builtin_ia32_ldmxcsr((unsigned)c->fp_scratch[NEON_MXCSR_SLOT]);
    return neon_own(imm) & (NEON_FIXUP | NEON_FIXUP_MXCSR);
}

#define HELPER(name) static uint32_t name(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
#define EXACT(fn)    HELPER(h##fn) { return exact(cpu, imm, f##fn); }
#define PAIRS(fn)    HELPER(hp##fn) { return pairwise(cpu, imm, f##fn); }
#define VECTORS(fn, kind) HELPER(h##fn) { return (!fixing_up(cpu, imm) && try_vectors(cpu, imm, kind)) ? 0 : exact(cpu, imm, f##fn); }

VECTORS(_add, V_ADD)
VECTORS(_sub, V_SUB)
VECTORS(_mul, V_MUL)
VECTORS(_mla, V_MLA)
VECTORS(_mls, V_MLS)
EXACT(_fma)
EXACT(_fms)
EXACT(_abd)
EXACT(_max)
EXACT(_min)
EXACT(_ceq)
EXACT(_cge)
EXACT(_cgt)
EXACT(_cle)
EXACT(_clt)
EXACT(_acge)
EXACT(_acgt)
EXACT(_recps)
EXACT(_rsqrts)
EXACT(_recpe)
EXACT(_rsqrte)
PAIRS(_add)
PAIRS(_max)
PAIRS(_min)

static uint32_t convert(void *cpu, uint32_t imm, bool to_int, bool is_signed)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(FPSCR_STANDARD);
    uint32_t *d = neon_d(cpu, imm);
    const uint32_t *m = neon_m(cpu, imm);
    unsigned frac = neon_own(imm);

    for (unsigned k = 0; k < neon_bytes(imm) / 4; k++) {
        if (to_int)
            d[k] = fp_to_int(&e, FP32, m[k], frac, 32, is_signed, FP_RZ);
        else
            d[k] = (uint32_t)fp_from_int(&e, FP32, is_signed ? (int32_t)m[k] : (int64_t)m[k], frac, FP_RN);
    }
    c->fpscr |= e.exc;
    return 0;
}

HELPER(to_signed) { return convert(cpu, imm, true, true); }
HELPER(to_unsigned) { return convert(cpu, imm, true, false); }
HELPER(from_signed) { return convert(cpu, imm, false, true); }
HELPER(from_unsigned) { return convert(cpu, imm, false, false); }

const ir_helper arm_neon_fhelpers[NEON_FOP_COUNT] = {
    [NEON_FADD] = h_add,     [NEON_FSUB] = h_sub,       [NEON_FMUL] = h_mul,       [NEON_FMLA] = h_mla,       [NEON_FMLS] = h_mls,
    [NEON_FFMA] = h_fma,     [NEON_FFMS] = h_fms,       [NEON_FABD] = h_abd,       [NEON_FMAX] = h_max,       [NEON_FMIN] = h_min,
    [NEON_FCEQ] = h_ceq,     [NEON_FCGE] = h_cge,       [NEON_FCGT] = h_cgt,       [NEON_FACGE] = h_acge,     [NEON_FACGT] = h_acgt,
    [NEON_FRECPS] = h_recps, [NEON_FRSQRTS] = h_rsqrts, [NEON_FPADD] = hp_add,     [NEON_FPMAX] = hp_max,     [NEON_FPMIN] = hp_min,
    [NEON_FCLE] = h_cle,     [NEON_FCLT] = h_clt,       [NEON_FRECPE] = h_recpe,   [NEON_FRSQRTE] = h_rsqrte, [NEON_FTOS] = to_signed,
    [NEON_FTOU] = to_unsigned, [NEON_FFROMS] = from_signed, [NEON_FFROMU] = from_unsigned,
};

/* Half precision: FPSCR.AHP counts here too. */
static struct fp_env half_env(const struct arm_cpu *c) { return fp_env_of(FPSCR_STANDARD | (c->fpscr & FPSCR_AHP)); }

uint32_t arm_neon_to_half(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = half_env(c);
    const uint32_t *m = neon_m(cpu, imm);
    uint16_t r[4];

    for (unsigned k = 0; k < 4; k++)
        r[k] = (uint16_t)fp_convert(&e, FP16, FP32, m[k]);
    memcpy(neon_d(cpu, imm), r, 8);
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_neon_from_half(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = half_env(c);
    const uint16_t *m = neon_m(cpu, imm);
    uint32_t r[4];

    for (unsigned k = 0; k < 4; k++)
        r[k] = (uint32_t)fp_convert(&e, FP32, FP16, m[k]);
    memcpy(neon_d(cpu, imm), r, 16);
    c->fpscr |= e.exc;
    return 0;
}
