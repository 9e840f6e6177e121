/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

/* Pumps with several threads, beside pumps with one. */

#include "peers.h"

#define CHUNK 16384
#define LOT   (8 * CHUNK) /* what a thread is given at once */

#define JOBS 4
extern const size_t jobs_of[JOBS];

/* Every message between these peers has the same keys, so that two can be compared. */
void start(peers *p, uint16_t aead_id);

/* A message's body, of m->kind and m->format, pumped in reads of `most` bytes (0: as many as
 * are asked for); m gets its head. */
bytes sealed_by(const peers *p, message *m, bytes plain, size_t most, size_t jobs);
tw_err opened_by(const peers *p, const message *m, size_t most, size_t jobs, bytes *out);

/* A response of many lots and a part of one. */
#define CHUNKS (5 * 8 + 3)
typedef struct bed {
    peers p;
    message m;
    bytes plain;
    size_t piece; /* bytes of a chunk on the wire */
} bed;
void bed_start(bed *b);

void refusals(void); /* jobs_refused.c */

#endif
