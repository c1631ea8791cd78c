/*
 * start.S: entry, vectors, and what C cannot say. The vectors save the registers a C function may change, with the SPSR, as
 * struct frame, call exception(), and return with what the frame holds then.
 */
    .arch armv7ve
    .syntax unified
    .arm

    .section .text.start, "ax"
    .global _start
_start:
    ldr r0, =__stacks + 16384
    .irp mode, 0x11, 0x12, 0x17, 0x1b, 0x1f, 0x13
    cps #\mode
    mov sp, r0
    add r0, r0, #16384
    .endr
    ldr r0, =__bss_start
    ldr r1, =__bss_end
    mov r2, #0
1:  cmp r0, r1
    strlo r2, [r0], #4
    blo 1b
    ldr r0, =vectors
    mcr p15, 0, r0, c12, c0, 0
    isb
    bl guest_main
    bl report
    .global power_off
power_off:
    ldr r0, =0x84000008
    hvc #0
    b .

    .macro VECTOR n
vector\n:
    push {r0-r3, r12, lr}
    mrs r0, spsr
    mrs r1, cpsr
    push {r0, r1}
    mov r1, sp
    mov r0, #\n
    bl exception
    pop {r0, r1}
    msr spsr_fsxc, r0
    pop {r0-r3, r12, lr}
    movs pc, lr
    .endm

    .balign 32
    .global vectors
vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    b vector\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    VECTOR \n
    .endr

/* uint32_t in_mode(unsigned mode, uint32_t (*fn)(uint32_t), uint32_t arg): call fn in a privileged mode, on that mode's stack */
    .global in_mode
in_mode:
    push {r4-r6, lr}
    mrs r4, cpsr
    bic r5, r4, #31
    orr r5, r5, r0
    msr cpsr_c, r5
    mov r5, lr
    mov r0, r2
    blx r1
    mov lr, r5
    msr cpsr_c, r4
    pop {r4-r6, pc}

/* uint32_t in_user(uint32_t (*fn)(uint32_t), uint32_t arg): call fn in user mode; its `svc` at user_exit ends it */
    .global in_user, user_exit
in_user:
    push {r4-r12, lr}
    mrs r4, cpsr
    mov r3, r0
    mov r0, r1
    cps #0x1f
    mov r1, sp
    mov r2, lr
    push {r1, r2}
    cps #0x10
    blx r3
    svc #0
user_exit:
    /* exception() made the mode SVC again; the system-mode stack is as before */
    cps #0x1f
    pop {r1, r2}
    mov sp, r1
    mov lr, r2
    cps #0x13
    pop {r4-r12, pc}

/* Single accesses that may fault; the data abort handler steps over them. */
    .macro ACCESS name, insn:vararg
    .global \name
\name:
    \insn
    bx lr
    .endm
    ACCESS read32, ldr r0, [r0]
    ACCESS read16, ldrh r0, [r0]
    ACCESS read8, ldrb r0, [r0]
    ACCESS read64, ldrd r2, r3, [r0]
    ACCESS write32, str r1, [r0]
    ACCESS write16, strh r1, [r0]
    ACCESS write8, strb r1, [r0]
    ACCESS read32_user, ldrt r2, [r0]
    ACCESS write32_user, strt r1, [r0]
    ACCESS read_multiple, ldm r0, {r1, r2}
    ACCESS read_exclusive, ldrex r0, [r0]
    .global call
call:
    bx r0
