/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

struct tw_receiver {
    tw_kit *content_kit;
    tw_pending_source source; /* what pendings copy */
};

tw_err tw_receiver_new(const tw_suite *suite, uint8_t key_id, const tw_key *key, const tw_rng *rng,
                       tw_receiver **out)
{
    tw_receiver *self;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (tw_suite_fits(suite) != TW_OK || tw_key_usable(key) != TW_OK ||
        key->kem->id != suite->kem_id || key->kem->enc_len != suite->enc_len) {
        return TW_ERR_INVALID;
    }
    self = OPENSSL_zalloc(sizeof(*self));
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    self->source.suite = suite;
    self->source.key = key;
    self->source.header = (tw_header){key_id, suite->kem_id, suite->kdf_id, suite->aead_id};
    if (rng != NULL) {
        self->source.rng = *rng;
    }
    err = tw_suite_kit(suite, &self->source.kit);
    if (err == TW_OK) {
        err = tw_content_kit(suite, &self->content_kit);
    }
    if (err != TW_OK) {
        tw_receiver_free(self);
        return err;
    }
    *out = self;
    return TW_OK;
}

void tw_receiver_free(tw_receiver *receiver)
{
    if (receiver != NULL) {
        tw_kit_unref(receiver->source.kit);
        tw_kit_unref(receiver->content_kit);
        OPENSSL_free(receiver);
    }
}

tw_header tw_receiver_header(const tw_receiver *receiver)
{
    return receiver == NULL ? ((tw_header){0}) : receiver->source.header;
}

size_t tw_receiver_head_len(const tw_receiver *receiver)
{
    return receiver == NULL ? 0 : TW_HEADER_LEN + receiver->source.suite->enc_len;
}

/* A header that names another key says more to the peer than a length, so it is
 * looked at as soon as it is there. */
static tw_err check_head(const tw_receiver *self, const uint8_t *head, size_t head_len, size_t need)
{
    tw_header header;

    if (head == NULL && head_len > 0) {
        return TW_ERR_INVALID;
    }
    if (tw_header_parse(head, head_len, &header) != TW_OK) {
        return TW_ERR_TRUNCATED;
    }
    if (!tw_header_equal(&header, &self->source.header)) {
        return TW_ERR_KEY;
    }
    if (head_len != need) {
        return head_len < need ? TW_ERR_TRUNCATED : TW_ERR_INVALID;
    }
    return TW_OK;
}

/* What a key's own decap checks too; asked early so that nothing reaches a worker
 * that a peer could have been refused for at once. A KEM whose enc is no public key
 * has only its decap to ask. */
static tw_err check_enc(const tw_receiver *self, const uint8_t *enc)
{
    const tw_kem *kem = self->source.key->kem;
    tw_err err = kem->enc_len == kem->public_len ? tw_backend_err(kem->check(kem, enc)) : TW_OK;

    return err == TW_ERR_KEY ? TW_ERR_FORMAT : err;
}

static tw_err begin(const tw_receiver *self, const tw_format *format, const uint8_t *head,
                    size_t head_len, tw_pending **out)
{
    tw_layout layout;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (self == NULL || tw_layout_read(format, TW_REQUEST, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    err = check_head(self, head, head_len, tw_receiver_head_len(self));
    return err == TW_OK ? tw_pending_make(&self->source, &layout, head, NULL, out) : err;
}

static tw_err begin_multi(const tw_receiver *self, const tw_format *format, const uint8_t *encap,
                          size_t encap_len, const uint8_t *head, size_t head_len, tw_pending **out)
{
    tw_layout layout;
    tw_content content;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (self == NULL || (head == NULL && head_len > 0) ||
        tw_layout_read(format, TW_REQUEST, &layout) != TW_OK) {
        return TW_ERR_INVALID;
    }
    err = check_head(self, encap, encap_len, tw_multi_encap_len(self->source.suite));
    if (err == TW_OK && head_len != TW_NONCE_LEN) {
        err = head_len < TW_NONCE_LEN ? TW_ERR_TRUNCATED : TW_ERR_INVALID;
    }
    if (err != TW_OK) {
        return err;
    }
    content.kit = self->content_kit;
    memcpy(content.sealed_key, encap + tw_receiver_head_len(self), sizeof(content.sealed_key));
    memcpy(content.nonce, head, sizeof(content.nonce));
    return tw_pending_make(&self->source, &layout, encap, &content, out);
}

/* Both finish the begin that came before them, in one of two ways. */
static tw_err check_pending(const tw_receiver *self, tw_err err, tw_pending **pending)
{
    size_t enc_len;

    if (err == TW_OK) {
        err = check_enc(self, tw_pending_enc(*pending, &enc_len));
        if (err != TW_OK) {
            tw_pending_free(*pending);
            *pending = NULL;
        }
    }
    return err;
}

static tw_err accept_pending(tw_err err, tw_pending *pending, tw_opener **body,
                             tw_exchange **exchange)
{
    if (exchange != NULL) {
        *exchange = NULL;
    }
    if (err == TW_OK) {
        err = tw_pending_perform(pending);
    }
    if (err == TW_OK) {
        err = tw_pending_finish(pending, body, exchange);
    }
    tw_pending_free(pending);
    return err;
}

tw_err tw_receiver_begin(const tw_receiver *receiver, const tw_format *format, const uint8_t *head,
                         size_t head_len, tw_pending **out)
{
    return check_pending(receiver, begin(receiver, format, head, head_len, out), out);
}

tw_err tw_receiver_begin_multi(const tw_receiver *receiver, const tw_format *format,
                               const uint8_t *encap, size_t encap_len, const uint8_t *head,
                               size_t head_len, tw_pending **out)
{
    return check_pending(receiver,
                         begin_multi(receiver, format, encap, encap_len, head, head_len, out), out);
}

tw_err tw_receiver_accept(const tw_receiver *receiver, const tw_format *format, const uint8_t *head,
                          size_t head_len, tw_opener **body, tw_exchange **exchange)
{
    tw_pending *pending = NULL;
    tw_err err = TW_ERR_INVALID;

    if (body != NULL) {
        *body = NULL;
        err = begin(receiver, format, head, head_len, &pending);
    }
    return accept_pending(err, pending, body, exchange);
}

tw_err tw_receiver_accept_multi(const tw_receiver *receiver, const tw_format *format,
                                const uint8_t *encap, size_t encap_len, const uint8_t *head,
                                size_t head_len, tw_opener **body, tw_exchange **exchange)
{
    tw_pending *pending = NULL;
    tw_err err = TW_ERR_INVALID;

    if (body != NULL) {
        *body = NULL;
        err = begin_multi(receiver, format, encap, encap_len, head, head_len, &pending);
    }
    return accept_pending(err, pending, body, exchange);
}
