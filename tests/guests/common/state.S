/*
 * state.S: run code with every register given, and see every register at the exception that ends it. See struct state in guest.h.
 *
 * The vectors here (state_vectors) end a state_run() with whatever exception comes first; guests put them into VBAR while they use it.
 */
    .arch armv7ve
    .fpu neon-vfpv4
    .syntax unified
    .arm

    .set S_PC, 60
    .set S_PSR, 64
    .set S_VECTOR, 68
    .set S_CPSR, 72
    .set S_D, 80

    .bss
    .balign 4
state_now: .space 4     /* the struct state that runs */
state_sp: .space 4      /* stack pointer of its state_run() */

    .text
/* void state_run(struct state *s) */
    .global state_run
state_run:
    push {r4-r11, lr}
    ldr r1, =state_now
    stm r1, {r0, sp}
    add r2, r0, #S_D
    vldmia r2!, {d0-d15}
    vldmia r2!, {d16-d31}
    ldr r1, [r0, #S_PSR]
    msr spsr_fsxc, r1
    ldr lr, [r0, #S_PC]
    ldm r0, {r0-r14}^
    nop
    movs pc, lr

    .macro STATE_VECTOR n
state_vector\n:
    push {r0}                   /* the stack of the exception's mode */
    ldr r0, =state_now
    ldr r0, [r0]
    str lr, [r0, #S_PC]
    mrs lr, spsr
    str lr, [r0, #S_PSR]
    mrs lr, cpsr
    str lr, [r0, #S_CPSR]
    mov lr, #\n
    str lr, [r0, #S_VECTOR]
    pop {lr}
    str lr, [r0]
    add lr, r0, #4
    b state_end
    .endm

state_end:
    stm lr, {r1-r14}^
    nop
    add lr, r0, #S_D
    vstmia lr!, {d0-d15}
    vstmia lr!, {d16-d31}
    cpsid if, #0x13
    ldr r0, =state_sp
    ldr sp, [r0]
    pop {r4-r11, pc}

    .balign 32
    .global state_vectors
state_vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    b state_vector\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    STATE_VECTOR \n
    .endr
