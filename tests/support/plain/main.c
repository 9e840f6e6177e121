/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct plain_test *tests;
static struct plain_suite *suites;

void plain_test_add(struct plain_test *t)
{
    t->next = tests;
    tests = t;
}

void plain_suite_add(struct plain_suite *s)
{
    s->next = suites;
    suites = s;
}

static void run(const struct plain_test *t)
{
    const struct plain_suite *s = suites;

    while (s != NULL && strcmp(s->name, t->suite) != 0) {
        s = s->next;
    }
    if (s != NULL && s->init != NULL) {
        s->init();
    }
    t->run();
    if (s != NULL && s->fini != NULL) {
        s->fini();
    }
    exit(EXIT_SUCCESS);
}

int main(void)
{
    unsigned passed = 0, failed = 0;

    for (const struct plain_test *t = tests; t != NULL; t = t->next) {
        int status = -1;
        pid_t child = fork();

        if (child == 0) {
            run(t);
        }
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0) {
            passed++;
        } else {
            (void)fprintf(stderr, "FAILED: %s::%s\n", t->suite, t->name);
            failed++;
        }
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
