/*
 * x86_machine.h: a vcpu with a 4 GiB window on which blocks of IR are compiled and run, for x86_backend_test.c.
 *
 * Part of the window is inaccessible, or only through vcpu.alias and the software TLB; a SIGSEGV handler does with host_restore_state() and host_resume_unwind()
 * what the engine does. What the back end needs of the rest of the engine (slow accesses, a vector operation) is here too, in the simplest
 * form.
 */
#ifndef TESTS_X86_MACHINE_H
#define TESTS_X86_MACHINE_H

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
#define STATE_OFF    ((uint32_t)sizeof(struct vcpu)) /* CPU state of the test's own, beyond that */
#define WINDOW_SIZE  (1ull << 32)
#define WINDOW_SLACK 0x10000
#define HOLE         0x00100000u /* accesses here fault */
#define HOLE_SIZE    0x00010000u
#define ALIASES      HOLE /* odd pages of the hole are there for IR_MEM_ALIAS and IR_MEM_SOFT */
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
    uint64_t alias[VCPU_ALIAS_SLOTS];
    struct soft_tlb_entry soft_tlb[SOFT_TLB_SIZE];
    unsigned soft_misses;
    bool pic; /* compile position-independent code */
    uint8_t *behind; /* the hole's memory */
    bool align_raised;
    uint32_t align_va;
};

static struct machine m;

/* --- what the back end needs of the rest ------------------------------------------------------------------------------------ */

static bool in_reference; /* helpers are called by the reference as well */

/* What a C function may do to the vector registers. */
static void clobber_vectors(void)
{
#define ALL(x)  x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define ONES(n) "pcmpeqd %%xmm" #n ", %%xmm" #n "\n\t"
    __asm__ volatile(ALL(ONES)::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                           "xmm13", "xmm14", "xmm15");
}

static bool hole(uint32_t va, unsigned size, uint32_t mem)
{
    bool aliased = mem & (IR_MEM_ALIAS | IR_MEM_SOFT) && !(mem & IR_MEM_SLOW) && va >> 12 & 1 && va >> 12 == (va + size - 1) >> 12;
    return va < HOLE + HOLE_SIZE && (uint64_t)va + size > HOLE && !aliased;
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
    if (hole(va, size, 0))
        raise_abort(v);
    memcpy(&r, m.window + va, size);
    return flags & IR_MEM_BE ? ref_swap(r, size) : r;
}

void guest_mem_write(struct vcpu *v, uint32_t va, uint64_t value, uint32_t flags)
{
    unsigned size = flags & IR_MEM_SIZE;

    clobber_vectors();
    if (hole(va, size, 0))
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
    struct host_fault_ctx ctx = {.rip = (uint64_t)g[REG_RIP],
                                 .rflags = (uint64_t)g[REG_EFL],
                                 .fault_addr = (uintptr_t)info->si_addr,
                                 .vector = (const uint8_t *)uc->uc_mcontext.fpregs->_xmm};
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

static void soft_tlb_empty(void)
{
    for (uint32_t i = 0; i < SOFT_TLB_SIZE; i++)
        m.soft_tlb[i].read = m.soft_tlb[i].write = soft_tlb_none(i);
}

/* What softtlb.c does, without a guest's tables: raise, have the access made in the window, or say where it is to be made. */
static void soft_miss(struct engine *e, struct host_fault_ctx *ctx)
{
    const struct host_fault_point *p = m.out.fault;
    uint32_t va = m.v.soft_va, page = va & ~0xfffu, n = ++m.soft_misses;
    struct soft_tlb_entry *s = &m.soft_tlb[soft_tlb_index(va)];
    bool in_hole = va - HOLE < HOLE_SIZE;

    (void)e;
    clobber_vectors();
    while ((uintptr_t)m.code + m.tramp.size + p->code_off != ctx->rip)
        p++;
    if (m.v.soft_hits < 0)
        m.v.soft_hits = (int32_t)(n % 4);
    if (hole(va, p->bytes, IR_MEM_SOFT) && va % 4096 + p->bytes <= 4096) {
        host_restore_state(&m.v, ctx, p);
        m.v.exit_reason = VCPU_EXIT_RAISED;
        host_resume_unwind(&m.v, &m.tramp, (uintptr_t)m.code, ctx);
        return;
    }
    if (va % 4096 + p->bytes > 4096 || (n % 5 == 0 && !in_hole)) {
        ctx->rip += (uint64_t)p->ordinary - p->code_off;
        return;
    }
    s->read = page;
    s->write = n % 3 ? page : soft_tlb_none(soft_tlb_index(va));
    s->host = in_hole ? (uintptr_t)m.behind + (page - HOLE) : (uintptr_t)m.window + page;
    m.v.soft_host = s->host + va % 4096;
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
    m.behind = map(HOLE_SIZE, PROT_READ | PROT_WRITE);
    for (unsigned k = 1; k < HOLE_SIZE >> 12; k += 2)
        m.alias[k] = (uintptr_t)m.behind - ALIASES;
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
    struct host_compile_opts opts = {.engine_flags = engine_flags, .first_exit_id = 1000, .alias_start = ALIASES, .pic = m.pic};
    uint8_t *at = m.code + m.tramp.size;

    if (host_compile(b, &m.tramp, (uintptr_t)m.code, at, (uintptr_t)at, CODE_SIZE - m.tramp.size, &opts, &m.out) != 0)
        return false;
    for (uint32_t k = 0; k < m.out.n_exits; k++) { /* as the dispatcher gets them: unlinked */
        const struct host_exit *x = &m.out.exit[k];
        patch(x->patch, (uintptr_t)at + x->stub);
        if (x->guard && m.pic)
            host_patch_pic_guard(at + x->guard, HOST_PIC_GUARD_NONE);
        else if (x->guard)
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

#endif
