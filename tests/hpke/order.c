/* SPDX-License-Identifier: Apache-2.0 */
/* hpke.h: sequence numbers, in order and out of it, and the suites that cannot tell them. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/hpke.h>

#include "check.h"
#include "pair.h"
#include "toy.h"

static uint64_t seq_of(const tw_hpke *hpke)
{
    uint64_t seq = UINT64_MAX;

    must_ok(tw_hpke_seq(hpke, &seq));
    return seq;
}

Test(order, a_failed_open_takes_no_number)
{
    bytes first, second, opened;
    pair p;

    pair_start(&p, triple_default, MODE_BASE);
    pair_connect(&p);
    first = pair_seal(&p, bytes_noise(5, 1));
    second = pair_seal(&p, bytes_noise(5, 2));
    must(seq_of(p.seals) == 2);
    must_err(TW_ERR_AUTH, pair_open(&p, second, &opened));
    must_err(TW_ERR_AUTH, pair_open(&p, bytes_part(first, 0, 15), &opened));
    must(seq_of(p.opens) == 0);
    must_ok(pair_open(&p, first, &opened));
    must_ok(pair_open(&p, second, &opened));
    must_err(TW_ERR_AUTH, pair_open(&p, second, &opened));
    pair_end(&p);
}

Test(order, a_receiver_may_open_out_of_it_and_a_sender_may_not_repeat)
{
    bytes messages[5], opened;
    pair p;

    pair_start(&p, triple_default, MODE_AUTH_PSK);
    pair_connect(&p);
    for (uint32_t i = 0; i < 5; i++) {
        messages[i] = pair_seal(&p, bytes_noise(5, i));
    }
    for (uint32_t i = 5; i-- > 0;) {
        must_ok(tw_hpke_set_seq(p.opens, i));
        must_ok(pair_open(&p, messages[i], &opened));
        must_bytes(bytes_noise(5, i), opened);
        must(seq_of(p.opens) == i + 1);
    }
    must_err(TW_ERR_STATE, tw_hpke_set_seq(p.seals, 0));
    must(seq_of(p.seals) == 5);
    pair_end(&p);
}

Test(order, a_suite_of_ones_own_serves_and_need_not_tell_it)
{
    uint64_t seq = 1;
    toy t;
    pair p;

    toy_start(&t);
    pair_start_with(&p, MODE_BASE, &t.suite, &t.key, NULL);
    pair_connect(&p);
    must_pass(&p);
    must_err(TW_ERR_INVALID, tw_hpke_seq(p.seals, &seq));
    must(seq == 0);
    must_err(TW_ERR_INVALID, tw_hpke_set_seq(p.opens, 3));
    t.no_context = true;
    must_err(TW_ERR_BACKEND, pair_receive(&p));
    must_err(TW_ERR_BACKEND, pair_send(&p)); /* which wipes enc */
    must_bytes(bytes_new(p.enc.len), p.enc);
    pair_end(&p);
    must_size(t.contexts_made, t.contexts_freed);
}
