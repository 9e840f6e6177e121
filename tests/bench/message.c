/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Whole messages with their heads: what a server and a client spend on each. */

enum {
    POOL = 64, /* ready-made requests that are received in turn */
    PLAIN = 1024,
    MOST_PLAIN = 1 << 20,
};

/* --- Receiving, and answering. -------------------------------------------------------- */

struct receiving {
    const peers *peers;
    message pool[POOL];
    uint8_t *out;
    size_t out_cap, plain, next;
    bool answer;
};

receiving *receiving_new(const peers *p, tw_format format, size_t plain, bool answer)
{
    receiving *r = allocate(sizeof(*r));
    bytes text = bytes_new(plain);

    must(plain <= MOST_PLAIN);
    *r = (receiving){.peers = p, .plain = plain, .answer = answer, .out_cap = plain + 64};
    r->out = allocate(r->out_cap);
    for (size_t i = 0; i < POOL; i++) {
        r->pool[i] = message_seal(p, KIND_REQUEST, format, text, 0);
    }
    return r;
}

receiving *receiving_share(const receiving *first)
{
    receiving *r = allocate(sizeof(*r));

    *r = *first;
    r->out = allocate(r->out_cap);
    return r;
}

void receiving_free(receiving *r)
{
    free(r->out);
    free(r);
}

static void answer_one(receiving *r, tw_exchange *exchange)
{
    uint8_t head[64], out[PLAIN + 64];
    tw_sealer *sealer;
    size_t len;

    must_ok(tw_exchange_respond(exchange, NULL, head, sizeof(head), &sealer));
    must_ok(tw_sealer_final(sealer, r->out, PLAIN, out, sizeof(out), &len));
    tw_sealer_free(sealer);
    tw_exchange_free(exchange);
}

static void receive_one(receiving *r, const message *m)
{
    tw_opener *opener;
    tw_exchange *exchange = NULL;
    size_t len;

    must_ok(tw_receiver_accept(r->peers->receiver, &m->format, m->head.data, m->head.len, &opener,
                               r->answer ? &exchange : NULL));
    must_ok(tw_opener_final(opener, m->body.data, m->body.len, r->out, r->out_cap, &len));
    tw_opener_free(opener);
    if (r->answer) {
        answer_one(r, exchange);
    }
}

uint64_t receiving_run(void *state, size_t count)
{
    receiving *r = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        receive_one(r, &r->pool[r->next++ % POOL]);
    }
    return busy_ns() - begun;
}

struct deriving {
    bare_dh *dh;
    bare_rest *rest;
    bytes points[POOL];
    size_t next;
};

deriving *deriving_new(uint16_t kem_id)
{
    deriving *d = allocate(sizeof(*d));

    d->dh = bare_dh_new(kem_id);
    d->rest = bare_rest_new(kem_id);
    for (size_t i = 0; i < POOL; i++) {
        tw_key *key;

        must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
        d->points[i] = bytes_of(key->public_key, key->kem->public_len);
        tw_key_free(key);
    }
    return d;
}

uint64_t deriving_run(void *state, size_t count)
{
    deriving *d = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_dh_derive(d->dh, d->points[d->next++ % POOL].data);
    }
    return busy_ns() - begun;
}

static uint64_t received_alone_run(void *state, size_t count)
{
    deriving *d = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_dh_follow(d->dh, d->points[d->next++ % POOL].data);
        bare_rest_run(d->rest, true);
    }
    return busy_ns() - begun;
}

void deriving_free(deriving *d)
{
    bare_rest_free(d->rest);
    bare_dh_free(d->dh);
    free(d);
}

void measure_receive(const plan *p)
{
    for (size_t i = 0; i < 5; i++) {
        row r = row_named(COST, "receive/%s", tw_kem_name(all_kems[i]));
        size_t mark = bytes_mark();
        receiving *ours;
        deriving *bare;
        peers ends;

        if (!is_wanted(p, r.name)) {
            continue;
        }
        peers_start(&ends, suite_of(all_kems[i], TW_AEAD_AES_128_GCM));
        ours = receiving_new(&ends, format_of(false, 0), PLAIN, true);
        bare = deriving_new(all_kems[i]);
        r.ours = (side){receiving_run, ours};
        r.bare = (side){deriving_run, bare};
        r.alone = (side){received_alone_run, bare};
        compare(p, &r);
        receiving_free(ours);
        deriving_free(bare);
        peers_end(&ends);
        bytes_release(mark);
    }
}

/* --- Sending, and receiving the answer. ----------------------------------------------------- */

/* A batch of exchanges, because the answers are made by someone else in between. */
typedef struct sending {
    const peers *peers;
    struct {
        uint8_t head[TW_MAX_HEAD], body[PLAIN + 16];
        uint8_t answer_head[64], answer[PLAIN + 16];
        tw_exchange *exchange;
    } batch[POOL];
    uint8_t plain[PLAIN + 16];
} sending;

static void send_one(sending *s, size_t i)
{
    tw_sealer *sealer;
    size_t len;

    must_ok(tw_sender_request(s->peers->sender, NULL, s->batch[i].head, TW_MAX_HEAD, &sealer,
                              &s->batch[i].exchange));
    must_ok(tw_sealer_final(sealer, s->plain, PLAIN, s->batch[i].body, PLAIN + 16, &len));
    tw_sealer_free(sealer);
}

static void serve_one(sending *s, size_t i)
{
    size_t head_len = tw_sender_head_len(s->peers->sender), len;
    tw_exchange *exchange;
    tw_opener *opener;
    tw_sealer *sealer;

    must_ok(tw_receiver_accept(s->peers->receiver, NULL, s->batch[i].head, head_len, &opener,
                               &exchange));
    must_ok(tw_exchange_respond(exchange, NULL, s->batch[i].answer_head, 64, &sealer));
    must_ok(tw_sealer_final(sealer, s->plain, PLAIN, s->batch[i].answer, PLAIN + 16, &len));
    tw_opener_free(opener);
    tw_sealer_free(sealer);
    tw_exchange_free(exchange);
}

static void hear_one(sending *s, size_t i)
{
    tw_exchange *exchange = s->batch[i].exchange;
    tw_opener *opener;
    size_t len;

    must_ok(tw_exchange_receive(exchange, NULL, s->batch[i].answer_head,
                                tw_exchange_response_head_len(exchange), &opener));
    must_ok(tw_opener_final(opener, s->batch[i].answer, PLAIN + 16, s->plain, PLAIN + 16, &len));
    tw_opener_free(opener);
    tw_exchange_free(exchange);
}

static uint64_t each(sending *s, void (*step)(sending *s, size_t i), size_t count)
{
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        step(s, i);
    }
    return busy_ns() - begun;
}

static uint64_t sending_run(void *state, size_t count)
{
    uint64_t spent = 0;

    while (count > 0) {
        size_t take = count < POOL ? count : POOL;

        spent += each(state, send_one, take);
        (void)each(state, serve_one, take);
        spent += each(state, hear_one, take);
        count -= take;
    }
    return spent;
}

typedef struct bare_sending {
    bare_dh *dh;
    bare_rest *rest;
} bare_sending;

static uint64_t bare_sending_run(void *state, size_t count)
{
    const bare_sending *s = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_dh_send(s->dh, 0, false);
    }
    return busy_ns() - begun;
}

static uint64_t sent_alone_run(void *state, size_t count)
{
    const bare_sending *s = state;
    uint64_t begun = busy_ns();

    for (size_t i = 0; i < count; i++) {
        bare_dh_send(s->dh, 0, true);
        bare_rest_run(s->rest, true);
    }
    return busy_ns() - begun;
}

void measure_send(const plan *p)
{
    for (size_t i = 0; i < 5; i++) {
        row r = row_named(COST, "send/%s", tw_kem_name(all_kems[i]));
        sending *ours;
        bare_sending bare;
        peers ends;

        if (!is_wanted(p, r.name)) {
            continue;
        }
        peers_start(&ends, suite_of(all_kems[i], TW_AEAD_AES_128_GCM));
        ours = allocate(sizeof(*ours));
        ours->peers = &ends;
        bare = (bare_sending){bare_dh_new(all_kems[i]), bare_rest_new(all_kems[i])};
        r.ours = (side){sending_run, ours};
        r.bare = (side){bare_sending_run, &bare};
        r.alone = (side){sent_alone_run, &bare};
        compare(p, &r);
        bare_rest_free(bare.rest);
        bare_dh_free(bare.dh);
        free(ours);
        peers_end(&ends);
    }
}
