/*
 * serial.h: where a serial port's bytes go to and come from: terminal, file, socket, nowhere.
 *
 * Output passes through a ring that a writer thread empties with blocking writes, so that the guest goes on while a terminal is slow; a port that sees
 * the ring nearly full holds its transmitter back. Input is read on the main thread into a ring, from which the port pulls.
 *
 * Lock order: a port's lock, then the backend's. Notifications are called with no backend lock held.
 */
#ifndef DEVICES_SERIAL_H
#define DEVICES_SERIAL_H

#include <armlet/base.h>

struct serial;
struct options;
struct event_loop;

/* What the backend tells the world; any thread. */
struct serial_host {
    void *ctx;
    void (*quit)(void *ctx, int code); /* the user wants out (0), or the output cannot be written (1, already reported) */
    void (*power_button)(void *ctx);   /* the user presses it; may be NULL */
};

/* What the backend tells the port; any thread. */
struct serial_port {
    void *ctx;
    void (*input)(void *ctx);  /* bytes have arrived: pull them */
    void (*room)(void *ctx);   /* the output ring has room again after serial_tx_busy() said no */
    void (*line_break)(void *ctx);
};

/* Open the backend the options name. NULL after a message. For a listening socket without nowait: waits for the first client. */
struct serial *serial_create(const struct options *o, struct serial_host host);

/* Join the event loop; the port is told of events from now on. */
bool serial_start(struct serial *s, struct event_loop *loop, struct serial_port port);

/* The port's side. serial_tx keeps the byte; while the ring is full it waits for room (for ever only if nobody ends the machine). */
void serial_tx(struct serial *s, uint8_t byte);
/* Should the port hold back? If so, room() is called when that is over. */
bool serial_tx_busy(struct serial *s);
/* Take up to n received bytes. */
size_t serial_pull(struct serial *s, uint8_t *buf, size_t n);

/* Wait until all output has been written: true; false after timeout_ms. */
bool serial_drain(struct serial *s, int timeout_ms);
/* serial_tx() must not wait any more: the machine is being stopped. `ending` false makes it normal again. */
void serial_end(struct serial *s, bool ending);

/* Ends the writer thread (output not yet written is lost) and closes. */
void serial_destroy(struct serial *s);

#endif
