/*
 * linux.c: runs a batch as a Linux user program, under qemu-arm: the oracle side.
 *
 *     qemu-arm -cpu cortex-a15 isa-linux BATCH RESULTS
 *
 * The whole loop lives in the signal handler: it stores the interrupted state as a case's result, puts the next case's state into the
 * signal frame, and returning from the handler starts that case.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "collect.h"

#define VFP_MAGIC 0x56465001u
struct vfp_frame {
    uint32_t magic, size;
    uint64_t d[32];
    uint32_t fpscr;
};

static const struct isa_batch *batch;
static const struct isa_case *cases;
static struct isa_result *results;
static uint32_t current;
static bool started;
static int result_fd;

static void finish(void)
{
    size_t size = batch->n_cases * sizeof(*results);
    const char *p = (const char *)results;

    while (size) {
        ssize_t n = write(result_fd, p, size);
        if (n <= 0)
            _exit(3);
        p += n;
        size -= n;
    }
    _exit(0);
}

static void store(struct isa_result *r, int sig, const siginfo_t *info, const mcontext_t *m, const struct vfp_frame *vfp)
{
    memcpy(r->out.r, &m->arm_r0, sizeof(r->out.r));
    r->out.pc = m->arm_pc;
    r->out.cpsr = m->arm_cpsr;
    r->out.fpscr = vfp->fpscr;
    memcpy(r->out.d, vfp->d, sizeof(r->out.d));
    r->far = 0;
    switch (sig) {
    case SIGILL:
        r->kind = m->arm_pc == cases[current].end ? ISA_END : ISA_UNDEF;
        break;
    case SIGTRAP:
        r->kind = ISA_TRAP;
        break;
    default:
        r->far = (uint32_t)info->si_addr;
        r->kind = r->far == m->arm_pc ? ISA_FETCH : sig == SIGBUS ? ISA_BUS : ISA_SEGV;
    }
    isa_collect_memory(batch, r);
}

/* A case that runs for a whole tick, of processor time, is in an endless loop: a mistake of the generator. */
static void on_tick(int sig)
{
    static uint32_t last = ~0u;
    char text[64];

    (void)sig;
    if (last == current && write(2, text, (size_t)snprintf(text, sizeof(text), "isa-linux: case %u does not end\n", current)))
        _exit(6);
    last = current;
}

static void handler(int sig, siginfo_t *info, void *ucontext)
{
    ucontext_t *u = ucontext;
    mcontext_t *m = &u->uc_mcontext;
    struct vfp_frame *vfp = (struct vfp_frame *)u->uc_regspace;

    __asm__ volatile("vmsr fpscr, %0\n\tclrex" : : "r"(0)); /* the handler inherits both from the case */
    if (vfp->magic != VFP_MAGIC)
        _exit(4);
    if (started) {
        store(&results[current], sig, info, m, vfp);
        current++;
    }
    started = true;
    if (current == batch->n_cases)
        finish();

    const struct isa_state *in = &cases[current].in;
    memcpy(&m->arm_r0, in->r, sizeof(in->r));
    m->arm_pc = in->pc & ~1u;
    m->arm_cpsr = in->cpsr;
    vfp->fpscr = in->fpscr;
    memcpy(vfp->d, in->d, sizeof(in->d));
}

static void map(uint32_t address, size_t size, int prot, int fd, off_t off)
{
    void *p = mmap((void *)address, size, prot, MAP_PRIVATE | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, off);

    if (p == MAP_FAILED) {
        fprintf(stderr, "isa-linux: cannot map %#zx bytes at %#x: %s\n", size, address, strerror(errno));
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct isa_batch head;

    if (argc != 3) {
        fprintf(stderr, "usage: isa-linux BATCH RESULTS\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY);
    result_fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || result_fd < 0 || read(fd, &head, sizeof(head)) != sizeof(head) || head.magic != ISA_MAGIC) {
        fprintf(stderr, "isa-linux: cannot use %s and %s\n", argv[1], argv[2]);
        return 2;
    }
    map(ISA_BATCH_BASE, head.code_off, PROT_READ, fd, 0);
    map(ISA_CODE_BASE, head.code_size, PROT_READ | PROT_EXEC, fd, head.code_off);
    map(ISA_DATA_BASE, ISA_DATA_SIZE, PROT_READ | PROT_WRITE, -1, 0);
    batch = (const struct isa_batch *)ISA_BATCH_BASE;
    cases = (const struct isa_case *)batch->cases;
    results = calloc(batch->n_cases, sizeof(*results));
    if (!results)
        return 2;
    isa_fill_memory(batch);

    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
    sigfillset(&sa.sa_mask);
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);
    sigaction(SIGPROF, &(struct sigaction){.sa_handler = on_tick, .sa_flags = SA_ONSTACK}, NULL);
    setitimer(ITIMER_PROF, &(struct itimerval){.it_interval.tv_sec = 5, .it_value.tv_sec = 5}, NULL);
    __asm__ volatile(".inst 0xe7f010f0");
    return 5;
}
