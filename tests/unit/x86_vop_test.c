/*
 * x86_vop_test.c: the code of every vector operation (arch/x86/vop.c) run on random state and compared with a plain model of it, one element at
 * a time, with operands that overlap in all ways; and when floating-point operations leave to their fix-up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>

#include <arch/x86/vop.h>
#include <dbt/host.h>

#define STATE_BYTES 1040
#define REG(n)      ((uint32_t)offsetof(struct vcpu, soft_tlb) + 16u * (n)) /* offset of the n-th 16-byte register in state: behind the constants */
#define RUNS        40

static uint8_t state[STATE_BYTES] __attribute__((aligned(64)));
static uint8_t *code;
static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Bytes in which extreme elements of every size are frequent. */
static void random_bytes(uint8_t *p, unsigned n)
{
    static const uint8_t extremes[] = {0x00, 0xff, 0x7f, 0x80, 0x01, 0xfe};
    for (unsigned k = 0; k < n; k++) {
        uint64_t r = random64();
        p[k] = r & 3 ? (uint8_t)(r >> 8) : extremes[(r >> 8) % ARRAY_LEN(extremes)];
    }
    if (random64() % 4 == 0)
        memset(p, (int)extremes[random64() % ARRAY_LEN(extremes)], n);
}

/* Run the operation; false when it went to its fix-up. */
static bool run(const struct ir_insn *i)
{
    struct x86_emitter e;

    x86_emitter_init(&e, code, 4096);
    x86_push_r(&e, X86_R15);
    x86_mov_rr(&e, 8, X86_R15, X86_RDI);
    e.vcache.lazy = random64() & 1;
    if (!x86_lower_vop(&e, i))
        fail_msg("operation %u has no lowering", i->imm2);
    x86_vcache_write_back(&e);
    x86_mov_ri(&e, X86_RAX, 1);
    x86_pop_r(&e, X86_R15);
    x86_ret(&e);
    for (unsigned k = 0; k < e.n_fixups; k++)
        x86_patch32_here(&e, e.fixup[k]);
    x86_mov_ri(&e, X86_RAX, 0);
    x86_pop_r(&e, X86_R15);
    x86_ret(&e);
    assert_false(e.overflow);
    return ((uint64_t(*)(uint8_t *))(uintptr_t)code)(state + VCPU_BIAS);
}

/* --- the model --- */

static uint64_t get(const uint8_t *p, unsigned bits, unsigned k)
{
    uint64_t x = 0;
    memcpy(&x, p + bits / 8 * k, bits / 8);
    return x;
}

static void put(uint8_t *p, unsigned bits, unsigned k, uint64_t x) { memcpy(p + bits / 8 * k, &x, bits / 8); }
static int64_t sx(uint64_t x, unsigned bits) { return (int64_t)(x << (64 - bits)) >> (64 - bits); }
static uint64_t ones(unsigned bits) { return bits == 64 ? ~0ull : (1ull << bits) - 1; }
static uint64_t all(bool b) { return b ? ~0ull : 0; }

struct op {
    uint64_t d, a, b;
    unsigned bits, imm;
};
typedef uint64_t lane_fn(const struct op *o);

#define LANE(name, expr) static uint64_t name(const struct op *o) { return expr; }
LANE(l_mov, o->a)
LANE(l_and, o->a & o->b)
LANE(l_orr, o->a | o->b)
LANE(l_eor, o->a ^ o->b)
LANE(l_bic, o->a & ~o->b)
LANE(l_orn, o->a | ~o->b)
LANE(l_not, ~o->a)
LANE(l_bsl, (o->d & o->a) | (~o->d & o->b))
LANE(l_bit, (o->b & o->a) | (~o->b & o->d))
LANE(l_bif, (o->b & o->d) | (~o->b & o->a))
LANE(l_add, o->a + o->b)
LANE(l_sub, o->a - o->b)
LANE(l_neg, 0 - o->a)
LANE(l_abs, (uint64_t)(sx(o->a, o->bits) < 0 ? -sx(o->a, o->bits) : sx(o->a, o->bits)))
LANE(l_mul, o->a * o->b)
LANE(l_mla, o->d + o->a * o->b)
LANE(l_mls, o->d - o->a * o->b)
LANE(l_maxs, sx(o->a, o->bits) > sx(o->b, o->bits) ? o->a : o->b)
LANE(l_mins, sx(o->a, o->bits) < sx(o->b, o->bits) ? o->a : o->b)
LANE(l_maxu, o->a > o->b ? o->a : o->b)
LANE(l_minu, o->a < o->b ? o->a : o->b)
LANE(l_ceq, all(o->a == o->b))
LANE(l_ctst, all(o->a & o->b))
LANE(l_cgts, all(sx(o->a, o->bits) > sx(o->b, o->bits)))
LANE(l_cges, all(sx(o->a, o->bits) >= sx(o->b, o->bits)))
LANE(l_cgtu, all(o->a > o->b))
LANE(l_cgeu, all(o->a >= o->b))
LANE(l_shl, o->a << o->imm)
LANE(l_shru, o->imm == 64 ? 0 : o->a >> o->imm)
LANE(l_shrs, (uint64_t)(sx(o->a, o->bits) >> (o->imm == 64 ? 63 : o->imm)))
LANE(l_srau, o->d + l_shru(o))
LANE(l_sras, o->d + l_shrs(o))
LANE(l_sli, o->a << o->imm | (o->imm ? o->d & ones(o->bits) >> (o->bits - o->imm) : 0))
LANE(l_sri, l_shru(o) | (o->d & ~(o->imm == o->bits ? 0 : ones(o->bits) >> o->imm)))
LANE(l_rshru, l_shru(o) + (o->a >> (o->imm - 1) & 1))
LANE(l_rshrs, l_shrs(o) + (o->a >> (o->imm - 1) & 1))
LANE(l_rshrn, o->imm ? (o->a + (1ull << (o->imm - 1))) >> o->imm : o->a)
LANE(l_addhn, (o->a + o->b) >> o->bits)
LANE(l_subhn, (o->a - o->b) >> o->bits)
LANE(l_raddhn, (o->a + o->b + (1ull << (o->bits - 1))) >> o->bits)
LANE(l_rsubhn, (o->a - o->b + (1ull << (o->bits - 1))) >> o->bits)
LANE(l_avgu, (o->a + o->b + 1) >> 1)
LANE(l_abds, sx(o->a, o->bits) > sx(o->b, o->bits) ? o->a - o->b : o->b - o->a)
LANE(l_abdu, o->a > o->b ? o->a - o->b : o->b - o->a)
LANE(l_abas, o->d + l_abds(o))
LANE(l_abau, o->d + l_abdu(o))
/* widening: the operands have been extended */
LANE(l_abdl, (uint64_t)llabs((int64_t)(o->a - o->b)))
LANE(l_abal, o->d + l_abdl(o))

/* b shifted by the low byte of a */
static uint64_t shift_by_register(const struct op *o, bool is_signed, bool rounded)
{
    int n = (int8_t)o->a;
    __int128 x = is_signed ? (__int128)sx(o->b, o->bits) : (__int128)o->b;

    if (n >= 0)
        return n < (int)o->bits ? o->b << n : 0;
    if (n < -64)
        return rounded || x >= 0 ? 0 : ~0ull;
    return (uint64_t)((x + (rounded ? (__int128)1 << (-n - 1) : 0)) >> -n);
}
LANE(l_shlvs, shift_by_register(o, true, false))
LANE(l_shlvu, shift_by_register(o, false, false))
LANE(l_rshlvs, shift_by_register(o, true, true))
LANE(l_rshlvu, shift_by_register(o, false, true))
LANE(l_vfabs, o->a & 0x7fffffff)
LANE(l_vfneg, o->a ^ 0x80000000)

enum shape { SAME, LONG_S, LONG_U, WIDE_S, WIDE_U, NARROW };
enum imm_range { NO_IMM, LEFT, RIGHT, RIGHT_0 };

static const struct family {
    const char *name;
    uint16_t vop;
    lane_fn *fn;
    uint8_t first, sizes; /* bits of the first size (narrow side), how many sizes follow in the enumeration */
    uint8_t shape, imm;
} families[] = {
    {"MOV", IR_VOP_MOV, l_mov, 64, 1, SAME, NO_IMM},
    {"AND", IR_VOP_AND, l_and, 64, 1, SAME, NO_IMM},
    {"ORR", IR_VOP_ORR, l_orr, 64, 1, SAME, NO_IMM},
    {"EOR", IR_VOP_EOR, l_eor, 64, 1, SAME, NO_IMM},
    {"BIC", IR_VOP_BIC, l_bic, 64, 1, SAME, NO_IMM},
    {"ORN", IR_VOP_ORN, l_orn, 64, 1, SAME, NO_IMM},
    {"NOT", IR_VOP_NOT, l_not, 64, 1, SAME, NO_IMM},
    {"BSL", IR_VOP_BSL, l_bsl, 64, 1, SAME, NO_IMM},
    {"BIT", IR_VOP_BIT, l_bit, 64, 1, SAME, NO_IMM},
    {"BIF", IR_VOP_BIF, l_bif, 64, 1, SAME, NO_IMM},
    {"ADD", IR_VOP_ADD8, l_add, 8, 4, SAME, NO_IMM},
    {"SUB", IR_VOP_SUB8, l_sub, 8, 4, SAME, NO_IMM},
    {"NEG", IR_VOP_NEG8, l_neg, 8, 3, SAME, NO_IMM},
    {"ABS", IR_VOP_ABS8, l_abs, 8, 3, SAME, NO_IMM},
    {"MUL", IR_VOP_MUL8, l_mul, 8, 3, SAME, NO_IMM},
    {"MLA", IR_VOP_MLA8, l_mla, 8, 3, SAME, NO_IMM},
    {"MLS", IR_VOP_MLS8, l_mls, 8, 3, SAME, NO_IMM},
    {"MAXS", IR_VOP_MAXS8, l_maxs, 8, 3, SAME, NO_IMM},
    {"MAXU", IR_VOP_MAXU8, l_maxu, 8, 3, SAME, NO_IMM},
    {"MINS", IR_VOP_MINS8, l_mins, 8, 3, SAME, NO_IMM},
    {"MINU", IR_VOP_MINU8, l_minu, 8, 3, SAME, NO_IMM},
    {"CEQ", IR_VOP_CEQ8, l_ceq, 8, 3, SAME, NO_IMM},
    {"CTST", IR_VOP_CTST8, l_ctst, 8, 3, SAME, NO_IMM},
    {"CGTS", IR_VOP_CGTS8, l_cgts, 8, 3, SAME, NO_IMM},
    {"CGES", IR_VOP_CGES8, l_cges, 8, 3, SAME, NO_IMM},
    {"CGTU", IR_VOP_CGTU8, l_cgtu, 8, 3, SAME, NO_IMM},
    {"CGEU", IR_VOP_CGEU8, l_cgeu, 8, 3, SAME, NO_IMM},
    {"SHL", IR_VOP_SHL8, l_shl, 8, 4, SAME, LEFT},
    {"SHRU", IR_VOP_SHRU8, l_shru, 8, 4, SAME, RIGHT},
    {"SHRS", IR_VOP_SHRS8, l_shrs, 8, 4, SAME, RIGHT},
    {"SRAU", IR_VOP_SRAU8, l_srau, 8, 4, SAME, RIGHT},
    {"SRAS", IR_VOP_SRAS8, l_sras, 8, 4, SAME, RIGHT},
    {"SLI", IR_VOP_SLI8, l_sli, 8, 4, SAME, LEFT},
    {"SRI", IR_VOP_SRI8, l_sri, 8, 4, SAME, RIGHT},
    {"VFABS", IR_VOP_VFABS, l_vfabs, 32, 1, SAME, NO_IMM},
    {"VFNEG", IR_VOP_VFNEG, l_vfneg, 32, 1, SAME, NO_IMM},
    {"MOVLS", IR_VOP_MOVLS8, l_mov, 8, 3, LONG_S, NO_IMM},
    {"MOVLU", IR_VOP_MOVLU8, l_mov, 8, 3, LONG_U, NO_IMM},
    {"ADDLS", IR_VOP_ADDLS8, l_add, 8, 3, LONG_S, NO_IMM},
    {"ADDLU", IR_VOP_ADDLU8, l_add, 8, 3, LONG_U, NO_IMM},
    {"SUBLS", IR_VOP_SUBLS8, l_sub, 8, 3, LONG_S, NO_IMM},
    {"SUBLU", IR_VOP_SUBLU8, l_sub, 8, 3, LONG_U, NO_IMM},
    {"ADDWS", IR_VOP_ADDWS8, l_add, 8, 3, WIDE_S, NO_IMM},
    {"ADDWU", IR_VOP_ADDWU8, l_add, 8, 3, WIDE_U, NO_IMM},
    {"SUBWS", IR_VOP_SUBWS8, l_sub, 8, 3, WIDE_S, NO_IMM},
    {"SUBWU", IR_VOP_SUBWU8, l_sub, 8, 3, WIDE_U, NO_IMM},
    {"MULLS", IR_VOP_MULLS8, l_mul, 8, 3, LONG_S, NO_IMM},
    {"MULLU", IR_VOP_MULLU8, l_mul, 8, 3, LONG_U, NO_IMM},
    {"MLALS", IR_VOP_MLALS8, l_mla, 8, 3, LONG_S, NO_IMM},
    {"MLALU", IR_VOP_MLALU8, l_mla, 8, 3, LONG_U, NO_IMM},
    {"MLSLS", IR_VOP_MLSLS8, l_mls, 8, 3, LONG_S, NO_IMM},
    {"MLSLU", IR_VOP_MLSLU8, l_mls, 8, 3, LONG_U, NO_IMM},
    {"SHRN", IR_VOP_SHRN8, l_shru, 8, 3, NARROW, RIGHT_0},
    {"RSHRN", IR_VOP_RSHRN8, l_rshrn, 8, 3, NARROW, RIGHT_0},
    {"ADDHN", IR_VOP_ADDHN8, l_addhn, 8, 3, NARROW, NO_IMM},
    {"SUBHN", IR_VOP_SUBHN8, l_subhn, 8, 3, NARROW, NO_IMM},
    {"RADDHN", IR_VOP_RADDHN8, l_raddhn, 8, 3, NARROW, NO_IMM},
    {"RSUBHN", IR_VOP_RSUBHN8, l_rsubhn, 8, 3, NARROW, NO_IMM},
    {"RSHRS", IR_VOP_RSHRS8, l_rshrs, 8, 4, SAME, RIGHT},
    {"RSHRU", IR_VOP_RSHRU8, l_rshru, 8, 4, SAME, RIGHT},
    {"AVGU", IR_VOP_AVGU8, l_avgu, 8, 2, SAME, NO_IMM},
    {"SHLVS", IR_VOP_SHLVS16, l_shlvs, 16, 2, SAME, NO_IMM},
    {"SHLVU", IR_VOP_SHLVU16, l_shlvu, 16, 2, SAME, NO_IMM},
    {"RSHLVS", IR_VOP_RSHLVS16, l_rshlvs, 16, 2, SAME, NO_IMM},
    {"RSHLVU", IR_VOP_RSHLVU16, l_rshlvu, 16, 2, SAME, NO_IMM},
    {"ABDS", IR_VOP_ABDS8, l_abds, 8, 3, SAME, NO_IMM},
    {"ABDU", IR_VOP_ABDU8, l_abdu, 8, 3, SAME, NO_IMM},
    {"ABAS", IR_VOP_ABAS8, l_abas, 8, 3, SAME, NO_IMM},
    {"ABAU", IR_VOP_ABAU8, l_abau, 8, 3, SAME, NO_IMM},
    {"ABDLS", IR_VOP_ABDLS8, l_abdl, 8, 3, LONG_S, NO_IMM},
    {"ABDLU", IR_VOP_ABDLU8, l_abdl, 8, 3, LONG_U, NO_IMM},
    {"ABALS", IR_VOP_ABALS8, l_abal, 8, 3, LONG_S, NO_IMM},
    {"ABALU", IR_VOP_ABALU8, l_abal, 8, 3, LONG_U, NO_IMM},
};

static uint64_t extended(const uint8_t *p, unsigned bits, unsigned k, bool is_signed)
{
    return is_signed ? (uint64_t)sx(get(p, bits, k), bits) : get(p, bits, k);
}

static void model(const struct family *f, unsigned bits, const struct ir_insn *i, uint8_t *out)
{
    const uint8_t *d = state + i->d, *a = state + i->a, *b = state + i->b;
    bool sgn = f->shape == LONG_S || f->shape == WIDE_S;

    for (unsigned k = 0; k < i->mem * 8u / (f->shape == SAME || f->shape == NARROW ? bits : 2 * bits); k++) {
        struct op o = {.bits = bits, .imm = i->imm};
        switch (f->shape) {
        case SAME:
            o.d = get(d, bits, k), o.a = get(a, bits, k), o.b = get(b, bits, k);
            put(out, bits, k, f->fn(&o));
            break;
        case NARROW:
            o.a = get(a, 2 * bits, k), o.b = get(b, 2 * bits, k);
            put(out, bits, k, f->fn(&o));
            break;
        default:
            o.d = get(d, 2 * bits, k);
            o.a = f->shape == WIDE_S || f->shape == WIDE_U ? get(a, 2 * bits, k) : extended(a, bits, k, sgn);
            o.b = extended(b, bits, k, sgn);
            put(out, 2 * bits, k, f->fn(&o));
        }
    }
}

/* One run; registers 0..3 at random, so that operands coincide often. */
static void check(const char *name, unsigned bits, struct ir_insn *i, const uint8_t *expected)
{
    uint8_t before[STATE_BYTES];

    memcpy(before, state, sizeof(before));
    memcpy(before + i->d, expected, i->mem);
    assert_true(run(i));
    if (memcmp(before, state, sizeof(before)) != 0)
        fail_msg("%s%u, %u bytes, d %u a %u b %u imm %u", name, bits, i->mem, i->d, i->a, i->b, i->imm);
}

static void elements(void **unused UNUSED)
{
    for (unsigned n = 0; n < ARRAY_LEN(families); n++) {
        const struct family *f = &families[n];
        for (unsigned s = 0; s < f->sizes; s++) {
            unsigned bits = (unsigned)f->first << s;
            for (unsigned r = 0; r < RUNS * (f->imm ? 4 : 1); r++) {
                struct ir_insn i = {.op = IR_OP_VOP, .mem = r & 1 ? 16 : 8, .imm2 = f->vop + s};
                uint8_t expected[16];
                if (f->shape == NARROW)
                    i.mem = 8;
                else if (f->shape != SAME)
                    i.mem = 16;
                i.d = (uint16_t)REG(random64() % 4);
                i.a = (uint16_t)REG(random64() % 4);
                i.b = (uint16_t)REG(random64() % 4);
                i.imm = f->imm == LEFT ? random64() % bits : f->imm == RIGHT ? 1 + random64() % bits : f->imm == RIGHT_0 ? random64() % (bits + 1) : 0;
                random_bytes(state + REG(0), 16 * 6);
                if (r & 2) /* shift amounts near the element size */
                    for (unsigned k = 0; k < 16; k += bits / 8)
                        state[i.a + k] = (uint8_t)(random64() % 80 - 40);
                model(f, bits, &i, expected);
                check(f->name, bits, &i, expected);
            }
        }
    }
}

/* --- neighbours --- */

static void pairs(void **unused UNUSED)
{
    static const struct {
        const char *name;
        uint16_t vop;
        lane_fn *fn;
    } narrow[] = {{"PADD", IR_VOP_PADD8, l_add},   {"PMAXS", IR_VOP_PMAXS8, l_maxs}, {"PMAXU", IR_VOP_PMAXU8, l_maxu},
                  {"PMINS", IR_VOP_PMINS8, l_mins}, {"PMINU", IR_VOP_PMINU8, l_minu}};
    uint8_t expected[16];

    for (unsigned r = 0; r < 4000; r++) {
        unsigned n = r % ARRAY_LEN(narrow), lg = (unsigned)(random64() % 3), bits = 8u << lg;
        struct ir_insn i = {.op = IR_OP_VOP, .mem = 8, .imm2 = narrow[n].vop + lg};
        i.d = (uint16_t)REG(random64() % 3), i.a = (uint16_t)REG(random64() % 3), i.b = (uint16_t)REG(random64() % 3);
        random_bytes(state + REG(0), 16 * 6);
        for (unsigned k = 0; k < 64 / bits; k++) {
            const uint8_t *from = state + (2 * k * bits < 64 ? i.a : i.b);
            unsigned e = 2 * k % (64 / bits);
            struct op o = {.bits = bits, .a = get(from, bits, e), .b = get(from, bits, e + 1)};
            put(expected, bits, k, narrow[n].fn(&o));
        }
        check(narrow[n].name, bits, &i, expected);
    }
    for (unsigned r = 0; r < 4000; r++) {
        bool sgn = r & 1, accumulate = r & 2;
        unsigned lg = (unsigned)(random64() % 3), bits = 8u << lg;
        struct ir_insn i = {.op = IR_OP_VOP, .mem = r & 4 ? 16 : 8};
        i.imm2 = (accumulate ? (sgn ? IR_VOP_PADALS8 : IR_VOP_PADALU8) : (sgn ? IR_VOP_PADDLS8 : IR_VOP_PADDLU8)) + lg;
        i.d = (uint16_t)REG(random64() % 3), i.a = (uint16_t)REG(random64() % 3);
        random_bytes(state + REG(0), 16 * 6);
        for (unsigned k = 0; k < i.mem * 4u / bits; k++)
            put(expected, 2 * bits, k,
                (accumulate ? get(state + i.d, 2 * bits, k) : 0) + extended(state + i.a, bits, 2 * k, sgn) +
                    extended(state + i.a, bits, 2 * k + 1, sgn));
        check(accumulate ? "PADAL" : "PADDL", bits, &i, expected);
    }
}

/* --- permutations: expected bytes as source indexes into d (0..), a (32..), b (64..); 255 = zero --- */

static void permutation(const char *name, unsigned vop, unsigned bytes, unsigned imm, const uint8_t *from_d, const uint8_t *from_a)
{
    for (unsigned r = 0; r < RUNS; r++) {
        struct ir_insn i = {.op = IR_OP_VOP, .mem = (uint16_t)bytes, .imm2 = vop, .imm = imm};
        uint8_t source[256] = {0}, want[STATE_BYTES];
        i.d = (uint16_t)REG(random64() % 3);
        i.a = (uint16_t)REG(random64() % 3);
        i.b = (uint16_t)REG(random64() % 3);
        if (from_a && i.a == i.d)
            i.a = (uint16_t)REG(3);
        random_bytes(state + REG(0), 16 * 6);
        memcpy(source, state + i.d, 16);
        memcpy(source + 32, state + i.a, 16);
        memcpy(source + 64, state + i.b, 16);
        memcpy(want, state, sizeof(want));
        for (unsigned k = 0; k < bytes; k++) {
            want[i.d + k] = source[from_d[k]];
            if (from_a)
                want[i.a + k] = source[from_a[k]];
        }
        assert_true(run(&i));
        if (memcmp(want, state, sizeof(want)) != 0)
            fail_msg("%s, %u bytes, imm %u, d %u a %u b %u", name, bytes, imm, i.d, i.a, i.b);
    }
}

static void permutations(void **unused UNUSED)
{
    static const struct {
        const char *name;
        uint16_t vop;
        uint8_t group, size;
    } reversals[] = {
        {"REV16_8", IR_VOP_REV16_8, 2, 1},   {"REV32_8", IR_VOP_REV32_8, 4, 1},   {"REV32_16", IR_VOP_REV32_16, 4, 2},
        {"REV64_8", IR_VOP_REV64_8, 8, 1},   {"REV64_16", IR_VOP_REV64_16, 8, 2}, {"REV64_32", IR_VOP_REV64_32, 8, 4},
    };
    uint8_t d[16], a[16];

    for (unsigned bytes = 8; bytes <= 16; bytes += 8) {
        for (unsigned n = 0; n < ARRAY_LEN(reversals); n++) {
            unsigned g = reversals[n].group, s = reversals[n].size;
            for (unsigned k = 0; k < bytes; k++)
                d[k] = (uint8_t)(32 + k / g * g + (g / s - 1 - k % g / s) * s + k % s);
            permutation(reversals[n].name, reversals[n].vop, bytes, 0, d, NULL);
        }
        for (unsigned imm = 0; imm < bytes; imm++) {
            for (unsigned k = 0; k < bytes; k++)
                d[k] = (uint8_t)(k + imm < bytes ? 32 + k + imm : 64 + k + imm - bytes);
            permutation("EXT", IR_VOP_EXT, bytes, imm, d, NULL);
        }
        for (unsigned lg = 0; lg < 3; lg++) {
            unsigned s = 1u << lg, count = bytes >> lg;
            for (unsigned k = 0; k < bytes; k++)
                d[k] = (uint8_t)(32 + k % s);
            permutation("DUP", IR_VOP_DUP8 + lg, bytes, 0, d, NULL);
            for (unsigned k = 0; k < bytes; k++) { /* element e of the double-length result, interleaved */
                unsigned e = k / s, h = count / 2;
                d[k] = (uint8_t)((e & 1 ? 32 : 0) + e / 2 * s + k % s);
                a[k] = (uint8_t)((e & 1 ? 32 : 0) + (h + e / 2) * s + k % s);
            }
            permutation("ZIP", IR_VOP_ZIP8 + lg, bytes, 0, d, a);
            for (unsigned k = 0; k < bytes; k++) {
                unsigned e = 2 * (k / s);
                d[k] = (uint8_t)(e < count ? e * s + k % s : 32 + (e - count) * s + k % s);
                a[k] = (uint8_t)(d[k] + s);
            }
            permutation("UZP", IR_VOP_UZP8 + lg, bytes, 0, d, a);
            for (unsigned k = 0; k < bytes; k++) {
                unsigned e = k / s;
                d[k] = (uint8_t)(e & 1 ? 32 + (e - 1) * s + k % s : e * s + k % s);
                a[k] = (uint8_t)(e & 1 ? 32 + e * s + k % s : (e + 1) * s + k % s);
            }
            permutation("TRN", IR_VOP_TRN8 + lg, bytes, 0, d, a);
        }
        for (unsigned k = 0; k < bytes; k++) {
            d[k] = (uint8_t)(32 + k);
            a[k] = (uint8_t)k;
        }
        permutation("SWP", IR_VOP_SWP, bytes, 0, d, a);
    }
}

static void table_look_up(void **unused UNUSED)
{
    for (unsigned r = 0; r < 2000; r++) {
        unsigned length = 1 + r % 4;
        struct ir_insn i = {.op = IR_OP_VOP, .mem = 8, .imm2 = IR_VOP_TBL1 + length - 1};
        uint8_t expected[8];
        i.d = (uint16_t)REG(random64() % 3);
        i.a = (uint16_t)REG(random64() % 3);
        i.b = (uint16_t)(REG(random64() % 3) + (r & 4 ? 8 : 0));
        random_bytes(state + REG(0), 16 * 6);
        if (r & 8)
            for (unsigned k = 0; k < 8; k++)
                state[i.b + k] %= 40;
        for (unsigned k = 0; k < 8; k++)
            expected[k] = state[i.b + k] < 8 * length ? state[i.a + state[i.b + k]] : 0;
        check("TBL", length, &i, expected);
    }
}

/* --- saturating operations: the value before saturation, and the range of the result --- */

typedef __int128 exact_fn(const struct op *o);

#define EXACT(name, expr) static __int128 name(const struct op *o) { return expr; }
EXACT(x_qadd, (__int128)(int64_t)o->a + (int64_t)o->b)
EXACT(x_qsub, (__int128)(int64_t)o->a - (int64_t)o->b)
EXACT(x_qabs, llabs((int64_t)o->a))
EXACT(x_qneg, -(int64_t)o->a)
EXACT(x_qshr, (int64_t)o->a >> o->imm)
EXACT(x_qrshr, ((int64_t)o->a + (o->imm ? 1 << (o->imm - 1) : 0)) >> o->imm)

static void saturating(void **unused UNUSED)
{
    enum { S_S, U_U, S_U }; /* operands and result signed */
    static const struct {
        const char *name;
        uint16_t vop;
        exact_fn *fn;
        uint8_t sizes, range;
        bool narrow, from_1; /* shift amounts */
    } ops[] = {
        {"QADDS", IR_VOP_QADDS8, x_qadd, 2, S_S, false, false},     {"QADDU", IR_VOP_QADDU8, x_qadd, 2, U_U, false, false},
        {"QSUBS", IR_VOP_QSUBS8, x_qsub, 2, S_S, false, false},     {"QSUBU", IR_VOP_QSUBU8, x_qsub, 2, U_U, false, false},
        {"QABS", IR_VOP_QABS8, x_qabs, 3, S_S, false, false},       {"QNEG", IR_VOP_QNEG8, x_qneg, 3, S_S, false, false},
        {"QSHRNS", IR_VOP_QSHRNS8, x_qshr, 2, S_S, true, false},    {"QSHRNU", IR_VOP_QSHRNU8, x_qshr, 2, U_U, true, false},
        {"QSHRUN", IR_VOP_QSHRUN8, x_qshr, 2, S_U, true, false},    {"QRSHRNS", IR_VOP_QRSHRNS8, x_qrshr, 2, S_S, true, true},
        {"QRSHRNU", IR_VOP_QRSHRNU8, x_qrshr, 2, U_U, true, true}, {"QRSHRUN", IR_VOP_QRSHRUN8, x_qrshr, 2, S_U, true, true},
    };
    unsigned count[2] = {0};

    for (unsigned r = 0; r < 24000; r++) {
        unsigned n = r % ARRAY_LEN(ops), size = (unsigned)(random64() % ops[n].sizes), bits = 8u << size, flag = (unsigned)(random64() % 32);
        unsigned from = ops[n].narrow ? 2 * bits : bits, word = REG(8) + 4 * (unsigned)(random64() % 4), before = (unsigned)(random64() % 4 == 0);
        struct ir_insn i = {.op = IR_OP_VOP, .mem = ops[n].narrow || random64() & 1 ? 8 : 16, .imm2 = (ops[n].vop + size) | (8 * word + flag) << 16};
        __int128 min = ops[n].range == S_S ? -((__int128)1 << (bits - 1)) : 0, max = (__int128)(ones(bits) >> (ops[n].range == S_S));
        uint64_t keep = random64();
        uint8_t expected[16];
        bool saturates = before;

        i.d = (uint16_t)REG(random64() % 3), i.a = (uint16_t)REG(random64() % 3), i.b = (uint16_t)REG(random64() % 3);
        i.imm = ops[n].narrow ? ops[n].from_1 + (unsigned)(random64() % (bits + 1 - ops[n].from_1)) : 0;
        random_bytes(state + REG(0), 16 * 6);
        if (keep & 1) /* small operands */
            for (unsigned k = 0; k < 16; k += from / 8)
                put(state + i.a, from, k / (from / 8), ops[n].range == S_S ? keep >> 8 & 15 : 16 + (keep >> 8 & 15)),
                    put(state + i.b, from, k / (from / 8), keep >> 16 & 15);
        for (unsigned k = 0; k < i.mem * 8u / bits; k++) {
            bool sgn = ops[n].range != U_U;
            struct op o = {.bits = bits, .imm = i.imm, .a = extended(state + i.a, from, k, sgn), .b = extended(state + i.b, from, k, sgn)};
            __int128 v = ops[n].fn(&o);
            saturates |= v < min || v > max;
            put(expected, bits, k, (uint64_t)(v < min ? min : v > max ? max : v));
        }
        uint32_t w = (uint32_t)(keep >> 32) & ~(1u << flag);
        put(state + word, 32, 0, w | before << flag);
        uint8_t want[STATE_BYTES];
        memcpy(want, state, sizeof(want));
        memcpy(want + i.d, expected, i.mem);
        put(want + word, 32, 0, w | (uint32_t)saturates << flag);
        assert_true(run(&i));
        if (memcmp(want, state, sizeof(want)) != 0)
            fail_msg("%s%u, %u bytes, d %u a %u b %u imm %u, bit %u before %u", ops[n].name, bits, i.mem, i.d, i.a, i.b, i.imm, flag, before);
        count[saturates]++;
    }
    assert_true(count[0] > 4000 && count[1] > 4000);
}

/* --- floating point: numbers as the host has them, and the fix-up for everything else --- */

static void set_double(uint32_t off, double x) { memcpy(state + off, &x, 8); }
static double get_double(uint32_t off)
{
    double x;
    memcpy(&x, state + off, 8);
    return x;
}

static struct ir_insn fp(unsigned vop, unsigned bytes)
{
    return (struct ir_insn){.op = IR_OP_VOP, .mem = (uint16_t)bytes, .imm2 = vop, .d = (uint16_t)REG(0), .a = (uint16_t)REG(1), .b = (uint16_t)REG(2)};
}

static void arithmetic(void **unused UNUSED)
{
    static const struct {
        uint16_t vop;
        double d, a, b, result;
    } v[] = {
        {IR_VOP_FADD, 0, 1.5, 2.25, 3.75},   {IR_VOP_FSUB, 0, 1.5, 2.25, -0.75},  {IR_VOP_FMUL, 0, 1.5, 2.0, 3.0},    {IR_VOP_FNMUL, 0, 1.5, 2.0, -3.0},
        {IR_VOP_FDIV, 0, 3.0, -2.0, -1.5},   {IR_VOP_FSQRT, 0, 6.25, 0, 2.5},     {IR_VOP_FMLA, 1, 2, 3, 7},          {IR_VOP_FMLS, 1, 2, 3, -5},
        {IR_VOP_FNMLA, 1, 2, 3, -7},         {IR_VOP_FNMLS, 1, 2, 3, 5},          {IR_VOP_FFMA, 1, 2, 3, 7},          {IR_VOP_FFMS, 1, 2, 3, -5},
        {IR_VOP_FFNMA, 1, 2, 3, -7},         {IR_VOP_FFNMS, 1, 2, 3, 5},          {IR_VOP_FABS, 0, -1.5, 0, 1.5},     {IR_VOP_FNEG, 0, 1.5, 0, -1.5},
        {IR_VOP_FNMLA, 0.0, 0.0, 1.0, -0.0}, {IR_VOP_FNMLS, 0.0, 0.0, 1.0, 0.0},
        /* rounded twice and once: 1 + (1 + e)(1 - e) */
        {IR_VOP_FMLA, -1, 1 + 0x1p-52, 1 - 0x1p-52, 0}, {IR_VOP_FFMA, -1, 1 + 0x1p-52, 1 - 0x1p-52, -0x1p-104},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        struct ir_insn i = fp(v[k].vop, 8);
        set_double(i.d, v[k].d);
        set_double(i.a, v[k].a);
        set_double(i.b, v[k].b);
        assert_true(run(&i));
        assert_memory_equal(state + i.d, &v[k].result, 8);
    }
}

static void fix_up(void **unused UNUSED)
{
    static const uint16_t vops[] = {IR_VOP_FADD, IR_VOP_FSUB, IR_VOP_FMUL, IR_VOP_FNMUL, IR_VOP_FDIV, IR_VOP_FMLA, IR_VOP_FNMLS, IR_VOP_FFMA, IR_VOP_FFNMS};
    double nan = __builtin_nan(""), inf = __builtin_inf();

    for (unsigned k = 0; k < ARRAY_LEN(vops); k++) {
        struct ir_insn i = fp(vops[k], 8);
        set_double(i.d, 1.25);
        set_double(i.a, 1);
        set_double(i.b, nan);
        assert_false(run(&i));
        assert_true(get_double(i.d) == 1.25); /* untouched for the fix-up */
    }
    struct ir_insn sub = fp(IR_VOP_FSUB, 8), mul = fp(IR_VOP_FMUL, 8), to_s = fp(IR_VOP_FTOS, 8), to_u = fp(IR_VOP_FTOU, 8);
    set_double(sub.a, inf);
    set_double(sub.b, inf);
    assert_false(run(&sub));
    set_double(mul.a, 0x1.fffffffffffffp-1022); /* rounds up to the smallest normal number: Underflow is the fix-up's to decide */
    set_double(mul.b, 0.5);
    assert_false(run(&mul));
    static const struct {
        double x;
        bool s, u;
    } range[] = {{0, true, true}, {-0.75, true, false}, {2147483647.5, true, true}, {2147483648.0, false, true}, {-2147483647.5, true, false},
                 {4294967295.5, false, true}, {4294967296.0, false, false}, {-2147483649.0, false, false}, {1e300, false, false}};
    for (unsigned k = 0; k < ARRAY_LEN(range); k++) {
        set_double(to_s.a, range[k].x);
        assert_int_equal(run(&to_s), range[k].s);
        if (range[k].s)
            assert_int_equal((int32_t)get(state + to_s.d, 32, 0), (int32_t)range[k].x);
        assert_int_equal(run(&to_u), range[k].u);
        if (range[k].u)
            assert_int_equal(get(state + to_u.d, 32, 0), (uint32_t)range[k].x);
    }
}

/* Vectors of single precision: done inline exactly when flush-to-zero and default NaN cannot matter. */
static bool special(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits &= 0x7fffffff;
    return bits > 0x7f800000 || (bits != 0 && bits <= 0x00800000);
}

static void vectors(void **unused UNUSED)
{
    static const uint16_t vops[] = {IR_VOP_VFADD, IR_VOP_VFSUB, IR_VOP_VFMUL, IR_VOP_VFMLA, IR_VOP_VFMLS};
    unsigned done = 0, left = 0;

    for (unsigned r = 0; r < 8000; r++) {
        unsigned n = r % ARRAY_LEN(vops), lanes = r & 8 ? 4 : 2;
        struct ir_insn i = {.op = IR_OP_VOP, .mem = (uint16_t)(4 * lanes), .imm2 = vops[n] | (uint32_t)REG(8) << 16,
                            .d = (uint16_t)REG(0), .a = (uint16_t)REG(1), .b = (uint16_t)REG(2)};
        float x[3][4], want[4] = {0, 0, 0, 0};
        bool fix = false;
        for (unsigned k = 0; k < 12; k++) {
            uint64_t v = random64();
            uint32_t bits = v & 31 ? ((uint32_t)(v >> 32) & 0x807fffff) | (120 + (uint32_t)(v >> 8) % 16) << 23 : (v & 96) ? (uint32_t)(v >> 32) & 0x80ffffff : 0;
            memcpy(&x[k / 4][k % 4], &bits, 4);
        }
        memcpy(state + REG(0), x, sizeof(x));
        for (unsigned k = 0; k < lanes; k++) {
            float d = x[0][k], a = x[1][k], b = x[2][k], product = a * b;
            want[k] = n == 0 ? a + b : n == 1 ? a - b : n == 2 ? product : n == 3 ? d + product : d - product;
            fix |= special(a) || special(b) || special(want[k]);
            if (n >= 2)
                fix |= (n > 2 && special(d)) || special(product) || (product == 0 && a != 0 && b != 0);
        }
        assert_int_equal(run(&i), !fix);
        assert_memory_equal(state + i.d, fix ? x[0] : want, 4 * lanes);
        fix ? left++ : done++;
    }
    assert_true(done > 1000 && left > 500);
}

static uint32_t compared(const struct ir_insn *i)
{
    uint32_t flags;

    memcpy(&flags, state + i->d, sizeof(flags));
    return flags_unpack(flags) >> 28;
}

static void compare(void **unused UNUSED)
{
    static const struct {
        double a, b;
        uint8_t nzcv;
    } v[] = {
        {1, 2, IR_N}, {2, 2, IR_Z | IR_C}, {3, 2, IR_C}, {__builtin_nan(""), 2, IR_C | IR_V}, {-0.0, 0.0, IR_Z | IR_C},
    };
    for (unsigned k = 0; k < ARRAY_LEN(v); k++) {
        struct ir_insn i = fp(k & 1 ? IR_VOP_FCMPE : IR_VOP_FCMP, 8);
        set_double(i.a, v[k].a);
        set_double(i.b, v[k].b);
        assert_true(run(&i));
        assert_int_equal(compared(&i), v[k].nzcv);
    }
    struct ir_insn zero = fp(IR_VOP_FCMP, 8);
    zero.b = IR_NONE;
    set_double(zero.a, -1);
    assert_true(run(&zero));
    assert_int_equal(compared(&zero), IR_N);
}

static void conversions(void **unused UNUSED)
{
    struct ir_insn i = fp(IR_VOP_FFROMU, 8);
    uint32_t x = 0xfffffff0;

    memcpy(state + i.a, &x, 4);
    assert_true(run(&i));
    assert_true(get_double(i.d) == 4294967280.0);
    i = fp(IR_VOP_FFROMS, 8);
    assert_true(run(&i));
    assert_true(get_double(i.d) == -16.0);
    float f = -2.5f;
    i = fp(IR_VOP_FCVT, 4);
    memcpy(state + i.a, &f, 4);
    assert_true(run(&i));
    assert_true(get_double(i.d) == -2.5);
    i = fp(IR_VOP_FCVT, 8);
    set_double(i.a, 0.1);
    assert_true(run(&i));
    memcpy(&f, state + i.d, 4);
    assert_true(f == 0.1f);
}

static int setup(void **unused UNUSED)
{
    host_init_vcpu((struct vcpu *)state);
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : 0;
}

static int teardown(void **unused UNUSED) { return munmap(code, 4096); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements), cmocka_unit_test(pairs), cmocka_unit_test(permutations), cmocka_unit_test(table_look_up), cmocka_unit_test(saturating), cmocka_unit_test(arithmetic),
        cmocka_unit_test(vectors),
        cmocka_unit_test(fix_up),   cmocka_unit_test(compare),      cmocka_unit_test(conversions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
