/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor on tokens that allow what they should not, lie, or fail while it is at it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"
#include "findings.h"

static stand s;
static findings f;

static void start(void)
{
    tw_token *token;

    fault_softhsm(&s);
    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_token_free(token);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(sick, .init = start, .fini = end, .timeout = 300);

/* Scripts for what follows a step. */
static const struct {
    const char *after, *text;
} * scripts;

static void change_script(const char *step)
{
    for (size_t i = 0; scripts != NULL && scripts[i].after != NULL; i++) {
        if (strcmp(scripts[i].after, step) == 0) {
            fault_script(&s, "%s", scripts[i].text);
        }
    }
}

#define SCRIPTS(...)                                                                               \
    (scripts = (void *)(const char *[][2]){__VA_ARGS__, {NULL, NULL}},                             \
     f = (findings){.at = change_script})

static const tw_token_check_options no_pair = {.size = sizeof(no_pair), .no_scratch = true};

/* What a check says after `script`, and what is left when all is well again. */
static void must_check(tw_err want, const char *script, const tw_token_check_options *check)
{
    size_t before = stand_objects(&s);
    tw_err err;

    fault_script(&s, "%s", script);
    err = check_key(&s, ";object=a", check, &f);
    check_note("(%s: %s)", f.list[f.count - 2].step, f.list[f.count - 2].text);
    must_err(want, err);
    fault_script(&s, "# well again");
    must_size(before, stand_objects(&s));
    fault_clean(NULL);
}

static void must_be(const char *step, tw_token_verdict verdict, const char *part)
{
    must_say(&f, step, part);
    must(finding_of(&f, step)->verdict == verdict);
}

/* --- What the token allows. ------------------------------------------------------------------- */

Test(sick, a_token_that_gives_its_keys_away_is_told)
{
    SCRIPTS({"made", "C_GetAttributeValue * answer CKA_VALUE 0102030405"},
            {"read", "C_GetAttributeValue * answer CKA_SENSITIVE 00"},
            {"copy", "C_WrapKey 2 fail CKR_OK"},
            {"wrap", "C_SetAttributeValue 1 fail CKR_OK\n"
                     "C_GetAttributeValue 3-4 answer CKA_EXTRACTABLE 01"},
            {"loosen", "# well again"});
    must_check(TW_OK, "# well", NULL);
    must_be("read", TW_VERDICT_WEAK, "can be read");
    must_be("copy", TW_VERDICT_WEAK, "may leave");
    must_be("wrap", TW_VERDICT_WEAK, "CKM_AES_KEY_WRAP wraps");
    must_be("loosen", TW_VERDICT_WEAK, "opened to whoever has the PIN: CKA_EXTRACTABLE=1 CKA_SIGN");
    must_advise(&f, "read", "guard the PIN");
}

Test(sick, a_copy_that_can_be_read_is_told_as_such)
{
    SCRIPTS({"read", "C_GetAttributeValue * answer CKA_VALUE 0102030405"}, {"copy", "# well"});
    must_check(TW_OK, "# well", NULL);
    must_be("copy", TW_VERDICT_WEAK, "copy can be made and read");
}

/* A no that may be of a broken device is none. */
Test(sick, an_answer_that_tells_nothing_is_told_as_such)
{
    SCRIPTS({"made", "C_GetAttributeValue * fail 0x80000001"},
            {"read", "C_CopyObject * fail CKR_FUNCTION_FAILED"},
            {"copy", "C_WrapKey * fail CKR_DEVICE_ERROR"},
            {"wrap", "C_SetAttributeValue * fail CKR_GENERAL_ERROR"},
            {"loosen", "C_DeriveKey * fail CKR_GENERAL_ERROR"}, {"template", "# well"});
    must_check(TW_OK, "# well", NULL);
    must_be("read", TW_VERDICT_UNKNOWN, "0x80000001");
    must_be("copy", TW_VERDICT_UNKNOWN, "CKR_FUNCTION_FAILED");
    must_be("wrap", TW_VERDICT_UNKNOWN, "CKR_DEVICE_ERROR");
    must_be("loosen", TW_VERDICT_UNKNOWN, "CKR_GENERAL_ERROR");
    must_be("template", TW_VERDICT_UNKNOWN, "the token failed");
    must_be("verdict", TW_VERDICT_OK, "can receive");
}

Test(sick, refusals_are_told_by_their_code)
{
    SCRIPTS({"read", "C_CopyObject * fail CKR_ACTION_PROHIBITED"},
            {"copy", "C_GenerateKey * fail CKR_MECHANISM_INVALID"},
            {"wrap", "C_SetAttributeValue * fail CKR_ACTION_PROHIBITED"}, {"loosen", "# well"});
    must_check(TW_OK, "# well", NULL);
    must_be("copy", TW_VERDICT_OK, "CKR_ACTION_PROHIBITED");
    must_be("wrap", TW_VERDICT_UNKNOWN, "no key to wrap with: C_GenerateKey gave CKR_MECHANISM");
    must_be("loosen", TW_VERDICT_OK, "CKR_ACTION_PROHIBITED");
    SCRIPTS({"copy", "C_WrapKey 1 fail CKR_MECHANISM_INVALID\n"
                     "C_WrapKey 2- fail CKR_KEY_NOT_WRAPPABLE"},
            {"wrap", "# well"});
    must_check(TW_OK, "# well", NULL);
    must_be("wrap", TW_VERDICT_OK, "CKR_KEY_NOT_WRAPPABLE");
}

/* --- CKA_DERIVE_TEMPLATE on tokens that take it. --------------------------------------- */

#define TAKES    "C_GenerateKeyPair * strip CKA_DERIVE_TEMPLATE\n"
#define ENFORCES "C_DeriveKey * refuse CKA_EXTRACTABLE=01 CKR_TEMPLATE_INCONSISTENT\n"

Test(sick, a_template_that_is_taken_and_ignored_is_told)
{
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, TAKES, NULL);
    must_be("made", TW_VERDICT_OK, "with CKA_DERIVE_TEMPLATE");
    must_be("template", TW_VERDICT_NO, "taken and ignored");
}

Test(sick, a_template_that_is_enforced_is_told)
{
    SCRIPTS({"scratch", TAKES ENFORCES});
    must_check(TW_OK, "# well", NULL);
    must_be("made", TW_VERDICT_OK, "with CKA_DERIVE_TEMPLATE");
    must_be("template", TW_VERDICT_OK, "is enforced; DH outputs stay inside");
}

Test(sick, a_template_that_can_be_taken_off_is_told)
{
    s.options.never_export_dh = true;
    SCRIPTS({"scratch", TAKES ENFORCES},
            {"loosen", "C_SetAttributeValue * fail CKR_OK\n"
                       "C_DeriveKey 1-5 refuse CKA_EXTRACTABLE=01 CKR_TEMPLATE_INCONSISTENT"});
    must_check(TW_OK, "# well", NULL);
    must_be("template", TW_VERDICT_WEAK, "can be taken off");
}

/* --- Tokens that cannot do all.
 * --------------------------------------------------------------------- */

Test(sick, a_token_that_can_do_neither_is_told_under_never_export_dh)
{
    s.options.never_export_dh = true;
    SCRIPTS({NULL, NULL});
    must_check(TW_ERR_TOKEN_POLICY, "C_DigestKey * fail CKR_FUNCTION_NOT_SUPPORTED", NULL);
    must_be("S1", TW_VERDICT_OK, "is read");
    must_be("S3", TW_VERDICT_NO, "CKR_FUNCTION_NOT_SUPPORTED");
    must_be("policy", TW_VERDICT_FAILED, "must not be exported");
    must_advise(&f, "policy", "S1 works");
    must(finding_of(&f, "speed") == NULL);
    s.options.never_export_dh = false;
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_DigestKey * fail CKR_FUNCTION_NOT_SUPPORTED", &no_pair);
    must_be("policy", TW_VERDICT_OK, "S1 is used; with never_export_dh there would be no way");
}

Test(sick, quirks_of_a_way_are_told)
{
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_DeriveKey * raw CKR_MECHANISM_PARAM_INVALID", &no_pair);
    must_be("S1", TW_VERDICT_OK, "(the point in DER)");
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_DeriveKey * refuse CKA_VALUE_LEN CKR_TEMPLATE_INCONSISTENT", &no_pair);
    must_be("S3", TW_VERDICT_OK, "(asked for without CKA_VALUE_LEN)");
}

Test(sick, a_token_that_makes_no_keys_serves_the_one_it_has)
{
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_GenerateKeyPair * fail CKR_FUNCTION_NOT_SUPPORTED", NULL);
    must_be("made", TW_VERDICT_NO, "CKR_FUNCTION_NOT_SUPPORTED");
    must(finding_of(&f, "read") == NULL);
    must_be("removed", TW_VERDICT_OK, "");
}

Test(sick, a_token_whose_keys_may_do_more_is_told)
{
    SCRIPTS({"speed", "C_GenerateKeyPair * refuse CKA_SIGN CKR_TEMPLATE_INCONSISTENT\n"
                      "C_SetAttributeValue * fail CKR_ATTRIBUTE_READ_ONLY"});
    must_check(TW_OK, "# well", NULL);
    must_be("made", TW_VERDICT_WEAK, "not for derivation alone");
}

Test(sick, a_key_that_wants_its_pin_for_each_use_is_not_worn_out)
{
    SCRIPTS({NULL, NULL});
    must_check(TW_OK,
               "C_GetAttributeValue * answer CKA_ALWAYS_AUTHENTICATE 01\n"
               "C_Login * context " STAND_PIN "\n"
               "C_DeriveKey * fresh CKR_USER_NOT_LOGGED_IN\n",
               &no_pair);
    must_be("key", TW_VERDICT_OK, "wants the PIN for each use");
    must_be("attributes", TW_VERDICT_OK, "ALWAYS_AUTHENTICATE=1");
    must_be("speed", TW_VERDICT_UNKNOWN, "not measured");
}

Test(sick, what_the_token_says_of_its_pin_is_told)
{
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_GetTokenInfo * set CKF_USER_PIN_COUNT_LOW", &no_pair);
    must_be("login", TW_VERDICT_WEAK, "wrong ones had been sent");
    SCRIPTS({NULL, NULL});
    must_check(TW_OK, "C_GetTokenInfo * set CKF_USER_PIN_TO_BE_CHANGED", &no_pair);
    must_be("login", TW_VERDICT_WEAK, "the token came with");
    SCRIPTS({NULL, NULL});
    must_check(TW_ERR_TOKEN_PIN, "C_GetTokenInfo * set CKF_USER_PIN_LOCKED", &no_pair);
    must_be("login", TW_VERDICT_FAILED, "CKR_PIN_LOCKED");
    SCRIPTS({NULL, NULL});
    must_check(TW_OK,
               "C_GetTokenInfo * set CKF_PROTECTED_AUTHENTICATION_PATH\n"
               "C_Login * pinpad " STAND_PIN,
               &no_pair);
    must_be("token", TW_VERDICT_OK, "on its own pad");
}

Test(sick, a_key_that_is_not_kept_inside_is_told)
{
    static const struct {
        const char *lie, *text;
    } rows[] = {
        {"CKA_EXTRACTABLE 01", "can take the key out"},
        {"CKA_SENSITIVE 00", "can take the key out"},
        {"CKA_NEVER_EXTRACTABLE 00", "was outside"},
        {"CKA_ALWAYS_SENSITIVE 00", "was outside"},
        {"CKA_PRIVATE 00", "without a login"},
        {"CKA_DECRYPT 01", "more than derive"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char script[128];

        (void)snprintf(script, sizeof(script), "C_GetAttributeValue * answer %s", rows[i].lie);
        SCRIPTS({NULL, NULL});
        must_check(TW_OK, script, &no_pair);
        must_be("attributes", TW_VERDICT_WEAK, rows[i].text);
        must_advise(&f, "attributes", "twoway keygen --token");
    }
}

/* Threads that the token has no session for wait for those of others. */
Test(sick, a_token_of_few_sessions_serves_several_threads)
{
    const tw_token_check_options shortly = {
        .size = sizeof(shortly), .no_scratch = true, .speed_ms = 1};

    SCRIPTS({"policy", "C_OpenSession * limit 2\nC_DeriveKey * wait 40"});
    must_check(TW_OK, "# well", &shortly);
    must_be("speed", TW_VERDICT_OK, " in 4");
}

Test(sick, a_key_that_a_logout_hides_is_found)
{
    SCRIPTS({"login", "C_FindObjectsInit 1 logout"});
    must_check(TW_OK, "# well", &no_pair);
    must_be("key", TW_VERDICT_OK, "'a'");
}

/* --- Failures amid it.
 * --------------------------------------------------------------------------------- */

/* The token is lost for good at a step: what was made cannot go, and that is said. */
Test(sick, a_token_that_is_gone_keeps_what_was_made_and_that_is_told)
{
    size_t before = stand_objects(&s);

    SCRIPTS({"copy", "* * fail CKR_DEVICE_REMOVED"});
    must_err(TW_ERR_TOKEN_ABSENT, check_key(&s, ";object=a", NULL, &f));
    must_be("wrap", TW_VERDICT_FAILED, "CKR_DEVICE_REMOVED");
    must_be("removed", TW_VERDICT_FAILED, "'twoway-check', id ");
    must_advise(&f, "removed", "pkcs11-tool");
    must_be("verdict", TW_VERDICT_FAILED, "can receive, by S1, but 'wrap' failed");
    fault_script(&s, "# it is back");
    must_size(before + 2, stand_objects(&s));
    SCRIPTS({NULL, NULL});
    must_err(TW_OK, check_key(&s, ";object=a", NULL, &f));
    must_be("leftover", TW_VERDICT_WEAK, "2 objects called 'twoway-check'");
    must_advise(&f, "leftover", "pkcs11-tool");
    must_size(before + 2, stand_objects(&s));
}

Test(sick, what_will_not_go_is_told)
{
    SCRIPTS({"template", "C_DestroyObject 1-2 fail CKR_HOST_MEMORY"});
    must_check(TW_OK, "# well", NULL); /* it went at the third try */
    SCRIPTS({"template", "C_DestroyObject * fail CKR_ACTION_PROHIBITED"});
    must_err(TW_ERR_TOKEN_POLICY, check_key(&s, ";object=a", NULL, &f));
    must_be("removed", TW_VERDICT_FAILED, "CKR_ACTION_PROHIBITED");
    SCRIPTS({"template", "C_DestroyObject * fail CKR_OK"});
    must_err(TW_ERR_TOKEN_FAILED, check_key(&s, ";object=a", NULL, &f));
    must_be("removed", TW_VERDICT_FAILED, "said yes and did nothing");
}
