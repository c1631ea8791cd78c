/*
 * engine.c: building an engine, and the dispatcher.
 *
 * The dispatcher runs whenever translated code cannot go on by itself: an exit not linked yet, a jump-cache miss, an exception, a request
 * to look up. It finds or makes the block for vcpu.pc, links the exit it came from, and enters. All memory comes from one
 * zero-filled heap that the host process provides.
 */
#include <stdarg.h>
#include <dbt/engine_impl.h>

/* --- memory --- */

static void *take(struct engine *e, uint64_t bytes)
{
    uint64_t at = ALIGN_UP(e->heap_next, 64u);

    if (bytes > e->heap_end - at)
        return NULL;
    e->heap_next = at + bytes;
    return (void *)(uintptr_t)at;
}

static uint32_t leaf_count(const struct engine_config *c) { return 2048 + 96 * c->view_count; }

/* Blocks of 128 bytes of host code, exits and fault points in proportion: when one runs out first, the region is full. */
static uint32_t blocks_per_region(uint32_t code_bytes) { return code_bytes / REGION_COUNT / 128 + 16; }
static uint32_t exits_per_region(uint32_t code_bytes) { return code_bytes / REGION_COUNT / 40 + 2 * HOST_MAX_EXITS; }
static uint32_t faults_per_region(uint32_t code_bytes) { return code_bytes / REGION_COUNT / 20 + 2 * HOST_MAX_FAULTS; }
/* And words to change in copies. */
static uint32_t moves_per_region(uint32_t code_bytes) { return code_bytes / REGION_COUNT / 12 + 2 * HOST_MAX_MOVES; }

static uint32_t hash_size(uint32_t code_bytes)
{
    uint32_t n = 4096;
    while (n < code_bytes / 256)
        n *= 2;
    return n;
}

uint64_t engine_heap_size(const struct engine_config *c, uint64_t ram_size)
{
    uint64_t pages = ram_size / PAGE_SIZE, mib = pages / LEAF_COUNT + 1, code = c->code_cache_bytes;

    return sizeof(struct engine) + guest_vcpu_size() + sizeof(struct ir_block) + sizeof(struct host_code) +
           REGION_COUNT * ((uint64_t)blocks_per_region((uint32_t)code) * sizeof(struct block) + (uint64_t)exits_per_region((uint32_t)code) * sizeof(struct exit) +
                           (uint64_t)faults_per_region((uint32_t)code) * sizeof(struct host_fault_point) +
                           (uint64_t)moves_per_region((uint32_t)code) * sizeof(struct host_move)) +
           (code / CODE_CHUNK + 1) * sizeof(uint32_t) + 2 * hash_size((uint32_t)code) * sizeof(uint32_t) + pages * sizeof(struct ram_page) + mib * (sizeof(uint32_t) + sizeof(uint16_t)) +
           JUMP_CACHE_SIZE * sizeof(struct jump_cache_entry) + c->view_count * sizeof(struct view) + (uint64_t)leaf_count(c) * sizeof(struct leaf) + 64 * 64;
}

static bool allocate(struct engine *e)
{
    uint32_t code = e->code_bytes;
    uint64_t mib = e->n_pages / LEAF_COUNT + 1;

    e->blocks_per_region = blocks_per_region(code);
    e->exits_per_region = exits_per_region(code);
    e->faults_per_region = faults_per_region(code);
    e->moves_per_region = moves_per_region(code);
    e->hash_mask = hash_size(code) - 1;
    e->n_leaves = leaf_count(&e->cfg);
    return (e->v = take(e, guest_vcpu_size())) && (e->ir = take(e, sizeof(*e->ir))) && (e->hc = take(e, sizeof(*e->hc))) &&
           (e->block = take(e, (uint64_t)REGION_COUNT * e->blocks_per_region * sizeof(*e->block))) &&
           (e->chunk_block = take(e, (code / CODE_CHUNK + 1ull) * sizeof(*e->chunk_block))) && (e->exit = take(e, (uint64_t)REGION_COUNT * e->exits_per_region * sizeof(*e->exit))) &&
           (e->fault = take(e, (uint64_t)REGION_COUNT * e->faults_per_region * sizeof(*e->fault))) &&
           (e->move = take(e, (uint64_t)REGION_COUNT * e->moves_per_region * sizeof(*e->move))) &&
           (e->hash = take(e, (e->hash_mask + 1ull) * sizeof(*e->hash))) && (e->origin = take(e, (e->hash_mask + 1ull) * sizeof(*e->origin))) && (e->page = take(e, (uint64_t)e->n_pages * sizeof(*e->page))) &&
           (e->section_head = take(e, mib * sizeof(*e->section_head))) && (e->code_pages = take(e, mib * sizeof(*e->code_pages))) &&
           (e->jump_cache = take(e, JUMP_CACHE_SIZE * sizeof(*e->jump_cache))) &&
           (e->view = take(e, (uint64_t)e->n_views * sizeof(*e->view))) && (e->leaf = take(e, (uint64_t)e->n_leaves * sizeof(*e->leaf)));
}

struct engine *engine_create(struct vm_shared *shared, struct platform *p)
{
    const struct engine_config *c = &shared->config;
    struct engine boot = {.heap_next = shared->heap_va, .heap_end = shared->heap_va + shared->heap_size};
    struct engine *e = take(&boot, sizeof(*e));

    if (!e || shared->magic != ARMLET_ABI_MAGIC || shared->version != ARMLET_ABI_VERSION || shared->size != sizeof(*shared))
        return NULL;
    if (c->view_count < 2 || c->view_count > 1024 || c->fault_around < 1 || c->fault_around > 64 || (c->fault_around & (c->fault_around - 1)) ||
        c->code_cache_bytes < (2u << 20) || shared->ram_size > GUEST_RAM_MAX || shared->ram_size % PAGE_SIZE)
        return NULL;
    e->shared = shared;
    e->plat = p;
    e->cfg = *c;
    e->heap_next = boot.heap_next;
    e->heap_end = boot.heap_end;
    e->code_rw = (uint8_t *)(uintptr_t)shared->code_rw_va;
    e->code_rx = shared->code_rx_va;
    e->code_bytes = c->code_cache_bytes;
    e->n_pages = shared->ram_size / PAGE_SIZE;
    e->n_views = c->view_count;
    if (!allocate(e))
        return NULL;

    struct vcpu *v = e->v;
    host_init_vcpu(v);
    v->engine = e;
    v->shared = shared;
    v->stats = &shared->stats;
    v->excl_addr = ~0u;
    v->jump_cache = e->jump_cache;
    v->alias = e->alias;
    soft_init(e);
    jump_cache_flush(e);
    e->budget_start = v->insn_budget = c->insn_budget ? (int64_t)c->insn_budget : INT64_MAX;
    shared->poll_va = (uint64_t)(uintptr_t)&v->poll;
    shared->deadline_tsc = UINT64_MAX;

    host_write_trampolines(e->code_rw, e->code_rx, e->code_bytes, &e->tramp);
    blocks_init(e);
    pages_init(e);
    guest_reset(v);
    views_init(e);
    return e;
}

struct vcpu *engine_vcpu(struct engine *e)
{
    return e->v;
}

/* --- talking to the host --- */

static void count_insns(struct engine *e)
{
    if (e->cfg.flags & ENGINE_COUNT_INSNS)
        e->v->stats->guest_insns = (uint64_t)(e->budget_start - e->v->insn_budget);
}

void engine_host_call(struct vcpu *v)
{
    struct engine *e = v->engine;
    uint32_t type = v->shared->req.type;
    bool device = type == HOST_REQ_MMIO_READ || type == HOST_REQ_MMIO_WRITE;
    enum engine_activity before = activity_change(e, type == HOST_REQ_WAIT ? ACTIVITY_WAIT : device ? ACTIVITY_DEVICE : ACTIVITY_REQUEST);

    v->stats->host_calls[type]++;
    count_insns(e);
    plat_host_call(e->plat);
    activity_change(e, before);
}

void engine_stop(struct vcpu *v, enum stop_reason why)
{
    struct host_request *q = &v->shared->req;

    q->type = HOST_REQ_STOP;
    q->value = why;
    engine_host_call(v);
    __builtin_unreachable();
}

void engine_log(struct vcpu *v, const char *fmt, ...)
{
    struct host_request *q = &v->shared->req;
    va_list ap;

    va_start(ap, fmt);
    fmt_vtext(q->text, sizeof(q->text), fmt, ap);
    va_end(ap);
    q->type = HOST_REQ_TEXT;
    engine_host_call(v);
}

void engine_panic(struct vcpu *v, const char *fmt, ...)
{
    struct host_request *q = &v->shared->req;
    va_list ap;

    va_start(ap, fmt);
    fmt_vtext(q->text, sizeof(q->text), fmt, ap);
    va_end(ap);
    engine_stop(v, STOP_PANIC);
}

int engine_describe(const struct engine *e, char *buf, int cap)
{
    int n = fmt_text(buf, cap, "guest pc %08x, last blocks entered from the dispatcher:", e->v->pc);

    for (unsigned i = 0; i < TRACE_RING && n < cap; i++)
        n += fmt_text(buf + n, cap - n, " %08x", e->ring[(e->ring_next + i) % TRACE_RING]);
    return n;
}

/* --- for profiles --- */

static struct engine_block describe_block(const struct engine *e, uint32_t b)
{
    return (struct engine_block){.code = e->code_rx + e->block[b].code, .code_size = e->block[b].code_size, .pc = e->block[b].pc};
}

bool engine_block_at(const struct engine *e, uint64_t rip, struct engine_block *out)
{
    uint32_t b = block_at_code(e, rip);

    if (b == NONE)
        return false;
    *out = describe_block(e, b);
    return true;
}

void engine_each_block(const struct engine *e, void (*fn)(void *arg, const struct engine_block *b), void *arg)
{
    for (unsigned n = 0; n < REGION_COUNT; n++) {
        for (uint32_t i = 0; i < e->region[n].n_blocks; i++) {
            struct engine_block b = describe_block(e, n * e->blocks_per_region + i);
            fn(arg, &b);
        }
    }
}

enum engine_activity engine_doing(const struct engine *e, uint64_t *fault_rip, uint64_t *host_rsp, uint32_t *pc)
{
    *fault_rip = e->last_fault_rip;
    *host_rsp = e->v->host_rsp;
    *pc = e->v->pc;
    return e->activity;
}

/* --- dispatcher --- */

static bool raise_fetch(struct vcpu *v, uint32_t va, int code)
{
    v->stats->guest_aborts++;
    guest_raise_abort(v, va, GUEST_FETCH, code);
    return false;
}

/* Physical address of the instruction at va; remembers the lookup in the current view. False: exception taken. */
static bool fetch_translate(struct engine *e, uint32_t va, uint32_t *pa)
{
    struct vcpu *v = e->v;
    struct view *w = cur_view(e);
    uint64_t *slot = &w->itlb[itlb_index(va)];
    struct guest_translation t;

    if ((*slot & 1) && *slot >> 32 == va >> 12) {
        *pa = (uint32_t)(*slot >> 1 & 0x7fffffff) << 12 | (va & (PAGE_SIZE - 1));
        return true;
    }
    int code = guest_walk(v, &w->regime, va, &t);
    if (code != 0 || !(t.rights & GUEST_RIGHT_X))
        return raise_fetch(v, va, code);
    if (page_of(e, t.pa) == NONE) {
        guest_raise_external(v, va, GUEST_FETCH);
        return false;
    }
    view_note_exec(e, e->cur, va, &t);
    *slot = itlb_entry(va, t.pa);
    *pa = (uint32_t)t.pa;
    return true;
}

/* RAM address of the page after va's, if its instructions can be fetched; 0 otherwise. For an instruction that may straddle. */
static uint64_t following_page(struct engine *e, uint32_t va)
{
    struct guest_translation t;
    uint32_t next = ALIGN_DOWN(va, PAGE_SIZE) + PAGE_SIZE;

    if (guest_walk(e->v, &cur_view(e)->regime, next, &t) != 0 || !(t.rights & GUEST_RIGHT_X) || page_of(e, t.pa) == NONE)
        return 0;
    view_note_exec(e, e->cur, next, &t);
    cur_view(e)->itlb[itlb_index(next)] = itlb_entry(next, t.pa);
    return t.pa;
}

/* A live block, of code that is at pa, if there is one that need not be made anew. */
static uint32_t find_right_block(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags, uint64_t page1)
{
    uint32_t b = block_find(e, pa, block_pc(pc, flags), flags, page1 ? page_of(e, page1) : NONE);

    if (b == NONE || !site_outdates(e, b))
        return b;
    block_kill(e, b);
    return NONE;
}

static bool can_be_pic(const struct engine *e, uint32_t va, uint32_t pa, uint64_t page1)
{
    if (va / PAGE_SIZE == UINT32_MAX / PAGE_SIZE) /* exits may go round the end of the address space */
        return false;
    if (va % PAGE_SIZE == PAGE_SIZE - 2 && !page1) /* half an instruction: an abort that names the next page */
        return false;
    return !(e->page[page_of(e, pa)].flags & RP_LAZY); /* for the reason that copies are not made either: copy.c */
}

static uint32_t find_block(struct engine *e)
{
    struct vcpu *v = e->v;
    struct view *w = cur_view(e);
    uint32_t pc = v->pc, va = pc & ~1u, pa;
    uint32_t flags = guest_block_flags(v);

    if (!fetch_translate(e, va, &pa))
        return NONE;
    uint64_t page1 = va % PAGE_SIZE == PAGE_SIZE - 2 ? following_page(e, va) : 0;
    if (pic_wanted(e, w) && can_be_pic(e, va, pa, page1))
        flags |= BLOCK_PIC;
    uint32_t b = find_right_block(e, pa, pc, flags, page1);
    if (b == NONE && !(flags & BLOCK_PIC) && copy_exists(e, pa, pc, flags) && can_be_pic(e, va, pa, page1) && pic_begin(e, w)) {
        flags |= BLOCK_PIC;
        b = find_right_block(e, pa, pc, flags, page1);
    }
    if (flags != e->returns_flags) {
        e->returns_flags = flags;
        returns_forget(e);
    }
    if (b == NONE && !(flags & BLOCK_PIC) && !page1)
        b = block_copy(e, pc, flags, pa);
    if (b == NONE)
        b = block_translate(e, block_pc(pc, flags), flags, pa, page1);
    v->pic_page = pc & ~(PAGE_SIZE - 1);
    if (e->block[b].live && !(e->cfg.flags & ENGINE_NO_CHAIN))
        e->jump_cache[jump_cache_index(pc)] = (struct jump_cache_entry){
            .va = pc, .tag = flags, .code = e->code_rx + e->block[b].code, .itlb = itlb_entry(va, pa), .slot = itlb_slot(va)};
    return b;
}

static void log_exec(struct engine *e, uint32_t b)
{
    char text[1024];

    guest_print_state(e->v, text, sizeof(text));
    engine_log(e->v, "exec %08x\n%s", e->block[b].pc, text);
}

static void poll_requests(struct engine *e)
{
    struct vcpu *v = e->v;

    pic_polled(cur_view(e));
    __atomic_store_n(&v->poll, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->shared->stop_wanted, __ATOMIC_RELAXED))
        engine_stop(v, STOP_HOST);
    pages_serve_dma(e);
    guest_poll(v);
}

void engine_run(struct engine *e)
{
    struct vcpu *v = e->v;
    uint32_t exit = NONE; /* the exit to link to the next block */

    e->activity_since = rdtsc();
    for (;;) {
        if (UNLIKELY(__atomic_load_n(&v->poll, __ATOMIC_RELAXED))) {
            poll_requests(e);
            exit = NONE;
        }
        uint64_t evictions = v->stats->cache_evictions;
        uint32_t b = find_block(e);
        if (b == NONE) {
            exit = NONE;
            if (e->cfg.insn_budget && --v->insn_budget < 0) /* an abort counts: vectors that cannot be fetched abort for ever */
                engine_stop(v, STOP_BUDGET);
            continue;
        }
        if (exit != NONE && evictions == v->stats->cache_evictions) {
            const struct block *from = &e->block[e->exit[exit].from];
            bool same_page = (from->pa ^ e->block[b].pa) < PAGE_SIZE; /* an exit without a guard relies on it */
            bool fits = !e->exit[exit].loop || from == &e->block[b];  /* what registers hold in a loop is for its own head */
            uint32_t apart = e->exit[exit].target ^ e->block[b].pc;
            if (fits && from->live && e->block[b].live && from->flags == e->block[b].flags &&
                (from->flags & BLOCK_PIC ? apart % PAGE_SIZE : apart) == 0 &&
                (same_page || e->exit[exit].guard))
                exit_link(e, exit, b);
        }
        exit = NONE;
        if (UNLIKELY(e->cfg.flags & ENGINE_LOG_EXEC))
            log_exec(e, b);
        e->ring[e->ring_next++ % TRACE_RING] = v->pc;
        v->stats->dispatches++;
        activity_change(e, ACTIVITY_RUN);
        enum vcpu_exit why = (enum vcpu_exit)host_enter(v, &e->tramp, e->code_rx, e->code_rx + e->block[b].code);
        activity_change(e, ACTIVITY_DISPATCH); /* whatever a helper was doing when it left translated code */
        switch (why) {
        case VCPU_EXIT_LINK:
            if (!(e->cfg.flags & ENGINE_NO_CHAIN))
                exit = v->exit_id;
            break;
        case VCPU_EXIT_INDIRECT:
            v->stats->indirect_misses++;
            break;
        case VCPU_EXIT_BUDGET:
            engine_stop(v, STOP_BUDGET);
        case VCPU_EXIT_LOOKUP:
        case VCPU_EXIT_POLL:
        case VCPU_EXIT_RAISED:
            break;
        }
    }
}
