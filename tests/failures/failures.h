/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAILURES_H
#define FAILURES_H

/*
 * Whatever the library asks for is refused, one thing at a time: each operation of the public
 * headers is done with its first, second, third ... allocation or call of libcrypto's, p11-kit's
 * or the token's failing, until it is done untouched. Then nothing crashes or leaks, no part of an
 * output is left, the code says whose fault it is, and the object serves again or is dead for
 * good.
 */

#include <stdbool.h>
#include <stddef.h>

#include <twoway/hpke.h>
#include <twoway/ohttp.h>

#include "check.h"

/* --- failures.c: what fails. ----------------------------------------------------------------- */

typedef enum failure_kind {
    FAIL_OURS, /* an allocation of the library's own, libcrypto's allocator or the C library's */
    FAIL_LIBCRYPTO,   /* any allocation through libcrypto's allocator */
    FAIL_CALL,        /* a call of libcrypto's or p11-kit's, which is not made */
    FAIL_CALL_LATE,   /* it is made, and then said to have failed */
    FAIL_CALL_SILENT, /* not made, and libcrypto's error queue says something old, of a peer's point
                       */
    FAIL_TOKEN,       /* a call of PKCS #11's */
    FAILURE_KINDS,
} failure_kind;

const char *failure_name(failure_kind k);

/* failures_arm makes the n-th of that kind fail from now on (1 is the next). failures_disarm
 * ends that; it tells what failed, NULL for nothing. A token answers with failures_rv. */
void failures_arm(failure_kind k, size_t n);
const char *failures_disarm(void);
extern unsigned long failures_rv;
bool failures_silent(void); /* whether it failed silently */

/* For who stands in for a function: whether this call fails, before or after it is made. */
bool failures_now(const char *function, bool late);
bool failures_token(const char *function);

/* While it is true nothing fails, for it is the test or the token that asks. */
void failures_pause(bool pause);

/* What fails while something is freed cannot be told, and is nobody's loss. */
#define RELEASE(call) (failures_freeing(true), (call), failures_freeing(false))
void failures_freeing(bool freeing);
bool failures_in_free(const char *failed);

/* --- Operations. ----------------------------------------------------------------------------- */

/* What the operations are done with: suites, keys, and whether by a provider's query. */
typedef struct variant {
    uint16_t kem_id, kdf_id, aead_id;
    const tw_provider *provider;
    const char *name;
} variant;

typedef struct operation {
    const char *name;
    void (*begin)(void); /* makes what the operation needs; NULL: nothing */
    /* Does it once. It checks that an error leaves no output, and a success the right one. */
    tw_err (*act)(void);
    void (*end)(void);
    enum {
        SERVES,
        DIES,
        EITHER
    } then; /* after a failure the object serves as if nothing had been, or
             * answers with the same error for good */
} operation;

extern const operation kem_operations[], hpke_operations[], key_operations[], message_operations[],
    body_operations[], ohttp_operations[], token_operations[],
    token_whole_operations[]; /* each ends without a name */

extern const variant *now; /* which one it is */

/* What an operation gives on a failure, nothing, was there before. */
#define POISON(type) ((type *)(void *)&failures_poison)
extern char failures_poison;

/* made says that *out is there exactly when it went well. */
#define made(err, out) must(((err) == TW_OK) == ((out) != NULL))

/* An output buffer: filled first, and after an error as it was or wiped. */
typedef struct room {
    uint8_t bytes[4096];
} room;
void room_fill(room *r);
void room_check(const room *r, tw_err err);

/* --- known.c --------------------------------------------------------------------------------- */

/* Why an answer that would be wrong stands all the same; NULL: it does not. */
const char *known_reason(const char *name, failure_kind k, const char *failed, tw_err err);
void known_print(void); /* with how often each was met */

#endif
