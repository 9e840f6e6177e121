/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

int tw_pem_no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static const tw_dh_alg *alg_of(const EVP_PKEY *pkey)
{
    char group[64];

    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC) {
        return tw_dh_alg_by_group("", EVP_PKEY_get_base_id(pkey));
    }
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1) {
        return NULL;
    }
    return tw_dh_alg_by_group(group, OBJ_txt2nid(group));
}

/* A key that was read has both halves, and they can be asked for: if not, that is libcrypto's
 * trouble. Only their length is the PEM's. */
static tw_err private_bytes(const EVP_PKEY *pkey, const tw_dh_alg *alg, uint8_t *sk)
{
    size_t len = alg->private_len;
    BIGNUM *scalar = NULL;
    bool ok;

    if (!alg->nist) {
        /* Not EVP_PKEY_get_raw_private_key, whose own copy is freed as it is. */
        ok = EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, sk, len, &len) == 1;
    } else {
        ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1;
        len = ok && BN_bn2binpad(scalar, sk, (int)len) == (int)len ? len : 0;
        BN_clear_free(scalar);
    }
    if (!ok) {
        return TW_ERR_CRYPTO;
    }
    return len == alg->private_len ? TW_OK : TW_ERR_FORMAT;
}

/* Always uncompressed, whatever form the PEM had. */
static tw_err public_bytes(const EVP_PKEY *pkey, const tw_dh_alg *alg, uint8_t *pk)
{
    size_t len = 0;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pk,
                                        alg->public_len, &len) != 1) {
        return TW_ERR_CRYPTO;
    }
    return len == alg->public_len ? TW_OK : TW_ERR_FORMAT;
}

/* A query may leave out what reads PEMs: "provider=fips" does, as base has that. */
static bool has_reader(const tw_provider *p)
{
    OSSL_DECODER *decoder = OSSL_DECODER_fetch(p->libctx, "EC", p->properties);

    OSSL_DECODER_free(decoder);
    return decoder != NULL;
}

/* The KEM's algorithm that an AlgorithmIdentifier names: of a NIST curve by its parameters. */
static const tw_dh_alg *alg_named(const ASN1_OBJECT *object, const X509_ALGOR *algor)
{
    const void *curve = NULL;
    int type = V_ASN1_UNDEF;
    const tw_dh_alg *alg;

    if (OBJ_obj2nid(object) != NID_X9_62_id_ecPublicKey) {
        alg = tw_dh_alg_by_group("", OBJ_obj2nid(object));
        return alg != NULL && alg->nist ? NULL : alg;
    }
    X509_ALGOR_get0(NULL, &type, &curve, algor);
    alg = type == V_ASN1_OBJECT ? tw_dh_alg_by_group("", OBJ_obj2nid(curve)) : NULL;
    return alg != NULL && alg->nist ? alg : NULL;
}

static tw_err check_point(const tw_group *group, const uint8_t *in, size_t in_len)
{
    EC_POINT *point;
    tw_err err;

    if (!group->alg->nist) {
        return in_len == group->alg->public_len ? TW_OK : TW_ERR_KEY;
    }
    point = EC_POINT_new(group->curve);
    if (point == NULL) {
        return TW_ERR_MEMORY;
    }
    err = EC_POINT_oct2point(group->curve, point, in, in_len, NULL) == 1 ? TW_OK : TW_ERR_KEY;
    EC_POINT_free(point);
    return err;
}

tw_err tw_pem_undecoded(const X509_PUBKEY *pub, const tw_provider *p, tw_err err)
{
    ASN1_OBJECT *object = NULL;
    X509_ALGOR *algor = NULL;
    const unsigned char *in = NULL;
    int in_len = 0;
    const tw_dh_alg *alg = NULL;
    tw_group group;
    tw_err checked;

    if (pub != NULL && X509_PUBKEY_get0_param(&object, &in, &in_len, &algor, pub) == 1) {
        alg = alg_named(object, algor);
    }
    if (alg == NULL) {
        return err;
    }
    checked = tw_group_init(&group, alg, p);
    if (checked == TW_OK) {
        checked = check_point(&group, in, (size_t)in_len);
    }
    if (checked == TW_ERR_KEY || checked == TW_ERR_MEMORY) {
        err = checked;
    }
    tw_group_clear(&group);
    return err;
}

/* Why a public key's PEM gave none. */
static tw_err undecoded(BIO *bio, const tw_provider *p)
{
    X509_PUBKEY *pub = X509_PUBKEY_new_ex(p->libctx, p->properties);
    tw_err err = TW_ERR_FORMAT;

    if (pub != NULL && BIO_reset(bio) == 1 &&
        PEM_read_bio_X509_PUBKEY(bio, &pub, tw_pem_no_passphrase, NULL) != NULL) {
        err = tw_pem_undecoded(pub, p, err);
    }
    X509_PUBKEY_free(pub);
    return err;
}

tw_err tw_pem_public_of(const EVP_PKEY *pkey, tw_pem_key *out)
{
    out->alg = alg_of(pkey);
    if (out->alg == NULL) {
        return TW_ERR_INVALID;
    }
    return public_bytes(pkey, out->alg, out->pk);
}

static tw_err pem_read(const char *pem, size_t pem_len, const tw_provider *p, bool secret,
                       tw_pem_key *out)
{
    BIO *bio = NULL;
    EVP_PKEY *pkey = NULL;
    tw_err err = TW_ERR_FORMAT;
    bool was_empty;

    memset(out, 0, sizeof(*out));
    if (pem_len == 0 || pem_len > INT_MAX) {
        return TW_ERR_FORMAT;
    }
    bio = BIO_new_mem_buf(pem, (int)pem_len);
    if (bio == NULL) {
        return TW_ERR_MEMORY;
    }
    if (p->properties != NULL && !has_reader(p)) {
        BIO_free(bio);
        return tw_fetch_failed();
    }
    was_empty = tw_decoding_begin();
    pkey = secret ? PEM_read_bio_PrivateKey_ex(bio, NULL, tw_pem_no_passphrase, NULL, p->libctx,
                                               p->properties)
                  : PEM_read_bio_PUBKEY_ex(bio, NULL, tw_pem_no_passphrase, NULL, p->libctx,
                                           p->properties);
    if (pkey != NULL) {
        err = tw_pem_public_of(pkey, out);
    } else if (!secret) {
        err = undecoded(bio, p);
    }
    if (err == TW_OK && secret) {
        err = private_bytes(pkey, out->alg, out->sk);
    }
    if (err != TW_OK && tw_decoding_lacked_memory(was_empty)) {
        err = TW_ERR_MEMORY;
    }
    tw_decoding_end(err);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    if (err != TW_OK) {
        tw_wipe(out, sizeof(*out));
    }
    return err;
}

tw_err tw_pem_read_private(const char *pem, size_t pem_len, const tw_provider *p, tw_pem_key *out)
{
    return pem_read(pem, pem_len, p, true, out);
}

tw_err tw_pem_read_public(const char *pem, size_t pem_len, const tw_provider *p, tw_pem_key *out)
{
    return pem_read(pem, pem_len, p, false, out);
}

/* Takes what was written to `bio` (which wipes its memory when freed). */
static tw_err pem_take(BIO *bio, char *out, size_t out_cap, size_t *out_len)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    if (len <= 0) {
        return TW_ERR_CRYPTO;
    }
    *out_len = (size_t)len;
    if (out_cap < (size_t)len) {
        return TW_ERR_SPACE;
    }
    memcpy(out, text, (size_t)len);
    return TW_OK;
}

tw_err tw_pem_write_private(const tw_dh_key *key, char *out, size_t out_cap, size_t *out_len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    tw_err err = TW_ERR_MEMORY;

    *out_len = 0;
    if (bio != NULL) {
        err = PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1
                  ? pem_take(bio, out, out_cap, out_len)
                  : TW_ERR_CRYPTO;
    }
    BIO_free(bio);
    return err;
}

static EVP_PKEY *public_pkey(const tw_group *group, const uint8_t *pk)
{
    const tw_dh_alg *alg = group->alg;
    const tw_provider *p = &group->provider;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)alg->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (uint8_t *)pk, alg->public_len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *pkey = NULL;

    if (!alg->nist) {
        return EVP_PKEY_new_raw_public_key_ex(p->libctx, alg->group, p->properties, pk,
                                              alg->public_len);
    }
    ctx = EVP_PKEY_CTX_new_from_name(p->libctx, "EC", p->properties);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

tw_err tw_pem_write_public(const tw_group *group, const uint8_t *pk, char *out, size_t out_cap,
                           size_t *out_len)
{
    EVP_PKEY *pkey = public_pkey(group, pk);
    BIO *bio = BIO_new(BIO_s_mem());
    tw_err err = TW_ERR_CRYPTO;

    *out_len = 0;
    if (pkey != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1) {
        err = pem_take(bio, out, out_cap, out_len);
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return err;
}
