/* SPDX-License-Identifier: Apache-2.0 */
/* The pumps: from a reader to a writer, whatever either does. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"

/* A reader of `in` and a writer into `out`, with their faults. */
typedef struct plumbing {
    bytes in;
    size_t most;        /* read at once; 0: as much as is asked for */
    size_t reads_left;  /* before the reader fails */
    size_t writes_left; /* before the writer fails */
    size_t reads_after_end;
    bool ended, overlong;
    bytes out;
} plumbing;

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    plumbing *p = arg;
    size_t take = p->in.len < cap ? p->in.len : cap;

    if (p->reads_left-- == 0) {
        return TW_ERR_TOKEN_FAILED; /* any code is an I/O error to the caller */
    }
    p->reads_after_end += p->ended;
    if (p->most != 0 && take > p->most) {
        take = p->most;
    }
    memcpy(buf, p->in.data, take);
    p->in = bytes_from(p->in, take);
    p->ended = take == 0;
    *len = p->overlong ? cap + 1 : take;
    return TW_OK;
}

static tw_err write_all(void *arg, const uint8_t *buf, size_t len)
{
    plumbing *p = arg;

    must(len > 0);
    if (p->writes_left-- == 0) {
        return TW_ERR_AUTH;
    }
    p->out = bytes_cat(p->out, bytes_of(buf, len));
    return TW_OK;
}

static tw_pipe pipe_start(plumbing *p, bytes in)
{
    *p = (plumbing){.in = in, .reads_left = SIZE_MAX, .writes_left = SIZE_MAX};
    p->out = bytes_new(0);
    return (tw_pipe){.size = sizeof(tw_pipe), .read = read_some, .write = write_all, .arg = p};
}

static peers both;

static void start(void)
{
    peers_start(&both, triple_default);
}

static void end(void)
{
    peers_end(&both);
}

TestSuite(pump, .init = start, .fini = end);

static const size_t sizes[] = {0, 1, 99, 100, 101, 300, 16384, 16385, 40000};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static bytes pumped_sealed(message *m, kind k, tw_format format, bytes plain, size_t most)
{
    tw_sealer *sealer = message_begin(&both, k, format, m);
    plumbing p;
    tw_pipe pipe = pipe_start(&p, plain);

    p.most = most;
    must_ok(tw_sealer_pump(sealer, &pipe));
    must_size(0, p.reads_after_end);
    tw_sealer_free(sealer);
    return p.out;
}

static tw_err pumped_open(const message *m, size_t most, size_t max_whole, bytes *opened)
{
    tw_opener *opener = NULL;
    plumbing p;
    tw_pipe pipe = pipe_start(&p, m->body);
    tw_err err;

    must_ok(message_accept(&both, m, &opener));
    p.most = most;
    pipe.max_whole = max_whole;
    err = tw_opener_pump(opener, &pipe);
    must_size(0, p.reads_after_end);
    tw_opener_free(opener);
    *opened = p.out;
    return err;
}

Test(pump, carries_every_kind_of_message_of_every_size)
{
    for (size_t n = 0; n < SIZES * KINDS * 2; n++) {
        bytes plain = bytes_noise(sizes[n / 6], 1), opened;
        kind k = (kind)(n / 2 % 3);
        tw_format format = format_of(n % 2 == 1, 100);
        message m;

        for (size_t most = 0; most < 20000; most = most * 13 + 7) {
            check_note("of a %s of %zu bytes in reads of %zu", kind_name(k), plain.len, most);
            m.body = pumped_sealed(&m, k, format, plain, most);
            must_ok(pumped_open(&m, most, 0, &opened));
            must_bytes(plain, opened);
        }
    }
}

Test(pump, short_reads_fill_whole_chunks_all_the_same)
{
    for (size_t most = 0; most < 300; most = most * 2 + 1) {
        message m;
        bytes body =
            pumped_sealed(&m, KIND_REQUEST, format_of(true, 100), bytes_noise(250, 1), most);
        chunks c = chunks_split(body);

        must_size(3, c.count);
        must_size(100 + TAG_LEN, c.ct[0].len);
        must_size(100 + TAG_LEN, c.ct[1].len);
        must_size(50 + TAG_LEN, c.ct[2].len);
    }
}

Test(pump, a_failing_reader_is_an_input_error)
{
    for (size_t chunked = 0; chunked < 2; chunked++) {
        message m = message_seal(&both, KIND_REQUEST, format_of(chunked == 1, 100),
                                 bytes_noise(40000, 1), 0);

        for (size_t reads = 0; reads < 4; reads++) {
            tw_opener *opener;
            tw_sealer *sealer = message_begin(&both, KIND_RESPONSE, m.format, &(message){0});
            plumbing p;
            tw_pipe pipe = pipe_start(&p, m.body);

            must_ok(message_accept(&both, &m, &opener));
            p.reads_left = reads;
            p.most = 10000;
            must_err(TW_ERR_IO, tw_opener_pump(opener, &pipe));
            must(bytes_starts(bytes_noise(40000, 1), p.out));
            pipe = pipe_start(&p, m.body);
            p.reads_left = reads;
            p.most = 10000;
            must_err(TW_ERR_IO, tw_sealer_pump(sealer, &pipe));
            tw_opener_free(opener);
            tw_sealer_free(sealer);
        }
    }
}

Test(pump, a_reader_that_claims_more_than_there_is_room_for_is_an_input_error)
{
    tw_sealer *sealer = message_begin(&both, KIND_REQUEST, format_of(true, 100), &(message){0});
    plumbing p;
    tw_pipe pipe = pipe_start(&p, bytes_noise(10, 1));

    p.overlong = true;
    must_err(TW_ERR_IO, tw_sealer_pump(sealer, &pipe));
    tw_sealer_free(sealer);
}

Test(pump, a_failing_writer_is_an_output_error)
{
    for (size_t writes = 0; writes < 3; writes++) {
        message m =
            message_seal(&both, KIND_REQUEST, format_of(true, 16384), bytes_noise(100000, 1), 0);
        tw_sealer *sealer = message_begin(&both, KIND_RESPONSE, m.format, &(message){0});
        tw_opener *opener;
        plumbing p;
        tw_pipe pipe = pipe_start(&p, m.body);

        must_ok(message_accept(&both, &m, &opener));
        p.writes_left = writes;
        p.most = 20000;
        must_err(TW_ERR_IO, tw_opener_pump(opener, &pipe));
        pipe = pipe_start(&p, m.body);
        p.writes_left = writes;
        p.most = 20000;
        must_err(TW_ERR_IO, tw_sealer_pump(sealer, &pipe));
        tw_sealer_free(sealer);
        tw_opener_free(opener);
    }
}

Test(pump, what_was_written_before_a_refusal_is_an_authentic_prefix)
{
    bytes plain = bytes_noise(60000, 1), opened;
    message m = message_seal(&both, KIND_REQUEST, format_of(true, 1000), plain, 0);

    for (size_t at = 500; at < m.body.len; at += 9973) {
        m.body.data[at] ^= 1;
        must(tw_err_is_peer(pumped_open(&m, 777, 0, &opened)));
        must(bytes_starts(plain, opened) && opened.len < plain.len);
        m.body.data[at] ^= 1;
    }
    m.body.len -= 1500; /* into the last ordinary chunk */
    must_err(TW_ERR_TRUNCATED, pumped_open(&m, 777, 0, &opened));
    must(bytes_starts(plain, opened));
}

Test(pump, a_whole_message_is_held_up_to_max_whole_bytes)
{
    static const size_t limits[] = {1, 100, 16384 - 16, 16384, 100000};

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        for (size_t more = 0; more < 2; more++) {
            bytes plain = bytes_noise(limits[i] + more, 1), opened;
            message m = message_seal(&both, KIND_RESPONSE, format_of(false, 0), plain, 0);

            check_note("of %zu bytes with %zu allowed", plain.len, limits[i]);
            must_err(more == 0 ? TW_OK : TW_ERR_LIMIT, pumped_open(&m, 1000, limits[i], &opened));
            must_bytes(more == 0 ? plain : bytes_new(0), opened);
        }
    }
}

Test(pump, a_pipe_without_its_ends_is_invalid)
{
    tw_sealer *sealer = message_begin(&both, KIND_REQUEST, format_of(true, 0), &(message){0});
    plumbing p;
    tw_pipe pipe = pipe_start(&p, bytes_noise(10, 1)), bad = pipe;

    must_err(TW_ERR_INVALID, tw_sealer_pump(NULL, &pipe));
    must_err(TW_ERR_INVALID, tw_opener_pump(NULL, &pipe));
    must_err(TW_ERR_INVALID, tw_sealer_pump(sealer, NULL));
    bad.read = NULL;
    must_err(TW_ERR_INVALID, tw_sealer_pump(sealer, &bad));
    bad = pipe;
    bad.write = NULL;
    must_err(TW_ERR_INVALID, tw_sealer_pump(sealer, &bad));
    bad = pipe;
    bad.size = 0;
    must_err(TW_ERR_INVALID, tw_sealer_pump(sealer, &bad));
    bad.size = offsetof(tw_pipe, max_whole); /* an older caller's */
    bad.max_whole = 1;
    must_ok(tw_sealer_pump(sealer, &bad));
    must_err(TW_ERR_STATE, tw_sealer_pump(sealer, &pipe));
    tw_sealer_free(sealer);
}

/* It is ended, or in vain: what a reader has is somebody else's. */
static void must_not_read(tw_err want, tw_sealer *sealer, tw_opener *opener)
{
    plumbing p;
    tw_pipe pipe = pipe_start(&p, bytes_noise(10, 1));

    for (pipe.jobs = 1; pipe.jobs < 4; pipe.jobs++) {
        must_err(want,
                 sealer != NULL ? tw_sealer_pump(sealer, &pipe) : tw_opener_pump(opener, &pipe));
        must_size(10, p.in.len);
    }
}

Test(pump, nothing_is_read_for_a_body_that_is_over)
{
    for (size_t n = 0; n < KINDS * 2; n++) {
        tw_opener *opener;
        tw_sealer *sealer;
        plumbing p;
        tw_pipe pipe;
        message m;

        check_note("of a %s %s", kind_name((kind)(n / 2)), n % 2 == 1 ? "in chunks" : "whole");
        sealer = message_begin(&both, (kind)(n / 2), format_of(n % 2 == 1, 100), &m);
        pipe = pipe_start(&p, bytes_noise(1000, 1));
        must_ok(tw_sealer_pump(sealer, &pipe));
        must_not_read(TW_ERR_STATE, sealer, NULL);
        tw_sealer_free(sealer);
        m.body = p.out;
        for (size_t damaged = 0; damaged < 2; damaged++) {
            m.body.data[m.body.len - 1] ^= (uint8_t)damaged;
            must_ok(message_accept(&both, &m, &opener));
            pipe = pipe_start(&p, m.body);
            must_err(damaged ? TW_ERR_AUTH : TW_OK, tw_opener_pump(opener, &pipe));
            must_not_read(damaged ? TW_ERR_AUTH : TW_ERR_STATE, NULL, opener);
            tw_opener_free(opener);
        }
    }
}
