/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>

tw_err tw_hash_init(tw_hash *hash, const tw_kdf_alg *alg, const tw_provider *provider)
{
    memset(hash, 0, sizeof(*hash));
    hash->alg = alg;
    hash->properties = provider->properties;
    hash->md = EVP_MD_fetch(provider->libctx, alg->digest, provider->properties);
    if (hash->md != NULL && provider->properties != NULL) { /* which then fetches the digest too */
        hash->kdf = EVP_KDF_fetch(provider->libctx, "HKDF", provider->properties);
    }
    if (hash->md == NULL || (provider->properties != NULL && hash->kdf == NULL)) {
        tw_hash_clear(hash);
        return TW_ERR_CRYPTO;
    }
    return TW_OK;
}

void tw_hash_clear(tw_hash *hash)
{
    EVP_MD_CTX *ctx;

    while ((ctx = tw_slots_take(&hash->contexts)) != NULL) {
        EVP_MD_CTX_free(ctx);
    }
    EVP_MD_free(hash->md);
    EVP_KDF_free(hash->kdf);
    hash->md = NULL;
    hash->kdf = NULL;
}

tw_err tw_hmac_begin(const tw_hash *hash, tw_hmac *out)
{
    *out = (tw_hmac){.hash = hash};
    if (hash->kdf != NULL) {
        out->kdf = EVP_KDF_CTX_new(hash->kdf);
        return out->kdf == NULL ? TW_ERR_MEMORY : TW_OK;
    }
    out->ctx = tw_slots_take(&hash->contexts);
    if (out->ctx == NULL) {
        out->ctx = EVP_MD_CTX_new();
    }
    return out->ctx == NULL ? TW_ERR_MEMORY : TW_OK;
}

/* An idle context holds nothing of what it hashed: beginning anew overwrites the state, and
 * zeros all of the block that is not its length. Both cost less than a reset, after which
 * libcrypto allocates again. */
static bool forget(const tw_hmac *hmac)
{
    static const uint8_t zeros[TW_MAX_BLOCK];

    return EVP_DigestInit_ex2(hmac->ctx, hmac->hash->md, NULL) == 1 &&
           EVP_DigestUpdate(hmac->ctx, zeros, hmac->hash->alg->block_len - 1) == 1;
}

void tw_hmac_end(tw_hmac *hmac)
{
    if (hmac->ctx != NULL &&
        (!forget(hmac) || !tw_slots_give(&hmac->hash->contexts, hmac->ctx))) {
        EVP_MD_CTX_free(hmac->ctx);
    }
    EVP_KDF_CTX_free(hmac->kdf);
    hmac->ctx = NULL;
    hmac->kdf = NULL;
}

/* What is to be hashed, put together: a call to EVP for each piece would cost more than the
 * hash of most. */
typedef struct gathered {
    EVP_MD_CTX *ctx;
    size_t len, most; /* bytes held now, and at most so far */
    uint8_t bytes[512];
} gathered;

static bool hash_gathered(gathered *g)
{
    size_t len = g->len;

    g->most = len > g->most ? len : g->most;
    g->len = 0;
    return len == 0 || EVP_DigestUpdate(g->ctx, g->bytes, len) == 1;
}

static bool gather(gathered *g, const tw_piece *piece)
{
    if (piece->len > sizeof(g->bytes) - g->len && !hash_gathered(g)) {
        return false;
    }
    if (piece->len > sizeof(g->bytes)) {
        return EVP_DigestUpdate(g->ctx, piece->data, piece->len) == 1;
    }
    tw_copy(g->bytes + g->len, piece->data, piece->len);
    g->len += piece->len;
    return true;
}

/* RFC 2104: one of the two passes, over the padded key XOR `pad` and the pieces. */
static bool hmac_pass(tw_hmac *hmac, const uint8_t *key, size_t key_len, uint8_t pad,
                      const tw_piece *pieces, size_t count, uint8_t *out)
{
    gathered g;
    bool ok;

    g.ctx = hmac->ctx;
    g.most = 0;
    g.len = hmac->hash->alg->block_len;
    memset(g.bytes, pad, g.len);
    for (size_t i = 0; i < key_len; i++) {
        g.bytes[i] ^= key[i];
    }
    ok = EVP_DigestInit_ex2(hmac->ctx, hmac->hash->md, NULL) == 1;
    for (size_t i = 0; ok && i < count; i++) {
        ok = gather(&g, &pieces[i]);
    }
    ok = ok && hash_gathered(&g) && EVP_DigestFinal_ex(hmac->ctx, out, NULL) == 1;
    tw_wipe(g.bytes, g.len > g.most ? g.len : g.most);
    return ok;
}

/* RFC 2104 section 2. A key longer than a block is hashed. */
static tw_err hmac_of(tw_hmac *hmac, const uint8_t *key, size_t key_len, const tw_piece *pieces,
                      size_t count, uint8_t *out)
{
    size_t hash_len = hmac->hash->alg->hash_len;
    uint8_t hashed[TW_MAX_HASH], inner[TW_MAX_HASH];
    tw_piece second = {inner, hash_len};
    bool ok = true;

    if (key_len > hmac->hash->alg->block_len) {
        ok = EVP_DigestInit_ex2(hmac->ctx, hmac->hash->md, NULL) == 1 &&
             EVP_DigestUpdate(hmac->ctx, key, key_len) == 1 &&
             EVP_DigestFinal_ex(hmac->ctx, hashed, NULL) == 1;
        key = hashed;
        key_len = hash_len;
    }
    ok = ok && hmac_pass(hmac, key, key_len, 0x36, pieces, count, inner) &&
         hmac_pass(hmac, key, key_len, 0x5c, &second, 1, out);
    tw_wipe(inner, hash_len);
    if (key == hashed) {
        tw_wipe(hashed, hash_len);
    }
    return ok ? TW_OK : TW_ERR_CRYPTO;
}

tw_err tw_hkdf_extract(tw_hmac *hmac, const uint8_t *salt, size_t salt_len, const tw_piece *ikm,
                       size_t ikm_count, uint8_t *prk)
{
    if (hmac->kdf != NULL) {
        return tw_provider_extract(hmac, salt, salt_len, ikm, ikm_count, prk);
    }
    return hmac_of(hmac, salt, salt_len, ikm, ikm_count, prk);
}

#define MAX_INFO_PIECES 8

tw_err tw_hkdf_expand(tw_hmac *hmac, const uint8_t *prk, size_t prk_len, const tw_piece *info,
                      size_t info_count, uint8_t *out, size_t out_len)
{
    size_t hash_len = hmac->hash->alg->hash_len;
    tw_piece pieces[MAX_INFO_PIECES + 2];
    uint8_t block[TW_MAX_HASH];
    uint8_t counter = 1;
    size_t done = 0;
    tw_err err = TW_OK;

    if (info_count > MAX_INFO_PIECES || out_len > 255 * hash_len) {
        return TW_ERR_INVALID;
    }
    if (hmac->kdf != NULL) {
        return tw_provider_expand(hmac, prk, prk_len, info, info_count, out, out_len);
    }
    pieces[0] = (tw_piece){block, 0}; /* T(0) is empty, RFC 5869 section 2.3 */
    tw_copy(pieces + 1, info, info_count * sizeof(*info));
    pieces[info_count + 1] = (tw_piece){&counter, 1};
    while (err == TW_OK && done < out_len) {
        size_t take = out_len - done < hash_len ? out_len - done : hash_len;

        err = hmac_of(hmac, prk, prk_len, pieces, info_count + 2, block);
        if (err == TW_OK) {
            memcpy(out + done, block, take);
        }
        pieces[0].len = hash_len;
        counter++;
        done += take;
    }
    tw_wipe(block, sizeof(block));
    if (err != TW_OK) {
        tw_wipe(out, out_len);
    }
    return err;
}
