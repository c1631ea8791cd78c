/*
 * net_fuzz.c: libFuzzer target of what is done to network frames in software (devices/net/offload.c).
 *
 * An input is a virtio header and a frame: one of some templates with a payload of some length, with bytes of the input laid over it. The
 * frame is allocated to the byte, so that AddressSanitizer sees an access outside it, and what comes out is compared with a reference that
 * works byte by byte: every checksum is right, the parts lie inside the frame, and the payload of the parts is that of the whole, in order
 * and nothing missing. See tools/fuzz; without libFuzzer (FUZZ_STANDALONE) main() here makes random inputs by itself.
 */
#include <devices/net/offload.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP 6u
#define UDP 17u

static void die(const char *what)
{
    fprintf(stderr, "net_fuzz: %s\n", what);
    abort();
}

struct source {
    const uint8_t *p, *end;
};

static uint8_t next(struct source *s)
{
    return s->p < s->end ? *s->p++ : 0;
}
static unsigned next16(struct source *s)
{
    return next(s) | next(s) << 8;
}
static unsigned be16(const uint8_t *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}
static unsigned be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

/* --- the reference: RFC 1071 by the letter
 * ----------------------------------------------------------------------------------------------------- */

static unsigned add(unsigned sum, const uint8_t *p, size_t n)
{
    uint64_t total = sum;
    for (size_t i = 0; i + 1 < n; i += 2)
        total += be16(p + i);
    if (n & 1)
        total += (unsigned)p[n - 1] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (unsigned)total;
}

/* Is the checksum of this TCP segment right? l4 to end. */
static bool tcp_right(const uint8_t *f, const struct offload_headers *h)
{
    unsigned len = h->end - h->l4;
    uint8_t tail[4] = {(uint8_t)(len >> 8), (uint8_t)len, 0, TCP};
    unsigned sum = h->ip_version == 4 ? add(0, f + h->l3 + 12, 8) : add(0, f + h->l3 + 8, 32);
    return add(add(sum, tail, 4), f + h->l4, len) == 0xffff;
}

static bool ip4_right(const uint8_t *f, const struct offload_headers *h)
{
    return add(0, f + h->l3, (f[h->l3] & 15u) * 4) == 0xffff;
}

/* --- what comes out
 * ---------------------------------------------------------------------------------------------------------------------------- */

struct sink {
    const uint8_t *frame, *original;
    size_t len;
    struct offload_headers h; /* of the original */
    uint32_t limit;           /* IP bytes of a part; 0: none */
    bool tcp, fragments;
    size_t at; /* payload that has come, from the start of it */
    unsigned parts;
};

static void part(void *ctx, const uint8_t *p, size_t len)
{
    struct sink *s = ctx;
    struct offload_headers h;
    if (p < s->frame || len > s->len || p > s->frame + s->len - len)
        die("a part lies outside the frame");
    s->parts++;
    if (!s->tcp && !s->fragments)
        return;
    if (!offload_parse(p, len, &h) || h.end != len || h.l3 != s->h.l3 || h.l4 != s->h.l4 || h.ip_version != s->h.ip_version)
        die("a part's headers are wrong");
    if (s->limit && len - h.l3 > s->limit)
        die("a part is too long");
    if (h.ip_version == 4 && !ip4_right(p, &h))
        die("a part's IP checksum is wrong");
    size_t start = s->fragments ? s->h.l4 : s->h.payload, from = s->fragments ? h.l4 : h.payload;
    if (memcmp(p + from, s->original + start + s->at, len - from))
        die("a part's payload is wrong");
    if (s->fragments) {
        unsigned old = be16(s->original + s->h.l3 + 6), now = be16(p + h.l3 + 6);
        bool last = start + s->at + (len - from) == s->h.end;
        if ((now & 0x1fff) != (old & 0x1fff) + s->at / 8 || !(now & 0x2000) != (last && !(old & 0x2000)))
            die("a fragment's place is wrong");
    } else {
        if (!tcp_right(p, &h))
            die("a segment's checksum is wrong");
        if (be32(p + h.l4 + 4) != be32(s->original + h.l4 + 4) + (uint32_t)s->at)
            die("a segment's sequence number is wrong");
    }
    s->at += len - from;
}

/* --- inputs
 * ------------------------------------------------------------------------------------------------------------------------------------ */

/* Headers up to and with TCP or UDP, with right lengths; bytes. */
static size_t headers(uint8_t *f, unsigned kind, size_t payload)
{
    size_t at = 14;
    bool ip6 = kind & 1, vlan = kind & 2, options = kind & 4, udp = kind & 8;
    uint8_t protocol = udp ? UDP : TCP;
    if (vlan) {
        f[12] = 0x81;
        at += 4;
    }
    memcpy(f + at - 2, ip6 ? "\x86\xdd" : "\x08\x00", 2);
    size_t l4 = udp ? 8 : options ? 24 : 20;
    if (ip6) {
        size_t ext = options ? 8 : 0, len = ext + l4 + payload;
        f[at] = 0x60;
        f[at + 4] = (uint8_t)(len >> 8);
        f[at + 5] = (uint8_t)len;
        f[at + 6] = ext ? 60 : protocol;
        f[at + 40] = ext ? protocol : 0;
        at += 40 + ext;
    } else {
        size_t ihl = options ? 24 : 20, len = ihl + l4 + payload;
        f[at] = (uint8_t)(0x40 | ihl / 4);
        f[at + 2] = (uint8_t)(len >> 8);
        f[at + 3] = (uint8_t)len;
        f[at + 9] = protocol;
        at += ihl;
    }
    if (!udp) {
        f[at + 12] = (uint8_t)(l4 / 4 << 4);
        f[at + 13] = options ? 0x02 : 0x18;
        if (options)
            memcpy(f + at + 20, "\x02\x04\x05\xb4", 4);
    }
    return at + l4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, data + size};
    uint8_t head[128] = {0};
    unsigned kind = next(&s), action = next(&s) % 4;
    unsigned shift = kind >> 4 & 7;
    size_t payload = next16(&s) >> (shift ? 3 + shift : 0);
    uint32_t limit = action == 3 ? 68 + next16(&s) % 4096 : next(&s) & 1 ? 65521 : next16(&s);
    struct virtio_net_hdr hdr = {.flags = next(&s),
                                 .gso_type = next(&s) & 0x87,
                                 .gso_size = (uint16_t)next16(&s),
                                 .csum_start = (uint16_t)next16(&s),
                                 .csum_offset = next(&s)};
    size_t len = headers(head, kind, payload), known = len;
    if (kind & 128) /* nothing but the input's bytes */
        len = payload % 256;
    else
        len += payload;
    if (len > NET_FRAME_MAX)
        len = NET_FRAME_MAX;
    if (next(&s) & 1)
        hdr.gso_type = kind & 1 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;

    uint8_t *frame = malloc(len ? len : 1), *original = malloc(len ? len : 1);
    if (!frame || !original)
        die("no memory");
    static uint8_t pattern[NET_FRAME_MAX];
    for (size_t i = 0; !pattern[1] && i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7 + (i >> 8));
    memcpy(frame, pattern, len);
    memcpy(frame, head, known < len ? known : len);
    while (s.end - s.p >= 3 && len) { /* where, what */
        size_t at = next16(&s);
        at = (at & 1 ? at >> 1 & 127 : at >> 1) % len;
        frame[at] = next(&s);
    }
    memcpy(original, frame, len);

    struct offload_headers h;
    bool ip = offload_parse(frame, len, &h);
    if (ip && (h.l3 > h.l4 || h.l4 > h.end || h.end > len || (h.protocol == TCP && (h.payload < h.l4 + 20 || h.payload > h.end))))
        die("the headers overlap");
    struct sink sink = {.frame = frame, .original = original, .len = len, .h = h};
    if (action == 0 || action == 1) {
        unsigned gso = hdr.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
        sink.tcp = gso != VIRTIO_NET_HDR_GSO_NONE;
        bool whole = ip && h.end - h.l3 <= limit;
        sink.limit = sink.tcp && !whole ? (uint32_t)(h.payload - h.l3) + hdr.gso_size : 0;
        if (offload_finish(&hdr, frame, len, limit, part, &sink)) {
            if (sink.tcp && (sink.at != h.end - h.payload || (whole && sink.parts != 1)))
                die("payload is missing");
            if (!sink.tcp && sink.parts != 1)
                die("the frame did not come out once");
            if (!sink.tcp && hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
                size_t field = (size_t)hdr.csum_start + hdr.csum_offset;
                unsigned sum = ~add(0, original + hdr.csum_start, len - hdr.csum_start) & 0xffff;
                if (be16(frame + field) != (sum ? sum : 0xffff))
                    die("the checksum is wrong");
            }
        } else if (sink.parts) {
            die("refused after parts came out");
        }
    } else if (action == 2 && ip) {
        bool right = h.protocol == TCP && tcp_right(frame, &h);
        uint16_t at_least = (uint16_t)(limit & 0x7ff);
        bool raised = offload_raise_mss(frame, &h, false, at_least, 32768);
        unsigned changed = 0;
        for (size_t i = 0; i < len; i++)
            changed += frame[i] != original[i] && i - h.l4 - 16 > 1;
        if (changed > (raised ? 2u : 0u) || (right && !tcp_right(frame, &h)))
            die("the SYN is damaged");
    } else if (action == 3 && ip) {
        sink.fragments = true;
        sink.limit = limit;
        if (offload_fragment(frame, &h, limit, part, &sink) && sink.at != h.end - h.l4 &&
            (be16(original + h.l3 + 6) & 0x1fff) + (h.end - h.l4) / 8 < 0x1fff)
            die("fragments are missing");
    }
    free(frame);
    free(original);
    return 0;
}

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv)
{
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000;
    uint64_t x = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    for (unsigned long i = 0; i < runs; i++) {
        uint8_t input[64];
        for (unsigned k = 0; k < sizeof(input); k++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            input[k] = (uint8_t)(x >> 56);
        }
        LLVMFuzzerTestOneInput(input, (x >> 33) % sizeof(input));
    }
    printf("%lu inputs\n", runs);
    return 0;
}
#endif
