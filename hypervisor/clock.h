/*
 * clock.h: the TSC and what it is worth.
 */
#ifndef HYPERVISOR_CLOCK_H
#define HYPERVISOR_CLOCK_H

#include <armlet/base.h>

/* The TSC's frequency in Hz, measured against CLOCK_MONOTONIC_RAW. clock_begin() takes the first sample; clock_tsc_hz() the second one, at least 10 ms
 * later (it waits if need be), and returns the same value ever after. */
void clock_begin(void);
uint64_t clock_tsc_hz(void);

/* a * b / c without overflow, saturating */
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 r = (unsigned __int128)a * b / c;
    return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}

#endif
