/*
 * fid.h: the guest's handles. A fid names a node of the tree and may be open: as a file, a directory, an extended attribute being read or
 * written.
 *
 * A fid's number leads to it through the table; whoever uses one holds a reference, so clunking it while other requests run is safe:
 * descriptors and memory go with the last reference. A fid becomes open once, by fid_open(), and never changes again.
 */
#ifndef DEVICES_9P_FID_H
#define DEVICES_9P_FID_H

#include <armlet/base.h>
#include <pthread.h>
#include <stdatomic.h>

#define P9_FIDS_MAX (1u << 20)

struct p9_tree;
struct p9_node;
struct p9_dir;

/* An extended attribute, or the list of their names: whole in memory. */
struct p9_xattr {
    pthread_mutex_t lock; /* guards value */
    char *name;           /* as on the host; NULL: a list, or read only */
    uint8_t *value;
    size_t size;   /* bytes */
    size_t filled; /* being written: bytes that came */
    int flags;     /* being written: XATTR_CREATE, XATTR_REPLACE */
};

enum fid_kind {
    FID_PATH,    /* not open */
    FID_OPENING, /* a request is about to open it */
    FID_FILE,
    FID_DIR,
    FID_XATTR_READ,
    FID_XATTR_WRITE,
};

struct p9_fid {
    struct p9_fid *next; /* of the bucket */
    uint32_t id;
    uint32_t uid;  /* the user who attached: owner of what is made through it */
    uint32_t refs; /* guarded by the table's lock */
    _Atomic enum fid_kind kind;
    struct p9_node *node; /* a reference */
    int fd;               /* FID_FILE: of the file; FID_DIR: of the directory. -1 otherwise */
    int open_flags;       /* FID_FILE: O_ACCMODE bits */
    union {
        struct p9_dir *dir; /* FID_DIR */
        struct p9_xattr *xattr;
    };
};

struct fid_table {
    pthread_mutex_t lock;
    struct p9_tree *tree;
    struct p9_fid **bucket;
    uint32_t n_buckets, n_fids; /* fids in the table */
    unsigned open_max;          /* fids with fd >= 0 there may be at a time */
    atomic_uint n_open;
    size_t xattr_max; /* bytes for attributes at a time */
    atomic_size_t xattr_bytes;
};

int fid_table_init(struct fid_table *t, struct p9_tree *tree, unsigned open_max, size_t xattr_max); /* 0 or -ENOMEM */
void fid_table_free(struct fid_table *t); /* after fid_table_clear(), no references left */

/* A new fid in the table, not open; takes over the reference on node, also when it fails. -EINVAL: the number is in use; -ENFILE, -ENOMEM.
 */
int fid_add(struct fid_table *t, uint32_t id, uint32_t uid, struct p9_node *node);
/*
 * The same in the place of fid `old`, which the caller has a reference on and which is gone from the table afterwards. fd >= 0: open as a
 * file, counted by fid_reserve_fd(); it stays the caller's when this fails.
 */
int fid_replace(struct fid_table *t, struct p9_fid *old, struct p9_node *node, int fd, int open_flags);
struct p9_fid *fid_get(struct fid_table *t, uint32_t id); /* NULL: none of that number */
void fid_put(struct fid_table *t, struct p9_fid *f);
/* Out of the table; true when it was still in it. The caller's reference stays. */
bool fid_remove(struct fid_table *t, struct p9_fid *f);
void fid_clear(struct fid_table *t); /* every fid out of the table */

/* Claim the fid for opening: 0, or -EBADF when it is open. Then fid_opened() or fid_not_opened(). */
int fid_claim(struct p9_fid *f);
static inline void fid_opened(struct p9_fid *f, enum fid_kind kind)
{
    atomic_store(&f->kind, kind);
}
static inline void fid_not_opened(struct p9_fid *f)
{
    atomic_store(&f->kind, FID_PATH);
}
static inline enum fid_kind fid_kind(struct p9_fid *f)
{
    return atomic_load(&f->kind);
}

/* Count a descriptor about to be opened against open_max: 0 or -EMFILE. A fid gives it back by itself when it goes with fd >= 0. */
int fid_reserve_fd(struct fid_table *t);
void fid_release_fd(struct fid_table *t);

/* Memory for a value of `size` bytes and its name (may be NULL; copied), counted. NULL: over the limit. */
struct p9_xattr *xattr_new(struct fid_table *t, const char *name, size_t size, int flags);
void xattr_free(struct fid_table *t, struct p9_xattr *x);

#endif
