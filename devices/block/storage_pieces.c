/*
 * storage_pieces.c: requests as pieces, each a request of virtio's (1.2, section 5.2.6) and a slot of the ring; and the memory that is
 * shared with the daemon: ring, headers, buffers.
 *
 * Bytes that lie in guest RAM, where that is shared, are described as they lie, in whole sectors; all others go through buffers of a fixed
 * size, as many for a piece as are free.
 */
#include <devices/block/iov.h>
#include <devices/block/storage.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- pieces -------------------------------------------------------------------------------------------------------------- */

static void add_segment(struct slot *s, unsigned *n, void *base, uint64_t len, uint16_t flags)
{
    s->table[*n] = (struct vring_desc){(uintptr_t)base, (uint32_t)len, flags | VRING_DESC_F_NEXT, (uint16_t)(*n + 1)};
    ++*n;
}

static bool in_ram(const struct storage *d, const struct iovec *v)
{
    uint64_t off = (uintptr_t)v->iov_base - (uintptr_t)d->ram.base;
    return off < d->ram.size && v->iov_len <= d->ram.size - off;
}

/* Add segments with the request's bytes from `at` on as they lie in guest RAM. Bytes: whole sectors, 0 when that cannot be. */
static uint64_t add_in_place(const struct storage *d, struct slot *s, unsigned *n, const struct block_request *r, uint64_t at,
                             uint16_t flags)
{
    uint64_t len = 0;
    unsigned begin = *n;
    for (unsigned i = 0; i < r->n_iov && *n - begin < d->seg_max && len < PIECE_MAX && in_ram(d, &r->iov[i]); i++) {
        uint64_t skip = at < r->iov[i].iov_len ? at : r->iov[i].iov_len, left = r->iov[i].iov_len - skip;
        uint8_t *p = (uint8_t *)r->iov[i].iov_base + skip;
        at -= skip;
        while (left && *n - begin < d->seg_max && len < PIECE_MAX) {
            uint64_t now = left < d->size_max ? left : d->size_max;
            add_segment(s, n, p, now, flags);
            p += now;
            left -= now;
            len += now;
        }
    }
    for (uint64_t odd = len % BLOCK_SECTOR; odd;) {
        struct vring_desc *last = &s->table[*n - 1];
        uint32_t cut = odd < last->len ? (uint32_t)odd : last->len;
        last->len -= cut;
        *n -= !last->len;
        odd -= cut;
        len -= cut;
    }
    return len;
}

/* Of a buffer, bytes that a segment can have. */
static uint64_t chunk_bytes(const struct storage *d)
{
    return d->size_max < CHUNK ? ALIGN_DOWN(d->size_max, (uint64_t)BLOCK_SECTOR) : CHUNK;
}

/* Likewise through buffers, as many as are free. */
static uint64_t add_buffers(struct storage *d, struct slot *s, unsigned *n, struct piece *p, uint16_t flags)
{
    uint64_t left = p->r->len - p->at, len = 0, chunk = chunk_bytes(d);
    while (left && d->n_chunks && p->n_chunks < CHUNKS_MAX && p->n_chunks < d->seg_max) {
        uint64_t now = left < chunk ? left : chunk;
        uint8_t *buf = d->buffers + (size_t)d->chunk[--d->n_chunks] * CHUNK;
        p->chunk[p->n_chunks++] = d->chunk[d->n_chunks];
        if (p->r->kind == BLOCK_WRITE)
            iov_load(buf, p->r->iov, p->r->n_iov, p->at + len, now);
        add_segment(s, n, buf, now, flags);
        len += now;
        left -= now;
    }
    return len;
}

void storage_end_piece(struct storage *d, unsigned slot, uint8_t status)
{
    struct piece *p = &d->piece[slot];
    uint64_t at = p->at, end = p->at + p->len, chunk = chunk_bytes(d);
    for (unsigned i = 0; i < p->n_chunks; i++, at += chunk) {
        if (p->r->kind == BLOCK_READ && status == VIRTIO_BLK_S_OK)
            iov_store(p->r->iov, p->r->n_iov, at, d->buffers + (size_t)p->chunk[i] * CHUNK, end - at < chunk ? end - at : chunk);
        d->chunk[d->n_chunks++] = p->chunk[i];
    }
    vhost_ring_put(&d->ring, slot);
}

static uint32_t piece_type(const struct block_request *r)
{
    static const uint32_t type[] = {
        [BLOCK_READ] = VIRTIO_BLK_T_IN,         [BLOCK_WRITE] = VIRTIO_BLK_T_OUT,         [BLOCK_FLUSH] = VIRTIO_BLK_T_FLUSH,
        [BLOCK_DISCARD] = VIRTIO_BLK_T_DISCARD, [BLOCK_ZERO] = VIRTIO_BLK_T_WRITE_ZEROES,
    };
    return r->own.to_flush ? VIRTIO_BLK_T_FLUSH : type[r->kind];
}

bool storage_put_piece(struct storage *d, struct block_request *r)
{
    int slot = vhost_ring_take(&d->ring);
    if (slot < 0)
        return false;
    struct slot *s = &d->slots[slot];
    struct piece *p = &d->piece[slot];
    uint64_t at = r->off + r->own.progress, left = r->len - r->own.progress, max;
    unsigned n = 0;
    p->r = r;
    p->at = r->own.progress;
    p->len = 0;
    p->n_chunks = 0;
    s->header = (struct virtio_blk_outhdr){.type = piece_type(r)};
    add_segment(s, &n, &s->header, sizeof(s->header), 0);
    if (r->own.to_flush) {
        r->own.to_flush = false;
    } else if (r->kind == BLOCK_READ || r->kind == BLOCK_WRITE) {
        uint16_t flags = r->kind == BLOCK_READ ? VRING_DESC_F_WRITE : 0;
        s->header.sector = at / BLOCK_SECTOR;
        p->len = add_in_place(d, s, &n, r, p->at, flags);
        if (!p->len)
            p->len = add_buffers(d, s, &n, p, flags);
        if (!p->len) {
            vhost_ring_put(&d->ring, (unsigned)slot);
            return false;
        }
    } else {
        max = r->kind == BLOCK_DISCARD ? d->discard_max : d->zero_max;
        p->len = left < max ? left : max;
        s->range = (struct virtio_blk_discard_write_zeroes){
            .sector = at / BLOCK_SECTOR,
            .num_sectors = (uint32_t)(p->len / BLOCK_SECTOR),
            .flags = r->kind == BLOCK_ZERO && r->unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0,
        };
        add_segment(s, &n, &s->range, sizeof(s->range), 0);
    }
    s->status = VIRTIO_BLK_S_IOERR;
    s->table[n] = (struct vring_desc){(uintptr_t)&s->status, 1, VRING_DESC_F_WRITE, 0};
    vhost_ring_add(&d->ring, (unsigned)slot, s->table, n + 1);
    r->own.progress += p->len;
    r->own.pieces++;
    return true;
}

/* --- memory ------------------------------------------------------------------------------------------------------------- */

int storage_create_memory(struct storage *d)
{
    size_t ring = ALIGN_UP(vhost_ring_bytes(), (size_t)4096), slots = ALIGN_UP(VHOST_RING_SIZE * sizeof(struct slot), (size_t)4096);
    d->memory_size = ring + slots + (size_t)N_CHUNKS * CHUNK;
    d->memory_fd = d->kick = d->call = -1;
    d->memory_fd = memfd_create("armlet-vhost-user", MFD_CLOEXEC);
    d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->memory_fd < 0 || d->kick < 0 || d->call < 0 || ftruncate(d->memory_fd, (off_t)d->memory_size) < 0)
        return -errno;
    void *p = mmap(NULL, d->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, d->memory_fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    d->memory = p;
    d->slots = (struct slot *)(void *)(d->memory + ring);
    d->buffers = d->memory + ring + slots;
    return 0;
}

void storage_destroy_memory(struct storage *d)
{
    if (d->memory)
        munmap(d->memory, d->memory_size);
    const int fds[] = {d->memory_fd, d->kick, d->call};
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

void storage_reset_memory(struct storage *d)
{
    for (d->n_chunks = 0; d->n_chunks < N_CHUNKS; d->n_chunks++)
        d->chunk[d->n_chunks] = (uint16_t)(N_CHUNKS - 1 - d->n_chunks);
    vhost_ring_init(&d->ring, d->memory, storage_has(d, VIRTIO_RING_F_EVENT_IDX));
}
