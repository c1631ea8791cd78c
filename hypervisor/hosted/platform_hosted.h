/*
 * platform_hosted.h: the hosted platform's state; see platform_hosted.c.
 */
#ifndef HYPERVISOR_HOSTED_PLATFORM_H
#define HYPERVISOR_HOSTED_PLATFORM_H

#include <dbt/platform.h>
#include <setjmp.h>

struct vm;
struct engine;

struct platform {
    struct vm *vm;
    struct engine *engine;
    uint8_t *windows;     /* n_windows stretches of WINDOW_STRIDE bytes, PROT_NONE where nothing is mapped */
    unsigned n_windows;
    bool fsgsbase;        /* wrgsbase may be used; otherwise a system call sets the window */
    uint32_t mappings;    /* upper bound of the mappings made since the last count */
    uint32_t mapping_limit;
    uint8_t *code_rw, *code_rx;
    size_t code_size;
    uint8_t *heap;
    size_t heap_size;
    uint8_t *signal_stack;
    jmp_buf stop;         /* where HOST_REQ_STOP ends, on the vCPU thread */
};

/* Reserve address space for n windows. 0 or -errno. */
int platform_hosted_init(struct platform *p, struct vm *vm, unsigned n_windows);
void platform_hosted_exit(struct platform *p);

#endif
