/*
 * pl011.c: ARM PrimeCell UART, PL011 r1p4 (ARM DDI 0183).
 *
 * What a driver can see is modelled, time on the wire is not: a byte written is sent at once, and the receive timeout of a FIFO that is below its trigger level has
 * always passed already. The transmitter is held back only when the backend cannot take more; then the FIFO reads as full and the transmit interrupt comes when
 * it has room again. As on the board's other emulators, bytes pass whether or not the port is enabled; modem lines and DMA do nothing.
 */
#include <devices/pl011.h>
#include <devices/serial.h>
#include <hypervisor/error.h>
#include <hypervisor/fdt.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    UART_DR = 0x00, UART_RSR = 0x04, UART_FR = PL011_FR, UART_ILPR = 0x20, UART_IBRD = 0x24, UART_FBRD = 0x28, UART_LCR_H = 0x2c, UART_CR = 0x30,
    UART_IFLS = 0x34, UART_IMSC = 0x38, UART_RIS = 0x3c, UART_MIS = 0x40, UART_ICR = 0x44, UART_DMACR = 0x48, UART_ID = 0xfe0,
};

#define DR_BE (1u << 10) /* break error */

#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)
#define FR_RXFF (1u << 6)
#define FR_TXFE (1u << 7)

#define LCR_FEN (1u << 4)

#define CR_LBE    (1u << 7)
#define CR_RESET  0x300u /* TXE | RXE */

#define INT_RX (1u << 4)
#define INT_TX (1u << 5)
#define INT_RT (1u << 6)
#define INT_BE (1u << 9)
#define INT_OE (1u << 10)
#define INT_ALL 0x7ffu

#define RSR_BE (1u << 2)
#define RSR_OE (1u << 3)

#define FIFO_DEPTH 16u

struct pl011 {
    struct irq_line irq;
    struct serial *backend;
    pthread_mutex_t lock;

    uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
    bool tx_held; /* the backend cannot take more */
    uint16_t fifo[FIFO_DEPTH]; /* data and error bits, as DR shows them */
    unsigned rx_at, rx_count;
    uint32_t *flag_copy; /* the flag register as others may read it, or NULL */
};

static const uint8_t id[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static unsigned rx_depth(const struct pl011 *u) { return u->lcr_h & LCR_FEN ? FIFO_DEPTH : 1; }

static uint32_t flags(const struct pl011 *u)
{
    uint32_t fr = u->tx_held ? FR_TXFF | FR_BUSY : FR_TXFE;
    if (!u->rx_count)
        fr |= FR_RXFE;
    if (u->rx_count >= rx_depth(u))
        fr |= FR_RXFF;
    return fr;
}

/* The state has changed: tell those who look at it from outside. */
static void publish(struct pl011 *u)
{
    if (u->flag_copy)
        __atomic_store_n(u->flag_copy, flags(u), __ATOMIC_RELEASE);
    irq_set(&u->irq, (u->ris & u->imsc) != 0);
}

static unsigned rx_trigger(const struct pl011 *u)
{
    static const uint8_t eighths[8] = {1, 2, 4, 6, 7, 7, 7, 7}; /* RXIFLSEL */
    return u->lcr_h & LCR_FEN ? FIFO_DEPTH * eighths[u->ifls >> 3 & 7] / 8 : 1;
}

static void rx_put(struct pl011 *u, uint16_t entry)
{
    if (u->rx_count >= rx_depth(u)) {
        u->ris |= INT_OE;
        u->rsr |= RSR_OE;
        return;
    }
    u->fifo[(u->rx_at + u->rx_count++) % FIFO_DEPTH] = entry;
    u->ris |= INT_RT;
    if (u->rx_count >= rx_trigger(u))
        u->ris |= INT_RX;
    if (entry & DR_BE)
        u->ris |= INT_BE;
}

/* Fill the FIFO from the backend. With the loopback on, the line is not connected to it. */
static void rx_fill(struct pl011 *u)
{
    uint8_t buf[FIFO_DEPTH];
    if (u->cr & CR_LBE || u->rx_count >= rx_depth(u))
        return;
    size_t n = serial_pull(u->backend, buf, rx_depth(u) - u->rx_count);
    for (size_t i = 0; i < n; i++)
        rx_put(u, buf[i]);
}

static uint32_t rx_get(struct pl011 *u)
{
    if (!u->rx_count)
        return 0;
    uint16_t entry = u->fifo[u->rx_at];
    u->rx_at = (u->rx_at + 1) % FIFO_DEPTH;
    u->rx_count--;
    u->rsr = entry & DR_BE ? RSR_BE : 0;
    if (u->rx_count < rx_trigger(u))
        u->ris &= ~INT_RX;
    if (!u->rx_count)
        u->ris &= ~INT_RT;
    rx_fill(u);
    return entry;
}

static void tx_put(struct pl011 *u, uint8_t byte)
{
    if (u->cr & CR_LBE) {
        rx_put(u, byte);
    } else {
        /* it may wait for room: not with the lock, or the event loop would wait too */
        pthread_mutex_unlock(&u->lock);
        serial_tx(u->backend, byte);
        pthread_mutex_lock(&u->lock);
    }
    u->tx_held = serial_tx_busy(u->backend);
    if (u->tx_held)
        u->ris &= ~INT_TX;
    else
        u->ris |= INT_TX; /* the FIFO has passed its level on the way down */
}

static uint64_t pl011_read(void *dev, uint32_t off, unsigned size UNUSED)
{
    struct pl011 *u = dev;
    uint32_t v = 0;
    pthread_mutex_lock(&u->lock);
    switch (off) {
    case UART_DR:
        v = rx_get(u);
        publish(u);
        break;
    case UART_RSR: v = u->rsr; break;
    case UART_FR: v = flags(u); break;
    case UART_ILPR: v = u->ilpr; break;
    case UART_IBRD: v = u->ibrd; break;
    case UART_FBRD: v = u->fbrd; break;
    case UART_LCR_H: v = u->lcr_h; break;
    case UART_CR: v = u->cr; break;
    case UART_IFLS: v = u->ifls; break;
    case UART_IMSC: v = u->imsc; break;
    case UART_RIS: v = u->ris; break;
    case UART_MIS: v = u->ris & u->imsc; break;
    case UART_DMACR: v = u->dmacr; break;
    default:
        if (off >= UART_ID)
            v = id[(off - UART_ID) / 4];
    }
    pthread_mutex_unlock(&u->lock);
    return v;
}

static void pl011_write(void *dev, uint32_t off, unsigned size UNUSED, uint64_t value)
{
    struct pl011 *u = dev;
    uint32_t v = (uint32_t)value;
    pthread_mutex_lock(&u->lock);
    switch (off) {
    case UART_DR: tx_put(u, (uint8_t)v); break;
    case UART_RSR: u->rsr = 0; break;
    case UART_ILPR: u->ilpr = v & 0xff; break;
    case UART_IBRD: u->ibrd = v & 0xffff; break;
    case UART_FBRD: u->fbrd = v & 0x3f; break;
    case UART_LCR_H:
        if ((u->lcr_h ^ v) & LCR_FEN) { /* switching the FIFOs empties them */
            u->rx_at = u->rx_count = 0;
            u->ris &= ~(INT_RX | INT_RT);
        }
        u->lcr_h = v & 0xff;
        rx_fill(u);
        break;
    case UART_CR:
        u->cr = v & 0xff87;
        rx_fill(u);
        break;
    case UART_IFLS: u->ifls = v & 0x3f; break;
    case UART_IMSC: u->imsc = v & INT_ALL; break;
    case UART_ICR: u->ris &= ~v; break;
    case UART_DMACR: u->dmacr = v & 7; break;
    }
    publish(u);
    pthread_mutex_unlock(&u->lock);
}

void pl011_copy_flags(struct pl011 *u, uint32_t *copy)
{
    pthread_mutex_lock(&u->lock);
    u->flag_copy = copy;
    publish(u);
    pthread_mutex_unlock(&u->lock);
}

void pl011_input(void *ctx)
{
    struct pl011 *u = ctx;
    pthread_mutex_lock(&u->lock);
    rx_fill(u);
    publish(u);
    pthread_mutex_unlock(&u->lock);
}

void pl011_room(void *ctx)
{
    struct pl011 *u = ctx;
    pthread_mutex_lock(&u->lock);
    if (u->tx_held) {
        u->tx_held = false;
        u->ris |= INT_TX;
        publish(u);
    }
    pthread_mutex_unlock(&u->lock);
}

void pl011_line_break(void *ctx)
{
    struct pl011 *u = ctx;
    pthread_mutex_lock(&u->lock);
    rx_put(u, DR_BE);
    publish(u);
    pthread_mutex_unlock(&u->lock);
}

static void pl011_reset(void *dev)
{
    struct pl011 *u = dev;
    pthread_mutex_lock(&u->lock);
    u->rsr = u->ilpr = u->ibrd = u->fbrd = u->lcr_h = u->imsc = u->ris = u->dmacr = 0;
    u->cr = CR_RESET;
    u->ifls = 0x12;
    u->rx_at = u->rx_count = 0;
    u->tx_held = false;
    publish(u);
    pthread_mutex_unlock(&u->lock);
}

static int pl011_fdt(void *dev, struct fdt_ctx *ctx, uint64_t base)
{
    static const char compatible[] = "arm,pl011\0arm,primecell";
    static const char clocks[] = "uartclk\0apb_pclk";
    struct pl011 *u = dev;
    dt_device_begin(ctx, "pl011", base, pl011_desc.size);
    dt_strings(ctx, "compatible", compatible, sizeof(compatible));
    dt_spi(ctx, u->irq.spi, DT_IRQ_LEVEL_HIGH);
    dt_clock(ctx, 2, clocks, sizeof(clocks));
    return dt_device_end(ctx);
}

const struct device_desc pl011_desc = {
    .name = "pl011", .size = 0x1000, .min_access = 4, .max_access = 4, .posted = DEVICE_POSTED(UART_DR), .read = pl011_read, .write = pl011_write, .reset = pl011_reset, .fdt = pl011_fdt,
};

struct pl011 *pl011_create(struct irq_line irq, struct serial *backend)
{
    struct pl011 *u = calloc(1, sizeof(*u));
    if (!u) {
        error_report("there is no memory for the serial port");
        return NULL;
    }
    u->irq = irq;
    u->backend = backend;
    pthread_mutex_init(&u->lock, NULL);
    pl011_reset(u);
    return u;
}

void pl011_destroy(struct pl011 *u)
{
    if (!u)
        return;
    pthread_mutex_destroy(&u->lock);
    free(u);
}
