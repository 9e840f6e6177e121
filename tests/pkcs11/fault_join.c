/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain program, which the thread sanitizer runs too.
 *
 * One key in two tokens, each behind a module of its own: "hpke" behind the fault module, which
 * takes it away, and "second" in a copy of SoftHSM, which nothing disturbs.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <twoway/twoway.h>

#include "check.h"
#include "fault_stand.h"

#define GONE                                                                                       \
    "C_GetSlotList * none\nC_OpenSession * fail CKR_TOKEN_NOT_PRESENT\n"                           \
    "C_DeriveKey * kill CKR_DEVICE_REMOVED\nC_GetAttributeValue * kill CKR_DEVICE_REMOVED\n"       \
    "C_GetSessionInfo * kill CKR_DEVICE_REMOVED\nC_FindObjectsInit * kill CKR_DEVICE_REMOVED\n"

enum {
    THREADS = 8,
};

static stand s;
static char copy[160];
static tw_token_options second;
static tw_token_member members[2];
static tw_key *key, *software;

/* The same key pair as an object of each token, or another's. */
static void import(const char *module, const tw_key *from, const uint8_t sk[32], const char *token)
{
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_OBJECT_CLASS private = CKO_PRIVATE_KEY, public = CKO_PUBLIC_KEY;
    CK_KEY_TYPE ec = CKK_EC;
    uint8_t point[67] = {0x04, 0x41};
    stand at = s;
    CK_FUNCTION_LIST *fn;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    tw_token_options options = {.size = sizeof(options), .module = module};
    tw_token *open;
    char uri[96];
    CK_ATTRIBUTE secret[] = {
        {CKA_CLASS, &private, sizeof(private)},
        {CKA_KEY_TYPE, &ec, sizeof(ec)},
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1},
        {CKA_DERIVE, &yes, 1},
        {CKA_EXTRACTABLE, &no, 1},
        {CKA_LABEL, (void *)(uintptr_t) "a", 1},
        {CKA_ID, (void *)(uintptr_t) "1", 1},
        {CKA_EC_PARAMS, p256, sizeof(p256)},
        {CKA_VALUE, (void *)(uintptr_t)sk, 32},
    };
    CK_ATTRIBUTE half[] = {
        {CKA_CLASS, &public, sizeof(public)},
        {CKA_KEY_TYPE, &ec, sizeof(ec)},
        {CKA_TOKEN, &yes, 1},
        {CKA_PRIVATE, &no, 1},
        {CKA_LABEL, (void *)(uintptr_t) "a", 1},
        {CKA_ID, (void *)(uintptr_t) "1", 1},
        {CKA_EC_PARAMS, p256, sizeof(p256)},
        {CKA_EC_POINT, point, sizeof(point)},
    };
    tw_token_counts where = {.size = sizeof(where)};

    memcpy(point + 2, from->public_key, 65);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=%s?pin-value=" STAND_PIN, token);
    must_ok(tw_token_open(uri, &options, &open)); /* it logs in */
    must_ok(tw_token_stats(open, &where));
    (void)snprintf(at.module, sizeof(at.module), "%s", module);
    fn = stand_raw(&at);
    must(fn->C_OpenSession(where.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ==
         CKR_OK);
    must(fn->C_CreateObject(session, secret, sizeof(secret) / sizeof(secret[0]), &object) ==
         CKR_OK);
    must(fn->C_CreateObject(session, half, sizeof(half) / sizeof(half[0]), &object) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    tw_token_free(open);
}

static void begin(bool same)
{
    uint8_t sk[32];
    tw_key *other;

    fault_softhsm(&s);
    stand_add(&s, "second");
    s.options.event = NULL; /* probes have threads of their own */
    s.options.deadline_ms = 2000;
    (void)snprintf(copy, sizeof(copy), "%s/copy/libsofthsm2.so", s.dir);
    run_quietly("mkdir '%s/copy' && cp '%s' '%s'", s.dir, TESTS_SOFTHSM, copy);
    memset(sk, 7, sizeof(sk));
    must_ok(tw_key_from_private(TW_KEM_P256_HKDF_SHA256, sk, sizeof(sk), NULL, &software));
    import(TESTS_FAULT, software, sk, "hpke");
    memset(sk, same ? 7 : 8, sizeof(sk));
    must_ok(tw_key_from_private(TW_KEM_P256_HKDF_SHA256, sk, sizeof(sk), NULL, &other));
    import(copy, other, sk, "second");
    tw_key_free(other);
    second = s.options;
    second.module = copy;
    members[0] = (tw_token_member){sizeof(members[0]),
                                   "pkcs11:token=hpke;object=a?pin-value=" STAND_PIN, &s.options};
    members[1] = (tw_token_member){sizeof(members[1]),
                                   "pkcs11:token=second;object=a?pin-value=" STAND_PIN, &second};
}

static void end(void)
{
    tw_key_free(key);
    tw_key_free(software);
    key = software = NULL;
    stand_end(&s);
}

static tw_err state(size_t index)
{
    const tw_token *token;
    tw_err err;

    must_ok(tw_token_joined(key, index, &token, &err));
    return err;
}

static uint64_t operations(size_t index)
{
    tw_token_counts c = {.size = sizeof(c)};
    const tw_token *token;
    tw_err err;

    must_ok(tw_token_joined(key, index, &token, &err));
    must(token != NULL);
    must_ok(tw_token_stats(token, &c));
    return c.operations;
}

static void wait_until_back(size_t index)
{
    for (int i = 0; state(index) != TW_OK; i++) {
        must(i < 10000);
        usleep(1000);
    }
}

/* --- Load. ----------------------------------------------------------------------------------- */

static atomic_bool stop;
static atomic_size_t done, lost;

static void *work(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        if (tw_key_check(key) != TW_OK) {
            atomic_fetch_add(&lost, 1);
        }
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void start_work(pthread_t *threads, size_t count)
{
    atomic_store(&stop, false);
    for (size_t i = 0; i < count; i++) {
        must(pthread_create(&threads[i], NULL, work, NULL) == 0);
    }
}

static void do_more(size_t count)
{
    size_t goal = atomic_load(&done) + count;

    while (atomic_load(&done) < goal) {
        usleep(1000);
    }
}

static void end_work(pthread_t *threads, size_t count)
{
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
}

/* --- Tests. ---------------------------------------------------------------------------------- */

static void work_is_spread_and_losing_one_loses_no_request(void)
{
    pthread_t threads[THREADS];
    uint64_t before;

    begin(true);
    must_ok(tw_token_join(members, 2, &key));
    must(memcmp(software->public_key, key->public_key, 65) == 0);
    start_work(threads, THREADS);
    do_more(400);
    must(operations(0) > 40 && operations(1) > 40);
    for (int i = 0; i < 3; i++) {
        fault_script(&s, GONE);
        do_more(200);
        must_err(TW_ERR_TOKEN_ABSENT, state(0));
        must_ok(state(1));
        before = operations(0);
        do_more(200);
        must(operations(0) < before + 20); /* its probes */
        fault_script(&s, "# back");
        wait_until_back(0);
        before = operations(0);
        do_more(200);
        must(operations(0) > before);
    }
    end_work(threads, THREADS);
    must_size(0, atomic_load(&lost));
}

static void one_may_be_absent_at_first(void)
{
    begin(true);
    fault_script(&s, GONE);
    must_ok(tw_token_join(members, 2, &key));
    must_err(TW_ERR_TOKEN_ABSENT, state(0));
    must_ok(tw_key_check(key));
    fault_script(&s, "# comes");
    wait_until_back(0);
    for (int i = 0; i < 10; i++) {
        must_ok(tw_key_check(key));
    }
    must(operations(0) > 0);
}

static void when_all_are_gone_it_fails_at_once_and_serves_when_one_is_back(void)
{
    begin(true);
    must_ok(tw_token_join(members, 1, &key));
    fault_script(&s, GONE);
    for (int i = 0; i < 3; i++) {
        must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    }
    fault_script(&s, "# back");
    must_ok(tw_key_check(key)); /* no other is left: it is asked although it is aside */
    wait_until_back(0);
    tw_key_free(key);
    key = NULL;
    fault_script(&s, GONE);
    must_err(TW_ERR_TOKEN_ABSENT, tw_token_join(members, 1, &key));
    must(key == NULL);
}

static void another_key_is_no_member(void)
{
    begin(false);
    must_err(TW_ERR_KEY, tw_token_join(members, 2, &key));
    must(key == NULL);
    fault_script(&s, GONE);
    must_ok(tw_token_join(members, 2, &key));
    fault_script(&s, "# comes");
    for (int i = 0; state(0) != TW_ERR_KEY; i++) {
        must(i < 10000);
        usleep(1000);
    }
    must_ok(tw_key_check(key));
}

/* Nobody is there to know better: the second try might be the last but one. */
static void a_refused_pin_is_sent_once(void)
{
    size_t before;

    begin(true);
    members[0].uri = "pkcs11:token=hpke;object=a?pin-value=wrong";
    fault_script(&s, GONE);
    must_ok(tw_token_join(members, 2, &key));
    before = fault_count("C_Login");
    fault_script(&s, "# comes");
    for (int i = 0; state(0) != TW_ERR_TOKEN_PIN; i++) {
        must(i < 10000);
        usleep(1000);
    }
    usleep(500000);
    must_size(before + 1, fault_count("C_Login"));
    must_ok(tw_key_check(key));
}

static void one_that_hangs_gets_no_more(void)
{
    pthread_t threads[THREADS];
    size_t hanging;

    begin(true);
    must_ok(tw_token_join(members, 2, &key));
    fault_script(&s, "C_DeriveKey * wait 60000");
    start_work(threads, 2);
    sleep(3);
    hanging = fault_count("C_DeriveKey");
    start_work(threads + 2, THREADS - 2);
    do_more(500);
    must_size(hanging, fault_count("C_DeriveKey"));
    fault_script(&s, "# goes on");
    end_work(threads, THREADS);
    must_size(0, atomic_load(&lost));
}

static void it_is_a_senders_identity_too(void)
{
    uint8_t sent[TW_MAX_SECRET], got[TW_MAX_SECRET], enc[TW_MAX_ENC];
    const tw_kem *kem;
    tw_key *receiver;

    begin(true);
    must_ok(tw_token_join(members, 2, &key));
    kem = software->kem;
    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, NULL, &receiver));
    for (int i = 0; i < 4; i++) {
        fault_script(&s, i == 2 ? GONE : "# there");
        must_ok(kem->encap(kem, NULL, receiver->public_key, key, sent, enc));
        must_ok(receiver->ops->decap(receiver, enc, key->public_key, got));
        must(memcmp(sent, got, kem->secret_len) == 0);
    }
    tw_key_free(receiver);
}

/* What is the peer's fault goes to no second token, and sets none aside. */
static void a_bad_point_is_the_peers(void)
{
    uint8_t enc[65] = {0x04}, secret[TW_MAX_SECRET];

    begin(true);
    must_ok(tw_token_join(members, 2, &key));
    must_err(TW_ERR_FORMAT, key->ops->decap(key, enc, NULL, secret));
    must_ok(state(0));
    must_ok(state(1));
}

static void bad_arguments(void)
{
    const tw_token *token;
    tw_err err;

    begin(true);
    key = (tw_key *)&s;
    must_err(TW_ERR_INVALID, tw_token_join(members, 0, &key));
    must(key == NULL);
    must_err(TW_ERR_INVALID, tw_token_join(NULL, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_join(members, 65, &key));
    must_err(TW_ERR_INVALID, tw_token_join(members, 2, NULL));
    must_err(TW_ERR_INVALID, tw_token_joined(software, 0, &token, &err));
    must_err(TW_ERR_INVALID, tw_token_joined(NULL, 0, &token, &err));
    members[1].size--;
    must_err(TW_ERR_INVALID, tw_token_join(members, 2, &key));
    members[1] = (tw_token_member){sizeof(members[1]), "no URI", NULL};
    must_err(TW_ERR_INVALID, tw_token_join(members, 2, &key));
    members[1].uri = NULL;
    must_err(TW_ERR_INVALID, tw_token_join(members, 2, &key));
    must_ok(tw_token_join(members, 1, &key));
    must_err(TW_ERR_INVALID, tw_token_joined(key, 1, &token, &err));
}

int main(void)
{
    static void (*const tests[])(void) = {
        work_is_spread_and_losing_one_loses_no_request,
        one_may_be_absent_at_first,
        when_all_are_gone_it_fails_at_once_and_serves_when_one_is_back,
        another_key_is_no_member,
        a_refused_pin_is_sent_once,
        one_that_hangs_gets_no_more,
        it_is_a_senders_identity_too,
        a_bad_point_is_the_peers,
        bad_arguments,
    };
    size_t count = sizeof(tests) / sizeof(tests[0]);

    for (size_t i = 0; i < count; i++) {
        tests[i]();
        end();
    }
    printf("%zu passed, 0 failed\n", count);
    return 0;
}
