/*
 * drive.c: batches of cases on both sides; a difference is reduced to the unit that makes it, or to the fewest units, and printed.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int build(const struct drive *d, struct batch *b, const struct piece *pieces, unsigned n, uint64_t seed)
{
    if (batch_build(b, pieces, n, seed))
        return -2;
    for (unsigned i = 0; i < n && (d->paths.mode & ISA_MODE_SYSTEM); i++)
        b->cases[i].in.cpsr |= 15;
    return 0;
}

static int run_target(const struct drive *d, struct batch *b)
{
    return d->paths.target && batch_run_target(b, &d->paths) ? -1 : 0;
}

static int run_both(const struct drive *d, struct batch *b, const struct piece *pieces, unsigned n, uint64_t seed)
{
    if (build(d, b, pieces, n, seed) || batch_run_oracle(b, &d->paths))
        return -2;
    return run_target(d, b);
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
static void shrink(const struct drive *d, struct gen_case *c, uint64_t pattern_seed)
{
    static struct gen_case less[GEN_MAX_UNITS];

    while (c->n_units > 1) {
        struct piece pieces[GEN_MAX_UNITS];
        struct batch b;
        for (unsigned u = 0; u < c->n_units; u++) {
            without_unit(c, u, &less[u]);
            pieces[u] = (struct piece){.gen = &less[u], .units = less[u].n_units};
        }
        int rc = run_both(d, &b, pieces, c->n_units, pattern_seed);
        unsigned found = rc == 0 && b.n_reports ? b.report_case[first_report(&b)] : c->n_units;
        batch_free(&b);
        if (found >= c->n_units)
            break;
        *c = less[found];
    }
}

/* Reduce case `number`, which differs, and print it. */
static void explain(struct drive *d, const struct piece *p, const struct batch *whole, unsigned report, uint64_t seed, unsigned number,
                    uint64_t pattern_seed)
{
    struct gen_case given = *p->gen;
    const struct gen_case *c = &given;
    struct piece pieces[GEN_MAX_UNITS + 1];
    struct batch b, one;

    if (p->state)
        given.in = *p->state;
    for (unsigned k = 0; k < c->n_units; k++)
        pieces[k] = (struct piece){.gen = c, .units = k + 1};
    int rc = run_both(d, &b, pieces, c->n_units, pattern_seed);
    if (rc || !b.n_reports) {
        if (!rc)
            printf("\nseed %lu case %u differs, but not when run by itself:\n", (unsigned long)seed, number);
        d->detailed++;
        report_difference(&d->gen, c, 0, c->n_units, whole, whole->report_case[report], &whole->report[report]);
        batch_free(&b);
        return;
    }
    unsigned r = first_report(&b), k = b.report_case[r];
    int row = unit_row(c, k);
    if (row >= 0 && d->coverage.differences[row]++ >= 2) { /* shown already */
        batch_free(&b);
        return;
    }
    if (d->detailed++ >= d->max_detailed) {
        batch_free(&b);
        return;
    }
    printf("\nseed %lu case %u: first difference in unit %u, %s\n", (unsigned long)seed, number, k,
           row >= 0 ? d->gen.rows[row].row->name : "?");
    pieces[0] = (struct piece){.gen = c,
                               .first_unit = k,
                               .units = 1,
                               .state = k ? &b.expected[k - 1].out : &c->in,
                               .banked = k ? &b.expected[k - 1].banked : NULL};
    if (run_both(d, &one, pieces, 1, pattern_seed) == 0 && one.n_reports)
        report_difference(&d->gen, c, k, 1, &one, 0, &one.report[0]);
    else {
        struct gen_case small = *c;
        small.n_units = k + 1;
        small.n = c->unit[k].first + c->unit[k].count;
        batch_free(&one);
        shrink(d, &small, pattern_seed);
        pieces[0] = (struct piece){.gen = &small, .units = small.n_units};
        if (run_both(d, &one, pieces, 1, pattern_seed) == 0 && one.n_reports)
            report_difference(&d->gen, &small, 0, small.n_units, &one, 0, &one.report[0]);
        else
            report_difference(&d->gen, c, 0, k + 1, &b, k, &b.report[r]);
    }
    batch_free(&one);
    batch_free(&b);
}

/* Case k of the batch, of `number`, ends the oracle. */
static void oracle_death(struct drive *d, struct batch *b, unsigned k, const struct gen_case *c, uint64_t seed, unsigned number)
{
    unsigned half = b->n / 2;

    if (!b->left_out[k % half] && !b->left_out[k % half + half]) { /* its other state has not been the first to */
        d->oracle_deaths++;
        printf("\nseed %lu case %u ends the oracle, and is left out:\n", (unsigned long)seed, number);
        report_code(&d->gen, c, 0, c->n_units, b->cases[k].in.pc);
        fflush(stdout);
    }
    batch_leave_out(b, k);
}

/* The oracle died of the batch. Get the results of `n` cases from `from` on in pieces, halved until a case that it dies of stands alone and
 * is left out. The code stays where it is, so what QEMU translates is the same. 0, or -2. */
static int run_oracle_by_halves(struct drive *d, struct batch *b, unsigned from, unsigned n, const struct gen_case *cases, uint64_t seed,
                                unsigned first)
{
    struct paths paths = d->paths;
    unsigned found = 0;
    struct batch part;

    if (d->oracle_deaths > d->max_oracle_deaths || batch_part(b, from, n, &part))
        return -2;
    paths.quiet = true;
    int rc = batch_run_oracle(&part, &paths);
    if (!rc)
        memcpy(b->expected + from, part.expected, n * sizeof(*part.expected));
    batch_free(&part);
    if (rc != BATCH_DIED)
        return rc ? -2 : 0;
    if (n == 1) {
        unsigned number = from % (b->n / 2);
        if (b->left_out[from])
            return -2;
        oracle_death(d, b, from, &cases[number], seed, first + number);
        return run_oracle_by_halves(d, b, from, 1, cases, seed, first);
    }
    if (run_oracle_by_halves(d, b, from, n / 2, cases, seed, first) ||
        run_oracle_by_halves(d, b, from + n / 2, n - n / 2, cases, seed, first))
        return -2;
    for (unsigned i = from; i < from + n; i++)
        found += b->left_out[i];
    if (!found) {
        d->oracle_deaths++;
        printf("\nseed %lu: the oracle died in cases %u to %u, but in no half of them\n", (unsigned long)seed, first + from % (b->n / 2),
               first + (from + n - 1) % (b->n / 2));
    }
    return 0;
}

/* The target died or hung: find a case that does it alone. */
static void explain_crash(struct drive *d, const struct batch *all, const struct piece *pieces, uint64_t seed, unsigned number,
                          uint64_t pattern_seed)
{
    unsigned lo = 0, hi = all->n;
    struct paths saved = d->paths;

    d->paths.timeout = 20;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        struct batch part;
        if (batch_part(all, lo, mid - lo, &part))
            break;
        if (run_target(d, &part))
            hi = mid;
        else
            lo = mid;
        batch_free(&part);
    }
    struct gen_case given = *pieces[lo].gen;
    const struct gen_case *c = &given;
    if (pieces[lo].state)
        given.in = *pieces[lo].state;
    printf("\nseed %lu case %u ends the target:\n", (unsigned long)seed, number + lo % (all->n / 2));
    for (unsigned k = 0; k < c->n_units; k++) {
        struct piece one = {.gen = c, .units = k + 1};
        struct batch b;
        int rc = run_both(d, &b, &one, 1, pattern_seed);
        uint32_t pc = b.cases[0].in.pc;
        batch_free(&b);
        if (rc || k + 1 == c->n_units) {
            report_code(&d->gen, c, 0, k + 1, pc);
            break;
        }
    }
    fflush(stdout);
    d->paths = saved;
}

/* A case that one side only took for an endless loop: the machine may have been too busy for it. That side gets it again, by itself and for
 * so long (seven seconds of the guest's clock) that what does not end then is endless. */
static bool same_loop(struct batch *one, struct isa_result *r, struct isa_result *want, const struct paths *paths)
{
    if (r->kind == ISA_LOOP) {
        if (batch_run_target(one, paths))
            return false;
        if (one->n_reports)
            *r = one->report[0];
        return !one->n_different;
    }
    if (batch_run_oracle(one, paths))
        return false;
    *want = one->expected[0];
    return isa_same(&one->cases[0], r, want);
}

/* Drop the reports that are the watchdog's doing. */
static void settle_watchdog(struct drive *d, struct batch *b)
{
    struct paths paths = d->paths;
    unsigned kept = 0;

    paths.patient = true;
    for (unsigned i = 0; i < b->n_reports; i++) {
        unsigned k = b->report_case[i];
        struct isa_result *r = &b->report[i], *want = &b->expected[k];
        bool loop = k < b->n && (r->kind == ISA_LOOP) != (want->kind == ISA_LOOP);
        bool same = false;
        struct batch one;
        if (loop) {
            same = !batch_part(b, k, 1, &one) && same_loop(&one, r, want, &paths);
            batch_free(&one);
        }
        if (same) {
            d->settled_loops++;
            b->n_different--;
            continue;
        }
        b->report[kept] = *r;
        b->report_case[kept++] = k;
    }
    b->n_reports = kept;
}

/* Cases of --anything: to raise Undefined is right whatever the oracle does. Drops those reports. */
static void accept_undefined(struct drive *d, const struct gen_case *cases, unsigned n, struct batch *b)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < b->n_reports; i++) {
        unsigned k = b->report_case[i];
        const struct isa_result *r = &b->report[i];
        if (r->kind == ISA_UNDEF && r->out.pc == (b->cases[k].in.pc & ~1u)) {
            d->coverage.refused[cases[k % n].insn[0].row]++;
            continue;
        }
        b->report[kept] = *r;
        b->report_case[kept++] = k;
    }
    b->n_reports = b->n_different = kept;
}

int drive_batch(struct drive *d, uint64_t seed, unsigned first, unsigned n)
{
    struct gen_case *cases = calloc(n, sizeof(*cases));
    struct isa_state *states = calloc(n, sizeof(*states));
    struct piece *pieces = calloc(2 * n, sizeof(*pieces));
    uint64_t pattern_seed = seed * 977 + first / 4096;
    struct batch b;

    if (d->options.anything)
        d->paths.max_reports = 2 * n;
    for (unsigned i = 0; i < n; i++) {
        gen_make(&d->gen, &d->options, seed, first + i, &cases[i]);
        gen_state(&cases[i], seed, first + i, &states[i]);
        pieces[i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units};
        pieces[n + i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units, .state = &states[i], .same_code = (int)n};
    }
    int rc = build(d, &b, pieces, 2 * n, pattern_seed);
    if (!rc) {
        rc = batch_run_oracle(&b, &d->paths);
        if (rc == BATCH_DIED)
            rc = run_oracle_by_halves(d, &b, 0, 2 * n, cases, seed, first);
        rc = rc ? -2 : run_target(d, &b);
    }
    if (rc == -1)
        explain_crash(d, &b, pieces, seed, first, pattern_seed);
    for (unsigned i = 0; rc != -2 && i < 2 * n; i++)
        if (!b.left_out[i])
            coverage_count(&d->coverage, &d->gen, &cases[i % n], &b.cases[i], &b.expected[i]);
    if (rc == 0 && d->paths.watchdog)
        settle_watchdog(d, &b);
    if (d->options.anything)
        accept_undefined(d, cases, n, &b);
    d->different += b.n_different;
    d->interrupts += b.n_interrupts;
    for (unsigned i = 0; rc == 0 && i < b.n_reports && d->detailed < d->max_detailed; i++)
        if (b.report_case[i] < 2 * n)
            explain(d, &pieces[b.report_case[i]], &b, i, seed, first + b.report_case[i] % n, pattern_seed);
    if (rc == 0 && b.n_different)
        rc = 1;
    batch_free(&b);
    free(cases);
    free(states);
    free(pieces);
    return rc;
}

/* Does the comparison see anything? Every eighth case starts on the target, and only there, with one bit of a register, a flag or a vector
 * register changed: most of those must be reported (an instruction may overwrite the register). One case is endless there: it must be
 * reported as that. And no other. 0: so it is. */
int drive_self_check(struct drive *d, uint64_t seed, unsigned n)
{
    struct gen_case *cases = calloc(n, sizeof(*cases));
    struct piece *pieces = calloc(n, sizeof(*pieces));
    const unsigned endless = 4;
    unsigned changed = 0, wrong = 0;
    bool loop_seen = false;
    struct batch b;

    d->paths.max_reports = n;
    for (unsigned i = 0; i < n; i++) {
        gen_make(&d->gen, &d->options, seed, i, &cases[i]);
        pieces[i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units};
    }
    if (batch_build(&b, pieces, n, seed) || batch_run_oracle(&b, &d->paths))
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
    if (n > endless) {
        static const uint32_t branch[2] = {0xeafffffe, 0xe7fe}; /* to itself */
        bool thumb = cases[endless].thumb;
        memcpy(b.code + (b.cases[endless].in.pc - ISA_CODE_BASE), &branch[thumb], thumb ? 2 : 4);
    }
    int rc = batch_run_target(&b, &d->paths);
    if (rc == 0)
        settle_watchdog(d, &b);
    for (unsigned i = 0; i < b.n_reports; i++) {
        if (b.report_case[i] == endless && b.report[i].kind == ISA_LOOP)
            loop_seen = true;
        else
            wrong += b.report_case[i] % 8 != 0;
    }
    unsigned seen = b.n_different - wrong - loop_seen;
    printf("self check: %u of %u changed cases are seen, the endless one is%s, %u others\n", seen, changed, loop_seen ? "" : " not", wrong);
    if (rc == 0 && (wrong || (n > endless && !loop_seen) || seen * 10 < changed * 6 || seen > changed || b.n_reports != b.n_different))
        rc = 1;
    batch_free(&b);
    free(cases);
    free(pieces);
    return rc ? 1 : 0;
}

/* n cases of which those in A32 state branch to an address that is no multiple of four. interrupted: counts the ones that an interrupt came
 * to between the branch and the fetch. 0: all agree. */
static int misaligned_batch(struct drive *d, uint64_t seed, unsigned n, unsigned *interrupted)
{
    static const uint32_t bx_r0 = 0xe12fff10;
    struct gen_case *cases = calloc(n, sizeof(*cases));
    struct piece *pieces = calloc(n, sizeof(*pieces));
    unsigned a32 = 0;
    struct batch b;

    for (unsigned i = 0; i < n; i++) {
        gen_make(&d->gen, &d->options, seed, i, &cases[i]);
        pieces[i] = (struct piece){.gen = &cases[i], .units = cases[i].n_units};
    }
    int rc = batch_build(&b, pieces, n, seed);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        struct isa_case *c = &b.cases[i];
        if (c->in.cpsr & 0x20)
            continue;
        memcpy(b.code + (c->in.pc - ISA_CODE_BASE), &bx_r0, 4);
        c->in.r[0] = (c->end & ~3u) + 2;
        a32++;
    }
    if (rc == 0)
        rc = batch_run_oracle(&b, &d->paths) || batch_run_target(&b, &d->paths) ? -1 : 0;
    if (rc == 0) {
        printf("misaligned fetches: %u, before %u of them an interrupt, %u differ\n", a32, b.n_misaligned, b.n_different);
        *interrupted += b.n_misaligned;
        rc = b.n_different != 0;
    }
    batch_free(&b);
    free(cases);
    free(pieces);
    return rc;
}

/* A branch to a misaligned A32 address aborts at the fetch, and the address is there to be seen with its low bits, whether an interrupt
 * comes in between or not. Batches until some did. 0: all agree, and some did. */
int drive_misaligned_check(struct drive *d, uint64_t seed, unsigned n)
{
    unsigned interrupted = 0;
    int rc = 0;

    for (unsigned k = 0; rc == 0 && !interrupted && k < 10; k++)
        rc = misaligned_batch(d, seed + k, n, &interrupted);
    return rc || !interrupted;
}
