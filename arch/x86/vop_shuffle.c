/*
 * vop_shuffle.c: vector operations that move elements: permutations, table look-up, widening.
 */
#include <arch/x86/vop_impl.h>

static void constant128(struct x86_emitter *e, unsigned x, uint64_t lo, uint64_t hi)
{
    x86_mov_ri64(e, X86_RAX, lo);
    x86_v_rr(e, X86_VMOVD_XG | X86_VW, x, X86_RAX);
    x86_mov_ri64(e, X86_RAX, hi);
    x86_v_rrri(e, X86_VPINSRQ, x, x, X86_RAX, 1);
}

static void store_high(struct x86_emitter *e, uint32_t off, unsigned x)
{
    x86_vcache_kill(e, off, 8);
    x86_v_mr(e, X86_VMOVHPS_ST, x86_state(off), x);
}

/* Store both halves of a double-size result to d and a, or two full ones. */
static void store_pair(struct x86_emitter *e, const struct ir_insn *i, unsigned lo, unsigned hi)
{
    vop_store(e, i->mem, i->d, lo);
    if (i->mem == 16)
        vop_store(e, 16, i->a, hi);
    else
        store_high(e, i->a, lo);
}

/* --- permutations --- */

void vop_rev16_8(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_shift(e, X86_VPSLLW_I, X1, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X0, X0, 8);
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* Bytes in reverse within `esize` bits. */
void vop_rev_bytes(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    if (i->mem < 16) {
        x86_vcache_settle(e, i->a, i->mem);
        x86_mov_rm(e, i->mem, X86_RAX, x86_state(i->a));
        x86_bswap(e, i->mem, X86_RAX);
        if (i->mem == 8 && r->esize == 32)
            x86_rorx_rr(e, 8, X86_RAX, X86_RAX, 32);
        x86_vcache_kill(e, i->d, i->mem);
        x86_mov_mr(e, i->mem, x86_state(i->d), X86_RAX);
        return;
    }
    if (r->esize == 32)
        constant128(e, X1, 0x0405060700010203, 0x0c0d0e0f08090a0b);
    else
        constant128(e, X1, 0x0001020304050607, 0x08090a0b0c0d0e0f);
    vop_load(e, 16, X0, i->a);
    x86_v_rrr(e, X86_VPSHUFB, X0, X0, X1);
    vop_store(e, 16, i->d, X0);
}

/* Halfwords permuted in each 64 bits as opc2 says */
void vop_shuffle16(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rri(e, X86_VPSHUFLW, X0, X0, r->opc2);
    if (i->mem == 16)
        x86_v_rri(e, X86_VPSHUFHW, X0, X0, r->opc2);
    vop_store(e, i->mem, i->d, X0);
}

void vop_rev64_32(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rri(e, X86_VPSHUFD, X0, X0, 0xb1);
    vop_store(e, i->mem, i->d, X0);
}

void vop_ext(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load_ab(e, i);
    if (i->mem == 16) {
        x86_v_rrri(e, X86_VPALIGNR, X0, X1, X0, i->imm);
    } else {
        x86_v_rrr(e, X86_VPUNPCKLQDQ, X0, X0, X1);
        x86_v_shift(e, X86_VPSRLDQ_I, X0, X0, i->imm);
    }
    vop_store(e, i->mem, i->d, X0);
}

void vop_dup(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    int copy = x86_vcache_operand(e, i->a, r->esize / 8);

    if (copy >= 0)
        x86_v_rr(e, r->opc, X0, (unsigned)copy);
    else
        x86_v_rm(e, r->opc, X0, x86_state(i->a));
    vop_store(e, i->mem, i->d, X0);
}

static void load_da(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_load(e, i->mem, X0, i->d);
    vop_load(e, i->mem, X1, i->a);
}

void vop_swp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_da(e, i);
    vop_store(e, i->mem, i->d, X1);
    vop_store(e, i->mem, i->a, X0);
}

/* opc, opc2: unpack low, unpack high */
void vop_zip(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_da(e, i);
    x86_v_rrr(e, r->opc, X2, X0, X1);
    if (i->mem == 16)
        x86_v_rrr(e, r->opc2, X3, X0, X1);
    store_pair(e, i, X2, X3);
}

void vop_uzp32(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_da(e, i);
    if (i->mem == 16) {
        x86_v_rrri(e, X86_VSHUFPS, X2, X0, X1, 0x88);
        x86_v_rrri(e, X86_VSHUFPS, X3, X0, X1, 0xdd);
    } else {
        x86_v_rrr(e, X86_VPUNPCKLDQ, X2, X0, X1);
    }
    store_pair(e, i, X2, X3);
}

/* Even elements to d, odd ones to a: make each pair one wider element and pack with unsigned saturation. opc: that pack. */
void vop_uzp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = r->esize, wide = 2 * n;

    load_da(e, i);
    if (i->mem != 16)
        x86_v_rrr(e, X86_VPUNPCKLQDQ, X0, X0, X1);
    x86_v_shift(e, shl_opc(wide), X2, X0, n);
    x86_v_shift(e, shr_opc(wide), X2, X2, n);
    x86_v_shift(e, shr_opc(wide), X3, X0, n);
    if (i->mem != 16) {
        x86_v_rrr(e, r->opc, X2, X2, X3);
    } else {
        x86_v_shift(e, shl_opc(wide), X4, X1, n);
        x86_v_shift(e, shr_opc(wide), X4, X4, n);
        x86_v_shift(e, shr_opc(wide), X1, X1, n);
        x86_v_rrr(e, r->opc, X2, X2, X4);
        x86_v_rrr(e, r->opc, X3, X3, X1);
    }
    store_pair(e, i, X2, X3);
}

/* Elements 2k+1 of d and 2k of a change places. */
void vop_trn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = r->esize, wide = 2 * n;

    load_da(e, i);
    x86_v_shift(e, shl_opc(wide), X2, X0, n);
    x86_v_shift(e, shr_opc(wide), X2, X2, n);
    x86_v_shift(e, shl_opc(wide), X3, X1, n);
    x86_v_rrr(e, X86_VPOR, X2, X2, X3);
    x86_v_shift(e, shr_opc(wide), X1, X1, n);
    x86_v_shift(e, shl_opc(wide), X1, X1, n);
    x86_v_shift(e, shr_opc(wide), X0, X0, n);
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X2);
    vop_store(e, i->mem, i->a, X0);
}

/* pshufb takes the low four bits of an index and gives zero when its top bit is set. Adding 0x80 - table size with saturation sets that bit
 * exactly for indexes out of range; a table of eight bytes is then addressed in the upper half. What is behind the first 16 bytes is looked
 * up on its own, with indexes 16 less: those that were below 16 are large then. opc2: table bytes. */
void vop_tbl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned first = r->opc2 < 16 ? r->opc2 : 16;

    vop_broadcast32(e, X2, (0x80 - first) * 0x01010101u);
    vop_load(e, 8, X1, i->b);
    x86_v_rrr(e, X86_VPADDUSB, X4, X1, X2);
    vop_load(e, first, X0, i->a);
    if (first == 8)
        x86_v_shift(e, X86_VPSLLDQ_I, X0, X0, 8);
    x86_v_rrr(e, X86_VPSHUFB, X0, X0, X4);
    if (r->opc2 > 16) { /* the bytes behind a table of 24 are zero */
        vop_broadcast32(e, X3, 0x10101010u);
        x86_v_rrr(e, X86_VPSUBB, X1, X1, X3);
        x86_v_rrr(e, X86_VPADDUSB, X1, X1, X2);
        vop_load(e, r->opc2 - 16, X3, i->a + 16u);
        x86_v_rrr(e, X86_VPSHUFB, X3, X3, X1);
        x86_v_rrr(e, X86_VPOR, X0, X0, X3);
    }
    vop_store(e, 8, i->d, X0);
}

/* --- widening --- */

uint32_t vop_extend_opc(unsigned esize, bool is_signed)
{
    switch (esize) {
    case 8:
        return is_signed ? X86_VPMOVSXBW : X86_VPMOVZXBW;
    case 16:
        return is_signed ? X86_VPMOVSXWD : X86_VPMOVZXWD;
    default:
        return is_signed ? X86_VPMOVSXDQ : X86_VPMOVZXDQ;
    }
}

/* x = the eight bytes of state at off, extended */
static void load_extended(struct x86_emitter *e, const struct vop_row *r, unsigned x, uint32_t off)
{
    if (vop_in_parts(e, 8, off) || x86_vcache_operand(e, off, 8) >= 0)
        x86_v_rr(e, vop_extend_opc(r->esize, r->is_signed), x, vop_operand(e, 8, x, off));
    else
        x86_v_rm(e, vop_extend_opc(r->esize, r->is_signed), x, x86_state(off));
}

void vop_movl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_extended(e, r, X0, i->a);
    vop_store(e, 16, i->d, X0);
}

/* opc2 non-zero: a is wide already */
void vop_wide(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    if (r->opc2)
        vop_load(e, 16, X0, i->a);
    else
        load_extended(e, r, X0, i->a);
    load_extended(e, r, X1, i->b);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    vop_store(e, 16, i->d, X0);
}

/* opc: how the product joins d, 0: it does not */
void vop_mull(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_extended(e, r, X0, i->a);
    load_extended(e, r, X1, i->b);
    x86_v_rrr(e, r->esize == 8 ? X86_VPMULLW : r->esize == 16 ? X86_VPMULLD : r->is_signed ? X86_VPMULDQ : X86_VPMULUDQ, X0, X0, X1);
    if (r->opc) {
        vop_load(e, 16, X1, i->d);
        x86_v_rrr(e, r->opc, X0, X1, X0);
    }
    vop_store(e, 16, i->d, X0);
}
