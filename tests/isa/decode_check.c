/*
 * decode_check.c: our decoder against Capstone: is the word an instruction, which, with which operands.
 *
 *     decode_check [--words N] [--seed S] [--table a32|t16|t32] [--list]
 *
 * All 16-bit Thumb halfwords, and N words of A32 and N of T32: half of them random, half made from a random row of the tables. A word
 * counts as undefined when no row takes it or when its translation raises Undefined, which covers what the translate functions refuse.
 * Every difference must be in the table of decode_known.c, which says why; --list prints that table.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define arm_insn capstone_arm_insn
#include <capstone/capstone.h>
#undef arm_insn

#include <arch/arm/translate_int.h>

#include "decode_check.h"

#define BASE 0x8000u

struct check {
    csh handle;
    cs_insn *insn;
    enum arm_table table; /* ARM_TABLE_A32, T16, T32: the instruction set */
    uint64_t seed, compared, valid, differing, known, operands;
    struct arm_decoder *decoder;
    struct arm_cpu *cpu;
    struct ir_block *block;
    struct {
        uintptr_t what;
        unsigned kind, times;
    } seen[1000];
};

static uint32_t random32(struct check *c)
{
    uint64_t z = (c->seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z ^ z >> 31);
}

static bool decode(const struct check *c, uint32_t word, struct arm_insn *out)
{
    switch (c->table) {
    case ARM_TABLE_T16:
        return arm_decode_thumb(c->decoder, BASE, (uint16_t)word, 0, out);
    case ARM_TABLE_T32:
        return arm_decode_thumb(c->decoder, BASE, (uint16_t)(word >> 16), (uint16_t)word, out);
    default:
        return arm_decode_a32(c->decoder, BASE, word, out);
    }
}

static void bytes_of(const struct check *c, uint32_t word, uint8_t bytes[4])
{
    if (c->table == ARM_TABLE_T32)
        word = word << 16 | word >> 16;
    for (unsigned k = 0; k < 4; k++)
        bytes[k] = (uint8_t)(word >> 8 * k);
}

/* Does the instruction, executed always, raise Undefined? */
static bool translates_to_undefined(struct check *c, const struct arm_insn *i, uint32_t word)
{
    uint8_t code[8] = {0};

    if (c->table == ARM_TABLE_A32 && i->cond < 14 && !(i->row->flags & ROW_OWN_COND))
        word = (word & 0x0fffffff) | 0xe0000000;
    bytes_of(c, word, code);
    struct guest_translate_in in = {.pc = BASE | (c->table != ARM_TABLE_A32),
                                    .flags = ARM_BF_PRIV | ARM_BF_SWPEN,
                                    .max_insns = 1,
                                    .code = code,
                                    .code_len = c->table == ARM_TABLE_T16 ? 2 : 4};
    guest_translate(&c->cpu->v, &in, c->block);
    const struct ir_insn *last = &c->block->insn[c->block->n - 1];
    return last->op == IR_OP_CALL && last->mem & IR_CALL_NORETURN && last->fn == arm_helper_undef;
}

static bool capstone(struct check *c, uint32_t word)
{
    uint8_t bytes[4];
    const uint8_t *p = bytes;
    size_t size = c->table == ARM_TABLE_T16 ? 2 : 4;
    uint64_t address = BASE;

    bytes_of(c, word, bytes);
    return cs_disasm_iter(c->handle, &p, &size, &address, c->insn);
}

/* --- Capstone's operands --- */

static void add_register(struct operands *o, unsigned reg)
{
    static const uint8_t core[] = {ARM_REG_R0, ARM_REG_R1, ARM_REG_R2,  ARM_REG_R3,  ARM_REG_R4,  ARM_REG_R5, ARM_REG_R6, ARM_REG_R7,
                                   ARM_REG_R8, ARM_REG_R9, ARM_REG_R10, ARM_REG_R11, ARM_REG_R12, ARM_REG_SP, ARM_REG_LR};

    for (unsigned k = 0; k < ARRAY_LEN(core); k++)
        if (core[k] == reg)
            o->core |= BIT(k);
    if (reg >= ARM_REG_S0 && reg <= ARM_REG_S31)
        o->simd |= 1ull << (reg - ARM_REG_S0);
    if (reg >= ARM_REG_D0 && reg <= ARM_REG_D31)
        o->simd |= 3ull << (2 * (reg - ARM_REG_D0) % 64);
    if (reg >= ARM_REG_Q0 && reg <= ARM_REG_Q15)
        o->simd |= 15ull << (4 * (reg - ARM_REG_Q0));
}

static void add_immediate(struct operands *o, int64_t v)
{
    if (o->n_imm < ARRAY_LEN(o->imm))
        o->imm[o->n_imm++] = v;
}

/* A modified immediate in other than its shortest form comes in two parts: value and rotation. */
static void join_modified_immediate(struct operands *o)
{
    if (o->n_imm == 2 && o->imm[0] >= 0 && o->imm[0] < 256 && o->imm[1] >= 0 && o->imm[1] < 32 && !(o->imm[1] & 1)) {
        uint32_t v = (uint32_t)o->imm[0], n = (uint32_t)o->imm[1];
        add_immediate(o, (int32_t)(v >> n | v << (31 - n) << 1));
    }
}

static void capstone_operands(const struct check *c, struct operands *o)
{
    const cs_arm *a = &c->insn->detail->arm;

    memset(o, 0, sizeof(*o));
    for (unsigned k = 0; k < a->op_count; k++) {
        const cs_arm_op *op = &a->operands[k];
        switch (op->type) {
        case ARM_OP_REG:
            add_register(o, (unsigned)op->reg);
            break;
        case ARM_OP_IMM:
        case ARM_OP_CIMM:
        case ARM_OP_PIMM:
            add_immediate(o, op->imm);
            break;
        case ARM_OP_MEM:
            add_register(o, op->mem.base);
            add_register(o, op->mem.index);
            add_immediate(o, op->mem.disp);
            if (op->mem.lshift)
                add_immediate(o, op->mem.lshift);
            break;
        default:
            break;
        }
        if (op->shift.type >= ARM_SFT_ASR_REG)
            add_register(o, op->shift.value);
        else if (op->shift.type != ARM_SFT_INVALID)
            add_immediate(o, op->shift.value);
    }
    join_modified_immediate(o);
}

static bool operands_agree(const struct operands *ours, const struct operands *theirs)
{
    if ((ours->core_known && ((ours->core ^ theirs->core) & ~ours->implied)) || (ours->simd_known && ours->simd != theirs->simd))
        return false;
    for (unsigned k = 0; ours->imm_known && k < ours->n_imm; k++) {
        bool found = ours->imm[k] == 0; /* a zero is often left out */
        for (unsigned j = 0; j < theirs->n_imm && !found; j++)
            found = (uint32_t)theirs->imm[j] == (uint32_t)ours->imm[k];
        if (!found)
            return false;
    }
    return true;
}

/* --- comparing --- */

static void print_operands(const char *who, const struct operands *o)
{
    printf("    %s: core %04x simd %016lx", who, o->core, (unsigned long)o->simd);
    for (unsigned k = 0; k < o->n_imm; k++)
        printf(" #%ld", (long)o->imm[k]);
    printf("\n");
}

/* Print only a few differences of a row, or of an instruction of Capstone's, and a kind. */
static bool seen_often(struct check *c, uintptr_t what, unsigned kind)
{
    unsigned k = 0;

    for (; k < ARRAY_LEN(c->seen) && c->seen[k].times; k++)
        if (c->seen[k].what == what && c->seen[k].kind == kind)
            return c->seen[k].times++ >= 2;
    if (k == ARRAY_LEN(c->seen))
        return true;
    c->seen[k].what = what;
    c->seen[k].kind = kind;
    c->seen[k].times = 1;
    return false;
}

static void compare(struct check *c, uint32_t word)
{
    struct arm_insn i;
    struct operands ours, theirs;
    bool row = decode(c, word, &i);
    bool undefined = !row || i.row->flags & ROW_UNDEF || translates_to_undefined(c, &i, word), known = capstone(c, word);
    unsigned kind = (undefined ? 0 : BY_US) | (known ? BY_CAPSTONE : 0);

    c->compared++;
    c->valid += !undefined;
    if (!kind)
        return;
    if (kind == (BY_US | BY_CAPSTONE) && mnemonic_agrees(c->insn->mnemonic, &i)) {
        operands_of(&i, &ours);
        capstone_operands(c, &theirs);
        c->operands++;
        if (operands_agree(&ours, &theirs))
            return;
        kind = DIFFERENT_OPERANDS;
    }
    if (known_difference(c->table, row ? &i : NULL, word, kind)) {
        c->known++;
        return;
    }
    c->differing++;
    if (seen_often(c, row ? (uintptr_t)i.row : c->insn->id, kind))
        return;
    printf("%s %08x: %s%s, Capstone: %s %s\n",
           c->table == ARM_TABLE_A32   ? "a32"
           : c->table == ARM_TABLE_T16 ? "t16"
                                       : "t32",
           word, row ? i.row->name : "none", undefined ? " (undefined)" : "", known ? c->insn->mnemonic : "not an instruction",
           known ? c->insn->op_str : "");
    if (kind == DIFFERENT_OPERANDS) {
        print_operands("ours", &ours);
        print_operands("Capstone's", &theirs);
    }
}

/* A word of a random row. */
static uint32_t instance(struct check *c)
{
    const struct arm_row *rows;
    unsigned counts[ARM_TABLE_COUNT], total = 0;

    for (unsigned t = 0; t < ARM_TABLE_COUNT; t++) {
        bool used = t == c->table || t == ARM_TABLE_VFP || t == ARM_TABLE_NEON;
        total += counts[t] = used ? arm_table_rows(t, &rows) : 0;
    }
    unsigned pick = (unsigned)((uint64_t)random32(c) * total >> 32), t = 0;
    while (pick >= counts[t])
        pick -= counts[t++];
    struct arm_pattern p;
    arm_table_rows(t, &rows);
    arm_pattern_compile(rows[pick].pattern, 32, &p);
    uint32_t word = (random32(c) & ~p.mask) | p.value;
    if (p.any && random32(c) % 4)
        word &= ~p.any;
    if (t != ARM_TABLE_T32 && p.mask >> 28 == 0) {
        if (c->table == ARM_TABLE_T32 || random32(c) % 4)
            word |= 0xe0000000;
        if (c->table == ARM_TABLE_T32 || word >> 28 == 15)
            word &= 0xefffffff;
    }
    if (c->table == ARM_TABLE_T32 && t == ARM_TABLE_NEON)
        word = (word & 0xfe000000) == 0xf2000000 ? 0xef000000 | (word >> 24 & 1) << 28 | (word & 0x00ffffff)
                                                 : 0xf9000000 | (word & 0x00ffffff);
    return word;
}

/* Capstone remembers an IT instruction: let its block pass. */
static void leave_it_block(struct check *c)
{
    for (unsigned k = 0; k < 4; k++)
        capstone(c, 0x0000); /* movs r0, r0 */
}

static int check_table(struct check *c, enum arm_table table, uint64_t words)
{
    static const char *const names[] = {"A32", "T16", "T32"};

    c->table = table;
    memset(c->seen, 0, sizeof(c->seen));
    c->compared = c->valid = c->differing = c->known = c->operands = 0;
    if (cs_open(CS_ARCH_ARM, table == ARM_TABLE_A32 ? CS_MODE_ARM : CS_MODE_THUMB, &c->handle) != CS_ERR_OK ||
        cs_option(c->handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK || !(c->insn = cs_malloc(c->handle))) {
        fprintf(stderr, "decode_check: Capstone cannot be started\n");
        return 1;
    }
    if (table == ARM_TABLE_T16) {
        for (uint32_t word = 0; word < 0xe800; word++) {
            compare(c, word);
            if ((word & 0xff00) == 0xbf00)
                leave_it_block(c);
        }
    } else {
        for (uint64_t n = 0; n < words; n++) {
            uint32_t word = n & 1 ? instance(c) : random32(c);
            if (!(n & 1) && table == ARM_TABLE_A32 && n & 2) /* the unconditional space gets more than its sixteenth */
                word |= n & 4 ? 0xf0000000 : 0xe0000000;
            if (table == ARM_TABLE_T32) {
                word |= 0xe0000000;
                word |= word >> 27 == 0x1c ? 0x08000000 : 0;
            }
            compare(c, word);
        }
    }
    printf("%s: %lu words, %lu instructions, %lu with operands compared, %lu known differences, %lu others\n", names[table],
           (unsigned long)c->compared, (unsigned long)c->valid, (unsigned long)c->operands, (unsigned long)c->known,
           (unsigned long)c->differing);
    cs_free(c->insn, 1);
    cs_close(&c->handle);
    return c->differing != 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"words", 1, 0, 'w'}, {"seed", 1, 0, 's'}, {"table", 1, 0, 't'},
                                            {"list", 0, 0, 'l'},  {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    static const char *const names[] = {"a32", "t16", "t32"};
    struct check c = {.seed = 1};
    uint64_t words = 50000000;
    int o, rc = 0, only = -1;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'w':
            words = strtoull(optarg, NULL, 0);
            break;
        case 's':
            c.seed = strtoull(optarg, NULL, 0);
            break;
        case 't':
            for (int t = 0; t < 3; t++)
                if (strcmp(optarg, names[t]) == 0)
                    only = t;
            break;
        case 'l':
            print_known_differences();
            return 0;
        default:
            printf("usage: decode_check [--words N] [--seed S] [--table a32|t16|t32] [--list]\n");
            return o != 'h';
        }
    }
    c.decoder = malloc(arm_decoder_size());
    c.cpu = calloc(1, ARM_DECODER_OFFSET + arm_decoder_size());
    c.block = calloc(1, sizeof(*c.block));
    if (!c.decoder || !c.cpu || !c.block)
        return 1;
    arm_decoder_init(c.decoder);
    for (int t = 0; t < 3; t++)
        if (only < 0 || only == t)
            rc |= check_table(&c, (enum arm_table)t, words);
    free(c.decoder);
    free(c.cpu);
    free(c.block);
    return rc;
}
