/*
 * fault.c: host faults in guest windows.
 *
 * A translated access faults when its page is not mapped in the current window or not with the right it needs. Then one of these things is
 * true: the guest's tables allow it (map, retry), they do not (guest abort), the address is a device (the block is
 * retranslated so that this instruction calls a helper from now on), or it is a write to a page of translated code (the code dies),
 * or a page that is mapped and unmapped so often that it is better not mapped at all (alias.c, struct remap).
 *
 * A fault costs the host a signal, and a mapping a system call, or the VM a trip to CPL 0. So instructions that fault over and over are
 * translated anew to go through the software TLB (softtlb.c).
 */
#include <dbt/engine_impl.h>

#define WINDOW_SPAN      (1ull << 32)
#define SAME_FAULT_LIMIT 64 /* identical faults in a row: mapping does not help, something is broken */

/* --- leaving the block that faulted --- */

uint32_t fault_site(const struct engine *e, uint32_t b, const struct host_fault_point *p)
{
    const struct block *k = &e->block[b];

    return k->pa + (p->pc & ~1u) - (k->pc & ~1u);
}

bool fault_leave(struct engine *e, struct host_fault_ctx *ctx, enum vcpu_exit why)
{
    e->v->exit_reason = why;
    host_resume_unwind(e->v, &e->tramp, e->code_rx, ctx);
    return true;
}

bool fault_retranslate(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p)
{
    host_restore_state(e->v, ctx, p);
    if (e->block[b].live)
        block_kill(e, b);
    return fault_leave(e, ctx, VCPU_EXIT_LOOKUP);
}

static bool retranslate_as(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p,
                           enum guest_access_kind kind)
{
    site_set(e, fault_site(e, b, p), kind);
    return fault_retranslate(e, ctx, b, p);
}

/*
 * A fault at a page among the aliases (alias.c) that the tables allow. True: the instruction is to be executed again, its context leads
 * there. False: map the page, which is right for every access, if dear: one across pages, one the table does not serve, an exclusive.
 */
static bool serve_alias(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p, uint32_t va,
                        const struct guest_translation *t)
{
    bool was_set = alias_has(e, va, t);

    if (!alias_set(e, va, t))
        return false;
    if (!p->alias) {
        if (site_kind(e, fault_site(e, b, p)) == ACCESS_PLAIN)
            return retranslate_as(e, ctx, b, p, ACCESS_ALIAS);
        if (!p->soft && e->block[b].live) /* made before the instruction was known to need the table, or it cannot have it */
            block_kill(e, b);
        return false;
    }
    if (was_set) /* the code has found it, and cannot use it */
        return false;
    e->last_fault_rip = 0; /* a page may come and go here for ever */
    host_restore_state(e->v, ctx, p);
    return fault_leave(e, ctx, VCPU_EXIT_LOOKUP);
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

/* Is the instruction to be translated anew, to go through the software TLB? Not if it has been: then it cannot, or cannot reach this page
 * so. */
static bool goes_soft(struct engine *e, uint32_t b, const struct host_fault_point *p)
{
    return !p->soft && site_faulted(e, fault_site(e, b, p), b);
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
        e->no_premap = false;
        guest_raise_abort(v, va, access, code);
        if (goes_soft(e, b, p) && e->block[b].live)
            block_kill(e, b);
        e->last_fault_rip = 0; /* a guest may abort at one place for ever */
        return fault_leave(e, ctx, VCPU_EXIT_RAISED);
    }
    if (page_of(e, t.pa) == NONE || off >= WINDOW_SPAN)
        return retranslate_as(e, ctx, b, p, ACCESS_SLOW);
    if (remapped_often(e, va) && !e->alias_on && !t.ng)
        alias_choose(e, va);
    if (alias_covers(e, va)) {
        if (serve_alias(e, ctx, b, p, va, &t))
            return true;
    } else if (remapped_often(e, va)) {
        if (!loops(e, b))
            return retranslate_as(e, ctx, b, p, ACCESS_SLOW);
        e->remap[(va >> 12) % REMAP_SLOTS].rounds = REMAP_WORTH;
    }
    uint32_t entry = *view_entry(e, w, va);
    if (!(entry & VE_MAPPED) && t.lg2 < 20 && goes_soft(e, b, p))
        return fault_retranslate(e, ctx, b, p);
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

    if (e->no_premap)
        return;
    if ((*entry & VE_MAPPED) && (!is_write || (*entry & VE_WRITE)))
        return;
    if (guest_walk(v, &cur_view(e)->regime, va, &t) != 0 || !(t.rights & GUEST_RIGHT_R) || page_of(e, t.pa) == NONE ||
        (is_write && !(t.rights & GUEST_RIGHT_W)))
        return;
    view_map_fault(e, e->cur, va, &t, is_write);
    plat_flush(e->plat);
}
