/*
 * nbd.c: images in QEMU's formats (qcow2): a qemu-nbd child process has the image open, libnbd talks to it over a private socket.
 *
 * The child ends with us, however we end: its only client's socket closes, and it is told to get a SIGTERM when its parent dies; both make
 * it close the image in good order. The socket pair is made before the child is: a listening socket in a folder that only we can enter,
 * connected to and then unlinked, is handed over in the way of systemd's socket activation, so nobody else can connect and nothing is left
 * behind.
 *
 * libnbd calls completion callbacks with its handle locked: they only pass the result on to the aio's list, and the work is done from
 * there. Commands carry one buffer: a request whose memory is scattered goes through one of N_BOUNCE buffers, piece by piece, or waits for
 * one.
 */
#ifdef ARMLET_NBD
#include <devices/block/block.h>
#include <devices/block/iov.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <libnbd.h>
#include <poll.h>
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

#define BOUNCE_SIZE (1u << 20)
#define N_BOUNCE    16u
#define DIRECT_MAX  (16u << 20) /* bytes of one command; every server takes 32 MiB */
#define ZERO_MAX    (1u << 30)  /* of one that carries no data */

struct nbd {
    struct block block;
    struct nbd_handle *handle;
    struct aio *aio;
    pid_t child;
    char *name;
    bool said_dead;
    bool can_fua, can_flush, can_trim, can_zero, sync;
    struct block_request *waiting, **waiting_tail; /* for a buffer */
    void *bounce[N_BOUNCE];
    unsigned n_bounce; /* free ones, at the front */
};

/* --- requests ---------------------------------------------------------------------------------------------------------- */

static struct nbd *nbd_of(struct block_request *r)
{
    return container_of(r->own.block, struct nbd, block);
}

static int completed(void *user_data, int *error)
{
    struct block_request *r = user_data;
    aio_complete(nbd_of(r)->aio, &r->own.op, -*error);
    return 1; /* retire the command */
}

/* A command of libnbd's that could not even be queued. */
static void not_issued(struct nbd *n, struct block_request *r)
{
    int err = nbd_get_errno();
    aio_complete(n->aio, &r->own.op, err > 0 ? -err : -EIO);
}

/* Where the next step's bytes are: in the guest's memory if in one piece, else in a buffer. NULL: no buffer is free. len: bytes wanted,
 * shortened to fit. */
static void *step_buffer(struct nbd *n, struct block_request *r, uint64_t *len)
{
    if (r->n_iov == 1) {
        if (*len > DIRECT_MAX)
            *len = DIRECT_MAX;
        return (uint8_t *)r->iov->iov_base + r->own.progress;
    }
    if (*len > BOUNCE_SIZE)
        *len = BOUNCE_SIZE;
    if (!n->n_bounce)
        return NULL;
    r->own.bounce = n->bounce[--n->n_bounce];
    if (r->kind == BLOCK_WRITE)
        iov_load(r->own.bounce, r->iov, r->n_iov, r->own.progress, *len);
    return r->own.bounce;
}

/* Send the command for the next step of r. False: it has to wait for a buffer. */
static bool issue(struct nbd *n, struct block_request *r)
{
    nbd_completion_callback done = {.callback = completed, .user_data = r};
    uint64_t at = r->off + r->own.progress, len = r->len - r->own.progress;
    uint32_t fua = r->fua && n->can_fua && n->sync ? LIBNBD_CMD_FLAG_FUA : 0;
    void *buf;
    int64_t cookie = -1;
    if (r->kind == BLOCK_FLUSH || r->own.syncing) {
        cookie = nbd_aio_flush(n->handle, done, 0);
        len = 0;
    } else if (r->kind == BLOCK_READ || r->kind == BLOCK_WRITE) {
        buf = step_buffer(n, r, &len);
        if (!buf)
            return false;
        cookie =
            r->kind == BLOCK_READ ? nbd_aio_pread(n->handle, buf, len, at, done, 0) : nbd_aio_pwrite(n->handle, buf, len, at, done, fua);
    } else {
        len = len < ZERO_MAX ? len : ZERO_MAX;
        if (r->kind == BLOCK_DISCARD)
            cookie = nbd_aio_trim(n->handle, len, at, done, fua);
        else
            cookie = nbd_aio_zero(n->handle, len, at, done, fua | (r->unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
    }
    r->own.op.len = len;
    if (cookie < 0)
        not_issued(n, r);
    return true;
}

static void start_waiting(struct nbd *n)
{
    while (n->waiting) {
        struct block_request *r = n->waiting, *next = r->own.next;
        if (!issue(n, r))
            break;
        if (!(n->waiting = next))
            n->waiting_tail = &n->waiting;
    }
}

static void issue_or_wait(struct nbd *n, struct block_request *r)
{
    if (issue(n, r))
        return;
    r->own.next = NULL;
    *n->waiting_tail = r;
    n->waiting_tail = &r->own.next;
}

static void step_done(struct aio_op *op)
{
    struct block_request *r = container_of(op, struct block_request, own.op);
    struct nbd *n = nbd_of(r);
    int err = (int)op->result;
    if (r->own.bounce) {
        if (!err && r->kind == BLOCK_READ)
            iov_store(r->iov, r->n_iov, r->own.progress, r->own.bounce, op->len);
        n->bounce[n->n_bounce++] = r->own.bounce;
        r->own.bounce = NULL;
    }
    if (err && !n->said_dead && (nbd_aio_is_dead(n->handle) || nbd_aio_is_closed(n->handle))) {
        n->said_dead = true;
        error_report("drive '%s': qemu-nbd, which has the image open, is gone; the guest gets I/O errors from now on", n->name);
    }
    r->own.progress += op->len;
    bool to_sync = r->fua && !n->can_fua && n->can_flush && n->sync && r->kind != BLOCK_READ && r->kind != BLOCK_FLUSH && !r->own.syncing;
    if (!err && r->own.progress < r->len) {
        issue_or_wait(n, r);
    } else if (!err && to_sync) {
        r->own.syncing = true;
        issue_or_wait(n, r);
    } else {
        r->done(r, err);
    }
    start_waiting(n);
}

static void nbd_submit(struct block *b, struct block_request *r)
{
    struct nbd *n = container_of(b, struct nbd, block);
    memset(&r->own, 0, sizeof(r->own));
    r->own.block = b;
    r->own.op.done = step_done;
    if ((r->kind == BLOCK_FLUSH && (!n->sync || !n->can_flush)) || (r->kind == BLOCK_DISCARD && !n->can_trim) ||
        (r->kind != BLOCK_FLUSH && !r->len)) {
        r->own.op.len = r->len;
        aio_complete(n->aio, &r->own.op, 0);
    } else if (r->kind == BLOCK_ZERO && !n->can_zero) {
        aio_complete(n->aio, &r->own.op, -EOPNOTSUPP);
    } else {
        issue_or_wait(n, r);
    }
}

static short events(void *arg)
{
    struct nbd *n = arg;
    unsigned dir = nbd_aio_get_direction(n->handle);
    return (short)((dir & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) | (dir & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
}

static void ready(void *arg, short revents)
{
    struct nbd *n = arg;
    unsigned dir = nbd_aio_get_direction(n->handle);
    int r = 0;
    if (revents & (POLLIN | POLLHUP | POLLERR) && dir & LIBNBD_AIO_DIRECTION_READ)
        r = nbd_aio_notify_read(n->handle);
    else if (revents & POLLOUT && dir & LIBNBD_AIO_DIRECTION_WRITE)
        r = nbd_aio_notify_write(n->handle);
    if (r < 0) {
        /* the handle is dead, and the commands under way have been given to completed() */
    }
}

static void nbd_start(struct block *b, struct aio *aio)
{
    struct nbd *n = container_of(b, struct nbd, block);
    n->aio = aio;
    aio_watch(aio, (struct aio_watch){nbd_aio_get_fd(n->handle), events, ready, n});
}

static void nbd_close_block(struct block *b)
{
    struct nbd *n = container_of(b, struct nbd, block);
    if (n->handle) {
        nbd_shutdown(n->handle, 0);
        nbd_close(n->handle);
    }
    if (n->child > 0) /* it closes the image now, which writes what qcow2 keeps in memory */
        waitpid(n->child, NULL, 0);
    for (unsigned i = 0; i < n->n_bounce; i++)
        free(n->bounce[i]);
    free(n->name);
    free(n);
}

static const struct block_class nbd_class = {nbd_start, NULL, nbd_submit, nbd_close_block};

/* --- the child process ------------------------------------------------------------------------------------------------- */

/* A socket that listens, and one connected to it. 0 or -errno. */
static int private_sockets(int *listener, int *client)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/armlet.XXXXXX";
    if (!mkdtemp(dir))
        return -errno;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/nbd", dir);
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
    }
    return err;
}

#define ACTIVATION_FD 3 /* sd_listen_fds(3) */

struct spawn {
    char *const *argv;
    char **envp; /* the first element is LISTEN_PID's room */
    char listen_pid[32];
    int listener, errors, report;
    pid_t parent;
};

/* In the child: only what is safe after fork in a process with threads. */
static _Noreturn void become(struct spawn *s)
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
    snprintf(s->listen_pid, sizeof(s->listen_pid), "LISTEN_PID=%d", (int)getpid());
    s->envp[0] = s->listen_pid;
    int null = open("/dev/null", O_RDWR);
    /* Descriptors 0 to 2 are ours to overwrite; what we need may lie on 3. */
    int report = fcntl(s->report, F_DUPFD_CLOEXEC, ACTIVATION_FD + 1);
    if (null < 0 || report < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s->errors, 2) < 0 ||
        (s->listener == ACTIVATION_FD ? fcntl(ACTIVATION_FD, F_SETFD, 0) : dup2(s->listener, ACTIVATION_FD)) < 0)
        err = errno;
    else
        err = (execvpe(s->argv[0], s->argv, s->envp), errno);
    while (write(report, &err, sizeof(err)) < 0 && errno == EINTR) {
    }
    _exit(1);
}

/* Start argv with a listening socket, its messages to `errors`. The child's pid, or -errno. */
static pid_t spawn(char *const *argv, int listener, int errors)
{
    static char listen_fds[] = "LISTEN_FDS=1", locale[] = "LC_ALL=C";
    extern char **environ;
    size_t n = 0;
    while (environ[n])
        n++;
    char *envp[n + 4];
    int report[2], err = 0;
    envp[1] = listen_fds;
    envp[2] = locale;
    for (size_t i = 0; i <= n; i++)
        envp[3 + i] = environ[i];
    struct spawn s = {.argv = argv, .envp = envp, .listener = listener, .errors = errors, .parent = getpid()};
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    s.report = report[1];
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

/* "armlet: drive ...", from what the child said. */
static void report_child(const char *name, int errors, const char *fallback)
{
    char text[1024];
    ssize_t n = pread(errors, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    char *p = strncmp(text, "qemu-nbd: ", 10) ? text : text + 10;
    p[strcspn(p, "\n")] = 0;
    char *cause = strstr(p, "': "); /* Failed to blk_new_open 'driver=...': cause */
    if (cause)
        p = cause + 3;
    if (strstr(p, "lock"))
        error_report("drive '%s': another process or drive is using the image", name);
    else
        error_report("drive '%s': qemu-nbd does not open it: %s", name, *p ? p : fallback);
}

/* driver=FORMAT,file.driver=file,file.filename=FILE with commas doubled: no name is taken for a protocol. malloc'ed. */
static char *image_options(const char *format, const char *file)
{
    char *text = malloc(64 + strlen(format) + 2 * strlen(file) + 2), *p;
    if (!text)
        return NULL;
    p = text + sprintf(text, "driver=%s,file.driver=file,file.filename=%s", format, *file == '/' ? "" : "./");
    for (; *file; file++) {
        if (*file == ',')
            *p++ = ',';
        *p++ = *file;
    }
    *p = 0;
    return text;
}

static pid_t start_server(const char *format, const struct block_options *o, int listener, int errors)
{
    static const char *const cache[] = {
        [BLOCK_CACHE_WRITEBACK] = "--cache=writeback",    [BLOCK_CACHE_NONE] = "--cache=none",
        [BLOCK_CACHE_WRITETHROUGH] = "--cache=writeback", /* we ask for FUA, so that the guest may change its mind */
        [BLOCK_CACHE_DIRECTSYNC] = "--cache=none",        [BLOCK_CACHE_UNSAFE] = "--cache=unsafe",
    };
    char *image = image_options(format, o->file);
    const char *argv[10] = {"qemu-nbd", "--image-opts", cache[o->cache], o->discard ? "--discard=unmap" : "--discard=ignore"};
    unsigned n = 4;
    if (o->read_only || o->snapshot)
        argv[n++] = "--read-only";
    argv[n++] = image;
    pid_t pid = image ? spawn((char *const *)argv, listener, errors) : -ENOMEM;
    free(image);
    return pid;
}

static bool connect_server(struct nbd *n, int client)
{
    n->handle = nbd_create();
    if (!n->handle || nbd_connect_socket(n->handle, client) < 0)
        return false;
    int64_t size = nbd_get_size(n->handle);
    if (size < 0)
        return false;
    n->block.size = (uint64_t)size & ~(uint64_t)(BLOCK_SECTOR - 1);
    n->can_fua = nbd_can_fua(n->handle) > 0;
    n->can_flush = nbd_can_flush(n->handle) > 0;
    n->can_trim = nbd_can_trim(n->handle) > 0;
    n->can_zero = nbd_can_zero(n->handle) > 0;
    return true;
}

struct block *nbd_create_qemu(const char *format, const struct block_options *o)
{
    int errors = -1, listener = -1, client = -1, err;
    struct nbd *n = calloc(1, sizeof(*n));
    if (!n || !(n->name = strdup(o->file))) {
        free(n);
        error_report("drive '%s': no memory", o->file);
        return NULL;
    }
    n->block = (struct block){&nbd_class, 0, o->read_only};
    n->waiting_tail = &n->waiting;
    n->sync = o->cache != BLOCK_CACHE_UNSAFE;
    for (; n->n_bounce < N_BOUNCE; n->n_bounce++) {
        if (!(n->bounce[n->n_bounce] = malloc(BOUNCE_SIZE))) {
            error_report("drive '%s': no memory", o->file);
            goto fail;
        }
    }
    errors = memfd_create("qemu-nbd messages", MFD_CLOEXEC);
    err = errors < 0 ? -errno : private_sockets(&listener, &client);
    if (err) {
        error_report("drive '%s': no socket for qemu-nbd: %s", o->file, strerror(-err));
        goto fail;
    }
    n->child = start_server(format, o, listener, errors);
    close(listener);
    if (n->child < 0) {
        close(client);
        if (n->child == -ENOENT)
            error_report("drive '%s': %s images are served by qemu-nbd, which is not installed (Debian: apt-get install qemu-utils)",
                         o->file, format);
        else
            error_report("drive '%s': qemu-nbd cannot be started: %s", o->file, strerror(-n->child));
        goto fail;
    }
    if (!connect_server(n, client)) { /* which has taken `client` */
        const char *why = nbd_get_error();
        if (n->handle)
            nbd_close(n->handle);
        n->handle = NULL;
        waitpid(n->child, NULL, 0);
        n->child = 0;
        report_child(o->file, errors, why ? why : "no reason given");
        goto fail;
    }
    close(errors);
    return &n->block;
fail:
    if (errors >= 0)
        close(errors);
    nbd_close_block(&n->block);
    return NULL;
}
#endif
