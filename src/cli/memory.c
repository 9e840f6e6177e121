/* SPDX-License-Identifier: Apache-2.0 */

/* Keys, PINs and plaintext pass through memory: they are to reach no disk. */

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

enum {
    STACK_LEN = 128 * 1024,      /* deeper than any secret lies */
    STACK_LEAST = 4 * STACK_LEN, /* arguments and environment may take a quarter of this */
    HEAP_LEN = 2 * 1024 * 1024,  /* a stream's buffers fit in */
};

/* No core file, and no debugger of the same user. */
static void forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

/* Locks the pages of the range, or of the half of it that ends or begins there, or of a
 * quarter, as the limit has it. */
static void lock_range(uintptr_t start, uintptr_t end, bool keep_end)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    start -= start % page;
    end -= end % page;
    while (start < end && mlock2((void *)start, end - start, MLOCK_ONFAULT) != 0) {
        const uintptr_t half = (end - start) / 2 / page * page;

        start = keep_end ? end - half : start;
        end = keep_end ? end : start + half;
    }
}

/* It has to have been that deep, for what is not mapped cannot be locked. The pages below are
 * left: a locked stack that meets the limit cannot grow, which ends the process. */
static void __attribute__((noinline)) lock_stack(void)
{
    volatile char frame[STACK_LEN];

    for (size_t at = 0; at < sizeof(frame); at += 1024) {
        frame[at] = 0;
    }
    lock_range((uintptr_t)frame + sizeof(frame) / 8, (uintptr_t)frame + sizeof(frame), true);
}

static bool has_stack(void)
{
    struct rlimit limit = {0, 0};

    return getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= STACK_LEAST;
}

/* The heap begins so large that streams need no mappings of their own. What it grows by later
 * is not locked. */
static void lock_heap(void)
{
    void *first, *whole;

    (void)mallopt(M_ARENA_MAX, 1); /* for the threads of --jobs too */
    (void)mallopt(M_MMAP_THRESHOLD, 2 * HEAP_LEN);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * HEAP_LEN);
    first = malloc(1);
    whole = malloc(HEAP_LEN);
    if (first != NULL && whole != NULL) {
        lock_range((uintptr_t)first, (uintptr_t)sbrk(0), false);
    }
    free(whole);
    free(first);
}

/* Whether more can be locked than the limit says: who may do that is bound by none. */
static bool is_unbound(const struct rlimit *limit)
{
    void *probe;
    size_t len;
    bool locked;

    if (limit->rlim_cur >= SIZE_MAX / 2) {
        return true;
    }
    len = (size_t)limit->rlim_cur + 1;
    probe = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    locked = probe != MAP_FAILED && mlock2(probe, len, MLOCK_ONFAULT) == 0;
    if (probe != MAP_FAILED) {
        (void)munmap(probe, len);
    }
    return locked;
}

/* Nothing goes to swap that can be helped: all memory where nothing binds, or else stack and
 * heap as far as the limit goes; what is mapped later is then left alone, for it could fail
 * to be mapped. Nobody is told: who runs this seldom sets the limit. */
static void lock_memory(void)
{
    struct rlimit limit = {0, 0};

    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    if (!is_unbound(&limit) || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        if (has_stack()) {
            lock_stack();
        }
        lock_heap();
    }
}

void memory_guard(void)
{
    forbid_core_dumps();
    lock_memory();
}
