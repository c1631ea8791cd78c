/*
 * kernel.h: the parts of the execution kernel among themselves. One vCPU, no threads: the state is plain static data.
 */
#ifndef GUEST_KERNEL_KERNEL_H
#define GUEST_KERNEL_KERNEL_H

#include <armlet/vm_layout.h>
#include <dbt/platform.h>

struct engine;
extern struct vm_boot_info *boot;
extern struct vm_shared *shared;
extern struct engine *engine;     /* NULL until it has been created */
extern struct platform *platform; /* likewise */

/* traps.c: fill GDT, TSS and IDT. */
void traps_init(void);

/* platform_vm.c: take over the page tables the host made. */
struct platform *platform_init(void);

/* platform_vm.c: does a present mapping allow the access? Then the fault was spurious. platform_drop_page() flushes one address. */
bool platform_maps(struct platform *p, uint64_t addr, bool is_write);
void platform_drop_page(struct platform *p, uint64_t addr);

/* traps.S: run CPL-0 code: gate_cr3, or gate_invlpg + 12 * (GATE_LIST - n) to drop the last n pages of gate_list. */
#define GATE_LIST         16
#define GATE_INVLPG_BYTES 12
void gate_enter(const void *target);
extern const char gate_cr3[], gate_invlpg[];
extern uint64_t gate_list[GATE_LIST];

/* kernel.c: end the VM with a sentence. */
_Noreturn void kernel_die(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
