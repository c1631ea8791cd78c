/*
 * translate_media_helpers.c: run-time helpers of saturating and parallel arithmetic. They only compute, and set Q or GE of the CPU state.
 */
#include <arch/arm/translate_int.h>

static inline int64_t saturate(int64_t v, int64_t min, int64_t max, bool *saturated)
{
    if (v < min || v > max) {
        *saturated = true;
        return v < min ? min : max;
    }
    return v;
}

static void update_q(void *cpu, bool saturated)
{
    if (saturated)
        ((struct arm_cpu *)cpu)->q = 1;
}

/* m + n, m - n, m + 2n, m - 2n by op 0..3, each step saturated to 32 bits */
uint32_t arm_helper_qadd(void *cpu, uint32_t m, uint32_t n, uint32_t op, uint32_t unused UNUSED)
{
    bool saturated = false;
    int64_t second = (int32_t)n;
    if (op & 2)
        second = saturate(second * 2, INT32_MIN, INT32_MAX, &saturated);
    int64_t r = saturate((int32_t)m + (op & 1 ? -second : second), INT32_MIN, INT32_MAX, &saturated);
    update_q(cpu, saturated);
    return (uint32_t)r;
}

static int64_t sat_bits(int64_t v, unsigned bits, bool is_unsigned, bool *saturated)
{
    int64_t max = is_unsigned ? ((int64_t)1 << bits) - 1 : ((int64_t)1 << (bits - 1)) - 1;
    return saturate(v, is_unsigned ? 0 : -max - 1, max, saturated);
}

uint32_t arm_helper_sat(void *cpu, uint32_t v, uint32_t unused UNUSED, uint32_t bits, uint32_t is_unsigned)
{
    bool saturated = false;
    int64_t r = sat_bits((int32_t)v, bits, is_unsigned, &saturated);
    update_q(cpu, saturated);
    return (uint32_t)r;
}

uint32_t arm_helper_sat16(void *cpu, uint32_t v, uint32_t unused UNUSED, uint32_t bits, uint32_t is_unsigned)
{
    bool saturated = false;
    uint32_t lo = (uint32_t)sat_bits((int16_t)v, bits, is_unsigned, &saturated);
    uint32_t hi = (uint32_t)sat_bits((int16_t)(v >> 16), bits, is_unsigned, &saturated);
    update_q(cpu, saturated);
    return hi << 16 | (lo & 0xffff);
}

uint32_t arm_helper_ge_write(void *cpu, uint32_t cpsr, uint32_t unused UNUSED, uint32_t unused2 UNUSED, uint32_t unused3 UNUSED)
{
    arm_ge_write(cpu, cpsr >> 16 & 15);
    return 0;
}

enum { PREFIX_S, PREFIX_Q, PREFIX_SH, PREFIX_U, PREFIX_UQ, PREFIX_UH };
enum { PAR_ADD16, PAR_ASX, PAR_SAX, PAR_SUB16, PAR_ADD8, PAR_SUB8 };

/* One lane of `bits` bits: a + b or a - b by the prefix's rules; *ge is the lane's GE value. */
static inline __attribute__((always_inline)) uint32_t lane(unsigned prefix, unsigned bits, bool subtract, uint32_t a, uint32_t b, bool *ge)
{
    bool is_signed = prefix <= PREFIX_SH, saturated;
    uint32_t mask = (1u << bits) - 1;
    int32_t x = (int32_t)(a & mask), y = (int32_t)(b & mask);
    if (is_signed) {
        x = (int32_t)(a << (32 - bits)) >> (32 - bits);
        y = (int32_t)(b << (32 - bits)) >> (32 - bits);
    }
    int32_t r = subtract ? x - y : x + y;
    *ge = is_signed || subtract ? r >= 0 : r > (int32_t)mask;
    if (prefix == PREFIX_SH || prefix == PREFIX_UH)
        r >>= 1;
    else if (prefix == PREFIX_Q)
        r = (int32_t)sat_bits(r, bits, false, &saturated);
    else if (prefix == PREFIX_UQ)
        r = (int32_t)sat_bits(r, bits, true, &saturated);
    return (uint32_t)r & mask;
}

static inline __attribute__((always_inline)) uint32_t parallel(void *cpu, uint32_t n, uint32_t m, unsigned prefix, unsigned op)
{
    bool bytes = op >= PAR_ADD8, ge;
    unsigned bits = bytes ? 8 : 16, flags = 0;
    uint32_t result = 0;
    if (op == PAR_ASX || op == PAR_SAX)
        m = m >> 16 | m << 16;
    for (unsigned k = 0; k < 32; k += bits) {
        bool subtract = op == PAR_SUB16 || op == PAR_SUB8 || (op == PAR_ASX && k == 0) || (op == PAR_SAX && k == 16);
        result |= lane(prefix, bits, subtract, n >> k, m >> k, &ge) << k;
        flags |= ge ? (bytes ? 1u : 3u) << k / 8 : 0;
    }
    if (prefix == PREFIX_S || prefix == PREFIX_U)
        arm_ge_write(cpu, flags);
    return result;
}

#define PARALLEL_FN(prefix, op)                                                                                                            \
    static uint32_t par_##prefix##_##op(void *cpu, uint32_t n, uint32_t m, uint32_t unused UNUSED, uint32_t unused2 UNUSED)                \
    {                                                                                                                                      \
        return parallel(cpu, n, m, PREFIX_##prefix, PAR_##op);                                                                             \
    }
#define PARALLEL_FNS(prefix)                                                                                                               \
    PARALLEL_FN(prefix, ADD16)                                                                                                             \
    PARALLEL_FN(prefix, ASX)                                                                                                               \
    PARALLEL_FN(prefix, SAX)                                                                                                               \
    PARALLEL_FN(prefix, SUB16)                                                                                                             \
    PARALLEL_FN(prefix, ADD8)                                                                                                              \
    PARALLEL_FN(prefix, SUB8)
#define PARALLEL_NAMES(prefix)                                                                                                             \
    par_##prefix##_ADD16, par_##prefix##_ASX, par_##prefix##_SAX, par_##prefix##_SUB16, par_##prefix##_ADD8, par_##prefix##_SUB8

PARALLEL_FNS(S)
PARALLEL_FNS(Q)
PARALLEL_FNS(SH)
PARALLEL_FNS(U)
PARALLEL_FNS(UQ)
PARALLEL_FNS(UH)

const ir_helper arm_parallel_helpers[36] = {
    PARALLEL_NAMES(S), PARALLEL_NAMES(Q), PARALLEL_NAMES(SH), PARALLEL_NAMES(U), PARALLEL_NAMES(UQ), PARALLEL_NAMES(UH),
};
