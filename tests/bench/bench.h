/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

/*
 * Benchmarks compare: what the library does beside the same work done bare, or by a
 * peer, in one run and in turns, so that a machine that is slow for a while is slow for
 * all of them. The ratio is the result, the nanoseconds are not.
 *
 * A result is one line of JSON on standard output; report.py makes the rest of it.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <twoway/twoway.h>

#include "peers.h"

/* --- What is measured, and for how long. ----------------------------------------- */

/* A side of a comparison does `count` operations and returns the nanoseconds of processor
 * time that they took, without those of what it had to prepare. */
typedef struct side {
    uint64_t (*run)(void *state, size_t count);
    void *state;
} side;

/* What the value of a row is. Times are per operation. */
typedef enum sense {
    SPEED,  /* their time / our time: larger is better */
    COST,   /* our time / their time: smaller is better */
    FIGURE, /* no ratio but what was counted */
} sense;

#define ROW_NAME 80

/* A row's name is a path: its first part is the group, and a target is found by it. */
typedef struct row {
    char name[ROW_NAME];
    sense sense;
    size_t bytes;    /* of content in one operation; 0: not about content */
    side ours, bare; /* bare.run is NULL for a row that only a peer has */
    side alone;      /* all that libcrypto alone has to do, where bare is only a part of it */
} row;

__attribute__((format(printf, 2, 3))) row row_named(sense way, const char *format, ...);

/* How much effort is spent, and on which rows. */
typedef struct plan {
    const char *only;      /* rows whose name begins so; NULL: all */
    unsigned rounds;       /* most of them, and at least 3 unless smoke */
    uint64_t slice_ns;     /* of one side in one round */
    uint64_t budget_ns;    /* of one row; rounds end when it is spent */
    size_t samples;        /* of a distribution */
    bool smoke;            /* everything once */
    struct peer *peer;     /* NULL: none */
    struct served *served; /* not NULL: answer for a peer instead of measuring */
} plan;

/* Whether the plan has this row: ask before preparing it. */
bool is_wanted(const plan *p, const char *name);

/* Whether it may have rows whose names begin with `start`. */
bool has_group(const plan *p, const char *start);

/* compare measures a row in turns with its bare side, all that libcrypto does, and the plan's
 * peer. */
void compare(const plan *p, const row *r);

/* percentiles measures single operations: p50, p99 and p99.9 of both sides, each a row. */
void percentiles(const plan *p, const row *r);

/* figure reports what was counted; `of_bare` is the same of bare work, or below zero. */
void figure(const plan *p, const char *name, const char *unit, double value, double of_bare);

/* now_ns is the clock's time; busy_ns the calling thread's processor time, in which what
 * else the machine does shows less. */
uint64_t now_ns(void);
uint64_t busy_ns(void);

/* What the process holds in memory. */
size_t resident_bytes(void);

/* Zeroed bytes for free, or the end. */
void *allocate(size_t len);

/* --- Threads and cores (together.c). ----------------------------------------------- */

int core_count(void);

/* pin keeps the calling thread, and those it starts, to one core; unpin ends that. */
void pin(int core);
void unpin(void);

/* Several sides that run at once, each on a thread of its own, as one side: `count` is
 * shared out as they get through it, and the time is the clock's. */
#define TOGETHER_MAX 128
typedef struct together {
    side sides[TOGETHER_MAX];
    size_t count;
    bool spread; /* a core for each in turn */
} together;
side side_of_together(together *t);

/* --- A peer (peer.c): another program that does the same work. ---------------------- */

/*
 * The program reads lines "NAME COUNT", does COUNT operations of the row NAME, and
 * answers each with a line: the nanoseconds that they took (of processor time, of all its
 * threads), or "-" for a row that it does not have. COUNT 0 asks for nothing but that, and
 * its time is 0.
 *
 * bench --serve is such a program: so one build can be measured against another. There
 * "bare:NAME" names the bare side of a row.
 */
typedef struct peer {
    const char *name; /* of its results: "NAME/beside-<name>" */
    int to, from;
    int pid;
} peer;

void peer_start(peer *self, const char *name, const char *command);
void peer_stop(peer *self);
/* peer_run returns false for a row that the peer does not have. */
bool peer_run(peer *self, const char *name, size_t count, uint64_t *ns);

/* The other end: a line that waits for its answer. serve_next reads it, serve_row answers
 * as long as the lines name this row, serve_none answers that there is no such row. */
typedef struct served {
    bool open; /* false: no more lines */
    char name[ROW_NAME + 32];
    bool bare;
    size_t count;
    unsigned long lines; /* so far */
} served;
void serve_next(served *s);
void serve_row(served *s, const row *r);
void serve_none(served *s);

/* --- The bare side (bare.c): libcrypto, called the cheapest way known. --------------- */

/* An AEAD under one key, new IV only. The nonce counts from 0. */
typedef struct bare_aead bare_aead;
bare_aead *bare_aead_new(uint16_t aead_id, bool seal);
void bare_aead_rewind(bare_aead *a);
void bare_aead_chunk(bare_aead *a, const uint8_t *in, size_t len, uint8_t *out); /* and the tag */
void bare_aead_free(bare_aead *a);

/* Diffie-Hellman of a KEM's group: derive with one static key and points that come encoded, as
 * peers that are set or, a context's second use of the same key object, in place of the last;
 * generate a key and derive with it and a static peer out of `peers`, or a point, and encode its
 * public half, which goes into the message. */
#define BARE_PEERS 16
typedef struct bare_dh bare_dh;
bare_dh *bare_dh_new(uint16_t kem_id);
void bare_dh_derive(bare_dh *d, const uint8_t *point);
void bare_dh_follow(bare_dh *d, const uint8_t *point);
void bare_dh_send(bare_dh *d, size_t which, bool export);
void bare_dh_send_to(bare_dh *d, const uint8_t *point);
void bare_dh_free(bare_dh *d);

/* What a message of 1 KiB, and an answer to it, need beside Diffie-Hellman: HKDF, an AEAD under
 * a new key each way, a random nonce for the answer. */
typedef struct bare_rest bare_rest;
bare_rest *bare_rest_new(uint16_t kem_id);
void bare_rest_share(bare_rest *r); /* of one to many: a content's key in place of 1 KiB */
void bare_rest_run(bare_rest *r, bool answer);
void bare_rest_free(bare_rest *r);

/* --- The rows. -------------------------------------------------------------------------- */

typedef struct group {
    const char *name;
    const char *about;
    void (*measure)(const plan *p);
} group;

void measure_stream(const plan *p);
void measure_whole(const plan *p);
void measure_receive(const plan *p);
void measure_send(const plan *p);
void measure_refuse(const plan *p);
void measure_multi(const plan *p);
void measure_latency(const plan *p);
void measure_threads(const plan *p);
void measure_token(const plan *p);
void measure_slow(const plan *p);
void measure_length(const plan *p);
void measure_streams(const plan *p);
void measure_idle(const plan *p);

/* What several groups measure (message.c): `plain` bytes received from ready-made
 * requests, and answered where `answer` says so. One for each thread; receiving_share
 * makes another of the same requests, which outlives it. */
typedef struct receiving receiving;
receiving *receiving_new(const peers *p, tw_format format, size_t plain, bool answer);
receiving *receiving_share(const receiving *first);
uint64_t receiving_run(void *state, size_t count);
void receiving_free(receiving *r);

/* Bare derives with the points of ready-made requests. */
typedef struct deriving deriving;
deriving *deriving_new(uint16_t kem_id);
uint64_t deriving_run(void *state, size_t count);
void deriving_free(deriving *d);

/* One chunk after another in one direction (stream.c), ours and bare. One for each thread;
 * with `first`, which outlives it, it takes that one's buffers. */
typedef struct sealing sealing;
sealing *sealing_new(const peers *p, size_t chunk, const sealing *first);
uint64_t sealing_run(void *state, size_t count);
void sealing_free(sealing *s);

typedef struct bare_stream bare_stream;
bare_stream *bare_stream_new(uint16_t aead_id, bool seal, size_t chunk, const bare_stream *first);
uint64_t bare_stream_run(void *state, size_t count);
void bare_stream_free(bare_stream *s);

triple suite_of(uint16_t kem_id, uint16_t aead_id); /* with HKDF-SHA256 */
tw_format chunks_of(size_t chunk);

#endif
