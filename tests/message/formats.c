/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: labels and layouts, on which both ends must agree. */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "chunks.h"
#include "peers.h"
#include "stream.h"

static peers both;
static bytes plain;

static void start(void)
{
    peers_start(&both, triple_default);
    plain = bytes_noise(30, 1);
}

static void end(void)
{
    peers_end(&both);
}

TestSuite(formats, .init = start, .fini = end);

static tw_format labelled(bool chunked, const char *label)
{
    tw_format format = format_of(chunked, 0);

    format.label = label;
    return format;
}

static tw_err open_as(message m, tw_format format)
{
    bytes opened;
    tw_err err;

    m.format = format;
    err = message_open(&both, &m, 1, &opened);
    must_bytes(err == TW_OK ? plain : bytes_new(0), opened);
    return err;
}

Test(formats, the_default_labels_are_those_of_ohttp)
{
    static const char *const labels[KINDS][2] = {
        {"message/bhttp request", "message/bhttp chunked request"},
        {"message/bhttp response", "message/bhttp chunked response"},
        {"message/bhttp request", "message/bhttp chunked request"},
    };

    for (size_t i = 0; i < 2 * KINDS; i++) {
        bool chunked = i % 2 == 1;
        message m = message_seal(&both, (kind)(i / 2), format_of(chunked, 0), plain, 0);

        must_ok(open_as(m, labelled(chunked, labels[i / 2][i % 2])));
        must_err(TW_ERR_AUTH, open_as(m, labelled(chunked, labels[i / 2][1 - i % 2])));
        m = message_seal(&both, (kind)(i / 2), labelled(chunked, labels[i / 2][i % 2]), plain, 0);
        must_ok(open_as(m, format_of(chunked, 0)));
    }
}

Test(formats, no_format_is_the_default_one)
{
    bytes head = bytes_new(tw_sender_head_len(both.sender)), body, opened;
    tw_sealer *sealer = NULL;
    tw_opener *opener = NULL;
    message m;

    must_ok(tw_sender_request(both.sender, NULL, head.data, head.len, &sealer, NULL));
    body = seal_in_steps(sealer, plain, 0);
    m = (message){.kind = KIND_REQUEST, .head = head, .body = body};
    must_ok(open_as(m, format_of(false, 0)));
    must_ok(tw_receiver_accept(both.receiver, NULL, head.data, head.len, &opener, NULL));
    must_ok(open_in_steps(opener, body, 0, &opened));
    must_bytes(plain, opened);
}

Test(formats, a_label_binds_every_byte_of_it)
{
    static const char *const labels[] = {"a", "b", "aa", "",
                                         "a very long label indeed, longer than "
                                         "any media type that one would meet in practice, so that "
                                         "it does not fit where short ones are kept"};

    for (size_t i = 0; i < 25; i++) {
        for (kind k = 0; k < KINDS; k++) {
            message m = message_seal(&both, k, labelled(true, labels[i / 5]), plain, 0);

            must_err(i / 5 == i % 5 ? TW_OK : TW_ERR_AUTH,
                     open_as(m, labelled(true, labels[i % 5])));
        }
    }
}

Test(formats, whole_and_chunked_do_not_open_each_other)
{
    for (kind k = 0; k < KINDS; k++) {
        for (size_t chunked = 0; chunked < 2; chunked++) {
            message m = message_seal(&both, k, format_of(chunked == 1, 0), plain, 0);

            must(tw_err_is_peer(open_as(m, format_of(chunked == 0, 0))));
        }
    }
}

/* What would be the length before its first chunk is ciphertext, and so may be anything. For a
 * request: one to many, the label shows it before. */
Test(formats, a_whole_body_taken_for_chunks_shows_as_any_of_four_errors)
{
    static const struct {
        uint8_t first; /* byte of the body, of 46 */
        tw_err err;
    } all[] = {{0x0f, TW_ERR_FORMAT},    {0x14, TW_ERR_AUTH},  {0x3f, TW_ERR_TRUNCATED},
               {0x7f, TW_ERR_TRUNCATED}, {0xbf, TW_ERR_LIMIT}, {0xff, TW_ERR_LIMIT}};
    message m = message_seal(&both, KIND_REQUEST, format_of(false, 0), plain, 0);

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        m.body.data[0] = all[i].first;
        check_note("a first byte of %02x", all[i].first);
        must_err(all[i].err, open_as(m, format_of(true, 0)));
    }
}

/* Why a label must differ between the layouts: the first chunk, its length taken away,
 * is a whole message under the same keys. */
Test(formats, under_one_label_a_first_chunk_passes_for_a_whole_message)
{
    for (kind k = 0; k < KINDS; k++) {
        for (size_t own = 0; own < 2; own++) {
            const char *label = own == 1 ? "one label for both" : NULL;
            message m = message_seal(&both, k, labelled(true, label), plain, 100);

            m.body = chunks_split(m.body).ct[0];
            if (k == KIND_MULTI && own == 0) {
                continue; /* the label is in the encapsulation, which refuses it first */
            }
            must_err(own == 1 ? TW_OK : TW_ERR_AUTH, open_as(m, labelled(false, label)));
        }
    }
}

Test(formats, a_label_may_go_once_the_head_is_made)
{
    for (kind k = 0; k < KINDS; k++) {
        char label[64] = "short-lived";
        message m;
        tw_sealer *sealer = message_begin(&both, k, labelled(true, label), &m);
        tw_opener *opener;
        bytes opened;

        must_ok(message_accept(&both, &m, &opener));
        memset(label, 'x', sizeof(label) - 1);
        m.body = seal_in_steps(sealer, plain, 10);
        must_ok(open_in_steps(opener, m.body, 10, &opened));
        must_bytes(plain, opened);
    }
}
