/*
 * vop_impl.h: between the files that lower vector and floating-point operations.
 */
#ifndef X86_VOP_IMPL_H
#define X86_VOP_IMPL_H

#include <arch/x86/vop.h>

struct vop_row;
typedef void vop_lower(struct x86_emitter *e, const struct ir_insn *i, const struct vop_row *r);

/* How an operation is lowered: the function, and the opcodes and element size (bits) it works with. */
struct vop_row {
    vop_lower *lower;
    uint8_t esize;
    bool is_signed;
    uint32_t opc, opc2;
};

/* xmm registers used here; X5 and up after x86_vcache_release() */
enum { X0, X1, X2, X3, X4, X5, X6, X7 };

/* Load and store 4, 8 or 16 bytes of CPU state (vcache.c). What is stored is in a register, which loads use: x itself, when that is from
 * x86_vcache_target(). */
void vop_load(struct x86_emitter *e, unsigned bytes, unsigned x, uint32_t off);
void vop_store(struct x86_emitter *e, unsigned bytes, uint32_t off, unsigned x);
/* A register that holds them, not to be changed: the copy, or x, loaded. For 8 bytes and less the rest of it can hold anything. */
unsigned vop_operand(struct x86_emitter *e, unsigned bytes, unsigned x, uint32_t off);
/* Is there no copy of them, but of their parts, which vop_load() puts together? */
bool vop_in_parts(const struct x86_emitter *e, unsigned bytes, uint32_t off);
/* Register for the result of an operation with a fix-up, which finds state as it was: from x86_vcache_target(), or x when only a register
 * has that. */
unsigned vop_result(struct x86_emitter *e, const struct ir_insn *i, unsigned bytes, unsigned x);
void vop_ones(struct x86_emitter *e, unsigned x);
void vop_zero(struct x86_emitter *e, unsigned x);

/* Operand in memory: a field of struct host_constants. */
#define VOP_CONSTANT(field) x86_state((uint32_t)(offsetof(struct vcpu, constants) + offsetof(struct host_constants, field)))

/* x0 = state[a], x1 = state[b] */
void vop_load_ab(struct x86_emitter *e, const struct ir_insn *i);
/* The 32-bit pattern in every word of x; clobbers rax. */
void vop_broadcast32(struct x86_emitter *e, unsigned x, uint32_t pattern);

/* Shifts of elements by an immediate; bytes by way of words. */
static inline uint32_t shl_opc(unsigned esize)
{
    return esize == 64 ? X86_VPSLLQ_I : esize == 32 ? X86_VPSLLD_I : X86_VPSLLW_I;
}
static inline uint32_t shr_opc(unsigned esize)
{
    return esize == 64 ? X86_VPSRLQ_I : esize == 32 ? X86_VPSRLD_I : X86_VPSRLW_I;
}

/* vop_shuffle.c */
vop_lower vop_dup, vop_ext, vop_movl, vop_mull, vop_rev16_8, vop_rev64_32, vop_rev_bytes, vop_shuffle16, vop_swp, vop_tbl, vop_trn, vop_uzp,
    vop_uzp32, vop_wide, vop_zip;
/* x86 opcode that extends elements of r to twice their size */
uint32_t vop_extend_opc(unsigned esize, bool is_signed);
/* Elements of twice `esize` bits in x0: their low halves, in the low half of x0 */
void vop_pack_low(struct x86_emitter *e, unsigned esize);
/* vop_shift.c */
vop_lower vop_shl, vop_shr, vop_sli, vop_sri, vop_rshr, vop_narrow, vop_shlv16, vop_shlv32;
/* Shift elements of x to the right, signed or not: x = x >> n; with rounding, n > 0: x2 is clobbered. x3 and rax are, for esize 8 and
 * signed 64. */
void vop_shift_right(struct x86_emitter *e, unsigned esize, bool is_signed, unsigned x, unsigned n);
void vop_shift_right_rounding(struct x86_emitter *e, unsigned esize, bool is_signed, unsigned x, unsigned n);
uint32_t vop_add_opc(unsigned esize);
uint32_t vop_sub_opc(unsigned esize);
/* vop_pair.c */
vop_lower vop_abd, vop_aba, vop_abdl, vop_abal, vop_pair, vop_paddl;
/* vop_saturate.c */
vop_lower vop_saturating, vop_qabs, vop_qneg, vop_qshrn;
/* vop_fp.c */
vop_lower vop_arith, vop_mac, vop_fma, vop_fsqrt, vop_fsign, vop_fcmp, vop_fcvt, vop_fto_int, vop_ffrom_int, vop_vector_fp;

#endif
