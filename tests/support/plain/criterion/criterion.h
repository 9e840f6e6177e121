/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

/* As much of Criterion as the tests of vectors use, where it is not to be had: each test runs
 * in a process of its own. scripts/compat compiles them with this. */

struct plain_test {
    const char *suite, *name;
    void (*run)(void);
    struct plain_test *next;
};

struct plain_suite {
    const char *name;
    void (*init)(void), (*fini)(void);
    double timeout;
    struct plain_suite *next;
};

void plain_test_add(struct plain_test *t);
void plain_suite_add(struct plain_suite *s);

#define Test(suite_name, test_name)                                                                \
    static void suite_name##_##test_name(void);                                                    \
    __attribute__((constructor)) static void suite_name##_##test_name##_add(void)                  \
    {                                                                                              \
        static struct plain_test t = {#suite_name, #test_name, suite_name##_##test_name, NULL};    \
                                                                                                   \
        plain_test_add(&t);                                                                        \
    }                                                                                              \
    static void suite_name##_##test_name(void)

#define TestSuite(suite_name, ...)                                                                 \
    __attribute__((constructor)) static void suite_name##_suite_add(void)                          \
    {                                                                                              \
        static struct plain_suite s = {.name = #suite_name, __VA_ARGS__};                          \
                                                                                                   \
        plain_suite_add(&s);                                                                       \
    }                                                                                              \
    struct plain_suite

#endif
