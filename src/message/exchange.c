/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

struct tw_exchange {
    const tw_suite *suite; /* outlives it */
    tw_kit *kit;           /* a reference */
    tw_rng rng;
    tw_shared_ctx *shared; /* instead of the secret, where the suite keeps that */
    uint8_t role;
    uint8_t exporter_secret[TW_MAX_HASH];
    uint8_t head[]; /* header || enc */
};

/* Saved: magic, role, header, enc, exporter secret. */
static const uint8_t magic[4] = {'T', 'W', 'X', '1'};
#define AT_ROLE   sizeof(magic)
#define AT_HEADER (AT_ROLE + 1)
#define AT_ENC    (AT_HEADER + TW_HEADER_LEN)

static size_t size_of(const tw_suite *suite)
{
    return sizeof(tw_exchange) + TW_HEADER_LEN + suite->enc_len;
}

static tw_err exchange_new(uint8_t role, const tw_suite *suite, tw_kit *kit, const tw_rng *rng,
                           const uint8_t *head, tw_exchange **out)
{
    tw_exchange *self = OPENSSL_zalloc(size_of(suite));

    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    self->suite = suite;
    self->kit = tw_kit_ref(kit);
    self->role = role;
    if (rng != NULL) {
        self->rng = *rng;
    }
    memcpy(self->head, head, TW_HEADER_LEN + suite->enc_len);
    *out = self;
    return TW_OK;
}

static tw_err share_ctx(tw_exchange *self, tw_body *body)
{
    body->shared = OPENSSL_malloc(sizeof(*body->shared));
    if (body->shared == NULL) {
        return TW_ERR_MEMORY;
    }
    atomic_init(&body->shared->refs, 2);
    body->shared->ctx = body->ctx;
    self->shared = body->shared;
    return TW_OK;
}

tw_err tw_exchange_make(uint8_t role, const tw_suite *suite, tw_kit *kit, const tw_rng *rng,
                        const uint8_t *head, tw_body *body, tw_exchange **out)
{
    const tw_hpke_ops *ops = body->ctx->ops;
    size_t len = 0;
    tw_err err = exchange_new(role, suite, kit, rng, head, out);

    if (err != TW_OK) {
        return err;
    }
    if (TW_HAS(tw_hpke_ops, ops, exporter_secret) && ops->exporter_secret != NULL) {
        err = tw_backend_err(ops->exporter_secret(body->ctx, (*out)->exporter_secret,
                                                  sizeof((*out)->exporter_secret), &len));
        if (err == TW_OK && len != kit->hash.alg->hash_len) {
            err = TW_ERR_BACKEND;
        }
    } else {
        err = share_ctx(*out, body);
    }
    if (err != TW_OK) {
        tw_exchange_free(*out);
        *out = NULL;
    }
    return err;
}

void tw_exchange_free(tw_exchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    if (exchange->shared != NULL && atomic_fetch_sub(&exchange->shared->refs, 1) == 1) {
        tw_ctx_free(exchange->shared->ctx);
        OPENSSL_free(exchange->shared);
    }
    tw_kit_unref(exchange->kit);
    OPENSSL_clear_free(exchange, size_of(exchange->suite));
}

/* --- Responses, RFC 9458 section 4.4. ------------------------------------------ */

static size_t nonce_len(const tw_exchange *self)
{
    size_t key_len = self->kit->cipher.alg->key_len;

    return key_len > TW_NONCE_LEN ? key_len : TW_NONCE_LEN;
}

size_t tw_exchange_response_head_len(const tw_exchange *exchange)
{
    return exchange == NULL ? 0 : nonce_len(exchange);
}

static tw_err export_secret(const tw_exchange *self, tw_hmac *hmac, const char *label, uint8_t *out,
                            size_t out_len)
{
    const tw_suite *suite = self->suite;
    const uint8_t *context = (const uint8_t *)label;
    tw_suite_id id;

    if (self->shared != NULL) {
        return tw_backend_err(self->shared->ctx->ops->export_secret(self->shared->ctx, context,
                                                                    strlen(label), out, out_len));
    }
    id = tw_hpke_suite_id(suite->kem_id, suite->kdf_id, suite->aead_id);
    return tw_export(hmac, &id, self->exporter_secret, context, strlen(label), out, out_len);
}

/* prk = Extract(enc || nonce, secret); key and base nonce are expanded from it by
 * plain HKDF, without HPKE's labels. */
static tw_err response_keys(const tw_exchange *self, const char *label, const uint8_t *nonce,
                            uint8_t *key, uint8_t *base)
{
    const size_t enc_len = self->suite->enc_len;
    const size_t hash_len = self->kit->hash.alg->hash_len;
    uint8_t salt[TW_MAX_ENC + TW_MAX_AEAD_KEY];
    uint8_t secret[TW_MAX_AEAD_KEY], prk[TW_MAX_HASH];
    tw_piece ikm = {secret, nonce_len(self)};
    tw_piece for_key = {"key", 3}, for_nonce = {"nonce", 5};
    tw_hmac hmac;
    tw_err err = tw_hmac_begin(&self->kit->hash, &hmac);

    memcpy(salt, self->head + TW_HEADER_LEN, enc_len);
    memcpy(salt + enc_len, nonce, nonce_len(self));
    if (err == TW_OK) {
        err = export_secret(self, &hmac, label, secret, nonce_len(self));
    }
    if (err == TW_OK) {
        err = tw_hkdf_extract(&hmac, salt, enc_len + nonce_len(self), &ikm, 1, prk);
    }
    if (err == TW_OK) {
        err =
            tw_hkdf_expand(&hmac, prk, hash_len, &for_key, 1, key, self->kit->cipher.alg->key_len);
    }
    if (err == TW_OK) {
        err = tw_hkdf_expand(&hmac, prk, hash_len, &for_nonce, 1, base, TW_NONCE_LEN);
    }
    tw_hmac_end(&hmac);
    tw_wipe(secret, sizeof(secret));
    tw_wipe(prk, sizeof(prk));
    return err;
}

static tw_err response_nonce(const tw_exchange *self, uint8_t *nonce)
{
    const tw_builtin_suite *builtin = tw_builtin_suite_of(self->suite);

    return tw_nonce(builtin == NULL ? NULL : &builtin->nonces, &self->kit->provider, &self->rng,
                    nonce, nonce_len(self));
}

static tw_err response_body(const tw_exchange *self, const tw_layout *layout, bool sealing,
                            const uint8_t *nonce, tw_body *body)
{
    uint8_t key[TW_MAX_AEAD_KEY], base[TW_NONCE_LEN];
    tw_hpke_ctx *ctx;
    tw_err err = response_keys(self, layout->label, nonce, key, base);

    if (err == TW_OK) {
        err = tw_aead_ctx_new(self->kit, sealing, key, base, &ctx);
    }
    if (err == TW_OK) {
        tw_body_init(body, layout, TW_TAG_LEN, self->kit, ctx);
    }
    tw_wipe(key, sizeof(key));
    tw_wipe(base, sizeof(base));
    return err;
}

tw_err tw_exchange_respond(tw_exchange *exchange, const tw_format *format, uint8_t *head,
                           size_t head_cap, tw_sealer **body)
{
    tw_layout layout;
    tw_body made;
    tw_err err;

    if (body == NULL) {
        return TW_ERR_INVALID;
    }
    *body = NULL;
    if (exchange == NULL || tw_layout_read(format, TW_RESPONSE, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    if (exchange->role != TW_ROLE_RECEIVER) {
        return TW_ERR_STATE;
    }
    if (head == NULL || head_cap < nonce_len(exchange)) {
        return TW_ERR_SPACE;
    }
    err = response_nonce(exchange, head);
    if (err == TW_OK) {
        err = response_body(exchange, &layout, true, head, &made);
    }
    if (err == TW_OK) {
        err = tw_sealer_make(&made, body);
    }
    if (err != TW_OK) {
        tw_wipe(head, nonce_len(exchange));
    }
    return err;
}

tw_err tw_exchange_receive(tw_exchange *exchange, const tw_format *format, const uint8_t *head,
                           size_t head_len, tw_opener **body)
{
    tw_layout layout;
    tw_body made;
    tw_err err;

    if (body == NULL) {
        return TW_ERR_INVALID;
    }
    *body = NULL;
    if (exchange == NULL || (head == NULL && head_len > 0) ||
        tw_layout_read(format, TW_RESPONSE, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    if (exchange->role != TW_ROLE_SENDER) {
        return TW_ERR_STATE;
    }
    if (head_len != nonce_len(exchange)) {
        return head_len < nonce_len(exchange) ? TW_ERR_TRUNCATED : TW_ERR_INVALID;
    }
    err = response_body(exchange, &layout, false, head, &made);
    return err == TW_OK ? tw_opener_make(&made, body) : err;
}

/* --- Saving. ---------------------------------------------------------------------- */

size_t tw_exchange_save_len(const tw_exchange *exchange)
{
    if (exchange == NULL || exchange->shared != NULL) {
        return 0;
    }
    return AT_ENC + exchange->suite->enc_len + exchange->kit->hash.alg->hash_len;
}

tw_err tw_exchange_save(const tw_exchange *exchange, uint8_t *out, size_t out_cap, size_t *out_len)
{
    size_t need = tw_exchange_save_len(exchange);
    size_t head_len;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (need == 0) {
        return TW_ERR_INVALID;
    }
    if (out == NULL || out_cap < need) {
        *out_len = need;
        return TW_ERR_SPACE;
    }
    head_len = TW_HEADER_LEN + exchange->suite->enc_len;
    memcpy(out, magic, sizeof(magic));
    out[AT_ROLE] = exchange->role;
    memcpy(out + AT_HEADER, exchange->head, head_len);
    memcpy(out + AT_HEADER + head_len, exchange->exporter_secret,
           exchange->kit->hash.alg->hash_len);
    *out_len = need;
    return TW_OK;
}

tw_err tw_exchange_peek(const uint8_t *in, size_t in_len, tw_header *out)
{
    size_t have = in_len < sizeof(magic) ? in_len : sizeof(magic);

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = (tw_header){0};
    if (in == NULL && in_len > 0) {
        return TW_ERR_INVALID;
    }
    if (have > 0 && memcmp(in, magic, have) != 0) {
        return TW_ERR_FORMAT;
    }
    if (in_len < AT_ENC) {
        return TW_ERR_TRUNCATED;
    }
    if (in[AT_ROLE] != TW_ROLE_SENDER && in[AT_ROLE] != TW_ROLE_RECEIVER) {
        return TW_ERR_FORMAT;
    }
    return tw_header_parse(in + AT_HEADER, TW_HEADER_LEN, out);
}

/* Whether `in` is whole and of this suite. */
static tw_err check_saved(const tw_suite *suite, const tw_kit *kit, const uint8_t *in,
                          size_t in_len)
{
    size_t need = AT_ENC + suite->enc_len + kit->hash.alg->hash_len;
    tw_header header;
    tw_err err = tw_exchange_peek(in, in_len, &header);

    if (err != TW_OK) {
        return err;
    }
    if (header.kem_id != suite->kem_id || header.kdf_id != suite->kdf_id ||
        header.aead_id != suite->aead_id) {
        return TW_ERR_INVALID;
    }
    if (in_len != need) {
        return in_len < need ? TW_ERR_TRUNCATED : TW_ERR_FORMAT;
    }
    return TW_OK;
}

tw_err tw_exchange_load(const tw_suite *suite, const tw_rng *rng, const uint8_t *in, size_t in_len,
                        tw_exchange **out)
{
    tw_kit *kit;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    err = tw_suite_fits(suite);
    if (err == TW_OK) {
        err = tw_suite_kit(suite, &kit);
    }
    if (err != TW_OK) {
        return err;
    }
    err = check_saved(suite, kit, in, in_len);
    if (err == TW_OK) {
        err = exchange_new(in[AT_ROLE], suite, kit, rng, in + AT_HEADER, out);
    }
    if (err == TW_OK) {
        memcpy((*out)->exporter_secret, in + AT_ENC + suite->enc_len, kit->hash.alg->hash_len);
    }
    tw_kit_unref(kit);
    return err;
}
