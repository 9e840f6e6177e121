/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A request from a sender who keeps to no rule but has the keys: head, whole or in chunks, in
 * any pieces. See forge.h.
 */

#include "forge.h"

#include "fuzz.h"
#include "support/check.h"

typedef struct request {
    const party *to;
    const tw_format *format;
    bytes head;
} request;

static tw_err accept(const request *r, tw_opener **out)
{
    tw_exchange *exchange = (tw_exchange *)&exchange;
    tw_err err =
        tw_receiver_accept(r->to->receiver, r->format, r->head.data, r->head.len, out, &exchange);

    must((err == TW_OK) == (*out != NULL));
    must((err == TW_OK) == (exchange != NULL));
    tw_exchange_free(exchange);
    return err;
}

static tw_opener *open(void *arg)
{
    tw_opener *opener = NULL;

    must_ok(accept(arg, &opener));
    return opener;
}

/* A head that was altered is refused for what it is, or its message is. */
static bool goes_on(const request *r)
{
    tw_opener *opener = (tw_opener *)&opener;
    tw_err err = accept(r, &opener);
    bool other = false;

    for (size_t i = 0; i < TW_HEADER_LEN && r->head.len >= TW_HEADER_LEN; i++) {
        other = other || r->head.data[i] != r->to->head.data[i];
    }
    if (r->head.len < TW_HEADER_LEN) {
        must_err(TW_ERR_TRUNCATED, err);
    } else if (other) {
        must_err(TW_ERR_KEY, err);
    } else if (r->head.len != r->to->head.len) {
        must_err(r->head.len < r->to->head.len ? TW_ERR_TRUNCATED : TW_ERR_INVALID, err);
    } else if (err != TW_OK) {
        must_err(TW_ERR_FORMAT, err); /* a point of small order */
    }
    tw_opener_free(opener);
    return err == TW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    forgery f = forgery_read(&in);
    request r = {.to = party_of(f.aead), .format = &f.format};
    keys k = r.to->request[f.format.chunked];

    r.head = r.to->head;
    if (f.altered) {
        r.head = forge_alter(r.head, &in);
        k.useless = true;
    }
    if (!f.altered || goes_on(&r)) {
        forge_check(&f, &k, in, open, &r);
    }
    bytes_release(mark);
    return 0;
}
