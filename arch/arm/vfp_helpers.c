/*
 * vfp_helpers.c: exact VFP operations, and the system registers of VFP.
 *
 * Called when FPSCR asks for other than default behaviour, for rare operations, and as fix-up of inline ones (see vfp.h). The arithmetic is
 * integer arithmetic (vfp_soft.h). Exceptions accumulate in two places: in arm_cpu.fpscr, from here, and in the host's MXCSR, from inline
 * code; the FPSCR as read is the union.
 */
#include <arch/arm/vfp.h>

#define MXCSR_IE    0x01u
#define MXCSR_ZE    0x04u
#define MXCSR_OE    0x08u
#define MXCSR_UE    0x10u
#define MXCSR_PE    0x20u
#define MXCSR_MASKS 0x1f80u
#define MXCSR_DAZ   0x0040u
#define MXCSR_FTZ   0x8000u

/* FPSCR bits a Cortex-A15 keeps, NZCV aside */
#define FPSCR_STORED (FPSCR_QC | FPSCR_AHP | FPSCR_DN | FPSCR_FZ | FPSCR_RMODE | FPSCR_STRIDE | FPSCR_LEN | FPSCR_EXC)

uint32_t arm_fpscr_read(struct arm_cpu *c)
{
    uint32_t x = __builtin_ia32_stmxcsr(), f = c->fpscr;

    /* MXCSR's denormal-operand bit is no ARM exception: IDC belongs to flush-to-zero, which is done in integers. */
    f |= (x & MXCSR_IE ? FPSCR_IOC : 0) | (x & MXCSR_ZE ? FPSCR_DZC : 0) | (x & MXCSR_OE ? FPSCR_OFC : 0) | (x & MXCSR_UE ? FPSCR_UFC : 0) |
         (x & MXCSR_PE ? FPSCR_IXC : 0);
    return f | flags_unpack(c->fp_flags);
}

void arm_fpscr_write(struct arm_cpu *c, uint32_t value)
{
    static const uint16_t rounding[4] = {[FP_RN] = 0, [FP_RP] = 0x4000, [FP_RM] = 0x2000, [FP_RZ] = 0x6000};

    c->fp_flags = flags_pack(value);
    c->fpscr = value & FPSCR_STORED;
    c->mxcsr = MXCSR_MASKS | rounding[value >> 22 & 3] | (value & FPSCR_FZ ? MXCSR_FTZ | MXCSR_DAZ : 0);
    __builtin_ia32_ldmxcsr(c->mxcsr);
}

uint32_t arm_vfp_fpscr_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    return arm_fpscr_read(cpu);
}

uint32_t arm_vfp_fpscr_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t imm UNUSED, uint32_t imm2 UNUSED)
{
    arm_fpscr_write(cpu, value);
    return 0;
}

/* CPACR.CP10 and CP11: is this privileged access allowed? */
static bool cpacr_allows(const struct arm_cpu *c)
{
    return (c->cp15.cpacr >> 20 & 5) == 5;
}

uint32_t arm_vfp_sys_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t reg, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    if (!cpacr_allows(c))
        arm_helper_undef(cpu, 0, 0, 0, 0);
    switch (reg) { /* Cortex-A15 TRM, table 11-2 */
    case 0:
        return 0x410430f0; /* FPSID */
    case 6:
        return 0x11111111; /* MVFR1 */
    case 7:
        return 0x10110222; /* MVFR0 */
    default:
        return c->fpexc;
    }
}

uint32_t arm_vfp_sys_write(void *cpu, uint32_t value, uint32_t b UNUSED, uint32_t reg, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;

    if (!cpacr_allows(c))
        arm_helper_undef(cpu, 0, 0, 0, 0);
    if (reg == 8)
        c->fpexc = value & BIT(30); /* EN; there is no subarchitecture state */
    arm_fp_usable_update(c);
    return 0;
}

/* --- arithmetic --- */

static uint64_t get(struct arm_cpu *c, enum fp_fmt f, unsigned r)
{
    return f == FP64 ? c->d[r] : *vfp_s(c, r);
}

static void put(struct arm_cpu *c, enum fp_fmt f, unsigned r, uint64_t x)
{
    if (f == FP64)
        c->d[r] = x;
    else
        *vfp_s(c, r) = (uint32_t)x;
}

static enum fp_fmt fmt_of(uint32_t imm)
{
    return imm & VFP_DOUBLE ? FP64 : FP32;
}

static uint64_t arith(struct fp_env *e, enum fp_fmt f, enum vfp_op op, uint64_t d, uint64_t n, uint64_t m)
{
    switch (op) {
    case VFP_ADD:
        return fp_add(e, f, n, m);
    case VFP_SUB:
        return fp_sub(e, f, n, m);
    case VFP_MUL:
        return fp_mul(e, f, n, m);
    case VFP_NMUL:
        return fp_neg(f, fp_mul(e, f, n, m));
    case VFP_DIV:
        return fp_div(e, f, n, m);
    case VFP_SQRT:
        return fp_sqrt(e, f, m);
    case VFP_MLA:
        return fp_add(e, f, d, fp_mul(e, f, n, m));
    case VFP_MLS:
        return fp_add(e, f, d, fp_neg(f, fp_mul(e, f, n, m)));
    case VFP_NMLA:
        return fp_add(e, f, fp_neg(f, d), fp_neg(f, fp_mul(e, f, n, m)));
    case VFP_NMLS:
        return fp_add(e, f, fp_neg(f, d), fp_mul(e, f, n, m));
    case VFP_FMA:
        return fp_muladd(e, f, d, n, m);
    case VFP_FMS:
        return fp_muladd(e, f, d, fp_neg(f, n), m);
    case VFP_FNMA:
        return fp_muladd(e, f, fp_neg(f, d), fp_neg(f, n), m);
    default: /* VFP_FNMS */
        return fp_muladd(e, f, fp_neg(f, d), n, m);
    }
}

uint32_t arm_vfp_arith(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt f = fmt_of(imm);
    unsigned d = vfp_d(imm);

    put(c, f, d, arith(&e, f, (enum vfp_op)(imm & VFP_OP), get(c, f, d), get(c, f, vfp_n(imm)), get(c, f, vfp_m(imm))));
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_compare(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt f = fmt_of(imm);
    unsigned r = fp_compare(&e, f, get(c, f, vfp_d(imm)), imm & VFP_CMP_ZERO ? 0 : get(c, f, vfp_m(imm)), imm & VFP_CMP_E);

    c->fp_flags = flags_pack(r << 28);
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_convert(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt from = fmt_of(imm), to = from == FP64 ? FP32 : FP64;

    put(c, to, vfp_d(imm), fp_convert(&e, to, from, get(c, from, vfp_m(imm))));
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_half(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    uint32_t *d = vfp_s(c, vfp_d(imm)), m = *vfp_s(c, vfp_m(imm));
    unsigned shift = imm & VFP_HALF_TOP ? 16 : 0;

    if (imm & VFP_HALF_TO)
        *d = (*d & ~(0xffffu << shift)) | (uint32_t)fp_convert(&e, FP16, FP32, m) << shift;
    else
        *d = (uint32_t)fp_convert(&e, FP32, FP16, m >> shift & 0xffff);
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_to_int(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt f = fmt_of(imm);
    enum fp_round mode = imm & VFP_INT_FPSCR ? (enum fp_round)(c->fpscr >> 22 & 3) : FP_RZ;

    *vfp_s(c, vfp_d(imm)) = fp_to_int(&e, f, get(c, f, vfp_m(imm)), 0, 32, imm & VFP_INT_SIGNED, mode);
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_to_fixed(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt f = fmt_of(imm);
    bool is_signed = imm & VFP_INT_SIGNED;
    uint32_t r = fp_to_int(&e, f, get(c, f, vfp_d(imm)), vfp_n(imm), imm & VFP_INT_16 ? 16 : 32, is_signed, FP_RZ);

    put(c, f, vfp_d(imm), is_signed ? (uint64_t)(int64_t)(int32_t)r : r); /* extended to the whole register */
    c->fpscr |= e.exc;
    return 0;
}

uint32_t arm_vfp_from_fixed(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t imm, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    struct fp_env e = fp_env_of(c->fpscr);
    enum fp_fmt f = fmt_of(imm);
    uint32_t bits = (uint32_t)get(c, f, vfp_d(imm));
    int64_t x;

    if (imm & VFP_INT_16)
        x = imm & VFP_INT_SIGNED ? (int16_t)bits : (uint16_t)bits;
    else
        x = imm & VFP_INT_SIGNED ? (int32_t)bits : (int64_t)bits;
    put(c, f, vfp_d(imm), fp_from_int(&e, f, x, vfp_n(imm), FP_RN)); /* always to nearest: FPRoundingMode RN */
    c->fpscr |= e.exc;
    return 0;
}
