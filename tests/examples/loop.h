/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_LOOP_H
#define EXAMPLES_LOOP_H

/*
 * A loop of poll(2) that knows nothing of messages, as a server has one already. What a peer
 * can make it hold is one `peer`: nothing is read from one that has not taken all that it was
 * sent. Work that takes its time is done on a second thread. (A server for the world would
 * also have a deadline for each peer.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_TAKE 4096  /* bytes read at a time, at most */
#define LOOP_GIVE 20600 /* bytes that wait to be sent, at most */

struct talk; /* what the server keeps for one peer */

typedef struct peer {
    int fd;
    size_t want;      /* read at most that many bytes next, up to LOOP_TAKE */
    bool working;     /* with the other thread: neither read nor written meanwhile */
    bool parting;     /* hang up once all is sent */
    size_t sent, len; /* of out */
    uint8_t out[LOOP_GIVE];
    struct talk *talk;
} peer;

typedef struct server {
    struct talk *(*meet)(peer *p);
    void (*part)(struct talk *talk);
    bool (*take)(peer *p, const uint8_t *in, size_t len); /* len 0: it has sent all it will */
    void (*work)(struct talk *talk); /* on the other thread, after take has set `working` */
    bool (*worked)(peer *p);         /* back on this one */
} server;                            /* false: hang up */

/* loop_run serves until `stop` becomes readable. */
void loop_run(int listener, int stop, const server *s);

#endif
