/*
 * report.c: a difference as text: code, state before, both states after where they differ.
 */
#include "report.h"

#include <stdio.h>
#include <string.h>

const char *isa_kind_name(uint32_t kind)
{
    static const char *const names[] = {"none",           "end",        "undefined", "data abort", "alignment fault",
                                        "prefetch abort", "breakpoint", "svc",       "loop"};

    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

void report_code(const struct gen *g, const struct gen_case *gc, unsigned first_unit, unsigned units, uint32_t pc)
{
    char text[80];

    for (unsigned u = first_unit; u < first_unit + units; u++) {
        for (unsigned i = gc->unit[u].first; i < gc->unit[u].first + gc->unit[u].count; i++) {
            const struct gen_insn *in = &gc->insn[i];
            uint32_t w = in->thumb && in->size == 4 ? in->word << 16 | in->word >> 16 : in->word;
            disassemble(in->thumb, &w, in->size, pc, text, sizeof(text));
            printf("  %08x: %0*x%*s %-46s %s%s\n", pc, in->size * 2, in->word, in->size == 2 ? 4 : 0, "", text,
                   in->row >= 0 ? g->rows[in->row].row->name : "", in->row >= 0 && in->thumb ? " (T)" : "");
            pc += in->size;
        }
    }
}

static void print_state(const struct isa_state *s, bool fp)
{
    for (unsigned i = 0; i < 15; i++)
        printf("%s%s%u=%08x", i % 8 ? " " : "\n   ", i < 10 ? " r" : "r", i, s->r[i]);
    printf(" cpsr=%08x fpscr=%08x", s->cpsr, s->fpscr);
    for (unsigned i = 0; fp && i < 32; i++)
        printf("%s%s%u=%016lx", i % 4 ? " " : "\n   ", i < 10 ? " d" : "d", i, (unsigned long)s->d[i]);
    printf("\n");
}

static void differ(const char *what, uint64_t want, uint64_t got)
{
    if (want != got)
        printf("    %-6s oracle %0*lx, here %0*lx\n", what, want >> 32 || got >> 32 ? 16 : 8, (unsigned long)want,
               want >> 32 || got >> 32 ? 16 : 8, (unsigned long)got);
}

static const char *const banked_names[] = {"r8_fiq",   "r9_fiq", "r10_fiq",  "r11_fiq",  "r12_fiq", "sp_fiq",   "lr_fiq",
                                           "spsr_fiq", "sp_svc", "lr_svc",   "spsr_svc", "sp_abt",  "lr_abt",   "spsr_abt",
                                           "sp_und",   "lr_und", "spsr_und", "sp_irq",   "lr_irq",  "spsr_irq", "fpexc"};
_Static_assert(sizeof(banked_names) / sizeof(banked_names[0]) == sizeof(struct isa_banked) / 4, "a name for each");

static void print_banked(const struct isa_banked *k)
{
    const uint32_t *w = (const uint32_t *)k;

    for (unsigned i = 0; i < sizeof(*k) / 4; i++)
        printf("%s%8s=%08x%s", i % 7 ? " " : "   ", banked_names[i], w[i], i % 7 == 6 ? "\n" : "");
}

void report_difference(const struct gen *g, const struct gen_case *gc, unsigned first_unit, unsigned units, const struct batch *b,
                       unsigned piece, const struct isa_result *got)
{
    const struct isa_case *c = &b->cases[piece];
    const struct isa_result *want = &b->expected[piece];
    bool fp = false;
    char name[16];

    report_code(g, gc, first_unit, units, c->in.pc);
    for (unsigned u = first_unit; u < first_unit + units; u++)
        for (unsigned i = gc->unit[u].first; i < gc->unit[u].first + gc->unit[u].count; i++)
            fp |= gc->insn[i].row >= 0 && g->rows[gc->insn[i].row].table >= ARM_TABLE_VFP;
    printf("  before:");
    print_state(&c->in, fp);
    if (c->has_banked)
        print_banked(&c->banked);
    printf("  after:\n");
    if (want->kind != got->kind)
        printf("    end    oracle %s, here %s\n", isa_kind_name(want->kind), isa_kind_name(got->kind));
    differ("pc", want->out.pc, got->out.pc);
    differ("cpsr", want->out.cpsr, got->out.cpsr);
    differ("fpscr", want->out.fpscr, got->out.fpscr);
    differ("far", want->far, got->far);
    for (unsigned i = 0; i < 15; i++) {
        snprintf(name, sizeof(name), "r%u", i);
        differ(name, want->out.r[i], got->out.r[i]);
    }
    for (unsigned i = 0; i < 32; i++) {
        snprintf(name, sizeof(name), "d%u", i);
        differ(name, want->out.d[i], got->out.d[i]);
    }
    for (unsigned i = 0; i < sizeof(want->banked) / 4; i++)
        differ(banked_names[i], ((const uint32_t *)&want->banked)[i], ((const uint32_t *)&got->banked)[i]);
    if (want->mem_hash != got->mem_hash || want->n_changed != got->n_changed) {
        const struct isa_result *r[2] = {want, got};
        for (int k = 0; k < 2; k++) {
            printf("    memory %s:", k ? "here" : "oracle");
            for (unsigned i = 0; i < r[k]->n_changed && i < ISA_CHANGED_MAX; i++)
                printf(" [%03x]=%08x", r[k]->changed[i].off, r[k]->changed[i].value);
            printf("%s\n", r[k]->n_changed > ISA_CHANGED_MAX ? " ..." : "");
        }
    }
    fflush(stdout);
}
