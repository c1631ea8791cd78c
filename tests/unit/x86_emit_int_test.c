/*
 * x86_emit_int_test.c: integer emitter functions: every one with all registers, all operand sizes and all shapes of memory operands; and
 * one of each class of memory encodings with every base, index, scale and displacement size.
 */
#include "x86_emit_check.h"

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
    for (unsigned cc = 0; cc < 16; cc++) {
        EMIT(x86_setcc_ah(&em, (enum x86_cc)cc));
        EXPECT(set_name[cc], high_byte());
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
    for (unsigned d = 0; d < 8; d++) {
        EMIT(x86_movzx_r_ah(&em, d));
        EXPECT("movzx", reg(4, d), high_byte());
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

/* Every combination of base, index, scale, displacement size and window, for a load, a store, and one with an immediate behind. */
static void test_all_addresses(void **state)
{
    static const int32_t disp[] = {0, 1, -1, 127, -128, 128, -129, 0x12345678, INT32_MIN};

    (void)state;
    for (unsigned base = 0; base <= 16; base++)
        for (unsigned index = 0; index <= 16; index++)
            for (unsigned k = 0; k < 4 * ARRAY_LEN(disp) * 2; k++) {
                unsigned scale = k & 3, r = (base + index + k) % 16;
                if (index == X86_RSP || (index == 16 && scale) || (base == 16 && index != 16 && !scale))
                    continue; /* not an operand; the last one: a base */
                struct x86_mem m =
                    x86_index(base == 16 ? X86_NOREG : base, index == 16 ? X86_NOREG : index, scale, disp[k / 4 % ARRAY_LEN(disp)]);
                m.guest = k >= 4 * ARRAY_LEN(disp);
                EMIT(x86_mov_rm(&em, 4, r, m));
                EXPECT("mov", reg(4, r), memory(4, m));
                EMIT(x86_mov_mr(&em, 1, m, r));
                EXPECT("mov", memory(1, m), reg(1, r));
                EMIT(x86_alu_mi(&em, X86_ADD, 8, m, 0x1234567));
                EXPECT("add", memory(8, m), imm(0x1234567));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rr),
        cmocka_unit_test(test_rm),
        cmocka_unit_test(test_mr),
        cmocka_unit_test(test_immediate),
        cmocka_unit_test(test_one_operand),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_shifts),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_all_addresses),
        cmocka_unit_test_prestate(test_count, (void *)200000),
    };
    return cmocka_run_group_tests(tests, build_shapes, NULL);
}
