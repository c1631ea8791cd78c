/*
 * x86_backend_test.c: the x86 back end run for real.
 *
 * Random blocks of IR (ir_random.h) are compiled into executable memory and run on a vcpu (x86_machine.h); results, flags, memory, CPU
 * state and the way the block is left are compared with the interpreter in ir_reference.h. A failing block prints its IR and its number;
 * BACKEND_TEST_FIRST and BACKEND_TEST_COUNT choose others.
 */
#define _GNU_SOURCE
#include "ir_random.h"
#include "ir_random_loop.h"

/* --- comparing ----------------------------------------------------------------------------------------------------------------------- */

static void start_state(struct ref_state *s)
{
    memset(&m.v, 0, sizeof(m.v));
    host_init_vcpu(&m.v);
    for (unsigned k = 0; k < IR_GLOBALS; k++)
        m.v.gpr[k] = interesting();
    for (unsigned k = 0; k < 256 + 16; k++)
        m.state[STATE_OFF + k] = (uint8_t)rnd();
    m.v.flags = (uint32_t)rnd() & 0xffff0101;
    m.v.excl_addr = one_in(2) ? UINT32_MAX : 0x2000;
    m.v.jump_cache = m.jump_cache;
    m.v.itlb = m.itlb;
    m.v.alias = m.alias;
    m.v.soft_tlb = m.soft_tlb;
    m.v.soft_miss = soft_miss;
    m.v.soft_hits = one_in(4) ? (int32_t)below(3) : 1000;
    soft_tlb_empty();
    m.v.insn_budget = 1000000;
    m.v.poll = one_in(4);
    memset(m.jump_cache, 0xff, sizeof(m.jump_cache));
    m.align_raised = false;

    memset(s, 0, sizeof(*s));
    memcpy(s->value, m.v.gpr, 4 * IR_GLOBALS);
    ref_set_flags(s, flags_unpack(m.v.flags));
    memcpy(s->state, m.state, sizeof(m.state));
    s->excl_addr = m.v.excl_addr;
    s->excl_value = m.v.excl_value;
    s->window = m.shadow;
    m.v.pic_page = s->page = m.pic ? rnd() & ~0xfffu : 0;
    s->fault = hole;
}

/* Guest instructions up to insn `at`: those that a condition skips count, as they do on the guest. */
static uint32_t executed(const struct ir_block *b, uint32_t at)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k <= at; k++)
        n += b->insn[k].op == IR_OP_INSN;
    return n;
}

static const char *difference;

static bool same_values(const struct ref_state *s, uint8_t flags)
{
    static char text[128];

    for (unsigned k = 0; k < IR_GLOBALS; k++) {
        if (m.v.gpr[k] == s->value[k])
            continue;
        snprintf(text, sizeof(text), "r%u is %08x, should be %08x", k, m.v.gpr[k], s->value[k]);
        difference = text;
        return false;
    }
    uint32_t is = flags_unpack(m.v.flags) >> 28, should = ref_flags(s) >> 28;
    if ((is ^ should) & flags) {
        snprintf(text, sizeof(text), "flags nzcv %x, should be %x (of which wanted: %x)", is, should, flags);
        difference = text;
        return false;
    }
    if (memcmp(m.state + STATE_OFF, s->state + STATE_OFF, 256 + 16)) {
        difference = "CPU state differs";
        return false;
    }
    if (m.v.excl_addr != s->excl_addr || (s->excl_addr != UINT32_MAX && m.v.excl_value != s->excl_value)) {
        difference = "exclusive monitor differs";
        return false;
    }
    return true;
}

/* Memory: every address the block can have written was computed; compare the pages that exist in either copy. */
static bool same_memory(void)
{
    static unsigned char present[2][(WINDOW_SIZE + WINDOW_SLACK) >> 12];
    FILE *none = NULL;

    (void)none;
    mincore(m.window, WINDOW_SIZE + WINDOW_SLACK, present[0]);
    mincore(m.shadow, WINDOW_SIZE + WINDOW_SLACK, present[1]);
    for (uint64_t p = 0; p < ARRAY_LEN(present[0]); p++) {
        if (!(present[0][p] | present[1][p]) || (p >= HOLE >> 12 && p < (HOLE + HOLE_SIZE) >> 12))
            continue;
        if (memcmp(m.window + (p << 12), m.shadow + (p << 12), 4096)) {
            difference = "memory differs";
            return false;
        }
    }
    if (memcmp(m.behind, m.shadow + HOLE, HOLE_SIZE)) {
        difference = "memory behind aliases differs";
        return false;
    }
    return true;
}

static void forget_memory(void)
{
    madvise(m.behind, HOLE_SIZE, MADV_DONTNEED);
    madvise(m.window, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
    madvise(m.shadow, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
}

static bool same_leaving(const struct ir_block *b, const struct ref_state *s, enum ref_end end, uint32_t reason, bool chain)
{
    static char text[128];
    uint32_t target = s->target - s->page, at = s->pc - s->page;
    bool backward = (target & ~1u) <= (at & ~1u) || (m.pic && (target ^ b->pc) >> 12);
    uint32_t want = end == REF_EXIT       ? (!chain                 ? VCPU_EXIT_LOOKUP
                                             : backward && m.v.poll ? VCPU_EXIT_POLL
                                                                    : VCPU_EXIT_LINK)
                    : end == REF_INDIRECT ? (chain && m.v.poll ? VCPU_EXIT_POLL : VCPU_EXIT_INDIRECT)
                    : end == REF_LOOKUP   ? VCPU_EXIT_LOOKUP
                                          : VCPU_EXIT_RAISED;
    uint32_t pc = end == REF_FAULT || end == REF_ALIGN || end == REF_RAISED ? s->pc : s->target;

    if (reason != want || m.v.pc != pc) {
        snprintf(text, sizeof(text), "left with reason %u at %08x, should be %u at %08x", reason, m.v.pc, want, pc);
        difference = text;
        return false;
    }
    if (reason == VCPU_EXIT_LINK && m.out.exit[m.v.exit_id - 1000].target != target) {
        difference = "exit id does not belong to the target";
        return false;
    }
    if ((end == REF_FAULT || end == REF_ALIGN) && m.v.restart != s->restart) {
        difference = "restart word differs";
        return false;
    }
    if (m.align_raised != (end == REF_ALIGN)) {
        difference = "alignment fault differs";
        return false;
    }
    return true;
}

static bool try_block(const struct ir_block *b, uint32_t engine_flags)
{
    static struct ref_state s;
    static uint8_t live[IR_MAX_INSNS];
    bool count = engine_flags & ENGINE_COUNT_INSNS;

    start_state(&s);
    in_reference = true;
    enum ref_end end = ref_run(&s, b);
    in_reference = false;
    if (end == REF_BAD) {
        difference = "the reference cannot run the block";
        return false;
    }
    if (!compile(b, engine_flags)) {
        difference = "does not compile";
        return false;
    }
    uint32_t reason = run();

    ir_flags_live_after(b, live);
    uint8_t flags = end == REF_RAISED ? IR_NZCV : b->exit_live[s.at];
    if (end == REF_FAULT || end == REF_ALIGN) /* what is still read after the access */
        flags = live[s.at];
    if (end == REF_RAISED)
        flags = b->insn[s.at].op == IR_OP_CALL ? IR_NZCV : b->exit_live[s.at];
    bool good = same_leaving(b, &s, end, reason, !(engine_flags & ENGINE_NO_CHAIN)) && same_values(&s, flags);
    if (good && count && m.v.insn_budget != 1000000 - (int64_t)executed(b, s.at)) {
        difference = "instruction count differs";
        good = false;
    }
    return good;
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *t = getenv(name);
    return t ? (unsigned)strtoul(t, NULL, 0) : otherwise;
}

static void run_random_blocks(bool pic)
{
    static struct ir_block b;
    unsigned first = from_environment("BACKEND_TEST_FIRST", 0), count = from_environment("BACKEND_TEST_COUNT", 60000);
    static const uint32_t engine_flags[] = {0, 0, ENGINE_COUNT_INSNS, ENGINE_NO_CHAIN};

    m.pic = pic;
    catch_faults();
    for (unsigned n = first; n < first + count; n++) {
        seed = 0x1234567 + n * 0x9e3779b97f4a7c15ull;
        rnd();
        random_block(&b);
        ir_flag_liveness(&b);
        bool good = try_block(&b, engine_flags[n % 4]);
        if (good && n % 64 == 0)
            good = same_memory();
        if (n % 64 == 0)
            forget_memory();
        if (!good) {
            print_block(&b);
            fail_msg("block %u: %s", n, difference);
        }
    }
}

static void test_random_blocks(void **state)
{
    (void)state;
    run_random_blocks(false);
}

static void test_random_pic_blocks(void **state)
{
    (void)state;
    run_random_blocks(true);
    m.pic = false;
}

/* --- leaving, linking, limits -------------------------------------------------------------------------------------------------- */

static struct ir_block block;

static struct ir_insn *op(enum ir_op o)
{
    return ir_emit(&block, o);
}

static void new_block(void)
{
    struct ref_state s;

    block.n = block.n_temps = block.n_labels = 0;
    block.pc = PC;
    block.flags = 0x15;
    block.live_out = IR_NZCV;
    seed = 1;
    start_state(&s);
    m.v.poll = 0;
    op(IR_OP_INSN)->imm = PC;
}

static struct ir_insn *alu(enum ir_op o, uint16_t d, uint16_t a, uint32_t imm)
{
    struct ir_insn *i = op(o);

    i->d = d;
    i->a = a;
    i->imm = imm;
    return i;
}

static uint64_t block_address(void)
{
    return (uintptr_t)m.code + m.tramp.size;
}

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

/* The same wherever the page is; the page that the block's addresses count from becomes the next one, or stays when the exit is not taken. */
static void test_pic_exits(void **state)
{
    static const uint32_t pages[] = {0, 0x1000, 0x00432000, 0x7ffff000, 0x80000000, 0xffffd000, 0xffff0000};
    uint8_t *second = m.code + CODE_SIZE / 2, *first = m.code + m.tramp.size;

    (void)state;
    m.pic = true;
    for (unsigned k = 0; k < ARRAY_LEN(pages); k++) {
        uint32_t page = pages[k], next = page + 0x2000;
        new_block();
        block.pc = 0x10;
        block.n = 0;
        op(IR_OP_INSN)->imm = 0x10;
        op(IR_OP_EXIT)->imm = 0x2345;
        assert_true(compile(&block, 0));
        struct host_exit x = m.out.exit[0];
        struct host_compile_opts opts = {.first_exit_id = 2000, .pic = true};
        block.n = 0;
        block.pc = 0x345;
        op(IR_OP_INSN)->imm = 0x345;
        alu(IR_OP_MOV, 1, IR_NONE, 0x123)->moves = true;
        op(IR_OP_EXIT_LOOKUP)->imm = 0x400;
        assert_int_equal(host_compile(&block, &m.tramp, (uintptr_t)m.code, second, (uintptr_t)second, 4096, &opts, &m.out), 0);
        uint64_t here = itlb_entry(next, 0x40123000);
        host_patch_jump(first + x.patch, (uintptr_t)first + x.patch, (uintptr_t)second);
        host_patch_pic_guard(first + x.guard, (uint32_t)here);
        memset(m.itlb, 0, sizeof(m.itlb));
        m.itlb[itlb_index(next)] = here;
        m.v.pic_page = page;
        assert_int_equal(run(), VCPU_EXIT_LOOKUP);
        assert_int_equal(m.v.pc, next + 0x400);
        assert_int_equal(m.v.gpr[1], next + 0x123);
        for (unsigned n = 0; n < 3; n++) { /* another page there; none; not linked */
            m.itlb[itlb_index(next)] = n == 0 ? here + 2 : n == 1 ? 0 : here;
            if (n == 2)
                host_patch_pic_guard(first + x.guard, HOST_PIC_GUARD_NONE);
            m.v.pic_page = page;
            assert_int_equal(run(), VCPU_EXIT_LINK);
            assert_int_equal(m.v.exit_id, 1000);
            assert_int_equal(m.v.pc, page + 0x2345);
        }
        m.v.pic_page = page;
        m.v.poll = 1; /* it may be a loop round the end of the address space */
        assert_int_equal(run(), VCPU_EXIT_POLL);
        assert_int_equal(m.v.pc, page + 0x2345);
    }
    m.pic = false;
}

/* Calls and returns, and whoever enters a block that has gone. */
static void test_pic_calls(void **state)
{
    uint8_t *first = m.code + m.tramp.size, *second = m.code + CODE_SIZE / 2;
    struct host_compile_opts opts = {.first_exit_id = 2000, .pic = true};
    const uint32_t page = 0x00765000, callee = 0x12345678;
    struct jump_cache_entry *e = &m.jump_cache[jump_cache_index(callee)];

    (void)state;
    m.pic = true;
    new_block(); /* a function: returns */
    block.pc = 0x678;
    block.n = 0;
    op(IR_OP_INSN)->imm = 0x678;
    alu(IR_OP_MOV, 2, IR_NONE, 0x678)->moves = true;
    struct ir_insn *i = op(IR_OP_EXIT_IND);
    i->a = 14;
    i->mem = IR_IND_RETURN;
    assert_int_equal(host_compile(&block, &m.tramp, (uintptr_t)m.code, second, (uintptr_t)second, 4096, &opts, &m.out), 0);
    uint32_t retired = m.out.retired;
    new_block(); /* calls it */
    block.pc = 0x20;
    block.n = 0;
    op(IR_OP_INSN)->imm = 0x20;
    alu(IR_OP_MOV, 14, IR_NONE, 0x24)->moves = true;
    i = op(IR_OP_EXIT_IND);
    i->a = 3;
    i->mem = IR_IND_CALL;
    i->imm2 = 0x24;
    assert_true(compile(&block, 0));
    *e = (struct jump_cache_entry){
        .va = callee, .tag = block.flags, .code = (uintptr_t)second, .itlb = itlb_entry(callee, 0x40000000), .slot = itlb_slot(callee)};
    m.itlb[itlb_index(callee)] = e->itlb;
    m.v.gpr[3] = callee;
    m.v.pic_page = page;
    assert_int_equal(run(), VCPU_EXIT_LINK); /* where the call returns to */
    assert_int_equal(m.v.pc, page + 0x24);
    assert_int_equal(m.v.pic_page, page);
    assert_int_equal(m.v.gpr[2], callee);
    assert_int_equal(m.v.gpr[14], page + 0x24);

    host_retire(second, (uintptr_t)second, retired);
    m.v.pic_page = page;
    assert_int_equal(run(), VCPU_EXIT_LOOKUP);
    assert_int_equal(m.v.pc, callee);
    host_retire(first, (uintptr_t)first, m.out.retired);
    m.v.pic_page = page;
    assert_int_equal(run(), VCPU_EXIT_LOOKUP);
    assert_int_equal(m.v.pc, page + 0x20);
    e->va = ~0u;
    m.pic = false;
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
        cmocka_unit_test(test_random_pic_blocks), cmocka_unit_test(test_pic_exits), cmocka_unit_test(test_pic_calls),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
