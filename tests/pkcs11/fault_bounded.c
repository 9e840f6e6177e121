/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys are asked for with CKA_DERIVE_TEMPLATE, of tokens that take it, refuse it or fail. */
#include <criterion/criterion.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;

static void start(void)
{
    fault_softhsm(&s);
    s.options.never_export_dh = true;
    token = stand_open(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(bounding, .init = start, .fini = end);

static tw_err make_called(const char *label, tw_key **out)
{
    return tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, label, NULL, 0, out);
}

static void must_make(const char *label)
{
    tw_key *key;

    check_note("(%s)", s.event_message);
    must_ok(make_called(label, &key));
    must_no_event(&s);
    must_ok(tw_key_check(key));
    check_note("%s", "");
    tw_key_free(key);
}

static void finish(void)
{
    fault_script(&s, "# well again");
    tw_token_free(token);
    fault_clean(NULL);
}

#define TAKES "C_GenerateKeyPair * strip CKA_DERIVE_TEMPLATE\n"

/* Whether the next key is asked for with it; of one that is, nothing is made. */
static bool still_bounds(void)
{
    tw_key *key;
    tw_err err;

    fault_script(&s, "C_GenerateKeyPair * refuse CKA_DERIVE_TEMPLATE CKR_DEVICE_REMOVED");
    err = make_called("next", &key);
    check_note("(%s)", s.event_message);
    must(err == TW_OK || err == TW_ERR_TOKEN_ABSENT);
    check_note("%s", "");
    tw_key_free(key);
    stand_forget(&s);
    return err != TW_OK;
}

Test(bounding, a_curve_that_a_token_lacks_loosens_no_other_key)
{
    tw_key *key;

    fault_script(&s, "C_GenerateKeyPair * fail 0x140");
    must_err(TW_ERR_TOKEN_POLICY,
             tw_token_generate(token, TW_KEM_X448_HKDF_SHA512, "a", NULL, 0, &key));
    must_event(&s, TW_ERR_TOKEN_POLICY, "C_GenerateKeyPair", CKR_CURVE_NOT_SUPPORTED, "");
    must(still_bounds());
    finish();
}

/* The first two of C_GenerateKeyPair are the probe's, the five that follow all that are asked for
 * in its place, and the three after that all of a probe's which fails. */
Test(bounding, a_device_that_fails_loosens_no_key_where_the_template_is_taken)
{
    static const struct {
        const char *when;
        bool passes;
    } rows[] = {{"3-", false}, {"3-10", false}, {"2", true}, {"3-7", true}, {"3-9", true}};
    tw_key *key;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char label[] = {(char)('a' + i), '\0'};

        fault_script(&s, TAKES "C_GenerateKeyPair %s fail CKR_DEVICE_ERROR", rows[i].when);
        if (rows[i].passes) {
            must_make(label);
        } else {
            must_err(TW_ERR_TOKEN_FAILED, make_called(label, &key));
            must_event(&s, TW_ERR_TOKEN_FAILED, "C_GenerateKeyPair", CKR_DEVICE_ERROR, "");
        }
        must(still_bounds());
    }
    finish();
}

/* A token that makes no pairs for a session shows it by those that it keeps. */
Test(bounding, a_template_that_is_refused_for_the_token_is_left_out_from_then_on)
{
    fault_script(&s, "C_GenerateKeyPair * refuse CKA_TOKEN=00 CKR_TEMPLATE_INCONSISTENT\n"
                     "C_GenerateKeyPair * refuse CKA_DERIVE_TEMPLATE CKR_TEMPLATE_INCONSISTENT");
    must_make("a");
    must(!still_bounds());
    finish();
}

Test(bounding, a_device_that_fails_tells_nothing_of_the_template)
{
    fault_script(&s, TAKES "C_GenerateKeyPair * refuse CKA_TOKEN=00 CKR_TEMPLATE_INCONSISTENT\n"
                           "C_GenerateKeyPair 4-8 fail CKR_DEVICE_ERROR");
    must_make("a");
    must(still_bounds());
    finish();
}
