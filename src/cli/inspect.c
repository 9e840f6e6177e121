/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"

enum {
    TAG_LEN = 16, /* of every AEAD in the registry */
    BUFFER_LEN = 64 * 1024,
    MAX_VARINT = 8,
};

/* A body read as chunks, `varint(length) || ciphertext`, the last after a length of 0
 * and to the end (draft-ietf-ohai-chunked-ohttp section 3). */
typedef struct walk {
    uint64_t total; /* bytes of body */
    uint64_t skip;  /* bytes left of this chunk */
    uint64_t length;
    unsigned digits; /* bytes left of this length */
    bool in_length, final, wrong;
    uint64_t chunks, largest, plain, last;
} walk;

static void end_of_length(walk *w)
{
    w->in_length = false;
    if (w->length == 0) {
        w->final = true;
        return;
    }
    if (w->length <= TAG_LEN) { /* an empty chunk is never sent */
        w->wrong = true;
        return;
    }
    w->skip = w->length;
    w->chunks++;
    w->plain += w->length - TAG_LEN;
    if (w->length - TAG_LEN > w->largest) {
        w->largest = w->length - TAG_LEN;
    }
}

/* RFC 9000 section 16: the first byte's upper two bits say how many follow. */
static void length_byte(walk *w, uint8_t byte)
{
    if (!w->in_length) {
        w->in_length = true;
        w->digits = (1U << (byte >> 6)) - 1;
        w->length = byte & 0x3f;
    } else {
        w->digits--;
        w->length = w->length << 8 | byte;
    }
    if (w->digits == 0) {
        end_of_length(w);
    }
}

static void walk_on(walk *w, const uint8_t *in, size_t len)
{
    size_t at = 0;

    w->total += len;
    while (at < len && !w->wrong && !w->final) {
        const uint64_t step = w->skip < len - at ? w->skip : len - at;

        if (step > 0) {
            w->skip -= step;
            at += (size_t)step;
        } else {
            length_byte(w, in[at++]);
        }
    }
    if (w->final) {
        w->last += len - at;
    }
}

static bool is_chunked(const walk *w)
{
    return w->final && !w->wrong && w->last >= TAG_LEN;
}

static int walk_body(input *in, walk *w)
{
    uint8_t buf[BUFFER_LEN];

    for (;;) {
        const ssize_t n = input_read(in, buf, sizeof(buf));

        if (n < 0) {
            return fail_errno(EX_IOERR, in->name, "to read on", errno, "try again");
        }
        if (n == 0) {
            return EX_OK;
        }
        walk_on(w, buf, (size_t)n);
        progress_update();
    }
}

static void print_walk(const walk *w)
{
    printf("body        %" PRIu64 " bytes\n", w->total);
    if (w->total >= TAG_LEN) {
        printf("if whole    %" PRIu64 " bytes of plaintext\n", w->total - TAG_LEN);
    } else {
        printf("if whole    ends early\n");
    }
    if (!is_chunked(w)) {
        printf("if chunked  %s\n", w->wrong || w->final ? "not so" : "ends early");
        return;
    }
    const uint64_t last = w->last - TAG_LEN;

    printf("if chunked  %" PRIu64 " bytes of plaintext in %" PRIu64 " chunks, at most %" PRIu64
           " bytes in one\n",
           w->plain + last, w->chunks + 1, last > w->largest ? last : w->largest);
}

static int inspect_head(input *in, size_t *enc_len)
{
    uint8_t bytes[TW_HEADER_LEN];
    tw_header h;
    tw_kem *kem = NULL;
    tw_err err;
    size_t got;
    const int status = input_head(in, bytes, sizeof(bytes), &got);

    if (status != EX_OK) {
        return status;
    }
    err = tw_header_parse(bytes, got, &h);
    if (err != TW_OK) {
        return fail_tw(err, ABOUT_MESSAGE, in->name);
    }
    err = tw_kem_new(h.kem_id, NULL, &kem);
    if (err == TW_ERR_INVALID) {
        return fail(exit_status(TW_ERR_KEY, ABOUT_MESSAGE), in->name,
                    "expected a request with a KEM that this command has, came KEM %s; a response "
                    "names none, nor does a body for many",
                    kem_text(h.kem_id).s);
    }
    if (err != TW_OK) {
        return fail_tw(err, ABOUT_WORK, in->name);
    }
    *enc_len = kem->enc_len;
    tw_kem_free(kem);
    printf(
        "key id      %u\nKEM         %s\nKDF         %s\nAEAD        %s\nhead        %zu bytes\n",
        (unsigned)h.key_id, kem_text(h.kem_id).s, kdf_text(h.kdf_id).s, aead_text(h.aead_id).s,
        sizeof(bytes) + *enc_len);
    return EX_OK;
}

int run_inspect(const options *o)
{
    uint8_t enc[TW_MAX_ENC];
    size_t enc_len = 0, got = 0;
    walk w = {0};
    input in;
    int status = input_open(o->input, &in);

    if (status == EX_OK) {
        status = inspect_head(&in, &enc_len);
    }
    if (status == EX_OK) {
        status = input_head(&in, enc, enc_len, &got);
    }
    if (status == EX_OK && got < enc_len) {
        status = fail_tw(TW_ERR_TRUNCATED, ABOUT_MESSAGE, in.name);
    }
    if (status == EX_OK) {
        progress_start(o->verb->name, &in);
        status = walk_body(&in, &w);
        progress_end();
    }
    if (status == EX_OK) {
        print_walk(&w);
    }
    if (status == EX_OK && w.total < TAG_LEN && !is_chunked(&w)) {
        status = fail_tw(TW_ERR_TRUNCATED, ABOUT_MESSAGE, in.name);
    }
    input_close(&in);
    return status;
}
