/*
 * vcache.c: copies of guest vector registers in xmm registers (see vcache.h).
 */
#include <arch/x86/vop_impl.h>

static uint32_t load_opc(unsigned bytes)
{
    return bytes == 16 ? X86_VMOVDQU : bytes == 8 ? X86_VMOVQ : X86_VMOVSS;
}
static uint32_t store_opc(unsigned bytes)
{
    return bytes == 16 ? X86_VMOVDQU_ST : bytes == 8 ? X86_VMOVQ_ST : X86_VMOVSS_ST;
}

/* --- dirty copies --- */

#define SET_BYTES 3u /* low bits of a set's entry: 1, 2, 3 for 4, 8, 16 bytes; offsets are multiples of 4 */

struct x86_vcache_set x86_vcache_dirty(const struct x86_vcache *c)
{
    struct x86_vcache_set s = {{0}};

    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->dirty & 1u << k)
            s.reg[k] = (uint16_t)(c->off[k] | (c->bytes[k] == 16 ? 3 : c->bytes[k] / 4));
    return s;
}

static void store(struct x86_emitter *e, unsigned k, unsigned off, unsigned bytes)
{
    x86_v_mr(e, store_opc(bytes), x86_state(off), X86_VCACHE_XMM(k));
}

void x86_vcache_store_set(struct x86_emitter *e, const struct x86_vcache_set *s)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (s->reg[k])
            store(e, k, s->reg[k] & ~SET_BYTES, 2u << (s->reg[k] & SET_BYTES));
}

void x86_vcache_restore(struct vcpu *v, const struct x86_vcache_set *s, const uint8_t *xmm)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (s->reg[k])
            memcpy((uint8_t *)v + (s->reg[k] & ~SET_BYTES), xmm + 16 * X86_VCACHE_XMM(k), 2u << (s->reg[k] & SET_BYTES));
}

/* Registers `which`, a bit each, become clean. */
static void clean(struct x86_emitter *e, unsigned which)
{
    struct x86_vcache *c = &e->vcache;

    which &= c->dirty;
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (which & 1u << k)
            store(e, k, c->off[k], c->bytes[k]);
    c->dirty &= (uint16_t)~which;
}

void x86_vcache_write_back(struct x86_emitter *e)
{
    clean(e, e->vcache.dirty);
}

static bool overlaps(const struct x86_vcache *c, unsigned k, uint32_t off, unsigned bytes)
{
    return c->bytes[k] && off < (uint32_t)c->off[k] + c->bytes[k] && c->off[k] < off + bytes;
}

void x86_vcache_settle(struct x86_emitter *e, uint32_t off, unsigned bytes)
{
    if (e->vcache.dirty)
        for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
            if (overlaps(&e->vcache, k, off, bytes))
                clean(e, 1u << k);
}

/* --- copies --- */

static void forget(struct x86_vcache *c, unsigned k)
{
    c->bytes[k] = 0;
    c->dirty &= (uint16_t) ~(1u << k);
}

void x86_vcache_reset(struct x86_emitter *e)
{
    x86_vcache_write_back(e);
    memset(e->vcache.bytes, 0, sizeof(e->vcache.bytes));
}

void x86_vcache_kill(struct x86_emitter *e, uint32_t off, unsigned bytes)
{
    struct x86_vcache *c = &e->vcache;

    for (unsigned k = 0; k < X86_VCACHE_REGS; k++) {
        if (!overlaps(c, k, off, bytes))
            continue;
        if (c->off[k] < off || (uint32_t)c->off[k] + c->bytes[k] > off + bytes) /* of which a part stays */
            clean(e, 1u << k);
        forget(c, k);
    }
}

int x86_vcache_find(const struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->bytes[k] >= bytes && c->off[k] == off)
            return (int)X86_VCACHE_XMM(k);
    return -1;
}

int x86_vcache_operand(struct x86_emitter *e, uint32_t off, unsigned bytes)
{
    int r = x86_vcache_find(&e->vcache, off, bytes);

    if (r < 0)
        x86_vcache_settle(e, off, bytes);
    return r;
}

static int pin_of(const struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    for (unsigned k = 0; k < c->n_pins; k++)
        if (c->pin_off[k] == off && c->pin_bytes[k] == bytes)
            return (int)k;
    return -1;
}

/* A register that from now on stands for these bytes. */
static unsigned take(struct x86_emitter *e, uint32_t off, unsigned bytes)
{
    struct x86_vcache *c = &e->vcache;
    int pin = pin_of(c, off, bytes);
    unsigned k = pin >= 0 ? (unsigned)pin : c->n_pins;

    while (pin < 0 && k < X86_VCACHE_REGS && c->bytes[k])
        k++;
    if (k == X86_VCACHE_REGS) {
        k = c->next < c->n_pins ? c->n_pins : c->next;
        c->next = (uint8_t)((k + 1) % X86_VCACHE_REGS);
    }
    clean(e, 1u << k);
    c->off[k] = (uint16_t)off;
    c->bytes[k] = (uint8_t)bytes;
    return X86_VCACHE_XMM(k);
}

unsigned x86_vcache_target(struct x86_emitter *e, uint32_t off, unsigned bytes)
{
    x86_vcache_kill(e, off, bytes);
    return take(e, off, bytes);
}

void x86_vcache_written(struct x86_emitter *e, unsigned x)
{
    struct x86_vcache *c = &e->vcache;
    unsigned k = 15 - x;

    if (c->lazy)
        c->dirty |= (uint16_t)(1u << k);
    else
        store(e, k, c->off[k], c->bytes[k]);
}

void x86_vcache_release(struct x86_emitter *e, unsigned last)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (X86_VCACHE_XMM(k) <= last) {
            clean(e, 1u << k);
            forget(&e->vcache, k);
        }
}

void x86_vcache_before(struct x86_emitter *e, const struct ir_insn *i)
{
    switch (i->op) {
    case IR_OP_VOP:
    case IR_OP_ALIGN:
    case IR_OP_LABEL: /* lower_label() */
    case IR_OP_BR:    /* the paths that go on from these find the copies as they were */
    case IR_OP_BRCC:
    case IR_OP_BRZ:
    case IR_OP_BRNZ:
    case IR_OP_EXIT: /* emit_direct_exit() */
    case IR_OP_EXIT_CC:
    case IR_OP_EXIT_Z:
    case IR_OP_EXIT_NZ:
        break;
    case IR_OP_LDE:
        x86_vcache_settle(e, i->imm, i->mem);
        break;
    case IR_OP_LDF:
        x86_vcache_settle(e, i->imm, 4);
        break;
    case IR_OP_STE:
        x86_vcache_kill(e, i->imm, i->mem);
        break;
    case IR_OP_LANES:
        if (i->imm2 <= IR_LANES_USUB16)
            x86_vcache_kill(e, i->imm, 4);
        break;
    case IR_OP_LD:
    case IR_OP_ST:
    case IR_OP_LDV:
    case IR_OP_STV:
        if (i->mem & (IR_MEM_SLOW | IR_MEM_USER) || (i->op >= IR_OP_LDV && i->mem & IR_MEM_BE)) /* calls */
            x86_vcache_reset(e);
        break;
    default:
        if (i->op > IR_OP_LDF) /* below: they compute on general registers and flags */
            x86_vcache_reset(e);
        break;
    }
}

void x86_vcache_meet(struct x86_vcache *c, const struct x86_vcache *other)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->off[k] != other->off[k] || c->bytes[k] != other->bytes[k])
            c->bytes[k] = 0;
}

/* --- loops --- */

#define CANDIDATES 16

struct candidates {
    unsigned n;
    struct {
        uint16_t off;
        uint8_t bytes;
        bool read_first, written;
        bool by_integers; /* STE writes it: then it is in memory */
    } c[CANDIDATES];
};

static void note(struct candidates *s, uint32_t off, unsigned bytes, bool write, bool by_integers)
{
    unsigned k = 0;

    while (k < s->n && (s->c[k].off != off || s->c[k].bytes != bytes))
        k++;
    if (k == CANDIDATES || off == IR_NONE || (bytes != 4 && bytes != 8 && bytes != 16))
        return;
    if (k == s->n) {
        s->c[k].off = (uint16_t)off;
        s->c[k].bytes = (uint8_t)bytes;
        s->c[k].read_first = !write;
        s->c[k].written = s->c[k].by_integers = false;
        s->n++;
    }
    s->c[k].written |= write;
    s->c[k].by_integers |= by_integers;
}

static bool reads_destination(unsigned vop)
{
    return (vop >= IR_VOP_BSL && vop <= IR_VOP_BIF) || (vop >= IR_VOP_MLA8 && vop <= IR_VOP_MLS32) ||
           (vop >= IR_VOP_SLI8 && vop <= IR_VOP_SRAS64) || (vop >= IR_VOP_MLALS8 && vop <= IR_VOP_MLSLU32) ||
           (vop >= IR_VOP_ABAS8 && vop <= IR_VOP_ABAU32) || (vop >= IR_VOP_ABALS8 && vop <= IR_VOP_ABALU32) ||
           (vop >= IR_VOP_PADALS8 && vop <= IR_VOP_PADALU32) || (vop >= IR_VOP_FMLA && vop <= IR_VOP_FFNMS) || vop == IR_VOP_VFMLA ||
           vop == IR_VOP_VFMLS;
}

static void note_vop(struct candidates *s, const struct ir_insn *i)
{
    unsigned vop = i->imm2 & 0xffff, from = i->mem, to = i->mem;

    if (vop == IR_VOP_FCVT)
        to = from == 8 ? 4 : 8;
    else if (vop == IR_VOP_FFROMS || vop == IR_VOP_FFROMU)
        from = 4;
    else if (vop == IR_VOP_FTOS || vop == IR_VOP_FTOU)
        to = 4;
    note(s, i->a, from, false, false);
    note(s, i->b, from, false, false);
    if (reads_destination(vop))
        note(s, i->d, to, false, false);
    if (vop != IR_VOP_FCMP && vop != IR_VOP_FCMPE) /* into flags, in memory, next to what is no vector register */
        note(s, i->d, to, true, vop == IR_VOP_FTOS || vop == IR_VOP_FTOU);
}

static bool overlaps_another(const struct candidates *s, unsigned k)
{
    for (unsigned m = 0; m < s->n; m++)
        if (m != k && s->c[m].off < s->c[k].off + s->c[k].bytes && s->c[k].off < s->c[m].off + s->c[m].bytes)
            return true;
    return false;
}

static void pin_those(struct x86_vcache *c, const struct candidates *s, bool read_first, bool written, unsigned up_to)
{
    for (unsigned k = 0; k < s->n && c->n_pins < up_to; k++) {
        if (s->c[k].read_first != read_first || s->c[k].written != written || s->c[k].by_integers || overlaps_another(s, k))
            continue;
        if (written && c->lazy)
            c->carried |= (uint16_t)(1u << c->n_pins);
        c->pin_off[c->n_pins] = s->c[k].off;
        c->pin_bytes[c->n_pins++] = s->c[k].bytes;
    }
}

/* Is there a place where paths meet, and everything is written back? A branch around a call that does not return is none. */
static bool paths_meet(const struct ir_block *b, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        if (b->insn[k].op == IR_OP_LABEL && (k == 0 || b->insn[k - 1].op != IR_OP_CALL || !(b->insn[k - 1].mem & IR_CALL_NORETURN)))
            return true;
    return false;
}

void x86_vcache_pin(struct x86_vcache *c, const struct ir_block *b, uint32_t n)
{
    struct candidates s = {0};

    *c = (struct x86_vcache){.lazy = true};
    for (uint32_t k = 0; k < n; k++) {
        const struct ir_insn *i = &b->insn[k];
        if (i->op == IR_OP_STV || i->op == IR_OP_LDV)
            note(&s, i->imm2, i->mem & IR_MEM_SIZE, i->op == IR_OP_LDV, false);
        else if (i->op == IR_OP_VOP)
            note_vop(&s, i);
        else if (i->op == IR_OP_STE)
            note(&s, i->imm, i->mem, true, true);
    }
    bool meet = paths_meet(b, n);
    /* What goes round the loop first, then what each round makes anew, then what it only reads. */
    pin_those(c, &s, true, true, X86_VCACHE_PINS);
    if (!meet)
        pin_those(c, &s, false, true, X86_VCACHE_PINS);
    pin_those(c, &s, true, false, X86_VCACHE_PINS - 2);
    if (meet)
        c->carried = 0;
}

static void load_pins(struct x86_emitter *e)
{
    struct x86_vcache *c = &e->vcache;

    for (unsigned k = 0; k < c->n_pins; k++)
        if (!c->bytes[k]) {
            vop_load(e, c->pin_bytes[k], X86_VCACHE_XMM(k), c->pin_off[k]); /* perhaps from another copy */
            take(e, c->pin_off[k], c->pin_bytes[k]);
        }
}

void x86_vcache_enter_loop(struct x86_emitter *e)
{
    load_pins(e);
    e->vcache.dirty = e->vcache.carried;
}

void x86_vcache_at_head(struct x86_vcache *c)
{
    memset(c->bytes, 0, sizeof(c->bytes));
    memcpy(c->bytes, c->pin_bytes, c->n_pins);
    memcpy(c->off, c->pin_off, c->n_pins * sizeof(c->off[0]));
    c->dirty = c->carried;
}

void x86_vcache_close_loop(struct x86_emitter *e)
{
    load_pins(e);
    clean(e, ~(unsigned)e->vcache.carried);
}

/* xmm to xmm, `bytes` of it; a move of 8 clears the rest. */
static void copy(struct x86_emitter *e, unsigned bytes, unsigned d, unsigned s)
{
    x86_v_rr(e, bytes == 8 ? X86_VMOVQ : X86_VMOVAPS, d, s);
}

void x86_vcache_reload(struct x86_emitter *e, const struct x86_vcache *c)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->bytes[k])
            x86_v_rm(e, load_opc(c->bytes[k]), X86_VCACHE_XMM(k), x86_state(c->off[k]));
}

/* --- state operands of vector operations --- */

/* Which copies make up the `bytes` at off: one of twice as many, of which they are the upper half, or two halves */
static bool find_parts(const struct x86_vcache *c, unsigned bytes, uint32_t off, int *whole, int *low, int *high)
{
    *whole = bytes == 8 ? x86_vcache_find(c, off - 8, 16) : -1;
    *low = bytes >= 8 ? x86_vcache_find(c, off, bytes / 2) : -1;
    *high = bytes >= 8 ? x86_vcache_find(c, off + bytes / 2, bytes / 2) : -1;
    return *whole >= 0 || (*low >= 0 && *high >= 0);
}

bool vop_in_parts(const struct x86_emitter *e, unsigned bytes, uint32_t off)
{
    int whole, low, high;

    return find_parts(&e->vcache, bytes, off, &whole, &low, &high);
}

/* What was stored in two halves a load cannot have from the store buffer: it would wait until both are in the cache. */
static bool load_parts(struct x86_emitter *e, unsigned bytes, unsigned x, uint32_t off)
{
    int whole, low, high;

    if (!find_parts(&e->vcache, bytes, off, &whole, &low, &high))
        return false;
    if (whole >= 0) {
        x86_v_shift(e, X86_VPSRLDQ_I, x, (unsigned)whole, 8);
    } else {
        x86_v_rrr(e, bytes == 16 ? X86_VPUNPCKLQDQ : X86_VPUNPCKLDQ, x, (unsigned)low, (unsigned)high);
        if (bytes == 8)
            copy(e, 8, x, x);
    }
    return true;
}

void vop_load(struct x86_emitter *e, unsigned bytes, unsigned x, uint32_t off)
{
    int r = x86_vcache_find(&e->vcache, off, bytes);

    if (r >= 0) {
        copy(e, bytes, x, (unsigned)r);
    } else if (!load_parts(e, bytes, x, off)) {
        x86_vcache_settle(e, off, bytes);
        x86_v_rm(e, load_opc(bytes), x, x86_state(off));
    }
}

unsigned vop_operand(struct x86_emitter *e, unsigned bytes, unsigned x, uint32_t off)
{
    int r = x86_vcache_find(&e->vcache, off, bytes);

    if (r >= 0)
        return (unsigned)r;
    vop_load(e, bytes, x, off);
    return x;
}

void vop_store(struct x86_emitter *e, unsigned bytes, uint32_t off, unsigned x)
{
    if (x < X86_VCACHE_FIRST) {
        unsigned d = x86_vcache_target(e, off, bytes);
        copy(e, 16, d, x);
        x = d;
    }
    x86_vcache_written(e, x);
}

static bool meet_in_state(unsigned a, unsigned a_bytes, unsigned b, unsigned b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

unsigned vop_result(struct x86_emitter *e, const struct ir_insn *i, unsigned bytes, unsigned x)
{
    const struct x86_vcache *c = &e->vcache;

    if (reads_destination(i->imm2 & 0xffff) || meet_in_state(i->a, i->mem, i->d, bytes) || meet_in_state(i->b, i->mem, i->d, bytes))
        for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
            if (c->dirty & 1u << k && overlaps(c, k, i->d, bytes))
                return x;
    return x86_vcache_target(e, i->d, bytes);
}
