/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call in turn fails once, in every way: of opening, finding, using, making, listing.
 * Whatever the answer, it is one of the library's, nothing is left behind, and afterwards
 * all is well.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;

static void start(void)
{
    fault_softhsm(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(each, .init = start, .fini = end, .timeout = 900);

static const char *const ways[] = {
    "fail CKR_GENERAL_ERROR",
    "fail CKR_DEVICE_ERROR",
    "fail CKR_SESSION_HANDLE_INVALID",
    "fail CKR_DEVICE_REMOVED",
    "fail CKR_USER_NOT_LOGGED_IN",
    "fail CKR_HOST_MEMORY",
    "fail CKR_SESSION_COUNT",
    "fail CKR_TOKEN_NOT_PRESENT",
    "fail 0x80000001",
    "kill CKR_SESSION_CLOSED",
    "logout",
    "fail CKR_FUNCTION_NOT_SUPPORTED",
    "fail CKR_BUFFER_TOO_SMALL",
    "none",
};

enum {
    WAYS = sizeof(ways) / sizeof(ways[0]),
    MOST_CALLS = 400, /* of one operation; more and it never ends */
};

static bool is_known(tw_err err)
{
    return err == TW_OK || err == TW_ERR_MEMORY ||
           (err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED);
}

static tw_err open_and_use(void)
{
    tw_token *token;
    tw_key *key;
    tw_err err = tw_token_open(stand_uri(&s, ""), &s.options, &token);

    if (err != TW_OK) {
        must(token == NULL);
        return err;
    }
    err = tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key);
    must((err == TW_OK) == (key != NULL));
    if (err == TW_OK) {
        err = tw_key_check(key);
        tw_key_free(key);
    }
    tw_token_free(token);
    return err;
}

static void make_key(void)
{
    tw_token *token = stand_open(&s);

    tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a"));
    tw_token_free(token);
}

static void well_again(void)
{
    fault_script(&s, "# well again");
}

/* The n-th call of `what` fails; false once it has not so many calls. */
static bool one_fails(size_t way, int n, tw_err (*what)(void))
{
    size_t before = fault_count("faults");
    bool acted;
    tw_err err;

    fault_script(&s, "* %d %s", n, ways[way]);
    check_note("(call %d: %s)", n, ways[way]);
    err = what();
    acted = fault_count("faults") > before;
    must(is_known(err));
    must(acted || err == TW_OK);
    stand_forget(&s);
    well_again();
    must(n < MOST_CALLS);
    return acted;
}

static int every_call_fails(size_t way, tw_err (*what)(void))
{
    int n = 1;

    while (one_fails(way, n, what)) {
        must_ok(open_and_use());
        must_no_event(&s);
        n++;
    }
    return n - 1;
}

static void opening(size_t from)
{
    make_key();
    for (size_t way = from; way < WAYS; way += 2) {
        must(every_call_fails(way, open_and_use) > 20);
        fault_clean(NULL);
    }
}

Test(each, call_of_opening_and_finding_fails)
{
    opening(0);
}

Test(each, call_of_opening_and_finding_fails_otherwise)
{
    opening(1);
}

/* --- Listing. ------------------------------------------------------------------------- */

static tw_err look(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    (void)token;
    *(size_t *)arg += key != NULL;
    return TW_OK;
}

static tw_err list(void)
{
    size_t keys = 0;

    return tw_token_list(stand_uri(&s, ""), &s.options, look, &keys);
}

Test(each, call_of_listing_fails)
{
    make_key();
    for (size_t way = 0; way < WAYS; way++) {
        must(every_call_fails(way, list) > 20);
        fault_clean(NULL);
    }
}

/* --- Making a key. ----------------------------------------------------------------------- */

static tw_token *token;

static size_t count_objects(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);
    CK_OBJECT_HANDLE objects[64];
    CK_ULONG count = 0;

    (void)fn->C_Login(session, CKU_USER, (CK_UTF8CHAR *)STAND_PIN, strlen(STAND_PIN));
    must(fn->C_FindObjectsInit(session, NULL, 0) == CKR_OK);
    must(fn->C_FindObjects(session, objects, 64, &count) == CKR_OK);
    must(fn->C_FindObjectsFinal(session) == CKR_OK);
    for (CK_ULONG i = 0; i < count; i++) {
        must(fn->C_DestroyObject(session, objects[i]) == CKR_OK);
    }
    must(fn->C_CloseSession(session) == CKR_OK);
    return count;
}

static tw_err make(void)
{
    tw_key *key;
    tw_err err = tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "new", NULL, 0, &key);

    must((err == TW_OK) == (key != NULL));
    well_again();
    if (err == TW_OK) {
        must_ok(tw_key_check(key));
        tw_key_free(key);
    }
    return err;
}

static tw_err open_and_make(void)
{
    tw_err err = tw_token_open(stand_uri(&s, ""), &s.options, &token);

    if (err == TW_OK) {
        err = make();
        must_size(err == TW_OK ? 2 : 0, count_objects());
        tw_token_free(token);
    }
    return err;
}

Test(each, call_of_making_a_key_fails)
{
    for (size_t way = 0; way < WAYS; way++) {
        int n = 1;

        while (one_fails(way, n, open_and_make)) {
            n++;
        }
        must(n > 20);
        fault_clean(NULL);
    }
}

/* --- Using one. ---------------------------------------------------------------------------- */

static tw_key *key;

static tw_err use(void)
{
    return tw_key_check(key);
}

/* All that can be overcome is, at once. */
static bool is_overcome(const char *way)
{
    return strstr(way, "HOST_MEMORY") == NULL && strstr(way, "NOT_SUPPORTED") == NULL &&
           strstr(way, "TOO_SMALL") == NULL && strstr(way, "COUNT") == NULL;
}

static void start_use(void)
{
    token = stand_open(&s);
    must_ok(tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key));
}

static void end_use(void)
{
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

Test(each, call_of_using_a_key_fails_and_is_overcome)
{
    make_key();
    start_use();
    for (size_t way = 0; way < WAYS; way++) {
        for (int n = 1; n <= 3; n++) {
            fault_script(&s, "* %d %s", n, ways[way]);
            check_note("(call %d: %s; %s)", n, ways[way], s.event_message);
            if (is_overcome(ways[way])) {
                must_ok(tw_key_check(key));
                must_no_event(&s);
            } else {
                must(is_known(tw_key_check(key)));
            }
            stand_forget(&s);
            well_again();
            must_ok(tw_key_check(key));
        }
    }
    end_use();
}

/* While it recovers from one loss, each call in turn meets another. */
static void twice(const char *first, size_t from)
{
    make_key();
    start_use();
    for (size_t way = from; way < WAYS; way += 3) {
        for (int n = 2;; n++) {
            size_t before = fault_count("faults");
            tw_err err;

            fault_script(&s, "C_DeriveKey 1 %s\n* %d %s", first, n, ways[way]);
            check_note("(%s, then call %d: %s)", first, n, ways[way]);
            err = use();
            must(is_known(err));
            stand_forget(&s);
            if (fault_count("faults") - before < 2) {
                must_ok(err);
                break;
            }
            well_again();
            for (int i = 0; tw_key_check(key) != TW_OK; i++) {
                must(i < 100);
                usleep(100000);
            }
            stand_forget(&s);
            must(n < MOST_CALLS);
        }
    }
    well_again();
    end_use();
}

Test(each, call_on_the_way_back_from_a_dead_session_fails)
{
    twice("kill CKR_SESSION_HANDLE_INVALID", 0);
}

Test(each, call_on_the_way_back_from_a_dead_session_fails_otherwise)
{
    twice("kill CKR_SESSION_HANDLE_INVALID", 1);
}

Test(each, call_on_the_way_back_from_a_removal_fails)
{
    twice("kill CKR_DEVICE_REMOVED", 2);
}
