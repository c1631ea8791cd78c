/*
 * emit.c: the encoding core under all emitter functions: prefixes, REX, ModRM, SIB, displacement.
 */
#include <arch/x86/emit_core.h>

#define BUFFER_SLACK 32 /* two of the longest instructions */

static uint8_t *begin(struct x86_emitter *e)
{
    if (UNLIKELY(e->end - e->p < BUFFER_SLACK)) {
        e->overflow = true;
        if (e->end - e->start < BUFFER_SLACK)
            return NULL;
        e->p = e->start;
    }
    return e->p;
}

void x86_bytes(struct x86_emitter *e, uint64_t bytes, unsigned n)
{
    uint8_t *p = begin(e);
    if (!p)
        return;
    for (unsigned k = 0; k < n; k++)
        *p++ = (uint8_t)(bytes >> (8 * k));
    e->p = p;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24);
    return p + 4;
}

static const uint8_t prefix_byte[4] = {0, 0x66, 0xf3, 0xf2};

static uint8_t *put_opcode(uint8_t *p, uint32_t opc)
{
    switch (OPC_MAP(opc)) {
    case 1:
        *p++ = 0x0f;
        break;
    case 2:
        *p++ = 0x0f, *p++ = 0x38;
        break;
    case 3:
        *p++ = 0x0f, *p++ = 0x3a;
        break;
    }
    *p++ = (uint8_t)opc;
    return p;
}

static uint8_t *put_legacy(uint8_t *p, uint32_t opc, unsigned reg, unsigned index, unsigned base, bool byte_rm)
{
    if (opc & OPC_LOCK)
        *p++ = 0xf0;
    if (opc & OPC_66)
        *p++ = 0x66;
    if (OPC_PREFIX(opc))
        *p++ = prefix_byte[OPC_PREFIX(opc)];
    unsigned rex = (opc & OPC_W ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
    /* Without REX, byte registers 4-7 would be ah..bh. */
    bool force = ((opc & OPC_BYTE_REG) && reg >= 4) || (byte_rm && base >= 4);
    if (rex || force)
        *p++ = (uint8_t)(0x40 | rex);
    return put_opcode(p, opc);
}

static uint8_t *put_vex(uint8_t *p, uint32_t opc, unsigned reg, unsigned vvvv, unsigned index, unsigned base)
{
    unsigned tail = (~vvvv & 15) << 3 | (opc & OPC_L ? 4 : 0) | OPC_PREFIX(opc);
    if (index < 8 && base < 8 && !(opc & OPC_W) && OPC_MAP(opc) == 1) {
        *p++ = 0xc5;
        *p++ = (uint8_t)((reg < 8 ? 0x80 : 0) | tail);
    } else {
        *p++ = 0xc4;
        *p++ = (uint8_t)((reg < 8 ? 0x80 : 0) | (index < 8 ? 0x40 : 0) | (base < 8 ? 0x20 : 0) | OPC_MAP(opc));
        *p++ = (uint8_t)((opc & OPC_W ? 0x80 : 0) | tail);
    }
    *p++ = (uint8_t)opc;
    return p;
}

static uint8_t *put_mem(uint8_t *p, unsigned reg, struct x86_mem m)
{
    unsigned r = (reg & 7) << 3;
    if (m.base == X86_NOREG) {
        /* SIB without base: mod 0, base 5, disp32. Avoids RIP-relative addressing. */
        *p++ = (uint8_t)(r | 4);
        *p++ = (uint8_t)((m.index == X86_NOREG ? 4 << 3 : m.scale << 6 | (m.index & 7) << 3) | 5);
        return put32(p, (uint32_t)m.disp);
    }
    unsigned b = m.base & 7;
    unsigned mod = m.wide ? 2 : m.disp == 0 && b != 5 ? 0 : m.disp == (int8_t)m.disp ? 1 : 2;
    if (m.index != X86_NOREG || b == 4) {
        *p++ = (uint8_t)(mod << 6 | r | 4);
        *p++ = (uint8_t)((m.index == X86_NOREG ? 4 << 3 : m.scale << 6 | (m.index & 7) << 3) | b);
    } else {
        *p++ = (uint8_t)(mod << 6 | r | b);
    }
    if (mod == 1)
        *p++ = (uint8_t)m.disp;
    else if (mod == 2)
        p = put32(p, (uint32_t)m.disp);
    return p;
}

static uint8_t *put_imm(uint8_t *p, uint32_t opc, uint32_t imm)
{
    unsigned n = OPC_IMM_BYTES(opc);
    for (unsigned k = 0; k < n; k++)
        *p++ = (uint8_t)(imm >> (8 * k));
    return p;
}

void x86_insn_r(struct x86_emitter *e, uint32_t opc, unsigned reg, unsigned vvvv, unsigned rm, uint32_t imm)
{
    uint8_t *p = begin(e);
    if (!p)
        return;
    if (opc & OPC_VEX)
        p = put_vex(p, opc, reg, vvvv, 0, rm);
    else
        p = put_legacy(p, opc, reg, 0, rm, opc & OPC_BYTE_RM);
    *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    e->p = put_imm(p, opc, imm);
}

void x86_insn_m(struct x86_emitter *e, uint32_t opc, unsigned reg, unsigned vvvv, struct x86_mem m, uint32_t imm)
{
    uint8_t *p = begin(e);
    if (!p)
        return;
    unsigned base = m.base == X86_NOREG ? 0 : m.base, index = m.index == X86_NOREG ? 0 : m.index;
    if (m.guest) {
        *p++ = 0x65;
        *p++ = 0x67;
    }
    if (opc & OPC_VEX)
        p = put_vex(p, opc, reg, vvvv, index, base);
    else
        p = put_legacy(p, opc, reg, index, base, false);
    p = put_mem(p, reg, m);
    if (m.wide)
        e->wide_at = (uint32_t)(p - 4 - e->start);
    e->p = put_imm(p, opc, imm);
}

void x86_insn_o(struct x86_emitter *e, uint32_t opc, unsigned r)
{
    uint8_t *p = begin(e);
    if (!p)
        return;
    unsigned rex = (opc & OPC_W ? 8 : 0) | r >> 3;
    if (rex)
        *p++ = (uint8_t)(0x40 | rex);
    e->p = put_opcode(p, (opc & ~7u) | (opc & 7) | (r & 7));
}

void x86_patch32(struct x86_emitter *e, uint32_t at, uint32_t target)
{
    if (e->overflow)
        return;
    put32(e->start + at, target - (at + 4));
}

void x86_patch8_here(struct x86_emitter *e, uint32_t at)
{
    if (e->overflow)
        return;
    int32_t distance = (int32_t)(x86_offset(e) - (at + 1));
    if (distance != (int8_t)distance)
        e->overflow = true;
    e->start[at] = (uint8_t)distance;
}
