/*
 * platform.h: the little that differs between the engine inside the VM and the engine inside the host process.
 *
 * Implemented twice: guest-kernel/platform_vm.c and hypervisor/hosted/platform_hosted.c; linked, not called through
 * pointers. A *window* is a 4 GiB stretch of x86 virtual space that stands for one guest address space; window
 * number w in [0, config.view_count). Guest address g of window w is the host address plat_window_base(w) + g.
 * Unmapped parts of a window fault; faults in a window reach engine_fault() (dbt/engine.h).
 */
#ifndef DBT_PLATFORM_H
#define DBT_PLATFORM_H

#include <armlet/abi.h>

struct platform; /* private to each implementation; one per vCPU */

#define PLAT_R 1u
#define PLAT_W 2u

uint64_t plat_window_base(struct platform *p, unsigned window);

/* Map `len` bytes at guest address `va` of the window to guest RAM at `ram_off` (bytes from the start of RAM), replacing whatever
 * was mapped there. va, len and ram_off are multiples of 4 KiB; 2 MiB x86 pages are used where alignment allows.
 * Rights: PLAT_R or PLAT_R|PLAT_W. Replacing or weakening an existing mapping takes effect at the next plat_flush(). */
void plat_map(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights);

/* Change the rights of pages that are mapped. Weakening takes effect at the next plat_flush(). */
void plat_protect(struct platform *p, unsigned window, uint32_t va, uint64_t len, uint64_t ram_off, unsigned rights);

/* Unmap; takes effect at the next plat_flush(). */
void plat_unmap(struct platform *p, unsigned window, uint32_t va, uint64_t len);

/* Unmap a whole window, all 4 GiB, cheaply; takes effect at the next plat_flush(). */
void plat_unmap_window(struct platform *p, unsigned window);

/* Make all removals and weakenings since the last call visible to this vCPU's translated code. Does nothing when
 * there were none. */
void plat_flush(struct platform *p);

/* Make `window` the one that translated code addresses (GS base). */
void plat_set_window(struct platform *p, unsigned window);

/* Code is going to be written to these bytes of the code cache. As translated code is spread over more small pages than the processor's
 * instruction TLB has entries for, they get large ones if the platform has any. */
void plat_code_ahead(struct platform *p, uint64_t off, uint64_t len);

/* Pass shared->req to the host and return when it has answered. For HOST_REQ_STOP it does not return. */
void plat_host_call(struct platform *p);

#endif
