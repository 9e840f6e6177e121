/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor while one call or another fails: whatever it then says, nothing is left. */
#include <criterion/criterion.h>

#include "check.h"
#include "fault_stand.h"
#include "findings.h"

static stand s;
static findings f;

static void end(void)
{
    stand_end(&s);
}

TestSuite(doctor_each, .fini = end, .timeout = 300);

static const char *const ways[] = {
    "fail CKR_GENERAL_ERROR", "fail CKR_DEVICE_REMOVED",     "kill CKR_SESSION_HANDLE_INVALID",
    "fail CKR_HOST_MEMORY",   "fail CKR_TOKEN_NOT_PRESENT",  "logout",
    "fail 0x80000001",        "fail CKR_USER_NOT_LOGGED_IN", "none",
};

/* Every seventh of its calls fails once, in one way after the other: nothing is left. */
Test(doctor_each, seventh_call_fails_once_and_nothing_is_left)
{
    size_t before, faults, runs = 0;
    tw_token *token;

    fault_softhsm(&s);
    token = stand_open(&s);
    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_token_free(token);
    before = stand_objects(&s);

    for (unsigned n = 1;; n += 7, runs++) {
        tw_err err;

        faults = fault_count("faults");
        fault_script(&s, "* %u %s", n, ways[runs % (sizeof(ways) / sizeof(ways[0]))]);
        f = (findings){0};
        err = check_key(&s, ";object=a", NULL, &f);
        fault_script(&s, "# well again");
        check_note("(call %u: %s)", n, ways[runs % (sizeof(ways) / sizeof(ways[0]))]);
        must(err == TW_OK || err == TW_ERR_MEMORY ||
             (err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED));
        must_size(before, stand_objects(&s));
        if (fault_count("faults") == faults) {
            break;
        }
    }
    must(runs > 30);
    fault_clean(NULL);
}
