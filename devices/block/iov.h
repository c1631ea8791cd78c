/*
 * iov.h: bytes [off, off + len) of a scatter list.
 */
#ifndef DEVICES_BLOCK_IOV_H
#define DEVICES_BLOCK_IOV_H

#include <armlet/base.h>
#include <sys/uio.h>

void iov_load(void *buf, const struct iovec *iov, unsigned n, uint64_t off, uint64_t len);
void iov_store(const struct iovec *iov, unsigned n, uint64_t off, const void *buf, uint64_t len);
void iov_zero(const struct iovec *iov, unsigned n, uint64_t off, uint64_t len);

/* The list of those bytes, at most n elements, into out; how many. */
unsigned iov_slice(struct iovec *out, const struct iovec *iov, unsigned n, uint64_t off, uint64_t len);

/* Are all addresses and lengths multiples of align, a power of two? */
bool iov_aligned(const struct iovec *iov, unsigned n, uint64_t align);

#endif
