/* SPDX-License-Identifier: Apache-2.0 */
#include "soak.h"

#include <stdlib.h>

#include "check.h"

static void make_ends(bench *b, size_t i)
{
    const tw_key *key = b->keys[i];

    must_ok(
        tw_sender_new(b->suite, 1, key->public_key, key->kem->public_len, NULL, &b->senders[i]));
    must_ok(tw_receiver_new(b->suite, 1, key, NULL, &b->receivers[i]));
}

static void make_suite(bench *b)
{
    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         &b->suite));
}

void bench_open(bench *b, stand *s, size_t sessions)
{
    static const char *const labels[SOAK_KEYS] = {"a", "b"};

    *b = (bench){0};
    make_suite(b);
    s->options.max_sessions = sessions;
    s->options.deadline_ms = SOAK_DEADLINE_MS;
    s->options.event = soak_event;
    b->token = stand_open(s);
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        b->keys[i] = stand_key(s, b->token, TW_KEM_P256_HKDF_SHA256, labels[i]);
        make_ends(b, i);
    }
}

void bench_take(bench *b, tw_key *key)
{
    *b = (bench){.keys = {key}};
    make_suite(b);
    make_ends(b, 0);
}

void bench_end(bench *b)
{
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        tw_sender_free(b->senders[i]);
        tw_receiver_free(b->receivers[i]);
        tw_key_free(b->keys[i]);
    }
    tw_token_free(b->token);
    tw_suite_free(b->suite);
}

load *bench_load(const bench *b)
{
    load *l = calloc(1, sizeof(*l));

    must(l != NULL);
    for (size_t i = 0; i < SOAK_KEYS; i++) {
        size_t at = b->senders[i] == NULL ? 0 : i;

        l->senders[i] = b->senders[at];
        l->receivers[i] = b->receivers[at];
    }
    l->late_after_ms = SOAK_DEADLINE_MS + SOAK_GRACE_MS;
    return l;
}
