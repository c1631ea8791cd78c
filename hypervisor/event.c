/*
 * event.c: see event.h.
 */
#include <hypervisor/event.h>
#include <poll.h>

bool event_add(struct event_loop *l, struct event_source s)
{
    if (l->n == EVENT_MAX)
        return false;
    l->src[l->n++] = s;
    return true;
}

void event_remove(struct event_loop *l, void *arg)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < l->n; i++) {
        if (l->src[i].arg != arg)
            l->src[kept++] = l->src[i];
    }
    l->n = kept;
}

void event_run_once(struct event_loop *l, int timeout_ms)
{
    struct pollfd p[EVENT_MAX];
    struct event_source src[EVENT_MAX]; /* a handler may change the list */
    unsigned n = l->n;
    for (unsigned i = 0; i < n; i++) {
        src[i] = l->src[i];
        short want = src[i].events(src[i].arg);
        /* poll() reports hang-ups even when nothing is wanted; a source that wants nothing must not spin on them */
        p[i] = (struct pollfd){.fd = want ? src[i].fd(src[i].arg) : -1, .events = want};
    }
    if (poll(p, n, timeout_ms) <= 0)
        return;
    for (unsigned i = 0; i < n; i++) {
        if (p[i].revents)
            src[i].ready(src[i].arg, p[i].revents);
    }
}
