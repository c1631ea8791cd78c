/*
 * fault_hosted.c: SIGSEGV in translated code is the hosted platform's page fault.
 *
 * The handler runs on the vCPU thread's alternate stack, hands the registers to engine_fault() and puts back what that changed. Any other fault ends
 * the process readably: signal, instruction, address, and the engine's own description of where the guest was.
 */
#include <dbt/engine.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/hosted/hosted.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ALT_STACK_SIZE (256u << 10)

#define ERR_WRITE  2u /* page-fault error code */
#define TRAP_PAGE_FAULT 14

static __thread struct platform *this_platform;
static __thread void *alt_stack;

/* x86 register number -> index in gregs */
static const uint8_t greg_of[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

_Noreturn static void die(int sig, const siginfo_t *si, const ucontext_t *uc, struct platform *p)
{
    static char text[4096];
    const greg_t *g = uc->uc_mcontext.gregs;
    if (sig == SIGBUS && si->si_code == BUS_ADRERR)
        error_die(1, "armlet: the host has no memory left for the guest's RAM\n");
    const char *name = sigabbrev_np(sig);
    int n = snprintf(text, sizeof(text), "armlet: internal error: SIG%s at rip 0x%llx, address 0x%llx%s\n", name ? name : "?", (unsigned long long)g[REG_RIP],
                     (unsigned long long)(uintptr_t)si->si_addr, p && p->in_fault > 1 ? ", while serving a guest page fault" : "");
    if (p && p->engine && p->in_fault <= 1)
        n += engine_describe(p->engine, text + n, (int)sizeof(text) - n - 2);
    if (n > 0 && text[n - 1] != '\n') {
        text[n++] = '\n';
        text[n] = 0;
    }
    error_die(1, text);
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    struct platform *p = this_platform;
    int saved_errno = errno;

    if (p)
        p->in_fault++;
    bool candidate = p && p->in_fault == 1 && p->engine && sig == SIGSEGV && g[REG_TRAPNO] == TRAP_PAGE_FAULT &&
                     (uint64_t)g[REG_RIP] - (uint64_t)(uintptr_t)p->code_rx < p->code_size;
    if (!candidate)
        die(sig, si, uc, p);

    struct host_fault_ctx ctx = {
        .rip = (uint64_t)g[REG_RIP],
        .rflags = (uint64_t)g[REG_EFL],
        .fault_addr = (uint64_t)(uintptr_t)si->si_addr,
        .is_write = (g[REG_ERR] & ERR_WRITE) != 0,
        .vector = (const uint8_t *)uc->uc_mcontext.fpregs->_xmm,
    };
    for (unsigned i = 0; i < 16; i++)
        ctx.gpr[i] = (uint64_t)g[greg_of[i]];
    if (!engine_fault(p->engine, &ctx))
        die(sig, si, uc, p);
    for (unsigned i = 0; i < 16; i++)
        g[greg_of[i]] = (greg_t)ctx.gpr[i];
    g[REG_RIP] = (greg_t)ctx.rip;
    g[REG_EFL] = (greg_t)ctx.rflags;
    p->in_fault--;
    errno = saved_errno;
}

int faults_install(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (sigaction(signals[i], &a, NULL) < 0) {
            error_report("no handler for signal %d: %s", signals[i], strerror(errno));
            return -1;
        }
    }
    return 0;
}

int faults_enter_thread(struct platform *p)
{
    alt_stack = mmap(NULL, ALT_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (alt_stack == MAP_FAILED) {
        error_report("no memory for the fault handler's stack: %s", strerror(errno));
        return -1;
    }
    mprotect(alt_stack, 4096, PROT_NONE); /* an overflow faults instead of running on */
    stack_t s = {.ss_sp = (char *)alt_stack + 4096, .ss_size = ALT_STACK_SIZE - 4096};
    if (sigaltstack(&s, NULL) < 0) {
        error_report("no stack for the fault handler: %s", strerror(errno));
        munmap(alt_stack, ALT_STACK_SIZE);
        return -1;
    }
    this_platform = p;
    return 0;
}

void faults_leave_thread(void)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    this_platform = NULL;
    sigaltstack(&off, NULL);
    munmap(alt_stack, ALT_STACK_SIZE);
}
