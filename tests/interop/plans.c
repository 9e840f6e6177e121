/* SPDX-License-Identifier: Apache-2.0 */
/* What is exchanged: every length near a boundary, at several paces. */
#include "interop.h"

/* A chunk's length is a QUIC varint of its ciphertext's length (RFC 9000 section 16): 47 and 48,
 * 16367 and 16368 are the last of one width and the first of the next. 16384 is what every
 * receiver takes, more is what both ends were told of. */
static const size_t chunk_lens[] = {1, 2, 47, 48, 63, 64, 4096, 16367, 16368, 16384, 16385, 65536};

#define CHUNK_LENS (sizeof(chunk_lens) / sizeof(chunk_lens[0]))

static const size_t whole_lens[] = {0, 1, 15, 16, 17, 4096, 70000};

#define WHOLE_LENS (sizeof(whole_lens) / sizeof(whole_lens[0]))

static void plan_vary(plan *p, size_t number)
{
    p->number = number;
    p->key_id = (uint8_t)(number * 51); /* 0 and 255 among them */
    p->other_labels = number % 3 == 1;
}

bool plan_whole(plan *p, size_t number)
{
    if (number >= WHOLE_LENS) {
        return false;
    }
    plan_vary(p, number);
    p->chunked = false;
    p->max_chunk = 0;
    p->question_len = whole_lens[number];
    p->answer_len = whole_lens[WHOLE_LENS - 1 - number];
    p->our_pace = number % 2 == 0 ? 0 : 1000; /* a whole-message sealer streams */
    p->go_pace = number % 2 == 0 ? 0 : 1;
    return true;
}

/* Paces that leave chunks full, cut them short, and put one byte after another. */
static size_t pace(const plan *p, size_t which)
{
    switch (which % 4) {
    case 0:
        return 0;
    case 1:
        return p->max_chunk;
    case 2:
        return p->max_chunk / 2 + 1;
    default:
        return p->question_len < 50 && p->answer_len < 50 ? 1 : 4095;
    }
}

enum {
    ROUNDS = 7, /* lengths for each length of a chunk */
    ROUNDS_EACH = 3,
};

static void plan_round(plan *p, size_t which, size_t round)
{
    size_t c = chunk_lens[which];
    /* The last has more chunks than one byte of the counter holds, if they are small. */
    size_t lens[ROUNDS] = {0, 1, c - 1, c, c + 1, 2 * c, c < 1000 ? 300 * c + 1 : 2 * c + c / 2};

    plan_vary(p, which + round * CHUNK_LENS);
    p->chunked = true;
    p->max_chunk = c;
    p->question_len = lens[round];
    p->answer_len = lens[(round + 3) % ROUNDS];
    p->our_pace = pace(p, which + round);
    p->go_pace = pace(p, which / 4 + round);
}

/* Every suite gets every length of a chunk, with the longest body and with some of the others; the
 * next suite with the next ones. */
bool plan_chunked(plan *p, size_t row, size_t number)
{
    size_t turn = number / CHUNK_LENS, others = row * (ROUNDS_EACH - 1) + turn;

    if (turn == ROUNDS_EACH) {
        return false;
    }
    plan_round(p, number % CHUNK_LENS, turn == 0 ? ROUNDS - 1 : others % (ROUNDS - 1));
    return true;
}

void plan_sample(plan *p, size_t number)
{
    plan_round(p, number % CHUNK_LENS, number % ROUNDS); /* 12 and 7 share no divisor */
}

/* OHTTP's labels are the default here and have to be given to the Go package; other labels are
 * given to both. */
const char *plan_label(const plan *p, bool response)
{
    static const char *const labels[2][2][2] = {
        {{"message/bhttp request", "message/bhttp response"},
         {"message/bhttp chunked request", "message/bhttp chunked response"}},
        {{"test/whole-question", "test/whole-answer"},
         {"test/chunked-question", "test/chunked-answer"}},
    };

    return labels[p->other_labels][p->chunked][response];
}

tw_format plan_format(const plan *p, bool response)
{
    tw_format format = format_of(p->chunked, p->max_chunk);

    format.label = p->other_labels ? plan_label(p, response) : NULL;
    return format;
}

/* Bodies are parts of one long noise, which begin at different places. */
static bytes noise_from(size_t start, size_t len)
{
    static bytes noise;

    if (noise.data == NULL) {
        noise = bytes_noise(400000, 1);
    }
    return bytes_part(noise, start, len);
}

void plans_start(void)
{
    (void)noise_from(0, 0);
}

bytes plan_question(const plan *p)
{
    return noise_from(p->number, p->question_len);
}

bytes plan_answer(const plan *p, size_t receiver)
{
    return noise_from(1000 + p->number + 10 * receiver, p->answer_len);
}

const tw_key *plan_key(const plan *p)
{
    return p->by_token ? p->keys->token : p->keys->software;
}
