/*
 * ops_attr.c: Tgetattr, Tsetattr, Tstatfs, Treadlink, and file locks.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/statfs.h>
#include <unistd.h>

#define GETATTR_BASIC 0x7ffu

enum {
    SET_MODE = 0x01,
    SET_UID = 0x02,
    SET_GID = 0x04,
    SET_SIZE = 0x08,
    SET_ATIME = 0x10,
    SET_MTIME = 0x20,
    SET_CTIME = 0x40,
    SET_ATIME_TO = 0x80, /* to the time in the message, not to now */
    SET_MTIME_TO = 0x100,
};

static void put_time(struct p9_writer *w, struct timespec t)
{
    p9_put(w, 8, (uint64_t)t.tv_sec);
    p9_put(w, 8, (uint64_t)t.tv_nsec);
}

/*
 * Tgetattr fid[4] request_mask[8] -> valid[8] qid[13] mode[4] uid[4] gid[4] nlink[8] rdev[8] size[8] blksize[8] blocks[8] atime[16]
 * mtime[16] ctime[16] btime[16] gen[8] data_version[8]
 */
int do_getattr(struct p9_call *c)
{
    struct p9_at at;
    struct stat st;
    struct p9_qid q;
    int err = at_fid(c, c->fid[0], &at);
    if (err)
        return err;
    err = stat_qid(c->server, &at, &st, &q);
    p9_at_put(c->server->tree, &at);
    if (err)
        return err;
    uint32_t unit = io_unit(c->server);
    struct p9_writer *w = &c->out;
    p9_put(w, 8, GETATTR_BASIC);
    p9_put_qid(w, &q);
    p9_put(w, 4, st.st_mode);
    p9_put(w, 4, st.st_uid);
    p9_put(w, 4, st.st_gid);
    p9_put(w, 8, st.st_nlink);
    p9_put(w, 8, st.st_rdev);
    p9_put(w, 8, (uint64_t)st.st_size);
    p9_put(w, 8, unit ? unit : (uint64_t)st.st_blksize); /* programs size their buffers by it: one message, one buffer */
    p9_put(w, 8, (uint64_t)st.st_blocks);
    put_time(w, st.st_atim);
    put_time(w, st.st_mtim);
    put_time(w, st.st_ctim);
    for (unsigned i = 0; i < 4; i++)
        p9_put(w, 8, 0);
    return 0;
}

static int set_size(struct p9_call *c, const struct p9_at *at, uint64_t size)
{
    struct p9_fid *f = c->fid[0];
    struct stat st;
    if (size > INT64_MAX)
        return -EFBIG;
    if (fid_kind(f) == FID_FILE && f->open_flags != O_RDONLY)
        return ftruncate(f->fd, (off_t)size) ? -errno : 0;
    int fd = p9_open(&c->server->security, at, O_WRONLY, &st);
    if (fd < 0)
        return fd;
    int err = ftruncate(fd, (off_t)size) ? -errno : 0;
    close(fd);
    return err;
}

static struct timespec time_to_set(uint32_t valid, uint32_t set, uint32_t set_to, uint64_t sec, uint64_t nsec)
{
    if (!(valid & set))
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (!(valid & set_to))
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){(time_t)sec, nsec < 1000000000u ? (long)nsec : -1};
}

/*
 * Tsetattr fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime_sec[8] atime_nsec[8] mtime_sec[8] mtime_nsec[8]. Times come last, as the
 * others change them; the mode after the owner, as a change of owner clears bits of it.
 */
int do_setattr(struct p9_call *c)
{
    struct p9_server *s = c->server;
    const struct p9_arg *a = c->arg;
    uint32_t valid = (uint32_t)a[1].u;
    struct p9_at at;
    int err = at_fid(c, c->fid[0], &at);
    if (err)
        return err;
    if (valid & SET_SIZE)
        err = set_size(c, &at, a[5].u);
    if (!err && valid & (SET_UID | SET_GID))
        err = p9_chown(&s->security, &at, valid & SET_UID ? (uint32_t)a[3].u : UINT32_MAX, valid & SET_GID ? (uint32_t)a[4].u : UINT32_MAX);
    if (!err && valid & SET_MODE)
        err = p9_chmod(&s->security, &at, (mode_t)a[2].u);
    if (!err && valid & (SET_ATIME | SET_MTIME)) {
        struct timespec t[2] = {time_to_set(valid, SET_ATIME, SET_ATIME_TO, a[6].u, a[7].u),
                                time_to_set(valid, SET_MTIME, SET_MTIME_TO, a[8].u, a[9].u)};
        err = utimensat(at.fd, at.name, t, at.flags) ? -errno : 0;
    } else if (!err && (valid & 0x1ff) == SET_CTIME) {
        err = fchownat(at.fd, at.name, (uid_t)-1, (gid_t)-1, at.flags) ? -errno : 0; /* sets nothing but the time of the last change */
    }
    p9_at_put(s->tree, &at);
    return err;
}

/* Tstatfs fid[4] -> type[4] bsize[4] blocks[8] bfree[8] bavail[8] files[8] ffree[8] fsid[8] namelen[4] */
int do_statfs(struct p9_call *c)
{
    struct p9_at at;
    struct statfs f;
    int err = at_fid(c, c->fid[0], &at);
    if (err)
        return err;
    err = fstatfs(at.fd, &f) ? -errno : 0; /* of the file's directory, when it is not open */
    p9_at_put(c->server->tree, &at);
    if (err)
        return err;
    struct p9_writer *w = &c->out;
    p9_put(w, 4, (uint64_t)f.f_type);
    p9_put(w, 4, (uint64_t)f.f_bsize);
    p9_put(w, 8, f.f_blocks);
    p9_put(w, 8, f.f_bfree);
    p9_put(w, 8, f.f_bavail);
    p9_put(w, 8, f.f_files);
    p9_put(w, 8, f.f_ffree);
    p9_put(w, 8, (uint32_t)f.f_fsid.__val[0] | (uint64_t)(uint32_t)f.f_fsid.__val[1] << 32);
    p9_put(w, 4, P9_NAME_MAX);
    return 0;
}

/* Treadlink fid[4] -> target[s] */
int do_readlink(struct p9_call *c)
{
    char text[PATH_MAX];
    struct p9_at at;
    int err = p9_at_node(c->server->tree, c->fid[0]->node, &at);
    if (err)
        return err;
    ssize_t n = p9_read_link(&c->server->security, &at, text, sizeof(text));
    p9_at_put(c->server->tree, &at);
    if (n < 0)
        return (int)n;
    p9_put_string(&c->out, text, (size_t)n);
    return 0;
}

/*
 * Tlock fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s] -> status[1]. The guest's kernel has settled the matter among
 * its own processes before it asks; like QEMU's, this server does not carry locks on to the host.
 */
int do_lock(struct p9_call *c)
{
    enum { LOCK_SUCCESS = 0 };
    enum fid_kind kind = fid_kind(c->fid[0]);
    if (kind != FID_FILE && kind != FID_DIR)
        return -EBADF;
    p9_put(&c->out, 1, LOCK_SUCCESS);
    return 0;
}

/* Tgetlock fid[4] type[1] start[8] length[8] proc_id[4] client_id[s] -> the same: nobody else has locked */
int do_getlock(struct p9_call *c)
{
    enum { TYPE_UNLOCKED = 2 };
    enum fid_kind kind = fid_kind(c->fid[0]);
    if (kind != FID_FILE && kind != FID_DIR)
        return -EBADF;
    p9_put(&c->out, 1, TYPE_UNLOCKED);
    p9_put(&c->out, 8, c->arg[2].u);
    p9_put(&c->out, 8, c->arg[3].u);
    p9_put(&c->out, 4, c->arg[4].u);
    p9_put_string(&c->out, c->arg[5].s, c->arg[5].u);
    return 0;
}
