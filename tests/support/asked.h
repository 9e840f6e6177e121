/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ASKED_H
#define TESTS_ASKED_H

/* A key set as a server has it, and requests to what its configurations say. */

#include <twoway/ohttp.h>

#include "bytes.h"

#define PAIRS 3
extern const tw_symmetric pairs[PAIRS];

/* keyset_add gives the set a software key of its own; what is returned serves to look
 * at. */
const tw_key *keyset_add(tw_keyset *set, uint8_t key_id, uint16_t kem_id, tw_key_state state);

/* keyset_only is the configuration of a set that lists one. */
tw_config keyset_only(tw_keyset *set);

typedef struct asked {
    tw_suite *suite;
    tw_exchange *exchange; /* the sender's */
    bytes plain, head, body;
} asked;

asked ask(const tw_config *config, size_t pair);
void asked_end(asked *a);

/* asked_acquire gets the receiver by the request's header; must_receive accepts, opens
 * and answers. */
const tw_receiver *asked_acquire(const asked *a, tw_keyset *set);
void must_receive(const asked *a, const tw_receiver *receiver);
void must_open(const asked *a, tw_opener *opener);
void must_answer(const asked *a, tw_exchange *answered);

/* must_not_acquire says that there is no such receiver now. */
void must_not_acquire(tw_err want, tw_keyset *set, bytes head);

#endif
