/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9180's own vectors: all four modes, both ends, with every intermediate value. */
#include <criterion/criterion.h>
#include <stdio.h>

#include <twoway/twoway.h>

#include "check.h"
#include "hpke/hpke.h"
#include "rng.h"
#include "vectors.h"

enum { BASE, PSK, AUTH, AUTH_PSK };

/* One vector, set up for both ends. */
typedef struct setting {
    const json_t *v;
    tw_suite *suite;
    tw_key *receiver, *sender; /* sender is NULL without auth */
    tw_hpke_auth sending, receiving;
    bytes info, enc;
} setting;

static tw_key *private_key(const json_t *v, const char *sk, const char *pk)
{
    bytes private = vector_bytes(v, sk), public = vector_bytes(v, pk);
    tw_key *key = NULL;

    must_ok(tw_key_from_private(vector_id(v, "kem_id"), private.data, private.len, NULL, &key));
    must_bytes(public, ((bytes){(uint8_t *)key->public_key, key->kem->public_len}));
    return key;
}

static void start(setting *s, const json_t *v)
{
    bytes psk = vector_bytes_or_none(v, "psk"), psk_id = vector_bytes_or_none(v, "psk_id");

    *s = (setting){.v = v, .info = vector_bytes(v, "info"), .enc = vector_bytes(v, "enc")};
    must_ok(tw_suite_new(vector_id(v, "kem_id"), vector_id(v, "kdf_id"), vector_id(v, "aead_id"),
                         NULL, &s->suite));
    s->receiver = private_key(v, "skRm", "pkRm");
    s->sending = (tw_hpke_auth){
        .psk = psk.data, .psk_len = psk.len, .psk_id = psk_id.data, .psk_id_len = psk_id.len};
    s->receiving = s->sending;
    if (json_object_get(v, "skSm") != NULL) {
        s->sender = private_key(v, "skSm", "pkSm");
        s->sending.sender = s->sender;
        s->receiving.sender_public = s->sender->public_key;
    }
}

static void end(setting *s)
{
    tw_key_free(s->receiver);
    tw_key_free(s->sender);
    tw_suite_free(s->suite);
}

/* Base mode is NULL to its users; the others need the struct. */
static const tw_hpke_auth *auth_of(const setting *s, const tw_hpke_auth *auth)
{
    return vector_size(s->v, "mode") == BASE ? NULL : auth;
}

static void must_encapsulate(const setting *s)
{
    const tw_kem *kem = s->receiver->kem;
    bytes secret = bytes_new(kem->secret_len), enc = bytes_new(kem->enc_len);
    script random;
    tw_rng rng = script_start(&random, vector_bytes(s->v, "ikmE"));

    must_ok(kem->encap(kem, &rng, s->receiver->public_key, s->sender, secret.data, enc.data));
    must(script_all_used(&random));
    must_bytes(s->enc, enc);
    must_bytes(vector_bytes(s->v, "shared_secret"), secret);
    secret = bytes_new(kem->secret_len);
    must_ok(
        s->receiver->ops->decap(s->receiver, enc.data, s->receiving.sender_public, secret.data));
    must_bytes(vector_bytes(s->v, "shared_secret"), secret);
}

static void must_schedule(const setting *s)
{
    const tw_builtin_suite *suite = tw_builtin_suite_of(s->suite);
    bytes secret = vector_bytes(s->v, "shared_secret");
    bytes key = vector_bytes(s->v, "key"), nonce = vector_bytes(s->v, "base_nonce");
    tw_schedule schedule;

    must_ok(tw_schedule_make(suite, secret.data, s->info.data, s->info.len,
                             auth_of(s, &s->receiving), &schedule));
    must_bytes(key, ((bytes){schedule.key, key.len}));
    must_bytes(nonce, ((bytes){schedule.base_nonce, nonce.len}));
    must_bytes(vector_bytes(s->v, "exporter_secret"),
               ((bytes){schedule.exporter_secret, suite->kit->hash.alg->hash_len}));
}

static void must_export(const setting *s, const tw_hpke_ctx *ctx)
{
    json_t *list = vector_list(s->v, "exports"), *e;
    bytes secret = vector_bytes(s->v, "exporter_secret"), out = bytes_new(secret.len);
    size_t i, len = 0;

    must_size(3, json_array_size(list));
    json_array_foreach(list, i, e)
    {
        bytes context = vector_bytes(e, "exporter_context"), got = bytes_new(vector_size(e, "L"));

        must_ok(ctx->ops->export_secret(ctx, context.data, context.len, got.data, got.len));
        must_bytes(vector_bytes(e, "exported_value"), got);
    }
    must_err(TW_ERR_SPACE, ctx->ops->exporter_secret(ctx, out.data, out.len - 1, &len));
    must_size(out.len, len);
    must_ok(ctx->ops->exporter_secret(ctx, out.data, out.len, &len));
    must_bytes(secret, out);
}

/* Brings both contexts to a vector's sequence number by messages in between. */
static void catch_up(tw_hpke_ctx *sealer, tw_hpke_ctx *opener, size_t *seq, size_t until)
{
    uint8_t sealed[TW_TAG_LEN], none;

    for (; *seq < until; ++*seq) {
        must_ok(sealer->ops->seal(sealer, NULL, 0, NULL, 0, sealed));
        must_ok(opener->ops->open(opener, NULL, 0, sealed, sizeof(sealed), &none));
    }
}

static void must_seal_and_open(const setting *s, tw_hpke_ctx *sealer, tw_hpke_ctx *opener)
{
    json_t *list = vector_list(s->v, "encryptions"), *e;
    size_t i, seq = 0;

    json_array_foreach(list, i, e)
    {
        bytes aad = vector_bytes(e, "aad"), pt = vector_bytes(e, "pt"), ct = vector_bytes(e, "ct");
        bytes sealed = bytes_new(ct.len), opened = bytes_new(pt.len);

        catch_up(sealer, opener, &seq, vector_size(e, "seq"));
        must_ok(sealer->ops->seal(sealer, aad.data, aad.len, pt.data, pt.len, sealed.data));
        must_bytes(ct, sealed);
        must_ok(opener->ops->open(opener, aad.data, aad.len, ct.data, ct.len, opened.data));
        must_bytes(pt, opened);
        seq++;
    }
}

/* Section 5.3's last kind of suite seals nothing. */
static void must_only_export(tw_hpke_ctx *sealer, tw_hpke_ctx *opener)
{
    uint8_t in[TW_TAG_LEN] = {0}, out[2 * TW_TAG_LEN];

    must_err(TW_ERR_STATE, sealer->ops->seal(sealer, NULL, 0, in, 1, out));
    must_err(TW_ERR_STATE, sealer->ops->seal_update(sealer, in, 1, out));
    must_err(TW_ERR_STATE, sealer->ops->seal_final(sealer, out));
    must_err(TW_ERR_STATE, opener->ops->open(opener, NULL, 0, in, sizeof(in), out));
}

static void must_follow(const setting *s)
{
    tw_hpke_ctx *sealer = NULL, *opener = NULL;
    bytes enc = bytes_new(s->suite->enc_len);
    script random;
    tw_rng rng = script_start(&random, vector_bytes(s->v, "ikmE"));

    must_ok(s->suite->setup_sender(s->suite, &rng, s->receiver->public_key, s->info.data,
                                   s->info.len, auth_of(s, &s->sending), enc.data, &sealer));
    must_bytes(s->enc, enc);
    must_ok(s->suite->setup_receiver(s->suite, s->receiver, s->enc.data, s->info.data, s->info.len,
                                     auth_of(s, &s->receiving), &opener));
    must_export(s, sealer);
    must_export(s, opener);
    if (s->suite->aead_id == TW_AEAD_EXPORT_ONLY) {
        must_only_export(sealer, opener);
    } else {
        must_size(6, json_array_size(vector_list(s->v, "encryptions")));
        must_seal_and_open(s, sealer, opener);
    }
    sealer->ops->free(sealer);
    opener->ops->free(opener);
}

Test(rfc9180, both_ends_follow_every_vector)
{
    json_t *root = vectors_load("rfc9180-trimmed.json"), *v;
    size_t i, of_mode[4] = {0};

    json_array_foreach(root, i, v)
    {
        size_t mode = vector_size(v, "mode"), mark = bytes_mark();
        setting s;

        must(mode <= AUTH_PSK);
        check_note("in vector %zu: KEM %04x, mode %zu", i, vector_id(v, "kem_id"), mode);
        start(&s, v);
        must_encapsulate(&s);
        must_schedule(&s);
        must_follow(&s);
        end(&s);
        bytes_release(mark);
        of_mode[mode]++;
    }
    for (size_t mode = BASE; mode <= AUTH_PSK; mode++) {
        must_size(32, of_mode[mode]);
    }
    printf("%zu vectors of RFC 9180, in four modes, each intermediate value of both ends\n", i);
    json_decref(root);
}
