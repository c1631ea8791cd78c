/*
 * block.c: opening an image: what it is, whether it may be used, and as what.
 *
 * Without format= an image that begins like a qcow2 is one, as in QEMU, unless its header names further files (a backing file, a data
 * file): those the user has to ask for, since the header may have been written by a guest. Anything else is raw, and the guest may not
 * write a header of another format into its first sector.
 */
#include <devices/block/block.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Header of a qcow2 image, versions 2 and 3 (QEMU, docs/interop/qcow2.txt); big-endian. */
struct qcow2_header {
    uint8_t magic[4];
    uint32_t version;
    uint64_t backing_file_offset;
    uint8_t more[56];
    uint64_t incompatible_features; /* version 3 */
};
_Static_assert(offsetof(struct qcow2_header, incompatible_features) == 72, "qcow2 header");
#define QCOW2_EXTERNAL_DATA (1u << 2)

static int open_image(const struct block_options *o)
{
    bool writable = !o->read_only && !o->snapshot;
    int fd = open(o->file, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd >= 0)
        return fd;
    int err = errno;
    struct stat st;
    if (err == EISDIR || (stat(o->file, &st) == 0 && S_ISDIR(st.st_mode)))
        error_report("drive '%s': it is a directory, not a disk image", o->file);
    else if (writable && (err == EACCES || err == EROFS || err == EPERM) && access(o->file, R_OK) == 0)
        error_report("drive '%s': it cannot be written: %s; with readonly=on or snapshot=on it need not be", o->file, strerror(err));
    else
        error_report("drive '%s': %s", o->file, strerror(err));
    return -1;
}

/* Bytes of a regular file or block device; false after a message. */
static bool image_size(int fd, const char *name, uint64_t *size)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        error_report("drive '%s': %s", name, strerror(errno));
        return false;
    }
    *size = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode))
        return true;
    if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, size) == 0)
        return true;
    error_report("drive '%s': it is %s, not a disk image", name, S_ISDIR(st.st_mode) ? "a directory" : "neither a file nor a block device");
    return false;
}

/* What the image is to be used as; false after a message. *guessed: nobody said so. */
static bool image_format(int fd, const struct block_options *o, enum block_format *format, bool *guessed)
{
    struct qcow2_header h = {0};
    ssize_t n = pread(fd, &h, sizeof(h), 0);
    if (n < 0) {
        error_report("drive '%s': it cannot be read: %s", o->file, strerror(errno));
        return false;
    }
    bool qcow2 = !memcmp(h.magic, "QFI\xfb", 4) && be32toh(h.version) >= 2;
    *format = o->format;
    *guessed = false;
    if (o->format == BLOCK_FORMAT_QCOW2 && !qcow2) {
        error_report("drive '%s': it is not a qcow2 image", o->file);
        return false;
    }
    if (o->format != BLOCK_FORMAT_PROBE)
        return true;
    *format = qcow2 ? BLOCK_FORMAT_QCOW2 : BLOCK_FORMAT_RAW;
    *guessed = true;
    if (!qcow2 && !o->read_only && !o->snapshot)
        error_report(
            "drive '%s': taken as raw, since no format was given; the guest may not make it look like another one (format=raw lifts this)",
            o->file);
    if (qcow2 && (h.backing_file_offset || (be32toh(h.version) >= 3 && be64toh(h.incompatible_features) & QCOW2_EXTERNAL_DATA))) {
        error_report("drive '%s': it is a qcow2 image that refers to another file of the host; say format=qcow2 if that is meant", o->file);
        return false;
    }
    return true;
}

static struct block *open_raw(int fd, uint64_t size, const struct block_options *o, bool guard)
{
    bool writer = !o->read_only && !o->snapshot;
    int err = block_lock(fd, writer);
    if (err == -EBUSY) {
        error_report("drive '%s': another process or drive is using the image", o->file);
        close(fd);
        return NULL;
    }
    if (err) /* some network file systems have no locks */
        error_report("drive '%s': it cannot be locked (%s); nothing keeps others from writing it", o->file, strerror(-err));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    struct block_options base = *o;
    base.read_only = !writer;
    return raw_create(fd, o->file, size, &base, guard && writer);
}

struct block *block_open(const struct block_options *o)
{
    uint64_t size;
    enum block_format format;
    bool guessed;
    int fd = open_image(o);
    if (fd < 0)
        return NULL;
    if (!image_size(fd, o->file, &size) || !image_format(fd, o, &format, &guessed)) {
        close(fd);
        return NULL;
    }
    struct block *b;
    if (format == BLOCK_FORMAT_RAW) {
        b = open_raw(fd, size, o, guessed);
    } else {
        b = storage_create(fd, "qcow2", o);
    }
    if (b && o->snapshot)
        b = overlay_create(b, o->file);
    if (b)
        b->read_only = o->read_only;
    return b;
}

void block_close(struct block *b)
{
    if (b)
        b->class->close(b);
}
