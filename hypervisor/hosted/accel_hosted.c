/*
 * accel_hosted.c: the engine inside this process.
 */
#include <dbt/engine.h>
#include <errno.h>
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/hosted/hosted.h>
#include <hypervisor/hosted/profile.h>
#include <hypervisor/vm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The code cache is mapped twice, once to write and once to execute: no page is ever both. The memory is shared and anonymous, which perf
 * takes for generated code; a second mapping of it is what mremap() makes of a size of 0. Both are aligned for plat_code_ahead().
 */
static int create_code_cache(struct platform *p, uint64_t size)
{
    uint64_t room = ALIGN_UP(size, HUGE_PAGE);
    uint8_t *start = mmap(NULL, 2 * room + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (start == MAP_FAILED)
        goto fail;
    p->code_space = start;
    p->code_space_size = 2 * room + HUGE_PAGE;
    p->code_size = size;
    start = (uint8_t *)ALIGN_UP((uintptr_t)start, HUGE_PAGE);
    p->code_rw = mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p->code_rw == MAP_FAILED)
        goto fail_space;
    p->code_rx = mremap(p->code_rw, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, start + room);
    if (p->code_rx == MAP_FAILED || mprotect(p->code_rx, size, PROT_READ | PROT_EXEC) < 0)
        goto fail_space;
    return 0;
fail_space:
    munmap(p->code_space, p->code_space_size);
    p->code_space = NULL;
fail:
    error_report("no code cache of %llu MiB: %s", (unsigned long long)(size >> 20), strerror(errno));
    return -1;
}

static void hosted_destroy(struct vm *vm)
{
    struct platform *p = vm->accel_state;
    profile_destroy(p);
    if (p->heap)
        munmap(p->heap, p->heap_size);
    if (p->code_space)
        munmap(p->code_space, p->code_space_size);
    if (p->vmas)
        windows_destroy(p);
    free(p);
    vm->accel_state = NULL;
}

static int hosted_create(struct vm *vm)
{
    struct vm_shared *s = vm->shared;
    struct platform *p = calloc(1, sizeof(*p));
    if (!p) {
        error_report("there is no memory for the translator");
        return -1;
    }
    vm->accel_state = p;
    p->vm = vm;
    if (windows_create(p, s->config.view_count, vm->ram_fd) < 0 || create_code_cache(p, s->config.code_cache_bytes) < 0 || faults_install() < 0)
        goto fail;
    uint64_t size = ALIGN_UP(engine_heap_size(&s->config, vm->ram_size), 4096ull);
    void *heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (heap == MAP_FAILED) {
        error_report("no memory for the translator (%llu MiB): %s", (unsigned long long)(size >> 20), strerror(errno));
        goto fail;
    }
    p->heap = heap;
    p->heap_size = size;
    s->ram_va = (uint64_t)(uintptr_t)vm->ram;
    s->heap_va = (uint64_t)(uintptr_t)heap;
    s->heap_size = size;
    s->code_rw_va = (uint64_t)(uintptr_t)p->code_rw;
    s->code_rx_va = (uint64_t)(uintptr_t)p->code_rx;
    p->engine = engine_create(s, p);
    if (!p->engine) {
        error_report("the translator does not accept its configuration");
        goto fail;
    }
    if (profile_create(p) < 0)
        goto fail;
    return 0;
fail:
    hosted_destroy(vm);
    return -1;
}

static int hosted_run(struct vm *vm)
{
    struct platform *p = vm->accel_state;
    if (faults_enter_thread(p) < 0)
        return -1;
    profile_start(p);
    if (_setjmp(p->leave) == 0)
        engine_run(p->engine); /* comes back through plat_host_call() */
    profile_stop(p);
    faults_leave_thread();
    return 0;
}

static uint32_t *hosted_poll_word(struct vm *vm) { return (uint32_t *)(uintptr_t)vm->shared->poll_va; }

const struct accel_ops accel_hosted = {
    .name = "hosted",
    .engine_flags = ENGINE_MAP_RUNS, /* a mapping is a system call */
    .fault_around = 16,
    .create = hosted_create,
    .run = hosted_run,
    .destroy = hosted_destroy,
    .poll_word = hosted_poll_word,
};
