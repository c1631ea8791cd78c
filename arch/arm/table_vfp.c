/*
 * table_vfp.c: encodings of coprocessors 10 and 11: VFPv4 and the Advanced SIMD transfers (ARM ARM A7.5, A7.6, A7.8, A7.9).
 *
 * z: 1 = double. D, N, M: the extra register bit. Arithmetic rows have their VFP_* operation as argument.
 */
#include <arch/arm/translate_fp.h>

#define DP  (ROW_VFP | ROW_USER_SAFE | ROW_FL_KNOWN)
#define MEM (ROW_VFP | ROW_MEM | ROW_FL_KNOWN)

const struct arm_row arm_vfp_rows[] = {
    /* data processing */
    {"vmla",  "cccc 1110 0D00 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_MLA},
    {"vmls",  "cccc 1110 0D00 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_MLS},
    {"vnmls", "cccc 1110 0D01 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_NMLS},
    {"vnmla", "cccc 1110 0D01 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_NMLA},
    {"vmul",  "cccc 1110 0D10 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_MUL},
    {"vnmul", "cccc 1110 0D10 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_NMUL},
    {"vadd",  "cccc 1110 0D11 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_ADD},
    {"vsub",  "cccc 1110 0D11 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_SUB},
    {"vdiv",  "cccc 1110 1D00 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_DIV},
    {"vfnms", "cccc 1110 1D01 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_FNMS},
    {"vfnma", "cccc 1110 1D01 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_FNMA},
    {"vfma",  "cccc 1110 1D10 nnnn dddd 101z N0M0 mmmm", tr_v_arith, DP, VFP_FMA},
    {"vfms",  "cccc 1110 1D10 nnnn dddd 101z N1M0 mmmm", tr_v_arith, DP, VFP_FMS},
    {"vmov (immediate)", "cccc 1110 1D11 iiii dddd 101z 0000 jjjj", tr_v_mov_imm, DP, 0},
    {"vmov (register)",  "cccc 1110 1D11 0000 dddd 101z 01M0 mmmm", tr_v_unary, DP, IR_VOP_MOV},
    {"vabs",  "cccc 1110 1D11 0000 dddd 101z 11M0 mmmm", tr_v_unary, DP, IR_VOP_FABS},
    {"vneg",  "cccc 1110 1D11 0001 dddd 101z 01M0 mmmm", tr_v_unary, DP, IR_VOP_FNEG},
    {"vsqrt", "cccc 1110 1D11 0001 dddd 101z 11M0 mmmm", tr_v_arith, DP, VFP_SQRT},
    {"vcvtb/vcvtt (half)", "cccc 1110 1D11 001o dddd 1010 T1M0 mmmm", tr_v_half, DP, 0},
    {"vcmp",  "cccc 1110 1D11 0100 dddd 101z E1M0 mmmm", tr_v_compare, DP, 0},
    {"vcmp (zero)", "cccc 1110 1D11 0101 dddd 101z E100 0000", tr_v_compare, DP, VFP_CMP_ZERO},
    {"vcvt (double, single)", "cccc 1110 1D11 0111 dddd 101z 11M0 mmmm", tr_v_convert, DP, 0},
    {"vcvt (from integer)", "cccc 1110 1D11 1000 dddd 101z s1M0 mmmm", tr_v_from_int, DP, 0},
    {"vcvt (fixed)", "cccc 1110 1D11 1o1u dddd 101z x1i0 jjjj", tr_v_fixed, DP, 0},
    {"vcvt (to integer)", "cccc 1110 1D11 110s dddd 101z r1M0 mmmm", tr_v_to_int, DP, 0},

    /* transfers between core and extension registers */
    {"vmov (core, single)", "cccc 1110 000o nnnn tttt 1010 N001 0000", tr_v_mov_core, DP, 0},
    {"vmsr (fpscr)", "cccc 1110 1110 0001 tttt 1010 0001 0000", tr_v_vmsr, ROW_VFP | ROW_USER_SAFE, 1},
    {"vmrs (fpscr)", "cccc 1110 1111 0001 tttt 1010 0001 0000", tr_v_vmrs, ROW_VFP | ROW_USER_SAFE, 1},
    {"vmsr", "cccc 1110 1110 rrrr tttt 1010 0001 0000", tr_v_vmsr, ROW_VFP | ROW_SYSTEM, 0},
    {"vmrs", "cccc 1110 1111 rrrr tttt 1010 0001 0000", tr_v_vmrs, ROW_VFP | ROW_SYSTEM, 0},
    {"vmov (core to scalar, byte)", "cccc 1110 01i0 nnnn tttt 1011 Nii1 0000", tr_v_mov_to_lane, DP, 1},
    {"vmov (core to scalar, halfword)", "cccc 1110 00i0 nnnn tttt 1011 Ni11 0000", tr_v_mov_to_lane, DP, 2},
    {"vmov (core to scalar, word)", "cccc 1110 00i0 nnnn tttt 1011 N001 0000", tr_v_mov_to_lane, DP, 4},
    {"vdup (core)", "cccc 1110 1bQ0 nnnn tttt 1011 N0e1 0000", tr_v_dup_core, DP, 0},
    {"vmov (scalar to core, byte)", "cccc 1110 U1i1 nnnn tttt 1011 Nii1 0000", tr_v_mov_from_lane, DP, 1},
    {"vmov (scalar to core, halfword)", "cccc 1110 U0i1 nnnn tttt 1011 Ni11 0000", tr_v_mov_from_lane, DP, 2},
    {"vmov (scalar to core, word)", "cccc 1110 00i1 nnnn tttt 1011 N001 0000", tr_v_mov_from_lane, DP, 4},
    {"vmov (two core, two single)", "cccc 1100 010o uuuu tttt 1010 00M1 mmmm", tr_v_mov_pair, DP, 4},
    {"vmov (two core, double)", "cccc 1100 010o uuuu tttt 1011 00M1 mmmm", tr_v_mov_pair, DP, 8},

    /* loads and stores */
    {"vstr", "cccc 1101 UD00 nnnn dddd 101z iiii iiii", tr_v_ldst, MEM, 0},
    {"vldr", "cccc 1101 UD01 nnnn dddd 101z iiii iiii", tr_v_ldst, MEM, 1},
    {"vstmia", "cccc 1100 1DW0 nnnn dddd 101z iiii iiii", tr_v_ldst_multiple, MEM, 0},
    {"vldmia", "cccc 1100 1DW1 nnnn dddd 101z iiii iiii", tr_v_ldst_multiple, MEM, 1},
    {"vstmdb", "cccc 1101 0D10 nnnn dddd 101z iiii iiii", tr_v_ldst_multiple, MEM, 2},
    {"vldmdb", "cccc 1101 0D11 nnnn dddd 101z iiii iiii", tr_v_ldst_multiple, MEM, 3},
};

const unsigned arm_vfp_row_count = ARRAY_LEN(arm_vfp_rows);
