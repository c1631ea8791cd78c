/*
 * main.c: the agent's life: file systems, configuration, root, command, end.
 */
#include "agent.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void complain(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fprintf(stderr, "armlet: %s\n", line); /* the host shows the console's last lines when the guest ends before the command has */
}

void power_off(void)
{
    sync();
    for (;;) {
        reboot(RB_POWER_OFF);
        pause();
    }
}

void die(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    complain("%s", line);
    power_off();
}

static void load_module(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "/modules/%s.ko", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    syscall(SYS_finit_module, fd, "", 0); /* that it is there already is no error; what needs it says what is missing */
    close(fd);
}

static void load_modules(const char *group)
{
    char path[256], name[128];
    snprintf(path, sizeof(path), "/modules/%s.order", group);
    FILE *f = fopen(path, "re");
    if (!f) {
        complain("the initramfs has no modules '%s'", group);
        return;
    }
    while (fgets(name, sizeof(name), f)) {
        name[strcspn(name, "\n")] = 0;
        load_module(name);
    }
    fclose(f);
}

/* Take `value` of "tag path" apart in place. */
static void add_share(struct config *c, char *value)
{
    char *path = strchr(value, ' ');
    if (!path || c->n_shares == MAX_SHARES)
        die("a share that cannot be mounted: '%s'", value);
    *path = 0;
    c->share[c->n_shares].tag = value;
    c->share[c->n_shares++].path = path + 1;
}

static void add_string(char **list, unsigned *n, char *value)
{
    if (*n == MAX_STRINGS)
        die("there are more than %d arguments or variables", MAX_STRINGS);
    list[(*n)++] = value;
}

void config_read(struct config *c)
{
    struct stat st;
    int fd = open(RUN_CONFIG_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        die("the initramfs has no %s", RUN_CONFIG_FILE);
    char *text = malloc((size_t)st.st_size + 1);
    if (!text || read(fd, text, (size_t)st.st_size) != st.st_size)
        die("%s cannot be read", RUN_CONFIG_FILE);
    close(fd);
    text[st.st_size] = 0;

    unsigned n_env = 0, n_arg = 0;
    c->root = "none";
    c->cwd = "/";
    for (char *key = text; key < text + st.st_size;) {
        char *next = key + strlen(key) + 1, *value = strchr(key, '=');
        if (!value)
            die("'%s' in %s has no value", key, RUN_CONFIG_FILE);
        *value++ = 0;
        if (!strcmp(key, "modules"))
            load_modules(value);
        else if (!strcmp(key, "root"))
            c->root = value;
        else if (!strcmp(key, "share"))
            add_share(c, value);
        else if (!strcmp(key, "network"))
            c->network = true;
        else if (!strcmp(key, "tty"))
            c->tty = sscanf(value, "%u %u", &c->rows, &c->cols) == 2;
        else if (!strcmp(key, "cwd"))
            c->cwd = value;
        else if (!strcmp(key, "env"))
            add_string(c->env, &n_env, value);
        else if (!strcmp(key, "arg"))
            add_string(c->arg, &n_arg, value);
        key = next;
    }
    if (!n_arg)
        die("there is no command to run");
}

int main(void)
{
    static struct config config;
    if (getpid() != 1) {
        fputs("armlet-agent: this is the init of a guest of armlet run\n", stderr);
        return 1;
    }
    system_start();
    config_read(&config);
    system_mount(&config);
    if (config.network)
        system_network();
    command_run(&config);
    power_off();
}
