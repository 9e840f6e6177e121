/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exchanges with the private key in a token: every curve and layout. */
#include "exchange.h"

#include <string.h>

#include "check.h"
#include "peers.h"
#include "stream.h"

static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 16383, 16384, 16385, 100000};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void one_message(const peers *p, kind k, bool chunked, size_t size)
{
    size_t mark = bytes_mark(), step = size > 1000000 ? 65536 : 999;
    bytes plain = bytes_noise(size, (uint32_t)size + 1), opened;
    message m = message_seal(p, k, format_of(chunked, 0), plain, step);

    check_note("(%s, %s, %zu bytes, KEM 0x%04x)", kind_name(k), chunked ? "chunked" : "whole", size,
               p->suite->kem_id);
    must_ok(message_open(p, &m, step, &opened));
    must(bytes_equal(plain, opened));
    /* The key is the token's, and only that opens it. */
    m.head.data[m.head.len - 1] ^= 1;
    if (k == KIND_REQUEST) {
        tw_err err = message_open(p, &m, step, &opened);

        must(err == TW_ERR_AUTH || err == TW_ERR_FORMAT);
    }
    check_note("%s", "");
    bytes_release(mark);
}

void exchange_all(const tw_key *key, uint16_t kem_id, size_t largest)
{
    tw_suite *suite;
    peers p;

    must_ok(tw_suite_new(kem_id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &suite));
    peers_start_with(&p, suite, key, NULL);
    for (kind k = KIND_REQUEST; k < KINDS; k++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            for (size_t i = 0; i < SIZES; i++) {
                one_message(&p, k, chunked == 1, sizes[i]);
            }
            one_message(&p, k, chunked == 1, largest);
        }
    }
    peers_end(&p);
    tw_suite_free(suite);
}

void exchange_suites(const tw_key *key, uint16_t kem_id)
{
    for (size_t kdf = 0; kdf < 3; kdf++) {
        for (size_t aead = 0; aead < 3; aead++) {
            tw_suite *suite;
            peers p;

            must_ok(tw_suite_new(kem_id, all_kdfs[kdf], all_aeads[aead], NULL, &suite));
            peers_start_with(&p, suite, key, NULL);
            one_message(&p, KIND_REQUEST, true, 5000);
            one_message(&p, KIND_RESPONSE, false, 5000);
            peers_end(&p);
            tw_suite_free(suite);
        }
    }
}
