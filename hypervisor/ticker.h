/*
 * ticker.h: time: the vCPU's sleep, and the thread that reminds a computing vCPU of its timer.
 */
#ifndef HYPERVISOR_TICKER_H
#define HYPERVISOR_TICKER_H

#include <armlet/base.h>

struct vm;

/* 0, or -1 after a message. The accelerator must have been created. */
int ticker_start(struct vm *vm);
void ticker_stop(struct vm *vm);

/* The vCPU may be asleep on this poll word, which has been set: wake it. */
void ticker_wake_vcpu(uint32_t *poll_word);

#endif
