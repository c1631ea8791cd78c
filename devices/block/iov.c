/*
 * iov.c: see iov.h.
 */
#include <devices/block/iov.h>
#include <string.h>

/* The next piece of bytes [*off, *off + *len) at or after element *i: 0 at the end. */
static uint64_t next_piece(const struct iovec *iov, unsigned n, unsigned *i, uint64_t *off, uint64_t *len, uint8_t **at)
{
    for (; *i < n && *len; ++*i) {
        if (*off >= iov[*i].iov_len) {
            *off -= iov[*i].iov_len;
            continue;
        }
        uint64_t have = iov[*i].iov_len - *off, piece = have < *len ? have : *len;
        *at = (uint8_t *)iov[*i].iov_base + *off;
        *off += piece;
        *len -= piece;
        return piece;
    }
    return 0;
}

void iov_load(void *buf, const struct iovec *iov, unsigned n, uint64_t off, uint64_t len)
{
    unsigned i = 0;
    uint8_t *at, *to = buf;
    for (uint64_t piece; (piece = next_piece(iov, n, &i, &off, &len, &at)); to += piece)
        memcpy(to, at, piece);
}

void iov_store(const struct iovec *iov, unsigned n, uint64_t off, const void *buf, uint64_t len)
{
    unsigned i = 0;
    uint8_t *at;
    const uint8_t *from = buf;
    for (uint64_t piece; (piece = next_piece(iov, n, &i, &off, &len, &at)); from += piece)
        memcpy(at, from, piece);
}

void iov_zero(const struct iovec *iov, unsigned n, uint64_t off, uint64_t len)
{
    unsigned i = 0;
    uint8_t *at;
    for (uint64_t piece; (piece = next_piece(iov, n, &i, &off, &len, &at));)
        memset(at, 0, piece);
}

unsigned iov_slice(struct iovec *out, const struct iovec *iov, unsigned n, uint64_t off, uint64_t len)
{
    unsigned i = 0, n_out = 0;
    uint8_t *at;
    for (uint64_t piece; (piece = next_piece(iov, n, &i, &off, &len, &at));)
        out[n_out++] = (struct iovec){at, piece};
    return n_out;
}

bool iov_aligned(const struct iovec *iov, unsigned n, uint64_t align)
{
    for (unsigned i = 0; i < n; i++) {
        if (((uintptr_t)iov[i].iov_base | iov[i].iov_len) & (align - 1))
            return false;
    }
    return true;
}
