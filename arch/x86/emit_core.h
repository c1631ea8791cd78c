/*
 * emit_core.h: the interface between the encoding core (emit.c) and the emitter functions (emit_int.c, emit_vec.c).
 *
 * An instruction is described by one word: opcode byte | prefix << 8 | map << 10 (0: one-byte opcodes) | OPC_* flags.
 */
#ifndef X86_EMIT_CORE_H
#define X86_EMIT_CORE_H

#include <arch/x86/emit.h>

#define OPC(prefix, map, byte) ((uint32_t)(byte) | (prefix) << 8 | (map) << 10)
#define OPC_PREFIX(o)          ((o) >> 8 & 3)
#define OPC_MAP(o)             ((o) >> 10 & 3)
#define OPC_W                  (1u << 12) /* REX.W or VEX.W; = X86_VW */
#define OPC_L                  (1u << 13) /* VEX.L; = X86_V256 */
#define OPC_VEX                (1u << 16)
#define OPC_66                 (1u << 17) /* 16-bit operand */
#define OPC_LOCK               (1u << 18)
#define OPC_BYTE_REG           (1u << 19) /* ModRM.reg is a byte register */
#define OPC_BYTE_RM            (1u << 20) /* ModRM.rm, when a register, is a byte register */
#define OPC_IMM(bytes)         ((uint32_t)(bytes) << 21)
#define OPC_IMM_BYTES(o)       ((o) >> 21 & 7)

/* Up to eight literal bytes, lowest first. */
void x86_bytes(struct x86_emitter *e, uint64_t bytes, unsigned n);
/* ModRM with a register or a memory operand; vvvv only with OPC_VEX, imm only with OPC_IMM. */
void x86_insn_r(struct x86_emitter *e, uint32_t opc, unsigned reg, unsigned vvvv, unsigned rm, uint32_t imm);
void x86_insn_m(struct x86_emitter *e, uint32_t opc, unsigned reg, unsigned vvvv, struct x86_mem m, uint32_t imm);
/* Register in the opcode's low three bits. */
void x86_insn_o(struct x86_emitter *e, uint32_t opc, unsigned r);

/* Operand-size bits of the classic pairs (byte form = opcode, wider = opcode | 1). */
static inline uint32_t opc_sized(uint32_t opc, unsigned size)
{
    switch (size) {
    case 1:
        return opc | OPC_BYTE_REG | OPC_BYTE_RM;
    case 2:
        return opc | 1 | OPC_66;
    case 8:
        return opc | 1 | OPC_W;
    default:
        return opc | 1;
    }
}

/* Operand-size bits where there is no byte form. */
static inline uint32_t opc_wide(uint32_t opc, unsigned size)
{
    return opc | (size == 2 ? OPC_66 : size == 8 ? OPC_W : 0);
}

#endif
