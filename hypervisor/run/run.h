/*
 * run.h: `armlet run [OPTION...] [--] COMMAND [ARGUMENT...]`: a command in a guest as if it were one of the host.
 *
 * The guest is the kernel and initramfs that tools/mkrun made, with the agent (guest-agent/) as /init; what the agent is to do and to say
 * is in include/armlet/run.h. The command's exit code becomes the process's; 125: armlet or the guest failed (said on standard error), 126:
 * the command cannot be run, 127: there is no such command, 128 + n: signal n ended it.
 */
#ifndef HYPERVISOR_RUN_H
#define HYPERVISOR_RUN_H

#include <armlet/base.h>

struct run;

/* The subcommand; argv[0] is "run". Returns the exit code. */
int run_main(int argc, char **argv);

/* Main thread, a signal for this process: false when armlet itself should end on it. */
bool run_signal(struct run *r, int number);
/* Main thread: the terminal may have another size. */
void run_window_changed(struct run *r);

#endif
