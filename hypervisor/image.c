/*
 * image.c: see image.h.
 *
 * Layout, as QEMU's virt has it (offsets from the start of RAM):
 *     0x10000                     zImage or raw code; ELF files and uImages go where their headers say
 *     min(RAM / 2, 128 MiB)       initrd, or higher if the kernel reaches further
 *     next page after the initrd  device tree
 * The kernel is entered with r0 = 0, r1 = ~0 (no board number), r2 = device tree.
 */
#include <armlet/abi.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/fdt.h>
#include <hypervisor/image.h>
#include <hypervisor/options.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNEL_OFFSET   0x10000u
#define INITRD_HIGHEST  (128u << 20)
#define NO_BOARD_NUMBER 0xffffffffu

#define ZIMAGE_MAGIC_AT 0x24u
#define ZIMAGE_MAGIC    0x016f2818u
#define ZIMAGE_START_AT 0x28u
#define ZIMAGE_END_AT   0x2cu

#define UIMAGE_HEADER 64u

static uint32_t le32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }
static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static uint32_t le16(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8); }

/* --- what is it? ------------------------------------------------------------------------------------------------------- */

/* Files people give by mistake, known by a few bytes at a fixed place. */
static const struct signature {
    uint32_t at;
    uint8_t n;
    uint8_t bytes[8];
    const char *what;
} foreign[] = {
    {0x202, 4, {'H', 'd', 'r', 'S'}, "is an x86 Linux kernel (bzImage), not a 32-bit ARM one"},
    {0x38, 4, {'A', 'R', 'M', 0x64}, "is an AArch64 Linux kernel (Image), not a 32-bit ARM one"},
    {0x38, 4, {'R', 'S', 'C', 0x05}, "is a RISC-V Linux kernel (Image), not a 32-bit ARM one"},
    {ZIMAGE_MAGIC_AT, 4, {0x01, 0x6f, 0x28, 0x18}, "is a big-endian ARM kernel, which this machine cannot run"},
    {0, 2, {0x1f, 0x8b}, "is compressed with gzip; unpack it first (a zImage unpacks itself)"},
    {0, 6, {0xfd, '7', 'z', 'X', 'Z', 0}, "is compressed with xz; unpack it first"},
    {0, 4, {0x28, 0xb5, 0x2f, 0xfd}, "is compressed with zstd; unpack it first"},
    {0, 4, {0x04, 0x22, 0x4d, 0x18}, "is compressed with lz4; unpack it first"},
    {0, 3, {'B', 'Z', 'h'}, "is compressed with bzip2; unpack it first"},
    {0, 6, {'0', '7', '0', '7', '0', '1'}, "is a cpio archive, not a kernel; an initrd is given with -initrd"},
    {0, 4, {0xd0, 0x0d, 0xfe, 0xed}, "is a device tree, not a kernel; it is given with -dtb"},
    {0, 8, {'!', '<', 'a', 'r', 'c', 'h', '>', '\n'}, "is an archive or Debian package, not a kernel"},
};

static const char *elf_machine_name(uint32_t machine)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } names[] = {
        {EM_386, "x86"}, {EM_X86_64, "x86-64"}, {EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"}, {EM_PPC, "PowerPC"}, {EM_PPC64, "64-bit PowerPC"},
        {EM_MIPS, "MIPS"}, {EM_S390, "S/390"}, {EM_SPARC, "SPARC"}, {EM_68K, "68000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].machine == machine)
            return names[i].name;
    }
    return "another machine";
}

static int detect_elf(const uint8_t *p, size_t size, char *why, size_t cap)
{
    Elf32_Ehdr h;
    if (size < sizeof(h)) {
        snprintf(why, cap, "is a truncated ELF file: %zu bytes", size);
        return -1;
    }
    memcpy(&h, p, sizeof(h));
    uint32_t machine = h.e_ident[EI_DATA] == ELFDATA2MSB ? (uint32_t)(p[18] << 8 | p[19]) : le16(p + 18);
    if (machine != EM_ARM || h.e_ident[EI_CLASS] != ELFCLASS32) {
        snprintf(why, cap, "is an ELF file for %s, not for 32-bit ARM", elf_machine_name(machine));
        return -1;
    }
    if (h.e_ident[EI_DATA] != ELFDATA2LSB) {
        snprintf(why, cap, "is a big-endian ARM program, which this machine cannot run");
        return -1;
    }
    if (h.e_type != ET_EXEC && h.e_type != ET_DYN) {
        snprintf(why, cap, "is an ELF file, but not an executable one");
        return -1;
    }
    if (h.e_phentsize != sizeof(Elf32_Phdr) || !h.e_phnum) {
        snprintf(why, cap, "is an ELF file without segments to load");
        return -1;
    }
    if (h.e_phoff > size || (uint64_t)h.e_phnum * sizeof(Elf32_Phdr) > size - h.e_phoff) {
        snprintf(why, cap, "is a truncated ELF file: its program headers lie past its end");
        return -1;
    }
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf32_Phdr ph;
        memcpy(&ph, p + h.e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type != PT_LOAD)
            continue;
        if (ph.p_offset > size || ph.p_filesz > size - ph.p_offset) {
            snprintf(why, cap, "is a truncated ELF file: segment %u ends at byte %llu of %zu", i,
                     (unsigned long long)ph.p_offset + ph.p_filesz, size);
            return -1;
        }
        if (ph.p_filesz > ph.p_memsz) {
            snprintf(why, cap, "is a damaged ELF file: segment %u is larger in the file than in memory", i);
            return -1;
        }
    }
    return IMAGE_ELF;
}

static int detect_uimage(const uint8_t *p, size_t size, char *why, size_t cap)
{
    enum { ARCH_ARM = 2, TYPE_KERNEL = 2, COMP_NONE = 0 };
    if (size < UIMAGE_HEADER || be32(p + 12) > size - UIMAGE_HEADER) {
        snprintf(why, cap, "is a truncated uImage: %zu bytes", size);
        return -1;
    }
    if (p[29] != ARCH_ARM) {
        snprintf(why, cap, "is a uImage for another machine, not for 32-bit ARM");
        return -1;
    }
    if (p[30] != TYPE_KERNEL || p[31] != COMP_NONE) {
        snprintf(why, cap, "is a uImage, but not of an uncompressed kernel");
        return -1;
    }
    return IMAGE_UIMAGE;
}

static bool is_text(const uint8_t *p, size_t size)
{
    if (size > 512)
        size = 512;
    for (size_t i = 0; i < size; i++) {
        if ((p[i] < 0x20 || p[i] > 0x7e) && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            return false;
    }
    return true;
}

int image_detect(const uint8_t *p, size_t size, char *why, size_t cap)
{
    if (!size) {
        snprintf(why, cap, "is empty");
        return -1;
    }
    if (size >= 4 && !memcmp(p, ELFMAG, SELFMAG))
        return detect_elf(p, size, why, cap);
    if (size >= 4 && be32(p) == 0x27051956)
        return detect_uimage(p, size, why, cap);
    if (size >= ZIMAGE_MAGIC_AT + 4 && le32(p + ZIMAGE_MAGIC_AT) == ZIMAGE_MAGIC) {
        if (size < ZIMAGE_END_AT + 4) {
            snprintf(why, cap, "is a truncated zImage: its header is cut off after %zu bytes", size);
            return -1;
        }
        uint32_t start = le32(p + ZIMAGE_START_AT), end = le32(p + ZIMAGE_END_AT);
        if (end <= start) {
            snprintf(why, cap, "is a damaged zImage: its header says it ends before it begins");
            return -1;
        }
        if (end - start > size) {
            snprintf(why, cap, "is a truncated zImage: %zu bytes of %u", size, end - start);
            return -1;
        }
        return IMAGE_ZIMAGE;
    }
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        const struct signature *f = &foreign[i];
        if (size >= f->at + f->n && !memcmp(p + f->at, f->bytes, f->n)) {
            snprintf(why, cap, "%s", f->what);
            return -1;
        }
    }
    if (size >= 64 && p[0] == 'M' && p[1] == 'Z') { /* an EFI program for ARM would be a zImage */
        uint32_t pe = le32(p + 60);
        if (pe < size - 6 && !memcmp(p + pe, "PE\0\0", 4)) {
            snprintf(why, cap, "is a Windows or EFI program, not a 32-bit ARM kernel");
            return -1;
        }
    }
    if (is_text(p, size)) {
        snprintf(why, cap, "is text, not a kernel");
        return -1;
    }
    if (size < 4) {
        snprintf(why, cap, "is too short to hold an instruction: %zu bytes", size);
        return -1;
    }
    return IMAGE_RAW;
}

/* --- reading files ----------------------------------------------------------------------------------------------------- */

struct file {
    const char *what, *name; /* "kernel", path */
    uint8_t *data;
    size_t size;
};

/* Read a whole file that must not be larger than `max` bytes. The data is malloc'ed; 0, or -1 after a message. */
static int read_file(struct file *f, uint64_t max)
{
    int fd = open(f->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_report("the %s '%s' cannot be opened: %s", f->what, f->name, strerror(errno));
        return -1;
    }
    struct stat st;
    size_t cap = 1u << 20;
    f->data = NULL;
    f->size = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if ((uint64_t)st.st_size > max) {
            error_report("the %s '%s' (%lld bytes) does not fit into the guest's memory: there is room for %llu bytes", f->what, f->name, (long long)st.st_size,
                         (unsigned long long)max);
            goto fail;
        }
        cap = (size_t)st.st_size + 1;
    }
    f->data = malloc(cap);
    while (f->data) {
        ssize_t n = read(fd, f->data + f->size, cap - f->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_report("the %s '%s' cannot be read: %s", f->what, f->name, strerror(errno));
            goto fail;
        }
        if (n == 0) {
            close(fd);
            return 0;
        }
        f->size += (size_t)n;
        if (f->size > max) {
            error_report("the %s '%s' does not fit into the guest's memory: there is room for %llu bytes", f->what, f->name, (unsigned long long)max);
            goto fail;
        }
        if (f->size == cap) {
            uint8_t *more = realloc(f->data, cap *= 2);
            if (!more)
                break;
            f->data = more;
        }
    }
    error_report("there is no memory to read the %s '%s'", f->what, f->name);
fail:
    free(f->data);
    f->data = NULL;
    close(fd);
    return -1;
}

/* --- placing ----------------------------------------------------------------------------------------------------------- */

struct placement {
    uint8_t *ram;
    uint64_t ram_size;
    uint64_t high; /* end of what the kernel occupies, offset in RAM */
};

static int put(struct placement *pl, const struct file *f, uint64_t pa, const void *data, uint64_t file_size, uint64_t mem_size)
{
    uint64_t off = pa - GUEST_RAM_BASE;
    if (off >= pl->ram_size || mem_size > pl->ram_size - off) {
        error_report("the kernel '%s' does not fit: it needs memory from 0x%llx to 0x%llx, the guest has 0x%x to 0x%llx", f->name, (unsigned long long)pa,
                     (unsigned long long)(pa + mem_size), GUEST_RAM_BASE, (unsigned long long)(GUEST_RAM_BASE + pl->ram_size));
        return -1;
    }
    memcpy(pl->ram + off, data, file_size);
    memset(pl->ram + off + file_size, 0, mem_size - file_size);
    if (off + mem_size > pl->high)
        pl->high = off + mem_size;
    return 0;
}

static int load_elf(struct placement *pl, const struct file *f, uint32_t *entry)
{
    Elf32_Ehdr h;
    bool any = false;
    memcpy(&h, f->data, sizeof(h));
    *entry = h.e_entry;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf32_Phdr ph;
        memcpy(&ph, f->data + h.e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type != PT_LOAD || !ph.p_memsz)
            continue;
        if (put(pl, f, ph.p_paddr, f->data + ph.p_offset, ph.p_filesz, ph.p_memsz) < 0)
            return -1;
        any = true;
        /* the entry is a virtual address; the machine starts with the MMU off */
        if (ph.p_flags & PF_X && h.e_entry >= ph.p_vaddr && h.e_entry - ph.p_vaddr < ph.p_filesz)
            *entry = h.e_entry - ph.p_vaddr + ph.p_paddr;
    }
    if (!any)
        error_report("the kernel '%s' is an ELF file without segments to load", f->name);
    return any ? 0 : -1;
}

static int load_kernel(struct placement *pl, const struct file *f, uint32_t *entry)
{
    char why[160];
    switch (image_detect(f->data, f->size, why, sizeof(why))) {
    case IMAGE_ELF:
        return load_elf(pl, f, entry);
    case IMAGE_UIMAGE:
        *entry = be32(f->data + 20);
        return put(pl, f, be32(f->data + 16), f->data + UIMAGE_HEADER, be32(f->data + 12), be32(f->data + 12));
    case IMAGE_ZIMAGE:
    case IMAGE_RAW:
        *entry = GUEST_RAM_BASE + KERNEL_OFFSET;
        return put(pl, f, *entry, f->data, f->size, f->size);
    default:
        error_report("the kernel '%s' %s", f->name, why);
        return -1;
    }
}

int image_load(const struct options *o, const struct bus *bus, uint8_t *ram, uint64_t ram_size, struct boot_state *out)
{
    struct file kernel = {.what = "kernel", .name = o->kernel}, initrd = {.what = "initrd", .name = o->initrd}, dtb = {.what = "device tree", .name = o->dtb};
    struct placement pl = {.ram = ram, .ram_size = ram_size};
    struct dt_boot boot = {.ram_size = ram_size, .bootargs = o->append};
    void *blob = NULL;
    int err = -1;

    *out = (struct boot_state){.r = {0, NO_BOARD_NUMBER}};
    if (read_file(&kernel, ram_size) < 0 || load_kernel(&pl, &kernel, &out->entry_pc) < 0)
        goto out;

    uint64_t at = ram_size / 2 < INITRD_HIGHEST ? ram_size / 2 : INITRD_HIGHEST;
    if (at < pl.high)
        at = pl.high;
    at = ALIGN_UP(at, 4096);
    if (o->initrd) {
        if (read_file(&initrd, at < ram_size ? ram_size - at : 0) < 0)
            goto out;
        memcpy(ram + at, initrd.data, initrd.size);
        boot.initrd_start = (uint32_t)(GUEST_RAM_BASE + at);
        boot.initrd_end = (uint32_t)(boot.initrd_start + initrd.size);
        at = ALIGN_UP(at + initrd.size, 4096);
    }

    if (o->dtb) {
        if (read_file(&dtb, 64u << 20) < 0 || dt_patch(dtb.data, dtb.size, o->dtb, &boot, &blob) < 0)
            goto out;
    } else if (dt_build(bus, &boot, &blob) < 0) {
        goto out;
    }
    if (at >= ram_size || fdt_totalsize(blob) > ram_size - at) {
        error_report("the guest's memory is too small: there is no room for the device tree after kernel%s", o->initrd ? " and initrd" : "");
        goto out;
    }
    memcpy(ram + at, blob, fdt_totalsize(blob));
    out->r[2] = (uint32_t)(GUEST_RAM_BASE + at);
    err = 0;
out:
    free(kernel.data);
    free(initrd.data);
    free(dtb.data);
    free(blob);
    return err;
}
