/*
 * isa.c: the instruction oracle. Random cases from the decode tables run under QEMU and on the machine under test; every difference in a
 * register, a flag, a byte of memory or a fault is reduced to what makes it and printed.
 *
 * Reproducible: the same --seed gives the same cases; every report names the seed and case that `--seed S --case N` runs again. --set runs
 * all kinds of cases under fixed seeds and asks that every row of the tables was executed.
 */
#define _GNU_SOURCE
#include "drive.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

#define SET_INSNS     20000000u /* user-mode instructions of a set */
#define MACHINE_BATCH 1000u     /* cases of a batch on a whole machine */
#define SET_LEAST     1000u     /* executions of each row */

struct settings {
    uint64_t seed;
    unsigned first, cases, batch, only, set;
    uint64_t insns, least;
    double minutes;
    bool print_coverage, need_coverage, self_check, misaligned_check;
    time_t start;
};

static void usage(void)
{
    printf(
        "usage: isa [--seed S] [--first N] [--cases N] [--batch N] [--minutes M] [--case N] [--row NAME] [--table a32|t16|t32|vfp|neon] "
        "[--units N]\n"
        "           [--needs DEVICE] [--interrupts TICKS] [--no-faults] [--coverage] [--coverage-required] [--self-check] [--misaligned-check] [--undefined]\n"
        "           [--max-reports N] [--dir D] --oracle COMMAND --bare ELF [--target COMMAND]\n"
        "or, with the bare-metal runner on both sides: --oracle-bare COMMAND\n"
        "           [--mode BITS]: 1 system mode, 2 alignment checks, 4 private data page\n"
        "           [--system [--banked-access]]: cases in all modes; banked MRS and MSR need an oracle with virtualization=on\n"
        "           [--anything]: one instruction with any operands a case; Undefined is always right\n"
        "or a fixed set of all kinds: --set 1|2|3 [--insns N] [--least N] --oracle COMMAND --oracle-bare COMMAND\n");
}

/* Cases until the limit. 0: all agree. */
static int run_phase(struct drive *d, const struct settings *s, unsigned cases, uint64_t insns)
{
    int rc = 0;

    for (unsigned first = s->first;; first += s->batch) {
        unsigned n = s->batch;
        if (s->minutes > 0 ? difftime(time(NULL), s->start) >= s->minutes * 60
            : insns        ? d->coverage.insns >= insns
                           : first - s->first >= cases)
            break;
        if (!insns && s->minutes <= 0 && cases - (first - s->first) < n)
            n = cases - (first - s->first);
        int r = drive_batch(d, s->seed, first, n);
        if (r)
            rc = 1;
        if (r == -2 || d->detailed >= d->max_detailed)
            break;
    }
    return d->oracle_deaths > d->max_oracle_deaths ? 1 : rc;
}

static void summary(const struct drive *d, const struct settings *s)
{
    printf("seed %lu: %lu cases, %lu instructions, %lu cases differ; ended by:", (unsigned long)s->seed, (unsigned long)d->coverage.cases,
           (unsigned long)d->coverage.insns, (unsigned long)d->different);
    for (unsigned i = 0; i < ISA_KINDS; i++)
        if (d->coverage.kinds[i])
            printf(" %s %lu", isa_kind_name(i), (unsigned long)d->coverage.kinds[i]);
    if (d->paths.timer_ticks)
        printf("; %lu interrupts", (unsigned long)d->interrupts);
    if (d->settled_loops)
        printf("; endless only beside others: %lu", (unsigned long)d->settled_loops);
    if (d->oracle_deaths)
        printf("; the oracle died of %u (at most %u are left out)", d->oracle_deaths, d->max_oracle_deaths);
    printf("; %.0f s\n", difftime(time(NULL), s->start));
    for (int i = 0; i < d->gen.n_rows; i++)
        if (d->coverage.differences[i])
            printf("differs: %s %s (%lu)\n", isa_table_names[d->gen.rows[i].table], d->gen.rows[i].row->name,
                   (unsigned long)d->coverage.differences[i]);
    fflush(stdout);
}

/* A fixed set: user-mode instructions up to a count, then what needs a whole machine, so much of each that every row comes up. */
static int run_set(struct drive *d, struct settings *s)
{
    static const struct {
        const char *name;
        unsigned cases, mode; /* cases at full size */
        bool undefined, system, banked, anything;
    } phases[] = {
        {"user", 0, 0, false, false, false, false},
        {"undefined", 100000, 0, true, false, false, false},
        {"unprivileged accesses", 4000, ISA_MODE_SYSTEM | ISA_MODE_PRIVATE, false, false, false, false},
        {"alignment checks", 4000, ISA_MODE_ALIGN, false, false, false, false},
        {"system", 60000, ISA_MODE_BANKED, false, true, false, false},
        {"banked registers", 20000, ISA_MODE_BANKED, false, true, true, false},
        {"anything", 100000, 0, false, false, false, true},
    };
    const struct paths paths = d->paths;
    const struct gen_options options = d->options;
    uint64_t user_insns = 0;
    unsigned batch = s->batch;
    char *hyp = NULL;
    int rc = 0;

    if (asprintf(&hyp, "%s -machine virtualization=on", paths.oracle_bare) < 0)
        abort();
    for (unsigned k = 0; k < sizeof(phases) / sizeof(phases[0]) && d->detailed < d->max_detailed; k++) {
        unsigned cases = (unsigned)((uint64_t)phases[k].cases * s->insns / SET_INSNS);
        d->paths = paths;
        d->options = options;
        d->options.undefined = phases[k].undefined;
        d->options.system = phases[k].system;
        d->options.banked_access = phases[k].banked;
        d->options.anything = phases[k].anything;
        d->paths.mode = phases[k].mode;
        d->paths.watchdog = phases[k].anything;
        d->paths.oracle_bare = k < 2 ? NULL : phases[k].banked ? hyp : paths.oracle_bare;
        s->seed = s->set * 1000 + k;
        s->batch = k < 2 ? batch : MACHINE_BATCH;
        gen_free(&d->gen);
        if (gen_init(&d->gen, &d->options))
            abort();
        if (cases % MACHINE_BATCH && k >= 2)
            cases += MACHINE_BATCH - cases % MACHINE_BATCH;
        rc |= run_phase(d, s, cases, k ? 0 : s->insns);
        if (k == 0)
            user_insns = d->coverage.insns;
        printf("%s: ", phases[k].name);
        summary(d, s);
    }
    free(hyp);
    if (coverage_report(&d->coverage, &d->gen, s->least, s->print_coverage, true))
        rc = 1;
    printf("set %u: %lu instructions in user mode, %lu cases differ: %s\n", s->set, (unsigned long)user_insns, (unsigned long)d->different,
           rc ? "FAILED" : "passed");
    return rc;
}

static int run(struct drive *d, struct settings *s)
{
    int rc;

    if (s->set)
        return run_set(d, s);
    if (s->self_check)
        return drive_self_check(d, s->seed, s->cases);
    if (s->misaligned_check)
        return drive_misaligned_check(d, s->seed, s->cases);
    if (s->only != ~0u) {
        d->max_detailed = 1000;
        rc = drive_batch(d, s->seed, s->only, 1) ? 1 : 0;
    } else {
        rc = run_phase(d, s, s->cases, s->insns);
    }
    summary(d, s);
    if (d->paths.timer_ticks && !d->interrupts) {
        printf("no interrupt came\n");
        rc = 1;
    }
    if ((s->print_coverage || s->need_coverage) && coverage_report(&d->coverage, &d->gen, s->least, s->print_coverage, false) &&
        s->need_coverage)
        rc = 1;
    for (int i = 0; d->options.anything && s->print_coverage && i < d->gen.n_rows; i++)
        if (d->coverage.refused[i])
            printf("undefined here only: %s %s (%lu)\n", isa_table_names[d->gen.rows[i].table], d->gen.rows[i].row->name,
                   (unsigned long)d->coverage.refused[i]);
    return rc;
}

static void remove_scratch(const char *dir)
{
    static const char *const names[] = {"batch", "batch.elf", "results", "ram"};
    char path[64];

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"seed", 1, 0, 's'},
        {"cases", 1, 0, 'c'},
        {"batch", 1, 0, 'b'},
        {"minutes", 1, 0, 'm'},
        {"case", 1, 0, 'C'},
        {"row", 1, 0, 'r'},
        {"table", 1, 0, 't'},
        {"units", 1, 0, 'u'},
        {"no-faults", 0, 0, 'F'},
        {"coverage", 0, 0, 'p'},
        {"oracle", 1, 0, 'o'},
        {"target", 1, 0, 'T'},
        {"bare", 1, 0, 'B'},
        {"dir", 1, 0, 'd'},
        {"coverage-required", 0, 0, 'R'},
        {"max-reports", 1, 0, 'M'},
        {"self-check", 0, 0, 'S'},
        {"misaligned-check", 0, 0, 'A'},
        {"undefined", 0, 0, 'U'},
        {"needs", 1, 0, 'n'},
        {"interrupts", 1, 0, 'I'},
        {"oracle-bare", 1, 0, 'O'},
        {"mode", 1, 0, 'D'},
        {"system", 0, 0, 'y'},
        {"banked-access", 0, 0, 'k'},
        {"anything", 0, 0, 'a'},
        {"set", 1, 0, 'e'},
        {"insns", 1, 0, 'N'},
        {"least", 1, 0, 'l'},
        {"first", 1, 0, 'f'},
        {"help", 0, 0, 'h'},
        {0, 0, 0, 0},
    };
    struct settings s = {.seed = 1, .cases = 4000, .batch = 2000, .only = ~0u, .least = 1, .start = time(NULL)};
    struct drive d = {.paths = {.timeout = 120, .max_reports = 200},
                      .options = {.table = -1, .units = 16, .faults = true},
                      .max_detailed = 12,
                      .max_oracle_deaths = 8};
    char dir[] = "/tmp/isa-XXXXXX";
    int o, rc = 0;

    while ((o = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (o) {
        case 's':
            s.seed = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            s.cases = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'f':
            s.first = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'b':
            s.batch = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'm':
            s.minutes = strtod(optarg, NULL);
            break;
        case 'C':
            s.only = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'e':
            s.set = (unsigned)strtoul(optarg, NULL, 0);
            s.batch = 10000;
            s.least = SET_LEAST;
            s.insns = SET_INSNS;
            break;
        case 'N':
            s.insns = strtoull(optarg, NULL, 0);
            break;
        case 'l':
            s.least = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            d.options.row = optarg;
            break;
        case 't':
            for (int i = 0; i < 5; i++)
                if (strcmp(optarg, isa_table_names[i]) == 0)
                    d.options.table = i;
            break;
        case 'u':
            d.options.units = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'F':
            d.options.faults = false;
            break;
        case 'p':
            s.print_coverage = true;
            break;
        case 'R':
            s.need_coverage = true;
            break;
        case 'o':
            d.paths.oracle = optarg;
            break;
        case 'T':
            d.paths.target = optarg;
            break;
        case 'B':
            d.paths.bare = optarg;
            break;
        case 'd':
            d.paths.dir = optarg;
            break;
        case 'O':
            d.paths.oracle_bare = optarg;
            break;
        case 'D':
            d.paths.mode |= (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'I':
            d.paths.timer_ticks = (unsigned)strtoul(optarg, NULL, 0);
            d.options.no_exclusives = true;
            break;
        case 'n':
            if (access(optarg, R_OK | W_OK) < 0) {
                printf("skipped: %s cannot be used here\n", optarg);
                return 77;
            }
            break;
        case 'U':
            d.options.undefined = true;
            break;
        case 'y':
            d.options.system = true;
            d.paths.mode |= ISA_MODE_BANKED;
            break;
        case 'k':
            d.options.banked_access = true;
            break;
        case 'a':
            d.options.anything = true;
            d.paths.watchdog = true;
            break;
        case 'S':
            s.self_check = true;
            d.paths.watchdog = true;
            d.options.no_exclusives = true; /* its interrupts clear the monitor */
            break;
        case 'A':
            s.misaligned_check = true;
            break;
        case 'M':
            d.max_detailed = (unsigned)strtoul(optarg, NULL, 0);
            break;
        default:
            usage();
            return o != 'h';
        }
    }
    if (!(d.paths.oracle_bare || (d.paths.oracle && !d.paths.mode)) || !d.paths.bare || !s.batch || !d.options.units ||
        (s.set && (!d.paths.oracle || !d.paths.oracle_bare || !s.insns))) {
        usage();
        return 1;
    }
    if (!d.paths.dir && !(d.paths.dir = mkdtemp(dir)))
        return 1;
    mkdir(d.paths.dir, 0777);
    if (gen_init(&d.gen, &d.options) || coverage_init(&d.coverage, d.gen.n_rows)) {
        fprintf(stderr, "isa: no row is selected, or a pattern of the tables does not compile\n");
        return 1;
    }
    rc = run(&d, &s);
    coverage_free(&d.coverage);
    gen_free(&d.gen);
    if (d.paths.dir == dir && !rc) /* the last batch stays where something differed */
        remove_scratch(dir);
    return rc;
}
