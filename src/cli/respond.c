/* SPDX-License-Identifier: Apache-2.0 */

/* The second way: respond seals for the exchange that accept stored, receive opens for
 * the one that request stored. */

#include "cli.h"

typedef struct answer {
    state s;
    input in;
    output *out;
    uint8_t head[TW_MAX_HEAD];
    size_t head_len;
} answer;

static int answer_begin(const options *o, unsigned output_flags, answer *a)
{
    int status;

    *a = (answer){.in = {.fd = -1}};
    if (o->exchange == NULL) {
        return usage_error("expected --exchange with a stored exchange, came none");
    }
    status = state_load(o->exchange, &a->s);
    if (status == EX_OK) {
        status = input_open(o->input, &a->in);
    }
    if (status == EX_OK) {
        status = output_open(o->output, output_flags, &a->in, &a->out);
    }
    if (status == EX_OK) {
        a->head_len = tw_exchange_response_head_len(a->s.exchange);
    }
    return status;
}

static void answer_end(answer *a)
{
    input_close(&a->in);
    state_free(&a->s);
}

static int seal(const options *o, answer *a)
{
    const tw_format format = format_of(o);
    tw_sealer *body = NULL;
    const tw_err err = tw_exchange_respond(a->s.exchange, &format, a->head, sizeof(a->head), &body);
    int status = err == TW_OK
                     ? EX_OK
                     : fail_tw(err, err == TW_ERR_STATE ? ABOUT_STATE : ABOUT_WORK, o->exchange);

    if (status == EX_OK) {
        status = output_put(a->out, a->head, a->head_len);
    }
    if (status == EX_OK) {
        status = stream_seal(body, o, &a->in, a->out);
    }
    tw_sealer_free(body);
    return status;
}

int run_respond(const options *o)
{
    answer a;
    int status = answer_begin(o, o->force ? 0 : OUTPUT_BINARY, &a);

    if (status == EX_OK) {
        status = seal(o, &a);
    }
    if (status == EX_OK) {
        status = output_commit(a.out);
    }
    answer_end(&a);
    return status;
}

static int open_answer(const options *o, answer *a)
{
    const tw_format format = format_of(o);
    tw_opener *body = NULL;
    size_t got = 0;
    tw_err err;
    int status = input_head(&a->in, a->head, a->head_len, &got);

    if (status != EX_OK) {
        return status;
    }
    err = tw_exchange_receive(a->s.exchange, &format, a->head, got, &body);
    if (err == TW_ERR_STATE) {
        return fail_tw(err, ABOUT_STATE, o->exchange);
    }
    status = err == TW_OK ? stream_open(body, o, &a->in, a->out)
                          : fail_tw(err, ABOUT_ANSWER, a->in.name);
    tw_opener_free(body);
    return status;
}

int run_receive(const options *o)
{
    answer a;
    int status = answer_begin(o, 0, &a);

    if (status == EX_OK) {
        status = open_answer(o, &a);
    }
    if (status == EX_OK) {
        status = output_commit(a.out);
    }
    answer_end(&a);
    return status;
}
