/* SPDX-License-Identifier: Apache-2.0 */
/* twoway.h, contracts 1, 3, 4, 5 and 6, of openers. stream.c holds each call to 1 and 5. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"
#include "toy.h"

static peers both;

static void start(void)
{
    peers_start(&both, triple_default);
}

static void end(void)
{
    peers_end(&both);
}

TestSuite(opener, .init = start, .fini = end);

static message sealed(kind k, bool chunked, size_t max_chunk, bytes plain, size_t step)
{
    check_note("of a %s %s", chunked ? "chunked" : "whole", kind_name(k));
    return message_seal(&both, k, format_of(chunked, max_chunk), plain, step);
}

static stream opening(const message *m)
{
    tw_opener *opener;

    must_ok(message_accept(&both, m, &opener));
    return stream_open(opener);
}

Test(opener, any_split_of_the_input_gives_the_same_text)
{
    bytes plain = bytes_noise(150, 1);
    uint32_t chance = 42;

    for (kind k = 0; k < KINDS; k++) {
        message m = sealed(k, true, 0, plain, 40);

        for (size_t step = 0; step <= m.body.len; step++) {
            bytes opened;

            must_ok(message_open(&both, &m, step, &opened));
            must_bytes(plain, opened);
        }
        for (size_t i = 0; i < 200; i++) {
            stream s = opening(&m);
            bytes rest = m.body;

            while (noise_next(&chance) % 8 != 0) {
                size_t take = noise_next(&chance) % (rest.len + 1);

                must_ok(stream_update(&s, bytes_part(rest, 0, take)));
                rest = bytes_from(rest, take);
            }
            must_ok(stream_final(&s, rest));
            must_bytes(plain, stream_out(&s));
            stream_end(&s);
        }
    }
}

Test(opener, each_chunk_leaves_as_soon_as_it_is_whole)
{
    for (kind k = 0; k < KINDS; k++) {
        bytes plain = bytes_noise(30, 1);
        message m = sealed(k, true, 0, plain, 10);
        stream s = opening(&m);

        for (size_t i = 0; i < 3; i++) {
            bytes chunk = bytes_part(m.body, i * 27, 27);

            must_ok(stream_update(&s, bytes_part(chunk, 0, 26)));
            must_size(10 * i, stream_out(&s).len);
            must_ok(stream_update(&s, bytes_from(chunk, 26)));
            must_size(10 * (i + 1), stream_out(&s).len);
        }
        must_ok(stream_final(&s, bytes_from(m.body, 81)));
        must_bytes(plain, stream_out(&s));
        stream_end(&s);
    }
}

Test(opener, the_final_chunks_text_leaves_from_final_alone)
{
    for (kind k = 0; k < KINDS; k++) {
        bytes plain = bytes_noise(30, 1);
        message m = sealed(k, true, 0, plain, 0);
        stream s = opening(&m);

        must_ok(stream_update(&s, m.body));
        must_size(0, stream_out(&s).len);
        must_ok(stream_final(&s, bytes_none));
        must_bytes(plain, stream_out(&s));
        stream_end(&s);
    }
}

Test(opener, a_whole_message_is_opened_by_final_alone)
{
    for (kind k = 0; k < KINDS; k++) {
        bytes plain = bytes_noise(30, 1);
        message m = sealed(k, false, 0, plain, 0);
        stream s = opening(&m);

        must_err(TW_ERR_STATE, stream_update(&s, bytes_part(m.body, 0, 5)));
        must_err(TW_ERR_STATE, stream_update(&s, bytes_none));
        must_ok(stream_final(&s, m.body));
        must_bytes(plain, stream_out(&s));
        stream_end(&s);
    }
}

Test(opener, nothing_follows_final)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        for (kind k = 0; k < KINDS; k++) {
            message m = sealed(k, chunked == 1, 0, bytes_noise(30, 1), 0);
            stream s = opening(&m);

            must_ok(stream_final(&s, m.body));
            must_err(TW_ERR_STATE, stream_final(&s, m.body));
            must_err(TW_ERR_STATE, stream_final(&s, bytes_none));
            must_err(TW_ERR_STATE, stream_update(&s, m.body));
            stream_end(&s);
        }
    }
}

Test(opener, its_bound_is_within_one_chunk_of_the_input)
{
    bytes plain = bytes_noise(40000, 1);
    message m = sealed(KIND_RESPONSE, true, 20000, plain, 20000);
    stream s = opening(&m);
    bytes rest = m.body;

    while (rest.len > 0) {
        size_t take = rest.len < 777 ? rest.len : 777;

        must(stream_bound(&s, 0) <= 20000);
        must(stream_bound(&s, 5) <= 20005);
        must(stream_bound(&s, 777) <= 20777);
        must_ok(stream_update(&s, bytes_part(rest, 0, take)));
        rest = bytes_from(rest, take);
    }
    must_ok(stream_final(&s, bytes_none));
    must_bytes(plain, stream_out(&s));
    stream_end(&s);
}

Test(opener, its_bound_is_shorter_than_the_input_by_a_tag)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m = sealed(KIND_REQUEST, chunked == 1, 0, bytes_noise(30, 1), 0);
        stream s = opening(&m);

        for (size_t len = 0; len < 3 * TAG_LEN; len++) {
            must_size(len > TAG_LEN ? len - TAG_LEN : 0, stream_bound(&s, len));
        }
        stream_end(&s);
    }
}

Test(opener, what_is_shorter_than_a_tag_does_not_reach_the_suite)
{
    for (size_t n = 0; n < 4; n++) { /* of one to many, the suite opens the key first */
        bytes plain = bytes_noise(20, 1), opened;
        toy t;
        peers p;
        message m;

        toy_start(&t);
        peers_start_with(&p, &t.suite, &t.key, NULL);
        m = message_seal(&p, (kind)(n / 2), format_of(n % 2 == 1, 0), plain, 0);
        for (size_t len = 0; len < TAG_LEN; len++) {
            m.body = n % 2 == 1 ? final_chunk_of(bytes_noise(len, 2)) : bytes_noise(len, 2);
            must_err(TW_ERR_AUTH, message_open(&p, &m, 0, &opened));
        }
        must_size(0, t.opens);
        peers_end(&p);
    }
}

Test(opener, a_bound_that_overflows_is_the_largest_size)
{
    message m = sealed(KIND_RESPONSE, true, 0, bytes_noise(40, 1), 40);
    stream s = opening(&m);

    must_ok(stream_update(&s, bytes_part(m.body, 0, 30)));
    must_size(SIZE_MAX, stream_bound(&s, SIZE_MAX));
    must_size(SIZE_MAX, stream_bound(&s, SIZE_MAX - 5));
    stream_end(&s);
    must_size(0, tw_opener_bound(NULL, 5));
}

Test(opener, an_error_is_sticky)
{
    for (kind k = 0; k < KINDS; k++) {
        message m = sealed(k, true, 0, bytes_noise(40, 1), 10);
        stream s = opening(&m);

        m.body.data[5] ^= 1;
        must_err(TW_ERR_AUTH, stream_update(&s, bytes_part(m.body, 0, 27)));
        m.body.data[5] ^= 1;
        must_err(TW_ERR_AUTH, stream_update(&s, m.body));
        must_err(TW_ERR_AUTH, stream_final(&s, m.body));
        must_err(TW_ERR_AUTH, stream_final(&s, bytes_none));
        stream_end(&s);
        m = sealed(k, false, 0, bytes_noise(40, 1), 0);
        s = opening(&m);
        must_err(TW_ERR_AUTH, stream_final(&s, bytes_part(m.body, 1, m.body.len - 1)));
        must_err(TW_ERR_AUTH, stream_final(&s, m.body));
        must_err(TW_ERR_AUTH, stream_update(&s, m.body));
        stream_end(&s);
    }
}

Test(opener, an_error_takes_back_the_good_chunks_of_its_own_call)
{
    for (kind k = 0; k < KINDS; k++) {
        message m = sealed(k, true, 0, bytes_noise(40, 1), 10);
        stream s = opening(&m);

        must_ok(stream_update(&s, bytes_part(m.body, 0, 27)));
        m.body.data[3 * 27 + 8] ^= 1;
        /* Two good chunks precede the bad one; stream.c looks for their text in vain. */
        must_err(TW_ERR_AUTH, stream_update(&s, bytes_from(m.body, 27)));
        must_bytes(bytes_noise(10, 1), stream_out(&s));
        stream_end(&s);
    }
}

Test(opener, a_refused_call_changes_nothing)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        bytes plain = bytes_noise(25, 1), opened;
        message m = sealed(KIND_REQUEST, chunked == 1, 0, plain, 10);
        tw_opener *opener;
        uint8_t room[200];
        size_t len = 7, bound;

        must_ok(message_accept(&both, &m, &opener));
        bound = tw_opener_bound(opener, m.body.len);
        must_err(TW_ERR_INVALID, tw_opener_final(opener, NULL, 1, room, sizeof(room), &len));
        /* What is one byte longer than a tag may give one. */
        must_err(TW_ERR_INVALID, tw_opener_final(opener, room, 17, NULL, 1, &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID,
                 tw_opener_final(opener, m.body.data, m.body.len, NULL, sizeof(room), &len));
        must_err(TW_ERR_INVALID,
                 tw_opener_final(opener, m.body.data, m.body.len, room, sizeof(room), NULL));
        must_err(TW_ERR_SPACE,
                 tw_opener_final(opener, m.body.data, m.body.len, room, bound - 1, &len));
        must_size(bound, len);
        must_ok(open_in_steps(opener, m.body, chunked == 1 ? 4 : 0, &opened));
        must_bytes(plain, opened);
    }
    {
        uint8_t room[64];
        size_t len = 3;

        must_err(TW_ERR_INVALID, tw_opener_update(NULL, room, 0, room, sizeof(room), &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID, tw_opener_final(NULL, room, 0, room, sizeof(room), &len));
    }
    tw_opener_free(NULL);
}

Test(opener, input_and_output_do_not_overlap)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m = sealed(KIND_REQUEST, chunked == 1, 0, bytes_noise(40, 1), 0);
        uint8_t room[300];
        tw_opener *opener;
        size_t bound, len;

        must_ok(message_accept(&both, &m, &opener));
        bound = tw_opener_bound(opener, m.body.len);
        memcpy(room + 100, m.body.data, m.body.len);
        must_err(TW_ERR_INVALID,
                 tw_opener_final(opener, room + 100, m.body.len, room + 101 - bound, bound, &len));
        must_err(TW_ERR_INVALID, tw_opener_final(opener, room + 100, m.body.len,
                                                 room + 99 + m.body.len, bound, &len));
        must_err(TW_ERR_INVALID,
                 tw_opener_final(opener, room + 100, m.body.len, room + 100, bound, &len));
        must_size(0, len);
        must_ok(tw_opener_final(opener, room + 100, m.body.len, room + 100 - bound, bound, &len));
        must_bytes(bytes_noise(40, 1), ((bytes){room + 100 - bound, len}));
        tw_opener_free(opener);
    }
}

Test(opener, takes_chunks_of_16384_bytes_whatever_its_format_says)
{
    for (size_t more = 0; more < 2; more++) {
        bytes plain = bytes_noise(TW_CHUNK_LEN + more, 1), opened;
        message m = sealed(KIND_RESPONSE, true, plain.len, plain, plain.len);

        m.format.max_chunk = 1;
        must_err(more == 0 ? TW_OK : TW_ERR_LIMIT, message_open(&both, &m, 1000, &opened));
        m.format.max_chunk = TW_CHUNK_LEN + more;
        must_ok(message_open(&both, &m, 1000, &opened));
        m.format.max_chunk = TW_CHUNK_LEN;
        m.body = seal_in_steps(message_begin(&both, KIND_RESPONSE, format_of(true, plain.len), &m),
                               plain, 0);
        m.format.max_chunk = 1;
        must_err(more == 0 ? TW_OK : TW_ERR_LIMIT, message_open(&both, &m, 0, &opened));
        must_err(more == 0 ? TW_OK : TW_ERR_LIMIT, message_open(&both, &m, 1000, &opened));
    }
}
