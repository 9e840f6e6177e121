/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

/*
 * Assertions that serve Criterion programs and plain ones (thread sanitizers and
 * Criterion's shared arena exclude each other) alike. A program links
 * check_criterion.c or check_plain.c, which says what a failure does.
 */

#include <stddef.h>

#include <twoway/error.h>

/* check_failed reports and does not return. */
_Noreturn void check_failed(const char *file, int line, const char *text);

/* check_err fails with the names of both codes unless they are equal. */
void check_err(const char *file, int line, const char *call, tw_err want, tw_err got);

void check_size(const char *file, int line, const char *what, size_t want, size_t got);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition);                                          \
        }                                                                                          \
    } while (0)

#define must_err(want, call) check_err(__FILE__, __LINE__, #call, (want), (call))
#define must_ok(call)        must_err(TW_OK, call)
#define must_size(want, got) check_size(__FILE__, __LINE__, #got, (want), (got))

/* check_note names the case at hand, printf style; a failure shows it. */
__attribute__((format(printf, 1, 2))) void check_note(const char *format, ...);

/* check_note_text is the last note, "" without one. */
const char *check_note_text(void);

/* err_name is the code's name without its prefix, for messages. */
const char *err_name(tw_err err);

#endif
