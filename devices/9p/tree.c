/*
 * tree.c: nodes, their table by (directory, name), and the descriptors of directories, kept in order of use.
 */
#include <devices/9p/tree.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX   1024u /* directories below each other that are opened again by name */
#define BUCKETS_MIN 256u

struct p9_node {
    struct p9_node *parent;        /* a reference; NULL: the root, or detached */
    char *name;                    /* NULL: the root */
    struct p9_node *next;          /* of the bucket */
    struct p9_node *newer, *older; /* ring of nodes that may lose their descriptor: those with fd >= 0, no pins, not detached */
    dev_t dev;                     /* what the name meant when last looked at */
    ino_t ino;
    int fd; /* O_PATH, or -1 */
    uint32_t hash;
    uint32_t pins;
    uint32_t refs;
    bool detached; /* the entry is gone: not in the table; a descriptor is kept for good */
};

struct p9_tree {
    pthread_rwlock_t names;
    pthread_mutex_t
        lock; /* guards all below and every node's fields; parent, name and detached change only with `names` exclusive as well */
    struct p9_node root;
    struct p9_node recent; /* head of the ring: recent.older is the one used last */
    struct p9_node **bucket;
    uint32_t n_buckets; /* a power of two */
    uint32_t n_nodes;
    unsigned n_fds, max_fds; /* of nodes except the root */
};

int p9_open_beneath(int dir, const char *name, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* old kernel, or a filter for system calls: one name and no links are as good */
        fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    return fd < 0 ? -errno : (int)fd;
}

/* --- ring of descriptors --- */

static void ring_remove(struct p9_node *n)
{
    n->newer->older = n->older;
    n->older->newer = n->newer;
    n->newer = n->older = NULL;
}

static void ring_add(struct p9_tree *t, struct p9_node *n)
{
    n->newer = &t->recent;
    n->older = t->recent.older;
    n->older->newer = n;
    t->recent.older = n;
}

/* Take the descriptor out of a node that nobody has pinned; the caller closes it after unlocking. */
static int take_fd(struct p9_tree *t, struct p9_node *n)
{
    int fd = n->fd;
    if (n->older)
        ring_remove(n);
    n->fd = -1;
    t->n_fds--;
    return fd;
}

/* --- table of names --- */

static uint32_t hash_name(const struct p9_node *dir, const char *name)
{
    uint64_t h = 0xcbf29ce484222325ull ^ (uintptr_t)dir;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
    return (uint32_t)(h ^ h >> 32);
}

static struct p9_node *find(struct p9_tree *t, const struct p9_node *dir, const char *name)
{
    uint32_t hash = hash_name(dir, name);
    for (struct p9_node *n = t->bucket[hash & (t->n_buckets - 1)]; n; n = n->next)
        if (n->hash == hash && n->parent == dir && !strcmp(n->name, name))
            return n;
    return NULL;
}

static void insert(struct p9_tree *t, struct p9_node *n)
{
    n->hash = hash_name(n->parent, n->name);
    struct p9_node **b = &t->bucket[n->hash & (t->n_buckets - 1)];
    n->next = *b;
    *b = n;
}

static void take_out(struct p9_tree *t, struct p9_node *n)
{
    struct p9_node **b = &t->bucket[n->hash & (t->n_buckets - 1)];
    while (*b != n)
        b = &(*b)->next;
    *b = n->next;
}

/* Twice as many buckets once there are as many nodes. Without memory for that the chains grow longer. */
static void grow(struct p9_tree *t)
{
    if (t->n_nodes < t->n_buckets || t->n_buckets >= 1u << 24)
        return;
    struct p9_node **bucket = calloc(t->n_buckets * 2u, sizeof(*bucket));
    if (!bucket)
        return;
    for (uint32_t i = 0; i < t->n_buckets; i++)
        for (struct p9_node *n = t->bucket[i], *next; n; n = next) {
            next = n->next;
            struct p9_node **b = &bucket[n->hash & (t->n_buckets * 2u - 1)];
            n->next = *b;
            *b = n;
        }
    free(t->bucket);
    t->bucket = bucket;
    t->n_buckets *= 2;
}

/* --- life --- */

struct p9_tree *p9_tree_create(int root, unsigned max_fds)
{
    struct p9_tree *t = calloc(1, sizeof(*t));
    if (t)
        t->bucket = calloc(BUCKETS_MIN, sizeof(struct p9_node *));
    if (!t || !t->bucket) {
        free(t);
        close(root);
        return NULL;
    }
    t->n_buckets = BUCKETS_MIN;
    t->max_fds = max_fds;
    t->root.fd = root;
    t->root.refs = 1;
    t->recent.newer = t->recent.older = &t->recent;
    /* a removal must not wait for ever behind a guest that never stops looking up names */
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&t->names, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void p9_tree_destroy(struct p9_tree *t)
{
    close(t->root.fd);
    free(t->bucket);
    pthread_mutex_destroy(&t->lock);
    pthread_rwlock_destroy(&t->names);
    free(t);
}

unsigned p9_tree_nodes(struct p9_tree *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->n_nodes;
    pthread_mutex_unlock(&t->lock);
    return n;
}

void p9_tree_lock(struct p9_tree *t, bool exclusive)
{
    if (exclusive)
        pthread_rwlock_wrlock(&t->names);
    else
        pthread_rwlock_rdlock(&t->names);
}

void p9_tree_unlock(struct p9_tree *t)
{
    pthread_rwlock_unlock(&t->names);
}

struct p9_node *p9_node_ref(struct p9_tree *t, struct p9_node *n)
{
    pthread_mutex_lock(&t->lock);
    n->refs++;
    pthread_mutex_unlock(&t->lock);
    return n;
}

struct p9_node *p9_node_root(struct p9_tree *t)
{
    return p9_node_ref(t, &t->root);
}

struct p9_node *p9_node_parent(struct p9_tree *t, struct p9_node *n)
{
    pthread_mutex_lock(&t->lock);
    struct p9_node *parent = n == &t->root ? n : n->parent;
    if (parent)
        parent->refs++;
    pthread_mutex_unlock(&t->lock);
    return parent;
}

void p9_node_unref(struct p9_tree *t, struct p9_node *n)
{
    while (n) {
        int fd = -1;
        pthread_mutex_lock(&t->lock);
        if (--n->refs) {
            pthread_mutex_unlock(&t->lock);
            return;
        }
        if (!n->detached)
            take_out(t, n);
        if (n->fd >= 0)
            fd = take_fd(t, n);
        t->n_nodes--;
        pthread_mutex_unlock(&t->lock);
        if (fd >= 0)
            close(fd);
        struct p9_node *parent = n->parent;
        free(n->name);
        free(n);
        n = parent;
    }
}

struct p9_node *p9_node_child(struct p9_tree *t, struct p9_node *dir, const char *name, const struct stat *st)
{
    int stale = -1;
    pthread_mutex_lock(&t->lock);
    struct p9_node *n = find(t, dir, name);
    if (n) {
        n->refs++;
        if (st && (n->dev != st->st_dev || n->ino != st->st_ino)) { /* replaced behind the guest's back */
            if (n->fd >= 0 && !n->pins)
                stale = take_fd(t, n);
            n->dev = st->st_dev;
            n->ino = st->st_ino;
        }
    } else if ((n = calloc(1, sizeof(*n))) && (n->name = strdup(name))) {
        n->parent = dir;
        dir->refs++;
        n->fd = -1;
        n->refs = 1;
        if (st) {
            n->dev = st->st_dev;
            n->ino = st->st_ino;
        }
        insert(t, n);
        t->n_nodes++;
        grow(t);
    } else {
        free(n);
        n = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    if (stale >= 0)
        close(stale);
    return n;
}

/* --- descriptors --- */

/* A pinned node is referenced too: renaming or removing an entry may drop the last other reference on its directory. */
static void unpin(struct p9_tree *t, struct p9_node *n)
{
    int surplus = -1;
    pthread_mutex_lock(&t->lock);
    if (!--n->pins && n != &t->root && !n->detached) {
        if (t->n_fds > t->max_fds)
            surplus = take_fd(t, n);
        else
            ring_add(t, n);
    }
    bool last = n->refs == 1;
    if (!last)
        n->refs--;
    pthread_mutex_unlock(&t->lock);
    if (surplus >= 0)
        close(surplus);
    if (last)
        p9_node_unref(t, n);
}

/* The node's own descriptor, which stays open until unpin(). */
static int pin(struct p9_tree *t, struct p9_node *n, unsigned depth)
{
    pthread_mutex_lock(&t->lock);
    int fd = n->fd;
    if (fd >= 0) {
        if (!n->pins++ && n->older)
            ring_remove(n);
        n->refs++;
        pthread_mutex_unlock(&t->lock);
        return fd;
    }
    pthread_mutex_unlock(&t->lock);
    if (n->detached)
        return -ENOENT;
    if (depth >= DEPTH_MAX)
        return -ENAMETOOLONG;

    int dir = pin(t, n->parent, depth + 1);
    if (dir < 0)
        return dir;
    fd = p9_open_beneath(dir, n->name, O_PATH, 0);
    unpin(t, n->parent);
    if (fd < 0)
        return fd;

    int surplus = -1;
    pthread_mutex_lock(&t->lock);
    if (n->fd >= 0) { /* another thread was faster */
        surplus = fd;
        fd = n->fd;
        if (!n->pins && n->older)
            ring_remove(n);
    } else {
        n->fd = fd;
        if (++t->n_fds > t->max_fds && t->recent.newer != &t->recent)
            surplus = take_fd(t, t->recent.newer);
    }
    n->pins++;
    n->refs++;
    pthread_mutex_unlock(&t->lock);
    if (surplus >= 0)
        close(surplus);
    return fd;
}

int p9_at_inside(struct p9_tree *t, struct p9_node *dir, const char *name, struct p9_at *at)
{
    int fd = pin(t, dir, 0);
    if (fd < 0)
        return fd;
    *at = (struct p9_at){fd, name, AT_SYMLINK_NOFOLLOW, dir};
    return 0;
}

int p9_at_entry(struct p9_tree *t, struct p9_node *n, struct p9_at *at)
{
    if (n == &t->root)
        return -EBUSY;
    return n->detached ? -ENOENT : p9_at_inside(t, n->parent, n->name, at);
}

int p9_at_node(struct p9_tree *t, struct p9_node *n, struct p9_at *at)
{
    if (n != &t->root && !n->detached)
        return p9_at_inside(t, n->parent, n->name, at);
    int err = p9_at_inside(t, n, "", at);
    if (!err)
        at->flags |= AT_EMPTY_PATH;
    return err;
}

void p9_at_put(struct p9_tree *t, struct p9_at *at)
{
    if (at->pinned)
        unpin(t, at->pinned);
    at->pinned = NULL;
}

/* --- what the guest does to names; the lock is exclusive --- */

/* Its entry is gone. Returns its parent, whose reference is the caller's now. */
static struct p9_node *detach(struct p9_tree *t, struct p9_node *n)
{
    struct p9_node *parent = n->parent;
    take_out(t, n);
    n->detached = true;
    n->parent = NULL;
    if (n->older)
        ring_remove(n);
    return parent;
}

void p9_tree_keep(struct p9_tree *t, struct p9_node *dir, const char *name)
{
    pthread_mutex_lock(&t->lock);
    struct p9_node *n = find(t, dir, name);
    bool room = t->n_fds < 2 * t->max_fds; /* detached nodes keep theirs: beyond this the guest's fids become stale */
    if (n)
        n->refs++;
    pthread_mutex_unlock(&t->lock);
    if (n && room && pin(t, n, 0) >= 0)
        unpin(t, n);
    p9_node_unref(t, n);
}

void p9_tree_removed(struct p9_tree *t, struct p9_node *dir, const char *name)
{
    struct p9_node *parent = NULL;
    pthread_mutex_lock(&t->lock);
    struct p9_node *n = find(t, dir, name);
    if (n)
        parent = detach(t, n);
    pthread_mutex_unlock(&t->lock);
    p9_node_unref(t, parent);
}

int p9_tree_renamed(struct p9_tree *t, struct p9_node *from, const char *name, struct p9_node *to, const char *new_name)
{
    struct p9_node *drop[2] = {NULL, NULL};
    char *copy = strdup(new_name);
    int err = 0;
    pthread_mutex_lock(&t->lock);
    struct p9_node *n = find(t, from, name), *old = find(t, to, new_name);
    if (n && n == old) /* renamed to itself */
        goto out;
    if (old)
        drop[0] = detach(t, old);
    if (!n)
        goto out;
    /* Names that moved behind our back can make a directory its own ancestor here, which it is not on the host: the node has lost its
     * place. */
    bool loop = false;
    for (struct p9_node *p = to; p && !loop; p = p->parent)
        loop = p == n;
    if (loop || !copy) {
        drop[1] = detach(t, n);
        err = copy ? 0 : -ENOMEM;
        goto out;
    }
    take_out(t, n);
    drop[1] = n->parent;
    n->parent = to;
    to->refs++;
    free(n->name);
    n->name = copy;
    copy = NULL;
    insert(t, n);
out:
    pthread_mutex_unlock(&t->lock);
    free(copy);
    p9_node_unref(t, drop[0]);
    p9_node_unref(t, drop[1]);
    return err;
}
