/*
 * ops_xattr.c: extended attributes: Txattrwalk makes a fid to read one (or the list of names) from, Txattrcreate turns a fid into one that
 * Twrite fills and Tclunk stores.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define VALUE_MAX 65536u /* bytes: Linux's limit for a value and for a list */

/* The names of all attributes that the guest may know, as it knows them; in place. Bytes. */
static ssize_t translate_list(const struct p9_security *s, const char *list, size_t size, char *out)
{
    size_t len = 0;
    for (const char *p = list; p < list + size; p += strlen(p) + 1) {
        char name[P9_XATTR_NAME_MAX];
        if (p9_xattr_name(s, p, true, name))
            continue;
        size_t n = strlen(name) + 1;
        if (len + n > VALUE_MAX)
            break;
        memcpy(out + len, name, n);
        len += n;
    }
    return (ssize_t)len;
}

/* The value of attribute `name`, or with "" the list of names, into buf of VALUE_MAX bytes. Bytes or -errno. */
static ssize_t load(struct p9_call *c, const char *name, char *buf)
{
    struct p9_server *s = c->server;
    char host[P9_XATTR_NAME_MAX];
    struct p9_at at;
    char *list = NULL;
    int err = *name ? p9_xattr_name(&s->security, name, false, host) : 0;
    if (!err)
        err = at_fid(c, c->fid[0], &at);
    if (err)
        return err;
    ssize_t n;
    if (*name) {
        n = p9_getxattr(&at, host, buf, VALUE_MAX);
    } else if ((list = malloc(VALUE_MAX + 1))) {
        n = p9_listxattr(&at, list, VALUE_MAX);
        if (n > 0) {
            list[n] = 0;
            n = translate_list(&s->security, list, (size_t)n, buf);
        }
        free(list);
    } else {
        n = -ENOMEM;
    }
    p9_at_put(s->tree, &at);
    return n;
}

/* Txattrwalk fid[4] newfid[4] name[s] -> size[8] */
int do_xattrwalk(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    uint32_t id = (uint32_t)c->arg[1].u;
    char *buf = malloc(VALUE_MAX);
    ssize_t n = buf ? load(c, c->arg[2].s, buf) : -ENOMEM;
    struct p9_xattr *x = n >= 0 ? xattr_new(&s->fids, NULL, (size_t)n, 0) : NULL;
    int err = n < 0 ? (int)n : x ? fid_add(&s->fids, id, f->uid, p9_node_ref(s->tree, f->node)) : -ENOMEM;
    if (!err) {
        struct p9_fid *made = fid_get(&s->fids, id);
        memcpy(x->value, buf, (size_t)n);
        err = made ? fid_claim(made) : -EBADF; /* somebody else may have got hold of the number already */
        if (!err) {
            made->xattr = x;
            x = NULL;
            fid_opened(made, FID_XATTR_READ);
        }
        fid_put(&s->fids, made);
    }
    if (x)
        xattr_free(&s->fids, x);
    free(buf);
    p9_put(&c->out, 8, (uint64_t)n);
    return err;
}

/* Txattrcreate fid[4] name[s] attr_size[8] flags[4] */
int do_xattrcreate(struct p9_call *c)
{
    struct p9_server *s = c->server;
    struct p9_fid *f = c->fid[0];
    char host[P9_XATTR_NAME_MAX];
    uint64_t size = c->arg[2].u;
    int flags = (int)c->arg[3].u;
    if (size > VALUE_MAX)
        return -E2BIG;
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    int err = p9_xattr_name(&s->security, c->arg[1].s, false, host);
    if (!err)
        err = fid_claim(f);
    if (err)
        return err;
    if (!(f->xattr = xattr_new(&s->fids, host, size, flags))) {
        fid_not_opened(f);
        return -ENOMEM;
    }
    fid_opened(f, FID_XATTR_WRITE);
    return 0;
}

int xattr_commit(struct p9_call *c, struct p9_fid *f)
{
    struct p9_xattr *x = f->xattr;
    struct p9_at at;
    int err = p9_at_node(c->server->tree, f->node, &at);
    if (err)
        return err;
    pthread_mutex_lock(&x->lock);
    if (x->filled != x->size)
        err = -EINVAL;
    else /* the protocol has no other message for removing one */
        err = x->size ? p9_setxattr(&at, x->name, x->value, x->size, x->flags) : p9_removexattr(&at, x->name);
    pthread_mutex_unlock(&x->lock);
    p9_at_put(c->server->tree, &at);
    return err;
}
