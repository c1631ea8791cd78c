/*
 * x86_check.h: runs of the machine of x86_machine.h compared with the interpreter in ir_reference.h, and blocks made by hand.
 *
 * A failing random block prints its IR and its number; BACKEND_TEST_FIRST and BACKEND_TEST_COUNT choose others.
 */
#ifndef TESTS_X86_CHECK_H
#define TESTS_X86_CHECK_H

#include "ir_random.h"

/* --- comparing ----------------------------------------------------------------------------------------------------------------------- */

static inline void start_state(struct ref_state *s)
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
static inline uint32_t executed(const struct ir_block *b, uint32_t at)
{
    uint32_t n = 0;

    for (uint32_t k = 0; k <= at; k++)
        n += b->insn[k].op == IR_OP_INSN;
    return n;
}

static const char *difference;

static inline bool same_values(const struct ref_state *s, uint8_t flags)
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
static inline bool same_memory(void)
{
    static unsigned char present[2][(WINDOW_SIZE + WINDOW_SLACK) >> 12];

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

static inline void forget_memory(void)
{
    madvise(m.behind, HOLE_SIZE, MADV_DONTNEED);
    madvise(m.window, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
    madvise(m.shadow, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
}

static inline bool same_leaving(const struct ir_block *b, const struct ref_state *s, enum ref_end end, uint32_t reason, bool chain)
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

static inline bool try_block(const struct ir_block *b, uint32_t engine_flags)
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

static inline unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *t = getenv(name);
    return t ? (unsigned)strtoul(t, NULL, 0) : otherwise;
}

/* Random blocks under all conditions, as m.pic says. */
static inline void run_random_blocks(void)
{
    static struct ir_block b;
    unsigned first = from_environment("BACKEND_TEST_FIRST", 0), count = from_environment("BACKEND_TEST_COUNT", 60000);
    static const uint32_t engine_flags[] = {0, 0, ENGINE_COUNT_INSNS, ENGINE_NO_CHAIN};

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

/* --- blocks made by hand ----------------------------------------------------------------------------------------------------------- */

static struct ir_block block;

static inline struct ir_insn *op(enum ir_op o)
{
    return ir_emit(&block, o);
}

static inline void new_block(void)
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

static inline struct ir_insn *alu(enum ir_op o, uint16_t d, uint16_t a, uint32_t imm)
{
    struct ir_insn *i = op(o);

    i->d = d;
    i->a = a;
    i->imm = imm;
    return i;
}

static inline uint64_t block_address(void)
{
    return (uintptr_t)m.code + m.tramp.size;
}

#endif
