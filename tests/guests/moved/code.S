/*
 * code.S: two pages of code that run wherever they are mapped, one behind the other. What probe(n) gives is
 *     n + 3 * (address of the first page) + a constant, the parts of which main.c adds up.
 */
    .arch armv7ve
    .syntax unified
    .text
    .arm
    .balign 4096
    .global moved_code, moved_cross, moved_load, moved_svc, moved_here, moved_second, moved_step, moved_literal, moved_straddles
moved_code:                             /* probe(n) */
    push {r4, r5, lr}
    adr r1, moved_code                  /* the address, once */
    add r4, r0, r1
    ldr r2, literal
    add r4, r4, r2
    bl moved_second                     /* twice */
    add r4, r4, r0
    mov r5, #50
1:  b moved_step                        /* a loop through both pages */
2:  subs r5, r5, #1
    bne 1b
    adr r0, table
    ldr r1, [r0, #4]
    add pc, r0, r1                      /* a computed branch */
    add r4, r4, #0xff000000             /* not here */
3:  add r4, r4, #0x300000
    blx moved_straddles                 /* three times */
    adds r0, r4, r0
    popne {r4, r5, pc}
    pop {r4, r5, pc}
table:
    .word 0, 3b - table
literal:
    .word 0x1000

moved_cross:                            /* what moved_second gives */
    push {r4, lr}
    bl moved_second
    pop {r4, pc}
moved_load:                             /* reads [r0] with its second instruction */
    nop
    ldr r0, [r0]
    bx lr
moved_svc:                              /* an exception between a call and its return; gives the address of moved_here, plus 8 */
    push {r4, lr}
    svc #0
    bl moved_here
    pop {r4, pc}
moved_here:
    mov r0, pc
    bx lr

    .org moved_code + 4090
    .thumb
    .thumb_func
moved_straddles:
    mov r0, pc                          /* the first page's address + 4094 */
    nop
    movw r1, #0x1234                    /* half of it in the next page */
    add r0, r0, r1
    bx lr
    .balign 4
    .arm
moved_second:
    adr r0, moved_second
    ldr r1, moved_literal
    add r0, r0, r1
    bx lr
moved_step:
    add r4, r4, #2
    b 2b
moved_literal:
    .word 0x20000
    .org moved_code + 8192
