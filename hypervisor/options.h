/*
 * options.h: the command line, spelled as QEMU's users know it.
 */
#ifndef HYPERVISOR_OPTIONS_H
#define HYPERVISOR_OPTIONS_H

#include <armlet/base.h>
#include <devices/board.h>

enum accel_choice { ACCEL_AUTO, ACCEL_KVM, ACCEL_HOSTED };

enum serial_kind {
    SERIAL_DEFAULT,   /* nothing said: as SERIAL_MON_STDIO */
    SERIAL_STDIO,     /* terminal escapes only when stdin is a terminal */
    SERIAL_MON_STDIO, /* terminal escapes always */
    SERIAL_FILE,
    SERIAL_UNIX,
    SERIAL_NULL,
};

struct options {
    enum accel_choice accel;
    uint64_t ram_size; /* bytes, multiple of 4 KiB */
    const char *kernel, *initrd, *dtb, *append;
    enum serial_kind serial;
    char *serial_path;      /* FILE, UNIX */
    bool serial_server;     /* UNIX: listen instead of connecting */
    bool serial_nowait;     /* UNIX server: do not wait for the first client */
    char *monitor;          /* path of the monitor's socket; NULL: no monitor */
    bool no_reboot;
    bool stats, count_insns;
    bool perf_map;
    const char *profile, *symbols; /* files, or NULL */
    uint64_t max_insns;     /* 0: no limit */
    uint32_t log_flags;     /* ENGINE_LOG_*, ENGINE_NO_CHAIN */
    const char *log_file;   /* -D */
    uint64_t code_cache;    /* bytes, multiple of 1 MiB */
    uint32_t views;
    uint32_t fault_around; /* 0: the accelerator's */
    uint32_t soft_after;
    uint32_t pic; /* enum engine_pic */
    struct board_config board; /* -drive, -netdev, -nic, -virtfs, -device */
    const struct virtio_console_port *console_ports; /* of a virtio console that no option names (armlet run); the caller's */
    unsigned n_console_ports;                        /* 0: no such device */
    bool quiet_choice;                               /* -accel auto does not say what it chose */
    struct run *run;                                 /* armlet run, which takes signals; NULL otherwise */
};

#define RAM_SIZE_DEFAULT     (512ull << 20)
#define RAM_SIZE_MIN         (1ull << 20)
#define CODE_CACHE_DEFAULT   (64ull << 20)
#define CODE_CACHE_MIN       (2ull << 20)
#define CODE_CACHE_MAX       (1024ull << 20)
#define VIEWS_DEFAULT        192u
#define SOFT_AFTER_DEFAULT   4u

enum options_result {
    OPTIONS_RUN,  /* go on */
    OPTIONS_DONE, /* --help or --version: printed; exit 0 */
    OPTIONS_BAD,  /* a sentence has been printed; exit 1 */
};

/* Parse argv. Strings in *o point into argv or are owned by *o (options_free). */
enum options_result options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

/* Does the option (with its dash) take the next argument as its value: 1, or 0; -1: there is no such option. */
int options_arity(const char *arg);

/* A size with suffix K, M, G or T (either case; without one: default_unit). False for anything else, also when it overflows. */
bool options_parse_size(const char *text, uint64_t default_unit, uint64_t *out);

#endif
