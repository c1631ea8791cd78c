/*
 * hosted.h: what the two halves of the hosted accelerator share.
 */
#ifndef HYPERVISOR_HOSTED_H
#define HYPERVISOR_HOSTED_H

#include <dbt/platform.h>
#include <setjmp.h>

struct vm;
struct engine;
struct profile;

#define HUGE_PAGE (2ull << 20)

/* One vCPU's windows; dbt/platform.h in terms of mmap. */
struct platform {
    struct vm *vm;
    struct engine *engine;
    unsigned current; /* window */

    uint8_t *reserved; /* all windows and the gaps between them */
    uint64_t reserved_size;
    uint64_t first;    /* base of window 0 */
    unsigned n_windows;
    int ram_fd;
    bool fsgsbase;

    /* Linux bounds the number of mappings of a process. vmas[w] is never less than what window w has. */
    uint32_t *vmas;
    uint32_t vma_total, vma_limit;
    unsigned n_removals; /* what plat_unmap() was asked for since plat_flush() */
    struct removal {
        unsigned window;
        uint32_t va;
        uint64_t len;
    } removal[8];
    bool dropped; /* a window has been emptied behind the engine's back */

    uint8_t *code_space; /* address space that holds both mappings of the code cache */
    uint64_t code_space_size;
    uint8_t *code_rw, *code_rx;
    uint64_t code_size;
    bool code_small_pages; /* the host has refused huge ones */
    uint8_t *heap;
    uint64_t heap_size;

    jmp_buf leave;  /* out of the engine, when the guest has stopped */
    int in_fault;   /* engine_fault() is running */
    struct profile *profile; /* or NULL */
};

/* Reserve and release the windows: 0, or -1 after a message. */
int windows_create(struct platform *p, unsigned count, int ram_fd);
void windows_destroy(struct platform *p);

/* Fault handlers of the process, and the alternate stack of the calling thread. */
int faults_install(void);
int faults_enter_thread(struct platform *p);
void faults_leave_thread(void);

#endif
