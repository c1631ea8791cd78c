/*
 * translate_int.h: the translate functions of the integer tables, and how a row's `arg` tells members of a family apart.
 */
#ifndef ARM_TRANSLATE_INT_H
#define ARM_TRANSLATE_INT_H

#include <arch/arm/translate.h>
#include <dbt/guest.h>

/* --- data processing: arg = DP_op | DP_* ------------------------------------------------------------------------- */
enum arm_dp {
    DP_AND,
    DP_EOR,
    DP_SUB,
    DP_RSB,
    DP_ADD,
    DP_ADC,
    DP_SBC,
    DP_RSC,
    DP_TST,
    DP_TEQ,
    DP_CMP,
    DP_CMN,
    DP_ORR,
    DP_MOV,
    DP_BIC,
    DP_MVN,
    DP_ORN,
};
#define DP_OP   0x1fu
#define DP_IT   BIT(8)  /* T16: sets flags outside an IT block */
#define DP_NEQD BIT(9)  /* first operand is the destination */
#define DP_SP   BIT(10) /* first operand is sp */
#define DP_TOSP BIT(11) /* destination is sp */
#define DP_X4   BIT(12) /* immediate counts words */
#define DP_RAW  BIT(13) /* immediate as it stands, no expansion */
#define DP_NEG  BIT(14) /* ADR: subtract */

/* --- loads and stores: arg = IR_MEM_SIZE | IR_MEM_SIGNED | IR_MEM_USER | LS_* ------------------------------------ */
#define LS_STORE         BIT(12)
#define LS_DUAL          BIT(13)
#define LS_OFFSET        BIT(14) /* no P, U, W fields: offset addressing, added */
#define LS_POST          BIT(15) /* post-indexed whatever W says (LDRT) */
#define LS_SP            BIT(16) /* base is sp */
#define LS_DEC           BIT(17) /* LDM, SRS...: decrement */
#define LS_BEFORE        BIT(18)
#define LS_WB            BIT(19)
#define LS_SCALE(n)      ((uint32_t)(n) << 20) /* immediate << n */
#define LS_SCALE_OF(arg) ((arg) >> 20 & 3)

/* A32 and T32 */
arm_translate_fn_decl tr_dp_imm, tr_dp_shift, tr_dp_rsr, tr_shift_reg, tr_movw, tr_movt, tr_adr, tr_pkh, tr_extend, tr_extend16, tr_unary,
    tr_bitfield_extract, tr_bitfield_insert;
arm_translate_fn_decl tr_mul, tr_mull, tr_umaal, tr_smlaxy, tr_smlaw, tr_smlalxy, tr_smlad, tr_smlald, tr_smmla, tr_div;
arm_translate_fn_decl tr_parallel, tr_qadd, tr_sel, tr_usad8, tr_sat, tr_sat16;
arm_translate_fn_decl tr_ls_imm, tr_ls_reg, tr_ls_lit, tr_ldstm, tr_push_pop, tr_ldrex, tr_strex, tr_swp, tr_clrex, tr_hint, tr_nop, tr_isb, tr_dsb;
arm_translate_fn_decl tr_b, tr_bl, tr_blx_imm, tr_bx, tr_cbz, tr_tbb, tr_it;
arm_translate_fn_decl tr_svc, tr_hvc, tr_bkpt, tr_eret, tr_subs_pc, tr_rfe, tr_srs, tr_cps, tr_setend, tr_mrs, tr_msr_reg, tr_msr_imm,
    tr_mrs_banked, tr_msr_banked;
arm_translate_fn_decl tr_mcr, tr_mrc, tr_mcrr, tr_mrrc, tr_ldc;

/* --- services of translate.c besides those of translate.h -------------------------------------------------------- */

/* CALL flags of a helper that sees and may change all of the CPU state. */
#define CALL_STATE (IR_CALL_RAISE | IR_CALL_GPR | IR_CALL_RFLAGS | IR_CALL_WFLAGS)

struct ir_insn *tr_emit(struct arm_translator *t, enum ir_op op);
uint16_t tr_const(struct arm_translator *t, uint32_t imm); /* a temp that holds imm */
uint16_t tr_address(struct arm_translator *t, uint32_t va); /* one that holds an address counted from the pc */
/* Exits; target addresses have bit 0 = Thumb. */
void tr_exit(struct arm_translator *t, uint32_t target);
void tr_exit_call(struct arm_translator *t, uint32_t target);                         /* of a call that returns to the next instruction */
struct ir_insn *tr_exit_if(struct arm_translator *t, enum ir_op op, uint32_t target); /* EXIT_CC, EXIT_Z, EXIT_NZ: caller sets cc or a */
void tr_exit_ind(struct arm_translator *t, uint16_t v, unsigned hint);                /* v as BXWritePC takes it */
void tr_exit_lookup_next(struct arm_translator *t);                                   /* to the next instruction, through the dispatcher */
void tr_exit_lookup_if(struct arm_translator *t, uint16_t v); /* the same if v is not 0; otherwise the block goes on */
void tr_exit_raised(struct arm_translator *t);
/* Go on at `target` (unconditional branch): inline when that pays, by an exit otherwise. */
void tr_goto(struct arm_translator *t, uint32_t target);
/* A helper that never returns. */
void tr_raise(struct arm_translator *t, ir_helper fn, uint32_t imm, uint32_t imm2);
/* ITSTATE of the following instruction (ARM ARM A2.5.2) */
static inline uint32_t tr_it_advance(uint32_t it)
{
    return (it & 7) == 0 ? 0 : (it & 0xe0) | (it << 1 & 0x1f);
}
/* Guest code bytes, little-endian whatever CPSR.E says. */
static inline uint16_t tr_halfword(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t tr_word(const uint8_t *p)
{
    return (uint32_t)tr_halfword(p + 2) << 16 | tr_halfword(p);
}
/* `len` bytes of code at pc, or NULL when they are not in the block's page from its first instruction on. */
const uint8_t *tr_code_at(const struct arm_translator *t, uint32_t pc, unsigned len);
/* Which of NZCV can be read at an exit's target before they are overwritten (translate_lookahead.c). */
uint8_t tr_exit_live(struct arm_translator *t, uint32_t target);
uint32_t tr_next_it(const struct arm_translator *t); /* ITSTATE of the next instruction */
uint32_t tr_branch_target(const struct arm_insn *i); /* of tr_b and tr_cbz rows; without the T bit */
static inline uint32_t tr_pc_value(const struct arm_insn *i)
{
    return i->pc + (i->thumb ? 4 : 8);
}

/* Guest memory access at a + (b << shamt) + imm without an alignment check of its own. */
struct ir_insn *tr_access(struct arm_translator *t, enum ir_op op, uint16_t d, uint16_t a, uint16_t b, unsigned shamt, uint32_t imm,
                          uint16_t mem);

/* Immediate shift as encoded (type, imm5) to IR: LSR/ASR #0 mean 32, ROR #0 is RRX. */
static inline void tr_set_shift(struct ir_insn *x, unsigned type, unsigned amount)
{
    if (type == IR_LSL && amount == 0)
        return;
    x->shift = (uint8_t)(type == IR_ROR && amount == 0 ? IR_RRX : type);
    x->shamt = (uint8_t)(amount ? amount : type == IR_ROR ? 1 : 32);
}

/* Helpers of translate_media_helpers.c (signature ir_helper; they touch only q and ge). */
extern const ir_helper arm_parallel_helpers[36];
uint32_t arm_helper_qadd(void *cpu, uint32_t m, uint32_t n, uint32_t op, uint32_t unused);
uint32_t arm_helper_sat(void *cpu, uint32_t v, uint32_t unused, uint32_t bits, uint32_t is_unsigned);
uint32_t arm_helper_sat16(void *cpu, uint32_t v, uint32_t unused, uint32_t bits, uint32_t is_unsigned);
uint32_t arm_helper_ge_write(void *cpu, uint32_t cpsr, uint32_t unused, uint32_t unused2, uint32_t unused3); /* GE from a CPSR value */

#endif
