/*
 * cp15_table.c: the CP14 and CP15 registers of a Cortex-A15 without Security and Virtualization Extensions (ARM ARM B4, B6; Cortex-A15 TRM chapter 4).
 * Identification values are those QEMU's cortex-a15 shows on its virt board. Often used registers come first: rows are searched in order.
 */
#include <arch/arm/cp15.h>
#include <arch/arm/mmu.h>

/* --- memory system control --- */

static void write_and_switch(struct arm_cpu *c, uint32_t *field, uint64_t value)
{
    if (*field != (uint32_t)value) {
        *field = (uint32_t)value;
        engine_regime_changed(&c->v);
    }
}

static void dacr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { write_and_switch(c, &c->cp15.dacr, value); }
static void contextidr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { write_and_switch(c, &c->cp15.contextidr, value); }

/* What a Cortex-A15 lets be written (TRM 4.3.27); the other bits read as at reset. */
#define SCTLR_WRITABLE 0x72183c27u /* TE AFE TRE EE UWXN WXN V I Z SW CP15BEN C A M */
#define SCTLR_RESET    0x00c50078u
#define SCTLR_CP15BEN  BIT(5)

static void sctlr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    write_and_switch(c, &c->cp15.sctlr, (value & SCTLR_WRITABLE) | (SCTLR_RESET & ~SCTLR_WRITABLE));
}

/* Without Security Extensions the short format has no PD0 and PD1; reserved bits of the long format are zero. */
static void ttbcr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    write_and_switch(c, &c->cp15.ttbcr, value & (value >> 31 & 1 ? 0xffc73f87u : 7));
}

static uint64_t *ttbr_of(struct arm_cpu *c, uint32_t key)
{
    bool second = key & 1u << 27 ? key >> 16 & 1 : key & 1;
    return second ? &c->cp15.ttbr1 : &c->cp15.ttbr0;
}

static uint64_t ttbr_read(struct arm_cpu *c, uint32_t key) { return *ttbr_of(c, key); }

static void ttbr_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    uint64_t *ttbr = ttbr_of(c, key);

    if (!(key & 1u << 27))
        value |= *ttbr & ~0xffffffffull; /* a 32-bit access leaves the upper half */
    if (*ttbr != value) {
        *ttbr = value;
        engine_regime_changed(&c->v);
    }
}

/* Memory types do not change how armlet maps RAM; nothing is to be done for them. */

static void par_write(struct arm_cpu *c, uint32_t key, uint64_t value) { c->cp15.par = key & 1u << 27 ? value : (c->cp15.par & ~0xffffffffull) | value; }
static uint64_t par_read(struct arm_cpu *c, uint32_t key) { return key & 1u << 27 ? c->cp15.par : (uint32_t)c->cp15.par; }

static void ats_write(struct arm_cpu *c, uint32_t key, uint64_t va)
{
    unsigned opc2 = key & 7; /* privileged read, write, unprivileged read, write */
    int fault = arm_mmu_par(c, (uint32_t)va, !(opc2 & 2), opc2 & 1, &c->cp15.par);

    if (fault) { /* no answer: taken as a data abort, as by a write (B3.13.3) */
        guest_raise_abort(&c->v, (uint32_t)va, GUEST_WRITE, fault);
        c->v.exit_reason = VCPU_EXIT_RAISED;
        host_unwind(&c->v);
    }
}

/* --- maintenance --- */

static void tlb_all(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value UNUSED) { engine_tlb_all(&c->v); }
static void tlb_asid(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { engine_tlb_asid(&c->v, value & 0xff); }
static void tlb_va(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { engine_tlb_va(&c->v, (uint32_t)value & ~0xfffu, value & 0xff); }
static void tlb_va_all(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { engine_tlb_va(&c->v, (uint32_t)value & ~0xfffu, -1); }
static void icache_all(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value UNUSED) { engine_icache_all(&c->v); }
static void icache_va(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { engine_icache_va(&c->v, (uint32_t)value); }

static uint64_t ccsidr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    static const uint32_t ccsidr[] = {0x701fe00a, 0x201fe00a, 0x711fe07a}; /* L1 data, L1 instruction, L2 */
    uint32_t level = c->cp15.csselr & 15;
    return level < ARRAY_LEN(ccsidr) ? ccsidr[level] : 0;
}

static void csselr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { c->cp15.csselr = value & 15; }

/* Barriers as CP15 writes are undefined while SCTLR.CP15BEN is 0. */
static void barrier_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value UNUSED)
{
    if (!(c->cp15.sctlr & SCTLR_CP15BEN))
        arm_cp_undefined(c);
}

static void dsb_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    barrier_write(c, key, value);
    engine_tlb_barrier(&c->v);
}

static void wfi_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value UNUSED) { arm_wait_for_interrupt(c); }

/* Only the fields of coprocessors 10 and 11 and the Advanced SIMD and D32 disable bits are there; the rest is RAZ/WI. */
static void cpacr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    c->cp15.cpacr = (uint32_t)value & 0xc0f00000u;
    arm_fp_usable_update(c);
}

/* Interrupts that are signalled, masked or not. */
static uint64_t isr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    return (arm_gic_irq_line(&c->gic) ? CPSR_I : 0) | (arm_gic_fiq_line(&c->gic) ? CPSR_F : 0);
}

static void vbar_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { c->cp15.vbar = (uint32_t)value & ~31u; }

/* --- generic timer --- */

#define CNTKCTL_PL0PCTEN BIT(0)
#define CNTKCTL_PL0VCTEN BIT(1)
#define CNTKCTL_PL0VTEN  BIT(8)
#define CNTKCTL_PL0PTEN  BIT(9)

static void timer_right(struct arm_cpu *c, uint32_t bits)
{
    if (c->mode == ARM_USR && !(c->timer.cntkctl & bits))
        arm_cp_undefined(c);
}

static uint64_t virtual_count(struct arm_cpu *c) { return arm_timer_count(c) - c->timer.cntvoff; }

static uint64_t cntfrq_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    timer_right(c, CNTKCTL_PL0PCTEN | CNTKCTL_PL0VCTEN);
    return c->timer.cntfrq;
}

static uint64_t cntpct_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    timer_right(c, CNTKCTL_PL0PCTEN);
    return arm_timer_count(c);
}

static uint64_t cntvct_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    timer_right(c, CNTKCTL_PL0VCTEN);
    return virtual_count(c);
}

/* One timer's registers; the virtual ones have bit 0 of CRm (32-bit) or of opc1 (64-bit) set. */
struct timer_regs {
    uint32_t *ctl;
    uint64_t *cval;
    uint64_t count;
};

static struct timer_regs timer_regs(struct arm_cpu *c, uint32_t key)
{
    bool is_virtual = key & 1u << 27 ? key >> 16 & 1 : key >> 4 & 1;

    timer_right(c, is_virtual ? CNTKCTL_PL0VTEN : CNTKCTL_PL0PTEN);
    return is_virtual ? (struct timer_regs){&c->timer.cntv_ctl, &c->timer.cntv_cval, virtual_count(c)}
                      : (struct timer_regs){&c->timer.cntp_ctl, &c->timer.cntp_cval, arm_timer_count(c)};
}

static void timer_changed(struct arm_cpu *c)
{
    arm_timer_update(c);
    if (arm_interrupt_due(c))
        c->v.poll = 1;
}

static uint64_t tval_read(struct arm_cpu *c, uint32_t key)
{
    struct timer_regs t = timer_regs(c, key);
    return (uint32_t)(*t.cval - t.count);
}

static void tval_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    struct timer_regs t = timer_regs(c, key);
    *t.cval = t.count + (uint64_t)(int64_t)(int32_t)value;
    timer_changed(c);
}

static uint64_t ctl_read(struct arm_cpu *c, uint32_t key)
{
    struct timer_regs t = timer_regs(c, key);
    arm_timer_update(c);
    return *t.ctl;
}

static void ctl_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    struct timer_regs t = timer_regs(c, key);
    *t.ctl = value & 3;
    timer_changed(c);
}

static uint64_t cval_read(struct arm_cpu *c, uint32_t key) { return *timer_regs(c, key).cval; }

static void cval_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    *timer_regs(c, key).cval = value;
    timer_changed(c);
}

/* --- performance monitors: the cycle counter runs from the TSC; there are no event counters --- */

#define PMCR_E BIT(0)
#define PMCR_C BIT(2)
#define PMCR_D BIT(3)
#define PMCR_ID 0x410f0000u /* implementer, IDCODE; N = 0 */
#define PMCNTEN_C BIT(31)

static void pmu_right(struct arm_cpu *c)
{
    if (c->mode == ARM_USR && !(c->cp15.pmuserenr & 1))
        arm_cp_undefined(c);
}

static uint64_t cycles(const struct arm_cpu *c) { return __builtin_ia32_rdtsc() >> (c->cp15.pmcr & PMCR_D ? 6 : 0); }
static bool cycles_run(const struct arm_cpu *c) { return (c->cp15.pmcr & PMCR_E) && (c->cp15.pmcnten & PMCNTEN_C); }
/* pmccntr_base: the counter's value when stopped; when running, that value minus the cycles at the start. */
static uint64_t ccnt(const struct arm_cpu *c) { return c->cp15.pmccntr_base + (cycles_run(c) ? cycles(c) : 0); }
static void ccnt_set(struct arm_cpu *c, uint64_t value) { c->cp15.pmccntr_base = value - (cycles_run(c) ? cycles(c) : 0); }

/* The counter has 32 bits: what goes beyond is an overflow. */
static uint32_t ccnt_now(struct arm_cpu *c)
{
    uint64_t now = ccnt(c);

    if (now >> 32) {
        c->cp15.pmovsr |= PMCNTEN_C;
        ccnt_set(c, (uint32_t)now);
    }
    return (uint32_t)now;
}

static uint64_t pmcr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    return c->cp15.pmcr | PMCR_ID;
}

static void pmcr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    pmu_right(c);
    uint64_t now = ccnt_now(c);
    c->cp15.pmcr = value & 0x39;
    ccnt_set(c, value & PMCR_C ? 0 : now);
}

static uint64_t pmcnten_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    return c->cp15.pmcnten;
}

static void pmcnten_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    pmu_right(c);
    uint64_t now = ccnt_now(c);
    if (key & 1) /* PMCNTENSET */
        c->cp15.pmcnten |= value & PMCNTEN_C;
    else
        c->cp15.pmcnten &= ~(uint32_t)value;
    ccnt_set(c, now);
}

static uint64_t pmccntr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    return ccnt_now(c);
}

static void pmccntr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    pmu_right(c);
    ccnt_now(c);
    ccnt_set(c, value);
}

static uint64_t pmovs_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    ccnt_now(c);
    return c->cp15.pmovsr;
}

static void pmovs_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    pmu_right(c);
    ccnt_now(c);
    if (key >> 4 & 2) /* c14: PMOVSSET */
        c->cp15.pmovsr |= value & PMCNTEN_C;
    else
        c->cp15.pmovsr &= ~(uint32_t)value;
}

static void pmuserenr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { c->cp15.pmuserenr = value & 1; }

static uint64_t pm_zero_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    return 0;
}

static void pm_ignore_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value UNUSED) { pmu_right(c); }

static uint64_t pmselr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    pmu_right(c);
    return c->cp15.pmselr;
}

static void pmselr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    pmu_right(c);
    c->cp15.pmselr = value & 31;
}

static void pminten_write(struct arm_cpu *c, uint32_t key, uint64_t value)
{
    if (key & 1)
        c->cp15.pminten |= value & PMCNTEN_C;
    else
        c->cp15.pminten &= ~(uint32_t)value;
}

/* --- debug registers: they hold values; breakpoints and watchpoints do not fire --- */

static uint32_t *dbg_reg(struct arm_cpu *c, uint32_t key) { return &c->cp15.dbg[(key & 7) - 4][key >> 4 & 15]; }
static uint64_t dbg_read(struct arm_cpu *c, uint32_t key) { return *dbg_reg(c, key); }
static void dbg_write(struct arm_cpu *c, uint32_t key, uint64_t value) { *dbg_reg(c, key) = (uint32_t)value; }
static uint64_t oslsr_read(struct arm_cpu *c, uint32_t key UNUSED) { return 8 | (uint64_t)c->cp15.os_lock << 1; }
/* ThumbEE configuration: TEECR.XED keeps user mode from TEEHBR; there is no ThumbEE state to enter. */
static void teecr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { c->cp15.teecr = value & 1; }

static void teehbr_right(struct arm_cpu *c)
{
    if (c->mode == ARM_USR && (c->cp15.teecr & 1))
        arm_cp_undefined(c);
}

static uint64_t teehbr_read(struct arm_cpu *c, uint32_t key UNUSED)
{
    teehbr_right(c);
    return c->cp15.teehbr;
}

static void teehbr_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value)
{
    teehbr_right(c);
    c->cp15.teehbr = (uint32_t)value & ~3u;
}

static void oslar_write(struct arm_cpu *c, uint32_t key UNUSED, uint64_t value) { c->cp15.os_lock = value == 0xc5acce55; }

#define RW (CP_R | CP_W)
#define ALL (CP_R | CP_W | CP_UR | CP_UW)
#define FIELD(name) .field = ARM_OFF(cp15.name)
#define C15(opc1, crn, crm, opc2) .key = CP_KEY(15, opc1, crn, crm, opc2)
#define ID(opc1, crn, crm, opc2, v) {C15(opc1, crn, crm, opc2), .access = CP_R, .value = (v)}
#define ID_ZERO(crm) ID(0, 0, crm, 0, 0), ID(0, 0, crm, 1, 0), ID(0, 0, crm, 2, 0), ID(0, 0, crm, 3, 0), ID(0, 0, crm, 4, 0), ID(0, 0, crm, 5, 0), \
        ID(0, 0, crm, 6, 0), ID(0, 0, crm, 7, 0)
#define NOP_W(crn, crm, opc2) {C15(0, crn, crm, opc2), .access = CP_W, .nop = true}
#define TLB_ROWS(crm)                                                                                                                                \
    {C15(0, 8, crm, 0), .access = CP_W, .write = tlb_all}, {C15(0, 8, crm, 1), .access = CP_W, .write = tlb_va},                                     \
        {C15(0, 8, crm, 2), .access = CP_W, .write = tlb_asid}, {C15(0, 8, crm, 3), .access = CP_W, .write = tlb_va_all}
/* registers n of the four groups of breakpoints and watchpoints: c0, cN, 4..7 */
#define DBG_ROWS(n)                                                                                                                                  \
    {.key = CP_KEY(14, 0, 0, n, 4), .access = RW, .read = dbg_read, .write = dbg_write},                                                            \
        {.key = CP_KEY(14, 0, 0, n, 5), .access = RW, .read = dbg_read, .write = dbg_write},                                                        \
        {.key = CP_KEY(14, 0, 0, n, 6), .access = RW, .read = dbg_read, .write = dbg_write},                                                        \
        {.key = CP_KEY(14, 0, 0, n, 7), .access = RW, .read = dbg_read, .write = dbg_write}

const struct cp_row arm_cp_rows[] = {
    {C15(0, 3, 0, 0), .access = RW, FIELD(dacr), .write = dacr_write},
    {C15(0, 2, 0, 0), .access = RW, .read = ttbr_read, .write = ttbr_write},
    {C15(0, 2, 0, 1), .access = RW, .read = ttbr_read, .write = ttbr_write},
    {.key = CP_KEY64(15, 0, 2), .access = RW, .read = ttbr_read, .write = ttbr_write},
    {.key = CP_KEY64(15, 1, 2), .access = RW, .read = ttbr_read, .write = ttbr_write},
    {C15(0, 13, 0, 1), .access = RW, FIELD(contextidr), .write = contextidr_write},
    {.key = CP_KEY64(15, 1, 14), .access = CP_R | CP_UR, .read = cntvct_read},
    TLB_ROWS(7),
    TLB_ROWS(3),
    {C15(0, 7, 5, 0), .access = CP_W, .write = icache_all},
    {C15(0, 7, 5, 1), .access = CP_W, .write = icache_va},
    {C15(0, 7, 1, 0), .access = CP_W, .write = icache_all},
    {C15(0, 5, 0, 0), .access = RW, FIELD(dfsr)},
    {C15(0, 5, 0, 1), .access = RW, FIELD(ifsr)},
    {C15(0, 5, 1, 0), .access = RW, .nop = true}, /* ADFSR, AIFSR */
    {C15(0, 5, 1, 1), .access = RW, .nop = true},
    {C15(0, 6, 0, 0), .access = RW, FIELD(dfar)},
    {C15(0, 6, 0, 2), .access = RW, FIELD(ifar)},
    {C15(0, 13, 0, 2), .access = ALL, FIELD(tpidrurw)},
    {C15(0, 13, 0, 3), .access = RW | CP_UR, FIELD(tpidruro)},
    {C15(0, 13, 0, 4), .access = RW, FIELD(tpidrprw)},

    /* generic timer */
    {C15(0, 14, 0, 0), .access = RW | CP_UR, .read = cntfrq_read, .field = ARM_OFF(timer.cntfrq)},
    {C15(0, 14, 1, 0), .access = RW, .field = ARM_OFF(timer.cntkctl)},
    {C15(0, 14, 2, 0), .access = ALL, .read = tval_read, .write = tval_write},
    {C15(0, 14, 2, 1), .access = ALL, .read = ctl_read, .write = ctl_write},
    {C15(0, 14, 3, 0), .access = ALL, .read = tval_read, .write = tval_write},
    {C15(0, 14, 3, 1), .access = ALL, .read = ctl_read, .write = ctl_write},
    {.key = CP_KEY64(15, 0, 14), .access = CP_R | CP_UR, .read = cntpct_read},
    {.key = CP_KEY64(15, 2, 14), .access = ALL, .read = cval_read, .write = cval_write},
    {.key = CP_KEY64(15, 3, 14), .access = ALL, .read = cval_read, .write = cval_write},

    /* control */
    {C15(0, 1, 0, 0), .access = RW, .end = true, FIELD(sctlr), .write = sctlr_write},
    {C15(0, 1, 0, 1), .access = RW, FIELD(actlr)},
    {C15(0, 1, 0, 2), .access = RW, .end = true, FIELD(cpacr), .write = cpacr_write},
    {C15(0, 2, 0, 2), .access = RW, FIELD(ttbcr), .write = ttbcr_write},
    {C15(0, 10, 2, 0), .access = RW, FIELD(prrr)},
    {C15(0, 10, 2, 1), .access = RW, FIELD(nmrr)},
    {C15(0, 10, 3, 0), .access = RW, .nop = true}, /* AMAIR0, AMAIR1 */
    {C15(0, 10, 3, 1), .access = RW, .nop = true},
    {C15(0, 12, 0, 0), .access = RW, FIELD(vbar), .write = vbar_write},
    {C15(0, 12, 1, 0), .access = CP_R, .read = isr_read},
    {C15(0, 13, 0, 0), .access = RW, .nop = true}, /* FCSEIDR: no FCSE */
    {C15(1, 9, 0, 2), .access = RW, FIELD(l2ctlr)},
    {C15(1, 9, 0, 3), .access = RW, FIELD(l2ectlr)},
    {C15(4, 15, 0, 0), .access = CP_R, .value = GUEST_GICD_BASE}, /* CBAR */

    /* address translation */
    {C15(0, 7, 4, 0), .access = RW, .read = par_read, .write = par_write},
    {.key = CP_KEY64(15, 0, 7), .access = RW, .read = par_read, .write = par_write},
    {C15(0, 7, 8, 0), .access = CP_W, .write = ats_write},
    {C15(0, 7, 8, 1), .access = CP_W, .write = ats_write},
    {C15(0, 7, 8, 2), .access = CP_W, .write = ats_write},
    {C15(0, 7, 8, 3), .access = CP_W, .write = ats_write},

    /* caches and barriers: memory is coherent, only instruction caches matter */
    {C15(0, 7, 0, 4), .access = CP_W, .end = true, .write = wfi_write},
    {C15(0, 7, 5, 4), .access = CP_W | CP_UW, .end = true, .write = barrier_write}, /* CP15ISB */
    {C15(0, 7, 10, 4), .access = CP_W | CP_UW, .write = dsb_write},                  /* CP15DSB */
    {C15(0, 7, 10, 5), .access = CP_W | CP_UW, .write = barrier_write},              /* CP15DMB */
    NOP_W(7, 1, 6),  /* BPIALLIS */
    NOP_W(7, 5, 6),  /* BPIALL */
    NOP_W(7, 5, 7),  /* BPIMVA */
    NOP_W(7, 6, 1),  /* DCIMVAC */
    NOP_W(7, 6, 2),  /* DCISW */
    NOP_W(7, 10, 1), /* DCCMVAC */
    NOP_W(7, 10, 2), /* DCCSW */
    NOP_W(7, 11, 1), /* DCCMVAU */
    NOP_W(7, 13, 1),
    NOP_W(7, 14, 1), /* DCCIMVAC */
    NOP_W(7, 14, 2), /* DCCISW */
    TLB_ROWS(5),
    TLB_ROWS(6),

    /* identification */
    ID(0, 0, 0, 0, 0x414fc0f0), /* MIDR */
    ID(0, 0, 0, 1, 0x8444c004), /* CTR */
    ID(0, 0, 0, 2, 0),          /* TCMTR */
    ID(0, 0, 0, 3, 0),          /* TLBTR */
    ID(0, 0, 0, 4, 0x414fc0f0),
    ID(0, 0, 0, 5, 0x80000000), /* MPIDR: processor 0 */
    ID(0, 0, 0, 6, 0x414fc0f0), /* REVIDR */
    ID(0, 0, 0, 7, 0x414fc0f0),
    ID(0, 0, 1, 0, 0x00001131), /* ID_PFR0 */
    ID(0, 0, 1, 1, 0x00010001), /* ID_PFR1: generic timer; no Virtualization, no Security Extensions */
    ID(0, 0, 1, 2, 0x02010000), /* ID_DFR0: no debug architecture, as breakpoints do not fire */
    ID(0, 0, 1, 3, 0),
    ID(0, 0, 1, 4, 0x10201105), /* ID_MMFR0 */
    ID(0, 0, 1, 5, 0x20000000),
    ID(0, 0, 1, 6, 0x01240000),
    ID(0, 0, 1, 7, 0x02102211),
    ID(0, 0, 2, 0, 0x02101110), /* ID_ISAR0 */
    ID(0, 0, 2, 1, 0x13112111),
    ID(0, 0, 2, 2, 0x21232041),
    ID(0, 0, 2, 3, 0x11112131),
    ID(0, 0, 2, 4, 0x10011142),
    ID(0, 0, 2, 5, 0),
    ID(0, 0, 2, 6, 0),
    ID(0, 0, 2, 7, 0),
    {C15(1, 0, 0, 0), .access = CP_R, .read = ccsidr_read},
    ID(1, 0, 0, 1, 0x0a200023), /* CLIDR */
    ID(1, 0, 0, 7, 0),          /* AIDR */
    {C15(2, 0, 0, 0), .access = RW, FIELD(csselr), .write = csselr_write},

    /* performance monitors */
    {C15(0, 9, 12, 0), .access = ALL, .read = pmcr_read, .write = pmcr_write},
    {C15(0, 9, 12, 1), .access = ALL, .read = pmcnten_read, .write = pmcnten_write},
    {C15(0, 9, 12, 2), .access = ALL, .read = pmcnten_read, .write = pmcnten_write},
    {C15(0, 9, 12, 3), .access = ALL, .read = pmovs_read, .write = pmovs_write}, /* PMOVSR */
    {C15(0, 9, 12, 4), .access = CP_W | CP_UW, .write = pm_ignore_write},              /* PMSWINC */
    {C15(0, 9, 12, 5), .access = ALL, .read = pmselr_read, .write = pmselr_write},
    {C15(0, 9, 12, 6), .access = CP_R | CP_UR, .read = pm_zero_read}, /* PMCEID0 */
    {C15(0, 9, 12, 7), .access = CP_R | CP_UR, .read = pm_zero_read},
    {C15(0, 9, 13, 0), .access = ALL, .read = pmccntr_read, .write = pmccntr_write},
    {C15(0, 9, 13, 1), .access = ALL, .read = pm_zero_read, .write = pm_ignore_write}, /* PMXEVTYPER */
    {C15(0, 9, 13, 2), .access = ALL, .read = pm_zero_read, .write = pm_ignore_write}, /* PMXEVCNTR */
    {C15(0, 9, 14, 0), .access = RW | CP_UR, FIELD(pmuserenr), .write = pmuserenr_write},
    {C15(0, 9, 14, 1), .access = RW, FIELD(pminten), .write = pminten_write},
    {C15(0, 9, 14, 2), .access = RW, FIELD(pminten), .write = pminten_write},
    {C15(0, 9, 14, 3), .access = RW, .read = pmovs_read, .write = pmovs_write}, /* PMOVSSET */

    /* debug (CP14) */
    {.key = CP_KEY(14, 0, 0, 0, 0), .access = CP_R | CP_UR, .value = 0}, /* DBGDIDR: no breakpoints or watchpoints */
    {.key = CP_KEY(14, 0, 0, 1, 0), .access = CP_R | CP_UR},                      /* DBGDSCRint */
    {.key = CP_KEY(14, 0, 0, 2, 2), .access = RW, FIELD(dbgdscr)},
    {.key = CP_KEY(14, 0, 0, 7, 0), .access = RW, FIELD(dbgvcr)},
    {.key = CP_KEY(14, 0, 1, 0, 0), .access = CP_R | CP_UR}, /* DBGDRAR */
    {.key = CP_KEY64(14, 0, 1), .access = CP_R | CP_UR},
    {.key = CP_KEY(14, 0, 2, 0, 0), .access = CP_R | CP_UR}, /* DBGDSAR */
    {.key = CP_KEY64(14, 0, 2), .access = CP_R | CP_UR},
    {.key = CP_KEY(14, 0, 1, 0, 4), .access = CP_W, .write = oslar_write},
    {.key = CP_KEY(14, 0, 1, 1, 4), .access = CP_R, .read = oslsr_read},
    {.key = CP_KEY(14, 0, 1, 3, 4), .access = CP_R | CP_W, .nop = true}, /* DBGOSDLR */
    {.key = CP_KEY(14, 0, 1, 4, 4), .access = CP_R},                     /* DBGPRCR */
    {.key = CP_KEY(14, 0, 1, 5, 4), .access = CP_R, .value = 1},         /* DBGPRSR: powered up */
    {.key = CP_KEY(14, 0, 7, 14, 6), .access = CP_R},                    /* DBGAUTHSTATUS */
    DBG_ROWS(0), DBG_ROWS(1), DBG_ROWS(2), DBG_ROWS(3), DBG_ROWS(4), DBG_ROWS(5),
    {.key = CP_KEY(14, 7, 0, 0, 0), .access = CP_R, .value = 0}, /* JIDR: trivial Jazelle */
    {.key = CP_KEY(14, 7, 2, 0, 0), .access = RW, .nop = true},  /* JMCR */
    {.key = CP_KEY(14, 7, 1, 0, 0), .access = RW, .nop = true},  /* JOSCR */
    {.key = CP_KEY(14, 6, 0, 0, 0), .access = RW, FIELD(teecr), .write = teecr_write},
    {.key = CP_KEY(14, 6, 1, 0, 0), .access = ALL, .read = teehbr_read, .write = teehbr_write},

    /* identification registers not given out yet read as zero (B3.17.2) */
    ID_ZERO(3), ID_ZERO(4), ID_ZERO(5), ID_ZERO(6), ID_ZERO(7),
};

const unsigned arm_cp_row_count = ARRAY_LEN(arm_cp_rows);

void arm_cp15_reset(struct arm_cpu *c)
{
    c->cp15 = (struct arm_cp15){.sctlr = SCTLR_RESET, .l2ctlr = BIT(23)}; /* L2CTLR: one processor, interrupt controller present */
}
