/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

/* What the scenes with software keys have in common: a suite, what a caller holds, and the
 * steps that more than one of them takes. */

#include <twoway/hpke.h>
#include <twoway/ohttp.h>
#include <twoway/twoway.h>

#include "check.h"
#include "search.h"

typedef struct setting {
    const char *name;
    uint16_t kem_id, kdf_id, aead_id;
    size_t private_len;
    const char *properties;
} setting;

extern const setting settings[]; /* ends with a NULL name */

/* What live objects hold, by the names that the seam gives. */
#define KEY      "private_key candidate sk KDF_output"
#define BODY     "key AEAD_key base_nonce nonce keystream KDF_output"
#define EXCHANGE "exp KDF_output"
#define HPKE     BODY " " EXCHANGE

typedef struct stage {
    const setting *s;
    tw_provider provider;
    tw_suite *suite;
    tw_key *key, *identity;
    tw_sender *sender;
    tw_receiver *receiver;
    tw_pending *pending;
    tw_sealer *sealer;
    tw_opener *opener;
    tw_exchange *asked, *answered;
    tw_multi *multi;
    tw_hpke *seals, *opens;
    tw_keyset *set;
    tw_hpke_auth sending, receiving;
    tw_hpke_params from, to;
    tw_format format;
    bytes sk, plain, out, head, encap, body, text, enc;
    size_t body_len, len;
} stage;

extern stage st;

/* One operation, far down the stack; then the search. */
#define STEP(name) static void name(void *arg)
#define DO(name, allowed)                                                                          \
    do {                                                                                           \
        deep(name, &st);                                                                           \
        must_hold(#name, allowed);                                                                 \
    } while (0)

void stage_begin(const setting *s);
void stage_end(void);

/* A key, a sender and a receiver. */
void peers_new(void *arg);
void peers_free(void *arg);

/* The scenes; arg is a setting. */
void keys(const void *arg);
void whole(const void *arg);
void chunked(const void *arg);
void given_up(const void *arg);
void one_to_many(const void *arg);
void hpke(const void *arg);
void pump(const void *arg);
void threads(const void *arg);

/* A body through st.sealer, then through st.opener; what lives besides is held. */
void seal_body(const char *besides);
void open_body(const char *besides);
void exchanges_free(void *arg);

#endif
