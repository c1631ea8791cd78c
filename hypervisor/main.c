/*
 * main.c: armlet, from the command line to the exit code.
 *
 * Exit codes: 0 when the guest has powered itself off (or reset itself under -no-reboot, or run its number of instructions) and when the user ended it; 1 after an error,
 * which one sentence on stderr has named. `armlet run` has the exit codes of the command it runs (run/run.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/options.h>
#include <hypervisor/run/run.h>
#include <hypervisor/session.h>
#include <hypervisor/vm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Standard descriptors that are closed would be given to the next file opened, and the console would go into guest memory. Take their places with
 * /dev/null opened such that using them still fails as it should.
 */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    static struct vm vm;
    struct options options;

    hold_standard_descriptors();
    if (argc > 1 && !strcmp(argv[1], "run"))
        return run_main(argc - 1, argv + 1);
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_BAD:
        options_free(&options);
        return EXIT_FAILURE;
    case OPTIONS_RUN:
        break;
    }
    int code = session_run(&vm, &options);
    options_free(&options);
    return code;
}
