/*
 * psci.h: power management calls of the guest.
 */
#ifndef ARM_PSCI_H
#define ARM_PSCI_H

#include <arch/arm/cpu.h>

/* Serve the call in r0-r3; returns what goes to r0. Does not return for power off and reset. */
uint32_t arm_psci_call(struct arm_cpu *c);

#endif
