/*
 * child.c: starting a qemu-storage-daemon, and ending it; see child.h.
 *
 * It ends with us, however we end: with SIGTERM, which makes it close the image in good order, and which the kernel sends it too when its
 * parent dies. The socket pair is made before the child is: a listening socket in a folder that only we can enter, connected to and then
 * unlinked, is handed over as a descriptor, so nobody else can connect and nothing is left behind.
 */
#include <devices/block/child.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM   "qemu-storage-daemon"
#define SOCKET_FD 3 /* of the child */

/* A socket that listens, and one connected to it. 0 or -errno. */
static int private_sockets(int *listener, int *client)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/armlet.XXXXXX";
    if (!mkdtemp(dir))
        return -errno;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/vhost-user", dir);
    int err = 0;
    *listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*listener < 0 || *client < 0 || bind(*listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(*listener, 1) < 0 ||
        connect(*client, (struct sockaddr *)&a, sizeof(a)) < 0)
        err = -errno;
    unlink(a.sun_path);
    rmdir(dir);
    if (err) {
        if (*listener >= 0)
            close(*listener);
        if (*client >= 0)
            close(*client);
        *listener = *client = -1;
    }
    return err;
}

struct spawn {
    char *const *argv;
    char **envp;
    int listener, messages, report;
    pid_t parent;
};

/* In the child: only what is safe after fork in a process with threads. */
static _Noreturn void become(const struct spawn *s)
{
    sigset_t none;
    int err;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0); /* Ctrl-C is for armlet, which ends it in good order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != s->parent)
        _exit(1);
    int null = open("/dev/null", O_RDWR);
    /* Descriptors 0 to 2 are ours to overwrite; what we need may lie on 3. */
    int report = fcntl(s->report, F_DUPFD_CLOEXEC, SOCKET_FD + 1);
    if (null < 0 || report < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s->messages, 2) < 0 ||
        (s->listener == SOCKET_FD ? fcntl(SOCKET_FD, F_SETFD, 0) : dup2(s->listener, SOCKET_FD)) < 0)
        err = errno;
    else
        err = (execvpe(s->argv[0], s->argv, s->envp), errno);
    while (write(report, &err, sizeof(err)) < 0 && errno == EINTR) {
    }
    _exit(1);
}

/* Start argv with a listening socket. The child's pid, or -errno. */
static pid_t spawn(char *const *argv, int listener, int messages)
{
    static char locale[] = "LC_ALL=C";
    extern char **environ;
    size_t n = 0;
    while (environ[n])
        n++;
    char *envp[n + 2];
    int report[2], err = 0;
    envp[0] = locale;
    memcpy(&envp[1], environ, (n + 1) * sizeof(*environ));
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    const struct spawn s = {argv, envp, listener, messages, report[1], getpid()};
    pid_t pid = fork();
    if (pid == 0)
        become(&s);
    if (pid < 0)
        err = errno;
    close(report[1]);
    ssize_t got = pid > 0 ? read(report[0], &err, sizeof(err)) : 0;
    close(report[0]);
    if (pid > 0 && got > 0) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    return pid > 0 ? pid : -(err ? err : EIO);
}

/* The option's value for an image: malloc'ed. Commas of the file's name are doubled, and no name is taken for a protocol. */
static char *image_option(const char *format, const struct block_options *o, bool io_uring)
{
    /* cache=writethrough and directsync: the flush is asked for after each write, so that the guest may change its mind. */
    bool direct = o->cache == BLOCK_CACHE_NONE || o->cache == BLOCK_CACHE_DIRECTSYNC;
    char *name = malloc(2 * strlen(o->file) + 1), *option = NULL, *p = name;
    if (!name)
        return NULL;
    for (const char *f = o->file; *f; f++) {
        if (*f == ',')
            *p++ = ',';
        *p++ = *f;
    }
    *p = 0;
    if (asprintf(&option,
                 "driver=%s,node-name=disk,read-only=%s,cache.direct=%s,cache.no-flush=%s,discard=%s,file.driver=file,file.aio=%s,"
                 "file.filename=%s%s",
                 format, o->read_only || o->snapshot ? "on" : "off", direct ? "on" : "off", o->cache == BLOCK_CACHE_UNSAFE ? "on" : "off",
                 o->discard ? "unmap" : "ignore", io_uring ? "io_uring" : "threads", *o->file == '/' ? "" : "./", name) < 0)
        option = NULL;
    free(name);
    return option;
}

int child_start(struct child *c, const char *format, const struct block_options *o, bool io_uring)
{
    int listener = -1, err;
    *c = CHILD_NONE;
    c->image = image_option(format, o, io_uring);
    if (!c->image) {
        error_report("drive '%s': no memory", o->file);
        return -1;
    }
    c->messages = memfd_create(PROGRAM, MFD_CLOEXEC);
    err = c->messages < 0 ? -errno : private_sockets(&listener, &c->socket);
    if (err) {
        error_report("drive '%s': no socket for " PROGRAM ": %s", o->file, strerror(-err));
        goto fail;
    }
    char export[128];
    snprintf(export, sizeof(export), "type=vhost-user-blk,id=disk,node-name=disk,num-queues=1,addr.type=fd,addr.str=%d,writable=%s",
             SOCKET_FD, o->read_only || o->snapshot ? "off" : "on");
    const char *const argv[] = {PROGRAM, "--blockdev", c->image, "--export", export, NULL};
    pid_t pid = spawn((char *const *)(uintptr_t)argv, listener, c->messages);
    close(listener);
    if (pid == -ENOENT)
        error_report("drive '%s': %s images are served by " PROGRAM ", which is not installed (Debian: apt-get install qemu-system-common)",
                     o->file, format);
    else if (pid < 0)
        error_report("drive '%s': " PROGRAM " cannot be started: %s", o->file, strerror(-pid));
    if (pid < 0)
        goto fail;
    c->pid = pid;
    return 0;
fail:
    child_end(c);
    return -1;
}

/* Its last words, in text; where they begin behind the program's name and the option. */
static char *last_words(struct child *c, char *text, size_t size)
{
    char prefix[64 + strlen(c->image)];
    if (c->pid) {
        close(c->socket);
        c->socket = -1;
        kill(c->pid, SIGTERM);
        waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
    ssize_t n = pread(c->messages, text, size - 1, 0);
    text[n > 0 ? n : 0] = 0;
    size_t len = (size_t)snprintf(prefix, sizeof(prefix), PROGRAM ": --blockdev %s: ", c->image);
    if (!strncmp(text, prefix, len))
        return text + len;
    len = strlen(PROGRAM ": ");
    return strncmp(text, PROGRAM ": ", len) ? text : text + len;
}

void child_report(struct child *c, const char *name, const char *otherwise)
{
    char text[8192], *p = last_words(c, text, sizeof(text));
    p[strcspn(p, "\n")] = 0;
    if (strstr(p, "Failed to get ") && strstr(p, " lock"))
        error_report("drive '%s': another process or drive is using the image", name);
    else
        error_report("drive '%s': " PROGRAM " does not open it: %s", name, *p ? p : otherwise);
}

bool child_refuses_uring(struct child *c)
{
    char text[8192];
    return strstr(last_words(c, text, sizeof(text)), "io_uring");
}

void child_end(struct child *c)
{
    if (c->socket >= 0)
        close(c->socket);
    if (c->pid) {
        kill(c->pid, SIGTERM);
        waitpid(c->pid, NULL, 0);
    }
    if (c->messages >= 0)
        close(c->messages);
    free(c->image);
    *c = CHILD_NONE;
}
