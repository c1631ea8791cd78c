/*
 * site.c: guest instructions whose memory accesses are translated in a special way, by the physical address they are at.
 *
 * What becomes known of an instruction outdates the blocks that have it, of which there may be one for every address its page is mapped at.
 * The one that runs is dropped at once, the others when they are looked for (engine.c) or about to be copied. When the table is half full
 * all is forgotten: blocks made with it stay right, the instructions will be found again.
 */
#include <dbt/engine_impl.h>

#define RETURNS_MAX 3u /* after that many an instruction stays with the window */

static uint32_t hash(uint32_t pa)
{
    return (pa >> 1) * 0x9e3779b1u >> (32 - SITE_BITS);
}

static struct access_site *slot(struct engine *e, uint32_t pa)
{
    for (uint32_t h = hash(pa);; h++) {
        struct access_site *s = &e->site[h & (SITE_COUNT - 1)];
        if (s->pa == 0 || s->pa == pa)
            return s;
    }
}

static struct access_site *make(struct engine *e, uint32_t pa)
{
    struct access_site *s = slot(e, pa);

    if (s->pa == pa)
        return s;
    if (e->n_sites >= SITE_COUNT / 2) {
        memset(e->site, 0, sizeof(e->site));
        e->n_sites = 0;
        s = slot(e, pa);
    }
    e->n_sites++;
    *s = (struct access_site){.pa = pa, .kind = ACCESS_PLAIN};
    return s;
}

enum guest_access_kind site_kind(struct engine *e, uint32_t pa)
{
    const struct access_site *s = slot(e, pa);

    return s->pa == pa ? (enum guest_access_kind)s->kind : ACCESS_PLAIN;
}

static void change(struct engine *e, struct access_site *s, enum guest_access_kind kind)
{
    s->kind = (uint8_t)kind;
    s->gen = ++e->site_gen;
    e->page[page_of(e, s->pa)].site_gen = e->site_gen;
}

void site_set(struct engine *e, uint32_t pa, enum guest_access_kind kind)
{
    struct access_site *s = make(e, pa);

    if (s->kind < kind)
        change(e, s, kind);
}

bool site_outdates(struct engine *e, uint32_t b)
{
    struct block *k = &e->block[b];

    if (LIKELY(k->site_gen >= e->page[k->page[0]].site_gen))
        return false;
    for (uint32_t n = k->first_fault; n < k->first_fault + k->n_faults; n++) {
        uint32_t pa = fault_site(e, b, &e->fault[n]);
        const struct access_site *s = slot(e, pa);
        if (s->pa == pa && s->gen > k->site_gen)
            return true;
    }
    k->site_gen = e->site_gen;
    return false;
}

/*
 * The count of an instruction's faults. It is among FAULT_COUNT_WAYS neighbours; where they are all others', the one with the fewest faults
 * is brought nearer to giving way.
 */
static struct fault_count *count(struct engine *e, uint32_t pa)
{
    struct fault_count *set = &e->fault_count[hash(pa) % (FAULT_COUNT_SLOTS / FAULT_COUNT_WAYS) * FAULT_COUNT_WAYS], *least = set;

    for (unsigned k = 0; k < FAULT_COUNT_WAYS; k++) {
        if (set[k].pa == pa)
            return &set[k];
        if (set[k].faults < least->faults)
            least = &set[k];
    }
    if (least->faults) {
        least->faults--;
        return NULL;
    }
    least->pa = pa;
    return least;
}

/*
 * An instruction of block b makes no mappings any more. The next one there that uses the page would fault in its place, and then the one after
 * it: they all go together, and those that find few new pages are given back.
 */
static void take_others_along(struct engine *e, uint32_t b)
{
    const struct block *k = &e->block[b];

    for (uint32_t n = k->first_fault; n < k->first_fault + k->n_faults; n++) {
        uint32_t pa = fault_site(e, b, &e->fault[n]);
        const struct access_site *s = slot(e, pa);
        if (s->pa != pa) {
            site_set(e, pa, ACCESS_SOFT);
            e->v->stats->soft_sites++;
        }
    }
}

bool site_faulted(struct engine *e, uint32_t pa, uint32_t b)
{
    const struct access_site *s = slot(e, pa);
    unsigned returns = s->pa == pa ? s->returns : 0;

    if (e->cfg.soft_after == 0 || returns == RETURNS_MAX)
        return false;
    if (s->pa == pa && s->kind >= ACCESS_SOFT)
        return s->gen > e->block[b].site_gen;
    struct fault_count *c = count(e, pa);
    if (!c || ++c->faults < e->cfg.soft_after << 3 * returns)
        return false;
    *c = (struct fault_count){0};
    site_set(e, pa, ACCESS_SOFT);
    e->v->stats->soft_sites++;
    take_others_along(e, b);
    return true;
}

void site_return(struct engine *e, uint32_t pa)
{
    struct access_site *s = make(e, pa);

    change(e, s, ACCESS_PLAIN);
    if (s->returns < RETURNS_MAX)
        s->returns++;
    e->v->stats->soft_returned++;
}
