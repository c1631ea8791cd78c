@ survivor.S: the start of every second image of random_kernels. Its exception vectors return into the random bytes behind it, so that a million
@ instructions of them run, where plain random bytes end at the first undefined instruction. After a prefetch abort they go on at a place in
@ the image, in an instruction set and a mode, that a linear congruential generator in sp_abt chooses.
    .arch armv7ve
    .fpu neon-vfpv4
    .arm
start:
    adr   r0, vectors
    mcr   p15, 0, r0, c12, c0, 0     @ VBAR
    mov   r1, #0xf00000
    mcr   p15, 0, r1, c1, c0, 2      @ CPACR: VFP and Advanced SIMD for all
    isb
    mov   r1, #0x40000000
    vmsr  fpexc, r1
    cps   #0x17
    mov   sp, r0
    cps   #0x13
    mov   sp, #0x40000000
    add   sp, sp, #0x800000
    b     code
    .balign 32
vectors:
    b     other
    movs  pc, lr                      @ undefined: the next instruction
    movs  pc, lr                      @ supervisor call
    b     elsewhere                   @ prefetch abort
    subs  pc, lr, #4                  @ data abort: the next instruction
    b     other
    subs  pc, lr, #4                  @ interrupts
    subs  pc, lr, #4
other:
    movs  pc, lr
elsewhere:                            @ somewhere in the image, in a state chosen by chance as well
    movw  r12, #0x660d
    movt  r12, #0x0019
    mul   r12, sp, r12
    movw  sp, #0xf35f
    movt  sp, #0x3c6e
    add   sp, sp, r12
    ubfx  r12, sp, #10, #15
    adr   lr, start
    add   lr, lr, r12, lsl #1
    lsrs  r12, sp, #30
    mov   r12, #0x1d0
    orreq r12, r12, #3
    orrne r12, r12, #0x1f
    tst   sp, #0x20000000
    orrne r12, r12, #0x20
    biceq lr, lr, #2
    msr   spsr_cxsf, r12
    movs  pc, lr
code:
