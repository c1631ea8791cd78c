/*
 * neon_elements.h: Advanced SIMD integer operations on one element, included by neon_helpers.c twice: with WIDE a 64-bit integer for elements of 8 and
 * 16 bits, and a 128-bit one for those of 32 and 64; EL(name) is the name of the variant. Values are exact; BEYOND saturates any element.
 */
ELEMENT EL(saturate)(const struct element *e, WIDE v)
{
    WIDE max = ((WIDE)1 << (e->is_signed ? e->bits - 1 : e->bits)) - 1, min = e->is_signed ? -max - 1 : 0;

    if (v > max || v < min) {
        e->c->fpscr |= FPSCR_QC;
        return v > max ? max : min;
    }
    return v;
}

/* Signed or unsigned shift by s in -128..127: left when positive, else right, with rounding when `round`. */
ELEMENT EL(shift_right)(WIDE x, unsigned n, bool round)
{
    return n > 64 ? (x < 0 && !round ? -1 : 0) : n ? (x + (round ? (WIDE)1 << (n - 1) : 0)) >> n : x;
}

ELEMENT EL(el_shift)(const struct element *e, WIDE x, int s, bool round, bool sat)
{
    if (s < 0) {
        /* beyond the element size rounding gives 0, plain shifts the sign */
        unsigned n = (unsigned)-s;
        if (n > e->bits)
            return x < 0 && !round ? -1 : 0;
        return EL(shift_right)(x, n, round);
    }
    if (!sat)
        return s >= (int)e->bits ? 0 : x * ((WIDE)1 << s);
    if (s >= (int)e->bits)
        return x == 0 ? 0 : EL(saturate)(e, x < 0 ? -BEYOND : BEYOND);
    return EL(saturate)(e, x * ((WIDE)1 << s));
}

/* --- d = n op m --- */

ELEMENT EL(el_qadd)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(saturate)(e, n + m); }
ELEMENT EL(el_qsub)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(saturate)(e, n - m); }
ELEMENT EL(el_shl)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(el_shift)(e, m, (int8_t)n, false, false); }
ELEMENT EL(el_qshl)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(el_shift)(e, m, (int8_t)n, false, true); }
ELEMENT EL(el_rshl)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(el_shift)(e, m, (int8_t)n, true, false); }
ELEMENT EL(el_qrshl)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(el_shift)(e, m, (int8_t)n, true, true); }
ELEMENT EL(el_qdmulh)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(saturate)(e, (2 * n * m) >> e->bits); }
ELEMENT EL(el_qrdmulh)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m)
{
    return EL(saturate)(e, (2 * n * m + ((WIDE)1 << (e->bits - 1))) >> e->bits);
}
ELEMENT EL(el_pmul)(const struct element *e UNUSED, WIDE d UNUSED, WIDE n, WIDE m)
{
    uint32_t r = 0;
    for (unsigned k = 0; k < 8; k++)
        r ^= (uint32_t)m >> k & 1 ? (uint32_t)n << k : 0;
    return r;
}

/* Long: d is WIDE. The doubled product saturates on its own before it is accumulated. */
ELEMENT EL(el_doubled)(const struct element *e, WIDE n, WIDE m)
{
    struct element w = {.c = e->c, .bits = 2 * e->bits, .is_signed = true};
    return EL(saturate)(&w, 2 * n * m);
}
ELEMENT EL(el_accumulate)(const struct element *e, WIDE sum)
{
    struct element w = {.c = e->c, .bits = 2 * e->bits, .is_signed = true};
    return EL(saturate)(&w, sum);
}
ELEMENT EL(el_qdmull)(const struct element *e, WIDE d UNUSED, WIDE n, WIDE m) { return EL(el_doubled)(e, n, m); }
ELEMENT EL(el_qdmlal)(const struct element *e, WIDE d, WIDE n, WIDE m) { return EL(el_accumulate)(e, d + EL(el_doubled)(e, n, m)); }
ELEMENT EL(el_qdmlsl)(const struct element *e, WIDE d, WIDE n, WIDE m) { return EL(el_accumulate)(e, d - EL(el_doubled)(e, n, m)); }

/* --- d = op m, and shifts of m by an immediate --- */

ELEMENT EL(el_qshli)(const struct element *e, WIDE d UNUSED, WIDE m) { return EL(el_shift)(e, m, (int)e->own, false, true); }
ELEMENT EL(el_qshlu)(const struct element *e, WIDE d UNUSED, WIDE m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return EL(el_shift)(&u, m, (int)e->own, false, true);
}
ELEMENT EL(el_qshrn)(const struct element *e, WIDE d UNUSED, WIDE m) { return EL(saturate)(e, EL(shift_right)(m, e->own, false)); }
ELEMENT EL(el_qrshrn)(const struct element *e, WIDE d UNUSED, WIDE m) { return EL(saturate)(e, EL(shift_right)(m, e->own, true)); }
ELEMENT EL(el_qshrun)(const struct element *e, WIDE d UNUSED, WIDE m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return EL(saturate)(&u, EL(shift_right)(m, e->own, false));
}
ELEMENT EL(el_qrshrun)(const struct element *e, WIDE d UNUSED, WIDE m)
{
    struct element u = {.c = e->c, .bits = e->bits};
    return EL(saturate)(&u, EL(shift_right)(m, e->own, true));
}
ELEMENT EL(el_clz)(const struct element *e, WIDE d UNUSED, WIDE m)
{
    uint32_t x = (uint32_t)m;
    return x ? __builtin_clz(x) - (int)(32 - e->bits) : (int)e->bits;
}
ELEMENT EL(el_cls)(const struct element *e, WIDE d UNUSED, WIDE m) { return __builtin_clrsb((int)m) - (int)(32 - e->bits); }
ELEMENT EL(el_cnt)(const struct element *e UNUSED, WIDE d UNUSED, WIDE m)
{
    uint32_t x = (uint32_t)m & 0xff;
    x -= x >> 1 & 0x55;
    x = (x & 0x33) + (x >> 2 & 0x33);
    return (x + (x >> 4)) & 0x0f;
}
ELEMENT EL(el_recpe)(const struct element *e UNUSED, WIDE d UNUSED, WIDE m) { return int_recip_estimate((uint32_t)m); }
ELEMENT EL(el_rsqrte)(const struct element *e UNUSED, WIDE d UNUSED, WIDE m) { return int_rsqrt_estimate((uint32_t)m); }
