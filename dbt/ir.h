/*
 * ir.h: the intermediate representation of one guest block.
 *
 * Straight-line code of 32-bit operations with forward local branches. *Values* are numbers:
 *   0 .. IR_GLOBALS-1       guest general registers (vcpu.gpr[n]); they live across blocks, most of them in fixed host registers
 *   IR_TEMP0 ..             temporaries of the block; defined before used, on every path; may be redefined; a temporary must not be
 *                           live across a LABEL that can be reached by a branch unless it was defined before that branch
 *   IR_NONE                 absent: no destination, or "use the immediate"
 *
 * Flags. One implicit set of guest flags N Z C V with "carry = no borrow" convention. An op defines those in `fset`
 * (flag liveness clears bits nobody reads). Flags not in fset keep their values, whatever the host instruction does.
 *
 * Faults. Memory ops and CALLs with IR_CALL_RAISE can leave the block in the middle: everything a guest instruction
 * wrote to globals before that point is visible. So the front end orders each guest instruction such that it can be
 * restarted: all accesses first, base write-back and loads into address registers last (through temporaries).
 *
 * Example, ARM `ldr r0, [r1, r2, lsl #2]!` at 0x8000 followed by `bne 0x9000`:
 *     INSN   imm=0x8000
 *     LD     d=0 a=1 b=2 shift=LSL shamt=2 mem=4
 *     ADD    d=1 a=1 b=2 shift=LSL shamt=2
 *     INSN   imm=0x8004
 *     EXIT_CC cc=NE imm=0x9000
 *     EXIT   imm=0x8008
 */
#ifndef DBT_IR_H
#define DBT_IR_H

#include <armlet/base.h>

#define IR_GLOBALS 15u /* r0-r14 */
#define IR_TEMP0   16u
#define IR_NONE    0xffffu

#define IR_MAX_INSNS  1536
#define IR_MAX_TEMPS  512
#define IR_MAX_LABELS 160
#define IR_MAX_GUEST_INSNS 64

/* fset bits; also the layout of packed flags (shifted left by 28) */
#define IR_V 1u
#define IR_C 2u
#define IR_Z 4u
#define IR_N 8u
#define IR_NZ (IR_N | IR_Z)
#define IR_NZC (IR_N | IR_Z | IR_C)
#define IR_NZCV 15u

enum ir_cc { /* carry = no borrow; numbering as ARM's condition field */
    IR_EQ, IR_NE, IR_CS, IR_CC, IR_MI, IR_PL, IR_VS, IR_VC, IR_HI, IR_LS, IR_GE, IR_LT, IR_GT, IR_LE, IR_AL,
};

enum ir_shift { IR_LSL, IR_LSR, IR_ASR, IR_ROR, IR_RRX };

/*
 * "flex(b)": b == IR_NONE ? imm : shift(b, shift kind, shamt). shamt 0 = unshifted (kind LSL); LSL 0..31, LSR and ASR 1..32, ROR 1..31,
 * RRX shifts in the C flag (reads C).
 */
enum ir_op {
    IR_OP_NOP,
    IR_OP_INSN, /* a guest instruction begins: imm = pc (bit 0 = Thumb), imm2 = restart word */

    /* data processing: d = a op flex(b); d may be IR_NONE (compare). N,Z,C,V by ARM's rules. */
    IR_OP_ADD, IR_OP_ADC, IR_OP_SUB, IR_OP_SBC, IR_OP_RSB, IR_OP_RSC,
    /* logical: N,Z of the result; C in fset = carry out of the shift of flex(b) (then shamt != 0 or RRX); V never in fset */
    IR_OP_AND, IR_OP_ORR, IR_OP_EOR, IR_OP_BIC, IR_OP_ORN,
    IR_OP_MOV, IR_OP_MVN, /* d = flex(b), ~flex(b) */
    /* shift by register: amount = b & 0xff, any value 0..255, ARM results for >= 32; fset may have N,Z,C; C unchanged for amount 0 */
    IR_OP_LSLR, IR_OP_LSRR, IR_OP_ASRR, IR_OP_RORR, /* d = a shifted by b */

    IR_OP_MUL,   /* d = a * b; fset N,Z */
    IR_OP_UMULL, /* d2:d = a * b (d2 = high half; d != d2); fset N (bit 63), Z (all 64 bits) */
    IR_OP_SMULL,
    IR_OP_UMLAL, /* d2:d += a * b */
    IR_OP_SMLAL,
    IR_OP_LANES, /* d = the four bytes or two half-words of a and b by imm2 = enum ir_lanes */
    IR_OP_UDIV, IR_OP_SDIV, /* d = a / b; x / 0 = 0; INT_MIN / -1 = INT_MIN */
    IR_OP_CLZ, IR_OP_RBIT, IR_OP_REV, IR_OP_REV16, IR_OP_REVSH, /* d = f(a) */
    IR_OP_UXTB, IR_OP_UXTH, IR_OP_SXTB, IR_OP_SXTH, /* d = extend(flex(b)), shift ROR 0/8/16/24 or any flex */
    IR_OP_UBFX, IR_OP_SBFX, /* d = a<imm+imm2-1 : imm>; imm = lsb, imm2 = width, lsb+width <= 32 */
    IR_OP_BFI,   /* d<imm+imm2-1 : imm> = a<imm2-1 : 0>; other bits of d kept */
    IR_OP_SEL,   /* d = cc ? a : b (b value or imm) */

    /* flags */
    IR_OP_GETF,  /* d = NZCV << 28 */
    IR_OP_SETF,  /* flags in fset from bits 31..28 of flex(b) */
    IR_OP_LDF,   /* all four flags from a word in the form of vcpu.flags at vcpu offset imm; fset = NZCV */

    /* CPU state (byte offset imm from struct vcpu; mem = size 1, 2 or 4, zero-extended) */
    IR_OP_LDE, /* d = state[imm] */
    IR_OP_STE, /* state[imm] = a, or imm2 when a is IR_NONE */

    /* Guest memory at (a + (b << shamt) + imm) mod 2^32; b may be IR_NONE; shamt 0..3; a may be IR_NONE (address = imm).
     * mem = size | IR_MEM_*. LD: d = loaded, zero- or sign-extended. ST: stores d (a read), low bits. */
    IR_OP_LD, IR_OP_ST,
    /* 4, 8 or 16 bytes between guest memory and CPU state at offset imm2; address as above */
    IR_OP_LDV, IR_OP_STV,
    /* Raise an alignment fault for address a + imm unless (a + imm) & (imm2 & 0xff) == 0; imm2 bit 31: it is a write */
    IR_OP_ALIGN,
    /* Exclusives. LDX: d (and d2, the high word, for mem=8) = [a]; opens the monitor. STX: if the monitor holds address a and memory still
     * has the value seen, store b (and d2 high word for mem=8), d = 0; else d = 1. Either way the monitor is cleared.
     * Alignment has been checked. mem may carry IR_MEM_SLOW. */
    IR_OP_LDX, IR_OP_STX,

    /* d = fn(vcpu, a, b, imm, imm2); a, b IR_NONE pass 0. mem = IR_CALL_* */
    IR_OP_CALL,

    /* SIMD and floating point on CPU state: see ir_vop.h. vop in imm2's low 16 bits.. d, a, b are NOT values here: */
    IR_OP_VOP, /* state[d] = vop(state[a], state[b]): byte offsets from struct vcpu; imm = immediate operand, mem = element/vector size per vop */

    /* First in a block whose code goes on in another page: leave through the dispatcher unless the view fetches page imm (a guest address) from the
     * physical page number imm2. */
    IR_OP_GUARD,

    /* local control flow, forward only */
    IR_OP_LABEL, /* imm = label number */
    IR_OP_BR,    /* imm = label */
    IR_OP_BRCC,  /* if cc goto imm */
    IR_OP_BRZ, IR_OP_BRNZ, /* if a == 0 / != 0 goto imm */

    /* leaving the block; a block ends with an unconditional one. Targets: bit 0 = Thumb. */
    IR_OP_EXIT,    /* to imm; chainable. mem = IR_IND_CALL: imm2 is where the callee returns to */
    IR_OP_EXIT_CC, /* if cc: to imm; chainable */
    IR_OP_EXIT_Z, IR_OP_EXIT_NZ, /* if a == 0 / != 0: to imm; chainable */
    IR_OP_EXIT_IND,  /* to the address in a; mem = IR_IND_* hint; imm2 as for EXIT */
    IR_OP_EXIT_LOOKUP, /* to imm through the dispatcher: CPU state that blocks are specialised on may have changed */
    IR_OP_EXIT_RAISED, /* vcpu.pc and the rest of the state are set (by a CALL before): through the dispatcher */

    IR_OP_COUNT
};

/* mem field of loads and stores */
#define IR_MEM_SIZE   0x1f /* 1, 2, 4, 8, 16 */
#define IR_MEM_SIGNED 0x20
#define IR_MEM_BE     0x40 /* big-endian data */
#define IR_MEM_SLOW   0x80 /* through guest_mem_read/guest_mem_write: device access expected */
#define IR_MEM_USER   0x100 /* with the rights of an unprivileged access (LDRT/STRT); always slow in privileged blocks */
#define IR_MEM_ALIAS  0x400 /* looks for the address in vcpu.alias first; exclusives do not */
#define IR_MEM_SOFT   0x800 /* looks for the page in vcpu.soft_tlb first; exclusives do not */
#define IR_MEM_ALIGN  0x200 /* natural alignment required (slow path checks too) */

/* mem field of CALL */
#define IR_CALL_RAISE    0x01 /* may raise: vcpu.pc and vcpu.restart are set to this guest instruction's first, all globals are in memory */
#define IR_CALL_NORETURN 0x02 /* always raises; ends the block */
#define IR_CALL_RFLAGS   0x04 /* reads guest flags: they are in memory */
#define IR_CALL_WFLAGS   0x08 /* changes guest flags in memory */
#define IR_CALL_GPR      0x10 /* reads or changes globals in memory (vcpu.gpr) */
/* A CALL with none of these only computes. RAISE implies that globals and flags can be read by the exception path. */

#define IR_IND_RETURN 1 /* function return */
#define IR_IND_CALL   2

/*
 * What LANES does to each lane. UADD and USUB wrap and store to state[imm] (4 bytes) a mask of the lanes that did not carry, that did borrow. The Q ones
 * saturate to signed, the UQ ones to unsigned range. USAD8: d = sum of the bytes' absolute differences.
 */
enum ir_lanes {
    IR_LANES_UADD8, IR_LANES_USUB8, IR_LANES_UADD16, IR_LANES_USUB16,
    IR_LANES_QADD8, IR_LANES_QSUB8, IR_LANES_QADD16, IR_LANES_QSUB16,
    IR_LANES_UQADD8, IR_LANES_UQSUB8, IR_LANES_UQADD16, IR_LANES_UQSUB16,
    IR_LANES_USAD8,
    IR_LANES_COUNT
};

/*
 * Blocks move. The code of a page that is mapped at several addresses is compiled once and copied (dbt/copy.c), or compiled for all of
 * them, the pc a place in the page (dbt/pic.c). So whatever depends on the address it was compiled for has to be marked: `moves` in a MOV or
 * SEL of such an address, and in a memory access whose imm counts from the pc. The targets of exits and the pc of INSN always move. Nothing
 * but these, and sums of them with constants, may depend on more of the block's address than its place in the page.
 */
typedef uint32_t (*ir_helper)(void *cpu, uint32_t a, uint32_t b, uint32_t imm, uint32_t imm2);

struct ir_insn {
    uint8_t op;    /* enum ir_op */
    uint8_t fset;  /* IR_NZCV bits this op defines */
    uint8_t cc;    /* enum ir_cc, where the op has one */
    uint8_t shift; /* enum ir_shift */
    uint8_t shamt : 7;
    uint8_t moves : 1; /* imm is an address in, or counted from, the block: see below */
    uint8_t resume; /* of guest memory accesses: flags that must hold at a fault, see below */
    uint16_t mem;
    uint16_t d, d2, a, b;
    uint32_t imm, imm2;
    ir_helper fn;
};

struct ir_block {
    uint32_t pc;       /* guest address of the first instruction, bit 0 = Thumb */
    uint32_t flags;    /* what the block is specialised on; also the jump-cache tag of its indirect exits */
    uint32_t size;     /* bytes of guest code covered, from pc & ~1 (contiguous) */
    uint32_t n_guest;  /* guest instructions */
    uint16_t n_temps;
    uint16_t n_labels;
    uint32_t n;
    uint8_t live_out;  /* flags that must be in memory at exits whose successor is unknown: always IR_NZCV; exits may know better: */
    struct ir_insn insn[IR_MAX_INSNS];
    /* per-exit knowledge, filled by the front end's look-ahead: flags live at the target of EXIT* insn i (default NZCV) */
    uint8_t exit_live[IR_MAX_INSNS];
};

/* Append; the result is valid until the block is compiled. Never fails: the front end ends a block while room for the
 * longest guest instruction (IR_RESERVE insns) is left. */
#define IR_RESERVE 200
struct ir_insn *ir_emit(struct ir_block *b, enum ir_op op);
uint16_t ir_temp(struct ir_block *b);
uint16_t ir_label(struct ir_block *b); /* a fresh label number; place with IR_OP_LABEL */

/* Passes, in order. */
void ir_flag_liveness(struct ir_block *b); /* clears fset bits nobody reads (see flags-at-faults rule below) */

/*
 * Flags at faults: a fault or an asynchronous interrupt sees the architectural flags wherever some later instruction can
 * still read them; flags that are overwritten on every path before being read may hold stale values in the saved status
 * register. CALLs with IR_CALL_RAISE and IR_CALL_NORETURN count as reading all flags. Memory ops count as reading the flags in `resume`: those
 * that the guest instruction itself reads, because it is executed again when the guest has served the fault.
 */
uint8_t ir_cc_reads(enum ir_cc cc); /* flags a condition reads */
void ir_set_resume(struct ir_block *b, uint32_t from, uint8_t flags); /* of the accesses from insn `from` on: `flags`, and what insns from there on read */

/* Flags an instruction reads itself (conditions, carry in, ...), without those live behind an exit. */
uint8_t ir_flags_read(const struct ir_insn *i);
/* Flags it defines in every case: fset, less a carry that a shift by zero leaves alone. */
uint8_t ir_flags_defined(const struct ir_insn *i);
/* live[k] = flags some path still reads after insn k (b->n entries). */
void ir_flags_live_after(const struct ir_block *b, uint8_t *live);

const char *ir_op_name(enum ir_op op);
/* One line of text for -d op and tests; returns the length, at most cap-1. */
int ir_print(const struct ir_insn *i, char *buf, int cap);

#endif
