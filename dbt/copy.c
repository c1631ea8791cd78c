/*
 * copy.c: one translation for a page that is mapped at many addresses.
 *
 * A shared library lies at another address in every process. Its code, once compiled, is copied for each that is there to stay (pic.c says
 * which, and what the others run): the words that depend on the address (host_code.move) are changed, exits are made those of a block that
 * has just been compiled. What a copy is, byte for byte, is what compiling at its address would give; tests/unit/dbt_move_test.c holds the
 * translator to that.
 *
 * Most processes end some time, and what is copied for one is of no use to the next, which has its libraries elsewhere. So copies have some
 * regions of the code cache for themselves, which keeps what they are made from in the others, and theirs in the processor's caches. Only
 * an address space that has had half of those regions is not brief: its copies go where translations go.
 *
 * Conditions: the same bytes of the same physical page, all in that page, with the same flags; both addresses in the same half of the
 * address space and not in its last page; no exit goes round the end of it in one place and not in the other. Pages that are written while
 * they hold code (RP_LAZY) are left out: a copy must not bring back what a new translation would see changed.
 */
#include <dbt/engine_impl.h>

/* Does the slot hold a block of this code? */
static bool holds(const struct engine *e, uint32_t slot, uint32_t pa, uint32_t pc, uint32_t flags)
{
    if (slot == NONE)
        return false;
    const struct block *k = &e->block[slot];
    return k->live && k->pa == pa && k->flags == flags && !((k->pc ^ pc) & 1);
}

/* Where a block of the code is; if there is none, where to put one: one of two places, free if one of them is. */
static uint32_t *origin_slot(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags)
{
    uint32_t h = (pa >> 1) * 0x9e3779b1u ^ flags * 0xc2b2ae35u;
    uint32_t *a = &e->origin[(h ^ h >> 15) & e->hash_mask], *b = &e->origin[((h ^ h >> 15) & e->hash_mask) ^ 1];

    if (holds(e, *a, pa, pc, flags))
        return a;
    if (holds(e, *b, pa, pc, flags))
        return b;
    return *a == NONE || !e->block[*a].live || (*b != NONE && e->block[*b].live) ? a : b;
}

void copies_init(struct engine *e)
{
    memset(e->origin, 0xff, (e->hash_mask + 1) * sizeof(*e->origin));
}

void copy_offer(struct engine *e, uint32_t b)
{
    const struct block *k = &e->block[b];
    uint32_t *slot = origin_slot(e, k->pa, k->pc, k->flags);

    /* One that is as good stays: it will be there for longer than a copy of it. */
    if (k->movable && !(holds(e, *slot, k->pa, k->pc, k->flags) && !site_outdates(e, *slot)))
        *slot = b;
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

bool copy_exists(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags)
{
    return holds(e, *origin_slot(e, pa, pc, flags), pa, pc, flags);
}

uint32_t block_copy(struct engine *e, uint32_t pc, uint32_t flags, uint32_t pa)
{
    uint32_t from = *origin_slot(e, pa, pc, flags);

    if (!holds(e, from, pa, pc, flags) || e->page[page_of(e, pa)].flags & RP_LAZY ||
        e->cfg.flags & (ENGINE_LOG_IN_ASM | ENGINE_LOG_OUT_ASM))
        return NONE; /* whoever logs code wants to see all of it */
    const struct block *k = &e->block[from];
    if (!can_move(e, k, pc) || site_outdates(e, from))
        return NONE;
    enum engine_activity before = activity_change(e, ACTIVITY_TRANSLATE);
    struct view *w = cur_view(e);
    uint32_t code_bytes = ALIGN_UP(k->code_size, 16u);
    bool brief = w->copied < COPY_REGIONS / 2 * (e->region[0].code_end - e->region[0].start);
    struct region *r = block_reserve(e, code_bytes, brief);
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
    w->copied = w->copied < UINT32_MAX - code_bytes ? w->copied + code_bytes : UINT32_MAX;
    e->v->stats->blocks_copied++;
    e->v->stats->host_code_bytes += e->hc->size;
out:
    activity_change(e, before);
    return b;
}
