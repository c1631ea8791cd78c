/*
 * ops_io.c: Tlopen, Tlcreate, Tread, Twrite, Tfsync, Treaddir: what is done with open files. Data goes straight between the file and the
 * guest's memory.
 */
#include <devices/9p/dir.h>
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <devices/virtio/virtio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Flags of Tlopen and Tlcreate that are honoured; their numbers are Linux's on most machines. The rest (O_DIRECT, O_NOCTTY, ...) are the
 * guest's affair. */
static const struct {
    uint32_t wire;
    int host;
} open_flags[] = {
    {000000001, O_WRONLY}, {000000002, O_RDWR},  {000000200, O_EXCL},      {000001000, O_TRUNC},
    {000002000, O_APPEND}, {000010000, O_DSYNC}, {000200000, O_DIRECTORY}, {004000000, O_SYNC},
};

static int host_flags(uint32_t wire)
{
    int flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(open_flags); i++)
        if (wire & open_flags[i].wire)
            flags |= open_flags[i].host;
    return flags;
}

static void put_open_reply(struct p9_call *c, const struct p9_qid *q)
{
    p9_put_qid(&c->out, q);
    p9_put(&c->out, 4, io_unit(c->server));
}

/* Tlopen fid[4] flags[4] -> qid[13] iounit[4] */
int do_lopen(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    struct p9_at at;
    struct stat st;
    struct p9_qid q;
    struct p9_dir *dir = NULL;
    int fd = -1, flags = host_flags((uint32_t)c->arg[1].u) & ~O_EXCL;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    if (s->readonly && (flags & (O_ACCMODE | O_TRUNC)))
        return -EROFS;
    int err = fid_claim(f);
    if (err)
        return err;
    if ((err = fid_reserve_fd(&s->fids)))
        goto not_opened;
    if ((err = p9_at_node(s->tree, f->node, &at)))
        goto no_fd;
    fd = p9_open(&s->security, &at, flags, &st);
    p9_at_put(s->tree, &at);
    err = fd < 0 ? fd : qid_of(s, &st, &q);
    if (!err && S_ISDIR(st.st_mode) && !(dir = p9_dir_new()))
        err = -ENOMEM;
    if (err)
        goto no_fd;
    f->fd = fd;
    f->open_flags = flags & O_ACCMODE;
    f->dir = dir;
    fid_opened(f, dir ? FID_DIR : FID_FILE);
    put_open_reply(c, &q);
    return 0;
no_fd:
    if (fd >= 0)
        close(fd);
    fid_release_fd(&s->fids);
not_opened:
    fid_not_opened(f);
    return err;
}

/* Tlcreate fid[4] name[s] flags[4] mode[4] gid[4] -> qid[13] iounit[4]: the directory's fid becomes the new file's, open */
int do_lcreate(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    const char *name = c->arg[1].s;
    struct p9_owner owner = {f->uid, (uint32_t)c->arg[4].u, S_IFREG | (c->arg[3].u & 07777), 0};
    int flags = host_flags((uint32_t)c->arg[2].u), fd = -1;
    struct p9_at at;
    struct stat st;
    struct p9_qid q;
    if (fid_kind(f) != FID_PATH || (flags & O_ACCMODE) == O_ACCMODE || flags & O_DIRECTORY)
        return -EINVAL;
    int err = fid_reserve_fd(&s->fids);
    if (err)
        return err;
    if ((err = p9_at_inside(s->tree, f->node, name, &at)))
        goto no_fd;
    fd = p9_open_beneath(at.fd, name, flags | O_CREAT | O_EXCL | O_NONBLOCK | O_NOCTTY, p9_host_mode(&s->security, owner.mode));
    if (fd == -EEXIST && !(flags & O_EXCL)) {
        fd = p9_open(&s->security, &at, flags, &st);
        err = fd < 0 ? fd : 0;
    } else if (fd >= 0) {
        struct p9_at self = {fd, "", AT_EMPTY_PATH, NULL};
        err = p9_made(&s->security, &self, &owner);
        if (!err && fstat(fd, &st))
            err = -errno;
        if (err)
            unlinkat(at.fd, name, 0);
    } else {
        err = fd;
    }
    if (!err && S_ISDIR(st.st_mode))
        err = -EISDIR;
    if (!err)
        err = qid_of(s, &st, &q);
    if (!err) {
        struct p9_node *node = p9_node_child(s->tree, f->node, name, &st);
        err = node ? fid_replace(&s->fids, f, node, fd, flags & O_ACCMODE) : -ENOMEM;
    }
    p9_at_put(s->tree, &at);
    if (err)
        goto no_fd;
    put_open_reply(c, &q);
    return 0;
no_fd:
    if (fd >= 0)
        close(fd);
    fid_release_fd(&s->fids);
    return err;
}

/* The part [off, off + len) of buffers, as buffers in c->iov. Their number; the part may be shorter. */
static int slice(struct p9_call *c, const struct iovec *iov, unsigned n, size_t off, size_t len)
{
    int k = 0;
    for (unsigned i = 0; i < n && len; i++) {
        if (off >= iov[i].iov_len) {
            off -= iov[i].iov_len;
            continue;
        }
        size_t part = iov[i].iov_len - off < len ? iov[i].iov_len - off : len;
        c->iov[k++] = (struct iovec){(char *)iov[i].iov_base + off, part};
        off = 0;
        len -= part;
    }
    return k;
}

/* Tread fid[4] offset[8] count[4] -> count[4] data[count] */
int do_read(struct p9_call *c)
{
    struct p9_fid *f = c->fid[0];
    uint64_t off = c->arg[1].u, room = c->answer_len - P9_IO_HEADER, most = c->server->msize - P9_IO_HEADER, count = c->arg[2].u;
    if (most < room)
        room = most;
    if (count > room)
        count = room;
    if (off > INT64_MAX)
        return -EINVAL;
    ssize_t n = 0;
    switch (fid_kind(f)) {
    case FID_FILE:
        if (count)
            n = preadv(f->fd, c->iov, slice(c, c->answer, c->n_answer, P9_IO_HEADER, count), (off_t)off);
        if (n < 0)
            return -errno;
        break;
    case FID_XATTR_READ:
        if (off < f->xattr->size) {
            n = (ssize_t)(count < f->xattr->size - off ? count : f->xattr->size - off);
            virtio_iov_write(c->answer, c->n_answer, P9_IO_HEADER, f->xattr->value + off, (size_t)n);
        }
        break;
    case FID_DIR:
        return -EISDIR;
    default:
        return -EBADF;
    }
    p9_put(&c->out, 4, (uint64_t)n);
    c->stored = (uint32_t)n;
    return 0;
}

static int write_xattr(struct p9_call *c, struct p9_xattr *x, uint64_t off, size_t count)
{
    int err = -ENOSPC;
    pthread_mutex_lock(&x->lock);
    if (off <= x->filled && count <= x->size - off) {
        virtio_iov_read(c->request, c->n_request, P9_WRITE_HEAD, x->value + off, count);
        if (off + count > x->filled)
            x->filled = off + count;
        err = 0;
    }
    pthread_mutex_unlock(&x->lock);
    return err;
}

/* Twrite fid[4] offset[8] count[4] data[count] -> count[4] */
int do_write(struct p9_call *c)
{
    struct p9_fid *f = c->fid[0];
    uint64_t off = c->arg[1].u, count = c->arg[2].u;
    if (count > c->request_len - P9_WRITE_HEAD || off > INT64_MAX)
        return -EINVAL;
    ssize_t n = (ssize_t)count;
    int err = 0;
    switch (fid_kind(f)) {
    case FID_FILE:
        if (count)
            n = pwritev(f->fd, c->iov, slice(c, c->request, c->n_request, P9_WRITE_HEAD, count), (off_t)off);
        err = n < 0 ? -errno : 0;
        break;
    case FID_XATTR_WRITE:
        err = write_xattr(c, f->xattr, off, count);
        break;
    default:
        err = -EBADF;
    }
    p9_put(&c->out, 4, (uint64_t)n);
    return err;
}

/* Tfsync fid[4] datasync[4] */
int do_fsync(struct p9_call *c)
{
    struct p9_fid *f = c->fid[0];
    if (fid_kind(f) != FID_FILE && fid_kind(f) != FID_DIR)
        return -EBADF;
    return (c->arg[1].u ? fdatasync(f->fd) : fsync(f->fd)) ? -errno : 0;
}

/* Treaddir fid[4] offset[8] count[4] -> count[4] count*(qid[13] offset[8] type[1] name[s]) */
int do_readdir(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    uint64_t room = c->answer_len - P9_IO_HEADER, count = c->arg[2].u;
    if (fid_kind(f) != FID_DIR)
        return -EBADF;
    if (room > P9_REPLY_MAX - P9_IO_HEADER)
        room = P9_REPLY_MAX - P9_IO_HEADER;
    if (count > room)
        count = room;
    struct stat st;
    struct p9_qid self, q;
    if (fstat(f->fd, &st))
        return -errno;
    int err = qid_of(s, &st, &self);
    if (err)
        return err;
    q = (struct p9_qid){.path = self.path ^ st.st_ino}; /* the file system's number */
    struct p9_node *root = p9_node_root(s->tree);
    bool at_root = root == f->node;
    p9_node_unref(s->tree, root);

    uint8_t *start = c->out.p + 4;
    struct p9_writer counted = c->out;
    p9_put(&c->out, 4, 0);
    struct p9_dirent e;
    int more = p9_dir_start(f->dir, f->fd, c->arg[1].u);
    while (!more && (more = p9_dir_next(f->dir, f->fd, &e)) > 0) {
        size_t len = strlen(e.name);
        more = 0;
        if (len > P9_NAME_MAX)
            continue;
        if ((uint64_t)(c->out.p - start) + P9_QID_SIZE + 11 + len > count) {
            p9_dir_back(f->dir);
            more = c->out.p == start ? -EINVAL : 0;
            break;
        }
        if (at_root && !strcmp(e.name, ".."))
            e.ino = st.st_ino;
        struct p9_qid entry = {e.type == DT_DIR ? P9_QT_DIR : e.type == DT_LNK ? P9_QT_SYMLINK : P9_QT_FILE, 0, q.path ^ e.ino};
        /* what is a regular file on the host may be something else to the guest */
        bool unsure = s->security.model == P9_MODEL_MAPPED && e.type == DT_REG;
        p9_put_qid(&c->out, &entry);
        p9_put(&c->out, 8, e.next);
        p9_put(&c->out, 1, unsure ? DT_UNKNOWN : e.type);
        p9_put_string(&c->out, e.name, len);
    }
    p9_dir_end(f->dir);
    if (more < 0)
        return more;
    p9_put(&counted, 4, (uint64_t)(c->out.p - start));
    return 0;
}
