/*
 * 9p_fuzz.c: libFuzzer target of the 9P server: messages made of the input's bytes, well formed or not, run on a real folder.
 *
 * Beside the folder lie a file with a token made up at the start and a directory; links in the folder point to them, and the guest can make
 * more. After each input they must be as they were, and no reply may hold the token. Nor may references, descriptors or memory be left when
 * the session is reset. An input is a sequence of messages: a byte for the type, then a few bytes for each field of its layout, so that
 * most messages name things that exist. The folder is made anew every 256 inputs. See tools/fuzz; without libFuzzer (FUZZ_STANDALONE)
 * main() here makes random inputs by itself.
 */
#include <devices/9p/ops.h>
#include <devices/9p/tree.h>
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define TOKEN_SIZE   16u
#define MESSAGES_MAX 48u
#define ROOT_LIFE    256u
#define FILE_MAX     (1u << 20) /* bytes of a file: inputs must not fill the disk */

struct fuzz {
    char base[200];
    uint8_t token[TOKEN_SIZE];
    struct stat canary, outside, base_dir;
    struct p9_server *server;
    struct p9_call *call;
    unsigned inputs;
    uint8_t request[9000];
};

static struct fuzz fuzz;

static void die(const char *what)
{
    fprintf(stderr, "9p_fuzz: %s\n", what);
    abort();
}

static void shell(const char *text)
{
    char command[1024];
    snprintf(command, sizeof(command), "cd %s && { %s; }", fuzz.base, text);
    if (system(command))
        die(text);
}

/* Open below our folder; the fuzzer has descriptors of its own. */
static unsigned count_fds(void)
{
    unsigned n = 0;
    struct dirent *e;
    DIR *d = opendir("/proc/self/fd");
    while (d && (e = readdir(d))) {
        char target[512];
        ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof(target));
        n += len > (ssize_t)strlen(fuzz.base) && !memcmp(target, fuzz.base, strlen(fuzz.base));
    }
    closedir(d);
    return n;
}

static void clean_up(void)
{
    p9_server_destroy(fuzz.server);
    shell("chmod -R u+rwx . && rm -rf root canary outside");
    rmdir(fuzz.base);
}

static int open_up(const char *path, const struct stat *st UNUSED, int type, struct FTW *f UNUSED)
{
    return type == FTW_D || type == FTW_DNR ? chmod(path, 0700) & 0 : 0;
}

static int remove_inside(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *f)
{
    return f->level ? remove(path) & 0 : 0;
}

static const char *in_base(const char *name)
{
    static char path[4][256];
    static unsigned which;
    char *p = path[which++ % 4];
    snprintf(p, 256, "%s/%s", fuzz.base, name);
    return p;
}

/* The root is the server's by its descriptor: it is emptied, not replaced. */
static void make_root(void)
{
    static const char *const dirs[] = {"root", "root/a", "root/a/b", "root/a/b/c", "root/d"};
    static const char *const files[] = {"root/f", "root/a/b/g"};
    static const char *const links[][2] = {{"../canary", "root/l"}, {"../outside", "root/o"}, {"/", "root/s"}, {"..", "root/u"}};
    const char *root = in_base("root");
    nftw(root, open_up, 16, FTW_PHYS);
    nftw(root, remove_inside, 16, FTW_PHYS | FTW_DEPTH);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdir(in_base(dirs[i]), 0755) && i)
            die("the folder cannot be made anew");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        int fd = open(in_base(files[i]), O_CREAT | O_WRONLY, 0644);
        if (fd < 0 || write(fd, "text", 4) != 4)
            die("the folder cannot be filled");
        close(fd);
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlink(links[i][0], in_base(links[i][1])))
            die("the folder cannot be filled");
    if (link(in_base("root/f"), in_base("root/h")) || mkfifo(in_base("root/p"), 0644) || symlink(in_base("canary"), in_base("root/a/abs")))
        die("the folder cannot be filled");
}

static void look(const char *name, struct stat *st)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", fuzz.base, name);
    if (lstat(path, st))
        die("something outside the folder is gone");
}

static void set_up(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(fuzz.base, sizeof(fuzz.base), "%s/9p_fuzz.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(fuzz.base) || getrandom(fuzz.token, TOKEN_SIZE, 0) != TOKEN_SIZE)
        die("no temporary folder");
    char path[256];
    snprintf(path, sizeof(path), "%s/canary", fuzz.base);
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    if (fd < 0 || write(fd, fuzz.token, TOKEN_SIZE) != TOKEN_SIZE)
        die("no canary");
    close(fd);
    shell("mkdir outside && touch outside/thing && chmod 777 . outside outside/thing canary");
    make_root();
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){FILE_MAX, FILE_MAX});
    umask(0);
    snprintf(path, sizeof(path), "%s/root", fuzz.base);
    fuzz.server = p9_server_create(&(struct p9_config){path, getenv("FUZZ_MAPPED") ? P9_MODEL_MAPPED : P9_MODEL_NONE, false});
    fuzz.call = malloc(sizeof(*fuzz.call));
    if (!fuzz.server || !fuzz.call)
        die("no server");
    look("canary", &fuzz.canary);
    look("outside", &fuzz.outside);
    look(".", &fuzz.base_dir);
    atexit(clean_up);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_nlink == b->st_nlink && a->st_uid == b->st_uid &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Is the token in there? Not memmem(): the fuzzer watches that and would learn the token. */
#ifdef __clang__
__attribute__((no_sanitize("coverage")))
#endif
static bool
has_token(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + TOKEN_SIZE <= n; i++) {
        unsigned k = 0;
        while (k < TOKEN_SIZE && p[i + k] == fuzz.token[k])
            k++;
        if (k == TOKEN_SIZE)
            return true;
    }
    return false;
}

static void check_outside(void)
{
    struct stat st;
    look("canary", &st);
    if (!same(&st, &fuzz.canary))
        die("the file outside has been changed");
    look("outside", &st);
    if (!same(&st, &fuzz.outside))
        die("the directory outside has been changed");
    look(".", &st);
    if (!same(&st, &fuzz.base_dir))
        die("something has been made or removed beside the folder");
}

/* --- from the input's bytes to messages ------------------------------------------------------------------------------------------ */

struct source {
    const uint8_t *p, *end;
};

static uint8_t take(struct source *s)
{
    return s->p < s->end ? *s->p++ : 0;
}

static uint64_t take_number(struct source *s, unsigned bytes)
{
    static const uint64_t some[] = {0200,  01002, 0x200, 0777,       04755,      0x8000 | 0644, 0x1000 | 0644, 0x2000 | 0666,
                                    0x1ff, 4096,  65536, 0xffffffff, 1ull << 62, UINT64_MAX,    0200000,       0x4000 | 0755};
    uint8_t b = take(s);
    uint64_t v = b;
    if (b >= 0xe0) {
        v = 0;
        for (unsigned i = 0; i < bytes; i++)
            v = v << 8 | take(s);
    } else if (b >= 0xd0) {
        v = some[b & 15];
    }
    return v;
}

static void put_name(struct p9_writer *w, struct source *s)
{
    static const char *const names[] = {"a",        "b",
                                        "c",        "d",
                                        "f",        "g",
                                        "h",        "l",
                                        "o",        "p",
                                        "s",        "u",
                                        "abs",      "n1",
                                        "n2",       "n3",
                                        "..",       ".",
                                        "",         "a/b",
                                        "/",        "../canary",
                                        "canary",   "thing",
                                        "outside",  "/etc/passwd",
                                        "root",     "etc",
                                        "user.x",   "user.virtfs.mode",
                                        "9P2000.L", "system.posix_acl_access"};
    uint8_t b = take(s);
    if (b >= 0xe0) {
        uint8_t n = take(s);
        char raw[256];
        for (unsigned i = 0; i < n; i++)
            raw[i] = (char)take(s);
        p9_put_string(w, raw, n);
    } else {
        const char *name = names[b % ARRAY_LEN(names)];
        p9_put_string(w, name, strlen(name));
    }
}

/* The size of the message in fuzz.request. */
static size_t make_message(struct source *s)
{
    static const uint8_t types[] = {P9_TWALK,        P9_TLOPEN,  P9_TLCREATE,  P9_TREAD,    P9_TWRITE,  P9_TGETATTR,  P9_TSETATTR,
                                    P9_TREADDIR,     P9_TMKDIR,  P9_TSYMLINK,  P9_TMKNOD,   P9_TLINK,   P9_TRENAMEAT, P9_TUNLINKAT,
                                    P9_TRENAME,      P9_TREMOVE, P9_TCLUNK,    P9_TATTACH,  P9_TSTATFS, P9_TREADLINK, P9_TXATTRWALK,
                                    P9_TXATTRCREATE, P9_TFSYNC,  P9_TLOCK,     P9_TGETLOCK, P9_TFLUSH,  P9_TVERSION,  P9_TWALK,
                                    P9_TWALK,        P9_TLOPEN,  P9_TRENAMEAT, P9_TREAD};
    struct p9_writer w = {fuzz.request, fuzz.request + sizeof(fuzz.request), false};
    uint8_t b = take(s), type = types[b % ARRAY_LEN(types)];
    p9_put(&w, 4, 0);
    if (b >= 0xf8) { /* anything at all */
        uint8_t n = take(s);
        for (unsigned i = 0; i < n; i++)
            p9_put(&w, 1, take(s));
    } else {
        p9_put(&w, 1, type);
        p9_put(&w, 2, b);
        uint64_t v = 0;
        for (const char *f = p9_messages[type].layout; *f; f++)
            switch (*f) {
            case 'b':
                p9_put(&w, 1, take(s));
                break;
            case 'w':
                p9_put(&w, 2, v = type == P9_TWALK ? take(s) % 6 : take_number(s, 2));
                break;
            case 'f':
                p9_put(&w, 4, take(s) & 15);
                break;
            case 'd':
                v = take_number(s, 4);
                if (type == P9_TATTACH && f == p9_messages[type].layout + 1)
                    v = P9_NOFID;
                else if (type == P9_TWALK || type == P9_TXATTRWALK || type == P9_TATTACH)
                    v &= 15;
                p9_put(&w, 4, v);
                break;
            case 'q':
                p9_put(&w, 8, take_number(s, 8));
                break;
            default:
                put_name(&w, s);
            }
        for (; type == P9_TWALK && v; v--)
            put_name(&w, s);
        if (type == P9_TWRITE)
            for (v = v < 64 ? v : 64; v; v--)
                p9_put(&w, 1, take(s));
    }
    size_t size = (size_t)(w.p - fuzz.request);
    struct p9_writer head = {fuzz.request, fuzz.request + 4, false};
    p9_put(&head, 4, take(s) == 0xff ? take_number(s, 4) : size);
    return size;
}

static void send_message(size_t size, struct source *s)
{
    uint8_t cut = take(s), shrink = take(s);
    size_t room = shrink >= 0xf0 ? P9_IO_HEADER + (shrink & 15) * 8u : 8192;
    uint8_t *q = malloc(size), *a = malloc(room); /* exactly sized for the sanitizer */
    memcpy(q, fuzz.request, size);
    size_t c = cut < size ? cut : size / 2, d = cut < room ? cut : room / 2;
    struct iovec out[2] = {{q, c}, {q + c, size - c}}, in[2] = {{a, d}, {a + d, room - d}};
    if (p9_call_begin(fuzz.call, fuzz.server, out, 2, size, in, 2, room) == 0) {
        uint32_t n = p9_call_run(fuzz.call);
        uint32_t said;
        memcpy(&said, a, 4);
        if (n < P9_HEADER || n > room || le32toh(said) != n)
            die("a reply has the wrong length");
        if (has_token(a, n))
            die("the file outside has been read");
    }
    free(q);
    free(a);
}

static size_t put_setup(unsigned which)
{
    struct p9_writer w = {fuzz.request, fuzz.request + sizeof(fuzz.request), false};
    p9_put(&w, 4, which ? 24 : 21);
    p9_put(&w, 1, which ? P9_TATTACH : P9_TVERSION);
    p9_put(&w, 2, 0);
    if (which) {
        p9_put(&w, 4, 0);
        p9_put(&w, 4, P9_NOFID);
        p9_put_string(&w, "", 0);
        p9_put_string(&w, "", 0);
        p9_put(&w, 4, 0);
    } else {
        p9_put(&w, 4, 8192);
        p9_put_string(&w, "9P2000.L", 8);
    }
    size_t size = (size_t)(w.p - fuzz.request);
    struct p9_writer head = {fuzz.request, fuzz.request + 4, false};
    p9_put(&head, 4, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fuzz.server)
        set_up();
    else if (++fuzz.inputs % ROOT_LIFE == 0) {
        make_root();
        if (count_fds() != 1)
            die("descriptors are left open");
    }
    struct source s = {data, data + size}, none = {data, data};
    send_message(put_setup(0), &none);
    send_message(put_setup(1), &none);
    for (unsigned i = 0; s.p < s.end && i < MESSAGES_MAX; i++)
        send_message(make_message(&s), &s);
    check_outside();
    p9_server_reset(fuzz.server);
    if (p9_tree_nodes(fuzz.server->tree) || atomic_load(&fuzz.server->fids.n_open) || atomic_load(&fuzz.server->fids.xattr_bytes))
        die("names, open files or attributes are left after the session");
    return 0;
}

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv)
{
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : 5000;
    uint64_t x = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    for (unsigned long i = 0; i < runs; i++) {
        uint8_t input[600];
        for (unsigned k = 0; k < sizeof(input); k++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            input[k] = (uint8_t)(x >> 56);
        }
        LLVMFuzzerTestOneInput(input, (x >> 33) % sizeof(input));
    }
    printf("%lu inputs\n", runs);
    return 0;
}
#endif
