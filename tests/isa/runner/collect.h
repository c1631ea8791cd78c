/* collect.h: the part of a result that both runners make alike: what the case did to the data page. */
#ifndef ISA_COLLECT_H
#define ISA_COLLECT_H

#include "../case.h"

/* Record the changes of the data page against the batch's pattern and undo them. */
static inline void isa_collect_memory(const struct isa_batch *b, struct isa_result *r)
{
    volatile uint32_t *data = (volatile uint32_t *)ISA_DATA_BASE;
    uint32_t hash = 2166136261u;

    r->n_changed = 0;
    for (unsigned i = 0; i < ISA_DATA_SIZE / 4; i++) {
        uint32_t now = data[i];
        if (now == b->pattern[i])
            continue;
        hash = (hash ^ i) * 16777619u;
        hash = (hash ^ now) * 16777619u;
        if (r->n_changed < ISA_CHANGED_MAX) {
            r->changed[r->n_changed].off = i * 4;
            r->changed[r->n_changed].value = now;
        }
        r->n_changed++;
        data[i] = b->pattern[i];
    }
    r->mem_hash = hash;
}

static inline void isa_fill_memory(const struct isa_batch *b)
{
    volatile uint32_t *data = (volatile uint32_t *)ISA_DATA_BASE;

    for (unsigned i = 0; i < ISA_DATA_SIZE / 4; i++)
        data[i] = b->pattern[i];
}

#endif
