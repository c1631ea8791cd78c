/*
 * translate.c: from a guest address to a block in the code cache.
 */
#include <dbt/engine_impl.h>

/* Room asked for before compiling; the longest block fits. A block that does not fit is translated again, half as long. */
#define BLOCK_CODE_MAX (48u << 10)

struct site_query {
    struct engine *e;
    uint32_t pa, pc;
};

static enum guest_access_kind access_kind(void *arg, uint32_t pc)
{
    const struct site_query *q = arg;

    if (q->e->page[page_of(q->e, q->pa)].site_gen == 0) /* nothing is known of the page */
        return ACCESS_PLAIN;
    return site_kind(q->e, q->pa + pc - q->pc);
}

static void log_code(struct engine *e, uint64_t addr, const uint8_t *code, uint32_t size, enum code_kind kind)
{
    struct host_request *q = &e->shared->req;

    while (size) {
        uint32_t n = size < HOST_REQ_TEXT_MAX ? size : HOST_REQ_TEXT_MAX;
        q->type = HOST_REQ_CODE;
        q->addr = addr;
        q->size = kind;
        q->value = n;
        memcpy(q->text, code, n);
        engine_host_call(e->v);
        addr += n, code += n, size -= n;
    }
}

/* The instruction straddles: the block holds only where its second page is what it was. */
static void guard_second_page(struct ir_block *ir, uint32_t va, uint64_t pa)
{
    memmove(ir->insn + 1, ir->insn, ir->n * sizeof(ir->insn[0]));
    memmove(ir->exit_live + 1, ir->exit_live, ir->n * sizeof(ir->exit_live[0]));
    ir->insn[0] = (struct ir_insn){.op = IR_OP_GUARD, .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE, .imm = va, .imm2 = (uint32_t)(pa >> 12)};
    ir->n++;
}

uint32_t block_translate(struct engine *e, uint32_t pc, uint32_t flags, uint32_t pa, uint64_t page1_pa)
{
    enum engine_activity before = activity_change(e, ACTIVITY_TRANSLATE);
    uint32_t va = pc & ~1u, room = PAGE_SIZE - va % PAGE_SIZE;
    struct site_query q = {e, pa, va};
    struct guest_translate_in in = {
        .pc = pc,
        .flags = flags & ~BLOCK_PIC,
        .max_insns = IR_MAX_GUEST_INSNS,
        .code = ram_ptr(e->shared, pa, room),
        .code_len = room,
        .code2 = page1_pa ? ram_ptr(e->shared, page1_pa, 4) : NULL,
        .kind = access_kind,
        .kind_arg = &q,
    };
    struct host_compile_opts opts = {.engine_flags = e->cfg.flags, .alias_start = alias_start(e), .pic = (flags & BLOCK_PIC) != 0};
    struct ir_block *ir = e->ir;
    struct region *r;

    page_make_code(e, page_of(e, pa));
    page_announce_code(e, page_of(e, pa));
    if (page1_pa && page_of(e, page1_pa) != NONE)
        page_announce_code(e, page_of(e, page1_pa));
    if (e->page[page_of(e, pa)].flags & RP_CODE) /* a write anywhere in the page drops the block */
        in.before = va % PAGE_SIZE;
    for (;;) {
        r = block_reserve(e, BLOCK_CODE_MAX, false);
        opts.first_exit_id = (uint32_t)(r - e->region) * e->exits_per_region + r->n_exits;
        guest_translate(e->v, &in, ir);
        ir->flags = flags;
        if (ir->size > room && page1_pa)
            guard_second_page(ir, va + room, page1_pa);
        ir_flag_liveness(ir);
        if (host_compile(ir, &e->tramp, e->code_rx, e->code_rw + r->code, e->code_rx + r->code, r->code_end - r->code, &opts, e->hc) == 0)
            break;
        if (in.max_insns == 1)
            engine_panic(e->v, "the instruction at %08x needs more host code than a block can have", va);
        in.max_insns /= 2;
    }

    bool straddles = ir->size > room && page1_pa;
    struct block key = {.pc = pc, .flags = flags, .pa = pa, .size = ir->size, .page = {page_of(e, pa), straddles ? page_of(e, page1_pa) : NONE}};
    if (straddles) {
        uint8_t code[8];
        memcpy(code, in.code, room);
        memcpy(code + room, in.code2, ir->size - room);
        key.sum = code_sum(code, ir->size);
        page_make_code(e, key.page[1]);
    } else {
        key.sum = code_sum(in.code, ir->size < room ? ir->size : room);
    }

    uint32_t b = block_insert(e, r, &key, e->hc);
    if (ir->size > room && !page1_pa)
        block_kill(e, b); /* raises the abort of the page that cannot be fetched, this once */
    struct engine_stats *st = e->v->stats;
    st->blocks_translated++;
    st->insns_translated += ir->n_guest;
    st->host_code_bytes += e->hc->size;
    activity_change(e, before);
    if (e->cfg.flags & ENGINE_LOG_IN_ASM)
        log_code(e, pc & ~1u, in.code, straddles ? room : ir->size, pc & 1 ? CODE_T32 : CODE_A32);
    if (e->cfg.flags & ENGINE_LOG_OUT_ASM)
        log_code(e, e->code_rx + e->block[b].code, e->code_rw + e->block[b].code, e->hc->size, CODE_X86);
    return b;
}
