/* image.S: the execution kernel's ELF file as data of the host process (hypervisor/accel.h). */
    .section .rodata
    .balign 4096
    .globl execution_kernel_image, execution_kernel_image_end
execution_kernel_image:
    .incbin EXECUTION_KERNEL_FILE
execution_kernel_image_end:
    .byte 0

    .section .note.GNU-stack, "", @progbits
