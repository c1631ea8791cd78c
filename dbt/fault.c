/*
 * fault.c: host faults in guest windows.
 *
 * A translated access faults when its page is not mapped in the current window or not with the right it needs. Then one of these things is
 * true: the guest's tables allow it (map, retry), they do not (guest abort), the address is a device (the block is
 * retranslated so that this instruction calls a helper from now on), or it is a write to a page of translated code (the code dies),
 * or a page that is mapped and unmapped so often that it is better not mapped at all (alias.c, struct remap).
 */
#include <dbt/engine_impl.h>

#define WINDOW_SPAN      (1ull << 32)
#define SAME_FAULT_LIMIT 64 /* identical faults in a row: mapping does not help, something is broken */

/* --- instructions that touch devices --- */

/* An entry is the address, which is even, and bit 0 for a device. */
static uint32_t *slow_slot(struct engine *e, uint32_t pa)
{
    uint32_t h = (pa >> 1) * 0x9e3779b1u >> 16;

    for (;; h++) {
        uint32_t *s = &e->slow_set[h & (SLOW_SET_SIZE - 1)];
        if (*s == 0 || (*s & ~1u) == pa)
            return s;
    }
}

enum guest_access_kind slow_pc_kind(const struct engine *e, uint32_t pa)
{
    uint32_t s = *slow_slot((struct engine *)e, pa);
    return s == 0 ? ACCESS_PLAIN : s & 1 ? ACCESS_SLOW : ACCESS_ALIAS;
}

void slow_pc_add(struct engine *e, uint32_t pa, enum guest_access_kind kind)
{
    if (e->slow_count >= SLOW_SET_SIZE / 2) { /* forget: blocks made with it stay right, others will be found again */
        memset(e->slow_set, 0, sizeof(e->slow_set));
        e->slow_count = 0;
    }
    uint32_t *s = slow_slot(e, pa);
    if (*s == 0)
        e->slow_count++;
    *s = pa | (*s & 1) | (kind == ACCESS_SLOW);
}

/* --- faults --- */

static bool leave_block(struct engine *e, struct host_fault_ctx *ctx, enum vcpu_exit why)
{
    e->v->exit_reason = why;
    host_resume_unwind(e->v, &e->tramp, e->code_rx, ctx);
    return true;
}

/* Translate the instruction anew, for accesses of another kind. */
static bool retranslate(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p,
                        enum guest_access_kind kind)
{
    const struct block *k = &e->block[b];

    host_restore_state(e->v, ctx, p);
    slow_pc_add(e, k->pa + (p->pc & ~1u) - (k->pc & ~1u), kind);
    if (k->live)
        block_kill(e, b);
    return leave_block(e, ctx, VCPU_EXIT_LOOKUP);
}

/*
 * A fault at a page among the aliases (alias.c) that the tables allow. True: the instruction is to be executed again, its context leads
 * there. False: map the page, which is right for every access, if dear: one across pages, one the table does not serve, an exclusive.
 */
static bool serve_alias(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p, uint32_t va,
                        const struct guest_translation *t)
{
    const struct block *k = &e->block[b];
    bool was_set = alias_has(e, va, t);

    if (!alias_set(e, va, t))
        return false;
    if (!p->alias) {
        if (slow_pc_kind(e, k->pa + (p->pc & ~1u) - (k->pc & ~1u)) == ACCESS_PLAIN)
            return retranslate(e, ctx, b, p, ACCESS_ALIAS);
        if (k->live) /* made before the instruction was known to need the table, or it cannot have it */
            block_kill(e, b);
        return false;
    }
    if (was_set) /* the code has found it, and cannot use it */
        return false;
    e->last_fault_rip = 0; /* a page may come and go here for ever */
    host_restore_state(e->v, ctx, p);
    return leave_block(e, ctx, VCPU_EXIT_LOOKUP);
}

/* Does the block go back to its beginning? */
static bool loops(const struct engine *e, uint32_t b)
{
    const struct block *k = &e->block[b];

    for (uint32_t x = k->first_exit; x < k->first_exit + k->n_exits; x++)
        if (e->exit[x].target == k->pc)
            return true;
    return false;
}

static bool handle_fault(struct engine *e, struct host_fault_ctx *ctx)
{
    struct vcpu *v = e->v;
    struct view *w = cur_view(e);
    uint64_t off = ctx->fault_addr - plat_window_base(e->plat, e->cur);
    uint32_t b = block_at_code(e, ctx->rip);

    /* An access that begins below 4 GiB can end above: there is nothing mapped, and it is no guest address. */
    if (b == NONE || off >= WINDOW_SPAN + 64)
        return false;
    const struct host_fault_point *p = block_fault_point(e, b, ctx->rip);
    if (!p)
        return false;

    v->stats->window_faults++;
    if (e->last_fault_addr != ctx->fault_addr || e->last_fault_rip != ctx->rip) {
        e->last_fault_addr = ctx->fault_addr;
        e->last_fault_rip = ctx->rip;
        e->same_faults = 0;
    } else if (++e->same_faults > SAME_FAULT_LIMIT) {
        return false;
    }

    uint32_t va = (uint32_t)off;
    enum guest_access access = ctx->is_write ? GUEST_WRITE : GUEST_READ;
    struct guest_translation t;
    int code = guest_walk(v, &w->regime, va, &t);

    if (code != 0 || !(t.rights & (ctx->is_write ? GUEST_RIGHT_W : GUEST_RIGHT_R))) {
        host_restore_state(v, ctx, p);
        v->stats->guest_aborts++;
        guest_raise_abort(v, va, access, code);
        e->last_fault_rip = 0; /* a guest may abort at one place for ever */
        return leave_block(e, ctx, VCPU_EXIT_RAISED);
    }
    if (page_of(e, t.pa) == NONE || off >= WINDOW_SPAN)
        return retranslate(e, ctx, b, p, ACCESS_SLOW);
    if (remapped_often(e, va) && !e->alias_on && !t.ng)
        alias_choose(e, va);
    if (alias_covers(e, va)) {
        if (serve_alias(e, ctx, b, p, va, &t))
            return true;
    } else if (remapped_often(e, va)) {
        if (!loops(e, b))
            return retranslate(e, ctx, b, p, ACCESS_SLOW);
        e->remap[(va >> 12) % REMAP_SLOTS].rounds = REMAP_WORTH;
    }
    uint32_t entry = *view_entry(e, w, va);
    if (!(entry & VE_MAPPED) || (ctx->is_write && !(entry & VE_WRITE)))
        e->same_faults = 0; /* the mapping is really missing: code that is written and run in turn faults here for ever */
    if (e->same_faults)     /* the platform has lost what the view says is mapped (it may: see its own limits) */
        view_forget(e, e->cur, va);
    view_map_fault(e, e->cur, va, &t, ctx->is_write);
    plat_flush(e->plat);
    return true;
}

bool engine_fault(struct engine *e, struct host_fault_ctx *ctx)
{
    enum engine_activity before = activity_change(e, ACTIVITY_FAULT);
    bool handled = handle_fault(e, ctx);

    activity_change(e, before);
    return handled;
}

void engine_premap(struct vcpu *v, uint32_t va, bool is_write)
{
    struct engine *e = v->engine;
    struct guest_translation t;
    uint32_t *entry = view_entry(e, cur_view(e), va);

    if ((*entry & VE_MAPPED) && (!is_write || (*entry & VE_WRITE)))
        return;
    if (guest_walk(v, &cur_view(e)->regime, va, &t) != 0 || !(t.rights & GUEST_RIGHT_R) || page_of(e, t.pa) == NONE ||
        (is_write && !(t.rights & GUEST_RIGHT_W)))
        return;
    view_map_fault(e, e->cur, va, &t, is_write);
    plat_flush(e->plat);
}
