/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A response from a receiver who keeps to no rule but has the keys: any nonce, of any length,
 * then whole or in chunks, in any pieces. See forge.h.
 */

#include "forge.h"

#include "fuzz.h"
#include "support/check.h"

typedef struct response {
    tw_exchange *exchange;
    const tw_format *format;
    bytes nonce;
} response;

static tw_opener *open(void *arg)
{
    const response *r = arg;
    tw_opener *opener = NULL;

    must_ok(tw_exchange_receive(r->exchange, r->format, r->nonce.data, r->nonce.len, &opener));
    return opener;
}

static void refused(const response *r, size_t nonce_len)
{
    tw_opener *opener = (tw_opener *)&opener;

    must_err(r->nonce.len < nonce_len ? TW_ERR_TRUNCATED : TW_ERR_INVALID,
             tw_exchange_receive(r->exchange, r->format, r->nonce.data, r->nonce.len, &opener));
    must(opener == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    forgery f = forgery_read(&in);
    const party *p = party_of(f.aead);
    response r = {.exchange = party_exchange(p), .format = &f.format};
    size_t nonce_len = tw_exchange_response_head_len(r.exchange);

    must_size(f.aead == 0 ? 16 : 32, nonce_len);
    r.nonce = take_copy(&in, nonce_len);
    if (f.altered && r.nonce.len == nonce_len) {
        r.nonce = forge_alter(r.nonce, &in);
    }
    if (r.nonce.len == nonce_len) {
        keys k = party_response(p, f.format.chunked, r.nonce);

        forge_check(&f, &k, in, open, &r);
    } else {
        refused(&r, nonce_len);
    }
    tw_exchange_free(r.exchange);
    bytes_release(mark);
    return 0;
}
