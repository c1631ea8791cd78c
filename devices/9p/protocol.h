/*
 * protocol.h: 9P2000.L on the wire (https://github.com/chaos/diod/blob/master/protocol.md): message types, layouts, marshalling.
 *
 * A message is size[4] type[1] tag[2] body; numbers are little endian, strings are length[2] and bytes. Messages come from the guest: a
 * reader never goes past its end and remembers that it was asked to; a writer likewise. Both work on private memory.
 */
#ifndef DEVICES_9P_PROTOCOL_H
#define DEVICES_9P_PROTOCOL_H

#include <armlet/base.h>

enum p9_type {
    P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TRENAME = 20,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TXATTRWALK = 30,
    P9_TXATTRCREATE = 32,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLOCK = 52,
    P9_TGETLOCK = 54,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TATTACH = 104,
    P9_TFLUSH = 108,
    P9_TWALK = 110,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
    P9_TREMOVE = 122,
    P9_TYPES,
};

#define P9_HEADER     7u    /* bytes: size, type, tag */
#define P9_IO_HEADER  11u   /* of Rread and Rreaddir: header and count; also of the whole Rlerror */
#define P9_WRITE_HEAD 23u   /* of Twrite, before the data */
#define P9_MSIZE_MIN  4096u /* bytes of the longest message either side may send */
#define P9_MSIZE_MAX  (1u << 20)
#define P9_QID_SIZE   13u
#define P9_NAME_MAX   255u
#define P9_WALK_MAX   16u /* names in one Twalk */
#define P9_NOFID      UINT32_MAX

enum { P9_QT_FILE = 0, P9_QT_SYMLINK = 0x02, P9_QT_DIR = 0x80 };

struct p9_qid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
};

struct p9_reader {
    uint8_t *p, *end;
    bool bad; /* something did not fit; all that was read since is 0 or NULL */
};

struct p9_writer {
    uint8_t *p, *end;
    bool full;
};

/* A decoded field: number, or string with its length (NUL-terminated; may hold NULs of its own). */
struct p9_arg {
    uint64_t u;
    const char *s;
};

#define P9_ARGS_MAX 10

uint64_t p9_get(struct p9_reader *r, unsigned bytes);
/* The string is moved one byte down over its length to make room for a NUL: it stays in the reader's memory. NULL when cut off. */
const char *p9_get_string(struct p9_reader *r, uint16_t *len);

/*
 * Decode a body by its layout, a character for each field: b, w, d, q number of 1, 2, 4, 8 bytes; f a fid, as d; s any string without NULs;
 * n the name of one directory entry (not empty, ".", "..", no '/' or NUL, up to P9_NAME_MAX bytes). 0, -EINVAL, -ENAMETOOLONG, -ENOENT (an
 * empty name).
 */
int p9_decode(struct p9_reader *r, const char *layout, struct p9_arg arg[P9_ARGS_MAX]);
/* Is this the name of a directory entry, as n above? 0 or the error. */
int p9_check_name(const char *name, size_t len);

void p9_put(struct p9_writer *w, unsigned bytes, uint64_t value);
void p9_put_bytes(struct p9_writer *w, const void *data, size_t len);
void p9_put_string(struct p9_writer *w, const char *s, size_t len);
void p9_put_qid(struct p9_writer *w, const struct p9_qid *q);

#endif
