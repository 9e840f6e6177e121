/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>

/* RFC 2104 section 2. */
static const uint8_t pads[2] = {0x36, 0x5c};

/* A context that has hashed one block of `pad`, or nothing. */
static EVP_MD_CTX *begun(const EVP_MD *md, const uint8_t *pad)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t block[TW_MAX_BLOCK];
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

    if (ok && pad != NULL) {
        memset(block, *pad, sizeof(block));
        ok = EVP_DigestUpdate(ctx, block, (size_t)EVP_MD_get_block_size(md)) == 1;
    }
    if (!ok) {
        EVP_MD_CTX_free(ctx);
    }
    return ok ? ctx : NULL;
}

static tw_err begin_contexts(tw_hash *hash, const EVP_MD *md)
{
    hash->fresh = begun(md, NULL);
    hash->no_key[0] = begun(md, &pads[0]);
    hash->no_key[1] = begun(md, &pads[1]);
    return hash->fresh == NULL || hash->no_key[0] == NULL || hash->no_key[1] == NULL ? TW_ERR_MEMORY
                                                                                     : TW_OK;
}

tw_err tw_hash_init(tw_hash *hash, const tw_kdf_alg *alg, const tw_provider *provider)
{
    EVP_MD *md = EVP_MD_fetch(provider->libctx, alg->digest, provider->properties);
    tw_err err = TW_OK;

    memset(hash, 0, sizeof(*hash));
    hash->alg = alg;
    hash->properties = provider->properties;
    if (md != NULL && provider->properties != NULL) { /* which then fetches the digest too */
        hash->kdf = EVP_KDF_fetch(provider->libctx, "HKDF", provider->properties);
    }
    if (md == NULL || (provider->properties != NULL && hash->kdf == NULL)) {
        err = tw_fetch_failed();
    } else if (hash->kdf == NULL) {
        err = begin_contexts(hash, md);
    }
    EVP_MD_free(md);
    if (err != TW_OK) {
        tw_hash_clear(hash);
    }
    return err;
}

void tw_hash_clear(tw_hash *hash)
{
    EVP_MD_CTX *ctx;

    while ((ctx = tw_slots_take(&hash->contexts)) != NULL) {
        EVP_MD_CTX_free(ctx);
    }
    EVP_MD_CTX_free(hash->fresh);
    EVP_MD_CTX_free(hash->no_key[0]);
    EVP_MD_CTX_free(hash->no_key[1]);
    EVP_KDF_free(hash->kdf);
    hash->fresh = hash->no_key[0] = hash->no_key[1] = NULL;
    hash->kdf = NULL;
}

tw_err tw_hmac_begin(const tw_hash *hash, tw_hmac *out)
{
    out->hash = hash;
    out->ctx = NULL;
    out->kdf = NULL;
    out->len = out->most = 0;
    out->fresh = false;
    if (hash->kdf != NULL) {
        out->kdf = EVP_KDF_CTX_new(hash->kdf);
        return out->kdf == NULL ? TW_ERR_MEMORY : TW_OK;
    }
    out->ctx = tw_slots_take(&hash->contexts);
    out->fresh = out->ctx != NULL;
    if (out->ctx == NULL) {
        out->ctx = EVP_MD_CTX_new();
    }
    return out->ctx == NULL ? TW_ERR_MEMORY : TW_OK;
}

/* An idle context holds nothing of what it hashed: the copy overwrites all of it. A reset
 * would write to the digest that all threads share. */
void tw_hmac_end(tw_hmac *hmac)
{
    if (hmac->ctx != NULL && (EVP_MD_CTX_copy_ex(hmac->ctx, hmac->hash->fresh) != 1 ||
                              !tw_slots_give(&hmac->hash->contexts, hmac->ctx))) {
        EVP_MD_CTX_free(hmac->ctx);
    }
    EVP_KDF_CTX_free(hmac->kdf);
    if (hmac->most > 0) {
        tw_wipe(hmac->last, sizeof(hmac->last));
        tw_wipe(hmac->bytes, hmac->most);
    }
    hmac->ctx = NULL;
    hmac->kdf = NULL;
}

/* What a failed copy leaves cannot be copied to: OpenSSL 3.5 would write to NULL. */
static bool continue_from(tw_hmac *hmac, const EVP_MD_CTX *from)
{
    bool there = hmac->fresh && from == hmac->hash->fresh;

    hmac->fresh = false;
    if (there || (hmac->ctx != NULL && EVP_MD_CTX_copy_ex(hmac->ctx, from) == 1)) {
        return true;
    }
    EVP_MD_CTX_free(hmac->ctx);
    hmac->ctx = NULL;
    return false;
}

/* What is to be hashed is put together: a call to EVP for each piece would cost more than
 * the hash of most. */
static bool hash_gathered(tw_hmac *hmac)
{
    size_t len = hmac->len;

    hmac->most = len > hmac->most ? len : hmac->most;
    hmac->len = 0;
    return len == 0 || EVP_DigestUpdate(hmac->ctx, hmac->bytes, len) == 1;
}

static bool gather(tw_hmac *hmac, const tw_piece *piece)
{
    if (piece->len > sizeof(hmac->bytes) - hmac->len) {
        if (!hash_gathered(hmac)) {
            return false;
        }
        if (piece->len > sizeof(hmac->bytes)) {
            return EVP_DigestUpdate(hmac->ctx, piece->data, piece->len) == 1;
        }
    }
    tw_copy(hmac->bytes + hmac->len, piece->data, piece->len);
    hmac->len += piece->len;
    return true;
}

/* The padded key XOR the pad, a word at a time. */
static void put_key(tw_hmac *hmac, const uint8_t *key, size_t key_len, uint8_t pad)
{
    uint64_t word, key_word;
    size_t i = 0;

    hmac->len = hmac->hash->alg->block_len;
    memset(hmac->bytes, pad, hmac->len);
    memset(&word, pad, sizeof(word));
    for (; key_len - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&key_word, key + i, sizeof(key_word));
        key_word ^= word;
        memcpy(hmac->bytes + i, &key_word, sizeof(key_word));
    }
    for (; i < key_len; i++) {
        hmac->bytes[i] ^= key[i];
    }
}

/* RFC 2104: the inner pass or the outer, over the padded key XOR the pad and the pieces. */
static bool hmac_pass(tw_hmac *hmac, const uint8_t *key, size_t key_len, size_t which,
                      const tw_piece *pieces, size_t count)
{
    const tw_hash *hash = hmac->hash;

    if (!continue_from(hmac, key_len == 0 ? hash->no_key[which] : hash->fresh)) {
        return false;
    }
    hmac->len = 0;
    if (key_len > 0) {
        put_key(hmac, key, key_len, pads[which]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!gather(hmac, &pieces[i])) {
            return false;
        }
    }
    return hash_gathered(hmac) && EVP_DigestFinal_ex(hmac->ctx, hmac->last, NULL) == 1;
}

/* RFC 2104 section 2, into `last`. A key longer than a block is hashed. */
static tw_err hmac_of(tw_hmac *hmac, const uint8_t *key, size_t key_len, const tw_piece *pieces,
                      size_t count)
{
    size_t hash_len = hmac->hash->alg->hash_len;
    tw_piece inner = {hmac->last, hash_len};
    uint8_t hashed[TW_MAX_HASH];
    bool ok = true;

    if (key_len > hmac->hash->alg->block_len) {
        ok = continue_from(hmac, hmac->hash->fresh) &&
             EVP_DigestUpdate(hmac->ctx, key, key_len) == 1 &&
             EVP_DigestFinal_ex(hmac->ctx, hashed, NULL) == 1;
        key = hashed;
        key_len = hash_len;
    }
    ok = ok && hmac_pass(hmac, key, key_len, 0, pieces, count) &&
         hmac_pass(hmac, key, key_len, 1, &inner, 1);
    if (key == hashed) {
        tw_wipe(hashed, hash_len);
    }
    return ok ? TW_OK : TW_ERR_CRYPTO;
}

tw_err tw_hkdf_extract(tw_hmac *hmac, const uint8_t *salt, size_t salt_len, const tw_piece *ikm,
                       size_t ikm_count, uint8_t *prk)
{
    tw_err err;

    if (hmac->kdf != NULL) {
        return tw_provider_extract(hmac, salt, salt_len, ikm, ikm_count, prk);
    }
    err = hmac_of(hmac, salt, salt_len, ikm, ikm_count);
    if (err == TW_OK) {
        memcpy(prk, hmac->last, hmac->hash->alg->hash_len);
    }
    return err;
}

#define MAX_INFO_PIECES 8

tw_err tw_hkdf_expand(tw_hmac *hmac, const uint8_t *prk, size_t prk_len, const tw_piece *info,
                      size_t info_count, uint8_t *out, size_t out_len)
{
    size_t hash_len = hmac->hash->alg->hash_len;
    tw_piece pieces[MAX_INFO_PIECES + 2];
    uint8_t counter = 0;
    size_t done = 0;
    tw_err err = TW_OK;

    if (info_count > MAX_INFO_PIECES || out_len > 255 * hash_len) {
        return TW_ERR_INVALID;
    }
    if (hmac->kdf != NULL && out_len > 0) { /* EVP_KDF has no empty output */
        return tw_provider_expand(hmac, prk, prk_len, info, info_count, out, out_len);
    }
    pieces[0] = (tw_piece){hmac->last, 0}; /* T(0) is empty, RFC 5869 section 2.3 */
    tw_copy(pieces + 1, info, info_count * sizeof(*info));
    pieces[info_count + 1] = (tw_piece){&counter, 1};
    while (err == TW_OK && done < out_len) {
        size_t take = out_len - done < hash_len ? out_len - done : hash_len;

        counter++;
        err = hmac_of(hmac, prk, prk_len, pieces, info_count + 2);
        if (err == TW_OK) {
            memcpy(out + done, hmac->last, take);
        }
        pieces[0].len = hash_len;
        done += take;
    }
    if (err != TW_OK) {
        tw_wipe(out, out_len);
    }
    return err;
}
