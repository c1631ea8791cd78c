/*
 * drive.h: running batches of generated cases on both sides and explaining what differs.
 */
#ifndef ISA_DRIVE_H
#define ISA_DRIVE_H

#include "batch.h"
#include "coverage.h"

struct drive {
    struct paths paths;
    struct gen_options options;
    struct gen gen;
    struct coverage coverage;
    uint64_t different, interrupts;
    uint64_t settled_loops;                    /* cases that were endless only beside others: settle_watchdog() */
    unsigned detailed, max_detailed;           /* differences printed */
    unsigned oracle_deaths, max_oracle_deaths; /* cases that QEMU does not survive; they are left out */
};

/* One batch: cases `first` to `first` + n - 1 of a seed, each run twice: the second time, when its code is translated and linked, with
 * another state. 0: all agree; 1: they do not, which has been printed; -1: the target died; -2: the oracle failed, or died of more
 * cases than allowed, or memory was short. */
int drive_batch(struct drive *d, uint64_t seed, unsigned first, unsigned n);

/* Does the comparison see anything? 0: so it does. */
int drive_self_check(struct drive *d, uint64_t seed, unsigned n);

/* Branches to misaligned A32 addresses with interrupts before the fetch. 0: they abort as without. */
int drive_misaligned_check(struct drive *d, uint64_t seed, unsigned n);

#endif
