/*
 * block.h: a disk image as a block device sees it: bytes at offsets, read, written, flushed, discarded, asynchronously.
 *
 * Life: block_open() on the main thread; block_start() and from then on everything by one thread, the owner of the aio; block_stop(), with
 * nothing under way; block_close(). A request is the caller's, and stays in place until its done(), which comes from aio_run() and may
 * submit more.
 *
 * What "done" means: a WRITE, ZERO or DISCARD that is done survives the end of this process, however it ends. One with `fua` survives the
 * end of the host too, and so does everything that was done before a FLUSH was submitted once that is done, unless the drive is
 * cache=unsafe. Offsets and lengths are multiples of BLOCK_SECTOR and inside `size`: the caller has checked that.
 */
#ifndef DEVICES_BLOCK_BLOCK_H
#define DEVICES_BLOCK_BLOCK_H

#include <devices/block/aio.h>

#define BLOCK_SECTOR 512u

enum block_format { BLOCK_FORMAT_PROBE, BLOCK_FORMAT_RAW, BLOCK_FORMAT_QCOW2 };

enum block_cache {
    BLOCK_CACHE_WRITEBACK,    /* the host's page cache; flush is fdatasync */
    BLOCK_CACHE_NONE,         /* O_DIRECT */
    BLOCK_CACHE_WRITETHROUGH, /* the page cache, each write followed to the disk */
    BLOCK_CACHE_DIRECTSYNC,   /* O_DIRECT, likewise */
    BLOCK_CACHE_UNSAFE,       /* the page cache; flushes are not passed on */
};

struct block_options {
    const char *file;
    enum block_format format;
    enum block_cache cache;
    enum aio_engine aio;
    bool read_only;
    bool snapshot; /* writes go to a temporary file and are forgotten at the end */
    bool discard;  /* give discarded blocks back to the host */
};

enum block_kind { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO };

struct block_request {
    enum block_kind kind;
    bool fua;
    bool unmap;              /* ZERO: the blocks may be given back to the host */
    uint64_t off, len;       /* bytes; none for FLUSH */
    const struct iovec *iov; /* READ, WRITE: len bytes */
    unsigned n_iov;
    void (*done)(struct block_request *r, int err); /* 0 or -errno */

    struct { /* the backend's own while submitted */
        struct aio_op op;
        struct block *block;
        uint64_t progress;  /* bytes done, or under way where a request has several pieces */
        struct iovec *tail; /* what is left of iov, when some of it is done */
        struct iovec one;   /* the step under way goes through `bounce` */
        void *bounce;
        bool syncing;       /* all is done but the flush for fua */
        bool explicit_zero; /* ZERO by writing zeroes */
        bool to_flush;      /* the next piece is a flush */
        bool waiting;       /* in a line of requests */
        unsigned pieces;    /* under way */
        int err;            /* of the first piece that failed */
        struct block_request *next;
    } own;
};

struct block;

/* Guest RAM, where other processes may map it: size bytes at base are the beginning of fd. */
struct block_memory {
    void *base;
    uint64_t size;
    int fd;
};

struct block_class {
    void (*start)(struct block *b, struct aio *aio, const struct block_memory *ram);
    void (*stop)(struct block *b); /* may be NULL */
    void (*submit)(struct block *b, struct block_request *r);
    void (*close)(struct block *b); /* frees b */
};

struct block {
    const struct block_class *class;
    uint64_t size; /* bytes, a multiple of BLOCK_SECTOR */
    bool read_only;
    bool remote; /* another process does the work, and may need the processor that waiting for it would take */
};

/* NULL after a message that names the file. *o and its strings are not kept. */
struct block *block_open(const struct block_options *o);
void block_close(struct block *b); /* NULL is fine */

/* ram: where most of what is read and written will lie, not kept; NULL: nothing is known about that. */
static inline void block_start(struct block *b, struct aio *aio, const struct block_memory *ram)
{
    b->class->start(b, aio, ram);
}

static inline void block_stop(struct block *b)
{
    if (b->class->stop)
        b->class->stop(b);
}

static inline void block_submit(struct block *b, struct block_request *r)
{
    b->class->submit(b, r);
}

/* --- the kinds; block_open() chooses ------------------------------------------------------------------------------------ */

/* A file or block device. Takes fd; name is for messages. guard: its first sector must not become the header of another format (the format
 * was not given). */
struct block *raw_create(int fd, const char *name, uint64_t size, const struct block_options *o, bool guard);

/* An image in a format of QEMU's, served by a qemu-storage-daemon child process. Takes fd, which is open on the image. NULL after a
 * message. */
struct block *storage_create(int fd, const char *format, const struct block_options *o);

/* Writes go to an unlinked temporary file. Takes base, which need not be writable, also when it fails (NULL after a message). */
struct block *overlay_create(struct block *base, const char *name);

/* Keep others from writing fd's file (read-only) or from using it at all, with the locks that QEMU takes. 0, -EBUSY (somebody has it), or
 * another -errno. */
int block_lock(int fd, bool writer);

#endif
