/*
 * bare.S: entry, exception vectors and state loading of the bare-metal runner. Cases run in user mode; the runner lives in supervisor mode.
 */
#include "bare.h"
    .syntax unified
    .arm
    .fpu neon-vfpv4

    .section .text.start, "ax"
    .global _start
_start:
    cpsid   aif, #0x13
    ldr     sp, =svc_stack_top
    ldr     r0, =vectors
    mcr     p15, 0, r0, c12, c0, 0      @ VBAR
    mrc     p15, 0, r0, c1, c0, 2       @ CPACR: VFP and Advanced SIMD for all
    orr     r0, r0, #0x00f00000
    mcr     p15, 0, r0, c1, c0, 2
    isb
    mov     r0, #0x40000000             @ FPEXC.EN
    vmsr    fpexc, r0
    bl      bare_make_tables            @ r0 = first-level table
    orr     r0, r0, #0x4a               @ inner and outer write-back, shareable
    mcr     p15, 0, r0, c2, c0, 0       @ TTBR0
    mov     r0, #0
    mcr     p15, 0, r0, c2, c0, 2       @ TTBCR
    mcr     p15, 0, r0, c8, c7, 0       @ TLBIALL
    mcr     p15, 0, r0, c7, c5, 0       @ ICIALLU
    mov     r0, #1
    mcr     p15, 0, r0, c3, c0, 0       @ DACR: domain 0 client
    dsb
    isb
    mrc     p15, 0, r0, c1, c0, 0
    bic     r0, r0, #0x2                @ no alignment checking
    bic     r0, r0, #0x30000000         @ no AFE, no TRE
    ldr     r1, =0x1c05                 @ I, Z, SW, C, M
    orr     r0, r0, r1
    mcr     p15, 0, r0, c1, c0, 0
    isb
    ldr     r0, =frame                  @ every exception mode's sp is the frame
    cps     #0x17
    mov     sp, r0
    cps     #0x1b
    mov     sp, r0
    cps     #0x13
    bl      bare_first
    b       resume

/* What happened is in r0..r14_usr, spsr, lr of the exception mode; sp = frame. */
    .macro  entry kind
    stmia   sp, {r0-r14}^
    nop
    mrs     r0, spsr
    vmrs    r1, fpscr
    str     lr, [sp, #60]
    str     r0, [sp, #64]
    str     r1, [sp, #68]
    add     r2, sp, #72
    vstmia  r2!, {d0-d15}
    vstmia  r2, {d16-d31}
    mov     r0, #\kind
    b       event
    .endm

event:
    cps     #0x13
    ldr     sp, =svc_stack_top
    bl      bare_event                  @ (vector) -> state of the next case
resume:
    add     r1, r0, #72
    vldmia  r1!, {d0-d15}
    vldmia  r1, {d16-d31}
    ldr     r1, [r0, #68]
    vmsr    fpscr, r1
    clrex
    ldr     r1, [r0, #64]
    msr     spsr_fsxc, r1
    ldr     sp, =frame
    mov     lr, r0
    ldmia   lr, {r0-r14}^
    nop
    ldr     lr, [lr, #60]
    movs    pc, lr
    .ltorg

    .balign 32
vectors:
    b       .
    b       on_undef
    b       on_svc
    b       on_pabt
    b       on_dabt
    b       .
    b       on_irq
    b       .
on_undef: entry VEC_UNDEF
on_svc:   entry VEC_SVC
on_pabt:  entry VEC_PABT
on_dabt:  entry VEC_DABT

/* Only user mode is interrupted. Set the timer anew, a little later each time, and go back. */
on_irq:
    ldr     sp, =irq_stack_top
    push    {r0-r3}
    ldr     r0, =0x08010000
    ldr     r1, [r0, #0xc]              @ GICC_IAR
    ldr     r2, =bare_interrupts
    ldr     r3, [r2]
    add     r3, r3, #1
    str     r3, [r2]
    ldr     r2, =bare_timer_ticks
    ldr     r2, [r2]
    and     r3, r3, #127
    add     r2, r2, r3
    mcr     p15, 0, r2, c14, c3, 0      @ CNTV_TVAL
    isb
    str     r1, [r0, #0x10]             @ GICC_EOIR
    pop     {r0-r3}
    subs    pc, lr, #4
    .ltorg

    .global bare_power_off
bare_power_off:
    ldr     r0, =0x84000008             @ PSCI SYSTEM_OFF
    .arch_extension virt
    hvc     #0
    b       .

    .bss
    .balign 16
    .global frame
frame:
    .space 336
    .space 16384
svc_stack_top:
    .space 64
irq_stack_top:
    .section .note.GNU-stack, "", %progbits
