/*
 * table_t16.c: the 16-bit Thumb encodings (ARM DDI 0406C section A6.2).
 */
#include <arch/arm/translate_int.h>

#define SAFE (ROW_USER_SAFE | ROW_FL_KNOWN)
#define MEM  (ROW_MEM | ROW_FL_KNOWN)
#define W(f) (ROW_FL_IT | ROW_FL_WRITES(f)) /* flags are set outside IT blocks only */
#define R(f) ROW_FL_READS(f)

const struct arm_row arm_t16_rows[] = {
    /* shift (immediate), add, subtract, move, compare */
    {"add", "000 11 00 mmm nnn ddd", tr_dp_shift, SAFE | W(IR_NZCV), DP_ADD | DP_IT},
    {"sub", "000 11 01 mmm nnn ddd", tr_dp_shift, SAFE | W(IR_NZCV), DP_SUB | DP_IT},
    {"add", "000 11 10 iii nnn ddd", tr_dp_imm, SAFE | W(IR_NZCV), DP_ADD | DP_IT | DP_RAW},
    {"sub", "000 11 11 iii nnn ddd", tr_dp_imm, SAFE | W(IR_NZCV), DP_SUB | DP_IT | DP_RAW},
    {"shift", "000 yy iiiii mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_MOV | DP_IT},
    {"mov", "001 00 ddd iiiiiiii", tr_dp_imm, SAFE | W(IR_NZ), DP_MOV | DP_IT | DP_RAW},
    {"cmp", "001 01 nnn iiiiiiii", tr_dp_imm, SAFE | ROW_FL_WRITES(IR_NZCV), DP_CMP | DP_RAW},
    {"add", "001 10 ddd iiiiiiii", tr_dp_imm, SAFE | W(IR_NZCV), DP_ADD | DP_IT | DP_NEQD | DP_RAW},
    {"sub", "001 11 ddd iiiiiiii", tr_dp_imm, SAFE | W(IR_NZCV), DP_SUB | DP_IT | DP_NEQD | DP_RAW},

    /* data processing */
    {"and", "010000 0000 mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_AND | DP_IT | DP_NEQD},
    {"eor", "010000 0001 mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_EOR | DP_IT | DP_NEQD},
    {"lsl", "010000 0010 mmm ddd", tr_shift_reg, SAFE | W(IR_NZ), IR_LSL | DP_IT | DP_NEQD},
    {"lsr", "010000 0011 mmm ddd", tr_shift_reg, SAFE | W(IR_NZ), IR_LSR | DP_IT | DP_NEQD},
    {"asr", "010000 0100 mmm ddd", tr_shift_reg, SAFE | W(IR_NZ), IR_ASR | DP_IT | DP_NEQD},
    {"adc", "010000 0101 mmm ddd", tr_dp_shift, SAFE | W(IR_NZCV) | R(IR_C), DP_ADC | DP_IT | DP_NEQD},
    {"sbc", "010000 0110 mmm ddd", tr_dp_shift, SAFE | W(IR_NZCV) | R(IR_C), DP_SBC | DP_IT | DP_NEQD},
    {"ror", "010000 0111 mmm ddd", tr_shift_reg, SAFE | W(IR_NZ), IR_ROR | DP_IT | DP_NEQD},
    {"tst", "010000 1000 mmm nnn", tr_dp_shift, SAFE | ROW_FL_WRITES(IR_NZ), DP_TST},
    {"rsb", "010000 1001 nnn ddd", tr_dp_imm, SAFE | W(IR_NZCV), DP_RSB | DP_IT | DP_RAW},
    {"cmp", "010000 1010 mmm nnn", tr_dp_shift, SAFE | ROW_FL_WRITES(IR_NZCV), DP_CMP},
    {"cmn", "010000 1011 mmm nnn", tr_dp_shift, SAFE | ROW_FL_WRITES(IR_NZCV), DP_CMN},
    {"orr", "010000 1100 mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_ORR | DP_IT | DP_NEQD},
    {"mul", "010000 1101 nnn ddd", tr_mul, SAFE | W(IR_NZ), 0 | DP_IT | DP_NEQD},
    {"bic", "010000 1110 mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_BIC | DP_IT | DP_NEQD},
    {"mvn", "010000 1111 mmm ddd", tr_dp_shift, SAFE | W(IR_NZ), DP_MVN | DP_IT},

    /* special data, branch and exchange */
    {"add", "010001 00 d mmmm ddd", tr_dp_shift, SAFE, DP_ADD | DP_NEQD},
    {"cmp", "010001 01 n mmmm nnn", tr_dp_shift, SAFE | ROW_FL_WRITES(IR_NZCV), DP_CMP},
    {"mov", "010001 10 d mmmm ddd", tr_dp_shift, SAFE, DP_MOV},
    {"bx", "010001 110 mmmm 000", tr_bx, ROW_BRANCH, 0},
    {"blx", "010001 111 mmmm 000", tr_bx, ROW_BRANCH, 1},

    /* loads and stores */
    {"ldr", "01001 ttt iiiiiiii", tr_ls_lit, MEM, 4 | LS_OFFSET | LS_SCALE(2)},
    {"str", "0101 000 mmm nnn ttt", tr_ls_reg, MEM, 4 | LS_OFFSET | LS_STORE},
    {"strh", "0101 001 mmm nnn ttt", tr_ls_reg, MEM, 2 | LS_OFFSET | LS_STORE},
    {"strb", "0101 010 mmm nnn ttt", tr_ls_reg, MEM, 1 | LS_OFFSET | LS_STORE},
    {"ldrsb", "0101 011 mmm nnn ttt", tr_ls_reg, MEM, 1 | IR_MEM_SIGNED | LS_OFFSET},
    {"ldr", "0101 100 mmm nnn ttt", tr_ls_reg, MEM, 4 | LS_OFFSET},
    {"ldrh", "0101 101 mmm nnn ttt", tr_ls_reg, MEM, 2 | LS_OFFSET},
    {"ldrb", "0101 110 mmm nnn ttt", tr_ls_reg, MEM, 1 | LS_OFFSET},
    {"ldrsh", "0101 111 mmm nnn ttt", tr_ls_reg, MEM, 2 | IR_MEM_SIGNED | LS_OFFSET},
    {"str", "01100 iiiii nnn ttt", tr_ls_imm, MEM, 4 | LS_OFFSET | LS_STORE | LS_SCALE(2)},
    {"ldr", "01101 iiiii nnn ttt", tr_ls_imm, MEM, 4 | LS_OFFSET | LS_SCALE(2)},
    {"strb", "01110 iiiii nnn ttt", tr_ls_imm, MEM, 1 | LS_OFFSET | LS_STORE},
    {"ldrb", "01111 iiiii nnn ttt", tr_ls_imm, MEM, 1 | LS_OFFSET},
    {"strh", "10000 iiiii nnn ttt", tr_ls_imm, MEM, 2 | LS_OFFSET | LS_STORE | LS_SCALE(1)},
    {"ldrh", "10001 iiiii nnn ttt", tr_ls_imm, MEM, 2 | LS_OFFSET | LS_SCALE(1)},
    {"str", "10010 ttt iiiiiiii", tr_ls_imm, MEM, 4 | LS_OFFSET | LS_STORE | LS_SCALE(2) | LS_SP},
    {"ldr", "10011 ttt iiiiiiii", tr_ls_imm, MEM, 4 | LS_OFFSET | LS_SCALE(2) | LS_SP},

    /* addresses, stack */
    {"adr", "10100 ddd iiiiiiii", tr_adr, SAFE, DP_X4},
    {"add", "10101 ddd iiiiiiii", tr_dp_imm, SAFE, DP_ADD | DP_SP | DP_X4 | DP_RAW},
    {"add", "10110000 0 iiiiiii", tr_dp_imm, SAFE, DP_ADD | DP_SP | DP_TOSP | DP_X4 | DP_RAW},
    {"sub", "10110000 1 iiiiiii", tr_dp_imm, SAFE, DP_SUB | DP_SP | DP_TOSP | DP_X4 | DP_RAW},
    {"push", "1011 0 10 M rrrrrrrr", tr_push_pop, MEM, LS_STORE},
    {"pop", "1011 1 10 P rrrrrrrr", tr_push_pop, MEM, 0},

    /* miscellaneous */
    {"cbz", "1011 z 0 i 1 iiiii nnn", tr_cbz, ROW_BRANCH, 0},
    {"sxth", "1011 0010 00 mmm ddd", tr_extend, SAFE, IR_OP_SXTH},
    {"sxtb", "1011 0010 01 mmm ddd", tr_extend, SAFE, IR_OP_SXTB},
    {"uxth", "1011 0010 10 mmm ddd", tr_extend, SAFE, IR_OP_UXTH},
    {"uxtb", "1011 0010 11 mmm ddd", tr_extend, SAFE, IR_OP_UXTB},
    {"setend", "1011 0110 010 1 E 000", tr_setend, ROW_SYSTEM, 0},
    {"cps", "1011 0110 011 o 0 A I F", tr_cps, ROW_SYSTEM, 1},
    {"rev", "1011 1010 00 mmm ddd", tr_unary, SAFE, IR_OP_REV},
    {"rev16", "1011 1010 01 mmm ddd", tr_unary, SAFE, IR_OP_REV16},
    {"revsh", "1011 1010 11 mmm ddd", tr_unary, SAFE, IR_OP_REVSH},
    {"bkpt", "1011 1110 iiiiiiii", tr_bkpt, ROW_SYSTEM | ROW_NO_COND, 0},
    {"hint", "1011 1111 iiii 0000", tr_hint, ROW_SYSTEM, 0},
    {"it", "1011 1111 ffff kkkk", tr_it, ROW_NO_COND | ROW_FL_KNOWN, 0},

    {"stm", "11000 nnn rrrrrrrr", tr_ldstm, MEM, LS_STORE | LS_WB},
    {"ldm", "11001 nnn rrrrrrrr", tr_ldstm, MEM, LS_WB},
    {"udf", "1101 1110 iiiiiiii", tr_undef, ROW_UNDEF, 0},
    {"svc", "1101 1111 iiiiiiii", tr_svc, ROW_SYSTEM, 0},
    {"b", "1101 cccc iiiiiiii", tr_b, ROW_BRANCH | ROW_OWN_COND, 1},
    {"b", "11100 iiiiiiiiiii", tr_b, ROW_BRANCH | ROW_OWN_COND, 2},
};
const unsigned arm_t16_row_count = ARRAY_LEN(arm_t16_rows);
