/*
 * ticker.c: see ticker.h.
 *
 * The engine publishes the TSC value of its next timer expiry. While the guest waits, the vCPU thread sleeps until then by itself (vm_wait()); while it
 * computes, the ticker sets the poll word when the time has come. The deadline may move closer at any moment without notice, so the ticker looks at least every
 * millisecond; it sleeps while the vCPU does.
 *
 * Two futexes: the poll word (vCPU asleep, woken by vm_kick()) and vm->waiting (ticker asleep while it is 1, woken by vm_wait() at its end).
 */
#include <errno.h>
#include <hypervisor/accel.h>
#include <hypervisor/clock.h>
#include <hypervisor/error.h>
#include <hypervisor/ticker.h>
#include <hypervisor/vm.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TICK_MAX_NS  1000000ull
#define TICK_MIN_NS  200000ull
#define LONG_SLEEP_NS 1000000000ull
#define SPIN_MAX_NS 60000ull /* how long to look at the poll word before sleeping, at most */
#define SPIN_MIN_NS 4000ull

static void futex_wait(void *word, uint32_t expected, uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000ull), .tv_nsec = (long)(ns % 1000000000ull)};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &t, NULL, 0);
}

static void futex_wake(void *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

void ticker_wake_vcpu(uint32_t *poll_word) { futex_wake(poll_word); }

/*
 * An interrupt that a device is about to give is had sooner by looking for it than by sleeping: waking a thread, and a processor that has gone
 * idle, takes longer than a disk's answer from the page cache. The time grows while sleeps turn out short and shrinks to nothing with long ones.
 * True: the word was set.
 */
static bool spin(const struct vm *vm, const uint32_t *poll_word, uint64_t now, uint64_t deadline)
{
    uint64_t end = now + clock_scale(vm->wait_spin_ns, vm->shared->tsc_hz, 1000000000ull);
    if (vm->wait_spin_ns < SPIN_MIN_NS)
        return false;
    for (end = end < deadline ? end : deadline; now < end; now = host_tsc()) {
        if (__atomic_load_n(poll_word, __ATOMIC_SEQ_CST))
            return true;
        for (int i = 0; i < 8; i++)
            __builtin_ia32_pause();
    }
    return false;
}

static void adapt_spin(struct vm *vm, uint64_t slept_ns)
{
    if (slept_ns >= SPIN_MAX_NS)
        vm->wait_spin_ns /= 2;
    else
        vm->wait_spin_ns = vm->wait_spin_ns ? vm->wait_spin_ns * 2 : SPIN_MIN_NS;
    if (vm->wait_spin_ns > SPIN_MAX_NS)
        vm->wait_spin_ns = SPIN_MAX_NS;
}

void vm_wait(struct vm *vm, uint64_t deadline)
{
    uint32_t *poll_word = vm->accel->poll_word(vm);
    uint64_t start = host_tsc(), now = start;
    if (!poll_word)
        return;
    if (spin(vm, poll_word, now, deadline)) {
        vm->wait_ticks += host_tsc() - start;
        return;
    }
    uint64_t asleep = host_tsc();
    /* vm_kick() sets the word, then looks at `waiting`; here it is the other way round: one of the two sees the other. */
    atomic_store(&vm->waiting, 1);
    while (!__atomic_load_n(poll_word, __ATOMIC_SEQ_CST) && now < deadline) {
        uint64_t ns = LONG_SLEEP_NS;
        if (deadline != UINT64_MAX) {
            uint64_t left = clock_scale(deadline - now, 1000000000ull, vm->shared->tsc_hz);
            if (left < ns)
                ns = left + 1;
        }
        futex_wait(poll_word, 0, ns);
        now = host_tsc();
    }
    atomic_store(&vm->waiting, 0);
    if (atomic_load(&vm->ticker_sleeps))
        futex_wake(&vm->waiting);
    adapt_spin(vm, clock_scale(now - asleep, 1000000000ull, vm->shared->tsc_hz));
    vm->wait_ticks += now - start;
}

static void *ticker_main(void *arg)
{
    struct vm *vm = arg;
    prctl(PR_SET_NAME, "armlet-ticker");
    prctl(PR_SET_TIMERSLACK, 10000ul);
    bool seen = false;
    while (!atomic_load(&vm->ticker_quit)) {
        if (!seen && vm->accel->poll_word(vm)) { /* what happened before the engine had published the word */
            seen = true;
            __atomic_store_n(vm->accel->poll_word(vm), 1, __ATOMIC_SEQ_CST);
        }
        if (atomic_load(&vm->waiting)) {
            atomic_store(&vm->ticker_sleeps, 1);
            futex_wait(&vm->waiting, 1, LONG_SLEEP_NS);
            atomic_store(&vm->ticker_sleeps, 0);
            continue;
        }
        uint64_t deadline = __atomic_load_n(&vm->shared->deadline_tsc, __ATOMIC_ACQUIRE), now = host_tsc(), ns = TICK_MAX_NS;
        if (now >= deadline) {
            uint32_t *poll_word = vm->accel->poll_word(vm);
            if (poll_word)
                __atomic_store_n(poll_word, 1, __ATOMIC_SEQ_CST);
        } else if (deadline != UINT64_MAX) {
            uint64_t left = clock_scale(deadline - now, 1000000000ull, vm->shared->tsc_hz);
            ns = left < TICK_MIN_NS ? TICK_MIN_NS : left < TICK_MAX_NS ? left : TICK_MAX_NS;
        }
        struct timespec t = {.tv_nsec = (long)ns};
        nanosleep(&t, NULL);
    }
    return NULL;
}

int ticker_start(struct vm *vm)
{
    atomic_store(&vm->ticker_quit, false);
    int err = pthread_create(&vm->ticker, NULL, ticker_main, vm);
    if (err) {
        error_report("no thread for the guest's timer: %s", strerror(err));
        return -1;
    }
    vm->ticker_running = true;
    return 0;
}

void ticker_stop(struct vm *vm)
{
    if (!vm->ticker_running)
        return;
    atomic_store(&vm->ticker_quit, true);
    futex_wake(&vm->waiting);
    pthread_join(vm->ticker, NULL);
    vm->ticker_running = false;
}
