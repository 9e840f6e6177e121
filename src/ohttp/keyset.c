/* SPDX-License-Identifier: Apache-2.0 */
#include <twoway/ohttp.h>

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>

#include "message/message.h"

/*
 * Threads meet on one mutex for the length of a look-up among a few keys, beside a
 * request's private-key operation nothing; what adding takes longer for, it does before.
 * An entry lives until it is removed and no receiver of it is out.
 */

/* One served key id. A removed one stays until no receiver of it is out. */
#define REMOVED ((tw_key_state)0)
typedef struct served_key {
    struct served_key *next;
    size_t refs; /* one until it is removed, one for each receiver that is out */
    tw_key_state state;
    tw_key *key;
    uint8_t key_id;
    size_t count;
    tw_receiver *receivers[TW_MAX_SYMMETRIC];
} served_key;

/* Suites stay for good, since exchanges need them; there are few kinds. */
typedef struct suite_node {
    struct suite_node *next;
    tw_suite *suite;
} suite_node;

struct tw_keyset {
    pthread_mutex_t lock;
    served_key *entries; /* in the order of adding */
    pthread_mutex_t suites_lock;
    suite_node *suites;
    tw_rng rng;
    tw_provider provider;
};

tw_err tw_keyset_new(const tw_rng *rng, const tw_provider *provider, tw_keyset **out)
{
    tw_keyset *self;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    self = OPENSSL_zalloc(sizeof(*self));
    if (self == NULL) {
        return TW_ERR_MEMORY;
    }
    if (pthread_mutex_init(&self->lock, NULL) != 0) {
        OPENSSL_free(self);
        return TW_ERR_MEMORY;
    }
    if (pthread_mutex_init(&self->suites_lock, NULL) != 0) {
        pthread_mutex_destroy(&self->lock);
        OPENSSL_free(self);
        return TW_ERR_MEMORY;
    }
    if (rng != NULL) {
        self->rng = *rng;
    }
    if (provider != NULL) {
        self->provider = *provider;
    }
    *out = self;
    return TW_OK;
}

/* The key stays: it is the caller's until adding has succeeded. */
static void entry_free(served_key *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        tw_receiver_free(entry->receivers[i]);
    }
    OPENSSL_free(entry);
}

static void entries_free(served_key *entry)
{
    while (entry != NULL) {
        served_key *next = entry->next;

        tw_key_free(entry->key);
        entry_free(entry);
        entry = next;
    }
}

void tw_keyset_free(tw_keyset *set)
{
    if (set == NULL) {
        return;
    }
    entries_free(set->entries);
    while (set->suites != NULL) {
        suite_node *next = set->suites->next;

        tw_suite_free(set->suites->suite);
        OPENSSL_free(set->suites);
        set->suites = next;
    }
    pthread_mutex_destroy(&set->suites_lock);
    pthread_mutex_destroy(&set->lock);
    OPENSSL_free(set);
}

/* The pointer that leads to the entry, or to the end of the list. */
static served_key **find(served_key **list, uint8_t key_id)
{
    while (*list != NULL && ((*list)->key_id != key_id || (*list)->state == REMOVED)) {
        list = &(*list)->next;
    }
    return list;
}

/* Finds or makes a suite. suites_lock is held. */
static tw_err suite_of(tw_keyset *self, uint16_t kem_id, const tw_symmetric *pair,
                       const tw_suite **out)
{
    suite_node *node;
    tw_err err;

    for (node = self->suites; node != NULL; node = node->next) {
        *out = node->suite;
        if ((*out)->kem_id == kem_id && (*out)->kdf_id == pair->kdf_id &&
            (*out)->aead_id == pair->aead_id) {
            return TW_OK;
        }
    }
    node = OPENSSL_zalloc(sizeof(*node));
    if (node == NULL) {
        return TW_ERR_MEMORY;
    }
    err = tw_suite_new(kem_id, pair->kdf_id, pair->aead_id, &self->provider, &node->suite);
    if (err != TW_OK) {
        OPENSSL_free(node);
        return err;
    }
    node->next = self->suites;
    self->suites = node;
    *out = node->suite;
    return TW_OK;
}

static tw_err add_receivers(tw_keyset *self, served_key *entry, const tw_symmetric *pairs,
                            size_t count)
{
    const tw_suite *suite;
    tw_err err = TW_OK;

    for (size_t i = 0; err == TW_OK && i < count; i++) {
        err = suite_of(self, entry->key->kem->id, &pairs[i], &suite);
        if (err == TW_OK) {
            err =
                tw_receiver_new(suite, entry->key_id, entry->key, &self->rng, &entry->receivers[i]);
        }
        if (err == TW_OK) {
            entry->count++;
        }
    }
    return err;
}

/* A key that the set has already would be freed twice. */
static bool owns(const tw_keyset *self, const tw_key *key)
{
    const served_key *at = self->entries;

    while (at != NULL && at->key != key) {
        at = at->next;
    }
    return at != NULL;
}

static tw_err list(tw_keyset *self, served_key *made)
{
    served_key **end;
    tw_err err = TW_ERR_INVALID; /* that key id, or the key, is there already */

    pthread_mutex_lock(&self->lock);
    end = find(&self->entries, made->key_id);
    if (*end == NULL && !owns(self, made->key)) {
        *end = made;
        err = TW_OK;
    }
    pthread_mutex_unlock(&self->lock);
    return err;
}

static bool is_state(tw_key_state state)
{
    return state == TW_KEY_PENDING || state == TW_KEY_ACTIVE || state == TW_KEY_RETIRING;
}

tw_err tw_keyset_add(tw_keyset *set, uint8_t key_id, tw_key *key, const tw_symmetric *pairs,
                     size_t count, tw_key_state state)
{
    served_key *made;
    tw_err err;

    if (set == NULL || tw_key_usable(key) != TW_OK || pairs == NULL || count == 0 ||
        count > TW_MAX_SYMMETRIC || !is_state(state)) {
        return TW_ERR_INVALID;
    }
    made = OPENSSL_zalloc(sizeof(*made));
    if (made == NULL) {
        return TW_ERR_MEMORY;
    }
    made->refs = 1;
    made->state = state;
    made->key = key;
    made->key_id = key_id;
    pthread_mutex_lock(&set->suites_lock);
    err = add_receivers(set, made, pairs, count);
    pthread_mutex_unlock(&set->suites_lock);
    if (err == TW_OK) {
        err = list(set, made);
    }
    if (err != TW_OK) {
        entry_free(made);
    }
    return err;
}

tw_err tw_keyset_set_state(tw_keyset *set, uint8_t key_id, tw_key_state state)
{
    served_key *found;

    if (set == NULL || !is_state(state)) {
        return TW_ERR_INVALID;
    }
    pthread_mutex_lock(&set->lock);
    found = *find(&set->entries, key_id);
    if (found != NULL) {
        found->state = state;
    }
    pthread_mutex_unlock(&set->lock);
    return found == NULL ? TW_ERR_KEY : TW_OK;
}

/* Drops one reference; what nobody holds any more is returned for the caller to free
 * without the lock, since a token's key may take its time. */
static served_key *drop(tw_keyset *self, served_key *dropped)
{
    served_key **at = &self->entries;

    if (--dropped->refs > 0) {
        return NULL;
    }
    while (*at != dropped) {
        at = &(*at)->next;
    }
    *at = dropped->next;
    dropped->next = NULL;
    return dropped;
}

tw_err tw_keyset_remove(tw_keyset *set, uint8_t key_id)
{
    served_key *found, *unused = NULL;

    if (set == NULL) {
        return TW_ERR_INVALID;
    }
    pthread_mutex_lock(&set->lock);
    found = *find(&set->entries, key_id);
    if (found != NULL) {
        found->state = REMOVED;
        unused = drop(set, found);
    }
    pthread_mutex_unlock(&set->lock);
    entries_free(unused);
    return found == NULL ? TW_ERR_KEY : TW_OK;
}

static const tw_receiver *receiver_of(const served_key *entry, const tw_header *header)
{
    for (size_t i = 0; entry != NULL && i < entry->count; i++) {
        tw_header own = tw_receiver_header(entry->receivers[i]);

        if (tw_header_equal(&own, header)) {
            return entry->receivers[i];
        }
    }
    return NULL;
}

tw_err tw_keyset_acquire(tw_keyset *set, const uint8_t *head, size_t head_len,
                         const tw_receiver **out)
{
    tw_header header;
    served_key *found;
    tw_err err;

    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = NULL;
    if (set == NULL) {
        return TW_ERR_INVALID;
    }
    err = tw_header_parse(head, head_len, &header);
    if (err != TW_OK) {
        return err;
    }
    pthread_mutex_lock(&set->lock);
    found = *find(&set->entries, header.key_id);
    *out = receiver_of(found, &header);
    if (found != NULL && *out != NULL) {
        found->refs++;
    }
    pthread_mutex_unlock(&set->lock);
    return *out == NULL ? TW_ERR_KEY : TW_OK;
}

/* Removed or not: the entry that this receiver belongs to. */
static served_key *owner_of(const tw_keyset *self, const tw_receiver *receiver)
{
    for (served_key *at = self->entries; at != NULL; at = at->next) {
        for (size_t i = 0; i < at->count; i++) {
            if (at->receivers[i] == receiver) {
                return at;
            }
        }
    }
    return NULL;
}

void tw_keyset_release(tw_keyset *set, const tw_receiver *receiver)
{
    served_key *owner, *unused = NULL;

    if (set == NULL || receiver == NULL) {
        return;
    }
    pthread_mutex_lock(&set->lock);
    owner = owner_of(set, receiver);
    if (owner != NULL) {
        unused = drop(set, owner);
    }
    pthread_mutex_unlock(&set->lock);
    entries_free(unused);
}

static void write_config(const served_key *entry, tw_config *out)
{
    const tw_kem *kem = entry->key->kem;

    memset(out, 0, sizeof(*out));
    out->key_id = entry->key_id;
    out->kem_id = kem->id;
    out->public_len = kem->public_len;
    memcpy(out->public_key, entry->key->public_key, kem->public_len);
    out->symmetric_count = entry->count;
    for (size_t i = 0; i < entry->count; i++) {
        tw_header header = tw_receiver_header(entry->receivers[i]);

        out->symmetric[i] = (tw_symmetric){header.kdf_id, header.aead_id};
    }
}

tw_err tw_keyset_configs(tw_keyset *set, tw_config *configs, size_t cap, size_t *count)
{
    static const tw_key_state listed[] = {TW_KEY_ACTIVE, TW_KEY_PENDING};

    if (count == NULL) {
        return TW_ERR_INVALID;
    }
    *count = 0;
    if (set == NULL || (configs == NULL && cap > 0)) {
        return TW_ERR_INVALID;
    }
    pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < TW_COUNT(listed); i++) {
        for (const served_key *at = set->entries; at != NULL; at = at->next) {
            if (at->state != listed[i]) {
                continue;
            }
            if (*count < cap) {
                write_config(at, &configs[*count]);
            }
            (*count)++;
        }
    }
    pthread_mutex_unlock(&set->lock);
    return *count > cap ? TW_ERR_SPACE : TW_OK;
}
