/*
 * clock.h: the TSC and what it is worth.
 */
#ifndef HYPERVISOR_CLOCK_H
#define HYPERVISOR_CLOCK_H

#include <armlet/base.h>

struct clock_sample {
    uint64_t tsc, ns;
};

/* The TSC's frequency in Hz, measured against CLOCK_MONOTONIC_RAW. clock_begin() takes the first sample; clock_measure() the second one, at least 10 ms
 * later (it waits if need be), and sets tsc_hz. */
struct tsc_clock {
    struct clock_sample first;
    uint64_t tsc_hz;
};

void clock_begin(struct tsc_clock *clock);
void clock_measure(struct tsc_clock *clock);

/* a * b / c without overflow, saturating */
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 r = (unsigned __int128)a * b / c;
    return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}

#endif
