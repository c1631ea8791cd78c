/*
 * stats.h: the table that --stats prints at exit.
 */
#ifndef HYPERVISOR_STATS_H
#define HYPERVISOR_STATS_H

#include <armlet/base.h>

struct vm;

/* To stderr. wall_ns: how long the guest ran. */
void stats_print(const struct vm *vm, uint64_t wall_ns);

#endif
