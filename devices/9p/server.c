/*
 * server.c: the life of a server and of a call: decode by the table of messages, find the fids, lock the names, run the handler, store the
 * reply.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <devices/virtio/virtio.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define XATTR_BYTES_MAX (16u << 20) /* of extended attributes in memory */
#define DIR_FDS_MAX     1024u       /* directories kept open for their names */
#define OPEN_MAX_MIN    64u
#define OPEN_MAX_MAX    65536u

const struct p9_message p9_messages[P9_TYPES] = {
    [P9_TSTATFS] = {"Tstatfs", "f", do_statfs, NAMES_USED, false},
    [P9_TLOPEN] = {"Tlopen", "fd", do_lopen, NAMES_USED, false},
    [P9_TLCREATE] = {"Tlcreate", "fnddd", do_lcreate, NAMES_USED, true},
    [P9_TSYMLINK] = {"Tsymlink", "fnsd", do_symlink, NAMES_USED, true},
    [P9_TMKNOD] = {"Tmknod", "fndddd", do_mknod, NAMES_USED, true},
    [P9_TRENAME] = {"Trename", "ffn", do_rename, NAMES_CHANGED, true},
    [P9_TREADLINK] = {"Treadlink", "f", do_readlink, NAMES_USED, false},
    [P9_TGETATTR] = {"Tgetattr", "fq", do_getattr, NAMES_USED, false},
    [P9_TSETATTR] = {"Tsetattr", "fddddqqqqq", do_setattr, NAMES_USED, true},
    [P9_TXATTRWALK] = {"Txattrwalk", "fds", do_xattrwalk, NAMES_USED, false},
    [P9_TXATTRCREATE] = {"Txattrcreate", "fsqd", do_xattrcreate, NAMES_USED, true},
    [P9_TREADDIR] = {"Treaddir", "fqd", do_readdir, NAMES_USED, false},
    [P9_TFSYNC] = {"Tfsync", "fd", do_fsync, NAMES_UNUSED, false},
    [P9_TLOCK] = {"Tlock", "fbdqqds", do_lock, NAMES_UNUSED, false},
    [P9_TGETLOCK] = {"Tgetlock", "fbqqds", do_getlock, NAMES_UNUSED, false},
    [P9_TLINK] = {"Tlink", "ffn", do_link, NAMES_USED, true},
    [P9_TMKDIR] = {"Tmkdir", "fndd", do_mkdir, NAMES_USED, true},
    [P9_TRENAMEAT] = {"Trenameat", "fnfn", do_renameat, NAMES_CHANGED, true},
    [P9_TUNLINKAT] = {"Tunlinkat", "fnd", do_unlinkat, NAMES_CHANGED, true},
    [P9_TVERSION] = {"Tversion", "ds", do_version, NAMES_UNUSED, false},
    [P9_TATTACH] = {"Tattach", "ddssd", do_attach, NAMES_USED, false},
    [P9_TFLUSH] = {"Tflush", "w", do_flush, NAMES_UNUSED, false},
    [P9_TWALK] = {"Twalk", "fdw", do_walk, NAMES_USED, false},
    [P9_TREAD] = {"Tread", "fqd", do_read, NAMES_UNUSED, false},
    [P9_TWRITE] = {"Twrite", "fqd", do_write, NAMES_UNUSED, true},
    [P9_TCLUNK] = {"Tclunk", "f", do_clunk, NAMES_USED, false},
    [P9_TREMOVE] = {"Tremove", "f", do_remove, NAMES_CHANGED, false}, /* clunks the fid on a read-only folder too */
};

/* --- what handlers share --- */

int at_fid(struct p9_call *c, struct p9_fid *f, struct p9_at *at)
{
    enum fid_kind kind = fid_kind(f);
    if (kind == FID_FILE || kind == FID_DIR) {
        *at = (struct p9_at){f->fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, NULL};
        return 0;
    }
    return p9_at_node(c->server->tree, f->node, at);
}

/* A number of 64 bits that tells files apart: the inode's; other file systems than the folder's own have a number in the upper bits. */
int qid_of(struct p9_server *s, const struct stat *st, struct p9_qid *q)
{
    unsigned i = 0;
    if (st->st_dev != s->dev[0]) {
        pthread_mutex_lock(&s->lock);
        for (i = 1; i < s->n_devs && s->dev[i] != st->st_dev; i++)
            ;
        if (i == s->n_devs && i < P9_DEVS_MAX)
            s->dev[s->n_devs++] = st->st_dev;
        pthread_mutex_unlock(&s->lock);
        if (i == P9_DEVS_MAX)
            return -EXDEV;
    }
    q->type = S_ISDIR(st->st_mode) ? P9_QT_DIR : S_ISLNK(st->st_mode) ? P9_QT_SYMLINK : P9_QT_FILE;
    q->version = (uint32_t)st->st_mtim.tv_sec ^ (uint32_t)st->st_mtim.tv_nsec ^ (uint32_t)st->st_size << 8;
    q->path = st->st_ino ^ (uint64_t)i << 56;
    return 0;
}

int stat_qid(struct p9_server *s, const struct p9_at *at, struct stat *st, struct p9_qid *q)
{
    int err = p9_stat(&s->security, at, st);
    return err ? err : qid_of(s, st, q);
}

uint32_t io_unit(struct p9_server *s)
{
    return ALIGN_DOWN(s->msize - P9_WRITE_HEAD - 1, 4096u);
}

/* --- calls --- */

int p9_call_begin(struct p9_call *c, struct p9_server *s, const struct iovec *request, unsigned n_request, uint64_t request_len,
                  const struct iovec *answer, unsigned n_answer, uint64_t answer_len)
{
    if (request_len < P9_HEADER || answer_len < P9_IO_HEADER || n_request > P9_IOV_MAX || n_answer > P9_IOV_MAX)
        return -1;
    c->server = s;
    c->fid[0] = c->fid[1] = NULL;
    c->error = 0;
    c->stored = 0;
    c->old_tag = 0;
    c->request = request;
    c->n_request = n_request;
    c->answer = answer;
    c->n_answer = n_answer;
    c->answer_len = answer_len;
    c->out = (struct p9_writer){c->reply + P9_HEADER, c->reply + P9_REPLY_MAX, false};

    uint64_t head = request_len < P9_HEAD_MAX ? request_len : P9_HEAD_MAX;
    /* data stays where it is; so the type is looked at in the copy, once */
    uint64_t first = head < 512 ? head : 512;
    virtio_iov_read(request, n_request, 0, c->head, first);
    if (head > first && c->head[4] != P9_TWRITE)
        virtio_iov_read(request, n_request, first, c->head + first, head - first);
    c->in = (struct p9_reader){c->head, c->head + P9_HEADER, false};
    uint64_t size = p9_get(&c->in, 4);
    c->type = (uint8_t)p9_get(&c->in, 1);
    c->tag = (uint16_t)p9_get(&c->in, 2);
    c->message = c->type < P9_TYPES && p9_messages[c->type].run ? &p9_messages[c->type] : NULL;
    c->request_len = size;
    if (size < P9_HEADER || size > request_len) {
        c->error = -EINVAL;
        return 0;
    }
    if (!c->message) {
        c->error = -EOPNOTSUPP;
        return 0;
    }
    if (c->type == P9_TWRITE) {
        head = size < P9_WRITE_HEAD ? size : P9_WRITE_HEAD;
    } else if (size > P9_HEAD_MAX) {
        c->error = -ENAMETOOLONG;
        return 0;
    } else {
        head = size;
    }
    c->in.end = c->head + head;
    c->error = p9_decode(&c->in, c->message->layout, c->arg);
    if (c->type == P9_TFLUSH)
        c->old_tag = (uint16_t)c->arg[0].u;
    return 0;
}

/* Look up the fids the message names. */
static int find_fids(struct p9_call *c)
{
    unsigned n = 0;
    for (unsigned i = 0; c->message->layout[i]; i++)
        if (c->message->layout[i] == 'f' && !(c->fid[n++] = fid_get(&c->server->fids, (uint32_t)c->arg[i].u)))
            return -EBADF;
    return 0;
}

static int run(struct p9_call *c)
{
    struct p9_server *s = c->server;
    if (c->error)
        return c->error;
    if (s->readonly && c->message->modifies)
        return -EROFS;
    int err = find_fids(c);
    if (!err) {
        if (c->message->names != NAMES_UNUSED)
            p9_tree_lock(s->tree, c->message->names == NAMES_CHANGED);
        err = c->message->run(c);
        if (c->message->names != NAMES_UNUSED)
            p9_tree_unlock(s->tree);
    }
    fid_put(&s->fids, c->fid[0]);
    fid_put(&s->fids, c->fid[1]);
    return err;
}

uint32_t p9_call_run(struct p9_call *c)
{
    int err = run(c);
    uint32_t len = (uint32_t)(c->out.p - c->reply);
    if (!err && (c->out.full || len + (uint64_t)c->stored > c->answer_len))
        err = -EMSGSIZE;
    uint8_t type = c->type + 1;
    if (err) {
        type = P9_RLERROR;
        c->stored = 0;
        c->out = (struct p9_writer){c->reply + P9_HEADER, c->reply + P9_REPLY_MAX, false};
        p9_put(&c->out, 4, (uint32_t)-err);
        len = P9_HEADER + 4;
    }
    struct p9_writer head = {c->reply, c->reply + P9_HEADER, false};
    p9_put(&head, 4, len + c->stored);
    p9_put(&head, 1, type);
    p9_put(&head, 2, c->tag);
    virtio_iov_write(c->answer, c->n_answer, 0, c->reply, len);
    return len + c->stored;
}

/* --- life --- */

/* Raise the limit of open files as far as it goes; how many descriptors there may be. */
static unsigned raise_file_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l))
        return 1024;
    if (l.rlim_cur < l.rlim_max) {
        struct rlimit more = {l.rlim_max, l.rlim_max};
        if (!setrlimit(RLIMIT_NOFILE, &more))
            l = more;
    }
    return l.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)l.rlim_cur;
}

static const char *why_unfit(int err)
{
    return err == -ENOTSUP  ? "its file system has no user extended attributes, which security_model=mapped-xattr needs"
           : err == -ENOENT ? "/proc, which is needed for it, is not mounted"
                            : strerror(-err);
}

struct p9_server *p9_server_create(const struct p9_config *config)
{
    unsigned limit = raise_file_limit();
    int root = open(config->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        error_report("cannot share the folder '%s': %s", config->path, errno == ENOTDIR ? "it is not a folder" : strerror(errno));
        return NULL;
    }
    struct p9_server *s = calloc(1, sizeof(*s));
    struct stat st;
    int err = s ? p9_security_init(&s->security, config->model, root) : -ENOMEM;
    if (!err && (fstat(root, &st) || faccessat(root, ".", R_OK | X_OK, AT_EACCESS)))
        err = -errno;
    if (err) {
        error_report("cannot share the folder '%s': %s", config->path, why_unfit(err));
        close(root);
        goto fail;
    }
    s->readonly = config->readonly;
    s->msize = P9_MSIZE_MIN;
    s->dev[s->n_devs++] = st.st_dev;
    unsigned open_max = limit / 4 < OPEN_MAX_MIN ? OPEN_MAX_MIN : limit / 4 > OPEN_MAX_MAX ? OPEN_MAX_MAX : limit / 4;
    s->tree = p9_tree_create(root, limit / 32 > DIR_FDS_MAX ? DIR_FDS_MAX : limit / 32);
    if (!s->tree || fid_table_init(&s->fids, s->tree, open_max, XATTR_BYTES_MAX)) {
        error_report("there is no memory for sharing the folder '%s'", config->path);
        goto fail;
    }
    pthread_mutex_init(&s->lock, NULL);
    return s;
fail:
    if (s && s->tree)
        p9_tree_destroy(s->tree);
    free(s);
    return NULL;
}

void p9_server_reset(struct p9_server *s)
{
    fid_clear(&s->fids);
    s->msize = P9_MSIZE_MIN;
}

void p9_server_destroy(struct p9_server *s)
{
    if (!s)
        return;
    fid_clear(&s->fids);
    fid_table_free(&s->fids);
    p9_tree_destroy(s->tree);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
