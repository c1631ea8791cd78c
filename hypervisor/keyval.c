/*
 * keyval.c: see keyval.h.
 */
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/keyval.h>
#include <hypervisor/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- parsing ---------------------------------------------------------------------------------------------------------------------- */

/* Cut the element at *p off its list, in place, `,,` becoming a comma; *p is left behind it, NULL after the last. */
static char *cut(char **p)
{
    char *start = *p, *to = start, *from = start;
    while (*from && (from[0] != ',' || from[1] == ',')) {
        from += from[0] == ',';
        *to++ = *from++;
    }
    *p = *from ? from + 1 : NULL;
    *to = 0;
    return start;
}

int keyval_parse(struct keyval *kv, const char *what, const char *text, const char *implied)
{
    size_t most = 1;
    for (const char *p = text; *p; p++)
        most += *p == ',';
    *kv = (struct keyval){.text = strdup(text), .pair = calloc(most, sizeof(*kv->pair))};
    if (!kv->text || !kv->pair) {
        error_report("there is no memory for the command line");
        goto fail;
    }
    for (char *p = kv->text; p;) {
        char *word = cut(&p), *value = strchr(word, '=');
        bool first = word == kv->text;
        if (!*word || value == word) {
            error_report("%s %s: %s", what, text, *word ? "a value has no key before it" : "a key is missing beside a comma");
            goto fail;
        }
        struct keyval_pair *e = &kv->pair[kv->n++];
        if (value) {
            *value = 0;
            *e = (struct keyval_pair){word, value + 1};
        } else if (first && implied) {
            *e = (struct keyval_pair){implied, word};
        } else {
            *e = (struct keyval_pair){word, "on"};
        }
    }
    return 0;
fail:
    keyval_free(kv);
    return -1;
}

void keyval_free(struct keyval *kv)
{
    free(kv->text);
    free(kv->pair);
    *kv = (struct keyval){0};
}

/* --- checking --------------------------------------------------------------------------------------------------------------------- */

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (!strcmp(text, words[i])) {
            *out = i & 1;
            return true;
        }
    }
    return false;
}

/* Numbers and sizes; a number is a size without suffix. */
static bool parse_number(const char *text, bool size, uint64_t *out)
{
    size_t n = strlen(text);
    bool hex = !strncmp(text, "0x", 2) || !strncmp(text, "0X", 2);
    if (!size && (n == 0 || (!hex && (text[n - 1] < '0' || text[n - 1] > '9'))))
        return false;
    if (!size && hex) {
        char *end;
        errno = 0;
        *out = strtoull(text, &end, 16);
        return !errno && !*end && n > 2;
    }
    return options_parse_size(text, 1, out);
}

static bool is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && !memcmp(p, value, n))
            return true;
        p += len + (p[len] == '|');
    }
    return false;
}

static int check_value(const char *what, const struct key_desc *d, const char *value)
{
    bool yes;
    uint64_t n;
    switch (d->type) {
    case KEY_TEXT:
        if (*value)
            return 0;
        error_report("%s: %s= is empty", what, d->name);
        return -1;
    case KEY_BOOL:
        if (parse_bool(value, &yes))
            return 0;
        error_report("%s: %s takes on or off, not '%s'", what, d->name, value);
        return -1;
    case KEY_CHOICE:
        if (is_choice(d->choices, value))
            return 0;
        error_report("%s: %s takes %s, not '%s'", what, d->name, d->choices, value);
        return -1;
    case KEY_NUMBER:
    case KEY_SIZE:
        if (!parse_number(value, d->type == KEY_SIZE, &n)) {
            error_report("%s: %s takes a %s, not '%s'", what, d->name, d->type == KEY_SIZE ? "size such as 64K or 2G" : "number", value);
            return -1;
        }
        if (n < d->min || (d->max && n > d->max)) {
            if (d->max)
                error_report("%s: %s=%s is not between %llu and %llu", what, d->name, value, (unsigned long long)d->min,
                             (unsigned long long)d->max);
            else
                error_report("%s: %s=%s is less than %llu", what, d->name, value, (unsigned long long)d->min);
            return -1;
        }
    }
    return 0;
}

static const struct key_desc *find_key(const struct key_desc *keys, const char *name)
{
    for (; keys && keys->name; keys++) {
        if (!strcmp(keys->name, name))
            return keys;
    }
    return NULL;
}

static void report_unknown(const char *what, const char *name, const struct key_desc *keys)
{
    char known[512];
    size_t n = 0;
    known[0] = 0;
    for (; keys && keys->name; keys++) {
        int more = snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", keys->name);
        if (more < 0 || (size_t)more >= sizeof(known) - n) {
            known[n] = 0;
            break;
        }
        n += (size_t)more;
    }
    error_report("%s does not know '%s'%s%s", what, name, n ? "; it takes " : "", known);
}

int keyval_check(const struct keyval *kv, const char *what, const struct key_desc *keys, const struct key_desc *also)
{
    for (unsigned i = 0; i < kv->n; i++) {
        const struct keyval_pair *e = &kv->pair[i];
        const struct key_desc *d = find_key(keys, e->key);
        if (!d)
            d = find_key(also, e->key);
        if (!d) {
            report_unknown(what, e->key, keys);
            return -1;
        }
        for (unsigned j = 0; j < i && !(d->flags & KEY_REPEAT); j++) {
            if (!strcmp(kv->pair[j].key, e->key)) {
                error_report("%s: %s is given twice", what, e->key);
                return -1;
            }
        }
        if (check_value(what, d, e->value) < 0)
            return -1;
    }
    for (const struct key_desc *d = keys; d && d->name; d++) {
        if (d->flags & KEY_REQUIRED && !keyval_get(kv, d->name)) {
            error_report("%s needs %s=...%s%s%s", what, d->name, d->help ? " (" : "", d->help ? d->help : "", d->help ? ")" : "");
            return -1;
        }
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------------- */

const char *keyval_next(const struct keyval *kv, const char *key, unsigned *at)
{
    while (*at < kv->n) {
        const struct keyval_pair *e = &kv->pair[(*at)++];
        if (!strcmp(e->key, key))
            return e->value;
    }
    return NULL;
}

const char *keyval_get(const struct keyval *kv, const char *key)
{
    unsigned at = 0;
    return keyval_next(kv, key, &at);
}

bool keyval_bool(const struct keyval *kv, const char *key, bool otherwise)
{
    const char *v = keyval_get(kv, key);
    if (v)
        parse_bool(v, &otherwise);
    return otherwise;
}

uint64_t keyval_number(const struct keyval *kv, const char *key, uint64_t otherwise)
{
    const char *v = keyval_get(kv, key);
    if (v)
        parse_number(v, true, &otherwise);
    return otherwise;
}
