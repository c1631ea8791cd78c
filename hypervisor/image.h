/*
 * image.h: recognising kernel images and putting kernel, initrd and device tree into guest memory, where QEMU's virt puts them.
 */
#ifndef HYPERVISOR_IMAGE_H
#define HYPERVISOR_IMAGE_H

#include <armlet/base.h>

struct bus;
struct options;

enum image_kind { IMAGE_RAW, IMAGE_ZIMAGE, IMAGE_ELF, IMAGE_UIMAGE };

/* What a kernel image is, or -1 with the reason in why: one sentence that begins after the file's name ("is empty"). */
int image_detect(const uint8_t *p, size_t size, char *why, size_t cap);

struct boot_state {
    uint32_t entry_pc; /* bit 0: Thumb */
    uint32_t r[4];
};

/* Load everything the options name. 0, or -1 after a message. */
int image_load(const struct options *o, const struct bus *bus, uint8_t *ram, uint64_t ram_size, struct boot_state *out);

#endif
