/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges over suites of one's own: what those give, share and may ask for. */
#include <criterion/criterion.h>
#include <string.h>

#include "allocations.h"
#include "check.h"
#include "peers.h"
#include "stream.h"
#include "toy.h"

static void must_answer(const peers *p)
{
    bytes plain = bytes_noise(77, 3), opened;
    message m = message_seal(p, KIND_RESPONSE, format_of(true, 0), plain, 20);

    must_ok(message_open(p, &m, 9, &opened));
    must_bytes(plain, opened);
}

static tw_err request(const peers *p)
{
    tw_sealer *sealer = (tw_sealer *)&sealer;
    tw_exchange *exchange = (tw_exchange *)&exchange;
    uint8_t head[TW_MAX_HEAD];
    tw_err err = tw_sender_request(p->sender, NULL, head, sizeof(head), &sealer, &exchange);

    must((err == TW_OK) == (sealer != NULL) && (sealer == NULL) == (exchange == NULL));
    tw_sealer_free(sealer);
    tw_exchange_free(exchange);
    return err;
}

static tw_err answer; /* of exporter_secret */

static tw_err short_exporter_secret(const tw_hpke_ctx *ctx, uint8_t *out, size_t out_cap,
                                    size_t *out_len)
{
    (void)ctx;
    memset(out, 1, out_cap);
    *out_len = 31;
    return answer;
}

Test(exchange_own, is_none_when_its_suite_gives_no_exporter_secret_of_the_hashs_length)
{
    static const struct {
        tw_err answer, seen;
    } cases[] = {
        {TW_ERR_MEMORY, TW_ERR_MEMORY}, {(tw_err)-99, TW_ERR_BACKEND}, {TW_OK, TW_ERR_BACKEND}};
    toy t;
    peers p;

    toy_start(&t);
    peers_start_with(&p, &t.suite, &t.key, NULL);
    t.ops.exporter_secret = short_exporter_secret;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer = cases[i].answer;
        must_err(cases[i].seen, request(&p));
    }
    peers_end(&p);
    must_size(t.contexts_made, t.contexts_freed);
}

/* It keeps the context then, together with the body. */
Test(exchange_own, is_none_when_memory_for_what_it_shares_is_short)
{
    size_t failed = 0;
    tw_err err;
    toy t;
    peers p;

    toy_start(&t);
    t.ops.exporter_secret = NULL;
    peers_start_with(&p, &t.suite, &t.key, NULL);
    do {
        allocations_fail(++failed, true);
        err = request(&p);
        must(err == TW_OK || err == TW_ERR_MEMORY);
        must((err == TW_OK) == (allocations_ours().failed == 0));
        allocations_reset();
    } while (err != TW_OK);
    must(failed > 3);
    allocations_fail(0, true);
    peers_end(&p);
    must_size(t.contexts_made, t.contexts_freed);
    must_size(0, allocations_ours().bytes);
}

/* Whichever of the two goes first. */
Test(exchange_own, and_body_share_a_context_until_the_last_is_freed)
{
    for (size_t exchange_first = 0; exchange_first < 2; exchange_first++) {
        tw_sealer *sealer = NULL;
        tw_exchange *exchange = NULL;
        uint8_t head[TW_MAX_HEAD], sealed[64];
        size_t len;
        toy t;
        peers p;

        toy_start(&t);
        t.ops.exporter_secret = NULL;
        peers_start_with(&p, &t.suite, &t.key, NULL);
        must_ok(tw_sender_request(p.sender, NULL, head, sizeof(head), &sealer, &exchange));
        if (exchange_first == 1) {
            tw_exchange_free(exchange);
            must_ok(tw_sealer_final(sealer, head, 10, sealed, sizeof(sealed), &len));
            tw_sealer_free(sealer);
        } else {
            tw_sealer_free(sealer);
            must_answer(&p);
            tw_exchange_free(exchange);
        }
        peers_end(&p);
        must_size(t.contexts_made, t.contexts_freed);
        must_size(0, allocations_ours().bytes);
    }
}

Test(exchange_own, serves_the_longest_encapsulation_and_nonce)
{
    toy t;
    peers p;

    toy_start(&t);
    t.suite.enc_len = t.kem.enc_len = TW_MAX_ENC;
    t.suite.aead_id = TW_AEAD_AES_256_GCM;
    peers_start_with(&p, &t.suite, &t.key, NULL);
    must_size(32, tw_exchange_response_head_len(p.answered));
    must_answer(&p);
    peers_end(&p);
}
