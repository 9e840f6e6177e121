/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

/* One to many, in the format of the Go package openpcc/twoway: the body under a key
 * of its own, which is then sealed to each receiver. */

struct tw_multi {
    const tw_suite *suite;
    tw_kit *kit;
    tw_rng rng;
    uint8_t content_key[TW_CONTENT_KEY_LEN];
    size_t label_len;
    char label[]; /* zero-terminated */
};

const char tw_multi_aad[15] = {'m', 'u', 'l', 't', 'i', '-', 'e', 'n',
                               'c', 'a', 'p', '-', 'k', 'e', 'y'};

/* The Go package's content key has 32 bytes with each AEAD, so what its header
 * calls AES-128-GCM is AES-256-GCM for the body. */
tw_err tw_content_kit(const tw_suite *suite, tw_kit **out)
{
    return suite->aead_id == TW_AEAD_AES_128_GCM ? tw_suite_wider_kit(suite, out)
                                                 : tw_suite_kit(suite, out);
}

size_t tw_multi_head_len(const tw_suite *suite)
{
    return suite == NULL ? 0 : TW_NONCE_LEN;
}

size_t tw_multi_encap_len(const tw_suite *suite)
{
    return suite == NULL ? 0 : TW_HEADER_LEN + suite->enc_len + TW_CONTENT_KEY_LEN + TW_TAG_LEN;
}

static tw_err multi_new(const tw_suite *suite, const char *label, const tw_rng *rng, tw_multi **out)
{
    size_t label_len = strlen(label);
    tw_multi *self = OPENSSL_zalloc(sizeof(*self) + label_len + 1);
    tw_err err;

    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    self->suite = suite;
    self->label_len = label_len;
    memcpy(self->label, label, label_len + 1);
    if (rng != NULL) {
        self->rng = *rng;
    }
    err = tw_suite_kit(suite, &self->kit);
    if (err == TW_OK) {
        err = tw_random(&self->kit->provider, rng, true, self->content_key,
                        sizeof(self->content_key));
    }
    if (err != TW_OK) {
        tw_multi_free(self);
        return err;
    }
    *out = self;
    return TW_OK;
}

void tw_multi_free(tw_multi *multi)
{
    if (multi != NULL) {
        tw_kit_unref(multi->kit);
        OPENSSL_clear_free(multi, sizeof(*multi) + multi->label_len + 1);
    }
}

static tw_err content_body(const tw_multi *self, const tw_layout *layout, const uint8_t *nonce,
                           tw_sealer **out)
{
    tw_kit *kit;
    tw_hpke_ctx *ctx;
    tw_body body;
    tw_err err = tw_content_kit(self->suite, &kit);

    if (err != TW_OK) {
        return err;
    }
    err = tw_aead_ctx_new(kit, true, self->content_key, nonce, &ctx);
    if (err == TW_OK) {
        tw_body_init(&body, layout, TW_TAG_LEN, kit, ctx);
        err = tw_sealer_make(&body, out);
    }
    tw_kit_unref(kit);
    return err;
}

tw_err tw_multi_new(const tw_suite *suite, const tw_format *format, const tw_rng *rng,
                    uint8_t *head, size_t head_cap, tw_sealer **body, tw_multi **out)
{
    tw_layout layout;
    tw_err err;

    if (body != NULL) {
        *body = NULL;
    }
    if (out != NULL) {
        *out = NULL;
    }
    if (body == NULL || out == NULL || tw_suite_fits(suite) != TW_OK ||
        tw_layout_read(format, TW_REQUEST, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    if (head == NULL || head_cap < TW_NONCE_LEN) {
        return TW_ERR_SPACE;
    }
    err = multi_new(suite, layout.label, rng, out);
    if (err != TW_OK) {
        return err;
    }
    err = tw_random(&(*out)->kit->provider, rng, false, head, TW_NONCE_LEN);
    if (err == TW_OK) {
        err = content_body(*out, &layout, head, body);
    }
    if (err != TW_OK) {
        tw_wipe(head, TW_NONCE_LEN);
        tw_multi_free(*out);
        *out = NULL;
    }
    return err;
}

/* Seals the content key into what follows the head. */
static tw_err seal_key(const tw_multi *self, const uint8_t *pk, const tw_info *info, uint8_t *encap,
                       tw_body *body)
{
    const tw_suite *suite = self->suite;
    const tw_layout layout = {.max_chunk = TW_CHUNK_LEN};
    const tw_rng *rng = self->rng.fill == NULL ? NULL : &self->rng;
    tw_hpke_ctx *ctx = NULL;
    tw_err err = tw_backend_err(suite->setup_sender(suite, rng, pk, info->data, info->len, NULL,
                                                    encap + TW_HEADER_LEN, &ctx));

    if (err == TW_OK) {
        err = tw_ctx_take(ctx);
    }
    if (err != TW_OK) {
        return err;
    }
    tw_body_init(body, &layout, suite->tag_len, self->kit, ctx);
    err = tw_body_err(ctx->ops->seal(ctx, (const uint8_t *)tw_multi_aad, sizeof(tw_multi_aad),
                                     self->content_key, sizeof(self->content_key),
                                     encap + TW_HEADER_LEN + suite->enc_len));
    if (err != TW_OK) {
        tw_body_clear(body);
    }
    return err;
}

/* What follows the header, which is written already. */
static tw_err seal_and_exchange(const tw_multi *self, const uint8_t *pk, uint8_t *encap,
                                tw_exchange **exchange)
{
    tw_body body;
    tw_info info;
    tw_err err = tw_info_make(self->label, encap, &info);

    if (err != TW_OK) {
        return err;
    }
    err = seal_key(self, pk, &info, encap, &body);
    tw_info_clear(&info);
    if (err != TW_OK) {
        return err;
    }
    if (exchange != NULL) {
        err = tw_exchange_make(TW_ROLE_SENDER, self->suite, self->kit, &self->rng, encap, &body,
                               exchange);
    }
    tw_body_clear(&body);
    return err;
}

tw_err tw_multi_encap(tw_multi *multi, uint8_t key_id, const uint8_t *pk, size_t pk_len,
                      uint8_t *encap, size_t encap_cap, tw_exchange **exchange)
{
    tw_header header = {.key_id = key_id};
    tw_err err;

    if (exchange != NULL) {
        *exchange = NULL;
    }
    if (multi == NULL || pk == NULL) {
        return TW_ERR_INVALID;
    }
    if (encap == NULL || encap_cap < tw_multi_encap_len(multi->suite)) {
        return TW_ERR_SPACE;
    }
    if (tw_overlap(pk, pk_len, encap, tw_multi_encap_len(multi->suite))) {
        return TW_ERR_INVALID;
    }
    err = pk_len == multi->suite->public_len ? tw_suite_check_public(multi->suite, pk) : TW_ERR_KEY;
    if (err != TW_OK) {
        return err;
    }
    header.kem_id = multi->suite->kem_id;
    header.kdf_id = multi->suite->kdf_id;
    header.aead_id = multi->suite->aead_id;
    tw_header_write(&header, encap);
    err = seal_and_exchange(multi, pk, encap, exchange);
    if (err != TW_OK) {
        tw_wipe(encap, tw_multi_encap_len(multi->suite));
    }
    return err;
}
