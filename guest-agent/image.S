/*
 * image.S: the agent's program as data of the host process.
 */
    .section .rodata
    .balign 16
    .globl guest_agent_start, guest_agent_end
guest_agent_start:
    .incbin AGENT_FILE
guest_agent_end:

    .section .note.GNU-stack, "", @progbits
