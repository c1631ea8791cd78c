/*
 * mmu.c: translation table walks, short and long descriptors (ARM ARM B3.5, B3.6), and the regime that keys a view.
 *
 * A walk is free of side effects and depends only on the regime, on guest memory, and on PRRR/NMRR/MAIR (whose changes
 * count as TLB maintenance, see cp15.c). Rights are for the regime's privilege; whether they suffice is the caller's business.
 */
#include <arch/arm/mmu.h>

#define SCTLR_M    BIT(0)
#define SCTLR_WXN  BIT(19)
#define SCTLR_UWXN BIT(20)
#define SCTLR_EE   BIT(25)
#define SCTLR_TRE  BIT(28)
#define SCTLR_AFE  BIT(29)

#define TTBCR_EAE  BIT(31)
#define TTBCR_A1   BIT(22)
#define TTBCR_PD0  BIT(4) /* short */
#define TTBCR_PD1  BIT(5)
#define TTBCR_EPD0 BIT(7) /* long */
#define TTBCR_EPD1 BIT(23)
#define TTBCR_SHORT_FIELDS (7u | TTBCR_PD0 | TTBCR_PD1)
#define TTBCR_LONG_FIELDS  (7u | 7u << 16 | TTBCR_EPD0 | TTBCR_EPD1 | TTBCR_EAE)

#define LONG_ADDR_MASK 0xfffffff000ull /* bits 39:12 of a descriptor */

/* Base address of a long-descriptor table whose region has size 2^(32 - tsz). */
static uint64_t long_base(uint64_t ttbr, unsigned tsz)
{
    unsigned align = tsz > 1 ? 14 - tsz : 5 - tsz;
    return ttbr & 0xffffffffffull & ~((1ull << align) - 1);
}

static void regime_of(const struct arm_cpu *c, bool priv, struct guest_regime *r)
{
    const struct arm_cp15 *s = &c->cp15;
    uint32_t sctlr = s->sctlr;

    memset(r, 0, sizeof(*r));
    r->priv = priv;
    if (!(sctlr & SCTLR_M))
        return;
    r->control = ARM_REGIME_MMU | (sctlr & SCTLR_AFE ? ARM_REGIME_AFE : 0) | (sctlr & SCTLR_TRE ? ARM_REGIME_TRE : 0) |
                 (sctlr & SCTLR_EE ? ARM_REGIME_EE : 0) | (sctlr & SCTLR_WXN ? ARM_REGIME_WXN : 0) | (sctlr & SCTLR_UWXN ? ARM_REGIME_UWXN : 0);
    if (s->ttbcr & TTBCR_EAE) {
        unsigned t0sz = s->ttbcr & 7, t1sz = s->ttbcr >> 16 & 7;
        r->control |= ARM_REGIME_LPAE;
        r->ttbcr = s->ttbcr & TTBCR_LONG_FIELDS;
        r->ttbr0 = r->ttbcr & TTBCR_EPD0 ? 0 : long_base(s->ttbr0, t0sz);
        r->ttbr1 = r->ttbcr & TTBCR_EPD1 || (t0sz | t1sz) == 0 ? 0 : long_base(s->ttbr1, t1sz);
        r->asid = (s->ttbcr & TTBCR_A1 ? s->ttbr1 : s->ttbr0) >> 48 & 0xff;
        return;
    }
    unsigned n = s->ttbcr & 7;
    r->ttbcr = s->ttbcr & TTBCR_SHORT_FIELDS;
    r->ttbr0 = r->ttbcr & TTBCR_PD0 ? 0 : (uint32_t)s->ttbr0 & ~((1u << (14 - n)) - 1);
    r->ttbr1 = n == 0 || r->ttbcr & TTBCR_PD1 ? 0 : (uint32_t)s->ttbr1 & ~0x3fffu;
    r->dacr = s->dacr;
    r->asid = s->contextidr & 0xff;
}

void guest_current_regime(const struct vcpu *v, struct guest_regime *out)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    regime_of(c, c->mode != ARM_USR, out);
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

/* Read and write rights by AP[2:0]: low half PL1, high half PL0. */
static const uint8_t ap_rights[8] = {
    [0] = 0,
    [1] = GUEST_RIGHT_R | GUEST_RIGHT_W,
    [2] = GUEST_RIGHT_R | GUEST_RIGHT_W | GUEST_RIGHT_R << 4,
    [3] = GUEST_RIGHT_R | GUEST_RIGHT_W | (GUEST_RIGHT_R | GUEST_RIGHT_W) << 4,
    [4] = 0,
    [5] = GUEST_RIGHT_R,
    [6] = GUEST_RIGHT_R | GUEST_RIGHT_R << 4,
    [7] = GUEST_RIGHT_R | GUEST_RIGHT_R << 4,
};

/* ap: the three-bit form; with the access flag in use AP[2:1] means what AP[2:1],1 means in the full form. */
static uint8_t rights_of(const struct guest_regime *r, unsigned ap, bool xn, bool pxn)
{
    uint8_t both = ap_rights[ap];
    uint8_t rights = r->priv ? both & 15 : both >> 4;

    if (xn || !(rights & GUEST_RIGHT_R) || (r->priv && pxn))
        return rights;
    if ((r->control & ARM_REGIME_WXN) && (rights & GUEST_RIGHT_W))
        return rights;
    if ((r->control & ARM_REGIME_UWXN) && r->priv && (both >> 4 & GUEST_RIGHT_W))
        return rights;
    return rights | GUEST_RIGHT_X;
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static bool fetch32(const struct arm_cpu *c, const struct guest_regime *r, uint64_t pa, uint32_t *out)
{
    const uint8_t *p = ram_ptr(c->v.shared, pa, 4);
    if (!p)
        return false;
    uint32_t d = __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_RELAXED);
    *out = r->control & ARM_REGIME_EE ? __builtin_bswap32(d) : d;
    return true;
}

static bool fetch64(const struct arm_cpu *c, const struct guest_regime *r, uint64_t pa, uint64_t *out)
{
    const uint8_t *p = ram_ptr(c->v.shared, pa, 8);
    if (!p)
        return false;
    uint64_t d = __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_RELAXED);
    *out = r->control & ARM_REGIME_EE ? __builtin_bswap64(d) : d;
    return true;
}

/* Is the memory type of TEX, C, B (five bits) Device or Strongly-ordered? */
static bool short_is_device(const struct arm_cpu *c, const struct guest_regime *r, unsigned texcb)
{
    if (r->control & ARM_REGIME_TRE)
        return (c->cp15.prrr >> 2 * (texcb & 7) & 3) < 2;
    return texcb == 0 || texcb == 1 || texcb == 8;
}

static int walk_short(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, struct arm_walk *w)
{
    unsigned n = r->ttbcr & 7;
    bool second = n != 0 && va >> (32 - n) != 0;
    uint64_t base = second ? r->ttbr1 : r->ttbr0;
    uint32_t index = second ? va >> 20 : va << n >> n >> 20;
    uint32_t l1, desc;
    unsigned ap, texcb;
    bool xn, pxn;

    w->level = 1;
    w->domain = 0;
    if (r->ttbcr & (second ? TTBCR_PD1 : TTBCR_PD0))
        return ARM_FAULT_CODE(ARM_FAULT_TRANSLATION, 1, 0);
    if (!fetch32(c, r, base | index << 2, &l1))
        return ARM_FAULT_CODE(ARM_FAULT_WALK_EXTERNAL, 1, 0);
    if ((l1 & 3) == 0)
        return ARM_FAULT_CODE(ARM_FAULT_TRANSLATION, 1, 0);

    if ((l1 & 3) == 1) {
        w->level = 2;
        w->domain = l1 >> 5 & 15;
        if (!fetch32(c, r, (l1 & ~0x3ffu) | (va >> 12 & 0xff) << 2, &desc))
            return ARM_FAULT_CODE(ARM_FAULT_WALK_EXTERNAL, 2, w->domain);
        pxn = l1 >> 2 & 1;
        ap = (desc >> 9 & 1) << 2 | (desc >> 4 & 3);
        w->t.ng = desc >> 11 & 1;
        w->share = desc >> 10 & 1;
        if (desc & 2) { /* small page */
            w->t.lg2 = 12;
            w->t.pa = (desc & 0xfffff000) | (va & 0xfff);
            xn = desc & 1;
            texcb = (desc >> 6 & 7) << 2 | (desc >> 2 & 3);
        } else if (desc & 1) { /* large page */
            w->t.lg2 = 16;
            w->t.pa = (desc & 0xffff0000) | (va & 0xffff);
            xn = desc >> 15 & 1;
            texcb = (desc >> 12 & 7) << 2 | (desc >> 2 & 3);
        } else {
            return ARM_FAULT_CODE(ARM_FAULT_TRANSLATION, 2, w->domain);
        }
    } else {
        desc = l1;
        pxn = desc & 1;
        xn = desc >> 4 & 1;
        ap = (desc >> 15 & 1) << 2 | (desc >> 10 & 3);
        texcb = (desc >> 12 & 7) << 2 | (desc >> 2 & 3);
        w->t.ng = desc >> 17 & 1;
        w->share = desc >> 16 & 1;
        if (desc & BIT(18)) { /* supersection: domain 0, 40-bit address */
            w->t.lg2 = 24;
            w->t.pa = (uint64_t)(desc >> 5 & 15) << 36 | (uint64_t)(desc >> 20 & 15) << 32 | (desc & 0xff000000) | (va & 0xffffff);
        } else {
            w->domain = desc >> 5 & 15;
            w->t.lg2 = 20;
            w->t.pa = (desc & 0xfff00000) | (va & 0xfffff);
        }
    }

    w->attr = texcb;
    w->t.device = short_is_device(c, r, texcb);
    if (r->control & ARM_REGIME_AFE) {
        if (!(ap & 1))
            return ARM_FAULT_CODE(ARM_FAULT_ACCESS_FLAG, w->level, w->domain);
        ap |= 1;
    }
    switch (r->dacr >> 2 * w->domain & 3) {
    case 1: /* client */
        w->t.rights = rights_of(r, ap, xn, pxn);
        return 0;
    case 3: /* manager: neither permissions nor XN are checked */
        w->t.rights = GUEST_RIGHT_R | GUEST_RIGHT_W | GUEST_RIGHT_X;
        return 0;
    default:
        return ARM_FAULT_CODE(ARM_FAULT_DOMAIN, w->level, w->domain);
    }
}

/* Which table covers va: 0, 1, or -1 for the gap between the two regions (ARM ARM B3.6.4). */
static int long_select(uint32_t va, unsigned t0sz, unsigned t1sz)
{
    if (t0sz == 0 ? t1sz == 0 : va >> (32 - t0sz) == 0)
        return 0;
    if (t1sz == 0)
        return 1;
    if (va >> (32 - t1sz) == (1u << t1sz) - 1)
        return 1;
    return t0sz == 0 ? 0 : -1;
}

static int walk_long(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, struct arm_walk *w)
{
    unsigned t0sz = r->ttbcr & 7, t1sz = r->ttbcr >> 16 & 7;
    int which = long_select(va, t0sz, t1sz);

    w->level = 1;
    w->domain = 0;
    if (which < 0 || r->ttbcr & (which ? TTBCR_EPD1 : TTBCR_EPD0))
        return ARM_FAULT_CODE(ARM_FAULT_TRANSLATION, 1, 0);

    unsigned tsz = which ? t1sz : t0sz;
    uint64_t table = which ? r->ttbr1 : r->ttbr0;
    uint32_t rest = va << tsz >> tsz; /* the index at the first level has no bits of the region number */
    bool ap_ro = false, ap_nouser = false, xn = false, pxn = false;

    for (unsigned level = tsz > 1 ? 2 : 1;; level++) {
        unsigned lg2 = 39 - 9 * level; /* 30, 21, 12 */
        uint64_t desc;

        w->level = level;
        if (!fetch64(c, r, table + (uint64_t)(rest >> lg2) * 8, &desc))
            return ARM_FAULT_CODE(ARM_FAULT_WALK_EXTERNAL, level, 0);
        if (!(desc & 1) || (level == 3 && !(desc & 2)))
            return ARM_FAULT_CODE(ARM_FAULT_TRANSLATION, level, 0);
        if (level < 3 && (desc & 2)) {
            table = desc & LONG_ADDR_MASK;
            ap_nouser |= desc >> 61 & 1;
            ap_ro |= desc >> 62 & 1;
            xn |= desc >> 60 & 1;
            pxn |= desc >> 59 & 1;
            rest = va & ((1u << lg2) - 1);
            continue;
        }

        uint64_t offset_mask = (1ull << lg2) - 1;
        unsigned index = desc >> 2 & 7;
        uint64_t mair = (uint64_t)c->cp15.nmrr << 32 | c->cp15.prrr;
        w->t.lg2 = lg2;
        w->t.pa = (desc & LONG_ADDR_MASK & ~offset_mask) | (va & offset_mask);
        w->t.ng = desc >> 11 & 1;
        w->attr = mair >> 8 * index & 0xff;
        w->share = desc >> 8 & 3;
        w->t.device = (w->attr & 0xf0) == 0;
        if (!(desc & 1 << 10))
            return ARM_FAULT_CODE(ARM_FAULT_ACCESS_FLAG, level, 0);
        ap_ro |= desc >> 7 & 1;
        ap_nouser |= !(desc >> 6 & 1);
        xn |= desc >> 54 & 1;
        pxn |= desc >> 53 & 1;
        w->t.rights = rights_of(r, (ap_ro ? 4 : 0) | (ap_nouser ? 0 : 2) | 1, xn, pxn);
        return 0;
    }
}

int arm_walk(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, struct arm_walk *w)
{
    memset(w, 0, sizeof(*w));
    if (!(r->control & ARM_REGIME_MMU)) {
        /* Flat; the memory counts as Normal, so that RAM is reached directly before the guest turns the MMU on. */
        w->t = (struct guest_translation){ .pa = va, .lg2 = 32, .rights = GUEST_RIGHT_R | GUEST_RIGHT_W | GUEST_RIGHT_X };
        return 0;
    }
    return r->control & ARM_REGIME_LPAE ? walk_long(c, r, va, w) : walk_short(c, r, va, w);
}

int guest_walk(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t)
{
    struct arm_walk w;
    int code = arm_walk(arm_cpu_of_const(v), r, va, &w);
    *t = w.t;
    return code;
}

/* --- fault status --------------------------------------------------------------------------------------------------- */

/* FS[4:0] by kind for level 1 and level 2 (ARM ARM table B3-23), and STATUS[5:0] without the level (table B3-24). */
static const struct {
    uint8_t short_l1, short_l2, long_base;
    bool has_level;
} fault_status[ARM_FAULT_COUNT] = {
    [ARM_FAULT_TRANSLATION] = { 0x05, 0x07, 0x04, true },   [ARM_FAULT_ACCESS_FLAG] = { 0x03, 0x06, 0x08, true },
    [ARM_FAULT_DOMAIN] = { 0x09, 0x0b, 0x3c, true },        [ARM_FAULT_PERMISSION] = { 0x0d, 0x0f, 0x0c, true },
    [ARM_FAULT_WALK_EXTERNAL] = { 0x0c, 0x0e, 0x14, true }, [ARM_FAULT_EXTERNAL] = { 0x08, 0x08, 0x10, false },
    [ARM_FAULT_ALIGNMENT] = { 0x01, 0x01, 0x21, false },    [ARM_FAULT_DEBUG] = { 0x02, 0x02, 0x22, false },
};

uint32_t arm_fault_status(const struct arm_cpu *c, int code, bool is_fetch)
{
    unsigned kind = ARM_FAULT_KIND(code), level = ARM_FAULT_LEVEL(code);

    if (c->cp15.ttbcr & TTBCR_EAE)
        return BIT(9) | fault_status[kind].long_base | (fault_status[kind].has_level ? level & 3 : 0);
    uint32_t fs = level >= 2 ? fault_status[kind].short_l2 : fault_status[kind].short_l1;
    return (fs & 15) | (fs >> 4 & 1) << 10 | (is_fetch ? 0 : ARM_FAULT_DOMAIN_OF(code) << 4);
}

void arm_translate_to_par(struct arm_cpu *c, uint32_t va, bool priv, bool is_write)
{
    struct guest_regime r;
    struct arm_walk w;
    bool lpae = c->cp15.ttbcr & TTBCR_EAE;
    int code;

    regime_of(c, priv, &r);
    code = arm_walk(c, &r, va, &w);
    if (!code && !(w.t.rights & (is_write ? GUEST_RIGHT_W : GUEST_RIGHT_R)))
        code = ARM_FAULT_CODE(ARM_FAULT_PERMISSION, w.level, w.domain);

    if (code) {
        uint32_t fsr = arm_fault_status(c, code, false);
        c->cp15.par = lpae ? BIT(11) | BIT(9) | (fsr & 0x3f) << 1 | 1 : (fsr >> 10 & 1) << 5 | (fsr & 15) << 1 | 1;
    } else if (lpae) {
        c->cp15.par = (uint64_t)w.attr << 56 | (w.t.pa & LONG_ADDR_MASK) | BIT(11) | BIT(9) | (uint32_t)w.share << 7;
    } else if (w.t.lg2 == 24) {
        c->cp15.par = (w.t.pa & 0xff000000) | BIT(1);
    } else {
        c->cp15.par = w.t.pa & 0xfffff000;
    }
}
