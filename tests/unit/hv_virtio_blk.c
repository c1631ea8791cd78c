/*
 * hv_virtio_blk.c: the block device through its registers and rings: layouts of requests, hostile ones, errors, resets with requests under
 * way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/virtio/blk.h>
#include <fcntl.h>
#include <hypervisor/bus.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAM      (1u << 20)
#define REG      (VIRTIO_MMIO_BASE + (VIRTIO_MMIO_SLOTS - 1) * VIRTIO_MMIO_STRIDE)
#define DISK     (256u << 10)
#define RING     64u
#define DATA     0x10000u /* offset in RAM of what the tests put into buffers */
#define PENDING  0x77
#define WAIT_US  100
#define WAIT_MAX 100000

static struct bus bus;
static struct board board;
static struct block *block;
static uint8_t *ram;
static struct guest_memory memory;
static atomic_uint interrupts;
static char path[] = "/tmp/hv_virtio_blk.XXXXXX";
static struct vring_desc *desc;
static struct vring_avail *avail;
static struct vring_used *used;
static const struct board_item item = {.what = "-drive"};

static void written(void *ctx UNUSED, uint64_t off, uint64_t len)
{
    assert_true(off < RAM && len <= RAM - off);
}

static void set_irq(void *ctx UNUSED, unsigned spi UNUSED, bool level)
{
    if (level)
        atomic_fetch_add(&interrupts, 1);
}

static uint32_t get(uint32_t reg)
{
    uint64_t v = 0;
    assert_int_equal(bus_read(&bus, REG + reg, 4, &v), 0);
    return (uint32_t)v;
}

static void put(uint32_t reg, uint32_t v)
{
    assert_int_equal(bus_write(&bus, REG + reg, 4, v), 0);
}

static void init_driver(void)
{
    put(VIRTIO_MMIO_STATUS, 0);
    memset(ram, 0, DATA);
    put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    put(VIRTIO_MMIO_DRIVER_FEATURES, 1u << VIRTIO_BLK_F_FLUSH | 1u << VIRTIO_BLK_F_CONFIG_WCE);
    put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
    put(VIRTIO_MMIO_STATUS, 11);
    assert_int_equal(get(VIRTIO_MMIO_STATUS), 11);
    put(VIRTIO_MMIO_QUEUE_SEL, 0);
    put(VIRTIO_MMIO_QUEUE_NUM, RING);
    put(VIRTIO_MMIO_QUEUE_DESC_LOW, GUEST_RAM_BASE);
    put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, GUEST_RAM_BASE + 0x1000);
    put(VIRTIO_MMIO_QUEUE_USED_LOW, GUEST_RAM_BASE + 0x2000);
    put(VIRTIO_MMIO_QUEUE_READY, 1);
    put(VIRTIO_MMIO_STATUS, 15);
    assert_int_equal(get(VIRTIO_MMIO_STATUS), 15);
}

/* The chain of descriptors that begins with `head` is there to be served. */
static void submit(uint16_t head)
{
    avail->ring[avail->idx % RING] = head;
    __atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_SEQ_CST);
    put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static bool wait_used(void)
{
    for (int i = 0; i < WAIT_MAX && __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != avail->idx; i++) {
        if (get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
            return false;
        usleep(WAIT_US);
    }
    assert_int_equal(used->idx, avail->idx);
    return true;
}

static void set_desc(unsigned i, uint32_t off, uint32_t len, bool in, bool more)
{
    desc[i] = (struct vring_desc){GUEST_RAM_BASE + off, len, (uint16_t)((in ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0)),
                                  (uint16_t)(i + 1)};
}

/* A request laid out as Linux does: header, data, status. Returns the status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t data, uint32_t len, bool in)
{
    struct virtio_blk_outhdr h = {.type = type, .sector = sector};
    unsigned n = 0;
    memcpy(ram + DATA, &h, sizeof(h));
    ram[DATA + 64] = PENDING;
    set_desc(n++, DATA, sizeof(h), false, true);
    if (len)
        set_desc(n++, data, len, in, true);
    set_desc(n++, DATA + 64, 1, true, false);
    submit(0);
    assert_true(wait_used());
    return ram[DATA + 64];
}

static void layouts(void **state UNUSED)
{
    init_driver();
    assert_int_equal(get(VIRTIO_MMIO_CONFIG), DISK / 512);
    assert_int_equal(get(VIRTIO_MMIO_CONFIG + 12), 254);
    uint8_t *buf = ram + 0x20000;
    for (unsigned i = 0; i < 8192; i++)
        buf[i] = (uint8_t)(i * 7 + 1);
    atomic_store(&interrupts, 0);
    assert_int_equal(request(VIRTIO_BLK_T_OUT, 3, 0x20000, 8192, false), VIRTIO_BLK_S_OK);
    assert_true(atomic_load(&interrupts) > 0);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 3, 0x30000, 8192, true), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram + 0x30000, buf, 8192);
    assert_int_equal(used->ring[(used->idx - 1) % RING].len, 8193);
    assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, false), VIRTIO_BLK_S_OK);

    /* header and data in one buffer, data and status in one buffer, odd pieces */
    struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_OUT, .sector = 100};
    memcpy(ram + 0x40000, &h, sizeof(h));
    memset(ram + 0x40000 + sizeof(h), 0x3c, 512);
    set_desc(0, 0x40000, 7, false, true);
    set_desc(1, 0x40007, 9 + 200, false, true);
    set_desc(2, 0x40007 + 209, 312, false, true);
    set_desc(3, DATA + 64, 1, true, false);
    submit(0);
    assert_true(wait_used());
    h.type = VIRTIO_BLK_T_IN;
    memcpy(ram + DATA, &h, sizeof(h));
    memset(ram + 0x50000, 0xee, 1024);
    set_desc(0, DATA, sizeof(h), false, true);
    set_desc(1, 0x50000, 100, true, true);
    set_desc(2, 0x50000 + 100, 413, true, false);
    submit(0);
    assert_true(wait_used());
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(ram[0x50000 + i], 0x3c);
    assert_int_equal(ram[0x50000 + 512], VIRTIO_BLK_S_OK);
    assert_int_equal(ram[0x50000 + 513], 0xee);

    assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 0x60000, 20, true), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram + 0x60000, "serial\0", 7);
}

static void refusals(void **state UNUSED)
{
    init_driver();
    static const struct {
        uint32_t type;
        uint64_t sector;
        uint32_t len;
        bool in;
        uint8_t status;
    } cases[] = {
        {VIRTIO_BLK_T_IN, DISK / 512 - 1, 512, true, VIRTIO_BLK_S_OK},
        {VIRTIO_BLK_T_IN, DISK / 512, 512, true, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, DISK / 512 - 1, 1024, true, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, UINT64_MAX / 512, 512, true, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, 0, 511, true, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_OUT, DISK / 512, 512, false, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_OUT, 0, 513, false, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, 0, 0, true, VIRTIO_BLK_S_OK},
        {2, 0, 512, true, VIRTIO_BLK_S_UNSUPP},
        {0xffffffff, 0, 0, true, VIRTIO_BLK_S_UNSUPP},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(request(cases[i].type, cases[i].sector, 0x20000, cases[i].len, cases[i].in), cases[i].status);

    static const struct {
        struct virtio_blk_discard_write_zeroes range;
        uint32_t len;
        uint8_t discard, zero;
    } ranges[] = {
        {{8, 16, 0}, 16, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_OK},
        {{8, 16, 1}, 16, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_OK},
        {{8, 16, 2}, 16, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_UNSUPP},
        {{DISK / 512 - 8, 9, 0}, 16, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
        {{UINT64_MAX, 1, 0}, 16, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
        {{0, UINT32_MAX, 0}, 16, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
        {{0, 0, 0}, 16, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_OK},
        {{0, 8, 0}, 15, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
        {{0, 8, 0}, 16 * 17, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        memcpy(ram + 0x20000, &ranges[i].range, 16);
        assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 0x20000, ranges[i].len, false), ranges[i].discard);
        assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, ranges[i].len, false), ranges[i].zero);
    }

    /* several ranges in one request: all of them are zeroed, what lies between is not */
    memset(ram + 0x30000, 0x44, 64 * 512);
    assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 0x30000, 64 * 512, false), VIRTIO_BLK_S_OK);
    struct virtio_blk_discard_write_zeroes several[3] = {{1, 2, 0}, {10, 0, 0}, {20, 4, 1}};
    memcpy(ram + 0x20000, several, sizeof(several));
    assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, sizeof(several), false), VIRTIO_BLK_S_OK);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 0x30000, 64 * 512, true), VIRTIO_BLK_S_OK);
    for (unsigned s = 0; s < 64; s++) {
        bool zero = (s >= 1 && s < 3) || (s >= 20 && s < 24);
        assert_int_equal(ram[0x30000 + s * 512 + 511], zero ? 0 : 0x44);
    }
}

static void no_status(void **state UNUSED)
{
    init_driver();
    set_desc(0, DATA, 16, false, false); /* nothing to write the status to */
    submit(0);
    assert_false(wait_used());
    init_driver();
    set_desc(0, DATA, 15, false, true); /* half a header */
    set_desc(1, DATA + 64, 1, true, false);
    submit(0);
    assert_false(wait_used());
    init_driver();
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 0x20000, 512, true), VIRTIO_BLK_S_OK);
}

static uint32_t rng_state = 1;
static uint32_t rnd(uint32_t n)
{
    rng_state = rng_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(rng_state >> 4) * n >> 28);
}

/* Requests made of chance: whatever they do, the device answers or asks for a reset, and works after it. */
static void nonsense(void **state UNUSED)
{
    init_driver();
    for (unsigned i = 0; i < 3000; i++) {
        struct virtio_blk_outhdr h = {
            .type = rnd(16), .ioprio = rnd(9), .sector = rnd(4) ? rnd(DISK / 512 + 4) : ((uint64_t)rnd(1u << 27) << 37)};
        memcpy(ram + DATA, &h, sizeof(h));
        for (unsigned b = 0; b < 64; b++)
            ram[0x20000 + b] = rnd(3) ? 0 : (uint8_t)rnd(256);
        unsigned n = 1 + rnd(6), ins = rnd(n + 1);
        for (unsigned d = 0; d < n; d++)
            set_desc(d, d ? 0x20000 + rnd(0x1000) : DATA, d ? 1 + (rnd(2) ? rnd(3) * 512 : rnd(2000)) : 16, d >= n - ins, d + 1 < n);
        submit(0);
        if (!wait_used())
            init_driver();
    }
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 0x20000, 512, true), VIRTIO_BLK_S_OK);
}

/* After a reset nothing arrives in guest memory any more. */
static void reset_under_way(void **state UNUSED)
{
    for (unsigned round = 0; round < 50; round++) {
        init_driver();
        struct virtio_blk_outhdr h = {.type = VIRTIO_BLK_T_IN};
        memcpy(ram + DATA, &h, sizeof(h));
        for (unsigned i = 0; i < RING / 4; i++) {
            set_desc(i * 4, DATA, 16, false, true);
            set_desc(i * 4 + 1, 0x20000 + i * 0x4000, 0x4000, true, true);
            set_desc(i * 4 + 2, DATA + 64, 1, true, false);
            avail->ring[avail->idx % RING] = (uint16_t)(i * 4);
            __atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_SEQ_CST);
        }
        put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
        put(VIRTIO_MMIO_STATUS, 0);
        memset(ram, 0x99, RAM);
        usleep(500);
        for (unsigned i = 0; i < RAM; i++) {
            if (ram[i] != 0x99)
                fail_msg("byte %#x was written after the reset", i);
        }
    }
}

static void read_only(void **state UNUSED)
{
    init_driver();
    block->read_only = true;
    assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 0x20000, 512, false), VIRTIO_BLK_S_IOERR);
    memcpy(ram + 0x20000, &(struct virtio_blk_discard_write_zeroes){8, 16, 0}, 16);
    assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 0x20000, 16, false), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, 16, false), VIRTIO_BLK_S_IOERR);
    assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 0x20000, 512, true), VIRTIO_BLK_S_OK);
    block->read_only = false;
}

static int setup(void **state UNUSED)
{
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, DISK) < 0)
        return -1;
    close(fd);
    ram = calloc(1, RAM);
    desc = (struct vring_desc *)(void *)ram;
    avail = (struct vring_avail *)(void *)(ram + 0x1000);
    used = (struct vring_used *)(void *)(ram + 0x2000);
    memory = (struct guest_memory){.ram = ram, .size = RAM, .written = written};
    board = (struct board){.bus = &bus, .mem = &memory, .irq = {set_irq, NULL, 0}};
    block = block_open(&(struct block_options){.file = path, .format = BLOCK_FORMAT_RAW, .discard = true});
    return block ? virtio_blk_add(&board, &item, block, &(struct virtio_blk_options){.name = path, .serial = "serial", .write_cache = true})
                 : -1;
}

static int teardown(void **state UNUSED)
{
    board_destroy(&board);
    block_close(block);
    free(ram);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layouts),  cmocka_unit_test(refusals),        cmocka_unit_test(no_status),
                                       cmocka_unit_test(nonsense), cmocka_unit_test(reset_under_way), cmocka_unit_test(read_only)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
