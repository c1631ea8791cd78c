/*
 * ir_reference.h: a plain C reading of the IR, written from dbt/ir.h alone, to compare the back end with.
 *
 * An access that `fault` refuses ends the run with REF_FAULT. Addresses are formed modulo 2^32; an access that crosses the end of the
 * window goes on behind it, as it does in translated code.
 */
#ifndef TESTS_IR_REFERENCE_H
#define TESTS_IR_REFERENCE_H

#include <dbt/ir.h>
#include <dbt/vcpu.h>

enum ref_end { REF_EXIT, REF_INDIRECT, REF_LOOKUP, REF_RAISED, REF_FAULT, REF_ALIGN, REF_BAD };

struct ref_state {
    uint32_t value[IR_TEMP0 + IR_MAX_TEMPS];
    uint8_t n, z, c, v;
    uint8_t state[4096]; /* copy of the CPU state, for offsets used by LDE, STE, LDV, STV, LDF, VOP */
    uint32_t excl_addr;
    uint64_t excl_value;
    uint32_t page;        /* what moves counts from it: 0 unless the block is position-independent */
    uint32_t pc, restart; /* of the instruction at hand */
    uint32_t target;      /* of the exit */
    uint32_t at;          /* index of the IR instruction that ended the run */
    uint8_t *window;
    bool (*fault)(uint32_t va, unsigned size, uint32_t mem);
};

static inline uint32_t ref_ror(uint32_t x, unsigned n)
{
    return n & 31 ? x >> (n & 31) | x << (32 - (n & 31)) : x;
}

/* N Z C V in bits 31 to 28 */
static inline uint32_t ref_flags(const struct ref_state *s)
{
    return (uint32_t)s->n << 31 | (uint32_t)s->z << 30 | (uint32_t)s->c << 29 | (uint32_t)s->v << 28;
}

static inline void ref_set_flags(struct ref_state *s, uint32_t nzcv)
{
    s->n = nzcv >> 31, s->z = nzcv >> 30 & 1, s->c = nzcv >> 29 & 1, s->v = nzcv >> 28 & 1;
}

static inline uint64_t ref_load(const struct ref_state *s, uint64_t va, unsigned size)
{
    uint64_t v = 0;
    for (unsigned k = 0; k < size; k++)
        v |= (uint64_t)s->window[va + k] << (8 * k);
    return v;
}

static inline void ref_store(struct ref_state *s, uint64_t va, unsigned size, uint64_t v)
{
    for (unsigned k = 0; k < size; k++)
        s->window[va + k] = (uint8_t)(v >> (8 * k));
}

static inline uint64_t ref_swap(uint64_t v, unsigned size)
{
    uint64_t r = 0;
    for (unsigned k = 0; k < size; k++)
        r |= (v >> (8 * k) & 0xff) << (8 * (size - 1 - k));
    return r;
}

/* ARM ARM A8.4.3 Shift_C with a constant or computed amount. */
static inline uint32_t ref_shift_c(uint32_t x, unsigned kind, unsigned n, uint8_t carry_in, uint8_t *carry)
{
    *carry = carry_in;
    if (kind == IR_RRX) {
        *carry = x & 1;
        return x >> 1 | (uint32_t)carry_in << 31;
    }
    if (n == 0)
        return x;
    switch (kind) {
    case IR_LSL:
        *carry = n <= 32 ? (uint64_t)x << n >> 32 & 1 : 0;
        return n < 32 ? x << n : 0;
    case IR_LSR:
        *carry = n <= 32 ? x >> (n - 1) & 1 : 0;
        return n < 32 ? x >> n : 0;
    case IR_ASR:
        *carry = n < 32 ? x >> (n - 1) & 1 : x >> 31;
        return n < 32 ? (uint32_t)((int64_t)(int32_t)x >> n) : (uint32_t)((int32_t)x >> 31);
    default:
        x = ref_ror(x, n);
        *carry = x >> 31;
        return x;
    }
}

static inline bool ref_cc(const struct ref_state *s, unsigned cc)
{
    bool r = true;
    switch (cc / 2) {
    case 0:
        r = s->z;
        break;
    case 1:
        r = s->c;
        break;
    case 2:
        r = s->n;
        break;
    case 3:
        r = s->v;
        break;
    case 4:
        r = s->c && !s->z;
        break;
    case 5:
        r = s->n == s->v;
        break;
    case 6:
        r = s->n == s->v && !s->z;
        break;
    default:
        return true;
    }
    return cc & 1 ? !r : r;
}

static inline void ref_set_nz(struct ref_state *s, uint8_t fset, uint32_t r)
{
    if (fset & IR_N)
        s->n = r >> 31;
    if (fset & IR_Z)
        s->z = r == 0;
}

static inline uint32_t ref_lanes(struct ref_state *s, unsigned kind, uint32_t mask_off, uint32_t a, uint32_t b)
{
    static const struct {
        uint8_t bits, subtract, is_signed, saturate;
    } k[] = {{8, 0, 0, 0},  {8, 1, 0, 0},  {16, 0, 0, 0}, {16, 1, 0, 0}, {8, 0, 1, 1},  {8, 1, 1, 1},
             {16, 0, 1, 1}, {16, 1, 1, 1}, {8, 0, 0, 1},  {8, 1, 0, 1},  {16, 0, 0, 1}, {16, 1, 0, 1}};
    uint32_t r = 0;
    if (kind == IR_LANES_USAD8) {
        for (unsigned n = 0; n < 32; n += 8)
            r += (uint32_t)abs((int)(a >> n & 0xff) - (int)(b >> n & 0xff));
        return r;
    }
    int bits = k[kind].bits, max = (1 << (bits - k[kind].is_signed)) - 1, min = k[kind].is_signed ? -max - 1 : 0;
    for (int n = 0; n < 32; n += bits) {
        int x = (int)(a << (32 - bits - n)) >> (32 - bits), y = (int)(b << (32 - bits - n)) >> (32 - bits);
        if (!k[kind].is_signed)
            x &= max, y &= max;
        int v = k[kind].subtract ? x - y : x + y;
        if (!k[kind].saturate)
            for (int byte = n / 8; byte < (n + bits) / 8; byte++)
                s->state[mask_off + (unsigned)byte] = (k[kind].subtract ? v < 0 : v <= max) ? 0xff : 0;
        else
            v = v < min ? min : v > max ? max : v;
        r |= ((uint32_t)v & (uint32_t)(((uint64_t)1 << bits) - 1)) << n;
    }
    return r;
}

/* ARM ARM A2.2.1 AddWithCarry */
static inline uint32_t ref_add(struct ref_state *s, uint8_t fset, uint32_t x, uint32_t y, uint8_t carry)
{
    uint64_t u = (uint64_t)x + y + carry;
    int64_t i = (int64_t)(int32_t)x + (int32_t)y + carry;
    uint32_t r = (uint32_t)u;
    ref_set_nz(s, fset, r);
    if (fset & IR_C)
        s->c = u != r;
    if (fset & IR_V)
        s->v = i != (int32_t)r;
    return r;
}

static inline void ref_def(struct ref_state *s, uint16_t d, uint32_t v)
{
    if (d != IR_NONE)
        s->value[d] = v;
}

static inline enum ref_end ref_run(struct ref_state *s, const struct ir_block *b)
{
    uint32_t label[IR_MAX_LABELS] = {0};
    for (uint32_t k = 0; k < b->n; k++)
        if (b->insn[k].op == IR_OP_LABEL)
            label[b->insn[k].imm] = k;

    for (uint32_t k = 0; k < b->n; k++) {
        const struct ir_insn *i = &b->insn[k];
        uint32_t a = i->op != IR_OP_VOP && i->a != IR_NONE ? s->value[i->a] : 0;
        uint32_t bv = i->op != IR_OP_VOP && i->b != IR_NONE ? s->value[i->b] : 0;
        uint8_t sc = s->c;
        uint32_t imm = i->imm + (i->moves ? s->page : 0), f = imm;
        unsigned size = i->mem & IR_MEM_SIZE;
        uint32_t va = a + (i->b != IR_NONE ? bv << (i->shamt & 31) : 0) + imm;
        s->at = k;
        if (i->b != IR_NONE && i->op != IR_OP_VOP && i->op != IR_OP_LD && i->op != IR_OP_ST)
            f = ref_shift_c(bv, i->shift, i->shamt, s->c, &sc);
        else if (i->b == IR_NONE)
            sc = i->imm >> 31;

        switch (i->op) {
        case IR_OP_NOP:
        case IR_OP_LABEL:
            break;
        case IR_OP_INSN:
            s->pc = i->imm + s->page;
            s->restart = i->imm2;
            break;
        case IR_OP_ADD:
            ref_def(s, i->d, ref_add(s, i->fset, a, f, 0));
            break;
        case IR_OP_ADC:
            ref_def(s, i->d, ref_add(s, i->fset, a, f, s->c));
            break;
        case IR_OP_SUB:
            ref_def(s, i->d, ref_add(s, i->fset, a, ~f, 1));
            break;
        case IR_OP_SBC:
            ref_def(s, i->d, ref_add(s, i->fset, a, ~f, s->c));
            break;
        case IR_OP_RSB:
            ref_def(s, i->d, ref_add(s, i->fset, ~a, f, 1));
            break;
        case IR_OP_RSC:
            ref_def(s, i->d, ref_add(s, i->fset, ~a, f, s->c));
            break;
        case IR_OP_AND:
        case IR_OP_ORR:
        case IR_OP_EOR:
        case IR_OP_BIC:
        case IR_OP_ORN:
        case IR_OP_MOV:
        case IR_OP_MVN: {
            uint32_t r = i->op == IR_OP_AND   ? (a & f)
                         : i->op == IR_OP_ORR ? (a | f)
                         : i->op == IR_OP_EOR ? (a ^ f)
                         : i->op == IR_OP_BIC ? (a & ~f)
                         : i->op == IR_OP_ORN ? (a | ~f)
                         : i->op == IR_OP_MOV ? f
                                              : ~f;
            ref_set_nz(s, i->fset, r);
            if (i->fset & IR_C)
                s->c = sc;
            ref_def(s, i->d, r);
            break;
        }
        case IR_OP_LSLR:
        case IR_OP_LSRR:
        case IR_OP_ASRR:
        case IR_OP_RORR: {
            uint8_t c;
            uint32_t r = ref_shift_c(a, i->op - IR_OP_LSLR, bv & 0xff, s->c, &c);
            ref_set_nz(s, i->fset, r);
            if (i->fset & IR_C)
                s->c = c;
            ref_def(s, i->d, r);
            break;
        }
        case IR_OP_MUL:
            ref_set_nz(s, i->fset, a * bv);
            ref_def(s, i->d, a * bv);
            break;
        case IR_OP_UMULL:
        case IR_OP_SMULL:
        case IR_OP_UMLAL:
        case IR_OP_SMLAL: {
            uint64_t r = i->op == IR_OP_UMULL || i->op == IR_OP_UMLAL ? (uint64_t)a * bv : (uint64_t)((int64_t)(int32_t)a * (int32_t)bv);
            if (i->op >= IR_OP_UMLAL)
                r += (uint64_t)s->value[i->d2] << 32 | s->value[i->d];
            if (i->fset & IR_N)
                s->n = r >> 63;
            if (i->fset & IR_Z)
                s->z = r == 0;
            ref_def(s, i->d, (uint32_t)r);
            ref_def(s, i->d2, (uint32_t)(r >> 32));
            break;
        }
        case IR_OP_LANES:
            ref_def(s, i->d, ref_lanes(s, i->imm2, i->imm, a, bv));
            break;
        case IR_OP_UDIV:
            ref_def(s, i->d, bv ? a / bv : 0);
            break;
        case IR_OP_SDIV:
            ref_def(s, i->d, bv == 0 ? 0 : bv == UINT32_MAX ? -a : (uint32_t)((int32_t)a / (int32_t)bv));
            break;
        case IR_OP_CLZ:
            ref_def(s, i->d, a ? (uint32_t)__builtin_clz(a) : 32);
            break;
        case IR_OP_RBIT: {
            uint32_t r = 0;
            for (unsigned n = 0; n < 32; n++)
                r |= (a >> n & 1) << (31 - n);
            ref_def(s, i->d, r);
            break;
        }
        case IR_OP_REV:
            ref_def(s, i->d, (uint32_t)ref_swap(a, 4));
            break;
        case IR_OP_REV16:
            ref_def(s, i->d, (uint32_t)(ref_swap(a & 0xffff, 2) | ref_swap(a >> 16, 2) << 16));
            break;
        case IR_OP_REVSH:
            ref_def(s, i->d, (uint32_t)(int16_t)ref_swap(a & 0xffff, 2));
            break;
        case IR_OP_UXTB:
            ref_def(s, i->d, (uint8_t)f);
            break;
        case IR_OP_UXTH:
            ref_def(s, i->d, (uint16_t)f);
            break;
        case IR_OP_SXTB:
            ref_def(s, i->d, (uint32_t)(int8_t)f);
            break;
        case IR_OP_SXTH:
            ref_def(s, i->d, (uint32_t)(int16_t)f);
            break;
        case IR_OP_UBFX:
            ref_def(s, i->d, (uint32_t)(((uint64_t)a >> i->imm) & ((1ull << i->imm2) - 1)));
            break;
        case IR_OP_SBFX:
            ref_def(s, i->d, (uint32_t)((int64_t)((uint64_t)a << (64 - i->imm - i->imm2)) >> (64 - i->imm2)));
            break;
        case IR_OP_BFI: {
            uint32_t mask = (uint32_t)(((1ull << i->imm2) - 1) << i->imm);
            ref_def(s, i->d, (s->value[i->d] & ~mask) | (a << i->imm & mask));
            break;
        }
        case IR_OP_SEL:
            ref_def(s, i->d, ref_cc(s, i->cc) ? a : i->b != IR_NONE ? bv : imm);
            break;
        case IR_OP_GETF:
            ref_def(s, i->d, ref_flags(s));
            break;
        case IR_OP_SETF:
            if (i->fset & IR_N)
                s->n = f >> 31;
            if (i->fset & IR_Z)
                s->z = f >> 30 & 1;
            if (i->fset & IR_C)
                s->c = f >> 29 & 1;
            if (i->fset & IR_V)
                s->v = f >> 28 & 1;
            break;
        case IR_OP_LDF:
            memcpy(&f, s->state + i->imm, 4);
            ref_set_flags(s, flags_unpack(f));
            break;
        case IR_OP_LDE: {
            uint32_t v = 0;
            memcpy(&v, s->state + i->imm, i->mem);
            ref_def(s, i->d, v);
            break;
        }
        case IR_OP_STE: {
            uint32_t v = i->a == IR_NONE ? i->imm2 : a;
            memcpy(s->state + i->imm, &v, i->mem);
            break;
        }
        case IR_OP_LD: {
            if (s->fault(va, size, i->mem))
                return REF_FAULT;
            uint64_t v = ref_load(s, va, size);
            if (i->mem & IR_MEM_BE)
                v = ref_swap(v, size);
            if (i->mem & IR_MEM_SIGNED)
                v = size == 1 ? (uint64_t)(int8_t)v : size == 2 ? (uint64_t)(int16_t)v : v;
            ref_def(s, i->d, (uint32_t)v);
            break;
        }
        case IR_OP_ST: {
            if (s->fault(va, size, i->mem))
                return REF_FAULT;
            uint64_t v = s->value[i->d];
            ref_store(s, va, size, i->mem & IR_MEM_BE ? ref_swap(v, size) : v);
            break;
        }
        case IR_OP_LDV:
        case IR_OP_STV:
            if (!(i->mem & (IR_MEM_SLOW | IR_MEM_BE)) && s->fault(va, size, i->mem)) /* one access, all or nothing */
                return REF_FAULT;
            for (unsigned n = 0; n < size; n += size < 8 ? size : 8) {
                unsigned part = size < 8 ? size : 8;
                uint64_t v = 0, at = (uint64_t)va + n;
                if (i->mem & (IR_MEM_SLOW | IR_MEM_BE)) /* through helpers, word by word */
                    at = (uint32_t)at;
                if (s->fault(i->mem & (IR_MEM_SLOW | IR_MEM_BE) ? va + n : va, i->mem & (IR_MEM_SLOW | IR_MEM_BE) ? part : size,
                             i->mem & IR_MEM_BE ? 0 : i->mem))
                    return REF_FAULT;
                if (i->op == IR_OP_LDV) {
                    v = ref_load(s, at, part);
                    v = i->mem & IR_MEM_BE ? ref_swap(v, part) : v;
                    memcpy(s->state + i->imm2 + n, &v, part);
                } else {
                    memcpy(&v, s->state + i->imm2 + n, part);
                    ref_store(s, at, part, i->mem & IR_MEM_BE ? ref_swap(v, part) : v);
                }
            }
            break;
        case IR_OP_ALIGN:
            if ((a + i->imm) & (i->imm2 & 0xff))
                return REF_ALIGN;
            break;
        case IR_OP_LDX: {
            if (s->fault(a, size, 0))
                return REF_FAULT;
            uint64_t v = ref_load(s, a, size);
            s->excl_addr = a;
            s->excl_value = v;
            unsigned word = size == 8 ? 4 : size;
            uint32_t low = (uint32_t)v;
            ref_def(s, i->d2, (uint32_t)(i->mem & IR_MEM_BE ? ref_swap(v >> 32, 4) : v >> 32));
            ref_def(s, i->d, i->mem & IR_MEM_BE ? (uint32_t)ref_swap(low, word) : low);
            break;
        }
        case IR_OP_STX: {
            uint32_t status = 1;
            unsigned word = size == 8 ? 4 : size;
            if (s->excl_addr == a) {
                if (s->fault(a, size, 0))
                    return REF_FAULT;
                uint64_t low = bv, high = size == 8 ? s->value[i->d2] : 0;
                if (i->mem & IR_MEM_BE) {
                    low = ref_swap(low, word);
                    high = ref_swap(high, 4);
                }
                uint64_t mask = ~0ull >> (64 - 8 * size); /* the load may have been wider */
                if (ref_load(s, a, size) == (s->excl_value & mask)) {
                    ref_store(s, a, size, high << 32 | low);
                    status = 0;
                }
            }
            s->excl_addr = UINT32_MAX;
            ref_def(s, i->d, status);
            break;
        }
        case IR_OP_CALL: {
            /* The helpers of the test work on a struct vcpu: make one of the reference state. */
            struct vcpu v = {.flags = flags_pack(ref_flags(s))};
            memcpy(v.gpr, s->value, 4 * IR_GLOBALS);
            v.pc = s->pc;
            v.restart = s->restart;
            uint32_t r = i->fn(&v, a, bv, i->imm, i->imm2);
            memcpy(s->value, v.gpr, 4 * IR_GLOBALS);
            ref_set_flags(s, flags_unpack(v.flags));
            if (v.exit_reason == VCPU_EXIT_RAISED)
                return REF_RAISED;
            ref_def(s, i->d, r);
            break;
        }
        case IR_OP_VOP: /* the tests use one: 16-byte exclusive or */
            for (unsigned n = 0; n < 16; n++)
                s->state[i->d + n] = s->state[i->a + n] ^ s->state[i->b + n];
            break;
        case IR_OP_BR:
            k = label[i->imm];
            break;
        case IR_OP_BRCC:
            if (ref_cc(s, i->cc))
                k = label[i->imm];
            break;
        case IR_OP_BRZ:
            if (a == 0)
                k = label[i->imm];
            break;
        case IR_OP_BRNZ:
            if (a != 0)
                k = label[i->imm];
            break;
        case IR_OP_EXIT:
            s->target = i->imm + s->page;
            return REF_EXIT;
        case IR_OP_EXIT_CC:
            if (ref_cc(s, i->cc)) {
                s->target = i->imm + s->page;
                return REF_EXIT;
            }
            break;
        case IR_OP_EXIT_Z:
        case IR_OP_EXIT_NZ:
            if ((a == 0) == (i->op == IR_OP_EXIT_Z)) {
                s->target = i->imm + s->page;
                return REF_EXIT;
            }
            break;
        case IR_OP_EXIT_IND:
            s->target = a;
            return REF_INDIRECT;
        case IR_OP_EXIT_LOOKUP:
            s->target = i->imm + s->page;
            return REF_LOOKUP;
        case IR_OP_EXIT_RAISED:
            return REF_RAISED;
        default:
            return REF_BAD;
        }
    }
    return REF_BAD;
}

#endif
