/*
 * host.h: what the translator core asks of the host architecture (implemented in arch/x86/).
 *
 * Host register use in translated code:
 *   r15        struct vcpu + VCPU_BIAS
 *   GS base    window of the current view; a guest access is `op gs:[addr32]` (0x67 prefix: 32-bit wrap for free)
 *   rsp        host stack, 16-byte aligned at calls of helpers
 *   rax rcx rdx           scratch and temporaries
 *   the other eleven      guest r0-r8, sp, lr (arch/x86/regs.h has the table)
 *   xmm0-xmm4  scratch within one IR operation
 *   xmm5-xmm15 vector registers of the guest, within one block (arch/x86/vcache.h)
 *   MXCSR      guest floating-point environment as vcpu-owned code set it; helpers that need another save and restore
 */
#ifndef DBT_HOST_H
#define DBT_HOST_H

#include <dbt/ir.h>
#include <dbt/vcpu.h>

/* General registers by x86 number (rax rcx rdx rbx rsp rbp rsi rdi r8..r15) at a fault in translated code. */
struct host_fault_ctx {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    uint64_t fault_addr;
    uint32_t is_write;
    uint32_t pad;
    const uint8_t *vector; /* xmm0 .. xmm15, 16 bytes each */
    uint64_t pad2;
};

#define HOST_MAX_EXITS  64
#define HOST_MAX_FAULTS 1024

struct host_exit {          /* a chainable exit */
    uint32_t target;        /* guest address, bit 0 = Thumb */
    uint32_t patch;         /* code offset of the 32-bit displacement of the final jmp/jcc, or of the lea that gives the return stack its address */
    uint32_t stub;          /* code offset of the stub the displacement leads to when unlinked */
    bool loop;              /* when it is linked to its own block, then to loop_head */
    uint32_t guard;         /* code offset of the immediate of the cross-page guard, or 0: same page, no guard. It is 64 bits of itlb_entry(), or the
                             * lower 32 in position-independent code. */
};

struct host_fault_point {   /* an instruction that may fault */
    uint16_t code_off;      /* offset of the host instruction within the block */
    uint16_t ordinary;      /* of a lookup in vcpu.soft_tlb: offset of the access by the window, to be made instead */
    uint32_t pc;            /* guest instruction, bit 0 = Thumb */
    uint32_t restart;
    uint8_t eflags_mask;    /* guest flags (IR_NZCV bits) that are in EFLAGS here; the others are in memory */
    uint8_t carry_inverted : 1; /* EFLAGS.CF = !C */
    uint8_t alias : 1;          /* vcpu.alias had nothing for the address */
    uint8_t soft : 1;           /* the instruction is known for faults: made with IR_MEM_SOFT */
    uint8_t pic : 1;            /* pc counts from vcpu.pic_page */
    uint8_t write : 1;          /* of a lookup: the access is a write ... */
    uint8_t bytes;              /* ... of that many bytes */
    uint8_t unexecuted;         /* guest instructions of the block that follow this one; given back by host_restore_state() when counting */
    uint16_t vectors;           /* code offset of what vector registers have and memory does not, or 0 */
};

/* What has to be changed in a copy of a block's code: 32-bit words. */
enum host_move_kind {
    HOST_MOVE_PC,   /* a guest address */
    HOST_MOVE_OUT,  /* a displacement to somewhere outside the block */
    HOST_MOVE_EXIT, /* the number of an exit */
};
#define HOST_MAX_MOVES 512

struct host_move {
    uint16_t at;  /* offset in the code */
    uint8_t kind; /* enum host_move_kind */
};

struct host_code {
    uint32_t size;
    bool fixed;             /* depends on its address in other ways, or in too many places, too: not to be copied */
    uint32_t n_moves;
    uint32_t loop_head;     /* code offset where `loop` exits enter the block */
    uint32_t retired;       /* of position-independent code: offset of what its head leads to when the block has gone */
    uint32_t n_exits, n_faults;
    struct host_exit exit[HOST_MAX_EXITS];
    struct host_fault_point fault[HOST_MAX_FAULTS];
    struct host_move move[HOST_MAX_MOVES];
};

struct host_compile_opts {
    uint32_t engine_flags;  /* ENGINE_COUNT_INSNS, ENGINE_NO_CHAIN */
    uint32_t first_exit_id; /* exit k stores first_exit_id + k in vcpu.exit_id */
    uint32_t alias_start;   /* guest address that vcpu.alias[0] stands for; IR_MEM_ALIAS asks for it */
    bool pic;               /* position-independent: b->pc is a place in a page, all that moves (dbt/ir.h) counts from vcpu.pic_page */
};

/*
 * vcpu.soft_miss is called with the registers of the access in ctx (rflags and fault_addr hold nothing) and ctx->rip at a fault point that is
 * a lookup of vcpu.soft_va. It may do what the handler of a fault may, or have the access made in the window; or it leaves rip alone and puts the
 * host address of what is accessed into vcpu.soft_host.
 */

/* A lookup leaves accesses that begin fewer bytes than this before the end of a page to soft_miss, and accesses of more bytes do not use it. */
#define SOFT_LIMITS 3u
static inline unsigned soft_limit(unsigned k) { return 4u << 2 * k; }
#define SOFT_REGS 5u /* a lookup for each register that may hold the address */

/* Code-cache prologue: trampolines and helper thunks, written once at the start of the cache; see arch/x86/trampoline.c. */
struct host_trampolines {
    uint32_t enter;     /* offsets from the start of the cache */
    uint32_t exit;      /* translated code jumps here with exit_reason set: stores pinned registers, returns from enter */
    uint32_t unwind;    /* like exit, but guest registers are in memory already (raise from helper or fault) */
    uint32_t leave[6];  /* by enum vcpu_exit: eax = pc, for LINK ecx = exit_id; stores them and the reason, then exit */
    uint32_t no_return; /* where empty entries of the return stack lead */
    uint32_t call_full; /* rax = helper: saves and reloads all pinned registers around the call */
    uint32_t call_pure; /* rax = helper: keeps pinned registers, does not publish them */
    uint32_t soft_lookup[SOFT_REGS][2][SOFT_LIMITS]; /* by register, whether it writes, limit; see arch/x86/trampoline.c */
    uint32_t soft_miss; /* what they call: gives vcpu.soft_miss all registers, as a fault would, and goes where that says */
    uint32_t size;
};

/* What translated code expects in a new vcpu. */
void host_init_vcpu(struct vcpu *v);

/* Write the trampolines to `rw` (executed at `rx`). Returns their size in bytes. */
uint32_t host_write_trampolines(uint8_t *rw, uint64_t rx, uint32_t cap, struct host_trampolines *out);

/*
 * Compile. `rw` is where to write, `rx` where the code will run, cap the room there. Returns 0, or -1 when the room or the
 * limits above do not suffice (the caller retries with a shorter block or an emptier cache).
 */
int host_compile(const struct ir_block *b, const struct host_trampolines *t, uint64_t cache_rx, uint8_t *rw, uint64_t rx, uint32_t cap,
                 const struct host_compile_opts *opts, struct host_code *out);

/* (Un)link an exit: make the displacement at `patch_rw` (which executes at patch_rx) lead to host address `to`. */
void host_patch_jump(uint8_t *patch_rw, uint64_t patch_rx, uint64_t to);
void host_patch_guard(uint8_t *guard_rw, uint64_t itlb_value);
/* The same in position-independent code. HOST_PIC_GUARD_NONE as the lower half: it fails. */
void host_patch_pic_guard(uint8_t *guard_rw, uint32_t itlb_low);
#define HOST_PIC_GUARD_NONE 0x7fffffffu
/* Whoever enters the position-independent code at `rw` (which executes at rx) goes to the dispatcher from now on. The rest of it stays. */
void host_retire(uint8_t *rw, uint64_t rx, uint32_t retired);

/*
 * The code at `rw` is a copy of a block's: `pc_by` further on in guest memory, `code_by` in host memory, its exits' numbers `exit_by` higher. What
 * belongs to exits that are linked, and guards, are the caller's.
 */
void host_move_code(uint8_t *rw, const struct host_move *moves, uint32_t n, uint32_t pc_by, uint32_t code_by, uint32_t exit_by);
/* A guard as compiled for an exit to `target`: it fails. */
void host_reset_guard(uint8_t *guard_rw, uint32_t target);

/* Run translated code at `code` until it exits; returns vcpu.exit_reason. */
uint32_t host_enter(struct vcpu *v, const struct host_trampolines *t, uint64_t cache_rx, uint64_t code);

/* Leave a helper (called from translated code) for the dispatcher, with exit_reason VCPU_EXIT_RAISED; guest registers in memory are the truth. */
_Noreturn void host_unwind(struct vcpu *v);

/* Copy guest registers and flags of a fault point from the host context to the vcpu, and set vcpu.pc, vcpu.restart. */
void host_restore_state(struct vcpu *v, const struct host_fault_ctx *ctx, const struct host_fault_point *p);

/* Make the faulting context resume at the unwind trampoline: exit_reason must be set by the caller. */
void host_resume_unwind(struct vcpu *v, const struct host_trampolines *t, uint64_t cache_rx, struct host_fault_ctx *ctx);

#endif
