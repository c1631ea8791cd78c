/*
 * table_t32.c: the 32-bit Thumb encodings (ARM DDI 0406C section A6.3), first halfword in the high half. The coprocessor 10/11 and Advanced
 * SIMD spaces are mapped onto their A32 rows by the decoder.
 *
 * Should-be-zero and should-be-one bits are fixed where QEMU fixes them: other words are UNPREDICTABLE, and undefined here as there.
 */
#include <arch/arm/translate_int.h>

#define SAFE  (ROW_USER_SAFE | ROW_FL_KNOWN)
#define SAFEX (SAFE | ROW_SP_PC)
#define MEM   (ROW_MEM | ROW_FL_KNOWN)
#define W(f)  ROW_FL_WRITES(f)
#define R(f)  ROW_FL_READS(f)

/* A data-processing operation: modified immediate and shifted register. */
#define DP(name, opc, s, n, d, op, flags)                                                                                                            \
    {name, "11110 i 0 " opc s n " 0 iii " d " iiiiiiii", tr_dp_imm, SAFEX | (flags), op},                                                            \
    {name, "11101 01 " opc s n " 0 iii " d " ii yy mmmm", tr_dp_shift, SAFEX | (flags), op}

/* Load or store single: 12-bit offset, 8-bit offset with unprivileged and indexed forms, register offset. */
#define LS(name, sign, size, l, arg)                                                                                                                 \
    {name, "1111 100 " sign " 1 " size l " nnnn tttt iiiiiiiiiiii", tr_ls_imm, MEM, (arg) | LS_OFFSET},                                               \
    {name "t", "1111 100 " sign " 0 " size l " nnnn tttt 1110 iiiiiiii", tr_ls_imm, MEM, (arg) | LS_OFFSET | IR_MEM_USER},                            \
    {name, "1111 100 " sign " 0 " size l " nnnn tttt 1PUW iiiiiiii", tr_ls_imm, MEM, arg},                                                           \
    {name, "1111 100 " sign " 0 " size l " nnnn tttt 000000 ii mmmm", tr_ls_reg, MEM, (arg) | LS_OFFSET}
#define LITERAL(name, sign, size, arg)                                                                                                               \
    {name, "1111 100 " sign " U " size "1 1111 tttt iiiiiiiiiiii", tr_ls_lit, MEM, arg}
/* Loads to r15 of bytes and halfwords are memory hints. */
#define HINT(name, sign, size)                                                                                                                       \
    {name, "1111 100 " sign " U " size "1 1111 1111 iiiiiiiiiiii", tr_nop, ROW_FL_KNOWN, 0},                                                         \
    {name, "1111 100 " sign " 1 " size "1 nnnn 1111 iiiiiiiiiiii", tr_nop, ROW_FL_KNOWN, 0},                                                         \
    {name, "1111 100 " sign " 0 " size "1 nnnn 1111 1100 iiiiiiii", tr_nop, ROW_FL_KNOWN, 0},                                                        \
    {name, "1111 100 " sign " 0 " size "1 nnnn 1111 000000 ii mmmm", tr_nop, ROW_FL_KNOWN, 0}

/* The six parallel operations under one prefix; arg = prefix * 6 + operation, as translate_media.c has it. */
#define PARALLEL(p, bits, k)                                                                                                                         \
    {p "add16", "1111 1010 1001 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 0},                                                     \
    {p "asx", "1111 1010 1010 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 1},                                                       \
    {p "sax", "1111 1010 1110 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 2},                                                       \
    {p "sub16", "1111 1010 1101 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 3},                                                     \
    {p "add8", "1111 1010 1000 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 4},                                                      \
    {p "sub8", "1111 1010 1100 nnnn 1111 dddd 0 " bits " mmmm", tr_parallel, SAFEX, (k)*6 + 5}

const struct arm_row arm_t32_rows[] = {
    /* load/store multiple, exception return and save */
    {"srs", "1110 1000 00W0 1101 1100 0000 000m mmmm", tr_srs, ROW_SYSTEM | ROW_MEM, LS_DEC | LS_BEFORE},
    {"rfe", "1110 1000 00W1 nnnn 1100 0000 0000 0000", tr_rfe, ROW_SYSTEM | ROW_MEM | ROW_BRANCH, LS_DEC | LS_BEFORE},
    {"stm", "1110 1000 10W0 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, LS_STORE},
    {"ldm", "1110 1000 10W1 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, 0},
    {"stmdb", "1110 1001 00W0 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, LS_STORE | LS_DEC | LS_BEFORE},
    {"ldmdb", "1110 1001 00W1 nnnn rrrrrrrrrrrrrrrr", tr_ldstm, MEM, LS_DEC | LS_BEFORE},
    {"srs", "1110 1001 10W0 1101 1100 0000 000m mmmm", tr_srs, ROW_SYSTEM | ROW_MEM, 0},
    {"rfe", "1110 1001 10W1 nnnn 1100 0000 0000 0000", tr_rfe, ROW_SYSTEM | ROW_MEM | ROW_BRANCH, 0},

    /* exclusives, table branch, load/store dual */
    {"strex", "1110 1000 0100 nnnn tttt dddd iiiiiiii", tr_strex, MEM, 4},
    {"ldrex", "1110 1000 0101 nnnn tttt 1111 iiiiiiii", tr_ldrex, MEM, 4},
    {"strexb", "1110 1000 1100 nnnn tttt 1111 0100 dddd", tr_strex, MEM, 1},
    {"strexh", "1110 1000 1100 nnnn tttt 1111 0101 dddd", tr_strex, MEM, 2},
    {"strexd", "1110 1000 1100 nnnn tttt vvvv 0111 dddd", tr_strex, MEM, 8},
    {"tbb", "1110 1000 1101 nnnn 1111 0000 000H mmmm", tr_tbb, ROW_BRANCH | ROW_MEM, 0},
    {"ldrexb", "1110 1000 1101 nnnn tttt 1111 0100 1111", tr_ldrex, MEM, 1},
    {"ldrexh", "1110 1000 1101 nnnn tttt 1111 0101 1111", tr_ldrex, MEM, 2},
    {"ldrexd", "1110 1000 1101 nnnn tttt vvvv 0111 1111", tr_ldrex, MEM, 8},
    {"ldrd?", "1110 1000 -10- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
    {"strd", "1110 100P U1W0 nnnn tttt vvvv iiiiiiii", tr_ls_imm, MEM, 4 | LS_DUAL | LS_STORE | LS_SCALE(2)},
    {"ldrd", "1110 100P U1W1 nnnn tttt vvvv iiiiiiii", tr_ls_imm, MEM, 4 | LS_DUAL | LS_SCALE(2)},

    /* data processing: modified immediate, shifted register */
    DP("tst", "0000 ", "1 ", "nnnn", "1111", DP_TST, W(IR_NZ)),
    DP("and", "0000 ", "S ", "nnnn", "dddd", DP_AND, ROW_FL_S | W(IR_NZ)),
    DP("bic", "0001 ", "S ", "nnnn", "dddd", DP_BIC, ROW_FL_S | W(IR_NZ)),
    DP("mov", "0010 ", "S ", "1111", "dddd", DP_MOV, ROW_FL_S | W(IR_NZ)),
    DP("orr", "0010 ", "S ", "nnnn", "dddd", DP_ORR, ROW_FL_S | W(IR_NZ)),
    DP("mvn", "0011 ", "S ", "1111", "dddd", DP_MVN, ROW_FL_S | W(IR_NZ)),
    DP("orn", "0011 ", "S ", "nnnn", "dddd", DP_ORN, ROW_FL_S | W(IR_NZ)),
    DP("teq", "0100 ", "1 ", "nnnn", "1111", DP_TEQ, W(IR_NZ)),
    DP("eor", "0100 ", "S ", "nnnn", "dddd", DP_EOR, ROW_FL_S | W(IR_NZ)),
    {"pkh", "11101 01 0110 0 nnnn 0 iii dddd ii T 0 mmmm", tr_pkh, SAFEX, 0},
    DP("cmn", "1000 ", "1 ", "nnnn", "1111", DP_CMN, W(IR_NZCV)),
    DP("add", "1000 ", "S ", "nnnn", "dddd", DP_ADD, ROW_FL_S | W(IR_NZCV)),
    DP("adc", "1010 ", "S ", "nnnn", "dddd", DP_ADC, ROW_FL_S | W(IR_NZCV) | R(IR_C)),
    DP("sbc", "1011 ", "S ", "nnnn", "dddd", DP_SBC, ROW_FL_S | W(IR_NZCV) | R(IR_C)),
    DP("cmp", "1101 ", "1 ", "nnnn", "1111", DP_CMP, W(IR_NZCV)),
    DP("sub", "1101 ", "S ", "nnnn", "dddd", DP_SUB, ROW_FL_S | W(IR_NZCV)),
    DP("rsb", "1110 ", "S ", "nnnn", "dddd", DP_RSB, ROW_FL_S | W(IR_NZCV)),

    /* data processing: plain binary immediate */
    {"adr", "11110 i 1 0000 0 1111 0 iii dddd iiiiiiii", tr_adr, SAFEX, 0},
    {"addw", "11110 i 1 0000 0 nnnn 0 iii dddd iiiiiiii", tr_dp_imm, SAFEX, DP_ADD | DP_RAW},
    {"movw", "11110 j 1 0010 0 kkkk 0 iii dddd iiiiiiii", tr_movw, SAFEX, 0},
    {"adr", "11110 i 1 0101 0 1111 0 iii dddd iiiiiiii", tr_adr, SAFEX, DP_NEG},
    {"subw", "11110 i 1 0101 0 nnnn 0 iii dddd iiiiiiii", tr_dp_imm, SAFEX, DP_SUB | DP_RAW},
    {"movt", "11110 j 1 0110 0 kkkk 0 iii dddd iiiiiiii", tr_movt, SAFEX, 0},
    {"ssat16", "11110 0 1 1001 0 nnnn 0 000 dddd 00 0 sssss", tr_sat16, SAFEX, 0},
    {"ssat", "11110 0 1 100Y 0 nnnn 0 iii dddd ii 0 sssss", tr_sat, SAFEX, 0},
    {"sbfx", "11110 0 1 1010 0 nnnn 0 iii dddd ii 0 wwwww", tr_bitfield_extract, SAFEX, IR_OP_SBFX},
    {"bfi", "11110 0 1 1011 0 nnnn 0 iii dddd ii 0 sssss", tr_bitfield_insert, SAFEX, 0},
    {"usat16", "11110 0 1 1101 0 nnnn 0 000 dddd 00 0 sssss", tr_sat16, SAFEX, 1},
    {"usat", "11110 0 1 110Y 0 nnnn 0 iii dddd ii 0 sssss", tr_sat, SAFEX, 1},
    {"ubfx", "11110 0 1 1110 0 nnnn 0 iii dddd ii 0 wwwww", tr_bitfield_extract, SAFEX, IR_OP_UBFX},

    /* branches and miscellaneous control */
    {"msr", "11110 0 11100 R nnnn 1000 mmmm 001M 0000", tr_msr_banked, ROW_SYSTEM, 0},
    {"msr", "11110 0 11100 R nnnn 1000 kkkk 0000 0000", tr_msr_reg, ROW_SYSTEM, 0},
    {"hint", "11110 0 111010 1111 1000 0 000 iiiiiiii", tr_hint, ROW_SYSTEM, 0},
    {"cps", "11110 0 111010 1111 1000 0 oo M A I F mmmmm", tr_cps, ROW_SYSTEM, 0},
    {"clrex", "11110 0 111011 1111 1000 1111 0010 1111", tr_clrex, ROW_FL_KNOWN, 0},
    {"dsb", "11110 0 111011 1111 1000 1111 0100 oooo", tr_dsb, ROW_FL_KNOWN, 0},
    {"dmb", "11110 0 111011 1111 1000 1111 0101 oooo", tr_nop, ROW_FL_KNOWN, 0},
    {"isb", "11110 0 111011 1111 1000 1111 0110 oooo", tr_isb, 0, 0},
    {"bxj", "11110 0 111100 mmmm 1000 1111 0000 0000", tr_bx, ROW_BRANCH, 0},
    {"subs", "11110 0 111101 1110 1000 1111 iiiiiiii", tr_subs_pc, ROW_SYSTEM | ROW_BRANCH, 0},
    {"mrs", "11110 0 11111 R mmmm 1000 dddd 001M 0000", tr_mrs_banked, ROW_SYSTEM, 0},
    {"mrs", "11110 0 11111 R 1111 1000 dddd 0000 0000", tr_mrs, ROW_SYSTEM, 0},
    {"hvc", "11110 1 111110 iiii 1000 iiiiiiiiiiii", tr_hvc, ROW_SYSTEM, 0},
    {"smc", "11110 1 111111 iiii 1000 000000000000", tr_hvc, ROW_SYSTEM, 1},
    {"udf", "11110 1 111111 iiii 1010 iiiiiiiiiiii", tr_undef, ROW_UNDEF, 0},
    {"b?", "11110 - 111- ------ 10-0 ------------", tr_undef, ROW_UNDEF, 0},
    {"b", "11110 S cccc iiiiii 10 J 0 K iiiiiiiiiii", tr_b, ROW_BRANCH | ROW_OWN_COND, 3},
    {"b", "11110 S iiiiiiiiii 10 J 1 K iiiiiiiiiii", tr_b, ROW_BRANCH | ROW_OWN_COND, 4},
    {"bl", "11110 S iiiiiiiiii 11 J 1 K iiiiiiiiiii", tr_bl, ROW_BRANCH, 0},
    {"blx", "11110 S iiiiiiiiii 11 J 0 K iiiiiiiiii 0", tr_blx_imm, ROW_BRANCH, 0},

    /* load/store single; stores relative to the pc, and P = W = 0 in the 8-bit offset forms are undefined */
    {"st?", "1111 1000 ---0 1111 ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
    HINT("pld", "0", "00"),
    HINT("pldw", "0", "01"),
    HINT("pli", "1", "00"),
    HINT("hintmem", "1", "01"),
    LITERAL("ldrb", "0", "00", 1),
    LITERAL("ldrh", "0", "01", 2),
    LITERAL("ldr", "0", "10", 4),
    LITERAL("ldrsb", "1", "00", 1 | IR_MEM_SIGNED),
    LITERAL("ldrsh", "1", "01", 2 | IR_MEM_SIGNED),
    {"ls?", "1111 100- 0--- ---- ---- 10-0 ---- ----", tr_undef, ROW_UNDEF, 0},
    LS("strb", "0", "00", "0", 1 | LS_STORE),
    LS("strh", "0", "01", "0", 2 | LS_STORE),
    LS("str", "0", "10", "0", 4 | LS_STORE),
    LS("ldrb", "0", "00", "1", 1),
    LS("ldrh", "0", "01", "1", 2),
    LS("ldr", "0", "10", "1", 4),
    LS("ldrsb", "1", "00", "1", 1 | IR_MEM_SIGNED),
    LS("ldrsh", "1", "01", "1", 2 | IR_MEM_SIGNED),

    /* data processing: register */
    {"shift", "1111 1010 0yyS nnnn 1111 dddd 0000 mmmm", tr_shift_reg, SAFEX | ROW_FL_S | W(IR_NZ), 4},
    {"sxtah", "1111 1010 0000 nnnn 1111 dddd 10rr mmmm", tr_extend, SAFEX, IR_OP_SXTH},
    {"uxtah", "1111 1010 0001 nnnn 1111 dddd 10rr mmmm", tr_extend, SAFEX, IR_OP_UXTH},
    {"sxtab16", "1111 1010 0010 nnnn 1111 dddd 10rr mmmm", tr_extend16, SAFEX, IR_OP_SXTB},
    {"uxtab16", "1111 1010 0011 nnnn 1111 dddd 10rr mmmm", tr_extend16, SAFEX, IR_OP_UXTB},
    {"sxtab", "1111 1010 0100 nnnn 1111 dddd 10rr mmmm", tr_extend, SAFEX, IR_OP_SXTB},
    {"uxtab", "1111 1010 0101 nnnn 1111 dddd 10rr mmmm", tr_extend, SAFEX, IR_OP_UXTB},
    PARALLEL("s", "000", 0),
    PARALLEL("q", "001", 1),
    PARALLEL("sh", "010", 2),
    PARALLEL("u", "100", 3),
    PARALLEL("uq", "101", 4),
    PARALLEL("uh", "110", 5),
    {"qadd", "1111 1010 1000 nnnn 1111 dddd 1000 mmmm", tr_qadd, SAFEX, 0},
    {"qdadd", "1111 1010 1000 nnnn 1111 dddd 1001 mmmm", tr_qadd, SAFEX, 2},
    {"qsub", "1111 1010 1000 nnnn 1111 dddd 1010 mmmm", tr_qadd, SAFEX, 1},
    {"qdsub", "1111 1010 1000 nnnn 1111 dddd 1011 mmmm", tr_qadd, SAFEX, 3},
    {"rev", "1111 1010 1001 ---- 1111 dddd 1000 mmmm", tr_unary, SAFEX, IR_OP_REV},
    {"rev16", "1111 1010 1001 ---- 1111 dddd 1001 mmmm", tr_unary, SAFEX, IR_OP_REV16},
    {"rbit", "1111 1010 1001 ---- 1111 dddd 1010 mmmm", tr_unary, SAFEX, IR_OP_RBIT},
    {"revsh", "1111 1010 1001 ---- 1111 dddd 1011 mmmm", tr_unary, SAFEX, IR_OP_REVSH},
    {"sel", "1111 1010 1010 nnnn 1111 dddd 1000 mmmm", tr_sel, SAFEX, 0},
    {"clz", "1111 1010 1011 ---- 1111 dddd 1000 mmmm", tr_unary, SAFEX, IR_OP_CLZ},

    /* multiply, divide */
    {"mul", "1111 1011 0000 nnnn 1111 dddd 0000 mmmm", tr_mul, SAFEX, 0},
    {"mla", "1111 1011 0000 nnnn aaaa dddd 0000 mmmm", tr_mul, SAFEX, 1},
    {"mls", "1111 1011 0000 nnnn aaaa dddd 0001 mmmm", tr_mul, SAFEX, 2},
    {"smulxy", "1111 1011 0001 nnnn 1111 dddd 00NM mmmm", tr_smlaxy, SAFEX, 0},
    {"smlaxy", "1111 1011 0001 nnnn aaaa dddd 00NM mmmm", tr_smlaxy, SAFEX, 1},
    {"smlad", "1111 1011 0010 nnnn aaaa dddd 000M mmmm", tr_smlad, SAFEX, 0},
    {"smulwy", "1111 1011 0011 nnnn 1111 dddd 000M mmmm", tr_smlaw, SAFEX, 0},
    {"smlawy", "1111 1011 0011 nnnn aaaa dddd 000M mmmm", tr_smlaw, SAFEX, 1},
    {"smlsd", "1111 1011 0100 nnnn aaaa dddd 000M mmmm", tr_smlad, SAFEX, 1},
    {"smmla", "1111 1011 0101 nnnn aaaa dddd 000R mmmm", tr_smmla, SAFEX, 0},
    {"smmls", "1111 1011 0110 nnnn aaaa dddd 000R mmmm", tr_smmla, SAFEX, 1},
    {"usada8", "1111 1011 0111 nnnn aaaa dddd 0000 mmmm", tr_usad8, SAFEX, 0},
    {"smull", "1111 1011 1000 nnnn llll hhhh 0000 mmmm", tr_mull, SAFEX, IR_OP_SMULL},
    {"sdiv", "1111 1011 1001 nnnn 1111 dddd 1111 mmmm", tr_div, SAFEX, IR_OP_SDIV},
    {"umull", "1111 1011 1010 nnnn llll hhhh 0000 mmmm", tr_mull, SAFEX, IR_OP_UMULL},
    {"udiv", "1111 1011 1011 nnnn 1111 dddd 1111 mmmm", tr_div, SAFEX, IR_OP_UDIV},
    {"smlal", "1111 1011 1100 nnnn llll hhhh 0000 mmmm", tr_mull, SAFEX, IR_OP_SMLAL},
    {"smlalxy", "1111 1011 1100 nnnn llll hhhh 10NM mmmm", tr_smlalxy, SAFEX, 0},
    {"smlald", "1111 1011 1100 nnnn llll hhhh 110M mmmm", tr_smlald, SAFEX, 0},
    {"smlsld", "1111 1011 1101 nnnn llll hhhh 110M mmmm", tr_smlald, SAFEX, 1},
    {"umlal", "1111 1011 1110 nnnn llll hhhh 0000 mmmm", tr_mull, SAFEX, IR_OP_UMLAL},
    {"umaal", "1111 1011 1110 nnnn llll hhhh 0110 mmmm", tr_umaal, SAFEX, 0},

    /* coprocessors */
    {"mcrr", "1110 1100 0100 vvvv tttt pppp oooo mmmm", tr_mcrr, ROW_SYSTEM, 0},
    {"mrrc", "1110 1100 0101 vvvv tttt pppp oooo mmmm", tr_mrrc, ROW_SYSTEM, 0},
    {"ldc", "1110 1100 000- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
    {"stc", "1110 110P UDW0 nnnn dddd pppp iiiiiiii", tr_ldc, ROW_SYSTEM | ROW_MEM, LS_STORE},
    {"ldc", "1110 110P UDW1 nnnn dddd pppp iiiiiiii", tr_ldc, ROW_SYSTEM | ROW_MEM, 0},
    {"cdp", "1110 1110 oooo nnnn dddd pppp uuu0 mmmm", tr_undef, ROW_UNDEF, 0},
    {"mcr", "1110 1110 ooo0 nnnn tttt pppp uuu1 mmmm", tr_mcr, ROW_SYSTEM, 0},
    {"mrc", "1110 1110 ooo1 nnnn tttt pppp uuu1 mmmm", tr_mrc, ROW_SYSTEM, 0},
    {"cp2", "1111 110- ---- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
    {"cp2", "1111 1110 ---- ---- ---- ---- ---- ----", tr_undef, ROW_UNDEF, 0},
};
const unsigned arm_t32_row_count = ARRAY_LEN(arm_t32_rows);
