/*
 * guest.h: what the translator core asks of the guest architecture (implemented in arch/arm/).
 */
#ifndef DBT_GUEST_H
#define DBT_GUEST_H

#include <dbt/ir.h>
#include <dbt/vcpu.h>

/* How an instruction's accesses are translated. */
enum guest_access_kind { ACCESS_PLAIN, ACCESS_ALIAS /* IR_MEM_ALIAS */, ACCESS_SOFT /* IR_MEM_SOFT */, ACCESS_SLOW /* IR_MEM_SLOW */ };

enum guest_access { GUEST_READ, GUEST_WRITE, GUEST_FETCH };

#define GUEST_RIGHT_R 1u
#define GUEST_RIGHT_W 2u
#define GUEST_RIGHT_X 4u

/* Everything a translation of a guest address depends on besides the tables in memory: the key of a view. Compared bytewise:
 * zero the padding. */
struct guest_regime {
    uint64_t ttbr0, ttbr1; /* as the walk uses them, attributes and ASID removed */
    uint32_t ttbcr;
    uint32_t dacr;
    uint32_t control; /* MMU on, AFE, TRE, ... as arch/arm/mmu.h defines */
    uint16_t asid;
    uint8_t priv; /* 1 = privileged */
    uint8_t pad;
};

struct guest_translation {
    uint64_t pa;    /* of the byte asked for */
    uint8_t lg2;    /* log2 of the size of the block or page it came from: 12, 16, 20, 21, 24, 30, 32 */
    uint8_t rights; /* GUEST_RIGHT_* for the regime's privilege */
    uint8_t ng;     /* 1: entry belongs to the regime's ASID */
    uint8_t device; /* memory type is Device or Strongly-ordered; RAM is treated as Normal memory whatever it says */
    uint8_t attributes, shareability; /* as the guest architecture encodes them, for its own use */
};

/* The regime the CPU is in now. */
void guest_current_regime(const struct vcpu *v, struct guest_regime *out);

/*
 * Walk the guest's tables for `va`. Returns 0 and fills *t when there is a valid translation (with whatever rights, perhaps none for this
 * access), or an arch-private fault code != 0. `access` does not restrict: compare t->rights. Side-effect free.
 */
int guest_walk(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t);

/* Take the exception for a failed access at v->pc / v->restart: code = guest_walk()'s result, or 0 for a permission fault. */
void guest_raise_abort(struct vcpu *v, uint32_t va, enum guest_access access, int code);
void guest_raise_alignment(struct vcpu *v, uint32_t va, bool is_write);
void guest_raise_external(struct vcpu *v, uint32_t va, enum guest_access access);

/* Block flags (specialisation) for the CPU state now; never has bit 31 set. */
uint32_t guest_block_flags(const struct vcpu *v);

/*
 * Translate from v->pc. code/code_len: guest bytes at that address up to the end of its page; code2: the following page's first bytes
 * (or NULL when it cannot be fetched), for an instruction that straddles. max_insns bounds the block.
 * before: how many bytes in front of code (the beginning of its page) may be looked at; 0 where they may change without the block being
 * dropped. kind(pc, arg): what an instruction at pc was seen to touch. Sets b->size; size > code_len means that the (only) instruction straddles.
 */
struct guest_translate_in {
    uint32_t pc, flags, max_insns;
    const uint8_t *code;
    uint32_t code_len, before;
    const uint8_t *code2;
    enum guest_access_kind (*kind)(void *arg, uint32_t pc);
    void *kind_arg;
};
void guest_translate(struct vcpu *v, const struct guest_translate_in *in, struct ir_block *b);

/* The dispatcher saw v->poll != 0 and cleared it: update timers and interrupt lines; take an interrupt if one is due (changes pc). */
void guest_poll(struct vcpu *v);

/* Memory accesses outside windows, used by slow IR accesses and helpers; size 1, 2, 4, 8. Raise guest exceptions: do not return then.
 * flags: IR_MEM_* (size included). Provided by dbt/slowmem.c. */
uint64_t guest_mem_read(struct vcpu *v, uint32_t va, uint32_t flags);
void guest_mem_write(struct vcpu *v, uint32_t va, uint64_t value, uint32_t flags);

/* Device registers inside the engine (GIC); true when pa belongs to one. */
bool guest_device_read(struct vcpu *v, uint64_t pa, unsigned size, uint64_t *value);
bool guest_device_write(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value);

/* Reset the CPU to its state at entry (shared->entry_pc, entry_r). */
void guest_reset(struct vcpu *v);
size_t guest_vcpu_size(void);

/* Text of the CPU state for diagnostics. */
int guest_print_state(const struct vcpu *v, char *buf, int cap);

#endif
