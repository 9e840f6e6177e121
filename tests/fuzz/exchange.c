/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A saved exchange comes back from a disk or a queue. What loads saves as the
 * same bytes, only under the suite that it names, and serves only its own role.
 */

#include "fuzz.h"

#include <twoway/twoway.h>

#include "support/check.h"
#include "support/peers.h"

#define MAGIC_LEN 4 /* "TWX1"; the role follows, then the header */

static void same_bytes(const tw_exchange *exchange, bytes saved)
{
    bytes again = bytes_new(saved.len);
    size_t len = 0;

    must_size(saved.len, tw_exchange_save_len(exchange));
    must_err(TW_ERR_SPACE, tw_exchange_save(exchange, again.data, again.len - 1, &len));
    must_size(saved.len, len);
    must_ok(tw_exchange_save(exchange, again.data, again.len, &len));
    must_size(saved.len, len);
    must_bytes(saved, again);
}

/* One side answers, the other receives answers, never both. */
static void one_role(tw_exchange *exchange)
{
    size_t head_len = tw_exchange_response_head_len(exchange);
    bytes head = bytes_new(head_len);
    tw_sealer *sealer = NULL;
    tw_opener *opener = NULL;
    tw_err respond = tw_exchange_respond(exchange, NULL, head.data, head.len, &sealer);
    tw_err receive = tw_exchange_receive(exchange, NULL, head.data, head.len, &opener);

    must((respond == TW_OK) == (sealer != NULL));
    must((receive == TW_OK) == (opener != NULL));
    must_err(TW_ERR_STATE, respond == TW_OK ? receive : respond);
    must_ok(respond == TW_OK ? respond : receive);
    tw_sealer_free(sealer);
    tw_opener_free(opener);
}

static tw_err load(const tw_suite *suite, bytes saved, tw_exchange **out)
{
    tw_rng rng = fuzz_rng();
    tw_err err;

    fuzz_rng_reset();
    err = tw_exchange_load(suite, &rng, saved.data, saved.len, out);
    must((err == TW_OK) == (*out != NULL));
    return err;
}

static void other_suites(const tw_header *own, bytes saved)
{
    for (size_t i = 0; i < 3; i++) {
        tw_exchange *exchange = NULL;

        if (all_aeads[i] != own->aead_id) {
            must_err(TW_ERR_INVALID,
                     load(fuzz_suite(own->kem_id, own->kdf_id, all_aeads[i]), saved, &exchange));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes saved = bytes_of(data, size);
    tw_exchange *exchange = NULL;
    tw_header named = {0};
    tw_err peeked = tw_exchange_peek(saved.data, saved.len, &named);
    const tw_suite *suite = fuzz_suite(named.kem_id, named.kdf_id, named.aead_id);
    bool known = peeked == TW_OK && suite != NULL;

    if (!known) {
        suite = fuzz_suite(TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM);
    }
    if (load(suite, saved, &exchange) == TW_OK) {
        must(known);
        must(named.key_id == saved.data[MAGIC_LEN + 1]);
        same_bytes(exchange, saved);
        one_role(exchange);
        other_suites(&named, saved);
    }
    tw_exchange_free(exchange);
    bytes_release(mark);
    return 0;
}
