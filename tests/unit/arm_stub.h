/*
 * arm_stub.h: an ARM processor with a little RAM and no engine behind it, for the tests of the system side. The engine functions it calls
 * only count.
 */
#ifndef ARM_STUB_H
#define ARM_STUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arch/arm/cp15.h>
#include <arch/arm/cpu.h>
#include <arch/arm/mmu.h>

#define STUB_RAM_SIZE (8u << 20)

struct stub {
    struct vm_shared shared;
    uint8_t *ram;
    struct arm_cpu *cpu;
    unsigned regime_changes, premaps, tlb_all, tlb_asid, tlb_va, icache_all, icache_va, stops, host_calls;
    uint32_t premap_va, last_va;
    int last_asid;
    enum stop_reason stop_reason;
    jmp_buf unwind; /* host_unwind() and engine_stop() come here, with 1 and 2 */
    void (*host_call)(struct vcpu *v);
};
static struct stub stub;

void engine_regime_changed(struct vcpu *v UNUSED)
{
    stub.regime_changes++;
}
void engine_tlb_all(struct vcpu *v UNUSED)
{
    stub.tlb_all++;
}
void engine_tlb_asid(struct vcpu *v UNUSED, unsigned asid)
{
    stub.tlb_asid++, stub.last_asid = (int)asid;
}
void engine_tlb_va(struct vcpu *v UNUSED, uint32_t va, int asid)
{
    stub.tlb_va++, stub.last_va = va, stub.last_asid = asid;
}
void engine_icache_all(struct vcpu *v UNUSED)
{
    stub.icache_all++;
}
void engine_icache_va(struct vcpu *v UNUSED, uint32_t va)
{
    stub.icache_va++, stub.last_va = va;
}
void engine_premap(struct vcpu *v UNUSED, uint32_t va, bool is_write UNUSED)
{
    stub.premaps++, stub.premap_va = va;
}
void engine_log(struct vcpu *v UNUSED, const char *fmt UNUSED, ...) {}
void engine_host_call(struct vcpu *v)
{
    stub.host_calls++;
    if (stub.host_call)
        stub.host_call(v);
}
_Noreturn void engine_stop(struct vcpu *v UNUSED, enum stop_reason why)
{
    stub.stops++;
    stub.stop_reason = why;
    longjmp(stub.unwind, 2);
}
_Noreturn void host_unwind(struct vcpu *v UNUSED)
{
    longjmp(stub.unwind, 1);
}

/* A processor just reset, RAM filled with zero. */
static UNUSED int stub_setup(void **state)
{
    free(stub.ram);
    free(stub.cpu);
    memset(&stub, 0, sizeof(stub));
    stub.ram = calloc(1, STUB_RAM_SIZE);
    stub.cpu = aligned_alloc(64, ALIGN_UP(guest_vcpu_size(), 64));
    memset(stub.cpu, 0, guest_vcpu_size());
    stub.shared.ram_va = (uintptr_t)stub.ram;
    stub.shared.ram_size = STUB_RAM_SIZE;
    stub.shared.tsc_hz = 1000000000;
    stub.shared.tsc_to_cnt = (uint64_t)(((unsigned __int128)GUEST_CNTFRQ_HZ << 32) / 1000000000);
    stub.shared.entry_pc = 0x40010000;
    stub.shared.entry_r[1] = 0xffffffff;
    stub.cpu->v.shared = &stub.shared;
    stub.cpu->v.stats = &stub.shared.stats;
    guest_reset(&stub.cpu->v);
    memset(&stub.regime_changes, 0, sizeof(stub.regime_changes));
    *state = &stub;
    return 0;
}

static UNUSED int stub_teardown(void **state UNUSED)
{
    free(stub.ram);
    free(stub.cpu);
    stub.ram = NULL;
    stub.cpu = NULL;
    return 0;
}

static UNUSED void ram_put32(uint32_t pa, uint32_t x)
{
    memcpy(stub.ram + (pa - GUEST_RAM_BASE), &x, 4);
}
static UNUSED void ram_put64(uint32_t pa, uint64_t x)
{
    memcpy(stub.ram + (pa - GUEST_RAM_BASE), &x, 8);
}

#endif
