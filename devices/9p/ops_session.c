/*
 * ops_session.c: Tversion, Tattach, Tflush, Twalk, Tclunk: the fids' coming and going.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <errno.h>
#include <string.h>

#define VERSION "9P2000.L"

/* Tversion msize[4] version[s]: a new session; all fids are gone. */
int do_version(struct p9_call *c)
{
    struct p9_server *s = c->server;
    fid_clear(&s->fids);
    bool known = !strcmp(c->arg[1].s, VERSION);
    uint32_t msize = (uint32_t)c->arg[0].u;
    if (msize > P9_MSIZE_MAX)
        msize = P9_MSIZE_MAX;
    if (msize < P9_MSIZE_MIN)
        return -EMSGSIZE;
    if (known)
        s->msize = msize;
    const char *answer = known ? VERSION : "unknown";
    p9_put(&c->out, 4, msize);
    p9_put_string(&c->out, answer, strlen(answer));
    return 0;
}

/* One step from dir, whose reference goes over to the result's. *st: what is there, as the guest sees it. */
static int step(struct p9_server *s, struct p9_node **dir, const char *name, size_t len, struct stat *st, struct p9_qid *q)
{
    struct p9_node *next = NULL;
    struct p9_at at;
    int err;
    if (len == 1 && name[0] == '.') {
        next = p9_node_ref(s->tree, *dir);
    } else if (len == 2 && name[0] == '.' && name[1] == '.') {
        if (!(next = p9_node_parent(s->tree, *dir)))
            return -ENOENT;
    }
    if (next) {
        err = p9_at_node(s->tree, next, &at);
    } else {
        err = p9_check_name(name, len);
        if (!err)
            err = p9_at_inside(s->tree, *dir, name, &at);
    }
    if (!err) {
        err = stat_qid(s, &at, st, q);
        p9_at_put(s->tree, &at);
    }
    if (!err && !next && !(next = p9_node_child(s->tree, *dir, name, st)))
        err = -ENOMEM;
    if (err) {
        p9_node_unref(s->tree, next);
        return err;
    }
    p9_node_unref(s->tree, *dir);
    *dir = next;
    return 0;
}

/* Tattach fid[4] afid[4] uname[s] aname[s] n_uname[4]. aname: a folder below the root, taken name by name; empty or "/" is the root. */
int do_attach(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_node *node = p9_node_root(s->tree);
    struct p9_at at;
    struct stat st;
    struct p9_qid q;
    int err = (uint32_t)c->arg[1].u == P9_NOFID ? 0 : -EINVAL; /* there is no authentication */
    if (!err && !(err = p9_at_node(s->tree, node, &at))) {
        err = stat_qid(s, &at, &st, &q);
        p9_at_put(s->tree, &at);
    }
    for (const char *name = c->arg[3].s; *name && !err;) {
        size_t len = strcspn(name, "/");
        char part[P9_NAME_MAX + 1];
        if (len > P9_NAME_MAX) {
            err = -ENAMETOOLONG;
        } else if (len) {
            memcpy(part, name, len);
            part[len] = 0;
            err = S_ISDIR(st.st_mode) ? step(s, &node, part, len, &st, &q) : -ENOTDIR;
        }
        name += len + (name[len] == '/');
    }
    if (err) {
        p9_node_unref(s->tree, node);
        return err;
    }
    err = fid_add(&s->fids, (uint32_t)c->arg[0].u, (uint32_t)c->arg[4].u, node);
    p9_put_qid(&c->out, &q);
    return err;
}

/* Tflush oldtag[2]: the transport has waited for the request of that tag. */
int do_flush(struct p9_call *c UNUSED)
{
    return 0;
}

/*
 * Twalk fid[4] newfid[4] nwname[2] nwname*(wname[s]) -> nwqid[2] nwqid*(qid[13]). The new fid is made when all names were there; when not
 * even the first was, that is an error; else the reply is as long as the way that is there.
 */
int do_walk(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    uint32_t new_id = (uint32_t)c->arg[1].u;
    unsigned n = (unsigned)c->arg[2].u, done = 0;
    if (n > P9_WALK_MAX)
        return -EINVAL;
    enum fid_kind kind = fid_kind(f);
    if (kind == FID_XATTR_READ || kind == FID_XATTR_WRITE || (new_id == f->id && kind != FID_PATH))
        return -EBADF;
    struct p9_node *node = p9_node_ref(s->tree, f->node);
    struct p9_qid q[P9_WALK_MAX];
    struct stat st = {.st_mode = S_IFDIR};
    int err = 0;
    for (; done < n; done++) {
        uint16_t len;
        const char *name = p9_get_string(&c->in, &len);
        if (!name)
            err = -EINVAL;
        else if (!S_ISDIR(st.st_mode))
            err = -ENOTDIR;
        else
            err = step(s, &node, name, len, &st, &q[done]);
        if (err)
            break;
    }
    if (err && (done == 0 || c->in.bad)) {
        p9_node_unref(s->tree, node);
        return err;
    }
    if (err)
        p9_node_unref(s->tree, node);
    else
        err = new_id == f->id ? fid_replace(&s->fids, f, node, -1, 0) : fid_add(&s->fids, new_id, f->uid, node);
    if (err && done == n)
        return err;
    p9_put(&c->out, 2, done);
    for (unsigned i = 0; i < done; i++)
        p9_put_qid(&c->out, &q[i]);
    return 0;
}

/* Tclunk fid[4]: the fid is gone, whatever the reply. */
int do_clunk(struct p9_call *c)
{
    struct p9_fid *f = c->fid[0];
    if (!fid_remove(&c->server->fids, f))
        return -EBADF;
    return fid_kind(f) == FID_XATTR_WRITE ? xattr_commit(c, f) : 0;
}
