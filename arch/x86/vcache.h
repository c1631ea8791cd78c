/*
 * vcache.h: copies of guest vector registers in xmm registers, within a block.
 *
 * A vector operation writes its result to CPU state and leaves a copy in one of xmm8-xmm15. A later operation on the same state takes the copy and
 * need not wait for the store to be forwarded to a load. Memory is always right, so copies can be forgotten at any time: at calls
 * (which clobber xmm registers), when something else writes that state, and, where paths meet, what not all of them have alike.
 *
 * Loops. In a block that jumps back to its own beginning, state that is read before it is written is *pinned*: it has a register of its own, loaded
 * before the loop, and the jump back finds it there. So a sum that goes round the loop never waits for memory. Between, the register
 * may be stale, as any copy; then it is loaded anew before the jump.
 */
#ifndef X86_VCACHE_H
#define X86_VCACHE_H

#include <dbt/ir.h>

#define X86_VCACHE_REGS  8
#define X86_VCACHE_FIRST 8 /* xmm8 */
#define X86_VCACHE_PINS  5

struct x86_vcache {
    uint16_t off[X86_VCACHE_REGS];  /* byte offset from struct vcpu */
    uint8_t bytes[X86_VCACHE_REGS]; /* 4, 8, 16; 0: nothing */
    uint8_t next;                   /* to be replaced next */
    uint8_t n_pins;                 /* registers 0 .. n_pins - 1 are pinned, to: */
    uint16_t pin_off[X86_VCACHE_PINS];
    uint8_t pin_bytes[X86_VCACHE_PINS];
};

struct x86_emitter;

void x86_vcache_reset(struct x86_vcache *c);
/* Paths meet: keep what both have. */
void x86_vcache_meet(struct x86_vcache *c, const struct x86_vcache *other);
/* Choose what to pin in block b, whose first n instructions are a loop; forget everything else. */
void x86_vcache_pin(struct x86_vcache *c, const struct ir_block *b, uint32_t n);
/* Load the pinned registers that are stale: before the loop, and before the jump back. EFLAGS are kept. */
void x86_vcache_load_pins(struct x86_emitter *e);
/* State [off, off + bytes) changes. */
void x86_vcache_kill(struct x86_vcache *c, uint32_t off, unsigned bytes);
/* xmm register with the `bytes` at off (it may hold more above them), or -1. */
int x86_vcache_find(const struct x86_vcache *c, uint32_t off, unsigned bytes);
/* A register that from now on stands for them. */
unsigned x86_vcache_alloc(struct x86_vcache *c, uint32_t off, unsigned bytes);
/* State changes, and its new value is going to be computed in the register returned, which is its copy from now on. It may hold an operand: find
 * the registers of those before, and read none after it is written. */
unsigned x86_vcache_target(struct x86_vcache *c, uint32_t off, unsigned bytes);

/* What IR instruction `i`, about to be lowered, does to the copies; vector operations see to theirs themselves. */
void x86_vcache_before(struct x86_vcache *c, const struct ir_insn *i);
/* Load all copies anew, after a call in a path that joins one where they are valid. */
void x86_vcache_reload(struct x86_emitter *e, const struct x86_vcache *c);

#endif
