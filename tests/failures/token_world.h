/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_WORLD_H
#define TOKEN_WORLD_H

/* What the operations of pkcs11.h are done with: a token in this process, and its user. */

#include <twoway/pkcs11.h>

#include "failures.h"
#include "pretend.h"

#define TOKEN_URI "pkcs11:token=pretend;object=k"

extern pretend_token the_token;
extern tw_token_options options;
extern tw_token *token;
extern tw_key *key;
extern char uri[256]; /* TOKEN_URI, unless an operation wants more */
extern unsigned events;

void token_begin(const pretend_token *like);
void token_plain(void); /* the same, of one that is like most */
void want_token(void);
void want_token_key(void); /* and the token */

/* token_end frees all that is there; nothing is left in the token, or open. */
void token_end(void);

/* token_told says that a failure of the token was told. */
tw_err token_told(tw_err err);

size_t keys_in_token(void);

#endif
