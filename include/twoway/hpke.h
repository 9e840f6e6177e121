/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_HPKE_H
#define TWOWAY_HPKE_H

/*
 * HPKE (RFC 9180) for its own sake: all four modes, contexts, one-shot, the
 * exporter, over any tw_suite. Messages (twoway.h) need none of it.
 *
 *   mode       what `auth` holds                           RFC 9180
 *   base       NULL, or all members zero                   5.1.1
 *   psk        psk, psk_id                                 5.1.2
 *   auth       sender (at the sender), or sender_public    5.1.3
 *   auth_psk   all of these                                5.1.4
 *
 * Any private key may live in a token: the receiver's in every mode, and in the
 * auth modes the sender's identity key too. A psk has at least 32 bytes (section
 * 9.5). sender_public has the KEM's public_len bytes.
 *
 * BLOCKING. tw_hpke_receiver and tw_hpke_open_once wait for the receiver's key,
 * tw_hpke_sender and tw_hpke_seal_once for the sender's in the auth modes, where
 * those are in a token. Nothing else blocks.
 *
 * THREADS. A tw_hpke serves one thread at a time, but tw_hpke_export may be called
 * while another thread seals or opens with it.
 *
 * LIFETIMES. The suite outlives the context; keys, info and psk are needed for the
 * call only.
 *
 * On any error every ** output is NULL and every *out_len is 0, except that with
 * TW_ERR_SPACE *out_len is the size needed. No input overlaps an output:
 * TW_ERR_INVALID.
 */

#include <twoway/kem.h>

TW_BEGIN

typedef struct tw_hpke tw_hpke;

/* What both sides must agree on. rng is the sender's alone; NULL is libcrypto's. */
typedef struct tw_hpke_params {
    size_t size; /* sizeof(tw_hpke_params) */
    const tw_suite *suite;
    const uint8_t *info;
    size_t info_len;
    const tw_hpke_auth *auth;
    const tw_rng *rng;
} tw_hpke_params;

/* tw_hpke_sender encapsulates to `pk`, writes the suite's enc_len bytes to enc and
 * makes the sender's context. Errors: TW_ERR_INVALID (a suite, length or mode that
 * does not fit), TW_ERR_SPACE (enc_cap), TW_ERR_KEY (pk is no usable public key),
 * TW_ERR_RANDOM, those of the identity key. */
TW_MUST tw_err tw_hpke_sender(const tw_hpke_params *params, const uint8_t *pk, size_t pk_len,
                              uint8_t *enc, size_t enc_cap, tw_hpke **out);

/* tw_hpke_receiver decapsulates. A wrong key, info, psk or sender_public is not an
 * error here: the first open fails. Errors: TW_ERR_INVALID, TW_ERR_TRUNCATED (enc
 * too short), TW_ERR_FORMAT (a bad enc), TW_ERR_KEY (a bad sender_public), those of
 * the key. */
TW_MUST tw_err tw_hpke_receiver(const tw_hpke_params *params, const tw_key *key,
                                const uint8_t *enc, size_t enc_len, tw_hpke **out);

/* tw_hpke_tag_len is what seal adds, in bytes; 0 for an export-only suite. */
TW_API size_t tw_hpke_tag_len(const tw_hpke *hpke);

/* tw_hpke_seal writes in_len + tag_len bytes, tw_hpke_open in_len - tag_len. Each
 * success takes the next sequence number, a failure none. Errors: TW_ERR_SPACE,
 * TW_ERR_STATE (the other side's, or an export-only suite), TW_ERR_LIMIT (no number
 * left, or longer than the cipher allows); open: TW_ERR_AUTH. */
TW_MUST tw_err tw_hpke_seal(tw_hpke *hpke, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                            size_t in_len, uint8_t *out, size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_hpke_open(tw_hpke *hpke, const uint8_t *aad, size_t aad_len, const uint8_t *in,
                            size_t in_len, uint8_t *out, size_t out_cap, size_t *out_len);

/* tw_hpke_export derives out_len bytes, at most 255 times the hash length (RFC 9180
 * section 5.3); more is TW_ERR_INVALID. */
TW_MUST tw_err tw_hpke_export(const tw_hpke *hpke, const uint8_t *context, size_t context_len,
                              uint8_t *out, size_t out_len);

/* tw_hpke_seq is the number that the next seal or open takes. tw_hpke_set_seq lets a
 * receiver open out of order, or again: that no message counts twice is then the
 * caller's to see to. A sender may not, since a number taken twice would give its
 * messages away: TW_ERR_STATE, as for an export-only suite. TW_ERR_INVALID: the suite
 * cannot tell. */
TW_MUST tw_err tw_hpke_seq(const tw_hpke *hpke, uint64_t *out);
TW_MUST tw_err tw_hpke_set_seq(tw_hpke *hpke, uint64_t seq);

TW_API void tw_hpke_free(tw_hpke *hpke);

/* One message each: enc || ciphertext, so enc_len + in_len + tag_len bytes (RFC 9180
 * section 6.1). Errors as above; an input shorter than enc_len is
 * TW_ERR_TRUNCATED. */
typedef struct tw_hpke_text {
    const uint8_t *aad;
    size_t aad_len;
    const uint8_t *in;
    size_t in_len;
} tw_hpke_text;

TW_MUST tw_err tw_hpke_seal_once(const tw_hpke_params *params, const uint8_t *pk, size_t pk_len,
                                 const tw_hpke_text *text, uint8_t *out, size_t out_cap,
                                 size_t *out_len);
TW_MUST tw_err tw_hpke_open_once(const tw_hpke_params *params, const tw_key *key,
                                 const tw_hpke_text *text, uint8_t *out, size_t out_cap,
                                 size_t *out_len);

TW_END
#endif
