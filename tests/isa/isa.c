/*
 * isa.c: the instruction oracle. Random cases from the decode tables run under qemu-arm and on the machine under test; every difference in
 * a register, a flag, a byte of memory or a fault is reduced to the unit that makes it and printed.
 *
 * Reproducible: the same --seed gives the same cases; every report names the seed and case that `--seed S --case N` runs again.
 */
#include "report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct paths paths = {.timeout = 120, .max_reports = 200};
static struct gen_options options = {.table = -1, .units = 16, .faults = true};
static struct gen gen;
static uint64_t *row_runs, *row_differences, *row_undefined;
static uint64_t total_cases, total_insns, total_different, total_interrupts, kinds[8];
static unsigned detailed_reports, max_detailed = 12;

static int run_both(struct batch *b, const struct piece *pieces, unsigned n, uint64_t seed)
{
    if (batch_build(b, pieces, n, seed))
        return -2;
    for (unsigned i = 0; i < n && (paths.mode & ISA_MODE_SYSTEM); i++)
        b->cases[i].in.cpsr |= 15;
    if (batch_run_oracle(b, &paths))
        return -2;
    return paths.target ? batch_run_target(b, &paths) : 0;
}

static unsigned first_report(const struct batch *b)
{
    unsigned best = 0;

    for (unsigned i = 1; i < b->n_reports; i++)
        if (b->report_case[i] < b->report_case[best])
            best = i;
    return best;
}

/* The row to blame for a unit: its last table instruction, as shown in summaries. */
static int unit_row(const struct gen_case *c, unsigned unit)
{
    int row = -1;

    for (unsigned i = c->unit[unit].first; i < c->unit[unit].first + c->unit[unit].count; i++)
        if (c->insn[i].row >= 0)
            row = c->insn[i].row;
    return row;
}

/* *out = c without one unit. */
static void without_unit(const struct gen_case *c, unsigned unit, struct gen_case *out)
{
    *out = *c;
    out->n = out->n_units = 0;
    for (unsigned u = 0; u < c->n_units; u++) {
        if (u == unit)
            continue;
        out->unit[out->n_units++] = (struct gen_unit){.first = (uint8_t)out->n, .count = c->unit[u].count};
        for (unsigned i = 0; i < c->unit[u].count; i++)
            out->insn[out->n++] = c->insn[c->unit[u].first + i];
    }
}

/* Drop units of *c that the difference at its end does not need. */
static void shrink(struct gen_case *c, uint64_t pattern_seed)
{
    static struct gen_case less[GEN_MAX_UNITS];

    while (c->n_units > 1) {
        struct piece pieces[GEN_MAX_UNITS];
        struct batch b;
        for (unsigned u = 0; u < c->n_units; u++) {
            without_unit(c, u, &less[u]);
            pieces[u] = (struct piece){.gen = &less[u], .units = less[u].n_units};
        }
        int rc = run_both(&b, pieces, c->n_units, pattern_seed);
        unsigned found = rc == 0 && b.n_reports ? b.report_case[first_report(&b)] : c->n_units;
        batch_free(&b);
        if (found >= c->n_units)
            break;
        *c = less[found];
    }
}

/* Reduce case `number`, which differs, and print it. */
static void explain(const struct piece *p, uint64_t seed, unsigned number, uint64_t pattern_seed)
{
    struct gen_case given = *p->gen;
    const struct gen_case *c = &given;
    struct piece pieces[GEN_MAX_UNITS + 1];
    struct batch b, one;

    if (p->state)
        given.in = *p->state;
    for (unsigned k = 0; k < c->n_units; k++)
        pieces[k] = (struct piece){.gen = c, .units = k + 1};
    int rc = run_both(&b, pieces, c->n_units, pattern_seed);
    if (rc || !b.n_reports) {
        if (!rc)
            printf("\nseed %lu case %u differs, but not when run by itself:\n", (unsigned long)seed, number);
        report_code(&gen, c, 0, c->n_units, b.cases[0].in.pc);
        batch_free(&b);
        return;
    }
    unsigned r = first_report(&b), k = b.report_case[r];
    int row = unit_row(c, k);
    if (row >= 0 && row_differences[row]++ >= 2) { /* shown already */
        batch_free(&b);
        return;
    }
    if (detailed_reports++ >= max_detailed) {
        batch_free(&b);
        return;
    }
    printf("\nseed %lu case %u: first difference in unit %u, %s\n", (unsigned long)seed, number, k,
           row >= 0 ? gen.rows[row].row->name : "?");
    pieces[0] = (struct piece){.gen = c, .first_unit = k, .units = 1, .state = k ? &b.expected[k - 1].out : &c->in};
    if (run_both(&one, pieces, 1, pattern_seed) == 0 && one.n_reports)
        report_difference(&gen, c, k, 1, &one, 0, &one.report[0]);
    else {
        struct gen_case small = *c;
        small.n_units = k + 1;
        small.n = c->unit[k].first + c->unit[k].count;
        batch_free(&one);
        shrink(&small, pattern_seed);
        pieces[0] = (struct piece){.gen = &small, .units = small.n_units};
        if (run_both(&one, pieces, 1, pattern_seed) == 0 && one.n_reports)
            report_difference(&gen, &small, 0, small.n_units, &one, 0, &one.report[0]);
        else
            report_difference(&gen, c, 0, k + 1, &b, k, &b.report[r]);
    }
    batch_free(&one);
    batch_free(&b);
}

/* The target died or hung: find a case that does it alone. */
static void explain_crash(const struct piece *all, unsigned n, uint64_t seed, unsigned number, uint64_t pattern_seed)
{
    struct piece *pieces = calloc(n, sizeof(*pieces));
    unsigned lo = 0, hi = n, batch_cases = n / 2;
    struct paths saved = paths;

    paths.timeout = 20;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        struct batch b;
        for (unsigned i = lo; i < mid; i++) {
            pieces[i - lo] = all[i];
            pieces[i - lo].same_code = 0;
        }
        int rc = run_both(&b, pieces, mid - lo, pattern_seed);
        batch_free(&b);
        if (rc == -2)
            break;
        if (rc)
            hi = mid;
        else
            lo = mid;
    }
    struct gen_case given = *all[lo].gen;
    const struct gen_case *c = &given;
    if (all[lo].state)
        given.in = *all[lo].state;
    printf("\nseed %lu case %u ends the target:\n", (unsigned long)seed, number + lo % batch_cases);
    for (unsigned k = 0; k < c->n_units; k++) {
        struct piece one = {.gen = c, .units = k + 1};
        struct batch b;
        int rc = run_both(&b, &one, 1, pattern_seed);
        uint32_t pc = b.cases[0].in.pc;
        batch_free(&b);
        if (rc) {
            report_code(&gen, c, 0, k + 1, pc);
            break;
        }
    }
    fflush(stdout);
    paths = saved;
    free(pieces);
}

/* The row of the instruction at byte `off` of a case, or -1. */
static int row_at(const struct gen_case *c, uint32_t off)
{
    for (unsigned i = 0, at = 0; i < c->n; at += c->insn[i++].size)
        if (at == off)
            return c->insn[i].row;
    return -1;
}

static void count(const struct gen_case *c, const struct isa_case *ic, const struct isa_result *r)
{
    kinds[r->kind & 7]++;
    total_cases++;
    if (r->kind == ISA_UNDEF) {
        int row = row_at(c, r->out.pc - ic->in.pc);
        if (row >= 0)
            row_undefined[row]++;
    }
    if (r->kind != ISA_END)
        return;
    total_insns += c->n;
    for (unsigned i = 0; i < c->n; i++)
        if (c->insn[i].row >= 0 && c->insn[i].counted)
            row_runs[c->insn[i].row]++;
}

/* One batch: n cases from `first` on. Each runs twice, the second time, when its code is translated and linked, with another state. 0: all
 * agree. */
static int one_batch(uint64_t seed, unsigned first, unsigned n)
{
    struct gen_case *cases = calloc(n, sizeof(*cases));
    struct isa_state *states = calloc(n, sizeof(*states));
    struct piece *pieces = calloc(2 * n, sizeof(*pieces));
    uint64_t pattern_seed = seed * 977 + first / 4096;
    struct batch b;

    for (unsigned i = 0; i < n; i++) {
        gen_make(&gen, &options, seed, first + i, &cases[i]);
        gen_state(&cases[i], seed, first + i, &states[i]);
        pieces[i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units};
        pieces[n + i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units, .state = &states[i], .same_code = (int)n};
    }
    int rc = run_both(&b, pieces, 2 * n, pattern_seed);
    if (rc == -1)
        explain_crash(pieces, 2 * n, seed, first, pattern_seed);
    for (unsigned i = 0; rc != -2 && i < 2 * n; i++)
        count(&cases[i % n], &b.cases[i], &b.expected[i]);
    total_different += b.n_different;
    total_interrupts += b.n_interrupts;
    for (unsigned i = 0; rc == 0 && i < b.n_reports && detailed_reports < max_detailed; i++)
        if (b.report_case[i] < 2 * n)
            explain(&pieces[b.report_case[i]], seed, first + b.report_case[i] % n, pattern_seed);
    if (rc == 0 && b.n_different)
        rc = 1;
    batch_free(&b);
    free(cases);
    free(states);
    free(pieces);
    return rc;
}

/* Does the comparison see anything? Every eighth case starts on the target, and only there, with one bit of a register, a flag or a vector
 * register changed: most of those must be reported (an instruction may overwrite the register), and no other. 0: so it is. */
static int self_check(uint64_t seed, unsigned n)
{
    struct gen_case *cases = calloc(n, sizeof(*cases));
    struct piece *pieces = calloc(n, sizeof(*pieces));
    unsigned changed = 0, wrong = 0;
    struct batch b;

    paths.max_reports = n;
    for (unsigned i = 0; i < n; i++) {
        gen_make(&gen, &options, seed, i, &cases[i]);
        pieces[i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units};
    }
    if (batch_build(&b, pieces, n, seed) || batch_run_oracle(&b, &paths))
        return 1;
    for (unsigned i = 0; i < n; i += 8, changed++) {
        struct isa_state *s = &b.cases[i].in;
        unsigned bit = i / 8 % 32;
        switch (i / 8 % 4) {
        case 0:
            s->r[i % 15] ^= 1u << bit;
            break;
        case 1:
            s->d[i % 32] ^= 1ull << bit;
            break;
        case 2:
            s->cpsr ^= 1u << 27;
            break; /* Q */
        default:
            s->fpscr ^= 1u << 4;
            break; /* IXC */
        }
    }
    int rc = batch_run_target(&b, &paths);
    for (unsigned i = 0; i < b.n_reports; i++)
        wrong += b.report_case[i] % 8 != 0;
    printf("self check: %u of %u changed cases are seen, %u others\n", b.n_different - wrong, changed, wrong);
    if (rc == 0 && (wrong || b.n_different * 10 < changed * 6 || b.n_different > changed || b.n_reports != b.n_different))
        rc = 1;
    batch_free(&b);
    free(cases);
    free(pieces);
    return rc ? 1 : 0;
}

static const char *const table_names[] = {"a32", "t16", "t32", "vfp", "neon"};

static int coverage(bool print)
{
    int missing = 0, required = 0;

    for (int i = 0; i < gen.n_rows; i++) {
        required += gen.rows[i].required;
        if (print)
            printf("%-5s %-34s %8lu run %8lu undefined %s\n", table_names[gen.rows[i].table], gen.rows[i].row->name,
                   (unsigned long)row_runs[i], (unsigned long)row_undefined[i], gen.rows[i].cls == GEN_SKIP ? "(not generated)" : "");
        if (gen.rows[i].required && !row_runs[i]) {
            printf("never executed: %s %s  %s\n", table_names[gen.rows[i].table], gen.rows[i].row->name, gen.rows[i].row->pattern);
            missing++;
        }
    }
    printf("coverage: %d of %d rows that change registers or memory\n", required - missing, required);
    return missing;
}

static void usage(void)
{
    printf(
        "usage: isa [--seed S] [--cases N] [--batch N] [--minutes M] [--case N] [--row NAME] [--table a32|t16|t32|vfp|neon] [--units N]\n"
        "           [--needs DEVICE] [--interrupts TICKS] [--no-faults] [--coverage] [--coverage-required] [--self-check] [--undefined] "
        "[--max-reports N] [--dir D]\n"
        "           --oracle COMMAND --bare ELF [--target COMMAND]\n"
        "or, with the bare-metal runner on both sides: --oracle-bare COMMAND [--mode BITS]: 1 system mode, 2 alignment checks, 4 private "
        "data page\n");
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"seed", 1, 0, 's'},        {"cases", 1, 0, 'c'},      {"batch", 1, 0, 'b'},
        {"minutes", 1, 0, 'm'},     {"case", 1, 0, 'C'},       {"row", 1, 0, 'r'},
        {"table", 1, 0, 't'},       {"units", 1, 0, 'u'},      {"no-faults", 0, 0, 'F'},
        {"coverage", 0, 0, 'p'},    {"oracle", 1, 0, 'o'},     {"target", 1, 0, 'T'},
        {"bare", 1, 0, 'B'},        {"dir", 1, 0, 'd'},        {"coverage-required", 0, 0, 'R'},
        {"max-reports", 1, 0, 'M'}, {"self-check", 0, 0, 'S'}, {"undefined", 0, 0, 'U'},
        {"needs", 1, 0, 'n'},       {"interrupts", 1, 0, 'I'}, {"oracle-bare", 1, 0, 'O'},
        {"mode", 1, 0, 'D'},        {"help", 0, 0, 'h'},       {0, 0, 0, 0},
    };
    uint64_t seed = 1;
    unsigned cases = 4000, batch = 2000, only = ~0u;
    double minutes = 0;
    bool print_coverage = false, need_coverage = false, check_self = false;
    char dir[] = "/tmp/isa-XXXXXX";
    int o, rc = 0;

    while ((o = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (o) {
        case 's':
            seed = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            cases = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'b':
            batch = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'm':
            minutes = strtod(optarg, NULL);
            break;
        case 'C':
            only = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'r':
            options.row = optarg;
            break;
        case 't':
            for (int i = 0; i < 5; i++)
                if (strcmp(optarg, table_names[i]) == 0)
                    options.table = i;
            break;
        case 'u':
            options.units = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'F':
            options.faults = false;
            break;
        case 'p':
            print_coverage = true;
            break;
        case 'R':
            need_coverage = true;
            break;
        case 'o':
            paths.oracle = optarg;
            break;
        case 'T':
            paths.target = optarg;
            break;
        case 'B':
            paths.bare = optarg;
            break;
        case 'd':
            paths.dir = optarg;
            break;
        case 'O':
            paths.oracle_bare = optarg;
            break;
        case 'D':
            paths.mode = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'I':
            paths.timer_ticks = (unsigned)strtoul(optarg, NULL, 0);
            options.no_exclusives = true;
            break;
        case 'n':
            if (access(optarg, R_OK | W_OK) < 0) {
                printf("skipped: %s cannot be used here\n", optarg);
                return 77;
            }
            break;
        case 'U':
            options.undefined = true;
            break;
        case 'S':
            check_self = true;
            break;
        case 'M':
            max_detailed = (unsigned)strtoul(optarg, NULL, 0);
            break;
        default:
            usage();
            return o != 'h';
        }
    }
    if (!(paths.oracle_bare || (paths.oracle && !paths.mode)) || !paths.bare || !batch || !options.units) {
        usage();
        return 1;
    }
    if (!paths.dir && !(paths.dir = mkdtemp(dir)))
        return 1;
    mkdir(paths.dir, 0777);
    if (gen_init(&gen, &options)) {
        fprintf(stderr, "isa: no row is selected, or a pattern of the tables does not compile\n");
        return 1;
    }
    row_runs = calloc((size_t)gen.n_rows, sizeof(*row_runs));
    row_undefined = calloc((size_t)gen.n_rows, sizeof(*row_undefined));
    row_differences = calloc((size_t)gen.n_rows, sizeof(*row_differences));

    time_t start = time(NULL);
    if (check_self) {
        rc = self_check(seed, cases);
    } else if (only != ~0u) {
        max_detailed = 1000;
        rc = one_batch(seed, only, 1) ? 1 : 0;
    } else {
        for (unsigned first = 0; minutes > 0 ? difftime(time(NULL), start) < minutes * 60 : first < cases; first += batch) {
            unsigned n = minutes > 0 || cases - first > batch ? batch : cases - first;
            int r = one_batch(seed, first, n);
            if (r)
                rc = 1;
            if (r == -2 || detailed_reports >= max_detailed)
                break;
        }
    }
    if (!check_self)
        printf("seed %lu: %lu cases, %lu instructions, %lu cases differ; ended by:", (unsigned long)seed, (unsigned long)total_cases,
               (unsigned long)total_insns, (unsigned long)total_different);
    for (unsigned i = 0; i < 8 && !check_self; i++)
        if (kinds[i])
            printf(" %s %lu", isa_kind_name(i), (unsigned long)kinds[i]);
    if (!check_self && paths.timer_ticks)
        printf("; %lu interrupts", (unsigned long)total_interrupts);
    if (!check_self)
        printf("; %.0f s\n", difftime(time(NULL), start));
    if (paths.timer_ticks && !total_interrupts) {
        printf("no interrupt came\n");
        rc = 1;
    }
    for (int i = 0; i < gen.n_rows; i++)
        if (row_differences[i])
            printf("differs: %s %s (%lu)\n", table_names[gen.rows[i].table], gen.rows[i].row->name, (unsigned long)row_differences[i]);
    if ((print_coverage || need_coverage) && coverage(print_coverage) && need_coverage)
        rc = 1;
    gen_free(&gen);
    if (paths.dir == dir && !rc) { /* the last batch stays where something differed */
        static const char *const names[] = {"batch", "batch.elf", "results"};
        char path[64];
        for (unsigned i = 0; i < 3; i++) {
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
            unlink(path);
        }
        rmdir(dir);
    }
    return rc;
}
