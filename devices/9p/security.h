/*
 * security.h: how the guest's owners, modes, device nodes and extended attributes are kept on the host: the security model.
 *
 *   passthrough  as they are; needs the rights to change owners, so root in practice.
 *   none         the same, but an owner that cannot be set is no error.
 *   mapped-xattr in extended attributes user.virtfs.{uid,gid,mode,rdev} of files that belong to the user who runs armlet, mode 0600
 * (directories 0700). Symbolic links, device nodes, sockets and FIFOs are regular files on the host. The format is QEMU's, so trees can be
 * exchanged with it.
 *
 * Device nodes are made in mapped-xattr only: on the host they would be the host's devices. All functions return 0 or -errno; the tree is
 * locked.
 */
#ifndef DEVICES_9P_SECURITY_H
#define DEVICES_9P_SECURITY_H

#include <devices/9p/tree.h>
#include <sys/types.h>

enum p9_model { P9_MODEL_NONE, P9_MODEL_PASSTHROUGH, P9_MODEL_MAPPED };

struct p9_security {
    enum p9_model model;
    mode_t umask; /* of this process: bits the host leaves out of what it makes */
    uid_t uid;    /* who makes things on the host */
    gid_t gid;
};

/* Who the guest wants something to belong to, and its mode with the type. */
struct p9_owner {
    uint32_t uid, gid;
    mode_t mode;
    dev_t rdev;
};

/* Fill in umask and owner of this process. -ENOTSUP: the folder's file system cannot hold what the model needs; -ENOENT: no /proc. */
int p9_security_init(struct p9_security *s, enum p9_model model, int root);

/* As fstatat(), as the guest is to see it. */
int p9_stat(const struct p9_security *s, const struct p9_at *at, struct stat *st);
/* Replace in *st, which is what the host says of the file, what the guest has set. */
void p9_stat_overlay(const struct p9_security *s, const struct p9_at *at, struct stat *st);

/* The mode to make a file or directory with on the host. */
mode_t p9_host_mode(const struct p9_security *s, mode_t mode);
/* Something has just been made: give it its owner and mode. The caller removes it when this fails. */
int p9_made(const struct p9_security *s, const struct p9_at *at, const struct p9_owner *o);

int p9_chmod(const struct p9_security *s, const struct p9_at *at, mode_t mode);
int p9_chown(const struct p9_security *s, const struct p9_at *at, uint32_t uid, uint32_t gid); /* UINT32_MAX: as it is */

/*
 * The host's name for the guest's extended attribute, in buf. -EOPNOTSUPP: the model has no such attributes. With `reverse` the guest's
 * name for the host's.
 */
#define P9_XATTR_NAME_MAX 256u
int p9_xattr_name(const struct p9_security *s, const char *name, bool reverse, char buf[P9_XATTR_NAME_MAX]);

/* As the system calls of these names, never through a symbolic link. value NULL and size 0: how long it is. */
ssize_t p9_getxattr(const struct p9_at *at, const char *name, void *value, size_t size);
ssize_t p9_listxattr(const struct p9_at *at, char *list, size_t size);
int p9_setxattr(const struct p9_at *at, const char *name, const void *value, size_t size, int flags);
int p9_removexattr(const struct p9_at *at, const char *name);

/* Open for reading or writing what is a regular file or directory: nothing else is ever opened. Descriptor or -errno; *st: what the host
 * says of it. */
int p9_open(const struct p9_security *s, const struct p9_at *at, int flags, struct stat *st);

/* A symbolic link's text, which the host never follows. p9_read_link() returns bytes, without a NUL. */
int p9_make_link(const struct p9_security *s, const struct p9_at *at, const char *target, size_t len);
ssize_t p9_read_link(const struct p9_security *s, const struct p9_at *at, char *buf, size_t size);

#endif
