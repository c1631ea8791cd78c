/*
 * vop_shift.c: vector operations that shift: by an immediate, with rounding, into half the size, by a register.
 */
#include <arch/x86/vop_impl.h>

/* --- shifts by an immediate --- */

uint32_t vop_add_opc(unsigned esize)
{
    return esize == 64 ? X86_VPADDQ : esize == 32 ? X86_VPADDD : esize == 16 ? X86_VPADDW : X86_VPADDB;
}
uint32_t vop_sub_opc(unsigned esize)
{
    return esize == 64 ? X86_VPSUBQ : esize == 32 ? X86_VPSUBD : esize == 16 ? X86_VPSUBW : X86_VPSUBB;
}

/* Zero bits of every byte of x that are not in `keep`; clobbers x3. */
static void mask_bytes(struct x86_emitter *e, unsigned x, unsigned keep)
{
    vop_broadcast32(e, X3, (keep & 0xff) * 0x01010101u);
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
        vop_broadcast32(e, X3, (0x80u >> n) * 0x01010101u);
    } else {
        x86_mov_ri64(e, X86_RAX, 1ull << (63 - n));
        x86_v_rr(e, X86_VMOVD_XG | X86_VW, X3, X86_RAX);
        x86_v_rr(e, X86_VPBROADCASTQ, X3, X3);
    }
    x86_v_rrr(e, X86_VPXOR, x, x, X3);
    x86_v_rrr(e, vop_sub_opc(esize), x, x, X3);
}

void vop_shift_right(struct x86_emitter *e, unsigned esize, bool is_signed, unsigned x, unsigned n)
{
    (is_signed ? sar : shr)(e, esize, x, n);
}

/* With y = x >> (n - 1): (y + 1) >> 1 is y - (y >> 1), where nothing overflows. */
void vop_shift_right_rounding(struct x86_emitter *e, unsigned esize, bool is_signed, unsigned x, unsigned n)
{
    if (n > 1)
        vop_shift_right(e, esize, is_signed, x, n - 1);
    if (!is_signed && esize <= 16) {
        vop_zero(e, X2);
        x86_v_rrr(e, esize == 8 ? X86_VPAVGB : X86_VPAVGW, x, x, X2);
        return;
    }
    x86_v_rr(e, X86_VMOVAPS, X2, x);
    vop_shift_right(e, esize, is_signed, X2, 1);
    x86_v_rrr(e, vop_sub_opc(esize), x, x, X2);
}

void vop_shl(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    shl(e, r->esize, X0, i->imm);
    vop_store(e, i->mem, i->d, X0);
}

/* opc2 non-zero: accumulate */
void vop_shr(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    (r->is_signed ? sar : shr)(e, r->esize, X0, i->imm);
    if (r->opc2) {
        vop_load(e, i->mem, X1, i->d);
        x86_v_rrr(e, vop_add_opc(r->esize), X0, X0, X1);
    }
    vop_store(e, i->mem, i->d, X0);
}

void vop_sli(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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

void vop_sri(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
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

void vop_rshr(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X0, i->a);
    vop_shift_right_rounding(e, r->esize, r->is_signed, X0, i->imm);
    vop_store(e, i->mem, i->d, X0);
}

/* --- narrowing --- */

void vop_pack_low(struct x86_emitter *e, unsigned esize)
{
    if (esize == 32) {
        x86_v_rri(e, X86_VPSHUFD, X0, X0, 0x08);
    } else {
        x86_v_shift(e, shl_opc(2 * esize), X0, X0, esize);
        x86_v_shift(e, shr_opc(2 * esize), X0, X0, esize);
        x86_v_rrr(e, esize == 8 ? X86_VPACKUSWB : X86_VPACKUSDW, X0, X0, X0);
    }
}

/* A right shift by imm, or with opc that of (a opc b) by the element size; is_signed: rounded */
void vop_narrow(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    unsigned wide = 2 * r->esize, n = r->opc ? r->esize : i->imm;

    vop_load(e, 16, X0, i->a);
    if (r->opc) {
        vop_load(e, 16, X1, i->b);
        x86_v_rrr(e, r->opc, X0, X0, X1);
    }
    if (n)
        (r->is_signed ? vop_shift_right_rounding : vop_shift_right)(e, wide, false, X0, n);
    vop_pack_low(e, r->esize);
    vop_store(e, 8, i->d, X0);
}

/* --- shifts by a register: each element by the signed low byte of another --- */

/*
 * x0 = 32-bit elements of x0 shifted by those of x1, -128..127; clobbers x2-x4. Both directions are computed: a count beyond 31 gives zero
 * or the sign, and the other direction's is one, unsigned. Rounding is that of vop_shift_right_rounding(): by -x1 - 1, which is ~x1.
 */
static void shift_variable(struct x86_emitter *e, bool is_signed, bool rounded)
{
    if (rounded) {
        vop_ones(e, X2);
        x86_v_rrr(e, X86_VPXOR, X2, X2, X1);
    } else {
        vop_zero(e, X2);
        x86_v_rrr(e, X86_VPSUBD, X2, X2, X1);
    }
    x86_v_rrr(e, X86_VPSLLVD, X3, X0, X1);
    x86_v_rrr(e, is_signed ? X86_VPSRAVD : X86_VPSRLVD, X2, X0, X2);
    if (rounded) {
        x86_v_shift(e, is_signed ? X86_VPSRAD_I : X86_VPSRLD_I, X4, X2, 1);
        x86_v_rrr(e, X86_VPSUBD, X2, X2, X4);
    }
    x86_v_rrrr(e, X86_VBLENDVPS, X0, X3, X2, X1);
}

/* opc2: rounded */
void vop_shlv32(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    vop_load(e, i->mem, X1, i->a);
    vop_load(e, i->mem, X0, i->b);
    x86_v_shift(e, X86_VPSLLD_I, X1, X1, 24);
    x86_v_shift(e, X86_VPSRAD_I, X1, X1, 24);
    shift_variable(e, r->is_signed, r->opc2);
    vop_store(e, i->mem, i->d, X0);
}

/* In 32 bits, four at a time. Packing keeps what is in signed range: the low half, extended */
void vop_shlv16(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r)
{
    uint32_t extend = r->is_signed ? X86_VPMOVSXWD : X86_VPMOVZXWD;

    x86_vcache_release(e, X7);
    vop_load(e, i->mem, X6, i->a);
    vop_load(e, i->mem, X5, i->b);
    x86_v_shift(e, X86_VPSLLW_I, X6, X6, 8);
    x86_v_shift(e, X86_VPSRAW_I, X6, X6, 8);
    for (unsigned half = 0; half < i->mem; half += 8) {
        if (half) {
            x86_v_rr(e, X86_VMOVAPS, X7, X0);
            x86_v_shift(e, X86_VPSRLDQ_I, X6, X6, 8);
            x86_v_shift(e, X86_VPSRLDQ_I, X5, X5, 8);
        }
        x86_v_rr(e, X86_VPMOVSXWD, X1, X6);
        x86_v_rr(e, extend, X0, X5);
        shift_variable(e, r->is_signed, r->opc2);
        x86_v_shift(e, X86_VPSLLD_I, X0, X0, 16);
        x86_v_shift(e, X86_VPSRAD_I, X0, X0, 16);
    }
    x86_v_rrr(e, X86_VPACKSSDW, X0, i->mem == 16 ? X7 : X0, X0);
    vop_store(e, i->mem, i->d, X0);
}
