/*
 * ir.c: building, analysing and printing the intermediate representation.
 *
 * Branches inside a block only go forward, so one pass from the end to the start computes flag liveness exactly: when a branch is met,
 * what is live at its label is known already.
 */
#include <dbt/ir.h>

/* --- building ----------------------------------------------------------------------------------------------------- */

struct ir_insn *ir_emit(struct ir_block *b, enum ir_op op)
{
    uint32_t n = b->n;

    /* The front end keeps IR_RESERVE free; should it not, the last instruction is overwritten rather than memory. */
    if (n < IR_MAX_INSNS)
        b->n = n + 1;
    else
        n = IR_MAX_INSNS - 1;
    b->exit_live[n] = IR_NZCV;
    struct ir_insn *i = &b->insn[n];
    *i = (struct ir_insn){.op = (uint8_t)op, .d = IR_NONE, .d2 = IR_NONE, .a = IR_NONE, .b = IR_NONE};
    return i;
}

uint16_t ir_temp(struct ir_block *b)
{
    return (uint16_t)(IR_TEMP0 + (b->n_temps < IR_MAX_TEMPS ? b->n_temps++ : IR_MAX_TEMPS - 1));
}

uint16_t ir_label(struct ir_block *b)
{
    return b->n_labels < IR_MAX_LABELS ? b->n_labels++ : IR_MAX_LABELS - 1;
}

/* --- flags ---------------------------------------------------------------------------------------------------------- */

static const uint8_t cc_reads[] = {
    [IR_EQ] = IR_Z,        [IR_NE] = IR_Z,        [IR_CS] = IR_C,         [IR_CC] = IR_C,         [IR_MI] = IR_N,
    [IR_PL] = IR_N,        [IR_VS] = IR_V,        [IR_VC] = IR_V,         [IR_HI] = IR_C | IR_Z,  [IR_LS] = IR_C | IR_Z,
    [IR_GE] = IR_N | IR_V, [IR_LT] = IR_N | IR_V, [IR_GT] = IR_NZ | IR_V, [IR_LE] = IR_NZ | IR_V, [IR_AL] = 0,
};

static bool has_flex(unsigned op)
{
    return (op >= IR_OP_ADD && op <= IR_OP_MVN) || (op >= IR_OP_UXTB && op <= IR_OP_SXTH) || op == IR_OP_SETF;
}

static bool is_access(unsigned op)
{
    return op >= IR_OP_LD && op <= IR_OP_STX;
}

uint8_t ir_flags_read(const struct ir_insn *i)
{
    uint8_t r = 0;

    if (is_access(i->op))
        return i->resume;
    switch (i->op) {
    case IR_OP_ADC:
    case IR_OP_SBC:
    case IR_OP_RSC:
        r = IR_C;
        break;
    case IR_OP_LSLR:
    case IR_OP_LSRR:
    case IR_OP_ASRR:
    case IR_OP_RORR:
        return i->fset & IR_C; /* kept when the amount is 0 */
    case IR_OP_SEL:
    case IR_OP_BRCC:
    case IR_OP_EXIT_CC:
        return cc_reads[i->cc];
    case IR_OP_GETF:
        return IR_NZCV;
    case IR_OP_CALL:
        return i->mem & (IR_CALL_RAISE | IR_CALL_NORETURN | IR_CALL_RFLAGS) ? IR_NZCV : 0;
    default:
        break;
    }
    if (has_flex(i->op) && i->b != IR_NONE && i->shift == IR_RRX)
        r |= IR_C;
    return r;
}

uint8_t ir_cc_reads(enum ir_cc cc)
{
    return cc_reads[cc];
}

void ir_set_resume(struct ir_block *b, uint32_t from, uint8_t flags)
{
    bool any = false;

    for (uint32_t k = from; k < b->n; k++) {
        any |= is_access(b->insn[k].op);
        if (b->insn[k].op != IR_OP_CALL)
            flags |= ir_flags_read(&b->insn[k]);
    }
    for (uint32_t k = from; any && k < b->n; k++)
        if (is_access(b->insn[k].op))
            b->insn[k].resume = flags;
}

uint8_t ir_flags_defined(const struct ir_insn *i)
{
    return i->op >= IR_OP_LSLR && i->op <= IR_OP_RORR ? i->fset & ~IR_C : i->fset;
}

static bool is_exit(unsigned op)
{
    return op >= IR_OP_EXIT && op <= IR_OP_EXIT_RAISED;
}

static bool is_conditional_exit(unsigned op)
{
    return op == IR_OP_EXIT_CC || op == IR_OP_EXIT_Z || op == IR_OP_EXIT_NZ;
}

/* Flags live before insn k, given those live after it on the fall-through path. Updates at_label for a label. */
static uint8_t live_before(const struct ir_block *b, uint32_t k, uint8_t after, uint8_t *at_label)
{
    const struct ir_insn *i = &b->insn[k];

    if (i->op == IR_OP_LABEL && i->imm < IR_MAX_LABELS)
        at_label[i->imm] = after;
    return (uint8_t)((after & ~ir_flags_defined(i)) | ir_flags_read(i));
}

/* Flags live after insn k including the paths that leave the straight line there. */
static uint8_t join_after(const struct ir_block *b, uint32_t k, uint8_t fall_through, const uint8_t *at_label)
{
    const struct ir_insn *i = &b->insn[k];

    if (is_exit(i->op))
        return b->exit_live[k] | (is_conditional_exit(i->op) ? fall_through : 0);
    if (i->op == IR_OP_CALL && (i->mem & IR_CALL_NORETURN))
        return 0;
    if (i->op >= IR_OP_BR && i->op <= IR_OP_BRNZ) {
        uint8_t taken = i->imm < IR_MAX_LABELS ? at_label[i->imm] : IR_NZCV;
        return taken | (i->op != IR_OP_BR ? fall_through : 0);
    }
    return fall_through;
}

void ir_flags_live_after(const struct ir_block *b, uint8_t *live)
{
    uint8_t at_label[IR_MAX_LABELS] = {0};
    uint8_t now = b->live_out;

    for (uint32_t k = b->n; k-- > 0;) {
        live[k] = join_after(b, k, now, at_label);
        now = live_before(b, k, live[k], at_label);
    }
}

void ir_flag_liveness(struct ir_block *b)
{
    uint8_t at_label[IR_MAX_LABELS] = {0};
    uint8_t now = b->live_out;

    for (uint32_t k = b->n; k-- > 0;) {
        uint8_t after = join_after(b, k, now, at_label);
        b->insn[k].fset &= after;
        now = live_before(b, k, after, at_label);
    }
}

/* --- printing --------------------------------------------------------------------------------------------------------- */

static const char *const op_name[IR_OP_COUNT] = {
    [IR_OP_NOP] = "nop",
    [IR_OP_INSN] = "insn",
    [IR_OP_ADD] = "add",
    [IR_OP_ADC] = "adc",
    [IR_OP_SUB] = "sub",
    [IR_OP_SBC] = "sbc",
    [IR_OP_RSB] = "rsb",
    [IR_OP_RSC] = "rsc",
    [IR_OP_AND] = "and",
    [IR_OP_ORR] = "orr",
    [IR_OP_EOR] = "eor",
    [IR_OP_BIC] = "bic",
    [IR_OP_ORN] = "orn",
    [IR_OP_MOV] = "mov",
    [IR_OP_MVN] = "mvn",
    [IR_OP_LSLR] = "lslr",
    [IR_OP_LSRR] = "lsrr",
    [IR_OP_ASRR] = "asrr",
    [IR_OP_RORR] = "rorr",
    [IR_OP_MUL] = "mul",
    [IR_OP_UMULL] = "umull",
    [IR_OP_SMULL] = "smull",
    [IR_OP_UMLAL] = "umlal",
    [IR_OP_SMLAL] = "smlal",
    [IR_OP_LANES] = "lanes",
    [IR_OP_UDIV] = "udiv",
    [IR_OP_SDIV] = "sdiv",
    [IR_OP_CLZ] = "clz",
    [IR_OP_RBIT] = "rbit",
    [IR_OP_REV] = "rev",
    [IR_OP_REV16] = "rev16",
    [IR_OP_REVSH] = "revsh",
    [IR_OP_UXTB] = "uxtb",
    [IR_OP_UXTH] = "uxth",
    [IR_OP_SXTB] = "sxtb",
    [IR_OP_SXTH] = "sxth",
    [IR_OP_UBFX] = "ubfx",
    [IR_OP_SBFX] = "sbfx",
    [IR_OP_BFI] = "bfi",
    [IR_OP_SEL] = "sel",
    [IR_OP_GETF] = "getf",
    [IR_OP_SETF] = "setf",
    [IR_OP_LDF] = "ldf",
    [IR_OP_LDE] = "lde",
    [IR_OP_STE] = "ste",
    [IR_OP_LD] = "ld",
    [IR_OP_ST] = "st",
    [IR_OP_LDV] = "ldv",
    [IR_OP_STV] = "stv",
    [IR_OP_ALIGN] = "align",
    [IR_OP_LDX] = "ldx",
    [IR_OP_STX] = "stx",
    [IR_OP_CALL] = "call",
    [IR_OP_VOP] = "vop",
    [IR_OP_LABEL] = "label",
    [IR_OP_BR] = "br",
    [IR_OP_BRCC] = "brcc",
    [IR_OP_BRZ] = "brz",
    [IR_OP_BRNZ] = "brnz",
    [IR_OP_EXIT] = "exit",
    [IR_OP_EXIT_CC] = "exit_cc",
    [IR_OP_EXIT_Z] = "exit_z",
    [IR_OP_EXIT_NZ] = "exit_nz",
    [IR_OP_EXIT_IND] = "exit_ind",
    [IR_OP_EXIT_LOOKUP] = "exit_lookup",
    [IR_OP_EXIT_RAISED] = "exit_raised",
    [IR_OP_GUARD] = "guard",
};

static const char *const cc_name[] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al"};
static const char *const shift_name[] = {"lsl", "lsr", "asr", "ror", "rrx"};

const char *ir_op_name(enum ir_op op)
{
    return (unsigned)op < IR_OP_COUNT ? op_name[op] : "?";
}

struct text {
    char *buf;
    int len, cap;
};

static void put(struct text *t, const char *s)
{
    while (*s && t->len < t->cap - 1)
        t->buf[t->len++] = *s++;
}

static void put_dec(struct text *t, uint32_t v)
{
    char digits[12];
    int n = (int)sizeof(digits) - 1;

    digits[n] = 0;
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    put(t, digits + n);
}

static void put_hex(struct text *t, uint32_t v)
{
    char digits[9];
    int n = 8;

    digits[8] = 0;
    do {
        digits[--n] = "0123456789abcdef"[v & 15];
        v >>= 4;
    } while (v);
    put(t, "0x");
    put(t, digits + n);
}

static void put_field(struct text *t, const char *name, uint32_t v)
{
    put(t, " ");
    put(t, name);
    put(t, "=");
    put_hex(t, v);
}

static void put_value(struct text *t, const char *name, uint16_t v)
{
    if (v == IR_NONE)
        return;
    put(t, " ");
    put(t, name);
    put(t, "=");
    put(t, v < IR_TEMP0 ? "r" : "t");
    put_dec(t, v < IR_TEMP0 ? v : v - IR_TEMP0);
}

static bool has_cc(unsigned op)
{
    return op == IR_OP_SEL || op == IR_OP_BRCC || op == IR_OP_EXIT_CC;
}

int ir_print(const struct ir_insn *i, char *buf, int cap)
{
    struct text t = {buf, 0, cap};

    if (cap <= 0)
        return 0;
    put(&t, ir_op_name((enum ir_op)i->op));
    if (has_cc(i->op) && i->cc <= IR_AL) {
        put(&t, ".");
        put(&t, cc_name[i->cc]);
    }
    if (i->fset) {
        put(&t, ".");
        for (int f = 3; f >= 0; f--)
            if (i->fset & 1 << f)
                put(&t, f == 3 ? "n" : f == 2 ? "z" : f == 1 ? "c" : "v");
    }
    if (i->op == IR_OP_VOP) { /* byte offsets, not values */
        put_field(&t, "d", i->d);
        put_field(&t, "a", i->a);
        put_field(&t, "b", i->b);
    } else {
        put_value(&t, "d", i->d);
        put_value(&t, "d2", i->d2);
        put_value(&t, "a", i->a);
        put_value(&t, "b", i->b);
    }
    if (i->shamt || i->shift) {
        put(&t, " ");
        put(&t, i->shift < ARRAY_LEN(shift_name) ? shift_name[i->shift] : "?");
        put(&t, "#");
        put_dec(&t, i->shamt);
    }
    if (i->mem)
        put_field(&t, "mem", i->mem);
    if (i->imm)
        put_field(&t, "imm", i->imm);
    if (i->imm2)
        put_field(&t, "imm2", i->imm2);
    buf[t.len] = 0;
    return t.len;
}
