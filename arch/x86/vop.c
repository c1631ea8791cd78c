/*
 * vop.c: lowering of the IR's vector operations to AVX code on CPU state in memory.
 *
 * One row an operation: a lowering function, and what distinguishes it from its siblings. Operands are loaded, combined in xmm0-xmm4, stored.
 */
#include <arch/x86/vop_impl.h>

void vop_ones(struct x86_emitter *e, unsigned x)
{
    x86_v_rrr(e, X86_VPCMPEQD, x, x, x);
}

void vop_zero(struct x86_emitter *e, unsigned x)
{
    x86_v_rrr(e, X86_VPXOR, x, x, x);
}

/* The 32-bit pattern in every word of x; clobbers rax. */
static void broadcast32(struct x86_emitter *e, unsigned x, uint32_t pattern)
{
    x86_mov_ri(e, X86_RAX, pattern);
    x86_v_rr(e, X86_VMOVD_XG, x, X86_RAX);
    x86_v_rr(e, X86_VPBROADCASTD, x, x);
}

static void constant128(struct x86_emitter *e, unsigned x, uint64_t lo, uint64_t hi)
{
    x86_mov_ri64(e, X86_RAX, lo);
    x86_v_rr(e, X86_VMOVD_XG | X86_VW, x, X86_RAX);
    x86_mov_ri64(e, X86_RAX, hi);
    x86_v_rrri(e, X86_VPINSRQ, x, x, X86_RAX, 1);
}

static void load_ab(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->b);
}

static void store_high(struct x86_emitter *e, uint32_t off, unsigned x)
{
    x86_v_mr(e, X86_VMOVHPS_ST, x86_state(off), x);
    vop_written(e, 8, off);
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

/* --- bitwise --- */

static void lower_mov(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_bin(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    if (r->opc == X86_VPXOR && i->a == i->b) {
        vop_zero(e, X0);
        vop_store(e, i->mem, i->d, X0);
        return;
    }
    unsigned a = vop_operand(e, i->mem, X0, i->a);

    if (i->mem == 16 && x86_vcache_find(&e->vcache, i->b, 16) < 0)
        x86_v_rrm(e, r->opc, X0, a, x86_state(i->b));
    else
        x86_v_rrr(e, r->opc, X0, a, vop_operand(e, i->mem, X1, i->b));
    vop_store(e, i->mem, i->d, X0);
}

static void lower_bic(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    x86_v_rrr(e, X86_VPANDN, X0, X1, X0);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_orn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    vop_ones(e, X2);
    x86_v_rrr(e, X86_VPXOR, X1, X1, X2);
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_not(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    vop_ones(e, X1);
    x86_v_rrr(e, X86_VPXOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* d = (mask & yes) | (~mask & no) */
static void select_bits(struct x86_emitter *e, const struct ir_insn *i, unsigned mask, unsigned yes, unsigned no)
{
    x86_v_rrr(e, X86_VPAND, X3, mask, yes);
    x86_v_rrr(e, X86_VPANDN, X4, mask, no);
    x86_v_rrr(e, X86_VPOR, X0, X3, X4);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_bsl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X2, X0, X1);
}

static void lower_bit(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X1, X0, X2);
}

static void lower_bif(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    vop_load(e, i->mem, X2, i->d);
    select_bits(e, i, X1, X2, X0);
}

/* --- integer elements --- */

static void lower_neg(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    vop_zero(e, X1);
    x86_v_rrr(e, r->opc, X0, X1, X0);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_abs(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rr(e, r->opc, X0, X0);
    vop_store(e, i->mem, i->d, X0);
}

/* x0 = x0 * x1, low halves; bytes by way of words: even and odd ones */
static void multiply(struct x86_emitter *e, unsigned esize)
{
    if (esize != 8) {
        x86_v_rrr(e, esize == 16 ? X86_VPMULLW : X86_VPMULLD, X0, X0, X1);
        return;
    }
    x86_v_shift(e, X86_VPSRLW_I, X2, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X3, X1, 8);
    x86_v_rrr(e, X86_VPMULLW, X0, X0, X1);
    x86_v_rrr(e, X86_VPMULLW, X2, X2, X3);
    x86_v_shift(e, X86_VPSLLW_I, X0, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X0, X0, 8);
    x86_v_shift(e, X86_VPSLLW_I, X2, X2, 8);
    x86_v_rrr(e, X86_VPOR, X0, X0, X2);
}

/* opc: how the product joins d (0: it does not); opc2 non-zero: d - product */
static void lower_mul(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    multiply(e, r->esize);
    if (r->opc) {
        vop_load(e, i->mem, X1, i->d);
        x86_v_rrr(e, r->opc, X0, X1, X0);
    }
    vop_store(e, i->mem, i->d, X0);
}

/* Sign bits of 32-bit elements: VFNEG inverts, VFABS clears */
static void lower_vsign(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    vop_ones(e, X1);
    x86_v_shift(e, X86_VPSLLD_I, X1, X1, 31);
    x86_v_rrr(e, r->opc, X0, X1, X0);
    vop_store(e, i->mem, i->d, X0);
}

static void invert_and_store(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_ones(e, X1);
    x86_v_rrr(e, X86_VPXOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_tst(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    x86_v_rrr(e, X86_VPAND, X0, X0, X1);
    vop_zero(e, X1);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    invert_and_store(e, i);
}

/* a >= b: not b > a */
static void lower_cges(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    x86_v_rrr(e, r->opc, X0, X1, X0);
    invert_and_store(e, i);
}

/* a > b unsigned: not min(a, b) == a */
static void lower_cgtu(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    x86_v_rrr(e, r->opc, X1, X0, X1);
    x86_v_rrr(e, r->opc2, X0, X0, X1);
    invert_and_store(e, i);
}

/* a >= b unsigned: max(a, b) == a */
static void lower_cgeu(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    x86_v_rrr(e, r->opc, X1, X0, X1);
    x86_v_rrr(e, r->opc2, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* Saturating opc equals wrapping opc2 unless an element saturates. */
static void lower_saturating(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_ab(e, i);
    x86_v_rrr(e, r->opc2, X2, X0, X1);
    x86_v_rrr(e, r->opc, X0, X0, X1);
    x86_v_rrr(e, X86_VPCMPEQB, X2, X2, X0);
    x86_v_rr(e, X86_VPMOVMSKB, X86_RAX, X2);
    x86_alu_ri(e, X86_CMP, 4, X86_RAX, 0xffff);
    x86_vop_fixup(e, X86_NE);
    vop_store(e, i->mem, i->d, X0);
}

/* --- shifts by an immediate --- */

static uint32_t shl_opc(unsigned esize) { return esize == 64 ? X86_VPSLLQ_I : esize == 32 ? X86_VPSLLD_I : X86_VPSLLW_I; }
static uint32_t shr_opc(unsigned esize) { return esize == 64 ? X86_VPSRLQ_I : esize == 32 ? X86_VPSRLD_I : X86_VPSRLW_I; }
static uint32_t add_opc(unsigned esize) { return esize == 64 ? X86_VPADDQ : esize == 32 ? X86_VPADDD : esize == 16 ? X86_VPADDW : X86_VPADDB; }
static uint32_t sub_opc(unsigned esize) { return esize == 64 ? X86_VPSUBQ : esize == 32 ? X86_VPSUBD : esize == 16 ? X86_VPSUBW : X86_VPSUBB; }

/* Zero bits of every byte of x that are not in `keep`; clobbers x3. */
static void mask_bytes(struct x86_emitter *e, unsigned x, unsigned keep)
{
    broadcast32(e, X3, (keep & 0xff) * 0x01010101u);
    x86_v_rrr(e, X86_VPAND, x, x, X3);
}

static void shl(struct x86_emitter *e, unsigned esize, unsigned x, unsigned n)
{
    x86_v_shift(e, shl_opc(esize), x, x, n);
    if (esize == 8)
        mask_bytes(e, x, 0xffu << n);
}

static void shr(struct x86_emitter *e, unsigned esize, unsigned x, unsigned n)
{
    x86_v_shift(e, shr_opc(esize), x, x, n);
    if (esize == 8)
        mask_bytes(e, x, 0xffu >> n);
}

static void sar(struct x86_emitter *e, unsigned esize, unsigned x, unsigned n)
{
    if (n >= esize)
        n = esize - 1;
    if (esize == 16 || esize == 32) {
        x86_v_shift(e, esize == 16 ? X86_VPSRAW_I : X86_VPSRAD_I, x, x, n);
        return;
    }
    /* Extend the sign from where it has gone: (x ^ s) - s. */
    shr(e, esize, x, n);
    if (esize == 8) {
        broadcast32(e, X3, (0x80u >> n) * 0x01010101u);
    } else {
        x86_mov_ri64(e, X86_RAX, 1ull << (63 - n));
        x86_v_rr(e, X86_VMOVD_XG | X86_VW, X3, X86_RAX);
        x86_v_rr(e, X86_VPBROADCASTQ, X3, X3);
    }
    x86_v_rrr(e, X86_VPXOR, x, x, X3);
    x86_v_rrr(e, sub_opc(esize), x, x, X3);
}

static void lower_shl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    shl(e, r->esize, X0, i->imm);
    vop_store(e, i->mem, i->d, X0);
}

/* opc2 non-zero: accumulate */
static void lower_shr(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    (r->is_signed ? sar : shr)(e, r->esize, X0, i->imm);
    if (r->opc2) {
        vop_load(e, i->mem, X1, i->d);
        x86_v_rrr(e, add_opc(r->esize), X0, X0, X1);
    }
    vop_store(e, i->mem, i->d, X0);
}

static void lower_sli(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = i->imm, rest = r->esize - n;

    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->d);
    shl(e, r->esize, X0, n);
    if (r->esize == 8) {
        mask_bytes(e, X1, (1u << n) - 1);
    } else {
        shl(e, r->esize, X1, rest);
        shr(e, r->esize, X1, rest);
    }
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_sri(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = i->imm, rest = r->esize - n;

    vop_load(e, i->mem, X0, i->a);
    vop_load(e, i->mem, X1, i->d);
    shr(e, r->esize, X0, n);
    if (r->esize == 8) {
        mask_bytes(e, X1, ~(0xffu >> n));
    } else {
        shr(e, r->esize, X1, rest);
        shl(e, r->esize, X1, rest);
    }
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* --- permutations --- */

static void lower_rev16_8(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_shift(e, X86_VPSLLW_I, X1, X0, 8);
    x86_v_shift(e, X86_VPSRLW_I, X0, X0, 8);
    x86_v_rrr(e, X86_VPOR, X0, X0, X1);
    vop_store(e, i->mem, i->d, X0);
}

/* Bytes in reverse within `esize` bits. */
static void lower_rev_bytes(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    if (i->mem < 16) {
        x86_mov_rm(e, i->mem, X86_RAX, x86_state(i->a));
        x86_bswap(e, i->mem, X86_RAX);
        if (i->mem == 8 && r->esize == 32)
            x86_rorx_rr(e, 8, X86_RAX, X86_RAX, 32);
        x86_mov_mr(e, i->mem, x86_state(i->d), X86_RAX);
        vop_written(e, i->mem, i->d);
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
static void lower_shuffle16(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rri(e, X86_VPSHUFLW, X0, X0, r->opc2);
    if (i->mem == 16)
        x86_v_rri(e, X86_VPSHUFHW, X0, X0, r->opc2);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_rev64_32(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    vop_load(e, i->mem, X0, i->a);
    x86_v_rri(e, X86_VPSHUFD, X0, X0, 0xb1);
    vop_store(e, i->mem, i->d, X0);
}

static void lower_ext(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_ab(e, i);
    if (i->mem == 16) {
        x86_v_rrri(e, X86_VPALIGNR, X0, X1, X0, i->imm);
    } else {
        x86_v_rrr(e, X86_VPUNPCKLQDQ, X0, X0, X1);
        x86_v_shift(e, X86_VPSRLDQ_I, X0, X0, i->imm);
    }
    vop_store(e, i->mem, i->d, X0);
}

static void lower_dup(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    int copy = x86_vcache_find(&e->vcache, i->a, r->esize / 8);

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

static void lower_swp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
{
    load_da(e, i);
    vop_store(e, i->mem, i->d, X1);
    vop_store(e, i->mem, i->a, X0);
}

/* opc, opc2: unpack low, unpack high */
static void lower_zip(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_da(e, i);
    x86_v_rrr(e, r->opc, X2, X0, X1);
    if (i->mem == 16)
        x86_v_rrr(e, r->opc2, X3, X0, X1);
    store_pair(e, i, X2, X3);
}

static void lower_uzp32(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r UNUSED)
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
static void lower_uzp(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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
static void lower_trn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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

/* pshufb takes the low four bits of an index and gives zero when its top bit is set. Adding 0x80 - table size with saturation sets that bit exactly
 * for indexes out of range; a table of eight bytes is then addressed in the upper half. opc2: table bytes. */
static void lower_tbl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    broadcast32(e, X2, (0x80 - r->opc2) * 0x01010101u);
    vop_load(e, 8, X1, i->b);
    x86_v_rrr(e, X86_VPADDUSB, X1, X1, X2);
    vop_load(e, r->opc2, X0, i->a);
    if (r->opc2 == 8)
        x86_v_shift(e, X86_VPSLLDQ_I, X0, X0, 8);
    x86_v_rrr(e, X86_VPSHUFB, X0, X0, X1);
    vop_store(e, 8, i->d, X0);
}

/* --- widening and narrowing --- */

static uint32_t extend_opc(const struct vop_row *r)
{
    switch (r->esize) {
    case 8:
        return r->is_signed ? X86_VPMOVSXBW : X86_VPMOVZXBW;
    case 16:
        return r->is_signed ? X86_VPMOVSXWD : X86_VPMOVZXWD;
    default:
        return r->is_signed ? X86_VPMOVSXDQ : X86_VPMOVZXDQ;
    }
}

/* x = the eight bytes of state at off, extended */
static void load_extended(struct x86_emitter *e, const struct vop_row *r, unsigned x, uint32_t off)
{
    int copy = x86_vcache_find(&e->vcache, off, 8);

    if (copy >= 0)
        x86_v_rr(e, extend_opc(r), x, (unsigned)copy);
    else
        x86_v_rm(e, extend_opc(r), x, x86_state(off));
}

static void lower_movl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    load_extended(e, r, X0, i->a);
    vop_store(e, 16, i->d, X0);
}

/* opc2 non-zero: a is wide already */
static void lower_wide(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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
static void lower_mull(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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

static void lower_shrn(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned n = r->esize, wide = 2 * n;

    vop_load(e, 16, X0, i->a);
    if (i->imm)
        x86_v_shift(e, shr_opc(wide), X0, X0, i->imm);
    if (n == 32) {
        x86_v_rri(e, X86_VPSHUFD, X0, X0, 0x08);
    } else {
        x86_v_shift(e, shl_opc(wide), X0, X0, n);
        x86_v_shift(e, shr_opc(wide), X0, X0, n);
        x86_v_rrr(e, n == 8 ? X86_VPACKUSWB : X86_VPACKUSDW, X0, X0, X0);
    }
    vop_store(e, 8, i->d, X0);
}

/* --- the table --- */

#define BIN(vop, opcode)            [IR_VOP_##vop] = {.lower = lower_bin, .opc = X86_##opcode}
#define BIN3(vop, o8, o16, o32)     BIN(vop##8, o8), BIN(vop##16, o16), BIN(vop##32, o32)
#define BIN4(vop, o8, o16, o32, o64) BIN3(vop, o8, o16, o32), BIN(vop##64, o64)
#define OP3(vop, fn, o8, o16, o32) \
    [IR_VOP_##vop##8] = {.lower = fn, .esize = 8, .opc = X86_##o8}, [IR_VOP_##vop##16] = {.lower = fn, .esize = 16, .opc = X86_##o16}, \
    [IR_VOP_##vop##32] = {.lower = fn, .esize = 32, .opc = X86_##o32}
#define OP3_2(vop, fn, p8, p16, p32, q8, q16, q32) \
    [IR_VOP_##vop##8] = {.lower = fn, .esize = 8, .opc = X86_##p8, .opc2 = X86_##q8}, \
    [IR_VOP_##vop##16] = {.lower = fn, .esize = 16, .opc = X86_##p16, .opc2 = X86_##q16}, \
    [IR_VOP_##vop##32] = {.lower = fn, .esize = 32, .opc = X86_##p32, .opc2 = X86_##q32}
#define SHIFT(vop, fn, sgn, acc) \
    [IR_VOP_##vop##8] = {fn, 8, sgn, 0, acc}, [IR_VOP_##vop##16] = {fn, 16, sgn, 0, acc}, [IR_VOP_##vop##32] = {fn, 32, sgn, 0, acc}, \
    [IR_VOP_##vop##64] = {fn, 64, sgn, 0, acc}
/* Signed and unsigned; the opcode is that of the wide elements. */
#define WIDE(vop, fn, o16, o32, o64, w) \
    [IR_VOP_##vop##S8] = {fn, 8, true, o16, w}, [IR_VOP_##vop##S16] = {fn, 16, true, o32, w}, [IR_VOP_##vop##S32] = {fn, 32, true, o64, w}, \
    [IR_VOP_##vop##U8] = {fn, 8, false, o16, w}, [IR_VOP_##vop##U16] = {fn, 16, false, o32, w}, [IR_VOP_##vop##U32] = {fn, 32, false, o64, w}
#define FP(vop, fn, single, double_, sgn) [IR_VOP_##vop] = {.lower = fn, .is_signed = sgn, .opc = X86_##single, .opc2 = X86_##double_}

static const struct vop_row rows[IR_VOP_COUNT] = {
    [IR_VOP_MOV] = {.lower = lower_mov},
    BIN(AND, VPAND),
    BIN(ORR, VPOR),
    BIN(EOR, VPXOR),
    [IR_VOP_BIC] = {.lower = lower_bic},
    [IR_VOP_ORN] = {.lower = lower_orn},
    [IR_VOP_NOT] = {.lower = lower_not},
    [IR_VOP_BSL] = {.lower = lower_bsl},
    [IR_VOP_BIT] = {.lower = lower_bit},
    [IR_VOP_BIF] = {.lower = lower_bif},

    BIN4(ADD, VPADDB, VPADDW, VPADDD, VPADDQ),
    BIN4(SUB, VPSUBB, VPSUBW, VPSUBD, VPSUBQ),
    OP3(NEG, lower_neg, VPSUBB, VPSUBW, VPSUBD),
    OP3(ABS, lower_abs, VPABSB, VPABSW, VPABSD),
    [IR_VOP_MUL8] = {.lower = lower_mul, .esize = 8},
    [IR_VOP_MUL16] = {.lower = lower_mul, .esize = 16},
    [IR_VOP_MUL32] = {.lower = lower_mul, .esize = 32},
    OP3(MLA, lower_mul, VPADDB, VPADDW, VPADDD),
    OP3(MLS, lower_mul, VPSUBB, VPSUBW, VPSUBD),
    BIN3(MAXS, VPMAXSB, VPMAXSW, VPMAXSD),
    BIN3(MAXU, VPMAXUB, VPMAXUW, VPMAXUD),
    BIN3(MINS, VPMINSB, VPMINSW, VPMINSD),
    BIN3(MINU, VPMINUB, VPMINUW, VPMINUD),

    BIN3(CEQ, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    OP3(CTST, lower_tst, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    BIN3(CGTS, VPCMPGTB, VPCMPGTW, VPCMPGTD),
    OP3(CGES, lower_cges, VPCMPGTB, VPCMPGTW, VPCMPGTD),
    OP3_2(CGTU, lower_cgtu, VPMINUB, VPMINUW, VPMINUD, VPCMPEQB, VPCMPEQW, VPCMPEQD),
    OP3_2(CGEU, lower_cgeu, VPMAXUB, VPMAXUW, VPMAXUD, VPCMPEQB, VPCMPEQW, VPCMPEQD),

    SHIFT(SHL, lower_shl, false, 0),
    SHIFT(SHRU, lower_shr, false, 0),
    SHIFT(SHRS, lower_shr, true, 0),
    SHIFT(SRAU, lower_shr, false, 1),
    SHIFT(SRAS, lower_shr, true, 1),
    SHIFT(SLI, lower_sli, false, 0),
    SHIFT(SRI, lower_sri, false, 0),

    [IR_VOP_REV16_8] = {.lower = lower_rev16_8},
    [IR_VOP_REV32_8] = {.lower = lower_rev_bytes, .esize = 32},
    [IR_VOP_REV64_8] = {.lower = lower_rev_bytes, .esize = 64},
    [IR_VOP_REV32_16] = {.lower = lower_shuffle16, .opc2 = 0xb1},
    [IR_VOP_REV64_16] = {.lower = lower_shuffle16, .opc2 = 0x1b},
    [IR_VOP_REV64_32] = {.lower = lower_rev64_32},
    [IR_VOP_EXT] = {.lower = lower_ext},
    OP3(DUP, lower_dup, VPBROADCASTB, VPBROADCASTW, VPBROADCASTD),
    [IR_VOP_SWP] = {.lower = lower_swp},
    OP3_2(ZIP, lower_zip, VPUNPCKLBW, VPUNPCKLWD, VPUNPCKLDQ, VPUNPCKHBW, VPUNPCKHWD, VPUNPCKHDQ),
    [IR_VOP_UZP8] = {.lower = lower_uzp, .esize = 8, .opc = X86_VPACKUSWB},
    [IR_VOP_UZP16] = {.lower = lower_uzp, .esize = 16, .opc = X86_VPACKUSDW},
    [IR_VOP_UZP32] = {.lower = lower_uzp32},
    [IR_VOP_TRN8] = {.lower = lower_trn, .esize = 8},
    [IR_VOP_TRN16] = {.lower = lower_trn, .esize = 16},
    [IR_VOP_TRN32] = {.lower = lower_trn, .esize = 32},
    [IR_VOP_TBL1] = {.lower = lower_tbl, .opc2 = 8},
    [IR_VOP_TBL2] = {.lower = lower_tbl, .opc2 = 16},

    WIDE(MOVL, lower_movl, 0, 0, 0, 0),
    WIDE(ADDL, lower_wide, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 0),
    WIDE(SUBL, lower_wide, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 0),
    WIDE(ADDW, lower_wide, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 1),
    WIDE(SUBW, lower_wide, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 1),
    WIDE(MULL, lower_mull, 0, 0, 0, 0),
    WIDE(MLAL, lower_mull, X86_VPADDW, X86_VPADDD, X86_VPADDQ, 0),
    WIDE(MLSL, lower_mull, X86_VPSUBW, X86_VPSUBD, X86_VPSUBQ, 0),
    [IR_VOP_SHRN8] = {.lower = lower_shrn, .esize = 8},
    [IR_VOP_SHRN16] = {.lower = lower_shrn, .esize = 16},
    [IR_VOP_SHRN32] = {.lower = lower_shrn, .esize = 32},

    FP(FADD, vop_arith, VADDSS, VADDSD, false),
    FP(FSUB, vop_arith, VSUBSS, VSUBSD, false),
    FP(FMUL, vop_arith, VMULSS, VMULSD, false),
    FP(FNMUL, vop_arith, VMULSS, VMULSD, true),
    FP(FDIV, vop_arith, VDIVSS, VDIVSD, false),
    FP(FSQRT, vop_fsqrt, VSQRTSS, VSQRTSD, false),
    FP(FMLA, vop_mac, VMULSS, VMULSD, false),
    FP(FMLS, vop_mac, VMULSS, VMULSD, false),
    FP(FNMLA, vop_mac, VMULSS, VMULSD, false),
    FP(FNMLS, vop_mac, VMULSS, VMULSD, false),
    FP(FFMA, vop_fma, VFMADD231SS, VFMADD231SD, false),
    FP(FFMS, vop_fma, VFNMADD231SS, VFNMADD231SD, false),
    FP(FFNMA, vop_fma, VFNMSUB231SS, VFNMSUB231SD, false),
    FP(FFNMS, vop_fma, VFMSUB231SS, VFMSUB231SD, false),
    [IR_VOP_QADDS8] = {.lower = lower_saturating, .opc = X86_VPADDSB, .opc2 = X86_VPADDB},
    [IR_VOP_QADDS16] = {.lower = lower_saturating, .opc = X86_VPADDSW, .opc2 = X86_VPADDW},
    [IR_VOP_QADDU8] = {.lower = lower_saturating, .opc = X86_VPADDUSB, .opc2 = X86_VPADDB},
    [IR_VOP_QADDU16] = {.lower = lower_saturating, .opc = X86_VPADDUSW, .opc2 = X86_VPADDW},
    [IR_VOP_QSUBS8] = {.lower = lower_saturating, .opc = X86_VPSUBSB, .opc2 = X86_VPSUBB},
    [IR_VOP_QSUBS16] = {.lower = lower_saturating, .opc = X86_VPSUBSW, .opc2 = X86_VPSUBW},
    [IR_VOP_QSUBU8] = {.lower = lower_saturating, .opc = X86_VPSUBUSB, .opc2 = X86_VPSUBB},
    [IR_VOP_QSUBU16] = {.lower = lower_saturating, .opc = X86_VPSUBUSW, .opc2 = X86_VPSUBW},
    [IR_VOP_VFADD] = {.lower = vop_vector_fp, .opc = X86_VADDPS},
    [IR_VOP_VFSUB] = {.lower = vop_vector_fp, .opc = X86_VSUBPS},
    [IR_VOP_VFMUL] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true},
    [IR_VOP_VFMLA] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true, .opc2 = X86_VADDPS},
    [IR_VOP_VFMLS] = {.lower = vop_vector_fp, .opc = X86_VMULPS, .is_signed = true, .opc2 = X86_VSUBPS},
    [IR_VOP_VFABS] = {.lower = lower_vsign, .opc = X86_VPANDN},
    [IR_VOP_VFNEG] = {.lower = lower_vsign, .opc = X86_VPXOR},
    [IR_VOP_FABS] = {.lower = vop_fsign},
    [IR_VOP_FNEG] = {.lower = vop_fsign, .is_signed = true},
    FP(FCMP, vop_fcmp, VUCOMISS, VUCOMISD, false),
    FP(FCMPE, vop_fcmp, VCOMISS, VCOMISD, false),
    FP(FCVT, vop_fcvt, VCVTSS2SD, VCVTSD2SS, false),
    FP(FTOS, vop_fto_int, VCVTTSS2SI, VCVTTSD2SI, true),
    FP(FTOU, vop_fto_int, VCVTTSS2SI, VCVTTSD2SI, false),
    FP(FFROMS, vop_ffrom_int, VCVTSI2SS, VCVTSI2SD, true),
    FP(FFROMU, vop_ffrom_int, VCVTSI2SS, VCVTSI2SD, false),
};

bool x86_vop_clobbers(const struct ir_insn *i)
{
    unsigned vop = i->imm2 & 0xffff;
    const struct vop_row *r = &rows[vop < IR_VOP_COUNT ? vop : 0];

    if (vop >= IR_VOP_FADD)
        return r->lower != vop_fsign && r->lower != lower_vsign;
    if (r->lower == lower_shl || r->lower == lower_shr || r->lower == lower_sli || r->lower == lower_sri) /* constants by way of rax */
        return r->esize == 8 || (r->is_signed && r->esize == 64);
    return r->lower == lower_rev_bytes || r->lower == lower_tbl;
}

bool x86_lower_vop(struct x86_emitter *e, const struct ir_insn *i)
{
    unsigned vop = i->imm2 & 0xffff;

    if (vop >= IR_VOP_COUNT || !rows[vop].lower)
        return false;
    rows[vop].lower(e, i, &rows[vop]);
    return true;
}
