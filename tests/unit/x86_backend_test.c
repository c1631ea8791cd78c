/*
 * x86_backend_test.c: the x86 back end run for real.
 *
 * Random blocks of IR are compiled into executable memory and run on a vcpu with a 4 GiB window; results, flags, memory, CPU state and the
 * way the block is left are compared with the interpreter in ir_reference.h. Faults are real: part of the window is inaccessible, and a
 * SIGSEGV handler does with host_restore_state() and host_resume_unwind() what the engine does. A failing block prints its IR and its
 * number; BACKEND_TEST_FIRST and BACKEND_TEST_COUNT choose others.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include <arch/x86/vop_impl.h>
#include <dbt/guest.h>
#include <dbt/host.h>

#include "ir_reference.h"

#define STATE_SIZE   2048
#define STATE_OFF    512u /* CPU state of the test's own, beyond struct vcpu */
#define WINDOW_SIZE  (1ull << 32)
#define WINDOW_SLACK 0x10000
#define HOLE         0x00100000u /* accesses here fault */
#define HOLE_SIZE    0x00010000u
#define CODE_SIZE    (1u << 20)
#define PC           0x8000u

struct machine {
    union {
        struct vcpu v;
        uint8_t state[STATE_SIZE];
    };
    uint8_t *window, *shadow; /* guest memory of the translated code, of the reference */
    uint8_t *code;
    struct host_trampolines tramp;
    struct host_code out;
    struct jump_cache_entry jump_cache[JUMP_CACHE_SIZE];
    uint64_t itlb[ITLB_SIZE];
    bool align_raised;
    uint32_t align_va;
};

static struct machine m;

/* --- what the back end needs of the rest ------------------------------------------------------------------------------------ */

static bool in_reference; /* helpers are called by the reference as well */

/* What a C function may do to the vector registers. */
static void clobber_vectors(void)
{
    __asm__ volatile(
        "pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm3\n\tmovdqa %%xmm0, %%xmm8\n\tmovdqa %%xmm0, %%xmm9\n\tmovdqa %%xmm0, %%xmm10\n\t"
        "movdqa %%xmm0, %%xmm11\n\tmovdqa %%xmm0, %%xmm12\n\tmovdqa %%xmm0, %%xmm13\n\tmovdqa %%xmm0, %%xmm14\n\tmovdqa %%xmm0, %%xmm15"
        :
        :
        : "xmm0", "xmm3", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static bool hole(uint32_t va, unsigned size)
{
    return va < HOLE + HOLE_SIZE && (uint64_t)va + size > HOLE;
}

static _Noreturn void raise_abort(struct vcpu *v)
{
    v->exit_reason = VCPU_EXIT_RAISED;
    host_unwind(v);
}

uint64_t guest_mem_read(struct vcpu *v, uint32_t va, uint32_t flags)
{
    unsigned size = flags & IR_MEM_SIZE;
    uint64_t r = 0;

    clobber_vectors();
    if (hole(va, size))
        raise_abort(v);
    memcpy(&r, m.window + va, size);
    return flags & IR_MEM_BE ? ref_swap(r, size) : r;
}

void guest_mem_write(struct vcpu *v, uint32_t va, uint64_t value, uint32_t flags)
{
    unsigned size = flags & IR_MEM_SIZE;

    clobber_vectors();
    if (hole(va, size))
        raise_abort(v);
    if (flags & IR_MEM_BE)
        value = ref_swap(value, size);
    memcpy(m.window + va, &value, size);
}

void guest_raise_alignment(struct vcpu *v, uint32_t va, bool is_write)
{
    (void)v, (void)is_write;
    m.align_raised = true;
    m.align_va = va;
}

bool x86_vop_clobbers(const struct ir_insn *i)
{
    (void)i;
    return true;
}

bool x86_lower_vop(struct x86_emitter *e, const struct ir_insn *i)
{
    vop_load(e, 16, 3, i->a);
    x86_mov_ri(e, X86_RAX, 0); /* must be allowed */
    x86_mov_ri(e, X86_RCX, 0);
    x86_mov_ri(e, X86_RDX, 0);
    unsigned b = vop_operand(e, 16, 4, i->b);
    if (i->fn) { /* by the fix-up, always */
        x86_alu_rr(e, X86_XOR, 4, X86_RAX, X86_RAX);
        x86_vop_fixup(e, X86_E);
    }
    x86_v_rrr(e, X86_VPXOR, 3, 3, b);
    vop_store(e, 16, i->d, 3);
    return true;
}

static uint32_t vop_fixup(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    (void)a, (void)b, (void)imm2;
    uint8_t *state = cpu;
    uint32_t d = imm & 0x3ff, x = imm >> 10 & 0x3ff, y = imm >> 20 & 0x3ff;
    uint8_t r[16];

    clobber_vectors();
    for (unsigned n = 0; n < 16; n++)
        r[n] = state[x + n] ^ state[y + n];
    memcpy(state + d, r, 16);
    return 0;
}

static void on_segv(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    static const int reg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    struct host_fault_ctx ctx = {.rip = (uint64_t)g[REG_RIP], .rflags = (uint64_t)g[REG_EFL], .fault_addr = (uintptr_t)info->si_addr};
    const struct host_fault_point *p = NULL;

    (void)sig;
    for (unsigned k = 0; k < 16; k++)
        ctx.gpr[k] = (uint64_t)g[reg[k]];
    for (uint32_t k = 0; k < m.out.n_faults; k++)
        if ((uintptr_t)m.code + m.tramp.size + m.out.fault[k].code_off == ctx.rip)
            p = &m.out.fault[k];
    if (!p) {
        fprintf(stderr, "unexpected fault at %lx, address %lx\n", (unsigned long)ctx.rip, (unsigned long)ctx.fault_addr);
        _exit(3);
    }
    host_restore_state(&m.v, &ctx, p);
    m.v.exit_reason = VCPU_EXIT_RAISED;
    host_resume_unwind(&m.v, &m.tramp, (uintptr_t)m.code, &ctx);
    for (unsigned k = 0; k < 16; k++)
        g[reg[k]] = (greg_t)ctx.gpr[k];
    g[REG_RIP] = (greg_t)ctx.rip;
}

static uint8_t *map(uint64_t size, int prot)
{
    void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

/* cmocka puts its own handler in place before every test. */
static void catch_faults(void)
{
    static uint8_t alternate_stack[65536];
    stack_t ss = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
    struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaltstack(&ss, NULL);
    sigaction(SIGSEGV, &sa, NULL);
}

static int setup(void **state)
{
    (void)state;
    m.window = map(WINDOW_SIZE + WINDOW_SLACK, PROT_READ | PROT_WRITE);
    m.shadow = map(WINDOW_SIZE + WINDOW_SLACK, PROT_READ | PROT_WRITE);
    m.code = map(CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
    mprotect(m.window + HOLE, HOLE_SIZE, PROT_NONE);
    syscall(SYS_arch_prctl, ARCH_SET_GS, m.window);
    assert_true(host_write_trampolines(m.code, (uintptr_t)m.code, CODE_SIZE, &m.tramp) > 0);
    return 0;
}

static void patch(uint32_t at, uint64_t to)
{
    uint8_t *p = m.code + m.tramp.size + at;
    host_patch_jump(p, (uintptr_t)p, to);
}

static bool compile(const struct ir_block *b, uint32_t engine_flags)
{
    struct host_compile_opts opts = {.engine_flags = engine_flags, .host_features = ~0u, .first_exit_id = 1000};
    uint8_t *at = m.code + m.tramp.size;

    if (host_compile(b, &m.tramp, (uintptr_t)m.code, at, (uintptr_t)at, CODE_SIZE - m.tramp.size, &opts, &m.out) != 0)
        return false;
    for (uint32_t k = 0; k < m.out.n_exits; k++) { /* as the dispatcher gets them: unlinked */
        const struct host_exit *x = &m.out.exit[k];
        patch(x->patch, (uintptr_t)at + x->stub);
        if (x->guard)
            host_patch_guard(at + x->guard, UINT64_MAX);
    }
    return true;
}

static uint32_t run(void)
{
    return host_enter(&m.v, &m.tramp, (uintptr_t)m.code, (uintptr_t)m.code + m.tramp.size);
}

static void print_code(void)
{
    const uint8_t *at = m.code + m.tramp.size;
    ZydisDisassembledInstruction d;

    for (uint32_t off = 0; off < m.out.size; off += d.info.length) {
        if (!ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, (uintptr_t)at + off, at + off, m.out.size - off, &d))) {
            print_message("  %4x ?\n", off);
            break;
        }
        print_message("  %4x %s\n", off, d.text);
    }
}

static void print_block(const struct ir_block *b)
{
    char line[200];

    for (uint32_t k = 0; k < b->n; k++) {
        ir_print(&b->insn[k], line, sizeof(line));
        print_message("%3u %s (exit_live %x)\n", k, line, b->exit_live[k]);
    }
    print_code();
}

/* --- random blocks --------------------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t rnd(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t x = (uint32_t)(seed >> 33);
    return x ^ x >> 15;
}

static uint32_t below(uint32_t n)
{
    return (rnd() >> 3) % n;
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

static uint32_t interesting(void)
{
    static const uint32_t v[] = {0,    1,     2,      31,     32,     33,         63,         64,         65,         0x7f,      0x80,
                                 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    return one_in(2) ? v[below(ARRAY_LEN(v))] : rnd() << 3 ^ rnd();
}

struct gen {
    struct ir_block *b;
    uint16_t temp[12];
    unsigned n_temps;
};

static uint16_t any_value(const struct gen *g)
{
    if (g->n_temps && one_in(3))
        return g->temp[below(g->n_temps)];
    return (uint16_t)below(IR_GLOBALS);
}

/* A destination: a global, a temporary that exists, or a new one (added to the pool by the caller's commit). */
static uint16_t any_dest(struct gen *g, uint16_t *fresh)
{
    if (g->n_temps < ARRAY_LEN(g->temp) && *fresh == IR_NONE && one_in(4)) {
        *fresh = ir_temp(g->b);
        return *fresh;
    }
    return any_value(g);
}

static void commit(struct gen *g, uint16_t fresh)
{
    if (fresh != IR_NONE)
        g->temp[g->n_temps++] = fresh;
}

static void random_flex(struct gen *g, struct ir_insn *i)
{
    if (one_in(3)) {
        i->imm = interesting();
        return;
    }
    i->b = any_value(g);
    if (one_in(2))
        return;
    i->shift = (uint8_t)below(5);
    i->shamt = (uint8_t)(i->shift == IR_RRX ? 1 : i->shift == IR_LSR || i->shift == IR_ASR ? 1 + below(32) : 1 + below(31));
    if (one_in(3) && i->shift == IR_LSL)
        i->shamt = (uint8_t)(1 + below(4));
}

static uint32_t test_pure(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    (void)cpu;
    clobber_vectors();
    return a * 3 + (b ^ imm) - imm2;
}

static uint32_t test_flags(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    (void)b, (void)imm2;
    clobber_vectors();
    uint32_t old = v->nf | v->zf << 1 | v->cf << 2 | v->vf << 3;
    if (imm & 1)
        v->cf = a & 1;
    if (imm & 2)
        v->nf = v->vf = a >> 1 & 1;
    return old;
}

static uint32_t test_registers(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    (void)imm2;
    clobber_vectors();
    v->gpr[imm % 15] += a ^ b;
    return v->gpr[(imm >> 4) % 15];
}

static uint32_t test_raise(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;
    uint32_t r = v->gpr[3] + v->pc + v->restart + (v->nf | v->zf << 1 | v->cf << 2 | v->vf << 3) + b;
    v->gpr[11] += imm2;
    clobber_vectors();
    if ((a & 7) == imm % 8) {
        if (!in_reference)
            host_unwind(v);
        v->exit_reason = VCPU_EXIT_RAISED;
    }
    return r;
}

static uint32_t test_trap(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2)
{
    struct vcpu *v = cpu;

    v->gpr[imm % 15] += a + b + imm2 + (v->nf | v->zf << 1 | v->cf << 2 | v->vf << 3);
    if (!in_reference)
        host_unwind(v);
    v->exit_reason = VCPU_EXIT_RAISED;
    return 0;
}

static void random_address(struct gen *g, struct ir_insn *i)
{
    i->a = one_in(20) ? IR_NONE : any_value(g);
    i->b = one_in(2) ? IR_NONE : any_value(g);
    i->shamt = (uint8_t)(i->b == IR_NONE ? 0 : below(4));
    i->imm = one_in(2) ? 0 : one_in(2) ? below(4096) - 2048 : interesting();
}

/* An address that is likely to be in the hole, or aligned, or on the exclusive monitor's address: through a temporary. */
static void pointed_address(struct gen *g, struct ir_insn *i, uint32_t va)
{
    (void)g;
    i->a = i->b = IR_NONE;
    i->shamt = 0;
    i->imm = va;
}

static uint32_t state_off(unsigned align)
{
    return STATE_OFF + below((one_in(2) ? 80 : 256) / align) * align;
}

static struct ir_insn *add(struct gen *g, unsigned op)
{
    return ir_emit(g->b, (enum ir_op)op);
}

static void random_memory(struct gen *g)
{
    static const uint8_t size_of[] = {1, 2, 4}, vector_size[] = {4, 8, 16}, excl_size[] = {1, 2, 4, 8};
    uint16_t fresh = IR_NONE;
    unsigned what = below(12);
    uint16_t slow = one_in(5) ? IR_MEM_SLOW : 0;
    uint16_t big = one_in(4) ? IR_MEM_BE : 0;

    if (what < 6) {
        struct ir_insn i = {.op = what < 3 ? IR_OP_LD : IR_OP_ST, .d2 = IR_NONE};
        random_address(g, &i);
        i.mem = size_of[below(3)] | slow | big | (what < 3 && one_in(3) ? IR_MEM_SIGNED : 0);
        if (one_in(12))
            pointed_address(g, &i, HOLE - 4 + below(HOLE_SIZE));
        i.d = what < 3 ? any_dest(g, &fresh) : any_value(g);
        *add(g, i.op) = i;
    } else if (what < 8) {
        struct ir_insn i = {.op = what == 6 ? IR_OP_LDV : IR_OP_STV, .d = IR_NONE, .d2 = IR_NONE};
        random_address(g, &i);
        if (one_in(12)) /* not across the edge: how much of it is done then is not defined */
            pointed_address(g, &i, HOLE + below(HOLE_SIZE - 16));
        i.mem = vector_size[below(3)] | slow | big;
        i.imm2 = state_off(4);
        *add(g, i.op) = i;
    } else if (what == 8) {
        struct ir_insn *i = add(g, IR_OP_ALIGN);
        i->a = one_in(10) ? IR_NONE : any_value(g);
        i->imm = one_in(2) ? 0 : below(64);
        i->imm2 = (1u << below(4)) - 1;
        if (i->imm2 > 3 || !one_in(8))
            i->imm2 &= 1;
        i->imm2 |= one_in(2) ? BIT(31) : 0;
    } else {
        unsigned size = excl_size[below(4)];
        uint16_t at = any_value(g), d = any_dest(g, &fresh), d2 = any_value(g);
        if (one_in(2)) { /* a place of its own, aligned, so that a store finds what the load saw */
            struct ir_insn *p = add(g, IR_OP_MOV);
            p->d = at;
            p->imm = one_in(20) ? HOLE + 64 : 0x2000 + below(4) * 8;
        } else {
            struct ir_insn *p = add(g, IR_OP_BIC);
            p->d = p->a = at;
            p->imm = 7;
        }
        while (d2 == d)
            d2 = (uint16_t)below(IR_GLOBALS);
        struct ir_insn *i = add(g, one_in(2) ? IR_OP_LDX : IR_OP_STX);
        i->a = at;
        i->d = d;
        i->mem = (uint16_t)size | slow | big;
        if (i->op == IR_OP_STX)
            i->b = any_value(g);
        if (i->op == IR_OP_STX && fresh == IR_NONE && i->d == at)
            i->d = (uint16_t)((at + 1) % IR_GLOBALS);
        if (i->op == IR_OP_STX || size == 8)
            i->d2 = d2;
        if (i->op == IR_OP_LDX && i->d2 == i->d)
            i->d2 = (uint16_t)((i->d + 1) % IR_GLOBALS);
        if (i->op == IR_OP_STX && size != 8)
            i->d2 = IR_NONE;
    }
    commit(g, fresh);
}

static void random_call(struct gen *g)
{
    static const struct {
        ir_helper fn;
        uint16_t mem;
    } helper[] = {{test_pure, 0},
                  {test_flags, IR_CALL_RFLAGS | IR_CALL_WFLAGS},
                  {test_registers, IR_CALL_GPR},
                  {test_raise, IR_CALL_RAISE | IR_CALL_GPR}};
    uint16_t fresh = IR_NONE, a = one_in(4) ? IR_NONE : any_value(g), b = one_in(4) ? IR_NONE : any_value(g);
    struct ir_insn *i = add(g, IR_OP_CALL);
    unsigned h = below(ARRAY_LEN(helper));

    i->fn = helper[h].fn;
    i->mem = helper[h].mem;
    i->a = a;
    i->b = b;
    i->imm = interesting();
    i->imm2 = interesting();
    i->d = one_in(4) ? IR_NONE : any_dest(g, &fresh);
    commit(g, fresh);
}

static void random_state(struct gen *g)
{
    static const uint8_t size_of[] = {1, 2, 4};
    uint16_t fresh = IR_NONE;
    uint16_t v = any_value(g);

    switch (below(6)) {
    case 0: {
        struct ir_insn *i = add(g, IR_OP_LDE);
        i->imm = state_off(4);
        i->mem = size_of[below(3)];
        i->d = any_dest(g, &fresh);
        break;
    }
    case 1: {
        struct ir_insn *i = add(g, IR_OP_STE);
        i->imm = state_off(4);
        i->mem = size_of[below(3)];
        if (one_in(2))
            i->a = v;
        else
            i->imm2 = interesting();
        break;
    }
    case 2: { /* LDF wants bytes that are 0 or 1 */
        uint32_t off = state_off(4);
        struct ir_insn *i = add(g, IR_OP_AND);
        uint16_t t = ir_temp(g->b);
        i->d = t;
        i->a = v;
        i->imm = 0x01010101;
        i = add(g, IR_OP_STE);
        i->imm = off;
        i->mem = 4;
        i->a = t;
        i = add(g, IR_OP_LDF);
        i->imm = off;
        i->fset = IR_NZCV;
        break;
    }
    default: { /* few places, so that one meets another's result */
        struct ir_insn *i = add(g, IR_OP_VOP);
        i->d = (uint16_t)(STATE_OFF + 16 * below(5));
        i->a = (uint16_t)(STATE_OFF + 16 * below(5));
        i->b = (uint16_t)(STATE_OFF + 16 * below(5));
        i->mem = 16;
        if (one_in(2)) {
            i->fn = vop_fixup;
            i->imm = i->d | (uint32_t)i->a << 10 | (uint32_t)i->b << 20;
        }
        break;
    }
    }
    commit(g, fresh);
}

static uint8_t random_fset(unsigned op, const struct ir_insn *i)
{
    if (one_in(2))
        return 0;
    uint8_t f = one_in(2) ? IR_NZCV : (uint8_t)below(16);
    if (op >= IR_OP_ADD && op <= IR_OP_RSC)
        return f;
    if (op >= IR_OP_AND && op <= IR_OP_MVN)
        return f & (i->b == IR_NONE || i->shamt || i->shift == IR_RRX ? IR_NZC : IR_NZ);
    if (op >= IR_OP_LSLR && op <= IR_OP_RORR)
        return f & IR_NZC;
    if (op >= IR_OP_MUL && op <= IR_OP_SMLAL)
        return f & IR_NZ;
    return 0;
}

static void random_compute(struct gen *g)
{
    unsigned op = IR_OP_ADD + below(IR_OP_SETF - IR_OP_ADD + 1);
    struct ir_insn i = {.op = (uint8_t)op, .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE};
    uint16_t fresh = IR_NONE;

    if (op <= IR_OP_ORN || (op >= IR_OP_LSLR && op <= IR_OP_REVSH) || op == IR_OP_UBFX || op == IR_OP_SBFX || op == IR_OP_BFI ||
        op == IR_OP_SEL)
        i.a = any_value(g);
    if ((op >= IR_OP_ADD && op <= IR_OP_MVN) || op == IR_OP_SETF)
        random_flex(g, &i);
    if (op >= IR_OP_UXTB && op <= IR_OP_SXTH) {
        i.b = any_value(g);
        if (one_in(2)) {
            i.shift = IR_ROR;
            i.shamt = (uint8_t)(8 + 8 * below(3));
        } else if (one_in(3)) {
            i.b = IR_NONE;
            random_flex(g, &i);
        }
    }
    if (op >= IR_OP_LSLR && op <= IR_OP_SDIV)
        i.b = any_value(g);
    if (op >= IR_OP_LSLR && op <= IR_OP_RORR && one_in(2)) { /* a small amount */
        struct ir_insn *p = add(g, IR_OP_AND);
        p->d = p->a = i.b;
        p->imm = 63;
    }
    if (op >= IR_OP_UBFX && op <= IR_OP_BFI) {
        i.imm = below(32);
        i.imm2 = 1 + below(32 - i.imm);
        if (one_in(3)) {
            i.imm = below(3) * 8;
            i.imm2 = 8;
        }
    }
    if (op == IR_OP_SEL) {
        i.cc = (uint8_t)below(15);
        if (one_in(2))
            i.b = any_value(g);
        else
            i.imm = interesting();
    }
    i.fset = random_fset(op, &i);
    if (op == IR_OP_SETF)
        i.fset = (uint8_t)below(16);
    if (op == IR_OP_BFI || op == IR_OP_UMLAL || op == IR_OP_SMLAL)
        i.d = any_value(g);
    else if (op != IR_OP_SETF && !(op <= IR_OP_MVN && one_in(6)))
        i.d = any_dest(g, &fresh);
    if (op >= IR_OP_UMULL && op <= IR_OP_SMLAL)
        do {
            i.d2 = any_value(g);
        } while (i.d2 == i.d);
    *add(g, op) = i;
    commit(g, fresh);
}

static void random_exit_cc(struct gen *g)
{
    unsigned which = below(4);
    uint16_t a = any_value(g);
    struct ir_insn *i = add(g, which < 2 ? IR_OP_EXIT_CC : which == 2 ? IR_OP_EXIT_Z : IR_OP_EXIT_NZ);

    if (which < 2)
        i->cc = (uint8_t)below(14);
    else
        i->a = a;
    i->imm = one_in(3) ? PC - below(0x100) * 4 : PC + below(0x1800);
    g->b->exit_live[g->b->n - 1] = one_in(2) ? IR_NZCV : (uint8_t)below(16);
}

static void random_ops(struct gen *g, unsigned n, unsigned depth);

static void random_guest_insn(struct gen *g)
{
    struct ir_insn *i = add(g, IR_OP_INSN);

    i->imm = PC + g->b->n_guest++ * 4 + (rnd() & 1) + (one_in(4) ? 0xc0000000u : 0);
    i->imm2 = one_in(2) ? 0 : below(256);
}

/* A trap under a condition, perhaps on CPU state. */
static void random_trap(struct gen *g)
{
    uint16_t label = ir_label(g->b), a = any_value(g);
    struct ir_insn *i;

    if (one_in(2)) {
        uint32_t off = state_off(4);
        i = add(g, IR_OP_STE);
        i->imm = off;
        i->mem = 4;
        i->imm2 = one_in(2) ? 0 : 0x100;
        i = add(g, IR_OP_LDE);
        i->imm = off;
        i->mem = one_in(2) ? 2 : 1;
        a = i->d = ir_temp(g->b);
    }
    i = add(g, one_in(3) ? IR_OP_BRCC : one_in(2) ? IR_OP_BRZ : IR_OP_BRNZ);
    i->imm = label;
    if (i->op == IR_OP_BRCC)
        i->cc = (uint8_t)below(14);
    else
        i->a = a;
    i = add(g, IR_OP_CALL);
    i->fn = test_trap;
    i->mem = IR_CALL_RAISE | IR_CALL_NORETURN | IR_CALL_GPR;
    i->imm = below(100);
    i->imm2 = interesting();
    if (one_in(3))
        i->a = (uint16_t)below(IR_GLOBALS);
    add(g, IR_OP_LABEL)->imm = label;
}

/* Starts a guest instruction on either path and behind, as the front end does: an access belongs to the INSN before it in the text. */
static void random_region(struct gen *g, unsigned depth)
{
    unsigned which = below(5), keep = g->n_temps;
    uint16_t label = ir_label(g->b), a = any_value(g), saved[12];
    struct ir_insn *i = add(g, which < 3 ? IR_OP_BRCC : which == 3 ? IR_OP_BRZ : IR_OP_BRNZ);

    memcpy(saved, g->temp, sizeof(saved));
    if (which < 3)
        i->cc = (uint8_t)below(15);
    else
        i->a = a;
    i->imm = label;
    random_ops(g, 1 + below(one_in(4) ? 12 : 3), depth + 1);
    if (one_in(4)) { /* if .. else */
        uint16_t end = ir_label(g->b);
        add(g, IR_OP_BR)->imm = end;
        add(g, IR_OP_LABEL)->imm = label;
        g->n_temps = keep;
        memcpy(g->temp, saved, sizeof(saved));
        random_guest_insn(g);
        random_ops(g, 1 + below(4), depth + 1);
        label = end;
    } else if (one_in(8)) { /* the region leaves */
        struct ir_insn *x = add(g, IR_OP_EXIT);
        x->imm = PC + 0x100;
        g->b->exit_live[g->b->n - 1] = (uint8_t)below(16);
    }
    add(g, IR_OP_LABEL)->imm = label;
    g->n_temps = keep;
    memcpy(g->temp, saved, sizeof(saved));
    random_guest_insn(g);
}

static void random_ops(struct gen *g, unsigned n, unsigned depth)
{
    for (unsigned k = 0; k < n; k++) {
        if (one_in(2))
            random_guest_insn(g);
        unsigned what = below(22);
        if (what >= 20)
            random_state(g);
        else if (what < 12)
            random_compute(g);
        else if (what < 15)
            random_memory(g);
        else if (what == 15)
            random_state(g);
        else if (what == 16 && one_in(3))
            random_trap(g);
        else if (what == 16)
            random_call(g);
        else if (what < 19 && depth < 3)
            random_region(g, depth);
        else if (g->b->n < 300)
            random_exit_cc(g);
    }
}

static void random_block(struct ir_block *b)
{
    struct gen g = {.b = b};
    uint16_t a;

    b->n = b->n_temps = b->n_labels = 0;
    b->n_guest = 0;
    b->pc = PC;
    b->flags = 0x15;
    b->live_out = IR_NZCV;
    random_guest_insn(&g);
    random_ops(&g, 2 + below(24), 0);
    a = any_value(&g);
    struct ir_insn *i = add(&g, one_in(4) ? IR_OP_EXIT_IND : one_in(8) ? IR_OP_EXIT_LOOKUP : IR_OP_EXIT);
    if (i->op == IR_OP_EXIT_IND)
        i->a = a;
    else
        i->imm = PC + below(0x2000) - 0x800;
    b->exit_live[b->n - 1] = one_in(2) ? IR_NZCV : (uint8_t)below(16);
}

/* --- comparing ----------------------------------------------------------------------------------------------------------------------- */

static void start_state(struct ref_state *s)
{
    memset(&m.v, 0, sizeof(m.v));
    for (unsigned k = 0; k < IR_GLOBALS; k++)
        m.v.gpr[k] = interesting();
    for (unsigned k = 0; k < 256 + 16; k++)
        m.state[STATE_OFF + k] = (uint8_t)rnd();
    m.v.nf = rnd() & 1, m.v.zf = rnd() & 1, m.v.cf = rnd() & 1, m.v.vf = rnd() & 1;
    m.v.excl_addr = one_in(2) ? UINT32_MAX : 0x2000;
    m.v.jump_cache = m.jump_cache;
    m.v.itlb = m.itlb;
    m.v.insn_budget = 1000000;
    m.v.poll = one_in(4);
    memset(m.jump_cache, 0xff, sizeof(m.jump_cache));
    m.align_raised = false;

    memset(s, 0, sizeof(*s));
    memcpy(s->value, m.v.gpr, 4 * IR_GLOBALS);
    s->n = m.v.nf, s->z = m.v.zf, s->c = m.v.cf, s->v = m.v.vf;
    memcpy(s->state, m.state, sizeof(m.state));
    s->excl_addr = m.v.excl_addr;
    s->excl_value = m.v.excl_value;
    s->window = m.shadow;
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
    if (((flags & IR_N) && m.v.nf != s->n) || ((flags & IR_Z) && m.v.zf != s->z) || ((flags & IR_C) && m.v.cf != s->c) ||
        ((flags & IR_V) && m.v.vf != s->v)) {
        snprintf(text, sizeof(text), "flags nzcv %u%u%u%u, should be %u%u%u%u (of which wanted: %x)", m.v.nf, m.v.zf, m.v.cf, m.v.vf, s->n,
                 s->z, s->c, s->v, flags);
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
    return true;
}

static void forget_memory(void)
{
    madvise(m.window, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
    madvise(m.shadow, WINDOW_SIZE + WINDOW_SLACK, MADV_DONTNEED);
}

static bool same_leaving(const struct ir_block *b, const struct ref_state *s, enum ref_end end, uint32_t reason, bool chain)
{
    static char text[128];
    bool backward = (s->target & ~1u) <= (s->pc & ~1u);
    uint32_t want = end == REF_EXIT       ? (!chain                 ? VCPU_EXIT_LOOKUP
                                             : backward && m.v.poll ? VCPU_EXIT_POLL
                                                                    : VCPU_EXIT_LINK)
                    : end == REF_INDIRECT ? (chain && m.v.poll ? VCPU_EXIT_POLL : VCPU_EXIT_INDIRECT)
                    : end == REF_LOOKUP   ? VCPU_EXIT_LOOKUP
                                          : VCPU_EXIT_RAISED;
    uint32_t pc = end == REF_FAULT || end == REF_ALIGN || end == REF_RAISED ? s->pc : s->target;

    (void)b;
    if (reason != want || m.v.pc != pc) {
        snprintf(text, sizeof(text), "left with reason %u at %08x, should be %u at %08x", reason, m.v.pc, want, pc);
        difference = text;
        return false;
    }
    if (reason == VCPU_EXIT_LINK && m.out.exit[m.v.exit_id - 1000].target != pc) {
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

static void test_random_blocks(void **state)
{
    static struct ir_block b;
    unsigned first = from_environment("BACKEND_TEST_FIRST", 0), count = from_environment("BACKEND_TEST_COUNT", 60000);
    static const uint32_t engine_flags[] = {0, 0, ENGINE_COUNT_INSNS, ENGINE_NO_CHAIN};

    (void)state;
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
    assert_int_equal(m.v.zf, 1);
    /* unlinked again, it comes back at once */
    patch(m.out.exit[0].patch, block_address() + m.out.exit[0].stub);
    m.v.gpr[0] = 5;
    assert_int_equal(run(), VCPU_EXIT_LINK);
    assert_int_equal(m.v.exit_id, 1000);
    assert_int_equal(m.v.gpr[0], 4);
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
    unsigned entry = (target >> 12) & (ITLB_SIZE - 1);

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
        cmocka_unit_test(test_linked_loop), cmocka_unit_test(test_poll),          cmocka_unit_test(test_budget),
        cmocka_unit_test(test_guard), cmocka_unit_test(test_guard_at_start),       cmocka_unit_test(test_jump_cache),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_spilling),    cmocka_unit_test(test_random_blocks),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
