/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: whose the keys are, and until when. */
#include <criterion/criterion.h>

#include <twoway/ohttp.h>

#include "asked.h"
#include "check.h"
#include "inject.h"
#include "stream.h"

static tw_keyset *set;

static void start(void)
{
    must_ok(tw_keyset_new(NULL, NULL, &set));
}

static void end(void)
{
    tw_keyset_free(set);
}

TestSuite(lifetimes, .init = start, .fini = end);

static tw_key *generated(uint16_t kem_id)
{
    tw_key *key = NULL;

    must_ok(tw_key_generate(kem_id, NULL, NULL, &key));
    return key;
}

Test(lifetimes, a_removed_key_serves_the_requests_that_hold_it_and_is_freed_with_the_last)
{
    tw_key *inner = generated(TW_KEM_X25519_HKDF_SHA256);
    const tw_receiver *first, *second;
    watched_key watched;
    tw_config config;
    asked r;

    watched_key_start(&watched, inner);
    must_ok(tw_keyset_add(set, 7, &watched.base, pairs, PAIRS, TW_KEY_ACTIVE));
    config = keyset_only(set);
    r = ask(&config, 1);
    first = asked_acquire(&r, set);
    second = asked_acquire(&r, set);
    must_ok(tw_keyset_remove(set, 7));
    must_not_acquire(TW_ERR_KEY, set, r.head);
    must_receive(&r, first);
    tw_keyset_release(set, first);
    must(!watched.freed);
    must_receive(&r, second);
    tw_keyset_release(set, second);
    must(watched.freed);
    asked_end(&r);
    tw_key_free(inner);
}

Test(lifetimes, a_request_in_three_steps_outlives_its_keys_removal)
{
    tw_pending *pending = NULL;
    tw_opener *opener = NULL;
    const tw_receiver *receiver;
    tw_config config;
    asked r;

    keyset_add(set, 7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    config = keyset_only(set);
    r = ask(&config, 1);
    receiver = asked_acquire(&r, set);
    must_ok(tw_receiver_begin(receiver, NULL, r.head.data, r.head.len, &pending));
    must_ok(tw_keyset_remove(set, 7));
    must_ok(tw_pending_perform(pending));
    must_ok(tw_pending_finish(pending, &opener, NULL));
    tw_pending_free(pending);
    tw_keyset_release(set, receiver);
    must_open(&r, opener); /* a body needs neither */
    asked_end(&r);
}

Test(lifetimes, a_key_id_may_be_given_to_another_key_while_the_first_is_still_out)
{
    const tw_receiver *old_receiver, *new_receiver;
    asked old_request, new_request;
    tw_opener *opener = NULL;
    tw_config config;
    bytes opened;

    keyset_add(set, 7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    config = keyset_only(set);
    old_request = ask(&config, 0);
    old_receiver = asked_acquire(&old_request, set);
    must_ok(tw_keyset_remove(set, 7));
    keyset_add(set, 7, TW_KEM_X25519_HKDF_SHA256, TW_KEY_ACTIVE);
    config = keyset_only(set);
    new_request = ask(&config, 0);
    new_receiver = asked_acquire(&new_request, set);
    must(new_receiver != old_receiver);
    must_receive(&old_request, old_receiver);
    must_receive(&new_request, new_receiver);
    must_ok(tw_receiver_accept(new_receiver, NULL, old_request.head.data, old_request.head.len,
                               &opener, NULL));
    must_err(TW_ERR_AUTH, open_in_steps(opener, old_request.body, 0, &opened));
    tw_keyset_release(set, old_receiver);
    must_receive(&new_request, new_receiver);
    tw_keyset_release(set, new_receiver);
    asked_end(&old_request);
    asked_end(&new_request);
}

Test(lifetimes, a_key_belongs_to_the_set_from_the_moment_adding_succeeds)
{
    static const tw_symmetric unknown[] = {{1, 1}, {1, 9}, {1, 1}};
    static const uint8_t header[TW_HEADER_LEN] = {2, 0, 0x20, 0, 1, 0, 1};
    const tw_receiver *receiver = NULL;
    tw_key *inner = generated(TW_KEM_X25519_HKDF_SHA256);
    watched_key refused, listed_key, removed;

    watched_key_start(&refused, inner);
    watched_key_start(&listed_key, inner);
    watched_key_start(&removed, inner);
    must_ok(tw_keyset_add(set, 1, &listed_key.base, pairs, 1, TW_KEY_ACTIVE));
    must_ok(tw_keyset_add(set, 2, &removed.base, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 1, &refused.base, pairs, 1, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 3, &refused.base, unknown, 2, TW_KEY_ACTIVE));
    must_err(TW_ERR_INVALID, tw_keyset_add(set, 3, &refused.base, unknown + 1, 2, TW_KEY_ACTIVE));
    must_ok(tw_keyset_acquire(set, header, sizeof(header), &receiver));
    tw_keyset_release(set, receiver);
    must(!removed.freed);
    must_ok(tw_keyset_remove(set, 2));
    must(removed.freed && !listed_key.freed);
    tw_keyset_free(set);
    set = NULL;
    must(listed_key.freed && !refused.freed);
    tw_key_free(inner);
}

Test(lifetimes, exchanges_and_bodies_live_on_after_a_release)
{
    tw_exchange *answered = NULL;
    tw_opener *opener = NULL;
    const tw_receiver *receiver;
    tw_config config;
    asked r;

    keyset_add(set, 7, TW_KEM_P256_HKDF_SHA256, TW_KEY_ACTIVE);
    config = keyset_only(set);
    r = ask(&config, 2);
    receiver = asked_acquire(&r, set);
    must_ok(tw_receiver_accept(receiver, NULL, r.head.data, r.head.len, &opener, &answered));
    tw_keyset_release(set, receiver);
    must_ok(tw_keyset_remove(set, 7));
    must_open(&r, opener);
    must_answer(&r, answered);
    tw_exchange_free(answered);
    asked_end(&r);
}
