/* SPDX-License-Identifier: Apache-2.0 */
/* The Go package's part of an exchange. */
#include "interop.h"
#include "check.h"

void go_layout(go *g, const plan *p, bool response)
{
    go_text(g, plan_label(p, response));
    go_number(g, p->chunked);
    go_number(g, p->max_chunk);
    go_number(g, p->go_pace);
}

static void go_sends_one(run *r, const plan *p, sent *s)
{
    go_call(&r->go, "request");
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->key_id);
    go_bytes(&r->go, receiver_public(p, s, 0));
    go_layout(&r->go, p, false);
    go_bytes(&r->go, plan_question(p));
    go_ask(&r->go);
    s->handles[0] = go_result_number(&r->go);
    s->message = go_result(&r->go);
}

static void go_sends_many(run *r, const plan *p, sent *s)
{
    go_call(&r->go, "multi");
    go_suite(&r->go, p->suite);
    go_layout(&r->go, p, false);
    go_bytes(&r->go, plan_question(p));
    go_number(&r->go, s->count);
    for (size_t i = 0; i < s->count; i++) {
        go_number(&r->go, (uint8_t)(p->key_id + i));
        go_bytes(&r->go, receiver_public(p, s, i));
    }
    go_ask(&r->go);
    s->message = go_result(&r->go);
    for (size_t i = 0; i < s->count; i++) {
        s->handles[i] = go_result_number(&r->go);
        s->encaps[i] = go_result(&r->go);
    }
}

void go_sends(run *r, const plan *p, sent *s)
{
    if (p->many) {
        go_sends_many(r, p, s);
    } else {
        go_sends_one(r, p, s);
    }
}

bytes go_answers(run *r, const plan *p, const sent *s, size_t receiver)
{
    size_t handle;

    go_call(&r->go, "accept");
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->keys->theirs[receiver / 2]);
    go_number(&r->go, (uint8_t)(p->key_id + receiver));
    go_layout(&r->go, p, false);
    go_bytes(&r->go, s->encaps[receiver]);
    go_bytes(&r->go, s->message);
    go_ask(&r->go);
    handle = go_result_number(&r->go);
    must_bytes(plan_question(p), go_result(&r->go));

    go_call(&r->go, "respond");
    go_number(&r->go, handle);
    go_layout(&r->go, p, true);
    go_bytes(&r->go, plan_answer(p, receiver));
    go_ask(&r->go);
    return go_result(&r->go);
}

bytes go_receives(run *r, const plan *p, size_t handle, bytes sealed)
{
    go_call(&r->go, "receive");
    go_number(&r->go, handle);
    go_layout(&r->go, p, true);
    go_bytes(&r->go, sealed);
    go_ask(&r->go);
    return go_result(&r->go);
}
