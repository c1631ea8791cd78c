/*
 * A hostile virtio driver: every device found on virtio-mmio is given each malformed ring there is, must ask for a reset, and must work
 * again after it; then rings of random bytes that change while the device reads them. armlet must survive and the devices with it.
 */
#include "guest.h"

void *memset(void *d, int c, size_t n); /* lib.c */

#define SLOT_BASE   0x0a000000u
#define SLOT_STRIDE 0x200u
#define SLOTS       32u

enum {
    MAGIC = 0x00,
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    FEATURES = 0x10,
    FEATURES_SEL = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SEL = 0x24,
    QUEUE_SEL = 0x30,
    QUEUE_NUM_MAX = 0x34,
    QUEUE_NUM = 0x38,
    QUEUE_READY = 0x44,
    NOTIFY = 0x50,
    INT_STATUS = 0x60,
    INT_ACK = 0x64,
    STATUS = 0x70,
    DESC_LOW = 0x80,
    DRIVER_LOW = 0x90,
    DEVICE_LOW = 0xa0
};

#define NEEDS_RESET 0x40u
#define F_NEXT      1u
#define F_WRITE     2u
#define F_INDIRECT  4u

#define F_RING_INDIRECT (1u << 28)

#define SIZE     8u /* entries of each ring */
#define QUEUES   8u
#define RAM_BASE 0x40000000u
#define RAM_END  (RAM_BASE + (256u << 20))

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct rings {
    struct desc desc[SIZE];
    struct {
        uint16_t flags, idx, ring[SIZE], used_event;
    } avail;
    uint16_t gap;
    struct {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[SIZE];
        uint16_t avail_event;
    } used;
} __attribute__((aligned(512)));

#define RINGS ((volatile struct rings *)PLAYGROUND)
#define TABLE ((volatile struct desc *)(PLAYGROUND + 0x10000))
#define DATA  (PLAYGROUND + 0x20000)

static uint32_t slot;                     /* base address of the device at hand */
static uint32_t wanted = F_RING_INDIRECT; /* features 0 to 31 to negotiate, where offered */

static uint32_t get(uint32_t reg)
{
    return REG32(slot + reg);
}
static void set(uint32_t reg, uint32_t value)
{
    REG32(slot + reg) = value;
}

static uint32_t counter(void)
{
    ISB();
    return (uint32_t)MRRC(1, c14);
}

/* Wait up to a tenth of a second until (register & mask) has a bit set. */
static bool wait_for(uint32_t reg, uint32_t mask)
{
    for (uint32_t start = counter(); counter() - start < 62500000u * 2;) {
        if (get(reg) & mask)
            return true;
    }
    return false;
}

static void start(void)
{
    set(STATUS, 0);
    set(STATUS, 3);
    set(FEATURES_SEL, 0);
    set(DRIVER_FEATURES_SEL, 0);
    set(DRIVER_FEATURES, get(FEATURES) & wanted);
    set(DRIVER_FEATURES_SEL, 1);
    set(DRIVER_FEATURES, 1); /* VERSION_1 */
    set(STATUS, 0xb);
    memset((void *)RINGS, 0, QUEUES * sizeof(struct rings));
    for (unsigned i = 0; i < QUEUES; i++) {
        set(QUEUE_SEL, i);
        if (!get(QUEUE_NUM_MAX))
            break;
        set(QUEUE_NUM, SIZE);
        set(DESC_LOW, (uint32_t)(uintptr_t)RINGS[i].desc);
        set(DRIVER_LOW, (uint32_t)(uintptr_t)&RINGS[i].avail);
        set(DEVICE_LOW, (uint32_t)(uintptr_t)&RINGS[i].used);
        set(QUEUE_READY, 1);
    }
    set(STATUS, 0xf);
}

/* --- malformed rings ------------------------------------------------------------------------------------------------------------------ */

#define D_OK                                                                                                                               \
    {                                                                                                                                      \
        DATA, 16, 0, 0                                                                                                                     \
    }
#define T(n)                                                                                                                               \
    {                                                                                                                                      \
        PLAYGROUND + 0x10000, (n), F_INDIRECT, 0                                                                                           \
    }
#define D(a, l, f, n)                                                                                                                      \
    {                                                                                                                                      \
        (a), (l), (f), (n)                                                                                                                 \
    }

static const struct bad {
    const char *name;
    uint16_t idx, head;
    struct desc direct[2], table[2];
} bads[] = {
    {"index far ahead", SIZE + 1, 0, {D_OK}, {{0}}},
    {"index behind", 0xffff, 0, {D_OK}, {{0}}},
    {"head outside", 1, SIZE, {D_OK}, {{0}}},
    {"next outside", 1, 0, {D(DATA, 16, F_NEXT, 0xffff)}, {{0}}},
    {"loop", 1, 0, {D(DATA, 16, F_NEXT, 1), D(DATA, 16, F_NEXT, 0)}, {{0}}},
    {"loop of one writable", 1, 0, {D(DATA, 16, F_NEXT | F_WRITE, 0)}, {{0}}},
    {"empty buffer", 1, 0, {D(DATA, 0, 0, 0)}, {{0}}},
    {"buffer at zero", 1, 0, {D(0, 16, F_WRITE, 0)}, {{0}}},
    {"buffer in a device", 1, 0, {D(SLOT_BASE, 16, F_WRITE, 0)}, {{0}}},
    {"buffer over the end of RAM", 1, 0, {D(RAM_END - 8, 16, F_WRITE, 0)}, {{0}}},
    {"buffer that wraps", 1, 0, {D(0xffffffffffffff00, 0x200, F_WRITE, 0)}, {{0}}},
    {"buffer of 4 GiB", 1, 0, {D(DATA, 0xffffffff, 0, 0)}, {{0}}},
    {"readable after writable", 1, 0, {D(DATA, 16, F_NEXT | F_WRITE, 1), D_OK}, {{0}}},
    {"indirect with next", 1, 0, {D(PLAYGROUND + 0x10000, 16, F_INDIRECT | F_NEXT, 1), D_OK}, {D_OK}},
    {"indirect in indirect", 1, 0, {T(32)}, {T(32)}},
    {"empty table", 1, 0, {T(0)}, {D_OK}},
    {"half a descriptor", 1, 0, {T(24)}, {D_OK}},
    {"table over the end of RAM", 1, 0, {D(RAM_END - 16, 32, F_INDIRECT, 0)}, {{0}}},
    {"table in a device", 1, 0, {D(SLOT_BASE, 32, F_INDIRECT, 0)}, {{0}}},
    {"loop in the table", 1, 0, {T(32)}, {D(DATA, 16, F_NEXT, 1), D(DATA, 16, F_NEXT, 0)}},
    {"next outside the table", 1, 0, {T(32)}, {D(DATA, 16, F_NEXT, 2)}},
    {"buffer of the table outside", 1, 0, {T(16)}, {D(RAM_BASE - 1, 2, 0, 0)}},
};

/* The queue that a device reads by itself. */
static unsigned active_queue(uint32_t id)
{
    return id == 1 || id == 3 ? 1 : 0;
}

static void malformed(unsigned queue)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        const struct bad *b = &bads[i];
        volatile struct rings *r = &RINGS[queue];
        start();
        for (unsigned j = 0; j < 2; j++) {
            r->desc[j] = b->direct[j];
            TABLE[j] = b->table[j];
        }
        r->avail.ring[0] = b->head;
        DSB();
        r->avail.idx = b->idx;
        DSB();
        set(NOTIFY, queue);
        if (!wait_for(STATUS, NEEDS_RESET) || !(get(INT_STATUS) & 2)) {
            print("  taken: ");
            print(b->name);
            print("\n");
            taken++;
        }
        set(INT_ACK, 3);
        set(NOTIFY, queue); /* a broken device is deaf */
    }
    expect("  malformed rings taken", taken, 0);
    start();
    expect("  status after a reset", get(STATUS), 0xf);
}

/* Queue addresses that cannot be. */
static void bad_addresses(void)
{
    static const uint32_t bad[][3] = {{0, PLAYGROUND, PLAYGROUND + 0x1000},
                                      {PLAYGROUND + 1, PLAYGROUND + 0x1000, PLAYGROUND + 0x2000},
                                      {PLAYGROUND, 0xfffffffe, PLAYGROUND + 0x1000},
                                      {PLAYGROUND, PLAYGROUND + 0x1000, RAM_END - 4},
                                      {RAM_END - 16, PLAYGROUND, PLAYGROUND + 0x1000}};
    unsigned taken = 0;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start();
        set(STATUS, 0);
        set(STATUS, 3);
        set(DRIVER_FEATURES_SEL, 1);
        set(DRIVER_FEATURES, 1);
        set(STATUS, 0xb);
        set(QUEUE_SEL, 0);
        set(QUEUE_NUM, SIZE);
        set(DESC_LOW, bad[i][0]);
        set(DRIVER_LOW, bad[i][1]);
        set(DEVICE_LOW, bad[i][2]);
        set(QUEUE_READY, 1);
        set(STATUS, 0xf);
        set(NOTIFY, 0);
        taken += !(get(STATUS) & NEEDS_RESET);
    }
    expect("  bad queue addresses taken", taken, 0);
}

/* --- random ones ------------------------------------------------------------------------------------------------------------------------
 */

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* A descriptor that is mostly right, so that what the devices make of the data is reached too. */
static struct desc random_desc(void)
{
    struct desc d = {DATA + (rnd() & 0xfff0), 1u << rnd() % 13, (uint16_t)(rnd() & (F_NEXT | F_WRITE)), (uint16_t)(rnd() % SIZE)};
    switch (rnd() % 24) {
    case 0:
        d.addr = rnd();
        break;
    case 1:
        d.len = rnd();
        break;
    case 2:
        d.flags = (uint16_t)rnd();
        break;
    case 3:
        d.next = (uint16_t)rnd();
        break;
    case 4:
        d = (struct desc){(uint32_t)(uintptr_t)TABLE, 16 * (rnd() % 20), F_INDIRECT, 0};
        break;
    case 5:
        d.addr = (uint32_t)(uintptr_t)&RINGS[rnd() % 4];
        break; /* the rings themselves */
    }
    return d;
}

static void random_rings(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        wanted = i % 2 ? ~0u : rnd() | F_RING_INDIRECT;
        start();
        for (unsigned k = 0; k < 64; k++)
            ((volatile uint32_t *)DATA)[rnd() % 1024] = rnd() % 3 ? rnd() % 16 : rnd();
        for (unsigned n = 0; n < 30; n++) {
            unsigned queue = rnd() % 5;
            volatile struct rings *r = &RINGS[queue];
            for (unsigned k = 0; k < SIZE; k++) {
                r->desc[k] = random_desc();
                TABLE[rnd() % 20] = random_desc();
            }
            r->avail.ring[rnd() % SIZE] = (uint16_t)(rnd() % (SIZE + 1));
            r->avail.idx = (uint16_t)(r->avail.idx + rnd() % 3);
            set(NOTIFY, queue);
            for (unsigned k = 0; k < 8; k++) /* while the device reads them */
                r->desc[rnd() % SIZE] = random_desc();
            set(0x100 + (rnd() & 0x7c), rnd());
        }
    }
    wanted = F_RING_INDIRECT;
    start();
    expect("  status after random rings", get(STATUS), 0xf);
}

/* --- a request that is right
 * ---------------------------------------------------------------------------------------------------------------- */

static uint32_t submit(unsigned queue)
{
    volatile struct rings *r = &RINGS[queue];
    r->avail.ring[r->avail.idx % SIZE] = 0;
    DSB();
    r->avail.idx++;
    DSB();
    set(NOTIFY, queue);
    if (!wait_for(INT_STATUS, 1))
        return ~0u;
    set(INT_ACK, 1);
    return r->used.ring[(uint16_t)(r->used.idx - 1) % SIZE].len;
}

static void entropy(void)
{
    start();
    RINGS[0].desc[0] = (struct desc){DATA, 64, F_WRITE, 0};
    memset((void *)DATA, 0, 64);
    expect("  random bytes given", submit(0), 64);
    uint32_t any = 0;
    for (unsigned i = 0; i < 16; i++)
        any |= ((volatile uint32_t *)DATA)[i];
    expect("  and not all zero", any != 0, 1);
}

/* The disk's first sector holds the bytes 0, 1, 2, ... */
static void disk(void)
{
    volatile uint32_t *header = (volatile uint32_t *)DATA;
    start();
    header[0] = header[1] = header[2] = header[3] = 0; /* read sector 0 */
    RINGS[0].desc[0] = (struct desc){DATA, 16, F_NEXT, 1};
    RINGS[0].desc[1] = (struct desc){DATA + 0x1000, 512, F_NEXT | F_WRITE, 2};
    RINGS[0].desc[2] = (struct desc){DATA + 0x2000, 1, F_WRITE, 0};
    *(volatile uint8_t *)(DATA + 0x2000) = 0xff;
    expect("  bytes of a sector read", submit(0), 513);
    expect("  its status", *(volatile uint8_t *)(DATA + 0x2000), 0);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 512; i++)
        wrong += *(volatile uint8_t *)(DATA + 0x1000 + i) != (uint8_t)i;
    expect("  wrong bytes", wrong, 0);
}

void guest_main(void)
{
    unsigned found = 0;
    for (unsigned n = SLOTS; n-- > 0;) {
        slot = SLOT_BASE + n * SLOT_STRIDE;
        uint32_t id = get(DEVICE_ID);
        if (get(MAGIC) != 0x74726976 || get(VERSION) != 2) {
            print_hex("no virtio device in slot", n);
            expect("magic", get(MAGIC), 0x74726976);
        }
        if (!id)
            continue;
        found |= 1u << id;
        print_hex("device", id);
        malformed(active_queue(id));
        bad_addresses();
        random_rings(id == 2 ? 0 : 60); /* a disk would lose its contents: random_rings() comes last for it */
        if (id == 4)
            entropy();
        if (id == 2)
            disk();
    }
    for (unsigned n = SLOTS; n-- > 0;) {
        slot = SLOT_BASE + n * SLOT_STRIDE;
        if (get(DEVICE_ID) == 2)
            random_rings(60);
        set(STATUS, 0);
    }
    print_hex("device ids found, as bits", found);
}
