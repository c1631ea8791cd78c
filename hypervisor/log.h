/*
 * log.h: what the engine has to say (-d): to stderr or to the file of -D.
 */
#ifndef HYPERVISOR_LOG_H
#define HYPERVISOR_LOG_H

#include <armlet/abi.h>

/* Open `file`, or take stderr when it is NULL. 0, or -1 after a message. */
int log_open(const char *file);
/* One text, a newline added where it has none. */
void log_text(const char *text);
/* `n` bytes of code that run at `addr`, disassembled. */
void log_code(enum code_kind kind, uint64_t addr, const uint8_t *code, size_t n);
/* 0; -1 after a message when not everything could be written. */
int log_close(void);

#endif
