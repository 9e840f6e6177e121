/* SPDX-License-Identifier: Apache-2.0 */
/* Two tokens that say the same of themselves, and are told apart by their slots; or of which one
 * fails. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fault_stand.h"

enum {
    TOKENS = 2,
};

static stand s;

static void start(void)
{
    fault_softhsm(&s);
    stand_add(&s, "hpke");
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(alike, .init = start, .fini = end, .timeout = 60);

#define ALIKE "C_GetTokenInfo * serial 1\n"

static unsigned long slots[8];
static size_t slot_count;

static tw_err keep_slot(void *arg, const tw_token_info *token, const tw_token_key_info *key)
{
    (void)arg;
    if (key == NULL && strcmp(token->label, "hpke") == 0) {
        slots[slot_count++] = token->slot;
    }
    return TW_OK;
}

static unsigned long slot_now(const tw_token *token)
{
    tw_token_counts counts = {.size = sizeof(counts)};

    must_ok(tw_token_stats(token, &counts));
    return counts.slot;
}

/* A PIN's try is not spent on the other. */
Test(alike, one_that_comes_back_in_its_slot_is_not_taken_for_the_other)
{
    fault_script(&s, ALIKE);
    must_ok(tw_token_list(NULL, &s.options, keep_slot, NULL));
    must_size(TOKENS, slot_count);
    for (size_t i = 0; i < TOKENS; i++) {
        char uri[128];
        tw_token *token;
        tw_key *key;

        (void)snprintf(uri, sizeof(uri), "pkcs11:slot-id=%lu?pin-value=" STAND_PIN, slots[i]);
        must_ok(tw_token_open(uri, &s.options, &token));
        must_ok(tw_token_generate(token, TW_KEM_P256_HKDF_SHA256, "a", NULL, 0, &key));
        fault_script(&s, ALIKE "C_DeriveKey 1 kill CKR_DEVICE_REMOVED");
        must_ok(tw_key_check(key));
        must(slot_now(token) == slots[i]);
        fault_script(&s, ALIKE);
        tw_key_free(key);
        tw_token_free(token);
    }
    must_no_event(&s);
    fault_clean(NULL);
}

/* --- One of them fails. ----------------------------------------------------------------------- */

/* By C_GetSlotInfo or C_GetTokenInfo, for the first slot. */
static void must_tell(const char *function)
{
    unsigned long first;
    char said[256];

    slot_count = 0;
    must_ok(tw_token_list(NULL, &s.options, keep_slot, NULL));
    first = slots[0];
    fault_script(&s, "%s 1 fail CKR_DEVICE_ERROR", function);
    slot_count = 0;
    must_ok(tw_token_list(NULL, &s.options, keep_slot, NULL));
    must_size(TOKENS - 1, slot_count);
    (void)snprintf(said, sizeof(said), "slot %lu of module %s left out: ", first, s.options.module);
    must_event(&s, TW_ERR_TOKEN_FAILED, function, CKR_DEVICE_ERROR, said);
}

Test(alike, a_slot_that_fails_is_told_of_and_left_out)
{
    must_tell("C_GetTokenInfo");
    must_tell("C_GetSlotInfo");
    fault_script(&s, "C_GetTokenInfo 1 fail CKR_TOKEN_NOT_PRESENT");
    slot_count = 0;
    must_ok(tw_token_list(NULL, &s.options, keep_slot, NULL));
    must_size(TOKENS - 1, slot_count);
    must_no_event(&s); /* it was pulled just now */
}

Test(alike, a_slot_that_fails_is_told_of_where_its_token_is_not_found)
{
    tw_token *token;
    char uri[64];

    must_ok(tw_token_list(NULL, &s.options, keep_slot, NULL));
    fault_script(&s, "C_GetTokenInfo * fail CKR_DEVICE_ERROR");
    (void)snprintf(uri, sizeof(uri), "pkcs11:slot-id=%lu", slots[0]);
    must_err(TW_ERR_TOKEN_ABSENT, tw_token_open(uri, &s.options, &token));
    must_size(2, s.events); /* the slot that is asked for, and none else; and that there is none */
    must(s.event_err == TW_ERR_TOKEN_ABSENT);
}
