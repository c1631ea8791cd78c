/*
 * vop_saturate.c: vector operations that saturate.
 *
 * The bit that tells of saturation (imm2 >> 16) stays set once it is. So it is looked at first, and only while it is clear are the
 * elements: both branches nearly always go the same way.
 */
#include <arch/x86/vop_impl.h>

static struct x86_mem bit_word(const struct ir_insn *i)
{
    return x86_state((i->imm2 >> 16) / 32 * 4);
}

/* Between these two is code that leaves in eax what equals `saturates_not` unless an element saturates. */
static uint32_t look_begin(struct x86_emitter *e, const struct ir_insn *i)
{
    x86_bt_mi(e, X86_BT, 4, bit_word(i), (i->imm2 >> 16) % 32);
    return x86_jcc8(e, X86_B);
}

static void look_end(struct x86_emitter *e, const struct ir_insn *i, uint32_t known, uint32_t saturates_not)
{
    x86_alu_ri(e, X86_CMP, 4, X86_RAX, (int32_t)saturates_not);
    uint32_t none = x86_jcc8(e, X86_E);
    x86_alu_mi(e, X86_OR, 4, bit_word(i), (int32_t)(1u << (i->imm2 >> 16) % 32));
    x86_patch8_here(e, none);
    x86_patch8_here(e, known);
}

/* Elements saturate where x and y (bytes, at least, of them) differ; clobbers x2. */
static void saturates_unless_equal(struct x86_emitter *e, const struct ir_insn *i, unsigned x, unsigned y)
{
    uint32_t known = look_begin(e, i);

    x86_v_rrr(e, X86_VPCMPEQB, X2, x, y);
    x86_v_rr(e, X86_VPMOVMSKB, X86_RAX, X2);
    look_end(e, i, known, 0xffff);
}

/* Saturating opc equals wrapping opc2 unless an element saturates. */
void vop_saturating(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load_ab(e, i);
    uint32_t known = look_begin(e, i);
    x86_v_rrr(e, r->opc2, X2, X0, X1);
    x86_v_rrr(e, r->opc, X3, X0, X1);
    x86_v_rrr(e, X86_VPCMPEQB, X2, X2, X3);
    x86_v_rr(e, X86_VPMOVMSKB, X86_RAX, X2);
    look_end(e, i, known, 0xffff);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static uint32_t greater_opc(unsigned esize)
{
    return esize == 8 ? X86_VPCMPGTB : esize == 16 ? X86_VPCMPGTW : X86_VPCMPGTD;
}

/* Only the most negative number saturates: x1 = all ones there, where the wrapped result in x0 is that number still; adding makes it the
 * most positive one. opc2: add */
static void most_negative(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    uint32_t known = look_begin(e, i);

    x86_v_rr(e, X86_VPMOVMSKB, X86_RAX, X1);
    look_end(e, i, known, 0);
    x86_v_rrr(e, r->opc2, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

void vop_qabs(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rr(e, r->opc, X0, X0);
    vop_zero(e, X1);
    x86_v_rrr(e, greater_opc(r->esize), X1, X1, X0);
    most_negative(e, i, r);
}

/* Nothing else is negative like its negation. */
void vop_qneg(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X2, i->a);
    vop_zero(e, X1);
    x86_v_rrr(e, r->opc, X0, X1, X2);
    x86_v_rrr(e, X86_VPAND, X2, X2, X0);
    x86_v_rrr(e, greater_opc(r->esize), X1, X1, X2);
    most_negative(e, i, r);
}

/* opc: the pack, which takes its operands to be signed; opc2: rounded */
void vop_qshrn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = r->esize, wide = 2 * n;
    bool from_unsigned = !r->is_signed;

    vop_load(e, 16, X0, i->a);
    if (i->imm)
        (r->opc2 ? vop_shift_right_rounding : vop_shift_right)(e, wide, r->is_signed, X0, i->imm);
    if (from_unsigned) { /* x1 = the largest where larger */
        vop_ones(e, X1);
        x86_v_shift(e, shr_opc(wide), X1, X1, n);
        x86_v_rrr(e, n == 8 ? X86_VPMINUW : X86_VPMINUD, X1, X1, X0);
        x86_v_rrr(e, r->opc, X3, X1, X1);
    } else { /* x1 = the result, extended */
        x86_v_rrr(e, r->opc, X3, X0, X0);
        x86_v_rr(e, vop_extend_opc(n, r->opc == X86_VPACKSSWB || r->opc == X86_VPACKSSDW), X1, X3);
    }
    saturates_unless_equal(e, i, X0, X1);
    vop_store(e, 8, i->d, X3);
}
