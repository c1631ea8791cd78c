/*
 * string.c: the memory functions the compiler calls, for a program without libc. Blocks of 16 bytes through SSE, the end with one
 * overlapping block; `rep movsb` has a start-up cost that most copies here would not earn back.
 */
#include <armlet/base.h>

typedef long long block __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word __attribute__((aligned(1), may_alias));

/* Forward: dst below src, or no overlap. */
static void copy_up(uint8_t *d, const uint8_t *s, size_t n)
{
    if (n < 16) {
        if (n >= 8) { /* both loads before both stores: right for any overlap */
            word a = *(const word *)s, b = *(const word *)(s + n - 8);
            *(word *)d = a;
            *(word *)(d + n - 8) = b;
            return;
        }
        while (n--) {
            *d++ = *s++;
            __asm__("" : "+r"(d)); /* keep the compiler from making a call to memcpy of this */
        }
        return;
    }
    block last = *(const block *)(s + n - 16);
    uint8_t *end = d + n - 16;
    for (; d < end; d += 16, s += 16) {
        *(block *)d = *(const block *)s;
        __asm__("" : "+r"(d));
    }
    *(block *)end = last;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    copy_up(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= n) {
        copy_up(d, s, n);
    } else {
        while (n--) {
            d[n] = s[n];
            __asm__("" : "+r"(d));
        }
    }
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    uint8_t *d = dst;

    if (n < 16) {
        while (n--) {
            *d++ = (uint8_t)c;
            __asm__("" : "+r"(d));
        }
        return dst;
    }
    long long v = (long long)(0x0101010101010101ull * (uint8_t)c);
    block b = {v, v};
    uint8_t *end = d + n - 16;
    for (; d < end; d += 16) {
        *(block *)d = b;
        __asm__("" : "+r"(d));
    }
    *(block *)end = b;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n >= 8 && *(const word *)x == *(const word *)y; n -= 8)
        x += 8, y += 8;
    for (; n != 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}
