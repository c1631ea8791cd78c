/*
 * vcache.c: copies of guest vector registers in xmm registers (see vcache.h).
 */
#include <arch/x86/vop_impl.h>

void x86_vcache_reset(struct x86_vcache *c)
{
    memset(c->bytes, 0, sizeof(c->bytes));
}

void x86_vcache_kill(struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->bytes[k] && off < (uint32_t)c->off[k] + c->bytes[k] && c->off[k] < off + bytes)
            c->bytes[k] = 0;
}

int x86_vcache_find(const struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    for (unsigned k = 0; k < X86_VCACHE_REGS; k++)
        if (c->bytes[k] >= bytes && c->off[k] == off)
            return (int)(X86_VCACHE_FIRST + k);
    return -1;
}

static int pin_of(const struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    for (unsigned k = 0; k < c->n_pins; k++)
        if (c->pin_off[k] == off && c->pin_bytes[k] == bytes)
            return (int)k;
    return -1;
}

unsigned x86_vcache_alloc(struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    int pin = pin_of(c, off, bytes);
    unsigned k = pin >= 0 ? (unsigned)pin : c->n_pins;

    while (pin < 0 && k < X86_VCACHE_REGS && c->bytes[k])
        k++;
    if (k == X86_VCACHE_REGS) {
        k = c->next < c->n_pins ? c->n_pins : c->next;
        c->next = (uint8_t)((k + 1) % X86_VCACHE_REGS);
    }
    c->off[k] = (uint16_t)off;
    c->bytes[k] = (uint8_t)bytes;
    return X86_VCACHE_FIRST + k;
}

unsigned x86_vcache_target(struct x86_vcache *c, uint32_t off, unsigned bytes)
{
    x86_vcache_kill(c, off, bytes);
    return x86_vcache_alloc(c, off, bytes);
}

void x86_vcache_before(struct x86_vcache *c, const struct ir_insn *i)
{
    switch (i->op) {
    case IR_OP_VOP:
    case IR_OP_LDE:
    case IR_OP_LDF:
    case IR_OP_ALIGN:
    case IR_OP_LABEL: /* lower_label() */
    case IR_OP_BR:    /* the paths that go on from these find the copies as they were */
    case IR_OP_BRCC:
    case IR_OP_BRZ:
    case IR_OP_BRNZ:
    case IR_OP_EXIT_CC:
    case IR_OP_EXIT_Z:
    case IR_OP_EXIT_NZ:
        break;
    case IR_OP_STE:
        x86_vcache_kill(c, i->imm, i->mem);
        break;
    case IR_OP_LANES:
        if (i->imm2 <= IR_LANES_USUB16)
            x86_vcache_kill(c, i->imm, 4);
        break;
    case IR_OP_LD:
    case IR_OP_ST:
    case IR_OP_LDV:
    case IR_OP_STV:
        if (i->mem & (IR_MEM_SLOW | IR_MEM_USER) || (i->op >= IR_OP_LDV && i->mem & IR_MEM_BE)) /* calls */
            x86_vcache_reset(c);
        else if (i->op == IR_OP_LDV)
            x86_vcache_kill(c, i->imm2, i->mem & IR_MEM_SIZE);
        break;
    default:
        if (i->op > IR_OP_LDF) /* below: they compute on general registers and flags */
            x86_vcache_reset(c);
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

#define CANDIDATES 12

struct candidates {
    unsigned n;
    struct {
        uint16_t off;
        uint8_t bytes;
        bool read_first, written;
    } c[CANDIDATES];
};

static void note(struct candidates *s, uint32_t off, unsigned bytes, bool write)
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
        s->c[k].written = false;
        s->n++;
    }
    s->c[k].written |= write;
}

static bool reads_destination(unsigned vop)
{
    return (vop >= IR_VOP_BSL && vop <= IR_VOP_BIF) || (vop >= IR_VOP_MLA8 && vop <= IR_VOP_MLS32) ||
           (vop >= IR_VOP_SLI8 && vop <= IR_VOP_SRAS64) || (vop >= IR_VOP_MLALS8 && vop <= IR_VOP_MLSLU32) ||
           (vop >= IR_VOP_ABAS8 && vop <= IR_VOP_ABAU32) || (vop >= IR_VOP_ABALS8 && vop <= IR_VOP_ABALU32) ||
           (vop >= IR_VOP_PADALS8 && vop <= IR_VOP_PADALU32) || (vop >= IR_VOP_FMLA && vop <= IR_VOP_FFNMS) || vop == IR_VOP_VFMLA ||
           vop == IR_VOP_VFMLS;
}

static bool overlaps_another(const struct candidates *s, unsigned k)
{
    for (unsigned m = 0; m < s->n; m++)
        if (m != k && s->c[m].off < s->c[k].off + s->c[k].bytes && s->c[k].off < s->c[m].off + s->c[m].bytes)
            return true;
    return false;
}

void x86_vcache_pin(struct x86_vcache *c, const struct ir_block *b, uint32_t n)
{
    struct candidates s = {0};

    *c = (struct x86_vcache){0};
    for (uint32_t k = 0; k < n; k++) {
        const struct ir_insn *i = &b->insn[k];
        if (i->op == IR_OP_STV || i->op == IR_OP_LDV)
            note(&s, i->imm2, i->mem & IR_MEM_SIZE, i->op == IR_OP_LDV);
        if (i->op != IR_OP_VOP)
            continue;
        note(&s, i->a, i->mem, false);
        note(&s, i->b, i->mem, false);
        if (reads_destination(i->imm2 & 0xffff))
            note(&s, i->d, i->mem, false);
        note(&s, i->d, i->mem, true);
    }
    for (int carried = 1; carried >= 0; carried--) { /* what goes round the loop first, then what it only reads */
        for (unsigned k = 0; k < s.n && c->n_pins < X86_VCACHE_PINS; k++) {
            if (!s.c[k].read_first || s.c[k].written != carried || overlaps_another(&s, k))
                continue;
            c->pin_off[c->n_pins] = s.c[k].off;
            c->pin_bytes[c->n_pins++] = s.c[k].bytes;
        }
    }
}

void x86_vcache_load_pins(struct x86_emitter *e)
{
    struct x86_vcache *c = &e->vcache;

    for (unsigned k = 0; k < c->n_pins; k++)
        if (!c->bytes[k]) {
            vop_load(e, c->pin_bytes[k], X86_VCACHE_FIRST + k, c->pin_off[k]); /* perhaps from another copy */
            x86_vcache_alloc(c, c->pin_off[k], c->pin_bytes[k]);
        }
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
            x86_v_rm(e,
                     c->bytes[k] == 16  ? X86_VMOVDQU
                     : c->bytes[k] == 8 ? X86_VMOVQ
                                        : X86_VMOVSS,
                     X86_VCACHE_FIRST + k, x86_state(c->off[k]));
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

    if (r >= 0)
        copy(e, bytes, x, (unsigned)r);
    else if (!load_parts(e, bytes, x, off))
        x86_v_rm(e, bytes == 16 ? X86_VMOVDQU : bytes == 8 ? X86_VMOVQ : X86_VMOVSS, x, x86_state(off));
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
    x86_v_mr(e, bytes == 16 ? X86_VMOVDQU_ST : bytes == 8 ? X86_VMOVQ_ST : X86_VMOVSS_ST, x86_state(off), x);
    if (x < X86_VCACHE_FIRST)
        copy(e, 16, x86_vcache_target(&e->vcache, off, bytes), x);
}

void vop_written(struct x86_emitter *e, unsigned bytes, uint32_t off)
{
    x86_vcache_kill(&e->vcache, off, bytes);
}
