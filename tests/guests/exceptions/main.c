/* Entry to and return from each exception, from each mode, in A32 and T32: mode, LR, SPSR, masks, banked registers, IT state. */
#include "guest.h"

#define A32_FN(name, insn)                                                                                                                 \
    extern uint32_t name(uint32_t), name##_at[];                                                                                           \
    __asm__(".pushsection .text\n.arm\n.balign 4\n.global " #name ", " #name "_at\n" #name ":\n mov r2, lr\n" #name "_at: " insn           \
            "\n mov lr, r2\n bx lr\n.popsection")
#define T32_FN(name, insn)                                                                                                                 \
    extern uint32_t name(uint32_t), name##_at[];                                                                                           \
    __asm__(".pushsection .text\n.thumb\n.syntax unified\n.balign 4\n.thumb_func\n.global " #name ", " #name "_at\n" #name                 \
            ":\n mov r2, lr\n" #name "_at: " insn "\n mov lr, r2\n bx lr\n.arm\n.popsection")

A32_FN(a32_svc, "svc #42");
A32_FN(a32_undef, ".word 0xe7f000f0");
A32_FN(a32_bkpt, "bkpt #7");
A32_FN(a32_load, "ldr r1, [r0]");
T32_FN(t32_svc, "svc #42");
T32_FN(t32_undef, "udf #1");
T32_FN(t32_bkpt, "bkpt #7");
T32_FN(t32_load, "ldr r1, [r0]");
T32_FN(t32_load_w, "ldr.w r1, [r0]");

static const struct {
    const char *name;
    uint32_t (*fn)(uint32_t);
    uint32_t *at;
    unsigned vector, offset; /* LR minus the instruction's address */
    uint8_t mode, mask;      /* entered; A I F set, in CPSR position */
} cases[] = {
    {"svc", a32_svc, a32_svc_at, VEC_SVC, 4, SVC, 0x80},         {"udf", a32_undef, a32_undef_at, VEC_UNDEF, 4, UND, 0x80},
    {"bkpt", a32_bkpt, a32_bkpt_at, VEC_PABT, 4, ABT, 0},        {"ldr", a32_load, a32_load_at, VEC_DABT, 8, ABT, 0},
    {"svc.t", t32_svc, t32_svc_at, VEC_SVC, 2, SVC, 0x80},       {"udf.t", t32_undef, t32_undef_at, VEC_UNDEF, 2, UND, 0x80},
    {"bkpt.t", t32_bkpt, t32_bkpt_at, VEC_PABT, 4, ABT, 0},      {"ldr.t", t32_load, t32_load_at, VEC_DABT, 8, ABT, 0},
    {"ldr.w.t", t32_load_w, t32_load_w_at, VEC_DABT, 8, ABT, 0},
};

#define BAD_ADDRESS 0x30000000u /* the MMU leaves it unmapped */

/* A breakpoint is stepped over; its address is 4 before LR in both instruction sets. */
static void step_over_bkpt(struct frame *f)
{
    f->lr -= f->spsr & 0x20 ? 2 : 0;
}

static void try_all(const char *where, unsigned mode)
{
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t at = (uint32_t)(uintptr_t)cases[i].at & ~1u;
        bool thumb = (uint32_t)(uintptr_t)cases[i].fn & 1;
        if (mode == USR)
            in_user(cases[i].fn, BAD_ADDRESS);
        else
            in_mode(mode, cases[i].fn, BAD_ADDRESS);
        print(where);
        print(" ");
        expect_exception(cases[i].name, cases[i].vector);
        expect("    LR", last.lr - at, cases[i].offset);
        expect("    SPSR mode and T", last.spsr & 0x3f, mode | (thumb ? 0x20 : 0));
        expect("    mode, T", last.cpsr & 0x3f, cases[i].mode);
        expect("    I", last.cpsr & 0x80, 0x80);
        expect("    F as before", (last.cpsr ^ last.spsr) & 0x40, 0);
    }
}

static uint32_t bank_test(uint32_t mode)
{
    /* r8-r14 of FIQ and r13, r14 of the others keep their values over a visit to other modes */
    uint32_t bad = 0;
    __asm__ volatile("mrs r4, cpsr\n"
                     "bic r5, r4, #31\n"
                     "mov r7, sp\n"
                     "mov r12, #0x12\n mov r11, #0x11\n"
                     "orr r6, r5, #0x11\n msr cpsr_c, r6\n mov r8, #0xf8\n mov r9, #0xf9\n mov r10, #0xfa\n mov r11, #0xfb\n mov r12, "
                     "#0xfc\n mov lr, #0xfe\n"
                     "orr r6, r5, #0x12\n msr cpsr_c, r6\n mov lr, #0x1e\n"
                     "orr r6, r5, #0x1f\n msr cpsr_c, r6\n mov lr, #0x5e\n"
                     "cmp r11, #0x11\n addne %0, %0, #1\n cmp r12, #0x12\n addne %0, %0, #1\n"
                     "orr r6, r5, #0x11\n msr cpsr_c, r6\n"
                     "cmp r8, #0xf8\n addne %0, %0, #1\n cmp r12, #0xfc\n addne %0, %0, #1\n cmp lr, #0xfe\n addne %0, %0, #1\n"
                     "orr r6, r5, #0x12\n msr cpsr_c, r6\n cmp lr, #0x1e\n addne %0, %0, #1\n cmp r12, #0x12\n addne %0, %0, #1\n"
                     "stmdb sp, {r8-r14}^\n nop\n ldr r6, [sp, #-4]\n cmp r6, #0x5e\n addne %0, %0, #1\n ldr r6, [sp, #-12]\n cmp r6, "
                     "#0x12\n addne %0, %0, #1\n"
                     "orr r6, r5, #0x11\n msr cpsr_c, r6\n"
                     "stmdb sp, {r8-r14}^\n nop\n ldr r6, [sp, #-12]\n cmp r6, #0x12\n addne %0, %0, #1\n"
                     "mov r6, #0x77\n str r6, [sp, #-4]\n sub r6, sp, #4\n ldm r6, {lr}^\n nop\n cmp lr, #0xfe\n addne %0, %0, #1\n"
                     "orr r6, r5, #0x1f\n msr cpsr_c, r6\n cmp lr, #0x77\n addne %0, %0, #1\n"
                     "msr cpsr_c, r4\n"
                     "cmp sp, r7\n addne %0, %0, #1\n"
                     : "+r"(bad)
                     :
                     : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    (void)mode;
    return bad;
}

/* SVC and an undefined instruction inside IT blocks: the return goes on with the right condition. */
extern uint32_t it_svc(uint32_t), it_undef(uint32_t);
__asm__(".pushsection .text\n.thumb\n.syntax unified\n.thumb_func\n.global it_svc\nit_svc:\n"
        " mov r3, lr\n movs r1, #0\n cmp r0, #0\n ittte eq\n addeq r1, #1\n svceq #1\n addeq r1, #2\n addne r1, #4\n mov r0, r1\n bx r3\n"
        ".thumb_func\n.global it_undef\nit_undef:\n"
        " mov r3, lr\n movs r1, #0\n cmp r0, #0\n itete eq\n addeq r1, #1\n addne r1, #8\n .inst.n 0xde01\n addne r1, #4\n mov r0, r1\n bx "
        "r3\n.arm\n.popsection");

/* Vectors in T32 that note the processor state and return. */
__asm__(".pushsection .text\n.thumb\n.syntax unified\n.balign 32\n.global thumb_vectors\n.thumb_func\nthumb_vectors:\n"
        " .rept 8\n b.w 1f\n .endr\n"
        "1: push {r0, r1}\n mrs r0, cpsr\n and r0, r0, #31\n orr r0, r0, #0x20\n" /* runs as T32 only */
        " ldr r1, =thumb_seen\n str r0, [r1]\n pop {r0, r1}\n movs pc, lr\n.ltorg\n.arm\n.popsection");
volatile uint32_t thumb_seen;

static uint32_t spsr_seen;
static void note_spsr(struct frame *f)
{
    spsr_seen = f->spsr;
}
static void undef_in_it(struct frame *f)
{
    spsr_seen = f->spsr;
    /* step over: advance the IT state as the processor does */
    uint32_t it = (f->spsr >> 25 & 3) | (f->spsr >> 10 & 0x3f) << 2;
    it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    f->spsr = (f->spsr & ~0x0600fc00u) | (it & 3) << 25 | (it >> 2) << 10;
}

static uint32_t srs_rfe(uint32_t x)
{
    uint32_t out = 0;
    __asm__ volatile("mrs r4, cpsr\n"
                     "cps #0x17\n msr spsr_fsxc, r4\n adr lr, 1f\n"
                     "srsdb sp!, #0x13\n"
                     "cps #0x13\n ldr r5, [sp]\n adr r6, 1f\n subs r5, r5, r6\n"
                     "rfeia sp!\n"
                     " mov r5, #1\n"
                     "1: mov %0, r5\n"
                     : "=r"(out)
                     :
                     : "r4", "r5", "r6", "lr", "cc", "memory");
    return out + x;
}

static uint32_t user_privileged(uint32_t x)
{
    uint32_t before = cpsr(), after;
    __asm__ volatile("msr cpsr_c, %0\n cps #0x13\n cpsid i" : : "r"((before & ~31u) | x) : "memory");
    after = cpsr();
    return before ^ after;
}

void guest_main(void)
{
    static const struct {
        const char *name;
        uint8_t mode;
    } modes[] = {{"svc", SVC}, {"sys", SYS}, {"fiq", FIQ}, {"irq", IRQ}, {"abt", ABT}, {"und", UND}, {"usr", USR}};

    mmu_on_short();
    /* each exception from each mode whose own LR it does not overwrite before use: the functions keep their return address in r2 */
    on_exception[VEC_PABT] = step_over_bkpt;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        try_all(modes[i].name, modes[i].mode);

    expect("banked registers", bank_test(0), 0);
    expect_none("banks");
    expect("SRS and RFE", srs_rfe(0), 0);
    expect_none("SRS and RFE");
    expect("user mode cannot change modes or masks", in_user(user_privileged, SVC), 0);
    expect_none("MSR, CPS in user mode");

    on_exception[VEC_SVC] = note_spsr;
    expect("svc in an IT block, taken", in_mode(SVC, it_svc, 0), 3);
    expect_exception("svc in IT", VEC_SVC);
    expect("    SPSR.IT", spsr_seen & 0x0600fc00, 0x00000c00);
    expect("svc in an IT block, not taken", in_mode(SVC, it_svc, 1), 4);
    expect_none("svc in IT, not taken");
    on_exception[VEC_UNDEF] = undef_in_it;
    expect("undefined in an IT block", in_mode(SVC, it_undef, 0), 1);
    expect_exception("udf in IT", VEC_UNDEF);
    print_hex("    SPSR.IT", spsr_seen & 0x0600fc00);
    on_exception[VEC_UNDEF] = NULL;
    on_exception[VEC_SVC] = NULL;

    /* exceptions taken in T32, and SCTLR.V */
    extern char thumb_vectors[];
    MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)thumb_vectors & ~1u);
    sctlr_change(SCTLR_TE, 0);
    in_mode(SYS, a32_svc, 0);
    expect("svc with SCTLR.TE", thumb_seen, 0x20 | SVC);
    thumb_seen = 0;
    in_mode(SYS, t32_undef, 0);
    expect("undefined with SCTLR.TE", thumb_seen, 0x20 | UND);
    sctlr_change(0, SCTLR_TE);
    extern char vectors[];
    MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)vectors);
    ISB();
    last.count = 0;
    /* high vectors: a page that leads to the others */
    static uint32_t l2_high[256] __attribute__((aligned(1024)));
    for (unsigned k = 0; k < 8; k++) {
        REG32(PLAYGROUND + 4 * k) = 0xe59ff018; /* ldr pc, [pc, #24] */
        REG32(PLAYGROUND + 4 * k + 32) = (uint32_t)(uintptr_t)vectors + 4 * k;
    }
    l2_high[0xf0] = SMALL(PLAYGROUND, 1, SMALL_NORMAL);
    l1_table[0xfff] = (uint32_t)(uintptr_t)l2_high | 1;
    TLBIALL();
    ICIALLU();
    sctlr_change(1u << 13, 0);
    MCR(0, c12, c0, 0, 0x1000u); /* not used now */
    ISB();
    in_mode(SYS, a32_svc, 0);
    expect_exception("svc by high vectors", VEC_SVC);
    in_mode(SYS, a32_load, BAD_ADDRESS);
    expect_exception("data abort by high vectors", VEC_DABT);
    sctlr_change(0, 1u << 13);
    MCR(0, c12, c0, 0, (uint32_t)(uintptr_t)vectors);
    ISB();

    /* SVC clears the exclusive monitor by software only, but an exception return does */
    static uint32_t word;
    uint32_t failed;
    __asm__ volatile("ldrex r1, [%1]\n svc #3\n strex %0, r1, [%1]" : "=&r"(failed) : "r"(&word) : "r1", "lr", "memory");
    expect_exception("svc between LDREX and STREX", VEC_SVC);
    print("done\n");
}
