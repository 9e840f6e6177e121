/* SPDX-License-Identifier: Apache-2.0 */
/* The complete examples of RFC 9458 and of the chunked draft, appendix A of each. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "check.h"
#include "chunks.h"
#include "hpke/hpke.h"
#include "rng.h"
#include "stream.h"
#include "vectors.h"

/* A KEM that encapsulates with the example's ephemeral key. */
typedef struct example_kem {
    tw_kem base;
    tw_kem *inner;
    tw_key *ephemeral;
} example_kem;

static tw_err example_check(const tw_kem *kem, const uint8_t *pk)
{
    const tw_kem *inner = ((const example_kem *)kem)->inner;

    return inner->check(inner, pk);
}

static tw_err example_encap(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                            const tw_key *sender, uint8_t *secret, uint8_t *enc)
{
    const example_kem *self = (const example_kem *)kem;

    (void)rng;
    return tw_dhkem_encap_with(self->inner, self->ephemeral, pk, sender, secret, enc);
}

typedef struct example {
    json_t *v;
    bool chunked;
    tw_config config;
    example_kem kem;
    tw_suite *suite;
    tw_key *key;
    script random;
    tw_sender *sender;
    tw_receiver *receiver;
} example;

static tw_key *private_key(const json_t *v, const char *member)
{
    bytes sk = vector_bytes(v, member);
    tw_key *key = NULL;

    must_ok(tw_key_from_private(TW_KEM_X25519_HKDF_SHA256, sk.data, sk.len, NULL, &key));
    return key;
}

static void start_kem(example *e)
{
    must_ok(tw_kem_new(TW_KEM_X25519_HKDF_SHA256, NULL, &e->kem.inner));
    e->kem.base = *e->kem.inner;
    e->kem.base.check = example_check;
    e->kem.base.encap = example_encap;
    e->kem.base.free = NULL;
    e->kem.ephemeral = private_key(e->v, "skE");
}

static void start(example *e, const char *name, bool chunked)
{
    bytes config;
    size_t count = 0;
    tw_rng rng;

    *e = (example){.v = vectors_load(name), .chunked = chunked};
    config = vector_bytes(e->v, "keyConfig");
    must_ok(tw_config_decode(config.data, config.len, &e->config, 1, &count));
    must_size(1, count);
    start_kem(e);
    must_ok(
        tw_suite_with_kem(&e->kem.base, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &e->suite));
    e->key = private_key(e->v, "skR");
    rng = script_start(&e->random, vector_bytes(e->v, "responseNonce"));
    must_ok(tw_sender_new(e->suite, e->config.key_id, e->config.public_key, e->config.public_len,
                          NULL, &e->sender));
    must_ok(tw_receiver_new(e->suite, e->config.key_id, e->key, &rng, &e->receiver));
}

static void end(example *e)
{
    tw_sender_free(e->sender);
    tw_receiver_free(e->receiver);
    tw_key_free(e->key);
    tw_suite_free(e->suite);
    tw_key_free(e->kem.ephemeral);
    tw_kem_free(e->kem.inner);
    json_decref(e->v);
}

/* Chunks of the example's lengths, of which the last, an empty one, is final. */
static bytes sealed(const example *e, tw_sealer *sealer, bytes plain, const char *lens)
{
    stream s = stream_seal(sealer);
    bytes body;
    json_t *len;
    size_t i;

    if (e->chunked) {
        json_array_foreach(vector_list(e->v, lens), i, len)
        {
            size_t take = (size_t)json_integer_value(len);

            must_ok(stream_update(&s, bytes_part(plain, 0, take)));
            plain = bytes_from(plain, take);
        }
    }
    must_ok(stream_final(&s, plain));
    body = bytes_of(s.out, s.out_len);
    stream_end(&s);
    return body;
}

static tw_format format_of(const example *e)
{
    return (tw_format){.size = sizeof(tw_format), .chunked = e->chunked};
}

static tw_exchange *must_request(const example *e)
{
    bytes head = bytes_new(tw_sender_head_len(e->sender));
    tw_format format = format_of(e);
    tw_sealer *sealer = NULL;
    tw_exchange *exchange = NULL;

    must_ok(tw_sender_request(e->sender, &format, head.data, head.len, &sealer, &exchange));
    must_bytes(vector_bytes(e->v, "enc"), bytes_from(head, TW_HEADER_LEN));
    must_bytes(vector_bytes(e->v, "encRequest"),
               bytes_cat(head, sealed(e, sealer, vector_bytes(e->v, "request"),
                                      "requestChunkPlaintextLens")));
    return exchange;
}

static tw_exchange *must_accept(const example *e)
{
    bytes message = vector_bytes(e->v, "encRequest"), opened;
    size_t head_len = tw_receiver_head_len(e->receiver);
    tw_format format = format_of(e);
    tw_opener *opener = NULL;
    tw_exchange *exchange = NULL;

    must_ok(tw_receiver_accept(e->receiver, &format, message.data, head_len, &opener, &exchange));
    must_ok(open_in_steps(opener, bytes_from(message, head_len), e->chunked ? 1 : 0, &opened));
    must_bytes(vector_bytes(e->v, "request"), opened);
    return exchange;
}

static void must_respond(const example *e, tw_exchange *exchange)
{
    bytes head = bytes_new(tw_exchange_response_head_len(exchange));
    tw_format format = format_of(e);
    tw_sealer *sealer = NULL;

    must_ok(tw_exchange_respond(exchange, &format, head.data, head.len, &sealer));
    must(script_all_used(&e->random));
    must_bytes(vector_bytes(e->v, "encResponse"),
               bytes_cat(head, sealed(e, sealer, vector_bytes(e->v, "response"),
                                      "responseChunkPlaintextLens")));
}

static void must_receive(const example *e, tw_exchange *exchange)
{
    bytes message = vector_bytes(e->v, "encResponse"), opened;
    size_t head_len = tw_exchange_response_head_len(exchange);
    tw_format format = format_of(e);
    tw_opener *opener = NULL;

    must_ok(tw_exchange_receive(exchange, &format, message.data, head_len, &opener));
    must_ok(open_in_steps(opener, bytes_from(message, head_len), e->chunked ? 1 : 0, &opened));
    must_bytes(vector_bytes(e->v, "response"), opened);
}

static void must_follow(const char *name, bool chunked)
{
    example e;
    tw_exchange *asked, *answered;

    start(&e, name, chunked);
    asked = must_request(&e);
    answered = must_accept(&e);
    must_respond(&e, answered);
    must_receive(&e, asked);
    tw_exchange_free(asked);
    tw_exchange_free(answered);
    end(&e);
}

Test(appendix, rfc_9458_is_followed_byte_for_byte)
{
    must_follow("rfc9458-appendix-a.json", false);
}

Test(appendix, the_chunked_draft_is_followed_byte_for_byte)
{
    must_follow("chunked-ohttp-08-appendix-a.json", true);
}

/* The configuration is a bare one and comes out as it went in. */
Test(appendix, the_key_configuration_is_written_as_it_was_read)
{
    static const char *const files[] = {"rfc9458-appendix-a.json",
                                        "chunked-ohttp-08-appendix-a.json"};

    for (size_t i = 0; i < 2; i++) {
        example e;
        uint8_t out[64];
        size_t len = 0;

        start(&e, files[i], i == 1);
        must(e.config.key_id == 1 && e.config.kem_id == TW_KEM_X25519_HKDF_SHA256);
        must_size(2, e.config.symmetric_count);
        must_bytes(((bytes){(uint8_t *)e.key->public_key, 32}),
                   ((bytes){e.config.public_key, e.config.public_len}));
        must_ok(tw_config_encode(&e.config, 1, true, out, sizeof(out), &len));
        must_bytes(vector_bytes(e.v, "keyConfig"), ((bytes){out, len}));
        end(&e);
    }
}

/* The intermediate values that the examples print, from the exporter on. */
Test(appendix, the_exporter_and_the_response_keys_pass_through_the_printed_values)
{
    static const char *const files[] = {"rfc9458-appendix-a.json",
                                        "chunked-ohttp-08-appendix-a.json"};
    static const char *const labels[] = {"message/bhttp response",
                                         "message/bhttp chunked response"};

    for (size_t i = 0; i < 2; i++) {
        example e;
        bytes enc, info, nonce, secret, prk, key, base;
        tw_hpke_ctx *ctx = NULL;
        tw_hmac hmac;
        tw_piece ikm, key_info = {"key", 3}, nonce_info = {"nonce", 5};

        start(&e, files[i], i == 1);
        enc = vector_bytes(e.v, "enc");
        info = vector_bytes(e.v, "info");
        nonce = vector_bytes(e.v, "responseNonce");
        secret = bytes_new(16), prk = bytes_new(32), key = bytes_new(16), base = bytes_new(12);
        must_ok(e.suite->setup_receiver(e.suite, e.key, enc.data, info.data, info.len, NULL, &ctx));
        must_ok(ctx->ops->export_secret(ctx, (const uint8_t *)labels[i], strlen(labels[i]),
                                        secret.data, secret.len));
        must_bytes(vector_bytes(e.v, "secret"), secret);
        ikm = (tw_piece){secret.data, secret.len};
        must_ok(tw_hmac_begin(&tw_builtin_suite_of(e.suite)->kit->hash, &hmac));
        enc = bytes_cat(enc, nonce);
        must_ok(tw_hkdf_extract(&hmac, enc.data, enc.len, &ikm, 1, prk.data));
        must_bytes(vector_bytes(e.v, "prk"), prk);
        must_ok(tw_hkdf_expand(&hmac, prk.data, 32, &key_info, 1, key.data, key.len));
        must_bytes(vector_bytes(e.v, "aeadKey"), key);
        must_ok(tw_hkdf_expand(&hmac, prk.data, 32, &nonce_info, 1, base.data, base.len));
        must_bytes(vector_bytes(e.v, "aeadNonce"), base);
        tw_hmac_end(&hmac);
        ctx->ops->free(ctx);
        end(&e);
    }
}
