/*
 * vcpu.h: the part of a virtual CPU's state that the translator core and the host back end know.
 *
 * A guest architecture embeds `struct vcpu` as the first member of its own CPU state. While translated code runs, a
 * host register (r15) holds the address of the vcpu plus VCPU_BIAS, so that fields below offset 256 are reached with
 * an 8-bit displacement; keep hot fields early.
 */
#ifndef DBT_VCPU_H
#define DBT_VCPU_H

#include <armlet/abi.h>

#define VCPU_BIAS 128

#define VCPU_SPILL_SLOTS 16
#define VCPU_ALIAS_SLOTS 256u /* pages; see dbt/alias.c */

/* Why translated code came back to the dispatcher (vcpu.exit_reason). */
enum vcpu_exit {
    VCPU_EXIT_LINK,     /* a direct exit that is not linked yet: exit_id names it, pc = target */
    VCPU_EXIT_LOOKUP,   /* pc is set; find the block (also: guarded exit whose guard failed) */
    VCPU_EXIT_INDIRECT, /* pc is set; the jump cache missed */
    VCPU_EXIT_POLL,     /* pc is set; `poll` was non-zero */
    VCPU_EXIT_RAISED,   /* a helper or a fault changed the CPU state (exception taken) */
    VCPU_EXIT_BUDGET,   /* pc is set (block not executed); insn_budget ran out */
};

/* One entry of the jump cache: where code for a guest address starts. Looked up inline by translated code. One cache serves all views: an entry holds in a view whose itlb has its page, so that processes that run the
 * same code at the same address share entries. */
#define JUMP_CACHE_BITS 14
#define JUMP_CACHE_SIZE (1u << JUMP_CACHE_BITS)
struct jump_cache_entry {
    uint32_t va;   /* guest address, bit 0 = alternate instruction set; ~0 = empty (bit pattern no target has) */
    uint32_t tag;  /* block flags the target was translated for */
    uint64_t code; /* host address */
    uint64_t itlb; /* what the current view's itlb must have ... */
    uint64_t slot; /* ... at this byte offset */
};
#define JUMP_CACHE_ENTRY_LG2 5
_Static_assert(sizeof(struct jump_cache_entry) == 1 << JUMP_CACHE_ENTRY_LG2, "indexed by translated code");

/* Index of an address: the top bits of a product, because user and kernel code share low address bits. Translated code computes the same. */
#define JUMP_CACHE_FACTOR 0x9e3779b1u
static inline uint32_t jump_cache_index(uint32_t va) { return va * JUMP_CACHE_FACTOR >> (32 - JUMP_CACHE_BITS); }

/*
 * The software TLB, one for each view, direct-mapped by virtual page number: pages that instructions marked for it (IR_MEM_SOFT) reach in guest
 * RAM as the host has it, without a mapping in the window; see dbt/softtlb.c. `read` and `write` are the page's address where that access
 * is allowed, and otherwise one that belongs into another entry, so that the exclusive or with any address looked for here is at least a
 * page.
 */
#define SOFT_TLB_BITS 7
#define SOFT_TLB_SIZE (1u << SOFT_TLB_BITS)
struct soft_tlb_entry {
    uint32_t read, write;
    uint64_t host; /* address of the page */
};
#define SOFT_TLB_ENTRY_LG2 4
_Static_assert(sizeof(struct soft_tlb_entry) == 1 << SOFT_TLB_ENTRY_LG2, "indexed by translated code");
static inline uint32_t soft_tlb_index(uint32_t va) { return va >> 12 & (SOFT_TLB_SIZE - 1); }
static inline uint32_t soft_tlb_none(uint32_t index) { return ((index + 1) & (SOFT_TLB_SIZE - 1)) << 12; }

/* One view's record of which physical page instructions of a virtual page come from, direct-mapped by virtual page
 * number. Entry = (vpn << 32) | (ppn << 1) | 1, or 0. Compared by the guards of cross-page exits. */
#define ITLB_BITS 11
#define ITLB_SIZE (1u << ITLB_BITS)
static inline uint32_t itlb_index(uint32_t va) { return (va >> 12 ^ va >> 23) & (ITLB_SIZE - 1); }
static inline uint32_t itlb_slot(uint32_t va) { return itlb_index(va) * 8; } /* byte offset */
static inline uint64_t itlb_entry(uint32_t va, uint64_t pa)
{
    return (uint64_t)(va >> 12) << 32 | (uint64_t)(uint32_t)(pa >> 12) << 1 | 1;
}

/*
 * Return-address prediction. A call writes down where its callee is going to return to, and the host code of that place; a return whose target
 * is what was written down last goes there at once, without a look at the jump cache. An entry holds while the blocks, the current view's fetch
 * translations and what blocks are specialised on stay as they are: the engine empties the stack when one of them changes. It is a ring: calls
 * nested deeper overwrite the oldest entries.
 */
#define RETURN_STACK_SIZE 16u
struct return_stack {
    uint32_t top; /* index of the entry written last */
    uint32_t pad;
    uint32_t va[RETURN_STACK_SIZE];   /* guest address, bit 0 = alternate instruction set; ~0 = empty ... */
    uint64_t code[RETURN_STACK_SIZE]; /* ... and this then goes to the dispatcher with that address, in case it is really meant */
};

/* Operands that translated code has in memory, because vector instructions take no immediates. Set by host_init_vcpu(). */
struct host_constants {
    uint64_t magnitude_double[2]; /* all but the sign, in every element */
    uint64_t sign_double[2];
    uint32_t magnitude_single[4];
    uint32_t sign_single[4];
    uint64_t smallest_double; /* positive normal number */
    uint32_t smallest_single;
    uint32_t pad;
    uint32_t compared[72]; /* by what LAHF gives after a floating-point comparison: what flags_pack() gives */
};

/*
 * Guest flags in memory, as they are stored fastest: V and C are bytes (0 or 1), N and Z are where LAHF and a store of AX one byte lower put
 * them. The other bits mean nothing.
 *   bit 31: N  30: Z  15-8: C  7-0: V
 * These two convert from and to N Z C V in bits 31 to 28.
 */
static inline uint32_t flags_pack(uint32_t nzcv) { return (nzcv & 3u << 30) | (nzcv & 1u << 29) >> 21 | (nzcv & 1u << 28) >> 28; }
static inline uint32_t flags_unpack(uint32_t flags) { return (flags & 3u << 30) | (flags & 1u << 8) << 21 | (flags & 1u) << 28; }

struct host_fault_ctx;

struct vcpu {
    uint32_t flags;             /* 0: guest flags when they are not in EFLAGS: see flags_pack() */
    uint32_t poll;              /* 4: non-zero asks translated code to come back; written by other threads */
    uint32_t pc;                /* 8: guest pc, bit 0 = alternate instruction set (Thumb) */
    uint32_t restart;           /* 12: guest-specific word that goes with pc (ARM: ITSTATE) */
    struct jump_cache_entry *jump_cache; /* 16 */
    uint64_t *itlb;             /* 24: of the current view */
    int64_t insn_budget;        /* 32: counts down when ENGINE_COUNT_INSNS */
    uint32_t exit_id;           /* 40 */
    uint32_t exit_reason;       /* 44: enum vcpu_exit */
    uint32_t excl_addr;         /* 48: exclusive monitor: address, or ~0 when open */
    uint32_t excl_pad;
    uint64_t excl_value;        /* 56: what the load-exclusive saw (zero-extended) */
    uint32_t gpr[16];           /* 64: guest general registers (ARM: r0-r14 of the current mode; gpr[15] unused, see pc) */
    uint32_t spill[VCPU_SPILL_SLOTS]; /* 128: the register allocator's */
    uint64_t host_rsp;          /* 192: host stack to unwind to */
    struct engine *engine;      /* 200 */
    struct vm_shared *shared;   /* 208 */
    struct engine_stats *stats; /* 216: &shared->stats */
    uint32_t pic_page;          /* 224: address of the page that the running code of a position-independent block stands in */
    uint32_t pad0;
    uint64_t *alias;            /* 232: [VCPU_ALIAS_SLOTS], by page: what to add to an address to get the host's, or 0 */
    struct return_stack returns; /* 240 */
    uint64_t pad1;
    struct host_constants constants; /* 448 */
    struct soft_tlb_entry *soft_tlb; /* 816: [SOFT_TLB_SIZE] of the current view */
    void (*soft_miss)(struct engine *e, struct host_fault_ctx *ctx); /* 824: called when an access finds nothing in soft_tlb; see dbt/host.h */
    uint32_t soft_va;                /* 832: the address of that access */
    int32_t soft_hits;               /* 836: counted down by every lookup; negative: a miss, whatever the table says */
    uint64_t soft_host;              /* 840: answer of soft_miss: where the access is to be made */
};

_Static_assert(offsetof(struct vcpu, gpr) == 64 && offsetof(struct vcpu, constants) == 448 && sizeof(struct vcpu) == 848, "offsets are used by translated code");

#endif
