/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

/*
 * Both ends of an HPKE context in any mode, through hpke.h alone. A test alters what
 * one end says and looks at what the other makes of it.
 */

#include <twoway/hpke.h>

#include "bytes.h"
#include "peers.h"

typedef enum mode {
    MODE_BASE,
    MODE_PSK,
    MODE_AUTH,
    MODE_AUTH_PSK,
    MODES,
} mode;

const char *mode_name(mode m);
bool mode_has_psk(mode m);
bool mode_has_sender(mode m);

typedef struct pair {
    const tw_suite *suite;
    const tw_key *receiver, *identity; /* identity: the sender's, in the auth modes */
    tw_suite *own_suite;               /* NULL when the test brought its own */
    tw_key *own_receiver, *own_identity;
    bytes info, psk, psk_id;
    tw_hpke_auth sending, receiving;
    tw_hpke_params sender, opener; /* what each end is set up with */
    bytes enc;
    tw_hpke *seals, *opens; /* NULL before pair_connect */
} pair;

/* pair_start makes software keys and the built-in suite; pair_start_with takes what a
 * test injects (borrowed; identity may be NULL outside the auth modes). */
void pair_start(pair *p, triple t, mode m);
void pair_start_with(pair *p, mode m, const tw_suite *suite, const tw_key *receiver,
                     const tw_key *identity);
void pair_end(pair *p);

/* pair_send sets up the sender, pair_receive the receiver, pair_connect both. */
tw_err pair_send(pair *p);
tw_err pair_receive(pair *p);
void pair_connect(pair *p);

/* pair_seal and pair_open are one message; its aad says nothing. */
bytes pair_seal(pair *p, bytes plain);
tw_err pair_open(pair *p, bytes sealed, bytes *plain);

/* must_pass sends one message over a connected pair; must_refuse says that the first
 * open fails, with TW_ERR_AUTH, and that the exporters differ. */
void must_pass(pair *p);
void must_refuse(pair *p);

#endif
