/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STAND_H
#define TESTS_STAND_H

/*
 * A token of a test's own, in a directory of its own that stand_end removes: SoftHSM,
 * or NSS's softoken, or SoftHSM with the shim before it. It records the events that the
 * library tells, and fails the test when one shows the PIN.
 */

#include <twoway/pkcs11.h>

#include <p11-kit/pkcs11.h>

#include "shim.h"

#define STAND_PIN    SHIM_PAD_PIN
#define STAND_SECRET "3141592" /* the part of it that no message may hold */

typedef struct stand {
    char dir[64];
    char module[512];
    char init_args[256];
    const char *token; /* the label, percent-encoded */
    const char *pin;   /* NULL: STAND_PIN */
    bool nss;
    tw_token_options options;
    unsigned events; /* since the last must_event or stand_forget */
    tw_err event_err;
    unsigned long event_rv;
    char event_function[64], event_message[512];
} stand;

void stand_softhsm(stand *s); /* one token, "hpke" */
void stand_shim(stand *s);
void stand_nss(stand *s);
void stand_fips(stand *s); /* NSS in its FIPS mode, behind fips.c */
/* A token that is there. */
void stand_there(stand *s, const char *module, const char *init_args, const char *token,
                 const char *pin);
void stand_end(stand *s);

/* The shim of this process: its state; no rules or counts; one more rule. */
shim *shim_state(void);
void shim_clear(void);
void shim_says(shim_rule rule);

/* stand_add makes one more token in a SoftHSM stand. */
void stand_add(const stand *s, const char *label);

/* stand_uri is "pkcs11:token=...<path>?pin-value=...", kept until the next but seven. */
const char *stand_uri(const stand *s, const char *path);
const char *stand_uri_without_pin(const stand *s, const char *path);

tw_token *stand_open(stand *s);

/* stand_key makes a key of that label, with the KEM's id as its id, and finds it anew. */
tw_key *stand_key(stand *s, tw_token *token, uint16_t kem_id, const char *label);

/* must_event says that exactly one event came, for that call (NULL: none) and code, and
 * that its message holds `part`. */
#define must_event(s, err, function, rv, part)                                                     \
    check_event(__FILE__, __LINE__, (s), (err), (function), (rv), (part))
void check_event(const char *file, int line, stand *s, tw_err err, const char *function,
                 unsigned long rv, const char *part);
void must_no_event(const stand *s);
void stand_forget(stand *s);

/* What else uses the module in this process: its own table and session. */
CK_FUNCTION_LIST *stand_raw(const stand *s);
CK_SESSION_HANDLE raw_session(const stand *s, CK_FUNCTION_LIST *fn);
CK_OBJECT_HANDLE raw_find(CK_FUNCTION_LIST *fn, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                          const char *label);
void raw_destroy(const stand *s, CK_OBJECT_CLASS class, const char *label);

/* run_quietly runs a command of the shell's and fails the test when it fails. */
__attribute__((format(printf, 1, 2))) void run_quietly(const char *format, ...);

void write_file(const char *path, const char *text);

/* By CLOCK_MONOTONIC. */
struct timespec;
long ms_since(const struct timespec *begun);

/* must_succeed runs it in a forked child, which answers by its status, 0: Criterion's assertions
 * belong to the parent. */
enum { CHILD_SECONDS = 30 }; /* then it is stuck, and killed */
void must_succeed(int (*child)(void));

#endif
