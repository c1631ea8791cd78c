/*
 * fmt.c: formatting of diagnostics without a libc: %s %c %d %u %x %%, with width, zero padding and the length modifier l.
 */
#include <stdarg.h>
#include <dbt/engine.h>

struct out {
    char *buf;
    int cap, n;
};

static void put(struct out *o, char c)
{
    if (o->n + 1 < o->cap)
        o->buf[o->n++] = c;
}

static void put_number(struct out *o, uint64_t x, unsigned base, bool negative, int width, char pad)
{
    char digits[24];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[x % base];
        x /= base;
    } while (x);
    if (negative)
        digits[n++] = '-';
    for (int i = n; i < width; i++)
        put(o, pad);
    while (n)
        put(o, digits[--n]);
}

int fmt_vtext(char *buf, int cap, const char *fmt, va_list ap)
{
    struct out o = {buf, cap, 0};

    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        char pad = ' ';
        int width = 0;
        bool is_long = false;
        if (*++fmt == '0')
            pad = '0', fmt++;
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            width = width * 10 + *fmt - '0';
        for (; *fmt == 'l'; fmt++)
            is_long = true;
        switch (*fmt) {
        case 's':
            for (const char *s = va_arg(ap, const char *); *s; s++, width--)
                put(&o, *s);
            for (; width > 0; width--)
                put(&o, ' ');
            break;
        case 'c':
            put(&o, (char)va_arg(ap, int));
            break;
        case 'd': {
            int64_t x = is_long ? va_arg(ap, long) : va_arg(ap, int);
            put_number(&o, x < 0 ? -(uint64_t)x : (uint64_t)x, 10, x < 0, width, pad);
            break;
        }
        case 'u':
        case 'x':
            put_number(&o, is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned), *fmt == 'u' ? 10 : 16, false, width, pad);
            break;
        case 0:
            fmt--;
            break;
        default:
            put(&o, *fmt);
        }
    }
    if (cap > 0)
        buf[o.n] = 0;
    return o.n;
}

int fmt_text(char *buf, int cap, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = fmt_vtext(buf, cap, fmt, ap);
    va_end(ap);
    return n;
}
