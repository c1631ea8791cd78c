/*
 * translate.c: one guest block from ARM code to IR: the loop over instructions, conditions, IT blocks, where a block ends, and the services
 * the translate functions of the tables work with.
 *
 * A block is a superblock: conditional branches leave it through EXIT_CC and it goes on with the fall-through path; an unconditional
 * forward branch within the page is followed. It ends at BL, indirect branches, exceptions, state changes blocks are specialised on, and at
 * the page end.
 *
 * Conditional instructions become "BRCC over the body". Neighbours under the same condition share one skip as long as none of them writes
 * flags. A single register result is selected instead (IR_OP_SEL): no branch to mispredict.
 */
#include <arch/arm/translate_int.h>

#define PAGE_SIZE    4096u
#define MAX_FOLLOWED 3
#define NO_LABEL     0xffffu
/* Room the longest instruction may need besides IR_RESERVE. */
#define RESERVE_TEMPS  64
#define RESERVE_LABELS 8
#define IT_BLOCK_MAX   4

/* --- emitters ---------------------------------------------------------------------------------------------------- */

struct ir_insn *tr_emit(struct arm_translator *t, enum ir_op op)
{
    return ir_emit(t->b, op);
}

struct ir_insn *tr_alu(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint16_t b)
{
    struct ir_insn *x = tr_emit(t, op);
    x->d = d;
    x->a = a;
    x->b = b;
    return x;
}

struct ir_insn *tr_alu_imm(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint32_t imm)
{
    struct ir_insn *x = tr_alu(t, op, d, a, IR_NONE);
    x->imm = imm;
    return x;
}

struct ir_insn *tr_mov(struct arm_translator *t, uint16_t d, uint16_t b)
{
    return tr_alu(t, IR_OP_MOV, d, IR_NONE, b);
}

struct ir_insn *tr_mov_imm(struct arm_translator *t, uint16_t d, uint32_t imm)
{
    return tr_alu_imm(t, IR_OP_MOV, d, IR_NONE, imm);
}

void tr_mov_address(struct arm_translator *t, uint16_t d, uint32_t va)
{
    tr_mov_imm(t, d, va)->moves = true;
}

uint16_t tr_const(struct arm_translator *t, uint32_t imm)
{
    uint16_t d = ir_temp(t->b);
    tr_mov_imm(t, d, imm);
    return d;
}

uint16_t tr_address(struct arm_translator *t, uint32_t va)
{
    uint16_t d = ir_temp(t->b);
    tr_mov_address(t, d, va);
    return d;
}

struct ir_insn *tr_call(struct arm_translator *t, ir_helper fn, uint16_t d, uint16_t a, uint16_t b, uint32_t imm, uint32_t imm2,
                        unsigned call_flags)
{
    struct ir_insn *x = tr_alu(t, IR_OP_CALL, d, a, b);
    x->fn = fn;
    x->imm = imm;
    x->imm2 = imm2;
    x->mem = (uint16_t)call_flags;
    return x;
}

uint16_t tr_reg(struct arm_translator *t, unsigned r)
{
    if (r < 15)
        return (uint16_t)r;
    return tr_address(t, t->pc + (t->thumb ? 4 : 8));
}

uint32_t tr_pc_literal(const struct arm_translator *t)
{
    return (t->pc + (t->thumb ? 4 : 8)) & ~3u;
}

void tr_write_reg(struct arm_translator *t, unsigned r, uint16_t v)
{
    if (r == 15)
        tr_exit_ind(t, v, 0);
    else if (v != r)
        tr_mov(t, (uint16_t)r, v);
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static const uint16_t mem_of_kind[] = {[ACCESS_PLAIN] = 0, [ACCESS_ALIAS] = IR_MEM_ALIAS, [ACCESS_SOFT] = IR_MEM_SOFT, [ACCESS_SLOW] = IR_MEM_SLOW};

uint16_t tr_mem(const struct arm_translator *t, unsigned size)
{
    unsigned mem = size;
    if (t->flags & ARM_BF_BE && size > 1)
        mem |= IR_MEM_BE;
    mem |= t->slow;
    if (t->flags & ARM_BF_ALIGN)
        mem |= IR_MEM_ALIGN;
    return (uint16_t)mem;
}

void tr_align(struct arm_translator *t, uint16_t a, uint32_t imm, unsigned size, bool is_write)
{
    if (size <= 1)
        return;
    if (a == IR_NONE) {
        if ((imm & (size - 1)) == 0)
            return;
        a = tr_address(t, imm);
        imm = 0;
    }
    if (size <= 4 && a < 15 && t->aligned & BIT(a) && (imm & (size - 1)) == 0)
        return;
    struct ir_insn *x = tr_emit(t, IR_OP_ALIGN);
    x->a = a;
    x->imm = imm;
    x->imm2 = (size - 1) | (is_write ? BIT(31) : 0);
}

struct ir_insn *tr_access(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint16_t b, unsigned shamt, uint32_t imm,
                          uint16_t mem)
{
    struct ir_insn *x = tr_alu(t, op, d, a, b);
    x->shamt = (uint8_t)shamt;
    x->imm = imm;
    x->moves = a == IR_NONE; /* a literal */
    x->mem = mem;
    return x;
}

struct ir_insn *tr_load(struct arm_translator *t, uint16_t d, uint16_t base, uint32_t imm, uint16_t mem)
{
    if (t->flags & ARM_BF_ALIGN)
        tr_align(t, base, imm, mem & IR_MEM_SIZE, false);
    return tr_access(t, IR_OP_LD, d, base, IR_NONE, 0, imm, mem);
}

struct ir_insn *tr_store(struct arm_translator *t, uint16_t v, uint16_t base, uint32_t imm, uint16_t mem)
{
    if (t->flags & ARM_BF_ALIGN)
        tr_align(t, base, imm, mem & IR_MEM_SIZE, true);
    return tr_access(t, IR_OP_ST, v, base, IR_NONE, 0, imm, mem);
}

/* --- exits ------------------------------------------------------------------------------------------------------- */

void tr_exit(struct arm_translator *t, uint32_t target)
{
    tr_exit_if(t, IR_OP_EXIT, target);
    t->ended = true;
}

void tr_exit_call(struct arm_translator *t, uint32_t target)
{
    struct ir_insn *x = tr_exit_if(t, IR_OP_EXIT, target);
    x->mem = IR_IND_CALL;
    x->imm2 = t->next_pc | t->thumb;
    t->ended = true;
}

struct ir_insn *tr_exit_if(struct arm_translator *t, enum ir_op op, uint32_t target)
{
    uint32_t index = t->b->n;
    struct ir_insn *x = tr_emit(t, op);
    x->imm = target;
    t->b->exit_live[index] = tr_exit_live(t, target);
    return x;
}

void tr_exit_ind(struct arm_translator *t, uint16_t v, unsigned hint)
{
    struct ir_insn *x = tr_emit(t, IR_OP_EXIT_IND);
    x->a = v;
    x->mem = (uint16_t)hint;
    if (hint == IR_IND_CALL)
        x->imm2 = t->next_pc | t->thumb;
    t->ended = true;
}

void tr_exit_raised(struct arm_translator *t)
{
    tr_emit(t, IR_OP_EXIT_RAISED);
    t->ended = true;
}

/* Leave through the dispatcher with the next instruction's ITSTATE stored when it stands in an IT block. */
static void exit_lookup(struct arm_translator *t, uint32_t pc, uint32_t it)
{
    if (it) {
        struct ir_insn *x = tr_emit(t, IR_OP_STE);
        x->imm = ARM_OFF(v.restart);
        x->imm2 = it;
        x->mem = 4;
    }
    tr_emit(t, IR_OP_EXIT_LOOKUP)->imm = pc | t->thumb;
    t->ended = true;
}

uint32_t tr_next_it(const struct arm_translator *t)
{
    return tr_it_advance(t->itstate);
}

void tr_exit_lookup_next(struct arm_translator *t)
{
    exit_lookup(t, t->next_pc, tr_it_advance(t->itstate));
}

void tr_exit_lookup_if(struct arm_translator *t, uint16_t v)
{
    uint16_t skip = ir_label(t->b);
    struct ir_insn *x = tr_emit(t, IR_OP_BRZ);
    x->a = v;
    x->imm = skip;
    tr_exit_lookup_next(t);
    t->ended = false;
    tr_emit(t, IR_OP_LABEL)->imm = skip;
}

void tr_goto(struct arm_translator *t, uint32_t target)
{
    uint32_t pc = target & ~1u;
    bool forward = pc >= t->high && tr_code_at(t, pc, t->thumb ? 2 : 4);
    if ((target & 1) == t->thumb && forward && t->cond >= IR_AL && t->followed < MAX_FOLLOWED) {
        t->followed++;
        t->next_pc = pc;
    } else {
        tr_exit(t, target);
    }
}

void tr_raise(struct arm_translator *t, ir_helper fn, uint32_t imm, uint32_t imm2)
{
    tr_call(t, fn, IR_NONE, IR_NONE, IR_NONE, imm, imm2, CALL_STATE | IR_CALL_NORETURN);
    t->ended = true;
}

void tr_undef(struct arm_translator *t, const struct arm_insn *i)
{
    tr_raise(t, arm_helper_undef, i->raw, i->size);
}

void tr_unimplemented(struct arm_translator *t, const struct arm_insn *i)
{
    tr_raise(t, arm_helper_unimplemented, i->raw, i->size);
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

/* Instructions under one condition, between a BRCC and its label that is still to be placed. */
struct region {
    uint16_t label; /* NO_LABEL: none open */
    uint8_t cond;
    uint32_t aligned; /* what was known before the BRCC */
};

static void region_close(struct arm_translator *t, struct region *r)
{
    if (r->label == NO_LABEL)
        return;
    tr_emit(t, IR_OP_LABEL)->imm = r->label;
    r->label = NO_LABEL;
    t->aligned &= r->aligned;
}

static bool writes_flags(const struct ir_block *b, uint32_t from)
{
    for (uint32_t k = from; k < b->n; k++) {
        const struct ir_insn *x = &b->insn[k];
        if (x->fset || (x->op == IR_OP_CALL && x->mem & IR_CALL_WFLAGS))
            return true;
    }
    return false;
}

/* One register result without flags and without a chance to fault: may be computed on both paths. */
static bool selectable(const struct ir_insn *x)
{
    switch (x->op) {
    case IR_OP_ADD:
    case IR_OP_SUB:
    case IR_OP_RSB:
    case IR_OP_AND:
    case IR_OP_ORR:
    case IR_OP_EOR:
    case IR_OP_BIC:
    case IR_OP_ORN:
    case IR_OP_MOV:
    case IR_OP_MVN:
    case IR_OP_UXTB:
    case IR_OP_UXTH:
    case IR_OP_SXTB:
    case IR_OP_SXTH:
    case IR_OP_UBFX:
    case IR_OP_SBFX:
        return x->fset == 0 && x->d < IR_GLOBALS;
    default:
        return false;
    }
}

static void make_select(struct arm_translator *t, uint32_t at, unsigned cond)
{
    struct ir_insn *x = &t->b->insn[at];
    uint16_t d = x->d;
    if (x->op == IR_OP_MOV && (x->b == IR_NONE || x->shamt == 0)) {
        uint16_t v = x->b;
        bool imm = v == IR_NONE;
        x->op = IR_OP_SEL;
        x->cc = (uint8_t)(imm ? cond ^ 1 : cond);
        x->a = imm ? d : v;
        x->b = imm ? IR_NONE : d;
        return;
    }
    uint16_t v = ir_temp(t->b);
    x->d = v;
    tr_alu(t, IR_OP_SEL, d, v, d)->cc = (uint8_t)cond;
}

/* The instruction's IR since `from` was emitted as if unconditional: make it conditional. */
static void apply_condition(struct arm_translator *t, struct region *r, uint32_t from, uint32_t aligned_before)
{
    struct ir_block *b = t->b;
    if (r->label == NO_LABEL) {
        if (b->n == from)
            return;
        if (!t->ended && b->n == from + 1 && selectable(&b->insn[from])) {
            make_select(t, from, t->cond);
            return;
        }
        tr_emit(t, IR_OP_NOP);
        memmove(&b->insn[from + 1], &b->insn[from], (b->n - 1 - from) * sizeof(b->insn[0]));
        memmove(&b->exit_live[from + 1], &b->exit_live[from], b->n - 1 - from);
        r->label = ir_label(b);
        r->cond = t->cond;
        r->aligned = aligned_before;
        b->insn[from] = (struct ir_insn){
            .op = IR_OP_BRCC, .cc = (uint8_t)(t->cond ^ 1), .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE, .imm = r->label};
        b->exit_live[from] = IR_NZCV;
    }
    if (t->ended || writes_flags(b, from))
        region_close(t, r);
    t->ended = false;
}

/* --- what is known about register alignment ---------------------------------------------------------------------- */

static bool writes_d(const struct ir_insn *x)
{
    switch (x->op) {
    case IR_OP_NOP:
    case IR_OP_INSN:
    case IR_OP_SETF:
    case IR_OP_LDF:
    case IR_OP_STE:
    case IR_OP_ST:
    case IR_OP_LDV:
    case IR_OP_STV:
    case IR_OP_ALIGN:
    case IR_OP_VOP:
        return false;
    default:
        return x->op < IR_OP_LABEL;
    }
}

static void track_alignment(struct arm_translator *t, uint32_t from)
{
    for (uint32_t k = from; k < t->b->n; k++) {
        const struct ir_insn *x = &t->b->insn[k];
        if (x->op == IR_OP_ALIGN && x->a < IR_GLOBALS && (x->imm2 & 3) == 3 && (x->imm & 3) == 0)
            t->aligned |= BIT(x->a);
        if (x->op == IR_OP_CALL && x->mem & IR_CALL_GPR)
            t->aligned = 0;
        if (!writes_d(x))
            continue;
        if (x->d2 < IR_GLOBALS && x->op != IR_OP_STX)
            t->aligned &= ~BIT(x->d2);
        if (x->d >= IR_GLOBALS)
            continue;
        bool imm = x->b == IR_NONE, from_aligned = x->a < IR_GLOBALS && t->aligned & BIT(x->a);
        bool yes = ((x->op == IR_OP_ADD || x->op == IR_OP_SUB) && imm && (x->imm & 3) == 0 && from_aligned) ||
                   (x->op == IR_OP_BIC && imm && (x->imm & 3) == 3) || (x->op == IR_OP_AND && imm && (x->imm & 3) == 0) ||
                   (x->op == IR_OP_MOV && !imm && x->shamt == 0 && x->b < IR_GLOBALS && t->aligned & BIT(x->b));
        t->aligned = yes ? t->aligned | BIT(x->d) : t->aligned & ~BIT(x->d);
    }
}

/* --- the block loop ---------------------------------------------------------------------------------------------- */

static void block_init(struct ir_block *b, const struct guest_translate_in *in)
{
    b->pc = in->pc;
    b->flags = in->flags;
    b->size = 0;
    b->n_guest = 0;
    b->n_temps = 0;
    b->n_labels = 0;
    b->n = 0;
    b->live_out = IR_NZCV;
}

static bool room_for_more(const struct ir_block *b)
{
    return b->n + IR_RESERVE <= IR_MAX_INSNS && b->n_temps + RESERVE_TEMPS <= IR_MAX_TEMPS &&
           b->n_labels + RESERVE_LABELS <= IR_MAX_LABELS && b->n_guest < IR_MAX_GUEST_INSNS;
}

/* The instruction's second halfword lies in a page that cannot be fetched: a prefetch abort at that page. */
static void abort_second_half(struct arm_translator *t)
{
    uint32_t va = (t->pc | (PAGE_SIZE - 1)) + 1;
    struct guest_regime regime;
    struct guest_translation translation;
    guest_current_regime(&t->cpu->v, &regime);
    int code = guest_walk(&t->cpu->v, &regime, va, &translation);
    tr_call(t, arm_helper_prefetch_abort, IR_NONE, tr_address(t, va), IR_NONE, (uint32_t)code, 0, CALL_STATE | IR_CALL_NORETURN);
    t->ended = true;
}

enum fetched { FETCHED, FETCH_STRADDLES, FETCH_ABORTS };

/* Bytes of the instruction at t->pc; *size is set even when they cannot be had. */
static enum fetched fetch(const struct arm_translator *t, uint8_t bytes[4], unsigned *size)
{
    const struct guest_translate_in *in = t->in;
    uint32_t off = t->pc - (in->pc & ~1u), have = in->code_len - off;
    unsigned n = have < 4 ? have : 4;

    memset(bytes, 0, 4);
    memcpy(bytes, in->code + off, n);
    *size = t->thumb && !arm_thumb_is_32bit(tr_halfword(bytes)) ? 2 : 4;
    if (*size <= n)
        return FETCHED;
    if (off)
        return FETCH_STRADDLES; /* must be alone in its block */
    if (!in->code2)
        return FETCH_ABORTS;
    memcpy(bytes + n, in->code2, 4 - n);
    return FETCHED;
}

static void begin_insn(struct arm_translator *t)
{
    struct ir_insn *x = tr_emit(t, IR_OP_INSN);
    x->imm = t->pc | t->thumb;
    x->imm2 = t->itstate;
    t->b->n_guest++;
}

static void translate_block(struct arm_translator *t)
{
    const struct guest_translate_in *in = t->in;
    struct ir_block *b = t->b;
    struct region region = {NO_LABEL, IR_AL, 0};

    while (!t->ended) {
        uint8_t bytes[4];
        unsigned size;
        uint32_t off = t->pc - (in->pc & ~1u);
        unsigned limit = in->max_insns + (t->itstate && b->n_guest ? IT_BLOCK_MAX : 0);
        if (off >= in->code_len || (b->n_guest && (b->n_guest >= limit || !room_for_more(b))))
            break;
        enum fetched fetched = fetch(t, bytes, &size);
        if (fetched == FETCH_STRADDLES)
            break;

        struct arm_insn i;
        uint32_t next_it = tr_it_advance(t->itstate);
        bool known = false;
        t->next_pc = t->pc + size;
        t->high = t->next_pc;
        if (fetched == FETCHED)
            known = t->thumb ? arm_decode_thumb(t->cpu->decoder, t->pc, tr_halfword(bytes), tr_halfword(bytes + 2), &i)
                             : arm_decode_a32(t->cpu->decoder, t->pc, tr_word(bytes), &i);
        if (known && i.row->translate == tr_it && b->n_guest && b->n_guest + 1 + IT_BLOCK_MAX > in->max_insns)
            break; /* the IT block goes into the next block whole */

        unsigned flags = known ? i.row->flags : 0;
        t->cond = IR_AL;
        if (known && !(flags & ROW_NO_COND))
            t->cond = (uint8_t)(t->itstate ? t->itstate >> 4 : i.cond);
        if (t->cond > IR_AL)
            t->cond = IR_AL;
        if (region.label != NO_LABEL && (t->cond != region.cond || flags & ROW_OWN_COND))
            region_close(t, &region);

        begin_insn(t);
        if (t->itstate && b->n_guest == 1) { /* entered inside an IT block: outside faults the word is 0 */
            struct ir_insn *x = tr_emit(t, IR_OP_STE);
            x->imm = ARM_OFF(v.restart);
            x->mem = 4;
        }
        t->slow = in->kind ? mem_of_kind[in->kind(in->kind_arg, t->pc)] : 0;
        uint32_t from = b->n, aligned = t->aligned;
        if (fetched == FETCH_ABORTS) {
            abort_second_half(t);
        } else if (!known) {
            i.cond = IR_AL;
            tr_undef(t, &i);
        } else {
            i.cond = t->cond;
            i.row->translate(t, &i);
        }
        track_alignment(t, from);
        ir_set_resume(b, from, ir_cc_reads(t->cond));
        if (t->cond != IR_AL && !(flags & ROW_OWN_COND))
            apply_condition(t, &region, from, aligned);

        b->size = t->high - (in->pc & ~1u) > b->size ? t->high - (in->pc & ~1u) : b->size;
        if (!known || i.row->translate != tr_it)
            t->itstate = next_it;
        t->pc = t->next_pc;
    }
    if (t->ended)
        return;
    region_close(t, &region);
    if (t->itstate)
        exit_lookup(t, t->pc, t->itstate);
    else
        tr_exit(t, t->pc | t->thumb);
}

void guest_translate(struct vcpu *v, const struct guest_translate_in *in, struct ir_block *b)
{
    struct arm_cpu *cpu = arm_cpu_of(v);
    struct arm_translator t = {
        .cpu = cpu,
        .in = in,
        .b = b,
        .pc = in->pc & ~1u,
        .flags = in->flags,
        .itstate = in->flags >> ARM_BF_IT_SHIFT & 0xff,
        .thumb = in->pc & 1,
    };

    if (!cpu->decoder) {
        cpu->decoder = (struct arm_decoder *)((char *)cpu + ARM_DECODER_OFFSET);
        arm_decoder_init(cpu->decoder);
    }
    block_init(b, in);
    if (!t.thumb && t.pc & 2) { /* after an UNPREDICTABLE branch to a halfword address */
        begin_insn(&t);
        b->size = 2;
        tr_call(&t, arm_helper_misaligned_pc, IR_NONE, tr_address(&t, t.pc), IR_NONE, 0, 0, CALL_STATE | IR_CALL_NORETURN);
        return;
    }
    translate_block(&t);
}
