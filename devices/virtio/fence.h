/*
 * fence.h: a full fence between a device and the guest's processor, paid for by the device alone.
 *
 * Both sides of a ring ask "does the other one want to be told": each stores its own index or wish, then loads the other's. That needs a
 * store-load fence on both sides, or both may read old values and wait for each other for ever. The driver's fence is `dmb`, and translated
 * code does nothing for that: x86 keeps all other orders by itself, Linux executes barriers all over the place, and there is one processor.
 * So the device's side has the operating system run a fence on every processor that executes this process, the guest included
 * (membarrier(2), a microsecond or a few), wherever it is about to rely on the driver's having seen something.
 */
#ifndef DEVICES_VIRTIO_FENCE_H
#define DEVICES_VIRTIO_FENCE_H

/* All stores of the caller before it are seen by the guest's loads after it, or the guest's stores before it by the caller's loads after
 * it. Any thread. */
void guest_fence(void);

#endif
