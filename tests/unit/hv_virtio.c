/*
 * hv_virtio.c: the virtio transport and its rings against a driver that plays by the rules and against one that breaks each of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hypervisor/error.h>
#include <stdio.h>
#include "virtio_driver.h"

#define GPA(off) (GUEST_RAM_BASE + (uint64_t)(off))
#define DATA     GPA(DATA_AT)
#define RAM_END  GPA(RAM_SIZE)

static char said[256];
static unsigned times;

/* in place of hypervisor/error.c */
void error_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    times++;
}

/* --- a device that only counts --------------------------------------------------------------------------------------------------- */

struct fake {
    struct virtio *v;
    unsigned starts, stops, notifies, destroys;
    uint64_t features;
    int start_result;
    uint8_t config[6];
} fake;

static void fake_attach(void *dev, struct virtio *v)
{
    ((struct fake *)dev)->v = v;
}
static uint64_t fake_features(void *dev UNUSED)
{
    return 1ull << 5 | 1ull << 40;
}
static void fake_notify(void *dev, unsigned queue UNUSED)
{
    ((struct fake *)dev)->notifies++;
}
static void fake_stop(void *dev)
{
    ((struct fake *)dev)->stops++;
}
static void fake_destroy(void *dev)
{
    ((struct fake *)dev)->destroys++;
}

static int fake_start(void *dev, uint64_t features)
{
    struct fake *f = dev;
    f->starts++;
    f->features = features;
    return f->start_result;
}

static void fake_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    assert_true(off + len <= sizeof(fake.config));
    memcpy(buf, ((struct fake *)dev)->config + off, len);
}

static void fake_config_write(void *dev, uint32_t off, const void *buf, uint32_t len)
{
    assert_true(off + len <= sizeof(fake.config));
    memcpy(((struct fake *)dev)->config + off, buf, len);
}

static const struct virtio_class fake_class = {
    .name = "fake-device",
    .device_id = 42,
    .n_queues = 2,
    .queue_size = RING_SIZE,
    .config_size = sizeof(fake.config),
    .features = fake_features,
    .attach = fake_attach,
    .config_read = fake_config_read,
    .config_write = fake_config_write,
    .start = fake_start,
    .notify = fake_notify,
    .stop = fake_stop,
    .destroy = fake_destroy,
};

static struct driver d;
static struct virtio_chain chain;

static int set_up(void **state UNUSED)
{
    fake = (struct fake){0};
    times = 0;
    return driver_create(&d, &fake_class, &fake) ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    driver_destroy(&d);
    return fake.destroys == 1 ? 0 : -1;
}

static struct virtqueue *queue(void)
{
    return virtio_queue(d.v, 0);
}

/* --- registers -------------------------------------------------------------------------------------------------------------------- */

static void identity(void **state UNUSED)
{
    assert_int_equal(reg_read(&d, 0x000), 0x74726976);
    assert_int_equal(reg_read(&d, 0x004), 2);
    assert_int_equal(reg_read(&d, 0x008), 42);
    reg_write(&d, 0x014, 0);
    assert_int_equal(reg_read(&d, 0x010), 1u << 5 | 1u << VIRTIO_F_INDIRECT_DESC | 1u << VIRTIO_F_EVENT_IDX);
    reg_write(&d, 0x014, 1);
    assert_true(reg_read(&d, 0x010) & 1u << (VIRTIO_F_VERSION_1 - 32));
    assert_true(reg_read(&d, 0x010) & 1u << 8);
    reg_write(&d, 0x014, 2);
    assert_int_equal(reg_read(&d, 0x010), 0);
    reg_write(&d, 0x030, 1);
    assert_int_equal(reg_read(&d, 0x034), RING_SIZE);
    reg_write(&d, 0x030, 2); /* there is none */
    assert_int_equal(reg_read(&d, 0x034), 0);
    reg_write(&d, 0x030, UINT32_MAX);
    assert_int_equal(reg_read(&d, 0x034), 0);
    reg_write(&d, 0x044, 1);
    assert_int_equal(reg_read(&d, 0x044), 0);
    assert_int_equal(reg_read(&d, 0x0b0), UINT32_MAX); /* no shared memory region */
}

static void negotiation(void **state UNUSED)
{
    const uint64_t v1 = 1ull << VIRTIO_F_VERSION_1;
    assert_int_equal(driver_negotiate(&d, v1 | 1u << 5), 0xb);
    assert_int_equal(driver_negotiate(&d, 1u << 5), 0x3);      /* not without VERSION_1 */
    assert_int_equal(driver_negotiate(&d, v1 | 1u << 6), 0x3); /* not what was not offered */
    reg_write(&d, 0x070, 0xf);                                 /* and it does not start like that */
    assert_int_equal(reg_read(&d, 0x070) & 4, 0);
    assert_int_equal(fake.starts, 0);
    driver_start(&d, 1u << 5);
    assert_int_equal(fake.starts, 1);
    assert_true(fake.features == (v1 | 1u << 5));
    reg_write(&d, 0x020, 0); /* too late */
    reg_write(&d, 0x070, 0xf);
    assert_int_equal(fake.starts, 1);
}

static void life(void **state UNUSED)
{
    reg_write(&d, 0x050, 0);
    assert_int_equal(fake.notifies, 0); /* not started */
    driver_start(&d, 0);
    assert_non_null(queue());
    assert_null(virtio_queue(d.v, 1)); /* not set up */
    assert_null(virtio_queue(d.v, 2));
    reg_write(&d, 0x050, 0);
    assert_int_equal(fake.notifies, 1);
    reg_write(&d, 0x050, 1);
    reg_write(&d, 0x050, UINT32_MAX);
    assert_int_equal(fake.notifies, 1);
    reg_write(&d, 0x030, 0);
    reg_write(&d, 0x044, 0); /* a live queue stands still */
    assert_int_equal(reg_read(&d, 0x044), 1);
    reg_write(&d, 0x070, 0);
    assert_int_equal(fake.stops, 1);
    assert_int_equal(reg_read(&d, 0x070), 0);
    assert_int_equal(reg_read(&d, 0x044), 0);
    assert_null(queue());
    driver_start(&d, 0);
    virtio_mmio_desc.reset(d.v);
    assert_int_equal(fake.stops, 2);
    fake.start_result = -1;
    driver_start(&d, 0);
    assert_int_equal(reg_read(&d, 0x070) & 0x40, 0x40);
    reg_write(&d, 0x070, 0);
    assert_int_equal(fake.stops, 2); /* it had not started */
    fake.start_result = 0;
}

static void config_space(void **state UNUSED)
{
    memcpy(fake.config, "abcdef", 6);
    assert_int_equal(virtio_mmio_desc.read(d.v, 0x100, 1), 'a');
    assert_int_equal(virtio_mmio_desc.read(d.v, 0x102, 2), 'c' | 'd' << 8);
    assert_int_equal(virtio_mmio_desc.read(d.v, 0x104, 4), 'e' | 'f' << 8); /* the rest is zero */
    assert_int_equal(virtio_mmio_desc.read(d.v, 0x108, 4), 0);
    virtio_mmio_desc.write(d.v, 0x105, 1, 'F');
    virtio_mmio_desc.write(d.v, 0x104, 4, 0); /* reaches over the end: nothing */
    virtio_mmio_desc.write(d.v, 0x1fc, 4, 0);
    assert_memory_equal(fake.config, "abcdeF", 6);
    uint32_t generation = reg_read(&d, 0x0fc);
    virtio_config_changed(d.v);
    assert_int_not_equal(reg_read(&d, 0x0fc), generation);
    assert_int_equal(reg_read(&d, 0x060), 0); /* no driver, no interrupt */
    driver_start(&d, 0);
    virtio_config_changed(d.v);
    assert_int_equal(reg_read(&d, 0x060), 2);
    assert_true(d.level);
    reg_write(&d, 0x064, 2);
    assert_false(d.level);
}

/* Rings that cannot be: the device asks for a reset at the start. */
static void bad_queues(void **state UNUSED)
{
    static const struct {
        uint32_t size;
        uint64_t desc, avail, used;
    } cases[] = {
        {0, GPA(DESC_AT), GPA(AVAIL_AT), GPA(USED_AT)},
        {3, GPA(DESC_AT), GPA(AVAIL_AT), GPA(USED_AT)},
        {2 * RING_SIZE, GPA(DESC_AT), GPA(AVAIL_AT), GPA(USED_AT)},
        {UINT32_MAX, GPA(DESC_AT), GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT) + 8, GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), GPA(AVAIL_AT) + 1, GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), GPA(AVAIL_AT), GPA(USED_AT) + 2},
        {RING_SIZE, 0, GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, 0x0a000000, GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, RAM_END - 16 * RING_SIZE + 16, GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), RAM_END - 4 - 2 * RING_SIZE + 2, GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), GPA(AVAIL_AT), RAM_END - 4 - 8 * RING_SIZE + 4},
        {RING_SIZE, UINT64_MAX - 15, GPA(AVAIL_AT), GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), UINT64_MAX - 1, GPA(USED_AT)},
        {RING_SIZE, GPA(DESC_AT), GPA(AVAIL_AT), 1ull << 32 | GPA(USED_AT)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        driver_negotiate(&d, 1ull << VIRTIO_F_VERSION_1);
        driver_queue(&d, 0, cases[i].size, cases[i].desc, cases[i].avail, cases[i].used);
        reg_write(&d, 0x070, 0xf);
        assert_int_equal(reg_read(&d, 0x070) & 0x40, 0x40);
        assert_int_equal(fake.starts, 0);
        reg_write(&d, 0x050, 0);
        assert_int_equal(fake.notifies, 0);
    }
    assert_int_equal(times, 1); /* the user is told once */
    /* the last places where they fit */
    driver_negotiate(&d, 1ull << VIRTIO_F_VERSION_1);
    driver_queue(&d, 0, RING_SIZE, RAM_END - 16 * RING_SIZE, GPA(AVAIL_AT), RAM_END - 0x1000 - 4 - 8 * RING_SIZE);
    reg_write(&d, 0x070, 0xf);
    assert_int_equal(fake.starts, 1);
}

/* --- chains ------------------------------------------------------------------------------------------------------------------------ */

static void good_chain(void **state UNUSED)
{
    driver_start(&d, 0);
    put_desc(&d, DESC_AT, 3, (struct ring_desc){DATA, 10, F_NEXT, 5});
    put_desc(&d, DESC_AT, 5, (struct ring_desc){DATA + 100, 20, F_NEXT, 0});
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA + 200, 30, F_NEXT | F_WRITE, 1});
    put_desc(&d, DESC_AT, 1, (struct ring_desc){RAM_END - 40, 40, F_WRITE, 77});
    assert_int_equal(virtqueue_pop(queue(), &chain), 0);
    make_available(&d, 3);
    assert_int_equal(virtqueue_pop(queue(), &chain), 1);
    assert_int_equal(chain.head, 3);
    assert_int_equal(chain.n_out, 2);
    assert_int_equal(chain.n_in, 2);
    assert_int_equal(chain.out_len, 30);
    assert_int_equal(chain.in_len, 70);
    assert_ptr_equal(chain.out[1].iov_base, d.mem.ram + DATA_AT + 100);
    assert_ptr_equal(virtio_chain_in(&chain)[1].iov_base, d.mem.ram + RAM_SIZE - 40);
    assert_int_equal(virtqueue_pop(queue(), &chain), 0);
    d.n_written = 0;
    virtqueue_push(queue(), &chain, 35);
    assert_int_equal(d.n_written, 4); /* two buffers (30 and 5 bytes), the used element, the index */
    assert_int_equal(get16(&d, USED_AT + 2), 1);
    assert_int_equal(get16(&d, USED_AT + 4), 3);
    assert_int_equal(get16(&d, USED_AT + 8), 35);
    assert_int_equal(reg_read(&d, 0x060), 0); /* push says nothing */
    virtqueue_signal(queue());
    assert_int_equal(reg_read(&d, 0x060), 1);
    assert_true(d.level);
    reg_write(&d, 0x064, 1);
    assert_false(d.level);
    virtqueue_signal(queue()); /* nothing new */
    assert_false(d.level);
}

static void indirect_chain(void **state UNUSED)
{
    driver_start(&d, 1u << VIRTIO_F_INDIRECT_DESC);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 10, F_NEXT, 2}); /* direct ones may come first */
    put_desc(&d, DESC_AT, 2, (struct ring_desc){GPA(TABLE_AT), 3 * 16, F_INDIRECT, 0});
    put_desc(&d, TABLE_AT, 0, (struct ring_desc){DATA + 16, 16, F_NEXT, 2});
    put_desc(&d, TABLE_AT, 2, (struct ring_desc){DATA + 32, 16, F_NEXT | F_WRITE, 1});
    put_desc(&d, TABLE_AT, 1, (struct ring_desc){DATA + 48, 16, F_WRITE, 0});
    make_available(&d, 0);
    assert_int_equal(virtqueue_pop(queue(), &chain), 1);
    assert_int_equal(chain.n_out, 2);
    assert_int_equal(chain.n_in, 2);
    virtqueue_push(queue(), &chain, 1000); /* more than there is */
    assert_int_equal(get16(&d, USED_AT + 8), 32);
    /* a table longer than the ring, to the last buffer that a chain may have */
    const uint32_t big = 0x10000;
    for (unsigned i = 0; i < VIRTIO_CHAIN_MAX; i++)
        put_desc(&d, big, i, (struct ring_desc){DATA + i, 1, i + 1 < VIRTIO_CHAIN_MAX ? F_NEXT : 0, (uint16_t)(i + 1)});
    put_desc(&d, DESC_AT, 1, (struct ring_desc){GPA(big), VIRTIO_CHAIN_MAX * 16, F_INDIRECT, 0});
    make_available(&d, 1);
    assert_int_equal(virtqueue_pop(queue(), &chain), 1);
    assert_int_equal(chain.n_out, VIRTIO_CHAIN_MAX);
    assert_ptr_equal(chain.out[VIRTIO_CHAIN_MAX - 1].iov_base, d.mem.ram + DATA_AT + VIRTIO_CHAIN_MAX - 1);
    assert_int_equal(times, 0);
}

#define IND (1u << VIRTIO_F_INDIRECT_DESC)

static const struct bad_chain {
    const char *name;
    uint64_t features;
    uint16_t head;
    struct ring_desc direct[3], table[3];
} bad_chains[] = {
    {"head outside", 0, RING_SIZE, {{DATA, 1, 0, 0}}, {{0}}},
    {"head far outside", 0, 0xffff, {{DATA, 1, 0, 0}}, {{0}}},
    {"next outside", 0, 0, {{DATA, 1, F_NEXT, RING_SIZE}}, {{0}}},
    {"loop of one", 0, 0, {{DATA, 1, F_NEXT, 0}}, {{0}}},
    {"loop of two", 0, 0, {{DATA, 1, F_NEXT, 1}, {DATA, 1, F_NEXT, 0}}, {{0}}},
    {"loop of writable ones", 0, 0, {{DATA, 1, F_NEXT | F_WRITE, 1}, {DATA, 1, F_NEXT | F_WRITE, 0}}, {{0}}},
    {"empty buffer", 0, 0, {{DATA, 0, 0, 0}}, {{0}}},
    {"buffer below RAM", 0, 0, {{GUEST_RAM_BASE - 1, 2, 0, 0}}, {{0}}},
    {"buffer in a device", 0, 0, {{0x09000000, 4, F_WRITE, 0}}, {{0}}},
    {"buffer reaches out of RAM", 0, 0, {{RAM_END - 1, 2, F_WRITE, 0}}, {{0}}},
    {"buffer behind RAM", 0, 0, {{RAM_END, 1, 0, 0}}, {{0}}},
    {"buffer longer than RAM", 0, 0, {{GUEST_RAM_BASE, RAM_SIZE + 1, 0, 0}}, {{0}}},
    {"buffer of 4 GiB - 1", 0, 0, {{DATA, UINT32_MAX, F_WRITE, 0}}, {{0}}},
    {"buffer that wraps", 0, 0, {{UINT64_MAX, 2, F_WRITE, 0}}, {{0}}},
    {"buffer that wraps into RAM", 0, 0, {{UINT64_MAX - 0xfff, UINT32_MAX, 0, 0}}, {{0}}},
    {"address beyond 32 bits", 0, 0, {{1ull << 32 | DATA, 1, 0, 0}}, {{0}}},
    {"readable after writable", 0, 0, {{DATA, 1, F_NEXT | F_WRITE, 1}, {DATA, 1, 0, 0}}, {{0}}},
    {"indirect, not negotiated", 0, 0, {{GPA(TABLE_AT), 16, F_INDIRECT, 0}}, {{DATA, 1, 0, 0}}},
    {"indirect with next", IND, 0, {{GPA(TABLE_AT), 16, F_INDIRECT | F_NEXT, 1}, {DATA, 1, 0, 0}}, {{DATA, 1, 0, 0}}},
    {"indirect in indirect", IND, 0, {{GPA(TABLE_AT), 32, F_INDIRECT, 0}}, {{GPA(TABLE_AT), 16, F_INDIRECT, 0}}},
    {"empty table", IND, 0, {{GPA(TABLE_AT), 0, F_INDIRECT, 0}}, {{DATA, 1, 0, 0}}},
    {"half a descriptor", IND, 0, {{GPA(TABLE_AT), 24, F_INDIRECT, 0}}, {{DATA, 1, 0, 0}}},
    {"table outside RAM", IND, 0, {{0x1000, 16, F_INDIRECT, 0}}, {{0}}},
    {"table reaches out of RAM", IND, 0, {{RAM_END - 16, 32, F_INDIRECT, 0}}, {{0}}},
    {"table of 4 GiB", IND, 0, {{GPA(TABLE_AT), 0xfffffff0, F_INDIRECT, 0}}, {{DATA, 1, 0, 0}}},
    {"next outside the table", IND, 0, {{GPA(TABLE_AT), 32, F_INDIRECT, 0}}, {{DATA, 1, F_NEXT, 2}}},
    {"loop in the table", IND, 0, {{GPA(TABLE_AT), 32, F_INDIRECT, 0}}, {{DATA, 1, F_NEXT, 1}, {DATA, 1, F_NEXT, 0}}},
    {"table: empty buffer", IND, 0, {{GPA(TABLE_AT), 32, F_INDIRECT, 0}}, {{DATA, 1, F_NEXT, 1}, {DATA, 0, 0, 0}}},
    {"table: buffer outside", IND, 0, {{GPA(TABLE_AT), 16, F_INDIRECT, 0}}, {{0, 1, 0, 0}}},
    {"table: readable after writable", IND, 0, {{GPA(TABLE_AT), 32, F_INDIRECT, 0}}, {{DATA, 1, F_NEXT | F_WRITE, 1}, {DATA, 1, 0, 0}}},
    {"readable table after writable", IND, 0, {{DATA, 1, F_NEXT | F_WRITE, 1}, {GPA(TABLE_AT), 16, F_INDIRECT, 0}}, {{DATA, 1, 0, 0}}},
};

static void expect_broken(const char *name)
{
    if (virtqueue_pop(queue(), &chain) != -1)
        fail_msg("%s: it was taken", name);
    if (reg_read(&d, 0x070) != 0x4f || reg_read(&d, 0x060) != 2 || !d.level)
        fail_msg("%s: status %x, interrupt status %x", name, reg_read(&d, 0x070), reg_read(&d, 0x060));
    assert_int_equal(virtqueue_pop(queue(), &chain), -1); /* it stays like that */
    unsigned notifies = fake.notifies;
    reg_write(&d, 0x050, 0);
    assert_int_equal(fake.notifies, notifies);
}

static void malformed_chains(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_chains); i++) {
        const struct bad_chain *b = &bad_chains[i];
        driver_start(&d, b->features);
        for (unsigned j = 0; j < 3; j++) {
            put_desc(&d, DESC_AT, j, b->direct[j]);
            put_desc(&d, TABLE_AT, j, b->table[j]);
        }
        make_available(&d, b->head);
        expect_broken(b->name);
        /* a reset mends it */
        driver_start(&d, 0);
        put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
        make_available(&d, 0);
        if (virtqueue_pop(queue(), &chain) != 1)
            fail_msg("%s: broken after the reset", b->name);
    }
    assert_int_equal(times, 1);
}

static void malformed_rings(void **state UNUSED)
{
    driver_start(&d, 0);
    put16(&d, AVAIL_AT + 2, RING_SIZE + 1); /* further than the ring is long */
    expect_broken("index ahead");
    driver_start(&d, 0);
    put16(&d, AVAIL_AT + 2, 0xffff); /* behind */
    expect_broken("index behind");
    /* more requests than entries, by making them available again and again */
    driver_start(&d, 0);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    for (unsigned i = 0; i < RING_SIZE; i++) {
        make_available(&d, 0);
        assert_int_equal(virtqueue_pop(queue(), &chain), 1);
    }
    make_available(&d, 0);
    expect_broken("too many requests");
    /* a chain of 4 GiB in all */
    driver_start(&d, IND);
    const uint32_t big = 0x10000;
    uint32_t n = 0;
    for (uint64_t sum = 0; sum <= UINT32_MAX && n < 2048; sum += RAM_SIZE, n++)
        put_desc(&d, big, n, (struct ring_desc){GUEST_RAM_BASE, RAM_SIZE, F_NEXT, (uint16_t)(n + 1)});
    put_desc(&d, DESC_AT, 0, (struct ring_desc){GPA(big), 2048 * 16, F_INDIRECT, 0});
    make_available(&d, 0);
    expect_broken("a chain too long");
    driver_start(&d, IND);
    for (unsigned i = 0; i <= VIRTIO_CHAIN_MAX; i++)
        put_desc(&d, big, i, (struct ring_desc){DATA, 1, i < VIRTIO_CHAIN_MAX ? F_NEXT : 0, (uint16_t)(i + 1)});
    put_desc(&d, DESC_AT, 0, (struct ring_desc){GPA(big), (VIRTIO_CHAIN_MAX + 1) * 16, F_INDIRECT, 0});
    make_available(&d, 0);
    expect_broken("too many buffers");
}

/* --- order, wrap-around, notifications -------------------------------------------------------------------------------------------------
 */

static void wraps(void **state UNUSED)
{
    for (unsigned event = 0; event < 2; event++) {
        driver_start(&d, event ? 1u << VIRTIO_F_EVENT_IDX : 0);
        for (unsigned i = 0; i < RING_SIZE; i++)
            put_desc(&d, DESC_AT, i, (struct ring_desc){DATA + i, 1, 0, 0});
        for (unsigned i = 0; i < 70000; i++) {
            make_available(&d, (uint16_t)(i % 7));
            assert_int_equal(virtqueue_pop(queue(), &chain), 1);
            assert_int_equal(chain.head, i % 7);
            virtqueue_push(queue(), &chain, 0);
            virtqueue_signal(queue());
            assert_int_equal(get16(&d, USED_AT + 2), (i + 1) & 0xffff);
            assert_int_equal(get16(&d, USED_AT + 4 + 8 * (i % RING_SIZE)), i % 7);
        }
    }
}

static void out_of_order(void **state UNUSED)
{
    static struct virtio_chain c[3];
    driver_start(&d, 0);
    for (unsigned i = 0; i < 3; i++) {
        put_desc(&d, DESC_AT, i, (struct ring_desc){DATA + i, 1, 0, 0});
        make_available(&d, (uint16_t)i);
        assert_int_equal(virtqueue_pop(queue(), &c[i]), 1);
    }
    virtqueue_unpop(queue(), &c[2]);
    assert_int_equal(virtqueue_pop(queue(), &c[2]), 1);
    assert_int_equal(c[2].head, 2);
    for (unsigned i = 0; i < 3; i++) {
        virtqueue_push(queue(), &c[2 - i], 0);
        assert_int_equal(get16(&d, USED_AT + 4 + 8 * i), 2 - i);
    }
}

static void give(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        make_available(&d, 0);
        assert_int_equal(virtqueue_pop(queue(), &chain), 1);
        virtqueue_push(queue(), &chain, 0);
    }
}

/* Does signalling n new used entries interrupt? */
static bool interrupts(unsigned n)
{
    give(n);
    virtqueue_signal(queue());
    bool yes = reg_read(&d, 0x060) & 1;
    reg_write(&d, 0x064, 1);
    return yes;
}

static void interrupt_wishes(void **state UNUSED)
{
    const uint32_t used_event = AVAIL_AT + 4 + 2 * RING_SIZE;
    driver_start(&d, 0);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    assert_true(interrupts(1));
    put16(&d, AVAIL_AT, 1); /* NO_INTERRUPT */
    assert_false(interrupts(1));
    put16(&d, AVAIL_AT, 0);
    assert_true(interrupts(1));

    driver_start(&d, 1u << VIRTIO_F_EVENT_IDX);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    assert_true(interrupts(1)); /* entry 0, event 0 */
    assert_false(interrupts(1));
    put16(&d, used_event, 4);
    assert_false(interrupts(2)); /* 2, 3 */
    assert_true(interrupts(2));  /* 4, 5 */
    put16(&d, used_event, 4);    /* long past */
    assert_false(interrupts(3));
    put16(&d, used_event, (uint16_t)-1); /* 65535: just before the wrap-around */
    for (unsigned i = 9; i < 65535; i++)
        assert_false(interrupts(1));
    assert_true(interrupts(3)); /* 65535, 0, 1 */
}

static void notify_wishes(void **state UNUSED)
{
    const uint32_t avail_event = USED_AT + 4 + 8 * RING_SIZE;
    driver_start(&d, 0);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    virtqueue_want_notify(queue(), false);
    assert_int_equal(get16(&d, USED_AT), 1);
    make_available(&d, 0);
    assert_true(virtqueue_want_notify(queue(), true)); /* one came in meanwhile */
    assert_int_equal(get16(&d, USED_AT), 0);
    assert_int_equal(virtqueue_pop(queue(), &chain), 1);
    assert_false(virtqueue_want_notify(queue(), true));

    driver_start(&d, 1u << VIRTIO_F_EVENT_IDX);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    give(3);
    assert_int_equal(virtqueue_pop(queue(), &chain), 0); /* empty: the next one is to be told of */
    assert_int_equal(get16(&d, avail_event), 3);
    virtqueue_want_notify(queue(), false); /* the next one least of all */
    assert_int_equal(get16(&d, avail_event), 2);
    give(2);
    assert_int_equal(virtqueue_pop(queue(), &chain), 0);
    assert_int_equal(get16(&d, avail_event), 2);
    assert_false(virtqueue_want_notify(queue(), true));
    assert_int_equal(get16(&d, avail_event), 5);
}

/* An interrupt that comes between the driver's look at the status and its acknowledgement makes an edge of its own. */
static void edges(void **state UNUSED)
{
    driver_start(&d, 0);
    put_desc(&d, DESC_AT, 0, (struct ring_desc){DATA, 1, 0, 0});
    give(1);
    virtqueue_signal(queue());
    assert_int_equal(d.level_changes, 1);
    virtio_config_changed(d.v);
    assert_int_equal(d.level_changes, 1);
    reg_write(&d, 0x064, 1);
    assert_true(d.level);
    assert_int_equal(d.level_changes, 3); /* down and up */
    reg_write(&d, 0x064, 2);
    assert_false(d.level);
}

static void copying(void **state UNUSED)
{
    uint8_t a[5] = {1, 2, 3, 4, 5}, b[7] = {6, 7, 8, 9, 10, 11, 12}, all[12], buf[20];
    struct iovec iov[] = {{a, 5}, {b, 7}};
    for (unsigned i = 0; i < 12; i++)
        all[i] = (uint8_t)(i + 1);
    for (size_t off = 0; off < 15; off++) {
        for (size_t len = 0; len < 15; len++) {
            size_t want = off >= 12 ? 0 : len < 12 - off ? len : 12 - off;
            assert_int_equal(virtio_iov_read(iov, 2, off, buf, len), want);
            if (want)
                assert_memory_equal(buf, all + off, want);
            assert_int_equal(virtio_iov_write(iov, 2, off, buf, len), want);
        }
    }
    assert_memory_equal(a, all, 5);
    assert_memory_equal(b, all + 5, 7);
    memset(buf, 0xee, sizeof(buf));
    assert_int_equal(virtio_iov_write(iov, 2, 3, buf, 4), 4);
    assert_true(a[2] == 3 && a[3] == 0xee && b[1] == 0xee && b[2] == 8);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {T(identity),        T(negotiation), T(life),           T(config_space),
                                       T(bad_queues),      T(good_chain),  T(indirect_chain), T(malformed_chains),
                                       T(malformed_rings), T(wraps),       T(out_of_order),   T(interrupt_wishes),
                                       T(notify_wishes),   T(edges),       T(copying)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
