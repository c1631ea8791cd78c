/*
 * kvm_memory.c: the VM's memory: regions and their slots, the execution kernel's image, and the page tables the vCPU starts with.
 *
 * Each region of vm_layout.h is anonymous memory of this process (but for the shared area, which the machine has anyway) and a memory slot
 * of its own. Anonymous memory gets transparent huge pages, aligned so that the VM sees them too: an address translated through two levels
 * of tables needs far fewer steps, and the first touch of 2 MiB leaves the VM once and not 512 times. The machine's guest RAM is a memfd,
 * which most systems give small pages only, for the sake of -accel hosted; while the VM exists anonymous memory stands in its place.
 */
#include <dbt/engine.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/kvm/kvm_impl.h>
#include <hypervisor/vm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_PAGES_MIN        16384u /* page tables: 64 MiB, touched as used; a window needs at most 2052 pages */
#define POOL_PAGES_PER_WINDOW 64u

/* --- regions --- */

static int map_region(struct kvm_region *r, const char *name, uint64_t gpa, uint64_t size)
{
    /* Large pages need host and VM addresses to agree below 2 MiB: reserve more and align. */
    size_t span = size + VM_LARGE_PAGE;
    uint8_t *p = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        error_report("cannot reserve %llu MiB for the VM's %s: %s", (unsigned long long)(size >> 20), name, strerror(errno));
        return -1;
    }
    uint8_t *start = (uint8_t *)ALIGN_UP((uintptr_t)p, VM_LARGE_PAGE);
    if (start != p)
        munmap(p, (size_t)(start - p));
    munmap(start + size, (size_t)(p + span - (start + size)));
    madvise(start, size, MADV_HUGEPAGE); /* no harm where it is refused */
    *r = (struct kvm_region){.name = name, .gpa = gpa, .size = size, .host = start, .owned = true};
    return 0;
}

static int add_slots(struct kvm_state *k)
{
    for (unsigned i = 0; i < REGION_COUNT; i++) {
        const struct kvm_region *r = &k->region[i];
        struct kvm_userspace_memory_region m = {
            .slot = i, .guest_phys_addr = r->gpa, .memory_size = r->size, .userspace_addr = (uintptr_t)r->host};
        if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &m) < 0) {
            error_report("KVM refuses %llu KiB of memory for the VM's %s: %s", (unsigned long long)(r->size >> 10), r->name,
                         strerror(errno));
            return -1;
        }
    }
    return 0;
}

void *kvm_host_ptr(const struct kvm_state *k, uint64_t va, uint64_t len)
{
    for (unsigned i = 0; i < REGION_COUNT; i++) {
        const struct kvm_region *r = &k->region[i];
        if (r->host != NULL && va - r->gpa < r->size && len <= r->size - (va - r->gpa))
            return r->host + (va - r->gpa);
    }
    return NULL;
}

/*
 * Guest RAM: take over what the machine has loaded into its memfd, page by page where there is anything, and give the memfd's pages back:
 * the machine fills its RAM anew before each boot.
 */
static int take_ram(struct kvm_state *k, struct vm *vm)
{
    struct kvm_region *r = &k->region[REGION_RAM];
    off_t begin = 0, end;

    if (map_region(r, "guest RAM", VM_RAM_BASE, ALIGN_UP(vm->ram_size, VM_LARGE_PAGE)) < 0)
        return -1;
    while ((begin = lseek(vm->ram_fd, begin, SEEK_DATA)) >= 0 && (end = lseek(vm->ram_fd, begin, SEEK_HOLE)) > begin) {
        memcpy(r->host + begin, vm->ram + begin, (size_t)(end - begin));
        begin = end;
    }
    if (begin < 0 && errno != ENXIO) {
        error_report("cannot read the guest's memory file: %s", strerror(errno));
        return -1;
    }
    fallocate(vm->ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)vm->ram_size); /* only saves memory */
    k->machine_ram = vm->ram;
    vm->ram = r->host;
    return 0;
}

/* --- the image --- */

static int load_image(struct kvm_state *k)
{
    const uint8_t *image = execution_kernel_image;
    const uint64_t size = (uint64_t)(execution_kernel_image_end - execution_kernel_image);
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image;

    if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff > size || eh->e_phnum > (size - eh->e_phoff) / sizeof(Elf64_Phdr)) {
        error_report("this build of armlet contains no execution kernel: use -accel hosted");
        return -1;
    }
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(image + eh->e_phoff);
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD || ph[i].p_memsz == 0)
            continue;
        uint64_t off = ph[i].p_vaddr - VM_IMAGE_BASE;
        if (ph[i].p_offset > size || ph[i].p_filesz > size - ph[i].p_offset || ph[i].p_filesz > ph[i].p_memsz || off > VM_IMAGE_MAX ||
            ph[i].p_memsz > VM_IMAGE_MAX - off) {
            error_report("the execution kernel in this build of armlet is damaged: segment %u lies outside its region", i);
            return -1;
        }
        memcpy(k->region[REGION_IMAGE].host + off, image + ph[i].p_offset, ph[i].p_filesz);
        for (uint64_t n = off / VM_LARGE_PAGE; n <= (off + ph[i].p_memsz - 1) / VM_LARGE_PAGE; n++)
            k->image_flags[n] |= ph[i].p_flags;
    }
    k->entry = eh->e_entry;
    return 0;
}

/* --- page tables --- */

struct builder {
    uint8_t *pool;
    uint32_t used;
};

static uint64_t *new_table(struct builder *b)
{
    return (uint64_t *)(b->pool + (uint64_t)b->used++ * VM_PAGE);
}

/* The entry for va at `level` (0 = page, 1 = large page, ...), tables made on the way. */
static uint64_t *entry_at(struct builder *b, uint64_t va, unsigned level)
{
    uint64_t *table = (uint64_t *)b->pool;

    for (unsigned l = 3; l > level; l--) {
        uint64_t *e = &table[va >> (12 + 9 * l) & 511];
        if (*e == 0) {
            uint64_t *t = new_table(b);
            *e = (VM_POOL_BASE + (uint64_t)((uint8_t *)t - b->pool)) | X86_PTE_TABLE;
        }
        table = (uint64_t *)(b->pool + ((*e & X86_PTE_ADDR) - VM_POOL_BASE));
    }
    return &table[va >> (12 + 9 * level) & 511];
}

static void map_range(struct builder *b, uint64_t va, uint64_t gpa, uint64_t size, uint64_t flags)
{
    for (uint64_t o = 0; o < size;) {
        if (((va + o) | (gpa + o)) % VM_LARGE_PAGE == 0 && size - o >= VM_LARGE_PAGE) {
            *entry_at(b, va + o, 1) = (gpa + o) | X86_PTE_PAGE | X86_PTE_LARGE | flags;
            o += VM_LARGE_PAGE;
        } else {
            *entry_at(b, va + o, 0) = (gpa + o) | X86_PTE_PAGE | flags;
            o += VM_PAGE;
        }
    }
}

/* Everything but the windows; see vm_layout.h. */
static void build_page_tables(struct kvm_state *k)
{
    struct builder b = {.pool = k->region[REGION_POOL].host};
    static const struct {
        uint32_t base, size;
    } control[] = {
        {VM_STACK, VM_STACK_SIZE},
        {VM_FAULT_STACK, VM_FAULT_STACK_SIZE},
        {VM_DEATH_STACK, VM_DEATH_STACK_SIZE},
        {VM_TRAP_STACK, VM_PAGE},
        {VM_DOUBLE_STACK, VM_PAGE},
        {VM_GDT, VM_PAGE},
        {VM_TSS, VM_PAGE},
        {VM_IDT, VM_PAGE},
        {VM_BOOT_INFO, VM_PAGE},
    };
    const uint64_t data = X86_PTE_W | X86_PTE_NX;

    (void)new_table(&b); /* the PML4 is the pool's first page */
    for (unsigned i = 0; i < ARRAY_LEN(control); i++)
        map_range(&b, control[i].base, control[i].base, control[i].size, data);
    for (unsigned i = 0; i < ARRAY_LEN(k->image_flags); i++) {
        uint64_t va = VM_IMAGE_BASE + (uint64_t)i * VM_LARGE_PAGE;
        uint32_t f = k->image_flags[i];
        if (f != 0)
            map_range(&b, va, va, VM_LARGE_PAGE, (f & PF_W ? X86_PTE_W : 0) | (f & PF_X ? 0 : X86_PTE_NX));
    }
    for (unsigned i = REGION_POOL; i < REGION_COUNT; i++)
        map_range(&b, k->region[i].gpa, k->region[i].gpa, k->region[i].size, data);
    map_range(&b, VM_CODE_RX_BASE, VM_CODE_RW_BASE, k->region[REGION_CODE].size, 0);

    k->boot->pml4 = VM_POOL_BASE;
    k->boot->pool_used = b.used;
}

/* --- construction --- */

static int check_size(const char *what, uint64_t size, uint64_t max)
{
    if (size == 0 || size > max) {
        error_report("%s of %llu MiB does not fit the VM, which has room for %llu MiB", what, (unsigned long long)(size >> 20),
                     (unsigned long long)(max >> 20));
        return -1;
    }
    return 0;
}

int kvm_memory_create(struct kvm_state *k, struct vm *vm)
{
    struct vm_shared *s = vm->shared;
    const uint64_t code = ALIGN_UP((uint64_t)s->config.code_cache_bytes, VM_LARGE_PAGE);
    const uint64_t heap = ALIGN_UP(engine_heap_size(&s->config, vm->ram_size), VM_LARGE_PAGE);
    uint32_t pool_pages = s->config.view_count * POOL_PAGES_PER_WINDOW;

    if (pool_pages < POOL_PAGES_MIN)
        pool_pages = POOL_PAGES_MIN;
    if (pool_pages > VM_POOL_MAX / VM_PAGE)
        pool_pages = VM_POOL_MAX / VM_PAGE;
    if (s->config.view_count > VM_WINDOW_MAX) {
        error_report("%u views do not fit the VM, which has room for %u", s->config.view_count, VM_WINDOW_MAX);
        return -1;
    }
    if (check_size("a code cache", code, VM_CODE_MAX) < 0 || check_size("an engine heap", heap, VM_HEAP_MAX) < 0 ||
        check_size("guest RAM", vm->ram_size, GUEST_RAM_MAX) < 0)
        return -1;

    if (map_region(&k->region[REGION_CONTROL], "stacks", VM_CONTROL_BASE, VM_CONTROL_SIZE) < 0 ||
        map_region(&k->region[REGION_IMAGE], "execution kernel", VM_IMAGE_BASE, VM_IMAGE_MAX) < 0 ||
        map_region(&k->region[REGION_POOL], "page tables", VM_POOL_BASE, (uint64_t)pool_pages * VM_PAGE) < 0 ||
        map_region(&k->region[REGION_CODE], "code cache", VM_CODE_RW_BASE, code) < 0 ||
        map_region(&k->region[REGION_HEAP], "heap", VM_HEAP_BASE, heap) < 0)
        return -1;
    k->region[REGION_SHARED] =
        (struct kvm_region){.name = "shared area", .gpa = VM_SHARED_BASE, .size = vm->shared_size, .host = (uint8_t *)vm->shared};
    if (take_ram(k, vm) < 0)
        return -1;

    k->boot = (struct vm_boot_info *)(k->region[REGION_CONTROL].host + (VM_BOOT_INFO - VM_CONTROL_BASE));
    *k->boot = (struct vm_boot_info){
        .magic = VM_BOOT_MAGIC, .version = VM_BOOT_VERSION, .pool_pages = pool_pages, .windows = s->config.view_count};
    if (load_image(k) < 0)
        return -1;
    build_page_tables(k);

    s->ram_va = VM_RAM_BASE;
    s->heap_va = VM_HEAP_BASE;
    s->heap_size = heap;
    s->code_rw_va = VM_CODE_RW_BASE;
    s->code_rx_va = VM_CODE_RX_BASE;
    s->poll_va = 0;
    return add_slots(k);
}

void kvm_memory_release(struct kvm_state *k, struct vm *vm)
{
    if (k->machine_ram != NULL)
        vm->ram = k->machine_ram;
    k->machine_ram = NULL;
    for (unsigned i = 0; i < REGION_COUNT; i++) {
        if (k->region[i].owned)
            munmap(k->region[i].host, k->region[i].size);
        k->region[i] = (struct kvm_region){0};
    }
}
