/*
 * hv_9p.c: the 9P server: messages in, replies out, on a temporary folder beside which lies a secret that no message may reach.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/9p/server.h>
#include <devices/9p/tree.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SECRET "the secret"

struct share {
    char base[64], root[80], secret[80];
    struct p9_server *server;
    struct p9_call *call;
    uint8_t request[70000], reply[70000];
    struct p9_writer w;
    struct p9_reader r; /* the reply's body */
};

static void shell(const char *format, const char *path)
{
    char command[512];
    snprintf(command, sizeof(command), format, path, path, path, path);
    assert_int_equal(system(command), 0);
}

static struct share *make(enum p9_model model, bool readonly)
{
    struct share *s = calloc(1, sizeof(*s));
    snprintf(s->base, sizeof(s->base), "%s/hv_9p.XXXXXX", model == P9_MODEL_MAPPED ? "." : "/tmp");
    assert_non_null(mkdtemp(s->base));
    snprintf(s->root, sizeof(s->root), "%s/root", s->base);
    snprintf(s->secret, sizeof(s->secret), "%s/secret", s->base);
    shell("cd %s && mkdir root root/dir root/dir/sub && printf '" SECRET
          "' >secret && printf inside >root/file && ln -s ../secret root/out",
          s->base);
    s->call = malloc(sizeof(*s->call));
    s->server = p9_server_create(&(struct p9_config){s->root, model, readonly});
    assert_non_null(s->server);
    return s;
}

static void drop(struct share *s)
{
    char text[32] = {0};
    int fd = open(s->secret, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), strlen(SECRET));
    assert_string_equal(text, SECRET);
    close(fd);
    p9_server_destroy(s->server);
    free(s->call);
    shell("chmod -R u+rwx %s && rm -rf %s", s->base);
    free(s);
}

/* Send `size` bytes of s->request. The reply's type; its body in s->r. */
static int send_bytes(struct share *s, size_t size, size_t room)
{
    /* odd pieces, as a guest may make them, and exactly sized, so that the sanitizer sees what goes beyond */
    uint8_t *q = malloc(size), *a = malloc(room);
    memcpy(q, s->request, size);
    size_t cut = size > 9 ? 9 : size / 2, cut_in = room > 5 ? 5 : room / 2;
    struct iovec out[2] = {{q, cut}, {q + cut, size - cut}}, in[2] = {{a, cut_in}, {a + cut_in, room - cut_in}};
    int type = -1;
    if (p9_call_begin(s->call, s->server, out, 2, size, in, 2, room) == 0) {
        uint32_t n = p9_call_run(s->call);
        assert_true(n >= P9_HEADER && n <= room);
        memcpy(s->reply, a, n);
        s->r = (struct p9_reader){s->reply, s->reply + n, false};
        assert_int_equal(p9_get(&s->r, 4), n);
        type = (int)p9_get(&s->r, 1);
        assert_int_equal(p9_get(&s->r, 2), s->request[5] | s->request[6] << 8);
    }
    free(q);
    free(a);
    return type;
}

/* A message by a layout as p9_decode() has it, n and s with a C string; '*' is data: pointer and size. 0, or -errno as the server says. */
static int rpc(struct share *s, unsigned type, const char *layout, ...)
{
    va_list ap;
    va_start(ap, layout);
    s->w = (struct p9_writer){s->request + P9_HEADER, s->request + sizeof(s->request), false};
    for (; *layout; layout++) {
        const char *text;
        switch (*layout) {
        case 'b':
            p9_put(&s->w, 1, va_arg(ap, unsigned));
            break;
        case 'w':
            p9_put(&s->w, 2, va_arg(ap, unsigned));
            break;
        case 'q':
            p9_put(&s->w, 8, va_arg(ap, uint64_t));
            break;
        case 's':
            text = va_arg(ap, const char *);
            p9_put_string(&s->w, text, strlen(text));
            break;
        case '*':
            text = va_arg(ap, const char *);
            p9_put_bytes(&s->w, text, va_arg(ap, size_t));
            break;
        default:
            p9_put(&s->w, 4, va_arg(ap, unsigned));
        }
    }
    va_end(ap);
    struct p9_writer head = {s->request, s->request + P9_HEADER, false};
    size_t size = (size_t)(s->w.p - s->request);
    p9_put(&head, 4, size);
    p9_put(&head, 1, type);
    p9_put(&head, 2, 0x1234);
    int answer = send_bytes(s, size, 66000);
    if (answer == P9_RLERROR)
        return -(int)p9_get(&s->r, 4);
    assert_int_equal(answer, type + 1);
    return 0;
}

static void mount(struct share *s, unsigned uid)
{
    assert_int_equal(rpc(s, P9_TVERSION, "ds", 65536u, "9P2000.L"), 0);
    assert_int_equal(p9_get(&s->r, 4), 65536);
    assert_int_equal(rpc(s, P9_TATTACH, "ddssd", 0u, P9_NOFID, "user", "", uid), 0);
}

static int walk1(struct share *s, unsigned from, unsigned to, const char *name)
{
    return rpc(s, P9_TWALK, "ddws", from, to, 1u, name);
}
static int clunk(struct share *s, unsigned fid)
{
    return rpc(s, P9_TCLUNK, "d", fid);
}

static struct stat getattr(struct share *s, unsigned fid)
{
    struct stat st = {0};
    assert_int_equal(rpc(s, P9_TGETATTR, "dq", fid, (uint64_t)0x7ff), 0);
    assert_int_equal(p9_get(&s->r, 8), 0x7ff);
    p9_get(&s->r, 1);
    p9_get(&s->r, 4);
    st.st_ino = p9_get(&s->r, 8);
    st.st_mode = (mode_t)p9_get(&s->r, 4);
    st.st_uid = (uid_t)p9_get(&s->r, 4);
    st.st_gid = (gid_t)p9_get(&s->r, 4);
    st.st_nlink = p9_get(&s->r, 8);
    st.st_rdev = p9_get(&s->r, 8);
    st.st_size = (off_t)p9_get(&s->r, 8);
    return st;
}

static void setattr(struct share *s, unsigned fid, unsigned valid, unsigned mode, unsigned uid, unsigned gid, uint64_t size)
{
    assert_int_equal(
        rpc(s, P9_TSETATTR, "dddddqqqqq", fid, valid, mode, uid, gid, size, (uint64_t)1, (uint64_t)2, (uint64_t)3, (uint64_t)4), 0);
}

static void files(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    mount(s, geteuid());
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 1u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 1u, "new", 2u, 0640u, (unsigned)getegid()), 0);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 1u, (uint64_t)3, 5u, "abcde", (size_t)5), 0);
    assert_int_equal(p9_get(&s->r, 4), 5);
    assert_int_equal(rpc(s, P9_TREAD, "dqd", 1u, (uint64_t)0, 100u), 0);
    assert_int_equal(p9_get(&s->r, 4), 8);
    assert_memory_equal(s->r.p, "\0\0\0abcde", 8);
    assert_int_equal(rpc(s, P9_TFSYNC, "dd", 1u, 0u), 0);
    struct stat st = getattr(s, 1);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(st.st_size, 8);
    setattr(s, 1, 1 | 8, 0666, 0, 0, 4);
    st = getattr(s, 1);
    assert_int_equal(st.st_mode, S_IFREG | 0666);
    assert_int_equal(st.st_size, 4);
    /* the same through a fid that is not open, then after the name has gone */
    assert_int_equal(walk1(s, 0, 2, "new"), 0);
    setattr(s, 2, 1 | 8 | 0x10 | 0x20 | 0x80 | 0x100, 0600, 0, 0, 2);
    assert_int_equal(rpc(s, P9_TUNLINKAT, "dsd", 0u, "new", 0u), 0);
    assert_int_equal(walk1(s, 0, 3, "new"), -ENOENT);
    st = getattr(s, 2);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_size, 2);
    assert_int_equal(getattr(s, 1).st_size, 2);
    setattr(s, 2, 8, 0, 0, 0, 7);
    assert_int_equal(getattr(s, 1).st_size, 7);
    assert_int_equal(clunk(s, 1), 0);
    assert_int_equal(clunk(s, 1), -EBADF);
    assert_int_equal(clunk(s, 2), 0);
    /* existing file: O_EXCL, O_TRUNC, read-only descriptor */
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 1u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 1u, "file", 0200u, 0600u, 0u), -EEXIST);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 1u, "file", 0u, 0600u, 0u), 0);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 1u, (uint64_t)0, 1u, "x", (size_t)1), -EBADF);
    assert_int_equal(rpc(s, P9_TREAD, "dqd", 1u, (uint64_t)0, 100u), 0);
    assert_int_equal(p9_get(&s->r, 4), 6);
    assert_int_equal(rpc(s, P9_TREAD, "dqd", 1u, UINT64_MAX, 100u), -EINVAL);
    assert_int_equal(walk1(s, 0, 2, "file"), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 2u, 01001u), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 2u, 0u), -EBADF);
    assert_int_equal(getattr(s, 1).st_size, 0);
    drop(s);
}

/* Every way of naming something that is not below the folder. */
static void confined(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    mount(s, geteuid());
    uint64_t root = getattr(s, 0).st_ino;
    static const char *const bad[] = {"a/b", "/", "/etc/passwd", "../secret", "dir/../../secret", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_true(walk1(s, 0, 1, bad[i]) < 0);
        assert_true(rpc(s, P9_TLCREATE, "dsddd", 0u, bad[i], 2u, 0600u, 0u) < 0);
        assert_true(rpc(s, P9_TMKDIR, "dsdd", 0u, bad[i], 0700u, 0u) < 0);
        assert_true(rpc(s, P9_TSYMLINK, "dssd", 0u, bad[i], "x", 0u) < 0);
        assert_true(rpc(s, P9_TUNLINKAT, "dsd", 0u, bad[i], 0u) < 0);
        assert_true(rpc(s, P9_TRENAMEAT, "dsds", 0u, bad[i], 0u, "stolen") < 0);
        assert_true(rpc(s, P9_TRENAMEAT, "dsds", 0u, "file", 0u, bad[i]) < 0);
        assert_true(rpc(s, P9_TLINK, "dds", 0u, 0u, bad[i]) < 0);
    }
    static const char *const dots[] = {".", ".."};
    for (size_t i = 0; i < ARRAY_LEN(dots); i++) {
        assert_int_equal(rpc(s, P9_TUNLINKAT, "dsd", 0u, dots[i], 0x200u), -EINVAL);
        assert_int_equal(rpc(s, P9_TRENAMEAT, "dsds", 0u, dots[i], 0u, "x"), -EINVAL);
        assert_int_equal(rpc(s, P9_TMKDIR, "dsdd", 0u, dots[i], 0700u, 0u), -EINVAL);
        assert_int_equal(walk1(s, 0, 1, dots[i]), 0); /* the root's parent is the root */
        assert_int_equal(getattr(s, 1).st_ino, root);
        clunk(s, 1);
    }
    assert_int_equal(rpc(s, P9_TWALK, "ddwsssss", 0u, 1u, 5u, "dir", "sub", "..", "..", ".."), 0);
    assert_int_equal(getattr(s, 1).st_ino, root);
    clunk(s, 1);
    assert_int_equal(rpc(s, P9_TATTACH, "ddssd", 1u, P9_NOFID, "user", "/dir/../../..", 0u), 0);
    assert_int_equal(getattr(s, 1).st_ino, root);
    clunk(s, 1);
    assert_int_equal(rpc(s, P9_TATTACH, "ddssd", 1u, P9_NOFID, "user", "/../secret", 0u), -ENOENT);

    /* a link that leads out: is itself, is not opened, not gone through, not changed in its target */
    assert_int_equal(walk1(s, 0, 1, "out"), 0);
    assert_true(S_ISLNK(getattr(s, 1).st_mode));
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 0u), -ELOOP);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 01002u), -ELOOP);
    assert_int_equal(rpc(s, P9_TREADLINK, "d", 1u), 0);
    uint16_t len;
    assert_string_equal(p9_get_string(&s->r, &len), "../secret");
    assert_true(rpc(s, P9_TSETATTR, "dddddqqqqq", 1u, 8u, 0u, 0u, 0u, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0) < 0);
    assert_true(rpc(s, P9_TSETATTR, "dddddqqqqq", 1u, 1u, 0777u, 0u, 0u, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0) <
                0);
    assert_int_equal(rpc(s, P9_TLINK, "dds", 0u, 1u, "out2"), 0); /* a second link, not a link to the secret */
    assert_int_equal(walk1(s, 0, 2, "out2"), 0);
    assert_true(S_ISLNK(getattr(s, 2).st_mode));
    clunk(s, 2);
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 2u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 2u, "out", 01002u, 0600u, 0u), -ELOOP);
    clunk(s, 2);
    /* a link to a directory outside */
    assert_int_equal(rpc(s, P9_TSYMLINK, "dssd", 0u, "up", "..", 0u), 0);
    assert_int_equal(rpc(s, P9_TWALK, "ddwss", 0u, 2u, 2u, "up", "secret"), 0);
    assert_int_equal(p9_get(&s->r, 2), 1); /* got as far as the link */
    assert_int_equal(walk1(s, 0, 2, "up"), 0);
    assert_int_equal(walk1(s, 2, 3, "secret"), -ENOTDIR);
    assert_true(rpc(s, P9_TMKDIR, "dsdd", 2u, "made", 0700u, 0u) < 0);
    assert_true(rpc(s, P9_TUNLINKAT, "dsd", 2u, "secret", 0u) < 0);
    assert_true(rpc(s, P9_TRENAMEAT, "dsds", 2u, "secret", 0u, "stolen") < 0);
    clunk(s, 2);

    /* a directory becomes a link while fids below it live */
    assert_int_equal(rpc(s, P9_TWALK, "ddwss", 0u, 2u, 2u, "dir", "sub"), 0);
    shell("cd %s/root && mv dir away && ln -s .. dir && touch away/sub/inside", s->base);
    int e = walk1(s, 2, 3, "inside"); /* by its descriptor or not at all */
    assert_true(e == 0 || e == -ENOTDIR || e == -ELOOP);
    assert_int_equal(walk1(s, 2, 4, "secret"), -ENOENT);
    clunk(s, 3);
    assert_int_equal(rpc(s, P9_TWALK, "ddwss", 0u, 3u, 2u, "dir", "secret"), 0);
    assert_int_equal(p9_get(&s->r, 2), 1);

    /* devices and FIFOs: a device is not made, neither is opened */
    assert_int_equal(rpc(s, P9_TMKNOD, "dsdddd", 0u, "null", S_IFCHR | 0666u, 1u, 3u, 0u), -EPERM);
    assert_int_equal(rpc(s, P9_TMKNOD, "dsdddd", 0u, "fifo", S_IFIFO | 0666u, 0u, 0u, 0u), 0);
    assert_int_equal(walk1(s, 0, 5, "fifo"), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 5u, 0u), -ENXIO);
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 6u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 6u, "fifo", 1u, 0600u, 0u), -ENXIO);
    drop(s);
}

/* Renaming: what other fids mean follows, what was replaced lives on. */
static void renames(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    mount(s, geteuid());
    assert_int_equal(walk1(s, 0, 1, "dir"), 0);
    assert_int_equal(walk1(s, 1, 2, "sub"), 0);
    assert_int_equal(walk1(s, 0, 3, "file"), 0);
    assert_int_equal(rpc(s, P9_TRENAMEAT, "dsds", 0u, "file", 2u, "moved"), 0);
    assert_int_equal(rpc(s, P9_TRENAMEAT, "dsds", 0u, "dir", 0u, "other"), 0);
    assert_int_equal(getattr(s, 3).st_size, 6);
    assert_int_equal(walk1(s, 3, 4, ".."), 0);
    assert_int_equal(getattr(s, 4).st_ino, getattr(s, 2).st_ino);
    assert_int_equal(rpc(s, P9_TWALK, "ddwsss", 0u, 5u, 3u, "other", "sub", "moved"), 0);
    assert_int_equal(getattr(s, 5).st_ino, getattr(s, 3).st_ino);
    /* by fid, over an existing file, whose fid keeps it */
    shell("cd %s/root && printf xy >victim", s->base);
    assert_int_equal(walk1(s, 0, 6, "victim"), 0);
    assert_int_equal(rpc(s, P9_TRENAME, "dds", 5u, 0u, "victim"), 0);
    assert_int_equal(getattr(s, 6).st_size, 2);
    assert_int_equal(getattr(s, 6).st_nlink, 0);
    assert_int_equal(getattr(s, 3).st_size, 6);
    assert_int_equal(rpc(s, P9_TRENAME, "dds", 0u, 0u, "x"), -EBUSY);
    assert_int_equal(rpc(s, P9_TRENAMEAT, "dsds", 0u, "other", 2u, "x"), -EINVAL); /* into itself */
    /* Tremove, of files and directories; the fid is gone in any case */
    assert_int_equal(rpc(s, P9_TREMOVE, "d", 1u), -ENOTEMPTY);
    assert_int_equal(rpc(s, P9_TREMOVE, "d", 2u), 0);
    assert_int_equal(rpc(s, P9_TREMOVE, "d", 3u), 0);
    assert_int_equal(clunk(s, 3), -EBADF);
    assert_int_equal(rpc(s, P9_TREMOVE, "d", 0u), -EBUSY);
    drop(s);
}

/* 5000 entries, each once, with positions that fit 31 bits; then again from the middle. */
static void directories(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    shell("mkdir %s/root/many && cd %s/root/many && seq 5000 | xargs touch", s->base);
    mount(s, geteuid());
    assert_int_equal(walk1(s, 0, 1, "many"), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 0200000u), 0);
    static const uint64_t starts[] = {0, 4900, 3, 0, 5003};
    uint64_t position[5003] = {0};
    for (size_t k = 0; k < ARRAY_LEN(starts); k++) {
        char seen[5003] = {0};
        unsigned n = 0;
        uint64_t at = starts[k];
        for (bool more = true; more;) {
            assert_int_equal(rpc(s, P9_TREADDIR, "dqd", 1u, at, 7777u), 0);
            uint64_t bytes = p9_get(&s->r, 4);
            assert_true(bytes <= 7777);
            more = bytes > 0;
            for (const uint8_t *end = s->r.p + bytes; s->r.p < end; n++) {
                uint16_t len;
                s->r.p += P9_QID_SIZE;
                at = p9_get(&s->r, 8);
                uint8_t type = (uint8_t)p9_get(&s->r, 1);
                const char *name = p9_get_string(&s->r, &len);
                int id = !strcmp(name, ".") ? 5001 : !strcmp(name, "..") ? 5002 : atoi(name);
                assert_true(id > 0 && !seen[id]);
                seen[id] = 1;
                assert_int_equal(type, id > 5000 ? DT_DIR : DT_REG);
                assert_true(at <= INT32_MAX);
                if (k == 0)
                    position[id] = at;
                assert_int_equal(position[id], at);
            }
        }
        assert_int_equal(n, starts[k] < 5002 ? 5002 - starts[k] : 0);
    }
    /* the root's parent is the root here too */
    uint64_t root = getattr(s, 0).st_ino;
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 2u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 2u, 0u), 0);
    assert_int_equal(rpc(s, P9_TREADDIR, "dqd", 2u, (uint64_t)0, 4000u), 0);
    uint64_t bytes = p9_get(&s->r, 4);
    unsigned dots = 0;
    for (const uint8_t *end = s->r.p + bytes; s->r.p < end;) {
        uint16_t len;
        s->r.p += 5;
        uint64_t path = p9_get(&s->r, 8);
        s->r.p += 9;
        const char *name = p9_get_string(&s->r, &len);
        if (!strcmp(name, ".") || !strcmp(name, "..")) {
            assert_int_equal(path, root);
            dots++;
        }
    }
    assert_int_equal(dots, 2);
    assert_int_equal(rpc(s, P9_TREADDIR, "dqd", 1u, (uint64_t)0, 20u), -EINVAL); /* no room for an entry */
    assert_int_equal(rpc(s, P9_TREAD, "dqd", 1u, (uint64_t)0, 20u), -EISDIR);
    drop(s);
}

static int set_xattr(struct share *s, unsigned fid, const char *name, const char *value)
{
    unsigned len = (unsigned)strlen(value);
    assert_int_equal(rpc(s, P9_TWALK, "ddw", fid, 90u, 0u), 0);
    int err = rpc(s, P9_TXATTRCREATE, "dsqd", 90u, name, (uint64_t)len, 0u);
    if (!err && len)
        assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 90u, (uint64_t)0, len, value, (size_t)len), 0);
    int err2 = clunk(s, 90);
    return err ? err : err2;
}

/* Into buf with a NUL at the end; bytes or -errno. */
static int get_xattr(struct share *s, unsigned fid, const char *name, char *buf)
{
    int err = rpc(s, P9_TXATTRWALK, "dds", fid, 91u, name);
    if (err)
        return err;
    unsigned size = (unsigned)p9_get(&s->r, 8);
    assert_int_equal(rpc(s, P9_TREAD, "dqd", 91u, (uint64_t)0, 4000u), 0);
    assert_int_equal(p9_get(&s->r, 4), size);
    memcpy(buf, s->r.p, size);
    buf[size] = 0;
    assert_int_equal(clunk(s, 91), 0);
    return (int)size;
}

static void xattrs(void **state UNUSED)
{
    char buf[4096];
    struct share *s = make(P9_MODEL_MAPPED, false);
    mount(s, geteuid());
    assert_int_equal(walk1(s, 0, 1, "file"), 0);
    assert_int_equal(set_xattr(s, 1, "user.color", "blue"), 0);
    assert_int_equal(get_xattr(s, 1, "user.color", buf), 4);
    assert_string_equal(buf, "blue");
    assert_int_equal(set_xattr(s, 1, "system.posix_acl_access", "acl"), 0);
    assert_int_equal(get_xattr(s, 1, "", buf), strlen("user.color") + strlen("system.posix_acl_access") + 2);
    assert_int_equal(set_xattr(s, 1, "user.virtfs.uid", "root"), -EOPNOTSUPP);
    assert_int_equal(get_xattr(s, 1, "user.virtfs.uid", buf), -EOPNOTSUPP);
    assert_int_equal(set_xattr(s, 1, "security.capability", "all"), -EOPNOTSUPP);
    assert_int_equal(set_xattr(s, 1, "trusted.x", "y"), -EOPNOTSUPP);
    assert_int_equal(set_xattr(s, 1, "user.color", ""), 0); /* removes it */
    assert_int_equal(get_xattr(s, 1, "user.color", buf), -ENODATA);
    /* more or less than was said; too much */
    assert_int_equal(rpc(s, P9_TXATTRCREATE, "dsqd", 1u, "user.x", (uint64_t)1 << 20, 0u), -E2BIG);
    assert_int_equal(rpc(s, P9_TXATTRCREATE, "dsqd", 1u, "user.x", (uint64_t)4, 0u), 0);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 1u, (uint64_t)0, 5u, "12345", (size_t)5), -ENOSPC);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 1u, (uint64_t)3, 1u, "1", (size_t)1), -ENOSPC);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 1u, UINT64_MAX, 2u, "11", (size_t)2), -EINVAL);
    assert_int_equal(clunk(s, 1), -EINVAL);
    drop(s);
}

/* The guest sees what it has set; the host's files are the user's and plain. The attributes are those of QEMU's mapped-xattr. */
static void mapped(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_MAPPED, false);
    char path[128];
    struct stat st;
    uint32_t v;
    mount(s, 1000);
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 1u, 0u), 0);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 1u, "new", 2u, 04755u, 1001u), 0);
    snprintf(path, sizeof(path), "%s/new", s->root);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(getxattr(path, "user.virtfs.uid", &v, 4), 4);
    assert_int_equal(le32toh(v), 1000);
    assert_int_equal(getxattr(path, "user.virtfs.gid", &v, 4), 4);
    assert_int_equal(le32toh(v), 1001);
    assert_int_equal(getxattr(path, "user.virtfs.mode", &v, 4), 4);
    assert_int_equal(le32toh(v), S_IFREG | 04755);
    st = getattr(s, 1);
    assert_int_equal(st.st_mode, S_IFREG | 04755);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(st.st_gid, 1001);
    setattr(s, 1, 1 | 2, 0100, 7, 0, 0);
    st = getattr(s, 1);
    assert_int_equal(st.st_mode, S_IFREG | 0100);
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_gid, 1001);

    assert_int_equal(rpc(s, P9_TMKNOD, "dsdddd", 0u, "null", S_IFCHR | 0666u, 1u, 3u, 0u), 0);
    assert_int_equal(walk1(s, 0, 2, "null"), 0);
    st = getattr(s, 2);
    assert_int_equal(st.st_mode, S_IFCHR | 0666);
    assert_int_equal(st.st_rdev, 1 << 8 | 3);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 2u, 0u), -ENXIO);
    snprintf(path, sizeof(path), "%s/null", s->root);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);

    assert_int_equal(rpc(s, P9_TSYMLINK, "dssd", 0u, "ln", "../secret", 0u), 0);
    assert_int_equal(p9_get(&s->r, 1), P9_QT_SYMLINK);
    assert_int_equal(walk1(s, 0, 3, "ln"), 0);
    assert_int_equal(p9_get(&s->r, 2), 1);
    assert_int_equal(p9_get(&s->r, 1), P9_QT_SYMLINK);
    assert_int_equal(rpc(s, P9_TREADLINK, "d", 3u), 0);
    uint16_t len;
    assert_string_equal(p9_get_string(&s->r, &len), "../secret");
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 3u, 0u), -ELOOP);
    snprintf(path, sizeof(path), "%s/ln", s->root);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));

    assert_int_equal(rpc(s, P9_TMKDIR, "dsdd", 0u, "d", 01777u, 5u), 0);
    assert_int_equal(walk1(s, 0, 4, "d"), 0);
    assert_int_equal(getattr(s, 4).st_mode, S_IFDIR | 01777);
    snprintf(path, sizeof(path), "%s/d", s->root);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    /* a directory stays one even if its attribute says something else */
    v = htole32(S_IFLNK | 0777);
    assert_int_equal(setxattr(path, "user.virtfs.mode", &v, 4, 0), 0);
    assert_int_equal(getattr(s, 4).st_mode, S_IFDIR | 0777);
    /* a link of the host's is one in the guest */
    assert_int_equal(walk1(s, 0, 5, "out"), 0);
    assert_int_equal(rpc(s, P9_TREADLINK, "d", 5u), 0);
    drop(s);
}

static void readonly(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, true);
    mount(s, 0);
    assert_int_equal(walk1(s, 0, 1, "file"), 0);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 1u), -EROFS);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 01000u), -EROFS);
    assert_int_equal(rpc(s, P9_TLCREATE, "dsddd", 0u, "n", 2u, 0600u, 0u), -EROFS);
    assert_int_equal(rpc(s, P9_TUNLINKAT, "dsd", 0u, "file", 0u), -EROFS);
    assert_int_equal(rpc(s, P9_TRENAMEAT, "dsds", 0u, "file", 0u, "n"), -EROFS);
    assert_int_equal(rpc(s, P9_TSETATTR, "dddddqqqqq", 1u, 1u, 0u, 0u, 0u, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0),
                     -EROFS);
    assert_int_equal(set_xattr(s, 1, "user.x", "y"), -EROFS);
    assert_int_equal(rpc(s, P9_TLOPEN, "dd", 1u, 0u), 0);
    assert_int_equal(walk1(s, 0, 2, "file"), 0);
    assert_int_equal(rpc(s, P9_TREMOVE, "d", 2u), -EROFS);
    assert_int_equal(clunk(s, 2), -EBADF);
    drop(s);
}

static void malformed(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    mount(s, 0);
    /* every type with every length of body up to 64, of zeros and of ones; nothing may be read or written beyond the buffers */
    for (unsigned type = 0; type < 256; type++)
        for (unsigned fill = 0; fill < 2; fill++)
            for (size_t size = 0; size <= 64; size++) {
                memset(s->request, fill ? 0xff : 0, size);
                uint32_t wire = htole32((uint32_t)size);
                memcpy(s->request, &wire, 4);
                s->request[4] = (uint8_t)type;
                int answer = send_bytes(s, size, 4096);
                assert_true(size < P9_HEADER ? answer == -1 : answer == P9_RLERROR || answer == (int)type + 1);
                assert_true(size < P9_HEADER || size >= 9 || answer == P9_RLERROR || type == P9_TFLUSH);
                if (size >= P9_HEADER)
                    assert_int_equal(send_bytes(s, size, P9_IO_HEADER - 1), -1);
            }
    /* sizes that lie, and answers that do not fit */
    mount(s, 0);
    for (uint32_t size = 0; size < 40; size++) {
        uint32_t wire = htole32(size > 20 ? UINT32_MAX - size : size);
        memset(s->request, 0, 20);
        memcpy(s->request, &wire, 4);
        s->request[4] = P9_TGETATTR;
        assert_int_equal(send_bytes(s, 20, 4096), size == 19 || size == 20 ? P9_TGETATTR + 1 : P9_RLERROR);
    }
    assert_int_equal(rpc(s, P9_TGETATTR, "dq", 0u, (uint64_t)0), 0);
    for (size_t room = P9_IO_HEADER; room < 160; room++)
        assert_int_equal(send_bytes(s, 19, room), P9_RLERROR);
    assert_int_equal(send_bytes(s, 19, 160), P9_TGETATTR + 1);
    /* strings that end behind the message; a message of names only that is longer than any may be; no such version */
    assert_int_equal(rpc(s, P9_TWALK, "ddww*", 0u, 1u, 1u, 500u, "abc", (size_t)3), -EINVAL);
    assert_int_equal(rpc(s, P9_TWALK, "ddw", 0u, 1u, 17u), -EINVAL);
    char *big = malloc(60001);
    memset(big, 'a', 60000);
    big[60000] = 0;
    assert_int_equal(walk1(s, 0, 1, big), -ENAMETOOLONG);
    big[256] = 0;
    assert_int_equal(walk1(s, 0, 1, big), -ENAMETOOLONG);
    free(big);
    assert_int_equal(rpc(s, P9_TWRITE, "dqd*", 0u, (uint64_t)0, 100u, "x", (size_t)1), -EINVAL);
    assert_int_equal(rpc(s, P9_TVERSION, "ds", 8192u, "9P2000"), 0);
    uint16_t len;
    p9_get(&s->r, 4);
    assert_string_equal(p9_get_string(&s->r, &len), "unknown");
    assert_int_equal(clunk(s, 0), -EBADF); /* a version message ends the session */
    drop(s);
}

/* Names below names below names, with room for two descriptors: all are found again. */
static void few_descriptors(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    struct p9_tree *t = p9_tree_create(open(s->root, O_PATH), 2);
    shell("cd %s/root && mkdir -p a/b/c/d/e/f && echo 12345 >a/b/c/d/e/f/g", s->base);
    struct p9_node *node[8] = {p9_node_root(t)};
    for (int i = 1; i < 8; i++)
        node[i] = p9_node_child(t, node[i - 1], (char[2]){(char)('a' + i - 1)}, NULL);
    struct stat st;
    struct p9_at at;
    for (int k = 0; k < 3; k++)
        for (int i = 7; i >= 0; i--) {
            p9_tree_lock(t, false);
            assert_int_equal(p9_at_node(t, node[i], &at), 0);
            assert_int_equal(fstatat(at.fd, at.name, &st, at.flags), 0);
            p9_at_put(t, &at);
            p9_tree_unlock(t);
            assert_int_equal(S_ISREG(st.st_mode), i == 7);
        }
    /* a rename in the middle of the way moves what is below; a loop that the host's user prepared does not hang anybody */
    p9_tree_lock(t, true);
    assert_int_equal(p9_tree_renamed(t, node[1], "b", node[0], "B"), 0);
    p9_tree_unlock(t);
    shell("mv %s/root/a/b %s/root/B", s->base);
    p9_tree_lock(t, false);
    assert_int_equal(p9_at_node(t, node[7], &at), 0);
    assert_int_equal(fstatat(at.fd, at.name, &st, at.flags), 0);
    p9_at_put(t, &at);
    p9_tree_unlock(t);
    p9_tree_lock(t, true);
    assert_int_equal(p9_tree_renamed(t, node[0], "B", node[4], "x"), 0);
    p9_tree_unlock(t);
    p9_tree_lock(t, false);
    p9_at_put(t, p9_at_node(t, node[7], &at) ? &(struct p9_at){0} : &at);
    p9_tree_unlock(t);
    for (int i = 7; i >= 0; i--)
        p9_node_unref(t, node[i]);
    assert_int_equal(p9_tree_nodes(t), 0);
    p9_tree_destroy(t);
    drop(s);
}

/* Threads that walk, read and rename the same names at once: no crash, no leak, nothing lost. */
struct racer {
    struct share *s;
    unsigned first;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    struct share *own = calloc(1, sizeof(*own));
    own->server = r->s->server;
    own->call = malloc(sizeof(*own->call));
    unsigned f = r->first;
    for (int i = 0; i < 3000; i++) {
        if (rpc(own, P9_TWALK, "ddwss", 0u, f, 2u, i & 1 ? "dir" : "dir2", "sub") == 0 && p9_get(&own->r, 2) == 2) {
            rpc(own, P9_TGETATTR, "dq", f, (uint64_t)0x7ff);
            if (rpc(own, P9_TWALK, "ddw", f, f + 1, 0u) == 0) {
                if (rpc(own, P9_TLCREATE, "dsddd", f + 1, "shared", 2u, 0600u, 0u) == 0)
                    rpc(own, P9_TWRITE, "dqd*", f + 1, (uint64_t)0, 3u, "abc", (size_t)3);
                clunk(own, f + 1);
            }
            rpc(own, P9_TUNLINKAT, "dsd", f, "shared", 0u);
            clunk(own, f);
        }
        rpc(own, P9_TRENAMEAT, "dsds", 0u, i % 3 ? "dir" : "dir2", 0u, i % 3 ? "dir2" : "dir");
    }
    free(own->call);
    free(own);
    return NULL;
}

static void races(void **state UNUSED)
{
    struct share *s = make(P9_MODEL_NONE, false);
    mount(s, geteuid());
    pthread_t t[4];
    struct racer r[4];
    for (unsigned i = 0; i < 4; i++) {
        r[i] = (struct racer){s, 100 + 10 * i};
        assert_int_equal(pthread_create(&t[i], NULL, race, &r[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    int one = walk1(s, 0, 1, "dir") == 0, two = walk1(s, 0, 2, "dir2") == 0;
    assert_int_equal(one + two, 1);
    drop(s);
}

static void refused(void **state UNUSED)
{
    assert_null(p9_server_create(&(struct p9_config){"/nonexistent/folder", P9_MODEL_NONE, false}));
    assert_null(p9_server_create(&(struct p9_config){"/etc/passwd", P9_MODEL_NONE, false}));
    assert_null(p9_server_create(&(struct p9_config){"/proc", P9_MODEL_MAPPED, false}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),           cmocka_unit_test(confined), cmocka_unit_test(renames),  cmocka_unit_test(directories),
        cmocka_unit_test(xattrs),          cmocka_unit_test(mapped),   cmocka_unit_test(readonly), cmocka_unit_test(malformed),
        cmocka_unit_test(few_descriptors), cmocka_unit_test(races),    cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
