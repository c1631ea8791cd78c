/*
 * aio_engine.h: what carries out operations that may sleep: the private side of aio.h.
 */
#ifndef DEVICES_BLOCK_AIO_ENGINE_H
#define DEVICES_BLOCK_AIO_ENGINE_H

#include <devices/block/aio.h>

struct aio_engine_class {
    const char *name;
    void *(*create)(struct aio *a); /* NULL: not possible here */
    void (*destroy)(void *engine);
    void (*submit)(void *engine, struct aio_op *op);
    bool (*flush)(void *engine);          /* hand over what was submitted; false: some of it could not be, try again soon */
    struct aio_op *(*reap)(void *engine); /* an operation that has ended, its result filled in; NULL: none */
    int (*fd)(void *engine);              /* readable when reap() has something; -1: the engine calls aio_wake() */
};

extern const struct aio_engine_class aio_threads;
#ifdef ARMLET_URING
extern const struct aio_engine_class aio_uring;
#endif

#endif
