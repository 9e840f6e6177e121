/* SPDX-License-Identifier: Apache-2.0 */
/* Two tokens that say the same of themselves, and are told apart by their slots. */
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
