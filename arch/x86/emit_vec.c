/*
 * emit_vec.c: AVX instruction forms (VEX encoded).
 */
#include <arch/x86/emit_core.h>

_Static_assert(OPC_W == X86_VW && OPC_L == X86_V256, "vector opcodes are core opcodes");

void x86_v_rrr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b)
{
    x86_insn_r(e, opc | OPC_VEX, d, a, b, 0);
}

void x86_v_rrm(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, struct x86_mem b)
{
    x86_insn_m(e, opc | OPC_VEX, d, a, b, 0);
}

void x86_v_rrri(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b, unsigned imm)
{
    x86_insn_r(e, opc | OPC_VEX | OPC_IMM(1), d, a, b, imm);
}

void x86_v_rrmi(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, struct x86_mem b, unsigned imm)
{
    x86_insn_m(e, opc | OPC_VEX | OPC_IMM(1), d, a, b, imm);
}

void x86_v_rrrr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned a, unsigned b, unsigned mask)
{
    x86_insn_r(e, opc | OPC_VEX | OPC_IMM(1), d, a, b, mask << 4);
}

void x86_v_rr(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned s)
{
    x86_insn_r(e, opc | OPC_VEX, d, 0, s, 0);
}

void x86_v_rm(struct x86_emitter *e, uint32_t opc, unsigned d, struct x86_mem s)
{
    x86_insn_m(e, opc | OPC_VEX, d, 0, s, 0);
}

void x86_v_mr(struct x86_emitter *e, uint32_t opc, struct x86_mem d, unsigned s)
{
    x86_insn_m(e, opc | OPC_VEX, s, 0, d, 0);
}

void x86_v_rri(struct x86_emitter *e, uint32_t opc, unsigned d, unsigned s, unsigned imm)
{
    x86_insn_r(e, opc | OPC_VEX | OPC_IMM(1), d, 0, s, imm);
}

void x86_v_rmi(struct x86_emitter *e, uint32_t opc, unsigned d, struct x86_mem s, unsigned imm)
{
    x86_insn_m(e, opc | OPC_VEX | OPC_IMM(1), d, 0, s, imm);
}

void x86_v_mri(struct x86_emitter *e, uint32_t opc, struct x86_mem d, unsigned s, unsigned imm)
{
    x86_insn_m(e, opc | OPC_VEX | OPC_IMM(1), s, 0, d, imm);
}

void x86_v_shift(struct x86_emitter *e, uint32_t opc_ext, unsigned d, unsigned s, unsigned imm)
{
    x86_insn_r(e, (opc_ext & 0xffff) | OPC_VEX | OPC_IMM(1), opc_ext >> 16, d, s, imm);
}

void x86_vldmxcsr(struct x86_emitter *e, struct x86_mem m)
{
    x86_insn_m(e, OPC(0, 1, 0xae) | OPC_VEX, 2, 0, m, 0);
}

void x86_vstmxcsr(struct x86_emitter *e, struct x86_mem m)
{
    x86_insn_m(e, OPC(0, 1, 0xae) | OPC_VEX, 3, 0, m, 0);
}
