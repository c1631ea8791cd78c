/*
 * vfp_test.c: the integer floating point of arch/arm/vfp_soft.c against the host's own arithmetic, and where the host differs from ARM
 * (NaNs, flush-to-zero, saturation, estimates) against values worked out from the architecture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <immintrin.h>

#include <arch/arm/vfp_soft.h>

#define RANDOM_CASES 200000

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Numbers near each other and near the edges of the format, so that sums cancel and products overflow. */
static uint64_t operand(enum fp_fmt f)
{
    static const uint64_t edges64[] = {0, 1, 0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001, 0x3ff0000000000000, 0x3fefffffffffffff,
                                       0x7fefffffffffffff, 0x7ff0000000000000, 0x4340000000000000, 0x3ca0000000000000, 0x41dfffffffc00000};
    static const uint64_t edges32[] = {0, 1, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000, 0x3f7fffff, 0x7f7fffff, 0x7f800000, 0x4b800000, 0x33800000,
                                       0x4effffff};
    uint64_t r = random64(), sign = (r & 1) ? fp_sign_bit(f) : 0;

    switch (r >> 1 & 3) {
    case 0:
        return (f == FP64 ? edges64[(r >> 8) % ARRAY_LEN(edges64)] : edges32[(r >> 8) % ARRAY_LEN(edges32)]) | sign;
    case 1: /* exponents around one, few significant bits */
        return f == FP64 ? ((1020 + (r >> 8) % 8) << 52 | (r >> 20 & 0xff) << 44) | sign : ((124 + (r >> 8) % 8) << 23 | (r >> 20 & 0xff) << 15) | sign;
    default:
        return f == FP64 ? random64() : (uint32_t)random64();
    }
}

static uint32_t mxcsr_of(unsigned rmode)
{
    static const uint16_t rc[4] = {[FP_RN] = 0, [FP_RP] = 0x4000, [FP_RM] = 0x2000, [FP_RZ] = 0x6000};
    return 0x1f80 | rc[rmode];
}

static uint32_t exceptions_of(uint32_t mxcsr)
{
    return (mxcsr & 1 ? FPSCR_IOC : 0) | (mxcsr & 4 ? FPSCR_DZC : 0) | (mxcsr & 8 ? FPSCR_OFC : 0) | (mxcsr & 16 ? FPSCR_UFC : 0) |
           (mxcsr & 32 ? FPSCR_IXC : 0);
}

enum operation { ADD, SUB, MUL, DIV, SQRT, FMA, OPERATIONS };

__attribute__((target("fma"), noinline)) static uint64_t host64(enum operation op, uint64_t a, uint64_t b, uint64_t c, unsigned rmode, uint32_t *exc)
{
    __m128d x = _mm_castsi128_pd(_mm_cvtsi64_si128((int64_t)a)), y = _mm_castsi128_pd(_mm_cvtsi64_si128((int64_t)b));
    __m128d z = _mm_castsi128_pd(_mm_cvtsi64_si128((int64_t)c)), r = x;

    _mm_setcsr(mxcsr_of(rmode));
    __asm__ volatile("" : "+x"(x), "+x"(y), "+x"(z));
    switch (op) {
    case ADD: r = _mm_add_sd(x, y); break;
    case SUB: r = _mm_sub_sd(x, y); break;
    case MUL: r = _mm_mul_sd(x, y); break;
    case DIV: r = _mm_div_sd(x, y); break;
    case SQRT: r = _mm_sqrt_sd(x, x); break;
    default: r = _mm_fmadd_sd(x, y, z); break;
    }
    __asm__ volatile("" : "+x"(r));
    *exc = exceptions_of(_mm_getcsr());
    _mm_setcsr(0x1f80);
    return (uint64_t)_mm_cvtsi128_si64(_mm_castpd_si128(r));
}

__attribute__((target("fma"), noinline)) static uint64_t host32(enum operation op, uint32_t a, uint32_t b, uint32_t c, unsigned rmode, uint32_t *exc)
{
    __m128 x = _mm_castsi128_ps(_mm_cvtsi32_si128((int)a)), y = _mm_castsi128_ps(_mm_cvtsi32_si128((int)b));
    __m128 z = _mm_castsi128_ps(_mm_cvtsi32_si128((int)c)), r = x;

    _mm_setcsr(mxcsr_of(rmode));
    __asm__ volatile("" : "+x"(x), "+x"(y), "+x"(z));
    switch (op) {
    case ADD: r = _mm_add_ss(x, y); break;
    case SUB: r = _mm_sub_ss(x, y); break;
    case MUL: r = _mm_mul_ss(x, y); break;
    case DIV: r = _mm_div_ss(x, y); break;
    case SQRT: r = _mm_sqrt_ss(x); break;
    default: r = _mm_fmadd_ss(x, y, z); break;
    }
    __asm__ volatile("" : "+x"(r));
    *exc = exceptions_of(_mm_getcsr());
    _mm_setcsr(0x1f80);
    return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(r));
}

static uint64_t soft(struct fp_env *e, enum fp_fmt f, enum operation op, uint64_t a, uint64_t b, uint64_t c)
{
    switch (op) {
    case ADD: return fp_add(e, f, a, b);
    case SUB: return fp_sub(e, f, a, b);
    case MUL: return fp_mul(e, f, a, b);
    case DIV: return fp_div(e, f, a, b);
    case SQRT: return fp_sqrt(e, f, a);
    default: return fp_muladd(e, f, c, a, b);
    }
}

static void arithmetic_equals_host(void **state UNUSED)
{
    for (unsigned k = 0; k < RANDOM_CASES; k++) {
        enum fp_fmt f = k & 1 ? FP64 : FP32;
        enum operation op = (enum operation)(k / 2 % OPERATIONS);
        unsigned rmode = k / 16 % 4;
        uint64_t a = operand(f), b = operand(f), c = operand(f);
        struct fp_env e = fp_env_of(rmode << 22);
        uint32_t exc;
        uint64_t want = f == FP64 ? host64(op, a, b, c, rmode, &exc) : host32(op, (uint32_t)a, (uint32_t)b, (uint32_t)c, rmode, &exc);
        uint64_t got = soft(&e, f, op, a, b, c), min_normal = f == FP64 ? 1ull << 52 : 1ull << 23;

        if (fp_is_nan(f, want)) {
            assert_true(fp_is_nan(f, got));
            continue; /* which one: nan_propagation() */
        }
        if (fp_abs(f, want) == min_normal) { /* tininess is before rounding here, after it there */
            e.exc &= ~FPSCR_UFC;
            exc &= ~FPSCR_UFC;
        }
        if (got != want || e.exc != exc)
            fail_msg("op %d fmt %d rmode %u: %lx %lx %lx: %lx/%x, host %lx/%x", op, f, rmode, (unsigned long)a, (unsigned long)b, (unsigned long)c,
                     (unsigned long)got, e.exc, (unsigned long)want, exc);
    }
}

__attribute__((target("f16c"))) static void conversions_equal_host(void **state UNUSED)
{
    for (unsigned k = 0; k < RANDOM_CASES; k++) {
        uint64_t d = operand(FP64);
        uint32_t s = (uint32_t)operand(FP32);
        struct fp_env e = fp_env_of(0);
        double x;
        float y;
        memcpy(&x, &d, 8);
        memcpy(&y, &s, 4);

        if (!fp_is_nan(FP64, d)) {
            float narrow = (float)x;
            uint32_t bits;
            memcpy(&bits, &narrow, 4);
            assert_int_equal(fp_convert(&e, FP32, FP64, d), bits);
        }
        if (!fp_is_nan(FP32, s)) {
            double wide = y;
            uint64_t bits;
            memcpy(&bits, &wide, 8);
            assert_int_equal(fp_convert(&e, FP64, FP32, s), bits);
            uint16_t half = _cvtss_sh(y, 0);
            assert_int_equal(fp_convert(&e, FP16, FP32, s), half);
            float back = _cvtsh_ss(half);
            memcpy(&bits, &back, 4);
            assert_int_equal(fp_convert(&e, FP32, FP16, half), (uint32_t)bits);
        }
        int64_t i = (int64_t)random64() >> (k % 33 + 31);
        double from = (double)i / 65536;
        memcpy(&d, &from, 8);
        assert_int_equal(fp_from_int(&e, FP64, i, 16, FP_RN), d);
        if (x > -2147483648.0 && x < 2147483647.0) {
            memcpy(&d, &x, 8);
            assert_int_equal(fp_to_int(&e, FP64, d, 0, 32, true, FP_RZ), (uint32_t)(int32_t)x);
            assert_int_equal(fp_to_int(&e, FP64, d, 0, 32, true, FP_RN), (uint32_t)_mm_cvtsd_si32(_mm_set_sd(x)));
        }
    }
}

struct vector {
    const char *what;
    enum operation op;
    uint32_t fpscr;
    uint64_t a, b, c, result;
    uint32_t exc;
};

#define QNAN1 0x7fc11111u
#define QNAN2 0xffc22222u
#define SNAN1 0x7f811111u
#define SNAN2 0xff822222u
#define INF   0x7f800000u
#define ONE   0x3f800000u
#define DNAN  0x7fc00000u

/* ARM ARM A2.7.3: the first signalling NaN, then the first quiet one; for multiply-add the addend comes first. */
static void nan_propagation(void **state UNUSED)
{
    static const struct vector v[] = {
        {"quiet first", ADD, 0, QNAN1, QNAN2, 0, QNAN1, 0},
        {"quiet second", ADD, 0, ONE, QNAN2, 0, QNAN2, 0},
        {"signalling beats quiet", ADD, 0, QNAN1, SNAN2, 0, SNAN2 | 0x400000, FPSCR_IOC},
        {"first signalling", MUL, 0, SNAN1, SNAN2, 0, SNAN1 | 0x400000, FPSCR_IOC},
        {"sign is kept by subtract", SUB, 0, ONE, QNAN2, 0, QNAN2, 0},
        {"default NaN", DIV, FPSCR_DN, QNAN2, ONE, 0, DNAN, 0},
        {"default NaN, signalling", MUL, FPSCR_DN, ONE, SNAN2, 0, DNAN, FPSCR_IOC},
        {"inf - inf", SUB, 0, INF, INF, 0, DNAN, FPSCR_IOC},
        {"0 * inf", MUL, 0, 0x80000000, INF, 0, DNAN, FPSCR_IOC},
        {"0 / 0", DIV, 0, 0, 0x80000000, 0, DNAN, FPSCR_IOC},
        {"inf / inf", DIV, 0, INF, INF, 0, DNAN, FPSCR_IOC},
        {"1 / 0", DIV, 0, ONE, 0x80000000, 0, 0xff800000, FPSCR_DZC},
        {"sqrt -1", SQRT, 0, 0xbf800000, 0, 0, DNAN, FPSCR_IOC},
        {"sqrt -0", SQRT, 0, 0x80000000, 0, 0, 0x80000000, 0},
        {"addend first", FMA, 0, QNAN2, ONE, QNAN1, QNAN1, 0},
        {"signalling factor beats quiet addend", FMA, 0, ONE, SNAN2, QNAN1, SNAN2 | 0x400000, FPSCR_IOC},
        {"quiet addend, 0 * inf", FMA, 0, 0, INF, QNAN1, DNAN, FPSCR_IOC},
        {"inf * 1 - inf", FMA, 0, INF, ONE, 0xff800000, DNAN, FPSCR_IOC},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        struct fp_env e = fp_env_of(v[k].fpscr);
        uint64_t r = soft(&e, FP32, v[k].op, v[k].a, v[k].b, v[k].c);
        if (r != v[k].result || e.exc != v[k].exc)
            fail_msg("%s: %lx exceptions %x", v[k].what, (unsigned long)r, e.exc);
    }
}

static void flush_to_zero(void **state UNUSED)
{
    static const struct vector v[] = {
        {"denormal operand", ADD, FPSCR_FZ, 0x80000001, 0, 0, 0, FPSCR_IDC},
        {"denormal operands keep their sign", ADD, FPSCR_FZ, 0x80000001, 0x807fffff, 0, 0x80000000, FPSCR_IDC},
        {"denormal result: Underflow, not Inexact", MUL, FPSCR_FZ, 0x00800000, 0xbf000000, 0, 0x80000000, FPSCR_UFC},
        {"tiny before rounding, smallest normal after", MUL, FPSCR_FZ, 0x00800001, 0x3f7ffffe, 0, 0, FPSCR_UFC},
        {"the same without flushing", MUL, 0, 0x00800001, 0x3f7ffffe, 0, 0x00800000, FPSCR_UFC | FPSCR_IXC},
        {"exact denormal result", MUL, 0, 0x00800000, 0x3f000000, 0, 0x00400000, 0},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        struct fp_env e = fp_env_of(v[k].fpscr);
        uint64_t r = soft(&e, FP32, v[k].op, v[k].a, v[k].b, v[k].c);
        if (r != v[k].result || e.exc != v[k].exc)
            fail_msg("%s: %lx exceptions %x", v[k].what, (unsigned long)r, e.exc);
    }
}

static void saturation(void **state UNUSED)
{
    static const struct {
        uint32_t x;
        unsigned frac, bits;
        bool is_signed;
        uint32_t result, exc;
    } v[] = {
        {DNAN, 0, 32, true, 0, FPSCR_IOC},
        {INF, 0, 32, true, 0x7fffffff, FPSCR_IOC},
        {0xff800000, 0, 32, true, 0x80000000, FPSCR_IOC},
        {0xff800000, 0, 32, false, 0, FPSCR_IOC},
        {0x4f000000, 0, 32, true, 0x7fffffff, FPSCR_IOC}, /* 2^31 */
        {0xcf000000, 0, 32, true, 0x80000000, 0},
        {0x4f000000, 0, 32, false, 0x80000000, 0},
        {0x4f800000, 0, 32, false, 0xffffffff, FPSCR_IOC},
        {0xbf000000, 0, 32, false, 0, FPSCR_IXC}, /* -0.5 rounds to 0: in range */
        {0xbf800000, 0, 32, false, 0, FPSCR_IOC},
        {0x3fc00000, 4, 16, true, 24, 0},         /* 1.5 with four fraction bits */
        {0x47000000, 0, 16, true, 0x7fff, FPSCR_IOC},
        {0xc7000000, 0, 16, true, 0xffff8000, 0},
        {0x40490fdb, 16, 32, true, 205887, FPSCR_IXC},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        struct fp_env e = fp_env_of(0);
        uint32_t r = fp_to_int(&e, FP32, v[k].x, v[k].frac, v[k].bits, v[k].is_signed, FP_RZ);
        if (r != v[k].result || e.exc != v[k].exc)
            fail_msg("case %u: %x exceptions %x", k, r, e.exc);
    }
}

static void half_precision(void **state UNUSED)
{
    struct fp_env ieee = fp_env_of(0), alternative = fp_env_of(FPSCR_AHP);

    assert_int_equal(fp_convert(&ieee, FP16, FP32, 0x477ff000), 0x7c00); /* 65520 overflows */
    assert_int_equal(ieee.exc, FPSCR_OFC | FPSCR_IXC);
    assert_int_equal(fp_convert(&alternative, FP16, FP32, 0x477ff000), 0x7c00); /* is 65536 there */
    assert_int_equal(fp_convert(&alternative, FP16, FP32, 0x47fff000), 0x7fff); /* 131040 saturates */
    assert_int_equal(alternative.exc, FPSCR_IOC | FPSCR_IXC);
    alternative.exc = 0;
    assert_int_equal(fp_convert(&alternative, FP16, FP32, 0xffc00001), 0x8000);
    assert_int_equal(alternative.exc, FPSCR_IOC);
    assert_int_equal(fp_convert(&alternative, FP32, FP16, 0x7c00), 0x47800000);
    ieee = fp_env_of(0);
    assert_int_equal(fp_convert(&ieee, FP16, FP32, 0x7f802000), 0x7e01); /* quieted, top of the payload kept */
    assert_int_equal(ieee.exc, FPSCR_IOC);
}

static void comparison_and_extremes(void **state UNUSED)
{
    struct fp_env e = fp_env_of(0);

    assert_int_equal(fp_compare(&e, FP32, ONE, INF, false), 8);
    assert_int_equal(fp_compare(&e, FP32, 0x80000000, 0, false), 6);
    assert_int_equal(fp_compare(&e, FP32, 0, 0xbf800000, false), 2);
    assert_int_equal(fp_compare(&e, FP32, 0xff800000, 0xff800000, true), 6);
    assert_int_equal(fp_compare(&e, FP32, QNAN1, ONE, false), 3);
    assert_int_equal(e.exc, 0);
    assert_int_equal(fp_compare(&e, FP32, QNAN1, ONE, true), 3);
    assert_int_equal(e.exc, FPSCR_IOC);
    e.exc = 0;
    assert_int_equal(fp_max(&e, FP32, 0x80000000, 0), 0);
    assert_int_equal(fp_min(&e, FP32, 0, 0x80000000), 0x80000000);
    assert_int_equal(fp_max(&e, FP32, ONE, QNAN1), QNAN1);
    assert_int_equal(fp_min(&e, FP32, 0xbf800000, ONE), 0xbf800000);
    assert_int_equal(e.exc, 0);
}

/* recip_estimate() and recip_sqrt_estimate() of ARM ARM A2.7.8 as written there, in doubles. */
static double reference_recip(double a)
{
    int q = (int)(a * 512.0);
    double r = 1.0 / (((double)q + 0.5) / 512.0);
    return (double)(int)(256.0 * r + 0.5) / 256.0;
}

static double reference_rsqrt(double a)
{
    double r;
    if (a < 0.5) {
        int q = (int)(a * 512.0);
        r = 1.0 / __builtin_sqrt(((double)q + 0.5) / 512.0);
    } else {
        int q = (int)(a * 256.0);
        r = 1.0 / __builtin_sqrt(((double)q + 0.5) / 256.0);
    }
    return (double)(int)(256.0 * r + 0.5) / 256.0;
}

static uint32_t bits_of(double d)
{
    float f = (float)d;
    uint32_t x;
    memcpy(&x, &f, 4);
    return x;
}

static void estimates(void **state UNUSED)
{
    struct fp_env e = fp_env_of(FPSCR_STANDARD);

    for (uint32_t k = 0; k < 4096; k++) {
        float in;
        uint32_t x = ONE - 0x00800000 + (k << 11); /* 0.5 .. 2 */
        memcpy(&in, &x, 4);
        double scaled = in < 1 ? in : in / 2; /* to 0.5 .. 1 */
        assert_int_equal(fp_recip_estimate(&e, x), bits_of(reference_recip(scaled) / (in < 1 ? 1 : 2)));
        double root_scaled = in < 1 ? in : in / 4; /* to 0.25 .. 1 by a power of four */
        assert_int_equal(fp_rsqrt_estimate(&e, x), bits_of(reference_rsqrt(root_scaled) / (in < 1 ? 1 : 2)));
        uint32_t fixed = 0x80000000 | k << 19;
        assert_int_equal(int_recip_estimate(fixed), (uint32_t)(reference_recip(fixed / 4294967296.0) * 2147483648.0));
        fixed = 0x40000000 + k * 0xbffff;
        assert_int_equal(int_rsqrt_estimate(fixed), (uint32_t)(reference_rsqrt(fixed / 4294967296.0) * 2147483648.0));
    }
    assert_int_equal(e.exc, 0);
    assert_int_equal(int_recip_estimate(0x7fffffff), 0xffffffff);
    assert_int_equal(fp_recip_estimate(&e, 0x80000000), 0xff800000);
    assert_int_equal(e.exc, FPSCR_DZC);
    assert_int_equal(fp_recip_estimate(&e, 0x7e800000), 0);
    assert_int_equal(fp_rsqrt_estimate(&e, 0xbf800000), DNAN);
    assert_int_equal(fp_recip_step(&e, 0, INF), 0x40000000);
    assert_int_equal(fp_rsqrt_step(&e, INF, 0x80000000), 0x3fc00000);
    assert_int_equal(fp_recip_step(&e, ONE, ONE), ONE);
    assert_int_equal(fp_rsqrt_step(&e, ONE, ONE), ONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_equals_host), cmocka_unit_test(conversions_equal_host), cmocka_unit_test(nan_propagation),
        cmocka_unit_test(flush_to_zero),          cmocka_unit_test(saturation),             cmocka_unit_test(half_precision),
        cmocka_unit_test(comparison_and_extremes), cmocka_unit_test(estimates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
