/*
 * signals.h: signals that end, stop and continue the process, taken on the main thread by its event loop.
 */
#ifndef HYPERVISOR_SIGNALS_H
#define HYPERVISOR_SIGNALS_H

struct vm;

/* With the signals blocked in every thread there is. 0, or -1 after a message. */
int signals_start(struct vm *vm);
void signals_stop(struct vm *vm);

/* Block the signals that signals_start() will take, so that threads made before it inherit the mask. */
void signals_block(void);

/* For a wait at the start that a signal is to end by ending the process. */
void signals_unblock(void);

#endif
