/*
 * dir.c: getdents64() and the table of positions.
 */
#include <devices/9p/dir.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER    16384u /* bytes of entries taken from the host at a time */
#define MARKS_MIN 64u
#define MARKS_MAX 4096u /* positions remembered */

struct p9_dir {
    pthread_mutex_t lock;
    char *buf;            /* BUFFER bytes */
    size_t at, end, last; /* in buf: next entry, end, entry returned last */
    uint64_t position;    /* number of the entry at `at` */
    int64_t *mark;        /* mark[i]: host position of entry i * spacing */
    uint32_t n_marks;
    uint64_t spacing;
};

struct p9_dir *p9_dir_new(void)
{
    struct p9_dir *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    pthread_mutex_init(&d->lock, NULL);
    d->spacing = 1;
    d->n_marks = 1; /* entry 0 is at host position 0 */
    return d;
}

void p9_dir_free(struct p9_dir *d)
{
    pthread_mutex_destroy(&d->lock);
    free(d->buf);
    free(d->mark);
    free(d);
}

/* The table grows with the directory: a power of two of entries. */
static bool room_for_mark(struct p9_dir *d)
{
    if (d->mark && (d->n_marks < MARKS_MIN || (d->n_marks & (d->n_marks - 1))))
        return true;
    uint32_t n = d->mark ? d->n_marks * 2 : MARKS_MIN;
    int64_t *mark = realloc(d->mark, n * sizeof(*mark));
    if (!mark)
        return false;
    if (!d->mark)
        mark[0] = 0;
    d->mark = mark;
    return true;
}

static void remember(struct p9_dir *d, uint64_t position, int64_t host)
{
    if (position != d->n_marks * d->spacing) /* known, or between two marks */
        return;
    if (d->n_marks == MARKS_MAX) {
        for (uint32_t i = 0; i < MARKS_MAX / 2; i++)
            d->mark[i] = d->mark[2 * i];
        d->n_marks /= 2;
        d->spacing *= 2;
        remember(d, position, host);
        return;
    }
    if (room_for_mark(d))
        d->mark[d->n_marks++] = host;
}

int p9_dir_next(struct p9_dir *d, int fd, struct p9_dirent *e)
{
    if (!d->buf && !(d->buf = malloc(BUFFER)))
        return -ENOMEM;
    if (d->at == d->end) {
        ssize_t n = getdents64(fd, d->buf, BUFFER);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        d->at = 0;
        d->end = (size_t)n;
    }
    const struct dirent64 *de = (const struct dirent64 *)(d->buf + d->at);
    d->last = d->at;
    d->at += de->d_reclen;
    *e = (struct p9_dirent){de->d_name, de->d_ino, ++d->position, de->d_type};
    remember(d, d->position, de->d_off);
    return 1;
}

void p9_dir_back(struct p9_dir *d)
{
    d->at = d->last;
    d->position--;
}

int p9_dir_start(struct p9_dir *d, int fd, uint64_t position)
{
    pthread_mutex_lock(&d->lock);
    if (position == d->position && position)
        return 0;
    uint64_t mark = position / d->spacing;
    if (mark >= d->n_marks)
        mark = d->n_marks - 1;
    if (lseek(fd, mark ? d->mark[mark] : 0, SEEK_SET) < 0)
        return -errno;
    d->at = d->end = 0;
    d->position = mark * d->spacing;
    if (!position) { /* rewinddir(): what is behind may be another directory by now */
        d->n_marks = 1;
        d->spacing = 1;
    }
    struct p9_dirent e;
    int more = 1;
    while (d->position < position && (more = p9_dir_next(d, fd, &e)) > 0)
        ;
    return more < 0 ? more : 0;
}

void p9_dir_end(struct p9_dir *d)
{
    pthread_mutex_unlock(&d->lock);
}
