/*
 * slowmem.c: guest memory accesses outside windows: device registers, unprivileged accesses from privileged code, and whatever helpers need.
 *
 * Both functions raise guest exceptions for the instruction at vcpu.pc and then do not return. The last translation is kept, as a TLB would:
 * a driver that polls a register does not pay for walks.
 */
#include <dbt/engine_impl.h>

static _Noreturn void raised(struct vcpu *v)
{
    v->exit_reason = VCPU_EXIT_RAISED;
    v->stats->guest_aborts++;
    host_unwind(v);
}

static uint64_t translate(struct vcpu *v, const struct guest_regime *r, uint32_t va, enum guest_access access)
{
    struct last_translation *last = &v->engine->last_translation;
    uint8_t right = access == GUEST_WRITE ? GUEST_RIGHT_W : GUEST_RIGHT_R;
    struct guest_translation t;

    if (last->rights & right && last->vpn == va >> 12 && last->tlb_ops == v->stats->tlb_ops && memcmp(&last->regime, r, sizeof(*r)) == 0)
        return last->page_pa + va % PAGE_SIZE;
    int code = guest_walk(v, r, va, &t);
    if (code != 0 || !(t.rights & right)) {
        v->engine->no_premap = true;
        guest_raise_abort(v, va, access, code);
        raised(v);
    }
    *last = (struct last_translation){
        .regime = *r, .tlb_ops = v->stats->tlb_ops, .page_pa = t.pa - va % PAGE_SIZE, .vpn = va >> 12, .rights = t.rights};
    return t.pa;
}

struct span { /* an access: one piece, or two when it crosses a page */
    uint64_t pa[2];
    unsigned len[2];
    bool device;
};

static void locate(struct vcpu *v, uint32_t va, uint32_t flags, enum guest_access access, struct span *s)
{
    unsigned size = flags & IR_MEM_SIZE;
    unsigned room = PAGE_SIZE - va % PAGE_SIZE;
    struct guest_regime r;

    v->stats->slow_accesses++;
    if ((flags & IR_MEM_ALIGN) && va % size) {
        guest_raise_alignment(v, va, access == GUEST_WRITE);
        raised(v);
    }
    guest_current_regime(v, &r);
    if (flags & IR_MEM_USER)
        r.priv = 0;
    s->pa[0] = translate(v, &r, va, access);
    s->len[0] = size < room ? size : room;
    s->len[1] = size - s->len[0];
    s->device = page_of(v->engine, s->pa[0]) == NONE;
    if (s->len[1]) {
        s->pa[1] = translate(v, &r, va + s->len[0], access);
        s->device |= page_of(v->engine, s->pa[1]) == NONE;
    }
    if (s->device && va % size) { /* devices take aligned accesses only (ARM ARM A3.2.1) */
        guest_raise_alignment(v, va, access == GUEST_WRITE);
        raised(v);
    }
}

static uint64_t swap_bytes(uint64_t x, unsigned size)
{
    return __builtin_bswap64(x) >> (64 - 8 * size);
}

uint64_t guest_mem_read(struct vcpu *v, uint32_t va, uint32_t flags)
{
    unsigned size = flags & IR_MEM_SIZE;
    uint64_t x = 0;
    struct span s;

    locate(v, va, flags, GUEST_READ, &s);
    for (unsigned i = 0, at = 0; i < 2 && s.len[i]; at += s.len[i++]) {
        const uint8_t *p = ram_ptr(v->shared, s.pa[i], s.len[i]);
        if (p) {
            memcpy((uint8_t *)&x + at, p, s.len[i]);
        } else if (s.len[1] || !device_read(v, s.pa[i], size, &x)) {
            guest_raise_external(v, va, GUEST_READ);
            raised(v);
        }
    }
    if (flags & IR_MEM_BE)
        x = swap_bytes(x, size);
    if (size < 8)
        x &= (1ull << 8 * size) - 1;
    if (flags & IR_MEM_SIGNED)
        x = size == 1 ? (uint32_t)(int8_t)x : size == 2 ? (uint32_t)(int16_t)x : x;
    return x;
}

void guest_mem_write(struct vcpu *v, uint32_t va, uint64_t value, uint32_t flags)
{
    unsigned size = flags & IR_MEM_SIZE;
    struct span s;

    locate(v, va, flags, GUEST_WRITE, &s);
    if (flags & IR_MEM_BE)
        value = swap_bytes(value, size);
    for (unsigned i = 0, at = 0; i < 2 && s.len[i]; at += s.len[i++]) {
        uint8_t *p = ram_ptr(v->shared, s.pa[i], s.len[i]);
        if (p) {
            memcpy(p, (uint8_t *)&value + at, s.len[i]);
            page_written(v->engine, page_of(v->engine, s.pa[i]));
        } else if (s.len[1] || !device_write(v, s.pa[i], size, value)) {
            guest_raise_external(v, va, GUEST_WRITE);
            raised(v);
        }
    }
}
