/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

/*
 * The input of `token`: three bytes of what the token and its user are like, and then for each call
 * of the token a byte. 0 is a call that goes as it should, and so is every one behind the end.
 * Others below SCRIPT_LIES are answered with a code of the table; from there on the call is done,
 * and each number or string of bytes that it gives takes further bytes of what becomes of it.
 */

#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include "support/bytes.h"

#define SCRIPT_LIES 128

/* The first byte. */
#define SCRIPT_KEEPS_DH     0x01
#define SCRIPT_RUNS_HKDF    0x02
#define SCRIPT_HASHES_KEYS  0x04
#define SCRIPT_NO_PUBLIC    0x08
#define SCRIPT_EACH_LOGIN   0x10
#define SCRIPT_DER_ALONE    0x20
#define SCRIPT_NEVER_EXPORT 0x40
#define SCRIPT_WRONG_PIN    0x80

/* The second byte: the KEM, modulo 8 (0 is X25519, 1 P-256), and from 128 on a URI follows: its
 * length and itself. */
#define SCRIPT_URI 128

/* The third byte, what is done with the token. */
#define SCRIPT_LIST     0x01
#define SCRIPT_GENERATE 0x02
#define SCRIPT_USE      0x04
#define SCRIPT_AUTH     0x08
#define SCRIPT_GIVEN    0x10 /* the public half comes from the caller */
#define SCRIPT_CHECK    0x40 /* the doctor, with a key pair of its own */
#define SCRIPT_ODD      0x20 /* the key's label is none for a terminal; it is found by its id */

/* What becomes of a number, by a byte modulo LIE_NUMBERS; of bytes, modulo LIE_BYTES. */
enum { LIE_NOT, LIE_ZERO, LIE_MOST, LIE_MORE, LIE_LESS, LIE_SMALL, LIE_FLIP, LIE_NUMBERS };
enum { LIE_KEEP, LIE_FILL, LIE_CHANGE, LIE_ALL, LIE_BYTES };

/* --- script.c: the token's part. ------------------------------------------------------------- */

struct script {
    bytes left;
    bool lying; /* in this call */
    size_t lies;
    size_t calls, behind;
    unsigned events; /* told since the last function began */
};
extern struct script script;

/* The hooks of pretend.h; script_start takes what is left of the input. */
void script_start(bytes in);
CK_RV script_before(void *arg, const char *function);
void script_number(void *arg, CK_ULONG *n);
void script_bytes(void *arg, void *data, size_t len);

#endif
