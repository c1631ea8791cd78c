/*
 * system.c: the operating system's work, one kind each. system KIND COUNT [ARGUMENT]; prints how many operations were done.
 *
 *   syscall N      getppid()
 *   fork N PROGRAM fork, exec PROGRAM, wait
 *   pipe N         a byte to another process and back
 *   mmap N         map 64 pages, touch each, unmap
 *   switch N P     a token passed round P processes, N hops in all
 *   signal N       a signal sent to itself, handled
 *   tree N         makes a tree of N small files under /tmp/tree (a preparation, not measured)
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static long system_calls(long n, const char *arg)
{
    (void)arg;
    for (long i = 0; i < n; i++)
        if (syscall(SYS_getppid) < 0)
            die("getppid");
    return n;
}

static long forks(long n, const char *program)
{
    for (long i = 0; i < n; i++) {
        int status;
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            execl(program, program, (char *)NULL);
            _exit(127);
        }
        if (waitpid(pid, &status, 0) != pid || status)
            die(program);
    }
    return n;
}

/* Process I reads from pipe I and writes to pipe I+1; the first one counts. */
static long token_ring(long hops, int processes)
{
    int pipes[64][2];
    char token = 0;
    if (processes < 2 || processes > 64)
        exit(2);
    for (int i = 0; i < processes; i++)
        if (pipe(pipes[i]) < 0)
            die("pipe");
    for (int i = 1; i < processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            for (int k = 0; k < processes; k++) { /* so that the ring ends when the first one goes */
                if (k != i)
                    close(pipes[k][0]);
                if (k != (i + 1) % processes)
                    close(pipes[k][1]);
            }
            while (read(pipes[i][0], &token, 1) == 1 && write(pipes[(i + 1) % processes][1], &token, 1) == 1)
                ;
            _exit(0);
        }
    }
    long rounds = hops / processes;
    for (long i = 0; i < rounds; i++) {
        token = (char)i;
        if (write(pipes[1][1], &token, 1) != 1 || read(pipes[0][0], &token, 1) != 1 || token != (char)i)
            die("token");
    }
    for (int k = 0; k < processes; k++)
        close(pipes[k][1]), close(pipes[k][0]);
    while (wait(NULL) > 0)
        ;
    return rounds * processes;
}

static long ping_pong(long n, const char *arg)
{
    (void)arg;
    return token_ring(2 * n, 2) / 2;
}

static long switches(long n, const char *arg) { return token_ring(n, arg ? atoi(arg) : 2); }

static long maps(long n, const char *arg)
{
    enum { PAGES = 64 };
    long touched = 0;
    (void)arg;
    for (long i = 0; i < n; i++) {
        char *p = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            die("mmap");
        for (int k = 0; k < PAGES; k++)
            touched += (p[k * 4096] = 1);
        if (munmap(p, PAGES * 4096) < 0)
            die("munmap");
    }
    return touched;
}

static volatile sig_atomic_t caught;
static void on_signal(int number)
{
    (void)number;
    caught++;
}

static long signals(long n, const char *arg)
{
    struct sigaction a = {.sa_handler = on_signal};
    pid_t self = getpid();
    (void)arg;
    sigaction(SIGUSR1, &a, NULL);
    for (long i = 0; i < n; i++)
        if (kill(self, SIGUSR1) < 0)
            die("kill");
    return caught;
}

static long tree(long n, const char *arg)
{
    char path[64];
    (void)arg;
    if (mkdir("/tmp/tree", 0755) < 0 && errno != EEXIST)
        die("/tmp/tree");
    for (long i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "/tmp/tree/d%03ld", i / 64);
        if (i % 64 == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
            die(path);
        snprintf(path, sizeof(path), "/tmp/tree/d%03ld/file%05ld", i / 64, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd < 0)
            die(path);
        for (long k = 0; k < 1 + i % 16; k++)
            if (write(fd, path, strlen(path)) < 0)
                die(path);
        close(fd);
    }
    return n;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        long (*run)(long n, const char *arg);
    } kinds[] = {{"syscall", system_calls}, {"fork", forks},     {"pipe", ping_pong}, {"mmap", maps},
                 {"switch", switches},      {"signal", signals}, {"tree", tree}};
    for (size_t i = 0; argc >= 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            printf("%s %ld\n", argv[1], kinds[i].run(atol(argv[2]), argc > 3 ? argv[3] : NULL));
            return 0;
        }
    }
    fprintf(stderr, "usage: system KIND COUNT [ARGUMENT]\n");
    return 2;
}
