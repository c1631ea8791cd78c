/*
 * symbols.h: names of guest functions, from a file with a line "ADDRESS TYPE NAME [MODULE]" for each: a System.map or the guest's
 * /proc/kallsyms.
 */
#ifndef HYPERVISOR_SYMBOLS_H
#define HYPERVISOR_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbols;

/* NULL after a message. */
struct symbols *symbols_load(const char *path);
void symbols_free(struct symbols *s);

/* The function that contains addr: the last one that does not begin behind it. NULL before the first one, and without symbols (s may be
 * NULL). */
const char *symbols_find(const struct symbols *s, uint32_t addr);

#endif
