/*
 * batch.c: batches as files, and the two programs that run them.
 *
 * The oracle gets the bare batch file. The target gets an ELF file: the segments of the bare-metal runner, one with the cases and the
 * oracle's results, one with the code; see case.h for the addresses.
 */
#define _GNU_SOURCE
#include "batch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE           4096u
#define WATCHDOG_TICKS 200000u /* of 16 ns; the runner gives a case nine times that */
#define PATIENT_TICKS  (256 * WATCHDOG_TICKS)

static int batch_alloc(struct batch *b, unsigned n, size_t code_size)
{
    memset(b, 0, sizeof(*b));
    b->n = n;
    b->cases = calloc(n, sizeof(*b->cases));
    b->expected = calloc(n, sizeof(*b->expected));
    b->left_out = calloc(n, sizeof(*b->left_out));
    b->report = calloc(n, sizeof(*b->report));
    b->report_case = calloc(n, sizeof(*b->report_case));
    b->code = calloc(1, code_size);
    if (b->cases && b->expected && b->left_out && b->report && b->report_case && b->code)
        return 0;
    fprintf(stderr, "isa: no memory for %u cases\n", n);
    return -1;
}

int batch_build(struct batch *b, const struct piece *pieces, unsigned n, uint64_t seed)
{
    struct rng r = {.s = seed ^ 0x5eed};
    uint32_t at = PAGE; /* room below for loads relative to the pc */

    if (batch_alloc(b, n, n * (ISA_CASE_BYTES + 64u) + 4 * PAGE))
        return -1;
    for (unsigned i = 0; i < ISA_DATA_SIZE / 4; i++)
        b->pattern[i] = i % 2 ? interesting_word(&r) : (uint32_t)interesting_double(&r);
    for (unsigned i = 0; i < n; i++) {
        if (pieces[i].same_code) {
            b->cases[i] = b->cases[i - (unsigned)pieces[i].same_code];
            uint32_t pc = b->cases[i].in.pc;
            b->cases[i].in = *pieces[i].state;
            b->cases[i].in.pc = pc;
            continue;
        }
        at = ((at + 3) & ~3u) + 4 * (at / 64 % 8); /* now and then across pages */
        at += gen_offset(pieces[i].gen, pieces[i].first_unit) % 4;
        uint32_t bytes = gen_emit(pieces[i].gen, pieces[i].first_unit, pieces[i].units, ISA_CODE_BASE + at, b->code + at, &b->cases[i]);
        if (pieces[i].state) {
            uint32_t pc = b->cases[i].in.pc;
            b->cases[i].in = *pieces[i].state;
            b->cases[i].in.pc = pc;
        }
        if (pieces[i].banked)
            b->cases[i].banked = *pieces[i].banked;
        at += bytes;
    }
    b->code_size = (at + 3 * PAGE) & ~(PAGE - 1);
    if (b->code_size > ISA_CODE_MAX) {
        fprintf(stderr, "isa: %u cases need more code than fits\n", n);
        return -1;
    }
    return 0;
}

int batch_part(const struct batch *b, unsigned first, unsigned n, struct batch *part)
{
    if (batch_alloc(part, n, b->code_size))
        return -1;
    memcpy(part->cases, b->cases + first, n * sizeof(*part->cases));
    memcpy(part->expected, b->expected + first, n * sizeof(*part->expected));
    memcpy(part->code, b->code, b->code_size);
    memcpy(part->pattern, b->pattern, sizeof(part->pattern));
    part->code_size = b->code_size;
    return 0;
}

void batch_leave_out(struct batch *b, unsigned k)
{
    b->left_out[k] = true;
    b->cases[k].in.pc = b->cases[k].end;
}

void batch_free(struct batch *b)
{
    free(b->left_out);
    free(b->cases);
    free(b->expected);
    free(b->report);
    free(b->report_case);
    free(b->code);
    memset(b, 0, sizeof(*b));
}

static int write_padded(FILE *f, const void *data, size_t size, long to)
{
    if (fwrite(data, 1, size, f) != size)
        return -1;
    while (ftell(f) < to)
        if (fputc(0, f) == EOF)
            return -1;
    return 0;
}

static struct isa_batch header(const struct batch *b, const struct paths *p)
{
    struct isa_batch h = {.magic = ISA_MAGIC,
                          .n_cases = b->n,
                          .code_size = b->code_size,
                          .max_reports = p->max_reports,
                          .timer_ticks = p->watchdog ? (p->patient ? PATIENT_TICKS : WATCHDOG_TICKS) : p->timer_ticks,
                          .mode = p->mode | p->record | (p->watchdog ? ISA_MODE_WATCHDOG : 0)};

    h.cases = ISA_BATCH_BASE + sizeof(h);
    h.expected = h.cases + b->n * sizeof(struct isa_case);
    h.code_off = (uint32_t)((sizeof(h) + b->n * (sizeof(struct isa_case) + sizeof(struct isa_result)) + PAGE - 1) & ~(PAGE - 1ul));
    memcpy(h.pattern, b->pattern, sizeof(h.pattern));
    return h;
}

static int write_batch(FILE *f, const struct batch *b, const struct isa_batch *h)
{
    long start = ftell(f);

    if (write_padded(f, h, sizeof(*h), 0) || write_padded(f, b->cases, b->n * sizeof(*b->cases), 0) ||
        write_padded(f, b->expected, b->n * sizeof(*b->expected), start + h->code_off) || write_padded(f, b->code, b->code_size, 0))
        return -1;
    return 0;
}

static char *path_in(const struct paths *p, const char *name)
{
    char *s = NULL;

    if (asprintf(&s, "%s/%s", p->dir, name) < 0)
        abort();
    return s;
}

static int write_elf(const char *path, const struct batch *b, const struct paths *p)
{
    struct isa_batch h = header(b, p);
    FILE *in = fopen(p->bare, "rb"), *f = fopen(path, "wb");
    static uint8_t runner[1 << 20];
    Elf32_Ehdr eh;
    Elf32_Phdr ph[10];
    unsigned n = 0;

    if (!in || !f || fread(&eh, 1, sizeof(eh), in) != sizeof(eh) || eh.e_phnum > 8) {
        fprintf(stderr, "isa: cannot use %s or %s\n", p->bare, path);
        return -1;
    }
    rewind(in);
    size_t size = fread(runner, 1, sizeof(runner), in);
    fclose(in);
    long base = PAGE; /* the runner's file image goes there, whole */
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        const Elf32_Phdr *q = (const Elf32_Phdr *)(runner + eh.e_phoff + i * eh.e_phentsize);
        if (q->p_type != PT_LOAD)
            continue;
        ph[n] = *q;
        ph[n++].p_offset += (uint32_t)base;
    }
    long batch_at = (long)((base + size + PAGE - 1) & ~(PAGE - 1ul));
    ph[n++] = (Elf32_Phdr){.p_type = PT_LOAD,
                           .p_offset = (uint32_t)batch_at,
                           .p_vaddr = ISA_BATCH_BASE,
                           .p_paddr = ISA_BATCH_BASE,
                           .p_filesz = h.code_off,
                           .p_memsz = h.code_off,
                           .p_flags = PF_R | PF_W,
                           .p_align = PAGE};
    ph[n++] = (Elf32_Phdr){.p_type = PT_LOAD,
                           .p_offset = (uint32_t)batch_at + h.code_off,
                           .p_vaddr = ISA_CODE_BASE,
                           .p_paddr = ISA_CODE_BASE,
                           .p_filesz = b->code_size,
                           .p_memsz = b->code_size,
                           .p_flags = PF_R | PF_X,
                           .p_align = PAGE};
    eh.e_phoff = sizeof(eh);
    eh.e_phnum = (uint16_t)n;
    eh.e_shoff = 0;
    eh.e_shnum = 0;
    eh.e_shstrndx = 0;
    if (write_padded(f, &eh, sizeof(eh), 0) || write_padded(f, ph, n * sizeof(ph[0]), base) || write_padded(f, runner, size, batch_at) ||
        write_batch(f, b, &h) || fclose(f)) {
        fprintf(stderr, "isa: cannot write %s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

/* Has a process used up `timeout` seconds? Of processor time, as the machine may be busy, or of twenty times as much in all. */
static bool used_up(pid_t pid, time_t start, unsigned timeout)
{
    clockid_t clock;
    struct timespec used;

    if (time(NULL) - start > 20 * (time_t)timeout)
        return true;
    return clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0 && used.tv_sec >= (time_t)timeout;
}

/* Run a shell command; its stdout (at most cap-1 bytes) to buf. Ends it when it has used up its time. Returns the wait status, or -1 for
 * the timeout. */
static int run(const char *command, char *buf, size_t cap, size_t *got, unsigned timeout)
{
    int fd[2];
    time_t start = time(NULL);

    *got = 0;
    if (pipe(fd) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(fd[1], 1);
        close(fd[0]);
        close(fd[1]);
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fd[1]);
    bool ended = false;
    while (!ended && !used_up(pid, start, timeout)) {
        struct pollfd pfd = {.fd = fd[0], .events = POLLIN};
        if (poll(&pfd, 1, 200) > 0) {
            ssize_t k = read(fd[0], buf + *got, cap - 1 - *got);
            if (k <= 0)
                ended = true;
            else
                *got += (size_t)k;
        }
    }
    buf[*got] = 0;
    close(fd[0]);
    int status = 0;
    if (!ended)
        kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    return ended ? status : -1;
}

#define OUTPUT_MAX (32u << 20)

static int run_bare(struct batch *b, const struct paths *p, const char *who, const char *machine)
{
    char *elf = path_in(p, "batch.elf"), *command = NULL, *text = malloc(OUTPUT_MAX);
    size_t got;
    int rc = -1;
    bool done = false;

    b->n_reports = 0;
    b->n_different = 0;
    if (write_elf(elf, b, p))
        goto out;
    if (asprintf(&command, "exec %s -kernel %s%s", machine, elf, p->quiet ? " 2>/dev/null" : "") < 0)
        abort();
    int status = run(command, text, OUTPUT_MAX, &got, p->timeout);
    for (char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
        if (strncmp(s, "DONE ", 5) == 0) {
            char *e;
            if (strtoul(s + 5, &e, 16) == b->n) {
                b->n_different = (unsigned)strtoul(e, &e, 16);
                b->n_interrupts = (unsigned)strtoul(e, &e, 16);
                b->n_misaligned = (unsigned)strtoul(e, NULL, 16);
                done = true;
            }
        } else if (strncmp(s, "DIFF ", 5) == 0 && b->n_reports < b->n) {
            char *e;
            unsigned at = (unsigned)strtoul(s + 5, &e, 16), k = 0;
            struct isa_result *r = &b->report[b->n_reports];
            memset(r, 0, sizeof(*r));
            for (s = e; k < sizeof(*r) / 4; k++) {
                while (*s == ' ' || *s == '\r' || (*s == '\n' && s[1] != '\n' && s[1] != '\r'))
                    s++;
                if (*s == '\n' || !*s)
                    break;
                ((uint32_t *)r)[k] = (uint32_t)strtoul(s, &s, 16);
            }
            b->report_case[b->n_reports++] = at;
        }
    }
    if (!done) {
        rc = status != -1 && WIFSIGNALED(status) ? BATCH_DIED : -1;
        if (p->quiet)
            goto out;
        fprintf(stderr, "isa: the %s did not finish its %u cases (status %d); %u differences so far; output ends:\n%s\n", who, b->n, status,
                b->n_reports, got > 1500 ? text + got - 1500 : text);
        fprintf(stderr, "isa: command: %s\n", command);
        goto out;
    }
    rc = 0;
out:
    free(elf);
    free(command);
    free(text);
    return rc;
}

int batch_run_target(struct batch *b, const struct paths *p)
{
    return run_bare(b, p, "target", p->target);
}

/* The bare-metal runner in the oracle's machine leaves its results in expected[]; the machine's RAM is a file. */
static int run_bare_oracle(struct batch *b, const struct paths *p)
{
    struct paths record = *p;
    struct isa_batch h = header(b, p);
    char *ram = path_in(p, "ram"), *machine = NULL;
    int rc = -1;

    record.record = ISA_MODE_RECORD;
    record.timer_ticks = 0;
    if (asprintf(&machine, "%s -machine memory-backend=isa -object memory-backend-file,id=isa,size=512M,share=on,mem-path=%s",
                 p->oracle_bare, ram) < 0)
        abort();
    rc = run_bare(b, &record, "oracle", machine);
    if (rc)
        goto out;
    rc = -1;
    int fd = open(ram, O_RDONLY);
    size_t size = b->n * sizeof(*b->expected);
    if (fd < 0 || pread(fd, b->expected, size, (off_t)(h.expected - 0x40000000u)) != (ssize_t)size) {
        fprintf(stderr, "isa: no results in %s\n", ram);
    } else {
        rc = 0;
        for (unsigned i = 0; i < b->n; i++)
            if (b->expected[i].kind == ISA_NONE)
                rc = -1;
    }
    if (fd >= 0)
        close(fd);
out:
    unlink(ram);
    free(ram);
    free(machine);
    return rc;
}

int batch_run_oracle(struct batch *b, const struct paths *p)
{
    if (p->oracle_bare)
        return run_bare_oracle(b, p);
    struct isa_batch h = header(b, p);
    char *in = path_in(p, "batch"), *out = path_in(p, "results"), *command = NULL, text[256];
    size_t got;
    FILE *f = fopen(in, "wb");
    int rc = -1;

    if (!f || write_batch(f, b, &h) || fclose(f)) {
        fprintf(stderr, "isa: cannot write %s: %s\n", in, strerror(errno));
        goto out;
    }
    if (asprintf(&command, "exec %s %s %s%s", p->oracle, in, out, p->quiet ? " 2>/dev/null" : "") < 0)
        abort();
    int status = run(command, text, sizeof(text), &got, p->timeout);
    if (status) {
        if (!p->quiet)
            fprintf(stderr, "isa: the oracle failed (status %#x): %s\n", (unsigned)status, command);
        if (status != -1 && WIFSIGNALED(status))
            rc = BATCH_DIED;
        goto out;
    }
    f = fopen(out, "rb");
    if (!f || fread(b->expected, sizeof(*b->expected), b->n, f) != b->n) {
        fprintf(stderr, "isa: no results in %s\n", out);
        goto out;
    }
    fclose(f);
    rc = 0;
out:
    free(in);
    free(out);
    free(command);
    return rc;
}
