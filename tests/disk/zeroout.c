/*
 * zeroout.c: zeroout DEVICE OFFSET LENGTH: let the kernel zero part of a block device by whatever command the device has for that. Runs in the guest.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
    uint64_t range[2];
    if (argc != 4)
        return 2;
    range[0] = strtoull(argv[2], NULL, 0);
    range[1] = strtoull(argv[3], NULL, 0);
    int fd = open(argv[1], O_RDWR);
    return fd < 0 || ioctl(fd, BLKZEROOUT, range) < 0;
}
