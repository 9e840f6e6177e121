/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_H
#define JOIN_H

/* One key in several tokens, inside: join.c works with its members, member.c looks after them. */

#include "token.h"

typedef struct joined joined;
typedef struct member {
    joined *all;
    char *uri;
    tw_token *token;  /* kept, though it may not have been found yet */
    tw_key *key;      /* NULL until it was */
    bool aside, lost; /* not asked; never again, for it would cost a PIN's try or is another key */
    tw_err err;       /* why */
    size_t in_flight;
    struct timespec hangs; /* unless an operation has ended by then */
    pthread_t prober;
    bool probed;  /* there is such a thread to join */
    bool watched; /* exit waits for it */
} member;

struct joined {
    tw_key base; /* first: a tw_key * is also a joined * */
    uint8_t public_key[TW_MAX_PUBLIC];
    atomic_ullong process;
    pthread_mutex_t lock; /* of all members; never held while a token is called */
    pthread_cond_t stop;
    bool stopping;
    size_t next, count;
    member members[];
};

/* twp_member_open finds the key in its token; twp_member_aside, under the lock, has it looked after
 * until it serves again. */
tw_err twp_member_open(member *m);
void twp_member_aside(member *m, tw_err err);

/* In a child of fork, before anything else is done: twp_joined_forget forgets who was at work in
 * the parent, twp_joined_adopt also looks after who is aside. */
void twp_joined_forget(joined *j);
void twp_joined_adopt(joined *j);

#endif
