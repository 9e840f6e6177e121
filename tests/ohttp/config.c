/* SPDX-License-Identifier: Apache-2.0 */
/* Key configurations, RFC 9458 section 3. */
#include <criterion/criterion.h>
#include <string.h>

#include <twoway/ohttp.h>

#include "bytes.h"
#include "check.h"
#include "peers.h"

#define CONFIGS 5

/* One configuration of each KEM, with 1 to 5 pairs. The keys are made up. */
static tw_config config_of(size_t i)
{
    static const size_t lens[] = {65, 97, 133, 32, 56};
    tw_config c = {.key_id = (uint8_t)(i + 1), .kem_id = all_kems[i], .public_len = lens[i]};

    memcpy(c.public_key, bytes_noise(lens[i], (uint32_t)i).data, lens[i]);
    c.symmetric_count = i + 1;
    for (size_t j = 0; j <= i; j++) {
        c.symmetric[j] = (tw_symmetric){all_kdfs[j % 3], all_aeads[(i + j) % 3]};
    }
    return c;
}

static bytes encoded(const tw_config *configs, size_t count, bool bare)
{
    size_t len = 0, need;
    bytes out;

    must_err(TW_ERR_SPACE, tw_config_encode(configs, count, bare, NULL, 0, &need));
    out = bytes_new(need);
    must_err(TW_ERR_SPACE, tw_config_encode(configs, count, bare, out.data, need - 1, &len));
    must_size(need, len);
    must_bytes(bytes_new(need), out);
    must_ok(tw_config_encode(configs, count, bare, out.data, need, &len));
    must_size(need, len);
    return out;
}

static void must_equal(const tw_config *want, const tw_config *got)
{
    must(want->key_id == got->key_id && want->kem_id == got->kem_id);
    must_bytes(((bytes){(uint8_t *)want->public_key, want->public_len}),
               ((bytes){(uint8_t *)got->public_key, got->public_len}));
    must_size(want->symmetric_count, got->symmetric_count);
    for (size_t i = 0; i < want->symmetric_count; i++) {
        must(want->symmetric[i].kdf_id == got->symmetric[i].kdf_id);
        must(want->symmetric[i].aead_id == got->symmetric[i].aead_id);
    }
}

static tw_err decode(bytes in, tw_config *configs, size_t cap, size_t *count)
{
    *count = SIZE_MAX;
    return tw_config_decode(in.data, in.len, configs, cap, count);
}

static void must_refuse(bytes in)
{
    tw_config configs[CONFIGS + 2];
    size_t count;

    must_err(TW_ERR_FORMAT, decode(in, configs, CONFIGS + 2, &count));
    must_size(0, count);
}

static bytes u16(size_t value)
{
    uint8_t out[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    return bytes_of(out, 2);
}

static bytes listed(bytes config)
{
    return bytes_cat(u16(config.len), config);
}

Test(config, a_list_goes_there_and_back)
{
    tw_config sent[CONFIGS], got[CONFIGS];
    size_t count;

    for (size_t i = 0; i < CONFIGS; i++) {
        sent[i] = config_of(i);
    }
    for (size_t n = 1; n <= CONFIGS; n++) {
        must_ok(decode(encoded(sent, n, false), got, CONFIGS, &count));
        must_size(n, count);
        for (size_t i = 0; i < n; i++) {
            must_equal(&sent[i], &got[i]);
        }
    }
}

Test(config, a_bare_one_goes_there_and_back)
{
    for (size_t i = 0; i < CONFIGS; i++) {
        tw_config sent = config_of(i), got;
        bytes bare = encoded(&sent, 1, true);
        size_t count;

        must_bytes(encoded(&sent, 1, false), listed(bare));
        must_ok(decode(bare, &got, 1, &count));
        must_size(1, count);
        must_equal(&sent, &got);
    }
}

Test(config, its_bytes_are_those_of_rfc_9458)
{
    static const char *const appendix_a =
        "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e7981550008"
        "0001000100010003";
    bytes in = bytes_hex(appendix_a);
    tw_config got;
    size_t count;

    must_ok(decode(in, &got, 1, &count));
    must(got.key_id == 1 && got.kem_id == TW_KEM_X25519_HKDF_SHA256);
    must_size(32, got.public_len);
    must_size(2, got.symmetric_count);
    must(got.symmetric[0].aead_id == 1 && got.symmetric[1].aead_id == 3);
    must_bytes(in, encoded(&got, 1, true));
}

Test(config, an_unknown_kem_is_skipped_by_its_length)
{
    bytes unknown = bytes_cat(bytes_hex("090030"), bytes_noise(77, 1));
    tw_config known = config_of(3), got[2];
    bytes with_known = listed(encoded(&known, 1, true));
    size_t count;

    must_ok(decode(listed(unknown), got, 2, &count));
    must_size(0, count);
    must_ok(decode(bytes_cat(listed(unknown), with_known), got, 2, &count));
    must_size(1, count);
    must_equal(&known, &got[0]);
    must_ok(decode(bytes_cat(with_known, listed(unknown)), got, 2, &count));
    must_size(1, count);
    must_ok(decode(unknown, got, 2, &count));
    must_size(0, count);
    must_ok(decode(bytes_cat(listed(bytes_hex("090030")), with_known), got, 2, &count));
    must_size(1, count);
}

/* What one has less than the one before it is zero, not what lay there. */
Test(config, what_it_does_not_have_is_zero)
{
    tw_config sent[2] = {config_of(2), config_of(3)}, got[2];
    size_t count;

    sent[0].symmetric_count = TW_MAX_SYMMETRIC;
    memset(sent[0].symmetric, 0xa5, sizeof(sent[0].symmetric));
    memset(got, 0xa5, sizeof(got));
    must_ok(decode(encoded(sent, 2, false), got, 2, &count));
    must_bytes(bytes_new(TW_MAX_PUBLIC - got[1].public_len),
               bytes_of(got[1].public_key + got[1].public_len, TW_MAX_PUBLIC - got[1].public_len));
    for (size_t i = got[1].symmetric_count; i < TW_MAX_SYMMETRIC; i++) {
        must(got[1].symmetric[i].kdf_id == 0 && got[1].symmetric[i].aead_id == 0);
    }
}

Test(config, one_cut_at_any_byte_is_malformed)
{
    tw_config sent[3] = {config_of(0), config_of(2), config_of(3)}, got[3];
    bytes list = encoded(sent, 3, false), bare = encoded(&sent[2], 1, true);
    size_t end = 0, ends[3], count;

    for (size_t i = 0; i < 3; i++) {
        end += encoded(&sent[i], 1, false).len;
        ends[i] = end;
    }
    for (size_t len = 0; len < list.len; len++) {
        if (len == ends[0] || len == ends[1]) {
            must_ok(decode(bytes_of(list.data, len), got, 3, &count));
        } else {
            /* Or, by its first bytes, the bare form of a KEM that nobody knows. */
            tw_err err = decode(bytes_of(list.data, len), got, 3, &count);

            must(err == TW_ERR_FORMAT || (err == TW_OK && count == 0));
        }
    }
    for (size_t len = 0; len < bare.len; len++) {
        must_refuse(bytes_of(bare.data, len));
    }
    must_refuse(bytes_none);
    must_refuse(bytes_cat(bare, bytes_new(1)));
}

/* No pairs; lengths that are no multiple of four, too long and too short. */
static const char *const tails[] = {
    "0000", "0003000100", "000400010001ff",   "0004000100010001", "0002ffff",
    "00",   "",           "0006000100010001", "000800010001"};

Test(config, any_encoding_error_refuses_the_whole_list)
{
    tw_config good = config_of(3);
    bytes before = listed(encoded(&good, 1, true)), head = bytes_hex("010020"), key;

    key = bytes_cat(head, bytes_noise(32, 1));
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        bytes bad = listed(bytes_cat(key, bytes_hex(tails[i])));

        check_note("with tail %s", tails[i]);
        must_refuse(bytes_cat(before, bad));
        must_refuse(bytes_cat(bad, before));
    }
    must_refuse(bytes_cat(before, listed(bytes_none)));
    must_refuse(bytes_cat(before, listed(bytes_hex("0100"))));
    must_refuse(bytes_cat(before, listed(head)));
    must_refuse(bytes_hex("0000"));
    must_refuse(bytes_hex("01"));
}

Test(config, room_for_too_few_tells_how_many_there_are)
{
    tw_config sent[CONFIGS], got[CONFIGS];
    size_t count;
    bytes list;

    for (size_t i = 0; i < CONFIGS; i++) {
        sent[i] = config_of(i);
    }
    list = encoded(sent, CONFIGS, false);
    for (size_t cap = 0; cap < CONFIGS; cap++) {
        must_err(TW_ERR_SPACE, decode(list, cap == 0 ? NULL : got, cap, &count));
        must_size(CONFIGS, count);
    }
    must_ok(decode(list, got, CONFIGS, &count));
}

Test(config, pairs_beyond_what_is_kept_are_dropped)
{
    bytes in = bytes_cat(bytes_cat(bytes_hex("050020"), bytes_noise(32, 1)), u16(65532));
    tw_config got;
    size_t count;

    in = bytes_cat(in, bytes_noise(65532, 1));
    must_ok(decode(in, &got, 1, &count));
    must_size(1, count);
    must_size(TW_MAX_SYMMETRIC, got.symmetric_count);
    must(got.symmetric[15].aead_id == (in.data[37 + 62] << 8 | in.data[37 + 63]));
}

Test(config, only_what_can_be_read_is_written)
{
    tw_config good = config_of(3), bad = good;
    uint8_t out[200];
    size_t len;

    must_err(TW_ERR_INVALID, tw_config_encode(NULL, 1, false, out, sizeof(out), &len));
    must_err(TW_ERR_INVALID, tw_config_encode(&good, 0, false, out, sizeof(out), &len));
    must_err(TW_ERR_INVALID, tw_config_encode(&good, 1, false, out, sizeof(out), NULL));
    must_err(TW_ERR_SPACE, tw_config_encode(&good, 1, false, NULL, sizeof(out), &len));
    bad.kem_id = 0x0030;
    must_err(TW_ERR_INVALID, tw_config_encode(&bad, 1, false, out, sizeof(out), &len));
    bad = good;
    bad.public_len--;
    must_err(TW_ERR_INVALID, tw_config_encode(&bad, 1, false, out, sizeof(out), &len));
    bad = good;
    bad.symmetric_count = 0;
    must_err(TW_ERR_INVALID, tw_config_encode(&bad, 1, true, out, sizeof(out), &len));
    bad.symmetric_count = TW_MAX_SYMMETRIC + 1;
    must_err(TW_ERR_INVALID, tw_config_encode(&bad, 1, true, out, sizeof(out), &len));
    must_size(0, len);
    {
        tw_config two[] = {good, good};

        must_err(TW_ERR_INVALID, tw_config_encode(two, 2, true, out, sizeof(out), &len));
        must_ok(tw_config_encode(two, 2, false, out, sizeof(out), &len));
    }
    must_err(TW_ERR_INVALID, tw_config_decode(out, 5, &bad, 1, NULL));
    must_err(TW_ERR_INVALID, tw_config_decode(NULL, 5, &bad, 1, &len));
    must_err(TW_ERR_INVALID, tw_config_decode(NULL, 1, &bad, 1, &len));
    must_err(TW_ERR_INVALID, tw_config_decode(out, 5, NULL, 1, &len));
}

Test(config, choose_takes_the_first_that_is_served)
{
    tw_config configs[3] = {config_of(1), config_of(2), config_of(3)};
    tw_header suite;
    size_t index = 9;

    configs[0].kem_id = 0x0030;
    configs[1].symmetric_count = 1;
    configs[1].symmetric[0] = (tw_symmetric){1, 9};
    configs[2].symmetric_count = 4;
    configs[2].symmetric[0] = (tw_symmetric){9, 1};
    configs[2].symmetric[1] = (tw_symmetric){1, TW_AEAD_EXPORT_ONLY};
    configs[2].symmetric[2] = (tw_symmetric){2, 3};
    configs[2].symmetric[3] = (tw_symmetric){1, 1};
    must_ok(tw_config_choose(configs, 3, NULL, &index, &suite));
    must_size(2, index);
    must(suite.key_id == configs[2].key_id && suite.kem_id == TW_KEM_X25519_HKDF_SHA256);
    must(suite.kdf_id == 2 && suite.aead_id == 3);
    must_err(TW_ERR_KEY, tw_config_choose(configs, 2, NULL, &index, &suite));
    must_size(0, index);
    must(suite.key_id == 0 && suite.kem_id == 0 && suite.kdf_id == 0 && suite.aead_id == 0);
    must_err(TW_ERR_KEY, tw_config_choose(configs, 0, NULL, &index, &suite));
    must_err(TW_ERR_KEY, tw_config_choose(NULL, 0, NULL, &index, &suite));
    must_err(TW_ERR_INVALID, tw_config_choose(NULL, 1, NULL, &index, &suite));
    must_err(TW_ERR_INVALID, tw_config_choose(configs, 3, NULL, NULL, &suite));
    must_err(TW_ERR_INVALID, tw_config_choose(configs, 3, NULL, &index, NULL));
}

Test(config, choose_begins_with_the_first_and_looks_at_no_pair_that_is_not_kept)
{
    tw_config config = config_of(3);
    tw_header suite;
    size_t index = 9;

    config.symmetric_count = 2;
    config.symmetric[0] = (tw_symmetric){TW_KDF_HKDF_SHA512, TW_AEAD_AES_256_GCM};
    config.symmetric[1] = (tw_symmetric){TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM};
    must_ok(tw_config_choose(&config, 1, NULL, &index, &suite));
    must_size(0, index);
    must(suite.kdf_id == TW_KDF_HKDF_SHA512 && suite.aead_id == TW_AEAD_AES_256_GCM);
    memset(config.symmetric, 0xff, sizeof(config.symmetric));
    config.symmetric_count = 0x00010001; /* read as one more pair, it would be served */
    must_err(TW_ERR_KEY, tw_config_choose(&config, 1, NULL, &index, &suite));
}
