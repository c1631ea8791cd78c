/*
 * tree.h: the names of the shared folder that the guest holds on to, and the one way from a name to the host's file system. The guest is
 * confined here.
 *
 * A node is one directory entry: its parent node and a name without '/', never a path. The host's kernel is only ever given a descriptor of
 * a directory and one such name, with symbolic links not followed (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_MAGICLINKS where a file is opened), so each step ends inside the directory it starts in. ".." is the parent node, and the
 * root's is the root: the kernel's ".." is never used. Every step that the guest takes thus stays under the folder's own descriptor,
 * whatever links, renames and mounts there are.
 *
 * Directories keep an O_PATH descriptor while there is room; the least recently used are closed and opened again by name when needed. Files
 * have none: they are named through their directory. A node whose entry the guest removed is detached: it lives on by a descriptor of its
 * own, like an open file.
 *
 * Entries changed behind the guest's back: a node then means what its name means now. A directory which the host's user moves out of the
 * folder stays reachable, itself and what is below it, as long as its descriptor is kept, as with an NFS server.
 *
 * Locks: p9_tree_lock() shared around everything that goes from nodes to the host by name, exclusive around what makes names mean something
 * else (rename, unlink). Inside, a mutex for the table of names, the descriptors and the reference counts, never held over a system call
 * that can wait for a disk.
 */
#ifndef DEVICES_9P_TREE_H
#define DEVICES_9P_TREE_H

#include <armlet/base.h>
#include <sys/stat.h>

struct p9_tree;
struct p9_node;

/* Where to point an *at() system call: `name` in the directory `fd`, or `fd` itself where flags is AT_EMPTY_PATH. flags also has
 * AT_SYMLINK_NOFOLLOW. */
struct p9_at {
    int fd;
    const char *name;
    int flags;
    struct p9_node *pinned; /* keeps fd open; NULL: somebody else does */
};

/* root: descriptor of the folder, owned by the tree from now on. max_fds: directories to keep open. NULL: no memory (root is closed). */
struct p9_tree *p9_tree_create(int root, unsigned max_fds);
void p9_tree_destroy(struct p9_tree *t);   /* no references are left */
unsigned p9_tree_nodes(struct p9_tree *t); /* nodes that exist beside the root */

void p9_tree_lock(struct p9_tree *t, bool exclusive);
void p9_tree_unlock(struct p9_tree *t);

/* All return a reference. */
struct p9_node *p9_node_root(struct p9_tree *t);
struct p9_node *p9_node_ref(struct p9_tree *t, struct p9_node *n);
struct p9_node *p9_node_parent(struct p9_tree *t, struct p9_node *n); /* of a detached node: NULL */
/* The node of an entry; `name` has passed p9_check_name(). st: what it is now, when known. NULL: no memory. Only names: nothing is looked
 * up on the host. */
struct p9_node *p9_node_child(struct p9_tree *t, struct p9_node *dir, const char *name, const struct stat *st);
void p9_node_unref(struct p9_tree *t, struct p9_node *n);

/* The rest needs p9_tree_lock(). 0 or -errno. */
int p9_at_node(struct p9_tree *t, struct p9_node *n, struct p9_at *at); /* the entry itself */
int p9_at_inside(struct p9_tree *t, struct p9_node *dir, const char *name,
                 struct p9_at *at); /* an entry of dir, which may be there or not */
void p9_at_put(struct p9_tree *t, struct p9_at *at);
/* The entry's directory and name, for unlink and rename. -EBUSY: the root. -ENOENT: removed already. */
int p9_at_entry(struct p9_tree *t, struct p9_node *n, struct p9_at *at);

/* Exclusive: the guest is about to remove or replace dir's entry (call before), has done so, has renamed. */
void p9_tree_keep(struct p9_tree *t, struct p9_node *dir, const char *name);
void p9_tree_removed(struct p9_tree *t, struct p9_node *dir, const char *name);
int p9_tree_renamed(struct p9_tree *t, struct p9_node *from, const char *name, struct p9_node *to, const char *new_name);

/* openat() of one name inside dir, confined as said above. Descriptor or -errno. */
int p9_open_beneath(int dir, const char *name, int flags, mode_t mode);

#endif
