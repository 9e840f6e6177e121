/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_HPKE_HPKE_H
#define TWOWAY_HPKE_HPKE_H

/* RFC 9180: the labelled KDF, DHKEM, software keys, the key schedule and contexts
 * of the built-in suite, and what the message layer asks of any suite. */

#include <twoway/kem.h>

#include "crypto/crypto.h"

/* --- Labelled KDF, section 4. --------------------------------------------- */

/* "HPKE-v1" and the suite's identifier, which come together in all that is hashed. */
typedef struct tw_suite_id {
    uint8_t bytes[17];
    size_t len;
} tw_suite_id;

tw_suite_id tw_kem_suite_id(uint16_t kem_id);
tw_suite_id tw_hpke_suite_id(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id);

tw_err tw_labeled_extract(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *salt,
                          size_t salt_len, const char *label, const uint8_t *ikm, size_t ikm_len,
                          uint8_t *prk);

/* At most 3 pieces of info. */
tw_err tw_labeled_expand(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *prk, size_t prk_len,
                         const char *label, const tw_piece *info, size_t info_count, uint8_t *out,
                         size_t out_len);

/* --- Back-ends that are not ours. ------------------------------------------ */

/* TW_ERR_INVALID unless the tables are large enough and hold what they must. A key
 * may lack decap: its secret is then supplied. */
tw_err tw_kem_usable(const tw_kem *kem);
tw_err tw_key_usable(const tw_key *key);
tw_err tw_suite_usable(const tw_suite *suite);

/* TW_ERR_BACKEND unless a suite that reported success handed a context over, with all that it
 * must have; one that lacks some of it is freed. */
tw_err tw_ctx_take(tw_hpke_ctx *ctx);

/* A code out of an injected function: what tw_err does not name is TW_ERR_BACKEND. */
tw_err tw_backend_err(tw_err err);

/* --- DHKEM, section 4.1, and software keys. -------------------------------- */

typedef struct tw_dhkem {
    tw_kem base;
    tw_group group;
    tw_hash hash;
    tw_suite_id id;
} tw_dhkem;

/* NULL unless it is built in. */
const tw_dhkem *tw_dhkem_of(const tw_kem *kem);

/* Encap with a given ephemeral key, which is a software key of the same KEM: the
 * published examples need it, and it has no place in a public header. */
tw_err tw_dhkem_encap_with(const tw_kem *kem, const tw_key *ephemeral, const uint8_t *pk,
                           const tw_key *sender, uint8_t *secret, uint8_t *enc);
tw_err tw_dhkem_encap_dh(const tw_dhkem *kem, const tw_dh_key *ephemeral, const uint8_t *pk,
                         const tw_key *sender, uint8_t *secret, uint8_t *enc);

/* DeriveKeyPair, section 7.1.3; ikm has private_len bytes. */
tw_err tw_dhkem_derive_pair(const tw_dhkem *kem, const uint8_t *ikm, tw_dh_key *out);
/* A fresh key, out of `rng` by DeriveKeyPair where it is given. */
tw_err tw_dhkem_generate(const tw_dhkem *kem, const tw_rng *rng, tw_dh_key *out);

/* NULL unless it is a software key. */
const tw_dh_key *tw_soft_key_dh(const tw_key *key);

/* --- Contexts. -------------------------------------------------------------- */

/* A context over a key and base nonce that come from elsewhere: a response's, or a
 * one-to-many body's. It exports nothing. The kit outlives it. */
tw_err tw_aead_ctx_new(tw_kit *kit, bool sealing, const uint8_t *key, const uint8_t *nonce,
                       tw_hpke_ctx **out);

/* The built-in suite's context; the aead is left out for export-only. */
typedef struct tw_schedule {
    uint8_t key[TW_MAX_AEAD_KEY];
    uint8_t base_nonce[TW_NONCE_LEN];
    uint8_t exporter_secret[TW_MAX_HASH];
} tw_schedule;
tw_err tw_ctx_new(tw_kit *kit, const tw_suite_id *id, bool sealing, const tw_schedule *schedule,
                  tw_hpke_ctx **out);
void tw_ctx_free(tw_hpke_ctx *ctx);

/* Several threads at one context, see tw_aead_lend: only for contexts of this layer. */
bool tw_ctx_can_lend(const tw_hpke_ctx *ctx);
tw_err tw_ctx_lend(const tw_hpke_ctx *ctx, tw_hpke_ctx **out);
tw_err tw_ctx_reserve(tw_hpke_ctx *ctx, uint64_t count, uint64_t *first);
void tw_ctx_assign(tw_hpke_ctx *lent, uint64_t first, uint64_t count);

/* Section 5.3 from an exporter secret of hash_len bytes. */
tw_err tw_export(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *exporter_secret,
                 const uint8_t *context, size_t context_len, uint8_t *out, size_t out_len);

/* --- The built-in suite. ------------------------------------------------------ */

typedef struct tw_builtin_suite {
    tw_suite base;
    tw_kem *own_kem; /* NULL with tw_suite_with_kem */
    const tw_kem *kem;
    tw_kit *kit;
    _Atomic(tw_kit *) wider; /* NULL until tw_suite_wider_kit is asked for it */
    tw_suite_id id;
    uint8_t no_psk_id_hash[TW_MAX_HASH];
    tw_slots contexts; /* tw_context_cache, see schedule.c */
    tw_slots nonces;   /* drawn ahead, see tw_nonce */
} tw_builtin_suite;

/* NULL unless it is built in. */
const tw_builtin_suite *tw_builtin_suite_of(const tw_suite *suite);

/* Section 5.1, VerifyPSKInputs, and that pointers and lengths agree: to be asked before
 * any key is used. */
bool tw_schedule_takes(const uint8_t *info, size_t info_len, const tw_hpke_auth *auth);

/* Section 5.1, KeySchedule. */
tw_err tw_schedule_make(const tw_builtin_suite *suite, const uint8_t *secret, const uint8_t *info,
                        size_t info_len, const tw_hpke_auth *auth, tw_schedule *out);
tw_err tw_schedule_init(tw_builtin_suite *suite);
void tw_schedule_clear(tw_builtin_suite *suite);

/* The kit of a suite's ids, with a reference of the caller's. */
tw_err tw_suite_kit(const tw_suite *suite, tw_kit **out);

/* The same with AES-256-GCM in the AEAD's place; a built-in suite makes one and keeps it. */
tw_err tw_suite_wider_kit(const tw_suite *suite, tw_kit **out);

/* TW_ERR_KEY when a built-in suite's KEM refuses the public key; any other suite
 * has no say before it encapsulates. */
tw_err tw_suite_check_public(const tw_suite *suite, const uint8_t *pk);

#endif
