/*
 * engine.h: the translator core seen from the guest architecture and from the platforms.
 */
#ifndef DBT_ENGINE_H
#define DBT_ENGINE_H

#include <dbt/guest.h>
#include <dbt/host.h>
#include <dbt/platform.h>

struct engine;

/* Size of the heap the engine needs for a configuration, in bytes (lazily touched). */
uint64_t engine_heap_size(const struct engine_config *c, uint64_t ram_size);

/* Build an engine in shared->heap_va. Sets shared->poll_va. NULL when the configuration does not fit the ABI or the heap. */
struct engine *engine_create(struct vm_shared *shared, struct platform *p);
struct vcpu *engine_vcpu(struct engine *e);

/* Run the guest; ends only through HOST_REQ_STOP. */
_Noreturn void engine_run(struct engine *e);

/*
 * A host fault at ctx->rip with address ctx->fault_addr. Returns true when execution can go on with ctx as (possibly) changed;
 * false: the fault is not the guest's (a bug in the engine). Runs on the faulting thread, on its own stack.
 */
bool engine_fault(struct engine *e, struct host_fault_ctx *ctx);

/* --- for the guest architecture --- */

/* The regime (mode, TTBR, DACR, SCTLR...) changed: choose the view for guest_current_regime(). Cheap when the view exists. */
void engine_regime_changed(struct vcpu *v);

/* TLB maintenance. Views synchronise: nothing that still holds is dropped. asid < 0: all ASIDs. */
void engine_tlb_all(struct vcpu *v);
void engine_tlb_asid(struct vcpu *v, unsigned asid);
void engine_tlb_va(struct vcpu *v, uint32_t va, int asid);

/* A barrier that completes TLB maintenance (DSB): what the operations above took away is gone afterwards. */
void engine_tlb_barrier(struct vcpu *v);

/* Instruction-cache maintenance. engine_icache_va: the line's page, by guest virtual address in the current regime. */
void engine_icache_all(struct vcpu *v);
void engine_icache_va(struct vcpu *v, uint32_t va);

/* After an exception was returned from: map the page of the last abort at once, saving the second fault. */
void engine_premap(struct vcpu *v, uint32_t va, bool is_write);

/* Guest RAM by physical address for len bytes, or NULL. */
static inline uint8_t *ram_ptr(const struct vm_shared *s, uint64_t pa, uint64_t len)
{
    uint64_t off = pa - GUEST_RAM_BASE;
    return off < s->ram_size && len <= s->ram_size - off ? (uint8_t *)(uintptr_t)(s->ram_va + off) : NULL;
}

/* Diagnostics through the host; never from translated code. */
void engine_log(struct vcpu *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
_Noreturn void engine_panic(struct vcpu *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
_Noreturn void engine_stop(struct vcpu *v, enum stop_reason why);
/* Pass shared->req to the host; returns when it has answered. Counts and times it. */
void engine_host_call(struct vcpu *v);
/*
 * For profiles. A block in the code cache: host address and size of its code, guest address (bit 0: alternate instruction set). engine_block_at() says whose
 * code is at a host address; engine_doing() what the engine is about, and where: the host address of the fault last served, the stack pointer translated code
 * was entered with, the guest pc as of the last return to the dispatcher. All may be called from a signal handler on the engine's thread.
 */
struct engine_block {
    uint64_t code;
    uint32_t code_size, pc;
};
bool engine_block_at(const struct engine *e, uint64_t rip, struct engine_block *out);
void engine_each_block(const struct engine *e, void (*fn)(void *arg, const struct engine_block *b), void *arg);
enum engine_activity engine_doing(const struct engine *e, uint64_t *fault_rip, uint64_t *host_rsp, uint32_t *pc);
/* Text for a readable death: guest pc and the last blocks entered from the dispatcher. Returns the length. Only reads. */
int engine_describe(const struct engine *e, char *buf, int cap);
int fmt_vtext(char *buf, int cap, const char *fmt, __builtin_va_list ap);
int fmt_text(char *buf, int cap, const char *fmt, ...) PRINTF_LIKE(3, 4); /* freestanding: %s %c %d %u %x %lx %lu with width and 0 */

#endif
