/*
 * hv_options.c: the command line: what is taken, what is refused, and that a refusal is one sentence naming the thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <armlet/abi.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <stdio.h>
#include <string.h>

static char said[1024];
static int times;

/* in place of hypervisor/error.c */
void error_report(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
    times++;
}

static enum options_result parse(struct options *o, const char *line)
{
    static char copy[512];
    char *argv[64] = {"armlet"};
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    times = 0;
    said[0] = 0;
    return options_parse(o, argc, argv);
}

static void defaults(void **state UNUSED)
{
    struct options o;
    assert_int_equal(parse(&o, "-kernel k"), OPTIONS_RUN);
    assert_string_equal(o.kernel, "k");
    assert_int_equal(o.accel, ACCEL_AUTO);
    assert_int_equal(o.ram_size, 512u << 20);
    assert_int_equal(o.serial, SERIAL_DEFAULT);
    assert_int_equal(times, 0);
}

static void full_line(void **state UNUSED)
{
    struct options o;
    assert_int_equal(parse(&o, "-M virt,gic-version=2,accel=hosted -cpu cortex-a15 -m 1G -smp 1 -kernel k -initrd i -dtb d -append a -nographic -no-reboot "
                               "-monitor none -display none -serial unix:/tmp/s,server,nowait -d in_asm,int -D log --stats=insns --max-insns 1000000 "
                               "--code-cache 64M --views=8 --fault-around 4 --soft-after 3 --pic always"),
                     OPTIONS_RUN);
    assert_int_equal(o.accel, ACCEL_HOSTED);
    assert_int_equal(o.ram_size, 1u << 30);
    assert_string_equal(o.initrd, "i");
    assert_string_equal(o.dtb, "d");
    assert_string_equal(o.append, "a");
    assert_true(o.no_reboot && o.stats && o.count_insns);
    assert_int_equal(o.serial, SERIAL_UNIX);
    assert_string_equal(o.serial_path, "/tmp/s");
    assert_true(o.serial_server && o.serial_nowait);
    assert_int_equal(o.log_flags, ENGINE_LOG_IN_ASM | ENGINE_LOG_INT);
    assert_string_equal(o.log_file, "log");
    assert_int_equal(o.max_insns, 1000000);
    assert_int_equal(o.code_cache, 64u << 20);
    assert_int_equal(o.views, 8);
    assert_int_equal(o.fault_around, 4);
    assert_int_equal(o.soft_after, 3);
    assert_int_equal(o.pic, ENGINE_PIC_ALWAYS);
    options_free(&o);
}

static void devices(void **state UNUSED)
{
    struct options o;
    assert_int_equal(parse(&o, "-kernel k -device virtio-rng-pci,id=r -chardev null,id=c -device virtserialport,chardev=c,name=n -global virtio-mmio.force-legacy=false "
                               "-monitor unix:/tmp/m,server,nowait"),
                     OPTIONS_RUN);
    assert_int_equal(o.board.n, 3);
    assert_string_equal(o.board.item[0]->kind->name, "virtio-rng-device");
    assert_string_equal(o.board.item[0]->id, "r");
    assert_string_equal(o.board.item[1]->kind->option, "chardev");
    assert_string_equal(o.board.item[2]->id, "#device1"); /* the second device, without an id of its own */
    assert_string_equal(keyval_get(&o.board.item[2]->kv, "name"), "n");
    assert_string_equal(o.monitor, "/tmp/m");
    options_free(&o);
    assert_int_equal(o.board.n, 0);
}

static void sizes(void **state UNUSED)
{
    static const struct {
        const char *text;
        uint64_t value; /* 0: refused */
    } cases[] = {
        {"512", 512ull << 20}, {"512M", 512ull << 20}, {"512m", 512ull << 20}, {"1G", 1ull << 30}, {"65536K", 64ull << 20}, {"2T", 2ull << 40}, {"4096b", 4096},
        {"0x10M", 16ull << 20}, {"", 0}, {"M", 0}, {"-1", 0}, {"12X", 0}, {"1MM", 0}, {"1.5G", 0}, {"99999999999999999999", 0}, {"18446744073709551615T", 0}, {" 1", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t v = 0;
        assert_int_equal(options_parse_size(cases[i].text, 1u << 20, &v), cases[i].value != 0);
        if (cases[i].value)
            assert_true(v == cases[i].value);
    }
}

static void refusals(void **state UNUSED)
{
    static const struct {
        const char *line, *names; /* what the sentence must name */
    } cases[] = {
        {"", "-kernel"},
        {"-kernel", "-kernel"},
        {"-kernel k -wibble", "-wibble"},
        {"-kernel k stray", "stray"},
        {"-kernel k -m 0", "0"},
        {"-kernel k -m 1T", "1T"},
        {"-kernel k -m lots", "lots"},
        {"-kernel k -m 3G", "2048M"},
        {"-kernel k -smp 2", "-smp 2"},
        {"-kernel k -smp none", "none"},
        {"-kernel k -cpu cortex-a53", "cortex-a53"},
        {"-kernel k -M raspi2b", "raspi2b"},
        {"-kernel k -M virtual", "virtual"},
        {"-kernel k -M virt,foo=1", "foo=1"},
        {"-kernel k -accel tcg", "tcg"},
        {"-kernel k -drive file=x,format=vmdk", "vmdk"},
        {"-kernel k -netdev user", "id="},
        {"-kernel k -netdev bridge,id=n", "bridge"},
        {"-kernel k -netdev user,id=n,hostport=1", "hostport"},
        {"-kernel k -netdev user,id=n -netdev tap,id=n", "'n'"},
        {"-kernel k -device virtio-net-device", "netdev="},
        {"-kernel k -serial tcp::1234", "tcp::1234"},
        {"-kernel k -serial unix:", "unix:"},
        {"-kernel k -serial unix:p,telnet", "telnet"},
        {"-kernel k -monitor stdio", "monitor"},
        {"-kernel k -monitor unix:", "unix:"},
        {"-kernel k -monitor unix:p,telnet", "telnet"},
        {"-kernel k -device flux-capacitor", "flux-capacitor"},
        {"-kernel k -device virtio-rng-device,speed=1", "'speed'"},
        {"-kernel k -device virtio-balloon-device,deflate-on-oom=maybe", "maybe"},
        {"-kernel k -device virtserialport,chardev=c", "name="},
        {"-kernel k -device ,", "missing"},
        {"-kernel k -chardev carrier-pigeon,id=c", "carrier-pigeon"},
        {"-kernel k -chardev file,id=c", "path="},
        {"-kernel k -chardev null,id=c -chardev null,id=c", "'c'"},
        {"-kernel k -global virtio-net.x=1", "virtio-net.x=1"},
        {"-kernel k -d everything", "everything"},
        {"-kernel k --stats=all", "all"},
        {"-kernel k --views 1", "views"},
        {"-kernel k --views 1025", "views"},
        {"-kernel k --fault-around 3", "fault-around"},
        {"-kernel k --soft-after 5000", "soft-after"},
        {"-kernel k --pic sometimes", "sometimes"},
        {"-kernel k --max-insns 0", "--max-insns"},
        {"-kernel k --code-cache 1", "code cache"},
        {"-kernel k -no-reboot=1", "-no-reboot=1"},
        {"-kernel k -gdb tcp::1", "-gdb"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options o;
        assert_int_equal(parse(&o, cases[i].line), OPTIONS_BAD);
        assert_int_equal(times, 1);
        if (!strstr(said, cases[i].names))
            fail_msg("'%s' for '%s' does not name '%s'", said, cases[i].line, cases[i].names);
        assert_null(strchr(said, '\n'));
        options_free(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(full_line), cmocka_unit_test(devices), cmocka_unit_test(sizes), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
