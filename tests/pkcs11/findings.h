/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FINDINGS_H
#define TESTS_FINDINGS_H

/* What tw_token_check tells, collected and held to what every check promises: the steps in
 * their order, each once, one clean line, no PIN, "verdict" at the end and no other than what
 * is returned. */

#include "stand.h"

enum { MOST_FINDINGS = 32 };

typedef struct findings {
    struct finding {
        char step[16], text[700], advice[300]; /* advice "" for none */
        tw_token_verdict verdict;
        tw_err err;
    } list[MOST_FINDINGS];
    size_t count;
    const char *stop_at; /* a step at which `each` answers TW_ERR_IO, or NULL */
    void (*at)(const char *step);
} findings;

/* check_key checks ";object=..." (or what `path` says), with no more than what is given. */
tw_err check_key(stand *s, const char *path, const tw_token_check_options *check, findings *out);
tw_err check_uri(stand *s, const char *uri, const tw_token_check_options *check, findings *out);

/* must_find_all compares with "module:ok slot:ok ..."; must_say looks into a step's text, and
 * must_advise into what it says to change. */
#define must_find_all(f, want) check_findings(__FILE__, __LINE__, (f), (want))
void check_findings(const char *file, int line, const findings *f, const char *want);
const struct finding *finding_of(const findings *f, const char *step);
void must_say(const findings *f, const char *step, const char *part);
void must_advise(const findings *f, const char *step, const char *part);

/* stand_objects counts everything in the token, private or not. */
size_t stand_objects(stand *s);

#endif
