/*
 * post.c: see post.h.
 *
 * Races: post.served goes from 1 to 0 only in serve(), which looks at the ring once more afterwards; the engine publishes an entry before
 * it looks at served, and makes a request when it finds 0. The thread itself sleeps on `awake`, which post_written() and that request set.
 */
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/post.h>
#include <hypervisor/vm.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS     20000ull   /* between two looks at the ring */
#define PATIENCE_NS 1000000ull /* without a write before the thread sleeps */

static void futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void post_fill(struct vm *vm)
{
    struct post_ring *r = &vm->shared->post;
    if (!vm->accel->posts)
        return;
    for (unsigned i = 0; i < vm->bus.n && r->n_regs < POST_REGS_MAX; i++) {
        const struct bus_slot *s = &vm->bus.slot[i];
        if (s->desc->posted)
            r->reg[r->n_regs++] = (uint32_t)s->base + (s->desc->posted & ~3u);
    }
}

/* Under the lock. Returns whether there was anything. The engine's memory is not trusted: indices are masked, devices check the rest. */
static bool serve_ring(struct vm *vm)
{
    struct post_ring *r = &vm->shared->post;
    uint32_t head = r->head, first = head;
    while (head != __atomic_load_n(&r->tail, __ATOMIC_SEQ_CST)) {
        struct post_entry e = r->entry[head % POST_RING_SIZE];
        if (e.size == 1 || e.size == 2 || e.size == 4)
            bus_write(&vm->bus, e.addr, e.size, e.value);
        __atomic_store_n(&r->head, ++head, __ATOMIC_RELEASE); /* not before: post_drain() takes an empty ring for writes done */
    }
    return head != first;
}

void post_drain(struct vm *vm)
{
    struct post_ring *r = &vm->shared->post;
    if (!vm->accel->posts || (!__atomic_load_n(&r->served, __ATOMIC_SEQ_CST) && __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) == r->tail))
        return;
    pthread_mutex_lock(&vm->post.lock);
    serve_ring(vm);
    pthread_mutex_unlock(&vm->post.lock);
}

void post_wake(struct vm *vm)
{
    if (vm->post.running && !atomic_exchange(&vm->post.awake, 1))
        futex_wake(&vm->post.awake);
}

void post_written(struct vm *vm, uint64_t addr)
{
    const struct post_ring *r = &vm->shared->post;
    if (__atomic_load_n(&r->served, __ATOMIC_RELAXED))
        return;
    for (uint32_t i = 0; i < r->n_regs && i < POST_REGS_MAX; i++) {
        if (r->reg[i] == addr) {
            post_wake(vm);
            return;
        }
    }
}

static bool serve(struct vm *vm)
{
    pthread_mutex_lock(&vm->post.lock);
    bool any = serve_ring(vm);
    pthread_mutex_unlock(&vm->post.lock);
    return any;
}

static void *post_main(void *arg)
{
    struct vm *vm = arg;
    struct post_server *p = &vm->post;
    uint32_t *served = &vm->shared->post.served;
    prctl(PR_SET_NAME, "armlet-post");
    prctl(PR_SET_TIMERSLACK, 1000ul);
    while (!atomic_load(&p->quit)) {
        unsigned idle = 0;
        __atomic_store_n(served, 1, __ATOMIC_SEQ_CST);
        while (!atomic_load(&p->quit) && idle < PATIENCE_NS / LOOK_NS) {
            struct timespec t = {.tv_nsec = LOOK_NS};
            idle = serve(vm) ? 0 : idle + 1;
            nanosleep(&t, NULL);
        }
        atomic_store(&p->awake, 0);
        __atomic_store_n(served, 0, __ATOMIC_SEQ_CST);
        if (serve(vm))
            continue; /* posted before served was seen to be 0; the engine may go on */
        while (!atomic_load(&p->awake) && !atomic_load(&p->quit))
            syscall(SYS_futex, &p->awake, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    return NULL;
}

int post_start(struct vm *vm)
{
    if (!vm->accel->posts)
        return 0;
    atomic_store(&vm->post.quit, false);
    atomic_store(&vm->post.awake, 1);
    pthread_mutex_init(&vm->post.lock, NULL);
    int err = pthread_create(&vm->post.thread, NULL, post_main, vm);
    if (err) {
        error_report("no thread for posted device writes: %s", strerror(err));
        return -1;
    }
    vm->post.running = true;
    return 0;
}

void post_stop(struct vm *vm)
{
    if (!vm->post.running)
        return;
    atomic_store(&vm->post.quit, true);
    atomic_store(&vm->post.awake, 1);
    futex_wake(&vm->post.awake);
    pthread_join(vm->post.thread, NULL);
    vm->post.running = false;
    pthread_mutex_destroy(&vm->post.lock);
}
