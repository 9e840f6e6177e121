/* SPDX-License-Identifier: Apache-2.0 */
/* Eight threads share one sender and one receiver. A plain program: the thread sanitizer
 * and Criterion's shared arena exclude each other. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <twoway/hpke.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"
#include "toy.h"

#define THREADS 8
#define ROUNDS  12

static void must_carry(const peers *p, kind k, bool chunked, uint32_t seed)
{
    bytes plain = bytes_noise(1000 + seed % 5000, seed), opened;
    message m = message_seal(p, k, format_of(chunked, 512), plain, 700);

    must_ok(message_open(p, &m, 333, &opened));
    must_bytes(plain, opened);
}

/* Each thread has its own exchange, and shares all that is made to be shared. */
static void *work(void *arg)
{
    const peers *shared = arg;
    peers own = *shared;
    size_t mark = bytes_mark();

    peers_start_with(&own, shared->suite, shared->key, NULL);
    tw_sender_free(own.sender);
    tw_receiver_free(own.receiver);
    own.sender = shared->sender;
    own.receiver = shared->receiver;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (kind k = 0; k < KINDS; k++) {
            must_carry(&own, k, i % 2 == 0, i);
            bytes_release(mark);
        }
    }
    tw_exchange_free(own.asked);
    tw_exchange_free(own.answered);
    return NULL;
}

static void must_share(peers *p)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, work, p) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
}

static void share_every_suite(void)
{
    for (size_t i = 0; i < 5; i++) {
        peers p;

        check_note("with %s", tw_kem_name(all_kems[i]));
        peers_start(&p, (triple){all_kems[i], all_kdfs[i % 3], all_aeads[i % 3]});
        must_share(&p);
        peers_end(&p);
    }
    (void)puts("ok: eight threads share a sender, a receiver, a key and a suite");
}

/* The two halves of one message in two threads at once. */
typedef struct halves {
    tw_sealer *sealer;
    tw_exchange *exchange;
} halves;

static void *seal_long(void *arg)
{
    stream s = stream_seal(((halves *)arg)->sealer);

    for (uint32_t i = 0; i < 200; i++) {
        size_t mark = bytes_mark();

        must_ok(stream_update(&s, bytes_noise(1000, i)));
        bytes_release(mark);
    }
    must_ok(stream_final(&s, bytes_none));
    stream_end(&s);
    return NULL;
}

static void *receive_often(void *arg)
{
    uint8_t head[32] = {0};

    for (size_t i = 0; i < 200; i++) {
        tw_opener *opener = NULL;
        tw_exchange *exchange = ((halves *)arg)->exchange;

        must_ok(tw_exchange_receive(exchange, NULL, head, tw_exchange_response_head_len(exchange),
                                    &opener));
        tw_opener_free(opener);
    }
    return NULL;
}

static void must_part(const peers *p)
{
    bytes head = bytes_new(tw_sender_head_len(p->sender));
    tw_format format = format_of(true, 0);
    pthread_t sealing, receiving;
    halves h = {0};

    must_ok(tw_sender_request(p->sender, &format, head.data, head.len, &h.sealer, &h.exchange));
    must(pthread_create(&sealing, NULL, seal_long, &h) == 0);
    must(pthread_create(&receiving, NULL, receive_often, &h) == 0);
    must(pthread_join(sealing, NULL) == 0);
    must(pthread_join(receiving, NULL) == 0);
    tw_exchange_free(h.exchange);
}

static void part_body_and_exchange(void)
{
    peers p;
    toy t;

    peers_start(&p, triple_default);
    must_part(&p);
    peers_end(&p);
    /* A suite that keeps its exporter secret shares its context between the two. */
    toy_start(&t);
    t.ops.exporter_secret = NULL;
    peers_start_with(&p, &t.suite, &t.key, NULL);
    must_part(&p);
    peers_end(&p);
    must_size(t.contexts_made, t.contexts_freed);
    (void)puts("ok: a body and its exchange in two threads");
}

/* Receivers are added in one thread while the body is sealed in another. */
typedef struct adding {
    const peers *p;
    tw_multi *multi;
} adding;

static void *add_often(void *arg)
{
    const adding *a = arg;
    uint8_t encap[TW_MAX_HEAD];

    for (size_t i = 0; i < 100; i++) {
        must_ok(tw_multi_encap(a->multi, PEERS_KEY_ID, a->p->key->public_key,
                               a->p->suite->public_len, encap, sizeof(encap), NULL));
    }
    return NULL;
}

static void add_while_sealing(void)
{
    tw_format format = format_of(true, 0);
    uint8_t head[TW_MAX_HEAD];
    pthread_t sealing, adds;
    halves h = {0};
    adding a = {0};
    peers p;

    peers_start(&p, triple_default);
    a.p = &p;
    must_ok(tw_multi_new(p.suite, &format, NULL, head, sizeof(head), &h.sealer, &a.multi));
    must(pthread_create(&sealing, NULL, seal_long, &h) == 0);
    must(pthread_create(&adds, NULL, add_often, &a) == 0);
    must(pthread_join(adds, NULL) == 0);
    tw_multi_free(a.multi);
    must(pthread_join(sealing, NULL) == 0);
    peers_end(&p);
    (void)puts("ok: receivers added while the body is sealed");
}

static void *export_often(void *arg)
{
    uint8_t first[32], again[32];

    must_ok(tw_hpke_export(arg, NULL, 0, first, sizeof(first)));
    for (size_t i = 0; i < 500; i++) {
        must_ok(tw_hpke_export(arg, NULL, 0, again, sizeof(again)));
        must(memcmp(first, again, sizeof(first)) == 0);
    }
    return NULL;
}

static void export_while_sealing(void)
{
    uint8_t enc[TW_MAX_ENC], sealed[100 + 16];
    tw_hpke_params params = {.size = sizeof(params)};
    tw_hpke *hpke = NULL;
    bytes plain = bytes_noise(100, 1);
    pthread_t exporting;
    size_t len;
    peers p;

    peers_start(&p, triple_default);
    params.suite = p.suite;
    must_ok(
        tw_hpke_sender(&params, p.key->public_key, p.suite->public_len, enc, sizeof(enc), &hpke));
    must(pthread_create(&exporting, NULL, export_often, hpke) == 0);
    for (size_t i = 0; i < 2000; i++) {
        must_ok(tw_hpke_seal(hpke, NULL, 0, plain.data, plain.len, sealed, sizeof(sealed), &len));
    }
    must(pthread_join(exporting, NULL) == 0);
    tw_hpke_free(hpke);
    peers_end(&p);
    (void)puts("ok: exports while messages are sealed");
}

/* Pendings begun here are performed there. */
#define PENDINGS 64

static tw_pending *pendings[PENDINGS];
static atomic_size_t next_pending;

static void *perform(void *arg)
{
    size_t i;

    (void)arg;
    while ((i = atomic_fetch_add(&next_pending, 1)) < PENDINGS) {
        must_ok(tw_pending_perform(pendings[i]));
    }
    return NULL;
}

static void perform_elsewhere(void)
{
    message messages[PENDINGS];
    bytes plain = bytes_noise(100, 1), opened;
    pthread_t workers[THREADS];
    peers p;

    peers_start(&p, triple_default);
    for (size_t i = 0; i < PENDINGS; i++) {
        message *m = &messages[i];

        *m = message_seal(&p, KIND_REQUEST, format_of(true, 0), plain, 0);
        must_ok(tw_receiver_begin(p.receiver, &m->format, m->head.data, m->head.len, &pendings[i]));
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_create(&workers[i], NULL, perform, NULL) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(workers[i], NULL) == 0);
    }
    for (size_t i = 0; i < PENDINGS; i++) {
        tw_opener *opener = NULL;

        must_ok(tw_pending_finish(pendings[i], &opener, NULL));
        must_ok(open_in_steps(opener, messages[i].body, 10, &opened));
        must_bytes(plain, opened);
        tw_pending_free(pendings[i]);
    }
    peers_end(&p);
    (void)puts("ok: the private-key step on eight workers");
}

int main(void)
{
    share_every_suite();
    part_body_and_exchange();
    add_while_sealing();
    export_while_sealing();
    perform_elsewhere();
    bytes_release(0);
    return 0;
}
