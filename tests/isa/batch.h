/*
 * batch.h: building batches, running them on the oracle and on the machine under test.
 */
#ifndef ISA_BATCH_H
#define ISA_BATCH_H

#include "gen.h"

struct paths {
    const char *oracle;      /* command that runs the Linux runner, with the runner: "qemu-arm -cpu cortex-a15 isa-linux" */
    const char *oracle_bare; /* or, for conditions that need it, a command like `target`: "qemu-system-arm ..." */
    const char *target;      /* command to which " -kernel FILE" is appended; the guest's UART on its stdout; NULL: compare nothing */
    const char *bare;        /* the bare-metal runner's ELF file */
    const char *dir;         /* scratch directory */
    unsigned timeout;        /* seconds of processor time for a run of either */
    unsigned max_reports;
    unsigned timer_ticks; /* isa_batch.timer_ticks */
    unsigned mode;        /* isa_batch.mode */
    bool watchdog;        /* cases may go round for ever: such end as ISA_LOOP */
    bool patient;         /* but only after a time that no machine is too busy for */
    bool quiet;           /* say nothing when a program dies: that is expected */
    unsigned record;      /* ISA_MODE_RECORD, for batch.c */
};

/* A piece of a generated case, to run as a case of its own. */
struct piece {
    const struct gen_case *gen;
    unsigned first_unit, units;
    const struct isa_state *state;   /* instead of the case's own, or NULL */
    const struct isa_banked *banked; /* the same */
    int same_code;                   /* > 0: runs the code of the piece that many before this one, which is of the same case */
};

struct batch {
    unsigned n;
    struct isa_case *cases;
    struct isa_result *expected; /* the oracle's */
    bool *left_out;              /* cases that the oracle dies of; only their last instruction runs */
    uint8_t *code;
    uint32_t code_size;
    uint32_t pattern[ISA_DATA_SIZE / 4];
    /* differences found by the last batch_run_target() */
    unsigned n_interrupts, n_misaligned; /* all, and those before the fetch from a misaligned A32 address */
    unsigned n_different; /* as the target counted */
    unsigned n_reports;
    unsigned *report_case;
    struct isa_result *report;
};

#define BATCH_DIED (-2)

/* All return 0, or -1 after a message on stderr, or BATCH_DIED: the oracle, or the target, was ended by a signal. */
int batch_build(struct batch *b, const struct piece *pieces, unsigned n, uint64_t seed);
int batch_run_oracle(struct batch *b, const struct paths *p);
int batch_run_target(struct batch *b, const struct paths *p);
/* Cases `first` to `first` + n - 1 of a batch with what is known of them, as a batch; the code is the whole batch's and stays where it is.
 */
int batch_part(const struct batch *b, unsigned first, unsigned n, struct batch *part);
void batch_leave_out(struct batch *b, unsigned k);
void batch_free(struct batch *b);

#endif
