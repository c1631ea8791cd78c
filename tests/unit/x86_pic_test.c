/*
 * x86_pic_test.c: position-independent code of the x86 back end, run for real at many addresses.
 *
 * Random blocks as in x86_backend_test.c; the reference adds the address of the page to what moves (dbt/ir.h).
 */
#define _GNU_SOURCE
#include "x86_check.h"

static void test_random_pic_blocks(void **state)
{
    (void)state;
    run_random_blocks();
}

/* An exit to another page: the page that addresses count from becomes that one, or stays when the exit is not taken. */
static void test_pic_exits(void **state)
{
    static const uint32_t pages[] = {0, 0x1000, 0x00432000, 0x7ffff000, 0x80000000, 0xffffd000, 0xffff0000};
    uint8_t *second = m.code + CODE_SIZE / 2, *first = m.code + m.tramp.size;

    (void)state;
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
}

/* Calls and returns, and whoever enters a block that has gone. */
static void test_pic_calls(void **state)
{
    uint8_t *first = m.code + m.tramp.size, *second = m.code + CODE_SIZE / 2;
    struct host_compile_opts opts = {.first_exit_id = 2000, .pic = true};
    const uint32_t page = 0x00765000, callee = 0x12345678;
    struct jump_cache_entry *e = &m.jump_cache[jump_cache_index(callee)];

    (void)state;
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
}

static int setup_pic(void **state)
{
    m.pic = true;
    return setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pic_blocks),
        cmocka_unit_test(test_pic_exits),
        cmocka_unit_test(test_pic_calls),
    };
    return cmocka_run_group_tests(tests, setup_pic, NULL);
}
