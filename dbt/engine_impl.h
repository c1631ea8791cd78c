/*
 * engine_impl.h: the translator core's own structures; only dbt/ includes it.
 *
 *   struct engine     one per vCPU: everything below, allocated once from shared->heap_va
 *   struct block      a translated guest block. Blocks live in *regions* of the code cache; a region is filled front to back and
 *                     evicted as a whole, so its blocks, exits and fault points are arrays in code order.
 *   struct exit       a chainable exit of a block, in the list of incoming exits of the block it is linked to
 *   struct ram_page   a page of guest RAM: the blocks translated from it and the writable mappings of it
 *   struct view       a guest address space as one privilege sees it (design: "windows, views, synchronisation"); view n owns window n
 *
 * Block and exit numbers are indices into arrays spanning all regions; NONE ends lists.
 */
#ifndef DBT_ENGINE_IMPL_H
#define DBT_ENGINE_IMPL_H

#include <dbt/engine.h>

#define NONE 0xffffffffu
#define PAGE_SIZE 4096u

/* --- blocks --- */
#define REGION_COUNT 32
#define COPY_REGIONS 4 /* the last ones: for copies of blocks, see copy.c */

/* Flag of position-independent blocks, beside guest_block_flags(): their `pc`, and the targets of their exits, count from the page's address. */
#define BLOCK_PIC BIT(31)

struct block {
    uint32_t pc, flags;       /* key, with pa */
    uint32_t pa;              /* guest physical address of the first instruction */
    uint32_t size;            /* bytes of guest code */
    uint32_t sum;             /* checksum of those bytes */
    uint32_t code, code_size; /* host code: offset from the start of the cache */
    uint32_t loop_head;       /* where its own `loop` exits enter: likewise */
    uint32_t retired;         /* with BLOCK_PIC, where to lead whoever still enters it when it is dead: likewise */
    uint32_t first_exit, n_exits;
    uint32_t first_fault, n_faults;
    uint32_t first_move, n_moves;
    uint32_t in;              /* first exit linked to this block */
    uint32_t hash_next;
    uint32_t page[2];         /* RAM pages the code stands in; page[1] = NONE unless the instruction straddles */
    uint32_t page_next[2];    /* list of the page's blocks: block << 1 | which; */
    uint32_t page_prev[2];    /* both ways: a library mapped at many addresses has many blocks in a page */
    bool live;
    bool movable;             /* can be copied for another pc: copy.c */
    uint32_t site_gen;        /* engine.site_gen when it was made, or was last found to be right in that respect */
};

struct exit {
    uint32_t target;             /* guest address */
    uint32_t patch, stub, guard; /* offsets from the start of the cache; guard 0 = none */
    bool loop;                   /* to its own block: to loop_head */
    uint32_t from, to;           /* its block; the block it is linked to, or NONE */
    uint32_t in_next, in_prev;
};

#define CODE_CHUNK 2048u

struct region {
    uint32_t code, code_end;    /* offsets; code = next free byte */
    uint32_t start;
    uint32_t n_blocks, n_exits, n_faults, n_moves;
};

/* --- RAM pages --- */
#define RP_CODE  1u /* holds live blocks and is write-protected in all views */
#define RP_LAZY  2u /* written too often while holding code: stays writable; its blocks are checked at instruction-cache maintenance */
#define RP_SOFT  4u /* in a software TLB for writing, perhaps */
#define RP_LAZY_AFTER 8 /* code-page write faults before a page becomes lazy */
#define RP_CLEAN_ENOUGH 16 /* checks that find nothing changed before a lazy page is protected again */

struct ram_page {
    uint32_t blocks;  /* first block << 1 | which, or NONE */
    uint32_t wmap;    /* first writable small mapping: view << 20 | vpn, or NONE */
    uint32_t lazy_next; /* list of lazy pages */
    uint8_t flags;
    uint8_t writes; /* while it held code */
    uint16_t clean; /* lazy: checks in a row that found nothing changed */
    uint32_t site_gen; /* engine.site_gen of the last change of an access_site in it */
};

/* --- views --- */
#define L1_COUNT   4096u /* 1 MiB each */
#define LEAF_COUNT 256u

/* Entry of a leaf (4 KiB page) or of l1 (1 MiB section): RAM page number << 12 | flags */
#define VE_MAPPED BIT(0)  /* present in the window */
#define VE_WRITE  BIT(1)  /* present writable */
#define VE_EXEC   BIT(2)  /* instructions have been looked up here: the view's itlb may know it */
#define VE_NG     BIT(3)  /* belongs to the view's ASID */
/* l1 only */
#define VE_LARGE  BIT(4)  /* of l1: a leaf with pages, or a section, that came from something larger than itself */
#define VE_LEAF   BIT(8)  /* bits 31..12: leaf number */

struct leaf {
    uint32_t e[LEAF_COUNT];
    uint32_t wmap_next[LEAF_COUNT];
};

struct view {
    struct guest_regime regime;
    bool used;
    bool pic;       /* blocks that are known at another address run position-independent, see pic.c ... */
    uint8_t polls;  /* ... until its code has been asked to poll so often */
    bool owned; /* holds non-global entries: belongs to regime.ttbr0/asid; otherwise serves any */
    bool stale; /* TLB maintenance happened: re-walk before use */
    bool large; /* an entry has, or has had, VE_LARGE */
    bool giant; /* shows part of a 1 GiB block */
    bool soft_used; /* soft_tlb has something ... */
    bool soft_ng;   /* ... that belongs to regime.ttbr0/asid */
    uint32_t soft_gen; /* engine.soft_gen when it was last emptied */
    uint32_t entries; /* non-zero entries of leaves, and sections */
    uint64_t last_use;
    uint32_t copied; /* bytes of code that copies made for it have, up to UINT32_MAX */
    uint64_t l1_used[L1_COUNT / 64];
    uint32_t l1[L1_COUNT];
    uint32_t section_next[L1_COUNT]; /* list of writable sections over a MiB of RAM: view << 12 | index */
    uint64_t itlb[ITLB_SIZE];
    struct soft_tlb_entry soft_tlb[SOFT_TLB_SIZE];
    uint64_t soft_large[SOFT_TLB_SIZE / 64]; /* bit i: entry i came from something larger than a page */
};

/*
 * A global page of the guest that is mapped for a moment and unmapped again, over and over. After REMAP_MANY rounds its group of pages is served by a
 * table (alias.c). There is one such group. Elsewhere an instruction that faults at such a page (a kernel patches its text) is made to call a
 * helper from then on, like one that touches a device, unless it is part of a loop: then the page is worth mapping.
 */
#define REMAP_SLOTS 16u
#define REMAP_MANY  16u
#define REMAP_WORTH 0xffffu
struct remap {
    uint32_t vpn;
    uint16_t rounds; /* REMAP_WORTH: map it, whatever happens */
};
#define ALIAS_SLOTS VCPU_ALIAS_SLOTS

/*
 * Guest instructions, by physical address, whose accesses are translated in a special way. `returns` counts how often the software TLB did not
 * pay; faults of instructions that are not here are counted in fault_count[].
 */
#define SITE_BITS         14
#define SITE_COUNT        (1u << SITE_BITS)
#define FAULT_COUNT_SLOTS 1024
#define FAULT_COUNT_WAYS  4
struct access_site {
    uint32_t pa;  /* 0: empty */
    uint8_t kind; /* enum guest_access_kind */
    uint8_t returns;
    uint16_t pad;
    uint32_t gen; /* engine.site_gen of the last change */
};
struct fault_count {
    uint32_t pa, faults;
};

/* How often the software TLB has missed in an address space since the space was made, or invalidated as a whole. */
#define SOFT_SPACES 256 /* as many as there are ASIDs */
struct soft_space {
    uint64_t ttbr0;
    uint32_t misses;
    uint32_t gen; /* engine.soft_space_gen when they were counted */
};

/* Of slowmem.c; good until the guest's next TLB maintenance. */
struct last_translation {
    struct guest_regime regime;
    uint64_t tlb_ops; /* engine_stats.tlb_ops when it was made */
    uint64_t page_pa;
    uint32_t vpn;
    uint8_t rights; /* 0: none */
};

#define VIEW_CACHE_SIZE 512
#define VIEW_WORDS      16u  /* bitmaps of views: 1024 at most */
#define GROUP_SIZE      16u  /* l1 entries of a supersection, the largest thing that one address names, but for 1 GiB blocks (view.giant) */
#define GROUP_COUNT     (L1_COUNT / GROUP_SIZE)
#define TRACE_RING      16

struct engine {
    struct vm_shared *shared;
    struct platform *plat;
    struct vcpu *v;
    struct engine_config cfg;
    uint64_t heap_next, heap_end;

    /* code cache */
    uint8_t *code_rw;
    uint64_t code_rx;
    uint32_t code_bytes;
    struct host_trampolines tramp;
    struct region region[REGION_COUNT];
    unsigned cur_region, cur_copy_region;
    uint32_t blocks_per_region, exits_per_region, faults_per_region, moves_per_region;
    struct block *block;
    uint32_t *chunk_block; /* by CODE_CHUNK of the cache: the block that its first byte belongs to, of those a region has filled */
    struct exit *exit;
    struct host_fault_point *fault;
    struct host_move *move;
    uint32_t *hash;
    uint32_t *origin; /* by physical address: a block to copy when the page is somewhere else, see copy.c */
    uint32_t hash_mask; /* of both */
    struct ir_block *ir;
    struct host_code *hc;

    /* RAM */
    uint32_t n_pages;
    struct ram_page *page;
    uint32_t *section_head;    /* per MiB of RAM: writable section mappings */
    uint16_t *code_pages;      /* per MiB of RAM: pages with RP_CODE */
    uint32_t lazy_head;

    struct jump_cache_entry *jump_cache;
    uint32_t returns_flags; /* of the blocks whose calls are on the return stack */

    /* views */
    unsigned n_views, cur;     /* cur: index of the current view */
    struct view *view;
    uint16_t view_cache[VIEW_CACHE_SIZE]; /* hash of a regime -> a view that may serve it */
    uint64_t tick;
    struct leaf *leaf;
    uint32_t n_leaves, leaf_free; /* free list through e[0] ... */
    uint32_t leaf_fresh;          /* ... and those from here on have never been used */
    uint64_t group_views[GROUP_COUNT][VIEW_WORDS]; /* bit n: view n may have something in that group of l1 entries */
    uint64_t giant_views[VIEW_WORDS];              /* bit n: view n is giant */

    struct last_translation last_translation;
    struct remap remap[REMAP_SLOTS]; /* by vpn % REMAP_SLOTS */
    bool alias_on;
    uint32_t alias_first;             /* vpn of slot 0, with alias_on */
    unsigned alias_n_live;            /* slots set, and bit i % 64 of word i / 64 for each: */
    uint64_t alias_live[ALIAS_SLOTS / 64];
    uint64_t alias[ALIAS_SLOTS];      /* what vcpu.alias points to */
    uint32_t alias_page[ALIAS_SLOTS]; /* RAM page a set slot stands for */

    struct access_site site[SITE_COUNT]; /* open addressing */
    uint32_t n_sites;
    uint32_t site_gen; /* counts changes */
    struct fault_count fault_count[FAULT_COUNT_SLOTS]; /* by hash, in groups of FAULT_COUNT_WAYS */
    struct soft_space soft_space[SOFT_SPACES]; /* by ASID; newcomers take the place */
    uint32_t soft_space_gen; /* counts invalidations of all address spaces */
    uint32_t soft_gen; /* software TLBs of views with another are not to be used */
    bool no_premap;    /* the instruction of the guest's last data abort makes no use of mappings */

    int64_t budget_start;
    uint64_t activity_since; /* with ENGINE_TIME */
    enum engine_activity activity;
    uint64_t last_fault_addr, last_fault_rip;
    unsigned same_faults;
    uint32_t ring[TRACE_RING];
    unsigned ring_next;
};

static inline uint64_t rdtsc(void) { return __builtin_ia32_rdtsc(); }
/* From here on the engine does `next`; returns what it did before, to be gone back to in the same way. */
static inline enum engine_activity activity_change(struct engine *e, enum engine_activity next)
{
    enum engine_activity old = e->activity;

    e->activity = next;
    if (UNLIKELY(e->cfg.flags & ENGINE_TIME)) {
        uint64_t now = rdtsc();
        e->v->stats->tsc[old] += now - e->activity_since;
        e->activity_since = now;
    }
    return old;
}
static inline struct view *cur_view(struct engine *e) { return &e->view[e->cur]; }
static inline uint64_t page_pa(uint32_t page) { return GUEST_RAM_BASE + (uint64_t)page * PAGE_SIZE; }
/* RAM page number of a physical address, or NONE. */
static inline uint32_t page_of(const struct engine *e, uint64_t pa)
{
    uint64_t n = (pa - GUEST_RAM_BASE) / PAGE_SIZE;
    return n < e->n_pages ? (uint32_t)n : NONE;
}

/* block.c */
/* What a block for guest address pc has as its own. */
static inline uint32_t block_pc(uint32_t pc, uint32_t flags) { return flags & BLOCK_PIC ? pc % PAGE_SIZE : pc; }
void blocks_init(struct engine *e);
uint32_t block_find(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags, uint32_t page1);
/* Room for a block in the current region, or the current one for copies, evicting the next if need be. */
struct region *block_reserve(struct engine *e, uint32_t code_bytes, bool copy);
uint32_t block_insert(struct engine *e, struct region *r, const struct block *key, const struct host_code *hc);
void block_kill(struct engine *e, uint32_t b);
void block_kill_page(struct engine *e, uint32_t page);
void jump_cache_flush(struct engine *e);
void returns_forget(struct engine *e); /* empty the return stack */
void exit_link(struct engine *e, uint32_t x, uint32_t to);
uint32_t block_at_code(const struct engine *e, uint64_t rip); /* NONE when rip is not in a block */
const struct host_fault_point *block_fault_point(struct engine *e, uint32_t b, uint64_t rip);
uint32_t code_sum(const uint8_t *p, uint32_t n);

/* translate.c */
uint32_t block_translate(struct engine *e, uint32_t pc, uint32_t flags, uint32_t pa, uint64_t page1_pa);

/* pic.c */
bool pic_wanted(const struct engine *e, const struct view *w); /* is its code to be position-independent? */
bool pic_begin(struct engine *e, struct view *w); /* it is known at another address: is it from now on? */
void pic_polled(struct view *w); /* the view's code has come to poll */

/* copy.c */
bool copy_exists(struct engine *e, uint32_t pa, uint32_t pc, uint32_t flags); /* is there a block to copy? */
void copies_init(struct engine *e);
void copy_offer(struct engine *e, uint32_t b); /* block b may be copied */
/* The block for pc, made by copying one of the same code at another address; NONE if there is none to copy. */
uint32_t block_copy(struct engine *e, uint32_t pc, uint32_t flags, uint32_t pa);

/* page.c */
void pages_init(struct engine *e);
void page_make_code(struct engine *e, uint32_t page);
/* A write by the guest to a page that holds translated code. The page is writable afterwards, but mappings are the caller's. */
void page_written(struct engine *e, uint32_t page);
void page_lazy_check(struct engine *e, uint32_t page); /* NONE: all lazy pages */
/* Blocks are about to be made of this page: devices are to tell when they write to it. */
void page_announce_code(struct engine *e, uint32_t page);
/* Drop the blocks of pages that devices have written to. Only where blocks may be killed: dispatcher and helpers. */
void pages_serve_dma(struct engine *e);
void wmap_add(struct engine *e, uint32_t page, unsigned view, uint32_t vpn);
void wmap_remove(struct engine *e, uint32_t page, unsigned view, uint32_t vpn);

/* view.c */
void views_init(struct engine *e);
/* The entry that covers va: of a leaf, or of l1 when that is a section or empty. */
uint32_t *view_entry(struct engine *e, struct view *w, uint32_t va);
/* Note that view n, or its software TLB, holds translation t. */
void view_hold(struct engine *e, unsigned n, const struct guest_translation *t);
/* Map va in view n as translation t (to RAM, readable) allows; `write`: for a write that t allows. */
void view_map(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t, bool write);
/* The same at a window fault, with neighbours: with ENGINE_MAP_RUNS those that can be mapped in one piece with va, otherwise all that are as easily had. */
void view_map_fault(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t, bool write);
void view_note_exec(struct engine *e, unsigned n, uint32_t va, const struct guest_translation *t);
void view_unmap_entry(struct engine *e, unsigned n, uint32_t va, uint32_t *entry);
/* Unmap whatever entry covers va. */
void view_forget(struct engine *e, unsigned n, uint32_t va);
void view_drop(struct engine *e, unsigned n);
void view_split_section(struct engine *e, unsigned n, uint32_t l1);
void view_remove_section(struct engine *e, unsigned n, uint32_t l1);
void view_flush_code(struct engine *e, struct view *w);
void view_flush_code_page(struct engine *e, struct view *w, uint32_t va);

/* sync.c */
void view_sync(struct engine *e, unsigned n);

/* Is the page one that is not worth mapping? */
static inline bool remapped_often(const struct engine *e, uint32_t va)
{
    const struct remap *r = &e->remap[(va >> 12) % REMAP_SLOTS];
    return r->vpn == va >> 12 && r->rounds >= REMAP_MANY && r->rounds != REMAP_WORTH;
}

/* alias.c */
bool alias_covers(const struct engine *e, uint32_t va);
uint32_t alias_start(const struct engine *e); /* address of slot 0; 0: there is no group of aliases */
void alias_choose(struct engine *e, uint32_t va); /* the group is the one around va; once */
bool alias_set(struct engine *e, uint32_t va, const struct guest_translation *t); /* va, covered, is t in the current view. False: not for the table */
bool alias_has(const struct engine *e, uint32_t va, const struct guest_translation *t); /* that is what the table says of va, covered */
void alias_sync(struct engine *e, uint32_t va); /* after TLB maintenance for va, covered */
void alias_refresh(struct engine *e);           /* after a change of the current view or other TLB maintenance */
void alias_drop_page(struct engine *e, uint32_t page); /* the RAM page is about to hold code */

/* device.c: registers of devices; false: nothing answers at pa. The value of a read is zero-extended. */
bool device_read(struct vcpu *v, uint64_t pa, unsigned size, uint64_t *value);
bool device_write(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value);

/* site.c: instructions by the physical address they are at */
enum guest_access_kind site_kind(struct engine *e, uint32_t pa);
void site_set(struct engine *e, uint32_t pa, enum guest_access_kind kind); /* what is known of it is not lost: the higher kind counts */
/* It has faulted, in block b, at a page that was not mapped, or that the guest does not allow. True: it is of kind ACCESS_SOFT, and the block is
 * older than that. */
bool site_faulted(struct engine *e, uint32_t pa, uint32_t b);
void site_return(struct engine *e, uint32_t pa); /* ACCESS_SOFT did not pay */
/* Block b, live, was made before something became known of an instruction in it. */
bool site_outdates(struct engine *e, uint32_t b);

/* softtlb.c */
void soft_init(struct engine *e);
void soft_enter(struct engine *e, struct view *w, const struct guest_regime *r); /* w becomes the current view, of r */
void soft_clear(struct view *w);
/* Enter the page of va, which t allows to be read and, with `write`, to be written, for the current view. */
void soft_fill(struct engine *e, uint32_t va, const struct guest_translation *t, bool write);
void soft_forget(struct view *w, uint32_t va);        /* TLB maintenance for va */
void soft_renew(struct engine *e, int asid);          /* TLB maintenance for an address space, or all with asid < 0 */
void soft_drop_page(struct engine *e, uint32_t page); /* the RAM page is about to hold code */

/* fault.c */
/* Of the instruction of block b at fault point p: where in memory it is. */
uint32_t fault_site(const struct engine *e, uint32_t b, const struct host_fault_point *p);
/* Leave the block at the fault point for the dispatcher, for `why`. */
bool fault_leave(struct engine *e, struct host_fault_ctx *ctx, enum vcpu_exit why);
/* Leave it to have the instruction translated anew, for accesses of another kind. */
bool fault_retranslate(struct engine *e, struct host_fault_ctx *ctx, uint32_t b, const struct host_fault_point *p);

#endif
