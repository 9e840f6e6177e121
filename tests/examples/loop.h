/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_LOOP_H
#define EXAMPLES_LOOP_H

/*
 * A loop of poll(2), as a server has one already. What a peer can make it hold is one `peer`:
 * nothing is read from one that has not taken all that it was sent. A peer begins with a head,
 * for which work is done that takes its time, on a second thread. (A server for the world would
 * also have a deadline for each peer.)
 */

#include <twoway/twoway.h>

#define LOOP_HEAD 256   /* bytes of a head, at most */
#define LOOP_TAKE 4096  /* bytes read at a time, at most */
#define LOOP_GIVE 20600 /* bytes that wait to be sent, at most */

/* What a server has of one peer. The loop frees it when they part. */
typedef struct talk {
    tw_pending *pending;
    tw_exchange *exchange;
    tw_opener *request;
    tw_sealer *answer;
} talk;

/* In this order; an error: hang up. `out` has LOOP_GIVE bytes, of which *len are sent. */
typedef struct server {
    tw_err (*meet)(talk *t, const uint8_t *head, size_t len);
    tw_err (*work)(tw_pending *pending); /* on the other thread */
    tw_err (*greet)(talk *t, uint8_t *out, size_t *len);
    tw_err (*take)(talk *t, const uint8_t *in, size_t in_len, bool last, uint8_t *out,
                   size_t *len); /* last: the peer has sent all it will */
} server;

/* loop_run serves peers with heads of this length until `stop` becomes readable. */
void loop_run(int listener, int stop, size_t head_len, const server *s);

#endif
