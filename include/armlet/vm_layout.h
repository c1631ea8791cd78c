/*
 * vm_layout.h: the physical and virtual layout of the KVM VM the execution kernel runs in, agreed between hypervisor/kvm and guest-kernel.
 *
 * Everything outside the guest windows is mapped at its physical address, by page tables the host writes before the vCPU starts; the
 * execution kernel adds the windows. Nothing is mapped that is not named here, so stray accesses fault: the first 2 MiB, the pages between
 * the stacks, the gaps between regions and between windows.
 *
 *   0x0000'0020'0000  control   stacks, descriptor tables, boot information (4 KiB pages)
 *   0x0000'0040'0000  image     the execution kernel's ELF segments (2 MiB pages, rights by segment)
 *   0x0000'0100'0000  pool      pages for page tables; the host takes the first ones
 *   0x0000'2000'0000  code      code cache, writable
 *   0x0000'4000'0000  code      the same, executable; in reach of a near call from and to the image
 *   0x0000'6000'0000  shared    struct vm_shared
 *   0x0000'8000'0000  heap      the engine's
 *   0x0001'0000'0000  RAM       guest RAM, the engine's view of it
 *   0x0100'0000'0000  windows   one every 8 GiB, each 4 GiB
 */
#ifndef ARMLET_VM_LAYOUT_H
#define ARMLET_VM_LAYOUT_H

#define VM_PAGE       0x1000
#define VM_LARGE_PAGE 0x200000

/* --- control region; each stack is named by its lowest byte and has an unmapped page below it ---------------------------------- */
#define VM_CONTROL_BASE     0x200000
#define VM_CONTROL_SIZE     0x200000
#define VM_STACK            0x201000 /* the engine's */
#define VM_STACK_SIZE       0x40000
#define VM_FAULT_STACK      0x242000 /* the page-fault handler's */
#define VM_FAULT_STACK_SIZE 0x10000
#define VM_DEATH_STACK      0x253000 /* the handler of all traps that end the VM */
#define VM_DEATH_STACK_SIZE 0x8000
#define VM_TRAP_STACK       0x25c000 /* where the processor stores the frame of a trap from CPL 3 */
#define VM_DOUBLE_STACK     0x25e000 /* the same for a double fault (IST 1) */
#define VM_GDT              0x260000
#define VM_TSS              0x261000
#define VM_IDT              0x262000
#define VM_BOOT_INFO        0x263000 /* struct vm_boot_info */

/* --- regions ------------------------------------------------------------------------------------------------------------------- */
#define VM_IMAGE_BASE    0x400000
#define VM_IMAGE_MAX     0xc00000
#define VM_POOL_BASE     0x1000000
#define VM_POOL_MAX      0x1f000000
#define VM_CODE_RW_BASE  0x20000000
#define VM_CODE_MAX      0x20000000
#define VM_CODE_RX_BASE  0x40000000
#define VM_SHARED_BASE   0x60000000
#define VM_SHARED_MAX    0x200000
#define VM_HEAP_BASE     0x80000000
#define VM_HEAP_MAX      0x80000000
#define VM_RAM_BASE      0x100000000
#define VM_WINDOW_BASE   0x10000000000
#define VM_WINDOW_STRIDE 0x200000000
#define VM_WINDOW_SIZE   0x100000000
#define VM_WINDOW_MAX    1024 /* windows */

/* --- segments: Linux' user selectors, which paravirtualised KVMs use as they are ------------------------------------------------ */
#define VM_KERNEL_CS 0x08
#define VM_KERNEL_SS 0x10
#define VM_USER_SS   0x2b
#define VM_USER_CS   0x33
#define VM_TSS_SEL   0x40

#define VM_GDT_SIZE 0x50
#define VM_IDT_SIZE 0x200 /* 32 exceptions */

/* A hypercall is a byte written to this port, which the TSS opens to CPL 3; the value is ignored. */
#define VM_PORT_HOSTCALL 0x40
#define VM_TSS_IOMAP     0x68
#define VM_TSS_SIZE      (VM_TSS_IOMAP + VM_PORT_HOSTCALL / 8 + 2)

/* --- page-table entries --------------------------------------------------------------------------------------------------------- */
#define X86_PTE_P     0x1
#define X86_PTE_W     0x2
#define X86_PTE_U     0x4
#define X86_PTE_A     0x20
#define X86_PTE_D     0x40
#define X86_PTE_LARGE 0x80
#define X86_PTE_NX    0x8000000000000000
#define X86_PTE_ADDR  0x000ffffffffff000
/* Accessed and dirty are set from the start: nobody reads them, and a shadow MMU write-protects pages that are not dirty. */
#define X86_PTE_PAGE  (X86_PTE_P | X86_PTE_U | X86_PTE_A | X86_PTE_D)
#define X86_PTE_TABLE (X86_PTE_P | X86_PTE_W | X86_PTE_U | X86_PTE_A)

#ifndef __ASSEMBLER__
#include <armlet/abi.h>

#define VM_BOOT_MAGIC   0x746f6f62u /* "boot" */
#define VM_BOOT_VERSION 1u

struct vm_boot_info {
    uint32_t magic, version;
    uint32_t pool_pages; /* size of the pool */
    uint32_t pool_used;  /* first pages of it that hold the host's tables */
    uint64_t pml4;       /* physical and virtual address of the top table, in the pool */
    uint32_t windows;    /* windows wanted */
    uint32_t pad;
    /* execution kernel -> host, for --stats */
    uint64_t page_faults;     /* reflected to CPL 3 */
    uint64_t spurious_faults; /* of those: the mapping was there already */
    uint64_t gates_invlpg;    /* requests to CPL 0 that dropped single pages */
    uint64_t gates_cr3;       /* requests to CPL 0 that dropped everything */
    uint64_t pool_in_use;     /* page-table pages */
    uint64_t pool_reclaims;   /* windows emptied for want of page-table pages */
};

_Static_assert(VM_STACK + VM_STACK_SIZE < VM_FAULT_STACK && VM_FAULT_STACK + VM_FAULT_STACK_SIZE < VM_DEATH_STACK &&
                   VM_DEATH_STACK + VM_DEATH_STACK_SIZE < VM_TRAP_STACK,
               "a guard page below each stack");
_Static_assert(VM_BOOT_INFO + VM_PAGE <= VM_CONTROL_BASE + VM_CONTROL_SIZE, "control region");
_Static_assert(sizeof(struct vm_boot_info) <= VM_PAGE, "control region");
_Static_assert(VM_CONTROL_BASE + VM_CONTROL_SIZE <= VM_IMAGE_BASE && VM_IMAGE_BASE + VM_IMAGE_MAX <= VM_POOL_BASE &&
                   VM_POOL_BASE + VM_POOL_MAX <= VM_CODE_RW_BASE && VM_CODE_RW_BASE + VM_CODE_MAX <= VM_CODE_RX_BASE &&
                   VM_CODE_RX_BASE + VM_CODE_MAX <= VM_SHARED_BASE && VM_SHARED_BASE + VM_SHARED_MAX <= VM_HEAP_BASE &&
                   VM_HEAP_BASE + (uint64_t)VM_HEAP_MAX <= VM_RAM_BASE,
               "regions in order");
_Static_assert(VM_CODE_RX_BASE + VM_CODE_MAX - VM_IMAGE_BASE < 0x7fffffff, "near calls between code cache and image");
_Static_assert(VM_RAM_BASE + (uint64_t)GUEST_RAM_MAX <= VM_WINDOW_BASE, "regions in order");
_Static_assert(VM_WINDOW_BASE + VM_WINDOW_MAX * VM_WINDOW_STRIDE < 1ull << 47, "lower half");
_Static_assert(VM_WINDOW_BASE % (1ull << 39) == 0, "windows start at a top-level entry");
_Static_assert(sizeof(struct vm_shared) <= VM_SHARED_MAX, "shared area");

/* Host and execution kernel agree on 16-byte stacks: tops are their own alignment. */
#define VM_STACK_TOP      (VM_STACK + VM_STACK_SIZE)
#define VM_TRAP_STACK_TOP (VM_TRAP_STACK + VM_PAGE)
#endif

#endif
