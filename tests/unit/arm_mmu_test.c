/*
 * arm_mmu_test.c: table walks of every kind of descriptor, by the tables of the ARM ARM (B3.5, B3.6, B3.7, B3.13), and what keys a view.
 */
#include "arm_stub.h"

#define L1 0x40100000u
#define L2 0x40110000u
#define L3 0x40120000u
#define R  GUEST_RIGHT_R
#define W  GUEST_RIGHT_W
#define X  GUEST_RIGHT_X

#define SCTLR_M    BIT(0)
#define SCTLR_WXN  BIT(19)
#define SCTLR_UWXN BIT(20)
#define SCTLR_TRE  BIT(28)
#define SCTLR_AFE  BIT(29)

static void short_setup(uint32_t sctlr, uint32_t dacr)
{
    stub.cpu->cp15.sctlr = SCTLR_M | sctlr;
    stub.cpu->cp15.ttbcr = 0;
    stub.cpu->cp15.ttbr0 = L1 | 0x4a; /* walk attributes do not belong to the address */
    stub.cpu->cp15.dacr = dacr;
}

static int walk(uint32_t va, bool priv, struct guest_translation *t)
{
    struct guest_regime r;

    guest_current_regime(&stub.cpu->v, &r);
    r.priv = priv;
    return guest_walk(&stub.cpu->v, &r, va, t);
}

static void put_section(uint32_t va, uint32_t desc)
{
    ram_put32(L1 + (va >> 20) * 4, desc);
}

static void put_page(uint32_t va, uint32_t l1_bits, uint32_t desc)
{
    ram_put32(L1 + (va >> 20) * 4, L2 | 1 | l1_bits);
    ram_put32(L2 + (va >> 12 & 0xff) * 4, desc);
}

static void test_mmu_off(void **state UNUSED)
{
    struct guest_regime r, zero = {.priv = 1};
    struct guest_translation t;

    stub.cpu->cp15.ttbr0 = 0x1234;
    stub.cpu->cp15.dacr = 5;
    guest_current_regime(&stub.cpu->v, &r);
    assert_memory_equal(&r, &zero, sizeof(r));
    assert_int_equal(walk(0x12345678, true, &t), 0);
    assert_int_equal(t.pa, 0x12345678);
    assert_int_equal(t.rights, R | W | X);
    assert_int_equal(t.lg2, 32);
}

static void test_short_sizes(void **state UNUSED)
{
    struct guest_translation t;

    short_setup(0, 1);
    put_section(0x80000000, 0x43500000 | 2 | 3 << 10 | 1 << 17);
    assert_int_equal(walk(0x80012345, true, &t), 0);
    assert_int_equal(t.pa, 0x43512345);
    assert_int_equal(t.lg2, 20);
    assert_int_equal(t.ng, 1);

    put_section(0x81200000, 0x43000000 | 2 | 3 << 10 | BIT(18) | 0x5 << 20 | 0xa << 5); /* extended address bits; domain is 0 */
    assert_int_equal(walk(0x81254321, true, &t), 0);
    assert_true(t.pa == 0xa543254321ull);
    assert_int_equal(t.lg2, 24);

    put_page(0x82003000, 0, 0x43210000 | 2 | 3 << 4);
    assert_int_equal(walk(0x82003abc, true, &t), 0);
    assert_int_equal(t.pa, 0x43210abc);
    assert_int_equal(t.lg2, 12);
    assert_int_equal(t.ng, 0);

    put_page(0x82017000, 0, 0x43210000 | 1 | 3 << 4 | 1 << 11);
    assert_int_equal(walk(0x82017abc, true, &t), 0);
    assert_int_equal(t.pa, 0x43217abc);
    assert_int_equal(t.lg2, 16);
    assert_int_equal(t.ng, 1);
}

/* Table B3-8 (AP[2:0]) and B3-6 (AP[2:1]); XN; PXN. */
static void test_short_rights(void **state UNUSED)
{
    static const struct {
        uint8_t ap, priv, user;
    } full[] = {{0, 0, 0},     {1, R | W | X, 0}, {2, R | W | X, R | X}, {3, R | W | X, R | W | X},
                {5, R | X, 0}, {6, R | X, R | X}, {7, R | X, R | X}},
      simple[] = {{1, R | W | X, 0}, {3, R | W | X, R | W | X}, {5, R | X, 0}, {7, R | X, R | X}};
    struct guest_translation t;

    for (unsigned afe = 0; afe < 2; afe++) {
        short_setup(afe ? SCTLR_AFE : 0, 1);
        for (unsigned i = 0; i < (afe ? ARRAY_LEN(simple) : ARRAY_LEN(full)); i++) {
            unsigned ap = afe ? simple[i].ap : full[i].ap, priv = afe ? simple[i].priv : full[i].priv,
                     user = afe ? simple[i].user : full[i].user;
            for (unsigned xn = 0; xn < 2; xn++) {
                for (unsigned pxn = 0; pxn < 2; pxn++) {
                    unsigned want_priv = xn || pxn ? priv & ~X : priv, want_user = xn ? user & ~X : user;
                    put_section(0x80000000, 0x40000000 | 2 | (ap & 3) << 10 | (ap >> 2) << 15 | xn << 4 | pxn);
                    assert_int_equal(walk(0x80000000, true, &t), 0);
                    assert_int_equal(t.rights, want_priv);
                    assert_int_equal(walk(0x80000000, false, &t), 0);
                    assert_int_equal(t.rights, want_user);
                    put_page(0x82000000, pxn << 2, 0x40000000 | 2 | (ap & 3) << 4 | (ap >> 2) << 9 | xn);
                    assert_int_equal(walk(0x82000000, true, &t), 0);
                    assert_int_equal(t.rights, want_priv);
                    put_page(0x82000000, pxn << 2, 0x40000000 | 1 | (ap & 3) << 4 | (ap >> 2) << 9 | xn << 15);
                    assert_int_equal(walk(0x82000000, false, &t), 0);
                    assert_int_equal(t.rights, want_user);
                }
            }
        }
    }
    short_setup(SCTLR_WXN, 1);
    put_section(0x80000000, 0x40000000 | 2 | 1 << 10);
    assert_int_equal(walk(0x80000000, true, &t), 0);
    assert_int_equal(t.rights, R | W);
    short_setup(SCTLR_UWXN, 1);
    assert_int_equal(walk(0x80000000, true, &t), 0);
    assert_int_equal(t.rights, R | W | X);
    put_section(0x80000000, 0x40000000 | 2 | 3 << 10);
    assert_int_equal(walk(0x80000000, true, &t), 0);
    assert_int_equal(t.rights, R | W);
    assert_int_equal(walk(0x80000000, false, &t), 0);
    assert_int_equal(t.rights, R | W | X);
}

static uint32_t fsr(uint32_t va)
{
    struct guest_regime r;
    struct guest_translation t;

    guest_current_regime(&stub.cpu->v, &r);
    return arm_mmu_fsr(stub.cpu, arm_mmu_fault_code(stub.cpu, &r, va, guest_walk(&stub.cpu->v, &r, va, &t)));
}

/* Table B3-23: FS and domain of each fault. */
static void test_short_faults(void **state UNUSED)
{
    short_setup(0, 1 | 3 << 6);
    assert_int_equal(fsr(0x80000000), 0x05); /* translation, section */
    put_page(0x82000000, 7 << 5, 0);
    assert_int_equal(fsr(0x82000000), 0x77); /* translation, page; domain 7 */
    put_page(0x82000000, 7 << 5, 0x40000000 | 2 | 3 << 4);
    assert_int_equal(fsr(0x82000000), 0x7b); /* domain, page */
    put_section(0x80000000, 0x40000000 | 2 | 3 << 10 | 2 << 5);
    assert_int_equal(fsr(0x80000000), 0x29); /* domain, section */
    put_section(0x80000000, 0x40000000 | 2 | 5 << 5 | BIT(18) | 3 << 10);
    stub.cpu->cp15.dacr = 0;
    assert_int_equal(fsr(0x80000000), 0x09); /* a supersection has domain 0 */
    short_setup(0, 1);
    put_section(0x80000000, 0x40000000 | 2);
    assert_int_equal(fsr(0x80000000), 0x0d); /* permission, section: valid, so it is the right that lacks */
    put_page(0x82000000, 0, 0x40000000 | 2);
    assert_int_equal(fsr(0x82000000), 0x0f);
    short_setup(SCTLR_AFE, 1);
    assert_int_equal(fsr(0x82000000), 0x06); /* access flag, page */
    assert_int_equal(fsr(0x80000000), 0x03);
    ram_put32(L1 + (0x83000000u >> 20) * 4, 0x10000000 | 1); /* second level outside RAM */
    assert_int_equal(fsr(0x83000000), 0x0e);
    stub.cpu->cp15.ttbr0 = 0x10000000;
    assert_int_equal(fsr(0x83000000), 0x0c);
}

static void test_short_domains(void **state UNUSED)
{
    struct guest_translation t;

    for (unsigned domain = 0; domain < 16; domain++) {
        put_section(0x80000000, 0x40000000 | 2 | 5u >> 2 << 15 | 1 << 10 | domain << 5 | 1 << 4); /* read-only, XN */
        short_setup(0, 1u << 2 * domain);
        assert_int_equal(walk(0x80000000, true, &t), 0);
        assert_int_equal(t.rights, R);
        short_setup(0, 3u << 2 * domain);
        assert_int_equal(walk(0x80000000, false, &t), 0);
        assert_int_equal(t.rights, R | W | X);
        short_setup(0, ~(3u << 2 * domain));
        assert_int_equal(walk(0x80000000, true, &t), MMU_FAULT(MMU_FAULT_DOMAIN, 1, domain));
        short_setup(0, 2u << 2 * domain);
        assert_int_equal(walk(0x80000000, true, &t), MMU_FAULT(MMU_FAULT_DOMAIN, 1, domain));
    }
}

/* TTBCR.N: sizes of the lower region and alignment of its table. */
static void test_short_ttbr1(void **state UNUSED)
{
    struct guest_translation t;

    for (unsigned n = 1; n < 8; n++) {
        uint32_t lower = 0x40200000u + (0x4000u >> n), edge = 1u << (32 - n);
        short_setup(0, 1);
        stub.cpu->cp15.ttbcr = n;
        stub.cpu->cp15.ttbr0 = lower;
        stub.cpu->cp15.ttbr1 = L1 | 0x4a;
        ram_put32(lower + ((edge - 1) >> 20) * 4, 0x41000000 | 2 | 3 << 10);
        put_section(edge, 0x42000000 | 2 | 3 << 10);
        assert_int_equal(walk(edge - 1, true, &t), 0);
        assert_int_equal(t.pa, 0x410fffff);
        assert_int_equal(walk(edge, true, &t), 0);
        assert_int_equal(t.pa, 0x42000000);
    }
}

static void test_device(void **state UNUSED)
{
    static const uint8_t device[32] = {[0] = 1, [1] = 1, [8] = 1}; /* TEX C B without remap (table B3-10) */
    struct guest_translation t;

    for (unsigned texcb = 0; texcb < 24; texcb++) {
        short_setup(0, 1);
        put_section(0x80000000, 0x40000000 | 2 | 3 << 10 | (texcb >> 2) << 12 | (texcb & 3) << 2);
        assert_int_equal(walk(0x80000000, true, &t), 0);
        assert_int_equal(t.device, device[texcb]);
        short_setup(SCTLR_TRE, 1);
        stub.cpu->cp15.prrr = 0xff0a81a8; /* Linux' value */
        assert_int_equal(walk(0x80000000, true, &t), 0);
        assert_int_equal(t.device, (0xff0a81a8u >> 2 * (texcb & 7) & 3) != 2);
    }
}

/* --- long descriptors --- */

#define AF  (1ull << 10)
#define PXN (1ull << 53)
#define XN  (1ull << 54)

static void long_setup(uint32_t ttbcr)
{
    stub.cpu->cp15.sctlr = SCTLR_M;
    stub.cpu->cp15.ttbcr = BIT(31) | ttbcr;
    stub.cpu->cp15.ttbr0 = L1;
    stub.cpu->cp15.prrr = 0x000004ff;
    stub.cpu->cp15.nmrr = 0;
}

static void test_long_sizes(void **state UNUSED)
{
    struct guest_translation t;

    long_setup(0);
    ram_put64(L1 + 2 * 8, 0x1240000000ull | 1 | AF | 1 << 11);
    assert_int_equal(walk(0x9abcdef0, true, &t), 0);
    assert_true(t.pa == 0x125abcdef0ull);
    assert_int_equal(t.lg2, 30);
    assert_int_equal(t.ng, 1);
    ram_put64(L1 + 2 * 8, L2 | 3);
    ram_put64(L2 + 5 * 8, 0x3456600000ull | 1 | AF | 1 << 2);
    assert_int_equal(walk(0x80a12345, true, &t), 0);
    assert_true(t.pa == 0x3456612345ull);
    assert_int_equal(t.lg2, 21);
    assert_int_equal(t.device, 1);
    ram_put64(L2 + 5 * 8, L3 | 3);
    ram_put64(L3 + 0x12 * 8, 0x7654321000ull | 3 | AF | 1ull << 52);
    assert_int_equal(walk(0x80a12345, true, &t), 0);
    assert_true(t.pa == 0x7654321345ull);
    assert_int_equal(t.lg2, 12);
    assert_int_equal(t.device, 0);
}

static void test_long_rights(void **state UNUSED)
{
    static const uint8_t priv[4] = {R | W | X, R | W | X, R | X, R | X}, user[4] = {0, R | W | X, 0, R | X};
    struct guest_translation t;

    long_setup(0);
    for (unsigned i = 0; i < 256; i++) {
        unsigned ap = i & 3, xn = i >> 2 & 1, pxn = i >> 3 & 1, t_ap = i >> 4 & 3, t_xn = i >> 6 & 1, t_pxn = i >> 7 & 1;
        unsigned eff = (ap | (t_ap & 2)) & (t_ap & 1 ? 2 : 3);
        ram_put64(L1 + 2 * 8, L2 | 3 | (uint64_t)t_ap << 61 | (uint64_t)t_xn << 60);
        ram_put64(L2, L3 | 3 | (uint64_t)t_pxn << 59);
        ram_put64(L3, 0x40000000 | 3 | AF | ap << 6 | (xn ? XN : 0) | (pxn ? PXN : 0));
        assert_int_equal(walk(0x80000000, true, &t), 0);
        assert_int_equal(t.rights, xn || pxn || t_xn || t_pxn ? priv[eff] & ~X : priv[eff]);
        assert_int_equal(walk(0x80000000, false, &t), 0);
        assert_int_equal(t.rights, xn || t_xn ? user[eff] & ~X : user[eff]);
    }
}

static void test_long_faults(void **state UNUSED)
{
    long_setup(0);
    assert_int_equal(fsr(0x80000000), 0x205);
    ram_put64(L1 + 2 * 8, L2 | 3);
    assert_int_equal(fsr(0x80000000), 0x206);
    ram_put64(L2, L3 | 3);
    assert_int_equal(fsr(0x80000000), 0x207);
    ram_put64(L3, 0x40000000 | 1 | AF); /* reserved */
    assert_int_equal(fsr(0x80000000), 0x207);
    ram_put64(L3, 0x40000000 | 3);
    assert_int_equal(fsr(0x80000000), 0x20b);
    ram_put64(L2, 0x40000000 | 1);
    assert_int_equal(fsr(0x80000000), 0x20a);
    ram_put64(L1 + 2 * 8, 0x40000000 | 1);
    assert_int_equal(fsr(0x80000000), 0x209);
    ram_put64(L1 + 2 * 8, 0x40000000 | 1 | AF | 2 << 6);
    assert_int_equal(fsr(0x80000000), 0x20d); /* valid: permission */
    ram_put64(L1 + 2 * 8, 0x10000000 | 3);
    assert_int_equal(fsr(0x80000000), 0x216); /* external abort on a walk, level 2 */
    stub.cpu->cp15.ttbr0 = 0x10000000;
    assert_int_equal(fsr(0x80000000), 0x215);
}

/* B3.6.4: which base register, and where its walk begins. */
static void test_long_regions(void **state UNUSED)
{
    for (unsigned t0 = 0; t0 < 8; t0++) {
        for (unsigned t1 = 0; t1 < 8; t1++) {
            static const uint32_t va[] = {0,          0x00ffffff, 0x01ffffff, 0x02000000, 0x3fffffff, 0x40000000, 0x7fffffff,
                                          0x80000000, 0xbfffffff, 0xc0000000, 0xfdffffff, 0xfe000000, 0xffffffff};
            for (unsigned i = 0; i < ARRAY_LEN(va); i++) {
                uint64_t end0 = 1ull << (32 - t0), start1 = t1 ? (1ull << 32) - (1ull << (32 - t1)) : end0;
                bool in0 = t0 ? va[i] < end0 : t1 ? va[i] < start1 : true, in1 = !in0 && (t0 || t1) && va[i] >= start1;
                unsigned tsz = in1 ? t1 : t0, level = tsz > 1 ? 2 : 1;
                uint32_t base = in1 ? 0x40300000 : 0x40200000, rest = (uint32_t)((uint64_t)va[i] << tsz) >> tsz;
                struct guest_translation t;

                memset(stub.ram + 0x200000, 0, 0x200000);
                long_setup(t0 | t1 << 16);
                stub.cpu->cp15.ttbr0 = 0x40200000;
                stub.cpu->cp15.ttbr1 = 0x40300000;
                ram_put64(base + (rest >> (level == 1 ? 30 : 21)) * 8, 0x40000000 | 1 | AF);
                int code = walk(va[i], true, &t);
                if (in0 || in1) {
                    assert_int_equal(code, 0);
                    assert_int_equal(t.lg2, level == 1 ? 30 : 21);
                } else {
                    assert_int_equal(code, MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0));
                }
                stub.cpu->cp15.ttbcr |= in1 ? BIT(23) : BIT(7); /* walks disabled */
                assert_int_equal(walk(va[i], true, &t), MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0));
            }
        }
    }
}

/* SCTLR.EE: descriptors are big-endian. */
static void test_big_endian_tables(void **state UNUSED)
{
    struct guest_translation t;

    short_setup(BIT(25), 1);
    put_section(0x80000000, __builtin_bswap32(0x40500000 | 2 | 3 << 10));
    assert_int_equal(walk(0x80012345, true, &t), 0);
    assert_int_equal(t.pa, 0x40512345);
    long_setup(0);
    stub.cpu->cp15.sctlr |= BIT(25);
    ram_put64(L1 + 2 * 8, __builtin_bswap64(0x1240000000ull | 1 | AF));
    assert_int_equal(walk(0x80012345, true, &t), 0);
    assert_true(t.pa == 0x1240012345ull);
}

static void test_regime_asid(void **state UNUSED)
{
    struct guest_regime a, b;

    short_setup(0, 1);
    stub.cpu->cp15.contextidr = 0x12345678;
    guest_current_regime(&stub.cpu->v, &a);
    assert_int_equal(a.asid, 0x78);
    stub.cpu->cp15.contextidr = 0x99999978; /* the process number is none of the walk's business */
    stub.cpu->cp15.ttbr0 ^= 0x4a;
    guest_current_regime(&stub.cpu->v, &b);
    assert_memory_equal(&a, &b, sizeof(a));
    long_setup(0);
    stub.cpu->cp15.ttbr0 |= 0x21ull << 48;
    stub.cpu->cp15.ttbr1 = 0x42ull << 48;
    guest_current_regime(&stub.cpu->v, &a);
    assert_int_equal(a.asid, 0x21);
    assert_true(a.ttbr0 == L1);
    stub.cpu->cp15.ttbcr |= BIT(22);
    guest_current_regime(&stub.cpu->v, &a);
    assert_int_equal(a.asid, 0x42);
}

static uint64_t par_of(uint32_t va, bool priv, bool write)
{
    uint64_t par = 0;
    assert_int_equal(arm_mmu_par(stub.cpu, va, priv, write, &par), 0);
    return par;
}

static void test_par(void **state UNUSED)
{
    short_setup(0, 1);
    put_section(0x80000000, 0x40500000 | 2 | 1 << 10);
    assert_true(par_of(0x80012345, true, true) == 0x40512000);
    assert_true(par_of(0x80012345, false, false) == (0xd << 1 | 1));
    assert_true(par_of(0x90000000, true, false) == (0x5 << 1 | 1));
    long_setup(0);
    ram_put64(L1 + 2 * 8, 0x1240000000ull | 1 | AF);
    assert_true((par_of(0x80012345, true, true) & 0xfffffff801ull) == 0x1240012800ull);
    assert_int_equal(par_of(0x80012345, false, true) & 0x87f, BIT(11) | 0xd << 1 | 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stub_setup, stub_teardown)
    const struct CMUnitTest tests[] = {
        T(test_mmu_off),      T(test_short_sizes), T(test_short_rights), T(test_short_faults),      T(test_short_domains),
        T(test_short_ttbr1),  T(test_device),      T(test_long_sizes),   T(test_long_rights),       T(test_long_faults),
        T(test_long_regions), T(test_regime_asid), T(test_par),          T(test_big_endian_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
