/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges recorded from the Go package openpcc/twoway, with every random byte that it
 * drew: sealed and opened here, byte for byte, in both directions. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "rng.h"
#include "stream.h"
#include "vectors.h"

typedef struct setting {
    const json_t *v;
    tw_suite *suite;
    tw_format request, response;
    bool chunked;
    bytes plain, sealed; /* the request */
    script random;       /* of whatever is being sealed */
} setting;

static tw_format format_for(const json_t *v, const char *label)
{
    bool chunked = json_is_true(json_object_get(v, "chunked"));

    return (tw_format){
        .size = sizeof(tw_format),
        .label = vector_text(v, label),
        .chunked = chunked,
        .max_chunk = chunked ? vector_size(v, "max_chunk_plaintext_len") : 0,
    };
}

static void start(setting *s, const json_t *v)
{
    *s = (setting){.v = v, .plain = vector_bytes(v, "request")};
    s->sealed = vector_bytes(v, "request_ciphertext");
    s->request = format_for(v, "request_media_type");
    s->response = format_for(v, "response_media_type");
    s->chunked = s->request.chunked;
    must_ok(tw_suite_new(vector_id(v, "kem_id"), vector_id(v, "kdf_id"), vector_id(v, "aead_id"),
                         NULL, &s->suite));
}

static void end(setting *s)
{
    tw_suite_free(s->suite);
}

/* The Go package seals what it has in one go and then an empty final chunk. */
static bytes body_of(tw_sealer *sealer, const setting *s, bytes plain)
{
    return seal_in_steps(sealer, plain, s->chunked ? plain.len + 1 : 0);
}

/* Opens at several paces; the opener is made anew by each caller's call. */
static void must_open(tw_opener *opener, const setting *s, bytes body, bytes plain, size_t pace)
{
    bytes opened;

    must_ok(open_in_steps(opener, body, s->chunked ? pace : 0, &opened));
    must_bytes(plain, opened);
}

static const size_t paces[] = {0, 1, 29, 64};

#define PACES (sizeof(paces) / sizeof(paces[0]))

static uint8_t key_id_of(const json_t *recipient)
{
    return (uint8_t)vector_size(recipient, "key_id");
}

/* Our answer is the Go package's, as the answer's nonce is. */
static void must_respond(setting *s, const json_t *recipient, tw_exchange *exchange)
{
    bytes head = bytes_new(tw_exchange_response_head_len(exchange));
    tw_sealer *sealer = NULL;

    s->random.left = vector_bytes(recipient, "response_nonce");
    must_ok(tw_exchange_respond(exchange, &s->response, head.data, head.len, &sealer));
    must(script_all_used(&s->random));
    must_bytes(vector_bytes(recipient, "response_ciphertext"),
               bytes_cat(head, body_of(sealer, s, vector_bytes(recipient, "response"))));
}

static void must_receive(const setting *s, const json_t *recipient, tw_exchange *exchange)
{
    bytes message = vector_bytes(recipient, "response_ciphertext");
    size_t head_len = tw_exchange_response_head_len(exchange);

    for (size_t i = 0; i < PACES; i++) {
        tw_opener *opener = NULL;

        must_ok(tw_exchange_receive(exchange, &s->response, message.data, head_len, &opener));
        must_open(opener, s, bytes_from(message, head_len), vector_bytes(recipient, "response"),
                  paces[i]);
    }
}

static tw_key *private_key(const json_t *v, const json_t *recipient)
{
    bytes sk = vector_bytes(recipient, "sk_r"), ikm = vector_bytes(recipient, "ikm_r");
    uint16_t kem_id = vector_id(v, "kem_id");
    tw_key *key = NULL, *derived = NULL;
    script random;
    tw_rng rng = script_start(&random, ikm);
    bytes pk = vector_bytes(recipient, "pk_r");

    must_ok(tw_key_from_private(kem_id, sk.data, sk.len, NULL, &key));
    must_bytes(pk, ((bytes){(uint8_t *)key->public_key, key->kem->public_len}));
    must_ok(tw_key_generate(kem_id, &rng, NULL, &derived));
    must_bytes(pk, ((bytes){(uint8_t *)derived->public_key, derived->kem->public_len}));
    tw_key_free(derived);
    return key;
}

static void must_send_one(setting *s, const json_t *recipient)
{
    bytes pk = vector_bytes(recipient, "pk_r"), head;
    tw_rng rng = script_start(&s->random, vector_bytes(recipient, "ikm_e"));
    tw_sender *sender = NULL;
    tw_sealer *sealer = NULL;
    tw_exchange *exchange = NULL;

    must_ok(tw_sender_new(s->suite, key_id_of(recipient), pk.data, pk.len, &rng, &sender));
    head = bytes_new(tw_sender_head_len(sender));
    must_ok(tw_sender_request(sender, &s->request, head.data, head.len, &sealer, &exchange));
    must(script_all_used(&s->random));
    must_bytes(s->sealed, bytes_cat(head, body_of(sealer, s, s->plain)));
    must_receive(s, recipient, exchange);
    tw_exchange_free(exchange);
    tw_sender_free(sender);
}

static void must_accept_one(setting *s, const json_t *recipient)
{
    tw_key *key = private_key(s->v, recipient);
    tw_rng rng = script_start(&s->random, bytes_none);
    tw_receiver *receiver = NULL;
    size_t head_len;

    must_ok(tw_receiver_new(s->suite, key_id_of(recipient), key, &rng, &receiver));
    head_len = tw_receiver_head_len(receiver);
    for (size_t i = 0; i < PACES; i++) {
        tw_opener *opener = NULL;
        tw_exchange *exchange = NULL;

        must_ok(tw_receiver_accept(receiver, &s->request, s->sealed.data, head_len, &opener,
                                   &exchange));
        must_open(opener, s, bytes_from(s->sealed, head_len), s->plain, paces[i]);
        must_respond(s, recipient, exchange);
        tw_exchange_free(exchange);
    }
    tw_receiver_free(receiver);
    tw_key_free(key);
}

static void must_send_many(setting *s)
{
    json_t *list = vector_list(s->v, "recipients"), *recipient;
    bytes random =
        bytes_cat(vector_bytes(s->v, "content_key"), vector_bytes(s->v, "content_nonce"));
    tw_rng rng = script_start(&s->random, random);
    bytes head = bytes_new(tw_multi_head_len(s->suite));
    tw_sealer *sealer = NULL;
    tw_multi *multi = NULL;
    size_t i;

    must_ok(tw_multi_new(s->suite, &s->request, &rng, head.data, head.len, &sealer, &multi));
    must(script_all_used(&s->random));
    must_bytes(s->sealed, bytes_cat(head, body_of(sealer, s, s->plain)));
    json_array_foreach(list, i, recipient)
    {
        bytes pk = vector_bytes(recipient, "pk_r");
        bytes encap = bytes_new(tw_multi_encap_len(s->suite));
        tw_exchange *exchange = NULL;

        s->random.left = vector_bytes(recipient, "ikm_e");
        must_ok(tw_multi_encap(multi, key_id_of(recipient), pk.data, pk.len, encap.data, encap.len,
                               &exchange));
        must(script_all_used(&s->random));
        must_bytes(vector_bytes(recipient, "encapsulated_key"), encap);
        must_receive(s, recipient, exchange);
        tw_exchange_free(exchange);
    }
    tw_multi_free(multi);
}

static void must_accept_many(setting *s, const json_t *recipient)
{
    tw_key *key = private_key(s->v, recipient);
    bytes encap = vector_bytes(recipient, "encapsulated_key");
    tw_rng rng = script_start(&s->random, bytes_none);
    size_t head_len = tw_multi_head_len(s->suite);
    tw_receiver *receiver = NULL;

    must_ok(tw_receiver_new(s->suite, key_id_of(recipient), key, &rng, &receiver));
    for (size_t i = 0; i < PACES; i++) {
        tw_opener *opener = NULL;
        tw_exchange *exchange = NULL;

        must_ok(tw_receiver_accept_multi(receiver, &s->request, encap.data, encap.len,
                                         s->sealed.data, head_len, &opener, &exchange));
        must_open(opener, s, bytes_from(s->sealed, head_len), s->plain, paces[i]);
        must_respond(s, recipient, exchange);
        tw_exchange_free(exchange);
    }
    tw_receiver_free(receiver);
    tw_key_free(key);
}

static void must_exchange(const json_t *v, bool many)
{
    json_t *list = vector_list(v, "recipients"), *recipient;
    setting s;
    size_t i;

    start(&s, v);
    must_size(many ? 2 : 1, json_array_size(list));
    if (many) {
        must_send_many(&s);
    }
    json_array_foreach(list, i, recipient)
    {
        if (many) {
            must_accept_many(&s, recipient);
        } else {
            must_send_one(&s, recipient);
            must_accept_one(&s, recipient);
        }
    }
    end(&s);
}

Test(go_peer, every_recorded_exchange_is_made_and_read_byte_for_byte)
{
    json_t *root = vectors_load("twoway-go.json"), *v;
    size_t i, of_kind[2] = {0};

    json_array_foreach(vector_list(root, "vectors"), i, v)
    {
        bool many = strcmp(vector_text(v, "mode"), "one-to-many") == 0;
        size_t mark = bytes_mark();

        check_note("in exchange %zu", i);
        must_exchange(v, many);
        bytes_release(mark);
        of_kind[many]++;
    }
    must_size(90, of_kind[false]);
    must_size(90, of_kind[true]);
    printf("%zu exchanges of the Go package, half of them one to many: made and read, byte for "
           "byte\n",
           i);
    json_decref(root);
}
