/*
 * cp15.h: system control registers as a table of rows; see cp15_table.c for the rows, cp15.c for finding and using them.
 */
#ifndef ARM_CP15_H
#define ARM_CP15_H

#include <arch/arm/cpu.h>

/* key of the IR helpers: coprocessor, opc1, CRn, CRm, opc2 */
#define CP_KEY(cp, opc1, crn, crm, opc2) ((uint32_t)(cp) << 28 | (opc1) << 16 | (crn) << 12 | (crm) << 4 | (opc2))
#define CP_KEY64(cp, opc1, crm)          ((uint32_t)(cp) << 28 | 1u << 27 | (opc1) << 16 | (crm) << 4)

enum cp_access {
    CP_R = 1,  /* privileged read */
    CP_W = 2,
    CP_UR = 4, /* unprivileged read (may still be refused at run time by the function) */
    CP_UW = 8,
};

struct cp_row {
    uint32_t key;
    uint8_t access; /* enum cp_access */
    bool end;       /* a write changes what blocks are specialised on */
    bool nop;       /* a write does nothing */
    uint32_t field; /* CP_FIELD() of the 32-bit value, or 0: constant or function */
    uint32_t value; /* read without field and function */
    uint64_t (*read)(struct arm_cpu *c, uint32_t key);
    void (*write)(struct arm_cpu *c, uint32_t key, uint64_t value);
};

extern const struct cp_row arm_cp_rows[];
extern const unsigned arm_cp_row_count;

/* For row functions that find no right at run time: does not return. */
_Noreturn void arm_cp_undefined(struct arm_cpu *c);

#endif
