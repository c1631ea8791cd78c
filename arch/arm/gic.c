/*
 * gic.c: GICv2 for one processor (ARM IHI 0048B): distributor and CPU interface, without the Security Extensions (as QEMU's virt board shows it),
 * but with interrupt grouping.
 *
 * The model: level[] are the input lines, pending[] latches edges, SGIs and software-set pending bits; an interrupt is pending when its latch is set
 * or it is level-sensitive and its line is up. Priorities are five bits wide.
 */
#include <arch/arm/gic.h>

#define SPURIOUS 1023u
#define GROUP1_PENDING 1022u /* what IAR says when AIAR has to be read */
#define PRIORITY_MASK 0xf8u
#define MIN_BPR 2u /* group priority has at most the five bits that are there */
#define CTLR_ENABLE_GRP0 BIT(0)
#define CTLR_ENABLE_GRP1 BIT(1)
#define CPU_CTLR_ACKCTL  BIT(2)
#define CPU_CTLR_FIQEN   BIT(3)
#define CPU_CTLR_CBPR    BIT(4)
#define CPU_CTLR_EOIMODE BIT(9)
#define CPU_CTLR_MASK    (0x1fu | CPU_CTLR_EOIMODE)
#define IDLE_PRIORITY 0x100u

static bool bit(const uint32_t *map, unsigned n) { return map[n / 32] >> n % 32 & 1; }

static void put_bit(uint32_t *map, unsigned n, bool on)
{
    if (on)
        map[n / 32] |= BIT(n % 32);
    else
        map[n / 32] &= ~BIT(n % 32);
}

void arm_gic_reset(struct arm_gic *g)
{
    *g = (struct arm_gic){.running_priority = 0xff, .bpr = MIN_BPR};
    g->edge[0] = 0xffff; /* SGIs */
    g->enabled[0] = 0xffff;
    g->abpr = MIN_BPR + 1;
}

void arm_gic_set_line(struct arm_gic *g, unsigned irq, bool level)
{
    if (level && !bit(g->level, irq) && bit(g->edge, irq))
        put_bit(g->pending, irq, true);
    put_bit(g->level, irq, level);
}

void arm_gic_set_spis(struct arm_gic *g, unsigned w, uint32_t level, uint32_t rose)
{
    g->level[w + 1] = level;
    g->pending[w + 1] |= rose & g->edge[w + 1];
}

static uint32_t pending_word(const struct arm_gic *g, unsigned w) { return g->pending[w] | (g->level[w] & ~g->edge[w]); }

/* The pending, enabled, inactive interrupt of highest priority, or SPURIOUS. */
static unsigned highest_pending(const struct arm_gic *g)
{
    unsigned best = SPURIOUS, best_priority = IDLE_PRIORITY;

    for (unsigned w = 0; w < GIC_MAX_IRQ / 32; w++) {
        uint32_t group_on = (g->dist_ctlr & CTLR_ENABLE_GRP0 ? ~g->group[w] : 0) | (g->dist_ctlr & CTLR_ENABLE_GRP1 ? g->group[w] : 0);
        for (uint32_t m = pending_word(g, w) & g->enabled[w] & ~g->active[w] & group_on; m; m &= m - 1) {
            unsigned irq = w * 32 + (unsigned)__builtin_ctz(m);
            if (g->priority[irq] < best_priority)
                best = irq, best_priority = g->priority[irq];
        }
    }
    return best;
}

static unsigned group_of(const struct arm_gic *g, unsigned irq) { return bit(g->group, irq); }

/* Bits of a priority that take part in preemption. */
static unsigned preemption_mask(const struct arm_gic *g, unsigned group)
{
    unsigned bpr = group && !(g->cpu_ctlr & CPU_CTLR_CBPR) ? (g->abpr ? g->abpr - 1 : 0) : g->bpr;
    return 0xfffffffeu << bpr & 0xff;
}

/* The interrupt the CPU interface would acknowledge now, or SPURIOUS. */
static unsigned signalled(const struct arm_gic *g)
{
    unsigned irq = highest_pending(g);

    if (irq == SPURIOUS || g->priority[irq] >= g->pmr || !(g->cpu_ctlr & BIT(group_of(g, irq))))
        return SPURIOUS;
    if (g->running_priority != 0xff && (g->priority[irq] & preemption_mask(g, group_of(g, irq))) >= g->running_priority)
        return SPURIOUS;
    return irq;
}

bool arm_gic_irq_line(const struct arm_gic *g)
{
    unsigned irq = signalled(g);
    return irq != SPURIOUS && !(group_of(g, irq) == 0 && (g->cpu_ctlr & CPU_CTLR_FIQEN));
}

bool arm_gic_fiq_line(const struct arm_gic *g)
{
    if (!(g->cpu_ctlr & CPU_CTLR_FIQEN)) /* asked at each exception entry */
        return false;
    unsigned irq = signalled(g);
    return irq != SPURIOUS && group_of(g, irq) == 0;
}

/* --- CPU interface --- */

/* Running priority = highest of the active priorities register: bit n of apr[n/32] stands for group priority n << 3. */
static void update_running(struct arm_gic *g)
{
    g->running_priority = 0xff;
    if (g->apr[0])
        g->running_priority = (uint8_t)(__builtin_ctz(g->apr[0]) << 3);
}

/* The signalled interrupt with its source processor, as IAR and HPPIR (group1_only: AIAR and AHPPIR) show it (4.4.4, 4.4.11). */
static uint32_t signalled_id(const struct arm_gic *g, bool group1_only)
{
    unsigned irq = signalled(g);

    if (irq == SPURIOUS || (group1_only && group_of(g, irq) == 0))
        return SPURIOUS;
    if (!group1_only && group_of(g, irq) == 1 && !(g->cpu_ctlr & CPU_CTLR_ACKCTL))
        return GROUP1_PENDING;
    return irq < 16 ? (uint32_t)(__builtin_ctz(g->sgi_source[irq] | 0x100) & 7) << 10 | irq : irq;
}

static uint32_t acknowledge(struct arm_gic *g, bool group1_only)
{
    uint32_t id = signalled_id(g, group1_only), irq = id & 0x3ff;

    if (irq >= GROUP1_PENDING)
        return id;
    put_bit(g->active, irq, true);
    g->apr[0] |= BIT((g->priority[irq] & preemption_mask(g, group_of(g, irq))) >> 3);
    update_running(g);
    if (irq < 16) {
        g->sgi_source[irq] &= (uint8_t)~(1u << (id >> 10));
        put_bit(g->pending, irq, g->sgi_source[irq] != 0);
    } else {
        put_bit(g->pending, irq, false);
    }
    return id;
}

static void end_of_interrupt(struct arm_gic *g, uint32_t value)
{
    unsigned irq = value & 0x3ff;

    if (irq >= GIC_MAX_IRQ || !bit(g->active, irq))
        return;
    if (g->apr[0])
        g->apr[0] &= g->apr[0] - 1; /* the priority drop is of the highest active priority */
    update_running(g);
    if (!(g->cpu_ctlr & CPU_CTLR_EOIMODE))
        put_bit(g->active, irq, false);
}

uint32_t arm_gic_cpu_read(struct arm_gic *g, uint32_t off)
{
    switch (off) {
    case 0x00:
        return g->cpu_ctlr;
    case 0x04:
        return g->pmr;
    case 0x08:
        return g->bpr;
    case 0x0c:
        return acknowledge(g, false);
    case 0x14:
        return g->running_priority;
    case 0x18: /* HPPIR */
        return signalled_id(g, false);
    case 0x1c:
        return g->abpr;
    case 0x20: /* AIAR */
        return acknowledge(g, true);
    case 0x28: /* AHPPIR */
        return signalled_id(g, true);
    case 0xd0:
        return g->apr[0];
    case 0xfc:
        return 0x0002043b; /* IIDR: ARM, GICv2 */
    default:
        return 0;
    }
}

void arm_gic_cpu_write(struct arm_gic *g, uint32_t off, uint32_t value)
{
    switch (off) {
    case 0x00:
        g->cpu_ctlr = value & CPU_CTLR_MASK;
        break;
    case 0x04:
        g->pmr = value & PRIORITY_MASK;
        break;
    case 0x08:
        g->bpr = (value & 7) < MIN_BPR ? MIN_BPR : value & 7;
        break;
    case 0x10:
    case 0x24: /* AEOIR */
        end_of_interrupt(g, value);
        break;
    case 0x1c:
        g->abpr = (value & 7) < MIN_BPR + 1 ? MIN_BPR + 1 : value & 7;
        break;
    case 0xd0:
        g->apr[0] = value;
        update_running(g);
        break;
    case 0x1000: /* DIR */
        if ((g->cpu_ctlr & CPU_CTLR_EOIMODE) && (value & 0x3ff) < GIC_MAX_IRQ)
            put_bit(g->active, value & 0x3ff, false);
        break;
    }
}

/* --- distributor --- */

static uint32_t read_bytes(const uint8_t *table, uint32_t at, unsigned size)
{
    uint32_t x = 0;
    for (unsigned i = 0; i < size; i++)
        if (at + i < GIC_MAX_IRQ)
            x |= (uint32_t)table[at + i] << 8 * i;
    return x;
}

/* Bit maps: register offset range, one word per 32 interrupts. */
static const uint32_t *map_at(const struct arm_gic *g, uint32_t off)
{
    switch (off & ~0x7fu) {
    case 0x080:
        return g->group;
    case 0x100:
    case 0x180:
        return g->enabled;
    case 0x300:
    case 0x380:
        return g->active;
    default:
        return NULL;
    }
}

static uint32_t dist_read_word(struct arm_gic *g, uint32_t off)
{
    unsigned w = (off & 0x7f) / 4;
    const uint32_t *map = map_at(g, off);

    if (map)
        return w < GIC_MAX_IRQ / 32 ? map[w] : 0;
    switch (off & ~0x7fu) {
    case 0x000:
        if (off == 0)
            return g->dist_ctlr;
        if (off == 4)
            return GIC_MAX_IRQ / 32 - 1; /* TYPER: interrupt lines, one processor, no Security Extensions */
        return off == 8 ? 0x0002043b : 0;
    case 0x200:
    case 0x280:
        return w < GIC_MAX_IRQ / 32 ? pending_word(g, w) : 0;
    default:
        break;
    }
    if (off >= 0xc00 && off < 0xd00) {
        uint32_t x = 0;
        unsigned first = (off - 0xc00) * 4;
        for (unsigned i = 0; i < 16 && first + i < GIC_MAX_IRQ; i++)
            x |= (uint32_t)bit(g->edge, first + i) << (2 * i + 1);
        return x;
    }
    if (off >= 0xf10 && off < 0xf30) { /* SPENDSGIR, CPENDSGIR */
        unsigned n = off & 0xf;
        uint32_t x;
        memcpy(&x, &g->sgi_source[n], 4);
        return x;
    }
    if (off >= 0xfd0) { /* peripheral and component identification of a GICv2 */
        static const uint8_t id[12] = {0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};
        return id[(off - 0xfd0) / 4];
    }
    return 0;
}

uint32_t arm_gic_dist_read(struct arm_gic *g, uint32_t off, unsigned size)
{
    if (off >= 0x400 && off < 0x800)
        return read_bytes(g->priority, off - 0x400, size);
    if (off >= 0x800 && off < 0xc00)
        return 0; /* one processor: targets are RAZ/WI (4.3.12) */
    uint32_t x = dist_read_word(g, off & ~3u) >> 8 * (off & 3);
    return size == 4 ? x : x & ((1u << 8 * size) - 1);
}

static void send_sgi(struct arm_gic *g, uint32_t value)
{
    unsigned irq = value & 15, filter = value >> 24 & 3;
    bool self = filter == 2 || (filter == 0 && (value >> 16 & 1));

    if (self) {
        g->sgi_source[irq] |= 1;
        put_bit(g->pending, irq, true);
    }
}

static void dist_write_word(struct arm_gic *g, uint32_t off, uint32_t value)
{
    unsigned w = (off & 0x7f) / 4;
    bool in_range = w < GIC_MAX_IRQ / 32;

    switch (off & ~0x7fu) {
    case 0x000:
        if (off == 0)
            g->dist_ctlr = value & 3;
        return;
    case 0x080:
        if (in_range)
            g->group[w] = value;
        return;
    case 0x100:
        if (in_range)
            g->enabled[w] |= value;
        return;
    case 0x180:
        if (in_range)
            g->enabled[w] &= w ? ~value : ~value | 0xffff; /* SGIs are always enabled */
        return;
    case 0x200:
        if (in_range)
            g->pending[w] |= w ? value : value & ~0xffffu;
        return;
    case 0x280:
        if (in_range)
            g->pending[w] &= w ? ~value : ~value | 0xffff;
        return;
    case 0x300:
        if (in_range)
            g->active[w] |= value;
        return;
    case 0x380:
        if (in_range)
            g->active[w] &= ~value;
        return;
    default:
        break;
    }
    if (off >= 0xc04 && off < 0xd00) { /* ICFGR0 is fixed */
        unsigned first = (off - 0xc00) * 4;
        for (unsigned i = 0; i < 16 && first + i < GIC_MAX_IRQ; i++)
            put_bit(g->edge, first + i, value >> (2 * i + 1) & 1);
    } else if (off == 0xf00) {
        send_sgi(g, value);
    } else if (off >= 0xf10 && off < 0xf30) {
        for (unsigned i = 0; i < 4; i++) {
            unsigned n = (off & 0xf) + i;
            if (off < 0xf20)
                g->sgi_source[n] &= (uint8_t)~(value >> 8 * i);
            else
                g->sgi_source[n] |= (uint8_t)(value >> 8 * i);
            put_bit(g->pending, n, g->sgi_source[n] != 0);
        }
    }
}

void arm_gic_dist_write(struct arm_gic *g, uint32_t off, unsigned size, uint32_t value)
{
    if (off >= 0x400 && off < 0xc00) {
        for (unsigned i = 0; i < size; i++) {
            uint32_t n = (off & 0x3ff) + i;
            if (n >= GIC_MAX_IRQ)
                break;
            if (off < 0x800)
                g->priority[n] = (uint8_t)(value >> 8 * i) & PRIORITY_MASK;
        }
        return;
    }
    if (size == 4)
        dist_write_word(g, off, value);
    else
        dist_write_word(g, off & ~3u, value << 8 * (off & 3)); /* set/clear registers: zero bytes change nothing */
}
