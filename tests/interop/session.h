/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SESSION_H
#define TESTS_SESSION_H

/* What both ends of an HPKE context are told, and the Go program's end of it. */

#include "interop.h"

enum {
    BASE,
    PSK,
    AUTH,
    AUTH_PSK,
    STANDARD, /* base, with the library of Go itself in place of the one below the package */
    TEXTS = 4,
    EXPORTS = 3,
};

typedef struct text {
    bytes aad, plain;
} text;

typedef struct session {
    bytes info, psk, psk_id;
    text texts[TEXTS];
    size_t count; /* of texts; one, when it is sealed or opened in one shot */
    bytes labels[EXPORTS];
    size_t lens[EXPORTS];
    size_t exports;
    tw_hpke_auth auth;
} session;

bool is_export_only(const plan *p);
bool has_psk(const plan *p);
bool has_identity(const plan *p);
bool in_one_shot(const plan *p);
session session_of(const plan *p);
tw_hpke_params params_of(const plan *p, const session *s); /* valid as long as the session */
bytes own_public(const plan *p);

/* go_opens leaves the plaintexts, then the exported secrets, for go_result; false: refused. */
bool go_opens(run *r, const plan *p, const session *s, bytes sender, bytes enc,
              const bytes *sealed);

/* go_seals leaves the exported secrets. */
void go_seals(run *r, const plan *p, const session *s, bytes *enc, bytes *sealed);

/* must_export_alike takes those and compares. */
void must_export_alike(go *g, const session *s, const tw_hpke *hpke);

#endif
