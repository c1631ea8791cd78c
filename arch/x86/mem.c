/*
 * mem.c: guest memory accesses, CPU-state accesses, alignment checks and exclusives.
 *
 * A guest access is one x86 instruction with a gs prefix and 32-bit addressing, at which a fault point is recorded.
 */
#include <arch/x86/backend.h>
#include <arch/x86/vop_impl.h>
#include <dbt/guest.h>

void fault_point(struct be *be)
{
    struct host_code *out = be->out;

    if (out->n_faults == HOST_MAX_FAULTS || x86_offset(&be->e) > UINT16_MAX) {
        be->failed = true;
        return;
    }
    out->fault[out->n_faults++] = (struct host_fault_point){
        .code_off = (uint16_t)x86_offset(&be->e),
        .pc = be->pc,
        .restart = be->restart,
        .eflags_mask = be->flags.ef & ~be->flags.mem,
        .carry_inverted = be->flags.carry_inverted,
        .unexecuted = be->opts->engine_flags & ENGINE_COUNT_INSNS ? (uint8_t)(be->n_guest - be->n_executed) : 0,
        .pic = be->opts->pic,
        .vectors = dirty_now(be),
    };
}

static struct x86_mem guest_mem(struct be *be, const struct ir_insn *i)
{
    struct x86_mem m = {.base = X86_NOREG, .index = X86_NOREG, .guest = 1, .wide = i->moves && !be->opts->pic, .disp = (int32_t)i->imm};

    if (i->a != IR_NONE)
        m.base = (uint8_t)value_get(be, i->a);
    if (i->moves && be->opts->pic) {
        m.base = (uint8_t)scratch_alloc(be);
        constant_load(be, m.base, (struct constant){0, .moves = true});
    }
    if (i->b != IR_NONE) {
        uint8_t r = (uint8_t)value_get(be, i->b);
        if (m.base == X86_NOREG && i->shamt == 0) {
            m.base = r;
        } else {
            m.index = r;
            m.scale = i->shamt;
        }
    }
    return m;
}

void address_moves(struct be *be, struct x86_mem m)
{
    if (m.wide)
        move_note(be, be->e.wide_at, HOST_MOVE_PC);
}

static bool is_slow(const struct ir_insn *i)
{
    return i->mem & (IR_MEM_SLOW | IR_MEM_USER);
}

/* --- slow accesses -------------------------------------------------------------------------------------------------------------- */

static uint32_t slow_read(void *cpu, uint32_t va, uint32_t b, uint32_t mem, uint32_t imm2)
{
    (void)b, (void)imm2;
    uint32_t v = (uint32_t)guest_mem_read(cpu, va, mem);

    if (!(mem & IR_MEM_SIGNED))
        return v;
    return (mem & IR_MEM_SIZE) == 1 ? (uint32_t)(int8_t)v : (mem & IR_MEM_SIZE) == 2 ? (uint32_t)(int16_t)v : v;
}

static uint32_t slow_write(void *cpu, uint32_t va, uint32_t value, uint32_t mem, uint32_t imm2)
{
    (void)imm2;
    guest_mem_write(cpu, va, value, mem);
    return 0;
}

/* Between guest memory and CPU state at `off`; 16 bytes as two accesses of 8. */
static uint32_t slow_read_state(void *cpu, uint32_t va, uint32_t b, uint32_t mem, uint32_t off)
{
    (void)b;
    unsigned size = mem & IR_MEM_SIZE, part = size > 8 ? 8 : size;
    uint32_t flags = (mem & ~(uint32_t)(IR_MEM_SIZE | IR_MEM_SIGNED)) | part;
    uint64_t v[2] = {0, 0};

    for (unsigned k = 0; k * 8 < size; k++)
        v[k] = guest_mem_read(cpu, va + 8 * k, flags);
    memcpy((uint8_t *)cpu + off, v, size);
    return 0;
}

static uint32_t slow_write_state(void *cpu, uint32_t va, uint32_t b, uint32_t mem, uint32_t off)
{
    (void)b;
    unsigned size = mem & IR_MEM_SIZE, part = size > 8 ? 8 : size;
    uint32_t flags = (mem & ~(uint32_t)(IR_MEM_SIZE | IR_MEM_SIGNED)) | part;

    for (unsigned k = 0; k * 8 < size; k++) {
        uint64_t v = 0;
        memcpy(&v, (const uint8_t *)cpu + off + 8 * k, part);
        guest_mem_write(cpu, va + 8 * k, v, flags);
    }
    return 0;
}

/* Load-exclusive: the monitor records what was read, as it lies in memory. Returns the low word. */
static uint32_t slow_load_exclusive(void *cpu, uint32_t va, uint32_t b, uint32_t mem, uint32_t imm2)
{
    (void)b, (void)imm2;
    struct vcpu *v = cpu;
    uint64_t value = guest_mem_read(v, va, mem & ~(uint32_t)(IR_MEM_SIGNED | IR_MEM_BE));

    v->excl_addr = va;
    v->excl_value = value;
    return (uint32_t)value;
}

static uint32_t swapped(uint32_t v, unsigned size)
{
    return size == 1 ? v : size == 2 ? __builtin_bswap16((uint16_t)v) : __builtin_bswap32(v);
}

/* Store-exclusive; the high word of a doubleword is in excl_pad. Returns the status. */
static uint32_t slow_store_exclusive(void *cpu, uint32_t va, uint32_t low, uint32_t mem, uint32_t imm2)
{
    (void)imm2;
    struct vcpu *v = cpu;
    uint32_t flags = mem & ~(uint32_t)(IR_MEM_SIGNED | IR_MEM_BE);
    uint32_t high = (mem & IR_MEM_SIZE) == 8 ? v->excl_pad : 0;
    uint64_t seen = v->excl_value & ~0ull >> (64 - 8 * (mem & IR_MEM_SIZE));
    uint32_t status = 1;

    if (mem & IR_MEM_BE) {
        low = swapped(low, mem & IR_MEM_SIZE);
        high = swapped(high, 4);
    }
    if (v->excl_addr == va && guest_mem_read(v, va, flags) == seen) {
        guest_mem_write(v, va, (uint64_t)high << 32 | low, flags);
        status = 0;
    }
    v->excl_addr = UINT32_MAX;
    return status;
}

/* Call fn(vcpu, address, value, mem, imm2) for the access. */
static void slow_call(struct be *be, const struct ir_insn *i, uint16_t value, ir_helper fn, uint32_t imm2)
{
    flags_clobber(be);
    bool is_plain = i->op == IR_OP_STX || i->op == IR_OP_LDX || (i->a != IR_NONE && i->b == IR_NONE && i->imm == 0);
    if (is_plain) {
        call_args(be, i->a, value);
    } else {
        struct x86_mem m = guest_mem(be, i);
        m.guest = 0;
        if (i->moves && be->opts->pic) {
            x86_lea(&be->e, 4, m.base, m);
            be->locked = (uint8_t)(1u << m.base);
            call_args_opnd(be, (struct opnd){.is_reg = true, .reg = m.base}, value);
            call_emit(be, CALL_FULL | CALL_RAISES, fn, i->mem, imm2);
            return;
        }
        be->locked = 0; /* the address may take the place of its parts, unless the value is there */
        if (value != IR_NONE)
            value_opnd(be, value);
        unsigned r = scratch_alloc_keeping(be, m.base, m.index);
        if (m.base == X86_NOREG && m.index == X86_NOREG) {
            constant_load(be, r, (struct constant){i->imm, i->moves});
        } else {
            x86_lea(&be->e, 4, r, m);
            address_moves(be, m);
        }
        call_args_opnd(be, (struct opnd){.is_reg = true, .reg = (uint8_t)r}, value);
    }
    call_emit(be, CALL_FULL | CALL_RAISES, fn, i->mem, imm2);
}

/* --- loads and stores -------------------------------------------------------------------------------------------------------------- */

void lower_ld(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;

    if (is_slow(i)) {
        slow_call(be, i, IR_NONE, slow_read, 0);
        be->locked |= 1u << X86_RAX;
        def_end(be, i->d, X86_RAX);
        return;
    }
    struct x86_mem m = guest_mem(be, i);
    unsigned r = def_begin(be, i->d);
    struct cold *c = lookup_begin(be, i, m);
    fault_point(be);
    access_load(e, i, r, m);
    address_moves(be, m);
    lookup_end(be, i, c, r);
    def_end(be, i->d, r);
    lookup_run_end(be);
}
void lower_st(struct be *be, const struct ir_insn *i)
{
    if (is_slow(i)) {
        slow_call(be, i, i->d, slow_write, 0);
        return;
    }
    struct x86_mem m = guest_mem(be, i);
    uint32_t constant;
    if (i->d >= IR_TEMP0 && constant_of(be, i->d, &constant) && !(i->mem & IR_MEM_BE)) {
        struct cold *c = lookup_begin(be, i, m);
        fault_point(be);
        x86_mov_mi(&be->e, access_size(i), m, (int32_t)constant);
        address_moves(be, m);
        if (c) {
            c->lookup.has_value = true;
            c->lookup.value = constant;
        }
        lookup_end(be, i, c, X86_NOREG);
        return;
    }
    unsigned r = value_get(be, i->d);
    struct cold *c = lookup_begin(be, i, m);
    fault_point(be);
    access_store(&be->e, i, r, m);
    address_moves(be, m);
    lookup_end(be, i, c, r);
    lookup_run_end(be);
}

static bool slow_vector(const struct ir_insn *i)
{
    return is_slow(i) || (i->mem & IR_MEM_BE);
}

void lower_ldv(struct be *be, const struct ir_insn *i)
{
    if (slow_vector(i)) {
        slow_call(be, i, IR_NONE, slow_read_state, i->imm2);
        return;
    }
    struct x86_mem m = guest_mem(be, i);
    uint16_t dirty = dirty_now(be); /* when it faults, what it was going to overwrite is there still */
    unsigned x = x86_vcache_target(&be->e, i->imm2, access_size(i));
    struct cold *c = lookup_begin(be, i, m);
    fault_point(be);
    if (!be->failed)
        be->out->fault[be->out->n_faults - 1].vectors = dirty;
    access_vector_load(&be->e, access_size(i), x, m);
    address_moves(be, m);
    lookup_end(be, i, c, x);
    x86_vcache_written(&be->e, x);
}

void lower_stv(struct be *be, const struct ir_insn *i)
{
    if (slow_vector(i)) {
        slow_call(be, i, IR_NONE, slow_write_state, i->imm2);
        return;
    }
    struct x86_mem m = guest_mem(be, i);
    unsigned x = vop_operand(&be->e, access_size(i), X0, i->imm2);
    struct cold *c = lookup_begin(be, i, m);
    fault_point(be);
    access_vector_store(&be->e, access_size(i), m, x);
    address_moves(be, m);
    lookup_end(be, i, c, x);
}

/* Is it only for the branch that follows? Then that compares memory. */
static bool only_tested(const struct be *be, const struct ir_insn *i)
{
    if (be->index + 1 >= be->b->n || i->d < IR_TEMP0)
        return false;
    const struct ir_insn *next = &be->b->insn[be->index + 1];
    return (next->op == IR_OP_BRZ || next->op == IR_OP_BRNZ) && next->a == i->d && be->temp[i->d - IR_TEMP0].last_use == be->index + 1;
}

void lower_lde(struct be *be, const struct ir_insn *i)
{
    if (only_tested(be, i)) {
        be->state_fused = true;
        return;
    }
    unsigned r = def_begin(be, i->d);

    if (i->mem == 4)
        x86_mov_rm(&be->e, 4, r, x86_state(i->imm));
    else
        x86_movzx_rm(&be->e, i->mem, r, x86_state(i->imm));
    def_end(be, i->d, r);
}

void lower_ste(struct be *be, const struct ir_insn *i)
{
    if (i->a == IR_NONE)
        x86_mov_mi(&be->e, i->mem, x86_state(i->imm), (int32_t)i->imm2);
    else
        x86_mov_mr(&be->e, i->mem, x86_state(i->imm), value_get(be, i->a));
}

/* --- alignment ------------------------------------------------------------------------------------------------------------------------ */

void lower_align(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    uint32_t mask = i->imm2 & 0xff;
    uint32_t is_write = i->imm2 >> 31;

    if (i->a == IR_NONE) { /* known now */
        if (!(i->imm & mask))
            return;
    }
    unsigned ra = X86_NOREG;
    unsigned r;
    if (i->a == IR_NONE) {
        r = scratch_alloc(be);
        x86_mov_ri(e, r, i->imm);
    } else {
        r = ra = value_get(be, i->a);
        if (i->imm & mask) {
            r = scratch_alloc(be);
            x86_lea(e, 4, r, x86_base(ra, (int32_t)i->imm));
        }
    }
    flags_clobber(be);
    x86_test_ri(e, mask < 0x80 ? 1 : 4, r, (int32_t)mask);
    struct cold *c = cold_new(be, COLD_ALIGN, x86_jcc(e, X86_NE));
    c->pc = be->pc;
    c->restart = be->restart;
    c->reg = (uint8_t)r;
    c->imm = r == ra ? i->imm : 0;
    c->reg2 = (uint8_t)is_write;
}

/* --- exclusives --------------------------------------------------------------------------------------------------------------------------
 */

/* The words of an exclusive access are byte-swapped one by one; `size` 1, 2 or 4 of the register's low bytes. EFLAGS kept. */
static void swap_bytes(struct be *be, unsigned r, unsigned size)
{
    if (size == 1)
        return;
    x86_bswap(&be->e, 4, r);
    if (size == 2) {
        x86_rorx_rr(&be->e, 4, r, r, 16);
        x86_movzx_rr(&be->e, 2, r, r);
    }
}

static struct x86_mem exclusive_mem(struct be *be, const struct ir_insn *i)
{
    struct x86_mem m = x86_base(value_get(be, i->a), 0);

    m.guest = 1;
    return m;
}

void lower_ldx(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned size = access_size(i), r = X86_RAX;
    bool big = i->mem & IR_MEM_BE;

    if (is_slow(i)) {
        slow_call(be, i, IR_NONE, slow_load_exclusive, 0);
        be->locked |= 1u << X86_RAX;
    } else {
        struct x86_mem m = exclusive_mem(be, i);
        r = scratch_alloc(be);
        fault_point(be);
        lookup_none(be, i);
        if (size >= 4)
            x86_mov_rm(e, size, r, m);
        else
            x86_movzx_rm(e, size, r, m);
        x86_mov_mr(e, 4, x86_state(VCPU_OFF(excl_addr)), m.base);
        x86_mov_mr(e, 8, x86_state(VCPU_OFF(excl_value)), r);
    }
    if (size == 8) {
        unsigned high = def_begin(be, i->d2);
        x86_mov_rm(e, 4, high, x86_state(VCPU_OFF(excl_value) + 4));
        if (big)
            swap_bytes(be, high, 4);
        def_end(be, i->d2, high);
        x86_mov_rr(e, 4, r, r);
    }
    if (big)
        swap_bytes(be, r, size < 4 ? size : 4);
    def_end(be, i->d, r);
}

static void stx_slow(struct be *be, const struct ir_insn *i)
{
    if (access_size(i) == 8)
        x86_mov_mr(&be->e, 4, x86_state(VCPU_OFF(excl_pad)), value_get(be, i->d2));
    slow_call(be, i, i->b, slow_store_exclusive, 0);
    be->locked |= 1u << X86_RAX;
    def_end(be, i->d, X86_RAX);
}

/* The value to store, as it is to lie in memory; rax is free to use. */
static unsigned stx_value(struct be *be, const struct ir_insn *i, unsigned size)
{
    struct x86_emitter *e = &be->e;
    bool big = i->mem & IR_MEM_BE;

    if (size == 8) {
        unsigned r = scratch_alloc(be);
        value_copy_to(be, r, i->d2);
        if (big)
            swap_bytes(be, r, 4);
        x86_sh_ri(e, X86_SHL, 8, r, 32);
        value_copy_to(be, X86_RAX, i->b);
        if (big)
            swap_bytes(be, X86_RAX, 4);
        x86_alu_rr(e, X86_OR, 8, r, X86_RAX);
        return r;
    }
    if (!big || size == 1)
        return value_get(be, i->b);
    unsigned r = scratch_alloc(be);
    value_copy_to(be, r, i->b);
    swap_bytes(be, r, size);
    return r;
}

void lower_stx(struct be *be, const struct ir_insn *i)
{
    struct x86_emitter *e = &be->e;
    unsigned size = access_size(i);

    if (is_slow(i)) {
        stx_slow(be, i);
        return;
    }
    flags_clobber(be);
    scratch_take(be, X86_RAX);
    struct x86_mem m = {.base = (uint8_t)value_get(be, i->a), .index = X86_NOREG, .guest = 1};
    unsigned value = stx_value(be, i, size);
    /* Not equal, from either comparison, is failure. The monitor is cleared after the access, so that the access can be restarted. */
    x86_alu_rm(e, X86_CMP, 4, m.base, x86_state(VCPU_OFF(excl_addr)));
    uint32_t fail = x86_jcc8(e, X86_NE);
    x86_mov_rm(e, size == 8 ? 8 : 4, X86_RAX, x86_state(VCPU_OFF(excl_value)));
    fault_point(be);
    lookup_none(be, i);
    x86_lock_cmpxchg_mr(e, size, m, value);
    x86_patch8_here(e, fail);
    x86_mov_mi(e, 4, x86_state(VCPU_OFF(excl_addr)), -1);
    x86_setcc_r(e, X86_NE, X86_RAX);
    x86_movzx_rr(e, 1, X86_RAX, X86_RAX);
    def_end(be, i->d, X86_RAX);
}
