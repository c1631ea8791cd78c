/*
 * terminal.h: the user's terminal: raw mode while the guest owns it, the way back on every way out, and the Ctrl-A keys.
 *
 * There is one terminal for the process, so this is the one place with process-wide state.
 */
#ifndef HYPERVISOR_TERMINAL_H
#define HYPERVISOR_TERMINAL_H

#include <armlet/base.h>

#define TERMINAL_KEEP_SIGNALS 1u /* Ctrl-C and Ctrl-Z still make signals */
#define TERMINAL_KEEP_OUTPUT  2u /* a newline still returns the carriage */

/* The guest uses standard input; what is kept of the terminal's own work in raw mode. Raw mode itself is entered by terminal_enter(). */
void terminal_setup(unsigned keep);

/* Enter raw mode if terminal_setup() was called, standard input is a terminal and armlet is in its foreground; remembers what to restore.
 * Again after the process was stopped and continued. */
void terminal_enter(void);

/* Put the terminal back as it was found. Async-signal-safe; does nothing when it is not raw. */
void terminal_restore(void);

/* May standard input be read now? Reading a terminal from the background would stop the process. */
bool terminal_may_read(void);

/* --- Ctrl-A keys, as QEMU's -nographic has them --- */

enum escape_action {
    ESCAPE_NONE,    /* the byte was swallowed */
    ESCAPE_PASS,    /* the byte goes to the guest */
    ESCAPE_HELP,
    ESCAPE_QUIT,
    ESCAPE_BREAK,   /* send a break on the line */
    ESCAPE_POWER,   /* press the power button */
    ESCAPE_STAMPS,  /* switch time stamps on or off */
};

struct escape {
    bool pending; /* the last byte was Ctrl-A */
};

enum escape_action escape_feed(struct escape *e, unsigned char c);
extern const char escape_help_text[];

#endif
