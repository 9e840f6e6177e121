/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "vault.h"

enum { HEAPS = 4, ALIGNMENT = 16 };

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *p, size_t len);
extern void *__libc_memalign(size_t alignment, size_t len);
extern void __libc_free(void *p);

static heap heaps[HEAPS];
static size_t heap_count;
static _Thread_local heap *in_use;
static _Thread_local bool wiping;

heap *heap_new(const char *name, size_t len)
{
    heap *h = &heaps[heap_count++];

    must(heap_count <= HEAPS);
    h->start =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(h->start != MAP_FAILED);
    h->len = len;
    vault_aside(name, h->start, len, &h->used);
    return h;
}

heap *heap_use(heap *h)
{
    heap *before = in_use;

    in_use = h;
    return before;
}

void heap_wipe(bool wipe)
{
    wiping = wipe;
}

static heap *heap_of(const void *p)
{
    for (size_t i = 0; i < heap_count; i++) {
        if ((const unsigned char *)p >= heaps[i].start &&
            (const unsigned char *)p < heaps[i].start + heaps[i].len) {
            return &heaps[i];
        }
    }
    return NULL;
}

/* The block's length stands before it. */
static void *take(heap *h, size_t alignment, size_t len)
{
    size_t at;

    alignment = alignment < ALIGNMENT ? ALIGNMENT : alignment;
    at = (h->used + ALIGNMENT + alignment - 1) / alignment * alignment;
    if (len > h->len || at > h->len - len) {
        errno = ENOMEM;
        return NULL;
    }
    h->used = at + len;
    memcpy(h->start + at - sizeof(len), &len, sizeof(len));
    return h->start + at;
}

static size_t len_of(const void *p)
{
    size_t len;

    if (heap_of(p) == NULL) {
        return malloc_usable_size((void *)(uintptr_t)p);
    }
    memcpy(&len, (const unsigned char *)p - sizeof(len), sizeof(len));
    return len;
}

static void *allocate(size_t len)
{
    return in_use != NULL ? take(in_use, ALIGNMENT, len) : __libc_malloc(len);
}

void *malloc(size_t len)
{
    return allocate(len);
}

void free(void *p)
{
    if (p != NULL && wiping) {
        explicit_bzero(p, len_of(p));
    }
    if (p != NULL && heap_of(p) == NULL) {
        __libc_free(p);
    }
}

void *calloc(size_t count, size_t len)
{
    if (in_use == NULL) { /* malloc and memset here would be made a call of calloc */
        return __libc_calloc(count, len);
    }
    if (len != 0 && count > SIZE_MAX / len) {
        return NULL;
    }
    return take(in_use, ALIGNMENT, count * len); /* which was never used */
}

void *realloc(void *p, size_t len)
{
    void *larger;

    if (p == NULL || (in_use == NULL && heap_of(p) == NULL && !wiping)) {
        return p == NULL ? allocate(len) : __libc_realloc(p, len);
    }
    larger = allocate(len);
    if (larger != NULL) {
        memcpy(larger, p, len_of(p) < len ? len_of(p) : len);
        free(p);
    }
    return larger;
}

void *memalign(size_t alignment, size_t len)
{
    return in_use != NULL ? take(in_use, alignment, len) : __libc_memalign(alignment, len);
}

void *aligned_alloc(size_t alignment, size_t len)
{
    return memalign(alignment, len);
}

int posix_memalign(void **out, size_t alignment, size_t len)
{
    *out = memalign(alignment, len);
    return *out == NULL ? ENOMEM : 0;
}
