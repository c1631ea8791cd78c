/*
 * Views against a model: random guest page tables, TLB maintenance, address-space switches, code pages. The test plays guest architecture and
 * platform; after every step what the windows show must be what the guest's tables (as of the last maintenance) allow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dbt/engine_impl.h>

#define VA_PAGES  2048u /* 8 MiB of guest addresses are used */
#define RAM_PAGES 4096u
#define SPACES    3u    /* address spaces: ttbr0 = asid = 0, 1, 2 */
#define RAM_VA    0x7000000000ul
#define VIEWS     5u    /* fewer than there are regimes: recycling happens */

struct pte {
    bool valid, section;
    uint32_t page;
    uint8_t rights, ng;
};

static uint64_t soft_entries; /* seen */

static struct {
    struct pte table[SPACES][VA_PAGES];
    uint32_t shown[VIEWS][VA_PAGES]; /* platform: 0 or page << 2 | rights */
    unsigned space, dacr, priv;
} m;

/* --- the guest architecture --- */

void guest_current_regime(const struct vcpu *v, struct guest_regime *r)
{
    (void)v;
    memset(r, 0, sizeof(*r));
    r->ttbr0 = r->asid = (uint16_t)m.space;
    r->dacr = m.dacr;
    r->priv = (uint8_t)m.priv;
}

int guest_walk(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t)
{
    uint32_t vpn = va >> 12;
    (void)v;
    if (vpn >= VA_PAGES)
        return 5;
    const struct pte *p = &m.table[r->ttbr0][vpn];
    if (!p->valid || (p->ng && r->dacr == 0)) /* domain 0: no access to user pages, like software PAN */
        return 7;
    *t = (struct guest_translation){
        .pa = page_pa(p->page) + va % PAGE_SIZE, .lg2 = p->section ? 20 : 12, .rights = r->priv ? p->rights | GUEST_RIGHT_R : p->rights, .ng = p->ng};
    return 0;
}

void guest_raise_abort(struct vcpu *v, uint32_t va, enum guest_access a, int code) { (void)v, (void)va, (void)a, (void)code, abort(); }
void guest_raise_external(struct vcpu *v, uint32_t va, enum guest_access a) { (void)v, (void)va, (void)a, abort(); }
uint32_t guest_block_flags(const struct vcpu *v) { (void)v; return 0; }
void guest_translate(struct vcpu *v, const struct guest_translate_in *in, struct ir_block *b) { (void)v, (void)in, (void)b, abort(); }
void guest_poll(struct vcpu *v) { (void)v; }
void guest_reset(struct vcpu *v) { (void)v; }
size_t guest_vcpu_size(void) { return sizeof(struct vcpu); }
int guest_print_state(const struct vcpu *v, char *buf, int cap) { (void)v, (void)buf, (void)cap; return 0; }

/* --- the host architecture: nothing is run --- */

uint32_t host_write_trampolines(uint8_t *rw, uint64_t rx, uint32_t cap, struct host_trampolines *out)
{
    (void)rw, (void)rx, (void)cap;
    out->size = 64;
    return 64;
}
int host_compile(const struct ir_block *b, const struct host_trampolines *t, uint64_t cache, uint8_t *rw, uint64_t rx, uint32_t cap,
                 const struct host_compile_opts *o, struct host_code *out)
{
    (void)b, (void)t, (void)cache, (void)rw, (void)rx, (void)cap, (void)o, (void)out;
    return -1;
}
void host_patch_jump(uint8_t *rw, uint64_t rx, uint64_t to) { (void)rx; memcpy(rw, &to, 4); }
void host_patch_guard(uint8_t *rw, uint64_t value) { memcpy(rw, &value, 8); }
uint32_t host_enter(struct vcpu *v, const struct host_trampolines *t, uint64_t c, uint64_t code) { (void)v, (void)t, (void)c, (void)code; abort(); }
void host_restore_state(struct vcpu *v, const struct host_fault_ctx *c, const struct host_fault_point *p) { (void)v, (void)c, (void)p; }
void host_resume_unwind(struct vcpu *v, const struct host_trampolines *t, uint64_t c, struct host_fault_ctx *x) { (void)v, (void)t, (void)c, (void)x; }
void ir_flag_liveness(struct ir_block *b) { (void)b; }
int fmt_vtext(char *buf, int cap, const char *fmt, va_list ap) { return vsnprintf(buf, (size_t)cap, fmt, ap); }
int fmt_text(char *buf, int cap, const char *fmt, ...) { (void)fmt; return cap ? buf[0] = 0 : 0; }

/* --- the platform --- */

uint64_t plat_window_base(struct platform *p, unsigned w) { (void)p; return 0x100000000000 + ((uint64_t)w << 33); }
void plat_map(struct platform *p, unsigned w, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    (void)p;
    assert_true(len > 0 && len % PAGE_SIZE == 0 && va % PAGE_SIZE == 0 && ram_off % PAGE_SIZE == 0);
    for (uint64_t i = 0; i < len / PAGE_SIZE; i++)
        if (va / PAGE_SIZE + i < VA_PAGES)
            m.shown[w][va / PAGE_SIZE + i] = (uint32_t)(ram_off / PAGE_SIZE + i) << 2 | rights;
}
void plat_protect(struct platform *p, unsigned w, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights)
{
    for (uint64_t i = 0; i < len / PAGE_SIZE; i++)
        assert_int_equal(m.shown[w][va / PAGE_SIZE + i] >> 2, ram_off / PAGE_SIZE + i); /* only what is mapped, and to what it is mapped */
    plat_map(p, w, va, len, ram_off, rights);
}
void plat_unmap(struct platform *p, unsigned w, uint32_t va, uint64_t len)
{
    (void)p;
    memset(&m.shown[w][va / PAGE_SIZE], 0, len / PAGE_SIZE * 4);
}
void plat_unmap_window(struct platform *p, unsigned w) { (void)p; memset(m.shown[w], 0, sizeof(m.shown[w])); }
void plat_flush(struct platform *p) { (void)p; }
void plat_code_ahead(struct platform *p, uint64_t off, uint64_t len) { (void)p, (void)off, (void)len; }
void plat_set_window(struct platform *p, unsigned w) { (void)p, (void)w; }
void plat_host_call(struct platform *p) { (void)p; abort(); }

/* --- checks --- */

static void check_code_pages(struct engine *e)
{
    for (unsigned n = 0; n < VIEWS; n++)
        for (unsigned vpn = 0; vpn < VA_PAGES; vpn++)
            if (m.shown[n][vpn] & PLAT_W)
                assert_false(e->page[m.shown[n][vpn] >> 2].flags & RP_CODE);
}

/* The view's books, the window and the model agree. `exact`: the tables have not changed since maintenance. */
static void check_view(struct engine *e, unsigned n, bool exact)
{
    struct view *w = &e->view[n];
    unsigned entries = 0;

    for (unsigned i = 0; i < L1_COUNT; i++) {
        if (w->l1[i] && !(w->l1[i] & VE_LEAF))
            entries++;
        for (unsigned k = 0; (w->l1[i] & VE_LEAF) && k < LEAF_COUNT; k++)
            entries += e->leaf[w->l1[i] >> 12].e[k] != 0;
    }
    assert_int_equal(entries, w->entries);
    for (unsigned vpn = 0; vpn < VA_PAGES; vpn++) {
        uint32_t entry = *view_entry(e, w, vpn << 12), shown = m.shown[n][vpn];
        struct guest_translation t;
        uint32_t page = w->l1[vpn / LEAF_COUNT] & VE_LEAF ? entry >> 12 : (entry >> 12) + vpn % LEAF_COUNT;

        assert_int_equal(!!(entry & VE_MAPPED), shown != 0);
        if (!shown)
            continue;
        assert_int_equal(page, shown >> 2);
        assert_int_equal(!!(entry & VE_WRITE), !!(shown & PLAT_W));
        if (!exact)
            continue;
        assert_int_equal(guest_walk(e->v, &w->regime, vpn << 12, &t), 0);
        assert_int_equal(page_of(e, t.pa), page);
        if (shown & PLAT_W)
            assert_true(t.rights & GUEST_RIGHT_W);
    }
}

/* A set slot says what the tables say, and can be written through. */
static void check_aliases(struct engine *e)
{
    unsigned live = 0;

    for (unsigned i = 0; i < ALIAS_SLOTS; i++) {
        uint32_t va = (e->alias_first + i) << 12;
        struct guest_translation t;
        if (!e->alias[i])
            continue;
        live++;
        assert_int_equal(guest_walk(e->v, &cur_view(e)->regime, va, &t), 0);
        assert_int_equal(e->alias[i] + va, (uintptr_t)ram_ptr(e->shared, t.pa, PAGE_SIZE));
        assert_true((t.rights & GUEST_RIGHT_R) && (t.rights & GUEST_RIGHT_W) && !t.ng && t.lg2 == 12);
        assert_false(e->page[page_of(e, t.pa)].flags & RP_CODE);
    }
    assert_int_equal(live, e->alias_n_live);
}

/* An entry of a software TLB says what the tables say, and writes reach no page of code. */
static void check_soft(struct engine *e, unsigned n)
{
    struct view *w = &e->view[n];
    struct guest_translation t;

    if (w->soft_gen != e->soft_gen) /* emptied before it is used */
        return;
    for (uint32_t i = 0; i < SOFT_TLB_SIZE; i++) {
        const struct soft_tlb_entry *s = &w->soft_tlb[i];
        if (soft_tlb_index(s->read) != i) {
            assert_int_not_equal(soft_tlb_index(s->write), i);
            continue;
        }
        soft_entries++;
        assert_true(w->soft_used);
        assert_int_equal(guest_walk(e->v, &w->regime, s->read, &t), 0);
        assert_int_equal(s->host, (uintptr_t)ram_ptr(e->shared, ALIGN_DOWN(t.pa, PAGE_SIZE), PAGE_SIZE));
        assert_true(t.rights & GUEST_RIGHT_R);
        if (soft_tlb_index(s->write) != i)
            continue;
        assert_int_equal(s->write, s->read);
        assert_true(t.rights & GUEST_RIGHT_W);
        assert_false(e->page[page_of(e, t.pa)].flags & RP_CODE);
    }
}

static void check_all(struct engine *e)
{
    check_code_pages(e);
    check_aliases(e);
    for (unsigned n = 0; n < VIEWS; n++)
        if (e->view[n].used && !e->view[n].stale)
            check_soft(e, n);
    for (unsigned n = 0; n < VIEWS; n++)
        if (e->view[n].used)
            check_view(e, n, n == e->cur || (e->view[n].owned && !e->view[n].stale));
}

/* --- random guests --- */

static unsigned rnd(unsigned n) { return (unsigned)(random() % n); }

static void set_page(unsigned vpn)
{
    bool ng = vpn < VA_PAGES / 2; /* lower half per process, upper half global */
    struct pte p = {.valid = rnd(4) != 0, .page = rnd(2) ? rnd(64) : 64 + vpn % 64, .rights = rnd(2) ? 7 : 5, .ng = ng}; /* scattered, or in order */

    for (unsigned s = 0; s < SPACES; s++) /* a section with a page in it has become a table */
        for (unsigned k = 0; k < LEAF_COUNT; k++)
            m.table[s][ALIGN_DOWN(vpn, LEAF_COUNT) + k].section = false;

    for (unsigned s = 0; s < SPACES; s++)
        if (!ng || s == m.space)
            m.table[s][vpn] = p;
}

static void set_section(unsigned i)
{
    struct pte p = {.valid = rnd(4) != 0, .section = true, .rights = rnd(3) ? 7 : 5, .page = (rnd(3) ? i : rnd(4)) * LEAF_COUNT};

    for (unsigned k = 0; k < LEAF_COUNT; k++, p.page++)
        for (unsigned s = 0; s < SPACES; s++)
            m.table[s][i * LEAF_COUNT + k] = p;
}

static void touch(struct engine *e, unsigned vpn)
{
    struct guest_translation t;
    bool write = rnd(2);

    if (guest_walk(e->v, &cur_view(e)->regime, vpn << 12, &t) != 0 || !(t.rights & (write ? GUEST_RIGHT_W : GUEST_RIGHT_R)))
        return;
    if (alias_covers(e, vpn << 12) && alias_set(e, vpn << 12, &t))
        return;
    if (rnd(2)) {
        soft_fill(e, vpn << 12, &t, write);
        return;
    }
    if (rnd(2))
        view_map_fault(e, e->cur, vpn << 12, &t, write);
    else
        view_map(e, e->cur, vpn << 12, &t, write);
    assert_true(m.shown[e->cur][vpn] & PLAT_R);
    assert_true(!write || (m.shown[e->cur][vpn] & PLAT_W)); /* else the access would fault for ever */
}

static struct engine *make_engine(struct vm_shared **out)
{
    struct vm_shared *s = calloc(1, sizeof(*s));

    *s = (struct vm_shared){.magic = ARMLET_ABI_MAGIC, .version = ARMLET_ABI_VERSION, .size = sizeof(*s), .ram_size = RAM_PAGES * PAGE_SIZE};
    s->config = (struct engine_config){.code_cache_bytes = 2u << 20, .view_count = VIEWS, .fault_around = 8};
    s->heap_size = engine_heap_size(&s->config, s->ram_size);
    s->heap_va = (uintptr_t)aligned_alloc(4096, ALIGN_UP(s->heap_size, 4096ul));
    memset((void *)s->heap_va, 0, s->heap_size);
    s->code_rw_va = s->code_rx_va = (uintptr_t)calloc(1, 2u << 20);
    memset(&m, 0, sizeof(m));
    struct engine *e = engine_create(s, NULL);
    assert_non_null(e);
    *out = s;
    return e;
}

static void free_engine(struct vm_shared *s)
{
    free((void *)s->heap_va);
    free((void *)s->code_rw_va);
    free(s);
}

static void random_guests(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++) {
        struct vm_shared *s;
        struct engine *e = make_engine(&s);
        srandom(seed);
        s->ram_va = RAM_VA; /* nothing is read there */
        e->cfg.flags |= seed % 3 ? ENGINE_MAP_RUNS : 0;
        if (seed % 2)
            alias_choose(e, (VA_PAGES / 2 + rnd(VA_PAGES / 2)) << 12);
        for (unsigned step = 0; step < 1500; step++) {
            unsigned vpn = rnd(VA_PAGES), asid = m.space;
            switch (rnd(8)) {
            case 0: /* change pages, maintain by address */
                for (unsigned k = rnd(4); k > 0; k--, vpn = rnd(VA_PAGES)) {
                    set_page(vpn);
                    engine_tlb_va(e->v, vpn << 12, vpn < VA_PAGES / 2 && rnd(2) ? (int)asid : -1);
                }
                break;
            case 1: /* change many of this address space, maintain by ASID */
                for (unsigned k = rnd(200); k > 0; k--)
                    set_page(rnd(VA_PAGES / 2));
                engine_tlb_asid(e->v, asid);
                break;
            case 2: /* sections and pages of the kernel, maintain all */
                if (rnd(3))
                    set_section(VA_PAGES / 2 / LEAF_COUNT + rnd(4));
                else
                    set_page(vpn);
                engine_tlb_all(e->v);
                break;
            case 3: /* switch */
                m.space = rnd(SPACES), m.dacr = rnd(2), m.priv = rnd(2);
                engine_regime_changed(e->v);
                break;
            case 4: /* code is translated from a page */
                page_make_code(e, rnd(RAM_PAGES / 4));
                break;
            case 5: {
                struct guest_translation t;
                if (guest_walk(e->v, &cur_view(e)->regime, vpn << 12, &t) == 0)
                    view_note_exec(e, e->cur, vpn << 12, &t);
                break;
            }
            default:
                for (unsigned k = rnd(8); k > 0; k--)
                    touch(e, rnd(VA_PAGES));
            }
            check_all(e);
        }
        free_engine(s);
    }
    assert_true(soft_entries > 10000);
}

/* The kernel's view under software PAN serves every process: switching allocates nothing and forgets nothing. */
static void global_view_is_shared(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);

    (void)state;
    srandom(1);
    for (unsigned i = 4; i < 8; i++)
        do
            set_section(i);
        while (!m.table[0][i * LEAF_COUNT].valid);
    m.priv = 1;
    engine_regime_changed(e->v);
    unsigned view = e->cur;
    while (e->view[view].entries == 0)
        touch(e, 5 * LEAF_COUNT + 3);
    for (m.space = 0; m.space < SPACES; m.space++) {
        engine_regime_changed(e->v);
        assert_int_equal(e->cur, view);
    }
    assert_true(e->view[view].entries > 0);
    assert_int_equal(s->stats.view_recycles, 0);
    free_engine(s);
}

/* So does the one in which the kernel reaches user pages, as long as it does so through the software TLB: which is emptied instead. */
static void soft_entries_do_not_own(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);
    struct guest_translation t;
    const uint32_t va = 7 << 12;

    (void)state;
    m.priv = m.dacr = 1;
    for (m.space = 0; m.space < 2; m.space++)
        m.table[m.space][7] = (struct pte){.valid = true, .page = 10 + m.space, .rights = 7, .ng = 1};
    m.space = 0;
    engine_regime_changed(e->v);
    unsigned view = e->cur;
    assert_int_equal(guest_walk(e->v, &cur_view(e)->regime, va, &t), 0);
    soft_fill(e, va, &t, true);
    assert_int_equal(e->view[view].soft_tlb[7].read, va);
    m.space = 1;
    engine_regime_changed(e->v);
    assert_int_equal(e->cur, view);
    assert_int_equal(e->v->soft_tlb, e->view[view].soft_tlb);
    assert_int_not_equal(e->v->soft_tlb[7].read, va);
    assert_int_not_equal(e->v->soft_tlb[7].write, va);

    /* Maintenance of the address space takes its entries away, also in a view that is not in use. */
    assert_int_equal(guest_walk(e->v, &cur_view(e)->regime, va, &t), 0);
    soft_fill(e, va, &t, false);
    m.priv = 0;
    engine_regime_changed(e->v);
    assert_int_not_equal(e->cur, view);
    engine_tlb_asid(e->v, 2);
    assert_int_equal(e->view[view].soft_tlb[7].write, va);
    engine_tlb_asid(e->v, 1);
    assert_int_not_equal(e->view[view].soft_tlb[7].write, va);
    free_engine(s);
}

static uint32_t fake_block(struct engine *e, uint32_t page)
{
    struct host_code hc = {.size = 16};
    struct block key = {.pc = page << 12, .pa = (uint32_t)page_pa(page), .size = 4, .page = {page, NONE}};

    page_make_code(e, page);
    page_announce_code(e, page);
    return block_insert(e, block_reserve(e, 64, false), &key, &hc);
}

/* What a device writes to kills the blocks of that page and no others, also where the engine does not write-protect. */
static void device_writes(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);

    (void)state;
    s->ram_va = (uintptr_t)calloc(RAM_PAGES, PAGE_SIZE);
    uint32_t a = fake_block(e, 70), b = fake_block(e, 71), lazy = fake_block(e, 200);
    assert_int_equal(s->code_page[1], 3ul << 6);
    s->dma_page[1] = 1ul << 6;
    pages_serve_dma(e); /* nothing said yet */
    assert_true(e->block[a].live);
    s->dma_pending = 1;
    engine_icache_all(e->v);
    assert_false(e->block[a].live);
    assert_true(e->block[b].live);
    assert_int_equal(s->dma_pending, 0);
    assert_int_equal(s->dma_page[1], 0);
    assert_int_equal(s->code_page[1], 2ul << 6);

    e->page[200].flags |= RP_LAZY;
    e->block[lazy].sum ^= 1; /* its bytes are not what they were */
    s->dma_page[200 / 64] = 1ul << 200 % 64;
    s->dma_pending = 1;
    pages_serve_dma(e);
    assert_false(e->block[lazy].live);
    assert_int_equal(s->stats.dma_pages, 2);
    free((void *)s->ram_va);
    free_engine(s);
}

/* --- accesses by helpers --- */

/* They remember a translation until there is maintenance, or other tables, rights or addresses. */
static void helpers_see_changes(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);

    (void)state;
    s->ram_va = (uintptr_t)calloc(RAM_PAGES, PAGE_SIZE);
    for (uint32_t p = 100; p < 110; p++)
        memcpy((void *)ram_ptr(s, page_pa(p), 4), &p, sizeof(p));
    m.dacr = 1;
    m.space = m.priv = 0;
    engine_regime_changed(e->v);
    m.table[0][5] = (struct pte){.valid = true, .page = 100, .rights = GUEST_RIGHT_R | GUEST_RIGHT_W};
    m.table[1][5] = (struct pte){.valid = true, .page = 101, .rights = GUEST_RIGHT_R};
    m.table[0][6] = (struct pte){.valid = true, .page = 102, .rights = GUEST_RIGHT_R};
    assert_int_equal(guest_mem_read(e->v, 0x5000, 4), 100);
    assert_int_equal(guest_mem_read(e->v, 0x6000, 4), 102);
    assert_int_equal(guest_mem_read(e->v, 0x5000, 4), 100);
    assert_int_equal(guest_mem_read(e->v, 0x5ffe, 4), 102u << 16);
    for (unsigned round = 0; round < 4; round++) {
        m.table[0][5].page = 103 + round;
        if (round == 0)
            engine_tlb_va(e->v, 0x5000, 0);
        else if (round == 1)
            engine_tlb_asid(e->v, 0);
        else if (round == 2)
            engine_tlb_all(e->v);
        else
            engine_tlb_va(e->v, 0x5000, -1);
        engine_tlb_barrier(e->v);
        assert_int_equal(guest_mem_read(e->v, 0x5000, 4), 103 + round);
    }
    m.space = 1;
    engine_regime_changed(e->v);
    assert_int_equal(guest_mem_read(e->v, 0x5000, 4), 101);
    m.space = 0;
    engine_regime_changed(e->v);
    guest_mem_write(e->v, 0x5004, 77, 4);
    assert_int_equal(guest_mem_read(e->v, 0x5004, 4), 77);
    free((void *)s->ram_va);
    free_engine(s);
}

/* --- position-independent code --- */

static void new_processes_have_pic(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);
    struct view *w = &e->view[1];

    (void)state;
    w->regime.priv = 0;
    assert_false(pic_wanted(e, w));
    assert_true(pic_begin(e, w));
    unsigned polls = 0;
    for (; pic_wanted(e, w); polls++)
        pic_polled(w);
    assert_in_range(polls, 2, 50); /* some milliseconds */
    assert_false(pic_begin(e, w)); /* it is there to stay */
    w->used = true;
    view_drop(e, 1);
    assert_true(pic_begin(e, w));
    view_drop(e, 1);
    w->regime.priv = 1;
    assert_false(pic_begin(e, w));
    w->regime.priv = 0;
    e->cfg.pic = ENGINE_PIC_NEVER;
    assert_false(pic_begin(e, w));
    e->cfg.pic = ENGINE_PIC_ALWAYS;
    assert_true(pic_wanted(e, w));
    free_engine(s);
}

/* --- instructions that fault --- */

#define SITE_PAGE 80u
#define SITE_OFF  8u /* of the access in the host code, and of the instruction behind the block's first */

/* A block of two instructions, of which the second accesses memory. */
static uint32_t access_block(struct engine *e, uint32_t pc, uint32_t offset)
{
    struct host_code hc = {.size = 16, .n_faults = 1, .fault = {{.code_off = SITE_OFF, .pc = pc + SITE_OFF, .bytes = 4}}};
    struct block key = {.pc = pc, .pa = (uint32_t)page_pa(SITE_PAGE) + offset, .size = 12, .page = {SITE_PAGE, NONE}};

    return block_insert(e, block_reserve(e, 64, false), &key, &hc);
}

/* After so many faults an instruction is to go through the software TLB, and no block that was made before may be used or copied. */
static void faults_make_sites(void **state)
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);

    (void)state;
    e->cfg.soft_after = 3;
    uint32_t a = access_block(e, 0x10000, 0), copy = access_block(e, 0x50000, 0), other = access_block(e, 0x10100, 0x100);
    uint32_t site = fault_site(e, a, &e->fault[e->block[a].first_fault]), cold[FAULT_COUNT_SLOTS];
    assert_int_equal(site, page_pa(SITE_PAGE) + SITE_OFF);
    for (unsigned k = 0; k < ARRAY_LEN(cold); k++) /* once each, more than can be counted: they do not hide the one that comes again */
        assert_false(site_faulted(e, (uint32_t)page_pa(90) + 4 * k, a));
    unsigned faults = 1;
    while (!site_faulted(e, site, a))
        faults++;
    assert_in_range(faults, 3, 5);
    assert_int_equal(site_kind(e, site), ACCESS_SOFT);
    assert_true(site_outdates(e, a));
    assert_true(site_outdates(e, copy));
    assert_false(site_outdates(e, other));
    uint32_t anew = access_block(e, 0x10000, 0);
    assert_false(site_outdates(e, anew));
    assert_false(site_faulted(e, site, anew)); /* it cannot be made to look the page up, or it would have been */
    assert_true(site_faulted(e, site, copy));

    site_return(e, site);
    assert_int_equal(site_kind(e, site), ACCESS_PLAIN);
    assert_true(site_outdates(e, anew));
    for (faults = 1; !site_faulted(e, site, a); faults++)
        assert_true(faults < 100);
    assert_int_equal(faults, 3 * 8);

    /* The others of a block go along, but for those that have been given back. */
    struct host_code hc = {.size = 16, .n_faults = 3, .fault = {{.code_off = 2, .pc = 0x20000}, {.code_off = 4, .pc = 0x20004}, {.code_off = 6, .pc = 0x20008}}};
    struct block key = {.pc = 0x20000, .pa = (uint32_t)page_pa(SITE_PAGE) + 0x200, .size = 12, .page = {SITE_PAGE, NONE}};
    uint32_t three = block_insert(e, block_reserve(e, 64, false), &key, &hc);
    site_return(e, key.pa + 8);
    while (!site_faulted(e, key.pa + 4, three))
        ;
    assert_int_equal(site_kind(e, key.pa), ACCESS_SOFT);
    assert_int_equal(site_kind(e, key.pa + 8), ACCESS_PLAIN);

    e->cfg.soft_after = 0;
    site_return(e, site);
    for (faults = 0; faults < 1000; faults++)
        assert_false(site_faulted(e, site, a));
    free_engine(s);
}

static void renew_space(struct engine *e) { engine_tlb_asid(e->v, 0); }
static void renew_other(struct engine *e) { engine_tlb_asid(e->v, 1); }
static void renew_all(struct engine *e) { engine_tlb_all(e->v); }

/* `rounds` times an access to each of `pages` pages by one instruction; before each round, perhaps, address spaces become new ones. */
static bool stays_soft(unsigned pages, unsigned rounds, void (*renew)(struct engine *e))
{
    struct vm_shared *s;
    struct engine *e = make_engine(&s);

    s->ram_va = RAM_VA;
    m.dacr = 1;
    for (unsigned vpn = 0; vpn < pages; vpn++)
        m.table[0][vpn] = (struct pte){.valid = true, .page = 100 + vpn, .rights = 7, .ng = 1};
    engine_regime_changed(e->v);
    uint32_t b = access_block(e, 0x10000, 0), site = (uint32_t)page_pa(SITE_PAGE) + SITE_OFF;
    site_set(e, site, ACCESS_SOFT);
    for (unsigned n = 0; n < rounds * pages && site_kind(e, site) == ACCESS_SOFT; n++) {
        uint32_t va = n % pages << 12;
        if (renew && n % pages == 0)
            renew(e);
        if (--e->v->soft_hits >= 0 && e->v->soft_tlb[soft_tlb_index(va)].read == va)
            continue;
        struct host_fault_ctx ctx = {.rip = e->code_rx + e->block[b].code + SITE_OFF};
        e->v->soft_va = va;
        e->v->soft_miss(e, &ctx);
        if (site_kind(e, site) == ACCESS_SOFT) /* not given back */
            assert_int_equal(e->v->soft_host, (uintptr_t)ram_ptr(s, page_pa(100 + n % pages), PAGE_SIZE));
    }
    bool soft = site_kind(e, site) == ACCESS_SOFT;
    assert_int_equal(s->stats.soft_returned, !soft);
    free_engine(s);
    return soft;
}

/* Lookups are for address spaces that come and go; to go round more pages than the table has, or few pages often, is better done in the window. */
static void lookups_have_to_pay(void **state)
{
    (void)state;
    assert_true(stays_soft(200, 500, renew_space));
    assert_true(stays_soft(200, 500, renew_all));
    assert_false(stays_soft(200, 500, renew_other));
    assert_false(stays_soft(200, 500, NULL));
    assert_false(stays_soft(2, 20000, NULL));
    assert_true(stays_soft(100, 10, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_guests), cmocka_unit_test(global_view_is_shared), cmocka_unit_test(soft_entries_do_not_own),
                                       cmocka_unit_test(helpers_see_changes), cmocka_unit_test(new_processes_have_pic), cmocka_unit_test(faults_make_sites), cmocka_unit_test(lookups_have_to_pay),
                                       cmocka_unit_test(device_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
