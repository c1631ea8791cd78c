/*
 * softtlb.c: the software TLB, for instructions that fault again and again.
 *
 * Mapping a page into a window at a fault is worth it when the page is used much: every later access is one host instruction. A program
 * that is started, touches each of its pages a little and ends, over and over, spends its time on faults instead. The instructions that
 * fault there are few, though, and always the same ones. They look for the page in a table of their view first (arch/x86/lookup.c), which
 * costs them some ten host instructions, and call soft_miss() when it is not there: a walk of the guest's tables, and the page is in the
 * table, or the guest has its abort; there is neither a signal nor a mapping.
 *
 * A view is not owned for what stands here: the kernel's view in which it reaches user pages then serves all processes, and keeps what it
 * has mapped of the kernel. Entries of one address space are dropped when the view is entered for another.
 *
 * An entry holds what the guest's tables said when they were walked and is dropped by the same TLB maintenance as a mapping. Views with
 * an entry are in engine.group_views for it. Pages that come to hold code lose their entries for writing: all tables are emptied then
 * (engine.soft_gen), since nobody knows which have one.
 *
 * Lookups are paid for by faults they save, each of which allows HITS_PER_FAULT more of them: aborts of the guest, and misses while the
 * address space is young. Of one that has had YOUNG_MISSES everything would be mapped: then a miss is a loss. An instruction that uses up
 * what is there is better off with mappings and translated back.
 */
#include <dbt/engine_impl.h>

#define HITS_PER_FAULT 512
#define HITS_MAX       (16 * HITS_PER_FAULT)
#define YOUNG_MISSES   512
#define MISS_HITS      64 /* what a miss costs, in lookups that hit */
#define NEAR_END_HITS  32 /* the same of a lookup near the end of a page, which is left to soft_miss() */

static inline void match_nothing(struct view *w, uint32_t i)
{
    w->soft_tlb[i].read = w->soft_tlb[i].write = soft_tlb_none(i);
}

void soft_clear(struct view *w)
{
    for (uint32_t i = 0; i < SOFT_TLB_SIZE; i++)
        match_nothing(w, i);
    memset(w->soft_large, 0, sizeof(w->soft_large));
    w->soft_used = w->soft_ng = false;
}

static void clear_entry(struct view *w, uint32_t i)
{
    match_nothing(w, i);
    w->soft_large[i / 64] &= ~(1ull << i % 64);
}

void soft_forget(struct view *w, uint32_t va)
{
    if (!w->soft_used)
        return;
    clear_entry(w, soft_tlb_index(va));
    for (unsigned word = 0; word < ARRAY_LEN(w->soft_large); word++) /* of what may have been translated by the same block */
        for (uint64_t bits = w->soft_large[word]; bits; bits &= bits - 1) {
            uint32_t i = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (w->giant || (w->soft_tlb[i].read ^ va) >> 20 < GROUP_SIZE)
                clear_entry(w, i);
        }
}

void soft_enter(struct engine *e, struct view *w, const struct guest_regime *r)
{
    if (w->soft_gen != e->soft_gen || (w->soft_ng && (r->ttbr0 != w->regime.ttbr0 || r->asid != w->regime.asid))) {
        soft_clear(w);
        w->soft_gen = e->soft_gen;
    }
    e->v->soft_tlb = w->soft_tlb;
}

void soft_drop_page(struct engine *e, uint32_t page)
{
    if (!(e->page[page].flags & RP_SOFT))
        return;
    e->page[page].flags &= ~RP_SOFT;
    e->soft_gen++;
    soft_enter(e, cur_view(e), &cur_view(e)->regime);
}

void soft_fill(struct engine *e, uint32_t va, const struct guest_translation *t, bool write)
{
    struct view *w = cur_view(e);
    uint32_t i = soft_tlb_index(va), page = page_of(e, t->pa), at = ALIGN_DOWN(va, PAGE_SIZE);
    struct soft_tlb_entry *s = &w->soft_tlb[i];

    if (write)
        page_written(e, page);
    view_hold(e, e->cur, t);
    e->group_views[(va >> 20) / GROUP_SIZE][e->cur / 64] |= 1ull << e->cur % 64;
    w->soft_used = true;
    w->soft_ng |= t->ng;
    clear_entry(w, i);
    if (t->lg2 > 12)
        w->soft_large[i / 64] |= 1ull << i % 64;
    s->read = at;
    s->host = (uintptr_t)ram_ptr(e->shared, page_pa(page), PAGE_SIZE);
    if ((t->rights & GUEST_RIGHT_W) && !(e->page[page].flags & RP_CODE)) {
        s->write = at;
        e->page[page].flags |= RP_SOFT;
    }
}

static void fault_saved(struct vcpu *v)
{
    v->soft_hits = v->soft_hits < HITS_MAX - HITS_PER_FAULT ? v->soft_hits + HITS_PER_FAULT : HITS_MAX;
}

void soft_renew(struct engine *e, int asid)
{
    if (asid < 0)
        e->soft_space_gen++;
    else
        e->soft_space[asid % SOFT_SPACES].misses = 0;
}

static void count_miss(struct engine *e)
{
    const struct guest_regime *r = &cur_view(e)->regime;
    struct soft_space *s = &e->soft_space[r->asid % SOFT_SPACES];

    e->v->stats->soft_misses++;
    if (s->ttbr0 != r->ttbr0 || s->gen != e->soft_space_gen)
        *s = (struct soft_space){.ttbr0 = r->ttbr0, .gen = e->soft_space_gen};
    if (s->misses < YOUNG_MISSES) {
        s->misses++;
        fault_saved(e->v);
    } else {
        e->v->soft_hits -= MISS_HITS;
    }
}

static void serve(struct engine *e, struct host_fault_ctx *ctx)
{
    struct vcpu *v = e->v;
    uint32_t b = block_at_code(e, ctx->rip), va = v->soft_va;
    const struct host_fault_point *p = block_fault_point(e, b, ctx->rip);
    const struct soft_tlb_entry *s = &v->soft_tlb[soft_tlb_index(va)];
    struct guest_translation t;

    e->last_fault_rip = ctx->rip;
    e->last_fault_addr = UINT64_MAX;
    if (v->soft_hits < 0) {
        v->soft_hits = HITS_MAX;
        site_return(e, fault_site(e, b, p));
        fault_retranslate(e, ctx, b, p);
        return;
    }
    int code = guest_walk(v, &cur_view(e)->regime, va, &t);
    if (code != 0 || !(t.rights & (p->write ? GUEST_RIGHT_W : GUEST_RIGHT_R))) {
        fault_saved(v);
        host_restore_state(v, ctx, p);
        v->stats->guest_aborts++;
        e->no_premap = true;
        guest_raise_abort(v, va, p->write ? GUEST_WRITE : GUEST_READ, code);
        fault_leave(e, ctx, VCPU_EXIT_RAISED);
        return;
    }
    if (page_of(e, t.pa) == NONE) {
        site_set(e, fault_site(e, b, p), ACCESS_SLOW);
        fault_retranslate(e, ctx, b, p);
        return;
    }
    if (va % PAGE_SIZE + p->bytes > PAGE_SIZE) {
        ctx->rip += p->ordinary - p->code_off;
        return;
    }
    if ((p->write ? s->write : s->read) == ALIGN_DOWN(va, PAGE_SIZE)) {
        v->soft_hits -= NEAR_END_HITS;
    } else {
        count_miss(e);
        soft_fill(e, va, &t, p->write);
    }
    v->soft_host = s->host + va % PAGE_SIZE;
}

static void soft_miss(struct engine *e, struct host_fault_ctx *ctx)
{
    enum engine_activity before = activity_change(e, ACTIVITY_FAULT);

    serve(e, ctx);
    activity_change(e, before);
}

void soft_init(struct engine *e)
{
    e->v->soft_miss = soft_miss;
    e->v->soft_hits = HITS_MAX;
    e->soft_gen = 1; /* all views have 0 */
}
