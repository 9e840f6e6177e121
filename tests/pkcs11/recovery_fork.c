/* SPDX-License-Identifier: Apache-2.0 */
/* Forks amid the work of other threads: parent and child both go on. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

static void start(void)
{
    fault_softhsm(&s);
    token = stand_open(&s);
    key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    s.options.event = NULL;
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(forked, .init = start, .fini = end, .timeout = 60);

/* --- The child. Its answer is its status: Criterion's assertions are the parent's. --------- */

enum {
    CHILD_FAILED = 1,
    CHILD_ON_PARENTS_HANDLES = 2,
    CHILD_LEFT_SOMETHING = 3,
    CHILD_MISUSED = 4,
    CHILD_SECONDS = 20, /* then it is stuck, and killed */
};

static int answer(void)
{
    if (fault_count("calls in a child on what its parent initialised") != 0) {
        return CHILD_ON_PARENTS_HANDLES;
    }
    if (fault_count("sessions left open") != 0 || fault_count("objects left behind") != 0) {
        return CHILD_LEFT_SOMETHING;
    }
    return fault_count("calls on a handle of an older initialisation") != 0 ||
                   fault_count("calls on a handle that was closed") != 0 ||
                   fault_count("calls without an initialisation") != 0
               ? CHILD_MISUSED
               : 0;
}

static int use_and_free(void)
{
    for (int i = 0; i < 3; i++) {
        if (tw_key_check(key) != TW_OK) {
            return CHILD_FAILED;
        }
    }
    tw_key_free(key);
    tw_token_free(token);
    return answer();
}

static int lose_and_use(void)
{
    fault_script(&s, "C_DeriveKey 1 kill CKR_SESSION_HANDLE_INVALID\n"
                     "C_DeriveKey 2 fail CKR_DEVICE_ERROR");
    return use_and_free();
}

static void must_succeed(int (*child)(void))
{
    pid_t pid = fork();
    int status;

    must(pid >= 0);
    if (pid == 0) {
        (void)alarm(CHILD_SECONDS);
        _exit(child());
    }
    must(waitpid(pid, &status, 0) == pid);
    check_note("(the child's status is 0x%x)", (unsigned)status);
    must(status == 0);
    check_note("%s", "");
}

/* --- The parent. --------------------------------------------------------------------------- */

static atomic_bool stop;
static atomic_size_t done, failed;

static void *work(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        atomic_fetch_add(tw_key_check(key) == TW_OK ? &done : &failed, 1);
    }
    return NULL;
}

static void finish(void)
{
    must_ok(tw_key_check(key));
    must_size(1, fault_count("C_Login")); /* the parent's login lived */
    must_size(1, fault_count("C_Initialize"));
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

Test(forked, a_child_goes_on_by_itself)
{
    must_succeed(use_and_free);
    finish();
}

/* The call waits before SoftHSM gets it: SoftHSM's own locks would not survive a fork. */
Test(forked, a_child_goes_on_while_calls_of_its_parent_are_under_way)
{
    pthread_t threads[3];

    fault_script(&s, "C_DeriveKey 1-3 wait 20000");
    for (int i = 0; i < 3; i++) {
        must(pthread_create(&threads[i], NULL, work, NULL) == 0);
    }
    while (fault_count("calls in flight") < 3) {
        usleep(1000);
    }
    for (int i = 0; i < 3; i++) {
        must_succeed(use_and_free);
    }
    must_size(3, fault_count("calls in flight"));
    must_size(0, done + failed);
    atomic_store(&stop, true);
    fault_script(&s, "# goes on");
    for (int i = 0; i < 3; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    must_size(3, done);
    must_size(0, failed);
    finish();
}

Test(forked, a_child_recovers_without_its_parents_knowing)
{
    must_succeed(lose_and_use);
    fault_script(&s, "# the child's alone");
    finish();
}

static int fork_again(void)
{
    pid_t pid;
    int status;

    if (tw_key_check(key) != TW_OK) {
        return CHILD_FAILED;
    }
    pid = fork();
    if (pid == 0) {
        (void)alarm(CHILD_SECONDS);
        _exit(use_and_free());
    }
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_FAILED;
    }
    return use_and_free();
}

Test(forked, a_grandchild_goes_on_too)
{
    must_succeed(fork_again);
    finish();
}

/* As a daemon does: the parent leaves, and only the child goes on. */
static int outlive(void)
{
    pid_t pid = fork();

    if (pid != 0) {
        tw_key_free(key);
        tw_token_free(token);
        return answer();
    }
    (void)alarm(CHILD_SECONDS);
    _exit(use_and_free());
}

Test(forked, a_child_that_never_used_it_frees_it)
{
    must_succeed(outlive);
    finish();
}
