/* SPDX-License-Identifier: Apache-2.0 */
/* What tw_token_stats tells of a token that serves, fails, hangs and goes away. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    fault_softhsm(&s);
    s.options.max_sessions = 1;
    s.options.deadline_ms = 20000;
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
}

static void end(void)
{
    tw_key_free(key);
    tw_token_free(token);
    stand_end(&s);
}

TestSuite(stats, .init = start, .fini = end, .timeout = 60);

static tw_token_counts now(void)
{
    tw_token_counts c = {.size = sizeof(c)};

    must_ok(tw_token_stats(token, &c));
    must_size(sizeof(c), c.size);
    return c;
}

static uint64_t slower_than(const tw_token_counts *c, size_t bucket)
{
    uint64_t sum = 0;

    for (size_t i = bucket; i < TW_TOKEN_BUCKETS; i++) {
        sum += c->latency[i];
    }
    return sum;
}

Test(stats, operations_are_counted_and_timed)
{
    tw_token_counts c = now();

    must_size(0, c.operations);
    must_size(1, c.logins);
    must_size(1, c.sessions);
    must_size(1, c.session_limit);
    for (int i = 0; i < 5; i++) {
        must_ok(tw_key_check(key));
    }
    fault_script(&s, "C_DeriveKey 1 wait 40");
    must_ok(tw_key_check(key));
    c = now();
    must_size(6, c.operations);
    must_size(6, slower_than(&c, 0));
    must(slower_than(&c, 9) >= 1); /* 32 ms and more */
    must_size(0, c.retries + c.recoveries + c.in_flight + c.waiting);
    must_size(0, c.absent + c.pin + c.busy + c.policy + c.failed + c.other);
    must(!c.gone && c.gone_s == 0 && c.slot != TW_TOKEN_NO_SLOT);
}

Test(stats, a_retry_shows_as_one)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID");
    must_ok(tw_key_check(key));
    must_size(1, now().operations);
    must_size(1, now().retries);
    must_size(1, now().recoveries);
    must_size(2, now().logins);
}

Test(stats, errors_are_counted_by_their_code)
{
    fault_script(&s, "C_DeriveKey 1 fail CKR_KEY_FUNCTION_NOT_PERMITTED\n"
                     "C_DeriveKey 2 fail CKR_HOST_MEMORY\n"
                     "C_DeriveKey 3-4 fail CKR_ARGUMENTS_BAD");
    for (int i = 0; i < 4; i++) {
        must(tw_key_check(key) != TW_OK);
    }
    must_size(4, now().operations);
    must_size(1, now().policy);
    must_size(1, now().other);
    must_size(2, now().failed);
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_Login * fail CKR_PIN_INCORRECT");
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
    must_size(1, now().pin);
}

static void *use(void *arg)
{
    *(tw_err *)arg = tw_key_check(key);
    return NULL;
}

Test(stats, who_works_and_who_waits)
{
    pthread_t threads[3];
    tw_err errs[3];

    fault_script(&s, "C_DeriveKey 1 wait 20000");
    for (int i = 0; i < 3; i++) {
        must(pthread_create(&threads[i], NULL, use, &errs[i]) == 0);
    }
    for (int i = 0; now().waiting < 2; i++) {
        must(i < 5000);
        usleep(1000);
    }
    must_size(3, now().in_flight);
    must_size(0, now().operations);
    fault_script(&s, "# goes on");
    for (int i = 0; i < 3; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        must_ok(errs[i]);
    }
    must_size(0, now().in_flight + now().waiting);
    must_size(3, now().operations);
}

Test(stats, that_a_token_is_gone_and_since_when)
{
    fault_script(&s, "C_GetSlotList * none\nC_DeriveKey * kill CKR_DEVICE_REMOVED\n"
                     "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must(now().gone);
    must_size(1, now().absent);
    usleep(1100000);
    must(now().gone_s >= 1);
    fault_script(&s, "# back");
    must_ok(tw_key_check(key));
    must(!now().gone && now().gone_s == 0);
}

/* It is there, though it wants another PIN: nobody is told that it is gone. */
Test(stats, that_a_token_is_back_though_it_cannot_be_used)
{
    fault_script(&s, "C_GetSlotList * none\nC_DeriveKey * kill CKR_DEVICE_REMOVED\n"
                     "C_OpenSession * fail CKR_TOKEN_NOT_PRESENT");
    must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(key));
    must(now().gone);
    fault_script(&s, "C_Login * fail CKR_PIN_INCORRECT");
    must_err(TW_ERR_TOKEN_PIN, tw_key_check(key));
    must(!now().gone);
}

Test(stats, a_caller_gets_as_much_as_its_header_has)
{
    union {
        tw_token_counts counts;
        uint8_t bytes[sizeof(tw_token_counts) + 16];
    } out;

    must_err(TW_ERR_INVALID, tw_token_stats(token, NULL));
    must_err(TW_ERR_INVALID, tw_token_stats(NULL, &out.counts));
    must_ok(tw_key_check(key));
    for (size_t size = 0; size <= sizeof(out); size++) {
        memset(&out, 0xee, sizeof(out));
        out.counts.size = size;
        if (size < offsetof(tw_token_counts, latency)) {
            must_err(TW_ERR_INVALID, tw_token_stats(token, &out.counts));
            continue;
        }
        must_ok(tw_token_stats(token, &out.counts));
        must_size(1, out.counts.operations);
        must_size(size, out.counts.size);
        for (size_t i = size; i < sizeof(out); i++) {
            must(out.bytes[i] == 0xee);
        }
    }
}
