/* Identification and reset values of the CP15 and CP14 registers, and who may read what. */
#include "guest.h"

static uint32_t user_read_midr(uint32_t x)
{
    (void)x;
    return MRC(0, c0, c0, 0);
}

static uint32_t user_tpidruro(uint32_t x)
{
    (void)x;
    return MRC(0, c13, c0, 3);
}

static uint32_t user_write_tpidruro(uint32_t x)
{
    MCR(0, c13, c0, 3, x);
    return 0;
}

static uint32_t user_tpidrurw(uint32_t x)
{
    MCR(0, c13, c0, 2, x);
    return MRC(0, c13, c0, 2);
}

static uint32_t user_cntvct(uint32_t x)
{
    (void)x;
    return MRRC(1, c14) != 0;
}

static uint32_t user_barriers(uint32_t x)
{
    MCR(0, c7, c10, 4, x);
    MCR(0, c7, c10, 5, x);
    MCR(0, c7, c5, 4, x);
    return 1;
}

void guest_main(void)
{
    print_hex("MIDR", MRC(0, c0, c0, 0));
    print_hex("CTR", MRC(0, c0, c0, 1));
    print_hex("TCMTR", MRC(0, c0, c0, 2));
    print_hex("TLBTR", MRC(0, c0, c0, 3));
    print_hex("MPIDR", MRC(0, c0, c0, 5));
    print_hex("REVIDR", MRC(0, c0, c0, 6));
    print_hex("ID_PFR0", MRC(0, c0, c1, 0));
    print_hex("ID_PFR1", MRC(0, c0, c1, 1));
    print_hex("ID_DFR0 without debug", MRC(0, c0, c1, 2) & ~0xfffu);
    print_hex("ID_AFR0", MRC(0, c0, c1, 3));
    print_hex("ID_MMFR0", MRC(0, c0, c1, 4));
    print_hex("ID_MMFR1", MRC(0, c0, c1, 5));
    print_hex("ID_MMFR2", MRC(0, c0, c1, 6));
    print_hex("ID_MMFR3", MRC(0, c0, c1, 7));
    print_hex("ID_ISAR0", MRC(0, c0, c2, 0));
    print_hex("ID_ISAR1", MRC(0, c0, c2, 1));
    print_hex("ID_ISAR2", MRC(0, c0, c2, 2));
    print_hex("ID_ISAR3", MRC(0, c0, c2, 3));
    print_hex("ID_ISAR4", MRC(0, c0, c2, 4));
    print_hex("ID_ISAR5", MRC(0, c0, c2, 5));
    print_hex("CLIDR", MRC(1, c0, c0, 1));
    for (uint32_t i = 0; i < 3; i++) {
        MCR(2, c0, c0, 0, i);
        ISB();
        print_hex("CCSIDR", MRC(1, c0, c0, 0));
    }
    print_hex("SCTLR", MRC(0, c1, c0, 0));
    print_hex("L2CTLR", MRC(1, c9, c0, 2));
    print_hex("CBAR", MRC(4, c15, c0, 0));
    print_hex("CNTFRQ", MRC(0, c14, c0, 0));
    print_hex("ISR", MRC(0, c12, c1, 0));
    expect_none("identification");

    MCR(0, c13, c0, 3, 0x12345678);
    in_user(user_read_midr, 0);
    expect_exception("MIDR in user mode", VEC_UNDEF);
    expect("TPIDRURO in user mode", in_user(user_tpidruro, 0), 0x12345678);
    expect_none("TPIDRURO read");
    in_user(user_write_tpidruro, 1);
    expect_exception("TPIDRURO write in user mode", VEC_UNDEF);
    expect("TPIDRURW in user mode", in_user(user_tpidrurw, 0xfeedf00d), 0xfeedf00d);
    expect_none("TPIDRURW");
    expect("barriers in user mode", in_user(user_barriers, 0), 1);
    expect_none("barriers");

    MCR(0, c14, c1, 0, 0);
    in_user(user_cntvct, 0);
    expect_exception("CNTVCT in user mode, not allowed", VEC_UNDEF);
    MCR(0, c14, c1, 0, 2);
    expect("CNTVCT in user mode, allowed", in_user(user_cntvct, 0), 1);
    expect_none("CNTVCT");

    MCR(0, c12, c0, 0, 0x4567ff);
    expect("VBAR[4:0] is zero", MRC(0, c12, c0, 0), 0x4567e0);
    extern char vectors[];
    MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)vectors);
    MCR(0, c1, c0, 2, 0x00f00000);
    expect("CPACR", MRC(0, c1, c0, 2), 0x00f00000);
    MCRR(0, c2, 0x7123456789ull);
    expect("TTBR0 low", MRC(0, c2, c0, 0), 0x23456789);
    uint64_t t = MRRC(0, c2);
    expect("TTBR0 high", (uint32_t)(t >> 32), 0x71);
}
