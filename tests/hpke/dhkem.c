/* SPDX-License-Identifier: Apache-2.0 */
/* kem.h's parts of DHKEM for back-ends that do only the Diffie-Hellman, or some of the
 * KDF. libcrypto's own HMAC and HKDF say what they must add up to. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <string.h>

#include <twoway/kem.h>

#include "bytes.h"
#include "check.h"
#include "inject.h"
#include "peers.h"

static const struct {
    const char *digest;
    size_t dh_len;
} kems[] = {{"SHA256", 32}, {"SHA384", 48}, {"SHA512", 66}, {"SHA256", 32}, {"SHA512", 56}};

#define KEMS (sizeof(kems) / sizeof(kems[0]))

typedef struct parts {
    tw_kem *kem;
    bytes dh, enc, pk, sender; /* sender is bytes_none without auth */
} parts;

static parts start(size_t i, bool auth)
{
    parts p = {.kem = NULL};

    check_note("with %s%s", tw_kem_name(all_kems[i]), auth ? " and a sender" : "");
    must_ok(tw_kem_new(all_kems[i], NULL, &p.kem));
    p.dh = bytes_noise(kems[i].dh_len * (auth ? 2 : 1), 1);
    p.enc = bytes_noise(p.kem->enc_len, 2);
    p.pk = bytes_noise(p.kem->public_len, 3);
    p.sender = auth ? bytes_noise(p.kem->public_len, 4) : bytes_none;
    return p;
}

static bytes secret_of(const parts *p)
{
    bytes secret = bytes_new(p->kem->secret_len);

    must_ok(tw_dhkem_secret(p->kem, p->dh.data, p->dh.len, p->enc.data, p->pk.data, p->sender.data,
                            secret.data));
    return secret;
}

/* RFC 5869 section 2.2 with no salt, over prefix || dh. */
static bytes extracted(const char *digest, bytes prefix, bytes dh)
{
    static const uint8_t zeros[64];
    const EVP_MD *md = EVP_get_digestbyname(digest);
    bytes ikm = bytes_cat(prefix, dh), prk = bytes_new((size_t)EVP_MD_get_size(md));

    must(HMAC(md, zeros, (int)prk.len, ikm.data, ikm.len, prk.data, NULL) != NULL);
    return prk;
}

/* Section 2.3, by libcrypto. */
static bytes expanded(const char *digest, bytes prk, bytes info)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, prk.data, prk.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data, info.len),
        OSSL_PARAM_construct_end(),
    };
    bytes out = bytes_new(prk.len);

    must(EVP_KDF_derive(ctx, out.data, out.len, params) == 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return out;
}

static bytes prefix_of(const parts *p)
{
    size_t need = 0, len = 0;
    bytes out;

    must_err(TW_ERR_SPACE, tw_dhkem_prefix(p->kem, NULL, 0, &need));
    out = bytes_new(need);
    must_err(TW_ERR_SPACE, tw_dhkem_prefix(p->kem, out.data, need - 1, &len));
    must_size(need, len);
    must_ok(tw_dhkem_prefix(p->kem, out.data, need, &len));
    must_size(need, len);
    return out;
}

static bytes info_of(const parts *p)
{
    size_t need = 0, len = 0;
    bytes out;

    must_err(TW_ERR_SPACE,
             tw_dhkem_info(p->kem, p->enc.data, p->pk.data, p->sender.data, NULL, 0, &need));
    out = bytes_new(need);
    must_err(TW_ERR_SPACE, tw_dhkem_info(p->kem, p->enc.data, p->pk.data, p->sender.data, out.data,
                                         need - 1, &len));
    must_size(need, len);
    must_ok(tw_dhkem_info(p->kem, p->enc.data, p->pk.data, p->sender.data, out.data, need, &len));
    must_size(need, len);
    return out;
}

Test(dhkem, prefix_extract_and_expand_add_up_to_the_secret)
{
    for (size_t i = 0; i < 2 * KEMS; i++) {
        parts p = start(i / 2, i % 2 == 1);
        const char *digest = kems[i / 2].digest;
        bytes prk = extracted(digest, prefix_of(&p), p.dh), on_host = bytes_new(p.kem->secret_len);

        must_ok(tw_dhkem_expand(p.kem, prk.data, prk.len, p.enc.data, p.pk.data, p.sender.data,
                                on_host.data));
        must_bytes(secret_of(&p), on_host);
        must_bytes(secret_of(&p), expanded(digest, prk, info_of(&p)));
        tw_kem_free(p.kem);
    }
}

Test(dhkem, prefix_and_info_are_those_of_rfc_9180)
{
    parts p = start(3, false);

    /* "HPKE-v1" "KEM" 0020 "eae_prk"; 0020 "HPKE-v1" "KEM" 0020 "shared_secret" enc pk */
    must_bytes(bytes_hex("48504b452d76314b454d00206561655f70726b"), prefix_of(&p));
    must_bytes(bytes_cat(bytes_hex("002048504b452d76314b454d0020"
                                   "7368617265645f736563726574"),
                         bytes_cat(p.enc, p.pk)),
               info_of(&p));
    tw_kem_free(p.kem);
}

Test(dhkem, every_input_counts)
{
    parts p = start(0, true);
    bytes *inputs[] = {&p.dh, &p.enc, &p.pk, &p.sender};
    bytes secret = secret_of(&p);

    for (size_t i = 0; i < 4; i++) {
        inputs[i]->data[inputs[i]->len - 1] ^= 1;
        must(!bytes_equal(secret, secret_of(&p)));
        inputs[i]->data[inputs[i]->len - 1] ^= 1;
    }
    must_bytes(secret, secret_of(&p));
    tw_kem_free(p.kem);
}

Test(dhkem, a_kem_object_of_ones_own_with_a_known_id_gives_the_same)
{
    for (size_t i = 0; i < KEMS; i++) {
        parts p = start(i, false), q = p;
        watched_kem kem;

        watched_kem_start(&kem, p.kem);
        q.kem = &kem.base;
        must_bytes(secret_of(&p), secret_of(&q));
        must_bytes(prefix_of(&p), prefix_of(&q));
        must_bytes(info_of(&p), info_of(&q));
        kem.base.id = 0x0030;
        must_err(TW_ERR_INVALID, tw_dhkem_secret(q.kem, q.dh.data, q.dh.len, q.enc.data, q.pk.data,
                                                 NULL, bytes_new(64).data));
        kem.base.id = p.kem->id;
        kem.base.enc_len++;
        must_err(TW_ERR_INVALID, tw_dhkem_secret(q.kem, q.dh.data, q.dh.len, q.enc.data, q.pk.data,
                                                 NULL, bytes_new(64).data));
        tw_kem_free(p.kem);
    }
}

Test(dhkem, an_all_zero_output_of_x25519_and_x448_is_malformed_and_of_a_nist_curve_is_not)
{
    for (size_t i = 0; i < 2 * KEMS; i++) {
        parts p = start(i / 2, i % 2 == 1);
        size_t half = kems[i / 2].dh_len;
        tw_err want = i / 2 < 3 ? TW_OK : TW_ERR_FORMAT;
        uint8_t secret[TW_MAX_SECRET];

        for (size_t at = 0; at < p.dh.len; at += half) {
            p.dh = bytes_noise(p.dh.len, 1);
            memset(p.dh.data + at, 0, half);
            must_err(want, tw_dhkem_secret(p.kem, p.dh.data, p.dh.len, p.enc.data, p.pk.data,
                                           p.sender.data, secret));
            p.dh.data[at + half - 1] = 1;
            must_ok(tw_dhkem_secret(p.kem, p.dh.data, p.dh.len, p.enc.data, p.pk.data,
                                    p.sender.data, secret));
        }
        tw_kem_free(p.kem);
    }
}

Test(dhkem, arguments_out_of_range_are_invalid)
{
    for (size_t i = 0; i < 2 * KEMS; i++) {
        parts p = start(i / 2, i % 2 == 1);
        const uint8_t *sender = p.sender.data;
        bytes prk = bytes_noise(p.kem->secret_len + 1, 1);
        uint8_t out[TW_MAX_SECRET];
        size_t len = 1, dh_len = p.dh.len;

        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, p.dh.data, dh_len - 1, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, p.dh.data, 0, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID, tw_dhkem_secret(p.kem, bytes_noise(3 * dh_len, 1).data, 3 * dh_len,
                                                 p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(NULL, p.dh.data, dh_len, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, NULL, dh_len, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, p.dh.data, dh_len, NULL, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, p.dh.data, dh_len, p.enc.data, NULL, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_secret(p.kem, p.dh.data, dh_len, p.enc.data, p.pk.data, sender, NULL));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_expand(p.kem, prk.data, prk.len, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID,
                 tw_dhkem_expand(p.kem, prk.data, prk.len - 2, p.enc.data, p.pk.data, sender, out));
        must_err(TW_ERR_INVALID, tw_dhkem_prefix(NULL, out, sizeof(out), &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID, tw_dhkem_prefix(p.kem, out, sizeof(out), NULL));
        len = 1;
        must_err(TW_ERR_INVALID, tw_dhkem_info(NULL, p.enc.data, p.pk.data, sender, out, 64, &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID,
                 tw_dhkem_info(p.kem, p.enc.data, p.pk.data, sender, out, 64, NULL));
        tw_kem_free(p.kem);
    }
}
