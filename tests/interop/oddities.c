/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that no sender makes, or that were damaged on their way: what we say to them, and what
 * the Go package says. Both are held to: a table that was true of another version is no record. */
#include "interop.h"
#include "check.h"

#include <string.h>

/* --- Requests made of parts, by HPKE alone. --------------------------------------------------- */

typedef struct part {
    const char *before; /* on the wire, in hex: the chunk's length */
    const char *aad;
    size_t len; /* of the plaintext */
} part;

typedef struct oddity {
    const char *what;
    part parts[3]; /* up to the first without `before` */
    const char *after;
    tw_err ours;
    const char *theirs; /* "" is an opened message; see verdict in the Go program */
} oddity;

/* 16 bytes of tag: a chunk of 5 has a length of 0x15, an empty one of 0x10. */
static const oddity oddities[] = {
    {"a final chunk with data", {{"15", "", 5}, {"00", "final", 7}}, "", TW_OK, ""},
    {"lengths in longer varints than they need",
     {{"4015", "", 5}, {"c000000000000015", "", 5}, {"4000", "final", 0}},
     "",
     TW_OK,
     ""},
    {"an empty ordinary chunk before the first",
     {{"10", "", 0}, {"15", "", 5}, {"00", "final", 0}},
     "",
     TW_ERR_AUTH,
     ""},
    {"an empty ordinary chunk after the last",
     {{"15", "", 5}, {"10", "", 0}, {"00", "final", 5}},
     "",
     TW_ERR_AUTH,
     ""},
    {"an ordinary chunk shorter than a tag",
     {{"15", "", 5}},
     "0f000000000000000000000000000000",
     TW_ERR_FORMAT,
     "integrity"},
    {"a chunk of 16385 bytes, not agreed upon",
     {{"80004011", "", 16385}, {"00", "final", 0}},
     "",
     TW_ERR_LIMIT,
     "too much"},
    {"a final chunk of 16385 bytes", {{"00", "final", 16385}}, "", TW_ERR_LIMIT, "too much"},
    {"a final chunk of 16384 bytes", {{"00", "final", 16384}}, "", TW_OK, ""},
    {"a chunk of 2^62 - 1 bytes", {{"15", "", 5}}, "ffffffffffffffff", TW_ERR_LIMIT, "too much"},
    {"a final chunk sealed as an ordinary one", {{"00", "", 5}}, "", TW_ERR_AUTH, "integrity"},
    {"an ordinary chunk sealed as a final one",
     {{"15", "final", 5}, {"00", "final", 0}},
     "",
     TW_ERR_AUTH,
     "integrity"},
    {"a byte after the end", {{"00", "final", 5}}, "00", TW_ERR_AUTH, "integrity"},
    {"no final chunk", {{"15", "", 5}, {"15", "", 5}}, "", TW_ERR_TRUNCATED, "EOF"},
    {"nothing after the head", {{NULL, NULL, 0}}, "", TW_ERR_TRUNCATED, "EOF"},
};

#define ODDITY_COUNT (sizeof(oddities) / sizeof(oddities[0]))

static size_t part_count(const oddity *o)
{
    size_t count = 0;

    while (count < 3 && o->parts[count].before != NULL) {
        count++;
    }
    return count;
}

/* A forged request to us, or to the Go package; *plain is what its sender meant. */
static sent forged(run *r, const plan *p, const oddity *o, bool to_us, bytes *plain)
{
    sent s = {.from_go = to_us, .count = 1};

    *plain = bytes_new(0);
    go_call(&r->go, "forge");
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->key_id);
    go_bytes(&r->go, receiver_public(p, &s, 0));
    go_text(&r->go, plan_label(p, false));
    go_number(&r->go, part_count(o));
    for (size_t i = 0; i < part_count(o); i++) {
        bytes text = bytes_noise(o->parts[i].len, (uint32_t)i);

        go_bytes(&r->go, bytes_hex(o->parts[i].before));
        go_text(&r->go, o->parts[i].aad);
        go_bytes(&r->go, text);
        *plain = bytes_cat(*plain, text);
    }
    go_ask(&r->go);
    s.message = bytes_cat(go_result(&r->go), bytes_hex(o->after));
    return s;
}

/* What the Go package says to a request; *plain is what it gave out before. */
static const char *go_tries(run *r, const plan *p, const sent *s, bytes *plain)
{
    const char *verdict;

    go_call(&r->go, "try");
    go_number(&r->go, 0);
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->keys->theirs[0]);
    go_number(&r->go, p->key_id);
    go_layout(&r->go, p, false);
    go_bytes(&r->go, s->encaps[0]);
    go_bytes(&r->go, s->message);
    go_ask(&r->go);
    verdict = (const char *)bytes_cat(go_result(&r->go), bytes_new(1)).data;
    *plain = go_result(&r->go);
    return verdict;
}

static void must_say(const char *want, const char *got)
{
    must_bytes(bytes_text(want), bytes_text(got));
}

static void both_take_it(run *r, const plan *p)
{
    const oddity *o = &oddities[p->number];
    bytes meant, plain;
    sent s = forged(r, p, o, true, &meant);

    check_note("%s: to us", o->what);
    must_err(o->ours, we_open(p, &s, 0, &plain, NULL));
    if (o->ours == TW_OK) {
        must_bytes(meant, plain);
    }
    must(bytes_starts(meant, plain));
    check_note("%s: to Go", o->what);
    s = forged(r, p, o, false, &meant);
    must_say(o->theirs, go_tries(r, p, &s, &plain));
    if (o->theirs[0] == 0) {
        must_bytes(meant, plain);
    }
    must(bytes_starts(meant, plain));
}

/* --- Messages cut at every byte. -------------------------------------------------------------- */

enum {
    PIECE = 5, /* bytes in a chunk */
    TAG = 16,
    CHUNK = 1 + PIECE + TAG,
};

/* Of a message of three full chunks and an empty final one: what is said after `len` bytes. */
static tw_err ours_at(size_t head_len, size_t len)
{
    return len <= head_len + 3 * CHUNK ? TW_ERR_TRUNCATED : TW_ERR_AUTH;
}

/* Where a length is expected and nothing comes, the Go package's error wraps io.EOF, which is what
 * its readers end with when all is well. */
static const char *theirs_at(size_t head_len, size_t len)
{
    if (len < head_len) {
        return len == 0 || len == TW_HEADER_LEN ? "EOF" : "unexpected EOF";
    }
    return (len - head_len) % CHUNK == 0 ? "EOF" : "integrity";
}

static plan three_chunks(const plan *p)
{
    plan cut = *p;

    cut.question_len = cut.answer_len = 3 * PIECE;
    cut.max_chunk = cut.our_pace = cut.go_pace = PIECE;
    return cut;
}

static void cut_requests(run *r, const plan *p)
{
    size_t head_len = TW_HEADER_LEN + p->built_in->enc_len;
    plan cut = three_chunks(p);
    sent s = {.from_go = true, .count = 1}, whole;
    bytes plain;

    go_sends(r, &cut, &s);
    whole = s;
    must_size(head_len + 3 * CHUNK + 1 + TAG, whole.message.len);
    for (size_t len = 0; len < whole.message.len; len++) {
        check_note("a request from Go cut after %zu bytes", len);
        s.message = bytes_part(whole.message, 0, len);
        must_err(ours_at(head_len, len), we_open(&cut, &s, 0, &plain, NULL));
        must(bytes_starts(plan_question(&cut), plain));
    }
    s = (sent){.from_go = false, .count = 1};
    we_send(&cut, &s);
    tw_exchange_free(s.exchanges[0]);
    whole = s;
    must_size(head_len + 3 * CHUNK + 1 + TAG, whole.message.len);
    for (size_t len = 0; len < whole.message.len; len++) {
        check_note("a request to Go cut after %zu bytes", len);
        s.message = bytes_part(whole.message, 0, len);
        must_say(theirs_at(head_len, len), go_tries(r, &cut, &s, &plain));
        must(bytes_starts(plan_question(&cut), plain));
    }
}

static const char *go_tries_answer(run *r, const plan *p, size_t handle, bytes sealed)
{
    go_call(&r->go, "try");
    go_number(&r->go, 1);
    go_number(&r->go, handle);
    go_layout(&r->go, p, true);
    go_bytes(&r->go, sealed);
    go_ask(&r->go);
    return (const char *)bytes_cat(go_result(&r->go), bytes_new(1)).data;
}

/* One to many, an answer that ends within its nonce gives a caller of the Go package neither a
 * reader nor an error. */
static void cut_answers_to_go(run *r, const plan *p)
{
    plan cut = three_chunks(p);
    sent s = {.from_go = true, .count = 1};
    bytes answer;
    size_t head_len;

    go_sends(r, &cut, &s);
    answer = we_answer(&cut, &s, 0);
    head_len = answer.len - 3 * CHUNK - 1 - TAG;
    for (size_t len = 0; len < answer.len; len++) {
        const char *in_head = cut.many ? "no reader" : len == 0 ? "EOF" : "unexpected EOF";

        check_note("an answer to Go cut after %zu bytes", len);
        must_say(len < head_len ? in_head : theirs_at(head_len, len),
                 go_tries_answer(r, &cut, s.handles[0], bytes_part(answer, 0, len)));
    }
}

static void cut_answers_to_us(run *r, const plan *p)
{
    plan cut = three_chunks(p);
    sent s = {.from_go = false, .count = 1};
    size_t head_len;
    bytes answer, plain;

    we_send(&cut, &s);
    head_len = tw_exchange_response_head_len(s.exchanges[0]);
    answer = go_answers(r, &cut, &s, 0);
    for (size_t len = 0; len < answer.len; len++) {
        check_note("an answer from Go cut after %zu bytes", len);
        must_err(ours_at(head_len, len),
                 we_open_answer(&cut, s.exchanges[0], bytes_part(answer, 0, len), &plain));
        must(bytes_starts(plan_answer(&cut, 0), plain));
    }
    tw_exchange_free(s.exchanges[0]);
}

/* --- What else has been seen. -------------------------------------------------------------------
 */

/* Two requests of one sender, made before either is read: the package once appended both heads to
 * one slice. */
static void interlaced(run *r, const plan *p)
{
    bytes texts[2] = {bytes_text("one"), bytes_text("the other")}, plain;
    sent s = {.from_go = true, .count = 1};

    go_call(&r->go, "interlace");
    go_suite(&r->go, p->suite);
    go_number(&r->go, p->key_id);
    go_bytes(&r->go, receiver_public(p, &s, 0));
    go_layout(&r->go, p, false);
    go_bytes(&r->go, texts[0]);
    go_bytes(&r->go, texts[1]);
    go_ask(&r->go);
    for (size_t i = 0; i < 2; i++) {
        check_note("request %zu of two made at once", i);
        s.message = go_result(&r->go);
        must_ok(we_open(p, &s, 0, &plain, NULL));
        must_bytes(texts[i], plain);
    }
}

/* Heads that name another key, another suite, or a point that is none. */
static void must_refuse_head(run *r, const plan *p, size_t at, uint8_t change, tw_err ours)
{
    for (size_t to_us = 0; to_us < 2; to_us++) {
        sent s = {.from_go = to_us == 1, .count = 1};
        bytes plain;

        check_note("byte %zu of the head altered by %02x, %s", at, change,
                   to_us ? "to us" : "to Go");
        if (to_us) {
            go_sends(r, p, &s);
        } else {
            we_send(p, &s);
            tw_exchange_free(s.exchanges[0]);
        }
        s.message = bytes_of(s.message.data, s.message.len);
        s.message.data[at] ^= change;
        if (to_us) {
            must_err(ours, we_open(p, &s, 0, &plain, NULL));
        } else {
            must_say("other", go_tries(r, p, &s, &plain));
        }
    }
}

static void altered_heads(run *r, const plan *p)
{
    plan whole = *p;

    whole.question_len = 10;
    must_refuse_head(r, &whole, 0, 1, TW_ERR_KEY); /* key id */
    must_refuse_head(r, &whole, 2, 1, TW_ERR_KEY); /* KEM */
    must_refuse_head(r, &whole, 4, 3, TW_ERR_KEY); /* KDF */
    must_refuse_head(r, &whole, 6, 3, TW_ERR_KEY); /* AEAD */
    if (p->suite.kem_id == TW_KEM_P256_HKDF_SHA256) {
        must_refuse_head(r, &whole, 7, 4 ^ 2, TW_ERR_FORMAT);  /* compressed, in its form */
        must_refuse_head(r, &whole, 7 + 40, 1, TW_ERR_FORMAT); /* off the curve */
    }
}

/* --- All of them.
 * --------------------------------------------------------------------------------- */

void oddities_all(run *r, const plan *p)
{
    plan own = *p;

    own.chunked = true;
    for (own.number = 0; own.number < ODDITY_COUNT; own.number++) {
        attempt(r, ODDITIES, both_take_it, &own, 1);
    }
    own.number = 0;
    attempt(r, ODDITIES, cut_requests, &own, 1);
    for (size_t many = 0; many < 2; many++) {
        own.many = many == 1;
        attempt(r, ODDITIES, cut_answers_to_go, &own, 1);
        attempt(r, ODDITIES, cut_answers_to_us, &own, 1);
    }
    own.many = false;
    attempt(r, ODDITIES, interlaced, &own, 1);
    attempt(r, ODDITIES, altered_heads, &own, 1);
}

static void print_oddity(const char *what, const char *ours, const char *theirs)
{
    (void)printf("%-46s%-12s%s\n", what, ours, theirs);
}

void oddities_print(void)
{
    print_oddity("a request that has", "we say", "the Go package says");
    for (size_t i = 0; i < ODDITY_COUNT; i++) {
        const char *theirs = oddities[i].theirs;

        print_oddity(oddities[i].what, err_name(oddities[i].ours), theirs[0] == 0 ? "OK" : theirs);
    }
    print_oddity("been cut between chunks (so an answer)", "TRUNCATED", "EOF");
    print_oddity("been cut in a chunk", "TRUNCATED", "integrity");
    print_oddity("been cut in its last chunk", "AUTH", "integrity");
    print_oddity("an answer, one to many, cut in its nonce", "TRUNCATED", "no reader, no error");
    (void)printf("\n");
}
