/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interop GO-PROGRAM TWOWAY [MODULE TOKEN-URI]
 *
 * Exchanges every kind of message in every suite with the Go program and prints how
 * many came back byte for byte. Runs in a directory of its own, where it leaves
 * files; the token's PIN lies there in "pin".
 */
#include "interop.h"
#include "check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void make_their_keys(run *r, keys *k, uint16_t kem_id)
{
    for (size_t i = 0; i < 2; i++) {
        go_call(&r->go, "key");
        go_number(&r->go, kem_id);
        go_ask(&r->go);
        k->theirs[i] = go_result_number(&r->go);
        k->theirs_public[i] = go_result(&r->go);
    }
}

static void make_token_key(run *r, keys *k, uint16_t kem_id)
{
    size_t len = 0;

    must_ok(tw_token_generate(r->token, kem_id, tw_kem_name(kem_id), NULL, 0, &k->token));
    must_err(TW_ERR_SPACE, tw_token_key_uri(k->token, NULL, 0, &len));
    k->token_uri = (char *)bytes_new(len).data;
    must_ok(tw_token_key_uri(k->token, k->token_uri, len, &len));
}

static void print_event(void *arg, const tw_token_event *event)
{
    (void)arg;
    (void)fprintf(stderr, "token: %s\n", event->message);
}

static void ask_for_standard(run *r)
{
    go_call(&r->go, "standard");
    go_ask(&r->go);
    r->standard = go_result_number(&r->go) == 1;
}

static void make_keys(run *r, const char *token_uri)
{
    tw_token_options options = {.size = sizeof(options), .module = r->module, .event = print_event};

    if (token_uri != NULL) {
        must_ok(tw_token_open(token_uri, &options, &r->token));
    }
    for (size_t i = 0; i < 5; i++) {
        keys *k = &r->keys[i];

        check_note("making keys of %s", tw_kem_name(all_kems[i]));
        make_their_keys(r, k, all_kems[i]);
        command_keygen(r, all_kems[i], &k->software);
        if (r->token != NULL) {
            make_token_key(r, k, all_kems[i]);
        }
    }
}

static void free_keys(run *r)
{
    for (size_t i = 0; i < 5; i++) {
        tw_key_free(r->keys[i].software);
        tw_key_free(r->keys[i].token);
    }
    tw_token_free(r->token);
}

static void both_ways(run *r, const plan *p, column from_go, column from_us)
{
    size_t worth = p->many ? MANY_RECEIVERS : 1;

    attempt(r, from_go, go_to_us, p, worth);
    if (from_us != COLUMNS) {
        attempt(r, from_us, we_to_go, p, worth);
    }
}

static void all_plans(run *r, plan *p)
{
    for (size_t i = 0; plan_whole(p, i); i++) {
        both_ways(r, p, GO_WHOLE, WE_WHOLE);
    }
    for (size_t i = 0; plan_chunked(p, r->row, i); i++) {
        both_ways(r, p, GO_CHUNKED, WE_CHUNKED);
    }
    p->many = true;
    for (size_t i = r->row % 3; plan_whole(p, i); i += 3) {
        both_ways(r, p, GO_MANY, WE_MANY);
    }
    for (size_t i = 0; i < 5; i++) {
        plan_sample(p, 5 * r->row + i);
        both_ways(r, p, GO_MANY, WE_MANY);
    }
}

/* What takes longer gets fewer: to one and to many, the one whole and the other chunked. Over the
 * suites, every length comes all the same. */
static void some_plans(run *r, plan *p, column from_go, column from_us)
{
    p->many = r->row % 2 == 0;
    (void)plan_whole(p, r->row % 7);
    both_ways(r, p, from_go, from_us);
    p->many = !p->many;
    plan_sample(p, r->row);
    both_ways(r, p, from_go, from_us);
}

static void one_suite(run *r)
{
    plan p = {.suite = matrix_suite(r->row), .keys = &r->keys[r->row / 9]};
    tw_suite *suite = NULL;
    plan own;

    must_ok(tw_suite_new(p.suite.kem_id, p.suite.kdf_id, p.suite.aead_id, NULL, &suite));
    p.built_in = suite;
    hpke_all(r, &p);
    own = p;
    all_plans(r, &own);
    own = p;
    own.by_command = true;
    some_plans(r, &own, GO_COMMAND, WE_COMMAND);
    if (r->token != NULL) {
        own.by_token = true;
        some_plans(r, &own, GO_COMMAND_TOKEN, COLUMNS);
        own.by_command = false;
        some_plans(r, &own, GO_TOKEN, COLUMNS);
    }
    if (r->row == 0 || r->row == SUITES - 10) { /* P-256, AES; X25519, ChaCha20 */
        oddities_all(r, &p);
    }
    tw_suite_free(suite);
}

int main(int argc, char **argv)
{
    static run r;

    if (argc != 3 && argc != 5) {
        (void)fprintf(stderr, "usage: interop GO-PROGRAM TWOWAY [MODULE TOKEN-URI]\n");
        return 64;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    go_start(&r.go, argv[1]);
    r.twoway = argv[2];
    r.module = argc == 5 ? argv[3] : NULL;
    ask_for_standard(&r);
    plans_start();
    make_keys(&r, argc == 5 ? argv[4] : NULL);
    for (r.row = 0; r.row < SUITES; r.row++) {
        one_suite(&r);
    }
    matrix_print(&r.matrix);
    oddities_print();
    free_keys(&r);
    bytes_release(0);
    go_end(&r.go);
    (void)printf("%zu passed, %zu failed\n", r.matrix.good, r.matrix.bad);
    return r.matrix.bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
