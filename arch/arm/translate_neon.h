/*
 * translate_neon.h: arguments of the rows of table_neon.c.
 */
#ifndef ARM_TRANSLATE_NEON_H
#define ARM_TRANSLATE_NEON_H

/* Three registers of the same length. From TS_FIRST_FLOAT on: single precision, no size. */
enum neon_three_same {
    TS_HADD, TS_QADD, TS_RHADD, TS_AND, TS_BIC, TS_ORR, TS_ORN, TS_EOR, TS_BSL, TS_BIT, TS_BIF, TS_HSUB, TS_QSUB, TS_CGT, TS_CGE,
    TS_SHL, TS_QSHL, TS_RSHL, TS_QRSHL, TS_MAX, TS_MIN, TS_ABD, TS_ABA, TS_ADD, TS_SUB, TS_TST, TS_CEQ, TS_MLA, TS_MLS, TS_MUL, TS_PMUL,
    TS_PMAX, TS_PMIN, TS_QDMULH, TS_QRDMULH, TS_PADD,
    TS_FIRST_FLOAT,
    TS_FFMA = TS_FIRST_FLOAT, TS_FFMS, TS_FADD, TS_FSUB, TS_FPADD, TS_FABD, TS_FMLA, TS_FMLS, TS_FMUL, TS_FCEQ, TS_FCGE, TS_FCGT, TS_FACGE,
    TS_FACGT, TS_FMAX, TS_FMIN, TS_FPMAX, TS_FPMIN, TS_FRECPS, TS_FRSQRTS,
    TS_COUNT
};

/* Of different lengths */
enum neon_three_diff {
    TD_ADDL, TD_ADDW, TD_SUBL, TD_SUBW, TD_ADDHN, TD_RADDHN, TD_ABAL, TD_SUBHN, TD_RSUBHN, TD_ABDL, TD_MLAL, TD_QDMLAL, TD_MLSL, TD_QDMLSL,
    TD_MULL, TD_QDMULL, TD_PMULL,
    TD_COUNT
};

/* Two registers and a scalar: a neon_three_diff, or with this bit a neon_three_same */
#define SC_SAME 0x100u

enum neon_shift_imm {
    SI_SHR, SI_SRA, SI_RSHR, SI_RSRA, SI_SRI, SI_SHL, SI_SLI, SI_QSHLU, SI_QSHL,
    SI_SHRN, SI_RSHRN, SI_QSHRUN, SI_QRSHRUN, SI_QSHRN, SI_QRSHRN, /* narrowing */
    SI_SHLL,
};

enum neon_misc {
    MI_REV64, MI_REV32, MI_REV16, MI_PADDL, MI_CLS, MI_CLZ, MI_CNT, MI_MVN, MI_PADAL, MI_QABS, MI_QNEG,
    MI_CGT0, MI_CGE0, MI_CEQ0, MI_CLE0, MI_CLT0, MI_ABS, MI_NEG, MI_SWP, MI_TRN, MI_UZP, MI_ZIP, MI_MOVN, MI_QMOVUN, MI_QMOVN, MI_SHLL,
    MI_TO_HALF, MI_FROM_HALF, MI_RECPE, MI_RSQRTE, MI_CVT,
};

/* Multiple structures: elements of a structure, registers, distance of a structure's registers */
#define LM(n, regs, inc) ((n) | (regs) << 4 | (inc) << 8)

#endif
