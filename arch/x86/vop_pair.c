/*
 * vop_pair.c: vector operations on differences and on neighbours: absolute differences, pairwise sums and extremes.
 */
#include <arch/x86/vop_impl.h>

/* x0 = |a - b| of the elements of `bytes`: max - min. opc, opc2: those */
static void difference(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r, unsigned bytes)
{
    unsigned a = vop_operand(e, bytes, X0, i->a), b = vop_operand(e, bytes, X1, i->b);

    x86_v_rrr(e, r->opc, X2, a, b);
    x86_v_rrr(e, r->opc2, X1, a, b);
    x86_v_rrr(e, vop_sub_opc(r->esize), X0, X2, X1);
}

void vop_abd(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    difference(e, i, r, i->mem);
    vop_store(e, i->mem, i->d, X0);
}

void vop_aba(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    difference(e, i, r, i->mem);
    unsigned d = vop_operand(e, i->mem, X1, i->d);
    x86_v_rrr(e, vop_add_opc(r->esize), X0, X0, d);
    vop_store(e, i->mem, i->d, X0);
}

void vop_abdl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    difference(e, i, r, 8);
    x86_v_rr(e, vop_extend_opc(r->esize, false), X0, X0);
    vop_store(e, 16, i->d, X0);
}

void vop_abal(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    difference(e, i, r, 8);
    x86_v_rr(e, vop_extend_opc(r->esize, false), X0, X0);
    unsigned d = vop_operand(e, 16, X1, i->d);
    x86_v_rrr(e, vop_add_opc(2 * r->esize), X0, X0, d);
    vop_store(e, 16, i->d, X0);
}

/* Each element of a:b with the next, of which the even ones count. */
void vop_pair(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned a = vop_operand(e, 8, X0, i->a), b = vop_operand(e, 8, X1, i->b);

    x86_v_rrr(e, X86_VPUNPCKLQDQ, X0, a, b);
    x86_v_shift(e, shr_opc(2 * r->esize), X1, X0, r->esize);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    vop_pack_low(e, r->esize);
    vop_store(e, 8, i->d, X0);
}

/* x0 = sums of neighbours of x0, in the wide elements they make. Bytes and signed halfwords: multiplied by one, which adds up the products
 */
static void sum_pairs(struct x86_emitter *e, const struct vop_row *r)
{
    if (r->esize == 8) {
        vop_ones(e, X1);
        x86_v_rr(e, X86_VPABSB, X1, X1);
        x86_v_rrr(e, X86_VPMADDUBSW, X0, r->is_signed ? X1 : X0, r->is_signed ? X0 : X1);
    } else if (r->esize == 16 && r->is_signed) {
        vop_ones(e, X1);
        x86_v_shift(e, X86_VPSRLW_I, X1, X1, 15);
        x86_v_rrr(e, X86_VPMADDWD, X0, X0, X1);
    } else if (r->esize == 16) {
        x86_v_shift(e, X86_VPSRLD_I, X1, X0, 16);
        x86_v_shift(e, X86_VPSLLD_I, X0, X0, 16);
        x86_v_shift(e, X86_VPSRLD_I, X0, X0, 16);
        x86_v_rrr(e, r->opc, X0, X0, X1);
    } else {
        x86_v_rri(e, X86_VPSHUFD, X1, X0, 0x0d); /* the odd ones */
        x86_v_rri(e, X86_VPSHUFD, X0, X0, 0x08);
        x86_v_rr(e, vop_extend_opc(32, r->is_signed), X1, X1);
        x86_v_rr(e, vop_extend_opc(32, r->is_signed), X0, X0);
        x86_v_rrr(e, r->opc, X0, X0, X1);
    }
}

/* opc2 non-zero: added to d */
void vop_paddl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    sum_pairs(e, r);
    if (r->opc2) {
        unsigned d = vop_operand(e, i->mem, X1, i->d);
        x86_v_rrr(e, r->opc, X0, X0, d);
    }
    vop_store(e, i->mem, i->d, X0);
}
