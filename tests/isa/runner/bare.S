/*
 * bare.S: entry, exception vectors and state loading of the bare-metal runner. Cases run in user mode; the runner lives in supervisor mode.
 */
#include "bare.h"
    .syntax unified
    .arm
    .fpu neon-vfpv4
    .arch_extension virt

    .section .text.start, "ax"
    .global _start
_start:
    mrs     r0, cpsr
    and     r0, r0, #0x1f
    cmp     r0, #0x1a                   @ Hyp mode, where the machine has one: leave it for good
    bne     1f
    ldr     r0, =1f
    ldr     r1, =0x1d3
    msr     ELR_hyp, r0
    msr     spsr_fsxc, r1
    ldr     r2, =had_hyp
    str     r1, [r2]
    eret
1:  cpsid   aif, #0x13
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
    ldr     r1, =bare_banked
    ldr     r1, [r1]
    cmp     r1, #0
    ldrne   r1, =banked_vectors
    mcrne   p15, 0, r1, c12, c0, 0
    isb
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
    ldr     r1, =bare_banked
    ldr     r1, [r1]
    cmp     r1, #0
    bne     resume_banked
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
    push    {r0-r3, r12, lr}
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
    ldr     r0, [sp, #20]               @ lr
    sub     r0, r0, #4
    mrs     r1, spsr
    bl      bare_interrupt              @ (pc, cpsr) -> does it end the case?
    cmp     r0, #0
    pop     {r0-r3, r12, lr}
    bne     on_end
    subs    pc, lr, #4
on_end:
    ldr     sp, =frame
    entry VEC_IRQ
    .ltorg

/*
 * Cases with the registers of all modes (struct isa_banked behind struct isa_state). RFE starts a case, from abort mode, or from undefined
 * mode when the case is to run in abort mode; the stack pointer of that mode is always `launch`.
 */
    .macro load_mode mode
    cps     #\mode
    ldr     sp, [r2], #4
    ldr     lr, [r2], #4
    ldr     r3, [r2], #4
    msr     spsr_fsxc, r3
    .endm
    .macro store_mode mode
    cps     #\mode
    str     sp, [r2], #4
    str     lr, [r2], #4
    mrs     r3, spsr
    str     r3, [r2], #4
    .endm

resume_banked:
    add     r2, r0, #328
    cps     #0x11
    ldmia   r2!, {r8-r14}
    ldr     r3, [r2], #4
    msr     spsr_fsxc, r3
    load_mode 0x13
    load_mode 0x17
    load_mode 0x1b
    load_mode 0x12
    ldr     r3, [r2]
    vmsr    fpexc, r3
    cps     #0x1f
    add     r2, r0, #32
    ldmia   r2, {r8-r14}
    ldr     r4, =launch
    ldr     r2, [r0, #60]
    ldr     r3, [r0, #64]
    stmia   r4, {r2, r3}
    and     r3, r3, #0x1f
    cmp     r3, #0x17
    beq     1f
    cps     #0x17
    mov     sp, r4
    ldmia   r0, {r0-r7}
    rfeia   sp
1:  cps     #0x1b
    mov     sp, r4
    ldmia   r0, {r0-r7}
    rfeia   sp

    .macro entry_banked kind
    mcr     p15, 0, sp, c13, c0, 4      @ TPIDRPRW holds it meanwhile
    ldr     sp, =frame
    stmia   sp, {r0-r14}^
    nop
    mrs     r0, spsr
    str     lr, [sp, #60]
    str     r0, [sp, #64]
    mov     r0, #\kind
    b       event_banked
    .endm

event_banked:
    mov     r4, sp
    mrc     p15, 0, sp, c13, c0, 4
    vmrs    r3, fpexc
    str     r3, [r4, #408]
    orr     r3, r3, #0x40000000
    vmsr    fpexc, r3
    vmrs    r1, fpscr
    str     r1, [r4, #68]
    add     r2, r4, #72
    vstmia  r2!, {d0-d15}
    vstmia  r2!, {d16-d31}              @ r2 = the banked registers
    cps     #0x11
    stmia   r2!, {r8-r14}
    mrs     r3, spsr
    str     r3, [r2], #4
    store_mode 0x13
    store_mode 0x17
    store_mode 0x1b
    store_mode 0x12
    b       event
    .ltorg

    .balign 32
banked_vectors:
    b       .
    b       banked_undef
    b       banked_svc
    b       banked_pabt
    b       banked_dabt
    b       .
    b       .
    b       .
banked_undef: entry_banked VEC_UNDEF
banked_svc:   entry_banked VEC_SVC
banked_pabt:  entry_banked VEC_PABT
banked_dabt:  entry_banked VEC_DABT
    .ltorg

    .global bare_power_off
bare_power_off:
    ldr     r0, =0x84000008             @ PSCI SYSTEM_OFF
    ldr     r1, =had_hyp                @ QEMU takes PSCI calls by SMC on a machine with Hyp mode
    ldr     r1, [r1]
    cmp     r1, #0
    bne     1f
    hvc     #0
1:  .arch_extension sec
    smc     #0
    b       .
    .ltorg

    .data
    .balign 4
had_hyp:
    .word   0

    .bss
    .balign 16
    .global frame
frame:
    .space 416
    .space 256
    .global launch
launch:                                 @ with room for SRS around it
    .space 272
    .space 16384
svc_stack_top:
    .space 256
irq_stack_top:
    .section .note.GNU-stack, "", %progbits
