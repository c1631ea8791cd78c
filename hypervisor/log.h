/*
 * log.h: what the engine has to say (-d): to stderr or to the file of -D.
 */
#ifndef HYPERVISOR_LOG_H
#define HYPERVISOR_LOG_H

#include <armlet/abi.h>
#include <stdio.h>

struct log {
    FILE *out;        /* NULL before log_open(): stderr is meant */
    const char *name; /* of the file, the caller's string; NULL: stderr */
    int error;        /* errno of the first write that failed */
    size_t disassembler[2]; /* Capstone's handles for A32 and T32, 0 until first used */
};

/* Open `file`, or take stderr when it is NULL. 0, or -1 after a message. */
int log_open(struct log *log, const char *file);
/* One text, a newline added where it has none. */
void log_text(struct log *log, const char *text);
/* `n` bytes of code that run at `addr`, disassembled. */
void log_code(struct log *log, enum code_kind kind, uint64_t addr, const uint8_t *code, size_t n);
/* 0; -1 after a message when not everything could be written. */
int log_close(struct log *log);

#endif
