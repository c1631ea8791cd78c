/*
 * ir_vop.h: SIMD and floating-point operations of the IR (IR_OP_VOP), as one table.
 *
 * Each works on CPU state in memory: state[d] = op(state[a], state[b]) with byte offsets from struct vcpu. `mem` is the size in bytes of the whole
 * operand (4 and 8: scalar or D register, 16: Q register). Both the front end and the host back end include this list.
 */
#ifndef DBT_IR_VOP_H
#define DBT_IR_VOP_H

/* X(name) */
#define IR_VOPS(X) \
    X(MOV) X(AND) X(ORR) X(EOR) X(BIC) X(ORN) X(NOT) \
    X(ADD8) X(ADD16) X(ADD32) X(ADD64) X(SUB8) X(SUB16) X(SUB32) X(SUB64) \
    X(FADD32) X(FSUB32) X(FMUL32) X(FDIV32) X(FADD64) X(FSUB64) X(FMUL64) X(FDIV64)

enum ir_vop {
#define X(n) IR_VOP_##n,
    IR_VOPS(X)
#undef X
    IR_VOP_COUNT
};

#endif
