/*
 * bits.c: counting, reversing, extending, bit fields, arithmetic on bytes.
 */
#include <arch/x86/backend.h>

void lower_clz(struct be *be, const struct ir_insn *i)
{
    struct opnd o = value_opnd(be, i->a);
    unsigned r = def_begin(be, i->d);

    flags_clobber(be);
    if (o.is_reg)
        x86_lzcnt_rr(&be->e, 4, r, o.reg);
    else
        x86_lzcnt_rm(&be->e, 4, r, o.m);
    def_end(be, i->d, r);
}

static void load_lanes(struct be *be, unsigned x, uint16_t v)
{
    struct opnd o = value_opnd(be, v);

    if (o.is_reg)
        x86_v_rr(&be->e, X86_VMOVD_XG, x, o.reg);
    else
        x86_v_rm(&be->e, X86_VMOVSS, x, o.m);
}

void lower_lanes(struct be *be, const struct ir_insn *i)
{
    enum { A, B, RESULT, MASK }; /* xmm registers */
    static const struct {
        uint32_t opc, max, equal; /* max: store the mask */
        bool subtract;
    } kind[IR_LANES_COUNT] = {
        [IR_LANES_UADD8] = {X86_VPADDB, X86_VPMAXUB, X86_VPCMPEQB, false},
        [IR_LANES_USUB8] = {X86_VPSUBB, X86_VPMAXUB, X86_VPCMPEQB, true},
        [IR_LANES_UADD16] = {X86_VPADDW, X86_VPMAXUW, X86_VPCMPEQW, false},
        [IR_LANES_USUB16] = {X86_VPSUBW, X86_VPMAXUW, X86_VPCMPEQW, true},
        [IR_LANES_QADD8] = {.opc = X86_VPADDSB},
        [IR_LANES_QSUB8] = {.opc = X86_VPSUBSB},
        [IR_LANES_QADD16] = {.opc = X86_VPADDSW},
        [IR_LANES_QSUB16] = {.opc = X86_VPSUBSW},
        [IR_LANES_UQADD8] = {.opc = X86_VPADDUSB},
        [IR_LANES_UQSUB8] = {.opc = X86_VPSUBUSB},
        [IR_LANES_UQADD16] = {.opc = X86_VPADDUSW},
        [IR_LANES_UQSUB16] = {.opc = X86_VPSUBUSW},
        [IR_LANES_USAD8] = {.opc = X86_VPSADBW},
    };
    struct x86_emitter *e = &be->e;
    bool subtract = kind[i->imm2].subtract;

    load_lanes(be, A, i->a);
    load_lanes(be, B, i->b);
    x86_v_rrr(e, kind[i->imm2].opc, RESULT, A, B);
    if (kind[i->imm2].max) { /* a sum is below its terms exactly if it carried; a difference borrows exactly if a is below b */
        x86_v_rrr(e, kind[i->imm2].max, MASK, A, subtract ? B : RESULT);
        x86_v_rrr(e, kind[i->imm2].equal, MASK, MASK, subtract ? A : RESULT);
        if (subtract) {
            x86_v_rrr(e, X86_VPCMPEQD, A, A, A);
            x86_v_rrr(e, X86_VPXOR, MASK, MASK, A);
        }
        x86_v_mr(e, X86_VMOVSS_ST, x86_state(i->imm), MASK);
    }
    unsigned r = def_begin(be, i->d);
    x86_v_rr(e, X86_VMOVD_GX, RESULT, r);
    def_end(be, i->d, r);
}

void lower_rbit(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    static const struct {
        uint32_t mask;
        uint8_t shift;
    } step[] = {{0x0f0f0f0f, 4}, {0x33333333, 2}, {0x55555555, 1}};

    flags_clobber(be);
    unsigned r = def_from(be, i->d, i->a), t = scratch_alloc(be);
    x86_bswap(e, 4, r);
    for (unsigned k = 0; k < ARRAY_LEN(step); k++) {
        x86_mov_rr(e, 4, t, r);
        x86_sh_ri(e, X86_SHR, 4, t, step[k].shift);
        x86_alu_ri(e, X86_AND, 4, r, (int32_t)step[k].mask);
        x86_alu_ri(e, X86_AND, 4, t, (int32_t)step[k].mask);
        if (step[k].shift == 4) {
            x86_sh_ri(e, X86_SHL, 4, r, 4);
            x86_alu_rr(e, X86_OR, 4, r, t);
        } else {
            x86_lea(e, 4, r, x86_index(t, r, step[k].shift, 0));
        }
    }
    def_end(be, i->d, r);
}

void lower_rev(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned r;

    if (value_reg(be, i->a) == X86_NOREG && i->a < IR_GLOBALS) {
        r = def_begin(be, i->d);
        x86_movbe_rm(e, 4, r, global_mem(i->a));
    } else {
        r = def_from(be, i->d, i->a);
        x86_bswap(e, 4, r);
    }
    if (i->op != IR_OP_REV)
        x86_rorx_rr(e, 4, r, r, 16);
    if (i->op == IR_OP_REVSH)
        x86_movsx_rr(e, 4, 2, r, r);
    def_end(be, i->d, r);
}

void lower_extend(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned size = i->op == IR_OP_UXTB || i->op == IR_OP_SXTB ? 1 : 2;
    bool is_signed = i->op == IR_OP_SXTB || i->op == IR_OP_SXTH;

    if (i->b == IR_NONE) {
        uint32_t v = i->imm;
        uint32_t r = size == 1 ? (is_signed ? (uint32_t)(int8_t)v : (uint8_t)v) : is_signed ? (uint32_t)(int16_t)v : (uint16_t)v;
        def_constant(be, i->d, (struct constant){.value = r});
        return;
    }
    struct opnd o = flex_opnd(be, i, false);
    unsigned r = def_begin(be, i->d);
    if (is_signed && o.is_reg)
        x86_movsx_rr(e, 4, size, r, o.reg);
    else if (is_signed)
        x86_movsx_rm(e, 4, size, r, o.m);
    else if (o.is_reg)
        x86_movzx_rr(e, size, r, o.reg);
    else
        x86_movzx_rm(e, size, r, o.m);
    def_end(be, i->d, r);
}

void lower_bfx(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned lsb = i->imm, width = i->imm2;
    bool is_signed = i->op == IR_OP_SBFX;
    bool whole = lsb == 0 && (width == 8 || width == 16);

    if (width == 32) {
        unsigned r = def_from(be, i->d, i->a);
        def_end(be, i->d, r);
        return;
    }
    if (width == 8 || width == 16) { /* rotate down and extend: EFLAGS kept */
        struct opnd o = value_opnd(be, i->a);
        unsigned r = def_begin(be, i->d);
        if (!whole) {
            if (o.is_reg)
                x86_rorx_rr(e, 4, r, o.reg, lsb);
            else
                x86_rorx_rm(e, 4, r, o.m, lsb);
            o = (struct opnd){.is_reg = true, .reg = (uint8_t)r};
        }
        if (is_signed && o.is_reg)
            x86_movsx_rr(e, 4, width / 8, r, o.reg);
        else if (is_signed)
            x86_movsx_rm(e, 4, width / 8, r, o.m);
        else if (o.is_reg)
            x86_movzx_rr(e, width / 8, r, o.reg);
        else
            x86_movzx_rm(e, width / 8, r, o.m);
        def_end(be, i->d, r);
        return;
    }
    flags_clobber(be);
    if (is_signed || lsb + width == 32) {
        unsigned r = def_from(be, i->d, i->a);
        if (lsb + width < 32)
            x86_sh_ri(e, X86_SHL, 4, r, 32 - lsb - width);
        x86_sh_ri(e, is_signed ? X86_SAR : X86_SHR, 4, r, 32 - width);
        def_end(be, i->d, r);
        return;
    }
    struct opnd o = value_opnd(be, i->a);
    unsigned r;
    if (lsb == 0) {
        r = def_from(be, i->d, i->a);
    } else {
        r = def_begin(be, i->d);
        if (o.is_reg)
            x86_rorx_rr(e, 4, r, o.reg, lsb);
        else
            x86_rorx_rm(e, 4, r, o.m, lsb);
    }
    x86_alu_ri(e, X86_AND, 4, r, (int32_t)((1u << width) - 1));
    def_end(be, i->d, r);
}

void lower_bfi(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned lsb = i->imm, width = i->imm2;

    if (width == 32) {
        unsigned r = def_from(be, i->d, i->a);
        def_end(be, i->d, r);
        return;
    }
    uint32_t field;
    if (constant_of(be, i->a, &field)) { /* movt */
        uint32_t mask = ((1u << width) - 1) << lsb;
        struct ir_insn part = {.op = IR_OP_AND, .d = i->d, .a = i->d, .d2 = IR_NONE, .b = IR_NONE, .imm = ~mask};
        lower_logic(be, &part);
        part.op = IR_OP_ORR;
        part.imm = field << lsb & mask;
        lower_logic(be, &part);
        return;
    }
    unsigned ra = value_get(be, i->a);
    if (lsb == 0 && (width == 8 || width == 16)) {
        if (value_is_mem(be, i->d)) {
            x86_mov_mr(e, width / 8, global_mem(i->d), ra);
            return;
        }
        unsigned r = def_from(be, i->d, i->d);
        x86_mov_rr(e, width / 8, r, ra);
        def_end(be, i->d, r);
        return;
    }
    flags_clobber(be);
    if (i->a == i->d) { /* the rotation would destroy the field's source */
        unsigned copy = scratch_alloc(be);
        x86_mov_rr(e, 4, copy, ra);
        ra = copy;
    }
    /* Field to the bottom; shift it out while a's low bits come in at the top; rotate them into place. */
    unsigned r = def_from(be, i->d, i->d);
    if (lsb)
        x86_rorx_rr(e, 4, r, r, lsb);
    x86_shrd_rri(e, 4, r, ra, width);
    if ((lsb + width) % 32)
        x86_rorx_rr(e, 4, r, r, 32 - lsb - width);
    def_end(be, i->d, r);
}
