/*
 * session.h: one machine from its options to the exit code: log, machine, run, statistics.
 */
#ifndef HYPERVISOR_SESSION_H
#define HYPERVISOR_SESSION_H

struct options;
struct vm;

/* The exit code of the process: vm_run()'s, or 1 after a message. Signals are blocked from here on. vm is zeroed by the caller. */
int session_run(struct vm *vm, const struct options *options);

#endif
