/*
 * serial.c: serial port backends; see serial.h.
 */
#include <devices/serial.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/event.h>
#include <hypervisor/options.h>
#include <hypervisor/signals.h>
#include <hypervisor/terminal.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TX_SIZE  65536u /* power of two */
#define TX_HIGH  (TX_SIZE - 4096u) /* above: the port is asked to hold back */
#define TX_LOW   (TX_SIZE / 2)     /* below: it may go on */
#define TX_CHUNK 4096u
#define GATHER_NS 300000l          /* how long the first byte after a silence waits for company */
#define RX_SIZE  4096u /* power of two */

struct serial {
    enum serial_kind kind;
    struct serial_host host;
    struct serial_port port;
    char *path;       /* for messages; of the socket to remove at the end */
    bool unlink_path;
    int in_fd;        /* -1: no input (any more); stdio: 0; socket: the client */
    int out_fd;       /* -1: output is discarded */
    int listen_fd;
    int wake_fd;      /* eventfd: the input ring has room again */

    bool escapes;     /* Ctrl-A keys */
    struct escape escape;
    bool stamps, at_line_start;

    pthread_mutex_t lock;
    pthread_cond_t work; /* writer: there is output */
    pthread_cond_t space; /* others: the writer made progress */
    pthread_t writer;
    bool writer_running, writer_quit, ending;
    bool writing;     /* the writer is in a write */
    bool failed;      /* the output is broken and has been reported */
    bool held;        /* the port was told to hold back */
    bool port_ready;
    uint32_t tx_head, tx_tail; /* free-running */
    uint32_t rx_head, rx_tail;
    uint8_t tx[TX_SIZE], rx[RX_SIZE];
};

/* --- output ------------------------------------------------------------------------------------------------------------ */

/* Write all of it, to a descriptor that may be non-blocking. 0 or errno. */
static int write_all(int fd, const uint8_t *p, size_t n, bool socket)
{
    while (n) {
        ssize_t done = socket ? send(fd, p, n, MSG_NOSIGNAL) : write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN) {
            struct pollfd w = {.fd = fd, .events = POLLOUT};
            poll(&w, 1, -1);
            continue;
        }
        if (done < 0)
            return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static void output_failed(struct serial *s, int err)
{
    if (s->kind == SERIAL_UNIX) /* the client went away; the event loop sees that too */
        return;
    s->failed = true;
    if (s->path)
        error_report("the serial output cannot be written to '%s': %s", s->path, strerror(err));
    else
        error_report("standard output cannot be written: %s", strerror(err));
    s->host.quit(s->host.ctx, 1);
}

static void *writer_main(void *arg)
{
    struct serial *s = arg;
    prctl(PR_SET_NAME, "armlet-serial");
    pthread_mutex_lock(&s->lock);
    while (!s->writer_quit) {
        if (s->tx_head == s->tx_tail) {
            pthread_cond_wait(&s->work, &s->lock);
            /* More is likely to follow: a guest prints byte by byte. Without this, each byte is a wake-up and a write. */
            pthread_mutex_unlock(&s->lock);
            nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
            pthread_mutex_lock(&s->lock);
            continue;
        }
        uint32_t at = s->tx_tail % TX_SIZE, n = s->tx_head - s->tx_tail;
        if (n > TX_SIZE - at)
            n = TX_SIZE - at;
        if (n > TX_CHUNK)
            n = TX_CHUNK;
        int fd = s->failed ? -1 : s->out_fd;
        s->writing = true;
        pthread_mutex_unlock(&s->lock);
        int err = fd < 0 ? 0 : write_all(fd, s->tx + at, n, s->kind == SERIAL_UNIX);
        pthread_mutex_lock(&s->lock);
        s->writing = false;
        if (err && !s->failed)
            output_failed(s, err);
        s->tx_tail += n;
        pthread_cond_broadcast(&s->space);
        if (s->held && s->tx_head - s->tx_tail <= TX_LOW) {
            s->held = false;
            bool tell = s->port_ready;
            pthread_mutex_unlock(&s->lock);
            if (tell)
                s->port.room(s->port.ctx);
            pthread_mutex_lock(&s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* With the lock held. When the machine is being ended and the ring is full, the byte is lost. */
static void put_locked(struct serial *s, uint8_t byte)
{
    while (s->tx_head - s->tx_tail == TX_SIZE && !s->ending)
        pthread_cond_wait(&s->space, &s->lock);
    if (s->tx_head - s->tx_tail == TX_SIZE)
        return;
    s->tx[s->tx_head % TX_SIZE] = byte;
    if (s->tx_head++ == s->tx_tail)
        pthread_cond_signal(&s->work);
}

void serial_tx(struct serial *s, uint8_t byte)
{
    if (s->kind == SERIAL_NULL)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->stamps && s->at_line_start) {
        struct timespec now;
        struct tm tm;
        char text[40];
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        int n = snprintf(text, sizeof(text), "[%02d:%02d:%02d.%03ld] ", tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
        for (int i = 0; i < n; i++)
            put_locked(s, (uint8_t)text[i]);
    }
    s->at_line_start = byte == '\n';
    put_locked(s, byte);
    pthread_mutex_unlock(&s->lock);
}

bool serial_tx_busy(struct serial *s)
{
    pthread_mutex_lock(&s->lock);
    bool busy = s->held || s->tx_head - s->tx_tail >= TX_HIGH;
    if (busy)
        s->held = true;
    pthread_mutex_unlock(&s->lock);
    return busy;
}

bool serial_drain(struct serial *s, int timeout_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_nsec -= 1000000000L;
        end.tv_sec++;
    }
    pthread_mutex_lock(&s->lock);
    while (s->tx_head != s->tx_tail) {
        if (pthread_cond_timedwait(&s->space, &s->lock, &end) == ETIMEDOUT)
            break;
    }
    bool done = s->tx_head == s->tx_tail;
    pthread_mutex_unlock(&s->lock);
    return done;
}

void serial_end(struct serial *s, bool ending)
{
    pthread_mutex_lock(&s->lock);
    s->ending = ending;
    pthread_cond_broadcast(&s->space);
    pthread_mutex_unlock(&s->lock);
}

/* --- input ------------------------------------------------------------------------------------------------------------- */

size_t serial_pull(struct serial *s, uint8_t *buf, size_t n)
{
    pthread_mutex_lock(&s->lock);
    uint32_t have = s->rx_head - s->rx_tail;
    bool was_full = have == RX_SIZE;
    if (n > have)
        n = have;
    for (size_t i = 0; i < n; i++)
        buf[i] = s->rx[s->rx_tail++ % RX_SIZE];
    pthread_mutex_unlock(&s->lock);
    if (was_full && n) {
        uint64_t one = 1;
        if (write(s->wake_fd, &one, sizeof(one)) < 0) {
            /* the counter cannot overflow: the event loop reads it */
        }
    }
    return n;
}

static uint32_t rx_room(struct serial *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t room = RX_SIZE - (s->rx_head - s->rx_tail);
    pthread_mutex_unlock(&s->lock);
    return room;
}

/* For the user, from the main thread: which must not wait for a reader that may never come. */
static void send_text(struct serial *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    bool full = s->tx_head - s->tx_tail >= TX_HIGH;
    pthread_mutex_unlock(&s->lock);
    if (full)
        return;
    for (; *text; text++)
        serial_tx(s, (uint8_t)*text);
}

static void take_input(struct serial *s, const uint8_t *buf, size_t n)
{
    bool arrived = false;
    for (size_t i = 0; i < n; i++) {
        switch (s->escapes ? escape_feed(&s->escape, buf[i]) : ESCAPE_PASS) {
        case ESCAPE_PASS:
            pthread_mutex_lock(&s->lock);
            s->rx[s->rx_head++ % RX_SIZE] = buf[i]; /* the caller read no more than there is room for */
            pthread_mutex_unlock(&s->lock);
            arrived = true;
            break;
        case ESCAPE_HELP:
            send_text(s, escape_help_text);
            break;
        case ESCAPE_QUIT:
            error_report("terminated");
            s->host.quit(s->host.ctx, 0);
            break;
        case ESCAPE_BREAK:
            s->port.line_break(s->port.ctx);
            break;
        case ESCAPE_POWER:
            if (s->host.power_button)
                s->host.power_button(s->host.ctx);
            break;
        case ESCAPE_STAMPS:
            pthread_mutex_lock(&s->lock);
            s->stamps = !s->stamps;
            pthread_mutex_unlock(&s->lock);
            break;
        case ESCAPE_NONE:
            break;
        }
    }
    if (arrived)
        s->port.input(s->port.ctx);
}

static void drop_client(struct serial *s)
{
    pthread_mutex_lock(&s->lock);
    int fd = s->in_fd;
    s->in_fd = s->out_fd = -1;
    pthread_mutex_unlock(&s->lock);
    shutdown(fd, SHUT_RDWR); /* ends a write that is under way */
    pthread_mutex_lock(&s->lock);
    while (s->writing)
        pthread_cond_wait(&s->space, &s->lock);
    pthread_mutex_unlock(&s->lock);
    close(fd);
}

static int input_fd(void *arg)
{
    struct serial *s = arg;
    return s->in_fd;
}

static short input_events(void *arg)
{
    struct serial *s = arg;
    if (s->in_fd < 0 || !rx_room(s))
        return 0;
    if (s->in_fd == STDIN_FILENO && !terminal_may_read())
        return 0;
    return POLLIN;
}

static void input_ready(void *arg, short revents UNUSED)
{
    struct serial *s = arg;
    uint8_t buf[RX_SIZE];
    uint32_t room = rx_room(s);
    ssize_t n = read(s->in_fd, buf, room < sizeof(buf) ? room : sizeof(buf));
    if (n > 0)
        take_input(s, buf, (size_t)n);
    else if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    else if (s->kind == SERIAL_UNIX)
        drop_client(s);
    else
        s->in_fd = -1; /* end of input: the guest goes on without */
}

/* The sources are told apart by their argument, so each gets the address of its own descriptor. */
static int listen_fd(void *arg)
{
    int *fd = arg;
    return *fd;
}

static short listen_events(void *arg)
{
    struct serial *s = container_of(arg, struct serial, listen_fd);
    return s->in_fd < 0 ? POLLIN : 0;
}

static void listen_ready(void *arg, short revents UNUSED)
{
    struct serial *s = container_of(arg, struct serial, listen_fd);
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    pthread_mutex_lock(&s->lock);
    s->in_fd = s->out_fd = fd;
    pthread_mutex_unlock(&s->lock);
}

static int wake_fd(void *arg)
{
    int *fd = arg;
    return *fd;
}

static short wake_events(void *arg UNUSED) { return POLLIN; }

static void wake_ready(void *arg, short revents UNUSED)
{
    uint64_t count;
    int *fd = arg;
    if (read(*fd, &count, sizeof(count)) < 0) {
        /* nothing pending after all */
    }
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

static int open_file(struct serial *s)
{
    s->out_fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->out_fd < 0)
        error_report("the serial output '%s' cannot be opened: %s", s->path, strerror(errno));
    return s->out_fd < 0 ? -1 : 0;
}

static int open_unix(struct serial *s, const struct options *o)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(s->path) >= sizeof(a.sun_path)) {
        error_report("the socket path '%s' is longer than %zu bytes", s->path, sizeof(a.sun_path) - 1);
        return -1;
    }
    strcpy(a.sun_path, s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    if (!o->serial_server) {
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
            goto fail;
        s->in_fd = s->out_fd = fd;
        return 0;
    }
    struct stat st;
    if (stat(s->path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(s->path); /* left over from an earlier run */
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
        goto fail;
    s->unlink_path = true;
    s->listen_fd = fd;
    if (o->serial_nowait)
        return 0;
    error_report("waiting for a connection on the socket '%s'", s->path);
    int client;
    signals_unblock();
    do {
        client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    } while (client < 0 && errno == EINTR);
    signals_block();
    if (client < 0) {
        error_report("no connection on the socket '%s': %s", s->path, strerror(errno));
        return -1;
    }
    s->in_fd = s->out_fd = client;
    return 0;
fail:
    error_report("the socket '%s' cannot be used for the serial port: %s", s->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_stdio(struct serial *s)
{
    /* Descriptors that were closed at the start stand as /dev/null opened the wrong way round (main.c); a write says which. */
    if (write(STDOUT_FILENO, "", 0) < 0) {
        error_report("standard output cannot be written: %s", errno == EBADF ? "it is closed" : strerror(errno));
        return -1;
    }
    s->in_fd = STDIN_FILENO;
    s->out_fd = STDOUT_FILENO;
    s->escapes = s->kind == SERIAL_MON_STDIO || isatty(STDIN_FILENO);
    terminal_setup(TERMINAL_KEEP_OUTPUT | (s->kind == SERIAL_STDIO ? TERMINAL_KEEP_SIGNALS : 0));
    return 0;
}

struct serial *serial_create(const struct options *o, struct serial_host host)
{
    struct serial *s = calloc(1, sizeof(*s));
    if (!s || (o->serial_path && !(s->path = strdup(o->serial_path)))) {
        error_report("there is no memory for the serial port");
        free(s);
        return NULL;
    }
    s->kind = o->serial == SERIAL_DEFAULT ? SERIAL_MON_STDIO : o->serial;
    s->host = host;
    s->in_fd = s->out_fd = s->listen_fd = -1;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->at_line_start = true;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t ca;
    pthread_condattr_init(&ca);
    pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &ca);
    pthread_cond_init(&s->space, &ca);
    pthread_condattr_destroy(&ca);

    int err = 0;
    if (s->wake_fd < 0) {
        error_report("no event descriptor for the serial port: %s", strerror(errno));
        err = -1;
    } else if (s->kind == SERIAL_FILE) {
        err = open_file(s);
    } else if (s->kind == SERIAL_UNIX) {
        err = open_unix(s, o);
    } else if (s->kind != SERIAL_NULL) {
        err = open_stdio(s);
    }
    if (!err && s->kind != SERIAL_NULL) {
        err = pthread_create(&s->writer, NULL, writer_main, s);
        if (err)
            error_report("no thread for the serial port: %s", strerror(err));
        else
            s->writer_running = true;
    }
    if (err) {
        serial_destroy(s);
        return NULL;
    }
    return s;
}

bool serial_start(struct serial *s, struct event_loop *loop, struct serial_port port)
{
    pthread_mutex_lock(&s->lock);
    s->port = port;
    s->port_ready = true;
    pthread_mutex_unlock(&s->lock);
    return event_add(loop, (struct event_source){input_fd, input_events, input_ready, s}) &&
           event_add(loop, (struct event_source){wake_fd, wake_events, wake_ready, &s->wake_fd}) &&
           (s->listen_fd < 0 || event_add(loop, (struct event_source){listen_fd, listen_events, listen_ready, &s->listen_fd}));
}

void serial_destroy(struct serial *s)
{
    if (!s)
        return;
    if (s->unlink_path)
        unlink(s->path);
    if (s->writer_running) {
        pthread_mutex_lock(&s->lock);
        s->writer_quit = true;
        pthread_cond_signal(&s->work);
        bool idle = s->tx_head == s->tx_tail;
        pthread_mutex_unlock(&s->lock);
        if (!idle) {
            /* It may sit in a write that never ends; the process is about to, so leave it and what it uses. */
            pthread_detach(s->writer);
            return;
        }
        pthread_join(s->writer, NULL);
    }
    if (s->kind == SERIAL_FILE || s->kind == SERIAL_UNIX) {
        if (s->out_fd >= 0)
            close(s->out_fd);
    }
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->space);
    free(s->path);
    free(s);
}
