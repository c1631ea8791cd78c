/*
 * fdt.h: the device tree handed to the guest.
 */
#ifndef HYPERVISOR_FDT_H
#define HYPERVISOR_FDT_H

#include <armlet/base.h>

struct bus;

#define DT_IRQ_EDGE_RISING 1u
#define DT_IRQ_LEVEL_HIGH  4u

/* What the tree says about this boot. */
struct dt_boot {
    uint64_t ram_size;
    uint32_t initrd_start, initrd_end; /* equal: no initrd */
    const char *bootargs;              /* NULL: none */
};

/* Build the board's tree. A malloc'ed blob of fdt_totalsize bytes in *blob; 0, or -1 after a message. */
int dt_build(const struct bus *bus, const struct dt_boot *boot, void **blob);

/* Check a tree the user gave and put memory, bootargs and initrd into it. `size` is the file's. */
int dt_patch(const void *file, size_t size, const char *name, const struct dt_boot *boot, void **blob);

/* --- for the devices' fdt callbacks; errors are kept in the context and reported at the end --- */
struct fdt_ctx {
    void *blob;
    int error; /* first libfdt error, or 0 */
};

#define DT_PHANDLE_GPIO    0x8003u

/* Open the node <name>. dt_device_end() closes nodes of both kinds. */
void dt_node_begin(struct fdt_ctx *c, const char *name);
/* Open the node <name>@<base> and give it `reg`. */
void dt_device_begin(struct fdt_ctx *c, const char *name, uint64_t base, uint64_t size);
int dt_device_end(struct fdt_ctx *c);
/* A property of one or more NUL-terminated strings, size including the last NUL; size 0: a property without value. */
void dt_strings(struct fdt_ctx *c, const char *property, const char *value, size_t size);
void dt_cells(struct fdt_ctx *c, const char *property, const uint32_t *cells, size_t n);
/* interrupts = <SPI n flags> */
void dt_spi(struct fdt_ctx *c, unsigned spi, unsigned flags);
/* clocks = n times the peripheral clock, with their names */
void dt_clock(struct fdt_ctx *c, unsigned n, const char *names, size_t names_size);

#endif
