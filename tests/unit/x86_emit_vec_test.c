/*
 * x86_emit_vec_test.c: AVX emitter functions: every opcode of the tables with all registers and all shapes of memory operands.
 */
#include "x86_emit_check.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_vector_shifts),
        cmocka_unit_test_prestate(test_count, (void *)100000),
    };
    return cmocka_run_group_tests(tests, build_shapes, NULL);
}
