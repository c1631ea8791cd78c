/*
 * x86_emit_flow_test.c: jumps and calls whose targets are patched in, and what happens when the buffer is full.
 */
#include "x86_emit_check.h"

static const char *jump_name[] = {"jo", "jno", "jb", "jnb", "jz", "jnz", "jbe", "jnbe",
                                  "js", "jns", "jp", "jnp", "jl", "jnl", "jle", "jnle"};

/* What was patched leads to its target. */
static void check_place(const char *mnemonic, unsigned operand, uint32_t target)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    ZyanU64 to;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, em.start, x86_offset(&em), &insn, ops)), mnemonic);
    CHECK(!strcmp(ZydisMnemonicGetString(insn.mnemonic), mnemonic), mnemonic);
    CHECK(ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&insn, &ops[operand], 0x1000, &to)) && to == 0x1000 + target, mnemonic);
}

static void check_jump(const char *mnemonic, uint32_t target)
{
    check_place(mnemonic, 0, target);
}

static void test_jumps(void **state)
{
    uint32_t at;

    (void)state;
    EMIT(x86_patch32(&em, x86_jmp(&em), 100));
    check_jump("jmp", 100);
    EMIT(x86_patch32(&em, x86_call(&em), 0));
    check_jump("call", 0);
    for (unsigned d = 0; d < 16; d++) {
        EMIT(x86_patch32(&em, x86_lea_rip(&em, d), 50));
        check_place("lea", 1, 50);
        assert_int_equal((em.start[0] & 4) << 1 | (em.start[2] >> 3 & 7), d);
    }
    for (unsigned cc = 0; cc < 16; cc++) {
        EMIT(x86_patch32(&em, x86_jcc(&em, (enum x86_cc)cc), 77));
        check_jump(jump_name[cc], 77);
        EMIT(at = x86_jcc8(&em, (enum x86_cc)cc));
        for (unsigned n = 0; n < 100; n++)
            x86_cmc(&em);
        x86_patch8_here(&em, at);
        assert_false(em.overflow);
        check_jump(jump_name[cc], 102);
    }
    EMIT(at = x86_jmp8(&em));
    for (unsigned n = 0; n < 127; n++)
        x86_cmc(&em);
    x86_patch8_here(&em, at);
    assert_false(em.overflow);
    check_jump("jmp", 129);
    x86_cmc(&em);
    x86_patch8_here(&em, at); /* one too far */
    assert_true(em.overflow);
}

static void test_full_buffer(void **state)
{
    uint8_t small[64 + 16];

    (void)state;
    memset(small, 0xaa, sizeof(small));
    x86_emitter_init(&em, small, 64);
    for (unsigned n = 0; n < 100; n++)
        x86_alu_mi(&em, X86_ADD, 8, shapes[0], 0x12345678);
    assert_true(em.overflow);
    for (unsigned n = 64; n < sizeof(small); n++)
        assert_int_equal(small[n], 0xaa);
    x86_emitter_init(&em, small, 8);
    x86_v_rrr(&em, X86_VADDPS, 1, 2, 3);
    assert_true(em.overflow);
    assert_int_equal(small[8 + 64], 0xaa);
}

/* Operands of CPU state are relative to a biased base register. */
static void test_state_operand(void **state)
{
    (void)state;
    for (uint32_t off = 0; off < 1024; off += 4) {
        EMIT(x86_mov_rm(&em, 4, X86_RAX, x86_state(off)));
        EXPECT("mov", reg(4, X86_RAX), memory(4, x86_base(X86_VCPU, (int32_t)off - VCPU_BIAS)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_state_operand),
    };
    return cmocka_run_group_tests(tests, build_shapes, NULL);
}
