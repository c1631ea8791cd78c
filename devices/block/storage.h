/*
 * storage.h: what the two halves of the storage daemon's client share: storage_daemon.c has the requests and the daemon, storage_pieces.c
 * the pieces that requests become.
 */
#ifndef DEVICES_BLOCK_STORAGE_H
#define DEVICES_BLOCK_STORAGE_H

#include <devices/block/block.h>
#include <devices/block/child.h>
#include <devices/block/vhost_ring.h>
#include <devices/block/vhost_user.h>
#include <linux/virtio_blk.h>

#define SEGS_MAX   126u        /* data segments of a piece */
#define CHUNK      (64u << 10) /* a buffer */
#define N_CHUNKS   256u
#define CHUNKS_MAX 16u         /* of a piece */
#define PIECE_MAX  (16u << 20) /* bytes that a piece stops growing at */

/* The shared side of a piece, in cache lines of its own. */
struct slot {
    _Alignas(64) struct vring_desc table[SEGS_MAX + 2];
    struct virtio_blk_outhdr header;
    struct virtio_blk_discard_write_zeroes range;
    uint8_t status;
};
_Static_assert(sizeof(struct virtio_blk_outhdr) == 16 && sizeof(struct virtio_blk_discard_write_zeroes) == 16, "virtio 1.2, 5.2.6");

struct piece {
    struct block_request *r;
    uint64_t at; /* of the request's bytes */
    uint64_t len;
    unsigned n_chunks; /* 0: in place */
    uint16_t chunk[CHUNKS_MAX];
};

struct storage {
    struct block block;
    struct child child;
    struct vhost_user user;
    char *name;
    int image; /* to look at the host's room only */
    bool sync, dead;

    uint64_t features;
    unsigned seg_max;
    uint64_t size_max;              /* bytes of a segment */
    uint64_t discard_max, zero_max; /* of a piece; 0: the daemon cannot do it */

    int memory_fd, kick, call;
    uint8_t *memory; /* ring, slots, buffers */
    size_t memory_size;
    struct slot *slots;
    uint8_t *buffers;

    /* between start and stop */
    struct aio *aio;
    struct block_memory ram;
    struct vhost_ring ring;
    struct piece piece[VHOST_RING_SIZE];
    unsigned n_chunks; /* free ones */
    uint16_t chunk[N_CHUNKS];
    struct block_request *waiting, **waiting_tail;
};

static inline bool storage_has(const struct storage *d, unsigned feature)
{
    return d->features >> feature & 1;
}

/* The shared memory, and what is in it. 0 or -errno; destroying is fine after a failure too. */
int storage_create_memory(struct storage *d);
void storage_destroy_memory(struct storage *d);
/* All slots and buffers are free, and the ring is empty. */
void storage_reset_memory(struct storage *d);

/* Put the next piece of r into the ring. False: it has to wait for a slot or a buffer. */
bool storage_put_piece(struct storage *d, struct block_request *r);

/* A piece has come back with this status of virtio's: its slot and buffers are free. */
void storage_end_piece(struct storage *d, unsigned slot, uint8_t status);

#endif
