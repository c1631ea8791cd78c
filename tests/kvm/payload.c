/*
 * payload.c: an engine that only tests the ground engines stand on: windows, faults, flushes, deaths.
 *
 * Linked with the execution kernel's base instead of the translator, it runs in the VM. A failed check ends the VM with STOP_PANIC and a
 * sentence; a case that returns ends it with STOP_POWER_OFF. RAM word i holds the value i (written by the host).
 */
#include "payload.h"
#include <dbt/engine.h>
#include <guest-kernel/kernel.h>

#define CHECK(c)                                                                                                                           \
    do {                                                                                                                                   \
        if (!(c))                                                                                                                          \
            kernel_die("check failed: %s, line %u", #c, __LINE__);                                                                         \
    } while (0)
#define MIB (1u << 20)

struct engine {
    struct vcpu v;
};

static struct engine the_engine;
static struct platform *plat;

/* --- accesses as translated code makes them; 0, or 1 when the access faulted and the fault was skipped --- */

int probe_read(uint32_t va, uint32_t *value);
int probe_write(uint32_t va, uint32_t value);
extern const char probe_read_insn[], probe_write_insn[], probe_fail[];
__asm__(".text\n"
        "probe_read: mov %edi, %eax\n"
        "probe_read_insn: addr32 movl %gs:(%eax), %ecx\n"
        "  mov %ecx, (%rsi)\n xor %eax, %eax\n ret\n"
        "probe_write: mov %edi, %eax\n"
        "probe_write_insn: addr32 movl %esi, %gs:(%eax)\n"
        "  xor %eax, %eax\n ret\n"
        "probe_fail: mov $1, %eax\n ret\n");

static enum { FAULT_SKIP, FAULT_MAP, FAULT_REFUSE, FAULT_CRASH } fault_mode;
static unsigned fault_count;
static struct host_fault_ctx last_fault;

static uint32_t word_at(uint64_t ram_off)
{
    return (uint32_t)(ram_off / 4);
}

/* --- the engine's interface --- */

uint64_t engine_heap_size(const struct engine_config *c, uint64_t ram_size)
{
    (void)c, (void)ram_size;
    return MIB;
}

struct engine *engine_create(struct vm_shared *s, struct platform *p)
{
    plat = p;
    the_engine.v.shared = s;
    s->poll_va = (uintptr_t)&the_engine.v.poll;
    return &the_engine;
}

struct vcpu *engine_vcpu(struct engine *e)
{
    return &e->v;
}

int engine_describe(const struct engine *e, char *buf, int cap)
{
    return fmt_text(buf, cap, "payload at pc %x", e->v.pc);
}

bool engine_fault(struct engine *e, struct host_fault_ctx *ctx)
{
    (void)e;
    fault_count++;
    last_fault = *ctx;
    uint32_t va = (uint32_t)(ctx->fault_addr % VM_WINDOW_STRIDE);
    unsigned window = (unsigned)((ctx->fault_addr - VM_WINDOW_BASE) / VM_WINDOW_STRIDE);

    switch (fault_mode) {
    case FAULT_SKIP:
        if (ctx->rip == (uintptr_t)probe_read_insn || ctx->rip == (uintptr_t)probe_write_insn) {
            ctx->rip = (uintptr_t)probe_fail;
            return true;
        }
        return false;
    case FAULT_MAP:
        /* clobber what a handler may: the interrupted code must not see it */
        __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15" ::: "xmm0", "xmm7", "xmm15");
        plat_map(plat, window, va & ~4095u, 4096, va & (TEST_RAM - 1) & ~4095u, PLAT_R | PLAT_W);
        return true;
    case FAULT_CRASH:
        return *(volatile uint32_t *)(uintptr_t)(VM_WINDOW_BASE + 64) != 0;
    default:
        return false;
    }
}

/* --- cases --- */

static void case_start(void)
{
    uint64_t sp, base;
    uint32_t mxcsr, eax = 0x80, ecx = 0x1234, ones;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    CHECK(sp > VM_STACK && sp < VM_STACK + VM_STACK_SIZE);
    __asm__("stmxcsr %0" : "=m"(mxcsr));
    CHECK(mxcsr == 0x1f80);
    plat_set_window(plat, 3);
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK(base == plat_window_base(plat, 3));
    __asm__("popcnt %1, %0" : "=r"(ones) : "r"(eax));
    CHECK(ones == 1);
    uint64_t v;
    __asm__("vpcmpeqd %%ymm0, %%ymm0, %%ymm0; vpaddd %%ymm0, %%ymm0, %%ymm1; vextracti128 $1, %%ymm1, %%xmm1; vmovq %%xmm1, %0; vzeroupper"
            : "=r"(v)::"xmm0", "xmm1");
    CHECK(v == 0xfffffffefffffffe);
    __asm__("pext %1, %2, %0" : "=r"(ones) : "r"(0xff00), "r"(ecx));
    CHECK(ones == 0x12);
    /* an exit keeps everything */
    shared->req.type = HOST_REQ_TEXT;
    shared->req.text[0] = '\0';
    plat_host_call(plat);
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK(base == plat_window_base(plat, 3));
}

static void check_word(uint32_t va, uint64_t ram_off)
{
    uint32_t v = 0;

    CHECK(probe_read(va, &v) == 0);
    if (v != word_at(ram_off))
        kernel_die("window address %x shows RAM offset %x, not %lx", va, v * 4, (unsigned long)ram_off);
}

static void case_map(void)
{
    uint32_t v;

    plat_set_window(plat, 0);
    fault_mode = FAULT_SKIP;
    plat_map(plat, 0, 0xc0008000, 16 * 4096, 5 * 4096, PLAT_R | PLAT_W);
    plat_map(plat, 0, 0x00000000, 4096, 99 * 4096, PLAT_R);
    plat_map(plat, 0, 0xfffff000, 4096, 98 * 4096, PLAT_R | PLAT_W);
    for (uint32_t o = 0; o < 16 * 4096; o += 1020)
        check_word(0xc0008000 + o, 5 * 4096 + o);
    check_word(0, 99 * 4096);
    check_word(0xfffffffc, 98 * 4096 + 4092);
    CHECK(probe_read(0xc0007ffc, &v) == 1 && probe_read(0xc0018000, &v) == 1);
    CHECK(last_fault.fault_addr == plat_window_base(plat, 0) + 0xc0018000);
    CHECK(probe_write(0xc0008004, 0xabcd) == 0);
    CHECK(*(uint32_t *)(shared->ram_va + 5 * 4096 + 4) == 0xabcd);
    CHECK(probe_read(0xfffffffe, &v) == 1); /* the end of the window lies beyond 4 GiB, where nothing ever is */
    CHECK(last_fault.fault_addr == plat_window_base(plat, 0) + 0x100000000);
    CHECK(boot->gates_invlpg == 0 && boot->gates_cr3 == 0);
    plat_flush(plat);
    CHECK(boot->gates_invlpg == 0 && boot->gates_cr3 == 0); /* nothing was taken away */
}

/* Every register that a fault could lose, checked across a faulting access. */
uint64_t fault_registers(uint64_t *gpr, uint64_t *xmm, uint32_t va);
extern const char fault_registers_insn[];
__asm__(".text\n"
        "fault_registers: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  push %rdi; push %rsi\n"
        "  mov %edx, %eax\n"
        "  mov $0x1111111111111111, %rbx; mov $0x2222222222222222, %rcx; mov $0x3333333333333333, %rdx\n"
        "  mov $0x4444444444444444, %rbp; mov $0x5555555555555555, %rdi; mov $0x6666666666666666, %rsi\n"
        "  mov $0x8888888888888888, %r8; mov $0x9999999999999999, %r9; mov $0xaaaaaaaaaaaaaaaa, %r10\n"
        "  mov $0xbbbbbbbbbbbbbbbb, %r11; mov $0xcccccccccccccccc, %r12; mov $0xdddddddddddddddd, %r13\n"
        "  mov $0xeeeeeeeeeeeeeeee, %r14; mov $0x7777777777777777, %r15\n"
        "  movq %rbx, %xmm0; movq %rcx, %xmm7; movq %rdx, %xmm15\n"
        "  pushq $0x8d5; popfq\n" /* OF SF ZF AF PF CF: six flags no arithmetic leaves together */
        "fault_registers_insn: addr32 movl %ebx, %gs:4(%eax)\n"
        "  pushfq\n"
        "  push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8\n"
        "  push %rdi; push %rsi; push %rbp; push $0; push %rbx; push %rdx; push %rcx; push %rax\n"
        "  mov 16*8+8+8(%rsp), %rdi; mov 16*8+8(%rsp), %rsi\n"
        "  movq %xmm0, (%rsi); movq %xmm7, 8(%rsi); movq %xmm15, 16(%rsi)\n"
        "  mov %rsp, %rsi; mov $17, %ecx; rep movsq\n"
        "  add $17*8, %rsp\n"
        "  mov -8(%rdi), %rax\n"
        "  pop %rsi; pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n");

static void case_fault(void)
{
    uint64_t gpr[17], xmm[3];
    uint32_t mxcsr, custom = 0x9fc0; /* flush to zero, denormals are zero, all exceptions masked */
    static const uint64_t want[16] = {0x12340,
                                      0x2222222222222222,
                                      0x3333333333333333,
                                      0x1111111111111111,
                                      0,
                                      0x4444444444444444,
                                      0x6666666666666666,
                                      0x5555555555555555,
                                      0x8888888888888888,
                                      0x9999999999999999,
                                      0xaaaaaaaaaaaaaaaa,
                                      0xbbbbbbbbbbbbbbbb,
                                      0xcccccccccccccccc,
                                      0xdddddddddddddddd,
                                      0xeeeeeeeeeeeeeeee,
                                      0x7777777777777777};

    plat_set_window(plat, 5);
    fault_mode = FAULT_MAP;
    __asm__ volatile("ldmxcsr %0" : : "m"(custom));
    uint64_t flags = fault_registers(gpr, xmm, 0x12340);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    CHECK(mxcsr == custom);
    CHECK(fault_count == 1);
    CHECK(last_fault.rip == (uintptr_t)fault_registers_insn && last_fault.is_write == 1);
    CHECK(last_fault.fault_addr == plat_window_base(plat, 5) + 0x12344);
    CHECK((last_fault.rflags & 0x8d5) == 0x8d5 && (flags & 0xcd5) == 0x8d5);
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4)
            continue;
        if (last_fault.gpr[i] != want[i] || gpr[i] != want[i])
            kernel_die("register %u: in the context %lx, after the fault %lx", i, last_fault.gpr[i], gpr[i]);
    }
    CHECK(last_fault.gpr[4] > VM_STACK && last_fault.gpr[4] < VM_STACK_TOP);
    CHECK(xmm[0] == want[3] && xmm[1] == want[1] && xmm[2] == want[2]);
    CHECK(*(uint32_t *)(shared->ram_va + 0x12344) == 0x11111111);

    uint32_t v;
    CHECK(probe_read(0x7000, &v) == 0 && v == word_at(0x7000));
    CHECK(last_fault.is_write == 0 && fault_count == 2);
    CHECK(probe_read(0x7004, &v) == 0 && fault_count == 2);
}

static void case_protect(void)
{
    uint32_t v;

    plat_set_window(plat, 1);
    fault_mode = FAULT_SKIP;
    plat_map(plat, 1, 0x8000, 4 * 4096, 0, PLAT_R);
    CHECK(probe_read(0x8000, &v) == 0 && probe_write(0x8000, 1) == 1);
    CHECK(last_fault.is_write == 1);
    /* a right given needs no flush */
    plat_protect(plat, 1, 0x8000, 4096, 0, PLAT_R | PLAT_W);
    CHECK(probe_write(0x8000, 1) == 0 && probe_write(0x9000, 1) == 1);
    plat_flush(plat);
    CHECK(boot->gates_invlpg + boot->gates_cr3 == 0);
    /* a right taken does */
    plat_protect(plat, 1, 0x8000, 4096, 0, PLAT_R);
    plat_flush(plat);
    CHECK(boot->gates_invlpg == 1 && boot->gates_cr3 == 0);
    CHECK(probe_write(0x8000, 2) == 1 && probe_read(0x8000, &v) == 0 && v == 1);
    /* what is not mapped is not mapped by protecting it */
    plat_protect(plat, 1, 0x100000, 64 * 4096, 0, PLAT_R | PLAT_W);
    CHECK(probe_read(0x100000, &v) == 1);
    plat_protect(plat, 1, 0x7000, 8 * 4096, 0, PLAT_R | PLAT_W);
    CHECK(probe_read(0x7000, &v) == 1 && probe_write(0xb000, 7) == 0 && probe_read(0xc000, &v) == 1);
}

static void case_remap(void)
{
    plat_set_window(plat, 2);
    fault_mode = FAULT_SKIP;
    for (unsigned n = 1; n <= 64; n = n < 24 ? n + 1 : n + 8) {
        for (unsigned round = 0; round < 2; round++) {
            uint64_t off = (n * 64 + round * 1024) * 4096ull;
            plat_map(plat, 2, 0x40000000, n * 4096, off, PLAT_R);
            plat_flush(plat);
            for (unsigned i = 0; i < n; i++)
                check_word(0x40000000 + i * 4096, off + i * 4096);
        }
    }
    CHECK(boot->gates_invlpg != 0 && boot->gates_cr3 != 0);
}

static void case_unmap(void)
{
    uint32_t v;

    plat_set_window(plat, 1);
    fault_mode = FAULT_SKIP;
    plat_map(plat, 1, 0x10000, 64 * 4096, 0, PLAT_R | PLAT_W);
    for (unsigned i = 0; i < 64; i++)
        CHECK(probe_write(0x10000 + i * 4096, i) == 0);
    plat_unmap(plat, 1, 0x12000, 3 * 4096);
    plat_flush(plat);
    for (unsigned i = 0; i < 64; i++)
        CHECK(probe_read(0x10000 + i * 4096, &v) == (i >= 2 && i < 5));
    plat_unmap(plat, 1, 0, 1ull << 32);
    plat_flush(plat);
    for (unsigned i = 0; i < 64; i++)
        CHECK(probe_read(0x10000 + i * 4096, &v) == 1);

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 32; i++)
            plat_map(plat, 1, i * (128u << 20) + i * 4096, (i % 8 + 1) * 4096, i * MIB, PLAT_R);
        plat_map(plat, 1, 0x7c000000, 4 * MIB, 8 * MIB, PLAT_R);
        for (unsigned i = 0; i < 32; i++)
            check_word(i * (128u << 20) + i * 4096, i * MIB);
        check_word(0x7c200000, 10 * MIB);
        plat_unmap_window(plat, 1);
        plat_flush(plat);
        for (unsigned i = 0; i < 32; i++)
            CHECK(probe_read(i * (128u << 20) + i * 4096, &v) == 1);
        CHECK(probe_read(0x7c200000, &v) == 1);
    }
    uint64_t gates = boot->gates_cr3 + boot->gates_invlpg;
    plat_unmap_window(plat, 1); /* empty already */
    plat_flush(plat);
    CHECK(boot->gates_cr3 + boot->gates_invlpg == gates);
}

static void case_large(void)
{
    uint32_t v;

    plat_set_window(plat, 4);
    fault_mode = FAULT_SKIP;
    uint64_t tables = boot->pool_in_use;
    plat_map(plat, 4, 0xc0000000, 16 * MIB, 4 * MIB, PLAT_R | PLAT_W);
    CHECK(boot->pool_in_use == tables + 1); /* a directory, no leaf tables */
    for (uint32_t o = 0; o < 16 * MIB; o += 333 * 4)
        check_word(0xc0000000 + o, 4 * MIB + o);
    /* protect one page of one */
    plat_protect(plat, 4, 0xc0205000, 4096, 4 * MIB + 0x205000, PLAT_R);
    plat_flush(plat);
    CHECK(probe_write(0xc0205000, 0) == 1 && probe_write(0xc0204000, word_at(4 * MIB + 0x204000)) == 0);
    for (uint32_t o = 0x200000; o < 0x400000; o += 4096)
        check_word(0xc0000000 + o, 4 * MIB + o);
    /* unmap one page of one */
    plat_unmap(plat, 4, 0xc0407000, 4096);
    plat_flush(plat);
    CHECK(probe_read(0xc0407000, &v) == 1);
    check_word(0xc0406000, 4 * MIB + 0x406000);
    check_word(0xc0408000, 4 * MIB + 0x408000);
    /* small pages become a large one again */
    plat_map(plat, 4, 0xc0200000, 4 * MIB, 32 * MIB, PLAT_R);
    plat_flush(plat);
    for (uint32_t o = 0; o < 4 * MIB; o += 4096)
        check_word(0xc0200000 + o, 32 * MIB + o);
    CHECK(probe_write(0xc0205000, 0) == 1);
    /* whole large pages: rights, then nothing */
    plat_protect(plat, 4, 0xc0200000, 2 * MIB, 32 * MIB, PLAT_R | PLAT_W);
    CHECK(probe_write(0xc0205000, word_at(32 * MIB + 0x5000)) == 0);
    plat_protect(plat, 4, 0xc0200000, 2 * MIB, 32 * MIB, PLAT_R);
    plat_flush(plat);
    CHECK(probe_write(0xc0205000, 0) == 1);
    plat_unmap(plat, 4, 0xc0200000, 2 * MIB);
    plat_flush(plat);
    CHECK(probe_read(0xc0205000, &v) == 1);
    check_word(0xc0400000, 34 * MIB);
    /* alignment does not allow large pages: the offset, then the ends */
    plat_map(plat, 4, 0x10000000, 4 * MIB, 4096, PLAT_R);
    check_word(0x10000000, 4096);
    check_word(0x103ff000, 4 * MIB);
    plat_map(plat, 4, 0x200ff000, 6 * MIB, 0xff000, PLAT_R);
    for (uint32_t o = 0; o < 6 * MIB; o += 4096)
        check_word(0x200ff000 + o, 0xff000 + o);
    CHECK(probe_read(0x200fe000, &v) == 1 && probe_read(0x206ff000, &v) == 1);
}

static void case_windows(void)
{
    uint32_t v;

    fault_mode = FAULT_SKIP;
    for (unsigned w = 0; w < TEST_WINDOWS; w++)
        plat_map(plat, w, 0x5000, 4096, w * 4096, PLAT_R);
    for (unsigned w = 0; w < TEST_WINDOWS; w++) {
        plat_set_window(plat, w);
        check_word(0x5000, w * 4096);
        CHECK(probe_read(0x6000, &v) == 1);
    }
    plat_unmap_window(plat, 70);
    plat_flush(plat);
    for (unsigned w = 0; w < TEST_WINDOWS; w++) {
        plat_set_window(plat, w);
        CHECK(probe_read(0x5000, &v) == (w == 70));
    }
}

/* A page in every 2 MiB of window after window: more leaf tables than the pool has pages. */
static void case_pool(void)
{
    unsigned w, last = 0;

    for (w = 0; boot->pool_reclaims < 3; w++) {
        CHECK(w < TEST_WINDOWS);
        plat_set_window(plat, w);
        for (uint32_t i = 0; i < 2048; i++) {
            plat_map(plat, w, i << 21, 4096, ((i + w) % 4096) * 4096, PLAT_R);
            if (i % 97 == 0)
                check_word(i << 21, ((i + w) % 4096) * 4096);
        }
        last = w;
    }
    CHECK(boot->pool_in_use <= boot->pool_pages);
    for (uint32_t i = 0; i < 2048; i++) /* the current window was left alone */
        check_word(i << 21, ((i + last) % 4096) * 4096);
    fault_mode = FAULT_MAP; /* the oldest lost its pages, and gets them back as they are touched */
    fault_count = 0;
    plat_set_window(plat, 0);
    check_word(42u << 21, (42u << 21) & (TEST_RAM - 1));
    CHECK(fault_count == 1);
}

static uint32_t rnd(void)
{
    static uint64_t s = 0x9e3779b97f4a7c15;

    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return (uint32_t)(s >> 16);
}

#define MODEL_PAGES 1536u       /* three large pages */
#define MODEL_VA    0xbff00000u /* across a GiB boundary, not aligned to 2 MiB */

static void case_random(void)
{
    static struct {
        uint32_t page; /* of RAM */
        uint8_t rights;
    } model[2][MODEL_PAGES];

    fault_mode = FAULT_SKIP;
    for (unsigned step = 0; step < 3000; step++) {
        unsigned w = rnd() & 1, first = rnd() % MODEL_PAGES, n = rnd() % (rnd() % 4 == 0 ? 1024 : 24) + 1;
        if (rnd() % 4 == 0)
            first = first & ~511u, first += first + 256 < MODEL_PAGES ? 256 : 0; /* a 2 MiB boundary */
        if (n > MODEL_PAGES - first)
            n = MODEL_PAGES - first;
        unsigned rights = rnd() & 1 ? PLAT_R : PLAT_R | PLAT_W, what = rnd() % 64;
        uint32_t va = MODEL_VA + first * 4096, page = rnd() % (TEST_RAM / 4096 - 2048);
        if (rnd() & 1)
            page = (page & ~511u) + ((va >> 12) & 511);
        if (what < 32)
            plat_map(plat, w, va, n * 4096ull, page * 4096ull, rights);
        else if (what < 48)
            plat_protect(plat, w, va, n * 4096ull, 0, rights);
        else if (what < 63)
            plat_unmap(plat, w, va, n * 4096ull);
        else
            plat_unmap_window(plat, w), first = 0, n = MODEL_PAGES;
        plat_flush(plat);
        for (unsigned i = 0; i < n; i++) {
            if (what < 32)
                model[w][first + i].page = page + i, model[w][first + i].rights = (uint8_t)rights;
            else if (what >= 48)
                model[w][first + i].rights = 0;
            else if (model[w][first + i].rights != 0)
                model[w][first + i].rights = (uint8_t)rights;
        }
        for (unsigned i = 0; i < 24; i++) {
            unsigned pw = rnd() & 1, p = i < 12 ? (first + rnd() % n) : rnd() % MODEL_PAGES;
            uint32_t v = 0, a = MODEL_VA + p * 4096 + (rnd() & 0xffc);
            plat_set_window(plat, pw);
            CHECK(probe_read(a, &v) == (model[pw][p].rights == 0));
            if (model[pw][p].rights != 0)
                CHECK(v == word_at(model[pw][p].page * 4096ull + (a & 4095)));
            if (i % 4 == 0)
                CHECK(probe_write(a, v) == !(model[pw][p].rights & PLAT_W));
        }
    }
}

static uint64_t tsc(void)
{
    return __builtin_ia32_rdtsc();
}

static void say(const char *what, uint64_t ticks, unsigned n)
{
    shared->req.type = HOST_REQ_TEXT;
    fmt_text(shared->req.text, HOST_REQ_TEXT_MAX, "%s: %lu ns", what, (unsigned long)(ticks * 1000 / (shared->tsc_hz / 1000000) / n));
    plat_host_call(plat);
}

static void case_cost(void)
{
    const unsigned n = 256;
    uint32_t v;
    uint64_t t;

    fault_mode = FAULT_MAP;
    plat_set_window(plat, 0);
    probe_read(0, &v);
    t = tsc();
    for (unsigned i = 1; i <= n; i++)
        probe_read(i * 4096, &v);
    say("fault, one page mapped, access", tsc() - t, n);
    plat_map(plat, 0, 0x200000, 512 * 4096, 0x201000, PLAT_R | PLAT_W);
    t = tsc();
    for (unsigned i = 0; i < 512; i++)
        probe_read(0x200000 + i * 4096, &v);
    say("first access to a mapped page", tsc() - t, 512);
    t = tsc();
    for (unsigned i = 0; i < n; i++) {
        plat_protect(plat, 0, 0x200000 + i * 4096, 4096, 0, PLAT_R);
        plat_flush(plat);
    }
    say("write-protect a page, flush", tsc() - t, n);
    t = tsc();
    for (unsigned i = 0; i < n; i++) {
        plat_map(plat, 0, 0x200000, 32 * 4096, (1 + i % 2 * 512) * 4096, PLAT_R);
        plat_flush(plat);
    }
    say("replace 32 pages, flush", tsc() - t, n);
    t = tsc();
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned k = 0; k < 8; k++)
            plat_map(plat, 0, 0x40000000 + k * 16 * MIB, 16 * 4096, k * 4096, PLAT_R);
        plat_unmap_window(plat, 0);
        plat_flush(plat);
    }
    say("map 128 pages in 8 tables, unmap window, flush", tsc() - t, 64);
    t = tsc();
    for (unsigned i = 0; i < 64; i++)
        plat_map(plat, 1, i * 2 * MIB, 2 * MIB, i % 16 * 2 * MIB, PLAT_R);
    say("map 2 MiB", tsc() - t, 64);
    shared->req.type = HOST_REQ_TEXT;
    shared->req.text[0] = '\0';
    t = tsc();
    for (unsigned i = 0; i < n; i++)
        plat_host_call(plat);
    say("host call", tsc() - t, n);
}

static int recurse(volatile char *p, unsigned depth)
{
    volatile char page[2048];

    page[0] = p[0];
    return depth == 0 ? 0 : recurse(page, depth - 1) + page[0];
}

static void die_by(uint32_t which)
{
    volatile uint32_t zero = 0;
    uint32_t v;

    plat_set_window(plat, 0);
    fault_mode = FAULT_REFUSE;
    switch (which) {
    case CASE_NULL:
        *(volatile uint32_t *)(uintptr_t)(zero + 16) = 1;
        break;
    case CASE_UD:
        __asm__ volatile("ud2");
        break;
    case CASE_DIVIDE:
        zero = 5 / zero;
        break;
    case CASE_GP:
        __asm__ volatile("hlt");
        break;
    case CASE_PORT:
        __asm__ volatile("outb %%al, $0x80" : : "a"(0));
        break;
    case CASE_EXEC_WINDOW:
        plat_map(plat, 0, 0x1000, 4096, 0, PLAT_R);
        ((void (*)(void))(uintptr_t)(plat_window_base(plat, 0) + 0x1000))();
        break;
    case CASE_STACK:
        recurse((volatile char *)&zero, VM_STACK_SIZE / 1024);
        break;
    case CASE_WRITE_TEXT:
        *(volatile uint8_t *)(uintptr_t)probe_fail = 0;
        break;
    case CASE_REFUSED:
        probe_read(0x123000, &v);
        break;
    case CASE_NESTED:
        fault_mode = FAULT_CRASH;
        probe_read(0x123000, &v);
        break;
    case CASE_TRIPLE:
        memset((void *)VM_IDT, 0, VM_IDT_SIZE);
        __asm__ volatile("ud2");
        break;
    }
}

void engine_run(struct engine *e)
{
    static void (*const cases[])(void) = {
        [CASE_START] = case_start, [CASE_MAP] = case_map,       [CASE_FAULT] = case_fault, [CASE_PROTECT] = case_protect,
        [CASE_REMAP] = case_remap, [CASE_UNMAP] = case_unmap,   [CASE_LARGE] = case_large, [CASE_WINDOWS] = case_windows,
        [CASE_POOL] = case_pool,   [CASE_RANDOM] = case_random, [CASE_COST] = case_cost,
    };
    uint32_t which = shared->entry_r[0];

    e->v.pc = 0x1234;
    if (which < ARRAY_LEN(cases)) {
        cases[which]();
    } else if (which == CASE_TSC) {
        shared->req.type = HOST_REQ_MMIO_WRITE;
        shared->req.value = tsc();
        plat_host_call(plat);
    } else if (which == CASE_SPIN) {
        uint32_t *poll = (uint32_t *)(uintptr_t)shared->poll_va;
        shared->req.type = HOST_REQ_TEXT;
        shared->req.text[0] = '\0';
        plat_host_call(plat);
        while (__atomic_load_n(poll, __ATOMIC_ACQUIRE) == 0)
            __builtin_ia32_pause();
        CHECK(shared->spi_level[2] == 0x80);
    } else if (which == CASE_HANG) {
        for (;;)
            __builtin_ia32_pause();
    } else {
        die_by(which);
    }
    shared->req.type = HOST_REQ_STOP;
    shared->req.value = STOP_POWER_OFF;
    for (;;)
        plat_host_call(plat);
}
