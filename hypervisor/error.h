/*
 * error.h: how armlet talks to its user: one sentence on stderr, prefixed with the program's name, the terminal left readable.
 */
#ifndef HYPERVISOR_ERROR_H
#define HYPERVISOR_ERROR_H

#include <armlet/base.h>

/* "armlet: <sentence>\n" on stderr in one write; any thread. */
void error_report(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For the last words of a dying process: async-signal-safe, restores the terminal first, then exits with `code` at once. */
_Noreturn void error_die(int code, const char *text);

#endif
