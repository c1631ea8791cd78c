/*
 * keyval.h: option values of the form word,key=value,key=value as QEMU has them: `,,` is a comma inside a value, a key without value means
 * "on".
 *
 * A list is parsed once, checked against a table of the keys that may occur, and then read with getters that cannot fail.
 */
#ifndef HYPERVISOR_KEYVAL_H
#define HYPERVISOR_KEYVAL_H

#include <armlet/base.h>

struct keyval {
    unsigned n;
    char *text; /* owns the strings */
    struct keyval_pair {
        const char *key, *value;
    } * pair;
};

enum key_type {
    KEY_TEXT,   /* not empty */
    KEY_BOOL,   /* on or off (yes, no, true, false) */
    KEY_NUMBER, /* decimal or 0x..., min to max */
    KEY_SIZE,   /* bytes, or with suffix K, M, G, T; min to max */
    KEY_CHOICE, /* one of choices */
};

#define KEY_REQUIRED 1u
#define KEY_REPEAT   2u /* may be given several times, others only once */

/* A table of keys ends with a row without a name. */
struct key_desc {
    const char *name;
    enum key_type type;
    unsigned flags;
    const char *help;    /* for -OPTION help */
    const char *choices; /* KEY_CHOICE: "raw|qcow2" */
    uint64_t min, max;   /* KEY_NUMBER, KEY_SIZE; max 0: no limit */
};

/*
 * Parse `text`. implied: the key of a first word without '=' (NULL: there is none). `what` ("-drive") begins the message. 0; -1 after a
 * message, then *kv is empty.
 */
int keyval_parse(struct keyval *kv, const char *what, const char *text, const char *implied);
void keyval_free(struct keyval *kv);

/* Unknown, repeated, missing keys, bad values: 0, or -1 after one sentence. The keys named in `also` (may be NULL) are allowed too. */
int keyval_check(const struct keyval *kv, const char *what, const struct key_desc *keys, const struct key_desc *also);

/* The value, or NULL. */
const char *keyval_get(const struct keyval *kv, const char *key);
/* Values of a key that may be repeated: start with *at = 0; NULL at the end. */
const char *keyval_next(const struct keyval *kv, const char *key, unsigned *at);
/* Of a list that keyval_check() has passed. */
bool keyval_bool(const struct keyval *kv, const char *key, bool otherwise);
uint64_t keyval_number(const struct keyval *kv, const char *key, uint64_t otherwise); /* KEY_NUMBER, KEY_SIZE */

#endif
