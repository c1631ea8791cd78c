/*
 * ops_names.c: making, linking, renaming and removing directory entries: Tsymlink, Tmknod, Tmkdir, Tlink, Trename, Trenameat, Tunlinkat,
 * Tremove.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WIRE_REMOVEDIR 0x200u

/* `err` of making at->name; then what all makers end with: owner, qid. */
static int made(struct p9_call *c, struct p9_at *at, int err, const struct p9_owner *owner)
{
    struct p9_server *s = c->server;
    struct stat st;
    struct p9_qid q;
    if (!err) {
        err = p9_made(&s->security, at, owner);
        if (err)
            unlinkat(at->fd, at->name, S_ISDIR(owner->mode) ? AT_REMOVEDIR : 0);
    }
    if (!err)
        err = stat_qid(s, at, &st, &q);
    p9_at_put(s->tree, at);
    if (!err)
        p9_put_qid(&c->out, &q);
    return err;
}

/* Tsymlink fid[4] name[s] symtgt[s] gid[4] -> qid[13] */
int do_symlink(struct p9_call *c)
{
    struct p9_owner owner = {c->fid[0]->uid, (uint32_t)c->arg[3].u, S_IFLNK | 0777, 0};
    struct p9_at at;
    if (c->arg[2].u == 0 || c->arg[2].u >= PATH_MAX)
        return c->arg[2].u ? -ENAMETOOLONG : -ENOENT;
    int err = p9_at_inside(c->server->tree, c->fid[0]->node, c->arg[1].s, &at);
    return err ? err : made(c, &at, p9_make_link(&c->server->security, &at, c->arg[2].s, c->arg[2].u), &owner);
}

/* Tmknod dfid[4] name[s] mode[4] major[4] minor[4] gid[4] -> qid[13] */
int do_mknod(struct p9_call *c)
{
    struct p9_server *s = c->server;
    mode_t mode = (mode_t)c->arg[2].u & (S_IFMT | 07777);
    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    struct p9_owner owner = {c->fid[0]->uid, (uint32_t)c->arg[5].u, mode, makedev((unsigned)c->arg[3].u, (unsigned)c->arg[4].u)};
    bool mapped = s->security.model == P9_MODEL_MAPPED;
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    case S_IFCHR:
    case S_IFBLK:
        if (mapped)
            break;
        return -EPERM;
    default:
        return -EINVAL;
    }
    struct p9_at at;
    int err = p9_at_inside(s->tree, c->fid[0]->node, c->arg[1].s, &at);
    if (err)
        return err;
    mode_t host = (mapped ? S_IFREG : mode & S_IFMT) | p9_host_mode(&s->security, mode);
    return made(c, &at, mknodat(at.fd, at.name, host, 0) ? -errno : 0, &owner);
}

/* Tmkdir dfid[4] name[s] mode[4] gid[4] -> qid[13] */
int do_mkdir(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_owner owner = {c->fid[0]->uid, (uint32_t)c->arg[3].u, S_IFDIR | (c->arg[2].u & 07777), 0};
    struct p9_at at;
    int err = p9_at_inside(s->tree, c->fid[0]->node, c->arg[1].s, &at);
    return err ? err : made(c, &at, mkdirat(at.fd, at.name, p9_host_mode(&s->security, owner.mode)) ? -errno : 0, &owner);
}

/* Tlink dfid[4] fid[4] name[s] */
int do_link(struct p9_call *c)
{
    struct p9_tree *t = c->server->tree;
    struct p9_at from, to;
    int err = p9_at_entry(t, c->fid[1]->node, &from);
    if (err)
        return err == -EBUSY ? -EPERM : err; /* the root is a directory */
    err = p9_at_inside(t, c->fid[0]->node, c->arg[2].s, &to);
    if (!err) {
        err = linkat(from.fd, from.name, to.fd, to.name, 0) ? -errno : 0; /* without AT_SYMLINK_FOLLOW: a link to a link */
        p9_at_put(t, &to);
    }
    p9_at_put(t, &from);
    return err;
}

/* Takes over `from`. */
static int rename_entry(struct p9_call *c, struct p9_at *from, struct p9_node *dir, const char *name)
{
    struct p9_tree *t = c->server->tree;
    struct p9_at to;
    int err = p9_at_inside(t, dir, name, &to);
    if (!err) {
        p9_tree_keep(t, dir, name);
        err = renameat(from->fd, from->name, to.fd, to.name) ? -errno : p9_tree_renamed(t, from->pinned, from->name, dir, name);
        p9_at_put(t, &to);
    }
    p9_at_put(t, from);
    return err;
}

/* Trename fid[4] dfid[4] name[s] */
int do_rename(struct p9_call *c)
{
    struct p9_at from;
    int err = p9_at_entry(c->server->tree, c->fid[0]->node, &from);
    return err ? err : rename_entry(c, &from, c->fid[1]->node, c->arg[2].s);
}

/* Trenameat olddirfid[4] oldname[s] newdirfid[4] newname[s] */
int do_renameat(struct p9_call *c)
{
    struct p9_at from;
    int err = p9_at_inside(c->server->tree, c->fid[0]->node, c->arg[1].s, &from);
    return err ? err : rename_entry(c, &from, c->fid[1]->node, c->arg[3].s);
}

/* Takes over `at`. */
static int remove_entry(struct p9_call *c, struct p9_at *at, int flags)
{
    struct p9_tree *t = c->server->tree;
    p9_tree_keep(t, at->pinned, at->name);
    int err = unlinkat(at->fd, at->name, flags) ? -errno : 0;
    if (!err)
        p9_tree_removed(t, at->pinned, at->name);
    p9_at_put(t, at);
    return err;
}

/* Tunlinkat dirfd[4] name[s] flags[4] */
int do_unlinkat(struct p9_call *c)
{
    struct p9_at at;
    if (c->arg[2].u & ~(uint64_t)WIRE_REMOVEDIR)
        return -EINVAL;
    int err = p9_at_inside(c->server->tree, c->fid[0]->node, c->arg[1].s, &at);
    return err ? err : remove_entry(c, &at, c->arg[2].u ? AT_REMOVEDIR : 0);
}

/* Tremove fid[4]: the fid is gone, whatever the reply */
int do_remove(struct p9_call *c)
{
    struct p9_at at;
    struct stat st;
    struct p9_fid *f = c->fid[0];
    if (!fid_remove(&c->server->fids, f))
        return -EBADF;
    if (c->server->readonly)
        return -EROFS;
    int err = p9_at_entry(c->server->tree, f->node, &at);
    if (err)
        return err;
    if (fstatat(at.fd, at.name, &st, AT_SYMLINK_NOFOLLOW)) {
        err = -errno;
        p9_at_put(c->server->tree, &at);
        return err;
    }
    return remove_entry(c, &at, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}
