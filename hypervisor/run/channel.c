/*
 * channel.c: between the process's standard streams and the agent's ports.
 *
 * One thread a stream, with blocking reads and writes, so that a slow reader of one holds up that one only. The device's ends of the
 * sockets are non-blocking and its own; the user's descriptors are never changed.
 *
 * The end: RUN_EXIT says how many bytes each output stream has had in all; when so many have been written, the machine is stopped at once.
 * It may be in the middle of anything then, but the agent has synced disks and shares before it said so.
 */
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/run/impl.h>
#include <hypervisor/run/run.h>
#include <hypervisor/terminal.h>
#include <hypervisor/vm.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKGROUND_MS 200  /* how often to look whether the terminal may be read again */
#define INSIST_MS     2000 /* so many signals within this time end armlet whatever the command does */
#define INSIST_COUNT  3
#define CTRL_C        0x03
#define ESCAPE_KEY    0x1d /* Ctrl-], three times: the same */

enum { THREAD_CONSOLE = PORT_COUNT };

static const char *const port_name[PORT_COUNT] = {
    [PORT_CTL] = RUN_PORT_CTL, [PORT_IN] = RUN_PORT_IN, [PORT_OUT] = RUN_PORT_OUT, [PORT_ERR] = RUN_PORT_ERR};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int write_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EAGAIN) { /* somebody else made the user's descriptor non-blocking */
            struct pollfd w = {.fd = fd, .events = POLLOUT};
            poll(&w, 1, -1);
        } else if (done < 0 && errno != EINTR) {
            return -errno;
        } else if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

static void send_message(struct run *r, const struct run_message *m)
{
    pthread_mutex_lock(&r->send_lock);
    (void)write_all(r->port[PORT_CTL], m, sizeof(*m)); /* fails only when the machine is going away */
    pthread_mutex_unlock(&r->send_lock);
}

/* The user gives up, or there is no command yet that could be told: end armlet as the signal would. */
static void refuse(struct run *r, int number)
{
    int none = 0;
    atomic_compare_exchange_strong(&r->refused, &none, number);
    vm_request_quit(r->vm, RUN_CODE_SIGNAL + number);
}

/* --- standard input -------------------------------------------------------------------------------------------------------- */

/* Keys that are for armlet. false: it ends. */
static bool look_for_keys(struct run *r, const uint8_t *p, ssize_t n, unsigned *escapes)
{
    for (ssize_t i = 0; i < n; i++) {
        *escapes = p[i] == ESCAPE_KEY ? *escapes + 1 : 0;
        if (*escapes == INSIST_COUNT || (p[i] == CTRL_C && !atomic_load(&r->started))) {
            refuse(r, SIGINT);
            return false;
        }
    }
    return true;
}

static void *input_main(void *arg)
{
    struct run *r = arg;
    uint8_t buf[16384];
    uint64_t total = 0;
    unsigned escapes = 0;
    for (;;) {
        if (!terminal_may_read()) { /* from the background it would stop the process */
            poll(NULL, 0, BACKGROUND_MS);
            continue;
        }
        ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
            poll(&p, 1, -1);
            continue;
        }
        if (n <= 0) /* an error is an end too, as it is for the command's own stdio */
            break;
        if (r->tty && !look_for_keys(r, buf, n, &escapes))
            return NULL;
        if (write_all(r->port[PORT_IN], buf, (size_t)n) < 0)
            return NULL;
        total += (uint64_t)n;
    }
    send_message(r, &(struct run_message){.type = RUN_INPUT_END, .in = total});
    return NULL;
}

/* --- standard output and error ---------------------------------------------------------------------------------------------- */

static void output_loop(struct run *r, unsigned port, int to)
{
    uint8_t buf[65536];
    bool closed = false;
    ssize_t n;
    while ((n = read(r->port[port], buf, sizeof(buf))) > 0) {
        if (!closed && write_all(to, buf, (size_t)n) < 0) {
            closed = true; /* as for any program: the command learns of it by SIGPIPE when it writes again */
            send_message(r, &(struct run_message){.type = RUN_CLOSED, .code = port == PORT_OUT ? 1 : 2});
        }
        pthread_mutex_lock(&r->lock);
        r->passed[port - PORT_OUT] += (uint64_t)n;
        pthread_cond_broadcast(&r->progress);
        pthread_mutex_unlock(&r->lock);
    }
}

static void *output_main(void *arg)
{
    output_loop(arg, PORT_OUT, STDOUT_FILENO);
    return NULL;
}

static void *error_main(void *arg)
{
    output_loop(arg, PORT_ERR, STDERR_FILENO);
    return NULL;
}

/* The guest's console: its last bytes are kept for the case that the guest ends too early. */
static void *console_main(void *arg)
{
    struct run *r = arg;
    char buf[1024];
    ssize_t n;
    while ((n = read(r->console[0], buf, sizeof(buf))) > 0) {
        if (r->verbose)
            (void)write_all(STDERR_FILENO, buf, (size_t)n);
        pthread_mutex_lock(&r->lock);
        size_t keep = sizeof(r->last) - (size_t)n, have = r->last_len < keep ? r->last_len : keep;
        memmove(r->last, r->last + r->last_len - have, have);
        memcpy(r->last + have, buf, (size_t)n);
        r->last_len = have + (size_t)n;
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

/* --- messages ----------------------------------------------------------------------------------------------------------------- */

static void exited(struct run *r, const struct run_message *m)
{
    pthread_mutex_lock(&r->lock);
    while (r->passed[0] < m->out || r->passed[1] < m->err)
        pthread_cond_wait(&r->progress, &r->lock);
    r->exited = true;
    r->code = m->code & 0xff;
    pthread_mutex_unlock(&r->lock);
    vm_request_quit(r->vm, (int)(m->code & 0xff));
}

static void *message_main(void *arg)
{
    struct run *r = arg;
    struct run_message m;
    while (recv(r->port[PORT_CTL], &m, sizeof(m), MSG_WAITALL) == (ssize_t)sizeof(m)) {
        if (m.type == RUN_STARTED) {
            atomic_store(&r->started, true);
            run_window_changed(r); /* it may have changed since the configuration was made */
        } else if (m.type == RUN_EXIT) {
            exited(r, &m);
            break;
        }
    }
    return NULL;
}

void run_window_changed(struct run *r)
{
    struct winsize size;
    if (r->tty && atomic_load(&r->started) && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        send_message(r, &(struct run_message){.type = RUN_WINDOW, .code = (uint32_t)size.ws_row << 16 | size.ws_col});
}

bool run_signal(struct run *r, int number)
{
    uint64_t now = now_ms();
    r->signals = now - r->signal_ms < INSIST_MS ? r->signals + 1 : 1;
    r->signal_ms = now;
    if (!atomic_load(&r->started) || r->signals >= INSIST_COUNT)
        refuse(r, number);
    else
        send_message(r, &(struct run_message){.type = RUN_SIGNAL, .code = (uint32_t)number});
    return true;
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

int channel_create(struct run *r)
{
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->send_lock, NULL);
    pthread_cond_init(&r->progress, NULL);
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            goto fail;
        r->port[i] = pair[0];
        r->device[i] = pair[1];
        if (fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) | O_NONBLOCK) < 0)
            goto fail;
        r->ports[i] = (struct virtio_console_port){.name = port_name[i], .in_fd = pair[1], .out_fd = pair[1]};
    }
    if (pipe2(r->console, O_CLOEXEC) < 0)
        goto fail;
    return 0;
fail:
    error_report("no channel to the guest: %s", strerror(errno));
    return -1;
}

int channel_start(struct run *r)
{
    static void *(*const body[PORT_COUNT + 1])(void *) = {[PORT_CTL] = message_main,
                                                          [PORT_IN] = input_main,
                                                          [PORT_OUT] = output_main,
                                                          [PORT_ERR] = error_main,
                                                          [THREAD_CONSOLE] = console_main};
    for (unsigned i = 0; i <= PORT_COUNT; i++) {
        int err = pthread_create(&r->thread[i], NULL, body[i], r);
        if (err) {
            error_report("no thread for the channel to the guest: %s", strerror(err));
            return -1;
        }
        r->running[i] = true;
    }
    return 0;
}

void channel_finish(struct run *r)
{
    for (unsigned i = 0; i < PORT_COUNT; i++)
        close(r->device[i]);
    close(r->console[1]);
    for (unsigned i = 0; i <= PORT_COUNT; i++) {
        /* The first waits for standard input; the second perhaps for bytes that never came. The process ends without them. */
        if (r->running[i] && i != PORT_IN && i != PORT_CTL)
            pthread_join(r->thread[i], NULL);
    }
}
