/*
 * fdt.c: the device tree of QEMU's machine virt, as far as this board goes; see fdt.h.
 */
#include <armlet/abi.h>
#include <errno.h>
#include <hypervisor/bus.h>
#include <hypervisor/error.h>
#include <hypervisor/fdt.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PHANDLE_GIC   0x8002u
#define PHANDLE_CLOCK 0x8000u
#define PHANDLE_CPU   0x8001u

#define IRQ_SPI 0u
#define IRQ_PPI 1u
#define PPI_CPU0 0x100u /* GICv2: mask of processors the interrupt goes to */

#define PSCI_CPU_SUSPEND 0x84000001u
#define PSCI_CPU_OFF     0x84000002u
#define PSCI_CPU_ON      0x84000003u
#define PSCI_MIGRATE     0x84000005u

#define CONSOLE_PATH "/pl011@9000000"
#define TREE_SLACK   4096u /* for what dt_patch adds, beside the strings */

static void keep(struct fdt_ctx *c, int err)
{
    if (err && !c->error)
        c->error = err;
}

static void node(struct fdt_ctx *c, const char *name) { keep(c, fdt_begin_node(c->blob, name)); }
static void end(struct fdt_ctx *c) { keep(c, fdt_end_node(c->blob)); }
static void cell(struct fdt_ctx *c, const char *property, uint32_t v) { keep(c, fdt_property_u32(c->blob, property, v)); }
static void text(struct fdt_ctx *c, const char *property, const char *v) { keep(c, fdt_property_string(c->blob, property, v)); }
static void empty(struct fdt_ctx *c, const char *property) { keep(c, fdt_property(c->blob, property, NULL, 0)); }

void dt_strings(struct fdt_ctx *c, const char *property, const char *value, size_t size)
{
    keep(c, fdt_property(c->blob, property, value, (int)size));
}

void dt_cells(struct fdt_ctx *c, const char *property, const uint32_t *cells, size_t n)
{
    fdt32_t be[16];
    for (size_t i = 0; i < n && i < ARRAY_LEN(be); i++)
        be[i] = cpu_to_fdt32(cells[i]);
    keep(c, n <= ARRAY_LEN(be) ? fdt_property(c->blob, property, be, (int)(n * sizeof(be[0]))) : -FDT_ERR_INTERNAL);
}
#define CELLS(c, property, ...) dt_cells(c, property, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

void dt_node_begin(struct fdt_ctx *c, const char *name) { node(c, name); }

void dt_device_begin(struct fdt_ctx *c, const char *name, uint64_t base, uint64_t size)
{
    char full[64];
    snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)base);
    node(c, full);
    CELLS(c, "reg", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(size >> 32), (uint32_t)size);
}

int dt_device_end(struct fdt_ctx *c)
{
    end(c);
    return c->error;
}

void dt_spi(struct fdt_ctx *c, unsigned spi, unsigned flags) { CELLS(c, "interrupts", IRQ_SPI, spi, flags); }

void dt_clock(struct fdt_ctx *c, unsigned n, const char *names, size_t names_size)
{
    uint32_t cells[4];
    for (unsigned i = 0; i < n && i < ARRAY_LEN(cells); i++)
        cells[i] = PHANDLE_CLOCK;
    dt_cells(c, "clocks", cells, n);
    dt_strings(c, "clock-names", names, names_size);
}

static void add_chosen(struct fdt_ctx *c, const struct dt_boot *b)
{
    uint8_t seed[40];
    node(c, "chosen");
    text(c, "stdout-path", CONSOLE_PATH);
    if (getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed)) {
        keep(c, fdt_property(c->blob, "rng-seed", seed, 32));
        keep(c, fdt_property(c->blob, "kaslr-seed", seed + 32, 8));
    }
    if (b->bootargs)
        text(c, "bootargs", b->bootargs);
    if (b->initrd_end > b->initrd_start) {
        cell(c, "linux,initrd-start", b->initrd_start);
        cell(c, "linux,initrd-end", b->initrd_end);
    }
    end(c);
}

static void add_cpus(struct fdt_ctx *c)
{
    node(c, "cpus");
    cell(c, "#address-cells", 1);
    cell(c, "#size-cells", 0);
    node(c, "cpu-map");
    node(c, "socket0");
    node(c, "cluster0");
    node(c, "core0");
    cell(c, "cpu", PHANDLE_CPU);
    end(c);
    end(c);
    end(c);
    end(c);
    node(c, "cpu@0");
    text(c, "device_type", "cpu");
    text(c, "compatible", "arm,cortex-a15");
    cell(c, "reg", 0);
    cell(c, "phandle", PHANDLE_CPU);
    end(c);
    end(c);
}

static void add_fixed_nodes(struct fdt_ctx *c, const struct dt_boot *b)
{
    static const char psci[] = "arm,psci-1.0\0arm,psci-0.2\0arm,psci";

    dt_device_begin(c, "memory", GUEST_RAM_BASE, b->ram_size);
    text(c, "device_type", "memory");
    end(c);

    node(c, "apb-pclk");
    text(c, "compatible", "fixed-clock");
    cell(c, "#clock-cells", 0);
    cell(c, "clock-frequency", 24000000);
    text(c, "clock-output-names", "clk24mhz");
    cell(c, "phandle", PHANDLE_CLOCK);
    end(c);

    node(c, "psci");
    dt_strings(c, "compatible", psci, sizeof(psci));
    text(c, "method", "hvc");
    cell(c, "cpu_suspend", PSCI_CPU_SUSPEND);
    cell(c, "cpu_off", PSCI_CPU_OFF);
    cell(c, "cpu_on", PSCI_CPU_ON);
    cell(c, "migrate", PSCI_MIGRATE);
    end(c);

    node(c, "timer");
    text(c, "compatible", "arm,armv7-timer");
    empty(c, "always-on");
    /* secure physical, physical, virtual, hypervisor; PPI n is interrupt 16 + n */
    CELLS(c, "interrupts", IRQ_PPI, 13, PPI_CPU0 | DT_IRQ_LEVEL_HIGH, IRQ_PPI, GUEST_TIMER_PHYS_PPI - 16, PPI_CPU0 | DT_IRQ_LEVEL_HIGH, IRQ_PPI,
          GUEST_TIMER_VIRT_PPI - 16, PPI_CPU0 | DT_IRQ_LEVEL_HIGH, IRQ_PPI, 10, PPI_CPU0 | DT_IRQ_LEVEL_HIGH);
    end(c);

    char gic[32];
    snprintf(gic, sizeof(gic), "intc@%x", GUEST_GICD_BASE);
    node(c, gic);
    text(c, "compatible", "arm,cortex-a15-gic");
    CELLS(c, "reg", 0, GUEST_GICD_BASE, 0, GUEST_GIC_SIZE, 0, GUEST_GICC_BASE, 0, GUEST_GIC_SIZE);
    empty(c, "interrupt-controller");
    cell(c, "#interrupt-cells", 3);
    cell(c, "#address-cells", 2);
    cell(c, "#size-cells", 2);
    cell(c, "phandle", PHANDLE_GIC);
    end(c);
}

static int no_memory(void)
{
    error_report("there is no memory for the device tree");
    return -1;
}

int dt_build(const struct bus *bus, const struct dt_boot *boot, void **blob)
{
    size_t size = 16384 + (size_t)BUS_MAX_DEVICES * 512 + (boot->bootargs ? strlen(boot->bootargs) : 0);
    struct fdt_ctx c = {.blob = malloc(size)};
    if (!c.blob)
        return no_memory();
    keep(&c, fdt_create(c.blob, (int)size));
    keep(&c, fdt_finish_reservemap(c.blob));
    node(&c, "");
    text(&c, "compatible", "linux,dummy-virt");
    text(&c, "model", "linux,dummy-virt");
    cell(&c, "#address-cells", 2);
    cell(&c, "#size-cells", 2);
    cell(&c, "interrupt-parent", PHANDLE_GIC);
    add_chosen(&c, boot);
    add_cpus(&c);
    add_fixed_nodes(&c, boot);
    for (unsigned i = 0; i < bus->n; i++) {
        const struct bus_slot *s = &bus->slot[i];
        if (s->desc->fdt)
            keep(&c, s->desc->fdt(s->dev, &c, s->base));
    }
    end(&c);
    keep(&c, fdt_finish(c.blob));
    if (c.error) {
        error_report("the device tree cannot be built: %s", fdt_strerror(c.error));
        free(c.blob);
        return -1;
    }
    *blob = c.blob;
    return 0;
}

/* The child of the root called `name` (with or without unit address), made if it is not there. Offset or libfdt error. */
static int root_child(void *fdt, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/%s", name);
    int at = fdt_path_offset(fdt, path);
    return at == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, name) : at;
}

/* reg = <base size> in the tree's own number of cells */
static int set_memory(void *fdt, uint64_t ram_size)
{
    int address_cells = fdt_address_cells(fdt, 0), size_cells = fdt_size_cells(fdt, 0);
    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2)
        return -FDT_ERR_BADNCELLS;
    int at;
    /* a tree may have several; what is not this board's memory must go */
    while ((at = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", sizeof("memory"))) >= 0) {
        int err = fdt_del_node(fdt, at);
        if (err)
            return err;
    }
    at = root_child(fdt, "memory@40000000");
    if (at < 0)
        return at;
    fdt32_t reg[4];
    unsigned n = 0;
    if (address_cells == 2)
        reg[n++] = 0;
    reg[n++] = cpu_to_fdt32(GUEST_RAM_BASE);
    if (size_cells == 2)
        reg[n++] = cpu_to_fdt32((uint32_t)(ram_size >> 32));
    reg[n++] = cpu_to_fdt32((uint32_t)ram_size);
    int err = fdt_setprop(fdt, at, "reg", reg, (int)(n * sizeof(reg[0])));
    return err ? err : fdt_setprop_string(fdt, at, "device_type", "memory");
}

static int set_chosen(void *fdt, const struct dt_boot *b)
{
    int at = root_child(fdt, "chosen");
    if (at < 0)
        return at;
    int err = b->bootargs ? fdt_setprop_string(fdt, at, "bootargs", b->bootargs) : 0;
    if (err || b->initrd_end <= b->initrd_start)
        return err;
    err = fdt_setprop_u32(fdt, at, "linux,initrd-start", b->initrd_start);
    return err ? err : fdt_setprop_u32(fdt, at, "linux,initrd-end", b->initrd_end);
}

int dt_patch(const void *file, size_t size, const char *name, const struct dt_boot *boot, void **blob)
{
    int err = size > INT32_MAX / 2 ? -FDT_ERR_BADSTRUCTURE : fdt_check_full(file, size);
    if (err) {
        error_report("'%s' is not a device tree: %s", name, err == -FDT_ERR_BADMAGIC ? "it does not begin with the magic number" : fdt_strerror(err));
        return -1;
    }
    int room = (int)(size + TREE_SLACK + (boot->bootargs ? strlen(boot->bootargs) : 0));
    void *fdt = malloc((size_t)room);
    if (!fdt)
        return no_memory();
    err = fdt_open_into(file, fdt, room);
    if (!err)
        err = set_memory(fdt, boot->ram_size);
    if (!err)
        err = set_chosen(fdt, boot);
    if (!err)
        err = fdt_pack(fdt);
    if (err) {
        error_report("the device tree '%s' cannot be completed: %s", name, fdt_strerror(err));
        free(fdt);
        return -1;
    }
    *blob = fdt;
    return 0;
}
