/*
 * vop.h: lowering of the IR's SIMD and floating-point operations (dbt/ir_vop.h) to AVX code.
 */
#ifndef X86_VOP_H
#define X86_VOP_H

#include <arch/x86/emit.h>
#include <dbt/ir_vop.h>

/*
 * Write code for the IR_OP_VOP instruction `i`: state[i->d] = vop(state[i->a], state[i->b]), offsets from struct vcpu (address them with
 * x86_state()). The code may use xmm registers (xmm5 and up as vcache.h says), when x86_vop_clobbers() rax, rcx, rdx and EFLAGS, and
 * nothing else; it leaves the upper halves of the ymm registers zero (VEX.128 does). Returns false for an operation that has no lowering.
 *
 * Fix-up: where the inline code finds that it cannot give the guest's result, and before it has written anything to state, it jumps away
 * with x86_vop_fixup(). The back end writes, out of line, what registers have of state, the call of i->fn(vcpu, 0, 0, i->imm, 0), which
 * does the whole operation, and the jump to the end of the operation's code.
 */
bool x86_lower_vop(struct x86_emitter *e, const struct ir_insn *i);

/* Does the code of `i`, or its fix-up, change rax, rcx, rdx or EFLAGS? */
bool x86_vop_clobbers(const struct ir_insn *i);

/* Is it a comparison? Then it leaves EFLAGS as (u)comis set them, and what it stores in eax. */
static inline bool x86_vop_compares(const struct ir_insn *i)
{
    return i->op == IR_OP_VOP && ((i->imm2 & 0xffff) == IR_VOP_FCMP || (i->imm2 & 0xffff) == IR_VOP_FCMPE);
}

static inline void x86_vop_fixup(struct x86_emitter *e, enum x86_cc cc)
{
    uint32_t at = x86_jcc(e, cc);

    if (e->n_fixups < X86_MAX_FIXUPS) {
        e->fixup_dirty[e->n_fixups] = x86_vcache_dirty(&e->vcache);
        e->fixup[e->n_fixups++] = at;
    } else {
        e->overflow = true;
    }
}

#endif
