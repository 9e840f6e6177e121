/* SPDX-License-Identifier: Apache-2.0 */
/* What each CK_RV is judged to be, and what is told of it. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "key.h"

/* --- Codes. --------------------------------------------------------------------------------------
 */

Test(encodings, a_code_says_who_must_act_and_what_was_lost)
{
    static const struct {
        CK_RV rv;
        tw_err err;
        loss loss;
    } wanted[] = {
        {CKR_HOST_MEMORY, TW_ERR_MEMORY, LOSS_NONE},
        {CKR_PIN_INCORRECT, TW_ERR_TOKEN_PIN, LOSS_NONE},
        {CKR_PIN_LOCKED, TW_ERR_TOKEN_PIN, LOSS_NONE},
        {CKR_TOKEN_NOT_PRESENT, TW_ERR_TOKEN_ABSENT, LOSS_SLOT},
        {CKR_SESSION_COUNT, TW_ERR_TOKEN_BUSY, LOSS_NONE},
        {CKR_SESSION_CLOSED, TW_ERR_TOKEN_FAILED, LOSS_SESSION},
        {CKR_USER_NOT_LOGGED_IN, TW_ERR_TOKEN_FAILED, LOSS_SESSION},
        {CKR_MECHANISM_INVALID, TW_ERR_TOKEN_POLICY, LOSS_NONE},
        {CKR_DEVICE_ERROR, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {0x121, TW_ERR_TOKEN_POLICY, LOSS_NONE}, /* CKR_RANDOM_NO_RNG; then two of 3.0 and 3.1 */
        {0x201, TW_ERR_TOKEN_FAILED, LOSS_NONE}, /* CKR_TOKEN_RESOURCE_EXCEEDED */
        {0x203, TW_ERR_TOKEN_POLICY, LOSS_NONE}, /* CKR_KEY_EXHAUSTED */
        {0x182, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {0x80000182, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
        {(CK_RV)-1, TW_ERR_TOKEN_FAILED, LOSS_MODULE},
    };

    for (size_t i = 0; i < LENGTH(wanted); i++) {
        verdict v = twp_rv_judge(wanted[i].rv);

        check_note("(0x%lx)", wanted[i].rv);
        must_err(wanted[i].err, v.err);
        must(wanted[i].loss == v.loss);
        must((v.name == NULL) == (wanted[i].rv == 0x182 || wanted[i].rv > 0xffff));
    }
}

/* No code of a token's is a peer's fault: `enc` was checked before. */
Test(encodings, no_code_blames_the_peer)
{
    for (CK_RV rv = 1; rv < 0x1000; rv++) {
        tw_err err = twp_rv_judge(rv).err;

        must(err != TW_OK && !tw_err_is_peer(err));
    }
}

/* --- Options and events. ---------------------------------------------------------------------- */

static char message[1024];

static void keep(void *arg, const tw_token_event *event)
{
    (void)arg;
    (void)snprintf(message, sizeof(message), "%s", event->message);
}

/* --- What is found. ---------------------------------------------------------------------- */

static CK_RV find_init(CK_SESSION_HANDLE on, CK_ATTRIBUTE *match, CK_ULONG count)
{
    (void)on;
    (void)match;
    (void)count;
    return CKR_OK;
}

static CK_ULONG rounds; /* of finding; in the first it counts three and gives two */

static CK_RV find_too_few(CK_SESSION_HANDLE on, CK_OBJECT_HANDLE *out, CK_ULONG room,
                          CK_ULONG *count)
{
    (void)on;
    must(room >= 3);
    out[0] = 7;
    out[1] = 8; /* the heap itself wrote that far */
    *count = rounds++ == 0 ? 3 : 0;
    return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE on)
{
    (void)on;
    return CKR_OK;
}

Test(found, an_object_that_was_counted_and_not_given_is_none)
{
    CK_FUNCTION_LIST fn = {.C_FindObjectsInit = find_init,
                           .C_FindObjects = find_too_few,
                           .C_FindObjectsFinal = find_final};
    failure why = {0};
    line l = {&fn, 1, &why};
    CK_OBJECT_HANDLE *objects = (CK_OBJECT_HANDLE *)&objects;
    size_t count = 9;
    volatile uint8_t *before = malloc(256); /* what lay there is no object either */

    must(before != NULL);
    for (size_t i = 0; i < 256; i++) {
        before[i] = 0x5a;
    }
    free((uint8_t *)before);
    must_err(TW_ERR_TOKEN_FAILED, twp_object_find(&l, NULL, 0, &objects, &count));
    must(objects == NULL && count == 0);
}

/* What a terminal would obey does not come through, what it shows does. */
Test(report, a_message_is_one_line_of_text)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"a\nb\x1b[2J\x7f", "do: a?b?[2J?"},
        {"caf\xc3\xa9 \xe2\x82\xac", "do: caf\xc3\xa9 \xe2\x82\xac"},
        {"\x9b"
         "2J",
         "do: ?2J"},
        {"\xc3\xa9\x85", "do: \xc3\xa9?"},
        {"\xc2\x9b"
         "2J",
         "do: ??2J"},
        {"\xc2\xa0", "do: \xc2\xa0"},
        {"\xc0\x9b\xff", "do: ???"},
        {"end\xe2\x82", "do: end??"},
        {"\xe0\x80\x8a\xe0\xa0\x80", "do: ???\xe0\xa0\x80"}, /* longer than it need be */
        {"\xf0\x8f\xbf\xbf\xf0\x90\x80\x80", "do: ????\xf0\x90\x80\x80"},
        {"\xed\xa0\x80\xed\x9f\xbf", "do: ???\xed\x9f\xbf"}, /* half of a pair */
        {"\xf4\x90\x80\x80\xf4\x8f\xbf\xbf", "do: ????\xf4\x8f\xbf\xbf"},
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xaf",
         "do: \xe2\x80\xa7???\xe2\x80\xaf"}, /* a line's end */
        {"\xe2\x80\xae\xe2\x81\xa5\xe2\x81\xa6", "do: ???\xe2\x81\xa5???"}, /* turned round */
        {"\xe2\x81\xa9\xe2\x81\xaa", "do: ???\xe2\x81\xaa"},
    };
    const settings s = {.size = sizeof(s), .event = keep};

    for (size_t i = 0; i < LENGTH(rows); i++) {
        failure why = {0};

        (void)twp_fail_text(&why, TW_ERR_INVALID, "%s", rows[i].text);
        twp_report(&s, 0, "do", &why);
        check_note("(row %zu: %s)", i, message);
        must(strcmp(message, rows[i].said) == 0);
    }
}

/* A caller's older header ends where it ends: what it does not reach is absent, whole. */
Test(report, options_of_any_size_are_copied_by_whole_fields)
{
    const tw_provider provider = {0};
    const tw_token_options all = {.module = "m",
                                  .init_args = "i",
                                  .max_sessions = 7,
                                  .deadline_ms = 9,
                                  .provider = &provider,
                                  .event = keep};

    for (size_t size = 0; size <= sizeof(all) + 8; size++) {
        tw_token_options given = all;
        settings s;

        given.size = size;
        if (twp_settings_copy(&s, &given) != TW_OK) {
            must(size < offsetof(tw_token_options, init_args));
            continue;
        }
        must((s.init_args != NULL) == (size >= offsetof(tw_token_options, max_sessions)));
        must((s.provider != NULL) ==
             (size >= offsetof(tw_token_options, provider) + sizeof(void *)));
        must(s.event == NULL || s.event == keep);
        twp_settings_clear(&s);
    }
}
