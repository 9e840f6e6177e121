/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange: a request, to one or to many, opened by each receiver and answered. */
#include "interop.h"
#include "check.h"

bool is_theirs(const sent *s, size_t receiver)
{
    return s->count > 1 ? receiver % 2 == 0 : !s->from_go;
}

bytes receiver_public(const plan *p, const sent *s, size_t receiver)
{
    const tw_key *key = plan_key(p);

    return is_theirs(s, receiver) ? p->keys->theirs_public[receiver / 2]
                                  : bytes_of(key->public_key, key->kem->public_len);
}

static bytes answer_of(run *r, const plan *p, const sent *s, size_t receiver)
{
    if (is_theirs(s, receiver)) {
        return go_answers(r, p, s, receiver);
    }
    return p->by_command ? command_answers(r, p, s, receiver) : we_answer(p, s, receiver);
}

void go_to_us(run *r, const plan *p)
{
    sent s = {.from_go = true, .count = p->many ? MANY_RECEIVERS : 1};

    go_sends(r, p, &s);
    for (size_t i = 0; i < s.count; i++) {
        bytes answer = answer_of(r, p, &s, i);

        must_bytes(plan_answer(p, i), go_receives(r, p, s.handles[i], answer));
    }
}

void we_to_go(run *r, const plan *p)
{
    sent s = {.from_go = false, .count = p->many ? MANY_RECEIVERS : 1};

    if (p->by_command) {
        command_sends(r, p, &s);
    } else {
        we_send(p, &s);
    }
    for (size_t i = 0; i < s.count; i++) {
        bytes answer = answer_of(r, p, &s, i);

        must_bytes(plan_answer(p, i), p->by_command ? command_receives(r, p, i, answer)
                                                    : we_receive(p, &s, i, answer));
    }
}
