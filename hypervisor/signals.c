/*
 * signals.c: see signals.h.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <hypervisor/run/run.h>
#include <hypervisor/signals.h>
#include <hypervisor/stats.h>
#include <hypervisor/terminal.h>
#include <hypervisor/vm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t taken(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGHUP);
    sigaddset(&s, SIGQUIT);
    sigaddset(&s, SIGTSTP);
    sigaddset(&s, SIGCONT);
    sigaddset(&s, SIGUSR2);
    sigaddset(&s, SIGWINCH);
    return s;
}

void signals_block(void)
{
    sigset_t s = taken();
    pthread_sigmask(SIG_BLOCK, &s, NULL);
    signal(SIGPIPE, SIG_IGN); /* a write says EPIPE */
    signal(SIGXFSZ, SIG_IGN); /* and EFBIG */
}

void signals_unblock(void)
{
    sigset_t s = taken();
    pthread_sigmask(SIG_UNBLOCK, &s, NULL);
}

static void stop_process(void)
{
    terminal_restore();
    kill(getpid(), SIGSTOP);
    terminal_enter(); /* continued, in the foreground or not */
}

static void say_sender(const struct signalfd_siginfo *i)
{
    char path[64], name[64] = "";
    snprintf(path, sizeof(path), "/proc/%u/comm", i->ssi_pid);
    FILE *f = i->ssi_pid ? fopen(path, "re") : NULL;
    if (f) {
        if (fgets(name, sizeof(name), f))
            name[strcspn(name, "\n")] = 0;
        fclose(f);
    }
    if (i->ssi_pid && name[0])
        error_report("terminating on signal %u from pid %u (%s)", i->ssi_signo, i->ssi_pid, name);
    else
        error_report("terminating on signal %u", i->ssi_signo);
}

static int signal_fd(void *arg)
{
    struct vm *vm = container_of(arg, struct vm, signal_fd);
    return vm->signal_fd;
}

static short signal_events(void *arg UNUSED) { return POLLIN; }

static void signal_ready(void *arg, short revents UNUSED)
{
    struct vm *vm = container_of(arg, struct vm, signal_fd);
    struct signalfd_siginfo i;
    while (read(vm->signal_fd, &i, sizeof(i)) == (ssize_t)sizeof(i)) {
        switch (i.ssi_signo) {
        case SIGTSTP:
            stop_process();
            break;
        case SIGCONT:
            terminal_enter();
            if (vm->opt->run)
                run_window_changed(vm->opt->run);
            break;
        case SIGWINCH:
            if (vm->opt->run)
                run_window_changed(vm->opt->run);
            break;
        case SIGUSR2:
            if (vm->opt->stats && vm->accel && vm->tsc_start)
                stats_print(vm, false);
            break;
        default:
            if (vm->opt->run && run_signal(vm->opt->run, (int)i.ssi_signo))
                break;
            if (!atomic_load(&vm->quit))
                say_sender(&i);
            vm_request_quit(vm, 0);
        }
    }
}

int signals_start(struct vm *vm)
{
    sigset_t s = taken();
    vm->signal_fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
    if (vm->signal_fd < 0 || !event_add(&vm->loop, (struct event_source){signal_fd, signal_events, signal_ready, &vm->signal_fd})) {
        error_report("no descriptor for signals: %s", strerror(errno));
        return -1;
    }
    return 0;
}

void signals_stop(struct vm *vm)
{
    if (vm->signal_fd >= 0)
        close(vm->signal_fd);
    vm->signal_fd = -1;
}
