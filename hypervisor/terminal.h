/*
 * terminal.h: the user's terminal: raw mode while the guest owns it, the way back on every way out, and the Ctrl-A keys.
 *
 * There is one terminal for the process, so this is the one place with process-wide state.
 */
#ifndef HYPERVISOR_TERMINAL_H
#define HYPERVISOR_TERMINAL_H

#include <armlet/base.h>

/* Prepare for standard input; keep_signals: Ctrl-C and Ctrl-Z still make signals. Raw mode itself is entered by terminal_enter(). */
void terminal_setup(bool keep_signals);

/* Enter raw mode if standard input is a terminal and armlet is in its foreground; remembers what to restore. Again after the
 * process was stopped and continued. */
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
    ESCAPE_STAMPS,  /* switch time stamps on or off */
};

struct escape {
    bool pending; /* the last byte was Ctrl-A */
};

enum escape_action escape_feed(struct escape *e, unsigned char c);
extern const char escape_help_text[];

#endif
