/*
 * pl061.c: eight lines of general purpose I/O (ARM DDI 0190) with an interrupt; line 3 is the power button, which the device tree describes
 * as gpio-keys.
 *
 * `in` are the levels from outside, all low but for a pressed button; lines that the guest makes outputs read back what was written.
 */
#include <devices/pl061.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/event.h>
#include <hypervisor/fdt.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    GPIO_DATA_END = 0x400,
    GPIO_DIR = 0x400,
    GPIO_IS = 0x404,
    GPIO_IBE = 0x408,
    GPIO_IEV = 0x40c,
    GPIO_IE = 0x410,
    GPIO_RIS = 0x414,
    GPIO_MIS = 0x418,
    GPIO_IC = 0x41c,
    GPIO_AFSEL = 0x420,
    GPIO_ID = 0xfe0,
};

#define POWER_LINE 3u
#define PRESS_NS   100000000l /* longer than any debouncing */
#define KEY_POWER  116u       /* Linux's code */

struct pl061 {
    struct irq_line irq;
    pthread_mutex_t lock;
    int timer_fd;
    uint8_t in, out, dir;
    uint8_t is, ibe, iev, ie, ris_edge, afsel; /* sense: level, both edges, rising or high; mask; edges seen */
};

static const uint8_t id[8] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint8_t pins(const struct pl061 *g)
{
    return (uint8_t)((g->out & g->dir) | (g->in & ~g->dir));
}

static uint8_t raw_status(const struct pl061 *g)
{
    uint8_t active = (uint8_t) ~(pins(g) ^ g->iev); /* at the level that counts */
    return (uint8_t)((g->is & active) | (~g->is & g->ris_edge));
}

static void update_irq(struct pl061 *g)
{
    irq_set(&g->irq, (raw_status(g) & g->ie) != 0);
}

/* The pins were `before`: latch the edges. */
static void pins_changed(struct pl061 *g, uint8_t before)
{
    uint8_t now = pins(g), rose = now & (uint8_t)~before, fell = before & (uint8_t)~now;
    g->ris_edge |= (uint8_t)(~g->is & ((g->ibe & (rose | fell)) | (~g->ibe & g->iev & rose) | (~g->ibe & ~g->iev & fell)));
    update_irq(g);
}

static uint64_t pl061_read(void *dev, uint32_t off, unsigned size UNUSED)
{
    struct pl061 *g = dev;
    uint32_t v = 0;
    pthread_mutex_lock(&g->lock);
    if (off < GPIO_DATA_END) {
        v = pins(g) & off >> 2; /* address bits 9:2 are the mask */
    } else {
        switch (off) {
        case GPIO_DIR:
            v = g->dir;
            break;
        case GPIO_IS:
            v = g->is;
            break;
        case GPIO_IBE:
            v = g->ibe;
            break;
        case GPIO_IEV:
            v = g->iev;
            break;
        case GPIO_IE:
            v = g->ie;
            break;
        case GPIO_RIS:
            v = raw_status(g);
            break;
        case GPIO_MIS:
            v = raw_status(g) & g->ie;
            break;
        case GPIO_AFSEL:
            v = g->afsel;
            break;
        default:
            if (off >= GPIO_ID)
                v = id[(off - GPIO_ID) / 4];
        }
    }
    pthread_mutex_unlock(&g->lock);
    return v;
}

static void pl061_write(void *dev, uint32_t off, unsigned size UNUSED, uint64_t value)
{
    struct pl061 *g = dev;
    uint8_t v = (uint8_t)value;
    pthread_mutex_lock(&g->lock);
    uint8_t before = pins(g);
    if (off < GPIO_DATA_END) {
        uint8_t mask = (uint8_t)(off >> 2);
        g->out = (uint8_t)((g->out & ~mask) | (v & mask));
    } else {
        switch (off) {
        case GPIO_DIR:
            g->dir = v;
            break;
        case GPIO_IS:
            g->is = v;
            break;
        case GPIO_IBE:
            g->ibe = v;
            break;
        case GPIO_IEV:
            g->iev = v;
            break;
        case GPIO_IE:
            g->ie = v;
            break;
        case GPIO_IC:
            g->ris_edge &= (uint8_t)~v;
            break;
        case GPIO_AFSEL:
            g->afsel = v;
            break;
        }
    }
    pins_changed(g, before);
    pthread_mutex_unlock(&g->lock);
}

static void set_timer(struct pl061 *g, long ns)
{
    struct itimerspec t = {.it_value = {.tv_nsec = ns}};
    timerfd_settime(g->timer_fd, 0, &t, NULL);
}

static void set_button(struct pl061 *g, bool pressed)
{
    uint8_t before = pins(g);
    g->in = pressed ? 1u << POWER_LINE : 0;
    pins_changed(g, before);
}

static void pl061_reset(void *dev)
{
    struct pl061 *g = dev;
    pthread_mutex_lock(&g->lock);
    set_timer(g, 0);
    g->in = g->out = g->dir = g->is = g->ibe = g->iev = g->ie = g->ris_edge = g->afsel = 0;
    update_irq(g);
    pthread_mutex_unlock(&g->lock);
}

void pl061_power_button(struct pl061 *g)
{
    pthread_mutex_lock(&g->lock);
    set_button(g, true);
    set_timer(g, PRESS_NS);
    pthread_mutex_unlock(&g->lock);
}

static int pl061_fdt(void *dev, struct fdt_ctx *ctx, uint64_t base)
{
    static const char compatible[] = "arm,pl061\0arm,primecell", clocks[] = "apb_pclk", keys[] = "gpio-keys", label[] = "GPIO Key Poweroff";
    struct pl061 *g = dev;
    dt_device_begin(ctx, "pl061", base, pl061_desc.size);
    dt_strings(ctx, "compatible", compatible, sizeof(compatible));
    dt_spi(ctx, g->irq.spi, DT_IRQ_LEVEL_HIGH);
    dt_clock(ctx, 1, clocks, sizeof(clocks));
    dt_strings(ctx, "gpio-controller", "", 0);
    dt_cells(ctx, "#gpio-cells", (const uint32_t[]){2}, 1);
    dt_cells(ctx, "phandle", (const uint32_t[]){DT_PHANDLE_GPIO}, 1);
    int err = dt_device_end(ctx);
    if (err)
        return err;
    dt_node_begin(ctx, "gpio-keys");
    dt_strings(ctx, "compatible", keys, sizeof(keys));
    dt_node_begin(ctx, "poweroff");
    dt_strings(ctx, "label", label, sizeof(label));
    dt_cells(ctx, "linux,code", (const uint32_t[]){KEY_POWER}, 1);
    dt_cells(ctx, "gpios", (const uint32_t[]){DT_PHANDLE_GPIO, POWER_LINE, 0}, 3);
    dt_device_end(ctx);
    return dt_device_end(ctx);
}

const struct device_desc pl061_desc = {
    .name = "pl061",
    .size = 0x1000,
    .min_access = 4,
    .max_access = 4,
    .read = pl061_read,
    .write = pl061_write,
    .reset = pl061_reset,
    .fdt = pl061_fdt,
};

static int timer_fd(void *arg)
{
    struct pl061 *g = arg;
    return g->timer_fd;
}

static short timer_events(void *arg UNUSED)
{
    return POLLIN;
}

static void timer_ready(void *arg, short revents UNUSED)
{
    struct pl061 *g = arg;
    uint64_t times;
    pthread_mutex_lock(&g->lock);
    if (read(g->timer_fd, &times, sizeof(times)) > 0)
        set_button(g, false);
    pthread_mutex_unlock(&g->lock);
}

bool pl061_start(struct pl061 *g, struct event_loop *loop)
{
    return event_add(loop, (struct event_source){timer_fd, timer_events, timer_ready, g});
}

struct pl061 *pl061_create(struct irq_line irq)
{
    struct pl061 *g = calloc(1, sizeof(*g));
    if (!g) {
        error_report("there is no memory for the general purpose I/O");
        return NULL;
    }
    g->irq = irq;
    g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (g->timer_fd < 0) {
        error_report("no timer for the power button: %s", strerror(errno));
        free(g);
        return NULL;
    }
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

void pl061_destroy(struct pl061 *g)
{
    if (!g)
        return;
    close(g->timer_fd);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
