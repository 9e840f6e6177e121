/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_CRYPTO_CRYPTO_H
#define TWOWAY_CRYPTO_CRYPTO_H

/*
 * The only layer that calls EVP. Algorithms are const tables; objects are made
 * once and shared by all threads, and keep the libcrypto contexts that work on
 * them in slots, because making a context costs more than most of its uses.
 *
 * Errors here: TW_ERR_CRYPTO and TW_ERR_MEMORY unless a function says more. A
 * refusal that a peer causes leaves nothing in libcrypto's error queue.
 */

#include <openssl/types.h>

#include <twoway/kem.h>

#include "base/base.h"

#define TW_MAX_HASH     64  /* SHA-512 */
#define TW_MAX_BLOCK    128 /* its input block */
#define TW_MAX_AEAD_KEY 32
#define TW_NONCE_LEN    12 /* Nn of every AEAD here, RFC 9180 section 7.3 */
#define TW_TAG_LEN      16 /* Nt, likewise */
#define TW_MAX_PRIVATE  66 /* largest Nsk, P-521 */

/* RFC 9180 section 7.2. */
typedef struct tw_kdf_alg {
    uint16_t id;
    const char *name;
    const char *digest;
    size_t hash_len, block_len;
} tw_kdf_alg;

/* RFC 9180 section 7.3; max_len is the most plaintext bytes under one nonce. */
typedef struct tw_aead_alg {
    uint16_t id;
    const char *name;
    const char *cipher;
    size_t key_len;
    uint64_t max_len;
} tw_aead_alg;

/* RFC 9180 section 7.1. `group` is libcrypto's name. */
typedef struct tw_dh_alg {
    uint16_t kem_id, kdf_id;
    const char *name;
    const char *group;
    int nid;
    bool nist;       /* a Weierstrass curve: points 0x04 || x || y */
    uint8_t bitmask; /* DeriveKeyPair, section 7.1.3 */
    size_t dh_len, public_len, private_len;
} tw_dh_alg;

/* What a fetch that gave nothing means: TW_ERR_INVALID where the provider lacks it; and where it
 * could not be had just now, for want of memory above all, TW_ERR_CRYPTO. */
tw_err tw_fetch_failed(void);

/* libcrypto's error queue around the decoding of what someone gave. begin says whether it was
 * empty; lacked_memory whether memory was short since, as far as libcrypto tells: of what it
 * was given, nothing is known then. end takes off what came since, unless `err` sends there. */
bool tw_decoding_begin(void);
bool tw_decoding_lacked_memory(bool was_empty);
void tw_decoding_end(tw_err err);

/* NULL: none with that id. */
const tw_kdf_alg *tw_kdf_alg_find(uint16_t kdf_id);
const tw_aead_alg *tw_aead_alg_find(uint16_t aead_id);
const tw_dh_alg *tw_dh_alg_find(uint16_t kem_id);
const tw_dh_alg *tw_dh_alg_by_group(const char *group, int nid);

/* --- Random bytes. -------------------------------------------------------- */

/* From `rng`, or where it is NULL from libcrypto's generator for `secret` or for
 * public bytes. TW_ERR_RANDOM; `out` is wiped on failure. */
tw_err tw_random(const tw_provider *provider, const tw_rng *rng, bool secret, uint8_t *out,
                 size_t len);

/* Public random bytes that no other message gets, out of what was drawn `ahead` where
 * neither that nor `rng` forbids it (ahead NULL, rng not). Good across fork. */
tw_err tw_nonce(const tw_slots *ahead, const tw_provider *provider, const tw_rng *rng, uint8_t *out,
                size_t len);
void tw_nonces_clear(tw_slots *ahead);

/* --- HKDF (RFC 5869), by hand over one digest context that is used again, or where
 * the caller asked for a provider's services by that provider. --------------- */

typedef struct tw_hash {
    const tw_kdf_alg *alg;
    const char *properties; /* borrowed from the tw_provider */
    EVP_KDF *kdf;           /* NULL without */
    EVP_MD_CTX *fresh;      /* to be copied, which costs less than to begin */
    EVP_MD_CTX *no_key[2];  /* behind the pads of HMAC for the empty key, inner and outer */
    tw_slots contexts;      /* EVP_MD_CTX */
} tw_hash;

tw_err tw_hash_init(tw_hash *hash, const tw_kdf_alg *alg, const tw_provider *provider);
void tw_hash_clear(tw_hash *hash);

typedef struct tw_piece {
    const void *data;
    size_t len;
} tw_piece;

/* A run of HMACs by one thread. end wipes what they left here and in the context. */
typedef struct tw_hmac {
    const tw_hash *hash;
    EVP_MD_CTX *ctx;
    EVP_KDF_CTX *kdf;          /* with a property query */
    bool fresh;                /* ctx is as hash->fresh is */
    size_t len, most;          /* of bytes: gathered now, and at most so far */
    uint8_t last[TW_MAX_HASH]; /* of the passes that there were */
    uint8_t bytes[512];        /* a key and what follows it */
} tw_hmac;

tw_err tw_hmac_begin(const tw_hash *hash, tw_hmac *out);
void tw_hmac_end(tw_hmac *hmac);

/* Extract writes hash_len bytes, expand out_len; info has at most 8 pieces. */
tw_err tw_hkdf_extract(tw_hmac *hmac, const uint8_t *salt, size_t salt_len, const tw_piece *ikm,
                       size_t ikm_count, uint8_t *prk);
tw_err tw_hkdf_expand(tw_hmac *hmac, const uint8_t *prk, size_t prk_len, const tw_piece *info,
                      size_t info_count, uint8_t *out, size_t out_len);

/* For hkdf.c: the same two through EVP_KDF. */
tw_err tw_provider_extract(tw_hmac *hmac, const uint8_t *salt, size_t salt_len, const tw_piece *ikm,
                           size_t ikm_count, uint8_t *prk);
tw_err tw_provider_expand(tw_hmac *hmac, const uint8_t *prk, size_t prk_len, const tw_piece *info,
                          size_t info_count, uint8_t *out, size_t out_len);

/* --- AEAD with base nonce and counter. ------------------------------------ */

typedef struct tw_cipher {
    const tw_aead_alg *alg;
    EVP_CIPHER *cipher;
    bool by_query;        /* the provider is the caller's */
    tw_slots contexts[2]; /* EVP_CIPHER_CTX: for opening, for sealing */
} tw_cipher;

tw_err tw_cipher_init(tw_cipher *cipher, const tw_aead_alg *alg, const tw_provider *provider);
void tw_cipher_clear(tw_cipher *cipher);

/* One direction under one key. Message number n uses base nonce XOR n, RFC 9180
 * section 5.2; the last number is never used, so that none can repeat. */
typedef struct tw_aead {
    EVP_CIPHER_CTX *ctx; /* NULL before the first message: a stream that waits has none */
    uint64_t seq, end;   /* the next number, and the first that it may not use */
    uint64_t max_len;    /* of a message */
    uint8_t base[TW_NONCE_LEN];
    uint8_t nonce[TW_NONCE_LEN]; /* of the last message; wiped with the key, not with each */
    bool sealing, streaming;
    bool by_query; /* as the cipher's; what each message needs lies together */
    const tw_cipher *cipher;
    uint64_t streamed;
    uint8_t key[TW_MAX_AEAD_KEY];
} tw_aead;

/* key has alg->key_len bytes, nonce TW_NONCE_LEN. */
void tw_aead_init(tw_aead *aead, const tw_cipher *cipher, bool sealing, const uint8_t *key,
                  const uint8_t *nonce);
void tw_aead_clear(tw_aead *aead);

/* Another for another thread, under the same key and base nonce, with no numbers of its own:
 * what one reserves the other is assigned, so that none is used twice. TW_ERR_LIMIT. */
void tw_aead_lend(const tw_aead *aead, tw_aead *out);
tw_err tw_aead_reserve(tw_aead *aead, uint64_t count, uint64_t *first);
void tw_aead_assign(tw_aead *lent, uint64_t first, uint64_t count);

/* seal writes in_len + TW_TAG_LEN bytes, open in_len - TW_TAG_LEN. A success
 * takes a number, a failure none, and leaves `out` wiped. TW_ERR_LIMIT: the
 * numbers or the cipher's length are spent. open: TW_ERR_AUTH. */
tw_err tw_aead_seal(tw_aead *aead, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out);
tw_err tw_aead_open(tw_aead *aead, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                    size_t in_len, uint8_t *out);

/* One message in pieces, aad empty; final writes TW_TAG_LEN bytes. */
tw_err tw_aead_seal_update(tw_aead *aead, const uint8_t *in, size_t in_len, uint8_t *out);
tw_err tw_aead_seal_final(tw_aead *aead, uint8_t *tag);

/* --- What one KDF and one AEAD need, shared by all that use the pair. ------ */

typedef struct tw_kit {
    atomic_size_t refs;
    bool owned; /* by a suite, which outlives what is made with it: not counted */
    tw_provider provider;
    tw_hash hash;
    tw_cipher cipher; /* cipher.alg is NULL for TW_AEAD_EXPORT_ONLY */
    tw_slots buffers; /* for the chunks that its streams hold: tw_buf_give */
} tw_kit;

/* TW_ERR_INVALID: an id that this provider lacks. ref and unref do nothing to one that is
 * owned: all threads that share a suite would write to its count. free frees it for its owner. */
tw_err tw_kit_new(uint16_t kdf_id, uint16_t aead_id, const tw_provider *provider, tw_kit **out);
tw_kit *tw_kit_ref(tw_kit *kit);
void tw_kit_unref(tw_kit *kit);
void tw_kit_free(tw_kit *kit);

/* --- Diffie-Hellman. ------------------------------------------------------ */

/* y^2 = x^3 + ax + b modulo p, with a and b in Montgomery's form. */
typedef struct tw_equation {
    BIGNUM *p, *a, *b;
    BN_MONT_CTX *mont;
} tw_equation;

typedef struct tw_group {
    const tw_dh_alg *alg;
    tw_provider provider;
    struct ec_group_st *curve; /* this and the next: NIST curves only */
    tw_equation equation;
    tw_slots generators; /* EVP_PKEY_CTX */
    tw_slots peers;      /* tw_peer to be overwritten with another point */
} tw_group;

/* TW_ERR_INVALID: this provider lacks it. */
tw_err tw_group_init(tw_group *group, const tw_dh_alg *alg, const tw_provider *provider);
void tw_group_clear(tw_group *group);

/* TW_ERR_KEY: a point that no private key should meet: wrong form, off the
 * curve, of small order. */
tw_err tw_group_check(const tw_group *group, const uint8_t *pk);

/* A key object and a point: what one call checked, the derive after it need not, and what
 * that imported, no later one to the same receiver. */
typedef struct tw_peer {
    EVP_PKEY *pkey;
    BN_CTX *bn_ctx; /* NIST curves only, and so are the numbers */
    BIGNUM *x, *y, *t;
    enum { PEER_EMPTY, PEER_CHECKED, PEER_IMPORTED } state; /* of the point */
    uint8_t point[2 * TW_MAX_PRIVATE + 1];
} tw_peer;

/* For the files of this folder: a key generation context out of the slots, NULL
 * on failure, and a key object that holds a checked point; both are given back.
 * A new key object to write points into, NULL on failure: an X key of any value, an EC key of
 * the curve without a point. */
EVP_PKEY *tw_group_scratch(const tw_group *group);
EVP_PKEY_CTX *tw_group_generator(const tw_group *group);
void tw_group_generator_done(const tw_group *group, EVP_PKEY_CTX *ctx);
tw_err tw_group_peer(const tw_group *group, const uint8_t *pk, tw_peer **out);
void tw_group_peer_done(const tw_group *group, tw_peer *peer);
void tw_peer_free(tw_peer *peer);

/* A private key and the contexts that derive with it. Starts zeroed. */
typedef struct tw_dh_key {
    EVP_PKEY *pkey;
    tw_slots derivers;
} tw_dh_key;

/* from_private: TW_ERR_KEY for a scalar out of range, or one that `pk` is not the
 * public half of; pk may be NULL. */
tw_err tw_dh_generate(const tw_group *group, tw_dh_key *out);
tw_err tw_dh_from_private(const tw_group *group, const uint8_t *sk, const uint8_t *pk,
                          tw_dh_key *out);
tw_err tw_dh_public(const tw_group *group, const tw_dh_key *key, uint8_t *pk);
void tw_dh_key_clear(tw_dh_key *key);

/* derive checks pk (TW_ERR_KEY) and writes dh_len bytes. */
tw_err tw_dh_derive(const tw_group *group, const tw_dh_key *key, const uint8_t *pk, uint8_t *dh);

/* --- PEM, and certificates. ----------------------------------------------- */

/* A PEM's key as raw bytes of a KEM: the private key where it has one, and the public half, which
 * libcrypto makes where there is none. TW_ERR_FORMAT, TW_ERR_INVALID (no KEM for it). */
typedef struct tw_pem_key {
    const tw_dh_alg *alg;
    uint8_t sk[TW_MAX_PRIVATE];
    uint8_t pk[TW_MAX_PRIVATE * 2 + 1];
} tw_pem_key;

tw_err tw_pem_read_private(const char *pem, size_t pem_len, const tw_provider *p, tw_pem_key *out);
tw_err tw_pem_read_public(const char *pem, size_t pem_len, const tw_provider *p, tw_pem_key *out);

/* For the files of this folder: refuses an encrypted PEM, where libcrypto's own would ask on
 * the terminal; and the public half of a key object, uncompressed, whatever form it came in. */
int tw_pem_no_passphrase(char *buf, int size, int writing, void *arg);
tw_err tw_pem_public_of(const EVP_PKEY *pkey, tw_pem_key *out);

/* What to say of a SubjectPublicKeyInfo that libcrypto made no key of: TW_ERR_KEY where what it
 * holds is no point of the KEM that it names, else `err`. */
tw_err tw_pem_undecoded(const X509_PUBKEY *pub, const tw_provider *p, tw_err err);

/* A certificate, PEM or DER: see tw_public_from_certificate. TW_ERR_FORMAT, TW_ERR_INVALID. */
typedef struct tw_certified_key {
    tw_pem_key key;
    int64_t not_before, not_after;
    bool for_sealing;
} tw_certified_key;

tw_err tw_certificate_read(const uint8_t *in, size_t in_len, const tw_provider *p,
                           tw_certified_key *out);

/* TW_ERR_SPACE with *out_len the size needed. */
tw_err tw_pem_write_private(const tw_dh_key *key, char *out, size_t out_cap, size_t *out_len);
tw_err tw_pem_write_public(const tw_group *group, const uint8_t *pk, char *out, size_t out_cap,
                           size_t *out_len);

#endif
