/*
 * error.c: one sentence on stderr.
 */
#include <hypervisor/error.h>
#include <hypervisor/terminal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put(const char *text, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, text, n);
        if (done <= 0)
            return; /* stderr is gone: there is nobody to tell */
        text += done;
        n -= (size_t)done;
    }
}

void error_report(const char *fmt, ...)
{
    char line[2560];
    size_t n = (size_t)snprintf(line, sizeof(line), "armlet: ");
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    if (len > 0)
        n += (size_t)len < sizeof(line) - n - 1 ? (size_t)len : sizeof(line) - n - 2;
    line[n++] = '\n';
    put(line, n);
}

void error_die(int code, const char *text)
{
    terminal_restore();
    put(text, strlen(text));
    _exit(code);
}
