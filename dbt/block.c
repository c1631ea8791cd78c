/*
 * block.c: the table of translated blocks, and how they are linked, unlinked and evicted.
 *
 * Invariants: a live block is in the hash, in the lists of its one or two RAM pages, and only live blocks are targets of linked exits or of
 * the jump cache. Killing a block leaves its host code in place: it may be running (a fault handler kills), and runs on to its next exit,
 * whose stub leads to the dispatcher. Code memory is reused only by evicting a whole region, which only the dispatcher does.
 */
#include <dbt/engine_impl.h>

void blocks_init(struct engine *e)
{
    uint32_t first = ALIGN_UP(e->tramp.size, 64u);
    uint32_t each = ALIGN_DOWN((e->code_bytes - first) / REGION_COUNT, 64u);

    for (unsigned i = 0; i < REGION_COUNT; i++) {
        struct region *r = &e->region[i];
        r->start = r->code = first + i * each;
        r->code_end = r->start + each;
    }
    e->cur_copy_region = REGION_COUNT - COPY_REGIONS;
    memset(e->hash, 0xff, (e->hash_mask + 1) * sizeof(*e->hash));
    copies_init(e);
}

uint32_t code_sum(const uint8_t *p, uint32_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n;

    for (; n >= 2; n -= 2, p += 2) /* guest code is a multiple of two bytes */
        h = (h ^ (p[0] | p[1] << 8)) * 0xff51afd7ed558ccdu, h ^= h >> 29;
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t *hash_slot(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags)
{
    uint32_t h = (pa >> 1) * 0x9e3779b1u ^ pc * 0x85ebca6bu ^ flags * 0xc2b2ae35u;
    return &e->hash[(h ^ h >> 15) & e->hash_mask];
}

uint32_t block_find(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags, uint32_t page1)
{
    for (uint32_t b = *hash_slot(e, pa, pc, flags); b != NONE; b = e->block[b].hash_next) {
        const struct block *k = &e->block[b];
        if (k->pa == pa && k->pc == pc && k->flags == flags && (k->page[1] == NONE || k->page[1] == page1))
            return b;
    }
    return NONE;
}

void jump_cache_flush(struct engine *e)
{
    memset(e->jump_cache, 0xff, JUMP_CACHE_SIZE * sizeof(*e->jump_cache));
}

void returns_forget(struct engine *e)
{
    struct return_stack *s = &e->v->returns;

    for (unsigned i = 0; i < RETURN_STACK_SIZE; i++)
        s->code[i] = e->code_rx + e->tramp.no_return;
    memset(s->va, 0xff, sizeof(s->va));
}

/* --- links --- */

static bool is_pic(const struct block *b)
{
    return b->flags & BLOCK_PIC;
}

static void exit_unlink(struct engine *e, uint32_t x)
{
    struct exit *t = &e->exit[x];

    if (t->to == NONE)
        return;
    host_patch_jump(e->code_rw + t->patch, e->code_rx + t->patch, e->code_rx + t->stub);
    if (t->guard && is_pic(&e->block[t->from])) /* behind the guard vcpu.pic_page is the target's, and not what the stub counts from */
        host_patch_pic_guard(e->code_rw + t->guard, HOST_PIC_GUARD_NONE);
    if (t->in_prev == NONE)
        e->block[t->to].in = t->in_next;
    else
        e->exit[t->in_prev].in_next = t->in_next;
    if (t->in_next != NONE)
        e->exit[t->in_next].in_prev = t->in_prev;
    t->to = NONE;
}

void exit_link(struct engine *e, uint32_t x, uint32_t to)
{
    struct exit *t = &e->exit[x];
    struct block *b = &e->block[to];

    if (t->to == to) /* its guard failed, and what it compares has been put right */
        return;
    exit_unlink(e, x);
    /* Within a page the target's mapping is the source's; beyond it, the guard compares what the source relied on. */
    if (t->guard && is_pic(b))
        host_patch_pic_guard(e->code_rw + t->guard, (uint32_t)itlb_entry(t->target, b->pa));
    else if (t->guard)
        host_patch_guard(e->code_rw + t->guard, itlb_entry(t->target, b->pa));
    host_patch_jump(e->code_rw + t->patch, e->code_rx + t->patch, e->code_rx + (t->loop && t->from == to ? b->loop_head : b->code));
    t->to = to;
    t->in_prev = NONE;
    t->in_next = b->in;
    if (b->in != NONE)
        e->exit[b->in].in_prev = x;
    b->in = x;
    e->v->stats->links++;
}

/* --- killing --- */

static void page_list_add(struct engine *e, uint32_t b, unsigned which)
{
    struct block *k = &e->block[b];
    uint32_t *head = &e->page[k->page[which]].blocks;

    k->page_prev[which] = NONE;
    k->page_next[which] = *head;
    if (*head != NONE)
        e->block[*head >> 1].page_prev[*head & 1] = b << 1 | which;
    *head = b << 1 | which;
}

static void page_list_remove(struct engine *e, uint32_t b, unsigned which)
{
    const struct block *k = &e->block[b];
    uint32_t next = k->page_next[which], prev = k->page_prev[which];

    if (prev == NONE)
        e->page[k->page[which]].blocks = next;
    else
        e->block[prev >> 1].page_next[prev & 1] = next;
    if (next != NONE)
        e->block[next >> 1].page_prev[next & 1] = prev;
}

/* Everything but the jump cache and the stack of returns. */
static void block_detach(struct engine *e, uint32_t b)
{
    struct block *k = &e->block[b];
    uint32_t *link = hash_slot(e, k->pa, k->pc, k->flags);

    while (*link != b)
        link = &e->block[*link].hash_next;
    *link = k->hash_next;
    for (unsigned w = 0; w < 2; w++)
        if (k->page[w] != NONE)
            page_list_remove(e, b, w);
    while (k->in != NONE)
        exit_unlink(e, k->in);
    for (uint32_t i = 0; i < k->n_exits; i++)
        exit_unlink(e, k->first_exit + i);
    k->live = false;
    e->v->stats->blocks_invalidated++;
}

static void jump_cache_remove(struct engine *e, uint32_t va)
{
    struct jump_cache_entry *j = &e->jump_cache[jump_cache_index(va)];

    if (j->va == va)
        j->va = j->tag = ~0u;
}

void block_kill(struct engine *e, uint32_t b)
{
    const struct block *k = &e->block[b];

    block_detach(e, b);
    returns_forget(e);
    if (is_pic(k)) /* the jump cache may know it at any number of addresses */
        host_retire(e->code_rw + k->code, e->code_rx + k->code, k->retired - k->code);
    else
        jump_cache_remove(e, k->pc);
}

void block_kill_page(struct engine *e, uint32_t page)
{
    while (e->page[page].blocks != NONE)
        block_kill(e, e->page[page].blocks >> 1);
}

static void region_evict(struct engine *e, unsigned n)
{
    struct region *r = &e->region[n];
    uint32_t first = n * e->blocks_per_region;
    bool pic = false;

    if (r->n_blocks == 0)
        return;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        pic |= is_pic(&e->block[first + i]);
        if (e->block[first + i].live) {
            block_detach(e, first + i);
            jump_cache_remove(e, e->block[first + i].pc);
        }
    }
    if (pic)
        jump_cache_flush(e);
    returns_forget(e);
    r->code = r->start;
    r->n_blocks = r->n_exits = r->n_faults = r->n_moves = 0;
    e->v->stats->cache_evictions++;
}

static bool has_room(const struct engine *e, const struct region *r, uint32_t code_bytes)
{
    return r->code_end - r->code >= code_bytes && r->n_blocks < e->blocks_per_region && e->exits_per_region - r->n_exits >= HOST_MAX_EXITS &&
           e->faults_per_region - r->n_faults >= HOST_MAX_FAULTS && e->moves_per_region - r->n_moves >= HOST_MAX_MOVES;
}

struct region *block_reserve(struct engine *e, uint32_t code_bytes, bool copy)
{
    unsigned *cur = copy ? &e->cur_copy_region : &e->cur_region;

    if (!has_room(e, &e->region[*cur], code_bytes)) {
        if (copy)
            *cur = *cur + 1 < REGION_COUNT ? *cur + 1 : REGION_COUNT - COPY_REGIONS;
        else
            *cur = (*cur + 1) % (REGION_COUNT - COPY_REGIONS);
        region_evict(e, *cur);
    }
    struct region *r = &e->region[*cur];
    if (r->n_blocks == 0)
        plat_code_ahead(e->plat, r->start, r->code_end - r->start);
    return r;
}

uint32_t block_insert(struct engine *e, struct region *r, const struct block *key, const struct host_code *hc)
{
    unsigned n = (unsigned)(r - e->region);
    uint32_t b = n * e->blocks_per_region + r->n_blocks++;
    struct block *k = &e->block[b];
    uint32_t *slot = hash_slot(e, key->pa, key->pc, key->flags);

    *k = *key;
    k->code = r->code;
    k->code_size = hc->size;
    k->loop_head = r->code + hc->loop_head;
    k->retired = r->code + hc->retired;
    k->in = NONE;
    k->live = true;
    k->site_gen = e->site_gen;
    k->hash_next = *slot;
    *slot = b;
    for (unsigned w = 0; w < 2; w++)
        if (k->page[w] != NONE)
            page_list_add(e, b, w);

    k->first_exit = n * e->exits_per_region + r->n_exits;
    k->n_exits = hc->n_exits;
    for (uint32_t i = 0; i < hc->n_exits; i++) {
        const struct host_exit *h = &hc->exit[i];
        e->exit[k->first_exit + i] = (struct exit){.target = h->target,
                                                   .patch = k->code + h->patch,
                                                   .stub = k->code + h->stub,
                                                   .loop = h->loop,
                                                   .guard = h->guard ? k->code + h->guard : 0,
                                                   .from = b,
                                                   .to = NONE,
                                                   .in_next = NONE,
                                                   .in_prev = NONE};
    }
    r->n_exits += hc->n_exits;

    k->first_fault = n * e->faults_per_region + r->n_faults;
    k->n_faults = hc->n_faults;
    memcpy(&e->fault[k->first_fault], hc->fault, hc->n_faults * sizeof(hc->fault[0]));
    r->n_faults += hc->n_faults;

    k->first_move = n * e->moves_per_region + r->n_moves;
    k->movable = !hc->fixed && k->page[1] == NONE;
    k->n_moves = k->movable ? hc->n_moves : 0;
    memcpy(&e->move[k->first_move], hc->move, k->n_moves * sizeof(hc->move[0]));
    r->n_moves += k->n_moves;
    copy_offer(e, b);

    r->code = ALIGN_UP(r->code + hc->size, 16u);
    for (uint32_t c = ALIGN_UP(k->code, CODE_CHUNK) / CODE_CHUNK; c * CODE_CHUNK < r->code; c++)
        e->chunk_block[c] = b;
    return b;
}

/* --- from host addresses back --- */

uint32_t block_at_code(const struct engine *e, uint64_t rip)
{
    uint64_t off = rip - e->code_rx;
    const struct region *first = &e->region[0];

    if (off < first->start || off >= e->code_bytes)
        return NONE;
    uint32_t n = (uint32_t)(off - first->start) / (first->code_end - first->start);
    if (n >= REGION_COUNT || off >= e->region[n].code)
        return NONE;
    uint32_t chunk = (uint32_t)off / CODE_CHUNK, begin = n * e->blocks_per_region;
    uint32_t b = chunk * CODE_CHUNK < e->region[n].start ? begin : e->chunk_block[chunk];
    while (b + 1 < begin + e->region[n].n_blocks && e->block[b + 1].code <= off)
        b++;
    return off - e->block[b].code < e->block[b].code_size ? b : NONE;
}

const struct host_fault_point *block_fault_point(struct engine *e, uint32_t b, uint64_t rip)
{
    const struct block *k = &e->block[b];
    const struct host_fault_point *f = &e->fault[k->first_fault];
    uint32_t off = (uint32_t)(rip - e->code_rx) - k->code;
    uint32_t lo = 0, hi = k->n_faults;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (f[mid].code_off < off)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < k->n_faults && f[lo].code_off == off ? &f[lo] : NULL;
}
