/*
 * run.c: see run.h.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <hypervisor/run/impl.h>
#include <hypervisor/run/run.h>
#include <hypervisor/session.h>
#include <hypervisor/signals.h>
#include <hypervisor/terminal.h>
#include <hypervisor/vm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The guest is gone and the command has not ended: whatever its kernel or the agent said last is the reason. */
static void report_early_end(const struct run *r)
{
    error_report("the guest ended before the command did%s", r->verbose || !r->last_len ? "" : "; the last it said on its console:");
    if (!r->verbose && r->last_len)
        (void)!write(STDERR_FILENO, r->last, r->last_len);
}

/* Boot what *plan says. The exit code. */
static int run_machine(struct run *r, const struct plan *plan)
{
    struct options options;
    int code = RUN_CODE_FAILED;
    switch (options_parse(&options, (int)plan->argv.n, plan->argv.at)) {
    case OPTIONS_DONE: /* help or version was asked for */
        options_free(&options);
        return EXIT_SUCCESS;
    case OPTIONS_BAD:
        options_free(&options);
        return RUN_CODE_FAILED;
    case OPTIONS_RUN:
        break;
    }
    options.console_ports = r->ports;
    options.n_console_ports = PORT_COUNT;
    options.run = r;
    options.quiet_choice = !r->verbose;
    if (plan->tty)
        terminal_setup(0);
    signals_block();
    if (channel_start(r) == 0)
        code = session_run(r->vm, &options);
    signals_unblock(); /* a reader that does not take the rest of the output is nothing to wait for for ever */
    channel_finish(r);
    int refused = atomic_load(&r->refused);
    if (r->exited) {
        code = (int)r->code;
    } else if (refused) {
        error_report("ended by signal %d", refused);
        code = RUN_CODE_SIGNAL + refused;
    } else if (code == EXIT_SUCCESS) {
        report_early_end(r);
        code = RUN_CODE_FAILED;
    } else {
        code = RUN_CODE_FAILED; /* what failed has been said */
    }
    options_free(&options);
    return code;
}

int run_main(int argc, char **argv)
{
    static struct vm vm;
    static struct run r; /* outlives this function: threads that wait for standard input use it until the process is gone */
    struct request request;
    struct plan plan = {0};
    int code = RUN_CODE_FAILED, initrd = -1;

    enum request_result parsed = request_parse(&request, argc, argv);
    if (parsed != REQUEST_RUN) {
        request_free(&request);
        return parsed == REQUEST_DONE ? EXIT_SUCCESS : RUN_CODE_FAILED;
    }
    vm.event_fd = -1; /* until vm_create(): the threads of the channel may ask for the end before */
    r.vm = &vm;
    r.verbose = request.verbose;
    initrd = memfd_create("armlet-initramfs", MFD_CLOEXEC);
    if (initrd < 0) {
        error_report("no memory for the initramfs: %s", strerror(errno));
        goto out;
    }
    if (channel_create(&r) < 0 || plan_make(&plan, &request, initrd, r.console[1]) < 0 ||
        initramfs_build(initrd, plan.initramfs, &plan.config) < 0)
        goto out;
    r.tty = plan.tty;
    code = run_machine(&r, &plan);
out:
    if (initrd >= 0)
        close(initrd);
    plan_free(&plan);
    request_free(&request);
    return code;
}
