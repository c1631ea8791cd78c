/*
 * emit.h: writing x86-64 instructions.
 *
 * One function per instruction form; each picks the shortest encoding (8- or 32-bit displacement and immediate, REX only where needed,
 * accumulator forms). Names: r = register, m = memory, i = immediate, in Intel order (destination first). `size` is the operand size in
 * bytes (1, 2, 4, 8). A full buffer sets `overflow` and the code is worthless from then on; nothing is written past the end.
 *
 * Example: x86_alu_rm(e, X86_ADD, 4, X86_RAX, x86_base(X86_RSI, 8)) writes `add eax, [rsi+8]`.
 */
#ifndef X86_EMIT_H
#define X86_EMIT_H

#include <arch/x86/regs.h>
#include <arch/x86/vcache.h>

#define X86_MAX_INSN   15
#define X86_MAX_FIXUPS 8

struct x86_emitter {
    uint8_t *p;     /* where the next byte goes */
    uint8_t *start; /* first byte of the buffer */
    uint8_t *end;   /* one past its last byte */
    bool overflow;
    /* Jumps of a vector operation to its fix-up (see vop.h): offsets of their displacements. */
    uint32_t fixup[X86_MAX_FIXUPS];
    struct x86_vcache_set fixup_dirty[X86_MAX_FIXUPS]; /* what only registers have then */
    uint32_t n_fixups;
    uint32_t wide_at; /* offset of the latest `wide` displacement */
    struct x86_vcache vcache;
};

static inline void x86_emitter_init(struct x86_emitter *e, uint8_t *buf, size_t cap)
{
    *e = (struct x86_emitter){.p = buf, .start = buf, .end = buf + cap};
}

static inline uint32_t x86_offset(const struct x86_emitter *e)
{
    return (uint32_t)(e->p - e->start);
}

/* --- memory operands ---------------------------------------------------------------------------------------------- */

struct x86_mem {
    uint8_t base, index; /* enum x86_reg or X86_NOREG; index never rsp */
    uint8_t scale;       /* log2: 0..3 */
    uint8_t guest : 1;   /* in the guest window: gs segment, 32-bit address arithmetic */
    uint8_t wide : 1;    /* the displacement takes four bytes, whatever it is */
    int32_t disp;
};

static inline struct x86_mem x86_base(unsigned base, int32_t disp)
{
    return (struct x86_mem){.base = (uint8_t)base, .index = X86_NOREG, .disp = disp};
}

static inline struct x86_mem x86_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    return (struct x86_mem){.base = (uint8_t)base, .index = (uint8_t)index, .scale = (uint8_t)scale, .disp = disp};
}

/* CPU state at byte offset `off` from struct vcpu. */
static inline struct x86_mem x86_state(uint32_t off)
{
    return x86_base(X86_VCPU, (int32_t)off - VCPU_BIAS);
}

/* --- integer instructions ------------------------------------------------------------------------------------------ */

enum x86_alu { X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP };
enum x86_sh { X86_ROL, X86_ROR, X86_RCL, X86_RCR, X86_SHL, X86_SHR, X86_SAR = 7 };
enum x86_bt { X86_BT = 4, X86_BTS, X86_BTR, X86_BTC };
enum x86_cc { X86_O, X86_NO, X86_B, X86_AE, X86_E, X86_NE, X86_BE, X86_A, X86_S, X86_NS, X86_P, X86_NP, X86_L, X86_GE, X86_LE, X86_G };

void x86_alu_rr(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, unsigned s);
void x86_alu_ri(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, int32_t imm);
void x86_alu_rm(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, struct x86_mem m);
void x86_alu_mr(struct x86_emitter *e, enum x86_alu op, unsigned size, struct x86_mem m, unsigned s);
void x86_alu_mi(struct x86_emitter *e, enum x86_alu op, unsigned size, struct x86_mem m, int32_t imm);
void x86_test_rr(struct x86_emitter *e, unsigned size, unsigned a, unsigned b);
void x86_test_ri(struct x86_emitter *e, unsigned size, unsigned a, int32_t imm);
void x86_test_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned b);
void x86_test_mi(struct x86_emitter *e, unsigned size, struct x86_mem m, int32_t imm);

void x86_mov_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_mov_ri(struct x86_emitter *e, unsigned d, uint32_t imm);      /* zero-extended into 64 bits */
void x86_mov_ri64(struct x86_emitter *e, unsigned d, uint64_t imm);    /* shortest of three forms */
uint32_t x86_mov_abs(struct x86_emitter *e, unsigned d, uint64_t imm); /* always the 10-byte form; returns the offset of the immediate */
void x86_mov_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_mov_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s);
void x86_mov_mi(struct x86_emitter *e, unsigned size, struct x86_mem m, int32_t imm);
/* Source of `size` 1 or 2 (movsx: also 4) bytes; destination 32 bits (movzx, zero-extended to 64) or dsize bytes. */
void x86_movzx_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_movzx_r_ah(struct x86_emitter *e, unsigned d); /* ah; d below r8 */
void x86_movzx_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_movsx_rr(struct x86_emitter *e, unsigned dsize, unsigned size, unsigned d, unsigned s);
void x86_movsx_rm(struct x86_emitter *e, unsigned dsize, unsigned size, unsigned d, struct x86_mem m);
void x86_lea(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_xchg_rr(struct x86_emitter *e, unsigned size, unsigned a, unsigned b);
void x86_bswap(struct x86_emitter *e, unsigned size, unsigned r); /* 4, 8 */
void x86_movbe_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_movbe_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s);
void x86_cmov_rr(struct x86_emitter *e, enum x86_cc cc, unsigned size, unsigned d, unsigned s);
void x86_cmov_rm(struct x86_emitter *e, enum x86_cc cc, unsigned size, unsigned d, struct x86_mem m);
void x86_setcc_r(struct x86_emitter *e, enum x86_cc cc, unsigned d);
void x86_setcc_ah(struct x86_emitter *e, enum x86_cc cc);
void x86_setcc_m(struct x86_emitter *e, enum x86_cc cc, struct x86_mem m);

void x86_sh_ri(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, unsigned count);
void x86_sh_rc(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d); /* by cl */
void x86_sh_mi(struct x86_emitter *e, enum x86_sh op, unsigned size, struct x86_mem m, unsigned count);
void x86_shx_rr(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, unsigned s,
                unsigned count); /* shlx shrx sarx: EFLAGS kept */
void x86_shx_rm(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, struct x86_mem s, unsigned count);
void x86_rorx_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count);
void x86_rorx_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem s, unsigned count);
void x86_shld_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count);
void x86_shrd_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count);
void x86_bt_ri(struct x86_emitter *e, enum x86_bt op, unsigned size, unsigned d, unsigned bit);
void x86_bt_mi(struct x86_emitter *e, enum x86_bt op, unsigned size, struct x86_mem m, unsigned bit);
void x86_bt_rr(struct x86_emitter *e, enum x86_bt op, unsigned size, unsigned d, unsigned bit);
void x86_andn_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned inverted, unsigned s); /* d = ~inverted & s */
void x86_andn_rm(struct x86_emitter *e, unsigned size, unsigned d, unsigned inverted, struct x86_mem s);
void x86_bextr_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned control);
void x86_pext_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned mask);
void x86_pdep_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned mask);

void x86_not_r(struct x86_emitter *e, unsigned size, unsigned d);
void x86_not_m(struct x86_emitter *e, unsigned size, struct x86_mem m);
void x86_neg_r(struct x86_emitter *e, unsigned size, unsigned d);
void x86_neg_m(struct x86_emitter *e, unsigned size, struct x86_mem m);
void x86_inc_r(struct x86_emitter *e, unsigned size, unsigned d);
void x86_dec_r(struct x86_emitter *e, unsigned size, unsigned d);
void x86_mul_r(struct x86_emitter *e, unsigned size, unsigned s);  /* rdx:rax = rax * s */
void x86_imul_r(struct x86_emitter *e, unsigned size, unsigned s); /* the same, signed */
void x86_div_r(struct x86_emitter *e, unsigned size, unsigned s);
void x86_idiv_r(struct x86_emitter *e, unsigned size, unsigned s);
void x86_imul_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_imul_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_imul_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, int32_t imm);
void x86_mulx_rrr(struct x86_emitter *e, unsigned size, unsigned hi, unsigned lo, unsigned s); /* hi:lo = rdx * s, EFLAGS kept */
void x86_lzcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_lzcnt_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m);
void x86_tzcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_popcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s);
void x86_cdq(struct x86_emitter *e);
void x86_cqo(struct x86_emitter *e);
void x86_lahf(struct x86_emitter *e);
void x86_sahf(struct x86_emitter *e);
void x86_cmc(struct x86_emitter *e);
void x86_clc(struct x86_emitter *e);
void x86_stc(struct x86_emitter *e);
void x86_lock_cmpxchg_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s); /* rax = expected value */
void x86_mfence(struct x86_emitter *e);

void x86_push_r(struct x86_emitter *e, unsigned r);
void x86_push_i(struct x86_emitter *e, int32_t imm); /* sign-extended to 64 bits */
void x86_pop_r(struct x86_emitter *e, unsigned r);
void x86_pushfq(struct x86_emitter *e);
void x86_popfq(struct x86_emitter *e);
void x86_ret(struct x86_emitter *e);
void x86_ret_i(struct x86_emitter *e, unsigned bytes); /* pops that many bytes of arguments */
void x86_ud2(struct x86_emitter *e);
void x86_nop(struct x86_emitter *e, unsigned bytes); /* 1..9: one instruction */

/* --- control flow; the rel32 forms return the offset of the displacement, to be set by x86_patch32() ----------------- */
#define X86_JMP_REL32      0xe9u
#define X86_JMP_REL32_SIZE 5u
uint32_t x86_jmp(struct x86_emitter *e);
uint32_t x86_jcc(struct x86_emitter *e, enum x86_cc cc);
uint32_t x86_call(struct x86_emitter *e);
uint32_t x86_lea_rip(struct x86_emitter *e, unsigned d); /* the address of the place to be set */
void x86_jmp_r(struct x86_emitter *e, unsigned r);
void x86_jmp_m(struct x86_emitter *e, struct x86_mem m);
void x86_call_r(struct x86_emitter *e, unsigned r);
void x86_call_m(struct x86_emitter *e, struct x86_mem m);
/* Short jumps, for distances known to fit: return the offset of the 8-bit displacement, set by x86_patch8_here(). */
uint32_t x86_jmp8(struct x86_emitter *e);
uint32_t x86_jcc8(struct x86_emitter *e, enum x86_cc cc);
void x86_patch8_here(struct x86_emitter *e, uint32_t at);              /* sets overflow when it does not fit */
void x86_patch32(struct x86_emitter *e, uint32_t at, uint32_t target); /* both offsets from start */
static inline void x86_patch32_here(struct x86_emitter *e, uint32_t at)
{
    x86_patch32(e, at, x86_offset(e));
}

/* --- vector instructions, all VEX-encoded, 128 bits (scalar ones as their opcode says) ------------------------------- */

/*
 * An opcode: byte | prefix (0 none, 1 66, 2 F3, 3 F2) << 8 | map (1 0F, 2 0F38, 3 0F3A) << 10 | VEX.W << 12.
 * X86_V256 may be OR-ed in for 256-bit vectors; X86_VW makes VEX.W one (64-bit general register).
 */
#define X86_VOPC(prefix, map, byte) ((uint32_t)(byte) | (prefix) << 8 | (map) << 10)
#define X86_VW                      (1u << 12)
#define X86_V256                    (1u << 13)

#include <arch/x86/vopcodes.h>

void x86_v_rrr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b); /* d = a op b */
void x86_v_rrm(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, struct x86_mem b);
void x86_v_rrri(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b, unsigned imm);
void x86_v_rrmi(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, struct x86_mem b, unsigned imm);
void x86_v_rrrr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b, unsigned mask); /* vblendv: mask register */
void x86_v_rr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned s); /* two operands: moves, conversions, vptest, vucomis.. */
void x86_v_rm(struct x86_emitter *e, uint32_t opc, unsigned d, struct x86_mem s);
void x86_v_mr(struct x86_emitter *e, uint32_t opc, struct x86_mem d, unsigned s); /* stores: opcodes named *_ST */
void x86_v_rri(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned s, unsigned imm);
void x86_v_rmi(struct x86_emitter *e, uint32_t opc, unsigned d, struct x86_mem s, unsigned imm);
void x86_v_mri(struct x86_emitter *e, uint32_t opc, struct x86_mem d, unsigned s, unsigned imm); /* vpextr* to memory, vcvtps2ph */
/* Shift by immediate: opcode and /ext from X86_VPSLLW_I ...: d = s shifted by imm */
void x86_v_shift(struct x86_emitter *e, uint32_t opc_ext, unsigned d, unsigned s, unsigned imm);
void x86_vldmxcsr(struct x86_emitter *e, struct x86_mem m);
void x86_vstmxcsr(struct x86_emitter *e, struct x86_mem m);

#endif
