/*
 * x86_emit_test.c: every emitter function against Zydis' reading of what it wrote.
 *
 * Tables name for each function the mnemonic, the operand form and the sizes; every case is run with all registers and all shapes of memory
 * operands (base and index registers that need special encodings, displacement sizes, guest window). Mnemonic, operands, sizes, immediates
 * and length must come back, and no encoding may be longer than the one Zydis' own encoder chooses.
 */
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

static struct operand reg(unsigned size, unsigned r)
{
    return (struct operand){.kind = REG, .size = size, .reg = r};
}
static struct operand vec(unsigned size, unsigned r)
{
    return (struct operand){.kind = VEC, .size = size, .reg = r};
}
static struct operand memory(unsigned size, struct x86_mem m)
{
    return (struct operand){.kind = MEM, .size = size, .mem = m};
}
static struct operand imm(int64_t v)
{
    return (struct operand){.kind = IMM, .imm = v};
}

static ZydisRegister zydis_reg(unsigned size, unsigned r)
{
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
static void check(const char *mnemonic, unsigned n, const struct operand *want, bool shortest)
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

static int build_shapes(void **state)
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

/* --- tables -------------------------------------------------------------------------------------------------------------------------- */

#define B1   1u
#define B2   2u
#define B4   4u
#define B8   8u
#define ALL  (B1 | B2 | B4 | B8)
#define WIDE (B2 | B4 | B8)

typedef void rr_fn(struct x86_emitter *, unsigned, unsigned, unsigned);
typedef void rm_fn(struct x86_emitter *, unsigned, unsigned, struct x86_mem);
typedef void mr_fn(struct x86_emitter *, unsigned, struct x86_mem, unsigned);
typedef void ri_fn(struct x86_emitter *, unsigned, unsigned, int32_t);
typedef void mi_fn(struct x86_emitter *, unsigned, struct x86_mem, int32_t);
typedef void r_fn(struct x86_emitter *, unsigned, unsigned);
typedef void m_fn(struct x86_emitter *, unsigned, struct x86_mem);

#define ALU_OPS(X) X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP)
#define CC_OPS(X)  X(O) X(NO) X(B) X(AE) X(E) X(NE) X(BE) X(A) X(S) X(NS) X(P) X(NP) X(L) X(GE) X(LE) X(G)
#define DEFINE_ALU(op)                                                                                                                     \
    static void op##_rr(struct x86_emitter *e, unsigned z, unsigned d, unsigned s)                                                         \
    {                                                                                                                                      \
        x86_alu_rr(e, X86_##op, z, d, s);                                                                                                  \
    }                                                                                                                                      \
    static void op##_rm(struct x86_emitter *e, unsigned z, unsigned d, struct x86_mem m)                                                   \
    {                                                                                                                                      \
        x86_alu_rm(e, X86_##op, z, d, m);                                                                                                  \
    }                                                                                                                                      \
    static void op##_mr(struct x86_emitter *e, unsigned z, struct x86_mem m, unsigned s)                                                   \
    {                                                                                                                                      \
        x86_alu_mr(e, X86_##op, z, m, s);                                                                                                  \
    }                                                                                                                                      \
    static void op##_ri(struct x86_emitter *e, unsigned z, unsigned d, int32_t v)                                                          \
    {                                                                                                                                      \
        x86_alu_ri(e, X86_##op, z, d, v);                                                                                                  \
    }                                                                                                                                      \
    static void op##_mi(struct x86_emitter *e, unsigned z, struct x86_mem m, int32_t v)                                                    \
    {                                                                                                                                      \
        x86_alu_mi(e, X86_##op, z, m, v);                                                                                                  \
    }
ALU_OPS(DEFINE_ALU)
#define DEFINE_CMOV(c)                                                                                                                     \
    static void cmov##c##_rr(struct x86_emitter *e, unsigned z, unsigned d, unsigned s)                                                    \
    {                                                                                                                                      \
        x86_cmov_rr(e, X86_##c, z, d, s);                                                                                                  \
    }                                                                                                                                      \
    static void cmov##c##_rm(struct x86_emitter *e, unsigned z, unsigned d, struct x86_mem m)                                              \
    {                                                                                                                                      \
        x86_cmov_rm(e, X86_##c, z, d, m);                                                                                                  \
    }
CC_OPS(DEFINE_CMOV)
#define BT_OPS(X) X(BT) X(BTS) X(BTR) X(BTC)
#define DEFINE_BT(op)                                                                                                                      \
    static void op##_rr(struct x86_emitter *e, unsigned z, unsigned d, unsigned s)                                                         \
    {                                                                                                                                      \
        x86_bt_rr(e, X86_##op, z, d, s);                                                                                                   \
    }
BT_OPS(DEFINE_BT)
static void test_rr_(struct x86_emitter *e, unsigned z, unsigned d, unsigned s)
{
    x86_test_rr(e, z, d, s);
}

static const char *cmov_name[] = {"cmovo", "cmovno", "cmovb", "cmovnb", "cmovz", "cmovnz", "cmovbe", "cmovnbe",
                                  "cmovs", "cmovns", "cmovp", "cmovnp", "cmovl", "cmovnl", "cmovle", "cmovnle"};
static const char *set_name[] = {"seto", "setno", "setb", "setnb", "setz", "setnz", "setbe", "setnbe",
                                 "sets", "setns", "setp", "setnp", "setl", "setnl", "setle", "setnle"};
static const char *jump_name[] = {"jo", "jno", "jb", "jnb", "jz", "jnz", "jbe", "jnbe",
                                  "js", "jns", "jp", "jnp", "jl", "jnl", "jle", "jnle"};

static const struct {
    const char *mnemonic;
    rr_fn *fn;
    unsigned sizes;
} rr_table[] = {
#define ROW(op) {#op, op##_rr, ALL},
    ALU_OPS(ROW)
#undef ROW
#define ROW(op) {#op, op##_rr, WIDE},
        BT_OPS(ROW)
#undef ROW
#define ROW(c) {NULL, cmov##c##_rr, WIDE},
            CC_OPS(ROW)
#undef ROW
                {"test", test_rr_, ALL},
    {"mov", x86_mov_rr, ALL},
    {"xchg", x86_xchg_rr, ALL},
    {"imul", x86_imul_rr, WIDE},
    {"lzcnt", x86_lzcnt_rr, WIDE},
    {"tzcnt", x86_tzcnt_rr, WIDE},
    {"popcnt", x86_popcnt_rr, WIDE},
};

static void test_rr(void **state)
{
    unsigned cmov = 0;

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(rr_table); k++) {
        const char *name = rr_table[k].mnemonic ? rr_table[k].mnemonic : cmov_name[cmov++];
        for (unsigned z = 1; z <= 8; z *= 2)
            for (unsigned d = 0; d < 16 && rr_table[k].sizes & z; d++)
                for (unsigned s = 0; s < 16; s++) {
                    EMIT(rr_table[k].fn(&em, z, d, s));
                    if (!strcmp(name, "xchg") && z != 1 && (d == 0 || s == 0 || (d == 0 && s == 0))) /* the one-byte forms are not used */
                        check(name, 2, (struct operand[]){reg(z, d), reg(z, s)}, false);
                    else
                        EXPECT(name, reg(z, d), reg(z, s));
                }
    }
}

static const struct {
    const char *mnemonic;
    rm_fn *fn;
    unsigned sizes;
    bool no_size; /* lea: memory operand without a size */
} rm_table[] = {
#define ROW(op) {#op, op##_rm, ALL, false},
    ALU_OPS(ROW)
#undef ROW
#define ROW(c) {NULL, cmov##c##_rm, WIDE, false},
        CC_OPS(ROW)
#undef ROW
            {"mov", x86_mov_rm, ALL, false},
    {"lea", x86_lea, B4 | B8, true},
    {"movbe", x86_movbe_rm, WIDE, false},
    {"imul", x86_imul_rm, WIDE, false},
    {"lzcnt", x86_lzcnt_rm, WIDE, false},
};

static void test_rm(void **state)
{
    unsigned cmov = 0;

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(rm_table); k++) {
        const char *name = rm_table[k].mnemonic ? rm_table[k].mnemonic : cmov_name[cmov++];
        for (unsigned z = 1; z <= 8; z *= 2)
            for (unsigned n = 0; n < n_shapes && rm_table[k].sizes & z; n++) {
                unsigned r = (n * 7 + k) % 16;
                struct x86_mem m = shapes[n];
                if (rm_table[k].no_size)
                    m.guest = 0;
                EMIT(rm_table[k].fn(&em, z, r, m));
                EXPECT(name, reg(z, r), memory(rm_table[k].no_size ? 0 : z, m));
            }
    }
}

static const struct {
    const char *mnemonic;
    mr_fn *fn;
    unsigned sizes;
} mr_table[] = {
#define ROW(op) {#op, op##_mr, ALL},
    ALU_OPS(ROW)
#undef ROW
        {"mov", x86_mov_mr, ALL},
    {"test", x86_test_mr, ALL},
    {"movbe", x86_movbe_mr, WIDE},
    {"cmpxchg", x86_lock_cmpxchg_mr, ALL},
};

static void test_mr(void **state)
{
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(mr_table); k++)
        for (unsigned z = 1; z <= 8; z *= 2)
            for (unsigned n = 0; n < n_shapes && mr_table[k].sizes & z; n++) {
                unsigned r = (n * 5 + k) % 16;
                EMIT(mr_table[k].fn(&em, z, shapes[n], r));
                EXPECT(mr_table[k].mnemonic, memory(z, shapes[n]), reg(z, r));
            }
}

static const int32_t immediates[] = {0, 1, -1, 0x7f, -0x80, 0x80, -0x81, 0x7fff, 0x12345678, INT32_MIN, INT32_MAX};

static int64_t fitted(unsigned z, int32_t v)
{
    return z == 1 ? (int8_t)v : z == 2 ? (int16_t)v : v;
}

static void test_immediate(void **state)
{
    static const struct {
        const char *mnemonic;
        ri_fn *ri;
        mi_fn *mi;
    } table[] = {
#define ROW(op) {#op, op##_ri, op##_mi},
        ALU_OPS(ROW)
#undef ROW
            {"test", x86_test_ri, x86_test_mi},
        {"mov", NULL, x86_mov_mi},
    };

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(table); k++)
        for (unsigned z = 1; z <= 8; z *= 2)
            for (unsigned v = 0; v < ARRAY_LEN(immediates); v++) {
                int32_t x = immediates[v];
                bool truncated = fitted(z, x) != x;
                for (unsigned r = 0; r < 16 && table[k].ri; r++) {
                    EMIT(table[k].ri(&em, z, r, x));
                    /* accumulator forms are a byte shorter and not used */
                    check(table[k].mnemonic, 2, (struct operand[]){reg(z, r), imm(fitted(z, x))}, r != 0 && !truncated && z != 2);
                }
                for (unsigned n = v; n < n_shapes; n += 11) {
                    EMIT(table[k].mi(&em, z, shapes[n], x));
                    check(table[k].mnemonic, 2, (struct operand[]){memory(z, shapes[n]), imm(fitted(z, x))}, !truncated && z != 2);
                }
            }
    for (unsigned d = 0; d < 16; d++)
        for (unsigned v = 0; v < ARRAY_LEN(immediates); v++) {
            EMIT(x86_mov_ri(&em, d, (uint32_t)immediates[v]));
            check("mov", 2, (struct operand[]){reg(4, d), imm(immediates[v])}, false);
            EMIT(x86_mov_ri64(&em, d, (uint64_t)(int64_t)immediates[v]));
            check("mov", 2, (struct operand[]){reg(immediates[v] < 0 ? 8 : 4, d), imm(immediates[v])}, false);
            EMIT(x86_mov_abs(&em, d, 0x123456789abcdef0));
            EXPECT("mov", reg(8, d), imm(0x123456789abcdef0));
            EMIT(x86_push_i(&em, immediates[v]));
            EXPECT("push", imm(immediates[v]));
            for (unsigned z = 2; z <= 8; z *= 2) {
                EMIT(x86_imul_rri(&em, z, d, 15 - d, immediates[v]));
                check("imul", 3, (struct operand[]){reg(z, d), reg(z, 15 - d), imm(fitted(z, immediates[v]))}, z != 2);
            }
        }
}

static void test_one_operand(void **state)
{
    static const struct {
        const char *mnemonic;
        r_fn *r;
        m_fn *m;
        unsigned sizes;
    } table[] = {
        {"not", x86_not_r, x86_not_m, ALL}, {"neg", x86_neg_r, x86_neg_m, ALL}, {"inc", x86_inc_r, NULL, ALL},
        {"dec", x86_dec_r, NULL, ALL},      {"mul", x86_mul_r, NULL, ALL},      {"imul", x86_imul_r, NULL, ALL},
        {"div", x86_div_r, NULL, ALL},      {"idiv", x86_idiv_r, NULL, ALL},    {"bswap", x86_bswap, NULL, B4 | B8},
    };

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(table); k++)
        for (unsigned z = 1; z <= 8; z *= 2) {
            if (!(table[k].sizes & z))
                continue;
            for (unsigned r = 0; r < 16; r++) {
                EMIT(table[k].r(&em, z, r));
                EXPECT(table[k].mnemonic, reg(z, r));
            }
            for (unsigned n = 0; n < n_shapes && table[k].m; n++) {
                EMIT(table[k].m(&em, z, shapes[n]));
                EXPECT(table[k].mnemonic, memory(z, shapes[n]));
            }
        }
    for (unsigned r = 0; r < 16; r++) {
        EMIT(x86_push_r(&em, r));
        EXPECT("push", reg(8, r));
        EMIT(x86_pop_r(&em, r));
        EXPECT("pop", reg(8, r));
        EMIT(x86_jmp_r(&em, r));
        EXPECT("jmp", reg(8, r));
        EMIT(x86_call_r(&em, r));
        EXPECT("call", reg(8, r));
        for (unsigned cc = 0; cc < 16; cc++) {
            EMIT(x86_setcc_r(&em, (enum x86_cc)cc, r));
            EXPECT(set_name[cc], reg(1, r));
        }
    }
    for (unsigned n = 0; n < n_shapes; n++) {
        EMIT(x86_jmp_m(&em, shapes[n]));
        EXPECT("jmp", memory(8, shapes[n]));
        EMIT(x86_call_m(&em, shapes[n]));
        EXPECT("call", memory(8, shapes[n]));
        EMIT(x86_setcc_m(&em, (enum x86_cc)(n % 16), shapes[n]));
        EXPECT(set_name[n % 16], memory(1, shapes[n]));
        EMIT(x86_vldmxcsr(&em, shapes[n]));
        EXPECT("vldmxcsr", memory(4, shapes[n]));
        EMIT(x86_vstmxcsr(&em, shapes[n]));
        EXPECT("vstmxcsr", memory(4, shapes[n]));
    }
}

static void test_extensions(void **state)
{
    (void)state;
    for (unsigned d = 0; d < 16; d++)
        for (unsigned s = 0; s < 16; s++)
            for (unsigned z = 1; z <= 2; z++) {
                EMIT(x86_movzx_rr(&em, z, d, s));
                EXPECT("movzx", reg(4, d), reg(z, s));
                EMIT(x86_movsx_rr(&em, 4, z, d, s));
                EXPECT("movsx", reg(4, d), reg(z, s));
                EMIT(x86_movsx_rr(&em, 8, z, d, s));
                EXPECT("movsx", reg(8, d), reg(z, s));
                EMIT(x86_movsx_rr(&em, 8, 4, d, s));
                EXPECT("movsxd", reg(8, d), reg(4, s));
            }
    for (unsigned n = 0; n < n_shapes; n++)
        for (unsigned z = 1; z <= 2; z++) {
            unsigned d = n % 16;
            EMIT(x86_movzx_rm(&em, z, d, shapes[n]));
            EXPECT("movzx", reg(4, d), memory(z, shapes[n]));
            EMIT(x86_movsx_rm(&em, 4, z, d, shapes[n]));
            EXPECT("movsx", reg(4, d), memory(z, shapes[n]));
            EMIT(x86_movsx_rm(&em, 8, 4, d, shapes[n]));
            EXPECT("movsxd", reg(8, d), memory(4, shapes[n]));
        }
}

static void test_shifts(void **state)
{
    static const struct {
        const char *mnemonic, *by_register; /* BMI2 form */
        enum x86_sh op;
    } table[] = {{"rol", NULL, X86_ROL},   {"ror", NULL, X86_ROR},   {"rcl", NULL, X86_RCL},  {"rcr", NULL, X86_RCR},
                 {"shl", "shlx", X86_SHL}, {"shr", "shrx", X86_SHR}, {"sar", "sarx", X86_SAR}};
    static const struct {
        const char *mnemonic;
        enum x86_bt op;
    } bits[] = {{"bt", X86_BT}, {"bts", X86_BTS}, {"btr", X86_BTR}, {"btc", X86_BTC}};

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(table); k++)
        for (unsigned z = 1; z <= 8; z *= 2)
            for (unsigned r = 0; r < 16; r++) {
                EMIT(x86_sh_rc(&em, table[k].op, z, r));
                EXPECT(table[k].mnemonic, reg(z, r), reg(1, X86_RCX));
                for (unsigned count = 1; count < 8 * z; count++) {
                    EMIT(x86_sh_ri(&em, table[k].op, z, r, count));
                    EXPECT(table[k].mnemonic, reg(z, r), imm(count));
                    struct x86_mem m = shapes[(r * 31 + count) % n_shapes];
                    EMIT(x86_sh_mi(&em, table[k].op, z, m, count));
                    EXPECT(table[k].mnemonic, memory(z, m), imm(count));
                }
                for (unsigned s = 0; s < 16 && z >= 4 && table[k].by_register; s++) {
                    EMIT(x86_shx_rr(&em, table[k].op, z, r, s, (r + s) % 16));
                    EXPECT(table[k].by_register, reg(z, r), reg(z, s), reg(z, (r + s) % 16));
                    struct x86_mem m = shapes[(r * 31 + s) % n_shapes];
                    EMIT(x86_shx_rm(&em, table[k].op, z, r, m, s));
                    EXPECT(table[k].by_register, reg(z, r), memory(z, m), reg(z, s));
                }
            }
    for (unsigned d = 0; d < 16; d++)
        for (unsigned s = 0; s < 16; s++)
            for (unsigned z = 2; z <= 8; z *= 2) {
                unsigned count = 1 + (d + s) % (8 * z - 1);
                struct x86_mem m = shapes[(d * 16 + s) % n_shapes];
                EMIT(x86_shld_rri(&em, z, d, s, count));
                EXPECT("shld", reg(z, d), reg(z, s), imm(count));
                EMIT(x86_shrd_rri(&em, z, d, s, count));
                EXPECT("shrd", reg(z, d), reg(z, s), imm(count));
                for (unsigned b = 0; b < 4; b++) {
                    EMIT(x86_bt_ri(&em, bits[b].op, z, d, count));
                    EXPECT(bits[b].mnemonic, reg(z, d), imm(count));
                    EMIT(x86_bt_mi(&em, bits[b].op, z, m, count));
                    EXPECT(bits[b].mnemonic, memory(z, m), imm(count));
                }
                if (z == 2)
                    continue;
                EMIT(x86_rorx_rr(&em, z, d, s, count));
                EXPECT("rorx", reg(z, d), reg(z, s), imm(count));
                EMIT(x86_rorx_rm(&em, z, d, m, count));
                EXPECT("rorx", reg(z, d), memory(z, m), imm(count));
                unsigned t = (d * 3 + s) % 16;
                EMIT(x86_andn_rr(&em, z, d, t, s));
                EXPECT("andn", reg(z, d), reg(z, t), reg(z, s));
                EMIT(x86_andn_rm(&em, z, d, t, m));
                EXPECT("andn", reg(z, d), reg(z, t), memory(z, m));
                EMIT(x86_bextr_rr(&em, z, d, s, t));
                EXPECT("bextr", reg(z, d), reg(z, s), reg(z, t));
                EMIT(x86_pext_rr(&em, z, d, s, t));
                EXPECT("pext", reg(z, d), reg(z, s), reg(z, t));
                EMIT(x86_pdep_rr(&em, z, d, s, t));
                EXPECT("pdep", reg(z, d), reg(z, s), reg(z, t));
                EMIT(x86_mulx_rrr(&em, z, d, t, s));
                EXPECT("mulx", reg(z, d), reg(z, t), reg(z, s));
            }
}

static void test_plain(void **state)
{
    static const struct {
        const char *mnemonic;
        void (*fn)(struct x86_emitter *);
    } table[] = {{"cdq", x86_cdq},       {"cqo", x86_cqo},     {"lahf", x86_lahf}, {"sahf", x86_sahf},
                 {"cmc", x86_cmc},       {"clc", x86_clc},     {"stc", x86_stc},   {"mfence", x86_mfence},
                 {"pushfq", x86_pushfq}, {"popfq", x86_popfq}, {"ret", x86_ret},   {"ud2", x86_ud2}};

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(table); k++) {
        EMIT(table[k].fn(&em));
        check(table[k].mnemonic, 0, NULL, true);
    }
    EMIT(x86_ret_i(&em, 0x1234));
    EXPECT("ret", imm(0x1234));
    for (unsigned n = 1; n <= 9; n++) {
        EMIT(x86_nop(&em, n));
        assert_int_equal(x86_offset(&em), n);
        ZydisDecoder decoder;
        ZydisDecodedInstruction insn;
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, em.start, n, &insn)));
        assert_int_equal(insn.mnemonic, ZYDIS_MNEMONIC_NOP);
        assert_int_equal(insn.length, n);
    }
}

/* A patched jump leads to its target. */
static void check_jump(const char *mnemonic, uint32_t target)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    ZyanU64 to;

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, em.start, x86_offset(&em), &insn, ops)), mnemonic);
    CHECK(!strcmp(ZydisMnemonicGetString(insn.mnemonic), mnemonic), mnemonic);
    CHECK(ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&insn, &ops[0], 0x1000, &to)) && to == 0x1000 + target, mnemonic);
}

static void test_jumps(void **state)
{
    uint32_t at;

    (void)state;
    EMIT(x86_patch32(&em, x86_jmp(&em), 100));
    check_jump("jmp", 100);
    EMIT(x86_patch32(&em, x86_call(&em), 0));
    check_jump("call", 0);
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

/* --- vectors -------------------------------------------------------------------------------------------------------------------- */

enum form { RRR, RRR_NM, RRM, RR, RM, ST, XG, GXR, GX, XXG, RRRI, RRI, BLEND, XXGI, GXI, STRI };

static const struct vector_op {
    const char *name;
    uint32_t opc;
    enum form form;
} vector_table[] = {
#define ROW(name, form, prefix, map, byte) {#name, X86_##name, form},
    X86_V_TABLE(ROW)
#undef ROW
};

/* The mnemonic is the name up to an underscore; VEX.W forms have names of their own. */
static void mnemonic_of(const struct vector_op *v, char *out)
{
    unsigned n = 0;
    for (; v->name[n] && v->name[n] != '_'; n++)
        out[n] = v->name[n];
    out[n] = 0;
}

static void check_vector(const struct vector_op *v, unsigned d, unsigned a, unsigned b, struct x86_mem m)
{
    unsigned w = v->opc & X86_VW ? 8 : 4, i = (d * 16 + a) & 0x7f;
    char name[32] = {0};

    mnemonic_of(v, name);
    switch (v->form) {
    case RRR:
    case RRR_NM:
        EMIT(x86_v_rrr(&em, v->opc, d, a, b));
        EXPECT(name, vec(16, d), vec(16, a), vec(16, b));
        if (v->form == RRR_NM)
            break;
        EMIT(x86_v_rrm(&em, v->opc, d, a, m));
        EXPECT(name, vec(16, d), vec(16, a), memory(0, m));
        break;
    case RRM:
        EMIT(x86_v_rrm(&em, v->opc, d, a, m));
        EXPECT(name, vec(16, d), vec(16, a), memory(0, m));
        break;
    case RR:
        EMIT(x86_v_rr(&em, v->opc, d, a));
        EXPECT(name, vec(16, d), vec(16, a));
        EMIT(x86_v_rm(&em, v->opc, d, m));
        EXPECT(name, vec(16, d), memory(0, m));
        break;
    case RM:
        EMIT(x86_v_rm(&em, v->opc, d, m));
        EXPECT(name, vec(16, d), memory(0, m));
        break;
    case ST:
        EMIT(x86_v_mr(&em, v->opc, m, d));
        EXPECT(name, memory(0, m), vec(16, d));
        break;
    case XG: /* from a general register; with VEX.W the 64-bit move */
        EMIT(x86_v_rr(&em, v->opc, d, a));
        EXPECT(name, vec(16, d), reg(4, a));
        EMIT(x86_v_rr(&em, v->opc | X86_VW, d, a));
        check("vmovq", 2, (struct operand[]){vec(16, d), reg(8, a)}, true);
        break;
    case GXR: /* the general register is in rm */
        EMIT(x86_v_rr(&em, v->opc, a, d));
        EXPECT(name, reg(4, d), vec(16, a));
        EMIT(x86_v_rr(&em, v->opc | X86_VW, a, d));
        check("vmovq", 2, (struct operand[]){reg(8, d), vec(16, a)}, true);
        break;
    case GX:
        EMIT(x86_v_rr(&em, v->opc, d, a));
        EXPECT(name, reg(4, d), vec(16, a));
        break;
    case XXG:
        EMIT(x86_v_rrr(&em, v->opc, d, a, b));
        EXPECT(name, vec(16, d), vec(16, a), reg(4, b));
        EMIT(x86_v_rrr(&em, v->opc | X86_VW, d, a, b));
        EXPECT(name, vec(16, d), vec(16, a), reg(8, b));
        break;
    case RRRI:
        EMIT(x86_v_rrri(&em, v->opc, d, a, b, i));
        EXPECT(name, vec(16, d), vec(16, a), vec(16, b), imm(i));
        EMIT(x86_v_rrmi(&em, v->opc, d, a, m, i));
        EXPECT(name, vec(16, d), vec(16, a), memory(0, m), imm(i));
        break;
    case RRI:
        EMIT(x86_v_rri(&em, v->opc, d, a, i));
        EXPECT(name, vec(16, d), vec(16, a), imm(i));
        EMIT(x86_v_rmi(&em, v->opc, d, m, i));
        EXPECT(name, vec(16, d), memory(0, m), imm(i));
        break;
    case BLEND:
        EMIT(x86_v_rrrr(&em, v->opc, d, a, b, (d + b) % 16));
        EXPECT(name, vec(16, d), vec(16, a), vec(16, b), vec(16, (d + b) % 16));
        break;
    case XXGI:
        EMIT(x86_v_rrri(&em, v->opc, d, a, b, i));
        EXPECT(name, vec(16, d), vec(16, a), reg(w, b), imm(i));
        EMIT(x86_v_rrmi(&em, v->opc, d, a, m, i));
        EXPECT(name, vec(16, d), vec(16, a), memory(0, m), imm(i));
        break;
    case GXI: /* the vector register is the first argument */
        EMIT(x86_v_rri(&em, v->opc, d, a, i));
        EXPECT(name, reg(w, a), vec(16, d), imm(i));
        EMIT(x86_v_mri(&em, v->opc, m, d, i));
        EXPECT(name, memory(0, m), vec(16, d), imm(i));
        break;
    case STRI:
        EMIT(x86_v_mri(&em, v->opc, m, d, i));
        EXPECT(name, memory(0, m), vec(16, d), imm(i));
        break;
    }
}

static void test_vectors(void **state)
{
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(vector_table); k++)
        for (unsigned d = 0; d < 16; d++)
            for (unsigned a = 0; a < 16; a++)
                check_vector(&vector_table[k], d, a, (d + a * 5) % 16, shapes[(k * 17 + d * 16 + a) % n_shapes]);
    for (unsigned d = 0; d < 16; d++) { /* 256 bits */
        EMIT(x86_v_rrr(&em, X86_VPADDD | X86_V256, d, 15 - d, d ^ 5));
        EXPECT("vpaddd", vec(32, d), vec(32, 15 - d), vec(32, d ^ 5));
    }
}

static void test_vector_shifts(void **state)
{
    static const struct {
        const char *name;
        uint32_t opc;
    } table[] = {
#define ROW(name, prefix, map, byte, ext) {#name, X86_##name},
        X86_VSHIFT_TABLE(ROW)
#undef ROW
    };

    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(table); k++)
        for (unsigned d = 0; d < 16; d++)
            for (unsigned s = 0; s < 16; s++) {
                char name[16] = {0};
                memcpy(name, table[k].name, strlen(table[k].name) - 2);
                EMIT(x86_v_shift(&em, table[k].opc, d, s, d + s));
                EXPECT(name, vec(16, d), vec(16, s), imm(d + s));
            }
}

static void test_count(void **state)
{
    (void)state;
    assert_true(n_checked > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rr),          cmocka_unit_test(test_rm),          cmocka_unit_test(test_mr),
        cmocka_unit_test(test_immediate),   cmocka_unit_test(test_one_operand), cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_shifts),      cmocka_unit_test(test_plain),       cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_full_buffer), cmocka_unit_test(test_vectors),     cmocka_unit_test(test_vector_shifts),
        cmocka_unit_test(test_count),
    };
    return cmocka_run_group_tests(tests, build_shapes, NULL);
}
