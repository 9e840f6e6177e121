/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on real tokens: what it says of each, and that it leaves nothing there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "findings.h"

static stand s;
static findings f;

static void end(void)
{
    stand_end(&s);
}

TestSuite(doctor, .fini = end, .timeout = 120);

static void make_key(uint16_t kem_id, const char *label)
{
    tw_token *token = stand_open(&s);

    tw_key_free(stand_key(&s, token, kem_id, label));
    tw_token_free(token);
}

/* The key is as it was, and there are no objects but those before. */
static void must_check(tw_err want, const char *path, const tw_token_check_options *check,
                       const char *all)
{
    size_t before = stand_objects(&s);

    f = (findings){0};
    must_err(want, check_key(&s, path, check, &f));
    must_find_all(&f, all);
    must_size(before, stand_objects(&s));
}

/* --- Keys that can receive. ---------------------------------------------------------------- */

#define FOUND   "module:ok slot:ok token:ok login:ok key:ok attributes:ok public:ok "
#define SOFTHSM FOUND "S1:ok S2:no S3:ok policy:ok speed:ok "
#define TRIED   "scratch:ok made:ok read:ok copy:ok wrap:ok loosen:weak "

Test(doctor, softhsm_keeps_a_key_and_hands_out_dh_outputs)
{
    static const uint16_t kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                    TW_KEM_P521_HKDF_SHA512, TW_KEM_X25519_HKDF_SHA256,
                                    TW_KEM_X448_HKDF_SHA512};

    stand_softhsm(&s);
    for (size_t i = 0; i < sizeof(kems) / sizeof(kems[0]); i++) {
        char path[] = ";object=a", label[] = "a";

        path[8] = label[0] = (char)('a' + i);
        make_key(kems[i], label);
        must_check(TW_OK, path, NULL, SOFTHSM TRIED "template:no removed:ok verdict:ok");
        must_say(&f, "key", tw_kem_name(kems[i]));
    }
    must_say(&f, "module", TESTS_SOFTHSM);
    must_say(&f, "token", "'hpke' (SoftHSM project SoftHSM v2, serial ");
    must_say(&f, "key", "x448 'e', id 6521");
    must_say(&f, "attributes",
             "said to stay inside, and for derivation alone: PRIVATE=1 SENSITIVE=1 "
             "ALWAYS_SENSITIVE=1 EXTRACTABLE=0 NEVER_EXTRACTABLE=1 LOCAL=1 "
             "DERIVE=1 SIGN=0 ");
    must_say(&f, "public", "a public key object");
    must_say(&f, "S2", "CKR_MECHANISM_INVALID");
    must_say(&f, "policy", "S1 is used; with never_export_dh it would be S3");
    must_say(&f, "speed", " operations a second in one thread, ");
    must_say(&f, "scratch", "'twoway-check', x448, id ");
    must_say(&f, "read", "CKR_ATTRIBUTE_SENSITIVE");
    must_say(&f, "copy", "none that may leave");
    must_say(&f, "wrap", "CKR_KEY_UNEXTRACTABLE");
    must_say(&f, "loosen", "but not opened: CKA_SIGN=1");
    must_say(&f, "template", "does not take CKA_DERIVE_TEMPLATE");
}

Test(doctor, under_never_export_dh_the_other_way_is_used_and_what_is_left_open_told)
{
    stand_softhsm(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    s.options.never_export_dh = true;
    s.options.max_sessions = 1;
    must_check(TW_OK, ";object=a", NULL, SOFTHSM TRIED "template:weak removed:ok verdict:ok");
    must_say(&f, "policy", "S3 is used, for never_export_dh; without it would be S1");
    must_say(&f, "verdict", "by S3");
    must(strstr(finding_of(&f, "speed")->text, ", ") == NULL); /* no threads for one session */
}

/* What a token calls itself is for it to say, and for no terminal to obey. */
Test(doctor, a_name_with_control_characters_is_cleaned)
{
    stand_softhsm(&s);
    stand_add(&s, "a\033b");
    s.token = "a%1Bb";
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    f = (findings){0};
    must_ok(check_key(&s, ";object=a", NULL, &f));
    must_say(&f, "token", "'a?b' (");
}

Test(doctor, a_key_pair_is_made_only_where_it_may_be)
{
    const tw_token_check_options none = {.size = sizeof(none), .no_scratch = true};

    stand_shim(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
    must_check(TW_OK, ";object=a", &none, SOFTHSM "scratch:unknown verdict:ok");
    must_say(&f, "scratch", "no key pair was to be made");
    shim_state()->set = CKF_WRITE_PROTECTED;
    must_check(TW_OK, ";object=a", NULL, SOFTHSM "scratch:unknown verdict:ok");
    must_say(&f, "scratch", "write-protected");
    must_size(0, shim_state()->calls[SHIM_GenerateKeyPair]);
    must_size(0, (size_t)shim_state()->sessions);
}

#ifdef TESTS_NSS
/* NSS lets what it was told to keep be copied and wrapped. */
Test(doctor, nss_lets_a_key_out)
{
    stand_nss(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    must_check(TW_OK, ";object=a", NULL,
               FOUND "S1:ok S2:ok S3:ok policy:ok speed:ok scratch:ok made:ok read:ok copy:weak "
                     "wrap:weak loosen:weak template:no removed:ok verdict:ok");
    must_say(&f, "policy", "S1 is used; with never_export_dh it would be S2");
    must_say(&f, "wrap", "CKM_AES_KEY_WRAP_PAD wraps the private key");
}

Test(doctor, nss_in_fips_mode_hands_out_no_dh_output)
{
    stand_fips(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    must_check(TW_OK, ";object=a", NULL,
               FOUND "S1:no S2:ok S3:ok policy:ok speed:ok scratch:ok made:ok read:ok copy:weak "
                     "wrap:weak loosen:weak template:ok removed:ok verdict:ok");
    must_say(&f, "policy", "S2 is used, with never_export_dh and without");
    must_say(&f, "template", "makes no DH output readable");
}
#endif

/* --- Keys and tokens that cannot. ------------------------------------------------------ */

static void set_attribute(CK_OBJECT_CLASS class, const char *label, CK_ATTRIBUTE_TYPE type,
                          const void *value, CK_ULONG len)
{
    tw_token *token = stand_open(&s);
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_ATTRIBUTE a = {type, (void *)(uintptr_t)value, len};

    must(fn->C_SetAttributeValue(session, raw_find(fn, session, class, label), &a, 1) == CKR_OK);
    must(fn->C_CloseSession(session) == CKR_OK);
    tw_token_free(token);
}

static void destroy(CK_OBJECT_CLASS class, const char *label)
{
    tw_token *token = stand_open(&s);

    raw_destroy(&s, class, label);
    tw_token_free(token);
}

Test(doctor, a_key_that_may_not_derive_is_told_how_to)
{
    CK_BBOOL no = CK_FALSE;

    stand_softhsm(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    set_attribute(CKO_PRIVATE_KEY, "a", CKA_DERIVE, &no, sizeof(no));
    must_check(TW_ERR_TOKEN_POLICY, ";object=a", NULL,
               "module:ok slot:ok token:ok login:ok key:ok attributes:weak public:ok S1:no S2:no "
               "S3:no policy:failed " TRIED "template:no removed:ok verdict:failed");
    must_say(&f, "attributes", "DERIVE=0");
    must_advise(&f, "attributes", "set CKA_DERIVE");
    must_say(&f, "policy", "CKA_DERIVE false");
    must_say(&f, "verdict", "cannot receive: 'policy' failed");
}

Test(doctor, a_key_that_may_do_more_is_told)
{
    CK_BBOOL yes = CK_TRUE;

    stand_softhsm(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    set_attribute(CKO_PRIVATE_KEY, "a", CKA_SIGN, &yes, sizeof(yes));
    must_check(TW_OK, ";object=a", &(tw_token_check_options){.size = sizeof(f), .no_scratch = true},
               "module:ok slot:ok token:ok login:ok key:ok attributes:weak public:ok S1:ok S2:no "
               "S3:ok policy:ok speed:ok scratch:unknown verdict:ok");
    must_say(&f, "attributes", "may do more than derive");
}

Test(doctor, an_imported_key_is_told_to_have_been_outside)
{
    stand_softhsm(&s);
    run_quietly("cd %s && openssl ecparam -name prime256v1 -genkey -noout -out key.pem && "
                "openssl req -x509 -new -key key.pem -subj /CN=hpke -days 9 -outform DER -out "
                "c.der && openssl pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der",
                s.dir);
    for (int cert = 0; cert < 2; cert++) {
        run_quietly("cd %s && pkcs11-tool --module %s --token-label hpke --login --pin %s --id 77 "
                    "--label in --write-object %s",
                    s.dir, s.module, STAND_PIN,
                    cert ? "c.der --type cert" : "key.der --type privkey --usage-derive");
    }
    must_check(TW_OK, ";object=in", NULL,
               "module:ok slot:ok token:ok login:ok key:ok attributes:weak public:ok S1:ok S2:no "
               "S3:ok policy:ok speed:ok " TRIED "template:no removed:ok verdict:ok");
    must_say(&f, "attributes", "it was outside");
    must_say(&f, "public", "a certificate of its id");
}

/* A key "a" on P-256 whose public half, which is in pk, the token no longer has. */
static void key_without_public(uint8_t pk[65])
{
    tw_token *token;
    tw_key *key;

    stand_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    memcpy(pk, key->public_key, 65);
    tw_key_free(key);
    tw_token_free(token);
    destroy(CKO_PUBLIC_KEY, "a");
}

Test(doctor, a_public_half_that_the_token_lacks_may_be_given)
{
    tw_token_check_options given = {.size = sizeof(given), .no_scratch = true};
    uint8_t pk[65];

    key_without_public(pk);
    must_check(TW_ERR_TOKEN_ABSENT, ";object=a", &given,
               "module:ok slot:ok token:ok login:ok key:ok attributes:ok public:failed "
               "verdict:failed");
    must_advise(&f, "public", "certificate");
    given.public_key = pk;
    given.public_len = sizeof(pk);
    must_check(TW_OK, ";object=a", &given, SOFTHSM "scratch:unknown verdict:ok");
    must_say(&f, "public", "the caller");
    make_key(TW_KEM_P256_HKDF_SHA256, "b");
    must_check(TW_ERR_KEY, ";object=b", &given,
               "module:ok slot:ok token:ok login:ok key:failed verdict:failed");
}

/* Then the key is found again before a way to use it is known. */
static void another_logs_in(const char *step)
{
    tw_token *token;

    if (strcmp(step, "public") == 0) {
        s.token = "second";
        token = stand_open(&s);
        tw_token_free(token);
        s.token = "hpke";
    }
}

Test(doctor, a_login_to_another_token_amid_it_does_no_harm)
{
    tw_token_check_options given = {.size = sizeof(given), .no_scratch = true};
    uint8_t pk[65];

    key_without_public(pk);
    stand_add(&s, "second");
    given.public_key = pk;
    given.public_len = sizeof(pk);
    f = (findings){.at = another_logs_in};
    must_ok(check_key(&s, ";object=a", &given, &f));
    must_find_all(&f, SOFTHSM "scratch:unknown verdict:ok");
}

Test(doctor, what_is_missing_ends_it_there)
{
    stand_softhsm(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    make_key(TW_KEM_P256_HKDF_SHA256, "b");
    must_check(TW_ERR_TOKEN_ABSENT, ";object=none", NULL,
               "module:ok slot:ok token:ok login:ok key:failed verdict:failed");
    must_say(&f, "key", "no such private key");
    must_advise(&f, "key", "twoway tokens");
    must_check(TW_ERR_INVALID, "", NULL,
               "module:ok slot:ok token:ok login:ok key:failed verdict:failed");
    must_say(&f, "key", "several different keys");
    must_check(TW_ERR_TOKEN_ABSENT, ";serial=none", NULL, "module:ok token:failed verdict:failed");
    must_advise(&f, "token", "token= or serial=");
    stand_add(&s, "second");
    f = (findings){0};
    must_err(TW_ERR_INVALID, check_uri(&s, "pkcs11:model=SoftHSM%20v2", NULL, &f));
    must_find_all(&f, "module:ok token:failed verdict:failed");
    must_say(&f, "token", "2 tokens match");
}

Test(doctor, no_module_is_the_first_thing_that_fails)
{
    stand_softhsm(&s);
    (void)snprintf(s.module, sizeof(s.module), "/none.so");
    f = (findings){0};
    must_err(TW_ERR_TOKEN_ABSENT, check_key(&s, ";object=a", NULL, &f));
    must_find_all(&f, "module:failed verdict:failed");
    must_say(&f, "module", "/none.so");
}

Test(doctor, a_wrong_pin_is_sent_once)
{
    stand_shim(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
    f = (findings){0};
    must_err(TW_ERR_TOKEN_PIN,
             check_uri(&s, "pkcs11:token=hpke;object=a?pin-value=2718281", NULL, &f));
    must_find_all(&f, "module:ok slot:ok token:ok login:failed verdict:failed");
    must_say(&f, "login", "CKR_PIN_INCORRECT");
    must_advise(&f, "login", "how many tries");
    must_size(1, shim_state()->logins);
    for (size_t i = 0; i < f.count; i++) {
        must(strstr(f.list[i].text, "2718281") == NULL);
    }
}

/* --- What it is asked, and how it ends. ---------------------------------------------------- */

static tw_err never(void *arg, const tw_token_finding *finding)
{
    (void)arg;
    (void)finding;
    check_failed(__FILE__, __LINE__, "nothing to tell");
    return TW_OK;
}

Test(doctor, refuses_bad_arguments)
{
    tw_token_check_options bad = {.size = 1};

    stand_softhsm(&s);
    must_err(TW_ERR_INVALID, tw_token_check(NULL, &s.options, NULL, never, NULL));
    must_err(TW_ERR_INVALID, tw_token_check("pkcs11:token=hpke", &s.options, NULL, NULL, NULL));
    must_err(TW_ERR_INVALID, tw_token_check("pkcs11:token=hpke", &s.options, &bad, never, NULL));
    bad = (tw_token_check_options){.size = sizeof(bad), .public_len = 1};
    must_err(TW_ERR_INVALID, tw_token_check("pkcs11:token=hpke", &s.options, &bad, never, NULL));
    must_no_event(&s);
    must_err(TW_ERR_INVALID, tw_token_check("pkcs11:nonsense", &s.options, NULL, never, NULL));
    must_event(&s, TW_ERR_INVALID, NULL, 0, "");
}

/* A caller who has had enough hears of one thing more: that the key pair is gone. */
Test(doctor, ends_where_the_caller_says_and_leaves_nothing)
{
    static const char *const steps[] = {
        "module",  "slot", "token", "login", "key",  "public", "S1",       "policy",  "speed",
        "scratch", "made", "read",  "copy",  "wrap", "loosen", "template", "removed", "verdict"};
    size_t before;

    stand_softhsm(&s);
    make_key(TW_KEM_P256_HKDF_SHA256, "a");
    before = stand_objects(&s);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const char *last;

        f = (findings){.stop_at = steps[i]};
        must_err(TW_ERR_IO, check_key(&s, ";object=a", NULL, &f));
        check_note("(stopped at %s)", steps[i]);
        last = f.list[f.count - 1].step;
        must(strcmp(last, steps[i]) == 0 || strcmp(last, "removed") == 0);
        must((finding_of(&f, "made") != NULL) <= (finding_of(&f, "removed") != NULL));
        must_size(before, stand_objects(&s));
        must_no_event(&s);
    }
}
