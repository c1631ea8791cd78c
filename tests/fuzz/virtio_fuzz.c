/*
 * virtio_fuzz.c: libFuzzer target of the virtio registers and rings.
 *
 * An input is a driver: a sequence of register accesses, descriptors, ring entries and stores anywhere in the rings. The device behind
 * takes what it is given, reads every byte of the readable buffers, writes every byte of the writable ones and gives requests back at once
 * or later, in any order. Guest memory is allocated to the byte, so AddressSanitizer sees an access outside it; and each request taken, or
 * refused, is compared with reference_walk(), which reads the same ring by the letter of the specification. See tools/fuzz; without
 * libFuzzer (FUZZ_STANDALONE) main() here makes random inputs by itself.
 */
#include <hypervisor/error.h>
#include <stdio.h>
#include "../unit/virtio_driver.h"

#define OPS_MAX       256u
#define HELD_MAX      RING_SIZE
#define TABLE_ENTRIES 16u

/* in place of hypervisor/error.c */
void error_report(const char *fmt UNUSED, ...) {}

static void die(const char *what)
{
    fprintf(stderr, "virtio_fuzz: %s\n", what);
    abort();
}

/* --- what the specification says about the next request ------------------------------------------------------------------------------ */

struct buffer {
    uint64_t addr;
    uint32_t len;
    bool writable;
};

struct reference {
    bool valid;
    unsigned n;
    struct buffer buffer[VIRTIO_CHAIN_MAX + 1];
};

static bool in_ram(uint64_t addr, uint64_t len)
{
    return len > 0 && addr >= GUEST_RAM_BASE && addr < GUEST_RAM_BASE + RAM_SIZE && GUEST_RAM_BASE + RAM_SIZE - addr >= len;
}

static struct ring_desc desc_at(const struct driver *d, uint64_t addr)
{
    struct ring_desc desc;
    memcpy(&desc, d->mem.ram + (addr - GUEST_RAM_BASE), sizeof(desc));
    return desc;
}

static void reference_walk(const struct driver *d, uint16_t head, bool indirect_ok, struct reference *r)
{
    uint64_t table = GUEST_RAM_BASE + DESC_AT, total = 0;
    uint32_t entries = RING_SIZE, at = head, seen = 0;
    bool inside = false, writable_seen = false;
    r->valid = false;
    r->n = 0;
    for (;;) {
        if (at >= entries || seen++ == entries)
            return;
        struct ring_desc e = desc_at(d, table + 16ull * at);
        if (e.flags & F_INDIRECT) {
            if (!indirect_ok || inside || e.flags & F_NEXT || e.len % 16 || !in_ram(e.addr, e.len))
                return;
            inside = true;
            table = e.addr;
            entries = e.len / 16;
            at = seen = 0;
            continue;
        }
        if (r->n == VIRTIO_CHAIN_MAX || !in_ram(e.addr, e.len) || (writable_seen && !(e.flags & F_WRITE)) || (total += e.len) > UINT32_MAX)
            return;
        writable_seen = e.flags & F_WRITE;
        r->buffer[r->n++] = (struct buffer){e.addr, e.len, writable_seen};
        if (!(e.flags & F_NEXT))
            break;
        at = e.next;
    }
    r->valid = true;
}

/* --- the device ------------------------------------------------------------------------------------------------------------------------
 */

struct fuzz {
    struct driver d;
    bool started, indirect;
    unsigned n_held;
    uint32_t sum;
    uint16_t popped;
    struct virtio_chain held[HELD_MAX];
    struct reference ref;
    struct virtio_chain chain;
} fuzz;

static void compare(const struct virtio_chain *c, const struct reference *r)
{
    if (c->n_out + c->n_in != r->n)
        die("the request has another number of buffers");
    for (unsigned i = 0; i < r->n; i++) {
        if (c->out[i].iov_base != fuzz.d.mem.ram + (r->buffer[i].addr - GUEST_RAM_BASE) || c->out[i].iov_len != r->buffer[i].len ||
            (i >= c->n_out) != r->buffer[i].writable)
            die("a buffer of the request is another one");
    }
}

static void use(struct virtio_chain *c)
{
    uint8_t byte;
    for (unsigned i = 0; i < c->n_out; i++) { /* its ends: the middle is inside if they are */
        fuzz.sum += ((uint8_t *)c->out[i].iov_base)[0];
        fuzz.sum += ((uint8_t *)c->out[i].iov_base)[c->out[i].iov_len - 1];
    }
    size_t at = c->in_len > 4096 ? 4096 : c->in_len; /* data must not destroy the rings all the time */
    for (size_t i = 0; i < at; i += 1 + i / 8)
        virtio_iov_write(virtio_chain_in(c), c->n_in, i, &(uint8_t){0x5a}, 1);
    if (c->in_len)
        virtio_iov_read(virtio_chain_in(c), c->n_in, c->in_len - 1, &byte, 1);
}

/* Take one request. */
static bool take(struct virtqueue *q, struct virtio_chain *c)
{
    uint16_t idx = get16(&fuzz.d, AVAIL_AT + 2);
    uint16_t ahead = (uint16_t)(idx - fuzz.popped);
    bool bad = ahead > RING_SIZE || (ahead && fuzz.n_held == RING_SIZE) || reg_read(&fuzz.d, 0x070) & 0x40;
    if (!bad && ahead)
        reference_walk(&fuzz.d, get16(&fuzz.d, AVAIL_AT + 4 + 2 * (fuzz.popped % RING_SIZE)), fuzz.indirect, &fuzz.ref);
    int want = bad ? -1 : !ahead ? 0 : fuzz.ref.valid ? 1 : -1;
    int got = virtqueue_pop(q, c);
    if (got != want)
        die(got > 0 ? "a bad request was taken" : got < 0 ? "a good request was refused" : "a request was passed over");
    if (got < 0 && !(reg_read(&fuzz.d, 0x070) & 0x40))
        die("the device does not ask for a reset");
    if (got <= 0)
        return false;
    compare(c, &fuzz.ref);
    fuzz.popped++;
    return true;
}

static void give(struct virtqueue *q, struct virtio_chain *c, uint32_t written)
{
    /* The driver has reach over the used ring too, so only what this step changes can be looked at. */
    virtqueue_push(q, c, written);
    if (!(fuzz.sum & 3))
        virtqueue_signal(q);
}

static void serve(uint8_t how)
{
    struct virtqueue *q = virtio_queue(fuzz.d.v, 0);
    if (!fuzz.started || !q)
        return;
    if (how & 1)
        virtqueue_want_notify(q, false);
    for (unsigned n = 0; n < RING_SIZE; n++) {
        struct virtio_chain *c = how & 2 && fuzz.n_held < HELD_MAX ? &fuzz.held[fuzz.n_held] : &fuzz.chain;
        if (!take(q, c))
            break;
        if (c != &fuzz.chain) {
            fuzz.n_held++;
            continue;
        }
        if (how & 4 && n == 2) {
            virtqueue_unpop(q, c);
            fuzz.popped--;
            break;
        }
        use(c);
        give(q, c, how * 1000u);
    }
    while (how & 8 && fuzz.n_held) { /* back to front */
        struct virtio_chain *c = &fuzz.held[--fuzz.n_held];
        use(c);
        give(q, c, UINT32_MAX);
    }
    if (how & 1)
        virtqueue_want_notify(q, true);
    virtqueue_signal(q);
}

static int fuzz_start(void *dev UNUSED, uint64_t features)
{
    fuzz.started = true;
    fuzz.indirect = features >> VIRTIO_F_INDIRECT_DESC & 1;
    fuzz.popped = 0;
    fuzz.n_held = 0;
    return 0;
}

static void fuzz_stop(void *dev UNUSED)
{
    fuzz.started = false;
}
static void fuzz_destroy(void *dev UNUSED) {}
static void fuzz_notify(void *dev UNUSED, unsigned queue UNUSED)
{
    serve(0);
}

static void fuzz_config(void *dev UNUSED, uint32_t off, void *buf, uint32_t len)
{
    if (off >= 13 || len > 13 - off)
        die("an access outside the configuration space");
    memset(buf, 0x11, len);
}

static void fuzz_config_write(void *dev UNUSED, uint32_t off, const void *buf UNUSED, uint32_t len)
{
    if (off >= 13 || len > 13 - off)
        die("an access outside the configuration space");
}

static const struct virtio_class fuzz_class = {
    .name = "fuzz-device",
    .device_id = 1,
    .n_queues = 2,
    .queue_size = RING_SIZE,
    .config_size = 13,
    .config_read = fuzz_config,
    .config_write = fuzz_config_write,
    .start = fuzz_start,
    .notify = fuzz_notify,
    .stop = fuzz_stop,
    .destroy = fuzz_destroy,
};

/* --- the driver ------------------------------------------------------------------------------------------------------------------------
 */

struct source {
    const uint8_t *p, *end;
};

static uint8_t next(struct source *s)
{
    return s->p < s->end ? *s->p++ : 0;
}

/* Mostly good addresses and lengths, some at and beside the limits. */
static uint64_t pick_addr(struct source *s)
{
    static const uint64_t odd[8] = {
        GUEST_RAM_BASE, GUEST_RAM_BASE + RAM_SIZE, 0, UINT64_MAX, 1ull << 32, 0x0a000000, GUEST_RAM_BASE + TABLE_AT, UINT64_MAX - RAM_SIZE};
    uint8_t b = next(s);
    return b < 192 ? GUEST_RAM_BASE + DATA_AT + 16u * b : odd[b & 7] + (uint64_t)((int64_t)(int8_t)next(s) * (b & 8 ? 16 : 1));
}

static uint32_t pick_len(struct source *s)
{
    static const uint32_t odd[8] = {0, 16, 4096, RAM_SIZE, UINT32_MAX, 0x80000000, RAM_SIZE - DATA_AT, UINT32_MAX - RAM_SIZE};
    uint8_t b = next(s);
    return b < 192 ? 1u + b : odd[b & 7] + (b >> 3 & 7);
}

static void put_random_desc(struct source *s, uint32_t table, unsigned entries)
{
    uint8_t where = next(s), link = next(s), wild = next(s);
    struct ring_desc e = {.flags = link >> 6, .next = link & 15};
    if (wild >= 240)
        e.flags = (uint16_t)(wild * 257u);
    if (wild < 64) { /* an indirect table, of any length */
        e.flags = F_INDIRECT | (wild < 2 ? F_NEXT : 0);
        e.addr = GUEST_RAM_BASE + TABLE_AT + 16u * (wild & 3);
        e.len = wild & 4 ? next(s) : 16u * (next(s) & 31);
    } else {
        e.addr = pick_addr(s);
        e.len = pick_len(s);
    }
    put_desc(&fuzz.d, table, where % entries, e);
}

static void step(struct source *s)
{
    struct driver *d = &fuzz.d;
    uint8_t op = next(s), a;
    switch (op & 15) {
    case 0:
        if (op >> 6) { /* seldom: it undoes everything */
            serve(op >> 4);
            break;
        }
        driver_start(d, (op & 16 ? 1u << VIRTIO_F_INDIRECT_DESC : 0) | (op & 32 ? 1u << VIRTIO_F_EVENT_IDX : 0));
        break;
    case 1:
    case 2:
        put_random_desc(s, DESC_AT, RING_SIZE + 1);
        break;
    case 3:
    case 4:
        put_random_desc(s, TABLE_AT, TABLE_ENTRIES);
        break;
    case 5:
    case 6:
        make_available(d, op & 128 ? next(s) : next(s) % RING_SIZE);
        break;
    case 7:
    case 8:
    case 9:
        serve(op >> 4);
        break;
    case 10:
        reg_write(d, 0x050, next(s) & 3);
        break;
    case 11: /* anywhere in the rings */
        a = next(s);
        put16(d, (op & 16 ? AVAIL_AT : op & 32 ? USED_AT : DESC_AT) + 2 * (a % 64), (uint16_t)(next(s) | (op & 64 ? 0xff00 : 0)));
        break;
    case 12: /* a register, any value; Status among them */
        a = next(s);
        reg_write(d, 4u * (a % 64), op & 16 ? (uint32_t)pick_addr(s) : next(s));
        break;
    case 13:
        fuzz.sum += reg_read(d, 4u * (next(s) % 64));
        break;
    case 14: {
        unsigned size = 1u << (op >> 4 & 3) & 7;
        uint32_t off = 0x100 + (next(s) & ~(size - 1) & 0xff);
        if (size && op & 128)
            virtio_mmio_desc.write(d->v, off, size, 0);
        else if (size)
            fuzz.sum += (uint32_t)virtio_mmio_desc.read(d->v, off, size);
        break;
    }
    case 15:
        if (op & 16)
            virtio_config_changed(d->v);
        else if (op & 32)
            virtio_mmio_desc.reset(d->v);
        else
            driver_queue(d, next(s) & 3, next(s) & 15, pick_addr(s), pick_addr(s), pick_addr(s));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, data + size};
    if (!fuzz.d.v && !driver_create(&fuzz.d, &fuzz_class, &fuzz))
        die("no memory");
    driver_start(&fuzz.d, 1u << VIRTIO_F_INDIRECT_DESC);
    for (unsigned i = 0; s.p < s.end && i < OPS_MAX; i++)
        step(&s);
    return 0;
}

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv)
{
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000;
    uint64_t x = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    for (unsigned long i = 0; i < runs; i++) {
        uint8_t input[300];
        for (unsigned k = 0; k < sizeof(input); k++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            input[k] = (uint8_t)(x >> 56);
        }
        LLVMFuzzerTestOneInput(input, (x >> 33) % sizeof(input));
    }
    driver_destroy(&fuzz.d);
    printf("%lu inputs\n", runs);
    return 0;
}
#endif
