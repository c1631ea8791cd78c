/*
 * profile.h: where the guest's time goes: --profile (a sampling profile as folded stacks) and --perf-map (names for perf report).
 */
#ifndef HYPERVISOR_PROFILE_H
#define HYPERVISOR_PROFILE_H

struct platform;

/* After engine_create(), if the options ask for it: 0, or -1 after a message. */
int profile_create(struct platform *p);
/* vCPU thread, around engine_run(). */
void profile_start(struct platform *p);
void profile_stop(struct platform *p);
/* Writes what was found, and the perf map, while the engine still exists. */
void profile_destroy(struct platform *p);

#endif
