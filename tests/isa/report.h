/* report.h: telling what differs. */
#ifndef ISA_REPORT_H
#define ISA_REPORT_H

#include "batch.h"

/* disassemble.c: Capstone's reading of one instruction; "?" when it has none. */
void disassemble(bool thumb, const void *bytes, unsigned size, uint32_t pc, char *buf, size_t cap);

const char *isa_kind_name(uint32_t kind);
/* Print the code of some units with Capstone's reading of it, the state before, and what differs after. */
void report_difference(const struct gen *g, const struct gen_case *gc, unsigned first_unit, unsigned units, const struct batch *b,
                       unsigned piece, const struct isa_result *got);
void report_code(const struct gen *g, const struct gen_case *gc, unsigned first_unit, unsigned units, uint32_t pc);

#endif
