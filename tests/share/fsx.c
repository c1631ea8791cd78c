/*
 * fsx.c: random operations on a file and on a few names, each compared with a model in memory. In the manner of fsx (A. Tevanian, NeXT).
 *
 *   fsx DIR SEED OPERATIONS [map]
 *
 * Runs in the guest on a shared folder (or anywhere else). map: also write through shared mappings, which 9p has with a cache only. The
 * first difference ends the run with a message and code 1. Prints a checksum of what happened: the same seed gives the same one on every
 * file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SIZE_MAX_FILE 300000u
#define CHUNK_MAX     70000u
#define NAMES         10u
#define INODES        4096u

static uint64_t rng;
static unsigned long op_number;
static uint32_t sum = 1;
static bool map_too, xattr_too;

static uint32_t rnd(uint32_t n)
{
    rng = rng * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((rng >> 33) % n);
}

static void note(uint32_t v)
{
    sum = (sum ^ v) * 16777619u;
}

static void fail(const char *what, long got, long want)
{
    printf("fsx: operation %lu: %s: got %ld, expected %ld (errno %d, %s)\n", op_number, what, got, want, errno, strerror(errno));
    exit(1);
}

static void expect(const char *what, long got, long want)
{
    if (got != want)
        fail(what, got, want);
}

/* --- one file --- */

static uint8_t model[SIZE_MAX_FILE], buf[SIZE_MAX_FILE];
static uint32_t size;
static int fd = -1;
static const char *file = "file0";

static void compare(const uint8_t *got, uint32_t at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (got[i] != model[at + i]) {
            printf("fsx: operation %lu: byte %u of %u is %02x, expected %02x\n", op_number, at + i, size, got[i], model[at + i]);
            exit(1);
        }
}

static void check_size(void)
{
    struct stat st;
    expect("fstat", fstat(fd, &st), 0);
    expect("size", (long)st.st_size, (long)size);
}

static void grow_model(uint32_t to)
{
    if (to > size) {
        memset(model + size, 0, to - size);
        size = to;
    }
}

static void xattr_operation(void)
{
    static uint8_t value[3][2000], got[2000];
    static int length[3]; /* 0: not there */
    unsigned i = rnd(3);
    char name[16];
    snprintf(name, sizeof(name), "user.%u", i);
    switch (rnd(4)) {
    case 0:
        length[i] = (int)(1 + rnd(rnd(2) ? 20 : 1000));
        for (int k = 0; k < length[i]; k++)
            value[i][k] = (uint8_t)rnd(256);
        expect("setxattr", fsetxattr(fd, name, value[i], (size_t)length[i], 0), 0);
        break;
    case 1:
        expect("removexattr", fremovexattr(fd, name) ? -errno : 0, length[i] ? 0 : -ENODATA);
        length[i] = 0;
        break;
    case 2: {
        long names = 0;
        for (unsigned k = 0; k < 3; k++)
            names += length[k] ? 7 : 0;
        expect("listxattr", flistxattr(fd, (char *)got, sizeof(got)), names);
        break;
    }
    default: {
        long n = getxattr(file, name, got, sizeof(got));
        expect("getxattr", n < 0 ? -errno : n, length[i] ? length[i] : -ENODATA);
        if (n > 0)
            expect("attribute", memcmp(got, value[i], (size_t)n), 0);
    }
    }
}

static void reopen(int flags)
{
    if (fd >= 0)
        expect("close", close(fd), 0);
    fd = open(file, flags, 0644);
    if (fd < 0)
        fail("open", fd, 0);
}

static void file_operation(void)
{
    uint32_t at = rnd(SIZE_MAX_FILE), n = rnd(4) ? rnd(5000) : rnd(CHUNK_MAX), kind = rnd(100);
    if (rnd(3) == 0)
        at &= ~4095u;
    if (n > SIZE_MAX_FILE - at)
        n = SIZE_MAX_FILE - at;
    note(kind << 20 ^ at ^ n);
    if (kind < 35) {
        uint32_t have = at >= size ? 0 : n < size - at ? n : size - at;
        expect("read", pread(fd, buf, n, at), (long)have);
        compare(buf, at, have);
    } else if (kind < 70) {
        for (uint32_t i = 0; i < n; i++)
            buf[i] = (uint8_t)rnd(256);
        if (n)
            grow_model(at + n);
        memcpy(model + at, buf, n);
        expect("write", pwrite(fd, buf, n, at), (long)n);
    } else if (kind < 80) {
        if (rnd(2))
            at = rnd(size + 1);
        expect("truncate", rnd(2) ? ftruncate(fd, at) : truncate(file, at), 0);
        if (at < size)
            size = at;
        grow_model(at);
    } else if (kind < 85) {
        expect("fsync", rnd(2) ? fsync(fd) : fdatasync(fd), 0);
    } else if (kind < 90) {
        reopen(O_RDWR);
    } else if (kind < 93 && size) {
        uint8_t *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            fail("mmap", -1, 0);
        compare(p, 0, size);
        expect("munmap", munmap(p, size), 0);
    } else if (kind < 96 && size && map_too) {
        at %= size;
        n = n < size - at ? n : size - at;
        uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            fail("mmap to write", -1, 0);
        for (uint32_t i = 0; i < n; i++)
            p[at + i] = model[at + i] = (uint8_t)rnd(256);
        expect("msync", msync(p, size, MS_SYNC), 0);
        expect("munmap", munmap(p, size), 0);
    } else if (kind < 98) {
        const char *other = file[4] == '0' ? "file1" : "file0";
        expect("rename", rename(file, other), 0);
        file = other;
    } else { /* append */
        n = n < SIZE_MAX_FILE - size ? n : SIZE_MAX_FILE - size;
        for (uint32_t i = 0; i < n; i++)
            model[size + i] = (uint8_t)rnd(256);
        int a = open(file, O_WRONLY | O_APPEND);
        expect("write at the end", a < 0 ? a : write(a, model + size, n), (long)n);
        expect("close", close(a), 0);
        size += n;
    }
    check_size();
}

/* --- names: in two directories, each a file, a link, a directory or nothing --- */

static int entry[NAMES]; /* 0: nothing; > 0: number of a file; -1: a symbolic link; -2: a directory */
static int links[INODES];
static int inodes;

static const char *path_of(unsigned i)
{
    static char text[4][32];
    static unsigned which;
    char *t = text[which++ % 4];
    snprintf(t, 32, "dir%u/n%u", i & 1, i / 2);
    return t;
}

static long result(int r)
{
    return r ? -errno : 0;
}

static void name_operation(void)
{
    unsigned a = rnd(NAMES), b = rnd(NAMES), kind = rnd(8);
    int *x = &entry[a], *y = &entry[b];
    char text[64];
    struct stat st;
    long want, got;
    note(kind << 16 ^ a << 8 ^ b);
    switch (kind) {
    case 0: { /* make a file that holds its number */
        int f = open(path_of(a), O_CREAT | O_EXCL | O_WRONLY, 0600);
        expect("create", f < 0 ? -errno : 0, *x ? -EEXIST : 0);
        if (f >= 0) {
            *x = ++inodes;
            links[*x] = 1;
            int n = snprintf(text, sizeof(text), "%d", *x);
            expect("write", write(f, text, (size_t)n), n);
            expect("close", close(f), 0);
        }
        break;
    }
    case 1:
        want = !*x ? -ENOENT : *x == -2 ? -EISDIR : 0;
        expect("unlink", result(unlink(path_of(a))), want);
        if (!want) {
            if (*x > 0)
                links[*x]--;
            *x = 0;
        }
        break;
    case 2:
        want = *x ? -EEXIST : 0;
        expect("mkdir", result(mkdir(path_of(a), 0700)), want);
        if (!want)
            *x = -2;
        break;
    case 3:
        want = !*x ? -ENOENT : *x == -2 ? 0 : -ENOTDIR;
        expect("rmdir", result(rmdir(path_of(a))), want);
        if (!want)
            *x = 0;
        break;
    case 4:
        want = *x ? -EEXIST : 0;
        expect("symlink", result(symlink("/nowhere/at/all", path_of(a))), want);
        if (!want)
            *x = -1;
        break;
    case 5:
        want = !*x ? -ENOENT : *y ? -EEXIST : *x == -2 ? -EPERM : 0;
        if (*x == -1) /* a link to a link: not everywhere */
            break;
        got = result(link(path_of(a), path_of(b)));
        if (a == b && *x) /* both errors are right for a directory and itself */
            break;
        if (*x == -2 && *y && got == -EPERM)
            break;
        expect("link", got, want);
        if (!want) {
            *y = *x;
            links[*x]++;
        }
        break;
    case 6: {
        bool same = *x > 0 && *x == *y;
        want = !*x ? -ENOENT : a == b || !*y ? 0 : (*x == -2) == (*y == -2) ? 0 : *x == -2 ? -ENOTDIR : -EISDIR;
        expect("rename", result(rename(path_of(a), path_of(b))), want);
        if (!want && a != b && !same) {
            if (*y > 0)
                links[*y]--;
            *y = *x;
            *x = 0;
        }
        break;
    }
    default:
        expect("lstat", result(lstat(path_of(a), &st)), *x ? 0 : -ENOENT);
        if (*x == -1) {
            expect("readlink", readlink(path_of(a), text, sizeof(text)), 15);
        } else if (*x > 0) {
            expect("links", (long)st.st_nlink, links[*x]);
            int f = open(path_of(a), O_RDONLY);
            long n = f < 0 ? -errno : read(f, text, sizeof(text) - 1);
            expect("size read", n, (long)st.st_size);
            text[n] = 0;
            expect("number in the file", atoi(text), *x);
            close(f);
        }
        if (*x)
            expect("type", st.st_mode & S_IFMT, *x == -1 ? S_IFLNK : *x == -2 ? S_IFDIR : S_IFREG);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || chdir(argv[1])) {
        printf("usage: fsx DIR SEED OPERATIONS [map] [xattr]\n");
        return 1;
    }
    rng = strtoull(argv[2], NULL, 0) * 2 + 1;
    unsigned long n = strtoul(argv[3], NULL, 0);
    for (int i = 4; i < argc; i++) {
        map_too |= !strcmp(argv[i], "map");
        xattr_too |= !strcmp(argv[i], "xattr");
    }
    reopen(O_RDWR | O_CREAT | O_TRUNC);
    expect("mkdir", mkdir("dir0", 0700) | mkdir("dir1", 0700), 0);
    for (op_number = 0; op_number < n; op_number++) {
        if (rnd(3) && inodes < (int)INODES - 1)
            name_operation();
        else
            file_operation();
        if (xattr_too && rnd(4) == 0)
            xattr_operation();
    }
    reopen(O_RDWR);
    expect("read of all", pread(fd, buf, SIZE_MAX_FILE, 0), (long)size);
    compare(buf, 0, size);
    expect("unlink", unlink(file), 0);
    check_size(); /* an open file lives on without a name */
    expect("read of all", pread(fd, buf, SIZE_MAX_FILE, 0), (long)size);
    compare(buf, 0, size);
    for (uint32_t i = 0; i < size; i++)
        note(model[i]);
    for (unsigned i = 0; i < NAMES; i++)
        if (entry[i])
            expect("removal", entry[i] == -2 ? rmdir(path_of(i)) : unlink(path_of(i)), 0);
    expect("rmdir", rmdir("dir0") | rmdir("dir1"), 0);
    printf("%lu operations, %08x\n", n, sum);
    return 0;
}
