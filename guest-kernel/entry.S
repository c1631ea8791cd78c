/*
 * entry.S: where the vCPU starts.
 *
 * The host starts it at CPL 3 in long mode with everything mapped, rsp at VM_STACK_TOP and rdi = struct vm_boot_info, so there is no
 * boot code at CPL 0 at all. The descriptor tables are still empty: until kernel_main() has filled them a trap shuts the VM down.
 */
#include <armlet/vm_layout.h>

    .section .text.entry, "ax"
    .globl kernel_entry
    .type kernel_entry, @function
kernel_entry:
    xor %ebp, %ebp
    call kernel_main
    ud2
    .size kernel_entry, . - kernel_entry

    .globl layout_image_start, layout_image_end
    .set layout_image_start, VM_IMAGE_BASE
    .set layout_image_end, VM_IMAGE_BASE + VM_IMAGE_MAX

    .section .note.GNU-stack, "", @progbits
