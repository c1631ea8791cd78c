/*
 * stats.c: see stats.h.
 */
#include <hypervisor/accel.h>
#include <hypervisor/clock.h>
#include <hypervisor/stats.h>
#include <hypervisor/vm.h>
#include <inttypes.h>
#include <stdio.h>

#define STAT(field, text) {offsetof(struct engine_stats, field), text}

static const struct row {
    size_t offset;
    const char *text; /* a line without offset is a heading */
} rows[] = {
    {SIZE_MAX, "translation"},
    STAT(blocks_translated, "blocks translated"),
    STAT(blocks_copied, "blocks copied from another address"),
    STAT(insns_translated, "guest instructions translated"),
    STAT(host_code_bytes, "bytes of host code"),
    STAT(blocks_invalidated, "blocks invalidated"),
    STAT(cache_evictions, "code cache evictions"),
    STAT(unimplemented, "instructions without translation"),
    {SIZE_MAX, "execution"},
    STAT(dispatches, "returns to the dispatcher"),
    STAT(links, "exits linked"),
    STAT(indirect_misses, "jump cache misses"),
    STAT(exceptions[1], "undefined instruction exceptions"),
    STAT(exceptions[2], "supervisor calls"),
    STAT(exceptions[3], "prefetch aborts"),
    STAT(exceptions[4], "data aborts"),
    STAT(exceptions[6], "interrupts"),
    STAT(exceptions[7], "fast interrupts"),
    {SIZE_MAX, "memory"},
    STAT(window_faults, "window faults"),
    STAT(guest_aborts, "aborts of the guest"),
    STAT(pages_mapped, "pages mapped"),
    STAT(sections_mapped, "sections mapped"),
    STAT(pages_protected, "pages write-protected"),
    STAT(pages_unmapped, "pages unmapped"),
    STAT(code_page_writes, "writes to pages with code"),
    STAT(dma_pages, "pages with code written by devices"),
    STAT(slow_accesses, "accesses through a helper"),
    STAT(alias_pages, "pages served without a mapping"),
    STAT(soft_sites, "instructions given the software TLB"),
    STAT(soft_returned, "instructions given back to the window"),
    STAT(soft_misses, "software TLB misses"),
    STAT(view_switches, "view switches"),
    STAT(view_allocs, "views made"),
    STAT(views_pic, "views with position-independent code"),
    STAT(view_recycles, "views recycled"),
    STAT(view_syncs, "views synchronised"),
    STAT(tlb_ops, "TLB maintenance operations"),
    STAT(icache_ops, "instruction cache operations"),
    STAT(privileged_ops, "requests to CPL 0"),
    {SIZE_MAX, "host calls"},
    STAT(host_calls[HOST_REQ_MMIO_READ], "device reads"),
    STAT(host_calls[HOST_REQ_MMIO_WRITE], "device writes"),
    STAT(host_calls[HOST_REQ_POSTED], "wake-ups for posted writes"),
    STAT(host_calls[HOST_REQ_WAIT], "waits for interrupt"),
    STAT(host_calls[HOST_REQ_TEXT], "log lines"),
    STAT(host_calls[HOST_REQ_CODE], "log listings"),
    STAT(posted_writes, "device writes posted (no call)"),
    STAT(copied_reads, "device reads from a copy (no call)"),
    STAT(gic_accesses, "interrupt controller accesses (inside)"),
};

static const char *const activities[ACTIVITY_COUNT] = {
    [ACTIVITY_DISPATCH] = "dispatcher",
    [ACTIVITY_RUN] = "running guest code",
    [ACTIVITY_TRANSLATE] = "translating",
    [ACTIVITY_FAULT] = "serving window faults",
    [ACTIVITY_SYNC] = "synchronising views",
    [ACTIVITY_DEVICE] = "device accesses",
    [ACTIVITY_WAIT] = "waiting for interrupts",
    [ACTIVITY_REQUEST] = "other host calls",
};

static void line(const char *text, uint64_t value) { fprintf(stderr, "  %-42s %16" PRIu64 "\n", text, value); }

static void time_line(const char *text, uint64_t ticks, uint64_t hz, uint64_t total)
{
    fprintf(stderr, "  %-42s %13.3f s  %5.1f %%\n", text, (double)ticks / (double)hz, total ? 100.0 * (double)ticks / (double)total : 0.0);
}

void stats_print(const struct vm *vm, bool final)
{
    const struct engine_stats *s = &vm->shared->stats;
    uint64_t hz = vm->clock.tsc_hz, total = host_tsc() - vm->tsc_start;
    uint64_t device = __atomic_load_n(&vm->device_ticks, __ATOMIC_RELAXED);
    bool counted = vm->shared->config.flags & ENGINE_COUNT_INSNS;

    fprintf(stderr, "armlet statistics (-accel %s)\n", vm->accel->name);
    if (counted) {
        double busy = (double)(total > s->tsc[ACTIVITY_WAIT] ? total - s->tsc[ACTIVITY_WAIT] : 1) / (double)hz;
        line("guest instructions", s->guest_insns);
        fprintf(stderr, "  %-42s %16.1f\n", "MIPS, waiting left out", (double)s->guest_insns / busy / 1e6);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].offset == SIZE_MAX)
            fprintf(stderr, " %s\n", rows[i].text);
        else
            line(rows[i].text, *(const uint64_t *)((const char *)s + rows[i].offset));
    }
    fprintf(stderr, " time\n");
    time_line("in all", total, hz, total);
    for (size_t i = 0; i < ACTIVITY_COUNT; i++)
        time_line(activities[i], s->tsc[i], hz, total);
    time_line("  of device accesses: the devices' work", device, hz, total);
    time_line("  the way there and back", s->tsc[ACTIVITY_DEVICE] > device ? s->tsc[ACTIVITY_DEVICE] - device : 0, hz, total);
    if (final && vm->accel->stats)
        vm->accel->stats(vm);
    fputc('\n', stderr);
}
