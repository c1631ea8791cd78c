/*
 * stats.h: the table that --stats prints, at exit and on SIGUSR2.
 */
#ifndef HYPERVISOR_STATS_H
#define HYPERVISOR_STATS_H

#include <armlet/base.h>

struct vm;

/*
 * To stderr, ended by an empty line; the machine must have been started. While it runs, any thread: each counter is what it was at the engine's last host call
 * or later. final: the last destroy() of the accelerator is over, and its own lines follow.
 */
void stats_print(const struct vm *vm, bool final);

#endif
