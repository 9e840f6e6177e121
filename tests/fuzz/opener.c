/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whatever happens to a message on its way, an opener releases an authentic
 * prefix of what was sealed and answers TW_OK only to the whole of it; and how
 * the bytes were cut into calls makes no difference. stream.c holds every single
 * call to the contracts of twoway.h besides.
 */

#include "opener.h"

#include "fuzz.h"
#include "mutate.h"
#include "support/check.h"
#include "support/stream.h"

/* push_all gives a body to an opener, in pieces or in one. */
static tw_err push_all(const plan *p, stream *s, bytes body, bool in_pieces)
{
    size_t at = 0;
    tw_err err = TW_OK;

    if (!p->format.chunked) {
        must_err(TW_ERR_STATE, stream_update(s, body)); /* opened by final alone */
        return stream_final(s, body);
    }
    while (in_pieces && err == TW_OK && body.len > 0) {
        size_t len = plan_piece(p, &at, body.len);

        if (len == body.len && !p->final_empty) {
            break;
        }
        err = stream_update(s, bytes_part(body, 0, len));
        body = bytes_from(body, len);
    }
    return err == TW_OK ? stream_final(s, body) : err;
}

/* open_body returns how the opening ended and checks what it released. */
static tw_err open_body(const plan *p, tw_opener *opener, bytes body, bool in_pieces)
{
    stream s = stream_open(opener);
    tw_err err = push_all(p, &s, body, in_pieces);
    bytes most = p->given ? plan_most() : p->plain;

    must(bytes_starts(most, stream_out(&s)));
    if (err == TW_OK) {
        must_err(TW_ERR_STATE, stream_final(&s, bytes_none));
        must(p->given || stream_out(&s).len == p->plain.len);
    } else {
        must(tw_err_is_peer(err));
        must_err(err, stream_final(&s, bytes_none));
        must_err(err, stream_final(&s, body));
    }
    stream_end(&s);
    return err;
}

static tw_err open_message(const plan *p, bytes whole, size_t head_len, bool in_pieces)
{
    message m = {.kind = p->kind, .format = p->format};
    tw_opener *opener = NULL;
    tw_err err;

    m.head = take(&whole, head_len);
    m.format.max_chunk = 0;
    err = message_accept(plan_peers(p), &m, &opener);
    if (err != TW_OK) {
        must(opener == NULL);
        must(tw_err_is_peer(err));
        must(m.head.len == head_len || err == TW_ERR_TRUNCATED || err == TW_ERR_KEY);
        return err;
    }
    must(m.head.len == head_len);
    return open_body(p, opener, whole, in_pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    plan p = plan_read(&in);
    size_t head_len = 0;
    bytes whole = plan_seal(&p, &head_len);
    bool intact = false;
    tw_err err;

    whole = p.given ? in : mutate(whole, head_len, p.format.chunked, in, &intact);
    err = open_message(&p, whole, head_len, true);
    must(!intact || err == TW_OK);
    must_err(err, open_message(&p, whole, head_len, false));
    bytes_release(mark);
    return 0;
}
