/*
 * coverage.c: counting executions by row.
 */
#include "coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const isa_table_names[ARM_TABLE_COUNT] = {"a32", "t16", "t32", "vfp", "neon"};

int coverage_init(struct coverage *v, int n_rows)
{
    memset(v, 0, sizeof(*v));
    v->n_rows = n_rows;
    v->runs = calloc((size_t)n_rows, sizeof(*v->runs));
    v->undefined = calloc((size_t)n_rows, sizeof(*v->undefined));
    v->differences = calloc((size_t)n_rows, sizeof(*v->differences));
    v->refused = calloc((size_t)n_rows, sizeof(*v->refused));
    return v->refused && v->runs && v->undefined && v->differences ? 0 : -1;
}

void coverage_free(struct coverage *v)
{
    free(v->runs);
    free(v->undefined);
    free(v->refused);
    free(v->differences);
}

/* The row of the instruction at byte `off` of a case, or -1. */
static int row_at(const struct gen_case *c, uint32_t off)
{
    for (unsigned i = 0, at = 0; i < c->n; at += c->insn[i++].size)
        if (at == off)
            return c->insn[i].row;
    return -1;
}

static bool is_fp(const struct gen *g, int row)
{
    return row >= 0 && g->rows[row].table >= ARM_TABLE_VFP;
}

void coverage_count(struct coverage *v, const struct gen *g, const struct gen_case *c, const struct isa_case *ic,
                    const struct isa_result *r)
{
    static const uint8_t flag_bits[] = {0, 1, 2, 3, 4, 7};
    int row = row_at(c, r->out.pc - (ic->in.pc & ~1u));

    v->kinds[r->kind < ISA_KINDS ? r->kind : ISA_NONE]++;
    v->cases++;
    if (row >= 0 && r->kind == ISA_UNDEF) {
        v->undefined[row]++;
        if (g->rows[row].row->flags & (ROW_UNDEF | ROW_SYSTEM))
            v->runs[row]++;
    }
    if (row >= 0 && (r->kind == ISA_SVC || r->kind == ISA_TRAP))
        v->runs[row]++;
    if (r->kind != ISA_END)
        return;
    v->insns += c->n;
    unsigned fp = 0;
    for (unsigned i = 0; i < c->n; i++)
        if (c->insn[i].row >= 0 && c->insn[i].counted) {
            v->runs[c->insn[i].row]++;
            fp += is_fp(g, c->insn[i].row);
        }
    v->modes[ic->in.fpscr >> 22 & 3][ic->in.fpscr >> 24 & 1][ic->in.fpscr >> 25 & 1] += fp;
    for (unsigned i = 0; i < 6; i++)
        v->raised[i] += (r->out.fpscr & ~ic->in.fpscr) >> flag_bits[i] & 1;
}

unsigned coverage_report(const struct coverage *v, const struct gen *g, uint64_t least, bool print, bool all)
{
    static const char *const roundings[] = {"nearest", "plus infinity", "minus infinity", "zero"};
    static const char *const flags[] = {"IOC", "DZC", "OFC", "UFC", "IXC", "IDC"};
    unsigned missing = 0, asked = 0;

    for (int i = 0; i < v->n_rows; i++) {
        const struct gen_row *r = &g->rows[i];
        bool needed = all || r->required;
        asked += needed;
        missing += needed && v->runs[i] < least;
        if (print || (needed && v->runs[i] < least))
            printf("%-5s %-34s %9lu run %8lu undefined%s  %s\n", isa_table_names[r->table], r->row->name, (unsigned long)v->runs[i],
                   (unsigned long)v->undefined[i], needed && v->runs[i] < least ? " TOO FEW" : "", r->row->pattern);
    }
    printf("coverage: %u of %u rows executed at least %lu times\n", asked - missing, asked, (unsigned long)least);
    if (!all)
        return missing;
    for (unsigned m = 0; m < 16; m++) {
        uint64_t n = v->modes[m & 3][m >> 2 & 1][m >> 3];
        printf("floating point, to %s%s%s: %lu\n", roundings[m & 3], m & 4 ? ", flush to zero" : "", m & 8 ? ", default NaN" : "",
               (unsigned long)n);
        missing += n < least;
    }
    for (unsigned i = 0; i < 6; i++) {
        printf("%s%s raised %lu", i ? ", " : "", flags[i], (unsigned long)v->raised[i]);
        missing += v->raised[i] < least;
    }
    printf("\n");
    return missing;
}
