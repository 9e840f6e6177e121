/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

struct tw_sender {
    const tw_suite *suite;
    tw_kit *kit;
    tw_rng rng;
    uint8_t header[TW_HEADER_LEN];
    uint8_t pk[];
};

tw_err tw_sender_new(const tw_suite *suite, uint8_t key_id, const uint8_t *pk, size_t pk_len,
                     const tw_rng *rng, tw_sender **out)
{
    tw_sender *self;
    tw_header header = {.key_id = key_id};
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (tw_suite_fits(suite) != TW_OK || pk == NULL) {
        return TW_ERR_INVALID;
    }
    err = pk_len == suite->public_len ? tw_suite_check_public(suite, pk) : TW_ERR_KEY;
    if (err != TW_OK) {
        return err;
    }
    self = OPENSSL_zalloc(sizeof(*self) + pk_len);
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    err = tw_suite_kit(suite, &self->kit);
    if (err != TW_OK) {
        OPENSSL_free(self);
        return err;
    }
    header.kem_id = suite->kem_id;
    header.kdf_id = suite->kdf_id;
    header.aead_id = suite->aead_id;
    tw_header_write(&header, self->header);
    memcpy(self->pk, pk, pk_len);
    self->suite = suite;
    if (rng != NULL) {
        self->rng = *rng;
    }
    *out = self;
    return TW_OK;
}

void tw_sender_free(tw_sender *sender)
{
    if (sender != NULL) {
        tw_kit_unref(sender->kit);
        OPENSSL_free(sender);
    }
}

size_t tw_sender_head_len(const tw_sender *sender)
{
    return sender == NULL ? 0 : TW_HEADER_LEN + sender->suite->enc_len;
}

/* Encapsulates: writes the head and makes the body. */
static tw_err start(const tw_sender *self, const tw_layout *layout, uint8_t *head, tw_body *body)
{
    const tw_suite *suite = self->suite;
    const tw_rng *rng = self->rng.fill == NULL ? NULL : &self->rng;
    tw_hpke_ctx *ctx = NULL;
    tw_info info;
    tw_err err = tw_info_make(layout->label, self->header, &info);

    if (err != TW_OK) {
        return err;
    }
    memcpy(head, self->header, TW_HEADER_LEN);
    err = tw_backend_err(suite->setup_sender(suite, rng, self->pk, info.data, info.len, NULL,
                                             head + TW_HEADER_LEN, &ctx));
    tw_info_clear(&info);
    if (err == TW_OK) {
        err = tw_ctx_take(ctx);
    }
    if (err == TW_OK) {
        tw_body_init(body, layout, suite->tag_len, self->kit, ctx);
    }
    return err;
}

/* Takes the body, also when it fails; then there is neither. */
static tw_err make_both(const tw_sender *self, const uint8_t *head, tw_body *made, tw_sealer **body,
                        tw_exchange **exchange)
{
    tw_err err = TW_OK;

    if (exchange != NULL) {
        err = tw_exchange_make(TW_ROLE_SENDER, self->suite, self->kit, &self->rng, head, made,
                               exchange);
    }
    if (err == TW_OK) {
        err = tw_sealer_make(made, body);
    } else {
        tw_body_clear(made);
    }
    if (err != TW_OK && exchange != NULL) {
        tw_exchange_free(*exchange);
        *exchange = NULL;
    }
    return err;
}

tw_err tw_sender_request(const tw_sender *sender, const tw_format *format, uint8_t *head,
                         size_t head_cap, tw_sealer **body, tw_exchange **exchange)
{
    tw_layout layout;
    tw_body made;
    tw_err err;

    if (exchange != NULL) {
        *exchange = NULL;
    }
    if (body == NULL) {
        return TW_ERR_INVALID;
    }
    *body = NULL;
    if (sender == NULL || tw_layout_read(format, TW_REQUEST, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    if (head == NULL || head_cap < tw_sender_head_len(sender)) {
        return TW_ERR_SPACE;
    }
    err = start(sender, &layout, head, &made);
    if (err == TW_OK) {
        err = make_both(sender, head, &made, body, exchange);
    }
    if (err != TW_OK) {
        tw_wipe(head, tw_sender_head_len(sender));
    }
    return err;
}
