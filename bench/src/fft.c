/* fft.c: radix-2 complex FFT in double precision, forward and back. fft LOG2_SIZE TIMES; prints the largest error and a sum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct complex_number {
    double re, im;
};

static void transform(struct complex_number *a, const struct complex_number *root, unsigned lg, int sign)
{
    size_t n = (size_t)1 << lg;
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            struct complex_number t = a[i];
            a[i] = a[j], a[j] = t;
        }
    }
    for (size_t half = 1; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t k = 0; k < half; k++) {
                struct complex_number w = root[k * (n / 2 / half)], *x = &a[i + k], *y = x + half;
                w.im *= sign;
                double re = y->re * w.re - y->im * w.im, im = y->re * w.im + y->im * w.re;
                y->re = x->re - re, y->im = x->im - im;
                x->re += re, x->im += im;
            }
}

int main(int argc, char **argv)
{
    unsigned lg = argc > 1 ? (unsigned)atoi(argv[1]) : 10, times = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    size_t n = (size_t)1 << lg;
    struct complex_number *a = calloc(n, sizeof(*a)), *root = calloc(n / 2 + 1, sizeof(*root));
    double error = 0, sum = 0;
    if (!a || !root || lg < 1 || lg > 24)
        return 1;
    for (size_t i = 0; i < n / 2; i++)
        root[i] = (struct complex_number){cos(2 * M_PI * (double)i / (double)n), sin(2 * M_PI * (double)i / (double)n)};
    for (size_t i = 0; i < n; i++)
        a[i].re = (double)(i * 7919 % 1009) / 1009;
    for (unsigned t = 0; t < times; t++) {
        transform(a, root, lg, -1);
        sum += a[1].re * a[1].re + a[1].im * a[1].im;
        transform(a, root, lg, 1);
        for (size_t i = 0; i < n; i++)
            a[i].re /= (double)n, a[i].im /= (double)n;
    }
    for (size_t i = 0; i < n; i++)
        error = fmax(error, fabs(a[i].re - (double)(i * 7919 % 1009) / 1009));
    printf("%.6e %.9e\n", error, sum);
    return error > 1e-9;
}
