/*
 * unavailable.c: run.h for builds without an ARM compiler, which cannot make the agent.
 */
#include <armlet/run.h>
#include <hypervisor/error.h>
#include <hypervisor/run/run.h>

int run_main(int argc UNUSED, char **argv UNUSED)
{
    error_report(
        "this armlet was built without an ARM compiler and so has no 'armlet run'; tools/install-deps build installs what a build needs");
    return RUN_CODE_FAILED;
}

bool run_signal(struct run *r UNUSED, int number UNUSED)
{
    return false;
}

void run_window_changed(struct run *r UNUSED) {}
