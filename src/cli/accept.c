/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "cli.h"

/* Which heads are answered. Without --config that is one key id and the key's KEM with
 * any suite; with it, what the configurations of this key say. */
typedef struct gate {
    const options *o;
    const tw_key *key;
    config_list list;
} gate;

static bool is_of_key(const gate *g, const tw_config *c)
{
    return c->kem_id == g->key->kem->id && c->public_len == g->key->kem->public_len &&
           memcmp(c->public_key, g->key->public_key, c->public_len) == 0;
}

static int gate_open(const options *o, const tw_key *key, gate *g)
{
    int status;

    *g = (gate){.o = o, .key = key};
    if (o->config == NULL) {
        return EX_OK;
    }
    status = config_list_read(o->config, &g->list);
    if (status != EX_OK) {
        return status;
    }
    for (size_t i = 0; i < g->list.count; i++) {
        if (is_of_key(g, &g->list.items[i])) {
            return EX_OK;
        }
    }
    config_list_free(&g->list);
    return fail(EX_NOINPUT, o->config,
                "expected a configuration of the key that --key names, came only others; make one "
                "with twoway config");
}

static bool lists(const tw_config *c, const tw_header *h)
{
    for (size_t i = 0; i < c->symmetric_count; i++) {
        if (c->symmetric[i].kdf_id == h->kdf_id && c->symmetric[i].aead_id == h->aead_id) {
            return c->key_id == h->key_id && c->kem_id == h->kem_id;
        }
    }
    return false;
}

static bool gate_admits(const gate *g, const tw_header *h)
{
    const unsigned long key_id = g->o->key_id == NO_KEY_ID ? 1 : g->o->key_id;

    if (g->o->config == NULL) {
        return h->key_id == key_id && h->kem_id == g->key->kem->id &&
               tw_kdf_name(h->kdf_id) != NULL && tw_aead_name(h->aead_id) != NULL;
    }
    for (size_t i = 0; i < g->list.count; i++) {
        if (is_of_key(g, &g->list.items[i]) && lists(&g->list.items[i], h)) {
            return true;
        }
    }
    return false;
}

static int refuse_header(const gate *g, const tw_header *h, const char *name)
{
    const int status = exit_status(TW_ERR_KEY, ABOUT_MESSAGE);
    /* A body for many begins with random bytes. */
    const char *or_encap =
        g->o->encap == NULL ? "; if it is one body for many, give --encap with your file" : "";

    if (g->o->config != NULL) {
        return fail(status, name,
                    "expected a key id and suite of '%s', came key id %u with %s, %s, %s; give its "
                    "sender the current configuration%s",
                    g->o->config, (unsigned)h->key_id, kem_text(h->kem_id).s, kdf_text(h->kdf_id).s,
                    aead_text(h->aead_id).s, or_encap);
    }
    return fail(status, name,
                "expected key id %lu with %s, came key id %u with %s, %s, %s; give its sender the "
                "current configuration, or name another key or --key-id%s",
                g->o->key_id == NO_KEY_ID ? 1 : g->o->key_id, kem_text(g->key->kem->id).s,
                (unsigned)h->key_id, kem_text(h->kem_id).s, kdf_text(h->kdf_id).s,
                aead_text(h->aead_id).s, or_encap);
}

typedef struct opening {
    const char *name; /* of what holds the header */
    blob encap;       /* one to many: the file of --encap */
    tw_suite *suite;
    tw_receiver *receiver;
    tw_opener *body;
    tw_exchange *exchange;
    uint8_t head[TW_MAX_HEAD];
    size_t head_len;
} opening;

static void opening_free(opening *p)
{
    tw_exchange_free(p->exchange);
    tw_opener_free(p->body);
    tw_receiver_free(p->receiver);
    tw_suite_free(p->suite);
    blob_free(&p->encap);
}

/* The header begins the message, or the file of --encap. */
static int read_header(const options *o, input *in, opening *p)
{
    int status;

    if (o->encap == NULL) {
        p->name = in->name;
        return input_head(in, p->head, TW_HEADER_LEN, &p->head_len);
    }
    p->name = o->encap;
    status = blob_read(o->encap, TW_MAX_HEAD, &p->encap);
    p->head_len = p->encap.len < TW_HEADER_LEN ? p->encap.len : TW_HEADER_LEN;
    if (p->head_len > 0) {
        memcpy(p->head, p->encap.data, p->head_len);
    }
    return status;
}

static int make_receiver(const gate *g, opening *p)
{
    tw_header header;
    tw_err err = tw_header_parse(p->head, p->head_len, &header);

    if (err != TW_OK) {
        return fail_tw(err, ABOUT_MESSAGE, p->name);
    }
    if (!gate_admits(g, &header)) {
        return refuse_header(g, &header, p->name);
    }
    err = tw_suite_with_kem(g->key->kem, header.kdf_id, header.aead_id, NULL, &p->suite);
    if (err == TW_OK) {
        err = tw_receiver_new(p->suite, header.key_id, g->key, NULL, &p->receiver);
    }
    if (err == TW_OK && p->encap.len > tw_multi_encap_len(p->suite)) {
        return fail_tw(TW_ERR_FORMAT, ABOUT_MESSAGE, p->name);
    }
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, p->name);
}

/* Now that the suite is known, so is the length of the rest. */
static int read_rest(const options *o, input *in, opening *p)
{
    const size_t have = o->encap == NULL ? p->head_len : 0;
    const size_t len =
        o->encap == NULL ? tw_receiver_head_len(p->receiver) : tw_multi_head_len(p->suite);
    size_t got;
    const int status = input_head(in, p->head + have, len - have, &got);

    p->head_len = have + got;
    return status;
}

/* One to many, only the body can be too short for a head once the file of --encap is
 * whole; everything else that is refused here is about that file. */
static const char *refused_name(const input *in, const opening *p, tw_err err)
{
    const bool body = err == TW_ERR_TRUNCATED && p->encap.len >= tw_multi_encap_len(p->suite);

    return body ? in->name : p->name;
}

static int accept_head(const options *o, const input *in, opening *p)
{
    const tw_format format = format_of(o);
    tw_exchange **exchange = o->exchange != NULL ? &p->exchange : NULL;
    tw_err err;

    if (is_uri(o->key)) {
        waiting_begin();
    }
    err = o->encap == NULL
              ? tw_receiver_accept(p->receiver, &format, p->head, p->head_len, &p->body, exchange)
              : tw_receiver_accept_multi(p->receiver, &format, p->encap.data, p->encap.len, p->head,
                                         p->head_len, &p->body, exchange);
    (void)waiting_end();
    if (err == TW_OK) {
        return EX_OK;
    }
    return tw_err_is_peer(err) ? fail_tw(err, ABOUT_MESSAGE, refused_name(in, p, err))
                               : fail_tw(err, ABOUT_WORK, "the private key");
}

static int open_message(const options *o, const gate *g, input *in, output *out)
{
    opening p = {0};
    int status = read_header(o, in, &p);

    if (status == EX_OK) {
        status = make_receiver(g, &p);
    }
    if (status == EX_OK) {
        status = read_rest(o, in, &p);
    }
    if (status == EX_OK) {
        status = accept_head(o, in, &p);
    }
    if (status == EX_OK && o->exchange != NULL) {
        status = state_save(o, o->exchange, p.exchange);
    }
    if (status == EX_OK) {
        status = stream_open(p.body, o, in, out);
    }
    if (status == EX_OK) {
        status = output_commit(out);
    }
    opening_free(&p);
    return status;
}

static int with_key(const options *o, input *in, output *out)
{
    keyring k;
    gate g;
    int status = keyring_open(o, &k);

    if (status != EX_OK) {
        return status;
    }
    status = gate_open(o, k.key, &g);
    if (status == EX_OK) {
        status = open_message(o, &g, in, out);
        config_list_free(&g.list);
    }
    keyring_free(&k);
    return status;
}

int run_accept(const options *o)
{
    input in = {.fd = -1};
    output *out;
    int status;

    if (o->key == NULL) {
        return usage_error("expected --key with a private key or its URI, came none");
    }
    if (public_path(o) != NULL && (!is_uri(o->key) || (o->public_file && o->certificate))) {
        return usage_error("expected one of --public and --certificate, with the URI of a key in a "
                           "token, came %s",
                           is_uri(o->key) ? "both" : "a key in a file, which has both halves");
    }
    if (o->config != NULL && o->key_id != NO_KEY_ID) {
        return usage_error("expected --key-id or --config, came both");
    }
    status = state_absent(o, o->exchange);
    if (status == EX_OK) {
        status = input_open(o->input, &in);
    }
    if (status == EX_OK) {
        status = output_open(o->output, 0, &in, &out);
    }
    if (status == EX_OK) {
        status = with_key(o, &in, out);
    }
    input_close(&in);
    return status;
}
