/*
 * monitor.c: see monitor.h.
 */
#include <devices/virtio/balloon.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/monitor.h>
#include <hypervisor/options.h>
#include <hypervisor/vm.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256u

struct monitor {
    struct vm *vm;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int listen_fd, client_fd;
    char line[LINE_MAX_BYTES];
    size_t length;
    bool too_long; /* the line is being skipped */
    char answer[512];
};

/* --- commands ---------------------------------------------------------------------------------------------------------------------- */

/* Commands: `text` is what follows the name, "" for nothing. NULL is answered as "ok", other results as they are, a line with its end. */
static const char *powerdown(struct monitor *m, const char *text UNUSED)
{
    vm_power_button(m->vm);
    return NULL;
}

static const char *reset(struct monitor *m, const char *text UNUSED)
{
    vm_request_reset(m->vm);
    return NULL;
}

static const char *quit(struct monitor *m, const char *text UNUSED)
{
    vm_request_quit(m->vm, 0);
    return NULL;
}

static const char no_balloon[] = "error: there is no balloon; give the option -device virtio-balloon-device\n";

static const char *balloon(struct monitor *m, const char *text)
{
    uint64_t bytes;
    if (!m->vm->board.balloon)
        return no_balloon;
    if (!options_parse_size(text, 1u << 20, &bytes))
        return "error: balloon takes the memory to leave to the guest, in MiB\n";
    virtio_balloon_set(m->vm->board.balloon, bytes);
    return NULL;
}

static const char *info(struct monitor *m, const char *text)
{
    if (strcmp(text, "balloon"))
        return "error: info takes balloon\n";
    if (!m->vm->board.balloon)
        return no_balloon;
    snprintf(m->answer, sizeof(m->answer), "balloon: actual=%llu\n", (unsigned long long)(virtio_balloon_get(m->vm->board.balloon) >> 20));
    return m->answer;
}

static const char *help(struct monitor *m, const char *text);

static const struct command {
    const char *name, *help;
    bool arguments;
    const char *(*run)(struct monitor *m, const char *text);
} commands[] = {
    {"system_powerdown", "press the power button", false, powerdown},
    {"system_reset", "reset the machine", false, reset},
    {"balloon", "leave that many MiB of memory to the guest", true, balloon},
    {"info", "balloon: how many MiB the guest has", true, info},
    {"quit", "end armlet", false, quit},
    {"q", NULL, false, quit},
    {"help", "list the commands", false, help},
};

/* A reader that does not read loses answers: the main thread waits for nobody. */
static void answer(struct monitor *m, const char *text)
{
    if (send(m->client_fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        /* it has gone; the event loop sees that too */
    }
}

static const char *help(struct monitor *m, const char *text UNUSED)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].help)
            n += (size_t)snprintf(m->answer + n, sizeof(m->answer) - n, "%s: %s\n", commands[i].name, commands[i].help);
    }
    return m->answer;
}

static void run_line(struct monitor *m, char *line)
{
    char *name = strtok(line, " \t\r"), *text = name ? strtok(NULL, " \t\r") : NULL, *more = text ? strtok(NULL, " \t\r") : NULL;
    if (!name)
        return;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name))
            continue;
        const char *result;
        if (commands[i].arguments ? !text || more : text != NULL)
            result = commands[i].arguments ? "error: the command takes one argument\n" : "error: the command takes no arguments\n";
        else
            result = commands[i].run(m, text ? text : "");
        answer(m, result ? result : "ok\n");
        return;
    }
    answer(m, "error: there is no such command; help lists them\n");
}

static void take(struct monitor *m, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n') {
            if (m->length < LINE_MAX_BYTES - 1)
                m->line[m->length++] = p[i];
            else
                m->too_long = true;
            continue;
        }
        m->line[m->length] = 0;
        if (m->too_long)
            answer(m, "error: the line is too long\n");
        else
            run_line(m, m->line);
        m->length = 0;
        m->too_long = false;
    }
}

/* --- the socket -------------------------------------------------------------------------------------------------------------------- */

static int client_fd(void *arg)
{
    struct monitor *m = container_of(arg, struct monitor, client_fd);
    return m->client_fd;
}

static short client_events(void *arg)
{
    return client_fd(arg) >= 0 ? POLLIN : 0;
}

static void client_ready(void *arg, short revents UNUSED)
{
    struct monitor *m = container_of(arg, struct monitor, client_fd);
    char buf[512];
    ssize_t n = recv(m->client_fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n > 0) {
        take(m, buf, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(m->client_fd);
        m->client_fd = -1;
        m->length = 0;
        m->too_long = false;
    }
}

static int listen_fd(void *arg)
{
    struct monitor *m = container_of(arg, struct monitor, listen_fd);
    return m->client_fd < 0 ? m->listen_fd : -1;
}

static short listen_events(void *arg UNUSED)
{
    return POLLIN;
}

static void listen_ready(void *arg, short revents UNUSED)
{
    struct monitor *m = container_of(arg, struct monitor, listen_fd);
    if (m->client_fd < 0)
        m->client_fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC);
}

struct monitor *monitor_create(struct vm *vm, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    struct monitor *m = calloc(1, sizeof(*m));
    if (!m) {
        error_report("there is no memory for the monitor");
        return NULL;
    }
    m->vm = vm;
    m->listen_fd = m->client_fd = -1;
    if (strlen(path) >= sizeof(a.sun_path)) {
        error_report("the socket path '%s' is longer than %zu bytes", path, sizeof(a.sun_path) - 1);
        goto fail;
    }
    strcpy(a.sun_path, path);
    m->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path); /* left over from an earlier run */
    if (m->listen_fd < 0 || bind(m->listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        error_report("the socket '%s' cannot be used for the monitor: %s", path, strerror(errno));
        goto fail;
    }
    strcpy(m->path, path);
    if (listen(m->listen_fd, 4) < 0 ||
        !event_add(&vm->loop, (struct event_source){listen_fd, listen_events, listen_ready, &m->listen_fd}) ||
        !event_add(&vm->loop, (struct event_source){client_fd, client_events, client_ready, &m->client_fd})) {
        error_report("the socket '%s' cannot be listened to", path);
        goto fail;
    }
    return m;
fail:
    monitor_destroy(m);
    return NULL;
}

void monitor_destroy(struct monitor *m)
{
    if (!m)
        return;
    if (m->client_fd >= 0)
        close(m->client_fd);
    if (m->listen_fd >= 0)
        close(m->listen_fd);
    if (m->path[0])
        unlink(m->path);
    free(m);
}
