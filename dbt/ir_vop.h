/*
 * ir_vop.h: SIMD and floating-point operations of the IR (IR_OP_VOP), as one table.
 *
 * Each works on CPU state in memory: state[d] = op(state[a], state[b]) with byte offsets from struct vcpu. `mem` is the size in bytes of the whole
 * destination (4 and 8: scalar or half vector, 16: full vector); where an operation widens or narrows, its source has half or twice that. `imm` is
 * the immediate operand, the low half of imm2 the operation (enum ir_vop). Operands may overlap in any way: all are read before anything is written.
 *
 * Suffix 8, 16, 32, 64: element size in bits, of the narrower side when widening or narrowing.
 *
 * Floating-point operations (F...) compute under the current MXCSR and may have a fix-up, ir_insn.fn: when the inline code cannot give the guest's
 * result (NaN, conversion out of range) it calls fn(vcpu, 0, 0, imm, 0), which does the whole operation from the operands as they were.
 */
#ifndef DBT_IR_VOP_H
#define DBT_IR_VOP_H

/* X(name) */
#define IR_VOPS(X) \
    /* bitwise; BSL: d = d ? a : b, BIT: d = b ? a : d, BIF: d = b ? d : a, bit by bit */ \
    X(MOV) X(AND) X(ORR) X(EOR) X(BIC) X(ORN) X(NOT) X(BSL) X(BIT) X(BIF) \
    /* integer elements */ \
    X(ADD8) X(ADD16) X(ADD32) X(ADD64) X(SUB8) X(SUB16) X(SUB32) X(SUB64) X(NEG8) X(NEG16) X(NEG32) X(ABS8) X(ABS16) X(ABS32) \
    X(MUL8) X(MUL16) X(MUL32) X(MLA8) X(MLA16) X(MLA32) X(MLS8) X(MLS16) X(MLS32) \
    X(MAXS8) X(MAXS16) X(MAXS32) X(MAXU8) X(MAXU16) X(MAXU32) X(MINS8) X(MINS16) X(MINS32) X(MINU8) X(MINU16) X(MINU32) \
    /* comparisons: all ones or zero */ \
    X(CEQ8) X(CEQ16) X(CEQ32) X(CTST8) X(CTST16) X(CTST32) X(CGTS8) X(CGTS16) X(CGTS32) X(CGES8) X(CGES16) X(CGES32) \
    X(CGTU8) X(CGTU16) X(CGTU32) X(CGEU8) X(CGEU16) X(CGEU32) \
    /* shifts by imm: SLI, SRI insert into d, SRA add to d; right shifts by up to the element size */ \
    X(SHL8) X(SHL16) X(SHL32) X(SHL64) X(SHRU8) X(SHRU16) X(SHRU32) X(SHRU64) X(SHRS8) X(SHRS16) X(SHRS32) X(SHRS64) \
    X(SLI8) X(SLI16) X(SLI32) X(SLI64) X(SRI8) X(SRI16) X(SRI32) X(SRI64) \
    X(SRAU8) X(SRAU16) X(SRAU32) X(SRAU64) X(SRAS8) X(SRAS16) X(SRAS32) X(SRAS64) \
    /* permutations: REVn_m reverses elements of m bits in groups of n; EXT: bytes imm.. of a:b; ZIP, UZP, TRN change d and a */ \
    X(REV16_8) X(REV32_8) X(REV32_16) X(REV64_8) X(REV64_16) X(REV64_32) X(EXT) X(DUP8) X(DUP16) X(DUP32) \
    X(ZIP8) X(ZIP16) X(ZIP32) X(UZP8) X(UZP16) X(UZP32) X(TRN8) X(TRN16) X(TRN32) X(SWP) \
    /* table look-up, 8 bytes: table of 8 (TBL1), 16, 24 or 32 bytes at a, indexes b, 0 when out of range */ \
    X(TBL1) X(TBL2) X(TBL3) X(TBL4) \
    /* widening: L takes both operands narrow, W only b */ \
    X(MOVLS8) X(MOVLS16) X(MOVLS32) X(MOVLU8) X(MOVLU16) X(MOVLU32) \
    X(ADDLS8) X(ADDLS16) X(ADDLS32) X(ADDLU8) X(ADDLU16) X(ADDLU32) X(SUBLS8) X(SUBLS16) X(SUBLS32) X(SUBLU8) X(SUBLU16) X(SUBLU32) \
    X(ADDWS8) X(ADDWS16) X(ADDWS32) X(ADDWU8) X(ADDWU16) X(ADDWU32) X(SUBWS8) X(SUBWS16) X(SUBWS32) X(SUBWU8) X(SUBWU16) X(SUBWU32) \
    X(MULLS8) X(MULLS16) X(MULLS32) X(MULLU8) X(MULLU16) X(MULLU32) X(MLALS8) X(MLALS16) X(MLALS32) X(MLALU8) X(MLALU16) X(MLALU32) \
    X(MLSLS8) X(MLSLS16) X(MLSLS32) X(MLSLU8) X(MLSLU16) X(MLSLU32) \
    /* narrowing, after a right shift by imm (0: none) */ \
    X(SHRN8) X(SHRN16) X(SHRN32) X(RSHRN8) X(RSHRN16) X(RSHRN32) \
    /* the high half of a sum or difference; R...: rounded */ \
    X(ADDHN8) X(ADDHN16) X(ADDHN32) X(SUBHN8) X(SUBHN16) X(SUBHN32) \
    X(RADDHN8) X(RADDHN16) X(RADDHN32) X(RSUBHN8) X(RSUBHN16) X(RSUBHN32) \
    /* right shift by imm, 1.. element size, with rounding; (a + b + 1) / 2 */ \
    X(RSHRS8) X(RSHRS16) X(RSHRS32) X(RSHRS64) X(RSHRU8) X(RSHRU16) X(RSHRU32) X(RSHRU64) X(AVGU8) X(AVGU16) \
    /* b shifted by the signed low byte of a's element: to the left, or when negative to the right; R...: with rounding */ \
    X(SHLVS16) X(SHLVS32) X(SHLVU16) X(SHLVU32) X(RSHLVS16) X(RSHLVS32) X(RSHLVU16) X(RSHLVU32) \
    /* absolute difference, ABA: added to d; L: widening */ \
    X(ABDS8) X(ABDS16) X(ABDS32) X(ABDU8) X(ABDU16) X(ABDU32) X(ABAS8) X(ABAS16) X(ABAS32) X(ABAU8) X(ABAU16) X(ABAU32) \
    X(ABDLS8) X(ABDLS16) X(ABDLS32) X(ABDLU8) X(ABDLU16) X(ABDLU32) X(ABALS8) X(ABALS16) X(ABALS32) X(ABALU8) X(ABALU16) X(ABALU32) \
    /* neighbours in a:b, 8 bytes; L: the two halves of each wide element of a, each extended; PADAL: added to d */ \
    X(PADD8) X(PADD16) X(PADD32) X(PMAXS8) X(PMAXS16) X(PMAXS32) X(PMAXU8) X(PMAXU16) X(PMAXU32) \
    X(PMINS8) X(PMINS16) X(PMINS32) X(PMINU8) X(PMINU16) X(PMINU32) \
    X(PADDLS8) X(PADDLS16) X(PADDLS32) X(PADDLU8) X(PADDLU16) X(PADDLU32) \
    X(PADALS8) X(PADALS16) X(PADALS32) X(PADALU8) X(PADALU16) X(PADALU32) \
    /* scalar floating point, size by mem. MLA..NMLS: product rounded before the sum with d; FMA..FNMS: rounded once. MLA d+ab, MLS d-ab, \
     * NMLA -d-ab, NMLS -d+ab */ \
    X(FADD) X(FSUB) X(FMUL) X(FNMUL) X(FDIV) X(FSQRT) X(FMLA) X(FMLS) X(FNMLA) X(FNMLS) X(FFMA) X(FFMS) X(FFNMA) X(FFNMS) \
    X(FABS) X(FNEG) \
    /* sign bits of 32-bit elements cleared, inverted */ \
    X(VFABS) X(VFNEG) \
    /* single-precision elements with denormals flushed to zero and default NaN, MXCSR being at its default. VFMUL, VFMLA, VFMLS store MXCSR as it \
     * was before at byte offset imm2 >> 16, for the fix-up to go back to */ \
    X(VFADD) X(VFSUB) X(VFMUL) X(VFMLA) X(VFMLS) \
    /* saturating; when an element does, bit imm2 >> 16 of state (8 * byte offset + bit) is set */ \
    X(QADDS8) X(QADDS16) X(QADDU8) X(QADDU16) X(QSUBS8) X(QSUBS16) X(QSUBU8) X(QSUBU16) \
    X(QABS8) X(QABS16) X(QABS32) X(QNEG8) X(QNEG16) X(QNEG32) \
    /* the same, narrowing after a right shift by imm (0: none); R: rounded; S, U: signed, unsigned; UN: signed to unsigned */ \
    X(QSHRNS8) X(QSHRNS16) X(QSHRNU8) X(QSHRNU16) X(QSHRUN8) X(QSHRUN16) \
    X(QRSHRNS8) X(QRSHRNS16) X(QRSHRNU8) X(QRSHRNU16) X(QRSHRUN8) X(QRSHRUN16) \
    /* compare a with b (0.0 when b is IR_NONE), mem = operand size: four bytes n z c v at d; FCMPE: quiet NaNs raise Invalid */ \
    X(FCMP) X(FCMPE) \
    /* conversions; mem = size of the floating-point side (of the source for FCVT); the integer has 32 bits; to integer: towards zero */ \
    X(FCVT) X(FTOS) X(FTOU) X(FFROMS) X(FFROMU)

enum ir_vop {
#define X(n) IR_VOP_##n,
    IR_VOPS(X)
#undef X
    IR_VOP_COUNT
};

#endif
