/*
 * accel.c: choosing the accelerator.
 */
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <stdio.h>

#ifndef ARMLET_KVM
/* A build without the execution kernel. */
static int absent_probe(char *why, size_t cap)
{
    snprintf(why, cap, "this build has no execution kernel");
    return -1;
}

const struct accel_ops accel_kvm = {.name = "kvm", .probe = absent_probe};

enum kvm_kind kvm_probe(char *why, size_t cap)
{
    absent_probe(why, cap);
    return KVM_NONE;
}
#endif

const struct accel_ops *accel_choose(const struct options *o)
{
    static const struct accel_ops *const explicit_choice[] = {[ACCEL_KVM] = &accel_kvm, [ACCEL_HOSTED] = &accel_hosted};
    char why[256] = "";
    if (o->accel != ACCEL_AUTO) {
        const struct accel_ops *a = explicit_choice[o->accel];
        if (!a->probe || a->probe(why, sizeof(why)) == 0)
            return a;
        error_report("the accelerator %s cannot be used: %s", a->name, why);
        return NULL;
    }
    if (kvm_probe(why, sizeof(why)) == KVM_NATIVE) {
        if (!o->quiet_choice)
            error_report("running with -accel kvm: %s", why);
        return &accel_kvm;
    }
    if (!o->quiet_choice)
        error_report("running with -accel hosted: %s", why);
    return &accel_hosted;
}
