/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <stdlib.h>
#include <string.h>

/*
 * One key that several tokens hold. Each operation goes to the member that is least busy, and on
 * to the next when that one's token fails.
 */

enum {
    HANGS_MS = 2000, /* without one operation's end: it gets no new ones meanwhile */
    MOST_MEMBERS = 64,
};

/* --- Operations. ------------------------------------------------------------------------------ */

static bool better(const member *a, const member *b)
{
    bool a_hangs = a->in_flight > 0 && twp_time_passed(&a->hangs);
    bool b_hangs = b == NULL || (b->in_flight > 0 && twp_time_passed(&b->hangs));

    if (b == NULL || a->aside != b->aside) {
        return b == NULL || b->aside;
    }
    return a_hangs != b_hangs ? b_hangs : a->in_flight < b->in_flight;
}

/* The next to ask, by who is free; one that is aside when all others were asked. */
static member *take(joined *j, const bool *asked)
{
    member *best = NULL;
    size_t first;

    pthread_mutex_lock(&j->lock);
    first = j->next++;
    for (size_t i = 0; i < j->count; i++) {
        size_t at = (first + i) % j->count;

        if (!asked[at] && j->members[at].key != NULL && better(&j->members[at], best)) {
            best = &j->members[at];
        }
    }
    if (best != NULL && best->in_flight++ == 0) {
        best->hangs = twp_time_in(HANGS_MS);
    }
    pthread_mutex_unlock(&j->lock);
    return best;
}

static bool is_tokens(tw_err err)
{
    return err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED;
}

static void give(member *m, tw_err err)
{
    pthread_mutex_lock(&m->all->lock);
    m->in_flight--;
    m->hangs = twp_time_in(HANGS_MS);
    if (is_tokens(err) && err != TW_ERR_TOKEN_BUSY) {
        twp_member_aside(m, err);
    }
    pthread_mutex_unlock(&m->all->lock);
}

/* What either operation of a key needs. */
typedef struct use {
    const uint8_t *enc, *other, *dh;
    size_t dh_len;
    uint8_t *secret;
} use;

static tw_err use_member(const tw_key *key, const use *u)
{
    return u->dh == NULL ? key->ops->decap(key, u->enc, u->other, u->secret)
                         : key->ops->auth_encap(key, u->other, u->dh, u->dh_len, u->enc, u->secret);
}

static tw_err run(const tw_key *key, const use *u)
{
    joined *j = (joined *)(uintptr_t)key; /* its state changes, under its lock */
    bool asked[MOST_MEMBERS] = {false};
    tw_err err = TW_ERR_TOKEN_ABSENT;
    member *m;

    twp_joined_adopt(j);
    while ((m = take(j, asked)) != NULL) {
        err = use_member(m->key, u);
        give(m, err);
        if (!is_tokens(err)) {
            return err;
        }
        asked[m - j->members] = true;
    }
    return err;
}

static tw_err joined_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                           uint8_t *secret)
{
    return run(key, &(use){.enc = enc, .other = sender_public, .secret = secret});
}

static tw_err joined_auth_encap(const tw_key *key, const uint8_t *pk, const uint8_t *dh,
                                size_t dh_len, const uint8_t *enc, uint8_t *secret)
{
    return run(key, &(use){.enc = enc, .other = pk, .dh = dh, .dh_len = dh_len, .secret = secret});
}

/* --- The whole. ------------------------------------------------------------------------------- */

static void member_clear(member *m)
{
    tw_key_free(m->key);
    tw_token_free(m->token);
    if (m->uri != NULL) {
        tw_wipe(m->uri, strlen(m->uri)); /* a PIN may be in it */
        free(m->uri);
    }
}

static void joined_free(tw_key *key)
{
    joined *j = (joined *)key;

    twp_joined_forget(j);
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_broadcast(&j->stop);
    pthread_mutex_unlock(&j->lock);
    for (size_t i = 0; i < j->count; i++) { /* a prober looks at the KEM, which is a member's */
        if (j->members[i].probed) {
            pthread_join(j->members[i].prober, NULL);
        }
    }
    for (size_t i = 0; i < j->count; i++) {
        member_clear(&j->members[i]);
    }
    pthread_cond_destroy(&j->stop);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

static const tw_key_ops joined_ops = {
    .size = sizeof(tw_key_ops),
    .decap = joined_decap,
    .auth_encap = joined_auth_encap,
    .free = joined_free,
};

static tw_err member_init(joined *j, member *m, const tw_token_member *from)
{
    failure why = {0};

    m->all = j;
    m->aside = true;
    m->uri = strdup(from->uri);
    return m->uri == NULL ? TW_ERR_MEMORY
                          : twp_token_new(from->uri, from->options, &m->token, &why);
}

static tw_err joined_new(const tw_token_member *members, size_t count, joined **out)
{
    joined *j = calloc(1, sizeof(*j) + count * sizeof(j->members[0]));
    tw_err err = TW_OK;

    if (j == NULL) {
        return TW_ERR_MEMORY;
    }
    pthread_mutex_init(&j->lock, NULL);
    twp_cond_init(&j->stop);
    atomic_store(&j->process, twp_process());
    j->base.ops = &joined_ops;
    j->base.public_key = j->public_key;
    j->count = count;
    for (size_t i = 0; err == TW_OK && i < count; i++) {
        err = member_init(j, &j->members[i], &members[i]);
    }
    if (err != TW_OK) {
        joined_free(&j->base);
        return err;
    }
    *out = j;
    return TW_OK;
}

/* Those that do not open are looked after once it is known which key it is. */
static tw_err open_all(joined *j)
{
    tw_err first = TW_OK;

    for (size_t i = 0; i < j->count; i++) {
        member *m = &j->members[i];
        tw_err err = twp_member_open(m);

        if (err == TW_ERR_KEY || err == TW_ERR_INVALID || err == TW_ERR_MEMORY) {
            return err;
        }
        if (err == TW_OK && j->base.kem == NULL) {
            j->base.kem = m->key->kem;
            memcpy(j->public_key, m->key->public_key, j->base.kem->public_len);
        }
        first = first == TW_OK ? err : first;
    }
    return j->base.kem == NULL ? first : TW_OK;
}

tw_err tw_token_join(const tw_token_member *members, size_t count, tw_key **out)
{
    joined *j;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (members == NULL || count == 0 || count > MOST_MEMBERS) {
        return TW_ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].size < sizeof(members[i]) || members[i].uri == NULL) {
            return TW_ERR_INVALID;
        }
    }
    err = joined_new(members, count, &j);
    if (err != TW_OK) {
        return err;
    }
    err = open_all(j);
    if (err != TW_OK) {
        joined_free(&j->base);
        return err;
    }
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < count; i++) {
        if (j->members[i].aside) {
            twp_member_aside(&j->members[i], j->members[i].err);
        }
    }
    pthread_mutex_unlock(&j->lock);
    *out = &j->base;
    return TW_OK;
}

tw_err tw_token_joined(const tw_key *key, size_t index, const tw_token **token, tw_err *state)
{
    joined *j = (joined *)(uintptr_t)key;
    const member *m;

    if (token == NULL) {
        return TW_ERR_INVALID;
    }
    *token = NULL;
    if (key == NULL || key->ops != &joined_ops || index >= j->count || state == NULL) {
        return TW_ERR_INVALID;
    }
    m = &j->members[index];
    twp_joined_adopt(j);
    pthread_mutex_lock(&j->lock);
    *token = m->key == NULL ? NULL : m->token;
    *state = m->aside ? m->err : TW_OK;
    pthread_mutex_unlock(&j->lock);
    return TW_OK;
}
