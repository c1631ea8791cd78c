/*
 * forms.S: each instruction that returns from an exception, as code that begins in an exception mode with the target in r0, the SPSR in r1,
 * LR in r2 and SP in r3, and the table of them (struct form in main.c).
 *
 *   FORM instruction set, LR minus target, SP minus the address of the return words, words (0: none, 1: r6 and pc, 2: pc and CPSR), change of SP, code
 */
    .arch armv7ve
    .arch_extension virt
    .syntax unified

    .set NOT_QEMU, 16   /* among the words: QEMU 7.2 does not know this return */

    .macro FORM set, lr, sp, words, step, code:vararg
    .pushsection .rodata.names, "a"
9990: .asciz "\set \code"
    .popsection
    .pushsection .text
    .balign 4
    .ifc \set, a32
    .arm
    .set thumb_bit, 0
    .else
    .thumb
    .set thumb_bit, 1
    .endif
9991: msr spsr_fsxc, r1
    mov lr, r2
    mov sp, r3
    \code
    udf #1
    .balign 4
    .arm
    .popsection
    .pushsection .rodata.forms, "a"
    .word 9990b, 9991b + thumb_bit, \lr, \sp, \words, \step
    .popsection
    .endm

    .pushsection .rodata.forms, "a"
    .balign 4
    .global forms
forms:
    .popsection

    FORM a32, 0, 0, 0, 0, movs pc, lr
    FORM a32, 4, 0, 0, 0, subs pc, lr, #4
    FORM a32, 8, 0, 0, 0, subs pc, lr, #8
    FORM a32, -8, 0, NOT_QEMU, 0, adds pc, lr, #8
    FORM a32, 0, 0, NOT_QEMU, 0, orrs pc, lr, #0
    FORM a32, 0, 0, NOT_QEMU, 0, eors pc, lr, #0
    FORM a32, 0, 0, NOT_QEMU, 0, bics pc, lr, #0
    FORM a32, 0, 0, NOT_QEMU, 0, ands pc, r0, lr
    FORM a32, 0, 0, NOT_QEMU, 0, mvns pc, r4
    FORM a32, 0, 0, NOT_QEMU, 0, rsbs pc, r5, lr
    FORM a32, 0, 0, 0, 0, movs pc, r0, lsl #0
    FORM a32, 0, 0, 0, 0, movseq pc, lr
    FORM a32, 0, 0, 1, 8, ldm sp!, {r6, pc}^
    FORM a32, 0, 0, 1, 0, ldm sp, {r6, pc}^
    FORM a32, 0, 8, 1, -8, ldmdb sp!, {r6, pc}^
    FORM a32, 0, -4, 1, 8, ldmib sp!, {r6, pc}^
    FORM a32, 0, 4, 1, -8, ldmda sp!, {r6, pc}^
    FORM a32, 0, 0, 2, 8, rfeia sp!
    FORM a32, 0, 0, 2, 0, rfeia r3
    FORM a32, 0, 8, 2, -8, rfedb sp!
    FORM a32, 0, -4, 2, 8, rfeib sp!
    FORM a32, 0, 4, 2, -8, rfeda sp!
    FORM a32, 0, 0, 0, 0, eret
    FORM t32, 0, 0, 0, 0, movs pc, lr
    FORM t32, 4, 0, 0, 0, subs pc, lr, #4
    FORM t32, 8, 0, 0, 0, subs pc, lr, #8
    FORM t32, 0, 0, 2, 8, rfeia sp!
    FORM t32, 0, 0, 2, 0, rfeia r3
    FORM t32, 0, 8, 2, -8, rfedb sp!
    FORM t32, 0, 0, 0, 0, eret

    .pushsection .rodata.forms, "a"
    .word 0
    .popsection

/* What the returns and entries of main.c run. */
    .text
    .arm
    .balign 4
    .global a32_target, a32_loop, a32_udf, a32_bkpt, a32_load, t32_target, t32_loop, t32_udf, t32_bkpt, t32_load, t32_in_it
a32_target: svc #1
a32_loop: b .
a32_udf: udf #1
a32_bkpt: bkpt #1
a32_load: ldr r1, [r0]
    .thumb
    .balign 4
t32_target: svc #1
    .balign 4
t32_loop: b .
    .balign 4
t32_udf: udf #1
    .balign 4
t32_bkpt: bkpt #1
    .balign 4
t32_load: ldr r1, [r0]
    .balign 4
/* The rest of an IT block, by what SPSR.IT says. */
t32_in_it:
    .inst.n 0x3401 /* adds r4, #1: without flags in an IT block */
    .inst.n 0x3501
    .inst.n 0x3601
    svc #1
    .arm
    .balign 4
/* Vector of an exception with SCTLR.EE: notes the CPSR, then makes data little-endian as the others want it. */
    .balign 32
    .global ee_vectors
ee_vectors:
    .rept 8
    b 1f
    .endr
1:  mrs r12, cpsr
    setend le
    movs pc, lr
    .global ee_svc
ee_svc: /* uint32_t ee_svc(void) */
    push {lr}
    mov r12, #0
    svc #1
    mov r0, r12
    pop {pc}
