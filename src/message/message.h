/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_MESSAGE_MESSAGE_H
#define TWOWAY_MESSAGE_MESSAGE_H

/* What the files of this layer share. A body is a context and a layout; sealer and
 * opener work on it alike whether it is a request's, a response's or one to many's. */

#include <twoway/twoway.h>

#include "hpke/hpke.h"

/* --- Formats and headers. -------------------------------------------------- */

typedef enum tw_direction { TW_REQUEST, TW_RESPONSE } tw_direction;

typedef struct tw_layout {
    const char *label; /* borrowed from the format */
    bool chunked;
    size_t max_chunk;
} tw_layout;

/* NULL is the default format. TW_ERR_INVALID. */
tw_err tw_layout_read(const tw_format *format, tw_direction direction, tw_layout *out);

#define TW_MAX_CHUNK ((size_t)1 << 24)

void tw_header_write(const tw_header *header, uint8_t *out);
bool tw_header_equal(const tw_header *a, const tw_header *b);

/* RFC 9458 section 4.3: info = label || 0x00 || header. */
typedef struct tw_info {
    uint8_t small[128];
    uint8_t *data; /* small, or the heap for a long label */
    size_t len;
} tw_info;
tw_err tw_info_make(const char *label, const uint8_t *header, tw_info *out);
void tw_info_clear(tw_info *info);

/* --- Bodies. ----------------------------------------------------------------- */

/* A context that an exchange must keep as well, since its suite gives no exporter
 * secret out. */
typedef struct tw_shared_ctx {
    atomic_int refs;
    tw_hpke_ctx *ctx;
} tw_shared_ctx;

typedef struct tw_body {
    tw_hpke_ctx *ctx;
    tw_shared_ctx *shared; /* owns ctx where it is not NULL */
    tw_kit *kit;           /* a reference */
    size_t tag_len, max_chunk;
    bool chunked;
} tw_body;

/* Sets the layout and takes ctx, and a reference of the kit. */
void tw_body_init(tw_body *body, const tw_layout *layout, size_t tag_len, tw_kit *kit,
                  tw_hpke_ctx *ctx);
void tw_body_clear(tw_body *body);

/* Both take the body, also when they fail. */
tw_err tw_sealer_make(tw_body *body, tw_sealer **out);
tw_err tw_opener_make(tw_body *body, tw_opener **out);

/* Whether a call may go on: the checks that contract 5 of twoway.h says change
 * nothing. *out_len is 0, or the bound with TW_ERR_SPACE. */
tw_err tw_body_call(const uint8_t *in, size_t in_len, const uint8_t *out, size_t out_cap,
                    size_t bound, size_t *out_len);

/* A context's error in the middle of a body. The codes that contract 5 keeps for calls
 * that changed nothing are none that a back-end can answer there. */
tw_err tw_body_err(tw_err err);

/* What any call to a body that is done or has failed answers; else TW_OK. */
tw_err tw_sealer_over(const tw_sealer *sealer);
tw_err tw_opener_over(const tw_opener *opener);

/* For the pump: the most bytes of input that `body` takes as one piece. */
size_t tw_sealer_chunk(const tw_sealer *sealer); /* 0: whole, and cannot stream */
bool tw_opener_is_whole(const tw_opener *opener);
size_t tw_opener_tag_len(const tw_opener *opener);

/* --- Several threads at one body. ---------------------------------------------- */

/* Whether it is chunked, sound, and stands between two chunks. */
bool tw_sealer_is_between(const tw_sealer *sealer);
bool tw_opener_is_between(const tw_opener *opener);
tw_body *tw_sealer_body(tw_sealer *sealer);
tw_body *tw_opener_body(tw_opener *opener);
/* Every later call gives this error. */
void tw_sealer_fail(tw_sealer *sealer, tw_err err);
void tw_opener_fail(tw_opener *opener, tw_err err);

/* How many bytes from the start of `in`, at which a chunk begins, are ordinary chunks that
 * are there whole, and how many chunks. *goes_on: what follows is but a part of another. */
size_t tw_opener_scan(const tw_opener *opener, const uint8_t *in, size_t in_len, uint64_t *chunks,
                      bool *goes_on);
size_t tw_opener_longest(const tw_opener *opener); /* chunk, with the length before it */

/* What a thread seals or opens with: one of the two. */
typedef struct tw_hand {
    tw_sealer *sealer;
    tw_opener *opener;
} tw_hand;

/* A piece of a body on its way. Starts zeroed. */
typedef struct tw_lot {
    uint8_t *in, *out;
    size_t in_cap, in_len, out_cap, out_len;
    size_t in_room;         /* what may be filled now, of all that there is of `in` */
    size_t take;            /* of the input: what is sealed or opened */
    uint64_t first, chunks; /* the numbers it has; chunks 0: those that are next */
    tw_err err;
    bool done;
} tw_lot;
void tw_lot_clear(tw_lot *lot);

tw_err tw_hand_over(const tw_hand *hand);
size_t tw_hand_bound(const tw_hand *hand, size_t in_len);
tw_err tw_hand_update(const tw_hand *hand, tw_lot *lot); /* of `take` bytes */
tw_err tw_hand_final(const tw_hand *hand, tw_lot *lot);  /* of all input */
bool tw_hand_shares(const tw_hand *hand);                /* whether the next three may be used */
tw_err tw_hand_reserve(const tw_hand *hand, tw_lot *lot);
tw_err tw_hand_lend(const tw_hand *hand, tw_hand *out); /* for lots that have numbers */
void tw_hand_fail(const tw_hand *hand, tw_err err);
void tw_hand_free(tw_hand *hand);

/*
 * A team has jobs - 1 threads, started as there is work, and the calling one. Lots go round:
 * a spare one is filled and handed over; taken back, in the same order, it is done, with
 * `err` set, and spare again. hand_over is for the lot that spare gave; spare gives NULL while all
 * are under way, take_back NULL while none is. `body`, `jobs` at least 2, outlives the team.
 */
typedef struct tw_team tw_team;
tw_err tw_team_new(const tw_hand *body, size_t jobs, tw_team **out);
tw_lot *tw_team_spare(const tw_team *team);
void tw_team_hand_over(tw_team *team);
bool tw_team_rests(const tw_team *team); /* no lot is under way */
tw_lot *tw_team_take_back(tw_team *team);
void tw_team_free(tw_team *team);

/* --- Exchanges. ---------------------------------------------------------------- */

enum { TW_ROLE_SENDER = 1, TW_ROLE_RECEIVER = 2 };

/* `head` is header || enc. Where the context gives no exporter secret out, the
 * exchange shares it with `body`. */
tw_err tw_exchange_make(uint8_t role, const tw_suite *suite, tw_kit *kit, const tw_rng *rng,
                        const uint8_t *head, tw_body *body, tw_exchange **out);

/* --- Suites. --------------------------------------------------------------------- */

/* What sender, receiver and multi ask of a suite: KDF 1 to 3, AEAD 1 to 3. */
tw_err tw_suite_fits(const tw_suite *suite);

/* One to many: the content's own key is always this long, and so is its AEAD's. */
#define TW_CONTENT_KEY_LEN 32
tw_err tw_content_kit(const tw_suite *suite, tw_kit **out);
extern const char tw_multi_aad[15];

/* --- Requests between head and body. ------------------------------------------------ */

typedef struct tw_pending_source {
    const tw_suite *suite;
    const tw_key *key;
    tw_kit *kit;
    tw_rng rng;
    tw_header header;
} tw_pending_source;

typedef struct tw_content {
    tw_kit *kit; /* NULL: one to one */
    uint8_t nonce[TW_NONCE_LEN];
    uint8_t sealed_key[TW_CONTENT_KEY_LEN + TW_TAG_LEN];
} tw_content;

/* head is a checked header || enc; references are taken of the kits. */
tw_err tw_pending_make(const tw_pending_source *from, const tw_layout *layout, const uint8_t *head,
                       const tw_content *content, tw_pending **out);

#endif
