/*
 * kvm_test.c: the KVM accelerator with a payload kernel instead of the translator; each case is one boot of a VM.
 *
 * Skipped (exit code 77) with a message when /dev/kvm cannot be used. The machine around the accelerator is played by the functions below.
 */
#include "payload.h"
#include <dbt/engine.h>
#include <hypervisor/accel.h>
#include <hypervisor/error.h>
#include <hypervisor/hostcall.h>
#include <hypervisor/kvm/kvm_impl.h>
#include <hypervisor/vm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char text[8192];     /* what the VM said */
static char sentence[2048]; /* what armlet said, or the panic's text */
static uint64_t vm_tsc;
static unsigned calls;

void error_report(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, ap);
    va_end(ap);
}

void vm_stopped(struct vm *vm, enum stop_reason reason)
{
    vm->stop.valid = true;
    vm->stop.reason = reason;
}

uint64_t engine_heap_size(const struct engine_config *c, uint64_t ram_size)
{
    (void)c, (void)ram_size;
    return 1 << 20;
}

enum hostcall_result hostcall_serve(struct vm *vm)
{
    struct host_request *r = &vm->shared->req;

    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    switch (r->type) {
    case HOST_REQ_TEXT:
        if (r->text[0] != '\0') {
            strncat(text, r->text, sizeof(text) - strlen(text) - 2);
            strcat(text, "\n");
        }
        return HOSTCALL_RESUME;
    case HOST_REQ_MMIO_WRITE:
        vm_tsc = r->value;
        return HOSTCALL_RESUME;
    case HOST_REQ_STOP:
        if (r->value == STOP_PANIC)
            snprintf(sentence, sizeof(sentence), "%s", r->text);
        vm_stopped(vm, (enum stop_reason)r->value);
        return HOSTCALL_STOP;
    default:
        fail_msg("unexpected request %u", r->type);
        return HOSTCALL_STOP;
    }
}

static struct vm vm;

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    text[0] = sentence[0] = '\0';
    calls = 0;
    vm_tsc = 0;
    vm.ram_fd = memfd_create("ram", MFD_CLOEXEC);
    vm.ram_size = TEST_RAM;
    if (vm.ram_fd < 0 || ftruncate(vm.ram_fd, TEST_RAM) < 0)
        return -1;
    vm.ram = mmap(NULL, TEST_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, vm.ram_fd, 0);
    vm.shared_size = ALIGN_UP(sizeof(struct vm_shared), 4096);
    vm.shared = mmap(NULL, vm.shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vm.ram == MAP_FAILED || vm.shared == MAP_FAILED)
        return -1;
    for (uint32_t i = 0; i < TEST_RAM / 4; i++)
        ((uint32_t *)vm.ram)[i] = i;
    vm.shared->magic = ARMLET_ABI_MAGIC;
    vm.shared->version = ARMLET_ABI_VERSION;
    vm.shared->size = sizeof(struct vm_shared);
    vm.shared->config.code_cache_bytes = 4 << 20;
    vm.shared->config.view_count = TEST_WINDOWS;
    vm.shared->ram_size = TEST_RAM;

    struct timespec t0, t1, pause = {.tv_nsec = 2000000};
    clock_gettime(CLOCK_MONOTONIC, &t0);
    uint64_t ticks = host_tsc();
    nanosleep(&pause, NULL);
    ticks = host_tsc() - ticks;
    clock_gettime(CLOCK_MONOTONIC, &t1);
    vm.shared->tsc_hz = (uint64_t)((double)ticks * 1e9 / ((double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec)));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    accel_kvm.destroy(&vm);
    munmap(vm.ram, TEST_RAM);
    munmap(vm.shared, vm.shared_size);
    close(vm.ram_fd);
    return 0;
}

static int boot(enum payload_case which)
{
    vm.shared->entry_r[0] = which;
    if (accel_kvm.create(&vm) < 0)
        fail_msg("create: %s", sentence);
    return accel_kvm.run(&vm);
}

/* A case that checks itself. */
static void passes(enum payload_case which)
{
    int rc = boot(which);

    if (rc != 0 || !vm.stop.valid || vm.stop.reason != STOP_POWER_OFF)
        fail_msg("run returned %d: %s", rc, sentence);
}

#define SELF_CHECKED(name, which)                                                                                                          \
    static void name(void **state)                                                                                                         \
    {                                                                                                                                      \
        (void)state;                                                                                                                       \
        passes(which);                                                                                                                     \
    }
SELF_CHECKED(test_start, CASE_START)
SELF_CHECKED(test_map, CASE_MAP)
SELF_CHECKED(test_fault, CASE_FAULT)
SELF_CHECKED(test_protect, CASE_PROTECT)
SELF_CHECKED(test_remap, CASE_REMAP)
SELF_CHECKED(test_unmap, CASE_UNMAP)
SELF_CHECKED(test_large, CASE_LARGE)
SELF_CHECKED(test_windows, CASE_WINDOWS)
SELF_CHECKED(test_pool, CASE_POOL)
SELF_CHECKED(test_random, CASE_RANDOM)

/* A case that must end in a panic whose sentence has these words, the processor's state described before. */
static void dies(enum payload_case which, const char *a, const char *b)
{
    int rc = boot(which);

    assert_int_equal(rc, 0);
    assert_true(vm.stop.valid);
    assert_int_equal(vm.stop.reason, STOP_PANIC);
    if (strstr(sentence, a) == NULL || strstr(sentence, b) == NULL)
        fail_msg("expected \"%s\" and \"%s\" in: %s", a, b, sentence);
    assert_non_null(strstr(sentence, "guest pc 1234"));
    assert_non_null(strstr(text, "payload at pc 1234"));
}

static void test_deaths(void **state)
{
    static const struct {
        enum payload_case which;
        const char *a, *b;
    } table[] = {
        {CASE_NULL, "page fault", "cr2 10,"},
        {CASE_UD, "invalid opcode", "cpl 3"},
        {CASE_DIVIDE, "divide error", "cpl 3"},
        {CASE_GP, "general protection", "cpl 3"},
        {CASE_PORT, "general protection", "cpl 3"},
        {CASE_EXEC_WINDOW, "page fault", "rip 10000001000"},
        {CASE_STACK, "page fault", "cr2 200"},
        {CASE_WRITE_TEXT, "page fault", "error 7"},
        {CASE_REFUSED, "page fault", "cr2 10000123000"},
        {CASE_NESTED, "page fault", "cr2 10000000040"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        dies(table[i].which, table[i].a, table[i].b);
        teardown(state);
        setup(state);
    }
}

static void test_triple_fault(void **state)
{
    (void)state;
    assert_int_equal(boot(CASE_TRIPLE), -1);
    if (strstr(sentence, "the VM stopped: triple fault") == NULL || strstr(sentence, "guest pc 1234") == NULL)
        fail_msg("unreadable: %s", sentence);
}

static void test_tsc(void **state)
{
    (void)state;
    uint64_t before = host_tsc();
    passes(CASE_TSC);
    uint64_t after = host_tsc(), slack = vm.shared->tsc_hz / 10000; /* 0.1 ms */
    if (vm_tsc + slack < before || vm_tsc > after + slack)
        fail_msg("the VM's TSC %llu is not between %llu and %llu", (unsigned long long)vm_tsc, (unsigned long long)before,
                 (unsigned long long)after);
}

static void *run_thread(void *arg)
{
    return (void *)(intptr_t)boot((enum payload_case)(intptr_t)arg);
}

/* The poll word is found and seen by code that does not leave the VM. */
static void test_poll_word(void **state)
{
    pthread_t t;
    void *rc;
    struct timespec pause = {.tv_nsec = 1000000};

    (void)state;
    assert_int_equal(pthread_create(&t, NULL, run_thread, (void *)(intptr_t)CASE_SPIN), 0);
    while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) == 0)
        nanosleep(&pause, NULL);
    __atomic_store_n(&vm.shared->spi_level[2], 0x80, __ATOMIC_SEQ_CST);
    uint32_t *poll = accel_kvm.poll_word(&vm);
    assert_non_null(poll);
    __atomic_store_n(poll, 1, __ATOMIC_SEQ_CST);
    pthread_join(t, &rc);
    assert_int_equal((intptr_t)rc, 0);
    assert_int_equal(vm.stop.reason, STOP_POWER_OFF);
}

static void test_interrupt(void **state)
{
    pthread_t t;
    void *rc;
    struct timespec pause = {.tv_nsec = 30000000};

    for (unsigned i = 0; i < 4; i++) {
        vm.shared->entry_r[0] = CASE_HANG;
        assert_int_equal(accel_kvm.create(&vm), 0);
        pthread_create(&t, NULL, (void *(*)(void *))(void (*)(void))accel_kvm.run, &vm);
        if (i != 0) /* once at once, even before KVM_RUN */
            nanosleep(&pause, NULL);
        accel_kvm.interrupt(&vm);
        pthread_join(t, &rc);
        assert_int_equal((int)(intptr_t)rc, 0);
        assert_true(vm.stop.valid);
        assert_int_equal(vm.stop.reason, STOP_HOST);
        teardown(state);
        setup(state);
    }
}

static void test_too_big(void **state)
{
    (void)state;
    vm.shared->config.view_count = VM_WINDOW_MAX + 1;
    assert_int_equal(accel_kvm.create(&vm), -1);
    assert_non_null(strstr(sentence, "1025 views"));
    assert_null(vm.accel_state);
    vm.shared->config.view_count = 2;
    vm.shared->config.code_cache_bytes = 0xfff00000;
    assert_int_equal(accel_kvm.create(&vm), -1);
    assert_non_null(strstr(sentence, "code cache of 4096 MiB"));
}

static void test_wrong_kernel(void **state)
{
    (void)state;
    vm.shared->version++;
    assert_int_equal(boot(CASE_START), 0);
    assert_int_equal(vm.stop.reason, STOP_PANIC);
    assert_non_null(strstr(sentence, "different sources"));
}

static void test_probe(void **state)
{
    char why[256] = "";
    struct timespec a, b;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &a);
    enum kvm_kind kind = kvm_probe(why, sizeof(why));
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(kind == KVM_NATIVE || kind == KVM_EMULATED);
    assert_non_null(strstr(why, "CPL 0"));
    printf("%s (found in %.1f ms)\n", why, (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
}

static void test_cost(void **state)
{
    (void)state;
    passes(CASE_COST);
    printf("%s", text);
}

int main(int argc, char **argv)
{
    char why[256];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_protect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unmap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deaths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_triple_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tsc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poll_word, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_kernel, setup, teardown),
        cmocka_unit_test(test_probe),
        cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
    };

    if (accel_kvm.probe(why, sizeof(why)) < 0) {
        printf("skipped: %s\n", why);
        return 77;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
