/*
 * cases.S: the instructions of the abort tests, each followed by SVC, and the table of them (struct abort_case in main.c). r2 is the base,
 * r3 the index (16), r13 the user-mode stack pointer. The set "it" is T32 in the middle of an IT block.
 *
 *   CASE instruction set, base register, offset of the lowest byte from the base, bytes, flags, instruction
 */
    .arch armv7ve
    .arch_extension mp
    .fpu neon-vfpv4
    .syntax unified

    .set WORDS, 1       /* each word must be aligned */
    .set STORE, 2
    .set NATURAL, 4     /* must be aligned to its size */
    .set PRIV, 8        /* run in IRQ mode only */
    .set ZEROS, 16      /* memory holds zeros, not a pattern */
    .set RETURN, 32     /* memory holds a return address and a CPSR */
    .set SWAP, 64       /* reads, then writes */
    .set NOT_QEMU, 128  /* QEMU does not keep the base */

    .macro CASE set, base, offset, bytes, flags, insn:vararg
    .pushsection .rodata.names, "a"
9990: .asciz "\set \insn"
    .popsection
    .pushsection .text
    .balign 4
    .ifc \set, a32
    .arm
    .set thumb_bit, 0
9991:
9992: \insn
    svc #0
    .else
    .thumb
    .set thumb_bit, 1
9991:
    .ifc \set, it
    itt eq
    moveq r9, r9
    .endif
9992: \insn
    svc #0
    .balign 4
    .arm
    .endif
    .popsection
    .pushsection .rodata.cases, "a"
    .word 9990b, 9991b + thumb_bit, 9992b, \base, \offset, \bytes, \flags
    .popsection
    .endm

    .pushsection .rodata.cases, "a"
    .balign 4
    .global abort_cases
abort_cases:
    .popsection


/* a32: single */
    CASE a32, 2, 0, 4, 0, ldr r1, [r2]
    CASE a32, 2, 8, 4, 0, ldr r1, [r2, #8]!
    CASE a32, 2, 0, 4, 0, ldr r1, [r2], #-12
    CASE a32, 2, -12, 4, 0, ldr r1, [r2, #-12]!
    CASE a32, 2, 0, 4, 0, ldr r2, [r2]
    CASE a32, 2, 32, 4, 0, ldr r1, [r2, r3, lsl #1]
    CASE a32, 2, 16, 4, 0, ldr r3, [r2, r3]
    CASE a32, 2, 0, 4, STORE, str r1, [r2]
    CASE a32, 2, 8, 4, STORE, str r1, [r2, #8]!
    CASE a32, 2, 0, 4, STORE, str r1, [r2], #-12
    CASE a32, 2, 16, 4, STORE, str r1, [r2, r3]
    CASE a32, 2, 2, 2, 0, ldrh r1, [r2, #2]!
    CASE a32, 2, 0, 2, 0, ldrsh r1, [r2], #6
    CASE a32, 2, -2, 2, STORE, strh r1, [r2, #-2]!
    CASE a32, 2, 0, 2, STORE, strh r1, [r2], #2
    CASE a32, 2, 1, 1, 0, ldrb r1, [r2, #1]!
    CASE a32, 2, 0, 1, 0, ldrsb r1, [r2], #1
    CASE a32, 2, 0, 1, STORE, strb r1, [r2], #-1
    CASE a32, 2, 16, 4, 0, ldr r1, [r2, r3]!
    CASE a32, 2, 0, 4, 0, ldr r1, [r2], -r3
    CASE a32, 2, -8, 4, 0, ldr r1, [r2, -r3, lsr #1]!
    CASE a32, 2, -16, 4, STORE, str r1, [r2, -r3]!
    CASE a32, 2, 0, 4, STORE, str r1, [r2], r3, lsl #2
    CASE a32, 2, 16, 2, 0, ldrh r1, [r2, r3]!
    CASE a32, 2, 0, 2, STORE, strh r1, [r2], -r3
    CASE a32, 2, 0, 4, 0, ldrt r1, [r2], #4
    CASE a32, 2, 0, 4, 0, ldrt r1, [r2], r3
    CASE a32, 2, 0, 4, STORE, strt r1, [r2], #-4
    CASE a32, 2, 0, 2, 0, ldrht r1, [r2], #2
    CASE a32, 2, 0, 2, STORE, strht r1, [r2], r3
    CASE a32, 2, 0, 1, 0, ldrbt r1, [r2], #1
    CASE a32, 2, 0, 1, 0, ldrsbt r1, [r2], #1
    CASE a32, 2, 0, 2, 0, ldrsht r1, [r2], -r3

/* a32: dual */
    CASE a32, 2, 0, 8, WORDS, ldrd r4, r5, [r2]
    CASE a32, 2, -8, 8, WORDS, ldrd r4, r5, [r2, #-8]!
    CASE a32, 2, 0, 8, WORDS, ldrd r4, r5, [r2], #16
    CASE a32, 2, 0, 8, WORDS+NOT_QEMU, ldrd r2, r3, [r2]
    CASE a32, 2, 0, 8, WORDS+STORE, strd r4, r5, [r2]
    CASE a32, 2, 8, 8, WORDS+STORE, strd r4, r5, [r2, #8]!
    CASE a32, 2, 0, 8, WORDS+STORE, strd r2, r3, [r2]
    CASE a32, 2, 16, 8, WORDS, ldrd r4, r5, [r2, r3]!
    CASE a32, 2, 0, 8, WORDS+STORE, strd r4, r5, [r2], -r3

/* a32: multiple */
    CASE a32, 2, 0, 24, WORDS, ldm r2, {r0, r1, r4-r7}
    CASE a32, 2, 0, 24, WORDS, ldm r2!, {r0, r1, r4-r7}
    CASE a32, 2, -16, 16, WORDS, ldmdb r2!, {r4, r6, r8, r10}
    CASE a32, 2, 0, 16, WORDS, ldm r2, {r0-r3}
    CASE a32, 2, 0, 12, WORDS, ldm r2, {r1-r3}
    CASE a32, 2, 0, 12, WORDS, ldm r2!, {r4, lr, pc}
    CASE a32, 2, -12, 12, WORDS, ldmdb r2, {r0, r8, pc}
    CASE a32, 2, 0, 24, WORDS+STORE, stm r2, {r0, r1, r4-r7}
    CASE a32, 2, 0, 16, WORDS+STORE, stm r2!, {r0, r1, r4, r5}
    CASE a32, 2, -20, 20, WORDS+STORE, stmdb r2!, {r4-r8}
    CASE a32, 2, 0, 12, WORDS+STORE, stm r2, {r0-r2}
    CASE a32, 13, 0, 12, WORDS, pop {r4, r5, pc}
    CASE a32, 13, -20, 20, WORDS+STORE, push {r4-r7, lr}
    CASE a32, 13, 0, 4, 0, ldr r1, [sp], #4
    CASE a32, 2, 4, 16, WORDS, ldmib r2!, {r4-r7}
    CASE a32, 2, -12, 16, WORDS, ldmda r2!, {r4-r7}
    CASE a32, 2, 4, 16, WORDS+STORE, stmib r2!, {r4-r7}
    CASE a32, 2, -12, 16, WORDS+STORE, stmda r2!, {r4-r7}
    CASE a32, 2, 0, 12, WORDS+STORE, stm r2!, {r2, r4, r5}
    CASE a32, 2, 0, 56, WORDS, ldm r2, {r0-r12, lr}
    CASE a32, 2, 0, 56, WORDS+STORE, stm r2, {r0-r12, lr}
    CASE a32, 2, 0, 16, WORDS+PRIV, ldm r2, {r1, r8, r13, r14}^
    CASE a32, 2, 0, 16, WORDS+STORE+PRIV, stm r2, {r1, r8, r13, r14}^
    CASE a32, 2, -12, 12, WORDS+STORE+PRIV, stmdb r2, {r1, r13, r14}^
    CASE a32, 2, 0, 8, WORDS+PRIV+RETURN, rfeia r2!
    CASE a32, 2, -8, 8, WORDS+PRIV+RETURN, rfedb r2!
    CASE a32, 2, 4, 8, WORDS+PRIV+RETURN, rfeib r2!
    CASE a32, 2, -4, 8, WORDS+PRIV+RETURN, rfeda r2
    CASE a32, 2, 0, 12, WORDS+PRIV, ldm r2!, {r4, r5, r6}
    CASE a32, 13, -8, 8, WORDS+PRIV+STORE, srsdb sp!, #0x1f
    CASE a32, 13, 0, 8, WORDS+PRIV+STORE, srsia sp!, #0x1f
    CASE a32, 13, 4, 8, WORDS+PRIV+STORE, srsib sp, #0x1f
    CASE a32, 13, -4, 8, WORDS+PRIV+STORE, srsda sp!, #0x1f

/* a32: exclusive */
    CASE a32, 2, 0, 4, NATURAL, ldrex r1, [r2]
    CASE a32, 2, 0, 2, NATURAL, ldrexh r1, [r2]
    CASE a32, 2, 0, 1, NATURAL, ldrexb r1, [r2]
    CASE a32, 2, 0, 8, NATURAL, ldrexd r4, r5, [r2]
    CASE a32, 2, 0, 4, NATURAL+SWAP, swp r1, r4, [r2]
    CASE a32, 2, 0, 1, NATURAL+SWAP, swpb r1, r4, [r2]

/* a32: VFP and Advanced SIMD */
    CASE a32, 2, 8, 4, WORDS, vldr s1, [r2, #8]
    CASE a32, 2, -8, 8, WORDS, vldr d1, [r2, #-8]
    CASE a32, 2, 0, 28, WORDS, vldmia r2, {s1-s7}
    CASE a32, 2, 0, 32, WORDS, vldmia r2!, {d1-d4}
    CASE a32, 2, -32, 32, WORDS, vldmdb r2!, {d16-d19}
    CASE a32, 13, 0, 32, WORDS, vpop {d8-d11}
    CASE a32, 2, 0, 128, WORDS, vldmia r2!, {d16-d31}
    CASE a32, 2, 8, 4, WORDS+STORE, vstr s1, [r2, #8]
    CASE a32, 2, -8, 8, WORDS+STORE, vstr d1, [r2, #-8]
    CASE a32, 2, 0, 28, WORDS+STORE, vstmia r2, {s1-s7}
    CASE a32, 2, 0, 32, WORDS+STORE, vstmia r2!, {d1-d4}
    CASE a32, 2, -32, 32, WORDS+STORE, vstmdb r2!, {d16-d19}
    CASE a32, 13, -32, 32, WORDS+STORE, vpush {d8-d11}
    CASE a32, 2, 0, 8, 0, vld1.8 {d0}, [r2]
    CASE a32, 2, 0, 16, 0, vld1.64 {d0, d1}, [r2], r3
    CASE a32, 2, 0, 32, 0, vld1.32 {d0-d3}, [r2]!
    CASE a32, 2, 0, 16, 0, vld2.16 {d0, d1}, [r2], r3
    CASE a32, 2, 0, 32, 0, vld2.8 {d0-d3}, [r2]!
    CASE a32, 2, 0, 24, 0, vld3.8 {d0-d2}, [r2]!
    CASE a32, 2, 0, 32, 0, vld4.32 {d0, d2, d4, d6}, [r2]!
    CASE a32, 2, 0, 4, 0, vld1.32 {d0[1]}, [r2]!
    CASE a32, 2, 0, 8, 0, vld4.16 {d0[2], d1[2], d2[2], d3[2]}, [r2], r3
    CASE a32, 2, 0, 6, 0, vld3.16 {d0[0], d2[0], d4[0]}, [r2]!
    CASE a32, 2, 0, 8, STORE, vst1.8 {d0}, [r2]
    CASE a32, 2, 0, 16, STORE, vst1.64 {d0, d1}, [r2], r3
    CASE a32, 2, 0, 32, STORE, vst1.32 {d0-d3}, [r2]!
    CASE a32, 2, 0, 16, STORE, vst2.16 {d0, d1}, [r2], r3
    CASE a32, 2, 0, 32, STORE, vst2.8 {d0-d3}, [r2]!
    CASE a32, 2, 0, 24, STORE, vst3.8 {d0-d2}, [r2]!
    CASE a32, 2, 0, 32, STORE, vst4.32 {d0, d2, d4, d6}, [r2]!
    CASE a32, 2, 0, 4, STORE, vst1.32 {d0[1]}, [r2]!
    CASE a32, 2, 0, 8, STORE, vst4.16 {d0[2], d1[2], d2[2], d3[2]}, [r2], r3
    CASE a32, 2, 0, 6, STORE, vst3.16 {d0[0], d2[0], d4[0]}, [r2]!
    CASE a32, 2, 0, 2, 0, vld1.16 {d0[]}, [r2]!
    CASE a32, 2, 0, 12, 0, vld3.32 {d0[], d1[], d2[]}, [r2]!
    CASE a32, 2, 0, 8, 0, vld2.32 {d0[], d1[]}, [r2]

/* t32: single */
    CASE t32, 2, 0, 4, 0, ldr.w r1, [r2]
    CASE t32, 2, 8, 4, 0, ldr r1, [r2, #8]!
    CASE t32, 2, 0, 4, 0, ldr r1, [r2], #-12
    CASE t32, 2, -12, 4, 0, ldr r1, [r2, #-12]!
    CASE t32, 2, 0, 4, 0, ldr.w r2, [r2]
    CASE t32, 2, 32, 4, 0, ldr.w r1, [r2, r3, lsl #1]
    CASE t32, 2, 16, 4, 0, ldr.w r3, [r2, r3]
    CASE t32, 2, 0, 4, STORE, str.w r1, [r2]
    CASE t32, 2, 8, 4, STORE, str r1, [r2, #8]!
    CASE t32, 2, 0, 4, STORE, str r1, [r2], #-12
    CASE t32, 2, 16, 4, STORE, str.w r1, [r2, r3]
    CASE t32, 2, 2, 2, 0, ldrh r1, [r2, #2]!
    CASE t32, 2, 0, 2, 0, ldrsh r1, [r2], #6
    CASE t32, 2, -2, 2, STORE, strh r1, [r2, #-2]!
    CASE t32, 2, 0, 2, STORE, strh r1, [r2], #2
    CASE t32, 2, 1, 1, 0, ldrb r1, [r2, #1]!
    CASE t32, 2, 0, 1, 0, ldrsb r1, [r2], #1
    CASE t32, 2, 0, 1, STORE, strb r1, [r2], #-1
    CASE t32, 2, 8, 4, 0, ldrt r1, [r2, #8]
    CASE t32, 2, 8, 4, STORE, strt r1, [r2, #8]
    CASE t32, 2, 4, 2, 0, ldrht r1, [r2, #4]
    CASE t32, 2, 4, 2, STORE, strht r1, [r2, #4]
    CASE t32, 2, 0, 4, 0, ldr.n r1, [r2]
    CASE t32, 2, 16, 4, 0, ldr.n r1, [r2, r3]
    CASE t32, 2, 4, 4, STORE, str.n r1, [r2, #4]
    CASE t32, 2, 16, 2, 0, ldrsh.n r1, [r2, r3]
    CASE t32, 2, 16, 2, STORE, strh.n r1, [r2, r3]
    CASE t32, 13, 8, 4, 0, ldr.n r1, [sp, #8]
    CASE t32, 13, 8, 4, STORE, str.n r1, [sp, #8]
    CASE t32, 2, 32, 2, ZEROS, tbh [r2, r3, lsl #1]
    CASE t32, 2, 16, 1, ZEROS, tbb [r2, r3]

/* t32: dual */
    CASE t32, 2, 0, 8, WORDS, ldrd r4, r5, [r2]
    CASE t32, 2, -8, 8, WORDS, ldrd r4, r5, [r2, #-8]!
    CASE t32, 2, 0, 8, WORDS, ldrd r4, r5, [r2], #16
    CASE t32, 2, 0, 8, WORDS+NOT_QEMU, ldrd r2, r3, [r2]
    CASE t32, 2, 0, 8, WORDS+STORE, strd r4, r5, [r2]
    CASE t32, 2, 8, 8, WORDS+STORE, strd r4, r5, [r2, #8]!
    CASE t32, 2, 0, 8, WORDS+STORE, strd r2, r3, [r2]
    CASE t32, 2, 0, 8, WORDS, ldrd r1, r7, [r2], #-16
    CASE t32, 2, 0, 8, WORDS+NOT_QEMU, ldrd r7, r2, [r2]

/* t32: multiple */
    CASE t32, 2, 0, 24, WORDS, ldm.w r2, {r0, r1, r4-r7}
    CASE t32, 2, 0, 24, WORDS, ldm.w r2!, {r0, r1, r4-r7}
    CASE t32, 2, -16, 16, WORDS, ldmdb r2!, {r4, r6, r8, r10}
    CASE t32, 2, 0, 16, WORDS, ldm.w r2, {r0-r3}
    CASE t32, 2, 0, 12, WORDS, ldm.w r2, {r1-r3}
    CASE t32, 2, 0, 12, WORDS, ldm.w r2!, {r4, r8, pc}
    CASE t32, 2, -12, 12, WORDS, ldmdb r2, {r0, r8, pc}
    CASE t32, 2, 0, 24, WORDS+STORE, stm.w r2, {r0, r1, r4-r7}
    CASE t32, 2, 0, 16, WORDS+STORE, stm.w r2!, {r0, r1, r4, r5}
    CASE t32, 2, -20, 20, WORDS+STORE, stmdb r2!, {r4-r8}
    CASE t32, 2, 0, 12, WORDS+STORE, stm.w r2, {r0-r2}
    CASE t32, 13, 0, 12, WORDS, pop.w {r4, r5, pc}
    CASE t32, 13, -20, 20, WORDS+STORE, push.w {r4-r7, lr}
    CASE t32, 13, 0, 4, 0, pop.w {r1}
    CASE t32, 2, 0, 16, WORDS, ldm.n r2!, {r0, r1, r4, r5}
    CASE t32, 2, 0, 12, WORDS, ldm.n r2, {r0-r2}
    CASE t32, 2, 0, 16, WORDS+STORE, stm.n r2!, {r3-r6}
    CASE t32, 13, 0, 12, WORDS, pop.n {r0, r7, pc}
    CASE t32, 13, -12, 12, WORDS+STORE, push.n {r0, r7, lr}
    CASE t32, 2, 0, 8, WORDS+PRIV+RETURN, rfeia r2!
    CASE t32, 2, -8, 8, WORDS+PRIV+RETURN, rfedb r2!
    CASE t32, 13, -8, 8, WORDS+PRIV+STORE, srsdb sp!, #0x1f
    CASE t32, 13, 0, 8, WORDS+PRIV+STORE, srsia sp, #0x1f

/* t32: exclusive */
    CASE t32, 2, 0, 4, NATURAL, ldrex r1, [r2]
    CASE t32, 2, 0, 2, NATURAL, ldrexh r1, [r2]
    CASE t32, 2, 0, 1, NATURAL, ldrexb r1, [r2]
    CASE t32, 2, 0, 8, NATURAL, ldrexd r4, r5, [r2]

/* t32: VFP and Advanced SIMD */
    CASE t32, 2, 8, 4, WORDS, vldr s1, [r2, #8]
    CASE t32, 2, -8, 8, WORDS, vldr d1, [r2, #-8]
    CASE t32, 2, 0, 28, WORDS, vldmia r2, {s1-s7}
    CASE t32, 2, 0, 32, WORDS, vldmia r2!, {d1-d4}
    CASE t32, 2, -32, 32, WORDS, vldmdb r2!, {d16-d19}
    CASE t32, 13, 0, 32, WORDS, vpop {d8-d11}
    CASE t32, 2, 0, 128, WORDS, vldmia r2!, {d16-d31}
    CASE t32, 2, 8, 4, WORDS+STORE, vstr s1, [r2, #8]
    CASE t32, 2, -8, 8, WORDS+STORE, vstr d1, [r2, #-8]
    CASE t32, 2, 0, 28, WORDS+STORE, vstmia r2, {s1-s7}
    CASE t32, 2, 0, 32, WORDS+STORE, vstmia r2!, {d1-d4}
    CASE t32, 2, -32, 32, WORDS+STORE, vstmdb r2!, {d16-d19}
    CASE t32, 13, -32, 32, WORDS+STORE, vpush {d8-d11}
    CASE t32, 2, 0, 8, 0, vld1.8 {d0}, [r2]
    CASE t32, 2, 0, 16, 0, vld1.64 {d0, d1}, [r2], r3
    CASE t32, 2, 0, 32, 0, vld1.32 {d0-d3}, [r2]!
    CASE t32, 2, 0, 16, 0, vld2.16 {d0, d1}, [r2], r3
    CASE t32, 2, 0, 32, 0, vld2.8 {d0-d3}, [r2]!
    CASE t32, 2, 0, 24, 0, vld3.8 {d0-d2}, [r2]!
    CASE t32, 2, 0, 32, 0, vld4.32 {d0, d2, d4, d6}, [r2]!
    CASE t32, 2, 0, 4, 0, vld1.32 {d0[1]}, [r2]!
    CASE t32, 2, 0, 8, 0, vld4.16 {d0[2], d1[2], d2[2], d3[2]}, [r2], r3
    CASE t32, 2, 0, 6, 0, vld3.16 {d0[0], d2[0], d4[0]}, [r2]!
    CASE t32, 2, 0, 8, STORE, vst1.8 {d0}, [r2]
    CASE t32, 2, 0, 16, STORE, vst1.64 {d0, d1}, [r2], r3
    CASE t32, 2, 0, 32, STORE, vst1.32 {d0-d3}, [r2]!
    CASE t32, 2, 0, 16, STORE, vst2.16 {d0, d1}, [r2], r3
    CASE t32, 2, 0, 32, STORE, vst2.8 {d0-d3}, [r2]!
    CASE t32, 2, 0, 24, STORE, vst3.8 {d0-d2}, [r2]!
    CASE t32, 2, 0, 32, STORE, vst4.32 {d0, d2, d4, d6}, [r2]!
    CASE t32, 2, 0, 4, STORE, vst1.32 {d0[1]}, [r2]!
    CASE t32, 2, 0, 8, STORE, vst4.16 {d0[2], d1[2], d2[2], d3[2]}, [r2], r3
    CASE t32, 2, 0, 6, STORE, vst3.16 {d0[0], d2[0], d4[0]}, [r2]!
    CASE t32, 2, 0, 2, 0, vld1.16 {d0[]}, [r2]!
    CASE t32, 2, 0, 12, 0, vld3.32 {d0[], d1[], d2[]}, [r2]!
    CASE t32, 2, 0, 8, 0, vld2.32 {d0[], d1[]}, [r2]

/* inside an IT block */
    CASE it, 2, 0, 4, 0, ldreq r1, [r2], #4
    CASE it, 2, 0, 12, WORDS, ldmeq r2!, {r1, r4, r5}
    CASE it, 2, 0, 8, WORDS+STORE, strdeq r4, r5, [r2], #8
    CASE it, 13, -8, 8, WORDS+STORE, pusheq {r4, r5}
    CASE it, 2, 0, 16, WORDS, vldmiaeq r2!, {d1-d2}
    CASE a32, 2, 0, 4, 0, ldreq r1, [r2], #4
    CASE a32, 2, 0, 12, WORDS+STORE, stmiaeq r2!, {r1, r4, r5}

    .pushsection .rodata.cases, "a"
    .word 0
    .popsection
