/*
 * mmu.c: translation table walks, short and long descriptors (ARM ARM B3.5, B3.6), and fault status encoding (B3.13).
 *
 * A walk has no side effects and reports the rights the regime's privilege has; whether an access may proceed is the caller's to compare.
 */
#include <arch/arm/mmu.h>

#define TTBCR_EAE BIT(31)

void guest_current_regime(const struct vcpu *v, struct guest_regime *r)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    uint32_t sctlr = c->cp15.sctlr;

    memset(r, 0, sizeof(*r));
    r->priv = c->mode != ARM_USR;
    if (!(sctlr & BIT(0)))
        return; /* flat: nothing else matters */
    r->control = MMU_ON | (sctlr & BIT(29) ? MMU_AFE : 0) | (sctlr & BIT(28) ? MMU_TRE : 0) | (sctlr & BIT(19) ? MMU_WXN : 0) |
                 (sctlr & BIT(20) ? MMU_UWXN : 0) | (sctlr & BIT(25) ? MMU_EE : 0) | (c->cp15.ttbcr & TTBCR_EAE ? MMU_LPAE : 0);
    r->ttbcr = c->cp15.ttbcr;
    if (r->control & MMU_LPAE) {
        r->ttbr0 = c->cp15.ttbr0 & 0xffffffffffull;
        r->ttbr1 = c->cp15.ttbr1 & 0xffffffffffull;
        r->asid = (c->cp15.ttbcr & BIT(22) ? c->cp15.ttbr1 : c->cp15.ttbr0) >> 48 & 0xff;
    } else {
        r->ttbr0 = (uint32_t)c->cp15.ttbr0 & ~0x7fu; /* attributes of the walk do not matter */
        r->ttbr1 = (uint32_t)c->cp15.ttbr1 & ~0x7fu;
        r->dacr = c->cp15.dacr;
        r->asid = c->cp15.contextidr & 0xff;
    }
}

/* --- short descriptors --- */

/* AP[2:0] -> rights of privileged and unprivileged code (B3.7.1); bit 0 R, bit 1 W */
static const uint8_t ap_rights[8][2] = {
    {0, 0}, {3, 0}, {3, 1}, {3, 3}, {0, 0}, {1, 0}, {1, 1}, {1, 1},
};

static unsigned rights_of(const struct guest_regime *r, unsigned ap, bool xn, bool pxn)
{
    if (r->control & MMU_AFE)
        ap |= 1; /* AP[0] is the access flag; the simplified model has AP[0] = 1 (B3.7.1) */
    unsigned rw = ap_rights[ap][r->priv ? 0 : 1], user_w = ap_rights[ap][1] & 2;
    bool x = !xn && (rw & 1);

    if (r->priv && (pxn || ((r->control & MMU_UWXN) && user_w)))
        x = false;
    if ((r->control & MMU_WXN) && (rw & 2))
        x = false;
    return rw | (x ? GUEST_RIGHT_X : 0);
}

static bool is_device(const struct arm_cpu *c, const struct guest_regime *r, unsigned tex, bool cc, bool b)
{
    unsigned index = (tex & 1) << 2 | cc << 1 | b;

    if (r->control & MMU_TRE)
        return (c->cp15.prrr >> 2 * index & 3) < 2;
    return (tex == 0 && !cc) || (tex == 2 && !cc && !b);
}

/* A descriptor of 4 or 8 bytes. */
static bool load(const struct vcpu *v, const struct guest_regime *r, uint64_t pa, unsigned size, uint64_t *out)
{
    const uint8_t *p = ram_ptr(v->shared, pa, size);
    uint64_t x = 0;

    if (!p)
        return false;
    memcpy(&x, p, size);
    if (UNLIKELY(r->control & MMU_EE))
        x = __builtin_bswap64(x) >> (64 - 8 * size);
    *out = x;
    return true;
}

static int walk_short(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    unsigned n = r->ttbcr & 7, ap, domain, level = 1;
    bool upper = n && va >> (32 - n);
    uint64_t base = upper ? r->ttbr1 & ~0x3fffull : r->ttbr0 & ~((0x4000ull >> n) - 1);
    uint64_t desc, desc2;
    bool xn, pxn;

    if (r->ttbcr & (upper ? BIT(5) : BIT(4))) /* PD1, PD0 */
        return MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0);
    if (!load(v, r, base + ((upper ? va : va & (0xffffffffu >> n)) >> 20) * 4, 4, &desc))
        return MMU_FAULT(MMU_FAULT_WALK_EXTERNAL, 1, 0);
    domain = BITS(desc, 8, 5);
    switch (desc & 3) {
    case 0:
        return MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0);
    case 1: /* table */
        pxn = desc & BIT(2);
        level = 2;
        if (!load(v, r, (desc & ~0x3ffull) + (va >> 12 & 0xff) * 4, 4, &desc2))
            return MMU_FAULT(MMU_FAULT_WALK_EXTERNAL, 2, domain);
        ap = BITS(desc2, 9, 9) << 2 | BITS(desc2, 5, 4);
        t->ng = BITS(desc2, 11, 11);
        if ((desc2 & 3) == 0)
            return MMU_FAULT(MMU_FAULT_TRANSLATION, 2, domain);
        if ((desc2 & 3) == 1) { /* large page */
            t->pa = (desc2 & 0xffff0000u) | (va & 0xffff);
            t->lg2 = 16;
            xn = BITS(desc2, 15, 15);
            t->device = is_device(c, r, BITS(desc2, 14, 12), desc2 & BIT(3), desc2 & BIT(2));
        } else {
            t->pa = (desc2 & 0xfffff000u) | (va & 0xfff);
            t->lg2 = 12;
            xn = desc2 & 1;
            t->device = is_device(c, r, BITS(desc2, 8, 6), desc2 & BIT(3), desc2 & BIT(2));
        }
        break;
    default: /* section or supersection */
        ap = BITS(desc, 15, 15) << 2 | BITS(desc, 11, 10);
        t->ng = BITS(desc, 17, 17);
        xn = BITS(desc, 4, 4);
        pxn = desc & 1;
        t->device = is_device(c, r, BITS(desc, 14, 12), desc & BIT(3), desc & BIT(2));
        if (desc & BIT(18)) {
            t->pa = (desc & 0xff000000u) | (va & 0xffffff) | (uint64_t)BITS(desc, 23, 20) << 32 | (uint64_t)BITS(desc, 8, 5) << 36;
            t->lg2 = 24;
            domain = 0;
        } else {
            t->pa = (desc & 0xfff00000u) | (va & 0xfffff);
            t->lg2 = 20;
        }
    }
    if ((r->control & MMU_AFE) && !(ap & 1))
        return MMU_FAULT(MMU_FAULT_ACCESS_FLAG, level, domain);
    switch (r->dacr >> 2 * domain & 3) {
    case 1: /* client */
        t->rights = (uint8_t)rights_of(r, ap, xn, pxn);
        return 0;
    case 3: /* manager */
        t->rights = GUEST_RIGHT_R | GUEST_RIGHT_W | GUEST_RIGHT_X;
        return 0;
    default:
        return MMU_FAULT(MMU_FAULT_DOMAIN, level, domain);
    }
}

/* --- long descriptors --- */

static int walk_long(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t)
{
    const struct arm_cpu *c = arm_cpu_of_const(v);
    unsigned t0sz = r->ttbcr & 7, t1sz = r->ttbcr >> 16 & 7, size, level;
    bool upper, table_xn = false, table_pxn = false, table_ro = false, table_nouser = false;
    uint64_t desc, base;

    /* B3.6.4: which register; addresses between the two ranges fault */
    if (t0sz == 0 ? !t1sz || va >> (32 - t1sz) != BITS(~0u, t1sz - 1, 0) : va >> (32 - t0sz) == 0)
        upper = false;
    else if (t1sz == 0 ? true : va >> (32 - t1sz) == BITS(~0u, t1sz - 1, 0))
        upper = true;
    else
        return MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0);
    size = 32 - (upper ? t1sz : t0sz);
    if (r->ttbcr & (upper ? BIT(23) : BIT(7))) /* EPD1, EPD0 */
        return MMU_FAULT(MMU_FAULT_TRANSLATION, 1, 0);
    base = upper ? r->ttbr1 : r->ttbr0;
    level = size > 30 ? 1 : 2;
    unsigned bits = size - (level == 1 ? 30 : 21); /* index bits of the first table */
    base &= ~((8ull << bits) - 1);

    for (;; level++, bits = 9) {
        unsigned shift = 39 - 9 * level; /* 30, 21, 12 */
        if (!load(v, r, base + (va >> shift & ((1u << bits) - 1)) * 8, 8, &desc))
            return MMU_FAULT(MMU_FAULT_WALK_EXTERNAL, level, 0);
        if (!(desc & 1) || (level == 3 && !(desc & 2)))
            return MMU_FAULT(MMU_FAULT_TRANSLATION, level, 0);
        if (level == 3 || !(desc & 2)) {
            uint64_t mask = (1ull << shift) - 1;
            t->pa = (desc & 0xfffffff000ull & ~mask) | (va & mask);
            t->lg2 = (uint8_t)shift;
            break;
        }
        table_pxn |= desc >> 59 & 1;
        table_xn |= desc >> 60 & 1;
        table_nouser |= desc >> 61 & 1;
        table_ro |= desc >> 62 & 1;
        base = desc & 0xfffffff000ull;
    }
    if (!(desc & BIT(10)))
        return MMU_FAULT(MMU_FAULT_ACCESS_FLAG, level, 0);
    unsigned ap = BITS(desc, 7, 6); /* AP[2:1] */
    unsigned index = BITS(desc, 4, 2);
    uint32_t mair = index < 4 ? c->cp15.prrr : c->cp15.nmrr;
    struct guest_regime simple = *r;

    if (table_ro)
        ap |= 2;
    if (table_nouser)
        ap &= ~1u;
    simple.control &= ~MMU_AFE;
    t->ng = desc >> 11 & 1;
    t->attributes = (uint8_t)(mair >> 8 * (index & 3));
    t->shareability = (uint8_t)BITS(desc, 9, 8);
    t->device = (t->attributes & 0xf0) == 0;
    t->rights = (uint8_t)rights_of(&simple, ap << 1 | 1, (desc >> 54 & 1) || table_xn, (desc >> 53 & 1) || table_pxn);
    return 0;
}

int guest_walk(const struct vcpu *v, const struct guest_regime *r, uint32_t va, struct guest_translation *t)
{
    if (!(r->control & MMU_ON)) {
        *t = (struct guest_translation){.pa = va, .lg2 = 32, .rights = GUEST_RIGHT_R | GUEST_RIGHT_W | GUEST_RIGHT_X, .ng = 0, .device = 1};
        return 0;
    }
    *t = (struct guest_translation){0};
    return r->control & MMU_LPAE ? walk_long(v, r, va, t) : walk_short(v, r, va, t);
}

/* --- faults --- */

int arm_mmu_fault_code(const struct arm_cpu *c, const struct guest_regime *r, uint32_t va, int code)
{
    struct guest_translation t;
    uint64_t desc = 0;

    if (code)
        return code;
    if (guest_walk(&c->v, r, va, &t) != 0)
        return MMU_FAULT(MMU_FAULT_PERMISSION, 1, 0);
    if (r->control & MMU_LPAE)
        return MMU_FAULT(MMU_FAULT_PERMISSION, t.lg2 == 30 ? 1 : t.lg2 == 21 ? 2 : 3, 0);
    unsigned n = r->ttbcr & 7;
    bool upper = n && va >> (32 - n);
    uint64_t base = upper ? r->ttbr1 & ~0x3fffull : r->ttbr0 & ~((0x4000ull >> n) - 1);
    load(&c->v, r, base + ((upper ? va : va & (0xffffffffu >> n)) >> 20) * 4, 4, &desc);
    return MMU_FAULT(MMU_FAULT_PERMISSION, t.lg2 < 20 ? 2 : 1, t.lg2 == 24 ? 0 : BITS(desc, 8, 5));
}

uint32_t arm_mmu_fsr(const struct arm_cpu *c, int code)
{
    unsigned level = MMU_FAULT_LEVEL(code);
    /* short: FS for levels 1, 2 (B3-7); long: STATUS base, level in the low bits (B3-8) */
    static const struct {
        uint8_t fs[2], status;
    } enc[] = {
        [MMU_FAULT_TRANSLATION] = {{0x05, 0x07}, 0x04}, [MMU_FAULT_ACCESS_FLAG] = {{0x03, 0x06}, 0x08},    [MMU_FAULT_DOMAIN] = {{0x09, 0x0b}, 0x3c},
        [MMU_FAULT_PERMISSION] = {{0x0d, 0x0f}, 0x0c},  [MMU_FAULT_WALK_EXTERNAL] = {{0x0c, 0x0e}, 0x14},
    };
    unsigned kind = MMU_FAULT_KIND(code);

    if (c->cp15.ttbcr & TTBCR_EAE)
        return BIT(9) | enc[kind].status | level;
    uint32_t fs = enc[kind].fs[level - 1];
    return (fs & 15) | (fs & 16) << 6 | MMU_FAULT_DOMAIN(code) << 4;
}

int arm_mmu_par(struct arm_cpu *c, uint32_t va, bool priv, bool write, uint64_t *par)
{
    struct guest_regime r;
    struct guest_translation t;
    bool lpae = c->cp15.ttbcr & TTBCR_EAE;

    guest_current_regime(&c->v, &r);
    r.priv = priv;
    int code = guest_walk(&c->v, &r, va, &t);
    if (code != 0 && MMU_FAULT_KIND(code) == MMU_FAULT_WALK_EXTERNAL)
        return code;
    if (code != 0 || !(t.rights & (write ? GUEST_RIGHT_W : GUEST_RIGHT_R))) {
        uint32_t fsr = arm_mmu_fsr(c, arm_mmu_fault_code(c, &r, va, code));
        *par = lpae ? 1 | (fsr & 0x3f) << 1 | BIT(9) | BIT(11) : 1 | (fsr & 15) << 1 | (fsr >> 10 & 1) << 5;
    } else if (lpae) { /* what is not cacheable is outer shareable (B4.1.112) */
        unsigned sh = t.device || t.attributes == 0x44 ? 2 : t.shareability;
        *par = (uint64_t)t.attributes << 56 | (t.pa & 0xfffffff000ull) | BIT(11) | BIT(9) | sh << 7;
    } else if (t.lg2 == 24) {
        *par = (t.pa & 0xff000000u) | (t.pa >> 16 & 0xff0000) | BIT(1);
    } else {
        *par = t.pa & 0xfffff000u;
    }
    return 0;
}
