/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_LOOP_H
#define EXAMPLES_LOOP_H

/*
 * A loop of poll(2) that knows nothing of messages, as a server has one already. What a peer
 * can make it hold is one `peer`: nothing is read from one that has not taken all that it was
 * sent. A peer begins with a head, for which work is done that takes its time, on a second
 * thread. (A server for the world would also have a deadline for each peer.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_HEAD 256   /* bytes of a head, at most */
#define LOOP_TAKE 4096  /* bytes read at a time, at most */
#define LOOP_GIVE 20600 /* bytes that wait to be sent, at most */

struct talk; /* what the server keeps for one peer: talk_size bytes, zeros at first */

/* In this order; false: hang up. `out` has LOOP_GIVE bytes, of which *len are sent. */
typedef struct server {
    size_t talk_size, head_len;
    bool (*meet)(struct talk *t, const uint8_t *head, size_t len);
    bool (*work)(struct talk *t); /* on the other thread */
    bool (*greet)(struct talk *t, uint8_t *out, size_t *len);
    bool (*take)(struct talk *t, const uint8_t *in, size_t in_len, bool last, uint8_t *out,
                 size_t *len); /* last: the peer has sent all it will */
    void (*part)(struct talk *t);
} server;

/* loop_run serves until `stop` becomes readable. */
void loop_run(int listener, int stop, const server *s);

#endif
