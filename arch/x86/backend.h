/*
 * backend.h: state of one compilation, shared by the files of the x86 back end.
 *
 * Values: eleven globals are pinned to host registers (regs.h), the other globals live in vcpu.gpr[]. rax, rcx and rdx hold temporaries and
 * cached copies of memory globals; memory globals are written through, so that memory is right at every fault; temporaries are written to
 * a spill slot when their register is needed or a local branch is crossed.
 *
 * Flags: each guest flag is valid in EFLAGS (`ef`), in memory (`mem`), in both or, when dead, in neither. EFLAGS.CF is C or, when
 * carry_inverted, !C. `need` are the flags whose current value is still wanted while the instruction at hand is lowered:
 * flags_clobber() saves those that only EFLAGS has.
 *
 * Code that is seldom run (exit stubs, guards of conditional exits, raising) is collected as `struct cold` and written after the block.
 */
#ifndef X86_BACKEND_H
#define X86_BACKEND_H

#include <arch/x86/emit.h>
#include <dbt/host.h>

#define MAX_COPIES      64  /* fix-ups that keep the copies of vector registers */
#define MAX_COLD        320 /* each is an exit, a local branch or a check; blocks of 64 guest instructions stay far below */
#define MAX_SETS        256 /* different sets of dirty vector registers */
#define MAX_BRANCHES    IR_MAX_LABELS
#define VCPU_OFF(field) ((uint32_t)offsetof(struct vcpu, field))

struct flag_state {
    uint8_t ef, mem;
    bool carry_inverted;
    uint8_t condition;     /* 1 + cc / 2 of a condition on flags in memory that EFLAGS still answers, or 0: */
    uint8_t condition_x86; /* it holds (the even one of the pair) when this does */
    bool float_compare;    /* EFLAGS are those of the (u)comis whose outcome the guest's flags in memory are */
};

/* What must agree where paths meet. */
struct path_state {
    struct flag_state flags;
    uint16_t scratch[X86_N_SCRATCH]; /* value in rax, rcx, rdx; IR_NONE = nothing */
};

struct temp {
    uint8_t slot;      /* spill slot or NO_SLOT */
    uint16_t last_use; /* index of the last instruction that reads it */
};
#define NO_SLOT 0xff

struct branch { /* a local branch whose label is ahead */
    uint32_t patch;
    uint16_t label;
    bool is_short;
    struct path_state state;
    struct x86_vcache copies;
};

enum cold_kind {
    COLD_STUB,       /* leave to the dispatcher: reason, exit id, pc = target */
    COLD_STUB_IND,   /* the same, pc = register */
    COLD_EXIT,       /* taken path of a conditional exit: save flags, poll, guard, jump */
    COLD_FLAGS_JUMP, /* save flags, then to `back` */
    COLD_ALIGN,      /* raise an alignment fault for reg + imm */
    COLD_SHIFT,      /* shift by register, amount >= 64: set the result, then back */
    COLD_RAISE,      /* call a helper that does not return */
    COLD_ALIAS,      /* look for the page of an access in vcpu.alias, then back */
    COLD_SOFT,       /* the same in vcpu.soft_tlb */
    COLD_LOOKUP,     /* to the address in `reg` through the jump cache; reg2 and imm are free registers */
    COLD_FIXUP,      /* call a vector operation's fix-up, then back */
};
#define NO_EXIT 0xffff

struct cold {
    uint8_t kind;
    uint8_t save; /* flags to save first */
    bool carry_inverted;
    uint8_t park; /* for flags_emit_save() */
    uint8_t reg, reg2;
    uint8_t reason;    /* enum vcpu_exit */
    uint16_t exit;     /* index of the host_exit, or NO_EXIT */
    uint32_t patch[2]; /* offsets of the displacements that lead here; 0 = none */
    uint32_t back;
    union {
        struct {
            uint32_t target, imm;
            uint32_t pc, restart; /* of the guest instruction */
            uint32_t executed;    /* guest instructions executed when the code gets here */
        };
        struct {                  /* COLD_ALIAS, COLD_SOFT */
            struct x86_mem m;     /* of the ordinary access, which begins at `ordinary` */
            uint32_t ordinary;
            uint32_t value;       /* what it stores, with has_value */
            uint16_t insn;        /* index of the IR instruction */
            uint16_t fault;       /* index of its fault point */
            uint8_t count;        /* how many accesses, from that one on */
            bool has_value;
        } lookup;
    };
    uint16_t dirty;       /* vector registers to write back first: a number from dirty_set() */
    uint8_t copies;       /* COLD_FIXUP: be.copies[] to load anew */
    ir_helper fn;
};

struct be {
    struct x86_emitter e;
    const struct ir_block *b;
    const struct host_trampolines *tramp;
    uint64_t cache_rx, rx; /* where the cache and this block execute */
    const struct host_compile_opts *opts;
    struct host_code *out;
    bool failed;     /* a limit was hit */
    bool long_jumps; /* no short local branches: second try */
    bool retry_long; /* a short local branch did not fit */
    bool peel;       /* a loop is written twice, if that spares something: loop.c */
    bool spared[IR_MAX_INSNS]; /* instructions left out of the second copy */

    uint32_t index;   /* of the IR instruction at hand */
    uint32_t skip_to; /* instructions before this one have been dealt with */
    bool state_fused; /* the LDE before this BRZ or BRNZ was left to it */
    uint32_t pc, restart, n_executed, n_guest;
    uint8_t live[IR_MAX_INSNS]; /* flags live after each instruction */
    uint8_t need, need_after;   /* need without what only this instruction reads */
    bool reachable;
    struct flag_state flags;

    uint16_t scratch[X86_N_SCRATCH];
    uint8_t dirty;  /* bit r: temporary in scratch r differs from its slot */
    uint8_t locked; /* bit r: in use by the instruction at hand */
    uint32_t slots; /* spill slots in use */
    struct temp temp[IR_MAX_TEMPS];

    uint32_t known[(IR_TEMP0 + IR_MAX_TEMPS + 31) / 32]; /* bit v: value v is the constant ... */
    uint32_t constant[IR_TEMP0 + IR_MAX_TEMPS];          /* ... that stands here; */
    uint32_t moving[(IR_TEMP0 + IR_MAX_TEMPS + 31) / 32]; /* bit v: it is an address that moves with the block */

    uint16_t label_pos[IR_MAX_LABELS];
    uint32_t n_branches;
    struct branch branch[MAX_BRANCHES];
    struct lookup_run {          /* words of a multiple transfer that one look for their page serves; see lookup.c */
        uint32_t end;            /* index of the IR instruction behind it */
        struct cold *cold;
        uint16_t scratch[X86_N_SCRATCH]; /* what they held when it began */
    } run;
    uint32_t n_cold;
    struct cold cold[MAX_COLD];
    uint32_t n_copies;
    struct x86_vcache copies[MAX_COPIES]; /* after operations with a fix-up */
    uint32_t n_sets;
    struct x86_vcache_set set[MAX_SETS];
};

/* An x86 operand: a register, or memory. */
struct opnd {
    bool is_reg;
    uint8_t reg;
    struct x86_mem m;
};

/* A number known at compile time; `moves`: an address that is another one in copies of the block. */
struct constant {
    uint32_t value;
    bool moves;
};

/* --- values.c: where values are -------------------------------------------------------------------------------- */
void values_init(struct be *be);
unsigned value_reg(struct be *be, uint16_t v);               /* register that holds v, X86_NOREG if none does */
struct opnd value_opnd(struct be *be, uint16_t v);           /* register if there is one, else memory; locks */
unsigned value_get(struct be *be, uint16_t v);               /* v in some register, not to be changed; locks */
void value_copy_to(struct be *be, unsigned reg, uint16_t v); /* mov reg, v */
bool value_dies(const struct be *be, uint16_t v);            /* a temporary read for the last time by this instruction */
bool value_read_soon(const struct be *be, uint16_t v);       /* by one of the next few instructions */
unsigned scratch_alloc(struct be *be);                       /* a free register; locked */
unsigned scratch_alloc_keeping(struct be *be, unsigned a, unsigned b);
void scratch_save_live(struct be *be);          /* temporaries read later go to their slots, and stay in registers too */
void scratch_take(struct be *be, unsigned reg); /* that register; locked */
void scratch_flush(struct be *be);              /* before all three are clobbered: save temporaries, forget everything */
void scratch_unlock(struct be *be, unsigned reg);
unsigned def_begin(struct be *be, uint16_t d);            /* register to compute d in: must not be a source still needed */
unsigned def_from(struct be *be, uint16_t d, uint16_t a); /* the same, holding a's value already; a's own register if it may go */
void def_end(struct be *be, uint16_t d, unsigned reg);    /* d's value is in reg */
void def_constant(struct be *be, uint16_t d, struct constant c); /* d = c */
bool value_is_mem(const struct be *be, uint16_t v);       /* a memory global without a register copy */
struct x86_mem global_mem(uint16_t v);
void value_changed_in_memory(struct be *be, uint16_t v); /* vcpu.gpr[v] was changed in place: forget copies */
void values_end_insn(struct be *be);                     /* unlock, free dead temporaries */
void values_write_back(struct be *be, uint32_t beyond);  /* temporaries live after IR index `beyond` go to their slots */

void value_forget_register(struct be *be, uint16_t v); /* v is about to be redefined elsewhere */

/* --- fold.c: constants ------------------------------------------------------------------------------------------------- */
void constants_forget_all(struct be *be);
bool constant_of(const struct be *be, uint16_t v, uint32_t *value); /* is v known, wherever the block is, and what is it? */
bool constant_here(const struct be *be, uint16_t v, struct constant *c); /* is v known, and what is it where the block is now? */
/* Fold constants into `i`, a copy of the instruction at hand. False: no code is needed for it. */
bool constants_apply(struct be *be, struct ir_insn *i);
/* After its code: note what it changed. */
void constants_note_results(struct be *be, const struct ir_insn *i);

/* --- flags.c ------------------------------------------------------------------------------------------------------ */
/* Bytes of vcpu.flags */
#define FLAGS_V  (VCPU_OFF(flags))
#define FLAGS_C  (VCPU_OFF(flags) + 1)
#define FLAGS_NZ (VCPU_OFF(flags) + 3) /* bits 7 and 6 */

bool flags_wanted(const struct be *be);        /* EFLAGS holds something still needed: prefer forms that keep it */
void flags_forget(struct be *be);              /* EFLAGS hold nothing any more */
void flags_clobber(struct be *be);             /* about to change EFLAGS: save needed flags, forget the rest */
void flags_save(struct be *be, uint8_t which); /* make those valid in memory (they stay valid in EFLAGS) */
/* `save`, and with one of N and Z the other too where that does no harm: both are stored at once. live: what must be right afterwards. */
uint8_t flags_with_both_nz(const struct flag_state *f, uint8_t save, uint8_t live);
/* park: where rax is kept meanwhile; X86_NOREG: nowhere, it is free; X86_RAX: on the stack. */
void flags_emit_save(struct x86_emitter *e, uint8_t which, bool carry_inverted, unsigned park);
void flags_set(struct be *be, uint8_t which, bool carry_inverted); /* after an instruction: EFLAGS now has these, fresh */
void flags_set_mem(struct be *be, uint8_t which);                  /* memory now has these, fresh */
void flags_carry_in(struct be *be, bool inverted);                 /* CF = C, or !C when inverted */
enum x86_cc flags_condition(struct be *be, enum ir_cc cc);         /* x86 condition that is true when cc holds, EFLAGS made ready */

/* --- shift.c --------------------------------------------------------------------------------------------------------- */
bool flex_is_shifted(const struct ir_insn *i);
/* Value of flex(b) of `i`, not immediate, in an operand not to be changed. want_carry: the carry out of the shift goes to memory. */
struct opnd flex_opnd(struct be *be, const struct ir_insn *i, bool want_carry);
unsigned flex_reg(struct be *be, const struct ir_insn *i, bool want_carry); /* the same in a register */
/* reg = b shifted by a constant, as `i` says; reg may be b's own. keep: EFLAGS must survive. Upper half of reg is not defined with keep. */
void shift_const(struct be *be, unsigned reg, const struct ir_insn *i, bool keep);
/* The same with CF = carry out; for LSL, LSR, ASR by 1..31 SF and ZF are the result's as well. EFLAGS have been given up. */
void shift_const_carry(struct be *be, unsigned reg, const struct ir_insn *i);

/* --- exit.c, control.c -------------------------------------------------------------------------------------------- */
struct cold *cold_new(struct be *be, enum cold_kind kind, uint32_t patch);
void cold_emit_all(struct be *be);
void retired_emit(struct be *be);

/* --- call.c ---------------------------------------------------------------------------------------------------------- */
#define CALL_RAISES 1u /* vcpu.pc and restart are set, the budget is exact while the helper runs */
#define CALL_FULL   2u /* guest registers are in memory during the call and read back after it */
#define CALL_MOVES  4u /* the helper sets pc and restart word for good: an exit follows that leaves them alone */
/* edx = a, ecx = b (IR_NONE: 0); temporaries saved, nothing left in scratch registers. Clobbers EFLAGS. */
void call_args(struct be *be, uint16_t a, uint16_t b);
void call_args_opnd(struct be *be, struct opnd a, uint16_t b); /* the same with the first argument in a register */
/* Call fn(vcpu, edx, ecx, imm, imm2); the result is in eax. EFLAGS and scratch registers have been given up. */
void call_emit(struct be *be, unsigned how, ir_helper fn, uint32_t imm, uint32_t imm2);
void call_thunk(struct be *be, bool full, ir_helper fn, uint32_t imm, uint32_t imm2);
void store_pc(struct be *be, uint32_t pc, uint32_t restart); /* may change rax */
/* Counting: give the instructions after the first `executed` back to the budget, or take them again. Clobbers EFLAGS. */
void budget_give_back(struct be *be, uint32_t executed);
void budget_take(struct be *be, uint32_t executed);
static inline bool counting(const struct be *be)
{
    return be->opts->engine_flags & ENGINE_COUNT_INSNS;
}
static inline bool chaining(const struct be *be)
{
    return !(be->opts->engine_flags & ENGINE_NO_CHAIN);
}

/* --- one function per IR operation ----------------------------------------------------------------------------------- */
void lower_add(struct be *be, const struct ir_insn *i);
void lower_sub(struct be *be, const struct ir_insn *i);
void lower_rsb(struct be *be, const struct ir_insn *i);
void lower_carry(struct be *be, const struct ir_insn *i);
void lower_logic(struct be *be, const struct ir_insn *i);
void lower_bic(struct be *be, const struct ir_insn *i);
void lower_orn(struct be *be, const struct ir_insn *i);
void lower_mov(struct be *be, const struct ir_insn *i);
void lower_shift_reg(struct be *be, const struct ir_insn *i);
void lower_mul(struct be *be, const struct ir_insn *i);
void lower_mull(struct be *be, const struct ir_insn *i);
void lower_mlal(struct be *be, const struct ir_insn *i);
void lower_udiv(struct be *be, const struct ir_insn *i);
void lower_sdiv(struct be *be, const struct ir_insn *i);
void lower_clz(struct be *be, const struct ir_insn *i);
void lower_lanes(struct be *be, const struct ir_insn *i);
void lower_rbit(struct be *be, const struct ir_insn *i);
void lower_rev(struct be *be, const struct ir_insn *i);
void lower_extend(struct be *be, const struct ir_insn *i);
void lower_bfx(struct be *be, const struct ir_insn *i);
void lower_bfi(struct be *be, const struct ir_insn *i);
void lower_sel(struct be *be, const struct ir_insn *i);
void lower_getf(struct be *be, const struct ir_insn *i);
void lower_setf(struct be *be, const struct ir_insn *i);
void lower_ldf(struct be *be, const struct ir_insn *i);
void lower_lde(struct be *be, const struct ir_insn *i);
void lower_ste(struct be *be, const struct ir_insn *i);
void lower_ld(struct be *be, const struct ir_insn *i);
void lower_st(struct be *be, const struct ir_insn *i);
void lower_ldv(struct be *be, const struct ir_insn *i);
void lower_stv(struct be *be, const struct ir_insn *i);
void lower_align(struct be *be, const struct ir_insn *i);
void lower_ldx(struct be *be, const struct ir_insn *i);
void lower_stx(struct be *be, const struct ir_insn *i);
void lower_vop(struct be *be, const struct ir_insn *i);
void lower_call(struct be *be, const struct ir_insn *i);
void lower_label(struct be *be, const struct ir_insn *i);
void lower_br(struct be *be, const struct ir_insn *i);
void lower_brcc(struct be *be, const struct ir_insn *i);
void lower_brz(struct be *be, const struct ir_insn *i);
void lower_exit(struct be *be, const struct ir_insn *i);
void lower_exit_cc(struct be *be, const struct ir_insn *i);
void lower_exit_z(struct be *be, const struct ir_insn *i);
void lower_exit_ind(struct be *be, const struct ir_insn *i);
void lower_exit_lookup(struct be *be, const struct ir_insn *i);
void lower_guard(struct be *be, const struct ir_insn *i);
void lower_exit_raised(struct be *be, const struct ir_insn *i);

/* --- lookup.c: accesses that look for their page -------------------------------------------------------------------------- */
static inline unsigned access_size(const struct ir_insn *i) { return i->mem & IR_MEM_SIZE; }
void access_load(struct x86_emitter *e, const struct ir_insn *i, unsigned r, struct x86_mem m); /* r = [m], as `i` says */
void access_store(struct x86_emitter *e, const struct ir_insn *i, unsigned r, struct x86_mem m);
void access_vector_load(struct x86_emitter *e, unsigned size, unsigned x, struct x86_mem m); /* 4, 8 or 16 bytes */
void access_vector_store(struct x86_emitter *e, unsigned size, struct x86_mem m, unsigned x);
/* Before the ordinary access `i` to m: jump to the lookup if there is one. NULL: there is none, or that of the run's first word serves. */
struct cold *lookup_begin(struct be *be, const struct ir_insn *i, struct x86_mem m);
/* The ordinary access has been emitted; reg: what it loads or stores, of vectors an xmm register. */
void lookup_end(struct be *be, const struct ir_insn *i, struct cold *c, unsigned reg);
/* Instead of the two: at the fault point just made is an access that cannot look for its page. */
void lookup_none(struct be *be, const struct ir_insn *i);
void lookup_run_end(struct be *be); /* behind each word of a run: behind the last one it ends */
extern const uint8_t x86_soft_reg[SOFT_REGS]; /* that lookups of the software TLB exist for */
void alias_emit(struct be *be, const struct cold *c); /* code of a COLD_ALIAS */
void soft_emit(struct be *be, const struct cold *c);  /* code of a COLD_SOFT */

/* The 32-bit word at offset `at` has to be changed in copies of the code. */
void move_note(struct be *be, uint32_t at, enum host_move_kind kind);
/* reg = c */
void constant_load(struct be *be, unsigned reg, struct constant c);

/* loop.c: find the checks that need not be made again in the loop, the first `loop` instructions (be->spared). False: none. */
bool loop_find_spared(struct be *be, uint32_t loop);

/* Record that the host instruction at the current position may fault on a guest access. */
void fault_point(struct be *be);
/* An instruction with the guest address m has been emitted. */
void address_moves(struct be *be, struct x86_mem m);

/* A number for the set: 1 and up, 0 for the empty one. */
uint16_t dirty_number(struct be *be, const struct x86_vcache_set *s);
uint16_t dirty_now(struct be *be);
/* Write back the vector registers of set `n`; where the code does not go on with them. */
void dirty_store(struct be *be, uint16_t n);
/* Behind all code: the sets that fault points name. */
void dirty_emit_sets(struct be *be);

/* --- small forms on operands ------------------------------------------------------------------------------------------ */
static inline void alu_ro(struct be *be, enum x86_alu op, unsigned d, struct opnd s)
{
    if (s.is_reg)
        x86_alu_rr(&be->e, op, 4, d, s.reg);
    else
        x86_alu_rm(&be->e, op, 4, d, s.m);
}

static inline void mov_ro(struct be *be, unsigned d, struct opnd s)
{
    if (!s.is_reg)
        x86_mov_rm(&be->e, 4, d, s.m);
    else if (s.reg != d)
        x86_mov_rr(&be->e, 4, d, s.reg);
}

#endif
