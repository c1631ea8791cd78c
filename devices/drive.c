/*
 * drive.c: -drive, and -device virtio-blk-device: disk images on the command line.
 *
 * -drive opens the image; with if=virtio (the default) it makes the disk too, with if=none a -device virtio-blk-device,drive=ID does.
 */
#include <devices/virtio/blk.h>
#include <hypervisor/error.h>
#include <stdlib.h>
#include <string.h>

struct drive {
    struct block *block;
    struct virtio_blk_options blk;
};

static const struct key_desc drive_keys[] = {
    {"file", KEY_TEXT, KEY_REQUIRED, "the image: a file or block device", NULL, 0, 0},
    {"format", KEY_CHOICE, 0, "what it is; not given: qcow2 if it looks so, else raw", "raw|qcow2", 0, 0},
    {"if", KEY_CHOICE, 0, "virtio: a disk; none: for a -device [virtio]", "virtio|none", 0, 0},
    {"media", KEY_CHOICE, 0, "cdrom: as readonly=on [disk]", "disk|cdrom", 0, 0},
    {"index", KEY_NUMBER, 0, "accepted; disks come in the order of the command line", NULL, 0, 0},
    {"readonly", KEY_BOOL, 0, "the guest cannot write [off]", NULL, 0, 0},
    {"snapshot", KEY_BOOL, 0, "what the guest writes is forgotten at the end [off]", NULL, 0, 0},
    {"cache", KEY_CHOICE, 0, "how the host caches it [writeback]", "writeback|none|writethrough|directsync|unsafe", 0, 0},
    {"aio", KEY_CHOICE, 0, "how disk I/O is done [io_uring where the host has it]", "io_uring|threads|native", 0, 0},
    {"discard", KEY_CHOICE, 0, "what the guest discards is given back to the host, or not [unmap]", "unmap|on|ignore|off", 0, 0},
    {"serial", KEY_TEXT, 0, "serial number that the guest sees", NULL, 0, 0},
    {"werror", KEY_CHOICE, 0, "failed writes: the guest gets an I/O error", "report", 0, 0},
    {"rerror", KEY_CHOICE, 0, "failed reads: likewise", "report", 0, 0},
    {0},
};

/* Number of the key's value among its choices, `otherwise` when it was not given. */
static unsigned choice(const struct board_item *it, const char *key, unsigned otherwise)
{
    const struct key_desc *d = it->kind->keys;
    const char *value = keyval_get(&it->kv, key);
    while (strcmp(d->name, key))
        d++;
    unsigned n = 0;
    for (const char *p = d->choices; value && *p; n++) {
        size_t len = strcspn(p, "|");
        if (len == strlen(value) && !memcmp(p, value, len))
            return n;
        p += len + (p[len] == '|');
    }
    return otherwise;
}

static void drive_destroy(void *backend)
{
    struct drive *d = backend;
    block_close(d->block);
    free(d);
}

static int drive_backend(struct board *b, const struct board_item *it)
{
    static const enum block_format formats[] = {BLOCK_FORMAT_RAW, BLOCK_FORMAT_QCOW2, BLOCK_FORMAT_PROBE};
    static const enum block_cache caches[] = {BLOCK_CACHE_WRITEBACK, BLOCK_CACHE_NONE, BLOCK_CACHE_WRITETHROUGH, BLOCK_CACHE_DIRECTSYNC,
                                              BLOCK_CACHE_UNSAFE};
    static const enum aio_engine engines[] = {AIO_ENGINE_URING, AIO_ENGINE_THREADS, AIO_ENGINE_URING, AIO_ENGINE_AUTO};
    const struct block_options o = {
        .file = keyval_get(&it->kv, "file"),
        .format = formats[choice(it, "format", 2)],
        .cache = caches[choice(it, "cache", 0)],
        .aio = engines[choice(it, "aio", 3)],
        .read_only = keyval_bool(&it->kv, "readonly", false) || choice(it, "media", 0) == 1,
        .snapshot = keyval_bool(&it->kv, "snapshot", false),
        .discard = choice(it, "discard", 0) < 2,
    };
    const char *serial = keyval_get(&it->kv, "serial");
    struct drive *d = calloc(1, sizeof(*d));
    if (!d) {
        error_report("drive '%s': no memory", o.file);
        return -1;
    }
    d->blk = (struct virtio_blk_options){
        .name = o.file,
        .serial = serial ? serial : "",
        .aio = o.aio,
        .write_cache = o.cache != BLOCK_CACHE_WRITETHROUGH && o.cache != BLOCK_CACHE_DIRECTSYNC,
    };
    d->block = block_open(&o);
    if (!d->block) {
        free(d);
        return -1;
    }
    return board_add_backend(b, it, d, drive_destroy);
}

static int add_disk(struct board *b, const struct board_item *it, const char *id, const char *serial)
{
    struct drive *d = board_take_backend(b, it, "drive", id);
    if (!d)
        return -1;
    struct virtio_blk_options o = d->blk;
    if (serial)
        o.serial = serial;
    return virtio_blk_add(b, it, d->block, &o);
}

static int drive_device(struct board *b, const struct board_item *it)
{
    return choice(it, "if", 0) == 0 ? add_disk(b, it, it->id, NULL) : 0;
}

const struct device_kind drive_kind = {
    .option = "drive",
    .help = "a disk image",
    .keys = drive_keys,
    .backend = drive_backend,
    .device = drive_device,
};

static const struct key_desc blk_keys[] = {
    {"drive", KEY_TEXT, KEY_REQUIRED, "id of a -drive with if=none", NULL, 0, 0},
    {"serial", KEY_TEXT, 0, "serial number that the guest sees", NULL, 0, 0},
    {"bootindex", KEY_NUMBER, 0, "accepted; the kernel is given with -kernel", NULL, 0, 0},
    {0},
};

static int blk_device(struct board *b, const struct board_item *it)
{
    return add_disk(b, it, keyval_get(&it->kv, "drive"), keyval_get(&it->kv, "serial"));
}

const struct device_kind virtio_blk_kind = {
    .option = "device",
    .name = "virtio-blk-device",
    .help = "a disk with the image of a -drive",
    .keys = blk_keys,
    .device = blk_device,
};
