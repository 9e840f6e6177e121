/* SPDX-License-Identifier: Apache-2.0 */
/* Several tokens and modules in one process: what befalls one keeps no other from its work. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

/* What hangs does so far longer than any machine is busy with other things. */
enum {
    TOKENS = 2,
    DEADLINE_MS = 5000,
    IN_TIME_MS = 10000,
    HANG_MS = 60000,
};

static const char *const labels[TOKENS] = {"hpke", "second"};

static stand s;
static tw_token_options options[TOKENS];
static tw_token *tokens[TOKENS];
static tw_key *keys[TOKENS];

static void open_token(size_t i, const char *module)
{
    options[i] = s.options;
    options[i].module = module;
    s.token = labels[i];
    must_ok(tw_token_open(stand_uri(&s, ""), &options[i], &tokens[i]));
    keys[i] = stand_key(&s, tokens[i], TW_KEM_P256_HKDF_SHA256, "a");
}

static void start(void)
{
    fault_softhsm(&s);
    stand_add(&s, "second");
    s.options.event = NULL;
    s.options.deadline_ms = DEADLINE_MS;
    open_token(0, TESTS_FAULT);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(others, .init = start, .fini = end, .timeout = 60);

static void finish(void)
{
    for (size_t i = 0; i < TOKENS; i++) {
        tw_key_free(keys[i]);
        tw_token_free(tokens[i]);
    }
    fault_clean(NULL);
}

/* --- Two tokens of one module. ---------------------------------------------------------------- */

static void move_tokens(const char *from, const char *to)
{
    run_quietly("mkdir -p '%s/%s' && mv '%s/%s'/* '%s/%s'", s.dir, to, s.dir, from, s.dir, to);
}

/* SoftHSM looks for its tokens as it is initialised and at no other time. That disturbs none,
 * where all of them are gone. */
Test(others, all_tokens_of_a_module_come_back_together)
{
    open_token(1, TESTS_FAULT);
    move_tokens("tokens", "away");
    for (int i = 0; i < 24; i++) {
        tw_token_counts counts = {.size = sizeof(counts)};

        (void)!tw_key_check(keys[i % TOKENS]);
        must_ok(tw_token_stats(tokens[i % TOKENS], &counts));
        must(i < 4 || counts.gone);
        usleep(200000);
    }
    move_tokens("away", "tokens");
    for (size_t t = 0; t < TOKENS; t++) {
        for (int i = 0; tw_key_check(keys[t]) != TW_OK; i++) {
            check_note("(token %zu)", t);
            must(i < 15); /* soon, however long they were away */
            usleep(100000);
        }
    }
    must_ok(tw_key_check(keys[0]));
    finish();
}

/* Nor is it asked for at every use, where it cannot be had: only who initialised a module can
 * restart it. */
Test(others, a_module_of_someone_elses_is_seldom_initialised_again)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    struct timespec begun;
    size_t before;

    tw_key_free(keys[0]);
    tw_token_free(tokens[0]);
    must(fn->C_Initialize(&args) == CKR_OK);
    must_ok(tw_token_open(stand_uri(&s, ""), &options[0], &tokens[0]));
    must_ok(tw_token_find_key(tokens[0], stand_uri(&s, ";object=a"), NULL, 0, &keys[0]));
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_FindObjectsInit * hide CKO_PRIVATE_KEY");
    before = fault_count("C_Initialize");
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (int i = 0; i < 20; i++) {
        must_err(TW_ERR_TOKEN_ABSENT, tw_key_check(keys[0]));
    }
    must(fault_count("C_Initialize") - before <= 1 + (size_t)ms_since(&begun) / 500);
    fault_script(&s, "# shown");
    must_ok(tw_key_check(keys[0]));
    tw_key_free(keys[0]);
    tw_token_free(tokens[0]);
    must(fn->C_Finalize(NULL) == CKR_OK);
    fault_clean(NULL);
}

/* --- Threads that hang, or look how long they do. --------------------------------------------- */

typedef struct timed {
    pthread_t thread;
    size_t token;
    tw_err err;
    long ms;
} timed;

static void *use(void *arg)
{
    timed *t = arg;
    struct timespec begun, now;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    t->err = tw_key_check(keys[t->token]);
    clock_gettime(CLOCK_MONOTONIC, &now);
    t->ms = (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000;
    return NULL;
}

static void begin(timed *t, size_t token)
{
    t->token = token;
    must(pthread_create(&t->thread, NULL, use, t) == 0);
}

static void join_well(timed *t)
{
    must(pthread_join(t->thread, NULL) == 0);
    must_ok(t->err);
}

static void wait_for_calls(const char *function, size_t count)
{
    for (int i = 0; fault_count(function) < count; i++) {
        must(i < 5000);
        usleep(1000);
    }
}

/* The first waits for all calls of the module to end, which may be never: whoever comes meanwhile
 * gives it half a second, whatever time he has. */
Test(others, nobody_waits_long_for_a_restart_that_a_call_keeps)
{
    static timed hanging, restarting, quick;
    size_t before;

    options[0].deadline_ms = 30000;
    tw_key_free(keys[0]);
    tw_token_free(tokens[0]);
    must_ok(tw_token_open(stand_uri(&s, ""), &options[0], &tokens[0]));
    must_ok(tw_token_find_key(tokens[0], stand_uri(&s, ";object=a"), NULL, 0, &keys[0]));
    s.options.deadline_ms = 30000;
    open_token(1, TESTS_FAULT);
    before = fault_count("C_DeriveKey");
    fault_script(&s, "C_DeriveKey 1 wait %d\nC_DeriveKey 2-3 fail CKR_DEVICE_ERROR", HANG_MS);
    begin(&hanging, 0);
    wait_for_calls("C_DeriveKey", before + 1);
    begin(&restarting, 0);
    wait_for_calls("C_DeriveKey", before + 3);
    usleep(100000);
    for (int i = 0; i == 0 || quick.ms >= 5000; i++) {
        must(i < 3);
        begin(&quick, 1);
        must(pthread_join(quick.thread, NULL) == 0);
        must_err(TW_ERR_TOKEN_FAILED, quick.err);
    }
    fault_script(&s, "# goes on");
    join_well(&hanging);
    join_well(&restarting);
    finish();
}

/* The other waits for it as long as it takes, and who needs a restart too takes this one. */
Test(others, a_restart_that_takes_long_fails_nobody)
{
    static timed restarting, meanwhile, needy;
    size_t before = fault_count("C_Initialize"), restarts = fault_count("C_Finalize");

    open_token(1, TESTS_FAULT);
    fault_script(&s, "C_DeriveKey ! fail CKR_DEVICE_ERROR\nC_Initialize * wait 1200");
    begin(&needy, 1);
    begin(&restarting, 0);
    wait_for_calls("C_Initialize", before + 1);
    begin(&meanwhile, 1);
    join_well(&meanwhile);
    join_well(&restarting);
    join_well(&needy);
    must_size(restarts + 1, fault_count("C_Finalize"));
    finish();
}

/* Which may come to nothing, and leave its sessions open. */
Test(others, a_token_is_not_freed_before_it_can_close_its_sessions)
{
    static timed hanging, restarting;
    size_t before, closed;

    open_token(1, TESTS_FAULT);
    before = fault_count("C_DeriveKey");
    fault_script(&s, "C_DeriveKey 1 wait %d\nC_DeriveKey 2-3 fail CKR_DEVICE_ERROR", 1200);
    begin(&hanging, 0);
    wait_for_calls("C_DeriveKey", before + 1);
    begin(&restarting, 0);
    wait_for_calls("C_DeriveKey", before + 3);
    usleep(100000);
    closed = fault_count("C_CloseSession");
    tw_key_free(keys[1]);
    tw_token_free(tokens[1]);
    keys[1] = NULL;
    tokens[1] = NULL;
    must(fault_count("C_CloseSession") > closed || fault_count("C_Finalize") > 0);
    join_well(&hanging);
    join_well(&restarting);
    finish();
}

/* It serves nobody, so whatever wants it may bring it up. */
Test(others, a_module_that_is_down_comes_up_for_who_opens_or_looks)
{
    static const char down[] = "C_DeriveKey * fail CKR_DEVICE_ERROR\n"
                               "C_Initialize * fail CKR_GENERAL_ERROR";

    fault_script(&s, down);
    must(tw_key_check(keys[0]) != TW_OK);
    fault_script(&s, "# well again");
    open_token(1, TESTS_FAULT);
    fault_script(&s, down);
    must(tw_key_check(keys[0]) != TW_OK);
    fault_script(&s, "# well again");
    usleep(600000); /* not again at once */
    tw_key_free(keys[0]);
    must_ok(tw_token_find_key(tokens[0], "pkcs11:object=a", NULL, 0, &keys[0]));
    finish();
}

Test(others, a_module_that_cannot_lock_cannot_after_a_failed_restart)
{
    static const char cannot_lock[] = "C_Initialize * flag CKF_OS_LOCKING_OK CKR_CANT_LOCK\n";
    static timed both[TOKENS];

    tw_key_free(keys[0]);
    tw_token_free(tokens[0]);
    fault_script(&s, "%s", cannot_lock);
    must_ok(tw_token_open(stand_uri(&s, ""), &options[0], &tokens[0]));
    must_ok(tw_token_find_key(tokens[0], stand_uri(&s, ";object=a"), NULL, 0, &keys[0]));
    fault_script(&s, "C_DeriveKey * fail CKR_DEVICE_ERROR\nC_Finalize * fail CKR_GENERAL_ERROR");
    must_err(TW_ERR_TOKEN_FAILED, tw_key_check(keys[0]));
    fault_script(&s, "C_DeriveKey * wait 100");
    for (size_t i = 0; i < TOKENS; i++) {
        begin(&both[i], 0);
    }
    for (size_t i = 0; i < TOKENS; i++) {
        join_well(&both[i]);
    }
    must_size(1, fault_count("most calls in flight"));
    finish();
}

/* --- Two slots. ------------------------------------------------------------------------------- */

static CK_SLOT_ID slot_of(const char *label)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SLOT_ID slots[TOKENS + 1];
    CK_ULONG count = TOKENS + 1, i = 0;
    CK_TOKEN_INFO info = {0};

    must(fn->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
    for (; memcmp(info.label, label, strlen(label)) != 0; i++) {
        must(i < count && fn->C_GetTokenInfo(slots[i], &info) == CKR_OK);
    }
    return slots[i - 1];
}

/* The first moves to where the second was, and logs in there: the second's sessions, of that
 * slot's number, would be users' at once, and of the first. */
Test(others, a_session_in_another_tokens_slot_is_not_used)
{
    CK_SLOT_ID slots[TOKENS] = {slot_of(labels[0]), slot_of(labels[1])};
    size_t first = slots[0] < slots[1] ? 0 : 1;
    tw_key *found;

    open_token(1, TESTS_FAULT);
    fault_script(&s, "* * slots %lu\nC_DeriveKey 1 kill CKR_DEVICE_REMOVED",
                 slots[!first] - slots[first]);
    must_ok(tw_key_check(keys[first]));
    fault_script(&s, "* * slots %lu\nC_FindObjectsInit 1 kill CKR_SESSION_HANDLE_INVALID",
                 slots[!first] - slots[first]);
    must_ok(tw_token_find_key(tokens[!first], "pkcs11:object=a", NULL, 0, &found));
    must(memcmp(keys[!first]->public_key, found->public_key, found->kem->public_len) == 0);
    tw_key_free(found);
    fault_script(&s, "# as it was");
    finish();
}

/* --- Two modules. ------------------------------------------------------------------------------
 */

static char copy[160];

static void *open_again(void *arg)
{
    tw_err *err = arg;
    tw_token *third;

    *err = tw_token_open("pkcs11:token=hpke?pin-value=" STAND_PIN, &options[0], &third);
    if (*err == TW_OK) {
        tw_token_free(third);
    }
    return NULL;
}

/* Whoever finalised the other's module, it comes up again meanwhile. */
static void the_other_recovers_in_time(void)
{
    stand other = s;
    CK_FUNCTION_LIST *fn;
    static timed t;

    (void)snprintf(other.module, sizeof(other.module), "%s", copy);
    fn = stand_raw(&other);
    must(fn->C_Finalize(NULL) == CKR_OK);
    begin(&t, 1);
    must(pthread_join(t.thread, NULL) == 0);
    check_note("(after %ld ms)", t.ms);
    must_ok(t.err);
    must(t.ms < IN_TIME_MS);
    check_note("%s", "");
}

static void open_copy(void)
{
    (void)snprintf(copy, sizeof(copy), "%s/copy/libsofthsm2.so", s.dir);
    run_quietly("mkdir '%s/copy' && cp '%s' '%s'", s.dir, TESTS_SOFTHSM, copy);
    open_token(1, copy);
}

Test(others, an_initialisation_that_hangs_keeps_no_other_module)
{
    static timed restarting;
    size_t before;

    open_copy();
    before = fault_count("C_Initialize");
    fault_script(&s, "C_DeriveKey ! fail CKR_DEVICE_ERROR\nC_Initialize * wait %d", HANG_MS);
    begin(&restarting, 0);
    wait_for_calls("C_Initialize", before + 1);
    the_other_recovers_in_time();
    fault_script(&s, "# goes on");
    join_well(&restarting);
    finish();
}

Test(others, opening_a_module_that_hangs_keeps_no_other)
{
    pthread_t opening;
    tw_err err = TW_ERR_STATE;
    size_t before;

    open_copy();
    tw_key_free(keys[0]);
    tw_token_free(tokens[0]);
    before = fault_count("C_Initialize");
    fault_script(&s, "C_Initialize * wait %d", HANG_MS);
    must(pthread_create(&opening, NULL, open_again, &err) == 0);
    wait_for_calls("C_Initialize", before + 1);
    the_other_recovers_in_time();
    keys[0] = NULL;
    must_ok(tw_token_open("pkcs11:token=second?pin-value=" STAND_PIN, &options[1], &tokens[0]));
    fault_script(&s, "# goes on");
    must(pthread_join(opening, NULL) == 0);
    must_ok(err);
    finish();
}
