/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and the operations on them, alone. Looks inside. A plain program, which the thread
 * sanitizer runs too. */
#include <stdio.h>
#include <string.h>

#include "sessions.h"

/* --- Eras. --------------------------------------------------------------------------- */

static void an_era_passes_with_an_epoch_or_a_module(void)
{
    era before;

    begin();
    atomic_store(&with.logins, 7);
    before = twp_era_now(&token);
    must(before.epoch == 10 && before.generation == 3 && before.logins == 7);
    must(!twp_era_passed(&token, &before));
    atomic_store(&with.logins, 8);
    must(!twp_era_passed(&token, &before));
    atomic_store(&token.epoch, 11);
    must(twp_era_passed(&token, &before));
    atomic_store(&token.epoch, 10);
    atomic_store(&with.generation, 4);
    must(twp_era_passed(&token, &before));
    end();
}

static void only_what_is_of_this_module_is_closed(void)
{
    session s = {.handle = 9, .era = {.generation = 3}};

    begin();
    twp_session_close(&token, &s);
    must(now.closed == 1 && now.last_closed == 9 && s.handle == CK_INVALID_HANDLE);
    twp_session_close(&token, &s);
    must_size(1, now.closed);
    s = (session){.handle = 9, .era = {.generation = 2}};
    twp_session_close(&token, &s);
    must(now.closed == 1 && s.handle == CK_INVALID_HANDLE);
    end();
}

/* --- Opening. ------------------------------------------------------------------------ */

static void a_session_is_read_write_if_it_can_be(void)
{
    script s = {.err = TW_OK};

    begin();
    must_ok(run(RUN_ONCE, &s));
    must(now.opened == 1 && now.flags[0] == BOTH_WAYS && s.session == 101);
    must_ok(run(RUN_ONCE, &s)); /* the same one again */
    must(now.opened == 1 && now.closed == 0 && s.session == 101 && s.calls == 2);
    end();
    begin();
    now.answer[0] = CKR_TOKEN_WRITE_PROTECTED;
    must_ok(run(RUN_ONCE, &s));
    must(now.opened == 2 && now.flags[0] == BOTH_WAYS && now.flags[1] == CKF_SERIAL_SESSION);
    must(s.session == 102);
    end();
    begin();
    now.answer[0] = CKR_SESSION_READ_ONLY;
    now.answer[1] = CKR_DEVICE_ERROR;
    s.calls = 0;
    must_err(TW_ERR_TOKEN_POLICY, run(RUN_ONCE, &s)); /* what the first said, */
    now.opened = 0;
    now.answer[0] = CKR_TOKEN_WRITE_PROTECTED;
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_ONCE, &s)); /* unless that is of one that only reads */
    must(now.opened == 2 && s.calls == 0);
    must_ok(run(RUN_ONCE, &s)); /* and the handle that came with it was none */
    must(now.opened == 3 && s.session == 103 && now.closed == 0);
    end();
}

static void a_token_without_a_session_left_has_ours_that_come_back(void)
{
    failure why = {0};
    script s = {.err = TW_OK};

    begin();
    now.answer[0] = CKR_SESSION_COUNT;
    must_err(TW_ERR_TOKEN_BUSY, run(RUN_ONCE, &s)); /* it is the only one */
    must(now.opened == 1 && s.calls == 0 && token.size == 1);
    now.answer[1] = CKR_SESSION_READ_ONLY; /* nor one that only reads */
    now.answer[2] = CKR_SESSION_COUNT;
    must_err(TW_ERR_TOKEN_BUSY, run(RUN_ONCE, &s));
    end();
    begin();
    must_ok(twp_pool_take(&token, NULL, &now.spare, &why));
    now.answer[0] = CKR_SESSION_COUNT;
    must_ok(run(RUN_ONCE, &s));
    must(now.opened == 2 && now.flags[1] == BOTH_WAYS);
    must(s.calls == 1 && token.size == 1 && token.limit == 1);
    end();
}

static void no_place_is_given_up_for_another_failure(void)
{
    script s = {.err = TW_OK};
    failure why = {0};
    session *other;

    begin();
    must_ok(twp_pool_take(&token, NULL, &other, &why));
    now.answer[0] = now.answer[1] = CKR_DEVICE_ERROR;
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_ONCE, &s));
    must(token.size == 2 && token.limit == 2);
    twp_pool_give(&token, other);
    end();
}

static void a_place_comes_back_from_a_module_that_nobody_enters(void)
{
    script s = {.err = TW_OK};

    begin();
    atomic_store(&with.down, CKR_DEVICE_ERROR);
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_ONCE, &s));
    must(s.calls == 0 && now.opened == 0);
    end();
}

static void a_session_that_cannot_log_in_is_closed(void)
{
    script s = {.err = TW_OK};

    begin();
    token.anonymous = false;
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_ONCE, &s));
    must(s.calls == 0 && now.opened == 1 && now.closed == 1);
    must(token.idle->handle == CK_INVALID_HANDLE);
    end();
}

static void someone_logs_in(void)
{
    atomic_fetch_add(&with.logins, 1);
}

static void a_session_is_of_its_epoch_and_of_the_login_that_it_found(void)
{
    script s = {.err = TW_OK};

    begin();
    now.meanwhile = someone_logs_in;
    must_ok(run(RUN_ONCE, &s));
    must(token.idle->era.logins == 1 && token.idle->era.epoch == 10);
    now.meanwhile = NULL;
    someone_logs_in();
    must_ok(run(RUN_ONCE, &s));
    must(token.idle->era.logins == 2 && now.opened == 1);
    atomic_store(&token.epoch, 11);
    must_ok(run(RUN_ONCE, &s));
    must(now.closed == 1 && now.last_closed == 101 && now.opened == 2 && s.session == 102);
    must(token.idle->era.epoch == 11);
    end();
}

/* --- Failing, and again. ------------------------------------------------------------- */

static void a_session_that_was_lost_or_broken_is_closed(void)
{
    static const struct {
        script s;
        tw_err err;
        size_t closed;
    } cases[] = {
        {{.answer = {CKR_ATTRIBUTE_VALUE_INVALID}}, TW_ERR_TOKEN_POLICY, 0},
        {{.answer = {CKR_SESSION_HANDLE_INVALID}}, TW_ERR_TOKEN_FAILED, 1},
        {{.answer = {CKR_ATTRIBUTE_VALUE_INVALID}, .breaks = true}, TW_ERR_TOKEN_POLICY, 1},
        {{.err = TW_OK, .breaks = true}, TW_OK, 1},
        {{.err = TW_OK}, TW_OK, 0},
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        script s = cases[i].s;

        begin();
        must_err(cases[i].err, run(RUN_ONCE, &s));
        must_size(cases[i].closed, now.closed);
        must((token.idle->handle == CK_INVALID_HANDLE) == (now.closed == 1));
        must_size(1, s.calls);
        end();
    }
}

/* What was noted of a loss is of no success after it. */
static tw_err fail_with_a_note(op *o, void *arg)
{
    size_t *calls = arg;

    if (++*calls == 1) {
        return twp_fail_rv(o->line.why, "C_Sign", CKR_SESSION_HANDLE_INVALID);
    }
    o->line.why->loss = LOSS_SESSION;
    return TW_OK;
}

static void a_loss_is_tried_again_and_counted(void)
{
    script s = {.answer = {CKR_SESSION_HANDLE_INVALID}};
    failure why = {0};
    size_t calls = 0;

    begin();
    must_ok(run(RUN_RETRY, &s));
    must(s.calls == 2 && s.session == 102 && now.closed == 1);
    must(atomic_load(&token.counters.retries) == 1 && atomic_load(&token.epoch) == 11);
    must(atomic_load(&token.counters.recoveries) == 1);
    s = (script){.answer = {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_HANDLE_INVALID,
                            CKR_SESSION_HANDLE_INVALID}};
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_GENTLY, &s));
    must(s.calls == 3 && atomic_load(&token.counters.retries) == 3);
    s = (script){.answer = {CKR_SESSION_HANDLE_INVALID}};
    must_err(TW_ERR_TOKEN_FAILED, run(RUN_ONCE, &s));
    must(s.calls == 1 && atomic_load(&token.counters.retries) == 3);
    must_ok(twp_token_run(&token, RUN_RETRY, fail_with_a_note, &calls, &why));
    must(calls == 2 && why.err == TW_OK && why.rv == CKR_OK);
    must(token.idle->handle != CK_INVALID_HANDLE); /* no success loses a session */
    calls = 6;                                     /* which is no loss of the token's */
    must_ok(twp_token_run(&token, RUN_RETRY, logins_come, &calls, &why));
    calls = 1000;
    must_err(TW_ERR_TOKEN_FAILED, twp_token_run(&token, RUN_RETRY, logins_come, &calls, &why));
    end();
}

/* Another thread begins an epoch while this one makes its session anew, or waits for it. */
static void another_begins_an_epoch(void)
{
    now.meanwhile = NULL;
    atomic_fetch_add(&token.epoch, 1);
}

static void a_loss_is_measured_by_the_session_that_had_it(void)
{
    script s = {.err = TW_OK};

    begin();
    must_ok(run(RUN_ONCE, &s));
    atomic_store(&token.epoch, 11); /* the session will be made anew */
    now.meanwhile = another_begins_an_epoch;
    s = (script){.answer = {CKR_SESSION_HANDLE_INVALID}};
    must_ok(run(RUN_RETRY, &s));
    must(s.calls == 2 && atomic_load(&token.epoch) == 13);
    must(atomic_load(&token.counters.recoveries) == 1);
    end();
    begin();
    now.answer[0] = now.answer[1] = CKR_DEVICE_ERROR; /* there is none yet */
    s = (script){.err = TW_OK};
    must_ok(run(RUN_RETRY, &s));
    must(s.calls == 1 && atomic_load(&token.epoch) == 11);
    must(atomic_load(&token.counters.recoveries) == 1);
    end();
}

/* --- While the token is gone. -------------------------------------------------------- */

static void that_a_token_is_gone_is_noted_once(void)
{
    struct timespec since;

    begin();
    token.gone_since = (struct timespec){0};
    twp_token_is_gone(&token, true);
    must(atomic_load(&token.gone) && atomic_load(&with.gone) == 1);
    must(token.gone_since.tv_sec != 0 && is_free(&token.lock));
    since = token.gone_since = (struct timespec){.tv_sec = 1};
    twp_token_is_gone(&token, true);
    must(atomic_load(&with.gone) == 1 && token.gone_since.tv_sec == since.tv_sec);
    twp_token_is_gone(&token, false);
    must(!atomic_load(&token.gone) && atomic_load(&with.gone) == 0);
    twp_token_is_gone(&token, false);
    must(atomic_load(&with.gone) == 0);
    end();
}

/* Another call, while one looks for the token. */
static void another_comes(op *o)
{
    struct timespec soon = twp_time_in(DEADLINE_MS - 20000), late = twp_time_in(DEADLINE_MS);
    script other = {.err = TW_OK};
    failure why = {0};
    long seconds;
    char space;

    (void)o;
    must_err(TW_ERR_TOKEN_ABSENT, twp_token_run(&token, RUN_ONCE, play, &other, &why));
    must(sscanf(why.text, "the token is gone for %ld s; another call looks%c", &seconds, &space) ==
         2);
    must(seconds >= 7 && seconds <= twp_time_in(0).tv_sec - token.gone_since.tv_sec);
    must_size(0, other.calls);
    must_size(1, token.probe);
    must(token.next_probe.tv_sec >= soon.tv_sec && token.next_probe.tv_sec <= late.tv_sec);
}

static void another_looks(op *o)
{
    (void)o;
    token.probe++;
}

static void one_call_at_a_time_looks_for_a_token_that_is_gone(void)
{
    script s = {.err = TW_OK, .meanwhile = another_comes};

    begin();
    twp_token_is_gone(&token, true);
    token.gone_since.tv_sec = twp_time_in(0).tv_sec - 7;
    must_ok(run(RUN_ONCE, &s));
    must(s.calls == 1 && !atomic_load(&token.gone) && atomic_load(&with.gone) == 0);
    must(token.next_probe.tv_sec == 0 && token.next_probe.tv_nsec == 0);
    s.meanwhile = NULL;
    must_ok(run(RUN_ONCE, &s));
    must_size(1, token.probe); /* there is nothing to look for any more */
    twp_token_is_gone(&token, true);
    s.meanwhile = another_looks;
    must_ok(run(RUN_ONCE, &s));
    must(token.next_probe.tv_sec != 0); /* that one's */
    end();
}

static void a_token_that_answers_is_there(void)
{
    static const struct {
        CK_RV answer;
        tw_err there, gone;
        bool is_there;
    } cases[] = {
        {CKR_PIN_INCORRECT, TW_ERR_TOKEN_PIN, TW_ERR_TOKEN_PIN, true},
        {CKR_ATTRIBUTE_VALUE_INVALID, TW_ERR_TOKEN_POLICY, TW_ERR_TOKEN_POLICY, true},
        {CKR_SESSION_HANDLE_INVALID, TW_ERR_TOKEN_FAILED, TW_ERR_TOKEN_ABSENT, false},
        {CKR_SESSION_COUNT, TW_ERR_TOKEN_BUSY, TW_ERR_TOKEN_BUSY, false},
    };

    for (size_t i = 0; i < 2 * LENGTH(cases); i++) {
        bool gone = i % 2 == 1;
        script s = {.answer = {cases[i / 2].answer}};

        begin();
        if (gone) {
            twp_token_is_gone(&token, true);
        }
        must_err(gone ? cases[i / 2].gone : cases[i / 2].there, run(RUN_ONCE, &s));
        must(atomic_load(&token.gone) == (gone && !cases[i / 2].is_there));
        must(token.next_probe.tv_sec == 0);
        end();
    }
}

/* --- In a forked child. -------------------------------------------------------------- */

static void a_child_begins_anew(void)
{
    struct timespec soon = twp_time_in(1000);
    script s = {.err = TW_OK};

    begin();
    must_ok(run(RUN_ONCE, &s));
    twp_token_adopt(&token); /* the same process */
    must(token.size == 1 && atomic_load(&token.epoch) == 10);
    atomic_store(&token.process, twp_process() + 1);
    must(twp_turn_take(&token.mend, NULL) && twp_turn_take(&token.login, NULL));
    memset(&token.lock, 0x5a, sizeof(token.lock)); /* as whoever held it left it */
    atomic_store(&token.gone, true);
    token.next_probe = twp_time_in(60000); /* as whoever looked for it */
    atomic_store(&token.counters.in_flight, 4);
    s.calls = 0;
    must_ok(run(RUN_ONCE, &s));
    must(s.calls == 1 && s.session == 102 && now.closed == 0 && token.probe == 0);
    must(atomic_load(&token.epoch) == 11 && atomic_load(&token.process) == twp_process());
    must(!atomic_load(&token.gone) && atomic_load(&token.counters.in_flight) == 0);
    must(twp_process_take(&soon));
    twp_process_unlock();
    twp_token_is_gone(&token, true); /* for the child, too, in which nobody looks */
    must_ok(run(RUN_ONCE, &s));
    end();
}

int main(void)
{
    an_era_passes_with_an_epoch_or_a_module();
    only_what_is_of_this_module_is_closed();
    a_session_is_read_write_if_it_can_be();
    a_token_without_a_session_left_has_ours_that_come_back();
    no_place_is_given_up_for_another_failure();
    a_place_comes_back_from_a_module_that_nobody_enters();
    a_session_that_cannot_log_in_is_closed();
    a_session_is_of_its_epoch_and_of_the_login_that_it_found();
    a_session_that_was_lost_or_broken_is_closed();
    a_loss_is_tried_again_and_counted();
    a_loss_is_measured_by_the_session_that_had_it();
    that_a_token_is_gone_is_noted_once();
    one_call_at_a_time_looks_for_a_token_that_is_gone();
    a_token_that_answers_is_there();
    a_child_begins_anew();
    (void)puts("15 passed, 0 failed");
    return 0;
}
