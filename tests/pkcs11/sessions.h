/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SESSIONS_H
#define TESTS_SESSIONS_H

/*
 * A module that is a table of a few calls, which answer as they are told, and one token in it,
 * which nobody logs in to: with room for two sessions, of generation 3 and epoch 10.
 */

#include "check.h"
#include "token.h"

enum {
    BOTH_WAYS = CKF_SERIAL_SESSION | CKF_RW_SESSION,
    DEADLINE_MS = 30000,
};

extern module with;
extern tw_token token;

/* What C_OpenSession is to answer, call by call, and what it was asked. It gives the handles 101,
 * 102 and so on, whatever the answer. */
typedef struct table {
    CK_RV answer[4];
    CK_FLAGS flags[8];
    size_t opened, closed;
    CK_SESSION_HANDLE last_closed;
    void (*meanwhile)(void); /* as a session is closed or opened */
    session *spare;          /* comes back as the token has no more */
} table;
extern table now;

void begin(void);
void end(void); /* every place is back, no call is under way and no lock is held */
bool is_free(pthread_mutex_t *lock);

/* An operation that answers what it is told, call by call, and where it ran last. */
typedef struct script {
    CK_RV answer[4];
    tw_err err;               /* without a call's answer */
    bool breaks;              /* the session */
    void (*meanwhile)(op *o); /* NULL: nothing */
    size_t calls;
    CK_SESSION_HANDLE session;
} script;
tw_err play(op *o, void *arg);
tw_err run(persistence how, script *s);
tw_err logins_come(op *o, void *arg); /* as often as a size_t says; the last takes the session */

#endif
