/*
 * command.c: run the command and carry its bytes between its pipes (or terminal) and the ports.
 *
 * One thread, one poll loop, nothing blocks: a reader on the host that does not read holds up that stream and nothing else. The command
 * gets pipes, not the ports themselves, so that it can reopen /dev/stdout and leave processes behind without keeping the guest alive.
 */
#include "agent.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TURNS    16  /* of one stream before the others and messages get theirs */
#define TTY_FLUSH_MS 200 /* what a terminal's line discipline may still hold after the last writer is gone */

/* Bytes on their way from one descriptor to another. */
struct stream {
    int src, dst; /* non-blocking; -1 once ended */
    uint8_t buf[65536];
    size_t at, len;  /* the part of buf not written yet */
    uint64_t taken;  /* bytes read */
    uint64_t passed; /* bytes written */
};

struct command {
    const struct config *config;
    pid_t pid;
    bool ended;
    int status; /* as waitpid() has it */
    int ctl, signals;
    uint64_t input_end; /* total of standard input, or UINT64_MAX while it goes on */
    struct stream in, out, err;
    struct run_message partial;
    size_t partial_len;
};

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- the command's side -------------------------------------------------------------------------------------------------- */

static void child_main(const struct config *c, int in, int out, int err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (c->tty)
        ioctl(in, TIOCSCTTY, 0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    if (chdir(c->cwd) < 0)
        fprintf(stderr, "armlet: the guest has no directory %s: %s\n", c->cwd, strerror(errno));
    environ = (char **)c->env;
    execvp(c->arg[0], c->arg); /* searches the new environment's PATH */
    int error = errno;
    fprintf(stderr, "armlet: %s cannot be run in the guest: %s\n", c->arg[0], strerror(error));
    fflush(stderr);
    _exit(error == ENOENT || error == ENOTDIR ? RUN_CODE_NOT_FOUND : RUN_CODE_CANNOT_RUN);
}

static void spawn(struct command *m)
{
    const struct config *c = m->config;
    int in[2], out[2], err[2], master = -1, slave = -1;
    if (c->tty) {
        struct winsize size = {.ws_row = (unsigned short)c->rows, .ws_col = (unsigned short)c->cols};
        if (openpty(&master, &slave, NULL, NULL, &size) < 0)
            die("no terminal for the command: %s", strerror(errno));
    } else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
        die("no pipes for the command: %s", strerror(errno));
    }
    m->pid = fork();
    if (m->pid < 0)
        die("no process for the command: %s", strerror(errno));
    if (m->pid == 0) {
        if (c->tty)
            child_main(c, slave, slave, slave);
        child_main(c, in[0], out[1], err[1]);
    }
    if (c->tty) {
        close(slave);
        m->in.dst = m->out.src = master;
        m->err.src = -1;
    } else {
        close(in[0]);
        close(out[1]);
        close(err[1]);
        m->in.dst = in[1];
        m->out.src = out[0];
        m->err.src = err[0];
        set_nonblocking(m->err.src);
    }
    set_nonblocking(m->in.dst);
    set_nonblocking(m->out.src);
}

/* --- streams --------------------------------------------------------------------------------------------------------------- */

static bool again(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Read into an empty buffer. false: nothing there now; at the end src becomes -1. */
static bool stream_fill(struct stream *s)
{
    if (s->src < 0 || s->len)
        return false;
    ssize_t n = read(s->src, s->buf, sizeof(s->buf));
    if (n < 0 && again())
        return false;
    if (n <= 0) { /* a terminal's master says EIO when the last slave is closed */
        s->src = -1;
        return false;
    }
    s->at = 0;
    s->len = (size_t)n;
    s->taken += (uint64_t)n;
    return true;
}

/* Write what there is. false: cannot go on now; when nobody reads any more, dst becomes -1. */
static bool stream_empty(struct stream *s)
{
    if (!s->len)
        return false;
    if (s->dst < 0) {
        s->len = 0;
        return true;
    }
    ssize_t n = write(s->dst, s->buf + s->at, s->len);
    if (n < 0 && again())
        return false;
    if (n < 0) {
        s->dst = -1;
        s->len = 0;
        return true;
    }
    s->at += (size_t)n;
    s->len -= (size_t)n;
    s->passed += (uint64_t)n;
    return n > 0;
}

static void stream_pump(struct stream *s)
{
    for (int turns = 0; turns < MAX_TURNS && (stream_fill(s) | stream_empty(s)); turns++) {
    }
}

static void stream_poll(const struct stream *s, struct pollfd *src, struct pollfd *dst)
{
    *src = (struct pollfd){.fd = s->len ? -1 : s->src, .events = POLLIN};
    *dst = (struct pollfd){.fd = s->len ? s->dst : -1, .events = POLLOUT};
}

/* Standard input: it ends where the host says. */
static void input_pump(struct command *m)
{
    struct stream *s = &m->in;
    int port = s->src;
    stream_pump(s);
    s->src = port; /* a port that reads as ended is just empty */
    if (s->dst < 0 || (s->taken >= m->input_end && !s->len)) {
        if (!m->config->tty)
            close_fd(&s->dst);
        s->dst = -1;
        s->src = -1; /* whatever else comes is not read: the host's writer waits */
    }
}

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

static void send_message(int ctl, const struct run_message *msg)
{
    const uint8_t *p = (const uint8_t *)msg;
    for (size_t done = 0; done < sizeof(*msg);) {
        ssize_t n = write(ctl, p + done, sizeof(*msg) - done);
        if (n > 0) {
            done += (size_t)n;
        } else {
            struct pollfd w = {.fd = ctl, .events = POLLOUT};
            poll(&w, 1, 10);
        }
    }
}

static void take_message(struct command *m, const struct run_message *msg)
{
    switch (msg->type) {
    case RUN_SIGNAL:
        if (!m->ended)
            kill(-m->pid, (int)msg->code);
        break;
    case RUN_WINDOW:
        if (m->config->tty) {
            struct winsize size = {.ws_row = (unsigned short)(msg->code >> 16), .ws_col = (unsigned short)msg->code};
            ioctl(m->out.src, TIOCSWINSZ, &size); /* sends SIGWINCH */
        }
        break;
    case RUN_INPUT_END:
        m->input_end = msg->in;
        break;
    case RUN_CLOSED: {
        struct stream *s = msg->code == 1 ? &m->out : &m->err;
        if (!m->config->tty)
            close_fd(&s->src); /* the command's next write is a broken pipe */
        break;
    }
    }
}

static void read_messages(struct command *m)
{
    for (;;) {
        ssize_t n = read(m->ctl, (uint8_t *)&m->partial + m->partial_len, sizeof(m->partial) - m->partial_len);
        if (n <= 0)
            return;
        m->partial_len += (size_t)n;
        if (m->partial_len == sizeof(m->partial)) {
            m->partial_len = 0;
            take_message(m, &m->partial);
        }
    }
}

/* As init, reap everybody. */
static void reap(struct command *m)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    while (read(m->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == m->pid) {
            m->ended = true;
            m->status = status;
        }
    }
}

/* --- the whole ----------------------------------------------------------------------------------------------------------------- */

static void serve(struct command *m, int timeout_ms)
{
    struct pollfd p[8];
    p[0] = (struct pollfd){.fd = m->ctl, .events = POLLIN};
    p[1] = (struct pollfd){.fd = m->signals, .events = POLLIN};
    stream_poll(&m->in, &p[2], &p[3]);
    stream_poll(&m->out, &p[4], &p[5]);
    stream_poll(&m->err, &p[6], &p[7]);
    poll(p, 8, timeout_ms);
    read_messages(m);
    reap(m);
    input_pump(m);
    stream_pump(&m->out);
    stream_pump(&m->err);
}

/* Bytes that are in the pipe right now, after those taken. */
static uint64_t stream_target(const struct stream *s)
{
    int n = 0;
    if (s->src >= 0)
        ioctl(s->src, FIONREAD, &n);
    return s->taken + (uint64_t)n;
}

static bool stream_done(const struct stream *s, uint64_t target)
{
    return !s->len && (s->src < 0 || s->taken >= target);
}

/* Pass on what the command left in its pipes. Whoever else has them open does not hold up the end. */
static void finish_output(struct command *m)
{
    int idle = 0;
    while (m->config->tty && m->out.src >= 0 && idle < TTY_FLUSH_MS) {
        uint64_t before = m->out.taken;
        serve(m, 10);
        idle = m->out.taken == before ? idle + 10 : 0;
    }
    uint64_t out = stream_target(&m->out), err = stream_target(&m->err);
    while (!stream_done(&m->out, out) || !stream_done(&m->err, err))
        serve(m, -1);
}

void command_run(const struct config *c)
{
    static struct command m;
    sigset_t chld;
    m.config = c;
    m.input_end = UINT64_MAX;
    m.ctl = port_open(RUN_PORT_CTL);
    m.in.src = port_open(RUN_PORT_IN);
    m.out.dst = port_open(RUN_PORT_OUT);
    m.err.dst = port_open(RUN_PORT_ERR);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    m.signals = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
    if (m.signals < 0)
        die("no descriptor for signals: %s", strerror(errno));

    spawn(&m);
    send_message(m.ctl, &(struct run_message){.type = RUN_STARTED});
    while (!m.ended)
        serve(&m, -1);
    finish_output(&m);

    kill(-1, SIGKILL);
    system_settle(c);
    send_message(m.ctl,
                 &(struct run_message){
                     .type = RUN_EXIT,
                     .code = WIFSIGNALED(m.status) ? RUN_CODE_SIGNAL + (uint32_t)WTERMSIG(m.status) : (uint32_t)WEXITSTATUS(m.status),
                     .out = m.out.passed,
                     .err = m.err.passed,
                 });
    poll(NULL, 0, 10000); /* the host ends the guest */
}
