/*
 * block_one.h: for tests of disk images: one request that is waited for, qcow2 images, memory that another process may map.
 */
#ifndef TESTS_UNIT_BLOCK_ONE_H
#define TESTS_UNIT_BLOCK_ONE_H

#include <devices/block/block.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static inline bool have_qcow2(void)
{
    return system("command -v qemu-img qemu-storage-daemon >/dev/null") == 0;
}

static inline void make_qcow2(const char *name, unsigned size)
{
    char command[256];
    snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 '%s' %u", name, size);
    run(command);
}

static inline struct block_memory shared_memory(uint64_t size)
{
    struct block_memory m = {.size = size, .fd = (int)syscall(SYS_memfd_create, "ram", 1u /* MFD_CLOEXEC */)};
    assert_int_equal(ftruncate(m.fd, (off_t)size), 0);
    m.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
    assert_true(m.base != MAP_FAILED);
    return m;
}

static inline void forget_memory(struct block_memory *m)
{
    munmap(m->base, m->size);
    close(m->fd);
    *m = (struct block_memory){0};
}

struct one {
    struct block_request r;
    bool done;
    int err;
};

static inline void one_done(struct block_request *r, int err)
{
    struct one *o = container_of(r, struct one, r);
    o->done = true;
    o->err = err;
}

static inline void submit_one(struct block *b, struct one *o)
{
    o->done = false;
    o->r.done = one_done;
    block_submit(b, &o->r);
    assert_false(o->done); /* never inside submit */
}

static inline int wait_one(struct aio *a, const struct one *o)
{
    while (!o->done)
        aio_run(a, true);
    return o->err;
}

static inline int do_one(struct block *b, struct aio *a, enum block_kind kind, uint64_t off, void *buf, uint64_t len, bool flag)
{
    struct iovec iov = {buf, len};
    struct one o = {.r = {.kind = kind, .off = off, .len = len, .iov = &iov, .n_iov = 1, .unmap = flag, .fua = flag}};
    submit_one(b, &o);
    return wait_one(a, &o);
}

#endif
