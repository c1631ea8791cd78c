/*
 * decode_block_test.c: the shape of translated blocks: where they end, IT state across ends, flags that live on at exits, alignment checks,
 * and that every load and store can be restarted after a fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arch/arm/translate_int.h>

#define BASE 0x8000u

static struct arm_cpu *cpu;
static struct ir_block block;
static _Alignas(4096) uint8_t page[8192];

/* Translate `n` bytes at address pc (bit 0: Thumb), the page's rest filled with UDF. */
static void translate_flags(uint32_t pc, const void *code, size_t n, unsigned max_insns, uint32_t flags, bool second_page)
{
    uint32_t off = (pc & ~1u) % 4096;
    for (unsigned k = 0; k < sizeof(page); k += 2)
        memcpy(page + k, pc & 1 ? "\x42\xde" : k % 4 ? "\xf0\xe7" : "\xf0\x10", 2);
    memcpy(page + off, code, n);
    struct guest_translate_in in = {
        .pc = pc,
        .flags = flags,
        .max_insns = max_insns,
        .code = page + off,
        .code_len = 4096 - off,
        .code2 = second_page ? page + 4096 : NULL,
    };
    guest_translate(&cpu->v, &in, &block);
}

static void translate(uint32_t pc, const void *code, size_t n, unsigned max_insns)
{
    translate_flags(pc, code, n, max_insns, 0, true);
}

#define T32_CODE(...) (const uint16_t[]){__VA_ARGS__}, sizeof((const uint16_t[]){__VA_ARGS__})
#define A32_CODE(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__})

static unsigned count(enum ir_op op)
{
    unsigned n = 0;
    for (uint32_t k = 0; k < block.n; k++)
        n += block.insn[k].op == op;
    return n;
}

/* Index of the nth op, counted from 0. */
static uint32_t find(enum ir_op op, unsigned nth)
{
    for (uint32_t k = 0; k < block.n; k++)
        if (block.insn[k].op == op && nth-- == 0)
            return k;
    fail_msg("no %s", ir_op_name(op));
    return 0;
}

static const struct ir_insn *last(void)
{
    return &block.insn[block.n - 1];
}

/* --- ends of blocks ---------------------------------------------------------------------------------------------- */

static void block_ends_at_its_limit(void **state UNUSED)
{
    translate(BASE, A32_CODE(0xe2800001, 0xe2811001, 0xe2822001), 2); /* add r0, r0, #1 ... */
    assert_int_equal(block.n_guest, 2);
    assert_int_equal(block.size, 8);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(last()->imm, BASE + 8);
}

static void block_ends_at_the_page(void **state UNUSED)
{
    translate(BASE + 4092, A32_CODE(0xe2800001, 0xe2811001), 64);
    assert_int_equal(block.n_guest, 1);
    assert_int_equal(block.size, 4);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(last()->imm, BASE + 4096);
}

static void straddling_instruction_is_alone(void **state UNUSED)
{
    translate((BASE + 4092) | 1, T32_CODE(0x3001, 0xf100, 0x0101), 64); /* adds r0, #1; add.w r1, r0, #1 */
    assert_int_equal(block.n_guest, 1);
    assert_int_equal(block.size, 2);
    assert_int_equal(last()->imm, (BASE + 4094) | 1);

    translate((BASE + 4094) | 1, T32_CODE(0xf100, 0x0101, 0x3001), 64);
    assert_int_equal(block.n_guest, 1);
    assert_int_equal(block.size, 4);
    assert_int_equal(count(IR_OP_ADD), 1);
    assert_int_equal(last()->imm, (BASE + 4098) | 1);
}

static void unfetchable_second_half_aborts(void **state UNUSED)
{
    translate_flags((BASE + 4094) | 1, T32_CODE(0xf100, 0x0101), 64, 0, false);
    assert_int_equal(last()->op, IR_OP_CALL);
    assert_ptr_equal(last()->fn, arm_helper_prefetch_abort);
    assert_true(last()->mem & IR_CALL_NORETURN);
    assert_int_equal(block.size, 4);
}

static void forward_branches_are_followed(void **state UNUSED)
{
    /* b . + 12; two words skipped; mov r0, #1; bx lr */
    translate(BASE, A32_CODE(0xea000001, 0, 0, 0xe3a00001, 0xe12fff1e), 64);
    assert_int_equal(block.n_guest, 3);
    assert_int_equal(block.size, 20);
    assert_int_equal(last()->op, IR_OP_EXIT_IND);
    assert_int_equal(last()->mem, IR_IND_RETURN);
    /* a backward one is an exit */
    translate(BASE, A32_CODE(0xe3a00001, 0xeafffffd), 64);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(last()->imm, BASE);
}

static void conditional_branches_leave_and_go_on(void **state UNUSED)
{
    translate(BASE, A32_CODE(0xe3500000, 0x0a000010, 0xe2800001, 0xeb000010), 64); /* cmp; beq; add; bl */
    assert_int_equal(block.n_guest, 4);
    const struct ir_insn *x = &block.insn[find(IR_OP_EXIT_CC, 0)];
    assert_int_equal(x->cc, IR_EQ);
    assert_int_equal(x->imm, BASE + 4 + 8 + 0x40);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(last()->imm, BASE + 12 + 8 + 0x40);
    assert_int_equal(block.insn[block.n - 2].op, IR_OP_MOV); /* lr */
    assert_int_equal(block.insn[block.n - 2].d, 14);
    assert_int_equal(block.insn[block.n - 2].imm, BASE + 16);
}

static void misaligned_a32_address_aborts(void **state UNUSED)
{
    translate(BASE + 2, A32_CODE(0xe3a00001), 64);
    assert_int_equal(last()->op, IR_OP_CALL);
    assert_ptr_equal(last()->fn, arm_helper_misaligned_pc);
}

static void calls_link_with_the_thumb_bit(void **state UNUSED)
{
    translate(BASE | 1, T32_CODE(0xf000, 0xf87e), 64); /* bl . + 4 + 0xfc */
    assert_int_equal(block.insn[block.n - 2].imm, (BASE + 4) | 1);
    assert_int_equal(last()->imm, (BASE + 4 + 0xfc) | 1);
    translate((BASE + 2) | 1, T32_CODE(0xf000, 0xe87e), 64); /* blx to A32: from Align(pc, 4) */
    assert_int_equal(last()->imm, BASE + 4 + 0xfc);
    translate(BASE | 1, T32_CODE(0x47f0), 64); /* blx lr reads lr before it writes it */
    assert_int_equal(last()->op, IR_OP_EXIT_IND);
    assert_true(last()->a >= IR_TEMP0);
    assert_int_equal(last()->mem, IR_IND_CALL);
}

/* --- conditions and IT ------------------------------------------------------------------------------------------- */

static void it_state_goes_with_instructions(void **state UNUSED)
{
    translate(BASE | 1, T32_CODE(0xbf0c, 0x6008, 0x6048, 0x4770), 64); /* ite eq; streq; strne; bx lr */
    assert_int_equal(block.n_guest, 4);
    assert_int_equal(block.insn[find(IR_OP_INSN, 0)].imm2, 0);
    assert_int_equal(block.insn[find(IR_OP_INSN, 1)].imm2, 0x0c);
    assert_int_equal(block.insn[find(IR_OP_INSN, 2)].imm2, 0x18);
    assert_int_equal(block.insn[find(IR_OP_INSN, 3)].imm2, 0);
    assert_int_equal(block.insn[find(IR_OP_BRCC, 0)].cc, IR_NE);
    assert_int_equal(block.insn[find(IR_OP_BRCC, 1)].cc, IR_EQ);
    assert_int_equal(count(IR_OP_STE), 0);
}

static void it_block_is_not_split_by_the_limit(void **state UNUSED)
{
    translate(BASE | 1, T32_CODE(0x3001, 0xbf0c, 0x6008, 0x6048, 0x4770),
              2); /* adds; ite eq...: with a limit of 2 the IT starts a new block */
    assert_int_equal(block.n_guest, 1);
    assert_int_equal(last()->op, IR_OP_EXIT);
    translate(BASE | 1, T32_CODE(0xbf0c, 0x6008, 0x6048, 0x4770), 2);
    assert_int_equal(block.n_guest, 3);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(last()->imm, (BASE + 6) | 1);
}

static void it_block_across_pages_stores_its_state(void **state UNUSED)
{
    translate((BASE + 4092) | 1, T32_CODE(0xbf0c, 0x6008, 0x6048), 64);
    assert_int_equal(last()->op, IR_OP_EXIT_LOOKUP);
    assert_int_equal(last()->imm, (BASE + 4096) | 1);
    const struct ir_insn *x = &block.insn[block.n - 2];
    assert_int_equal(x->op, IR_OP_STE);
    assert_int_equal(x->imm, ARM_OFF(v.restart));
    assert_int_equal(x->imm2, 0x18);

    /* and the next block starts in it: condition and clearing of the word */
    translate_flags((BASE + 4096) | 1, T32_CODE(0x6048, 0x4770), 64, 0x18 << ARM_BF_IT_SHIFT, true);
    assert_int_equal(block.insn[0].imm2, 0x18);
    x = &block.insn[find(IR_OP_STE, 0)];
    assert_int_equal(x->imm, ARM_OFF(v.restart));
    assert_int_equal(x->imm2, 0);
    assert_int_equal(x->a, IR_NONE);
    assert_true(find(IR_OP_STE, 0) < find(IR_OP_BRCC, 0));
    assert_int_equal(block.insn[find(IR_OP_BRCC, 0)].cc, IR_EQ);
}

static void single_results_are_selected(void **state UNUSED)
{
    translate(BASE, A32_CODE(0x03a00001, 0x10810002, 0x01a00001, 0xe12fff1e), 64); /* moveq r0, #1; addne r0, r1, r2; moveq r0, r1 */
    assert_int_equal(count(IR_OP_BRCC), 0);
    assert_int_equal(count(IR_OP_SEL), 3);
    const struct ir_insn *x = &block.insn[find(IR_OP_SEL, 0)];
    assert_int_equal(x->cc, IR_NE); /* d = ne ? d : 1 */
    assert_int_equal(x->a, 0);
    assert_int_equal(x->b, IR_NONE);
    assert_int_equal(x->imm, 1);
    x = &block.insn[find(IR_OP_SEL, 2)];
    assert_int_equal(x->cc, IR_EQ);
    assert_int_equal(x->a, 1);
    assert_int_equal(x->b, 0);
}

static void neighbours_share_a_skip_until_flags_change(void **state UNUSED)
{
    translate(BASE, A32_CODE(0x05810000, 0x05910004, 0xe12fff1e), 64); /* streq; ldreq */
    assert_int_equal(count(IR_OP_BRCC), 1);
    translate(BASE, A32_CODE(0x05810000, 0x03500000, 0x05910004, 0xe12fff1e), 64); /* streq; cmpeq; ldreq: cmp decides anew */
    assert_int_equal(count(IR_OP_BRCC), 2);
    assert_int_equal(count(IR_OP_LABEL), 2);
    translate(BASE, A32_CODE(0x05810000, 0x15910004, 0xe12fff1e), 64); /* streq; ldrne */
    assert_int_equal(count(IR_OP_BRCC), 2);
}

/* --- flags that live on ------------------------------------------------------------------------------------------ */

static void compare_at_the_target_kills_flags(void **state UNUSED)
{
    /* ldr r0, [r1]; cmp r0, #0; bne . - 8 */
    translate(BASE, A32_CODE(0xe5910000, 0xe3500000, 0x1afffffc), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], 0);
    /* the same with an addeq before the compare: Z is read */
    translate(BASE, A32_CODE(0x02800001, 0xe3500000, 0x1afffffc), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], IR_Z);
    /* adcs, adds: the adcs at the target reads C only */
    translate(BASE, A32_CODE(0xe2b00001, 0xe0911002, 0x1afffffc), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], IR_C);
    /* a return: all live */
    translate(BASE, A32_CODE(0xe12fff1e), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_IND, 0)], IR_NZCV);
    translate(BASE, A32_CODE(0x0a000000, 0xe3500000, 0xe12fff1e), 64); /* beq to the bx */
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], IR_NZCV);
    /* to the other instruction set: nothing is known */
    translate(BASE, A32_CODE(0xfa000000, 0xe3500000, 0xe3500000, 0xe3500000), 64);
    assert_int_equal(last()->op, IR_OP_EXIT);
    assert_int_equal(block.exit_live[block.n - 1], IR_NZCV);
}

static void flags_inside_it_blocks_are_kept(void **state UNUSED)
{
    /* loop: it eq; addeq r0, #1 (16-bit, sets no flags here); cmp r0, #3; bne loop */
    translate(BASE | 1, T32_CODE(0xbf08, 0x3001, 0x2803, 0xd1fb), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], IR_Z);
    /* without the IT the adds kills them */
    translate(BASE | 1, T32_CODE(0xbf00, 0x3001, 0x2803, 0xd1fc), 64);
    assert_int_equal(block.exit_live[find(IR_OP_EXIT_CC, 0)], 0);
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void stack_alignment_is_checked_once(void **state UNUSED)
{
    translate(BASE | 1, T32_CODE(0xb5f0, 0xb085, 0xe9cd, 0x0100, 0xb005, 0xbdf0), 64); /* push; sub sp; strd [sp]; add sp; pop {pc} */
    assert_int_equal(count(IR_OP_ALIGN), 1);
    assert_int_equal(last()->op, IR_OP_EXIT_IND);
    assert_int_equal(last()->mem, IR_IND_RETURN);
    translate(BASE | 1, T32_CODE(0xb5f0, 0x46a5, 0xbdf0), 64); /* push; mov sp, r4; pop: unknown again */
    assert_int_equal(count(IR_OP_ALIGN), 2);
    translate(BASE, A32_CODE(0x092d4030, 0xe92d4030, 0xe12fff1e), 64); /* a conditional push proves nothing for the next */
    assert_int_equal(count(IR_OP_ALIGN), 2);
}

static void sctlr_a_checks_every_access(void **state UNUSED)
{
    translate_flags(BASE, A32_CODE(0xe5910001, 0xe1d100b1, 0xe5d10001, 0xe12fff1e), 64, ARM_BF_ALIGN, true); /* ldr, ldrh, ldrb [r1, #1] */
    assert_int_equal(count(IR_OP_ALIGN), 2);
    assert_int_equal(block.insn[find(IR_OP_ALIGN, 0)].imm2 & 0xff, 3);
    assert_int_equal(block.insn[find(IR_OP_ALIGN, 1)].imm2 & 0xff, 1);
}

static void big_endian_data(void **state UNUSED)
{
    translate_flags(BASE, A32_CODE(0xe5910000, 0xe5d10000, 0xe12fff1e), 64, ARM_BF_BE, true);
    assert_true(block.insn[find(IR_OP_LD, 0)].mem & IR_MEM_BE);
    assert_false(block.insn[find(IR_OP_LD, 1)].mem & IR_MEM_BE);
}

static bool can_fault(const struct ir_insn *x)
{
    return x->op == IR_OP_LD || x->op == IR_OP_ST || x->op == IR_OP_ALIGN || x->op == IR_OP_LDX || x->op == IR_OP_STX ||
           x->op == IR_OP_LDV || x->op == IR_OP_STV;
}

/* After a fault the instruction runs again from its start: until its last access it must not have changed a register that it reads. */
static bool restartable(void)
{
    uint32_t last_fault = 0, inputs = 0, written = 0;
    for (uint32_t k = 0; k < block.n; k++)
        if (can_fault(&block.insn[k]))
            last_fault = k;
    for (uint32_t k = 0; k < last_fault; k++) {
        const struct ir_insn *x = &block.insn[k];
        bool reads_d = x->op == IR_OP_ST || x->op == IR_OP_BFI || x->op == IR_OP_UMLAL || x->op == IR_OP_SMLAL,
             reads_d2 = x->op == IR_OP_STX;
        const uint16_t reads[4] = {x->a, x->b, reads_d ? x->d : IR_NONE, reads_d2 ? x->d2 : IR_NONE};
        for (unsigned r = 0; r < 4; r++)
            if (reads[r] < IR_GLOBALS)
                inputs |= BIT(reads[r]) & ~written;
        if (!reads_d && x->d < IR_GLOBALS && x->op != IR_OP_ALIGN)
            written |= BIT(x->d);
        if (!reads_d2 && x->d2 < IR_GLOBALS)
            written |= BIT(x->d2);
    }
    /* the last access itself reads after all earlier writes, its result comes after the fault */
    const struct ir_insn *x = &block.insn[last_fault];
    const uint16_t reads[4] = {x->a, x->b, x->op == IR_OP_ST ? x->d : IR_NONE, x->op == IR_OP_STX ? x->d2 : IR_NONE};
    for (unsigned r = 0; r < 4; r++)
        if (reads[r] < IR_GLOBALS && written & BIT(reads[r]))
            return false;
    return !(inputs & written);
}

static void memory_instructions_can_be_restarted(void **state UNUSED)
{
    uint32_t seed = 12345, done = 0;
    for (unsigned k = 0; k < ARM_TABLE_VFP; k++) {
        const struct arm_row *rows;
        unsigned n = arm_table_rows(k, &rows);
        for (unsigned r = 0; r < n; r++) {
            struct arm_pattern p;
            if (!(rows[r].flags & ROW_MEM) || !arm_pattern_compile(rows[r].pattern, k == ARM_TABLE_T16 ? 16 : 32, &p))
                continue;
            for (unsigned tries = 0; tries < 400; tries++) {
                seed = seed * 1664525 + 1013904223;
                uint32_t word = ((seed >> 8 ^ seed << 20) & ~p.mask) | p.value;
                if (k == ARM_TABLE_A32 && p.mask >> 28 == 0)
                    word = (word & 0x0fffffff) | 0xe0000000;
                uint32_t code = k == ARM_TABLE_T32 ? word << 16 | word >> 16 : word;
                translate_flags(k == ARM_TABLE_A32 ? BASE : BASE | 1, &code, k == ARM_TABLE_T16 ? 2 : 4, 1, ARM_BF_PRIV | ARM_BF_SWPEN,
                                true);
                if (!restartable())
                    fail_msg("%s %08x changes an operand before its last access", rows[r].name, word);
                done++;
            }
        }
    }
    assert_true(done > 10000);
}

/* --- any code ---------------------------------------------------------------------------------------------------- */

static bool ends_block(const struct ir_insn *x)
{
    return x->op == IR_OP_EXIT || x->op == IR_OP_EXIT_IND || x->op == IR_OP_EXIT_LOOKUP || x->op == IR_OP_EXIT_RAISED ||
           (x->op == IR_OP_CALL && x->mem & IR_CALL_NORETURN);
}

static bool is_branch(const struct ir_insn *x)
{
    return x->op >= IR_OP_BR && x->op <= IR_OP_BRNZ;
}

/* What dbt/ir.h asks of a block. NULL, or what is wrong. */
static const char *invalid(uint32_t *at)
{
    static bool defined[IR_TEMP0 + IR_MAX_TEMPS];
    static uint8_t label[IR_MAX_LABELS]; /* 1 = branched to, 2 = placed */
    memset(defined, 0, sizeof(defined));
    memset(label, 0, sizeof(label));
    if (block.n == 0 || block.n > IR_MAX_INSNS || block.n_temps > IR_MAX_TEMPS - 1 || block.n_labels > IR_MAX_LABELS - 1)
        return "too much";
    if (block.n_guest == 0 || block.n_guest > IR_MAX_GUEST_INSNS || block.size == 0)
        return "no instruction";
    if (!ends_block(&block.insn[block.n - 1]))
        return "end is open";
    for (uint32_t k = 0; k < block.n; k++) {
        const struct ir_insn *x = &block.insn[ *at = k];
        if (x->op >= IR_OP_COUNT)
            return "operation";
        if (x->op == IR_OP_VOP)
            continue; /* operands are state offsets */
        bool reads_d = x->op == IR_OP_ST || x->op == IR_OP_BFI || x->op == IR_OP_UMLAL || x->op == IR_OP_SMLAL;
        bool reads_d2 = x->op == IR_OP_STX || x->op == IR_OP_UMLAL || x->op == IR_OP_SMLAL;
        const uint16_t reads[4] = {x->a, x->b, reads_d ? x->d : IR_NONE, reads_d2 ? x->d2 : IR_NONE};
        for (unsigned r = 0; r < 4; r++)
            if (reads[r] != IR_NONE &&
                (reads[r] == 15 || reads[r] >= IR_TEMP0 + block.n_temps || (reads[r] >= IR_TEMP0 && !defined[reads[r]])))
                return "operand";
        if (!reads_d && x->d != IR_NONE && (x->d == 15 || x->d >= IR_TEMP0 + block.n_temps))
            return "destination";
        if (!reads_d && x->d != IR_NONE)
            defined[x->d] = true;
        if (!reads_d2 && x->d2 != IR_NONE)
            defined[x->d2] = true;
        if (is_branch(x)) {
            if (x->imm >= block.n_labels || label[x->imm] & 2)
                return "branch";
            label[x->imm] |= 1;
        }
        if (x->op == IR_OP_LABEL) {
            if (x->imm >= block.n_labels || label[x->imm] & 2)
                return "label";
            label[x->imm] |= 2;
        }
        if (x->op >= IR_OP_AND && x->op <= IR_OP_MVN && (x->fset & IR_V || (x->fset & IR_C && !x->shamt)))
            return "flags";
    }
    for (unsigned k = 0; k < block.n_labels; k++)
        if (label[k] == 1)
            return "label never placed";
    return NULL;
}

static void any_code_gives_valid_ir(void **state UNUSED)
{
    static _Alignas(8) uint16_t code[2048];
    uint64_t s = 42;
    for (unsigned n = 0; n < 60000; n++) {
        unsigned start = (s >> 40) % 2040, thumb = n & 1;
        if (n % 16 == 0)
            start = 2047 - (n >> 4) % 4; /* at the page end */
        for (unsigned k = 0; k < 2048; k++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            uint16_t w = (uint16_t)(s >> 48);
            if (!thumb && k % 2 && s & 0x700000000) /* mostly instructions that are always executed, of all tables */
                w = (uint16_t)((w & 0x0fff) | (s & 0x800000000 ? 0xf000 : 0xe000));
            if (thumb && (s >> 32 & 15) == 0)
                w = (uint16_t)(0xbf00 | (w & 0xff)); /* IT */
            code[k] = w;
            if (k > 80 && k < start - 2u) /* only what is translated needs to be new */
                k = start - 2;
            if (k > start + 140)
                break;
        }
        if (!thumb)
            start &= ~1u;
        uint32_t flags = (uint32_t)(s >> 20) & 0x7f;
        if (thumb && n % 8 == 1)
            flags |= (0x08 | (uint32_t)(s >> 30 & 0xf7)) << ARM_BF_IT_SHIFT;
        struct guest_translate_in in = {
            .pc = BASE + 2 * start + thumb,
            .flags = flags,
            .max_insns = n % 5 ? 64 : 1 + (n >> 3) % 8,
            .code = (const uint8_t *)(code + start),
            .code_len = 2 * (2048 - start),
            .code2 = n % 3 ? (const uint8_t *)code : NULL,
        };
        guest_translate(&cpu->v, &in, &block);
        uint32_t at = 0;
        const char *what = invalid(&at);
        if (what) {
            char text[200];
            ir_print(&block.insn[at], text, sizeof(text));
            fail_msg("case %u, pc %08x, insn %u of %u: %s: %s", n, in.pc, at, block.n, what, text);
        }
    }
}

static int setup(void **state UNUSED)
{
    cpu = calloc(1, ARM_DECODER_OFFSET + arm_decoder_size());
    return cpu ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
    free(cpu);
    return 0;
}

/* The front end asks for the reason of a failed fetch: there is always one here. */
void guest_current_regime(const struct vcpu *v UNUSED, struct guest_regime *out)
{
    memset(out, 0, sizeof(*out));
}
int guest_walk(const struct vcpu *v UNUSED, const struct guest_regime *r UNUSED, uint32_t va UNUSED, struct guest_translation *t UNUSED)
{
    return 5;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_ends_at_its_limit),
        cmocka_unit_test(block_ends_at_the_page),
        cmocka_unit_test(straddling_instruction_is_alone),
        cmocka_unit_test(unfetchable_second_half_aborts),
        cmocka_unit_test(forward_branches_are_followed),
        cmocka_unit_test(conditional_branches_leave_and_go_on),
        cmocka_unit_test(misaligned_a32_address_aborts),
        cmocka_unit_test(calls_link_with_the_thumb_bit),
        cmocka_unit_test(it_state_goes_with_instructions),
        cmocka_unit_test(it_block_is_not_split_by_the_limit),
        cmocka_unit_test(it_block_across_pages_stores_its_state),
        cmocka_unit_test(single_results_are_selected),
        cmocka_unit_test(neighbours_share_a_skip_until_flags_change),
        cmocka_unit_test(compare_at_the_target_kills_flags),
        cmocka_unit_test(flags_inside_it_blocks_are_kept),
        cmocka_unit_test(stack_alignment_is_checked_once),
        cmocka_unit_test(sctlr_a_checks_every_access),
        cmocka_unit_test(big_endian_data),
        cmocka_unit_test(memory_instructions_can_be_restarted),
        cmocka_unit_test(any_code_gives_valid_ir),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
