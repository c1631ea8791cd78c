/*
 * traps.S: from a trap to CPL 0 and back to a handler at CPL 3, in as few instructions at CPL 0 as can be.
 *
 * On processors with hardware virtualisation an instruction at CPL 0 costs nothing; on a KVM that emulates CPL 0 it costs half a
 * microsecond. So the stubs save nothing and decide nothing: the processor stores its frame (error code, rip, cs, rflags, rsp, ss) at the
 * top of VM_TRAP_STACK, which CPL 3 can read, and the stub returns to CPL 3 through a constant frame that names the handler and the
 * handler's stack. rsp is the one register a stub may use, as the frame holds the interrupted value; it carries CR2 to memory.
 *
 *   page fault      4 instructions: store CR2, enter page_fault_entry
 *   divide error    jump through gate_target: the gate (below), or the common stub
 *   anything else   3 instructions: store the vector, enter trap_entry, which ends the VM with a report
 *
 * The gate is how CPL 3 asks for the privileged operations there are, TLB invalidations. It is a division by zero because that vector is
 * not intercepted by kvm_intel and kvm_amd (ud2 is), and reaches CPL 0 everywhere. Translated code and the engine divide by zero only by
 * mistake, and then gate_target still leads to the report.
 *
 * Handlers run with IF = 1, as everything at CPL 3 does.
 */
#include <armlet/vm_layout.h>

#define RFLAGS_CPL3 0x202

/* struct host_fault_ctx (dbt/host.h), checked in traps.c */
#define CTX_RSP    32
#define CTX_RIP    128
#define CTX_RFLAGS 136
#define CTX_ADDR   144
#define CTX_VECTOR 160
#define CTX_SIZE   176

#define XMM_SIZE 272 /* below it: the registers, MXCSR, and what keeps the stack aligned */

/* The processor's frame at the top of the trap stack; the error code is below where there is one. */
#define TRAP_TOP    (VM_TRAP_STACK + VM_PAGE)
#define TRAP_ERROR  (TRAP_TOP - 48)
#define TRAP_RIP    (TRAP_TOP - 40)
#define TRAP_CS     (TRAP_TOP - 32)
#define TRAP_RFLAGS (TRAP_TOP - 24)
#define TRAP_RSP    (TRAP_TOP - 16)

    .text
/* --- CPL 0 ------------------------------------------------------------------------------------------------------------------------ */
    .balign 16
    .globl stub_page_fault
stub_page_fault:
    mov %cr2, %rsp
    mov %rsp, trap_cr2
    mov $page_fault_frame, %esp
    iretq

    .globl stub_divide
stub_divide:
    jmp *gate_target

/* One stub for each exception, 16 bytes apart. */
    .balign 16
    .globl stub_trap
stub_trap:
    .set vector, 0
    .rept 32
    .balign 16
    movb $vector, trap_vector
    jmp stub_common
    .set vector, vector + 1
    .endr
stub_common:
    mov $trap_frame, %esp
    iretq

/* gate_target leads here: drop everything. */
    .balign 16
    .globl gate_cr3
gate_cr3:
    mov %cr3, %rax
    mov %rax, %cr3
    addq $2, (%rsp)
    iretq

/* gate_target leads into the middle of this: drop the last pages of gate_list, GATE_LIST at most, 12 bytes of code for each. */
    .balign 16
    .globl gate_invlpg
gate_invlpg:
    .set slot, 0
    .rept 16
    .balign 4
1:  mov gate_list + 8 * slot, %rax
    invlpg (%rax)
    .org 1b + 12, 0x90
    .set slot, slot + 1
    .endr
    addq $2, (%rsp)
    iretq

/* --- CPL 3 ------------------------------------------------------------------------------------------------------------------------ */

/* void gate_enter(const void *target): run the CPL-0 code at target. */
    .globl gate_enter
    .type gate_enter, @function
gate_enter:
    mov %rdi, gate_target
    xor %ecx, %ecx
    xor %edx, %edx
    div %ecx                    /* two bytes: the gate skips them */
    movq $stub_trap, gate_target
    ret
    .size gate_enter, . - gate_enter

/*
 * A page fault. rsp = top of the fault stack - 48, where the frame to return through will be built. The handler may use SSE registers, and a
 * store of one may be what faulted: all are kept.
 */
    .globl page_fault_entry
page_fault_entry:
    cmpb $0, fault_busy
    jne nested_fault
    movb $1, fault_busy
    sub $CTX_SIZE, %rsp
    mov %rax, 0(%rsp)
    mov %rcx, 8(%rsp)
    mov %rdx, 16(%rsp)
    mov %rbx, 24(%rsp)
    mov %rbp, 40(%rsp)
    mov %rsi, 48(%rsp)
    mov %rdi, 56(%rsp)
    mov %r8, 64(%rsp)
    mov %r9, 72(%rsp)
    mov %r10, 80(%rsp)
    mov %r11, 88(%rsp)
    mov %r12, 96(%rsp)
    mov %r13, 104(%rsp)
    mov %r14, 112(%rsp)
    mov %r15, 120(%rsp)
    mov TRAP_RSP, %rax
    mov %rax, CTX_RSP(%rsp)
    mov TRAP_RIP, %rax
    mov %rax, CTX_RIP(%rsp)
    mov TRAP_RFLAGS, %rax
    mov %rax, CTX_RFLAGS(%rsp)
    mov trap_cr2, %rax
    mov %rax, CTX_ADDR(%rsp)
    mov TRAP_ERROR, %esi
    mov TRAP_CS, %edx
    mov %rsp, %rdi
    mov %rsp, %rbx
    sub $XMM_SIZE, %rsp
    mov %rsp, CTX_VECTOR(%rdi)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\n, 16 * \n(%rsp)
    .endr
    stmxcsr 256(%rsp)
    cld
    call page_fault
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16 * \n(%rsp), %xmm\n
    .endr
    ldmxcsr 256(%rsp)
    mov %rbx, %rsp

    /* Build the frame to return through at the top of the stack; the context may have been changed. */
    mov CTX_RIP(%rsp), %rax
    mov %rax, CTX_SIZE + 0(%rsp)
    movq $VM_USER_CS, CTX_SIZE + 8(%rsp)
    mov CTX_RFLAGS(%rsp), %rax
    mov %rax, CTX_SIZE + 16(%rsp)
    mov CTX_RSP(%rsp), %rax
    mov %rax, CTX_SIZE + 24(%rsp)
    movq $VM_USER_SS, CTX_SIZE + 32(%rsp)
    mov 0(%rsp), %rax
    mov 8(%rsp), %rcx
    mov 16(%rsp), %rdx
    mov 24(%rsp), %rbx
    mov 40(%rsp), %rbp
    mov 48(%rsp), %rsi
    mov 56(%rsp), %rdi
    mov 64(%rsp), %r8
    mov 72(%rsp), %r9
    mov 80(%rsp), %r10
    mov 88(%rsp), %r11
    mov 96(%rsp), %r12
    mov 104(%rsp), %r13
    mov 112(%rsp), %r14
    mov 120(%rsp), %r15
    movb $0, fault_busy
    add $CTX_SIZE, %rsp
    iretq

/* A page fault in the page-fault handler: report it instead. */
nested_fault:
    movb $14, trap_vector
    mov trap_frame + 24, %rsp
    /* fall through */

/* The end. rsp = top of the death stack. General registers are still those of the trap. */
    .globl trap_entry
trap_entry:
    cld
    mov $TRAP_RIP, %edi
    movzbl trap_vector, %esi
    cmp $8, %esi
    jne 1f
    mov $(VM_DOUBLE_STACK + VM_PAGE - 40), %edi
1:  mov trap_cr2, %rdx
    call trap_report
    ud2

    .data
    .balign 16
/* The constant frames: rip, cs, rflags, rsp, ss. */
page_fault_frame:
    .quad page_fault_entry, VM_USER_CS, RFLAGS_CPL3, VM_FAULT_STACK + VM_FAULT_STACK_SIZE - 48, VM_USER_SS
trap_frame:
    .quad trap_entry, VM_USER_CS, RFLAGS_CPL3, VM_DEATH_STACK + VM_DEATH_STACK_SIZE, VM_USER_SS
gate_target:
    .quad stub_trap
    .globl trap_cr2
trap_cr2:
    .quad 0
    .globl gate_list
gate_list:
    .fill 16, 8, 0
trap_vector:
    .byte 0
    .globl fault_busy
fault_busy:
    .byte 0

    .section .note.GNU-stack, "", @progbits
