/*
 * offload.h: what network hardware does for large and unfinished frames, in software: checksums, segmentation of TCP, fragmentation of
 * IPv4.
 *
 * Every function is given bytes that somebody hostile may have written; none reads or writes outside [frame, frame + len). No state, no
 * allocation. Sources: RFC 791, 1071, 1624, 8200, 9293; virtio 1.2 sections 5.1.6.2 and 5.1.6.4.
 */
#ifndef DEVICES_NET_OFFLOAD_H
#define DEVICES_NET_OFFLOAD_H

#include <devices/net/net.h>

/* Where things are in a frame. Offsets from its start, bytes. */
struct offload_headers {
    uint16_t l3;        /* IP header, behind Ethernet and at most one VLAN tag */
    uint16_t l4;        /* header of the transport protocol; IPv6 extension headers have been stepped over */
    uint16_t payload;   /* TCP only: behind its header and options */
    uint32_t end;       /* of the IP packet: <= len (Ethernet pads) */
    uint8_t ip_version; /* 4 or 6 */
    uint8_t protocol;   /* of the transport; 0 for a fragment, which has none */
};

/* false: not an IP packet, or one whose headers do not fit into the frame or contradict each other. */
bool offload_parse(const uint8_t *frame, size_t len, struct offload_headers *h);

/* One's complement sum of bytes, added to `sum`; not folded. An odd length is as if a zero followed. */
uint64_t offload_sum(const void *p, size_t len, uint64_t sum);
/* Folded to 16 bits, as it lies in memory, not inverted. */
uint16_t offload_fold(uint64_t sum);
/* The sum of the pseudo header of a TCP or UDP packet of `l4_len` bytes, folded, not inverted, in memory order: what a NEEDS_CSUM field
 * holds. */
uint16_t offload_pseudo(const uint8_t *frame, const struct offload_headers *h, uint32_t l4_len);

typedef void offload_emit(void *ctx, const uint8_t *frame, size_t len);

/*
 * Make ordinary frames of one with a header that may ask for a checksum and for segmentation, each with checksums filled in and with an IP
 * packet of at most max_ip bytes where segmentation was asked for (a segment that fits whole is left whole). emit is called for each, in
 * order, with bytes inside `frame`, which is overwritten. false: the header asks for something that the frame does not allow; nothing is
 * emitted.
 */
bool offload_finish(const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len, uint32_t max_ip, offload_emit *emit, void *ctx);

/* Cut a complete TCP frame into segments of at most mss payload bytes. As above; mss >= 1. */
void offload_segment(uint8_t *frame, const struct offload_headers *h, uint32_t mss, offload_emit *emit, void *ctx);

/* Cut a complete IPv4 frame into fragments whose IP packets are at most mtu (>= 68) bytes. false: it may not be (DF) or cannot be cut;
 * nothing is emitted. */
bool offload_fragment(uint8_t *frame, const struct offload_headers *h, uint32_t mtu, offload_emit *emit, void *ctx);

/*
 * In a TCP SYN whose maximum segment size option is at least `at_least`, replace the value by `mss`; its checksum is adjusted (a NEEDS_CSUM
 * field stays right too, it does not cover options). true: done.
 */
bool offload_raise_mss(uint8_t *frame, const struct offload_headers *h, bool partial, uint16_t at_least, uint16_t mss);

#endif
