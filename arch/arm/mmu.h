/*
 * mmu.h: VMSAv7 address translation (ARM ARM B3): regime bits and fault codes shared with exception.c and cp15.c.
 */
#ifndef ARM_MMU_H
#define ARM_MMU_H

#include <arch/arm/cpu.h>

/* guest_regime.control */
#define MMU_ON   BIT(0)
#define MMU_AFE  BIT(1) /* SCTLR.AFE: AP[0] is the access flag */
#define MMU_TRE  BIT(2) /* SCTLR.TRE: TEX remap */
#define MMU_LPAE BIT(3) /* TTBCR.EAE: long descriptors */
#define MMU_WXN  BIT(4)
#define MMU_UWXN BIT(5)
#define MMU_EE   BIT(6) /* SCTLR.EE: descriptors are big-endian */

/* guest_walk() fault codes: kind << 8 | level << 4 | domain; never 0. exception.c encodes them as FSR.FS or long-format STATUS. */
enum mmu_fault_kind { MMU_FAULT_TRANSLATION = 1, MMU_FAULT_ACCESS_FLAG, MMU_FAULT_DOMAIN, MMU_FAULT_PERMISSION, MMU_FAULT_WALK_EXTERNAL };
#define MMU_FAULT(kind, level, domain) ((int)((kind) << 8 | (level) << 4 | (domain)))
#define MMU_FAULT_KIND(code)   ((unsigned)(code) >> 8)
#define MMU_FAULT_LEVEL(code)  ((unsigned)(code) >> 4 & 15)
#define MMU_FAULT_DOMAIN(code) ((unsigned)(code) & 15)

/* What a failed access reports when guest_walk() gave `code` (0: translation valid but without the right): a fault code with level and domain. */
int arm_mmu_fault_code(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, int code);

/* FSR of a fault code in the current format (TTBCR.EAE), without the WnR bit. */
uint32_t arm_mmu_fsr(const struct arm_cpu *c, int code);

/* PAR for ATS1C* of va by that privilege's rights. Returns 0, or the fault code of an external abort on the walk: there is no PAR then. */
int arm_mmu_par(struct arm_cpu *c, uint32_t va, bool priv, bool write, uint64_t *par);

#endif
