/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One token's rows of the table tokens x curves x strategies: how many exchanges came back
 * byte for byte. Each strategy is tried that the token can do, picked or not.
 *
 *   table softhsm|nss|fips SIZES                      a token of its own
 *   table NAME SIZES MODULE PARAMETERS LABEL PIN      one that is there
 *
 * SIZES is few or all; or none, to make keys alone, for another module to use. 1: something did
 * not come back; 77: the token has no such key at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"
#include "pair.h"
#include "peers.h"
#include "stand.h"
#include "ways.h"

static const size_t sizes[] = {0, 16385, 1, 15, 16, 17, 1000, 16383, 16384, 100000};

enum {
    FEW = 2,
    STEP = 999,
    SKIP = 77,
};

static stand s;
static const char *name;
static size_t size_count = sizeof(sizes) / sizeof(sizes[0]);
static size_t rows, all_tried, all_good;

typedef struct count {
    size_t tried, good;
} count;

static void add(count *c, bool good)
{
    c->tried++;
    c->good += good;
}

/* --- Exchanges. ------------------------------------------------------------------------- */

static bool comes_back(const peers *p, kind k, bool chunked, size_t size)
{
    size_t mark = bytes_mark();
    bytes plain = bytes_noise(size, (uint32_t)size + 1), opened;
    message m = message_seal(p, k, format_of(chunked, 0), plain, STEP);
    bool good = message_open(p, &m, STEP, &opened) == TW_OK && bytes_equal(plain, opened);

    bytes_release(mark);
    return good;
}

/* Requests and their answers, whole or chunked; or one to many, both. */
static count messages(const peers *p, kind from, kind to, bool whole, bool chunked)
{
    count c = {0};

    for (kind k = from; k <= to; k++) {
        for (size_t i = 0; i < size_count; i++) {
            if (whole) {
                add(&c, comes_back(p, k, false, sizes[i]));
            }
            if (chunked) {
                add(&c, comes_back(p, k, true, sizes[i]));
            }
        }
    }
    return c;
}

static bool proves(mode m, const tw_suite *suite, const tw_key *receiver, const tw_key *sender)
{
    size_t mark = bytes_mark();
    bytes plain = bytes_noise(1000, 1), opened = bytes_none;
    bool good;
    pair p;

    pair_start_with(&p, m, suite, receiver, sender);
    good = pair_send(&p) == TW_OK && pair_receive(&p) == TW_OK &&
           pair_open(&p, pair_seal(&p, plain), &opened) == TW_OK && bytes_equal(plain, opened);
    pair_end(&p);
    bytes_release(mark);
    return good;
}

/* Both auth modes, with the token at either end and at both. */
static count auth(const tw_suite *suite, const tw_key *key, const tw_key *identity)
{
    tw_key *soft = NULL;
    count c = {0};

    must_ok(tw_key_generate(suite->kem_id, NULL, NULL, &soft));
    for (mode m = MODE_AUTH; m <= MODE_AUTH_PSK; m++) {
        add(&c, proves(m, suite, key, soft));
        add(&c, proves(m, suite, soft, identity));
        add(&c, proves(m, suite, key, identity));
    }
    tw_key_free(soft);
    return c;
}

/* --- Rows. ------------------------------------------------------------------------------ */

static const char *short_name(uint16_t kem_id)
{
    const char *full = tw_kem_name(kem_id);

    return full == NULL ? "?" : full;
}

static void row(uint16_t kem_id, size_t way, const char *picked, const count c[4])
{
    size_t tried = 0, good = 0;

    printf("%-14s %-7s %-3s %-16s", name, short_name(kem_id), way_name(way), picked);
    for (int i = 0; i < 4; i++) {
        char cell[24];

        (void)snprintf(cell, sizeof(cell), "%zu/%zu", c[i].good, c[i].tried);
        printf(" %9s", cell);
        tried += c[i].tried;
        good += c[i].good;
    }
    printf("%s\n", good == tried ? "" : "   NOT ALL");
    rows++;
    all_tried += tried;
    all_good += good;
}

static void serve(tw_key *key, tw_key *identity, uint16_t kem_id, size_t way, const char *picked)
{
    count c[4];
    tw_suite *suite;
    peers p;

    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    peers_start_with(&p, suite, key, NULL);
    c[0] = messages(&p, KIND_REQUEST, KIND_RESPONSE, true, false);
    c[1] = messages(&p, KIND_REQUEST, KIND_RESPONSE, false, true);
    c[2] = messages(&p, KIND_MULTI, KIND_MULTI, true, true);
    peers_end(&p);
    c[3] = auth(suite, key, identity);
    tw_suite_free(suite);
    row(kem_id, way, picked, c);
}

/* --- Keys. ------------------------------------------------------------------------------- */

static tw_token *open_with(bool never_export)
{
    tw_token *token;

    s.options.never_export_dh = never_export;
    if (tw_token_open(stand_uri(&s, ""), &s.options, &token) != TW_OK) {
        (void)fprintf(stderr, "%s: %s\n", name, s.event_message);
        exit(1);
    }
    return token;
}

static tw_key *find(tw_token *token, const char *who, uint16_t kem_id, unsigned number)
{
    tw_key *key = NULL;
    char path[32];

    (void)snprintf(path, sizeof(path), ";object=%s-%02x-%u", who, kem_id, number);
    return tw_token_find_key(token, stand_uri(&s, path), NULL, 0, &key) == TW_OK ? key : NULL;
}

static tw_key *make(tw_token *token, const char *who, uint16_t kem_id, unsigned number)
{
    const uint8_t id[] = {(uint8_t)who[0], (uint8_t)kem_id, (uint8_t)number};
    tw_key *key = NULL;
    char label[16];

    (void)snprintf(label, sizeof(label), "%s-%02x-%u", who, kem_id, number);
    if (tw_token_generate(token, kem_id, label, id, sizeof(id), &key) != TW_OK) {
        return NULL;
    }
    tw_key_free(key);
    return find(token, who, kem_id, number);
}

/* Some tokens use more keys than they can make: then it is one that was made before. */
static tw_key *make_or_find(tw_token *token, uint16_t kem_id, unsigned number, const char **who)
{
    tw_key *key = make(token, *who, kem_id, number);
    stand made = s;

    if (key == NULL) {
        *who = "before";
        key = find(token, *who, kem_id, number);
        s = made; /* what the first failure said */
    }
    return key;
}

static int make_all(void)
{
    tw_token *token = NULL;
    int made = 0;

    must_ok(tw_token_open(stand_uri(&s, ""), &s.options, &token));
    for (size_t i = 0; i < 5; i++) {
        for (unsigned number = 0; number < 2; number++) {
            tw_key *key = make(token, "before", all_kems[i], number);

            made += key != NULL;
            tw_key_free(key);
        }
    }
    tw_token_free(token);
    stand_end(&s);
    return made > 0 ? 0 : 1;
}

/* Which way the library takes under this policy; WAYS: none. */
static size_t picks(const char *who, uint16_t kem_id, bool never_export)
{
    tw_token *token = open_with(never_export);
    tw_key *key = find(token, who, kem_id, 0);
    size_t way = key == NULL ? WAYS : way_taken(key);

    tw_key_free(key);
    tw_token_free(token);
    return way;
}

static const char *when_picked(bool as_a_rule, bool never_export)
{
    return as_a_rule ? (never_export ? "always" : "as a rule")
                     : (never_export ? "never_export_dh" : "-");
}

static void serve_curve(uint16_t kem_id)
{
    tw_token *token = open_with(false);
    const char *who = "table";
    tw_key *key = make_or_find(token, kem_id, 0, &who);
    tw_key *identity = make_or_find(token, kem_id, 1, &who);

    if (key == NULL || identity == NULL) {
        printf("%-14s %-7s -   %s\n", name, short_name(kem_id), s.event_message);
        all_tried += s.event_err != TW_ERR_TOKEN_POLICY; /* not that the token lacks the curve */
    } else {
        size_t rule = picks(who, kem_id, false), closed = picks(who, kem_id, true);

        for (size_t way = 0; way < WAYS; way++) {
            if (way_take(key, way) && way_take(identity, way)) {
                serve(key, identity, kem_id, way, when_picked(way == rule, way == closed));
            } else {
                all_tried += way == rule || way == closed;
            }
        }
    }
    tw_key_free(key);
    tw_key_free(identity);
    tw_token_free(token);
}

/* --- Tokens. ------------------------------------------------------------------------------ */

static bool stand_up(int argc, char **argv)
{
    if (argc == 7) {
        stand_there(&s, argv[3], argv[4], argv[5], argv[6]);
        return true;
    }
    if (argc != 3) {
        return false;
    }
    if (strcmp(name, "softhsm") == 0) {
        stand_softhsm(&s);
        return true;
    }
#ifdef TESTS_NSS
    if (strcmp(name, "nss") == 0) {
        stand_nss(&s);
        return true;
    }
    if (strcmp(name, "fips") == 0) {
        stand_fips(&s);
        return true;
    }
#endif
    return false;
}

int main(int argc, char **argv)
{
    name = argc > 1 ? argv[1] : "";
    if (argc < 3 || !stand_up(argc, argv)) {
        (void)fputs("table: softhsm|nss|fips SIZES, or NAME SIZES MODULE PARAMETERS LABEL PIN\n",
                    stderr);
        return 64;
    }
    if (strcmp(argv[2], "none") == 0) {
        return make_all();
    }
    size_count = strcmp(argv[2], "few") == 0 ? FEW : size_count;
    for (size_t i = 0; i < 5; i++) {
        serve_curve(all_kems[i]);
    }
    stand_end(&s);
    printf("%zu rows, %zu of %zu came back\n", rows, all_good, all_tried);
    return all_good != all_tried ? 1 : rows == 0 ? SKIP : 0;
}
