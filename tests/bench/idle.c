/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <malloc.h>
#include <stdlib.h>

#include "check.h"

/* Many streams that wait: what the process holds for each, its allocator's share and
 * libcrypto's contexts included. */

enum {
    MANY = 10000,
    FEW = 100, /* of a smoke test */
    CHUNK = TW_CHUNK_LEN,
    PIECE = 4 + CHUNK + 16, /* on the wire */
};

typedef struct crowd {
    const peers *peers;
    message m; /* two chunks */
    uint8_t out[2 * CHUNK + 64];
    tw_opener **openers;
    tw_sealer **sealers;
    size_t count;
} crowd;

static void accept(crowd *c, size_t i)
{
    must_ok(message_accept(c->peers, &c->m, &c->openers[i]));
}

/* A chunk in two pieces, as sockets give them. */
static void open_in_two(crowd *c, size_t i)
{
    size_t len;

    must_ok(
        tw_opener_update(c->openers[i], c->m.body.data, PIECE / 2, c->out, sizeof(c->out), &len));
    must_ok(tw_opener_update(c->openers[i], c->m.body.data + PIECE / 2, PIECE - PIECE / 2, c->out,
                             sizeof(c->out), &len));
    must(len == CHUNK);
}

static void begin_next(crowd *c, size_t i)
{
    size_t len;

    must_ok(tw_opener_update(c->openers[i], c->m.body.data + PIECE, 1000, c->out, sizeof(c->out),
                             &len));
    must(len == 0);
}

static void respond(crowd *c, size_t i)
{
    tw_format format = chunks_of(CHUNK);
    uint8_t head[64];

    must_ok(tw_exchange_respond(c->peers->answered, &format, head, sizeof(head), &c->sealers[i]));
}

static void seal(crowd *c, size_t i)
{
    static const uint8_t plain[CHUNK];
    size_t len;

    must_ok(tw_sealer_update(c->sealers[i], plain, sizeof(plain), c->out, sizeof(c->out), &len));
}

static void report(const plan *p, crowd *c, const char *name, void (*step)(crowd *c, size_t i),
                   size_t before)
{
    for (size_t i = 0; i < c->count; i++) {
        step(c, i);
    }
    figure(p, name, "bytes", ((double)resident_bytes() - (double)before) / (double)c->count, -1);
}

static void free_all(crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        tw_opener_free(c->openers[i]);
        tw_sealer_free(c->sealers[i]);
        c->openers[i] = NULL;
        c->sealers[i] = NULL;
    }
    (void)malloc_trim(0); /* or what comes next would find it free, and be measured for less */
}

void measure_idle(const plan *p)
{
    static crowd c;
    size_t mark = bytes_mark(), before;
    peers ends;

    if (!has_group(p, "idle") || p->served != NULL) {
        return;
    }
    c.count = p->smoke ? FEW : MANY;
    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    c.peers = &ends;
    c.m = message_seal(&ends, KIND_RESPONSE, chunks_of(CHUNK), bytes_new(2 * CHUNK), CHUNK);
    c.openers = allocate(c.count * sizeof(*c.openers));
    c.sealers = allocate(c.count * sizeof(*c.sealers));
    for (size_t i = 0; i < c.count; i++) { /* so that the pointers are resident */
        c.openers[i] = NULL;
        c.sealers[i] = NULL;
    }
    before = resident_bytes();
    report(p, &c, "idle/opener/new", accept, before);
    report(p, &c, "idle/opener/between-chunks", open_in_two, before);
    report(p, &c, "idle/opener/within-chunk", begin_next, before);
    free_all(&c);
    before = resident_bytes();
    report(p, &c, "idle/sealer/new", respond, before);
    report(p, &c, "idle/sealer/between-chunks", seal, before);
    free_all(&c);
    free(c.openers);
    free(c.sealers);
    peers_end(&ends);
    bytes_release(mark);
}
