/*
 * psci.c: Power State Coordination Interface 1.0 (ARM DEN 0022) for one processor, as QEMU's virt board offers it through HVC.
 */
#include <arch/arm/cpu.h>
#include <arch/arm/psci.h>

enum { PSCI_SUCCESS = 0, PSCI_NOT_SUPPORTED = -1, PSCI_INVALID_PARAMETERS = -2, PSCI_ALREADY_ON = -4 };

enum psci_function {
    PSCI_VERSION = 0x84000000,
    PSCI_CPU_SUSPEND = 0x84000001,
    PSCI_CPU_OFF = 0x84000002,
    PSCI_CPU_ON = 0x84000003,
    PSCI_AFFINITY_INFO = 0x84000004,
    PSCI_MIGRATE_INFO_TYPE = 0x84000006,
    PSCI_SYSTEM_OFF = 0x84000008,
    PSCI_SYSTEM_RESET = 0x84000009,
    PSCI_FEATURES = 0x8400000a,
};

static const uint32_t known[] = {PSCI_VERSION,           PSCI_CPU_SUSPEND, PSCI_CPU_OFF,      PSCI_CPU_ON,  PSCI_AFFINITY_INFO,
                                 PSCI_MIGRATE_INFO_TYPE, PSCI_SYSTEM_OFF,  PSCI_SYSTEM_RESET, PSCI_FEATURES};

static bool is_known(uint32_t function)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (known[i] == function)
            return true;
    return false;
}

uint32_t arm_psci_call(struct arm_cpu *c)
{
    uint32_t *r = c->v.gpr;

    switch (r[0]) {
    case PSCI_VERSION:
        return 0x00010000;
    case PSCI_CPU_SUSPEND: /* a standby state: like WFI */
        arm_wait_for_interrupt(c);
        return PSCI_SUCCESS;
    case PSCI_CPU_ON:
        return (uint32_t)((r[1] & 0xffffff) == 0 ? PSCI_ALREADY_ON : PSCI_INVALID_PARAMETERS);
    case PSCI_AFFINITY_INFO:
        return (r[1] & 0xffffff) == 0 ? 0 /* on */ : (uint32_t)PSCI_INVALID_PARAMETERS;
    case PSCI_MIGRATE_INFO_TYPE:
        return 2; /* no trusted OS to migrate */
    case PSCI_CPU_OFF: /* the only processor: nothing can turn it on again */
    case PSCI_SYSTEM_OFF:
        engine_stop(&c->v, STOP_POWER_OFF);
    case PSCI_SYSTEM_RESET:
        engine_stop(&c->v, STOP_RESET);
    case PSCI_FEATURES:
        return is_known(r[1]) ? 0 : (uint32_t)PSCI_NOT_SUPPORTED;
    default:
        return (uint32_t)PSCI_NOT_SUPPORTED;
    }
}
