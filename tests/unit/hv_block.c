/*
 * hv_block.c: disk images of every kind against an array in memory: random reads, writes, zeroes and discards, several at a time, through
 * odd scatter lists; what is on the disk afterwards; locks, formats, ends of files, full disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/block/block.h>
#include <devices/block/iov.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block_one.h"

#define SIZE      (8u << 20)
#define IN_FLIGHT 8u
#define MAX_LEN   (640u << 10)
#define MAX_IOV   12u
#define SLOT_BUF  (MAX_LEN + 4096)

static char dir[] = "/tmp/hv_block.XXXXXX";
static char path[2][64];

static uint32_t rng_state;
static uint32_t rnd(uint32_t n)
{
    rng_state = rng_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(rng_state >> 4) * n >> 28);
}

static void make_raw(const char *name, uint64_t size)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

/* --- many at a time, against a model --- */

struct slot {
    struct block_request r;
    bool busy;
    uint8_t *buf; /* SLOT_BUF bytes */
    struct iovec iov[MAX_IOV];
};

static struct slot slots[IN_FLIGHT];
static uint8_t *model;
static struct block_memory ram; /* slots' buffers lie here where it has a size */

static void slot_done(struct block_request *r, int err)
{
    struct slot *s = container_of(r, struct slot, r);
    assert_int_equal(err, 0);
    s->busy = false;
    if (r->kind == BLOCK_READ) {
        uint8_t *got = malloc(r->len);
        iov_load(got, r->iov, r->n_iov, 0, r->len);
        assert_memory_equal(got, model + r->off, r->len);
        free(got);
    } else if (r->kind == BLOCK_WRITE) {
        iov_load(model + r->off, r->iov, r->n_iov, 0, r->len);
    } else if (r->kind == BLOCK_ZERO) {
        memset(model + r->off, 0, r->len);
    }
}

static bool overlaps(uint64_t off, uint64_t len)
{
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        if (slots[i].busy && off < slots[i].r.off + slots[i].r.len && slots[i].r.off < off + len)
            return true;
    }
    return false;
}

/* Cut [buf, buf + len) into a few pieces with gaps between them, odd sizes and addresses if asked for. */
static unsigned scatter(struct slot *s, uint64_t len, bool odd)
{
    unsigned n = 0;
    uint8_t *at = s->buf + (odd ? rnd(7) : 0);
    uint64_t unit = odd ? 1 : BLOCK_SECTOR;
    while (len) {
        uint64_t piece = n == MAX_IOV - 1 ? len : (rnd((uint32_t)(len / unit)) + 1) * unit;
        s->iov[n++] = (struct iovec){at, piece};
        at += piece + (odd ? rnd(5) : 0);
        len -= piece;
    }
    return n;
}

static void submit_random(struct block *b, struct slot *s, bool writes)
{
    uint64_t len = (rnd(8) ? rnd(64) + 1 : rnd(MAX_LEN / BLOCK_SECTOR) + 1) * (uint64_t)BLOCK_SECTOR;
    uint64_t off = (uint64_t)rnd((uint32_t)((b->size - len) / BLOCK_SECTOR) + 1) * BLOCK_SECTOR;
    unsigned what = writes ? rnd(16) : 0;
    if (overlaps(off, len))
        return;
    s->r = (struct block_request){.off = off, .len = len, .iov = s->iov, .done = slot_done, .fua = rnd(16) == 0, .unmap = rnd(2)};
    s->r.kind = what < 7 ? BLOCK_READ : what < 13 ? BLOCK_WRITE : what < 15 ? BLOCK_ZERO : BLOCK_FLUSH;
    if (s->r.kind == BLOCK_FLUSH)
        s->r.off = s->r.len = 0;
    if (s->r.kind == BLOCK_READ || s->r.kind == BLOCK_WRITE)
        s->r.n_iov = scatter(s, len, rnd(3) == 0);
    if (s->r.kind == BLOCK_WRITE) {
        for (unsigned i = 0; i < s->r.n_iov; i++)
            memset(s->iov[i].iov_base, (int)rnd(256), s->iov[i].iov_len);
    }
    s->busy = true;
    block_submit(b, &s->r);
}

static void hammer(const struct block_options *o, enum aio_engine engine, unsigned rounds, bool writes)
{
    struct block *b = block_open(o);
    assert_non_null(b);
    assert_int_equal(b->size, SIZE);
    struct aio *a = aio_create(engine);
    assert_non_null(a);
    block_start(b, a, ram.size ? &ram : NULL);
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        slots[i].buf = ram.size && i ? (uint8_t *)ram.base + i * SLOT_BUF : malloc(SLOT_BUF); /* the first one is always private */
    bool busy = true;
    for (unsigned n = 0; n < rounds || busy; n++) {
        for (unsigned i = 0; i < IN_FLIGHT && n < rounds; i++) {
            if (!slots[i].busy)
                submit_random(b, &slots[i], writes);
        }
        busy = false;
        for (unsigned i = 0; i < IN_FLIGHT; i++)
            busy |= slots[i].busy;
        aio_run(a, busy && rnd(2));
    }
    uint8_t *all = malloc(SIZE);
    assert_int_equal(do_one(b, a, BLOCK_READ, 0, all, SIZE, false), 0);
    assert_memory_equal(all, model, SIZE);
    if (writes)
        assert_int_equal(do_one(b, a, BLOCK_FLUSH, 0, NULL, 0, false), 0);
    /* contents of discarded blocks are undefined; that the others are what they were is not */
    if (writes && !o->snapshot) {
        assert_int_equal(do_one(b, a, BLOCK_DISCARD, SIZE / 2, NULL, 65536, true), 0);
        memset(all, 0x5a, 65536);
        assert_int_equal(do_one(b, a, BLOCK_WRITE, SIZE / 2, all, 65536, false), 0);
        memset(model + SIZE / 2, 0x5a, 65536);
        assert_int_equal(do_one(b, a, BLOCK_READ, 0, all, SIZE, false), 0);
        assert_memory_equal(all, model, SIZE);
    }
    free(all);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        if (!ram.size || !i)
            free(slots[i].buf);
    }
    block_stop(b);
    aio_destroy(a);
    block_close(b);
}

static void check_file(const char *name)
{
    uint8_t *all = malloc(SIZE);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, all, SIZE, 0), SIZE);
    assert_memory_equal(all, model, SIZE);
    close(fd);
    free(all);
}

static void raw_images(void **state UNUSED)
{
    static const enum block_cache caches[] = {BLOCK_CACHE_WRITEBACK, BLOCK_CACHE_NONE, BLOCK_CACHE_WRITETHROUGH, BLOCK_CACHE_DIRECTSYNC,
                                              BLOCK_CACHE_UNSAFE};
    static const enum aio_engine engines[] = {AIO_ENGINE_AUTO, AIO_ENGINE_THREADS};
    for (unsigned c = 0; c < ARRAY_LEN(caches); c++) {
        for (unsigned e = 0; e < ARRAY_LEN(engines); e++) {
            make_raw(path[0], SIZE);
            memset(model, 0, SIZE);
            rng_state = c * 10 + e;
            bool slow = caches[c] == BLOCK_CACHE_WRITETHROUGH || caches[c] == BLOCK_CACHE_DIRECTSYNC;
            hammer(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_RAW, .cache = caches[c], .discard = e}, engines[e],
                   slow ? 30 : 300, true);
            check_file(path[0]);
            hammer(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_RAW, .cache = caches[c], .read_only = true}, engines[e],
                   50, false);
        }
    }
}

static void snapshots(void **state UNUSED)
{
    make_raw(path[0], SIZE);
    int fd = open(path[0], O_RDWR | O_CLOEXEC);
    for (unsigned i = 0; i < SIZE; i++)
        model[i] = (uint8_t)(i >> 9);
    assert_int_equal(pwrite(fd, model, SIZE, 0), SIZE);
    close(fd);
    uint8_t *before = malloc(SIZE);
    memcpy(before, model, SIZE);
    rng_state = 77;
    hammer(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_RAW, .snapshot = true, .discard = true}, AIO_ENGINE_AUTO, 600,
           true);
    memcpy(model, before, SIZE);
    free(before);
    check_file(path[0]);
}

static void qcow2_images(void **state UNUSED)
{
    char command[256];
    if (!have_qcow2())
        skip();
    make_qcow2(path[1], SIZE);
    memset(model, 0, SIZE);
    rng_state = 5;
    hammer(&(struct block_options){.file = path[1], .format = BLOCK_FORMAT_QCOW2, .discard = true}, AIO_ENGINE_AUTO, 300, true);
    hammer(&(struct block_options){.file = path[1], .cache = BLOCK_CACHE_WRITETHROUGH}, AIO_ENGINE_THREADS, 30, true);
    hammer(&(struct block_options){.file = path[1], .read_only = true}, AIO_ENGINE_THREADS, 30, false);
    uint8_t *before = malloc(SIZE);
    memcpy(before, model, SIZE);
    hammer(&(struct block_options){.file = path[1], .snapshot = true}, AIO_ENGINE_AUTO, 100, true);
    memcpy(model, before, SIZE);
    free(before);
    snprintf(command, sizeof(command), "qemu-img check -q '%s' && qemu-img convert -O raw '%s' '%s'", path[1], path[1], path[0]);
    run(command);
    check_file(path[0]);
}

/* Buffers in memory that the server has too, scattered, odd, and beside private ones. */
static void qcow2_shared_memory(void **state UNUSED)
{
    if (!have_qcow2())
        skip();
    make_qcow2(path[1], SIZE);
    memset(model, 0, SIZE);
    rng_state = 11;
    ram = shared_memory(ALIGN_UP((uint64_t)SLOT_BUF * IN_FLIGHT, 4096));
    hammer(&(struct block_options){.file = path[1], .format = BLOCK_FORMAT_QCOW2, .discard = true}, AIO_ENGINE_AUTO, 300, true);
    hammer(&(struct block_options){.file = path[1], .cache = BLOCK_CACHE_NONE, .aio = AIO_ENGINE_THREADS}, AIO_ENGINE_AUTO, 100, true);
    hammer(&(struct block_options){.file = path[1], .cache = BLOCK_CACHE_DIRECTSYNC}, AIO_ENGINE_AUTO, 30, true);
    hammer(&(struct block_options){.file = path[1], .cache = BLOCK_CACHE_UNSAFE}, AIO_ENGINE_AUTO, 30, true);
    forget_memory(&ram);
}

static void locks(void **state UNUSED)
{
    make_raw(path[0], SIZE);
    const struct block_options writer = {.file = path[0], .format = BLOCK_FORMAT_RAW},
                               reader = {.file = path[0], .format = BLOCK_FORMAT_RAW, .read_only = true},
                               snapshot = {.file = path[0], .format = BLOCK_FORMAT_RAW, .snapshot = true};
    struct block *b = block_open(&writer);
    assert_non_null(b);
    assert_null(block_open(&writer));
    assert_null(block_open(&reader));
    assert_null(block_open(&snapshot));
    char command[256];
    snprintf(command, sizeof(command), "! qemu-io -f raw -c 'write 0 512' '%s' >/dev/null 2>&1", path[0]);
    if (have_qcow2())
        run(command); /* QEMU sees our locks */
    block_close(b);
    b = block_open(&reader);
    struct block *c = block_open(&snapshot);
    assert_non_null(b);
    assert_non_null(c);
    assert_null(block_open(&writer));
    block_close(b);
    assert_null(block_open(&writer));
    block_close(c);
    b = block_open(&writer);
    assert_non_null(b);
    block_close(b);
}

static void formats(void **state UNUSED)
{
    char command[256];
    uint8_t sector[1024] = {'Q', 'F', 'I', 0xfb};
    make_raw(path[0], SIZE);
    assert_null(block_open(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_QCOW2}));
    assert_null(block_open(&(struct block_options){.file = dir, .format = BLOCK_FORMAT_RAW}));
    assert_null(block_open(&(struct block_options){.file = "/nonexistent/disk", .format = BLOCK_FORMAT_RAW}));
    assert_null(block_open(&(struct block_options){.file = "/dev/zero", .format = BLOCK_FORMAT_RAW}));

    /* a guest cannot turn an image given without a format into one of another format */
    struct block *b = block_open(&(struct block_options){.file = path[0]});
    struct aio *a = aio_create(AIO_ENGINE_AUTO);
    block_start(b, a, NULL);
    assert_int_equal(do_one(b, a, BLOCK_WRITE, 0, sector, sizeof(sector), false), -EPERM);
    assert_int_equal(do_one(b, a, BLOCK_WRITE, 512, sector, 512, false), 0);
    memset(sector, 7, sizeof(sector));
    assert_int_equal(do_one(b, a, BLOCK_WRITE, 0, sector, sizeof(sector), false), 0);
    memset(sector, 0, sizeof(sector));
    assert_int_equal(do_one(b, a, BLOCK_READ, 0, sector, sizeof(sector), false), 0);
    for (unsigned i = 0; i < sizeof(sector); i++)
        assert_int_equal(sector[i], 7);
    block_stop(b);
    aio_destroy(a);
    block_close(b);

    if (!have_qcow2())
        return;
    /* nor make us open its choice of files */
    snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 -F raw -b '%s' '%s'", path[0], path[1]);
    run(command);
    assert_null(block_open(&(struct block_options){.file = path[1]}));
    b = block_open(&(struct block_options){.file = path[1], .format = BLOCK_FORMAT_QCOW2});
    assert_non_null(b);
    assert_null(block_open(&(struct block_options){.file = path[1], .format = BLOCK_FORMAT_RAW})); /* in use */
    block_close(b);
}

/* A file that is no multiple of a sector, and one that shrinks meanwhile. */
static void ends(void **state UNUSED)
{
    static const enum block_cache caches[] = {BLOCK_CACHE_WRITEBACK, BLOCK_CACHE_NONE};
    for (unsigned c = 0; c < ARRAY_LEN(caches); c++) {
        uint8_t *buf = aligned_alloc(4096, 8192);
        make_raw(path[0], 0);
        memset(buf, 0xaa, 8192);
        int fd = open(path[0], O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, buf, 1000, 0), 1000);
        struct block *b = block_open(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_RAW, .cache = caches[c]});
        struct aio *a = aio_create(AIO_ENGINE_AUTO);
        assert_int_equal(b->size, 1024);
        block_start(b, a, NULL);
        assert_int_equal(do_one(b, a, BLOCK_READ, 0, buf + 4096, 1024, false), 0);
        for (unsigned i = 0; i < 1024; i++)
            assert_int_equal(buf[4096 + i], i < 1000 ? 0xaa : 0);
        memset(buf, 0xbb, 512);
        assert_int_equal(do_one(b, a, BLOCK_WRITE, 512, buf, 512, true), 0);
        assert_int_equal(ftruncate(fd, 512), 0);
        assert_int_equal(do_one(b, a, BLOCK_READ, 512, buf, 512, false), 0);
        for (unsigned i = 0; i < 512; i++)
            assert_int_equal(buf[i], 0);
        block_stop(b);
        aio_destroy(a);
        block_close(b);
        close(fd);
        free(buf);
    }
}

/* The limit of the file size stands in for a full disk. */
static void no_room(void **state UNUSED)
{
    signal(SIGXFSZ, SIG_IGN);
    make_raw(path[0], SIZE);
    struct block *b = block_open(&(struct block_options){.file = path[0], .format = BLOCK_FORMAT_RAW});
    struct aio *a = aio_create(AIO_ENGINE_AUTO);
    block_start(b, a, NULL);
    uint8_t *buf = malloc(1u << 20);
    memset(buf, 0x11, 1u << 20);
    assert_int_equal(do_one(b, a, BLOCK_WRITE, 0, buf, 1u << 20, false), 0);
    struct rlimit old, small = {3u << 19, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    int err = do_one(b, a, BLOCK_WRITE, 1u << 20, buf, 1u << 20, false);
    int below = do_one(b, a, BLOCK_WRITE, 0, buf, 512, false);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(err, -EFBIG);
    assert_int_equal(below, 0);
    assert_int_equal(do_one(b, a, BLOCK_WRITE, 1u << 20, buf, 1u << 20, false), 0);
    block_stop(b);
    aio_destroy(a);
    block_close(b);
    free(buf);
}

static void scatter_lists(void **state UNUSED)
{
    char a[] = "abc", b[] = "defgh", c[] = "i", out[16] = "";
    struct iovec iov[] = {{a, 3}, {b, 5}, {c, 1}}, cut[3];
    iov_load(out, iov, 3, 2, 5);
    assert_string_equal(out, "cdefg");
    assert_int_equal(iov_slice(cut, iov, 3, 3, 6), 2);
    assert_ptr_equal(cut[0].iov_base, b);
    assert_int_equal(iov_slice(cut, iov, 3, 4, 2), 1);
    assert_int_equal(cut[0].iov_len, 2);
    assert_int_equal(iov_slice(cut, iov, 3, 9, 1), 0);
    iov_store(iov, 3, 7, "XYZ", 3); /* one more than there is room for */
    assert_string_equal(b, "defgX");
    assert_string_equal(c, "Y");
    iov_zero(iov, 3, 1, 3);
    assert_memory_equal(a, "a\0\0", 3);
    assert_memory_equal(b, "\0efgX", 5);
}

static int setup(void **state UNUSED)
{
    model = malloc(SIZE);
    if (!model || !mkdtemp(dir))
        return -1;
    for (unsigned i = 0; i < 2; i++)
        snprintf(path[i], sizeof(path[i]), "%s/disk%u", dir, i);
    return 0;
}

static int teardown(void **state UNUSED)
{
    for (unsigned i = 0; i < 2; i++)
        unlink(path[i]);
    free(model);
    return rmdir(dir);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scatter_lists), cmocka_unit_test(raw_images), cmocka_unit_test(snapshots),
        cmocka_unit_test(qcow2_images),  cmocka_unit_test(locks),      cmocka_unit_test(formats),
        cmocka_unit_test(ends),          cmocka_unit_test(no_room),    cmocka_unit_test(qcow2_shared_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
