/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <openssl/evp.h>
#include <string.h>

#include "fuzz.h"
#include "support/check.h"

#define TAG       16
#define MAX_ITEMS 40
#define MAX_BODY  131072

static const uint8_t final_word[] = {'f', 'i', 'n', 'a', 'l'};

/* --- One AEAD, by EVP alone. ----------------------------------------------------------------- */

static EVP_CIPHER_CTX *cipher_begin(const keys *k, uint64_t number, bytes aad, bool sealing)
{
    static const char *const names[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
    static EVP_CIPHER *ciphers[3];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t nonce[12];
    int written;

    if (ciphers[k->aead] == NULL) {
        ciphers[k->aead] = EVP_CIPHER_fetch(NULL, names[k->aead], NULL);
    }
    memcpy(nonce, k->base, sizeof(nonce));
    for (size_t i = 0; i < 8; i++) {
        nonce[11 - i] ^= (uint8_t)(number >> (8 * i));
    }
    must(ctx != NULL);
    must(EVP_CipherInit_ex2(ctx, ciphers[k->aead], k->key, nonce, sealing, NULL) == 1);
    must(aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &written, aad.data, (int)aad.len) == 1);
    return ctx;
}

bytes forge_seal(const keys *k, uint64_t number, bytes aad, bytes plain)
{
    EVP_CIPHER_CTX *ctx = cipher_begin(k, number, aad, true);
    bytes ct = bytes_new(plain.len + TAG);
    int written;

    must(plain.len == 0 ||
         EVP_CipherUpdate(ctx, ct.data, &written, plain.data, (int)plain.len) == 1);
    must(EVP_CipherFinal_ex(ctx, ct.data + plain.len, &written) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, ct.data + plain.len) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return ct;
}

static bool opens(const keys *k, uint64_t number, bytes aad, bytes ct, bytes *plain)
{
    EVP_CIPHER_CTX *ctx;
    int written;
    bool ok;

    if (k->useless || ct.len < TAG) {
        return false;
    }
    ctx = cipher_begin(k, number, aad, false);
    *plain = bytes_new(ct.len - TAG);
    ok = plain->len == 0 ||
         EVP_CipherUpdate(ctx, plain->data, &written, ct.data, (int)plain->len) == 1;
    ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, ct.data + ct.len - TAG) == 1 &&
         EVP_CipherFinal_ex(ctx, plain->data, &written) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* --- Making bodies. -------------------------------------------------------------------------- */

static bytes length_bytes(uint64_t value, unsigned log_size)
{
    bytes made = bytes_new((size_t)1 << log_size);

    for (size_t i = made.len; i-- > 0; value >>= 8) {
        made.data[i] = (uint8_t)value;
    }
    made.data[0] = (uint8_t)((made.data[0] & 0x3f) | log_size << 6);
    return made;
}

static bytes length_of(uint64_t value)
{
    return length_bytes(value, value < 1u << 6    ? 0
                               : value < 1u << 14 ? 1
                               : value < 1u << 30 ? 2
                                                  : 3);
}

static bytes forge_one(const keys *k, uint64_t *number, bytes *in)
{
    const bytes final_aad = bytes_of(final_word, sizeof(final_word));
    forge_item what = take_byte(in) % FORGE_ITEMS;
    bytes plain = bytes_none, ct;
    uint8_t how;

    if (what <= FORGE_BARE_FINAL) {
        plain = bytes_part(fuzz_plain(), 0, take_length(in));
    }
    switch (what) {
    case FORGE_CHUNK:
        ct = forge_seal(k, (*number)++, bytes_none, plain);
        return bytes_cat(length_of(ct.len), ct);
    case FORGE_FINAL:
        return bytes_cat(length_of(0), forge_seal(k, (*number)++, final_aad, plain));
    case FORGE_BARE:
        return forge_seal(k, (*number)++, bytes_none, plain);
    case FORGE_BARE_FINAL:
        return forge_seal(k, (*number)++, final_aad, plain);
    case FORGE_LENGTH:
        how = take_byte(in);
        return length_bytes((uint64_t)take_short(in) << how % 48, how / 48 % 4);
    case FORGE_RAW:
        return take(in, take_byte(in));
    default:
        *number += what == FORGE_SKIP ? 1 : (uint64_t)-1;
        return bytes_none;
    }
}

bytes forge_body(const keys *k, bytes in)
{
    bytes body = bytes_new(0);
    uint64_t number = 0;

    for (int i = 0; i < MAX_ITEMS && in.len > 0 && body.len < MAX_BODY; i++) {
        body = bytes_cat(body, forge_one(k, &number, &in));
    }
    return body;
}

/* --- What must come of them: wire.md's rules over the whole body at once. -------------------- */

static outcome end(tw_err err, bytes plain)
{
    return (outcome){err, plain};
}

static outcome expect_chunks(const keys *k, size_t max_chunk, bytes body)
{
    bytes released = bytes_new(0), plain;

    for (uint64_t number = 0;; number++) {
        size_t size = body.len == 0 ? 1 : (size_t)1 << (body.data[0] >> 6);
        uint64_t value;

        if (body.len < size) {
            return end(TW_ERR_TRUNCATED, released);
        }
        value = body.data[0] & 0x3f;
        for (size_t i = 1; i < size; i++) {
            value = value << 8 | body.data[i];
        }
        body = bytes_from(body, size);
        if (value == 0) {
            if (body.len > max_chunk + TAG) {
                return end(TW_ERR_LIMIT, released);
            }
            return opens(k, number, bytes_of(final_word, sizeof(final_word)), body, &plain)
                       ? end(TW_OK, bytes_cat(released, plain))
                       : end(TW_ERR_AUTH, released);
        }
        if (value <= TAG || value > max_chunk + TAG) {
            return end(value < TAG    ? TW_ERR_FORMAT
                       : value == TAG ? TW_ERR_AUTH
                                      : TW_ERR_LIMIT,
                       released);
        }
        if (value > body.len) {
            return end(TW_ERR_TRUNCATED, released);
        }
        if (!opens(k, number, bytes_none, bytes_part(body, 0, (size_t)value), &plain)) {
            return end(TW_ERR_AUTH, released);
        }
        released = bytes_cat(released, plain);
        body = bytes_from(body, (size_t)value);
    }
}

outcome forge_expect(const keys *k, const tw_format *format, bytes body)
{
    bytes plain;

    if (format->chunked) {
        return expect_chunks(k, format->max_chunk == 0 ? TW_CHUNK_LEN : format->max_chunk, body);
    }
    return opens(k, 0, bytes_none, body, &plain) ? end(TW_OK, plain)
                                                 : end(TW_ERR_AUTH, bytes_new(0));
}

/* --- Both together. -------------------------------------------------------------------------- */

forgery forgery_read(bytes *in)
{
    uint8_t what = take_byte(in);
    forgery f = {
        .aead = (size_t)(what >> FORGE_AEAD_SHIFT) % 3,
        .altered = (what & FORGE_ALTERED) != 0,
        .format = format_of((what & FORGE_CHUNKED) != 0, (what & FORGE_LARGE) != 0 ? 20000 : 0),
        .pieces = {.final_empty = (what & FORGE_FINAL_EMPTY) != 0},
    };

    f.pieces.lengths = take(in, take_byte(in));
    return f;
}

bytes forge_alter(bytes head, bytes *in)
{
    size_t at = take_short(in) % (head.len + 1);
    uint8_t change = take_byte(in);

    if (at == head.len) {
        return bytes_cat(head, bytes_of(&change, 1));
    }
    head = bytes_of(head.data, change == 0 ? at : head.len);
    if (change != 0) {
        head.data[at] ^= change;
    }
    return head;
}

static void check_one(const forgery *f, const outcome *want, bytes body, tw_opener *opener,
                      const pieces *cut)
{
    stream s = stream_open(opener);

    must_err(want->err, push_body(&s, f->format.chunked, body, cut));
    if (want->err == TW_OK) {
        must_bytes(want->plain, stream_out(&s));
        must_err(TW_ERR_STATE, stream_final(&s, bytes_none));
    } else {
        must(bytes_starts(want->plain, stream_out(&s)));
        must_err(want->err, stream_final(&s, body));
    }
    stream_end(&s);
}

static void check_pump(const forgery *f, const outcome *want, bytes body, tw_opener *opener,
                       size_t jobs)
{
    bytes out;

    must_err(want->err, push_pumped(opener, body, &f->pieces, jobs, &out));
    must(want->err == TW_OK ? bytes_equal(want->plain, out) : bytes_starts(want->plain, out));
    tw_opener_free(opener);
}

void forge_check(const forgery *f, const keys *k, bytes in, tw_opener *(*open)(void *arg),
                 void *arg)
{
    static const pieces at_once = {.final_empty = false};
    bytes body = forge_body(k, in);
    outcome want = forge_expect(k, &f->format, body);

    check_one(f, &want, body, open(arg), &f->pieces);
    check_one(f, &want, body, open(arg), &at_once);
    check_pump(f, &want, body, open(arg), 1);
    check_pump(f, &want, body, open(arg), 3);
}
