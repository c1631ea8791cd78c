/*
 * hv_serial.c: serial backends: nothing is lost between a guest that writes faster than its reader reads, the Ctrl-A keys, broken outputs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/serial.h>
#include <hypervisor/event.h>
#include <hypervisor/options.h>
#include <hypervisor/signals.h>
#include <hypervisor/terminal.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MUCH 300000u /* several rings full */

static atomic_int quit_code = -1, rooms, inputs;

static void quit(void *ctx UNUSED, int code) { atomic_store(&quit_code, code); }
static void input(void *ctx UNUSED) { atomic_fetch_add(&inputs, 1); }
static void room(void *ctx UNUSED) { atomic_fetch_add(&rooms, 1); }
static void line_break(void *ctx UNUSED) {}

/* in place of hypervisor/signals.c, which brings a machine with it */
void signals_block(void) {}
void signals_unblock(void) {}

static const struct serial_host host = {NULL, quit, NULL};
static const struct serial_port port = {NULL, input, room, line_break};

static void escape_keys(void **state UNUSED)
{
    static const struct {
        const char *typed;
        enum escape_action last;
    } cases[] = {{"a", ESCAPE_PASS},      {"\x01", ESCAPE_NONE},  {"\x01x", ESCAPE_QUIT},  {"\x01h", ESCAPE_HELP}, {"\x01?", ESCAPE_HELP}, {"\x01" "b", ESCAPE_BREAK},
                 {"\x01t", ESCAPE_STAMPS}, {"\x01p", ESCAPE_POWER}, {"\x01z", ESCAPE_NONE}, {"\x01\x01", ESCAPE_PASS}, {"\x01\x01x", ESCAPE_PASS}, {"\x01zx", ESCAPE_PASS}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct escape e = {0};
        enum escape_action last = ESCAPE_NONE;
        for (const char *c = cases[i].typed; *c; c++)
            last = escape_feed(&e, (unsigned char)*c);
        assert_int_equal(last, cases[i].last);
    }
}

static void file_gets_everything(void **state UNUSED)
{
    char path[] = "/tmp/hv_serial.XXXXXX";
    int fd = mkstemp(path);
    struct options o = {.serial = SERIAL_FILE, .serial_path = path};
    struct event_loop loop = {0};
    struct serial *s = serial_create(&o, host);
    assert_non_null(s);
    assert_true(serial_start(s, &loop, port));
    for (uint32_t i = 0; i < MUCH; i++)
        serial_tx(s, (uint8_t)(i * 7));
    assert_true(serial_drain(s, 10000));
    serial_destroy(s);
    uint8_t *got = malloc(MUCH + 1);
    assert_int_equal(pread(fd, got, MUCH + 1, 0), MUCH);
    for (uint32_t i = 0; i < MUCH; i++)
        assert_int_equal(got[i], (uint8_t)(i * 7));
    free(got);
    close(fd);
    unlink(path);
}

static void full_disk(void **state UNUSED)
{
    struct options o = {.serial = SERIAL_FILE, .serial_path = "/dev/full"};
    struct event_loop loop = {0};
    struct serial *s = serial_create(&o, host);
    assert_non_null(s);
    assert_true(serial_start(s, &loop, port));
    atomic_store(&quit_code, -1);
    for (uint32_t i = 0; i < MUCH; i++) /* the guest goes on until it is stopped; it must not hang on a dead output */
        serial_tx(s, 'x');
    assert_true(serial_drain(s, 10000));
    assert_int_equal(atomic_load(&quit_code), 1);
    serial_destroy(s);
    o.serial_path = "/nonexistent/serial";
    assert_null(serial_create(&o, host));
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A reader that does not read: the port is told to hold back, and told when that is over. */
static void flow_control_and_reconnect(void **state UNUSED)
{
    char path[64];
    snprintf(path, sizeof(path), "/tmp/hv_serial.%d.sock", (int)getpid());
    struct options o = {.serial = SERIAL_UNIX, .serial_path = path, .serial_server = true, .serial_nowait = true};
    struct event_loop loop = {0};
    struct serial *s = serial_create(&o, host);
    assert_non_null(s);
    assert_true(serial_start(s, &loop, port));
    serial_tx(s, '-'); /* nobody there: dropped */
    assert_true(serial_drain(s, 5000));
    int fd = connect_to(path);
    event_run_once(&loop, 5000);

    atomic_store(&rooms, 0);
    uint32_t sent = 0, got = 0;
    while (sent < 4u << 20 && !serial_tx_busy(s))
        serial_tx(s, (uint8_t)sent++);
    assert_true(sent < 4u << 20);
    assert_int_equal(atomic_load(&rooms), 0);
    while (got < sent) {
        uint8_t buf[8192];
        ssize_t n = read(fd, buf, sizeof(buf));
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buf[i], (uint8_t)got++);
    }
    assert_true(serial_drain(s, 5000));
    for (int i = 0; i < 500 && !atomic_load(&rooms); i++)
        usleep(10000);
    assert_int_equal(atomic_load(&rooms), 1);
    assert_false(serial_tx_busy(s));

    /* input, more than the ring holds: it stays in the socket until the port has taken some */
    uint8_t typed[6000], back[8192];
    for (unsigned i = 0; i < sizeof(typed); i++)
        typed[i] = (uint8_t)(i * 3);
    assert_int_equal(write(fd, typed, sizeof(typed)), sizeof(typed));
    size_t n = 0;
    for (int i = 0; i < 100 && n < sizeof(typed); i++) {
        event_run_once(&loop, 50);
        n += serial_pull(s, back + n, 1000);
    }
    assert_int_equal(n, sizeof(typed));
    assert_memory_equal(back, typed, sizeof(typed));
    assert_true(atomic_load(&inputs) > 0);

    close(fd); /* the client goes, another comes */
    event_run_once(&loop, 5000);
    fd = connect_to(path);
    event_run_once(&loop, 5000);
    serial_tx(s, 'Z');
    uint8_t c = 0;
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 'Z');
    close(fd);
    serial_destroy(s);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(escape_keys), cmocka_unit_test(file_gets_everything), cmocka_unit_test(full_disk),
                                       cmocka_unit_test(flow_control_and_reconnect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
