/*
 * lock.c: image locks that armlet, QEMU and QEMU's tools honour.
 *
 * QEMU (block/file-posix.c) holds shared byte locks that belong to the open file description: byte 100 + n says "I use permission n", byte
 * 200 + n says "others must not have permission n". Whoever comes looks whether an exclusive lock would conflict on the opposite bytes.
 * Both sides lock before they look, so of two that come at once at least one gives up. The locks end with the last descriptor, whichever
 * way the process ends.
 */
#include <devices/block/block.h>
#include <errno.h>
#include <fcntl.h>

enum { PERM_CONSISTENT_READ, PERM_WRITE, PERM_WRITE_UNCHANGED, PERM_RESIZE, N_PERM };

#define USED_BASE   100
#define DENIED_BASE 200

static int lock_byte(int fd, int byte)
{
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

/* 0: nobody else has it */
static int test_byte(int fd, int byte)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    if (fcntl(fd, F_OFD_GETLK, &l) < 0)
        return -errno;
    return l.l_type == F_UNLCK ? 0 : -EBUSY;
}

int block_lock(int fd, bool writer)
{
    unsigned used = 1u << PERM_CONSISTENT_READ | (writer ? 1u << PERM_WRITE | 1u << PERM_RESIZE : 0);
    unsigned denied = 1u << PERM_WRITE | 1u << PERM_RESIZE;
    int err = 0;
    for (int n = 0; n < N_PERM && !err; n++) {
        if (used & 1u << n)
            err = lock_byte(fd, USED_BASE + n);
        if (!err && (denied & 1u << n))
            err = lock_byte(fd, DENIED_BASE + n);
    }
    for (int n = 0; n < N_PERM && !err; n++) {
        if (used & 1u << n)
            err = test_byte(fd, DENIED_BASE + n);
        if (!err && (denied & 1u << n))
            err = test_byte(fd, USED_BASE + n);
    }
    return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}
