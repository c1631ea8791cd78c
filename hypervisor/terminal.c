/*
 * terminal.c: see terminal.h.
 */
#include <hypervisor/terminal.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define CTRL_A 0x01

/* The process has one terminal, and signal handlers and atexit() must find what to restore without an argument. */
static struct {
    struct termios saved; /* as found, once have_saved */
    atomic_bool raw;
    unsigned keep_modes; /* TERMINAL_KEEP_* */
    bool wanted, have_saved, registered;
} terminal;

static bool in_foreground(void)
{
    pid_t owner = tcgetpgrp(STDIN_FILENO);
    return owner < 0 || owner == getpgrp();
}

void terminal_setup(unsigned keep)
{
    terminal.keep_modes = keep;
    terminal.wanted = true;
    if (!terminal.registered && atexit(terminal_restore) == 0)
        terminal.registered = true;
    /* from the background, tcsetattr() would stop the process at its end */
    signal(SIGTTOU, SIG_IGN);
}

void terminal_enter(void)
{
    struct termios t;
    if (!terminal.wanted || !isatty(STDIN_FILENO) || !in_foreground() || tcgetattr(STDIN_FILENO, &t) < 0)
        return;
    if (!terminal.have_saved) /* later the shell may hand us our own raw mode back */
        terminal.saved = t;
    terminal.have_saved = true;
    t = terminal.saved;
    t.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    if (terminal.keep_modes & TERMINAL_KEEP_OUTPUT)
        t.c_oflag |= OPOST; /* messages of the process itself end in a plain newline */
    else
        t.c_oflag &= ~(tcflag_t)OPOST;
    t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!(terminal.keep_modes & TERMINAL_KEEP_SIGNALS))
        t.c_lflag &= ~(tcflag_t)ISIG;
    t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    t.c_cflag |= CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    atomic_store(&terminal.raw, true); /* before the change: a signal in between restores at most what is still there */
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) < 0)
        atomic_store(&terminal.raw, false);
}

void terminal_restore(void)
{
    if (atomic_exchange(&terminal.raw, false))
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.saved);
}

bool terminal_may_read(void) { return !isatty(STDIN_FILENO) || in_foreground(); }

const char escape_help_text[] = "\r\n"
                                "C-a h    print this help\r\n"
                                "C-a x    exit armlet\r\n"
                                "C-a b    send break\r\n"
                                "C-a p    press the power button\r\n"
                                "C-a t    toggle console timestamps\r\n"
                                "C-a C-a  sends C-a\r\n";

enum escape_action escape_feed(struct escape *e, unsigned char c)
{
    if (!e->pending) {
        e->pending = c == CTRL_A;
        return e->pending ? ESCAPE_NONE : ESCAPE_PASS;
    }
    e->pending = false;
    switch (c) {
    case CTRL_A:
        return ESCAPE_PASS;
    case 'h': case '?':
        return ESCAPE_HELP;
    case 'x':
        return ESCAPE_QUIT;
    case 'b':
        return ESCAPE_BREAK;
    case 'p':
        return ESCAPE_POWER;
    case 't':
        return ESCAPE_STAMPS;
    default:
        return ESCAPE_NONE;
    }
}
