/* SPDX-License-Identifier: Apache-2.0 */
#include "vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "check.h"
#include "seam.h"

#define BLOCK   8 /* bytes that are recognised */
#define VARIETY 5 /* different bytes in a block that is no constant */

enum {
    VAULT_LEN = 64 << 20,
    SECRETS = 4096,
    SLOTS = 1 << 18,
    FILTER = 1 << 15,
    MAPS_LEN = 1 << 18,
    ASIDES = 8,
    OWN_STACK = 1 << 16,
};

typedef struct slot {
    uint64_t block; /* 0: free */
    uint32_t secret;
} slot;

typedef struct area {
    char name[40];
    uintptr_t start, end;
    const size_t *used; /* of it, so far; NULL: all */
} area;

/* All state lies in one mapping, which the search leaves out. */
static struct vault {
    size_t used, secrets, taken, found;
    area asides[ASIDES];
    size_t aside_count;
    finding findings[FINDINGS];
    char names[SECRETS][40];
    slot slots[SLOTS];
    uint64_t filter[FILTER]; /* a bit for each hash that a block has: most have none */
    char maps[MAPS_LEN];
    unsigned char stack[OWN_STACK];
    uint8_t bytes[];
} * v;

__attribute__((constructor(101))) static void vault_open(void)
{
    v = mmap(NULL, VAULT_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
             -1, 0);
    if (v == MAP_FAILED) {
        abort();
    }
}

void *vault_new(size_t len)
{
    uint8_t *at = v->bytes + v->used;

    must(len < VAULT_LEN - sizeof(*v) - v->used - 16);
    v->used += (len + 15) / 16 * 16;
    return at;
}

void vault_aside(const char *name, void *start, size_t len, const size_t *used)
{
    area *a = &v->asides[v->aside_count++];

    must(v->aside_count <= ASIDES);
    (void)snprintf(a->name, sizeof(a->name), "%s", name);
    a->start = (uintptr_t)start;
    a->end = a->start + len;
    a->used = used;
}

/* What looks at secrets does so here, and leaves nothing of them on the stack of who asked. */
static seam_word apart(void *fn, const void *a, const void *b, size_t c)
{
    const seam_word args[8] = {(seam_word)(uintptr_t)a, (seam_word)(uintptr_t)b, c};

    return seam_elsewhere(v->stack, sizeof(v->stack), fn, args);
}

/* --- Blocks. ------------------------------------------------------------------------- */

static uint32_t hash_of(uint64_t block)
{
    return (uint32_t)((block * 0x9e3779b97f4a7c15u) >> 32);
}

static bool varied(uint64_t block)
{
    uint64_t seen[4] = {0};
    unsigned count = 0;

    for (unsigned i = 0; i < BLOCK; i++) {
        uint8_t byte = (uint8_t)(block >> (8 * i));
        uint64_t bit = (uint64_t)1 << (byte % 64);

        count += (seen[byte / 64] & bit) == 0;
        seen[byte / 64] |= bit;
    }
    return count >= VARIETY;
}

static void block_add(uint64_t block, uint32_t secret)
{
    uint32_t hash = hash_of(block);
    size_t i = hash % SLOTS;

    if (!varied(block)) {
        return;
    }
    must(v->taken < SLOTS / 2);
    while (v->slots[i].block != 0 && v->slots[i].block != block) {
        i = (i + 1) % SLOTS;
    }
    if (v->slots[i].block == 0) {
        v->slots[i] = (slot){block, secret};
        v->taken++;
        v->filter[(hash >> 6) % FILTER] |= (uint64_t)1 << (hash % 64);
    }
}

/* The secret that a block is of, or SECRETS. */
static uint32_t block_find(uint64_t block)
{
    uint32_t hash = hash_of(block);

    if ((v->filter[(hash >> 6) % FILTER] >> (hash % 64) & 1) == 0) {
        return SECRETS;
    }
    for (size_t i = hash % SLOTS; v->slots[i].block != 0; i = (i + 1) % SLOTS) {
        if (v->slots[i].block == block) {
            return v->slots[i].secret;
        }
    }
    return SECRETS;
}

static uint64_t load(const uint8_t *at)
{
    uint64_t block;

    memcpy(&block, at, sizeof(block));
    return block;
}

/* Returns something, for else it would be what a register was left with. */
static size_t add(const char *name, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint32_t secret = (uint32_t)v->secrets++;

    must(v->secrets <= SECRETS);
    (void)snprintf(v->names[secret], sizeof(v->names[secret]), "%s", name);
    for (size_t at = 0; len >= BLOCK && at < len; at += BLOCK) {
        uint64_t block = load(bytes + (at + BLOCK <= len ? at : len - BLOCK));

        block_add(block, secret);
        block_add(__builtin_bswap64(block), secret);
        /* Words of four bytes, as a hash on a little-endian machine reads them. */
        block_add(__builtin_bswap64(block << 32 | block >> 32), secret);
    }
    /* Back to front, the blocks begin at the other end. */
    for (size_t end = len; end >= BLOCK; end -= BLOCK) {
        block_add(__builtin_bswap64(load(bytes + end - BLOCK)), secret);
    }
    return secret;
}

void secret_add(const char *name, const void *data, size_t len)
{
    (void)apart((void *)add, name, data, len);
}

void *vault_random(const char *name, size_t len)
{
    void *at = vault_new(len);

    must(getrandom(at, len, 0) == (ssize_t)len);
    secret_add(name, at, len);
    return at;
}

static bool is_in(const void *data, size_t len)
{
    static const uint64_t pads[] = {0, 0x3636363636363636, 0x5c5c5c5c5c5c5c5c}; /* RFC 2104 */
    const uint8_t *bytes = data;

    for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
        for (size_t at = 0; at + BLOCK <= len; at++) {
            if (block_find(load(bytes + at) ^ pads[i]) != SECRETS) {
                if (pads[i] != 0) {
                    add("HMAC key", data, len);
                }
                return true;
            }
        }
    }
    return false;
}

bool secret_in(const void *data, size_t len)
{
    return (apart((void *)is_in, data, (const void *)(uintptr_t)len, 0) & 0xff) != 0;
}

/* --- The search. ----------------------------------------------------------------------- */

static void note(uint32_t secret, const char *place, const uint8_t *at)
{
    finding *f = v->findings;

    for (size_t i = 0; i < v->found && i < FINDINGS; i++, f++) {
        if (strcmp(f->secret, v->names[secret]) == 0 && strcmp(f->place, place) == 0) {
            f->blocks++;
            return;
        }
    }
    if (v->found++ < FINDINGS) {
        *f = (finding){.blocks = 1, .first = (uintptr_t)at};
        memcpy(f->secret, v->names[secret], sizeof(f->secret));
        (void)snprintf(f->place, sizeof(f->place), "%s", place);
    }
}

static void search(const char *place, uintptr_t start, uintptr_t end)
{
    for (const uint8_t *at = (const uint8_t *)start; at + BLOCK <= (const uint8_t *)end; at++) {
        uint32_t secret = block_find(load(at));

        if (secret != SECRETS) {
            note(secret, place, at);
        }
    }
}

/* The part of a mapping that is not the vault nor set aside; areas may lie inside. */
static void search_outside(const char *place, uintptr_t start, uintptr_t end, size_t area_at)
{
    area self = {"", (uintptr_t)v, (uintptr_t)v + VAULT_LEN, NULL};
    const area *a = area_at == 0 ? &self : &v->asides[area_at - 1];

    if (start >= end) {
        return;
    }
    if (area_at > v->aside_count) {
        search(place, start, end);
    } else if (a->end <= start || a->start >= end) {
        search_outside(place, start, end, area_at + 1);
    } else {
        search_outside(place, start, a->start, area_at + 1);
        search_outside(place, a->end, end, area_at + 1);
    }
}

/* "START-END rw-p OFFSET DEVICE INODE   NAME" */
static void search_mapping(const char *line)
{
    uintptr_t start, end;
    char rights[8] = "", name[256] = "";
    const char *place;

    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, rights, name) < 3 ||
        rights[0] != 'r' || rights[1] != 'w') {
        return;
    }
    place = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    if (name[0] == '\0' || strcmp(name, "[heap]") == 0) {
        place = "heap";
    } else if (strcmp(name, "[stack]") == 0) {
        place = "stack";
    }
    search_outside(place, start, end, 0);
}

/* Without the heap and its locks: nothing is to be overwritten before it was looked at. */
static void read_maps(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got;

    must(fd >= 0);
    while ((got = read(fd, v->maps + len, MAPS_LEN - 1 - len)) > 0) {
        len += (size_t)got;
    }
    must(got == 0 && len < MAPS_LEN - 1);
    close(fd);
    v->maps[len] = '\0';
}

static void search_all(void)
{
    char *rest = NULL;

    v->found = 0;
    read_maps();
    for (char *line = strtok_r(v->maps, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        search_mapping(line);
    }
    for (size_t i = 0; i < v->aside_count; i++) {
        const area *a = &v->asides[i];

        search(a->name, a->start, a->used == NULL ? a->end : a->start + *a->used);
    }
}

size_t secrets_search(const finding **out)
{
    (void)apart((void *)search_all, NULL, NULL, 0);
    *out = v->findings;
    return v->found;
}
