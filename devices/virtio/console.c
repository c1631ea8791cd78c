/*
 * console.c: virtio console with ports (virtio 1.2, section 5.3); see console.h.
 *
 * One thread serves the whole device between start and stop; notify() only wakes it. It never blocks but in poll(): a request that cannot
 * go on now (no data for the guest, no room for the guest's data) is kept until its descriptor is ready. What the device has to say on the
 * control queue is kept as a set of flags for each port, so that a driver that asks again and again costs no memory.
 */
#include <devices/virtio/console.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <pthread.h>
#include <unistd.h>

#define F_MULTIPORT 1

#define CONTROL_RX 2u /* queue to the driver */
#define CONTROL_TX 3u /* queue from the driver */

enum control_event { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME };

struct control {
    uint32_t id;
    uint16_t event, value;
};

struct config {
    uint16_t cols, rows;
    uint32_t max_nr_ports, emerg_wr;
};

struct port {
    struct virtio_console_port host;
    bool host_open;  /* in_fd has not come to its end */
    bool out_broken; /* nobody reads what the guest writes */
    bool guest_open;
    uint32_t say;          /* bit n: control event n is to be sent */
    bool have_rx, have_tx; /* a request that waits for its descriptor */
    size_t tx_done;        /* bytes of it that have been written */
    struct virtio_chain rx, tx;
};

struct virtio_console {
    struct virtio *v;
    unsigned n_ports;
    struct port *port;
    bool multiport; /* negotiated */
    int wake_fd;    /* eventfd */
    atomic_bool quit;
    pthread_t thread;
    struct virtio_chain chain; /* for the control queues */
};

/* Queue of a port towards the guest; the one from the guest is the next. */
static unsigned port_queue(unsigned port)
{
    return port == 0 ? 0 : 2 * port + 2;
}

/* --- control queues ---------------------------------------------------------------------------------------------------------------- */

static void handle_control(struct virtio_console *c, const struct control *m)
{
    if (m->event == DEVICE_READY) {
        for (unsigned i = 0; i < c->n_ports && m->value; i++)
            c->port[i].say |= 1u << DEVICE_ADD;
        return;
    }
    if (m->id >= c->n_ports)
        return;
    struct port *p = &c->port[m->id];
    if (m->event == PORT_READY && m->value)
        p->say |= (p->host.name ? 1u << PORT_NAME : 1u << CONSOLE_PORT) | 1u << PORT_OPEN;
    else if (m->event == PORT_OPEN)
        p->guest_open = m->value != 0;
}

static bool take_control(struct virtio_console *c)
{
    struct virtqueue *q = virtio_queue(c->v, CONTROL_TX);
    bool any = false;
    while (q && virtqueue_pop(q, &c->chain) > 0) {
        struct control m;
        if (virtio_iov_read(c->chain.out, c->chain.n_out, 0, &m, sizeof(m)) == sizeof(m))
            handle_control(c, &m);
        virtqueue_push(q, &c->chain, 0);
        any = true;
    }
    if (any)
        virtqueue_signal(q);
    return any;
}

/* One message in the driver's next buffer. false: there is none. */
static bool send_control(struct virtio_console *c, struct virtqueue *q, unsigned id, enum control_event event)
{
    const struct port *p = &c->port[id];
    struct control m = {id, (uint16_t)event, event == PORT_OPEN ? p->host_open : 1};
    if (virtqueue_pop(q, &c->chain) <= 0)
        return false;
    struct iovec *in = virtio_chain_in(&c->chain);
    size_t n = virtio_iov_write(in, c->chain.n_in, 0, &m, sizeof(m));
    if (event == PORT_NAME)
        n += virtio_iov_write(in, c->chain.n_in, n, p->host.name, strlen(p->host.name));
    virtqueue_push(q, &c->chain, (uint32_t)n);
    return true;
}

static bool give_control(struct virtio_console *c)
{
    static const enum control_event order[] = {DEVICE_ADD, CONSOLE_PORT, PORT_NAME, PORT_OPEN};
    struct virtqueue *q = virtio_queue(c->v, CONTROL_RX);
    bool any = false;
    for (unsigned i = 0; q && i < c->n_ports; i++) {
        for (unsigned j = 0; j < ARRAY_LEN(order); j++) {
            if (!(c->port[i].say >> order[j] & 1))
                continue;
            if (!send_control(c, q, i, order[j]))
                goto out;
            c->port[i].say &= ~(1u << order[j]);
            any = true;
        }
    }
out:
    if (any)
        virtqueue_signal(q);
    return any;
}

/* --- ports ------------------------------------------------------------------------------------------------------------------------- */

static bool from_guest(struct virtio_console *c, unsigned id)
{
    struct port *p = &c->port[id];
    struct virtqueue *q = virtio_queue(c->v, port_queue(id) + 1);
    bool any = false;
    while (q) {
        if (!p->have_tx) {
            if (virtqueue_pop(q, &p->tx) <= 0)
                break;
            p->have_tx = true;
            p->tx_done = 0;
        }
        while (p->tx_done < p->tx.out_len && p->host.out_fd >= 0 && !p->out_broken) {
            /* the iovec in which the rest begins; what follows goes with the next call */
            size_t off = p->tx_done;
            unsigned i = 0;
            while (off >= p->tx.out[i].iov_len)
                off -= p->tx.out[i++].iov_len;
            ssize_t n = write(p->host.out_fd, (const uint8_t *)p->tx.out[i].iov_base + off, p->tx.out[i].iov_len - off);
            if (n > 0)
                p->tx_done += (size_t)n;
            else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                goto out;
            else if (n < 0 && errno != EINTR)
                p->out_broken = true;
        }
        virtqueue_push(q, &p->tx, 0);
        p->have_tx = false;
        any = true;
    }
out:
    if (any)
        virtqueue_signal(q);
    return any;
}

static bool to_guest(struct virtio_console *c, unsigned id)
{
    struct port *p = &c->port[id];
    struct virtqueue *q = virtio_queue(c->v, port_queue(id));
    bool any = false;
    while (q && p->guest_open && p->host_open && p->host.in_fd >= 0) {
        if (!p->have_rx) {
            if (virtqueue_pop(q, &p->rx) <= 0)
                break;
            p->have_rx = true;
        }
        ssize_t n = p->rx.n_in ? read(p->host.in_fd, virtio_chain_in(&p->rx)->iov_base, virtio_chain_in(&p->rx)->iov_len) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0 && p->rx.n_in) { /* its end, or an error that nothing follows */
            p->host_open = false;
            p->say |= 1u << PORT_OPEN;
            any = true;
            break;
        }
        virtqueue_push(q, &p->rx, (uint32_t)n);
        p->have_rx = false;
        any = true;
    }
    if (any)
        virtqueue_signal(q);
    return any;
}

/* --- the thread -------------------------------------------------------------------------------------------------------------------- */

static void wait_for_work(struct virtio_console *c)
{
    struct pollfd fd[1 + 2 * VIRTIO_CONSOLE_MAX_PORTS];
    unsigned n = 0;
    uint64_t count;
    fd[n++] = (struct pollfd){.fd = c->wake_fd, .events = POLLIN};
    for (unsigned i = 0; i < c->n_ports; i++) {
        const struct port *p = &c->port[i];
        if (p->have_rx && p->guest_open && p->host_open)
            fd[n++] = (struct pollfd){.fd = p->host.in_fd, .events = POLLIN};
        if (p->have_tx)
            fd[n++] = (struct pollfd){.fd = p->host.out_fd, .events = POLLOUT};
    }
    if (poll(fd, n, -1) > 0 && fd[0].revents && read(c->wake_fd, &count, sizeof(count)) < 0) {
        /* woken for nothing: the queues tell */
    }
}

static void *console_main(void *arg)
{
    struct virtio_console *c = arg;
    prctl(PR_SET_NAME, "armlet-console");
    while (!atomic_load(&c->quit)) {
        bool any = false;
        if (c->multiport) {
            any |= take_control(c);
            any |= give_control(c);
        }
        for (unsigned i = 0; i < (c->multiport ? c->n_ports : 1); i++) {
            any |= from_guest(c, i);
            any |= to_guest(c, i);
        }
        if (!any)
            wait_for_work(c);
    }
    return NULL;
}

static void wake(struct virtio_console *c)
{
    uint64_t one = 1;
    if (write(c->wake_fd, &one, sizeof(one)) < 0) {
        /* a counter that is full wakes just as well */
    }
}

/* --- the device -------------------------------------------------------------------------------------------------------------------- */

static void console_attach(void *dev, struct virtio *v)
{
    struct virtio_console *c = dev;
    c->v = v;
}

static uint64_t console_features(void *dev UNUSED)
{
    return 1u << F_MULTIPORT;
}

static void console_config_read(void *dev, uint32_t off, void *buf, uint32_t len)
{
    const struct virtio_console *c = dev;
    struct config config = {.max_nr_ports = c->n_ports};
    memcpy(buf, (const uint8_t *)&config + off, len);
}

static int console_start(void *dev, uint64_t features)
{
    struct virtio_console *c = dev;
    c->multiport = features >> F_MULTIPORT & 1;
    for (unsigned i = 0; i < c->n_ports; i++) {
        struct port *p = &c->port[i];
        p->say = 0;
        p->have_rx = p->have_tx = false;
        p->guest_open = !c->multiport; /* without control queues a port is open as long as the driver is there */
    }
    atomic_store(&c->quit, false);
    int err = pthread_create(&c->thread, NULL, console_main, c);
    if (err)
        error_report("no thread for the console device: %s", strerror(err));
    return err ? -1 : 0;
}

static void console_notify(void *dev, unsigned queue UNUSED)
{
    wake(dev);
}

static void console_stop(void *dev)
{
    struct virtio_console *c = dev;
    atomic_store(&c->quit, true);
    wake(c);
    pthread_join(c->thread, NULL);
}

static void console_destroy(void *dev)
{
    struct virtio_console *c = dev;
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    free(c->port);
    free(c);
}

const struct virtio_class virtio_console_class = {
    .name = "virtio-serial-device",
    .device_id = 3,
    .n_queues = 2 + 2 * VIRTIO_CONSOLE_MAX_PORTS,
    .queue_size = 128,
    .config_size = sizeof(struct config),
    .features = console_features,
    .attach = console_attach,
    .config_read = console_config_read,
    .start = console_start,
    .notify = console_notify,
    .stop = console_stop,
    .destroy = console_destroy,
};

struct virtio_console *virtio_console_create(const struct virtio_console_port *ports, unsigned n)
{
    struct virtio_console *c = calloc(1, sizeof(*c));
    if (c) {
        c->wake_fd = -1;
        c->port = calloc(n, sizeof(*c->port));
    }
    if (!c || !c->port) {
        error_report("there is no memory for the console device");
        goto fail;
    }
    c->n_ports = n;
    for (unsigned i = 0; i < n; i++) {
        c->port[i].host = ports[i];
        c->port[i].host_open = true;
    }
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0) {
        error_report("no event descriptor for the console device: %s", strerror(errno));
        goto fail;
    }
    return c;
fail:
    if (c)
        console_destroy(c);
    return NULL;
}
