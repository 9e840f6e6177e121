/* SPDX-License-Identifier: Apache-2.0 */
#include <twoway/ohttp.h>

#include <string.h>

#include "message/message.h"

/* RFC 9458 section 3: key_id, kem_id, public key, length, { kdf_id, aead_id }+. */
#define KEM_END  3
#define PAIR_LEN 4

static void parse_pairs(const uint8_t *in, size_t len, tw_config *out)
{
    size_t count = len / PAIR_LEN;

    out->symmetric_count = count < TW_MAX_SYMMETRIC ? count : TW_MAX_SYMMETRIC;
    for (size_t i = 0; i < out->symmetric_count; i++) {
        out->symmetric[i].kdf_id = tw_load16(in + i * PAIR_LEN);
        out->symmetric[i].aead_id = tw_load16(in + i * PAIR_LEN + 2);
    }
}

/* One configuration that takes up `in` exactly. *known is false for a KEM whose
 * key length nobody here knows, so that it can only be skipped. */
static tw_err parse_one(const uint8_t *in, size_t in_len, tw_config *out, bool *known)
{
    const tw_dh_alg *alg;
    size_t at = KEM_END;
    size_t pairs_len;

    memset(out, 0, sizeof(*out));
    *known = false;
    if (in_len < KEM_END) {
        return TW_ERR_FORMAT;
    }
    out->key_id = in[0];
    out->kem_id = tw_load16(in + 1);
    alg = tw_dh_alg_find(out->kem_id);
    if (alg == NULL) {
        return TW_OK;
    }
    if (in_len < at + alg->public_len + 2) {
        return TW_ERR_FORMAT;
    }
    out->public_len = alg->public_len;
    memcpy(out->public_key, in + at, alg->public_len);
    at += alg->public_len;
    pairs_len = tw_load16(in + at);
    at += 2;
    if (pairs_len == 0 || pairs_len % PAIR_LEN != 0 || pairs_len != in_len - at) {
        return TW_ERR_FORMAT;
    }
    parse_pairs(in + at, pairs_len, out);
    *known = true;
    return TW_OK;
}

/* Whether length prefixes lead exactly to the end. */
static bool is_list(const uint8_t *in, size_t in_len)
{
    size_t at = 0;

    while (in_len - at >= 2) {
        size_t len = tw_load16(in + at);

        if (len > in_len - at - 2) {
            return false;
        }
        at += 2 + len;
    }
    return at == in_len;
}

/* Parses into configs[*count], or only counts where that is beyond `cap`. */
static tw_err take_one(const uint8_t *in, size_t in_len, tw_config *configs, size_t cap,
                       size_t *count)
{
    tw_config config;
    bool known;
    tw_err err = parse_one(in, in_len, &config, &known);

    if (err == TW_OK && known) {
        if (*count < cap) {
            configs[*count] = config;
        }
        (*count)++;
    }
    return err;
}

tw_err tw_config_decode(const uint8_t *in, size_t in_len, tw_config *configs, size_t cap,
                        size_t *count)
{
    size_t at = 0;
    tw_err err = TW_OK;

    if (count == NULL) {
        return TW_ERR_INVALID;
    }
    *count = 0;
    if ((in == NULL && in_len > 0) || (configs == NULL && cap > 0)) {
        return TW_ERR_INVALID;
    }
    if (in_len == 0) {
        return TW_ERR_FORMAT;
    }
    if (!is_list(in, in_len)) {
        err = take_one(in, in_len, configs, cap, count);
        at = in_len;
    }
    while (err == TW_OK && at < in_len) {
        size_t len = tw_load16(in + at);

        err = take_one(in + at + 2, len, configs, cap, count);
        at += 2 + len;
    }
    if (err != TW_OK) {
        *count = 0;
        return err;
    }
    return *count > cap ? TW_ERR_SPACE : TW_OK;
}

static tw_err encoded_len(const tw_config *config, size_t *len)
{
    const tw_dh_alg *alg = tw_dh_alg_find(config->kem_id);

    if (alg == NULL || config->public_len != alg->public_len || config->symmetric_count == 0 ||
        config->symmetric_count > TW_MAX_SYMMETRIC) {
        return TW_ERR_INVALID;
    }
    *len = KEM_END + config->public_len + 2 + PAIR_LEN * config->symmetric_count;
    return TW_OK;
}

static uint8_t *encode_one(const tw_config *config, uint8_t *out)
{
    out[0] = config->key_id;
    tw_store16(out + 1, config->kem_id);
    out += KEM_END;
    memcpy(out, config->public_key, config->public_len);
    out += config->public_len;
    tw_store16(out, (uint16_t)(PAIR_LEN * config->symmetric_count));
    out += 2;
    for (size_t i = 0; i < config->symmetric_count; i++) {
        tw_store16(out, config->symmetric[i].kdf_id);
        tw_store16(out + 2, config->symmetric[i].aead_id);
        out += PAIR_LEN;
    }
    return out;
}

tw_err tw_config_encode(const tw_config *configs, size_t count, bool bare, uint8_t *out,
                        size_t out_cap, size_t *out_len)
{
    size_t need = 0, len = 0;

    if (out_len == NULL) {
        return TW_ERR_INVALID;
    }
    *out_len = 0;
    if (configs == NULL || count == 0 || (bare && count != 1)) {
        return TW_ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (encoded_len(&configs[i], &len) != TW_OK) {
            return TW_ERR_INVALID;
        }
        need += len + (bare ? 0 : 2);
    }
    *out_len = need;
    if (out == NULL || out_cap < need) {
        return TW_ERR_SPACE;
    }
    for (size_t i = 0; i < count; i++) {
        if (!bare && encoded_len(&configs[i], &len) == TW_OK) {
            tw_store16(out, (uint16_t)len);
            out += 2;
        }
        out = encode_one(&configs[i], out);
    }
    return TW_OK;
}

/* TW_ERR_INVALID: not by this provider. */
static tw_err serve(const tw_config *config, const tw_symmetric *pair, const tw_provider *provider)
{
    tw_suite *suite;
    tw_err err = tw_suite_new(config->kem_id, pair->kdf_id, pair->aead_id, provider, &suite);

    if (err == TW_OK) {
        err = tw_suite_fits(suite);
    }
    tw_suite_free(suite);
    return err;
}

tw_err tw_config_choose(const tw_config *configs, size_t count, const tw_provider *provider,
                        size_t *index, tw_header *suite)
{
    if (index == NULL || suite == NULL || (configs == NULL && count > 0)) {
        return TW_ERR_INVALID;
    }
    *index = 0;
    *suite = (tw_header){0};
    for (size_t i = 0; i < count; i++) {
        const tw_config *config = &configs[i];

        for (size_t j = 0; j < config->symmetric_count && j < TW_MAX_SYMMETRIC; j++) {
            const tw_symmetric *pair = &config->symmetric[j];

            tw_err err = serve(config, pair, provider);

            if (err == TW_OK) {
                *index = i;
                *suite = (tw_header){config->key_id, config->kem_id, pair->kdf_id, pair->aead_id};
                return TW_OK;
            }
            if (err != TW_ERR_INVALID) { /* a worse pair is not chosen for want of memory */
                return err;
            }
        }
    }
    return TW_ERR_KEY;
}
