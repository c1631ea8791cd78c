/*
 * blk.h: virtio block device, made by devices/drive.c.
 */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include <devices/block/block.h>
#include <devices/board.h>

struct virtio_blk_options {
    const char *name;   /* the image's, for messages; lives as long as the device */
    const char *serial; /* what the guest reads as the disk's id, likewise; at most 20 bytes of it */
    enum aio_engine aio;
    bool write_cache; /* as the guest finds it after a reset */
};

/* A disk on b with block, which outlives it, behind it. 0, or -1 after a message. */
int virtio_blk_add(struct board *b, const struct board_item *it, struct block *block, const struct virtio_blk_options *o);

#endif
