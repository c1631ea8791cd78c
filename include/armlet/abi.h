/*
 * abi.h: what the host process and the engine say to each other.
 *
 * The engine runs either inside a KVM VM (linked into the execution kernel) or inside the host process. Both ways it
 * sees one `struct vm_shared`, placed by the host and mapped on both sides. The host fills the boot part before the
 * engine starts; afterwards
 *   - the host (device threads, ticker) raises interrupt lines in spi_level[] and sets *poll;
 *   - the engine publishes the next timer deadline and its statistics;
 *   - a request (MMIO, wait, stop, text) goes through `req`, one at a time: the engine fills it and calls
 *     plat_host_call(); when that returns the host's answer stands in it;
 *   - device register writes that need no answer may be posted instead, some registers read from a copy, and interrupts acknowledged in
 *     a shared word, without a request.
 * Everything here is plain data: fixed-size integers, no pointers of either side except where named *_va, which are
 * engine addresses.
 */
#ifndef ARMLET_ABI_H
#define ARMLET_ABI_H

#include <armlet/base.h>

#define ARMLET_ABI_MAGIC   0x746c6d61u /* "amlt" */
#define ARMLET_ABI_VERSION 6u

/* --- machine facts both sides need ------------------------------------------------------------------------------ */
#define GUEST_RAM_BASE    0x40000000u
#define GUEST_RAM_MAX     0x80000000u /* bytes; all RAM stays below 4 GiB of physical address */
#define GUEST_GICD_BASE   0x08000000u
#define GUEST_GICC_BASE   0x08010000u
#define GUEST_GIC_SIZE    0x00010000u /* each of the two */
#define GUEST_CNTFRQ_HZ   62500000u
#define GUEST_TIMER_VIRT_PPI 27u
#define GUEST_TIMER_PHYS_PPI 30u

/* --- requests: engine -> host ----------------------------------------------------------------------------------- */
enum host_req_type {
    HOST_REQ_NONE,
    HOST_REQ_MMIO_READ,  /* addr, size -> value, status */
    HOST_REQ_MMIO_WRITE, /* addr, size, value -> status */
    HOST_REQ_WAIT,       /* sleep until *poll != 0 or the TSC passes shared->deadline_tsc */
    HOST_REQ_STOP,       /* value = enum stop_reason; the host does not return to the engine */
    HOST_REQ_TEXT,       /* text: a diagnostic line for stderr (-d output, warnings), NUL-terminated */
    HOST_REQ_POSTED,     /* serve the posted writes: nobody else does just now */
    HOST_REQ_CODE,       /* -d in_asm/out_asm: text holds `value` bytes of code at address addr to disassemble; size = enum code_kind */
};

enum stop_reason {
    STOP_POWER_OFF, /* PSCI SYSTEM_OFF */
    STOP_RESET,     /* PSCI SYSTEM_RESET */
    STOP_BUDGET,    /* the configured number of guest instructions has run */
    STOP_HOST,      /* the host asked (exit_request with shared->stop_wanted) */
    STOP_PANIC,     /* the engine cannot go on; `text` says why in one sentence; exit code 1 */
};

enum code_kind { CODE_A32, CODE_T32, CODE_X86 };

#define HOST_REQ_TEXT_MAX 2048
struct host_request {
    uint32_t type;   /* enum host_req_type */
    uint32_t size;   /* access size in bytes: 1, 2, 4 or 8 */
    uint64_t addr;   /* guest physical address */
    uint64_t value;  /* in or out */
    int32_t status;  /* out: 0, or -1 for "nothing there" (external abort in the guest) */
    uint32_t pad;
    char text[HOST_REQ_TEXT_MAX]; /* NUL-terminated */
};

/* --- configuration: host -> engine ------------------------------------------------------------------------------ */
#define ENGINE_COUNT_INSNS BIT(0) /* count guest instructions exactly (costs some speed) */
#define ENGINE_LOG_IN_ASM  BIT(1) /* report each translated block: guest side */
#define ENGINE_LOG_OUT_ASM BIT(2) /* report each translated block: host side */
#define ENGINE_LOG_EXEC    BIT(3) /* report each block entered from the dispatcher */
#define ENGINE_LOG_INT     BIT(4) /* report guest exceptions */
#define ENGINE_LOGS        (ENGINE_LOG_IN_ASM | ENGINE_LOG_OUT_ASM | ENGINE_LOG_EXEC | ENGINE_LOG_INT)
#define ENGINE_NO_CHAIN    BIT(5) /* debugging: return to the dispatcher after every block */
#define ENGINE_TIME        BIT(6) /* keep time by kind in the statistics */
#define ENGINE_MAP_RUNS    BIT(7) /* a mapping costs much, whatever its length: at a fault only neighbours that continue the page in memory are worth it */

/* Where blocks are position-independent: see dbt/pic.c. */
enum engine_pic { ENGINE_PIC_AUTO, ENGINE_PIC_ALWAYS, ENGINE_PIC_NEVER };

struct engine_config {
    uint32_t flags;             /* ENGINE_* */
    uint32_t code_cache_bytes;  /* multiple of 1 MiB */
    uint32_t view_count;        /* size of the view pool, 2..1024 */
    uint32_t fault_around;      /* pages mapped per window fault, 1..64 */
    uint32_t soft_after;        /* faults after which an instruction's accesses go through the software TLB; 0 = never */
    uint32_t pic;               /* enum engine_pic */
    uint64_t insn_budget;       /* stop after that many guest instructions; 0 = no limit (needs ENGINE_COUNT_INSNS) */
};

/* What the engine is doing, for statistics and profiles. The innermost counts. */
enum engine_activity {
    ACTIVITY_DISPATCH,  /* looking for blocks, linking them */
    ACTIVITY_RUN,       /* translated code and the helpers it calls */
    ACTIVITY_TRANSLATE,
    ACTIVITY_FAULT,     /* serving a window fault, from the engine's first instruction to its last */
    ACTIVITY_SYNC,      /* re-walking a stale view */
    ACTIVITY_DEVICE,    /* host call for a device access */
    ACTIVITY_WAIT,      /* host call: waiting for an interrupt */
    ACTIVITY_REQUEST,   /* other host calls */
    ACTIVITY_COUNT
};

/* --- statistics: engine -> host; printed by --stats ------------------------------------------------------------- */
struct engine_stats {
    uint64_t guest_insns;       /* only with ENGINE_COUNT_INSNS */
    uint64_t blocks_translated;
    uint64_t blocks_copied;
    uint64_t insns_translated;
    uint64_t host_code_bytes;
    uint64_t blocks_invalidated;
    uint64_t cache_evictions;
    uint64_t dispatches;        /* returns to the C dispatcher */
    uint64_t links;             /* exits patched to jump block to block */
    uint64_t indirect_misses;   /* inline jump-cache misses */
    uint64_t window_faults;     /* host faults in guest windows */
    uint64_t guest_aborts;      /* delivered to the guest, found by those or by walks */
    uint64_t pages_mapped;
    uint64_t sections_mapped;
    uint64_t pages_protected;   /* writable -> read-only because they hold translated code */
    uint64_t pages_unmapped;
    uint64_t code_page_writes;  /* faults on write-protected code pages */
    uint64_t view_switches;
    uint64_t view_allocs;
    uint64_t view_recycles;
    uint64_t views_pic;         /* views that went on with position-independent blocks */
    uint64_t view_syncs;        /* stale views re-walked */
    uint64_t tlb_ops;           /* guest TLB maintenance operations */
    uint64_t icache_ops;
    uint64_t exceptions[8];     /* by vector: 0 reset, 1 undef, 2 svc, 3 pabt, 4 dabt, 5 hyp, 6 irq, 7 fiq */
    uint64_t host_calls[8];     /* by enum host_req_type */
    uint64_t posted_writes;     /* device register writes without a host call */
    uint64_t copied_reads;      /* device register reads without a host call */
    uint64_t dma_pages;         /* pages with translated code that devices have written to */
    uint64_t gic_accesses;
    uint64_t slow_accesses;     /* guest memory accesses through a helper */
    uint64_t alias_pages;       /* pages of the guest served by a table instead of a mapping */
    uint64_t soft_sites;        /* instructions whose accesses were made to go through the software TLB ... */
    uint64_t soft_returned;     /* ... and back to the window, as it did not pay */
    uint64_t soft_misses;       /* of the software TLB */
    uint64_t privileged_ops;    /* kvm: requests to CPL 0 (invlpg, CR3 reload) */
    uint64_t unimplemented;     /* guest instructions that raised Undefined for want of a translation */
    uint64_t tsc[ACTIVITY_COUNT]; /* with ENGINE_TIME: TSC ticks by what the engine was doing, each tick once */
};

/* --- device registers without a request -------------------------------------------------------------------------- */
/*
 * Posted writes: a ring from the engine to the host for registers in post.reg[] (doorbells, a serial port's data). The engine posts only while
 * `served` says that a host thread looks at the ring, which may be never. Order: the host serves the ring before it serves any request, so
 * a device sees its accesses in program order. When the ring is full the engine makes an ordinary request.
 * Going to sleep: the host clears `served`, then looks at the ring once more; the engine publishes an entry, then looks at `served`: one of
 * them sees the other (both with a full barrier between), and the engine issues HOST_REQ_POSTED when it was the later.
 */
#define POST_RING_SIZE 256u /* a power of two */
#define POST_REGS_MAX  48u
struct post_entry {
    uint32_t addr; /* guest physical */
    uint32_t size; /* bytes: 1, 2 or 4 */
    uint64_t value;
};
struct post_ring {
    uint32_t n_regs;
    uint32_t reg[POST_REGS_MAX]; /* guest physical addresses; host, before the engine starts */
    uint32_t served;             /* host */
    uint32_t tail;               /* engine: entries posted so far */
    uint32_t head;               /* host: entries served so far */
    struct post_entry entry[POST_RING_SIZE]; /* entry n at n % POST_RING_SIZE */
};

/* Registers whose value the host keeps here: reading them has no effect on the device. */
#define REG_COPIES_MAX 4u
struct reg_copy {
    uint32_t addr; /* guest physical; 0: unused. Host, before the engine starts */
    uint32_t value;
};

/*
 * Interrupt status words: device n has a status register at base + n * stride and the register that acknowledges right behind it; both are word n.
 * The host sets bits (one thread at a time for each word); where the word was 0 it gives the device's line an edge, and after that lowers
 * the line again if it finds the word 0. The engine reads the word, and acknowledges by clearing bits and, when the word has become 0, the
 * level of SPI spi + n; where a bit was left or came meanwhile it passes an acknowledgement on to the host, which makes line and word agree. So
 * a word that is not 0 has had its edge, and when neither side is at work the level says whether the word is 0.
 */
#define IRQ_STATUS_MAX 32u
struct irq_status { /* all but the words: host, before the engine starts */
    uint32_t base;  /* guest physical */
    uint32_t stride;
    uint32_t n;
    uint32_t spi;
    uint32_t word[IRQ_STATUS_MAX];
};

/*
 * Devices that write to guest RAM behind the engine's back. code_page: RAM pages that translated blocks were made from (engine; bits may stay
 * longer than the blocks). The host stores data, then looks at code_page; the engine sets the bit, then reads code (both with a full barrier between).
 * Where the bit is set the host sets the one in dma_page, then dma_pending, then the poll word; it does so before it tells the guest of the data.
 */
#define RAM_PAGE_WORDS (GUEST_RAM_MAX / 4096u / 64u)

/* --- the shared area -------------------------------------------------------------------------------------------- */
#define VM_SPI_WORDS 8 /* 256 shared peripheral interrupts */

struct vm_shared {
    uint32_t magic, version, size, pad0;

    /* boot part: host -> engine */
    struct engine_config config;
    uint32_t ram_size;    /* bytes of guest RAM at GUEST_RAM_BASE */
    uint32_t entry_pc;    /* bit 0 = Thumb */
    uint32_t entry_r[4];  /* r0-r3 at entry */
    uint64_t tsc_base;    /* TSC value at which the guest's counter reads 0 */
    uint64_t tsc_to_cnt;  /* counter = (tsc - tsc_base) * tsc_to_cnt >> 32 */
    uint64_t tsc_hz;
    uint64_t ram_va;      /* engine address of guest RAM (all of it, writable) */
    uint64_t heap_va;     /* engine heap: zero-filled, page aligned */
    uint64_t heap_size;
    uint64_t code_rw_va;  /* code cache, writable alias (may equal code_rx_va) */
    uint64_t code_rx_va;  /* code cache, executable alias */

    /* host -> engine, at any time (atomics) */
    uint32_t spi_level[VM_SPI_WORDS]; /* bit n of word w: level of SPI 32*w+n (GIC INTID 32 + that) */
    uint32_t spi_edge[VM_SPI_WORDS];  /* set by the host when that line rises, cleared by the engine when it has seen it: a line that falls and rises between
                                         two looks of the engine is an edge all the same */
    uint32_t stop_wanted; /* non-zero: at the next poll the engine issues HOST_REQ_STOP/STOP_HOST */
    uint32_t dma_pending; /* non-zero: bits are set in dma_page */
    struct reg_copy reg_copy[REG_COPIES_MAX];

    /* engine -> host, at any time */
    uint64_t poll_va;      /* engine address of the vCPU's 32-bit poll word; host stores 1 there after changing the above */
    uint64_t deadline_tsc; /* next guest timer expiry the engine knows of; UINT64_MAX = none. A host ticker sets
                              *poll within about a millisecond of the TSC passing it. */

    struct host_request req;
    struct engine_stats stats;

    /* both ways */
    struct post_ring post;
    struct irq_status irq_status;
    uint64_t code_page[RAM_PAGE_WORDS]; /* bit n % 64 of word n / 64: RAM page n */
    uint64_t dma_page[RAM_PAGE_WORDS];
};

_Static_assert(sizeof(struct host_request) == 32 + HOST_REQ_TEXT_MAX, "ABI");
_Static_assert(offsetof(struct vm_shared, config) == 16, "ABI");
_Static_assert(sizeof(struct engine_config) == 32, "ABI");
_Static_assert(offsetof(struct vm_shared, spi_level) % 8 == 0, "ABI");
_Static_assert(offsetof(struct vm_shared, deadline_tsc) % 8 == 0, "ABI");

#endif
