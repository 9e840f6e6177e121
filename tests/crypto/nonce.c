/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "crypto/crypto.h"

enum {
    LEN = 16,
    MANY = 600, /* more than one draw */
};

static const tw_provider default_provider;
static tw_slots ahead;

static void end(void)
{
    tw_nonces_clear(&ahead);
}

TestSuite(nonce, .fini = end);

static void take(uint8_t *out)
{
    must_ok(tw_nonce(&ahead, &default_provider, NULL, out, LEN));
}

Test(nonce, no_two_are_equal)
{
    static uint8_t seen[MANY][LEN];

    for (size_t i = 0; i < MANY; i++) {
        take(seen[i]);
        for (size_t j = 0; j < i; j++) {
            must(memcmp(seen[i], seen[j], LEN) != 0);
        }
    }
}

Test(nonce, a_forked_child_and_its_parent_take_different_ones)
{
    uint8_t first[LEN], of_parent[LEN], of_child[LEN];
    int ends[2], status;
    pid_t pid;

    take(first); /* the rest of that draw is what both have */
    must(pipe(ends) == 0);
    pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        take(of_child);
        _exit(write(ends[1], of_child, LEN) == LEN ? 0 : 1);
    }
    take(of_parent);
    must(read(ends[0], of_child, LEN) == LEN);
    must(waitpid(pid, &status, 0) == pid && status == 0);
    must(memcmp(of_parent, of_child, LEN) != 0);
}

static tw_err fill_ones(void *arg, uint8_t *out, size_t len)
{
    ++*(size_t *)arg;
    memset(out, 1, len);
    return TW_OK;
}

Test(nonce, a_source_of_the_callers_is_asked_each_time_for_just_that)
{
    static const uint8_t ones[LEN] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    uint8_t out[LEN];
    size_t calls = 0;
    tw_rng rng = {fill_ones, &calls};

    for (size_t i = 1; i <= 3; i++) {
        must_ok(tw_nonce(&ahead, &default_provider, &rng, out, LEN));
        must_size(i, calls);
        must(memcmp(out, ones, LEN) == 0);
    }
}
