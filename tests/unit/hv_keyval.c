/*
 * hv_keyval.c: key=value lists: what is taken, and that what is refused is named in one sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hypervisor/error.h>
#include <hypervisor/keyval.h>
#include <stdio.h>
#include <string.h>

static char said[512];
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

static const struct key_desc keys[] = {
    {"file", KEY_TEXT, KEY_REQUIRED, "the image", NULL, 0, 0},
    {"readonly", KEY_BOOL, 0, NULL, NULL, 0, 0},
    {"format", KEY_CHOICE, 0, NULL, "raw|qcow2", 0, 0},
    {"queues", KEY_NUMBER, 0, NULL, NULL, 1, 8},
    {"cache-size", KEY_SIZE, 0, NULL, NULL, 4096, 0},
    {"hostfwd", KEY_TEXT, KEY_REPEAT, NULL, NULL, 0, 0},
    {0},
};
static const struct key_desc common[] = {{"id", KEY_TEXT, 0, NULL, NULL, 0, 0}, {0}};

static int take(struct keyval *kv, const char *text)
{
    times = 0;
    said[0] = 0;
    if (keyval_parse(kv, "-test", text, "type") < 0)
        return -1;
    int r = keyval_check(kv, "-test", keys, common);
    if (r < 0)
        keyval_free(kv);
    return r;
}

static void taken(void **state UNUSED)
{
    struct keyval kv;
    assert_int_equal(take(&kv, "file=a,,b=c,,,readonly,format=qcow2,queues=0x8,cache-size=2M,id=x,hostfwd=one,hostfwd=two"), 0);
    assert_string_equal(keyval_get(&kv, "file"), "a,b=c,");
    assert_true(keyval_bool(&kv, "readonly", false));
    assert_string_equal(keyval_get(&kv, "format"), "qcow2");
    assert_int_equal(keyval_number(&kv, "queues", 1), 8);
    assert_int_equal(keyval_number(&kv, "cache-size", 0), 2 << 20);
    assert_int_equal(keyval_number(&kv, "nothing", 7), 7);
    assert_null(keyval_get(&kv, "nothing"));
    unsigned at = 0;
    assert_string_equal(keyval_next(&kv, "hostfwd", &at), "one");
    assert_string_equal(keyval_next(&kv, "hostfwd", &at), "two");
    assert_null(keyval_next(&kv, "hostfwd", &at));
    keyval_free(&kv);
    assert_int_equal(take(&kv, "file=x,readonly=off"), 0);
    assert_false(keyval_bool(&kv, "readonly", true));
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "-test", "user", "type"), 0);
    assert_string_equal(keyval_get(&kv, "type"), "user");
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "-test", "user", NULL), 0);
    assert_string_equal(keyval_get(&kv, "user"), "on");
    keyval_free(&kv);
    assert_int_equal(keyval_parse(&kv, "-test", "a=b=c", NULL), 0);
    assert_string_equal(keyval_get(&kv, "a"), "b=c");
    keyval_free(&kv);
}

static void refused(void **state UNUSED)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"", "missing"},
        {",", "missing"},
        {"file=a,", "missing"},
        {"file=a,=b", "no key"},
        {"readonly=on", "file"},
        {"file=", "file"},
        {"file=a,flie=b", "'flie'"},
        {"file=a,file=b", "twice"},
        {"file=a,readonly=maybe", "maybe"},
        {"file=a,format=vmdk", "raw|qcow2"},
        {"file=a,format=raw|qcow2", "not 'raw|qcow2'"},
        {"file=a,format=", "format"},
        {"file=a,queues=0", "between 1 and 8"},
        {"file=a,queues=9", "between 1 and 8"},
        {"file=a,queues=2M", "2M"},
        {"file=a,queues=-1", "-1"},
        {"file=a,queues=", "queues"},
        {"file=a,queues=99999999999999999999", "99999999999999999999"},
        {"file=a,cache-size=4095", "less than 4096"},
        {"file=a,cache-size=much", "much"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct keyval kv;
        assert_int_equal(take(&kv, cases[i].text), -1);
        assert_int_equal(times, 1);
        assert_null(kv.pair);
        if (!strstr(said, cases[i].names) || strncmp(said, "-test", 5))
            fail_msg("'%s' for '%s' does not name '%s'", said, cases[i].text, cases[i].names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(taken), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
