/*
 * regs.h: x86 registers and what translated code keeps in them.
 *
 * Eleven guest registers live in host registers across blocks; the remaining globals (r9-r12) live in vcpu.gpr[] and are used
 * as memory operands. rbp and r13 need a displacement byte as an address base, rsp and r12 a SIB byte, so the registers that compilers
 * address through most (r0-r3, sp) get the others; callee-saved registers hold the guest's callee-saved ones for no other reason than
 * order.
 */
#ifndef X86_REGS_H
#define X86_REGS_H

#include <dbt/ir.h>
#include <dbt/vcpu.h>

enum x86_reg {
    X86_RAX,
    X86_RCX,
    X86_RDX,
    X86_RBX,
    X86_RSP,
    X86_RBP,
    X86_RSI,
    X86_RDI,
    X86_R8,
    X86_R9,
    X86_R10,
    X86_R11,
    X86_R12,
    X86_R13,
    X86_R14,
    X86_R15,
    X86_NOREG = 0xff,
};

#define X86_VCPU X86_R15 /* struct vcpu + VCPU_BIAS */

/* Host register of each global, X86_NOREG when it lives in memory. */
static const uint8_t x86_pinned[IR_GLOBALS] = {
    [0] = X86_RBX, [1] = X86_RSI,   [2] = X86_RDI,    [3] = X86_R8,     [4] = X86_R9,     [5] = X86_R10,  [6] = X86_R11,  [7] = X86_RBP,
    [8] = X86_R13, [9] = X86_NOREG, [10] = X86_NOREG, [11] = X86_NOREG, [12] = X86_NOREG, [13] = X86_R14, [14] = X86_R12,
};

/* Scratch registers: temporaries of the block, in order of preference. */
#define X86_N_SCRATCH 3
static const uint8_t x86_scratch[X86_N_SCRATCH] = {X86_RAX, X86_RDX, X86_RCX};

#endif
