/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SHIM_H
#define TESTS_SHIM_H

/*
 * A PKCS #11 module that stands in front of another (TWOWAY_SHIM_MODULE names it),
 * counts what it is asked, and answers otherwise where a test says so. The test
 * loads it too and speaks with it through shim_control: one process, one table.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

/* The functions that pass through it, in one list. */
#define SHIM_FUNCTIONS(X)                                                                          \
    X(Initialize)                                                                                  \
    X(Finalize)                                                                                    \
    X(GetInfo)                                                                                     \
    X(GetSlotList)                                                                                 \
    X(GetSlotInfo)                                                                                 \
    X(GetTokenInfo)                                                                                \
    X(OpenSession)                                                                                 \
    X(CloseSession)                                                                                \
    X(GetSessionInfo)                                                                              \
    X(Login)                                                                                       \
    X(FindObjectsInit)                                                                             \
    X(FindObjects)                                                                                 \
    X(FindObjectsFinal)                                                                            \
    X(GetAttributeValue)                                                                           \
    X(GenerateKeyPair)                                                                             \
    X(DeriveKey)                                                                                   \
    X(DestroyObject)

typedef enum shim_function {
#define X(name) SHIM_##name,
    SHIM_FUNCTIONS(X)
#undef X
        SHIM_COUNT
} shim_function;

/* What a rule does to a call that it meets. */
typedef struct shim_rule {
    shim_function function;
    unsigned from, to; /* the calls it meets, counted from 1 since shim_reset */
    CK_RV rv;          /* CKR_OK: forward */
    unsigned delay_ms; /* or SHIM_HOLD: until shim.release */
    /* NULL, or decides by the arguments whether it meets this call: a template or a
     * mechanism, and how many attributes (of the private key where there are two); for
     * OpenSession its flags as the count. */
    bool (*when)(const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *attributes, CK_ULONG count);
} shim_rule;

#define SHIM_HOLD    (~0u)
#define SHIM_RULES   16
#define SHIM_PAD_PIN "Pin-3141592" /* what a person types on the pin pad */

typedef struct shim {
    CK_FUNCTION_LIST *real;
    shim_rule rules[SHIM_RULES];
    size_t rule_count;
    unsigned calls[SHIM_COUNT]; /* since shim_reset */
    long sessions, objects;     /* open; made by DeriveKey and not destroyed */
    unsigned long most_sessions;
    CK_FLAGS set, clear; /* of CK_TOKEN_INFO */
    unsigned logins;     /* that reached the module, with a PIN */
    bool null_pin;       /* the last one had none */
    CK_ULONG value_len;  /* said of CKA_VALUE, unless 0 */
    bool refuse_locking; /* as scute: no OS locking, no arguments but NULL */
    bool overlapped;     /* two calls were in it at once */
    atomic_bool release; /* lets those go on that are held */
} shim;

/* shim_control is the module's one shim; shim_reset forgets rules and counts. */
shim *shim_control(void);
void shim_reset(void);

/* shim_rule_add is for tests: `rule` holds from now on. */
void shim_rule_add(shim_rule rule);

#endif
