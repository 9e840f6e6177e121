/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <stdio.h>

#include "forge.h"
#include "mutate.h"
#include "plan.h"

/* --- sealed ------------------------------------------------------------------------- */

/* A message of 30 bytes in chunks of 7, which come in updates of 10 and 3. */
static bytes sealing(kind k, bool chunked, bool final_empty, size_t aead)
{
    uint8_t start[] = {(uint8_t)((chunked ? PLAN_CHUNKED : 0) |
                                 (final_empty ? PLAN_FINAL_EMPTY : 0) |
                                 (unsigned)k << PLAN_KIND_SHIFT | aead << PLAN_AEAD_SHIFT),
                       1,
                       30,
                       2,
                       10,
                       3};

    return bytes_of(start, sizeof(start));
}

static void sealed_kinds(void)
{
    char name[64];

    for (kind k = 0; k < KINDS; k++) {
        for (unsigned chunked = 0; chunked < 2; chunked++) {
            (void)snprintf(name, sizeof(name), "%s-%s", kind_name(k),
                           chunked ? "chunked" : "whole");
            write_seed("sealed", name, sealing(k, chunked != 0, false, (k + chunked) % 3));
        }
    }
    write_seed("sealed", "final-empty", sealing(KIND_REQUEST, true, true, 0));
}

static void sealed_alterations(void)
{
    static const struct {
        const char *name;
        uint8_t how[8];
        size_t len;
    } altered[] = {
        {"flip", {ALTER_FLIP, 0, 60, 3}, 4},
        {"replace", {ALTER_REPLACE, 0, 50, 4, 2, 0x40, 0x11}, 7},
        {"copy", {ALTER_COPY, 0, 40, 0, 30, 0, 70}, 7},
        {"cut", {ALTER_CUT, 0, 65}, 3},
        {"drop", {ALTER_DROP, 1}, 2},
        {"double", {ALTER_DOUBLE, 1}, 2},
        {"swap", {ALTER_SWAP, 0, 2}, 3},
        {"continue", {ALTER_CONTINUE, 0}, 2},
        {"finish", {ALTER_FINISH, 1}, 2},
        {"widen", {ALTER_WIDEN, 0, 3, ALTER_WIDEN, 2, 1}, 6},
    };

    for (size_t i = 0; i < sizeof(altered) / sizeof(altered[0]); i++) {
        write_seed("sealed", altered[i].name,
                   bytes_cat(sealing((kind)(i % KINDS), true, false, i % 3),
                             bytes_of(altered[i].how, altered[i].len)));
    }
}

/* The last byte of one to many's nonce, which is bound to nothing. */
static void sealed_trades(void)
{
    enum { LAST = 87 + 12 - 1 };
    static const uint8_t swap[] = {ALTER_FLIP, 0, LAST, 0, ALTER_SWAP, 0, 1};
    static const uint8_t front[] = {ALTER_FLIP, 0, LAST,       2, ALTER_DROP, 0,
                                    ALTER_DROP, 0, ALTER_DROP, 0, ALTER_DROP, 0};
    bytes many = sealing(KIND_MULTI, true, false, 0);

    write_seed("sealed", "trade", bytes_cat(many, bytes_of(swap, sizeof(swap))));
    write_seed("sealed", "front", bytes_cat(many, bytes_of(front, sizeof(front))));
}

/* --- opener, response, multi ------------------------------------------------------------ */

#define ITEMS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const struct {
    const char *name;
    unsigned what;
    const uint8_t *items;
    size_t len;
} bodies[] = {
    {"whole", 0, ITEMS(FORGE_BARE, 30)},
    {"whole-short", 0, ITEMS(FORGE_RAW, 3, 1, 2, 3)},
    {"chunked", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 20, FORGE_CHUNK, 1, FORGE_FINAL, 9)},
    {"final-empty", FORGE_CHUNKED | FORGE_FINAL_EMPTY, ITEMS(FORGE_CHUNK, 20, FORGE_FINAL, 0)},
    {"empty-chunk", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 0, FORGE_FINAL, 9)},
    {"largest", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 247, FORGE_FINAL, 247)},
    {"too-large", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 9, FORGE_CHUNK, 248)},
    {"final-too-large", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 9, FORGE_FINAL, 248)},
    {"large", FORGE_CHUNKED | FORGE_LARGE, ITEMS(FORGE_CHUNK, 252, FORGE_FINAL, 9)},
    {"no-final", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 9, FORGE_CHUNK, 9)},
    {"word-for-chunk", FORGE_CHUNKED, ITEMS(FORGE_LENGTH, 0, 0, 25, FORGE_BARE_FINAL, 9)},
    {"chunk-for-word", FORGE_CHUNKED, ITEMS(FORGE_LENGTH, 0, 0, 0, FORGE_BARE, 9)},
    {"wide", FORGE_CHUNKED, ITEMS(FORGE_LENGTH, 144, 0, 25, FORGE_BARE, 9, FORGE_FINAL, 0)},
    {"promise", FORGE_CHUNKED, ITEMS(FORGE_LENGTH, 184, 0xff, 0xff, FORGE_BARE, 9)},
    {"skip", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 9, FORGE_SKIP, FORGE_FINAL, 9)},
    {"again", FORGE_CHUNKED, ITEMS(FORGE_CHUNK, 9, FORGE_BACK, FORGE_CHUNK, 9)},
    {"behind", FORGE_CHUNKED, ITEMS(FORGE_FINAL, 9, FORGE_RAW, 1, 0)},
};

/* `before` is what the target takes ahead of the items. */
static void forged_seeds(const char *target, bytes before)
{
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        uint8_t start[] = {(uint8_t)(bodies[i].what | i % 3 << FORGE_AEAD_SHIFT), 3, 5, 0, 250};

        write_seed(target, bodies[i].name,
                   bytes_cat(bytes_cat(bytes_of(start, sizeof(start)), before),
                             bytes_of(bodies[i].items, bodies[i].len)));
    }
}

static void altered_seed(const char *target, const char *name, const uint8_t *how, size_t len)
{
    const uint8_t start[] = {FORGE_CHUNKED | FORGE_ALTERED, 0};

    write_seed(target, name, bytes_cat(bytes_of(start, sizeof(start)), bytes_of(how, len)));
}

void message_seeds(void)
{
    sealed_kinds();
    sealed_alterations();
    sealed_trades();
    forged_seeds("opener", bytes_new(0));
    altered_seed("opener", "head-header", ITEMS(0, 4, 1, FORGE_FINAL, 9));
    altered_seed("opener", "head-enc", ITEMS(0, 20, 1, FORGE_FINAL, 9));
    altered_seed("opener", "head-cut", ITEMS(0, 20, 0, FORGE_FINAL, 9));
    altered_seed("opener", "head-long", ITEMS(0, 39, 0, FORGE_FINAL, 9));
    forged_seeds("response", bytes_noise(32, 5));
    altered_seed("response", "nonce-cut", ITEMS(1, 2, 3));
    altered_seed("response", "nonce-long",
                 ITEMS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 16, 9));
    forged_seeds("multi", bytes_noise(12, 5));
    altered_seed("multi", "encap-header", ITEMS(0, 0, 4, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    altered_seed("multi", "encap-key", ITEMS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 50, 1));
    altered_seed("multi", "head-cut", ITEMS(1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 3, 0));
    altered_seed("multi", "encap-long", ITEMS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 87, 1));
    altered_seed("multi", "head-long", ITEMS(1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 12, 5));
    altered_seed("multi", "word", ITEMS(2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 3, 7));
    altered_seed("multi", "number", ITEMS(3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0));
    altered_seed("multi", "key-len", ITEMS(4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 31));
}
