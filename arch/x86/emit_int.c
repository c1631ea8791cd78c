/*
 * emit_int.c: integer and control-flow instruction forms.
 */
#include <arch/x86/emit_core.h>

#define R(e, opc, reg, rm)      x86_insn_r(e, opc, reg, 0, rm, 0)
#define RI(e, opc, reg, rm, im) x86_insn_r(e, opc, reg, 0, rm, im)
#define M(e, opc, reg, m)       x86_insn_m(e, opc, reg, 0, m, 0)
#define MI(e, opc, reg, m, im)  x86_insn_m(e, opc, reg, 0, m, im)

static bool fits8(int32_t v)
{
    return v == (int8_t)v;
}

static uint32_t imm_bytes(unsigned size)
{
    return OPC_IMM(size == 1 ? 1 : size == 2 ? 2 : 4);
}

/* --- arithmetic and logic ------------------------------------------------------------------------------------------- */

void x86_alu_rr(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_sized((uint32_t)op << 3, size), s, d);
}

void x86_alu_ri(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, int32_t imm)
{
    if (size == 1 || !fits8(imm))
        RI(e, (opc_sized(0x80, size) & ~OPC_BYTE_REG) | imm_bytes(size), op, d, (uint32_t)imm);
    else
        RI(e, opc_wide(0x83, size) | OPC_IMM(1), op, d, (uint32_t)imm);
}

void x86_alu_rm(struct x86_emitter *e, enum x86_alu op, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_sized((uint32_t)op << 3 | 2, size), d, m);
}

void x86_alu_mr(struct x86_emitter *e, enum x86_alu op, unsigned size, struct x86_mem m, unsigned s)
{
    M(e, opc_sized((uint32_t)op << 3, size), s, m);
}

void x86_alu_mi(struct x86_emitter *e, enum x86_alu op, unsigned size, struct x86_mem m, int32_t imm)
{
    if (size == 1 || !fits8(imm))
        MI(e, (opc_sized(0x80, size) & ~OPC_BYTE_REG) | imm_bytes(size), op, m, (uint32_t)imm);
    else
        MI(e, opc_wide(0x83, size) | OPC_IMM(1), op, m, (uint32_t)imm);
}

void x86_test_rr(struct x86_emitter *e, unsigned size, unsigned a, unsigned b)
{
    R(e, opc_sized(0x84, size), b, a);
}

void x86_test_ri(struct x86_emitter *e, unsigned size, unsigned a, int32_t imm)
{
    RI(e, (opc_sized(0xf6, size) & ~OPC_BYTE_REG) | imm_bytes(size), 0, a, (uint32_t)imm);
}

void x86_test_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned b)
{
    M(e, opc_sized(0x84, size), b, m);
}

void x86_test_mi(struct x86_emitter *e, unsigned size, struct x86_mem m, int32_t imm)
{
    MI(e, (opc_sized(0xf6, size) & ~OPC_BYTE_REG) | imm_bytes(size), 0, m, (uint32_t)imm);
}

static void unary_r(struct x86_emitter *e, unsigned ext, unsigned size, unsigned r)
{
    R(e, opc_sized(0xf6, size) & ~OPC_BYTE_REG, ext, r);
}

static void unary_m(struct x86_emitter *e, unsigned ext, unsigned size, struct x86_mem m)
{
    M(e, opc_sized(0xf6, size) & ~OPC_BYTE_REG, ext, m);
}

void x86_not_r(struct x86_emitter *e, unsigned size, unsigned d)
{
    unary_r(e, 2, size, d);
}
void x86_not_m(struct x86_emitter *e, unsigned size, struct x86_mem m)
{
    unary_m(e, 2, size, m);
}
void x86_neg_r(struct x86_emitter *e, unsigned size, unsigned d)
{
    unary_r(e, 3, size, d);
}
void x86_neg_m(struct x86_emitter *e, unsigned size, struct x86_mem m)
{
    unary_m(e, 3, size, m);
}
void x86_mul_r(struct x86_emitter *e, unsigned size, unsigned s)
{
    unary_r(e, 4, size, s);
}
void x86_imul_r(struct x86_emitter *e, unsigned size, unsigned s)
{
    unary_r(e, 5, size, s);
}
void x86_div_r(struct x86_emitter *e, unsigned size, unsigned s)
{
    unary_r(e, 6, size, s);
}
void x86_idiv_r(struct x86_emitter *e, unsigned size, unsigned s)
{
    unary_r(e, 7, size, s);
}

void x86_inc_r(struct x86_emitter *e, unsigned size, unsigned d)
{
    R(e, opc_sized(0xfe, size) & ~OPC_BYTE_REG, 0, d);
}
void x86_dec_r(struct x86_emitter *e, unsigned size, unsigned d)
{
    R(e, opc_sized(0xfe, size) & ~OPC_BYTE_REG, 1, d);
}

void x86_imul_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_wide(OPC(0, 1, 0xaf), size), d, s);
}
void x86_imul_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_wide(OPC(0, 1, 0xaf), size), d, m);
}

void x86_imul_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, int32_t imm)
{
    if (fits8(imm))
        RI(e, opc_wide(0x6b, size) | OPC_IMM(1), d, s, (uint32_t)imm);
    else
        RI(e, opc_wide(0x69, size) | imm_bytes(size), d, s, (uint32_t)imm);
}

void x86_mulx_rrr(struct x86_emitter *e, unsigned size, unsigned hi, unsigned lo, unsigned s)
{
    x86_insn_r(e, opc_wide(OPC(3, 2, 0xf6), size) | OPC_VEX, hi, lo, s, 0);
}

/* --- moves ------------------------------------------------------------------------------------------------------------ */

void x86_mov_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_sized(0x88, size), s, d);
}

void x86_mov_ri(struct x86_emitter *e, unsigned d, uint32_t imm)
{
    x86_insn_o(e, 0xb8, d);
    x86_bytes(e, imm, 4);
}

uint32_t x86_mov_abs(struct x86_emitter *e, unsigned d, uint64_t imm)
{
    x86_insn_o(e, 0xb8 | OPC_W, d);
    x86_bytes(e, imm, 8);
    return x86_offset(e) - 8;
}

void x86_mov_ri64(struct x86_emitter *e, unsigned d, uint64_t imm)
{
    if (imm <= UINT32_MAX)
        x86_mov_ri(e, d, (uint32_t)imm);
    else if ((int64_t)imm == (int32_t)imm)
        RI(e, 0xc7 | OPC_W | OPC_IMM(4), 0, d, (uint32_t)imm);
    else
        x86_mov_abs(e, d, imm);
}

void x86_mov_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_sized(0x8a, size), d, m);
}
void x86_mov_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s)
{
    M(e, opc_sized(0x88, size), s, m);
}

void x86_mov_mi(struct x86_emitter *e, unsigned size, struct x86_mem m, int32_t imm)
{
    MI(e, (opc_sized(0xc6, size) & ~OPC_BYTE_REG) | imm_bytes(size), 0, m, (uint32_t)imm);
}

void x86_movzx_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, size == 1 ? OPC(0, 1, 0xb6) | OPC_BYTE_RM : OPC(0, 1, 0xb7), d, s);
}

void x86_movzx_r_ah(struct x86_emitter *e, unsigned d)
{
    R(e, OPC(0, 1, 0xb6), d, 4);
}

void x86_movzx_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, size == 1 ? OPC(0, 1, 0xb6) : OPC(0, 1, 0xb7), d, m);
}

static uint32_t movsx_opc(unsigned dsize, unsigned size)
{
    uint32_t opc = size == 1 ? OPC(0, 1, 0xbe) | OPC_BYTE_RM : size == 2 ? OPC(0, 1, 0xbf) : 0x63;
    return opc_wide(opc, dsize);
}

void x86_movsx_rr(struct x86_emitter *e, unsigned dsize, unsigned size, unsigned d, unsigned s)
{
    R(e, movsx_opc(dsize, size), d, s);
}
void x86_movsx_rm(struct x86_emitter *e, unsigned dsize, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, movsx_opc(dsize, size), d, m);
}

void x86_lea(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    /* [index + base] without displacement is shorter than [base=rbp/r13 + index + 0] */
    if (m.scale == 0 && m.disp == 0 && m.index != X86_NOREG && m.base != X86_NOREG && (m.base & 7) == 5 && m.index != X86_RSP) {
        uint8_t swap = m.base;
        m.base = m.index;
        m.index = swap;
    }
    M(e, opc_wide(0x8d, size), d, m);
}

void x86_xchg_rr(struct x86_emitter *e, unsigned size, unsigned a, unsigned b)
{
    R(e, opc_sized(0x86, size), b, a);
}
void x86_bswap(struct x86_emitter *e, unsigned size, unsigned r)
{
    x86_insn_o(e, opc_wide(OPC(0, 1, 0xc8), size), r);
}
void x86_movbe_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_wide(OPC(0, 2, 0xf0), size), d, m);
}
void x86_movbe_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s)
{
    M(e, opc_wide(OPC(0, 2, 0xf1), size), s, m);
}
void x86_cmov_rr(struct x86_emitter *e, enum x86_cc cc, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_wide(OPC(0, 1, 0x40 | cc), size), d, s);
}
void x86_cmov_rm(struct x86_emitter *e, enum x86_cc cc, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_wide(OPC(0, 1, 0x40 | cc), size), d, m);
}
void x86_setcc_r(struct x86_emitter *e, enum x86_cc cc, unsigned d)
{
    R(e, OPC(0, 1, 0x90 | cc) | OPC_BYTE_RM, 0, d);
}
void x86_setcc_ah(struct x86_emitter *e, enum x86_cc cc)
{
    R(e, OPC(0, 1, 0x90 | cc), 0, 4);
}
void x86_setcc_m(struct x86_emitter *e, enum x86_cc cc, struct x86_mem m)
{
    M(e, OPC(0, 1, 0x90 | cc), 0, m);
}

/* --- shifts and bits ---------------------------------------------------------------------------------------------------- */

void x86_sh_ri(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, unsigned count)
{
    if (count == 1)
        R(e, opc_sized(0xd0, size) & ~OPC_BYTE_REG, op, d);
    else
        RI(e, (opc_sized(0xc0, size) & ~OPC_BYTE_REG) | OPC_IMM(1), op, d, count);
}

void x86_sh_rc(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d)
{
    R(e, opc_sized(0xd2, size) & ~OPC_BYTE_REG, op, d);
}

void x86_sh_mi(struct x86_emitter *e, enum x86_sh op, unsigned size, struct x86_mem m, unsigned count)
{
    if (count == 1)
        M(e, opc_sized(0xd0, size) & ~OPC_BYTE_REG, op, m);
    else
        MI(e, (opc_sized(0xc0, size) & ~OPC_BYTE_REG) | OPC_IMM(1), op, m, count);
}

static uint32_t shx_opc(enum x86_sh op, unsigned size)
{
    unsigned prefix = op == X86_SHL ? 1 : op == X86_SHR ? 3 : 2;
    return opc_wide(OPC(prefix, 2, 0xf7), size) | OPC_VEX;
}

void x86_shx_rr(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, unsigned s, unsigned count)
{
    x86_insn_r(e, shx_opc(op, size), d, count, s, 0);
}

void x86_shx_rm(struct x86_emitter *e, enum x86_sh op, unsigned size, unsigned d, struct x86_mem s, unsigned count)
{
    x86_insn_m(e, shx_opc(op, size), d, count, s, 0);
}

#define OPC_RORX (OPC(3, 3, 0xf0) | OPC_VEX | OPC_IMM(1))

void x86_rorx_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count)
{
    x86_insn_r(e, opc_wide(OPC_RORX, size), d, 0, s, count);
}

void x86_rorx_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem s, unsigned count)
{
    x86_insn_m(e, opc_wide(OPC_RORX, size), d, 0, s, count);
}

void x86_shld_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count)
{
    RI(e, opc_wide(OPC(0, 1, 0xa4), size) | OPC_IMM(1), s, d, count);
}

void x86_shrd_rri(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned count)
{
    RI(e, opc_wide(OPC(0, 1, 0xac), size) | OPC_IMM(1), s, d, count);
}

void x86_bt_ri(struct x86_emitter *e, enum x86_bt op, unsigned size, unsigned d, unsigned bit)
{
    RI(e, opc_wide(OPC(0, 1, 0xba), size) | OPC_IMM(1), op, d, bit);
}

void x86_bt_mi(struct x86_emitter *e, enum x86_bt op, unsigned size, struct x86_mem m, unsigned bit)
{
    MI(e, opc_wide(OPC(0, 1, 0xba), size) | OPC_IMM(1), op, m, bit);
}

void x86_bt_rr(struct x86_emitter *e, enum x86_bt op, unsigned size, unsigned d, unsigned bit)
{
    R(e, opc_wide(OPC(0, 1, 0x83 | op << 3), size), bit, d);
}

#define OPC_ANDN  (OPC(0, 2, 0xf2) | OPC_VEX)
#define OPC_BEXTR (OPC(0, 2, 0xf7) | OPC_VEX)
#define OPC_PEXT  (OPC(2, 2, 0xf5) | OPC_VEX)
#define OPC_PDEP  (OPC(3, 2, 0xf5) | OPC_VEX)

void x86_andn_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned inverted, unsigned s)
{
    x86_insn_r(e, opc_wide(OPC_ANDN, size), d, inverted, s, 0);
}

void x86_andn_rm(struct x86_emitter *e, unsigned size, unsigned d, unsigned inverted, struct x86_mem s)
{
    x86_insn_m(e, opc_wide(OPC_ANDN, size), d, inverted, s, 0);
}

void x86_bextr_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned control)
{
    x86_insn_r(e, opc_wide(OPC_BEXTR, size), d, control, s, 0);
}

void x86_pext_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned mask)
{
    x86_insn_r(e, opc_wide(OPC_PEXT, size), d, s, mask, 0);
}

void x86_pdep_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s, unsigned mask)
{
    x86_insn_r(e, opc_wide(OPC_PDEP, size), d, s, mask, 0);
}

void x86_lzcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_wide(OPC(2, 1, 0xbd), size), d, s);
}
void x86_lzcnt_rm(struct x86_emitter *e, unsigned size, unsigned d, struct x86_mem m)
{
    M(e, opc_wide(OPC(2, 1, 0xbd), size), d, m);
}
void x86_tzcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_wide(OPC(2, 1, 0xbc), size), d, s);
}
void x86_popcnt_rr(struct x86_emitter *e, unsigned size, unsigned d, unsigned s)
{
    R(e, opc_wide(OPC(2, 1, 0xb8), size), d, s);
}

/* --- without operands ----------------------------------------------------------------------------------------------------- */

void x86_cdq(struct x86_emitter *e)
{
    x86_bytes(e, 0x99, 1);
}
void x86_cqo(struct x86_emitter *e)
{
    x86_bytes(e, 0x9948, 2);
}
void x86_lahf(struct x86_emitter *e)
{
    x86_bytes(e, 0x9f, 1);
}
void x86_sahf(struct x86_emitter *e)
{
    x86_bytes(e, 0x9e, 1);
}
void x86_cmc(struct x86_emitter *e)
{
    x86_bytes(e, 0xf5, 1);
}
void x86_clc(struct x86_emitter *e)
{
    x86_bytes(e, 0xf8, 1);
}
void x86_stc(struct x86_emitter *e)
{
    x86_bytes(e, 0xf9, 1);
}
void x86_mfence(struct x86_emitter *e)
{
    x86_bytes(e, 0xf0ae0f, 3);
}
void x86_pushfq(struct x86_emitter *e)
{
    x86_bytes(e, 0x9c, 1);
}
void x86_popfq(struct x86_emitter *e)
{
    x86_bytes(e, 0x9d, 1);
}
void x86_ret(struct x86_emitter *e)
{
    x86_bytes(e, 0xc3, 1);
}
void x86_ret_i(struct x86_emitter *e, unsigned bytes)
{
    x86_bytes(e, 0xc2 | (uint64_t)(uint16_t)bytes << 8, 3);
}
void x86_ud2(struct x86_emitter *e)
{
    x86_bytes(e, 0x0b0f, 2);
}
void x86_push_r(struct x86_emitter *e, unsigned r)
{
    x86_insn_o(e, 0x50, r);
}
void x86_push_i(struct x86_emitter *e, int32_t imm)
{
    if (fits8(imm))
        x86_bytes(e, 0x6a | (uint64_t)(uint8_t)imm << 8, 2);
    else
        x86_bytes(e, 0x68 | (uint64_t)(uint32_t)imm << 8, 5);
}

void x86_pop_r(struct x86_emitter *e, unsigned r)
{
    x86_insn_o(e, 0x58, r);
}

void x86_lock_cmpxchg_mr(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned s)
{
    M(e, opc_sized(OPC(0, 1, 0xb0), size) | OPC_LOCK, s, m);
}

void x86_nop(struct x86_emitter *e, unsigned bytes)
{
    /* Intel's recommended multi-byte forms */
    static const uint8_t form[9][9] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    for (unsigned k = 0; k < bytes; k++)
        x86_bytes(e, form[bytes - 1][k], 1);
}

/* --- control flow ----------------------------------------------------------------------------------------------------------- */

static uint32_t rel32(struct x86_emitter *e)
{
    x86_bytes(e, 0, 4);
    return x86_offset(e) - 4;
}

uint32_t x86_jmp(struct x86_emitter *e)
{
    x86_bytes(e, X86_JMP_REL32, 1);
    return rel32(e);
}

uint32_t x86_lea_rip(struct x86_emitter *e, unsigned d)
{
    x86_bytes(e, (d < 8 ? 0x48u : 0x4cu) | 0x8d00u | ((d & 7) << 3 | 5) << 16, 3);
    return rel32(e);
}

uint32_t x86_jcc(struct x86_emitter *e, enum x86_cc cc)
{
    x86_bytes(e, 0x800f | (uint64_t)cc << 8, 2);
    return rel32(e);
}

uint32_t x86_call(struct x86_emitter *e)
{
    x86_bytes(e, 0xe8, 1);
    return rel32(e);
}

void x86_jmp_r(struct x86_emitter *e, unsigned r)
{
    R(e, 0xff, 4, r);
}
void x86_jmp_m(struct x86_emitter *e, struct x86_mem m)
{
    M(e, 0xff, 4, m);
}
void x86_call_r(struct x86_emitter *e, unsigned r)
{
    R(e, 0xff, 2, r);
}
void x86_call_m(struct x86_emitter *e, struct x86_mem m)
{
    M(e, 0xff, 2, m);
}

uint32_t x86_jmp8(struct x86_emitter *e)
{
    x86_bytes(e, 0xeb, 2);
    return x86_offset(e) - 1;
}

uint32_t x86_jcc8(struct x86_emitter *e, enum x86_cc cc)
{
    x86_bytes(e, 0x70 | cc, 2);
    return x86_offset(e) - 1;
}
