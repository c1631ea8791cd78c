/*
 * cp15.c: finding and using the rows of the coprocessor register table.
 */
#include <arch/arm/cp15.h>

static const struct cp_row *find(uint32_t key)
{
    for (unsigned i = 0; i < arm_cp_row_count; i++)
        if (arm_cp_rows[i].key == key)
            return &arm_cp_rows[i];
    return NULL;
}

unsigned arm_cp_flags(uint32_t key, bool is_write, bool priv, uint32_t *offset)
{
    const struct cp_row *r = find(key);
    unsigned need = is_write ? (priv ? CP_W | CP_UW : CP_UW) : priv ? CP_R | CP_UR : CP_UR;

    if (!r || !(r->access & need))
        return ARM_CP_UNDEF;
    if (is_write && r->nop)
        return ARM_CP_NOP;
    if (r->field && !(is_write ? r->write != NULL : r->read != NULL)) {
        *offset = r->field;
        return ARM_CP_PLAIN | (is_write && r->end ? ARM_CP_END : 0);
    }
    return is_write && r->end ? ARM_CP_END : 0;
}

uint32_t arm_cp_high_offset(void) { return ARM_OFF(cp_high); }

uint32_t arm_helper_cp_read(void *cpu, uint32_t a UNUSED, uint32_t b UNUSED, uint32_t key, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    const struct cp_row *r = find(key);
    uint64_t x = r->value;

    if (r->read)
        x = r->read(c, key);
    else if (r->field)
        memcpy(&x, (char *)c + r->field, 4);
    c->cp_high = (uint32_t)(x >> 32);
    return (uint32_t)x;
}

uint32_t arm_helper_cp_write(void *cpu, uint32_t lo, uint32_t hi, uint32_t key, uint32_t imm2 UNUSED)
{
    struct arm_cpu *c = cpu;
    const struct cp_row *r = find(key);

    if (r->write)
        r->write(c, key, (uint64_t)hi << 32 | lo);
    else if (r->field)
        memcpy((char *)c + r->field, &lo, 4);
    return 0;
}

_Noreturn void arm_cp_undefined(struct arm_cpu *c)
{
    arm_take_exception(c, ARM_VEC_UNDEF);
    c->v.exit_reason = VCPU_EXIT_RAISED;
    host_unwind(&c->v);
}
