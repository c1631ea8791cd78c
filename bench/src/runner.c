/*
 * runner.c: what takes orders in a measured guest (as /init), and natively (in the same tree, under chroot).
 *
 * A line on standard input is an order; each is answered by lines that begin with "bench:".
 *
 *   run NAME<TAB>COMMAND   runs COMMAND with /bin/sh, standard output to a file. "bench: begin NAME", then
 *                          "bench: end NAME STATUS SECONDS USER SYSTEM HASH BYTES": wall clock, processor time of the command and its children, 64-bit
 *                          FNV-1a hash and size of the output. After a failure "bench: stderr TEXT" lines come first.
 *   quit                   ends; as /init, powers the machine off
 *
 * The clock runs only while the command does: the begin line has left the UART before, and the output is hashed afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define OUT "/tmp/out"
#define ERR "/tmp/err"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static void fail(const char *what)
{
    printf("bench: error %s: %s\n", what, strerror(errno));
    fflush(stdout);
}

static uint64_t hash_file(const char *path, uint64_t *size)
{
    static unsigned char buffer[65536];
    uint64_t h = 0xcbf29ce484222325u;
    ssize_t n;
    int fd = open(path, O_RDONLY);
    *size = 0;
    if (fd < 0)
        return 0;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        *size += (uint64_t)n;
        for (ssize_t i = 0; i < n; i++)
            h = (h ^ buffer[i]) * 0x100000001b3u;
    }
    close(fd);
    return h;
}

static void show_errors(void)
{
    char line[512];
    FILE *f = fopen(ERR, "r");
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\r\n")] = 0;
        printf("bench: stderr %s\n", line);
    }
    if (f)
        fclose(f);
}

static void redirect(const char *path, int flags, int to)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, to) < 0)
        _exit(126);
}

static void run(const char *name, const char *command)
{
    struct rusage before, after;
    int status = 0;
    printf("bench: begin %s\n", name);
    fflush(stdout);
    tcdrain(STDOUT_FILENO);
    getrusage(RUSAGE_CHILDREN, &before);
    double start = now();
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
        return;
    }
    if (pid == 0) {
        redirect("/dev/null", O_RDONLY, STDIN_FILENO);
        redirect(OUT, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect(ERR, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    double end = now();
    getrusage(RUSAGE_CHILDREN, &after);
    uint64_t size, hash = hash_file(OUT, &size);
    if (status)
        show_errors();
    printf("bench: end %s %d %.6f %.6f %.6f %016llx %llu\n", name, status, end - start, seconds(after.ru_utime) - seconds(before.ru_utime),
           seconds(after.ru_stime) - seconds(before.ru_stime), (unsigned long long)hash, (unsigned long long)size);
    fflush(stdout);
}

static void machine_setup(void)
{
    struct termios t;
    static const struct {
        const char *type, *on;
    } mounts[] = {{"proc", "/proc"}, {"devtmpfs", "/dev"}, {"sysfs", "/sys"}};
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
        if (mount(mounts[i].type, mounts[i].on, mounts[i].type, 0, NULL) < 0 && errno != EBUSY)
            fail(mounts[i].on);
    if (tcgetattr(STDIN_FILENO, &t) == 0) {
        t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        t.c_oflag &= ~(tcflag_t)ONLCR;
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
}

int main(void)
{
    static char line[4096];
    setenv("PATH", "/bench/bin:/usr/bin:/bin:/usr/games", 1);
    setenv("HOME", "/tmp", 1);
    setenv("LC_ALL", "C", 1);
    if (getpid() == 1)
        machine_setup();
    printf("bench: ready %.3f\n", now());
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        char *command = strchr(line, '\t');
        if (strncmp(line, "run ", 4) == 0 && command) {
            *command++ = 0;
            run(line + 4, command);
        } else if (strcmp(line, "quit") == 0) {
            break;
        } else {
            printf("bench: error not an order: %s\n", line);
            fflush(stdout);
        }
    }
    if (getpid() == 1) {
        tcdrain(STDOUT_FILENO);
        reboot(RB_POWER_OFF);
    }
    return 0;
}
