/*
 * hv_post.c: posted device writes, from the engine's side of the ring to a device: nothing is lost, nothing overtakes, however the serving
 * thread sleeps and wakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dbt/engine_impl.h>
#include <hypervisor/accel.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/options.h>
#include <hypervisor/vm.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASE   0x0a000000u
#define WRITES 20000u

static struct vm *the_vm; /* engine_host_call() below gets no other way to it */

bool guest_device_read(struct vcpu *v UNUSED, uint64_t pa UNUSED, unsigned size UNUSED, uint64_t *value UNUSED)
{
    return false;
}
bool guest_device_write(struct vcpu *v UNUSED, uint64_t pa UNUSED, unsigned size UNUSED, uint64_t value UNUSED)
{
    return false;
}

void engine_host_call(struct vcpu *v)
{
    v->stats->host_calls[v->shared->req.type]++;
    assert_int_equal(hostcall_serve(the_vm), HOSTCALL_RESUME);
}

/* A doorbell at offset 0, a plain register at 4: both want consecutive numbers. */
struct device {
    uint32_t next;
    unsigned wrong;
};

static uint64_t dev_read(void *dev, uint32_t off UNUSED, unsigned size UNUSED)
{
    return ((struct device *)dev)->next;
}

static void dev_write(void *dev, uint32_t off UNUSED, unsigned size UNUSED, uint64_t value)
{
    struct device *d = dev;
    d->wrong += value != d->next;
    d->next++;
}

static const struct device_desc desc = {
    .name = "test", .size = 8, .min_access = 4, .max_access = 4, .posted = DEVICE_POSTED(0), .read = dev_read, .write = dev_write};
static const struct accel_ops posting = {.name = "test", .posts = true};

static void in_order(void **state UNUSED)
{
    static const struct options options;
    struct vm vm = {.accel = &posting, .opt = &options};
    struct device dev = {0};
    struct engine_stats *stats;
    struct vcpu *v = calloc(1, sizeof(*v));

    vm.shared = calloc(1, sizeof(*vm.shared));
    the_vm = &vm;
    v->shared = vm.shared;
    v->stats = stats = &vm.shared->stats;
    vm.shared->reg_copy[1] = (struct reg_copy){.addr = BASE + 0x100, .value = 77};
    assert_int_equal(bus_attach(&vm.bus, BASE, &desc, &dev), 0);
    post_fill(&vm);
    assert_int_equal(post_start(&vm), 0);
    srandom(1);
    for (uint32_t n = 0; n < WRITES; n++) {
        uint64_t value = 0;
        unsigned dice = (unsigned)random() % 1000;
        assert_true(device_write(v, BASE + (dice < 20 ? 4 : 0), 4, n));
        if (dice == 999) { /* long enough for the thread to fall asleep, or nearly */
            struct timespec t = {.tv_nsec = 900000 + random() % 600000};
            nanosleep(&t, NULL);
        } else if (dice > 980) {
            assert_true(device_read(v, BASE, 4, &value));
            assert_int_equal(value, n + 1); /* a request finds all that was posted before it done */
        }
        assert_true(device_read(v, BASE + 0x100, 4, &value));
        assert_int_equal(value, 77);
    }
    post_drain(&vm);
    assert_int_equal(dev.next, WRITES);
    assert_int_equal(dev.wrong, 0);
    assert_true(stats->posted_writes > WRITES / 4);
    assert_true(stats->host_calls[HOST_REQ_MMIO_WRITE] > WRITES / 100);
    assert_int_equal(stats->copied_reads, WRITES);
    post_stop(&vm);

    /* without the thread every write is a request */
    uint64_t posted = stats->posted_writes;
    dev.next = 0;
    vm.shared->post.served = 0;
    assert_true(device_write(v, BASE, 4, 0));
    assert_int_equal(dev.next, 1);
    assert_int_equal(stats->posted_writes, posted);
    free(vm.shared);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
