/*
 * sync.c: TLB maintenance as synchronisation.
 *
 * The guest may change its tables freely; a view need only agree with them after TLB maintenance that covers the change. Maintenance by
 * address re-walks that page in the views it concerns. Maintenance by ASID or of everything marks views stale; a stale view is re-walked
 * when next used, and only what differs is changed. Guest tables are never write-protected.
 *
 * What the platform has to take back takes effect at the barrier that the architecture asks for after maintenance, or when the view is next
 * entered.
 *
 * A view that is neither current nor owned may stand for tables that are gone: its pages are dropped rather than re-walked.
 */
#include <dbt/engine_impl.h>

static bool usable(const struct engine *e, const struct guest_translation *t)
{
    return (t->rights & GUEST_RIGHT_R) && page_of(e, t->pa) != NONE;
}

static void sync_page(struct engine *e, unsigned n, uint32_t va, uint32_t *entry)
{
    struct view *w = &e->view[n];
    struct guest_translation t;

    if (guest_walk(e->v, &w->regime, va, &t) != 0 || !usable(e, &t)) {
        view_unmap_entry(e, n, va, entry);
        return;
    }
    if (page_of(e, t.pa) != *entry >> 12) {
        if (*entry & VE_MAPPED)
            view_map(e, n, va, &t, false);
        else
            view_unmap_entry(e, n, va, entry);
        return;
    }
    if ((*entry & VE_EXEC) && !(t.rights & GUEST_RIGHT_X)) {
        view_flush_code_page(e, w, va);
        *entry &= ~VE_EXEC;
        if (!*entry || !(*entry & VE_MAPPED)) {
            *entry = 0;
            w->entries--;
            return;
        }
    }
    if ((*entry & VE_WRITE) && !(t.rights & GUEST_RIGHT_W)) {
        plat_protect(e->plat, n, va & ~(PAGE_SIZE - 1), PAGE_SIZE, (uint64_t)(*entry >> 12) * PAGE_SIZE, PLAT_R);
        wmap_remove(e, *entry >> 12, n, va >> 12);
        *entry &= ~VE_WRITE;
    }
    *entry = (*entry & ~VE_NG) | (t.ng ? VE_NG : 0);
    if (t.ng)
        w->owned = true;
}

/* Section i, looked at through an address in it. */
static void sync_section(struct engine *e, unsigned n, uint32_t va)
{
    unsigned i = va >> 20;
    struct view *w = &e->view[n];
    uint32_t l1 = w->l1[i];
    struct guest_translation t;

    if (guest_walk(e->v, &w->regime, va, &t) == 0 && usable(e, &t) && t.lg2 >= 20 &&
        page_of(e, t.pa) == (l1 >> 12) + (va >> 12) % LEAF_COUNT && !((l1 & VE_WRITE) && !(t.rights & GUEST_RIGHT_W)) &&
        !((l1 & VE_EXEC) && !(t.rights & GUEST_RIGHT_X)) && !(l1 & VE_NG) == !t.ng)
        return;
    view_remove_section(e, n, i);
}

static void sync_l1(struct engine *e, unsigned n, unsigned i)
{
    uint32_t l1 = e->view[n].l1[i];

    if (!(l1 & VE_LEAF)) {
        sync_section(e, n, i << 20);
        return;
    }
    uint32_t *entry = e->leaf[l1 >> 12].e;
    struct guest_translation t;
    uint32_t first = NONE;
    unsigned keeps = 0; /* flags an entry may have and be right, when the leaf stands for one section at RAM page `first` */

    if (guest_walk(e->v, &e->view[n].regime, (uint32_t)i << 20, &t) == 0 && usable(e, &t) && t.lg2 >= 20) {
        first = page_of(e, t.pa);
        keeps = VE_MAPPED | (t.rights & GUEST_RIGHT_W ? VE_WRITE : 0) | (t.rights & GUEST_RIGHT_X ? VE_EXEC : 0) | (t.ng ? VE_NG : 0);
    }
    for (uint32_t k = 0; k < LEAF_COUNT; k++) {
        if (!entry[k] || (first != NONE && entry[k] >> 12 == first + k && !(entry[k] & 0xfff & ~keeps) && !(entry[k] & VE_NG) == !t.ng))
            continue;
        sync_page(e, n, (i * LEAF_COUNT + k) << 12, &entry[k]);
    }
}

/* Maintenance that names one address takes all of the block the address was translated by. When that may have been larger than the page or
 * the section entry that is there, look at all it can have covered. Returns false when the entry of the address alone will do. */
static bool sync_larger(struct engine *e, unsigned n, uint32_t va)
{
    struct view *w = &e->view[n];
    unsigned first = ALIGN_DOWN(va >> 20, GROUP_SIZE);
    bool larger = false;

    if (!w->large)
        return false;
    if (w->giant) {
        view_sync(e, n);
        return true;
    }
    for (unsigned i = first; i < first + GROUP_SIZE; i++) {
        if (w->l1[i] & VE_LARGE) {
            sync_l1(e, n, i);
            larger |= i == va >> 20;
        }
    }
    return larger;
}

void view_sync(struct engine *e, unsigned n)
{
    struct view *w = &e->view[n];
    enum engine_activity before = activity_change(e, ACTIVITY_SYNC);

    w->stale = false;
    for (unsigned word = 0; word < L1_COUNT / 64; word++) {
        for (uint64_t bits = w->l1_used[word]; bits; bits &= bits - 1) {
            unsigned i = word * 64 + (unsigned)__builtin_ctzll(bits);
            sync_l1(e, n, i);
        }
    }
    e->v->stats->view_syncs++;
    activity_change(e, before);
}

/* Mark all views that `concerned` by an operation stale; the current one is synchronised at once. */
static void make_stale(struct engine *e, int asid)
{
    e->v->stats->tlb_ops++;
    soft_renew(e, asid);
    for (unsigned n = 0; n < e->n_views; n++) {
        struct view *w = &e->view[n];
        if (!w->used)
            continue;
        if (w->soft_used && (asid < 0 || w->regime.asid == asid))
            soft_clear(w);
        if (w->entries && (asid < 0 || (w->owned && w->regime.asid == asid)))
            w->stale = true;
    }
    if (cur_view(e)->stale)
        view_sync(e, e->cur);
    alias_refresh(e);
}

void engine_tlb_all(struct vcpu *v)
{
    make_stale(v->engine, -1);
}

void engine_tlb_asid(struct vcpu *v, unsigned asid)
{
    make_stale(v->engine, (int)asid);
}

/* Maintenance for a page that was not mapped and is now: the guest has just made it, to use it. Mapping it here saves the fault. */
static void map_new_page(struct engine *e, unsigned n, uint32_t va)
{
    struct view *w = &e->view[n];
    struct guest_translation t;

    if ((w->l1[va >> 20] & VE_LEAF) && !alias_covers(e, va) && !remapped_often(e, va) && guest_walk(e->v, &w->regime, va, &t) == 0 &&
        usable(e, &t) && t.lg2 < 20)
        view_map(e, n, va, &t, false);
}

/* The global mapping of va is gone from the current view. */
static void note_remap(struct engine *e, uint32_t va)
{
    struct remap *r = &e->remap[(va >> 12) % REMAP_SLOTS];

    if (r->vpn != va >> 12)
        *r = (struct remap){.vpn = va >> 12};
    else if (r->rounds < REMAP_MANY)
        r->rounds++;
}

/* Maintenance for an address in view n. */
static void sync_va(struct engine *e, unsigned n, uint32_t va, int asid)
{
    struct view *w = &e->view[n];

    if (!w->used || w->stale)
        return;
    soft_forget(w, va);
    uint32_t before = *view_entry(e, w, va);
    bool small_global = (w->l1[va >> 20] & VE_LEAF) && before && !(before & VE_NG);
    if (n == e->cur || w->owned) {
        if (sync_larger(e, n, va)) {
            if (n == e->cur && small_global && !*view_entry(e, w, va))
                note_remap(e, va);
            return;
        }
    } else if (w->giant || w->l1[va >> 20] & VE_LARGE) {
        w->stale = true; /* re-walked when used, by the tables it is used with then */
        return;
    }
    uint32_t *entry = view_entry(e, w, va);
    if (!*entry && n == e->cur) {
        map_new_page(e, n, va);
        return;
    }
    if (!*entry || (asid >= 0 && (*entry & VE_NG) && w->regime.asid != asid))
        return;
    bool leaf = w->l1[va >> 20] & VE_LEAF, live = n == e->cur || w->owned;
    if (leaf && live) {
        sync_page(e, n, va, entry);
        if (n == e->cur && small_global && !*entry)
            note_remap(e, va);
    } else if (leaf) {
        view_unmap_entry(e, n, va, entry);
    } else if (live) {
        sync_section(e, n, va);
    } else {
        view_remove_section(e, n, va >> 20);
    }
}

void engine_tlb_va(struct vcpu *v, uint32_t va, int asid)
{
    struct engine *e = v->engine;
    const uint64_t *concerned = e->group_views[(va >> 20) / GROUP_SIZE];

    v->stats->tlb_ops++;
    if (alias_covers(e, va))
        alias_sync(e, va);
    for (unsigned word = 0; word < (e->n_views + 63) / 64; word++)
        for (uint64_t bits = concerned[word] | e->giant_views[word]; bits; bits &= bits - 1)
            sync_va(e, word * 64 + (unsigned)__builtin_ctzll(bits), va, asid);
}

void engine_tlb_barrier(struct vcpu *v)
{
    plat_flush(v->engine->plat);
}
