/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* --- AEAD. ------------------------------------------------------------------------- */

struct bare_aead {
    EVP_CIPHER_CTX *ctx;
    bool seal;
    uint64_t seq;
};

bare_aead *bare_aead_new(uint16_t aead_id, bool seal)
{
    static const uint8_t key[32] = {1};
    const EVP_CIPHER *cipher = aead_id == TW_AEAD_AES_128_GCM   ? EVP_aes_128_gcm()
                               : aead_id == TW_AEAD_AES_256_GCM ? EVP_aes_256_gcm()
                                                                : EVP_chacha20_poly1305();
    bare_aead *a = calloc(1, sizeof(*a));

    must(a != NULL);
    a->ctx = EVP_CIPHER_CTX_new();
    a->seal = seal;
    must(EVP_CipherInit_ex2(a->ctx, cipher, key, NULL, seal, NULL) == 1);
    return a;
}

void bare_aead_rewind(bare_aead *a)
{
    a->seq = 0;
}

void bare_aead_chunk(bare_aead *a, const uint8_t *in, size_t len, uint8_t *out)
{
    uint8_t nonce[12] = {0};
    uint8_t *tag = a->seal ? out + len : (uint8_t *)(uintptr_t)(in + len);
    int written = 0;
    bool ok;

    for (size_t i = 0; i < sizeof(a->seq); i++) {
        nonce[11 - i] = (uint8_t)(a->seq >> (8 * i));
    }
    a->seq++;
    ok = EVP_CipherInit_ex2(a->ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
         (len == 0 || EVP_CipherUpdate(a->ctx, out, &written, in, (int)len) == 1);
    if (a->seal) {
        ok = ok && EVP_CipherFinal_ex(a->ctx, tag, &written) == 1 &&
             EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
    } else {
        ok = ok && EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1 &&
             EVP_CipherFinal_ex(a->ctx, nonce, &written) == 1;
    }
    must(ok);
}

void bare_aead_free(bare_aead *a)
{
    EVP_CIPHER_CTX_free(a->ctx);
    free(a);
}

/* --- Diffie-Hellman. ----------------------------------------------------------------- */

struct bare_dh {
    EVP_PKEY *key, *scratch;
    EVP_PKEY_CTX *derive, *generate;
    EVP_PKEY *peers[BARE_PEERS];
    size_t point_len;
};

static const char *group_of(uint16_t kem_id)
{
    switch (kem_id) {
    case TW_KEM_P256_HKDF_SHA256:
        return "P-256";
    case TW_KEM_P384_HKDF_SHA384:
        return "P-384";
    case TW_KEM_P521_HKDF_SHA512:
        return "P-521";
    case TW_KEM_X25519_HKDF_SHA256:
        return "X25519";
    default:
        return "X448";
    }
}

static EVP_PKEY *generate_key(EVP_PKEY_CTX *ctx)
{
    EVP_PKEY *key = NULL;

    must(EVP_PKEY_generate(ctx, &key) == 1);
    return key;
}

bare_dh *bare_dh_new(uint16_t kem_id)
{
    const char *curve = group_of(kem_id);
    bool nist = curve[0] == 'P';
    bare_dh *d = calloc(1, sizeof(*d));

    must(d != NULL);
    d->generate = EVP_PKEY_CTX_new_from_name(NULL, nist ? "EC" : curve, NULL);
    must(EVP_PKEY_keygen_init(d->generate) == 1);
    must(!nist || EVP_PKEY_CTX_set_group_name(d->generate, curve) == 1);
    d->key = generate_key(d->generate);
    d->scratch = generate_key(d->generate);
    for (size_t i = 0; i < BARE_PEERS; i++) {
        d->peers[i] = generate_key(d->generate);
    }
    d->derive = EVP_PKEY_CTX_new_from_pkey(NULL, d->key, NULL);
    must(EVP_PKEY_derive_init(d->derive) == 1);
    must(EVP_PKEY_derive_set_peer_ex(d->derive, d->scratch, 0) == 1);
    must(EVP_PKEY_get_octet_string_param(d->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0,
                                         &d->point_len) == 1);
    return d;
}

static void derive(EVP_PKEY_CTX *ctx)
{
    uint8_t secret[TW_MAX_DH];
    size_t len = sizeof(secret);

    must(EVP_PKEY_derive(ctx, secret, &len) == 1);
}

static void derive_with(EVP_PKEY_CTX *ctx, EVP_PKEY *other)
{
    must(EVP_PKEY_derive_set_peer_ex(ctx, other, 0) == 1);
    derive(ctx);
}

void bare_dh_derive(bare_dh *d, const uint8_t *point)
{
    must(EVP_PKEY_set1_encoded_public_key(d->scratch, point, d->point_len) == 1);
    derive_with(d->derive, d->scratch);
}

void bare_dh_follow(bare_dh *d, const uint8_t *point)
{
    must(EVP_PKEY_set1_encoded_public_key(d->scratch, point, d->point_len) == 1);
    derive(d->derive);
}

static void send_to(bare_dh *d, EVP_PKEY *other, bool export)
{
    EVP_PKEY *key = generate_key(d->generate);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    uint8_t point[TW_MAX_PUBLIC];
    size_t len;

    must(EVP_PKEY_derive_init(ctx) == 1);
    derive_with(ctx, other);
    if (export) {
        must(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                             sizeof(point), &len) == 1);
    }
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

void bare_dh_send(bare_dh *d, size_t which, bool export)
{
    send_to(d, d->peers[which % BARE_PEERS], export);
}

void bare_dh_send_to(bare_dh *d, const uint8_t *point)
{
    must(EVP_PKEY_set1_encoded_public_key(d->scratch, point, d->point_len) == 1);
    send_to(d, d->scratch, true);
}

void bare_dh_free(bare_dh *d)
{
    for (size_t i = 0; i < BARE_PEERS; i++) {
        EVP_PKEY_free(d->peers[i]);
    }
    EVP_PKEY_CTX_free(d->derive);
    EVP_PKEY_CTX_free(d->generate);
    EVP_PKEY_free(d->scratch);
    EVP_PKEY_free(d->key);
    free(d);
}

/* --- The rest of a message. ----------------------------------------------------------- */

enum {
    KEM_HMACS = 2,      /* an extract and an expand, RFC 9180 section 4.1 */
    SCHEDULE_HMACS = 4, /* section 5.1 */
    ANSWER_HMACS = 4,   /* RFC 9458 section 4.4 */
    HASHED = 64,        /* about what is hashed beside the key */
    CONTENT = 1024,
    KEY = 32,
};

struct bare_rest {
    EVP_MD_CTX *kem, *suite, *hash; /* begun, begun, in use */
    EVP_CIPHER_CTX *aead, *wide; /* keys of 128 bits and of 256 */
    uint8_t content[CONTENT];
};

static EVP_MD_CTX *begin_digest(const EVP_MD *md)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    must(EVP_DigestInit_ex2(ctx, md, NULL) == 1);
    return ctx;
}

bare_rest *bare_rest_new(uint16_t kem_id)
{
    bool long_hash = kem_id == TW_KEM_P521_HKDF_SHA512 || kem_id == TW_KEM_X448_HKDF_SHA512;
    bare_rest *r = allocate(sizeof(*r));

    r->kem = begin_digest(long_hash                           ? EVP_sha512()
                          : kem_id == TW_KEM_P384_HKDF_SHA384 ? EVP_sha384()
                                                              : EVP_sha256());
    r->suite = begin_digest(EVP_sha256());
    r->hash = EVP_MD_CTX_new();
    r->aead = EVP_CIPHER_CTX_new();
    r->wide = EVP_CIPHER_CTX_new();
    must(EVP_EncryptInit_ex2(r->aead, EVP_aes_128_gcm(), NULL, NULL, NULL) == 1);
    must(EVP_EncryptInit_ex2(r->wide, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1);
    return r;
}

/* A block of the padded key and the message; a block and the inner hash. */
static void hmacs(bare_rest *r, const EVP_MD_CTX *begun, size_t count)
{
    static const uint8_t text[128 + HASHED];
    size_t block = (size_t)EVP_MD_CTX_get_block_size(begun);
    size_t size = (size_t)EVP_MD_CTX_get_size(begun);
    uint8_t out[EVP_MAX_MD_SIZE];

    for (size_t i = 0; i < 2 * count; i++) {
        must(EVP_MD_CTX_copy_ex(r->hash, begun) == 1);
        must(EVP_DigestUpdate(r->hash, text, block + (i % 2 == 0 ? HASHED : size)) == 1);
        must(EVP_DigestFinal_ex(r->hash, out, NULL) == 1);
    }
}

static void seal(EVP_CIPHER_CTX *aead, const uint8_t *nonce, uint8_t *content, int content_len)
{
    static const uint8_t key[32];
    uint8_t tag[16];
    int len;

    must(EVP_EncryptInit_ex2(aead, NULL, key, nonce, NULL) == 1);
    must(EVP_EncryptUpdate(aead, content, &len, content, content_len) == 1);
    must(EVP_EncryptFinal_ex(aead, tag, &len) == 1);
    must(EVP_CIPHER_CTX_ctrl(aead, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) == 1);
}

/* To open takes as long. */
static void seal_content(bare_rest *r, const uint8_t *nonce)
{
    seal(r->aead, nonce, r->content, CONTENT);
}

static void keys(bare_rest *r)
{
    hmacs(r, r->kem, KEM_HMACS);
    hmacs(r, r->suite, SCHEDULE_HMACS);
}

void bare_rest_share(bare_rest *r)
{
    static const uint8_t nonce[12];

    keys(r);
    seal(r->wide, nonce, r->content, KEY);
}

void bare_rest_run(bare_rest *r, bool answer)
{
    uint8_t nonce[16] = {0};

    keys(r);
    seal_content(r, nonce);
    if (answer) {
        must(RAND_bytes(nonce, sizeof(nonce)) == 1);
        hmacs(r, r->suite, ANSWER_HMACS);
        seal_content(r, nonce);
    }
}

void bare_rest_free(bare_rest *r)
{
    EVP_MD_CTX_free(r->kem);
    EVP_MD_CTX_free(r->suite);
    EVP_MD_CTX_free(r->hash);
    EVP_CIPHER_CTX_free(r->aead);
    EVP_CIPHER_CTX_free(r->wide);
    free(r);
}
