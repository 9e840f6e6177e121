/* SPDX-License-Identifier: Apache-2.0 */
/* Forks while one of a joined key's tokens is looked after: parent and child both go on. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "join_stand.h"

enum {
    CHILD_FAILED = 1,
    CHILD_ON_PARENTS_HANDLES = 2,
    FORKS = 50,
};

static join_stand j;

/* Threads that ask all the time, and so hold the locks of the key and of its tokens. */
static pthread_t asking[4];
static size_t asking_count;
static atomic_bool stop;

static void stop_asking(void)
{
    atomic_store(&stop, true);
    while (asking_count > 0) {
        must(pthread_join(asking[--asking_count], NULL) == 0);
    }
}

/* Also after a failure: what asks, or hangs, must not do so of a key that is freed. */
static void end(void)
{
    stop_asking();
    fault_script(&j.s, "# over");
    join_end(&j);
}

TestSuite(join_fork, .fini = end, .timeout = 120);

/* The first token is gone, and a call of the thread that looks for it hangs. */
static void start(void)
{
    size_t before;

    join_begin(&j, true);
    must_ok(tw_token_join(j.members, 2, &j.key));
    fault_script(&j.s, JOIN_GONE);
    for (int i = 0; i < 2; i++) {
        must_ok(tw_key_check(j.key));
    }
    must_err(TW_ERR_TOKEN_ABSENT, join_state(&j, 0));
    fault_script(&j.s, "C_OpenSession 1 wait 60000\n" JOIN_GONE);
    before = fault_count("C_OpenSession");
    for (int i = 0; fault_count("C_OpenSession") == before; i++) {
        must(i < 10000);
        usleep(1000);
    }
}

static int answer(void)
{
    return fault_count("calls in a child on what its parent initialised") == 0
               ? 0
               : CHILD_ON_PARENTS_HANDLES;
}

static int use_and_free(void)
{
    for (int i = 0; i < 4; i++) {
        if (tw_key_check(j.key) != TW_OK) {
            return CHILD_FAILED;
        }
    }
    tw_key_free(j.key);
    return answer();
}

static int only_free(void)
{
    size_t before = fault_count("C_Finalize");

    tw_key_free(j.key);
    return fault_count("C_Finalize") == before ? answer() : CHILD_FAILED;
}

/* What is back is back in the child too. */
static int see_it_back(void)
{
    uint64_t before;

    if (tw_key_check(j.key) != TW_OK || join_state(&j, 0) != TW_ERR_TOKEN_ABSENT) {
        return CHILD_FAILED;
    }
    fault_script(&j.s, "C_DeriveKey 1 wait 1");
    join_wait_until(&j, 0, TW_OK);
    before = join_operations(&j, 0);
    for (int i = 0; i < 4; i++) {
        if (tw_key_check(j.key) != TW_OK) {
            return CHILD_FAILED;
        }
    }
    return join_operations(&j, 0) > before ? use_and_free() : CHILD_FAILED;
}

static void finish(void)
{
    fault_script(&j.s, "# back");
    join_wait_until(&j, 0, TW_OK);
    must_ok(tw_key_check(j.key));
}

Test(join_fork, a_child_goes_on_though_a_probe_of_its_parent_hangs)
{
    start();
    must_succeed(use_and_free);
    finish();
}

Test(join_fork, a_child_frees_what_its_parent_looks_after)
{
    start();
    must_succeed(only_free);
    finish();
}

Test(join_fork, a_child_looks_after_the_token_itself)
{
    start();
    must_succeed(see_it_back);
    finish();
}

static void *ask(void *arg)
{
    size_t index = *(size_t *)arg;

    while (!atomic_load(&stop)) {
        (void)join_operations(&j, index);
    }
    return NULL;
}

Test(join_fork, a_child_finds_no_lock_taken_that_a_thread_of_its_parent_held)
{
    static size_t indices[] = {0, 1};

    start();
    for (size_t i = 0; i < 4; i++) {
        must(pthread_create(&asking[i], NULL, ask, &indices[i % 2]) == 0);
        asking_count++;
    }
    for (int i = 0; i < FORKS; i++) {
        must_succeed(i % 2 == 0 ? use_and_free : only_free);
    }
    stop_asking();
    finish();
}
