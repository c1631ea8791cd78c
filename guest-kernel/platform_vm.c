/*
 * platform_vm.c: the engine's platform inside the VM: windows are stretches of the VM's own page tables, edited from CPL 3.
 *
 *   PML4 -> PDPT (64 windows share one) -> PD (four for a window) -> PT
 *
 * What a removal costs decides the shape. Leaf tables are written at full speed even under a shadow MMU, which looks at them again when
 * something is flushed; a write to an upper level traps there (5 to 25 us). So a table once linked stays linked: emptying a window clears
 * the leaf entries it has, counted by table, and the next address space that uses the window finds its tables in place. Only when the pool
 * of table pages runs dry are windows taken apart, the one longest not mapped into first.
 *
 * Removals are collected until plat_flush(): up to GATE_LIST pages are dropped by one trip to CPL 0 with an invlpg for each, more by
 * reloading CR3. A page-table page that was unlinked is not used again before that. Adding a mapping or a right needs no flush: the
 * processor keeps no entries for what is not present, and drops a read-only one when a write faults on it; page_fault() knows such faults.
 */
#include <guest-kernel/kernel.h>

#define TABLE_ENTRIES 512u
#define NO_PAGE       0u /* pool page 0 is the host's PML4 */

struct window {
    uint64_t *pd[4];
    uint64_t filled[4][TABLE_ENTRIES / 64]; /* bit i: entry i of the directory is not empty */
    uint64_t stamp;                         /* of the last mapping, for reclaiming */
    uint32_t tables;                        /* leaf tables linked */
};

struct platform {
    uint64_t *pml4;
    uint64_t clock;
    uint32_t windows;

    /* pages for tables */
    uint32_t pool_pages;
    uint32_t pool_fresh;   /* first page never used */
    uint32_t free_list;    /* linked through next[] */
    uint32_t pending_list; /* unlinked, to be free after the next flush */
    uint32_t *next;        /* by pool page */
    uint16_t *used;        /* by pool page: present entries of a leaf table */

    /* to be flushed */
    uint32_t flush_count;
    bool flush_all;

    struct window window[VM_WINDOW_MAX];
};

static struct platform the_platform;

/* --- the pool --- */

static uint64_t *pool_page(uint32_t n)
{
    return (uint64_t *)(uintptr_t)(VM_POOL_BASE + (uint64_t)n * VM_PAGE);
}

static uint32_t pool_number(const uint64_t *page)
{
    return (uint32_t)(((uintptr_t)page - VM_POOL_BASE) / VM_PAGE);
}

static void pool_release(struct platform *p, uint64_t *page)
{
    uint32_t n = pool_number(page);

    p->next[n] = p->pending_list;
    p->pending_list = n;
    p->flush_all = true;
    boot->pool_in_use--;
}

static void take_apart(struct platform *p, unsigned w);

/* Unlink a whole window to get its table pages back: of those other than `keep`, the one mapped into longest ago. */
static void reclaim(struct platform *p, unsigned keep)
{
    unsigned victim = keep;

    for (unsigned w = 0; w < p->windows; w++)
        if (w != keep && p->window[w].tables != 0 && (victim == keep || p->window[w].stamp < p->window[victim].stamp))
            victim = w;
    if (victim == keep)
        kernel_die("one window alone needs more than %u page-table pages", p->pool_pages);
    take_apart(p, victim);
    plat_flush(p);
    boot->pool_reclaims++;
}

/* A zeroed page. May take other windows apart, never `w`. */
static uint64_t *pool_take(struct platform *p, unsigned w)
{
    uint32_t n;

    while (p->free_list == NO_PAGE && p->pool_fresh == p->pool_pages) {
        if (p->pending_list != NO_PAGE)
            plat_flush(p);
        else
            reclaim(p, w);
    }
    boot->pool_in_use++;
    if (p->free_list == NO_PAGE) { /* fresh: zero already */
        n = p->pool_fresh++;
        p->used[n] = 0;
        return pool_page(n);
    }
    n = p->free_list;
    p->free_list = p->next[n];
    p->used[n] = 0;
    uint64_t *page = pool_page(n);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) /* reading is free, writing a former upper-level table is not */
        if (page[i] != 0)
            page[i] = 0;
    return page;
}

static void mark(struct window *w, uint32_t va, bool filled)
{
    uint64_t *word = &w->filled[va >> 30][va >> 27 & 7], bit = 1ull << (va >> 21 & 63);

    *word = filled ? *word | bit : *word & ~bit;
}

static void set(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE); /* one store: the walker never sees half an entry */
}

/* --- flushing --- */

static void flush_page(struct platform *p, uint64_t va)
{
    if (p->flush_count < GATE_LIST)
        gate_list[GATE_LIST - 1 - p->flush_count++] = va;
    else
        p->flush_all = true;
}

void plat_flush(struct platform *p)
{
    if (p->flush_all) {
        gate_enter(gate_cr3);
        boot->gates_cr3++;
    } else if (p->flush_count != 0) {
        gate_enter(gate_invlpg + GATE_INVLPG_BYTES * (GATE_LIST - p->flush_count));
        boot->gates_invlpg++;
    } else {
        return;
    }
    shared->stats.privileged_ops++;
    p->flush_all = false;
    p->flush_count = 0;
    while (p->pending_list != NO_PAGE) {
        uint32_t n = p->pending_list;
        p->pending_list = p->next[n];
        p->next[n] = p->free_list;
        p->free_list = n;
    }
}

/* --- walking --- */

uint64_t plat_window_base(struct platform *p, unsigned window)
{
    (void)p;
    return VM_WINDOW_BASE + window * VM_WINDOW_STRIDE;
}

static uint64_t *pdpt_entry(struct platform *p, unsigned window, uint32_t va)
{
    uint64_t a = plat_window_base(p, window) + va;
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(p->pml4[a >> 39] & X86_PTE_ADDR);

    return &pdpt[a >> 30 & 511];
}

static uint64_t *pd_entry(struct platform *p, unsigned window, uint32_t va)
{
    uint64_t *pd = p->window[window].pd[va >> 30];

    return pd != NULL ? &pd[va >> 21 & 511] : NULL;
}

static uint64_t *table_of(uint64_t pde)
{
    return (uint64_t *)(uintptr_t)(pde & X86_PTE_ADDR);
}

static bool is_table(uint64_t pde)
{
    return (pde & (X86_PTE_P | X86_PTE_LARGE)) == X86_PTE_P;
}

static uint64_t *pd_entry_make(struct platform *p, unsigned window, uint32_t va)
{
    struct window *w = &p->window[window];

    if (w->pd[va >> 30] == NULL) {
        uint64_t *pd = pool_take(p, window);
        w->pd[va >> 30] = pd;
        set(pdpt_entry(p, window, va), (uintptr_t)pd | X86_PTE_TABLE);
    }
    return pd_entry(p, window, va);
}

/* The leaf table for va, made if need be: empty, or the pages of the large page that was there. */
static uint64_t *leaf_table_make(struct platform *p, unsigned window, uint32_t va)
{
    uint64_t *pde = pd_entry_make(p, window, va);
    uint64_t old = *pde;

    if (is_table(old))
        return table_of(old);
    uint64_t *pt = pool_take(p, window);
    if (old & X86_PTE_P) {
        uint64_t e = old & ~(uint64_t)X86_PTE_LARGE;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            pt[i] = e + (uint64_t)i * VM_PAGE;
        p->used[pool_number(pt)] = TABLE_ENTRIES;
        flush_page(p, plat_window_base(p, window) + va);
    }
    p->window[window].tables++;
    mark(&p->window[window], va, true);
    set(pde, (uintptr_t)pt | X86_PTE_TABLE);
    return pt;
}

static uint64_t leaf(uint64_t ram_off, unsigned rights)
{
    return (VM_RAM_BASE + ram_off) | X86_PTE_PAGE | X86_PTE_NX | (rights & PLAT_W ? X86_PTE_W : 0);
}

/* Does going from one present entry to another take something away? */
static bool weakens(uint64_t old, uint64_t new)
{
    return ((old ^ new) & X86_PTE_ADDR) != 0 || (old & (X86_PTE_W | X86_PTE_P) & ~new) != 0;
}

static void set_leaf(struct platform *p, uint64_t *pt, unsigned i, uint64_t new, uint64_t va)
{
    uint64_t old = pt[i];

    if (old == new)
        return;
    set(&pt[i], new);
    if (old & X86_PTE_P) {
        if (weakens(old, new))
            flush_page(p, va);
        if (new == 0)
            p->used[pool_number(pt)]--;
    } else {
        p->used[pool_number(pt)]++;
    }
}

/* Empty a leaf table; the caller sees to the flush. */
static void clear_table(struct platform *p, uint64_t *pt)
{
    uint16_t *used = &p->used[pool_number(pt)];

    for (unsigned i = 0; *used != 0; i++) {
        if (pt[i] != 0) {
            set(&pt[i], 0);
            (*used)--;
        }
    }
}

/* A page-directory entry becomes a large page or nothing. */
static void set_large(struct platform *p, unsigned window, uint64_t *pde, uint64_t new, uint64_t va)
{
    uint64_t old = *pde;

    if (old == new)
        return;
    mark(&p->window[window], (uint32_t)(va - plat_window_base(p, window)), new != 0);
    set(pde, new);
    if (is_table(old)) {
        p->window[window].tables--;
        pool_release(p, table_of(old));
    } else if ((old & X86_PTE_P) && weakens(old, new)) {
        flush_page(p, va);
    }
}

/* --- the interface --- */

/* Bytes from va to the next 2 MiB boundary, but no more than len. */
static uint64_t step(uint32_t va, uint64_t len)
{
    uint64_t to_boundary = VM_LARGE_PAGE - (va & (VM_LARGE_PAGE - 1));

    return len < to_boundary ? len : to_boundary;
}

void plat_map(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    uint64_t base = plat_window_base(p, window), n;

    p->window[window].stamp = ++p->clock;
    for (; len != 0; va += (uint32_t)n, ram_off += n, len -= n) {
        n = step(va, len);
        uint64_t new = leaf(ram_off, rights);
        if (n == VM_LARGE_PAGE && ram_off % VM_LARGE_PAGE == 0) {
            set_large(p, window, pd_entry_make(p, window, va), new | X86_PTE_LARGE, base + va);
            continue;
        }
        uint64_t *pt = leaf_table_make(p, window, va);
        for (uint64_t o = 0; o < n; o += VM_PAGE)
            set_leaf(p, pt, (uint32_t)(va + o) >> 12 & 511, new + o, base + va + o);
    }
}

void plat_protect(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    uint64_t base = plat_window_base(p, window), n;
    const uint64_t w = rights & PLAT_W ? X86_PTE_W : 0;

    (void)ram_off; /* the tables know */
    for (; len != 0; va += (uint32_t)n, len -= n) {
        n = step(va, len);
        uint64_t *pde = pd_entry(p, window, va);
        if (pde == NULL || !(*pde & X86_PTE_P) || (!is_table(*pde) && (*pde & X86_PTE_W) == w))
            continue;
        if (!is_table(*pde) && n == VM_LARGE_PAGE) {
            set_large(p, window, pde, (*pde & ~(uint64_t)X86_PTE_W) | w, base + va);
            continue;
        }
        uint64_t *pt = leaf_table_make(p, window, va);
        for (uint64_t o = 0; o < n; o += VM_PAGE) {
            unsigned i = (uint32_t)(va + o) >> 12 & 511;
            if (pt[i] & X86_PTE_P)
                set_leaf(p, pt, i, (pt[i] & ~(uint64_t)X86_PTE_W) | w, base + va + o);
        }
    }
}

void plat_unmap(struct platform *p, unsigned window, uint32_t va, uint64_t len)
{
    uint64_t base = plat_window_base(p, window), n;

    for (; len != 0; va += (uint32_t)n, len -= n) {
        n = step(va, len);
        uint64_t *pde = pd_entry(p, window, va);
        if (pde == NULL || !(*pde & X86_PTE_P))
            continue;
        if (!is_table(*pde) && n == VM_LARGE_PAGE) {
            set_large(p, window, pde, 0, base + va);
            continue;
        }
        uint64_t *pt = leaf_table_make(p, window, va);
        if (n == VM_LARGE_PAGE && p->used[pool_number(pt)] > GATE_LIST) {
            clear_table(p, pt);
            p->flush_all = true;
            continue;
        }
        for (uint64_t o = 0; o < n && p->used[pool_number(pt)] != 0; o += VM_PAGE)
            set_leaf(p, pt, (uint32_t)(va + o) >> 12 & 511, 0, base + va + o);
    }
}

void plat_unmap_window(struct platform *p, unsigned window)
{
    struct window *w = &p->window[window];

    for (unsigned n = 0; n < 4 * TABLE_ENTRIES / 64; n++) {
        uint64_t *word = &w->filled[n / 8][n % 8];
        for (uint64_t left = *word; left != 0; left &= left - 1) {
            unsigned i = n % 8 * 64 + (unsigned)__builtin_ctzll(left);
            uint64_t *pde = &w->pd[n / 8][i];
            if (!is_table(*pde)) {
                set(pde, 0);
                *word &= ~(left & -left);
                p->flush_all = true;
            } else if (p->used[pool_number(table_of(*pde))] != 0) {
                clear_table(p, table_of(*pde));
                p->flush_all = true;
            }
        }
    }
}

/* Unlink all tables of a window and give their pages back. */
static void take_apart(struct platform *p, unsigned window)
{
    struct window *w = &p->window[window];

    for (uint32_t g = 0; g < 4; g++) {
        uint64_t *pd = w->pd[g];
        if (pd == NULL)
            continue;
        set(pdpt_entry(p, window, g << 30), 0);
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            if (is_table(pd[i]))
                pool_release(p, table_of(pd[i]));
        pool_release(p, pd);
        w->pd[g] = NULL;
    }
    memset(w->filled, 0, sizeof(w->filled));
    w->tables = 0;
}

void plat_set_window(struct platform *p, unsigned window)
{
    __asm__ volatile("wrgsbase %0" : : "r"(plat_window_base(p, window)) : "memory");
}

void plat_code_ahead(struct platform *p, uint64_t off, uint64_t len)
{
    (void)p, (void)off, (void)len; /* it has large pages */
}

void plat_host_call(struct platform *p)
{
    (void)p;
    __asm__ volatile("outb %%al, %0" : : "i"(VM_PORT_HOSTCALL) : "memory");
}

/* --- for the fault handler --- */

/* The entry that decides about addr, or NULL. */
static uint64_t *decisive_entry(struct platform *p, uint64_t addr)
{
    uint64_t off = addr - VM_WINDOW_BASE;
    uint64_t window = off / VM_WINDOW_STRIDE, va = off % VM_WINDOW_STRIDE;

    if (window >= p->windows || va >= VM_WINDOW_SIZE)
        return NULL;
    uint64_t *pde = pd_entry(p, (unsigned)window, (uint32_t)va);
    return pde != NULL && is_table(*pde) ? &table_of(*pde)[va >> 12 & 511] : pde;
}

bool platform_maps(struct platform *p, uint64_t addr, bool is_write)
{
    uint64_t *e = decisive_entry(p, addr);
    uint64_t need = X86_PTE_P | (is_write ? X86_PTE_W : 0);

    return e != NULL && (*e & need) == need;
}

void platform_drop_page(struct platform *p, uint64_t addr)
{
    flush_page(p, addr);
    plat_flush(p);
}

struct platform *platform_init(void)
{
    struct platform *p = &the_platform;
    const uint32_t windows = boot->windows;

    if (windows == 0 || windows > VM_WINDOW_MAX)
        kernel_die("%u windows were asked for; the VM has room for 1 to %u", windows, VM_WINDOW_MAX);
    p->pml4 = (uint64_t *)(uintptr_t)boot->pml4;
    p->windows = windows;
    p->pool_pages = boot->pool_pages;
    p->pool_fresh = boot->pool_used;

    /* The book-keeping of the pool stands in its first free pages. */
    uint64_t bytes = (uint64_t)p->pool_pages * (sizeof(p->next[0]) + sizeof(p->used[0]));
    p->next = (uint32_t *)pool_page(p->pool_fresh);
    p->used = (uint16_t *)(p->next + p->pool_pages);
    p->pool_fresh += (uint32_t)((bytes + VM_PAGE - 1) / VM_PAGE);

    for (unsigned w = 0; w < windows; w += 64) {
        if (p->pool_fresh >= p->pool_pages)
            kernel_die("%u page-table pages do not suffice for %u windows", p->pool_pages, windows);
        p->pml4[plat_window_base(p, w) >> 39] = (uintptr_t)pool_take(p, w) | X86_PTE_TABLE;
    }
    return p;
}
