/*
 * hostcall.c: see hostcall.h.
 */
#include <hypervisor/error.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/log.h>
#include <hypervisor/options.h>
#include <hypervisor/post.h>
#include <hypervisor/vm.h>

static bool size_ok(uint32_t size) { return size == 1 || size == 2 || size == 4 || size == 8; }

static enum hostcall_result serve_read(struct vm *vm, struct host_request *q)
{
    uint64_t value = 0;
    q->status = size_ok(q->size) ? bus_read(&vm->bus, q->addr, q->size, &value) : -1;
    q->value = value;
    return HOSTCALL_RESUME;
}

static enum hostcall_result serve_write(struct vm *vm, struct host_request *q)
{
    q->status = size_ok(q->size) ? bus_write(&vm->bus, q->addr, q->size, q->value) : -1;
    post_written(vm, q->addr);
    return HOSTCALL_RESUME;
}

/* All requests are served after what was posted before them: nothing is left to do. */
static enum hostcall_result serve_posted(struct vm *vm, struct host_request *q UNUSED)
{
    post_wake(vm);
    return HOSTCALL_RESUME;
}

static enum hostcall_result serve_wait(struct vm *vm, struct host_request *q UNUSED)
{
    vm_wait(vm, __atomic_load_n(&vm->shared->deadline_tsc, __ATOMIC_ACQUIRE));
    return HOSTCALL_RESUME;
}

static enum hostcall_result serve_stop(struct vm *vm, struct host_request *q)
{
    enum stop_reason why = q->value <= STOP_PANIC ? (enum stop_reason)q->value : STOP_PANIC;
    q->text[HOST_REQ_TEXT_MAX - 1] = 0;
    if (why == STOP_PANIC)
        error_report("%s", q->text);
    vm_stopped(vm, why);
    return HOSTCALL_STOP;
}

static enum hostcall_result serve_text(struct vm *vm, struct host_request *q)
{
    q->text[HOST_REQ_TEXT_MAX - 1] = 0;
    log_text(&vm->log, q->text);
    return HOSTCALL_RESUME;
}

static enum hostcall_result serve_code(struct vm *vm, struct host_request *q)
{
    if (q->value <= HOST_REQ_TEXT_MAX)
        log_code(&vm->log, (enum code_kind)q->size, q->addr, (const uint8_t *)q->text, q->value);
    return HOSTCALL_RESUME;
}

enum hostcall_result hostcall_serve(struct vm *vm)
{
    static enum hostcall_result (*const serve[])(struct vm *, struct host_request *) = {
        [HOST_REQ_MMIO_READ] = serve_read, [HOST_REQ_MMIO_WRITE] = serve_write, [HOST_REQ_WAIT] = serve_wait,
        [HOST_REQ_STOP] = serve_stop,      [HOST_REQ_TEXT] = serve_text,        [HOST_REQ_POSTED] = serve_posted,
        [HOST_REQ_CODE] = serve_code,
    };
    struct host_request *q = &vm->shared->req;
    uint32_t type = q->type;
    bool timed = vm->opt->stats && (type == HOST_REQ_MMIO_READ || type == HOST_REQ_MMIO_WRITE);
    uint64_t start = timed ? host_tsc() : 0;
    post_drain(vm);
    if (type < ARRAY_LEN(serve) && serve[type]) {
        enum hostcall_result r = serve[type](vm, q);
        if (timed)
            __atomic_store_n(&vm->device_ticks, vm->device_ticks + host_tsc() - start, __ATOMIC_RELAXED);
        return r;
    }
    error_report("the translator made a request that does not exist (%u)", type);
    vm_stopped(vm, STOP_PANIC);
    return HOSTCALL_STOP;
}
