/*
 * table_a32.c: the A32 encodings of ARMv7-A with the virtualisation extensions, without the coprocessor 10/11 and Advanced SIMD spaces
 * (table_vfp.c, table_neon.c). ARM DDI 0406C chapter A5.
 *
 * Should-be-zero and should-be-one bits are fixed where QEMU fixes them: other words are UNPREDICTABLE, and undefined here as there.
 */
#include <arch/arm/translate_int.h>

#define SAFE  (ROW_USER_SAFE | ROW_FL_KNOWN)
#define SAFEX (SAFE | ROW_SP_PC)
#define MEM   (ROW_MEM | ROW_FL_KNOWN)
#define W(f)  ROW_FL_WRITES(f)
#define R(f)  ROW_FL_READS(f)

/* A data-processing operation in its three operand forms. n and d are the patterns of those fields. */
#define DP(name, opc, s, n, d, op, flags)                                                                                                            \
    {name, "cccc 001 " opc s n d " iiiiiiiiiiii", tr_dp_imm, SAFE | (flags), op},                                                                    \
    {name, "cccc 000 " opc s n d " iiiii yy 0 mmmm", tr_dp_shift, SAFE | (flags), op},                                                               \
    {name, "cccc 000 " opc s n d " ssss 0 yy 1 mmmm", tr_dp_rsr, SAFEX | (flags), op}

/* Load/store word or byte: immediate and scaled register, with their unprivileged forms. bl = B, L bits. */
#define LS(name, b, l, arg)                                                                                                                          \
    {name "t", "cccc 010 0 U " b " 1 " l " nnnn tttt iiiiiiiiiiii", tr_ls_imm, MEM, (arg) | IR_MEM_USER | LS_POST},                                   \
    {name "t", "cccc 011 0 U " b " 1 " l " nnnn tttt iiiii yy 0 mmmm", tr_ls_reg, MEM, (arg) | IR_MEM_USER | LS_POST},                                \
    {name, "cccc 010 P U " b " W " l " nnnn tttt iiiiiiiiiiii", tr_ls_imm, MEM, arg},                                                                \
    {name, "cccc 011 P U " b " W " l " nnnn tttt iiiii yy 0 mmmm", tr_ls_reg, MEM, arg}

/* Extra load/store: immediate and register, with unprivileged forms. */
#define LSX_USER(name, l, op, arg)                                                                                                                   \
    {name "t", "cccc 0000 U 11 " l " nnnn tttt iiii 1 " op " 1 iiii", tr_ls_imm, MEM, (arg) | IR_MEM_USER | LS_POST},                                 \
    {name "t", "cccc 0000 U 01 " l " nnnn tttt 0000 1 " op " 1 mmmm", tr_ls_reg, MEM, (arg) | IR_MEM_USER | LS_POST}
#define LSX(name, l, op, arg)                                                                                                                        \
    {name, "cccc 000 P U 1 W " l " nnnn tttt iiii 1 " op " 1 iiii", tr_ls_imm, MEM, arg},                                                            \
    {name, "cccc 000 P U 0 W " l " nnnn tttt 0000 1 " op " 1 mmmm", tr_ls_reg, MEM, arg}

/* The six parallel operations under one prefix; arg = prefix * 6 + operation, as translate_media.c has it. */
#define PARALLEL(p, bits, k)                                                                                                                         \
    {p "add16", "cccc 01100 " bits " nnnn dddd 1111 0001 mmmm", tr_parallel, SAFEX, (k)*6 + 0},                                                      \
    {p "asx", "cccc 01100 " bits " nnnn dddd 1111 0011 mmmm", tr_parallel, SAFEX, (k)*6 + 1},                                                        \
    {p "sax", "cccc 01100 " bits " nnnn dddd 1111 0101 mmmm", tr_parallel, SAFEX, (k)*6 + 2},                                                        \
    {p "sub16", "cccc 01100 " bits " nnnn dddd 1111 0111 mmmm", tr_parallel, SAFEX, (k)*6 + 3},                                                      \
    {p "add8", "cccc 01100 " bits " nnnn dddd 1111 1001 mmmm", tr_parallel, SAFEX, (k)*6 + 4},                                                       \
    {p "sub8", "cccc 01100 " bits " nnnn dddd 1111 1111 mmmm", tr_parallel, SAFEX, (k)*6 + 5}

const struct arm_row arm_a32_rows[] = {
    /* data processing */
    DP("and", "0000 ", "S ", "nnnn ", "dddd", DP_AND, ROW_FL_S | W(IR_NZ)),
    DP("eor", "0001 ", "S ", "nnnn ", "dddd", DP_EOR, ROW_FL_S | W(IR_NZ)),
    DP("sub", "0010 ", "S ", "nnnn ", "dddd", DP_SUB, ROW_FL_S | W(IR_NZCV)),
    DP("rsb", "0011 ", "S ", "nnnn ", "dddd", DP_RSB, ROW_FL_S | W(IR_NZCV)),
    DP("add", "0100 ", "S ", "nnnn ", "dddd", DP_ADD, ROW_FL_S | W(IR_NZCV)),
    DP("adc", "0101 ", "S ", "nnnn ", "dddd", DP_ADC, ROW_FL_S | W(IR_NZCV) | R(IR_C)),
    DP("sbc", "0110 ", "S ", "nnnn ", "dddd", DP_SBC, ROW_FL_S | W(IR_NZCV) | R(IR_C)),
    DP("rsc", "0111 ", "S ", "nnnn ", "dddd", DP_RSC, ROW_FL_S | W(IR_NZCV) | R(IR_C)),
    DP("tst", "1000 ", "1 ", "nnnn ", "0000", DP_TST, W(IR_NZ)),
    DP("teq", "1001 ", "1 ", "nnnn ", "0000", DP_TEQ, W(IR_NZ)),
    DP("cmp", "1010 ", "1 ", "nnnn ", "0000", DP_CMP, W(IR_NZCV)),
    DP("cmn", "1011 ", "1 ", "nnnn ", "0000", DP_CMN, W(IR_NZCV)),
    DP("orr", "1100 ", "S ", "nnnn ", "dddd", DP_ORR, ROW_FL_S | W(IR_NZ)),
    DP("mov", "1101 ", "S ", "0000 ", "dddd", DP_MOV, ROW_FL_S | W(IR_NZ)),
    DP("bic", "1110 ", "S ", "nnnn ", "dddd", DP_BIC, ROW_FL_S | W(IR_NZ)),
    DP("mvn", "1111 ", "S ", "0000 ", "dddd", DP_MVN, ROW_FL_S | W(IR_NZ)),
    {"movw", "cccc 0011 0000 iiii dddd iiiiiiiiiiii", tr_movw, SAFEX, 0},
    {"movt", "cccc 0011 0100 iiii dddd iiiiiiiiiiii", tr_movt, SAFEX, 0},

    /* status register access, hints, miscellaneous */
    {"hint", "cccc 0011 0010 0000 1111 ---- iiiiiiii", tr_hint, ROW_SYSTEM, 0},
    {"msr", "cccc 0011 0R10 kkkk 1111 iiiiiiiiiiii", tr_msr_imm, ROW_SYSTEM, 0},
    {"mrs", "cccc 0001 0R00 mmmm dddd 001M 0000 0000", tr_mrs_banked, ROW_SYSTEM, 0},
    {"mrs", "cccc 0001 0R00 1111 dddd 0000 0000 0000", tr_mrs, ROW_SYSTEM, 0},
    {"msr", "cccc 0001 0R10 mmmm 1111 001M 0000 nnnn", tr_msr_banked, ROW_SYSTEM, 0},
    {"msr", "cccc 0001 0R10 kkkk 1111 0000 0000 nnnn", tr_msr_reg, ROW_SYSTEM, 0},
    {"bx", "cccc 0001 0010 1111 1111 1111 0001 mmmm", tr_bx, ROW_BRANCH, 0},
    {"bxj", "cccc 0001 0010 1111 1111 1111 0010 mmmm", tr_bx, ROW_BRANCH, 0},
    {"blx", "cccc 0001 0010 1111 1111 1111 0011 mmmm", tr_bx, ROW_BRANCH, 1},
    {"clz", "cccc 0001 0110 1111 dddd 1111 0001 mmmm", tr_unary, SAFEX, IR_OP_CLZ},
    {"eret", "cccc 0001 0110 0000 0000 0000 0110 1110", tr_eret, ROW_SYSTEM | ROW_BRANCH, 0},
    {"qadd", "cccc 0001 0000 nnnn dddd 0000 0101 mmmm", tr_qadd, SAFEX, 0},
    {"qsub", "cccc 0001 0010 nnnn dddd 0000 0101 mmmm", tr_qadd, SAFEX, 1},
    {"qdadd", "cccc 0001 0100 nnnn dddd 0000 0101 mmmm", tr_qadd, SAFEX, 2},
    {"qdsub", "cccc 0001 0110 nnnn dddd 0000 0101 mmmm", tr_qadd, SAFEX, 3},
    {"bkpt", "cccc 0001 0010 iiii iiii iiii 0111 iiii", tr_bkpt, ROW_SYSTEM | ROW_NO_COND, 0},
    {"hvc", "cccc 0001 0100 iiii iiii iiii 0111 iiii", tr_hvc, ROW_SYSTEM, 0},
    {"smc", "cccc 0001 0110 0000 0000 0000 0111 iiii", tr_hvc, ROW_SYSTEM, 1},

    /* multiply */
    {"mul", "cccc 0000 000S dddd 0000 mmmm 1001 nnnn", tr_mul, SAFEX | ROW_FL_S | W(IR_NZ), 0},
    {"mla", "cccc 0000 001S dddd aaaa mmmm 1001 nnnn", tr_mul, SAFEX | ROW_FL_S | W(IR_NZ), 1},
    {"umaal", "cccc 0000 0100 hhhh llll mmmm 1001 nnnn", tr_umaal, SAFEX, 0},
    {"mls", "cccc 0000 0110 dddd aaaa mmmm 1001 nnnn", tr_mul, SAFEX, 2},
    {"umull", "cccc 0000 100S hhhh llll mmmm 1001 nnnn", tr_mull, SAFEX | ROW_FL_S | W(IR_NZ), IR_OP_UMULL},
    {"umlal", "cccc 0000 101S hhhh llll mmmm 1001 nnnn", tr_mull, SAFEX | ROW_FL_S | W(IR_NZ), IR_OP_UMLAL},
    {"smull", "cccc 0000 110S hhhh llll mmmm 1001 nnnn", tr_mull, SAFEX | ROW_FL_S | W(IR_NZ), IR_OP_SMULL},
    {"smlal", "cccc 0000 111S hhhh llll mmmm 1001 nnnn", tr_mull, SAFEX | ROW_FL_S | W(IR_NZ), IR_OP_SMLAL},
    {"smlaxy", "cccc 0001 0000 dddd aaaa mmmm 1MN0 nnnn", tr_smlaxy, SAFEX, 1},
    {"smlawy", "cccc 0001 0010 dddd aaaa mmmm 1M00 nnnn", tr_smlaw, SAFEX, 1},
    {"smulwy", "cccc 0001 0010 dddd 0000 mmmm 1M10 nnnn", tr_smlaw, SAFEX, 0},
    {"smlalxy", "cccc 0001 0100 hhhh llll mmmm 1MN0 nnnn", tr_smlalxy, SAFEX, 0},
    {"smulxy", "cccc 0001 0110 dddd 0000 mmmm 1MN0 nnnn", tr_smlaxy, SAFEX, 0},

    /* synchronisation */
    {"swp", "cccc 0001 0000 nnnn tttt 0000 1001 mmmm", tr_swp, ROW_MEM, 4},
    {"swpb", "cccc 0001 0100 nnnn tttt 0000 1001 mmmm", tr_swp, ROW_MEM, 1},
    {"strex", "cccc 0001 1000 nnnn dddd 1111 1001 tttt", tr_strex, MEM, 4},
    {"ldrex", "cccc 0001 1001 nnnn tttt 1111 1001 1111", tr_ldrex, MEM, 4},
    {"strexd", "cccc 0001 1010 nnnn dddd 1111 1001 tttt", tr_strex, MEM, 8},
    {"ldrexd", "cccc 0001 1011 nnnn tttt 1111 1001 1111", tr_ldrex, MEM, 8},
    {"strexb", "cccc 0001 1100 nnnn dddd 1111 1001 tttt", tr_strex, MEM, 1},
    {"ldrexb", "cccc 0001 1101 nnnn tttt 1111 1001 1111", tr_ldrex, MEM, 1},
    {"strexh", "cccc 0001 1110 nnnn dddd 1111 1001 tttt", tr_strex, MEM, 2},
    {"ldrexh", "cccc 0001 1111 nnnn tttt 1111 1001 1111", tr_ldrex, MEM, 2},

    /* loads and stores */
    LSX_USER("strh", "0", "01", 2 | LS_STORE),
    LSX_USER("ldrh", "1", "01", 2),
    LSX_USER("ldrsb", "1", "10", 1 | IR_MEM_SIGNED),
    LSX_USER("ldrsh", "1", "11", 2 | IR_MEM_SIGNED),
    LSX("strh", "0", "01", 2 | LS_STORE),
    LSX("ldrh", "1", "01", 2),
    LSX("ldrsb", "1", "10", 1 | IR_MEM_SIGNED),
    LSX("ldrsh", "1", "11", 2 | IR_MEM_SIGNED),
    LSX("ldrd", "0", "10", 4 | LS_DUAL),
    LSX("strd", "0", "11", 4 | LS_DUAL | LS_STORE),
    LS("str", "0", "0", 4 | LS_STORE),
    LS("ldr", "0", "1", 4),
    LS("strb", "1", "0", 1 | LS_STORE),
    LS("ldrb", "1", "1", 1),
    {"stm", "cccc 100P USW0 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, LS_STORE},
    {"ldm", "cccc 100P USW1 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, 0},

    /* media */
    PARALLEL("s", "001", 0),
    PARALLEL("q", "010", 1),
    PARALLEL("sh", "011", 2),
    PARALLEL("u", "101", 3),
    PARALLEL("uq", "110", 4),
    PARALLEL("uh", "111", 5),
    {"pkh", "cccc 0110 1000 nnnn dddd iiiii T01 mmmm", tr_pkh, SAFEX, 0},
    {"sel", "cccc 0110 1000 nnnn dddd 1111 1011 mmmm", tr_sel, SAFEX, 0},
    {"ssat16", "cccc 0110 1010 ssss dddd 1111 0011 nnnn", tr_sat16, SAFEX, 0},
    {"usat16", "cccc 0110 1110 ssss dddd 1111 0011 nnnn", tr_sat16, SAFEX, 1},
    {"ssat", "cccc 0110 101s ssss dddd iiiii Y01 nnnn", tr_sat, SAFEX, 0},
    {"usat", "cccc 0110 111s ssss dddd iiiii Y01 nnnn", tr_sat, SAFEX, 1},
    {"sxtab16", "cccc 0110 1000 nnnn dddd rr00 0111 mmmm", tr_extend16, SAFEX, IR_OP_SXTB},
    {"sxtab", "cccc 0110 1010 nnnn dddd rr00 0111 mmmm", tr_extend, SAFEX, IR_OP_SXTB},
    {"sxtah", "cccc 0110 1011 nnnn dddd rr00 0111 mmmm", tr_extend, SAFEX, IR_OP_SXTH},
    {"uxtab16", "cccc 0110 1100 nnnn dddd rr00 0111 mmmm", tr_extend16, SAFEX, IR_OP_UXTB},
    {"uxtab", "cccc 0110 1110 nnnn dddd rr00 0111 mmmm", tr_extend, SAFEX, IR_OP_UXTB},
    {"uxtah", "cccc 0110 1111 nnnn dddd rr00 0111 mmmm", tr_extend, SAFEX, IR_OP_UXTH},
    {"rev", "cccc 0110 1011 1111 dddd 1111 0011 mmmm", tr_unary, SAFEX, IR_OP_REV},
    {"rev16", "cccc 0110 1011 1111 dddd 1111 1011 mmmm", tr_unary, SAFEX, IR_OP_REV16},
    {"rbit", "cccc 0110 1111 1111 dddd 1111 0011 mmmm", tr_unary, SAFEX, IR_OP_RBIT},
    {"revsh", "cccc 0110 1111 1111 dddd 1111 1011 mmmm", tr_unary, SAFEX, IR_OP_REVSH},
    {"smlad", "cccc 0111 0000 dddd aaaa mmmm 00M1 nnnn", tr_smlad, SAFEX, 0},
    {"smlsd", "cccc 0111 0000 dddd aaaa mmmm 01M1 nnnn", tr_smlad, SAFEX, 1},
    {"sdiv", "cccc 0111 0001 dddd 1111 mmmm 0001 nnnn", tr_div, SAFEX, IR_OP_SDIV},
    {"udiv", "cccc 0111 0011 dddd 1111 mmmm 0001 nnnn", tr_div, SAFEX, IR_OP_UDIV},
    {"smlald", "cccc 0111 0100 hhhh llll mmmm 00M1 nnnn", tr_smlald, SAFEX, 0},
    {"smlsld", "cccc 0111 0100 hhhh llll mmmm 01M1 nnnn", tr_smlald, SAFEX, 1},
    {"smmla", "cccc 0111 0101 dddd aaaa mmmm 00R1 nnnn", tr_smmla, SAFEX, 0},
    {"smmls", "cccc 0111 0101 dddd aaaa mmmm 11R1 nnnn", tr_smmla, SAFEX, 1},
    {"usada8", "cccc 0111 1000 dddd aaaa mmmm 0001 nnnn", tr_usad8, SAFEX, 0},
    {"sbfx", "cccc 0111 101w wwww dddd iiiii 101 nnnn", tr_bitfield_extract, SAFEX, IR_OP_SBFX},
    {"ubfx", "cccc 0111 111w wwww dddd iiiii 101 nnnn", tr_bitfield_extract, SAFEX, IR_OP_UBFX},
    {"bfi", "cccc 0111 110s ssss dddd iiiii 001 nnnn", tr_bitfield_insert, SAFEX, 0},
    {"udf", "cccc 0111 1111 iiii iiii iiii 1111 iiii", tr_undef, ROW_UNDEF, 0},

    /* branches, supervisor call, coprocessors */
    {"b", "cccc 1010 iiiiiiiiiiiiiiiiiiiiiiii", tr_b, ROW_BRANCH | ROW_OWN_COND, 0},
    {"bl", "cccc 1011 iiiiiiiiiiiiiiiiiiiiiiii", tr_bl, ROW_BRANCH, 0},
    {"svc", "cccc 1111 iiiiiiiiiiiiiiiiiiiiiiii", tr_svc, ROW_SYSTEM, 0},
    {"mcrr", "cccc 1100 0100 vvvv tttt pppp oooo mmmm", tr_mcrr, ROW_SYSTEM, 0},
    {"mrrc", "cccc 1100 0101 vvvv tttt pppp oooo mmmm", tr_mrrc, ROW_SYSTEM, 0},
    {"ldc", "cccc 1100 000- ---- ---- ---- --------", tr_undef, ROW_UNDEF, 0},
    {"stc", "cccc 110P UDW0 nnnn dddd pppp iiiiiiii", tr_ldc, ROW_SYSTEM | ROW_MEM, LS_STORE},
    {"ldc", "cccc 110P UDW1 nnnn dddd pppp iiiiiiii", tr_ldc, ROW_SYSTEM | ROW_MEM, 0},
    {"cdp", "cccc 1110 oooo nnnn dddd pppp uuu0 mmmm", tr_undef, ROW_UNDEF, 0},
    {"mcr", "cccc 1110 ooo0 nnnn tttt pppp uuu1 mmmm", tr_mcr, ROW_SYSTEM, 0},
    {"mrc", "cccc 1110 ooo1 nnnn tttt pppp uuu1 mmmm", tr_mrc, ROW_SYSTEM, 0},

    /* unconditional space; coprocessor accesses here (MCR2, LDC2...) have no register on this processor */
    {"cps", "1111 0001 0000 ooM0 0000 000A IF0m mmmm", tr_cps, ROW_SYSTEM, 0},
    {"setend", "1111 0001 0000 0001 0000 00E0 0000 0000", tr_setend, ROW_SYSTEM, 0},
    {"hintmem", "1111 0100 -001 ---- ---- ---- ---- ----", tr_nop, ROW_FL_KNOWN, 0},
    {"pli", "1111 0100 U101 nnnn 1111 iiii iiii iiii", tr_nop, ROW_FL_KNOWN, 0},
    {"pld", "1111 0101 UR01 nnnn 1111 iiii iiii iiii", tr_nop, ROW_FL_KNOWN, 0},
    {"hintmem", "1111 0110 -001 ---- ---- ---- ---0 ----", tr_nop, ROW_FL_KNOWN, 0},
    {"pli", "1111 0110 U101 nnnn 1111 iiii iyy0 mmmm", tr_nop, ROW_FL_KNOWN, 0},
    {"pld", "1111 0111 UR01 nnnn 1111 iiii iyy0 mmmm", tr_nop, ROW_FL_KNOWN, 0},
    {"clrex", "1111 0101 0111 1111 1111 0000 0001 1111", tr_clrex, ROW_FL_KNOWN, 0},
    {"dsb", "1111 0101 0111 1111 1111 0000 0100 oooo", tr_dsb, ROW_FL_KNOWN, 0},
    {"dmb", "1111 0101 0111 1111 1111 0000 0101 oooo", tr_nop, ROW_FL_KNOWN, 0},
    {"isb", "1111 0101 0111 1111 1111 0000 0110 oooo", tr_isb, 0, 0},
    {"srs", "1111 100P U1W0 1101 0000 0101 000m mmmm", tr_srs, ROW_SYSTEM | ROW_MEM, 0},
    {"rfe", "1111 100P U0W1 nnnn 0000 1010 0000 0000", tr_rfe, ROW_SYSTEM | ROW_MEM | ROW_BRANCH, 0},
    {"blx", "1111 101H iiii iiii iiii iiii iiii iiii", tr_blx_imm, ROW_BRANCH, 0},
    {"cp2", "1111 110- ---- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
    {"cp2", "1111 1110 ---- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
};
const unsigned arm_a32_row_count = ARRAY_LEN(arm_a32_rows);
