/*
 * monitor.c: see monitor.h.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/monitor.h>
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
};

/* --- commands ---------------------------------------------------------------------------------------------------------------------- */

static void quit(struct vm *vm)
{
    vm_request_quit(vm, 0);
}

static const struct command {
    const char *name, *help;
    void (*run)(struct vm *vm);
} commands[] = {
    {"system_powerdown", "press the power button", vm_power_button},
    {"system_reset", "reset the machine", vm_request_reset},
    {"quit", "end armlet", quit},
    {"q", NULL, quit},
    {"help", "list the commands", NULL},
};

/* A reader that does not read loses answers: the main thread waits for nobody. */
static void answer(struct monitor *m, const char *text)
{
    if (send(m->client_fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        /* it has gone; the event loop sees that too */
    }
}

static void help(struct monitor *m)
{
    char text[512];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].help)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s: %s\n", commands[i].name, commands[i].help);
    }
    answer(m, text);
}

static void run_line(struct monitor *m, char *line)
{
    char *word = strtok(line, " \t\r");
    char *more = word ? strtok(NULL, " \t\r") : NULL;
    if (!word)
        return;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, word))
            continue;
        if (more) {
            answer(m, "error: the command takes no arguments\n");
        } else if (!commands[i].run) {
            help(m);
        } else {
            commands[i].run(m->vm);
            answer(m, "ok\n");
        }
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
