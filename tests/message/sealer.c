/* SPDX-License-Identifier: Apache-2.0 */
/* twoway.h, contracts 1, 2, 5 and 6, of sealers. stream.c holds each call to 1 and 5. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"

static peers both;

static void start(void)
{
    peers_start(&both, triple_default);
}

static void end(void)
{
    peers_end(&both);
}

TestSuite(sealer, .init = start, .fini = end);

static tw_sealer *sealer_of(kind k, bool chunked, size_t max_chunk)
{
    message m;

    check_note("of a %s", kind_name(k));
    return message_begin(&both, k, format_of(chunked, max_chunk), &m);
}

Test(sealer, update_seals_full_chunks_and_the_rest_at_once)
{
    for (kind k = 0; k < KINDS; k++) {
        stream s = stream_seal(sealer_of(k, true, 10));
        chunks c;

        must_ok(stream_update(&s, bytes_noise(25, 1)));
        must_size((1 + 26) * 2 + 1 + 21, stream_out(&s).len);
        must_ok(stream_update(&s, bytes_noise(10, 1)));
        must_ok(stream_update(&s, bytes_noise(1, 1)));
        must_ok(stream_final(&s, bytes_noise(14, 1)));
        c = chunks_split(stream_out(&s));
        must_size(7, c.count);
        for (size_t i = 0; i < c.count; i++) {
            static const size_t lens[] = {10, 10, 5, 10, 1, 10, 4};

            must_size(lens[i] + TAG_LEN, c.ct[i].len);
        }
        stream_end(&s);
    }
}

Test(sealer, an_empty_update_of_chunks_emits_nothing)
{
    for (kind k = 0; k < KINDS; k++) {
        stream s = stream_seal(sealer_of(k, true, 0));

        must_ok(stream_update(&s, bytes_none));
        must_ok(stream_update(&s, bytes_new(0)));
        must_size(0, stream_out(&s).len);
        must_ok(stream_final(&s, bytes_none));
        must_size(1 + TAG_LEN, stream_out(&s).len);
        must(stream_out(&s).data[0] == 0);
        stream_end(&s);
    }
}

Test(sealer, final_puts_up_to_a_full_chunk_into_the_final_one)
{
    for (size_t len = 0; len <= 30; len++) {
        bytes body = seal_in_steps(sealer_of(KIND_REQUEST, true, 10), bytes_noise(len, 1), 0);
        chunks c = chunks_split(body);

        must_size(len == 0 ? 1 : (len + 9) / 10, c.count);
        must_size(TAG_LEN + (len == 0 ? 0 : len - 10 * (c.count - 1)), c.ct[c.count - 1].len);
    }
}

Test(sealer, the_default_chunk_is_16384_bytes)
{
    bytes body = seal_in_steps(sealer_of(KIND_REQUEST, true, 0), bytes_noise(16385, 1), 20000);
    chunks c = chunks_split(body);

    must_size(3, c.count);
    must_size(TW_CHUNK_LEN + TAG_LEN, c.ct[0].len);
    must_size(1 + TAG_LEN, c.ct[1].len);
    must_size(TAG_LEN, c.ct[2].len);
}

Test(sealer, the_bound_of_chunks_is_within_20_bytes_for_each)
{
    static const size_t sizes[] = {1, 2, 47, 48, 49, 1000, 16384, 16385, (size_t)1 << 24};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        tw_sealer *sealer = sealer_of(KIND_RESPONSE, true, sizes[i]);

        for (size_t len = 0; len < 70000; len += 997) {
            must(tw_sealer_bound(sealer, len) <= len + 20 * (len / sizes[i] + 1));
        }
        tw_sealer_free(sealer);
    }
}

Test(sealer, the_bound_of_a_whole_message_is_its_exact_length)
{
    for (kind k = 0; k < KINDS; k++) {
        for (size_t len = 0; len < 100; len += 33) {
            tw_sealer *sealer = sealer_of(k, false, 0);
            size_t bound = tw_sealer_bound(sealer, len);
            bytes body = seal_in_steps(sealer, bytes_noise(len, 1), len % 2 == 0 ? 7 : 0);

            must_size(len + TAG_LEN, bound);
            must_size(bound, body.len);
        }
    }
}

Test(sealer, a_bound_that_overflows_is_the_largest_size)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        tw_sealer *sealer = sealer_of(KIND_REQUEST, chunked == 1, 1);
        uint8_t in = 0, out = 0;
        size_t len = 0;

        must_size(SIZE_MAX, tw_sealer_bound(sealer, SIZE_MAX));
        must_size(SIZE_MAX, tw_sealer_bound(sealer, SIZE_MAX - 15));
        must_err(TW_ERR_SPACE, tw_sealer_update(sealer, &in, SIZE_MAX - 15, &out, 1, &len));
        must_size(SIZE_MAX, len);
        tw_sealer_free(sealer);
    }
    must_size(0, tw_sealer_bound(NULL, 5));
}

Test(sealer, a_whole_message_streams_out_as_it_comes)
{
    for (kind k = 0; k < KINDS; k++) {
        message m;
        stream s = stream_seal(message_begin(&both, k, format_of(false, 0), &m));
        bytes plain = bytes_noise(1000, 9), opened;
        size_t done = 0;

        for (size_t step = 1; done + step < plain.len; step *= 2) {
            must_ok(stream_update(&s, bytes_part(plain, done, step)));
            done += step;
            must_size(done, stream_out(&s).len);
        }
        must_ok(stream_update(&s, bytes_none));
        must_ok(stream_final(&s, bytes_from(plain, done)));
        m.body = bytes_of(s.out, s.out_len);
        stream_end(&s);
        must_ok(message_open(&both, &m, 0, &opened));
        must_bytes(plain, opened);
    }
}

Test(sealer, nothing_follows_final)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        for (kind k = 0; k < KINDS; k++) {
            stream s = stream_seal(sealer_of(k, chunked == 1, 0));

            must_ok(stream_final(&s, bytes_noise(3, 1)));
            must_err(TW_ERR_STATE, stream_update(&s, bytes_noise(3, 1)));
            must_err(TW_ERR_STATE, stream_final(&s, bytes_none));
            must_err(TW_ERR_STATE, stream_update(&s, bytes_none));
            stream_end(&s);
        }
    }
}

/* Contract 5: what a refused call would have sealed is sealed by the next one, under
 * the same number: the body opens. */
Test(sealer, a_refused_call_changes_nothing)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m;
        tw_sealer *sealer = message_begin(&both, KIND_REQUEST, format_of(chunked == 1, 10), &m);
        bytes plain = bytes_noise(25, 1), opened;
        uint8_t room[200];
        size_t len = 7, bound = tw_sealer_bound(sealer, plain.len);

        must_err(TW_ERR_INVALID, tw_sealer_update(sealer, NULL, 1, room, sizeof(room), &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID,
                 tw_sealer_update(sealer, plain.data, plain.len, NULL, sizeof(room), &len));
        must_err(TW_ERR_INVALID,
                 tw_sealer_update(sealer, plain.data, plain.len, room, sizeof(room), NULL));
        must_err(TW_ERR_INVALID, tw_sealer_final(sealer, NULL, 1, room, sizeof(room), &len));
        must_err(TW_ERR_SPACE,
                 tw_sealer_final(sealer, plain.data, plain.len, room, bound - 1, &len));
        must_size(bound, len);
        m.body = seal_in_steps(sealer, plain, 4);
        must_ok(message_open(&both, &m, 5, &opened));
        must_bytes(plain, opened);
    }
    {
        uint8_t room[64];
        size_t len = 3;

        must_err(TW_ERR_INVALID, tw_sealer_update(NULL, room, 0, room, sizeof(room), &len));
        must_size(0, len);
        must_err(TW_ERR_INVALID, tw_sealer_final(NULL, room, 0, room, sizeof(room), &len));
    }
    tw_sealer_free(NULL);
}

Test(sealer, input_and_output_do_not_overlap)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        tw_sealer *sealer = sealer_of(KIND_REQUEST, chunked == 1, 0);
        uint8_t room[300];
        const size_t in_len = 40;
        size_t bound = tw_sealer_bound(sealer, in_len), len;

        memset(room, 5, sizeof(room));
        /* Input at 100: an output that ends in it, begins in it, is it, surrounds it. */
        must_err(TW_ERR_INVALID,
                 tw_sealer_update(sealer, room + 100, in_len, room + 101 - bound, bound, &len));
        must_err(TW_ERR_INVALID,
                 tw_sealer_update(sealer, room + 100, in_len, room + 139, bound, &len));
        must_err(TW_ERR_INVALID,
                 tw_sealer_final(sealer, room + 100, in_len, room + 100, bound, &len));
        must_err(TW_ERR_INVALID,
                 tw_sealer_final(sealer, room + 100, in_len, room + 95, bound, &len));
        must_size(0, len);
        must_ok(tw_sealer_update(sealer, room + 100, in_len, room + 100 - bound, bound, &len));
        must_ok(tw_sealer_final(sealer, room + 100, in_len, room + 140, bound, &len));
        tw_sealer_free(sealer);
    }
}

Test(sealer, a_format_out_of_range_is_invalid)
{
    static const size_t too_large = ((size_t)1 << 24) + 1;
    bytes head = bytes_new(tw_sender_head_len(both.sender));
    tw_format formats[] = {format_of(true, too_large),
                           format_of(true, SIZE_MAX),
                           format_of(false, too_large),
                           {.size = 0}};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        tw_sealer *sealer = (tw_sealer *)&sealer;
        tw_opener *opener = (tw_opener *)&opener;
        tw_exchange *exchange = (tw_exchange *)&exchange;

        must_err(TW_ERR_INVALID, tw_sender_request(both.sender, &formats[i], head.data, head.len,
                                                   &sealer, &exchange));
        must(sealer == NULL && exchange == NULL);
        exchange = (tw_exchange *)&exchange;
        must_err(TW_ERR_INVALID, tw_receiver_accept(both.receiver, &formats[i], head.data, head.len,
                                                    &opener, &exchange));
        must(opener == NULL && exchange == NULL);
        sealer = (tw_sealer *)&sealer;
        must_err(TW_ERR_INVALID,
                 tw_exchange_respond(both.answered, &formats[i], head.data, head.len, &sealer));
        must(sealer == NULL);
    }
    tw_sealer_free(sealer_of(KIND_REQUEST, true, too_large - 1));
}

Test(sealer, a_format_of_an_older_caller_lacks_the_later_members)
{
    tw_format format = {.size = offsetof(tw_format, max_chunk), .chunked = true, .max_chunk = 5};
    message m;
    tw_sealer *sealer = message_begin(&both, KIND_REQUEST, format, &m);
    chunks c = chunks_split(seal_in_steps(sealer, bytes_noise(100, 1), 100));

    must_size(2, c.count);
    must_size(100 + TAG_LEN, c.ct[0].len);
}
