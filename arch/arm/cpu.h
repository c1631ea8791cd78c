/*
 * cpu.h: state of one ARMv7-A (Cortex-A15) processor.
 *
 * r0-r14 of the current mode are vcpu.gpr[]; the pc is vcpu.pc (bit 0 = T), ITSTATE is vcpu.restart, NZCV are vcpu.flags.
 * The rest of the CPSR is split below. arm_cpsr_read()/arm_cpsr_write() assemble and take apart.
 */
#ifndef ARM_CPU_H
#define ARM_CPU_H

#include <dbt/engine.h>
#include <arch/arm/gic.h>
#include <arch/arm/timer.h>

enum arm_mode {
    ARM_USR = 0x10, ARM_FIQ = 0x11, ARM_IRQ = 0x12, ARM_SVC = 0x13, ARM_MON = 0x16, ARM_ABT = 0x17, ARM_HYP = 0x1a, ARM_UND = 0x1b, ARM_SYS = 0x1f,
};

enum arm_bank { BANK_USR, BANK_FIQ, BANK_IRQ, BANK_SVC, BANK_ABT, BANK_UND, BANK_COUNT }; /* USR serves SYS too */

#define CPSR_N BIT(31)
#define CPSR_Z BIT(30)
#define CPSR_C BIT(29)
#define CPSR_V BIT(28)
#define CPSR_Q BIT(27)
#define CPSR_J BIT(24)
#define CPSR_GE (15u << 16)
#define CPSR_E BIT(9)
#define CPSR_A BIT(8)
#define CPSR_I BIT(7)
#define CPSR_F BIT(6)
#define CPSR_T BIT(5)
#define CPSR_MODE 31u

/* Block flags: what translated code is specialised on (guest_block_flags()). T is bit 0 of the pc, not here. */
#define ARM_BF_PRIV    BIT(0) /* privileged mode */
#define ARM_BF_BE      BIT(1) /* CPSR.E */
#define ARM_BF_ALIGN   BIT(2) /* SCTLR.A: every access is checked */
#define ARM_BF_SYSMODE BIT(4) /* mode is USR or SYS (no SPSR) */
#define ARM_BF_VFP_RM  BIT(5) /* not default FPSCR behaviour: RMode, FZ or DN differ from 0 */
#define ARM_BF_VFP_VEC BIT(6) /* FPSCR.Len or Stride differs from 0: VFP arithmetic is undefined, there are no short vectors */
#define ARM_BF_IT_SHIFT 8     /* 8 bits: ITSTATE at block entry */
#define ARM_BF_SWPEN   BIT(16) /* SCTLR.SW */

struct arm_cp15 {
    uint32_t sctlr, actlr, cpacr;
    uint64_t ttbr0, ttbr1;  /* 64-bit with LPAE */
    uint32_t ttbcr, dacr;
    uint32_t dfsr, ifsr, dfar, ifar;
    uint64_t par;
    uint32_t prrr, nmrr;    /* = MAIR0, MAIR1 with TTBCR.EAE */
    uint32_t vbar, contextidr;
    uint32_t tpidrurw, tpidruro, tpidrprw;
    uint32_t csselr;
    uint32_t pmcr, pmcnten, pmselr, pmuserenr, pminten, pmovsr;
    uint64_t pmccntr_base;
    uint32_t l2ctlr, l2ectlr;
    uint32_t teecr, teehbr;
    uint32_t dbgdscr, dbgvcr, os_lock, dbg[4][16]; /* dbg: BVR, BCR, WVR, WCR */
};

struct arm_cpu {
    struct vcpu v; /* first */

    /* CPSR pieces */
    uint8_t mode;    /* enum arm_mode */
    uint8_t q;       /* 0 or 1 */
    uint8_t mask;    /* CPSR A, I, F bits as in the CPSR >> 6: bit 0 F, bit 1 I, bit 2 A */
    uint8_t big;     /* CPSR.E: 0 or 1 */
    uint32_t ge_off; /* CPSR.GE inverted, a byte for each bit: 0xff where GE is 0, 0 where it is 1 */

    /* banked registers not in vcpu.gpr at the moment */
    uint32_t bank_sp[BANK_COUNT], bank_lr[BANK_COUNT], bank_spsr[BANK_COUNT];
    uint32_t usr_r8_12[5], fiq_r8_12[5]; /* the inactive set is valid */

    struct arm_cp15 cp15;

    /* VFP and Advanced SIMD: D0-D31 little-endian, S0..S31 and Q0..Q15 overlay them */
    uint64_t d[32] __attribute__((aligned(16)));
    uint32_t fp_flags; /* FPSCR.NZCV in flags_pack()'s form, for IR_OP_LDF */
    uint32_t fpscr;   /* without NZCV; cumulative bits OR-ed with MXCSR's on reading */
    uint32_t fpexc;
    uint8_t fp_usable[2]; /* [privileged]: CPACR grants access and FPEXC.EN; kept by arm_fp_usable_update() */
    uint32_t mxcsr;   /* host MXCSR for scalar VFP that corresponds to fpscr */
    uint64_t fp_scratch[8] __attribute__((aligned(16))); /* of translated VFP/Advanced SIMD code, within one guest instruction */

    uint32_t cp_high; /* high word of the last 64-bit coprocessor read */
    uint32_t event;   /* event register of WFE/SEV */
    uint32_t reported_unimplemented, reported_insn[32]; /* unimplemented instructions told to the user: how many, which */
    /* the last data or prefetch abort, for mapping its page at exception return */
    uint32_t abort_va;
    uint8_t abort_pending; /* the mode it came from, or 0 */
    uint8_t abort_write;

    struct arm_gic gic;
    struct arm_timer timer;

    /* Compiled decode tables: NULL until the first translation, which builds them in the arm_decoder_size() bytes that guest_vcpu_size() counts
     * behind this structure (at ARM_DECODER_OFFSET). */
    struct arm_decoder *decoder;
};

#define ARM_DECODER_OFFSET ALIGN_UP(sizeof(struct arm_cpu), 64)

static inline struct arm_cpu *arm_cpu_of(struct vcpu *v) { return container_of(v, struct arm_cpu, v); }
static inline const struct arm_cpu *arm_cpu_of_const(const struct vcpu *v) { return container_of(v, const struct arm_cpu, v); }

/* Byte offset of a field from struct vcpu, for IR state accesses. */
#define ARM_OFF(field) ((uint32_t)offsetof(struct arm_cpu, field))

enum arm_bank arm_bank_of(unsigned mode);
bool arm_mode_valid(unsigned mode);
uint32_t arm_cpsr_read(const struct arm_cpu *c);
/* Write the CPSR bits in `mask`; switches banks when the mode changes, calls engine_regime_changed() when privilege does. T and IT go to
 * vcpu.pc bit 0 and vcpu.restart only when mask covers them. */
void arm_cpsr_write(struct arm_cpu *c, uint32_t value, uint32_t mask);
void arm_ge_write(struct arm_cpu *c, uint32_t ge); /* CPSR.GE: four bits */
uint32_t arm_spsr_read(const struct arm_cpu *c);
void arm_spsr_write(struct arm_cpu *c, uint32_t value, uint32_t mask);

void arm_cp15_reset(struct arm_cpu *c);
void arm_fp_usable_update(struct arm_cpu *c); /* after FPEXC or CPACR changed */
/* Bring the levels of shared->spi_level into the GIC. */
void arm_gic_latch(struct arm_cpu *c);
/* Is an interrupt signalled by the GIC and not masked? */
bool arm_interrupt_due(const struct arm_cpu *c);
/* Sleep in the host until an interrupt is signalled (masked or not) or the dispatcher has something to do. */
void arm_wait_for_interrupt(struct arm_cpu *c);

enum arm_vector { ARM_VEC_RESET, ARM_VEC_UNDEF, ARM_VEC_SVC, ARM_VEC_PABT, ARM_VEC_DABT, ARM_VEC_HYP, ARM_VEC_IRQ, ARM_VEC_FIQ };

/* Take an exception (ARM ARM B1.8.3) from the instruction at vcpu.pc: sets mode, SPSR, LR (with the preferred return offset for the vector and
 * state), pc, masks. svc: vcpu.pc is the SVC instruction itself. Does not unwind. */
void arm_take_exception(struct arm_cpu *c, enum arm_vector vec);

/* Exception return (MOVS pc / LDM^ / RFE / ERET): to `pc` (bits as read) with `spsr`. Sets vcpu.pc. */
void arm_exception_return(struct arm_cpu *c, uint32_t pc, uint32_t spsr);

/* IR helpers of the system side (signature ir_helper). They are called with IR_CALL_RAISE | IR_CALL_GPR unless noted.
 * The NORETURN ones set the exception state and host_unwind(). */
uint32_t arm_helper_svc(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t next_it); /* next_it: ITSTATE to return with */
uint32_t arm_helper_undef(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);         /* architecturally undefined */
uint32_t arm_helper_unimplemented(void *cpu, uint32_t a, uint32_t b, uint32_t insn, uint32_t imm2);/* reports once (bytes, pc), then undef */
uint32_t arm_helper_bkpt(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);          /* prefetch abort, debug event */
uint32_t arm_helper_prefetch_abort(void *cpu, uint32_t va, uint32_t b, uint32_t code, uint32_t imm2);
uint32_t arm_helper_misaligned_pc(void *cpu, uint32_t va, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_helper_hvc(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t is_smc);         /* PSCI; returns, result in gpr[0] */
uint32_t arm_helper_wfi(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);           /* sleeps; caller ends block with EXIT_LOOKUP */
uint32_t arm_helper_wfe(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_helper_dsb(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);           /* pure: no call flags */
uint32_t arm_helper_sev(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_helper_cpsr_read(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);     /* RFLAGS */
uint32_t arm_helper_cpsr_write(void *cpu, uint32_t value, uint32_t b, uint32_t mask, uint32_t imm2); /* WFLAGS; mask already limited by the instruction, privilege
                                                                                                        applied here; never T/IT/J. Caller ends block (EXIT_LOOKUP) if mask has more than flags */
uint32_t arm_helper_spsr_read(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);
uint32_t arm_helper_spsr_write(void *cpu, uint32_t value, uint32_t b, uint32_t mask, uint32_t imm2);
uint32_t arm_helper_mrs_banked(void *cpu, uint32_t a, uint32_t b, uint32_t sysm_r, uint32_t imm2); /* sysm_r = R << 5 | SYSm */
uint32_t arm_helper_msr_banked(void *cpu, uint32_t value, uint32_t b, uint32_t sysm_r, uint32_t imm2);
uint32_t arm_helper_cps(void *cpu, uint32_t a, uint32_t b, uint32_t set_mask, uint32_t clear_mask_mode); /* imm: AIF to set (CPSR bits); imm2: AIF to clear | new mode
                                                                                                         (0 = keep) in low 5 bits; no effect in user mode */
uint32_t arm_helper_setend(void *cpu, uint32_t a, uint32_t b, uint32_t big, uint32_t imm2);
uint32_t arm_helper_eret(void *cpu, uint32_t pc, uint32_t b, uint32_t imm, uint32_t imm2);        /* pc with current SPSR; caller: EXIT_RAISED */
uint32_t arm_helper_rfe(void *cpu, uint32_t pc, uint32_t cpsr, uint32_t imm, uint32_t imm2);      /* likewise, given CPSR */
uint32_t arm_helper_user_reg_read(void *cpu, uint32_t a, uint32_t b, uint32_t reg, uint32_t imm2); /* LDM/STM ^: user-bank register */
uint32_t arm_helper_user_reg_write(void *cpu, uint32_t value, uint32_t b, uint32_t reg, uint32_t imm2);
uint32_t arm_helper_mode_sp_read(void *cpu, uint32_t a, uint32_t b, uint32_t mode, uint32_t imm2); /* SRS */
uint32_t arm_helper_mode_sp_write(void *cpu, uint32_t value, uint32_t b, uint32_t mode, uint32_t imm2);
/* Coprocessor 14/15. key = cp << 28 | is64 << 27 | opc1 << 16 | crn << 12 | crm << 4 | opc2 (is64: opc1, crm only). The write returns non-zero when
 * the block must end... it always may: the front end asks arm_cp_flags(key, is_write, priv) when translating. */
uint32_t arm_helper_cp_read(void *cpu, uint32_t a, uint32_t b, uint32_t key, uint32_t imm2);   /* 64-bit: low word returned, high word in arm_cpu.cp_high */
uint32_t arm_helper_cp_write(void *cpu, uint32_t lo, uint32_t hi, uint32_t key, uint32_t imm2);
#define ARM_CP_UNDEF    1u /* no such register or no right: translate to Undefined */
#define ARM_CP_END      2u /* the write changes what blocks depend on: EXIT_LOOKUP after it */
#define ARM_CP_NOP      4u /* nothing to do at all */
#define ARM_CP_PLAIN    8u /* reading/writing is a plain 32-bit field: *offset is its ARM_OFF */
unsigned arm_cp_flags(uint32_t key, bool is_write, bool priv, uint32_t *offset);
uint32_t arm_cp_high_offset(void); /* ARM_OFF of the high word of a 64-bit read */

#endif
