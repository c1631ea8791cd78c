/*
 * device.c: accesses to device registers: the engine's own, copies the host keeps, shared words, posted writes, and for all others a
 * request to the host.
 *
 * The protocol of the shortcuts stands in armlet/abi.h.
 */
#include <dbt/engine_impl.h>

static bool copied(struct vcpu *v, uint64_t pa, uint64_t *value)
{
    const struct reg_copy *c = v->shared->reg_copy;

    for (unsigned i = 0; i < REG_COPIES_MAX; i++) {
        if (c[i].addr == pa && pa) {
            *value = __atomic_load_n(&c[i].value, __ATOMIC_ACQUIRE);
            v->stats->copied_reads++;
            return true;
        }
    }
    return false;
}

static bool request(struct vcpu *v, enum host_req_type type, uint64_t pa, unsigned size, uint64_t *value)
{
    struct host_request *q = &v->shared->req;

    q->type = type;
    q->addr = pa;
    q->size = size;
    q->value = *value;
    engine_host_call(v);
    *value = q->value;
    return q->status == 0;
}

/* The status word whose status register (*reg 0) or acknowledge register (*reg 4) is at pa, of device *n; NULL: neither. */
static uint32_t *irq_status(struct vcpu *v, uint64_t pa, unsigned size, unsigned *n, uint32_t *reg)
{
    struct irq_status *t = &v->shared->irq_status;
    uint64_t off = pa - t->base;

    if (size != 4 || off >= (uint64_t)t->n * t->stride)
        return NULL;
    *n = (uint32_t)off / t->stride;
    *reg = (uint32_t)off % t->stride;
    return *reg == 0 || *reg == 4 ? &t->word[*n] : NULL;
}

static bool read_irq_status(struct vcpu *v, uint64_t pa, unsigned size, uint64_t *value)
{
    unsigned n;
    uint32_t reg, *word = irq_status(v, pa, size, &n, &reg);

    if (!word || reg != 0)
        return false;
    *value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    v->stats->copied_reads++;
    return true;
}

/* True when it is done; false: the host is to be asked. */
static bool acknowledge_irq(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value)
{
    unsigned n, spi;
    uint32_t reg, *word = irq_status(v, pa, size, &n, &reg);

    if (!word || reg != 4)
        return false;
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST)) { /* else whatever comes is later than this */
        if (__atomic_and_fetch(word, ~(uint32_t)value, __ATOMIC_SEQ_CST))
            return false;
        spi = v->shared->irq_status.spi + n;
        __atomic_fetch_and(&v->shared->spi_level[spi / 32 % VM_SPI_WORDS], ~(1u << spi % 32), __ATOMIC_SEQ_CST);
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST)) { /* that may have been the level of a new one */
            uint64_t nothing = 0;
            request(v, HOST_REQ_MMIO_WRITE, pa, size, &nothing);
        }
    }
    v->stats->posted_writes++;
    return true;
}

static bool is_posted(const struct post_ring *r, uint64_t pa)
{
    for (uint32_t i = 0; i < r->n_regs; i++)
        if (r->reg[i] == pa)
            return true;
    return false;
}

static bool post(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value)
{
    struct post_ring *r = &v->shared->post;
    uint32_t tail = r->tail;

    if (!__atomic_load_n(&r->served, __ATOMIC_RELAXED) || size > 4 || !is_posted(r, pa) ||
        tail - __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) >= POST_RING_SIZE)
        return false;
    r->entry[tail % POST_RING_SIZE] = (struct post_entry){.addr = (uint32_t)pa, .size = size, .value = value};
    __atomic_store_n(&r->tail, tail + 1, __ATOMIC_SEQ_CST);
    v->stats->posted_writes++;
    if (!__atomic_load_n(&r->served, __ATOMIC_SEQ_CST)) {
        v->shared->req.type = HOST_REQ_POSTED;
        engine_host_call(v);
    }
    return true;
}

bool device_read(struct vcpu *v, uint64_t pa, unsigned size, uint64_t *value)
{
    if (guest_device_read(v, pa, size, value)) {
        v->stats->gic_accesses++;
        return true;
    }
    *value = 0;
    return copied(v, pa, value) || read_irq_status(v, pa, size, value) || request(v, HOST_REQ_MMIO_READ, pa, size, value);
}

bool device_write(struct vcpu *v, uint64_t pa, unsigned size, uint64_t value)
{
    if (guest_device_write(v, pa, size, value)) {
        v->stats->gic_accesses++;
        return true;
    }
    return acknowledge_irq(v, pa, size, value) || post(v, pa, size, value) || request(v, HOST_REQ_MMIO_WRITE, pa, size, &value);
}
