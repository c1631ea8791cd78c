/*
 * view.c: the pool of views: choosing the one for a regime, mapping pages into it, dropping it.
 *
 * A view records per 4 KiB page (leaf) or per 1 MiB section what its window shows. A view is *owned* by an address space (TTBR0, ASID)
 * from its first non-global page on; before that it holds only global pages, which are the same for all address spaces,
 * and serves any of them: with Linux' software PAN the kernel's usual view never sees user pages, so one view serves all processes.
 */
#include <dbt/engine_impl.h>

#define SECTION_SIZE   (LEAF_COUNT * PAGE_SIZE)
#define SECTION_AROUND 16u /* sections mapped together at most; aligned group */

static unsigned l1_index(uint32_t va)
{
    return va >> 20;
}

static void l1_set(struct engine *e, unsigned n, unsigned i, uint32_t value)
{
    struct view *w = &e->view[n];

    w->l1[i] = value;
    if (value) {
        w->l1_used[i / 64] |= 1ull << i % 64;
        e->group_views[i / GROUP_SIZE][n / 64] |= 1ull << n % 64;
    } else {
        w->l1_used[i / 64] &= ~(1ull << i % 64);
    }
}

static void set_giant(struct engine *e, unsigned n, bool giant)
{
    e->view[n].giant = giant;
    if (giant)
        e->giant_views[n / 64] |= 1ull << n % 64;
    else
        e->giant_views[n / 64] &= ~(1ull << n % 64);
}

uint32_t *view_entry(struct engine *e, struct view *w, uint32_t va)
{
    uint32_t *l1 = &w->l1[l1_index(va)];
    return *l1 & VE_LEAF ? &e->leaf[*l1 >> 12].e[va >> 12 & (LEAF_COUNT - 1)] : l1;
}

/* --- instruction lookups remembered by a view --- */

void view_flush_code(struct engine *e, struct view *w)
{
    returns_forget(e);
    memset(w->itlb, 0, sizeof(w->itlb));
}

void view_flush_code_page(struct engine *e, struct view *w, uint32_t va)
{
    returns_forget(e);
    w->itlb[itlb_index(va)] = 0;
}

/* --- sections --- */

static uint32_t section_ram_mib(uint32_t l1)
{
    return (l1 >> 12) / LEAF_COUNT;
}

static void section_unlink(struct engine *e, unsigned n, uint32_t i)
{
    uint32_t handle = n << 12 | i;
    uint32_t *link = &e->section_head[section_ram_mib(e->view[n].l1[i])];

    while (*link != handle)
        link = &e->view[*link >> 12].section_next[*link & 0xfff];
    *link = e->view[n].section_next[i];
}

void view_remove_section(struct engine *e, unsigned n, uint32_t i)
{
    struct view *w = &e->view[n];
    uint32_t old = w->l1[i];

    if (old & VE_WRITE)
        section_unlink(e, n, i);
    if (old & VE_MAPPED) {
        plat_unmap(e->plat, n, i << 20, SECTION_SIZE);
        e->v->stats->pages_unmapped += LEAF_COUNT;
    }
    if (old & VE_EXEC)
        view_flush_code(e, w);
    l1_set(e, n, i, 0);
    w->entries--;
}

static bool view_make_leaf(struct engine *e, unsigned n, uint32_t i);

void view_split_section(struct engine *e, unsigned n, uint32_t i)
{
    struct view *w = &e->view[n];
    uint32_t old = w->l1[i];

    if (old & VE_WRITE)
        section_unlink(e, n, i);
    w->l1[i] &= ~VE_WRITE;
    if (!view_make_leaf(e, n, i)) {
        view_remove_section(e, n, i);
        return;
    }
    struct leaf *leaf = &e->leaf[w->l1[i] >> 12];
    w->l1[i] |= VE_LARGE;
    w->large = true;
    for (uint32_t k = 0; k < LEAF_COUNT; k++) {
        leaf->e[k] = (old & ~VE_LARGE) + (k << 12);
        if (old & VE_WRITE)
            wmap_add(e, (old >> 12) + k, n, i * LEAF_COUNT + k);
    }
    w->entries += LEAF_COUNT - 1;
}

/* --- leaves --- */

static uint32_t leaf_take(struct engine *e)
{
    uint32_t l = e->leaf_free;
    if (l != NONE)
        e->leaf_free = e->leaf[l].e[0];
    else if (e->leaf_fresh < e->n_leaves)
        l = e->leaf_fresh++;
    return l;
}

static unsigned oldest_view(const struct engine *e, unsigned except)
{
    unsigned best = NONE;
    for (unsigned n = 0; n < e->n_views; n++)
        if (n != except && n != e->cur && e->view[n].used && (best == NONE || e->view[n].last_use < e->view[best].last_use))
            best = n;
    return best;
}

/*
 * A view that is likely to be of no use any more: stale (an address space that ends is invalidated as a whole), and of tables that stand for
 * another address space now, or not used lately: a process that forks is invalidated too, and goes on when its child has ended. Taking these
 * first keeps the views that short-lived processes go through few, and their books in the caches.
 */
#define LATELY 1024u /* changes of view; a process that is made, does nothing and ends takes 500 */
static unsigned stale_view(const struct engine *e, const struct guest_regime *r)
{
    unsigned best = NONE;

    for (unsigned n = 0; n < e->n_views; n++) {
        const struct view *w = &e->view[n];
        if (!w->stale || !w->owned || n == e->cur)
            continue;
        if (w->regime.ttbr0 == r->ttbr0 && w->regime.asid != r->asid)
            return n;
        if (w->last_use + LATELY < e->tick && (best == NONE || w->last_use < e->view[best].last_use))
            best = n;
    }
    return best;
}

/* Give l1 entry i an empty leaf (its old section value is the caller's business). False: no leaf to be had. */
static bool view_make_leaf(struct engine *e, unsigned n, uint32_t i)
{
    uint32_t l;

    while ((l = leaf_take(e)) == NONE) {
        unsigned victim = oldest_view(e, n);
        if (victim == NONE)
            return false;
        view_drop(e, victim);
    }
    memset(e->leaf[l].e, 0, sizeof(e->leaf[l].e));
    l1_set(e, n, i, l << 12 | VE_LEAF);
    return true;
}

/* Empty an entry; what the window shows there is the caller's business. */
static void clear_entry(struct engine *e, unsigned n, uint32_t va, uint32_t *entry)
{
    struct view *w = &e->view[n];

    if (*entry & VE_WRITE)
        wmap_remove(e, *entry >> 12, n, va >> 12);
    if (*entry & VE_EXEC)
        view_flush_code_page(e, w, va);
    *entry = 0;
    w->entries--;
}

void view_unmap_entry(struct engine *e, unsigned n, uint32_t va, uint32_t *entry)
{
    if (*entry & VE_MAPPED) {
        plat_unmap(e->plat, n, va & ~(PAGE_SIZE - 1), PAGE_SIZE);
        e->v->stats->pages_unmapped++;
    }
    clear_entry(e, n, va, entry);
}

void view_forget(struct engine *e, unsigned n, uint32_t va)
{
    struct view *w = &e->view[n];
    uint32_t *entry = view_entry(e, w, va);

    if (*entry && (w->l1[l1_index(va)] & VE_LEAF))
        view_unmap_entry(e, n, va, entry);
    else if (*entry)
        view_remove_section(e, n, l1_index(va));
}

/* --- dropping --- */

void view_drop(struct engine *e, unsigned n)
{
    struct view *w = &e->view[n];

    for (unsigned word = 0; word < L1_COUNT / 64; word++) {
        for (uint64_t bits = w->l1_used[word]; bits; bits &= bits - 1) {
            unsigned i = word * 64 + (unsigned)__builtin_ctzll(bits);
            uint32_t l1 = w->l1[i];
            if (!(l1 & VE_LEAF)) {
                if (l1 & VE_WRITE)
                    section_unlink(e, n, i);
            } else {
                struct leaf *leaf = &e->leaf[l1 >> 12];
                for (uint32_t k = 0; k < LEAF_COUNT; k++)
                    if (leaf->e[k] & VE_WRITE)
                        wmap_remove(e, leaf->e[k] >> 12, n, i * LEAF_COUNT + k);
                leaf->e[0] = e->leaf_free;
                e->leaf_free = l1 >> 12;
            }
            w->l1[i] = 0;
        }
        for (unsigned g = 0; w->l1_used[word] && g < 64 / GROUP_SIZE; g++)
            e->group_views[word * (64 / GROUP_SIZE) + g][n / 64] &= ~(1ull << n % 64);
        w->l1_used[word] = 0;
    }
    if (w->entries) {
        plat_unmap_window(e->plat, n);
        plat_flush(e->plat);
    }
    view_flush_code(e, w);
    soft_clear(w);
    w->entries = w->copied = 0;
    w->pic = false;
    w->polls = 0;
    w->owned = w->stale = w->large = w->used = false;
    set_giant(e, n, false);
    e->v->stats->view_recycles++;
}

/* --- mapping --- */

void view_hold(struct engine *e, unsigned n, const struct guest_translation *t)
{
    if (t->lg2 > 20)
        e->view[n].large = true;
    if (t->lg2 > 24)
        set_giant(e, n, true);
}

static void view_own(struct engine *e, unsigned n, const struct guest_translation *t)
{
    if (t->ng)
        e->view[n].owned = true;
    view_hold(e, n, t);
}

static bool whole_section_in_ram(const struct engine *e, uint32_t first_page)
{
    return first_page + LEAF_COUNT <= e->n_pages;
}

/* May section i be mapped as one piece by translation t of an address in it? Sets its first RAM page. */
static bool section_fits(const struct engine *e, uint32_t va, const struct guest_translation *t, uint32_t *first_page)
{
    uint64_t pa = t->pa - (va & (SECTION_SIZE - 1));

    if (t->lg2 < 20 || pa < GUEST_RAM_BASE || pa % SECTION_SIZE)
        return false;
    *first_page = page_of(e, pa);
    return *first_page != NONE && whole_section_in_ram(e, *first_page);
}

static void map_sections(struct engine *e, unsigned n, uint32_t va, uint32_t page, const struct guest_translation *t)
{
    struct view *w = &e->view[n];
    bool write = t->rights & GUEST_RIGHT_W;
    unsigned i = l1_index(va), lo = i, hi = i + 1;
    unsigned group = ALIGN_DOWN(i, SECTION_AROUND);

    /* Extend to neighbours that continue this section in physical memory with the same rights. */
    for (int dir = -1; dir <= 1; dir += 2) {
        for (;;) {
            unsigned k = dir < 0 ? lo - 1 : hi;
            uint32_t p = page + (k - i) * LEAF_COUNT, first;
            struct guest_translation nt;
            if (k < group || k >= group + SECTION_AROUND || w->l1[k] || guest_walk(e->v, &w->regime, k << 20, &nt) != 0 ||
                !section_fits(e, k << 20, &nt, &first) || first != p || nt.rights != t->rights || nt.ng != t->ng ||
                (write && e->code_pages[first / LEAF_COUNT]))
                break;
            if (dir < 0)
                lo = k;
            else
                hi = k + 1;
        }
    }
    page += (lo - i) * LEAF_COUNT;
    plat_map(e->plat, n, lo << 20, (uint64_t)(hi - lo) * SECTION_SIZE, (uint64_t)page * PAGE_SIZE, write ? PLAT_R | PLAT_W : PLAT_R);
    for (unsigned k = lo; k < hi; k++, page += LEAF_COUNT) {
        uint32_t keep = w->l1[k] & VE_EXEC;
        if (!w->l1[k])
            w->entries++;
        l1_set(e, n, k, page << 12 | VE_MAPPED | (write ? VE_WRITE : 0) | (t->ng ? VE_NG : 0) | (t->lg2 > 20 ? VE_LARGE : 0) | keep);
        if (write) {
            uint32_t *head = &e->section_head[page / LEAF_COUNT];
            w->section_next[k] = *head;
            *head = n << 12 | k;
        }
        e->v->stats->sections_mapped++;
    }
}

/* A leaf for l1 entry i, splitting a section that is there. If memory for leaves is short, others are dropped, at last this view. */
static void need_leaf(struct engine *e, unsigned n, unsigned i)
{
    struct view *w = &e->view[n];

    if (w->l1[i] & VE_LEAF)
        return;
    if (w->l1[i])
        view_split_section(e, n, i);
    if (!(w->l1[i] & VE_LEAF) && !view_make_leaf(e, n, i)) {
        bool owned = w->owned;
        view_drop(e, n);
        w->used = true;
        w->owned = owned;
        view_make_leaf(e, n, i);
    }
}

void view_map(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t, bool write)
{
    struct view *w = &e->view[n];
    uint32_t page = page_of(e, t->pa), first;
    unsigned i = l1_index(va);

    view_own(e, n, t);
    if (write)
        page_written(e, page);

    if (section_fits(e, va, t, &first) && !(w->l1[i] & (VE_LEAF | VE_MAPPED)) && (!w->l1[i] || w->l1[i] >> 12 == first) &&
        !((t->rights & GUEST_RIGHT_W) && e->code_pages[first / LEAF_COUNT])) {
        map_sections(e, n, va, first, t);
        return;
    }

    need_leaf(e, n, i);
    if (t->lg2 > 12) {
        w->l1[i] |= VE_LARGE;
        w->large = true;
    }
    uint32_t *entry = view_entry(e, w, va);
    bool writable = (t->rights & GUEST_RIGHT_W) && !(e->page[page].flags & RP_CODE);
    unsigned rights = writable ? PLAT_R | PLAT_W : PLAT_R;

    if (*entry && *entry >> 12 != page)
        clear_entry(e, n, va, entry); /* mapping another page replaces the one that is mapped */
    if (!*entry)
        w->entries++;
    uint32_t old = *entry;
    if (!(old & VE_MAPPED)) {
        plat_map(e->plat, n, va & ~(PAGE_SIZE - 1), PAGE_SIZE, (uint64_t)page * PAGE_SIZE, rights);
        e->v->stats->pages_mapped++;
    } else if (!(old & VE_WRITE) != !writable) {
        plat_protect(e->plat, n, va & ~(PAGE_SIZE - 1), PAGE_SIZE, (uint64_t)page * PAGE_SIZE, rights);
    }
    *entry = page << 12 | VE_MAPPED | (writable ? VE_WRITE : 0) | (old & VE_EXEC) | (t->ng ? VE_NG : 0);
    if (writable && !(old & VE_WRITE))
        wmap_add(e, page, n, va >> 12);
    else if (!writable && (old & VE_WRITE))
        wmap_remove(e, page, n, va >> 12);
}

/* Map neighbours of va whose translation is as easily had. */
static void map_around(struct engine *e, unsigned n, uint32_t va)
{
    struct view *w = &e->view[n];
    uint32_t first = ALIGN_DOWN(va >> 12, e->cfg.fault_around);

    for (uint32_t vpn = first; vpn < first + e->cfg.fault_around; vpn++) {
        struct guest_translation t;
        if (*view_entry(e, w, vpn << 12) & VE_MAPPED || alias_covers(e, vpn << 12) || guest_walk(e->v, &w->regime, vpn << 12, &t) != 0)
            continue;
        if (t.lg2 < 20 && (t.rights & GUEST_RIGHT_R) && page_of(e, t.pa) != NONE)
            view_map(e, n, vpn << 12, &t, false);
    }
}

static bool is_writable(const struct engine *e, const struct guest_translation *t)
{
    return (t->rights & GUEST_RIGHT_W) && !(e->page[page_of(e, t->pa)].flags & RP_CODE);
}

/* Can the page at vpn, where nothing is shown, be mapped in one piece with a page that is t and lies `distance` pages before it? */
static bool continues(struct engine *e, const struct view *w, uint32_t vpn, int distance, const struct guest_translation *t)
{
    struct guest_translation k;

    return !alias_covers(e, vpn << 12) && guest_walk(e->v, &w->regime, vpn << 12, &k) == 0 && k.lg2 == t->lg2 && k.rights == t->rights &&
           k.ng == t->ng && page_of(e, k.pa) != NONE && page_of(e, k.pa) == page_of(e, t->pa) + (uint32_t)distance &&
           is_writable(e, &k) == is_writable(e, t);
}

/* Nothing is shown at vpn, and no instructions but those of `page` have been looked up there. */
static bool is_free(struct engine *e, struct view *w, uint32_t vpn, uint32_t page)
{
    uint32_t entry = *view_entry(e, w, vpn << 12);

    return !(entry & VE_MAPPED) && (!entry || entry >> 12 == page);
}

/* Map va with the neighbours that continue it in memory. False: it is not a matter of mapping small pages that are not mapped. */
static bool map_run(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t, bool write)
{
    struct view *w = &e->view[n];
    unsigned i = l1_index(va);
    uint32_t vpn = va >> 12, group = ALIGN_DOWN(vpn, e->cfg.fault_around), lo = vpn, hi = vpn + 1, page = page_of(e, t->pa);

    if (t->lg2 >= 20 || !(w->l1[i] & VE_LEAF) || !is_free(e, w, vpn, page))
        return false;
    view_own(e, n, t);
    if (write)
        page_written(e, page);
    if (t->lg2 > 12) {
        w->l1[i] |= VE_LARGE;
        w->large = true;
    }
    while (lo > group && is_free(e, w, lo - 1, page - (vpn - lo + 1)) && continues(e, w, lo - 1, (int)(lo - 1 - vpn), t))
        lo--;
    while (hi < group + e->cfg.fault_around && is_free(e, w, hi, page + (hi - vpn)) && continues(e, w, hi, (int)(hi - vpn), t))
        hi++;
    bool writable = is_writable(e, t);
    page -= vpn - lo;
    plat_map(e->plat, n, lo << 12, (uint64_t)(hi - lo) * PAGE_SIZE, (uint64_t)page * PAGE_SIZE, writable ? PLAT_R | PLAT_W : PLAT_R);
    for (; lo < hi; lo++, page++) {
        uint32_t *entry = view_entry(e, w, lo << 12);
        w->entries += !*entry;
        *entry = page << 12 | VE_MAPPED | (writable ? VE_WRITE : 0) | (*entry & VE_EXEC) | (t->ng ? VE_NG : 0);
        e->v->stats->pages_mapped++;
        if (writable)
            wmap_add(e, page, n, lo);
    }
    return true;
}

void view_map_fault(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t, bool write)
{
    if (e->cfg.fault_around == 1 || t->lg2 >= 20) {
        view_map(e, n, va, t, write);
    } else if (!(e->cfg.flags & ENGINE_MAP_RUNS)) {
        view_map(e, n, va, t, write);
        map_around(e, n, va);
    } else if (!map_run(e, n, va, t, write)) {
        view_map(e, n, va, t, write);
    }
}

void view_note_exec(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t)
{
    struct view *w = &e->view[n];
    unsigned i = l1_index(va);
    uint32_t first, page = page_of(e, t->pa);

    view_own(e, n, t);
    if (!(w->l1[i] & VE_LEAF) && section_fits(e, va, t, &first) && (!w->l1[i] || w->l1[i] >> 12 == first)) {
        if (!w->l1[i])
            w->entries++;
        l1_set(e, n, i, w->l1[i] | first << 12 | VE_EXEC | (t->ng ? VE_NG : 0) | (t->lg2 > 20 ? VE_LARGE : 0));
        return;
    }
    need_leaf(e, n, i);
    if (t->lg2 > 12) {
        w->l1[i] |= VE_LARGE;
        w->large = true;
    }
    uint32_t *entry = view_entry(e, w, va);
    if (*entry && *entry >> 12 != page)
        view_unmap_entry(e, n, va, entry);
    if (!*entry)
        w->entries++;
    *entry |= page << 12 | VE_EXEC | (t->ng ? VE_NG : 0);
}

/* --- choosing --- */

static bool view_serves(const struct view *w, const struct guest_regime *r)
{
    const struct guest_regime *k = &w->regime;

    return w->used && k->ttbr1 == r->ttbr1 && k->ttbcr == r->ttbcr && k->dacr == r->dacr && k->control == r->control &&
           k->priv == r->priv && (!w->owned || (k->ttbr0 == r->ttbr0 && k->asid == r->asid));
}

static unsigned regime_hash(const struct guest_regime *r)
{
    uint32_t h =
        (uint32_t)r->ttbr0 * 0x9e3779b1u ^ r->dacr * 0x85ebca6bu ^ r->asid * 0xc2b2ae35u ^ r->control * 0x27d4eb2fu ^ r->priv * 0x165667b1u;
    return (h ^ h >> 16) & (VIEW_CACHE_SIZE - 1);
}

static unsigned view_choose(struct engine *e, const struct guest_regime *r)
{
    uint16_t *slot = &e->view_cache[regime_hash(r)];
    unsigned best = NONE;

    if (view_serves(&e->view[*slot], r))
        return *slot;
    for (unsigned n = 0; n < e->n_views; n++)
        if (view_serves(&e->view[n], r) &&
            (best == NONE || e->view[n].owned || (!e->view[best].owned && e->view[n].entries > e->view[best].entries)))
            best = n;
    if (best == NONE) {
        best = stale_view(e, r);
        for (unsigned n = 0; n < e->n_views && best == NONE; n++)
            if (!e->view[n].used)
                best = n;
        if (best == NONE)
            best = oldest_view(e, NONE);
        if (e->view[best].used)
            view_drop(e, best);
        e->view[best].used = true;
        e->view[best].regime = *r;
        e->v->stats->view_allocs++;
    }
    *slot = (uint16_t)best;
    return best;
}

static void view_enter(struct engine *e, unsigned n, const struct guest_regime *r)
{
    struct view *w = &e->view[n];

    soft_enter(e, w, r);
    w->regime = *r; /* an unowned view follows the address space it is used in */
    w->last_use = ++e->tick;
    if (n != e->cur) {
        e->cur = n;
        e->v->itlb = w->itlb;
        returns_forget(e);
        plat_set_window(e->plat, n);
        e->v->stats->view_switches++;
        alias_refresh(e);
    }
    if (w->stale) {
        view_sync(e, n);
        plat_flush(e->plat);
    }
}

void engine_regime_changed(struct vcpu *v)
{
    struct engine *e = v->engine;
    struct guest_regime r;

    guest_current_regime(v, &r);
    view_enter(e, view_serves(cur_view(e), &r) ? e->cur : view_choose(e, &r), &r);
}

void views_init(struct engine *e)
{
    struct guest_regime r;

    e->leaf_free = NONE;
    guest_current_regime(e->v, &r);
    e->cur = NONE;
    view_enter(e, view_choose(e, &r), &r);
}
