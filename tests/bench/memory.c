/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-memory: allocations and bytes, which no noise touches. A program of its own, since
 * counting slows down what is counted. As in bench, a result is a line of JSON.
 *
 * The value is what the library itself allocates; beside it stands what libcrypto does for
 * it, for messages without what the bare public-key operation takes as well.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "check.h"

enum {
    PLAIN = 1024,
    TIMES = 100,    /* what is counted is their mean */
    STREAMS = 1000, /* likewise */
};

static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_X25519_HKDF_SHA256};

/* --- Allocations of a message, both ways in four steps. ------------------------------- */

typedef struct trip {
    const peers *peers;
    uint8_t head[TW_MAX_HEAD], body[PLAIN + 16], answer_head[64], answer[PLAIN + 16];
    uint8_t plain[PLAIN + 16];
    tw_exchange *asked, *answered;
    bare_dh *dh;
} trip;

static void trip_send(trip *t)
{
    tw_sealer *sealer;
    size_t len;

    must_ok(
        tw_sender_request(t->peers->sender, NULL, t->head, sizeof(t->head), &sealer, &t->asked));
    must_ok(tw_sealer_final(sealer, t->plain, PLAIN, t->body, sizeof(t->body), &len));
    tw_sealer_free(sealer);
}

static void trip_accept(trip *t)
{
    tw_opener *opener;
    size_t len;

    must_ok(tw_receiver_accept(t->peers->receiver, NULL, t->head,
                               tw_sender_head_len(t->peers->sender), &opener, &t->answered));
    must_ok(tw_opener_final(opener, t->body, sizeof(t->body), t->plain, sizeof(t->plain), &len));
    tw_opener_free(opener);
}

static void trip_respond(trip *t)
{
    tw_sealer *sealer;
    size_t len;

    must_ok(
        tw_exchange_respond(t->answered, NULL, t->answer_head, sizeof(t->answer_head), &sealer));
    must_ok(tw_sealer_final(sealer, t->plain, PLAIN, t->answer, sizeof(t->answer), &len));
    tw_sealer_free(sealer);
    tw_exchange_free(t->answered);
}

static void trip_receive(trip *t)
{
    tw_opener *opener;
    size_t len;

    must_ok(tw_exchange_receive(t->asked, NULL, t->answer_head,
                                tw_exchange_response_head_len(t->asked), &opener));
    must_ok(
        tw_opener_final(opener, t->answer, sizeof(t->answer), t->plain, sizeof(t->plain), &len));
    tw_opener_free(opener);
    tw_exchange_free(t->asked);
}

static void bare_send(trip *t)
{
    bare_dh_send(t->dh, 0, false);
}

static void bare_accept(trip *t)
{
    bare_dh_derive(t->dh, t->head + TW_HEADER_LEN);
}

static void bare_nothing(trip *t)
{
    (void)t;
}

/* Calls, and the bytes that they asked for. */
typedef struct counts {
    double ours, all, ours_bytes, all_bytes;
} counts;

static counts counts_of(trip *t, void (*step)(trip *t))
{
    allocations ours, all;

    allocations_reset();
    step(t);
    ours = allocations_ours();
    all = allocations_all();
    return (counts){(double)ours.calls, (double)all.calls, (double)ours.asked, (double)all.asked};
}

static const struct {
    const char *name;
    void (*ours)(trip *t), (*bare)(trip *t);
} steps[] = {
    {"send", trip_send, bare_send},
    {"accept", trip_accept, bare_accept},
    {"respond", trip_respond, bare_nothing},
    {"receive", trip_receive, bare_nothing},
};

enum {
    STEPS = 4,
};

static void count_messages(const plan *p, uint16_t kem_id)
{
    const double times = TIMES;
    counts sum[STEPS] = {0};
    char name[ROW_NAME];
    peers ends;
    trip t = {.peers = &ends, .dh = bare_dh_new(kem_id)};

    peers_start(&ends, suite_of(kem_id, TW_AEAD_AES_128_GCM));
    for (int i = -1; i < TIMES; i++) { /* the first one fills the pools */
        for (size_t s = 0; s < STEPS; s++) {
            counts made = counts_of(&t, steps[s].ours), bare = counts_of(&t, steps[s].bare);

            if (i >= 0) {
                sum[s].ours += made.ours / times;
                sum[s].all += (made.all - made.ours - bare.all) / times;
                sum[s].ours_bytes += made.ours_bytes / times;
                sum[s].all_bytes += (made.all_bytes - made.ours_bytes - bare.all_bytes) / times;
            }
        }
    }
    for (size_t s = 0; s < STEPS; s++) {
        (void)snprintf(name, sizeof(name), "allocations/%s/%s", steps[s].name, tw_kem_name(kem_id));
        figure(p, name, "allocations", sum[s].ours, sum[s].all);
    }
    for (size_t s = 0; s < STEPS; s++) {
        (void)snprintf(name, sizeof(name), "allocations/bytes/%s/%s", steps[s].name,
                       tw_kem_name(kem_id));
        figure(p, name, "bytes", sum[s].ours_bytes, sum[s].all_bytes);
    }
    bare_dh_free(t.dh);
    peers_end(&ends);
}

/* --- Nothing may stay behind. ------------------------------------------------------------ */

/* What the allocator holds, and what the process does. */
static void count_growth(const plan *p, size_t times)
{
    size_t held = 0, resident = 0;
    peers ends;
    trip t = {.peers = &ends};

    if (!is_wanted(p, "growth/held") && !is_wanted(p, "growth/resident")) {
        return;
    }
    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    for (size_t i = 0; i <= times; i++) {
        if (i == times / 10) {
            held = allocations_all().bytes;
            resident = resident_bytes();
        }
        for (size_t s = 0; s < STEPS; s++) {
            steps[s].ours(&t);
        }
    }
    figure(p, "growth/held", "bytes", (double)allocations_all().bytes - (double)held, -1);
    figure(p, "growth/resident", "bytes", (double)resident_bytes() - (double)resident, -1);
    peers_end(&ends);
}

/* --- Chunks and streams. -------------------------------------------------------------------- */

static void count_chunks(const plan *p, const peers *ends)
{
    sealing *s = sealing_new(ends, TW_CHUNK_LEN, NULL);
    tw_opener *opener;
    bytes plain = bytes_noise(TIMES * TW_CHUNK_LEN, 1);
    message m = message_seal(ends, KIND_RESPONSE, chunks_of(TW_CHUNK_LEN), plain, TW_CHUNK_LEN);
    size_t piece = 4 + TW_CHUNK_LEN + 16, len;
    bytes out = bytes_new(2 * TW_CHUNK_LEN + 64);

    allocations_reset();
    (void)sealing_run(s, TIMES);
    figure(p, "allocations/chunk/seal", "allocations",
           (double)allocations_all().calls / (double)TIMES, -1);
    sealing_free(s);
    must_ok(message_accept(ends, &m, &opener));
    for (size_t i = 0; i < TIMES; i++) {
        if (i == 1) { /* the first makes the stream's context */
            allocations_reset();
        }
        must_ok(tw_opener_update(opener, m.body.data + i * piece, piece, out.data, out.len, &len));
    }
    figure(p, "allocations/chunk/open", "allocations",
           (double)allocations_all().calls / (TIMES - 1), -1);
    /* And in pieces that never hold a chunk whole. */
    tw_opener_free(opener);
    must_ok(message_accept(ends, &m, &opener));
    must_ok(tw_opener_update(opener, m.body.data, 100, out.data, out.len, &len));
    for (size_t i = 0; i < TIMES - 1; i++) {
        if (i == 2) { /* what holds a chunk has grown to a chunk */
            allocations_reset();
        }
        must_ok(tw_opener_update(opener, m.body.data + i * piece + 100, piece, out.data, out.len,
                                 &len));
    }
    figure(p, "allocations/chunk/open-held", "allocations",
           (double)allocations_all().calls / (TIMES - 3), -1);
    tw_opener_free(opener);
}

typedef struct held {
    size_t ours, all;
} held;

static held held_now(void)
{
    return (held){allocations_ours().bytes, allocations_all().bytes};
}

/* The library's bytes beside libcrypto's contexts. */
static void report_stream(const plan *p, const char *name, held before, size_t streams)
{
    held now = held_now();
    double ours = (double)(now.ours - before.ours) / (double)streams;

    figure(p, name, "bytes", ours, (double)(now.all - before.all) / (double)streams - ours);
}

static void count_openers(const plan *p, const peers *ends)
{
    static tw_opener *openers[STREAMS];
    message m = message_seal(ends, KIND_RESPONSE, chunks_of(TW_CHUNK_LEN),
                             bytes_new(2 * TW_CHUNK_LEN), TW_CHUNK_LEN);
    uint8_t out[2 * TW_CHUNK_LEN];
    held before = held_now();
    size_t len;

    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(message_accept(ends, &m, &openers[i]));
    }
    report_stream(p, "memory/opener/idle", before, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(tw_opener_update(openers[i], m.body.data, TW_CHUNK_LEN, out, sizeof(out), &len));
    }
    report_stream(p, "memory/opener/within-chunk", before, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(
            tw_opener_update(openers[i], m.body.data + TW_CHUNK_LEN, 20, out, sizeof(out), &len));
    }
    report_stream(p, "memory/opener/between-chunks", before, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        tw_opener_free(openers[i]);
    }
}

static void count_sealers(const plan *p, const peers *ends)
{
    static tw_sealer *sealers[STREAMS];
    uint8_t head[64];
    held before = held_now();

    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(tw_exchange_respond(ends->answered, NULL, head, sizeof(head), &sealers[i]));
    }
    report_stream(p, "memory/sealer", before, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        tw_sealer_free(sealers[i]);
    }
}

static void count_exchanges(const plan *p, const peers *ends)
{
    static tw_exchange *exchanges[STREAMS];
    message m = message_seal(ends, KIND_REQUEST, format_of(false, 0), bytes_new(16), 16);
    tw_opener *opener;
    held before;

    must_ok(message_accept(ends, &m, &opener));
    tw_opener_free(opener);
    before = held_now();
    for (size_t i = 0; i < STREAMS; i++) {
        must_ok(tw_receiver_accept(ends->receiver, &m.format, m.head.data, m.head.len, &opener,
                                   &exchanges[i]));
        tw_opener_free(opener);
    }
    report_stream(p, "memory/exchange", before, STREAMS);
    for (size_t i = 0; i < STREAMS; i++) {
        tw_exchange_free(exchanges[i]);
    }
}

int main(int argc, char **argv)
{
    size_t messages = 20000;
    plan p = {0};
    peers ends;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--row") == 0 && i + 1 < argc) {
            p.only = argv[++i];
        } else if (strcmp(argv[i], "--messages") == 0 && i + 1 < argc) {
            messages = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--smoke") == 0) {
            messages = 100;
        }
    }
    for (size_t k = 0; k < sizeof(kems) / sizeof(kems[0]); k++) {
        count_messages(&p, kems[k]);
    }
    peers_start(&ends, suite_of(TW_KEM_X25519_HKDF_SHA256, TW_AEAD_AES_128_GCM));
    count_chunks(&p, &ends);
    count_openers(&p, &ends);
    count_sealers(&p, &ends);
    count_exchanges(&p, &ends);
    peers_end(&ends);
    count_growth(&p, messages);
    bytes_release(0);
    return 0;
}
