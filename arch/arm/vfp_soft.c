/*
 * vfp_soft.c: exact ARM floating point on integers (see vfp_soft.h).
 *
 * A finite operand is unpacked to a 64-bit significand with its top bit set and an exponent: value = frac * 2^exp. Each operation builds an
 * exact (or sticky: lowest bit set when something non-zero lies below) significand of up to 128 bits, and round_pack() rounds once.
 */
#include <arch/arm/vfp_soft.h>

typedef unsigned __int128 u128;

static const struct format {
    uint8_t ebits, fbits;
} formats[] = {[FP16] = {5, 10}, [FP32] = {8, 23}, [FP64] = {11, 52}};

enum fp_class { ZERO, FINITE, INF, QNAN, SNAN };

struct unpacked {
    uint8_t cls; /* enum fp_class */
    bool sign;
    int exp;
    uint64_t frac; /* top bit set when FINITE */
};

static uint64_t exp_field_max(enum fp_fmt f)
{
    return (1ull << formats[f].ebits) - 1;
}
static int exp_bias(enum fp_fmt f)
{
    return (1 << (formats[f].ebits - 1)) - 1;
}
static enum fp_round rounding(const struct fp_env *e)
{
    return (enum fp_round)(e->fpscr >> 22 & 3);
}

static uint64_t pack(enum fp_fmt f, bool sign, uint64_t exp, uint64_t frac)
{
    return (sign ? fp_sign_bit(f) : 0) | exp << formats[f].fbits | frac;
}

static uint64_t pack_inf(enum fp_fmt f, bool sign)
{
    return pack(f, sign, exp_field_max(f), 0);
}
static uint64_t pack_zero(enum fp_fmt f, bool sign)
{
    return pack(f, sign, 0, 0);
}

uint64_t fp_default_nan(enum fp_fmt f)
{
    return pack(f, false, exp_field_max(f), 1ull << (formats[f].fbits - 1));
}

bool fp_is_nan(enum fp_fmt f, uint64_t x)
{
    return fp_abs(f, x) > pack_inf(f, false);
}

static struct unpacked unpack(struct fp_env *e, enum fp_fmt f, uint64_t x)
{
    unsigned fbits = formats[f].fbits;
    uint64_t frac = x & ((1ull << fbits) - 1), exp = x >> fbits & exp_field_max(f);
    struct unpacked u = {.sign = (x & fp_sign_bit(f)) != 0};

    if (exp == exp_field_max(f) && !(f == FP16 && (e->fpscr & FPSCR_AHP))) {
        u.cls = frac == 0 ? INF : frac >> (fbits - 1) ? QNAN : SNAN;
        return u;
    }
    if (exp == 0) {
        if (frac == 0)
            return u;
        if ((e->fpscr & FPSCR_FZ) && f != FP16) {
            e->exc |= FPSCR_IDC;
            return u;
        }
        unsigned shift = (unsigned)__builtin_clzll(frac);
        u.cls = FINITE;
        u.frac = frac << shift;
        u.exp = 1 - exp_bias(f) - (int)fbits - (int)shift;
        return u;
    }
    u.cls = FINITE;
    u.frac = (frac | 1ull << fbits) << (63 - fbits);
    u.exp = (int)exp - exp_bias(f) - 63;
    return u;
}

static int top_bit(u128 x)
{
    return x >> 64 ? 127 - __builtin_clzll((uint64_t)(x >> 64)) : 63 - __builtin_clzll((uint64_t)x);
}

/* x >> n for any n >= 0, lowest bit set when bits were lost. */
static u128 shift_right_sticky(u128 x, unsigned n)
{
    if (n == 0)
        return x;
    if (n > 127)
        return x != 0;
    return x >> n | ((x & (((u128)1 << n) - 1)) != 0);
}

/* Does rounding go away from zero? rem is relative to half: 0 exact, 1 below, 2 half, 3 above. */
static bool round_up(enum fp_round mode, bool sign, bool odd, unsigned rem)
{
    switch (mode) {
    case FP_RN:
        return rem == 3 || (rem == 2 && odd);
    case FP_RP:
        return !sign && rem;
    case FP_RM:
        return sign && rem;
    default:
        return false;
    }
}

static unsigned remainder_class(u128 x, unsigned shift)
{
    if (shift > 128)
        return x != 0; /* far below half */
    u128 rem = shift == 128 ? x : x & (((u128)1 << shift) - 1), half = (u128)1 << (shift - 1);
    return rem == 0 ? 0 : rem < half ? 1 : rem == half ? 2 : 3;
}

/* (-1)^sign * mant * 2^exp, mant != 0, in format f. */
static uint64_t round_pack(struct fp_env *e, enum fp_fmt f, bool sign, int exp, u128 mant, enum fp_round mode)
{
    int fbits = formats[f].fbits, e_min = 1 - exp_bias(f);
    int e_val = exp + top_bit(mant);
    bool tiny = e_val < e_min;

    if (tiny && (e->fpscr & FPSCR_FZ) && f != FP16) {
        e->exc |= FPSCR_UFC;
        return pack_zero(f, sign);
    }
    int shift = (tiny ? e_min : e_val) - fbits - exp;
    unsigned rem = 0;
    uint64_t kept;
    if (shift > 0) {
        rem = remainder_class(mant, (unsigned)shift);
        kept = shift > 127 ? 0 : (uint64_t)(mant >> shift);
        kept += round_up(mode, sign, kept & 1, rem);
    } else {
        kept = (uint64_t)mant << -shift;
    }
    /* The hidden bit of `kept` adds one to the exponent field, as does a carry out of the rounding. */
    uint64_t field = tiny ? 0 : (uint64_t)(e_val - e_min);
    uint64_t magnitude = (field << fbits) + kept;

    if (f == FP16 && (e->fpscr & FPSCR_AHP)) {
        if (magnitude > 0x7fff) {
            e->exc |= FPSCR_IOC;
            return pack(f, sign, 0, 0x7fff);
        }
    } else if (magnitude >= pack_inf(f, false)) {
        e->exc |= FPSCR_OFC | FPSCR_IXC;
        bool to_inf = mode == FP_RN || (mode == FP_RP && !sign) || (mode == FP_RM && sign);
        return pack(f, sign, 0, to_inf ? pack_inf(f, false) : pack_inf(f, false) - 1);
    }
    if (rem)
        e->exc |= FPSCR_IXC | (tiny ? FPSCR_UFC : 0);
    return pack(f, sign, 0, magnitude);
}

/* --- NaNs --- */

static uint64_t process_nan(struct fp_env *e, enum fp_fmt f, uint64_t x, uint8_t cls)
{
    if (cls == SNAN) {
        e->exc |= FPSCR_IOC;
        x |= 1ull << (formats[f].fbits - 1);
    }
    return e->fpscr & FPSCR_DN ? fp_default_nan(f) : x;
}

static uint64_t invalid(struct fp_env *e, enum fp_fmt f)
{
    e->exc |= FPSCR_IOC;
    return fp_default_nan(f);
}

/* The result when an operand is a NaN: the first signalling one, else the first quiet one. */
static bool process_nans(struct fp_env *e, enum fp_fmt f, const uint64_t *x, const struct unpacked *u, unsigned n, uint64_t *result)
{
    for (unsigned want = SNAN; want >= QNAN; want--) {
        for (unsigned k = 0; k < n; k++) {
            if (u[k].cls == want) {
                *result = process_nan(e, f, x[k], u[k].cls);
                return true;
            }
        }
    }
    return false;
}

/* Unpack both operands; true: *result is the NaN. */
static bool unpack2(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b, struct unpacked u[2], uint64_t *result)
{
    const uint64_t x[2] = {a, b};
    u[0] = unpack(e, f, a);
    u[1] = unpack(e, f, b);
    return process_nans(e, f, x, u, 2, result);
}

/* --- arithmetic --- */

static uint64_t exact_zero(const struct fp_env *e, enum fp_fmt f)
{
    return pack_zero(f, rounding(e) == FP_RM);
}

/* Sum of two finite values whose significands have bits 127 and 126 clear. */
static uint64_t sum(struct fp_env *e, enum fp_fmt f, bool sign_a, int exp_a, u128 a, bool sign_b, int exp_b, u128 b)
{
    if (exp_a < exp_b) {
        a = shift_right_sticky(a, (unsigned)(exp_b - exp_a));
        exp_a = exp_b;
    } else {
        b = shift_right_sticky(b, (unsigned)(exp_a - exp_b));
    }
    if (sign_a == sign_b)
        return round_pack(e, f, sign_a, exp_a, a + b, rounding(e));
    if (a == b)
        return exact_zero(e, f);
    return a > b ? round_pack(e, f, sign_a, exp_a, a - b, rounding(e)) : round_pack(e, f, sign_b, exp_a, b - a, rounding(e));
}

uint64_t fp_add(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    struct unpacked u[2];
    uint64_t r;

    if (unpack2(e, f, a, b, u, &r))
        return r;
    if (u[0].cls == INF || u[1].cls == INF) {
        if (u[0].cls == u[1].cls && u[0].sign != u[1].sign)
            return invalid(e, f);
        return pack_inf(f, u[u[0].cls != INF].sign);
    }
    if (u[0].cls == ZERO && u[1].cls == ZERO)
        return u[0].sign == u[1].sign ? pack_zero(f, u[0].sign) : exact_zero(e, f);
    if (u[0].cls == ZERO || u[1].cls == ZERO) {
        const struct unpacked *x = &u[u[0].cls == ZERO];
        return round_pack(e, f, x->sign, x->exp, x->frac, rounding(e));
    }
    return sum(e, f, u[0].sign, u[0].exp - 62, (u128)u[0].frac << 62, u[1].sign, u[1].exp - 62, (u128)u[1].frac << 62);
}

uint64_t fp_sub(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    /* Only a NaN keeps its sign: a - b is not a + (-b) then. */
    return fp_add(e, f, a, fp_is_nan(f, b) ? b : fp_neg(f, b));
}

uint64_t fp_mul(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    struct unpacked u[2];
    uint64_t r;

    if (unpack2(e, f, a, b, u, &r))
        return r;
    bool sign = u[0].sign ^ u[1].sign;
    if (u[0].cls == INF || u[1].cls == INF)
        return u[0].cls == ZERO || u[1].cls == ZERO ? invalid(e, f) : pack_inf(f, sign);
    if (u[0].cls == ZERO || u[1].cls == ZERO)
        return pack_zero(f, sign);
    return round_pack(e, f, sign, u[0].exp + u[1].exp, (u128)u[0].frac * u[1].frac, rounding(e));
}

uint64_t fp_div(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    struct unpacked u[2];
    uint64_t r;

    if (unpack2(e, f, a, b, u, &r))
        return r;
    bool sign = u[0].sign ^ u[1].sign;
    if (u[0].cls == u[1].cls && u[0].cls != FINITE)
        return invalid(e, f); /* 0/0, inf/inf */
    if (u[0].cls == INF)
        return pack_inf(f, sign);
    if (u[1].cls == ZERO) {
        e->exc |= FPSCR_DZC;
        return pack_inf(f, sign);
    }
    if (u[0].cls == ZERO || u[1].cls == INF)
        return pack_zero(f, sign);

    /* a * 2^63 / b is between 2^62 and 2^64: restoring division, bit by bit. */
    u128 rem = u[0].frac;
    uint64_t q = rem >= u[1].frac;
    if (q)
        rem -= u[1].frac;
    for (unsigned k = 0; k < 63; k++) {
        rem <<= 1;
        q <<= 1;
        if (rem >= u[1].frac) {
            rem -= u[1].frac;
            q |= 1;
        }
    }
    return round_pack(e, f, sign, u[0].exp - u[1].exp - 64, (u128)q << 1 | (rem != 0), rounding(e));
}

uint64_t fp_sqrt(struct fp_env *e, enum fp_fmt f, uint64_t a)
{
    struct unpacked u = unpack(e, f, a);
    uint64_t r;

    if (process_nans(e, f, &a, &u, 1, &r))
        return r;
    if (u.cls == ZERO)
        return pack_zero(f, u.sign);
    if (u.sign)
        return invalid(e, f);
    if (u.cls == INF)
        return pack_inf(f, false);

    int exp = u.exp - 62;
    u128 x = (u128)u.frac << 62;
    if (exp & 1) {
        exp--;
        x <<= 1;
    }
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 63; bit; bit >>= 1) {
        uint64_t t = root | bit;
        if ((u128)t * t <= x)
            root = t;
    }
    return round_pack(e, f, false, exp / 2 - 1, (u128)root << 1 | ((u128)root * root != x), rounding(e));
}

uint64_t fp_muladd(struct fp_env *e, enum fp_fmt f, uint64_t addend, uint64_t a, uint64_t b)
{
    const uint64_t x[3] = {addend, a, b};
    struct unpacked u[3];
    uint64_t r;

    for (unsigned k = 0; k < 3; k++)
        u[k] = unpack(e, f, x[k]);
    bool inf_times_zero = (u[1].cls == INF && u[2].cls == ZERO) || (u[1].cls == ZERO && u[2].cls == INF);
    if (u[0].cls == QNAN && inf_times_zero)
        return invalid(e, f);
    if (process_nans(e, f, x, u, 3, &r))
        return r;
    if (inf_times_zero)
        return invalid(e, f);

    bool sign = u[1].sign ^ u[2].sign;
    if (u[1].cls == INF || u[2].cls == INF) {
        if (u[0].cls == INF && u[0].sign != sign)
            return invalid(e, f);
        return pack_inf(f, sign);
    }
    if (u[0].cls == INF)
        return pack_inf(f, u[0].sign);
    if (u[1].cls == ZERO || u[2].cls == ZERO) {
        if (u[0].cls == ZERO)
            return u[0].sign == sign ? pack_zero(f, sign) : exact_zero(e, f);
        return round_pack(e, f, u[0].sign, u[0].exp, u[0].frac, rounding(e));
    }
    /* Significands have at most 53 bits, so the low 22 bits of the product are zero. */
    u128 product = (u128)u[1].frac * u[2].frac;
    int exp = u[1].exp + u[2].exp;
    if (u[0].cls == ZERO)
        return round_pack(e, f, sign, exp, product, rounding(e));
    return sum(e, f, u[0].sign, u[0].exp - 62, (u128)u[0].frac << 62, sign, exp + 2, product >> 2);
}

/* -1, 0, 1 of two values neither of which is a NaN */
static int order(const struct unpacked *a, const struct unpacked *b)
{
    if (a->cls == ZERO && b->cls == ZERO)
        return 0;
    int sa = a->cls == ZERO ? 0 : a->sign ? -1 : 1, sb = b->cls == ZERO ? 0 : b->sign ? -1 : 1;
    if (sa != sb)
        return sa < sb ? -1 : 1;
    int magnitude;
    if (a->cls != b->cls)
        magnitude = a->cls == INF ? 1 : -1;
    else if (a->cls == INF)
        magnitude = 0;
    else if (a->exp != b->exp)
        magnitude = a->exp < b->exp ? -1 : 1;
    else
        magnitude = a->frac < b->frac ? -1 : a->frac > b->frac;
    return sa * magnitude;
}

static uint64_t pick(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b, bool want_max)
{
    struct unpacked u[2];
    uint64_t r;

    if (unpack2(e, f, a, b, u, &r))
        return r;
    int o = order(&u[0], &u[1]);
    unsigned k;
    if (o == 0)
        k = want_max ? u[0].sign : !u[0].sign; /* +0 is above -0 */
    else
        k = want_max ? o < 0 : o > 0;
    if (u[k].cls == ZERO)
        return pack_zero(f, u[k].sign); /* a flushed denormal */
    return k ? b : a;
}

uint64_t fp_max(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    return pick(e, f, a, b, true);
}
uint64_t fp_min(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b)
{
    return pick(e, f, a, b, false);
}

unsigned fp_compare(struct fp_env *e, enum fp_fmt f, uint64_t a, uint64_t b, bool quiet_invalid)
{
    struct unpacked u = unpack(e, f, a), w = unpack(e, f, b);

    if (u.cls >= QNAN || w.cls >= QNAN) {
        if (u.cls == SNAN || w.cls == SNAN || quiet_invalid)
            e->exc |= FPSCR_IOC;
        return 3;
    }
    int o = order(&u, &w);
    return o < 0 ? 8 : o == 0 ? 6 : 2;
}

/* --- conversions --- */

uint64_t fp_convert(struct fp_env *e, enum fp_fmt to, enum fp_fmt from, uint64_t x)
{
    struct unpacked u = unpack(e, from, x);
    bool alternative = to == FP16 && (e->fpscr & FPSCR_AHP);

    switch ((enum fp_class)u.cls) {
    case QNAN:
    case SNAN: {
        if (u.cls == SNAN || alternative)
            e->exc |= FPSCR_IOC;
        if (alternative)
            return pack_zero(to, u.sign);
        if (e->fpscr & FPSCR_DN)
            return fp_default_nan(to);
        uint64_t frac = x & ((1ull << formats[from].fbits) - 1);
        int shift = formats[to].fbits - formats[from].fbits;
        frac = shift >= 0 ? frac << shift : frac >> -shift;
        return pack(to, u.sign, exp_field_max(to), frac | 1ull << (formats[to].fbits - 1));
    }
    case INF:
        if (alternative) {
            e->exc |= FPSCR_IOC;
            return pack(to, u.sign, 0, 0x7fff);
        }
        return pack_inf(to, u.sign);
    case ZERO:
        return pack_zero(to, u.sign);
    case FINITE:
        break;
    }
    return round_pack(e, to, u.sign, u.exp, u.frac, rounding(e));
}

uint32_t fp_to_int(struct fp_env *e, enum fp_fmt f, uint64_t x, unsigned frac, unsigned bits, bool is_signed, enum fp_round mode)
{
    struct unpacked u = unpack(e, f, x);
    uint64_t max = (1ull << (is_signed ? bits - 1 : bits)) - 1;
    uint64_t limit = !u.sign ? max : is_signed ? max + 1 : 0; /* largest magnitude on this side */
    uint64_t magnitude = 0;
    unsigned rem = 0;

    if (u.cls == QNAN || u.cls == SNAN) {
        e->exc |= FPSCR_IOC;
        return 0;
    }
    if (u.cls == INF) {
        magnitude = limit + 1;
    } else if (u.cls == FINITE) {
        int exp = u.exp + (int)frac;
        if (exp > -30) {
            magnitude = limit + 1; /* 2^33 and above */
        } else {
            rem = remainder_class(u.frac, (unsigned)-exp);
            magnitude = -exp > 63 ? 0 : u.frac >> -exp;
            magnitude += round_up(mode, u.sign, magnitude & 1, rem);
        }
    }
    if (magnitude > limit) {
        e->exc |= FPSCR_IOC;
        magnitude = limit;
    } else if (rem) {
        e->exc |= FPSCR_IXC;
    }
    return (uint32_t)(u.sign ? 0 - magnitude : magnitude);
}

uint64_t fp_from_int(struct fp_env *e, enum fp_fmt f, int64_t x, unsigned frac, enum fp_round mode)
{
    if (x == 0)
        return 0;
    return round_pack(e, f, x < 0, -(int)frac, x < 0 ? 0 - (uint64_t)x : (uint64_t)x, mode);
}

/* --- estimates (ARM ARM A2.7.8, in integers) --- */

/* a = 256..511 stands for 0.5..1; result 256..511 for 1..2 */
static uint32_t recip_table(uint32_t a)
{
    return ((1u << 19) / (2 * a + 1) + 1) >> 1;
}

/* a = 128..511 stands for 0.25..1 */
static uint32_t rsqrt_table(uint32_t a)
{
    uint32_t b = 512;

    a = a < 256 ? 2 * a + 1 : ((a & ~1u) + 1) * 2;
    while ((uint64_t)a * (b + 1) * (b + 1) < 1u << 28)
        b++;
    return (b + 1) / 2;
}

uint32_t int_recip_estimate(uint32_t x)
{
    return x & 0x80000000 ? recip_table(x >> 23) << 23 : 0xffffffff;
}

uint32_t int_rsqrt_estimate(uint32_t x)
{
    return x & 0xc0000000 ? rsqrt_table(x >> 23) << 23 : 0xffffffff;
}

uint32_t fp_recip_estimate(struct fp_env *e, uint32_t x)
{
    struct unpacked u = unpack(e, FP32, x);
    uint64_t in = x, r;

    if (process_nans(e, FP32, &in, &u, 1, &r))
        return (uint32_t)r;
    if (u.cls == INF)
        return (uint32_t)pack_zero(FP32, u.sign);
    if (u.cls == ZERO) {
        e->exc |= FPSCR_DZC;
        return (uint32_t)pack_inf(FP32, u.sign);
    }
    uint32_t exp = x >> 23 & 0xff;
    if (exp >= 253) { /* |x| >= 2^126 */
        e->exc |= FPSCR_UFC;
        return (uint32_t)pack_zero(FP32, u.sign);
    }
    return (uint32_t)pack(FP32, u.sign, 253 - exp, (uint64_t)(recip_table(256 | (x >> 15 & 0xff)) & 0xff) << 15);
}

uint32_t fp_rsqrt_estimate(struct fp_env *e, uint32_t x)
{
    struct unpacked u = unpack(e, FP32, x);
    uint64_t in = x, r;

    if (process_nans(e, FP32, &in, &u, 1, &r))
        return (uint32_t)r;
    if (u.cls == ZERO) {
        e->exc |= FPSCR_DZC;
        return (uint32_t)pack_inf(FP32, u.sign);
    }
    if (u.sign)
        return (uint32_t)invalid(e, FP32);
    if (u.cls == INF)
        return 0;
    uint32_t exp = x >> 23 & 0xff;
    /* An even biased exponent: significand in 0.5..1; odd: in 0.25..0.5. */
    uint32_t a = exp & 1 ? 128 | (x >> 16 & 0x7f) : 256 | (x >> 15 & 0xff);
    return (uint32_t)pack(FP32, false, (380 - exp) / 2, (uint64_t)(rsqrt_table(a) & 0xff) << 15);
}

static bool inf_by_zero(struct fp_env *e, uint32_t a, uint32_t b)
{
    struct fp_env quiet = *e;
    struct unpacked u = unpack(&quiet, FP32, a), w = unpack(&quiet, FP32, b);
    if ((u.cls != INF || w.cls != ZERO) && (u.cls != ZERO || w.cls != INF))
        return false;
    e->exc |= quiet.exc;
    return true;
}

uint32_t fp_recip_step(struct fp_env *e, uint32_t a, uint32_t b)
{
    if (inf_by_zero(e, a, b))
        return 0x40000000; /* 2.0 */
    return (uint32_t)fp_sub(e, FP32, 0x40000000, fp_mul(e, FP32, a, b));
}

uint32_t fp_rsqrt_step(struct fp_env *e, uint32_t a, uint32_t b)
{
    if (inf_by_zero(e, a, b))
        return 0x3fc00000; /* 1.5 */
    uint64_t three_minus = fp_sub(e, FP32, 0x40400000, fp_mul(e, FP32, a, b));
    return (uint32_t)fp_mul(e, FP32, three_minus, 0x3f000000); /* divided by two */
}
