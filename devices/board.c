/*
 * board.c: see board.h.
 */
#include <armlet/abi.h>
#include <devices/board.h>
#include <devices/net/net.h>
#include <errno.h>
#include <hypervisor/bus.h>
#include <hypervisor/error.h>
#include <hypervisor/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND(name) extern const struct device_kind name;
#include <devices/kinds.def>
#undef KIND

static const struct device_kind *const kinds[] = {
#define KIND(name) &name,
#include <devices/kinds.def>
#undef KIND
};

/* The options, and the key whose value, the first word, names the kind. */
static const struct board_option {
    const char *option, *kind_key, *noun;
} board_options[] = {
    {"drive", NULL, "drive"},
    {"netdev", "type", "network"},
    {"nic", "type", "network"},
    {"virtfs", "fsdriver", "shared folder"},
    {"chardev", "backend", "character device"},
    {"fsdev", "fsdriver", "shared folder"},
    {"device", "driver", "device"},
};

static const struct key_desc common_keys[] = {
    {"id", KEY_TEXT, 0, "name for other options to refer to", NULL, 0, 0},
    {"driver", KEY_TEXT, 0, NULL, NULL, 0, 0},
    {"type", KEY_TEXT, 0, NULL, NULL, 0, 0},
    {"backend", KEY_TEXT, 0, NULL, NULL, 0, 0},
    {"fsdriver", KEY_TEXT, 0, NULL, NULL, 0, 0},
    {0},
};

/* --- the command line ---------------------------------------------------------------------------------------------------------------- */

static const struct board_option *find_option(const char *option)
{
    const struct board_option *o = board_options;
    while (strcmp(o->option, option))
        o++;
    return o;
}

/* A model without the bus it is on: QEMU's scripts may say virtio-rng-pci or virtio-rng, here all virtio is on virtio-mmio. */
static size_t stem(const char *model)
{
    static const char *const suffix[] = {"-device", "-pci", "-pci-non-transitional"};
    size_t n = strlen(model);
    for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
        size_t s = strlen(suffix[i]);
        if (n > s && !strcmp(model + n - s, suffix[i]))
            return n - s;
    }
    return n;
}

static const struct device_kind *find_kind(const struct board_option *o, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct device_kind *k = kinds[i];
        if (strcmp(k->option, o->option))
            continue;
        if (!k->name)
            return k;
        if (!name)
            continue;
        if (!strcmp(k->name, name) || (!strcmp(o->option, "device") && stem(k->name) == stem(name) && !memcmp(k->name, name, stem(name))))
            return k;
    }
    return NULL;
}

static void print_keys(const struct key_desc *keys)
{
    static const char *const form[] = {[KEY_TEXT] = "TEXT", [KEY_BOOL] = "on|off", [KEY_NUMBER] = "N", [KEY_SIZE] = "SIZE"};
    for (; keys && keys->name; keys++) {
        char left[96];
        snprintf(left, sizeof(left), "%s=%s", keys->name, keys->type == KEY_CHOICE ? keys->choices : form[keys->type]);
        printf("      %-28s %s%s%s\n", left, keys->help ? keys->help : "", keys->flags & KEY_REQUIRED ? " (must be given)" : "",
               keys->flags & KEY_REPEAT ? " (may be given several times)" : "");
    }
}

/* All kinds of an option, or one. */
static int print_help(const struct board_option *o, const struct device_kind *only)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const struct device_kind *k = kinds[i];
        if (strcmp(k->option, o->option) || (only && only != k))
            continue;
        printf("  -%s%s%s: %s\n", k->option, k->name ? " " : "", k->name ? k->name : "", k->help);
        print_keys(k->keys);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 1;
    error_report("standard output cannot be written: %s", strerror(errno));
    return -1;
}

static void report_no_kind(const struct board_option *o, const char *name)
{
    char known[512];
    size_t n = 0;
    known[0] = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i]->option, o->option))
            continue;
        int more = snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", kinds[i]->name);
        if (more < 0 || (size_t)more >= sizeof(known) - n)
            break;
        n += (size_t)more;
    }
    if (!n)
        error_report("this build has no %s; -%s is not possible", o->noun, o->option);
    else if (name)
        error_report("there is no %s '%s'; -%s takes %s", o->noun, name, o->option, known);
    else
        error_report("-%s must begin with what it is: %s", o->option, known);
}

static bool wants_help(const struct keyval *kv, const char *kind_key)
{
    for (unsigned i = 0; i < kv->n; i++) {
        if (!strcmp(kv->pair[i].key, "help") || (kind_key && !strcmp(kv->pair[i].key, kind_key) && !strcmp(kv->pair[i].value, "help")))
            return true;
    }
    return false;
}

static int take_id(struct board_config *c, struct board_item *it)
{
    const char *option = it->kind->option;
    unsigned nth = 0;
    it->id = keyval_get(&it->kv, "id");
    for (unsigned i = 0; i < c->n; i++) {
        if (strcmp(c->item[i]->kind->option, option))
            continue;
        nth++;
        if (it->id && !strcmp(it->id, c->item[i]->id)) {
            error_report("%s: the id '%s' is taken by another -%s", it->what, it->id, option);
            return -1;
        }
    }
    if (!it->id) {
        snprintf(it->own_id, sizeof(it->own_id), "#%s%u", option, nth);
        it->id = it->own_id;
    }
    return 0;
}

int board_config_add(struct board_config *c, const char *option, const char *text)
{
    const struct board_option *o = find_option(option);
    struct board_item *it = calloc(1, sizeof(*it));
    int result = -1;
    if (!it) {
        error_report("there is no memory for the command line");
        return -1;
    }
    snprintf(it->what, sizeof(it->what), "-%s", option);
    if (keyval_parse(&it->kv, it->what, text, o->kind_key) < 0)
        goto out;
    const char *name = o->kind_key ? keyval_get(&it->kv, o->kind_key) : NULL;
    it->kind = find_kind(o, name);
    if (wants_help(&it->kv, o->kind_key)) {
        result = print_help(o, it->kind);
        goto out;
    }
    if (!it->kind) {
        report_no_kind(o, name);
        goto out;
    }
    if (name)
        snprintf(it->what, sizeof(it->what), "-%s %s", option, name);
    if (c->n == BOARD_ITEMS_MAX) {
        error_report("there are more than %d devices on the command line", BOARD_ITEMS_MAX);
        goto out;
    }
    if (keyval_check(&it->kv, it->what, it->kind->keys, common_keys) < 0 || take_id(c, it) < 0)
        goto out;
    c->item[c->n++] = it;
    return 0;
out:
    keyval_free(&it->kv);
    free(it);
    return result;
}

void board_config_free(struct board_config *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        keyval_free(&c->item[i]->kv);
        free(c->item[i]);
    }
    c->n = 0;
}

/* --- for the kinds -------------------------------------------------------------------------------------------------------------- */

struct virtio *board_add_virtio(struct board *b, const struct board_item *it, const struct virtio_class *class, void *dev)
{
    unsigned n = VIRTIO_MMIO_SLOTS;
    while (n > 0 && b->slot[n - 1])
        n--;
    if (n == 0) {
        error_report("%s: all %u slots for devices are taken", it ? it->what : class->name, VIRTIO_MMIO_SLOTS);
        class->destroy(dev);
        return NULL;
    }
    n--;
    struct irq_line irq = b->irq;
    irq.spi = VIRTIO_MMIO_SPI + n;
    struct virtio *v = virtio_create(class, dev, b->mem, irq);
    if (!v) {
        class->destroy(dev);
        return NULL;
    }
    b->slot[n] = v; /* board_destroy()'s from here on */
    return bus_attach(b->bus, VIRTIO_MMIO_BASE + n * VIRTIO_MMIO_STRIDE, &virtio_mmio_desc, v) < 0 ? NULL : v;
}

int board_add_backend(struct board *b, const struct board_item *it, void *backend, void (*destroy)(void *backend))
{
    if (b->n_backends == BOARD_BACKENDS_MAX) {
        error_report("%s: there are too many backends", it->what);
        if (destroy)
            destroy(backend);
        return -1;
    }
    b->backend[b->n_backends++] = (struct board_backend){it->kind->option, it->id, backend, destroy, false};
    return 0;
}

void *board_take_backend(struct board *b, const struct board_item *it, const char *option, const char *id)
{
    for (unsigned i = 0; i < b->n_backends; i++) {
        struct board_backend *e = &b->backend[i];
        if (strcmp(e->option, option) || strcmp(e->id, id))
            continue;
        if (e->taken) {
            error_report("%s: the -%s '%s' is used by another device already", it->what, option, id);
            return NULL;
        }
        e->taken = true;
        return e->backend;
    }
    error_report("%s: there is no -%s with id=%s", it->what, option, id);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------------------------- */

/* One device for all ports, of the command line and of the program. */
static int add_console(struct board *b)
{
    for (unsigned i = 0; i < b->opt->n_console_ports; i++) {
        if (b->n_console_ports == VIRTIO_CONSOLE_MAX_PORTS) {
            error_report("there are more than %u ports of the virtio console", VIRTIO_CONSOLE_MAX_PORTS);
            return -1;
        }
        b->console_port[b->n_console_ports++] = b->opt->console_ports[i];
    }
    if (!b->n_console_ports)
        return 0;
    struct virtio_console *c = virtio_console_create(b->console_port, b->n_console_ports);
    return c && board_add_virtio(b, NULL, &virtio_console_class, c) ? 0 : -1;
}

int board_create(struct board *b)
{
    const struct board_config *c = &b->opt->board;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->item[i]->kind->backend && c->item[i]->kind->backend(b, c->item[i]) < 0)
            return -1;
    }
    for (unsigned i = 0; i < c->n; i++) {
        if (c->item[i]->kind->device && c->item[i]->kind->device(b, c->item[i]) < 0)
            return -1;
    }
    if (add_console(b) < 0)
        return -1;
    /* A guest that looks for devices slot by slot finds the others empty. */
    for (unsigned n = VIRTIO_MMIO_SLOTS; n > 0; n--) {
        if (!b->slot[n - 1] && bus_attach(b->bus, VIRTIO_MMIO_BASE + (n - 1) * VIRTIO_MMIO_STRIDE, &virtio_mmio_empty_desc, NULL) < 0)
            return -1;
    }
    return 0;
}

_Static_assert(VIRTIO_MMIO_SLOTS <= IRQ_STATUS_MAX, "a word for each slot");

void board_share_irq_status(struct board *b, struct irq_status *shared)
{
    *shared = (struct irq_status){
        .base = VIRTIO_MMIO_BASE + VIRTIO_MMIO_ISR, .stride = VIRTIO_MMIO_STRIDE, .n = VIRTIO_MMIO_SLOTS, .spi = VIRTIO_MMIO_SPI};
    for (unsigned n = 0; n < VIRTIO_MMIO_SLOTS; n++) {
        if (b->slot[n])
            virtio_share_isr(b->slot[n], &shared->word[n]);
    }
}

void board_destroy(struct board *b)
{
    for (unsigned n = VIRTIO_MMIO_SLOTS; n > 0; n--) {
        virtio_destroy(b->slot[n - 1]);
        b->slot[n - 1] = NULL;
    }
    while (b->n_backends > 0) {
        struct board_backend *e = &b->backend[--b->n_backends];
        if (e->destroy)
            e->destroy(e->backend);
    }
    net_destroy(b->net);
    b->net = NULL;
}
