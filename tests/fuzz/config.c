/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a client reads before it has a key: a message's header and a server's key
 * configurations. What was decoded encodes, and decodes to the same again.
 */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "support/check.h"

static void header(bytes in)
{
    tw_header h = {0};
    tw_err err = tw_header_parse(in.data, in.len, &h);

    if (in.len < TW_HEADER_LEN) {
        must_err(TW_ERR_TRUNCATED, err);
        return;
    }
    must_ok(err);
    must(h.key_id == in.data[0]);
    must(h.kem_id == (in.data[1] << 8 | in.data[2]));
    must(h.kdf_id == (in.data[3] << 8 | in.data[4]));
    must(h.aead_id == (in.data[5] << 8 | in.data[6]));
}

static void same_config(const tw_config *a, const tw_config *b)
{
    must(a->key_id == b->key_id && a->kem_id == b->kem_id);
    must_size(a->public_len, b->public_len);
    must(memcmp(a->public_key, b->public_key, a->public_len) == 0);
    must_size(a->symmetric_count, b->symmetric_count);
    for (size_t i = 0; i < a->symmetric_count; i++) {
        must(a->symmetric[i].kdf_id == b->symmetric[i].kdf_id);
        must(a->symmetric[i].aead_id == b->symmetric[i].aead_id);
    }
}

static void sane_config(const tw_config *c)
{
    must(c->public_len > 0 && c->public_len <= TW_MAX_PUBLIC);
    must(c->symmetric_count > 0 && c->symmetric_count <= TW_MAX_SYMMETRIC);
}

/* decode reads into exactly as many as there are; NULL when it refuses. */
static tw_config *decode(bytes in, size_t *count)
{
    tw_config few[1];
    tw_config *all;
    tw_err err = tw_config_decode(in.data, in.len, few, 0, count);

    if (err != TW_OK && err != TW_ERR_SPACE) {
        must_err(TW_ERR_FORMAT, err);
        must_size(0, *count);
        return NULL;
    }
    must((err == TW_OK) == (*count == 0));
    all = malloc(*count * sizeof(*all) + 1);
    must(all != NULL);
    if (*count > 1) {
        size_t needed = 0;

        must_err(TW_ERR_SPACE, tw_config_decode(in.data, in.len, few, 1, &needed));
        must_size(*count, needed);
    }
    must_ok(tw_config_decode(in.data, in.len, all, *count, count));
    return all;
}

static bytes encode(const tw_config *configs, size_t count, bool bare)
{
    size_t needed = 0;
    size_t len = 0;
    bytes made;

    must_err(TW_ERR_SPACE, tw_config_encode(configs, count, bare, NULL, 0, &needed));
    made = bytes_new(needed);
    must_err(TW_ERR_SPACE, tw_config_encode(configs, count, bare, made.data, needed - 1, &len));
    must_size(needed, len);
    must_ok(tw_config_encode(configs, count, bare, made.data, made.len, &len));
    must_size(needed, len);
    return made;
}

static void round_trip(const tw_config *configs, size_t count, bool bare)
{
    size_t again_count = 0;
    tw_config *again = decode(encode(configs, count, bare), &again_count);

    must(again != NULL);
    must_size(count, again_count);
    for (size_t i = 0; i < count; i++) {
        same_config(&configs[i], &again[i]);
    }
    free(again);
}

/* choose names one of those it was given, with one of its pairs. */
static void choose(const tw_config *configs, size_t count)
{
    size_t index = SIZE_MAX;
    tw_header suite = {0};
    tw_err err = tw_config_choose(configs, count, NULL, &index, &suite);
    size_t pair = 0;

    if (err != TW_OK) {
        must_err(TW_ERR_KEY, err);
        return;
    }
    must(index < count && suite.key_id == configs[index].key_id);
    must(suite.kem_id == configs[index].kem_id);
    while (pair < configs[index].symmetric_count &&
           (configs[index].symmetric[pair].kdf_id != suite.kdf_id ||
            configs[index].symmetric[pair].aead_id != suite.aead_id)) {
        pair++;
    }
    must(pair < configs[index].symmetric_count);
    must(fuzz_suite(suite.kem_id, suite.kdf_id, suite.aead_id) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    size_t count = 0;
    tw_config *configs = decode(in, &count);

    header(in);
    if (configs != NULL && count > 0) {
        round_trip(configs, count, false);
        choose(configs, count);
        for (size_t i = 0; i < count; i++) {
            sane_config(&configs[i]);
            round_trip(&configs[i], 1, true);
        }
    }
    free(configs);
    bytes_release(mark);
    return 0;
}
