/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>

#include "cli.h"

/* The first configuration of the list, and its first suite, that we have. */
static int choose(const char *path, tw_config *chosen, tw_suite **suite)
{
    config_list list;
    tw_header header;
    size_t index = 0;
    tw_err err;
    const int status = receiver_read(path, &list);

    if (status != EX_OK) {
        return status;
    }
    err = tw_config_choose(list.items, list.count, NULL, &index, &header);
    if (err == TW_OK) {
        *chosen = list.items[index];
        err = tw_suite_new(header.kem_id, header.kdf_id, header.aead_id, NULL, suite);
    }
    config_list_free(&list);
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_CONFIG, path);
}

typedef struct sealing {
    tw_sender *sender;
    tw_sealer *body;
    tw_exchange *exchange;
    uint8_t head[TW_MAX_HEAD];
    size_t head_len;
} sealing;

static int begin(const options *o, const tw_suite *suite, const tw_config *to, sealing *s)
{
    const tw_format format = format_of(o);
    tw_err err = tw_sender_new(suite, to->key_id, to->public_key, to->public_len, NULL, &s->sender);

    if (err != TW_OK) {
        return fail_tw(err, ABOUT_CONFIG_KEY, o->to[0]);
    }
    s->head_len = tw_sender_head_len(s->sender);
    err = tw_sender_request(s->sender, &format, s->head, sizeof(s->head), &s->body,
                            o->exchange != NULL ? &s->exchange : NULL);
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, "request");
}

static int seal(const options *o, const tw_suite *suite, const tw_config *to, input *in,
                output *out)
{
    sealing s = {0};
    int status = begin(o, suite, to, &s);

    if (status == EX_OK && o->exchange != NULL) {
        status = state_save(o, o->exchange, s.exchange);
    }
    if (status == EX_OK) {
        status = output_put(out, s.head, s.head_len);
    }
    if (status == EX_OK) {
        status = stream_seal(s.body, o, in, out);
    }
    if (status == EX_OK) {
        status = output_commit(out);
    }
    tw_exchange_free(s.exchange);
    tw_sealer_free(s.body);
    tw_sender_free(s.sender);
    return status;
}

static int request_one(const options *o)
{
    tw_config to = {0};
    tw_suite *suite = NULL;
    input in = {.fd = -1};
    output *out;
    int status;

    status = state_absent(o, o->exchange);
    if (status == EX_OK) {
        status = choose(o->to[0], &to, &suite);
    }
    if (status == EX_OK) {
        status = input_open(o->input, &in);
    }
    if (status == EX_OK) {
        status = output_open(o->output, o->force ? 0 : OUTPUT_BINARY, &in, &out);
    }
    if (status == EX_OK) {
        status = seal(o, suite, &to, &in, out);
    }
    input_close(&in);
    tw_suite_free(suite);
    return status;
}

int run_request(const options *o)
{
    if (o->to_count == 0) {
        return usage_error("expected --to with a configuration or certificate, came none");
    }
    if (o->to_count > 1 && o->encap == NULL) {
        return usage_error("expected --encap with several --to, came none");
    }
    return o->encap != NULL ? request_many(o) : request_one(o);
}
