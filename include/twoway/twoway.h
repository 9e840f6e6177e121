/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_TWOWAY_H
#define TWOWAY_TWOWAY_H

/*
 * A message is a fixed-length head and a body. All public-key work happens at
 * the head, so a token's latency sits in one step that a server can hand to a
 * worker thread or another process.
 *
 *   message                  head                        bytes
 *   request                  header, enc                 7 + Nenc
 *   response                 nonce                       max(Nk, Nn)
 *   one-to-many body         nonce                       Nn
 *   one-to-many, a receiver  header, enc, sealed key     7 + Nenc + 32 + Nt
 *
 * A head is given whole and exactly: shorter is TW_ERR_TRUNCATED, longer
 * TW_ERR_INVALID. One that names another key id or suite is TW_ERR_KEY before its
 * length is looked at.
 *
 * BLOCKING. Only tw_receiver_accept*, tw_pending_perform and the pumps block.
 *
 * AUTHENTICITY. TW_OK from accept or finish proves nothing about the message: a
 * wrong key or an altered head shows as TW_ERR_AUTH at the first chunk or at
 * final. Act only on opened plaintext, and on a whole message only after final.
 * Replays are not detected: remember `enc` where they matter.
 *
 * THREADS. tw_kem, tw_suite, tw_key, tw_sender and tw_receiver are immutable to
 * the eye: share them. A sealer, opener, exchange, pending or multi serves one
 * thread at a time; different ones of the same message may serve different
 * threads.
 *
 * LIFETIMES. What a function returns through ** is the caller's to free; NULL is
 * fine to free. A token outlives its keys; a key outlives its receivers and
 * their pendings; a suite outlives everything made with it. Bodies, exchanges
 * and pendings need neither their sender, receiver or multi nor each other.
 * Heads, formats, labels, public keys and options are copied; nothing keeps a
 * pointer to `in` or `out`. NULL for `exchange` says that no answer is wanted.
 */

#include <twoway/kem.h>

TW_BEGIN

typedef struct tw_sender tw_sender;
typedef struct tw_receiver tw_receiver;
typedef struct tw_pending tw_pending;
typedef struct tw_multi tw_multi;
typedef struct tw_exchange tw_exchange;
typedef struct tw_sealer tw_sealer;
typedef struct tw_opener tw_opener;

enum {
    TW_HEADER_LEN = 7,    /* key id, KEM, KDF, AEAD; RFC 9458 section 4.3 */
    TW_CHUNK_LEN = 16384, /* default plaintext bytes in a chunk */
    TW_MAX_HEAD = TW_HEADER_LEN + TW_MAX_ENC + 32 + 16,
    TW_MAX_SAVE = 4 + 1 + TW_HEADER_LEN + TW_MAX_ENC + TW_MAX_SECRET,
};

/*
 * tw_format says how one message is laid out. It is neither saved nor on the
 * wire: both ends must agree. Where they do not, the body is refused by whichever of
 * its errors comes first: TW_ERR_LIMIT and _TRUNCATED as well as _AUTH and _FORMAT,
 * as what is taken for a chunk's length may be anything. NULL is the default: whole,
 * OHTTP's label.
 *
 * label is bound into the keys, byte for byte, for example "message/bhttp
 * chunked request". It is not the HTTP Content-Type. NULL is OHTTP's for this
 * direction and layout. Labels of your own must differ between request and
 * response, and between whole and chunked: under one label a chunked request
 * cut after its first chunk could be passed off as a whole one.
 */
typedef struct tw_format {
    size_t size; /* sizeof(tw_format) */
    const char *label;
    bool chunked;
    size_t max_chunk; /* plaintext bytes per chunk, 1 to 2^24; 0 is TW_CHUNK_LEN. An opener
                       * counts less than TW_CHUNK_LEN as TW_CHUNK_LEN: every receiver
                       * takes that much */
} tw_format;

typedef struct tw_header {
    uint8_t key_id;
    uint16_t kem_id, kdf_id, aead_id;
} tw_header;

/* Software keys. PEM is unencrypted PKCS#8 or SEC1, the curve selects the KEM;
 * tw_key_to_pem writes the private key, TW_ERR_INVALID for one not in software. Reading
 * one is TW_ERR_INVALID too where the provider's query leaves out what reads PEMs:
 * libcrypto's own is in its base and default providers. Errors: TW_ERR_FORMAT (not such
 * a PEM), TW_ERR_INVALID (no KEM for that algorithm or id, an sk_len that is not its
 * Nsk), TW_ERR_KEY (a scalar out of range, a public half beside it that is not its own:
 * in a PEM that may be TW_ERR_FORMAT, too), TW_ERR_RANDOM, TW_ERR_SPACE, TW_ERR_MEMORY. */
TW_MUST tw_err tw_key_generate(uint16_t kem_id, const tw_rng *rng, const tw_provider *p, tw_key **out);
TW_MUST tw_err tw_key_from_private(uint16_t kem_id, const uint8_t *sk, size_t sk_len,
                                   const tw_provider *p, tw_key **out);
TW_MUST tw_err tw_key_from_pem(const char *pem, size_t pem_len, const tw_provider *p, tw_key **out);
TW_MUST tw_err tw_key_to_pem(const tw_key *key, char *out, size_t out_cap, size_t *out_len);

/* tw_key_from_public makes a key whose private half is in another process: a receiver
 * or key set with it begins requests, and takes their secrets by tw_pending_supply;
 * perform and accept are TW_ERR_STATE. Errors: TW_ERR_INVALID (no such KEM),
 * TW_ERR_KEY (pk fails the KEM's check, its length included). */
TW_MUST tw_err tw_key_from_public(uint16_t kem_id, const uint8_t *pk, size_t pk_len,
                                  const tw_provider *p, tw_key **out);

/* Public keys as PEM SubjectPublicKeyInfo (RFC 5280, RFC 8410): for keys that travel
 * outside a configuration. from_pem writes the KEM's encoding (NIST: uncompressed)
 * and checks it. Neither output ends in a zero byte. Errors: TW_ERR_FORMAT (not
 * such a PEM), TW_ERR_INVALID (no KEM for that algorithm or id), TW_ERR_KEY (not a
 * usable point), TW_ERR_SPACE. */
TW_MUST tw_err tw_public_from_pem(const char *pem, size_t pem_len, const tw_provider *p,
                                  uint16_t *kem_id, uint8_t *out, size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_public_to_pem(uint16_t kem_id, const uint8_t *pk, size_t pk_len,
                                const tw_provider *p, char *out, size_t out_cap, size_t *out_len);

/* The public key that a certificate carries (RFC 5280), for a sender whose receiver has one
 * and no configuration. The certificate is PEM, of which the first one counts, or DER to the
 * last byte; its key is checked as from_pem does. Nothing else is: no signature, chain, name
 * or revocation. Trust it no more than where it came from. And do not seal to it where
 * for_sealing is false, nor outside its times. Errors: TW_ERR_FORMAT (no certificate),
 * TW_ERR_INVALID (no KEM for its key, a provider that reads none, out->size), TW_ERR_KEY,
 * TW_ERR_MEMORY. */
typedef struct tw_certificate {
    size_t size; /* in: sizeof(tw_certificate) */
    uint16_t kem_id;
    bool for_sealing;              /* false: its key usage (section 4.2.1.3) leaves out key
                                    * agreement or enciphering, or something critical in it
                                    * is not known here */
    int64_t not_before, not_after; /* the first and the last second, since 1970 in UTC */
    size_t public_len;
    uint8_t public_key[TW_MAX_PUBLIC]; /* public_len bytes in the KEM's encoding */
} tw_certificate;
TW_MUST tw_err tw_public_from_certificate(const uint8_t *certificate, size_t certificate_len,
                                          const tw_provider *p, tw_certificate *out);

/* One to one, the sender. A pk that fails the KEM's check is TW_ERR_KEY; a suite that is
 * export-only, or whose KDF or AEAD is not built in, TW_ERR_INVALID. */
TW_MUST tw_err tw_sender_new(const tw_suite *suite, uint8_t key_id, const uint8_t *pk, size_t pk_len,
                             const tw_rng *rng, tw_sender **out);
TW_API size_t tw_sender_head_len(const tw_sender *sender);
TW_MUST tw_err tw_sender_request(const tw_sender *sender, const tw_format *format, uint8_t *head,
                                 size_t head_cap, tw_sealer **body, tw_exchange **exchange);
TW_API void tw_sender_free(tw_sender *sender);

/* One to one, the receiver: one per key id and suite; several may share a key.
 * tw_header_parse reads the first 7 bytes, so that a server can pick one by key
 * id and suite. TW_ERR_INVALID: a suite that tw_sender_new refuses, a key of another KEM. */
TW_MUST tw_err tw_header_parse(const uint8_t *in, size_t in_len, tw_header *out);
TW_MUST tw_err tw_receiver_new(const tw_suite *suite, uint8_t key_id, const tw_key *key,
                               const tw_rng *rng, tw_receiver **out);
TW_API tw_header tw_receiver_header(const tw_receiver *receiver);
TW_API size_t tw_receiver_head_len(const tw_receiver *receiver);
TW_MUST tw_err tw_receiver_accept(const tw_receiver *receiver, const tw_format *format,
                                  const uint8_t *head, size_t head_len,
                                  tw_opener **body, tw_exchange **exchange);
TW_API void tw_receiver_free(tw_receiver *receiver);

/*
 * The same in three steps, for servers. begin does every check that needs no
 * private key; perform does the private-key step, on any thread, and may be
 * called again after TW_ERR_TOKEN_BUSY or _ABSENT (other errors are sticky);
 * finish makes the body and leaves the pending to be freed. Where the key is in
 * another process (tw_key_from_public), take enc instead of perform, and supply what
 * its decap gave, key->ops->decap(key, enc, NULL, secret) there (enc is the pending's own,
 * enc_len may be NULL):
 * the KEM shared secret, never a raw DH output (built-in suites only; TW_ERR_INVALID
 * for others and for any length but the KEM's secret_len). A pending is not freed
 * during perform, which cannot be interrupted.
 */
TW_MUST tw_err tw_receiver_begin(const tw_receiver *receiver, const tw_format *format,
                                 const uint8_t *head, size_t head_len, tw_pending **out);
TW_MUST tw_err tw_pending_perform(tw_pending *pending);
TW_API const uint8_t *tw_pending_enc(const tw_pending *pending, size_t *enc_len);
TW_MUST tw_err tw_pending_supply(tw_pending *pending, const uint8_t *secret, size_t secret_len);
TW_MUST tw_err tw_pending_finish(tw_pending *pending, tw_opener **body, tw_exchange **exchange);
TW_API void tw_pending_free(tw_pending *pending);

/*
 * Responses. An exchange may answer more than once, each time under a fresh
 * nonce; nothing binds their order or number, so say either inside if it
 * matters. It can be saved and taken up by another process (a command, a queue,
 * a restarted gateway): the bytes are a secret, "TWX1", role, header, enc,
 * exporter secret. peek tells which suite to load it with; another suite is
 * TW_ERR_INVALID, bytes that are no exchange TW_ERR_FORMAT, or TW_ERR_TRUNCATED
 * where they are the beginning of one. save_len is 0 when an injected suite cannot save. respond is
 * the receiver's, receive the sender's; the other way round is TW_ERR_STATE.
 */
TW_API size_t tw_exchange_response_head_len(const tw_exchange *exchange);
TW_MUST tw_err tw_exchange_respond(tw_exchange *exchange, const tw_format *format, uint8_t *head,
                                   size_t head_cap, tw_sealer **body);
TW_MUST tw_err tw_exchange_receive(tw_exchange *exchange, const tw_format *format,
                                   const uint8_t *head, size_t head_len, tw_opener **body);
TW_API size_t tw_exchange_save_len(const tw_exchange *exchange);
TW_MUST tw_err tw_exchange_save(const tw_exchange *exchange, uint8_t *out, size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_exchange_peek(const uint8_t *in, size_t in_len, tw_header *out);
TW_MUST tw_err tw_exchange_load(const tw_suite *suite, const tw_rng *rng, const uint8_t *in,
                                size_t in_len, tw_exchange **out);
TW_API void tw_exchange_free(tw_exchange *exchange);

/*
 * One to many, in the format of the Go package openpcc/twoway; OHTTP has none. The
 * body is sealed once; its key is encapsulated to each receiver, before, while or
 * after the body is sealed, and each receiver's answer has its own exchange, to be
 * kept beside its receiver. All share the suite. Every receiver holds the body's
 * key: one could forge the body to another. And the format does not hold chunks to
 * their places: anyone between can change the head such that chunk i XOR n, for an n
 * of his, opens in place i, up to the final one; whole bodies have one place only. The
 * default label is a request's. With AEAD id 1 the body itself is under AES-256-GCM,
 * its key having 32 bytes always.
 *
 * tw_multi_new draws that key and writes the body's head, tw_multi_encap writes
 * tw_multi_encap_len bytes for one receiver more, in any number; the multi holds the
 * key until it is freed. Neither blocks. Errors: TW_ERR_INVALID, TW_ERR_SPACE
 * (head_cap, encap_cap), TW_ERR_KEY (pk fails the KEM's check), TW_ERR_RANDOM,
 * TW_ERR_MEMORY.
 *
 * A receiver needs its encapsulation, the head and the body. Unlike a request's,
 * its accept or finish already answers TW_ERR_AUTH where the encapsulation is
 * altered, another receiver's or under another label; the body and its head may
 * still be another message's until a chunk has opened.
 */
TW_API size_t tw_multi_head_len(const tw_suite *suite);
TW_API size_t tw_multi_encap_len(const tw_suite *suite);
TW_MUST tw_err tw_multi_new(const tw_suite *suite, const tw_format *format, const tw_rng *rng,
                            uint8_t *head, size_t head_cap, tw_sealer **body, tw_multi **out);
TW_MUST tw_err tw_multi_encap(tw_multi *multi, uint8_t key_id, const uint8_t *pk, size_t pk_len,
                              uint8_t *encap, size_t encap_cap, tw_exchange **exchange);
TW_MUST tw_err tw_receiver_accept_multi(const tw_receiver *receiver, const tw_format *format,
                                        const uint8_t *encap, size_t encap_len,
                                        const uint8_t *head, size_t head_len,
                                        tw_opener **body, tw_exchange **exchange);
TW_MUST tw_err tw_receiver_begin_multi(const tw_receiver *receiver, const tw_format *format,
                                       const uint8_t *encap, size_t encap_len,
                                       const uint8_t *head, size_t head_len, tw_pending **out);
TW_API void tw_multi_free(tw_multi *multi);

/*
 * Bodies, pushed as with EVP: update, update, ..., final.
 *
 *  1. out_cap must reach tw_*_bound(in_len), or TW_ERR_SPACE and nothing has
 *     changed; otherwise all input is consumed. Ask before each call: it counts
 *     held bytes, and covers one update or one final. An opener's is at most
 *     in_len + max_chunk, a chunked sealer's at most
 *     in_len + 20 * (in_len / max_chunk + 1); overflow gives SIZE_MAX. Asked
 *     with the total before the first update of a whole message, a sealer's is
 *     the body's exact length.
 *  2. A chunked sealer emits each call's chunks at once: a call is a flush, an
 *     empty update emits nothing. final(data) seals full chunks and puts the
 *     rest inside the final chunk; final(NULL, 0) makes an empty final chunk.
 *     A whole-message sealer streams too: update emits ciphertext, final the
 *     tag. One message beyond the cipher's limit (GCM: 2^36 - 32 bytes) is
 *     TW_ERR_LIMIT. final tells the peer that the message is complete: after a
 *     failure of yours, free the sealer without it and reset the transport.
 *  3. An opener holds at most one chunk, and its memory grows with the bytes
 *     received, never with the bytes promised. A chunk that lies whole in `in`
 *     is opened straight from there. The final chunk runs to the end of input,
 *     so its plaintext leaves from final alone: one message to a half-closed
 *     stream. A whole message is opened by final alone: update is TW_ERR_STATE.
 *  4. Plaintext leaves only after its tag verified; `out` is scratch until the
 *     call returns. It is an authentic prefix until final returns TW_OK; final
 *     without a final chunk is TW_ERR_TRUNCATED.
 *  5. TW_ERR_SPACE, _STATE and _INVALID change nothing. Any other error is
 *     sticky, wipes what this call wrote (good chunks too), and sets *out_len
 *     to 0.
 *  6. `in` and `out` do not overlap: a sealer that failed silently must not
 *     have left plaintext where ciphertext is expected.
 */
TW_API size_t tw_sealer_bound(const tw_sealer *sealer, size_t in_len);
TW_MUST tw_err tw_sealer_update(tw_sealer *sealer, const uint8_t *in, size_t in_len, uint8_t *out,
                                size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_sealer_final(tw_sealer *sealer, const uint8_t *in, size_t in_len, uint8_t *out,
                               size_t out_cap, size_t *out_len);
TW_API void tw_sealer_free(tw_sealer *sealer);

TW_API size_t tw_opener_bound(const tw_opener *opener, size_t in_len);
TW_MUST tw_err tw_opener_update(tw_opener *opener, const uint8_t *in, size_t in_len, uint8_t *out,
                                size_t out_cap, size_t *out_len);
TW_MUST tw_err tw_opener_final(tw_opener *opener, const uint8_t *in, size_t in_len, uint8_t *out,
                               size_t out_cap, size_t *out_len);
TW_API void tw_opener_free(tw_opener *opener);

/* Blocking convenience over the above, from a reader to a writer. read may be
 * short: chunks are filled to max_chunk all the same; it ends at 0, and final
 * follows. A callback's error is TW_ERR_IO. What was written before a failure is
 * an authentic prefix: discard it. For a body that is done, or has failed, nothing is
 * read: TW_ERR_STATE, or that error again.
 *
 * jobs is how many threads seal or open at once, the calling one among them: the
 * others are started as there is work, block every signal, and have ended when the
 * pump returns. What comes out, and which error, is the same as with one: nothing
 * is written that follows a bad chunk. The callbacks are called by the calling
 * thread alone. A short read says that no more is ready: before the next one,
 * which may wait, all that is there is written. After a read that just filled its
 * room, would_wait says whether the next one has to wait; NULL is never. Memory
 * grows with jobs: each takes four times 128 KiB, or four chunks where those are
 * longer. 256 is the most; 0 is 1, and so is any number for a whole message, for an
 * injected suite, and for an opener in the middle of a chunk. After an error with
 * more than one the body is spent. */
typedef struct tw_pipe {
    size_t size;
    tw_err (*read)(void *arg, uint8_t *buf, size_t cap, size_t *len); /* len 0: end */
    tw_err (*write)(void *arg, const uint8_t *buf, size_t len);       /* all, or an error */
    void *arg;
    size_t max_whole; /* most bytes held for a whole message, more is TW_ERR_LIMIT; 0 is
                       * 64 MiB */
    size_t jobs;
    bool (*would_wait)(void *arg);
} tw_pipe;
TW_MUST tw_err tw_sealer_pump(tw_sealer *sealer, const tw_pipe *pipe);
TW_MUST tw_err tw_opener_pump(tw_opener *opener, const tw_pipe *pipe);

TW_END
#endif
