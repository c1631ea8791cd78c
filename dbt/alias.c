/*
 * alias.c: pages a guest maps for a moment, over and over, at the same few addresses.
 *
 * A kernel reaches memory outside its linear map through such pages (Linux' kmap): map, invalidate, access, unmap, invalidate. Mapping the
 * page into the window and taking it out again costs a hundred times what the accesses do. So once a page is seen to come and go like that,
 * the aligned group of ALIAS_SLOTS pages around it is served by a table instead: an instruction that has faulted there is translated anew
 * with a check for the group, behind which it finds the RAM page's address in vcpu.alias[] (arch/x86/mem.c). TLB maintenance sets and
 * clears the slots, and nothing is mapped.
 *
 * A set slot means: in the current view the page is a small one, readable and writable, global, and holds no translated code. Whoever
 * changes one of these drops or refreshes slots; an empty slot is always right: the access goes to the window, faults, and fault.c fills
 * the slot or maps the page.
 */
#include <dbt/engine_impl.h>

bool alias_covers(const struct engine *e, uint32_t va)
{
    return e->alias_on && (va >> 12) - e->alias_first < ALIAS_SLOTS;
}

uint32_t alias_start(const struct engine *e)
{
    return e->alias_on ? e->alias_first << 12 : 0;
}

void alias_choose(struct engine *e, uint32_t va)
{
    e->alias_first = ALIGN_DOWN(va >> 12, ALIAS_SLOTS);
    e->alias_on = true;
}

static void clear(struct engine *e, unsigned i)
{
    if (e->alias[i] == 0)
        return;
    e->alias[i] = 0;
    e->alias_live[i / 64] &= ~(1ull << i % 64);
    e->alias_n_live--;
}

static bool set(struct engine *e, unsigned i, const struct guest_translation *t)
{
    uint32_t page = page_of(e, t->pa);
    uint64_t va = (uint64_t)(e->alias_first + i) << 12;

    if (t->ng || t->lg2 != 12 || (t->rights & (GUEST_RIGHT_R | GUEST_RIGHT_W)) != (GUEST_RIGHT_R | GUEST_RIGHT_W) || page == NONE ||
        (e->page[page].flags & RP_CODE))
        return false;
    if (e->alias[i] == 0) {
        e->alias_live[i / 64] |= 1ull << i % 64;
        e->alias_n_live++;
    }
    e->alias[i] = (uint64_t)(uintptr_t)ram_ptr(e->shared, page_pa(page), PAGE_SIZE) - va;
    e->alias_page[i] = page;
    return true;
}

bool alias_set(struct engine *e, uint32_t va, const struct guest_translation *t)
{
    if (!set(e, (va >> 12) - e->alias_first, t))
        return false;
    e->v->stats->alias_pages++;
    return true;
}

bool alias_has(const struct engine *e, uint32_t va, const struct guest_translation *t)
{
    unsigned i = (va >> 12) - e->alias_first;

    return e->alias[i] && e->alias_page[i] == page_of(e, t->pa);
}

void alias_sync(struct engine *e, uint32_t va)
{
    struct guest_translation t;

    if (guest_walk(e->v, &cur_view(e)->regime, va, &t) != 0 || !alias_set(e, va, &t))
        clear(e, (va >> 12) - e->alias_first);
}

/* The first slot set from slot i on, or ALIAS_SLOTS. */
static unsigned next_live(const struct engine *e, unsigned i)
{
    for (; i < ALIAS_SLOTS; i = ALIGN_DOWN(i, 64u) + 64) {
        uint64_t rest = e->alias_live[i / 64] >> i % 64;
        if (rest)
            return i + (unsigned)__builtin_ctzll(rest);
    }
    return ALIAS_SLOTS;
}

void alias_refresh(struct engine *e)
{
    struct guest_translation t;

    if (!e->alias_n_live)
        return;
    for (unsigned i = next_live(e, 0); i < ALIAS_SLOTS; i = next_live(e, i + 1))
        if (guest_walk(e->v, &cur_view(e)->regime, (e->alias_first + i) << 12, &t) != 0 || !set(e, i, &t))
            clear(e, i);
}

void alias_drop_page(struct engine *e, uint32_t page)
{
    if (!e->alias_n_live)
        return;
    for (unsigned i = next_live(e, 0); i < ALIAS_SLOTS; i = next_live(e, i + 1))
        if (e->alias_page[i] == page)
            clear(e, i);
}
