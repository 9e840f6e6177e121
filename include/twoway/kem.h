/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_KEM_H
#define TWOWAY_KEM_H

/*
 * KEMs, keys and suites: what everyone makes and frees, and the tables by which
 * a back-end supplies a private key that lives elsewhere (tw_key), a new KEM
 * (tw_kem), or a whole HPKE implementation (tw_suite). They are objects passed
 * by pointer: there is no registry. Callers may read the fields of tw_kem,
 * tw_key and tw_suite; only a back-end calls through their tables, and a process
 * that holds the key for another one (tw_pending_supply), which calls decap.
 *
 * Every public struct that may grow begins with its own size, sizeof it as the
 * caller was compiled; zero is TW_ERR_INVALID, as may be a size that no release
 * had; a member beyond it counts as absent. Until 1.0 a release that changes a
 * public struct changes the soname.
 *
 * On any error every ** output is NULL and every *out_len is 0, except that
 * with TW_ERR_SPACE *out_len is the size needed.
 */

#include <stddef.h>
#include <stdint.h>

#include <twoway/error.h>

TW_BEGIN

/* Sizes in bytes. They are enums, here and below, so that a binding made out of the
 * headers has them too. */
enum {
    TW_MAX_SECRET = 64,   /* largest Nsecret, RFC 9180 section 7.1 */
    TW_MAX_DH = 66,       /* largest Ndh, P-521 */
    TW_MAX_PUBLIC = 1665, /* largest Npk and Nenc known: ML-KEM-1024 + P-384 */
    TW_MAX_ENC = 1665,    /* a suite with more is refused */
};

/* IANA HPKE registries. */
enum {
    TW_KEM_P256_HKDF_SHA256 = 0x0010,
    TW_KEM_P384_HKDF_SHA384 = 0x0011,
    TW_KEM_P521_HKDF_SHA512 = 0x0012,
    TW_KEM_X25519_HKDF_SHA256 = 0x0020,
    TW_KEM_X448_HKDF_SHA512 = 0x0021,
    TW_KDF_HKDF_SHA256 = 0x0001,
    TW_KDF_HKDF_SHA384 = 0x0002,
    TW_KDF_HKDF_SHA512 = 0x0003,
    TW_AEAD_AES_128_GCM = 0x0001,
    TW_AEAD_AES_256_GCM = 0x0002,
    TW_AEAD_CHACHA20_POLY1305 = 0x0003,
    TW_AEAD_EXPORT_ONLY = 0xffff,
};

/* tw_kem_name, tw_kdf_name and tw_aead_name return a short static name in lower
 * case ("p256", "hkdf-sha256", "aes-128-gcm"), NULL for an id that is not built
 * in, and for TW_AEAD_EXPORT_ONLY, which names no cipher. */
TW_API const char *tw_kem_name(uint16_t kem_id);
TW_API const char *tw_kdf_name(uint16_t kdf_id);
TW_API const char *tw_aead_name(uint16_t aead_id);

typedef struct tw_kem tw_kem;
typedef struct tw_key tw_key;
typedef struct tw_suite tw_suite;
typedef struct tw_hpke_ctx tw_hpke_ctx;

/* tw_provider says which libcrypto serves; a NULL pointer is the default
 * context without a property query. With a query ("fips=yes") only services of
 * that provider are used, HKDF and random bytes included; what it lacks is
 * TW_ERR_INVALID from what makes a KEM, key or suite (random bytes: TW_ERR_RANDOM
 * when some are drawn), and libcrypto's error queue names the algorithm. One thing
 * is no service of any provider: the public half of a NIST private key that is read,
 * or derived with a tw_rng, is computed in libcrypto itself. And a provider's HKDF may
 * bound its info (libcrypto's has 32 KiB): a longer exporter context, or label of a
 * response, is TW_ERR_CRYPTO with a query. A suite, a key and a
 * token work with the one that each was made with: give all of them the same. The
 * struct is copied, what it points at is borrowed for the object's life. */
typedef struct tw_provider {
    struct ossl_lib_ctx_st *libctx;
    const char *properties;
} tw_provider;

/* tw_rng fills `len` bytes of `out`; secure and thread-safe. The struct is
 * copied; `arg` and what fill stands on (a closure, in languages that have them) are
 * borrowed for the life of what it was given for, and of the exchanges made with that:
 * an answer draws its nonce after its receiver is freed. NULL means libcrypto's own. With a tw_rng, encap
 * draws exactly once, the bytes of one private key (Nsk), and derives the
 * ephemeral key from them (DeriveKeyPair, RFC 9180 section 7.1.3). */
typedef struct tw_rng {
    tw_err (*fill)(void *arg, uint8_t *out, size_t len);
    void *arg;
} tw_rng;

/* --- The public half of a KEM (RFC 9180 section 4). ---------------------- */

struct tw_kem {
    size_t size;
    uint16_t id;       /* IANA HPKE KEM id */
    size_t secret_len; /* Nsecret, at most TW_MAX_SECRET */
    size_t enc_len;    /* Nenc */
    size_t public_len; /* Npk; NIST points uncompressed */

    /* check refuses with TW_ERR_KEY a public key that no private key should meet:
     * wrong form, off the curve, of small order; where enc_len equals public_len it
     * is asked about an enc as well. Host only. */
    tw_err (*check)(const tw_kem *kem, const uint8_t *pk);

    /* encap writes secret_len and enc_len bytes. `pk` is untrusted. `sender`
     * is NULL, or the sender's identity key for the auth modes. */
    tw_err (*encap)(const tw_kem *kem, const tw_rng *rng, const uint8_t *pk,
                    const tw_key *sender, uint8_t *secret, uint8_t *enc);
    void (*free)(tw_kem *kem);
};

/* tw_kem_new makes a built-in KEM; TW_ERR_INVALID: this provider has none with
 * that id. */
TW_MUST tw_err tw_kem_new(uint16_t kem_id, const tw_provider *provider, tw_kem **out);
TW_API void tw_kem_free(tw_kem *kem);

/* --- The private half, e.g. a key object in a token. ---------------------- */

typedef struct tw_key_ops {
    size_t size;

    /* decap writes secret_len bytes. `enc` is untrusted: call kem->check first
     * and answer TW_ERR_FORMAT when it refuses, before an operation is spent.
     * sender_public is NULL, or the sender's public key for the auth modes: DH
     * with enc first, then with the sender. Never a peer's code for a failure
     * of transport: remote keys use TW_ERR_TOKEN_*. May block. Called from many
     * threads at once with the same key. NULL: secrets are only supplied. */
    tw_err (*decap)(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                    uint8_t *secret);

    /* auth_encap is this key's part as the sender's identity: given dh =
     * DH(skE, pk) it adds DH(this, pk) and writes the secret. NULL: cannot. */
    tw_err (*auth_encap)(const tw_key *key, const uint8_t *pk, const uint8_t *dh,
                         size_t dh_len, const uint8_t *enc, uint8_t *secret);
    void (*free)(tw_key *key); /* the whole object, public_key and kem if its own */
} tw_key_ops;

/* An implementation embeds tw_key as its first member. public_key is not
 * optional: DHKEM hashes it, and a token may hold no public object. */
struct tw_key {
    const tw_key_ops *ops;
    const tw_kem *kem;         /* owned by the key or outlives it */
    const uint8_t *public_key; /* kem->public_len bytes, owned by the key */
};

TW_API void tw_key_free(tw_key *key);

/* tw_key_check encapsulates to public_key and decapsulates: one private-key
 * operation that shows a key and its public half belong together. Blocks as decap
 * does. Errors: TW_ERR_KEY (they do not), TW_ERR_STATE (a key without decap), those of
 * encap and decap. */
TW_MUST tw_err tw_key_check(const tw_key *key);

/*
 * For back-ends that can do only the Diffie-Hellman, or the DH and a KDF.
 *
 * tw_dhkem_secret is ExtractAndExpand (RFC 9180 section 4.1): dh is one DH
 * output of Ndh bytes (NIST: the x-coordinate with its leading zeros), or two for
 * the auth modes. An all-zero output of X25519 or X448 is TW_ERR_FORMAT.
 *
 * tw_dhkem_prefix gives what precedes the DH output in the labelled extract,
 * and tw_dhkem_info the labelled expand's info, for a token that runs HKDF.
 * tw_dhkem_expand finishes on the host from the PRK.
 *
 * `kem` is any with the id and lengths of a built-in one, for these go into what is
 * derived; another id is TW_ERR_INVALID, and so is a length that is not the KEM's.
 */
TW_MUST tw_err tw_dhkem_secret(const tw_kem *kem, const uint8_t *dh, size_t dh_len,
                               const uint8_t *enc, const uint8_t *public_key,
                               const uint8_t *sender_public, uint8_t *secret);
TW_MUST tw_err tw_dhkem_prefix(const tw_kem *kem, uint8_t *out, size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_dhkem_info(const tw_kem *kem, const uint8_t *enc, const uint8_t *public_key,
                             const uint8_t *sender_public, uint8_t *out, size_t out_cap,
                             size_t *out_len);
TW_MUST tw_err tw_dhkem_expand(const tw_kem *kem, const uint8_t *prk, size_t prk_len,
                               const uint8_t *enc, const uint8_t *public_key,
                               const uint8_t *sender_public, uint8_t *secret);

/* --- A complete HPKE implementation. -------------------------------------- */

/* tw_hpke_auth selects the mode; NULL is base. The sender gives `sender`, the
 * receiver `sender_public`; psk and psk_id come together or not at all. */
typedef struct tw_hpke_auth {
    const tw_key *sender;
    const uint8_t *sender_public;
    const uint8_t *psk, *psk_id;
    size_t psk_len, psk_id_len;
} tw_hpke_auth;

typedef struct tw_hpke_ops {
    size_t size;

    /* seal writes in_len + tag_len bytes, open in_len - tag_len. in_len may be
     * 0. A success consumes one sequence number; a failure consumes none. */
    tw_err (*seal)(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len,
                   const uint8_t *in, size_t in_len, uint8_t *out);
    tw_err (*open)(tw_hpke_ctx *ctx, const uint8_t *aad, size_t aad_len,
                   const uint8_t *in, size_t in_len, uint8_t *out);

    /* export_secret must bear being called while another thread seals or opens. */
    tw_err (*export_secret)(const tw_hpke_ctx *ctx, const uint8_t *context,
                            size_t context_len, uint8_t *out, size_t out_len);
    void (*free)(tw_hpke_ctx *ctx);

    /* Optional. One long message in pieces (aad empty): without them a whole
     * message takes final alone. The exporter secret itself: without it an
     * exchange cannot be saved. */
    tw_err (*seal_update)(tw_hpke_ctx *ctx, const uint8_t *in, size_t in_len, uint8_t *out);
    tw_err (*seal_final)(tw_hpke_ctx *ctx, uint8_t *tag);
    tw_err (*exporter_secret)(const tw_hpke_ctx *ctx, uint8_t *out, size_t out_cap, size_t *out_len);

    /* Optional. The sequence number that comes next, read and, for a receiver,
     * set: for hpke.h alone. */
    uint64_t (*seq)(const tw_hpke_ctx *ctx);
    tw_err (*set_seq)(tw_hpke_ctx *ctx, uint64_t seq);
} tw_hpke_ops;

struct tw_hpke_ctx {
    const tw_hpke_ops *ops;
};

struct tw_suite {
    size_t size;
    uint16_t kem_id, kdf_id, aead_id;
    size_t enc_len, public_len, tag_len;

    tw_err (*setup_sender)(const tw_suite *suite, const tw_rng *rng, const uint8_t *pk,
                           const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                           uint8_t *enc, tw_hpke_ctx **ctx);
    tw_err (*setup_receiver)(const tw_suite *suite, const tw_key *key, const uint8_t *enc,
                             const uint8_t *info, size_t info_len, const tw_hpke_auth *auth,
                             tw_hpke_ctx **ctx);
    void (*free)(tw_suite *suite);
};

/* tw_suite_new makes a built-in suite with its own KEM; tw_suite_with_kem uses
 * yours, which must outlive it. TW_ERR_INVALID: an id this provider lacks. */
TW_MUST tw_err tw_suite_new(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id,
                            const tw_provider *provider, tw_suite **out);
TW_MUST tw_err tw_suite_with_kem(const tw_kem *kem, uint16_t kdf_id, uint16_t aead_id,
                                 const tw_provider *provider, tw_suite **out);
TW_API void tw_suite_free(tw_suite *suite);

/* tw_wipe clears `len` bytes in a way that no compiler removes. */
TW_API void tw_wipe(void *p, size_t len);

TW_END
#endif
