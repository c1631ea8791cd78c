/*
 * pic.c: which address spaces run position-independent blocks.
 *
 * A block is made for one address, and code that is mapped elsewhere in every process (shared libraries, by address space layout
 * randomisation) needs one for each: copy.c. That is worth its while in a process that stays. One that is gone after a few milliseconds
 * spends them on copying, linking, and running what no cache has seen yet. Position-independent blocks (BLOCK_PIC) serve all addresses of a
 * physical page: what depends on the address counts from vcpu.pic_page, which a jump to another page sets. In programs
 * that run long they are 5 to 25 % slower than others.
 *
 * So an address space begins with ordinary blocks. When it wants one that is known at another address only, it is taken to have been laid
 * out anew, and goes on with position-independent ones. When it has been interrupted PIC_POLLS times in its own code, it is one that stays.
 *
 * The two kinds never mix: jump cache, return stack and links go by the block's flags.
 */
#include <dbt/engine_impl.h>

#define PIC_POLLS 8

bool pic_wanted(const struct engine *e, const struct view *w)
{
    return e->cfg.pic == ENGINE_PIC_ALWAYS || w->pic;
}

bool pic_begin(struct engine *e, struct view *w)
{
    if (e->cfg.pic == ENGINE_PIC_NEVER || w->regime.priv || w->polls == PIC_POLLS)
        return false;
    e->v->stats->views_pic++;
    w->pic = true;
    return true;
}

void pic_polled(struct view *w)
{
    if (w->pic && ++w->polls == PIC_POLLS)
        w->pic = false;
}
