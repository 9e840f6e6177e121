/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JOIN_STAND_H
#define TESTS_JOIN_STAND_H

/*
 * One key in two tokens, each behind a module of its own: "hpke" behind the fault module, which
 * takes it away, and "second" in a copy of SoftHSM, which nothing disturbs.
 */

#include "fault_stand.h"

/* A script by which the first token is not there. */
#define JOIN_GONE                                                                                  \
    "C_GetSlotList * none\nC_OpenSession * fail CKR_TOKEN_NOT_PRESENT\n"                           \
    "C_DeriveKey * kill CKR_DEVICE_REMOVED\nC_GetAttributeValue * kill CKR_DEVICE_REMOVED\n"       \
    "C_GetSessionInfo * kill CKR_DEVICE_REMOVED\nC_FindObjectsInit * kill CKR_DEVICE_REMOVED\n"

typedef struct join_stand {
    stand s;                    /* of the first; its events go nowhere, for probes have threads */
    char copy[160];             /* the second's module */
    tw_token_options second;    /* its options */
    tw_token_member members[3]; /* the third is the test's */
    tw_key *key, *software;     /* to be joined by the test; the same key, or the first's */
} join_stand;

void join_begin(join_stand *j, bool same); /* false: the tokens have different keys */
void join_end(join_stand *j);              /* frees both keys too */

tw_err join_state(const join_stand *j, size_t index);
uint64_t join_operations(const join_stand *j, size_t index);
void join_wait_until(const join_stand *j, size_t index, tw_err state);

#endif
