/* SPDX-License-Identifier: Apache-2.0 */
/* What of a URI's attributes is taken, and what is said of the others. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "stand.h"

static stand s;

static void start(void)
{
    stand_softhsm(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(uris, .init = start, .fini = end);

static void must_open(tw_err want, const char *uri)
{
    tw_token *token;

    check_note("(%s) %s", uri, s.event_message);
    must_err(want, tw_token_open(uri, &s.options, &token));
    check_note("%s", "");
    tw_token_free(token);
}

Test(uris, takes_a_slot_by_its_number)
{
    char uri[128];
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    tw_token *token = stand_open(&s);
    CK_SESSION_INFO info;

    must(fn->C_GetSessionInfo(raw_session(&s, fn), &info) == CKR_OK);
    (void)snprintf(uri, sizeof(uri), "pkcs11:slot-id=%lu?pin-value=" STAND_PIN, info.slotID);
    must_open(TW_OK, uri);
    (void)snprintf(uri, sizeof(uri), "pkcs11:slot-id=%lu?pin-value=" STAND_PIN, info.slotID + 1);
    must_open(TW_ERR_TOKEN_ABSENT, uri);
    stand_forget(&s);
    /* By as many as there are numbers; and one that stands for any. */
    (void)snprintf(uri, sizeof(uri), "pkcs11:slot-id=1844674407%010llu?pin-value=" STAND_PIN,
                   3709551616ull + info.slotID);
    must_open(TW_ERR_INVALID, uri);
    must_open(TW_ERR_INVALID, "pkcs11:slot-id=18446744073709551615?pin-value=" STAND_PIN);
    must_open(TW_ERR_INVALID, "pkcs11:slot-id=?pin-value=" STAND_PIN);
    must_open(TW_ERR_INVALID, "pkcs11:slot-id="); /* to p11-kit, 0 */
    must_open(TW_ERR_TOKEN_ABSENT, "pkcs11:slot-id=0?pin-value=" STAND_PIN);
    must_open(TW_ERR_TOKEN_ABSENT, "pkcs11:slot-id=999999999999999999?pin-value=" STAND_PIN);
    tw_token_free(token);
}

/* Of two p11-kit takes the last: the PIN may be another token's. */
Test(uris, says_which_attribute_of_a_uri_it_does_not_take)
{
    static const struct {
        const char *uri, *says;
    } bad[] = {
        {"pkcs11:token=other;token=hpke?pin-value=" STAND_PIN, ": token= is in the URI twice"},
        {"pkcs11:token=hpke?pin-value=1&pin-value=" STAND_PIN, ": pin-value= is in the URI twice"},
        {"pkcs11:token=hpke?module-path=1&module-path=" TESTS_SOFTHSM,
         ": module-path= is in the URI twice"},
        {"pkcs11:t=1;t=2", ": an attribute is in the URI twice"}, /* no beginning of "token" */
        {"pkcs11:t=1", ": attribute 1 of the URI's path has a name that is"},
        {"pkcs11:type=nothing;", ": the URI has a value that is not known"},
        {"pkcs11:token=hpke;tok=1", ": attribute 2 of the URI's path has a name that is"},
        {"pkcs11:token=hpke;" STAND_PIN "=1", ": attribute 2 of the URI's path has a name that is"},
        {"pkcs11:" STAND_PIN "=1;" STAND_PIN "=2", ": an attribute is in the URI twice"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_open(TW_ERR_INVALID, bad[i].uri);
        must_event(&s, TW_ERR_INVALID, NULL, 0, bad[i].says);
    }
    must_open(TW_OK, "pkcs11:token=hpke;object=a;object-type=private;?pin-value=" STAND_PIN);
    must_open(TW_OK, "pkcs11:token=hpke?x-mine=1&x-mine=2&pin-value=" STAND_PIN);
}

/* What is behind it p11-kit would take for the query, and for no name of a token or key. */
Test(uris, refuses_an_empty_attribute_that_another_follows)
{
    static const char *const bad[] = {
        "pkcs11:;token=other", "pkcs11:token=hpke;;object=b", "pkcs11:;;token=hpke",
        "pkcs11:token=hpke;;?pin-value=" STAND_PIN, "pkcs11:;?pin-value=" STAND_PIN};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_open(TW_ERR_INVALID, bad[i]);
        must_event(&s, TW_ERR_INVALID, NULL, 0, "an empty attribute");
    }
}

Test(uris, takes_no_name_for_want_of_memory)
{
    static const char *const bad[] = {
        "pkcs11:token=hpke?Mine=1", "pkcs11:token=hpke?mine=1&;=1", "pkcs11:token=hpke?mine?b=1"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_open(TW_ERR_INVALID, bad[i]);
        must_event(&s, TW_ERR_INVALID, NULL, 0, "not in small letters");
    }
    must_open(TW_OK, "pkcs11:token=hpke;?mine=A;B&pin-value=" STAND_PIN);
}
