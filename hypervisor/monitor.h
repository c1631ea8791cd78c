/*
 * monitor.h: -monitor unix:PATH: a socket on which a script or a person controls the machine, one command a line.
 *
 * Commands are spelled as in QEMU's monitor: system_powerdown (press the power button), system_reset, balloon MIB, info balloon, quit, help. Each is answered with one
 * line, "ok" or a sentence what was wrong. One client at a time; the next one can connect when it has gone. Everything runs on the main
 * thread.
 */
#ifndef HYPERVISOR_MONITOR_H
#define HYPERVISOR_MONITOR_H

struct monitor;
struct vm;

/* Listen on the options' socket and join the event loop. NULL after a message. */
struct monitor *monitor_create(struct vm *vm, const char *path);
void monitor_destroy(struct monitor *m);

#endif
