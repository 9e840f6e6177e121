/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pkcs11/stand.h"
#include "check.h"

/*
 * Receiving through a token, beside the loop that any program needs: derive, read the
 * value, destroy the object, written by hand against the module, a session a thread.
 * With SoftHSM, where the module is what limits; and with a module that takes its time
 * (slow.c), where the number of sessions is.
 */

enum {
    PLAIN = 1024,
    REQUESTS = 64, /* of one receiving */
    MOST_THREADS = 64,
};

static const size_t thread_counts[] = {1, 2, 4, 8};
static const size_t session_counts[] = {1, 4, 16, 64};
static const unsigned delays_ms[] = {2, 100};
static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_X25519_HKDF_SHA256};

/* --- The loop by hand. ----------------------------------------------------------------- */

typedef struct by_hand {
    CK_FUNCTION_LIST *fn;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bytes point;
    CK_ULONG dh_len;
    bare_rest *rest;
} by_hand;

/* As any program asks for it; or, with `open`, as pkcs11/ does where the token lets it. */
static void derive_by_hand(const by_hand *h, bool open)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
    CK_ULONG len = h->dh_len;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &no, sizeof(no)},       {CKA_EXTRACTABLE, &yes, sizeof(yes)},
        {CKA_SENSITIVE, &no, sizeof(no)},   {CKA_VALUE_LEN, &len, sizeof(len)},
        {CKA_PRIVATE, &no, sizeof(no)},
    };
    CK_ECDH1_DERIVE_PARAMS params = {
        .kdf = CKD_NULL, .ulPublicDataLen = h->point.len, .pPublicData = h->point.data};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    uint8_t value[TW_MAX_DH];
    CK_ATTRIBUTE read = {CKA_VALUE, value, sizeof(value)};
    CK_OBJECT_HANDLE object;

    must(h->fn->C_DeriveKey(h->session, &mechanism, h->key, template, open ? 7 : 6, &object) == CKR_OK);
    must(h->fn->C_GetAttributeValue(h->session, object, &read, 1) == CKR_OK);
    must(h->fn->C_DestroyObject(h->session, object) == CKR_OK);
}

static uint64_t by_hand_run(void *state, size_t count)
{
    uint64_t begun = now_ns();

    for (size_t i = 0; i < count; i++) {
        derive_by_hand(state, false);
    }
    return now_ns() - begun;
}

/* The quickest that we know of, with what libcrypto has to do of a request. */
static uint64_t by_hand_alone_run(void *state, size_t count)
{
    const by_hand *h = state;
    uint64_t begun = now_ns();

    for (size_t i = 0; i < count; i++) {
        derive_by_hand(h, true);
        bare_rest_run(h->rest, false);
    }
    return now_ns() - begun;
}

/* --- A token with a key, and who uses it. ------------------------------------------------- */

typedef struct bed {
    stand stand;
    tw_token *token;
    tw_key *key;
    tw_suite *suite;
    peers peers;
    CK_FUNCTION_LIST *fn;
    CK_OBJECT_HANDLE object;
    size_t threads;
    receiving *ours[MOST_THREADS * 2];
    by_hand bare[MOST_THREADS];
    together together_ours, together_bare, together_alone;
} bed;

static void bed_start(bed *b, const char *module, uint16_t kem_id, size_t sessions)
{
    CK_SESSION_HANDLE session;

    memset(b, 0, sizeof(*b));
    stand_softhsm(&b->stand);
    if (module != NULL) {
        (void)snprintf(b->stand.module, sizeof(b->stand.module), "%s", module);
    }
    b->stand.options.max_sessions = sessions;
    b->token = stand_open(&b->stand);
    b->key = stand_key(&b->stand, b->token, kem_id, "bench");
    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &b->suite));
    peers_start_with(&b->peers, b->suite, b->key, NULL);
    b->fn = stand_raw(&b->stand);
    session = raw_session(&b->stand, b->fn);
    b->object = raw_find(b->fn, session, CKO_PRIVATE_KEY, "bench");
    must(b->fn->C_CloseSession(session) == CKR_OK);
}

/* Has `threads` threads of each kind ready; `ours` of them receive. */
static void bed_populate(bed *b, size_t ours, size_t bare)
{
    tw_key *key;

    must(ours <= MOST_THREADS * 2 && bare <= MOST_THREADS);
    b->together_ours = (together){.count = ours};
    b->together_bare = b->together_alone = (together){.count = bare};
    for (size_t i = 0; i < ours; i++) {
        b->ours[i] = i == 0 ? receiving_new(&b->peers, format_of(false, 0), PLAIN, false)
                            : receiving_share(b->ours[0]);
        b->together_ours.sides[i] = (side){receiving_run, b->ours[i]};
    }
    must_ok(tw_key_generate(b->suite->kem_id, NULL, NULL, &key));
    for (size_t i = 0; i < bare; i++) {
        b->bare[i] = (by_hand){b->fn,     raw_session(&b->stand, b->fn),
                               b->object, bytes_of(key->public_key, key->kem->public_len),
                               32,        bare_rest_new(b->suite->kem_id)};
        b->together_bare.sides[i] = (side){by_hand_run, &b->bare[i]};
        b->together_alone.sides[i] = (side){by_hand_alone_run, &b->bare[i]};
    }
    tw_key_free(key);
}

static void bed_clear(bed *b)
{
    for (size_t i = 0; i < b->together_ours.count; i++) {
        receiving_free(b->ours[i]);
    }
    for (size_t i = 0; i < b->together_bare.count; i++) {
        must(b->fn->C_CloseSession(b->bare[i].session) == CKR_OK);
        bare_rest_free(b->bare[i].rest);
    }
    b->together_ours.count = b->together_bare.count = 0;
}

static void bed_end(bed *b)
{
    peers_end(&b->peers);
    tw_suite_free(b->suite);
    tw_key_free(b->key);
    tw_token_free(b->token);
    stand_end(&b->stand);
}

/* --- SoftHSM. ------------------------------------------------------------------------------- */

static void token_rows(const plan *p, bed *b, const char *kem)
{
    for (size_t i = 0; i < sizeof(thread_counts) / sizeof(thread_counts[0]); i++) {
        row r = row_named(SPEED, "token/%s/%zu", kem, thread_counts[i]);

        if (is_wanted(p, r.name)) {
            bed_populate(b, thread_counts[i], thread_counts[i]);
            r.ours = side_of_together(&b->together_ours);
            r.bare = side_of_together(&b->together_bare);
            r.alone = side_of_together(&b->together_alone);
            compare(p, &r);
            bed_clear(b);
        }
    }
}

static void latency_row(const plan *p, bed *b, const char *kem)
{
    row r = row_named(COST, "token/latency/%s", kem);

    if (is_wanted(p, r.name)) {
        bed_populate(b, 1, 1);
        r.ours = b->together_ours.sides[0];
        r.bare = b->together_bare.sides[0];
        percentiles(p, &r);
        bed_clear(b);
    }
}

void measure_token(const plan *given)
{
    plan p = *given;

    if (!has_group(&p, "token")) {
        return;
    }
    p.slice_ns *= 32; /* of eight threads each has a dozen operations of the slowest row */
    p.budget_ns *= 2;
    p.samples /= 4;
    unpin();
    for (size_t k = 0; k < sizeof(kems) / sizeof(kems[0]); k++) {
        static bed b;
        size_t mark = bytes_mark();

        bed_start(&b, NULL, kems[k], 16);
        token_rows(&p, &b, tw_kem_name(kems[k]));
        latency_row(&p, &b, tw_kem_name(kems[k]));
        bed_end(&b);
        bytes_release(mark);
    }
    pin(core_count() - 1);
}

/* --- A slow token. ------------------------------------------------------------------------------
 */

/*
 * What `sessions` sessions give at best is that many times what one does alone, and so the
 * bare side is one session by hand, divided. Twice as many threads receive as there are
 * sessions: none may lie idle while it goes from one to the next.
 */
typedef struct slow_ideal {
    by_hand *one;
    side ours;
    size_t sessions;
} slow_ideal;

/* As many operations in each session: a last round for a few would measure the count. */
static uint64_t slow_ours_run(void *state, size_t count)
{
    const slow_ideal *s = state;
    size_t even = (count + s->sessions - 1) / s->sessions * s->sessions;

    return s->ours.run(s->ours.state, even) * count / even;
}

static uint64_t slow_ideal_run(void *state, size_t count)
{
    const slow_ideal *s = state;
    size_t alone = (count + s->sessions - 1) / s->sessions;

    return by_hand_run(s->one, alone) * count / (alone * s->sessions);
}

static void slow_row(const plan *given, unsigned delay_ms, size_t sessions)
{
    static bed b;
    row r = row_named(SPEED, "slow/%u-ms/%zu", delay_ms, sessions);
    plan p = *given;
    size_t mark = bytes_mark();
    unsigned few;
    char delay[16];
    slow_ideal ideal;

    if (!is_wanted(&p, r.name)) {
        return;
    }
    /* An operation is three calls; a round has a few for each session, fewer in a hurry. */
    few = delay_ms < 10 ? 24 : p.budget_ns < 500000000 ? 2 : 4;
    p.slice_ns = p.smoke ? 1 : (uint64_t)delay_ms * 3000000 * few;
    p.rounds = 3;
    bed_start(&b, BENCH_SLOW_MODULE, TW_KEM_X25519_HKDF_SHA256, sessions);
    bed_populate(&b, p.smoke ? sessions : sessions * 2, 1);
    ideal = (slow_ideal){&b.bare[0], side_of_together(&b.together_ours), sessions};
    r.ours = (side){slow_ours_run, &ideal};
    r.bare = (side){slow_ideal_run, &ideal};
    (void)receiving_run(b.ours[0], REQUESTS); /* the module learns what they give */
    (void)snprintf(delay, sizeof(delay), "%u", delay_ms);
    must(setenv("BENCH_SLOW_MS", delay, 1) == 0);
    compare(&p, &r);
    must(unsetenv("BENCH_SLOW_MS") == 0);
    bed_clear(&b);
    bed_end(&b);
    bytes_release(mark);
}

void measure_slow(const plan *p)
{
    if (!has_group(p, "slow")) {
        return;
    }
    unpin();
    for (size_t d = 0; d < sizeof(delays_ms) / sizeof(delays_ms[0]); d++) {
        for (size_t i = 0; i < sizeof(session_counts) / sizeof(session_counts[0]); i++) {
            slow_row(p, delays_ms[d], session_counts[i]);
        }
    }
    pin(core_count() - 1);
}
