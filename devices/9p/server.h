/*
 * server.h: a 9P2000.L server for one folder of the host: request in, reply out. It knows nothing of virtio; devices/virtio/9p.c carries
 * its messages.
 *
 * Any number of calls may run at once, each on its own struct p9_call. What is said about confinement stands in tree.h.
 *
 * 9P and not virtiofs: a vhost-user daemon maps the guest's memory itself, and the memory that the KVM accelerator gives the guest is
 * private to the process.
 */
#ifndef DEVICES_9P_SERVER_H
#define DEVICES_9P_SERVER_H

#include <devices/9p/protocol.h>
#include <devices/9p/security.h>
#include <sys/uio.h>

#define P9_HEAD_MAX  16384u /* bytes of a message that are not data: longer ones have names that are too long */
#define P9_REPLY_MAX 65536u /* bytes of a reply, data of Rread not counted */
#define P9_IOV_MAX   1024u  /* buffers on either side of a request */

struct p9_server;
struct p9_fid;
struct p9_message;

struct p9_config {
    const char *path;
    enum p9_model model;
    bool readonly;
};

/* One request while it is served. Big: allocate it once for each thread. The first part is for the caller to read after p9_call_begin(). */
struct p9_call {
    uint8_t type;
    uint16_t tag;
    uint16_t old_tag; /* of Tflush */

    struct p9_server *server;
    const struct p9_message *message; /* its row in the table; NULL: unknown type */
    int error;                        /* found while decoding */
    struct p9_arg arg[P9_ARGS_MAX];
    struct p9_fid *fid[2];                /* those the message names, in order */
    struct p9_reader in;                  /* what follows the decoded fields */
    struct p9_writer out;                 /* body of the reply */
    const struct iovec *request, *answer; /* the caller's buffers */
    unsigned n_request, n_answer;
    uint64_t request_len, answer_len; /* bytes: of the message, and of room for the reply */
    uint32_t stored;                  /* bytes a handler has put into `answer` itself, behind P9_IO_HEADER */
    struct iovec iov[P9_IOV_MAX];
    uint8_t head[P9_HEAD_MAX];
    uint8_t reply[P9_REPLY_MAX];
};

/* NULL after a message. */
struct p9_server *p9_server_create(const struct p9_config *config);
void p9_server_destroy(struct p9_server *s);
/* The guest has forgotten all fids. No call runs. */
void p9_server_reset(struct p9_server *s);

/*
 * Take in a request, which is copied once, except the data of Twrite. Buffers are in guest memory and stay valid until p9_call_run()
 * returns. 0; -1: too short to be answered at all.
 */
int p9_call_begin(struct p9_call *c, struct p9_server *s, const struct iovec *request, unsigned n_request, uint64_t request_len,
                  const struct iovec *answer, unsigned n_answer, uint64_t answer_len);
/* Serve it. Bytes stored in the answer's buffers. For Tflush: answers at once; the caller waits for the old request first. */
uint32_t p9_call_run(struct p9_call *c);

#endif
