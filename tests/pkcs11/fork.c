/* SPDX-License-Identifier: Apache-2.0 */
/* Parent and child both go on. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    stand_shim(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    shim_clear();
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(fork, .init = start, .fini = end);

/* The child's checks answer by number, as Criterion's assertions belong to the parent. */
static int run_child(int (*child)(void))
{
    pid_t pid = fork();
    int status;

    must(pid >= 0);
    if (pid == 0) {
        _exit(child());
    }
    must(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int use_key(void)
{
    if (tw_key_check(key) != TW_OK || tw_key_check(key) != TW_OK) {
        return 1;
    }
    return shim_state()->calls[SHIM_Initialize] >= 1 && shim_state()->logins == 1 ? 0 : 2;
}

static int use_and_free(void)
{
    int status = use_key();

    tw_key_free(key);
    tw_token_free(token);
    return status;
}

static int free_unused(void)
{
    tw_key_free(key);
    tw_token_free(token);
    return shim_state()->calls[SHIM_Finalize] == 0 && shim_state()->calls[SHIM_CloseSession] == 0
               ? 0
               : 1;
}

static int open_anew(void)
{
    tw_token *own;
    tw_key *again;

    if (tw_token_open(stand_uri(&s, ""), &s.options, &own) != TW_OK ||
        tw_token_find_key(own, stand_uri(&s, ";object=a"), NULL, 0, &again) != TW_OK ||
        tw_key_check(again) != TW_OK) {
        return 1;
    }
    tw_key_free(again);
    tw_token_free(own);
    return use_key() == 1;
}

static int fork_again(void)
{
    return run_child(use_key);
}

static void must_go_on(int (*child)(void))
{
    must_ok(tw_key_check(key));
    must_size(0, (size_t)run_child(child));
    must_ok(tw_key_check(key));
    must_size(0, shim_state()->logins); /* the parent's login lives */
    must_no_event(&s);
    tw_key_free(key);
    tw_token_free(token);
}

Test(fork, a_child_uses_the_key_with_sessions_of_its_own)
{
    must_go_on(use_key);
}

Test(fork, a_child_frees_what_it_used)
{
    must_go_on(use_and_free);
}

Test(fork, a_child_that_only_frees_touches_nothing)
{
    must_go_on(free_unused);
}

Test(fork, a_child_opens_a_token_of_its_own)
{
    must_go_on(open_anew);
}

Test(fork, a_grandchild_does_the_same)
{
    must_go_on(fork_again);
}

/* --- A PIN's callback that forks, and a child that comes back into its parent's call. --------- */

static tw_token *asking;
static pid_t parent;
static bool child_makes_one;

static tw_err make(tw_token *of, const char *label)
{
    tw_key *made = NULL;
    tw_err err = tw_token_generate(of, TW_KEM_P256_HKDF_SHA256, label, NULL, 0, &made);

    tw_key_free(made);
    return err;
}

static tw_err give_pin_and_fork(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    pid_t pid = asking != NULL && getpid() == parent ? fork() : -1;
    int status;

    (void)arg;
    (void)label;
    (void)cap;
    if (pid == 0 && child_makes_one && make(token, "the child's") != TW_OK) {
        _exit(1);
    }
    if (pid > 0) {
        must(waitpid(pid, &status, 0) == pid);
        must_size(0, (size_t)status);
    }
    *len = strlen(STAND_PIN);
    memcpy(buf, STAND_PIN, *len);
    return TW_OK;
}

/* What the call answers in the child does not matter: nothing may crash, and all else go on. */
static void must_go_on_after_a_call_in_both(void)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_SESSION_HANDLE session = raw_session(&s, fn);

    parent = getpid();
    s.options.pin = give_pin_and_fork;
    must_ok(tw_token_open(stand_uri_without_pin(&s, ""), &s.options, &asking));
    must(fn->C_Logout(session) == CKR_OK);
    (void)make(asking, "the call's"); /* in the child, too */
    if (getpid() != parent) {
        _exit(make(token, "after it") == TW_OK ? 0 : 2);
    }
    must_ok(make(token, "the parent's"));
    must(fn->C_CloseSession(session) == CKR_OK);
    tw_token_free(asking);
    tw_key_free(key);
    tw_token_free(token);
}

Test(fork, a_child_that_made_a_key_amid_its_parents_call_comes_back_into_that)
{
    child_makes_one = true;
    must_go_on_after_a_call_in_both();
}

Test(fork, so_does_one_that_made_none)
{
    must_go_on_after_a_call_in_both();
}
