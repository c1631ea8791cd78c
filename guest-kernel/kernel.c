/*
 * kernel.c: the execution kernel's main program and its last words.
 */
#include <dbt/engine.h>
#include <guest-kernel/kernel.h>

struct vm_boot_info *boot;
struct vm_shared *shared;
struct engine *engine;
struct platform *platform;

_Noreturn void kernel_main(struct vm_boot_info *info);

static _Noreturn void stop(void)
{
    shared->req.type = HOST_REQ_STOP;
    shared->req.value = STOP_PANIC;
    for (;;)
        plat_host_call(NULL); /* does not return */
}

void kernel_die(const char *fmt, ...)
{
    __builtin_va_list ap;

    __builtin_va_start(ap, fmt);
    fmt_vtext(shared->req.text, sizeof(shared->req.text), fmt, ap);
    __builtin_va_end(ap);
    stop();
}

/* Entered once, at CPL 3, on the engine's stack. */
void kernel_main(struct vm_boot_info *info)
{
    boot = info;
    shared = (struct vm_shared *)VM_SHARED_BASE;
    traps_init();
    if (boot->magic != VM_BOOT_MAGIC || boot->version != VM_BOOT_VERSION || shared->magic != ARMLET_ABI_MAGIC ||
        shared->version != ARMLET_ABI_VERSION || shared->size != sizeof(struct vm_shared))
        kernel_die("the execution kernel and the host process were built from different sources");

    platform = platform_init();
    engine = engine_create(shared, platform);
    if (engine == NULL)
        kernel_die("the execution kernel cannot build an engine in a heap of %lu MiB", (unsigned long)(shared->heap_size >> 20));
    engine_run(engine);
}
