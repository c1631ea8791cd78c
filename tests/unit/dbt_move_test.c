/*
 * dbt_move_test.c: a block's code, moved to another guest and host address, is byte for byte what compiling at that address gives.
 *
 * Random instructions from every row of the decode tables, r15 often among the operands, are compiled at two addresses of one physical
 * page; a copy of the first is moved as dbt/copy.c does it and compared with the second. Whatever depends on the address and is not marked
 * as moving differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arch/arm/translate_int.h>
#include <dbt/engine.h>
#include <dbt/host.h>

#define CACHE_SIZE  (256u << 10)
#define CODE_SIZE   (48u << 10)
#define ROUNDS      400 /* blocks for each row */
#define FIRST_EXIT  1000u
#define SECOND_EXIT 77u

static struct arm_cpu *cpu;
static struct ir_block block;
static struct host_code first, second;
static struct host_trampolines tramp;
static uint8_t *cache;
static uint64_t seed = 88172645463325252u;
static unsigned n_moved, n_fixed;

static uint32_t rnd(void)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
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

static enum guest_access_kind alias_kind(void *arg UNUSED, uint32_t pc)
{
    return pc & 4 ? ACCESS_ALIAS : pc & 8 ? ACCESS_SOFT : ACCESS_PLAIN;
}

static enum guest_access_kind slow_kind(void *arg UNUSED, uint32_t pc UNUSED)
{
    return ACCESS_SLOW;
}

/* A word of the pattern; fields four bits wide are r15 one time in four. */
static uint32_t word_of(const struct arm_pattern *p)
{
    uint32_t w = p->value | (rnd() & ~p->mask);

    for (unsigned s = 0; s < p->segments; s++)
        if (p->segment[s].width == 4 && rnd() % 4 == 0)
            w |= 15u << p->segment[s].lsb;
    return w;
}

static unsigned put(uint8_t *code, enum arm_table table, const struct arm_row *row, bool thumb)
{
    struct arm_pattern p;
    assert_true(arm_pattern_compile(row->pattern, table == ARM_TABLE_T16 ? 16 : 32, &p));
    uint32_t w = word_of(&p);

    if (!thumb) {
        if (table == ARM_TABLE_A32 || table == ARM_TABLE_VFP)
            w = rnd() % 2 && w < 0xf0000000 ? (w & 0x0fffffff) | 0xe0000000 : w;
        memcpy(code, &w, 4);
        return 4;
    }
    if (table == ARM_TABLE_T16) {
        memcpy(code, &w, 2);
        return 2;
    }
    if (table == ARM_TABLE_VFP)
        w = (w & 0x0fffffff) | 0xe0000000;
    if (table == ARM_TABLE_NEON) /* as arch/arm/decode.h says */
        w = w >> 25 == 0x79 ? 0xef000000 | (w & 0x00ffffff) | (w >> 24 & 1) << 28 : 0xf9000000 | (w & 0x00ffffff);
    uint16_t hw[2] = {(uint16_t)(w >> 16), (uint16_t)w};
    memcpy(code, hw, 4);
    return 4;
}

static void compile(const struct guest_translate_in *in, uint32_t pc, uint8_t *at, uint32_t exit, uint32_t engine_flags,
                    struct host_code *out)
{
    struct guest_translate_in here = *in;
    struct host_compile_opts opts = {.first_exit_id = exit, .engine_flags = engine_flags, .alias_start = 0xffe00000};

    here.pc = pc;
    do { /* as block_translate() */
        guest_translate(&cpu->v, &here, &block);
        ir_flag_liveness(&block);
        here.max_insns /= 2;
    } while (host_compile(&block, &tramp, (uintptr_t)cache, at, (uintptr_t)at, CODE_SIZE, &opts, out) != 0 && here.max_insns);
}

static void show(const struct guest_translate_in *in, uint32_t from, uint32_t to, const uint8_t *is, const uint8_t *wanted)
{
    print_message("from %08x to %08x, flags %08x\n", from, to, in->flags);
    for (uint32_t k = 0; k < block.size; k += 4)
        print_message("  code %02x%02x %02x%02x\n", in->code[k + 1], in->code[k], in->code[k + 3], in->code[k + 2]);
    for (uint32_t k = 0; k < block.n; k++) {
        char text[200];
        ir_print(&block.insn[k], text, sizeof(text));
        print_message("  %s\n", text);
    }
    for (uint32_t k = 0; k < second.size; k++)
        if (is[k] != wanted[k])
            print_message("  +%x: %02x, not %02x\n", k, is[k], wanted[k]);
}

static void move_and_compare(const struct guest_translate_in *in, uint32_t from, uint32_t to, uint32_t engine_flags)
{
    uint8_t *a = cache + ALIGN_UP(tramp.size, 64u), *b = a + CODE_SIZE + 16 * (rnd() % 64), *copy = cache + CACHE_SIZE - CODE_SIZE;

    compile(in, from, a, FIRST_EXIT, engine_flags, &first);
    bool wraps = false; /* round the end of the address space, in one place only */
    for (uint32_t x = 0; x < first.n_exits; x++)
        wraps |= (first.exit[x].target < from) != (first.exit[x].target + (to - from) < to);
    if (first.fixed || wraps || block.size > in->code_len) {
        n_fixed++;
        return;
    }
    compile(in, to, b, SECOND_EXIT, engine_flags, &second);
    n_moved++;
    memcpy(copy, a, first.size);
    host_move_code(copy, first.move, first.n_moves, to - from, (uint32_t)(b - a), SECOND_EXIT - FIRST_EXIT);
    for (uint32_t x = 0; x < first.n_exits; x++)
        if (first.exit[x].guard)
            host_reset_guard(copy + first.exit[x].guard, first.exit[x].target + (to - from));

    bool same = first.size == second.size && memcmp(copy, b, first.size) == 0 && first.n_exits == second.n_exits &&
                first.n_faults == second.n_faults && first.loop_head == second.loop_head;
    for (uint32_t x = 0; same && x < first.n_exits; x++)
        same = first.exit[x].target + (to - from) == second.exit[x].target && first.exit[x].patch == second.exit[x].patch &&
               first.exit[x].stub == second.exit[x].stub && first.exit[x].guard == second.exit[x].guard &&
               first.exit[x].loop == second.exit[x].loop;
    for (uint32_t f = 0; same && f < first.n_faults; f++) {
        first.fault[f].pc += to - from;
        same = memcmp(&first.fault[f], &second.fault[f], sizeof(first.fault[f])) == 0;
    }
    if (!same) {
        show(in, from, to, copy, b);
        fail_msg("a moved block is not what compiling there gives");
    }
}

/* A block of a few instructions, the row's among them. */
static void one_block(enum arm_table table, const struct arm_row *row, bool thumb)
{
    static _Alignas(4096) uint8_t page[4096];
    static const enum arm_table a32[] = {ARM_TABLE_A32, ARM_TABLE_A32, ARM_TABLE_VFP, ARM_TABLE_NEON};
    static const enum arm_table t32[] = {ARM_TABLE_T16, ARM_TABLE_T32, ARM_TABLE_VFP, ARM_TABLE_NEON};
    uint32_t off = rnd() % 4032 & ~(thumb ? 1u : 3u), at = off;
    unsigned n = 1 + rnd() % 6, mine = rnd() % n;

    for (unsigned k = 0; k < sizeof(page); k += 4) {
        uint32_t w = rnd();
        memcpy(page + k, &w, 4);
    }
    for (unsigned k = 0; k < n && at < 4088; k++) {
        enum arm_table other = (thumb ? t32 : a32)[rnd() % 4];
        const struct arm_row *rows;
        unsigned count = arm_table_rows(other, &rows);
        at += k == mine ? put(page + at, table, row, thumb) : put(page + at, other, &rows[rnd() % count], thumb);
    }
    uint32_t from = (rnd() & 0x7ffff000) % 0x7ff00000, to = (rnd() & 0x7ffff000) % 0x7ff00000, half = rnd() % 4 == 0 ? 0x80000000 : 0;
    uint32_t low = off | thumb;
    struct guest_translate_in in = {
        .flags = rnd() % 4 ? 0 : rnd() & (ARM_BF_BE | ARM_BF_ALIGN),
        .max_insns = n,
        .code = page + off,
        .code_len = sizeof(page) - off,
        .before = off,
        .kind = rnd() % 8 == 0   ? slow_kind
                : rnd() % 4 == 0 ? alias_kind
                                 : NULL,
    };
    move_and_compare(&in, from | low | half, to | low | half, rnd() % 8 == 0 ? ENGINE_COUNT_INSNS : 0);
}

static void blocks_can_be_moved(void **state UNUSED)
{
    for (unsigned t = 0; t < ARM_TABLE_COUNT; t++) {
        const struct arm_row *rows;
        unsigned count = arm_table_rows((enum arm_table)t, &rows);
        for (unsigned r = 0; r < count; r++)
            for (unsigned k = 0; k < ROUNDS; k++)
                one_block((enum arm_table)t, &rows[r], t == ARM_TABLE_T16 || t == ARM_TABLE_T32 || (t >= ARM_TABLE_VFP && k % 2));
    }
    print_message("%u blocks moved, %u cannot be\n", n_moved, n_fixed);
    assert_true(n_moved > 20 * n_fixed);
}

static int setup(void **state UNUSED)
{
    cpu = calloc(1, ARM_DECODER_OFFSET + arm_decoder_size());
    cache = aligned_alloc(4096, CACHE_SIZE);
    if (!cpu || !cache)
        return -1;
    host_write_trampolines(cache, (uintptr_t)cache, CACHE_SIZE, &tramp);
    return 0;
}

static int teardown(void **state UNUSED)
{
    free(cpu);
    free(cache);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_can_be_moved)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
