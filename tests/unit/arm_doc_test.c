/*
 * arm_doc_test.c: docs/cpu.md says what the processor shows. Every value in its tables of registers is compared with a processor just
 * reset, and every constant identification register must have its line. With the argument --print it writes the table of identification
 * registers.
 */
#include "arm_stub.h"

#define MAX_LINES 200

struct doc_line {
    uint32_t key, value;
    char name[32];
};
static struct doc_line lines[MAX_LINES];
static unsigned line_count;

/* The lines "| p15, 0, c0, c0, 0 | NAME | 0xvalue | ..." of the document. */
static void read_document(void)
{
    FILE *file = fopen(DOCUMENT, "r");
    char text[1000];

    assert_non_null(file);
    line_count = 0;
    while (fgets(text, sizeof(text), file)) {
        struct doc_line *l = &lines[line_count];
        unsigned cp, opc1, crn, crm, opc2;
        if (sscanf(text, "| p%u, %u, c%u, c%u, %u | %31[^|]| 0x%x", &cp, &opc1, &crn, &crm, &opc2, l->name, &l->value) != 7)
            continue;
        l->key = CP_KEY(cp, opc1, crn, crm, opc2);
        assert_in_range(++line_count, 1, MAX_LINES - 1);
    }
    fclose(file);
}

static void test_values(void **state UNUSED)
{
    unsigned wrong = 0;

    read_document();
    assert_true(line_count > 30);
    for (unsigned i = 0; i < line_count; i++) {
        uint32_t offset, is;
        if (arm_cp_flags(lines[i].key, false, true, &offset) & ARM_CP_UNDEF) {
            print_error("docs/cpu.md: %s: there is no such register\n", lines[i].name);
            wrong++;
            continue;
        }
        is = arm_helper_cp_read(stub.cpu, 0, 0, lines[i].key, 0);
        if (is != lines[i].value) {
            print_error("docs/cpu.md: %s is 0x%08x, not 0x%08x\n", lines[i].name, is, lines[i].value);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* A constant of the identification space, which the document has to list; c3 to c7 are zero and named together. */
static bool is_identification(const struct cp_row *r)
{
    unsigned crn = r->key >> 12 & 15, crm = r->key >> 4 & 15;
    return r->key >> 28 == 15 && !(r->key & 1u << 27) && crn == 0 && crm < 3 && !r->read && !r->field;
}

static void test_complete(void **state UNUSED)
{
    unsigned missing = 0;

    read_document();
    for (unsigned i = 0; i < arm_cp_row_count; i++) {
        const struct cp_row *r = &arm_cp_rows[i];
        bool found = false;
        for (unsigned k = 0; k < line_count; k++)
            found |= lines[k].key == r->key;
        if (is_identification(r) && !found) {
            print_error("docs/cpu.md lacks p15, %u, c0, c%u, %u = 0x%08x\n", r->key >> 16 & 7, r->key >> 4 & 15, r->key & 7, r->value);
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

static void test_caches(void **state UNUSED)
{
    char want[64], text[1000];

    for (uint32_t level = 0; level < 3; level++) {
        FILE *file = fopen(DOCUMENT, "r");
        bool found = false;
        arm_helper_cp_write(stub.cpu, level, 0, CP_KEY(15, 2, 0, 0, 0), 0);
        snprintf(want, sizeof(want), "| %u | 0x%08x |", level, arm_helper_cp_read(stub.cpu, 0, 0, CP_KEY(15, 1, 0, 0, 0), 0));
        assert_non_null(file);
        while (fgets(text, sizeof(text), file))
            found |= strstr(text, want) == text;
        fclose(file);
        if (!found)
            print_error("docs/cpu.md lacks %s\n", want);
        assert_true(found);
    }
}

static void test_vfp(void **state UNUSED)
{
    uint32_t arm_vfp_sys_read(void *cpu, uint32_t a, uint32_t b, uint32_t reg, uint32_t imm2);
    char want[100], text[1000];
    bool found = false;
    FILE *file = fopen(DOCUMENT, "r");

    arm_helper_cp_write(stub.cpu, 0x00f00000, 0, CP_KEY(15, 0, 1, 0, 2), 0);
    snprintf(want, sizeof(want), "FPSID 0x%08x, MVFR0 0x%08x, MVFR1 0x%08x", arm_vfp_sys_read(stub.cpu, 0, 0, 0, 0),
             arm_vfp_sys_read(stub.cpu, 0, 0, 7, 0), arm_vfp_sys_read(stub.cpu, 0, 0, 6, 0));
    assert_non_null(file);
    while (fgets(text, sizeof(text), file))
        found |= strstr(text, want) != NULL;
    fclose(file);
    if (!found)
        print_error("docs/cpu.md lacks %s\n", want);
    assert_true(found);
}

static void print_table(void)
{
    for (unsigned i = 0; i < arm_cp_row_count; i++) {
        const struct cp_row *r = &arm_cp_rows[i];
        if (is_identification(r))
            printf("| p15, %u, c0, c%u, %u | ? | 0x%08x | |\n", r->key >> 16 & 7, r->key >> 4 & 15, r->key & 7, r->value);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, stub_setup, stub_teardown),
        cmocka_unit_test_setup_teardown(test_complete, stub_setup, stub_teardown),
        cmocka_unit_test_setup_teardown(test_caches, stub_setup, stub_teardown),
        cmocka_unit_test_setup_teardown(test_vfp, stub_setup, stub_teardown),
    };

    if (argc > 1 && !strcmp(argv[1], "--print")) {
        print_table();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
