/*
 * coverage.h: how often each row of the decode tables was executed, and under which floating-point modes.
 *
 * An instruction counts when its case surely executed it: the case reached its end and no branch skips the instruction, or it is the
 * instruction whose exception (SVC, BKPT, an undefined row) ended the case. What raised a fault does not count.
 */
#ifndef ISA_COVERAGE_H
#define ISA_COVERAGE_H

#include "gen.h"

struct coverage {
    int n_rows;
    uint64_t *runs, *undefined, *differences; /* by row */
    uint64_t *refused;                        /* undefined here and not on the oracle: allowed for UNPREDICTABLE instructions */
    uint64_t modes[4][2][2];                  /* floating-point instructions by FPSCR.RMode, FZ, DN at the start of their case */
    uint64_t raised[6];                       /* cases that set IOC, DZC, OFC, UFC, IXC, IDC */
    uint64_t kinds[ISA_KINDS], cases, insns;  /* kinds: by enum isa_kind */
};

int coverage_init(struct coverage *v, int n_rows);
void coverage_free(struct coverage *v);
void coverage_count(struct coverage *v, const struct gen *g, const struct gen_case *c, const struct isa_case *ic,
                    const struct isa_result *r);

/* Print the rows (all of them, or those with fewer than `least` executions) and the floating-point modes. Returns how many rows and modes
 * have fewer than `least` executions. Only rows that `g` generates are asked for, unless `all`. */
unsigned coverage_report(const struct coverage *v, const struct gen *g, uint64_t least, bool print, bool all);

extern const char *const isa_table_names[ARM_TABLE_COUNT];

#endif
