/*
 * security.c: the security models; and what the host's kernel has no *at() call for, done through /proc/self/fd.
 *
 * /proc/self/fd/N names exactly the open file N, and /proc/self/fd/N/NAME an entry of the directory N: the first with the link to be
 * followed, the second without. Neither resolves anything the guest has written.
 */
#include <devices/9p/security.h>
#include <devices/9p/protocol.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VIRTFS         "user.virtfs."
#define HOST_FILE_MODE 0600
#define HOST_DIR_MODE  0700

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* --- extended attributes --- */

struct proc_path {
    char text[sizeof("/proc/self/fd/2147483647/") + P9_NAME_MAX];
    bool whole; /* the descriptor itself: the link has to be followed */
};

static struct proc_path proc_path(const struct p9_at *at)
{
    struct proc_path p;
    p.whole = at->flags & AT_EMPTY_PATH;
    snprintf(p.text, sizeof(p.text), p.whole ? "/proc/self/fd/%d" : "/proc/self/fd/%d/%s", at->fd, at->name);
    return p;
}

ssize_t p9_getxattr(const struct p9_at *at, const char *name, void *value, size_t size)
{
    struct proc_path p = proc_path(at);
    ssize_t n = p.whole ? getxattr(p.text, name, value, size) : lgetxattr(p.text, name, value, size);
    return n < 0 ? -errno : n;
}

ssize_t p9_listxattr(const struct p9_at *at, char *list, size_t size)
{
    struct proc_path p = proc_path(at);
    ssize_t n = p.whole ? listxattr(p.text, list, size) : llistxattr(p.text, list, size);
    return n < 0 ? -errno : n;
}

int p9_setxattr(const struct p9_at *at, const char *name, const void *value, size_t size, int flags)
{
    struct proc_path p = proc_path(at);
    int err = p.whole ? setxattr(p.text, name, value, size, flags) : lsetxattr(p.text, name, value, size, flags);
    return err ? -errno : 0;
}

int p9_removexattr(const struct p9_at *at, const char *name)
{
    struct proc_path p = proc_path(at);
    int err = p.whole ? removexattr(p.text, name) : lremovexattr(p.text, name);
    return err ? -errno : 0;
}

/* First row that fits decides. NULL for the host: hidden. */
static const struct {
    unsigned models; /* bit of each model it holds for */
    const char *guest, *host;
    bool exact; /* a whole name, not the beginning of one */
} xattr_names[] = {
    {BIT(P9_MODEL_MAPPED), "system.posix_acl_access", VIRTFS "system.posix_acl_access", true},
    {BIT(P9_MODEL_MAPPED), "system.posix_acl_default", VIRTFS "system.posix_acl_default", true},
    {BIT(P9_MODEL_MAPPED), VIRTFS, NULL, false},
    {BIT(P9_MODEL_PASSTHROUGH), "system.posix_acl_", "system.posix_acl_", false},
    {BIT(P9_MODEL_NONE) | BIT(P9_MODEL_PASSTHROUGH) | BIT(P9_MODEL_MAPPED), "user.", "user.", false},
};

int p9_xattr_name(const struct p9_security *s, const char *name, bool reverse, char buf[P9_XATTR_NAME_MAX])
{
    for (size_t i = 0; i < ARRAY_LEN(xattr_names); i++) {
        const char *from = reverse && xattr_names[i].host ? xattr_names[i].host : xattr_names[i].guest;
        const char *to = reverse && xattr_names[i].host ? xattr_names[i].guest : xattr_names[i].host;
        size_t len = strlen(from);
        if (!(xattr_names[i].models & BIT(s->model)) || strncmp(name, from, len) || (xattr_names[i].exact && name[len]))
            continue;
        if (!to)
            return -EOPNOTSUPP;
        return snprintf(buf, P9_XATTR_NAME_MAX, "%s%s", to, name + len) < (int)P9_XATTR_NAME_MAX ? 0 : -ERANGE;
    }
    return -EOPNOTSUPP;
}

/* --- mapped-xattr --- */

enum { KEEP_UID = 1, KEEP_GID = 2, KEEP_MODE = 4, KEEP_RDEV = 8 };

/* Store those of uid, gid, mode and rdev that `what` names. */
static int mapped_store(const struct p9_at *at, const struct p9_owner *o, unsigned what)
{
    uint32_t uid = htole32(o->uid), gid = htole32(o->gid), mode = htole32(o->mode);
    uint64_t rdev = htole64(o->rdev);
    const struct {
        unsigned what;
        const char *name;
        const void *value;
        size_t size;
    } row[] = {
        {KEEP_UID, VIRTFS "uid", &uid, sizeof(uid)},
        {KEEP_GID, VIRTFS "gid", &gid, sizeof(gid)},
        {KEEP_MODE, VIRTFS "mode", &mode, sizeof(mode)},
        {KEEP_RDEV, VIRTFS "rdev", &rdev, sizeof(rdev)},
    };
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(row) && !err; i++)
        if (what & row[i].what)
            err = p9_setxattr(at, row[i].name, row[i].value, row[i].size, 0);
    return err;
}

void p9_stat_overlay(const struct p9_security *s, const struct p9_at *at, struct stat *st)
{
    uint32_t uid, gid, mode;
    uint64_t rdev;
    if (s->model != P9_MODEL_MAPPED || (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)))
        return;
    if (p9_getxattr(at, VIRTFS "uid", &uid, sizeof(uid)) == sizeof(uid))
        st->st_uid = le32toh(uid);
    if (p9_getxattr(at, VIRTFS "gid", &gid, sizeof(gid)) == sizeof(gid))
        st->st_gid = le32toh(gid);
    if (p9_getxattr(at, VIRTFS "mode", &mode, sizeof(mode)) == sizeof(mode)) {
        mode = le32toh(mode);
        if (S_ISDIR(st->st_mode) || S_ISDIR(mode) || !(mode & S_IFMT)) /* a directory stays one, whatever the attribute says */
            mode = (mode & 07777) | (st->st_mode & S_IFMT);
        st->st_mode = mode;
    }
    if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && p9_getxattr(at, VIRTFS "rdev", &rdev, sizeof(rdev)) == sizeof(rdev))
        st->st_rdev = le64toh(rdev);
}

/* --- all models --- */

int p9_security_init(struct p9_security *s, enum p9_model model, int root)
{
    char c;
    mode_t mask = umask(022);
    umask(mask);
    *s = (struct p9_security){model, mask, geteuid(), getegid()};
    struct p9_at at = {root, "", AT_EMPTY_PATH, NULL};
    ssize_t n = p9_getxattr(&at, VIRTFS "uid", &c, 0);
    if (n == -ENOENT || (model == P9_MODEL_MAPPED && n == -ENOTSUP))
        return (int)n;
    return 0;
}

int p9_stat(const struct p9_security *s, const struct p9_at *at, struct stat *st)
{
    if (fstatat(at->fd, at->name, st, at->flags | AT_NO_AUTOMOUNT))
        return -errno;
    p9_stat_overlay(s, at, st);
    return 0;
}

mode_t p9_host_mode(const struct p9_security *s, mode_t mode)
{
    if (s->model == P9_MODEL_MAPPED)
        return S_ISDIR(mode) ? HOST_DIR_MODE : HOST_FILE_MODE;
    return mode & 07777;
}

/* On the host, not followed when it is a link. */
static int host_chmod(const struct p9_at *at, mode_t mode)
{
    if (!syscall(SYS_fchmodat2, at->fd, at->name, mode, at->flags))
        return 0;
    if (errno != ENOSYS && errno != EPERM && errno != EINVAL)
        return -errno;
    /* a kernel without that call */
    int fd = at->fd;
    if (!(at->flags & AT_EMPTY_PATH))
        fd = p9_open_beneath(at->fd, at->name, O_PATH, 0);
    if (fd < 0)
        return fd;
    struct p9_at self = {fd, "", AT_EMPTY_PATH, NULL};
    struct stat st;
    int err = fstat(fd, &st) ? -errno : S_ISLNK(st.st_mode) ? -EOPNOTSUPP : chmod(proc_path(&self).text, mode) ? -errno : 0;
    if (fd != at->fd)
        close(fd);
    return err;
}

static int host_chown(const struct p9_security *s, const struct p9_at *at, uint32_t uid, uint32_t gid)
{
    if (!fchownat(at->fd, at->name, uid, gid, at->flags))
        return 0;
    return s->model == P9_MODEL_NONE && errno == EPERM ? 0 : -errno;
}

int p9_made(const struct p9_security *s, const struct p9_at *at, const struct p9_owner *o)
{
    if (s->model == P9_MODEL_MAPPED)
        return mapped_store(at, o, KEEP_UID | KEEP_GID | KEEP_MODE | (S_ISCHR(o->mode) || S_ISBLK(o->mode) ? KEEP_RDEV : 0));
    int err = 0;
    bool chowned = false;
    if (o->uid != s->uid || o->gid != s->gid) {
        if (s->uid == 0 || s->model == P9_MODEL_PASSTHROUGH) {
            err = host_chown(s, at, o->uid, o->gid);
            chowned = true;
        }
    }
    /* a change of owner clears set-user-ID bits */
    if (!err && !S_ISLNK(o->mode) && ((o->mode & s->umask) || (chowned && o->mode & (S_ISUID | S_ISGID))))
        err = host_chmod(at, o->mode & 07777);
    return err;
}

int p9_chmod(const struct p9_security *s, const struct p9_at *at, mode_t mode)
{
    if (s->model != P9_MODEL_MAPPED)
        return host_chmod(at, mode & 07777);
    struct stat st;
    int err = p9_stat(s, at, &st);
    if (err)
        return err;
    struct p9_owner o = {.mode = (mode & 07777) | (st.st_mode & S_IFMT)};
    return mapped_store(at, &o, KEEP_MODE);
}

int p9_chown(const struct p9_security *s, const struct p9_at *at, uint32_t uid, uint32_t gid)
{
    if (s->model != P9_MODEL_MAPPED)
        return host_chown(s, at, uid, gid);
    struct p9_owner o = {.uid = uid, .gid = gid};
    return mapped_store(at, &o, (uid != UINT32_MAX ? KEEP_UID : 0) | (gid != UINT32_MAX ? KEEP_GID : 0));
}

int p9_open(const struct p9_security *s, const struct p9_at *at, int flags, struct stat *st)
{
    struct stat before;
    /* Looked at first, because opening alone makes some devices act and blocks on a FIFO; looked at again, because it may have been
     * replaced. */
    int err = p9_stat(s, at, &before);
    if (err)
        return err;
    if (S_ISLNK(before.st_mode))
        return -ELOOP;
    if (!S_ISREG(before.st_mode) && !S_ISDIR(before.st_mode))
        return -ENXIO;
    flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd;
    if (!(at->flags & AT_EMPTY_PATH))
        fd = p9_open_beneath(at->fd, at->name, flags, 0);
    else if (S_ISDIR(before.st_mode))
        fd = openat(at->fd, ".", flags);
    else /* removed, kept by its descriptor */
        fd = open(proc_path(at).text, flags);
    if (fd < 0)
        return at->flags & AT_EMPTY_PATH ? -errno : fd;
    if (fstat(fd, st) || (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))) {
        close(fd);
        return -ENXIO;
    }
    return fd;
}

int p9_make_link(const struct p9_security *s, const struct p9_at *at, const char *target, size_t len)
{
    if (s->model != P9_MODEL_MAPPED)
        return symlinkat(target, at->fd, at->name) ? -errno : 0;
    int fd = p9_open_beneath(at->fd, at->name, O_WRONLY | O_CREAT | O_EXCL, HOST_FILE_MODE);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, target, len);
    int err = n < 0 ? -errno : (size_t)n == len ? 0 : -ENOSPC;
    close(fd);
    if (err)
        unlinkat(at->fd, at->name, 0);
    return err;
}

ssize_t p9_read_link(const struct p9_security *s, const struct p9_at *at, char *buf, size_t size)
{
    ssize_t n = readlinkat(at->fd, at->name, buf, size);
    if (n >= 0)
        return n;
    struct stat st;
    if (errno != EINVAL || s->model != P9_MODEL_MAPPED || at->flags & AT_EMPTY_PATH)
        return -errno;
    int err = p9_stat(s, at, &st);
    if (err || !S_ISLNK(st.st_mode))
        return err ? err : -EINVAL;
    int fd = p9_open_beneath(at->fd, at->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return fd;
    n = fstat(fd, &st) ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : (n = read(fd, buf, size)) < 0 ? -errno : n;
    close(fd);
    return n;
}
