/*
 * neon_helpers.c: Advanced SIMD integer operations that have no inline form.
 *
 * An operation is an inline function on single elements, exact in 128-bit integers; the macros at the end of each section instantiate it over
 * registers for every element type. Saturation sets the cumulative bit QC.
 */
#include <arch/arm/neon.h>

typedef __int128 wide;

#define ELEMENT static inline __attribute__((always_inline)) wide

/* What an element operation may need besides its operands */
struct element {
    struct arm_cpu *c;
    unsigned bits;  /* of the (narrow) element */
    bool is_signed;
    unsigned own;   /* immediate */
};

static inline __attribute__((always_inline)) wide saturate(const struct element *e, wide v)
{
    wide max = ((wide)1 << (e->is_signed ? e->bits - 1 : e->bits)) - 1, min = e->is_signed ? -max - 1 : 0;

    if (v > max || v < min) {
        e->c->fpscr |= FPSCR_QC;
        return v > max ? max : min;
    }
    return v;
}

/* Signed or unsigned shift by s in -128..127: left when positive, else right, with rounding when `round`. */
static inline __attribute__((always_inline)) wide shift_right(wide x, unsigned n, bool round)
{
    return n > 64 ? (x < 0 && !round ? -1 : 0) : n ? (x + (round ? (wide)1 << (n - 1) : 0)) >> n : x;
}

ELEMENT el_shift(const struct element *e, wide x, int s, bool round, bool sat)
{
    if (s < 0) {
        /* beyond the element size rounding gives 0, plain shifts the sign */
        unsigned n = (unsigned)-s;
        if (n > e->bits)
            return x < 0 && !round ? -1 : 0;
        return shift_right(x, n, round);
    }
    if (!sat)
        return s >= (int)e->bits ? 0 : (wide)((unsigned __int128)x << s);
    if (s >= (int)e->bits)
        return x == 0 ? 0 : saturate(e, x < 0 ? -((wide)1 << 100) : (wide)1 << 100);
    return saturate(e, (wide)((unsigned __int128)x << s));
}

/* --- d = n op m --- */

ELEMENT el_qadd(const struct element *e, wide d UNUSED, wide n, wide m) { return saturate(e, n + m); }
ELEMENT el_qsub(const struct element *e, wide d UNUSED, wide n, wide m) { return saturate(e, n - m); }
ELEMENT el_shl(const struct element *e, wide d UNUSED, wide n, wide m) { return el_shift(e, m, (int8_t)n, false, false); }
ELEMENT el_qshl(const struct element *e, wide d UNUSED, wide n, wide m) { return el_shift(e, m, (int8_t)n, false, true); }
ELEMENT el_rshl(const struct element *e, wide d UNUSED, wide n, wide m) { return el_shift(e, m, (int8_t)n, true, false); }
ELEMENT el_qrshl(const struct element *e, wide d UNUSED, wide n, wide m) { return el_shift(e, m, (int8_t)n, true, true); }
ELEMENT el_abd(const struct element *e UNUSED, wide d UNUSED, wide n, wide m) { return n > m ? n - m : m - n; }
ELEMENT el_aba(const struct element *e UNUSED, wide d, wide n, wide m) { return d + (n > m ? n - m : m - n); }
ELEMENT el_qdmulh(const struct element *e, wide d UNUSED, wide n, wide m) { return saturate(e, (2 * n * m) >> e->bits); }
ELEMENT el_qrdmulh(const struct element *e, wide d UNUSED, wide n, wide m)
{
    return saturate(e, (2 * n * m + ((wide)1 << (e->bits - 1))) >> e->bits);
}
ELEMENT el_pmul(const struct element *e UNUSED, wide d UNUSED, wide n, wide m)
{
    uint32_t r = 0;
    for (unsigned k = 0; k < 8; k++)
        r ^= (uint32_t)m >> k & 1 ? (uint32_t)n << k : 0;
    return r;
}

/* Long and narrow: d is wide in the former, n and m in the latter. The doubled product saturates on its own before it is accumulated. */
ELEMENT el_doubled(const struct element *e, wide n, wide m)
{
    struct element w = {.c = e->c, .bits = 2 * e->bits, .is_signed = true};
    return saturate(&w, 2 * n * m);
}
ELEMENT el_accumulate(const struct element *e, wide sum)
{
    struct element w = {.c = e->c, .bits = 2 * e->bits, .is_signed = true};
    return saturate(&w, sum);
}
ELEMENT el_qdmull(const struct element *e, wide d UNUSED, wide n, wide m) { return el_doubled(e, n, m); }
ELEMENT el_qdmlal(const struct element *e, wide d, wide n, wide m) { return el_accumulate(e, d + el_doubled(e, n, m)); }
ELEMENT el_qdmlsl(const struct element *e, wide d, wide n, wide m) { return el_accumulate(e, d - el_doubled(e, n, m)); }
ELEMENT el_raddhn(const struct element *e, wide d UNUSED, wide n, wide m) { return (n + m + ((wide)1 << (e->bits - 1))) >> e->bits; }
ELEMENT el_rsubhn(const struct element *e, wide d UNUSED, wide n, wide m) { return (n - m + ((wide)1 << (e->bits - 1))) >> e->bits; }

/* --- d = op m, and shifts of m by an immediate --- */

ELEMENT el_qshli(const struct element *e, wide d UNUSED, wide m) { return el_shift(e, m, (int)e->own, false, true); }
ELEMENT el_qshlu(const struct element *e, wide d UNUSED, wide m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return el_shift(&u, m, (int)e->own, false, true);
}
ELEMENT el_qshrn(const struct element *e, wide d UNUSED, wide m) { return saturate(e, shift_right(m, e->own, false)); }
ELEMENT el_qrshrn(const struct element *e, wide d UNUSED, wide m) { return saturate(e, shift_right(m, e->own, true)); }
ELEMENT el_qshrun(const struct element *e, wide d UNUSED, wide m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return saturate(&u, shift_right(m, e->own, false));
}
ELEMENT el_qrshrun(const struct element *e, wide d UNUSED, wide m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return saturate(&u, shift_right(m, e->own, true));
}
ELEMENT el_clz(const struct element *e, wide d UNUSED, wide m)
{
    uint32_t x = (uint32_t)m;
    return x ? __builtin_clz(x) - (int)(32 - e->bits) : (int)e->bits;
}
ELEMENT el_cls(const struct element *e, wide d UNUSED, wide m) { return __builtin_clrsb((int)m) - (int)(32 - e->bits); }
ELEMENT el_cnt(const struct element *e UNUSED, wide d UNUSED, wide m)
{
    uint32_t x = (uint32_t)m & 0xff;
    x -= x >> 1 & 0x55;
    x = (x & 0x33) + (x >> 2 & 0x33);
    return (x + (x >> 4)) & 0x0f;
}
ELEMENT el_qabs(const struct element *e, wide d UNUSED, wide m) { return saturate(e, m < 0 ? -m : m); }
ELEMENT el_qneg(const struct element *e, wide d UNUSED, wide m) { return saturate(e, -m); }
ELEMENT el_recpe(const struct element *e UNUSED, wide d UNUSED, wide m) { return int_recip_estimate((uint32_t)m); }
ELEMENT el_rsqrte(const struct element *e UNUSED, wide d UNUSED, wide m) { return int_rsqrt_estimate((uint32_t)m); }

/* --- over registers --- */

#define HELPER(name) static uint32_t name(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
#define ELEMENT_OF(type) {.c = cpu, .bits = 8 * sizeof(type), .is_signed = (type)-1 < (type)1, .own = neon_own(imm)}

/* The element function sees n, m and d as elements of dtype, ntype, ntype; btype gives bits and signedness; `bytes`: of the destination. */
#define OVER_THREE(fn, name, btype, dtype, ntype, bytes) \
    HELPER(name) \
    { \
        const struct element e = ELEMENT_OF(btype); \
        const ntype *n = neon_n(cpu, imm), *m = neon_m(cpu, imm); \
        dtype *d = neon_d(cpu, imm), r[16 / sizeof(dtype)]; \
        unsigned size = (bytes); \
        for (unsigned k = 0; k < size / sizeof(dtype); k++) \
            r[k] = (dtype)fn(&e, d[k], n[k], m[k]); \
        memcpy(d, r, size); \
        return 0; \
    }

#define OVER_TWO(fn, name, btype, dtype, mtype, bytes) \
    HELPER(name) \
    { \
        const struct element e = ELEMENT_OF(btype); \
        const mtype *m = neon_m(cpu, imm); \
        dtype *d = neon_d(cpu, imm), r[16 / sizeof(dtype)]; \
        unsigned size = (bytes); \
        for (unsigned k = 0; k < size / sizeof(dtype); k++) \
            r[k] = (dtype)fn(&e, d[k], m[k]); \
        memcpy(d, r, size); \
        return 0; \
    }

#define SAME(fn, suffix, type)         OVER_THREE(fn, fn##_##suffix, type, type, type, neon_bytes(imm))
#define LONG(fn, suffix, type, wtype)  OVER_THREE(fn, fn##l_##suffix, type, wtype, type, 16)
#define NARROW(fn, suffix, type, wtype) OVER_THREE(fn, fn##_##suffix, type, type, wtype, 8)
#define ONE(fn, suffix, type)          OVER_TWO(fn, fn##_##suffix, type, type, type, neon_bytes(imm))
#define ONE_NARROW(fn, suffix, type, wtype) OVER_TWO(fn, fn##_##suffix, type, type, wtype, 8)

#define SAME_S3(fn) SAME(fn, s8, int8_t) SAME(fn, s16, int16_t) SAME(fn, s32, int32_t)
#define SAME_U3(fn) SAME(fn, u8, uint8_t) SAME(fn, u16, uint16_t) SAME(fn, u32, uint32_t)
#define SAME_6(fn)  SAME_S3(fn) SAME_U3(fn)
#define SAME_8(fn)  SAME_6(fn) SAME(fn, s64, int64_t) SAME(fn, u64, uint64_t)
#define LONG_32(fn)  LONG(fn, s32, int32_t, int64_t) LONG(fn, u32, uint32_t, uint64_t)
#define LONG_S2(fn)  LONG(fn, s16, int16_t, int32_t) LONG(fn, s32, int32_t, int64_t)
#define NARROW_3(fn) NARROW(fn, s8, int8_t, int16_t) NARROW(fn, s16, int16_t, int32_t) NARROW(fn, s32, int32_t, int64_t)
#define ONE_S3(fn)   ONE(fn, s8, int8_t) ONE(fn, s16, int16_t) ONE(fn, s32, int32_t)
#define ONE_8(fn) \
    ONE_S3(fn) ONE(fn, s64, int64_t) ONE(fn, u8, uint8_t) ONE(fn, u16, uint16_t) ONE(fn, u32, uint32_t) ONE(fn, u64, uint64_t)
#define ONE_NARROW_S3(fn) ONE_NARROW(fn, s8, int8_t, int16_t) ONE_NARROW(fn, s16, int16_t, int32_t) ONE_NARROW(fn, s32, int32_t, int64_t)
#define ONE_NARROW_U3(fn) ONE_NARROW(fn, u8, uint8_t, uint16_t) ONE_NARROW(fn, u16, uint16_t, uint32_t) ONE_NARROW(fn, u32, uint32_t, uint64_t)

SAME_8(el_qadd) SAME_8(el_qsub)
SAME_8(el_shl) SAME_8(el_qshl) SAME_8(el_rshl) SAME_8(el_qrshl)
SAME(el_pmul, u8, uint8_t)
SAME(el_qdmulh, s16, int16_t) SAME(el_qdmulh, s32, int32_t) SAME(el_qrdmulh, s16, int16_t) SAME(el_qrdmulh, s32, int32_t)
LONG_32(el_abd) LONG_32(el_aba)
LONG_S2(el_qdmull) LONG_S2(el_qdmlal) LONG_S2(el_qdmlsl)
LONG(el_pmul, u8, uint8_t, uint16_t)
NARROW_3(el_raddhn) NARROW_3(el_rsubhn)
ONE_8(el_qshli)
ONE_S3(el_qshlu) ONE(el_qshlu, s64, int64_t)
ONE_NARROW_S3(el_qshrn) ONE_NARROW_U3(el_qshrn) ONE_NARROW_S3(el_qrshrn) ONE_NARROW_U3(el_qrshrn)
ONE_NARROW_S3(el_qshrun) ONE_NARROW_S3(el_qrshrun)
ONE_S3(el_cls) ONE_S3(el_qabs) ONE_S3(el_qneg)
ONE(el_clz, u8, uint8_t) ONE(el_clz, u16, uint16_t) ONE(el_clz, u32, uint32_t)
ONE(el_cnt, u8, uint8_t)
ONE(el_recpe, u32, uint32_t) ONE(el_rsqrte, u32, uint32_t)

#define LIST_S3(fn) fn##_s8, fn##_s16, fn##_s32, NULL
#define LIST_U3(fn) fn##_u8, fn##_u16, fn##_u32, NULL
#define LIST_6(fn)  {LIST_S3(fn), LIST_U3(fn)}
#define LIST_8(fn)  {fn##_s8, fn##_s16, fn##_s32, fn##_s64, fn##_u8, fn##_u16, fn##_u32, fn##_u64}
#define LIST_S2(fn) {NULL, fn##_s16, fn##_s32, NULL}
#define LIST_U8(fn) {NULL, NULL, NULL, NULL, fn##_u8}

const ir_helper arm_neon_helpers[NEON_OP_COUNT][8] = {
    [NEON_QADD] = LIST_8(el_qadd),
    [NEON_QSUB] = LIST_8(el_qsub),
    [NEON_SHL] = LIST_8(el_shl),
    [NEON_QSHL] = LIST_8(el_qshl),
    [NEON_RSHL] = LIST_8(el_rshl),
    [NEON_QRSHL] = LIST_8(el_qrshl),
    [NEON_PMUL] = LIST_U8(el_pmul),
    [NEON_QDMULH] = LIST_S2(el_qdmulh),
    [NEON_QRDMULH] = LIST_S2(el_qrdmulh),
    [NEON_ABDL] = {[2] = el_abdl_s32, [4 + 2] = el_abdl_u32},
    [NEON_ABAL] = {[2] = el_abal_s32, [4 + 2] = el_abal_u32},
    [NEON_QDMULL] = LIST_S2(el_qdmulll),
    [NEON_QDMLAL] = LIST_S2(el_qdmlall),
    [NEON_QDMLSL] = LIST_S2(el_qdmlsll),
    [NEON_PMULL] = LIST_U8(el_pmull),
    [NEON_RADDHN] = {LIST_S3(el_raddhn)},
    [NEON_RSUBHN] = {LIST_S3(el_rsubhn)},
    [NEON_QSHLI] = LIST_8(el_qshli),
    [NEON_QSHLU] = {el_qshlu_s8, el_qshlu_s16, el_qshlu_s32, el_qshlu_s64},
    [NEON_QSHRN] = LIST_6(el_qshrn),
    [NEON_QRSHRN] = LIST_6(el_qrshrn),
    [NEON_QSHRUN] = {LIST_S3(el_qshrun)},
    [NEON_QRSHRUN] = {LIST_S3(el_qrshrun)},
    [NEON_CLS] = {LIST_S3(el_cls)},
    [NEON_CLZ] = {NULL, NULL, NULL, NULL, LIST_U3(el_clz)},
    [NEON_CNT] = LIST_U8(el_cnt),
    [NEON_QABS] = {LIST_S3(el_qabs)},
    [NEON_QNEG] = {LIST_S3(el_qneg)},
    [NEON_RECPE] = {[4 + 2] = el_recpe_u32},
    [NEON_RSQRTE] = {[4 + 2] = el_rsqrte_u32},
};

/* --- whole registers --- */

uint32_t arm_neon_tbl(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    const uint8_t *table = neon_n(cpu, imm), *index = neon_m(cpu, imm);
    uint8_t *d = neon_d(cpu, imm), r[8];
    unsigned bytes = 8 * (neon_own(imm) & 7);
    bool extend = neon_own(imm) & 8;

    for (unsigned k = 0; k < 8; k++)
        r[k] = index[k] < bytes ? table[index[k]] : extend ? d[k] : 0;
    memcpy(d, r, 8);
    return 0;
}

/* Element e of member k of a structure: memory element e * n + k. */
static void structures(void *cpu, uint32_t imm, bool load)
{
    unsigned own = neon_own(imm), lg = own & 3, inc = own >> 2 & 3, n = own >> 4, size = 1u << lg;
    uint8_t *memory = neon_m(cpu, imm);

    for (unsigned k = 0; k < n; k++) {
        uint8_t *reg = neon_reg(cpu, imm + k * inc);
        for (unsigned e = 0; e < 8u >> lg; e++) {
            uint8_t *at = memory + (e * n + k) * size;
            memcpy(load ? reg + e * size : at, load ? at : reg + e * size, size);
        }
    }
}

uint32_t arm_neon_deinterleave(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    structures(cpu, imm, true);
    return 0;
}

uint32_t arm_neon_interleave(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    structures(cpu, imm, false);
    return 0;
}
