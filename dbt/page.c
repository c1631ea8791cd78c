/*
 * page.c: pages of guest RAM as code and as writable memory.
 *
 * A page with translated blocks is write-protected in every view that maps it (RP_CODE). To find those mappings, each page heads a list of
 * its writable small mappings, and each MiB of RAM a list of writable sections over it; read-only mappings need not be found.
 * The first write kills the page's blocks and makes it plain again. A page that goes back and forth (code beside data) becomes lazy:
 * it stays writable and the blocks made of it from then on are compared with memory at instruction-cache maintenance, as the architecture allows.
 *
 * Devices write past all protection. They look at the shared code_page bits and tell of such pages in dma_page; their blocks die at the next poll or
 * instruction-cache maintenance, whichever is first.
 */
#include <dbt/engine_impl.h>

void pages_init(struct engine *e)
{
    for (uint32_t i = 0; i < e->n_pages; i++)
        e->page[i] = (struct ram_page){.blocks = NONE, .wmap = NONE, .lazy_next = NONE};
    memset(e->section_head, 0xff, (e->n_pages / LEAF_COUNT + 1) * sizeof(*e->section_head));
    e->lazy_head = NONE;
}

static uint32_t *wmap_next(struct engine *e, uint32_t handle)
{
    uint32_t vpn = handle & 0xfffff;
    struct view *w = &e->view[handle >> 20];
    return &e->leaf[w->l1[vpn / LEAF_COUNT] >> 12].wmap_next[vpn % LEAF_COUNT];
}

void wmap_add(struct engine *e, uint32_t page, unsigned view, uint32_t vpn)
{
    uint32_t handle = view << 20 | vpn;
    *wmap_next(e, handle) = e->page[page].wmap;
    e->page[page].wmap = handle;
}

void wmap_remove(struct engine *e, uint32_t page, unsigned view, uint32_t vpn)
{
    uint32_t handle = view << 20 | vpn;
    uint32_t *link = &e->page[page].wmap;

    while (*link != handle)
        link = wmap_next(e, *link);
    *link = *wmap_next(e, handle);
}

void page_make_code(struct engine *e, uint32_t page)
{
    struct ram_page *p = &e->page[page];
    uint64_t ram_off = (uint64_t)page * PAGE_SIZE;

    if (p->flags & (RP_CODE | RP_LAZY))
        return;

    alias_drop_page(e, page);
    soft_drop_page(e, page);
    /* Sections first: splitting them puts this page on the small list. */
    uint32_t s = e->section_head[page / LEAF_COUNT];
    while (s != NONE) {
        uint32_t next = e->view[s >> 12].section_next[s & 0xfff];
        view_split_section(e, s >> 12, s & 0xfff);
        s = next;
    }
    while (p->wmap != NONE) {
        uint32_t vpn = p->wmap & 0xfffff;
        unsigned n = p->wmap >> 20;
        uint32_t *entry = view_entry(e, &e->view[n], vpn << 12);
        plat_protect(e->plat, n, vpn << 12, PAGE_SIZE, ram_off, PLAT_R);
        *entry &= ~VE_WRITE;
        p->wmap = *wmap_next(e, p->wmap);
        e->v->stats->pages_protected++;
    }
    plat_flush(e->plat);
    p->flags |= RP_CODE;
    e->code_pages[page / LEAF_COUNT]++;
}

void page_announce_code(struct engine *e, uint32_t page)
{
    uint64_t *word = &e->shared->code_page[page / 64], bit = 1ull << page % 64;

    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
}

/* No block is made of this page any more. */
static void forget_code(struct engine *e, uint32_t page)
{
    __atomic_fetch_and(&e->shared->code_page[page / 64], ~(1ull << page % 64), __ATOMIC_RELAXED);
}

void page_written(struct engine *e, uint32_t page)
{
    struct ram_page *p = &e->page[page];

    if (!(p->flags & RP_CODE))
        return;
    p->flags &= ~RP_CODE;
    e->code_pages[page / LEAF_COUNT]--;
    e->v->stats->code_page_writes++;
    forget_code(e, page);
    if (p->blocks == NONE)
        return;
    block_kill_page(e, page);
    if (p->writes < RP_LAZY_AFTER) {
        p->writes++;
    } else {
        p->flags |= RP_LAZY;
        p->lazy_next = e->lazy_head;
        e->lazy_head = page;
    }
}

/* Kill the page's blocks that memory no longer agrees with; returns how many. */
static unsigned kill_changed(struct engine *e, uint32_t page)
{
    uint32_t l = e->page[page].blocks;
    unsigned killed = 0;

    while (l != NONE) {
        uint32_t b = l >> 1;
        const struct block *k = &e->block[b];
        l = k->page_next[l & 1];
        /* a straddling block is checked (and dies) with either page */
        uint8_t code[8];
        const uint8_t *p = ram_ptr(e->shared, k->pa, k->size);
        if (k->page[1] != NONE) {
            uint32_t head = PAGE_SIZE - k->pa % PAGE_SIZE;
            memcpy(code, ram_ptr(e->shared, k->pa, head), head);
            memcpy(code + head, ram_ptr(e->shared, page_pa(k->page[1]), k->size - head), k->size - head);
            p = code;
        }
        if (code_sum(p, k->size) != k->sum) {
            block_kill(e, b);
            killed++;
        }
    }
    return killed;
}

static void check_lazy(struct engine *e, uint32_t page)
{
    struct ram_page *p = &e->page[page];

    p->clean = kill_changed(e, page) ? 0 : p->clean + 1;
}

void page_lazy_check(struct engine *e, uint32_t page)
{
    if (page != NONE) {
        if (e->page[page].flags & RP_LAZY)
            check_lazy(e, page);
        return;
    }
    uint32_t *link = &e->lazy_head;
    while (*link != NONE) {
        uint32_t n = *link;
        struct ram_page *p = &e->page[n];
        check_lazy(e, n);
        if (p->blocks != NONE && p->clean < RP_CLEAN_ENOUGH) {
            link = &p->lazy_next;
            continue;
        }
        *link = p->lazy_next;
        p->flags &= ~RP_LAZY;
        p->clean = 0;
        if (p->blocks != NONE)
            page_make_code(e, n); /* has settled; its blocks look at nothing but the bytes they were checked for */
        else
            p->writes = 0; /* nothing left: an ordinary page again */
    }
}

static void written_by_device(struct engine *e, uint32_t page)
{
    e->v->stats->dma_pages++;
    if (e->page[page].flags & RP_LAZY) {
        kill_changed(e, page);
        return;
    }
    block_kill_page(e, page);
    forget_code(e, page);
}

void pages_serve_dma(struct engine *e)
{
    struct vm_shared *s = e->shared;

    if (!__atomic_load_n(&s->dma_pending, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&s->dma_pending, 0, __ATOMIC_SEQ_CST);
    for (uint32_t w = 0; w < (e->n_pages + 63) / 64; w++) {
        if (!__atomic_load_n(&s->dma_page[w], __ATOMIC_RELAXED))
            continue;
        for (uint64_t bits = __atomic_exchange_n(&s->dma_page[w], 0, __ATOMIC_SEQ_CST); bits; bits &= bits - 1) {
            uint32_t page = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (page < e->n_pages)
                written_by_device(e, page);
        }
    }
}

void engine_icache_all(struct vcpu *v)
{
    v->stats->icache_ops++;
    pages_serve_dma(v->engine);
    page_lazy_check(v->engine, NONE);
}

void engine_icache_va(struct vcpu *v, uint32_t va)
{
    struct engine *e = v->engine;
    struct guest_regime r;
    struct guest_translation t;

    v->stats->icache_ops++;
    pages_serve_dma(e);
    if (e->lazy_head == NONE)
        return;
    guest_current_regime(v, &r);
    if (guest_walk(v, &r, va, &t) == 0 && page_of(e, t.pa) != NONE)
        page_lazy_check(e, page_of(e, t.pa));
}
