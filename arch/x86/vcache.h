/*
 * vcache.h: copies of guest vector registers in xmm registers, within a block.
 *
 * A vector operation leaves its result in one of xmm5-xmm15. A later operation on the same state takes it from there. `dirty` copies are
 * newer than CPU state in memory and are written back before something reads that from memory or changes part of it, before the register is
 * put to another use, where paths meet, and at exits. Guest accesses may fault with copies dirty: the fault point tells what to write
 * back; and cold code that calls a helper writes it back first. Others can be forgotten at any time.
 *
 * Loops. In a block that jumps back to its own beginning, state can be *pinned*: it has a register of its own, loaded before the loop, and
 * the jump back finds it there, dirty if the loop writes it. So neither a sum that goes round the loop nor what each round computes anew
 * goes through memory. Between, the register may be stale, as any copy; then it is loaded anew before the jump.
 */
#ifndef X86_VCACHE_H
#define X86_VCACHE_H

#include <dbt/ir.h>

#define X86_VCACHE_REGS   11
#define X86_VCACHE_FIRST  5 /* xmm5 - xmm15; number 0 is the last of these: */
#define X86_VCACHE_XMM(k) (15u - (k))
#define X86_VCACHE_PINS   8

struct x86_vcache {
    bool lazy;                      /* results stay in registers; otherwise memory is always right */
    uint16_t dirty;                 /* bit k: register k is newer than memory */
    uint16_t carried;               /* those that are at the head of the loop, pinned ones */
    uint16_t off[X86_VCACHE_REGS];  /* byte offset from struct vcpu */
    uint8_t bytes[X86_VCACHE_REGS]; /* 4, 8, 16; 0: nothing */
    uint8_t next;                   /* to be replaced next */
    uint8_t n_pins;                 /* registers 0 .. n_pins - 1 are pinned, to: */
    uint16_t pin_off[X86_VCACHE_PINS];
    uint8_t pin_bytes[X86_VCACHE_PINS];
};

struct vcpu;
struct x86_emitter;

/* What registers have and memory does not, as a fault point wants it (struct host_fault_point): offset | size code, 0 nothing. */
struct x86_vcache_set {
    uint16_t reg[X86_VCACHE_REGS];
};
struct x86_vcache_set x86_vcache_dirty(const struct x86_vcache *c);
void x86_vcache_store_set(struct x86_emitter *e, const struct x86_vcache_set *s);
/* The same at run time; `xmm`: all sixteen registers, 16 bytes each. */
void x86_vcache_restore(struct vcpu *v, const struct x86_vcache_set *s, const uint8_t *xmm);

/* None of these changes EFLAGS. */
void x86_vcache_write_back(struct x86_emitter *e);                           /* memory becomes right */
void x86_vcache_settle(struct x86_emitter *e, uint32_t off, unsigned bytes); /* in state [off, off + bytes) */
void x86_vcache_reset(struct x86_emitter *e);                                /* and all copies are forgotten */
/* Paths meet: keep what both have. Nothing is dirty. */
void x86_vcache_meet(struct x86_vcache *c, const struct x86_vcache *other);
/* Choose what to pin in block b, whose first n instructions are a loop; forget everything else. */
void x86_vcache_pin(struct x86_vcache *c, const struct ir_block *b, uint32_t n);
/* At the loop's head: pinned registers are loaded, and dirty as at the jump back. */
void x86_vcache_enter_loop(struct x86_emitter *e);
/* Nothing else is in the registers then. */
void x86_vcache_at_head(struct x86_vcache *c);
/* Before the jump back: load the pinned registers that are stale, write back what is dirty only here. */
void x86_vcache_close_loop(struct x86_emitter *e);
/* State [off, off + bytes) is going to change in memory, whatever it was. */
void x86_vcache_kill(struct x86_emitter *e, uint32_t off, unsigned bytes);
/* xmm register with the `bytes` at off (it may hold more above them), or -1. */
int x86_vcache_find(const struct x86_vcache *c, uint32_t off, unsigned bytes);
/* The same; when there is none, memory has them. */
int x86_vcache_operand(struct x86_emitter *e, uint32_t off, unsigned bytes);
/* State changes, and its new value is going to be computed in the register returned, which is its copy from now on. It may hold an operand:
 * find the registers of those before, and read none after it is written. What state was is lost to a fix-up. */
unsigned x86_vcache_target(struct x86_emitter *e, uint32_t off, unsigned bytes);
/* Its new value is there. */
void x86_vcache_written(struct x86_emitter *e, unsigned x);

/* Registers up to xmm `last` are going to be used for something else. */
void x86_vcache_release(struct x86_emitter *e, unsigned last);
/* What IR instruction `i`, about to be lowered, does to the copies; vector operations and accesses see to theirs themselves. */
void x86_vcache_before(struct x86_emitter *e, const struct ir_insn *i);
/* Load all copies anew, after a call in a path that joins one where they are valid. */
void x86_vcache_reload(struct x86_emitter *e, const struct x86_vcache *c);

#endif
