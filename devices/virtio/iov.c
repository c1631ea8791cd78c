/*
 * iov.c: copying to and from the buffers of a descriptor chain.
 */
#include <devices/virtio/virtio.h>
#include <string.h>

/* The iovecs from byte `off` on, piece by piece: the next piece of at most len bytes in *p, its size returned; 0 at the end. */
static size_t next_piece(const struct iovec *iov, unsigned n, unsigned *i, size_t *off, size_t len, uint8_t **p)
{
    while (*i < n && *off >= iov[*i].iov_len) {
        *off -= iov[*i].iov_len;
        ++*i;
    }
    if (*i == n)
        return 0;
    size_t have = iov[*i].iov_len - *off;
    *p = (uint8_t *)iov[*i].iov_base + *off;
    size_t take = have < len ? have : len;
    *off += take;
    return take;
}

size_t virtio_iov_read(const struct iovec *iov, unsigned n, size_t off, void *buf, size_t len)
{
    size_t done = 0, piece;
    unsigned i = 0;
    uint8_t *p;
    while (done < len && (piece = next_piece(iov, n, &i, &off, len - done, &p)) > 0) {
        memcpy((uint8_t *)buf + done, p, piece);
        done += piece;
    }
    return done;
}

size_t virtio_iov_write(const struct iovec *iov, unsigned n, size_t off, const void *buf, size_t len)
{
    size_t done = 0, piece;
    unsigned i = 0;
    uint8_t *p;
    while (done < len && (piece = next_piece(iov, n, &i, &off, len - done, &p)) > 0) {
        memcpy(p, (const uint8_t *)buf + done, piece);
        done += piece;
    }
    return done;
}
