/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <endian.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* EVP counts in int; a multiple of every cipher's block. */
#define EVP_MOST ((size_t)1 << 30)

tw_err tw_cipher_init(tw_cipher *cipher, const tw_aead_alg *alg, const tw_provider *provider)
{
    memset(cipher, 0, sizeof(*cipher));
    cipher->alg = alg;
    cipher->by_query = provider->properties != NULL;
    cipher->cipher = EVP_CIPHER_fetch(provider->libctx, alg->cipher, provider->properties);
    return cipher->cipher == NULL ? tw_fetch_failed() : TW_OK;
}

void tw_cipher_clear(tw_cipher *cipher)
{
    EVP_CIPHER_CTX *ctx;

    for (size_t i = 0; i < TW_COUNT(cipher->contexts); i++) {
        while ((ctx = tw_slots_take(&cipher->contexts[i])) != NULL) {
            EVP_CIPHER_CTX_free(ctx);
        }
    }
    EVP_CIPHER_free(cipher->cipher);
    cipher->cipher = NULL;
}

void tw_aead_init(tw_aead *aead, const tw_cipher *cipher, bool sealing, const uint8_t *key,
                  const uint8_t *nonce)
{
    memset(aead, 0, sizeof(*aead));
    aead->cipher = cipher;
    aead->sealing = sealing;
    aead->by_query = cipher->by_query;
    aead->end = UINT64_MAX;
    aead->max_len = cipher->alg->max_len;
    memcpy(aead->key, key, cipher->alg->key_len);
    memcpy(aead->base, nonce, sizeof(aead->base));
}

static EVP_CIPHER_CTX *take_context(const tw_cipher *cipher, bool sealing)
{
    EVP_CIPHER_CTX *ctx = tw_slots_take(&cipher->contexts[sealing]);

    if (ctx == NULL && (ctx = EVP_CIPHER_CTX_new()) != NULL &&
        EVP_CipherInit_ex2(ctx, cipher->cipher, NULL, NULL, sealing, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* An idle context keeps nothing: a key and nonce of zeros overwrite what there was, with GCM
 * all of it. Of ChaCha20's last block of keystream libcrypto keeps what was not used, which
 * the new one overwrites when a byte is taken of it. */
static bool forget(const tw_aead *aead)
{
    static const uint8_t zeros[TW_MAX_AEAD_KEY];
    uint8_t byte = 0;
    int written;

    return EVP_CipherInit_ex2(aead->ctx, NULL, zeros, zeros, aead->sealing, NULL) == 1 &&
           (aead->cipher->alg->id != TW_AEAD_CHACHA20_POLY1305 ||
            EVP_CipherUpdate(aead->ctx, &byte, &written, &byte, 1) == 1);
}

void tw_aead_clear(tw_aead *aead)
{
    if (aead->ctx != NULL &&
        (!forget(aead) || !tw_slots_give(&aead->cipher->contexts[aead->sealing], aead->ctx))) {
        EVP_CIPHER_CTX_free(aead->ctx);
    }
    tw_wipe(aead, sizeof(*aead));
}

void tw_aead_lend(const tw_aead *aead, tw_aead *out)
{
    tw_aead_init(out, aead->cipher, aead->sealing, aead->key, aead->base);
    out->end = 0;
}

tw_err tw_aead_reserve(tw_aead *aead, uint64_t count, uint64_t *first)
{
    if (aead->seq > aead->end || count > aead->end - aead->seq) {
        return TW_ERR_LIMIT;
    }
    *first = aead->seq;
    aead->seq += count;
    return TW_OK;
}

void tw_aead_assign(tw_aead *lent, uint64_t first, uint64_t count)
{
    lent->seq = first;
    lent->end = first + count;
}

/* RFC 9180 section 5.2, ComputeNonce. The key is installed once, with the first message;
 * each then sets only its nonce. */
static bool begin(tw_aead *aead)
{
    bool first = aead->ctx == NULL;
    const size_t fixed = TW_NONCE_LEN - sizeof(aead->seq);
    uint64_t end;

    if (first && (aead->ctx = take_context(aead->cipher, aead->sealing)) == NULL) {
        return false;
    }
    memcpy(&end, aead->base + fixed, sizeof(end));
    end ^= htobe64(aead->seq);
    memcpy(aead->nonce, aead->base, fixed);
    memcpy(aead->nonce + fixed, &end, sizeof(end));
    if (EVP_CipherInit_ex2(aead->ctx, NULL, first ? aead->key : NULL, aead->nonce, aead->sealing,
                           NULL) != 1) {
        EVP_CIPHER_CTX_free(aead->ctx); /* it may be without the key */
        aead->ctx = NULL;
        return false;
    }
    return true;
}

static bool feed(tw_aead *aead, const uint8_t *in, size_t in_len, uint8_t *out)
{
    while (in_len > 0) {
        size_t take = in_len < EVP_MOST ? in_len : EVP_MOST;
        int written = 0;

        if (EVP_CipherUpdate(aead->ctx, out, &written, in, (int)take) != 1) {
            return false;
        }
        in += take;
        in_len -= take;
        out = out == NULL ? NULL : out + take;
    }
    return true;
}

static bool seal_end(tw_aead *aead, uint8_t *tag)
{
    /* Which is what EVP_CIPHER_CTX_ctrl comes to in the end. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TW_TAG_LEN),
        OSSL_PARAM_END,
    };
    int written = 0;

    return EVP_CipherFinal_ex(aead->ctx, tag, &written) == 1 &&
           EVP_CIPHER_CTX_get_params(aead->ctx, params) == 1;
}

tw_err tw_aead_seal(tw_aead *aead, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out)
{
    if (!aead->sealing || aead->streaming) {
        return TW_ERR_STATE;
    }
    if (aead->seq >= aead->end || in_len > aead->max_len) {
        return TW_ERR_LIMIT;
    }
    if (!begin(aead) || !feed(aead, aad, aad_len, NULL) || !feed(aead, in, in_len, out) ||
        !seal_end(aead, out + in_len)) {
        tw_wipe(out, in_len + TW_TAG_LEN);
        return TW_ERR_CRYPTO;
    }
    aead->seq++;
    return TW_OK;
}

/* libcrypto's own ciphers say of a wrong tag nothing but that it is wrong, and marking the
 * error queue costs as much as a small chunk; what another provider says is dropped. */
static bool is_authentic(tw_aead *aead)
{
    uint8_t none;
    int written = 0;
    bool authentic;

    if (!aead->by_query) {
        return EVP_CipherFinal_ex(aead->ctx, &none, &written) == 1;
    }
    ERR_set_mark();
    authentic = EVP_CipherFinal_ex(aead->ctx, &none, &written) == 1;
    ERR_pop_to_mark();
    return authentic;
}

static tw_err open_body(tw_aead *aead, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                        size_t text_len, uint8_t *out)
{
    uint8_t tag[TW_TAG_LEN];

    memcpy(tag, in + text_len, sizeof(tag));
    if (!begin(aead) || !feed(aead, aad, aad_len, NULL) || !feed(aead, in, text_len, out) ||
        EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_SET_TAG, TW_TAG_LEN, tag) != 1) {
        return TW_ERR_CRYPTO;
    }
    return is_authentic(aead) ? TW_OK : TW_ERR_AUTH;
}

tw_err tw_aead_open(tw_aead *aead, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out)
{
    tw_err err;

    if (aead->sealing) {
        return TW_ERR_STATE;
    }
    if (in_len < TW_TAG_LEN) {
        return TW_ERR_AUTH;
    }
    if (aead->seq >= aead->end || in_len - TW_TAG_LEN > aead->max_len) {
        return TW_ERR_LIMIT;
    }
    err = open_body(aead, aad, aad_len, in, in_len - TW_TAG_LEN, out);
    if (err != TW_OK) {
        tw_wipe(out, in_len - TW_TAG_LEN);
        return err;
    }
    aead->seq++;
    return TW_OK;
}

tw_err tw_aead_seal_update(tw_aead *aead, const uint8_t *in, size_t in_len, uint8_t *out)
{
    if (!aead->sealing) {
        return TW_ERR_STATE;
    }
    if (aead->seq >= aead->end || in_len > aead->max_len - aead->streamed) {
        return TW_ERR_LIMIT;
    }
    if ((!aead->streaming && !begin(aead)) || !feed(aead, in, in_len, out)) {
        tw_wipe(out, in_len);
        return TW_ERR_CRYPTO;
    }
    aead->streaming = true;
    aead->streamed += in_len;
    return TW_OK;
}

tw_err tw_aead_seal_final(tw_aead *aead, uint8_t *tag)
{
    if (!aead->sealing || !aead->streaming) {
        return TW_ERR_STATE;
    }
    if (!seal_end(aead, tag)) {
        return TW_ERR_CRYPTO;
    }
    aead->streaming = false;
    aead->streamed = 0;
    aead->seq++;
    return TW_OK;
}
