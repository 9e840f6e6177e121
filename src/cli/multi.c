/* SPDX-License-Identifier: Apache-2.0 */

/* One to many: a body sealed once, and its key encapsulated to each receiver in a file
 * of its own. */

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

enum { MAX_TRIED = 64 }; /* more than there are suites with names */

typedef struct sending {
    const options *o;
    config_list *lists; /* one for each --to */
    tw_config *chosen;  /* one of each list, all with the one suite */
    tw_suite *suite;
    tw_multi *multi;
    tw_sealer *body;
    uint8_t head[TW_MAX_HEAD];
} sending;

static const tw_config *offering(const config_list *l, const tw_header *h)
{
    for (size_t i = 0; i < l->count; i++) {
        const tw_config *c = &l->items[i];

        for (size_t j = 0; c->kem_id == h->kem_id && j < c->symmetric_count; j++) {
            if (c->symmetric[j].kdf_id == h->kdf_id && c->symmetric[j].aead_id == h->aead_id) {
                return c;
            }
        }
    }
    return NULL;
}

static bool all_offer(sending *s, const tw_header *h)
{
    for (size_t i = 0; i < s->o->to_count; i++) {
        const tw_config *c = offering(&s->lists[i], h);

        if (c == NULL) {
            return false;
        }
        s->chosen[i] = *c;
    }
    return true;
}

/* Suites that were looked at. Only those that have names count, which bounds the work
 * that a hostile configuration can ask for. */
typedef struct tried {
    tw_header suites[MAX_TRIED];
    size_t count;
} tried;

static bool is_new(tried *t, const tw_header *h)
{
    if (tw_kem_name(h->kem_id) == NULL || tw_kdf_name(h->kdf_id) == NULL ||
        tw_aead_name(h->aead_id) == NULL || t->count == MAX_TRIED) {
        return false;
    }
    for (size_t i = 0; i < t->count; i++) {
        const tw_header *old = &t->suites[i];

        if (old->kem_id == h->kem_id && old->kdf_id == h->kdf_id && old->aead_id == h->aead_id) {
            return false;
        }
    }
    t->suites[t->count++] = *h;
    return true;
}

/* What request without --encap would choose, were it the only pair. TW_ERR_KEY: not served. */
static tw_err serve(const tw_config *c, size_t pair)
{
    tw_config one = *c;
    tw_header h;
    size_t index;

    one.symmetric[0] = c->symmetric[pair];
    one.symmetric_count = 1;
    return tw_config_choose(&one, 1, NULL, &index, &h);
}

/* The first suite, in the first receiver's order, that we have and all receivers list. */
static int choose_suite(sending *s)
{
    const config_list *first = &s->lists[0];
    tried t = {0};

    for (size_t i = 0; i < first->count; i++) {
        const tw_config *c = &first->items[i];

        for (size_t j = 0; j < c->symmetric_count; j++) {
            const tw_header h = {c->key_id, c->kem_id, c->symmetric[j].kdf_id,
                                 c->symmetric[j].aead_id};

            tw_err err = is_new(&t, &h) && all_offer(s, &h) ? serve(c, j) : TW_ERR_KEY;

            if (err == TW_OK) {
                err = tw_suite_new(h.kem_id, h.kdf_id, h.aead_id, NULL, &s->suite);
            }
            if (err != TW_ERR_KEY) {
                return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, "request");
            }
        }
    }
    return fail(exit_status(TW_ERR_KEY, ABOUT_CONFIG), "--to",
                "expected configurations that share a KEM and a suite, came none that all have; "
                "send separately");
}

static int read_configs(sending *s)
{
    int status = EX_OK;

    s->lists = calloc(s->o->to_count, sizeof(*s->lists));
    s->chosen = calloc(s->o->to_count, sizeof(*s->chosen));
    if (s->lists == NULL || s->chosen == NULL) {
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, "request");
    }
    for (size_t i = 0; i < s->o->to_count && status == EX_OK; i++) {
        status = receiver_read(s->o->to[i], &s->lists[i]);
    }
    return status == EX_OK ? choose_suite(s) : status;
}

/* "STATE.<n>" or "DIR/<n>.encap", counted from 1. */
char *state_path(const options *o, size_t i)
{
    char *path = NULL;

    return asprintf(&path, "%s.%zu", o->exchange, i + 1) < 0 ? NULL : path;
}

char *encap_path(const options *o, size_t i)
{
    char *path = NULL;

    return asprintf(&path, "%s/%zu.encap", o->encap, i + 1) < 0 ? NULL : path;
}

static int states_absent(const options *o)
{
    int status = EX_OK;

    for (size_t i = 0; o->exchange != NULL && i < o->to_count && status == EX_OK; i++) {
        char *path = state_path(o, i);

        status =
            path != NULL ? state_absent(o, path) : fail_tw(TW_ERR_MEMORY, ABOUT_WORK, o->exchange);
        free(path);
    }
    return status;
}

static int write_encap(const options *o, const char *path, const uint8_t *encap, size_t len)
{
    output *out;
    int status = output_open(path, o->force ? 0 : OUTPUT_NEW | OUTPUT_BINARY, NULL, &out);

    if (status == EX_OK) {
        status = output_put(out, encap, len);
    }
    return status == EX_OK ? output_commit(out) : status;
}

static int encapsulate(sending *s, size_t i)
{
    const options *o = s->o;
    const tw_config *to = &s->chosen[i];
    char *encap_to = encap_path(o, i);
    char *state_to = o->exchange != NULL ? state_path(o, i) : NULL;
    uint8_t encap[TW_MAX_HEAD];
    tw_exchange *exchange = NULL;
    int status;
    tw_err err;

    if (encap_to == NULL || (o->exchange != NULL && state_to == NULL)) {
        status = fail_tw(TW_ERR_MEMORY, ABOUT_WORK, o->encap);
        goto out;
    }
    err = tw_multi_encap(s->multi, to->key_id, to->public_key, to->public_len, encap, sizeof(encap),
                         o->exchange != NULL ? &exchange : NULL);
    status = err == TW_OK ? EX_OK : fail_tw(err, ABOUT_CONFIG_KEY, o->to[i]);
    if (status == EX_OK && o->exchange != NULL) {
        status = state_save(o, state_to, exchange);
    }
    if (status == EX_OK) {
        status = write_encap(o, encap_to, encap, tw_multi_encap_len(s->suite));
    }
out:
    tw_exchange_free(exchange);
    free(state_to);
    free(encap_to);
    return status;
}

static int seal(sending *s, input *in, output *out)
{
    const tw_format format = format_of(s->o);
    const tw_err err =
        tw_multi_new(s->suite, &format, NULL, s->head, sizeof(s->head), &s->body, &s->multi);
    int status = err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, "request");

    for (size_t i = 0; i < s->o->to_count && status == EX_OK; i++) {
        status = encapsulate(s, i);
    }
    if (status == EX_OK) {
        status = output_put(out, s->head, tw_multi_head_len(s->suite));
    }
    if (status == EX_OK) {
        status = stream_seal(s->body, s->o, in, out);
    }
    return status == EX_OK ? output_commit(out) : status;
}

static void sending_free(sending *s)
{
    tw_sealer_free(s->body);
    tw_multi_free(s->multi);
    tw_suite_free(s->suite);
    for (size_t i = 0; s->lists != NULL && i < s->o->to_count; i++) {
        config_list_free(&s->lists[i]);
    }
    free(s->lists);
    free(s->chosen);
}

int request_many(const options *o)
{
    sending s = {.o = o};
    input in = {.fd = -1};
    output *out;
    int status = states_absent(o);

    if (status == EX_OK) {
        status = read_configs(&s);
    }
    if (status == EX_OK) {
        status = input_open(o->input, &in);
    }
    if (status == EX_OK) {
        status = output_directory(o->encap); /* the body may go there too */
    }
    if (status == EX_OK) {
        status = paths_apart(o); /* again, for what cannot be told before there is that folder */
    }
    if (status == EX_OK) {
        status = output_open(o->output, o->force ? 0 : OUTPUT_BINARY, &in, &out);
    }
    if (status == EX_OK) {
        status = seal(&s, &in, out);
    }
    input_close(&in);
    sending_free(&s);
    return status;
}
