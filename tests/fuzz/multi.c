/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One to many from a sender who keeps to no rule but has the keys: the receiver's own file
 * (header, enc, sealed key), the body's head, then whole or in chunks, in any pieces. See
 * forge.h.
 */

#include "forge.h"

#include "fuzz.h"
#include "support/check.h"

#include <string.h>

#define NONCE_LEN 12
#define KEY_LEN   32

/* What is altered: a byte, modulo ALTER_COUNT, before what forge_alter takes. */
enum { ALTER_ENCAP, ALTER_HEAD, ALTER_WORD, ALTER_NUMBER, ALTER_KEY_LEN, ALTER_COUNT };

typedef struct copy {
    const party *to;
    const tw_format *format;
    bytes encap, head;
} copy;

static tw_err accept(const copy *c, tw_opener **out)
{
    tw_exchange *exchange = (tw_exchange *)&exchange;
    tw_err err = tw_receiver_accept_multi(c->to->receiver, c->format, c->encap.data, c->encap.len,
                                          c->head.data, c->head.len, out, &exchange);

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

/* The key that the body is sealed with, sealed to the receiver. */
static bytes sealed_key(const copy *c, bytes *content_key, int alter, bytes *in)
{
    bytes word = bytes_text("multi-encap-key");
    uint64_t number = 0;

    if (alter == ALTER_WORD) {
        word = forge_alter(word, in);
    } else if (alter == ALTER_NUMBER) {
        number = 1 + take_byte(in);
    } else if (alter == ALTER_KEY_LEN) {
        *content_key = bytes_part(fuzz_plain(), 0, take_byte(in) % (2 * KEY_LEN));
    }
    return forge_seal(&c->to->request[c->format->chunked], number, word, *content_key);
}

static bool is_word(int alter, bytes content_key)
{
    return alter != ALTER_WORD && alter != ALTER_NUMBER && content_key.len == KEY_LEN;
}

/* Not a byte of these is open to opinion: each is its own refusal. */
static void refused(const copy *c, size_t encap_len)
{
    tw_opener *opener = (tw_opener *)&opener;
    tw_err err = accept(c, &opener);

    if (c->encap.len < TW_HEADER_LEN) {
        must_err(TW_ERR_TRUNCATED, err);
    } else if (memcmp(c->encap.data, c->to->head.data, TW_HEADER_LEN) != 0) {
        must_err(TW_ERR_KEY, err);
    } else if (c->encap.len != encap_len) {
        must_err(c->encap.len < encap_len ? TW_ERR_TRUNCATED : TW_ERR_INVALID, err);
    } else if (c->head.len != NONCE_LEN) {
        must_err(c->head.len < NONCE_LEN ? TW_ERR_TRUNCATED : TW_ERR_INVALID, err);
    } else if (err != TW_ERR_FORMAT) { /* a point of small order */
        must_err(TW_ERR_AUTH, err);
    }
    tw_opener_free(opener);
}

static keys body_keys(const forgery *f, bytes content_key, bytes nonce)
{
    /* The key always has 32 bytes, so that AES-128-GCM counts as AES-256-GCM. */
    keys k = {.aead = f->aead == 0 ? 1 : f->aead};

    memcpy(k.key, content_key.data, KEY_LEN);
    memcpy(k.base, nonce.data, NONCE_LEN);
    return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    forgery f = forgery_read(&in);
    int alter = f.altered ? take_byte(&in) % ALTER_COUNT : ALTER_COUNT;
    bytes content_key = bytes_part(fuzz_plain(), 0, KEY_LEN);
    copy c = {.to = party_of(f.aead), .format = &f.format};
    size_t encap_len;
    bytes genuine;

    c.head = take_copy(&in, NONCE_LEN);
    genuine = bytes_cat(c.to->head, sealed_key(&c, &content_key, alter, &in));
    encap_len = tw_multi_encap_len(c.to->suite);
    c.encap = alter == ALTER_ENCAP ? forge_alter(genuine, &in) : genuine;
    c.head = alter == ALTER_HEAD ? forge_alter(c.head, &in) : c.head;
    if (bytes_equal(c.encap, genuine) && c.head.len == NONCE_LEN && is_word(alter, content_key)) {
        keys k = body_keys(&f, content_key, c.head);

        forge_check(&f, &k, in, open, &c);
    } else {
        refused(&c, encap_len);
    }
    bytes_release(mark);
    return 0;
}
