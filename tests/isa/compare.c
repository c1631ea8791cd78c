/*
 * compare.c: when two results of a case count as the same. Compiled for the host and for the bare-metal runner.
 */
#include "case.h"

#define CPSR_COMPARED 0xfe0ffe20u /* N Z C V Q IT[1:0] GE IT[7:2] E T */
#define CPSR_NZCV     0xf0000000u
#define CPSR_PRIVATE  0x000001dfu /* A I F mode */

static bool same_banked(const struct isa_result *a, const struct isa_result *b, uint32_t spsr_mask)
{
    const uint32_t *p = (const uint32_t *)&a->banked, *q = (const uint32_t *)&b->banked;

    for (unsigned i = 0; i < sizeof(a->banked) / 4; i++) {
        bool entered = p + i == &a->banked.und.spsr || p + i == &a->banked.abt.spsr;
        if ((p[i] ^ q[i]) & (entered ? spsr_mask : ~0u))
            return false;
    }
    return true;
}

bool isa_same(const struct isa_case *c, const struct isa_result *a, const struct isa_result *b)
{
    if (a->kind == ISA_LOOP && b->kind == ISA_LOOP)
        return true;
    uint32_t cpsr_mask = CPSR_COMPARED | (c->has_banked ? CPSR_PRIVATE : 0);

    /* At a data abort, or an instruction whose operands make it undefined, flags that the following instructions overwrite before anything
     * reads them may be stale (dbt/ir.h, flags at faults). The UDF at the end of a case sees them all. */
    if (a->kind == ISA_SEGV || a->kind == ISA_BUS || a->kind == ISA_UNDEF)
        cpsr_mask &= ~CPSR_NZCV;
    if (a->kind != b->kind || a->out.pc != b->out.pc || ((a->out.cpsr ^ b->out.cpsr) & cpsr_mask))
        return false;
    if (a->kind == ISA_FETCH)
        return a->far == b->far;
    if (a->kind == ISA_SEGV || a->kind == ISA_BUS) {
        uint32_t half = (a->out.pc - (c->in.pc & ~1u)) / 2;
        if (half < 128 && (c->multi[half / 32] >> (half % 32) & 1))
            return true;
        if (a->far != b->far)
            return false;
    }
    if (!same_banked(a, b, cpsr_mask | ~CPSR_NZCV))
        return false;
    for (unsigned i = 0; i < 15; i++)
        if (a->out.r[i] != b->out.r[i])
            return false;
    for (unsigned i = 0; i < 32; i++)
        if (a->out.d[i] != b->out.d[i])
            return false;
    return !((a->out.fpscr ^ b->out.fpscr) & c->fpscr_mask) && a->mem_hash == b->mem_hash && a->n_changed == b->n_changed;
}
