/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Our opener against our sealer. Whatever happens to a message on its way, an opener
 * releases an authentic prefix of what was sealed and answers TW_OK only to the whole of
 * it; and how the bytes were cut into calls makes no difference. stream.c holds every single
 * call to the contracts of twoway.h besides.
 *
 * The chunks of one to many alone can trade places, by XOR: their format binds the head to nothing.
 */

#include "plan.h"

#include "fuzz.h"
#include "mutate.h"
#include "support/check.h"

#include <string.h>

/* What may be released, and whether as the whole. */
typedef struct promise {
    bytes plain;
    bool complete;
} promise;

static promise promise_of(const plan *p, const message *sent, const message *came)
{
    promise made = {p->plain, true};
    uint64_t mask = 0;

    if (p->kind == KIND_MULTI && p->format.chunked && !bytes_equal(sent->head, came->head)) {
        for (size_t i = 0; i < sent->head.len; i++) {
            mask = mask << 8 | (sent->head.data[i] ^ came->head.data[i]);
        }
        if (memcmp(sent->head.data, came->head.data, 4) != 0) {
            mask = UINT64_MAX;
        }
        made.plain = traded(p->plain, sent->body, mask, &made.complete);
    }
    return made;
}

/* open_body returns how the opening ended. No byte is released that was not sealed. */
static tw_err open_body(const plan *p, const promise *made, tw_opener *opener, bytes body,
                        const pieces *cut)
{
    stream s = stream_open(opener);
    tw_err err = push_body(&s, p->format.chunked, body, cut);

    must(bytes_starts(made->plain, stream_out(&s)));
    if (err == TW_OK) {
        must(made->complete);
        must_size(made->plain.len, stream_out(&s).len);
        must_err(TW_ERR_STATE, stream_final(&s, bytes_none));
    } else {
        must(tw_err_is_peer(err));
        must_err(err, stream_final(&s, bytes_none));
        must_err(err, stream_final(&s, body));
    }
    stream_end(&s);
    return err;
}

/* The heads have the lengths that they had, as far as the message reaches. */
static tw_err open_message(const plan *p, const message *sent, bytes whole, const pieces *cut)
{
    message m = {.kind = p->kind, .format = p->format};
    tw_opener *opener = NULL;
    promise made;
    tw_err err;

    m.encap = take_copy(&whole, sent->encap.len);
    m.head = take_copy(&whole, sent->head.len);
    m.format.max_chunk = 0;
    err = message_accept(plan_peers(p), &m, &opener);
    if (err != TW_OK) {
        must(opener == NULL);
        must(tw_err_is_peer(err));
        return err;
    }
    must(m.head.len == sent->head.len && m.encap.len == sent->encap.len);
    made = promise_of(p, sent, &m);
    return open_body(p, &made, opener, whole, cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const pieces at_once = {.final_empty = false};
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    plan p = plan_read(&in);
    message sent = plan_seal(&p);
    bytes heads = bytes_cat(sent.encap, sent.head);
    bool intact = false;
    bytes whole = mutate(bytes_cat(heads, sent.body), heads.len, p.format.chunked, in, &intact);
    tw_err err = open_message(&p, &sent, whole, &p.pieces);

    must(!intact || err == TW_OK);
    must_err(err, open_message(&p, &sent, whole, &at_once));
    bytes_release(mark);
    return 0;
}
