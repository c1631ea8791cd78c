/*
 * hv_storage.c: the client of the storage daemon: what lies where, odd lengths, names, and a daemon that has no room, errs or dies.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/block/storage.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "block_one.h"

#define SIZE (8u << 20)

static char dir[] = "/tmp/hv_storage.XXXXXX";
static char path[64];

struct disk {
    struct block *b;
    struct storage *d; /* behind b */
    struct aio *a;
};

static struct disk open_disk(const struct block_memory *ram)
{
    struct disk k = {.b = block_open(&(struct block_options){.file = path, .format = BLOCK_FORMAT_QCOW2}),
                     .a = aio_create(AIO_ENGINE_AUTO)};
    assert_non_null(k.b);
    assert_non_null(k.a);
    k.d = container_of(k.b, struct storage, block);
    block_start(k.b, k.a, ram);
    return k;
}

static void close_disk(struct disk *k)
{
    block_stop(k->b);
    aio_destroy(k->a);
    block_close(k->b);
}

/* The memory changes from start to start, as when a machine boots again. */
static void starts(void **state UNUSED)
{
    struct block_memory m[2] = {shared_memory(1u << 20), shared_memory(1u << 20)};
    struct block *b = block_open(&(struct block_options){.file = path, .format = BLOCK_FORMAT_QCOW2});
    assert_non_null(b);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t *p = m[i % 2].base;
        struct aio *a = aio_create(AIO_ENGINE_AUTO);
        block_start(b, a, i < 3 ? &m[i % 2] : i == 3 ? &m[0] : NULL);
        memset(p, (int)i + 1, 8192);
        assert_int_equal(do_one(b, a, BLOCK_WRITE, 8192ull * i, p, 8192, false), 0);
        memset(p, 0, 8192);
        assert_int_equal(do_one(b, a, BLOCK_READ, 8192ull * i, p, 8192, false), 0);
        for (unsigned n = 0; n < 8192; n++)
            assert_int_equal(p[n], i + 1);
        block_stop(b);
        aio_destroy(a);
    }
    block_close(b);
    forget_memory(&m[0]);
    forget_memory(&m[1]);
}

/* More segments than a piece can have, some so short that a piece has no whole sector. */
static void segments(void **state UNUSED)
{
    enum { N = 1024 };
    static const unsigned lengths[] = {1, 2, 3, 4, 5, 511, 513, 1024, 4097};
    struct block_memory m = shared_memory(SIZE);
    struct disk k = open_disk(&m);
    struct iovec iov[N];
    uint8_t *map = m.base, *all = malloc(SIZE);
    for (unsigned n = 0; n < ARRAY_LEN(lengths); n++) {
        uint64_t len = (uint64_t)N * lengths[n];
        for (unsigned i = 0; i < SIZE; i++)
            map[i] = (uint8_t)(i * 7 + i / 256 + n);
        for (unsigned i = 0; i < N; i++)
            iov[i] = (struct iovec){map + (uint64_t)i * lengths[n], lengths[n]};
        struct one o = {.r = {.kind = BLOCK_WRITE, .len = len, .iov = iov, .n_iov = N}};
        submit_one(k.b, &o);
        assert_int_equal(wait_one(k.a, &o), 0);
        assert_int_equal(do_one(k.b, k.a, BLOCK_READ, 0, all, len, false), 0); /* through private memory */
        assert_memory_equal(all, map, len);
        memset(map, 0, SIZE);
        o.r.kind = BLOCK_READ;
        submit_one(k.b, &o);
        assert_int_equal(wait_one(k.a, &o), 0);
        assert_memory_equal(all, map, len);
    }
    close_disk(&k);
    forget_memory(&m);
    free(all);
}

/* So much at a time that slots and buffers run out several times over. */
static void waiting(void **state UNUSED)
{
    struct disk k = open_disk(NULL);
    static struct one many[400];
    uint8_t *buf = malloc(SIZE), *same = malloc(SIZE);
    memset(buf, 0x3c, SIZE);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 0, buf, SIZE, false), 0);
    struct iovec in = {same, SIZE}, out = {buf, SIZE};
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        static const struct block_request kinds[] = {
            {.kind = BLOCK_READ, .len = SIZE}, {.kind = BLOCK_WRITE, .len = SIZE, .fua = true}, {.kind = BLOCK_ZERO, .len = BLOCK_SECTOR}};
        many[i].r = kinds[i % 8 < 2 ? i % 8 : 2];
        many[i].r.iov = i % 8 ? &out : &in;
        many[i].r.n_iov = i % 8 < 2;
        submit_one(k.b, &many[i]);
    }
    for (unsigned i = 0; i < ARRAY_LEN(many); i++)
        assert_int_equal(wait_one(k.a, &many[i]), 0);
    assert_int_equal(do_one(k.b, k.a, BLOCK_READ, SIZE / 2, same, 4096, false), 0);
    assert_memory_equal(same, buf, 4096);
    close_disk(&k);
    free(buf);
    free(same);
}

/* A completion that cannot be: I/O errors, for what is under way too. */
static void daemon_errs(void **state UNUSED)
{
    char data[512] = {1};
    struct disk k = open_disk(NULL);
    kill(k.d->child.pid, SIGSTOP);
    k.d->ring.shared.used->ring[0].id = VHOST_RING_SIZE;
    k.d->ring.shared.used->idx = 1;
    eventfd_write(k.d->call, 1);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 0, data, sizeof(data), false), -EIO);
    assert_int_equal(do_one(k.b, k.a, BLOCK_FLUSH, 0, NULL, 0, false), -EIO);
    kill(k.d->child.pid, SIGCONT);
    close_disk(&k);
}

static void daemon_dies(void **state UNUSED)
{
    char data[512] = {1};
    struct disk k = open_disk(NULL);
    struct iovec iov = {data, sizeof(data)};
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 0, data, sizeof(data), false), 0);
    kill(k.d->child.pid, SIGSTOP);
    struct one under_way = {.r = {.kind = BLOCK_READ, .len = sizeof(data), .iov = &iov, .n_iov = 1}};
    submit_one(k.b, &under_way);
    aio_run(k.a, false);
    assert_false(under_way.done);
    kill(k.d->child.pid, SIGKILL);
    assert_true(wait_one(k.a, &under_way) < 0);
    assert_true(do_one(k.b, k.a, BLOCK_READ, 0, data, sizeof(data), false) < 0);
    assert_true(do_one(k.b, k.a, BLOCK_WRITE, 0, data, sizeof(data), true) < 0);
    assert_true(do_one(k.b, k.a, BLOCK_FLUSH, 0, NULL, 0, false) < 0);
    block_stop(k.b);
    block_start(k.b, k.a, NULL); /* the guest's driver tries it anew */
    assert_true(do_one(k.b, k.a, BLOCK_READ, 0, data, sizeof(data), false) < 0);
    close_disk(&k);
}

/* The daemon says only that a write has failed; that there was no room is found out. */
static void no_room(void **state UNUSED)
{
    struct disk k = open_disk(NULL);
    struct rlimit old, small;
    uint8_t *buf = calloc(1, 1u << 20);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 0, buf, 1u << 20, false), 0);
    assert_int_equal(prlimit(k.d->child.pid, RLIMIT_FSIZE, NULL, &old), 0);
    small = (struct rlimit){3u << 19, old.rlim_max};
    assert_int_equal(prlimit(k.d->child.pid, RLIMIT_FSIZE, &small, NULL), 0);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 1u << 20, buf, 1u << 20, false), -EFBIG);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 0, buf, 512, false), 0);
    assert_int_equal(prlimit(k.d->child.pid, RLIMIT_FSIZE, &old, NULL), 0);
    assert_int_equal(do_one(k.b, k.a, BLOCK_WRITE, 1u << 20, buf, 1u << 20, false), 0);
    close_disk(&k);
    free(buf);
}

static void names(void **state UNUSED)
{
    static const char *const names[] = {"a,b", "nbd:c", "json:{}", "file.aio=x,driver=raw", "a b\"c"};
    char old[PATH_MAX], name[128];
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(dir), 0);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(names); i++) {
        snprintf(name, sizeof(name), "%s%s%s", i % 2 ? dir : "", i % 2 ? "/" : "", names[i / 2]);
        assert_int_equal(rename(path, name), 0);
        const struct block_options o = {.file = name, .format = BLOCK_FORMAT_QCOW2};
        struct block *b = block_open(&o);
        assert_non_null(b);
        assert_int_equal(b->size, SIZE);
        assert_null(block_open(&o)); /* in use */
        block_close(b);
        assert_int_equal(rename(name, path), 0);
    }
    assert_int_equal(chdir(old), 0);
}

static int setup(void **state UNUSED)
{
    make_qcow2(path, SIZE);
    return 0;
}

static int teardown(void **state UNUSED)
{
    return unlink(path);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (!have_qcow2()) {
        puts("skipped: no qemu-img or no qemu-storage-daemon");
        return 0;
    }
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/disk", dir);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(starts),      TEST(segments), TEST(waiting), TEST(daemon_errs),
                                       TEST(daemon_dies), TEST(no_room),  TEST(names)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(dir) || failed;
}
