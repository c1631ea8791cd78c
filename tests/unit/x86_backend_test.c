/*
 * x86_backend_test.c: the x86 back end run for real.
 *
 * Random blocks of IR (ir_random.h) are compiled into executable memory and run on a vcpu (x86_machine.h); results, flags, memory, CPU
 * state and the way the block is left are compared with the interpreter in ir_reference.h (x86_check.h).
 */
#define _GNU_SOURCE
#include "x86_check.h"
#include "ir_random_loop.h"

static void test_random_blocks(void **state)
{
    (void)state;
    run_random_blocks();
}

/* --- leaving, linking, limits -------------------------------------------------------------------------------------------------- */

/* subs r0, r0, #1; add r9, r9, #3; bne . */
static void counting_loop(void)
{
    new_block();
    alu(IR_OP_SUB, 0, 0, 1)->fset = IR_NZCV;
    op(IR_OP_INSN)->imm = PC + 4;
    alu(IR_OP_ADD, 9, 9, 3);
    op(IR_OP_INSN)->imm = PC + 8;
    struct ir_insn *i = op(IR_OP_EXIT_CC);
    i->cc = IR_NE;
    i->imm = PC;
    block.exit_live[block.n - 1] = 0;
    op(IR_OP_EXIT)->imm = PC + 12;
    block.exit_live[block.n - 1] = IR_Z;
    ir_flag_liveness(&block);
}

static void test_linked_loop(void **state)
{
    (void)state;
    counting_loop();
    assert_true(compile(&block, 0));
    assert_int_equal(m.out.n_exits, 2);
    assert_int_equal(m.out.exit[0].target, PC);
    assert_int_equal(m.out.exit[0].guard, 0);
    patch(m.out.exit[0].patch, block_address());
    m.v.gpr[0] = 1000000;
    m.v.gpr[9] = 0;
    assert_int_equal(run(), VCPU_EXIT_LINK);
    assert_int_equal(m.v.exit_id, 1001);
    assert_int_equal(m.v.pc, PC + 12);
    assert_int_equal(m.v.gpr[0], 0);
    assert_int_equal(m.v.gpr[9], 3000000);
    assert_int_equal(flags_unpack(m.v.flags) >> 28 & IR_Z, IR_Z);
    /* unlinked again, it comes back at once */
    patch(m.out.exit[0].patch, block_address() + m.out.exit[0].stub);
    m.v.gpr[0] = 5;
    assert_int_equal(run(), VCPU_EXIT_LINK);
    assert_int_equal(m.v.exit_id, 1000);
    assert_int_equal(m.v.gpr[0], 4);
}

static uint8_t flags_of(uint32_t a, uint32_t b, bool subtract)
{
    uint32_t r = subtract ? a - b : a + b;
    bool carry = subtract ? a >= b : r < a, overflow = ((subtract ? a ^ b : ~(a ^ b)) & (a ^ r)) >> 31;

    return (r >> 31 ? IR_N : 0) | (!r ? IR_Z : 0) | (carry ? IR_C : 0) | (overflow ? IR_V : 0);
}

/* Some flags from an addition or subtraction, the others from before: exits with all of them in memory, taken on each condition. */
static void test_saved_flags(void **state)
{
    static const uint32_t value[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};

    (void)state;
    for (unsigned n = 0; n < 16 * 2 * 15; n++) {
        uint8_t fset = n & 15, cc = (uint8_t)(n / 32);
        bool subtract = n & 16;
        uint16_t target = 0;
        new_block();
        if (cc == IR_AL) { /* indirect: the address is in a scratch register */
            target = ir_temp(&block);
            alu(IR_OP_ADD, target, 3, 0);
        }
        alu(subtract ? IR_OP_SUB : IR_OP_ADD, 2, 1, 0x80000001)->fset = fset;
        struct ir_insn *i = op(cc == IR_AL ? IR_OP_EXIT_IND : IR_OP_EXIT_CC);
        i->cc = cc;
        i->a = cc == IR_AL ? target : IR_NONE;
        i->imm = PC + 8;
        op(IR_OP_EXIT)->imm = PC + 4;
        ir_flag_liveness(&block);
        assert_true(compile(&block, 0));
        for (unsigned k = 0; k < 16 * ARRAY_LEN(value); k++) {
            uint8_t old = k & 15, flags = (old & ~fset) | (flags_of(value[k / 16], 0x80000001, subtract) & fset);
            struct ref_state s;
            ref_set_flags(&s, (uint32_t)flags << 28);
            m.v.flags = flags_pack((uint32_t)old << 28) | 0x3fff0000; /* the other bits mean nothing */
            m.v.gpr[1] = value[k / 16];
            m.v.gpr[3] = PC + 8;
            run();
            assert_int_equal(m.v.pc, ref_cc(&s, cc) ? PC + 8 : PC + 4);
            assert_int_equal(flags_unpack(m.v.flags) >> 28, flags);
        }
    }
}

/* A loop of vector operations, some of them skipped at random, some ended by their fix-up, and stores from outside into the same state. */
static void vector_loop(unsigned number)
{
    struct gen g = {.b = &block};

    new_block();
    seed = number * 0x9e3779b97f4a7c15ull;
    for (unsigned n = 2 + below(8); n > 0; n--) {
        uint16_t label = IR_NONE;
        if (one_in(3)) {
            struct ir_insn *i = op(IR_OP_BRZ);
            i->a = (uint16_t)(1 + below(8));
            i->imm = label = ir_label(&block);
        }
        for (unsigned k = 1 + below(2); k > 0; k--) {
            random_vop(&g);
            if (!one_in(4)) /* a fix-up would load all copies anew */
                block.insn[block.n - 1].fn = NULL;
            if (one_in(6))
                alu(IR_OP_EOR, (uint16_t)(1 + below(8)), (uint16_t)(1 + below(8)), 1);
        }
        if (one_in(2)) {
            struct ir_insn *i = op(IR_OP_STE);
            i->a = 0;
            i->imm = STATE_OFF + 4 * below(20);
            i->mem = 4;
        }
        if (label != IR_NONE)
            op(IR_OP_LABEL)->imm = label;
    }
    alu(IR_OP_SUB, 0, 0, 1)->fset = IR_NZCV;
    struct ir_insn *i = op(IR_OP_EXIT_CC);
    i->cc = IR_NE;
    i->imm = PC;
    for (unsigned n = below(3); n > 0; n--)
        random_vop(&g);
    op(IR_OP_EXIT)->imm = PC + 12;
    ir_flag_liveness(&block);
}

/* Round and round inside the block must be what coming back to its beginning through the dispatcher is. */
static void test_vector_loops(void **state)
{
    unsigned pinned = 0;

    (void)state;
    for (unsigned n = 0; n < 3000; n++) {
        struct ref_state ignored;
        vector_loop(n);
        start_state(&ignored);
        m.v.poll = 0;
        m.v.gpr[0] = 1 + below(5);
        struct vcpu v = m.v;
        static uint8_t before[sizeof(m.state)], once[sizeof(m.state)];
        memcpy(before, m.state, sizeof(before));
        assert_true(compile(&block, 0));
        while (run() == VCPU_EXIT_LINK && m.v.exit_id == 1000)
            ;
        memcpy(once, m.state, sizeof(once));
        uint32_t r1 = m.v.gpr[1];
        memcpy(m.state, before, sizeof(before));
        m.v = v;
        pinned += m.out.exit[0].loop;
        patch(m.out.exit[0].patch, block_address() + (m.out.exit[0].loop ? m.out.loop_head : 0));
        assert_int_equal(run(), VCPU_EXIT_LINK);
        assert_int_equal(m.v.exit_id, 1001);
        assert_int_equal(m.v.gpr[1], r1);
        if (memcmp(m.state + STATE_OFF, once + STATE_OFF, 16 * 5) != 0)
            fail_msg("block %u: the loop's state differs", n);
    }
    assert_true(pinned > 1500);
}

/* Round the loop in the reference until it leaves otherwise, or a poll would. */
static enum ref_end loop_in_reference(struct ref_state *s)
{
    enum ref_end end;

    in_reference = true;
    do
        end = ref_run(s, &block);
    while (end == REF_EXIT && s->target == PC && !m.v.poll);
    in_reference = false;
    return end;
}

/* Accesses that fault in some round, side exits, traps: all must find what the registers hold. */
static void test_random_loops(void **state)
{
    unsigned carried = 0, ends[REF_BAD + 1] = {0};

    (void)state;
    catch_faults();
    for (unsigned n = 0; n < 20000; n++) {
        static struct ref_state s;
        bool count = n % 8 == 0;
        new_block();
        seed = 0x777 + n * 0x9e3779b97f4a7c15ull;
        rnd();
        random_loop(&block);
        ir_flag_liveness(&block);
        start_state(&s);
        m.v.gpr[0] = s.value[0] = 1 + below(6);
        for (unsigned r = 1; r < 4; r++)
            m.v.gpr[r] = s.value[r] = m.v.gpr[r] & ~(one_in(20) ? 0u : 3u);
        if (!compile(&block, count ? ENGINE_COUNT_INSNS : 0))
            fail_msg("block %u does not compile", n);
        for (uint32_t k = 0; k < m.out.n_exits; k++) {
            const struct host_exit *x = &m.out.exit[k];
            if (x->target == PC)
                patch(x->patch, block_address() + (x->loop ? m.out.loop_head : 0));
            carried += x->loop;
        }
        enum ref_end end = loop_in_reference(&s);
        uint32_t reason = run();
        ends[end]++;
        uint8_t flags = end == REF_EXIT ? block.exit_live[s.at] : 0;
        if (reason == VCPU_EXIT_LINK && end == REF_EXIT && s.target == PC) /* not linked */
            fail_msg("block %u goes round through the dispatcher", n);
        if (!same_leaving(&block, &s, end, reason, true) || !same_values(&s, flags)) {
            print_block(&block);
            fail_msg("block %u: %s", n, difference);
        }
        if (n % 512 == 0)
            forget_memory();
    }
    assert_true(carried > 20000 && ends[REF_FAULT] > 1000 && ends[REF_EXIT] > 2000 && ends[REF_ALIGN] > 500 && ends[REF_RAISED] > 20);
}

static void test_poll(void **state)
{
    (void)state;
    counting_loop();
    assert_true(compile(&block, 0));
    patch(m.out.exit[0].patch, block_address());
    m.v.gpr[0] = 1000;
    m.v.poll = 1;
    assert_int_equal(run(), VCPU_EXIT_POLL);
    assert_int_equal(m.v.pc, PC);
    assert_int_equal(m.v.gpr[0], 999);
    m.v.gpr[0] = 1; /* a forward exit does not poll */
    assert_int_equal(run(), VCPU_EXIT_LINK);
    assert_int_equal(m.v.pc, PC + 12);
}

static void test_budget(void **state)
{
    (void)state;
    counting_loop();
    assert_true(compile(&block, ENGINE_COUNT_INSNS));
    patch(m.out.exit[0].patch, block_address());
    m.v.gpr[0] = 1000;
    m.v.insn_budget = 100;
    assert_int_equal(run(), VCPU_EXIT_BUDGET);
    assert_int_equal(m.v.pc, PC);
    assert_int_equal(m.v.gpr[0], 1000 - 33); /* three instructions a turn */
    assert_int_equal(m.v.insn_budget, 1);
}

static void test_guard(void **state)
{
    uint32_t target = PC + 0x2000;
    uint64_t here = itlb_entry(target, 0x40123000);
    unsigned entry = itlb_index(target);

    (void)state;
    new_block();
    op(IR_OP_EXIT)->imm = target;
    assert_true(compile(&block, 0));
    assert_int_equal(m.out.n_exits, 1);
    assert_int_not_equal(m.out.exit[0].guard, 0);
    memset(m.itlb, 0, sizeof(m.itlb));
    assert_int_equal(run(), VCPU_EXIT_LINK);

    /* Linked to a second block, which is reached only while the page is where it was. */
    uint8_t *second = m.code + CODE_SIZE / 2, *first = m.code + m.tramp.size;
    struct host_exit x = m.out.exit[0];
    struct host_compile_opts opts = {.first_exit_id = 2000};
    block.n = 0;
    op(IR_OP_INSN)->imm = target;
    op(IR_OP_EXIT_LOOKUP)->imm = 0x1234;
    assert_int_equal(host_compile(&block, &m.tramp, (uintptr_t)m.code, second, (uintptr_t)second, 4096, &opts, &m.out), 0);
    host_patch_jump(first + x.patch, (uintptr_t)first + x.patch, (uintptr_t)second);
    host_patch_guard(first + x.guard, here);
    m.itlb[entry] = here;
    assert_int_equal(run(), VCPU_EXIT_LOOKUP);
    assert_int_equal(m.v.pc, 0x1234);
    m.itlb[entry] = itlb_entry(target, 0x40124000);
    assert_int_equal(run(), VCPU_EXIT_LINK);
    assert_int_equal(m.v.exit_id, 1000);
    assert_int_equal(m.v.pc, target);
}

/* A block that goes on in another page starts only while that page is where it was translated from. */
static void test_guard_at_start(void **state)
{
    uint32_t page = PC + 0x1000;

    (void)state;
    for (unsigned count = 0; count < 2; count++) {
        new_block();
        block.n = 0;
        struct ir_insn *i = op(IR_OP_GUARD);
        i->imm = page;
        i->imm2 = 0x40123;
        op(IR_OP_INSN)->imm = PC;
        alu(IR_OP_ADD, 0, 0, 1);
        op(IR_OP_EXIT_LOOKUP)->imm = 0x1234;
        assert_true(compile(&block, count ? ENGINE_COUNT_INSNS : 0));
        memset(m.itlb, 0, sizeof(m.itlb));
        m.v.gpr[0] = 7;
        assert_int_equal(run(), VCPU_EXIT_LOOKUP);
        assert_int_equal(m.v.pc, PC);
        assert_int_equal(m.v.gpr[0], 7);
        assert_int_equal(m.v.insn_budget, 1000000);
        m.itlb[itlb_slot(page) / 8] = itlb_entry(page, 0x40123000);
        assert_int_equal(run(), VCPU_EXIT_LOOKUP);
        assert_int_equal(m.v.pc, 0x1234);
        assert_int_equal(m.v.gpr[0], 8);
        assert_int_equal(m.v.insn_budget, 1000000 - (count ? 1 : 0));
    }
}

static void test_jump_cache(void **state)
{
    uint8_t *second = m.code + CODE_SIZE / 2;
    struct host_compile_opts opts = {.first_exit_id = 2000};
    uint32_t va = 0x00345679; /* Thumb */
    struct jump_cache_entry *e = &m.jump_cache[jump_cache_index(va)];

    (void)state;
    for (uint16_t value = 0; value < IR_GLOBALS; value++) {
        new_block();
        op(IR_OP_EXIT_LOOKUP)->imm = 0x4321;
        assert_int_equal(host_compile(&block, &m.tramp, (uintptr_t)m.code, second, (uintptr_t)second, 4096, &opts, &m.out), 0);
        new_block();
        op(IR_OP_EXIT_IND)->a = value;
        assert_true(compile(&block, 0));
        m.v.gpr[value] = va;
        *e = (struct jump_cache_entry){
            .va = va, .tag = block.flags, .code = (uintptr_t)second, .itlb = itlb_entry(va, 0x40000000), .slot = itlb_slot(va)};
        m.itlb[itlb_slot(va) / 8] = e->itlb;
        assert_int_equal(run(), VCPU_EXIT_LOOKUP);
        assert_int_equal(m.v.pc, 0x4321);
        assert_int_equal(m.v.gpr[value], va);
        e->tag ^= 2;
        assert_int_equal(run(), VCPU_EXIT_INDIRECT);
        assert_int_equal(m.v.pc, va);
        e->tag ^= 2;
        m.itlb[itlb_slot(va) / 8] ^= 2; /* another physical page */
        assert_int_equal(run(), VCPU_EXIT_INDIRECT);
        m.itlb[itlb_slot(va) / 8] ^= 2;
        e->va ^= 1;
        assert_int_equal(run(), VCPU_EXIT_INDIRECT);
        e->va ^= 1;
        m.v.poll = 1;
        assert_int_equal(run(), VCPU_EXIT_POLL);
        assert_int_equal(m.v.pc, va);
    }
}

/* Too little room, too many exits: -1, and nothing beyond the room is touched. */
static void test_limits(void **state)
{
    static struct host_code out;
    struct host_compile_opts opts = {0};
    uint8_t *at = m.code + m.tramp.size;

    (void)state;
    counting_loop();
    for (uint32_t cap = 0; cap < 200; cap++) {
        memset(at, 0xcc, 512);
        int r = host_compile(&block, &m.tramp, (uintptr_t)m.code, at, (uintptr_t)at, cap, &opts, &out);
        assert_true(r == -1 || out.size <= cap);
        for (uint32_t k = cap; k < 512; k++)
            assert_int_equal(at[k], 0xcc);
    }
    new_block();
    for (unsigned k = 0; k <= HOST_MAX_EXITS; k++) {
        struct ir_insn *i = op(IR_OP_EXIT_Z);
        i->a = 0;
        i->imm = PC + 4 * k;
    }
    op(IR_OP_EXIT)->imm = PC + 4;
    assert_false(compile(&block, 0));
    new_block(); /* no exit at the end */
    assert_false(compile(&block, 0));
}

/* More temporaries alive at once than registers, up to the number of spill slots; one more is refused. */
static void test_spilling(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= VCPU_SPILL_SLOTS + 4; n++) {
        new_block();
        uint16_t t[VCPU_SPILL_SLOTS + 4], sum;
        for (unsigned k = 0; k < n; k++) {
            t[k] = ir_temp(&block);
            alu(IR_OP_ADD, t[k], 1, k * k);
        }
        sum = ir_temp(&block);
        alu(IR_OP_MOV, sum, IR_NONE, 0);
        uint32_t want = 0;
        for (unsigned k = 0; k < n; k++) {
            struct ir_insn *i = alu(IR_OP_EOR, sum, sum, 0);
            i->b = t[n - 1 - k];
            i->shift = IR_ROR;
            i->shamt = 3;
            uint32_t v = m.v.gpr[1] + (n - 1 - k) * (n - 1 - k);
            want ^= v >> 3 | v << 29;
        }
        struct ir_insn *i = alu(IR_OP_MOV, 2, IR_NONE, 0);
        i->b = sum;
        op(IR_OP_EXIT_LOOKUP)->imm = PC;
        bool fits = compile(&block, 0);
        assert_true(fits || n > VCPU_SPILL_SLOTS);
        if (!fits)
            continue;
        assert_int_equal(run(), VCPU_EXIT_LOOKUP);
        assert_int_equal(m.v.gpr[2], want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linked_loop),    cmocka_unit_test(test_vector_loops), cmocka_unit_test(test_random_loops),
        cmocka_unit_test(test_poll),           cmocka_unit_test(test_budget),       cmocka_unit_test(test_guard),
        cmocka_unit_test(test_guard_at_start), cmocka_unit_test(test_jump_cache),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_spilling),       cmocka_unit_test(test_saved_flags),  cmocka_unit_test(test_random_blocks),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
