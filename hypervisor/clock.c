/*
 * clock.c: see clock.h.
 */
#include <hypervisor/clock.h>
#include <time.h>

#define MEASURE_NS 10000000ull

struct sample {
    uint64_t tsc, ns;
};

static struct sample first;
static uint64_t tsc_hz;

/* The pair read closest together of a few tries: an interruption between the two readings would spoil the measurement. */
static struct sample take_sample(void)
{
    struct sample best = {0, 0};
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        struct timespec t;
        uint64_t before = __builtin_ia32_rdtsc();
        clock_gettime(CLOCK_MONOTONIC_RAW, &t);
        uint64_t gap = __builtin_ia32_rdtsc() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = (struct sample){before + gap / 2, (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec};
        }
    }
    return best;
}

void clock_begin(void)
{
    if (!first.ns)
        first = take_sample();
}

uint64_t clock_tsc_hz(void)
{
    if (tsc_hz)
        return tsc_hz;
    clock_begin();
    struct sample now = take_sample();
    while (now.ns - first.ns < MEASURE_NS) {
        uint64_t left = MEASURE_NS - (now.ns - first.ns);
        nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
        now = take_sample();
    }
    tsc_hz = clock_scale(now.tsc - first.tsc, 1000000000ull, now.ns - first.ns);
    return tsc_hz;
}
