/*
 * base.h: the vocabulary every part shares.
 *
 * Freestanding: this header and everything under dbt/ and arch/ is compiled once and linked both into the execution
 * kernel (no libc) and into the host process. Only compiler-provided headers may be included here.
 */
#ifndef ARMLET_BASE_H
#define ARMLET_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a)       (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, n)   ((x) & ~((__typeof__(x))(n) - 1))
#define ALIGN_UP(x, n)     ALIGN_DOWN((x) + (__typeof__(x))(n) - 1, n)
#define BIT(n)             (1u << (n))
#define BITS(x, hi, lo)    (((uint32_t)(x) >> (lo)) & (0xffffffffu >> (31 - ((hi) - (lo)))))
#define LIKELY(x)          __builtin_expect(!!(x), 1)
#define UNLIKELY(x)        __builtin_expect(!!(x), 0)
#define UNUSED             __attribute__((unused))
#define PRINTF_LIKE(f, a)  __attribute__((format(printf, f, a)))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* Provided by libc in the host process and by guest-kernel/string.c in the VM; the compiler may call them anyway. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
