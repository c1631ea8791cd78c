/*
 * pl031.c: ARM PrimeCell real-time clock, PL031 (ARM DDI 0224): seconds, and an interrupt when they match.
 *
 * The counter is the host's wall clock plus an offset, so it stays right over suspends and corrections of the host's clock. The match is a timer on that clock.
 */
#include <devices/pl031.h>
#include <errno.h>
#include <hypervisor/error.h>
#include <hypervisor/event.h>
#include <hypervisor/fdt.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    RTC_DR = 0x00, RTC_MR = 0x04, RTC_LR = 0x08, RTC_CR = 0x0c, RTC_IMSC = 0x10, RTC_RIS = 0x14, RTC_MIS = 0x18, RTC_ICR = 0x1c, RTC_ID = 0xfe0,
};

struct pl031 {
    struct irq_line irq;
    pthread_mutex_t lock;
    int timer_fd;
    uint32_t offset; /* counter - host seconds, modulo 2^32 */
    uint32_t mr, lr, imsc, ris;
};

static const uint8_t id[8] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static void update_irq(struct pl031 *r) { irq_set(&r->irq, (r->ris & r->imsc) != 0); }

/*
 * Seconds of the host's clock. The coarse clock is a tick behind at most and several times cheaper to read; before the turn of a second
 * that is not enough.
 */
static uint32_t host_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_nsec >= 980000000)
        clock_gettime(CLOCK_REALTIME, &now);
    return (uint32_t)now.tv_sec;
}

static uint32_t count(const struct pl031 *r)
{
    return host_seconds() + r->offset;
}

/* Set the timer to the second in which the counter next equals the match register. */
static void arm_timer(struct pl031 *r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t ahead = r->mr - ((uint32_t)now.tv_sec + r->offset);
    if (!ahead) {
        r->ris = 1;
        update_irq(r);
        return;
    }
    struct itimerspec t = {.it_value = {.tv_sec = now.tv_sec + ahead}};
    timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL);
}

static uint64_t pl031_read(void *dev, uint32_t off, unsigned size UNUSED)
{
    struct pl031 *r = dev;
    uint32_t v = 0;
    pthread_mutex_lock(&r->lock);
    switch (off) {
    case RTC_DR: v = count(r); break;
    case RTC_MR: v = r->mr; break;
    case RTC_LR: v = r->lr; break;
    case RTC_CR: v = 1; break; /* always counting */
    case RTC_IMSC: v = r->imsc; break;
    case RTC_RIS: v = r->ris; break;
    case RTC_MIS: v = r->ris & r->imsc; break;
    default:
        if (off >= RTC_ID)
            v = id[(off - RTC_ID) / 4];
    }
    pthread_mutex_unlock(&r->lock);
    return v;
}

static void pl031_write(void *dev, uint32_t off, unsigned size UNUSED, uint64_t value)
{
    struct pl031 *r = dev;
    uint32_t v = (uint32_t)value;
    pthread_mutex_lock(&r->lock);
    switch (off) {
    case RTC_MR:
        r->mr = v;
        arm_timer(r);
        break;
    case RTC_LR:
        r->lr = v;
        r->offset += v - count(r);
        arm_timer(r);
        break;
    case RTC_IMSC: r->imsc = v & 1; break;
    case RTC_ICR: r->ris &= ~v; break;
    }
    update_irq(r);
    pthread_mutex_unlock(&r->lock);
}

static void pl031_reset(void *dev)
{
    struct pl031 *r = dev;
    pthread_mutex_lock(&r->lock);
    /* the clock keeps running over a reset; the alarm does not */
    struct itimerspec off = {0};
    timerfd_settime(r->timer_fd, 0, &off, NULL);
    r->mr = r->imsc = r->ris = 0;
    update_irq(r);
    pthread_mutex_unlock(&r->lock);
}

static int pl031_fdt(void *dev, struct fdt_ctx *ctx, uint64_t base)
{
    static const char compatible[] = "arm,pl031\0arm,primecell";
    static const char clocks[] = "apb_pclk";
    struct pl031 *r = dev;
    dt_device_begin(ctx, "pl031", base, pl031_desc.size);
    dt_strings(ctx, "compatible", compatible, sizeof(compatible));
    dt_spi(ctx, r->irq.spi, DT_IRQ_LEVEL_HIGH);
    dt_clock(ctx, 1, clocks, sizeof(clocks));
    return dt_device_end(ctx);
}

const struct device_desc pl031_desc = {
    .name = "pl031", .size = 0x1000, .min_access = 4, .max_access = 4, .read = pl031_read, .write = pl031_write, .reset = pl031_reset, .fdt = pl031_fdt,
};

static int timer_fd(void *arg)
{
    struct pl031 *r = arg;
    return r->timer_fd;
}

static short timer_events(void *arg UNUSED) { return POLLIN; }

static void timer_ready(void *arg, short revents UNUSED)
{
    struct pl031 *r = arg;
    uint64_t times;
    pthread_mutex_lock(&r->lock);
    if (read(r->timer_fd, &times, sizeof(times)) > 0) {
        r->ris = 1;
        update_irq(r);
    } else if (errno == ECANCELED) { /* the host's clock was set */
        arm_timer(r);
    }
    pthread_mutex_unlock(&r->lock);
}

bool pl031_start(struct pl031 *r, struct event_loop *loop)
{
    return event_add(loop, (struct event_source){timer_fd, timer_events, timer_ready, r});
}

struct pl031 *pl031_create(struct irq_line irq)
{
    struct pl031 *r = calloc(1, sizeof(*r));
    if (!r) {
        error_report("there is no memory for the real-time clock");
        return NULL;
    }
    r->irq = irq;
    r->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->timer_fd < 0) {
        error_report("no timer for the real-time clock: %s", strerror(errno));
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void pl031_destroy(struct pl031 *r)
{
    if (!r)
        return;
    close(r->timer_fd);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
