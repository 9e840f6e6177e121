/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FORGE_H
#define TESTS_FUZZ_FORGE_H

/*
 * A sender who holds the keys, and so seals what no sealer of ours would: any chunks
 * under any lengths, numbers and words; and beside it an opener written again in the
 * plainest way, which has the whole body at hand and says what ours must make of it.
 * With that the state machine is reached behind the tags, which no mutation gets past.
 */

#include "push.h"
#include "support/peers.h"

typedef struct keys {
    size_t aead; /* index of all_aeads */
    uint8_t key[32], base[12];
    bool useless; /* what is sealed with them does not open */
} keys;

/* The items of a body. A length is what take_length takes. */
typedef enum forge_item {
    FORGE_CHUNK,      /* length: an ordinary chunk under the next number */
    FORGE_FINAL,      /* length: the final chunk */
    FORGE_BARE,       /* length: sealed as an ordinary chunk or whole message, no length before */
    FORGE_BARE_FINAL, /* length: sealed as a final chunk, no length before */
    FORGE_LENGTH,     /* byte, short: value << byte % 48 as a length, in 1 to 8 bytes by the byte */
    FORGE_RAW,        /* count, bytes */
    FORGE_SKIP,       /* nothing, but a number is left out */
    FORGE_BACK,       /* nothing, but a number is taken again */
    FORGE_ITEMS,
} forge_item;

bytes forge_seal(const keys *k, uint64_t number, bytes aad, bytes plain);
bytes forge_body(const keys *k, bytes in);

/* What an opener must answer, and the most that it may have released by then. */
typedef struct outcome {
    tw_err err;
    bytes plain;
} outcome;
outcome forge_expect(const keys *k, const tw_format *format, bytes body);

/* What every forged message's input begins with: a byte for the kind, a byte that counts
 * pieces and that many of them. */
#define FORGE_CHUNKED     0x01
#define FORGE_FINAL_EMPTY 0x02
#define FORGE_LARGE       0x04 /* the opener takes chunks of 20000 */
#define FORGE_ALTERED     0x08 /* and so are the bytes that tell the heads' alterations */
#define FORGE_AEAD_SHIFT  4    /* index of all_aeads, modulo 3 */

typedef struct forgery {
    size_t aead;
    bool altered;
    tw_format format;
    pieces pieces;
} forgery;
forgery forgery_read(bytes *in);

/* forge_alter changes a head as the input says: a short for the place, and a byte. In the
 * head, that bit pattern is added, none of it cuts the head there; behind it, there is
 * one byte more. */
bytes forge_alter(bytes head, bytes *in);

/* forge_check opens a body that was forged, in pieces and at once, with an opener that
 * `open` makes each time. */
void forge_check(const forgery *f, const keys *k, bytes in, tw_opener *(*open)(void *arg),
                 void *arg);

/* --- party.c: a receiver of each AEAD, and what its requests' keys are. ---------------------- */

typedef struct party {
    const tw_suite *suite;
    tw_receiver *receiver;
    uint8_t start[7 + 32];   /* header || enc, of every request */
    bytes head;              /* the same */
    keys request[2];         /* whole, chunked */
    uint8_t exporter[2][64]; /* likewise */
} party;
const party *party_of(size_t aead);

/* The keys of a response under this nonce to the request that is not chunked. */
keys party_response(const party *p, bool chunked, bytes nonce);

/* An exchange of the sender's, as it was when that request was made. */
tw_exchange *party_exchange(const party *p);

#endif
