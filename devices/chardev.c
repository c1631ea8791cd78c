/*
 * chardev.c: -chardev socket, pipe, file and null; see chardev.h.
 */
#include <devices/board.h>
#include <devices/chardev.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/signals.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void chardev_destroy(void *arg)
{
    struct chardev *c = arg;
    if (c->unlink_path)
        unlink(c->unlink_path);
    if (c->in_fd >= 0)
        close(c->in_fd);
    if (c->out_fd >= 0 && c->out_fd != c->in_fd)
        close(c->out_fd);
    free(c->unlink_path);
    free(c);
}

/* Hand what was opened to the board. */
static int add(struct board *b, const struct board_item *it, int in_fd, int out_fd, const char *unlink_path)
{
    struct chardev *c = calloc(1, sizeof(*c));
    char *path = unlink_path ? strdup(unlink_path) : NULL;
    if (!c || (unlink_path && !path)) {
        error_report("%s: there is no memory for it", it->what);
        free(path);
        free(c);
        return -1;
    }
    *c = (struct chardev){in_fd, out_fd, path};
    return board_add_backend(b, it, c, chardev_destroy);
}

static int null_backend(struct board *b, const struct board_item *it)
{
    return add(b, it, -1, -1, NULL);
}

static int file_backend(struct board *b, const struct board_item *it)
{
    const char *path = keyval_get(&it->kv, "path");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (keyval_bool(&it->kv, "append", false) ? O_APPEND : O_TRUNC), 0666);
    if (fd < 0) {
        error_report("%s: '%s' cannot be opened: %s", it->what, path, strerror(errno));
        return -1;
    }
    return add(b, it, -1, fd, NULL);
}

/* Two FIFOs, named as in QEMU: path.in to the guest, path.out from it. Opened for both directions, so that neither end has to be there
 * first. */
static int pipe_backend(struct board *b, const struct board_item *it)
{
    const char *path = keyval_get(&it->kv, "path");
    static const char *const suffix[2] = {".in", ".out"};
    int fd[2] = {-1, -1};
    for (unsigned i = 0; i < 2; i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
        fd[i] = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd[i] < 0) {
            error_report("%s: the pipe '%s' cannot be opened: %s", it->what, name, strerror(errno));
            if (i)
                close(fd[0]);
            return -1;
        }
    }
    return add(b, it, fd[0], fd[1], NULL);
}

static int socket_backend(struct board *b, const struct board_item *it)
{
    const char *path = keyval_get(&it->kv, "path");
    bool server = keyval_bool(&it->kv, "server", false);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = -1, listener = -1;
    if (strlen(path) >= sizeof(a.sun_path)) {
        error_report("%s: the socket path '%s' is longer than %zu bytes", it->what, path, sizeof(a.sun_path) - 1);
        return -1;
    }
    strcpy(a.sun_path, path);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        goto fail;
    if (server) {
        struct stat st;
        if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
            unlink(path); /* left over from an earlier run */
        listener = s;
        if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
            goto fail;
        error_report("waiting for a connection on the socket '%s'", path);
        signals_unblock();
        do {
            fd = accept4(s, NULL, NULL, SOCK_CLOEXEC);
        } while (fd < 0 && errno == EINTR);
        signals_block();
        if (fd < 0)
            goto fail;
        close(listener);
    } else {
        if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
            goto fail;
        fd = s;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return add(b, it, fd, fd, server ? path : NULL);
fail:
    error_report("%s: the socket '%s' cannot be used: %s", it->what, path, strerror(errno));
    if (s >= 0)
        close(s);
    return -1;
}

static const struct key_desc path_key[] = {{"path", KEY_TEXT, KEY_REQUIRED, "where it is", NULL, 0, 0}, {0}};
static const struct key_desc file_keys[] = {
    {"path", KEY_TEXT, KEY_REQUIRED, "file that takes what the guest writes", NULL, 0, 0},
    {"append", KEY_BOOL, 0, "keep what is in it", NULL, 0, 0},
    {0},
};
static const struct key_desc socket_keys[] = {
    {"path", KEY_TEXT, KEY_REQUIRED, "Unix socket", NULL, 0, 0},
    {"server", KEY_BOOL, 0, "make the socket and wait for the one client before the guest starts; off: connect to it", NULL, 0, 0},
    {0},
};

const struct device_kind chardev_null_kind = {.option = "chardev", .name = "null", .help = "goes nowhere", .backend = null_backend};
const struct device_kind chardev_file_kind = {
    .option = "chardev", .name = "file", .help = "output to a file", .keys = file_keys, .backend = file_backend};
const struct device_kind chardev_pipe_kind = {
    .option = "chardev", .name = "pipe", .help = "FIFOs path.in (to the guest) and path.out", .keys = path_key, .backend = pipe_backend};
const struct device_kind chardev_socket_kind = {
    .option = "chardev", .name = "socket", .help = "Unix socket", .keys = socket_keys, .backend = socket_backend};
