/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_INTEROP_H
#define TESTS_INTEROP_H

/*
 * Exchanges with the Go package openpcc/twoway, live. The Go program runs beside
 * this one and holds its own keys; each end sees of the other what a network would
 * carry. Our end is the library or the command, with a key in software or in a
 * token. An exchange that fails is counted and told of, and the next one follows.
 */

#include <stdio.h>
#include <sys/types.h>

#include <twoway/hpke.h>
#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

#include "bytes.h"
#include "peers.h"

/* --- go.c: the Go program. --------------------------------------------------------- */

typedef struct go {
    pid_t pid;
    FILE *to, *from;
    uint8_t *question; /* being put together */
    size_t question_len, question_cap;
    bytes answer; /* what is left of the last one */
    const char *error;
} go;

void go_start(go *g, const char *program);
void go_end(go *g); /* fails unless the program ends well */

/* A call: its name, its arguments, ask, then its results. ask fails the exchange where
 * the Go program answers with an error, asked says so. */
void go_call(go *g, const char *name);
void go_bytes(go *g, bytes b);
void go_text(go *g, const char *text);
void go_number(go *g, size_t n);
void go_suite(go *g, triple suite);
bool go_asked(go *g);
void go_ask(go *g);
bytes go_result(go *g);
size_t go_result_number(go *g);

/* --- plans.c: what is exchanged. ----------------------------------------------------- */

typedef struct keys { /* of one KEM */
    tw_key *software, *token;
    char *token_uri;
    size_t theirs[2]; /* handles of the Go program's */
    bytes theirs_public[2];
} keys;

typedef struct plan {
    triple suite;
    const tw_suite *built_in; /* the same, of the library */
    uint8_t key_id;           /* of the first receiver, and counting on */
    bool many, chunked, other_labels;
    size_t max_chunk;
    size_t question_len, answer_len;
    size_t our_pace, go_pace; /* bytes at a time; 0: all at once */
    const keys *keys;
    bool by_command, by_token; /* our end */
    size_t mode;               /* of HPKE */
    size_t number;             /* for whatever else should vary */
} plan;

void plans_start(void);

/* plan_whole and plan_chunked say what is exchanged in the suite of a row; false: no more. */
bool plan_whole(plan *p, size_t number);
bool plan_chunked(plan *p, size_t row, size_t number);
void plan_sample(plan *p, size_t number); /* chunked, of lengths that differ with the number */

tw_format plan_format(const plan *p, bool response);
const char *plan_label(const plan *p, bool response);
bytes plan_question(const plan *p);
bytes plan_answer(const plan *p, size_t receiver);
const tw_key *plan_key(const plan *p); /* ours */

/* --- matrix.c: what was exchanged, and what failed. ----------------------------------- */

typedef enum column {
    GO_WHOLE, /* from the Go package to us, and our answer back */
    GO_CHUNKED,
    GO_MANY,
    GO_TOKEN, /* our key in a token: all of the above */
    GO_COMMAND,
    GO_COMMAND_TOKEN,
    WE_WHOLE, /* from us to the Go package, and its answer back */
    WE_CHUNKED,
    WE_MANY,
    WE_COMMAND,
    GO_HPKE, /* four modes from here */
    GO_HPKE_TOKEN = GO_HPKE + 4,
    GO_HPKE_STANDARD, /* Go's own library, base mode and export-only */
    WE_HPKE,
    WE_HPKE_TOKEN = WE_HPKE + 4,
    WE_HPKE_STANDARD,
    ODDITIES, /* in no table */
    COLUMNS,
} column;

#define SUITES 45

typedef struct cell {
    size_t good, bad;
} cell;

typedef struct matrix {
    cell cells[SUITES][COLUMNS];
    size_t good, bad;
} matrix;

triple matrix_suite(size_t row);
void matrix_print(const matrix *m);

/* --- The run. ---------------------------------------------------------------------------- */

typedef struct run {
    go go;
    matrix matrix;
    size_t row;
    keys keys[5];
    const char *twoway; /* the command */
    const char *module;
    tw_token *token;
    bool standard;   /* Go has an HPKE of its own, as since 1.26 */
    size_t commands; /* run so far */
} run;

/* attempt makes one exchange, and counts it as `worth` of them. check_failed ends it. */
void attempt(run *r, column c, void (*exchange)(run *r, const plan *p), const plan *p,
             size_t worth);

/* --- theirs.c, ours.c, command.c: the parts of an exchange. -------------------------------- */

#define MANY_RECEIVERS 4 /* every other one is ours */

/* A request on its way, by whom it was sent, and what its sender keeps for each answer. */
typedef struct sent {
    bool from_go;
    size_t count; /* of receivers */
    bytes message, encaps[MANY_RECEIVERS];
    size_t handles[MANY_RECEIVERS];         /* from Go */
    tw_exchange *exchanges[MANY_RECEIVERS]; /* from the library; the command keeps files */
} sent;

bool is_theirs(const sent *s, size_t receiver);
bytes receiver_public(const plan *p, const sent *s, size_t receiver);

void go_sends(run *r, const plan *p, sent *s);
bytes go_answers(run *r, const plan *p, const sent *s, size_t receiver);
bytes go_receives(run *r, const plan *p, size_t handle, bytes sealed);
void go_layout(go *g, const plan *p, bool response);

void we_send(const plan *p, sent *s);
bytes we_answer(const plan *p, const sent *s, size_t receiver);
bytes we_receive(const plan *p, const sent *s, size_t receiver, bytes sealed);
tw_err we_open(const plan *p, const sent *s, size_t receiver, bytes *plain, tw_exchange **exchange);

tw_err we_open_answer(const plan *p, tw_exchange *exchange, bytes sealed, bytes *plain);

void command_sends(run *r, const plan *p, sent *s);
bytes command_answers(run *r, const plan *p, const sent *s, size_t receiver);
bytes command_receives(run *r, const plan *p, size_t receiver, bytes sealed);
void command_keygen(run *r, uint16_t kem_id, tw_key **out);

/* --- exchange.c, hpke.c, oddities.c --------------------------------------------------------- */

void go_to_us(run *r, const plan *p);
void we_to_go(run *r, const plan *p);

/* hpke_all is every mode of the suite at hand, both ways. */
void hpke_all(run *r, const plan *p);

/* oddities_all is what the two treat differently, and what neither may accept. */
void oddities_all(run *r, const plan *p);
void oddities_print(void);

#endif
