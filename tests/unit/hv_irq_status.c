/*
 * hv_irq_status.c: interrupts of a virtio device, acknowledged by the engine in the word it shares with the device: a thread raises them as
 * fast as it can while the engine's side reads and acknowledges; nothing the driver is to be told of is lost, and the line falls in the
 * end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dbt/engine_impl.h>
#include <devices/virtio/virtio_impl.h>
#include <hypervisor/bus.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define SPI    40u
#define N      1u /* the device's word */
#define STATUS (0x0a000000u + N * VIRTIO_MMIO_STRIDE + VIRTIO_MMIO_ISR)
#define ACK    (STATUS + 4)
#define RAISES 300000u
#define CONFIG 2u

static struct vm_shared *shared;
static struct vcpu *vcpu;
static struct virtio *dev;

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
    struct host_request *q = &v->shared->req;
    assert_int_equal(q->type, HOST_REQ_MMIO_WRITE);
    v->stats->host_calls[q->type]++;
    virtio_mmio_desc.write(dev, (uint32_t)(q->addr - STATUS + VIRTIO_MMIO_ISR), 4, q->value);
    q->status = 0;
}

/* As vm_set_spi(), without a processor to wake. */
static void set_spi(void *ctx UNUSED, unsigned spi, bool level)
{
    uint32_t *word = &shared->spi_level[spi / 32], bit = 1u << spi % 32;
    uint32_t old = level ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) : __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    if (level && !(old & bit))
        __atomic_fetch_or(&shared->spi_edge[spi / 32], bit, __ATOMIC_SEQ_CST);
}

static void nothing(void *arg UNUSED) {}
static int start(void *arg UNUSED, uint64_t features UNUSED)
{
    return 0;
}
static void notify(void *arg UNUSED, unsigned queue UNUSED) {}

static const struct virtio_class class = {
    .name = "test", .device_id = 4, .n_queues = 1, .queue_size = 8, .start = start, .notify = notify, .stop = nothing, .destroy = nothing};

static int set_up(void **state UNUSED)
{
    static const struct guest_memory mem;
    shared = calloc(1, sizeof(*shared));
    vcpu = calloc(1, sizeof(*vcpu));
    vcpu->shared = shared;
    vcpu->stats = &shared->stats;
    shared->irq_status = (struct irq_status){.base = 0x0a000000u + VIRTIO_MMIO_ISR, .stride = VIRTIO_MMIO_STRIDE, .n = 2, .spi = SPI - N};
    dev = virtio_create(&class, NULL, &mem, (struct irq_line){set_spi, NULL, SPI});
    virtio_share_isr(dev, &shared->irq_status.word[N]);
    virtio_mmio_desc.write(dev, 0x24, 4, 1);
    virtio_mmio_desc.write(dev, 0x20, 4, 1); /* VERSION_1 */
    virtio_mmio_desc.write(dev, 0x70, 4, 0xb);
    virtio_mmio_desc.write(dev, 0x70, 4, 0xf);
    return 0;
}

static int tear_down(void **state UNUSED)
{
    virtio_destroy(dev);
    free(vcpu);
    free(shared);
    return 0;
}

static uint32_t status(void)
{
    uint64_t value = 0;
    assert_true(device_read(vcpu, STATUS, 4, &value));
    return (uint32_t)value;
}

static bool edge(void)
{
    return __atomic_exchange_n(&shared->spi_edge[SPI / 32], 0, __ATOMIC_SEQ_CST) != 0;
}

static bool level(void)
{
    return shared->spi_level[SPI / 32] >> SPI % 32 & 1;
}

static void one_after_the_other(void **state UNUSED)
{
    assert_int_equal(status(), 0);
    assert_false(level());
    virtio_interrupt(dev);
    assert_true(edge() && level());
    virtio_interrupt(dev);
    assert_false(edge());
    assert_int_equal(status(), 1);
    virtio_config_changed(dev);
    assert_false(edge());
    assert_int_equal(status(), 1 | CONFIG);
    assert_true(device_write(vcpu, ACK, 4, 1)); /* the other bit is left: an interrupt of its own */
    assert_true(edge() && level());
    assert_int_equal(shared->stats.host_calls[HOST_REQ_MMIO_WRITE], 1);
    assert_true(device_write(vcpu, ACK, 4, CONFIG));
    assert_int_equal(status(), 0);
    assert_false(edge() || level());
    assert_int_equal(shared->stats.host_calls[HOST_REQ_MMIO_WRITE], 1); /* nobody was asked */
    virtio_interrupt(dev);
    assert_true(edge() && level());
    virtio_mmio_desc.write(dev, 0x70, 4, 0); /* reset */
    assert_int_equal(status(), 0);
    assert_false(level());
}

static atomic_uint published[2]; /* what the driver is to learn: by interrupts for used buffers, and for the configuration */

static void *raiser(void *arg UNUSED)
{
    unsigned seed = 7;
    for (unsigned i = 0; i < RAISES; i++) {
        unsigned what = rand_r(&seed) % 8 == 0;
        atomic_fetch_add(&published[what], 1);
        if (what)
            virtio_config_changed(dev);
        else
            virtio_interrupt(dev);
        for (int n = rand_r(&seed) % 64; n > 0; n--)
            __builtin_ia32_pause();
    }
    return NULL;
}

static time_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void at_once(void **state UNUSED)
{
    pthread_t thread;
    unsigned seen[2] = {0};
    assert_int_equal(pthread_create(&thread, NULL, raiser, NULL), 0);
    for (time_t last = seconds(); seen[0] + seen[1] < RAISES;) {
        if (!edge()) {
            if (seconds() - last > 20)
                fail_msg("an interrupt was lost: word %x, %u and %u seen of %u and %u", shared->irq_status.word[N], seen[0], seen[1],
                         atomic_load(&published[0]), atomic_load(&published[1]));
            continue;
        }
        uint32_t what = status(); /* as Linux: acknowledge what was read, then look at what it is about */
        assert_true(device_write(vcpu, ACK, 4, what));
        if (what & 1)
            seen[0] = atomic_load(&published[0]);
        if (what & CONFIG)
            seen[1] = atomic_load(&published[1]);
        last = seconds();
    }
    pthread_join(thread, NULL);
    assert_true(device_write(vcpu, ACK, 4, status()));
    assert_int_equal(status(), 0);
    assert_false(level());
    assert_true(shared->stats.host_calls[HOST_REQ_MMIO_WRITE] < RAISES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(one_after_the_other, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(at_once, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
