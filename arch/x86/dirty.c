/*
 * dirty.c: which vector registers are newer than CPU state in memory where the code may leave the usual path.
 *
 * Cold code writes them back first; a fault point names a table behind the block's code, which host_restore_state() reads. Most places have
 * the same few sets, so these are kept by number.
 */
#include <arch/x86/backend.h>
#include <arch/x86/emit_core.h>

#define LOOK_BACK 8

uint16_t dirty_number(struct be *be, const struct x86_vcache_set *s)
{
    static const struct x86_vcache_set nothing;

    if (memcmp(s, &nothing, sizeof(*s)) == 0)
        return 0;
    for (uint32_t n = be->n_sets; n > 0 && n + LOOK_BACK > be->n_sets; n--)
        if (memcmp(&be->set[n - 1], s, sizeof(*s)) == 0)
            return (uint16_t)n;
    if (be->n_sets == MAX_SETS) {
        be->failed = true;
        return 0;
    }
    be->set[be->n_sets++] = *s;
    return (uint16_t)be->n_sets;
}

uint16_t dirty_now(struct be *be)
{
    if (be->e.vcache.dirty == 0)
        return 0;
    struct x86_vcache_set s = x86_vcache_dirty(&be->e.vcache);
    return dirty_number(be, &s);
}

void dirty_store(struct be *be, uint16_t n)
{
    if (n)
        x86_vcache_store_set(&be->e, &be->set[n - 1]);
}

void dirty_emit_sets(struct be *be)
{
    struct x86_emitter *e = &be->e;
    uint16_t at[MAX_SETS + 1] = {0};

    for (uint32_t k = 0; k < be->out->n_faults && !be->failed; k++) {
        struct host_fault_point *f = &be->out->fault[k];
        if (f->vectors && !at[f->vectors]) {
            const struct x86_vcache_set *s = &be->set[f->vectors - 1];
            while (x86_offset(e) % _Alignof(struct x86_vcache_set)) /* blocks begin at multiples of 16 */
                x86_nop(e, 1);
            if (x86_offset(e) > UINT16_MAX)
                be->failed = true;
            at[f->vectors] = (uint16_t)x86_offset(e);
            for (unsigned r = 0; r < X86_VCACHE_REGS; r++)
                x86_bytes(e, s->reg[r], sizeof(s->reg[r]));
        }
        f->vectors = at[f->vectors];
    }
}
