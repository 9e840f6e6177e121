/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAM_H
#define EXAM_H

/* tw_token_check: one key looked at, step by step. Above key.h, which knows nothing of it. */

#include "key.h"

typedef struct exam {
    tw_token *token; /* NULL before its place is known */
    tw_token_check_options opt;
    tw_err (*each)(void *arg, const tw_token_finding *finding);
    void *arg;
    tw_err stopped;     /* what `each` answered, unless TW_OK */
    failure why;        /* the first thing that failed, */
    const char *failed; /* and in which step */
    token_key *key;     /* NULL before it is found; its recipe is the way picked, or none */
    bool works[STRATEGY_COUNT];
} exam;

/* A finding before it is told. */
typedef struct remark {
    tw_token_verdict verdict;
    const char *advice;
    char text[600];
} remark;

__attribute__((format(printf, 4, 5))) void twp_remark(remark *r, tw_token_verdict v,
                                                      const char *advice, const char *format, ...);
__attribute__((format(printf, 2, 3))) void twp_remark_add(remark *r, const char *format, ...);

/* These tell `each` and give TW_OK to go on, or what it answered; twp_exam_fail tells of a
 * failure, remembers the first, and gives its code. */
tw_err twp_exam_tell(exam *e, const char *step, const remark *r);
tw_err twp_exam_fail(exam *e, const char *step, const failure *why, const char *advice);

/* The parts, each TW_OK when the next has something to look at: from the key to the policy,
 * exam_key.c; speed.c; what takes a key pair of its own, scratch.c. */
tw_err twp_exam_key(exam *e);
tw_err twp_exam_speed(exam *e);
tw_err twp_exam_scratch(exam *e);

/* What to do about an error for which there is nothing better to say. */
const char *twp_exam_advice(tw_err err);

/* Hexadecimal, at most as much as fits. */
void twp_hex(const uint8_t *data, size_t len, char *out, size_t cap);

/* --- scratch_try.c, scratch_loosen.c: what is tried on a key pair that was made for it. --- */

typedef struct subject {
    token_key *key;
    bool bounded;      /* it has a CKA_DERIVE_TEMPLATE */
    bool readable;     /* S1 works with the key that is looked at */
    bool never_export; /* and is forbidden */
    remark remark;     /* out */
} subject;

/* Each tries one thing, for twp_token_run: arg is a subject. A failure is of the session or the
 * device; what the token says no to is a remark. */
tw_err twp_try_read(op *o, void *arg);
tw_err twp_try_copy(op *o, void *arg);
tw_err twp_try_wrap(op *o, void *arg);
tw_err twp_try_loosen(op *o, void *arg);
tw_err twp_try_template(op *o, void *arg);

/* Some refusals come with the codes of a broken device: those tell nothing. */
typedef struct answers {
    bool refused, unclear;
    char refusal[80], odd[80]; /* the first of each */
} answers;

/* twp_answer_count gives TW_OK where `rv` is an answer, counted; a lost session or token is none.
 * twp_answer_conclude says of several that none was yes. */
tw_err twp_answer_count(op *o, const char *function, CK_RV rv, answers *a);
void twp_answer_conclude(const answers *a, const char *what, remark *r);

extern const char twp_another_token[]; /* the advice where there is no other */

#endif
