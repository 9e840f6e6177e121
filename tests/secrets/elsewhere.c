/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <ucontext.h>

#include "check.h"
#include "seam.h"

/* What crosses has no way through the registers of makecontext, which takes ints. */
struct crossing {
    ucontext_t here, there;
    seam_word (*fn)(seam_word, seam_word, seam_word, seam_word, seam_word, seam_word, seam_word,
                    seam_word);
    seam_word args[8], result;
};

static _Thread_local struct crossing *crossing;

static void cross(void)
{
    struct crossing *c = crossing;
    const seam_word *a = c->args;

    c->result = c->fn(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

/* Functions of integers and pointers alone take more of them than they have without harm,
 * in every calling convention that this is tested with. */
seam_word seam_elsewhere(unsigned char *stack, size_t len, void *fn, const seam_word args[8])
{
    struct crossing mine = {.result = 0}, *outer = crossing;
    seam_word result;

    *(void **)&mine.fn = fn;
    memcpy(mine.args, args, sizeof(mine.args));
    must(getcontext(&mine.there) == 0);
    mine.there.uc_stack.ss_sp = stack;
    mine.there.uc_stack.ss_size = len;
    mine.there.uc_link = &mine.here;
    makecontext(&mine.there, cross, 0);
    crossing = &mine;
    must(swapcontext(&mine.here, &mine.there) == 0);
    crossing = outer;
    result = mine.result;
    explicit_bzero(&mine, sizeof(mine)); /* it has registers, and what memcpy left in them */
    return result;
}

bool seam_crossed(void)
{
    return crossing != NULL;
}
