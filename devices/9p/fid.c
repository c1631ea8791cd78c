/*
 * fid.c: the table of fids, their references and their limits.
 */
#include <devices/9p/dir.h>
#include <devices/9p/fid.h>
#include <devices/9p/protocol.h>
#include <devices/9p/tree.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUCKETS_MIN 256u

static struct p9_fid **place(struct fid_table *t, uint32_t id)
{
    struct p9_fid **b = &t->bucket[(id * 0x9e3779b1u >> 8) & (t->n_buckets - 1)];
    while (*b && (*b)->id != id)
        b = &(*b)->next;
    return b;
}

static void grow(struct fid_table *t)
{
    if (t->n_fids < t->n_buckets)
        return;
    struct p9_fid **old = t->bucket, **bucket = calloc(t->n_buckets * 2u, sizeof(*bucket));
    if (!bucket)
        return;
    uint32_t n = t->n_buckets;
    t->bucket = bucket;
    t->n_buckets *= 2;
    for (uint32_t i = 0; i < n; i++)
        for (struct p9_fid *f = old[i], *next; f; f = next) {
            next = f->next;
            f->next = NULL;
            *place(t, f->id) = f;
        }
    free(old);
}

int fid_table_init(struct fid_table *t, struct p9_tree *tree, unsigned open_max, size_t xattr_max)
{
    *t = (struct fid_table){.tree = tree, .n_buckets = BUCKETS_MIN, .open_max = open_max, .xattr_max = xattr_max};
    t->bucket = calloc(BUCKETS_MIN, sizeof(struct p9_fid *));
    if (!t->bucket)
        return -ENOMEM;
    pthread_mutex_init(&t->lock, NULL);
    return 0;
}

void fid_table_free(struct fid_table *t)
{
    free(t->bucket);
    pthread_mutex_destroy(&t->lock);
}

static struct p9_fid *fid_new(uint32_t id, uint32_t uid, struct p9_node *node)
{
    struct p9_fid *f = calloc(1, sizeof(*f));
    if (f) {
        f->id = id;
        f->uid = uid;
        f->refs = 1;
        f->fd = -1;
        f->node = node;
    }
    return f;
}

int fid_add(struct fid_table *t, uint32_t id, uint32_t uid, struct p9_node *node)
{
    struct p9_fid *f = id == P9_NOFID ? NULL : fid_new(id, uid, node);
    int err = id == P9_NOFID ? -EINVAL : f ? 0 : -ENOMEM;
    if (f) {
        pthread_mutex_lock(&t->lock);
        struct p9_fid **p = place(t, id);
        if (*p)
            err = -EINVAL;
        else if (t->n_fids >= P9_FIDS_MAX)
            err = -ENFILE;
        else {
            *p = f;
            t->n_fids++;
            grow(t);
        }
        pthread_mutex_unlock(&t->lock);
    }
    if (err) {
        free(f);
        p9_node_unref(t->tree, node);
    }
    return err;
}

int fid_replace(struct fid_table *t, struct p9_fid *old, struct p9_node *node, int fd, int open_flags)
{
    struct p9_fid *f = fid_new(old->id, old->uid, node);
    int err = f ? 0 : -ENOMEM;
    if (f) {
        pthread_mutex_lock(&t->lock);
        struct p9_fid **p = place(t, old->id);
        if (*p == old) {
            f->fd = fd;
            f->open_flags = open_flags;
            if (fd >= 0)
                fid_opened(f, FID_FILE);
            f->next = old->next;
            *p = f;
            old->refs--; /* the table's; the caller has another */
        } else {         /* clunked meanwhile */
            err = -EBADF;
        }
        pthread_mutex_unlock(&t->lock);
    }
    if (err) {
        free(f);
        p9_node_unref(t->tree, node);
    }
    return err;
}

struct p9_fid *fid_get(struct fid_table *t, uint32_t id)
{
    pthread_mutex_lock(&t->lock);
    struct p9_fid *f = *place(t, id);
    if (f)
        f->refs++;
    pthread_mutex_unlock(&t->lock);
    return f;
}

void fid_put(struct fid_table *t, struct p9_fid *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&t->lock);
    bool last = !--f->refs;
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    switch (fid_kind(f)) {
    case FID_DIR:
        p9_dir_free(f->dir);
        break;
    case FID_XATTR_READ:
    case FID_XATTR_WRITE:
        xattr_free(t, f->xattr);
        break;
    default:
        break;
    }
    if (f->fd >= 0) {
        close(f->fd);
        fid_release_fd(t);
    }
    p9_node_unref(t->tree, f->node);
    free(f);
}

bool fid_remove(struct fid_table *t, struct p9_fid *f)
{
    pthread_mutex_lock(&t->lock);
    struct p9_fid **p = place(t, f->id);
    bool there = *p == f;
    if (there) {
        *p = f->next;
        t->n_fids--;
        f->refs--;
    }
    pthread_mutex_unlock(&t->lock);
    return there;
}

void fid_clear(struct fid_table *t)
{
    struct p9_fid *all = NULL;
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->n_buckets; i++)
        while (t->bucket[i]) {
            struct p9_fid *f = t->bucket[i];
            t->bucket[i] = f->next;
            f->next = all;
            all = f;
        }
    t->n_fids = 0;
    pthread_mutex_unlock(&t->lock);
    while (all) {
        struct p9_fid *f = all;
        all = f->next;
        fid_put(t, f);
    }
}

int fid_claim(struct p9_fid *f)
{
    enum fid_kind want = FID_PATH;
    return atomic_compare_exchange_strong(&f->kind, &want, FID_OPENING) ? 0 : -EBADF;
}

int fid_reserve_fd(struct fid_table *t)
{
    if (atomic_fetch_add(&t->n_open, 1) < t->open_max)
        return 0;
    fid_release_fd(t);
    return -EMFILE;
}

void fid_release_fd(struct fid_table *t)
{
    atomic_fetch_sub(&t->n_open, 1);
}

struct p9_xattr *xattr_new(struct fid_table *t, const char *name, size_t size, int flags)
{
    struct p9_xattr *x = NULL;
    if (atomic_fetch_add(&t->xattr_bytes, size + 1) + size + 1 > t->xattr_max || !(x = calloc(1, sizeof(*x))))
        goto fail;
    x->size = size;
    x->flags = flags;
    x->value = calloc(1, size + 1);
    x->name = name ? strdup(name) : NULL;
    if (!x->value || (name && !x->name))
        goto fail;
    pthread_mutex_init(&x->lock, NULL);
    return x;
fail:
    if (x) {
        free(x->value);
        free(x->name);
        free(x);
    }
    atomic_fetch_sub(&t->xattr_bytes, size + 1);
    return NULL;
}

void xattr_free(struct fid_table *t, struct p9_xattr *x)
{
    atomic_fetch_sub(&t->xattr_bytes, x->size + 1);
    pthread_mutex_destroy(&x->lock);
    free(x->value);
    free(x->name);
    free(x);
}
