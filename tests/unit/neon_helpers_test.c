/*
 * neon_helpers_test.c: the helpers of Advanced SIMD and VFP called as translated code calls them: vectors from the architecture's pseudocode, QC and
 * the exception bits, overlapping operands, structure (de)interleaving, and the FPSCR with its two halves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arch/arm/neon.h>
#include <arch/arm/vfp.h>

static struct arm_cpu *cpu;

#define UNSIGNED 4 /* half of a helper row */
enum { B8, B16, B32, B64 };

static void call(enum neon_op op, unsigned index, unsigned d, unsigned n, unsigned m, bool quad, unsigned own)
{
    assert_non_null(arm_neon_helpers[op][index]);
    arm_neon_helpers[op][index](cpu, 0, 0, neon_pack(d, n, m, quad, own), 0);
}

static void saturating(void **state UNUSED)
{
    static const struct {
        const char *what;
        enum neon_op op;
        unsigned index, own;
        uint64_t d, n, m, result;
        bool qc;
    } v[] = {
        {"qadd.s32", NEON_QADD, B32, 0, 0, 0x7fffffff00000001, 0xffffffff00000001, 0x7ffffffe00000002, false},
        {"qadd.s64", NEON_QADD, B64, 0, 0, 0x7fffffffffffffff, 1, 0x7fffffffffffffff, true},
        {"qsub.u64", NEON_QSUB, B64 + UNSIGNED, 0, 0, 1, 2, 0, true},
        {"qsub.s64", NEON_QSUB, B64, 0, 0, 0x8000000000000000, 1, 0x8000000000000000, true},
        {"qshl.s8 by 7, by -8", NEON_QSHL, B8, 0, 0, 0x07f8, 0x01ff, 0x7fff, true},
        {"qshl.u64 by 64", NEON_QSHL, B64 + UNSIGNED, 0, 0, 64, 1, 0xffffffffffffffff, true},
        {"qshl.u64 zero by 64", NEON_QSHL, B64 + UNSIGNED, 0, 0, 64, 0, 0, false},
        {"rshl.s8 by -1, -8, -9", NEON_RSHL, B8, 0, 0, 0xfff8f7, 0x038080, 0x020000, false},
        {"qrshl.u32 by -32", NEON_QRSHL, B32 + UNSIGNED, 0, 0, 0xe0, 0x80000000, 1, false},
        {"shl.s64 by -70", NEON_SHL, B64, 0, 0, 0xba, 0x8000000000000000, 0xffffffffffffffff, false},
        {"qdmulh.s16", NEON_QDMULH, B16, 0, 0, 0x8000400080007fff, 0x8000400000017fff, 0x7fff2000ffff7ffe, true},
        {"qrdmulh.s32", NEON_QRDMULH, B32, 0, 0, 0x8000000040000000, 0x8000000000000001, 0x7fffffff00000001, true},
        {"qshlu.s8 by 1", NEON_QSHLU, B8, 1, 0, 0, 0xff7f4000, 0x00fe8000, true},
        {"cls.s8", NEON_CLS, B8, 0, 0, 0, 0x00ff017f80c0fe3f, 0x0707060000010601, false},
        {"clz.u16", NEON_CLZ, B16 + UNSIGNED, 0, 0, 0, 0x0000000180007fff, 0x0010000f00000001, false},
        {"cnt", NEON_CNT, B8 + UNSIGNED, 0, 0, 0, 0x00ff017f80c0fe3f, 0x0008010701020706, false},
        {"pmul", NEON_PMUL, B8 + UNSIGNED, 0, 0, 0x03ff, 0x03ff, 0x0555, false},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        cpu->fpscr = 0;
        cpu->d[0] = v[k].d;
        cpu->d[1] = v[k].n;
        cpu->d[2] = v[k].m;
        call(v[k].op, v[k].index, 0, 1, 2, false, v[k].own);
        if (cpu->d[0] != v[k].result || !!(cpu->fpscr & FPSCR_QC) != v[k].qc)
            fail_msg("%s: %016lx, QC %u", v[k].what, (unsigned long)cpu->d[0], !!(cpu->fpscr & FPSCR_QC));
    }
}

static void long_and_narrow(void **state UNUSED)
{
    cpu->fpscr = 0;
    cpu->d[2] = 0x8000000200010000;
    cpu->d[3] = 0x8000000300010000;
    call(NEON_QDMULL, B16, 0, 2, 3, true, 0); /* twice the products; -1 * -1 saturates */
    assert_int_equal(cpu->d[0], 0x0000000200000000);
    assert_int_equal(cpu->d[1], 0x7fffffff0000000c);
    assert_int_equal(cpu->fpscr, FPSCR_QC);

    cpu->fpscr = 0;
    cpu->d[0] = cpu->d[1] = 0;
    cpu->d[0] = 0x7fffffffffffffff;
    cpu->d[2] = cpu->d[3] = 0x0000000100000001;
    call(NEON_QDMLAL, B32, 0, 2, 3, true, 0);
    assert_int_equal(cpu->d[0], 0x7fffffffffffffff);
    assert_int_equal(cpu->d[1], 2);
    assert_int_equal(cpu->fpscr, FPSCR_QC);

    cpu->fpscr = 0;
    cpu->d[4] = 0xffffffff80000000;
    cpu->d[5] = 0x0000000080000000;
    call(NEON_QSHRN, B32, 4, 0, 4, false, 0); /* over its own source */
    assert_int_equal(cpu->d[4], 0x7fffffff80000000);
    assert_int_equal(cpu->fpscr, FPSCR_QC);
    cpu->d[4] = 0xffffffff80000000;
    cpu->d[5] = 0x0000000080000000;
    call(NEON_QSHRUN, B32, 0, 0, 4, false, 0);
    assert_int_equal(cpu->d[0], 0x8000000000000000);
}

static void tables(void **state UNUSED)
{
    for (unsigned k = 0; k < 32; k++)
        ((uint8_t *)&cpu->d[4])[k] = (uint8_t)(0x40 + k);
    cpu->d[0] = 0x1122334455667788;
    cpu->d[1] = 0xff201f1817100800;
    arm_neon_tbx(cpu, 0, 0, neon_pack(0, 4, 1, false, 4), 0);
    assert_int_equal(cpu->d[0], 0x11225f5857504840);
    cpu->d[0] = 0x1122334455667788;
    arm_neon_tbx(cpu, 0, 0, neon_pack(0, 4, 1, false, 3), 0); /* what is out of range stays */
    assert_int_equal(cpu->d[0], 0x1122334457504840);
    arm_neon_tbx(cpu, 0, 0, neon_pack(5, 4, 5, false, 1), 0); /* indexes in the table */
    assert_int_equal(cpu->d[5], 0x4f4e4d4c4b4a4948);
}

/* Interleaving is defined by the memory order of structures: element e of member k at place e * n + k. */
static void structures(void **state UNUSED)
{
    for (unsigned n = 2; n <= 4; n++) {
        for (unsigned lg = 0; lg < 3; lg++) {
            unsigned size = 1u << lg, inc = 1 + (n + lg) % 2;
            uint8_t *memory = (uint8_t *)cpu->fp_scratch, original[32];
            for (unsigned k = 0; k < 8 * n; k++)
                original[k] = memory[k] = (uint8_t)(3 * k + 1);
            memset(cpu->d, 0xee, sizeof(cpu->d));
            arm_neon_deinterleave(cpu, 0, 0, neon_pack(10, 0, NEON_SCRATCH, false, lg | inc << 2 | n << 4), 0);
            for (unsigned k = 0; k < n; k++)
                for (unsigned e = 0; e < 8 / size; e++)
                    assert_memory_equal((uint8_t *)&cpu->d[10 + k * inc] + e * size, original + (e * n + k) * size, size);
            assert_int_equal(cpu->d[10 + n * inc], 0xeeeeeeeeeeeeeeee);
            memset(memory, 0, 32);
            arm_neon_interleave(cpu, 0, 0, neon_pack(10, 0, NEON_SCRATCH, false, lg | inc << 2 | n << 4), 0);
            assert_memory_equal(memory, original, 8 * n);
        }
    }
}

/* Vector arithmetic under the standard FPSCR whatever FPSCR says; exceptions are the exact ones and MXCSR is left alone. */
static void vector_float(void **state UNUSED)
{
    uint32_t *s = vfp_s(cpu, 0);

    arm_fpscr_write(cpu, FPSCR_RMODE); /* towards zero, for VFP only */
    s[4] = 0x3f800000, s[5] = 0x00000001, s[6] = 0x7f800001, s[7] = 0x00800000;
    s[8] = 0x33800001, s[9] = 0x3f800000, s[10] = 0x3f800000, s[11] = 0x3f000000;
    arm_neon_fhelpers[NEON_FADD](cpu, 0, 0, neon_pack(0, 2, 4, true, 0), 0);
    assert_int_equal(s[0], 0x3f800001); /* to nearest */
    assert_int_equal(s[1], 0x3f800000); /* denormal operand flushed */
    assert_int_equal(s[2], 0x7fc00000);
    assert_int_equal(arm_fpscr_read(cpu), FPSCR_RMODE | FPSCR_IXC | FPSCR_IDC | FPSCR_IOC);
    arm_fpscr_write(cpu, 0);
    s[4] = 0x00800000, s[8] = 0x3f000000, s[5] = s[9] = 0x3f800000;
    arm_neon_fhelpers[NEON_FMUL](cpu, 0, 0, neon_pack(0, 2, 4, false, 0), 0);
    assert_int_equal(s[0], 0);
    assert_int_equal(s[1], 0x3f800000);
    assert_int_equal(arm_fpscr_read(cpu), FPSCR_UFC); /* not Inexact */
}

static void fpscr(void **state UNUSED)
{
    volatile double three = 3, third;

    arm_fpscr_write(cpu, 0xffffffff);
    assert_int_equal(arm_fpscr_read(cpu), 0xffffffffu & ~0x0008ff60u); /* what a Cortex-A15 keeps */
    assert_int_equal(cpu->mxcsr, 0xffc0);                              /* towards zero, flushing */
    arm_fpscr_write(cpu, 0x60000000);
    assert_int_equal(cpu->mxcsr, 0x1f80);
    assert_int_equal(flags_unpack(cpu->fp_flags), 6u << 28);
    third = 1 / three; /* what inline code leaves in MXCSR is read too */
    (void)third;
    assert_int_equal(arm_fpscr_read(cpu), 0x60000000 | FPSCR_IXC);
    arm_fpscr_write(cpu, 0);
    assert_int_equal(arm_fpscr_read(cpu), 0);
}

static int setup(void **state UNUSED)
{
    cpu = aligned_alloc(64, ALIGN_UP(sizeof(*cpu), 64));
    if (!cpu)
        return -1;
    memset(cpu, 0, sizeof(*cpu));
    return 0;
}

static int teardown(void **state UNUSED)
{
    free(cpu);
    __builtin_ia32_ldmxcsr(0x1f80);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saturating), cmocka_unit_test(long_and_narrow), cmocka_unit_test(tables),
        cmocka_unit_test(structures), cmocka_unit_test(vector_float),    cmocka_unit_test(fpscr),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
