/*
 * protocol.c: marshalling of 9P2000.L messages, checked against the bounds of both sides.
 */
#include <devices/9p/protocol.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

uint64_t p9_get(struct p9_reader *r, unsigned bytes)
{
    uint64_t v = 0;
    if (r->bad || (size_t)(r->end - r->p) < bytes) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->p, bytes);
    r->p += bytes;
    return le64toh(v);
}

const char *p9_get_string(struct p9_reader *r, uint16_t *len)
{
    uint16_t n = (uint16_t)p9_get(r, 2);
    *len = 0;
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return NULL;
    }
    char *s = (char *)r->p - 1;
    memmove(s, r->p, n);
    s[n] = 0;
    r->p += n;
    *len = n;
    return s;
}

int p9_check_name(const char *name, size_t len)
{
    if (len == 0)
        return -ENOENT;
    if (memchr(name, '/', len) || memchr(name, 0, len) || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
        return -EINVAL;
    return len > P9_NAME_MAX ? -ENAMETOOLONG : 0;
}

int p9_decode(struct p9_reader *r, const char *layout, struct p9_arg arg[P9_ARGS_MAX])
{
    int error = 0;
    for (unsigned i = 0; layout[i]; i++) {
        uint16_t len;
        switch (layout[i]) {
        case 'b':
            arg[i].u = p9_get(r, 1);
            break;
        case 'w':
            arg[i].u = p9_get(r, 2);
            break;
        case 'f':
        case 'd':
            arg[i].u = p9_get(r, 4);
            break;
        case 'q':
            arg[i].u = p9_get(r, 8);
            break;
        default:
            arg[i].s = p9_get_string(r, &len);
            arg[i].u = len;
            if (r->bad)
                break;
            if (layout[i] == 'n' && !error)
                error = p9_check_name(arg[i].s, len);
            if (layout[i] == 's' && memchr(arg[i].s, 0, len) && !error)
                error = -EINVAL;
        }
    }
    return r->bad ? -EINVAL : error;
}

void p9_put_bytes(struct p9_writer *w, const void *data, size_t len)
{
    if (w->full || (size_t)(w->end - w->p) < len) {
        w->full = true;
        return;
    }
    memcpy(w->p, data, len);
    w->p += len;
}

void p9_put(struct p9_writer *w, unsigned bytes, uint64_t value)
{
    value = htole64(value);
    p9_put_bytes(w, &value, bytes);
}

void p9_put_string(struct p9_writer *w, const char *s, size_t len)
{
    if (len > UINT16_MAX) {
        w->full = true;
        return;
    }
    p9_put(w, 2, len);
    p9_put_bytes(w, s, len);
}

void p9_put_qid(struct p9_writer *w, const struct p9_qid *q)
{
    p9_put(w, 1, q->type);
    p9_put(w, 4, q->version);
    p9_put(w, 8, q->path);
}
