/* SPDX-License-Identifier: Apache-2.0 */
/* Forks amid the work of other threads: parent and child both go on. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fault_stand.h"

static stand s;
static tw_token *token;
static tw_key *key;

enum {
    SESSIONS = 3, /* which as many threads of the parent may have, all of them */
};

static void start(void)
{
    fault_softhsm(&s);
    s.options.max_sessions = SESSIONS;
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

static int free_unused(void)
{
    tw_key_free(key);
    tw_token_free(token);
    return answer();
}

/* What it finds initialised is its parent's, and no one else's in this process. */
static int free_and_open(void)
{
    if (free_unused() != 0 || tw_token_open(stand_uri(&s, ""), &s.options, &token) != TW_OK ||
        tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &key) != TW_OK) {
        return CHILD_FAILED;
    }
    return use_and_free();
}

static int count_and_free(void)
{
    tw_token_counts c = {.size = sizeof(c)};

    for (int i = 0; i < 3; i++) {
        if (tw_key_check(key) != TW_OK || tw_token_stats(token, &c) != TW_OK || c.in_flight != 0 ||
            c.waiting != 0) {
            return CHILD_FAILED;
        }
    }
    return free_unused();
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

/* The calls wait before SoftHSM gets them: SoftHSM's own locks would not survive a fork. They have
 * all sessions that there may be. */
Test(forked, a_child_goes_on_while_calls_of_its_parent_are_under_way)
{
    pthread_t threads[SESSIONS];

    fault_script(&s, "C_DeriveKey 1-3 wait 60000");
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

/* One of its threads logs in, which hangs, and the others stand in line behind it. */
Test(forked, a_child_frees_what_threads_of_its_parent_wait_for)
{
    pthread_t threads[3];
    size_t logins = fault_count("C_Login");

    fault_script(&s, "C_DeriveKey 1 logout\nC_Login 1 wait 20000");
    for (int i = 0; i < 3; i++) {
        must(pthread_create(&threads[i], NULL, work, NULL) == 0);
    }
    while (fault_count("C_Login") == logins) {
        usleep(1000);
    }
    usleep(200000);
    must_succeed(free_unused);
    must_succeed(count_and_free);
    must_succeed(free_and_open);
    atomic_store(&stop, true);
    fault_script(&s, "# goes on");
    for (int i = 0; i < 3; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    must_size(0, failed);
    tw_key_free(key);
    tw_token_free(token);
    fault_clean(NULL);
}

/* Metrics are asked for all the time; whoever forks then leaves the child a lock that is taken. */
static void *ask(void *arg)
{
    tw_token_counts c = {.size = sizeof(c)};

    (void)arg;
    while (!atomic_load(&stop)) {
        must_ok(tw_token_stats(token, &c));
    }
    return NULL;
}

static int ask_first(void)
{
    tw_token_counts c = {.size = sizeof(c)};

    return tw_token_stats(token, &c) == TW_OK ? free_unused() : CHILD_FAILED;
}

static int name_first(void)
{
    char uri[512];
    size_t len;

    return tw_token_key_uri(key, uri, sizeof(uri), &len) == TW_OK ? free_unused() : CHILD_FAILED;
}

static int find_first(void)
{
    tw_key *other;

    return tw_token_find_key(token, stand_uri(&s, ";object=a"), NULL, 0, &other) == TW_OK
               ? free_unused()
               : CHILD_FAILED;
}

Test(forked, a_child_finds_no_lock_taken_that_a_thread_of_its_parent_held)
{
    static int (*const children[])(void) = {ask_first, name_first, find_first, use_and_free};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        must(pthread_create(&threads[i], NULL, ask, NULL) == 0);
    }
    for (int i = 0; i < 100; i++) {
        must_succeed(children[i % 4]);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    finish();
}

Test(forked, a_child_recovers_without_its_parents_knowing)
{
    must_succeed(lose_and_use);
    fault_script(&s, "# the child's alone");
    finish();
}

/* As it may in a PID namespace of its own, where the parent is the first of another. */
static pid_t number;

pid_t getpid(void)
{
    return number != 0 ? number : (pid_t)syscall(SYS_getpid);
}

static int begin_anew(void)
{
    size_t before = fault_count("C_Initialize"), sessions = fault_count("C_OpenSession");
    bool anew = tw_key_check(key) == TW_OK && fault_count("C_Initialize") > before &&
                fault_count("C_OpenSession") > sessions;

    (void)free_unused(); /* the fault module takes it for its parent too */
    return anew ? 0 : CHILD_FAILED;
}

Test(forked, a_child_may_have_its_parents_number)
{
    number = getpid();
    must_succeed(begin_anew);
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
