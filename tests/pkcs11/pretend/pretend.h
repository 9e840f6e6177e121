/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRETEND_H
#define PRETEND_H

/*
 * A token that lives in this process: a PKCS #11 module over software keys, as small as the
 * library lets it be, and honest unless a test makes a call fail or what it gives another.
 * One slot, one token ("pretend", manufacturer "tests"), one key pair with the
 * id 01, one PIN, one thread.
 *
 * The library loads it by its path, pretend_path(), a module that asks here for its functions.
 */

#include <stdbool.h>
#include <stdint.h>

#include <p11-kit/pkcs11.h>

#include <twoway/kem.h>

#define PRETEND_PIN "3141592-pretend"

typedef struct pretend_token {
    /* What the token is like. */
    uint16_t kem_id;
    bool keeps_dh;     /* a DH output cannot be read */
    bool runs_hkdf;    /* CKM_HKDF_DERIVE and what goes with it */
    bool hashes_keys;  /* C_DigestKey */
    bool no_public;    /* there is no public key object */
    bool each_login;   /* CKA_ALWAYS_AUTHENTICATE */
    const char *label; /* of the key; NULL is "k" */
    bool der_alone;    /* a peer's point is taken as an OCTET STRING alone */

    /* What a test does to it; each may be NULL. */
    void *arg;
    CK_RV (*before)(void *arg, const char *function); /* CKR_OK, or the answer */
    void (*inside)(void *arg, bool inside);           /* the token begins to work, or ends */
    void (*number)(void *arg, CK_ULONG *number);      /* what it gives may be changed */
    void (*bytes)(void *arg, void *data, size_t len);

    /* What was seen. */
    size_t calls, sessions, objects; /* objects: of sessions, not the keys */
    bool initialised, pin_sent_again;
} pretend_token;

/* pretend_start makes the token's keys, always the same, and gives it to whoever loads the
 * module; pretend_end takes it back. `t` has been filled so far as a test wants. */
void pretend_start(pretend_token *t);
void pretend_end(void);
void pretend_forget_pin(void); /* who comes now has not sent one yet */

const char *pretend_path(void);
const tw_key *pretend_key(void); /* the same key, in software */

/* --- Between its files. ---------------------------------------------------------------------- */

#define PRETEND_MOST_VALUE 256

typedef struct pretend_object {
    CK_OBJECT_HANDLE handle;   /* 0: this place is free */
    CK_SESSION_HANDLE session; /* 0: the token's */
    CK_OBJECT_CLASS class;
    const tw_key *key; /* of a private or public key */
    char label[64];
    uint8_t id[64];
    size_t label_len, id_len;
    bool readable;
    uint8_t value[PRETEND_MOST_VALUE]; /* of a secret or data */
    size_t value_len;
} pretend_object;

extern pretend_token *pretend;

#define PRETEND_OBJECTS 32
extern pretend_object pretend_objects[PRETEND_OBJECTS];

/* Each function begins with it: it counts the call, tells the test that the token is at work
 * until the function returns, and returns what the test answers in its place. */
#define PRETEND_ASKED()                                                                            \
    __attribute__((cleanup(pretend_leave))) CK_RV asked_rv = pretend_enter(__func__);              \
    if (asked_rv != CKR_OK) {                                                                      \
        return asked_rv;                                                                           \
    }
CK_RV pretend_enter(const char *function);
void pretend_leave(CK_RV *asked);

void pretend_number(CK_ULONG *number);
void pretend_bytes(void *data, size_t len);

bool pretend_has_session(CK_SESSION_HANDLE session);
pretend_object *pretend_find(CK_OBJECT_HANDLE handle); /* NULL: none */
pretend_object *pretend_add(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class);
void pretend_remove_of(CK_SESSION_HANDLE session); /* what that session made */

/* The functions are those that the standard's header declares; session.c has their table. */

#endif
