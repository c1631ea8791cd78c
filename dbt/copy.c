/*
 * copy.c: one translation for a page that is mapped at many addresses.
 *
 * A shared library lies at another address in every process. Its code, once compiled, is copied for each: the words that depend on the
 * address (host_code.move) are changed, exits are made those of a block that has just been compiled. What a copy is, byte for byte, is what
 * compiling at its address would give; tests/unit/dbt_move_test.c holds the translator to that.
 *
 * Conditions: the same bytes of the same physical page, all in that page, with the same flags; both addresses in the same half of the
 * address space and not in its last page; no exit goes round the end of it in one place and not in the other. Pages that are written while
 * they hold code (RP_LAZY) are left out: a copy must not bring back what a new translation would see changed.
 */
#include <dbt/engine_impl.h>

static uint32_t *origin_slot(struct engine *e, uint32_t pa, uint32_t flags)
{
    uint32_t h = (pa >> 1) * 0x9e3779b1u ^ flags * 0xc2b2ae35u;
    return &e->origin[(h ^ h >> 15) & e->hash_mask];
}

void copies_init(struct engine *e)
{
    memset(e->origin, 0xff, (e->hash_mask + 1) * sizeof(*e->origin));
}

void copy_offer(struct engine *e, uint32_t b)
{
    const struct block *k = &e->block[b];

    if (k->movable)
        *origin_slot(e, k->pa, k->flags) = b;
}

static bool can_move(const struct engine *e, const struct block *k, uint32_t pc)
{
    if ((k->pc ^ pc) >> 31 || k->pc >> 12 == 0xfffff || pc >> 12 == 0xfffff)
        return false;
    for (uint32_t x = k->first_exit; x < k->first_exit + k->n_exits; x++) /* backward ones poll */
        if ((e->exit[x].target < k->pc) != (e->exit[x].target + (pc - k->pc) < pc))
            return false;
    return true;
}

static void describe(const struct engine *e, const struct block *k, uint32_t pc_by, struct host_code *hc)
{
    hc->size = k->code_size;
    hc->loop_head = k->loop_head - k->code;
    hc->n_exits = k->n_exits;
    hc->n_faults = k->n_faults;
    hc->n_moves = k->n_moves;
    hc->fixed = false;
    for (uint32_t n = 0; n < k->n_exits; n++) {
        const struct exit *x = &e->exit[k->first_exit + n];
        hc->exit[n] = (struct host_exit){.target = x->target + pc_by,
                                         .patch = x->patch - k->code,
                                         .stub = x->stub - k->code,
                                         .loop = x->loop,
                                         .guard = x->guard ? x->guard - k->code : 0};
    }
    memcpy(hc->fault, &e->fault[k->first_fault], k->n_faults * sizeof(hc->fault[0]));
    for (uint32_t n = 0; n < k->n_faults; n++)
        hc->fault[n].pc += pc_by;
    memcpy(hc->move, &e->move[k->first_move], k->n_moves * sizeof(hc->move[0]));
}

uint32_t block_copy(struct engine *e, uint32_t pc, uint32_t flags, uint32_t pa)
{
    uint32_t from = *origin_slot(e, pa, flags);

    if (from == NONE || e->page[page_of(e, pa)].flags & RP_LAZY || e->cfg.flags & (ENGINE_LOG_IN_ASM | ENGINE_LOG_OUT_ASM))
        return NONE; /* whoever logs code wants to see all of it */
    const struct block *k = &e->block[from];
    if (!k->live || k->pa != pa || k->flags != flags || (k->pc ^ pc) & 1 || !can_move(e, k, pc) || site_outdates(e, from))
        return NONE;
    enum engine_activity before = activity_change(e, ACTIVITY_TRANSLATE);
    struct region *r = block_reserve(e, ALIGN_UP(k->code_size, 16u));
    uint32_t b = NONE;
    if (!k->live) /* it was in what has just been evicted */
        goto out;

    uint32_t first_exit = (uint32_t)(r - e->region) * e->exits_per_region + r->n_exits, code_by = r->code - k->code;
    struct block key = *k;
    uint8_t *rw = e->code_rw + r->code;
    uint64_t rx = e->code_rx + r->code;
    key.pc = pc;
    describe(e, k, pc - k->pc, e->hc);
    memcpy(rw, e->code_rw + k->code, k->code_size);
    host_move_code(rw, e->hc->move, e->hc->n_moves, pc - k->pc, code_by, first_exit - k->first_exit);
    for (uint32_t n = 0; n < e->hc->n_exits; n++) {
        const struct host_exit *x = &e->hc->exit[n];
        host_patch_jump(rw + x->patch, rx + x->patch, rx + x->stub);
        if (x->guard)
            host_reset_guard(rw + x->guard, x->target);
    }
    b = block_insert(e, r, &key, e->hc);
    e->v->stats->blocks_copied++;
    e->v->stats->host_code_bytes += e->hc->size;
out:
    activity_change(e, before);
    return b;
}
