/*
 * options.c: the command line as one table; --help prints the same table.
 *
 * Spelling follows qemu-system-arm: one dash or two, values as the next argument; the options that only armlet has also take --name=value. What QEMU has and armlet has
 * not is recognised by name, so that its user reads what is missing instead of "unknown option".
 */
#include <armlet/abi.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARMLET_VERSION
#define ARMLET_VERSION "unknown"
#endif

enum arg_kind { ARG_NONE, ARG_VALUE, ARG_OPTIONAL };

struct option_desc {
    const char *name;
    enum arg_kind arg;
    int (*set)(struct options *o, const struct option_desc *d, const char *value); /* 0, -1 after a message */
    const char *value_name; /* for --help; NULL hides the option there */
    const char *help;
    size_t offset; /* of the field, for the generic setters */
};

bool options_parse_size(const char *text, uint64_t default_unit, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    if (errno)
        return false;
    uint64_t unit = default_unit;
    switch (*end) {
    case 'b': case 'B': unit = 1; end++; break;
    case 'k': case 'K': unit = 1ull << 10; end++; break;
    case 'm': case 'M': unit = 1ull << 20; end++; break;
    case 'g': case 'G': unit = 1ull << 30; end++; break;
    case 't': case 'T': unit = 1ull << 40; end++; break;
    }
    if (*end)
        return false;
    return !__builtin_mul_overflow((uint64_t)n, unit, out);
}

static bool parse_number(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    *out = n;
    return !errno && !*end;
}

/* Does the comma-separated list at *list begin with `word`? Then step over it and its comma. */
static bool take_word(const char **list, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*list, word, n) || ((*list)[n] && (*list)[n] != ','))
        return false;
    *list += n + ((*list)[n] == ',');
    return true;
}

/* --- setters ------------------------------------------------------------------------------------------------------------ */

static int set_string(struct options *o, const struct option_desc *d, const char *value)
{
    *(const char **)((char *)o + d->offset) = value;
    return 0;
}

static int set_true(struct options *o, const struct option_desc *d, const char *value UNUSED)
{
    *(bool *)((char *)o + d->offset) = true;
    return 0;
}

static int ignore(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value UNUSED) { return 0; }

static int set_accel(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    static const char *const names[] = {[ACCEL_AUTO] = "auto", [ACCEL_KVM] = "kvm", [ACCEL_HOSTED] = "hosted"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!strcmp(value, names[i])) {
            o->accel = (enum accel_choice)i;
            return 0;
        }
    }
    error_report("there is no accelerator '%s'; -accel takes kvm, hosted or auto", value);
    return -1;
}

static int set_enable_kvm(struct options *o, const struct option_desc *d UNUSED, const char *value UNUSED)
{
    o->accel = ACCEL_KVM;
    return 0;
}

static int set_machine(struct options *o, const struct option_desc *d, const char *value)
{
    const char *p = value;
    if (!strncmp(p, "type=", 5))
        p += 5;
    size_t n = strcspn(p, ",");
    if (strncmp(p, "virt", 4) || (n > 4 && p[4] != '-')) {
        error_report("there is no machine '%.*s'; -M takes virt", (int)n, p);
        return -1;
    }
    p += n + (p[n] == ',');
    while (*p) {
        n = strcspn(p, ",");
        char word[64];
        snprintf(word, sizeof(word), "%.*s", (int)n, p);
        if (!strncmp(word, "accel=", 6)) {
            if (set_accel(o, d, word + 6) < 0)
                return -1;
        } else if (!strcmp(word, "secure=on") || !strcmp(word, "virtualization=on")) {
            error_report("the machine virt has no '%s': the guest sees neither EL2 nor EL3", word);
            return -1;
        } else if (strcmp(word, "gic-version=2") && strcmp(word, "gic-version=max") && strcmp(word, "gic-version=host") && strncmp(word, "highmem=", 8) &&
                   strncmp(word, "highmem-", 8) && strcmp(word, "secure=off") && strcmp(word, "virtualization=off") && strncmp(word, "its=", 4) &&
                   strcmp(word, "acpi=off") && strncmp(word, "usb=", 4) && strncmp(word, "graphics=", 9)) {
            error_report("the machine virt has no property '%s'", word);
            return -1;
        }
        p += n + (p[n] == ',');
    }
    return 0;
}

static int set_cpu(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value)
{
    if (!strcmp(value, "cortex-a15") || !strcmp(value, "max") || !strcmp(value, "host"))
        return 0;
    error_report("there is no CPU '%s'; -cpu takes cortex-a15", value);
    return -1;
}

static int set_smp(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value)
{
    const char *p = strncmp(value, "cpus=", 5) ? value : value + 5;
    uint64_t n;
    char number[32];
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(p, ","), p);
    if (!parse_number(number, &n) || n == 0) {
        error_report("'%s' is not a number of CPUs (-smp)", value);
        return -1;
    }
    if (n != 1) {
        error_report("this build runs one CPU; -smp %s is not possible", value);
        return -1;
    }
    return 0;
}

static int set_memory(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    const char *p = strncmp(value, "size=", 5) ? value : value + 5;
    uint64_t n;
    if (!options_parse_size(p, 1u << 20, &n)) {
        error_report("'%s' is not a memory size; -m takes a number with K, M or G, such as 512M", value);
        return -1;
    }
    if (n < RAM_SIZE_MIN || n > GUEST_RAM_MAX) {
        error_report("a guest memory of %s is not possible; -m takes %lluM to %uM", value, RAM_SIZE_MIN >> 20, GUEST_RAM_MAX >> 20);
        return -1;
    }
    o->ram_size = ALIGN_UP(n, 4096);
    return 0;
}

static int set_serial(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    free(o->serial_path);
    o->serial_path = NULL;
    if (!strcmp(value, "stdio")) {
        o->serial = SERIAL_STDIO;
    } else if (!strcmp(value, "mon:stdio")) {
        o->serial = SERIAL_MON_STDIO;
    } else if (!strcmp(value, "null") || !strcmp(value, "none")) {
        o->serial = SERIAL_NULL;
    } else if (!strncmp(value, "file:", 5) && value[5]) {
        o->serial = SERIAL_FILE;
        o->serial_path = strdup(value + 5);
    } else if (!strncmp(value, "unix:", 5) && value[5] && value[5] != ',') {
        o->serial = SERIAL_UNIX;
        o->serial_server = o->serial_nowait = false;
        const char *p = value + 5;
        size_t n = strcspn(p, ",");
        o->serial_path = strndup(p, n);
        p += n + (p[n] == ',');
        while (*p) {
            if (take_word(&p, "server=on") || take_word(&p, "server")) {
                o->serial_server = true;
            } else if (take_word(&p, "nowait") || take_word(&p, "wait=off")) {
                o->serial_nowait = true;
            } else if (take_word(&p, "wait=on") || take_word(&p, "wait")) {
                o->serial_nowait = false;
            } else if (!take_word(&p, "server=off")) {
                error_report("-serial unix does not know '%s'; it takes server and nowait", p);
                return -1;
            }
        }
    } else {
        error_report("there is no serial backend '%s'; -serial takes stdio, mon:stdio, file:PATH, unix:PATH[,server[,nowait]] or null", value);
        return -1;
    }
    if ((o->serial == SERIAL_FILE || o->serial == SERIAL_UNIX) && !o->serial_path) {
        error_report("there is no memory for the command line");
        return -1;
    }
    return 0;
}

static int set_log(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    static const struct {
        const char *name;
        uint32_t flag;
        const char *help;
    } items[] = {
        {"in_asm", ENGINE_LOG_IN_ASM, "guest code of each translated block"},
        {"out_asm", ENGINE_LOG_OUT_ASM, "host code of each translated block"},
        {"exec", ENGINE_LOG_EXEC, "each block entered from the dispatcher"},
        {"int", ENGINE_LOG_INT, "each exception the guest takes"},
        {"nochain", ENGINE_NO_CHAIN, "return to the dispatcher after each block"},
    };
    const char *p = value;
    while (*p) {
        size_t i;
        for (i = 0; i < ARRAY_LEN(items); i++) {
            if (take_word(&p, items[i].name)) {
                o->log_flags |= items[i].flag;
                break;
            }
        }
        if (i == ARRAY_LEN(items)) {
            char known[256];
            int n = 0;
            for (i = 0; i < ARRAY_LEN(items); i++)
                n += snprintf(known + n, sizeof(known) - (size_t)n, "%s%s", i ? ", " : "", items[i].name);
            error_report("there is no log item '%.*s'; -d takes a comma-separated list of %s", (int)strcspn(p, ","), p, known);
            return -1;
        }
    }
    return 0;
}

static int set_stats(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    o->stats = true;
    if (!value)
        return 0;
    if (strcmp(value, "insns")) {
        error_report("--stats takes nothing or insns, not '%s'", value);
        return -1;
    }
    o->count_insns = true;
    return 0;
}

static int set_max_insns(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    if (!parse_number(value, &o->max_insns) || !o->max_insns || o->max_insns > INT64_MAX) {
        error_report("'%s' is not a number of instructions (--max-insns)", value);
        return -1;
    }
    o->count_insns = true;
    return 0;
}

static int set_code_cache(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    uint64_t n;
    if (!options_parse_size(value, 1u << 20, &n) || n < CODE_CACHE_MIN || n > CODE_CACHE_MAX) {
        error_report("'%s' is not a code cache size; --code-cache takes %lluM to %lluM", value, CODE_CACHE_MIN >> 20, CODE_CACHE_MAX >> 20);
        return -1;
    }
    o->code_cache = ALIGN_UP(n, 1u << 20);
    return 0;
}

static int set_range(uint32_t *out, const char *option, const char *value, uint32_t lo, uint32_t hi)
{
    uint64_t n;
    if (!parse_number(value, &n) || n < lo || n > hi) {
        error_report("--%s takes a number from %u to %u, not '%s'", option, lo, hi, value);
        return -1;
    }
    *out = (uint32_t)n;
    return 0;
}

static int set_views(struct options *o, const struct option_desc *d, const char *value) { return set_range(&o->views, d->name, value, 2, 1024); }

static int set_soft_after(struct options *o, const struct option_desc *d, const char *value) { return set_range(&o->soft_after, d->name, value, 0, 4096); }

static int set_pic(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    static const char *const names[] = {[ENGINE_PIC_AUTO] = "auto", [ENGINE_PIC_ALWAYS] = "always", [ENGINE_PIC_NEVER] = "never"};
    for (uint32_t k = 0; k < ARRAY_LEN(names); k++) {
        if (!strcmp(value, names[k])) {
            o->pic = k;
            return 0;
        }
    }
    error_report("--pic takes auto, always or never, not '%s'", value);
    return -1;
}

static int set_fault_around(struct options *o, const struct option_desc *d, const char *value)
{
    if (set_range(&o->fault_around, d->name, value, 1, 64) < 0)
        return -1;
    if (o->fault_around & (o->fault_around - 1)) {
        error_report("--fault-around takes a power of two, not '%s'", value);
        return -1;
    }
    return 0;
}

static int must_be_none(struct options *o UNUSED, const struct option_desc *d, const char *value)
{
    if (!strcmp(value, "none"))
        return 0;
    error_report("this build has no -%s %s; only -%s none is possible", d->name, value, d->name);
    return -1;
}

static int set_board(struct options *o, const struct option_desc *d, const char *value) { return board_config_add(&o->board, d->name, value); }

/* QEMU gives a machine a network when nothing is said about it; here that is none anyway. */
static int set_nic(struct options *o, const struct option_desc *d, const char *value)
{
    return strcmp(value, "none") ? board_config_add(&o->board, "nic", value) : ignore(o, d, value);
}

static int no_drives(struct options *o UNUSED, const struct option_desc *d, const char *value UNUSED)
{
    error_report("this build does not have QEMU's option -%s; a drive is given with -drive file=FILE,format=raw,if=virtio", d->name);
    return -1;
}

static int set_global(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value)
{
    if (!strncmp(value, "virtio-mmio.force-legacy=", 25)) /* drivers choose by the version, which is always the modern one */
        return 0;
    error_report("there is no global property '%s'", value);
    return -1;
}

static int set_monitor(struct options *o, const struct option_desc *d UNUSED, const char *value)
{
    free(o->monitor);
    o->monitor = NULL;
    if (!strcmp(value, "none"))
        return 0;
    const char *p = value + 5;
    size_t n = strncmp(value, "unix:", 5) ? 0 : strcspn(p, ",");
    if (!n) {
        error_report("there is no monitor '%s'; -monitor takes none or unix:PATH,server,nowait", value);
        return -1;
    }
    o->monitor = strndup(p, n);
    if (!o->monitor) {
        error_report("there is no memory for the command line");
        return -1;
    }
    for (p += n + (p[n] == ','); *p;) {
        if (!take_word(&p, "server") && !take_word(&p, "server=on") && !take_word(&p, "nowait") && !take_word(&p, "wait=off")) {
            error_report("-monitor unix does not know '%s'; it takes server and nowait, and is so anyway", p);
            return -1;
        }
    }
    return 0;
}

static int not_here(struct options *o UNUSED, const struct option_desc *d, const char *value UNUSED)
{
    error_report("this build does not have QEMU's option -%s", d->name);
    return -1;
}

static int set_help(struct options *o, const struct option_desc *d, const char *value);
static int set_version(struct options *o, const struct option_desc *d, const char *value);

#define FIELD(f) offsetof(struct options, f)

static const struct option_desc table[] = {
    {"accel", ARG_VALUE, set_accel, "kvm|hosted|auto", "run the translator in a KVM VM or in this process [auto]", 0},
    {"m", ARG_VALUE, set_memory, "SIZE", "guest memory, with suffix K, M or G [512M]", 0},
    {"smp", ARG_VALUE, set_smp, "1", "number of CPUs", 0},
    {"cpu", ARG_VALUE, set_cpu, "cortex-a15", "CPU model", 0},
    {"M", ARG_VALUE, set_machine, "virt", "machine", 0},
    {"machine", ARG_VALUE, set_machine, NULL, NULL, 0},
    {"kernel", ARG_VALUE, set_string, "FILE", "zImage, uImage, ELF file or raw code to start", FIELD(kernel)},
    {"initrd", ARG_VALUE, set_string, "FILE", "initial RAM disk", FIELD(initrd)},
    {"dtb", ARG_VALUE, set_string, "FILE", "device tree instead of the built-in one", FIELD(dtb)},
    {"append", ARG_VALUE, set_string, "TEXT", "kernel command line", FIELD(append)},
    {"nographic", ARG_NONE, ignore, "", "no display (there never is one); serial port on the terminal", 0},
    {"serial", ARG_VALUE, set_serial, "WHERE", "stdio, mon:stdio, file:PATH, unix:PATH[,server[,nowait]] or null [mon:stdio]", 0},
    {"drive", ARG_VALUE, set_board, "KEY=VALUE,...", "add a disk; -drive help lists the keys", 0},
    {"netdev", ARG_VALUE, set_board, "TYPE[,KEY=VALUE]...", "add a network for a device to use; -netdev help lists types and keys", 0},
    {"nic", ARG_VALUE, set_nic, "TYPE[,KEY=VALUE]...", "add a network and its device in one", 0},
    {"virtfs", ARG_VALUE, set_board, "local,KEY=VALUE,...", "share a folder of the host; -virtfs help lists the keys", 0},
    {"chardev", ARG_VALUE, set_board, "TYPE,id=ID,KEY=VALUE,...", "a byte stream for a port of the virtio console; -chardev help lists types and keys", 0},
    {"fsdev", ARG_VALUE, set_board, "local,KEY=VALUE,...", "a folder of the host for -device virtio-9p-device", 0},
    {"device", ARG_VALUE, set_board, "MODEL[,KEY=VALUE]...", "add a device; -device help lists models and keys", 0},
    {"monitor", ARG_VALUE, set_monitor, "none|unix:PATH", "a socket that takes system_powerdown, system_reset, quit [none]", 0},
    {"display", ARG_VALUE, must_be_none, "none", "there is no display", 0},
    {"no-reboot", ARG_NONE, set_true, "", "exit when the guest resets itself", FIELD(no_reboot)},
    {"d", ARG_VALUE, set_log, "ITEM,...", "log: in_asm, out_asm, exec, int, nochain", 0},
    {"D", ARG_VALUE, set_string, "FILE", "write the log to FILE [stderr]", FIELD(log_file)},
    {"stats", ARG_OPTIONAL, set_stats, "[=insns]", "print statistics at exit; insns: count guest instructions too", 0},
    {"perf-map", ARG_NONE, set_true, "", "name translated code in /tmp/perf-PID.map for perf report (hosted)", FIELD(perf_map)},
    {"profile", ARG_VALUE, set_string, "FILE", "sample the guest; write folded stacks to FILE (hosted)", FIELD(profile)},
    {"symbols", ARG_VALUE, set_string, "FILE", "names of guest functions for these: a System.map or /proc/kallsyms", FIELD(symbols)},
    {"max-insns", ARG_VALUE, set_max_insns, "N", "stop after N guest instructions", 0},
    {"code-cache", ARG_VALUE, set_code_cache, "SIZE", "room for translated code [64M]", 0},
    {"views", ARG_VALUE, set_views, "N", "guest address spaces kept mapped, 2 to 1024 [192]", 0},
    {"fault-around", ARG_VALUE, set_fault_around, "N", "pages mapped at a page fault, a power of two up to 64 [16]", 0},
    {"soft-after", ARG_VALUE, set_soft_after, "N", "page faults after which an instruction uses the software TLB; 0: never [4]", 0},
    {"pic", ARG_VALUE, set_pic, "auto|always|never", "position-independent translations of code that is mapped at many addresses [auto]", 0},
    {"help", ARG_NONE, set_help, "", "print this", 0},
    {"h", ARG_NONE, set_help, NULL, NULL, 0},
    {"version", ARG_NONE, set_version, "", "print the version", 0},

    /* QEMU options that change nothing here */
    {"enable-kvm", ARG_NONE, set_enable_kvm, NULL, NULL, 0},
    {"nodefaults", ARG_NONE, ignore, NULL, NULL, 0},
    {"no-user-config", ARG_NONE, ignore, NULL, NULL, 0},
    {"net", ARG_VALUE, set_nic, NULL, NULL, 0},
    {"global", ARG_VALUE, set_global, NULL, NULL, 0},
    {"name", ARG_VALUE, ignore, NULL, NULL, 0},
    {"rtc", ARG_VALUE, ignore, NULL, NULL, 0},
    {"vga", ARG_VALUE, must_be_none, NULL, NULL, 0},
    {"parallel", ARG_VALUE, must_be_none, NULL, NULL, 0},

    /* QEMU options for what this build has not */
    {"hda", ARG_VALUE, no_drives, NULL, NULL, 0},
    {"cdrom", ARG_VALUE, no_drives, NULL, NULL, 0},
    {"sd", ARG_VALUE, no_drives, NULL, NULL, 0},
    {"snapshot", ARG_NONE, no_drives, NULL, NULL, 0},
    {"blockdev", ARG_VALUE, no_drives, NULL, NULL, 0},
    {"bios", ARG_VALUE, not_here, NULL, NULL, 0},
    {"daemonize", ARG_NONE, not_here, NULL, NULL, 0},
    {"gdb", ARG_VALUE, not_here, NULL, NULL, 0},
    {"icount", ARG_VALUE, not_here, NULL, NULL, 0},
    {"loadvm", ARG_VALUE, not_here, NULL, NULL, 0},
    {"mon", ARG_VALUE, not_here, NULL, NULL, 0},
    {"pflash", ARG_VALUE, no_drives, NULL, NULL, 0},
    {"qmp", ARG_VALUE, not_here, NULL, NULL, 0},
    {"S", ARG_NONE, not_here, NULL, NULL, 0},
    {"s", ARG_NONE, not_here, NULL, NULL, 0},
    {"trace", ARG_VALUE, not_here, NULL, NULL, 0},
};

/* Options that only armlet has are written with two dashes. */
static bool is_own(const struct option_desc *d)
{
    static const char *const own[] = {"stats", "perf-map", "profile", "symbols", "max-insns", "code-cache", "views", "fault-around", "soft-after", "pic", "help", "version"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (!strcmp(d->name, own[i]))
            return true;
    }
    return false;
}

static int finish_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 1;
    error_report("standard output cannot be written: %s", strerror(errno));
    return -1;
}

/* Setters return 1 for "printed what was asked for, exit 0". */
static int set_help(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value UNUSED)
{
    printf("Usage: armlet -kernel FILE [option]...\n\n"
           "Run an ARMv7-A guest (machine virt, one Cortex-A15) on x86-64.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct option_desc *t = &table[i];
        if (!t->value_name)
            continue;
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s%s", is_own(t) ? "--" : "-", t->name, t->arg == ARG_VALUE ? " " : "", t->value_name);
        printf("  %-28s%s%s\n", left, strlen(left) > 27 ? " " : "", t->help);
    }
    printf("\nOn the terminal: Ctrl-A x ends armlet, Ctrl-A h shows the other keys.\n"
           "Exit code: 0 when the guest powers off or the user ends it, 1 after an error.\n");
    return finish_stdout();
}

static int set_version(struct options *o UNUSED, const struct option_desc *d UNUSED, const char *value UNUSED)
{
    printf("armlet %s\n", ARMLET_VERSION);
    return finish_stdout();
}

static const struct option_desc *find(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strlen(table[i].name) == n && !memcmp(table[i].name, name, n))
            return &table[i];
    }
    return NULL;
}

int options_arity(const char *arg)
{
    const char *name = arg + (arg[0] == '-') + (arg[0] == '-' && arg[1] == '-');
    const char *value = strchr(name, '=');
    const struct option_desc *d = find(name, value ? (size_t)(value - name) : strlen(name));
    if (arg[0] != '-' || !d)
        return -1;
    return d->arg == ARG_VALUE && !value;
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .ram_size = RAM_SIZE_DEFAULT, .code_cache = CODE_CACHE_DEFAULT, .views = VIEWS_DEFAULT, .soft_after = SOFT_AFTER_DEFAULT,
    };
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1]) {
            error_report("'%s' is not an option; a kernel is given with -kernel, a disk with -drive", arg);
            return OPTIONS_BAD;
        }
        const char *name = arg + (arg[1] == '-' ? 2 : 1);
        const char *value = strchr(name, '=');
        size_t n = value ? (size_t)(value - name) : strlen(name);
        const struct option_desc *d = find(name, n);
        if (!d || (value && (d->arg == ARG_NONE || !is_own(d)))) {
            error_report("unknown option '%s'; armlet --help lists the options", arg);
            return OPTIONS_BAD;
        }
        if (value)
            value++;
        if (d->arg == ARG_VALUE && !value) {
            if (++i == argc) {
                error_report("the option %s needs a value", arg);
                return OPTIONS_BAD;
            }
            value = argv[i];
        }
        int r = d->set(o, d, value);
        if (r)
            return r < 0 ? OPTIONS_BAD : OPTIONS_DONE;
    }
    if (!o->kernel) {
        error_report("there is nothing to run; give a kernel with -kernel FILE (armlet --help lists the options)");
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}

void options_free(struct options *o)
{
    free(o->serial_path);
    o->serial_path = NULL;
    free(o->monitor);
    o->monitor = NULL;
    board_config_free(&o->board);
}
