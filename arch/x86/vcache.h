/*
 * vcache.h: copies of guest vector registers in xmm registers, within a block.
 *
 * A vector operation writes its result to CPU state and leaves a copy in one of xmm8-xmm15. A later operation on the same state takes the copy and
 * need not wait for the store to be forwarded to a load. Memory is always right, so copies can be forgotten at any time: at labels, at calls
 * (which clobber xmm registers), and when something else writes that state.
 */
#ifndef X86_VCACHE_H
#define X86_VCACHE_H

#include <dbt/ir.h>

#define X86_VCACHE_REGS  8
#define X86_VCACHE_FIRST 8 /* xmm8 */

struct x86_vcache {
    uint16_t off[X86_VCACHE_REGS];  /* byte offset from struct vcpu */
    uint8_t bytes[X86_VCACHE_REGS]; /* 4, 8, 16; 0: nothing */
    uint8_t next;                   /* to be replaced next */
};

struct x86_emitter;

void x86_vcache_reset(struct x86_vcache *c);
/* State [off, off + bytes) changes. */
void x86_vcache_kill(struct x86_vcache *c, uint32_t off, unsigned bytes);
/* xmm register with the `bytes` at off (it may hold more above them), or -1. */
int x86_vcache_find(const struct x86_vcache *c, uint32_t off, unsigned bytes);
/* A register that from now on stands for them. */
unsigned x86_vcache_alloc(struct x86_vcache *c, uint32_t off, unsigned bytes);

/* What IR instruction `i`, about to be lowered, does to the copies; vector operations see to theirs themselves. */
void x86_vcache_before(struct x86_vcache *c, const struct ir_insn *i);
/* LDV: what it loaded is in xmm `x`. */
void x86_vcache_loaded(struct x86_emitter *e, const struct ir_insn *i, unsigned x);
/* Load all copies anew, after a call in a path that joins one where they are valid. */
void x86_vcache_reload(struct x86_emitter *e, const struct x86_vcache *c);

#endif
