/*
 * dir.h: reading a directory piece by piece, with positions that a 32-bit guest can use.
 *
 * The host's positions (d_off) are 64-bit hashes on some file systems, which a guest's 32-bit telldir() and readdir() cannot take. The
 * guest sees the number of the entry instead. Going on where the last read ended, the usual case, needs no look-up; for seeking there is a
 * table of host positions, of every entry while the directory is small, of every 2nd, 4th, ... entry when it is larger, so that memory
 * stays bounded.
 */
#ifndef DEVICES_9P_DIR_H
#define DEVICES_9P_DIR_H

#include <armlet/base.h>
#include <pthread.h>

struct p9_dir;

struct p9_dirent {
    const char *name; /* valid until the next call */
    uint64_t ino;
    uint64_t next; /* position behind it */
    uint8_t type;  /* DT_* */
};

struct p9_dir *p9_dir_new(void); /* NULL: no memory */
void p9_dir_free(struct p9_dir *d);

/*
 * Begin a read at a position; position 0 also sees entries made since. fd: the directory's, used by nobody else. 0 or -errno. p9_dir_end()
 * in any case; between the two the directory is locked and the other functions may be called.
 */
int p9_dir_start(struct p9_dir *d, int fd, uint64_t position);
void p9_dir_end(struct p9_dir *d);
/* 1: *e is the entry at the position, which moves on. 0: the end. Or -errno. */
int p9_dir_next(struct p9_dir *d, int fd, struct p9_dirent *e);
/* The entry returned last did not fit: it comes again. */
void p9_dir_back(struct p9_dir *d);

#endif
