/*
 * request.c: the command line of `armlet run`, and what it comes to: options for the machine, a configuration for the agent.
 *
 * Everything that `armlet` itself takes is taken here too and handed on as it is, so that devices, statistics and logs need no second
 * spelling.
 */
#include <errno.h>
#include <fcntl.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <hypervisor/run/impl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FALLBACK_SHARE "/mnt"

/* --- lists ----------------------------------------------------------------------------------------------------------------- */

void string_list_add(struct string_list *l, const char *fmt, ...)
{
    va_list ap;
    if (l->n + 1 >= l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        char **at = realloc(l->at, room * sizeof(*at));
        if (!at) {
            l->failed = true;
            return;
        }
        l->at = at;
        l->room = room;
    }
    va_start(ap, fmt);
    if (vasprintf(&l->at[l->n], fmt, ap) < 0)
        l->failed = true;
    else
        l->n++;
    va_end(ap);
    l->at[l->n] = NULL;
}

void string_list_free(struct string_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i]);
    free(l->at);
    *l = (struct string_list){0};
}

/* --- the command line ------------------------------------------------------------------------------------------------------ */

struct run_option {
    const char *name;
    const char *value_name; /* NULL: takes no value */
    const char *help;
    enum { TO_STRING, TO_TRUE, TO_LIST, TTY_ON, TTY_OFF, HELP } kind;
    size_t offset;
};

#define FIELD(f) offsetof(struct request, f)

static const struct run_option run_options[] = {
    {"root", "DISK|DIR", "root file system: an ext4 disk image (raw or qcow2) or a folder; otherwise busybox in memory", TO_STRING,
     FIELD(root)},
    {"snapshot", NULL, "leave the disk as it is: what the command writes to it is lost", TO_TRUE, FIELD(snapshot)},
    {"share", "DIR", "folder of the host that the guest sees, at the same path [current directory]", TO_STRING, FIELD(share)},
    {"no-share", NULL, "no folder of the host", TO_TRUE, FIELD(no_share)},
    {"network", NULL, "the user-mode network of -netdev user", TO_TRUE, FIELD(network)},
    {"memory", "SIZE", "guest memory [512M]", TO_STRING, FIELD(memory)},
    {"accel", "kvm|hosted|auto", "where the translator runs [auto]", TO_STRING, FIELD(accel)},
    {"env", "NAME=VALUE", "a variable of the command's environment; may be repeated", TO_LIST, FIELD(env)},
    {"tty", NULL, "give the command a terminal [if standard input and output are one]", TTY_ON, 0},
    {"no-tty", NULL, "give it pipes", TTY_OFF, 0},
    {"kernel", "FILE", "kernel [made by tools/mkrun]", TO_STRING, FIELD(kernel)},
    {"initrd", "FILE", "initramfs, which the agent is added to [made by tools/mkrun]", TO_STRING, FIELD(initramfs)},
    {"verbose", NULL, "show the guest's console on standard error", TO_TRUE, FIELD(verbose)},
    {"help", NULL, NULL, HELP, 0},
};

static int print_help(void)
{
    printf("Usage: armlet run [option]... [--] COMMAND [ARGUMENT]...\n\n"
           "Run a command in an ARM guest: in a folder of the host, with its input, output and exit code.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(run_options); i++) {
        const struct run_option *o = &run_options[i];
        char left[64];
        if (!o->help)
            continue;
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value_name ? " " : "", o->value_name ? o->value_name : "");
        printf("  %-28s%s\n", left, o->help);
    }
    printf("\nOther options of armlet (armlet --help) are taken as well.\n"
           "Ctrl-C goes to the command; three times within two seconds it ends armlet, and so does Ctrl-] on a terminal.\n"
           "Exit code: the command's; 125 if armlet or the guest failed, 126 if the command cannot be run, 127 if there is none of that "
           "name,\n"
           "128 + N if signal N ended it.\n");
    if (fflush(stdout) == 0 && !ferror(stdout))
        return REQUEST_DONE;
    error_report("standard output cannot be written: %s", strerror(errno));
    return REQUEST_BAD;
}

static const struct run_option *find(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(run_options); i++) {
        if (strlen(run_options[i].name) == n && !memcmp(run_options[i].name, name, n))
            return &run_options[i];
    }
    return NULL;
}

/* One option at argv[*i]; *i is left at its last word. */
static enum request_result take_option(struct request *q, int argc, char **argv, int *i)
{
    const char *arg = argv[*i], *name = arg + (arg[1] == '-' ? 2 : 1), *value = strchr(name, '=');
    const struct run_option *o = find(name, value ? (size_t)(value - name) : strlen(name));
    int arity = o ? (o->value_name && !value) : options_arity(arg);
    if (arity < 0 || (o && !o->value_name && value)) {
        error_report("unknown option '%s'; armlet run --help lists the options", arg);
        return REQUEST_BAD;
    }
    if (arity && ++*i == argc) {
        error_report("the option %s needs a value", arg);
        return REQUEST_BAD;
    }
    if (!o) {
        string_list_add(&q->options, "%s", arg);
        if (arity)
            string_list_add(&q->options, "%s", argv[*i]);
        return REQUEST_RUN;
    }
    const char *given = value ? value + 1 : argv[*i];
    switch (o->kind) {
    case TO_STRING:
        *(const char **)((char *)q + o->offset) = given;
        break;
    case TO_TRUE:
        *(bool *)((char *)q + o->offset) = true;
        break;
    case TO_LIST:
        if (!strchr(given, '=') || given[0] == '=') {
            error_report("'%s' is not a variable; --%s takes %s", given, o->name, o->value_name);
            return REQUEST_BAD;
        }
        string_list_add((struct string_list *)((char *)q + o->offset), "%s", given);
        break;
    case TTY_ON:
    case TTY_OFF:
        q->tty = o->kind == TTY_ON;
        break;
    case HELP:
        return (enum request_result)print_help();
    }
    return REQUEST_RUN;
}

enum request_result request_parse(struct request *q, int argc, char **argv)
{
    int i;
    *q = (struct request){.tty = -1, .memory = "512M", .accel = "auto"};
    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (!strcmp(argv[i], "--")) {
            i++;
            break;
        }
        enum request_result r = take_option(q, argc, argv, &i);
        if (r != REQUEST_RUN)
            return r;
    }
    q->command = argv + i;
    if (!q->command[0]) {
        error_report("there is no command to run; armlet run takes [option]... [--] COMMAND [ARGUMENT]...");
        return REQUEST_BAD;
    }
    if (q->share && q->no_share) {
        error_report("--share and --no-share contradict each other");
        return REQUEST_BAD;
    }
    return REQUEST_RUN;
}

void request_free(struct request *q)
{
    string_list_free(&q->env);
    string_list_free(&q->options);
}

/* --- what it comes to -------------------------------------------------------------------------------------------------------- */

/* The file `name` that tools/mkrun made. */
static int cached_file(char *path, size_t cap, const char *given, const char *name)
{
    const char *cache = getenv("ARMLET_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n;
    if (given)
        n = snprintf(path, cap, "%s", given);
    else if (cache && *cache)
        n = snprintf(path, cap, "%s/run/%s", cache, name);
    else if (xdg && *xdg)
        n = snprintf(path, cap, "%s/armlet/run/%s", xdg, name);
    else
        n = snprintf(path, cap, "%s/.cache/armlet/run/%s", home ? home : "", name);
    if (n < 0 || (size_t)n >= cap) {
        error_report("the path of the guest's %s is too long", name);
        return -1;
    }
    if (access(path, R_OK) == 0)
        return 0;
    if (given)
        error_report("the file '%s' cannot be read: %s", path, strerror(errno));
    else
        error_report("there is no guest for armlet run at %s; tools/mkrun makes one", path);
    return -1;
}

/* A value in a key=value list: commas are doubled. buf holds twice the text. */
static const char *escape_commas(char *buf, const char *text)
{
    char *to = buf;
    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = 0;
    return buf;
}

static void add_virtfs(struct plan *p, const char *dir, const char *tag)
{
    char escaped[2 * PATH_MAX];
    string_list_add(&p->argv, "-virtfs");
    string_list_add(&p->argv, "local,path=%s,mount_tag=%s,security_model=none", escape_commas(escaped, dir), tag);
}

static bool is_qcow2(const char *file)
{
    char magic[4] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool is = fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) && !memcmp(magic, "QFI\xfb", sizeof(magic));
    if (fd >= 0)
        close(fd);
    return is;
}

static int add_root(struct plan *p, const struct request *q)
{
    struct stat st;
    if (!q->root) {
        if (!q->snapshot)
            return 0;
        error_report("--snapshot needs --root with a disk");
        return -1;
    }
    if (stat(q->root, &st) < 0) {
        error_report("the root '%s' cannot be used: %s", q->root, strerror(errno));
        return -1;
    }
    if (S_ISDIR(st.st_mode)) {
        if (q->snapshot) {
            error_report("--snapshot needs a disk, and '%s' is a folder", q->root);
            return -1;
        }
        add_virtfs(p, q->root, "root");
        string_list_add(&p->config, "modules=share");
        string_list_add(&p->config, "root=9p:root");
    } else {
        char escaped[2 * PATH_MAX];
        string_list_add(&p->argv, "-drive");
        string_list_add(&p->argv, "file=%s,format=%s,if=virtio%s", escape_commas(escaped, q->root), is_qcow2(q->root) ? "qcow2" : "raw",
                        q->snapshot ? ",snapshot=on" : "");
        string_list_add(&p->config, "modules=disk");
        string_list_add(&p->config, "root=disk");
    }
    return 0;
}

/* May a folder be mounted at this path of the guest without hiding what the guest itself lives on? */
static bool usable_mount_point(const char *path)
{
    static const char *const taken[] = {"/",     "/bin", "/dev", "/etc",     "/lib",     "/modules",  "/proc", "/run",
                                        "/sbin", "/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/sbin", "/var"};
    static const char *const below[] = {"/proc/", "/sys/", "/dev/"};
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        if (!strcmp(path, taken[i]))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        if (!strncmp(path, below[i], strlen(below[i])))
            return false;
    }
    return true;
}

/* The shared folder, and the directory in which the command starts: the current one where the share has it. */
static int add_share(struct plan *p, const struct request *q)
{
    char share[PATH_MAX], here[PATH_MAX];
    struct stat st;
    if (q->no_share) {
        string_list_add(&p->config, "cwd=/");
        return 0;
    }
    if (!realpath(q->share ? q->share : ".", share) || stat(share, &st) < 0 || (!S_ISDIR(st.st_mode) && (errno = ENOTDIR))) {
        error_report("the folder '%s' cannot be shared: %s", q->share ? q->share : ".", strerror(errno));
        return -1;
    }
    if (!realpath(".", here))
        snprintf(here, sizeof(here), "%s", share);
    const char *at = usable_mount_point(share) ? share : FALLBACK_SHARE;
    size_t n = strcmp(share, "/") ? strlen(share) : 0;
    bool inside = !strncmp(here, share, n) && (here[n] == 0 || here[n] == '/');
    add_virtfs(p, share, "share");
    string_list_add(&p->config, "modules=share");
    string_list_add(&p->config, "share=share %s", at);
    string_list_add(&p->config, "cwd=%s%s", at, inside ? here + n : "");
    return 0;
}

static void add_environment(struct plan *p, const struct request *q)
{
    const char *term = getenv("TERM");
    bool path = false, home = false;
    for (size_t i = 0; i < q->env.n; i++) {
        string_list_add(&p->config, "env=%s", q->env.at[i]);
        path |= !strncmp(q->env.at[i], "PATH=", 5);
        home |= !strncmp(q->env.at[i], "HOME=", 5);
    }
    if (!path)
        string_list_add(&p->config, "env=PATH=" DEFAULT_PATH);
    if (!home)
        string_list_add(&p->config, "env=HOME=/root");
    if (p->tty)
        string_list_add(&p->config, "env=TERM=%s", term && *term ? term : "linux");
}

int plan_make(struct plan *p, const struct request *q, int initrd_fd, int serial_fd)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    *p = (struct plan){.tty = q->tty >= 0 ? q->tty : isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    if (cached_file(p->kernel, sizeof(p->kernel), q->kernel, "kernel") < 0 ||
        cached_file(p->initramfs, sizeof(p->initramfs), q->initramfs, "initramfs") < 0)
        return -1;

    const char *const fixed[] = {"armlet",     "-accel",  q->accel,  "-m",      q->memory,
                                 "-no-reboot", "-kernel", p->kernel, "-device", "virtio-rng-device"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        string_list_add(&p->argv, "%s", fixed[i]);
    string_list_add(&p->argv, "-initrd");
    string_list_add(&p->argv, "/proc/self/fd/%d", initrd_fd);
    string_list_add(&p->argv, "-serial");
    string_list_add(&p->argv, "file:/proc/self/fd/%d", serial_fd);
    string_list_add(&p->argv, "-append");
    string_list_add(&p->argv, "console=ttyAMA0 panic=-1%s", q->verbose ? "" : " quiet");

    string_list_add(&p->config, "modules=base");
    if (add_root(p, q) < 0 || add_share(p, q) < 0)
        return -1;
    if (q->network) {
        string_list_add(&p->argv, "-netdev");
        string_list_add(&p->argv, "user,id=armlet-run");
        string_list_add(&p->argv, "-device");
        string_list_add(&p->argv, "virtio-net-device,netdev=armlet-run");
        string_list_add(&p->config, "modules=network");
        string_list_add(&p->config, "network=user");
    }
    if (p->tty) {
        ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
        string_list_add(&p->config, "tty=%u %u", size.ws_row, size.ws_col);
    }
    add_environment(p, q);
    for (char **c = q->command; *c; c++)
        string_list_add(&p->config, "arg=%s", *c);
    for (size_t i = 0; i < q->options.n; i++)
        string_list_add(&p->argv, "%s", q->options.at[i]);
    if (p->argv.failed || p->config.failed || q->options.failed || q->env.failed) {
        error_report("there is no memory for the command line");
        return -1;
    }
    return 0;
}

void plan_free(struct plan *p)
{
    string_list_free(&p->argv);
    string_list_free(&p->config);
}
