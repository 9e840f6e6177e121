/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

/* A request between its head and its body. It needs no receiver: what it takes
 * from one it copies, and it holds a reference of what is counted. */
struct tw_pending {
    tw_pending_source from;
    tw_content content; /* content.kit is NULL for one to one */
    tw_layout layout;   /* without its label, which info holds */
    enum { BEGUN, PERFORMED, FINISHED } state;
    tw_err failed; /* sticky */
    tw_hpke_ctx *ctx;
    size_t enc_len, info_len;
    uint8_t bytes[]; /* header || enc || info */
};

static uint8_t *enc_of(tw_pending *self)
{
    return self->bytes + TW_HEADER_LEN;
}

tw_err tw_pending_make(const tw_pending_source *from, const tw_layout *layout, const uint8_t *head,
                       const tw_content *content, tw_pending **out)
{
    size_t enc_len = from->suite->enc_len;
    tw_pending *self = NULL;
    tw_info info;
    tw_err err = tw_info_make(layout->label, head, &info);

    if (err != TW_OK) {
        return err;
    }
    self = OPENSSL_zalloc(sizeof(*self) + TW_HEADER_LEN + enc_len + info.len);
    if (self != NULL) {
        self->from = *from;
        self->from.kit = tw_kit_ref(from->kit);
        self->layout = *layout;
        self->layout.label = NULL;
        if (content != NULL) {
            self->content = *content;
            self->content.kit = tw_kit_ref(content->kit);
        }
        self->enc_len = enc_len;
        self->info_len = info.len;
        memcpy(self->bytes, head, TW_HEADER_LEN + enc_len);
        memcpy(enc_of(self) + enc_len, info.data, info.len);
    }
    tw_info_clear(&info);
    *out = self;
    return self == NULL ? TW_ERR_MEMORY : TW_OK;
}

void tw_pending_free(tw_pending *pending)
{
    if (pending != NULL) {
        tw_ctx_free(pending->ctx);
        tw_kit_unref(pending->from.kit);
        tw_kit_unref(pending->content.kit);
        OPENSSL_free(pending);
    }
}

const uint8_t *tw_pending_enc(const tw_pending *pending, size_t *enc_len)
{
    if (enc_len != NULL) {
        *enc_len = pending == NULL ? 0 : pending->enc_len;
    }
    return pending == NULL ? NULL : pending->bytes + TW_HEADER_LEN;
}

static bool may_pass(tw_err err)
{
    return err == TW_ERR_TOKEN_BUSY || err == TW_ERR_TOKEN_ABSENT;
}

static tw_err perform_with(tw_pending *self, const tw_key *key)
{
    const tw_suite *suite = self->from.suite;
    tw_hpke_ctx *ctx = NULL;
    tw_err err = tw_backend_err(suite->setup_receiver(
        suite, key, enc_of(self), enc_of(self) + self->enc_len, self->info_len, NULL, &ctx));

    if (err == TW_OK) {
        err = tw_ctx_take(ctx);
    }
    if (err == TW_OK) {
        self->ctx = ctx;
        self->state = PERFORMED;
    } else if (!may_pass(err)) {
        self->failed = err;
    }
    return err;
}

tw_err tw_pending_perform(tw_pending *pending)
{
    if (pending == NULL) {
        return TW_ERR_INVALID;
    }
    if (pending->failed != TW_OK) {
        return pending->failed;
    }
    if (pending->state != BEGUN || pending->from.key->ops->decap == NULL) {
        return TW_ERR_STATE;
    }
    return perform_with(pending, pending->from.key);
}

/* A key whose one decapsulation has already been done elsewhere. */
typedef struct supplied_key {
    tw_key base;
    const uint8_t *secret;
} supplied_key;

static tw_err supplied_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                             uint8_t *secret)
{
    (void)enc;
    (void)sender_public;
    memcpy(secret, ((const supplied_key *)key)->secret, key->kem->secret_len);
    return TW_OK;
}

tw_err tw_pending_supply(tw_pending *pending, const uint8_t *secret, size_t secret_len)
{
    static const tw_key_ops ops = {.size = sizeof(tw_key_ops), .decap = supplied_decap};
    supplied_key key;

    if (pending == NULL || secret == NULL || tw_builtin_suite_of(pending->from.suite) == NULL ||
        secret_len != pending->from.key->kem->secret_len) {
        return TW_ERR_INVALID;
    }
    if (pending->failed != TW_OK) {
        return pending->failed;
    }
    if (pending->state != BEGUN) {
        return TW_ERR_STATE;
    }
    key.base = *pending->from.key;
    key.base.ops = &ops;
    key.secret = secret;
    return perform_with(pending, &key.base);
}

/* One to many: the body's key comes out of the context, which is then only for the
 * answer. Replaces the body's context with the content's. */
static tw_err open_content(const tw_pending *self, tw_body *body)
{
    const tw_content *content = &self->content;
    uint8_t key[TW_CONTENT_KEY_LEN];
    tw_body content_body;
    tw_hpke_ctx *ctx;
    tw_err err = tw_body_err(body->ctx->ops->open(body->ctx, (const uint8_t *)tw_multi_aad,
                                                  sizeof(tw_multi_aad), content->sealed_key,
                                                  sizeof(content->sealed_key), key));

    if (err == TW_OK) {
        err = tw_aead_ctx_new(content->kit, false, key, content->nonce, &ctx);
    }
    tw_wipe(key, sizeof(key));
    if (err == TW_OK) {
        tw_body_init(&content_body, &self->layout, TW_TAG_LEN, content->kit, ctx);
        tw_body_clear(body);
        *body = content_body;
    }
    return err;
}

tw_err tw_pending_finish(tw_pending *pending, tw_opener **body, tw_exchange **exchange)
{
    const tw_pending_source *from;
    tw_body made;
    tw_err err = TW_OK;

    if (exchange != NULL) {
        *exchange = NULL;
    }
    if (body == NULL) {
        return TW_ERR_INVALID;
    }
    *body = NULL;
    if (pending == NULL) {
        return TW_ERR_INVALID;
    }
    if (pending->failed != TW_OK) {
        return pending->failed;
    }
    if (pending->state != PERFORMED) {
        return TW_ERR_STATE;
    }
    from = &pending->from;
    tw_body_init(&made, &pending->layout, from->suite->tag_len, from->kit, pending->ctx);
    pending->ctx = NULL;
    pending->state = FINISHED;
    if (exchange != NULL) {
        err = tw_exchange_make(TW_ROLE_RECEIVER, from->suite, from->kit, &from->rng, pending->bytes,
                               &made, exchange);
    }
    if (err == TW_OK && pending->content.kit != NULL) {
        err = open_content(pending, &made);
    }
    if (err == TW_OK) {
        err = tw_opener_make(&made, body);
    } else {
        tw_body_clear(&made);
    }
    if (err != TW_OK) {
        pending->failed = err;
        if (exchange != NULL) {
            tw_exchange_free(*exchange);
            *exchange = NULL;
        }
    }
    return err;
}
