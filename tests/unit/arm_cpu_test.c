/*
 * arm_cpu_test.c: banked registers, exception entry and return, aborts' status, system registers, PSCI, waiting.
 */
#include "arm_stub.h"

#include <arch/arm/psci.h>

static struct arm_cpu *cpu(void)
{
    return stub.cpu;
}

static const uint8_t modes[] = {ARM_USR, ARM_FIQ, ARM_IRQ, ARM_SVC, ARM_ABT, ARM_UND, ARM_SYS};

static void set_mode(unsigned mode)
{
    arm_cpsr_write(cpu(), mode, CPSR_MODE);
}

static void test_reset(void **state UNUSED)
{
    assert_int_equal(arm_cpsr_read(cpu()), ARM_SVC | CPSR_A | CPSR_I | CPSR_F);
    assert_int_equal(cpu()->v.pc, 0x40010000);
    assert_int_equal(cpu()->v.gpr[1], 0xffffffff);
    assert_int_equal(cpu()->mxcsr, 0x1f80);
    assert_int_equal(cpu()->cp15.sctlr, 0x00c50078);
}

static void test_banks(void **state UNUSED)
{
    /* a distinct value in each register of each mode, then all of them again, in another order of modes */
    for (unsigned m = 0; m < ARRAY_LEN(modes); m++) {
        set_mode(modes[m]);
        for (unsigned r = 8; r < 15; r++)
            if (modes[m] == ARM_FIQ || r > 12 || modes[m] == ARM_USR)
                cpu()->v.gpr[r] = modes[m] << 8 | r;
        if (modes[m] != ARM_USR && modes[m] != ARM_SYS)
            arm_spsr_write(cpu(), modes[m] << 16, ~0u);
    }
    for (unsigned k = 0; k < 49; k++) {
        unsigned mode = modes[k * 3 % 7];
        set_mode(mode);
        for (unsigned r = 8; r < 15; r++) {
            unsigned owner = mode == ARM_FIQ ? ARM_FIQ : r <= 12 ? ARM_USR : mode == ARM_USR ? ARM_SYS : mode; /* SYS wrote last */
            assert_int_equal(cpu()->v.gpr[r], owner << 8 | r);
        }
        if (mode != ARM_USR && mode != ARM_SYS)
            assert_int_equal(arm_spsr_read(cpu()), mode << 16);
        assert_int_equal(arm_helper_user_reg_read(cpu(), 0, 0, 10, 0), ARM_USR << 8 | 10);
        assert_int_equal(arm_helper_user_reg_read(cpu(), 0, 0, 13, 0), ARM_SYS << 8 | 13);
        assert_int_equal(arm_helper_mode_sp_read(cpu(), 0, 0, ARM_UND, 0), ARM_UND << 8 | 13);
    }
}

static void test_cpsr_fields(void **state UNUSED)
{
    struct arm_cpu *c = cpu();
    const uint32_t it = 3u << 25 | 0x3fu << 10, all = 0xf8000000u | CPSR_GE | CPSR_E | CPSR_A | CPSR_I | CPSR_F | CPSR_T | it;

    for (uint32_t bit = 1; bit; bit <<= 1) {
        if (!(all & bit))
            continue;
        uint32_t field = bit & it ? it : bit & CPSR_GE ? CPSR_GE : bit; /* these are written as a whole */
        arm_cpsr_write(c, 0, all);
        assert_int_equal(arm_cpsr_read(c), ARM_SVC);
        arm_cpsr_write(c, bit, field);
        assert_int_equal(arm_cpsr_read(c), ARM_SVC | bit);
        arm_cpsr_write(c, ~field, field);
        assert_int_equal(arm_cpsr_read(c), ARM_SVC);
    }
    arm_cpsr_write(c, 0, all);
    arm_cpsr_write(c, ARM_HYP, CPSR_MODE); /* no such modes */
    arm_cpsr_write(c, ARM_MON, CPSR_MODE);
    arm_cpsr_write(c, 0, CPSR_MODE);
    assert_int_equal(c->mode, ARM_SVC);
    set_mode(ARM_USR);
    arm_helper_cpsr_write(c, ARM_SVC | CPSR_I | CPSR_N | CPSR_GE, 0, ~0u, 0);
    assert_int_equal(arm_cpsr_read(c), ARM_USR | CPSR_N | CPSR_GE);
    arm_helper_cps(c, 0, 0, CPSR_I, ARM_SVC);
    assert_int_equal(arm_cpsr_read(c), ARM_USR | CPSR_N | CPSR_GE);
}

static void test_regime_changes(void **state UNUSED)
{
    stub.regime_changes = 0;
    set_mode(ARM_IRQ);
    set_mode(ARM_SYS);
    assert_int_equal(stub.regime_changes, 0); /* privileged all the time */
    set_mode(ARM_USR);
    assert_int_equal(stub.regime_changes, 1);
    arm_take_exception(cpu(), ARM_VEC_SVC);
    assert_int_equal(stub.regime_changes, 2);
    arm_helper_cp_write(cpu(), 5, 0, CP_KEY(15, 0, 3, 0, 0), 0);
    assert_int_equal(stub.regime_changes, 3);
    arm_helper_cp_write(cpu(), 5, 0, CP_KEY(15, 0, 3, 0, 0), 0); /* the same value */
    assert_int_equal(stub.regime_changes, 3);
}

/* Table B1-7: offsets of LR; B1.8.3 and following: mode and masks. */
static void test_exception_entry(void **state UNUSED)
{
    static const struct {
        uint8_t vec, mode, a32, t32, set;
    } want[] = {
        {ARM_VEC_UNDEF, ARM_UND, 4, 2, 2}, {ARM_VEC_SVC, ARM_SVC, 4, 2, 2}, {ARM_VEC_PABT, ARM_ABT, 4, 4, 6},
        {ARM_VEC_DABT, ARM_ABT, 8, 8, 6},  {ARM_VEC_IRQ, ARM_IRQ, 4, 4, 6}, {ARM_VEC_FIQ, ARM_FIQ, 4, 4, 7},
    };
    struct arm_cpu *c = cpu();

    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        for (unsigned variant = 0; variant < 32; variant++) {
            bool thumb = variant & 1, high = variant & 2, ee = variant & 4, te = variant & 8, masked = variant & 16;
            uint32_t cpsr = (variant % 3 ? ARM_USR : ARM_SYS) | CPSR_C | (thumb ? CPSR_T | 5u << 10 : 0) | (masked ? CPSR_F | CPSR_A : 0);
            set_mode(ARM_SVC);
            arm_cpsr_write(c, cpsr, ~0u);
            c->cp15.sctlr = (high ? BIT(13) : 0) | (ee ? BIT(25) : 0) | (te ? BIT(30) : 0);
            c->cp15.vbar = 0x12340000;
            c->v.pc = 0x8000 | thumb;
            c->v.excl_addr = 0x100;
            arm_take_exception(c, want[i].vec);
            assert_int_equal(c->mode, want[i].mode);
            assert_int_equal(arm_spsr_read(c), cpsr);
            assert_int_equal(c->v.gpr[14], 0x8000 + (thumb ? want[i].t32 : want[i].a32));
            assert_int_equal(c->v.pc, ((high ? 0xffff0000u : 0x12340000u) + 4u * want[i].vec) | te);
            assert_int_equal(c->mask, want[i].set | (masked ? 5 : 0));
            assert_int_equal(c->big, ee);
            assert_int_equal(c->v.restart, 0);
            assert_int_equal(flags_unpack(c->v.flags) >> 28, IR_C);
            arm_exception_return(c, 0x9002, arm_spsr_read(c));
            assert_int_equal(arm_cpsr_read(c), cpsr);
            assert_int_equal(c->v.pc, thumb ? 0x9003 : 0x9000);
            assert_int_equal(c->v.excl_addr, ~0u);
        }
    }
}

static void test_aborts(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    c->cp15.sctlr |= 1;
    c->cp15.ttbr0 = 0x40100000;
    c->cp15.dacr = 1;
    set_mode(ARM_USR);
    c->v.pc = 0x8000;
    guest_raise_abort(&c->v, 0x1234, GUEST_WRITE, MMU_FAULT(MMU_FAULT_TRANSLATION, 2, 3));
    assert_int_equal(c->cp15.dfsr, 0x837);
    assert_int_equal(c->cp15.dfar, 0x1234);
    assert_int_equal(c->mode, ARM_ABT);
    /* an interrupt of the handler returns to it: nothing is mapped yet; the return to the program maps the page */
    set_mode(ARM_SVC);
    arm_take_exception(c, ARM_VEC_IRQ);
    arm_exception_return(c, c->v.gpr[14] - 4, arm_spsr_read(c));
    assert_int_equal(stub.premaps, 0);
    arm_exception_return(c, 0x8000, ARM_USR);
    assert_int_equal(stub.premaps, 1);
    assert_int_equal(stub.premap_va, 0x1234);
    arm_take_exception(c, ARM_VEC_SVC);
    arm_exception_return(c, 0x8004, ARM_USR);
    assert_int_equal(stub.premaps, 1);

    ram_put32(0x40100000, 0x40000000 | 2 | 5u >> 2 << 15 | 1 << 10); /* read-only section */
    set_mode(ARM_SYS);
    guest_raise_abort(&c->v, 0x42, GUEST_WRITE, 0);
    assert_int_equal(c->cp15.dfsr, 0x80d);
    set_mode(ARM_SYS);
    guest_raise_abort(&c->v, 0x300000, GUEST_FETCH, MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0));
    assert_int_equal(c->cp15.ifsr & ~0xf0u, 0x005);
    assert_int_equal(c->cp15.ifar, 0x300000);
    assert_int_equal(c->cp15.dfar, 0x42);
    guest_raise_alignment(&c->v, 0x43, true);
    assert_int_equal(c->cp15.dfsr, 0x801);
    guest_raise_external(&c->v, 0x44, GUEST_READ);
    assert_int_equal(c->cp15.dfsr, 0x008);
    c->cp15.ttbcr = BIT(31);
    guest_raise_alignment(&c->v, 0x43, false);
    assert_int_equal(c->cp15.dfsr, 0x221);
    guest_raise_external(&c->v, 0x44, GUEST_FETCH);
    assert_int_equal(c->cp15.ifsr, 0x210);
    guest_raise_abort(&c->v, 0x45, GUEST_WRITE, MMU_FAULT(MMU_FAULT_ACCESS_FLAG, 3, 0));
    assert_int_equal(c->cp15.dfsr, 0xa0b);
}

static void test_interrupts(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    arm_gic_dist_write(&c->gic, 0, 4, 1);
    arm_gic_dist_write(&c->gic, 0x104, 4, 2);
    arm_gic_cpu_write(&c->gic, 4, 0xf8);
    arm_gic_cpu_write(&c->gic, 0, 1);
    stub.shared.spi_level[0] = 2; /* INTID 33 */
    guest_poll(&c->v);
    assert_int_equal(c->mode, ARM_SVC); /* masked */
    assert_int_equal(c->v.poll, 0);
    arm_cpsr_write(c, 0, CPSR_I);
    assert_int_equal(c->v.poll, 1); /* not lost */
    c->v.poll = 0;
    c->v.pc = 0x8000;
    guest_poll(&c->v);
    assert_int_equal(c->mode, ARM_IRQ);
    assert_int_equal(c->v.gpr[14], 0x8004);
    assert_int_equal(arm_gic_cpu_read(&c->gic, 0xc), 33);
    stub.shared.spi_level[0] = 0;
    uint64_t x;
    assert_true(guest_device_read(&c->v, GUEST_GICD_BASE + 0x204, 4, &x));
    assert_int_equal(x, 0); /* the line is latched before the read */
    assert_true(guest_device_write(&c->v, GUEST_GICC_BASE + 0x10, 4, 33));
    assert_false(guest_device_read(&c->v, GUEST_GICC_BASE + GUEST_GIC_SIZE, 4, &x));
    assert_false(guest_device_write(&c->v, GUEST_GICD_BASE - 4, 4, 0));
}

static void wake(struct vcpu *v)
{
    if (stub.host_calls == 3)
        v->poll = 1;
}

static void test_wait(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    stub.host_call = wake;
    arm_helper_wfi(c, 0, 0, 0, 0);
    assert_int_equal(stub.host_calls, 3); /* woken twice for nothing */
    assert_int_equal(stub.shared.req.type, HOST_REQ_WAIT);
    c->v.poll = 0;
    arm_gic_dist_write(&c->gic, 0, 4, 1);
    arm_gic_dist_write(&c->gic, 0xf00, 4, 2 << 24 | 5);
    arm_gic_cpu_write(&c->gic, 4, 0xf8);
    arm_gic_cpu_write(&c->gic, 0, 1);
    arm_helper_wfi(c, 0, 0, 0, 0); /* masked but pending: does not sleep */
    assert_int_equal(stub.host_calls, 3);
}

/* --- system registers --- */

static void test_cp_access(void **state UNUSED)
{
    uint32_t offset;

    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 0, 0, 0), false, false, &offset), ARM_CP_UNDEF);
    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 0, 0, 0), true, true, &offset), ARM_CP_UNDEF);
    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 13, 0, 3), false, false, &offset), ARM_CP_PLAIN);
    assert_int_equal(offset, ARM_OFF(cp15.tpidruro));
    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 13, 0, 3), true, false, &offset), ARM_CP_UNDEF);
    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 13, 0, 2), true, false, &offset), ARM_CP_PLAIN);
    assert_true(arm_cp_flags(CP_KEY(15, 0, 1, 0, 0), true, true, &offset) & ARM_CP_END);
    assert_true(arm_cp_flags(CP_KEY(15, 0, 7, 10, 1), true, true, &offset) & ARM_CP_NOP);
    assert_int_equal(arm_cp_flags(CP_KEY(15, 0, 7, 10, 1), true, false, &offset), ARM_CP_UNDEF);
    assert_int_equal(arm_cp_flags(CP_KEY(15, 7, 3, 3, 3), true, true, &offset), ARM_CP_UNDEF);
    assert_int_equal(arm_cp_flags(CP_KEY64(15, 5, 2), false, true, &offset), ARM_CP_UNDEF);
    for (unsigned i = 0; i < arm_cp_row_count; i++) { /* no register is there twice, and each has an access */
        assert_true(arm_cp_rows[i].access != 0);
        for (unsigned k = 0; k < i; k++)
            assert_true(arm_cp_rows[i].key != arm_cp_rows[k].key);
    }
}

static uint32_t read_cp(uint32_t key)
{
    return arm_helper_cp_read(cpu(), 0, 0, key, 0);
}
static void write_cp(uint32_t key, uint64_t x)
{
    arm_helper_cp_write(cpu(), (uint32_t)x, (uint32_t)(x >> 32), key, 0);
}

static void test_cp_values(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    assert_int_equal(read_cp(CP_KEY(15, 0, 0, 1, 1)), 0x00010001);
    write_cp(CP_KEY(15, 2, 0, 0, 0), 2);
    assert_int_equal(read_cp(CP_KEY(15, 1, 0, 0, 0)), 0x711fe07a);
    write_cp(CP_KEY64(15, 0, 2), 0x0012003456789abcull);
    assert_int_equal(read_cp(CP_KEY(15, 0, 2, 0, 0)), 0x56789abc);
    assert_int_equal(read_cp(CP_KEY64(15, 0, 2)), 0x56789abc);
    assert_int_equal(c->cp_high, 0x00120034);
    write_cp(CP_KEY(15, 0, 2, 0, 0), 0x1111);
    assert_true(c->cp15.ttbr0 == 0x0012003400001111ull);
    write_cp(CP_KEY(15, 0, 12, 0, 0), 0xfff);
    assert_int_equal(read_cp(CP_KEY(15, 0, 12, 0, 0)), 0xfe0);
    write_cp(CP_KEY(15, 0, 1, 0, 2), 0xffffffff);
    assert_int_equal(read_cp(CP_KEY(15, 0, 1, 0, 2)), 0xc0f00000);
    write_cp(CP_KEY(15, 0, 2, 0, 2), 0x37);
    assert_int_equal(read_cp(CP_KEY(15, 0, 2, 0, 2)), 7);

    write_cp(CP_KEY(15, 0, 8, 7, 0), 0);
    write_cp(CP_KEY(15, 0, 8, 3, 0), 0);
    assert_int_equal(stub.tlb_all, 2);
    write_cp(CP_KEY(15, 0, 8, 7, 1), 0x12345042);
    assert_int_equal(stub.last_va, 0x12345000);
    assert_int_equal(stub.last_asid, 0x42);
    write_cp(CP_KEY(15, 0, 8, 3, 3), 0x54321000);
    assert_int_equal(stub.last_va, 0x54321000);
    assert_int_equal(stub.last_asid, -1);
    write_cp(CP_KEY(15, 0, 8, 7, 2), 0x17);
    assert_int_equal(stub.tlb_asid, 1);
    assert_int_equal(stub.last_asid, 0x17);
    write_cp(CP_KEY(15, 0, 7, 5, 0), 0);
    write_cp(CP_KEY(15, 0, 7, 1, 0), 0);
    assert_int_equal(stub.icache_all, 2);
    write_cp(CP_KEY(15, 0, 7, 5, 1), 0x80001040);
    assert_int_equal(stub.icache_va, 1);
}

static void test_user_timer_access(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    set_mode(ARM_USR);
    switch (setjmp(stub.unwind)) {
    case 0:
        read_cp(CP_KEY64(15, 1, 14));
        fail_msg("the counter is readable in user mode without CNTKCTL.PL0VCTEN");
        break;
    default:
        assert_int_equal(c->mode, ARM_UND);
    }
    set_mode(ARM_SVC);
    c->timer.cntkctl = 2;
    set_mode(ARM_USR);
    if (setjmp(stub.unwind))
        fail_msg("the counter is not readable in user mode with CNTKCTL.PL0VCTEN");
    read_cp(CP_KEY64(15, 1, 14));
}

static void test_timer_registers(void **state UNUSED)
{
    struct arm_cpu *c = cpu();

    stub.shared.tsc_base = __builtin_ia32_rdtsc();
    write_cp(CP_KEY64(15, 3, 14), 0x100000000ull);
    assert_true(c->timer.cntv_cval == 0x100000000ull);
    write_cp(CP_KEY(15, 0, 14, 3, 0), 1000000);
    assert_in_range(c->timer.cntv_cval, 1000000, 2000000);
    assert_in_range(read_cp(CP_KEY(15, 0, 14, 3, 0)), 1, 1000000);
    write_cp(CP_KEY(15, 0, 14, 3, 0), (uint32_t)-5); /* signed */
    write_cp(CP_KEY(15, 0, 14, 3, 1), 3);
    assert_int_equal(read_cp(CP_KEY(15, 0, 14, 3, 1)), 7);
    write_cp(CP_KEY(15, 0, 14, 2, 0), 0x7fffffff);
    write_cp(CP_KEY(15, 0, 14, 2, 1), 1);
    assert_int_equal(read_cp(CP_KEY(15, 0, 14, 2, 1)), 1);
    assert_true(stub.shared.deadline_tsc != UINT64_MAX);
}

static void test_cycle_counter(void **state UNUSED)
{
    write_cp(CP_KEY(15, 0, 9, 13, 0), 100);
    assert_int_equal(read_cp(CP_KEY(15, 0, 9, 13, 0)), 100); /* stopped */
    write_cp(CP_KEY(15, 0, 9, 12, 1), BIT(31));
    write_cp(CP_KEY(15, 0, 9, 12, 0), 1);
    uint32_t a = read_cp(CP_KEY(15, 0, 9, 13, 0)), b = read_cp(CP_KEY(15, 0, 9, 13, 0));
    assert_true(a >= 100 && b > a);
    write_cp(CP_KEY(15, 0, 9, 12, 2), BIT(31));
    a = read_cp(CP_KEY(15, 0, 9, 13, 0));
    assert_int_equal(read_cp(CP_KEY(15, 0, 9, 13, 0)), a);
    write_cp(CP_KEY(15, 0, 9, 12, 0), 4); /* reset */
    assert_int_equal(read_cp(CP_KEY(15, 0, 9, 13, 0)), 0);
}

static void test_psci(void **state UNUSED)
{
    static const struct {
        uint32_t r[3];
        int32_t want;
    } calls[] = {
        {{0x84000000}, 0x00010000},
        {{0x84000003, 0, 0x40000000}, -4},
        {{0x84000003, 1, 0x40000000}, -2},
        {{0x84000004, 0}, 0},
        {{0x84000004, 7}, -2},
        {{0x84000006}, 2},
        {{0x8400000a, 0x84000008}, 0},
        {{0x8400000a, 0x84000077}, -1},
        {{0x84000055}, -1},
        {{0}, -1},
    };
    struct arm_cpu *c = cpu();

    for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
        memcpy(c->v.gpr, calls[i].r, sizeof(calls[i].r));
        arm_helper_hvc(c, 0, 0, 0, i & 1);
        assert_int_equal((int32_t)c->v.gpr[0], calls[i].want);
    }
    c->v.gpr[0] = 0x84000008;
    if (setjmp(stub.unwind) == 0) {
        arm_helper_hvc(c, 0, 0, 0, 0);
        fail_msg("SYSTEM_OFF returned");
    }
    assert_int_equal(stub.stop_reason, STOP_POWER_OFF);
    c->v.gpr[0] = 0x84000009;
    if (setjmp(stub.unwind) == 0) {
        arm_helper_hvc(c, 0, 0, 0, 0);
        fail_msg("SYSTEM_RESET returned");
    }
    assert_int_equal(stub.stop_reason, STOP_RESET);
}

static void test_print(void **state UNUSED)
{
    char text[600], small[16];

    cpu()->v.gpr[7] = 0xfeedf00d;
    assert_true(guest_print_state(&cpu()->v, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "r07=feedf00d"));
    assert_non_null(strstr(text, "cpsr=000001d3"));
    memset(small, 'x', sizeof(small));
    guest_print_state(&cpu()->v, small, 8);
    assert_int_equal(small[8], 'x');
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stub_setup, stub_teardown)
    const struct CMUnitTest tests[] = {
        T(test_reset),
        T(test_banks),
        T(test_cpsr_fields),
        T(test_regime_changes),
        T(test_exception_entry),
        T(test_aborts),
        T(test_interrupts),
        T(test_wait),
        T(test_cp_access),
        T(test_cp_values),
        T(test_user_timer_access),
        T(test_timer_registers),
        T(test_cycle_counter),
        T(test_psci),
        T(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
