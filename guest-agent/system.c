/*
 * system.c: file systems, network and ports of the agent's guest.
 */
#include "agent.h"
#include <dirent.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEW_ROOT  "/newroot"
#define WAIT_MS   10000 /* for a device whose driver is loaded */
#define WAIT_STEP 1     /* ms */

static const struct kernel_mount {
    const char *type, *path;
    unsigned long flags;
    const char *data;
    bool required;
} kernel_mounts[] = {
    {"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
    {"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
    {"devtmpfs", "/dev", MS_NOSUID, NULL, true},
    {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666", false},
    {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false},
    {"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755", false},
};

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static void make_directories(const char *path)
{
    char part[4096];
    snprintf(part, sizeof(part), "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        mkdir(part, 0755);
        *p = '/';
    }
    mkdir(part, 0755);
}

/* All of them below `root`; those that are required must come about. */
static void mount_kernel_filesystems(const char *root)
{
    for (size_t i = 0; i < sizeof(kernel_mounts) / sizeof(kernel_mounts[0]); i++) {
        const struct kernel_mount *m = &kernel_mounts[i];
        char path[256];
        snprintf(path, sizeof(path), "%s%s", root, m->path);
        mkdir(path, 0755);
        if (mount(m->type, path, m->type, m->flags, m->data) < 0 && m->required && errno != EBUSY)
            die("%s cannot be mounted: %s", path, strerror(errno));
    }
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},
        {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s%s", root, links[i][1]);
        if (symlink(links[i][0], path) < 0 && errno != EEXIST)
            complain("no link %s: %s", path, strerror(errno));
    }
}

void system_start(void)
{
    umask(022);
    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
    int fd = open("/dev/console", O_RDWR | O_NOCTTY); /* there may be none; then messages are lost */
    for (int i = 0; i < 3; i++) {
        if (fd != i)
            dup2(fd, i);
    }
    if (fd > 2)
        close(fd);
    signal(SIGPIPE, SIG_IGN);
    mount_kernel_filesystems("");
    sethostname("armlet", 6);
    mkdir("/tmp", 01777);
    chmod("/tmp", 01777);
}

static void run_busybox(const char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        execv("/bin/busybox", (char *const *)argv);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static bool mount_9p(const char *tag, const char *path)
{
    /* mmap: shared writable mappings work, and reads are not cached beyond open files, so the host's changes are seen */
    return mount(tag, path, "9p", MS_NOATIME, "trans=virtio,version=9p2000.L,cache=mmap,msize=512000,access=any") == 0;
}

static bool looks_like_root(void)
{
    struct stat st;
    return stat(NEW_ROOT "/usr", &st) == 0 || stat(NEW_ROOT "/bin", &st) == 0 || stat(NEW_ROOT "/sbin", &st) == 0;
}

/* The first virtio disk with a root file system, whole or in its first partitions. */
static bool mount_disk(void)
{
    bool found = false;
    for (int waited = 0; waited < WAIT_MS && !found; waited += WAIT_STEP) {
        for (int part = 0; part < 10; part++) {
            char device[32], number[8] = "";
            if (part)
                snprintf(number, sizeof(number), "%d", part);
            snprintf(device, sizeof(device), "/dev/vda%s", number);
            if (access(device, F_OK) < 0)
                continue;
            found = true;
            if (mount(device, NEW_ROOT, "ext4", MS_NOATIME, NULL) < 0)
                continue;
            if (looks_like_root())
                return true;
            umount(NEW_ROOT);
        }
        if (!found)
            sleep_ms(WAIT_STEP);
    }
    complain(found ? "the disk holds no ext4 file system with a root" : "the disk did not appear");
    return false;
}

static void switch_root(void)
{
    mount_kernel_filesystems(NEW_ROOT);
    /* the initramfs stays underneath: nothing of it is reachable any more, and it costs little */
    if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        die("the root cannot be entered: %s", strerror(errno));
}

void system_mount(const struct config *c)
{
    if (!strcmp(c->root, "none")) {
        run_busybox((const char *const[]){"busybox", "--install", "-s", "/bin", NULL});
    } else {
        mkdir(NEW_ROOT, 0755);
        if (!strcmp(c->root, "disk")) {
            if (!mount_disk())
                power_off();
        } else if (!strncmp(c->root, "9p:", 3)) {
            if (!mount_9p(c->root + 3, NEW_ROOT))
                die("the root folder cannot be mounted: %s", strerror(errno));
        } else {
            die("there is no kind of root '%s'", c->root);
        }
        switch_root();
    }
    for (unsigned i = 0; i < c->n_shares; i++) {
        make_directories(c->share[i].path);
        if (!mount_9p(c->share[i].tag, c->share[i].path))
            die("the shared folder cannot be mounted at %s: %s", c->share[i].path, strerror(errno));
    }
}

/* libslirp's network is always the same, so there is nothing to ask for. */
static const struct {
    unsigned long request;
    uint32_t address;
} network_settings[] = {
    {SIOCSIFADDR, 0x0a00020f}, /* 10.0.2.15 */
    {SIOCSIFNETMASK, 0xffffff00},
};
#define NETWORK_GATEWAY 0x0a000202
#define NETWORK_RESOLV  "nameserver 10.0.2.3\n"

static struct sockaddr inet_address(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr a;
    memcpy(&a, &in, sizeof(a));
    return a;
}

static void interface_up(int fd, const char *name)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFFLAGS, &r) == 0) {
        r.ifr_flags |= IFF_UP;
        ioctl(fd, SIOCSIFFLAGS, &r);
    }
}

void system_network(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "eth0");
    interface_up(fd, "lo");
    for (int waited = 0; waited < WAIT_MS && ioctl(fd, SIOCGIFFLAGS, &r) < 0; waited += WAIT_STEP)
        sleep_ms(WAIT_STEP);
    for (size_t i = 0; i < sizeof(network_settings) / sizeof(network_settings[0]); i++) {
        r.ifr_addr = inet_address(network_settings[i].address);
        if (ioctl(fd, network_settings[i].request, &r) < 0)
            die("the network interface cannot be set up: %s", strerror(errno));
    }
    interface_up(fd, "eth0");
    struct rtentry route = {.rt_dst = inet_address(0),
                            .rt_genmask = inet_address(0),
                            .rt_gateway = inet_address(NETWORK_GATEWAY),
                            .rt_flags = RTF_UP | RTF_GATEWAY};
    if (ioctl(fd, SIOCADDRT, &route) < 0)
        die("the network has no route: %s", strerror(errno));
    close(fd);

    /* The root's own resolv.conf may be a link to what a resolver that does not run would have made; its disk is left as it is. */
    static const char path[] = "/etc/resolv.conf", ours[] = "/run/armlet-resolv.conf";
    char target[PATH_MAX];
    FILE *f = fopen(ours, "we");
    if (!f || fputs(NETWORK_RESOLV, f) < 0 || fclose(f) == EOF)
        die("%s cannot be written: %s", ours, strerror(errno));
    mkdir("/etc", 0755);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n > 0 && access(path, F_OK) < 0) {
        target[n] = 0;
        char absolute[PATH_MAX + 8];
        snprintf(absolute, sizeof(absolute), "%s%s", target[0] == '/' ? "" : "/etc/", target);
        *strrchr(absolute, '/') = 0;
        make_directories(absolute);
    }
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    if (mount(ours, path, NULL, MS_BIND, NULL) < 0)
        complain("no %s: %s", path, strerror(errno));
}

void system_settle(const struct config *c)
{
    sync();
    for (unsigned i = c->n_shares; i-- > 0;)
        umount2(c->share[i].path, MNT_DETACH);
    if (strcmp(c->root, "none")) {
        /* a process that was killed may take a moment to let go of what it had open for writing */
        for (int waited = 0; waited < 1000 && mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0; waited += 10)
            sleep_ms(10);
    }
    sync();
}

/* The device of the port of that name; false when there is none yet. */
static bool find_port(const char *name, char *device, size_t cap)
{
    DIR *d = opendir("/sys/class/virtio-ports");
    struct dirent *e;
    bool found = false;
    while (d && !found && (e = readdir(d))) {
        char path[512], text[64] = "";
        snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
        FILE *f = fopen(path, "re");
        if (!f)
            continue;
        if (fgets(text, sizeof(text), f)) {
            text[strcspn(text, "\n")] = 0;
            found = !strcmp(text, name);
            snprintf(device, cap, "/dev/%s", e->d_name);
        }
        fclose(f);
    }
    if (d)
        closedir(d);
    return found;
}

int port_open(const char *name)
{
    char device[300];
    for (int waited = 0; waited < WAIT_MS; waited += WAIT_STEP) {
        if (find_port(name, device, sizeof(device))) {
            int fd = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
            /* reading from a port that the host has not connected yet would look like its end */
            for (; fd >= 0 && waited < WAIT_MS; waited += WAIT_STEP) {
                struct pollfd p = {.fd = fd, .events = POLLOUT};
                if (poll(&p, 1, WAIT_STEP) > 0 && p.revents & POLLOUT)
                    return fd;
                sleep_ms(WAIT_STEP);
            }
            if (fd >= 0)
                close(fd);
        }
        sleep_ms(WAIT_STEP);
    }
    die("the port %s did not appear", name);
}
