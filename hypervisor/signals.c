/*
 * signals.c: see signals.h.
 *
 * A thread of its own waits for the signals and passes them on through a pipe. No signalfd: whoever polls one is woken by every signal of
 * the process, the hosted accelerator's page faults among them, and a second processor that wakes thousands of times a second has to be
 * told of every mapping that changes.
 */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/prctl.h>
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

static void say_sender(const siginfo_t *i)
{
    char path[64], name[64] = "";
    pid_t pid = i->si_code == SI_USER || i->si_code == SI_QUEUE || i->si_code == SI_TKILL ? i->si_pid : 0;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    FILE *f = pid ? fopen(path, "re") : NULL;
    if (f) {
        if (fgets(name, sizeof(name), f))
            name[strcspn(name, "\n")] = 0;
        fclose(f);
    }
    if (pid && name[0])
        error_report("terminating on signal %d from pid %d (%s)", i->si_signo, (int)pid, name);
    else
        error_report("terminating on signal %d", i->si_signo);
}

static int signal_fd(void *arg)
{
    return container_of(arg, struct vm, signals)->signals.fd[0];
}

static short signal_events(void *arg UNUSED)
{
    return POLLIN;
}

static void signal_ready(void *arg, short revents UNUSED)
{
    struct vm *vm = container_of(arg, struct vm, signals);
    siginfo_t i;
    while (read(vm->signals.fd[0], &i, sizeof(i)) == (ssize_t)sizeof(i)) {
        switch (i.si_signo) {
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
            if (vm->opt->run && run_signal(vm->opt->run, i.si_signo))
                break;
            if (!atomic_load(&vm->quit))
                say_sender(&i);
            vm_request_quit(vm, 0);
        }
    }
}

static void *signals_main(void *arg)
{
    struct vm *vm = arg;
    sigset_t s = taken();
    siginfo_t i;
    prctl(PR_SET_NAME, "armlet-signals");
    for (;;) {
        /* A pipe takes a record whole. One that is full of them may lose another. */
        if (sigwaitinfo(&s, &i) >= 0 && write(vm->signals.fd[1], &i, sizeof(i)) < 0 && errno != EAGAIN)
            return NULL;
    }
}

int signals_start(struct vm *vm)
{
    if (pipe2(vm->signals.fd, O_CLOEXEC | O_NONBLOCK) < 0 ||
        !event_add(&vm->loop, (struct event_source){signal_fd, signal_events, signal_ready, &vm->signals})) {
        error_report("no pipe for signals: %s", strerror(errno));
        return -1;
    }
    int err = pthread_create(&vm->signals.thread, NULL, signals_main, vm);
    if (err) {
        error_report("no thread for signals: %s", strerror(err));
        return -1;
    }
    vm->signals.running = true;
    return 0;
}

void signals_stop(struct vm *vm)
{
    if (vm->signals.running) {
        pthread_cancel(vm->signals.thread); /* while it waits: sigwaitinfo() and write() are the only places */
        pthread_join(vm->signals.thread, NULL);
        vm->signals.running = false;
        siginfo_t i;
        while (read(vm->signals.fd[0], &i, sizeof(i)) == (ssize_t)sizeof(i))
            kill(getpid(), i.si_signo); /* for who comes next */
    }
    for (int k = 0; k < 2; k++) {
        if (vm->signals.fd[k] >= 0)
            close(vm->signals.fd[k]);
        vm->signals.fd[k] = -1;
    }
}
