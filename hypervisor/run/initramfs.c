/*
 * initramfs.c: the guest's initramfs: the one that tools/mkrun made, followed by a second cpio archive of our own, which the kernel unpacks
 * over it.
 */
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/run/impl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* The agent's program (guest-agent/image.S). */
extern const uint8_t guest_agent_start[], guest_agent_end[];

static int put(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0)
            return -errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int put_zeros(int fd, size_t n)
{
    static const uint8_t zeros[512];
    return put(fd, zeros, n);
}

/* A member's header (cpio "newc": 14 fields of 8 hexadecimal digits after the magic) and name, padded to 4 bytes. */
static int put_header(int fd, const char *name, unsigned mode, size_t size)
{
    char h[256];
    size_t name_size = strlen(name) + 1;
    int n = snprintf(h, sizeof(h), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", 0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0,
                     name_size, 0, name);
    int err = put(fd, h, (size_t)n + 1);
    return err ? err : put_zeros(fd, -(size_t)(n + 1) & 3);
}

static int put_file(int fd, const char *name, unsigned mode, const void *data, size_t size)
{
    int err = put_header(fd, name, S_IFREG | mode, size);
    if (!err)
        err = put(fd, data, size);
    return err ? err : put_zeros(fd, -size & 3);
}

static int put_config(int fd, const struct string_list *config)
{
    size_t size = 0;
    int err;
    for (size_t i = 0; i < config->n; i++)
        size += strlen(config->at[i]) + 1;
    err = put_header(fd, RUN_CONFIG_FILE + 1, S_IFREG | 0600, size);
    for (size_t i = 0; i < config->n && !err; i++)
        err = put(fd, config->at[i], strlen(config->at[i]) + 1);
    return err ? err : put_zeros(fd, -size & 3);
}

/* sendfile() takes the whole file in a few calls: less work than reading it. */
static int put_base(int fd, const char *name)
{
    struct stat st;
    int err = 0, base = open(name, O_RDONLY | O_CLOEXEC);
    if (base < 0 || fstat(base, &st) < 0) {
        err = -errno;
        goto out;
    }
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(fd, base, NULL, (size_t)left);
        if (n <= 0) {
            err = n ? -errno : -EIO;
            goto out;
        }
        left -= n;
    }
    err = put_zeros(fd, -(size_t)st.st_size & 511); /* an archive begins at a multiple of 4; zeros between archives are skipped */
out:
    if (err)
        error_report("the initramfs '%s' cannot be read: %s", name, strerror(-err));
    if (base >= 0)
        close(base);
    return err;
}

int initramfs_build(int fd, const char *base, const struct string_list *config)
{
    if (put_base(fd, base) < 0)
        return -1;
    int err = put_file(fd, "init", 0755, guest_agent_start, (size_t)(guest_agent_end - guest_agent_start));
    if (!err)
        err = put_config(fd, config);
    if (!err)
        err = put_header(fd, "TRAILER!!!", 0, 0);
    if (err)
        error_report("the initramfs cannot be made: %s", strerror(-err));
    return err ? -1 : 0;
}
