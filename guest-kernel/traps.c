/*
 * traps.c: descriptor tables, the page-fault handler and the report of an unexpected trap. All of it runs at CPL 3.
 */
#include <dbt/engine.h>
#include <guest-kernel/kernel.h>

/* Offsets that traps.S uses. */
_Static_assert(offsetof(struct host_fault_ctx, rip) == 128 && offsetof(struct host_fault_ctx, rflags) == 136 &&
                   offsetof(struct host_fault_ctx, fault_addr) == 144 && offsetof(struct host_fault_ctx, vector) == 160 &&
                   sizeof(struct host_fault_ctx) == 176,
               "traps.S");

#define PF_WRITE    BIT(1)
#define PF_RESERVED BIT(3)
#define PF_FETCH    BIT(4)

#define VECTOR_DE  0
#define VECTOR_DF  8
#define VECTOR_PF  14
#define STUB_BYTES 16

extern const char stub_trap[], stub_page_fault[], stub_divide[];

struct trap_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Called from traps.S. */
void page_fault(struct host_fault_ctx *ctx, uint32_t error, uint32_t cs);
_Noreturn void trap_report(const struct trap_frame *f, uint32_t vector, uint64_t cr2);

static void set_gate(unsigned vector, const char *stub, unsigned ist)
{
    uint64_t *gate = (uint64_t *)VM_IDT + 2 * vector;
    uint64_t a = (uintptr_t)stub;

    gate[0] = (a & 0xffff) | (uint64_t)VM_KERNEL_CS << 16 | (uint64_t)ist << 32 | 0x8e00ull << 32 | (a >> 16 & 0xffff) << 48;
    gate[1] = a >> 32;
}

/* The host has loaded the registers already; the processor reads the tables only when a trap comes. */
void traps_init(void)
{
    uint64_t *gdt = (uint64_t *)VM_GDT;
    uint8_t *tss = (uint8_t *)VM_TSS;
    const uint64_t rsp0 = VM_TRAP_STACK + VM_PAGE, ist1 = VM_DOUBLE_STACK + VM_PAGE;

    gdt[VM_KERNEL_CS / 8] = 0x00af9b000000ffff;
    gdt[VM_KERNEL_SS / 8] = 0x00cf93000000ffff;
    gdt[VM_USER_SS / 8] = 0x00cff3000000ffff;
    gdt[VM_USER_CS / 8] = 0x00affb000000ffff;
    gdt[VM_TSS_SEL / 8] = (VM_TSS_SIZE - 1) | (uint64_t)VM_TSS << 16 | 0x8bull << 40;

    memset(tss, 0, VM_TSS_SIZE);
    memcpy(tss + 4, &rsp0, sizeof(rsp0));
    memcpy(tss + 36, &ist1, sizeof(ist1));
    tss[102] = VM_TSS_IOMAP;
    memset(tss + VM_TSS_IOMAP, 0xff, VM_TSS_SIZE - VM_TSS_IOMAP);
    tss[VM_TSS_IOMAP + VM_PORT_HOSTCALL / 8] &= ~BIT(VM_PORT_HOSTCALL % 8);

    for (unsigned i = 0; i < VM_IDT_SIZE / 16; i++)
        set_gate(i, stub_trap + i * STUB_BYTES, i == VECTOR_DF);
    set_gate(VECTOR_PF, stub_page_fault, 0);
    set_gate(VECTOR_DE, stub_divide, 0);
}

/* clang-format off */
static const char *const vector_names[] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode", "no coprocessor",
    "double fault", "vector 9", "invalid TSS", "segment not present", "stack fault", "general protection", "page fault", "vector 15",
    "x87 error", "alignment check", "machine check", "SIMD error",
};
/* clang-format on */

/* Everything there is to say goes out as text first; the sentence last. */
static _Noreturn void die(uint32_t vector, uint64_t rip, uint64_t rsp, uint64_t cr2, uint32_t error, uint64_t cs)
{
    static unsigned deaths;
    const char *name = vector < ARRAY_LEN(vector_names) ? vector_names[vector] : "trap";

    /* A trap on the way to the report: first do without the engine's part, then end the VM by a triple fault, which the host reports. */
    if (++deaths > 2) {
        memset((void *)VM_IDT, 0, VM_IDT_SIZE);
        __builtin_trap();
    }
    if (engine != NULL && deaths == 1) {
        shared->req.type = HOST_REQ_TEXT;
        int n = engine_describe(engine, shared->req.text, sizeof(shared->req.text) - 1);
        shared->req.text[n < 0 ? 0 : n] = '\0';
        plat_host_call(NULL);
    }
    kernel_die("unexpected trap in the execution kernel: vector %u (%s) at rip %lx, rsp %lx, cr2 %lx, error %x, cpl %u, guest pc %x",
               vector, name, (unsigned long)rip, (unsigned long)rsp, (unsigned long)cr2, error, (unsigned)cs & 3,
               engine != NULL ? engine_vcpu(engine)->pc : 0);
}

/*
 * A page fault at CPL 3, or (a bug) at CPL 0. A removal that has not been flushed and a right that has just been given may both leave the
 * processor with an older entry than the tables have; it drops the entry as it faults, so the access only has to be made again.
 */
void page_fault(struct host_fault_ctx *ctx, uint32_t error, uint32_t cs)
{
    static uint64_t last_addr, last_rip;
    bool is_write = error & PF_WRITE;

    boot->page_faults++;
    ctx->is_write = is_write;
    ctx->pad = 0;
    if ((cs & 3) != 3 || (error & (PF_RESERVED | PF_FETCH)) || ctx->fault_addr < VM_WINDOW_BASE)
        die(VECTOR_PF, ctx->rip, ctx->gpr[4], ctx->fault_addr, error, cs);

    if (platform_maps(platform, ctx->fault_addr, is_write)) {
        boot->spurious_faults++;
        if (last_addr == ctx->fault_addr && last_rip == ctx->rip) {
            platform_drop_page(platform, ctx->fault_addr);
            last_addr = 0;
        } else {
            last_addr = ctx->fault_addr;
            last_rip = ctx->rip;
        }
        return;
    }
    last_addr = 0;
    if (!engine_fault(engine, ctx))
        die(VECTOR_PF, ctx->rip, ctx->gpr[4], ctx->fault_addr, error, cs);
}

void trap_report(const struct trap_frame *f, uint32_t vector, uint64_t cr2)
{
    /* The word below the frame is the error code for the vectors that have one, and stale for the others. */
    static const uint32_t has_error = BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17);
    uint32_t error = has_error >> (vector & 31) & 1 ? (uint32_t)((const uint64_t *)f)[-1] : 0;

    die(vector, f->rip, f->rsp, cr2, error, f->cs);
}
