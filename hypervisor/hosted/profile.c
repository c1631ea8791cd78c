/*
 * profile.c: see profile.h.
 *
 * A timer sends the vCPU thread SIGPROF every millisecond. The handler finds the guest address: in translated code, the block that the host
 * instruction pointer is in; in a helper, the block it was called from, whose return address is on the stack; in the engine, the block that
 * faulted last or the guest's pc. It counts (address, activity) in a table of fixed size; nothing there allocates or locks. Time asleep is
 * not sampled. Names are put to addresses when the table is written, at the machine's end.
 *
 * A folded stack is "kernel;FUNCTION COUNT" or "user;PAGE COUNT", with one more frame in brackets when the time is not the guest's own.
 */
#include <dbt/engine.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/hosted/hosted.h>
#include <hypervisor/hosted/profile.h>
#include <hypervisor/options.h>
#include <hypervisor/symbols.h>
#include <hypervisor/vm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PERIOD_NS   1000000
#define TABLE_SIZE  (1u << 16)
#define STACK_WORDS 512 /* looked at for the call of a helper */

enum { KIND_HELPER = ACTIVITY_COUNT, KIND_COUNT };

static const char *const kind_name[KIND_COUNT] = {
    [ACTIVITY_DISPATCH] = "[dispatcher]",  [ACTIVITY_TRANSLATE] = "[translation]", [ACTIVITY_FAULT] = "[window faults]",
    [ACTIVITY_SYNC] = "[synchronisation]", [ACTIVITY_DEVICE] = "[devices]",        [ACTIVITY_REQUEST] = "[host calls]",
    [KIND_HELPER] = "[helpers]",
};

struct sample {
    uint32_t pc, kind, count;
};

struct profile {
    struct symbols *symbols;
    timer_t timer;
    bool running;
    uint64_t lost; /* samples without room in the table */
    struct sample table[TABLE_SIZE];
};

static __thread struct platform *this_platform;

static void count(struct profile *f, uint32_t pc, uint32_t kind)
{
    uint32_t at = (pc ^ kind << 28) * 0x9e3779b1u >> 16;
    for (unsigned n = 0; n < 64; n++, at = (at + 1) % TABLE_SIZE) {
        struct sample *s = &f->table[at];
        if (!s->count || (s->pc == pc && s->kind == kind)) {
            *s = (struct sample){pc, kind, s->count + 1};
            return;
        }
    }
    f->lost++;
}

/* The block that called the function the thread is in: the innermost return address into translated code. */
static bool find_caller(const struct engine *e, uint64_t rsp, uint64_t entered_with, struct engine_block *b)
{
    if (rsp % 8 || rsp > entered_with)
        return false;
    for (unsigned n = 0; n < STACK_WORDS && rsp < entered_with; n++, rsp += 8) {
        if (engine_block_at(e, *(const uint64_t *)(uintptr_t)rsp, b))
            return true;
    }
    return false;
}

static void on_sample(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
    const greg_t *g = ((const ucontext_t *)context)->uc_mcontext.gregs;
    struct platform *p = this_platform;
    if (!p)
        return;
    struct engine_block b;
    uint64_t fault_rip, entered_with;
    uint32_t pc, kind = (uint32_t)engine_doing(p->engine, &fault_rip, &entered_with, &pc);
    if (engine_block_at(p->engine, (uint64_t)g[REG_RIP], &b)) {
        kind = ACTIVITY_RUN;
        pc = b.pc;
    } else if (kind == ACTIVITY_WAIT) {
        return;
    } else if (kind == ACTIVITY_FAULT || p->in_fault) {
        if (engine_block_at(p->engine, fault_rip, &b))
            pc = b.pc;
    } else if (kind != ACTIVITY_DISPATCH && kind != ACTIVITY_TRANSLATE && find_caller(p->engine, (uint64_t)g[REG_RSP], entered_with, &b)) {
        pc = b.pc;
        if (kind == ACTIVITY_RUN)
            kind = KIND_HELPER;
    }
    count(p->profile, pc & ~1u, kind);
}

int profile_create(struct platform *p)
{
    const struct options *o = p->vm->opt;
    if (!o->profile && !o->perf_map)
        return 0;
    struct profile *f = calloc(1, sizeof(*f));
    if (!f) {
        error_report("there is no memory for a profile");
        return -1;
    }
    p->profile = f;
    if (o->symbols && !(f->symbols = symbols_load(o->symbols)))
        return -1;
    if (!o->profile)
        return 0;
    FILE *out = fopen(o->profile, p->vm->profile_begun ? "ae" : "we"); /* now, so that nobody profiles for nothing */
    if (!out) {
        error_report("cannot write the profile to '%s': %s", o->profile, strerror(errno));
        return -1;
    }
    fclose(out);
    struct sigaction a = {.sa_sigaction = on_sample, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&a.sa_mask);
    if (sigaction(SIGPROF, &a, NULL) < 0) {
        error_report("no handler for the profile's signal: %s", strerror(errno));
        return -1;
    }
    return 0;
}

void profile_start(struct platform *p)
{
    struct profile *f = p->profile;
    if (!f || !p->vm->opt->profile)
        return;
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    e._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    struct itimerspec t = {.it_interval = {.tv_nsec = PERIOD_NS}, .it_value = {.tv_nsec = PERIOD_NS}};
    this_platform = p;
    if (timer_create(CLOCK_MONOTONIC, &e, &f->timer) == 0) {
        f->running = true;
        if (timer_settime(f->timer, 0, &t, NULL) == 0)
            return;
    }
    error_report("no timer for the profile: %s; it stays empty", strerror(errno));
}

void profile_stop(struct platform *p)
{
    struct profile *f = p->profile;
    if (!f || !f->running)
        return;
    timer_delete(f->timer);
    f->running = false;
    this_platform = NULL; /* a signal still on its way finds nothing */
}

static int by_stack(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "user;PAGE" or "kernel;FUNCTION", and the engine's part. */
static char *stack_of(const struct profile *f, const struct sample *s)
{
    const char *name = symbols_find(f->symbols, s->pc), *kind = kind_name[s->kind];
    char *text = NULL;
    int n = name ? asprintf(&text, "kernel;%s%s%s", name, kind ? ";" : "", kind ? kind : "")
                 : asprintf(&text, "user;0x%08x%s%s", (unsigned)(s->pc & ~0xfffu), kind ? ";" : "", kind ? kind : "");
    return n < 0 ? NULL : text;
}

/* Stacks with their counts behind a NUL, sorted so that the same ones are neighbours. */
static void write_profile(struct platform *p)
{
    struct profile *f = p->profile;
    const char *path = p->vm->opt->profile;
    FILE *out = fopen(path, "ae");
    struct {
        char *text;
        uint32_t count;
    } *list = calloc(TABLE_SIZE, sizeof(*list));
    size_t n = 0;
    if (!out || !list) {
        error_report("cannot write the profile to '%s': %s", path, strerror(errno));
        goto done;
    }
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        if (f->table[i].count && (list[n].text = stack_of(f, &f->table[i])))
            list[n++].count = f->table[i].count;
    }
    qsort(list, n, sizeof(*list), by_stack);
    for (size_t i = 0; i < n;) {
        uint64_t sum = 0;
        size_t k = i;
        for (; k < n && !strcmp(list[k].text, list[i].text); k++)
            sum += list[k].count;
        fprintf(out, "%s %llu\n", list[i].text, (unsigned long long)sum);
        i = k;
    }
    if (f->lost)
        fprintf(out, "[no room in the table] %llu\n", (unsigned long long)f->lost);
done:
    for (size_t i = 0; i < n; i++)
        free(list[i].text);
    free(list);
    if (out && fclose(out))
        error_report("cannot write the profile to '%s': %s", path, strerror(errno));
}

struct map_writer {
    FILE *out;
    const struct symbols *symbols;
};

static void write_block(void *arg, const struct engine_block *b)
{
    struct map_writer *w = arg;
    const char *name = symbols_find(w->symbols, b->pc & ~1u);
    fprintf(w->out, "%llx %x guest_%08x%s%s\n", (unsigned long long)b->code, b->code_size, b->pc & ~1u, name ? "_" : "", name ? name : "");
}

static void write_perf_map(struct platform *p)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
    struct map_writer w = {fopen(path, p->vm->profile_begun ? "ae" : "we"), p->profile->symbols};
    if (w.out)
        engine_each_block(p->engine, write_block, &w);
    if (!w.out || fclose(w.out))
        error_report("cannot write '%s': %s", path, strerror(errno));
}

void profile_destroy(struct platform *p)
{
    if (!p->profile)
        return;
    if (p->engine && p->vm->opt->profile)
        write_profile(p);
    if (p->engine && p->vm->opt->perf_map)
        write_perf_map(p);
    p->vm->profile_begun = true;
    symbols_free(p->profile->symbols);
    free(p->profile);
    p->profile = NULL;
}
