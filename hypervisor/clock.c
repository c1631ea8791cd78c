/*
 * clock.c: see clock.h.
 */
#include <hypervisor/clock.h>
#include <time.h>

#define MEASURE_NS 10000000ull

/* The pair read closest together of a few tries: an interruption between the two readings would spoil the measurement. */
static struct clock_sample take_sample(void)
{
    struct clock_sample best = {0, 0};
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        struct timespec t;
        uint64_t before = __builtin_ia32_rdtsc();
        clock_gettime(CLOCK_MONOTONIC_RAW, &t);
        uint64_t gap = __builtin_ia32_rdtsc() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = (struct clock_sample){before + gap / 2, (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec};
        }
    }
    return best;
}

void clock_begin(struct tsc_clock *clock) { clock->first = take_sample(); }

void clock_measure(struct tsc_clock *clock)
{
    struct clock_sample first = clock->first, now = take_sample();

    while (now.ns - first.ns < MEASURE_NS) {
        uint64_t left = MEASURE_NS - (now.ns - first.ns);
        nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
        now = take_sample();
    }
    clock->tsc_hz = clock_scale(now.tsc - first.tsc, 1000000000ull, now.ns - first.ns);
}
