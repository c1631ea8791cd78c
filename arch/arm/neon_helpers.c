/*
 * neon_helpers.c: Advanced SIMD integer operations that have no inline form.
 *
 * An operation is an inline function on single elements, exact in 128-bit integers; the macros at the end of each section instantiate it over
 * registers for every element type. Saturation sets the cumulative bit QC.
 */
#include <arch/arm/neon.h>

#define ELEMENT static inline __attribute__((always_inline)) WIDE

/* What an element operation may need besides its operands */
struct element {
    struct arm_cpu *c;
    unsigned bits;  /* of the (narrow) element */
    bool is_signed;
    unsigned own;   /* immediate */
};

#define WIDE     int64_t
#define EL(name) name##_n
#define BEYOND   ((int64_t)1 << 40)
#include <arch/arm/neon_elements.h>
#undef WIDE
#undef EL
#undef BEYOND
#define WIDE     __int128
#define EL(name) name##_w
#define BEYOND   ((__int128)1 << 100)
#include <arch/arm/neon_elements.h>

/* The variant for elements of a suffix: EL_OF(el_qadd, s8) is el_qadd_n. */
#define VARIANT_s8  n
#define VARIANT_u8  n
#define VARIANT_s16 n
#define VARIANT_u16 n
#define VARIANT_s32 w
#define VARIANT_u32 w
#define VARIANT_s64 w
#define VARIANT_u64 w
#define PASTE(a, b)      a##_##b
#define PASTE2(a, b)     PASTE(a, b)
#define EL_OF(fn, suffix) PASTE2(fn, VARIANT_##suffix)

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

#define SAME(fn, suffix, type)         OVER_THREE(EL_OF(fn, suffix), fn##_##suffix, type, type, type, neon_bytes(imm))
#define LONG(fn, suffix, type, wtype)  OVER_THREE(EL_OF(fn, suffix), fn##l_##suffix, type, wtype, type, 16)
#define ONE(fn, suffix, type)          OVER_TWO(EL_OF(fn, suffix), fn##_##suffix, type, type, type, neon_bytes(imm))
#define ONE_NARROW(fn, suffix, type, wtype) OVER_TWO(EL_OF(fn, suffix), fn##_##suffix, type, type, wtype, 8)

#define SAME_S3(fn) SAME(fn, s8, int8_t) SAME(fn, s16, int16_t) SAME(fn, s32, int32_t)
#define SAME_U3(fn) SAME(fn, u8, uint8_t) SAME(fn, u16, uint16_t) SAME(fn, u32, uint32_t)
#define SAME_6(fn)  SAME_S3(fn) SAME_U3(fn)
#define SAME_8(fn)  SAME_6(fn) SAME(fn, s64, int64_t) SAME(fn, u64, uint64_t)
#define SAME_S64(fn) SAME(fn, s64, int64_t) SAME(fn, u64, uint64_t)
#define SAME_WIDE(fn) SAME(fn, s32, int32_t) SAME(fn, u32, uint32_t) SAME_S64(fn)
#define SAME_8_64(fn) SAME(fn, s8, int8_t) SAME(fn, u8, uint8_t) SAME_S64(fn)
#define LONG_S2(fn)  LONG(fn, s16, int16_t, int32_t) LONG(fn, s32, int32_t, int64_t)
#define ONE_S3(fn)   ONE(fn, s8, int8_t) ONE(fn, s16, int16_t) ONE(fn, s32, int32_t)
#define ONE_8(fn) \
    ONE_S3(fn) ONE(fn, s64, int64_t) ONE(fn, u8, uint8_t) ONE(fn, u16, uint16_t) ONE(fn, u32, uint32_t) ONE(fn, u64, uint64_t)
#define ONE_NARROW_S(fn) ONE_NARROW(fn, s32, int32_t, int64_t)
#define ONE_NARROW_U(fn) ONE_NARROW(fn, u32, uint32_t, uint64_t)

SAME_WIDE(el_qadd) SAME_WIDE(el_qsub)
SAME_8_64(el_shl) SAME_8(el_qshl) SAME_8_64(el_rshl) SAME_8(el_qrshl)
SAME(el_pmul, u8, uint8_t)
SAME(el_qdmulh, s16, int16_t) SAME(el_qdmulh, s32, int32_t) SAME(el_qrdmulh, s16, int16_t) SAME(el_qrdmulh, s32, int32_t)
LONG_S2(el_qdmull) LONG_S2(el_qdmlal) LONG_S2(el_qdmlsl)
LONG(el_pmul, u8, uint8_t, uint16_t)
ONE_8(el_qshli)
ONE_S3(el_qshlu) ONE(el_qshlu, s64, int64_t)
ONE_NARROW_S(el_qshrn) ONE_NARROW_U(el_qshrn) ONE_NARROW_S(el_qrshrn) ONE_NARROW_U(el_qrshrn)
ONE_NARROW_S(el_qshrun) ONE_NARROW_S(el_qrshrun)
ONE_S3(el_cls)
ONE(el_clz, u8, uint8_t) ONE(el_clz, u16, uint16_t) ONE(el_clz, u32, uint32_t)
ONE(el_cnt, u8, uint8_t)
ONE(el_recpe, u32, uint32_t) ONE(el_rsqrte, u32, uint32_t)

#define LIST_S3(fn) fn##_s8, fn##_s16, fn##_s32, NULL
#define LIST_U3(fn) fn##_u8, fn##_u16, fn##_u32, NULL
#define LIST_WIDE(fn) {NULL, NULL, fn##_s32, fn##_s64, NULL, NULL, fn##_u32, fn##_u64}
#define LIST_8_64(fn) {fn##_s8, NULL, NULL, fn##_s64, fn##_u8, NULL, NULL, fn##_u64}
#define LIST_8(fn)  {fn##_s8, fn##_s16, fn##_s32, fn##_s64, fn##_u8, fn##_u16, fn##_u32, fn##_u64}
#define LIST_S2(fn) {NULL, fn##_s16, fn##_s32, NULL}
#define LIST_U8(fn) {NULL, NULL, NULL, NULL, fn##_u8}

const ir_helper arm_neon_helpers[NEON_OP_COUNT][8] = {
    [NEON_QADD] = LIST_WIDE(el_qadd),
    [NEON_QSUB] = LIST_WIDE(el_qsub),
    [NEON_SHL] = LIST_8_64(el_shl),
    [NEON_QSHL] = LIST_8(el_qshl),
    [NEON_RSHL] = LIST_8_64(el_rshl),
    [NEON_QRSHL] = LIST_8(el_qrshl),
    [NEON_PMUL] = LIST_U8(el_pmul),
    [NEON_QDMULH] = LIST_S2(el_qdmulh),
    [NEON_QRDMULH] = LIST_S2(el_qrdmulh),
    [NEON_QDMULL] = LIST_S2(el_qdmulll),
    [NEON_QDMLAL] = LIST_S2(el_qdmlall),
    [NEON_QDMLSL] = LIST_S2(el_qdmlsll),
    [NEON_PMULL] = LIST_U8(el_pmull),
    [NEON_QSHLI] = LIST_8(el_qshli),
    [NEON_QSHLU] = {el_qshlu_s8, el_qshlu_s16, el_qshlu_s32, el_qshlu_s64},
    [NEON_QSHRN] = {[2] = el_qshrn_s32, [4 + 2] = el_qshrn_u32},
    [NEON_QRSHRN] = {[2] = el_qrshrn_s32, [4 + 2] = el_qrshrn_u32},
    [NEON_QSHRUN] = {[2] = el_qshrun_s32},
    [NEON_QRSHRUN] = {[2] = el_qrshrun_s32},
    [NEON_CLS] = {LIST_S3(el_cls)},
    [NEON_CLZ] = {NULL, NULL, NULL, NULL, LIST_U3(el_clz)},
    [NEON_CNT] = LIST_U8(el_cnt),
    [NEON_RECPE] = {[4 + 2] = el_recpe_u32},
    [NEON_RSQRTE] = {[4 + 2] = el_rsqrte_u32},
};

/* --- whole registers --- */

uint32_t arm_neon_tbx(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    const uint8_t *table = neon_n(cpu, imm), *index = neon_m(cpu, imm);
    uint8_t *d = neon_d(cpu, imm), r[8];
    unsigned bytes = 8 * neon_own(imm);

    for (unsigned k = 0; k < 8; k++)
        r[k] = index[k] < bytes ? table[index[k]] : d[k];
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
