/*
 * x86_emit_check.h: emitter functions against Zydis' reading of what they wrote: what the tests of integer, vector and control-flow
 * instructions share.
 *
 * Mnemonic, operands, sizes, immediates and length must come back, and no encoding may be longer than the one Zydis' own encoder chooses.
 * `shapes` are memory operands with all that needs special encodings: base and index registers, displacement sizes, the guest window.
 */
#ifndef X86_EMIT_CHECK_H
#define X86_EMIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include <arch/x86/emit.h>

static uint8_t buffer[256];
static struct x86_emitter em;
static unsigned n_checked;

/* --- expectations ------------------------------------------------------------------------------------------------------------ */

enum kind { REG, VEC, MEM, IMM };

struct operand {
    enum kind kind;
    unsigned size; /* bytes: register width; memory width, 0 = not checked */
    unsigned reg;
    struct x86_mem mem;
    int64_t imm;
};

static UNUSED struct operand reg(unsigned size, unsigned r)
{
    return (struct operand){.kind = REG, .size = size, .reg = r};
}
/* ah */
static UNUSED struct operand high_byte(void)
{
    return (struct operand){.kind = REG, .size = 0};
}
static UNUSED struct operand vec(unsigned size, unsigned r)
{
    return (struct operand){.kind = VEC, .size = size, .reg = r};
}
static UNUSED struct operand memory(unsigned size, struct x86_mem m)
{
    return (struct operand){.kind = MEM, .size = size, .mem = m};
}
static UNUSED struct operand imm(int64_t v)
{
    return (struct operand){.kind = IMM, .imm = v};
}

static ZydisRegister zydis_reg(unsigned size, unsigned r)
{
    if (size == 0)
        return ZYDIS_REGISTER_AH;
    ZydisRegisterClass c = size == 1   ? ZYDIS_REGCLASS_GPR8
                           : size == 2 ? ZYDIS_REGCLASS_GPR16
                           : size == 4 ? ZYDIS_REGCLASS_GPR32
                                       : ZYDIS_REGCLASS_GPR64;
    if (size == 1) /* Zydis counts ah, ch, dh, bh as 4-7 */
        return r < 4 ? (ZydisRegister)(ZYDIS_REGISTER_AL + r) : (ZydisRegister)(ZYDIS_REGISTER_SPL + r - 4);
    return ZydisRegisterEncode(c, (ZyanU8)r);
}

static void describe(const char *mnemonic)
{
    char text[128] = "";
    int n = 0;

    n += snprintf(text, sizeof(text), "%s:", mnemonic);
    for (const uint8_t *p = em.start; p < em.p && n < 100; p++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %02x", *p);
    print_message("%s\n", text);
}

#define CHECK(condition, mnemonic)                                                                                                         \
    do {                                                                                                                                   \
        if (!(condition)) {                                                                                                                \
            describe(mnemonic);                                                                                                            \
            fail_msg("%s", #condition);                                                                                                    \
        }                                                                                                                                  \
    } while (0)

static void check_mem(const char *mnemonic, const struct operand *want, const ZydisDecodedOperand *got)
{
    unsigned width = want->mem.guest ? 4 : 8;
    const struct x86_mem *m = &want->mem;
    ZydisRegister base = m->base == X86_NOREG ? ZYDIS_REGISTER_NONE : zydis_reg(width, m->base);
    ZydisRegister index = m->index == X86_NOREG ? ZYDIS_REGISTER_NONE : zydis_reg(width, m->index);
    bool same = got->mem.base == base && got->mem.index == index && (index == ZYDIS_REGISTER_NONE || got->mem.scale == 1u << m->scale);
    /* base and index may be exchanged where they mean the same */
    bool swapped = m->scale == 0 && got->mem.base == index && got->mem.index == base && got->mem.scale == 1;

    CHECK(got->type == ZYDIS_OPERAND_TYPE_MEMORY, mnemonic);
    CHECK(same || swapped, mnemonic);
    CHECK((uint32_t)got->mem.disp.value == (uint32_t)m->disp, mnemonic);
    CHECK(!m->guest || got->mem.segment == ZYDIS_REGISTER_GS, mnemonic);
    CHECK(m->guest || got->mem.segment != ZYDIS_REGISTER_GS, mnemonic);
    CHECK(!want->size || got->size == want->size * 8, mnemonic);
}

/* What was emitted since x86_emitter_init() is the one instruction described. */
static UNUSED void check(const char *mnemonic, unsigned n, const struct operand *want, bool shortest)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    char lower[32] = "";
    unsigned len = x86_offset(&em);

    for (unsigned k = 0; k < sizeof(lower) - 1 && mnemonic[k]; k++)
        lower[k] = (char)(mnemonic[k] >= 'A' && mnemonic[k] <= 'Z' ? mnemonic[k] + 32 : mnemonic[k]);
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    CHECK(!em.overflow, mnemonic);
    CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, em.start, len, &insn, ops)), mnemonic);
    CHECK(insn.length == len, mnemonic);
    if (strcmp(ZydisMnemonicGetString(insn.mnemonic), lower))
        print_message("read as %s\n", ZydisMnemonicGetString(insn.mnemonic));
    CHECK(!strcmp(ZydisMnemonicGetString(insn.mnemonic), lower), mnemonic);
    CHECK(insn.operand_count_visible == n, mnemonic);
    for (unsigned k = 0; k < n; k++) {
        switch (want[k].kind) {
        case REG:
            CHECK(ops[k].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[k].reg.value == zydis_reg(want[k].size, want[k].reg), mnemonic);
            break;
        case VEC:
            CHECK(ops[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                      ops[k].reg.value ==
                          ZydisRegisterEncode(want[k].size == 32 ? ZYDIS_REGCLASS_YMM : ZYDIS_REGCLASS_XMM, (ZyanU8)want[k].reg),
                  mnemonic);
            break;
        case MEM:
            check_mem(mnemonic, &want[k], &ops[k]);
            break;
        case IMM:
            CHECK(ops[k].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && ops[k].imm.value.s == want[k].imm, mnemonic);
            break;
        }
    }
    for (unsigned k = 0; k < n; k++) /* Zydis writes such addresses relative to eip, which they are not */
        if (want[k].kind == MEM && want[k].mem.base == X86_NOREG)
            shortest = false;
    if (!strncmp(lower, "vmov", 4) || !strcmp(lower, "vpextrw")) /* Zydis takes the store form, or SSE2's, where that saves a byte */
        shortest = false;
    if (shortest) {
        ZydisEncoderRequest req;
        uint8_t other[16];
        ZyanUSize other_len = sizeof(other);
        if (ZYAN_SUCCESS(ZydisEncoderDecodedInstructionToEncoderRequest(&insn, ops, insn.operand_count_visible, &req)) &&
            ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&req, other, &other_len)))
            CHECK(len <= other_len, mnemonic);
    }
    n_checked++;
}

#define EMIT(call)                                                                                                                         \
    do {                                                                                                                                   \
        x86_emitter_init(&em, buffer, sizeof(buffer));                                                                                     \
        call;                                                                                                                              \
    } while (0)
#define EXPECT(mnemonic, ...)                                                                                                              \
    do {                                                                                                                                   \
        const struct operand want_[] = {__VA_ARGS__};                                                                                      \
        check(mnemonic, sizeof(want_) / sizeof(want_[0]), want_, true);                                                                    \
    } while (0)

/* --- memory operands to try ---------------------------------------------------------------------------------------------------- */

static struct x86_mem shapes[2048];
static unsigned n_shapes;

static UNUSED int build_shapes(void **state)
{
    static const int32_t disp[] = {0, 1, -1, 127, -128, 128, -129, 0x12345678, INT32_MIN};
    static const uint8_t base[] = {X86_RAX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_R12, X86_R13, X86_R15, X86_NOREG};
    static const uint8_t index[] = {X86_NOREG, X86_RAX, X86_RBP, X86_RDI, X86_R12, X86_R13, X86_R14};

    (void)state;
    for (unsigned b = 0; b < sizeof(base); b++)
        for (unsigned i = 0; i < sizeof(index); i++)
            for (unsigned d = 0; d < ARRAY_LEN(disp); d++) {
                unsigned scale = index[i] == X86_NOREG ? 0 : (b + i + d) % 4;
                if (base[b] == X86_NOREG && index[i] != X86_NOREG && scale == 0)
                    scale = 1; /* a lone unscaled index is a base */
                struct x86_mem m = x86_index(base[b], index[i], scale, disp[d]);
                m.guest = (b + d) % 3 == 0;
                shapes[n_shapes++] = m;
            }
    return 0;
}

/* The last test of each program: a loop that runs over nothing passes everything. */
static UNUSED void test_count(void **state)
{
    assert_true(n_checked > (unsigned)(uintptr_t)*state);
}

/* Operand sizes of a table row */
#define B1   1u
#define B2   2u
#define B4   4u
#define B8   8u
#define ALL  (B1 | B2 | B4 | B8)
#define WIDE (B2 | B4 | B8)

#endif
