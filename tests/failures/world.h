/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORLD_H
#define WORLD_H

/* What operations are done with. `want_` makes it of the variant that is on, when nothing
 * fails; world_end frees all. */

#include "failures.h"

#define WORLD_TEXT "some text, which is not long"

typedef struct world {
    tw_kem *kem;
    tw_key *key, *identity;
    tw_suite *suite;
    tw_sender *sender;
    tw_receiver *receiver;
    tw_exchange *asked, *answered;
    tw_pending *pending;
    tw_multi *multi;
    tw_sealer *sealer;
    tw_opener *opener;
    tw_hpke *sends, *receives;
    tw_hpke_params params;
    tw_format format;
    uint8_t secret[TW_MAX_SECRET];
    uint8_t enc[TW_MAX_ENC], head[TW_MAX_HEAD], encap[TW_MAX_HEAD], body[512], saved[TW_MAX_SAVE];
    size_t head_len, encap_len, body_len, saved_len;
} world;

extern world w;

void want_kem(void);
void want_key(void); /* and the sender's identity */
void want_suite(void);
void want_encap(void);    /* enc and secret, for the key */
void want_sender(void);   /* and the receiver */
void want_request(void);  /* the head, the body sealed, the sender's exchange */
void want_accepted(void); /* the receiver's exchange and opener too */
void want_response(void); /* the head and body of an answer instead */
void want_multi(void);    /* encap, head and body */
void want_hpke(void);     /* both contexts, base mode, and enc */
void world_end(void);

/* The layout of all messages from now on; it is whole unless that was said. */
void world_chunked(bool chunked);

#endif
