/*
 * hv_pl011.c: the serial port's registers, FIFO and interrupts over a backend made of two arrays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <devices/pl011.h>
#include <devices/serial.h>
#include <string.h>

enum { DR = 0, RSR = 4, FR = 0x18, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44 };
enum { RXFE = 0x10, TXFF = 0x20, RXFF = 0x40, TXFE = 0x80, RXI = 0x10, TXI = 0x20, RTI = 0x40, BEI = 0x200, FEN = 0x10 };

struct serial {
    char sent[64], input[64];
    size_t n_sent, n_input;
    bool busy;
};

/* the backend, in place of devices/serial.c */
void serial_tx(struct serial *s, uint8_t byte) { s->sent[s->n_sent++] = (char)byte; }
bool serial_tx_busy(struct serial *s) { return s->busy; }
size_t serial_pull(struct serial *s, uint8_t *buf, size_t n)
{
    if (n > s->n_input)
        n = s->n_input;
    memcpy(buf, s->input, n);
    memmove(s->input, s->input + n, s->n_input - n);
    s->n_input -= n;
    return n;
}

struct fixture {
    struct serial backend;
    struct pl011 *u;
    bool level;
    unsigned spi;
};

static void set_line(void *ctx, unsigned spi, bool level)
{
    struct fixture *f = ctx;
    f->level = level;
    f->spi = spi;
}

static int setup(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    f.u = pl011_create((struct irq_line){set_line, &f, 1}, &f.backend);
    *state = &f;
    return f.u ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pl011_destroy(f->u);
    return 0;
}

static uint32_t rd(struct fixture *f, uint32_t off) { return (uint32_t)pl011_desc.read(f->u, off, 4); }
static void wr(struct fixture *f, uint32_t off, uint32_t v) { pl011_desc.write(f->u, off, 4, v); }

static void type(struct fixture *f, const char *text)
{
    memcpy(f->backend.input + f->backend.n_input, text, strlen(text));
    f->backend.n_input += strlen(text);
    pl011_input(f->u);
}

static void identification(void **state)
{
    static const uint8_t want[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(rd(*state, 0xfe0 + 4 * i), want[i]);
    assert_int_equal(rd(*state, CR), 0x300);
    assert_int_equal(rd(*state, IFLS), 0x12);
    assert_int_equal(rd(*state, FR), TXFE | RXFE);
}

static void register_widths(void **state)
{
    static const struct {
        uint32_t off, written, read;
    } cases[] = {{IBRD, 0xffffffff, 0xffff}, {FBRD, 0xffffffff, 0x3f}, {LCR_H, 0xffffffff, 0xff}, {IFLS, 0xffffffff, 0x3f}, {IMSC, 0xffffffff, 0x7ff},
                 {CR, 0xffffffff, 0xff87}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wr(*state, cases[i].off, cases[i].written);
        assert_int_equal(rd(*state, cases[i].off), cases[i].read);
    }
}

static void transmit(void **state)
{
    struct fixture *f = *state;
    wr(f, IMSC, TXI);
    assert_false(f->level);
    wr(f, DR, 'h');
    wr(f, DR, 'i');
    assert_int_equal(f->backend.n_sent, 2);
    assert_memory_equal(f->backend.sent, "hi", 2);
    assert_true(f->level);
    assert_int_equal(f->spi, 1);
    assert_int_equal(rd(f, MIS), TXI);
    wr(f, ICR, TXI);
    assert_false(f->level);
    assert_int_equal(rd(f, RIS), 0);
}

static void transmit_held_back(void **state)
{
    struct fixture *f = *state;
    wr(f, IMSC, TXI);
    f->backend.busy = true;
    wr(f, DR, 'x');
    assert_int_equal(rd(f, FR) & (TXFF | TXFE), TXFF);
    assert_false(f->level);
    f->backend.busy = false;
    pl011_room(f->u);
    assert_int_equal(rd(f, FR) & (TXFF | TXFE), TXFE);
    assert_true(f->level);
}

static void receive_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    wr(f, IMSC, RXI);
    type(f, "ab");
    assert_true(f->level);
    assert_int_equal(rd(f, FR) & (RXFE | RXFF), RXFF); /* without FIFO there is one holding register */
    assert_int_equal(rd(f, DR), 'a');
    assert_true(f->level); /* the next one moved up */
    assert_int_equal(rd(f, DR), 'b');
    assert_false(f->level);
    assert_int_equal(rd(f, FR) & (RXFE | RXFF), RXFE);
}

static void receive_fifo_trigger(void **state)
{
    struct fixture *f = *state;
    wr(f, LCR_H, FEN);
    wr(f, IFLS, 2 << 3); /* half full: 8 of 16 */
    type(f, "1234567");
    assert_int_equal(rd(f, RIS) & (RXI | RTI), RTI);
    type(f, "8");
    assert_int_equal(rd(f, RIS) & (RXI | RTI), RXI | RTI);
    assert_int_equal(rd(f, DR), '1');
    assert_int_equal(rd(f, RIS) & (RXI | RTI), RTI);
    for (int i = 0; i < 7; i++)
        rd(f, DR);
    assert_int_equal(rd(f, RIS) & (RXI | RTI), 0);
    type(f, "0123456789abcdefXYZ");
    assert_int_equal(rd(f, FR) & RXFF, RXFF);
    assert_int_equal(f->backend.n_input, 3); /* the rest waits in the backend: nothing overruns */
    for (const char *c = "0123456789abcdefXYZ"; *c; c++)
        assert_int_equal(rd(f, DR), *c);
    assert_int_equal(rd(f, FR) & RXFE, RXFE);
}

static void switching_the_fifo_empties_it(void **state)
{
    struct fixture *f = *state;
    wr(f, LCR_H, FEN);
    type(f, "abc");
    wr(f, LCR_H, 0);
    assert_int_equal(rd(f, FR) & RXFE, RXFE);
    assert_int_equal(rd(f, RIS) & (RXI | RTI), 0);
}

static void line_break(void **state)
{
    struct fixture *f = *state;
    wr(f, IMSC, BEI);
    pl011_line_break(f->u);
    assert_true(f->level);
    assert_int_equal(rd(f, DR), 1 << 10);
    assert_int_equal(rd(f, RSR), 4);
    wr(f, RSR, 0);
    assert_int_equal(rd(f, RSR), 0);
    wr(f, ICR, BEI);
    assert_false(f->level);
}

static void loopback(void **state)
{
    struct fixture *f = *state;
    wr(f, LCR_H, FEN);
    wr(f, CR, 0x381);
    wr(f, DR, 'q');
    assert_int_equal(f->backend.n_sent, 0);
    assert_int_equal(rd(f, DR), 'q');
}

static void reset_clears(void **state)
{
    struct fixture *f = *state;
    wr(f, LCR_H, FEN);
    wr(f, IMSC, RTI);
    type(f, "abc");
    assert_true(f->level);
    pl011_desc.reset(f->u);
    assert_false(f->level);
    assert_int_equal(rd(f, FR), TXFE | RXFE);
    assert_int_equal(rd(f, LCR_H), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(identification), T(register_widths), T(transmit), T(transmit_held_back), T(receive_one_at_a_time), T(receive_fifo_trigger),
        T(switching_the_fifo_empties_it), T(line_break), T(loopback), T(reset_clears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
