/*
 * agent.h: parts of the agent of `armlet run`, /init of its guest; see include/armlet/run.h.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include <armlet/run.h>
#include <stdbool.h>
#include <stddef.h>

#define MAX_SHARES  8
#define MAX_STRINGS 4096 /* arguments, and variables of the environment */

/* What the host wants; strings point into the configuration, which is never freed. */
struct config {
    const char *root;
    struct {
        const char *tag, *path;
    } share[MAX_SHARES];
    unsigned n_shares;
    bool network, tty;
    unsigned rows, cols;
    const char *cwd;
    char *env[MAX_STRINGS + 1], *arg[MAX_STRINGS + 1];
};

/* Does not return when there is no usable configuration. Loads kernel modules as it goes. */
void config_read(struct config *c);

/* Kernel file systems in the initramfs; before anything else. */
void system_start(void);
/* Root and shares, as configured; afterwards the root is /. Does not return when it cannot be done. */
void system_mount(const struct config *c);
void system_network(void);
/* Disks and shares hold what was written to them, and nothing is written any more. */
void system_settle(const struct config *c);

/* Open the port of that name, waiting until it is there and connected. A non-blocking descriptor, close on exec. */
int port_open(const char *name);

/* Run the configured command between the ports; sends RUN_EXIT last. */
void command_run(const struct config *c);

/* "armlet: ..." on the kernel's console, and, once it is known by die_on_port(), on the port. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* complain() and end the guest. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void power_off(void) __attribute__((noreturn));

#endif
