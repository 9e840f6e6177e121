/* SPDX-License-Identifier: Apache-2.0 */
#include "join_stand.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <twoway/twoway.h>

#include "check.h"

/* The same key pair as an object of each token, or another's. */
static void import(const stand *s, const char *module, const tw_key *from, const uint8_t sk[32],
                   const char *token)
{
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_OBJECT_CLASS private = CKO_PRIVATE_KEY, public = CKO_PUBLIC_KEY;
    CK_KEY_TYPE ec = CKK_EC;
    uint8_t point[67] = {0x04, 0x41};
    stand at = *s;
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

void join_begin(join_stand *j, bool same)
{
    uint8_t sk[32];
    tw_key *other;

    *j = (join_stand){0};
    fault_softhsm(&j->s);
    stand_add(&j->s, "second");
    j->s.options.event = NULL;
    j->s.options.deadline_ms = 2000;
    (void)snprintf(j->copy, sizeof(j->copy), "%s/copy/libsofthsm2.so", j->s.dir);
    run_quietly("mkdir '%s/copy' && cp '%s' '%s'", j->s.dir, TESTS_SOFTHSM, j->copy);
    memset(sk, 7, sizeof(sk));
    must_ok(tw_key_from_private(TW_KEM_P256_HKDF_SHA256, sk, sizeof(sk), NULL, &j->software));
    import(&j->s, TESTS_FAULT, j->software, sk, "hpke");
    memset(sk, same ? 7 : 8, sizeof(sk));
    must_ok(tw_key_from_private(TW_KEM_P256_HKDF_SHA256, sk, sizeof(sk), NULL, &other));
    import(&j->s, j->copy, other, sk, "second");
    tw_key_free(other);
    j->second = j->s.options;
    j->second.module = j->copy;
    j->members[0] = (tw_token_member){
        sizeof(j->members[0]), "pkcs11:token=hpke;object=a?pin-value=" STAND_PIN, &j->s.options};
    j->members[1] = (tw_token_member){
        sizeof(j->members[1]), "pkcs11:token=second;object=a?pin-value=" STAND_PIN, &j->second};
}

void join_end(join_stand *j)
{
    tw_key_free(j->key);
    tw_key_free(j->software);
    j->key = j->software = NULL;
    stand_end(&j->s);
}

tw_err join_state(const join_stand *j, size_t index)
{
    const tw_token *token;
    tw_err err;

    must_ok(tw_token_joined(j->key, index, &token, &err));
    return err;
}

uint64_t join_operations(const join_stand *j, size_t index)
{
    tw_token_counts c = {.size = sizeof(c)};
    const tw_token *token;
    tw_err err;

    must_ok(tw_token_joined(j->key, index, &token, &err));
    must(token != NULL);
    must_ok(tw_token_stats(token, &c));
    return c.operations;
}

void join_wait_until(const join_stand *j, size_t index, tw_err state)
{
    for (int i = 0; join_state(j, index) != state; i++) {
        must(i < 10000);
        usleep(1000);
    }
}
