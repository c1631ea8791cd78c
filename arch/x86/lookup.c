/*
 * lookup.c: guest memory accesses that look for the page themselves, instead of leaving that to the processor.
 *
 * An access with IR_MEM_ALIAS is preceded by a comparison of its address with the start of the group of pages in vcpu.alias. Group and
 * whatever lies above it are looked at in cold code, which makes the access at the host address or comes back for the ordinary one. The
 * comparison may be wrong about addresses that wrap: then the ordinary access is made, which is right for all.
 *
 * An access with IR_MEM_SOFT always goes through cold code, which looks into vcpu.soft_tlb. If the page is not there, the engine is called
 * as if the access had faulted: it takes the guest's exception, puts the page into the table, or has the ordinary access made.
 */
#include <arch/x86/backend.h>

/* --- the access itself --- */

void access_load(struct x86_emitter *e, const struct ir_insn *i, unsigned r, struct x86_mem m)
{
    unsigned size = access_size(i);
    bool is_signed = i->mem & IR_MEM_SIGNED;

    if (size == 4) {
        if (i->mem & IR_MEM_BE)
            x86_movbe_rm(e, 4, r, m);
        else
            x86_mov_rm(e, 4, r, m);
    } else if (size == 2 && (i->mem & IR_MEM_BE)) {
        x86_movbe_rm(e, 2, r, m);
        if (is_signed)
            x86_movsx_rr(e, 4, 2, r, r);
        else
            x86_movzx_rr(e, 2, r, r);
    } else if (is_signed) {
        x86_movsx_rm(e, 4, size, r, m);
    } else {
        x86_movzx_rm(e, size, r, m);
    }
}

void access_store(struct x86_emitter *e, const struct ir_insn *i, unsigned r, struct x86_mem m)
{
    unsigned size = access_size(i);

    if (size > 1 && (i->mem & IR_MEM_BE))
        x86_movbe_mr(e, size, m, r);
    else
        x86_mov_mr(e, size, m, r);
}

static const struct {
    uint32_t load, store;
} vector_move[] = {
    [1] = {X86_VMOVSS, X86_VMOVSS_ST},
    [2] = {X86_VMOVSD, X86_VMOVSD_ST},
    [4] = {X86_VMOVDQU, X86_VMOVDQU_ST},
};

void access_vector_load(struct x86_emitter *e, unsigned size, unsigned x, struct x86_mem m)
{
    x86_v_rm(e, vector_move[size / 4].load, x, m);
}

void access_vector_store(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned x)
{
    x86_v_mr(e, vector_move[size / 4].store, m, x);
}

/* --- in the block --- */

/* How many words from the instruction at hand on, of globals, lie one after the other behind one address: those of a multiple transfer. */
static unsigned run_length(const struct be *be)
{
    const struct ir_insn *i = &be->b->insn[be->index]; /* before constants were put in */
    unsigned n = 0;

    if ((i->op != IR_OP_LD && i->op != IR_OP_ST) || i->a == IR_NONE || i->b != IR_NONE || (i->mem & (IR_MEM_SIZE | IR_MEM_BE)) != 4)
        return 1;
    for (uint32_t k = be->index; k < be->b->n && n < 16; k++, n++) {
        const struct ir_insn *x = &be->b->insn[k];
        if (x->op != i->op || x->mem != i->mem || x->a != i->a || x->b != IR_NONE || x->imm != i->imm + 4 * n || x->d >= IR_GLOBALS ||
            (x->op == IR_OP_LD && x->d == x->a))
            break;
    }
    return n ? n : 1;
}

/* The jump to cold code of an access that may be to an alias: taken when the address is not below those. */
static uint32_t compare_with_aliases(struct be *be, struct x86_mem m)
{
    struct x86_emitter *e = &be->e;
    uint32_t start = be->opts->alias_start;

    if (m.base != X86_NOREG && m.index == X86_NOREG) {
        x86_alu_ri(e, X86_CMP, 4, m.base, (int32_t)(start - (uint32_t)m.disp));
    } else {
        m.guest = 0;
        x86_push_r(e, X86_RAX);
        x86_lea(e, 4, X86_RAX, m);
        x86_alu_ri(e, X86_CMP, 4, X86_RAX, (int32_t)start);
        x86_pop_r(e, X86_RAX);
    }
    return x86_jcc(e, X86_AE);
}

struct cold *lookup_begin(struct be *be, const struct ir_insn *i, struct x86_mem m)
{
    struct x86_emitter *e = &be->e;
    bool soft = i->mem & IR_MEM_SOFT;
    uint32_t start = be->opts->alias_start;

    if (be->run.cold)
        return NULL;
    if (!soft) {
        if (!(i->mem & IR_MEM_ALIAS) || !start)
            return NULL;
        if (i->moves)
            be->out->fixed = true;
        if (m.base == X86_NOREG && m.index == X86_NOREG && (uint32_t)m.disp < start)
            return NULL;
    }
    flags_clobber(be);
    unsigned count = run_length(be);
    if (count > 1)
        scratch_save_live(be);
    struct cold *c = cold_new(be, soft ? COLD_SOFT : COLD_ALIAS, soft ? x86_jmp(e) : compare_with_aliases(be, m));
    c->lookup.m = m;
    c->lookup.insn = (uint16_t)be->index;
    c->lookup.has_value = false;
    c->lookup.count = (uint8_t)count;
    c->lookup.fault = (uint16_t)be->out->n_faults;
    c->lookup.ordinary = x86_offset(e);
    if (count > 1) {
        be->run = (struct lookup_run){.end = be->index + count, .cold = c};
        memcpy(be->run.scratch, be->scratch, sizeof(be->run.scratch));
    }
    return c;
}

/*
 * Behind the last word of a run: the cold code has done the same as the code between, but it has put nothing into scratch registers. So
 * what these have come to hold is forgotten: globals are in memory, temporaries have been in their slots since the run began.
 */
void lookup_run_end(struct be *be)
{
    struct lookup_run *run = &be->run;

    if (!run->cold || be->index + 1 != run->end)
        return;
    bool loads = be->b->insn[be->index].op == IR_OP_LD;
    for (unsigned r = 0; r < X86_N_SCRATCH; r++) {
        uint16_t is = be->scratch[r];
        if (is != IR_NONE && (is != run->scratch[r] || (loads && is < IR_GLOBALS)))
            value_forget_register(be, is);
    }
    run->cold->back = x86_offset(&be->e);
    run->cold = NULL;
}

void lookup_none(struct be *be, const struct ir_insn *i)
{
    if (be->out->n_faults == 0)
        return;
    be->out->fault[be->out->n_faults - 1].alias = (i->mem & IR_MEM_ALIAS) != 0;
    be->out->fault[be->out->n_faults - 1].soft = (i->mem & IR_MEM_SOFT) != 0;
}

void lookup_end(struct be *be, const struct ir_insn *i, struct cold *c, unsigned reg)
{
    lookup_none(be, i);
    if (c && c->lookup.count == 1) {
        c->reg = (uint8_t)reg;
        c->back = x86_offset(&be->e);
    }
}

/* --- cold code --- */

/* Index in x86_soft_reg[] of one that is none of these. */
static unsigned other_reg(unsigned a, unsigned b, unsigned c, unsigned d)
{
    unsigned k = 0;

    while (x86_soft_reg[k] == a || x86_soft_reg[k] == b || x86_soft_reg[k] == c || x86_soft_reg[k] == d)
        k++;
    return k;
}

/* The words of a run at [at]; `free` may be used. */
static void emit_run(struct be *be, const struct cold *c, unsigned at, unsigned free)
{
    const struct ir_insn *i = &be->b->insn[c->lookup.insn];

    for (unsigned k = 0; k < c->lookup.count; k++) {
        struct x86_mem m = x86_base(at, (int32_t)(4 * k));
        unsigned pinned = x86_pinned[i[k].d], r = pinned == X86_NOREG ? free : pinned;
        if (i->op == IR_OP_LD) {
            x86_mov_rm(&be->e, 4, r, m);
            if (pinned == X86_NOREG)
                x86_mov_mr(&be->e, 4, global_mem(i[k].d), r);
        } else {
            if (pinned == X86_NOREG)
                x86_mov_rm(&be->e, 4, r, global_mem(i[k].d));
            x86_mov_mr(&be->e, 4, m, r);
        }
    }
}

/* The access, at the host address in `at`; `free` may be used. */
static void emit_access(struct be *be, const struct cold *c, unsigned at, unsigned free)
{
    struct x86_emitter *e = &be->e;
    const struct ir_insn *i = &be->b->insn[c->lookup.insn];
    struct x86_mem m = x86_base(at, 0);

    if (c->lookup.count > 1)
        emit_run(be, c, at, free);
    else if (i->op == IR_OP_LDV)
        access_vector_load(e, access_size(i), c->reg, m);
    else if (i->op == IR_OP_STV)
        access_vector_store(e, access_size(i), m, c->reg);
    else if (c->lookup.has_value)
        x86_mov_mi(e, access_size(i), m, (int32_t)c->lookup.value);
    else if (i->op == IR_OP_ST)
        access_store(e, i, c->reg, m);
    else
        access_load(e, i, c->reg, m);
}

/* Two registers for the cold code of an access, which pushes them, as indices in x86_soft_reg[]. */
static void choose_registers(const struct be *be, const struct cold *c, unsigned *first, unsigned *second)
{
    const struct ir_insn *i = &be->b->insn[c->lookup.insn];
    bool vector = i->op == IR_OP_LDV || i->op == IR_OP_STV;
    unsigned data = vector || c->lookup.count != 1 ? X86_NOREG : c->reg; /* of a run: no scratch register */

    *first = other_reg(c->lookup.m.base, c->lookup.m.index, data, X86_NOREG);
    *second = other_reg(c->lookup.m.base, c->lookup.m.index, data, x86_soft_reg[*first]);
}

/* reg = the access' guest address */
static void emit_address(struct be *be, const struct cold *c, unsigned reg)
{
    struct x86_mem m = c->lookup.m;

    m.guest = 0;
    x86_lea(&be->e, 4, reg, m);
    address_moves(be, m);
}

static void jump_to(struct be *be, uint32_t offset)
{
    uint32_t at = x86_jmp(&be->e);

    x86_patch32(&be->e, at, offset);
}

void alias_emit(struct be *be, const struct cold *c)
{
    struct x86_emitter *e = &be->e;
    unsigned size = access_size(&be->b->insn[c->lookup.insn]), va, at;
    uint32_t miss[3] = {0};

    choose_registers(be, c, &va, &at);
    va = x86_soft_reg[va], at = x86_soft_reg[at];
    x86_push_r(e, va); /* nothing faults from here on */
    x86_push_r(e, at);
    emit_address(be, c, va);
    x86_lea(e, 4, at, x86_base(va, -(int32_t)be->opts->alias_start));
    x86_sh_ri(e, X86_SHR, 4, at, 12);
    x86_alu_ri(e, X86_CMP, 4, at, VCPU_ALIAS_SLOTS);
    miss[0] = x86_jcc8(e, X86_AE);
    x86_sh_ri(e, X86_SHL, 4, at, 3);
    x86_alu_rm(e, X86_ADD, 8, at, x86_state(VCPU_OFF(alias)));
    x86_mov_rm(e, 8, at, x86_base(at, 0));
    x86_test_rr(e, 8, at, at);
    miss[1] = x86_jcc8(e, X86_E);
    x86_alu_rr(e, X86_ADD, 8, at, va);
    if (size > 1) { /* not across the end of the page */
        x86_alu_ri(e, X86_AND, 4, va, 0xfff);
        x86_alu_ri(e, X86_CMP, 4, va, (int32_t)(0x1000 - size * c->lookup.count));
        miss[2] = x86_jcc8(e, X86_A);
    }
    emit_access(be, c, at, va);
    x86_pop_r(e, at);
    x86_pop_r(e, va);
    jump_to(be, c->back);
    for (unsigned k = 0; k < ARRAY_LEN(miss); k++)
        if (miss[k])
            x86_patch8_here(e, miss[k]);
    x86_pop_r(e, at);
    x86_pop_r(e, va);
    jump_to(be, c->lookup.ordinary);
}

/* Here is a fault point for the lookup's misses: that of the ordinary access, before which the state is the same. */
static void lookup_point(struct be *be, const struct cold *c, bool write, unsigned bytes)
{
    struct host_code *out = be->out;

    if (out->n_faults == HOST_MAX_FAULTS || x86_offset(&be->e) > UINT16_MAX) {
        be->failed = true;
        return;
    }
    struct host_fault_point *p = &out->fault[out->n_faults++];
    *p = out->fault[c->lookup.fault];
    p->ordinary = (uint16_t)c->lookup.ordinary;
    p->code_off = (uint16_t)x86_offset(&be->e);
    p->write = write;
    p->bytes = (uint8_t)bytes;
}

void soft_emit(struct be *be, const struct cold *c)
{
    struct x86_emitter *e = &be->e;
    const struct ir_insn *i = &be->b->insn[c->lookup.insn];
    bool write = i->op == IR_OP_ST || i->op == IR_OP_STV;
    unsigned bytes = access_size(i) * c->lookup.count, first, second, k = 0;

    choose_registers(be, c, &first, &second);
    unsigned at = x86_soft_reg[first], free = x86_soft_reg[second];
    while (soft_limit(k) < bytes)
        k++;
    x86_push_r(e, at);
    emit_address(be, c, at);
    uint32_t call = x86_call(e);
    x86_patch32(e, call, (uint32_t)(be->cache_rx + be->tramp->soft_lookup[first][write][k] - be->rx));
    move_note(be, call, HOST_MOVE_OUT);
    lookup_point(be, c, write, bytes);
    if (c->lookup.count > 1)
        x86_push_r(e, free);
    emit_access(be, c, at, free);
    if (c->lookup.count > 1)
        x86_pop_r(e, free);
    x86_pop_r(e, at);
    jump_to(be, c->back);
}
