/*
 * symbols.c: see symbols.h.
 */
#include <armlet/base.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/symbols.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
    uint32_t addr;
    char *name;
};

struct symbols {
    struct symbol *list;
    size_t n, room;
};

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Only code; not the $a, $t and $d that mark instruction sets. */
static bool is_function(char type, const char *name)
{
    return strchr("tTwW", type) && name[0] != '$';
}

static bool add(struct symbols *s, uint32_t addr, const char *name)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 4096;
        struct symbol *list = realloc(s->list, room * sizeof(*list));
        if (!list)
            return false;
        s->list = list;
        s->room = room;
    }
    s->list[s->n] = (struct symbol){addr, strdup(name)};
    return s->list[s->n++].name != NULL;
}

struct symbols *symbols_load(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        error_report("cannot read the symbols in '%s': %s", path, strerror(errno));
        return NULL;
    }
    struct symbols *s = calloc(1, sizeof(*s));
    char line[1024], name[512], type;
    uint64_t addr;
    bool ok = s != NULL;
    while (ok && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%" SCNx64 " %c %511s", &addr, &type, name) == 3 && addr && addr <= UINT32_MAX && is_function(type, name))
            ok = add(s, (uint32_t)addr, name);
    }
    fclose(f);
    if (!ok) {
        error_report("there is no memory for the symbols in '%s'", path);
    } else if (s->n == 0) {
        error_report("there are no functions in '%s'; --symbols takes a System.map or a /proc/kallsyms read by root", path);
        ok = false;
    }
    if (!ok) {
        symbols_free(s);
        return NULL;
    }
    qsort(s->list, s->n, sizeof(*s->list), by_address);
    return s;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->list[i].name);
    free(s->list);
    free(s);
}

const char *symbols_find(const struct symbols *s, uint32_t addr)
{
    if (!s || addr < s->list[0].addr)
        return NULL;
    size_t lo = 0, hi = s->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->list[mid].addr <= addr)
            lo = mid;
        else
            hi = mid;
    }
    return s->list[lo].name;
}
