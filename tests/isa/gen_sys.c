/*
 * gen_sys.c: what a user program cannot or must not do: status and banked registers, changes of mode, exceptions and returns from them,
 * loads and stores of the user mode's registers, coprocessor registers, hints. For the bare-metal runner on both sides.
 *
 * A case starts in any mode with all banks random. The generator follows the mode through the case (builder.mode), so that what needs an
 * SPSR mostly has one; in user mode most of this is undefined or does nothing, which is compared as well.
 */
#include "gen.h"

#include <arch/arm/cpu.h>
#include <arch/arm/translate_int.h>

static const uint8_t modes[] = {ARM_SVC, ARM_ABT, ARM_UND, ARM_IRQ, ARM_FIQ, ARM_SYS};

#define PSR_BITS 0xff0fffffu /* bits 23 to 20 are reserved in ARMv7; QEMU keeps bit 20, that of ARMv8 */

static unsigned pick_mode(struct builder *b)
{
    return chance(b->r, 6) ? ARM_USR : modes[below(b->r, ARRAY_LEN(modes))];
}

static uint32_t stack_in_page(struct rng *r)
{
    return ISA_DATA_BASE + 0x200 + (below(r, 0xc00) & ~7u);
}

void gen_system_state(struct rng *r, struct gen_case *c)
{
    struct isa_banked *k = &c->banked;
    uint32_t *w = (uint32_t *)k;
    unsigned mode = chance(r, 15) ? ARM_USR : modes[below(r, ARRAY_LEN(modes))];

    for (unsigned i = 0; i < sizeof(*k) / 4; i++)
        w[i] = interesting_word(r);
    k->fiq[5] = stack_in_page(r);
    k->svc.sp = stack_in_page(r);
    k->abt.sp = stack_in_page(r);
    k->und.sp = stack_in_page(r);
    k->irq.sp = stack_in_page(r);
    k->fpexc = 0x40000000;
    k->spsr_fiq &= PSR_BITS;
    k->svc.spsr &= PSR_BITS;
    k->abt.spsr &= PSR_BITS;
    k->und.spsr &= PSR_BITS;
    k->irq.spsr &= PSR_BITS;
    c->has_banked = true;
    c->in.r[13] = stack_in_page(r);
    c->in.cpsr = (c->in.cpsr & ~0x1fu) | mode | (rnd(r) & 0x1c0);
}

static void put_always(struct builder *b, uint32_t word)
{
    put_decoded(b, word, 4);
}

/* A status register value for `mode` and the state the case is in, or the other one. */
static uint32_t psr(struct builder *b, unsigned mode, bool thumb)
{
    return (rnd(b->r) & 0xf80f01c0) | (thumb ? 0x20 : 0) | (chance(b->r, 15) ? 0x200 : 0) | mode;
}

/* msr CPSR_fields or SPSR_fields, m */
static void put_msr(struct builder *b, bool spsr, unsigned fields, unsigned m)
{
    if (b->c->thumb)
        put_always(b, 0xf3808000 | (uint32_t)spsr << 20 | m << 16 | fields << 8);
    else
        put_always(b, 0xe120f000 | (uint32_t)spsr << 22 | fields << 16 | m);
}

static bool has_spsr(const struct builder *b)
{
    return b->mode != ARM_USR && b->mode != ARM_SYS;
}

/* MRS and MSR of the CPSR and SPSR. Writes of the mode are valid ones. */
static bool status_unit(struct builder *b)
{
    unsigned m = below(b->r, 13), fields = 1 + below(b->r, 15), mode = pick_mode(b);
    bool spsr = has_spsr(b) ? chance(b->r, 50) : b->mode == ARM_USR && chance(b->r, 10);

    switch (below(b->r, 3)) {
    case 0:
        put_always(b, b->c->thumb ? 0xf3ef8000 | (uint32_t)spsr << 20 | m << 8 : 0xe10f0000 | (uint32_t)spsr << 22 | m << 12);
        return true;
    case 1:
        if (!b->c->thumb) {
            uint32_t imm = below(b->r, 16) << 8 | below(b->r, 256);
            uint32_t value = imm & 0xff, rotation = imm >> 8 << 1;
            value = value >> rotation | value << (31 - rotation) << 1;
            if (value & ~PSR_BITS)
                return false;
            if (fields & 1 && !spsr)
                imm = (rnd(b->r) & 0xc0) | mode;
            put_always(b, 0xe320f000 | (uint32_t)spsr << 22 | fields << 16 | imm);
            break;
        } /* fall through */
    default:
        put_const(b, m, psr(b, mode, chance(b->r, 50)) | (rnd(b->r) & 0x0700fc00));
        put_msr(b, spsr, fields, m);
    }
    if (!spsr && fields & 1 && b->mode != ARM_USR)
        b->mode = mode;
    return true;
}

/* MRS and MSR of banked registers (B9.2.3); those that the current mode has under their own name are UNPREDICTABLE. */
static bool banked_unit(struct builder *b)
{
    static const uint8_t names[] = {0,  1,  2,  3,  4,  5,  6,  8,  9,       10,      11,      12,      13,     14,
                                    16, 17, 18, 19, 20, 21, 22, 23, 32 | 14, 32 | 16, 32 | 18, 32 | 20, 32 | 22};
    static const uint8_t owner[] = {[8] = ARM_IRQ, [9] = ARM_SVC, [10] = ARM_ABT, [11] = ARM_UND};
    unsigned name = names[below(b->r, ARRAY_LEN(names))], sysm = name & 31, r = name >> 5, m = below(b->r, 13);
    bool write = chance(b->r, 50), fiq = b->mode == ARM_FIQ;

    if (sysm >= 16 ? b->mode == owner[sysm / 2] : sysm >= 8 ? fiq : sysm >= 5 ? !has_spsr(b) : !fiq)
        return false; /* accessible by its own name */
    uint32_t low = sysm & 15, high = sysm >> 4, word;
    if (write) {
        if (name == 5 || name == 13 || (name >= 16 && name < 32 && name & 1))
            put_const(b, m, stack_in_page(b->r)); /* a stack pointer that SRS may use */
        if (r)
            put_const(b, m, rnd(b->r) & PSR_BITS);
        word = b->c->thumb ? 0xf3808020 | r << 20 | m << 16 | low << 8 | high << 4 : 0xe120f200 | r << 22 | low << 16 | high << 8 | m;
    } else {
        word = b->c->thumb ? 0xf3e08020 | r << 20 | low << 16 | m << 8 | high << 4 : 0xe1000200 | r << 22 | low << 16 | m << 12 | high << 8;
    }
    put_always(b, word);
    return true;
}

static bool cps_unit(struct builder *b)
{
    unsigned mode = pick_mode(b), aif = 1 + below(b->r, 7), imod = 2 + below(b->r, 2);
    bool change = chance(b->r, 60);

    if (b->c->thumb && chance(b->r, 40)) {
        put_decoded(b, 0xb660 | (imod & 1) << 4 | aif, 2);
        return true;
    }
    if (change && chance(b->r, 30))
        imod = aif = 0;
    if (b->c->thumb)
        put_always(b, 0xf3af8000 | imod << 9 | (uint32_t)change << 8 | aif << 5 | (change ? mode : 0));
    else
        put_always(b, 0xf1000000 | imod << 18 | (uint32_t)change << 17 | aif << 6 | (change ? mode : 0));
    if (change && b->mode != ARM_USR)
        b->mode = mode;
    return true;
}

static bool srs_unit(struct builder *b)
{
    unsigned mode = modes[below(b->r, ARRAY_LEN(modes))], w = below(b->r, 2);

    if (b->mode == ARM_SYS)
        return false;
    if (mode == ARM_ABT || mode == ARM_UND) /* one of them has started the case and no stack in the page */
        mode = ARM_SVC;
    if (b->c->thumb)
        put_always(b, (chance(b->r, 50) ? 0xe80dc000 : 0xe98dc000) | w << 21 | mode);
    else
        put_always(b, 0xf84d0500 | below(b->r, 4) << 23 | w << 21 | mode);
    return true;
}

/* Code that the return leads to, in the other instruction set, and back. */
static void put_other_state(struct builder *b)
{
    if (b->c->thumb)
        back_to_thumb(b);
    else
        put_insn(b, 0x46c04778, 4, -1, false, false); /* bx pc; nop */
}

/* m = address behind `bytes` bytes that follow; of the next A32 word there if Thumb code is to return to A32. */
static void put_return_address(struct builder *b, unsigned m, unsigned bytes, bool other, unsigned skipped)
{
    if (!b->c->thumb) {
        put_address(b, m, bytes + skipped);
    } else if (other) {
        put_const(b, m, bytes + 5);
        put_insn(b, 0x4478 | (m & 8) << 4 | (m & 7), 2, -1, false, false); /* add m, pc */
        put_insn(b, 0xf0200003 | m << 16 | m << 8, 4, -1, false, false);   /* bic m, m, #3 */
    } else {
        put_address(b, m, bytes + skipped);
    }
}

/* RFE from words that are stored first. */
static bool rfe_unit(struct builder *b)
{
    unsigned m = pick_reg(b), base = below(b->r, 13), k = below(b->r, 13), mode = pick_mode(b), form = below(b->r, 4), w = below(b->r, 2);
    bool other = chance(b->r, 25), thumb = b->c->thumb;
    uint32_t ea = pick_address(b, 8, 4) & ~3u;
    struct gen_insn skipped;

    if (m == base || m == k || base == k || ea < ISA_DATA_BASE || ea > ISA_DATA_BASE + ISA_DATA_SIZE - 8 || !make_skipped(b, &skipped))
        return false;
    if (thumb)
        form = form & 1 ? 2 : 1;           /* DB, IA */
    bool up = form & 1, before = form & 2; /* U, P */
    int lowest = up ? (before ? 4 : 0) : (before ? -8 : -4);

    put_const(b, base, ea - (uint32_t)lowest);
    put_const(b, k, psr(b, mode, thumb != other));
    /* two stores and the RFE follow */
    if (thumb) {
        unsigned after = 12;
        put_return_address(b, m, after, other, skipped.size);
        if (lowest < 0) {
            put_always(b, 0xf8400c00 | base << 16 | m << 12 | (uint32_t)-lowest);
            put_always(b, 0xf8400c00 | base << 16 | k << 12 | (uint32_t)(-lowest - 4));
        } else {
            put_always(b, 0xf8c00000 | base << 16 | m << 12 | (uint32_t)lowest);
            put_always(b, 0xf8c00000 | base << 16 | k << 12 | (uint32_t)(lowest + 4));
        }
        put_always(b, (before ? 0xe810c000 : 0xe990c000) | w << 21 | base << 16);
    } else {
        put_return_address(b, m, 12, other, other ? 0 : skipped.size);
        put_always(b, (lowest < 0 ? 0xe5000000 : 0xe5800000) | base << 16 | m << 12 | (uint32_t)(lowest < 0 ? -lowest : lowest));
        put_always(b, (lowest + 4 < 0 ? 0xe5000000 : 0xe5800000) | base << 16 | k << 12 |
                          (uint32_t)(lowest + 4 < 0 ? -(lowest + 4) : lowest + 4));
        put_always(b, 0xf8100a00 | (uint32_t)before << 24 | (uint32_t)up << 23 | w << 21 | base << 16);
    }
    if (other)
        put_other_state(b);
    else if (b->c->n < GEN_MAX_INSNS)
        b->c->insn[b->c->n++] = skipped;
    if (b->mode != ARM_USR)
        b->mode = mode;
    return true;
}

/* Return from an exception: with the SPSR set before, by data processing, LDM or ERET. */
static bool return_unit(struct builder *b)
{
    unsigned m = pick_reg(b), k = below(b->r, 13), base = below(b->r, 13), mode = pick_mode(b), kind = below(b->r, 4);
    bool thumb = b->c->thumb, other = chance(b->r, 25);
    uint32_t ea = pick_address(b, 16, 4) & ~3u;
    struct gen_insn skipped;

    if (!has_spsr(b))
        return false;
    if (thumb || kind == 3)
        m = 14;
    if (m == base || m == k || base == k || ea < ISA_DATA_BASE || ea > ISA_DATA_BASE + ISA_DATA_SIZE - 16 || !make_skipped(b, &skipped))
        return false;
    put_const(b, k, psr(b, mode, thumb != other));
    put_msr(b, true, 15, k);
    if (thumb) {
        unsigned imm = chance(b->r, 50) ? 0 : 4 * below(b->r, 4);
        put_return_address(b, 14, 8, other, skipped.size); /* an ADD of the immediate and the return follow */
        put_insn(b, 0xf10e0e00 | imm, 4, -1, false, false);
        put_always(b, 0xf3de8f00 | imm);
    } else if (kind == 2) {
        unsigned first = (m + 1) % 13;
        if (first == base)
            return false;
        put_const(b, base, ea);
        put_return_address(b, m, 8, other, other ? 0 : skipped.size);
        put_always(b, 0xe5800004 | base << 16 | m << 12);                            /* str m, [base, #4] */
        put_always(b, 0xe8d08000 | below(b->r, 2) << 21 | base << 16 | 1u << first); /* ldm base{!}, {first, pc}^ */
    } else {
        put_return_address(b, m, 4, other, other ? 0 : skipped.size);
        if (kind == 3)
            put_always(b, 0xe160006e); /* eret */
        else if (chance(b->r, 50))
            put_always(b, 0xe1b0f000 | m); /* movs pc, m */
        else
            put_always(b, 0xe250f000 | m << 16); /* subs pc, m, #0; with other operations QEMU takes no exception return */
    }
    if (other)
        put_other_state(b);
    else if (b->c->n < GEN_MAX_INSNS)
        b->c->insn[b->c->n++] = skipped;
    b->mode = mode;
    return true;
}

/* LDM and STM of the user mode's registers. */
static bool user_bank_unit(struct builder *b)
{
    unsigned base = below(b->r, 8), form = below(b->r, 4), store = below(b->r, 2);
    uint32_t list = rnd(b->r) & 0x7fff;

    if (b->c->thumb || !list || (!store && list >> base & 1) || !has_spsr(b))
        return false;
    unsigned len = 4 * (unsigned)__builtin_popcount(list);
    uint32_t ea = ISA_DATA_BASE + (below(b->r, ISA_DATA_SIZE - len) & ~3u);
    bool up = form & 1, before = form & 2;
    put_const(b, base, up ? (before ? ea - 4 : ea) : (before ? ea + len : ea + len - 4));
    put_always(b, 0xe8400000 | (uint32_t)before << 24 | (uint32_t)up << 23 | (store ? 0 : 1u << 20) | base << 16 | list);
    return true;
}

/* Coprocessor registers that hold what is written: written and read back, so that cases stay independent. */
static bool coprocessor_unit(struct builder *b)
{
    static const struct {
        uint8_t opc1, crn, crm, opc2;
    } plain[] = {
        {0, 13, 0, 2}, {0, 13, 0, 3}, {0, 5, 0, 0},  {0, 5, 0, 1},  {0, 6, 0, 0},  {0, 6, 0, 2}, {0, 5, 1, 0},
        {0, 5, 1, 1},  {0, 10, 2, 0}, {0, 10, 2, 1}, {0, 10, 3, 0}, {0, 10, 3, 1}, {0, 2, 0, 1},
    };
    static const uint8_t identification[][4] = {
        {0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 2}, {0, 0, 0, 3}, {0, 0, 0, 5}, {0, 0, 1, 4}, {0, 0, 1, 5}, {0, 0, 1, 6},
        {0, 0, 2, 0}, {0, 0, 2, 1}, {0, 0, 2, 2}, {0, 0, 2, 3}, {0, 0, 2, 4}, {1, 0, 0, 1}, {0, 0, 1, 0},
    };
    static const uint8_t barriers[][4] = {{0, 7, 5, 4}, {0, 7, 10, 4}, {0, 7, 10, 5}, {0, 7, 5, 6}, {0, 7, 5, 7}, {0, 7, 1, 6}};
    unsigned t = below(b->r, 13), u = below(b->r, 13);
    uint32_t top = 0xee000010, op;

    switch (below(b->r, 6)) {
    case 0: /* MCRR, MRRC: PAR, CNTV_CVAL, CNTP_CVAL, TTBR1 */
    case 1: {
        static const uint8_t wide[][2] = {{0, 7}, {3, 14}, {2, 14}, {1, 2}};
        const uint8_t *w = wide[below(b->r, ARRAY_LEN(wide))];
        if (t == u)
            return false;
        op = 0xec400f00 | (uint32_t)w[0] << 4 | w[1];
        put_const(b, t, w[1] == 14 ? rnd(b->r) : w[1] == 7 ? 0 : rnd(b->r) & 0xffffc000);
        put_const(b, u, w[1] == 14 ? rnd(b->r) : 0);
        put_always(b, op | u << 16 | t << 12);
        put_const(b, t, 0);
        put_always(b, op | 1u << 20 | u << 16 | t << 12);
        return true;
    }
    case 2: {
        const uint8_t *k = identification[below(b->r, ARRAY_LEN(identification))];
        put_always(b, top | 1u << 20 | (uint32_t)k[0] << 21 | (uint32_t)k[1] << 16 | (chance(b->r, 10) ? 15 : t) << 12 | 0xf00 |
                          (uint32_t)k[3] << 5 | k[2]);
        return true;
    }
    case 3: {
        const uint8_t *k = barriers[below(b->r, ARRAY_LEN(barriers))];
        put_always(b, top | (uint32_t)k[0] << 21 | (uint32_t)k[1] << 16 | t << 12 | 0xf00 | (uint32_t)k[3] << 5 | k[2]);
        return true;
    }
    default: {
        unsigned i = below(b->r, ARRAY_LEN(plain));
        op = top | (uint32_t)plain[i].opc1 << 21 | (uint32_t)plain[i].crn << 16 | 0xf00 | (uint32_t)plain[i].opc2 << 5 | plain[i].crm;
        put_const(b, t, plain[i].crn == 2 ? rnd(b->r) & 0xffffc000 : plain[i].crn == 5 ? rnd(b->r) & 0x1c0f : rnd(b->r));
        put_always(b, op | t << 12);
        put_always(b, op | 1u << 20 | u << 12);
        return true;
    }
    }
}

/* What ends a case: an exception, or an undefined instruction. */
static bool exception_unit(struct builder *b)
{
    bool thumb = b->c->thumb;

    switch (below(b->r, 7)) {
    case 0:
        thumb ? put_decoded(b, 0xdf00 | below(b->r, 256), 2) : put_always(b, 0xef000000 | (rnd(b->r) & 0xffffff));
        return true;
    case 1:
        thumb ? put_decoded(b, 0xbe00 | below(b->r, 256), 2) : put_always(b, 0xe1200070 | (rnd(b->r) & 0xfff0f));
        return true;
    case 2: /* in user mode: undefined */
        if (b->mode != ARM_USR)
            return false;
        put_always(b, thumb ? 0xf7f08000 | below(b->r, 16) << 16 : 0xe1600070 | below(b->r, 16));
        return true;
    case 3: /* LDC, STC: only CP14 c5 exists; CDP: none */
    case 4:
        if (chance(b->r, 25))
            put_always(b, 0xee000e00 | (rnd(b->r) & 0x00fff1ef));
        else
            put_always(b, 0xed000e20 | (rnd(b->r) & 0x00ff8fdf) | (chance(b->r, 50) ? 0x100 : 0));
        return true;
    default:
        if (b->mode != ARM_USR)
            return false;
        put_always(b, thumb ? 0xf7e08000 | (rnd(b->r) & 0xf0fff) : 0xe1400070 | (rnd(b->r) & 0xfff0f)); /* hvc */
        return true;
    }
}

/* A firmware call that no firmware has; in user mode SMC. */
static bool firmware_unit(struct builder *b)
{
    if (b->mode == ARM_USR) { /* undefined; in other modes QEMU's board has no SMC */
        put_always(b, b->c->thumb ? 0xf7f08000 | below(b->r, 16) << 16 : 0xe1600070 | below(b->r, 16));
        return true;
    }
    if (b->o->banked_access) /* there HVC leads to Hyp mode */
        return false;
    put_const(b, 0, 0xc3000000 | below(b->r, 0x10000));
    put_always(b, b->c->thumb ? 0xf7e08000 | (rnd(b->r) & 0xf0fff) : 0xe1400070 | (rnd(b->r) & 0xfff0f));
    return true;
}

static bool hint_unit(struct builder *b)
{
    static const uint8_t hints[] = {0, 1, 2, 4}; /* NOP, YIELD, WFE, SEV; WFI would wait for ever */
    unsigned hint = hints[below(b->r, ARRAY_LEN(hints))];

    if (hint == 2) { /* an event first: WFE may wait for one */
        put_decoded(b, b->c->thumb ? 0xbf40 : 0xe320f004, b->c->thumb ? 2 : 4);
    }
    if (b->c->thumb && chance(b->r, 50))
        put_decoded(b, 0xbf00 | hint << 4, 2);
    else
        put_always(b, (b->c->thumb ? 0xf3af8000 : 0xe320f000) | (chance(b->r, 20) ? 0xf0 | below(b->r, 16) : hint));
    return true;
}

/* VMRS and VMSR of the system registers; FPEXC.EN off only for the rest of a case. */
static bool vfp_system_unit(struct builder *b)
{
    static const uint8_t readable[] = {0, 6, 7, 8}; /* FPSID, MVFR1, MVFR0, FPEXC */
    unsigned t = below(b->r, 13);

    if (chance(b->r, 60)) {
        put_always(b, 0xeef00a10 | (uint32_t)readable[below(b->r, ARRAY_LEN(readable))] << 16 | t << 12);
        return true;
    }
    put_const(b, t, chance(b->r, 90) ? 0x40000000 : 0);
    put_always(b, 0xeee80a10 | t << 12);
    return true;
}

static bool setend_unit(struct builder *b)
{
    put_decoded(b, (b->c->thumb ? 0xb650u : 0xf1010000u) | (chance(b->r, 40) ? (b->c->thumb ? 8 : 0x200) : 0), b->c->thumb ? 2 : 4);
    return true;
}

bool gen_system_unit(struct builder *b)
{
    static bool (*const units[])(struct builder *) = {status_unit,      status_unit,     cps_unit,    cps_unit,       srs_unit,
                                                      rfe_unit,         return_unit,     return_unit, user_bank_unit, coprocessor_unit,
                                                      coprocessor_unit, vfp_system_unit, hint_unit,   setend_unit,    firmware_unit};

    if (b->o->banked_access && chance(b->r, 50))
        return banked_unit(b);
    if (chance(b->r, 8))
        return exception_unit(b);
    return units[below(b->r, ARRAY_LEN(units))](b);
}
