/*
 * event.h: the main thread's event loop: file descriptors and what to do when they are ready.
 *
 * Everything here runs on the main thread; other threads reach it through eventfds.
 */
#ifndef HYPERVISOR_EVENT_H
#define HYPERVISOR_EVENT_H

#include <armlet/base.h>

#define EVENT_MAX 64

struct event_source {
    int (*fd)(void *arg);       /* descriptor to watch now, or -1 for none */
    short (*events)(void *arg); /* poll(2) events wanted now; 0: only errors */
    void (*ready)(void *arg, short revents);
    void *arg;
};

struct event_loop {
    unsigned n;
    struct event_source src[EVENT_MAX];
};

/* false when the loop is full */
bool event_add(struct event_loop *l, struct event_source s);
void event_remove(struct event_loop *l, void *arg);

/* Wait for events and serve them once; at most timeout_ms (-1: for ever). */
void event_run_once(struct event_loop *l, int timeout_ms);

#endif
