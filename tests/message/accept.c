/* SPDX-License-Identifier: Apache-2.0 */
/* The three-step accept: begin, perform or supply, finish. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "inject.h"
#include "peers.h"
#include "stream.h"

static tw_suite *suite;
static tw_key *inner;
static watched_key key;
static peers both;
static bytes plain;

static void start(void)
{
    plain = bytes_noise(30, 1);
    must_ok(tw_suite_new(TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         &suite));
    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &inner));
    watched_key_start(&key, inner);
    peers_start_with(&both, suite, &key.base, NULL);
}

static void end(void)
{
    peers_end(&both);
    tw_key_free(inner);
    tw_suite_free(suite);
}

TestSuite(accept, .init = start, .fini = end);

/* The two kinds of message that have an enc. */
static const kind kinds[] = {KIND_REQUEST, KIND_MULTI};

static message sealed(kind k)
{
    check_note("of a %s", kind_name(k));
    return message_seal(&both, k, format_of(true, 0), plain, 20);
}

static tw_pending *begun(const message *m)
{
    tw_pending *pending = NULL;

    if (m->kind == KIND_REQUEST) {
        must_ok(tw_receiver_begin(both.receiver, &m->format, m->head.data, m->head.len, &pending));
    } else {
        must_ok(tw_receiver_begin_multi(both.receiver, &m->format, m->encap.data, m->encap.len,
                                        m->head.data, m->head.len, &pending));
    }
    return pending;
}

static void must_finish(tw_pending *pending, const message *m)
{
    tw_opener *opener = NULL;
    bytes opened;

    must_ok(tw_pending_finish(pending, &opener, NULL));
    must_ok(open_in_steps(opener, m->body, 7, &opened));
    must_bytes(plain, opened);
}

static void must_not_finish(tw_err want, tw_pending *pending)
{
    tw_opener *opener = (tw_opener *)&opener;
    tw_exchange *exchange = (tw_exchange *)&exchange;

    must_err(want, tw_pending_finish(pending, &opener, &exchange));
    must(opener == NULL && exchange == NULL);
}

Test(accept, begin_perform_and_finish_open_the_message)
{
    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        tw_pending *pending = begun(&m);
        size_t before = key.operations;

        must_ok(tw_pending_perform(pending));
        must_size(before + 1, key.operations);
        must_finish(pending, &m);
        tw_pending_free(pending);
    }
    tw_pending_free(NULL);
}

Test(accept, begin_uses_no_private_key)
{
    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        size_t before = key.calls;

        tw_pending_free(begun(&m));
        must_size(before, key.calls);
    }
}

Test(accept, steps_out_of_order_change_nothing)
{
    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        tw_pending *pending = begun(&m);
        uint8_t secret[32] = {1};

        must_not_finish(TW_ERR_STATE, pending);
        must_ok(tw_pending_perform(pending));
        must_err(TW_ERR_STATE, tw_pending_perform(pending));
        must_err(TW_ERR_STATE, tw_pending_supply(pending, secret, sizeof(secret)));
        must_finish(pending, &m);
        must_not_finish(TW_ERR_STATE, pending);
        must_err(TW_ERR_STATE, tw_pending_perform(pending));
        must_err(TW_ERR_STATE, tw_pending_supply(pending, secret, sizeof(secret)));
        tw_pending_free(pending);
    }
}

Test(accept, perform_may_be_called_again_after_busy_and_absent)
{
    static const tw_err answers[] = {TW_ERR_TOKEN_BUSY, TW_ERR_TOKEN_ABSENT, TW_ERR_TOKEN_BUSY,
                                     TW_OK};

    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        tw_pending *pending = begun(&m);

        key.answers = answers;
        must_err(TW_ERR_TOKEN_BUSY, tw_pending_perform(pending));
        must_not_finish(TW_ERR_STATE, pending);
        must_err(TW_ERR_TOKEN_ABSENT, tw_pending_perform(pending));
        must_err(TW_ERR_TOKEN_BUSY, tw_pending_perform(pending));
        must_ok(tw_pending_perform(pending));
        must_finish(pending, &m);
        tw_pending_free(pending);
    }
}

Test(accept, any_other_error_of_perform_is_sticky)
{
    static const tw_err errors[] = {TW_ERR_TOKEN_FAILED, TW_ERR_TOKEN_PIN, TW_ERR_TOKEN_POLICY,
                                    TW_ERR_BACKEND,      TW_ERR_MEMORY,    TW_ERR_FORMAT};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        const tw_err answers[] = {errors[i], TW_OK};
        message m = sealed(kinds[i % 2]);
        tw_pending *pending = begun(&m);
        uint8_t secret[32] = {1};
        size_t calls;

        key.answers = answers;
        must_err(errors[i], tw_pending_perform(pending));
        calls = key.calls;
        must_err(errors[i], tw_pending_perform(pending));
        must_err(errors[i], tw_pending_supply(pending, secret, sizeof(secret)));
        must_not_finish(errors[i], pending);
        must_size(calls, key.calls);
        tw_pending_free(pending);
    }
    key.answers = NULL;
}

Test(accept, what_a_key_answers_reaches_the_caller_of_accept)
{
    static const struct {
        tw_err answer, seen;
    } cases[] = {
        {TW_ERR_TOKEN_BUSY, TW_ERR_TOKEN_BUSY},
        {TW_ERR_TOKEN_ABSENT, TW_ERR_TOKEN_ABSENT},
        {TW_ERR_TOKEN_FAILED, TW_ERR_TOKEN_FAILED},
        {TW_ERR_TOKEN_PIN, TW_ERR_TOKEN_PIN},
        {TW_ERR_TOKEN_POLICY, TW_ERR_TOKEN_POLICY},
        {TW_ERR_BACKEND, TW_ERR_BACKEND},
        {(tw_err)-1000, TW_ERR_BACKEND},
        {(tw_err)5, TW_ERR_BACKEND},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const tw_err answers[] = {cases[i].answer, TW_OK};
        message m = sealed(kinds[i % 2]);
        tw_opener *opener;

        key.answers = answers;
        must_err(cases[i].seen, message_accept(&both, &m, &opener));
        must(opener == NULL);
    }
    key.answers = NULL;
}

Test(accept, a_secret_that_was_decapsulated_elsewhere_is_supplied)
{
    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        tw_pending *pending = begun(&m);
        uint8_t secret[TW_MAX_SECRET];
        size_t enc_len = 0, before = key.calls;
        const uint8_t *enc = tw_pending_enc(pending, &enc_len);

        must_bytes(bytes_part(m.kind == KIND_MULTI ? m.encap : m.head, 7, 32),
                   ((bytes){(uint8_t *)enc, enc_len}));
        must_ok(inner->ops->decap(inner, enc, NULL, secret));
        must_err(TW_ERR_INVALID, tw_pending_supply(pending, secret, 31));
        must_err(TW_ERR_INVALID, tw_pending_supply(pending, secret, 33));
        must_err(TW_ERR_INVALID, tw_pending_supply(pending, NULL, 32));
        must_ok(tw_pending_supply(pending, secret, 32));
        must_err(TW_ERR_STATE, tw_pending_supply(pending, secret, 32));
        must_err(TW_ERR_STATE, tw_pending_perform(pending));
        must_finish(pending, &m);
        must_size(before, key.calls);
        tw_pending_free(pending);
    }
    must_err(TW_ERR_INVALID, tw_pending_supply(NULL, (const uint8_t *)"", 1));
    must_err(TW_ERR_INVALID, tw_pending_perform(NULL));
    must_not_finish(TW_ERR_INVALID, NULL);
}

Test(accept, a_key_that_lives_elsewhere_needs_no_decap)
{
    message m;
    tw_pending *pending;
    uint8_t secret[TW_MAX_SECRET];
    tw_opener *opener;

    key.ops.decap = NULL;
    m = sealed(KIND_REQUEST);
    pending = begun(&m);
    must_err(TW_ERR_STATE, tw_pending_perform(pending));
    must_err(TW_ERR_STATE, message_accept(&both, &m, &opener));
    must_ok(inner->ops->decap(inner, tw_pending_enc(pending, NULL), NULL, secret));
    must_ok(tw_pending_supply(pending, secret, 32));
    must_finish(pending, &m);
    tw_pending_free(pending);
}

/* What a server that never holds its key has: its public half. */
Test(accept, a_public_half_receives_by_secrets_that_are_supplied)
{
    message m = sealed(KIND_REQUEST);
    tw_receiver *receiver = NULL;
    tw_pending *pending = NULL;
    tw_opener *opener = (tw_opener *)&opener;
    uint8_t secret[TW_MAX_SECRET];
    tw_key *half = NULL;

    must_ok(
        tw_key_from_public(inner->kem->id, inner->public_key, inner->kem->public_len, NULL, &half));
    must_ok(tw_receiver_new(both.suite, tw_receiver_header(both.receiver).key_id, half, NULL,
                            &receiver));
    must_err(TW_ERR_STATE,
             tw_receiver_accept(receiver, &m.format, m.head.data, m.head.len, &opener, NULL));
    must(opener == NULL);
    must_ok(tw_receiver_begin(receiver, &m.format, m.head.data, m.head.len, &pending));
    must_err(TW_ERR_STATE, tw_pending_perform(pending));
    must_ok(inner->ops->decap(inner, tw_pending_enc(pending, NULL), NULL, secret));
    must_ok(tw_pending_supply(pending, secret, inner->kem->secret_len));
    must_finish(pending, &m);
    tw_pending_free(pending);
    tw_receiver_free(receiver);
    tw_key_free(half);
}

Test(accept, a_wrong_secret_shows_as_a_body_that_does_not_open)
{
    message m = sealed(KIND_REQUEST);
    tw_pending *pending = begun(&m);
    tw_opener *opener = NULL;
    uint8_t secret[32] = {1};
    bytes opened;

    must_ok(tw_pending_supply(pending, secret, sizeof(secret)));
    must_ok(tw_pending_finish(pending, &opener, NULL));
    must_err(TW_ERR_AUTH, open_in_steps(opener, m.body, 3, &opened));
    tw_pending_free(pending);
    m = sealed(KIND_MULTI);
    pending = begun(&m);
    must_ok(tw_pending_supply(pending, secret, sizeof(secret)));
    must_not_finish(TW_ERR_AUTH, pending);
    must_not_finish(TW_ERR_AUTH, pending);
    tw_pending_free(pending);
}

static void *perform(void *pending)
{
    static tw_err err;

    err = tw_pending_perform(pending);
    return &err;
}

Test(accept, perform_runs_on_another_thread)
{
    for (size_t i = 0; i < 2; i++) {
        message m = sealed(kinds[i]);
        tw_pending *pending = begun(&m);
        pthread_t thread;
        void *err;

        must(pthread_create(&thread, NULL, perform, pending) == 0);
        must(pthread_join(thread, &err) == 0);
        must_ok(*(tw_err *)err);
        must_finish(pending, &m);
        tw_pending_free(pending);
    }
}

Test(accept, a_pending_outlives_its_receiver_head_and_label)
{
    for (size_t i = 0; i < 2; i++) {
        char label[300];
        tw_format format = format_of(true, 0);
        tw_receiver *receiver = NULL;
        tw_pending *pending = NULL;
        message m;

        memset(label, 'x', sizeof(label) - 1);
        label[sizeof(label) - 1] = 0;
        format.label = label;
        m = message_seal(&both, kinds[i], format, plain, 0);
        must_ok(tw_receiver_new(suite, PEERS_KEY_ID, &key.base, NULL, &receiver));
        if (m.kind == KIND_REQUEST) {
            must_ok(tw_receiver_begin(receiver, &format, m.head.data, m.head.len, &pending));
        } else {
            must_ok(tw_receiver_begin_multi(receiver, &format, m.encap.data, m.encap.len,
                                            m.head.data, m.head.len, &pending));
            memset(m.encap.data, 0, m.encap.len);
        }
        tw_receiver_free(receiver);
        memset(m.head.data, 0, m.head.len);
        memset(label, 'y', sizeof(label) - 1);
        must_ok(tw_pending_perform(pending));
        must_finish(pending, &m);
        tw_pending_free(pending);
    }
}
