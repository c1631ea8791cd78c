/*
 * mmu.h: the stage 1 translation regime of PL1&0 (ARM ARM B3): table walks, fault codes, and how a regime is summed up for views.
 */
#ifndef ARM_MMU_H
#define ARM_MMU_H

#include <arch/arm/cpu.h>

/* guest_regime.control */
#define ARM_REGIME_MMU  BIT(0) /* SCTLR.M; all other fields but priv are 0 without it */
#define ARM_REGIME_AFE  BIT(1) /* SCTLR.AFE: AP[0] is the access flag */
#define ARM_REGIME_TRE  BIT(2) /* SCTLR.TRE: TEX remap through PRRR and NMRR */
#define ARM_REGIME_EE   BIT(3) /* SCTLR.EE: descriptors are big-endian */
#define ARM_REGIME_WXN  BIT(4) /* SCTLR.WXN: writable is never executable */
#define ARM_REGIME_UWXN BIT(5) /* SCTLR.UWXN: writable by PL0 is not executable by PL1 */
#define ARM_REGIME_LPAE BIT(6) /* TTBCR.EAE: long descriptors */

/* Kinds of fault, independent of the descriptor format. */
enum arm_fault {
    ARM_FAULT_NONE,
    ARM_FAULT_TRANSLATION,
    ARM_FAULT_ACCESS_FLAG,
    ARM_FAULT_DOMAIN,
    ARM_FAULT_PERMISSION,
    ARM_FAULT_WALK_EXTERNAL, /* a descriptor could not be fetched */
    ARM_FAULT_EXTERNAL,
    ARM_FAULT_ALIGNMENT,
    ARM_FAULT_DEBUG,
    ARM_FAULT_COUNT,
};

/* The fault codes of guest_walk(): kind, level of the walk (1..3), domain (short descriptors). */
#define ARM_FAULT_CODE(kind, level, domain) ((int)(kind) | (int)(level) << 4 | (int)(domain) << 8)
#define ARM_FAULT_KIND(code)                ((unsigned)(code)&15)
#define ARM_FAULT_LEVEL(code)               ((unsigned)(code) >> 4 & 15)
#define ARM_FAULT_DOMAIN_OF(code)           ((unsigned)(code) >> 8 & 15)

/* All a walk finds out. */
struct arm_walk {
    struct guest_translation t;
    uint8_t level;  /* of the final descriptor */
    uint8_t domain; /* short descriptors */
    uint8_t attr;   /* long: the MAIR attribute byte; short: TEX << 2 | C << 1 | B */
    uint8_t share;  /* long: SH[1:0]; short: S */
};

/* As guest_walk(), with the details. 0 or a fault code; `level` and `domain` are valid either way. */
int arm_walk(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, struct arm_walk *w);

/* Fault status register value (DFSR or IFSR, without WnR) for a fault code in the format of TTBCR.EAE. */
uint32_t arm_fault_status(const struct arm_cpu *c, int code, bool is_fetch);

/* Address translation operations ATS1C{P,U}{R,W}: translate and fill the PAR. */
void arm_translate_to_par(struct arm_cpu *c, uint32_t va, bool priv, bool is_write);

#endif
