/*
 * decode_known.c: where our reading of an instruction and Capstone's differ, and why; what Capstone calls the rows of our tables.
 */
#include "decode_check.h"

#include <arch/arm/translate_fp.h>
#include <arch/arm/translate_int.h>
#include <arch/arm/translate_neon.h>
#include <stdio.h>
#include <string.h>

enum { A32 = 1 << ARM_TABLE_A32, T16 = 1 << ARM_TABLE_T16, T32 = 1 << ARM_TABLE_T32, BOTH = A32 | T32 };

/* Rows whose name is a family: what Capstone may call their members. A trailing '*' matches any rest. */
static const struct {
    const char *row, *names;
} families[] = {
    {"mov", "mov lsl lsr asr ror rrx"},
    {"shift", "mov lsl lsr asr ror"},
    {"hint", "nop yield wfe wfi sev sevl dbg hint*"},
    {"pkh", "pkhbt pkhtb"},
    {"smlaxy", "smlabb smlabt smlatb smlatt"},
    {"smulxy", "smulbb smulbt smultb smultt"},
    {"smlalxy", "smlalbb smlalbt smlaltb smlaltt"},
    {"smlawy", "smlawb smlawt"},
    {"smulwy", "smulwb smulwt"},
    {"smlad", "smlad smladx smuad smuadx"},
    {"smlsd", "smlsd smlsdx smusd smusdx"},
    {"smlald", "smlald smlaldx"},
    {"smlsld", "smlsld smlsldx"},
    {"smmla", "smmla smmlar smmul smmulr"},
    {"smmls", "smmls smmlsr"},
    {"usada8", "usada8 usad8"},
    {"sxtab", "sxtab sxtb"},
    {"sxtah", "sxtah sxth"},
    {"sxtab16", "sxtab16 sxtb16"},
    {"uxtab", "uxtab uxtb"},
    {"uxtah", "uxtah uxth"},
    {"uxtab16", "uxtab16 uxtb16"},
    {"bfi", "bfi bfc"},
    {"stm", "stm stmia stmda stmdb stmib push"},
    {"ldm", "ldm ldmia ldmda ldmdb ldmib pop"},
    {"stmdb", "stmdb push"},
    {"cbz", "cbz cbnz"},
    {"it", "it*"},
    {"cps", "cps cpsie cpsid"},
    {"adr", "adr addw subw"},
    {"pld", "pld pldw"},
    {"pldw", "pld pldw"}, /* the literal form's W bit is a should-be bit: Capstone says pld */
    {"srs", "srsia srsib srsda srsdb"},
    {"rfe", "rfeia rfeib rfeda rfedb"},
    {"tbb", "tbb tbh"},
    {"vstmdb", "vpush"},
    {"vldmia", "vpop"},
    {"ldc", "ldc ldcl"},
    {"stc", "stc stcl"},
    {"subs", "subs eret"},
};

/* `when` picks the words among those of the row (NULL: all). */
struct difference {
    unsigned tables;
    const char *row; /* NULL: none matches */
    unsigned kind;
    bool (*when)(const struct arm_insn *i);
    const char *why;
};

/* Should-be-zero and should-be-one bits ('-'): words that have them otherwise are undefined here, as in QEMU; Capstone ignores them. */
static const struct {
    unsigned tables;
    const char *pattern;
} should_be[] = {
    {A32, "cccc 01100 ppp nnnn dddd ---- oooo mmmm"},
    {A32, "cccc 001 10oo 1 nnnn ---- iiiiiiiiiiii"},
    {A32, "cccc 000 10oo 1 nnnn ---- iiiii yy 0 mmmm"},
    {A32, "cccc 000 10oo 1 nnnn ---- ssss 0 yy 1 mmmm"},
    {A32, "cccc 001 11o1 S ---- dddd iiiiiiiiiiii"},
    {A32, "cccc 000 11o1 S ---- dddd iiiii yy 0 mmmm"},
    {A32, "cccc 000 11o1 S ---- dddd ssss 0 yy 1 mmmm"},
    {A32, "cccc 0011 0010 0000 ---- ---- iiiiiiii"},
    {A32, "cccc 0011 0R10 kkkk ---- iiiiiiiiiiii"},
    {A32, "cccc 0001 0R00 ---- dddd --0- 0000 ----"},
    {A32, "cccc 0001 0R10 kkkk ---- 0000 0000 nnnn"},
    {A32, "cccc 0001 0010 ---- ---- ---- 0001 mmmm"},
    {A32, "cccc 0001 0010 ---- ---- ---- 0010 mmmm"},
    {A32, "cccc 0001 0010 ---- ---- ---- 0011 mmmm"},
    {A32, "cccc 0001 0110 ---- dddd ---- 0001 mmmm"},
    {A32, "cccc 0001 0000 nnnn dddd ---- 0101 mmmm"},
    {A32, "cccc 0001 0010 nnnn dddd ---- 0101 mmmm"},
    {A32, "cccc 0001 0100 nnnn dddd ---- 0101 mmmm"},
    {A32, "cccc 0001 0110 nnnn dddd ---- 0101 mmmm"},
    {A32, "cccc 0000 000S dddd ---- mmmm 1001 nnnn"},
    {A32, "cccc 0001 0010 dddd ---- mmmm 1M10 nnnn"},
    {A32, "cccc 0001 0110 dddd ---- mmmm 1MN0 nnnn"},
    {A32, "cccc 0001 0000 nnnn tttt ---- 1001 mmmm"},
    {A32, "cccc 0001 0100 nnnn tttt ---- 1001 mmmm"},
    {A32, "cccc 0001 1000 nnnn dddd ---- 1001 tttt"},
    {A32, "cccc 0001 1001 nnnn tttt ---- 1001 ----"},
    {A32, "cccc 0001 1010 nnnn dddd ---- 1001 tttt"},
    {A32, "cccc 0001 1011 nnnn tttt ---- 1001 ----"},
    {A32, "cccc 0001 1100 nnnn dddd ---- 1001 tttt"},
    {A32, "cccc 0001 1101 nnnn tttt ---- 1001 ----"},
    {A32, "cccc 0001 1110 nnnn dddd ---- 1001 tttt"},
    {A32, "cccc 0001 1111 nnnn tttt ---- 1001 ----"},
    {A32, "cccc 0000 U 01 l nnnn tttt ---- 1 oo 1 mmmm"},
    {A32, "cccc 000 P U 0 W l nnnn tttt ---- 1 01 1 mmmm"},
    {A32, "cccc 000 P U 0 W l nnnn tttt ---- 1 10 1 mmmm"},
    {A32, "cccc 000 P U 0 W l nnnn tttt ---- 1 11 1 mmmm"},
    {A32, "cccc 0110 1000 nnnn dddd ---- 1011 mmmm"},
    {A32, "cccc 0110 1010 ssss dddd ---- 0011 nnnn"},
    {A32, "cccc 0110 1110 ssss dddd ---- 0011 nnnn"},
    {A32, "cccc 0110 1000 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1010 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1011 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1100 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1110 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1111 nnnn dddd rr-- 0111 mmmm"},
    {A32, "cccc 0110 1011 ---- dddd ---- 0011 mmmm"},
    {A32, "cccc 0110 1011 ---- dddd ---- 1011 mmmm"},
    {A32, "cccc 0110 1111 ---- dddd ---- 0011 mmmm"},
    {A32, "cccc 0110 1111 ---- dddd ---- 1011 mmmm"},
    {A32, "cccc 0111 0001 dddd ---- mmmm 0001 nnnn"},
    {A32, "cccc 0111 0011 dddd ---- mmmm 0001 nnnn"},
    {A32, "1111 0001 0000 ooM0 ---- ---A IF0m mmmm"},
    {A32, "1111 0001 0000 ---1 ---- --E- 0000 ----"},
    {A32, "1111 0100 U101 nnnn ---- iiii iiii iiii"},
    {A32, "1111 0101 UR01 nnnn ---- iiii iiii iiii"},
    {A32, "1111 0110 U101 nnnn ---- iiii iyy0 mmmm"},
    {A32, "1111 0111 UR01 nnnn ---- iiii iyy0 mmmm"},
    {A32, "cccc 0001 0R00 mmmm dddd --1M 0000 ----"},
    {A32, "cccc 0001 0R10 mmmm ---- --1M 0000 nnnn"},
    {A32, "cccc 0001 0110 ---- ---- ---- 0110 ----"},
    {A32, "cccc 0001 0110 ---- ---- ---- 0111 iiii"},
    {A32, "1111 0101 0111 ---- ---- ---- 0001 ----"},
    {A32, "1111 0101 0111 ---- ---- ---- 0100 oooo"},
    {A32, "1111 0101 0111 ---- ---- ---- 0101 oooo"},
    {A32, "1111 0101 0111 ---- ---- ---- 0110 oooo"},
    {A32, "1111 100P U1W0 1101 ---- ---- ---m mmmm"},
    {A32, "1111 100P U0W1 nnnn ---- ---- ---- ----"},
    {T16, "010001 110 mmmm ---"},
    {T16, "010001 111 mmmm ---"},
    {T16, "1011 0110 010 1 E ---"},
    {T16, "1011 0110 011 o - A I F"},
    {T32, "1110 1000 0101 nnnn tttt ---- iiiiiiii"},
    {T32, "1110 1000 1100 nnnn tttt ---- 0100 dddd"},
    {T32, "1110 1000 1100 nnnn tttt ---- 0101 dddd"},
    {T32, "1110 1000 1101 nnnn tttt ---- 0100 ----"},
    {T32, "1110 1000 1101 nnnn tttt ---- 0101 ----"},
    {T32, "1110 1000 1101 nnnn tttt vvvv 0111 ----"},
    {T32, "11101 01 oooo S nnnn - iii dddd ii yy mmmm"},
    {T32, "11110 - 1 1001 0 nnnn 0 000 dddd 00 -- ssss"},
    {T32, "11110 - 1 100Y 0 nnnn 0 iii dddd ii - sssss"},
    {T32, "11110 - 1 1010 0 nnnn 0 iii dddd ii - wwwww"},
    {T32, "11110 - 1 1011 0 nnnn 0 iii dddd ii - sssss"},
    {T32, "11110 - 1 1101 0 nnnn 0 000 dddd 00 -- ssss"},
    {T32, "11110 - 1 110Y 0 nnnn 0 iii dddd ii - sssss"},
    {T32, "11110 - 1 1110 0 nnnn 0 iii dddd ii - wwwww"},
    {T32, "11110 0 11100 R nnnn 10-0 kkkk --0- ----"},
    {T32, "11110 0 111010 ---- 10-0 - 000 iiiiiiii"},
    {T32, "11110 0 111010 ---- 10-0 - oo M A I F mmmmm"},
    {T32, "11110 0 111011 ---- 10-0 ---- 0010 ----"},
    {T32, "11110 0 111011 ---- 10-0 ---- 0100 oooo"},
    {T32, "11110 0 111011 ---- 10-0 ---- 0101 oooo"},
    {T32, "11110 0 111011 ---- 10-0 ---- 0110 oooo"},
    {T32, "11110 0 11111 R ---- 10-0 dddd --0- ----"},
    {T32, "1111 1010 0000 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1010 0001 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1010 0010 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1010 0011 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1010 0100 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1010 0101 nnnn 1111 dddd 1-rr mmmm"},
    {T32, "1111 1011 1001 nnnn ---- dddd 1111 mmmm"},
    {T32, "1111 1011 1011 nnnn ---- dddd 1111 mmmm"},
    {T32, "1110 1000 00W0 1101 ---- ---- ---m mmmm"},
    {T32, "1110 1001 10W0 1101 ---- ---- ---m mmmm"},
    {T32, "1110 1000 00W1 nnnn ---- ---- ---- ----"},
    {T32, "1110 1001 10W1 nnnn ---- ---- ---- ----"},
    {T32, "11110 0 11100 R nnnn 10-0 mmmm --1M ----"},
    {T32, "11110 0 11111 R mmmm 10-0 dddd --1M ----"},
    {T32, "11110 0 111100 mmmm 10-0 ---- ---- ----"},
    {T32, "11110 0 111101 ---- 10-0 ---- iiiiiiii"},
    {T32, "11110 1 111111 iiii 1000 ------------"},
};

static bool empty_list(const struct arm_insn *i)
{
    return ARM_F(i, 'r') == 0;
}
static bool empty_stack_list(const struct arm_insn *i)
{
    return !ARM_F(i, 'r') && !ARM_F(i, 'M') && !ARM_F(i, 'P');
}
static bool msb_below_lsb(const struct arm_insn *i)
{
    return ARM_F(i, 's') < ARM_F(i, 'i');
}
static bool no_registers(const struct arm_insn *i)
{
    return ARM_F(i, 'k') == 0;
}
static bool sp_or_pc_listed(const struct arm_insn *i)
{
    return ARM_F(i, 'r') & 0xa000 || !ARM_F(i, 'r');
}
static bool odd_or_post_w(const struct arm_insn *i)
{
    return ARM_F(i, 't') & 1 || (!ARM_F(i, 'P') && ARM_F(i, 'W'));
}
static bool odd_or_lr(const struct arm_insn *i)
{
    return ARM_F(i, 't') & 1 || ARM_F(i, 't') == 14;
}
static bool literal(const struct arm_insn *i)
{
    return BITS(i->raw, 19, 16) == 15;
}
static bool imod_1_or_nothing(const struct arm_insn *i)
{
    return ARM_F(i, 'o') == 1 || ARM_F(i, 'o') >= 2 || !ARM_F(i, 'M');
}
static bool unallocated_hint(const struct arm_insn *i)
{
    return ARM_F(i, 'i') > 5;
}
static bool not_always(const struct arm_insn *i)
{
    return i->cond != 14;
}
static bool banked(const struct arm_insn *i)
{
    return i->row->translate == tr_mrs_banked || i->row->translate == tr_msr_banked;
}

static unsigned letters(const struct arm_insn *i, char letter)
{
    unsigned n = 0;
    for (const char *p = i->row->pattern; *p; p++)
        n += *p == letter;
    return n;
}

static bool names_register(const struct arm_insn *i, unsigned reg)
{
    if (i->row->flags & ROW_VFP && !(i->row->flags & ROW_MEM)) /* d, n, m are not core registers there */
        return (letters(i, 't') && ARM_F(i, 't') == reg) || (letters(i, 'u') && ARM_F(i, 'u') == reg);
    for (const char *p = "ndtmahlvs"; *p; p++)
        if (letters(i, *p) == 4 && ARM_F(i, *p) == reg)
            return true;
    return false;
}
static bool names_pc(const struct arm_insn *i)
{
    return names_register(i, 15);
}
static bool names_sp(const struct arm_insn *i)
{
    return names_register(i, 13);
}
static bool coprocessor_register(const struct arm_insn *i)
{
    arm_translate_fn tr = i->row->translate;
    return tr == tr_mcr || tr == tr_mrc || tr == tr_mcrr || tr == tr_mrrc || tr == tr_ldc || tr == tr_v_vmrs || tr == tr_v_vmsr;
}
static bool beyond_the_registers(const struct arm_insn *i)
{
    unsigned d = ARM_F(i, 'z') ? reg_d(i, 'd', 'D') : reg_s(i, 'd', 'D'), n = ARM_F(i, 'z') ? ARM_F(i, 'i') / 2 : ARM_F(i, 'i');
    return d + n > 32 || n == 0 || (ARM_F(i, 'z') && n > 16);
}
static bool bits_past_31(const struct arm_insn *i)
{
    return ARM_F(i, 'i') + ARM_F(i, 'w') > 31;
}
static bool same_registers(const struct arm_insn *i)
{
    return letters(i, 'h') == 4 && letters(i, 'l') == 4 && ARM_F(i, 'h') == ARM_F(i, 'l');
}
static bool base_listed(const struct arm_insn *i)
{
    return ARM_F(i, 'W') && ARM_F(i, 'r') >> ARM_F(i, 'n') & 1;
}
static bool status_is_operand(const struct arm_insn *i)
{
    unsigned d = ARM_F(i, 'd');
    return d == ARM_F(i, 'n') || d == ARM_F(i, 't') || d == ARM_F(i, 't') + 1 || d == ARM_F(i, 'v');
}

static bool odd(const struct arm_insn *i)
{
    return ARM_F(i, 't') & 1 || ARM_F(i, 't') == 14;
}
static bool dual_conflict(const struct arm_insn *i)
{
    unsigned t = ARM_F(i, 't'), t2 = i->thumb ? ARM_F(i, 'v') : t + 1, n = ARM_F(i, 'n');
    bool back = ARM_F(i, 'W') || (letters(i, 'P') && !ARM_F(i, 'P'));
    return (!i->thumb && (t & 1 || (!ARM_F(i, 'P') && ARM_F(i, 'W')))) || t2 == 15 || (back && (n == t || n == t2)) || t == t2;
}
static bool one_register_twice(const struct arm_insn *i)
{
    return ARM_F(i, 't') == ARM_F(i, 'u') || (!ARM_F(i, 'z') && ARM_F(i, 'm') == 15 && ARM_F(i, 'M'));
}
static bool fldmx(const struct arm_insn *i)
{
    return ARM_F(i, 'z') && ARM_F(i, 'i') & 1;
}
static bool too_many_fraction_bits(const struct arm_insn *i)
{
    return !ARM_F(i, 'x') && (ARM_F(i, 'j') << 1 | ARM_F(i, 'i')) > 16;
}
static bool over_sixteen_bits(const struct arm_insn *i)
{
    return ARM_F(i, 's') > 15;
}
static bool operand_twice(const struct arm_insn *i)
{
    return i->row->translate == tr_unary;
}
static bool one_or_none(const struct arm_insn *i)
{
    return ARM_F(i, 'n') == 15 || (ARM_F(i, 'r') & (ARM_F(i, 'r') - 1)) == 0;
}

static const struct difference differences[] = {
    {BOTH, "ldrd", BY_CAPSTONE, dual_conflict, "odd register, or the base among the operands: UNPREDICTABLE, undefined here"},
    {BOTH, "strd", BY_CAPSTONE, dual_conflict, "odd register, or the base among the operands: UNPREDICTABLE, undefined here"},
    {A32, "ldrexd", BY_CAPSTONE, odd, "odd register: UNPREDICTABLE, undefined here"},
    {A32, "strexd", BY_CAPSTONE, odd, "odd register: UNPREDICTABLE, undefined here"},
    {BOTH, "bfi", BY_CAPSTONE, msb_below_lsb, "msb below lsb: UNPREDICTABLE, undefined here"},
    {BOTH, NULL, BY_CAPSTONE, list_past_d31, "registers past d31: UNPREDICTABLE, undefined here; Capstone names them wrongly"},
    {BOTH, "vmov (two core, double)", BY_CAPSTONE, one_register_twice, "one register twice, or past s31: UNPREDICTABLE, undefined here"},
    {BOTH, "vmov (two core, two single)", BY_CAPSTONE, one_register_twice,
     "one register twice, or past s31: UNPREDICTABLE, undefined here"},
    {BOTH, "vstmia", BY_US | BY_CAPSTONE, fldmx, "FSTMX by its old name"},
    {BOTH, "vldmia", BY_US | BY_CAPSTONE, fldmx, "FLDMX by its old name"},
    {BOTH, "vstmdb", BY_US | BY_CAPSTONE, fldmx, "FSTMX by its old name"},
    {BOTH, "vldmdb", BY_US | BY_CAPSTONE, fldmx, "FLDMX by its old name"},
    {BOTH, "vstmia", BY_US, fldmx, "Capstone has FSTMX for d0 to d15 only"},
    {BOTH, "vldmia", BY_US, fldmx, "Capstone has FLDMX for d0 to d15 only"},
    {BOTH, "vstmdb", BY_US, fldmx, "Capstone has FSTMX for d0 to d15 only"},
    {BOTH, "vldmdb", BY_US, fldmx, "Capstone has FLDMX for d0 to d15 only"},
    {BOTH, "vcvt (fixed)", BY_CAPSTONE, too_many_fraction_bits, "more fraction bits than bits: UNPREDICTABLE, undefined here"},
    {BOTH, "vmsr", BY_US, NULL, "writes of read-only registers are ignored; Capstone does not have them"},
    {BOTH, "msr", DIFFERENT_OPERANDS, banked, "Capstone has the operands of banked accesses wrong"},
    {BOTH, "mrs", DIFFERENT_OPERANDS, banked, "Capstone has the operands of banked accesses wrong"},
    {T16, "blx", BY_CAPSTONE, names_pc, "BLX pc: UNPREDICTABLE, undefined here"},
    {A32, "hint", BY_US, NULL, "unallocated hints are NOPs"},
    {T32, "ldrexd", BY_CAPSTONE, dual_conflict, "one register twice: UNPREDICTABLE, undefined here"},
    {T32, "ssat16", BY_US, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, "usat16", BY_US, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, "ssat16", BY_US | BY_CAPSTONE, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, "usat16", BY_US | BY_CAPSTONE, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, "ssat16", DIFFERENT_OPERANDS, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, "usat16", DIFFERENT_OPERANDS, over_sixteen_bits, "to more than 16 bits: UNPREDICTABLE, as in QEMU"},
    {T32, NULL, DIFFERENT_OPERANDS, operand_twice, "the operand register stands twice; Capstone takes the first, we the second"},
    {T32, "ldm", BY_CAPSTONE, one_or_none, "a list of one: UNPREDICTABLE, undefined here"},
    {T32, "stm", BY_CAPSTONE, one_or_none, "a list of one: UNPREDICTABLE, undefined here"},
    {T32, "ldmdb", BY_CAPSTONE, one_or_none, "a list of one: UNPREDICTABLE, undefined here"},
    {T32, "stmdb", BY_CAPSTONE, one_or_none, "a list of one: UNPREDICTABLE, undefined here"},
    {BOTH, NULL, BY_CAPSTONE, names_pc, "r15 where it must not be: UNPREDICTABLE, undefined here"},
    {BOTH, NULL, BY_CAPSTONE, coprocessor_register, "no such coprocessor register"},
    {BOTH, "vstmia", BY_CAPSTONE, beyond_the_registers, "registers past d31, more than sixteen or none: UNPREDICTABLE, undefined here"},
    {BOTH, "vldmia", BY_CAPSTONE, beyond_the_registers, "registers past d31, more than sixteen or none: UNPREDICTABLE, undefined here"},
    {BOTH, "vstmdb", BY_CAPSTONE, beyond_the_registers, "registers past d31, more than sixteen or none: UNPREDICTABLE, undefined here"},
    {BOTH, "vldmdb", BY_CAPSTONE, beyond_the_registers, "registers past d31, more than sixteen or none: UNPREDICTABLE, undefined here"},
    {BOTH, "ubfx", BY_CAPSTONE, bits_past_31, "bits past 31: UNPREDICTABLE, undefined here"},
    {BOTH, "sbfx", BY_CAPSTONE, bits_past_31, "bits past 31: UNPREDICTABLE, undefined here"},
    {BOTH, NULL, BY_CAPSTONE, same_registers, "both halves of a product in one register: UNPREDICTABLE, undefined here"},
    {BOTH, "ldm", BY_CAPSTONE, base_listed, "base written back and in the list: UNPREDICTABLE, undefined here"},
    {BOTH, "strex", BY_CAPSTONE, status_is_operand, "status register among the operands: UNPREDICTABLE, undefined here"},
    {T32, "strex", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {BOTH, "strexb", BY_CAPSTONE, status_is_operand, "status register among the operands: UNPREDICTABLE, undefined here"},
    {T32, "strexb", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {BOTH, "strexh", BY_CAPSTONE, status_is_operand, "status register among the operands: UNPREDICTABLE, undefined here"},
    {T32, "strexh", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {BOTH, "strexd", BY_CAPSTONE, status_is_operand, "status register among the operands: UNPREDICTABLE, undefined here"},
    {T32, "strexd", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {T32, "ldrex", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {T32, "ldrexb", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {T32, "ldrexh", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {T32, "ldrexd", BY_CAPSTONE, names_sp, "r13 where it must not be: UNPREDICTABLE, undefined here"},
    {T32, "ldmdb", BY_CAPSTONE, base_listed, "base written back and in the list: UNPREDICTABLE, undefined here"},
    {T32, "stm", BY_CAPSTONE, base_listed, "base written back and in the list: UNPREDICTABLE, undefined here"},
    {T32, "stmdb", BY_CAPSTONE, base_listed, "base written back and in the list: UNPREDICTABLE, undefined here"},
    {A32, "cp2", BY_CAPSTONE, NULL, "no coprocessor answers in the unconditional space"},
    {T32, "cp2", BY_CAPSTONE, NULL, "no coprocessor answers in the unconditional space"},
    {A32, "cdp", BY_CAPSTONE, NULL, "coprocessors 14 and 15 have no operations"},
    {T32, "cdp", BY_CAPSTONE, NULL, "coprocessors 14 and 15 have no operations"},
    {A32, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {T16, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {T32, "udf", BY_CAPSTONE, NULL, "Capstone names the permanently undefined instruction"},
    {A32, "ldm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {A32, "stm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {T16, "ldm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {T16, "stm", BY_US, empty_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {T16, "push", BY_US, empty_stack_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {T16, "pop", BY_US, empty_stack_list, "empty list: UNPREDICTABLE, Undefined when translated"},
    {T32, "ldm", BY_US, sp_or_pc_listed, "sp in the list, pc with lr, or nothing: UNPREDICTABLE"},
    {T32, "stm", BY_US, sp_or_pc_listed, "sp or pc in the list, or nothing: UNPREDICTABLE"},
    {T32, "ldmdb", BY_US, sp_or_pc_listed, "sp in the list, pc with lr, or nothing: UNPREDICTABLE"},
    {T32, "stmdb", BY_US, sp_or_pc_listed, "sp or pc in the list, or nothing: UNPREDICTABLE"},
    {A32, "ldrd", BY_US, odd_or_post_w, "odd register, or P = 0 with W = 1: UNPREDICTABLE"},
    {A32, "strd", BY_US, odd_or_post_w, "odd register, or P = 0 with W = 1: UNPREDICTABLE"},
    {A32, "ldrexd", BY_US, odd_or_lr, "odd register, or a pair with the pc: UNPREDICTABLE"},
    {A32, "strexd", BY_US, odd_or_lr, "odd register, or a pair with the pc: UNPREDICTABLE"},
    {T32, "bfi", BY_US, msb_below_lsb, "msb below lsb: UNPREDICTABLE, Undefined when translated"},
    {A32, "bfi", BY_US, msb_below_lsb, "msb below lsb: UNPREDICTABLE, Undefined when translated"},
    {A32, "msr", BY_US, no_registers, "empty mask: UNPREDICTABLE, a NOP"},
    {T32, "msr", BY_US, no_registers, "empty mask: UNPREDICTABLE, a NOP"},
    {A32, "cps", BY_US, imod_1_or_nothing, "reserved imod and M: UNPREDICTABLE"},
    {T32, "cps", BY_US, imod_1_or_nothing, "reserved imod and M: UNPREDICTABLE"},
    {A32, "hint", BY_US, unallocated_hint, "unallocated hints are NOPs"},
    {T32, "hint", BY_US, unallocated_hint, "unallocated hints are NOPs"},
    {A32, "hintmem", BY_US, NULL, "unallocated memory hints are NOPs"},
    {T32, "hintmem", BY_US, NULL, "unallocated memory hints are NOPs"},
    {T32, "pldw", BY_US, literal, "unallocated memory hints are NOPs"},
    {A32, "mrs", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {A32, "msr", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {T32, "mrs", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {T32, "msr", BY_US | BY_CAPSTONE, banked, "Capstone misreads the condition of banked accesses"},
    {A32, "bkpt", BY_US, not_always, "a condition on BKPT: UNPREDICTABLE, ignored"},
};

static const char *const cond_names[15] = {"eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", ""};

static bool sets_flags(const struct arm_insn *i)
{
    if (i->row->flags & ROW_FL_S)
        return ARM_F(i, 'S');
    return i->row->flags & ROW_FL_IT;
}

/* mnemonic = name [s] [condition] [.w] */
static bool name_matches(const char *mnemonic, const char *name, size_t len, const struct arm_insn *i)
{
    if (name[len - 1] == '*')
        return strncmp(mnemonic, name, len - 1) == 0;
    if (strncmp(mnemonic, name, len) != 0)
        return false;
    const char *rest = mnemonic + len;
    size_t end = strlen(rest);
    if (end >= 2 && strcmp(rest + end - 2, ".w") == 0)
        end -= 2;
    bool has_s = end && *rest == 's' && (i->row->flags & (ROW_FL_S | ROW_FL_IT));
    if (has_s != sets_flags(i))
        return false;
    rest += has_s;
    end -= has_s;
    return end == 0 || (end == 2 && strncmp(rest, cond_names[i->cond], 2) == 0);
}

/* Rows of VFP and Advanced SIMD: "vld1/vst1 (lane)" has two names and a remark; Capstone adds a condition and data types. */
static bool simd_name_agrees(const char *mnemonic, const struct arm_insn *i)
{
    const char *name = i->row->name;
    size_t m = strcspn(mnemonic, ".");

    while (*name && *name != ' ') {
        size_t len = strcspn(name, "/ ");
        const char *rest = mnemonic + len, *condition = i->cond < 14 ? cond_names[i->cond] : "";
        size_t end = m > len ? m - len : 0, c = strlen(condition);
        if (m >= len && strncmp(mnemonic, name, len) == 0) {
            if (end == c && strncmp(rest, condition, c) == 0)
                return true;
            if (end == c + 1 && strchr("erbt", *rest) && strncmp(rest + 1, condition, c) == 0) /* VCMPE, VCVTR, VCVTB, VCVTT */
                return true;
        }
        name += len + (name[len] == '/');
    }
    return false;
}

bool mnemonic_agrees(const char *mnemonic, const struct arm_insn *i)
{
    const char *names = i->row->name;
    if (i->row->flags & ROW_VFP && simd_name_agrees(mnemonic, i))
        return true;
    for (unsigned k = 0; k < ARRAY_LEN(families); k++)
        if (strcmp(families[k].row, names) == 0)
            names = families[k].names;
    while (*names) {
        size_t len = strcspn(names, " ");
        if (name_matches(mnemonic, names, len, i))
            return true;
        names += len + (names[len] == ' ');
    }
    return false;
}

/* ARMv8's floating-point instructions, which Capstone 4 reads in ARMv7 code too: VSEL, VMAXNM, VMINNM, VRINT*, VCVTA/N/P/M, conversions
 * between half and double precision; and VMSR of FPSID and FPEXC written without privilege in mind. */
static bool armv8(enum arm_table table, uint32_t word)
{
    if (table == ARM_TABLE_T16)
        return false;
    if ((word & 0x0fbe0e50) == 0x0eb60a40 && (word & 0x0f0) != 0) /* VRINTR, VRINTZ, VRINTX */
        return true;
    if ((word & 0x0fbe0f50) == 0x0eb20b40) /* VCVTB, VCVTT with a double */
        return true;
    if ((word & 0x0ff00f10) == 0x0ee00a10) /* VMSR of registers that are not there, or with should-be-zero bits */
        return true;
    return (word & 0xfe000e00) == 0xfe000a00; /* VSEL, VMAXNM, VMINNM, VRINTA..., VCVTA... */
}

static bool should_be_bits(enum arm_table table, uint32_t word)
{
    for (unsigned k = 0; k < ARRAY_LEN(should_be); k++) {
        struct arm_pattern p;
        if (should_be[k].tables >> table & 1 && arm_pattern_compile(should_be[k].pattern, table == ARM_TABLE_T16 ? 16 : 32, &p) &&
            (word & p.mask) == p.value)
            return true;
    }
    return false;
}

bool known_difference(enum arm_table table, const struct arm_insn *i, uint32_t word, unsigned kind)
{
    if ((!i || i->row->flags & ROW_UNDEF) && kind == BY_CAPSTONE && (should_be_bits(table, word) || armv8(table, word)))
        return true;
    for (unsigned k = 0; i && k < ARRAY_LEN(differences); k++) {
        const struct difference *d = &differences[k];
        if ((d->tables >> table & 1) && d->kind == kind && (!d->row || strcmp(d->row, i->row->name) == 0) && (!d->when || d->when(i)))
            return true;
    }
    return false;
}

void print_known_differences(void)
{
    static const char *const kinds[] = {"", "ours only", "Capstone only", "other name", "other operands"};

    for (unsigned k = 0; k < ARRAY_LEN(differences); k++) {
        const struct difference *d = &differences[k];
        printf("%s%s%s %-24s %-14s %s\n", d->tables & A32 ? "A32 " : "", d->tables & T16 ? "T16 " : "", d->tables & T32 ? "T32 " : "",
               d->row ? d->row : "(any)", kinds[d->kind], d->why);
    }
}
