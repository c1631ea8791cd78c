/*
 * ops.h: the server's inside: what the handlers of messages share. Each handler gets a decoded call and returns 0 with the reply in c->out,
 * or -errno.
 */
#ifndef DEVICES_9P_OPS_H
#define DEVICES_9P_OPS_H

#include <devices/9p/fid.h>
#include <devices/9p/server.h>
#include <stdatomic.h>

#define P9_DEVS_MAX 256u /* file systems mounted below the folder, itself included */

struct p9_server {
    struct p9_security security;
    bool readonly;
    struct p9_tree *tree;
    struct fid_table fids;
    _Atomic uint32_t msize; /* bytes of the longest message, as agreed */
    pthread_mutex_t lock;   /* guards dev and n_devs */
    dev_t dev[P9_DEVS_MAX]; /* st_dev of number i */
    unsigned n_devs;
};

enum p9_names { NAMES_UNUSED, NAMES_USED, NAMES_CHANGED }; /* how a message's handler goes from nodes to the host: see p9_tree_lock() */

struct p9_message {
    const char *name;
    const char *layout; /* see p9_decode() */
    int (*run)(struct p9_call *c);
    enum p9_names names;
    bool modifies; /* refused on a read-only folder */
};

extern const struct p9_message p9_messages[P9_TYPES]; /* run NULL: no such message */

/* Where the fid is on the host: its open descriptor, or its node. Undo with p9_at_put(). */
int at_fid(struct p9_call *c, struct p9_fid *f, struct p9_at *at);
int qid_of(struct p9_server *s, const struct stat *st, struct p9_qid *q);
/* What is_at says, with the guest's owners and modes, and its qid. */
int stat_qid(struct p9_server *s, const struct p9_at *at, struct stat *st, struct p9_qid *q);
/* Bytes of data that are best for one Tread or Twrite. */
uint32_t io_unit(struct p9_server *s);

int do_version(struct p9_call *c);
int do_attach(struct p9_call *c);
int do_flush(struct p9_call *c);
int do_walk(struct p9_call *c);
int do_clunk(struct p9_call *c);
int do_remove(struct p9_call *c);
int do_lopen(struct p9_call *c);
int do_lcreate(struct p9_call *c);
int do_read(struct p9_call *c);
int do_write(struct p9_call *c);
int do_fsync(struct p9_call *c);
int do_readdir(struct p9_call *c);
int do_symlink(struct p9_call *c);
int do_mknod(struct p9_call *c);
int do_mkdir(struct p9_call *c);
int do_link(struct p9_call *c);
int do_rename(struct p9_call *c);
int do_renameat(struct p9_call *c);
int do_unlinkat(struct p9_call *c);
int do_readlink(struct p9_call *c);
int do_getattr(struct p9_call *c);
int do_setattr(struct p9_call *c);
int do_statfs(struct p9_call *c);
int do_xattrwalk(struct p9_call *c);
int do_xattrcreate(struct p9_call *c);
int do_lock(struct p9_call *c);
int do_getlock(struct p9_call *c);

/* For Tclunk of a fid that an attribute was written through. 0 or -errno. */
int xattr_commit(struct p9_call *c, struct p9_fid *f);

#endif
