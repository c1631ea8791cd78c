/*
 * accel_hosted.c: the accelerator that runs the engine in this process, on the vCPU thread.
 *
 * Translated code faults in guest windows on purpose: SIGSEGV, on an alternate stack because translated code owns rsp's contents
 * only down to where it stands, goes to engine_fault(). Every other SIGSEGV is a bug of ours and ends the process readably.
 */
#include <dbt/engine.h>
#include <errno.h>
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/hosted/platform_hosted.h>
#include <hypervisor/vm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNAL_STACK_SIZE (256u << 10)

/* The platform whose engine runs on this thread: a signal handler gets no argument of ours. */
static _Thread_local struct platform *thread_platform;

/* x86 register numbers -> ucontext's */
static const uint8_t greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static _Noreturn void die(struct platform *p, int sig, const struct host_fault_ctx *ctx)
{
    char text[1024];
    int n = fmt_text(text, sizeof(text), "armlet: the engine failed: signal %d at %lx, address %lx", sig, (unsigned long)ctx->rip, (unsigned long)ctx->fault_addr);

    if (p && p->engine) {
        n += fmt_text(text + n, (int)sizeof(text) - n, "; ");
        n += engine_describe(p->engine, text + n, (int)sizeof(text) - n);
    }
    fmt_text(text + n, (int)sizeof(text) - n, "\n");
    error_die(1, text);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    struct platform *p = thread_platform;
    struct host_fault_ctx ctx = {.rip = (uint64_t)g[REG_RIP],
                                 .rflags = (uint64_t)g[REG_EFL],
                                 .fault_addr = (uint64_t)(uintptr_t)info->si_addr,
                                 .is_write = g[REG_ERR] >> 1 & 1};

    for (unsigned i = 0; i < 16; i++)
        ctx.gpr[i] = (uint64_t)g[greg_of[i]];
    if (!p || !p->engine || sig != SIGSEGV || !engine_fault(p->engine, &ctx))
        die(p, sig, &ctx);
    for (unsigned i = 0; i < 16; i++)
        g[greg_of[i]] = (greg_t)ctx.gpr[i];
    g[REG_RIP] = (greg_t)ctx.rip;
    g[REG_EFL] = (greg_t)ctx.rflags;
}

static int hosted_probe(char *why, size_t cap)
{
    (void)why, (void)cap;
    return 0;
}

static void hosted_destroy(struct vm *vm)
{
    struct platform *p = vm->accel_state;

    if (!p)
        return;
    platform_hosted_exit(p);
    if (p->code_rw)
        munmap(p->code_rw, p->code_size);
    if (p->code_rx)
        munmap(p->code_rx, p->code_size);
    if (p->heap)
        munmap(p->heap, p->heap_size);
    if (p->signal_stack)
        munmap(p->signal_stack, SIGNAL_STACK_SIZE);
    free(p);
    vm->accel_state = NULL;
}

/* Two views of one memory: the engine writes code through one and runs it through the other, so nothing is writable and executable. */
static int map_code(struct platform *p, size_t size)
{
    int fd = memfd_create("armlet-code", MFD_CLOEXEC);
    int err = 0;
    void *rw, *rx;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0) {
        err = -errno;
        goto out;
    }
    rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (rw == MAP_FAILED) {
        err = -errno;
        goto out;
    }
    p->code_rw = rw;
    p->code_size = size;
    rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (rx == MAP_FAILED)
        err = -errno;
    else
        p->code_rx = rx;
out:
    close(fd);
    return err;
}

static int map_private(uint8_t **out, size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -errno;
    *out = at;
    return 0;
}

static int hosted_create(struct vm *vm)
{
    struct vm_shared *s = vm->shared;
    struct platform *p = calloc(1, sizeof(*p));
    int err;

    vm->accel_state = p;
    if (!p) {
        err = -ENOMEM;
        goto fail;
    }
    p->heap_size = ALIGN_UP(engine_heap_size(&s->config, s->ram_size), 4096ul);
    if ((err = platform_hosted_init(p, vm, s->config.view_count)) < 0 || (err = map_code(p, s->config.code_cache_bytes)) < 0 ||
        (err = map_private(&p->heap, p->heap_size)) < 0 || (err = map_private(&p->signal_stack, SIGNAL_STACK_SIZE)) < 0)
        goto fail;
    s->ram_va = (uint64_t)(uintptr_t)vm->ram;
    s->heap_va = (uint64_t)(uintptr_t)p->heap;
    s->heap_size = p->heap_size;
    s->code_rw_va = (uint64_t)(uintptr_t)p->code_rw;
    s->code_rx_va = (uint64_t)(uintptr_t)p->code_rx;
    return 0;
fail:
    error_report("cannot reserve memory for the translator: %s", strerror(-err));
    hosted_destroy(vm);
    return -1;
}

static int install_handlers(struct platform *p)
{
    stack_t stack = {.ss_sp = p->signal_stack, .ss_size = SIGNAL_STACK_SIZE};
    /* SA_NODEFER: a fault inside the handler comes back here and is reported instead of killing the process silently. */
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigemptyset(&act.sa_mask);
    if (sigaltstack(&stack, NULL) < 0 || sigaction(SIGSEGV, &act, NULL) < 0 || sigaction(SIGBUS, &act, NULL) < 0 || sigaction(SIGILL, &act, NULL) < 0 ||
        sigaction(SIGFPE, &act, NULL) < 0 || sigaction(SIGTRAP, &act, NULL) < 0)
        return -errno;
    return 0;
}

static int hosted_run(struct vm *vm)
{
    struct platform *p = vm->accel_state;
    unsigned mxcsr = __builtin_ia32_stmxcsr();
    stack_t off = {.ss_flags = SS_DISABLE};

    if (install_handlers(p) < 0) {
        error_report("cannot install signal handlers: %s", strerror(errno));
        return -1;
    }
    thread_platform = p;
    if (setjmp(p->stop) == 0) {
        p->engine = engine_create(vm->shared, p);
        if (!p->engine) {
            error_report("the translator refuses its configuration");
            thread_platform = NULL;
            return -1;
        }
        engine_run(p->engine);
    }
    thread_platform = NULL;
    sigaltstack(&off, NULL);
    __builtin_ia32_ldmxcsr(mxcsr); /* the guest's rounding mode was current */
    return 0;
}

static uint32_t *hosted_poll_word(struct vm *vm)
{
    return (uint32_t *)(uintptr_t)__atomic_load_n(&vm->shared->poll_va, __ATOMIC_ACQUIRE);
}

const struct accel_ops accel_hosted = {
    .name = "hosted",
    .probe = hosted_probe,
    .create = hosted_create,
    .run = hosted_run,
    .destroy = hosted_destroy,
    .poll_word = hosted_poll_word,
};
