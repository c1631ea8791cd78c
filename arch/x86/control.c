/*
 * control.c: branches inside a block, and conditional selection.
 *
 * Where paths meet they must agree. Temporaries that live on are written to their slots before a branch and before its label, so registers
 * may hold them only where all paths hold them alike. Flags may stay in EFLAGS where all paths have them there; a flag that only some have
 * there is put to memory, on the fall-through path in line and for a branch out of line.
 */
#include <arch/x86/backend.h>

/* Local branches this many IR instructions long or less are tried with an 8-bit displacement first. */
#define SHORT_BRANCH 8

static void branch_to(struct be *be, uint32_t label, int cc)
{
    struct x86_emitter *e = &be->e;

    x86_vcache_write_back(e);
    if (be->n_branches == MAX_BRANCHES || label >= IR_MAX_LABELS) {
        be->failed = true;
        return;
    }
    struct branch *br = &be->branch[be->n_branches++];
    br->label = (uint16_t)label;
    br->is_short = !be->long_jumps && be->label_pos[label] - be->index <= SHORT_BRANCH;
    if (br->is_short)
        br->patch = cc < 0 ? x86_jmp8(e) : x86_jcc8(e, (enum x86_cc)cc);
    else
        br->patch = cc < 0 ? x86_jmp(e) : x86_jcc(e, (enum x86_cc)cc);
    br->state.flags = be->flags;
    memcpy(br->state.scratch, be->scratch, sizeof(be->scratch));
    br->copies = be->e.vcache;
}

static uint32_t label_position(const struct be *be, uint32_t label)
{
    return label < IR_MAX_LABELS ? be->label_pos[label] : be->b->n;
}

void lower_br(struct be *be, const struct ir_insn *i)
{
    values_write_back(be, label_position(be, i->imm));
    branch_to(be, i->imm, -1);
    be->reachable = false;
}

/*
 * A branch around nothing but a call that does not return (an instruction that is undefined now, a trap): the call goes out of line, and
 * the usual path runs straight on.
 */
static bool around_raise(struct be *be, uint32_t label, enum x86_cc cc)
{
    const struct ir_block *b = be->b;

    if (be->index + 2 >= b->n)
        return false;
    const struct ir_insn *call = &b->insn[be->index + 1], *end = &b->insn[be->index + 2];
    if (call->op != IR_OP_CALL || !(call->mem & IR_CALL_NORETURN) || call->a != IR_NONE || call->b != IR_NONE || end->op != IR_OP_LABEL ||
        end->imm != label)
        return false;
    struct cold *c = cold_new(be, COLD_RAISE, x86_jcc(&be->e, (enum x86_cc)(cc ^ 1)));
    c->save = flags_with_both_nz(&be->flags, be->flags.ef & ~be->flags.mem, IR_NZCV);
    c->carry_inverted = be->flags.carry_inverted;
    c->fn = call->fn;
    c->target = call->imm;
    c->imm = call->imm2;
    be->skip_to = be->index + 2;
    return true;
}

void lower_brcc(struct be *be, const struct ir_insn *i)
{
    if (i->cc == IR_AL) {
        lower_br(be, i);
        return;
    }
    values_write_back(be, label_position(be, i->imm));
    enum x86_cc cc = flags_condition(be, (enum ir_cc)i->cc);
    if (!around_raise(be, i->imm, cc))
        branch_to(be, i->imm, cc);
}

void lower_brz(struct be *be, const struct ir_insn *i)
{
    enum x86_cc cc = i->op == IR_OP_BRZ ? X86_E : X86_NE;

    values_write_back(be, label_position(be, i->imm));
    if (be->state_fused) {
        const struct ir_insn *load = &be->b->insn[be->index - 1];
        flags_clobber(be);
        x86_alu_mi(&be->e, X86_CMP, load->mem, x86_state(load->imm), 0);
        be->state_fused = false;
    } else {
        struct opnd o = value_opnd(be, i->a);
        flags_clobber(be);
        if (o.is_reg)
            x86_test_rr(&be->e, 4, o.reg, o.reg);
        else
            x86_alu_mi(&be->e, X86_CMP, 4, o.m, 0);
    }
    if (!around_raise(be, i->imm, cc))
        branch_to(be, i->imm, cc);
}

/* --- labels ------------------------------------------------------------------------------------------------------------------- */

struct merge {
    uint8_t ef, mem; /* flags all paths have in EFLAGS, in memory */
    bool any;        /* a path was seen */
    bool inverted;   /* polarity of the first */
    bool mixed;      /* paths differ in polarity */
    uint8_t condition, condition_x86;
    bool float_compare;
    uint16_t scratch[X86_N_SCRATCH];
};

static void merge_path(struct merge *m, const struct flag_state *f, const uint16_t *scratch)
{
    if (!m->any) {
        *m = (struct merge){.ef = f->ef,
                            .mem = f->mem,
                            .any = true,
                            .inverted = f->carry_inverted,
                            .condition = f->condition,
                            .condition_x86 = f->condition_x86,
                            .float_compare = f->float_compare};
        memcpy(m->scratch, scratch, sizeof(m->scratch));
        return;
    }
    if ((m->ef & f->ef & IR_C) && m->inverted != f->carry_inverted)
        m->mixed = true;
    if (m->condition != f->condition || m->condition_x86 != f->condition_x86)
        m->condition = 0;
    m->float_compare &= f->float_compare;
    m->ef &= f->ef;
    m->mem &= f->mem;
    for (unsigned r = 0; r < X86_N_SCRATCH; r++)
        if (m->scratch[r] != scratch[r])
            m->scratch[r] = IR_NONE;
}

/* `missing` of the flags `live` at the label are not in EFLAGS there; rax: it holds something there. */
static void bind_branch(struct be *be, const struct branch *br, uint8_t missing, uint8_t live, bool rax)
{
    uint8_t save = missing & br->state.flags.ef & ~br->state.flags.mem;

    if (br->is_short) {
        uint32_t distance = x86_offset(&be->e) - (br->patch + 1);
        if (save || distance > INT8_MAX) {
            be->retry_long = true;
            return;
        }
        x86_patch8_here(&be->e, br->patch);
        return;
    }
    if (!save) {
        x86_patch32_here(&be->e, br->patch);
        return;
    }
    struct cold *c = cold_new(be, COLD_FLAGS_JUMP, br->patch);
    c->save = flags_with_both_nz(&br->state.flags, save, live);
    c->park = rax ? X86_RAX : X86_NOREG;
    c->carry_inverted = br->state.flags.carry_inverted;
    c->back = x86_offset(&be->e);
}

void lower_label(struct be *be, const struct ir_insn *i)
{
    struct merge m = {0};
    struct x86_vcache *copies = &be->e.vcache;
    uint8_t live = be->live[be->index];

    for (uint32_t k = 0; k < be->n_branches; k++) {
        if (be->branch[k].label != i->imm)
            continue;
        if (!m.any && !be->reachable)
            *copies = be->branch[k].copies;
        x86_vcache_write_back(&be->e);
        x86_vcache_meet(copies, &be->branch[k].copies);
        merge_path(&m, &be->branch[k].state.flags, be->branch[k].state.scratch);
    }
    if (!m.any)
        return; /* nothing leads here */
    if (be->reachable) {
        values_write_back(be, be->index);
        if ((be->flags.ef & m.ef & live & IR_C) && !m.mixed && be->flags.carry_inverted != m.inverted) {
            x86_cmc(&be->e);
            be->flags.carry_inverted = m.inverted;
            be->flags.condition = 0;
        }
        merge_path(&m, &be->flags, be->scratch);
    }
    if (m.mixed)
        m.ef &= ~IR_C;
    uint8_t missing = live & ~(m.ef | m.mem);
    bool rax = m.scratch[X86_RAX] != IR_NONE;
    if (rax) /* saving flags must leave it alone */
        be->locked |= 1u << X86_RAX;
    if (be->reachable)
        flags_save(be, missing);
    for (uint32_t k = 0; k < be->n_branches;) {
        if (be->branch[k].label != i->imm) {
            k++;
            continue;
        }
        bind_branch(be, &be->branch[k], missing, live, rax);
        be->branch[k] = be->branch[--be->n_branches];
    }
    be->flags = (struct flag_state){.ef = m.ef,
                                    .mem = m.mem | missing,
                                    .carry_inverted = m.inverted,
                                    .condition = m.condition,
                                    .condition_x86 = m.condition_x86,
                                    .float_compare = m.float_compare};
    memcpy(be->scratch, m.scratch, sizeof(be->scratch));
    be->dirty = 0;
    be->reachable = true;
}

/* --- selection -------------------------------------------------------------------------------------------------------------------- */

void lower_sel(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    enum ir_cc cc = (enum ir_cc)i->cc;
    uint16_t yes = i->a, no = i->b;

    if (cc == IR_AL) {
        unsigned r = def_from(be, i->d, yes);
        def_end(be, i->d, r);
        return;
    }
    if (no == IR_NONE) { /* d = cc ? a : imm */
        value_opnd(be, yes);
        enum x86_cc x = flags_condition(be, cc);
        struct opnd o = value_opnd(be, yes);
        unsigned pinned = i->d < IR_GLOBALS ? x86_pinned[i->d] : X86_NOREG;
        unsigned r = pinned != X86_NOREG && i->d != yes ? pinned : scratch_alloc(be);
        constant_load(be, r, (struct constant){i->imm, i->moves});
        if (pinned != X86_NOREG && i->d == yes) { /* keep it when cc, else take the constant */
            x86_cmov_rr(e, (enum x86_cc)(x ^ 1), 4, pinned, r);
            return;
        }
        if (o.is_reg)
            x86_cmov_rr(e, x, 4, r, o.reg);
        else
            x86_cmov_rm(e, x, 4, r, o.m);
        def_end(be, i->d, r);
        return;
    }
    value_opnd(be, yes);
    value_opnd(be, no);
    enum x86_cc x = flags_condition(be, cc);
    if (i->d == yes) { /* keep it when cc, else take the other */
        uint16_t other = no;
        no = yes;
        yes = other;
        x ^= 1;
    }
    struct opnd o = value_opnd(be, yes);
    unsigned r = def_from(be, i->d, no);
    if (o.is_reg)
        x86_cmov_rr(e, x, 4, r, o.reg);
    else
        x86_cmov_rm(e, x, 4, r, o.m);
    def_end(be, i->d, r);
}
