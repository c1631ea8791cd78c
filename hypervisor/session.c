/*
 * session.c: see session.h.
 */
#include <hypervisor/log.h>
#include <hypervisor/options.h>
#include <hypervisor/session.h>
#include <hypervisor/signals.h>
#include <hypervisor/stats.h>
#include <hypervisor/vm.h>
#include <stdlib.h>

int session_run(struct vm *vm, const struct options *options)
{
    int code = EXIT_FAILURE;
    clock_begin(&vm->clock);
    signals_block();
    if (log_open(&vm->log, options->log_file) == 0) {
        if (vm_create(vm, options) == 0) {
            code = vm_run(vm);
            if (options->stats && vm->tsc_start)
                stats_print(vm, true);
        }
        vm_destroy(vm);
        if (log_close(&vm->log) < 0)
            code = EXIT_FAILURE;
    }
    return code;
}
