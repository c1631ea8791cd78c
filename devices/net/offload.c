/*
 * offload.c: see offload.h.
 */
#include <devices/net/offload.h>
#include <netinet/in.h>
#include <string.h>

#define ETHERTYPE_IP4  0x0800u
#define ETHERTYPE_IP6  0x86ddu
#define ETHERTYPE_VLAN 0x8100u

#define IP4_HLEN_MIN 20u
#define IP4_MF       0x2000u
#define IP4_DF       0x4000u
#define IP4_OFFSET   0x1fffu
#define IP6_HLEN     40u
#define IP6_EXT_MAX  8u /* extension headers one after the other; real packets have one or two */

#define TCP_HLEN_MIN 20u
#define TCP_CSUM     16u
#define TCP_FIN      0x01u
#define TCP_SYN      0x02u
#define TCP_PSH      0x08u
#define TCP_CWR      0x80u

#define HEADERS_MAX 512u /* of a frame that is to be cut up: longer ones are refused */
#define GSO_MIN     8u   /* payload of a segment: Linux's TCP_MIN_GSO_SIZE; bounds what one frame can turn into */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

/* --- checksums
 * --------------------------------------------------------------------------------------------------------------------------------- */

/*
 * Sums 32-bit words into 64-bit accumulators: one's complement addition does not care about the width it is done in, nor about byte order
 * as long as the result is stored in the order it was read in (RFC 1071).
 */
uint64_t offload_sum(const void *bytes, size_t len, uint64_t sum)
{
    typedef uint64_t pair __attribute__((vector_size(16)));
    const pair low = {0xffffffff, 0xffffffff};
    const uint8_t *p = bytes;
    pair even = {0}, odd = {0};
    for (; len >= 32; p += 32, len -= 32) {
        pair a, b;
        memcpy(&a, p, 16);
        memcpy(&b, p + 16, 16);
        even += (a & low) + (b & low);
        odd += (a >> 32) + (b >> 32);
    }
    even += odd;
    for (unsigned i = 0; i < 2; i++)
        sum += (even[i] & 0xffffffff) + (even[i] >> 32);
    for (; len >= 2; p += 2, len -= 2) {
        uint16_t half;
        memcpy(&half, p, 2);
        sum += half;
    }
    return len ? sum + *p : sum;
}

uint16_t offload_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t offload_pseudo(const uint8_t *frame, const struct offload_headers *h, uint32_t l4_len)
{
    uint8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, h->protocol};
    put32(tail, l4_len);
    uint64_t sum = offload_sum(tail, sizeof(tail), 0);
    if (h->ip_version == 4)
        sum = offload_sum(frame + h->l3 + 12, 8, sum);
    else
        sum = offload_sum(frame + h->l3 + 8, 32, sum);
    return offload_fold(sum);
}

static void store(uint8_t *at, uint16_t sum)
{
    memcpy(at, &sum, 2);
}

static void fill_ip4(uint8_t *ip)
{
    put16(ip + 10, 0);
    store(ip + 10, (uint16_t)~offload_fold(offload_sum(ip, (ip[0] & 15u) * 4, 0)));
}

/* The checksum of a TCP header at h->l4 and all that follows up to `end`. */
static void fill_tcp(uint8_t *frame, const struct offload_headers *h, size_t end)
{
    uint8_t *tcp = frame + h->l4;
    size_t len = end - h->l4;
    put16(tcp + TCP_CSUM, 0);
    store(tcp + TCP_CSUM, (uint16_t)~offload_fold(offload_sum(tcp, len, offload_pseudo(frame, h, (uint32_t)len))));
}

/* --- headers
 * ----------------------------------------------------------------------------------------------------------------------------------- */

static bool parse_ip4(const uint8_t *frame, size_t len, struct offload_headers *h)
{
    const uint8_t *ip = frame + h->l3;
    size_t room = len - h->l3;
    if (room < IP4_HLEN_MIN || ip[0] >> 4 != 4)
        return false;
    size_t hlen = (ip[0] & 15u) * 4, total = get16(ip + 2);
    if (hlen < IP4_HLEN_MIN || total < hlen || total > room)
        return false;
    h->ip_version = 4;
    h->l4 = (uint16_t)(h->l3 + hlen);
    h->end = (uint32_t)(h->l3 + total);
    h->protocol = get16(ip + 6) & (IP4_MF | IP4_OFFSET) ? 0 : ip[9];
    return true;
}

static bool parse_ip6(const uint8_t *frame, size_t len, struct offload_headers *h)
{
    const uint8_t *ip = frame + h->l3;
    size_t room = len - h->l3;
    if (room < IP6_HLEN || ip[0] >> 4 != 6)
        return false;
    size_t end = IP6_HLEN + get16(ip + 4), at = IP6_HLEN;
    if (end > room)
        return false;
    uint8_t next = ip[6];
    for (unsigned n = 0; next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_FRAGMENT; n++) {
        if (n == IP6_EXT_MAX || end - at < 8)
            return false;
        if (next == IPPROTO_FRAGMENT) {
            next = 0;
            break;
        }
        size_t size = 8 + 8u * ip[at + 1];
        if (end - at < size)
            return false;
        next = ip[at];
        at += size;
    }
    h->ip_version = 6;
    h->l4 = (uint16_t)(h->l3 + at);
    h->end = (uint32_t)(h->l3 + end);
    h->protocol = next;
    return true;
}

bool offload_parse(const uint8_t *frame, size_t len, struct offload_headers *h)
{
    *h = (struct offload_headers){.l3 = NET_ETH_HLEN};
    if (len < NET_ETH_HLEN)
        return false;
    uint16_t type = get16(frame + 12);
    if (type == ETHERTYPE_VLAN) {
        if (len < NET_ETH_HLEN + NET_VLAN_HLEN)
            return false;
        type = get16(frame + 16);
        h->l3 += NET_VLAN_HLEN;
    }
    if (type == ETHERTYPE_IP4 ? !parse_ip4(frame, len, h) : type != ETHERTYPE_IP6 || !parse_ip6(frame, len, h))
        return false;
    if (h->protocol == IPPROTO_TCP) {
        if (h->end - h->l4 < TCP_HLEN_MIN)
            return false;
        size_t hlen = (frame[h->l4 + 12] >> 4) * 4u;
        if (hlen < TCP_HLEN_MIN || hlen > h->end - h->l4)
            return false;
        h->payload = (uint16_t)(h->l4 + hlen);
    }
    return true;
}

/* --- cutting up
 * -------------------------------------------------------------------------------------------------------------------------------- */

static void set_ip_len(uint8_t *frame, const struct offload_headers *h, size_t end)
{
    if (h->ip_version == 4)
        put16(frame + h->l3 + 2, (uint32_t)(end - h->l3));
    else
        put16(frame + h->l3 + 4, (uint32_t)(end - h->l3 - IP6_HLEN));
}

/*
 * Each segment is built in place: its headers are written right before its part of the payload, over what has been emitted already.
 */
void offload_segment(uint8_t *frame, const struct offload_headers *h, uint32_t mss, offload_emit *emit, void *ctx)
{
    uint8_t headers[HEADERS_MAX];
    size_t hlen = h->payload;
    if (hlen > sizeof(headers))
        return;
    memcpy(headers, frame, hlen);
    uint32_t seq = get32(headers + h->l4 + 4);
    uint16_t ip_id = get16(headers + h->l3 + 4);
    uint8_t flags = headers[h->l4 + 13];

    size_t at = hlen;
    for (uint16_t n = 0; n == 0 || at < h->end; n++) {
        size_t size = h->end - at < mss ? h->end - at : mss;
        bool last = at + size == h->end;
        uint8_t *out = frame + at - hlen, *tcp = out + h->l4;
        memcpy(out, headers, hlen);
        set_ip_len(out, h, hlen + size);
        put32(tcp + 4, seq + (uint32_t)(at - hlen));
        tcp[13] = (uint8_t)(flags & ~(last ? 0 : TCP_FIN | TCP_PSH) & ~(n ? TCP_CWR : 0));
        if (h->ip_version == 4) {
            put16(out + h->l3 + 4, ip_id + n);
            fill_ip4(out + h->l3);
        }
        fill_tcp(out, h, hlen + size);
        emit(ctx, out, hlen + size);
        at += size;
    }
}

bool offload_fragment(uint8_t *frame, const struct offload_headers *h, uint32_t mtu, offload_emit *emit, void *ctx)
{
    uint8_t headers[HEADERS_MAX];
    uint8_t *ip = frame + h->l3;
    size_t ip_hlen = h->ip_version == 4 ? (size_t)(h->l4 - h->l3) : 0;
    uint16_t word = get16(ip + 6);
    if (!ip_hlen || word & IP4_DF || ip_hlen + 8 > mtu)
        return false;
    size_t hlen = h->l4, per = (mtu - ip_hlen) & ~(size_t)7;
    memcpy(headers, frame, hlen); /* at most 18 + 60 bytes */
    for (size_t at = hlen; at < h->end; at += per) {
        size_t size = h->end - at < per ? h->end - at : per, units = (word & IP4_OFFSET) + (at - hlen) / 8;
        uint8_t *out = frame + at - hlen;
        if (units > IP4_OFFSET)
            break;
        memcpy(out, headers, hlen);
        put16(out + h->l3 + 2, (uint32_t)(ip_hlen + size));
        put16(out + h->l3 + 6, (uint32_t)units | (at + size < h->end || word & IP4_MF ? IP4_MF : 0));
        fill_ip4(out + h->l3);
        emit(ctx, out, hlen + size);
    }
    return true;
}

bool offload_finish(const struct virtio_net_hdr *hdr, uint8_t *frame, size_t len, uint32_t max_ip, offload_emit *emit, void *ctx)
{
    unsigned gso = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
    if (gso == VIRTIO_NET_HDR_GSO_NONE) {
        if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
            size_t start = hdr->csum_start, field = start + hdr->csum_offset;
            if (start >= len || field + 2 > len)
                return false;
            uint16_t sum = (uint16_t)~offload_fold(offload_sum(frame + start, len - start, 0));
            store(frame + field, sum ? sum : 0xffff); /* zero would mean "no checksum" to UDP; to TCP they are the same */
        }
        emit(ctx, frame, len);
        return true;
    }
    struct offload_headers h;
    if (hdr->gso_size < GSO_MIN || (gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_TCPV6) || !offload_parse(frame, len, &h) ||
        h.protocol != IPPROTO_TCP || h.ip_version != (gso == VIRTIO_NET_HDR_GSO_TCPV4 ? 4 : 6) || h.payload > HEADERS_MAX)
        return false;
    if (h.end - h.l3 > max_ip) {
        offload_segment(frame, &h, hdr->gso_size, emit, ctx);
    } else {
        if (h.ip_version == 4)
            fill_ip4(frame + h.l3);
        fill_tcp(frame, &h, h.end);
        emit(ctx, frame, h.end);
    }
    return true;
}

bool offload_raise_mss(uint8_t *frame, const struct offload_headers *h, bool partial, uint16_t at_least, uint16_t mss)
{
    if (h->protocol != IPPROTO_TCP || !(frame[h->l4 + 13] & TCP_SYN))
        return false;
    for (size_t at = h->l4 + TCP_HLEN_MIN; at < h->payload;) {
        uint8_t kind = frame[at];
        if (kind == 0) /* end of options */
            return false;
        if (kind == 1) { /* no operation */
            at++;
            continue;
        }
        if (h->payload - at < 2 || frame[at + 1] < 2 || frame[at + 1] > h->payload - at)
            return false;
        if (kind == 2 && frame[at + 1] == 4) {
            uint8_t *value = frame + at + 2, *csum = frame + h->l4 + TCP_CSUM;
            uint16_t old = get16(value);
            if (old < at_least)
                return false;
            put16(value, mss);
            if (!partial) { /* RFC 1624: HC' = ~(~HC + ~m + m'); an option at an odd offset counts with its bytes swapped */
                bool odd = (at + 2 - h->l4) & 1;
                uint32_t m = odd ? (uint32_t)__builtin_bswap16(old) : old, m_new = odd ? (uint32_t)__builtin_bswap16(mss) : mss;
                uint64_t sum = (uint64_t)(uint16_t)~get16(csum) + (uint16_t)~m + m_new;
                put16(csum, (uint16_t)~offload_fold(sum));
            }
            return true;
        }
        at += frame[at + 1];
    }
    return false;
}
