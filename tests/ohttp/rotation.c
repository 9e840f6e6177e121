/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation under load: threads receive while keys are added, activated, retired and
 * removed, most by one rotation and a few by all the threads at once. A plain program: the thread
 * sanitizer and Criterion's shared arena exclude each other.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "check.h"

#define THREADS 8
#define ROUNDS  10000 /* of adding, activating, retiring and removing a key */
#define PLACES  15    /* for a key each, in a state of its own; 16 key ids to a place */
#define CHURN   240   /* and upwards: CHURNED key ids that every thread adds and removes */
#define CHURNED 4

static const tw_symmetric pairs[] = {{TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM},
                                     {TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305}};
static const uint16_t kems[] = {TW_KEM_X25519_HKDF_SHA256, TW_KEM_P256_HKDF_SHA256};

/*
 * What the senders know of one key. A sender that means to use it takes a reference while
 * it is published, so that the rotation removes no key that a request is on its way to;
 * once the receiver is acquired the reference goes, and the removal may come amid the
 * request.
 */
typedef struct posted {
    atomic_uint users;
    atomic_bool published;
    uint8_t key_id; /* both written before it is published */
    uint8_t public_key[TW_MAX_PUBLIC];
    int state;      /* the rotation's own: a tw_key_state, 0 while there is no key */
    unsigned round; /* likewise */
} posted;

static struct {
    tw_keyset *set;
    tw_suite *suites[2][2]; /* by KEM and pair */
    posted board[PLACES];
    atomic_bool over;
    atomic_size_t received, refused, churned;
} shared;

static size_t kem_of(const posted *p)
{
    return (size_t)(p - shared.board) % 2;
}

/* --- Receiving. ------------------------------------------------------------------------ */

typedef struct request {
    uint8_t head[TW_MAX_HEAD];
    size_t head_len;
    uint8_t body[64];
    size_t body_len;
} request;

static const char text[] = "a request amid a rotation";

static void ask(const tw_suite *suite, uint8_t key_id, const uint8_t *pk, request *out)
{
    tw_sender *sender = NULL;
    tw_sealer *sealer = NULL;

    must_ok(tw_sender_new(suite, key_id, pk, suite->public_len, NULL, &sender));
    out->head_len = tw_sender_head_len(sender);
    must_ok(tw_sender_request(sender, NULL, out->head, sizeof(out->head), &sealer, NULL));
    must_ok(tw_sealer_final(sealer, (const uint8_t *)text, sizeof(text), out->body,
                            sizeof(out->body), &out->body_len));
    tw_sealer_free(sealer);
    tw_sender_free(sender);
}

static void receive(const tw_receiver *receiver, const request *r)
{
    tw_opener *opener = NULL;
    uint8_t plain[sizeof(r->body)];
    size_t len = 0;

    must_ok(tw_receiver_accept(receiver, NULL, r->head, r->head_len, &opener, NULL));
    must_ok(tw_opener_final(opener, r->body, r->body_len, plain, sizeof(plain), &len));
    must(len == sizeof(text) && memcmp(plain, text, len) == 0);
    tw_opener_free(opener);
}

/* The key that is published at this place, if there is one. */
static bool take(posted *p)
{
    if (!atomic_load(&p->published)) {
        return false;
    }
    atomic_fetch_add(&p->users, 1);
    if (!atomic_load(&p->published)) { /* it went meanwhile */
        atomic_fetch_sub(&p->users, 1);
        return false;
    }
    return true;
}

static void receive_published(posted *p, size_t pair)
{
    const tw_receiver *receiver = NULL;
    request r;

    ask(shared.suites[kem_of(p)][pair], p->key_id, p->public_key, &r);
    must_ok(tw_keyset_acquire(shared.set, r.head, r.head_len, &receiver)); /* never refused */
    atomic_fetch_sub(&p->users, 1);
    receive(receiver, &r);
    tw_keyset_release(shared.set, receiver);
    atomic_fetch_add(&shared.received, 1);
}

/* Any key id at all: it may be there or not, and nothing else can happen. */
static void try_any(uint8_t key_id)
{
    const uint8_t header[TW_HEADER_LEN] = {key_id, 0, 0x20, 0, 1, 0, 1};
    const tw_receiver *receiver = NULL;
    tw_err err = tw_keyset_acquire(shared.set, header, sizeof(header), &receiver);

    must(err == TW_OK || err == TW_ERR_KEY);
    must((err == TW_OK) == (receiver != NULL));
    if (err == TW_OK) {
        tw_keyset_release(shared.set, receiver);
    } else {
        atomic_fetch_add(&shared.refused, 1);
    }
}

static void look_at_list(void)
{
    tw_config configs[PLACES + CHURNED];
    size_t count = 0;

    must_ok(tw_keyset_configs(shared.set, configs, PLACES + CHURNED, &count));
    for (size_t i = 0; i < count; i++) {
        must(configs[i].symmetric_count == 2);
        must(configs[i].public_key[0] == 0x04 || configs[i].kem_id == kems[0]);
    }
}

/* Whoever comes second finds the key id taken, or gone. */
static void churn(unsigned choice)
{
    uint8_t key_id = (uint8_t)(CHURN + choice / 2 % CHURNED);
    tw_key *key = NULL;
    tw_err err;

    if (choice % 2 == 0) {
        err = tw_keyset_remove(shared.set, key_id);
        must(err == TW_OK || err == TW_ERR_KEY);
        return;
    }
    must_ok(tw_key_generate(kems[0], NULL, NULL, &key));
    err = tw_keyset_add(shared.set, key_id, key, pairs, 2, TW_KEY_RETIRING);
    must(err == TW_OK || err == TW_ERR_INVALID);
    if (err == TW_OK) {
        atomic_fetch_add(&shared.churned, 1);
    } else {
        tw_key_free(key);
    }
}

static void *work(void *arg)
{
    unsigned seed = *(unsigned *)arg;

    while (!atomic_load(&shared.over)) {
        posted *p = &shared.board[(size_t)rand_r(&seed) % PLACES];

        if (take(p)) {
            receive_published(p, (size_t)rand_r(&seed) % 2);
        }
        try_any((uint8_t)rand_r(&seed));
        churn((unsigned)rand_r(&seed));
        look_at_list();
    }
    return NULL;
}

/* --- Rotation. --------------------------------------------------------------------------- */

/* A place has 16 key ids for itself and takes them in turn. */
static void add(posted *p)
{
    uint8_t key_id = (uint8_t)((p - shared.board) * 16 + p->round++ % 16);
    tw_key *key = NULL;

    must_ok(tw_key_generate(kems[kem_of(p)], NULL, NULL, &key));
    memcpy(p->public_key, key->public_key, key->kem->public_len);
    p->key_id = key_id;
    must_ok(tw_keyset_add(shared.set, key_id, key, pairs, 2, TW_KEY_PENDING));
    atomic_store(&p->published, true);
    p->state = TW_KEY_PENDING;
}

/* Not while a sender uses it: then it stays for another turn. */
static bool removed(posted *p)
{
    atomic_store(&p->published, false);
    if (atomic_load(&p->users) > 0) {
        atomic_store(&p->published, true);
        return false;
    }
    must_ok(tw_keyset_remove(shared.set, p->key_id));
    p->state = 0;
    return true;
}

static void set_state(posted *p, tw_key_state state)
{
    must_ok(tw_keyset_set_state(shared.set, p->key_id, state));
    p->state = (int)state;
}

/* One turn goes over all places and takes each key a step on. */
static size_t turn(void)
{
    size_t count = 0;

    for (posted *p = shared.board; p < shared.board + PLACES; p++) {
        switch (p->state) {
        case TW_KEY_PENDING:
            set_state(p, TW_KEY_ACTIVE);
            break;
        case TW_KEY_ACTIVE:
            set_state(p, TW_KEY_RETIRING);
            break;
        case TW_KEY_RETIRING:
            count += removed(p);
            break;
        default:
            add(p);
        }
    }
    return count;
}

int main(void)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    size_t rotated = 0;

    must_ok(tw_keyset_new(NULL, NULL, &shared.set));
    for (size_t i = 0; i < 4; i++) {
        const tw_symmetric *pair = &pairs[i % 2];

        must_ok(tw_suite_new(kems[i / 2], pair->kdf_id, pair->aead_id, NULL,
                             &shared.suites[i / 2][i % 2]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i;
        must(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0);
    }
    while (rotated < ROUNDS) {
        rotated += turn();
    }
    atomic_store(&shared.over, true);
    for (size_t i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    tw_keyset_free(shared.set);
    for (size_t i = 0; i < 4; i++) {
        tw_suite_free(shared.suites[i / 2][i % 2]);
    }
    must(shared.received > 0 && shared.refused > 0 && shared.churned > 0);
    printf("%d threads: %zu rotations, %zu requests received, none refused for a live key; %zu "
           "look-ups of absent keys, %zu keys added by the threads\n",
           THREADS, rotated, (size_t)shared.received, (size_t)shared.refused,
           (size_t)shared.churned);
    return EXIT_SUCCESS;
}
