/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PEERS_H
#define TESTS_PEERS_H

/*
 * Two peers of one suite, and every kind of message between them: what a test
 * says is only how the body is pushed, cut or altered.
 */

#include <twoway/twoway.h>

#include "bytes.h"

typedef struct triple {
    uint16_t kem_id, kdf_id, aead_id;
} triple;

extern const triple triple_default; /* X25519, HKDF-SHA256, AES-128-GCM */
extern const uint16_t all_kems[5], all_kdfs[3], all_aeads[3];

typedef enum kind {
    KIND_REQUEST,
    KIND_RESPONSE,
    KIND_MULTI,
    KINDS,
} kind;

const char *kind_name(kind k);

#define PEERS_KEY_ID 7

typedef struct peers {
    const tw_suite *suite;
    const tw_key *key;
    const tw_rng *rng;   /* NULL: libcrypto's */
    tw_suite *own_suite; /* NULL when the test brought its own */
    tw_key *own_key;
    tw_sender *sender;
    tw_receiver *receiver;
    tw_exchange *asked;    /* the sender's, of one request; responses travel on it */
    tw_exchange *answered; /* the receiver's */
} peers;

/* peers_start makes software keys and the built-in suite; peers_start_with takes
 * what a test injects (borrowed, the tw_rng itself too; it may be NULL). */
void peers_start(peers *p, triple t);
void peers_start_with(peers *p, const tw_suite *suite, const tw_key *key, const tw_rng *rng);
void peers_end(peers *p);

/* A message as it would travel. */
typedef struct message {
    kind kind;
    tw_format format;
    bytes head, encap, body; /* encap only of KIND_MULTI */
} message;

tw_format format_of(bool chunked, size_t max_chunk);

/* message_begin makes the head and a sealer for the body, which is left empty. */
tw_sealer *message_begin(const peers *p, kind k, tw_format format, message *out);

/* message_seal makes a whole message out of updates of `step` bytes. */
message message_seal(const peers *p, kind k, tw_format format, bytes plain, size_t step);

/* message_accept takes the head; message_open the body too, in steps where the
 * format lets it. */
tw_err message_accept(const peers *p, const message *m, tw_opener **out);
tw_err message_open(const peers *p, const message *m, size_t step, bytes *plain);

#endif
