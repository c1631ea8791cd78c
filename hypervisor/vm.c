/*
 * vm.c: building a machine, and its life from boot to the end; see vm.h.
 */
#include <devices/pl011.h>
#include <devices/pl031.h>
#include <devices/pl061.h>
#include <devices/serial.h>
#include <errno.h>
#include <hypervisor/accel.h>
#include <hypervisor/clock.h>
#include <hypervisor/error.h>
#include <hypervisor/image.h>
#include <hypervisor/monitor.h>
#include <hypervisor/options.h>
#include <hypervisor/signals.h>
#include <hypervisor/terminal.h>
#include <hypervisor/ticker.h>
#include <hypervisor/vm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PL011_BASE 0x09000000u
#define PL011_SPI  1u
#define PL031_BASE 0x09010000u
#define PL031_SPI  2u
#define PL061_BASE 0x09030000u
#define PL061_SPI  7u

#define STOP_GRACE_MS  3000 /* how long the translator may take to notice that it is to stop */
#define DRAIN_SLICE_MS 200
#define DRAIN_QUIT_MS  1000 /* how long pending output may take once the user wants out */

/* --- what other threads may do to a machine ---------------------------------------------------------------------------- */

void vm_kick(struct vm *vm)
{
    pthread_mutex_lock(&vm->kick_lock);
    uint32_t *poll_word = vm->running ? vm->accel->poll_word(vm) : NULL;
    if (poll_word) { /* otherwise the ticker does it as soon as there is one */
        __atomic_store_n(poll_word, 1, __ATOMIC_SEQ_CST);
        if (atomic_load(&vm->waiting))
            ticker_wake_vcpu(poll_word);
    }
    pthread_mutex_unlock(&vm->kick_lock);
}

static void set_running(struct vm *vm, bool running)
{
    pthread_mutex_lock(&vm->kick_lock);
    vm->running = running;
    pthread_mutex_unlock(&vm->kick_lock);
}

void vm_set_spi(struct vm *vm, unsigned spi, bool level)
{
    uint32_t *word = &vm->shared->spi_level[spi / 32 % VM_SPI_WORDS], bit = 1u << spi % 32;
    uint32_t old = level ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) : __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    if (!(old & bit) == level) {
        if (level)
            __atomic_fetch_or(&vm->shared->spi_edge[spi / 32 % VM_SPI_WORDS], bit, __ATOMIC_SEQ_CST);
        vm_kick(vm);
    }
}

static void set_spi(void *ctx, unsigned spi, bool level) { vm_set_spi(ctx, spi, level); }

static void wake_main(struct vm *vm)
{
    uint64_t one = 1;
    if (write(vm->event_fd, &one, sizeof(one)) < 0) {
        /* an eventfd counter that is full wakes just as well */
    }
}

void vm_request_quit(struct vm *vm, int code)
{
    if (!atomic_exchange(&vm->quit_claimed, true)) {
        atomic_store(&vm->exit_code, code);
        atomic_store(&vm->quit, true);
    }
    wake_main(vm);
}

static void request_quit(void *ctx, int code) { vm_request_quit(ctx, code); }

void vm_request_reset(struct vm *vm)
{
    atomic_store(&vm->reset, true);
    wake_main(vm);
}

void vm_power_button(struct vm *vm) { pl061_power_button(vm->gpio); }

static void power_button(void *ctx) { vm_power_button(ctx); }

void vm_stopped(struct vm *vm, enum stop_reason reason)
{
    vm->stop.valid = true;
    vm->stop.reason = reason;
}

/*
 * A device has stored into RAM. The data is there before code_page is looked at, and the engine sets its bit before it reads code: one of them sees the other.
 * The engine looks at dma_page when it polls, which is before it takes the interrupt that comes of the data.
 */
static void dma_written(void *ctx, uint64_t ram_off, uint64_t len)
{
    struct vm *vm = ctx;
    struct vm_shared *s = vm->shared;
    bool any = false;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint64_t page = ram_off / 4096, last = (ram_off + len - 1) / 4096; page <= last; page++) {
        uint64_t bit = 1ull << page % 64;
        if (!(__atomic_load_n(&s->code_page[page / 64], __ATOMIC_RELAXED) & bit))
            continue;
        __atomic_fetch_or(&s->dma_page[page / 64], bit, __ATOMIC_SEQ_CST);
        any = true;
    }
    if (any) {
        __atomic_store_n(&s->dma_pending, 1, __ATOMIC_SEQ_CST);
        vm_kick(vm);
    }
}

/* --- making one -------------------------------------------------------------------------------------------------------- */

static int create_memory(struct vm *vm)
{
    vm->ram_size = vm->opt->ram_size;
    vm->ram_fd = memfd_create("armlet-ram", MFD_CLOEXEC);
    if (vm->ram_fd < 0 || ftruncate(vm->ram_fd, (off_t)vm->ram_size) < 0)
        goto fail;
    vm->ram = mmap(NULL, vm->ram_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, vm->ram_fd, 0);
    if (vm->ram == MAP_FAILED) {
        vm->ram = NULL;
        goto fail;
    }
    madvise(vm->ram, vm->ram_size, MADV_HUGEPAGE); /* where the host gives huge pages to shared memory at all */
    vm->shared_size = ALIGN_UP(sizeof(*vm->shared), (size_t)4096);
    vm->shared = mmap(NULL, vm->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vm->shared == MAP_FAILED) {
        vm->shared = NULL;
        goto fail;
    }
    return 0;
fail:
    error_report("no memory for a guest of %llu MiB: %s", (unsigned long long)(vm->ram_size >> 20), strerror(errno));
    return -1;
}

static int create_devices(struct vm *vm)
{
    struct irq_line uart_irq = {set_spi, vm, PL011_SPI}, rtc_irq = {set_spi, vm, PL031_SPI}, gpio_irq = {set_spi, vm, PL061_SPI};

    vm->serial = serial_create(vm->opt, (struct serial_host){vm, request_quit, power_button});
    if (!vm->serial)
        return -1;
    vm->uart = pl011_create(uart_irq, vm->serial);
    vm->rtc = pl031_create(rtc_irq);
    vm->gpio = pl061_create(gpio_irq);
    if (!vm->uart || !vm->rtc || !vm->gpio || bus_attach(&vm->bus, PL011_BASE, &pl011_desc, vm->uart) < 0 ||
        bus_attach(&vm->bus, PL031_BASE, &pl031_desc, vm->rtc) < 0 || bus_attach(&vm->bus, PL061_BASE, &pl061_desc, vm->gpio) < 0)
        return -1;
    if (!serial_start(vm->serial, &vm->loop, (struct serial_port){vm->uart, pl011_input, pl011_room, pl011_line_break}) ||
        !pl031_start(vm->rtc, &vm->loop) || !pl061_start(vm->gpio, &vm->loop)) {
        error_report("there are more event sources than armlet was built for");
        return -1;
    }
    if (vm->opt->monitor && !(vm->monitor = monitor_create(vm, vm->opt->monitor)))
        return -1;
    vm->board = (struct board){.opt = vm->opt, .bus = &vm->bus, .loop = &vm->loop, .mem = &vm->mem, .irq = {set_spi, vm, 0}, .quit = request_quit, .quit_ctx = vm};
    return board_create(&vm->board);
}

static int own_fd(void *arg)
{
    struct vm *vm = arg;
    return vm->event_fd;
}

static short own_events(void *arg UNUSED) { return POLLIN; }

static void own_ready(void *arg, short revents UNUSED)
{
    struct vm *vm = arg;
    uint64_t count;
    if (read(vm->event_fd, &count, sizeof(count)) < 0) {
        /* woken for nothing: the flags tell */
    }
}

int vm_create(struct vm *vm, const struct options *opt)
{
    vm->opt = opt;
    vm->ram_fd = -1;
    vm->signals.fd[0] = vm->signals.fd[1] = -1;
    pthread_mutex_init(&vm->kick_lock, NULL);
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("x86-64-v3")) {
        error_report("this processor lacks instructions that translated code uses (x86-64-v3: AVX2, BMI2, FMA and others)");
        return -1;
    }
    vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vm->event_fd < 0) {
        error_report("no event descriptor: %s", strerror(errno));
        return -1;
    }
    event_add(&vm->loop, (struct event_source){own_fd, own_events, own_ready, vm});
    if (create_memory(vm) < 0)
        return -1;
    vm->mem = (struct guest_memory){.ram = vm->ram, .size = vm->ram_size, .written = dma_written, .ctx = vm};
    if (create_devices(vm) < 0)
        return -1;
    return signals_start(vm);
}

void vm_destroy(struct vm *vm)
{
    signals_stop(vm);
    board_destroy(&vm->board);
    serial_destroy(vm->serial);
    pl011_destroy(vm->uart);
    pl031_destroy(vm->rtc);
    pl061_destroy(vm->gpio);
    monitor_destroy(vm->monitor);
    if (vm->shared)
        munmap(vm->shared, vm->shared_size);
    if (vm->ram)
        munmap(vm->ram, vm->ram_size);
    if (vm->ram_fd >= 0)
        close(vm->ram_fd);
    if (vm->event_fd >= 0)
        close(vm->event_fd);
}

/* --- one boot ---------------------------------------------------------------------------------------------------------- */

/* Everything the engine is told, except the addresses that the accelerator chooses. Statistics go on over reboots. */
static void fill_shared(struct vm *vm, const struct boot_state *boot)
{
    const struct options *o = vm->opt;
    struct vm_shared *s = vm->shared;
    struct engine_stats stats = s->stats;
    memset(s, 0, sizeof(*s));
    s->magic = ARMLET_ABI_MAGIC;
    s->version = ARMLET_ABI_VERSION;
    s->size = sizeof(*s);
    s->stats = stats;
    s->config = (struct engine_config){
        .flags = o->log_flags | vm->accel->engine_flags | (o->count_insns ? ENGINE_COUNT_INSNS : 0) | (o->stats ? ENGINE_TIME : 0),
        .code_cache_bytes = (uint32_t)o->code_cache,
        .view_count = o->views,
        .fault_around = o->fault_around ? o->fault_around : vm->accel->fault_around,
        .soft_after = o->soft_after,
        /* Profiles and logs say where code is. */
        .pic = o->profile || o->perf_map || (o->log_flags & ENGINE_LOGS) ? ENGINE_PIC_NEVER : o->pic,
        .insn_budget = o->max_insns,
    };
    s->ram_size = (uint32_t)vm->ram_size;
    s->entry_pc = boot->entry_pc;
    memcpy(s->entry_r, boot->r, sizeof(s->entry_r));
    if (!vm->clock.tsc_hz)
        clock_measure(&vm->clock);
    s->tsc_hz = vm->clock.tsc_hz;
    s->tsc_base = host_tsc();
    s->tsc_to_cnt = clock_scale(GUEST_CNTFRQ_HZ, 1ull << 32, s->tsc_hz);
    s->deadline_tsc = UINT64_MAX;
    post_fill(vm);
    board_share_irq_status(&vm->board, &s->irq_status);
    s->reg_copy[0].addr = PL011_BASE + PL011_FR;
    pl011_copy_flags(vm->uart, &s->reg_copy[0].value);
}

static void *vcpu_main(void *arg)
{
    struct vm *vm = arg;
    prctl(PR_SET_NAME, "armlet-vcpu");
    prctl(PR_SET_TIMERSLACK, 1000ul); /* ns: guest timers should be on time */
    vm->run_result = vm->accel->run(vm);
    atomic_store(&vm->vcpu_done, true);
    wake_main(vm);
    return NULL;
}

/* Serve events until the vCPU thread has ended. false: it does not end although it was told to. */
static bool serve_events(struct vm *vm)
{
    uint64_t asked = 0;
    while (!atomic_load(&vm->vcpu_done)) {
        if (atomic_load(&vm->quit) || atomic_load(&vm->reset)) {
            if (!asked) {
                asked = host_tsc();
                serial_end(vm->serial, true);
                __atomic_store_n(&vm->shared->stop_wanted, 1, __ATOMIC_SEQ_CST);
                if (vm->accel->interrupt)
                    vm->accel->interrupt(vm);
            }
            vm_kick(vm); /* again and again: the engine may have been about to clear the word */
            if (clock_scale(host_tsc() - asked, 1000, vm->clock.tsc_hz) > STOP_GRACE_MS)
                return false;
        }
        event_run_once(&vm->loop, asked ? 20 : -1);
    }
    return true;
}

/* Guest RAM may move now, so no device may use it any more. */
static void destroy_accel(struct vm *vm)
{
    bus_reset(&vm->bus);
    vm->accel->destroy(vm);
    vm->mem.ram = vm->ram;
}

/* Boot and run once. 0: it ran, see vm->stop; -1 after a message. */
static int boot_once(struct vm *vm)
{
    struct boot_state boot;
    pthread_t vcpu;

    bus_reset(&vm->bus);
    if (image_load(vm->opt, &vm->bus, vm->ram, vm->ram_size, &boot) < 0)
        return -1;
    if (!vm->accel && !(vm->accel = accel_choose(vm->opt))) /* after the images: a wrong one is all there is to say */
        return -1;
    if ((vm->opt->profile || vm->opt->perf_map) && vm->accel != &accel_hosted) {
        error_report("--profile and --perf-map look at code in this process; they need -accel hosted");
        return -1;
    }
    fill_shared(vm, &boot);
    vm->stop.valid = false;
    atomic_store(&vm->reset, false);
    serial_end(vm->serial, false);
    atomic_store(&vm->vcpu_done, false);
    if (vm->accel->create(vm) < 0)
        return -1;
    vm->mem.shared = vm->ram == vm->mem.ram; /* an accelerator may have moved it, to private memory */
    vm->mem.fd = vm->ram_fd;
    vm->mem.ram = vm->ram;
    set_running(vm, true);
    if (!vm->tsc_start)
        vm->tsc_start = host_tsc();
    terminal_enter();

    int err = pthread_create(&vcpu, NULL, vcpu_main, vm);
    if (err) {
        error_report("no thread for the CPU: %s", strerror(err));
        set_running(vm, false);
        destroy_accel(vm);
        return -1;
    }
    if (ticker_start(vm) < 0 || post_start(vm) < 0)
        vm_request_quit(vm, 1);
    if (!serve_events(vm)) {
        error_report("the translator does not stop; giving up");
        terminal_restore();
        _exit(1);
    }
    pthread_join(vcpu, NULL);
    ticker_stop(vm);
    post_stop(vm);
    set_running(vm, false);
    destroy_accel(vm);
    return vm->run_result;
}

/* Let the output get out. A reader that does not read holds armlet up, as it would any program; a signal or a second of patience ends that. */
static void drain(struct vm *vm)
{
    int waited = 0;
    while (!serial_drain(vm->serial, DRAIN_SLICE_MS)) {
        event_run_once(&vm->loop, 0);
        waited += DRAIN_SLICE_MS;
        if (atomic_load(&vm->quit) && waited >= DRAIN_QUIT_MS)
            break;
    }
}

int vm_run(struct vm *vm)
{
    int code = 0;
    for (;;) {
        int err = boot_once(vm);
        if (err < 0 || !vm->stop.valid || vm->stop.reason == STOP_PANIC) {
            code = 1;
            break;
        }
        bool reset = vm->stop.reason == STOP_RESET || (vm->stop.reason == STOP_HOST && atomic_load(&vm->reset));
        if (atomic_load(&vm->quit) || !reset || vm->opt->no_reboot)
            break;
    }
    drain(vm);
    terminal_restore();
    return atomic_load(&vm->quit) && !code ? atomic_load(&vm->exit_code) : code;
}
