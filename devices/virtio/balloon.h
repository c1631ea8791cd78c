/*
 * balloon.h: virtio memory balloon (virtio 1.2, section 5.5): the guest gives memory back to the host.
 */
#ifndef DEVICES_VIRTIO_BALLOON_H
#define DEVICES_VIRTIO_BALLOON_H

#include <armlet/base.h>

struct virtio_balloon;

/* Ask the guest to keep `bytes` of its memory and give the rest back. Any thread. */
void virtio_balloon_set(struct virtio_balloon *b, uint64_t bytes);
/* What the guest's driver says it keeps, in bytes. Any thread. */
uint64_t virtio_balloon_get(const struct virtio_balloon *b);

#endif
